//! Who is named in `[accounts.roles]`, what begins a command, and what does a middleware of the program say?

use std::path::Path;

use serde_json::json;
use wxbot_model::Event;
use wxbot_plugin::middleware::Station;
use wxbot_plugin::{
    ConfigProblem, Envelope, Middleware, Next, Outcome, Place, PluginConfig, PluginError, Role, StationConfig,
};

use super::rig::{above, check, parsed, registry, told, web};
use crate::config::{Loaded, Registry, parse, schema};

fn roles(lines: &str) -> String {
    web(&format!("[accounts.roles]\n{lines}"))
}

#[test]
fn sec_r26_only_contact_ids_are_named() {
    check(
        &[
            ("good", roles("owner = [\"p1\"]\nvip-2 = [\"p3\"]\ngroup-admin = [\"r3/p12\"]"), &[]),
            ("a name", roles("owner = [\"老王\"]"), &[("bad_contact_id", "\"老王\"")]),
            ("a WeChat id", roles("admin = [\"p1\", \"wang_1\"]"), &[("bad_contact_id", "\"wang_1\"")]),
            ("an id of one login", roles("admin = [\"@ab12\"]"), &[("bad_contact_id", "\"@ab12\"")]),
            ("a room", roles("owner = [\"r1\"]"), &[("bad_contact_id", "\"r1\"")]),
            ("a room's admin without the room", roles("group-admin = [\"p1\"]"), &[("bad_contact_id", "\"p1\"")]),
            ("a person's admin", roles("group-admin = [\"p1/p2\"]"), &[("bad_contact_id", "\"p1/p2\"")]),
            ("an admin of a room, everywhere", roles("admin = [\"r1/p2\"]"), &[("bad_contact_id", "\"r1/p2\"")]),
            ("everybody", roles("user = [\"p1\"]"), &[("bad_role", "user")]),
            ("no word", roles("VIP = [\"p1\"]"), &[("bad_role", "VIP")]),
            ("no list", roles("owner = \"p1\""), &[("wrong_type", "\"p1\"")]),
            ("numbers", roles("owner = [1]"), &[("wrong_type", "1")]),
            ("no table", web("roles = []"), &[("wrong_type", "[]")]),
            ("prefixes", above("command_prefix = [\"#\", \"\"]"), &[]),
            ("a space", above("command_prefix = [\"bot \"]"), &[("bad_prefix", "\"bot \"")]),
            ("one twice", above("command_prefix = [\"/\", \"/\"]"), &[("duplicate_entry", "\"/\"")]),
        ],
        told,
    );
    let mistakes = parsed(&roles("owner = [\"老王\"]")).unwrap_err();
    assert!(mistakes.to_string().contains("`wxbot contacts"), "{mistakes}");
}

fn said_by(account: &str, chat: &str, sender: &str) -> Event {
    let kind = if chat.starts_with('r') { "group" } else { "private" };
    serde_json::from_value(json!({
        "account": account, "key": "1", "chat": { "id": chat, "kind": kind, "name": "" },
        "sender": { "id": sender, "name": "" }, "at_s": 0,
        "kind": { "what": "message", "id": "1", "from_self": false, "content": { "type": "text", "text": "" },
                  "mentions": { "me": false, "all": false } },
    }))
    .unwrap()
}

#[test]
fn what_is_said_becomes_settings() {
    let text = format!(
        "builtin = false\ncommand_prefix = [\"#\", \"\", \"bot:\"]\n{}\n[[accounts]]\nname = \"me\"\nprotocol = \"console\"",
        roles("owner = [\"p1\"]\nvip = [\"p2\"]\ngroup-admin = [\"r3/p2\"]")
    );
    let Loaded { config, .. } = parsed(&text).unwrap();
    let [web, console] = config.accounts.as_slice() else { panic!("{config:?}") };
    assert!(!web.builtin);
    assert_eq!(web.prefixes, ["bot:", "#", ""], "the longest first");
    assert_eq!(web.roles.of(&said_by("a", "r3", "p2")), [Role::custom("vip"), Role::GroupAdmin]);
    assert_eq!(web.roles.of(&said_by("a", "p1", "p1")), [Role::Owner]);
    assert_eq!(console.roles.of(&said_by("me", "p1", "p1")), [Role::Owner], "the person at the terminal");
    let usual = parsed(&super::rig::web("")).unwrap().config;
    assert!(usual.accounts[0].builtin);
    assert_eq!(usual.accounts[0].prefixes, ["/", ""]);
}

