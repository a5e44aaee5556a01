//! What did an app share? The envelope's part of it; the XML is read in [`crate::said::app`].

use wxbot_model::{Content, MediaHandle, MediaKind};

use super::Place;
use super::content::media;
use crate::said::app::{self, Envelope};
use crate::said::text::{name, text, unescape_once};
use crate::said::xml;
use crate::webwx::wire::addmsg::AddMsg;

/// Decodes an app message.
pub(super) fn content(msg: &AddMsg, at: &Place<'_>) -> Content {
    let raw = text(at.body);
    let tree = xml::parse(&raw).ok();
    let envelope = Envelope {
        app_type: msg.app_msg_type,
        title: name(&msg.file_name),
        url: unescape_once(&msg.url).into_owned(),
        app_id: &msg.app_info.app_id,
        len: msg.file_size.trim().parse().ok(),
        from_self: at.from_self,
    };
    let handle = |kind, len| if kind == MediaKind::File { file(msg, at, len) } else { media(at, kind, len) };
    app::content(raw, tree, envelope, &handle)
        .unwrap_or_else(|| Content::Unknown { msg_type: 49, raw: at.body.to_owned() })
}

/// All that webwxgetmedia asks for later stands in the envelope, so a broken XML loses no file.
fn file(msg: &AddMsg, at: &Place<'_>, len: Option<u64>) -> MediaHandle {
    let params = [
        (MediaHandle::MEDIA_ID, &msg.media_id),
        (MediaHandle::ENCRY_FILE_NAME, &msg.encry_file_name),
        (MediaHandle::FILE_NAME, &msg.file_name),
        (MediaHandle::FROM_USER_NAME, &msg.from_user_name),
    ];
    let params = params.into_iter().filter(|(_, value)| !value.is_empty());
    MediaHandle {
        params: params.map(|(word, value)| (word.to_owned(), value.clone())).collect(),
        ..media(at, MediaKind::File, len)
    }
}

#[cfg(test)]
#[path = "app_tests.rs"]
mod tests;
