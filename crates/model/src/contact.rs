//! Who an account knows: people, rooms, official and special accounts, and what each is called.

use serde::{Deserialize, Serialize};

use crate::id::PeerId;
pub use crate::members::Member;
use crate::members::Members;
use crate::name::Name;

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

/// One entry of an account's address book, texts already decoded (emoji, escapes). A clone shares its texts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// The id of this login.
    pub peer: PeerId,
    /// Person, room, …
    pub kind: ContactKind,
    /// The name the peer gave itself; a room's topic.
    pub nick_name: Name,
    /// The name our account gave the peer; empty when none.
    pub remark_name: Name,
    /// The peer's WeChat id where the service shows it; empty when not.
    pub alias: Name,
    /// The service's lasting id (`wxid_…`, `…@chatroom`) where it was told; empty when not. It outlives logins.
    #[serde(default)]
    pub wxid: Name,
    /// How the names sound (`PYInitial`, `PYQuanPin`, and of the remark), lower case, one after another; for search.
    #[serde(default)]
    pub pinyin: Name,
    /// The peer's `Uin` where the service shows it; 0 when not. It outlives logins.
    pub uin: u64,
    /// `AttrStatus`, a number that outlives logins but is not unique; 0 when unknown.
    pub attr_status: u64,
    /// `seq` of the picture's address, another one for another picture; 0 when unknown. It outlives logins.
    #[serde(default)]
    pub picture: u64,
    /// Stated sex.
    pub sex: Sex,
    /// Profile text.
    pub signature: Name,
    /// Region.
    pub province: Name,
    /// Region.
    pub city: Name,
    /// `VerifyFlag`: bit 8 marks official accounts.
    pub verify_flag: u32,
    /// Members of a room. Most rooms' lists are not loaded: a plugin asks for them with `cx.members`.
    pub members: Members,
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
            nick_name: Name::default(),
            remark_name: Name::default(),
            alias: Name::default(),
            wxid: Name::default(),
            pinyin: Name::default(),
            uin: 0,
            attr_status: 0,
            picture: 0,
            sex: Sex::Unknown,
            signature: Name::default(),
            province: Name::default(),
            city: Name::default(),
            verify_flag: 0,
            members: Members::default(),
            owner: None,
            is_ours: true,
        }
    }

    /// The name to show for this contact: remark, else nick name or topic; an unnamed room by its first members.
    pub fn display_name(&self) -> &str {
        [&*self.remark_name, &*self.nick_name, self.members.names()]
            .into_iter()
            .find(|name| !name.is_empty())
            .unwrap_or_default()
    }

    /// The name to show for a member of this room: group nickname, else our remark for a friend, else nick name.
    ///
    /// WeChat's own app shows the remark first. Here it comes second: names of senders end up in what bots say to the
    /// room, and a remark is a private note about somebody who reads it there. `contact` is the member as a contact.
    pub fn name_of_member<'a>(&'a self, peer: &PeerId, contact: Option<&'a Self>) -> &'a str {
        let member = self.member(peer);
        [
            member.map_or("", |member| &*member.display_name),
            contact.map_or("", |contact| &*contact.remark_name),
            member.map_or("", |member| &*member.nick_name),
            contact.map_or("", |contact| &*contact.nick_name),
        ]
        .into_iter()
        .find(|name| !name.is_empty())
        .unwrap_or_default()
    }

    /// The member with this id, in a room whose list is loaded.
    pub fn member(&self, peer: &PeerId) -> Option<&Member> {
        self.members.get(peer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_each_is_called() {
        let me: PeerId = "@me".parse().unwrap();
        let member = |peer: &str, nick: &str, display: &str| Member {
            peer: peer.parse().unwrap(),
            nick_name: nick.into(),
            display_name: display.into(),
            attr_status: 0,
        };
        let person = |nick: &str, remark: &str| Contact {
            nick_name: nick.into(),
            remark_name: remark.into(),
            ..Contact::nameless("@a".parse().unwrap(), ContactKind::Person)
        };
        let room = |topic: &str, remark: &str, members: &[(&str, &str)]| Contact {
            nick_name: topic.into(),
            remark_name: remark.into(),
            members: Members::complete(
                std::iter::once(member("@me", "Shop", ""))
                    .chain(
                        members
                            .iter()
                            .enumerate()
                            .map(|(n, (nick, shown))| member(["@a", "@b", "@c", "@d"][n], nick, shown)),
                    )
                    .collect(),
                Some(&me),
            ),
            ..Contact::nameless("@@r".parse().unwrap(), ContactKind::Room)
        };
        for (name, contact, want) in [
            ("nick", person("Wang", ""), "Wang"),
            ("remark before nick", person("Wang", "王总"), "王总"),
            ("nothing known", person("", ""), ""),
            ("topic", room("群", "", &[("A", "")]), "群"),
            ("remark before topic", room("群", "客户群", &[("A", "")]), "客户群"),
            ("unnamed", room("", "", &[("A", ""), ("B", "阿B")]), "A、阿B"),
            ("unnamed and large", room("", "", &[("A", ""), ("B", ""), ("C", ""), ("D", "")]), "A、B、C…"),
            ("unnamed, nobody else in it", room("", "", &[]), ""),
        ] {
            assert_eq!(contact.display_name(), want, "{name}");
            let unloaded = Contact { members: contact.members.unloaded(), ..contact };
            assert_eq!(unloaded.display_name(), want, "{name}, unloaded");
        }
        for (name, nick, shown, friend, want) in [
            ("group nickname before all", "Wang", "群里的王", Some(("Wang", "王总")), "群里的王"),
            ("a friend's remark", "Wang", "", Some(("Wang", "王总")), "王总"),
            ("a friend without remark", "Wang", "", Some(("Wang", "")), "Wang"),
            ("a stranger", "Wang", "", None, "Wang"),
            ("known as a contact only", "", "", Some(("Wang", "")), "Wang"),
        ] {
            let (room, friend) = (room("群", "", &[(nick, shown)]), friend.map(|(nick, remark)| person(nick, remark)));
            assert_eq!(room.name_of_member(&"@a".parse().unwrap(), friend.as_ref()), want, "{name}");
        }
    }
}