/// A middleware of a program: stops what is shorter than a number of bytes.
struct Short(u64);

struct Least(u64);

impl PluginConfig for Least {
    fn schema() -> serde_json::Value {
        json!({ "type": "object", "properties": { "least": { "type": "integer" } } })
    }
    fn read(settings: &serde_json::Value, _place: &Place) -> Result<Self, Vec<ConfigProblem>> {
        let least = settings.get("least").and_then(serde_json::Value::as_u64);
        least.map(Self).ok_or_else(|| vec![ConfigProblem::at("/least", "`least` is not a number")])
    }
}

impl Middleware for Short {
    fn name(&self) -> &str {
        Self::NAME
    }
    async fn handle(&self, env: Envelope, next: Next<'_>) -> Outcome {
        if env.event.text().is_some_and(|text| (text.len() as u64) < self.0) {
            return Outcome::stopped(Self::NAME, "too short");
        }
        next.run(env).await
    }
}

impl StationConfig for Short {
    type Config = Least;
    const NAME: &'static str = "short";
    const ABOUT: &'static str = "Stops short texts.";
    fn make(config: Least) -> Result<Self, PluginError> {
        Ok(Self(config.0))
    }
}

fn with_short() -> Registry {
    let mut registry = registry();
    registry.add_station(Station::of::<Short>());
    registry
}

#[test]
fn a_middleware_of_the_program_is_known_checked_and_in_the_schema() {
    fn read(text: &str) -> Result<Loaded, crate::config::Mistakes> {
        parse(text, Path::new("/etc/wxbot/bot.toml"), &with_short())
    }
    fn told(text: &str) -> Vec<(String, String)> {
        let list = read(text).map_or_else(|mistakes| mistakes.list, |_loaded| Vec::new());
        list.iter().map(|d| (d.code.rsplit("::").next().unwrap().to_owned(), text[d.span.clone()].to_owned())).collect()
    }
    check(
        &[
            ("good", web("middleware = [\"short\"]\nshort.least = 3"), &[]),
            ("common", above("middleware = [\"short\"]\nshort.least = 3"), &[]),
            ("not used", above("short.least = 3"), &[]),
            ("bad", web("middleware = [\"short\"]\nshort.least = \"x\""), &[("middleware_settings", "\"x\"")]),
            ("not used and bad", above("short.least = \"x\""), &[("middleware_settings", "\"x\"")]),
            ("missing", web("middleware = [\"short\"]"), &[("middleware_settings", "\"short\"")]),
            ("no table", web("short = 3"), &[("wrong_type", "3")]),
            ("another word", web("middleware = [\"shrot\"]"), &[("unknown_middleware", "\"shrot\"")]),
        ],
        told,
    );
    let config =
        read(&format!("short.least = 2\n{}", web("middleware = [\"short\"]\nshort.least = 3"))).unwrap().config;
    assert_eq!(config.accounts[0].middleware[0].settings, json!({ "least": 3 }));
    let schema = schema(&with_short());
    assert_eq!(schema["$defs"]["middleware-short"]["properties"]["least"]["type"], "integer");
    for place in [&schema, &schema["properties"]["accounts"]["items"]] {
        assert_eq!(place["properties"]["short"]["$ref"], "#/$defs/middleware-short");
        let names = place["properties"]["middleware"]["items"]["enum"].as_array().unwrap();
        assert!(names.contains(&json!("short")), "{names:?}");
    }
}
