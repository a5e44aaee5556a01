//! A simulated PC hook: the service that sits in a WeChat for Windows, pushes what happens and takes actions.
//!
//! | file | question |
//! |---|---|
//! | `table` | Which actions are there, with which bodies? |
//! | `call` | What becomes of a request, from its path to the journal? |
//! | `send`, `own` | What is sent, and how is that pushed back? |
//! | `contacts`, `rooms`, `media`, `login` | What do the other actions do? |
//! | `entry` | What does a push look like? |
//! | `xml`, `people` | What do people do, and as which message does it arrive? |
//! | `control` | What can be ordered under `/__sim/`? |

use std::collections::VecDeque;
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU16, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::check::Violation;
use crate::error::SimError;
use crate::fault::{Fault, Faults};
use crate::names;
use crate::request::Outcome;
use crate::service::book::{Book, ServiceJournal};
use crate::service::outbox::{Outbox, PushFault};
use crate::service::poster::Poster;
use crate::service::running::Running;
use crate::service::town::{Ids, Town};
use crate::world::World;

mod call;
mod contacts;
mod control;
mod entry;
mod login;
mod media;
mod own;
mod people;
mod rooms;
mod send;
mod table;
mod xml;

pub use entry::Sloppy;
pub use people::{HookRoomChange, HookSay};

/// Where pushes go when nobody configured anything (the spelling is the vendor's).
const DEFAULT_CALLBACK: &str = "http://127.0.0.1:30000/api/user/recive_msg";

/// Which generation of the service is played.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum HookProfile {
    /// Clients 3.6 to 3.9: many actions.
    #[default]
    V3,
    /// Client 4.1: eight routes and `_NoSrc`; the callback is set when the service is launched.
    V4,
}

/// How `v3` says that an action was taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum HookYes {
    /// `{"SendTextMsg":"1"}`.
    #[default]
    Named,
    /// `{"success":"1"}`.
    Success,
}

/// What is pushed: `isEnable`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PushMode {
    /// `0`.
    Off,
    /// `1`: decoded JSON.
    #[default]
    Decoded,
    /// `2`: protobuf as hex.
    Raw,
}

/// How the service is built and where its machine keeps files.
#[derive(Debug, Clone)]
pub struct HookSetup {
    /// Which generation.
    pub profile: HookProfile,
    /// How it says yes.
    pub yes: HookYes,
    /// What is pushed before anybody configured anything; with `V4`, for ever.
    pub mode: PushMode,
    /// Where it is pushed then; absent: the default address.
    pub callback: Option<String>,
    /// The folder of the hook's machine: received media is written below it, sent media is read from it.
    pub folder: PathBuf,
    /// How the hook's machine calls that folder (`Z:\media`); absent: by its own path.
    pub named_as: Option<String>,
    /// Where its JSON is sloppy.
    pub sloppy: Sloppy,
    /// Group texts carry `fromid`, and no `wxid:\n` before the text.
    pub fromid: bool,
    /// Pushes from rooms carry `fromgname`.
    pub group_names: bool,
    /// Media messages are pushed again in flattened form.
    pub flat: bool,
    /// Between the first and the second push of an own message.
    pub ack_after: Duration,
}

impl HookSetup {
    /// A `v3` that keeps its files in this folder.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            profile: HookProfile::V3,
            yes: HookYes::Named,
            mode: PushMode::Decoded,
            callback: None,
            folder: folder.into(),
            named_as: None,
            sloppy: Sloppy::default(),
            fromid: true,
            group_names: false,
            flat: true,
            ack_after: Duration::ZERO,
        }
    }
}

/// A simulated PC hook with one instance for each account of its world. Clones are handles to the same one.
#[derive(Clone)]
pub struct HookSim {
    shared: Arc<Shared>,
}

impl fmt::Debug for HookSim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HookSim").field("instances", &self.shared.instances.len()).finish_non_exhaustive()
    }
}

struct Shared {
    setup: HookSetup,
    instances: Vec<Instance>,
    book: Book,
    faults: Faults,
    poster: Poster,
    ids: AtomicU64,
}

/// One WeChat for Windows.
struct Instance {
    name: String,
    port: AtomicU16,
    outbox: Outbox,
    /// Requests that are not answered yet.
    open: AtomicUsize,
    state: Mutex<State>,
}

struct State {
    town: Town,
    login: login::Login,
    mode: PushMode,
    callback: String,
    sloppy: Sloppy,
    /// Which conversation the window shows.
    current: String,
    sent: VecDeque<send::Sent>,
    received: VecDeque<people::Received>,
}

/// `wxid_…`, as the simulated Web WeChat gives it to the same person.
const IDS: Ids = Ids {
    account: |name| names::wxid(name, ""),
    person: |own, friend| {
        if friend.official != 0 {
            format!("gh_{:012x}", names::stable_hash(&friend.nick) & 0xffff_ffff_ffff)
        } else {
            names::wxid(own, &friend.nick)
        }
    },
    room: |shared| format!("{}@chatroom", names::stable_hash(shared) % 10_000_000_000),
};

