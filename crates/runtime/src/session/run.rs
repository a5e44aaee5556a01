//! Who performs what the session machine orders? One task per account: resume, log in, poll, accept.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use wxbot_core::Error;
use wxbot_core::error::{Advice, EndReason};
use wxbot_core::protocol::{Batch, LoginEvent, LoginWatcher, Protocol, SavedSession, Session};
use wxbot_model::Secret;

use super::cure::Cure;
use super::halt;
use super::phase::{Input, Machine, Order, Phase, Policy, Step, Trouble};
use super::rows;
use super::rows::Filed;
use super::who::{Settling, sort_out};
use crate::account::Account;
use crate::dispatch::feed::Work;
use crate::failpoint::fail_point;
use crate::reserve::Level;
use crate::store::{Accept, InboxRow, NewRow, StoreError};

/// Name of the sealed field, bound into the seal.
pub(crate) const SESSION_FIELD: &str = "session";

/// How long continuing a session may take, whatever the network does: the pages of the largest address book, each of them
/// slow.
const RESUMED_WITHIN: Duration = Duration::from_secs(600);

/// How long the service may be told that nobody listens any more: whoever stops wxbot waits for it.
const LEFT_WITHIN: Duration = Duration::from_secs(2);

/// Runs an account until `stop`. Never returns early and never panics: a failure is a state.
pub(crate) async fn run(account: Arc<Account>, stop: CancellationToken) {
    let mut driver = Driver {
        account: Arc::clone(&account),
        protocol: Arc::clone(&account.settings().protocol),
        session: None,
        settling: Settling::begin(),
        started: Instant::now(),
        unfiled: account.take_unfiled(),
        stop: stop.clone(),
        out: false,
        trouble: String::new(),
        paused: false,
        unheard: false,
        halted: false,
    };
    let mut machine = Machine::new(Policy::default());
    let saved = driver.has_saved().await;
    let (mut input, halted) = halt::beginning(&account, saved).await;
    let mut since_ms = halted.as_ref().map(|halt| halt.since_ms);
    driver.halted = halted.is_some();
    loop {
        driver.put_out_of_use(&input).await;
        let step = machine.step(input, driver.started.elapsed());
        if let Some((phase, why)) = step.phase.clone() {
            let cure = if step.token { Cure::Bind } else { Cure::of(&phase, step.risk) };
            account.show_as(phase, why, cure, since_ms.take());
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
    if let Some(session) = &mut driver.session
        && tokio::time::timeout(LEFT_WITHIN, session.leave()).await.is_err()
    {
        tracing::debug!(account = %account.name, "The service was not told in time that nobody listens.");
    }
    driver.drop_session();
    account.keep_unfiled(driver.unfiled);
}

struct Driver {
    account: Arc<Account>,
    /// A session keeps to it; another one needs another session.
    protocol: Arc<dyn Protocol>,
    session: Option<Box<dyn Session>>,
    settling: Settling,
    started: Instant,
    /// Events of ours that the book counts as told: kept until a commit takes them.
    unfiled: Vec<Filed>,
    /// Ends whatever waits for the network or for people. What waits for the store is never cut short: an event that was
    /// taken is handed on.
    stop: CancellationToken,
    /// The service said that somebody logged the account out, and nothing else since.
    out: bool,
    /// What is wrong although the session goes on.
    trouble: String,
    /// It waited for the disk, and has not polled since.
    paused: bool,
    /// Nothing at all was heard for long.
    unheard: bool,
    /// The store says that this account waits for a person.
    halted: bool,
}

impl Driver {
    async fn has_saved(&self) -> bool {
        if !self.protocol.needs_login() {
            return true;
        }
        match self.account.store.session(&self.account.name).await {
            Ok(row) => row.is_some_and(|row| !row.set_aside),
            Err(error) => {
                // Resuming reads it again, and tries again while it cannot be read; asking for a login would not.
                tracing::error!(account = %self.account.name, %error, "The saved session cannot be read.");
                true
            }
        }
    }

    /// A token that the service refused is out of use whatever comes, so that no restart tries it by itself.
    async fn put_out_of_use(&self, input: &Input) {
        let account = &self.account;
        if *input == Input::Failed(Trouble::Ended(EndReason::TokenRefused))
            && let Err(error) = account.store.set_session_aside(&account.name).await
        {
            tracing::error!(account = %account.name, %error, "The refused session cannot be put out of use; a restart will try it once.");
        }
    }

    fn drop_session(&mut self) {
        self.account.sender.send_replace(None);
        self.session = None;
        // Its questions end with it.
        self.settling = Settling::begin();
    }

    /// Waits while nothing can be taken, and says so. `None` when told to stop.
    async fn wait_for_disk(&mut self) -> Option<()> {
        let account = Arc::clone(&self.account);
        if matches!(account.reserve.level(), Level::Spent(_)) {
            // Whatever the service says meanwhile is not heard. It keeps what it has; a push is refused at the door.
            account.show(Phase::Reconnecting { attempt: 1 }, String::new());
            self.paused = true;
            self.stop.run_until_cancelled(account.reserve.can_take()).await?;
        }
        Some(())
    }

    /// `None` when told to stop.
    async fn perform(&mut self, step: &Step, machine: &mut Machine) -> Option<Input> {
        let stop = self.stop.clone();
        if !matches!(step.order, Order::Wait(_) | Order::WaitForLogin) {
            self.wait_for_disk().await?;
        }
        match &step.order {
            Order::Resume => {
                self.drop_session();
                if step.phase.is_some() {
                    // Whoever asked for it can tell its end from an older one's.
                    self.account.next_round();
                }
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
                            other @ (Input::Begin { .. }
                            | Input::BeginStopped { .. }
                            | Input::Failed(_)
                            | Input::WaitOver
                            | Input::LoginAsked) => {
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
                halt::note(&self.account, step).await;
                self.halted = true;
                stop.run_until_cancelled(self.account.login_wanted()).await.map(|()| Input::LoginAsked)
            }
        }
    }

    async fn saved(&self) -> Result<SavedSession, Trouble> {
        let account = &self.account;
        let row = account.store.session(&account.name).await.map_err(|e| store_trouble(&e))?;
        if !self.protocol.needs_login() {
            return match row {
                Some(row) => {
                    let sealed = account.vault.open_sealed(&account.name, SESSION_FIELD, &row.sealed);
                    // Nobody logs in here: whatever cannot be opened any more takes no message from the account.
                    let credentials = sealed.unwrap_or_else(|error| {
                        tracing::warn!(account = %account.name, %error, "What the account had sealed cannot be opened; it goes on without.");
                        Secret::default()
                    });
                    Ok(SavedSession { credentials, cursor: row.cursor })
                }
                None => self.save_nothing().await,
            };
        }
        let row = row.ok_or_else(|| Trouble::BadSaved("no saved session".into()))?;
        let credentials = account
            .vault
            .open_sealed(&account.name, SESSION_FIELD, &row.sealed)
            .map_err(|e| Trouble::BadSaved(e.to_string()))?;
        Ok(SavedSession { credentials, cursor: row.cursor })
    }

    /// The place that the cursors of a protocol without logins are kept in.
    async fn save_nothing(&self) -> Result<SavedSession, Trouble> {
        let saved = SavedSession { credentials: Secret::default(), cursor: bytes::Bytes::new() };
        self.save(Ok(saved.clone())).await?;
        Ok(saved)
    }

    async fn resume(&self) -> Result<Box<dyn Session>, Trouble> {
        let saved = self.saved().await?;
        let resumed = match tokio::time::timeout(RESUMED_WITHIN, self.protocol.resume(&saved)).await {
            Ok(session) => session.map_err(trouble),
            Err(_elapsed) => {
                let s = RESUMED_WITHIN.as_secs();
                Err(Trouble::Silent(format!("the session was not continued within {s} s")))
            }
        };
        fail_point!("session: resumed");
        resumed
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
            // Also of a session that was refused: the service may know it, and want nothing scanned.
            if let Ok(Some(_)) = account.store.session(&account.name).await
                && let Ok(saved) = self.saved().await
            {
                self.protocol.remember(&saved);
            }
            self.protocol.login(&watcher).await
        };
        // Whatever it came to, it waits for no digits any more.
        account.digits.close();
        match session {
            Ok(session) => {
                // Before it is saved: a crash in between costs a warm-up too many, not one too few.
                if let Err(trouble) = self.begin_warm_up().await {
                    return Input::Failed(trouble);
                }
                match self.save_login(session.saved()).await {
                    Ok(()) => self.enter(session).await,
                    Err(trouble) => Input::Failed(trouble),
                }
            }
            Err(error) => Input::Failed(trouble(error)),
        }
    }

    /// An account that has just logged in sends more slowly for a while; one that resumes does not.
    async fn begin_warm_up(&self) -> Result<(), Trouble> {
        let account = &self.account;
        account.store.note_login(&account.name, account.source.now_ms()).await.map_err(|e| store_trouble(&e))
    }

    async fn save_login(&self, saved: Result<SavedSession, Error>) -> Result<(), Trouble> {
        fail_point!("login: confirmed");
        let done = self.save(saved).await;
        fail_point!("login: saved");
        done
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
        let (me, contacts, whole) = (session.myself(), session.contacts(), session.has_address_book());
        let now_ms = account.source.now_ms();
        let bound = account.write_contacts(|book| {
            book.begin(&me, &contacts, whole, now_ms);
            book.unsaved()
        });
        if let Err(error) = self.keep(bound).await {
            return Input::Failed(store_trouble(&error));
        }
        if std::mem::take(&mut self.halted)
            && let Err(error) = account.store.forget_halt(&account.name).await
        {
            self.halted = true;
            return Input::Failed(store_trouble(&error));
        }
        fail_point!("session: contacts kept");
        // The session before this one may have been cut off between a commit and its offer. The step above was the
        // store's answer, so that commit is over, and the disk has what memory missed.
        account.feed.look_at_disk();
        self.settling = Settling::begin();
        account.sender.send_replace(Some(session.sender()));
        account.outbox.look();
        self.session = Some(session);
        fail_point!("session: way open");
        Input::Entered
    }

    /// Keeps bindings, then holds and lets go what hangs on them: before anything can be sent.
    async fn keep(&mut self, bound: Vec<crate::store::BoundContact>) -> Result<(), StoreError> {
        let account = &self.account;
        if !bound.is_empty() {
            account.store.bind_contacts(&account.name, bound.clone()).await?;
            account.write_contacts(|book| book.saved(&bound));
        }
        self.sort_out().await
    }

    async fn sort_out(&self) -> Result<(), StoreError> {
        if !self.account.write_contacts(|book| book.take_moved()) {
            return Ok(());
        }
        let sorted = sort_out(&self.account).await;
        if sorted.is_err() {
            // Next time again.
            self.account.write_contacts(|book| book.mark_moved());
        }
        sorted
    }

    async fn poll(&mut self, machine: &mut Machine) -> Option<Input> {
        let account = Arc::clone(&self.account);
        let (stop, reserve) = (self.stop.clone(), Arc::clone(&account.reserve));
        loop {
            self.wait_for_disk().await?;
            let Some(session) = self.session.as_mut() else {
                return Some(Input::Failed(Trouble::Broken("no session to poll".into())));
            };
            let polled = tokio::select! {
                () = account.token_refused.notified() => Err(Trouble::Ended(EndReason::TokenRefused)),
                polled = stop.run_until_cancelled(heard(&mut **session)) => polled?,
                // A poll that is held open would bring what cannot be kept.
                () = reserve.spent() => continue,
            };
            let batch = match polled {
                Ok(batch) => batch,
                Err(trouble) => {
                    if matches!(
                        trouble,
                        Trouble::Ended(_) | Trouble::Silent(_) | Trouble::Refused { advice: Advice::Stop(_), .. }
                    ) {
                        self.drop_session();
                    }
                    return Some(Input::Failed(trouble));
                }
            };
            fail_point!("poll: batch read");
            let quiet = batch.events.is_empty() && batch.contacts.is_empty();
            let (logged_out, trouble) = (batch.logged_out.clone(), batch.trouble.clone());
            let unheard = batch.unheard.clone();
            self.settling.note(batch.events.iter().map(|event| &event.kind));
            self.settling.round(&self.account, quiet);
            if let Err(error) = self.accept(batch).await {
                // The session's cursor has moved and the store's has not: begin again from the store's.
                self.drop_session();
                return Some(Input::Failed(store_trouble(&error)));
            }
            let phase = machine.polled().or_else(|| std::mem::take(&mut self.paused).then_some(Phase::Online));
            match logged_out {
                Some(why) => {
                    self.out = true;
                    self.account.show(Phase::LoggedOut, why);
                }
                None if self.out && !quiet => {
                    self.out = false;
                    self.account.show(Phase::Online, String::new());
                }
                None if unheard.as_ref().is_some_and(|why| !why.is_empty()) => {
                    self.unheard = true;
                    self.account.show(Phase::Reconnecting { attempt: 1 }, unheard.unwrap_or_default());
                }
                None if self.unheard && unheard.is_none() => {
                    self.trouble = trouble.unwrap_or_else(|| self.trouble.clone());
                }
                None => {
                    let phase = if std::mem::take(&mut self.unheard) { Some(Phase::Online) } else { phase };
                    // Messages come in; what is wrong is the reason that stands beside it.
                    let why = trouble.unwrap_or_else(|| self.trouble.clone());
                    if phase.is_some() || (why != self.trouble && !self.out) {
                        self.account.show(phase.unwrap_or(Phase::Online), why.clone());
                    }
                    self.trouble = why;
                }
            }
        }
    }

    /// Stores a batch; only then does the next poll move the service's cursor on.
    async fn accept(&mut self, batch: Batch) -> Result<(), StoreError> {
        let account = Arc::clone(&self.account);
        let now_ms = account.source.now_ms();
        let empty = batch.events.is_empty()
            && batch.cursor.is_none()
            && batch.credentials.is_none()
            && batch.contacts.is_empty();
        if empty && self.unfiled.is_empty() && account.read_contacts(|book| book.is_kept(now_ms)) {
            batch.kept.tell();
            return Ok(());
        }
        let sealed = match &batch.credentials {
            Some(credentials) => Some(account.vault.seal(&account.name, SESSION_FIELD, credentials)?),
            None => None,
        };
        let (contacts, filed) = account.write_contacts(|book| {
            let filed = rows::rows(book, &account.name, batch.contacts, batch.events, now_ms);
            self.unfiled.extend(rows::noticed(book, &account.name, now_ms));
            let filed: Vec<Filed> = filed.into_iter().chain(self.unfiled.iter().cloned()).collect();
            (book.unsaved(), filed)
        });
        let saved = contacts.clone();
        let opens = if self.protocol.reply_window().is_some() { rows::opens(&filed, now_ms) } else { Vec::new() };
        let opened = !opens.is_empty();
        let (rows, events): (Vec<_>, Vec<_>) = filed.into_iter().unzip();
        let bodies: Vec<Arc<str>> = rows.iter().map(|row: &NewRow| Arc::clone(&row.body)).collect();
        let claim = account.feed.room();
        let accept = Accept {
            account: account.name.clone(),
            rows,
            cursor: batch.cursor,
            sealed,
            contacts,
            opens,
            claim,
            now_ms,
        };
        let accepted = account.store.accept(accept).await?;
        fail_point!("accept: committed");
        batch.kept.tell();
        fail_point!("accept: told");
        // First of all: these are claimed, and nobody else will hand them on.
        let mut fresh = accepted.seqs.iter().zip(bodies.into_iter().zip(events)).filter_map(|(seq, (body, event))| {
            let row = InboxRow {
                seq: (*seq)?,
                conv: event.chat.id.clone(),
                recv_ms: now_ms,
                body,
                done: Vec::new(),
                replay: None,
            };
            Some(Work { row, fresh: Some(Box::new(event)), again: false })
        });
        let claimed = fresh.by_ref().take(claim).collect();
        account.feed.offer(claimed, fresh.next().is_some());
        if opened {
            // What waited for them to write may go out now.
            account.outbox.look();
        }
        fail_point!("accept: offered");
        account.write_contacts(|book| book.saved(&saved));
        self.unfiled.clear();
        let known = accepted.seqs.iter().filter(|seq| seq.is_none()).count();
        if known > 0 {
            account.duplicates.fetch_add(known as u64, Ordering::Relaxed);
            tracing::debug!(account = %account.name, known, "Events came again and were absorbed.");
        }
        if accepted.proved > 0 {
            tracing::info!(account = %account.name, proved = accepted.proved, "Uncertain sends were proved by our own message coming back.");
        }
        self.sort_out().await
    }
}

/// The next batch, or that nothing comes: a network that swallows everything must not look like a quiet account.
async fn heard(session: &mut dyn Session) -> Result<Batch, Trouble> {
    let Some(within) = session.heard_within() else { return session.next_batch().await.map_err(trouble) };
    match tokio::time::timeout(within, session.next_batch()).await {
        Ok(batch) => batch.map_err(trouble),
        Err(_elapsed) => Err(Trouble::Silent(format!("nothing was heard of the service for {} s", within.as_secs()))),
    }
}

struct Watcher {
    account: Arc<Account>,
}

impl LoginWatcher for Watcher {
    fn tell(&self, event: LoginEvent) {
        let digits = &self.account.digits;
        if matches!(event, LoginEvent::CodeWanted { .. }) {
            digits.open()
        } else {
            digits.close()
        }
        match event {
            LoginEvent::Qr { payload, image_url, uuid, number } => {
                self.account.show(Phase::AwaitingScan { payload, image_url, uuid, number }, String::new());
            }
            LoginEvent::Pushed { uuid } => {
                let phase = Phase::AwaitingScan { payload: String::new(), image_url: String::new(), uuid, number: 0 };
                self.account.show(phase, "the phone was asked to confirm".into());
            }
            LoginEvent::Scanned => self.account.show(Phase::AwaitingConfirm, String::new()),
            LoginEvent::CodeWanted { wrong } => {
                let before = if let Phase::AwaitingCode { number, .. } = self.account.status().borrow().phase {
                    number
                } else {
                    0
                };
                self.account.show(Phase::AwaitingCode { wrong, number: before + 1 }, String::new());
            }
            LoginEvent::Confirmed => self.account.show(Phase::Starting, "confirmed; loading contacts".into()),
            _ => {}
        }
    }

    fn still_wanted(&self) -> bool {
        self.account.watched()
    }

    fn code(&self) -> BoxFuture<'_, Option<String>> {
        Box::pin(self.account.digits.wait(|| self.account.watched()))
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
        Error::Stopped { risk, .. } => Trouble::Refused { why: why(), advice: Advice::Stop(*risk) },
        Error::Silent { .. } => Trouble::Silent(why()),
        Error::Refused { refusal, .. } => Trouble::Refused { why: why(), advice: refusal.advice },
        Error::LoginNotCompleted(_) => Trouble::NotCompleted(why()),
        Error::BadSavedSession(_) => Trouble::BadSaved(why()),
        Error::Settings(_) => Trouble::Broken(why()),
        Error::Transport { .. } | Error::Status { .. } | Error::Decode { .. } | _ => Trouble::Transient(why()),
    }
}
