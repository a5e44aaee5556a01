//! Which text is answered, with what, and how often? The plugin `auto-reply`: rules in `bot.toml`, first match wins.
//!
//! ```toml
//! [[accounts]]
//! name = "shop"
//! use = ["auto-reply"]
//!
//! [plugins.auto-reply]
//! cooldown = "5s"
//!
//! [[plugins.auto-reply.rules]]
//! exact = ["你好", "hi"]
//! reply = "你好,{{ sender }}!"
//!
//! [[plugins.auto-reply.rules]]
//! regex = '^天气\s*(?P<city>\S+)$'
//! at_me = true
//! mention = true
//! reply = "{{ named.city }} is on my list since {{ date }}."
//!
//! [[plugins.auto-reply.rules]]
//! any = true
//! in = "private"
//! cooldown = "1h"
//! reply = "I am away and will read this later."
//! ```
//!
//! Every setting is in the README. Files in reading order: this one (the handler) → `settings` (what the rules say and
//! what may be wrong with them) → `reading` (tables with places) → `matching` → `schema`.
//!
//! **Never answered:** our own messages, late ones, anything but text, official and built-in accounts. The last two
//! answer by themselves, and two machines that answer each other do not stop.
//!
//! **State.** The moment of the last answer, in the KV store under `cooldown:<chat>` (or `cooldown:<chat>:<rule>` for a
//! rule with its own cooldown). It is committed with the answer, so that a crash neither repeats nor forgets it.

mod matching;
mod reading;
mod schema;
mod settings;

use serde_json::Value;
use wxbot_plugin::local::{Local, Zone};
use wxbot_plugin::prelude::*;
use wxbot_plugin::template::Facts;
use wxbot_plugin::text::typed;

use crate::matching::Heard;
use crate::settings::{Rule, Scope};

pub use settings::Settings;

/// The plugin.
#[derive(Debug)]
pub struct AutoReply {
    settings: Settings,
}

impl Plugin for AutoReply {
    type Config = Settings;

    fn manifest() -> Manifest {
        Manifest::new("auto-reply", "Answers texts by rules.")
            .version(env!("CARGO_PKG_VERSION"))
            .needs(&[Capability::SendText])
            .events(&["message"])
    }

    async fn init(settings: Settings, _cx: &InitCtx) -> Result<Self, PluginError> {
        Ok(Self { settings })
    }

    async fn on_event(&self, event: &Event, cx: &Ctx) -> Result<Effects, PluginError> {
        let (text, situation) = match typed(event) {
            Ok(text) => (text, situation(event)),
            Err(why) => {
                cx.note("rules", false, || why.to_string());
                return Ok(Effects::none());
            }
        };
        let Some(situation) = situation else {
            cx.note("rules", false, || "they answer in private chats and rooms".to_owned());
            return Ok(Effects::none());
        };
        let heard = Heard::new(text);
        let mut rules = self.settings.rules.iter().enumerate();
        let found = rules.find_map(|(n, rule)| Some((n, rule, rule.hears(situation, &heard)?)));
        if cx.explains() {
            self.note_misses(found.as_ref().map(|(n, ..)| *n), situation, cx);
        }
        let Some((n, rule, captures)) = found else { return Ok(Effects::none()) };
        let key = cooldown_key(event, n, rule);
        if rule.cooldown_ms > 0
            && let Some(left_ms) = silent_for(&cx.kv_get(&key).await?, cx.now_ms(), rule.cooldown_ms)
        {
            let left_s = left_ms.cast_unsigned().div_ceil(1000);
            cx.note(&name(n), false, || format!("cooldown: it would answer, and rests for {left_s} s more"));
            return Ok(Effects::none());
        }
        cx.note(&name(n), true, || "it answers".to_owned());
        let effects = answer(event, n, rule, &captures, cx.now_ms())?;
        if effects.is_empty() || rule.cooldown_ms == 0 {
            return Ok(effects);
        }
        Ok(effects.put(key, &cx.now_ms())?)
    }
}

impl AutoReply {
    /// Says why the rules before the one that was found did not take the text; all of them when none was.
    fn note_misses(&self, found: Option<usize>, situation: Scope, cx: &Ctx) {
        for (n, rule) in self.settings.rules.iter().enumerate().take(found.unwrap_or(usize::MAX)) {
            let why = if rule.scope.covers(situation) {
                "the text does not match"
            } else {
                "it does not listen here (`in`, `at_me`)"
            };
            cx.note(&name(n), false, || why.to_owned());
        }
    }
}

/// What a rule is called in notes: people count from 1.
fn name(n: usize) -> String {
    format!("rule {}", n + 1)
}

/// Where the event happened, as rules see it; `None` with built-in accounts.
fn situation(event: &Event) -> Option<Scope> {
    if event.chat.kind == ChatKind::Private {
        Some(Scope::PRIVATE)
    } else if event.is_group() {
        let at_me = event.message().is_some_and(|message| message.mentions.me);
        Some(if at_me { Scope::GROUP_AT_ME } else { Scope::GROUP_UNADDRESSED })
    } else {
        None
    }
}

/// What the rule answers; nothing when all of its templates come out blank.
fn answer(event: &Event, n: usize, rule: &Rule, captures: &Captures, now_ms: i64) -> Result<Effects, PluginError> {
    let now = Local::at(now_ms, &Zone::default());
    let facts = Facts::new()
        .text("sender", event.sender.as_ref().map_or("", |person| &person.name))
        .text("chat", &event.chat.name)
        .text("text", event.text().unwrap_or_default().trim())
        .text("account", event.account.as_str())
        .text("date", &now.date())
        .text("time", &now.time())
        .captures(captures);
    let mut effects = Effects::none();
    for template in &rule.replies {
        let rendered = template.render(&facts);
        let text = rendered.map_err(|why| PluginError::msg(format!("the reply of rule {} failed: {why}", n + 1)))?;
        let Some(text) = text else { continue };
        // Once is polite; a mention in each text of a list would ring the phone each time.
        let mention = rule.mention && event.is_group() && effects.is_empty();
        effects = if mention { effects.and_reply_at_sender(text) } else { effects.and_reply(text) };
    }
    Ok(effects)
}

/// Rules without a cooldown of their own share one silence per chat.
fn cooldown_key(event: &Event, n: usize, rule: &Rule) -> String {
    let chat = &event.chat.id;
    if rule.own_cooldown { format!("cooldown:{chat}:{n}") } else { format!("cooldown:{chat}") }
}

/// How long the silence after the last answer still lasts; `None` when it is over. A moment in the future comes from a clock that was set back and counts as
/// none: the silence would last as long as the clock was wrong.
fn silent_for(last_ms: &Option<Value>, now_ms: i64, cooldown_ms: i64) -> Option<i64> {
    // Another shape, written by another version, is no reason to fail on every message.
    let last_ms = last_ms.as_ref().and_then(Value::as_i64);
    let since = last_ms.and_then(|last| now_ms.checked_sub(last)).filter(|since| (0..cooldown_ms).contains(since))?;
    Some(cooldown_ms - since)
}

#[cfg(test)]
mod tests;
