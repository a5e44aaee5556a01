//! Wire → model: what becomes of a message or an event. Nothing outside of this folder knows both.
//!
//! `content` what a message of the gateway says → [`news`] what its events tell; [`official`] what the service says to an
//! application, [`robot`] to a smart robot.

mod content;
pub mod news;
pub mod official;
pub mod robot;

use std::sync::Arc;

use wxbot_model::{
    Contact, ContactKind, Content, EventKey, EventKind, MediaHandle, MediaKind, Mentions, Message, MsgId, Name, PeerId,
};

use super::wire;
use crate::lenient::hash_key;
use crate::protocol::{ContactChange, Incoming};
use crate::push::NOBODY;
use crate::said::text::mentions;

/// What is known besides the body.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    /// Ourselves.
    pub me: &'a PeerId,
    /// What we are called; empty when nobody said.
    pub my_name: &'a str,
    /// By our clock.
    pub now_s: i64,
}

/// The content of a kind that has no number, as all kinds of WeCom: what cannot be decoded is kept whole.
fn unknown(raw: &str) -> Content {
    Content::Unknown { msg_type: 0, raw: raw.to_owned() }
}

#[expect(clippy::expect_used, reason = "a constant id")]
fn fallback_msg_id() -> MsgId {
    "unreadable".parse().expect("constant")
}

/// An id of the service, else the key of its event.
fn msg_id(stated: &str, key: &EventKey) -> MsgId {
    let stated = Some(stated.trim()).filter(|id| !id.is_empty() && *id != "0");
    let stated = stated.and_then(|id| id.parse().ok());
    stated.or_else(|| key.as_str().parse().ok()).unwrap_or_else(fallback_msg_id)
}

/// A key of these parts as they are, or, where they make none, of their hash.
fn joined_key(parts: &[&str]) -> EventKey {
    parts.join(":").parse().unwrap_or_else(|_| hash_key(parts))
}

/// What makes a push unique: `seq` is so within a login.
pub fn push_key(push: &wire::Push, part: &str, event_type: &str, raw: &str) -> EventKey {
    match push.number() {
        // One of each in one push are two things.
        Some(seq) if part.is_empty() => joined_key(&[&push.token, seq]),
        Some(seq) => joined_key(&[&push.token, seq, part]),
        None => joined_key(&[&push.token, event_type, hash_key(&[raw]).as_str()]),
    }
}

/// What cannot be read at all: kept in the account's own chat, so that nothing is lost silently.
pub fn unread(key: Option<EventKey>, raw: &str, scene: &Scene<'_>) -> Incoming {
    let key = key.unwrap_or_else(|| hash_key(&[raw]));
    let id = msg_id("", &key);
    let message = Message { id, from_self: false, content: unknown(raw), mentions: Mentions::default() };
    let chat = scene.me.clone();
    Incoming { key, chat, sender: None, at_s: scene.now_s, kind: EventKind::Message(message) }
}

/// A message of the gateway. `raw` is it as it came.
pub fn message(wire: &wire::Message, key: EventKey, raw: &str, scene: &Scene<'_>) -> Incoming {
    let room: Option<PeerId> = wire::room(&wire.room_id).parse().ok();
    let from: Option<PeerId> = wire.from_id.trim().parse().ok();
    let from_self = from.as_ref() == Some(scene.me);
    let other = if from_self { wire.to_id.trim().parse().ok() } else { from.clone() };
    let in_room = room.is_some();
    let content = content::content(wire, &msg_id(&wire.remote_id, &key)).unwrap_or_else(|| unknown(raw));
    let mentions = match content.text() {
        Some(text) if in_room && !from_self => mentions(text, || Some(scene.my_name)),
        Some(_) | None => Mentions::default(),
    };
    Incoming {
        chat: room.or(other).unwrap_or_else(|| scene.me.clone()),
        sender: from,
        at_s: wire::seconds(&wire.timestamp).unwrap_or(scene.now_s),
        kind: EventKind::Message(Message { id: msg_id(&wire.remote_id, &key), from_self, content, mentions }),
        key,
    }
}

/// A handle with what is known of the bytes.
fn media(kind: MediaKind, reference: &str, len: Option<u64>, params: &[(&str, &str)]) -> MediaHandle {
    let params = params.iter().filter(|(_, value)| !value.is_empty());
    MediaHandle {
        params: params.map(|(word, value)| ((*word).to_owned(), (*value).to_owned())).collect(),
        ..MediaHandle::new(kind, reference, len)
    }
}

/// A contact of whom nothing is known but the id. Rooms look like people here, so whoever calls says which it is.
pub fn nameless(peer: PeerId, is_room: bool, me: &PeerId) -> ContactChange {
    let kind = match peer.as_str() {
        NOBODY => ContactKind::Special,
        _ if peer == *me => ContactKind::Myself,
        _ if is_room => ContactKind::Room,
        _ => ContactKind::Person,
    };
    // These ids outlive logins.
    let wxid = if kind == ContactKind::Special { Name::default() } else { peer.as_str().into() };
    ContactChange::Upsert(Arc::new(Contact { wxid, ..Contact::nameless(peer, kind) }))
}

#[cfg(test)]
#[path = "convert_tests.rs"]
mod tests;
