//! Who asks the model? A plugin that lets it answer private texts, and those in rooms that mention us.

use std::cell::RefCell;
use std::sync::Arc;

use serde_json::{Value, json};
use wxbot_plugin::prelude::*;

use super::fake::{Fake, InMemory};
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
        if Llm::hears_reset(text, &["/".to_owned()], !event.is_group()) {
            return self.0.reset(cx).await;
        }
        let at_me = event.message().is_some_and(|message| message.mentions.me);
        if event.is_group() && !at_me {
            return Ok(Effects::none());
        }
        let today = format!("day {}", cx.now_ms() / 86_400_000);
        let text = text.trim_start_matches("@bot\u{2005}");
        Ok(self.0.answer(Asked::new(text, &today).mention(true), cx).await?.effects)
    }
}
