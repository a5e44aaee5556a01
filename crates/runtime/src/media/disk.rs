//! How does a file come into the folder? Written beside it while it is hashed, synced, then renamed: whole or not at all.
//!
//! ```text
//! media/ab/cdef…      64 hexadecimal digits of SHA-256, the first two as a folder
//! media/part/17       being written; a start deletes what is there
//! ```

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use ring::digest::{Context, SHA256};
use wxbot_model::{FileType, MediaDigest};

const PARTS: &str = "part";
/// Read and written at once when a file is copied in.
const CHUNK: usize = 256 * 1024;

/// The folder. Everything here blocks.
#[derive(Debug)]
pub(super) struct Disk {
    root: PathBuf,
    next: AtomicU64,
}

/// A file under its final name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Whole {
    pub(super) digest: MediaDigest,
    pub(super) len: u64,
    pub(super) file_type: FileType,
}

fn folder(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
            // Not through a link to somewhere else.
            let meta = fs::symlink_metadata(path)?;
            if !meta.is_dir() {
                return Err(io::Error::new(io::ErrorKind::NotADirectory, format!("{} is no folder", path.display())));
            }
            if meta.permissions().mode() & 0o077 != 0 {
                fs::set_permissions(path, Permissions::from_mode(0o700))?;
            }
            Ok(())
        }
        other => other,
    }
}

impl Disk {
    /// Makes the folder (0700) and throws away what was being written when the last run ended.
    pub(super) fn open(root: PathBuf) -> io::Result<Self> {
        folder(&root)?;
        let parts = root.join(PARTS);
        folder(&parts)?;
        // A send that needs a file is worth as much as the folder's own name in the data directory.
        if let Some(parent) = root.parent() {
            File::open(parent)?.sync_all()?;
        }
        for entry in fs::read_dir(&parts)? {
            let entry = entry?;
            if !entry.file_type()?.is_dir() {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(Self { root, next: AtomicU64::new(0) })
    }

    pub(super) fn path_of(&self, digest: &MediaDigest) -> PathBuf {
        let (first, rest) = digest.as_str().split_at_checked(2).unwrap_or_default();
        self.root.join(first).join(rest)
    }

    /// Whether it is there with this length. Another length is no file of ours: a name is only given to whole files.
    pub(super) fn holds(&self, digest: &MediaDigest, len: u64) -> bool {
        fs::symlink_metadata(self.path_of(digest)).is_ok_and(|meta| meta.is_file() && meta.len() == len)
    }

    /// All files under their final names, with their lengths. What is named otherwise is not ours and stays as it is.
    pub(super) fn files(&self) -> io::Result<Vec<(MediaDigest, u64)>> {
        let mut files = Vec::new();
        for folder in fs::read_dir(&self.root)? {
            let folder = folder?;
            if !folder.file_type()?.is_dir() || folder.file_name().len() != 2 {
                continue;
            }
            for file in fs::read_dir(folder.path())? {
                let file = file?;
                let name = [folder.file_name(), file.file_name()].map(|name| name.to_string_lossy().into_owned());
                if let (Ok(digest), true) = (name.concat().parse(), file.file_type()?.is_file()) {
                    files.push((digest, file.metadata()?.len()));
                }
            }
        }
        Ok(files)
    }

    /// What a file under its final name is, by its content.
    pub(super) fn file_type(&self, digest: &MediaDigest) -> io::Result<FileType> {
        let mut head = Vec::with_capacity(FileType::HEAD + 1);
        File::open(self.path_of(digest))?.take(FileType::HEAD as u64 + 1).read_to_end(&mut head)?;
        Ok(FileType::of(&head))
    }

    pub(super) fn remove(&self, digest: &MediaDigest) -> io::Result<()> {
        match fs::remove_file(self.path_of(digest)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            Err(_) | Ok(()) => Ok(()),
        }
    }

    /// Begins a file of at most `limit` bytes. Dropping it removes it.
    pub(super) fn begin(&self, limit: u64) -> io::Result<Part> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let path = self.root.join(PARTS).join(number.to_string());
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        let path = Unfinished(path);
        Ok(Part { file, path, hash: Context::new(&SHA256), len: 0, limit, head: Vec::new() })
    }
}

/// A path that is removed unless it was taken.
#[derive(Debug)]
struct Unfinished(PathBuf);

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.0.as_os_str().is_empty() {
            fs::remove_file(&self.0).ok();
        }
    }
}

/// A file that is being written.
pub(super) struct Part {
    file: File,
    path: Unfinished,
    hash: Context,
    len: u64,
    limit: u64,
    head: Vec<u8>,
}

/// The bytes are more than the limit; so many were seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("more bytes than are taken")]
pub(super) struct TooMany(pub(super) u64);

