//! How does the CDN's cipher work, and does a cipher text hold what was announced?
//!
//! AES-128-ECB with PKCS#7. Written for the simulator alone: a client that pads or keys wrongly must not find the same
//! mistake here.

use aes::Aes128;
use aes::cipher::{BlockCipherDecrypt as _, BlockCipherEncrypt as _, KeyInit as _};
use md5::{Digest as _, Md5};

use crate::service::proto::hex;

const BLOCK: usize = 16;
/// Deciphered at a time, so that a large file is not held twice.
const STEP: usize = 64 * 1024;

/// A key of one file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Key([u8; BLOCK]);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(…)")
    }
}

/// What a cipher text turned out to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plain {
    pub(super) len: u64,
    /// 32 lower-case hex digits.
    pub(super) md5: String,
}

impl Key {
    pub(super) fn new(bytes: [u8; BLOCK]) -> Self {
        Self(bytes)
    }

    /// From 32 hex digits of either case.
    pub(super) fn from_hex(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        if digits.len() != BLOCK * 2 {
            return None;
        }
        let mut key = [0; BLOCK];
        for (byte, pair) in key.iter_mut().zip(digits.as_chunks::<2>().0) {
            let pair = std::str::from_utf8(pair).ok().filter(|pair| pair.bytes().all(|b| b.is_ascii_hexdigit()))?;
            *byte = u8::from_str_radix(pair, 16).ok()?;
        }
        Some(Self(key))
    }

    pub(super) fn hex(&self) -> String {
        hex(&self.0)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The cipher text; always longer than the plain one.
    pub(super) fn encrypt(&self, plain: &[u8]) -> Vec<u8> {
        let cipher = Aes128::new(&self.0.into());
        let mut bytes = plain.to_vec();
        let padding = BLOCK - plain.len() % BLOCK;
        bytes.resize(plain.len() + padding, u8::try_from(padding).unwrap_or_default());
        for block in bytes.as_chunks_mut::<BLOCK>().0 {
            cipher.encrypt_block(block.into());
        }
        bytes
    }

    /// Length and MD5 of the plain text, or why there is none.
    pub(super) fn look_into(&self, cipher_text: &[u8]) -> Result<Plain, &'static str> {
        if cipher_text.is_empty() || !cipher_text.len().is_multiple_of(BLOCK) {
            return Err("the cipher text is not whole blocks");
        }
        let cipher = Aes128::new(&self.0.into());
        let (mut digest, mut len, mut step) = (Md5::new(), 0, Vec::with_capacity(STEP));
        let mut pieces = cipher_text.chunks(STEP).peekable();
        while let Some(piece) = pieces.next() {
            step.clear();
            step.extend_from_slice(piece);
            for block in step.as_chunks_mut::<BLOCK>().0 {
                cipher.decrypt_block(block.into());
            }
            if pieces.peek().is_none() {
                let padding = usize::from(step.last().copied().unwrap_or_default());
                let end = step.len().checked_sub(padding).filter(|_| (1..=BLOCK).contains(&padding));
                let end = end.ok_or("the padding is not PKCS#7 under this key")?;
                if step.iter().skip(end).any(|byte| usize::from(*byte) != padding) {
                    return Err("the padding is not PKCS#7 under this key");
                }
                step.truncate(end);
            }
            len += step.len();
            digest.update(&step);
        }
        Ok(Plain { len: u64::try_from(len).unwrap_or(u64::MAX), md5: hex(&digest.finalize()) })
    }
}

/// Size of the cipher text of so many bytes.
pub(super) fn cipher_len(plain: u64) -> u64 {
    (plain / 16).saturating_add(1).saturating_mul(16)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Key {
        Key::from_hex("000102030405060708090a0b0c0d0e0f").unwrap()
    }

    #[test]
    fn the_vector_of_fips_197() {
        let plain = Key::from_hex("00112233445566778899aabbccddeeff").unwrap();
        let cipher = key().encrypt(plain.bytes());
        assert_eq!(hex(&cipher[..16]), "69c4e0d86a7b0430d8cdb78070b4c55a");
        assert_eq!(cipher.len(), 32, "a whole block of padding");
    }

    #[test]
    fn every_length_comes_back() {
        for len in (0..=70).chain([STEP - 1, STEP, STEP + 1]) {
            let plain: Vec<u8> = (0..=255).cycle().take(len).collect();
            let cipher = key().encrypt(&plain);
            assert_eq!(u64::try_from(cipher.len()).unwrap(), cipher_len(u64::try_from(len).unwrap()), "{len}");
            let seen = key().look_into(&cipher).unwrap();
            assert_eq!((seen.len, seen.md5), (u64::try_from(len).unwrap(), hex(&Md5::digest(&plain))), "{len}");
        }
    }

    #[test]
    fn another_key_and_cut_texts_are_noticed() {
        let cipher = key().encrypt(b"a text that is longer than two blocks");
        let other = Key::from_hex("ff0102030405060708090a0b0c0d0e0f").unwrap();
        assert!(other.look_into(&cipher).is_err());
        assert!(key().look_into(&cipher[..40]).is_err());
        assert!(key().look_into(&[]).is_err());
        for bad in ["", "00", "zz0102030405060708090a0b0c0d0e0f", "+10102030405060708090a0b0c0d0e0f"] {
            assert!(Key::from_hex(bad).is_none(), "{bad}");
        }
    }
}
