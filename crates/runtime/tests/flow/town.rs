//! A runtime with several accounts on the in-memory simulator, made from a whole `bot.toml` that a test may change.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::Deserialize;
use wxbot_core::source::Source;
use wxbot_core::webwx::endpoint::Mode;
use wxbot_core::webwx::{Settings, WebWx};
use wxbot_plugin::host::PluginFactory;
use wxbot_plugin::prelude::*;
use wxbot_runtime::account::Account;
use wxbot_runtime::config::{self, AccountConfig, Endpoint, MediaSettings, Registry};
use wxbot_runtime::media::MediaFolder;
use wxbot_runtime::plan::{Change, Plan};
use wxbot_runtime::runtime::{Ingredients, Patience, Runtime};
use wxbot_runtime::store::seal::Vault;
use wxbot_runtime::store::sqlite::{DataDir, SqliteStore};
use wxbot_runtime::store::{Counts, Store};
use wxbot_sim::{AccountSpec, FriendSpec, Journal, Sim, World};

use crate::rig;

/// Counts what it answers, in its own memory only. `slow` takes ten seconds.
pub(crate) struct Counter {
    settings: CounterSettings,
    answered: AtomicU32,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct CounterSettings {
    /// In front of each answer.
    word: String,
    /// Whose life is written down: one test's.
    test: String,
    /// Does not start.
    broken: bool,
}

impl Default for CounterSettings {
    fn default() -> Self {
        Self { word: "n".into(), test: String::new(), broken: false }
    }
}

/// What instances lived through, in order.
static LIFE: Mutex<Vec<(String, String)>> = Mutex::new(Vec::new());

fn note(test: &str, what: String) {
    LIFE.lock().unwrap().push((test.to_owned(), what));
}

/// What the instances of one test lived through.
pub(crate) fn life(test: &str) -> Vec<String> {
    LIFE.lock().unwrap().iter().filter(|(of, _)| of == test).map(|(_, what)| what.clone()).collect()
}

impl PluginConfig for CounterSettings {
    fn schema() -> serde_json::Value {
        serde_json::json!({ "type": "object" })
    }
    fn read(settings: &serde_json::Value, _place: &Place) -> Result<Self, Vec<ConfigProblem>> {
        ConfigProblem::read_as(settings)
    }
}

impl Plugin for Counter {
    type Config = CounterSettings;
    fn manifest() -> Manifest {
        Manifest::new("counter", "Counts its answers.").needs(&[Capability::SendText]).events(&["message"])
    }
    async fn init(settings: CounterSettings, _cx: &InitCtx) -> Result<Self, PluginError> {
        if settings.broken {
            return Err(PluginError::msg("the counter is broken"));
        }
        note(&settings.test, format!("start {}", settings.word));
        Ok(Self { settings, answered: AtomicU32::new(0) })
    }
    async fn on_event(&self, event: &Event, _cx: &Ctx) -> Result<Effects, PluginError> {
        let Some(text) = event.text() else { return Ok(Effects::none()) };
        if text == "slow" {
            note(&self.settings.test, format!("begin {}", self.settings.word));
            tokio::time::sleep(Duration::from_secs(10)).await;
        }
        let n = self.answered.fetch_add(1, Ordering::Relaxed) + 1;
        Ok(Effects::reply(format!("{}{n}: {text}", self.settings.word)))
    }
    async fn stop(&self) {
        note(&self.settings.test, format!("stop {}", self.settings.word));
    }
}

pub(crate) struct Town {
    pub(crate) sim: Sim,
    pub(crate) runtime: Runtime,
    registry: Registry,
    source: Source,
    _lock: DataDir,
    _dir: tempfile::TempDir,
}

/// A good file: accounts with these names and lines, no pace to speak of, and `counter` where nothing is said.
pub(crate) fn file(top: &str, accounts: &[(&str, &str)]) -> String {
    let mut text = String::new();
    let fast = "pacing = { per_account = \"100000/s\", per_chat = \"100000/s\" }\n";
    let simple = "middleware = [\"ignore-self\"]\n";
    for (key, line) in [("pacing", fast), ("middleware", simple)] {
        text += if top.contains(key) { "" } else { line };
    }
    text += &format!("{top}\n");
    if !top.contains("[plugins.counter]") {
        text += "[plugins.counter]\n";
    }
    text += "[plugins.echo]\n";
    for (name, lines) in accounts {
        let used = if lines.contains("use =") { "" } else { "use = [\"counter\"]\n" };
        let endpoint = if lines.contains("endpoint =") { "" } else { "endpoint = \"http://sim.invalid\"\n" };
        text += &format!("[[accounts]]\nname = \"{name}\"\nprotocol = \"web\"\n{endpoint}{used}{lines}\n");
    }
    text
}

impl Town {
    /// Everybody of `people` has a phone; who of them is operated is said by the file.
    pub(crate) async fn new(people: &[&str], text: &str) -> Self {
        let world = people.iter().fold(World::default(), |world, name| {
            let friends = ["Alice", "Bob"].map(|nick| FriendSpec {
                nick: nick.into(),
                alias: nick.to_lowercase(),
                ..FriendSpec::default()
            });
            world.with(AccountSpec { friends: friends.into(), ..AccountSpec::new(*name) })
        });
        let sim = Sim::new(world);
        let mut registry = rig::registry();
        registry.plugins.push(PluginFactory::of::<Counter>());
        let source = Source::seeded(3, rig::now_s());
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        let lock = DataDir::open(&data).unwrap();
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&lock).unwrap());
        let accounts = accounts(text, &registry).into_iter().filter(|account| account.enabled);
        let accounts = accounts.map(|account| {
            let protocol = protocol(&account, &sim, &source);
            (account, protocol)
        });
        let limits = MediaSettings::default();
        let media = MediaFolder::open(&data, Arc::clone(&store), source.clone(), limits).await.unwrap();
        let parts = Ingredients {
            accounts: accounts.collect(),
            store,
            vault: Arc::new(Vault::open(&data).unwrap()),
            media,
            source: source.clone(),
            works: true,
        };
        let runtime = Runtime::start(parts).await.unwrap();
        Self { sim, runtime, registry, source, _lock: lock, _dir: dir }
    }

    /// Reloads; what changed in short, or why not.
    pub(crate) async fn reload(&mut self, text: &str) -> Result<String, String> {
        let wanted = accounts(text, &self.registry);
        let (sim, source) = (self.sim.clone(), self.source.clone());
        let way = |config: &AccountConfig| match config.proxy.as_ref().and_then(|url| url.host_str()) {
            Some("nowhere.invalid") => Err("there is no such proxy".into()),
            _ => Ok(protocol(config, &sim, &source)),
        };
        let plan = self.runtime.reload(&wanted, way).await.map_err(|error| error.to_string())?;
        Ok(short(&plan))
    }

    pub(crate) fn account(&self, name: &str) -> Arc<Account> {
        let accounts = self.runtime.accounts();
        let found = accounts.iter().find(|account| account.name.as_str() == name);
        Arc::clone(found.unwrap_or_else(|| panic!("no account {name} in {accounts:?}")))
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.runtime.accounts().iter().map(|account| account.name.to_string()).collect()
    }

    /// Scans for an account that has no session.
    pub(crate) async fn log_in(&self, name: &str) {
        let account = self.account(name);
        let _ask = account.ask_login();
        let uuid = self.sim.next_uuid().await;
        self.sim.scan(&uuid, name).unwrap();
        self.sim.confirm(&uuid).unwrap();
        phase(&account, "online").await;
    }

    pub(crate) fn hear(&self, name: &str, from: &str, text: &str) {
        self.sim.deliver(name, rig::say(from, text)).unwrap();
    }

    /// Waits for the journal; a day of the paused clock is for ever.
    pub(crate) async fn until(&self, what: &str, wanted: impl FnMut(&Journal) -> bool) {
        let waited = tokio::time::timeout(Duration::from_secs(86_400), self.sim.wait_for(wanted)).await;
        let sent = || self.sim.journal().sends.into_iter().map(|send| (send.account, send.content)).collect::<Vec<_>>();
        waited.unwrap_or_else(|_| panic!("never: {what}; sent {:?}", sent()));
    }

    /// Waits for so many answers of an account, and answers them all.
    pub(crate) async fn answers(&self, name: &str, count: usize) -> Vec<String> {
        self.until(&format!("{count} answers of {name}"), |j| j.sends_of(name).count() >= count).await;
        self.sim.journal().sends_of(name).map(|send| send.content.clone()).collect()
    }

    pub(crate) fn logins(&self, name: &str) -> usize {
        self.sim.journal().logins_of(name)
    }

    pub(crate) fn inits(&self, name: &str) -> usize {
        self.sim.journal().inits.iter().filter(|init| init.account == name).count()
    }

    pub(crate) async fn counts(&self, name: &str) -> Counts {
        self.runtime.store().counts(&name.parse().unwrap()).await.unwrap()
    }

    /// Waits until a condition holds that nothing tells of.
    pub(crate) async fn settled(&self, what: &str, condition: impl AsyncFn(&Self) -> bool) {
        for _ in 0..100_000 {
            if condition(self).await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        panic!("never: {what}");
    }

    pub(crate) async fn stop(self) -> Sim {
        self.runtime.stop(Patience::TERMINAL).await;
        self.sim
    }
}

