//! How does a phone show that an answer is being written? By a ticket for the conversation, which is good for a while.
//!
//! Nothing depends on it: where the service gives no ticket, nothing is shown, and nobody is bothered.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use wxbot_model::{PeerId, Secret};

use super::client::Client;
use super::endpoint;
use super::ret;
use super::wire::Nothing;
use super::wire::send::{Config, GetConfig, SendTyping};
use crate::error::Error;

/// How long a ticket is used. Clients assume between one minute and a day.
const TICKET: Duration = Duration::from_secs(600);
/// How long no other is asked for where there was none: typing is repeated every few seconds.
const NONE: Duration = Duration::from_secs(60);
/// Conversations whose tickets are kept.
const TICKETS: usize = 1_000;
/// `status`: typing, and no longer.
const ON: u8 = 1;
const OFF: u8 = 2;

/// Tickets of one session.
#[derive(Default)]
pub(super) struct Tickets(Mutex<HashMap<PeerId, Ticket>>);

struct Ticket {
    /// `None`: the service gave none.
    text: Option<Secret<String>>,
    since: Instant,
}

impl Ticket {
    fn is_fresh(&self) -> bool {
        self.since.elapsed() < if self.text.is_some() { TICKET } else { NONE }
    }
}

impl Tickets {
    fn all(&self) -> MutexGuard<'_, HashMap<PeerId, Ticket>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known: a ticket, that there is none, or nothing. To end what was shown an old one may do.
    fn known(&self, to: &PeerId, on: bool) -> Option<Option<Secret<String>>> {
        let all = self.all();
        let ticket = all.get(to).filter(|ticket| !on || ticket.is_fresh())?;
        Some(ticket.text.clone())
    }

    fn keep(&self, to: &PeerId, text: Option<Secret<String>>) {
        let mut all = self.all();
        if all.len() >= TICKETS && !all.contains_key(to) {
            all.retain(|_, ticket| ticket.is_fresh());
            let oldest = all.iter().min_by_key(|(_, ticket)| ticket.since).map(|(peer, _)| peer.clone());
            if let Some(oldest) = oldest.filter(|_| all.len() >= TICKETS) {
                all.remove(&oldest);
            }
        }
        all.insert(to.clone(), Ticket { text, since: Instant::now() });
    }
}

impl Client {
    /// Shows somebody that an answer is being written, or no longer. Cancel safe.
    ///
    /// # Errors
    /// When the service did not take it; not when it has no ticket for this conversation.
    pub(super) async fn show_typing(&self, tickets: &Tickets, to: &PeerId, on: bool) -> Result<(), Error> {
        let ticket = match tickets.known(to, on) {
            Some(ticket) => ticket,
            // Nothing was shown.
            None if !on => return Ok(()),
            None => self.ticket(tickets, to).await?,
        };
        let Some(ticket) = ticket else { return Ok(()) };
        let status = if on { ON } else { OFF };
        let refused = match self.tell_typing(to, &ticket, status).await {
            Err(error @ Error::Refused { .. }) => error,
            done => return done,
        };
        // It may have been too old; another one is asked for once.
        tracing::debug!(error = %refused, "A ticket for typing was refused; asking for another.");
        let Some(ticket) = self.ticket(tickets, to).await? else { return Ok(()) };
        let done = self.tell_typing(to, &ticket, status).await;
        if let Err(Error::Refused { refusal, .. }) = &done {
            tickets.keep(to, None);
            if refusal.ret == ret::NO_TICKET {
                return Ok(());
            }
        }
        done
    }

    async fn tell_typing(&self, to: &PeerId, ticket: &Secret<String>, status: u8) -> Result<(), Error> {
        let body = SendTyping { ilink_user_id: to.as_str(), typing_ticket: ticket.expose(), status };
        self.call::<Nothing>(&endpoint::SENDTYPING, &body).await.map(drop)
    }

    /// A new ticket, if the service gives one.
    async fn ticket(&self, tickets: &Tickets, to: &PeerId) -> Result<Option<Secret<String>>, Error> {
        // Nobody has written there: the service would give none.
        let Some(token) = self.context_token(to) else { return Ok(None) };
        let body = GetConfig { ilink_user_id: to.as_str(), context_token: token.expose() };
        let ticket = match self.call::<Config>(&endpoint::GETCONFIG, &body).await {
            Ok(config) => Some(config.typing_ticket).filter(|ticket| !ticket.is_empty()).map(Secret::new),
            Err(Error::Refused { refusal, .. }) if refusal.ret == ret::NO_TICKET => None,
            Err(error) => {
                tickets.keep(to, None);
                return Err(error);
            }
        };
        tickets.keep(to, ticket.clone());
        Ok(ticket)
    }
}

#[cfg(test)]
#[path = "typing_tests.rs"]
mod tests;
