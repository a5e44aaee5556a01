//! Something that happened to an account: the unit that is stored, routed and handled.

use serde::{Deserialize, Serialize};

use crate::id::{AccountName, ContactId, EventKey, MsgId};
use crate::message::Message;

/// One event as plugins and middleware see it. It is stored as JSON in the inbox before anybody does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The account it happened to.
    pub account: AccountName,
    /// Unique within the account; a second one with the same key is absorbed.
    pub key: EventKey,
    /// The conversation it belongs to: events of one conversation are handled one after another.
    pub chat: Chat,
    /// Who did it; `None` for the service itself.
    pub sender: Option<Person>,
    /// When it happened by the service's clock, seconds since 1970.
    pub at_s: i64,
    /// True when it is older than the `old-message` limit; only plugins marked `late` see it then.
    #[serde(default)]
    pub late: bool,
    /// What happened.
    pub kind: EventKind,
}

/// A conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chat {
    /// wxbot's id of the person or room.
    pub id: ContactId,
    /// Private, group, …
    pub kind: ChatKind,
    /// The name as shown when the event was accepted.
    pub name: String,
}

/// Sorts of conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ChatKind {
    /// With one person.
    Private,
    /// A room.
    Group,
    /// With an official account.
    Official,
    /// With a built-in account (`filehelper`), or with nobody: events of the account itself.
    Special,
}

/// A person within an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// wxbot's id of the person; the only thing that rights may be bound to.
    pub id: ContactId,
    /// The name as shown in the chat: for people to read, never to decide by.
    pub name: String,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
#[non_exhaustive]
pub enum EventKind {
    /// A message came in.
    Message(Message),
    /// A message was taken back.
    Recall {
        /// The message that is gone; `None` when the service does not say which.
        msg: Option<MsgId>,
        /// The text shown in its place.
        notice: String,
    },
    /// The phone opened, left or read a chat, or listed its recent chats (`StatusNotifyCode`).
    Status {
        /// 1 read, 2 opened, 4 recent chats, 5 left.
        code: i64,
    },
    /// A contact or room is new or changed.
    ContactChanged,
    /// A friend was deleted or a room left.
    ContactRemoved,
    /// Messages may be missing: the service refused our cursor and the session began anew.
    Gap {
        /// Last moment known to be complete, seconds since 1970; 0 when unknown.
        from_s: i64,
        /// When the session began anew.
        to_s: i64,
    },
}

impl EventKind {
    /// A short word for logs, filters and the `kind` column of the inbox.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Message(_) => "message",
            Self::Recall { .. } => "recall",
            Self::Status { .. } => "status",
            Self::ContactChanged => "contact_changed",
            Self::ContactRemoved => "contact_removed",
            Self::Gap { .. } => "gap",
        }
    }
}

impl Event {
    /// The message, if this event is one.
    pub fn message(&self) -> Option<&Message> {
        match &self.kind {
            EventKind::Message(message) => Some(message),
            EventKind::Recall { .. }
            | EventKind::Status { .. }
            | EventKind::ContactChanged
            | EventKind::ContactRemoved
            | EventKind::Gap { .. } => None,
        }
    }

    /// The text of a text message, else nothing.
    pub fn text(&self) -> Option<&str> {
        self.message().and_then(|m| m.content.text())
    }

    /// True for a message in a room.
    pub fn is_group(&self) -> bool {
        self.chat.kind == ChatKind::Group
    }

    /// True for a message that our own account sent from elsewhere.
    pub fn from_self(&self) -> bool {
        self.message().is_some_and(|m| m.from_self)
    }
}
