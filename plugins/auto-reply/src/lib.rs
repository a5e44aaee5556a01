//! Which text is answered, with what, and how often? The plugin `auto-reply`: rules in `bot.toml`, first match wins; away
//! mode, friend requests, and answers of a language model (feature `llm`).
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
//! Every setting is in the README. Files in reading order: this one (what becomes of an event) → `settings` (what may be
//! wrong with them) with `reading` (tables with places) → `listens` (where, for whom and when) and `matching` (which
//! texts) → `answer` with `told` (what the owner reads) → `command` → `away` → `friends` → `tidy` (what is kept no longer)
//! with `since` → `schema`.
//!
//! **Never answered:** our own messages, late ones, anything but text, official and built-in accounts. The last two
//! answer by themselves, and two machines that answer each other do not stop.
//!
//! **State.** The moment of the last answer, in the KV store under `cooldown:<chat>` and `cooldown-person:<person>` (with
//! `:<rule>` behind it for a rule with its own cooldown, a [hash](Rule::id) of what it matches, so that another order of
//! the rules hands no silence over). It is committed with the answer, so that a crash neither repeats nor forgets it.
//! `away` and `friends` say what they keep, and `tidy` when it goes.

mod answer;
mod away;
mod command;
mod friends;
mod listens;
#[cfg(feature = "llm")]
pub mod llm;
mod matching;
mod reading;
mod schema;
mod settings;
mod since;
mod tidy;
mod told;

use serde_json::Value;
use wxbot_plugin::local::{Local, Zone};
use wxbot_plugin::manifest::{HandlerSpec, Trigger};
use wxbot_plugin::prelude::*;
use wxbot_plugin::template::Facts;
use wxbot_plugin::text::{Deaf, typed};

use crate::answer::Answer;
use crate::away::{AWAY, BACK};
use crate::listens::Scene;
#[cfg(feature = "llm")]
use crate::llm::Llm;
use crate::matching::Heard;
use crate::settings::{Pause, Rule};
use crate::since::since;
use crate::told::Told;

pub use settings::Settings;

/// The plugin.
#[derive(Debug)]
pub struct AutoReply {
    settings: Settings,
    /// What may stand before the word of a command.
    prefixes: Vec<String>,
    /// What the owner was told of answers that failed.
    told: Told,
    #[cfg(feature = "llm")]
    llm: Option<Llm>,
}

/// What a rule answers.
struct Answered {
    effects: Effects,
    /// It is an answer: what a rule rests after. An excuse is none, and neither is a count that is kept.
    spoke: bool,
}

wxbot_plugin::export_plugin!(AutoReply);

impl Plugin for AutoReply {
    type Config = Settings;

    fn manifest() -> Manifest {
        let command = |words: [&str; 2], about: &str| {
            let [name, _] = words;
            let words = words.map(str::to_owned).to_vec();
            let mut spec = HandlerSpec::new(name, Trigger::Command { words, args: Vec::new() });
            (spec.allow, spec.block) = (Some(Role::Owner), true);
            about.clone_into(&mut spec.about);
            spec
        };
        let manifest = Manifest::new("auto-reply", "Answers texts by rules.")
            .version(env!("CARGO_PKG_VERSION"))
            .needs(&[Capability::SendText])
            .events(&["message", "friend_request", "friend_added"])
            .handler(command(AWAY, "有人找我就说我不在 (needs `away`)"))
            .handler(command(BACK, "我回来了"));
        #[cfg(feature = "llm")]
        let manifest = manifest.handler(Llm::reset_spec());
        manifest
    }

    fn plan(settings: &Settings) -> Plan {
        settings.plan()
    }

    async fn init(settings: Settings, cx: &InitCtx) -> Result<Self, PluginError> {
        #[cfg(feature = "llm")]
        let (settings, llm) = settings.without_llm();
        Ok(Self {
            #[cfg(feature = "llm")]
            llm: llm.map(Llm::new).transpose()?,
            settings,
            prefixes: cx.prefixes.clone(),
            told: Told::default(),
        })
    }

