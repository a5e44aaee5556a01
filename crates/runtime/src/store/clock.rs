//! What does the store know about timers and schedules? What is due, and which due times became events already.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use tokio::sync::Notify;
use wxbot_model::{AccountName, ContactId};

use super::{Answer, NewRow};

/// Timers of one plugin for one account. At some hundred bytes each they are a few MiB; whoever needs more wants a table
/// of its own and one timer for the next of it.
pub const MOST_TIMERS: u64 = 10_000;

/// What a plugin wants of a timer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TimerChange {
    /// Sets it, in place of one of the same plugin and name.
    Set {
        /// Whose.
        plugin: Arc<str>,
        /// Which.
        name: String,
        /// The lane that its event will belong to.
        conv: ContactId,
        /// When it is due, milliseconds since 1970. What is past is due at once.
        due_ms: i64,
        /// What its event is made of; see `clock::keepsake`.
        body: Arc<str>,
    },
    /// Takes it back. One that has fired or never was is no mistake.
    Cancel {
        /// Whose.
        plugin: Arc<str>,
        /// Which.
        name: String,
    },
}

impl TimerChange {
    /// Whose.
    pub fn plugin(&self) -> &str {
        match self {
            Self::Set { plugin, .. } | Self::Cancel { plugin, .. } => plugin,
        }
    }
}

/// A timer whose time has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueTimer {
    /// Whose.
    pub account: AccountName,
    /// Which plugin's.
    pub plugin: Arc<str>,
    /// Which.
    pub name: String,
    /// The lane of its event.
    pub conv: ContactId,
    /// When it was due.
    pub due_ms: i64,
    /// The event that set it.
    pub cause: u64,
    /// As it was set.
    pub body: Arc<str>,
}

/// One due time, to become an event.
#[derive(Debug, Clone)]
pub struct Firing {
    /// Whose.
    pub account: AccountName,
    /// The event.
    pub row: NewRow,
    /// What is due.
    pub origin: Origin,
    /// Now.
    pub now_ms: i64,
}

/// What is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A timer. It is fired if it is still the one that was found due: set by that event, for that time.
    Timer {
        /// Whose.
        plugin: Arc<str>,
        /// Which.
        name: String,
        /// When.
        due_ms: i64,
        /// The event that set it.
        cause: u64,
    },
    /// A schedule.
    Schedule {
        /// Whose.
        plugin: Arc<str>,
        /// Which.
        name: Arc<str>,
        /// When.
        due_ms: i64,
    },
}

/// A schedule of an account, by the plugin and its name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ScheduleKey {
    /// Whose.
    pub account: AccountName,
    /// Which plugin's.
    pub plugin: Arc<str>,
    /// Which.
    pub name: Arc<str>,
}

/// What is kept of a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedSchedule {
    /// Whose.
    pub plugin: String,
    /// Which.
    pub name: String,
    /// The last due time that became an event, or when it was first wanted. Milliseconds since 1970.
    pub last_ms: i64,
}

/// The steps around timers and schedules.
pub trait ClockStore {
    /// Timers that are due, the oldest first, and when the next one will be that is not among them.
    fn due_timers(&self, now_ms: i64, limit: usize) -> Answer<'_, (Vec<DueTimer>, Option<i64>)>;

    /// Makes events of what is due. For each in one step: the event is there, and the timer is gone or the schedule has
    /// moved on; so whoever ends in between has neither lost nor doubled it. Answers their numbers; `None` where the timer
    /// was changed meanwhile, or the due time has become an event before.
    ///
    /// They are given out by [`due`](super::Store::due), at once: their numbers may be lower than those of events that are
    /// handled already, so [`waiting`](super::Store::waiting) would pass them over.
    fn fire(&self, firings: Vec<Firing>) -> Answer<'_, Vec<Option<u64>>>;

    /// Notes that these are wanted from now on, where that is news: only what is due later can be missed.
    fn want_schedules(&self, wanted: Vec<ScheduleKey>, now_ms: i64) -> Answer<'_, ()>;

    /// All schedules of an account that are, or were, wanted.
    fn schedules(&self, account: &AccountName) -> Answer<'_, Vec<SavedSchedule>>;

    /// Rings when a timer was set that is due before whatever its owner waits for.
    fn bell(&self) -> Arc<Bell>;
}

/// Wakes whoever waits for the next timer when one is set that is due earlier.
///
/// A caller that goes away while its step is under way may set a timer and not ring; so nobody sleeps on the bell alone.
#[derive(Debug)]
pub struct Bell {
    /// What is waited for.
    until_ms: AtomicI64,
    rung: Notify,
}

impl Default for Bell {
    fn default() -> Self {
        Self { until_ms: AtomicI64::new(i64::MAX), rung: Notify::new() }
    }
}

impl Bell {
    /// A timer was set, and that is committed.
    pub fn ring(&self, due_ms: i64) {
        if due_ms < self.until_ms.load(Ordering::SeqCst) {
            self.rung.notify_one();
        }
    }

    /// From now on each ring counts. To be called before looking for the next timer, or one that is set meanwhile rings
    /// unheard.
    pub fn arm(&self) {
        self.until_ms.store(i64::MAX, Ordering::SeqCst);
    }

    /// Waits for a ring for something due before `until_ms`, or since the last [`arm`](Self::arm).
    ///
    /// Cancel safe: a ring is kept for the next call.
    pub async fn wait(&self, until_ms: i64) {
        self.until_ms.store(until_ms, Ordering::SeqCst);
        self.rung.notified().await;
    }
}
