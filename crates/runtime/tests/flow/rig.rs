//! A runtime with one account on the in-memory simulator, and two small plugins.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use wxbot_core::source::Source;
use wxbot_core::transport::Transport;
use wxbot_core::webwx::endpoint::Mode;
use wxbot_core::webwx::{Settings, WebWx, capabilities};
use wxbot_model::span::Rate;
use wxbot_plugin::host::PluginFactory;
use wxbot_plugin::middleware::Station;
use wxbot_plugin::prelude::*;
use wxbot_plugin::{Envelope, Middleware, Next, Outcome, StationConfig};
use wxbot_runtime::account::LoginAsk;
use wxbot_runtime::config::{self, Pacing, ProtocolSpec, Registry};
use wxbot_runtime::explain;
use wxbot_runtime::media::MediaFolder;
use wxbot_runtime::middleware;
use wxbot_runtime::runtime::{Ingredients, Patience, Runtime};
use wxbot_runtime::store::seal::Vault;
use wxbot_runtime::store::sqlite::{DataDir, SqliteStore};
use wxbot_runtime::store::{Counts, Store};
use wxbot_sim::{Deliver, Sim, World};

use crate::veil::Veil;

pub(crate) struct Echo;

impl Plugin for Echo {
    type Config = NoConfig;
    fn manifest() -> Manifest {
        Manifest::new("echo", "Says it again.").needs(&[Capability::SendText])
    }
    async fn init(_config: NoConfig, _cx: &InitCtx) -> Result<Self, PluginError> {
        Ok(Self)
    }
    async fn on_event(&self, event: &Event, _cx: &Ctx) -> Result<Effects, PluginError> {
        Ok(event.text().map_or_else(Effects::none, |text| Effects::reply(format!("echo: {text}"))))
    }
}

pub(crate) struct Bad;

impl Plugin for Bad {
    type Config = NoConfig;
    fn manifest() -> Manifest {
        Manifest::new("bad", "Misbehaves on request.")
    }
    async fn init(_config: NoConfig, _cx: &InitCtx) -> Result<Self, PluginError> {
        Ok(Self)
    }
    async fn on_event(&self, event: &Event, _cx: &Ctx) -> Result<Effects, PluginError> {
        match event.text() {
            Some("panic") => panic!("asked to"),
            Some("fail") => Err(PluginError::msg("asked to")),
            Some("slow") => std::future::pending().await,
            _ => Ok(Effects::none()),
        }
    }
}

/// Answers what a plugin can ask about contacts.
pub(crate) struct Who;

impl Plugin for Who {
    type Config = NoConfig;
    fn manifest() -> Manifest {
        Manifest::new("who", "Says who is who.").needs(&[Capability::SendText])
    }
    async fn init(_config: NoConfig, _cx: &InitCtx) -> Result<Self, PluginError> {
        Ok(Self)
    }
    async fn on_event(&self, event: &Event, cx: &Ctx) -> Result<Effects, PluginError> {
        let Some(text) = event.text() else { return Ok(Effects::none()) };
        let found = cx.find_contacts(text);
        let mut answer: Vec<String> = found.iter().map(|found| found.name.clone()).collect();
        for room in found.iter().filter(|found| found.kind == wxbot_model::ContactKind::Room) {
            let members = cx.members(&room.id).await?;
            answer.extend(members.iter().map(|member| format!("{}/{}", member.name, member.public_name())));
        }
        Ok(Effects::reply(answer.join(" ")))
    }
}

/// A middleware that a program brings: stops texts with a word, and counts them.
pub(crate) struct Shy {
    word: String,
    heard: AtomicU32,
}

impl Middleware for Shy {
    fn name(&self) -> &str {
        Self::NAME
    }
    async fn handle(&self, env: Envelope, next: Next<'_>) -> Outcome {
        if env.event.text().is_some_and(|text| text.contains(&self.word)) {
            let times = self.heard.fetch_add(1, Ordering::Relaxed) + 1;
            return Outcome::stopped(Self::NAME, format!("`{}`, {times} times", self.word));
        }
        next.run(env).await
    }
}

