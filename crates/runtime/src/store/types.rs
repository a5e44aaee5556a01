//! The words that stores and their callers share.

use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;
use wxbot_model::span::Rate;
use wxbot_model::{AccountName, ClientMsgId, ContactId, ContactKind, EventKey, MediaDigest, Name, PeerId};

use super::clock::TimerChange;
use super::mend::Replay;
use crate::contacts::rolls::Notes;
use crate::pacing::Rules;

/// Why a step could not be made. Nothing of it was done.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another wxbot has the data directory.
    #[error("{path} is in use by another wxbot{}", pid.map(|p| format!(" (process {p})")).unwrap_or_default())]
    Locked {
        /// The data directory.
        path: String,
        /// Who has it, if it says so.
        pid: Option<u32>,
    },
    /// Rights are wider than the owner's, or the owner is somebody else.
    #[error("{path}: {why}")]
    Rights {
        /// What was looked at.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// The file was written by a newer wxbot.
    #[error("{path} has schema version {found}; this wxbot reads up to {known}")]
    TooNew {
        /// The file.
        path: String,
        /// Its version.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// The engine failed: disk full, file damaged, ….
    #[error("the store cannot {what}: {reason}")]
    Engine {
        /// What was tried.
        what: &'static str,
        /// What the engine says.
        reason: String,
    },
    /// A sealed value does not open: another key, or changed bytes.
    #[error("a sealed {field} does not open; the key file may have been replaced")]
    Seal {
        /// Which.
        field: &'static str,
    },
    /// The master key cannot be had, or is another one.
    #[error("{source_of_key}: {why}")]
    Key {
        /// Where it should come from.
        source_of_key: String,
        /// What is wrong, and what to do.
        why: String,
    },
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
}

/// A batch to take.
#[derive(Debug, Clone)]
pub struct Accept {
    /// Whose.
    pub account: AccountName,
    /// Events in order.
    pub rows: Vec<NewRow>,
    /// The cursor after them; `None` leaves it.
    pub cursor: Option<Bytes>,
    /// Sealed credentials; `None` leaves them.
    pub sealed: Option<Vec<u8>>,
    /// New or changed bindings.
    pub contacts: Vec<BoundContact>,
    /// Which events let their chats be written to, where the service asks for that. One that was known opens nothing.
    pub opens: Vec<Opening>,
    /// The caller handles so many of the new events at once: they are claimed with the batch, for the first time.
    pub claim: usize,
    /// Now.
    pub now_ms: i64,
}

/// A message of a person, after which a chat may be written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opening {
    /// Its place among the events of the batch.
    pub row: usize,
    /// When it was said, milliseconds since 1970; never later than now.
    pub said_ms: i64,
}

/// One event to take.
#[derive(Debug, Clone)]
pub struct NewRow {
    /// Unique within the account.
    pub key: EventKey,
    /// The lane.
    pub conv: ContactId,
    /// For people who read the table.
    pub kind: &'static str,
    /// The event as JSON.
    pub body: Arc<str>,
    /// For messages of our own account: hash of the text, to match an uncertain send.
    pub echo: Option<i64>,
}

/// What became of a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accepted {
    /// Sequence numbers in order; `None` where the event was known.
    pub seqs: Vec<Option<u64>>,
    /// Uncertain sends that an own message has proved.
    pub proved: usize,
}

/// One event that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboxRow {
    /// Its number; order within a lane.
    pub seq: u64,
    /// The lane.
    pub conv: ContactId,
    /// When it was taken.
    pub recv_ms: i64,
    /// The event as JSON.
    pub body: Arc<str>,
    /// Plugins that are done with it already, after a failed try of another.
    pub done: Vec<String>,
    /// Why it is handled once more; `None` where it is as it came.
    pub replay: Option<Replay>,
}

/// How often an event was begun, and how often that ended in an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claims {
    /// This time included.
    pub attempts: u32,
    /// Tries that ended in a noted error; the others ended with the process.
    pub errors: u32,
}

