//! A simulated iLink ("ClawBot"): people bind one bot each, write to it, and see what it answers.
//!
//! | file | question |
//! |---|---|
//! | `bot`, `meter` | What does the service know about one bot? May it say one more thing now? |
//! | `login` | What becomes of a QR code, from the phone's side and from the client's? |
//! | `poll` | What does `getupdates` hand out, and when? |
//! | `said` | What can people write, and how does it look on the wire? |
//! | `send` | What becomes of what a bot sends? |
//! | `presence` | Typing notices, `notifystart` and `notifystop` |
//! | `cdn`, `crypt` | How do files come and go, and are they what was announced? |
//! | `call` | What becomes of a request, from its headers to the journal? |
//! | `journal` | What happened, for tests to look at? |
//! | `control`, `script` | What can be ordered under `/__sim/`? What do people write by themselves? |

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use rand::rngs::StdRng;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::check::Violation;
use crate::error::SimError;
use crate::fault::{Fault, Faults};
use crate::names;
use crate::service::running::Running;
use crate::world::{AccountSpec, World};

mod bot;
mod call;
mod cdn;
mod control;
mod crypt;
mod journal;
mod login;
mod meter;
mod poll;
mod presence;
mod said;
mod script;
mod send;

pub use bot::IlinkDeath;
pub use journal::{
    IlinkAsked, IlinkDownload, IlinkJournal, IlinkLogin, IlinkOutcome, IlinkPresence, IlinkSend, IlinkTold,
    IlinkTyping, IlinkUpload,
};
pub use login::IlinkYes;
pub use said::{IlinkFile, IlinkKey, IlinkMessage, IlinkQuote, IlinkQuoteForm, IlinkSay};
pub use send::IlinkRefusal;

use bot::Bot;
use journal::Book;

/// What the simulated iLink is configured with; everything may be changed while it runs.
#[derive(Debug, Clone)]
pub struct IlinkSetup {
    /// How long an idle `getupdates` is held.
    pub hold: Duration,
    /// `longpolling_timeout_ms` of its answers; absent: not sent, as mostly.
    pub hint: Option<Duration>,
    /// How long an unchanged `get_qrcode_status` is held.
    pub qr_hold: Duration,
    /// After this time a QR code is `expired`.
    pub qr_life: Duration,
    /// Wrong digits that are forgiven; one more blocks the code.
    pub digit_tries: u32,
    /// Messages that a bot may send per message of the person.
    pub quota: u32,
    /// How long after the person's last message it may send at all.
    pub window: Duration,
    /// So many sends of one bot …
    pub burst: usize,
    /// … within this time make the next one `prepare failed` …
    pub burst_within: Duration,
    /// … and everything else for so long.
    pub burst_rest: Duration,
    /// Characters of a text that the phone shows; the rest is gone.
    pub text_limit: usize,
    /// Messages per `getupdates` answer.
    pub batch: usize,
    /// What `getuploadurl` answers.
    pub upload_urls: UploadUrls,
    /// Whether media of people carry `full_url`.
    pub full_urls: bool,
    /// Bytes of cipher texts that the CDN keeps; then the oldest expire.
    pub media_limit: usize,
    /// Ids as texts instead of numbers.
    pub ids_as_text: bool,
    /// Where `message_id`s begin.
    pub first_id: u64,
    /// Scans and confirms every QR code by itself, for the account that has no binding (or the oldest one).
    pub auto_confirm: bool,
}

impl Default for IlinkSetup {
    fn default() -> Self {
        Self {
            hold: Duration::from_secs(35),
            hint: None,
            qr_hold: Duration::from_secs(30),
            qr_life: Duration::from_secs(120),
            digit_tries: 3,
            quota: 10,
            window: Duration::from_secs(24 * 3_600),
            burst: 18,
            burst_within: Duration::from_secs(34),
            burst_rest: Duration::from_secs(180),
            text_limit: 2_000,
            batch: 100,
            upload_urls: UploadUrls::Both,
            full_urls: true,
            // Ten files of the largest size that a client was seen to take.
            media_limit: 1_024 * 1_024 * 1_024,
            ids_as_text: false,
            first_id: 7_497_484_083_968_569_000,
            auto_confirm: false,
        }
    }
}

