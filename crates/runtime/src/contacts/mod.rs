//! Which of our contact ids is this peer? Bindings of one account, renewed after each login.
//!
//! A Web `UserName` lasts one login. After the next one each contact is bound to the id it had before, by things that
//! outlive a login, and only where the match is unique on both sides. What is ambiguous gets a new id, and so no rights.
//!
//! `marks` and `sketch` what outlives a login → `binding` who is who → [`rolls`] who came and went without a word →
//! `search` → `ask` members that are not loaded. Why: `docs/adr/0016-who-is-who-after-a-login.md`.

pub(crate) mod ask;
mod binding;
mod marks;
pub mod rolls;
mod rooms;
mod search;
mod sketch;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use wxbot_model::{Contact, ContactId, ContactKind, PeerId, Shelf};

use crate::store::BoundContact;
pub use rooms::NoticedEvent;
pub use search::{find_stored, found};

/// The contacts of one account.
#[derive(Debug, Default)]
pub struct Contacts {
    by_peer: HashMap<PeerId, ContactId>,
    /// Boxed: a map keeps up to twice the room it needs, and this is most of what is kept of a contact.
    by_id: HashMap<ContactId, Box<Known>>,
    next: u64,
    /// The running login: our own id in it, a hash of that, and our `Uin`.
    me: Option<PeerId>,
    login: u64,
    of: u64,
    /// Contacts of this login that may be somebody from before. They get an id when that is decided or needed.
    pending: HashMap<PeerId, Arc<Contact>>,
    /// Those of them that were not in the first list of the session: names say nothing of who they were before.
    late: HashSet<PeerId>,
    /// The first list was the whole address book: a name that is unique in it is unique.
    whole: bool,
    /// The first list is being read.
    beginning: bool,
    /// Ids of former logins that the first list did not bind, by hashes of their peers and of their names; so that not all
    /// rows are read for each new speaker in a room. Some may be bound by now.
    former: HashMap<u64, Vec<ContactId>>,
    /// Rooms whose members are loaded.
    shelf: Shelf,
    /// Ids whose rows the store does not have as they are here. Kept until a commit takes them, or a number could be
    /// given to somebody else after a restart.
    unsaved: HashSet<ContactId>,
    /// Somebody came who may be somebody from before.
    recheck: bool,
    /// An id from before was bound or parted since this was last asked.
    moved: bool,
    /// Rooms with something open about their members.
    watched: HashSet<ContactId>,
}

#[derive(Debug)]
struct Known {
    bound: BoundContact,
    /// As seen in this login; `None` while it was not.
    contact: Option<Arc<Contact>>,
}

