//! Something that happened to an account: the unit that is stored, routed and handled.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::id::{AccountName, ContactId, EventKey, MsgId};
use crate::message::{Content, MediaHandle, Message};
use crate::notice::{FriendRequest, MembersJoined, Noticed, Who};

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
///
/// A plugin's manifest names the kinds it wants by their [words](Self::word): `message`, `recall`, `media_ready`,
/// `status`, `contact_changed`, `contact_removed`, `gap`; `friend_request`, `friend_added`, `not_friend`; `members_joined`,
/// `members_removed`, `removed_me`, `topic_changed`, `pat`; `members_changed`, `owner_changed`; `timer`, `schedule`.
///
/// From `friend_request` to `pat` they are read out of what the service tells, mostly texts in Chinese or English. What
/// is not recognized comes as a message with [`Content::System`](crate::Content::System). The two after them come from
/// comparing lists: a member who leaves quietly is told by no text. The last two come from wxbot's own clock.
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
        /// What it said, where the protocol still tells it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
    },
    /// The bytes of a message that came before are there: the hook has written them to a file, or says where they are.
    MediaReady {
        /// The message.
        msg: MsgId,
        /// Where its bytes are now.
        media: MediaHandle,
    },
    /// The phone opened, left or read a chat, or listed its recent chats (`StatusNotifyCode`).
    Status {
        /// 1 read, 2 opened, 4 recent chats, 5 left.
        code: i64,
        /// `<op id>` of the notice, usually the same number; `None` when it has none.
        #[serde(default)]
        op: Option<i64>,
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
    /// Somebody wants to be our friend, or the service recommends somebody.
    FriendRequest(FriendRequest),
    /// Somebody is a friend now.
    FriendAdded {
        /// The friend's name.
        name: String,
        /// Who asked: we, or the friend.
        by: Who,
        /// The whole text.
        notice: String,
    },
    /// What we sent did not arrive: the other one is no friend any more.
    NotFriend {
        /// The other one's name.
        name: String,
        /// The whole text.
        notice: String,
    },
    /// People came into a room, perhaps we among them.
    MembersJoined(MembersJoined),
    /// People were removed from a room.
    MembersRemoved {
        /// Who.
        names: Vec<String>,
        /// By whom; the service tells it only of ourselves.
        by: Who,
        /// The whole text.
        notice: String,
    },
    /// We were removed from a room.
    RemovedMe {
        /// By whom.
        by: Who,
        /// The whole text.
        notice: String,
    },
    /// A room has another name.
    TopicChanged {
        /// The new one.
        topic: String,
        /// Who gave it.
        by: Who,
        /// The whole text.
        notice: String,
    },
    /// Somebody patted somebody (拍一拍).
    Pat {
        /// Who did it.
        by: Who,
        /// To whom.
        whom: Who,
        /// The whole text.
        notice: String,
    },
    /// A room's list of members is another than before, and no text said so: noticed by comparison. Whoever is named
    /// in a `members_joined` or `members_removed` is not told again here, and the other way round.
    MembersChanged {
        /// Who came in.
        joined: Vec<Noticed>,
        /// Who is gone: left, or removed by somebody else than us.
        left: Vec<Noticed>,
    },
    /// A room has another owner: noticed by comparison.
    OwnerChanged {
        /// Who it was.
        from: Option<Noticed>,
        /// Who it is.
        to: Noticed,
    },
    /// A timer that a plugin set is due. It comes in the chat that it was set for, to that plugin alone.
    Timer {
        /// Whose it is.
        plugin: String,
        /// What the plugin called it.
        name: String,
        /// What the plugin gave it along.
        payload: Value,
        /// When it was due, milliseconds since 1970. It may have come later: wxbot was not running, or was busy.
        due_ms: i64,
    },
    /// A schedule of a plugin is due. It belongs to the account as a whole.
    Schedule {
        /// Whose it is.
        plugin: String,
        /// What the plugin calls it.
        name: String,
        /// When it was due, milliseconds since 1970.
        due_ms: i64,
    },
}

impl EventKind {
    /// A short word for logs, filters and the `kind` column of the inbox.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Message(_) => "message",
            Self::Recall { .. } => "recall",
            Self::MediaReady { .. } => "media_ready",
            Self::Status { .. } => "status",
            Self::ContactChanged => "contact_changed",
            Self::ContactRemoved => "contact_removed",
            Self::Gap { .. } => "gap",
            Self::FriendRequest(_) => "friend_request",
            Self::FriendAdded { .. } => "friend_added",
            Self::NotFriend { .. } => "not_friend",
            Self::MembersJoined(_) => "members_joined",
            Self::MembersRemoved { .. } => "members_removed",
            Self::RemovedMe { .. } => "removed_me",
            Self::TopicChanged { .. } => "topic_changed",
            Self::Pat { .. } => "pat",
            Self::MembersChanged { .. } => "members_changed",
            Self::OwnerChanged { .. } => "owner_changed",
            Self::Timer { .. } => "timer",
            Self::Schedule { .. } => "schedule",
        }
    }

    /// The plugin that it is for and for no other: what its own clock brings.
    pub fn of_plugin(&self) -> Option<&str> {
        if let Self::Timer { plugin, .. } | Self::Schedule { plugin, .. } = self { Some(plugin) } else { None }
    }

    /// The text that the service wrote into the chat, for kinds that were read out of one.
    pub fn notice(&self) -> Option<&str> {
        match self {
            Self::MembersJoined(MembersJoined { notice, .. })
            | Self::Recall { notice, .. }
            | Self::FriendAdded { notice, .. }
            | Self::NotFriend { notice, .. }
            | Self::MembersRemoved { notice, .. }
            | Self::RemovedMe { notice, .. }
            | Self::TopicChanged { notice, .. }
            | Self::Pat { notice, .. } => Some(notice),
            Self::Message(Message { content: Content::System { text }, .. }) => Some(text),
            Self::Message(_)
            | Self::MediaReady { .. }
            | Self::Status { .. }
            | Self::ContactChanged
            | Self::ContactRemoved
            | Self::Gap { .. }
            | Self::MembersChanged { .. }
            | Self::OwnerChanged { .. }
            | Self::Timer { .. }
            | Self::Schedule { .. }
            | Self::FriendRequest(_) => None,
        }
    }
}

impl Event {
    /// The message, if this event is one.
    pub fn message(&self) -> Option<&Message> {
        match &self.kind {
            EventKind::Message(message) => Some(message),
            EventKind::Recall { .. }
            | EventKind::MediaReady { .. }
            | EventKind::Status { .. }
            | EventKind::ContactChanged
            | EventKind::ContactRemoved
            | EventKind::Gap { .. }
            | EventKind::FriendRequest(_)
            | EventKind::FriendAdded { .. }
            | EventKind::NotFriend { .. }
            | EventKind::MembersJoined(_)
            | EventKind::MembersRemoved { .. }
            | EventKind::RemovedMe { .. }
            | EventKind::TopicChanged { .. }
            | EventKind::Pat { .. }
            | EventKind::MembersChanged { .. }
            | EventKind::OwnerChanged { .. }
            | EventKind::Timer { .. }
            | EventKind::Schedule { .. } => None,
        }
    }

    /// What a person typed, else nothing; see [`Content::text`].
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

#[cfg(test)]
#[path = "event_tests.rs"]
mod tests;
