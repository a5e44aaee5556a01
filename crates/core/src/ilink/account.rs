//! What does the runtime see of iLink? [`ILink`] logs in by a code that a phone scans, or goes on with a saved session.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use url::Url;
use wxbot_model::{Capabilities, Capability, ClientMsgId, Secret};

use super::client::{Client, Line};
use super::endpoint::Place;
use super::headers::Identity;
use super::login::{Entered, Login, Step, Typed};
use super::saved::{self, Binding, Memory};
use super::sender::ILinkSender;
use super::session::ILinkSession;
use crate::error::{EndReason, Error};
use crate::protocol::{LoginWatcher, Protocol, ReplyWindow, SavedSession, Session};
use crate::source::Source;
use crate::transport::{Transport, TransportError};

/// How one account speaks iLink.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Another service in the place of the real one, which is asked for everything; its hosts are its own affair.
    pub endpoint: Option<Url>,
    /// Where bytes are when the service gives no whole address; `None`: the real place, or below `endpoint`.
    pub cdn: Option<Url>,
    /// The version that is announced (`2.4.9`): an old one may make the phone ask for a newer one.
    pub version: String,
    /// Who we say we are, `wxbot/<version>`: products and comments as in a `User-Agent`, at most 256 bytes.
    pub agent: String,
    /// `SKRouteTag`, sent only when set.
    pub route_tag: Option<String>,
    /// How long the service is thought to hold a poll until it says so itself; 5–120 s.
    pub hold: Duration,
    /// How long a conversation may be written in, and how often, after somebody wrote there.
    pub window: ReplyWindow,
    /// Characters of one text.
    pub text_limit: usize,
    /// Send speech as speech: the service takes it, and phones show nothing of it since the middle of 2026.
    pub experimental_voice: bool,
}

/// What accounts of iLink can do: direct chats only, and nothing that has to do with an address book.
pub fn capabilities() -> Capabilities {
    [
        Capability::PrivateMessages,
        Capability::SendText,
        Capability::SendImage,
        Capability::SendVideo,
        Capability::SendFile,
        Capability::FetchMedia,
        Capability::Typing,
    ]
    .into_iter()
    .collect()
}

/// One account's way to iLink.
pub struct ILink {
    settings: Settings,
    transport: Arc<dyn Transport>,
    source: Source,
    known: Mutex<Known>,
    drawn: AtomicU64,
}

/// What the account was before: a login tells the service, which may then not want another.
#[derive(Debug, Default)]
struct Known {
    saved: Option<SavedSession>,
    /// The last login took the token from there, by the service's word. Whoever logs in yet again was refused with it: the
    /// service is not told of it another time, or there would be no way out.
    again: bool,
}

/// A session's own things, as they were saved.
struct Kept {
    binding: Binding,
    memory: Memory,
    cursor: String,
}