/// Which of its two URLs `getuploadurl` gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UploadUrls {
    /// `upload_full_url` and `upload_param`.
    Both,
    /// `upload_full_url`.
    Full,
    /// `upload_param`.
    Param,
}

/// A simulated iLink. Clones are handles to the same one.
#[derive(Clone)]
pub struct IlinkSim {
    shared: Arc<Shared>,
}

impl fmt::Debug for IlinkSim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IlinkSim").field("accounts", &self.bots().len()).finish_non_exhaustive()
    }
}

struct Shared {
    setup: RwLock<IlinkSetup>,
    seed: u64,
    bots: RwLock<Vec<Arc<Bot>>>,
    /// Rings when a bot was added.
    added: Notify,
    /// Whose token it is; dead ones too, for the journal.
    tokens: Mutex<HashMap<String, Arc<Bot>>>,
    codes: Mutex<login::Codes>,
    cdn: Mutex<cdn::Cdn>,
    book: Book,
    faults: Faults,
    rng: Mutex<StdRng>,
    ids: AtomicU64,
    /// 0 until it serves: then it is reached in memory only.
    port: AtomicU16,
}

impl IlinkSim {
    /// An iLink that nobody reaches yet. Each account of the world is a person with a phone, who may bind a bot; friends
    /// of the account are other people who can write to it.
    pub fn new(world: &World, setup: IlinkSetup) -> Self {
        let ids = AtomicU64::new(setup.first_id.saturating_add(world.seed % 1_000 * 1_000_000));
        let setup = IlinkSetup { auto_confirm: setup.auto_confirm || world.auto_confirm, ..setup };
        let shared = Shared {
            setup: RwLock::new(setup),
            seed: world.seed,
            bots: RwLock::default(),
            added: Notify::new(),
            tokens: Mutex::default(),
            codes: Mutex::default(),
            cdn: Mutex::default(),
            book: Book::new(),
            faults: Faults::default(),
            rng: Mutex::new(names::generator(world.seed, "ilink")),
            ids,
            port: AtomicU16::new(0),
        };
        let sim = Self { shared: Arc::new(shared) };
        for account in &world.accounts {
            if let Err(error) = sim.add_account(account.clone()) {
                tracing::warn!(%error, "An account of the world is left out.");
            }
        }
        sim
    }

    /// Starts it at a kernel-chosen port of this machine.
    pub async fn start(world: &World, setup: IlinkSetup) -> std::io::Result<Running<Self>> {
        Self::start_on(world, setup, TcpListener::bind("127.0.0.1:0").await?)
    }

    /// Starts it at this listener.
    pub fn start_on(world: &World, setup: IlinkSetup, listener: TcpListener) -> std::io::Result<Running<Self>> {
        let ilink = Self::new(world, setup);
        ilink.listens_at(&listener)?;
        Ok(Running::new(ilink, |ilink, stop| async move { ilink.run(listener, stop).await }))
    }

    /// Serves the protocol and, under `/__sim/`, the control API, and plays the scripts, until `stop`.
    pub async fn serve(&self, listener: TcpListener, stop: CancellationToken) -> std::io::Result<()> {
        self.listens_at(&listener)?;
        self.run(listener, stop).await;
        Ok(())
    }

    fn listens_at(&self, listener: &TcpListener) -> std::io::Result<()> {
        self.shared.port.store(listener.local_addr()?.port(), Ordering::Release);
        Ok(())
    }

    async fn run(&self, listener: TcpListener, stop: CancellationToken) {
        let (scripts, ilink) = (self.run_scripts(stop.clone()), self.clone());
        let serving = crate::http::serve(listener, &stop, move |request| {
            let ilink = ilink.clone();
            async move { ilink.handle(&request).await }
        });
        tokio::join!(scripts, serving);
    }

