//! Wire → model: what becomes of one entry. Nothing outside of this folder knows both.
//!
//! `content` what a message says, `person` who is recommended in it, [`raw`] what came undecoded.

mod content;
mod person;
pub mod raw;

use std::sync::Arc;

use wxbot_model::{
    Contact, ContactKind, Content, EventKey, EventKind, MediaHandle, Mentions, Message, MsgId, Name, PeerId,
};

use super::path;
use super::wire::Entry;
use crate::lenient::{hash_key, time};
use crate::protocol::{ContactChange, Incoming};
use crate::push::{LoggedOut, NOBODY};
use crate::said::text::mentions;
use crate::said::{Told, username};

/// What is known besides the entry.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    /// Ourselves.
    pub me: &'a PeerId,
    /// What we are called; empty when nobody said.
    pub my_name: &'a str,
    /// The Windows machine's clock, seconds east of Greenwich.
    pub offset_s: i32,
    /// By our clock.
    pub now_s: i64,
}

/// In which form an id came. The service's id of a message comes with each of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// The message itself.
    Message,
    /// Its acknowledgement.
    Acknowledgement,
    /// Its bytes.
    Ready,
}

impl Form {
    fn word(self) -> &'static str {
        match self {
            Self::Message => "msg",
            Self::Acknowledgement => "ack",
            Self::Ready => "ready",
        }
    }
}

/// What names an entry without an id of the service.
pub fn local_key(entry: &Entry, me: &PeerId) -> EventKey {
    let room = [&*entry.fromgid, &entry.gid].join(",");
    let people = [&*entry.fromwxid, &entry.fromid].join(",");
    let what = [&*entry.msg, &entry.current_wxid].join(",");
    let hash = hash_key(&[me.as_str(), &entry.msgtype, &entry.time, &people, &room, &entry.toid, &entry.index, &what]);
    format!("local:{hash}").parse().unwrap_or(hash)
}

/// What makes the entry unique in this form.
fn key(entry: &Entry, form: Form, me: &PeerId) -> EventKey {
    let stated = entry.server_id().and_then(|id| format!("{id}:{}", form.word()).parse().ok());
    stated.unwrap_or_else(|| local_key(entry, me))
}

/// The service's id of the message; without one, the key stands for it.
fn msg_id(entry: &Entry, key: &EventKey) -> MsgId {
    let stated = entry.server_id().and_then(|id| id.parse().ok());
    stated.or_else(|| key.as_str().parse().ok()).unwrap_or_else(fallback_msg_id)
}

#[expect(clippy::expect_used, reason = "a constant id")]
fn fallback_msg_id() -> MsgId {
    "unreadable".parse().expect("constant")
}

impl Scene<'_> {
    fn at_s(&self, stated: &str) -> i64 {
        time::local(stated, self.offset_s).unwrap_or(self.now_s)
    }

    /// In the account's own chat, by nobody.
    fn about_me(&self, key: EventKey, at_s: i64, kind: EventKind) -> Incoming {
        Incoming { key, chat: self.me.clone(), sender: None, at_s, kind }
    }
}

fn said(id: MsgId, from_self: bool, content: Content) -> EventKind {
    EventKind::Message(Message { id, from_self, content, mentions: Mentions::default() })
}

/// What cannot be read at all: kept in the account's own chat, so that nothing is lost silently.
pub fn unread(raw: String, scene: &Scene<'_>) -> Incoming {
    let key = hash_key(&[scene.me.as_str(), &raw]);
    let id = key.as_str().parse().unwrap_or_else(|_| fallback_msg_id());
    scene.about_me(key, scene.now_s, said(id, false, Content::Unknown { msg_type: -1, raw }))
}

/// Whose an entry is.
struct Ends<'a> {
    chat: PeerId,
    sender: Option<PeerId>,
    from_self: bool,
    in_room: bool,
    /// The content without the room prefix.
    body: &'a str,
}

/// True when we wrote it, here or on another device.
pub fn is_own(entry: &Entry, me: &PeerId) -> bool {
    [&entry.fromwxid, &entry.fromid].into_iter().any(|id| id == me.as_str())
}

