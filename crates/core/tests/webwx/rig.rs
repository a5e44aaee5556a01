//! One account on the simulator, with a carrier that remembers what was asked.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::future::BoxFuture;
use serde_json::Value;
use wxbot_core::SendError;
use wxbot_core::protocol::{
    Batch, ContactChange, Incoming, LoginEvent, LoginWatcher, MediaFile, Outgoing, Protocol, Receipt, SavedSession,
    Session,
};
use wxbot_core::source::Source;
use wxbot_core::transport::{HttpRequest, HttpResponse, HttpStream, Transport, TransportError};
use wxbot_core::webwx::endpoint::Mode;
use wxbot_core::webwx::{Settings, WebWx};
use wxbot_model::{Action, Contact, ContactId, EventKind, PeerId};
use wxbot_sim::{AccountSpec, Fault, FaultKind, Sim, World};

pub(crate) const ENDPOINT: &str = "http://sim.invalid";

/// Remembers requests on their way to the simulator.
#[derive(Debug)]
pub(crate) struct Recorder {
    inner: Arc<dyn Transport>,
    seen: Mutex<Vec<HttpRequest>>,
}

impl Transport for Recorder {
    fn send(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, TransportError>> {
        self.seen.lock().unwrap().push(request.clone());
        self.inner.send(request)
    }

    fn open(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpStream, TransportError>> {
        self.seen.lock().unwrap().push(request.clone());
        self.inner.open(request)
    }
}

/// The last segment of a request's path.
pub(crate) fn endpoint(request: &HttpRequest) -> &str {
    request.url.path().rsplit('/').next().unwrap_or_default()
}

pub(crate) fn query(request: &HttpRequest, name: &str) -> Option<String> {
    request.url.query_pairs().find(|(k, _)| k == name).map(|(_, v)| v.into_owned())
}

/// The body as JSON, if it is one.
pub(crate) fn json(request: &HttpRequest) -> Option<Value> {
    serde_json::from_slice(&request.body).ok()
}

/// Writes down what a login tells.
#[derive(Debug)]
pub(crate) struct Watcher {
    pub(crate) wanted: AtomicBool,
    told: Mutex<Vec<LoginEvent>>,
}

impl Watcher {
    pub(crate) fn new() -> Self {
        Self { wanted: AtomicBool::new(true), told: Mutex::default() }
    }

    /// One word per event.
    pub(crate) fn words(&self) -> Vec<String> {
        let word = |event: &LoginEvent| match event {
            LoginEvent::Qr { number, .. } => format!("qr {number}"),
            LoginEvent::Pushed { .. } => "pushed".to_owned(),
            LoginEvent::Scanned => "scanned".to_owned(),
            LoginEvent::CodeWanted { .. } => "code wanted".to_owned(),
            LoginEvent::Confirmed => "confirmed".to_owned(),
            other => format!("{other:?}"),
        };
        self.told.lock().unwrap().iter().map(word).collect()
    }

    pub(crate) fn events(&self) -> Vec<LoginEvent> {
        self.told.lock().unwrap().clone()
    }
}

impl LoginWatcher for Watcher {
    fn tell(&self, event: LoginEvent) {
        self.told.lock().unwrap().push(event);
    }

    fn still_wanted(&self) -> bool {
        self.wanted.load(Ordering::SeqCst)
    }
}

pub(crate) struct Rig {
    pub(crate) sim: Sim,
    pub(crate) web: WebWx,
    recorder: Arc<Recorder>,
    source: Source,
}

pub(crate) fn mode() -> Mode {
    Mode { desktop: false, client_version: "2.0.0".into(), extspam: "token".into(), user_agent: String::new() }
}

pub(crate) fn settings() -> Settings {
    Settings { endpoint: Some(ENDPOINT.parse().unwrap()), mode: mode(), mark_read: false }
}

/// 小店 with two friends and a saved room.
pub(crate) fn shop() -> AccountSpec {
    let mut shop = AccountSpec::new("shop").friend("Alice").friend("鲍勃").room("测试群", &["Alice", "鲍勃", "路人"]);
    shop.nick = "小店".to_owned();
    shop.rooms[0].saved = true;
    shop
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self::with(World::default().with(shop()), settings())
    }

    pub(crate) fn with(world: World, settings: Settings) -> Self {
        let sim = Sim::new(world);
        let recorder = Arc::new(Recorder { inner: sim.transport(), seen: Mutex::default() });
        // The simulator stamps messages with the system's clock, so ours begins there too.
        let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let source = Source::seeded(7, now_s);
        let web = WebWx::new(settings, Arc::clone(&recorder) as Arc<dyn Transport>, source.clone());
        Self { sim, web, recorder, source }
    }

    /// The same account under other settings.
    pub(crate) fn reconfigured(&self, settings: Settings) -> WebWx {
        WebWx::new(settings, Arc::clone(&self.recorder) as Arc<dyn Transport>, self.source.clone())
    }

    /// What was asked so far.
    pub(crate) fn seen(&self) -> Vec<HttpRequest> {
        self.recorder.seen.lock().unwrap().clone()
    }

    /// What was asked at one endpoint so far.
    pub(crate) fn seen_at(&self, name: &str) -> Vec<HttpRequest> {
        self.seen().into_iter().filter(|request| endpoint(request) == name).collect()
    }

    /// Logs in by a code, and reads what a login brings by itself.
    pub(crate) async fn online(&self) -> Box<dyn Session> {
        let mut session = self.log_in().await;
        quiet(&mut session).await;
        session
    }

    /// Logs in by a code.
    pub(crate) async fn log_in(&self) -> Box<dyn Session> {
        let watcher = Watcher::new();
        let (session, ()) = tokio::join!(self.web.login(&watcher), async {
            let uuid = self.sim.next_uuid().await;
            self.sim.scan(&uuid, "shop").unwrap();
            self.sim.confirm(&uuid).unwrap();
        });
        session.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Does an action: `to` and `others` in the ids of this login.
    pub(crate) async fn act(
        &self,
        session: &dyn Session,
        action: Action,
        to: Option<&PeerId>,
        others: &[&PeerId],
        media: Option<MediaFile>,
    ) -> Result<Receipt, SendError> {
        let (to, others) = (to.cloned(), others.iter().map(|&peer| peer.clone()).collect());
        let client_id = self.web.draw_client_msg_id();
        session.sender().perform(Outgoing { action, to, others, media, client_id }).await
    }

    pub(crate) fn fault(&self, endpoint: &str, kind: FaultKind) {
        self.sim.inject(Fault::once(endpoint, kind));
    }

    /// The client did nothing that it should not do.
    pub(crate) fn clean(&self) {
        assert_eq!(
            self.sim.violations(),
            [],
            "hard ones cost something, soft ones show that we are no official client"
        );
    }
}

/// Why something that must fail did; sessions have no `Debug`.
pub(crate) fn failure<T>(result: Result<T, wxbot_core::Error>) -> wxbot_core::Error {
    match result {
        Ok(_) => panic!("it worked"),
        Err(error) => error,
    }
}

/// The next batch that says or changes something.
pub(crate) async fn next(session: &mut Box<dyn Session>) -> Batch {
    for _ in 0..100 {
        let batch = session.next_batch().await.unwrap_or_else(|error| panic!("{error:?}"));
        if !batch.events.is_empty() || !batch.contacts.is_empty() {
            return batch;
        }
    }
    panic!("it never came");
}

/// Everything until the next quiet poll.
pub(crate) async fn quiet(session: &mut Box<dyn Session>) -> Batch {
    let mut all = Batch::default();
    loop {
        let batch = session.next_batch().await.unwrap_or_else(|error| panic!("{error:?}"));
        if batch.cursor.is_none() && batch.events.is_empty() {
            return all;
        }
        all.events.extend(batch.events);
        all.contacts.extend(batch.contacts);
        all.cursor = batch.cursor.or(all.cursor);
        all.credentials = batch.credentials.or(all.credentials);
    }
}

/// What is kept after this batch.
pub(crate) fn saved_after(session: &dyn Session, batch: &Batch) -> SavedSession {
    let now = session.saved().unwrap();
    SavedSession {
        credentials: batch.credentials.clone().unwrap_or(now.credentials),
        cursor: batch.cursor.clone().unwrap_or(now.cursor),
    }
}

/// The texts that people said.
pub(crate) fn texts(events: &[Incoming]) -> Vec<&str> {
    let mut texts = Vec::new();
    for incoming in events {
        if let EventKind::Message(message) = &incoming.kind {
            texts.extend(message.content.text());
        }
    }
    texts
}

pub(crate) fn named(session: &dyn Session, nick: &str) -> Arc<Contact> {
    let found = session.contacts().into_iter().find(|contact| contact.nick_name == nick);
    found.unwrap_or_else(|| panic!("nobody is called {nick}"))
}

pub(crate) fn peer(session: &dyn Session, nick: &str) -> PeerId {
    named(session, nick).peer.clone()
}

pub(crate) fn upserted<'a>(batch: &'a Batch, nick: &str) -> Option<&'a Arc<Contact>> {
    batch.contacts.iter().find_map(|change| match change {
        ContactChange::Upsert(contact) if contact.nick_name == nick => Some(contact),
        ContactChange::Upsert(_) | ContactChange::Met(_) | ContactChange::Remove(_) => None,
    })
}

/// Of actions, which name contacts by ids of the runtime's: what counts here is the peer beside them.
pub(crate) fn id() -> ContactId {
    "p1".parse().unwrap()
}

/// Longer than any poll.
pub(crate) const LONG: Duration = Duration::from_secs(3_600);
