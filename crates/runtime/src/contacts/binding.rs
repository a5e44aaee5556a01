//! Who is who in this login? Contacts against the ids of former logins, at its start and whenever more is told.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use wxbot_model::{Contact, ContactId, ContactKind, PeerId};

use super::marks::{self, Level, Marks};
use super::{Contacts, Known, hash64};

/// At most so many names stand in a reason.
const NAMED: usize = 3;

fn peer_key(peer: &PeerId) -> u64 {
    hash64(&["peer", peer.as_str()])
}

pub(super) fn name_key(nick: &str, attr: u64) -> u64 {
    hash64(&["name", nick, &attr.to_string()])
}

/// Who may turn out to be somebody from before.
enum Candidate {
    /// Without an id so far.
    Pending(PeerId),
    /// Was given a new one in this login.
    Newborn(ContactId),
}

impl Contacts {
    /// A session began, as `me`, and knows these; `whole` when they are the whole address book.
    pub fn begin(&mut self, me: &Contact, contacts: &[Arc<Contact>], whole: bool, now_ms: i64) {
        self.by_peer.clear();
        self.pending.clear();
        self.late.clear();
        self.whole = whole;
        self.shelf = wxbot_model::Shelf::default();
        self.me = Some(me.peer.clone());
        self.of = me.uin;
        self.login = hash64(&[me.peer.as_str(), &me.uin.to_string()]).max(1);
        self.moved = true;
        for known in self.by_id.values_mut() {
            known.contact = None;
        }
        // Whose contacts were the last ones is told by which of our own rows has a login.
        let of = self.of;
        for known in self.by_id.values_mut().filter(|known| known.bound.kind == ContactKind::Myself) {
            if known.bound.of != of && known.bound.login != 0 {
                known.bound.login = 0;
                self.unsaved.insert(known.bound.id.clone());
            }
        }
        // The same login goes on: whoever was met in it is still the same, also those that nobody lists.
        let here = self.by_id.values().filter(|known| known.bound.login == self.login && known.bound.same_as.is_none());
        self.by_peer = here.map(|known| (known.bound.peer.clone(), known.bound.id.clone())).collect();
        let by_former_peer: HashMap<PeerId, ContactId> =
            self.unbound().map(|known| (known.bound.peer.clone(), known.bound.id.clone())).collect();
        for contact in contacts {
            match by_former_peer.get(&contact.peer) {
                Some(id) if !self.by_peer.contains_key(&contact.peer) => self.see(id, contact, now_ms),
                Some(_) | None => self.meet(contact, now_ms),
            }
        }
        self.beginning = true;
        self.resolve(now_ms);
        self.beginning = false;
        let left: Vec<ContactId> = self.unbound().map(|known| known.bound.id.clone()).collect();
        self.former = HashMap::new();
        left.iter().for_each(|id| self.index(id));
    }

    fn index(&mut self, id: &ContactId) {
        let Some(row) = self.by_id.get(id).map(|known| &known.bound) else { return };
        for key in [peer_key(&row.peer), name_key(&row.nick_name, row.attr_status)] {
            let ids = self.former.entry(key).or_default();
            if !ids.contains(id) {
                ids.push(id.clone());
            }
        }
    }

    /// Those of [`unbound`](Self::unbound) under a key, and maybe others.
    pub(super) fn unbound_under(&self, key: u64) -> impl Iterator<Item = &Known> {
        let ids = self.former.get(&key).into_iter().flatten();
        ids.filter_map(|id| self.by_id.get(id)).map(|known| &**known).filter(|known| self.is_unbound(known))
    }

    /// Takes a new or changed contact of the running login. [`resolve`](Self::resolve) decides who is new.
    pub fn upsert(&mut self, contact: &Arc<Contact>, now_ms: i64) {
        if self.by_peer.contains_key(&contact.peer) || self.pending.contains_key(&contact.peer) {
            return self.meet(contact, now_ms);
        }
        // Built-in accounts have the same id in each login.
        match self.unbound_at(&contact.peer) {
            Some(id) => self.see(&id, contact, now_ms),
            None => {
                self.meet(contact, now_ms);
                if self.pending.contains_key(&contact.peer) {
                    self.late.insert(contact.peer.clone());
                }
            }
        }
    }

