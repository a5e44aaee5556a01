//! Who does this login know? The contacts under their present UserNames, and of most rooms not the members.

use std::collections::HashMap;
use std::sync::Arc;

use wxbot_model::{Contact, ContactKind, PeerId, Shelf};

/// All contacts of one login, the account itself included.
#[derive(Debug)]
pub struct Book {
    me: PeerId,
    contacts: HashMap<PeerId, Arc<Contact>>,
    /// Learned from an answer to an action, and not told to the runtime yet.
    learned: Vec<Arc<Contact>>,
    /// Rooms whose members are loaded.
    shelf: Shelf,
    asked: HashMap<PeerId, Asked>,
}

/// How a peer was asked for.
#[derive(Debug, Default)]
struct Asked {
    /// How often in vain; an answer counts as [`TRIES`].
    tries: u8,
    /// When last, seconds.
    at_s: i64,
}

/// How often a peer is asked for when no answer comes: each try holds up a batch by up to 15 s.
const TRIES: u8 = 3;
/// A room whose members had to go for others' is not asked for again before this: an account with more busy rooms than
/// it may keep would fetch a list of 500 for each message. Until then a sender is called as the address book knows it.
const AGAIN_S: i64 = 600;

/// The book as it will be once a batch is committed: its own contacts with those of the batch over them.
///
/// A batch is read before it is committed, and the copy of a whole book for each would cost more than the batch.
#[derive(Debug)]
pub struct View<'a> {
    book: &'a Book,
    fresh: HashMap<&'a PeerId, &'a Arc<Contact>>,
}

impl<'a> View<'a> {
    /// The account's own id.
    pub fn me(&self) -> &'a PeerId {
        &self.book.me
    }

    /// One contact.
    pub fn get(&self, peer: &PeerId) -> Option<&'a Arc<Contact>> {
        self.fresh.get(peer).copied().or_else(|| self.book.get(peer))
    }

    /// How our account is called in a room: its group nickname, else its nick name.
    pub fn my_name_in(&self, room: &PeerId) -> Option<&'a str> {
        match self.get(room).map(|room| room.members.own_name()) {
            Some(name) if !name.is_empty() => Some(name),
            Some(_) | None => self.get(self.me()).map(|me| &*me.nick_name),
        }
    }
}

impl Book {
    /// A book that knows only the account itself.
    pub fn new(me: Contact) -> Self {
        let id = me.peer.clone();
        Self {
            contacts: HashMap::from([(id.clone(), Arc::new(me))]),
            me: id,
            learned: Vec::new(),
            shelf: Shelf::default(),
            asked: HashMap::new(),
        }
    }

    /// The book under these new states of contacts.
    pub fn view<'a>(&'a self, fresh: &'a [Arc<Contact>]) -> View<'a> {
        View { book: self, fresh: fresh.iter().map(|contact| (&contact.peer, contact)).collect() }
    }

    /// The account's own id.
    pub fn me(&self) -> &PeerId {
        &self.me
    }

    /// The account itself.
    pub fn myself(&self) -> Option<&Arc<Contact>> {
        self.contacts.get(&self.me)
    }

