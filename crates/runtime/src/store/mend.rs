//! What can be done about events and sends that did not go well? Looking through them, giving them another end, and
//! handling what is done once more (ADR 0029).

use serde::{Deserialize, Serialize};
use wxbot_model::{AccountName, ContactId, EventKey};

use super::{Answer, SendState};

/// Numbers from here on stand for sends that no event has caused.
pub const NO_EVENT: u64 = 1 << 62;
/// Events that one replay may make: as many as may wait for an account before pull sources slow down.
pub const MOST_REPLAYED: u64 = 50_000;

/// Why an event is handled once more, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replay {
    /// The event it is a repeat of; `None`: it is that event itself, which was dead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<u64>,
    /// Only this plugin sees it; `None`: all that were not done with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plugin: Option<String>,
    /// Whether what it answers is sent. Otherwise the store keeps it as dropped, whoever asks for what.
    #[serde(default)]
    pub send: bool,
}

/// Which dead events are meant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DeadFilter {
    /// Of this account alone.
    pub account: Option<AccountName>,
    /// Those that this plugin could not handle.
    pub plugin: Option<String>,
    /// Those that came since then, milliseconds since 1970.
    pub since_ms: i64,
}

/// An event that was given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadEvent {
    /// Its number.
    pub seq: u64,
    /// Whose.
    pub account: AccountName,
    /// Unique within the account.
    pub key: EventKey,
    /// The lane.
    pub conv: ContactId,
    /// The word of its kind.
    pub kind: String,
    /// Tries that were begun and count.
    pub attempts: u32,
    /// Tries that ended in a noted error.
    pub errors: u32,
    /// Why it was given up.
    pub reason: String,
    /// The plugin that could not handle it; `None` where it was no plugin, or that is not known.
    pub plugin: Option<String>,
    /// Plugins that were done with it before, and stay done.
    pub done: Vec<String>,
    /// When it came, milliseconds since 1970.
    pub recv_ms: i64,
}

/// Which sends are meant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SendFilter {
    /// Of this account alone.
    pub account: Option<AccountName>,
    /// In one of these states; empty: all.
    pub states: Vec<SendState>,
}

/// A send, without what it says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendRow {
    /// Its number.
    pub id: u64,
    /// Whose.
    pub account: AccountName,
    /// Where it goes.
    pub conv: ContactId,
    /// Who asked for it.
    pub plugin: String,
    /// The event that caused it, where one did.
    pub event: Option<u64>,
    /// The word of what it does; empty when its body is past its time.
    pub what: String,
    /// How far it is.
    pub state: SendState,
    /// Tries that were begun and count.
    pub attempts: u32,
    /// When it was stored, milliseconds since 1970.
    pub created_ms: i64,
    /// When the last try began.
    pub tried_ms: Option<i64>,
    /// The service's id, where it gave one.
    pub server_id: Option<String>,
    /// What the last try met, or why it ended so.
    pub error: Option<String>,
    /// An event that was replayed caused it.
    pub replay: bool,
}

/// What a person decides about a send.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// It arrived: uncertain and held ones.
    Sent,
    /// It goes out again, under the same client id: uncertain, held and failed ones.
    Resend,
    /// It is given up, and this is the reason that is kept: queued, uncertain and held ones.
    Drop(String),
}

/// What became of a decision about one send.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Decided {
    /// It is so now.
    Done {
        /// Whose it is.
        account: AccountName,
    },
    /// There is no such send, or no longer.
    Unknown,
    /// In this state there is nothing to decide so.
    Not {
        /// How far it is.
        state: SendState,
    },
    /// What it said is past its time, so it cannot go out again.
    Emptied,
}

/// Which events to handle once more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayAsk {
    /// Of these accounts.
    pub accounts: Vec<AccountName>,
    /// For this plugin.
    pub plugin: String,
    /// Those that came at or after this, milliseconds since 1970.
    pub from_ms: i64,
    /// And before this.
    pub to_ms: i64,
    /// Whether what the plugin answers is sent.
    pub send: bool,
    /// Only count.
    pub dry: bool,
}

/// How far a replay is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayStep {
    /// Where the next step goes on; `None` when there is none.
    pub next: Option<u64>,
    /// Events that this step made, or counted.
    pub events: u64,
}

/// The steps that mend. Each is all or nothing, as those of [`Store`](super::Store).
pub trait MendStore {
    /// Dead events in order, those behind `after`.
    fn dead(&self, which: DeadFilter, after: u64, limit: usize) -> Answer<'_, Vec<DeadEvent>>;

    /// The event as it was stored, as JSON; `None` when it is not there, or past its time.
    fn event_body(&self, seq: u64) -> Answer<'_, Option<String>>;

    /// Lets these dead events be handled again, by the plugins that were not done: tries begin anew. Answers those that
    /// were dead.
    ///
    /// They are given out by [`due`](super::Store::due), at once, as what was [fired](super::ClockStore::fire).
    fn revive(&self, seqs: Vec<u64>) -> Answer<'_, Vec<u64>>;

    /// Ends these dead events for this reason. Answers those that were dead.
    fn bury(&self, seqs: Vec<u64>, why: String) -> Answer<'_, Vec<u64>>;

    /// Sends, the newest first, those before `before`.
    fn sends(&self, which: SendFilter, before: u64, limit: usize) -> Answer<'_, Vec<SendRow>>;

    /// One send.
    fn send_row(&self, id: u64) -> Answer<'_, Option<SendRow>>;

    /// The number of the send that was [stored](super::Store::send) for this cause.
    fn send_of(&self, cause: u64) -> Answer<'_, Option<u64>>;

    /// Carries out a decision about these sends, and answers what became of each. One that goes out again counts as new:
    /// `max_age` is counted from now.
    fn decide(&self, ids: Vec<u64>, decision: Decision, now_ms: i64) -> Answer<'_, Vec<Decided>>;

    /// Makes new events of those that are done, for one plugin, as far as one step reaches: a thousand rows. `after` is 0
    /// at the beginning, then what the last step answered. Timers and schedules are left out, and so is what was made so.
    fn replay(&self, ask: ReplayAsk, after: u64, now_ms: i64) -> Answer<'_, ReplayStep>;
}
