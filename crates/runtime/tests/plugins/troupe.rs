//! Plugins that do what a message tells them.

use std::collections::HashMap;
use std::future::pending;
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use wxbot_plugin::host::PluginFactory;
use wxbot_plugin::manifest::{HandlerSpec, Missed, Trigger};
use wxbot_plugin::prelude::*;

pub(crate) fn all() -> Vec<PluginFactory> {
    vec![
        PluginFactory::of::<High>(),
        PluginFactory::of::<Middle>(),
        PluginFactory::of::<Echo>(),
        PluginFactory::of::<Watch>(),
        PluginFactory::of::<Talk>(),
        PluginFactory::of::<Count>(),
        PluginFactory::of::<Remind>(),
        PluginFactory::of::<Badly>(),
        PluginFactory::of::<Censor>(),
        PluginFactory::of::<Now>(),
        PluginFactory::of::<Tally>(),
        PluginFactory::of::<crate::pacing::Herald>(),
    ]
}

/// Settings of all of them.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Word {
    word: String,
    /// When `remind` wants to be woken besides.
    at: Option<String>,
}

impl PluginConfig for Word {
    fn schema() -> serde_json::Value {
        json!({ "type": "object" })
    }
    fn read(settings: &serde_json::Value, _place: &Place) -> Result<Self, Vec<ConfigProblem>> {
        ConfigProblem::read_as(settings)
    }
}

