//! Who asks the model? A plugin that lets it answer private texts, and those in rooms that mention us; and who reads the log.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tracing::field::{Field, Visit};
use tracing::{Event as Logged, Level, Metadata, Subscriber, span};
use wxbot_plugin::prelude::*;

use super::fake::{Fake, InMemory, SECRETS};
use crate::llm::net::{Dial, Net};
use crate::llm::{Asked, Llm, LlmSettings};

thread_local! {
    /// Where questions of this test go. Each test has a thread of its own.
    static FAKE: RefCell<Option<Arc<Fake>>> = const { RefCell::new(None) };
}

/// From now on questions of this test go to a fake in memory.
pub(super) fn fake() -> Arc<Fake> {
    FAKE.with_borrow_mut(|fake| Arc::clone(fake.get_or_insert_with(Fake::new)))
}

/// Settings of an endpoint in memory, with more of them.
pub(super) fn with(more: Value) -> Value {
    let mut settings = json!({ "endpoint": "http://model.localhost/v1", "model": "m", "system": "S", "fallback": "F" });
    for (key, value) in more.as_object().unwrap() {
        settings[key] = value.clone();
    }
    settings
}

/// The plugin.
#[derive(Debug)]
pub(super) struct Talk(Llm);

impl Plugin for Talk {
    type Config = LlmSettings;

    fn manifest() -> Manifest {
        Manifest::new("talk", "Lets a model answer.").handler(Llm::reset_spec())
    }

    async fn init(config: LlmSettings, _cx: &InitCtx) -> Result<Self, PluginError> {
        let in_memory = config.endpoint.contains("model.localhost");
        let dial: Arc<dyn Dial> = if in_memory { Arc::new(InMemory(fake())) } else { Arc::new(Net::default()) };
        Ok(Self(Llm::dialling(config, dial)?))
    }

    async fn on_event(&self, event: &Event, cx: &Ctx) -> Result<Effects, PluginError> {
        let text = event.text().unwrap_or_default();
        if Llm::hears_reset(text, &["/".to_owned()]) {
            return self.0.reset(cx).await;
        }
        let at_me = event.message().is_some_and(|message| message.mentions.me);
        if event.is_group() && !at_me {
            return Ok(Effects::none());
        }
        let today = format!("day {}", cx.now_ms() / 86_400_000);
        let text = text.trim_start_matches("@bot\u{2005}");
        self.0.answer(Asked::new(text, &today).mention(true), cx).await
    }
}

/// Lines of the log of this thread.
#[derive(Debug, Clone, Default)]
pub(super) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    /// Collects until the guard is dropped.
    pub(super) fn collect() -> (Self, tracing::subscriber::DefaultGuard) {
        let log = Self::default();
        (log.clone(), tracing::subscriber::set_default(log))
    }

    /// What was told since the last call; nothing of it is a secret.
    pub(super) fn told(&self) -> Vec<String> {
        let lines = std::mem::take(&mut *self.0.lock().unwrap());
        for line in &lines {
            assert!(SECRETS.iter().all(|secret| !line.contains(secret)), "{line}");
        }
        lines
    }
}

impl Subscriber for Log {
    fn enabled(&self, about: &Metadata<'_>) -> bool {
        about.target().starts_with("wxbot_auto_reply") && *about.level() <= Level::WARN
    }

    fn new_span(&self, _span: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _span: &span::Id, _values: &span::Record<'_>) {}
    fn record_follows_from(&self, _span: &span::Id, _follows: &span::Id) {}
    fn enter(&self, _span: &span::Id) {}
    fn exit(&self, _span: &span::Id) {}

    fn event(&self, event: &Logged<'_>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        _ = write!(self.0, "{}={value:?} ", field.name());
    }
}
