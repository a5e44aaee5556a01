//! Who performs what the session machine orders? One task per account: resume, log in, poll, accept.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::FutureExt;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use wxbot_core::Error;
use wxbot_core::protocol::{Batch, ContactChange, Incoming, LoginEvent, LoginWatcher, Protocol, SavedSession, Session};
use wxbot_model::{Chat, ChatKind, Contact, ContactKind, Event, Person, Secret};

use super::phase::{Input, Machine, Order, Phase, Policy, Step, Trouble};
use crate::account::Account;
use crate::contacts::Contacts;
use crate::dispatch::feed::Work;
use crate::outbox::echo_of;
use crate::store::{Accept, BoundContact, InboxRow, NewRow, StoreError};

/// Name of the sealed field, bound into the seal.
pub(crate) const SESSION_FIELD: &str = "session";

/// Runs an account until `stop`. Never returns early and never panics: a failure is a state.
pub(crate) async fn run(account: Arc<Account>, stop: CancellationToken) {
    let mut driver = Driver {
        account: Arc::clone(&account),
        protocol: Arc::clone(&account.settings().protocol),
        session: None,
        started: Instant::now(),
        unsaved: account.take_unsaved(),
        stop: stop.clone(),
    };
    let mut machine = Machine::new(Policy::default());
    let saved = driver.has_saved().await;
    let mut input = Input::Begin { saved };
    loop {
        let step = machine.step(input, driver.started.elapsed());
        if let Some((phase, why)) = step.phase.clone() {
            account.show(phase, why);
        }
        input = match AssertUnwindSafe(driver.perform(&step, &mut machine)).catch_unwind().await {
            Ok(None) => break,
            Ok(Some(input)) => input,
            // A bug of ours, or of the protocol: it must cost this account a restart and nobody else anything.
            Err(_panic) => {
                driver.drop_session();
                Input::Failed(Trouble::Broken("internal error: the session panicked; please report it".into()))
            }
        };
    }
    driver.drop_session();
    account.keep_unsaved(driver.unsaved);
}

struct Driver {
    account: Arc<Account>,
    /// A session keeps to it; another one needs another session.
    protocol: Arc<dyn Protocol>,
    session: Option<Box<dyn Session>>,
    started: Instant,
    /// Bindings that the book has and the store does not have yet: kept until a commit takes them, or a number could be
    /// given to somebody else after a restart.
    unsaved: Vec<BoundContact>,
    /// Ends whatever waits for the network or for people. What waits for the store is never cut short: an event that was
    /// taken is handed on.
    stop: CancellationToken,
}

impl Driver {
    async fn has_saved(&self) -> bool {
        if !self.protocol.needs_login() {
            return true;
        }
        match self.account.store.session(&self.account.name).await {
            Ok(row) => row.is_some_and(|row| !row.set_aside),
            Err(error) => {
                tracing::error!(account = %self.account.name, %error, "The saved session cannot be read.");
                false
            }
        }
    }

    fn drop_session(&mut self) {
        self.account.sender.send_replace(None);
        self.session = None;
    }

    /// `None` when told to stop.
    async fn perform(&mut self, step: &Step, machine: &mut Machine) -> Option<Input> {
        let stop = self.stop.clone();
        match &step.order {
            Order::Resume => {
                self.drop_session();
                match stop.run_until_cancelled(self.resume()).await? {
                    Ok(session) => Some(self.enter(session).await),
                    Err(trouble) => Some(Input::Failed(trouble)),
                }
            }
            Order::PushLogin => {
                self.drop_session();
                stop.run_until_cancelled(self.login(true)).await
            }
            Order::QrLogin => {
                self.drop_session();
                stop.run_until_cancelled(self.login(false)).await
            }
            Order::Poll { anew } => {
                if *anew || self.session.is_none() {
                    self.drop_session();
                    match stop.run_until_cancelled(self.resume()).await? {
                        Ok(session) => match self.enter(session).await {
                            Input::Entered => {}
                            other @ (Input::Begin { .. } | Input::Failed(_) | Input::WaitOver | Input::LoginAsked) => {
                                return Some(other);
                            }
                        },
                        Err(trouble) => return Some(Input::Failed(trouble)),
                    }
                }
                self.poll(machine).await
            }
            Order::Wait(wait) => {
                let wait = self.account.source.jitter(*wait);
                tokio::select! {
                    () = stop.cancelled() => None,
                    () = tokio::time::sleep(wait) => Some(Input::WaitOver),
                    () = self.account.login_wanted() => Some(Input::LoginAsked),
                }
            }
            Order::WaitForLogin => {
                self.drop_session();
                stop.run_until_cancelled(self.account.login_wanted()).await.map(|()| Input::LoginAsked)
            }
        }
    }

