//! How does it all start and stop? The supervisor: one set of tasks per account, none able to take another down.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use wxbot_core::protocol::Protocol;
use wxbot_core::source::Source;
use wxbot_model::AccountName;

use crate::account::{Account, Parts};
use crate::config::{AccountConfig, OnUncertain, Registry};
use crate::contacts::Contacts;
use crate::dispatch::{self, Gate, Handler, RuntimeHost};
use crate::media::MediaFolder;
use crate::middleware;
use crate::outbox;
use crate::plugin::{ActivePlugin, PluginStartError};
use crate::session;
use crate::store::seal::Vault;
use crate::store::{Store, StoreError, Verdict};

/// What a runtime is made of.
#[derive(Debug)]
pub struct Ingredients {
    /// The enabled accounts and how each is reached.
    pub accounts: Vec<(AccountConfig, Arc<dyn Protocol>)>,
    /// The plugins that may be used.
    pub registry: Arc<Registry>,
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

/// Why a runtime could not start. Nothing of it runs then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A plugin could not be started.
    #[error(transparent)]
    Plugin(#[from] PluginStartError),
    /// The store could not be read.
    #[error("account `{account}` cannot start")]
    Store {
        /// Which.
        account: AccountName,
        /// Why.
        #[source]
        source: StoreError,
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
    /// For a service that is told to stop (SIGTERM).
    pub const SERVICE: Self = Self { handlers: Duration::from_secs(20), sends: Duration::from_secs(10) };
    /// For a person at a terminal (Ctrl-C).
    pub const TERMINAL: Self = Self { handlers: Duration::from_secs(3), sends: Duration::from_secs(1) };
}

/// All accounts, running.
#[derive(Debug)]
pub struct Runtime {
    accounts: Vec<Arc<Account>>,
    plugins: Vec<Arc<ActivePlugin>>,
    store: Arc<dyn Store>,
    media: Arc<MediaFolder>,
    sessions: JoinSet<()>,
    workers: JoinSet<()>,
    intake: CancellationToken,
    work: CancellationToken,
    sends: CancellationToken,
}

/// Old rows are swept in steps of a thousand, this often.
const SWEEP_EVERY: Duration = Duration::from_secs(600);

impl Runtime {
    /// Starts every account.
    ///
    /// # Errors
    /// When a plugin does not start or the store cannot be read: better no start than one that loses messages.
    pub async fn start(parts: Ingredients) -> Result<Self, StartError> {
        let host = Arc::new(RuntimeHost::new(Arc::clone(&parts.store), parts.source.clone()));
        let mut instances: Vec<(String, serde_json::Value, Arc<ActivePlugin>)> = Vec::new();
        let mut accounts = Vec::new();
        for (config, protocol) in &parts.accounts {
            let mut plugins = Vec::new();
            for wanted in &config.plugins {
                // Accounts with the same settings share an instance.
                let same = instances.iter().find(|(id, settings, _)| *id == wanted.id && *settings == wanted.settings);
                if let Some((.., plugin)) = same {
                    plugins.push(Arc::clone(plugin));
                    continue;
                }
                let factory = parts
                    .registry
                    .plugin(&wanted.id)
                    .ok_or_else(|| PluginStartError { id: wanted.id.clone(), why: "it is not built in".into() })?;
                let plugin = ActivePlugin::start(factory, wanted).await?;
                instances.push((wanted.id.clone(), wanted.settings.clone(), Arc::clone(&plugin)));
                plugins.push(plugin);
            }
            let account = Arc::new(Account::new(Parts {
                name: config.name.clone(),
                protocol_name: config.protocol.clone(),
                protocol: Arc::clone(protocol),
                store: Arc::clone(&parts.store),
                vault: Arc::clone(&parts.vault),
                source: parts.source.clone(),
                pacing: config.pacing,
                on_uncertain: config.on_uncertain,
                chain: middleware::chain(&config.middleware, &parts.source),
                plugins,
                media: Arc::clone(&parts.media),
            }));
            Self::recover(&account, parts.works)
                .await
                .map_err(|source| StartError::Store { account: config.name.clone(), source })?;
            accounts.push(account);
        }
        host.know(&accounts);
        let mut runtime = Self {
            accounts,
            plugins: instances.into_iter().map(|(.., plugin)| plugin).collect(),
            store: Arc::clone(&parts.store),
            media: Arc::clone(&parts.media),
            sessions: JoinSet::new(),
            workers: JoinSet::new(),
            intake: CancellationToken::new(),
            work: CancellationToken::new(),
            sends: CancellationToken::new(),
        };
        runtime.spawn_sessions();
        if parts.works {
            runtime.spawn_workers(&host, &parts.source);
        }
        Ok(runtime)
    }

    async fn recover(account: &Account, works: bool) -> Result<(), StoreError> {
        let store = &account.store;
        store.recover(&account.name).await?;
        match account.on_uncertain {
            OnUncertain::Resend | OnUncertain::Drop if !works => {}
            OnUncertain::Hold => {}
            OnUncertain::Resend => drop(store.decide_uncertain(&account.name, Verdict::Resend).await?),
            OnUncertain::Drop => drop(store.decide_uncertain(&account.name, Verdict::Drop).await?),
        }
        let counts = store.counts(&account.name).await?;
        if counts.outbox.uncertain > 0 {
            tracing::warn!(
                account = %account.name,
                uncertain = counts.outbox.uncertain,
                "Replies may or may not have gone out; they are held (`on_uncertain`)."
            );
        }
        let contacts = Contacts::load(store.contacts(&account.name).await?);
        account.write_contacts(|book| *book = contacts);
        Ok(())
    }

    fn spawn_sessions(&mut self) {
        for account in &self.accounts {
            self.sessions.spawn(session::run::run(Arc::clone(account), self.intake.child_token()));
        }
    }

    fn spawn_workers(&mut self, host: &Arc<RuntimeHost>, source: &Source) {
        let gate = Gate::default();
        for account in &self.accounts {
            let handler = Arc::new(Handler::new(Arc::clone(account), Arc::clone(host) as _));
            let (account, gate) = (Arc::clone(account), gate.clone());
            let (work, sends) = (self.work.child_token(), self.sends.child_token());
            self.workers.spawn(outbox::run(Arc::clone(&account), sends, Patience::SERVICE.sends));
            self.workers.spawn(dispatch::run(account, handler, gate, work, Patience::SERVICE.handlers));
        }
        let (store, source, stop) = (Arc::clone(&self.store), source.clone(), self.work.child_token());
        let media = Arc::clone(&self.media);
        self.workers.spawn(async move {
            while stop.run_until_cancelled(tokio::time::sleep(SWEEP_EVERY)).await.is_some() {
                media.sweep().await;
                while let Ok(true) = store.sweep(source.now_ms()).await {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        });
    }

    /// The accounts, in the order of `bot.toml`.
    pub fn accounts(&self) -> &[Arc<Account>] {
        &self.accounts
    }

    /// One account.
    pub fn account(&self, name: &AccountName) -> Option<&Arc<Account>> {
        self.accounts.iter().find(|a| a.name == *name)
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
        self.intake.cancel();
        Self::drain(&mut self.sessions, Duration::from_secs(1)).await;
        self.work.cancel();
        // Handlers and sends share the workers; the outbox goes on until the handlers had their time.
        let idle = async {
            while !self.accounts.iter().all(|a| a.feed.is_quiet()) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(patience.handlers, idle).await.ok();
        self.sends.cancel();
        // A send that waits for its file has written nothing: it goes back to the queue instead of being uncertain.
        self.media.stop().await;
        Self::drain(&mut self.workers, patience.sends).await;
        for plugin in &self.plugins {
            plugin.stop().await;
        }
        if let Err(error) = self.store.close().await {
            tracing::warn!(%error, "The store did not close in order.");
        }
    }

    async fn drain(tasks: &mut JoinSet<()>, patience: Duration) {
        let all = async { while tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(patience, all).await.is_err() {
            tasks.shutdown().await;
        }
    }
}
