//! Wire ⇄ model: contacts, messages, texts. The only file here that imports both.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde_json::value::RawValue;
use wxbot_model::{
    Contact, ContactKind, Content, EventKey, EventKind, MediaHandle, Member, Mentions, Message, MsgId, PeerId, Sex,
};

use super::book::Book;
use super::username;
use super::wire::{addmsg::AddMsg, contact};
use super::xml;
use crate::protocol::Incoming;

fn pattern(text: &str) -> Regex {
    #[expect(clippy::expect_used, reason = "constant patterns, compiled in the tests")]
    Regex::new(text).expect("constant pattern")
}

/// A wire contact in our words; `None` without a usable UserName.
pub fn contact(wire: contact::Contact, me: Option<&PeerId>) -> Option<Contact> {
    let peer: PeerId = wire.user_name.parse().ok()?;
    let verify_flag = u32::try_from(wire.verify_flag).unwrap_or(0);
    let kind = username::kind(&wire.user_name, verify_flag, me);
    // The room bit of ContactFlag is absent for many rooms we are in (observed in webwxinit: 2 for an open room), so
    // only the blacklist bit (8) takes a contact from us here; leaving comes by DelContactList.
    let is_ours = wire.contact_flag & 8 == 0;
    Some(Contact {
        peer,
        kind,
        nick_name: name(&wire.nick_name),
        remark_name: name(&wire.remark_name),
        alias: wire.alias,
        uin: wire.uin,
        attr_status: wire.attr_status,
        sex: match wire.sex {
            1 => Sex::Male,
            2 => Sex::Female,
            _ => Sex::Unknown,
        },
        signature: name(&wire.signature),
        province: wire.province,
        city: wire.city,
        verify_flag,
        owner: wire.chat_room_owner.parse().ok(),
        is_ours,
        members: wire.member_list.into_iter().filter_map(member).collect(),
    })
}

fn member(wire: contact::Member) -> Option<Member> {
    Some(Member {
        peer: wire.user_name.parse().ok()?,
        nick_name: name(&wire.nick_name),
        display_name: name(&wire.display_name),
    })
}

/// Names come HTML-escaped and with emoji spans.
pub fn name(raw: &str) -> String {
    if !raw.contains(['<', '&']) {
        return raw.to_owned();
    }
    emoji(&unescape_once(raw)).into_owned()
}

/// One element of AddMsgList. What cannot be read at all becomes an unknown message in the account's own chat, so that
/// nothing is lost silently.
pub fn incoming(raw: &RawValue, book: &Book, now_s: i64) -> Incoming {
    match serde_json::from_str::<AddMsg>(raw.get()) {
        Ok(msg) => message(&msg, book, now_s),
        Err(_) => unreadable(raw.get(), book, now_s),
    }
}

