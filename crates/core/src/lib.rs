//! WeChat protocols as wxbot speaks them: bytes on one side, model words on the other.
//!
//! Reading order: [`transport`] (the seam) → [`http`] (the real carrier and the cookie jar) → [`protocol`] (what the
//! runtime sees of any protocol) → [`push`] (what a service sends by itself) → [`error`] → [`source`] (time and
//! chance) → [`lenient`] and [`said`] (what several protocols read alike) → [`split`] (texts that are too long) → [`mapping`] (what services are asked by
//! tables) → one module per protocol, all of one
//! shape: `endpoint` where it is asked, `wire` what the server says, `login`, `sync`, `ret` the codes, `xml`, `convert`.

pub mod error;
pub mod http;
pub mod ilink;
pub mod lenient;
pub mod mapping;
pub mod pchook;
pub mod protocol;
pub mod push;
pub mod said;
pub mod source;
pub mod split;
pub mod transport;
pub mod webwx;
pub mod wecom;

pub use error::{EndReason, Error, FetchError, SendError};
pub use protocol::{
    ActionSender, Batch, ContactChange, Incoming, LoginEvent, LoginWatcher, Outgoing, Protocol, Receipt, ReplyWindow,
    SavedSession, Session,
};
