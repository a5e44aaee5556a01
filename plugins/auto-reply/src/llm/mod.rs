//! How does a language model answer? By any endpoint that speaks as OpenAI's does: `POST …/chat/completions`, streamed.
//!
//! A rule decides that a model is to answer; this is what it calls:
//!
//! ```
//! # use wxbot_auto_reply::llm::{Asked, Llm};
//! # use wxbot_plugin::prelude::*;
//! # async fn handler(llm: &Llm, event: &Event, cx: &Ctx) -> Result<Effects, PluginError> {
//! let Some(text) = event.text() else { return Ok(Effects::none()) };
//! if Llm::hears_reset(text, &["/".to_owned()], !event.is_group()) {
//!     return llm.reset(cx).await;
//! }
//! Ok(llm.answer(Asked::new(text, "2026-01-01"), cx).await?.effects)
//! # }
//! ```
//!
//! **A model's output is data (R33).** It becomes texts in the conversation that asked, and nothing else: it names no
//! recipient, calls nothing, mentions nobody, attaches nothing, and its links are those that the owner allows. Our own
//! messages trigger no rule, so that an answer like `/remove` is a text like any other.
//!
//! **An endpoint is not trusted either.** Everything that it sends has a limit in bytes and time, no redirect is followed,
//! and whatever goes wrong ends in the fallback text for the person and in one line of the log that says what to do.
//!
//! Reading order: this file → [`settings`](LlmSettings) with `endpoint` → `ask` (tries) with `gate` (how many, and none
//! while it is down) → `call` (one try) with `net`, `sse`, `chunk` and `trouble` → `history` with `tokens` → `caps` with
//! `once` (what is not done twice) → `says` with `links`.

mod ask;
mod call;
mod caps;
mod chunk;
mod endpoint;
mod fuzz;
mod gate;
mod history;
mod links;
mod net;
mod once;
mod says;
mod settings;
mod sse;
mod tokens;
mod trouble;

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use wxbot_plugin::manifest::{HandlerSpec, Trigger};
use wxbot_plugin::prelude::*;

use self::ask::Backend;
use self::caps::{Asker, Caps, May};
use self::chunk::{End, Said};
use self::history::History;
use self::links::Links;
use self::net::{Dial, Net};
use self::once::{Excused, Paid};
use self::trouble::{Told, Trouble};

use crate::command::given;

pub use settings::LlmSettings;

#[doc(hidden)]
pub use fuzz::{read_stream, read_whole};

/// What `/reset` answers.
const RESET: &str = "好的,我们重新开始 (the conversation begins anew)";
/// The words of the command.
const RESET_WORDS: [&str; 2] = ["reset", "重置对话"];

/// A language model, with what it knows of its conversations and of what was used today.
#[derive(Debug)]
pub struct Llm {
    settings: LlmSettings,
    backend: Backend,
    links: Links,
    caps: Caps,
    told: Mutex<Told>,
    paid: Paid,
    excused: Excused,
}

/// What becomes of a question.
#[derive(Debug)]
pub struct Reply {
    /// What to commit.
    pub effects: Effects,
    /// The model answered. An excuse, or that the caps are reached, is no answer.
    pub spoke: bool,
}

impl Reply {
    fn silent(effects: Effects) -> Self {
        Self { effects, spoke: false }
    }
}

/// A question.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    text: &'a str,
    today: &'a str,
    system: Option<&'a str>,
    mention: bool,
}

impl<'a> Asked<'a> {
    /// What somebody asked, without a mention of ourselves, and the local date: at another one the caps begin anew.
    pub fn new(text: &'a str, today: &'a str) -> Self {
        Self { text, today, system: None, mention: false }
    }

    /// With a system prompt of the rule's own, in place of those of the settings.
    #[must_use]
    pub fn system(mut self, prompt: &'a str) -> Self {
        self.system = Some(prompt);
        self
    }

    /// The answer mentions whoever asked (in rooms).
    #[must_use]
    pub fn mention(mut self, mention: bool) -> Self {
        self.mention = mention;
        self
    }
}

impl Llm {
    /// Makes a backend of settings. Nothing is asked yet.
    ///
    /// # Errors
    /// When the settings are none that [`PluginConfig::read`] lets through.
    pub fn new(settings: LlmSettings) -> Result<Self, PluginError> {
        Self::dialling(settings, Arc::new(Net::default()))
    }

