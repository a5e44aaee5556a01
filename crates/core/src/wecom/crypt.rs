//! How are the service's own callbacks signed and sealed? SHA-1 over sorted texts, AES-256-CBC, a padding of 32.
//!
//! The signature is checked before anything is opened, in constant time, and whoever asks cannot tell a wrong signature
//! from a wrong padding (security R04).

use std::fmt;

use aes::Aes256;
use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use sha1::{Digest, Sha1};
use subtle::ConstantTimeEq;
use wxbot_model::Secret;

use crate::lenient::hex;

/// How far a time stamp may be from our clock.
const CLOCK_S: i64 = 300;
/// The padding fills up to a multiple of this, twice the cipher's own block.
const PAD: usize = 32;
const BLOCK: usize = 16;
/// Random bytes, then the length.
const HEAD: usize = 16 + 4;

/// Keys end in two bits too many, and some of those are set.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Why keys of the settings are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// `EncodingAESKey` has not 43 characters.
    #[error("EncodingAESKey has {len} characters, and must have 43")]
    Length {
        /// What it has.
        len: usize,
    },
    /// `EncodingAESKey` is not Base64.
    #[error("EncodingAESKey is not Base64")]
    Base64,
    /// `Token` is empty.
    #[error("Token is empty")]
    Token,
}

/// Why a callback was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallbackError {
    /// The address or body has not what a callback has.
    #[error("it is no sealed callback")]
    Form,
    /// Not by whoever knows the token and the key. Which of them is wrong is nobody's business.
    #[error("its signature is wrong")]
    Forged,
    /// Signed too long ago, or in the future.
    #[error("its time stamp is more than 300 s from our clock")]
    Stale,
    /// Sealed for another corporation or robot.
    #[error("it is for another receiver")]
    Receiver,
}

/// What stands behind the `?` of a callback's address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// Over the other three and the token.
    pub msg_signature: String,
    /// Seconds since 1970.
    pub timestamp: String,
    /// Drawn by the service.
    pub nonce: String,
    /// Sealed; only when the address is set up.
    pub echostr: String,
}

impl Query {
    /// Reads a query, each value decoded once. A `+` stays one: these values are Base64 where they hold any.
    pub fn parse(query: &str) -> Self {
        let value = |name: &str| {
            let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            let (_, value) = pairs.find(|(key, _)| *key == name).unwrap_or_default();
            percent_encoding::percent_decode_str(value).decode_utf8_lossy().into_owned()
        };
        Self {
            msg_signature: value("msg_signature"),
            timestamp: value("timestamp"),
            nonce: value("nonce"),
            echostr: value("echostr"),
        }
    }

    /// What is the same when this callback comes again.
    pub fn mark(&self) -> String {
        format!("{}:{}", self.nonce, self.msg_signature)
    }
}

/// What opens and seals the callbacks of one application or robot.
pub struct Keys {
    token: Secret<String>,
    aes_key: Secret<[u8; 32]>,
    receive_id: String,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keys(for {:?})", self.receive_id)
    }
}

/// A sealed answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The cipher text in Base64.
    pub encrypt: String,
    /// Over the other three and the token.
    pub signature: String,
    /// Seconds since 1970.
    pub timestamp: String,
    /// Drawn by us.
    pub nonce: String,
}

impl Sealed {
    /// As applications answer.
    pub fn xml(&self) -> String {
        let Self { encrypt, signature, timestamp, nonce } = self;
        format!(
            "<xml><Encrypt><![CDATA[{encrypt}]]></Encrypt><MsgSignature><![CDATA[{signature}]]></MsgSignature>\
             <TimeStamp>{timestamp}</TimeStamp><Nonce><![CDATA[{nonce}]]></Nonce></xml>"
        )
    }

    /// As robots answer.
    pub fn json(&self) -> String {
        serde_json::json!({
            "encrypt": self.encrypt,
            "msgsignature": self.signature,
            "timestamp": self.timestamp,
            "nonce": self.nonce,
        })
        .to_string()
    }
}

impl Keys {
    /// Out of the settings: `Token`, `EncodingAESKey`, and whom the callbacks are for: the corporation's id for its own
    /// application, nobody (empty) for a smart robot.
    ///
    /// # Errors
    /// For what cannot be a token or key.
    pub fn new(token: Secret<String>, aes_key: &Secret<String>, receive_id: String) -> Result<Self, KeyError> {
        if token.expose().is_empty() {
            return Err(KeyError::Token);
        }
        let text = aes_key.expose().trim();
        if text.chars().count() != 43 {
            return Err(KeyError::Length { len: text.chars().count() });
        }
        let bytes = Secret::new(BASE64.decode(text).map_err(|_secret| KeyError::Base64)?);
        let key = <[u8; 32]>::try_from(bytes.expose().as_slice()).map_err(|_secret| KeyError::Base64)?;
        Ok(Self { token, aes_key: Secret::new(key), receive_id })
    }

