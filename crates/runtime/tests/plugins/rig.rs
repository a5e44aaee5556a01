//! A runtime of a whole `bot.toml` on a scripted service: what comes is handed in, what goes out is written down.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, watch};
use wxbot_core::error::{Error, FetchError, SendError};
use wxbot_core::protocol::{
    ActionSender, Batch, Fetch, Fetched, Incoming, LoginWatcher, Outgoing, Protocol, Receipt, SavedSession, Session,
};
use wxbot_core::source::Source;
use wxbot_model::span::Rate;
use wxbot_model::{
    Action, Capability, ClientMsgId, Contact, ContactKind, Content, EventKind, Mentions, Message, PeerId, Secret,
};
use wxbot_runtime::account::Account;
use wxbot_runtime::config::{self, AccountConfig, MediaSettings, Pacing, ProtocolSpec, Registry};
use wxbot_runtime::media::MediaFolder;
use wxbot_runtime::middleware;
use wxbot_runtime::runtime::{Ingredients, Patience, Runtime};
use wxbot_runtime::store::seal::Vault;
use wxbot_runtime::store::sqlite::{DataDir, SqliteStore};
use wxbot_runtime::store::{Counts, Store};

use crate::troupe;

/// Whoever the account knows besides Alice, Bob and the room.
pub(crate) const OTHERS: usize = 32;

/// The service.
#[derive(Debug, Default)]
pub(crate) struct Service {
    /// Texts that went out, with whom they went to.
    gone: Mutex<Vec<(String, String)>>,
    /// What becomes of the next sends; taken when there is nothing.
    pub(crate) verdicts: Mutex<VecDeque<SendError>>,
    /// Sends wait while it is true.
    pub(crate) slow: watch::Sender<bool>,
    drawn: AtomicU64,
    incoming: Mutex<Option<mpsc::Receiver<Incoming>>>,
}

pub(crate) struct Rig {
    pub(crate) service: Arc<Service>,
    pub(crate) source: Source,
    registry: Arc<Registry>,
    dir: tempfile::TempDir,
    runtime: Option<Runtime>,
    lock: Option<DataDir>,
    say: mpsc::Sender<Incoming>,
    number: u64,
    text: String,
}

/// A file with one account that uses these plugins, `more` lines of it, and tables after them.
pub(crate) fn file(used: &[&str], more: &str, tables: &str) -> String {
    let middleware = if more.contains("middleware") { "" } else { "middleware = []\n" };
    format!("[[accounts]]\nname = \"shop\"\nprotocol = \"script\"\nuse = {used:?}\n{middleware}{more}\n{tables}\n")
}

impl Rig {
    pub(crate) async fn new(text: &str) -> Self {
        tracing_subscriber::fmt()
            .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
            .with_test_writer()
            .try_init()
            .ok();
        let (say, incoming) = mpsc::channel(10_100);
        let service = Arc::new(Service { incoming: Mutex::new(Some(incoming)), ..Service::default() });
        let mut rig = Self {
            service,
            source: Source::seeded(5, 1_780_000_000),
            registry: Arc::new(registry()),
            dir: tempfile::tempdir().unwrap(),
            runtime: None,
            lock: None,
            say,
            number: 0,
            text: text.to_owned(),
        };
        rig.start().await.unwrap();
        rig
    }

    fn configs(&self, text: &str) -> Vec<AccountConfig> {
        let loaded = config::parse(text, Path::new("bot.toml"), &self.registry);
        loaded.unwrap_or_else(|mistakes| panic!("{mistakes}\n{text}")).config.accounts
    }

    fn protocol(&self) -> Arc<dyn Protocol> {
        Arc::new(Script(Arc::clone(&self.service)))
    }

