//! Where does everything live that must survive? Behind [`Store`]: whole steps, each atomic in itself.
//!
//! No method hands out a transaction: the cluster engine has none that spans subjects. [`sqlite`] is the engine for one
//! machine; [`seal`] encrypts session secrets before any engine sees them, under a key out of [`key`].
//!
//! - [`media`] the steps around media files
//! - [`clock`] those around timers and schedules, [`planned`] around messages that go out at a time
//! - [`pace`] those around the pacing
//! - [`halt`] why an account waits for a person
//! - [`story`] those that look back, [`mend`] those that give another end to what went wrong
//! - [`keep`] those of retention and backup
//! - [`archive`] those of the history, which has an engine of its own
//! - [`spool`] those of a file apart, where pushes wait while nobody reads them
//! - [`health`] whether it can be written
//! - [`types`] the words of all

pub mod archive;
pub mod clock;
pub mod halt;
pub mod health;
pub mod keep;
pub mod key;
pub mod media;
pub mod mend;
pub mod pace;
pub mod planned;
pub mod seal;
pub mod spool;
pub mod sqlite;
pub mod story;
pub mod types;

use std::fmt;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use serde_json::Value;
use wxbot_model::{AccountName, ContactId};

pub use archive::HistoryStore;
pub use clock::{Bell, ClockStore, DueTimer, Firing, MOST_TIMERS, Origin, SavedSchedule, ScheduleKey, TimerChange};
pub use halt::{Halt, HaltStore, LeftToPeople};
pub use health::{Cause, HealthStore, Unwritable};
pub use keep::{Forgotten, Keep, KeepStore, Restored};
pub use media::{LastSent, MediaRow, MediaSourceKey, MediaStore};
pub use mend::{
    DeadEvent, DeadFilter, Decided, Decision, MOST_REPLAYED, MendStore, NO_EVENT, Replay, ReplayAsk, ReplayStep,
    SendFilter, SendRow,
};
pub use pace::{MERGED_INTO, MeterStore, PaceStore};
pub use planned::{MOST_PLANNED, NewPlanned, Planned, PlannedFiring, PlannedStore};
pub use story::{EventState, SendState, SendStory, Story, StoryStore};
pub use types::{
    Accept, Accepted, BoundContact, ClaimSends, ClaimedSend, Claims, Counts, Failure, Finish, Finished, InboxRow,
    KvSwap, LoneSend, NewRow, NewSend, Opening, RoomRow, SavedRow, Settlement, StoreError, Verdict,
};

/// A store's answer, later.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

