//! Who does this login know? The contacts under their present UserNames.

use std::collections::HashMap;
use std::sync::Arc;

use wxbot_model::{Contact, ContactKind, PeerId};

/// All contacts of one login, the account itself included.
#[derive(Debug, Clone)]
pub struct Book {
    me: PeerId,
    contacts: HashMap<PeerId, Arc<Contact>>,
    /// How often each was asked for in vain; an answer counts as [`TRIES`].
    asked: HashMap<PeerId, u8>,
    /// Learned from an answer to an action, and not told to the runtime yet.
    learned: Vec<Arc<Contact>>,
}

/// How often a peer is asked for when no answer comes: each try holds up a batch by up to 15 s.
const TRIES: u8 = 3;

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
        match self.get(room).and_then(|room| room.member(self.me())) {
            Some(member) if !member.shown_name().is_empty() => Some(member.shown_name()),
            Some(_) | None => self.get(self.me()).map(|me| me.nick_name.as_str()),
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
            asked: HashMap::new(),
            learned: Vec::new(),
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
            (&mut new.signature, &old.signature),
            (&mut new.province, &old.province),
            (&mut new.city, &old.city),
        ] {
            if new.is_empty() {
                new.clone_from(old);
            }
        }
        if new.members.is_empty() {
            new.members.clone_from(&old.members);
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

    /// Takes a contact as it is.
    pub fn put(&mut self, contact: Arc<Contact>) {
        self.contacts.insert(contact.peer.clone(), contact);
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
        self.asked.remove(peer);
    }

    /// Notes that the service was asked for these peers, and whether it answered.
    pub fn note_asked(&mut self, peers: &[PeerId], answered: bool) {
        for peer in peers {
            let tries = self.asked.entry(peer.clone()).or_default();
            *tries = if answered { TRIES } else { tries.saturating_add(1) };
        }
    }

    /// True when asking for this peer may help: not known, a person without a name or a room without members, and not
    /// asked before.
    pub fn should_ask(&self, peer: &PeerId) -> bool {
        let lacking = match self.contacts.get(peer) {
            None => !super::username::is_special(peer.as_str()),
            Some(contact) if contact.kind == ContactKind::Room => contact.members.is_empty(),
            Some(contact) => contact.kind == ContactKind::Person && contact.nick_name.is_empty(),
        };
        lacking && self.asked.get(peer).is_none_or(|tries| *tries < TRIES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contact(peer: &str, kind: ContactKind, nick: &str) -> Contact {
        Contact { nick_name: nick.to_owned(), ..Contact::nameless(peer.parse().unwrap(), kind) }
    }

    #[test]
    fn who_is_asked_for() {
        let mut book = Book::new(contact("@me", ContactKind::Myself, "me"));
        book.put(Arc::new(contact("@friend", ContactKind::Person, "friend")));
        book.put(Arc::new(contact("@stub", ContactKind::Person, "")));
        book.put(Arc::new(contact("@@room", ContactKind::Room, "room")));
        let asks = |book: &Book, peer: &str| book.should_ask(&peer.parse().unwrap());
        for (peer, want) in
            [("@me", false), ("@friend", false), ("@stub", true), ("@@room", true), ("@new", true), ("weixin", false)]
        {
            assert_eq!(asks(&book, peer), want, "{peer}");
        }
        let new = ["@new".parse().unwrap()];
        book.note_asked(&new, false);
        assert!(asks(&book, "@new"), "no answer came: asked again");
        book.note_asked(&new, false);
        book.note_asked(&new, false);
        assert!(!asks(&book, "@new"), "but not for ever");
        book.note_asked(&["@@room".parse().unwrap()], true);
        assert!(!asks(&book, "@@room"), "a room that is not described is not asked for at each message");
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
