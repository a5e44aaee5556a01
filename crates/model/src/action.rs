//! Something a bot asks an account to do.

use serde::{Deserialize, Serialize};

use crate::capability::Capability;
use crate::content::{App, Link};
use crate::id::{ContactId, MsgId, PeerId};
use crate::media::{Media, MediaShape};
use crate::notice::Ticket;

/// One thing to do. It is stored in the outbox as JSON before it is done.
///
/// Kinds are added over time: match those you handle and leave the rest to `_`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Action {
    /// Send a text to a person or room.
    SendText {
        /// The conversation.
        to: ContactId,
        /// The text, `\n` for a new line.
        text: String,
        /// Room members to mention; the protocol puts the names in front of the text.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        mention: Vec<ContactId>,
    },
    /// Send a picture, film, file or sticker.
    SendMedia {
        /// The conversation.
        to: ContactId,
        /// How it is shown.
        shape: MediaShape,
        /// Where the bytes are.
        media: Media,
    },
    /// Send a sticker that the service knows already.
    SendSticker {
        /// The conversation.
        to: ContactId,
        /// The `md5` of a received [`Content::Sticker`](crate::Content::Sticker).
        md5: String,
    },
    /// Share a page.
    SendLink {
        /// The conversation.
        to: ContactId,
        /// The page.
        link: Link,
    },
    /// Pass on what an app shared.
    SendApp {
        /// The conversation.
        to: ContactId,
        /// As it was received.
        app: App,
    },
    /// Take a message back, which the service allows for two minutes.
    Recall {
        /// The conversation it is in.
        chat: ContactId,
        /// Which one; `None`: the last that wxbot sent there.
        msg: Option<MsgId>,
    },
    /// Mark a conversation as read on the phone.
    MarkRead {
        /// The conversation.
        chat: ContactId,
    },
    /// Ask somebody to become a friend. Services limit this more than anything else.
    AddFriend {
        /// Who.
        person: Stranger,
        /// What to say to it.
        greeting: String,
    },
    /// Accept a friend request.
    AcceptFriend {
        /// [`FriendRequest::user`](crate::FriendRequest::user).
        user: PeerId,
        /// [`FriendRequest::ticket`](crate::FriendRequest::ticket).
        ticket: Ticket,
    },
    /// Name a contact for ourselves (备注); an empty text takes the name away.
    SetRemark {
        /// The contact.
        contact: ContactId,
        /// The name.
        remark: String,
    },
    /// Keep a conversation at the top of the list, or no longer.
    Pin {
        /// The conversation.
        chat: ContactId,
        /// True: at the top.
        on: bool,
    },
    /// Make a room with friends of ours.
    CreateRoom {
        /// At least two friends, without ourselves.
        members: Vec<ContactId>,
        /// Its topic; may be empty.
        topic: String,
    },
    /// Bring friends of ours into a room. Where the service demands it they are invited instead, and must accept.
    AddMembers {
        /// The room.
        room: ContactId,
        /// Who.
        members: Vec<ContactId>,
    },
    /// Put members out of a room of ours.
    RemoveMembers {
        /// The room.
        room: ContactId,
        /// Who.
        members: Vec<ContactId>,
    },
    /// Rename a room.
    SetTopic {
        /// The room.
        room: ContactId,
        /// Its new name.
        topic: String,
    },
    /// Leave a room.
    LeaveRoom {
        /// The room.
        room: ContactId,
    },
}

/// Somebody who is no friend yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "known_as", content = "id", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Stranger {
    /// Met before, as a member of a room for example.
    Contact(ContactId),
    /// Only named, by a [`Card`](crate::Card) for example; such an id lasts one login.
    Peer(PeerId),
}

impl Action {
    /// The conversation or contact it is about; `None` where there is none yet.
    pub fn to(&self) -> Option<&ContactId> {
        match self {
            Self::SendText { to, .. }
            | Self::SendMedia { to, .. }
            | Self::SendSticker { to, .. }
            | Self::SendLink { to, .. }
            | Self::SendApp { to, .. } => Some(to),
            Self::Recall { chat, .. } | Self::MarkRead { chat } | Self::Pin { chat, .. } => Some(chat),
            Self::SetRemark { contact, .. } => Some(contact),
            Self::AddMembers { room, .. }
            | Self::RemoveMembers { room, .. }
            | Self::SetTopic { room, .. }
            | Self::LeaveRoom { room } => Some(room),
            Self::AddFriend { person: Stranger::Contact(person), .. } => Some(person),
            Self::AddFriend { person: Stranger::Peer(_), .. } | Self::AcceptFriend { .. } | Self::CreateRoom { .. } => {
                None
            }
        }
    }