/// The steps of inbox, outbox and sessions. Each is durable when it answers, and all or nothing.
///
/// Cancel safe in this sense: a dropped future may still have done its step, never half of it.
pub trait Store:
    MediaStore
    + ClockStore
    + StoryStore
    + HistoryStore
    + PaceStore
    + MeterStore
    + HaltStore
    + HealthStore
    + MendStore
    + PlannedStore
    + KeepStore
    + Send
    + Sync
    + fmt::Debug
{
    /// Begins a run: events that were being handled wait again, sends that were under way are uncertain.
    fn recover(&self, account: &AccountName) -> Answer<'_, ()>;

    /// Takes a batch: events, cursor, credentials and contacts together. Repeated events are absorbed.
    fn accept(&self, batch: Accept) -> Answer<'_, Accepted>;

    /// Events that wait, in order, after `after` (0: from the start).
    fn waiting(&self, account: &AccountName, after: u64, limit: usize) -> Answer<'_, Vec<InboxRow>>;

    /// Parked events that are due, and when the next one will be.
    fn due(&self, account: &AccountName, now_ms: i64, limit: usize) -> Answer<'_, (Vec<InboxRow>, Option<i64>)>;

    /// Notes that handling begins, before any plugin runs: an event that kills the process is counted.
    fn claim(&self, seq: u64) -> Answer<'_, Claims>;

    /// Gives back events that were claimed with their batch and never begun: the claim does not count.
    fn give_back(&self, seqs: Vec<u64>) -> Answer<'_, ()>;

    /// Ends an event: sends, KV changes, timers and the mark of being done. One that has ended before is left as it is.
    /// Answers the sends that were claimed with it, as [`claim_sends`](Self::claim_sends) would have, or why all of it
    /// was left undone.
    fn finish(&self, finish: Finish) -> Answer<'_, Finished>;

    /// Notes a failed try, unless the event has ended before, or what succeeded in it cannot be recorded.
    fn fail(&self, failure: Failure) -> Answer<'_, Finished>;

    /// Stores a send that no event has caused, and answers it where it was claimed at once. Its `cause` stands for the
    /// event and is unlike all others.
    fn send(&self, send: LoneSend) -> Answer<'_, Vec<ClaimedSend>>;

    /// Drops what was [stored](Self::send) for this cause and was not begun, or is held. True when nobody can have seen
    /// this `part` of it, counted from 0; false when that is under way, has ended, or may have been taken by a try before.
    fn withdraw(&self, cause: u64, part: u32) -> Answer<'_, bool>;

    /// Takes sends that may go out now; they are marked as under way, with the pacing paid. With them come those that a rule
    /// of the pacing has [ended](ClaimedSend::ended). Answers also when it is worth to ask again.
    fn claim_sends(&self, claim: ClaimSends) -> Answer<'_, (Vec<ClaimedSend>, Option<i64>)>;

    /// Notes what became of a send.
    fn settle(&self, id: u64, settlement: Settlement) -> Answer<'_, ()>;

    /// Decides about all uncertain sends of an account but the held ones: back to the queue, or dropped.
    fn decide_uncertain(&self, account: &AccountName, verdict: Verdict) -> Answer<'_, usize>;

    /// Whom sends wait for that are queued or held, and whether some of them are held.
    fn awaited(&self, account: &AccountName) -> Answer<'_, Vec<(ContactId, bool)>>;

    /// Holds the queued sends to these: uncertain, each with its reason, until they are let go. No verdict touches them.
    /// Sends held before get the new reason.
    fn hold(&self, account: &AccountName, whom: Vec<(ContactId, String)>) -> Answer<'_, ()>;

    /// Lets held sends to these go: back to the queue, or expired when older than `max_age_ms`. How many are queued.
    fn let_go(&self, account: &AccountName, whom: Vec<ContactId>, now_ms: i64, max_age_ms: i64) -> Answer<'_, usize>;

    /// The saved session, if there is one.
    fn session(&self, account: &AccountName) -> Answer<'_, Option<SavedRow>>;

    /// Saves a new session: after a login, before its first batch.
    fn save_session(
        &self,
        account: &AccountName,
        sealed: Vec<u8>,
        cursor: Bytes,
        contacts: Vec<BoundContact>,
    ) -> Answer<'_, ()>;

    /// Puts a session that the service refused out of use; kept for diagnosis and for one login by confirmation.
    fn set_session_aside(&self, account: &AccountName) -> Answer<'_, ()>;

    /// All contact bindings of an account.
    fn contacts(&self, account: &AccountName) -> Answer<'_, Vec<BoundContact>>;

    /// Adds or changes contact bindings.
    fn bind_contacts(&self, account: &AccountName, contacts: Vec<BoundContact>) -> Answer<'_, ()>;

    /// A KV value.
    fn kv_get<'a>(&'a self, plugin: &'a str, account: &'a AccountName, key: &'a str) -> Answer<'a, Option<Value>>;

    /// The values of a plugin whose keys begin so, of all accounts: the whole of what it remembers for an empty prefix.
    fn kv_scan<'a>(&'a self, plugin: &'a str, prefix: &'a str) -> Answer<'a, Vec<(AccountName, String, Value)>>;
    /// The first `limit` values of a plugin and account under keys that begin with `prefix` and come behind `after`, in
    /// the order of the keys (by bytes). One that is no JSON is left out.
    fn kv_list<'a>(
        &'a self,
        plugin: &'a str,
        account: &'a AccountName,
        prefix: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> Answer<'a, Vec<(String, Value)>>;

    /// How many rows of an account are in which state.
    fn counts(&self, account: &AccountName) -> Answer<'_, Counts>;

    /// Deletes what is past its time, a bounded step; true when there is more.
    fn sweep(&self, now_ms: i64) -> Answer<'_, bool>;

    /// Finishes what was asked before, then brings everything into the main file. Every later call is answered `Closed`.
    fn close(&self) -> Answer<'_, ()>;
}
