//! What an account's protocol can do, and what a plugin needs: compared before anything runs.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One ability of a protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Capability {
    /// Receives messages of private chats.
    PrivateMessages,
    /// Receives messages of rooms.
    GroupMessages,
    /// Sends text.
    SendText,
    /// Mentions members of a room.
    Mention,
    /// Tells when a message was taken back.
    RecallEvents,
    /// Lists contacts and room members.
    Contacts,
    /// Sends pictures.
    SendImage,
    /// Sends films.
    SendVideo,
    /// Sends files.
    SendFile,
    /// Sends stickers.
    SendSticker,
    /// Shares pages and passes on what apps shared.
    SendLink,
    /// Takes messages back.
    Recall,
    /// Marks conversations as read.
    MarkRead,
    /// Fetches pictures, speech, films and files of messages.
    FetchMedia,
    /// Fetches the pictures of people and rooms.
    FetchAvatar,
    /// Tells when somebody wants to be a friend.
    FriendRequests,
    /// Asks people to become friends.
    AddFriend,
    /// Accepts friend requests.
    AcceptFriend,
    /// Names contacts (备注).
    Remark,
    /// Keeps conversations at the top.
    Pin,
    /// Tells who comes into a room and who leaves, and when it is renamed.
    MemberEvents,
    /// Makes rooms.
    CreateRoom,
    /// Brings people into rooms.
    AddMembers,
    /// Puts people out of rooms.
    RemoveMembers,
    /// Renames rooms.
    RenameRoom,
    /// Leaves rooms.
    LeaveRoom,
    /// Shows that an answer is being written.
    Typing,
}

impl Capability {
    /// All there are, in the order they are shown.
    pub const ALL: [Self; 27] = [
        Self::PrivateMessages,
        Self::GroupMessages,
        Self::SendText,
        Self::Mention,
        Self::RecallEvents,
        Self::Contacts,
        Self::SendImage,
        Self::SendVideo,
        Self::SendFile,
        Self::SendSticker,
        Self::SendLink,
        Self::Recall,
        Self::MarkRead,
        Self::FetchMedia,
        Self::FetchAvatar,
        Self::FriendRequests,
        Self::AddFriend,
        Self::AcceptFriend,
        Self::Remark,
        Self::Pin,
        Self::MemberEvents,
        Self::CreateRoom,
        Self::AddMembers,
        Self::RemoveMembers,
        Self::RenameRoom,
        Self::LeaveRoom,
        Self::Typing,
    ];

    /// The word used in manifests, messages and the guide.
    pub fn word(self) -> &'static str {
        match self {
            Self::PrivateMessages => "private-messages",
            Self::GroupMessages => "group-messages",
            Self::SendText => "send-text",
            Self::Mention => "mention",
            Self::RecallEvents => "recall-events",
            Self::Contacts => "contacts",
            Self::SendImage => "send-image",
            Self::SendVideo => "send-video",
            Self::SendFile => "send-file",
            Self::SendSticker => "send-sticker",
            Self::SendLink => "send-link",
            Self::Recall => "recall",
            Self::MarkRead => "mark-read",
            Self::FetchMedia => "fetch-media",
            Self::FetchAvatar => "fetch-avatar",
            Self::FriendRequests => "friend-requests",
            Self::AddFriend => "add-friend",
            Self::AcceptFriend => "accept-friend",
            Self::Remark => "remark",
            Self::Pin => "pin",
            Self::MemberEvents => "member-events",
            Self::CreateRoom => "create-room",
            Self::AddMembers => "add-members",
            Self::RemoveMembers => "remove-members",
            Self::RenameRoom => "rename-room",
            Self::LeaveRoom => "leave-room",
            Self::Typing => "typing",
        }
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A set of abilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Capabilities(u32);

impl Capabilities {
    /// None.
    pub const fn none() -> Self {
        Self(0)
    }

    /// This one as well.
    #[must_use]
    pub const fn with(self, capability: Capability) -> Self {
        Self(self.0 | 1 << capability as u32)
    }

    /// Whether this one is among them.
    pub const fn has(self, capability: Capability) -> bool {
        self.0 & (1 << capability as u32) != 0
    }

    /// Those of `needed` that are not here.
    pub fn missing(self, needed: &[Capability]) -> Vec<Capability> {
        needed.iter().copied().filter(|c| !self.has(*c)).collect()
    }
}

impl FromIterator<Capability> for Capabilities {
    fn from_iter<I: IntoIterator<Item = Capability>>(iter: I) -> Self {
        iter.into_iter().fold(Self::none(), Self::with)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_names_what_is_not_there() {
        let web: Capabilities = [Capability::SendText, Capability::GroupMessages].into_iter().collect();
        assert_eq!(web.missing(&[Capability::SendText, Capability::Mention]), [Capability::Mention]);
        assert!(Capability::ALL.iter().all(|c| Capabilities::none().with(*c).has(*c)));
    }
}
