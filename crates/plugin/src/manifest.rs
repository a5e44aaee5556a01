//! Who is a plugin, what does it need, and what is wrong with its settings?

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use wxbot_model::Capability;

/// The facts about a plugin that are read without running it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Manifest {
    /// The name used in `use = [...]` and `[plugins.<id>]`.
    pub id: &'static str,
    /// One sentence for lists.
    pub about: &'static str,
    /// SemVer of the plugin.
    pub version: &'static str,
    /// What an account must be able to do, or the plugin cannot run there.
    pub needs: Vec<Capability>,
    /// Kinds of event it wants, by [`EventKind::word`](wxbot_model::EventKind::word); messages unless stated.
    pub events: Vec<&'static str>,
    /// True when it wants messages that are older than the `old-message` limit, marked `late`.
    pub wants_late: bool,
}

impl Manifest {
    /// A plugin that handles messages in time and needs nothing else.
    pub fn new(id: &'static str, about: &'static str) -> Self {
        Self { id, about, version: "0.1.0", needs: Vec::new(), events: vec!["message"], wants_late: false }
    }

    /// States its version; `env!("CARGO_PKG_VERSION")` is usual.
    #[must_use]
    pub fn version(mut self, version: &'static str) -> Self {
        self.version = version;
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
    pub fn events(mut self, words: &[&'static str]) -> Self {
        self.events = words.to_vec();
        self
    }

    /// Wants late messages too.
    #[must_use]
    pub fn wants_late(mut self) -> Self {
        self.wants_late = true;
        self
    }
}

/// Settings of a plugin that has none: any key is a mistake.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoConfig {}

/// One thing wrong with settings. The host finds the place in `bot.toml` by the pointer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigProblem {
    /// JSON pointer (RFC 6901) of the value, like `/rules/0/regex`; empty for the whole.
    pub pointer: String,
    /// What is wrong, one sentence without a full stop.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

impl ConfigProblem {
    /// A problem at `pointer`.
    pub fn at(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), message: message.into(), help: None }
    }

    /// Adds what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The first thing that keeps `settings` from being read as `T`; none when it can be.
    pub fn of_reading<T: DeserializeOwned>(settings: &Value) -> Vec<Self> {
        match serde_path_to_error::deserialize::<_, T>(settings) {
            Ok(_) => Vec::new(),
            Err(error) => {
                let mut pointer = String::new();
                for segment in error.path() {
                    match segment {
                        serde_path_to_error::Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
                        serde_path_to_error::Segment::Map { key } => {
                            pointer.push_str(&format!("/{}", key.replace('~', "~0").replace('/', "~1")));
                        }
                        serde_path_to_error::Segment::Enum { .. } | serde_path_to_error::Segment::Unknown => {}
                    }
                }
                vec![Self::at(pointer, error.into_inner().to_string())]
            }
        }
    }
}