impl HookSim {
    /// A hook that nobody reaches yet.
    pub fn new(world: &World, setup: HookSetup) -> Self {
        let callback = setup.callback.clone().unwrap_or_else(|| DEFAULT_CALLBACK.to_owned());
        let instances = world.accounts.iter().map(|account| Instance {
            name: account.name.clone(),
            port: AtomicU16::new(0),
            outbox: Outbox::new(&account.name),
            open: AtomicUsize::new(0),
            state: Mutex::new(State {
                town: Town::new(account, IDS),
                login: login::Login::In,
                mode: setup.mode,
                callback: callback.clone(),
                sloppy: setup.sloppy,
                current: "filehelper".to_owned(),
                sent: VecDeque::new(),
                received: VecDeque::new(),
            }),
        });
        let instances = instances.collect();
        let book = Book::new();
        let ids = AtomicU64::new(world.seed);
        let (faults, poster) = (Faults::default(), Poster::default());
        Self { shared: Arc::new(Shared { setup, instances, book, faults, poster, ids }) }
    }

    /// Starts a hook with one kernel-chosen port of this machine for each account.
    pub async fn start(world: &World, setup: HookSetup) -> std::io::Result<Running<Self>> {
        let mut listeners = Vec::new();
        for _ in &world.accounts {
            listeners.push(TcpListener::bind("127.0.0.1:0").await?);
        }
        Self::start_on(world, setup, listeners)
    }

    /// Starts a hook whose instances answer at these listeners, in the order of the world's accounts.
    pub fn start_on(world: &World, setup: HookSetup, listeners: Vec<TcpListener>) -> std::io::Result<Running<Self>> {
        let hook = Self::new(world, setup);
        hook.take_ports(&listeners)?;
        Ok(Running::new(hook, |hook, stop| async move { hook.run(listeners, stop).await }))
    }

    /// Serves one instance at each listener and pushes, until `stop`. There are as many listeners as accounts.
    pub async fn serve(&self, listeners: Vec<TcpListener>, stop: CancellationToken) -> std::io::Result<()> {
        self.take_ports(&listeners)?;
        self.run(listeners, stop).await;
        Ok(())
    }

    fn take_ports(&self, listeners: &[TcpListener]) -> std::io::Result<()> {
        for (instance, listener) in self.shared.instances.iter().zip(listeners) {
            instance.port.store(listener.local_addr()?.port(), Ordering::Release);
        }
        Ok(())
    }

    async fn run(&self, listeners: Vec<TcpListener>, stop: CancellationToken) {
        let serving = listeners.into_iter().enumerate().map(|(at, listener)| {
            let hook = self.clone();
            let handle = move |request| {
                let hook = hook.clone();
                async move {
                    match hook.shared.instances.get(at) {
                        Some(instance) => hook.handle(instance, &request).await,
                        None => Outcome::Refused,
                    }
                }
            };
            crate::http::serve(listener, &stop, handle)
        });
        let pushing =
            self.shared.instances.iter().map(|instance| instance.outbox.run(&self.shared.book, &self.shared.poster));
        tokio::select! {
            _ = join_all(serving) => {}
            _ = join_all(pushing) => {}
        }
    }

    /// The control port of an account's instance.
    pub fn port(&self, account: &str) -> Result<u16, SimError> {
        Ok(self.instance(account)?.port.load(Ordering::Acquire))
    }

    /// The wxid of an account.
    pub fn wxid(&self, account: &str) -> Result<String, SimError> {
        Ok(self.instance(account)?.state().town.me.clone())
    }

    /// The wxid of a person, or the id of a room.
    pub fn id_of(&self, account: &str, name: &str) -> Result<String, SimError> {
        let state = self.instance(account)?.state();
        if let Ok(at) = state.town.room(name) {
            return Ok(state.town.rooms.get(at).map(|room| room.id.clone()).unwrap_or_default());
        }
        let at = state.town.person(name)?;
        Ok(state.town.people.get(at).map(|person| person.id.clone()).unwrap_or_default())
    }

    /// What happened so far.
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
        for instance in &self.shared.instances {
            instance.outbox.settled().await;
        }
    }

    /// Lets something go wrong with requests. `endpoint` is the name of an action (`SendTextMsg`) or `*`.
    pub fn inject(&self, fault: Fault) {
        self.shared.faults.inject(fault);
    }

    /// Lets something go wrong with pushes.
    pub fn inject_push(&self, fault: &PushFault) {
        self.shared.instances.iter().for_each(|instance| instance.outbox.inject(fault));
    }

    /// Lets nothing go wrong any more. Pushes that were held back go.
    pub fn clear_faults(&self) {
        self.shared.faults.clear();
        self.shared.instances.iter().for_each(|instance| instance.outbox.clear_faults());
    }

    fn instance(&self, account: &str) -> Result<&Instance, SimError> {
        let found = self.shared.instances.iter().find(|instance| instance.name == account);
        found.ok_or_else(|| SimError::UnknownAccount(account.to_owned()))
    }

    /// A `msgsvrid`: 64 bits, every second one above what a signed number holds, as in the samples.
    fn next_id(&self) -> u64 {
        let count = self.shared.ids.fetch_add(1, Ordering::Relaxed);
        let mut word = count.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word ^= word >> 31;
        // 19 or 20 digits.
        if count.is_multiple_of(2) {
            word | 1 << 63
        } else {
            (word >> 1) % 8_000_000_000_000_000_000 + 1_000_000_000_000_000_000
        }
    }
}

impl Instance {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
