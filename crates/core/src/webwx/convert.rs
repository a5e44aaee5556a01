//! Wire ⇄ model: contacts, the start of a session, messages. Nothing outside of this folder knows both.
//!
//! `content` what a message says, `app` when an app shared it, `person` who is recommended in it →
//! [`status`] what the phone tells → [`news`] whole sync answers; and the other way [`share`] what apps
//! are to share.

mod app;
mod content;
pub mod news;
mod person;
pub mod share;
pub mod status;

use std::collections::HashSet;

use serde_json::value::RawValue;
use wxbot_model::{
    Contact, ContactKind, Content, EventKey, EventKind, Member, Members, Mentions, Message, MsgId, Name, PeerId, Sex,
};

use super::book::{Book, View};
use super::wire::answer::{InitAnswer, elements};
use super::wire::{addmsg::AddMsg, contact, unreadable};
use crate::error::Error;
use crate::lenient::hash_key;
use crate::protocol::Incoming;
use crate::said::text::{mentions, name, split_prefix};
use crate::said::{Told, username};

/// What webwxinit tells of the world.
#[derive(Debug)]
pub struct Scene {
    /// The account itself.
    pub myself: Contact,
    /// Whoever is in the list of recent chats.
    pub recent: Vec<Contact>,
    /// All recent chats; some of them only named.
    pub open: Vec<PeerId>,
}

/// Where a session begins.
///
/// # Errors
/// [`Error::Decode`] when the answer does not say who we are.
pub fn scene(init: InitAnswer) -> Result<Scene, Error> {
    let myself =
        contact(init.user, None).ok_or_else(|| unreadable("webwxinit", 0, "", "no usable User.UserName in it"))?;
    let (recent, bad) = elements::<contact::Contact>(&init.contact_list);
    if bad > 0 {
        tracing::warn!(bad, "Some recent chats cannot be read and are left out.");
    }
    let recent = contacts(recent, &myself.peer);
    let named = init.chat_set.split(',').filter_map(|name| name.trim().parse().ok());
    let open = recent.iter().map(|contact| contact.peer.clone()).chain(named).collect();
    Ok(Scene { myself: Contact { kind: ContactKind::Myself, ..myself }, recent, open })
}

/// Wire contacts in our words, without those that name nobody.
pub fn contacts(wire: Vec<contact::Contact>, me: &PeerId) -> Vec<Contact> {
    let mut contacts: Vec<Contact> = wire.into_iter().filter_map(|one| contact(one, Some(me))).collect();
    // There are few regions, and each of thousands of contacts names two.
    let mut regions: HashSet<Name> = HashSet::new();
    for region in contacts.iter_mut().flat_map(|contact| [&mut contact.province, &mut contact.city]) {
        match regions.get(region) {
            Some(known) => *region = known.clone(),
            None => drop(regions.insert(region.clone())),
        }
    }
    contacts
}

/// A peer that the service does not describe.
pub fn nameless(peer: PeerId) -> Contact {
    let kind = username::kind(peer.as_str(), 0, None);
    Contact::nameless(peer, kind)
}

/// A wire contact in our words; `None` without a usable UserName.
pub fn contact(wire: contact::Contact, me: Option<&PeerId>) -> Option<Contact> {
    let peer: PeerId = wire.user_name.parse().ok()?;
    let verify_flag = u32::try_from(wire.verify_flag).unwrap_or(0);
    let kind = username::kind(&wire.user_name, verify_flag, me);
    // The room bit of ContactFlag is absent for many rooms we are in (observed in webwxinit: 2 for an open room), so
    // only the blacklist bit (8) takes a contact from us here; leaving comes by DelContactList.
    let is_ours = wire.contact_flag & 8 == 0;
    // A part of the members is as good as none: our own group nickname may be in the other part. Whoever has none asks.
    let (listed, counted) = (wire.member_list.len(), usize::try_from(wire.member_count).unwrap_or(usize::MAX));
    let members: Vec<Member> = wire.member_list.into_iter().filter_map(member).collect();
    let whole = !members.is_empty() && members.len() == listed && counted <= listed;
    let members = if whole { Members::complete(members, me) } else { Members::counted(counted) };
    let pinyin = [&wire.py_initial, &wire.py_quan_pin, &wire.remark_py_initial, &wire.remark_py_quan_pin];
    Some(Contact {
        peer,
        kind,
        nick_name: name(&wire.nick_name).into(),
        remark_name: name(&wire.remark_name).into(),
        alias: wire.alias.into(),
        wxid: Name::default(),
        pinyin: joined(&pinyin).into(),
        uin: wire.uin,
        attr_status: wire.attr_status,
        picture: picture(&wire.head_img_url),
        sex: sex(wire.sex),
        signature: name(&wire.signature).into(),
        province: wire.province.into(),
        city: wire.city.into(),
        verify_flag,
        owner: wire.chat_room_owner.parse().ok(),
        is_ours,
        members,
    })
}

