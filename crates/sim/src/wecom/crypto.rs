//! How are official callbacks encrypted and signed?
//!
//! AES-256-CBC with a padding of 32 bytes, and SHA-1 over the sorted parts.

use aes::Aes256;
use aes::cipher::{BlockModeDecrypt as _, BlockModeEncrypt as _, KeyIvInit as _};
use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use sha1::{Digest as _, Sha1};

use crate::service::proto::hex;

/// Some keys have bits in their last symbol that mean nothing.
const LENIENT: GeneralPurpose =
    GeneralPurpose::new(&alphabet::STANDARD, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));
const BLOCK: usize = 32;
const RANDOM: usize = 16;

/// The key of one callback.
#[derive(Clone)]
pub(super) struct CallbackKey {
    key: [u8; 32],
    token: String,
}

impl CallbackKey {
    /// From the settings page: `Token` and the 43 characters of `EncodingAESKey`.
    pub(super) fn new(token: &str, encoding_aes_key: &str) -> Option<Self> {
        let key = LENIENT.decode(format!("{encoding_aes_key}=")).ok()?;
        Some(Self { key: key.try_into().ok()?, token: token.to_owned() })
    }

    /// `msg_signature`.
    pub(super) fn sign(&self, timestamp: &str, nonce: &str, encrypted: &str) -> String {
        let mut parts = [self.token.as_str(), timestamp, nonce, encrypted];
        parts.sort_unstable();
        hex(&Sha1::digest(parts.concat()))
    }

    pub(super) fn encrypt(&self, random: [u8; RANDOM], text: &str, receive_id: &str) -> String {
        let mut bytes = random.to_vec();
        bytes.extend(u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
        bytes.extend(text.as_bytes());
        bytes.extend(receive_id.as_bytes());
        let padding = BLOCK - bytes.len() % BLOCK;
        bytes.resize(bytes.len() + padding, u8::try_from(padding).unwrap_or_default());
        let mut cipher = cbc::Encryptor::<Aes256>::new(&self.key.into(), &self.iv().into());
        for block in bytes.as_chunks_mut::<16>().0 {
            cipher.encrypt_block(block.into());
        }
        STANDARD.encode(bytes)
    }

    /// Text and receiver id, or why there are none.
    pub(super) fn decrypt(&self, encrypted: &str) -> Result<(String, String), &'static str> {
        let mut bytes = STANDARD.decode(encrypted).map_err(|_error| "not base64")?;
        let mut cipher = cbc::Decryptor::<Aes256>::new(&self.key.into(), &self.iv().into());
        let (blocks, []) = bytes.as_chunks_mut::<16>() else { return Err("not whole blocks") };
        for block in blocks {
            cipher.decrypt_block(block.into());
        }
        let plain = bytes.as_slice();
        let padding = plain.last().map_or(0, |last| usize::from(*last));
        let end = plain.len().checked_sub(padding).filter(|_| (1..=BLOCK).contains(&padding));
        let (content, fill) = end.and_then(|end| plain.split_at_checked(end)).ok_or("wrong padding")?;
        if fill.iter().any(|byte| usize::from(*byte) != padding) {
            return Err("wrong padding");
        }
        let (len, rest) = content.get(RANDOM..).and_then(|rest| rest.split_first_chunk::<4>()).ok_or("too short")?;
        let len = usize::try_from(u32::from_be_bytes(*len)).map_err(|_error| "too long")?;
        let (text, receive_id) = rest.split_at_checked(len).ok_or("the length does not fit")?;
        let utf8 = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).map_err(|_error| "not UTF-8");
        Ok((utf8(text)?, utf8(receive_id)?))
    }

    fn iv(&self) -> [u8; 16] {
        self.key.first_chunk().copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CORP: &str = "wx5823bf96d3bd56c7";

    fn key() -> CallbackKey {
        CallbackKey::new("QDG6eK", "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C").unwrap()
    }

    const ECHO: &str = "P9nAzCzyDtyTWESHep1vC5X9xho/qYX3Zpb4yKa9SKld1DsH3Iyt3tP3zNdtp+4RPcs8TgAE7OaBO+FZXvnaqQ==";
    const MESSAGE: &str = "RypEvHKD8QQKFhvQ6QleEB4J58tiPdvo+rtK1I9qca6aM/wvqnLSV5zEPeusUiX5L5X/0lWfrf0QADHHhGd3QczcdCUpj911L3vg3W/sYYvuJTs3TUUkSUXxaccAS0qhxchrRYt66wiSpGLYL42aM6A8dTT+6k4aSknmPj48kzJs8qLjvd4Xgpue06DOdnLxAUHzM6+kDZ+HMZfJYuR+LtwGc2hgf5gsijff0ekUNXZiqATP7PF5mZxZ3Izoun1s4zG4LUMnvw2r+KqCKIw+3IQH03v+BCA9nMELNqbSf6tiWSrXJB3LAVGUcallcrw8V2t9EL4EhzJWrQUax5wLVMNS0+rUPA3k22Ncx4XXZS9o0MBH27Bo6BpNelZpS+/uh9KsNlY6bHCmJU9p8g7m3fVKn28H3KDYA5Pl/T8Z1ptDAVe0lXdQ2YoyyH2uyPIGHBZZIs2pDBS8R07+qN+E7Q==";

    #[test]
    fn the_published_vectors() {
        let key = key();
        assert_eq!(hex(&key.key), "8d69989bbaabe67328014c194631ad0719b3dca035b64023df292447aab60760");
        assert_eq!(key.sign("1409659589", "263014780", ECHO), "5c45ff5e21c57e6ad56bac8758b79b1d9ac89fd3");
        assert_eq!(key.decrypt(ECHO), Ok(("1616140317555161061".to_owned(), CORP.to_owned())));
        assert_eq!(key.encrypt(*b"c41b64491c2468d0", "1616140317555161061", CORP), ECHO);

        assert_eq!(key.sign("1409659813", "1372623149", MESSAGE), "477715d11cdb4164915debcba66cb864d751f3e6");
        let (text, receive_id) = key.decrypt(MESSAGE).unwrap();
        assert_eq!((text.len(), receive_id.as_str()), (284, CORP));
        for part in ["<FromUserName><![CDATA[mycreate]]>", "<Content><![CDATA[hello]]>", "<MsgId>4561255354251345929<"]
        {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert_eq!(key.encrypt(*b"0960688932c47ef1", &text, &receive_id), MESSAGE);
    }

    #[test]
    fn every_padding_comes_back() {
        for len in 0..=70 {
            let text = "x".repeat(len);
            let encrypted = key().encrypt([7; 16], &text, CORP);
            assert_eq!(key().decrypt(&encrypted), Ok((text, CORP.to_owned())), "{len}");
        }
    }

    #[test]
    fn what_was_changed_is_noticed() {
        let key = key();
        let changed = MESSAGE.replacen('R', "S", 1);
        assert_ne!(key.sign("1409659813", "1372623149", &changed), "477715d11cdb4164915debcba66cb864d751f3e6");
        let cut = MESSAGE.get(..MESSAGE.len() - 24).unwrap();
        assert!(key.decrypt(cut).is_err());
        assert!(key.decrypt("!").is_err());
        assert!(CallbackKey::new("t", "short").is_none());
    }
}
