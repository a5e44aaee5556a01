//! A runtime with one account of a scripted protocol: what comes is handed in, what goes out is written down.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use wxbot_core::error::{EndReason, Error, FetchError, SendError};
use wxbot_core::protocol::{
    ActionSender, Batch, Fetch, Fetched, Incoming, LoginEvent, LoginWatcher, Outgoing, Progress, Protocol, Receipt,
    ReplyWindow, SavedSession, Session,
};
use wxbot_core::source::Source;
use wxbot_model::span::Rate;
use wxbot_model::{
    Action, Capabilities, Capability, ClientMsgId, Contact, ContactKind, Content, EventKind, Mentions, Message, PeerId,
    Secret,
};
use wxbot_plugin::host::PluginFactory;
use wxbot_runtime::account::Account;
use wxbot_runtime::config::{self, MediaSettings, Pacing, ProtocolSpec, Registry};
use wxbot_runtime::media::MediaFolder;
use wxbot_runtime::runtime::{Ingredients, Patience, Runtime};
use wxbot_runtime::store::seal::Vault;
use wxbot_runtime::store::sqlite::{DataDir, SqliteStore};
use wxbot_runtime::store::{Counts, MediaStore, Store};

use crate::plugin::Deeds;

/// One action as it reached the service, with the bytes that came along.
#[derive(Debug, Clone)]
pub(crate) struct Gone {
    pub(crate) action: Action,
    pub(crate) to: Option<PeerId>,
    pub(crate) others: Vec<PeerId>,
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

/// How the service is, besides what it can do.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Ways {
    pub(crate) window: Option<ReplyWindow>,
    pub(crate) text_limit: Option<usize>,
    /// It shows a message with a used id no second time.
    pub(crate) safe: bool,
    /// Accounts log in, with a token, by digits that the phone shows.
    pub(crate) login: bool,
}

/// The service.
#[derive(Debug, Default)]
pub(crate) struct Service {
    pub(crate) ways: Ways,
    /// The id of each request to send, when it begins.
    pub(crate) begun: Mutex<Vec<ClientMsgId>>,
    /// How the next requests end; then they are taken.
    pub(crate) answers: Mutex<VecDeque<SendError>>,
    /// Requests to send are not answered while it is true.
    pub(crate) hangs: watch::Sender<bool>,
    /// What was shown of typing: since the start, to whom, whether on.
    pub(crate) typed: Mutex<Vec<(Duration, PeerId, bool)>>,
    /// Showing that never works.
    pub(crate) typing_fails: AtomicBool,
    /// Polls are told that the token is no longer taken.
    pub(crate) refuses: watch::Sender<bool>,
    /// The digits of the phone.
    pub(crate) digits: Mutex<String>,
    pub(crate) logins: AtomicU64,
    pub(crate) resumes: AtomicU64,
    since: Mutex<Option<Instant>>,
    pub(crate) gone: Mutex<Vec<Gone>>,
    /// What `fetch` gives, one after another; the last one for ever.
    pub(crate) gives: Mutex<VecDeque<Result<Vec<u8>, FetchError>>>,
    pub(crate) asked: Mutex<Vec<Fetch>>,
    /// Uploads wait while it is true, at half of their bytes, and downloads before their first.
    pub(crate) slow: watch::Sender<bool>,
    /// Every action is refused as the end of the session refuses it.
    pub(crate) away: watch::Sender<bool>,
    can: Capabilities,
    drawn: AtomicU64,
    incoming: Mutex<Option<mpsc::Receiver<Incoming>>>,
}

impl Service {
    /// Time since the service began.
    pub(crate) fn since(&self) -> Duration {
        self.since.lock().unwrap().unwrap().elapsed()
    }

    fn next_gift(&self) -> Option<Result<Vec<u8>, FetchError>> {
        let mut gives = self.gives.lock().unwrap();
        if gives.len() > 1 { gives.pop_front() } else { gives.front().cloned() }
    }
}

pub(crate) struct Rig {
    pub(crate) service: Arc<Service>,
    pub(crate) dir: tempfile::TempDir,
    pub(crate) source: Source,
    runtime: Option<Runtime>,
    lock: Option<DataDir>,
    lines: String,
    say: mpsc::Sender<Incoming>,
    number: u64,
}

pub(crate) fn peer(text: &str) -> PeerId {
    text.parse().unwrap()
}

impl Rig {
    pub(crate) async fn new() -> Self {
        Self::able(Capability::ALL.into_iter().collect()).await
    }

    /// With a protocol that can do these things.
    pub(crate) async fn able(can: Capabilities) -> Self {
        Self::of(can, Ways::default(), "").await
    }

    /// With a service that is so, and these lines of the account.
    pub(crate) async fn of(can: Capabilities, ways: Ways, lines: &str) -> Self {
        let mut rig = Self::offline(can, ways, lines);
        rig.start().await;
        rig
    }

