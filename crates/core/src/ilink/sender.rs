//! How does an action go out, and what does its answer mean for doing it again?

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use wxbot_model::{Action, ClientMsgId, PeerId, Secret};

use super::account::Settings;
use super::client::Client;
use super::convert;
use super::endpoint;
use super::ret;
use super::silk;
use super::typing::Tickets;
use super::upload::Kind;
use super::wire::send::{Item, Put, SendMessage, Sent};
use crate::error::{Error, FetchError, SendError};
use crate::protocol::{ActionSender, Fetch, Fetched, MediaFile, Outgoing, Receipt};

/// How long a conversation, or the whole bot, is left alone that refused a message.
const REFUSED: Duration = Duration::from_secs(90);
/// How long a send waits that was answered −14, while the poll finds out.
const DOUBTED: Duration = Duration::from_secs(10);
/// Digits of a [`ClientMsgId`] behind its milliseconds.
const DRAWN: usize = 12;

/// The sending half of a session.
pub(super) struct ILinkSender {
    client: Arc<Client>,
    experimental_voice: bool,
    tickets: Tickets,
}

impl ILinkSender {
    /// Of this session.
    pub(super) fn new(client: Arc<Client>, settings: &Settings) -> Self {
        let (experimental_voice, tickets) = (settings.experimental_voice, Tickets::default());
        Self { client, experimental_voice, tickets }
    }

    async fn act(&self, outgoing: &Outgoing) -> Result<Receipt, SendError> {
        match &outgoing.action {
            Action::SendText { text, mention, .. } => {
                if !mention.is_empty() {
                    return Err(self.cannot("mention somebody"));
                }
                self.send(outgoing, &Item::text(text), "text", text).await
            }
            Action::SendMedia { shape, .. } => match convert::upload_kind(*shape) {
                Some(kind) => self.send_media(outgoing, kind).await,
                None => Err(self.cannot("send a sticker")),
            },
            other @ (Action::SendSticker { .. }
            | Action::SendLink { .. }
            | Action::SendApp { .. }
            | Action::Recall { .. }
            | Action::MarkRead { .. }
            | Action::AddFriend { .. }
            | Action::AcceptFriend { .. }
            | Action::SetRemark { .. }
            | Action::Pin { .. }
            | Action::CreateRoom { .. }
            | Action::AddMembers { .. }
            | Action::RemoveMembers { .. }
            | Action::SetTopic { .. }
            | Action::LeaveRoom { .. }
            | _) => Err(self.cannot(other.word())),
        }
    }

    fn cannot(&self, what: &str) -> SendError {
        let me = &self.client.binding.bot_id;
        let why = format!(
            "{me} cannot do this: {what}. Over iLink a bot answers people with texts, pictures, films and files, and \
             nothing else"
        );
        SendError::Failed { why }
    }

    async fn send_media(&self, outgoing: &Outgoing, kind: Kind) -> Result<Receipt, SendError> {
        let failed = |why: &str| SendError::Failed { why: why.to_owned() };
        let to = outgoing.to.as_ref().ok_or_else(|| failed("it goes to nobody"))?;
        let file = outgoing.media.as_ref().ok_or_else(|| failed("there are no bytes to send"))?;
        // Before bytes are moved for nothing.
        self.token(to)?;
        let speech = if kind == Kind::File { self.speech(file).await } else { None };
        let kind = if speech.is_some() { Kind::Voice } else { kind };
        let uploaded = self.client.upload(to, file, kind).await?;
        let put = Put::new(uploaded.param.expose(), uploaded.key.expose());
        let (item, word, name) = match kind {
            Kind::Image => (Item::image(put, uploaded.sealed), "image", ""),
            Kind::Video => (Item::video(put, uploaded.sealed), "video", ""),
            Kind::File => (Item::file(put, &file.name, file.len), "file", file.name.as_str()),
            Kind::Voice => (Item::voice(put, speech.unwrap_or_default()), "voice", ""),
        };
        self.send(outgoing, &item, word, name).await
    }

    /// How long speech lasts that is to be sent as such; `None` for what goes as a file, as all of it does but on demand:
    /// the service takes speech, and phones show nothing of it.
    async fn speech(&self, file: &MediaFile) -> Option<u64> {
        if !self.experimental_voice {
            return None;
        }
        let path = file.path.clone();
        tokio::task::spawn_blocking(move || silk::length_ms(&path)).await.ok()?.ok()?
    }

    fn token(&self, to: &PeerId) -> Result<Secret<String>, SendError> {
        self.client.context_token(to).ok_or_else(|| {
            let why = "nobody has written in it since this bot was bound, and over iLink a bot may only answer: the \
                       person has to write first";
            SendError::Closed { why: why.to_owned(), after: Duration::ZERO }
        })
    }

