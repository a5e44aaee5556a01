//! An account over a service that answers from a script, and remembers what it was asked. Time is tokio's and paused.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::HeaderMap;
use serde_json::{Value, json};
use wxbot_model::PeerId;

use super::account::{ILink, Settings};
use super::client::{Client, Line};
use super::endpoint::Place;
use super::headers::Identity;
use super::saved::{Binding, Memory};
use super::testdata;
use crate::protocol::{ReplyWindow, SavedSession};
use crate::source::Source;
use crate::transport::{HttpRequest, HttpResponse, Transport, TransportError};

pub(crate) const BOT: &str = "0a1b2c3d4e5f@im.bot";
pub(crate) const OWNER: &str = "o9cq80Zq1aExampleUser0000001@im.wechat";
pub(crate) const TOKEN: &str = "0a1b2c3d4e5f@im.bot:060000aabbccddeeff00112233445566778899";

pub(crate) fn peer(id: &str) -> PeerId {
    id.parse().unwrap()
}

/// One request, as a script sees it.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) request: HttpRequest,
    /// The last segment of its path.
    pub(crate) endpoint: String,
    /// How often it was asked before.
    pub(crate) nth: usize,
}

impl Asked {
    pub(crate) fn host(&self) -> &str {
        self.request.url.host_str().unwrap()
    }

    pub(crate) fn query(&self, name: &str) -> Option<String> {
        self.request.url.query_pairs().find(|(k, _)| k == name).map(|(_, v)| v.into_owned())
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.request.headers.get(name)?.to_str().ok()
    }

    pub(crate) fn body(&self) -> Value {
        serde_json::from_slice(&self.request.body).unwrap()
    }
}

/// What the service does.
#[derive(Debug)]
pub(crate) struct Reply {
    after: Duration,
    what: Result<(u16, HeaderMap, Vec<u8>), TransportError>,
}

impl Reply {
    pub(crate) fn bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self { after: Duration::ZERO, what: Ok((200, HeaderMap::new(), bytes.into())) }
    }

    pub(crate) fn json(value: Value) -> Self {
        Self::bytes(value.to_string())
    }

    pub(crate) fn fixture(name: &str) -> Self {
        Self::bytes(testdata::text(name))
    }

    pub(crate) fn status(status: u16) -> Self {
        Self { after: Duration::ZERO, what: Ok((status, HeaderMap::new(), b"<html>".to_vec())) }
    }

    pub(crate) fn not_sent() -> Self {
        Self { after: Duration::ZERO, what: Err(TransportError::NotSent { host: "h".into(), reason: String::new() }) }
    }

    pub(crate) fn broken() -> Self {
        Self { after: Duration::ZERO, what: Err(TransportError::Broken { host: "h".into(), reason: "reset".into() }) }
    }

    /// Nothing, for longer than anybody waits.
    pub(crate) fn silence() -> Self {
        Self::json(json!({})).held(100_000)
    }

    /// After so many seconds; a request that does not wait so long times out.
    pub(crate) fn held(mut self, secs: u64) -> Self {
        self.after = Duration::from_secs(secs);
        self
    }

    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        if let Ok((_, headers, _)) = &mut self.what {
            headers.insert(name, value.parse().unwrap());
        }
        self
    }
}

type Answering = Box<dyn FnMut(&Asked) -> Reply + Send>;

/// The service.
pub(crate) struct Script {
    answering: Mutex<Answering>,
    seen: Mutex<Vec<Asked>>,
}

impl std::fmt::Debug for Script {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Script")
    }
}

impl Script {
    pub(crate) fn new(answering: impl FnMut(&Asked) -> Reply + Send + 'static) -> Arc<Self> {
        Arc::new(Self { answering: Mutex::new(Box::new(answering)), seen: Mutex::default() })
    }

    /// Everything asked so far.
    pub(crate) fn seen(&self) -> Vec<Asked> {
        self.seen.lock().unwrap().clone()
    }

    /// The endpoints asked so far, in order.
    pub(crate) fn endpoints(&self) -> Vec<String> {
        self.seen().into_iter().map(|asked| asked.endpoint).collect()
    }

    /// How often this one was asked.
    pub(crate) fn count(&self, endpoint: &str) -> usize {
        self.endpoints().iter().filter(|name| *name == endpoint).count()
    }
}

impl Transport for Script {
    fn send(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, TransportError>> {
        Box::pin(async move {
            // Others get their turn, as they do while a network is waited for.
            tokio::task::yield_now().await;
            let (limit, host) = (request.timeout, request.host());
            let endpoint = request.url.path().rsplit('/').next().unwrap().to_owned();
            let asked = {
                let mut seen = self.seen.lock().unwrap();
                let nth = seen.iter().filter(|asked| asked.endpoint == endpoint).count();
                let asked = Asked { request, endpoint, nth };
                seen.push(asked.clone());
                asked
            };
            let Reply { after, what } = (self.answering.lock().unwrap())(&asked);
            tokio::time::sleep(after.min(limit)).await;
            if after >= limit {
                return Err(TransportError::Timeout { host, after: limit });
            }
            what.map(|(status, headers, body)| HttpResponse { status, headers, body: body.into() })
        })
    }
}

pub(crate) fn settings() -> Settings {
    Settings {
        endpoint: None,
        cdn: None,
        version: "2.4.9".into(),
        agent: "wxbot/0.1.0".into(),
        route_tag: None,
        hold: Duration::from_secs(35),
        window: ReplyWindow { sends: 10, open_for: Duration::from_secs(86_400) },
        text_limit: 2000,
        experimental_voice: false,
    }
}

fn source() -> Source {
    Source::seeded(7, 1_795_200_000)
}

/// An account whose service is this one.
pub(crate) fn account(script: &Arc<Script>) -> ILink {
    ILink::new(settings(), Arc::clone(script) as Arc<dyn Transport>, source())
}

/// A client of a session of the real service, and whoever scanned has written with this token.
pub(crate) fn client(script: &Arc<Script>) -> Client {
    let line = Line {
        transport: Arc::clone(script) as Arc<dyn Transport>,
        source: source(),
        place: Place::new(None, None),
        identity: Identity::new("2.4.9", "wxbot/0.1.0", None).unwrap(),
    };
    let binding = Binding {
        place: line.place.name(),
        bot_id: peer(BOT),
        user_id: Some(peer(OWNER)),
        token: TOKEN.to_owned().into(),
        base: line.place.fixed().clone(),
    };
    let mut memory = Memory::default();
    let state = testdata::fixture("state-example");
    memory.note_token(&peer(OWNER), state["peers"][OWNER]["context_token"].as_str().unwrap(), 1_795_200_000_000);
    Client::new(line, binding, memory)
}

/// The documented state, as it comes out of the store.
pub(crate) fn saved() -> SavedSession {
    let state = testdata::fixture("state-example");
    let cursor = state["cursor"].as_str().unwrap().to_owned();
    SavedSession { credentials: state.to_string().into_bytes().into(), cursor: cursor.into() }
}