/// A plugin without memory: its name, its manifest, and what it does with its word, an event and a context.
macro_rules! plugin {
    ($(#[$doc:meta])* $name:ident, $manifest:expr, |$this:ident, $event:ident, $cx:ident| $body:expr $(, $more:item)?) => {
        $(#[$doc])*
        pub(crate) struct $name(Word);

        impl Plugin for $name {
            type Config = Word;
            fn manifest() -> Manifest {
                $manifest
            }
            async fn init(word: Word, _cx: &InitCtx) -> Result<Self, PluginError> {
                Ok(Self(word))
            }
            async fn on_event(&self, $event: &Event, $cx: &Ctx) -> Result<Effects, PluginError> {
                let $this: &str = &self.0.word;
                let _unless_used = $this;
                $body
            }
            $($more)?
        }
    };
}

/// Told where a person had it handled once more.
fn again(cx: &Ctx) -> &'static str {
    if cx.is_replay() { " again" } else { "" }
}

plugin! {
    /// Fails the first time when it reads "flaky", always when it reads "broken".
    High, Manifest::new("high", "Comes first.").priority(10), |_this, event, cx| {
        match event.text() {
            Some(text) if text.contains("flaky") && cx.attempt() == 1 => Err(PluginError::msg("flaky")),
            Some(text) if text.contains("broken") => Err(PluginError::msg("broken")),
            text => Ok(Effects::reply(format!("high: {}", text.unwrap_or_default()))),
        }
    }
}

plugin! {
    /// Blocks what says so.
    Middle, Manifest::new("middle", "Comes between.").priority(5), |_this, event, cx| {
        let text = event.text().unwrap_or_default();
        if text.contains("block") {
            cx.block();
        }
        Ok(Effects::reply(format!("middle{}: {text}", again(cx))))
    }
}

plugin! {
    Echo, Manifest::new("echo", "Says it again."), |this, event, cx| {
        Ok(Effects::reply(format!("echo{this}{}: {}", again(cx), event.text().unwrap_or_default())))
    }
}

plugin! {
    /// Keeps watch; asks back when it reads "order", and tells somebody elsewhere four times when it reads "tell".
    Watch, Manifest::new("watch", "Keeps watch.").watches(), |_this, event, cx| {
        let text = event.text().unwrap_or_default();
        if text == "order" {
            let code = cx.ask("code?").timeout(Duration::from_secs(60)).await?;
            return Ok(Effects::reply(format!("code {code}")));
        }
        if let ("tell", Some(sender)) = (text, &event.sender) {
            return Ok((0..4).fold(Effects::none(), |all, n| all.and_send(sender.id.clone(), format!("told {n}"))));
        }
        Ok(Effects::reply(format!("watch: {text}")))
    }
}

plugin! {
    /// Asks for a name and an age when it reads "hi".
    Talk, Manifest::new("talk", "Asks."), |_this, event, cx| {
        match event.text() {
            Some("hi") => {}
            Some("later") if cx.attempt() < 5 => return Err(PluginError::msg("later")),
            Some("long" | "later") => {
                cx.ask("?").timeout(Duration::from_secs(3_600)).await?;
                return Ok(Effects::reply("long"));
            }
            _ => return Ok(Effects::none()),
        }
        let name = cx.ask("name?").timeout(Duration::from_secs(60)).await?;
        match name.as_str() {
            "panic" => panic!("asked to"),
            "fail" => return Err(PluginError::msg("asked to")),
            "hang" => pending().await,
            "much" => return Ok(Effects::reply("x".repeat(5_000))),
            "slow" => tokio::time::sleep(Duration::from_secs(10)).await,
            "clash" => return Ok(Effects::none().swap("nothing", Some(&1), Some(&2))?.and_reply("clashed")),
            _ => {}
        }
        let age: u32 = cx.ask("age?").timeout(Duration::from_secs(60)).retry(2).parse().await?;
        Ok(Effects::reply(format!("{name} is {age}")))
    }
}

plugin! {
    /// Counts in its KV; "slow" so that others may come between, "never" from what never was.
    Count, Manifest::new("count", "Counts."), |_this, event, cx| {
        let was: Option<u64> = cx.kv_get("n").await?;
        match event.text() {
            Some("slow") => tokio::time::sleep(Duration::from_secs(1)).await,
            Some("never") => return Ok(Effects::none().swap("n", Some(&"never"), Some(&0))?.and_reply("never")),
            _ => {}
        }
        let now = was.unwrap_or(0) + 1;
        Ok(Effects::none().swap("n", was.as_ref(), Some(&now))?.and_reply(format!("{now} at {}", cx.attempt())))
    }
}

plugin! {
    /// "remind 60 tea" comes back after a minute; its manifest asks for no timers.
    Remind, {
        let daily = Trigger::Cron { expression: "0 0 9 * * *".into(), tz: Some("UTC".into()), missed: Missed::Skip };
        Manifest::new("remind", "Reminds.").handler(HandlerSpec::new("daily", daily))
    }, |this, event, _cx| {
        if let EventKind::Timer { name, payload, .. } = &event.kind {
            return Ok(Effects::reply(format!("timer {name} {payload}")));
        }
        if let EventKind::Schedule { name, .. } = &event.kind {
            note(format!("{} {name} {}", this, event.chat.id));
            return Ok(Effects::none());
        }
        let words: Vec<&str> = event.text().unwrap_or_default().split(' ').collect();
        match words.as_slice() {
            ["remind", after, name] => {
                let after = Duration::from_secs(after.parse()?);
                Ok(Effects::none().timer(*name, after, &json!([1]))?.and_reply("set"))
            }
            ["cancel", name] => Ok(Effects::none().cancel_timer(*name).and_reply("cancelled")),
            ["many", count] => (0..count.parse()?).try_fold(Effects::reply("many"), |all, n: u32| {
                Ok(all.timer(n.to_string(), Duration::from_secs(86_400), &json!(null))?)
            }),
            _ => Ok(Effects::none()),
        }
    },
    fn plan(settings: &Word) -> Plan {
        let planned = settings.at.iter().map(|at| PlannedSchedule::new("planned", at).tz("UTC").at("/at"));
        planned.fold(Plan::new(), Plan::schedule)
    }
}

plugin! {
    Badly, {
        let never = Trigger::Cron { expression: "0 99 * * *".into(), tz: None, missed: Missed::Skip };
        Manifest::new("badly", "Cannot start.").handler(HandlerSpec::new("never", never))
    }, |_this, _event, _cx| Ok(Effects::none())
}

plugin! {
    /// A guard.
    Censor, Manifest::new("censor", "Judges.").guards(), |_this, event, _cx| {
        Ok(Effects::reply(format!("censor: {}", event.text().unwrap_or_default())))
    },
    async fn guard(&self, event: &Event, cx: &Ctx) -> Result<Verdict, PluginError> {
        let mut changed = event.clone();
        let EventKind::Message(message) = &mut changed.kind else { panic!("only messages come here") };
        let text = event.text().unwrap_or_default();
        message.content = Content::Text { text: text.replace("bad", "***") };
        match text.split(' ').next() {
            Some("stop") => Ok(Verdict::stop(format!("{}no such talk", self.0.word))),
            Some("change") => Ok(Verdict::Change(Box::new(changed))),
            Some("steal") => {
                message.content = Content::Text { text: "stolen".into() };
                changed.sender.as_mut().unwrap().id = "p999".parse()?;
                Ok(Verdict::Change(Box::new(changed)))
            }
            Some("owner") if cx.may(&Role::Owner) => {
                message.content = Content::Text { text: "change owner".into() };
                Ok(Verdict::Change(Box::new(changed)))
            }
            Some("fail") => Err(PluginError::msg("asked to")),
            Some("panic") => panic!("asked to"),
            Some("hang") => pending().await,
            _ => Ok(Verdict::Pass),
        }
    }
}

plugin! {
    /// Sends at once and says what came of it.
    Now, Manifest::new("now", "Sends at once."), |_this, event, cx| {
        let Some(text) = event.text() else { return Ok(Effects::none()) };
        let action = Action::SendText { to: event.chat.id.clone(), text: text.to_owned(), mention: vec![] };
        match cx.send_now(action).await {
            Ok(receipt) => note(format!("{text}: {:?}", receipt.msg.map(|id| id.to_string()))),
            Err(error) => note(format!("{text}: {error}")),
        }
        Ok(Effects::none())
    }
}

plugin! {
    /// Writes down each event that it is asked about.
    Tally, Manifest::new("tally", "Keeps the score."), |this, event, _cx| {
        tokio::time::sleep(Duration::from_millis(5)).await;
        let mut seen = SEEN.lock().unwrap();
        *seen.entry((this.to_owned(), event.key.to_string())).or_default() += 1;
        Ok(Effects::none())
    }
}

// All tests share these; each looks for words of its own.
pub(crate) static SEEN: LazyLock<Mutex<HashMap<(String, String), usize>>> = LazyLock::new(Mutex::default);
static NOTES: Mutex<Vec<String>> = Mutex::new(Vec::new());

pub(crate) fn note(text: String) {
    NOTES.lock().unwrap().push(text);
}

/// The notes that begin so.
pub(crate) fn notes(with: &str) -> Vec<String> {
    NOTES.lock().unwrap().iter().filter(|note| note.starts_with(with)).cloned().collect()
}