    async fn on_event(&self, event: &Event, cx: &Ctx) -> Result<Effects, PluginError> {
        let Settings { friends, zone, .. } = &self.settings;
        if let (EventKind::FriendRequest(request), Some(friends)) = (&event.kind, friends) {
            return friends.asked(request, cx).await;
        }
        if let (EventKind::FriendAdded { name, .. }, Some(friends)) = (&event.kind, friends) {
            return friends.added(name, event, zone, &self.told, cx).await;
        }
        if let EventKind::Schedule { .. } | EventKind::Timer { .. } = &event.kind {
            return self.tidy(&event.kind, cx).await;
        }
        match typed(event) {
            Ok(text) => self.typed(text, event, cx).await,
            // Nothing to match, but somebody wrote all the same.
            Err(Deaf::NotTyped(kind)) if is_a_persons(kind) => {
                cx.note("rules", false, || Deaf::NotTyped(kind).to_string());
                Ok(self.away(event, cx).await?.0)
            }
            Err(why) => {
                cx.note("rules", false, || why.to_string());
                Ok(Effects::none())
            }
        }
    }
}

impl AutoReply {
    /// What becomes of a text.
    async fn typed(&self, text: &str, event: &Event, cx: &Ctx) -> Result<Effects, PluginError> {
        let Some(scene) = Scene::of(event) else {
            cx.note("rules", false, || "they answer in private chats and rooms".to_owned());
            return Ok(Effects::none());
        };
        if let Some(away) = &self.settings.away
            && let Some(effects) = away.command(text, &scene, &self.prefixes, &self.settings.zone, cx).await?
        {
            cx.note("away", true, || "the owner's command".to_owned());
            cx.block();
            return Ok(effects);
        }
        #[cfg(feature = "llm")]
        if let Some(llm) = self.llm.as_ref().filter(|_| Llm::hears_reset(text, &self.prefixes, scene.is_private()))
            && (self.model_listens(&scene) || llm.remembers(&event.chat.id, cx).await?)
        {
            cx.note("llm", true, || "the conversation begins anew".to_owned());
            cx.block();
            return llm.reset(cx).await;
        }
        let (told, quiet) = self.away(event, cx).await?;
        if quiet {
            cx.note("rules", false, || "they rest while nobody is there (`away.rules`)".to_owned());
            return Ok(told);
        }
        Ok(told.then(self.by_rules(text, &scene, event, cx).await?))
    }

    /// What is said because nobody is there, and whether rules rest.
    async fn away(&self, event: &Event, cx: &Ctx) -> Result<(Effects, bool), PluginError> {
        let zone = &self.settings.zone;
        let Some(away) = &self.settings.away else { return Ok((Effects::none(), false)) };
        let Some(absence) = away.absence(zone, cx).await? else { return Ok((Effects::none(), false)) };
        Ok((away.tell(&absence, event, zone, &self.told, cx).await?, away.silences_rules()))
    }

    /// Whether a rule would ask the model about what is said here.
    #[cfg(feature = "llm")]
    fn model_listens(&self, scene: &Scene<'_>) -> bool {
        self.settings.rules.iter().any(|rule| rule.answers.has_model() && rule.listens.here(scene).is_ok())
    }

    /// What the first rule that fits answers.
    async fn by_rules(&self, text: &str, scene: &Scene<'_>, event: &Event, cx: &Ctx) -> Result<Effects, PluginError> {
        let (heard, zone) = (Heard::new(text), &self.settings.zone);
        for (n, rule) in self.settings.rules.iter().enumerate() {
            let fits = rule.hears(scene, &heard);
            match fits.and_then(|captures| rule.listens.now(cx, zone).map(|()| captures)) {
                Ok(captures) => return self.by_rule(n, rule, &captures, event, cx).await,
                Err(why) => cx.note(&name(n), false, || why.to_owned()),
            }
        }
        Ok(Effects::none())
    }

    /// What this rule answers, unless it rests.
    async fn by_rule(
        &self,
        n: usize,
        rule: &Rule,
        captures: &Captures,
        event: &Event,
        cx: &Ctx,
    ) -> Result<Effects, PluginError> {
        let (now_ms, person) = (cx.now_ms(), event.sender.as_ref().map(|sender| &sender.id));
        let mut rests = Vec::new();
        for (what, whose, pause) in
            [("cooldown", Some(&event.chat.id), rule.in_chat), ("cooldown-person", person, rule.for_person)]
        {
            let Some(whose) = whose.filter(|_| pause.ms > 0) else { continue };
            let key = key_of(what, whose, rule, pause);
            let was = cx.kv_get::<Value>(&key).await?;
            if let Some(left_ms) = silent_for(&was, now_ms, pause.ms) {
                let left_s = left_ms.cast_unsigned().div_ceil(1000);
                cx.note(&name(n), false, || format!("cooldown: it would answer, and rests for {left_s} s more"));
                return Ok(Effects::none());
            }
            rests.push((key, was));
        }
        cx.note(&name(n), true, || "it answers".to_owned());
        let Answered { effects, spoke } = self.answer(n, rule, captures, event, cx).await?;
        if !spoke {
            return Ok(effects);
        }
        // Swaps: of two messages that come at once in two chats one is answered.
        rests.into_iter().try_fold(effects, |effects, (key, was)| Ok(effects.swap(key, was.as_ref(), Some(&now_ms))?))
    }

