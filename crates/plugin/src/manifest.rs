//! Who is a plugin, what does it need, and what does it listen to? Facts that are read without running a handler.

use serde::{Deserialize, Serialize};
use wxbot_model::Capability;

use crate::role::Role;

/// The facts about a plugin. [`#[plugin]`](macro@crate::plugin) writes one; by hand it is made with the methods below.
///
/// It crosses the border to plugins that were built elsewhere as JSON: fields may be added, each with a default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Manifest {
    /// The name used in `use = [...]` and `[plugins.<id>]`: lower-case letters, digits and `-`.
    pub id: String,
    /// One sentence for lists.
    #[serde(default)]
    pub about: String,
    /// SemVer of the plugin.
    #[serde(default)]
    pub version: String,
    /// What an account must be able to do, or the plugin cannot run there.
    #[serde(default)]
    pub needs: Vec<Capability>,
    /// Kinds of event it wants, by [`EventKind::word`](wxbot_model::EventKind::word); messages unless stated. Timers and
    /// schedules of its own it gets always.
    #[serde(default)]
    pub events: Vec<String>,
    /// True when it wants messages that are older than the `old-message` limit, marked `late`.
    #[serde(default)]
    pub wants_late: bool,
    /// True when it keeps watch over rooms: it sees what is said there even when `rate-limit` or `loop-guard` hold it back
    /// from all others. Whoever floods a room must not blind its guard.
    #[serde(default)]
    pub watches: bool,
    /// Plugins with a higher one see an event first; equal ones in the order of `use`. 0 unless stated.
    #[serde(default)]
    pub priority: i32,
    /// True when it may stand in `middleware = [...]`: see [`Plugin::guard`](crate::Plugin::guard).
    #[serde(default)]
    pub guards: bool,
    /// Its handlers, for help texts and lists, in the order they are asked.
    #[serde(default)]
    pub handlers: Vec<HandlerSpec>,
}

/// One handler of a plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HandlerSpec {
    /// The method's name, for logs and `wxbot explain`.
    pub name: String,
    /// The method's doc comment: its help text.
    #[serde(default)]
    pub about: String,
    /// What it listens to.
    pub trigger: Trigger,
    /// Where: in rooms or private chats only.
    #[serde(default)]
    pub only: Option<Only>,
    /// In rooms: only when our account is mentioned.
    #[serde(default)]
    pub at_me: bool,
    /// Only from these people or in these chats; everybody when empty.
    #[serde(default)]
    pub from: Vec<String>,
    /// Who may use it; everybody when `None`.
    #[serde(default)]
    pub allow: Option<Role>,
    /// How often.
    #[serde(default)]
    pub cooldown: Option<Cooldown>,
    /// Handlers with a higher one are asked first; equal ones in the order of the source.
    #[serde(default)]
    pub priority: i32,
    /// True when neither later handlers nor later plugins see an event that this one took.
    #[serde(default)]
    pub block: bool,
}

/// What a handler listens to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "on", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Trigger {
    /// A text that begins with one of these words.
    Command {
        /// The name and its aliases.
        words: Vec<String>,
        /// What may follow.
        args: Vec<ArgSpec>,
    },
    /// A text that holds any of these words.
    Keyword {
        /// The words, compared without regard to case.
        any: Vec<String>,
    },
    /// A text that fits.
    Regex {
        /// The expression, in the syntax of the crate `regex`.
        pattern: String,
    },
    /// An event of one of these kinds.
    Event {
        /// [Words](wxbot_model::EventKind::word) of kinds.
        kinds: Vec<String>,
    },
    /// A timer that a handler of the plugin set.
    Timer {
        /// Its name.
        name: String,
    },
    /// A time that the settings say: of [`Plugin::plan`](crate::Plugin::plan).
    Schedule {
        /// Its name.
        name: String,
    },
    /// The clock.
    Cron {
        /// Second, minute, hour, day, month, weekday.
        expression: String,
        /// IANA name of the time zone; the machine's when `None`.
        #[serde(default)]
        tz: Option<String>,
        /// What happens about times that passed while wxbot was down.
        #[serde(default)]
        missed: Missed,
    },
    /// The next message of somebody whose [`Dialogue`](crate::Dialogue) is open.
    Continues,
    /// Something that this version of the SDK does not know.
    #[serde(other)]
    Unknown,
}