    /// The other contacts it names, in order: who is mentioned, added, removed.
    pub fn others(&self) -> &[ContactId] {
        match self {
            Self::SendText { mention, .. } => mention,
            Self::CreateRoom { members, .. }
            | Self::AddMembers { members, .. }
            | Self::RemoveMembers { members, .. } => members,
            Self::SendMedia { .. }
            | Self::SendSticker { .. }
            | Self::SendLink { .. }
            | Self::SendApp { .. }
            | Self::Recall { .. }
            | Self::MarkRead { .. }
            | Self::AddFriend { .. }
            | Self::AcceptFriend { .. }
            | Self::SetRemark { .. }
            | Self::Pin { .. }
            | Self::SetTopic { .. }
            | Self::LeaveRoom { .. } => &[],
        }
    }

    /// What an account must be able to do for it.
    pub fn needs(&self) -> Capability {
        match self {
            Self::SendText { .. } => Capability::SendText,
            Self::SendMedia { shape, .. } => shape.needs(),
            Self::SendSticker { .. } => Capability::SendSticker,
            Self::SendLink { .. } | Self::SendApp { .. } => Capability::SendLink,
            Self::Recall { .. } => Capability::Recall,
            Self::MarkRead { .. } => Capability::MarkRead,
            Self::AddFriend { .. } => Capability::AddFriend,
            Self::AcceptFriend { .. } => Capability::AcceptFriend,
            Self::SetRemark { .. } => Capability::Remark,
            Self::Pin { .. } => Capability::Pin,
            Self::CreateRoom { .. } => Capability::CreateRoom,
            Self::AddMembers { .. } => Capability::AddMembers,
            Self::RemoveMembers { .. } => Capability::RemoveMembers,
            Self::SetTopic { .. } => Capability::RenameRoom,
            Self::LeaveRoom { .. } => Capability::LeaveRoom,
        }
    }

    /// A short word for logs and lists: the `do` of its JSON.
    pub fn word(&self) -> &'static str {
        match self {
            Self::SendText { .. } => "send_text",
            Self::SendMedia { .. } => "send_media",
            Self::SendSticker { .. } => "send_sticker",
            Self::SendLink { .. } => "send_link",
            Self::SendApp { .. } => "send_app",
            Self::Recall { .. } => "recall",
            Self::MarkRead { .. } => "mark_read",
            Self::AddFriend { .. } => "add_friend",
            Self::AcceptFriend { .. } => "accept_friend",
            Self::SetRemark { .. } => "set_remark",
            Self::Pin { .. } => "pin",
            Self::CreateRoom { .. } => "create_room",
            Self::AddMembers { .. } => "add_members",
            Self::RemoveMembers { .. } => "remove_members",
            Self::SetTopic { .. } => "set_topic",
            Self::LeaveRoom { .. } => "leave_room",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_is_the_one_in_json_and_texts_stay_as_they_were_stored() {
        let id: ContactId = "r3".parse().unwrap();
        for action in [
            Action::SendText { to: id.clone(), text: "hi".into(), mention: Vec::new() },
            Action::SendSticker { to: id.clone(), md5: "ab".into() },
            Action::Recall { chat: id.clone(), msg: None },
            Action::AddFriend { person: Stranger::Peer("@a".parse().unwrap()), greeting: String::new() },
            Action::AddMembers { room: id.clone(), members: vec!["p1".parse().unwrap()] },
        ] {
            let json = serde_json::to_value(&action).unwrap();
            assert_eq!(json.get("do").unwrap(), action.word());
            assert_eq!(serde_json::from_value::<Action>(json).unwrap(), action);
        }
        let stored = r#"{"do":"send_text","to":"r3","text":"hi"}"#;
        assert_eq!(serde_json::from_str::<Action>(stored).unwrap().to(), Some(&id));
    }
}
