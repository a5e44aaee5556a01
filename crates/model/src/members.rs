//! Who is in a room? The list while it is loaded, what is left of it when it is not, and which lists stay loaded.

use std::collections::HashMap;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::id::PeerId;
use crate::name::Name;

/// How many members of rooms an account keeps loaded, over all its rooms: twenty of the largest there are (500). At
/// about 200 bytes each that is 2 MB. The lists of other rooms are asked for again when somebody needs them.
pub const MEMBERS_KEPT: usize = 10_000;
/// How many names an unnamed room is called by.
const NAMED_BY: usize = 3;

/// One member of a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The id of this login.
    pub peer: PeerId,
    /// The name the member gave itself.
    pub nick_name: Name,
    /// The member's name in this room (群昵称); empty when none.
    pub display_name: Name,
    /// `AttrStatus`; 0 when unknown. With the nick name it tells members apart across logins.
    #[serde(default)]
    pub attr_status: u64,
}

impl Member {
    /// The name that everybody in the room sees: group nickname before nick name. A bot that speaks to the room uses it:
    /// a remark is our account's private note.
    pub fn shown_name(&self) -> &str {
        if self.display_name.is_empty() { &self.nick_name } else { &self.display_name }
    }
}

/// The members of a room, in the order of the service. Reads like a slice, which is empty while the list is not loaded.
///
/// Clones share the list. [`unloaded`](Self::unloaded) drops it and keeps what is needed at each message.
#[derive(Clone, Default)]
pub struct Members(Option<Arc<Known>>);

#[derive(Default)]
struct Known {
    /// `None` while not loaded.
    list: Option<List>,
    count: usize,
    own_name: Name,
    names: Name,
}

struct List {
    members: Box<[Member]>,
    /// Places in `members`, in the order of their peers: rooms have up to 500 members, and each message asks for one.
    by_peer: Box<[u32]>,
}

impl Members {
    /// The whole list. `me` is the account's own id, where known.
    pub fn complete(members: Vec<Member>, me: Option<&PeerId>) -> Self {
        let mut by_peer: Vec<u32> = (0..u32::try_from(members.len()).unwrap_or(u32::MAX)).collect();
        let peer_at = |at: &u32| members.get(*at as usize).map(|member| &member.peer);
        by_peer.sort_by(|a, b| peer_at(a).cmp(&peer_at(b)));
        let own_name = members.iter().find(|member| Some(&member.peer) == me).map(|me| me.display_name.clone());
        let others = || members.iter().filter(|member| Some(&member.peer) != me && !member.shown_name().is_empty());
        let mut names = others().take(NAMED_BY).map(Member::shown_name).collect::<Vec<_>>().join("、");
        if others().nth(NAMED_BY).is_some() {
            names.push('…');
        }
        Self(Some(Arc::new(Known {
            count: members.len(),
            own_name: own_name.unwrap_or_default(),
            names: names.into(),
            list: Some(List { members: members.into(), by_peer: by_peer.into() }),
        })))
    }

    /// Nothing but their number.
    pub fn counted(count: usize) -> Self {
        Self((count > 0).then(|| Arc::new(Known { count, ..Known::default() })))
    }

    /// True when the whole list is here.
    pub fn is_loaded(&self) -> bool {
        self.0.as_ref().is_some_and(|known| known.list.is_some())
    }

    /// How many there are by the service's word; 0 when unknown. Unlike `len` it knows while the list is not loaded.
    pub fn count(&self) -> usize {
        self.0.as_ref().map_or(0, |known| known.count)
    }

    /// The member with this id, in a loaded list.
    pub fn get(&self, peer: &PeerId) -> Option<&Member> {
        let list = self.0.as_ref()?.list.as_ref()?;
        let member = |at: &u32| list.members.get(*at as usize);
        let found = list.by_peer.binary_search_by(|at| member(at).map(|member| &member.peer).cmp(&Some(peer))).ok()?;
        member(list.by_peer.get(found)?)
    }

    /// Our account's name in the room (群昵称); empty when none. It stays known while the list is not loaded.
    pub fn own_name(&self) -> &str {
        self.0.as_ref().map_or("", |known| &known.own_name)
    }

    /// What an unnamed room is called: the first members besides us. It stays known while the list is not loaded.
    pub fn names(&self) -> &str {
        self.0.as_ref().map_or("", |known| &known.names)
    }

    /// The same room without its list.
    #[must_use]
    pub fn unloaded(&self) -> Self {
        Self(self.0.as_ref().map(|known| {
            let (own_name, names) = (known.own_name.clone(), known.names.clone());
            Arc::new(Known { list: None, count: known.count, own_name, names })
        }))
    }
}

impl Deref for Members {
    type Target = [Member];
    fn deref(&self) -> &[Member] {
        self.0.as_ref().and_then(|known| known.list.as_ref()).map_or(&[], |list| &list.members)
    }
}

impl<'a> IntoIterator for &'a Members {
    type Item = &'a Member;
    type IntoIter = std::slice::Iter<'a, Member>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl From<Vec<Member>> for Members {
    fn from(members: Vec<Member>) -> Self {
        Self::complete(members, None)
    }
}