    /// One contact.
    pub fn get(&self, peer: &PeerId) -> Option<&Arc<Contact>> {
        self.contacts.get(peer)
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Contact>> {
        self.contacts.values()
    }

    /// What `new` becomes when it is merged over what is known. `None` when nothing changes.
    pub fn merged(&self, new: Contact) -> Option<Arc<Contact>> {
        match self.contacts.get(&new.peer) {
            Some(old) => Self::merged_over(old, new),
            None => Some(Arc::new(new)),
        }
    }

    /// What `new` becomes over `old`: empty values do not overwrite. `None` when nothing changes.
    pub fn merged_over(old: &Contact, mut new: Contact) -> Option<Arc<Contact>> {
        for (new, old) in [
            (&mut new.nick_name, &old.nick_name),
            (&mut new.remark_name, &old.remark_name),
            (&mut new.alias, &old.alias),
            (&mut new.wxid, &old.wxid),
            (&mut new.pinyin, &old.pinyin),
            (&mut new.signature, &old.signature),
            (&mut new.province, &old.province),
            (&mut new.city, &old.city),
        ] {
            if new.is_empty() {
                new.clone_from(old);
            }
        }
        // A list stays until another one comes, but not beside a number that it cannot have.
        if !new.members.is_loaded() && [0, old.members.count()].contains(&new.members.count()) {
            new.members = old.members.clone();
        }
        if new.picture == 0 {
            new.picture = old.picture;
        }
        if new.uin == 0 {
            new.uin = old.uin;
        }
        if new.attr_status == 0 {
            new.attr_status = old.attr_status;
        }
        if new.owner.is_none() {
            new.owner.clone_from(&old.owner);
        }
        if old.kind == ContactKind::Myself {
            new.kind = ContactKind::Myself;
        }
        if *old == new { None } else { Some(Arc::new(new)) }
    }

    /// Takes a contact as it is. The members of rooms that were not needed for the longest time go for its own.
    pub fn put(&mut self, contact: Arc<Contact>) {
        let room = &contact.peer;
        let gone = if contact.members.is_loaded() {
            self.shelf.put(room, contact.members.len())
        } else {
            self.shelf.remove(room);
            Vec::new()
        };
        self.contacts.insert(room.clone(), contact);
        for room in gone {
            if let Some(contact) = self.contacts.get_mut(&room) {
                *contact = Arc::new(Contact { members: contact.members.unloaded(), ..(**contact).clone() });
            }
        }
    }

    /// Something happened in these chats: the members of those that are rooms stay for longer.
    pub fn touch<'a>(&mut self, chats: impl Iterator<Item = &'a PeerId>) {
        chats.for_each(|chat| self.shelf.touch(chat));
    }

    /// Merges what the answer to an action says, and keeps it for the runtime: no sync tells what we know already.
    pub fn learn(&mut self, contact: Contact) {
        if let Some(merged) = self.merged(contact) {
            self.learned.push(Arc::clone(&merged));
            self.put(merged);
        }
    }

    /// The same for what the service took from us: this is how it is, even where it is empty.
    pub fn replace(&mut self, contact: Contact) {
        let contact = Arc::new(contact);
        self.learned.push(Arc::clone(&contact));
        self.put(contact);
    }

    /// What was learned since it was last asked for.
    pub fn take_learned(&mut self) -> Vec<Arc<Contact>> {
        std::mem::take(&mut self.learned)
    }

    /// Forgets a contact.
    pub fn remove(&mut self, peer: &PeerId) {
        self.contacts.remove(peer);
        self.shelf.remove(peer);
        self.asked.remove(peer);
    }

    /// Notes that the service was asked for these peers, and whether it answered.
    pub fn note_asked(&mut self, peers: &[PeerId], answered: bool, now_s: i64) {
        for peer in peers {
            let asked = self.asked.entry(peer.clone()).or_default();
            asked.tries = if answered { TRIES } else { asked.tries.saturating_add(1) };
            asked.at_s = now_s;
        }
    }

    /// True when asking for this peer may help: not known, a person without a name or a room without its members, and
    /// not asked before, or long ago.
    pub fn should_ask(&self, peer: &PeerId, now_s: i64) -> bool {
        let (lacking, room) = match self.contacts.get(peer) {
            None => (!crate::said::username::is_special(peer.as_str()), false),
            Some(contact) if contact.kind == ContactKind::Room => (!contact.members.is_loaded(), true),
            Some(contact) => (contact.kind == ContactKind::Person && contact.nick_name.is_empty(), false),
        };
        let may = |asked: &Asked| asked.tries < TRIES || (room && now_s.saturating_sub(asked.at_s) >= AGAIN_S);
        lacking && self.asked.get(peer).is_none_or(may)
    }
}

#[cfg(test)]
mod tests {
    use wxbot_model::{Member, Members};

    use super::*;

    fn member(peer: &str) -> Member {
        let peer = peer.parse().unwrap();
        Member { peer, nick_name: "n".into(), display_name: "".into(), attr_status: 0 }
    }

