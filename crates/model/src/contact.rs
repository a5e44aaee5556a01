//! Who an account knows: people, rooms, official and special accounts.

use serde::{Deserialize, Serialize};

use crate::id::PeerId;

/// What sort of peer a contact is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ContactKind {
    /// A person.
    Person,
    /// A chatroom.
    Room,
    /// An official account (公众号).
    Official,
    /// A built-in account such as `filehelper` or `fmessage`.
    Special,
    /// The account itself.
    Myself,
}

impl ContactKind {
    /// The letter that a [`ContactId`](crate::ContactId) of this kind begins with.
    pub fn letter(self) -> char {
        match self {
            Self::Person => 'p',
            Self::Room => 'r',
            Self::Official => 'o',
            Self::Special => 's',
            Self::Myself => 'm',
        }
    }
}

/// `Sex` as WeChat states it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sex {
    /// Not stated (0, or anything the server adds).
    #[default]
    Unknown,
    /// 1.
    Male,
    /// 2.
    Female,
}

/// One entry of an account's address book, texts already decoded (emoji, escapes).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// The id of this login.
    pub peer: PeerId,
    /// Person, room, …
    pub kind: ContactKind,
    /// The name the peer gave itself; a room's topic.
    pub nick_name: String,
    /// The name our account gave the peer; empty when none.
    pub remark_name: String,
    /// The peer's WeChat id where the service shows it; empty when not.
    pub alias: String,
    /// The peer's `Uin` where the service shows it; 0 when not. It outlives logins.
    pub uin: u64,
    /// `AttrStatus`, a number that outlives logins but is not unique; 0 when unknown.
    pub attr_status: u64,
    /// Stated sex.
    pub sex: Sex,
    /// Profile text.
    pub signature: String,
    /// Region.
    pub province: String,
    /// Region.
    pub city: String,
    /// `VerifyFlag`: bit 8 marks official accounts.
    pub verify_flag: u32,
    /// Members, for rooms whose list is loaded.
    pub members: Vec<Member>,
    /// The room's owner, where known.
    pub owner: Option<PeerId>,
    /// False when we left the room or lost the friend (`ContactFlag`, `DelContactList`).
    pub is_ours: bool,
}

impl Contact {
    /// A contact of which nothing is known but its id and kind.
    pub fn nameless(peer: PeerId, kind: ContactKind) -> Self {
        Self {
            peer,
            kind,
            nick_name: String::new(),
            remark_name: String::new(),
            alias: String::new(),
            uin: 0,
            attr_status: 0,
            sex: Sex::Unknown,
            signature: String::new(),
            province: String::new(),
            city: String::new(),
            verify_flag: 0,
            members: Vec::new(),
            owner: None,
            is_ours: true,
        }
    }

    /// The name to show for this contact: remark before nick name, as WeChat shows it.
    pub fn display_name(&self) -> &str {
        if self.remark_name.is_empty() { &self.nick_name } else { &self.remark_name }
    }

    /// The member with this id.
    pub fn member(&self, peer: &PeerId) -> Option<&Member> {
        self.members.iter().find(|m| m.peer == *peer)
    }
}

/// One member of a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The id of this login.
    pub peer: PeerId,
    /// The name the member gave itself.
    pub nick_name: String,
    /// The member's name in this room (群昵称); empty when none.
    pub display_name: String,
}

impl Member {
    /// The name others see in the room: group nickname before nick name.
    pub fn shown_name(&self) -> &str {
        if self.display_name.is_empty() { &self.nick_name } else { &self.display_name }
    }
}