    /// Where it answers: `http://127.0.0.1:PORT`; in memory the address of the real service.
    pub fn endpoint(&self) -> String {
        match self.shared.port.load(Ordering::Acquire) {
            0 => "https://ilinkai.weixin.qq.com".to_owned(),
            port => format!("http://127.0.0.1:{port}"),
        }
    }

    /// Base of its CDN.
    pub fn cdn_endpoint(&self) -> String {
        match self.shared.port.load(Ordering::Acquire) {
            0 => "https://novac2c.cdn.weixin.qq.com/c2c".to_owned(),
            port => format!("http://127.0.0.1:{port}/c2c"),
        }
    }

    /// Adds a person, who has not bound a bot yet.
    pub fn add_account(&self, spec: AccountSpec) -> Result<(), SimError> {
        spec.validate().map_err(SimError::Invalid)?;
        let mut bots = self.shared.bots.write().unwrap_or_else(PoisonError::into_inner);
        if bots.iter().any(|bot| bot.name == spec.name) {
            return Err(SimError::DuplicateAccount { uin: spec.uin.unwrap_or_default(), name: spec.name });
        }
        bots.push(Arc::new(Bot::new(spec)));
        drop(bots);
        self.shared.added.notify_waiters();
        Ok(())
    }

    /// Changes the rules, from the next request on.
    pub fn change(&self, change: impl FnOnce(&mut IlinkSetup)) {
        change(&mut self.shared.setup.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// What happened so far.
    pub fn journal(&self) -> IlinkJournal {
        self.shared.book.journal()
    }

    /// What happened since then, ms since 1970: a long run asks often.
    pub fn journal_since(&self, at_ms: u64) -> IlinkJournal {
        self.shared.book.since(at_ms)
    }

    /// Forgets what happened so far; violations stay.
    pub fn forget(&self) {
        self.shared.book.forget();
    }

    /// What clients did that they should not do, one entry per kind.
    pub fn violations(&self) -> Vec<Violation> {
        self.shared.book.violations()
    }

    /// Waits until the journal looks as wanted; never ends by itself, so give it a timeout.
    pub async fn wait_for(&self, wanted: impl FnMut(&IlinkJournal) -> bool) {
        self.shared.book.wait_for(wanted).await;
    }

    /// Lets something go wrong with requests. `endpoint` is the last segment of the path (`getupdates`, `upload`) or `*`.
    pub fn inject(&self, fault: Fault) {
        self.shared.faults.inject(fault);
    }

    /// Lets nothing go wrong any more.
    pub fn clear_faults(&self) {
        self.shared.faults.clear();
    }

    fn setup(&self) -> IlinkSetup {
        self.shared.setup.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn bots(&self) -> Vec<Arc<Bot>> {
        self.shared.bots.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn bot(&self, name: &str) -> Result<Arc<Bot>, SimError> {
        let bots = self.shared.bots.read().unwrap_or_else(PoisonError::into_inner);
        let found = bots.iter().find(|bot| bot.name == name).cloned();
        found.ok_or_else(|| SimError::UnknownAccount(name.to_owned()))
    }

    fn tokens(&self) -> MutexGuard<'_, HashMap<String, Arc<Bot>>> {
        self.shared.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next_id(&self) -> u64 {
        self.shared.ids.fetch_add(1, Ordering::Relaxed)
    }

    fn now_ms(&self) -> u64 {
        self.shared.book.now_ms()
    }

    fn hex(&self, digits: usize) -> String {
        names::hex(&mut self.rng(), digits)
    }

    /// Text that must be percent-encoded in a query.
    fn opaque(&self, len: usize) -> String {
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        names::draw(&mut self.rng(), alphabet, len)
    }

    fn rng(&self) -> MutexGuard<'_, StdRng> {
        self.shared.rng.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
