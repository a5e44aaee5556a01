//! What the tests of configuration run on: three protocols, three plugins, and a table check.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use wxbot_model::span::{Rate, parse_duration};
use wxbot_model::{Capabilities, Capability, Event};
use wxbot_plugin::host::PluginFactory;
use wxbot_plugin::{
    ConfigProblem, Ctx, Effects, Feature, InitCtx, Manifest, NoConfig, Place, Plan, PlannedSchedule, Plugin,
    PluginConfig, PluginError,
};

use crate::config::*;
use crate::pacing::Manners;

struct Rules;

impl PluginConfig for Rules {
    fn schema() -> Value {
        json!({
            "type": "object",
            "properties": { "cooldown": { "$ref": "#/$defs/span" }, "rules": { "type": "array" } },
            "required": ["cooldown"],
            "$defs": { "span": { "type": "string" } },
        })
    }
    fn read(settings: &Value, _place: &Place) -> Result<Self, Vec<ConfigProblem>> {
        let mut problems = Vec::new();
        match settings.get("cooldown").map(|value| value.as_str().map(parse_duration)) {
            None => problems.push(ConfigProblem::at("", "`cooldown` is missing")),
            Some(Some(Ok(_))) => {}
            Some(_) => {
                problems.push(ConfigProblem::at("/cooldown", "`cooldown` is not a duration").help("like \"5s\""))
            }
        }
        for (n, rule) in settings.get("rules").and_then(Value::as_array).into_iter().flatten().enumerate() {
            if rule.get("reply").is_none() {
                problems.push(ConfigProblem::at(format!("/rules/{n}/reply"), "a rule without `reply`"));
            }
            if rule.get("keyword").and_then(Value::as_str) == Some("") {
                problems.push(ConfigProblem::at(format!("/rules/{n}/keyword"), "an empty keyword"));
            }
        }
        if settings.pointer("/limits/day").and_then(Value::as_i64).is_some_and(|day| day < 0) {
            problems.push(ConfigProblem::at("/limits/day", "a negative limit"));
        }
        if problems.is_empty() { Ok(Self) } else { Err(problems) }
    }
}

struct AutoReply;

impl Plugin for AutoReply {
    type Config = Rules;
    fn manifest() -> Manifest {
        Manifest::new("auto-reply", "Answers by rules.").needs(&[Capability::SendText])
    }
    async fn init(_config: Rules, _cx: &InitCtx) -> Result<Self, PluginError> {
        Ok(Self)
    }
    async fn on_event(&self, _event: &Event, _cx: &Ctx) -> Result<Effects, PluginError> {
        Ok(Effects::none())
    }
}

/// Does what its settings switch on.
struct Warden;

impl Plugin for Warden {
    type Config = Value;
    fn manifest() -> Manifest {
        Manifest::new("warden", "Keeps order.")
    }
    fn plan(settings: &Value) -> Plan {
        let mut plan = Plan::new();
        for (name, needs) in [("mention", Capability::Mention), ("text", Capability::SendText)] {
            if settings.get(name).is_some() {
                plan = plan.feature(Feature::new(name, format!("/{name}")).needs(&[needs]));
            }
        }
        match settings.get("at").and_then(Value::as_str) {
            Some(at) => plan.schedule(PlannedSchedule::new("bell", at).at("/at")),
            None => plan,
        }
    }
    async fn init(_config: Value, _cx: &InitCtx) -> Result<Self, PluginError> {
        Ok(Self)
    }
    async fn on_event(&self, _event: &Event, _cx: &Ctx) -> Result<Effects, PluginError> {
        Ok(Effects::none())
    }
}

struct Greeter;

impl Plugin for Greeter {
    type Config = NoConfig;
    fn manifest() -> Manifest {
        Manifest::new("greeter", "Greets who joins.").needs(&[Capability::Mention, Capability::SendText])
    }
    async fn init(_config: NoConfig, _cx: &InitCtx) -> Result<Self, PluginError> {
        Ok(Self)
    }
    async fn on_event(&self, _event: &Event, _cx: &Ctx) -> Result<Effects, PluginError> {
        Ok(Effects::none())
    }
}

/// May stand in `middleware = [...]`.
struct Censor;