    pub(crate) async fn start(&mut self) -> Result<(), String> {
        // What was killed lets go when its tasks are next looked at.
        while self.service.incoming.lock().unwrap().is_none() {
            tokio::task::yield_now().await;
        }
        let data = self.dir.path().join("data");
        let lock = DataDir::open(&data).unwrap();
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&lock).unwrap());
        self.lock = Some(lock);
        let accounts = self.configs(&self.text).into_iter().map(|account| (account, self.protocol())).collect();
        let limits = MediaSettings::default();
        let media = MediaFolder::open(&data, Arc::clone(&store), self.source.clone(), limits).await.unwrap();
        let vault = Arc::new(Vault::open(&data).unwrap());
        let source = self.source.clone();
        let parts = Ingredients { accounts, store, vault, media, source, works: true };
        self.runtime = Some(Runtime::start(parts).await.map_err(|error| error.to_string())?);
        let mut status = self.account().status();
        status.wait_for(|status| status.phase.word() == "online").await.unwrap();
        Ok(())
    }

    pub(crate) async fn reload(&mut self, text: &str) -> Result<(), String> {
        let wanted = self.configs(text);
        self.text = text.to_owned();
        let service = Arc::clone(&self.service);
        let way = |_: &AccountConfig| Ok(Arc::new(Script(Arc::clone(&service))) as Arc<dyn Protocol>);
        self.runtime.as_mut().unwrap().reload(&wanted, way).await.map(drop).map_err(|error| error.to_string())
    }

    pub(crate) async fn stop(&mut self) {
        self.runtime.take().unwrap().stop(Patience::TERMINAL).await;
        self.lock = None;
    }

    /// Ends it as `kill -9` does, as far as a test can.
    pub(crate) async fn kill(&mut self) {
        drop((self.runtime.take(), self.lock.take()));
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }

    pub(crate) fn account(&self) -> Arc<Account> {
        Arc::clone(&self.runtime.as_ref().unwrap().accounts()[0])
    }

    pub(crate) fn store(&self) -> Arc<dyn Store> {
        Arc::clone(self.runtime.as_ref().unwrap().store())
    }

    /// Alice writes to us.
    pub(crate) async fn say(&mut self, text: &str) {
        self.hear("@alice", "@alice", text).await;
    }

    /// Somebody writes somewhere.
    pub(crate) async fn hear(&mut self, chat: &str, sender: &str, text: &str) {
        self.number += 1;
        let id = self.number.to_string();
        let content = Content::Text { text: text.into() };
        let from_self = sender == "@me";
        let message = Message { id: id.parse().unwrap(), from_self, content, mentions: Mentions::default() };
        let event = Incoming {
            key: id.parse().unwrap(),
            chat: chat.parse().unwrap(),
            sender: Some(sender.parse().unwrap()),
            at_s: self.source.now_s(),
            kind: EventKind::Message(message),
        };
        self.say.send(event).await.unwrap();
    }

    pub(crate) async fn counts(&self) -> Counts {
        self.store().counts(&"shop".parse().unwrap()).await.unwrap()
    }

    /// Texts that went out.
    pub(crate) fn texts(&self) -> Vec<String> {
        self.service.gone.lock().unwrap().iter().map(|(_, text)| text.clone()).collect()
    }

    /// Texts that went there.
    pub(crate) fn texts_to(&self, peer: &str) -> Vec<String> {
        let gone = self.service.gone.lock().unwrap();
        gone.iter().filter(|(to, _)| to == peer).map(|(_, text)| text.clone()).collect()
    }

    /// Waits until something holds; the clock is paused, so this costs no time.
    pub(crate) async fn until(&self, what: &str, condition: impl AsyncFn(&Self) -> bool) {
        for _ in 0..200_000 {
            if condition(self).await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("never: {what}; {:?} {:?}", self.counts().await, self.texts());
    }

    /// Waits until all that was said is handled and all that was answered is sent, and answers what went out in all.
    pub(crate) async fn settled(&self) -> Vec<String> {
        let number = self.number;
        let quiet = async |rig: &Self| {
            let Counts { inbox, outbox } = rig.counts().await;
            inbox.done + inbox.stopped + inbox.late + inbox.dead >= number
                && (inbox.waiting, outbox.queued, outbox.sending) == (0, 0, 0)
        };
        self.until("settled", quiet).await;
        self.texts()
    }
}

struct Script(Arc<Service>);

impl std::fmt::Debug for Script {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Script")
    }
}

