//! How does a running session go on? It polls from its cursor, and hands out what came with all that must be kept for it.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::time::Instant;
use wxbot_model::{Contact, ContactKind, PeerId};

use super::client::{Client, Updates};
use super::convert::{self, Scene};
use super::endpoint;
use super::poll::Pace;
use super::sender::ILinkSender;
use crate::error::{EndReason, Error};
use crate::protocol::{ActionSender, Batch, ContactChange, SavedSession, Session};
use crate::transport::TransportError;

/// Longer than any batch takes: three polls that fail late, a greeting behind them, and the pauses between.
const HEARD_WITHIN: Duration = Duration::from_secs(480);

/// One running session.
pub(super) struct ILinkSession {
    client: Arc<Client>,
    sender: Arc<ILinkSender>,
    /// The service's own text; empty before the first answer.
    cursor: String,
    pace: Pace,
    /// [`Memory::changes`](super::saved::Memory::changes) of what was handed out to be kept.
    kept: u64,
    /// Whom the runtime was told of.
    met: HashSet<PeerId>,
}

impl ILinkSession {
    /// A session from here on. What its memory holds is known to be kept.
    pub(super) fn new(
        client: Client,
        sender: impl FnOnce(Arc<Client>) -> ILinkSender,
        cursor: String,
        hold: Duration,
    ) -> Self {
        let client = Arc::new(client);
        let sender = Arc::new(sender(Arc::clone(&client)));
        let kept = client.memory().changes();
        let mut session = Self { client, sender, cursor, pace: Pace::new(hold), kept, met: HashSet::new() };
        session.met = session.contacts().iter().map(|contact| contact.peer.clone()).collect();
        session
    }

    /// One poll. Asked with a token that is refused, the service may take it back when it is greeted; that is tried once.
    async fn poll(&self) -> Result<Updates, Error> {
        let within = self.pace.limit();
        match self.client.updates(&self.cursor, within).await {
            Err(Error::Ended(_)) => {
                tracing::info!("The service refuses the token; greeting it once before that is believed.");
                if let Err(error) = self.client.notify_start().await {
                    tracing::debug!(%error, "The greeting was not taken.");
                }
                self.client.updates(&self.cursor, within).await
            }
            answer => answer,
        }
    }

    async fn batch(&mut self) -> Result<Batch, Error> {
        loop {
            tokio::time::sleep(self.pace.pause()).await;
            let asked = Instant::now();
            let polled = tokio::select! {
                biased;
                polled = self.poll() => polled,
                // Somebody was told that the token is refused: a poll that is held must not hide it.
                () = self.client.doubted() => continue,
            };
            let error = match polled {
                Ok(updates) => {
                    let moved = !updates.msgs.is_empty() && self.moves(&updates);
                    self.pace.answered(asked.elapsed(), moved, updates.longpolling_timeout_ms);
                    return self.read(&updates);
                }
                Err(Error::Transport { source: TransportError::Timeout { .. }, .. }) => {
                    if self.pace.unanswered(asked.elapsed()) {
                        self.is_it_there().await?;
                    }
                    return self.handed(Batch::default(), None);
                }
                Err(Error::Ended(reason)) => {
                    self.client.end(reason);
                    return Err(Error::Ended(reason));
                }
                Err(error) => error,
            };
            let status = if let Error::Status { status, .. } = &error { Some(*status) } else { None };
            if self.pace.failed(status) {
                return Err(error);
            }
            tracing::debug!(%error, "A poll failed; it is asked again.");
        }
    }

    /// Nothing was answered for long: the service may hold longer than we wait, or nobody may be there. A call that is not
    /// held tells.
    async fn is_it_there(&mut self) -> Result<(), Error> {
        match self.client.notify_start().await {
            Err(Error::Transport { source: TransportError::Timeout { after, .. }, .. }) => {
                Err(Error::Silent { endpoint: endpoint::GETUPDATES.name, after: after + self.pace.limit() })
            }
            Err(error @ Error::Transport { .. }) => Err(error),
            _ => {
                self.pace.is_there();
                Ok(())
            }
        }
    }

