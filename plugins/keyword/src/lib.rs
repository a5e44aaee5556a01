//! Which of thousands of keywords and regexes does a message hold, and what happens then? The plugin `keyword`.
//!
//! ```toml
//! [[accounts]]
//! name = "shop"
//! use = ["keyword"]
//!
//! [plugins.keyword]
//! simplify = true
//!
//! [[plugins.keyword.rules]]
//! name = "adverts"
//! any = ["加微信", "代开发票"]
//! regex = ['(?:qq|群)\s*\d{6,}']
//! not = ["官方"]
//! in = "group"
//! priority = 10
//! notify = true
//! stop = true
//!
//! [[plugins.keyword.rules]]
//! name = "price"
//! any = ["价格", "多少钱"]
//! reply = "{{ sender }},价目表在公告里。"
//! cooldown = "1min"
//! tag = "asks for prices"
//! ```
//!
//! Every setting is in the README. Files in reading order: this one (the handlers) → [`settings`] (what the rules say and
//! what may be wrong with them) → `engine` (what they look for, as one [`matcher`]) over [`lists`] (files of keywords) and
//! [`fold`] → `watch` (files that change) → `added` (words that were added by chat) → `judge` (which rules act) → `act`
//! (what they do) → `hits` (how often) → `tidy` → `commands`.
//!
//! **Heard** is only what people type: no quotes, forwards or cards, nothing late or our own, nothing of official
//! accounts. Of that the whole text is looked at, with mentions.
//!
//! **State**, in the KV store of each account, committed with what a message brings: `words` and `word:<room>:<word>`
//! (added by chat), `rest:<chat>` and `rest:<chat>:<person>` (silences), `invited:<chat>:<person>`, `forwarded:<chat>`,
//! `told:<chat>` (notices), `tag:<person>`, `hits:<chat>:<day of 31>`, `trouble` (which mistake of a file was told). Once a
//! day `tidy` removes what is over. Values of another shape count as not there.

mod act;
mod added;
mod commands;
mod engine;
pub mod fold;
mod hits;
mod judge;
mod kept;
pub mod lists;
pub mod matcher;
pub mod settings;
mod simplify;
mod tidy;
mod watch;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use wxbot_plugin::prelude::*;
use wxbot_plugin::text::{Deaf, is_blank, typed};

use crate::act::More;
use crate::added::Added;
use crate::engine::{Found, Hit, Scratches};
use crate::judge::{Here, Ruling};
use crate::watch::Watch;

pub use settings::Settings;

/// The plugin.
#[derive(Debug)]
pub struct Keyword {
    settings: Arc<Settings>,
    watch: Watch,
    added: Added,
    scratches: Scratches,
}

/// 关键词:听到就做该做的事。
#[plugin(id = "keyword", config = Settings, needs = [Capability::SendText])]
impl Keyword {
    fn plan(settings: &Settings) -> Plan {
        settings.plan()
    }

    async fn init(settings: Settings, _cx: &InitCtx) -> Result<Self, PluginError> {
        let settings = Arc::new(settings);
        let watch = Watch::start(Arc::clone(&settings)).await?;
        let added = Added::new(settings.folding());
        Ok(Self { settings, watch, added, scratches: Scratches::default() })
    }

    async fn stop(&self) {
        self.watch.stop().await;
    }

    /// 加词,一行一个;后面可写 => 回复
    #[command("kw add", alias = ["加词"], allow = Role::GroupAdmin)]
    async fn add(&self, words: Rest, event: &Event, cx: &Ctx) -> Result<Effects, PluginError> {
        self.add_words(words.as_str(), event, cx).await
    }

    /// 删掉加的词;词表里的第三个也可写 #3
    #[command("kw remove", alias = ["删词"], allow = Role::GroupAdmin)]
    async fn remove(&self, word: Rest, event: &Event, cx: &Ctx) -> Result<Effects, PluginError> {
        self.remove_word(word.as_str(), event, cx).await
    }

    /// 看加的词
    #[command("kw list", alias = ["词表"], allow = Role::GroupAdmin)]
    async fn list(&self, page: Option<usize>, event: &Event, cx: &Ctx) -> Result<String, PluginError> {
        self.list_words(page.unwrap_or(1), event, cx).await
    }

    /// 试一句话:哪些规则会命中,会做什么;什么也不做
    #[command("kw test", alias = ["测词"], allow = Role::GroupAdmin)]
    async fn test(&self, text: Rest, event: &Event, cx: &Ctx) -> Result<String, PluginError> {
        self.test_text(text.as_str(), event, cx).await
    }

    /// 马上重读词表文件
    #[command("kw reload", alias = ["重读词表"], allow = Role::Admin)]
    async fn reload(&self) -> Result<String, PluginError> {
        self.look_now().await
    }

    /// 命中最多的词
    #[command("hits", alias = ["命中"], allow = Role::GroupAdmin)]
    async fn top_hits(
        &self,
        /// 多少天
        days: Option<u16>,
        event: &Event,
        cx: &Ctx,
    ) -> Result<String, PluginError> {
        let room = commands::room_of(event, cx)?;
        hits::top(&self.settings, cx, room.as_ref(), days.unwrap_or(7).into()).await
    }