    /// The first request of an address that is set up: what to answer, as the whole body.
    ///
    /// # Errors
    /// See [`CallbackError`].
    pub fn echo(&self, query: &Query, now_s: i64) -> Result<String, CallbackError> {
        self.open(query, &query.echostr, now_s)
    }

    /// Opens what a callback brought, if it is genuine, new, and for us.
    ///
    /// # Errors
    /// See [`CallbackError`].
    pub fn open(&self, query: &Query, encrypt: &str, now_s: i64) -> Result<String, CallbackError> {
        if encrypt.is_empty() {
            return Err(CallbackError::Form);
        }
        let own = self.signature(&query.timestamp, &query.nonce, encrypt);
        if !bool::from(own.as_bytes().ct_eq(query.msg_signature.as_bytes())) {
            return Err(CallbackError::Forged);
        }
        let stated: i64 = query.timestamp.trim().parse().map_err(|_not_quoted| CallbackError::Form)?;
        if now_s.abs_diff(stated) > CLOCK_S.unsigned_abs() {
            return Err(CallbackError::Stale);
        }
        let plain = self.decrypted(encrypt).ok_or(CallbackError::Forged)?;
        let (msg, receiver) = parts(&plain).ok_or(CallbackError::Forged)?;
        if receiver != self.receive_id.as_bytes() {
            return Err(CallbackError::Receiver);
        }
        std::str::from_utf8(msg).map(str::to_owned).map_err(|_not_quoted| CallbackError::Form)
    }

    /// Seals an answer. `random` is drawn anew for each.
    pub fn seal(&self, msg: &str, random: [u8; 16], timestamp: i64, nonce: &str) -> Sealed {
        let len = u32::try_from(msg.len()).unwrap_or(u32::MAX).to_be_bytes();
        let mut bytes = [&random[..], &len, msg.as_bytes(), self.receive_id.as_bytes()].concat();
        let pad = PAD - bytes.len() % PAD;
        bytes.resize(bytes.len() + pad, u8::try_from(pad).unwrap_or(0));
        let mut cipher = cbc::Encryptor::<Aes256>::new(self.aes_key.expose().into(), &self.iv().into());
        for chunk in bytes.chunks_exact_mut(BLOCK) {
            if let Ok(block) = chunk.try_into() {
                cipher.encrypt_block(block);
            }
        }
        let (encrypt, timestamp) = (BASE64.encode(&bytes), timestamp.to_string());
        let signature = self.signature(&timestamp, nonce, &encrypt);
        Sealed { encrypt, signature, timestamp, nonce: nonce.to_owned() }
    }

    fn iv(&self) -> [u8; BLOCK] {
        let mut iv = [0; BLOCK];
        for (to, from) in iv.iter_mut().zip(self.aes_key.expose()) {
            *to = *from;
        }
        iv
    }

    fn signature(&self, timestamp: &str, nonce: &str, encrypt: &str) -> String {
        let mut parts = [self.token.expose().as_str(), timestamp, nonce, encrypt];
        parts.sort_unstable();
        let mut hash = Sha1::new();
        for part in parts {
            hash.update(part.as_bytes());
        }
        hex::encode(&hash.finalize())
    }

    /// Without its padding; `None` for what was never sealed with this key.
    fn decrypted(&self, encrypt: &str) -> Option<Vec<u8>> {
        let mut bytes = BASE64.decode(encrypt.trim()).ok()?;
        if bytes.is_empty() || !bytes.len().is_multiple_of(BLOCK) {
            return None;
        }
        let mut cipher = cbc::Decryptor::<Aes256>::new(self.aes_key.expose().into(), &self.iv().into());
        for chunk in bytes.chunks_exact_mut(BLOCK) {
            cipher.decrypt_block(chunk.try_into().ok()?);
        }
        let pad = usize::from(*bytes.last()?);
        let rest = bytes.len().checked_sub(pad).filter(|_| (1..=PAD).contains(&pad))?;
        let whole = bytes.get(rest..)?.iter().all(|byte| usize::from(*byte) == pad);
        bytes.truncate(rest);
        whole.then_some(bytes)
    }
}

/// The message and whom it is for.
fn parts(plain: &[u8]) -> Option<(&[u8], &[u8])> {
    let len: [u8; 4] = plain.get(16..HEAD)?.try_into().ok()?;
    let len = usize::try_from(u32::from_be_bytes(len)).ok()?;
    plain.get(HEAD..)?.split_at_checked(len)
}

#[cfg(test)]
#[path = "crypt_tests.rs"]
mod tests;