    /// A contact of which only a part was told, with the rest as it is known of this peer.
    pub fn completed(&self, told: Arc<Contact>) -> Arc<Contact> {
        let id = self.by_peer.get(&told.peer).cloned().or_else(|| self.unbound_at(&told.peer));
        let Some(known) = id.and_then(|id| self.by_id.get(&id)) else { return told };
        let mut whole = Contact::clone(&told);
        match &known.contact {
            Some(before) => {
                let texts = [
                    (&mut whole.nick_name, &before.nick_name),
                    (&mut whole.remark_name, &before.remark_name),
                    (&mut whole.alias, &before.alias),
                    (&mut whole.signature, &before.signature),
                    (&mut whole.province, &before.province),
                    (&mut whole.city, &before.city),
                ];
                for (text, known) in texts.into_iter().filter(|(text, _)| text.is_empty()) {
                    *text = known.clone();
                }
                if !whole.members.is_loaded() {
                    whole.members = before.members.clone();
                }
                whole.owner = whole.owner.or_else(|| before.owner.clone());
            }
            None => {
                let row = &known.bound;
                let texts = [
                    (&mut whole.nick_name, &row.nick_name),
                    (&mut whole.remark_name, &row.remark_name),
                    (&mut whole.alias, &row.alias),
                ];
                for (text, known) in texts.into_iter().filter(|(text, _)| text.is_empty()) {
                    *text = known.clone();
                }
            }
        }
        Arc::new(whole)
    }

    /// Which login this is.
    pub fn login(&self) -> u64 {
        self.login
    }

    /// Takes the answer to a question that was asked in a login. The ids of another one mean nobody in this: false then.
    pub fn take_answer(&mut self, asked_in: u64, told: &Arc<Contact>, now_ms: i64) -> bool {
        if asked_in != self.login {
            return false;
        }
        self.upsert(told, now_ms);
        self.resolve(now_ms);
        true
    }

    /// Gives an id to a member of a room who is no contact of ours. All that is known of such a one is a name that
    /// anybody in the room can take; so it is somebody from before only where that one was last met in this very room,
    /// and one member alone is called so.
    pub fn meet_stranger(&mut self, peer: &PeerId, room: &ContactId, now_ms: i64) -> ContactId {
        let mut stranger = Contact { is_ours: false, ..Contact::nameless(peer.clone(), ContactKind::Person) };
        let mut unique = false;
        if let Some(listed) = self.contact(room).filter(|listed| listed.kind == ContactKind::Room)
            && let Some(member) = listed.member(peer)
        {
            let namesakes = listed
                .members
                .iter()
                .filter(|other| other.attr_status == member.attr_status && other.nick_name == member.nick_name);
            unique = namesakes.count() == 1;
            stranger.nick_name = member.nick_name.clone();
            stranger.attr_status = member.attr_status;
        }
        let before = self.stranger_before(&stranger, room, unique && self.whole);
        let id = before.unwrap_or_else(|| self.fresh(&stranger));
        self.moved |= self.by_id.get(&id).is_some_and(|known| known.bound.born != self.login);
        self.see(&id, &Arc::new(stranger), now_ms);
        self.note_met(&id, room);
        id
    }

    /// Who this was in a former login; by name only when that is `unique` in the room.
    fn stranger_before(&self, stranger: &Contact, room: &ContactId, unique: bool) -> Option<ContactId> {
        let named = unique && !stranger.nick_name.is_empty() && stranger.attr_status != 0;
        // Where peers are lasting, nothing else is asked.
        if let Some(id) = self.unbound_at(&stranger.peer) {
            return Some(id);
        }
        if !named {
            return None;
        }
        let (nick, attr) = (&stranger.nick_name, stranger.attr_status);
        let rows = self.unbound_under(name_key(nick, attr)).map(|known| &known.bound);
        let called = rows.filter(|row| row.nick_name == *nick && row.attr_status == attr);
        let namesakes: Vec<_> = called.filter(|row| row.kind == ContactKind::Person).collect();
        // A friend of that name who is not here is somebody whom it could be, too.
        let [row] = namesakes.as_slice() else { return None };
        let here = self.known(room).map(|known| &known.bound.id);
        let there = row.met_in.as_ref().and_then(|met| self.known(met)).map(|known| &known.bound.id);
        (here.is_some() && here == there).then(|| row.id.clone())
    }

