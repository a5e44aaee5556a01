//! How are bytes sealed that go over the CDN, and opened again? AES-128-ECB with the padding of PKCS#7, piece by piece.
//!
//! The service knows no other mode, though equal blocks look equal in it; that the bytes came whole is known by the padding
//! alone. Neither side ever holds more than a piece.

use std::fmt;

use aes::Aes128;
use aes::cipher::{Array, BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use wxbot_model::Secret;

use crate::lenient::hex;

/// Bytes of a block, and of a key.
pub const BLOCK: usize = 16;

/// As others write it: with padding or without.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Why something is no key. Never holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Neither 16 bytes nor their 32 hexadecimal digits.
    #[error("its key has {len} bytes, and must have 16, or 32 hexadecimal digits")]
    Length {
        /// What it has.
        len: usize,
    },
    /// 32 characters, and not all of them hexadecimal digits.
    #[error("its key has 32 characters, and not all are hexadecimal digits")]
    Digits,
    /// Not Base64.
    #[error("its key is not Base64")]
    Base64,
}

/// Why what came cannot be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// No whole number of blocks.
    #[error("it ends within a block: something is missing")]
    Cut,
    /// What stands at the end is no padding.
    #[error("its padding is wrong: it was sealed with another key, or its end is missing")]
    Padding,
}

/// The key of one file.
#[derive(Clone)]
pub struct MediaKey(Secret<[u8; BLOCK]>);

impl MediaKey {
    /// A key of these bytes.
    pub fn new(bytes: [u8; BLOCK]) -> Self {
        Self(Secret::new(bytes))
    }

    /// `image_item.aeskey`: hexadecimal digits.
    ///
    /// # Errors
    /// For anything but 32 of them.
    pub fn of_hex(digits: &str) -> Result<Self, KeyError> {
        let digits = digits.trim();
        if digits.len() != 2 * BLOCK {
            return Err(KeyError::Length { len: digits.len() });
        }
        let bytes = Secret::new(hex::decode(digits).ok_or(KeyError::Digits)?);
        Self::of_bytes(bytes.expose())
    }

    /// `media.aes_key`: Base64 of the bytes, or of their hexadecimal digits. Clients differ.
    ///
    /// # Errors
    /// For anything else.
    pub fn of_base64(text: &str) -> Result<Self, KeyError> {
        let bytes = Secret::new(BASE64.decode(text.trim()).map_err(|_quotes_it| KeyError::Base64)?);
        match std::str::from_utf8(bytes.expose()) {
            Ok(digits) if digits.len() == 2 * BLOCK => Self::of_hex(digits),
            _ => Self::of_bytes(bytes.expose()),
        }
    }

    fn of_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        bytes.try_into().map(Self::new).map_err(|_quotes_it| KeyError::Length { len: bytes.len() })
    }

    /// `getuploadurl.aeskey`: 32 hexadecimal digits.
    pub fn hex(&self) -> Secret<String> {
        Secret::new(hex::encode(self.0.expose()))
    }

    /// `media.aes_key` of what we send: Base64 of the digits. Phones show what names the bytes themselves as a grey box.
    pub fn outbound(&self) -> Secret<String> {
        Secret::new(STANDARD.encode(self.hex().expose()))
    }

    fn cipher(&self) -> Aes128 {
        Aes128::new(&(*self.0.expose()).into())
    }
}

impl fmt::Debug for MediaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MediaKey")
    }
}

/// How many bytes so many are when they are sealed.
pub fn sealed_len(plain: u64) -> u64 {
    let block = BLOCK as u64;
    (plain / block).saturating_add(1).saturating_mul(block)
}

/// Seals a file from its beginning to its end.
pub struct Sealer {
    cipher: Aes128,
    /// What does not fill a block yet.
    rest: Vec<u8>,
}

impl Sealer {
    /// Nothing sealed yet.
    pub fn new(key: &MediaKey) -> Self {
        Self { cipher: key.cipher(), rest: Vec::with_capacity(BLOCK) }
    }

    /// The next bytes; what comes out are whole blocks.
    pub fn seal(&mut self, plain: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.rest.len() + plain.len());
        bytes.append(&mut self.rest);
        bytes.extend_from_slice(plain);
        self.rest.extend_from_slice(&split_blocks(&mut bytes, 0));
        let (blocks, _none) = Array::slice_as_chunks_mut(&mut bytes);
        self.cipher.encrypt_blocks(blocks);
        bytes
    }

    /// The end: the last bytes and their padding.
    pub fn end(mut self) -> [u8; BLOCK] {
        let pad = BLOCK - self.rest.len();
        self.rest.resize(BLOCK, u8::try_from(pad).unwrap_or_default());
        let mut block = [0; BLOCK];
        block.copy_from_slice(&self.rest);
        self.cipher.encrypt_block((&mut block).into());
        block
    }
}

/// Opens a file from its beginning to its end.
pub struct Opener {
    cipher: Aes128,
    /// Sealed, and not opened yet: less than a block, or the last one so far, which may be the padding.
    rest: Vec<u8>,
}

impl Opener {
    /// Nothing opened yet.
    pub fn new(key: &MediaKey) -> Self {
        Self { cipher: key.cipher(), rest: Vec::with_capacity(2 * BLOCK) }
    }

    /// The next bytes, as far as they are surely no padding.
    pub fn open(&mut self, sealed: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.rest.len() + sealed.len());
        bytes.append(&mut self.rest);
        bytes.extend_from_slice(sealed);
        self.rest.extend_from_slice(&split_blocks(&mut bytes, 1));
        let (blocks, _none) = Array::slice_as_chunks_mut(&mut bytes);
        self.cipher.decrypt_blocks(blocks);
        bytes
    }

    /// The end: the last bytes without their padding.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn end(self) -> Result<Vec<u8>, OpenError> {
        let mut block: [u8; BLOCK] = self.rest.try_into().map_err(|_short: Vec<u8>| OpenError::Cut)?;
        self.cipher.decrypt_block((&mut block).into());
        let pad = usize::from(block.last().copied().unwrap_or_default());
        let len = BLOCK.checked_sub(pad).filter(|len| *len < BLOCK).ok_or(OpenError::Padding)?;
        let (plain, padding) = block.split_at_checked(len).ok_or(OpenError::Padding)?;
        if padding.iter().any(|byte| usize::from(*byte) != pad) {
            return Err(OpenError::Padding);
        }
        Ok(plain.to_vec())
    }
}

/// Takes off what is no whole block, and, where `keep` is 1, a last whole block when nothing else would be left behind.
fn split_blocks(bytes: &mut Vec<u8>, keep: usize) -> Vec<u8> {
    let whole = bytes.len().saturating_sub(keep) / BLOCK * BLOCK;
    bytes.split_off(whole)
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer")
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opener")
    }
}

#[cfg(test)]
#[path = "crypt_tests.rs"]
mod tests;
