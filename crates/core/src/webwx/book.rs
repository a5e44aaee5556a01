//! Who does this login know? The contacts under their present UserNames.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use wxbot_model::{Contact, ContactKind, PeerId};

/// All contacts of one login, the account itself included.
#[derive(Debug, Clone)]
pub struct Book {
    me: PeerId,
    contacts: HashMap<PeerId, Arc<Contact>>,
    /// Asked for and not given: not asked again in this session.
    unknown: HashSet<PeerId>,
}

impl Book {
    /// A book that knows only the account itself.
    pub fn new(me: Contact) -> Self {
        let id = me.peer.clone();
        Self { contacts: HashMap::from([(id.clone(), Arc::new(me))]), me: id, unknown: HashSet::new() }
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

    /// What `new` becomes when it is merged over what is known: empty values do not overwrite. `None` when nothing changes.
    pub fn merged(&self, mut new: Contact) -> Option<Arc<Contact>> {
        let Some(old) = self.contacts.get(&new.peer) else { return Some(Arc::new(new)) };
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
        if **old == new { None } else { Some(Arc::new(new)) }
    }

    /// Takes a contact as it is.
    pub fn put(&mut self, contact: Arc<Contact>) {
        self.unknown.remove(&contact.peer);
        self.contacts.insert(contact.peer.clone(), contact);
    }

    /// Forgets a contact.
    pub fn remove(&mut self, peer: &PeerId) {
        self.contacts.remove(peer);
    }

    /// Notes that the service does not tell who this is.
    pub fn give_up_on(&mut self, peer: PeerId) {
        self.unknown.insert(peer);
    }

    /// True when asking for this peer may help: not known, or a room without members, and not asked in vain before.
    pub fn should_ask(&self, peer: &PeerId) -> bool {
        if self.unknown.contains(peer) || super::username::is_special(peer.as_str()) {
            return false;
        }
        match self.contacts.get(peer) {
            None => true,
            Some(contact) => contact.kind == ContactKind::Room && contact.members.is_empty(),
        }
    }

    /// How our account is called in a room: its group nickname, else its nick name.
    pub fn my_name_in(&self, room: &PeerId) -> Option<&str> {
        let nick = || self.myself().map(|me| me.nick_name.as_str());
        match self.contacts.get(room).and_then(|room| room.member(&self.me)) {
            Some(member) if !member.shown_name().is_empty() => Some(member.shown_name()),
            Some(_) | None => nick(),
        }
    }
}
