//! How is one question asked, and what comes back? One HTTP request, read as it streams in, with a limit on everything.

use std::future::Future;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, DATE, HOST, HeaderMap, HeaderValue, RETRY_AFTER, USER_AGENT};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use wxbot_plugin::model::Secret;

use super::chunk::{Next, Said};
use super::endpoint::Endpoint;
use super::net::Dial;
use super::sse::Sse;
use super::trouble::{BEFORE, NO_CONNECTION, Trouble, words_of};

/// The most bytes of an answer, frame and all: a word of a stream may cost 300 bytes.
const MOST_BYTES: usize = 8 * 1024 * 1024;
/// The most bytes of an answer in one piece, and of an error.
const MOST_JSON: usize = 1024 * 1024;
/// The most bytes of the head of an answer.
const MOST_HEAD: usize = 64 * 1024;
/// How long the count of tokens may be waited for once the last word is there.
const AFTER_END: Duration = Duration::from_secs(1);

/// A question as it is sent, the same in each try.
#[derive(Debug)]
pub(crate) struct Question<'a> {
    pub(crate) endpoint: &'a Endpoint,
    pub(crate) key: Option<&'a Secret<String>>,
    /// By which the endpoint may tell a repeat.
    pub(crate) idempotency_key: &'a str,
    /// JSON.
    pub(crate) body: Bytes,
}

/// How long it may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline {
    /// Until the first word.
    pub(crate) first: Instant,
    /// Until the last.
    pub(crate) last: Instant,
    /// What to call it when it is over.
    pub(crate) within: Duration,
}

impl Deadline {
    async fn first<T>(&self, work: impl Future<Output = T>, what: &'static str) -> Result<T, Trouble> {
        let by = self.first.min(self.last);
        timeout_at(by, work).await.map_err(|_elapsed| Trouble::Late { within: self.within, what })
    }
}

/// Asks once.
///
/// Cancel safe: the connection is closed when the future is dropped.
pub(crate) async fn ask(
    dial: &dyn Dial,
    question: &Question<'_>,
    deadline: Deadline,
    now_ms: i64,
) -> Result<Said, Trouble> {
    let wire = deadline.first(dial.dial(question.endpoint), NO_CONNECTION).await??;
    let mut builder = http1::Builder::new();
    builder.max_buf_size(MOST_HEAD);
    let shake = builder.handshake::<_, Full<Bytes>>(TokioIo::new(wire));
    let (mut sender, connection) = deadline.first(shake, NO_CONNECTION).await?.map_err(|error| before(&error))?;
    // It drives the connection, and ends with this call.
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let request = question.request()?;
    let answer = deadline.first(sender.send_request(request), ": nothing came").await?;
    let answer = answer.map_err(|error| before(&error))?;
    if !answer.status().is_success() {
        return Err(refusal(answer, deadline, now_ms).await);
    }
    read(answer, deadline).await
}

impl Question<'_> {
    fn request(&self) -> Result<Request<Full<Bytes>>, Trouble> {
        let mut request = Request::new(Full::new(self.body.clone()));
        let cannot = |what: &str| Trouble::Unreachable { why: format!("{what} cannot be sent in a header") };
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.endpoint.path.parse().map_err(|_invalid| cannot("its path"))?;
        let headers = request.headers_mut();
        let host = HeaderValue::from_str(&self.endpoint.authority).map_err(|_invalid| cannot("its host"))?;
        headers.insert(HOST, host);
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("wxbot/", env!("CARGO_PKG_VERSION"))));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream, application/json"));
        let key = HeaderValue::from_str(self.idempotency_key).map_err(|_invalid| cannot("the idempotency key"))?;
        headers.insert("idempotency-key", key);
        if let Some(key) = self.key {
            let mut value =
                HeaderValue::from_str(&format!("Bearer {}", key.expose())).map_err(|_invalid| cannot("the key"))?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        Ok(request)
    }
}