    async fn saved(&self) -> Result<SavedSession, Trouble> {
        let account = &self.account;
        if !self.protocol.needs_login() {
            return Ok(SavedSession { credentials: Secret::default(), cursor: bytes::Bytes::new() });
        }
        let row = account.store.session(&account.name).await.map_err(|e| store_trouble(&e))?;
        let row = row.ok_or_else(|| Trouble::BadSaved("no saved session".into()))?;
        let credentials = account
            .vault
            .open_sealed(&account.name, SESSION_FIELD, &row.sealed)
            .map_err(|e| Trouble::BadSaved(e.to_string()))?;
        Ok(SavedSession { credentials, cursor: row.cursor })
    }

    async fn resume(&self) -> Result<Box<dyn Session>, Trouble> {
        let saved = self.saved().await?;
        self.protocol.resume(&saved).await.map_err(trouble)
    }

    async fn login(&mut self, push: bool) -> Input {
        let account = Arc::clone(&self.account);
        account.next_round();
        let watcher = Watcher { account: Arc::clone(&account) };
        let session = if push {
            let saved = self.saved().await;
            // Refused by the service: out of use whatever comes, so that a restart does not try it again.
            if let Err(error) = account.store.set_session_aside(&account.name).await {
                return Input::Failed(store_trouble(&error));
            }
            match saved {
                Ok(saved) => self.protocol.push_login(&saved, &watcher).await,
                Err(trouble) => return Input::Failed(trouble),
            }
        } else {
            self.protocol.login(&watcher).await
        };
        match session {
            Ok(session) => match self.save(session.saved()).await {
                Ok(()) => self.enter(session).await,
                Err(trouble) => Input::Failed(trouble),
            },
            Err(error) => Input::Failed(trouble(error)),
        }
    }

    /// A new login is saved before its first batch, so that a crash right after it needs no second scan.
    async fn save(&self, saved: Result<SavedSession, Error>) -> Result<(), Trouble> {
        let account = &self.account;
        let saved = saved.map_err(trouble)?;
        let sealed =
            account.vault.seal(&account.name, SESSION_FIELD, &saved.credentials).map_err(|e| store_trouble(&e))?;
        account.store.save_session(&account.name, sealed, saved.cursor, Vec::new()).await.map_err(|e| store_trouble(&e))
    }

    /// A session is there: bind its contacts, open the way for sends.
    async fn enter(&mut self, session: Box<dyn Session>) -> Input {
        let account = Arc::clone(&self.account);
        let contacts = session.contacts();
        self.unsaved.extend(account.write_contacts(|book| book.begin(&contacts)));
        if let Err(error) = account.store.bind_contacts(&account.name, self.unsaved.clone()).await {
            return Input::Failed(store_trouble(&error));
        }
        self.unsaved.clear();
        // The session before this one may have been cut off between a commit and its offer. The step above was the
        // store's answer, so that commit is over, and the disk has what memory missed.
        account.feed.look_at_disk();
        account.sender.send_replace(Some(session.sender()));
        account.outbox.look();
        self.session = Some(session);
        Input::Entered
    }