    /// One of the rule's answers; nothing when all of its texts come out blank.
    async fn answer(
        &self,
        n: usize,
        rule: &Rule,
        captures: &Captures,
        event: &Event,
        cx: &Ctx,
    ) -> Result<Answered, PluginError> {
        match rule.answers.pick(|| cx.random_u64()) {
            Some(Answer::Parts(parts)) => {
                let facts = facts(event, &self.settings.zone, cx.now_ms()).captures(captures);
                let mention = rule.mention && event.is_group();
                let effects = answer::effects(parts, &facts, mention, cx, &name(n), &self.told).await;
                Ok(Answered { spoke: !effects.is_empty(), effects })
            }
            Some(Answer::Model(prompt)) => self.by_model(prompt.as_deref(), rule.mention, event, cx).await,
            None => Ok(Answered { effects: Effects::none(), spoke: false }),
        }
    }

    /// What the language model says to the text.
    #[cfg(feature = "llm")]
    async fn by_model(
        &self,
        prompt: Option<&str>,
        mention: bool,
        event: &Event,
        cx: &Ctx,
    ) -> Result<Answered, PluginError> {
        let (Some(llm), Ok(text)) = (&self.llm, typed(event)) else {
            return Ok(Answered { effects: Effects::none(), spoke: false });
        };
        let today = Local::at(cx.now_ms(), &self.settings.zone).date();
        let mut asked = llm::Asked::new(text, &today).mention(mention);
        if let Some(prompt) = prompt {
            asked = asked.system(prompt);
        }
        let llm::Reply { effects, spoke } = llm.answer(asked, cx).await?;
        Ok(Answered { effects, spoke })
    }

    /// Settings that ask a model are refused where there is none.
    #[cfg(not(feature = "llm"))]
    async fn by_model(&self, _: Option<&str>, _: bool, _: &Event, _: &Ctx) -> Result<Answered, PluginError> {
        Ok(Answered { effects: Effects::none(), spoke: false })
    }
}

/// What a rule is called in notes: people count from 1.
fn name(n: usize) -> String {
    format!("rule {}", n + 1)
}

/// Whether a message that is no text is a person's doing: a picture, not a word of the service.
fn is_a_persons(kind: &str) -> bool {
    !matches!(kind, "system" | "notice" | "unknown")
}

/// What all texts know.
fn facts(event: &Event, zone: &Zone, now_ms: i64) -> Facts {
    let now = Local::at(now_ms, zone);
    Facts::new()
        .text("sender", event.sender.as_ref().map_or("", |person| &person.name))
        .text("chat", &event.chat.name)
        .text("room", if event.is_group() { &event.chat.name } else { "" })
        .text("text", event.text().unwrap_or_default().trim())
        .text("account", event.account.as_str())
        .text("date", &now.date())
        .text("time", &now.time())
        .number("hour", i64::from(now.hour))
        .number("weekday", i64::from(now.weekday))
}

/// Rules without a cooldown of their own share one silence.
fn key_of(what: &str, whose: &ContactId, rule: &Rule, pause: Pause) -> String {
    if pause.own { format!("{what}:{whose}:{}", rule.id) } else { format!("{what}:{whose}") }
}

/// How long the silence after the last answer still lasts; `None` when it is over.
fn silent_for(last_ms: &Option<Value>, now_ms: i64, cooldown_ms: i64) -> Option<i64> {
    // Another shape, written by another version, is no reason to fail on every message.
    let last_ms = last_ms.as_ref().and_then(Value::as_i64)?;
    let since = since(now_ms, last_ms).filter(|since| *since < cooldown_ms)?;
    Some(cooldown_ms - since)
}

#[cfg(test)]
mod tests;
