//! What belongs to one account? The parts that its session, dispatcher and outbox share.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use serde::Serialize;
use tokio::sync::{Notify, watch};
use wxbot_core::protocol::{ActionSender, Protocol};
use wxbot_core::push::Door;
use wxbot_core::source::Source;
use wxbot_model::AccountName;
use wxbot_plugin::middleware::AnyMiddleware;
use wxbot_plugin::{ContactQuery, FoundContact, Outcome};

use crate::builtin::Silenced;
use crate::config::{AccountConfig, Endpoint};
use crate::contacts::Contacts;
use crate::contacts::ask::Asking;
use crate::dispatch::dialogs::Dialogs;
use crate::dispatch::feed::Feed;
use crate::dispatch::typing::Typing;
use crate::dispatch::withheld::Withheld;
use crate::explain::{Lang, Recorder, Trace, Traces};
use crate::media::MediaFolder;
use crate::media::uploads::{Upload, Uploads};
use crate::outbox::Desk;
use crate::plugin::{Held, Trouble};
use crate::reserve::Reserve;
use crate::session::cure::Cure;
use crate::session::digits::{Digits, NotTaken};
use crate::session::phase::Phase;
use crate::session::rows::Filed;
use crate::store::Store;
use crate::store::seal::Vault;

/// One account while wxbot runs.
pub struct Account {
    /// Its key.
    pub name: AccountName,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) vault: Arc<Vault>,
    pub(crate) source: Source,
    settings: RwLock<Arc<Settings>>,
    /// Events that the book counts as told and a session left without a commit; the next one stores them.
    unfiled: Mutex<Vec<Filed>>,
    pub(crate) contacts: RwLock<Contacts>,
    pub(crate) asking: Asking,
    /// The running session's sending half; `None` between sessions.
    pub(crate) sender: watch::Sender<Option<Arc<dyn ActionSender>>>,
    pub(crate) feed: Feed,
    pub(crate) outbox: Desk,
    pub(crate) dialogs: Dialogs,
    pub(crate) typing: Typing,
    /// Plugins for which events are handled again and nothing is sent.
    pub(crate) withheld: Withheld,
    pub(crate) media: Arc<MediaFolder>,
    pub(crate) uploads: Uploads,
    status: watch::Sender<Status>,
    /// Reason and cure of the state without what the disk adds to them; changed together with the state.
    own: Mutex<(String, Cure)>,
    /// What may be done as far as the disk goes.
    pub(crate) reserve: Arc<Reserve>,
    login_asked: Notify,
    watchers: AtomicUsize,
    /// What the phone shows during a login, and somebody types here.
    pub(crate) digits: Digits,
    /// A send has met that the service takes the token no longer: whoever polls need not wait to hear it.
    pub(crate) token_refused: Notify,
    pub(crate) duplicates: AtomicU64,
    /// Plugins that somebody silenced in a chat.
    pub(crate) silenced: Silenced,
    /// How its last events were handled; those of the other accounts are there too.
    pub(crate) traces: Arc<Traces>,
}

/// What is in force for an account, and what was made of it. Never changed, only replaced as a whole by a reload: whoever
/// took it keeps what they began with.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) config: AccountConfig,
    pub(crate) protocol: Arc<dyn Protocol>,
    /// Made of `config.middleware`, one by one.
    pub(crate) chain: Vec<Arc<dyn AnyMiddleware>>,
    /// In the order in which they see an event.
    pub(crate) plugins: Vec<Arc<Held>>,
}

/// The state of an account, with since-when, why, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// The state.
    #[serde(flatten)]
    pub phase: Phase,
    /// Since when, milliseconds since 1970.
    pub since_ms: i64,
    /// Why; empty when there is nothing to say.
    pub why: String,
    /// What a person can do; empty when nothing.
    pub todo: String,
    /// The same for programs.
    pub cure: Cure,
    /// Counts logins begun, so that somebody who asked for one can tell its end from an older one's.
    pub round: u64,
}

impl Status {
    /// In one line for people: account, state, since when (UTC), why, and what to do.
    pub fn line(&self, account: &str) -> String {
        let since = jiff::Timestamp::from_millisecond(self.since_ms).unwrap_or_default();
        let mut line = format!("{account} {} since {}", self.phase.word(), since.strftime("%Y-%m-%dT%H:%M:%SZ"));
        for part in [&self.why, &self.todo].into_iter().filter(|part| !part.is_empty()) {
            // Reasons quote services: what could break the line is left out.
            line.push_str("; ");
            line.extend(part.chars().filter(|c| !c.is_control()));
        }
        line
    }
}