impl Plugin for Censor {
    type Config = Rules;
    fn manifest() -> Manifest {
        Manifest::new("censor", "Judges.").guards()
    }
    async fn init(_config: Rules, _cx: &InitCtx) -> Result<Self, PluginError> {
        Ok(Self)
    }
    async fn on_event(&self, _event: &Event, _cx: &Ctx) -> Result<Effects, PluginError> {
        Ok(Effects::none())
    }
}

pub(super) const MODE: &[Key] =
    &[Key::new("mode", "Which client it looks like.", Kind::Choice(&["desktop", "browser"]))
        .preset(Preset::Text("desktop"))];
pub(super) const PORT: &[Key] =
    &[Key::new("port", "Where it listens.", Kind::Integer { min: 1, max: 65_535 }).required()];

pub(in crate::config) fn registry() -> Registry {
    let (second, minute) = (Duration::from_secs(1), Duration::from_secs(60));
    let pacing = Pacing::new(Rate::new(1, second), 3, Rate::new(20, minute), Duration::from_secs(3600));
    let pacing = pacing.with(Manners::PERSON);
    let talks = Capabilities::none().with(Capability::PrivateMessages).with(Capability::SendText);
    let mentions = talks.with(Capability::GroupMessages).with(Capability::Mention);
    Registry {
        libraries: None,
        protocols: vec![
            ProtocolSpec {
                name: "web",
                about: "The Web protocol.",
                profiles: &[],
                capabilities: mentions,
                takes_endpoint: true,
                takes_proxy: true,
                only_one: false,
                judge: None,
                supplies: None,
                direct_only: None,
                simulated: true,
                options: MODE,
                pacing,
            },
            ProtocolSpec {
                name: "console",
                about: "This terminal.",
                profiles: &[],
                capabilities: talks,
                takes_endpoint: false,
                takes_proxy: false,
                only_one: true,
                judge: None,
                supplies: None,
                direct_only: None,
                simulated: true,
                options: &[],
                pacing,
            },
            ProtocolSpec {
                name: "hook",
                about: "A hooked client.",
                profiles: &["v3", "v4"],
                capabilities: mentions,
                takes_endpoint: true,
                takes_proxy: false,
                only_one: false,
                judge: None,
                supplies: None,
                direct_only: None,
                simulated: true,
                options: PORT,
                pacing,
            },
        ],
        plugins: vec![
            PluginFactory::of::<AutoReply>(),
            PluginFactory::of::<Greeter>(),
            PluginFactory::of::<Censor>(),
            PluginFactory::of::<Warden>(),
        ],
        middleware: crate::middleware::NAMES.to_vec(),
    }
}

pub(super) fn parsed(text: &str) -> Result<Loaded, Mistakes> {
    parse(text, Path::new("/etc/wxbot/bot.toml"), &registry())
}

/// The code's last word and the text under the span, of every mistake.
pub(super) fn told(text: &str) -> Vec<(String, String)> {
    told_by(text, &registry())
}

pub(in crate::config) fn told_by(text: &str, registry: &Registry) -> Vec<(String, String)> {
    let list = parse(text, Path::new("/etc/wxbot/bot.toml"), registry)
        .map_or_else(|mistakes| mistakes.list, |_loaded| Vec::new());
    list.iter().map(|d| (short(d.code), text[d.span.clone()].to_owned())).collect()
}

pub(super) fn warned(text: &str) -> Vec<(String, String)> {
    let loaded = parsed(text).unwrap();
    loaded.warnings.iter().map(|d| (short(d.code), text[d.span.clone()].to_owned())).collect()
}

pub(super) fn short(code: &str) -> String {
    code.rsplit("::").next().unwrap().to_owned()
}

/// Name, text, and the code and the text under the span of all that is told.
pub(super) type Row<'a> = (&'a str, String, &'a [(&'a str, &'a str)]);

pub(super) fn check(rows: &[Row<'_>], of: fn(&str) -> Vec<(String, String)>) {
    for (name, text, want) in rows {
        let want: Vec<_> = want.iter().map(|(code, under)| ((*code).to_owned(), (*under).to_owned())).collect();
        assert_eq!(of(text), want, "{name}\n{text}\n{:#?}", parsed(text).map_err(|m| m.list).err());
    }
}

/// An account with these lines in it.
pub(in crate::config) fn web(lines: &str) -> String {
    format!("[[accounts]]\nname = \"a\"\nprotocol = \"web\"\n{lines}\n")
}

/// These lines above a plain account.
pub(super) fn above(lines: &str) -> String {
    format!("{lines}\n{}", web(""))
}
