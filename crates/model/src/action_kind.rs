//! Which actions count together? Services watch each kind of action for itself, and so does the pacing.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::action::Action;

/// A kind of action.
///
/// Kinds are added over time: one that is not known yet reads as [`Other`](Self::Other).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ActionKind {
    /// A text.
    Text,
    /// A picture, film, file, sticker, or what an app shared.
    Media,
    /// Asking somebody to become a friend.
    FriendRequest,
    /// Accepting who asks.
    FriendAccept,
    /// Making a room, leaving one, renaming it, bringing people in or putting them out.
    RoomChange,
    /// Taking a message back.
    Recall,
    /// What nobody watches closely: marks, remarks, the order of the list.
    #[serde(other)]
    Other,
}

impl ActionKind {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Text, Self::Media, Self::FriendRequest, Self::FriendAccept, Self::RoomChange, Self::Recall, Self::Other];

    /// Its word in lists, logs and JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Media => "media",
            Self::FriendRequest => "friend_request",
            Self::FriendAccept => "friend_accept",
            Self::RoomChange => "room_change",
            Self::Recall => "recall",
            Self::Other => "other",
        }
    }

    /// The kind of the action with this [word](Action::word).
    pub fn of_word(word: &str) -> Self {
        match word {
            "send_text" => Self::Text,
            "send_media" | "send_sticker" | "send_link" | "send_app" => Self::Media,
            "add_friend" => Self::FriendRequest,
            "accept_friend" => Self::FriendAccept,
            "create_room" | "add_members" | "remove_members" | "set_topic" | "leave_room" => Self::RoomChange,
            "recall" => Self::Recall,
            _ => Self::Other,
        }
    }

    /// The kind of an action as it is stored: JSON that begins with what it does.
    pub fn of_stored(body: &str) -> Self {
        let word = body.strip_prefix("{\"do\":\"").and_then(|rest| rest.split('"').next());
        Self::of_word(word.unwrap_or_default())
    }

    /// Whether it changes who is a friend or in a room: as good an hour later, where what is said would come too late.
    pub fn is_deed(self) -> bool {
        matches!(self, Self::FriendRequest | Self::FriendAccept | Self::RoomChange)
    }
}

impl fmt::Display for ActionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl Action {
    /// Which kind it counts as.
    pub fn kind(&self) -> ActionKind {
        ActionKind::of_word(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::Stranger;
    use crate::id::ContactId;

    #[test]
    fn the_kind_of_what_is_stored_is_that_of_the_action() {
        let id: ContactId = "r3".parse().unwrap();
        for (action, want) in [
            (
                Action::SendText { to: id.clone(), text: "\"do\":\"recall\"".into(), mention: Vec::new() },
                ActionKind::Text,
            ),
            (Action::SendSticker { to: id.clone(), md5: "ab".into() }, ActionKind::Media),
            (Action::Recall { chat: id.clone(), msg: None }, ActionKind::Recall),
            (
                Action::AddFriend { person: Stranger::Peer("@a".parse().unwrap()), greeting: String::new() },
                ActionKind::FriendRequest,
            ),
            (Action::RemoveMembers { room: id.clone(), members: vec!["p1".parse().unwrap()] }, ActionKind::RoomChange),
            (Action::MarkRead { chat: id.clone() }, ActionKind::Other),
        ] {
            let stored = serde_json::to_string(&action).unwrap();
            assert_eq!((action.kind(), ActionKind::of_stored(&stored)), (want, want), "{stored}");
        }
        assert_eq!(ActionKind::of_stored("a/0"), ActionKind::Other);
    }

    #[test]
    fn words_read_back_and_unknown_ones_are_others() {
        for kind in ActionKind::ALL {
            let json = serde_json::to_string(&kind).unwrap();
            assert_eq!(json, format!("\"{kind}\""));
            assert_eq!(serde_json::from_str::<ActionKind>(&json).unwrap(), kind);
        }
        assert_eq!(serde_json::from_str::<ActionKind>("\"hologram\"").unwrap(), ActionKind::Other);
    }

    /// There is no bulk sending and no mass friend adding: whatever speaks to somebody names one, and whoever is asked
    /// to be a friend is one.
    #[test]
    fn no_action_speaks_to_more_than_one() {
        let id: ContactId = "p1".parse().unwrap();
        let text = Action::SendText { to: id.clone(), text: "hi".into(), mention: Vec::new() };
        let friend = Action::AddFriend { person: Stranger::Contact(id.clone()), greeting: "hi".into() };
        for (action, key) in [(text, "to"), (friend, "person")] {
            let mut json = serde_json::to_value(&action).unwrap();
            let one = json.get(key).unwrap().clone();
            *json.get_mut(key).unwrap() = serde_json::json!([one.clone(), one]);
            assert!(serde_json::from_value::<Action>(json).is_err(), "{key} takes one");
        }
    }
}
