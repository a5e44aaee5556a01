//! What is wrong with settings, and which parts do they switch on?

use wxbot_plugin::{Place, Plan, Plugin, PluginConfig};

use super::*;
use crate::settings::Settings;

fn problems(settings: serde_json::Value) -> Vec<(String, String)> {
    let problems = Settings::read(&settings, &Place::default()).err().unwrap_or_default();
    problems.into_iter().map(|problem| (problem.pointer, problem.message)).collect()
}

#[test]
fn mistakes_are_told_at_their_places() {
    for (name, settings, pointer, message) in [
        ("unknown name", json!({ "welcome": { "text": "{{ nam }}" } }), "/welcome/text", "uses `nam`"),
        ("broken", json!({ "welcome": { "text": "{{ name" } }), "/welcome/text", "cannot be read"),
        ("no filter", json!({ "welcome": { "text": "{{ name | shout }}" } }), "/welcome/text", "shout"),
        ("long delay", json!({ "welcome": { "delay": "2d" } }), "/welcome/delay", "at most 1h"),
        ("no rules", json!({ "rules": {} }), "/rules/text", "is missing"),
        ("a blank word", json!({ "rules": { "text": "r", "words": [" "] } }), "/rules/words/0", "empty"),
        ("no rooms", json!({ "join": [{}] }), "/join/0/rooms", "is missing"),
        ("too full", json!({ "join": [{ "rooms": ["r1"], "full": 501 }] }), "/join/0/full", "at most 500"),
        ("no room", json!({ "topic": { "names": { "p1": "x" } } }), "/topic/names/p1", "is no room"),
        ("a long name", json!({ "topic": { "names": { "r1": "长".repeat(33) } } }), "/topic/names/r1", "最多 32"),
        ("says nothing", json!({ "announce": [{ "cron": "x", "rooms": ["r1"] }] }), "/announce/0", "says nothing"),
        (
            "no picture",
            json!({ "announce": [{ "cron": "x", "rooms": ["r1"], "image": "no.png" }] }),
            "/announce/0/image",
            "there is no file",
        ),
        (
            "no zone",
            json!({ "announce": [{ "cron": "x", "rooms": ["r1"], "text": "t", "tz": "Mars" }] }),
            "/announce/0/tz",
            "Mars",
        ),
        (
            "missed",
            json!({ "announce": [{ "cron": "x", "rooms": ["r1"], "text": "t", "missed": "al" }] }),
            "/announce/0/missed",
            "cannot be `al`",
        ),
        ("blank rules", json!({ "rules": { "text": " \u{200B}\n" } }), "/rules/text", "can be seen"),
        ("long rules", json!({ "rules": { "text": "😀".repeat(1_000) } }), "/rules/text", "4000 bytes"),
        ("blank quiet", json!({ "quiet": [{ "hours": "22:00-07:00", "text": "" }] }), "/quiet/0/text", "can be seen"),
        (
            "long quiet",
            json!({ "quiet": [{ "hours": "22:00-07:00", "text": "长".repeat(1_400) }] }),
            "/quiet/0/text",
            "4200 bytes",
        ),
        ("an invisible name", json!({ "topic": { "names": { "r1": "\u{200B}" } } }), "/topic/names/r1", "不能是空的"),
        ("blank welcome", json!({ "welcome": { "text": " " } }), "/welcome/text", "empty"),
        ("a poll for ever", json!({ "polls": { "longest": "400d" } }), "/polls/longest", "at most 30d"),
    ] {
        let told = problems(settings);
        let [(at, what)] = &told[..] else { panic!("{name}: {told:?}") };
        assert!(at == pointer && what.contains(message), "{name}: {told:?}");
    }
}

#[test]
fn all_of_it_is_read_and_planned() {
    let settings = json!({
        "tz": "Europe/Berlin",
        "welcome": {}, "rules": { "text": "r" }, "join": [{ "rooms": ["r1"] }], "topic": {}, "stats": {}, "polls": {},
        "checkin": {},
        "announce": [
            { "cron": "0 0 9 * * *", "rooms": ["r1"], "text": "t", "missed": "once" },
            { "cron": "0 0 9 * * *", "rooms": ["r1"], "text": "t", "tz": "UTC" },
        ],
    });
    let settings = Settings::read(&settings, &Place::default()).unwrap();
    let plan: Plan = <GroupAdmin as Plugin>::plan(&settings);
    let features: Vec<&str> = plan.features.iter().map(|feature| &*feature.name).collect();
    for part in ["welcome", "rules", "join", "topic lock", "statistics", "polls", "check-in", "announcement 1"] {
        assert!(features.contains(&part), "{part}: {features:?}");
    }
    let join = plan.features.iter().find(|feature| feature.name == "join").unwrap();
    assert!(join.pointer == "/join" && join.needs.contains(&Capability::AddMembers));
    let zones: Vec<_> = plan.schedules.iter().map(|one| (&*one.name, one.tz.as_deref(), &*one.pointer)).collect();
    assert_eq!(
        zones,
        [
            ("announce:0", Some("Europe/Berlin"), "/announce/0/cron"),
            ("announce:1", Some("UTC"), "/announce/1/cron"),
            ("sweep", Some("Europe/Berlin"), "/tz"),
        ]
    );
    assert_eq!(plan.schedules[0].missed, wxbot_plugin::manifest::Missed::Once);
}