    /// Somebody spoke in a room. Of those who are no contacts of ours it is remembered where.
    pub fn note_met(&mut self, id: &ContactId, room: &ContactId) {
        let Some(known) = self.by_id.get_mut(id) else { return };
        let row = &mut known.bound;
        // A contact that was lost is not looked for among members: its rights were not given to one of them.
        let stranger = !row.ours && (row.born == self.login || row.met_in.is_some());
        if stranger && row.kind == ContactKind::Person && row.met_in.as_ref() != Some(room) {
            row.met_in = Some(room.clone());
            self.unsaved.insert(id.clone());
        }
    }

    fn meet(&mut self, contact: &Arc<Contact>, now_ms: i64) {
        if let Some(id) = self.by_peer.get(&contact.peer).cloned() {
            if !self.is_another(&id, contact) {
                self.recheck |= self.may_tell_more(&id, contact);
                return self.see(&id, contact, now_ms);
            }
            // Bound by names, and now the service says otherwise: whoever it was waits to be met.
            tracing::warn!(%id, "A contact was taken for somebody else; it is parted from that id.");
            self.part(&id);
            self.late.insert(contact.peer.clone());
        } else if !self.pending.contains_key(&contact.peer)
            && !self.unbound().any(|known| known.bound.kind == contact.kind)
        {
            // Nobody from before is left whom it could be.
            let id = self.fresh(contact);
            return self.see(&id, contact, now_ms);
        }
        self.pending.insert(contact.peer.clone(), Arc::clone(contact));
        self.shelve(contact);
        self.recheck = true;
    }

    /// True when the id belongs to somebody else than this contact, by what the service tells of it now.
    fn is_another(&self, id: &ContactId, contact: &Contact) -> bool {
        let Some(known) = self.by_id.get(id) else { return false };
        let (row, told) = (&known.bound, contact);
        let other_wxid = !row.wxid.is_empty() && !told.wxid.is_empty() && row.wxid != told.wxid;
        let other_uin = row.uin != 0 && told.uin != 0 && row.uin != told.uin;
        // An older id that lacks the lasting one was bound by names; another id has it.
        let of_other = row.wxid.is_empty()
            && !told.wxid.is_empty()
            && row.born != self.login
            && self.unbound().any(|known| known.bound.wxid == told.wxid);
        other_wxid || other_uin || of_other
    }

    /// True when a new id was given and there is now more to know its owner by.
    fn may_tell_more(&self, id: &ContactId, contact: &Contact) -> bool {
        let Some(known) = self.by_id.get(id).filter(|known| known.bound.born == self.login) else { return false };
        (known.bound.wxid.is_empty() && !contact.wxid.is_empty())
            || (known.bound.uin == 0 && contact.uin != 0)
            || (known.bound.alias.is_empty() && !contact.alias.is_empty())
            || (contact.members.is_loaded() && known.bound.room.as_ref().is_none_or(|room| room.sketch.is_empty()))
    }

    pub(super) fn part(&mut self, id: &ContactId) {
        if let Some(known) = self.by_id.get_mut(id) {
            self.by_peer.remove(&known.bound.peer);
            (known.bound.login, known.contact) = (0, None);
            self.unsaved.insert(id.clone());
            self.moved = true;
            self.index(id);
        }
    }

    /// Ids of former logins that nobody in this one is bound to, of the same WeChat account: another one's friends are
    /// not ours, whatever they are called.
    fn unbound(&self) -> impl Iterator<Item = &Known> {
        self.by_id.values().map(|known| &**known).filter(|known| self.is_unbound(known))
    }

    fn is_unbound(&self, known: &Known) -> bool {
        let row = &known.bound;
        row.login != self.login && row.same_as.is_none() && (row.of == 0 || self.of == 0 || row.of == self.of)
    }

    /// The one that had the same peer: built-in accounts do, in each login.
    fn unbound_at(&self, peer: &PeerId) -> Option<ContactId> {
        let mut there = self.unbound_under(peer_key(peer)).filter(|known| known.bound.peer == *peer);
        there.next().map(|known| known.bound.id.clone())
    }