    #[schedule("tidy")]
    async fn tidied(&self, cx: &Ctx) -> Result<Effects, PluginError> {
        tidy::tidy(&self.settings, cx).await
    }

    #[timer("more")]
    async fn more_hits(&self, due: Due<More>, event: &Event, cx: &Ctx) -> Result<Effects, PluginError> {
        act::merged(&self.settings, event, cx, &due.payload).await
    }

    /// Looks for keywords in whatever no command took.
    #[on(Message)]
    async fn heard(&self, event: &Event, cx: &Ctx) -> Result<Effects, PluginError> {
        let said = match Said::of(event) {
            Ok(said) => said,
            Err(why) => {
                cx.note("rules", false, || why.to_string());
                return self.trouble(cx).await;
            }
        };
        let Some(here) = Here::of(event) else {
            cx.note("rules", false, || "they act in private chats and rooms".to_owned());
            return self.trouble(cx).await;
        };
        let rulings = self.rulings(said, here, cx).await?;
        if rulings.is_empty() {
            cx.note("rules", false, || "none of their keywords is in the text".to_owned());
            return self.trouble(cx).await;
        }
        if cx.explains() {
            for ruling in &rulings {
                let why = ruling.why_not.as_ref().map_or_else(|| hit(ruling), ToString::to_string);
                cx.note(&format!("rule {}", ruling.name), ruling.why_not.is_none(), || why);
            }
        }
        let acts = act::act(&self.settings, event, cx, &rulings).await?;
        let counts = hits::count(&self.settings, event, cx, &rulings).await?;
        // What one message may do is bounded, and a mistake can be told with the next one.
        let trouble = if act::is_little(&acts) { self.trouble(cx).await? } else { Effects::none() };
        Ok(acts.then(counts).then(trouble))
    }
}

/// A text that counts.
#[derive(Debug, Clone, Copy)]
struct Said<'a> {
    /// All of it: whatever stands behind a first `@` is looked at too, or `@advert @bot` would hide the advert.
    whole: &'a str,
    /// Its end, behind a mention: where it begins for people.
    typed: &'a str,
}

impl<'a> Said<'a> {
    fn of(event: &'a Event) -> Result<Self, Deaf> {
        let typed = typed(event)?;
        Ok(Self { whole: event.text().unwrap_or(typed).trim_matches(is_blank), typed })
    }

    /// Adds the rules that only the typed part hits: `^help$` is said by `@bot help` too.
    fn add_anchored(self, found: &mut BTreeMap<usize, Found>, typed: BTreeMap<usize, Found>) {
        let mention = self.whole.len().checked_sub(self.typed.len()).and_then(|len| self.whole.get(..len));
        let before = mention.map_or(0, |mention| mention.chars().count());
        for (rule, more) in typed {
            let found = found.entry(rule).or_default();
            if found.hits.is_empty() {
                found.hits = more.hits.into_iter().map(|hit| Hit { at: hit.at + before, ..hit }).collect();
            }
        }
    }
}

fn hit(ruling: &Ruling<'_>) -> String {
    let keywords: Vec<&str> = ruling.found.hits.iter().map(|hit| &*hit.keyword).collect();
    format!("hit by {}", keywords.join(", "))
}

impl Keyword {
    /// All rules that a text hits, in their order.
    async fn rulings(&self, said: Said<'_>, here: Here<'_>, cx: &Ctx) -> Result<Vec<Ruling<'_>>, PluginError> {
        let words = self.added.words(cx).await?;
        let engine = self.watch.engine();
        let mut found = self.scratches.with(|scratch| {
            let mut found = engine.look(said.whole, scratch);
            if said.typed != said.whole {
                said.add_anchored(&mut found, engine.look(said.typed, scratch));
            }
            let added = words.look(said.whole, here.chat, scratch);
            if !added.hits.is_empty() {
                found.entry(self.settings.added()).or_default().hits.extend(added.hits);
            }
            found
        });
        found.retain(|_, found| !found.hits.is_empty());
        Ok(judge::judge(&self.settings, found, here))
    }

    /// Tells the owners, once each time, of files that cannot be used.
    async fn trouble(&self, cx: &Ctx) -> Result<Effects, PluginError> {
        if !self.watch.has_files() {
            return Ok(Effects::none());
        }
        let was: Option<Value> = cx.kv_get("trouble").await?;
        let Some(trouble) = self.watch.trouble() else {
            // Mended: what goes wrong next is told, even if it is the same.
            return Ok(match &was {
                Some(was) => Effects::none().swap("trouble", Some(was), None::<&Value>)?,
                None => Effects::none(),
            });
        };
        if was.as_ref().and_then(Value::as_str) == Some(&trouble.id) {
            return Ok(Effects::none());
        }
        let text = format!("⚠️ 词表有错,沿用旧的 (a list has mistakes, the old one stays):\n{}", trouble.text);
        let text = wxbot_plugin::text::shortened(&text, 3_000);
        let owners = cx.people(&Role::Owner).into_iter().take(act::SPARE);
        let told = owners.fold(Effects::none(), |told, owner| told.and_send(owner, &*text));
        Ok(told.swap("trouble", was.as_ref(), Some(&trouble.id))?)
    }
}

wxbot_plugin::export_plugin!(Keyword);

#[cfg(test)]
mod tests;
