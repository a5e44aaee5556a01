//! What does a host do with an instance? A small one: events in, answers out, KV changes committed as the real one does.

#![allow(dead_code, reason = "each test uses a part of it")]
#![expect(clippy::unwrap_used, reason = "the helpers of tests fail like tests")]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use wxbot_plugin::host::{Answer, Call, CallMeta, Host, Instance, PluginFactory};
use wxbot_plugin::model::{AccountName, Chat, Contact, ContactId, Mentions, Person};
use wxbot_plugin::prelude::*;
use wxbot_plugin::{ContactQuery, Effect, FoundContact, Plugin, RoomMember};

/// Nothing on a bench waits.
pub(crate) fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("nothing waits")
}

pub(crate) struct Bench {
    pub(crate) instance: Arc<dyn Instance>,
    pub(crate) host: Arc<Memory>,
    next: usize,
}

#[derive(Default)]
pub(crate) struct Memory(Mutex<(i64, HashMap<String, Value>)>);

impl Bench {
    pub(crate) fn of<P: Plugin>() -> Self {
        Self::with::<P>(json!({}))
    }

    pub(crate) fn with<P: Plugin>(settings: Value) -> Self {
        let host = Arc::new(Memory::default());
        Self { instance: Self::make::<P>(settings, host.clone()), host, next: 0 }
    }

    fn make<P: Plugin>(settings: Value, host: Arc<Memory>) -> Arc<dyn Instance> {
        now(PluginFactory::of::<P>().make(settings, InitCtx::new(), host)).expect("it starts")
    }

    /// The same KV store, another instance: what a restart leaves.
    pub(crate) fn restart<P: Plugin>(&mut self) {
        self.instance = Self::make::<P>(json!({}), self.host.clone());
    }

    pub(crate) fn event(&mut self, from: &str, room: Option<&str>, kind: EventKind) -> Event {
        self.next += 1;
        let (id, kinds) = match room {
            Some(room) => (room, ChatKind::Group),
            None => (from, ChatKind::Private),
        };
        Event {
            account: "test".parse().unwrap(),
            key: self.next.to_string().parse().unwrap(),
            chat: Chat { id: id.parse().unwrap(), kind: kinds, name: id.to_owned() },
            sender: Some(Person { id: from.parse().unwrap(), name: from.to_owned() }),
            at_s: 0,
            late: false,
            kind,
        }
    }

    pub(crate) fn message(&mut self, from: &str, room: Option<&str>, content: Content) -> Event {
        let (id, mentions) = (self.next.to_string().parse().unwrap(), Mentions::default());
        self.event(from, room, EventKind::Message(Message { id, from_self: false, content, mentions }))
    }

    pub(crate) fn text(&mut self, from: &str, room: Option<&str>, text: &str) -> Event {
        self.message(from, room, Content::Text { text: text.to_owned() })
    }

    pub(crate) fn call(&self, event: Event, meta: CallMeta, dialog: Option<u64>) -> Result<Answer, PluginError> {
        now(self.instance.call(Call { event: Arc::new(event), meta: meta.explain(true), dialog }))
    }

    /// Handles and commits; the replies.
    pub(crate) fn says(&self, event: Event) -> Vec<String> {
        let answer = self.call(event, CallMeta::first(), None).expect("no failure");
        assert!(self.commit(&answer.effects), "nobody changed a value meanwhile");
        replies(&answer.effects)
    }

    /// A private text of `p1`.
    pub(crate) fn say(&mut self, text: &str) -> Vec<String> {
        let event = self.text("p1", None, text);
        self.says(event)
    }

    /// What the handlers thought of an event, each `name: why` with `+` for those that took it.
    pub(crate) fn why(&self, event: Event, meta: CallMeta) -> Vec<String> {
        let answer = self.call(event, meta, None).expect("no failure");
        let told = |took: bool| if took { "+" } else { "" };
        answer.notes.iter().map(|note| format!("{}{}: {}", told(note.took), note.what, note.why)).collect()
    }

    /// Commits KV changes, all or none.
    pub(crate) fn commit(&self, effects: &Effects) -> bool {
        let mut state = self.host.0.lock().unwrap();
        let mut kv = state.1.clone();
        for effect in effects.iter() {
            let (key, now) = match effect {
                Effect::Put { key, value } => (key, Some(value.clone())),
                Effect::Delete { key } => (key, None),
                Effect::Swap { key, was, now } if kv.get(key) == was.as_ref() => (key, now.clone()),
                Effect::Swap { .. } => return false,
                Effect::Reply { .. } | Effect::Media { .. } | Effect::Act(_) | Effect::Timer { .. } | _ => continue,
            };
            match now {
                Some(now) => kv.insert(key.clone(), now),
                None => kv.remove(key),
            };
        }
        state.1 = kv;
        true
    }

    pub(crate) fn advance_ms(&self, ms: i64) {
        self.host.0.lock().unwrap().0 += ms;
    }

    pub(crate) fn kv(&self, key: &str) -> Option<Value> {
        self.host.0.lock().unwrap().1.get(key).cloned()
    }

    pub(crate) fn put(&self, key: &str, value: Value) {
        self.host.0.lock().unwrap().1.insert(key.to_owned(), value);
    }
}

pub(crate) fn replies(effects: &Effects) -> Vec<String> {
    let text = |effect: &Effect| if let Effect::Reply { text, .. } = effect { Some(text.clone()) } else { None };
    effects.iter().filter_map(text).collect()
}

impl Host for Memory {
    fn now_ms(&self) -> i64 {
        self.0.lock().unwrap().0
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
        Box::pin(std::future::ready(Ok(self.0.lock().unwrap().1.get(key).cloned())))
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

    fn contact(&self, _account: &AccountName, _id: &ContactId) -> Option<Contact> {
        None
    }
}