/// What went wrong before the head of an answer was there.
fn before(error: &hyper::Error) -> Trouble {
    if error.is_parse() { Trouble::garbage("no HTTP") } else { Trouble::CutOff { when: BEFORE } }
}

/// What an answer means that is none.
async fn refusal(answer: Response<Incoming>, deadline: Deadline, now_ms: i64) -> Trouble {
    let status = answer.status();
    if status.is_redirection() {
        return Trouble::Elsewhere { status: status.as_u16() };
    }
    let after = retry_after(answer.headers(), now_ms);
    // Its words are a help, and not worth waiting for.
    let soon = Deadline { first: deadline.first.min(Instant::now() + AFTER_END), ..deadline };
    let body = soon.first(whole(answer.into_body()), "").await;
    let body = body.ok().and_then(Result::ok).unwrap_or_default();
    let json: Value = serde_json::from_slice(&body).unwrap_or_default();
    // `{"error":{…}}`; some have the fields of the error on top.
    let words = words_of(json.get("error").filter(|error| error.is_object()).unwrap_or(&json));
    match status.as_u16() {
        status @ (408 | 429 | 500 | 502 | 503 | 504 | 529) => Trouble::Busy { status, words, after },
        status => Trouble::Refused { status: Some(status), words },
    }
}

/// When the endpoint wants to be asked again: in so many seconds, or at a date, by its own clock where it says what
/// time that has.
fn retry_after(headers: &HeaderMap, now_ms: i64) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let then = httpdate::parse_http_date(text).ok()?;
    let theirs = headers.get(DATE).and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok());
    let ours = || UNIX_EPOCH + Duration::from_millis(u64::try_from(now_ms).unwrap_or(0));
    Some(then.duration_since(theirs.unwrap_or_else(ours)).unwrap_or_default())
}

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Stream,
    Whole,
}

/// By its type; where that is none, by its first character that is not blank.
fn form(headers: &HeaderMap, beginning: &[u8]) -> Result<Form, Trouble> {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match &*kind {
        "text/event-stream" => Ok(Form::Stream),
        "application/json" => Ok(Form::Whole),
        "" | "text/plain" | "application/octet-stream" => match beginning.trim_ascii_start().first() {
            Some(b'{') => Ok(Form::Whole),
            Some(b'd' | b':' | b'e') => Ok(Form::Stream),
            Some(_) | None => Err(Trouble::garbage("neither JSON nor a stream of it")),
        },
        "text/html" => Err(Trouble::garbage("a web page (HTML)")),
        _ => Err(Trouble::garbage("of another type than JSON or a stream of it")),
    }
}

/// Reads a good answer to its end, or to where enough of it is known.
async fn read(answer: Response<Incoming>, deadline: Deadline) -> Result<Said, Trouble> {
    if answer.status() == StatusCode::NO_CONTENT {
        return Err(Trouble::Empty { why: " (HTTP 204)" });
    }
    let (head, mut body) = answer.into_parts();
    let (mut said, mut sse, mut whole, mut taken) = (Said::default(), Sse::default(), Vec::new(), 0);
    let mut how = None;
    let mut ended_at = None;
    loop {
        let frame = match next_frame(&mut body, said.has_begun() || !whole.is_empty(), deadline, ended_at).await? {
            Some(frame) => frame,
            None => break,
        };
        let Some(bytes) = frame else { continue };
        taken += bytes.len();
        if taken > MOST_BYTES {
            return Err(Trouble::garbage(format!("longer than {} MiB", MOST_BYTES >> 20)));
        }
        if bytes.is_empty() {
            continue;
        }
        let form = match how {
            Some(form) => form,
            None => *how.insert(form(&head.headers, &bytes)?),
        };
        if form == Form::Whole {
            if whole.len() + bytes.len() > MOST_JSON {
                return Err(Trouble::garbage(format!("JSON longer than {} MiB", MOST_JSON >> 20)));
            }
            whole.extend_from_slice(&bytes);
            continue;
        }
        let events = sse.push(&bytes).map_err(|_endless| Trouble::garbage("a line without end"))?;
        for event in events {
            if said.event(&event)? == Next::Done {
                return Ok(said);
            }
        }
        if said.end.is_some() && ended_at.is_none() {
            ended_at = Some(Instant::now());
        }
    }
    match how {
        None => return Err(Trouble::Empty { why: "" }),
        Some(Form::Whole) => {
            said.json(&whole)?;
        }
        Some(Form::Stream) => {
            let done = match sse.end() {
                Some(last) => said.event(&last)? == Next::Done,
                None => false,
            };
            if said.end.is_none() && !done {
                return Err(cut_off(said.has_begun()));
            }
        }
    }
    Ok(said)
}

