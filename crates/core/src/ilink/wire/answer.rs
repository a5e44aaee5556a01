//! What is each call answered?

use std::fmt;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::hidden;
use crate::lenient::scalar::{raw_list, text, uint};

/// `get_bot_qrcode`.
#[derive(Clone, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub struct QrCode {
    /// The id to ask with; a secret while the login lasts.
    #[serde(deserialize_with = "text")]
    pub qrcode: String,
    /// What the code to scan holds: a link.
    #[serde(deserialize_with = "text")]
    pub qrcode_img_content: String,
}

impl fmt::Debug for QrCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hidden("QrCode", &self.qrcode, f)
    }
}

/// `get_qrcode_status`.
#[derive(Clone, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
#[expect(missing_docs, reason = "the service's own names; see docs/protocol/ilink.md")]
pub struct QrStatus {
    #[serde(deserialize_with = "text")]
    pub status: String,
    #[serde(deserialize_with = "text")]
    pub bot_token: String,
    #[serde(deserialize_with = "text")]
    pub ilink_bot_id: String,
    #[serde(deserialize_with = "text")]
    pub ilink_user_id: String,
    #[serde(deserialize_with = "text")]
    pub baseurl: String,
    #[serde(deserialize_with = "text")]
    pub redirect_host: String,
}

impl fmt::Debug for QrStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "QrStatus({} {} {} ", self.status, self.ilink_bot_id, self.baseurl)?;
        hidden("token", &self.bot_token, f)?;
        f.write_str(")")
    }
}

/// What a login is, by `status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the service's own names; see docs/protocol/ilink.md")]
pub enum Status<'a> {
    Wait,
    Scaned,
    NeedVerifycode,
    VerifyCodeBlocked,
    ScanedButRedirect,
    Expired,
    Confirmed,
    BindedRedirect,
    /// Something new: waiting goes on.
    Other(&'a str),
}

impl QrStatus {
    /// [`status`](Self::status) as one of those that are known.
    pub fn state(&self) -> Status<'_> {
        match self.status.as_str() {
            "wait" => Status::Wait,
            "scaned" => Status::Scaned,
            "need_verifycode" => Status::NeedVerifycode,
            "verify_code_blocked" => Status::VerifyCodeBlocked,
            "scaned_but_redirect" => Status::ScanedButRedirect,
            "expired" => Status::Expired,
            "confirmed" => Status::Confirmed,
            "binded_redirect" => Status::BindedRedirect,
            other => Status::Other(other),
        }
    }
}

/// `getupdates`.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Updates {
    /// Oldest first; each is read by itself.
    #[serde(deserialize_with = "raw_list")]
    pub msgs: Vec<Box<RawValue>>,
    /// Where the next one goes on; empty: where this one did.
    #[serde(deserialize_with = "text")]
    pub get_updates_buf: String,
    /// How long the service will hold the next one; 0 where it does not say.
    #[serde(deserialize_with = "uint")]
    pub longpolling_timeout_ms: u64,
}

impl fmt::Debug for Updates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Updates({} messages)", self.msgs.len())
    }
}
