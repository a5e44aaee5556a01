//! A simulated WeCom: two vendors' gateways that act as a person, and the official API.
//!
//! | file | question |
//! |---|---|
//! | `push`, `people` | What does the gateway of the seed push, and what do people do? |
//! | `wxwork`, `qwapi` | Which actions do the two vendors take? |
//! | `official`, `robot`, `appchat` | Which calls does the official API take? |
//! | `notice`, `crypto` | What does an application's encrypted callback look like? |
//! | `call` | What becomes of a request, from its path to the journal? |
//! | `control` | What can be ordered under `/__sim/`? |

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::check::Violation;
use crate::error::SimError;
use crate::fault::{Fault, Faults};
use crate::names;
use crate::service::book::{Book, HeardEntry, HeardMedia, ServiceJournal};
use crate::service::outbox::{Outbox, PushFault};
use crate::service::poster::Poster;
use crate::service::running::Running;
use crate::service::town::{Ids, Town};
use crate::world::World;

mod appchat;
mod call;
mod control;
mod crypto;
mod notice;
mod official;
mod people;
mod push;
mod qwapi;
mod robot;
mod wxwork;

pub use notice::{Envelope, Notice};
pub use people::{WecomRoomChange, WecomSay};

/// What the simulated WeCom is configured with.
#[derive(Debug, Clone)]
pub struct WecomSetup {
    /// Where each account's gateway pushes: URL by account name.
    pub callbacks: BTreeMap<String, String>,
    /// The bearer token of the `qw-api` platform.
    pub platform_token: String,
    /// The application, for the official routes.
    pub app: WecomApp,
    /// Sends of one robot within a minute; beyond: 45009.
    pub robot_rate: usize,
    /// How long an access token lives.
    pub token_life: Duration,
    /// Between two attempts of the official callback.
    pub repeat_pause: Duration,
    /// How long the receiver of the official callback may take.
    pub callback_limit: Duration,
}

/// A self-built application.
#[derive(Debug, Clone)]
pub struct WecomApp {
    /// `corpid`.
    pub corp_id: String,
    /// `corpsecret`.
    pub corp_secret: String,
    /// `agentid`.
    pub agent_id: u64,
    /// Where its callback goes.
    pub callback: Option<String>,
    /// `Token` of the callback.
    pub token: String,
    /// `EncodingAESKey`.
    pub aes_key: String,
}

impl Default for WecomSetup {
    fn default() -> Self {
        Self {
            callbacks: BTreeMap::new(),
            platform_token: "platform-token".to_owned(),
            app: WecomApp {
                corp_id: "wx5823bf96d3bd56c7".to_owned(),
                corp_secret: "corp-secret".to_owned(),
                agent_id: 1_000_002,
                callback: None,
                token: "QDG6eK".to_owned(),
                aes_key: "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C".to_owned(),
            },
            robot_rate: 20,
            token_life: Duration::from_secs(7_200),
            repeat_pause: Duration::from_secs(1),
            callback_limit: Duration::from_secs(5),
        }
    }
}

/// A simulated WeCom. Clones are handles to the same one.
#[derive(Clone)]
pub struct WecomSim {
    shared: Arc<Shared>,
}

impl fmt::Debug for WecomSim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WecomSim").field("accounts", &self.shared.accounts.len()).finish_non_exhaustive()
    }
}

struct Shared {
    setup: WecomSetup,
    accounts: Vec<Account>,
    /// Pushes of the application's callback.
    notices: Outbox,
    office: Mutex<official::Office>,
    book: Book,
    faults: Faults,
    poster: Poster,
    ids: AtomicU64,
    port: AtomicU16,
}

/// One person's WeCom, as a gateway has it.
struct Account {
    name: String,
    /// The instance id of `wxwork`.
    uuid: String,
    outbox: Outbox,
    state: Mutex<State>,
}

struct State {
    town: Town,
    /// Session of `qw-api`; changes with each login.
    token: String,
    logins: u64,
    online: bool,
    callback: String,
    seq: u64,
    sent: VecDeque<Sent>,
    uploads: VecDeque<HeardMedia>,
}

