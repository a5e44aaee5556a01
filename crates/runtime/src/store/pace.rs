//! What does the store know about the pacing, besides what a claim pays? The debts, and when the last login was.

use std::collections::HashMap;

use wxbot_model::AccountName;

use super::Answer;

/// The note of a push that went out within another one begins so; that one's number follows.
pub const MERGED_INTO: &str = "merged into send ";

/// The steps around the pacing. What a send costs is paid where it is claimed.
pub trait PaceStore {
    /// Notes that the account logs in anew: the warm-up counts from here.
    fn note_login(&self, account: &AccountName, now_ms: i64) -> Answer<'_, ()>;

    /// The saved numbers of these buckets; those that are full may be missing. Nothing is paid.
    fn debts(&self, account: &AccountName, scopes: Vec<String>) -> Answer<'_, HashMap<String, i64>>;
}