    async fn poll(&mut self, machine: &mut Machine) -> Option<Input> {
        let stop = self.stop.clone();
        loop {
            let Some(session) = self.session.as_mut() else {
                return Some(Input::Failed(Trouble::Broken("no session to poll".into())));
            };
            let batch = match stop.run_until_cancelled(session.next_batch()).await? {
                Ok(batch) => batch,
                Err(error) => {
                    let trouble = trouble(error);
                    if matches!(trouble, Trouble::Ended(_)) {
                        self.drop_session();
                    }
                    return Some(Input::Failed(trouble));
                }
            };
            if let Err(error) = self.accept(batch).await {
                // The session's cursor has moved and the store's has not: begin again from the store's.
                self.drop_session();
                return Some(Input::Failed(store_trouble(&error)));
            }
            if let Some(phase) = machine.polled() {
                self.account.show(phase, String::new());
            }
        }
    }

    /// Stores a batch; only then does the next poll move the service's cursor on.
    async fn accept(&mut self, batch: Batch) -> Result<(), StoreError> {
        let account = Arc::clone(&self.account);
        if batch.events.is_empty() && batch.cursor.is_none() && batch.credentials.is_none() && batch.contacts.is_empty()
        {
            return Ok(());
        }
        let sealed = match &batch.credentials {
            Some(credentials) => Some(account.vault.seal(&account.name, SESSION_FIELD, credentials)?),
            None => None,
        };
        let (bound, filed) = account.write_contacts(|book| rows(book, &account.name, batch.contacts, batch.events));
        let now_ms = account.source.now_ms();
        self.unsaved.extend(bound);
        let contacts = self.unsaved.clone();
        let (rows, events): (Vec<_>, Vec<_>) = filed.into_iter().unzip();
        let bodies: Vec<Arc<str>> = rows.iter().map(|row: &NewRow| Arc::clone(&row.body)).collect();
        let claim = account.feed.room();
        let accept =
            Accept { account: account.name.clone(), rows, cursor: batch.cursor, sealed, contacts, claim, now_ms };
        let accepted = account.store.accept(accept).await?;
        self.unsaved.clear();
        let known = accepted.seqs.iter().filter(|seq| seq.is_none()).count();
        if known > 0 {
            account.duplicates.fetch_add(known as u64, Ordering::Relaxed);
            tracing::debug!(account = %account.name, known, "Events came again and were absorbed.");
        }
        if accepted.proved > 0 {
            tracing::info!(account = %account.name, proved = accepted.proved, "Uncertain sends were proved by our own message coming back.");
        }
        let mut fresh =
            accepted.seqs.into_iter().zip(bodies.into_iter().zip(events)).filter_map(|(seq, (body, event))| {
                let row = InboxRow { seq: seq?, conv: event.chat.id.clone(), recv_ms: now_ms, body, done: Vec::new() };
                Some(Work { row, fresh: Some(Box::new(event)) })
            });
        let claimed = fresh.by_ref().take(claim).collect();
        account.feed.offer(claimed, fresh.next().is_some());
        Ok(())
    }
}

/// Binds the contacts of a batch and turns its events into rows.
fn rows(
    book: &mut Contacts,
    account: &wxbot_model::AccountName,
    changes: Vec<ContactChange>,
    events: Vec<Incoming>,
) -> (Vec<BoundContact>, Vec<(NewRow, Event)>) {
    let mut bound = Vec::new();
    for change in changes {
        match change {
            ContactChange::Upsert(contact) => bound.extend(book.upsert(&contact)),
            // The binding stays: a friend who comes back, or a room joined again, keeps its id.
            ContactChange::Remove(_) => {}
        }
    }
    let rows = events.into_iter().filter_map(|event| row(book, account, event, &mut bound)).collect();
    (bound, rows)
}

