//! What became of one event? What `wxbot explain` tells: the row of the inbox, and the sends that it caused.

use serde::{Deserialize, Serialize};
use wxbot_model::{AccountName, ContactId, EventKey};

use super::{Answer, Replay};

/// One event and what it led to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Story {
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
    /// How far it is.
    pub state: EventState,
    /// Tries that were begun and count.
    pub attempts: u32,
    /// Tries that ended in a noted error.
    pub errors: u32,
    /// The last error, or why it was stopped.
    pub note: Option<String>,
    /// When it was taken, milliseconds since 1970.
    pub recv_ms: i64,
    /// Plugins that were done with it while another one failed. Those of an event that went well are not noted.
    pub done: Vec<String>,
    /// Why it is handled once more; `None` where it is as it came.
    pub replay: Option<Replay>,
    /// What it led to, by plugin and place.
    pub sends: Vec<SendStory>,
}

/// How far an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum EventState {
    /// Nobody has begun it.
    New,
    /// Being handled, or it was when wxbot ended.
    Running,
    /// Tried again then.
    Parked {
        /// When, milliseconds since 1970; 0: as soon as somebody looks.
        until_ms: i64,
    },
    /// Handled, or stopped by what the note says.
    Done,
    /// Given up.
    Dead,
}

/// One send that an event caused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SendStory {
    /// Its number.
    pub id: u64,
    /// Who asked for it.
    pub plugin: String,
    /// Its place among the plugin's actions for the event.
    pub ord: u32,
    /// Where it goes.
    pub conv: ContactId,
    /// How far it is.
    pub state: SendState,
    /// Tries that were begun and count.
    pub attempts: u32,
    /// The service's id, where it gave one.
    pub server_id: Option<String>,
    /// What the last try met.
    pub error: Option<String>,
    /// When it was stored, milliseconds since 1970.
    pub created_ms: i64,
    /// When the last try began.
    pub tried_ms: Option<i64>,
}

/// How far a send is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the states of docs/durability, by name")]
pub enum SendState {
    Queued,
    Sending,
    Uncertain,
    /// Uncertain for whom: nobody in this login is known to be the one.
    Held,
    Sent,
    Failed,
    Expired,
    Dropped,
}

/// The steps that look back. None of them changes anything.
pub trait StoryStore {
    /// What became of an event; `None` when it is not there, or no longer.
    fn story(&self, seq: u64) -> Answer<'_, Option<Story>>;

    /// The number of the event with this key.
    fn find_event(&self, account: &AccountName, key: &EventKey) -> Answer<'_, Option<u64>>;

    /// The last event of a conversation, before that number; of all when it is `u64::MAX`. The last 20 000 events of all
    /// accounts are looked at.
    fn last_event(&self, account: &AccountName, conv: &ContactId, before_seq: u64) -> Answer<'_, Option<u64>>;
}
