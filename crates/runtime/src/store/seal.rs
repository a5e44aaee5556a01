//! How are session secrets kept? Sealed with XChaCha20-Poly1305 under a master key (security R18).
//!
//! [`KeySource`] says where that key comes from. Beside the data lies a check, by which a wrong key is known at the start
//! and not when the sessions are lost.

use std::path::Path;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key as CipherKey, XChaCha20Poly1305, XNonce};
use rand::TryRng;
use wxbot_model::{AccountName, Secret};

use super::StoreError;
use super::key::{KEY, beside, write_whole};
pub use super::key::{KEY_FILE, KeySource};

const NONCE: usize = 24;
const VERSION: u8 = 1;
/// What only the right key opens.
const CHECK_FILE: &str = "seal.check";
const CHECKED: &[u8] = b"wxbot";
const CHECK: &str = "wxbot/1/check";

/// Seals and opens secrets of accounts.
pub struct Vault {
    cipher: XChaCha20Poly1305,
    /// What the key beside the data sealed, before another source was given.
    older: Option<XChaCha20Poly1305>,
}

impl Vault {
    /// The vault of a data directory under the key beside it, which is made on first use, mode 0600.
    ///
    /// # Errors
    /// As [`open_with`](Self::open_with).
    pub fn open(data_dir: &Path) -> Result<Self, StoreError> {
        Self::open_with(data_dir, &KeySource::Beside)
    }

    /// The vault of a data directory under a key of this source. What the key beside the data sealed opens, too, as long as
    /// that lies there; whatever is sealed from now on is sealed under the key of the source.
    ///
    /// # Errors
    /// When the key cannot be had, others may read it, or it is not the one that the data was sealed under.
    pub fn open_with(data_dir: &Path, source: &KeySource) -> Result<Self, StoreError> {
        let check = data_dir.join(CHECK_FILE);
        let known = match std::fs::read(&check) {
            Ok(bytes) => Some(bytes),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => None,
            Err(e) => return Err(StoreError::Engine { what: "read the check of the key", reason: e.to_string() }),
        };
        let wrong = |why: &str| StoreError::Key { source_of_key: source.shown(data_dir), why: why.to_owned() };
        if *source == KeySource::Beside && known.is_some() && !data_dir.join(KEY_FILE).exists() {
            // A new key would open nothing of what is there.
            return Err(wrong(
                "it is gone, and the data was sealed under it or another one; put it back, name the other, or remove `seal.check` and log in anew",
            ));
        }
        let cipher = cipher_of(&*source.key(data_dir)?);
        let older =
            if *source == KeySource::Beside { None } else { beside(data_dir, false)?.map(|key| cipher_of(&key)) };
        let vault = Self { cipher, older };
        match known {
            Some(sealed) if opened(&vault.cipher, CHECK, &sealed).is_some() => {}
            Some(sealed) if vault.older.as_ref().is_some_and(|older| opened(older, CHECK, &sealed).is_some()) => {
                write_whole(&check, &sealed_with(&vault.cipher, CHECK, CHECKED, "check")?)?;
            }
            Some(_) => {
                let why = "it is not the key that the data was sealed under; give that one, or remove `seal.check` and log in anew";
                return Err(wrong(why));
            }
            None => write_whole(&check, &sealed_with(&vault.cipher, CHECK, CHECKED, "check")?)?,
        }
        Ok(vault)
    }

    /// True while a key that lies beside the data still opens what it sealed before.
    pub fn has_older_key(&self) -> bool {
        self.older.is_some()
    }

    /// A vault of a given key.
    pub fn with_key(key: &[u8; KEY]) -> Self {
        Self { cipher: cipher_of(key), older: None }
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
        sealed_with(&self.cipher, &aad(account, field), plain.expose(), field)
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
        let aad = aad(account, field);
        let older = || self.older.as_ref().and_then(|older| opened(older, &aad, sealed));
        opened(&self.cipher, &aad, sealed).or_else(older).map(Secret::new).ok_or(StoreError::Seal { field })
    }
}

