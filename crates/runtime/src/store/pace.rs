//! What does the store know about the pacing, besides what a claim pays? The debts, and when the last login was.

use std::collections::HashMap;

use wxbot_model::{AccountName, ContactId};

use super::Answer;
use crate::pacing::window::Meter;

/// The note of a push that went out within another one begins so; that one's number follows.
pub const MERGED_INTO: &str = "merged into send ";

/// The steps around the pacing. What a send costs is paid where it is claimed.
pub trait PaceStore {
    /// Notes that the account logs in anew: the warm-up counts from here.
    fn note_login(&self, account: &AccountName, now_ms: i64) -> Answer<'_, ()>;

    /// The saved numbers of these buckets; those that are full may be missing. Nothing is paid.
    fn debts(&self, account: &AccountName, scopes: Vec<String>) -> Answer<'_, HashMap<String, i64>>;
}

/// The steps around reply windows. They are opened with the message of a person, and paid where a send is claimed.
pub trait MeterStore {
    /// The meter of a chat; `None` where nobody has written yet, or the account has no windows.
    fn meter(&self, account: &AccountName, conv: &ContactId) -> Answer<'_, Option<Meter>>;

    /// The thousand meters of an account that were opened last, the newest first.
    fn meters(&self, account: &AccountName) -> Answer<'_, Vec<(ContactId, Meter)>>;
}
