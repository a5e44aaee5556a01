//! How does a batch become rows? Its contacts are bound, its events filed under contact ids and written as JSON.

use wxbot_core::protocol::{ContactChange, Incoming};
use wxbot_model::{AccountName, Chat, ChatKind, ContactId, ContactKind, Event, EventKind, PeerId, Person};

use crate::contacts::{Contacts, NoticedEvent};
use crate::outbox::echo_of;
use crate::store::{NewRow, Opening};

/// An event as it is stored and as it is handled.
pub(crate) type Filed = (NewRow, Event);

/// Binds the contacts of a batch and turns its events into rows.
pub(super) fn rows(
    book: &mut Contacts,
    account: &AccountName,
    changes: Vec<ContactChange>,
    events: Vec<Incoming>,
    now_ms: i64,
) -> Vec<Filed> {
    let mut gone = Vec::new();
    for change in changes {
        match change {
            ContactChange::Upsert(contact) => book.upsert(&contact, now_ms),
            ContactChange::Met(contact) => {
                let contact = book.completed(contact);
                book.upsert(&contact, now_ms);
            }
            ContactChange::Remove(peer) => gone.push(peer),
        }
    }
    book.resolve(now_ms);
    let rows = events.into_iter().filter_map(|event| row(book, account, event, now_ms)).collect();
    // What their last events are called by was needed until now.
    gone.iter().for_each(|peer| book.remove(peer));
    rows
}

/// Which of these let their chats be written to: what persons have said, and not we.
pub(super) fn opens(filed: &[Filed], now_ms: i64) -> Vec<Opening> {
    let said = filed
        .iter()
        .enumerate()
        .filter(|(_, (_, event))| event.sender.is_some() && event.message().is_some_and(|message| !message.from_self));
    let opening = |(row, (_, event)): (usize, &Filed)| {
        // The service counts from when it was said. A clock that is ahead of ours must not lengthen it.
        let said_ms = Some(event.at_s.saturating_mul(1_000)).filter(|at_ms| *at_ms > 0);
        Opening { row, said_ms: said_ms.map_or(now_ms, |at_ms| at_ms.min(now_ms)) }
    };
    said.map(opening).collect()
}

/// What was noticed by comparing lists, as rows.
pub(super) fn noticed(book: &mut Contacts, account: &AccountName, now_ms: i64) -> Vec<Filed> {
    let due = book.take_due(now_ms);
    let file = |NoticedEvent { room, key, at_ms, kind }| {
        let chat = Chat { kind: ChatKind::Group, name: book.name_of(&room).to_owned(), id: room };
        written(Event { account: account.clone(), key, chat, sender: None, at_s: at_ms / 1_000, late: false, kind })
    };
    due.into_iter().filter_map(file).collect()
}

fn row(book: &mut Contacts, account: &AccountName, incoming: Incoming, now_ms: i64) -> Option<Filed> {
    let Some(id) = book.id_for(&incoming.chat, now_ms) else {
        // Protocols introduce everybody they name in the same batch; one that does not loses this event, loudly.
        tracing::error!(%account, key = %incoming.key, "An event of an unknown chat cannot be filed.");
        return None;
    };
    let kind = match book.contact(&id).map(|contact| contact.kind) {
        Some(ContactKind::Room) => ChatKind::Group,
        Some(ContactKind::Official) => ChatKind::Official,
        Some(ContactKind::Special | ContactKind::Myself) => ChatKind::Special,
        Some(_) | None => ChatKind::Private,
    };
    if kind == ChatKind::Group {
        book.touch(&incoming.chat);
        explain(book, &id, &incoming.kind, now_ms);
    }
    let sender = incoming.sender.as_ref().map(|peer| {
        let id = sender_id(book, peer, &id, now_ms);
        let room = book.id_of(&incoming.chat).and_then(|chat| book.contact(chat));
        let name = match room.filter(|room| room.kind == ContactKind::Room) {
            Some(room) => room.name_of_member(peer, book.contact(&id).map(|contact| &**contact)),
            None => "",
        };
        let name = if name.is_empty() { book.name_of(&id) } else { name };
        Person { name: name.to_owned(), id }
    });
    written(Event {
        account: account.clone(),
        chat: Chat { kind, name: book.name_of(&id).to_owned(), id },
        sender,
        at_s: incoming.at_s,
        late: false,
        kind: incoming.kind,
        key: incoming.key,
    })
}

