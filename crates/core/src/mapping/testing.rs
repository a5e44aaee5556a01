//! A service that answers what a test says, and remembers what it was asked.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::HeaderMap;
use serde_json::Value;
use wxbot_model::Secret;

use super::{ActionMap, Engine, EngineSettings, Headers};
use crate::source::Source;
use crate::transport::{HttpRequest, HttpResponse, Transport, TransportError};

/// What the service does next.
#[derive(Debug, Clone)]
pub(crate) enum Next {
    Answer(u16, Bytes),
    /// Answers after this long.
    Slow(Duration, Bytes),
    Refused,
    Broken,
}

impl Next {
    pub(crate) fn ok(body: &str) -> Self {
        Self::Answer(200, Bytes::copy_from_slice(body.as_bytes()))
    }
}

#[derive(Debug, Default)]
pub(crate) struct Service {
    next: Mutex<VecDeque<Next>>,
    asked: Mutex<Vec<HttpRequest>>,
    /// How many are asked at this moment, and how many were at most.
    busy: Mutex<(usize, usize)>,
}

impl Service {
    pub(crate) fn new(next: impl IntoIterator<Item = Next>) -> Arc<Self> {
        Arc::new(Self { next: Mutex::new(next.into_iter().collect()), ..Self::default() })
    }

    pub(crate) fn asked(&self) -> Vec<HttpRequest> {
        self.asked.lock().unwrap().clone()
    }

    pub(crate) fn most_at_once(&self) -> usize {
        self.busy.lock().unwrap().1
    }

    /// What of the script was not used.
    pub(crate) fn left(&self) -> usize {
        self.next.lock().unwrap().len()
    }
}

impl Transport for Service {
    fn send(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, TransportError>> {
        Box::pin(async move {
            let host = request.host();
            self.asked.lock().unwrap().push(request);
            {
                let mut busy = self.busy.lock().unwrap();
                busy.0 += 1;
                busy.1 = busy.1.max(busy.0);
            }
            let next = self.next.lock().unwrap().pop_front().expect("the test says what is answered");
            let answer = match next {
                Next::Answer(status, body) => Ok((status, body)),
                Next::Slow(after, body) => {
                    tokio::time::sleep(after).await;
                    Ok((200, body))
                }
                Next::Refused => Err(TransportError::NotSent { host, reason: "refused".into() }),
                Next::Broken => Err(TransportError::Broken { host, reason: "reset".into() }),
            };
            self.busy.lock().unwrap().0 -= 1;
            answer.map(|(status, body)| HttpResponse { status, headers: HeaderMap::new(), body })
        })
    }
}

pub(crate) fn secrets() -> BTreeMap<String, Secret<String>> {
    BTreeMap::from([("KEY".to_owned(), Secret::new("canary-secret".to_owned()))])
}

pub(crate) fn settings(actions: ActionMap) -> EngineSettings {
    let names: BTreeSet<_> = secrets().into_keys().collect();
    let headers = serde_json::json!({ "Authorization": "Bearer {{secret.KEY}}" });
    EngineSettings {
        account: "main".into(),
        protocol: "pc-hook",
        profile: "v3".into(),
        actions,
        base: "http://127.0.0.1:30001".parse().unwrap(),
        headers: Headers::read(&headers, &names).unwrap(),
        secrets: secrets(),
        timeout: Duration::from_secs(15),
        max_concurrency: 1,
    }
}

pub(crate) fn engine(actions: ActionMap, service: &Arc<Service>) -> Engine {
    Engine::new(settings(actions), Arc::clone(service) as Arc<dyn Transport>, Source::seeded(7, 1_700_000_000))
}

/// Actions of one's own.
pub(crate) fn actions(value: Value) -> ActionMap {
    ActionMap::read(&value, &secrets().into_keys().collect()).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

pub(crate) fn json(request: &HttpRequest) -> Value {
    serde_json::from_slice(&request.body).unwrap_or(Value::Null)
}