fn unreadable(raw: &str, book: &Book, now_s: i64) -> Incoming {
    let key = hash_key(&[raw]);
    Incoming {
        chat: book.me().clone(),
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

/// 128 bits of FNV-1a as text. The key only has to differ between honest messages of one account.
pub(super) fn hash_key(parts: &[&str]) -> EventKey {
    let mut hash: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    for byte in parts.iter().flat_map(|p| p.bytes().chain([0])) {
        hash = (hash ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b);
    }
    #[expect(clippy::expect_used, reason = "hexadecimal digits are printable")]
    format!("h{hash:032x}").parse().expect("printable")
}

/// One decoded message as an event.
pub fn message(msg: &AddMsg, book: &Book, now_s: i64) -> Incoming {
    let me = book.me().as_str();
    let from_self = msg.from_user_name.is_empty() || msg.from_user_name == me;
    let peer = if from_self { &msg.to_user_name } else { &msg.from_user_name };
    let chat: PeerId = peer.parse().unwrap_or_else(|_| book.me().clone());
    let in_room = username::is_room(chat.as_str());

    let (prefix, body) = if in_room && !from_self { split_prefix(&msg.content) } else { (None, msg.content.as_str()) };
    let sender = match (from_self, in_room) {
        (true, _) => Some(book.me().clone()),
        (false, true) => prefix.and_then(|p| p.parse().ok()),
        (false, false) => Some(chat.clone()),
    };

    let key = key(msg);
    let id: MsgId = key.as_str().parse().unwrap_or_else(|_| fallback_msg_id());
    let text = || text(body);
    let content = match msg.msg_type {
        // A location travels as type 1 with this sub-type; its text is a link that nobody typed.
        1 if msg.sub_msg_type == 48 => Content::Unknown { msg_type: 48, raw: body.to_owned() },
        1 if in_room && !from_self && prefix.is_none() => Content::System { text: system_text(&text()) },
        1 => Content::Text { text: text() },
        3 => Content::Image { media: image(&id, &text()) },
        10_000 => Content::System { text: system_text(&text()) },
        other => Content::Unknown { msg_type: other, raw: body.to_owned() },
    };
    let kind = match msg.msg_type {
        51 => EventKind::Status { code: msg.status_notify_code },
        10_002 => recall(&text()).unwrap_or_else(|| whole(id, from_self, content, Mentions::default())),
        _ => {
            let mentions = match (&content, in_room && !from_self) {
                (Content::Text { text }, true) => mentions(text, book.my_name_in(&chat)),
                _ => Mentions::default(),
            };
            whole(id, from_self, content, mentions)
        }
    };
    let sender = match kind {
        EventKind::Status { .. } => None,
        EventKind::Message(_)
        | EventKind::Recall { .. }
        | EventKind::ContactChanged
        | EventKind::ContactRemoved
        | EventKind::Gap { .. }
        | _ => sender,
    };
    let at_s = if msg.create_time > 0 { msg.create_time } else { now_s };
    Incoming { key, chat, sender, at_s, kind }
}

fn whole(id: MsgId, from_self: bool, content: Content, mentions: Mentions) -> EventKind {
    EventKind::Message(Message { id, from_self, content, mentions })
}

/// Splits `@member:<br/>` or `wxid:<br/>` off a room message, once. Text that imitates it stays text.
fn split_prefix(content: &str) -> (Option<&str>, &str) {
    static PREFIX: LazyLock<Regex> = LazyLock::new(|| pattern(r"^(@[a-zA-Z0-9]+|[a-zA-Z0-9_-]+):(?:<br/>|\n)"));
    match PREFIX.captures(content) {
        Some(found) => {
            let (all, name) = (found.get(0), found.get(1));
            (name.map(|m| m.as_str()), all.and_then(|m| content.get(m.end()..)).unwrap_or_default())
        }
        None => (None, content),
    }
}

/// Content as people see it: line breaks, one level of escapes, emoji.
pub fn text(content: &str) -> String {
    if !content.contains(['<', '&']) {
        return content.to_owned();
    }
    static BREAK: LazyLock<Regex> = LazyLock::new(|| pattern(r"<br ?/?>"));
    let broken = BREAK.replace_all(content, "\n");
    emoji(&unescape_once(&broken)).into_owned()
}

/// System texts end in links to actions of the phone (`<a href="weixin://revoke…">`): the words stay, the tags go.
fn system_text(text: &str) -> String {
    static UNDO: LazyLock<Regex> = LazyLock::new(|| pattern(r#"(?s)\s*<a href="weixin://revoke[^>]*>.*?</a>\s*$"#));
    UNDO.replace(text, "").into_owned()
}

/// Undoes HTML escaping one level deep; what is no known entity stays as it is.
pub fn unescape_once(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        // The longest entity we know is `&#x10FFFF;`.
        let end = from.bytes().take(12).position(|b| b == b';');
        match end.and_then(|end| entity(from.get(1..end)?).map(|c| (c, end))) {
            Some((c, end)) => {
                out.push(c);
                rest = from.get(end + 1..).unwrap_or_default();
            }
            None => {
                out.push('&');
                rest = from.get(1..).unwrap_or_default();
            }
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

fn entity(name: &str) -> Option<char> {
    match name {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "nbsp" => Some('\u{a0}'),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code).filter(|c| *c != '\0')
        }
    }
}

/// `<span class="emoji emoji1f604"></span>` becomes the character; unknown ones stay.
fn emoji(text: &str) -> Cow<'_, str> {
    // The known malformed form lacks the last `>`.
    static SPAN: LazyLock<Regex> =
        LazyLock::new(|| pattern(r#"<span class="emoji emoji([0-9a-fA-F]{4,10})"></span>?"#));
    if !text.contains("emoji") {
        return Cow::Borrowed(text);
    }
    SPAN.replace_all(text, |found: &Captures<'_>| {
        let hex = found.get(1).map_or("", |m| m.as_str());
        code_points(hex).unwrap_or_else(|| found.get(0).map_or_else(String::new, |m| m.as_str().to_owned()))
    })
}

fn code_points(hex: &str) -> Option<String> {
    let parts = match hex.len() {
        4 | 5 => vec![hex],
        6 => vec![hex.get(..2)?, hex.get(2..)?],
        8 => vec![hex.get(..4)?, hex.get(4..)?],
        10 => vec![hex.get(..5)?, hex.get(5..)?],
        _ => return None,
    };
    parts.into_iter().map(|part| char::from_u32(remapped(u32::from_str_radix(part, 16).ok()?))).collect()
}

/// The server sends these nine under another's number. Source: `docs/protocol/webwx.md`, emoji.
fn remapped(code: u32) -> u32 {
    match code {
        0x1f63c => 0x1f601,
        0x1f639 => 0x1f602,
        0x1f63a => 0x1f603,
        0x1f4ab => 0x1f616,
        0x1f64d => 0x1f614,
        0x1f63b => 0x1f60d,
        0x1f63d => 0x1f618,
        0x1f64e => 0x1f621,
        0x1f63f => 0x1f622,
        other => other,
    }
}

fn image(id: &MsgId, content: &str) -> MediaHandle {
    let stated_len = xml::parse(content)
        .ok()
        .and_then(|root| root.child("img").and_then(|img| img.attr("length").and_then(|l| l.parse().ok())));
    MediaHandle { reference: id.as_str().to_owned(), stated_len }
}

/// `<sysmsg type="revokemsg">`; `None` for other sysmsg types and for what is no XML.
fn recall(content: &str) -> Option<EventKind> {
    let root = xml::parse(content).ok()?;
    if root.name != "sysmsg" || root.attr("type") != Some("revokemsg") {
        return None;
    }
    let revoke = root.child("revokemsg")?;
    let field = |name: &str| revoke.child(name).map(|n| n.text.trim()).filter(|t| !t.is_empty() && *t != "0");
    Some(EventKind::Recall {
        // newmsgid is the better one where a build sends both.
        msg: field("newmsgid").or_else(|| field("msgid")).and_then(|id| id.parse().ok()),
        notice: field("replacemsg").unwrap_or_default().to_owned(),
    })
}

/// Who a room text mentions. The separator is U+2005 where the sender's client writes it, else a space, or the end.
pub fn mentions(text: &str, my_name: Option<&str>) -> Mentions {
    let all = ["@所有人", "@All", "@all"].iter().any(|word| names(text, word.trim_start_matches('@')));
    Mentions { me: my_name.is_some_and(|name| !name.is_empty() && names(text, name)), all }
}

fn names(text: &str, name: &str) -> bool {
    let wide = text.contains('\u{2005}');
    let mut rest = text;
    while let Some(at) = rest.find('@') {
        let after = rest.get(at + 1..).unwrap_or_default();
        if let Some(behind) = after.strip_prefix(name) {
            let ends = match behind.chars().next() {
                None => true,
                Some('\u{2005}') => true,
                Some(c) => !wide && c.is_whitespace(),
            };
            if ends {
                return true;
            }
        }
        rest = after;
    }
    false
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
            .or_else(|| book.get(peer).map(|c| c.nick_name.as_str()))
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

/// True when the message needs its chat or sender looked up first.
pub fn peers_of(msg: &AddMsg, me: &PeerId) -> Vec<PeerId> {
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
