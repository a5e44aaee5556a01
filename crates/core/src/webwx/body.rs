//! Are the bytes that come the bytes that were asked for? No page, no refusal, neither shorter nor longer than stated.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderName};

use super::client::Client;
use super::endpoint::{PIECE_TIMEOUT, media};
use super::outcome::of_question;
use super::wire::answer::Base;
use crate::error::{Error, FetchError};
use crate::protocol::Fetched;
use crate::transport::{HttpRequest, HttpStream, TransportError};

/// How often a broken download is gone on with, and the pause before.
const RESUMES: u32 = 3;
const RESUME_PAUSE: Duration = Duration::from_secs(1);
/// So much of a body tells whether it is a page.
const PEEK: usize = 64;
/// The longest refusal that is read.
const REFUSAL: usize = 16 * 1024;

/// What is asked for.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    /// The endpoint's name on the wire.
    pub(super) endpoint: &'static str,
    pub(super) request: HttpRequest,
    /// It has a `Range` and may be asked again from the middle.
    pub(super) resumable: bool,
    /// A file of this length may be anything, a page or JSON too; the rest is never text.
    pub(super) file_len: Option<u64>,
}

/// One answer, as far as it was read.
struct Body {
    client: Arc<Client>,
    ask: Ask,
    pieces: BoxStream<'static, Result<Bytes, TransportError>>,
    got: u64,
    /// Where this answer ends, counted from the beginning of the whole.
    end: Option<u64>,
    /// How long the whole is.
    total: Option<u64>,
    resumes: u32,
    done: bool,
}

/// What the headers of an answer say of its body.
#[derive(Debug, PartialEq, Eq)]
struct Span {
    end: Option<u64>,
    total: Option<u64>,
}

fn not_now(why: impl Into<String>) -> FetchError {
    FetchError::NotNow { why: why.into() }
}

impl Client {
    /// The bytes, or `None` when the answer is empty.
    pub(super) async fn body(self: &Arc<Self>, ask: Ask) -> Result<Option<Fetched>, FetchError> {
        let (answer, span) = self.open(&ask, ask.request.clone(), 0).await?;
        let content_type = text_of(&answer.headers, &CONTENT_TYPE).map(str::to_owned);
        let (endpoint, total, file_len) = (ask.endpoint, span.total, ask.file_len);
        let mut body = Body {
            client: Arc::clone(self),
            ask,
            pieces: answer.body,
            got: 0,
            end: span.end,
            total,
            resumes: 0,
            done: false,
        };
        let mut peeked = BytesMut::new();
        body.read_into(&mut peeked, PEEK).await?;
        if peeked.is_empty() {
            return Ok(None);
        }
        let is_the_file = file_len.is_some() && file_len == total;
        let page = Page::seen(content_type.as_deref(), &peeked, file_len.is_some());
        if let Some(page) = page.filter(|_| !is_the_file) {
            if page == Page::Json {
                body.read_into(&mut peeked, REFUSAL).await?;
            }
            return Err(page.meant(endpoint, &peeked));
        }
        let rest = stream::unfold(body, |mut body| async { body.next().await.map(|piece| (piece, body)) });
        let first = stream::once(async { Ok(peeked.freeze()) });
        Ok(Some(Fetched { stated_len: total, content_type, body: first.chain(rest).boxed() }))
    }

    async fn open(&self, ask: &Ask, request: HttpRequest, from: u64) -> Result<(HttpStream, Span), FetchError> {
        let endpoint = ask.endpoint;
        let opened = self.http.open(request).await;
        let answer = opened.map_err(|source| of_question(Error::Transport { endpoint, source }))?;
        let span = span(endpoint, answer.status, &answer.headers, from, ask.resumable)?;
        Ok((answer, span))
    }
}

impl Body {
    /// Reads on until there is so much, or nothing more.
    async fn read_into(&mut self, buffer: &mut BytesMut, len: usize) -> Result<(), FetchError> {
        while buffer.len() < len {
            match self.next().await {
                Some(piece) => buffer.extend_from_slice(&piece?),
                None => break,
            }
        }
        Ok(())
    }

    /// The next piece that is not empty. Cancel safe: nothing is counted before it is handed out.
    async fn next(&mut self) -> Option<Result<Bytes, FetchError>> {
        loop {
            if self.done {
                return None;
            }
            let trouble = match tokio::time::timeout(PIECE_TIMEOUT, self.pieces.next()).await {
                Ok(Some(Ok(piece))) if piece.is_empty() => continue,
                Ok(Some(Ok(piece))) => {
                    self.got = self.got.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
                    match self.end.filter(|end| self.got > *end) {
                        Some(end) => {
                            return Some(Err(self.over(not_now(format!("more came than the {end} bytes stated")))));
                        }
                        None => return Some(Ok(piece)),
                    }
                }
                Ok(None) => match self.total.or(self.end).filter(|total| self.got < *total) {
                    Some(total) => not_now(format!("only {} of {total} bytes came", self.got)),
                    None => {
                        self.done = true;
                        return None;
                    }
                },
                Ok(Some(Err(source))) => of_question(Error::Transport { endpoint: self.ask.endpoint, source }),
                Err(_) => not_now(format!("nothing came for {PIECE_TIMEOUT:?} after {} bytes", self.got)),
            };
            if self.total.or(self.end) == Some(self.got) {
                // All of it is there: what breaks now breaks nothing.
                self.done = true;
                return None;
            }
            if let Err(error) = self.resume(trouble).await {
                return Some(Err(self.over(error)));
            }
        }
    }

