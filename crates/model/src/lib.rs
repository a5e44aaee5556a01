//! The words that every part of wxbot uses: ids, contacts, messages, events, actions, capabilities, secrets.
//!
//! Reading order: [`id`] → [`contact`] → [`message`] → [`event`] → [`action`] → [`capability`] → [`secret`] → [`span`].
//! Nothing here does I/O or knows a protocol; wire shapes live in `wxbot-core`.

pub mod action;
pub mod capability;
pub mod contact;
pub mod event;
pub mod id;
pub mod message;
pub mod secret;
pub mod span;

pub use action::Action;
pub use capability::{Capabilities, Capability};
pub use contact::{Contact, ContactKind, Member, Sex};
pub use event::{Chat, ChatKind, Event, EventKind, Person};
pub use id::{AccountName, ClientMsgId, ContactId, EventKey, IdError, MsgId, PeerId};
pub use message::{Content, MediaHandle, Mentions, Message};
pub use secret::Secret;
