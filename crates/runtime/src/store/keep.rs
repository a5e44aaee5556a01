//! How long is what kept, and how does it come into other hands? Retention, a copy for a backup, forgetting an account.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use wxbot_model::AccountName;

use super::Answer;

const DAY: Duration = Duration::from_secs(86_400);

/// How long rows stay. Open ones stay until they end: events that wait, sends that wait or of which nobody knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// What events said that are done, and sends that were sent.
    pub done: Duration,
    /// Events that are dead, counted from when they came.
    pub dead: Duration,
    /// The keys of events that are done: one that comes again within this time is known.
    pub keys: Duration,
    /// Sends that have ended.
    pub sends: Duration,
}

impl Keep {
    /// The least and the most of each, by the key of `[store]`.
    pub const BOUNDS: [(&'static str, Duration, Duration); 4] = [
        // A command like `wxbot replay` finds nothing older; less than an hour leaves nothing to look into.
        ("keep_done", Duration::from_secs(3_600), Duration::from_secs(3_650 * 86_400)),
        ("keep_dead", DAY, Duration::from_secs(3_650 * 86_400)),
        // Services give messages again after a login; below a day they would be new.
        ("keep_keys", DAY, Duration::from_secs(3_650 * 86_400)),
        ("keep_sends", DAY, Duration::from_secs(3_650 * 86_400)),
    ];
}

impl Default for Keep {
    fn default() -> Self {
        Self { done: DAY * 7, dead: DAY * 90, keys: DAY * 30, sends: DAY * 30 }
    }
}

/// What was deleted of an account.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forgotten {
    /// Saved sessions and cursors.
    pub keys: u64,
    /// All other rows.
    pub rows: u64,
}

/// What a start from a backup makes of what was open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restored {
    /// Sends of which nobody knows any more whether they went out.
    pub uncertain: u64,
    /// Sends that were too old to go out.
    pub expired: u64,
    /// Accounts that have a saved session.
    pub sessions: u64,
}

/// The steps around keeping.
pub trait KeepStore {
    /// From now on [`sweep`](super::Store::sweep) goes by this.
    fn set_keep(&self, keep: Keep);

    /// Whether nobody waits for a write just now.
    fn is_idle(&self) -> bool;

    /// Brings what is in the write-ahead log into the main file, as far as no reader is in the way. Holds up nobody.
    fn checkpoint(&self) -> Answer<'_, ()>;

    /// Writes a consistent copy of everything into a new file, mode 0600, without stopping anything. Without `sessions`,
    /// no byte of saved sessions and cursors is in it. What a failure leaves is deleted.
    fn snapshot(&self, to: PathBuf, sessions: bool) -> Answer<'_, ()>;

    /// Makes a copy that was made then fit to go on. What was under way or waited may have gone out since: it is
    /// uncertain, or expired when it was older than `max_age_ms` already. Only before anything else is done with it.
    fn restored(&self, made_ms: i64, max_age_ms: i64) -> Answer<'_, Restored>;

    /// Deletes all that is kept of an account: its keys first, in a step of its own, and the rest a thousand rows a step.
    /// Nobody may use the account.
    fn forget(&self, account: &AccountName) -> Answer<'_, Forgotten>;
}