/// The end of an event.
#[derive(Debug, Clone)]
pub struct Finish {
    /// Which.
    pub seq: u64,
    /// Whose.
    pub account: AccountName,
    /// Why it was stopped, or nothing.
    pub note: Option<String>,
    /// What to send, in order.
    pub sends: Vec<NewSend>,
    /// KV changes that hold only while the value is what it was when it was read. They come before `kv`, in order: a
    /// later one sees what an earlier one did.
    pub swaps: Vec<KvSwap>,
    /// KV changes per plugin: `None` deletes.
    pub kv: Vec<(Arc<str>, String, Option<Value>)>,
    /// Timers to set and to cancel, in order.
    pub timers: Vec<TimerChange>,
    /// Claim of these sends what may go out at once: saves the commit between storing and sending.
    pub direct: Option<ClaimSends>,
    /// Now.
    pub now_ms: i64,
}

/// A KV change that somebody else's change must not be lost under.
#[derive(Debug, Clone, PartialEq)]
pub struct KvSwap {
    /// Whose.
    pub plugin: Arc<str>,
    /// Which.
    pub key: String,
    /// What it was when it was read; `None`: it was not there.
    pub was: Option<Value>,
    /// What it becomes; `None` deletes.
    pub now: Option<Value>,
}

/// What became of the end of an event, or of a failed try. In all cases but the first, nothing of it was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finished {
    /// It is recorded, or was before. The sends that were claimed with it.
    Done(Vec<ClaimedSend>),
    /// A value is no longer what it was when the plugin read it: ask the plugin again.
    Conflict {
        /// Whose.
        plugin: Arc<str>,
        /// Which.
        key: String,
    },
    /// The plugin would have more timers than [`MOST_TIMERS`](super::MOST_TIMERS): this is for it to hear as an error.
    TooManyTimers {
        /// Which plugin.
        plugin: Arc<str>,
    },
}

/// One send to store.
#[derive(Debug, Clone)]
pub struct NewSend {
    /// Who asked for it.
    pub plugin: Arc<str>,
    /// Its place among the plugin's actions for the event.
    pub ord: u32,
    /// The lane it goes to.
    pub conv: ContactId,
    /// The id it keeps for all tries; the store takes the next free one where another send has it.
    pub client_id: ClientMsgId,
    /// The action as JSON.
    pub body: String,
    /// Hash of the text, to match our own message coming back.
    pub echo: i64,
    /// The file of the media folder that it sends: nobody may delete it before the send has ended.
    pub media: Option<MediaDigest>,
}

/// A send that no event has caused.
#[derive(Debug, Clone)]
pub struct LoneSend {
    /// Whose.
    pub account: AccountName,
    /// What, in order: a long text is several.
    pub sends: Vec<NewSend>,
    /// A number that no event ever has.
    pub cause: u64,
    /// Claim it, if it may go out at once.
    pub direct: Option<ClaimSends>,
    /// Now.
    pub now_ms: i64,
}

/// A failed try.
#[derive(Debug, Clone)]
pub struct Failure {
    /// Which event.
    pub seq: u64,
    /// What went wrong.
    pub error: String,
    /// `Some`: parked until then, when `due` gives it back; `Some(0)`: the caller keeps it and tries again itself, and
    /// only a start gives it to anybody else; `None`: given up, the event is dead.
    pub again_ms: Option<i64>,
    /// False when the process stops, or the plugin was not even asked: the try does not count.
    pub counts: bool,
    /// What the plugins that succeeded asked for: committed now, so that one bad plugin holds up nobody else.
    pub partial: Option<Finish>,
    /// The plugins that are done.
    pub done: Vec<String>,
}

/// Which sends to take.
#[derive(Debug, Clone)]
pub struct ClaimSends {
    /// Whose.
    pub account: AccountName,
    /// At most so many, each of another conversation.
    pub limit: usize,
    /// Now.
    pub now_ms: i64,
    /// Older ones are expired instead.
    pub max_age_ms: i64,
    /// Pace of the account, and how many may go at once after a rest.
    pub per_account: (Rate, u32),
    /// Pace of each conversation.
    pub per_chat: (Rate, u32),
    /// What else holds: kinds of actions, jitter, quiet hours, the same text, ….
    pub rules: Rules,
}

/// One send to perform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedSend {
    /// Its number.
    pub id: u64,
    /// Where it goes.
    pub conv: ContactId,
    /// Fixed when it was stored.
    pub client_id: ClientMsgId,
    /// The action as JSON.
    pub body: String,
    /// This try included.
    pub attempts: u32,
    /// It is not to be performed: it has ended by this rule, and only whoever waits for it is to be told.
    pub ended: Option<String>,
}

