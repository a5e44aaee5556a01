//! What does a message say? By its `MsgType`; app messages and texts of the service have files of their own.

use std::sync::LazyLock;

use regex::Regex;
use wxbot_model::{Content, EventKind, Location, MediaHandle, MediaKind, Point};

use super::{Place, app, person, status};
use crate::said::app::{RED_PACKET, news, red_packet};
use crate::said::parts::{LocationXml, call, gesture, number};
use crate::said::text::{pattern, system_text, text, unescape_once};
use crate::said::xml::{self, Node};
use crate::said::{Told, notice};
use crate::webwx::wire::addmsg::AddMsg;

/// A location as text: `SubMsgType` of a text message.
const LOCATION: i64 = 48;

/// Decodes a message. What is not understood is kept as it came.
pub(super) fn told(msg: &AddMsg, at: &Place<'_>) -> Told {
    let unknown = |msg_type| Content::Unknown { msg_type, raw: at.body.to_owned() };
    Told::Said(match msg.msg_type {
        1 => typed(msg, at),
        3 => Content::Image { media: media(at, MediaKind::Image, img_length(at.body)) },
        34 => voice(msg, at),
        37 | 40 => match person::request(msg, at) {
            Some(request) => return Told::Happened(EventKind::FriendRequest(request)),
            None => unknown(msg.msg_type),
        },
        42 => person::card(msg, at.body).map_or_else(|| unknown(42), Content::Card),
        43 | 44 | 62 => video(msg, at),
        47 => sticker(msg, at),
        LOCATION => location(&LocationXml::read(tree(at.body).as_ref()), msg, "")
            .map_or_else(|| unknown(LOCATION), Content::Location),
        49 => app::content(msg, at),
        50 | 52 | 53 => Content::Call(call(msg.msg_type, tree(at.body).as_ref(), text(at.body))),
        51 => {
            let op = status::operation(at.body).and_then(|operation| operation.id);
            return Told::Happened(EventKind::Status { code: msg.status_notify_code, op });
        }
        9999 => Content::Notice { text: text(at.body) },
        10_000 => return notice::told(&system_text(&text(at.body))),
        10_002 => return notice::sysmsg(&text(at.body)).unwrap_or_else(|| Told::Said(unknown(10_002))),
        other => unknown(other),
    })
}

/// Type 1 is what a person typed, and four other things.
fn typed(msg: &AddMsg, at: &Place<'_>) -> Content {
    // An old form of a place. Nobody typed it, and who does gets a place too.
    static REDIRECT: LazyLock<Regex> =
        LazyLock::new(|| pattern(r"^https?://weixin\.qq\.com/[a-z-]+/redirectforward\?args=\S+$"));
    if msg.sub_msg_type == LOCATION {
        return place(msg, at.body)
            .map_or_else(|| Content::Unknown { msg_type: LOCATION, raw: at.body.to_owned() }, Content::Location);
    }
    let text = text(at.body);
    if msg.app_msg_type == RED_PACKET {
        return red_packet(text, at.from_self);
    }
    if at.unsigned {
        return Content::System { text: system_text(&text) };
    }
    if msg.from_user_name == "newsapp"
        && let Some(app) = news(&text)
    {
        return Content::App(app);
    }
    if REDIRECT.is_match(text.trim()) {
        return Content::Location(Location { url: text.trim().to_owned(), ..Location::default() });
    }
    Content::Text { text }
}

/// A handle on the bytes of this message.
pub(super) fn media(at: &Place<'_>, kind: MediaKind, stated_len: Option<u64>) -> MediaHandle {
    MediaHandle::new(kind, at.id.as_str(), stated_len)
}

/// The XML in a content; `None` when there is none.
pub(super) fn tree(body: &str) -> Option<Node> {
    xml::parse(&text(body)).ok()
}

fn img_length(body: &str) -> Option<u64> {
    number(tree(body)?.child("img"), "length")
}

fn voice(msg: &AddMsg, at: &Place<'_>) -> Content {
    let tree = tree(at.body);
    let voice = tree.as_ref().and_then(|root| root.child("voicemsg"));
    let length_ms = match msg.voice_length {
        0 => number(voice, "voicelength").unwrap_or(0),
        stated => stated,
    };
    Content::Voice { media: media(at, MediaKind::Voice, number(voice, "length")), length_ms, transcript: None }
}

fn video(msg: &AddMsg, at: &Place<'_>) -> Content {
    let tree = tree(at.body);
    let video = tree.as_ref().and_then(|root| root.child("videomsg"));
    // A micro video may come with the XML of a picture: that is its still.
    let still = tree.as_ref().and_then(|root| root.child("img"));
    let thumb_len = number(still, "length").or_else(|| number(video, "cdnthumblength"));
    Content::Video {
        media: media(at, MediaKind::Video, number(video, "length")),
        thumb: Some(media(at, MediaKind::Thumbnail, thumb_len)),
        length_s: match msg.play_length {
            0 => number(video, "playlength").unwrap_or(0),
            stated => stated,
        },
        short: msg.msg_type == 62,
    }
}

fn sticker(msg: &AddMsg, at: &Place<'_>) -> Content {
    let tree = tree(at.body);
    let emoji = tree.as_ref().and_then(|root| root.child("emoji"));
    Content::Sticker {
        md5: emoji.and_then(|emoji| emoji.attr("md5")).unwrap_or_default().to_owned(),
        media: (msg.has_product_id == 0).then(|| media(at, MediaKind::Sticker, number(emoji, "len"))),
        gesture: tree.as_ref().and_then(|root| gesture(root.child("gameext")?)),
    }
}

/// A location that travels as text: the label, then a link to a picture of the map that nobody typed.
fn place(msg: &AddMsg, body: &str) -> Option<Location> {
    let shown = text(body);
    let label = shown.rsplit_once(":\n/").map(|(label, _)| label.trim()).unwrap_or_default();
    location(&LocationXml::read(tree(&msg.ori_content).as_ref()), msg, label)
}

/// What Content and `Url` say goes before what the XML says: it is what the Web shows.
fn location(xml: &LocationXml, msg: &AddMsg, label: &str) -> Option<Location> {
    let url = unescape_once(&msg.url).into_owned();
    let point = coordinates(&url).or(xml.point);
    let label = if label.is_empty() { xml.label.clone() } else { label.to_owned() };
    let known = point.is_some() || !label.is_empty() || !xml.name.is_empty() || !url.is_empty();
    known.then(|| Location { point, label, name: xml.name.clone(), url, live: None })
}

/// `…?coord=LAT,LNG`.
fn coordinates(url: &str) -> Option<Point> {
    let (lat, lon) = url.split_once("coord=")?.1.split('&').next()?.split_once(',')?;
    Point::new(lat.trim().parse().ok()?, lon.trim().parse().ok()?)
}

#[cfg(test)]
#[path = "content_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "notice_tests.rs"]
mod notice_tests;