pub(crate) async fn phase(account: &Account, word: &str) {
    let mut status = account.status();
    let reached = tokio::time::timeout(Duration::from_secs(86_400), status.wait_for(|s| s.phase.word() == word)).await;
    let reached = reached.map(|found| found.is_ok());
    assert_eq!(reached, Ok(true), "{} never {word}: {:?}", account.name, account.status().borrow());
}

fn accounts(text: &str, registry: &Registry) -> Vec<AccountConfig> {
    let loaded = config::parse(text, Path::new("bot.toml"), registry);
    loaded.unwrap_or_else(|mistakes| panic!("{mistakes}\n{text}")).config.accounts
}

fn protocol(account: &AccountConfig, sim: &Sim, source: &Source) -> Arc<dyn wxbot_core::Protocol> {
    let mode =
        Mode { desktop: false, client_version: String::new(), extspam: String::new(), user_agent: String::new() };
    let endpoint = match &account.endpoint {
        Some(Endpoint::Url(url)) => Some(url.clone()),
        Some(Endpoint::Sim) | None => None,
    };
    Arc::new(WebWx::new(Settings { endpoint, mode, mark_read: false }, sim.transport(), source.clone()))
}

fn short(plan: &Plan) -> String {
    let one = |(name, change): &(wxbot_model::AccountName, Change)| match change {
        Change::Added => Some(format!("+{name}")),
        Change::Removed => Some(format!("-{name}")),
        Change::Session(keys) => Some(format!("{name} anew: {}", keys.join(" "))),
        Change::Work(keys) => Some(format!("{name}: {}", keys.join(" "))),
        Change::Unchanged => None,
    };
    plan.accounts.iter().filter_map(one).collect::<Vec<_>>().join(", ")
}