/// What became of a send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settlement {
    /// Taken. Without an id where one is due: unconfirmed.
    Sent {
        /// The service's id.
        server_id: Option<String>,
    },
    /// Not taken: again, not before.
    Again {
        /// When.
        not_before_ms: i64,
        /// Why.
        error: String,
        /// False when the try says nothing about the send (the session ended).
        counts: bool,
        /// True when the try may have been taken after all: our own message that came back meanwhile proves it then.
        unsure: bool,
    },
    /// It may have been taken, and goes again: the service shows a message with a used id no second time.
    Resent {
        /// When.
        not_before_ms: i64,
        /// What happened.
        error: String,
    },
    /// Not taken, because nothing goes into its chat before somebody writes there. No try is counted.
    Shut {
        /// Nor before this.
        not_before_ms: i64,
        /// What the service said.
        error: String,
    },
    /// It may have been taken.
    Uncertain {
        /// What happened.
        error: String,
    },
    /// Nobody in this login is known to be whom it goes to. Not tried; it waits until somebody is.
    Held {
        /// Who it could be.
        error: String,
    },
    /// Refused for good.
    Failed {
        /// What the service said.
        error: String,
    },
    /// Dropped by policy.
    Dropped {
        /// Why.
        error: String,
    },
}

/// A decision about uncertain sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Send again under the same id.
    Resend,
    /// The same for those that were tried less often than this: the service shows none of them twice.
    ResendSafely {
        /// Tries.
        below: u32,
    },
    /// Do not send.
    Drop,
}

/// A saved session as stored.
#[derive(Debug, Clone)]
pub struct SavedRow {
    /// Sealed credentials.
    pub sealed: Vec<u8>,
    /// Where the next poll goes on.
    pub cursor: Bytes,
    /// The service refused it.
    pub set_aside: bool,
}

/// A contact id and what it was bound by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoundContact {
    /// Ours.
    pub id: ContactId,
    /// The id of the login it was last seen in.
    pub peer: PeerId,
    /// Person, room, ….
    pub kind: ContactKind,
    /// The service's number, 0 when not told. This and what follows outlives a login.
    pub uin: u64,
    /// The service's lasting id, where it was told.
    pub wxid: Name,
    /// WeChat id.
    pub alias: Name,
    /// Our name for it.
    pub remark_name: Name,
    /// Its own name.
    pub nick_name: Name,
    /// A number that is nearly unique.
    pub attr_status: u64,
    /// Number of its picture.
    pub picture: u64,
    /// The account that was logged in, by its own `Uin`; 0 when unknown.
    pub of: u64,
    /// The login that `peer` is of, by a hash of our own id in it; 0: none that is known.
    pub login: u64,
    /// The login that the id was made in.
    pub born: u64,
    /// Found out later to be another one: whatever is asked for this id is asked of that.
    pub same_as: Option<ContactId>,
    /// False for somebody who is no contact of ours: met in a room, or lost.
    pub ours: bool,
    /// The room in which somebody who never was a contact of ours was last met.
    pub met_in: Option<ContactId>,
    /// Of rooms.
    pub room: Option<Box<RoomRow>>,
}

/// What is kept of a room.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RoomRow {
    /// Who is in it, so that it is known again after a login; empty while never seen.
    pub sketch: Box<[u32]>,
    /// Who was in its last whole list of this login; empty when there was none.
    pub roll: Box<[u32]>,
    /// What is open about its members.
    pub notes: Notes,
    /// Bound by its topic alone, while replies to it were held: those stay where they are.
    pub by_topic: bool,
}

/// Rows by state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Events.
    pub inbox: InboxCounts,
    /// Sends.
    pub outbox: OutboxCounts,
}

/// Events by state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the states of docs/durability, by name")]
pub struct InboxCounts {
    pub waiting: u64,
    pub done: u64,
    pub stopped: u64,
    pub late: u64,
    pub dead: u64,
}

/// Sends by state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the states of docs/durability, by name")]
pub struct OutboxCounts {
    pub queued: u64,
    pub sending: u64,
    pub sent: u64,
    pub unconfirmed: u64,
    pub uncertain: u64,
    pub failed: u64,
    pub expired: u64,
    pub dropped: u64,
}
