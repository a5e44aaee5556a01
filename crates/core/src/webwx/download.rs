//! Where do the bytes of a message, or somebody's picture, come from? One endpoint per kind, and a second file host.

use std::sync::Arc;
use std::time::Duration;

use url::Url;
use wxbot_model::{MediaHandle, MediaKind, PeerId};

use super::body::Ask;
use super::client::Client;
use super::endpoint::media::{self, File, Size};
use crate::error::FetchError;
use crate::protocol::{Fetch, Fetched};
use crate::said::username::is_room;

/// How often a picture is asked for whose answer is empty, and how long between.
const AVATAR_TRIES: u32 = 3;
const AVATAR_PAUSE: Duration = Duration::from_secs(1);

fn refused(why: impl Into<String>) -> FetchError {
    FetchError::Refused { why: why.into() }
}

/// It may not have reached the service yet, or has left it: the service does not say which.
fn empty() -> FetchError {
    FetchError::NotNow { why: "the answer is empty".into() }
}

impl Client {
    /// Bytes of a message, or a picture. Cancel safe.
    pub(super) async fn fetch(self: Arc<Self>, what: Fetch) -> Result<Fetched, FetchError> {
        match what {
            Fetch::Media(media) if media.kind == MediaKind::File => self.file(&media).await,
            Fetch::Media(media) => {
                let ask = self.of_message(&media)?;
                self.body(ask).await?.ok_or_else(empty)
            }
            Fetch::Avatar { of, room } => self.avatar(&of, room.as_ref()).await,
        }
    }

    fn of_message(&self, media: &MediaHandle) -> Result<Ask, FetchError> {
        let (hosts, mode, keys, id) = (&self.hosts, &self.mode, self.keys(), media.reference.as_str());
        if id.is_empty() {
            return Err(refused("its message has no id"));
        }
        let skey = keys.skey.expose();
        let picture = |size| ("webwxgetmsgimg", media::msgimg(hosts, mode, skey, id, size));
        let (endpoint, request) = match media.kind {
            MediaKind::Image => picture(Size::Original),
            MediaKind::Thumbnail => picture(Size::Thumbnail),
            MediaKind::Sticker => picture(Size::Big),
            MediaKind::Voice => ("webwxgetvoice", media::voice(hosts, mode, skey, id)),
            MediaKind::Video => ("webwxgetvideo", media::video(hosts, mode, skey, id)),
            MediaKind::File | _ => return Err(refused("Web WeChat has no such kind of media")),
        };
        Ok(Ask { endpoint, request, resumable: media.kind == MediaKind::Video, file_len: None })
    }

    /// At the file host, or, when that does not have it, at the second one.
    async fn file(self: &Arc<Self>, media: &MediaHandle) -> Result<Fetched, FetchError> {
        let param = |name| media.params.get(name).map_or("", String::as_str);
        if param(MediaHandle::MEDIA_ID).is_empty() {
            return Err(refused("the message of this file has no MediaId"));
        }
        let at = async |host: &Url| {
            let keys = self.keys();
            let data_ticket = self.data_ticket(host).map_err(refused)?;
            let file = File {
                sender: param(MediaHandle::FROM_USER_NAME),
                media_id: param(MediaHandle::MEDIA_ID),
                encry_file_name: param(MediaHandle::ENCRY_FILE_NAME),
                file_name: param(MediaHandle::FILE_NAME),
                uin: keys.uin,
                pass_ticket: keys.pass_ticket.expose(),
                data_ticket: &data_ticket,
            };
            let request = media::file(&self.hosts, host, &self.mode, &file);
            // Without a stated length any text is suspected; no file has this one.
            let file_len = Some(media.stated_len.unwrap_or(u64::MAX));
            let ask = Ask { endpoint: "webwxgetmedia", request, resumable: false, file_len };
            self.body(ask).await?.ok_or_else(empty)
        };
        match (at(&self.hosts.file).await, self.hosts.second_file()) {
            (Err(error @ (FetchError::NotNow { .. } | FetchError::Gone { .. })), Some(second)) => {
                tracing::debug!(%error, "The file host does not have it; trying the second one.");
                at(&second).await
            }
            (answer, _) => answer,
        }
    }

    /// Pictures come empty now and then, and are there the next moment.
    async fn avatar(self: &Arc<Self>, of: &PeerId, room: Option<&PeerId>) -> Result<Fetched, FetchError> {
        let room_id = match room {
            // That the room cannot be asked about keeps nobody's picture back.
            Some(room) if !is_room(of.as_str()) => self.room_id(room).await.ok().filter(|id| !id.is_empty()),
            Some(_) | None => None,
        };
        for attempt in 1..=AVATAR_TRIES {
            let keys = self.keys();
            let (hosts, mode, skey) = (&self.hosts, &self.mode, keys.skey.expose());
            let (endpoint, request) = if is_room(of.as_str()) {
                ("webwxgetheadimg", media::headimg(hosts, mode, skey, of.as_str()))
            } else {
                ("webwxgeticon", media::icon(hosts, mode, skey, of.as_str(), room_id.as_deref()))
            };
            if let Some(fetched) = self.body(Ask { endpoint, request, resumable: false, file_len: None }).await? {
                return Ok(fetched);
            }
            if attempt < AVATAR_TRIES {
                tokio::time::sleep(AVATAR_PAUSE).await;
            }
        }
        Err(FetchError::Gone { why: format!("the picture came empty {AVATAR_TRIES} times") })
    }
}

#[cfg(test)]
#[path = "download_tests.rs"]
mod tests;
