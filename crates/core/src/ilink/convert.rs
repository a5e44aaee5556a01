//! Wire → model: what becomes of a message. Nothing outside of this file knows both.

use serde_json::Value;
use serde_json::value::RawValue;
use wxbot_model::{
    Contact, ContactKind, Content, EventKey, EventKind, File, MediaHandle, MediaKind, MediaShape, Mentions, Message,
    MsgId, PeerId, Quote, Quoted, file_name,
};

use super::quote::selected;
use super::saved::{Memory, Said};
use super::upload::Kind;
use super::wire::message::{self as wire, CdnRef, Item, RefMsg, kind};
use crate::lenient::hash_key;
use crate::protocol::Incoming;

/// Words of a [`MediaHandle`]'s parameters that are iLink's own: where the bytes are on the CDN.
pub(super) mod param {
    /// What the CDN wants to hear when there is no whole address.
    pub(in crate::ilink) const ENCRYPT_QUERY_PARAM: &str = "encrypt_query_param";
    /// The whole address, which is asked first.
    pub(in crate::ilink) const FULL_URL: &str = "full_url";
    /// Hexadecimal digits of the key; wins over `MediaHandle::AES_KEY`, which is base64 of the key or of its digits.
    pub(in crate::ilink) const AESKEY_HEX: &str = "aeskey";
    /// The codec of speech, as a number of the service.
    pub(in crate::ilink) const ENCODE_TYPE: &str = "encode_type";
    /// Its samples a second.
    pub(in crate::ilink) const SAMPLE_RATE: &str = "sample_rate";
}

/// As what bytes go up; `None` for what the service has no kind for.
pub(super) fn upload_kind(shape: MediaShape) -> Option<Kind> {
    match shape {
        MediaShape::Image => Some(Kind::Image),
        MediaShape::Video => Some(Kind::Video),
        MediaShape::File => Some(Kind::File),
        MediaShape::Sticker | _ => None,
    }
}

/// What is known besides the message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scene<'a> {
    /// Ourselves.
    pub(super) me: &'a PeerId,
    /// By our clock.
    pub(super) now_ms: i64,
    /// Which message of its batch it is: equal ones without any id are told apart by it.
    pub(super) position: usize,
}

/// What a message says, an event an item; nothing for our own. Its context token and its text are remembered.
pub(super) fn message(raw: &RawValue, scene: Scene<'_>, memory: &mut Memory) -> Vec<Incoming> {
    let Ok(message) = serde_json::from_str::<wire::Message>(raw.get()) else {
        return vec![unread(raw, scene)];
    };
    let from: Option<PeerId> = message.from_user_id.parse().ok();
    let own = message.message_type == wire::FROM_BOT || from.as_ref() == Some(scene.me);
    let other = if own { message.to_user_id.parse().ok() } else { from.clone() };
    // Direct chats only, so far; should rooms come, their messages are nobody's private ones.
    let room: Option<PeerId> = message.group_id.parse().ok();
    let Some(chat) = room.or(other) else {
        return if own { Vec::new() } else { vec![unread(raw, scene)] };
    };
    let key = key(&message, scene.position);
    let id: MsgId = stated(&message.message_id).and_then(|id| id.parse().ok()).unwrap_or_else(|| msg_id(&key));
    if own {
        remember(memory, &message, &chat);
        return Vec::new();
    }
    memory.note_token(&chat, &message.context_token, scene.now_ms);
    let incoming = |key: EventKey, content: Content| Incoming {
        key,
        chat: chat.clone(),
        sender: from.clone(),
        at_s: if message.create_time_ms > 0 { message.create_time_ms / 1000 } else { scene.now_ms / 1000 },
        kind: EventKind::Message(Message { id: id.clone(), from_self: false, content, mentions: Mentions::default() }),
    };
    // Nobody knows what it means to be neither from a person nor from a bot: it is kept, and no command.
    let known = message.message_type == wire::FROM_USER || message.message_type == 0;
    if !known || message.item_list.is_empty() {
        let msg_type = if known { 0 } else { message.message_type };
        return vec![incoming(key, Content::Unknown { msg_type, raw: without_token(raw) })];
    }
    let mut events = Vec::with_capacity(message.item_list.len());
    for (nth, raw) in message.item_list.iter().enumerate() {
        let item: Item = serde_json::from_str(raw.get()).unwrap_or_default();
        let quoted = item.ref_msg.as_deref().and_then(|raw| quoted(raw, &chat, memory));
        let content = content(&item, &format!("{key}#{nth}"))
            .unwrap_or_else(|| Content::Unknown { msg_type: item.kind, raw: raw.get().to_owned() });
        let item_key = if nth == 0 { key.clone() } else { part_key(&key, &nth.to_string()) };
        match (content, quoted) {
            (Content::Text { text }, Some(quoted)) => {
                events.push(incoming(item_key, Content::Quote(Quote { text, quoted })));
            }
            // The model has no picture that answers something: what it answers comes behind it.
            (content, Some(quoted)) => {
                events.push(incoming(item_key, content));
                let quote = Quote { text: String::new(), quoted };
                events.push(incoming(part_key(&key, &format!("{nth}q")), Content::Quote(quote)));
            }
            (content, None) => events.push(incoming(item_key, content)),
        }
    }
    remember(memory, &message, &chat);
    events
}