    /// The same, with nothing that runs.
    pub(crate) fn offline(can: Capabilities, ways: Ways, lines: &str) -> Self {
        let (say, incoming) = mpsc::channel(64);
        let since = Mutex::new(Some(Instant::now()));
        let service = Service { can, ways, since, incoming: Mutex::new(Some(incoming)), ..Service::default() };
        let (dir, source) = (tempfile::tempdir().unwrap(), Source::seeded(5, 1_780_000_000));
        let lines = lines.to_owned();
        Self { service: Arc::new(service), dir, source, lines, runtime: None, lock: None, say, number: 0 }
    }

    pub(crate) async fn start(&mut self) {
        self.begin().await;
        let mut status = self.account().status();
        status.wait_for(|status| status.phase.word() == "online").await.unwrap();
    }

    /// Starts, whatever becomes of the account.
    pub(crate) async fn begin(&mut self) {
        let text = format!(
            "[[accounts]]\nname = \"shop\"\nprotocol = \"script\"\nuse = [\"deeds\"]\nmiddleware = []\n{}\n[plugins.deeds]",
            self.lines
        );
        let registry = registry(self.service.can);
        let loaded = config::parse(&text, Path::new("bot.toml"), &registry).unwrap_or_else(|e| panic!("{e}"));
        let data = self.data();
        let lock = DataDir::open(&data).unwrap();
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&lock).unwrap());
        self.lock = Some(lock);
        let protocol = || Arc::new(Script(Arc::clone(&self.service))) as Arc<dyn Protocol>;
        let accounts = loaded.config.accounts.into_iter().map(|account| (account, protocol())).collect();
        let settings = MediaSettings::default();
        let media = MediaFolder::open(&data, Arc::clone(&store), self.source.clone(), settings).await.unwrap();
        let vault = Arc::new(Vault::open(&data).unwrap());
        let parts = Ingredients { accounts, store, vault, media, source: self.source.clone(), works: true };
        self.runtime = Some(Runtime::start(parts).await.unwrap());
    }

    /// As kill -9: what is stored stays as it is at this moment, and another process goes on with it.
    pub(crate) async fn kill(&mut self) {
        let left = tempfile::tempdir().unwrap();
        let to = left.path().join("data");
        std::fs::create_dir(&to).unwrap();
        std::fs::set_permissions(&to, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        for entry in std::fs::read_dir(self.data()).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_file() && entry.file_name() != "wxbot.lock" {
                std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
            }
        }
        // What the old process would still have done happens to files that nobody looks at any more.
        self.runtime.take().unwrap().stop(Patience::TERMINAL).await;
        self.lock = None;
        self.dir = left;
    }

    pub(crate) async fn stop(&mut self) {
        self.runtime.take().unwrap().stop(Patience::TERMINAL).await;
        self.lock = None;
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    pub(crate) fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().unwrap()
    }

    pub(crate) fn account(&self) -> Arc<Account> {
        self.runtime().accounts().iter().find(|account| account.name.as_str() == "shop").cloned().unwrap()
    }

    pub(crate) fn store(&self) -> &dyn MediaStore {
        &**self.runtime().store() as &dyn MediaStore
    }

    pub(crate) fn gone(&self) -> Vec<Gone> {
        self.service.gone.lock().unwrap().clone()
    }

    pub(crate) fn gives(&self, answers: impl IntoIterator<Item = Result<Vec<u8>, FetchError>>) {
        *self.service.gives.lock().unwrap() = answers.into_iter().collect();
    }

    /// A friend writes.
    pub(crate) async fn say(&mut self, text: &str) {
        self.hear(Content::Text { text: text.into() }).await;
    }

    pub(crate) async fn hear(&mut self, content: Content) {
        self.number += 1;
        let id = self.number.to_string();
        let message = Message { id: id.parse().unwrap(), from_self: false, content, mentions: Mentions::default() };
        let event = Incoming {
            key: id.parse().unwrap(),
            chat: peer("@alice"),
            sender: Some(peer("@alice")),
            at_s: self.source.now_s(),
            kind: EventKind::Message(message),
        };
        self.say.send(event).await.unwrap();
    }

    pub(crate) async fn counts(&self) -> Counts {
        self.runtime().store().counts(&"shop".parse().unwrap()).await.unwrap()
    }

    /// Waits until something holds; the clock is paused, so this costs no time.
    pub(crate) async fn until(&self, what: &str, condition: impl AsyncFn(&Self) -> bool) {
        for _ in 0..200_000 {
            if condition(self).await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        panic!("never: {what}; {:?} {:?}", self.counts().await, self.gone());
    }

    /// Waits until so many actions have gone out.
    pub(crate) async fn until_gone(&self, count: usize) -> Vec<Gone> {
        self.until(&format!("{count} actions"), async |rig| rig.gone().len() >= count).await;
        self.gone()
    }
}

struct Script(Arc<Service>);

impl std::fmt::Debug for Script {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Script")
    }
}