fn row(
    book: &mut Contacts,
    account: &wxbot_model::AccountName,
    incoming: Incoming,
    bound: &mut Vec<BoundContact>,
) -> Option<(NewRow, Event)> {
    let Some(id) = book.id_of(&incoming.chat).cloned() else {
        // Protocols introduce everybody they name in the same batch; one that does not loses this event, loudly.
        tracing::error!(%account, key = %incoming.key, "An event of an unknown chat cannot be filed.");
        return None;
    };
    let chat = book.contact(&id).cloned();
    let kind = match chat.as_ref().map(|c| c.kind) {
        Some(ContactKind::Room) => ChatKind::Group,
        Some(ContactKind::Official) => ChatKind::Official,
        Some(ContactKind::Special | ContactKind::Myself) => ChatKind::Special,
        Some(_) | None => ChatKind::Private,
    };
    let sender = incoming.sender.as_ref().and_then(|peer| {
        let member = chat.as_ref().and_then(|room| room.member(peer));
        if book.id_of(peer).is_none() {
            // Most members of a room are no contacts of ours. They get an id when they first speak.
            let mut stranger = Contact::nameless(peer.clone(), ContactKind::Person);
            stranger.nick_name = member.map(|m| m.nick_name.clone()).unwrap_or_default();
            bound.extend(book.upsert(&Arc::new(stranger)));
        }
        let id = book.id_of(peer)?.clone();
        let known = || book.contact(&id).map(|c| c.display_name().to_owned()).unwrap_or_default();
        let name = member.map(|m| m.shown_name().to_owned()).filter(|n| !n.is_empty()).unwrap_or_else(known);
        Some(Person { id, name })
    });
    let event = Event {
        account: account.clone(),
        chat: Chat { id: id.clone(), kind, name: chat.map(|c| c.display_name().to_owned()).unwrap_or_default() },
        sender,
        at_s: incoming.at_s,
        late: false,
        kind: incoming.kind,
        key: incoming.key,
    };
    let echo = if event.from_self() { event.text().map(echo_of) } else { None };
    match serde_json::to_string(&event) {
        Ok(body) => {
            let row = NewRow { key: event.key.clone(), conv: id, kind: event.kind.word(), body: body.into(), echo };
            Some((row, event))
        }
        Err(error) => {
            tracing::error!(%account, key = %event.key, %error, "An event cannot be written as JSON.");
            None
        }
    }
}

struct Watcher {
    account: Arc<Account>,
}

impl LoginWatcher for Watcher {
    fn tell(&self, event: LoginEvent) {
        match event {
            LoginEvent::Qr { payload, image_url, uuid, number } => {
                self.account.show(Phase::AwaitingScan { payload, image_url, uuid, number }, String::new());
            }
            LoginEvent::Pushed { uuid } => {
                let phase = Phase::AwaitingScan { payload: String::new(), image_url: String::new(), uuid, number: 0 };
                self.account.show(phase, "the phone was asked to confirm".into());
            }
            LoginEvent::Scanned => self.account.show(Phase::AwaitingConfirm, String::new()),
            LoginEvent::Confirmed => self.account.show(Phase::Starting, "confirmed; loading contacts".into()),
            _ => {}
        }
    }

    fn still_wanted(&self) -> bool {
        self.account.watched()
    }
}

fn store_trouble(error: &StoreError) -> Trouble {
    Trouble::Transient(error.to_string())
}

fn trouble(error: Error) -> Trouble {
    let why = || {
        let mut text = error.to_string();
        if let Some(cause) = std::error::Error::source(&error) {
            text = format!("{text}: {cause}");
        }
        text
    };
    match &error {
        Error::Ended(reason) => Trouble::Ended(*reason),
        Error::Refused { refusal, .. } => Trouble::Refused { why: why(), advice: refusal.advice },
        Error::LoginNotCompleted(_) => Trouble::NotCompleted(why()),
        Error::BadSavedSession(_) => Trouble::BadSaved(why()),
        Error::Settings(_) => Trouble::Broken(why()),
        Error::Transport { .. } | Error::Status { .. } | Error::Decode { .. } | _ => Trouble::Transient(why()),
    }
}
