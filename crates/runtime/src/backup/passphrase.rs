//! How are secrets kept in other people's hands? Sealed with XChaCha20-Poly1305 under a passphrase, by Argon2id (security
//! R18).

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use rand::TryRng;
use wxbot_model::Secret;
use zeroize::Zeroizing;

const VERSION: u8 = 1;
const SALT: usize = 16;
const NONCE: usize = 24;
/// 64 MiB and three passes. They belong to version 1 and stand in no file: whoever made one could ask for more memory than
/// there is.
const MEMORY_KIB: u32 = 64 * 1024;
const PASSES: u32 = 3;
/// Below this a graphics card tries them all.
pub const SHORTEST: usize = 8;

/// Why nothing was sealed or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PassphraseError {
    /// Too short to be one.
    #[error("a passphrase has at least {SHORTEST} characters")]
    Short,
    /// Another passphrase, or changed bytes: nobody can tell which.
    #[error("the passphrase is wrong, or the file was changed")]
    Wrong,
    /// No randomness or memory is to be had.
    #[error("the machine has no {0} for it")]
    Machine(&'static str),
}

fn cipher(passphrase: &Secret<String>, salt: &[u8]) -> Result<XChaCha20Poly1305, PassphraseError> {
    let memory = |_| PassphraseError::Machine("memory");
    let params = Params::new(MEMORY_KIB, PASSES, 1, Some(32)).map_err(memory)?;
    let mut key = Zeroizing::new([0u8; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.expose().as_bytes(), salt, &mut *key)
        .map_err(memory)?;
    Ok(XChaCha20Poly1305::new(&Key::from(*key)))
}

fn aad(about: &str) -> Vec<u8> {
    format!("wxbot/backup/{VERSION}/{about}").into_bytes()
}

/// Seals `plain` so that it opens only with the same passphrase and beside the same `about`.
///
/// # Errors
/// When the passphrase is too short, or the machine has no randomness or memory.
pub fn seal(plain: &Secret<Vec<u8>>, passphrase: &Secret<String>, about: &str) -> Result<Vec<u8>, PassphraseError> {
    if passphrase.expose().chars().count() < SHORTEST {
        return Err(PassphraseError::Short);
    }
    let (mut salt, mut nonce) = ([0u8; SALT], [0u8; NONCE]);
    for random in [&mut salt[..], &mut nonce[..]] {
        rand::rngs::SysRng.try_fill_bytes(random).map_err(|_none| PassphraseError::Machine("randomness"))?;
    }
    let (aad, cipher) = (aad(about), cipher(passphrase, &salt)?);
    let payload = Payload { msg: plain.expose(), aad: &aad };
    let sealed =
        cipher.encrypt(&XNonce::from(nonce), payload).map_err(|_ignored| PassphraseError::Machine("memory"))?;
    Ok([&[VERSION][..], &salt, &nonce, &sealed].concat())
}

/// Opens what [`seal`] made.
///
/// # Errors
/// [`PassphraseError::Wrong`] for another passphrase or `about`, or changed bytes.
pub fn open(sealed: &[u8], passphrase: &Secret<String>, about: &str) -> Result<Secret<Vec<u8>>, PassphraseError> {
    let wrong = || PassphraseError::Wrong;
    let (version, rest) = sealed.split_first().ok_or_else(wrong)?;
    let (salt, rest) = rest.split_at_checked(SALT).ok_or_else(wrong)?;
    let (nonce, body) = rest.split_at_checked(NONCE).ok_or_else(wrong)?;
    let nonce: [u8; NONCE] = nonce.try_into().map_err(|_ignored| wrong())?;
    if *version != VERSION {
        return Err(wrong());
    }
    let (aad, cipher) = (aad(about), cipher(passphrase, salt)?);
    cipher.decrypt(&XNonce::from(nonce), Payload { msg: body, aad: &aad }).map(Secret::new).map_err(|_ignored| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec_r21_only_the_passphrase_opens() {
        let pass = |text: &str| Secret::new(text.to_owned());
        let plain = Secret::new(b"the key of the sessions".to_vec());
        let (good, other) = (pass("correct horse"), pass("correct house"));
        let sealed = seal(&plain, &good, "digest").unwrap();
        assert!(!sealed.windows(7).any(|bytes| bytes == b"the key"));
        assert_ne!(seal(&plain, &good, "digest").unwrap(), sealed, "another salt each time");
        assert_eq!(open(&sealed, &good, "digest").unwrap(), plain);
        assert_eq!(open(&sealed, &other, "digest").unwrap_err(), PassphraseError::Wrong);
        assert_eq!(open(&sealed, &good, "of another backup").unwrap_err(), PassphraseError::Wrong);
        let mut changed = sealed.clone();
        *changed.last_mut().unwrap() ^= 1;
        assert_eq!(open(&changed, &good, "digest").unwrap_err(), PassphraseError::Wrong);
        assert_eq!(open(&sealed[..20], &good, "digest").unwrap_err(), PassphraseError::Wrong);
        assert_eq!(seal(&plain, &pass("short"), "digest").unwrap_err(), PassphraseError::Short);
    }
}