impl Protocol for Script {
    fn capabilities(&self) -> Capabilities {
        self.0.can
    }
    fn needs_login(&self) -> bool {
        self.0.ways.login
    }
    fn reply_window(&self) -> Option<ReplyWindow> {
        self.0.ways.window
    }
    fn resends_safely(&self) -> bool {
        self.0.ways.safe
    }
    fn text_limit(&self) -> Option<usize> {
        self.0.ways.text_limit
    }
    fn resume<'a>(&'a self, _saved: &'a SavedSession) -> BoxFuture<'a, Result<Box<dyn Session>, Error>> {
        Box::pin(async {
            self.0.resumes.fetch_add(1, Ordering::SeqCst);
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
    fn login<'a>(&'a self, watcher: &'a dyn LoginWatcher) -> BoxFuture<'a, Result<Box<dyn Session>, Error>> {
        Box::pin(async move {
            self.0.logins.fetch_add(1, Ordering::SeqCst);
            if !self.0.ways.login {
                return Err(Error::LoginNotCompleted("no login here"));
            }
            watcher.tell(LoginEvent::Scanned);
            let want = self.0.digits.lock().unwrap().clone();
            for wrong in [false, true, true] {
                if want.is_empty() {
                    break;
                }
                watcher.tell(LoginEvent::CodeWanted { wrong });
                match watcher.code().await {
                    Some(typed) if typed == want => break,
                    Some(_) => {}
                    None => return Err(Error::LoginNotCompleted("nobody typed the digits")),
                }
            }
            watcher.tell(LoginEvent::Confirmed);
            self.0.refuses.send_replace(false);
            let incoming = self.0.incoming.lock().unwrap().take();
            Ok(Box::new(Open { service: Arc::clone(&self.0), incoming }) as Box<dyn Session>)
        })
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
    Contact { nick_name: name.into(), alias: name.into(), ..Contact::nameless(peer(name), kind) }
}

impl Session for Open {
    fn next_batch(&mut self) -> BoxFuture<'_, Result<Batch, Error>> {
        Box::pin(async {
            let mut refuses = self.service.refuses.subscribe();
            let event = tokio::select! {
                event = self.incoming.as_mut().unwrap().recv() => event.unwrap(),
                _ = refuses.wait_for(|refuses| *refuses) => return Err(Error::Ended(EndReason::TokenRefused)),
            };
            Ok(Batch { events: vec![event], ..Batch::default() })
        })
    }
    fn sender(&self) -> Arc<dyn ActionSender> {
        Arc::new(Sender(Arc::clone(&self.service)))
    }
    fn myself(&self) -> Contact {
        contact("@me", ContactKind::Myself)
    }
    fn contacts(&self) -> Vec<Arc<Contact>> {
        let all = [
            ("@me", ContactKind::Myself),
            ("@alice", ContactKind::Person),
            ("@bob", ContactKind::Person),
            ("@@tea", ContactKind::Room),
        ];
        all.into_iter().map(|(name, kind)| Arc::new(contact(name, kind))).collect()
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
            self.0.begun.lock().unwrap().push(outgoing.client_id.clone());
            self.0.hangs.subscribe().wait_for(|hangs| !hangs).await.ok();
            let answer = self.0.answers.lock().unwrap().pop_front();
            if let Some(error) = answer {
                return Err(error);
            }
            if *self.0.away.borrow() {
                return Err(SendError::Ended(EndReason::LoggedOut));
            }
            let (mut name, mut bytes) = (String::new(), Vec::new());
            if let Some(file) = &outgoing.media {
                bytes = std::fs::read(&file.path).unwrap();
                assert_eq!(bytes.len() as u64, file.len);
                name.clone_from(&file.name);
                Progress::set(&file.progress, file.len / 2);
                self.0.slow.subscribe().wait_for(|slow| !slow).await.ok();
            }
            let (action, to, others) = (outgoing.action, outgoing.to, outgoing.others);
            let mut gone = self.0.gone.lock().unwrap();
            let server_id = action.word().starts_with("send").then(|| format!("s{}", gone.len()));
            gone.push(Gone { action, to, others, name, bytes });
            Ok(Receipt { server_id })
        })
    }

    fn typing<'a>(&'a self, to: &'a PeerId, on: bool) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(async move {
            let since = self.0.since();
            self.0.typed.lock().unwrap().push((since, to.clone(), on));
            if self.0.typing_fails.load(Ordering::SeqCst) {
                return Err(SendError::Failed { why: "the ticket is refused".into() });
            }
            Ok(())
        })
    }

    fn fetch(&self, what: Fetch) -> BoxFuture<'_, Result<Fetched, FetchError>> {
        Box::pin(async move {
            self.0.asked.lock().unwrap().push(what);
            let answer = self.0.next_gift();
            self.0.slow.subscribe().wait_for(|slow| !slow).await.ok();
            let bytes = Bytes::from(answer.expect("the test says what the service gives")?);
            let stated_len = Some(bytes.len() as u64);
            Ok(Fetched { stated_len, content_type: None, body: Box::pin(stream::iter([Ok(bytes)])) })
        })
    }
}

fn registry(capabilities: Capabilities) -> Registry {
    let rate = Rate::new(1_000_000, Duration::from_secs(1));
    let pacing = Pacing::new(rate, 100, rate, Duration::from_secs(3_600));
    let script = ProtocolSpec {
        name: "script",
        about: "For tests",
        profiles: &[],
        capabilities,
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
    Registry { protocols: vec![script], plugins: vec![PluginFactory::of::<Deeds>()], ..Registry::default() }
}
