//! How do the bytes of a message come? From the CDN, opened while they arrive; what was cut, or sealed with another key, is
//! told at the end.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use url::Url;
use wxbot_model::{MediaHandle, MediaKind};

use super::client::Client;
use super::convert::param;
use super::crypt::{MediaKey, OpenError, Opener, sealed_len};
use super::endpoint::Place;
use super::upload::{MOST, reason};
use crate::error::FetchError;
use crate::protocol::{Fetch, Fetched};
use crate::transport::{HttpRequest, HttpStream, TransportError};

/// For the head of the answer, and again for each piece.
const PIECE_TIMEOUT: Duration = Duration::from_secs(30);

fn refused(why: impl Into<String>) -> FetchError {
    FetchError::Refused { why: why.into() }
}

fn not_now(why: impl Into<String>) -> FetchError {
    FetchError::NotNow { why: why.into() }
}

fn too_long() -> FetchError {
    refused(format!("it is longer than {} MiB", MOST / 1024 / 1024))
}

impl Client {
    /// Bytes of a message. Nothing of ours goes along. Cancel safe, and so is reading them.
    pub(super) async fn fetch(&self, what: Fetch) -> Result<Fetched, FetchError> {
        let Fetch::Media(media) = what else {
            return Err(refused("iLink shows no pictures of people"));
        };
        let key = key(&media)?;
        let url = address(&self.line.place, &media)?;
        let opened = self.line.transport.open(HttpRequest::get(url, PIECE_TIMEOUT)).await;
        let answer = opened.map_err(|error| not_now(format!("the CDN did not answer: {error}")))?;
        let header = |name| answer.headers.get(name)?.to_str().ok().map(str::trim);
        let (len, content_type) = (header(CONTENT_LENGTH).and_then(|len| len.parse().ok()), header(CONTENT_TYPE));
        judge(&answer, content_type)?;
        let most = if key.is_some() { sealed_len(MOST) } else { MOST };
        if len.is_some_and(|len| len > most) {
            return Err(too_long());
        }
        // What a sealed file is, and how long, only its sender said.
        let (stated_len, content_type) = match key {
            Some(_) => (None, None),
            None => (len, content_type.map(str::to_owned)),
        };
        let coming =
            Coming { pieces: answer.body, opener: key.as_ref().map(Opener::new), got: 0, len, most, done: false };
        let body = stream::unfold(coming, |mut coming| async { coming.next().await.map(|piece| (piece, coming)) });
        Ok(Fetched { stated_len, content_type, body: body.boxed() })
    }
}

/// What opens it; `None` for a picture without a key, which is not sealed.
fn key(media: &MediaHandle) -> Result<Option<MediaKey>, FetchError> {
    let given = |name| media.params.get(name).map(String::as_str).filter(|text| !text.is_empty());
    let key = match (given(param::AESKEY_HEX), given(MediaHandle::AES_KEY)) {
        (Some(digits), _) => MediaKey::of_hex(digits),
        (None, Some(text)) => MediaKey::of_base64(text),
        (None, None) if media.kind == MediaKind::Image || media.kind == MediaKind::Thumbnail => return Ok(None),
        (None, None) => return Err(refused("its message has no key that would open it")),
    };
    key.map(Some).map_err(|error| refused(error.to_string()))
}

/// Where it is. The whole address counts.
fn address(place: &Place, media: &MediaHandle) -> Result<Url, FetchError> {
    let given = |name| media.params.get(name).map(String::as_str).filter(|text| !text.is_empty());
    match (given(param::FULL_URL), given(param::ENCRYPT_QUERY_PARAM)) {
        (Some(full), _) => Url::parse(full).ok().filter(|url| place.may_carry_bytes(url)).ok_or_else(|| {
            refused("its message names an address that is none of the service's; nothing is fetched from there")
        }),
        (None, Some(param)) => Ok(place.download(param)),
        (None, None) => Err(refused("its message does not say where the bytes are")),
    }
}

/// Whether the answer is bytes at all.
fn judge(answer: &HttpStream, content_type: Option<&str>) -> Result<(), FetchError> {
    let why = format!("the CDN answered HTTP {}{}", answer.status, reason(&answer.headers));
    match answer.status {
        // A file may be one, but no sealed one is labelled so.
        200 if content_type.is_some_and(|label| label.to_ascii_lowercase().starts_with("text/html")) => {
            Err(not_now("the CDN answered a page instead of bytes"))
        }
        200 => Ok(()),
        300..=399 => Err(refused(format!("{why}, a redirect, which is not followed"))),
        408 | 425 | 429 => Err(not_now(why)),
        // A link that is too old, or was never good.
        400..=499 => Err(FetchError::Gone { why }),
        _ => Err(not_now(why)),
    }
}

/// A body on its way.
struct Coming {
    pieces: BoxStream<'static, Result<Bytes, TransportError>>,
    /// `None` for what is not sealed.
    opener: Option<Opener>,
    /// As it came.
    got: u64,
    len: Option<u64>,
    most: u64,
    done: bool,
}

impl Coming {
    /// The next piece that is not empty. Cancel safe: nothing is counted before it is there.
    async fn next(&mut self) -> Option<Result<Bytes, FetchError>> {
        while !self.done {
            let piece = match tokio::time::timeout(PIECE_TIMEOUT, self.pieces.next()).await {
                Ok(Some(Ok(piece))) => self.piece(piece),
                Ok(None) => self.end(),
                Ok(Some(Err(error))) => Err(not_now(format!("the connection to the CDN broke: {error}"))),
                Err(_elapsed) => {
                    Err(not_now(format!("nothing came for {} s after {} bytes", PIECE_TIMEOUT.as_secs(), self.got)))
                }
            };
            match piece {
                Ok(piece) if piece.is_empty() => {}
                Ok(piece) => return Some(Ok(piece)),
                Err(error) => {
                    self.done = true;
                    return Some(Err(error));
                }
            }
        }
        None
    }

    fn piece(&mut self, piece: Bytes) -> Result<Bytes, FetchError> {
        self.got = self.got.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
        if let Some(len) = self.len.filter(|len| self.got > *len) {
            return Err(not_now(format!("more came than the {len} bytes stated")));
        }
        if self.got > self.most {
            return Err(too_long());
        }
        Ok(match &mut self.opener {
            Some(opener) => opener.open(&piece).into(),
            None => piece,
        })
    }

    fn end(&mut self) -> Result<Bytes, FetchError> {
        self.done = true;
        if let Some(len) = self.len.filter(|len| self.got < *len) {
            return Err(not_now(format!("only {} of {len} bytes came", self.got)));
        }
        if self.got == 0 {
            return Err(not_now("the CDN answered with nothing"));
        }
        let Some(opener) = self.opener.take() else { return Ok(Bytes::new()) };
        opener.end().map(Bytes::from).map_err(|error| match error {
            OpenError::Cut => not_now(error.to_string()),
            // With all of it there, only the key can be wrong, and stays so.
            OpenError::Padding if self.len.is_some() => refused(error.to_string()),
            OpenError::Padding => not_now(error.to_string()),
        })
    }
}

impl fmt::Debug for Coming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Coming({} of {:?} bytes)", self.got, self.len)
    }
}

#[cfg(test)]
#[path = "download_tests.rs"]
mod tests;
