//! What do we say? Bodies without `base_info`, which the client adds to each bot call.

use std::fmt;

use serde::Serialize;

/// `get_bot_qrcode`: with tokens that are known here the service may say that nothing needs to be scanned.
#[derive(Serialize)]
pub struct LocalTokens<'a> {
    /// The newest first, at most ten.
    pub local_token_list: Vec<&'a str>,
}

/// `getupdates`.
#[derive(Serialize)]
pub struct GetUpdates<'a> {
    /// Where the last answer said to go on; empty at first.
    pub get_updates_buf: &'a str,
}

/// A call that says nothing but who we are.
#[derive(Debug, Serialize)]
pub struct Bare {}

impl fmt::Debug for LocalTokens<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalTokens({})", self.local_token_list.len())
    }
}

impl fmt::Debug for GetUpdates<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GetUpdates")
    }
}
