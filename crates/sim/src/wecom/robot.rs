//! What does the webhook of a group's robot take?

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use md5::{Digest as _, Md5};
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use crate::service::book::HeardMedia;
use crate::service::proto::hex;
use crate::service::strict::{self, Key, Kind, form};
use crate::wecom::call::Call;
use crate::wecom::official::{fail, fine, take_upload};

/// The account by which the journal calls all robots.
const ROBOT: &str = "robot";
const WINDOW: Duration = Duration::from_secs(60);
const IMAGE_BYTES: usize = 2 * 1024 * 1024;

/// Kinds of message, the keys of the object under the same name, and how long `content` may be.
#[rustfmt::skip]
static KINDS: [(&str, &[Key], usize); 8] = [
    ("text", form![need "content" Full, may "mentioned_list" Names, may "mentioned_mobile_list" Names], 2_048),
    ("markdown", form![need "content" Full], 4_096),
    ("markdown_v2", form![need "content" Full], 4_096),
    ("image", form![need "base64" Full, need "md5" Hex], 0),
    ("news", form![need "articles" Objects], 0),
    ("file", form![need "media_id" Full], 0),
    ("voice", form![need "media_id" Full], 0),
    ("template_card", form![need "card_type" Full], 0),
];

pub(super) fn answer(call: &Call<'_>, name: &str) -> Value {
    call.belongs_to(ROBOT);
    let key = call.query("key");
    let room = call.wecom.office().robots.iter().find(|(known, _)| *known == key).map(|(_, room)| room.clone());
    let Some(room) = room else {
        call.wrong("`key` is of no robot");
        return fail(93_000, "invalid webhook url");
    };
    if !call.good() {
        return fail(47_001, "data format error");
    }
    if name.ends_with("upload_media") {
        return take_upload(call, &["file", "voice"]);
    }
    match send(call, &room, &key) {
        Ok(()) => fine(json!({})),
        Err(refusal) => refusal,
    }
}

fn send(call: &Call<'_>, room: &str, key: &str) -> Result<(), Value> {
    let wanted = call.text("msgtype");
    let Some((kind, keys, limit)) = KINDS.iter().find(|(kind, ..)| *kind == wanted) else {
        call.wrong("`msgtype` is none that is known");
        return Err(fail(40_008, "invalid message type"));
    };
    let outer =
        [Key { name: "msgtype", need: true, kind: Kind::Full }, Key { name: kind, need: true, kind: Kind::Object }];
    let empty = Map::new();
    let inner = call.body.get(*kind).and_then(Value::as_object).unwrap_or(&empty);
    let mut good = call.fits(&outer);
    // A card has many keys, which the official page lists.
    if *kind != "template_card" {
        for flaw in strict::flaws(inner, keys) {
            call.wrong(format!("{kind}: {flaw}"));
            good = false;
        }
    }
    if !good {
        return Err(fail(40_058, "invalid Request Parameter"));
    }
    let content = strict::text(inner, "content");
    if *limit > 0 && content.len() > *limit {
        call.wrong(format!("the content is longer than {limit} bytes"));
        return Err(fail(45_002, "content size out of limit"));
    }
    let (text, media) = match *kind {
        "image" => (String::new(), Some(picture(call, inner)?)),
        "news" => (articles(call, inner)?, None),
        "file" | "voice" => {
            let id = strict::text(inner, "media_id");
            match call.wecom.office().media.get(id) {
                Some(media) => (media.file_name.clone(), Some(media.clone())),
                None => {
                    call.wrong("`media_id` is of nothing that was uploaded");
                    return Err(fail(40_007, "invalid media_id"));
                }
            }
        }
        _ => (content.to_owned(), None),
    };
    if !within_rate(call, key) {
        return Err(fail(45_009, "api freq out of limit"));
    }
    let list = |name: &str| -> Vec<String> {
        let list = inner.get(name).and_then(Value::as_array).into_iter().flatten();
        list.filter_map(Value::as_str).map(|id| if id == "@all" { "all".to_owned() } else { nick(call, id) }).collect()
    };
    let at = [list("mentioned_list"), list("mentioned_mobile_list")].concat();
    let id = call.wecom.next_id();
    call.wecom.heard(ROBOT, room, true, kind, &text).at(at).media(media).with_id(id);
    Ok(())
}

fn nick(call: &Call<'_>, user: &str) -> String {
    call.wecom.office().name_of(user).unwrap_or(user).to_owned()
}

/// Twenty a minute, or what the setup says. Not a violation: the client is told.
fn within_rate(call: &Call<'_>, key: &str) -> bool {
    let now = Instant::now();
    let mut office = call.wecom.office();
    let sends = office.sends.entry(key.to_owned()).or_default();
    while sends.front().is_some_and(|first| now.duration_since(*first) >= WINDOW) {
        sends.pop_front();
    }
    let free = sends.len() < call.wecom.shared.setup.robot_rate;
    if free {
        sends.push_back(now);
    }
    free
}

fn picture(call: &Call<'_>, inner: &Map<String, Value>) -> Result<HeardMedia, Value> {
    let Ok(bytes) = STANDARD.decode(strict::text(inner, "base64")).map(Bytes::from) else {
        call.wrong("image: `base64` is no base64");
        return Err(fail(40_058, "invalid Request Parameter"));
    };
    let md5 = hex(&Md5::digest(&bytes));
    if md5 != strict::text(inner, "md5").to_ascii_lowercase() {
        call.wrong("image: `md5` is not that of the raw bytes");
        return Err(fail(301_019, "md5 mismatch"));
    }
    let known = [&b"\xff\xd8"[..], b"\x89PNG"].iter().any(|head| bytes.starts_with(head));
    if !known || bytes.len() > IMAGE_BYTES {
        call.wrong("image: neither JPG nor PNG, or larger than 2 MB");
        return Err(fail(40_009, "invalid image size"));
    }
    let len = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    Ok(HeardMedia { md5, len, file_name: String::new() })
}

fn articles(call: &Call<'_>, inner: &Map<String, Value>) -> Result<String, Value> {
    let list = inner.get("articles").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let keys: &[Key] = form![need "title" Full, may "description" Text, need "url" Full, may "picurl" Text];
    let mut titles = Vec::new();
    for article in list.iter().filter_map(Value::as_object) {
        if let Some(flaw) = strict::flaws(article, keys).first() {
            call.wrong(format!("news: {flaw}"));
            return Err(fail(40_058, "invalid Request Parameter"));
        }
        titles.push(format!("{} {}", strict::text(article, "title"), strict::text(article, "url")));
    }
    if titles.len() > 8 {
        call.wrong("news: more than 8 articles");
        return Err(fail(45_008, "article size out of limit"));
    }
    Ok(titles.join("\n"))
}
