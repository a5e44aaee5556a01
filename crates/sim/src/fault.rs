//! What goes wrong on purpose, where, and how often?

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::request::{Answer, Delivery, Outcome};

/// Something that shall go wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Whose requests; absent: everyone's, also those before login that belong to nobody yet.
    #[serde(default)]
    pub account: Option<String>,
    /// Last path segment of the endpoint (`webwxsync`), or `*`.
    pub endpoint: String,
    /// What happens.
    pub kind: FaultKind,
    /// How often it happens; 0: until cleared.
    #[serde(default = "once")]
    pub times: u32,
    /// How many matching requests pass before.
    #[serde(default)]
    pub skip: u32,
    /// Of those that match, only each so-many-th; 0 and 1: each.
    #[serde(default)]
    pub every: u32,
    /// Only requests to hosts whose name begins so: `file.` leaves `file2.` alone.
    #[serde(default)]
    pub host: Option<String>,
}

fn once() -> u32 {
    1
}

impl Fault {
    /// Happens to the next request at `endpoint`, whoever sends it.
    pub fn once(endpoint: impl Into<String>, kind: FaultKind) -> Self {
        Self { account: None, endpoint: endpoint.into(), kind, times: 1, skip: 0, every: 0, host: None }
    }
}

/// Ways to go wrong. In JSON: `{"delay": {"ms": 500}}`, `"drop"`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FaultKind {
    /// The request is looked at only after this time.
    Delay {
        /// Milliseconds.
        ms: u64,
    },
    /// Nothing comes, and the connection stays open.
    Hang,
    /// The connection is closed and the request not processed; the client cannot know that.
    Drop,
    /// The request is processed, then the connection is closed without an answer.
    DropAfter,
    /// As if nobody listened. In memory the client knows that nothing was sent; over HTTP this is a [`Drop`](Self::Drop).
    Refuse,
    /// Processed, but the answer's body ends after so many bytes (its Content-Length says so too).
    Truncate {
        /// Bytes that are left.
        bytes: usize,
    },
    /// Not processed; an empty answer with this HTTP status.
    Status {
        /// 100–599.
        code: u16,
    },
    /// Not processed; a page for people.
    Html,
    /// Not processed; refused with this `Ret` in the shape of the endpoint.
    Ret {
        /// `BaseResponse.Ret`, or retcode, window.code, ret.
        ret: i64,
        /// `ErrMsg`.
        #[serde(default)]
        msg: String,
    },
    /// Not processed; bytes that are no text.
    Garbage,
    /// Not processed; a body of blanks of this length.
    BigBody {
        /// Length in bytes.
        bytes: usize,
    },
    /// webwxsync hands out its batch without advancing the key, so that the next one hands it out again.
    Duplicate,
    /// Processed, but the answer's markup lacks its end.
    MalformedXml,
    /// webwxsync carries a new SKey.
    SkeyRefresh,
    /// webwxuploadmedia takes the last chunk and gives no MediaId for it.
    NoMediaId,
    /// webwxuploadmedia says that it received a byte less than it did.
    WrongStartPos,
    /// Processed; after so many bytes of the answer nothing comes for this time, and then the rest.
    Stall {
        /// Bytes that come at once.
        bytes: usize,
        /// Milliseconds of silence.
        ms: u64,
    },
    /// Processed, but Content-Length is wrong by so much. Too long: the connection closes before the promised end. Too
    /// short: the rest of the body never comes.
    ContentLength {
        /// What is added to the length.
        by: i64,
    },
    /// Not processed; 200 with nothing in it.
    Empty,
    /// Not processed; a 302 to this address.
    Redirect {
        /// `Location`.
        to: String,
    },
    /// Processed as far as it goes, but the answer (of webwxcreatechatroom or webwxbatchgetcontact) names nothing.
    EmptyNames,
}

/// Faults that are still to happen.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    armed: Mutex<Vec<Fault>>,
    count: AtomicUsize,
}

impl Faults {
    pub(crate) fn inject(&self, fault: Fault) {
        let mut armed = self.armed.lock().unwrap_or_else(PoisonError::into_inner);
        armed.push(fault);
        self.count.store(armed.len(), Ordering::Release);
    }

    pub(crate) fn clear(&self) {
        self.armed.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.count.store(0, Ordering::Release);
    }