/// One argument of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ArgSpec {
    /// Its name.
    pub name: String,
    /// What it is, for people: `text`, `number`, ….
    pub kind: String,
    /// Whether it may be left out.
    #[serde(default)]
    pub optional: bool,
    /// True when it takes all that is left.
    #[serde(default)]
    pub rest: bool,
    /// Its doc comment.
    #[serde(default)]
    pub about: String,
}

/// In which sort of conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Only {
    /// In rooms.
    Group,
    /// With one person.
    Private,
}

/// What happens about times that passed while wxbot was down.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Missed {
    /// Nothing: the next time is the next time. A minute late is not missed.
    #[default]
    Skip,
    /// The last of them is made up for.
    Once,
    /// Each is made up for, at most a hundred.
    All,
}

/// How often a handler may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Cooldown {
    /// How long it rests, ms.
    pub ms: u64,
    /// For whom.
    pub per: Per,
}

/// Whom a cooldown holds up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Per {
    /// Who used it, in this chat.
    User,
    /// Everybody in the chat.
    Chat,
    /// Everybody.
    All,
}

impl Manifest {
    /// A plugin that handles messages in time and needs nothing else.
    pub fn new(id: impl Into<String>, about: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            about: about.into(),
            version: "0.1.0".into(),
            needs: Vec::new(),
            events: vec!["message".into()],
            wants_late: false,
            watches: false,
            priority: 0,
            guards: false,
            handlers: Vec::new(),
        }
    }

    /// States its version; `env!("CARGO_PKG_VERSION")` is usual.
    #[must_use]
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = version.into();
        self
    }

    /// States what it needs of an account.
    #[must_use]
    pub fn needs(mut self, needs: &[Capability]) -> Self {
        self.needs = needs.to_vec();
        self
    }

    /// States which kinds of event it wants instead of messages.
    #[must_use]
    pub fn events(mut self, words: &[&str]) -> Self {
        self.events = words.iter().map(|word| (*word).to_owned()).collect();
        self
    }

    /// Wants late messages too.
    #[must_use]
    pub fn wants_late(mut self) -> Self {
        self.wants_late = true;
        self
    }

    /// Keeps watch over rooms: sees what is said there even when there is too much of it for everybody else.
    #[must_use]
    pub fn watches(mut self) -> Self {
        self.watches = true;
        self
    }

    /// Comes before plugins with a lower one.
    #[must_use]
    pub fn priority(mut self, priority: i32) -> Self {
        self.priority = priority;
        self
    }

    /// May stand in `middleware = [...]`.
    #[must_use]
    pub fn guards(mut self) -> Self {
        self.guards = true;
        self
    }

    /// Adds a handler to what lists and help texts show.
    #[must_use]
    pub fn handler(mut self, spec: HandlerSpec) -> Self {
        self.handlers.push(spec);
        self
    }
}

impl HandlerSpec {
    /// A handler for everybody, everywhere.
    pub fn new(name: impl Into<String>, trigger: Trigger) -> Self {
        Self {
            name: name.into(),
            about: String::new(),
            trigger,
            only: None,
            at_me: false,
            from: Vec::new(),
            allow: None,
            cooldown: None,
            priority: 0,
            block: false,
        }
    }
}

impl ArgSpec {
    /// An argument that must be given.
    pub fn new(name: impl Into<String>, kind: impl Into<String>) -> Self {
        Self { name: name.into(), kind: kind.into(), optional: false, rest: false, about: String::new() }
    }
}

impl Cooldown {
    /// Rests so long for whom it says.
    pub fn new(ms: u64, per: Per) -> Self {
        Self { ms, per }
    }
}
