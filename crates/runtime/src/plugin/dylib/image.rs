//! Which bytes would be loaded, and what is their hash? Read once: what was hashed is what is opened.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

use ring::digest;

use super::elf;
use super::refusal::Refusal;

/// The SHA-256 of a file, as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Sha256([u8; 32]);

/// A text that is no SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a SHA-256 has 64 hexadecimal digits")]
pub struct NotASha256;

impl Sha256 {
    /// Of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let mut hash = [0; 32];
        hash.iter_mut().zip(digest::digest(&digest::SHA256, bytes).as_ref()).for_each(|(to, from)| *to = *from);
        Self(hash)
    }
}

impl FromStr for Sha256 {
    type Err = NotASha256;

    fn from_str(text: &str) -> Result<Self, NotASha256> {
        let digit = |c: &u8| char::from(*c).to_digit(16).and_then(|digit| u8::try_from(digit).ok()).ok_or(NotASha256);
        let mut hash = [0; 32];
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if pairs.len() != hash.len() || !rest.is_empty() {
            return Err(NotASha256);
        }
        for (byte, [high, low]) in hash.iter_mut().zip(pairs) {
            *byte = digit(high)? << 4 | digit(low)?;
        }
        Ok(Self(hash))
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The bytes of a library.
pub(super) struct Image {
    pub(super) sha256: Sha256,
    bytes: Vec<u8>,
}

impl Image {
    /// Reads a file of at most `most` bytes. A pin is compared here, before anything of it can run.
    pub(super) fn read(path: &Path, most: u64, pinned: Option<Sha256>) -> Result<Self, Refusal> {
        let io = |what| move |e: std::io::Error| Refusal::Io { what, why: e.to_string() };
        // Before opening: a pipe would wait for its writer.
        if !fs::metadata(path).map_err(io("it cannot be read"))?.is_file() {
            return Err(Refusal::NotAFile);
        }
        let file = File::open(path).map_err(io("it cannot be read"))?;
        let mut bytes = Vec::new();
        file.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(io("it cannot be read"))?;
        if bytes.len() as u64 > most {
            return Err(Refusal::TooLarge { most });
        }
        let found = Sha256::of(&bytes);
        if let Some(pinned) = pinned.filter(|pinned| *pinned != found) {
            return Err(Refusal::WrongHash { pinned, found });
        }
        elf::check(&bytes)?;
        Ok(Self { sha256: found, bytes })
    }

    pub(super) fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// Writes the bytes into a file of its own: the loader answers a path that it has opened before with the old code,
    /// and nobody but us may change what it opens.
    pub(super) fn write_private(&self, folder: &Path) -> Result<PrivateFile, Refusal> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let io = |e: std::io::Error| Refusal::Io { what: "its private copy cannot be written", why: e.to_string() };
        private_folder(folder).map_err(io)?;
        let (number, process) = (NUMBER.fetch_add(1, Ordering::Relaxed), std::process::id());
        let path = folder.join(format!("{}-{process}-{number}{}", self.sha256, std::env::consts::DLL_SUFFIX));
        // One of a process that had our number and crashed.
        _ = fs::remove_file(&path);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o700);
        let mut file = options.open(&path).map_err(io)?;
        let private = PrivateFile(path);
        file.write_all(&self.bytes).map_err(io)?;
        Ok(private)
    }
}

/// A copy that is removed again. What is mapped stays mapped, and a crash leaves at most the one file behind.
pub(super) struct PrivateFile(PathBuf);

impl PrivateFile {
    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for PrivateFile {
    fn drop(&mut self) {
        _ = fs::remove_file(&self.0);
    }
}

/// Makes a folder that only we can enter.
fn private_folder(folder: &Path) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    #[cfg(unix)]
    fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_read_as_it_is_written() {
        let hash = Sha256::of(b"abc");
        let text = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!((hash.to_string().as_str(), text.to_uppercase().parse()), (text, Ok(hash)));
        for wrong in ["", "ba78", &text[1..], &format!("{text}0"), &text.replace('b', "x")] {
            assert_eq!(wrong.parse::<Sha256>(), Err(NotASha256), "{wrong}");
        }
    }
}
