//! Are tables of services read, and is every answer of a service judged?

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::HeaderMap;
use serde_json::Value;
use url::Url;
use wxbot_core::mapping::{ActionMap, Call, Engine, EngineSettings, Headers, Profile, Values};
use wxbot_core::source::Source;
use wxbot_core::transport::{HttpRequest, HttpResponse, Transport, TransportError};

/// A service that answers one thing once, and nothing after it: what asks for page after page comes to an end.
#[derive(Debug)]
struct Service(Mutex<Option<Bytes>>);

impl Transport for Service {
    fn send(&self, _request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, TransportError>> {
        let body = self.0.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_else(|| Bytes::from("{}"));
        Box::pin(std::future::ready(Ok(HttpResponse { status: 200, headers: HeaderMap::new(), body })))
    }
}

#[expect(clippy::expect_used, reason = "a constant address")]
fn engine(profile: Profile, answer: &[u8]) -> Engine {
    let base: Url = "http://127.0.0.1:30001".parse().expect("an address");
    let settings = EngineSettings {
        account: "main".into(),
        protocol: "pc-hook",
        profile: profile.word().into(),
        actions: profile.actions().clone(),
        base,
        headers: Headers::default(),
        secrets: BTreeMap::new(),
        timeout: Duration::from_secs(15),
        max_concurrency: 1,
    };
    let service = Arc::new(Service(Mutex::new(Some(Bytes::copy_from_slice(answer)))));
    Engine::new(settings, service, Source::seeded(7, 1_700_000_000))
}

pub(super) fn answer(input: &[u8]) {
    let (which, body) = super::choice(input, 24);
    let profiles = [Profile::V3, Profile::V4, Profile::WxWork, Profile::QwApi];
    let Some(profile) = profiles.get(usize::from(which % 4)).copied() else { return };
    let engine = engine(profile, body);
    crate::targets::plugins::wait(async {
        match which / 4 {
            0 => {
                let values = Values::new().with("to", "wxid_a").with("text", "hi").with("is_room", false);
                drop(engine.perform("send_text", &values).await);
            }
            1 => drop(engine.list(&Call::list_contacts()).await),
            2 => drop(engine.list(&Call::list_rooms()).await),
            3 => drop(engine.list(&Call::room_members("1@chatroom")).await),
            4 => drop(engine.ask(&Call::contact_info("wxid_a")).await),
            _ => drop(engine.ask(&Call::self_info()).await),
        }
    });
}

/// What an owner writes under `[accounts.actions]` and `[accounts.headers]`, over a profile and over nothing.
pub(super) fn table(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let Ok(table) = text.parse::<toml::Table>() else { return };
    let Ok(value) = serde_json::to_value(table) else { return };
    let secrets = BTreeSet::from(["KEY".to_owned()]);
    let actions = value.get("actions").unwrap_or(&value);
    let told = |problems: Vec<wxbot_core::mapping::Problem>| {
        assert!(problems.iter().all(|one| !one.message.is_empty() && !one.help.is_empty()), "a mistake has a cure");
    };
    if let Err(problems) = ActionMap::read(actions, &secrets) {
        told(problems);
    }
    match Profile::V3.actions().with(actions, &secrets) {
        Ok(map) => drop((map.capabilities(), map.names().count())),
        Err(problems) => told(problems),
    }
    let headers = value.get("headers").unwrap_or(&Value::Null);
    if let Err(problems) = Headers::read(headers, &secrets) {
        told(problems);
    }
}
