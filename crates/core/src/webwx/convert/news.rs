//! What does one answer of webwxsync tell? Changes of the address book first, then events, each read once.

use std::collections::HashSet;
use std::sync::Arc;

use wxbot_model::{Contact, EventKind, PeerId};

use super::{Read, contacts, hash_key, nameless, peers_of};
use crate::protocol::{ContactChange, Incoming};
use crate::webwx::book::Book;
use crate::webwx::text::name;
use crate::webwx::wire::answer::{Profile, SyncAnswer, deleted, elements};
use crate::webwx::wire::contact;

/// A sync answer, read.
#[derive(Debug)]
pub struct News {
    messages: Vec<Read>,
    changed: Vec<Contact>,
    removed: Vec<PeerId>,
    profile: Option<Profile>,
}

/// What an answer becomes once everybody in it is known.
#[derive(Debug, Default)]
pub struct Settled {
    /// To apply before the events are stored.
    pub contacts: Vec<ContactChange>,
    /// Announced changes of contacts, then messages in their order.
    pub events: Vec<Incoming>,
}

impl News {
    /// Reads everything in the answer but what steers the loop. Elements that cannot be read cost only themselves.
    pub fn read(answer: SyncAnswer, me: &PeerId) -> Self {
        let (mut changed, mut bad) = elements::<contact::Contact>(&answer.mod_contact_list);
        let (members_changed, more_bad) = elements::<contact::Contact>(&answer.mod_chat_room_member_list);
        changed.extend(members_changed);
        bad += more_bad;
        if bad > 0 {
            tracing::warn!(bad, "Some changed contacts cannot be read.");
        }
        let removed = deleted(&answer.del_contact_list).into_iter().filter_map(|peer| peer.parse().ok());
        Self {
            messages: answer.add_msg_list.into_iter().map(Read::new).collect(),
            changed: contacts(changed, me),
            removed: removed.filter(|peer| peer != me).collect(),
            profile: answer.profile.filter(|profile| profile.bit_flag != 0),
        }
    }

    /// Whom the service should be asked for before the messages can be told.
    pub fn strangers(&self, book: &Book) -> Vec<PeerId> {
        let mut seen: HashSet<PeerId> = self.changed.iter().map(|contact| contact.peer.clone()).collect();
        let messages = self.messages.iter().filter_map(|read| match read {
            Read::Message(msg) => Some(msg),
            Read::Unreadable(_) => None,
        });
        let mut strangers = Vec::new();
        for peer in messages.flat_map(|msg| peers_of(msg, book.me())) {
            if book.should_ask(&peer) && seen.insert(peer.clone()) {
                strangers.push(peer);
            }
        }
        strangers
    }

    /// Turns it into changes and events. `told` is what the service said of the strangers; `from` is the position that
    /// was asked with: fetched again from there, the same changes get the same keys.
    pub fn settle(self, book: &Book, told: Vec<Contact>, from: &str, now_s: i64) -> Settled {
        let event = |word: &str, peer: &PeerId, kind: EventKind| {
            let key = hash_key(&[word, peer.as_str(), from]);
            Incoming { key, chat: peer.clone(), sender: None, at_s: now_s, kind }
        };
        // Nobody can be told of the loss of somebody who was not known.
        let removed: Vec<PeerId> = self.removed.into_iter().filter(|peer| book.get(peer).is_some()).collect();
        let mut events: Vec<Incoming> =
            removed.iter().map(|peer| event("del", peer, EventKind::ContactRemoved)).collect();

        let mut upserts = Upserts { book, list: Vec::new() };
        for contact in self.changed {
            let peer = contact.peer.clone();
            if upserts.merge(contact) {
                events.push(event("mod", &peer, EventKind::ContactChanged));
            }
        }
        if let (Some(profile), Some(myself)) = (self.profile, book.myself()) {
            upserts.merge(Contact {
                nick_name: name(&profile.nick_name.buff),
                signature: name(&profile.signature),
                ..(**myself).clone()
            });
        }
        for contact in told {
            upserts.merge(contact);
        }
        let mut upserts = upserts.list;

        let view = book.view(&upserts);
        events.extend(self.messages.iter().map(|read| read.incoming(&view, now_s)));
        // Whoever is named is introduced, known or not: an event of an unknown chat could not be filed.
        let mut unknown: Vec<PeerId> = Vec::new();
        for incoming in &events {
            if view.get(&incoming.chat).is_none() && !unknown.contains(&incoming.chat) {
                unknown.push(incoming.chat.clone());
            }
        }
        drop(view);
        upserts.extend(unknown.into_iter().map(|peer| Arc::new(nameless(peer))));
        let contacts =
            removed.into_iter().map(ContactChange::Remove).chain(upserts.into_iter().map(ContactChange::Upsert));
        Settled { contacts: contacts.collect(), events }
    }
}

/// New states of contacts, one per peer.
struct Upserts<'a> {
    book: &'a Book,
    list: Vec<Arc<Contact>>,
}

impl Upserts<'_> {
    /// Merges over what is known, this answer included. True when the peer had no new state before and has one now.
    fn merge(&mut self, contact: Contact) -> bool {
        match self.list.iter_mut().find(|known| known.peer == contact.peer) {
            Some(known) => {
                if let Some(merged) = Book::merged_over(known, contact) {
                    *known = merged;
                }
                false
            }
            None => match self.book.merged(contact) {
                Some(merged) => {
                    self.list.push(merged);
                    true
                }
                None => false,
            },
        }
    }
}

/// The event that says: messages may be missing.
pub fn gap(me: &PeerId, from_s: i64, to_s: i64) -> Incoming {
    let key = hash_key(&["gap", me.as_str(), &to_s.to_string()]);
    Incoming { key, chat: me.clone(), sender: None, at_s: to_s, kind: EventKind::Gap { from_s, to_s } }
}
