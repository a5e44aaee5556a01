//! Whom do handlers wait for? The open dialogs of an account: the handler in memory, and in the store that there was one.
//!
//! A question is committed with a note (`dialog:<conversation>:<person>` of the plugin `wxbot`), and the answer with its
//! end. Whatever ends a dialog in between (a restart, a new version of the plugin, an error) leaves the note; so the person
//! is told, with the next message and once. The map holds whoever has a note: ordinary messages cost no look at the store.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::Instant;
use wxbot_model::{AccountName, ContactId, Event};
use wxbot_plugin::host::OpenDialog;

use super::WXBOT;
use crate::account::{Account, Settings};
use crate::plugin::Held;
use crate::store::{Store, StoreError};

/// Dialogs of one account. Each is a parked handler of some KiB; more people than these are in none that is ever ended.
const MOST: usize = 10_000;
/// The longest that is waited: a handler that waits is memory, and what takes days belongs into the KV store.
const LONGEST: Duration = Duration::from_secs(86_400);
const PREFIX: &str = "dialog:";

/// What a person is told whose dialog has ended without their doing.
pub(super) const INTERRUPTED: &str = "刚才的对话中断了,请重新开始 (the dialog was interrupted; please start again)";

/// Why one more person is not asked.
pub(super) const FULL: &str = "10000 people have not answered yet; one more is not asked";

/// Who is asked: a person in a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Whom {
    chat: ContactId,
    person: ContactId,
}

impl Whom {
    /// The person whose message this is; nobody for anything else.
    pub(super) fn of(event: &Event) -> Option<Self> {
        let person = event.message().filter(|message| !message.from_self).and(event.sender.as_ref())?;
        Some(Self { chat: event.chat.id.clone(), person: person.id.clone() })
    }

    /// The key of the note.
    pub(super) fn key(&self) -> String {
        format!("{PREFIX}{}:{}", self.chat, self.person)
    }

    fn from_key(key: &str) -> Option<Self> {
        let (chat, person) = key.strip_prefix(PREFIX)?.split_once(':')?;
        Some(Self { chat: chat.parse().ok()?, person: person.parse().ok()? })
    }
}

/// A handler that is put aside. Dropped, it is forgotten by its instance.
pub(super) struct Parked {
    pub(super) plugin: Arc<Held>,
    dialog: Option<u64>,
}

impl Parked {
    pub(super) fn new(plugin: &Arc<Held>, dialog: u64) -> Self {
        Self { plugin: Arc::clone(plugin), dialog: Some(dialog) }
    }

    /// The number of the dialog, for whoever goes on with it.
    pub(super) fn dialog(&self) -> Option<u64> {
        self.dialog
    }

    /// Its instance has taken it back.
    pub(super) fn resumed(mut self) {
        self.dialog = None;
    }
}

impl Drop for Parked {
    fn drop(&mut self) {
        if let Some(dialog) = self.dialog {
            self.plugin.forget(dialog);
        }
    }
}

/// What is kept of a question in the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    plugin: String,
    /// The event that was answered by the question: what is older is no answer.
    seq: u64,
    until_ms: i64,
}

/// A question that is about to be committed.
pub(super) struct Question {
    whom: Whom,
    kept: Kept,
    until: Instant,
    parked: Parked,
}

impl Question {
    /// Who asks.
    pub(super) fn plugin(&self) -> &str {
        &self.kept.plugin
    }

    pub(super) fn new(whom: Whom, seq: u64, parked: Parked, open: OpenDialog, now_ms: i64) -> Self {
        let wait = Duration::from_millis(open.timeout_ms).min(LONGEST);
        let until_ms = now_ms + i64::try_from(wait.as_millis()).unwrap_or(0);
        let kept = Kept { plugin: parked.plugin.id.to_string(), seq, until_ms };
        Self { whom, kept, until: Instant::now() + wait, parked }
    }

    /// The note that is committed with it.
    pub(super) fn note(&self) -> (String, Option<Value>) {
        (self.whom.key(), serde_json::to_value(&self.kept).ok())
    }
}

struct Entry {
    kept: Kept,
    state: State,
}

enum State {
    /// Until the time is over.
    Waiting(Parked, Instant),
    /// Something else ended it.
    Interrupted,
    /// The time was over. Nobody is told; the note goes with the next message.
    Over,
}

