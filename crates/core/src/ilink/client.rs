//! Who performs the requests of one session? The client: the token, where it is valid, and one method for every bot call.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::{Notify, watch};
use url::Url;
use wxbot_model::{PeerId, Secret};

use super::endpoint::{self, Call, Place};
use super::headers::Identity;
use super::saved::{self, Binding, Memory, Said};
use super::wire::request::{Bare, GetUpdates};
use super::wire::{self, Nothing};
use crate::error::{EndReason, Error};
use crate::source::Source;
use crate::transport::{HttpRequest, Transport};

pub(super) use super::wire::answer::Updates;

/// What all requests of an account share, before and after a login.
#[derive(Clone)]
pub(super) struct Line {
    pub(super) transport: Arc<dyn Transport>,
    pub(super) source: Source,
    pub(super) place: Place,
    pub(super) identity: Identity,
}

impl Line {
    /// The number of `X-WECHAT-UIN`.
    pub(super) fn number(&self) -> u32 {
        u32::try_from(self.source.below(1 << 32)).unwrap_or_default()
    }
}

/// One session's way to the service.
pub(super) struct Client {
    pub(super) line: Line,
    pub(super) binding: Binding,
    memory: Mutex<Memory>,
    /// The poll is asked anew at once.
    doubted: Notify,
    /// The session is over.
    ended: watch::Sender<Option<EndReason>>,
}

impl Client {
    pub(super) fn new(line: Line, binding: Binding, memory: Memory) -> Self {
        let (memory, ended) = (Mutex::new(memory), watch::Sender::new(None));
        Self { line, binding, memory, doubted: Notify::new(), ended }
    }

    fn request(&self, url: Url, body: &impl Serialize, timeout: Duration) -> Result<HttpRequest, Error> {
        let unwritable = |e: serde_json::Error| Error::Settings(format!("a request cannot be written: {e}"));
        let mut body = serde_json::to_value(body).map_err(unwritable)?;
        if let Value::Object(fields) = &mut body {
            let info = serde_json::to_value(self.line.identity.base_info()).map_err(unwritable)?;
            fields.insert("base_info".to_owned(), info);
        }
        let headers = self.line.identity.bot(self.line.number(), &self.binding.token)?;
        let body = Bytes::from(serde_json::to_vec(&body).map_err(unwritable)?);
        Ok(HttpRequest { method: Method::POST, url, headers, body, timeout })
    }

    /// Makes a bot call: adds `base_info` to the body, and gives what it was answered.
    ///
    /// # Errors
    /// [`Error::Ended`] for −14, [`Error::Refused`] for any other code that is not 0; else what kept it from being answered.
    pub(super) async fn call<T: DeserializeOwned>(&self, call: &Call, body: &impl Serialize) -> Result<T, Error> {
        self.call_within(call, body, call.timeout).await
    }

    async fn call_within<T: DeserializeOwned>(
        &self,
        call: &Call,
        body: &impl Serialize,
        timeout: Duration,
    ) -> Result<T, Error> {
        let request = self.request(call.at(&self.binding.base), body, timeout)?;
        let answer = self.line.transport.send(request).await;
        let answer = answer.map_err(|source| Error::Transport { endpoint: call.name, source })?;
        wire::read(call, &answer)
    }

    /// Waits so long for what came in since `cursor`.
    pub(super) async fn updates(&self, cursor: &str, within: Duration) -> Result<Updates, Error> {
        self.call_within(&endpoint::GETUPDATES, &GetUpdates { get_updates_buf: cursor }, within).await
    }

    /// Tells the service that we listen; it shows bots that do not as offline.
    pub(super) async fn notify_start(&self) -> Result<(), Error> {
        self.call::<Nothing>(&endpoint::NOTIFYSTART, &Bare {}).await.map(drop)
    }

    /// Tells the service that we no longer listen.
    pub(super) async fn notify_stop(&self) -> Result<(), Error> {
        self.call::<Nothing>(&endpoint::NOTIFYSTOP, &Bare {}).await.map(drop)
    }

    /// The memory, for a moment.
    pub(super) fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest context token of a conversation; `None`: nobody wrote there, and nothing may be sent.
    pub(super) fn context_token(&self, chat: &PeerId) -> Option<Secret<String>> {
        self.memory().context_token(chat).cloned()
    }

    /// Remembers what we sent, so that a quote of it can be understood. It is kept on disk with the next batch.
    pub(super) fn note_sent(&self, id: &str, chat: &PeerId, kind: &str, text: &str) {
        let said = Said { id: id.to_owned(), chat: chat.clone(), kind: kind.to_owned(), text: text.to_owned() };
        self.memory().note_said(said);
    }

    /// The state to keep.
    pub(super) fn credentials(&self) -> Result<Secret<Vec<u8>>, Error> {
        saved::write(&self.binding, &self.memory())
    }

    /// A call was answered −14: the poll is asked anew at once, and it decides whether the session is over.
    pub(super) fn doubt(&self) {
        self.doubted.notify_one();
    }

    /// Waits for a [`doubt`](Self::doubt).
    pub(super) async fn doubted(&self) {
        self.doubted.notified().await;
    }

    /// The poll found the session to be over: nothing more is sent.
    pub(super) fn end(&self, reason: EndReason) {
        self.ended.send_replace(Some(reason));
    }

    /// Why the session is over, if it is.
    pub(super) fn ended(&self) -> Option<EndReason> {
        *self.ended.borrow()
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client({:?})", self.binding)
    }
}