/// The parts an [`Account`] is made of.
pub(crate) struct Parts {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) vault: Arc<Vault>,
    pub(crate) source: Source,
    pub(crate) settings: Settings,
    pub(crate) media: Arc<MediaFolder>,
    pub(crate) traces: Arc<Traces>,
    pub(crate) dialogs: Dialogs,
    pub(crate) reserve: Arc<Reserve>,
}

impl Account {
    pub(crate) fn new(parts: Parts) -> Self {
        let status = Status {
            phase: Phase::Starting,
            since_ms: parts.source.now_ms(),
            why: Phase::Starting.usual_why().to_owned(),
            todo: String::new(),
            cure: Cure::Nothing,
            round: 0,
        };
        Self {
            name: parts.settings.config.name.clone(),
            store: parts.store,
            vault: parts.vault,
            source: parts.source,
            settings: RwLock::new(Arc::new(parts.settings)),
            unfiled: Mutex::default(),
            contacts: RwLock::default(),
            asking: Asking::default(),
            sender: watch::Sender::new(None),
            feed: Feed::default(),
            outbox: Desk::default(),
            dialogs: parts.dialogs,
            typing: Typing::default(),
            withheld: Withheld::default(),
            media: parts.media,
            uploads: Uploads::default(),
            status: watch::Sender::new(status),
            own: Mutex::new((String::new(), Cure::Nothing)),
            reserve: parts.reserve,
            login_asked: Notify::new(),
            watchers: AtomicUsize::new(0),
            digits: Digits::default(),
            token_refused: Notify::new(),
            duplicates: AtomicU64::new(0),
            silenced: Silenced::default(),
            traces: parts.traces,
        }
    }

    /// What is in force now. Take it once for a thing to do, so that it is done by one set of settings.
    pub(crate) fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts settings into force for whatever begins from now on.
    pub(crate) fn put(&self, settings: Arc<Settings>) {
        let mut place = self.settings.write().unwrap_or_else(PoisonError::into_inner);
        let old = std::mem::replace(&mut *place, Arc::clone(&settings));
        drop(place);
        // Whoever opens a dialog after this sees the new settings.
        self.dialogs.part(&settings);
        // The old ones may be the last that hold a plugin, so they go when nobody waits for the lock.
        drop(old);
    }

    /// Holds plugins and middleware no longer: nothing begins here any more.
    pub(crate) fn let_go(&self) {
        let settings = self.settings();
        self.put(Arc::new(Settings { chain: Vec::new(), plugins: Vec::new(), ..Settings::clone(&settings) }));
    }

    /// How what its service pushes comes in; `None` when it is asked instead.
    pub fn door(&self) -> Option<Arc<dyn Door>> {
        self.settings().protocol.door()
    }

    /// The name of its protocol, for lists.
    pub fn protocol_name(&self) -> String {
        self.settings().config.protocol.clone()
    }

    /// Whether its service is the built-in simulator.
    pub fn is_simulated(&self) -> bool {
        self.settings().config.endpoint == Some(Endpoint::Sim)
    }

    /// Shows a state. The same state with the same reason keeps its since-when.
    pub(crate) fn show(&self, phase: Phase, why: String) {
        let cure = Cure::of(&phase, None);
        self.show_as(phase, why, cure, None);
    }

    /// The same where something else helps than usually, or where it has been so since before the process began.
    pub(crate) fn show_as(&self, phase: Phase, why: String, cure: Cure, since_ms: Option<i64>) {
        let now = self.source.now_ms();
        let why = if why.is_empty() { phase.usual_why().to_owned() } else { why };
        let changed = self.status.send_if_modified(|status| {
            *self.own.lock().unwrap_or_else(PoisonError::into_inner) = (why.clone(), cure);
            let (why, cure, todo) = self.with_lack(why, cure);
            if status.phase == phase && status.why == why {
                return false;
            }
            if status.phase.word() != phase.word() {
                status.since_ms = since_ms.unwrap_or(now);
            }
            status.cure = cure;
            status.todo = todo;
            status.phase = phase;
            status.why = why;
            true
        });
        if changed {
            let status = self.status.borrow();
            match status.phase {
                Phase::NeedsLogin | Phase::Degraded | Phase::LoggedOut => {
                    tracing::warn!(account = %self.name, state = status.phase.word(), since_ms = status.since_ms, why = %status.why, todo = %status.todo, "Account state.");
                }
                Phase::Starting
                | Phase::AwaitingScan { .. }
                | Phase::AwaitingConfirm
                | Phase::AwaitingCode { .. }
                | Phase::Online
                | Phase::Reconnecting { .. }
                | Phase::Stopped => {
                    tracing::info!(account = %self.name, state = status.phase.word(), since_ms = status.since_ms, why = %status.why, todo = %status.todo, "Account state.");
                }
            }
        }
    }