/// For quotes that come later: the words of a message under its id.
fn remember(memory: &mut Memory, message: &wire::Message, chat: &PeerId) {
    let Some(id) = stated(&message.message_id) else { return };
    let mut kinds = String::new();
    let mut words = Vec::new();
    for raw in &message.item_list {
        let item: Item = serde_json::from_str(raw.get()).unwrap_or_default();
        let (kind, text) = gist(&item);
        if kinds.is_empty() {
            kinds = kind;
        }
        words.extend(Some(text).filter(|text| !text.is_empty()));
    }
    memory.note_said(Said { id: id.to_owned(), chat: chat.clone(), kind: kinds, text: words.join("\n") });
}

/// Kind and words of an item.
fn gist(item: &Item) -> (String, String) {
    let word = |kind: &str, text: Option<&String>| (kind.to_owned(), text.cloned().unwrap_or_default());
    match item.kind {
        kind::TEXT => word("text", item.text_item.as_ref().map(|item| &item.text)),
        kind::IMAGE => word("image", None),
        kind::VOICE => word("voice", item.voice_item.as_ref().map(|item| &item.text)),
        kind::FILE => word("file", item.file_item.as_ref().map(|item| &item.file_name)),
        kind::VIDEO => word("video", None),
        0 => (String::new(), String::new()),
        other => (other.to_string(), String::new()),
    }
}

/// What it answers; `None` when it answers nothing. Newer clients tell only the id: then it is looked for among what was
/// said in this conversation.
fn quoted(raw: &RawValue, chat: &PeerId, memory: &Memory) -> Option<Quoted> {
    let wire: RefMsg = serde_json::from_str(raw.get()).ok()?;
    let RefMsg { title, message_item, svr_id, partial_text } = wire;
    let item_id = message_item.as_ref().map(|item| item.msg_id.as_str()).unwrap_or_default();
    let id = stated(&svr_id).or_else(|| stated(item_id));
    if id.is_none() && message_item.is_none() && title.is_empty() && partial_text.is_none() {
        return None;
    }
    let known = id.and_then(|id| memory.said(chat, id));
    let (mut kind, mut text) = message_item.as_ref().map(gist).unwrap_or_default();
    if let Some(known) = known {
        // The item of a bot's message has a number that says nothing (8).
        if kind.is_empty() || text.is_empty() {
            kind.clone_from(&known.kind);
        }
        if text.is_empty() {
            text.clone_from(&known.text);
        }
    }
    if text.is_empty() {
        text = title;
    }
    if let Some(part) = partial_text {
        match selected(&text, &part) {
            Some(part) => text = part.to_owned(),
            // Its ends are all there is.
            None if text.is_empty() && part.start == part.end => text = part.start,
            None if text.is_empty() => text = format!("{}…{}", part.start, part.end),
            None => {}
        }
    }
    Some(Quoted { msg: id.and_then(|id| id.parse().ok()), sender: String::new(), kind, text })
}

/// By its type and nothing else; `None` for one that is not known, and for a body that is not what its type says.
fn content(item: &Item, reference: &str) -> Option<Content> {
    match item.kind {
        kind::TEXT => Some(Content::Text { text: item.text_item.as_ref()?.text.clone() }),
        kind::IMAGE => {
            let image = item.image_item.as_ref()?;
            let params = [(param::AESKEY_HEX, image.aeskey.clone())];
            Some(Content::Image { media: media(MediaKind::Image, reference, image.mid_size, &image.media, params)? })
        }
        kind::VOICE => {
            let voice = item.voice_item.as_ref()?;
            let params = [
                (param::ENCODE_TYPE, shown(voice.encode_type.unsigned_abs())),
                (param::SAMPLE_RATE, shown(voice.sample_rate)),
            ];
            Some(Content::Voice {
                media: media(MediaKind::Voice, reference, voice.size, &voice.media, params)?,
                length_ms: voice.playtime,
                transcript: Some(voice.text.clone()).filter(|text| !text.is_empty()),
            })
        }
        kind::FILE => {
            let file = item.file_item.as_ref()?;
            let name = file_name::safe(&file.file_name, "file", "");
            let params = [(MediaHandle::MD5, file.md5.clone()), (MediaHandle::FILE_NAME, name.clone())];
            let media = media(MediaKind::File, reference, file.len, &file.media, params)?;
            Some(Content::File(File { name, len: media.stated_len, media }))
        }
        kind::VIDEO => {
            let video = item.video_item.as_ref()?;
            let thumb = format!("{reference}t");
            let params = [(MediaHandle::MD5, video.video_md5.clone())];
            Some(Content::Video {
                media: media(MediaKind::Video, reference, video.video_size, &video.media, params)?,
                thumb: media(MediaKind::Thumbnail, &thumb, video.thumb_size, &video.thumb_media, []),
                length_s: video.play_length,
                short: false,
            })
        }
        _ => None,
    }
}

