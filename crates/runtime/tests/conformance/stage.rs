//! Where is a scene played? In the kit of the SDK, and behind the runtime's deadline, panic guard and breaker.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use stress_plugin::Stress;
use wxbot_model::{AccountName, Action, Contact, ContactId, Event};
use wxbot_plugin::host::{Call, CallMeta, Host, OpenDialog, PluginFactory};
use wxbot_plugin::testing::Kit;
use wxbot_plugin::{Allowance, Budget, ContactQuery, Effect, FoundContact, InitCtx, PluginError, Receipt, RoomMember};
use wxbot_runtime::config::PluginUse;
use wxbot_runtime::plugin::ActivePlugin;

/// A person on one side, a plugin on the other.
pub(crate) trait Stage {
    /// Begins anew.
    async fn begin(&mut self);
    /// What the person hears; `None` when the handler failed.
    async fn say(&mut self, text: &str) -> Option<Vec<String>>;
}

/// In the kit.
#[derive(Default)]
pub(crate) struct InKit(Option<Kit<Stress>>);

impl Stage for InKit {
    async fn begin(&mut self) {
        let kit = Kit::start(json!({})).await.unwrap();
        kit.budget(budget());
        self.0 = Some(kit);
    }

    async fn say(&mut self, text: &str) -> Option<Vec<String>> {
        let kit = self.0.as_mut().unwrap();
        // The kit leaves panics to the test.
        let replies = std::panic::AssertUnwindSafe(kit.say(text)).catch_unwind().await.ok()?.ok()?;
        // What was sent at once came before what was answered.
        let acted = kit.acted().into_iter().map(|action| {
            let Action::SendText { text, .. } = action else { panic!("{action:?}") };
            text
        });
        Some(acted.chain(replies).collect())
    }
}

/// In the runtime.
pub(crate) struct InRuntime {
    factory: PluginFactory,
    host: Arc<Desk>,
    plugin: Option<Arc<ActivePlugin>>,
    dialog: Option<OpenDialog>,
    number: u64,
}

impl InRuntime {
    pub(crate) fn of(factory: PluginFactory) -> Self {
        Self { factory, host: Arc::default(), plugin: None, dialog: None, number: 0 }
    }
}

impl Stage for InRuntime {
    async fn begin(&mut self) {
        (self.host, self.dialog) = (Arc::default(), None);
        let plugin = self.factory.clone();
        let wanted = PluginUse { id: "stress".into(), settings: json!({}), init: InitCtx::new(), plugin };
        self.plugin = Some(ActivePlugin::start(&wanted, self.host.clone()).await.unwrap());
    }

    async fn say(&mut self, text: &str) -> Option<Vec<String>> {
        self.number += 1;
        let event = event(self.number, text);
        let dialog = self.dialog.take().map(|open| open.id);
        let call = Call { event: Arc::new(event), meta: CallMeta::first(), dialog };
        let answer = self.plugin.as_ref().unwrap().run(call).await.ok()?;
        self.dialog = answer.dialog;
        let mut heard = std::mem::take(&mut *self.host.sent.lock().unwrap());
        for effect in answer.effects {
            if let Effect::Reply { text, .. } = effect {
                heard.push(text);
            } else if let Effect::Swap { key, now: Some(now), was } = effect {
                let before = self.host.kv.lock().unwrap().insert(key, now);
                assert_eq!(before, was);
            } else {
                panic!("{effect:?}");
            }
        }
        Some(heard)
    }
}

fn event(number: u64, text: &str) -> Event {
    serde_json::from_value(json!({
        "account": "shop", "key": number.to_string(), "at_s": 1_780_000_000,
        "chat": { "id": "p1", "kind": "private", "name": "Ann" },
        "sender": { "id": "p1", "name": "Ann" },
        "kind": {
            "what": "message", "id": number.to_string(), "from_self": false,
            "content": { "type": "text", "text": text },
            "mentions": { "me": false, "all": false },
        },
    }))
    .unwrap()
}

/// What may go out, on every stage.
fn budget() -> Budget {
    Budget::unlimited()
        .with_account(Allowance::of(5))
        .with_chat(Allowance::of(2))
        .in_quiet_hours(9_000, false)
        .warming_up(11_000)
}

/// The host of one instance.
#[derive(Default)]
struct Desk {
    kv: Mutex<HashMap<String, Value>>,
    sent: Mutex<Vec<String>>,
}

impl Host for Desk {
    fn now_ms(&self) -> i64 {
        1_780_000_000_000
    }
    fn random_u64(&self) -> u64 {
        4
    }
    fn kv_get<'a>(
        &'a self,
        _plugin: &'a str,
        _account: &'a AccountName,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Option<Value>, PluginError>> {
        let value = self.kv.lock().unwrap().get(key).cloned();
        Box::pin(std::future::ready(Ok(value)))
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
        Box::pin(std::future::ready(Ok(Vec::new())))
    }
    fn budget<'a>(
        &'a self,
        _account: &'a AccountName,
        _chat: &'a ContactId,
    ) -> BoxFuture<'a, Result<Budget, PluginError>> {
        Box::pin(std::future::ready(Ok(budget())))
    }
    fn send_now<'a>(
        &'a self,
        _plugin: &'a str,
        _account: &'a AccountName,
        action: Action,
    ) -> BoxFuture<'a, Result<Receipt, PluginError>> {
        let Action::SendText { text, .. } = action else { panic!("{action:?}") };
        self.sent.lock().unwrap().push(text);
        Box::pin(std::future::ready(Ok(Receipt::default())))
    }
}
