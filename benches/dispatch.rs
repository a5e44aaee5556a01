//! What does one text event cost between the store's commits? The default chain and three instances of auto-reply.
//!
//! `cargo bench --bench dispatch`. Each event comes from another chat, or the loop guard would stop most of them.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use divan::Bencher;
use futures_util::future::BoxFuture;
use serde_json::Value;
use wxbot_core::source::Source;
use wxbot_model::{AccountName, Contact, ContactId, Event};
use wxbot_plugin::host::{Call, CallMeta, Host, PluginFactory};
use wxbot_plugin::middleware::{AnyMiddleware, Destination};
use wxbot_plugin::{ContactQuery, Envelope, FoundContact, InitCtx, Next, Outcome, PluginError, RoomMember};
use wxbot_runtime::config::{PluginUse, Registry};
use wxbot_runtime::middleware;
use wxbot_runtime::plugin::ActivePlugin;

fn main() {
    divan::main();
}

const CONFIG: &str = r#"
[[accounts]]
name = "shop"
protocol = "web"
"#;

/// Rules of three instances: none answers what the first two are asked.
const RULES: [&str; 3] = [
    r#"{"rules": [{"exact": ["价格", "price"], "reply": "99"}, {"regex": "^订单\\s*(\\d+)$", "reply": "{{ groups[1] }}"}]}"#,
    r#"{"rules": [{"contains": ["发货", "shipping"], "reply": "明天"}, {"exact": ["/help"], "reply": "…"}]}"#,
    r#"{"rules": [{"contains": ["在吗"], "reply": "在的,{{ sender }}"}]}"#,
];

struct Nothing;

impl Host for Nothing {
    fn now_ms(&self) -> i64 {
        0
    }
    fn random_u64(&self) -> u64 {
        0
    }
    fn kv_get<'a>(
        &'a self,
        _plugin: &'a str,
        _account: &'a AccountName,
        _key: &'a str,
    ) -> BoxFuture<'a, Result<Option<Value>, PluginError>> {
        Box::pin(async { Ok(None) })
    }
    fn contact(&self, _account: &AccountName, _id: &ContactId) -> Option<Contact> {
        None
    }
    fn find_contacts(&self, _account: &AccountName, _query: &ContactQuery) -> Vec<FoundContact> {
        Vec::new()
    }
    fn members<'a>(
        &'a self,
        _account: &'a AccountName,
        _room: &'a ContactId,
    ) -> BoxFuture<'a, Result<Vec<RoomMember>, PluginError>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

/// The plugins one after another, as the dispatcher asks them.
struct Plugins {
    list: Vec<Arc<ActivePlugin>>,
}

impl Destination for Plugins {
    fn arrive(&self, env: Envelope) -> BoxFuture<'_, Outcome> {
        Box::pin(async move {
            let mut actions = 0;
            let event = Arc::new(env.event);
            for plugin in &self.list {
                let meta = CallMeta::first().attempt(env.attempt);
                let call = Call { event: Arc::clone(&event), meta, dialog: None };
                actions += plugin.run(call).await.map_or(0, |answer| answer.effects.into_iter().count());
            }
            Outcome::Passed { actions, said: actions }
        })
    }
}

struct Rig {
    tokio: tokio::runtime::Runtime,
    chain: Vec<Arc<dyn AnyMiddleware>>,
    plugins: Plugins,
}

impl Rig {
    fn new() -> Self {
        let tokio = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let app = wxbot::App::bundled();
        let registry: &Registry = app.registry();
        let loaded = wxbot_runtime::config::parse(CONFIG, Path::new("bot.toml"), registry).expect("a good file");
        let shop = loaded.config.accounts.first().expect("one account");
        let chain = middleware::chain(&shop.middleware, &Source::system());
        assert_eq!(chain.len(), 6, "the default chain");
        let factory: &PluginFactory = registry.plugin("auto-reply").expect("bundled");
        let instance = |rules: &str| {
            let settings: Value = serde_json::from_str(rules).expect("JSON");
            assert!(
                factory.plan(&settings, &InitCtx::new()).is_ok(),
                "{:?}",
                factory.plan(&settings, &InitCtx::new()).err()
            );
            let wanted = PluginUse { id: "auto-reply".into(), settings, init: InitCtx::new(), plugin: factory.clone() };
            tokio.block_on(ActivePlugin::start(&wanted, Arc::new(Nothing))).expect("starts")
        };
        let list = RULES.map(instance).into();
        Self { chain, plugins: Plugins { list }, tokio }
    }

    fn dispatch(&self, event: Event) -> Outcome {
        let envelope = Envelope::new(event, 1);
        self.tokio.block_on(Next::new(&self.chain, &self.plugins).run(envelope))
    }
}

fn event(text: &str, number: u64) -> Event {
    let (now_s, chat) = (Source::system().now_s(), format!("p{number}"));
    serde_json::from_value(serde_json::json!({
        "account": "shop",
        "key": "4000000000000007919",
        "chat": { "id": chat, "kind": "private", "name": "老王" },
        "sender": { "id": chat, "name": "老王" },
        "at_s": now_s,
        "kind": {
            "what": "message",
            "id": "4000000000000007919",
            "from_self": false,
            "content": { "type": "text", "text": text },
            "mentions": { "me": false, "all": false },
        },
    }))
    .expect("an event")
}

fn bench(bencher: Bencher<'_, '_>, text: &str, actions: usize) {
    let rig = Rig::new();
    assert_eq!(rig.dispatch(event(text, 0)), Outcome::Passed { actions, said: actions });
    let number = AtomicU64::new(1);
    bencher
        .with_inputs(|| event(text, number.fetch_add(1, Ordering::Relaxed)))
        .bench_values(|event| rig.dispatch(event));
}

#[divan::bench]
fn no_rule_matches(bencher: Bencher<'_, '_>) {
    bench(bencher, "今天天气怎么样?", 0);
}

#[divan::bench]
fn the_third_answers(bencher: Bencher<'_, '_>) {
    bench(bencher, "老板在吗?", 1);
}
