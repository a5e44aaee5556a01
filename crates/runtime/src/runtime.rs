//! How does it all start, change and stop? The supervisor: one crew per account, none able to take another down.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::error::Error;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use wxbot_core::protocol::Protocol;
use wxbot_core::source::Source;
use wxbot_model::AccountName;
use wxbot_plugin::host::Host;

use crate::account::{Account, Parts, Settings};
use crate::clock::{Clock, WantedSchedule};
use crate::config::{AccountConfig, OnUncertain};
use crate::contacts::Contacts;
use crate::crew::Crew;
use crate::dispatch::dialogs::Dialogs;
use crate::dispatch::{Gate, RuntimeHost};
use crate::explain::Traces;
use crate::failpoint::{fail_point, waits_for};
use crate::media::MediaFolder;
use crate::middleware::{self, Guards, StationError};
use crate::outbox::MAX_TRIES;
use crate::plan::{Change, Plan};
use crate::plugin::{Held, Instances, PluginStartError};
use crate::reserve::{self, Reserve};
use crate::roster::Roster;
use crate::store::seal::Vault;
use crate::store::{Store, StoreError, Verdict};

/// What a runtime is made of.
#[derive(Debug)]
pub struct Ingredients {
    /// The enabled accounts and how each is reached.
    pub accounts: Vec<(AccountConfig, Arc<dyn Protocol>)>,
    /// Where everything lives.
    pub store: Arc<dyn Store>,
    /// Seals sessions.
    pub vault: Arc<Vault>,
    /// Where pictures, films and files lie.
    pub media: Arc<MediaFolder>,
    /// Time and chance.
    pub source: Source,
    /// False: only log in and take what comes; nothing is handled, sent or decided.
    pub works: bool,
}

