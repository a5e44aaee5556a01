//! What does a message say? By its `msgtype`, out of its XML and the files that the hook names.

use wxbot_model::{Content, EventKind, File, Location, MediaHandle, MediaKind, MsgId, PeerId};

use super::{file_of, person};
use crate::pchook::wire::Entry;
use crate::said::Told;
use crate::said::app::{self, Envelope};
use crate::said::notice;
use crate::said::parts::{LocationXml, call, gesture, number};
use crate::said::text::{system_text, unescape_once};
use crate::said::xml::{self, Node};

/// What is known of a message.
pub(super) struct Place<'a> {
    pub(super) entry: &'a Entry,
    /// The entry as it came.
    pub(super) raw: &'a str,
    pub(super) id: &'a MsgId,
    /// `msg` without the room prefix.
    pub(super) body: &'a str,
    pub(super) from_self: bool,
    pub(super) me: &'a PeerId,
}

/// Decodes a message. What is not understood is kept as it came: a known kind by its content, an unknown one whole.
pub(super) fn told(code: i64, at: &Place<'_>) -> Told {
    let unknown = || Content::Unknown { msg_type: code, raw: at.body.to_owned() };
    Told::Said(match code {
        1 => Content::Text { text: at.body.to_owned() },
        3 => image(at),
        34 => voice(at),
        37 | 40 => match person::request(at.body, at.me, code == 40) {
            Some(request) => return Told::Happened(EventKind::FriendRequest(request)),
            None => unknown(),
        },
        42 => person::card(at.body).map_or_else(unknown, Content::Card),
        4 | 43 | 62 => video(at, code == 62),
        44 => return Told::Happened(taken_back(at)),
        47 => sticker(at),
        48 => location(at.body).map_or_else(unknown, Content::Location),
        49 => shared(at).unwrap_or_else(unknown),
        50 | 52 | 53 => Content::Call(call(code, tree(at.body).as_ref(), at.body.to_owned())),
        51 => return Told::Happened(status(at.body)),
        9999 => Content::Notice { text: at.body.to_owned() },
        10_000 => return notice::told(&system_text(at.body)),
        10_002 => return sysmsg(at).unwrap_or_else(|| Told::Said(unknown())),
        other => Content::Unknown { msg_type: other, raw: at.raw.to_owned() },
    })
}

/// The XML in a content; `None` when there is none. Some builds escape it once more.
pub(super) fn tree(body: &str) -> Option<Node> {
    if body.trim_start().starts_with("&lt;") {
        return xml::parse_repaired(&unescape_once(body)).ok();
    }
    xml::parse_repaired(body).ok()
}

/// A handle on bytes: a file of the hook's machine, else a public address, else the message that the hook can fetch.
fn media(at: &Place<'_>, kind: MediaKind, node: Option<&Node>, stated_len: Option<u64>) -> MediaHandle {
    let entry = at.entry;
    let is_url = |stated: &str| ["http:", "https:"].iter().any(|scheme| stated.starts_with(scheme));
    let (file, url) = match kind {
        MediaKind::Image => (file_of(&entry.img_path), ""),
        MediaKind::Video => (file_of(&entry.video_path), ""),
        MediaKind::File => (file_of(&entry.file_path), ""),
        MediaKind::Sticker if is_url(&entry.gif_path) => (None, entry.gif_path.as_str()),
        MediaKind::Sticker => (file_of(&entry.gif_path), entry.gif_url.as_str()),
        MediaKind::Voice | MediaKind::Thumbnail | _ => (None, ""),
    };
    let from_xml = node.and_then(|node| node.attr("cdnurl")).filter(|url| is_url(url)).unwrap_or_default();
    let url = if url.is_empty() { from_xml } else { url };
    let attr = |name: &str| node.and_then(|node| node.attr(name)).unwrap_or_default();
    let voice = if kind == MediaKind::Voice { entry.voip_data.as_str() } else { "" };
    let params = [
        (MediaHandle::PATH, file.as_deref().unwrap_or_default()),
        (MediaHandle::URL, url),
        (MediaHandle::HEX, voice),
        (MediaHandle::AES_KEY, attr("aeskey")),
        (MediaHandle::MD5, attr("md5")),
        (MediaHandle::MSG_XML, if node.is_some() { at.body } else { "" }),
    ];
    let reference = [file.as_deref().unwrap_or_default(), url, at.id.as_str()];
    let reference = reference.into_iter().find(|reference| !reference.is_empty()).unwrap_or_default();
    let params = params.into_iter().filter(|(_, value)| !value.is_empty());
    MediaHandle {
        params: params.map(|(word, value)| (word.to_owned(), value.to_owned())).collect(),
        ..MediaHandle::new(kind, reference, stated_len)
    }
}