/// Most members of a room are no contacts of ours. They get an id when they first speak.
fn sender_id(book: &mut Contacts, peer: &PeerId, chat: &ContactId, now_ms: i64) -> ContactId {
    if let Some(id) = book.id_of(peer).cloned() {
        book.note_met(&id, chat);
        return id;
    }
    book.id_for(peer, now_ms).unwrap_or_else(|| book.meet_stranger(peer, chat, now_ms))
}

/// A text that tells who came or went explains what a comparison sees, before or after it.
fn explain(book: &mut Contacts, room: &ContactId, kind: &EventKind, now_ms: i64) {
    if let EventKind::MembersJoined(joined) = kind {
        book.told(room, true, &joined.names, now_ms);
    } else if let EventKind::MembersRemoved { names, .. } = kind {
        book.told(room, false, names, now_ms);
    }
}

fn written(event: Event) -> Option<Filed> {
    let echo = if event.from_self() { event.text().map(echo_of) } else { None };
    match serde_json::to_string(&event) {
        Ok(body) => {
            let (key, conv) = (event.key.clone(), event.chat.id.clone());
            Some((NewRow { key, conv, kind: event.kind.word(), body: body.into(), echo }, event))
        }
        Err(error) => {
            tracing::error!(account = %event.account, key = %event.key, %error, "An event cannot be written as JSON.");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use wxbot_model::{Contact, Member, Members};

    use super::*;

    fn login(rows: Vec<crate::store::BoundContact>, me: &str, contacts: &[Contact]) -> Contacts {
        let mut book = Contacts::load(rows);
        let contacts: Vec<Arc<Contact>> = contacts.iter().cloned().map(Arc::new).collect();
        book.begin(&Contact::nameless(me.parse().unwrap(), ContactKind::Myself), &contacts, true, 0);
        book
    }

    fn named(peer: &str, kind: ContactKind, nick: &str) -> Contact {
        Contact { nick_name: nick.into(), attr_status: 7, ..Contact::nameless(peer.parse().unwrap(), kind) }
    }

    #[test]
    fn sec_who_speaks_under_the_name_of_a_lost_friend_is_a_stranger() {
        let first = login(Vec::new(), "@me1", &[named("@b1", ContactKind::Person, "Bob")]);
        let bob = first.id_of(&"@b1".parse().unwrap()).unwrap().clone();
        let me: PeerId = "@me2".parse().unwrap();
        let member = |peer: &str, nick: &str| Member {
            peer: peer.parse().unwrap(),
            nick_name: nick.into(),
            display_name: "".into(),
            attr_status: 7,
        };
        let members = Members::complete(vec![member("@me2", "shop"), member("@x2", "Bob")], Some(&me));
        let room = Contact { members, ..named("@@r2", ContactKind::Room, "群") };
        let mut book = login(first.unsaved(), "@me2", &[room]);
        let event = Incoming {
            key: "k".parse().unwrap(),
            chat: "@@r2".parse().unwrap(),
            sender: Some("@x2".parse().unwrap()),
            at_s: 0,
            kind: EventKind::ContactChanged,
        };
        let filed = rows(&mut book, &"shop".parse().unwrap(), Vec::new(), vec![event], 0);
        let sender = filed[0].1.sender.clone().unwrap();
        assert_eq!((sender.name.as_str(), sender.id == bob), ("Bob", false));
        assert!(!book.contact(&sender.id).unwrap().is_ours);
        let row = book.unsaved().into_iter().find(|row| row.id == sender.id).unwrap();
        assert_eq!((row.ours, row.met_in.as_ref()), (false, Some(&filed[0].1.chat.id)));
    }
}