    fn contact(peer: &str, kind: ContactKind, nick: &str) -> Contact {
        Contact { nick_name: nick.into(), ..Contact::nameless(peer.parse().unwrap(), kind) }
    }

    #[test]
    fn who_is_asked_for() {
        let mut book = Book::new(contact("@me", ContactKind::Myself, "me"));
        book.put(Arc::new(contact("@friend", ContactKind::Person, "friend")));
        book.put(Arc::new(contact("@stub", ContactKind::Person, "")));
        book.put(Arc::new(contact("@@room", ContactKind::Room, "room")));
        let asks = |book: &Book, peer: &str| book.should_ask(&peer.parse().unwrap(), 1_000);
        for (peer, want) in
            [("@me", false), ("@friend", false), ("@stub", true), ("@@room", true), ("@new", true), ("weixin", false)]
        {
            assert_eq!(asks(&book, peer), want, "{peer}");
        }
        let new = ["@new".parse().unwrap()];
        book.note_asked(&new, false, 1_000);
        assert!(asks(&book, "@new"), "no answer came: asked again");
        book.note_asked(&new, false, 1_000);
        book.note_asked(&new, false, 1_000);
        assert!(!asks(&book, "@new"), "but not for ever");
        let room = "@@room".parse().unwrap();
        book.note_asked(std::slice::from_ref(&room), true, 1_000);
        assert!(!asks(&book, "@@room"), "a room that is not described is not asked for at each message");
        assert!(!book.should_ask(&room, 1_599) && book.should_ask(&room, 1_600), "but after a while");
    }

    #[test]
    fn members_of_the_rooms_that_are_quiet_go_first_and_the_rooms_stay() {
        let mut book = Book::new(contact("@me", ContactKind::Myself, "me"));
        let room = |n: usize, count: usize| {
            let member = |m| Member { attr_status: 0, ..member(&format!("@{n}x{m}")) };
            let members = Members::complete((0..count).map(member).collect(), None);
            Arc::new(Contact { members, ..contact(&format!("@@{n}"), ContactKind::Room, "room") })
        };
        for n in 0..20 {
            book.put(room(n, 500));
        }
        let first: PeerId = "@@0".parse().unwrap();
        book.touch(std::iter::once(&first));
        book.put(room(20, 500));
        let loaded: Vec<bool> =
            (0..21).map(|n| book.get(&format!("@@{n}").parse().unwrap()).unwrap().members.is_loaded()).collect();
        assert_eq!(loaded.iter().filter(|loaded| **loaded).count() * 500, wxbot_model::MEMBERS_KEPT);
        assert!(loaded[0] && !loaded[1] && loaded[20]);
        assert_eq!(book.get(&"@@1".parse().unwrap()).unwrap().members.count(), 500);
    }

    #[test]
    fn a_list_stays_until_another_comes_but_not_beside_a_number_it_cannot_have() {
        let list = Members::complete(vec![member("@a"), member("@b")], None);
        let old = Contact { members: list, ..contact("@@r", ContactKind::Room, "R") };
        for (count, loaded) in [(0, true), (2, true), (3, false)] {
            let new = Contact { members: Members::counted(count), ..contact("@@r", ContactKind::Room, "R2") };
            assert_eq!(Book::merged_over(&old, new).unwrap().members.is_loaded(), loaded, "{count}");
        }
    }

    #[test]
    fn a_view_shows_new_states_over_the_book() {
        let mut book = Book::new(contact("@me", ContactKind::Myself, "me"));
        book.put(Arc::new(contact("@friend", ContactKind::Person, "old")));
        let fresh = [Arc::new(contact("@friend", ContactKind::Person, "new"))];
        let friend = "@friend".parse().unwrap();
        assert_eq!(book.view(&fresh).get(&friend).unwrap().nick_name, "new");
        assert_eq!(book.view(&[]).get(&friend).unwrap().nick_name, "old");
        assert_eq!(book.view(&fresh).my_name_in(&friend), Some("me"));
    }
}