/// What a message is to the dialogs.
pub(super) enum Turn {
    /// Nothing.
    Ordinary,
    /// The answer that this handler waits for. Unless something is [settled](Dialogs::settle), the dialog has been
    /// interrupted from now on.
    Answer(Parked),
    /// The first message after a dialog was interrupted.
    Interrupted,
    /// The first one after its time was over.
    Over,
}

/// The dialogs of one account.
#[derive(Default)]
pub(crate) struct Dialogs(Mutex<Table>);

#[derive(Default)]
struct Table {
    all: HashMap<Whom, Entry>,
    /// No time is over before this one; `None` while nobody is waited for.
    next: Option<Instant>,
}

impl Table {
    fn wait(&mut self, until: Instant) {
        self.next = Some(self.next.map_or(until, |next| next.min(until)));
    }
}

impl Dialogs {
    /// What `f` takes out is dropped after it: then an author's `Drop` runs, for which nobody must wait.
    fn with<T>(&self, f: impl FnOnce(&mut Table) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What a former run has left, by account.
    pub(crate) async fn left(store: &dyn Store) -> Result<HashMap<AccountName, Vec<(String, Value)>>, StoreError> {
        let mut all: HashMap<AccountName, Vec<_>> = HashMap::new();
        for (account, key, value) in store.kv_scan(WXBOT, PREFIX).await? {
            all.entry(account).or_default().push((key, value));
        }
        Ok(all)
    }

    /// The dialogs that a former run has left: they have been interrupted by its end. When they are too many, whose time
    /// was over long ago will not be told.
    pub(crate) fn load(left: Vec<(String, Value)>) -> Self {
        let entry = |(key, value): (String, Value)| {
            let kept = serde_json::from_value(value).ok()?;
            Some((Whom::from_key(&key)?, Entry { kept, state: State::Interrupted }))
        };
        let mut left: Vec<(Whom, Entry)> = left.into_iter().filter_map(entry).collect();
        left.sort_by_key(|(_, entry)| Reverse(entry.kept.until_ms));
        left.truncate(MOST);
        Self(Mutex::new(Table { all: left.into_iter().collect(), next: None }))
    }

    /// What this message is. `first` when no plugin has seen it yet: only then it may answer.
    pub(super) fn turn(&self, whom: &Whom, event: &Event, seq: u64, first: bool, now_ms: i64) -> Turn {
        self.with(|Table { all, .. }| {
            let Some(entry) = all.get_mut(whom).filter(|entry| entry.kept.seq < seq) else { return Turn::Ordinary };
            match std::mem::replace(&mut entry.state, State::Interrupted) {
                State::Waiting(parked, _until) if first => Turn::Answer(parked),
                waiting @ State::Waiting(..) => {
                    entry.state = waiting;
                    Turn::Ordinary
                }
                // Sent when the time was over, or at least looked at then: the person knows of no dialog any more.
                State::Interrupted if now_ms.min(event.at_s * 1_000) > entry.kept.until_ms => Turn::Over,
                State::Interrupted => Turn::Interrupted,
                State::Over => {
                    entry.state = State::Over;
                    Turn::Over
                }
            }
        })
    }

    /// Whether a handler of such a plugin waits for this person.
    pub(super) fn waits_for(&self, whom: &Whom, such: impl FnOnce(&Held) -> bool) -> bool {
        self.with(|table| match table.all.get(whom).map(|entry| &entry.state) {
            Some(State::Waiting(parked, _)) => such(&parked.plugin),
            Some(State::Interrupted | State::Over) | None => false,
        })
    }

    /// The handler goes on waiting: its plugin was not even asked.
    pub(super) fn put_back(&self, whom: &Whom, parked: Parked, now_ms: i64) {
        let unwanted = self.with(|table| match table.all.get_mut(whom) {
            Some(entry) if matches!(entry.state, State::Interrupted) => {
                let left = u64::try_from(entry.kept.until_ms - now_ms).unwrap_or(0);
                let until = Instant::now() + Duration::from_millis(left).min(LONGEST);
                entry.state = State::Waiting(parked, until);
                table.wait(until);
                None
            }
            Some(_) | None => Some(parked),
        });
        drop(unwanted);
    }

    /// Whether somebody more may be asked.
    pub(super) fn has_room_for(&self, whom: &Whom, now_ms: i64) -> bool {
        self.with(|Table { all, .. }| {
            if all.len() >= MOST {
                // Their notes stay in the store; they are of people who never spoke again.
                all.retain(|_, entry| matches!(entry.state, State::Waiting(..)) || entry.kept.until_ms >= now_ms);
            }
            all.len() < MOST || all.contains_key(whom)
        })
    }

    /// The end of an event is committed: with this person's dialog, if it was about one, and with a question, if one was
    /// asked.
    pub(super) fn settle(&self, account: &Account, talk: Option<&Whom>, question: Option<Question>) {
        let mut gone = Vec::new();
        self.with(|table| {
            gone.extend(talk.and_then(|whom| table.all.remove(whom)));
            let Some(Question { whom, kept, until, parked }) = question else { return };
            // A reload may have put other settings into force meanwhile; whoever does that looks here afterwards.
            let state = if is_used(&account.settings(), &parked) {
                table.wait(until);
                State::Waiting(parked, until)
            } else {
                gone.push(Entry { kept: kept.clone(), state: State::Waiting(parked, until) });
                State::Interrupted
            };
            gone.extend(table.all.insert(whom, Entry { kept, state }));
        });
    }

    /// Other settings are in force: the dialogs of instances that are not among them have been interrupted.
    pub(crate) fn part(&self, settings: &Settings) {
        let mut gone = Vec::new();
        self.with(|Table { all, .. }| {
            for entry in all.values_mut() {
                if matches!(&entry.state, State::Waiting(parked, _) if !is_used(settings, parked)) {
                    gone.push(std::mem::replace(&mut entry.state, State::Interrupted));
                }
            }
        });
    }

    /// Ends the dialogs whose time is over; when that is for the next one.
    pub(crate) fn expire(&self, now: Instant) -> Option<Instant> {
        let mut gone = Vec::new();
        self.with(|Table { all, next }| {
            if next.is_none_or(|next| next > now) {
                return *next;
            }
            *next = None;
            for entry in all.values_mut() {
                let State::Waiting(_, until) = &entry.state else { continue };
                if *until <= now {
                    gone.push(std::mem::replace(&mut entry.state, State::Over));
                } else {
                    *next = Some(next.map_or(*until, |next| next.min(*until)));
                }
            }
            *next
        })
    }
}

fn is_used(settings: &Settings, parked: &Parked) -> bool {
    settings.plugins.iter().any(|plugin| Arc::ptr_eq(plugin, &parked.plugin))
}

impl std::fmt::Debug for Dialogs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Dialogs({})", self.with(|table| table.all.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whom(n: usize) -> Whom {
        Whom { chat: format!("r{n}").parse().unwrap(), person: "p1".parse().unwrap() }
    }

    #[test]
    fn so_many_people_are_waited_for_and_those_who_never_spoke_again_are_not_among_them() {
        let until_ms = |n: usize| if n < 3 { 5 } else { 50 };
        let note = |n: usize| {
            let kept = Kept { plugin: "talk".into(), seq: 1, until_ms: until_ms(n) };
            (whom(n).key(), serde_json::to_value(&kept).unwrap())
        };
        let dialogs = Dialogs::load((0..MOST).map(note).collect());
        assert!(!dialogs.has_room_for(&whom(MOST), 5), "no time is over");
        assert!(dialogs.has_room_for(&whom(7), 5), "who is asked already may be asked again");
        assert!(dialogs.has_room_for(&whom(MOST), 6));
        let crowded = Dialogs::load((0..=MOST).map(note).collect());
        assert_eq!(crowded.with(|table| (table.all.len(), table.all.contains_key(&whom(MOST)))), (MOST, true));
    }

    #[test]
    fn keys_of_notes_are_read_as_they_are_written() {
        assert_eq!(whom(3).key(), "dialog:r3:p1");
        assert_eq!(Whom::from_key("dialog:r3:p1"), Some(whom(3)));
        for bad in ["dialog:r3", "dialog:r3:", "other:r3:p1", "dialog::p1"] {
            assert_eq!(Whom::from_key(bad), None, "{bad}");
        }
    }
}
