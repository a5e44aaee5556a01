//! What does the service say to an application? The XML inside of a sealed body.

use wxbot_model::{Content, EventKind, Link, Location, MediaHandle, MediaKind, Mentions, Message, PeerId, Point};

use super::{Scene, joined_key, media, msg_id, unknown};
use crate::protocol::Incoming;
use crate::said::xml::{self, Node};
use crate::wecom::wire::seconds;

/// One message or event; `None` when it is no XML that says whom it is from. An event is an unknown message with its
/// whole XML: the model has no words for menus and the like.
pub fn message(inner: &str, scene: &Scene<'_>) -> Option<Incoming> {
    let root = xml::parse(inner).ok()?;
    let from: PeerId = root.words("FromUserName").parse().ok()?;
    let (id, kind) = (root.words("MsgId"), root.words("MsgType"));
    let key = match id {
        // Events have none; a second one in the same second is the same one again.
        "" | "0" => joined_key(&[from.as_str(), root.words("CreateTime"), root.words("Event"), root.words("EventKey")]),
        id => joined_key(&[id]),
    };
    let content = content(&root, kind).unwrap_or_else(|| unknown(inner));
    Some(Incoming {
        chat: from.clone(),
        sender: Some(from),
        at_s: seconds(root.words("CreateTime")).unwrap_or(scene.now_s),
        kind: EventKind::Message(Message {
            id: msg_id(id, &key),
            from_self: false,
            content,
            mentions: Mentions::default(),
        }),
        key,
    })
}

/// A person's texts end as they were typed, so they are not trimmed.
fn typed<'a>(root: &'a Node, name: &str) -> &'a str {
    root.child(name).map_or("", |node| &node.text)
}

fn content(root: &Node, kind: &str) -> Option<Content> {
    let words = |name: &str| root.words(name);
    let handle = |kind, url: &str| {
        let id = words("MediaId");
        let params = [(MediaHandle::MEDIA_ID, id), (MediaHandle::URL, url), ("format", words("Format"))];
        (!id.is_empty()).then(|| media(kind, id, None, &params))
    };
    match kind {
        "text" => Some(Content::Text { text: typed(root, "Content").to_owned() }),
        "image" => Some(Content::Image { media: handle(MediaKind::Image, words("PicUrl"))? }),
        "voice" => Some(Content::Voice { media: handle(MediaKind::Voice, "")?, length_ms: 0, transcript: None }),
        "video" => {
            let thumb = words("ThumbMediaId");
            let still = media(MediaKind::Thumbnail, thumb, None, &[(MediaHandle::MEDIA_ID, thumb)]);
            let thumb = Some(still).filter(|_| !thumb.is_empty());
            Some(Content::Video { media: handle(MediaKind::Video, "")?, thumb, length_s: 0, short: false })
        }
        "location" => {
            let degrees = |name: &str| words(name).parse::<f64>().ok();
            let point = degrees("Location_X").zip(degrees("Location_Y")).and_then(|(lat, lon)| Point::new(lat, lon));
            let label = words("Label");
            let known = point.is_some() || !label.is_empty();
            known.then(|| Content::Location(Location { point, label: label.to_owned(), ..Location::default() }))
        }
        "link" => Some(Content::Link(Link {
            title: words("Title").to_owned(),
            description: words("Description").to_owned(),
            url: words("Url").to_owned(),
            thumb_url: words("PicUrl").to_owned(),
        })),
        _ => None,
    }
}