impl ILink {
    /// An account over this carrier.
    pub fn new(settings: Settings, transport: Arc<dyn Transport>, source: Source) -> Self {
        Self { settings, transport, source, known: Mutex::default(), drawn: AtomicU64::new(0) }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn line(&self) -> Result<Line, Error> {
        let Settings { endpoint, cdn, version, agent, route_tag, .. } = &self.settings;
        Ok(Line {
            transport: Arc::clone(&self.transport),
            source: self.source.clone(),
            place: Place::new(endpoint.as_ref(), cdn.as_ref()),
            identity: Identity::new(version, agent, route_tag.as_deref())?,
        })
    }

    fn kept(saved: &SavedSession, line: &Line) -> Result<Kept, Error> {
        let (binding, memory) = saved::read(saved, &line.place)?;
        Ok(Kept { binding, memory, cursor: saved::cursor(saved)? })
    }

    /// A session that the service is told of; it shows bots that do not say so as offline.
    async fn begin(&self, line: Line, kept: Kept) -> Result<Box<dyn Session>, Error> {
        let client = Client::new(line, kept.binding, kept.memory);
        match client.notify_start().await {
            Ok(()) => {}
            // Nobody is there at all.
            Err(error @ Error::Transport { source: TransportError::NotSent { .. }, .. }) => return Err(error),
            Err(error @ Error::BadSavedSession(_)) => return Err(error),
            // Whether the token is good is for the poll to say.
            Err(error) => tracing::debug!(%error, "The service did not take the notice that we listen."),
        }
        let sender = |client| ILinkSender::new(client, &self.settings);
        Ok(Box::new(ILinkSession::new(client, sender, kept.cursor, self.settings.hold)))
    }

    async fn log_in(&self, watcher: &dyn LoginWatcher) -> Result<Box<dyn Session>, Error> {
        let line = self.line()?;
        let saved = Some(self.known()).filter(|known| !known.again).and_then(|known| known.saved.clone());
        // What cannot be read, or is another service's, is not told of.
        let before = saved.and_then(|saved| Self::kept(&saved, &line).ok());
        let tokens: Vec<Secret<String>> = before.iter().map(|kept| kept.binding.token.clone()).collect();
        let mut login = Login::new(line.place.clone(), line.identity.clone(), tokens);
        let entered = loop {
            match login.next(self.source.now_ms(), line.number(), watcher.still_wanted()) {
                Step::Ask(request) => {
                    let answer = line.transport.send(*request).await;
                    login.answer(answer, self.source.now_ms());
                }
                Step::Tell(event) => watcher.tell(event),
                Step::Code(within) => login.typed(match tokio::time::timeout(within, watcher.code()).await {
                    Ok(Some(text)) => Typed::Text(text),
                    Ok(None) => Typed::Nobody,
                    Err(_elapsed) => Typed::TooLate,
                }),
                Step::Pause(pause) => tokio::time::sleep(pause).await,
                Step::Failed(error) => return Err(error),
                Step::Done(entered) => break *entered,
            }
        };
        let again = matches!(entered, Entered::Already);
        let kept = match (entered, before) {
            (Entered::Already, Some(kept)) => kept,
            (Entered::Already, None) => return Err(Error::LoginNotCompleted("nothing of this bot is saved here")),
            // The same bot with another token: what it knows is still true, but a new binding begins without a cursor.
            (Entered::Anew(binding), Some(kept)) if kept.binding.bot_id == binding.bot_id => {
                Kept { binding, cursor: String::new(), ..kept }
            }
            (Entered::Anew(binding), _) => Kept { binding, memory: Memory::default(), cursor: String::new() },
        };
        let session = self.begin(line, kept).await?;
        *self.known() = Known { saved: session.saved().ok(), again };
        Ok(session)
    }
}

impl Protocol for ILink {
    fn capabilities(&self) -> Capabilities {
        capabilities()
    }

    fn reply_window(&self) -> Option<ReplyWindow> {
        Some(self.settings.window)
    }

    fn resends_safely(&self) -> bool {
        true
    }

    fn text_limit(&self) -> Option<usize> {
        Some(self.settings.text_limit)
    }

    fn resume<'a>(&'a self, saved: &'a SavedSession) -> BoxFuture<'a, Result<Box<dyn Session>, Error>> {
        Box::pin(async move {
            let line = self.line()?;
            let kept = Self::kept(saved, &line)?;
            self.remember(saved);
            self.begin(line, kept).await
        })
    }

    /// There is no such thing: a token that is refused needs another scan. What is known of it is told to the service then.
    fn push_login<'a>(
        &'a self,
        saved: &'a SavedSession,
        _watcher: &'a dyn LoginWatcher,
    ) -> BoxFuture<'a, Result<Box<dyn Session>, Error>> {
        self.remember(saved);
        Box::pin(async { Err(Error::Ended(EndReason::TokenRefused)) })
    }

    fn remember(&self, saved: &SavedSession) {
        self.known().saved = Some(saved.clone());
    }

    fn login<'a>(&'a self, watcher: &'a dyn LoginWatcher) -> BoxFuture<'a, Result<Box<dyn Session>, Error>> {
        Box::pin(self.log_in(watcher))
    }

    /// Milliseconds, a count and chance: the service shows nothing of a message with an id that was used, ever. The count
    /// goes so far that both are eight hexadecimal digits on the wire.
    #[expect(clippy::expect_used, reason = "digits only, at most 20 + 4 + 8")]
    fn draw_client_msg_id(&self) -> ClientMsgId {
        let nth = self.drawn.fetch_add(1, Ordering::Relaxed) % 42;
        let chance = self.source.below(100_000_000);
        format!("{}{nth:04}{chance:08}", self.source.now_ms().unsigned_abs()).parse().expect("digits")
    }
}

impl fmt::Debug for ILink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ILink({:?})", self.settings)
    }
}

#[cfg(test)]
#[path = "account_tests.rs"]
mod tests;