    fn moves(&self, updates: &Updates) -> bool {
        !updates.get_updates_buf.is_empty() && updates.get_updates_buf != self.cursor
    }

    /// The batch of an answer. Nothing is awaited here.
    fn read(&mut self, updates: &Updates) -> Result<Batch, Error> {
        let (me, now_ms) = (&self.client.binding.bot_id, self.client.line.source.now_ms());
        let mut memory = self.client.memory();
        let read = updates.msgs.iter().enumerate();
        let events: Vec<_> = read
            .flat_map(|(position, raw)| convert::message(raw, Scene { me, now_ms, position }, &mut memory))
            .collect();
        drop(memory);
        let mut contacts = Vec::new();
        for incoming in &events {
            let people = [Some(&incoming.chat), incoming.sender.as_ref()].into_iter().flatten();
            for peer in people {
                if self.met.insert(peer.clone()) {
                    let kind =
                        if Some(peer) == incoming.sender.as_ref() { ContactKind::Person } else { ContactKind::Room };
                    contacts.push(ContactChange::Met(Arc::new(convert::contact(peer.clone(), kind))));
                }
            }
        }
        let cursor = self.moves(updates).then(|| updates.get_updates_buf.clone());
        self.handed(Batch { events, contacts, ..Batch::default() }, cursor)
    }

    /// The batch with what has to be kept with it, which counts as kept from now on.
    fn handed(&mut self, mut batch: Batch, moved: Option<String>) -> Result<Batch, Error> {
        let changes = self.client.memory().changes();
        if changes != self.kept {
            batch.credentials = Some(self.client.credentials()?);
            self.kept = changes;
        }
        if let Some(cursor) = moved {
            batch.cursor = Some(Bytes::from(cursor.clone()));
            self.cursor = cursor;
        }
        Ok(batch)
    }
}

impl Session for ILinkSession {
    fn next_batch(&mut self) -> BoxFuture<'_, Result<Batch, Error>> {
        Box::pin(self.batch())
    }

    fn heard_within(&self) -> Option<Duration> {
        Some(HEARD_WITHIN)
    }

    fn sender(&self) -> Arc<dyn ActionSender> {
        Arc::clone(&self.sender) as _
    }

    fn myself(&self) -> Contact {
        convert::contact(self.client.binding.bot_id.clone(), ContactKind::Myself)
    }

    /// Nobody lists anybody: those are known that wrote, and who scanned.
    fn contacts(&self) -> Vec<Arc<Contact>> {
        let me = &self.client.binding.bot_id;
        let memory = self.client.memory();
        let mut people: Vec<&PeerId> = self.client.binding.user_id.iter().chain(memory.chats()).collect();
        people.sort_unstable();
        people.dedup();
        let people = people.into_iter().filter(|peer| *peer != me);
        let people = people.map(|peer| convert::contact(peer.clone(), kind_of(peer)));
        std::iter::once(self.myself()).chain(people).map(Arc::new).collect()
    }

    fn has_address_book(&self) -> bool {
        false
    }

    fn saved(&self) -> Result<SavedSession, Error> {
        let credentials = self.client.credentials()?;
        Ok(SavedSession { credentials, cursor: Bytes::from(self.cursor.clone()) })
    }

    fn log_out(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.leave().await;
            self.client.end(EndReason::LoggedOut);
        })
    }

    fn leave(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            if let Err(error) = self.client.notify_stop().await {
                tracing::debug!(%error, "The service did not take the notice that we stop.");
            }
        })
    }
}

/// By its id alone: of those that wrote before nothing else is kept.
fn kind_of(peer: &PeerId) -> ContactKind {
    if peer.as_str().ends_with("@im.chatroom") { ContactKind::Room } else { ContactKind::Person }
}

impl fmt::Debug for ILinkSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ILinkSession({})", self.client.binding.bot_id)
    }
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
