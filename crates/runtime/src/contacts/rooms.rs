//! What does a room's new list tell against the former one, and when does it become an event?

use std::collections::HashSet;

use wxbot_model::{Contact, ContactId, EventKey, EventKind, Noticed, PeerId};

use super::Contacts;
use super::rolls::{self, Open};
use crate::store::BoundContact;

/// Something that was noticed by comparing lists, to be filed in the room's chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoticedEvent {
    /// The room.
    pub room: ContactId,
    /// Unique within the account: the room and a number that is stored with it.
    pub key: EventKey,
    /// When it was noticed.
    pub at_ms: i64,
    /// What.
    pub kind: EventKind,
}

impl Contacts {
    /// Compares the list of a room with the one before, if both are whole and of one login.
    pub(super) fn see_room(&mut self, row: &mut BoundContact, before: Option<&Contact>, now: &Contact, at_ms: i64) {
        let mut room = row.room.take().unwrap_or_default();
        if row.login != self.login {
            // Ids of another login compare with nothing.
            room.roll = Box::default();
            let made = room.notes.made;
            room.notes = rolls::Notes { made, ..rolls::Notes::default() };
        }
        if now.members.is_loaded() {
            let me = self.me.as_ref();
            let sketch = super::sketch::of(&now.members, me);
            if room.sketch != sketch {
                room.sketch = sketch;
            }
            let with_us = me.is_none_or(|me| now.member(me).is_some());
            let roll = if with_us { rolls::roll_of(&now.members) } else { Box::default() };
            if !room.roll.is_empty() && !roll.is_empty() && room.roll != roll {
                let (joined, left) = rolls::differences(&room.roll, &now.members);
                let joined = joined.into_iter().map(|member| self.open(&member.peer, now, true, at_ms));
                let left = left.into_iter().map(|who| self.gone(who, before, at_ms));
                let seen = joined.chain(left).collect();
                room.notes.differ(seen);
            }
            if room.roll != roll {
                if room.roll.is_empty() {
                    // What was told before is in this list already.
                    room.notes.told.clear();
                }
                room.roll = roll;
            }
        }
        if let (Some(from), Some(to)) = (before.and_then(|before| before.owner.as_ref()), &now.owner)
            && from != to
        {
            let from = self.noticed(from, now);
            room.notes.owner = Some((Some(from), self.noticed(to, now)));
        }
        if room.notes.is_idle() {
            self.watched.remove(&row.id);
        } else {
            self.watched.insert(row.id.clone());
        }
        row.room = (*room != crate::store::RoomRow::default()).then_some(room);
    }

    fn noticed(&self, peer: &PeerId, room: &Contact) -> Noticed {
        let id = self.by_peer.get(peer).cloned();
        let contact = id.as_ref().and_then(|id| self.contact(id));
        let name = room.name_of_member(peer, contact.map(|contact| &**contact));
        let name = if name.is_empty() { id.as_ref().map_or("", |id| self.name_of(id)) } else { name };
        Noticed { name: name.to_owned(), id }
    }

    fn open(&self, peer: &PeerId, room: &Contact, joined: bool, at_ms: i64) -> Open {
        let member = self.noticed(peer, room);
        let nick = room.member(peer).map(|member| member.nick_name.to_string());
        let remark = self.by_peer.get(peer).map(|id| self.name_of(id).to_owned());
        let names = nick.into_iter().chain(remark).filter(|name| !name.is_empty() && *name != member.name).collect();
        Open { who: rolls::who(peer), joined, member, names, at_ms }
    }

    /// Somebody of the former list, of whom the roll keeps only a hash.
    fn gone(&self, who: u32, before: Option<&Contact>, at_ms: i64) -> Open {
        let listed = before.and_then(|room| {
            let member = room.members.iter().find(|member| rolls::who(&member.peer) == who)?;
            Some((room, member.peer.clone()))
        });
        if let Some((room, peer)) = listed {
            return self.open(&peer, room, false, at_ms);
        }
        // The list itself is not here any more: whoever ever spoke is known still.
        let spoke = self.by_peer.iter().find(|(peer, _)| rolls::who(peer) == who).map(|(_, id)| id.clone());
        let name = spoke.as_ref().map(|id| self.name_of(id).to_owned()).unwrap_or_default();
        Open { who, joined: false, member: Noticed { id: spoke, name }, names: Vec::new(), at_ms }
    }

    /// True when a member of this list is called so, by any name that a text may use.
    fn is_in(&self, room: &Contact, name: &str) -> bool {
        room.members.iter().any(|member| {
            let remark = || self.by_peer.get(&member.peer).is_some_and(|id| self.name_of(id) == name);
            &*member.nick_name == name || &*member.display_name == name || remark()
        })
    }

    /// A text told of people who came into a room (`joined`), or are gone from it.
    pub fn told(&mut self, room: &ContactId, joined: bool, names: &[String], at_ms: i64) {
        if names.is_empty() {
            return;
        }
        let listed = self.contact(room).filter(|contact| contact.members.is_loaded()).cloned();
        let agrees: HashSet<&str> = listed
            .iter()
            .flat_map(|listed| names.iter().map(String::as_str).filter(|name| self.is_in(listed, name) == joined))
            .collect();
        if let Some(known) = self.by_id.get_mut(room) {
            let notes = &mut known.bound.room.get_or_insert_default().notes;
            notes.tell(joined, names, at_ms, |name| agrees.contains(name));
            if !notes.is_idle() {
                self.watched.insert(room.clone());
            }
            self.unsaved.insert(room.clone());
        }
    }

    /// True when there is something to tell, or to forget.
    pub fn has_due(&self, now_ms: i64) -> bool {
        let due = |id: &ContactId| self.by_id.get(id)?.bound.room.as_ref()?.notes.due_ms();
        self.watched.iter().any(|id| due(id).is_some_and(|at| at <= now_ms))
    }

    /// What nobody explained in time. It counts as told once the rows that go with it are stored: in one commit.
    pub fn take_due(&mut self, now_ms: i64) -> Vec<NoticedEvent> {
        let mut events = Vec::new();
        let mut watched: Vec<ContactId> = self.watched.iter().cloned().collect();
        watched.sort();
        for id in watched {
            let Some(room) = self.by_id.get_mut(&id).and_then(|known| known.bound.room.as_mut()) else { continue };
            if room.notes.due_ms().is_none_or(|at| at > now_ms) {
                continue;
            }
            let (ripe, owner) = room.notes.take_due(now_ms);
            let mut event = |at_ms: i64, kind: EventKind| {
                room.notes.made += 1;
                if let Ok(key) = format!("seen-{id}-{}", room.notes.made).parse() {
                    events.push(NoticedEvent { room: id.clone(), key, at_ms, kind });
                }
            };
            if let Some((from, to)) = owner {
                event(now_ms, EventKind::OwnerChanged { from, to });
            }
            if let Some(at_ms) = ripe.iter().map(|open| open.at_ms).min() {
                let (joined, left): (Vec<Open>, Vec<Open>) = ripe.into_iter().partition(|open| open.joined);
                let members = |list: Vec<Open>| list.into_iter().map(|open| open.member).collect();
                event(at_ms, EventKind::MembersChanged { joined: members(joined), left: members(left) });
            }
            if room.notes.is_idle() {
                self.watched.remove(&id);
            }
            self.unsaved.insert(id);
        }
        events
    }
}