fn aad(account: &AccountName, field: &str) -> String {
    format!("wxbot/{VERSION}/{account}/{field}")
}

fn cipher_of(key: &[u8; KEY]) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(&CipherKey::from(*key))
}

/// Version, nonce, and what is sealed.
fn sealed_with(
    cipher: &XChaCha20Poly1305,
    aad: &str,
    plain: &[u8],
    field: &'static str,
) -> Result<Vec<u8>, StoreError> {
    let mut nonce = [0u8; NONCE];
    rand::rngs::SysRng
        .try_fill_bytes(&mut nonce)
        .map_err(|e| StoreError::Engine { what: "draw a nonce", reason: e.to_string() })?;
    let payload = Payload { msg: plain, aad: aad.as_bytes() };
    let sealed = cipher.encrypt(&XNonce::from(nonce), payload).map_err(|_ignored| StoreError::Seal { field })?;
    let mut out = Vec::with_capacity(1 + NONCE + sealed.len());
    out.push(VERSION);
    out.extend_from_slice(&nonce);
    out.extend_from_slice(&sealed);
    Ok(out)
}

fn opened(cipher: &XChaCha20Poly1305, aad: &str, sealed: &[u8]) -> Option<Vec<u8>> {
    let (version, rest) = sealed.split_first()?;
    let (nonce, body) = rest.split_at_checked(NONCE)?;
    let nonce: [u8; NONCE] = nonce.try_into().ok()?;
    if *version != VERSION {
        return None;
    }
    cipher.decrypt(&XNonce::from(nonce), Payload { msg: body, aad: aad.as_bytes() }).ok()
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

    fn file(dir: &Path, name: &str, byte: u8) -> KeySource {
        let path = dir.join(name);
        std::fs::write(&path, [byte; KEY]).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        KeySource::File(path)
    }

    #[test]
    fn sec_r18_a_wrong_key_is_known_at_the_start() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let (right, wrong) = (file(dir, "right", 1), file(dir, "wrong", 2));
        Vault::open_with(dir, &right).unwrap();
        Vault::open_with(dir, &right).unwrap();
        for other in [&wrong, &KeySource::Beside] {
            let error = Vault::open_with(dir, other).unwrap_err();
            assert!(matches!(error, StoreError::Key { .. }), "{error}");
        }
        assert!(!dir.join(KEY_FILE).exists(), "no key is made that opens nothing");
    }

    #[test]
    fn sec_r18_another_source_takes_over_from_the_key_beside_the_data() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let account: AccountName = "a".parse().unwrap();
        let plain = Secret::new(b"skey".to_vec());
        let old = Vault::open(dir).unwrap().seal(&account, "session", &plain).unwrap();
        let elsewhere = file(dir, "elsewhere", 3);
        let vault = Vault::open_with(dir, &elsewhere).unwrap();
        assert!(vault.has_older_key());
        assert_eq!(vault.open_sealed(&account, "session", &old).unwrap(), plain, "no session is lost");
        let new = vault.seal(&account, "session", &plain).unwrap();
        // The key beside the data opens nothing new, and may go.
        assert!(Vault::open(dir).is_err());
        std::fs::remove_file(dir.join(KEY_FILE)).unwrap();
        let vault = Vault::open_with(dir, &elsewhere).unwrap();
        assert!(!vault.has_older_key());
        assert_eq!(vault.open_sealed(&account, "session", &new).unwrap(), plain);
        assert!(vault.open_sealed(&account, "session", &old).is_err());
    }

    /// As a crash between two steps leaves them.
    #[test]
    fn a_key_is_written_whole() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("seal.new"), b"half").unwrap();
        Vault::open(dir.path()).unwrap();
        Vault::open(dir.path()).unwrap();
    }
}
