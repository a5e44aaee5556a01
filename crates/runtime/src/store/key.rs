//! Where does the master key come from? Out of the first source that is set: see [`KeySource`] (security R18).
//!
//! Nothing here reads the environment: whoever starts the store says which source it is.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use argon2::{Algorithm, Argon2, Params, Version};
use rand::TryRng;
use zeroize::Zeroizing;

use super::StoreError;
use crate::failpoint::fail_point;

/// Bytes of a key.
pub(super) const KEY: usize = 32;
/// Name of the key file in the data directory.
pub const KEY_FILE: &str = "seal.key";
/// Name of the salt of a passphrase, in the data directory.
pub const SALT_FILE: &str = "seal.salt";

/// A key file or passphrase is no longer; a path to something endless is not read to its end.
const LONGEST: u64 = 4096;
const SALT: usize = 16;
/// A shorter passphrase is guessed by whoever has the database.
const SHORTEST_PASSPHRASE: usize = 12;
/// Argon2id: 64 MiB, three passes, one lane.
const COST: (u32, u32, u32) = (64 * 1024, 3, 1);

/// A master key; zeroed when it goes.
pub type Key = Zeroizing<[u8; KEY]>;

/// Where the master key comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeySource {
    /// A credential of the service manager, which keeps others from it.
    Credential(PathBuf),
    /// An open file descriptor, read once.
    Descriptor(u32),
    /// A file elsewhere, mode 0600 and our own.
    File(PathBuf),
    /// A file with a passphrase in its first line, mode 0600 and our own. The key is made of it by Argon2id.
    Passphrase(PathBuf),
    /// A file in the data directory, made on first use. It protects copies of the database that leave it behind, and
    /// nothing more.
    Beside,
}

impl KeySource {
    /// For people: `the key file data/seal.key`.
    pub fn shown(&self, data_dir: &Path) -> String {
        match self {
            Self::Credential(path) => format!("the credential {}", path.display()),
            Self::Descriptor(number) => format!("the file descriptor {number}"),
            Self::File(path) => format!("the key file {}", path.display()),
            Self::Passphrase(path) => format!("the passphrase in {}", path.display()),
            Self::Beside => format!("the key file {}", data_dir.join(KEY_FILE).display()),
        }
    }

    /// The key.
    ///
    /// # Errors
    /// When it cannot be had, others may read it, or it is none.
    pub(super) fn key(&self, data_dir: &Path) -> Result<Key, StoreError> {
        match self {
            Self::Credential(path) => key_of(&read(path, false)?, path),
            // Opening the path gives the same file or pipe again, without unsafe code.
            Self::Descriptor(number) => {
                let path = PathBuf::from(format!("/proc/self/fd/{number}"));
                key_of(&read(&path, false)?, &path)
            }
            Self::File(path) => key_of(&read(path, true)?, path),
            Self::Passphrase(path) => {
                let bytes = read(path, true)?;
                let line = bytes.split(|byte| matches!(byte, b'\n' | b'\r')).next().unwrap_or_default();
                if line.len() < SHORTEST_PASSPHRASE {
                    let why =
                        format!("a passphrase has at least {SHORTEST_PASSPHRASE} bytes; four or more random words do");
                    return Err(no_key(path, why));
                }
                stretched(line, &salt(data_dir)?, COST)
            }
            Self::Beside => {
                beside(data_dir, true)?.ok_or_else(|| no_key(&data_dir.join(KEY_FILE), "it is not there".into()))
            }
        }
    }
}

/// The key beside the data. Without one: `None`, or a new one where it may be made.
pub(super) fn beside(data_dir: &Path, make: bool) -> Result<Option<Key>, StoreError> {
    let path = data_dir.join(KEY_FILE);
    if path.exists() {
        return key_of(&read(&path, true)?, &path).map(Some);
    }
    if !make {
        return Ok(None);
    }
    let mut key = Key::default();
    draw("draw a key", &mut *key)?;
    write_whole(&path, &*key)?;
    fail_point!("open: key made");
    Ok(Some(key))
}

fn salt(data_dir: &Path) -> Result<[u8; SALT], StoreError> {
    let path = data_dir.join(SALT_FILE);
    if path.exists() {
        let bytes = read(&path, true)?;
        return bytes.as_slice().try_into().map_err(|_length| no_key(&path, "it is no salt of 16 bytes".into()));
    }
    let mut salt = [0u8; SALT];
    draw("draw a salt", &mut salt)?;
    write_whole(&path, &salt)?;
    Ok(salt)
}

fn stretched(passphrase: &[u8], salt: &[u8], cost: (u32, u32, u32)) -> Result<Key, StoreError> {
    let failed = |e: argon2::Error| StoreError::Engine { what: "make a key of the passphrase", reason: e.to_string() };
    let params = Params::new(cost.0, cost.1, cost.2, Some(KEY)).map_err(failed)?;
    let mut key = Key::default();
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase, salt, &mut *key)
        .map_err(failed)?;
    Ok(key)
}