impl StationConfig for Shy {
    type Config = serde_json::Value;
    const NAME: &'static str = "shy";
    const ABOUT: &'static str = "Stops texts with a word.";
    fn make(config: serde_json::Value) -> Result<Self, PluginError> {
        let word = config.get("word").and_then(serde_json::Value::as_str).ok_or_else(|| PluginError::msg("no word"))?;
        Ok(Self { word: word.to_owned(), heard: AtomicU32::new(0) })
    }
}

pub(crate) struct Rig {
    pub(crate) sim: Sim,
    /// Between the account and the simulator.
    pub(crate) veil: Arc<Veil>,
    runtime: Option<Runtime>,
    dir: tempfile::TempDir,
    source: Source,
    lock: Option<DataDir>,
}

pub(crate) fn say(from: &str, text: &str) -> Deliver {
    Deliver::text(from, text)
}

impl Rig {
    pub(crate) async fn new(account: &str) -> Self {
        Self::with_world("", account).await
    }

    pub(crate) async fn with_world(world: &str, account: &str) -> Self {
        Self::with_friends(world, "", account).await
    }

    /// With these friends besides Alice and 鲍勃.
    pub(crate) async fn with_friends(world: &str, friends: &str, account: &str) -> Self {
        let world = format!(
            r#"{world}
            [[accounts]]
            name = "shop"
            nick = "小店"
            friends = [{{ nick = "Alice", alias = "alice" }}, {{ nick = "鲍勃", alias = "bob" }}, {friends}]
            rooms = [
                {{ topic = "测试群", members = ["Alice", "鲍勃"], saved = true }},
                # Nobody spoke there lately: a login brings no list of it.
                {{ topic = "静群", members = ["Alice", "路人"], saved = true, met = "message" }},
            ]
            "#
        );
        // RUST_LOG=debug shows what a failing test did; `--nocapture` prints it.
        tracing_subscriber::fmt()
            .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
            .with_test_writer()
            .try_init()
            .ok();
        let sim = Sim::new(World::from_toml(&world).unwrap());
        let dir = tempfile::tempdir().unwrap();
        let veil = Arc::new(Veil::new(sim.transport()));
        let mut rig = Self { sim, veil, runtime: None, dir, source: Source::seeded(3, now_s()), lock: None };
        rig.start(account).await;
        rig
    }

    pub(crate) async fn start(&mut self, account: &str) {
        self.start_as(account, true).await;
    }

    /// With `works` false as `wxbot login` does it: sessions only.
    pub(crate) async fn start_as(&mut self, account: &str, works: bool) {
        self.start_with("", account, works).await;
    }

    /// With these lines at the top of the file.
    pub(crate) async fn start_below(&mut self, top: &str, account: &str) {
        self.start_with(top, account, true).await;
    }