    fn dialling(settings: LlmSettings, dial: Arc<dyn Dial>) -> Result<Self, PluginError> {
        let backend = Backend::new(&settings, dial)?;
        let links = Links::new(&settings.links)?;
        Ok(Self {
            settings,
            backend,
            links,
            caps: Caps::default(),
            told: Mutex::default(),
            paid: Paid::default(),
            excused: Excused::default(),
        })
    }

    /// Answers the event that `cx` is about: the model's text, and with it the history of the conversation and the counts
    /// of today, committed together. When there is no answer, the fallback text; never an error because of the endpoint.
    ///
    /// It takes no longer than `timeout` of the settings. Cancel safe: nothing but counts of today is changed before the
    /// effects are committed. When they are not, because a value was changed meanwhile, and the event is handled anew, the
    /// answer that was paid for is taken, and nobody is asked again.
    ///
    /// # Errors
    /// When the KV store cannot be read.
    pub async fn answer(&self, asked: Asked<'_>, cx: &Ctx) -> Result<Reply, PluginError> {
        let event = cx.event();
        // Without a sender it is the service that speaks, and nobody whom it could be counted for.
        let Some(sender) = &event.sender else { return Ok(Reply::silent(Effects::none())) };
        let question = history::question(asked.text, event.is_group().then_some(sender));
        if history::question(asked.text, None).is_empty() {
            cx.note("llm", false, || "there is nothing to ask".to_owned());
            return Ok(Reply::silent(Effects::none()));
        }
        let this = cx.idempotency_key(0);
        let asker = Asker { account: cx.account(), sender: &sender.id, today: asked.today, event: &this };
        let paid = self.paid.of(&this);
        if paid.is_none() {
            match self.caps.take(&asker, &self.settings, cx).await? {
                May::Ask => {}
                May::Tell => {
                    cx.note("llm", true, || "the cap of today is reached: the person is told once".to_owned());
                    return Ok(Reply::silent(told(&self.settings.used_up).then(self.caps.written(&asker)?)));
                }
                May::Not => {
                    cx.note("llm", false, || "the cap of today is reached, and the person knows".to_owned());
                    return Ok(Reply::silent(Effects::none()));
                }
            }
        }
        let key = history::key(&event.chat.id);
        let budget = u64::from(self.settings.history_tokens);
        let was: Option<Value> = if budget == 0 { None } else { cx.kv_get(&key).await? };
        let history = History::read(was.as_ref(), cx.now_ms(), self.settings.history_ms());
        let texts = match paid {
            Some(texts) => {
                cx.note("llm", true, || "the answer was there already".to_owned());
                texts
            }
            None => {
                let system = asked.system.unwrap_or_else(|| self.settings.system_for(&event.chat.id, Some(&sender.id)));
                let messages = history.messages(system, event.is_group(), &question);
                match self.asks(messages, &asker, cx).await {
                    Ok(texts) => texts,
                    Err(trouble) => {
                        self.tell(&trouble, cx);
                        let here = self.excused.may(cx.account(), &event.chat.id, &this);
                        let excuse = if here { told(&self.settings.fallback) } else { Effects::none() };
                        return Ok(Reply::silent(excuse.then(self.caps.written(&asker)?)));
                    }
                }
            }
        };
        let mut effects = self.caps.written(&asker)?;
        if budget > 0 {
            let now = history.and(&question, &texts.join("\n"), cx.now_ms(), budget);
            effects = effects.swap(key, was.as_ref(), Some(&now))?;
        }
        for (n, text) in texts.into_iter().enumerate() {
            // Once is polite; a mention in each message would ring the phone each time.
            let mention = asked.mention && event.is_group() && n == 0;
            effects = if mention { effects.and_reply_at_sender(text) } else { effects.and_reply(text) };
        }
        Ok(Reply { effects, spoke: true })
    }