/// Why accounts could not start or change. Nothing was started or changed then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A plugin could not be started.
    #[error(transparent)]
    Plugin(#[from] PluginStartError),
    /// A middleware that the program brings could not be made.
    #[error(transparent)]
    Middleware(#[from] StationError),
    /// The store could not be read.
    #[error("account `{account}` cannot start")]
    Store {
        /// Which.
        account: AccountName,
        /// Why.
        #[source]
        source: StoreError,
    },
    /// There is no way to its service.
    #[error("account `{account}` cannot be reached")]
    Protocol {
        /// Which.
        account: AccountName,
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

/// How long a stop waits.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// For handlers.
    pub handlers: Duration,
    /// For sends under way.
    pub sends: Duration,
}

impl Patience {
    /// For a service that is told to stop (SIGTERM), and for an account that a reload removes.
    pub const SERVICE: Self = Self { handlers: Duration::from_secs(20), sends: Duration::from_secs(10) };
    /// For a person at a terminal (Ctrl-C).
    pub const TERMINAL: Self = Self { handlers: Duration::from_secs(3), sends: Duration::from_secs(1) };
}

/// All accounts, running.
pub struct Runtime {
    /// In the order of `bot.toml`.
    crews: Vec<Crew>,
    roster: Roster,
    /// Crews of removed accounts, as long as their handlers and sends take to end.
    leaving: JoinSet<()>,
    /// Whose they are, and the sign that one has left.
    left: HashMap<AccountName, CancellationToken>,
    plugins: Instances,
    /// What belongs to no account: sweeping, decisions about uncertain sends, the clock.
    chores: JoinSet<()>,
    /// What the clock goes by.
    schedules: watch::Sender<Arc<[WantedSchedule]>>,
    stop: CancellationToken,
    host: Arc<RuntimeHost>,
    gate: Gate,
    store: Arc<dyn Store>,
    vault: Arc<Vault>,
    source: Source,
    works: bool,
    media: Arc<MediaFolder>,
    traces: Arc<Traces>,
    reserve: Arc<Reserve>,
}

/// Old rows are swept in steps of a thousand, this often.
const SWEEP_EVERY: Duration = Duration::from_secs(600);
/// Between steps, and how often somebody else goes first.
const IDLE_LOOK: Duration = Duration::from_millis(50);
const IDLE_LOOKS: u32 = 40;
/// What removed accounts may take beyond the patience that they have anyway.
const LEAVING_MARGIN: Duration = Duration::from_secs(1);

/// How often a stop looks whether handlers have ended.
const QUIET_LOOK: Duration = Duration::from_millis(20);

impl Runtime {
    /// Starts every account.
    ///
    /// # Errors
    /// When a plugin does not start or the store cannot be read: better no start than one that loses messages.
    pub async fn start(parts: Ingredients) -> Result<Self, StartError> {
        let Ingredients { accounts, store, vault, source, media, works } = parts;
        let mut runtime = Self {
            crews: Vec::new(),
            roster: Roster::default(),
            leaving: JoinSet::new(),
            left: HashMap::new(),
            plugins: Instances::default(),
            chores: JoinSet::new(),
            schedules: watch::Sender::new(Arc::from([])),
            stop: CancellationToken::new(),
            host: Arc::new(RuntimeHost::new(Arc::clone(&store), source.clone())),
            gate: Gate::default(),
            store,
            vault,
            source,
            works,
            media,
            traces: Arc::default(),
            reserve: Arc::default(),
        };
        let mut ways: HashMap<AccountName, Arc<dyn Protocol>> = HashMap::new();
        let mut configs = Vec::new();
        for (config, protocol) in accounts {
            ways.insert(config.name.clone(), protocol);
            configs.push(config);
        }
        // A start is a change from nothing.
        runtime
            .reload(&configs, |config| ways.remove(&config.name).ok_or_else(|| "no protocol was given".into()))
            .await?;
        if works {
            runtime.spawn_sweeper();
            runtime.spawn_clock();
            runtime.spawn_planned();
        }
        Ok(runtime)
    }

    /// Makes these the accounts that run, and touches only what differs ([`Plan::between`]). `way` is asked for the
    /// protocol of each account whose session begins, anew or for the first time.
    ///
    /// Everything that can fail comes first: new plugins are started, and added accounts are read from the store. The
    /// rest cannot fail and happens at once. A message whose handling has begun is handled to its end by what was in
    /// force then; the next one, and the next try of one that failed, sees the new. A removed account ends within
    /// [`Patience::SERVICE`] by itself, which nobody here waits for; one that comes back meanwhile does wait.
    ///
    /// Cancel safe: dropped before it is ready, it has changed nothing.
    ///
    /// # Errors
    /// When a plugin does not start, an account cannot be reached at all, or the store cannot be read. Then nothing is
    /// changed.
    pub async fn reload(
        &mut self,
        wanted: &[AccountConfig],
        way: impl FnMut(&AccountConfig) -> Result<Arc<dyn Protocol>, Box<dyn Error + Send + Sync>>,
    ) -> Result<Plan, StartError> {
        let prepared = self.prepare(wanted, way).await?;
        Ok(self.apply(prepared))
    }

    /// The first half of [`Self::reload`]: everything that can fail. Dropping the answer drops the reload. Nothing may
    /// be reloaded before it is put into force.
    ///
    /// # Errors
    /// As [`Self::reload`].
    pub async fn prepare(
        &mut self,
        wanted: &[AccountConfig],
        mut way: impl FnMut(&AccountConfig) -> Result<Arc<dyn Protocol>, Box<dyn Error + Send + Sync>>,
    ) -> Result<Prepared, StartError> {
        while self.leaving.try_join_next().is_some() {}
        while self.chores.try_join_next().is_some() {}
        self.left.retain(|_, left| !left.is_cancelled());
        let running: Vec<_> = self.crews.iter().map(|crew| crew.account.settings()).collect();
        let plan = Plan::between(running.iter().map(|settings| &settings.config), wanted);
        let (mut ready, mut added) = (HashMap::new(), Vec::new());
        for config in wanted.iter().filter(|config| config.enabled) {
            let was = running.iter().find(|settings| settings.config.name == config.name);
            let protocol = match (plan.change(&config.name), was) {
                (Some(Change::Unchanged | Change::Removed) | None, _) => continue,
                (Some(Change::Work(_)), Some(was)) => Arc::clone(&was.protocol),
                (Some(Change::Work(_) | Change::Session(_) | Change::Added), _) => {
                    way(config).map_err(|source| StartError::Protocol { account: config.name.clone(), source })?
                }
            };
            let settings = self.settings(config, protocol, was.map(|was| &**was)).await?;
            if was.is_none() {
                added.push(settings);
            } else {
                ready.insert(config.name.clone(), Ready::Settings(Arc::new(settings)));
            }
        }
        // What is stored of added accounts is brought into order, so it comes when all else is ready.
        let mut dialogs = self.dialogs_of(&added).await?;
        for settings in added {
            let name = settings.config.name.clone();
            let dialogs = Dialogs::load(dialogs.remove(&name).unwrap_or_default());
            let account = self.account(settings, dialogs).await?;
            ready.insert(name, Ready::Account(account));
        }
        Ok(Prepared { plan, ready })
    }

    async fn settings(
        &mut self,
        config: &AccountConfig,
        protocol: Arc<dyn Protocol>,
        was: Option<&Settings>,
    ) -> Result<Settings, StartError> {
        let mut plugins = Vec::new();
        let host: Arc<dyn Host> = Arc::clone(&self.host) as _;
        for wanted in &config.plugins {
            plugins.push(self.plugins.get(wanted, &host).await?);
        }
        let mut guards = Vec::new();
        for wanted in &config.guards {
            guards.push(self.plugins.get(wanted, &host).await?);
        }
        // Stable: equal ones stay in the order of `use`.
        plugins.sort_by_key(|plugin| Reverse(plugin.manifest.priority));
        let (used, stations) = was.map_or(([].as_slice(), [].as_slice()), |was| (&was.config.middleware, &was.chain));
        let guards = Guards { plugins: &guards, roles: &config.roles };
        let chain = middleware::renewed(&config.middleware, guards, &self.source, used, stations)?;
        Ok(Settings { config: config.clone(), protocol, chain, plugins })
    }

    /// The dialogs that are noted of accounts which start. One that was removed a moment ago has left then: two crews
    /// would send the same things.
    async fn dialogs_of(&self, added: &[Settings]) -> Result<HashMap<AccountName, Vec<(String, Value)>>, StartError> {
        for left in added.iter().filter_map(|settings| self.left.get(&settings.config.name)) {
            left.cancelled().await;
        }
        let Some(first) = added.first() else { return Ok(HashMap::new()) };
        let account = || first.config.name.clone();
        Dialogs::left(&*self.store).await.map_err(|source| StartError::Store { account: account(), source })
    }

    /// An account as the store knows it, ready to start.
    async fn account(&self, settings: Settings, dialogs: Dialogs) -> Result<Arc<Account>, StartError> {
        let name = settings.config.name.clone();
        let (store, vault) = (Arc::clone(&self.store), Arc::clone(&self.vault));
        let (media, traces, reserve) = (Arc::clone(&self.media), Arc::clone(&self.traces), Arc::clone(&self.reserve));
        let account = Account::new(Parts {
            store,
            vault,
            source: self.source.clone(),
            settings,
            media,
            dialogs,
            traces,
            reserve,
        });
        let failed = |source| StartError::Store { account: name.clone(), source };
        recover(&account, self.works).await.map_err(failed)?;
        account.silenced.load(&*account.store, &account.name).await.map_err(failed)?;
        Ok(Arc::new(account))
    }

    /// Puts a plan into force. Nothing here waits or fails, so it happens as a whole or not at all.
    pub fn apply(&mut self, prepared: Prepared) -> Plan {
        let Prepared { plan, mut ready } = prepared;
        let mut crews: HashMap<AccountName, Crew> =
            std::mem::take(&mut self.crews).into_iter().map(|crew| (crew.account.name.clone(), crew)).collect();
        for (name, change) in &plan.accounts {
            let (crew, new) = (crews.remove(name), ready.remove(name));
            match (crew, new) {
                (Some(crew), _) if *change == Change::Removed => self.dismiss(crew),
                (Some(mut crew), Some(Ready::Settings(settings))) => {
                    self.change(&mut crew, settings, change);
                    self.crews.push(crew);
                }
                (_, Some(Ready::Account(account))) => {
                    let works = self.works.then_some(&self.gate);
                    self.crews.push(Crew::start(account, works));
                }
                (Some(crew), _) => self.crews.push(crew),
                (None, _) => {}
            }
        }
        let accounts: Arc<[_]> = self.crews.iter().map(|crew| Arc::clone(&crew.account)).collect();
        self.host.know(&accounts);
        self.want_schedules(&accounts);
        self.roster.publish(accounts);
        fail_point!("start: crews at work");
        plan
    }

    fn change(&mut self, crew: &mut Crew, settings: Arc<Settings>, change: &Change) {
        let account = &crew.account;
        let was = account.settings().config.on_uncertain;
        let decided = settings.config.on_uncertain;
        account.put(settings);
        // A faster pace may let sends go out at once.
        account.outbox.look();
        if was != decided && self.works {
            // As at a start. What fails here is made up for at the next one.
            let account = Arc::clone(account);
            self.chores.spawn(async move {
                if let Err(error) = decide(&account).await {
                    tracing::error!(account = %account.name, %error, "Uncertain replies are not decided before the next start.");
                }
                account.outbox.look();
            });
        }
        if matches!(change, Change::Session(_)) {
            crew.renew_session();
        }
    }

    fn dismiss(&mut self, crew: Crew) {
        tracing::info!(
            account = %crew.account.name,
            "Account removed. What is stored of it stays, and goes on when the account comes back."
        );
        let left = CancellationToken::new();
        self.left.insert(crew.account.name.clone(), left.clone());
        let left = left.drop_guard();
        self.leaving.spawn(async move {
            let _left = left;
            crew.leave(Patience::SERVICE, "removed from bot.toml").await;
        });
    }

    fn spawn_sweeper(&mut self) {
        let (store, source, stop) = (Arc::clone(&self.store), self.source.clone(), self.stop.child_token());
        let media = Arc::clone(&self.media);
        self.chores.spawn(async move {
            let every = if waits_for("sweep old rows") { Duration::ZERO } else { SWEEP_EVERY };
            while stop.run_until_cancelled(tokio::time::sleep(every)).await.is_some() {
                media.sweep().await;
                let mut more = true;
                while more {
                    when_idle(&*store).await;
                    more = matches!(store.sweep(source.now_ms()).await, Ok(true));
                }
                if let Err(error) = store.checkpoint().await {
                    tracing::debug!(%error, "The log of the store is not tidied away this time.");
                }
            }
        });
    }

    fn spawn_clock(&mut self) {
        let (store, source, roster) = (Arc::clone(&self.store), self.source.clone(), self.roster.clone());
        let clock = Clock::new(store, source, roster, self.schedules.subscribe());
        let clock = clock.within(Arc::clone(&self.reserve)).run(self.stop.child_token());
        self.chores.spawn(async move {
            if AssertUnwindSafe(clock).catch_unwind().await.is_err() {
                tracing::error!(
                    "The clock panicked: no timer or schedule fires before the next start. Please report it."
                );
            }
        });
    }

    fn spawn_planned(&mut self) {
        let (store, source, roster) = (Arc::clone(&self.store), self.source.clone(), self.roster.clone());
        let planned = crate::planned::run(store, source, roster, self.stop.child_token());
        self.chores.spawn(async move {
            if AssertUnwindSafe(planned).catch_unwind().await.is_err() {
                tracing::error!("Planned messages panicked: none goes out before the next start. Please report it.");
            }
        });
    }

    /// Watches the disk of `folder` from now on: with less than `bytes` free there, handling and sending stop, and taking
    /// last. 0 watches only whether the store can be written.
    pub fn keep_free(&mut self, folder: PathBuf, bytes: u64) {
        self.reserve.set(bytes);
        let (reserve, store, roster) = (Arc::clone(&self.reserve), Arc::clone(&self.store), self.roster.clone());
        let watching = reserve::watch(reserve, folder, store, roster, self.stop.child_token());
        self.chores.spawn(async move {
            if AssertUnwindSafe(watching).catch_unwind().await.is_err() {
                tracing::error!("Nobody looks at the disk any more: the watch panicked. Please report it.");
            }
        });
    }

    /// Another amount to keep free, from now on.
    pub fn keep_so_much_free(&self, bytes: u64) {
        self.reserve.set(bytes);
    }

    /// Makes the schedules of these accounts the ones in force, in place of all before. One of the same account, plugin
    /// and name goes on where it is.
    fn want_schedules(&self, accounts: &[Arc<Account>]) {
        let of = |account: &Arc<Account>| {
            let (name, settings) = (account.name.clone(), account.settings());
            let of =
                |plugin: &Arc<Held>| plugin.schedules.iter().map(|one| one.of(&name, &plugin.id)).collect::<Vec<_>>();
            settings.plugins.iter().flat_map(of).collect::<Vec<WantedSchedule>>()
        };
        self.schedules.send_replace(accounts.iter().flat_map(of).collect());
    }

    /// The accounts of this moment, in the order of `bot.toml`.
    pub fn accounts(&self) -> Arc<[Arc<Account>]> {
        self.roster.now()
    }

    /// The accounts of any moment: a list that reloads keep up to date.
    pub fn roster(&self) -> Roster {
        self.roster.clone()
    }

    /// Where pictures, films and files lie.
    pub fn media(&self) -> &Arc<MediaFolder> {
        &self.media
    }

    /// Where everything lives.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Stops: no more events taken, handlers end, sends end, store closed. What does not end within `patience` is as
    /// safe as after kill -9.
    pub async fn stop(mut self, patience: Patience) {
        fail_point!("stop: begun");
        let crews = std::mem::take(&mut self.crews);
        let stopping = join_all(crews.into_iter().map(|crew| crew.leave(patience, "wxbot stops")));
        // A send that waits for its file has written nothing: it goes back to the queue instead of being uncertain.
        let (accounts, media) = (self.accounts(), Arc::clone(&self.media));
        let fetching = async {
            let quiet = async {
                while !accounts.iter().all(|account| account.feed.is_quiet()) {
                    tokio::time::sleep(QUIET_LOOK).await;
                }
            };
            tokio::time::timeout(patience.handlers, quiet).await.ok();
            media.stop().await;
        };
        tokio::join!(stopping, fetching, drain(&mut self.leaving, patience.handlers + patience.sends + LEAVING_MARGIN));
        fail_point!("stop: crews gone");
        self.stop.cancel();
        drain(&mut self.chores, patience.sends).await;
        self.plugins.close().await;
        if let Err(error) = self.store.close().await {
            tracing::warn!(%error, "The store did not close in order.");
        }
    }
}

/// A reload of which everything that can fail has been done.
#[must_use = "nothing is in force before it is applied"]
pub struct Prepared {
    plan: Plan,
    ready: HashMap<AccountName, Ready>,
}

impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prepared").field("plan", &self.plan).finish_non_exhaustive()
    }
}

