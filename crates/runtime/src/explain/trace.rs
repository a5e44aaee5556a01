//! What is remembered of how an event was handled? At most 8 KiB each, texts of messages never.

use serde::Serialize;
use wxbot_model::AccountName;
use wxbot_plugin::host::Note;

/// How one event was handled, the last time it was.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trace {
    /// Its number in the inbox.
    pub seq: u64,
    /// Whose.
    pub account: AccountName,
    /// Which try this was; 1 the first time.
    pub attempt: u32,
    /// When it began, milliseconds since 1970.
    pub at_ms: i64,
    /// How long it took, microseconds.
    pub took_us: u64,
    /// What it passed on its way, in order.
    pub stations: Vec<Step>,
    /// The command of wxbot itself that answered it: then no plugin was asked.
    pub builtin: Option<String>,
    /// The plugins of the account, in their order.
    pub plugins: Vec<PluginStep>,
    /// How it ended.
    pub ended: Ended,
    /// Something was left out, or it would be too long.
    pub cut: bool,
}

/// A middleware that the event came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    /// Its name.
    pub name: String,
    /// What it did itself, without what stands behind it, microseconds.
    pub took_us: u64,
    /// What became of the event there.
    pub how: Passage,
}

/// What became of an event at a middleware.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Passage {
    /// It went on as it was.
    Passed,
    /// It went on, marked as late: only plugins that asked for late ones see it.
    MarkedLate,
    /// It let the event go on to plugins that keep watch alone.
    HeldBack {
        /// Why.
        why: String,
    },
    /// It went no further.
    Stopped {
        /// Why.
        why: String,
    },
}

/// A plugin of the account.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PluginStep {
    /// Its id.
    pub plugin: String,
    /// Whether it was asked, and what it said.
    #[serde(flatten)]
    pub how: Heard,
}

/// Whether a plugin was asked, and what it said.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Heard {
    /// It was not asked.
    Skipped(Skip),
    /// It was asked.
    Asked {
        /// How long it took, microseconds.
        took_us: u64,
        /// What its matchers thought.
        notes: Vec<Note>,
        /// How many effects it answered.
        effects: usize,
        /// Why it gave nothing, if it failed.
        error: Option<String>,
    },
}

/// Why a plugin was not asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "why")]
#[non_exhaustive]
pub enum Skip {
    /// It did not ask for events of this kind.
    NotWanted {
        /// The word of the kind.
        kind: String,
    },
    /// `/plugin off` silenced it in this chat.
    Silenced,
    /// The event is older than the limit, and it did not ask for late ones.
    Late,
    /// A middleware holds it back from all that do not keep watch.
    HeldBack {
        /// Which.
        by: String,
    },
    /// Another one took the event for itself.
    Blocked {
        /// Which.
        by: String,
    },
    /// It failed too often in a row; its breaker is open.
    Resting {
        /// How long still, milliseconds.
        for_ms: u64,
    },
    /// It was done with the event at an earlier try.
    DoneBefore,
}

/// How the handling of an event ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Ended {
    /// It went through the chain.
    Passed {
        /// How many actions came of it.
        actions: usize,
    },
    /// It was stopped.
    Stopped {
        /// By which middleware.
        by: String,
        /// Why.
        why: String,
    },
    /// A plugin could not handle it; it is tried again, or given up.
    Troubled {
        /// Which plugin.
        plugin: String,
        /// What happened.
        why: String,
    },
}