/// What an account can take back, and what it uploaded.
const MAX_KEPT: usize = 10_000;

/// A message that the account sent.
#[derive(Debug, Clone)]
struct Sent {
    id: u64,
    /// The id it went to, without `R:`.
    to: String,
}

/// People have 16 digits, rooms 17.
const IDS: Ids = Ids {
    account: |name| number(1_688_850_000_000_000, name),
    person: |own, friend| number(1_688_850_000_000_000, &format!("{own}/{}", friend.nick)),
    room: |shared| number(10_760_000_000_000_000, shared),
};

/// Adds to a list that forgets its oldest entries.
fn keep<T>(list: &mut VecDeque<T>, entry: T) {
    if list.len() >= MAX_KEPT {
        list.pop_front();
    }
    list.push_back(entry);
}

fn number(base: u64, text: &str) -> String {
    (base + names::stable_hash(text) % 10_000_000_000).to_string()
}

impl WecomSim {
    /// A WeCom that nobody reaches yet.
    pub fn new(world: &World, setup: WecomSetup) -> Self {
        let seed = world.seed;
        let accounts = world.accounts.iter().map(|account| Account {
            name: account.name.clone(),
            uuid: session(seed, &account.name, u64::MAX),
            outbox: Outbox::new(&account.name),
            state: Mutex::new(State {
                town: Town::new(account, IDS),
                token: session(seed, &account.name, 1),
                logins: 1,
                online: true,
                callback: setup.callbacks.get(&account.name).cloned().unwrap_or_default(),
                seq: 9_325_975,
                sent: VecDeque::new(),
                uploads: VecDeque::new(),
            }),
        });
        let accounts: Vec<Account> = accounts.collect();
        let office = Mutex::new(official::Office::new(&accounts, seed));
        let shared = Shared {
            notices: Outbox::new("app"),
            office,
            book: Book::new(),
            faults: Faults::default(),
            poster: Poster::default(),
            ids: AtomicU64::new(1_000_423 + seed % 1_000),
            port: AtomicU16::new(0),
            accounts,
            setup,
        };
        Self { shared: Arc::new(shared) }
    }

    /// Starts it at a kernel-chosen port of this machine.
    pub async fn start(world: &World, setup: WecomSetup) -> std::io::Result<Running<Self>> {
        Self::start_on(world, setup, TcpListener::bind("127.0.0.1:0").await?)
    }

    /// Starts it at this listener.
    pub fn start_on(world: &World, setup: WecomSetup, listener: TcpListener) -> std::io::Result<Running<Self>> {
        let wecom = Self::new(world, setup);
        wecom.shared.port.store(listener.local_addr()?.port(), Ordering::Release);
        Ok(Running::new(wecom, |wecom, stop| async move { wecom.run(listener, stop).await }))
    }

    /// Serves and pushes until `stop`.
    pub async fn serve(&self, listener: TcpListener, stop: CancellationToken) -> std::io::Result<()> {
        self.shared.port.store(listener.local_addr()?.port(), Ordering::Release);
        self.run(listener, stop).await;
        Ok(())
    }

    async fn run(&self, listener: TcpListener, stop: CancellationToken) {
        let wecom = self.clone();
        let serving = crate::http::serve(listener, &stop, move |request| {
            let wecom = wecom.clone();
            async move { wecom.handle(&request).await }
        });
        let (book, poster) = (&self.shared.book, &self.shared.poster);
        let pushing = async {
            join_all(self.shared.accounts.iter().map(|account| account.outbox.run(book, poster))).await;
            // A company without gateways pushes nothing, and serves all the same.
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = serving => {}
            () = pushing => {}
            () = self.shared.notices.run(book, poster) => {}
        }
    }