/// What there is of them, in lower case and one after another.
fn joined(parts: &[&String]) -> String {
    let mut all = String::new();
    for part in parts.iter().filter(|part| !part.is_empty()) {
        if !all.is_empty() {
            all.push(' ');
        }
        all.extend(part.chars().flat_map(char::to_lowercase));
    }
    all
}

/// `seq` of a picture's address.
fn picture(address: &str) -> u64 {
    let query = address.split_once('?').map_or("", |(_, query)| query);
    query.split('&').find_map(|pair| pair.strip_prefix("seq=")?.parse().ok()).unwrap_or(0)
}

fn sex(number: i64) -> Sex {
    match number {
        1 => Sex::Male,
        2 => Sex::Female,
        _ => Sex::Unknown,
    }
}

fn member(wire: contact::Member) -> Option<Member> {
    Some(Member {
        peer: wire.user_name.parse().ok()?,
        nick_name: name(&wire.nick_name).into(),
        display_name: name(&wire.display_name).into(),
        attr_status: wire.attr_status,
    })
}

/// One element of AddMsgList, read once.
#[derive(Debug)]
pub enum Read {
    /// As it should be.
    Message(Box<AddMsg>),
    /// It cannot be read at all; its text.
    Unreadable(Box<RawValue>),
}

impl Read {
    /// Reads one element.
    pub fn new(raw: Box<RawValue>) -> Self {
        serde_json::from_str(raw.get()).map_or(Self::Unreadable(raw), Self::Message)
    }

    /// As an event. What cannot be read becomes an unknown message in the account's own chat, so that nothing is lost
    /// silently.
    pub fn incoming(&self, view: &View<'_>, now_s: i64) -> Incoming {
        match self {
            Self::Message(msg) => message(msg, view, now_s),
            Self::Unreadable(raw) => unread(raw.get(), view, now_s),
        }
    }
}

fn unread(raw: &str, view: &View<'_>, now_s: i64) -> Incoming {
    let key = hash_key(&[raw]);
    Incoming {
        chat: view.me().clone(),
        sender: None,
        at_s: now_s,
        kind: EventKind::Message(Message {
            id: MsgId::try_from(key.to_string()).unwrap_or_else(|_| fallback_msg_id()),
            from_self: false,
            content: Content::Unknown { msg_type: -1, raw: raw.to_owned() },
            mentions: Mentions::default(),
        }),
        key,
    }
}

#[expect(clippy::expect_used, reason = "a constant id")]
fn fallback_msg_id() -> MsgId {
    "unreadable".parse().expect("constant")
}

/// Dedupe key: the server's id, else its number, else a hash of what identifies a message.
fn key(msg: &AddMsg) -> EventKey {
    for id in [&msg.msg_id, &msg.new_msg_id] {
        if !id.is_empty()
            && id != "0"
            && let Ok(key) = id.parse()
        {
            return key;
        }
    }
    hash_key(&[
        &msg.from_user_name,
        &msg.to_user_name,
        &msg.create_time.to_string(),
        &msg.msg_type.to_string(),
        &msg.content,
    ])
}