    /// One item, and what is remembered of it for quotes.
    async fn send(&self, outgoing: &Outgoing, item: &Item<'_>, word: &str, text: &str) -> Result<Receipt, SendError> {
        let to = outgoing.to.as_ref().ok_or_else(|| SendError::Failed { why: "it goes to nobody".into() })?;
        let (token, client_id) = (self.token(to)?, on_wire(&outgoing.client_id));
        let body = SendMessage::new(to.as_str(), &client_id, token.expose(), item);
        let sent: Sent = self.client.call(&endpoint::SENDMESSAGE, &body).await.map_err(of_act)?;
        let server_id = Some(sent.message_id).filter(|id| !id.is_empty() && id != "0");
        match &server_id {
            Some(id) => self.client.note_sent(id, to, word, text),
            None => tracing::warn!(%to, "A message was taken without an id: the service probably shows nothing of it."),
        }
        Ok(Receipt { server_id })
    }

    /// A −14 is for the poll to believe, which is asked at once: [`SendError::Ended`] would end the session before the poll,
    /// and the greeting that it tries, had a say. Such tries are counted, so that none goes on for ever.
    fn judged(&self, done: Result<Receipt, SendError>) -> Result<Receipt, SendError> {
        match done {
            Err(SendError::Ended(reason)) if self.client.ended().is_none() => {
                self.client.doubt();
                Err(SendError::NotTaken { why: reason.to_string(), after: DOUBTED })
            }
            other => other,
        }
    }
}

impl ActionSender for ILinkSender {
    fn perform(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<Receipt, SendError>> {
        Box::pin(async move {
            if let Some(reason) = self.client.ended() {
                return Err(SendError::Ended(reason));
            }
            self.judged(self.act(&outgoing).await)
        })
    }

    fn typing<'a>(&'a self, to: &'a PeerId, on: bool) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(async move {
            if let Some(reason) = self.client.ended() {
                return Err(SendError::Ended(reason));
            }
            let done = self.client.show_typing(&self.tickets, to, on).await;
            if let Err(Error::Ended(_)) = &done {
                self.client.doubt();
            }
            done.map_err(before_act)
        })
    }

    fn fetch(&self, what: Fetch) -> BoxFuture<'_, Result<Fetched, FetchError>> {
        Box::pin(self.client.fetch(what))
    }
}

/// The id as the service is told it: `wxbot:<milliseconds>-<8 hexadecimal digits>`. Other ids have other words.
fn on_wire(id: &ClientMsgId) -> String {
    let (at, drawn) = id.as_str().split_at_checked(id.as_str().len().saturating_sub(DRAWN)).unwrap_or_default();
    let drawn: u64 = drawn.parse().unwrap_or_default();
    format!("wxbot:{at}-{drawn:08x}")
}

/// What a request that does the thing came to.
pub(super) fn of_act(error: Error) -> SendError {
    let why = why(&error);
    match error {
        Error::Ended(reason) => SendError::Ended(reason),
        Error::Stopped { risk, .. } => SendError::Stopped { why, risk },
        Error::Refused { refusal, .. } if [ret::REFUSED, ret::RATE].contains(&refusal.ret) => {
            SendError::Closed { why, after: REFUSED }
        }
        Error::Transport { source, .. } if source.surely_not_sent() => {
            SendError::NotTaken { why, after: Duration::from_secs(1) }
        }
        Error::Status { status: 400..=499, .. } => SendError::NotTaken { why, after: Duration::from_secs(5) },
        // Nothing was asked.
        Error::Refused { .. } | Error::Settings(_) | Error::BadSavedSession(_) => SendError::Failed { why },
        // A gateway's 5xx, a cut or foreign answer, a lost connection: the message may have gone out.
        Error::Transport { .. }
        | Error::Status { .. }
        | Error::Decode { .. }
        | Error::Silent { .. }
        | Error::LoginNotCompleted(_) => SendError::Uncertain { why },
    }
}

/// Of a request that only prepares it: whatever became of that, nobody has seen anything.
pub(super) fn before_act(error: Error) -> SendError {
    match of_act(error) {
        SendError::Uncertain { why } => SendError::NotTaken { why, after: Duration::from_secs(5) },
        known @ (SendError::NotTaken { .. }
        | SendError::Failed { .. }
        | SendError::Closed { .. }
        | SendError::Ended(_)
        | SendError::Stopped { .. }) => known,
    }
}

/// What happened and its cause.
fn why(error: &Error) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

impl fmt::Debug for ILinkSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ILinkSender({})", self.client.binding.bot_id)
    }
}

#[cfg(test)]
#[path = "sender_tests.rs"]
mod tests;