impl PartialEq for Members {
    fn eq(&self, other: &Self) -> bool {
        let same = match (&self.0, &other.0) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        same || (self.is_loaded(), self.count()) == (other.is_loaded(), other.count()) && **self == **other
    }
}

impl Eq for Members {}

impl fmt::Debug for Members {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_loaded() { f.debug_list().entries(self).finish() } else { write!(f, "[{} members]", self.count()) }
    }
}

impl Serialize for Members {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self)
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Vec::deserialize(from).map(|members| if members.is_empty() { Self::default() } else { Self::from(members) })
    }
}

/// Which rooms' lists are loaded, and which of them was not needed for the longest time.
///
/// Whoever keeps contacts asks it what to let go. Two that are told the same let go of the same, so that lists which
/// they share are gone indeed.
#[derive(Debug)]
pub struct Shelf {
    rooms: HashMap<PeerId, (u64, usize)>,
    total: usize,
    clock: u64,
    room_for: usize,
}

impl Default for Shelf {
    fn default() -> Self {
        Self::of(MEMBERS_KEPT)
    }
}

impl Shelf {
    /// With room for this many members.
    pub fn of(room_for: usize) -> Self {
        Self { rooms: HashMap::new(), total: 0, clock: 0, room_for }
    }

    /// The list of this room was needed.
    pub fn touch(&mut self, room: &PeerId) {
        if let Some((used, _)) = self.rooms.get_mut(room) {
            self.clock += 1;
            *used = self.clock;
        }
    }

    /// The list of this room was loaded. Answers the rooms whose lists have to go for it: never this one.
    pub fn put(&mut self, room: &PeerId, members: usize) -> Vec<PeerId> {
        self.clock += 1;
        let before = self.rooms.insert(room.clone(), (self.clock, members));
        self.total = self.total + members - before.map_or(0, |(_, members)| members);
        let mut gone = Vec::new();
        while self.total > self.room_for && self.rooms.len() > 1 {
            let oldest = self.rooms.iter().min_by_key(|(_, (used, _))| *used).map(|(room, _)| room.clone());
            let Some(oldest) = oldest.filter(|oldest| oldest != room) else { break };
            self.remove(&oldest);
            gone.push(oldest);
        }
        gone
    }

    /// The list of this room is gone.
    pub fn remove(&mut self, room: &PeerId) {
        if let Some((_, members)) = self.rooms.remove(room) {
            self.total -= members;
        }
    }

    /// Members in all loaded lists.
    pub fn total(&self) -> usize {
        self.total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(peer: &str, nick: &str, display: &str) -> Member {
        let peer = peer.parse().unwrap();
        Member { peer, nick_name: nick.into(), display_name: display.into(), attr_status: 0 }
    }

    fn room() -> Members {
        let list =
            [("@z", "Zoe", ""), ("@me", "Shop", "客服"), ("@b", "Bob", "阿鲍"), ("@a", "Ann", ""), ("@c", "C", "")];
        let me = "@me".parse().unwrap();
        Members::complete(list.map(|(peer, nick, display)| member(peer, nick, display)).into(), Some(&me))
    }

    #[test]
    fn each_member_is_found_and_nobody_else() {
        let room = room();
        for (peer, want) in [("@z", Some("Zoe")), ("@b", Some("阿鲍")), ("@a", Some("Ann")), ("@x", None)] {
            assert_eq!(room.get(&peer.parse().unwrap()).map(Member::shown_name), want, "{peer}");
        }
        assert_eq!((room.len(), room[0].nick_name.as_str()), (5, "Zoe"), "in the order of the service");
    }

    #[test]
    fn an_unloaded_room_keeps_what_each_message_needs() {
        let (room, gone) = (room(), room().unloaded());
        assert!(room.is_loaded() && !gone.is_loaded() && gone.is_empty());
        for room in [&room, &gone] {
            assert_eq!((room.count(), room.own_name(), room.names()), (5, "客服", "Zoe、阿鲍、Ann…"));
        }
        assert!(room != gone && gone.get(&"@z".parse().unwrap()).is_none());
        assert!(Members::default() == Members::counted(0) && Members::counted(3).count() == 3);
    }

    #[test]
    fn the_longest_unused_lists_go_first_and_the_total_is_bounded() {
        let peer = |n: usize| -> PeerId { format!("@@{n}").parse().unwrap() };
        let mut shelf = Shelf::of(1_000);
        assert_eq!(shelf.put(&peer(1), 400), []);
        assert_eq!(shelf.put(&peer(2), 400), []);
        shelf.touch(&peer(1));
        assert_eq!(shelf.put(&peer(3), 400), [peer(2)]);
        assert_eq!(shelf.put(&peer(3), 100), [], "the same room again, smaller");
        assert_eq!(shelf.total(), 500);
        assert_eq!(
            shelf.put(&peer(4), 5_000),
            [peer(1), peer(3)],
            "one that is larger than all stays while it is used"
        );
        assert_eq!(shelf.put(&peer(5), 3), [peer(4)]);
        shelf.remove(&peer(5));
        assert_eq!(shelf.total(), 0);
    }
}
