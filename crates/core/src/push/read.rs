//! What does a body become that a service pushed to us? The same for every protocol that is called instead of asking.
//!
//! A service pushes once and may never repeat it, so the rule is: events, contacts and the cursor of one [`Read`] are
//! committed together, and only then is the push answered. A reader has moved on when it returns: whoever cannot store
//! the read drops the reader and resumes one from the stored cursor, or keeps a clone of it from before.

use bytes::Bytes;
use wxbot_model::{PeerId, Secret};

use crate::protocol::{ContactChange, Incoming};

/// The chat of events of an account that does not know its own id yet: nobody's id.
pub const NOBODY: &str = "self";

/// What one pushed body tells.
#[derive(Debug, Clone, Default)]
pub struct Read {
    /// In the order of the body.
    pub events: Vec<Incoming>,
    /// Whoever is named for the first time, ourselves included, to apply before the events are stored. A text that is empty
    /// in them was not told: it replaces nothing that is known.
    pub contacts: Vec<ContactChange>,
    /// What the next reader resumes from; `None` when it did not change.
    pub cursor: Option<Bytes>,
    /// What else the next reader resumes from, which nobody may read: it is sealed at rest. `None` when it did not change.
    pub credentials: Option<Secret<Vec<u8>>>,
    /// The account is not logged in any more.
    pub logged_out: Option<LoggedOut>,
    /// Our own id, when this body told it for the first time, or another than was thought.
    pub self_id: Option<PeerId>,
    /// The body is not for this account: there is nothing else in this read, and nothing is to be stored.
    pub refused: Option<NotOurs>,
    /// Facts that are stated twice in the body, and differently. The plain one counted.
    pub mismatches: u32,
}

/// How a login ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedOut {
    /// What the service says, for people.
    pub text: String,
    /// Its code, where it gives one.
    pub code: Option<i64>,
    /// Seconds since 1970.
    pub at_s: i64,
}

/// Why a body is not for this account (security R03).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotOurs {
    /// It comes from another `ServerPort`.
    #[error("it comes from another instance than this account's")]
    OtherInstance,
    /// Its `selfwxid` is another account.
    #[error("it belongs to another WeChat account")]
    OtherAccount,
}
