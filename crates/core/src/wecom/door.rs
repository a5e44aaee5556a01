//! Who may push to a WeCom account? Whoever knows its address and names no other account's login; or whoever signs.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use wxbot_model::Secret;

use super::callback::{Audience, Callback};
use super::crypt::{CallbackError, Query};
use super::reader;
use super::replay::Replays;
use crate::push::{Door, Knock, Knocked, Mailbox, Refused, Reply};

/// Logins that one account is remembered by: what an old one still pushes is late, not foreign.
const LOGINS: usize = 9;

/// Which login belongs to which account of this process. A gateway's `token` names a login, and changes with each, so the
/// path is what proves the account; but one account's login on another's path is a mistake or a forgery (security R03).
#[derive(Default)]
pub struct Tokens {
    of: Mutex<BTreeMap<String, VecDeque<Secret<String>>>>,
}

impl Tokens {
    /// A book that nobody stands in.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// True when this login is another account's.
    pub fn is_of_another(&self, account: &str, token: &str) -> bool {
        let book = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        !token.is_empty()
            && book.iter().any(|(other, logins)| other != account && logins.iter().any(|login| login.expose() == token))
    }

    /// Writes a login down as this account's; false, and nothing is changed, when it is another's.
    pub fn adopt(&self, account: &str, token: &str) -> bool {
        if token.is_empty() {
            return true;
        }
        if self.is_of_another(account, token) {
            return false;
        }
        let mut book = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        let logins = book.entry(account.to_owned()).or_default();
        if logins.iter().any(|login| login.expose() == token) {
            return true;
        }
        if !logins.is_empty() {
            tracing::info!(account, "A WeCom gateway pushes under a new token; it came on the account's own path.");
        }
        logins.push_back(Secret::new(token.to_owned()));
        if logins.len() > LOGINS {
            logins.pop_front();
        }
        true
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let book = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        f.debug_tuple("Tokens").field(&book.keys().collect::<Vec<_>>()).finish()
    }
}

/// How a gateway's plain JSON comes in.
pub struct GatewayDoor {
    account: String,
    tokens: Arc<Tokens>,
    mailbox: Mailbox,
    secrets: Vec<Secret<String>>,
}

impl GatewayDoor {
    /// The door of this account; `secrets` stand in its address.
    pub fn new(account: String, tokens: Arc<Tokens>, secrets: Vec<Secret<String>>) -> Self {
        Self { account, tokens, mailbox: Mailbox::new(), secrets }
    }
}

impl Door for GatewayDoor {
    fn knock(&self, knock: &Knock<'_>) -> Knocked {
        if knock.unproved {
            return Knocked::NotOurs;
        }
        if knock.method != "POST" {
            return Knocked::Refuse(Refused::Method);
        }
        // What cannot be read is kept: the reader makes an event of it that holds it.
        match reader::token(knock.body) {
            Some(token) if self.tokens.is_of_another(&self.account, &token) => Knocked::Refuse(Refused::WrongAccount),
            Some(_) | None => {
                Knocked::Keep { body: knock.body.clone(), answer: Reply::json("{}"), mark: String::new() }
            }
        }
    }

    fn mailbox(&self) -> &Mailbox {
        &self.mailbox
    }

    fn secrets(&self) -> &[Secret<String>] {
        &self.secrets
    }
}

impl fmt::Debug for GatewayDoor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GatewayDoor({})", self.account)
    }
}

/// How the service's own sealed bodies come in. They wait opened: what is kept needs no key again.
pub struct SealedDoor {
    callback: Arc<Callback>,
    replays: Mutex<Replays>,
    mailbox: Mailbox,
    secrets: Vec<Secret<String>>,
}

impl SealedDoor {
    /// The door of an account; `secrets` stand in its address.
    pub fn new(callback: Arc<Callback>, secrets: Vec<Secret<String>>) -> Self {
        Self { callback, replays: Mutex::default(), mailbox: Mailbox::new(), secrets }
    }

    /// What the service takes for a yes. A robot that is answered nothing says nothing.
    fn yes(&self) -> Reply {
        match self.callback.audience() {
            Audience::Application => Reply::text("success"),
            Audience::Robot => Reply::text(""),
        }
    }
}

impl Door for SealedDoor {
    fn knock(&self, knock: &Knock<'_>) -> Knocked {
        if knock.unproved {
            return Knocked::NotOurs;
        }
        let query = Query::parse(knock.query);
        let now_s = knock.now_ms.div_euclid(1000);
        match knock.method {
            // The address is set up: the service wants to see that we have the key.
            "GET" => match self.callback.keys().echo(&query, now_s) {
                Ok(echo) => Knocked::Answer(Reply::text(echo)),
                Err(error) => Knocked::Refuse(refusal(error)),
            },
            "POST" => match self.callback.unsealed(&query, knock.body, now_s) {
                Ok(inner) => {
                    let mark = query.mark();
                    let mut replays = self.replays.lock().unwrap_or_else(PoisonError::into_inner);
                    if replays.is_repeat(&mark, now_s) {
                        tracing::debug!("A sealed callback came again; it is kept already.");
                        return Knocked::Answer(self.yes());
                    }
                    Knocked::Keep { body: Bytes::from(inner), answer: self.yes(), mark }
                }
                Err(error) => Knocked::Refuse(refusal(error)),
            },
            _ => Knocked::Refuse(Refused::Method),
        }
    }

    fn kept(&self, mark: &str, now_ms: i64) {
        let mut replays = self.replays.lock().unwrap_or_else(PoisonError::into_inner);
        replays.committed(mark, now_ms.div_euclid(1000));
    }

    fn mailbox(&self) -> &Mailbox {
        &self.mailbox
    }

    fn secrets(&self) -> &[Secret<String>] {
        &self.secrets
    }
}

impl fmt::Debug for SealedDoor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedDoor({:?})", self.callback.keys())
    }
}

fn refusal(error: CallbackError) -> Refused {
    match error {
        CallbackError::Form => Refused::Unreadable,
        CallbackError::Forged => Refused::BadSignature,
        CallbackError::Stale => Refused::Stale,
        CallbackError::Receiver => Refused::WrongAccount,
    }
}

#[cfg(test)]
#[path = "door_tests.rs"]
mod tests;