    /// Adds what the disk lacks to what is shown, or takes it away again.
    pub(crate) fn show_lack(&self) {
        self.status.send_if_modified(|status| {
            let (why, cure) = self.own.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let (why, cure, todo) = self.with_lack(why, cure);
            let changed = (&status.why, &status.todo) != (&why, &todo);
            (status.why, status.cure, status.todo) = (why, cure, todo);
            changed
        });
    }

    /// A reason and an advice with those of the disk before them: as long as it lacks room, nothing else helps.
    fn with_lack(&self, why: String, cure: Cure) -> (String, Cure, String) {
        let level = self.reserve.level();
        let todo = cure.tell(self.name.as_str(), Lang::En);
        let Some(lack) = level.lack() else { return (why, cure, todo) };
        let both = |first: &str, own: String| if own.is_empty() { first.to_owned() } else { format!("{first}; {own}") };
        (both(&lack.why, why), Cure::Room, both(&lack.todo, todo))
    }

    pub(crate) fn next_round(&self) {
        self.status.send_modify(|status| status.round += 1);
    }

    /// The state now and whenever it changes.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.subscribe()
    }

    /// Asks for a login and keeps QR codes coming while the value lives.
    pub fn ask_login(self: &Arc<Self>) -> LoginAsk {
        self.watchers.fetch_add(1, Ordering::Relaxed);
        self.login_asked.notify_one();
        LoginAsk { account: Arc::clone(self) }
    }

    /// Types the digits that the phone shows, for the login that waits for them ([`Phase::AwaitingCode`]). Spaces around
    /// them are left out; until the login has taken them, others take their place.
    ///
    /// # Errors
    /// When no login waits for digits, or these are none.
    pub fn give_code(&self, digits: &str) -> Result<(), NotTaken> {
        self.digits.give(digits)
    }

    /// Waits until somebody asks for a login and is still there: an old request must not become a code nobody sees.
    pub(crate) async fn login_wanted(&self) {
        loop {
            self.login_asked.notified().await;
            if self.watched() {
                return;
            }
        }
    }

    pub(crate) fn watched(&self) -> bool {
        self.watchers.load(Ordering::Relaxed) > 0
    }

    pub(crate) fn read_contacts<T>(&self, f: impl FnOnce(&Contacts) -> T) -> T {
        f(&self.contacts.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn write_contacts<T>(&self, f: impl FnOnce(&mut Contacts) -> T) -> T {
        f(&mut self.contacts.write().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn take_unfiled(&self) -> Vec<Filed> {
        std::mem::take(&mut self.unfiled.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn keep_unfiled(&self, events: Vec<Filed>) {
        self.unfiled.lock().unwrap_or_else(PoisonError::into_inner).extend(events);
    }

    /// Begins to remember how an event is handled, if it is one of the sample.
    pub(crate) fn begin_trace(&self, seq: u64, attempt: u32) -> Option<Recorder> {
        self.traces.begin(&self.name, seq, attempt, self.source.now_ms())
    }

    /// Keeps it. `trouble`: the plugin that could not handle the event.
    pub(crate) fn keep_trace(&self, seen: Option<Recorder>, outcome: &Outcome, trouble: Option<&(Arc<str>, Trouble)>) {
        if let Some(seen) = seen {
            self.traces.keep(seen.end(outcome, trouble.map(|(plugin, trouble)| (&**plugin, trouble))));
        }
    }

    /// The store was changed behind the account's back: events may be due again, and sends may go out.
    pub fn look_again(&self) {
        self.feed.look_at_parked();
        self.outbox.look();
    }

    /// What this process remembers of how an event was handled.
    pub fn trace(&self, seq: u64) -> Option<Arc<Trace>> {
        self.traces.find(seq)
    }

    /// The uploads that are under way, the oldest first.
    pub fn uploads(&self) -> Vec<Upload> {
        self.uploads.list()
    }

    /// The contacts of the running login that fit.
    pub fn find_contacts(&self, query: &ContactQuery) -> Vec<FoundContact> {
        self.read_contacts(|book| crate::contacts::found(book, query))
    }

    /// Events that came again and were absorbed, since the start.
    pub fn duplicates(&self) -> u64 {
        self.duplicates.load(Ordering::Relaxed)
    }
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Account({})", self.name)
    }
}

/// Somebody wants this account logged in, and is there to scan. Dropping it ends the interest.
#[derive(Debug)]
pub struct LoginAsk {
    account: Arc<Account>,
}

impl Drop for LoginAsk {
    fn drop(&mut self) {
        self.account.watchers.fetch_sub(1, Ordering::Relaxed);
        self.account.digits.look();
    }
}
