//! Is somebody away, and who has been told? `[plugins.auto-reply.away]`.
//!
//! **State.** `away` holds what the owner last said (`/away`, `/back`); `away:<person>` holds when the person was told.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use wxbot_plugin::config::{At, ConfigValue};
use wxbot_plugin::local::{Hours, Zone};
use wxbot_plugin::prelude::*;
use wxbot_plugin::template::Template;
use wxbot_plugin::text::head;

use crate::command::given;
use crate::facts;
use crate::listens::Scene;
use crate::settings::known;
use crate::since::since;
use crate::told::Told;

/// The commands' words; the first is the name.
pub(crate) const AWAY: [&str; 2] = ["away", "离开"];
pub(crate) const BACK: [&str; 2] = ["back", "回来"];
/// Where what the owner said is kept.
const STATE: &str = "away";
/// How much of what the owner says besides is kept.
const NOTE_BYTES: usize = 500;

/// Tells people that nobody is there: within certain hours, and when the owner says `/away`, until `/back`.
#[derive(Debug, PluginConfig)]
pub(crate) struct Away {
    /// What they are told, a template. Besides what rules know it knows `note`: what the owner said behind `/away`.
    text: Words,
    /// Hours in which nobody is there.
    hours: Option<Hours>,
    /// A person is told once in so long.
    #[config(default = "6h", range = "1min"..="30d")]
    every: Duration,
    /// In rooms too, when our account is mentioned.
    #[config(default = false)]
    at_me: bool,
    /// Whether rules answer meanwhile; the text comes before what they say.
    #[config(default = true)]
    rules: bool,
}

/// The text, compiled.
#[derive(Debug)]
struct Words(Template);

/// What the owner said last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Said {
    Away {
        since_ms: i64,
        note: String,
    },
    /// There although the hours say otherwise, until they end.
    Back {
        /// When it was said; a clock that is set back makes it end.
        #[serde(default)]
        since_ms: i64,
        until_ms: i64,
    },
}

/// Nobody is there.
#[derive(Debug)]
pub(crate) struct Absence {
    /// When the owner said so; `None` where the hours do, and where the clock was set back since.
    since_ms: Option<i64>,
    note: String,
}

impl Away {
    /// Whether rules rest while nobody is there.
    pub(crate) fn silences_rules(&self) -> bool {
        !self.rules
    }

    /// A person is told once in so long.
    pub(crate) fn every_ms(&self) -> i64 {
        i64::try_from(self.every.as_millis()).unwrap_or(i64::MAX)
    }

    /// What the owner's command does; `None` when the text is none, or somebody else's.
    pub(crate) async fn command(
        &self,
        typed: &str,
        scene: &Scene<'_>,
        prefixes: &[String],
        zone: &Zone,
        cx: &Ctx,
    ) -> Result<Option<Effects>, PluginError> {
        let (away, back) =
            (given(typed, prefixes, &AWAY, scene.is_private()), given(typed, prefixes, &BACK, scene.is_private()));
        if (away.is_none() && back.is_none()) || !cx.may(&Role::Owner) {
            return Ok(None);
        }
        let now_ms = cx.now_ms();
        if let Some(note) = away {
            let said = Said::Away { since_ms: now_ms, note: head(note, NOTE_BYTES).to_owned() };
            let effects = Effects::reply("好的,有人找你就说你不在,回来时说「回来」(away until you say /back)");
            return Ok(Some(effects.put(STATE, &said)?));
        }
        if self.absence(zone, cx).await?.is_none() {
            return Ok(Some(Effects::reply("你没有设为离开 (you were not away)")));
        }
        let effects = Effects::reply("欢迎回来 (welcome back)");
        let ends_after = self.hours.as_ref().and_then(|hours| hours.ends_after(now_ms, zone));
        Ok(Some(match ends_after {
            Some(after_ms) => {
                let until_ms = now_ms.saturating_add(after_ms);
                effects.put(STATE, &Said::Back { since_ms: now_ms, until_ms })?
            }
            None => effects.delete(STATE),
        }))
    }

    /// Whether nobody is there.
    pub(crate) async fn absence(&self, zone: &Zone, cx: &Ctx) -> Result<Option<Absence>, PluginError> {
        let now_ms = cx.now_ms();
        // Another shape, written by another version, is no reason to fail on every message.
        let said = cx.kv_get::<Value>(STATE).await?.and_then(|value| Said::deserialize(value).ok());
        Ok(match said {
            Some(Said::Away { since_ms, note }) => {
                // Nobody can have been told after a moment that is still to come: all would be told with each message.
                Some(Absence { since_ms: since(now_ms, since_ms).map(|_| since_ms), note })
            }
            Some(Said::Back { since_ms, until_ms }) if since(now_ms, since_ms).is_some() && now_ms < until_ms => None,
            Some(Said::Back { .. }) | None => {
                let away = self.hours.as_ref().is_some_and(|hours| hours.covers(now_ms, zone));
                away.then(|| Absence { since_ms: None, note: String::new() })
            }
        })
    }

    /// Tells whoever wrote, unless that was done already. Nothing in rooms, but for a mention where the settings say so.
    pub(crate) async fn tell(
        &self,
        absence: &Absence,
        event: &Event,
        zone: &Zone,
        log: &Told,
        cx: &Ctx,
    ) -> Result<Effects, PluginError> {
        let Some(sender) = &event.sender else { return Ok(Effects::none()) };
        let mentioned = event.message().is_some_and(|message| message.mentions.me);
        let here = event.chat.kind == ChatKind::Private || (event.is_group() && mentioned && self.at_me);
        if !here {
            return Ok(Effects::none());
        }
        let (key, now_ms) = (format!("away:{}", sender.id), cx.now_ms());
        let was = cx.kv_get::<Value>(&key).await?;
        let told = was.as_ref().and_then(Value::as_i64).filter(|told_ms| {
            since(now_ms, *told_ms).is_some_and(|since| since < self.every_ms())
                && absence.since_ms.is_none_or(|since_ms| since_ms <= *told_ms)
        });
        if told.is_some() {
            cx.note("away", false, || "this person has been told".to_owned());
            return Ok(Effects::none());
        }
        let facts = facts(event, zone, now_ms).text("note", &absence.note);
        let text = self.text.0.render(&facts).unwrap_or_else(|why| {
            // No error: it would come again with each repeat of the event, and the rules would answer nothing either.
            log.tell("`away.text`", &format!("the template failed, so nobody is told: {why}"), cx);
            None
        });
        let Some(text) = text else { return Ok(Effects::none()) };
        cx.note("away", true, || "nobody is there, and this person did not know".to_owned());
        let effects = if event.is_group() { Effects::none().and_reply_at_sender(text) } else { Effects::reply(text) };
        // A swap: somebody who writes in two chats at once is told in one.
        Ok(effects.swap(key, was.as_ref(), Some(&now_ms))?)
    }
}

impl ConfigValue for Words {
    fn value_schema() -> Value {
        serde_json::json!({ "type": "string", "pattern": r"\S" })
    }

    fn want() -> String {
        "a text".to_owned()
    }

    fn read_value(value: &Value, at: &At<'_>) -> Result<Self, Vec<ConfigProblem>> {
        Template::read(value, at, &known().and(&["note"])).map(Self)
    }
}