impl<'a> Ends<'a> {
    fn of(entry: &'a Entry, me: &PeerId) -> Self {
        let from_self = is_own(entry, me);
        let rooms = [&entry.fromgid, &entry.fromwxid, &entry.toid];
        // What stands in `fromgid` is a room, however it is written.
        let room =
            rooms.into_iter().enumerate().find(|(place, id)| !id.is_empty() && (*place == 0 || username::is_room(id)));
        let system = entry.code() == Some(10_000);
        let peer = |id: &str| id.parse::<PeerId>().ok();
        let own = || me.clone();
        let Some((_, room)) = room else {
            let other = peer(if from_self { &entry.toid } else { &entry.fromwxid });
            let sender = if from_self { Some(own()) } else { other.clone() };
            return Self {
                chat: other.unwrap_or_else(own),
                sender: sender.filter(|_| !system),
                from_self,
                in_room: false,
                body: &entry.msg,
            };
        };
        let stated = [&entry.fromid, &entry.fromwxid];
        let stated = stated.into_iter().find(|id| !id.is_empty() && !username::is_room(id));
        let (prefix, rest) = if from_self || system { (None, &*entry.msg) } else { split_prefix(&entry.msg) };
        let from_self = from_self || (stated.is_none() && prefix == Some(me.as_str()));
        // Where the sender is stated, a prefix is one only if it says the same.
        let is_prefix = stated.is_none_or(|stated| prefix == Some(stated.as_str()));
        let body = if is_prefix { rest } else { &entry.msg };
        let sender = match (from_self, stated) {
            (true, _) => Some(own()),
            (false, Some(stated)) => peer(stated),
            (false, None) => prefix.and_then(peer),
        };
        Self {
            chat: peer(room).unwrap_or_else(own),
            sender: sender.filter(|_| !system),
            from_self,
            in_room: true,
            body,
        }
    }
}

/// `wxid_x:\ntext`. People write such things too, but then there is a prefix before it.
fn split_prefix(msg: &str) -> (Option<&str>, &str) {
    match msg.split_once(":\n") {
        Some((id, rest)) if (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic() && b != b'<') => {
            (Some(id), rest)
        }
        _ => (None, msg),
    }
}

/// A message, or what the service tells in the form of one. `raw` is the entry as it came.
pub fn message(entry: &Entry, form: Form, raw: &str, scene: &Scene<'_>) -> Incoming {
    let ends = Ends::of(entry, scene.me);
    let key = key(entry, form, scene.me);
    let id = msg_id(entry, &key);
    let at = content::Place { entry, raw, id: &id, body: ends.body, from_self: ends.from_self, me: scene.me };
    let kind = match content::told(entry.code().unwrap_or(-1), &at) {
        Told::Happened(kind) => kind,
        Told::Said(content) => {
            let mentions = match content.text() {
                Some(text) if ends.in_room && !ends.from_self => mentions(text, || Some(scene.my_name)),
                Some(_) | None => Mentions::default(),
            };
            EventKind::Message(Message { id, from_self: ends.from_self, content, mentions })
        }
    };
    let sender = ends.sender.filter(|_| is_someones(&kind));
    Incoming { key, chat: ends.chat, sender, at_s: scene.at_s(&entry.time), kind }
}

/// False for what the service tells.
fn is_someones(kind: &EventKind) -> bool {
    match kind {
        EventKind::Message(message) => !matches!(message.content, Content::System { .. } | Content::Notice { .. }),
        EventKind::Recall { .. } => true,
        EventKind::Status { .. } | EventKind::FriendRequest(_) | _ => false,
    }
}

/// An acknowledgement of something that is not known here. Its words are the hook's: nobody said them.
pub fn acknowledged(entry: &Entry, raw: &str, scene: &Scene<'_>) -> Incoming {
    let ends = Ends::of(entry, scene.me);
    let key = key(entry, Form::Acknowledgement, scene.me);
    let content = Content::Unknown { msg_type: entry.code().unwrap_or(-1), raw: raw.to_owned() };
    let kind = said(msg_id(entry, &key), true, content);
    Incoming { key, chat: ends.chat, sender: ends.sender, at_s: scene.at_s(&entry.time), kind }
}