/// The next bytes; `Some(None)` for a frame without any, `None` at the end.
async fn next_frame(
    body: &mut Incoming,
    begun: bool,
    deadline: Deadline,
    ended_at: Option<Instant>,
) -> Result<Option<Option<Bytes>>, Trouble> {
    let by = match ended_at {
        Some(ended_at) => deadline.last.min(ended_at + AFTER_END),
        None if begun => deadline.last,
        None => deadline.first.min(deadline.last),
    };
    match timeout_at(by, body.frame()).await {
        Ok(Some(Ok(frame))) => Ok(Some(frame.into_data().ok())),
        Ok(None) => Ok(None),
        // What is complete is an answer, however the connection ends, and whether the count comes or not.
        Ok(Some(Err(_))) | Err(_) if ended_at.is_some() => Ok(None),
        Ok(Some(Err(_cause))) => Err(cut_off(begun)),
        Err(_elapsed) => {
            let what = if begun { ": it began and did not end" } else { ": the first word did not come" };
            Err(Trouble::Late { within: deadline.within, what })
        }
    }
}

fn cut_off(begun: bool) -> Trouble {
    Trouble::CutOff { when: if begun { "in the middle" } else { BEFORE } }
}

/// A short body.
async fn whole(mut body: Incoming) -> Result<Vec<u8>, hyper::Error> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        if bytes.len() + data.len() > MOST_JSON {
            break;
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_it_wants_to_be_asked_again() {
        // 2026-01-01 00:00:10 UTC.
        let now_ms = 1_767_225_610_000;
        let at = |date: &'static str, value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_static(value));
            if !date.is_empty() {
                headers.insert(DATE, HeaderValue::from_static(date));
            }
            retry_after(&headers, now_ms).map(|after| after.as_secs())
        };
        for (name, date, value, want) in [
            ("seconds", "", "7", Some(7)),
            ("blanks", "", " 7 ", Some(7)),
            ("a date", "", "Thu, 01 Jan 2026 00:00:15 GMT", Some(5)),
            ("a date by its own clock", "Thu, 01 Jan 2026 00:00:14 GMT", "Thu, 01 Jan 2026 00:00:15 GMT", Some(1)),
            ("a date that is over", "", "Thu, 01 Jan 2026 00:00:00 GMT", Some(0)),
            ("an old form", "", "Thursday, 01-Jan-26 00:00:15 GMT", Some(5)),
            ("much", "", "99999999999999999999", None),
            ("negative", "", "-1", None),
            ("words", "", "soon", None),
        ] {
            assert_eq!(at(date, value), want, "{name}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now_ms), None);
    }

    #[test]
    fn forms() {
        for (kind, beginning, want) in [
            ("text/event-stream; charset=utf-8", "", Some(Form::Stream)),
            ("application/json", "", Some(Form::Whole)),
            ("Application/JSON", "", Some(Form::Whole)),
            ("", " {", Some(Form::Whole)),
            ("text/plain", "data: {", Some(Form::Stream)),
            ("", "<html>", None),
            ("text/html", "data: {", None),
            ("image/png", "", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, kind.parse().unwrap());
            assert_eq!(form(&headers, beginning.as_bytes()).ok(), want, "{kind} {beginning}");
        }
    }
}