impl Part {
    /// Adds bytes.
    ///
    /// # Errors
    /// [`TooMany`] as the inner error beyond the limit, and nothing more is written.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let len = self.len + bytes.len() as u64;
        if len > self.limit {
            return Err(io::Error::other(TooMany(len)));
        }
        self.file.write_all(bytes)?;
        self.hash.update(bytes);
        let missing = FileType::HEAD.saturating_sub(self.head.len()).min(bytes.len());
        self.head.extend_from_slice(bytes.get(..missing).unwrap_or_default());
        self.len = len;
        Ok(())
    }

    /// Adds all of a file.
    pub(super) fn copy(&mut self, mut from: File) -> io::Result<()> {
        let mut chunk = vec![0; CHUNK];
        loop {
            let count = from.read(&mut chunk)?;
            if count == 0 {
                return Ok(());
            }
            self.write(chunk.get(..count).unwrap_or_default())?;
        }
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// All bytes are there: brings them onto the disk, and gives them their name.
    pub(super) fn finish(self) -> io::Result<Finished> {
        self.file.sync_all()?;
        let hex: String = self.hash.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        let digest = hex.parse().map_err(io::Error::other)?;
        // A type is told by the first bytes; whether there were more matters for text alone.
        let mut head = self.head;
        if self.len > head.len() as u64 {
            head.push(b' ');
        }
        let file_type = FileType::of(&head);
        Ok(Finished { path: self.path, whole: Whole { digest, len: self.len, file_type } })
    }
}

/// A file that is written, and has no name yet. Dropping it removes it.
#[derive(Debug)]
pub(super) struct Finished {
    path: Unfinished,
    whole: Whole,
}

impl Finished {
    pub(super) fn whole(&self) -> &Whole {
        &self.whole
    }

    /// Gives it its final name, durably.
    pub(super) fn land(mut self, disk: &Disk) -> io::Result<()> {
        let to = disk.path_of(&self.whole.digest);
        let Some(shelf) = to.parent() else { return Err(io::Error::other("a digest has two parts")) };
        if !shelf.is_dir() {
            folder(shelf)?;
            File::open(&disk.root)?.sync_all()?;
        }
        fs::rename(&self.path.0, &to)?;
        self.path.0.clear();
        // The name too must be on the disk before a send that needs it is committed.
        File::open(shelf)?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    fn disk() -> (tempfile::TempDir, Disk) {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::open(dir.path().join("media")).unwrap();
        (dir, disk)
    }

    fn written(disk: &Disk, bytes: &[u8]) -> Finished {
        let mut part = disk.begin(1 << 20).unwrap();
        bytes.chunks(3).for_each(|chunk| part.write(chunk).unwrap());
        part.finish().unwrap()
    }

    #[test]
    fn sec_r13_a_file_is_named_by_its_content_and_is_the_owners_alone() {
        let (dir, disk) = disk();
        let done = written(&disk, b"abc");
        let sha = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(done.whole().digest.as_str(), sha);
        done.land(&disk).unwrap();
        let path = dir.path().join("media").join("ba").join(&sha[2..]);
        assert_eq!(fs::read(&path).unwrap(), b"abc");
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap()), mode(&dir.path().join("media"))), (0o600, 0o700, 0o700));
        let digest = sha.parse().unwrap();
        assert_eq!(disk.file_type(&digest).unwrap(), FileType::Text);
        assert_eq!(disk.files().unwrap(), [(digest, 3)]);
        assert!(disk.holds(&sha.parse().unwrap(), 3) && !disk.holds(&sha.parse().unwrap(), 4));
    }

    #[test]
    fn sec_r12_no_part_of_a_file_ever_has_a_final_name() {
        let (dir, disk) = disk();
        let parts = dir.path().join("media/part");
        let count = || fs::read_dir(&parts).unwrap().count();
        let mut part = disk.begin(4).unwrap();
        part.write(b"1234").unwrap();
        let error = part.write(b"5").unwrap_err();
        assert_eq!(error.get_ref().and_then(|e| e.downcast_ref()), Some(&TooMany(5)));
        assert_eq!(count(), 1);
        drop(part);
        drop(written(&disk, b"finished and never named"));
        assert_eq!((count(), disk.files().unwrap().len()), (0, 0));
        // What kill -9 leaves.
        fs::write(parts.join("0"), b"half of a film").unwrap();
        fs::write(parts.join("7"), b"half of another").unwrap();
        let disk = Disk::open(dir.path().join("media")).unwrap();
        assert_eq!((count(), disk.files().unwrap().len()), (0, 0));
    }

    #[test]
    fn what_is_not_ours_stays_and_a_link_is_not_followed() {
        let (dir, disk) = disk();
        fs::create_dir(dir.path().join("media/ab")).unwrap();
        fs::write(dir.path().join("media/ab/notes.txt"), b"mine").unwrap();
        assert!(disk.files().unwrap().is_empty());
        fs::set_permissions(dir.path().join("media"), Permissions::from_mode(0o755)).unwrap();
        Disk::open(dir.path().join("media")).unwrap();
        assert_eq!(fs::metadata(dir.path().join("media")).unwrap().mode() & 0o777, 0o700);
        std::os::unix::fs::symlink("/", dir.path().join("elsewhere")).unwrap();
        Disk::open(dir.path().join("elsewhere")).unwrap_err();
    }
}
