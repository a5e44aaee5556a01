//! What of a service that pushes? Its bodies come through a [`Door`], wait in a [`Mailbox`], and are answered when they are
//! kept.
//!
//! Services that push say a thing once. So a body is answered only when what was read out of it is committed: it waits in
//! the account's mailbox, the session takes it and makes a [`Batch`](crate::Batch) of it, the runtime commits the batch and
//! tells its [`Kept`]. A session that ends before that leaves the bodies it has not taken to the next one, and those that
//! it took are answered with a no.

mod mailbox;
mod read;
mod session;

use std::fmt;
use std::net::IpAddr;

use bytes::Bytes;
use wxbot_model::Secret;

pub use mailbox::{Kept, Mailbox, NotKept, Post};
pub use read::{LoggedOut, NOBODY, NotOurs, Read};
pub use session::{Beside, PushedSession, Reads};

/// How pushed requests come to one account: judged first, then kept.
pub trait Door: Send + Sync + fmt::Debug {
    /// Says what to do with a request, by what it is and who it says that it is for. Its address has been proved to be this
    /// account's before, except where [`Knock::unproved`] says that nothing was.
    ///
    /// It only reads, and quickly: nothing is kept yet.
    fn knock(&self, knock: &Knock<'_>) -> Knocked;

    /// A request with this mark was kept: a repeat of it needs only an answer.
    fn kept(&self, _mark: &str, _now_ms: i64) {}

    /// Where what is to be kept waits.
    fn mailbox(&self) -> &Mailbox;

    /// What stands in the address behind the account's name: more than one while they are changed over.
    fn secrets(&self) -> &[Secret<String>];

    /// Whether it also takes what comes to the address without a secret that hooks use which cannot be set.
    fn takes_default_path(&self) -> bool {
        false
    }
}

/// A pushed request.
#[derive(Debug, Clone)]
pub struct Knock<'a> {
    /// `GET`, `POST`, …
    pub method: &'a str,
    /// What stands behind the `?`, as it came.
    pub query: &'a str,
    /// All of it; at most what the server takes.
    pub body: &'a Bytes,
    /// Who sent it.
    pub from: IpAddr,
    /// The moment, ms since 1970.
    pub now_ms: i64,
    /// True when it came to an address without a secret, which several accounts may share: only what the request itself
    /// says tells whose it is.
    pub unproved: bool,
}

/// What to do with a pushed request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Knocked {
    /// Keep this body, then answer.
    Keep {
        /// What the session reads.
        body: Bytes,
        /// What is said when it is kept.
        answer: Reply,
        /// What the same request has again when it is repeated, for [`Door::kept`]; empty where repeats are known by
        /// what they say.
        mark: String,
    },
    /// There is nothing to keep: a test of the address, a repeat of what is kept.
    Answer(Reply),
    /// It is not for this account. At a shared address another one is asked.
    NotOurs,
    /// It is refused.
    Refuse(Refused),
}

/// What a service is answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reply {
    /// `Content-Type`.
    pub content_type: &'static str,
    /// The body.
    pub body: Bytes,
}

/// Why a pushed request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// Another account's name, port or session stands in it.
    #[error("it names another account")]
    WrongAccount,
    /// The signature is missing or wrong, or what it signs cannot be opened.
    #[error("its signature is wrong")]
    BadSignature,
    /// It is too old, or from the future.
    #[error("its time is too far from ours")]
    Stale,
    /// Not the method that the service uses.
    #[error("it is no POST")]
    Method,
    /// Not even the envelope can be read.
    #[error("it cannot be read")]
    Unreadable,
}

impl Refused {
    /// A word for counters.
    pub fn word(self) -> &'static str {
        match self {
            Self::WrongAccount => "wrong_account",
            Self::BadSignature => "bad_signature",
            Self::Stale => "stale",
            Self::Method => "method",
            Self::Unreadable => "unreadable",
        }
    }

    /// The HTTP status.
    pub fn status(self) -> u16 {
        match self {
            Self::WrongAccount | Self::BadSignature | Self::Stale => 403,
            Self::Method => 405,
            Self::Unreadable => 400,
        }
    }
}

impl Reply {
    /// Plain text.
    pub fn text(body: impl Into<Bytes>) -> Self {
        Self { content_type: "text/plain; charset=utf-8", body: body.into() }
    }

    /// JSON.
    pub fn json(body: impl Into<Bytes>) -> Self {
        Self { content_type: "application/json", body: body.into() }
    }
}