/// FNV-1a of texts, each with an end mark. Stored, so it must stay as it is.
pub(crate) fn hash64(parts: &[&str]) -> u64 {
    parts
        .iter()
        .flat_map(|part| part.bytes().chain([0]))
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

impl Contacts {
    /// From the store, before any login.
    pub fn load(rows: Vec<BoundContact>) -> Self {
        let number = |id: &ContactId| id.as_str().get(1..).and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
        let next = rows.iter().map(|row| number(&row.id)).max().unwrap_or(0) + 1;
        let open = |row: &&BoundContact| row.room.as_ref().is_some_and(|room| !room.notes.is_idle());
        let watched = rows.iter().filter(open).map(|row| row.id.clone()).collect();
        let by_id =
            rows.into_iter().map(|bound| (bound.id.clone(), Box::new(Known { bound, contact: None }))).collect();
        Self { by_id, next, watched, ..Self::default() }
    }

    fn fresh(&mut self, contact: &Contact) -> ContactId {
        let id = format!("{}{}", contact.kind.letter(), self.next.max(1));
        self.next = self.next.max(1) + 1;
        #[expect(clippy::expect_used, reason = "a letter of the kind and digits")]
        let id: ContactId = id.parse().expect("a contact id");
        let bound = BoundContact {
            id: id.clone(),
            peer: contact.peer.clone(),
            kind: contact.kind,
            uin: 0,
            wxid: "".into(),
            alias: "".into(),
            remark_name: "".into(),
            nick_name: "".into(),
            attr_status: 0,
            picture: 0,
            of: self.of,
            login: self.login,
            born: self.login,
            same_as: None,
            ours: true,
            met_in: None,
            room: None,
        };
        self.by_id.insert(id.clone(), Box::new(Known { bound, contact: None }));
        self.unsaved.insert(id.clone());
        id
    }

    /// Takes what the running login shows of an id, and the marks in it.
    fn see(&mut self, id: &ContactId, contact: &Arc<Contact>, now_ms: i64) {
        let Some(known) = self.by_id.get(id) else { return };
        let mut row = known.bound.clone();
        let before = known.contact.clone();
        if contact.kind == ContactKind::Room {
            self.see_room(&mut row, before.as_deref(), contact, now_ms);
        }
        row.peer = contact.peer.clone();
        row.kind = contact.kind;
        (row.login, row.of) = (self.login, self.of);
        row.ours = contact.is_ours;
        if contact.is_ours {
            row.met_in = None;
        }
        // What belongs to one person alone stays known; what others may have as well is only worth something as it is now.
        if contact.uin != 0 {
            row.uin = contact.uin;
        }
        for (mark, told) in [(&mut row.wxid, &contact.wxid), (&mut row.alias, &contact.alias)] {
            if !told.is_empty() {
                *mark = told.clone();
            }
        }
        if !contact.nick_name.is_empty() || !contact.remark_name.is_empty() {
            row.remark_name = contact.remark_name.clone();
            row.nick_name = contact.nick_name.clone();
            row.attr_status = contact.attr_status;
            row.picture = contact.picture;
        }
        if self.by_peer.get(&contact.peer) != Some(id) {
            self.by_peer.insert(contact.peer.clone(), id.clone());
        }
        if let Some(known) = self.by_id.get_mut(id) {
            known.contact = Some(Arc::clone(contact));
            if known.bound != row {
                known.bound = row;
                self.unsaved.insert(id.clone());
            }
        }
        self.shelve(contact);
    }

    /// Keeps the loaded lists within their bound.
    fn shelve(&mut self, contact: &Contact) {
        if !contact.members.is_loaded() {
            self.shelf.remove(&contact.peer);
            return;
        }
        for room in self.shelf.put(&contact.peer, contact.members.len()) {
            let of_id = self.by_peer.get(&room).and_then(|id| self.by_id.get_mut(id)?.contact.as_mut());
            if let Some(contact) = of_id.or_else(|| self.pending.get_mut(&room)) {
                *contact = Arc::new(Contact { members: contact.members.unloaded(), ..(**contact).clone() });
            }
        }
    }

    /// Somebody is no contact any more, or a room was left. The binding stays: a friend who comes back keeps the id.
    pub fn remove(&mut self, peer: &PeerId) {
        self.pending.remove(peer);
        self.late.remove(peer);
        self.shelf.remove(peer);
        let Some(id) = self.by_peer.get(peer).cloned() else { return };
        if let Some(known) = self.by_id.get_mut(&id) {
            if let Some(contact) = &known.contact {
                let members = contact.members.unloaded();
                known.contact = Some(Arc::new(Contact { is_ours: false, members, ..(**contact).clone() }));
            }
            if std::mem::take(&mut known.bound.ours) {
                self.unsaved.insert(id.clone());
            }
            // Whoever is there when we come back came while we were away.
            if let Some(room) = known.bound.room.as_mut().filter(|room| !room.roll.is_empty()) {
                room.roll = Box::default();
                room.notes.open.clear();
                self.unsaved.insert(id);
            }
        }
    }

    /// Rows that the store does not have yet.
    pub fn unsaved(&self) -> Vec<BoundContact> {
        self.unsaved.iter().filter_map(|id| self.by_id.get(id)).map(|known| known.bound.clone()).collect()
    }

    /// The store has taken these.
    pub fn saved(&mut self, rows: &[BoundContact]) {
        for row in rows {
            if self.by_id.get(&row.id).is_some_and(|known| known.bound == *row) {
                self.unsaved.remove(&row.id);
            }
        }
        if self.unsaved.is_empty() {
            // After a login it held everybody.
            self.unsaved = HashSet::new();
        }
    }

    /// Follows an id that was found out to be another one.
    fn known(&self, id: &ContactId) -> Option<&Known> {
        let mut known: &Known = self.by_id.get(id)?;
        // One step is the rule; a chain comes from ids that were found out one after another.
        for _ in 0..8 {
            match &known.bound.same_as {
                Some(other) => known = self.by_id.get(other)?,
                None => return Some(known),
            }
        }
        None
    }

    /// Our own id: of the running login, else of the last one.
    pub fn myself(&self) -> Option<&ContactId> {
        let now = self.me.as_ref().and_then(|me| self.by_peer.get(me));
        let rows = || self.by_id.values().map(|known| &known.bound);
        now.or_else(|| rows().find(|row| row.kind == ContactKind::Myself && row.login != 0).map(|row| &row.id))
    }

    /// The id of a peer of the running login, where it has one.
    pub fn id_of(&self, peer: &PeerId) -> Option<&ContactId> {
        self.by_peer.get(peer)
    }

    /// The peer of an id, when it is bound in the running login.
    pub fn peer_of(&self, id: &ContactId) -> Option<&PeerId> {
        let known = self.known(id)?;
        (self.login != 0 && known.bound.login == self.login).then_some(&known.bound.peer)
    }

    /// What is known of an id in the running login.
    pub fn contact(&self, id: &ContactId) -> Option<&Arc<Contact>> {
        self.known(id)?.contact.as_ref()
    }

    /// How an id is called: as seen in this login, else as stored.
    pub fn name_of(&self, id: &ContactId) -> &str {
        let Some(known) = self.known(id) else { return "" };
        match &known.contact {
            Some(contact) => contact.display_name(),
            None if known.bound.remark_name.is_empty() => &known.bound.nick_name,
            None => &known.bound.remark_name,
        }
    }

    /// The list of this room was needed.
    pub fn touch(&mut self, room: &PeerId) {
        self.shelf.touch(room);
    }

    /// Members of all rooms whose lists are loaded.
    pub fn members_loaded(&self) -> usize {
        self.shelf.total()
    }
}

#[cfg(test)]
mod names_tests;
#[cfg(test)]
mod tests;
