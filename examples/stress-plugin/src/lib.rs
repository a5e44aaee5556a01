//! What can a plugin do wrong? This one does it when it is told to: see the README for the words.
//!
//! It is written without the attributes of [`plugin`](macro@wxbot_plugin::plugin), as an example of the plain trait.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wxbot_plugin::prelude::*;

/// The plugin.
#[derive(Debug)]
pub struct Stress {
    settings: Settings,
}

/// Its settings.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Shown by `build`.
    pub word: String,
    /// How the start goes.
    pub init: Start,
    /// When it wants to be woken, a cron expression; it needs an account that removes members then.
    pub at: Option<String>,
}

/// How a start goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// As it should.
    #[default]
    Ok,
    /// With an error.
    Fail,
    /// With a panic.
    Panic,
    /// Not at all.
    Hang,
}

impl Default for Settings {
    fn default() -> Self {
        Self { word: "plain".to_owned(), init: Start::Ok, at: None }
    }
}

impl PluginConfig for Settings {
    fn schema() -> Value {
        json!({
            "type": "object",
            "properties": {
                "word": { "type": "string", "default": "plain" },
                "at": { "type": "string" },
                "init": { "enum": ["ok", "fail", "panic", "hang"], "default": "ok" },
            },
            "additionalProperties": false,
        })
    }

    fn read(settings: &Value, _place: &Place) -> Result<Self, Vec<ConfigProblem>> {
        ConfigProblem::read_as(settings)
    }
}

/// Time enough for a call to have left the thread it began on.
const LATER: Duration = Duration::from_millis(10);

impl Plugin for Stress {
    type Config = Settings;

    fn manifest() -> Manifest {
        Manifest::new("stress", "Misbehaves on request.")
            .version(env!("CARGO_PKG_VERSION"))
            .needs(&[Capability::SendText])
            .events(&["message"])
    }

    fn plan(settings: &Settings) -> Plan {
        let Some(at) = &settings.at else { return Plan::new() };
        let feature = Feature::new("waking", "/at").needs(&[Capability::RemoveMembers]);
        Plan::new().feature(feature).schedule(PlannedSchedule::new("wake", at).at("/at"))
    }

    async fn init(settings: Settings, _cx: &InitCtx) -> Result<Self, PluginError> {
        match settings.init {
            Start::Ok => Ok(Self { settings }),
            Start::Fail => Err(PluginError::msg("asked to fail at the start")),
            Start::Panic => panic!("asked to panic at the start"),
            Start::Hang => std::future::pending().await,
        }
    }

    async fn on_event(&self, event: &Event, cx: &Ctx) -> Result<Effects, PluginError> {
        if let EventKind::Timer { payload, .. } = &event.kind {
            return Ok(Effects::reply(payload.as_str().unwrap_or("?")));
        }
        let Some(text) = event.text() else { return Ok(Effects::none()) };
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        match word {
            "echo" => Ok(Effects::reply(rest)),
            "twice" => Ok(rest.split(' ').fold(Effects::none(), Effects::and_reply)),
            "build" => {
                Ok(Effects::reply(format!("{} {}", option_env!("STRESS_BUILD").unwrap_or("1"), self.settings.word)))
            }
            "count" => count(cx).await,
            "sleep" => {
                tokio::time::sleep(millis(rest)?).await;
                Ok(Effects::reply("slept"))
            }
            "block" => {
                #[expect(clippy::disallowed_methods, reason = "it was asked to")]
                std::thread::sleep(millis(rest)?);
                Ok(Effects::reply("blocked"))
            }
            "http" => Ok(Effects::reply(first_line(rest).await?)),
            "now" => {
                let action = Action::SendText { to: event.chat.id.clone(), text: rest.to_owned(), mention: Vec::new() };
                cx.send_now(action).await?;
                Ok(Effects::reply("sent"))
            }
            "budget" => Ok(Effects::reply(budget(cx).await?)),
            "ask" => {
                let name = cx.ask("your name?").await?;
                let age: u8 = cx.ask("your age?").retry(1).parse().await?;
                Ok(Effects::reply(format!("{name}, {age}")))
            }
            "remind" => {
                let (after, what) = rest.split_once(' ').unwrap_or((rest, ""));
                Ok(Effects::reply("later").timer("remind", millis(after)?, &what)?)
            }
            "flood" => {
                let times: usize = rest.parse()?;
                Ok((0..times).fold(Effects::none(), |effects, n| effects.and_reply(n.to_string())))
            }
            "big" => Ok(Effects::reply("x".repeat(rest.parse()?))),
            "fail" | "panic" | "hang" => self.misbehave(text).await,
            _ => Ok(Effects::none()),
        }
    }
}

impl Stress {
    async fn misbehave(&self, text: &str) -> Result<Effects, PluginError> {
        if text.ends_with(" late") {
            tokio::time::sleep(LATER).await;
        }
        match text.split(' ').next() {
            Some("fail") => Err(PluginError::msg("asked to fail")),
            Some("panic") => panic!("asked to panic"),
            _ => std::future::pending().await,
        }
    }
}

async fn count(cx: &Ctx) -> Result<Effects, PluginError> {
    let was: Option<u64> = cx.kv_get("count").await?;
    let now = was.unwrap_or_default() + 1;
    Ok(Effects::reply(now.to_string()).swap("count", was.as_ref(), Some(&now))?)
}

async fn budget(cx: &Ctx) -> Result<String, PluginError> {
    let budget = cx.budget().await?;
    let [answer, push] = [budget.answer(ActionKind::Text), budget.push(ActionKind::Text)];
    let quiet = budget.quiet.map_or(0, |quiet| quiet.until_ms);
    Ok(format!(
        "answers {}, pushes {} from {}, quiet until {quiet}, warm from {}",
        answer.now,
        push.now,
        push.next_ms.unwrap_or(0),
        budget.warm_up_until_ms.unwrap_or(0)
    ))
}

fn millis(text: &str) -> Result<Duration, PluginError> {
    Ok(Duration::from_millis(text.parse()?))
}

async fn first_line(address: &str) -> Result<String, PluginError> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer.lines().next().unwrap_or_default().to_owned())
}

#[cfg(feature = "dylib")]
wxbot_plugin::export_plugin!(Stress);