    /// Asks, and counts what it cost.
    async fn asks(&self, messages: Vec<Value>, asker: &Asker<'_>, cx: &Ctx) -> Result<Vec<String>, Trouble> {
        let estimate: u64 = messages.iter().filter_map(|m| m["content"].as_str()).map(tokens::of_message).sum();
        let again = || self.caps.again(asker, &self.settings, estimate);
        let said = Box::pin(self.backend.ask(&self.settings, messages, cx, &again)).await;
        let texts = said.and_then(|said| Ok((self.texts(&said)?, said)));
        let (texts, said) = match texts {
            Ok(good) => good,
            Err(trouble) => {
                if trouble.is_free() {
                    self.caps.give_back(asker);
                } else {
                    self.caps.spent(asker, estimate);
                }
                return Err(trouble);
            }
        };
        let whole = estimate + tokens::of_message(&said.text);
        // An endpoint that counts nothing, or too little, lifts no cap.
        self.caps.spent(asker, said.tokens.map_or(whole, |counted| counted.max(whole / 2)));
        cx.note("llm", true, || format!("the model answered, {} bytes", said.text.len()));
        self.paid.keep(asker.event.to_owned(), texts.clone());
        Ok(texts)
    }

    /// The messages of an answer.
    fn texts(&self, said: &Said) -> Result<Vec<String>, Trouble> {
        if said.end == Some(End::Filtered) {
            return Err(Trouble::Empty { why: ": the endpoint has filtered it" });
        }
        let cut = said.end == Some(End::Length);
        let texts = says::messages(said.spoken(), &self.links, self.settings.messages, cut);
        match (texts.is_empty(), cut) {
            (false, _) => Ok(texts),
            (true, true) => Err(Trouble::Empty { why: ": all of `max_tokens` went into what it thought" }),
            (true, false) => Err(Trouble::Empty { why: "" }),
        }
    }

    /// Tells the owner in the log, once in a while.
    fn tell(&self, trouble: &Trouble, cx: &Ctx) {
        cx.note("llm", true, || format!("no answer, so the fallback: {trouble}"));
        if self.told.lock().unwrap_or_else(PoisonError::into_inner).anew(trouble) {
            let endpoint = self.backend.endpoint();
            tracing::warn!(%endpoint, account = %cx.account(), cure = trouble.cure(), "no answer of the language model: {trouble}");
        } else {
            tracing::debug!(account = %cx.account(), "no answer of the language model: {trouble}");
        }
    }

    /// Whether somebody typed `/reset`: one of its words alone, behind one of the account's prefixes; in a private chat
    /// without one too, where the account takes commands so.
    pub fn hears_reset(typed: &str, prefixes: &[String], private: bool) -> bool {
        given(typed.trim(), prefixes, &RESET_WORDS, private) == Some("")
    }

    /// Whether there is a conversation to forget.
    pub(crate) async fn remembers(&self, chat: &ContactId, cx: &Ctx) -> Result<bool, PluginError> {
        Ok(cx.kv_get::<Value>(&history::key(chat)).await?.is_some())
    }

    /// How long conversations are kept, ms.
    pub(crate) fn history_ms(&self) -> i64 {
        self.settings.history_ms()
    }

    /// Makes the model forget the conversation of the event: in private chats for everybody, in rooms for their admins.
    ///
    /// # Errors
    /// When the KV store cannot be read; and [`PluginError::told`], when the person may not do it.
    pub async fn reset(&self, cx: &Ctx) -> Result<Effects, PluginError> {
        let event = cx.event();
        if event.is_group() && !cx.may(&Role::GroupAdmin) {
            let why = "群里只有群管理员能重置对话 (in a group only its admins may reset the conversation)";
            return Err(PluginError::told(why));
        }
        let key = history::key(&event.chat.id);
        let was: Option<Value> = cx.kv_get(&key).await?;
        let effects = Effects::reply(RESET);
        match was {
            Some(was) => Ok(effects.swap(key, Some(&was), None::<&Value>)?),
            None => Ok(effects),
        }
    }

    /// `/reset` as lists and help texts show it.
    pub fn reset_spec() -> HandlerSpec {
        let words = RESET_WORDS.iter().map(|word| (*word).to_owned()).collect();
        let mut spec = HandlerSpec::new("llm-reset", Trigger::Command { words, args: Vec::new() });
        spec.about = "让 AI 忘掉这段对话 (群里需要群管理员)".to_owned();
        spec.block = true;
        spec
    }
}

/// A text of the settings; an empty one is nothing.
fn told(text: &str) -> Effects {
    if text.trim().is_empty() { Effects::none() } else { Effects::reply(text) }
}

#[cfg(test)]
mod tests;
