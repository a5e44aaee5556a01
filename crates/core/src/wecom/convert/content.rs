//! What does a message of the gateway say? By its `type`, never by whether its text is JSON: a bare id is JSON too.

use serde::de::DeserializeOwned;
use wxbot_model::{Card, Content, Link, Location, MediaHandle, MediaKind, MiniProgram, MsgId, Point};

use super::media;
use crate::lenient::json;
use crate::wecom::wire;

/// `None` for a type that is not known, and for a text that is not what its type says.
pub(super) fn content(message: &wire::Message, id: &MsgId) -> Option<Content> {
    let text = &message.text;
    match message.kind.as_str() {
        "Text" => Some(Content::Text { text: text.clone() }),
        "Image" => image(&inner(text)?, id),
        "Video" => video(&inner(text)?, id),
        "Location" => location(&inner(text)?),
        "Contact" => contact(text),
        "MiniProgram" => program(&inner(text)?),
        "Url" => link(&inner(text)?),
        _ => None,
    }
}

fn inner<T: DeserializeOwned>(text: &str) -> Option<T> {
    // A bare number or text is JSON too, but not the object that this type is.
    text.trim_start().starts_with('{').then(|| json::read(text.as_bytes()).ok())?
}

/// How large it says it is.
const WIDTH: &str = "width";
const HEIGHT: &str = "height";

fn image(image: &wire::Image, id: &MsgId) -> Option<Content> {
    let params = [
        (MediaHandle::AES_KEY, image.aes_key.as_str()),
        (MediaHandle::MD5, &image.md5),
        (MediaHandle::FILE_NAME, &image.file_name),
        (MediaHandle::MEDIA_ID, id.as_str()),
        (WIDTH, &image.width),
        (HEIGHT, &image.height),
        ("wechat_cdn_ld_size", &image.wechat_cdn_ld_size),
    ];
    let known = !image.file_id.is_empty();
    let len = image.size.trim().parse().ok();
    known.then(|| Content::Image { media: media(MediaKind::Image, &image.file_id, len, &params) })
}

fn video(video: &wire::Video, id: &MsgId) -> Option<Content> {
    let params = [
        (MediaHandle::AES_KEY, video.video_aes_key.as_str()),
        (MediaHandle::MD5, &video.video_md5),
        (MediaHandle::MEDIA_ID, id.as_str()),
        (WIDTH, &video.width),
        (HEIGHT, &video.height),
        ("wechat_auth_key", &video.wechat_auth_key),
    ];
    let still = &video.preface_image_url;
    let thumb_len = video.preface_image_size.trim().parse().ok();
    let thumb = media(MediaKind::Thumbnail, still, thumb_len, &[(MediaHandle::URL, still)]);
    let len = video.video_size.trim().parse().ok();
    (!video.video_file_id.is_empty()).then(|| Content::Video {
        media: media(MediaKind::Video, &video.video_file_id, len, &params),
        thumb: Some(thumb).filter(|_| !still.is_empty()),
        length_s: video.video_play_time,
        short: false,
    })
}

fn location(place: &wire::Location) -> Option<Content> {
    let degrees = |text: &str| text.parse::<f64>().ok();
    let point = degrees(&place.latitude).zip(degrees(&place.longitude)).and_then(|(lat, lon)| Point::new(lat, lon));
    let known = point.is_some() || !place.address.is_empty() || !place.title.is_empty();
    known.then(|| {
        let (label, name) = (place.address.clone(), place.title.clone());
        Content::Location(Location { point, label, name, ..Location::default() })
    })
}

/// The id of the person and nothing else.
fn contact(text: &str) -> Option<Content> {
    let id = text.trim();
    let bare = !id.contains(|c: char| c.is_whitespace() || "{}[]<>\"".contains(c));
    let user = id.parse().ok().filter(|_| bare)?;
    Some(Content::Card(Card { user: Some(user), ..Card::default() }))
}

fn program(program: &wire::MiniProgram) -> Option<Content> {
    let program = &program.parameter;
    let known = !program.id.is_empty() || !program.user_name.is_empty();
    known.then(|| {
        Content::MiniProgram(MiniProgram {
            title: program.title.clone(),
            app_id: program.id.clone(),
            page_path: program.page_path.clone(),
            username: program.user_name.clone(),
            source: program.display_name.clone(),
            url: String::new(),
        })
    })
}

fn link(link: &wire::Url) -> Option<Content> {
    (!link.url.is_empty()).then(|| {
        Content::Link(Link {
            title: link.title.clone(),
            description: link.desc.clone(),
            url: link.url.clone(),
            thumb_url: link.thumb_url.clone(),
        })
    })
}