    /// Decides who is somebody from before, as far as it can be told now.
    pub fn resolve(&mut self, now_ms: i64) {
        if !std::mem::take(&mut self.recheck) {
            return;
        }
        use ContactKind::{Myself, Official, Person, Room, Special};
        for kind in [Myself, Special, Official, Room, Person] {
            for level in marks::levels(kind) {
                let rows: Vec<&Known> = self.unbound().filter(|known| known.bound.kind == kind).collect();
                if rows.is_empty() {
                    break;
                }
                let (who, seen): (Vec<Candidate>, Vec<Marks<'_>>) = self.candidates(kind).unzip();
                let row_marks: Vec<Marks<'_>> = rows.iter().map(|known| Marks::of_row(&known.bound)).collect();
                let pairs = marks::unique_pairs(*level, &row_marks, &seen);
                let pairs: Vec<(ContactId, usize)> = pairs
                    .into_iter()
                    .filter(|(row, contact)| {
                        let stranger = rows.get(*row).is_some_and(|known| known.bound.met_in.is_some());
                        who.get(*contact).is_some_and(|who| self.may_bind(*level, kind, who, stranger))
                    })
                    .filter_map(|(row, contact)| Some((rows.get(row)?.bound.id.clone(), contact)))
                    .collect();
                drop((rows, seen, row_marks));
                for (id, contact) in pairs {
                    match who.get(contact) {
                        Some(Candidate::Pending(peer)) => {
                            self.bind_pending(&id, peer, now_ms);
                            if *level == Level::Topic {
                                self.doubt(&id);
                            }
                        }
                        // A new id was given to somebody who could not be told from others by name. By name nobody is
                        // told from them later either, but a room is by its members.
                        Some(Candidate::Newborn(new)) if level.is_strong() || kind == Room => {
                            self.unite(&id, new, now_ms);
                        }
                        Some(Candidate::Newborn(_)) | None => {}
                    }
                }
            }
        }
    }

    /// What anybody can copy counts only for those whom the service listed when the session began, and only where that
    /// was the whole address book. A `stranger` from before was no contact, so a contact is not taken for them by it.
    fn may_bind(&self, level: Level, kind: ContactKind, who: &Candidate, stranger: bool) -> bool {
        let listed = match who {
            Candidate::Pending(peer) => self.whole && !self.late.contains(peer),
            Candidate::Newborn(_) => false,
        };
        match level {
            Level::Wxid | Level::Uin | Level::Alias | Level::TopicAndMembers | Level::Members => true,
            Level::Remark | Level::Picture | Level::Nick => listed && !stranger,
            Level::Topic => listed && self.beginning,
            // Nobody but the service names built-in accounts and ourselves.
            Level::Named => listed || kind != ContactKind::Official,
        }
    }

    /// Bound by its topic alone: what is held for it stays held.
    fn doubt(&mut self, id: &ContactId) {
        if let Some(known) = self.by_id.get_mut(id) {
            known.bound.room.get_or_insert_default().by_topic = true;
            self.unsaved.insert(id.clone());
        }
    }

    /// True for a room that may be another one than replies were held for.
    pub fn is_doubtful(&self, id: &ContactId) -> bool {
        self.known(id).and_then(|known| known.bound.room.as_ref()).is_some_and(|room| room.by_topic)
    }

    /// These have something held; of others nothing is left to be careful with.
    pub fn keep_doubts(&mut self, held: &HashSet<ContactId>) {
        let held: HashSet<ContactId> =
            held.iter().filter_map(|id| self.known(id)).map(|known| known.bound.id.clone()).collect();
        for (id, known) in &mut self.by_id {
            if let Some(room) = known.bound.room.as_mut().filter(|room| room.by_topic && !held.contains(id)) {
                room.by_topic = false;
                self.unsaved.insert(id.clone());
            }
        }
    }

    fn candidates(&self, kind: ContactKind) -> impl Iterator<Item = (Candidate, Marks<'_>)> {
        let me = self.me.as_ref();
        let pending = self.pending.values().filter(move |contact| contact.kind == kind);
        let pending = pending.map(move |c| (Candidate::Pending(c.peer.clone()), Marks::of_contact(c, me)));
        let newborn = self.by_id.values().filter(move |known| {
            known.bound.kind == kind
                && known.bound.born == self.login
                && known.bound.login == self.login
                && known.bound.same_as.is_none()
        });
        pending.chain(newborn.map(|known| (Candidate::Newborn(known.bound.id.clone()), Marks::of_row(&known.bound))))
    }

    fn bind_pending(&mut self, id: &ContactId, peer: &PeerId, now_ms: i64) {
        if let Some(contact) = self.pending.remove(peer) {
            self.late.remove(peer);
            self.see(id, &contact, now_ms);
            self.moved = true;
        }
    }

    /// The new id turns out to be a former one: both reach the same peer from now on, events come under the former one.
    fn unite(&mut self, former: &ContactId, new: &ContactId, now_ms: i64) {
        let Some(known) = self.by_id.get_mut(new) else { return };
        known.bound.same_as = Some(former.clone());
        let (peer, contact, row) = (known.bound.peer.clone(), known.contact.take(), known.bound.clone());
        self.unsaved.insert(new.clone());
        let contact = contact.unwrap_or_else(|| {
            let stored = Contact::nameless(peer, row.kind);
            let is_ours = row.ours;
            Arc::new(Contact {
                is_ours,
                uin: row.uin,
                wxid: row.wxid,
                alias: row.alias,
                nick_name: row.nick_name,
                ..stored
            })
        });
        self.see(former, &contact, now_ms);
        self.moved = true;
    }

    /// The id under which an event of this peer is filed: a new one, when it is not known whose it is.
    pub fn id_for(&mut self, peer: &PeerId, now_ms: i64) -> Option<ContactId> {
        if let Some(id) = self.by_peer.get(peer) {
            return Some(id.clone());
        }
        let contact = self.pending.remove(peer)?;
        self.late.remove(peer);
        let id = self.fresh(&contact);
        self.see(&id, &contact, now_ms);
        Some(id)
    }

    /// The login has settled: whoever is still nobody from before gets a new id. Rooms whose members were never seen
    /// have to be seen first, unless nobody can tell (`given_up`).
    pub fn settle(&mut self, now_ms: i64, given_up: &dyn Fn(&PeerId) -> bool) {
        let waits = |contact: &Contact| {
            contact.kind == ContactKind::Room && !contact.members.is_loaded() && !given_up(&contact.peer)
        };
        let ready: Vec<PeerId> =
            self.pending.values().filter(|contact| !waits(contact)).map(|contact| contact.peer.clone()).collect();
        // Who somebody could be is now told by ids.
        self.moved |= !ready.is_empty();
        for peer in ready {
            self.id_for(&peer, now_ms);
        }
        if self.pending.is_empty() {
            self.pending = HashMap::new();
        }
    }

    /// Rooms that may be known from before, which their members would tell.
    pub fn rooms_to_see(&self) -> Vec<PeerId> {
        let unseen = |contact: &&Arc<Contact>| contact.kind == ContactKind::Room && !contact.members.is_loaded();
        self.pending.values().filter(unseen).map(|contact| contact.peer.clone()).collect()
    }

    /// True once after ids from before were bound or parted.
    pub fn take_moved(&mut self) -> bool {
        std::mem::take(&mut self.moved)
    }

    /// Ids are to be looked at again.
    pub fn mark_moved(&mut self) {
        self.moved = true;
    }

    /// True when there is nothing to store and nothing to tell.
    pub fn is_kept(&self, now_ms: i64) -> bool {
        self.unsaved.is_empty() && !self.moved && !self.has_due(now_ms)
    }

    /// Why nothing can be sent to this id, in words for people; `None` when it can.
    pub fn why_unmet(&self, id: &ContactId) -> Option<String> {
        if self.peer_of(id).is_some() {
            return None;
        }
        let Some(known) = self.known(id) else { return Some(format!("{id} is nobody this account knows")) };
        let row = &known.bound;
        let whom = format!("{id} ({})", self.name_of(id));
        if row.of != 0 && self.of != 0 && row.of != self.of {
            return Some(format!(
                "{whom} is a contact of the WeChat account that was logged in before, not of this one"
            ));
        }
        let row = Marks::of_row(row);
        let mut names: Vec<String> = self
            .candidates(known.bound.kind)
            .filter(|(_, contact)| marks::could_be(&row, contact))
            .map(|(who, _)| match who {
                Candidate::Pending(peer) => {
                    format!("“{}”", self.pending.get(&peer).map_or("", |contact| contact.display_name()))
                }
                Candidate::Newborn(id) => format!("{id} ({})", self.name_of(&id)),
            })
            .collect();
        names.sort();
        let more = names.len().saturating_sub(NAMED);
        names.truncate(NAMED);
        let more = if more > 0 { format!(" or {more} more") } else { String::new() };
        Some(match names.as_slice() {
            [] => format!("after the login nobody is known to be {whom}"),
            _ => format!("after the login {whom} could be {}{more}", names.join(" or ")),
        })
    }
}