/// What a reload has made ready.
enum Ready {
    /// For an account that runs.
    Settings(Arc<Settings>),
    /// One that starts.
    Account(Arc<Account>),
}

async fn recover(account: &Account, works: bool) -> Result<(), StoreError> {
    let store = &account.store;
    store.recover(&account.name).await?;
    fail_point!("start: account recovered");
    if works {
        decide(account).await?;
    }
    // Not `counts`, which looks at all that ever was: a start must not take longer with each day of history.
    let left = store.left_to_people().await?;
    if let Some(left) = left.iter().find(|left| left.account == account.name.as_str() && left.uncertain > 0) {
        tracing::warn!(
            account = %account.name,
            uncertain = left.uncertain,
            "Replies may or may not have gone out; they are held (`on_uncertain`)."
        );
    }
    let contacts = Contacts::load(store.contacts(&account.name).await?);
    account.write_contacts(|book| *book = contacts);
    fail_point!("start: contacts read");
    Ok(())
}

/// Decides the sends of which nobody knows, where the account has a policy.
async fn decide(account: &Account) -> Result<(), StoreError> {
    let safely = account.settings().protocol.resends_safely();
    match account.settings().config.on_uncertain {
        // The service shows none of them twice: nobody has to decide anything.
        OnUncertain::Hold | OnUncertain::Resend if safely => {
            let verdict = Verdict::ResendSafely { below: MAX_TRIES };
            account.store.decide_uncertain(&account.name, verdict).await?;
        }
        OnUncertain::Hold => {}
        OnUncertain::Resend => drop(account.store.decide_uncertain(&account.name, Verdict::Resend).await?),
        OnUncertain::Drop => drop(account.store.decide_uncertain(&account.name, Verdict::Drop).await?),
    }
    Ok(())
}

/// Waits for a moment in which nobody writes, but not for ever: under constant load there would be none.
async fn when_idle(store: &dyn Store) {
    for _ in 0..IDLE_LOOKS {
        tokio::time::sleep(IDLE_LOOK).await;
        if store.is_idle() {
            return;
        }
    }
}

async fn drain(tasks: &mut JoinSet<()>, patience: Duration) {
    let all = async { while tasks.join_next().await.is_some() {} };
    if tokio::time::timeout(patience, all).await.is_err() {
        tasks.shutdown().await;
    }
}

impl std::fmt::Debug for Runtime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runtime").field("accounts", &self.roster).finish_non_exhaustive()
    }
}
