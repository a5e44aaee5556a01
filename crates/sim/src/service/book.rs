//! What was asked, pushed and heard, and what was wrong with it?

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde_json::Value;
use tokio::sync::Notify;

use crate::check::{Violation, Violations};
use crate::service::when::Clock;

/// Entries of one list. A load test that runs for hours must not eat the machine: the oldest go first.
const MAX_ENTRIES: usize = 200_000;
/// What is kept of one body.
const MAX_BODY: usize = 64 * 1024;

/// What happened at a service that pushes, each list in order of time. Of long runs the oldest entries are forgotten.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ServiceJournal {
    /// Requests of the client, refused ones too.
    pub asked: Vec<AskedEntry>,
    /// Attempts to push.
    pub pushes: Vec<PushEntry>,
    /// What people and rooms heard from the account.
    pub heard: Vec<HeardEntry>,
}

/// A request of the client.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AskedEntry {
    /// Whose account it concerned; empty when that cannot be told.
    pub account: String,
    /// ms since 1970.
    pub at_ms: u64,
    /// `GET`, `POST`.
    pub method: String,
    /// Path without the query.
    pub path: String,
    /// The body: JSON as it was, anything else as text.
    pub body: Value,
    /// HTTP status of the answer.
    pub status: u16,
    /// What was answered.
    pub answer: String,
    /// What was wrong with the request.
    pub flaws: Vec<String>,
}

/// An attempt to push.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PushEntry {
    /// Whose account.
    pub account: String,
    /// When the attempt was over, ms since 1970.
    pub at_ms: u64,
    /// Where to.
    pub url: String,
    /// What was pushed, before any encryption.
    pub body: String,
    /// 1, or more for a repetition.
    pub attempt: u32,
    /// HTTP status of the receiver; absent when there was none.
    pub status: Option<u16>,
    /// Why there was none: `refused`, `timed out`, `broken`, or `lost` on purpose.
    pub error: Option<String>,
    /// What the receiver answered.
    pub answer: String,
}

/// Something that a person or a room heard from the account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HeardEntry {
    /// From whom.
    pub account: String,
    /// ms since 1970.
    pub at_ms: u64,
    /// Nick of the person, topic of the room, or id of a service.
    pub to: String,
    /// True when `to` is a room.
    pub room: bool,
    /// `text`, `image`, `file` …
    pub kind: String,
    /// What was said, as people read it: the text, the title of a link, the XML of what else is sent.
    pub text: String,
    /// Nicks of the people who were mentioned; `all` for everybody.
    pub at: Vec<String>,
    /// md5 and length of what was sent with it.
    pub media: Option<HeardMedia>,
    /// The id that the service gave the message.
    pub id: String,
    /// The account took it back.
    pub revoked: bool,
}

/// A file that people received.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HeardMedia {
    /// 32 lower-case hex digits.
    pub md5: String,
    /// Length in bytes.
    pub len: u64,
    /// Its name.
    pub file_name: String,
}

/// The book of one service.
#[derive(Debug)]
pub(crate) struct Book {
    pages: Mutex<ServiceJournal>,
    violations: Violations,
    pub(crate) changed: Notify,
    pub(crate) clock: Clock,
}

impl Book {
    pub(crate) fn new() -> Self {
        Self { pages: Mutex::default(), violations: Violations::default(), changed: Notify::new(), clock: Clock::new() }
    }

    pub(crate) fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }

    pub(crate) fn asked(&self, mut entry: AskedEntry) {
        shorten(&mut entry.answer);
        if let Value::String(text) = &mut entry.body {
            shorten(text);
        }
        add(&mut self.pages().asked, entry);
        self.changed.notify_waiters();
    }

    pub(crate) fn pushed(&self, mut entry: PushEntry) {
        shorten(&mut entry.body);
        shorten(&mut entry.answer);
        add(&mut self.pages().pushes, entry);
        self.changed.notify_waiters();
    }

    pub(crate) fn heard(&self, mut entry: HeardEntry) {
        shorten(&mut entry.text);
        add(&mut self.pages().heard, entry);
        self.changed.notify_waiters();
    }

    /// The account took back what has this id, which several people may have heard.
    pub(crate) fn revoked(&self, account: &str, id: &str) {
        let mut pages = self.pages();
        for heard in pages.heard.iter_mut().filter(|heard| heard.account == account && heard.id == id) {
            heard.revoked = true;
        }
        drop(pages);
        self.changed.notify_waiters();
    }

    pub(crate) fn note(&self, hard: bool, account: &str, endpoint: &str, what: &str) {
        let account = Some(account).filter(|account| !account.is_empty());
        self.violations.note(hard, account, endpoint, what, self.now_ms());
    }

    pub(crate) fn violations(&self) -> Vec<Violation> {
        self.violations.list()
    }

    pub(crate) fn journal(&self) -> ServiceJournal {
        self.pages().clone()
    }

    /// Waits until the journal looks as wanted.
    pub(crate) async fn wait_for(&self, mut wanted: impl FnMut(&ServiceJournal) -> bool) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if wanted(&self.pages()) {
                return;
            }
            changed.await;
        }
    }

    fn pages(&self) -> MutexGuard<'_, ServiceJournal> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ServiceJournal {
    /// Texts that this person or room heard, in order.
    pub fn texts_to<'a>(&'a self, to: &'a str) -> impl Iterator<Item = &'a str> {
        self.heard.iter().filter(move |heard| heard.to == to).map(|heard| heard.text.as_str())
    }

    /// Requests to this path, in order.
    pub fn asked_at<'a>(&'a self, path: &'a str) -> impl Iterator<Item = &'a AskedEntry> {
        self.asked.iter().filter(move |asked| asked.path == path)
    }
}

fn add<T>(list: &mut Vec<T>, entry: T) {
    if list.len() >= MAX_ENTRIES {
        list.drain(..MAX_ENTRIES / 10);
    }
    list.push(entry);
}

fn shorten(text: &mut String) {
    text.truncate(text.floor_char_boundary(MAX_BODY));
}
