//! How are session secrets kept? Sealed with XChaCha20-Poly1305 under a key file beside the data (security R18).
//!
//! A key file protects backups of the database and nothing more; the start says so. Other key sources come later.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use rand::TryRng;
use wxbot_model::{AccountName, Secret};
use zeroize::Zeroizing;

use super::StoreError;
use crate::failpoint::fail_point;

const NONCE: usize = 24;
const KEY: usize = 32;
const VERSION: u8 = 1;
/// Name of the key file in the data directory.
pub const KEY_FILE: &str = "seal.key";

/// Seals and opens secrets of accounts.
pub struct Vault {
    cipher: XChaCha20Poly1305,
}

impl Vault {
    /// The vault of a data directory; its key file is made on first use, mode 0600.
    ///
    /// # Errors
    /// When the file cannot be read or made, or others may read it.
    pub fn open(data_dir: &Path) -> Result<Self, StoreError> {
        let path = data_dir.join(KEY_FILE);
        let shown = path.display().to_string();
        let engine = |what| move |e: io::Error| StoreError::Engine { what, reason: format!("{e}") };
        let mut key = Zeroizing::new([0u8; KEY]);
        match File::open(&path) {
            Ok(mut file) => {
                let meta = file.metadata().map_err(engine("look at the key file"))?;
                if meta.mode() & 0o077 != 0 {
                    return Err(StoreError::Rights {
                        path: shown,
                        why: "others may read the key; run `chmod 600` on it".into(),
                    });
                }
                file.read_exact(&mut *key).map_err(engine("read the key file"))?;
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                rand::rngs::SysRng
                    .try_fill_bytes(&mut *key)
                    .map_err(|e| StoreError::Engine { what: "draw a key", reason: e.to_string() })?;
                make(&path, &key).map_err(engine("write the key file"))?;
                fail_point!("open: key made");
            }
            Err(e) => return Err(engine("open the key file")(e)),
        }
        Ok(Self::with_key(&key))
    }

    /// A vault of a given key.
    pub fn with_key(key: &[u8; KEY]) -> Self {
        Self { cipher: XChaCha20Poly1305::new(&Key::from(*key)) }
    }

    /// Seals `plain` so that it opens only for the same account and field.
    ///
    /// # Errors
    /// When no randomness is to be had.
    pub fn seal(
        &self,
        account: &AccountName,
        field: &'static str,
        plain: &Secret<Vec<u8>>,
    ) -> Result<Vec<u8>, StoreError> {
        let mut nonce = [0u8; NONCE];
        rand::rngs::SysRng
            .try_fill_bytes(&mut nonce)
            .map_err(|e| StoreError::Engine { what: "draw a nonce", reason: e.to_string() })?;
        let aad = aad(account, field);
        let payload = Payload { msg: plain.expose(), aad: &aad };
        let sealed =
            self.cipher.encrypt(&XNonce::from(nonce), payload).map_err(|_ignored| StoreError::Seal { field })?;
        let mut out = Vec::with_capacity(1 + NONCE + sealed.len());
        out.push(VERSION);
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&sealed);
        Ok(out)
    }

    /// Opens what [`seal`](Self::seal) made.
    ///
    /// # Errors
    /// [`StoreError::Seal`] for another key, account or field, or changed bytes.
    pub fn open_sealed(
        &self,
        account: &AccountName,
        field: &'static str,
        sealed: &[u8],
    ) -> Result<Secret<Vec<u8>>, StoreError> {
        let bad = || StoreError::Seal { field };
        let (version, rest) = sealed.split_first().ok_or_else(bad)?;
        let (nonce, body) = rest.split_at_checked(NONCE).ok_or_else(bad)?;
        let nonce: [u8; NONCE] = nonce.try_into().map_err(|_ignored| bad())?;
        if *version != VERSION {
            return Err(bad());
        }
        let aad = aad(account, field);
        self.cipher
            .decrypt(&XNonce::from(nonce), Payload { msg: body, aad: &aad })
            .map(Secret::new)
            .map_err(|_ignored| bad())
    }
}

/// Writes the key file whole or not at all: half a key, left by a process that ended here, would refuse every later start.
fn make(path: &Path, key: &[u8; KEY]) -> io::Result<()> {
    let part = path.with_extension("part");
    match std::fs::remove_file(&part) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        Err(_) | Ok(()) => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part)?;
    file.write_all(key).and_then(|()| file.sync_all())?;
    fail_point!("open: key written");
    std::fs::rename(&part, path)?;
    // What is sealed with it may be on the disk in a moment; so must its name.
    path.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all())
}

fn aad(account: &AccountName, field: &str) -> Vec<u8> {
    format!("wxbot/{VERSION}/{account}/{field}").into_bytes()
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Vault")
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn sec_r18_sealed_for_one_account_and_field() {
        let dir = tempfile::tempdir().unwrap();
        let (vault, other) = (Vault::open(dir.path()).unwrap(), Vault::with_key(&[7; KEY]));
        let (a, b): (AccountName, AccountName) = ("a".parse().unwrap(), "b".parse().unwrap());
        let plain = Secret::new(b"skey".to_vec());
        let sealed = vault.seal(&a, "session", &plain).unwrap();
        assert!(!sealed.windows(4).any(|w| w == b"skey"));
        assert_eq!(Vault::open(dir.path()).unwrap().open_sealed(&a, "session", &sealed).unwrap(), plain);
        assert!(vault.open_sealed(&b, "session", &sealed).is_err());
        assert!(vault.open_sealed(&a, "other", &sealed).is_err());
        assert!(other.open_sealed(&a, "session", &sealed).is_err());
        assert!(vault.open_sealed(&a, "session", &sealed[..10]).is_err());
    }

    #[test]
    fn sec_r17_a_key_that_others_may_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        Vault::open(dir.path()).unwrap();
        let path = dir.path().join(KEY_FILE);
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(Vault::open(dir.path()), Err(StoreError::Rights { .. })));
    }
}