fn shown(number: u64) -> String {
    if number == 0 { String::new() } else { number.to_string() }
}

/// A handle with what is known of the bytes; `None` when nothing says where they are.
fn media<const N: usize>(
    kind: MediaKind,
    reference: &str,
    len: u64,
    at: &CdnRef,
    more: [(&str, String); N],
) -> Option<MediaHandle> {
    let mut media = MediaHandle::new(kind, reference, Some(len).filter(|len| *len > 0));
    let place = [
        (param::ENCRYPT_QUERY_PARAM, at.encrypt_query_param.clone()),
        (param::FULL_URL, at.full_url.clone()),
        (MediaHandle::AES_KEY, at.aes_key.clone()),
    ];
    let all = place.into_iter().chain(more).filter(|(_, value)| !value.is_empty());
    media.params = all.map(|(name, value)| (name.to_owned(), value)).collect();
    let somewhere = [param::ENCRYPT_QUERY_PARAM, param::FULL_URL].iter().any(|name| media.params.contains_key(*name));
    somewhere.then_some(media)
}

/// An id that is one: 0 and nothing stand for none.
fn stated(id: &str) -> Option<&str> {
    Some(id.trim()).filter(|id| !id.is_empty() && *id != "0")
}

/// What makes a message unique: the service's id, else the sender's, else its number, else what is in it and where.
fn key(message: &wire::Message, position: usize) -> EventKey {
    let from = message.from_user_id.as_str();
    let named = stated(&message.message_id)
        .map(|id| format!("id:{id}"))
        .or_else(|| stated(&message.client_id).map(|id| format!("client:{from}:{id}")))
        .or_else(|| stated(&message.seq).map(|seq| format!("seq:{seq}")));
    if let Some(key) = named.and_then(|key| key.parse().ok()) {
        return key;
    }
    let (at, position) = (message.create_time_ms.to_string(), position.to_string());
    let mut parts = vec![from, &message.message_id, &message.client_id, &at, &position];
    parts.extend(message.item_list.iter().map(|item| item.get()));
    hash_key(&parts)
}

/// The key of a later part of the same message.
fn part_key(key: &EventKey, part: &str) -> EventKey {
    format!("{key}#{part}").parse().unwrap_or_else(|_too_long| hash_key(&[key.as_str(), part]))
}

#[expect(clippy::expect_used, reason = "a key is printable and not longer than an id may be")]
fn msg_id(key: &EventKey) -> MsgId {
    key.as_str().parse().expect("printable")
}

/// What cannot be read, or names nobody: kept in the account's own chat, so that nothing is lost silently.
fn unread(raw: &RawValue, scene: Scene<'_>) -> Incoming {
    let raw = without_token(raw);
    let key = hash_key(&[&raw, &scene.position.to_string()]);
    let message = Message {
        id: msg_id(&key),
        from_self: false,
        content: Content::Unknown { msg_type: 0, raw },
        mentions: Mentions::default(),
    };
    let (chat, at_s) = (scene.me.clone(), scene.now_ms / 1000);
    Incoming { key, chat, sender: None, at_s, kind: EventKind::Message(message) }
}

/// A message as it came but for its context token, which lets anybody answer in our name.
fn without_token(raw: &RawValue) -> String {
    match serde_json::from_str::<Value>(raw.get()) {
        Ok(Value::Object(mut fields)) => {
            fields.remove("context_token");
            Value::Object(fields).to_string()
        }
        Ok(_) => raw.get().to_owned(),
        Err(_too_deep) => "[nested too deeply to be shown]".to_owned(),
    }
}

/// Somebody of whom the service tells nothing but the id.
pub(super) fn contact(peer: PeerId, kind: ContactKind) -> Contact {
    Contact { wxid: peer.as_str().into(), ..Contact::nameless(peer, kind) }
}

#[cfg(test)]
#[path = "convert_tests.rs"]
mod tests;