    /// The first fault that concerns this request; it counts as having happened.
    pub(crate) fn take(
        &self,
        endpoint: &str,
        host: &str,
        account: impl FnOnce() -> Option<String>,
    ) -> Option<FaultKind> {
        if self.count.load(Ordering::Acquire) == 0 {
            return None;
        }
        let account = account();
        let mut armed = self.armed.lock().unwrap_or_else(PoisonError::into_inner);
        let mut hit = None;
        for (at, fault) in armed.iter_mut().enumerate() {
            let here = fault.endpoint == "*" || fault.endpoint == endpoint;
            let there = fault.host.as_ref().is_none_or(|begin| host.starts_with(begin.as_str()));
            if !here || !there || (fault.account.is_some() && fault.account != account) {
                continue;
            }
            if fault.skip > 0 {
                fault.skip -= 1;
                continue;
            }
            // The next one is so many requests away.
            fault.skip = fault.every.saturating_sub(1);
            let spent = fault.times == 1;
            fault.times = fault.times.saturating_sub(1);
            hit = Some((at, spent, fault.kind.clone()));
            break;
        }
        let (at, spent, kind) = hit?;
        if spent {
            armed.remove(at);
            self.count.store(armed.len(), Ordering::Release);
        }
        Some(kind)
    }
}

impl FaultKind {
    /// What happens instead of processing the request.
    ///
    /// `refusal` gives a refusal the shape of the endpoint.
    pub(crate) async fn before(&self, refusal: impl FnOnce(i64, &str) -> Answer) -> Option<Outcome> {
        let answer = match self {
            Self::Delay { ms } => {
                tokio::time::sleep(Duration::from_millis(*ms)).await;
                return None;
            }
            Self::Hang => std::future::pending().await,
            Self::Drop => return Some(Outcome::Broken),
            Self::Refuse => return Some(Outcome::Refused),
            Self::Status { code } => Answer::new(*code, "text/plain", ""),
            Self::Html => Answer::new(200, "text/html", "<!DOCTYPE html><html><body>系统繁忙</body></html>"),
            Self::Ret { ret, msg } => refusal(*ret, msg),
            Self::Garbage => Answer::new(200, "text/plain", Bytes::from_static(b"\x00\xff\xfe{]\x1f\x8b\x80garbage")),
            Self::BigBody { bytes } => Answer::new(200, "text/plain", vec![b' '; *bytes]),
            Self::Empty => Answer::new(200, "text/plain", ""),
            Self::Redirect { to } => {
                let mut answer = Answer::new(302, "text/html", "");
                answer.header(http::header::LOCATION, to);
                answer
            }
            Self::DropAfter
            | Self::Truncate { .. }
            | Self::Duplicate
            | Self::MalformedXml
            | Self::SkeyRefresh
            | Self::NoMediaId
            | Self::WrongStartPos
            | Self::Stall { .. }
            | Self::ContentLength { .. }
            | Self::EmptyNames => return None,
        };
        Some(Outcome::Answer(answer))
    }

    /// What becomes of the answer of a processed request.
    pub(crate) fn after(&self, mut answer: Answer) -> Outcome {
        match self {
            Self::DropAfter => return Outcome::Broken,
            Self::Truncate { bytes } => answer.body.truncate(*bytes),
            Self::MalformedXml => answer.body.truncate(answer.body.len() * 2 / 3),
            Self::Stall { bytes, ms } => {
                answer.delivery = Delivery::Stalls { after: *bytes, pause: Duration::from_millis(*ms) };
            }
            Self::ContentLength { by } => {
                let told = u64::try_from(answer.body.len()).unwrap_or(u64::MAX).saturating_add_signed(*by);
                answer.delivery = Delivery::Claims(told);
            }
            Self::Delay { .. }
            | Self::Hang
            | Self::Drop
            | Self::Refuse
            | Self::Status { .. }
            | Self::Html
            | Self::Ret { .. }
            | Self::Garbage
            | Self::BigBody { .. }
            | Self::Duplicate
            | Self::SkeyRefresh
            | Self::NoMediaId
            | Self::WrongStartPos
            | Self::Empty
            | Self::Redirect { .. }
            | Self::EmptyNames => {}
        }
        Outcome::Answer(answer)
    }
}