/// 32 bytes as they are, or as 64 hexadecimal digits.
fn key_of(bytes: &[u8], path: &Path) -> Result<Key, StoreError> {
    let mut key = Key::default();
    if bytes.len() == KEY {
        key.copy_from_slice(bytes);
        return Ok(key);
    }
    let digits = bytes.trim_ascii();
    let wrong = || {
        let why = "a key has 32 bytes, or 64 hexadecimal digits; `openssl rand -hex 32` writes one";
        no_key(path, why.to_owned())
    };
    if digits.len() != 2 * KEY {
        return Err(wrong());
    }
    for (to, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
        let pair = std::str::from_utf8(pair).map_err(|_not_quoted| wrong())?;
        // `+f` is a number to the standard library.
        *to = u8::from_str_radix(pair, 16).ok().filter(|_| !pair.starts_with('+')).ok_or_else(wrong)?;
    }
    Ok(key)
}

/// A small file; `ours` when it must be nobody else's.
fn read(path: &Path, ours: bool) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    let failed = |e: std::io::Error| no_key(path, format!("it cannot be read: {e}"));
    let file = File::open(path).map_err(failed)?;
    if ours {
        let meta = file.metadata().map_err(failed)?;
        let shown = path.display().to_string();
        if meta.mode() & 0o077 != 0 {
            let why = "others may read the key; run `chmod 600` on it".into();
            return Err(StoreError::Rights { path: shown, why });
        }
        if meta.uid() != rustix::process::geteuid().as_raw() {
            return Err(StoreError::Rights { path: shown, why: "it belongs to another user".into() });
        }
    }
    // Room at once: a buffer that grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(8192));
    file.take(LONGEST).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

/// Writes a file whole or not at all: a crash leaves no half of a key.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let failed =
        |e: std::io::Error| StoreError::Engine { what: "write a key file", reason: format!("{}: {e}", path.display()) };
    let next = path.with_extension("new");
    // Of a start that a crash ended.
    std::fs::remove_file(&next).ok();
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&next).map_err(failed)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed)?;
    fail_point!("open: key written");
    std::fs::rename(&next, path).map_err(failed)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}

fn draw(what: &'static str, bytes: &mut [u8]) -> Result<(), StoreError> {
    rand::rngs::SysRng.try_fill_bytes(bytes).map_err(|e| StoreError::Engine { what, reason: e.to_string() })
}

fn no_key(path: &Path, why: String) -> StoreError {
    StoreError::Key { source_of_key: format!("the key file {}", path.display()), why }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn file(dir: &Path, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = dir.join(name);
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    #[test]
    fn sec_r18_a_key_is_32_bytes_or_64_digits_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let digits = "00112233445566778899AABBCCDDEEFF00112233445566778899aabbccddeeff";
        let of = |content: &[u8]| KeySource::File(file(dir.path(), "key", content)).key(dir.path());
        let key = of(digits.as_bytes()).unwrap();
        assert_eq!(&key[..3], [0x00, 0x11, 0x22]);
        assert_eq!(of(format!(" {digits}\n").as_bytes()).unwrap(), key);
        assert_eq!(of(&*key).unwrap(), key, "as they are");
        for wrong in [
            "",
            "short",
            &digits[1..],
            &digits.replace("11", "+1"),
            &"字".repeat(22),
            &"x".repeat(64),
            &"0".repeat(9_000),
        ] {
            let said = of(wrong.as_bytes()).unwrap_err().to_string();
            assert!(said.contains("64 hexadecimal digits"), "{said}");
            assert!(wrong.is_empty() || !said.contains(wrong), "what stands there is not repeated");
        }
    }

    #[test]
    fn sec_r18_a_passphrase_is_stretched_by_argon2id_with_64_mib_and_three_passes() {
        assert_eq!(COST, (65_536, 3, 1));
        let dir = tempfile::tempdir().unwrap();
        let source = KeySource::Passphrase(file(dir.path(), "words", "correct horse battery\nnot this"));
        let key = source.key(dir.path()).unwrap();
        // The same words and salt make the same key; others do not.
        assert_eq!(source.key(dir.path()).unwrap(), key);
        let salt = std::fs::read(dir.path().join(SALT_FILE)).unwrap();
        assert_eq!(stretched(b"correct horse battery", &salt, COST).unwrap(), key);
        std::fs::remove_file(dir.path().join(SALT_FILE)).unwrap();
        assert_ne!(source.key(dir.path()).unwrap(), key, "another salt, another key");
        let short = KeySource::Passphrase(file(dir.path(), "words", "too short"));
        assert!(short.key(dir.path()).unwrap_err().to_string().contains("at least 12 bytes"));
    }

    /// The reference implementation's own: `argon2 somesalt -id -t 2 -m 16 -p 1` of `password`.
    #[test]
    fn sec_r18_argon2id_is_the_published_one() {
        let key = stretched(b"password", b"somesalt", (65_536, 2, 1)).unwrap();
        let digits: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(digits, "09316115d5cf24ed5a15a31a3ba326e5cf32edc24702987c02b6566f61913cf7");
    }

    #[test]
    fn sec_r17_a_key_that_others_may_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        KeySource::Beside.key(dir.path()).unwrap();
        let path = dir.path().join(KEY_FILE);
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        for source in [KeySource::Beside, KeySource::File(path.clone()), KeySource::Passphrase(path.clone())] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
            assert!(matches!(source.key(dir.path()), Err(StoreError::Rights { .. })), "{source:?}");
        }
    }
}