/// One decoded message as an event.
pub fn message(msg: &AddMsg, view: &View<'_>, now_s: i64) -> Incoming {
    let me = view.me().as_str();
    let from_self = msg.from_user_name.is_empty() || msg.from_user_name == me;
    let peer = if from_self { &msg.to_user_name } else { &msg.from_user_name };
    let chat: PeerId = peer.parse().unwrap_or_else(|_| view.me().clone());
    let in_room = username::is_room(chat.as_str());

    // A text of the service has no author, and what looks like a prefix in it belongs to it.
    let system = msg.msg_type == 10_000;
    let prefixed = in_room && !from_self && !system;
    let (prefix, body) = if prefixed { split_prefix(&msg.content) } else { (None, msg.content.as_str()) };
    let sender = match (from_self, in_room) {
        _ if system => None,
        (true, _) => Some(view.me().clone()),
        (false, true) => prefix.and_then(|p| p.parse().ok()),
        (false, false) => Some(chat.clone()),
    };

    let key = key(msg);
    let id: MsgId = key.as_str().parse().unwrap_or_else(|_| fallback_msg_id());
    let unsigned = in_room && !from_self && prefix.is_none();
    let at = Place { id: &id, body, from_self, unsigned, me: view.me() };
    let kind = match content::told(msg, &at) {
        Told::Happened(kind) => kind,
        Told::Said(content) => {
            let mentions = match typed(&content) {
                Some(text) if in_room && !from_self => mentions(text, || view.my_name_in(&chat)),
                Some(_) | None => Mentions::default(),
            };
            EventKind::Message(Message { id, from_self, content, mentions })
        }
    };
    let sender = sender.filter(|_| is_someones(&kind));
    let at_s = if msg.create_time > 0 { msg.create_time } else { now_s };
    Incoming { key, chat, sender, at_s, kind }
}

/// Where somebody may be mentioned: a text, and the text of an answer that quotes.
fn typed(content: &Content) -> Option<&str> {
    if let Content::Quote(quote) = content { Some(&quote.text) } else { content.text() }
}

/// False for what the service tells: it comes under the name of the chat, but nobody there did it.
fn is_someones(kind: &EventKind) -> bool {
    match kind {
        EventKind::Message(message) => !matches!(message.content, Content::System { .. } | Content::Notice { .. }),
        EventKind::Recall { .. } => true,
        EventKind::MediaReady { .. }
        | EventKind::Status { .. }
        | EventKind::ContactChanged
        | EventKind::ContactRemoved
        | EventKind::Gap { .. }
        | _ => false,
    }
}

/// What is known of a message besides its own fields.
struct Place<'a> {
    id: &'a MsgId,
    /// Its content without the room prefix.
    body: &'a str,
    from_self: bool,
    /// It came from a room without saying who wrote it: the service did.
    unsigned: bool,
    me: &'a PeerId,
}

/// The text that mentions `members` of a room, and the `MsgSource` that makes phones ring.
pub fn mention_text(text: &str, room: &PeerId, members: &[PeerId], book: &Book) -> (String, Option<String>) {
    if members.is_empty() {
        return (text.to_owned(), None);
    }
    let known = book.get(room);
    let mut out = String::new();
    for peer in members {
        let shown = known
            .and_then(|room| room.member(peer))
            .map(Member::shown_name)
            .or_else(|| book.get(peer).map(|c| &*c.nick_name))
            .unwrap_or_default();
        if !shown.is_empty() {
            out.push('@');
            out.push_str(shown);
            out.push('\u{2005}');
        }
    }
    out.push_str(text);
    let ids = members.iter().map(PeerId::as_str).collect::<Vec<_>>().join(",");
    let source =
        format!("<msgsource><atusername>{ids}</atusername><atchatroomname>{room}</atchatroomname></msgsource>");
    (out, Some(source))
}

/// Who must be known before the message can be told: its ends, and the chats that a type 51 lists.
fn peers_of(msg: &AddMsg, me: &PeerId) -> Vec<PeerId> {
    let mut peers: Vec<PeerId> = [&msg.from_user_name, &msg.to_user_name]
        .into_iter()
        .filter(|name| !name.is_empty() && *name != me.as_str())
        .filter_map(|name| name.parse().ok())
        .collect();
    if msg.msg_type == 51 {
        peers.extend(msg.recent_chats().filter_map(|name| name.parse().ok()));
    }
    peers.retain(|peer: &PeerId| peer != me && username::kind(peer.as_str(), 0, None) != ContactKind::Special);
    peers
}

#[cfg(test)]
#[path = "convert_tests.rs"]
mod tests;