    fn over(&mut self, error: FetchError) -> FetchError {
        self.done = true;
        error
    }

    /// Goes on from the last byte, if that is possible; else the trouble is the end.
    async fn resume(&mut self, mut trouble: FetchError) -> Result<(), FetchError> {
        while self.ask.resumable && self.resumes < RESUMES {
            self.resumes += 1;
            tracing::debug!(endpoint = self.ask.endpoint, got = self.got, %trouble, "A download broke; going on.");
            tokio::time::sleep(RESUME_PAUSE).await;
            let request = media::from_byte(self.ask.request.clone(), self.got);
            match self.client.open(&self.ask, request, self.got).await {
                Ok((_, span)) if self.total.is_some() && span.total.is_some() && span.total != self.total => {
                    return Err(not_now("it has another length than before"));
                }
                Ok((answer, span)) => {
                    self.pieces = answer.body;
                    self.end = span.end;
                    self.total = self.total.or(span.total);
                    return Ok(());
                }
                Err(error @ FetchError::NotNow { .. }) => trouble = error,
                Err(error) => return Err(error),
            }
        }
        Err(trouble)
    }
}

fn text_of<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

/// What status and headers promise of a body that was asked for `from` this byte.
fn span(endpoint: &str, status: u16, headers: &HeaderMap, from: u64, ranged: bool) -> Result<Span, FetchError> {
    let len: Option<u64> = text_of(headers, &CONTENT_LENGTH).and_then(|len| len.parse().ok());
    let why = format!("{endpoint} answered HTTP {status}");
    match status {
        200 if from == 0 => Ok(Span { end: len, total: len }),
        200 => Err(not_now("the service begins anew instead of going on")),
        206 if ranged => part(text_of(headers, &CONTENT_RANGE), len, from),
        206 => Err(not_now("a part came that nobody asked for")),
        // Never followed: the cookies are the account, and no redirect of a download was ever seen.
        300..=399 => Err(FetchError::Refused { why: format!("{why}, a redirect, which is not followed") }),
        404 | 410 | 416 => Err(FetchError::Gone { why }),
        408 | 425 | 429 => Err(not_now(why)),
        400..=499 => Err(FetchError::Refused { why }),
        _ => Err(not_now(why)),
    }
}

/// What `Content-Range: bytes 0-99/100` says, if it fits what was asked and what else is said.
fn part(range: Option<&str>, len: Option<u64>, from: u64) -> Result<Span, FetchError> {
    let Some(range) = range else {
        return match from {
            0 => Ok(Span { end: len, total: len }),
            _ => Err(not_now("the service does not say which part it sends")),
        };
    };
    let parsed = || {
        let (span, total) = range.strip_prefix("bytes")?.trim().split_once('/')?;
        let (first, last) = span.split_once('-')?;
        let (first, last): (u64, u64) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        let total = match total.trim() {
            "*" => None,
            number => Some(number.parse::<u64>().ok()?),
        };
        let end = last.checked_add(1)?;
        let sound = first == from && end > first && total.is_none_or(|total| end <= total);
        let fits = len.is_none_or(|len| len == end.saturating_sub(first));
        (sound && fits).then_some(Span { end: Some(end), total })
    };
    parsed().ok_or_else(|| not_now(format!("asked for bytes from {from} on, and others came")))
}

/// Text where bytes should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Page {
    Html,
    Json,
}

impl Page {
    fn seen(content_type: Option<&str>, begin: &[u8], of_file: bool) -> Option<Self> {
        let labelled = |label| content_type.is_some_and(|text| text.to_ascii_lowercase().contains(label));
        let text = String::from_utf8_lossy(begin);
        let text = text.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']);
        let refusal = text.starts_with('{') && text.contains("\"BaseResponse\"");
        if of_file {
            return if refusal { Some(Self::Json) } else { labelled("text/html").then_some(Self::Html) };
        }
        if refusal || text.starts_with('{') || labelled("json") {
            Some(Self::Json)
        } else if text.starts_with('<') || labelled("text/html") {
            Some(Self::Html)
        } else {
            None
        }
    }