    async fn start_with(&mut self, top: &str, account: &str, works: bool) {
        let or = |key: &str, default: &str| if account.contains(key) { String::new() } else { default.to_owned() };
        let text = [
            top.to_owned(),
            "[[accounts]]\nname = \"shop\"\nprotocol = \"web\"\nendpoint = \"http://sim.invalid\"".to_owned(),
            or("middleware", "middleware = [\"ignore-self\", \"old-message\"]"),
            or("use", "use = [\"echo\"]"),
            or("pacing", "pacing = { per_account = \"100000/s\", per_chat = \"100000/s\" }"),
            account.to_owned(),
            "[plugins.echo]".to_owned(),
            if account.contains("who") { "[plugins.who]".to_owned() } else { String::new() },
            if account.contains("bad") { "[plugins.bad]".to_owned() } else { String::new() },
            if account.contains("auto-reply") { "[plugins.auto-reply]".to_owned() } else { String::new() },
            if account.contains("mirror") { "[plugins.mirror]".to_owned() } else { String::new() },
        ]
        .join("\n");
        let registry = registry();
        let loaded = config::parse(&text, Path::new("bot.toml"), &registry).unwrap_or_else(|e| panic!("{e}"));
        let data = self.dir.path().join("data");
        let dir = DataDir::open(&data).unwrap();
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&dir).unwrap());
        self.lock = Some(dir);
        let mode =
            Mode { desktop: false, client_version: String::new(), extspam: String::new(), user_agent: String::new() };
        let endpoint = Some("http://sim.invalid".parse().unwrap());
        let accounts = loaded
            .config
            .accounts
            .into_iter()
            .map(|account| {
                let settings = Settings { endpoint: endpoint.clone(), mode: mode.clone(), mark_read: false };
                let protocol = WebWx::new(settings, Arc::clone(&self.veil) as Arc<dyn Transport>, self.source.clone());
                (account, Arc::new(protocol) as Arc<dyn wxbot_core::Protocol>)
            })
            .collect();
        let vault = Arc::new(Vault::open(&data).unwrap());
        let media =
            MediaFolder::open(&data, Arc::clone(&store), self.source.clone(), loaded.config.media).await.unwrap();
        let parts = Ingredients { accounts, store, vault, media, source: self.source.clone(), works };
        self.runtime = Some(Runtime::start(parts).await.unwrap());
    }

    pub(crate) fn account(&self) -> Arc<wxbot_runtime::account::Account> {
        Arc::clone(&self.runtime.as_ref().unwrap().accounts()[0])
    }

    pub(crate) fn ask(&self) -> LoginAsk {
        self.account().ask_login()
    }

    pub(crate) async fn log_in(&mut self) {
        self.log_in_as("shop").await;
    }

    /// With the phone of this account of the world.
    pub(crate) async fn log_in_as(&mut self, phone: &str) {
        let ask = self.ask();
        let uuid = self.sim.next_uuid().await;
        self.sim.scan(&uuid, phone).unwrap();
        self.sim.confirm(&uuid).unwrap();
        self.online().await;
        drop(ask);
    }

    pub(crate) async fn online(&self) {
        self.phase("online").await;
    }

    pub(crate) async fn phase(&self, word: &str) {
        let mut status = self.account().status();
        let reached = status.wait_for(|s| s.phase.word() == word);
        tokio::time::timeout(Duration::from_secs(86_400), reached)
            .await
            .unwrap_or_else(|_| panic!("never {word}: {:?}", self.account().status().borrow()))
            .unwrap();
    }

    pub(crate) fn state(&self) -> &'static str {
        self.account().status().borrow().phase.word()
    }

    /// All that is shown of the account.
    pub(crate) fn status(&self) -> wxbot_runtime::account::Status {
        self.account().status().borrow().clone()
    }

    pub(crate) fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().unwrap()
    }

    pub(crate) fn source(&self) -> &Source {
        &self.source
    }

    pub(crate) fn data(&self) -> std::path::PathBuf {
        self.dir.path().join("data")
    }

    pub(crate) fn why(&self) -> String {
        self.account().status().borrow().why.clone()
    }

    pub(crate) fn sends(&self) -> Vec<(String, String)> {
        self.sim.journal().sends_of("shop").map(|s| (s.to.clone(), s.content.clone())).collect()
    }

    pub(crate) async fn counts(&self) -> Counts {
        self.runtime.as_ref().unwrap().store().counts(&"shop".parse().unwrap()).await.unwrap()
    }

    /// State and error of each send, in order.
    pub(crate) fn outbox(&self) -> Vec<(i64, String)> {
        let file = rusqlite::Connection::open(self.dir.path().join("data").join("queue.db")).unwrap();
        let mut query = file.prepare("SELECT state, coalesce(error, '') FROM outbox ORDER BY id").unwrap();
        query.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().collect::<Result<_, _>>().unwrap()
    }

    /// The events of one kind that were stored, in order.
    pub(crate) fn events(&self, kind: &str) -> Vec<Event> {
        let file = rusqlite::Connection::open(self.dir.path().join("data").join("queue.db")).unwrap();
        let mut query = file.prepare("SELECT body FROM inbox WHERE kind = ?1 ORDER BY seq").unwrap();
        let bodies = query.query_map([kind], |row| row.get::<_, String>(0)).unwrap();
        bodies.map(|body| serde_json::from_str(&body.unwrap()).unwrap()).collect()
    }

    /// The number of the last event of a kind; 0 when there is none.
    pub(crate) fn last_seq(&self, kind: &str) -> u64 {
        let file = rusqlite::Connection::open(self.dir.path().join("data").join("queue.db")).unwrap();
        file.query_row("SELECT coalesce(max(seq), 0) FROM inbox WHERE kind = ?1", [kind], |row| row.get(0)).unwrap()
    }

    /// Whether an event is handled to its end.
    pub(crate) fn has_ended(&self, seq: u64) -> bool {
        let file = rusqlite::Connection::open(self.dir.path().join("data").join("queue.db")).unwrap();
        file.query_row("SELECT state = 3 FROM inbox WHERE seq = ?1", [seq], |row| row.get(0)).unwrap()
    }

    pub(crate) async fn story(&self, seq: u64) -> Option<wxbot_runtime::store::Story> {
        self.runtime.as_ref().unwrap().store().story(seq).await.unwrap()
    }

    /// What `wxbot explain` says of an event, in English.
    pub(crate) async fn explain(&self, seq: u64) -> Vec<String> {
        let story = self.story(seq).await.unwrap();
        let trace = self.account().trace(seq);
        let now_ms = self.source.now_ms();
        explain::lines(&explain::Explanation { story, trace }, explain::Lang::En, now_ms)
    }

    pub(crate) fn id_of(&self, name: &str) -> Option<ContactId> {
        self.account().find_contacts(&name.into()).into_iter().next().map(|found| found.id)
    }

    pub(crate) async fn contact_ids(&self) -> Vec<(String, String)> {
        let rows = self.runtime.as_ref().unwrap().store().contacts(&"shop".parse().unwrap()).await.unwrap();
        let mut ids: Vec<_> = rows.into_iter().map(|r| (r.id.to_string(), r.nick_name.to_string())).collect();
        ids.sort();
        ids
    }

    /// Waits until a condition of the store holds; the clock is paused, so this costs no time.
    pub(crate) async fn until(&self, condition: impl AsyncFn(&Self) -> bool) {
        for _ in 0..100_000 {
            if condition(self).await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        panic!("it never came: {:?} {:?}", self.counts().await, self.account().status().borrow());
    }

    pub(crate) async fn stop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.stop(Patience::TERMINAL).await;
            self.lock = None;
        }
    }
}

/// The simulator stamps messages with the system's clock, so ours begins there too.
pub(crate) fn now_s() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

pub(crate) fn registry() -> Registry {
    let (second, minute) = (Duration::from_secs(1), Duration::from_secs(60));
    let pacing = Pacing::new(Rate::new(1, second), 5, Rate::new(20, minute), Duration::from_secs(600));
    Registry {
        libraries: None,
        protocols: vec![ProtocolSpec {
            name: "web",
            about: "Web WeChat",
            profiles: &[],
            capabilities: capabilities(),
            takes_endpoint: true,
            takes_proxy: true,
            only_one: false,
            judge: None,
            supplies: None,
            direct_only: None,
            simulated: true,
            options: &[],
            pacing,
        }],
        plugins: vec![
            PluginFactory::of::<Echo>(),
            PluginFactory::of::<Bad>(),
            PluginFactory::of::<Who>(),
            PluginFactory::of::<crate::media::Mirror>(),
            PluginFactory::of::<wxbot_auto_reply::AutoReply>(),
        ],
        middleware: middleware::NAMES.into_iter().chain([Station::of::<Shy>()]).collect(),
    }
}