/// Before it leaves, a picture of our own is named by its MD5 alone.
fn image(at: &Place<'_>) -> Content {
    let tree = tree(at.body);
    let img = tree.as_ref().and_then(|root| root.child("img"));
    let mut media = media(at, MediaKind::Image, img, number(img, "length"));
    let words = at.body.trim();
    if words.len() == 32 && words.bytes().all(|b| b.is_ascii_hexdigit()) {
        media.params.insert(MediaHandle::MD5.to_owned(), words.to_lowercase());
    }
    Content::Image { media }
}

fn voice(at: &Place<'_>) -> Content {
    let tree = tree(at.body);
    let voice = tree.as_ref().and_then(|root| root.child("voicemsg"));
    let media = media(at, MediaKind::Voice, voice, number(voice, "length"));
    Content::Voice { media, length_ms: number(voice, "voicelength").unwrap_or(0), transcript: None }
}

/// Before it leaves, a film of our own is named by the id of its file with the service.
fn video(at: &Place<'_>, short: bool) -> Content {
    let tree = tree(at.body);
    let video = tree.as_ref().and_then(|root| root.child("videomsg"));
    let mut media = media(at, MediaKind::Video, video, number(video, "length"));
    if tree.is_none() && !at.body.trim().is_empty() {
        media.params.insert(MediaHandle::MEDIA_ID.to_owned(), at.body.trim().to_owned());
    }
    Content::Video { media, thumb: None, length_s: number(video, "playlength").unwrap_or(0), short }
}

fn sticker(at: &Place<'_>) -> Content {
    let tree = tree(at.body);
    let emoji = tree.as_ref().and_then(|root| root.child("emoji"));
    let handle = media(at, MediaKind::Sticker, emoji, number(emoji, "len"));
    // One of the shop has neither a file nor an address.
    let fetched = [MediaHandle::PATH, MediaHandle::URL].iter().any(|word| handle.params.contains_key(*word));
    Content::Sticker {
        md5: emoji.and_then(|emoji| emoji.attr("md5")).unwrap_or_default().to_owned(),
        media: fetched.then_some(handle),
        gesture: tree.as_ref().and_then(|root| gesture(root.child("gameext")?)),
    }
}

fn location(body: &str) -> Option<Location> {
    let xml = LocationXml::read(tree(body).as_ref());
    let known = xml.point.is_some() || !xml.label.is_empty() || !xml.name.is_empty();
    known.then(|| Location { point: xml.point, label: xml.label, name: xml.name, ..Location::default() })
}

/// What an app shared; before it leaves, a file of our own is named by its name alone.
fn shared(at: &Place<'_>) -> Option<Content> {
    let Some(tree) = tree(at.body) else {
        let name = at.body.trim();
        return (!at.entry.file_path.is_empty()).then(|| {
            let media = media(at, MediaKind::File, None, None);
            Content::File(File { name: name.to_owned(), len: None, media })
        });
    };
    let attach = tree.path(&["appmsg", "appattach"]).cloned();
    let handle = |kind, len| {
        let mut media = media(at, kind, attach.as_ref(), len);
        if let Some(key) = attach.as_ref().map(|attach| attach.words("aeskey")).filter(|key| !key.is_empty()) {
            media.params.insert(MediaHandle::AES_KEY.to_owned(), key.to_owned());
        }
        media.params.insert(MediaHandle::MSG_XML.to_owned(), at.body.to_owned());
        media
    };
    let envelope = Envelope { from_self: at.from_self, ..Envelope::default() };
    app::content(at.body.to_owned(), Some(tree), envelope, &handle)
}

/// `<op id='1'>` and what it is about.
fn status(body: &str) -> EventKind {
    let tree = tree(body);
    let op = tree.as_ref().and_then(|root| root.child("op"));
    let op: Option<i64> = number(op, "id");
    EventKind::Status { code: op.unwrap_or(0), op }
}

/// 10002: what the service says in XML. Of a recall the hook still has the text.
fn sysmsg(at: &Place<'_>) -> Option<Told> {
    let mut told = notice::sysmsg(at.body)?;
    if let Told::Happened(EventKind::Recall { text, .. }) = &mut told {
        *text = kept(at.entry);
    }
    Some(told)
}

/// 44: we took back something of our own.
fn taken_back(at: &Place<'_>) -> EventKind {
    match notice::sysmsg(at.body) {
        Some(Told::Happened(EventKind::Recall { msg, notice, .. })) => {
            EventKind::Recall { msg, notice, text: kept(at.entry) }
        }
        _ => EventKind::Recall { msg: None, notice: at.body.to_owned(), text: kept(at.entry) },
    }
}

fn kept(entry: &Entry) -> Option<String> {
    Some(&entry.revoke_msg).filter(|text| !text.is_empty()).cloned()
}
