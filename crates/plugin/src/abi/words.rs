//! Which numbers and records do the two sides exchange? Operations, statuses, faults and log records.
//!
//! Numbers are newtypes, not enums: the other side may be younger and know more of them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Writes a newtype over a number whose known values have names.
macro_rules! numbers {
    ($(#[$doc:meta])* $name:ident($number:ty) { $($(#[$why:meta])* $word:ident = $value:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $number);

        impl $name {
            $($(#[$why])* pub const $word: Self = Self($value);)*

            /// The name of the number; nothing for one that is not known yet.
            pub fn word(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some(stringify!($word)),)*
                    _ => None,
                }
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self.word() {
                    Some(word) => f.write_str(word),
                    None => write!(f, "{}({})", stringify!($name), self.0),
                }
            }
        }
    };
}

numbers! {
    /// What the host asks of a plugin. An operation that a library does not know is answered with
    /// [`Status::UNSUPPORTED`].
    PluginOp(u32) {
        /// Starts the instance with the settings that it was created with.
        INIT = 1,
        /// Events will come from now on.
        START = 2,
        /// Handle an event: a message, a notice, a due timer or schedule. Answered with effects.
        EVENT = 3,
        /// Handle a command. Answered with effects.
        COMMAND = 4,
        /// End; no more events come.
        STOP = 5,
        /// Is all well?
        HEALTH = 6,
        /// The next message of a parked dialog.
        RESUME = 7,
        /// May this event go on along the chain?
        GUARD = 8,
        /// Are the settings good? Asked instead of INIT; answered with all that is wrong, or with the plan.
        CHECK = 9,
        /// A parked dialog gets no answer any more.
        FORGET = 10,
    }
}

numbers! {
    /// What a plugin asks of the host.
    HostOp(u32) {
        /// Performs an action at once and answers the receipt.
        ACTION = 1,
        /// Reads a value of the plugin's store.
        KV_GET = 2,
        /// Writes one; only outside of events and commands, whose writes are effects.
        KV_PUT = 3,
        /// Looks up a contact, a room or an account.
        LOOKUP = 4,
        /// Fetches media into a file and answers its path.
        MEDIA = 5,
        /// The plugin needs a fetched file no longer.
        RELEASE = 6,
        /// Lists values of the plugin's store.
        KV_LIST = 7,
    }
}

numbers! {
    /// How a call ended. One that is not known reads as [`ERROR`](Self::ERROR).
    Status(i32) {
        /// Well; the reply is the answer.
        OK = 0,
        /// The handler failed and said why.
        ERROR = 1,
        /// It panicked.
        PANIC = 2,
        /// It was cancelled before its end.
        CANCELLED = 3,
        /// The payload could not be read.
        DECODE = 4,
        /// The operation is not known there.
        UNSUPPORTED = 5,
        /// The library is ending.
        STOPPING = 6,
        /// The asker has no right to it.
        DENIED = 7,
        /// Too much at once; later it may work.
        BUSY = 8,
        /// It took too long.
        TIMEOUT = 9,
        /// The instance was retired; the host has forgotten it.
        HOST_GONE = 10,
        /// The boundary itself failed.
        INTERNAL = 11,
    }
}

numbers! {
    /// How serious a log record is; also the most verbose level that is wanted, where 0 is silence.
    LogLevel(u32) {
        /// Nothing.
        OFF = 0,
        /// Somebody must act.
        ERROR = 1,
        /// It coped.
        WARN = 2,
        /// Something changed.
        INFO = 3,
        /// One line per event.
        DEBUG = 4,
        /// All.
        TRACE = 5,
    }
}

impl Status {
    /// The number as this side understands it.
    pub fn known(self) -> Self {
        if self.word().is_some() { self } else { Self::ERROR }
    }

    fn says(self) -> &'static str {
        match self.known() {
            Self::PANIC => "it panicked",
            Self::CANCELLED => "it was cancelled",
            Self::DECODE => "it could not read the payload",
            Self::UNSUPPORTED => "it does not know this operation",
            Self::STOPPING => "it is ending",
            Self::DENIED => "it has no right to this",
            Self::BUSY => "it has too much to do",
            Self::TIMEOUT => "it took too long",
            Self::HOST_GONE => "the instance was retired",
            Self::INTERNAL => "the boundary failed",
            _ => "it failed",
        }
    }
}

/// Why a call did not end well: what a reply carries whose status is not [`Status::OK`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Fault {
    /// The number that crossed beside the record.
    #[serde(skip)]
    pub status: Status,
    /// A stable word for programs; may be empty.
    pub code: String,
    /// For people.
    pub message: String,
    /// Whether the same call may work later.
    pub retryable: bool,
}

impl Default for Status {
    fn default() -> Self {
        Self::ERROR
    }
}

impl Default for Fault {
    fn default() -> Self {
        Self::of(Status::ERROR)
    }
}

impl Fault {
    /// A fault that says what its status says.
    pub fn of(status: Status) -> Self {
        let retryable = matches!(status, Status::BUSY | Status::TIMEOUT | Status::STOPPING | Status::PANIC);
        Self { status, code: String::new(), message: status.says().into(), retryable }
    }

    /// A fault with words of its own.
    pub fn new(status: Status, message: impl Into<String>) -> Self {
        Self { message: message.into(), ..Self::of(status) }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

/// One line of a plugin's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LogRecord {
    /// How serious.
    pub level: LogLevel,
    /// Where in the plugin it was said, mostly a module.
    pub target: String,
    /// The text.
    pub message: String,
    /// Names and values that came with it.
    pub fields: Vec<(String, String)>,
}

impl Default for LogRecord {
    fn default() -> Self {
        Self { level: LogLevel::INFO, target: String::new(), message: String::new(), fields: Vec::new() }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// All numbers under the names that the C header gives them.
    pub(in crate::abi) fn spelled_for_c() -> Vec<(String, u64)> {
        let mut all = Vec::new();
        for number in 0..32_u32 {
            let signed = i32::try_from(number).unwrap();
            for (prefix, word) in [
                ("WX_OP", PluginOp(number).word()),
                ("WX_HOST", HostOp(number).word()),
                ("WX", Status(signed).word()),
                ("WX_LOG", LogLevel(number).word()),
            ] {
                all.extend(word.map(|word| (format!("{prefix}_{word}"), number.into())));
            }
        }
        assert_eq!(all.len(), 10 + 7 + 12 + 6);
        all
    }

    #[test]
    fn what_is_not_known_yet_is_an_error_and_not_a_panic() {
        assert_eq!(Status(77).known(), Status::ERROR);
        assert_eq!(Status::BUSY.known(), Status::BUSY);
        assert_eq!(format!("{:?} {:?}", PluginOp::EVENT, PluginOp(77)), "EVENT PluginOp(77)");
        assert_eq!(Fault::of(Status(77)).message, "it failed");
    }

    #[test]
    fn a_fault_of_a_younger_side_is_read() {
        let fault: Fault = serde_json::from_str(r#"{"message":"no","more":[1]}"#).unwrap();
        assert_eq!((fault.message.as_str(), fault.code.as_str(), fault.retryable), ("no", "", false));
    }
}
