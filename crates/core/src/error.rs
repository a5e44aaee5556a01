//! What can go wrong with a protocol, by what the caller does about it.

use std::fmt;
use std::time::Duration;

use crate::transport::TransportError;

/// A request that gave nothing usable.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No answer came. Try again later.
    #[error("{endpoint} got no answer")]
    Transport {
        /// The endpoint's name on the wire.
        endpoint: &'static str,
        /// What happened.
        #[source]
        source: TransportError,
    },
    /// An HTTP status that is no answer of this endpoint. Try again later.
    #[error("{endpoint} answered HTTP {status}")]
    Status {
        /// The endpoint's name on the wire.
        endpoint: &'static str,
        /// The status.
        status: u16,
    },
    /// The answer cannot be read: HTML, cut JSON, another shape. Try again later.
    #[error("cannot read the answer of {endpoint} ({len} bytes, {looks})")]
    Decode {
        /// The endpoint's name on the wire.
        endpoint: &'static str,
        /// Length of the answer.
        len: usize,
        /// What it looks like: "an HTML page", "cut off", ….
        looks: &'static str,
        /// What the reader said.
        #[source]
        source: DecodeError,
    },
    /// The service refused, in its own words. What to do is in [`Refusal::advice`].
    #[error("{endpoint} refused: {refusal}")]
    Refused {
        /// The endpoint's name on the wire.
        endpoint: &'static str,
        /// Code and words.
        refusal: Refusal,
    },
    /// The session is over; a person may have to log in again.
    #[error("the session ended: {0}")]
    Ended(EndReason),
    /// Connections open, and nothing is ever answered: what there is of the session must be dropped, not waited for.
    #[error("{endpoint} was not answered for {} s", after.as_secs())]
    Silent {
        /// The endpoint's name on the wire.
        endpoint: &'static str,
        /// How long nothing came.
        after: Duration,
    },
    /// Risk control met another request of the same session, which is over by that. What to do is in the [`Risk`].
    #[error("{why}")]
    Stopped {
        /// What the service said, and to what.
        why: String,
        /// What it holds against us.
        risk: Risk,
    },
    /// A login that did not come about: not scanned in time, cancelled on the phone, nobody watching any more.
    #[error("login not completed: {0}")]
    LoginNotCompleted(&'static str),
    /// Saved state that this version cannot read.
    #[error("saved session cannot be read: {0}")]
    BadSavedSession(String),
    /// The account's settings make no sense to this protocol.
    #[error("{0}")]
    Settings(String),
}

impl Error {
    /// True when trying the same again later may help without anybody doing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Transport { .. } | Self::Status { .. } | Self::Decode { .. } | Self::Silent { .. } => true,
            Self::Refused { refusal, .. } => refusal.advice == Advice::TryLater,
            Self::Ended(_)
            | Self::Stopped { .. }
            | Self::LoginNotCompleted(_)
            | Self::BadSavedSession(_)
            | Self::Settings(_) => false,
        }
    }
}

/// Why bytes could not be read. Never holds the bytes: they may be secrets.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct DecodeError(pub String);

/// A service's no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The service's code (`BaseResponse.Ret`, `<ret>`).
    pub ret: i64,
    /// The service's words, cut at 300 characters; may be empty.
    pub message: String,
    /// What the code means for us.
    pub advice: Advice,
}

/// What to do about a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advice {
    /// The same request may work later.
    TryLater,
    /// The same request will never work.
    GiveUp,
    /// Risk control: the account must not go on by itself, not even later. A person has to look.
    Stop(Risk),
}

/// What risk control holds against an account, by what a person does about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Risk {
    /// This login or this place is not trusted, or may not be used at all (1203).
    Forbidden,
    /// Too much was done in too short a time (1205).
    TooOften,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "code {}", self.ret)?;
        if !self.message.is_empty() {
            write!(f, " ({})", self.message)?;
        }
        Ok(())
    }
}

/// Why a session is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum EndReason {
    /// Logged out on the phone, or the service no longer knows the session (1100).
    LoggedOut,
    /// Another web login took its place, or the service dropped it (1101).
    Replaced,
    /// The service refuses the cookies (1102).
    CookiesRefused,
    /// The service no longer takes the token: bound elsewhere, or too old (-14).
    TokenRefused,
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LoggedOut => "logged out on the phone, or forgotten by the service (1100)",
            Self::Replaced => "another web login took its place, or the service dropped it (1101)",
            Self::CookiesRefused => "the service refuses the cookies (1102)",
            Self::TokenRefused => "the service no longer takes the token: bound elsewhere, or too old (-14)",
        })
    }
}

/// What became of an action that did not succeed. The difference decides whether it may go on the wire again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// Surely not taken: it may be sent again, not before `after`.
    #[error("not taken: {why}")]
    NotTaken {
        /// What happened.
        why: String,
        /// How long to wait at least.
        after: Duration,
    },
    /// It may have been taken: sending again may double it.
    #[error("no telling whether it was taken: {why}")]
    Uncertain {
        /// What happened.
        why: String,
    },
    /// Refused for good.
    #[error("refused: {why}")]
    Failed {
        /// What the service said.
        why: String,
    },
    /// Surely not taken: this conversation takes nothing before somebody writes in it, or `after`, whichever is later.
    #[error("the conversation is closed: {why}")]
    Closed {
        /// What the service said.
        why: String,
        /// How long to wait at least.
        after: Duration,
    },
    /// The session is over; the action was not taken and waits for the next one.
    #[error("the session ended: {0}")]
    Ended(EndReason),
    /// Risk control: not taken, and nothing more goes out before a person has looked. It waits.
    #[error("stopped by risk control: {why}")]
    Stopped {
        /// What the service said.
        why: String,
        /// What it holds against us.
        risk: Risk,
    },
}

/// Why bytes or a description were not to be had.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// Asking again later may help.
    #[error("not now: {why}")]
    NotNow {
        /// What happened.
        why: String,
    },
    /// The service no longer has it, or never had.
    #[error("the service does not have it: {why}")]
    Gone {
        /// What it answered.
        why: String,
    },
    /// It will never be given.
    #[error("refused: {why}")]
    Refused {
        /// What the service, or we, said.
        why: String,
    },
    /// The session is over.
    #[error("the session ended: {0}")]
    Ended(EndReason),
    /// Risk control: nothing more may be asked before a person has looked.
    #[error("stopped by risk control: {why}")]
    Stopped {
        /// What the service said.
        why: String,
        /// What it holds against us.
        risk: Risk,
    },
}
