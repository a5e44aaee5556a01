//! Where does history go, and how is it found again? Behind [`Archive`], which reads what the queue keeps anyway.
//!
//! The archive is a store of its own, so that a slow one never holds up a message. It is fed by number: what the queue
//! has behind the numbers that the archive notes with each batch is taken next. A lost archive begins again from what the
//! queue still has.

use wxbot_model::{AccountName, ContactId};

use super::Answer;

/// One message of the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Whose.
    pub account: AccountName,
    /// Unique within the account; a second one with the same key is absorbed.
    pub key: String,
    /// The conversation.
    pub conv: ContactId,
    /// Who said it; `None` for the service and for ourselves.
    pub sender: Option<ContactId>,
    /// When, milliseconds since 1970.
    pub at_ms: i64,
    /// True for what our account said.
    pub ours: bool,
    /// The word of its kind: `text`, `image`, `recall`.
    pub kind: String,
    /// What only a full archive keeps.
    pub said: Option<Said>,
}

/// The part of a message that people read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The name of the conversation at that time.
    pub chat: String,
    /// The name of who said it at that time.
    pub name: String,
    /// The text, or title, or name of the file.
    pub text: String,
}

/// How far the queue was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// Events up to this number are taken.
    pub seq: u64,
    /// Sends up to this number are taken, but for the open ones.
    pub send: u64,
    /// Sends up to `send` that had not ended.
    pub open: Vec<u64>,
}

/// What is looked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Search {
    /// Words that must all be there; `None`: all messages.
    pub words: Option<String>,
    /// Of this account only.
    pub account: Option<AccountName>,
    /// In this conversation only.
    pub conv: Option<ContactId>,
    /// Said by this person only.
    pub sender: Option<ContactId>,
    /// Not before, milliseconds since 1970.
    pub from_ms: Option<i64>,
    /// Before this moment.
    pub to_ms: Option<i64>,
    /// At most so many, the newest ones.
    pub limit: usize,
}

/// A message that was found, and its number in the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Rises with the order in which they were taken.
    pub id: u64,
    /// What is known of it.
    pub record: Record,
}

/// The steps of the history. Each is all or nothing; the last ones may be lost with the power, and are taken again.
pub trait Archive: Send + Sync + std::fmt::Debug {
    /// How far the queue was read.
    fn progress(&self) -> Answer<'_, Progress>;

    /// Keeps these, and how far that leads. Known ones are absorbed.
    fn take(&self, records: Vec<Record>, progress: Progress) -> Answer<'_, ()>;

    /// The newest messages that fit, the newest first. Words without a letter or digit fit nothing.
    fn search(&self, search: Search) -> Answer<'_, Vec<Found>>;

    /// Deletes, a bounded step, what was said with this contact: its conversation, and what it said elsewhere. How many
    /// went; fewer than [`FORGET_STEP`] when there are no more.
    fn forget(&self, account: &AccountName, contact: &ContactId) -> Answer<'_, usize>;

    /// Deletes what was said before this moment, a bounded step; true when there is more.
    fn sweep(&self, before_ms: i64) -> Answer<'_, bool>;

    /// Brings everything into the main file. Every later call is answered `Closed`.
    fn close(&self) -> Answer<'_, ()>;
}

/// Messages that one step of [`Archive::forget`] or [`Archive::sweep`] deletes at most.
pub const FORGET_STEP: usize = 1000;

/// An event as the queue has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastEvent {
    /// Its number.
    pub seq: u64,
    /// When it was taken, milliseconds since 1970.
    pub recv_ms: i64,
    /// The event as JSON; `None` when it is past its retention.
    pub body: Option<String>,
}

/// A send as the queue has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastSend {
    /// Its number.
    pub id: u64,
    /// Whose.
    pub account: AccountName,
    /// Where it went.
    pub conv: ContactId,
    /// Unique within the account.
    pub client_id: String,
    /// How it ended; `None` while it has not.
    pub sent: Option<bool>,
    /// When the last try began, milliseconds since 1970.
    pub tried_ms: i64,
    /// The action as JSON.
    pub body: Option<String>,
}

/// What the queue tells the archive.
pub trait HistoryStore {
    /// The last numbers that were given to an event and to a send.
    fn last_numbers(&self) -> Answer<'_, (u64, u64)>;

    /// Events behind this number, in order.
    fn events_after(&self, seq: u64, limit: usize) -> Answer<'_, Vec<PastEvent>>;

    /// Sends behind this number, in order.
    fn sends_after(&self, id: u64, limit: usize) -> Answer<'_, Vec<PastSend>>;

    /// These sends, as far as they are still there.
    fn sends_of(&self, ids: Vec<u64>) -> Answer<'_, Vec<PastSend>>;

    /// Empties what was said with this contact and is done with: its conversation, and what it said elsewhere. How many
    /// events and sends.
    fn forget_bodies(&self, account: &AccountName, contact: &ContactId) -> Answer<'_, usize>;
}