impl Protocol for Script {
    fn capabilities(&self) -> wxbot_model::Capabilities {
        Capability::ALL.into_iter().collect()
    }
    fn needs_login(&self) -> bool {
        false
    }
    fn resume<'a>(&'a self, _saved: &'a SavedSession) -> BoxFuture<'a, Result<Box<dyn Session>, Error>> {
        Box::pin(async {
            let incoming = self.0.incoming.lock().unwrap().take();
            Ok(Box::new(Open { service: Arc::clone(&self.0), incoming }) as Box<dyn Session>)
        })
    }
    fn push_login<'a>(
        &'a self,
        saved: &'a SavedSession,
        _watcher: &'a dyn LoginWatcher,
    ) -> BoxFuture<'a, Result<Box<dyn Session>, Error>> {
        self.resume(saved)
    }
    fn login<'a>(&'a self, _watcher: &'a dyn LoginWatcher) -> BoxFuture<'a, Result<Box<dyn Session>, Error>> {
        Box::pin(async { Err(Error::LoginNotCompleted("no login here")) })
    }
    fn draw_client_msg_id(&self) -> ClientMsgId {
        (1_000 + self.0.drawn.fetch_add(1, Ordering::SeqCst)).to_string().parse().unwrap()
    }
}

struct Open {
    service: Arc<Service>,
    incoming: Option<mpsc::Receiver<Incoming>>,
}

impl Drop for Open {
    fn drop(&mut self) {
        *self.service.incoming.lock().unwrap() = self.incoming.take();
    }
}

fn contact(name: &str, kind: ContactKind) -> Contact {
    let peer: PeerId = name.parse().unwrap();
    Contact { nick_name: name.into(), alias: name.into(), ..Contact::nameless(peer, kind) }
}

impl Session for Open {
    fn next_batch(&mut self) -> BoxFuture<'_, Result<Batch, Error>> {
        Box::pin(async {
            let mut events = Vec::new();
            self.incoming.as_mut().unwrap().recv_many(&mut events, 50).await;
            Ok(Batch { events, ..Batch::default() })
        })
    }
    fn sender(&self) -> Arc<dyn ActionSender> {
        Arc::new(Sender(Arc::clone(&self.service)))
    }
    fn myself(&self) -> Contact {
        contact("@me", ContactKind::Myself)
    }
    fn contacts(&self) -> Vec<Arc<Contact>> {
        let named = [("@me", ContactKind::Myself), ("@@tea", ContactKind::Room)];
        let mut all: Vec<_> = named.into_iter().map(|(name, kind)| contact(name, kind)).collect();
        all.extend(["@alice", "@bob"].map(|name| contact(name, ContactKind::Person)));
        all.extend((0..OTHERS).map(|n| contact(&format!("@p{n}"), ContactKind::Person)));
        all.into_iter().map(Arc::new).collect()
    }
    fn saved(&self) -> Result<SavedSession, Error> {
        Ok(SavedSession { credentials: Secret::new(Vec::new()), cursor: Bytes::new() })
    }
    fn log_out(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

struct Sender(Arc<Service>);

impl ActionSender for Sender {
    fn perform(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<Receipt, SendError>> {
        Box::pin(async move {
            self.0.slow.subscribe().wait_for(|slow| !slow).await.ok();
            if let Some(verdict) = self.0.verdicts.lock().unwrap().pop_front() {
                return Err(verdict);
            }
            let Action::SendText { text, .. } = outgoing.action else { panic!("{:?}", outgoing.action) };
            let mut gone = self.0.gone.lock().unwrap();
            let server_id = Some(format!("s{}", gone.len()));
            gone.push((outgoing.to.unwrap().to_string(), text));
            Ok(Receipt { server_id })
        })
    }

    fn fetch(&self, _what: Fetch) -> BoxFuture<'_, Result<Fetched, FetchError>> {
        Box::pin(async { Err(FetchError::NotNow { why: "nothing here".into() }) })
    }
}

fn registry() -> Registry {
    let rate = Rate::new(1_000_000, Duration::from_secs(1));
    let pacing = Pacing::new(rate, 100, rate, Duration::from_secs(3_600));
    let script = ProtocolSpec {
        name: "script",
        about: "For tests",
        profiles: &[],
        capabilities: Capability::ALL.into_iter().collect(),
        takes_endpoint: false,
        takes_proxy: false,
        only_one: false,
        judge: None,
        supplies: None,
        direct_only: None,
        simulated: true,
        options: &[],
        pacing,
    };
    Registry {
        protocols: vec![script],
        plugins: troupe::all(),
        middleware: middleware::NAMES.to_vec(),
        ..Registry::default()
    }
}
