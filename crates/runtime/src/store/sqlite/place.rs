//! Which directory is the data in, is it ours alone, and does another wxbot have it?

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use crate::failpoint::fail_point;
use crate::store::StoreError;

const LOCK_FILE: &str = "wxbot.lock";

/// A data directory that this process has for itself. The lock goes with the value.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    _lock: File,
}

impl DataDir {
    /// Makes the directory if need be (0700), checks its rights (security R17) and locks it.
    ///
    /// # Errors
    /// [`StoreError::Locked`] when another wxbot has it, [`StoreError::Rights`] when others may look into it.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let io = |what: &'static str| {
            let shown = path.display().to_string();
            move |e: std::io::Error| StoreError::Engine { what, reason: format!("{shown}: {e}") }
        };
        if !path.exists() {
            DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(io("make the data directory"))?;
        }
        let meta = std::fs::metadata(path).map_err(io("look at the data directory"))?;
        let rights = |why: String| StoreError::Rights { path: path.display().to_string(), why };
        if !meta.is_dir() {
            return Err(rights("it is not a directory".into()));
        }
        if meta.mode() & 0o077 != 0 {
            return Err(rights(format!("others may look into it; run `chmod 700 {}`", path.display())));
        }
        if meta.uid() != rustix::process::geteuid().as_raw() {
            return Err(rights("it belongs to another user".into()));
        }
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path.join(LOCK_FILE))
            .map_err(io("open the lock file"))?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            let mut pid = String::new();
            lock.read_to_string(&mut pid).ok();
            return Err(StoreError::Locked { path: path.display().to_string(), pid: pid.trim().parse().ok() });
        }
        // Only for the message above; the lock itself is the kernel's and ends with the process.
        lock.set_len(0)
            .and_then(|()| lock.rewind())
            .and_then(|()| writeln!(lock, "{}", std::process::id()))
            .map_err(io("write the lock file"))?;
        fail_point!("open: directory locked");
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn one_wxbot_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data");
        let first = DataDir::open(&path).unwrap();
        match DataDir::open(&path) {
            Err(StoreError::Locked { pid, .. }) => assert_eq!(pid, Some(std::process::id())),
            other => panic!("{other:?}"),
        }
        drop(first);
        DataDir::open(&path).unwrap();
    }

    #[test]
    fn sec_r17_wide_rights_are_refused_with_a_cure() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data");
        drop(DataDir::open(&path).unwrap());
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let error = DataDir::open(&path).unwrap_err().to_string();
        assert!(error.contains("chmod 700"), "{error}");
    }
}