/// Somebody opened another chat on the screen of the Windows machine.
pub fn switched(entry: &Entry, scene: &Scene<'_>) -> (Incoming, Option<ContactChange>) {
    let chat: Option<PeerId> = entry.current_wxid.parse().ok();
    let contact = chat.clone().map(|peer| {
        let name = if entry.nickname.is_empty() { &entry.name } else { &entry.nickname };
        named(peer, name, scene.me)
    });
    let incoming = Incoming {
        key: local_key(entry, scene.me),
        chat: chat.unwrap_or_else(|| scene.me.clone()),
        sender: None,
        at_s: scene.at_s(&entry.time),
        kind: EventKind::Status { code: OPENED, op: None },
    };
    (incoming, contact)
}

/// `StatusNotifyCode` of a chat that was opened.
const OPENED: i64 = 2;

/// The account logged out of the Windows client.
pub fn logged_out(entry: &Entry, scene: &Scene<'_>) -> (Incoming, LoggedOut) {
    let (key, at_s, text) = (local_key(entry, scene.me), scene.at_s(&entry.time), entry.msg.clone());
    let kind = said(msg_id(entry, &key), false, Content::Notice { text: text.clone() });
    (scene.about_me(key, at_s, kind), LoggedOut { text, code: None, at_s })
}

/// What became of an invitation into a room that we sent.
pub fn invited(entry: &Entry, scene: &Scene<'_>) -> Incoming {
    let key = key(entry, Form::Message, scene.me);
    let kind = said(msg_id(entry, &key), false, Content::Notice { text: entry.msg.clone() });
    let chat = entry.gid.parse().unwrap_or_else(|_| scene.me.clone());
    Incoming { key, chat, sender: None, at_s: scene.at_s(&entry.time), kind }
}

/// A message whose bytes may come later, or have.
#[derive(Debug)]
pub struct MediaOf {
    /// The message.
    pub id: MsgId,
    /// Of its content; empty when not stated.
    pub md5: String,
}

/// What bytes a message has.
pub fn media_of(incoming: &Incoming) -> Option<MediaOf> {
    let EventKind::Message(Message { id, content, .. }) = &incoming.kind else { return None };
    let md5 = content.media()?.params.get(MediaHandle::MD5).cloned().unwrap_or_default();
    Some(MediaOf { id: id.clone(), md5 })
}

/// The bytes of `original`, a message that came before in `chat`, are there. `flat` is the flattened form as a message.
pub fn ready(flat: Incoming, original: &MsgId, chat: &PeerId) -> Incoming {
    let EventKind::Message(Message { content, .. }) = &flat.kind else { return flat };
    let Some(media) = content.media().cloned() else { return flat };
    let kind = EventKind::MediaReady { msg: original.clone(), media };
    Incoming { chat: chat.clone(), sender: None, kind, ..flat }
}

/// Whoever is named in these events, in order and as often.
pub fn named_in(events: &[Incoming]) -> impl Iterator<Item = &PeerId> {
    events.iter().flat_map(|event| [Some(&event.chat), event.sender.as_ref()]).flatten()
}

/// A contact of whom nothing is known but this name, which may be empty.
pub fn named(peer: PeerId, name: &str, me: &PeerId) -> ContactChange {
    let kind = match peer.as_str() {
        NOBODY => ContactKind::Special,
        id if id.starts_with("gh_") && peer != *me => ContactKind::Official,
        id => username::kind(id, 0, Some(me)),
    };
    // A friend's wxid is the id itself, and lasts.
    let wxid: Name = if kind == ContactKind::Special { Name::default() } else { peer.as_str().into() };
    let nick_name: Name = name.into();
    ContactChange::Upsert(Arc::new(Contact { nick_name, wxid, ..Contact::nameless(peer, kind) }))
}

/// Files that an entry names, by their kind, as they were meant.
fn file_of(stated: &str) -> Option<String> {
    Some(path::meant(stated)).filter(|path| !path.is_empty())
}

#[cfg(test)]
#[path = "convert_tests.rs"]
mod tests;