    /// The service may say with it why there are no bytes.
    fn meant(self, endpoint: &'static str, body: &[u8]) -> FetchError {
        match (self, serde_json::from_slice::<Base>(body)) {
            (Self::Json, Ok(answer)) => match answer.base_response.check(endpoint) {
                Err(error) => of_question(error),
                Ok(()) => not_now(format!("{endpoint} says yes and gives no bytes")),
            },
            (Self::Json, Err(_)) => not_now(format!("{endpoint} answered JSON instead of bytes")),
            (Self::Html, _) => not_now(format!("{endpoint} answered a page instead of bytes")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(HeaderName, &str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect()
    }

    fn word(error: &FetchError) -> &'static str {
        match error {
            FetchError::NotNow { .. } => "not now",
            FetchError::Gone { .. } => "gone",
            FetchError::Refused { .. } => "refused",
            FetchError::Ended(_) => "ended",
            FetchError::Stopped { .. } => "stopped",
        }
    }

    #[test]
    fn what_a_status_means() {
        for (status, want) in [
            (301, "refused"),
            (302, "refused"),
            (400, "refused"),
            (403, "refused"),
            (404, "gone"),
            (410, "gone"),
            (416, "gone"),
            (429, "not now"),
            (500, "not now"),
            (502, "not now"),
            (204, "not now"),
        ] {
            assert_eq!(word(&span("x", status, &HeaderMap::new(), 0, true).unwrap_err()), want, "{status}");
        }
    }

    #[test]
    fn what_headers_promise() {
        let whole = Span { end: Some(100), total: Some(100) };
        let unknown = Span { end: None, total: None };
        for (name, status, lines, from, want) in [
            ("whole", 200, &[(CONTENT_LENGTH, "100")][..], 0, Some(&whole)),
            ("no length", 200, &[], 0, Some(&unknown)),
            ("anew", 200, &[(CONTENT_LENGTH, "100")], 5, None),
            ("from 0", 206, &[(CONTENT_RANGE, "bytes 0-99/100"), (CONTENT_LENGTH, "100")], 0, Some(&whole)),
            ("from 40", 206, &[(CONTENT_RANGE, "bytes 40-99/100"), (CONTENT_LENGTH, "60")], 40, Some(&whole)),
            ("no range", 206, &[(CONTENT_LENGTH, "100")], 0, Some(&whole)),
            ("no range in the middle", 206, &[(CONTENT_LENGTH, "60")], 40, None),
            ("star", 206, &[(CONTENT_RANGE, "bytes 0-99/*")], 0, Some(&Span { end: Some(100), total: None })),
            ("piece", 206, &[(CONTENT_RANGE, "bytes 0-9/100")], 0, Some(&Span { end: Some(10), total: Some(100) })),
            ("other start", 206, &[(CONTENT_RANGE, "bytes 41-99/100")], 40, None),
            ("lengths differ", 206, &[(CONTENT_RANGE, "bytes 0-99/100"), (CONTENT_LENGTH, "99")], 0, None),
            ("past the end", 206, &[(CONTENT_RANGE, "bytes 0-100/100")], 0, None),
            ("backwards", 206, &[(CONTENT_RANGE, "bytes 40-39/100")], 40, None),
            ("nonsense", 206, &[(CONTENT_RANGE, "pages 1-2")], 0, None),
        ] {
            assert_eq!(span("x", status, &headers(lines), from, true).ok().as_ref(), want, "{name}");
        }
        let unasked = headers(&[(CONTENT_RANGE, "bytes 0-99/100")]);
        assert!(span("x", 206, &unasked, 0, false).is_err());
    }

    #[test]
    fn pages_and_refusals() {
        let (json, html) = (Some("application/json"), Some("text/html; charset=utf-8"));
        for (name, label, begin, media, file) in [
            ("picture", Some("image/jpeg"), &b"\xff\xd8\xff"[..], None, None),
            ("picture, mislabelled", Some("text/plain"), b"\xff\xd8\xff", None, None),
            ("page", html, b"<!DOCTYPE html>", Some(Page::Html), Some(Page::Html)),
            ("page without label", None, b"\n <html>", Some(Page::Html), None),
            ("json", json, b"[1]", Some(Page::Json), None),
            ("json without label", None, b"{\"a\":1}", Some(Page::Json), None),
            ("refusal", None, b"{\n\"BaseResponse\": {", Some(Page::Json), Some(Page::Json)),
        ] {
            assert_eq!((Page::seen(label, begin, false), Page::seen(label, begin, true)), (media, file), "{name}");
        }
        for (body, want) in [
            (r#"{"BaseResponse":{"Ret":1101,"ErrMsg":""}}"#, "ended"),
            (r#"{"BaseResponse":{"Ret":-14}}"#, "refused"),
            (r#"{"BaseResponse":{"Ret":-1}}"#, "not now"),
            (r#"{"BaseResponse":{"Ret":0}}"#, "not now"),
            ("{", "not now"),
        ] {
            assert_eq!(word(&Page::Json.meant("x", body.as_bytes())), want, "{body}");
        }
    }
}