    /// Where it answers: `http://127.0.0.1:PORT`.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.shared.port.load(Ordering::Acquire))
    }

    /// The present session token of an account, by which `qw-api` calls it.
    pub fn token(&self, account: &str) -> Result<String, SimError> {
        Ok(self.account(account)?.state().token.clone())
    }

    /// The instance id of an account, by which `wxwork` calls it.
    pub fn uuid(&self, account: &str) -> Result<String, SimError> {
        Ok(self.account(account)?.uuid.clone())
    }

    /// The id of a person or room; the account's own name is the account.
    pub fn id_of(&self, account: &str, name: &str) -> Result<String, SimError> {
        let state = self.account(account)?.state();
        if name == account {
            return Ok(state.town.me.clone());
        }
        if let Ok(at) = state.town.room(name) {
            return Ok(state.town.rooms.get(at).map(|room| room.id.clone()).unwrap_or_default());
        }
        let at = state.town.person(name)?;
        Ok(state.town.people.get(at).map(|person| person.id.clone()).unwrap_or_default())
    }

    /// What happened so far. What the application does goes by the account `app`, what a robot does by `robot`.
    pub fn journal(&self) -> ServiceJournal {
        self.shared.book.journal()
    }

    /// What clients did that they should not do, one entry per kind.
    pub fn violations(&self) -> Vec<Violation> {
        self.shared.book.violations()
    }

    /// Waits until the journal looks as wanted; never ends by itself, so give it a timeout.
    pub async fn wait_for(&self, wanted: impl FnMut(&ServiceJournal) -> bool) {
        self.shared.book.wait_for(wanted).await;
    }

    /// Waits until every push has been tried.
    pub async fn settled(&self) {
        for account in &self.shared.accounts {
            account.outbox.settled().await;
        }
        self.shared.notices.settled().await;
    }

    /// Lets something go wrong with requests. `endpoint` is the path without its first slash, or `*`.
    pub fn inject(&self, fault: Fault) {
        self.shared.faults.inject(fault);
    }

    /// Lets something go wrong with pushes; the application's go by the account `app`.
    pub fn inject_push(&self, fault: &PushFault) {
        self.shared.accounts.iter().for_each(|account| account.outbox.inject(fault));
        self.shared.notices.inject(fault);
    }

    /// Lets nothing go wrong any more. Pushes that were held back go.
    pub fn clear_faults(&self) {
        self.shared.faults.clear();
        self.shared.accounts.iter().for_each(|account| account.outbox.clear_faults());
        self.shared.notices.clear_faults();
    }

    fn account(&self, name: &str) -> Result<&Account, SimError> {
        let found = self.shared.accounts.iter().find(|account| account.name == name);
        found.ok_or_else(|| SimError::UnknownAccount(name.to_owned()))
    }

    fn next_id(&self) -> u64 {
        self.shared.ids.fetch_add(1, Ordering::Relaxed)
    }

    fn office(&self) -> MutexGuard<'_, official::Office> {
        self.shared.office.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn heard(&self, account: &str, to: &str, room: bool, kind: &str, text: &str) -> Heard<'_> {
        let entry = HeardEntry {
            account: account.to_owned(),
            at_ms: self.shared.book.now_ms(),
            to: to.to_owned(),
            room,
            kind: kind.to_owned(),
            text: text.to_owned(),
            at: Vec::new(),
            media: None,
            id: String::new(),
            revoked: false,
        };
        Heard { wecom: self, entry }
    }
}

/// Something that people are about to hear.
struct Heard<'a> {
    wecom: &'a WecomSim,
    entry: HeardEntry,
}

impl Heard<'_> {
    fn at(mut self, at: Vec<String>) -> Self {
        self.entry.at = at;
        self
    }

    fn media(mut self, media: Option<HeardMedia>) -> Self {
        self.entry.media = media;
        self
    }

    fn with_id(mut self, id: impl fmt::Display) {
        self.entry.id = id.to_string();
        self.wecom.shared.book.heard(self.entry);
    }
}

impl Account {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// 32 hex digits that name one login.
fn session(seed: u64, account: &str, login: u64) -> String {
    let half = |part: &str| names::stable_hash(&format!("{seed}/{account}/{login}/{part}"));
    format!("{:016x}{:016x}", half("a"), half("b"))
}
