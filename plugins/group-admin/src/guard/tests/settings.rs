//! What settings switch on, and what is said of wrong ones.

use serde_json::{Value, json};

use super::*;
use crate::Settings;

fn problems(settings: &Value) -> Vec<(String, String)> {
    let problems = Settings::read(settings, &Place::default()).err().unwrap_or_default();
    problems.into_iter().map(|problem| (problem.pointer, problem.message)).collect()
}

#[test]
fn each_feature_says_what_it_needs() {
    let settings = json!({
        "words": { "list": ["x"] }, "links": {}, "cards": {}, "qr": {}, "contacts": {}, "flood": {}, "repeats": {},
        "probation": {}, "quiet": [{ "hours": "22:00-07:00" }], "ladder": { "remove": 3 },
    });
    let plan = GroupAdmin::plan(&Settings::read(&settings, &Place::default()).unwrap());
    let judging = ["words", "links", "cards", "qr", "contacts", "flood", "repeats", "probation", "quiet"];
    for name in judging {
        let feature = plan.features.iter().find(|feature| feature.name == name).unwrap();
        assert_eq!(feature.pointer, format!("/{name}"));
        assert_eq!(feature.needs, [Capability::GroupMessages, Capability::SendText], "{name}");
        assert!(settings.pointer(&feature.pointer).is_some());
    }
    let all_but_removal = Capability::ALL.into_iter().filter(|one| *one != Capability::RemoveMembers).collect();
    let lacks: Vec<_> =
        plan.impossible(all_but_removal).into_iter().map(|(feature, _)| (&*feature.name, &*feature.pointer)).collect();
    assert_eq!(lacks, [("removal", "/ladder/remove")]);
    let none = GroupAdmin::plan(&Settings::read(&json!({}), &Place::default()).unwrap());
    assert!(!none.features.iter().any(|feature| judging.contains(&&*feature.name) || feature.name == "removal"));
}

#[test]
fn wrong_settings_are_told_at_their_place() {
    for (settings, pointer, part) in [
        (json!({ "mode": "shadwo" }), "/mode", "cannot be `shadwo`"),
        (json!({ "rooms": ["r1", "p2"] }), "/rooms/1", "is no room"),
        (json!({ "flod": {} }), "/flod", "no setting"),
        (json!({ "flood": { "messages": 1 } }), "/flood/messages", "at least 2"),
        (json!({ "flood": { "within": "1h" } }), "/flood/within", "10min"),
        (json!({ "words": {} }), "/words", "no words"),
        (json!({ "words": { "file": "none.txt" } }), "/words/file", "cannot be read"),
        (json!({ "links": { "allow": ["http://x.com"] } }), "/links/allow/0", "a domain like"),
        (json!({ "links": { "rung": "kick" } }), "/links/rung", "cannot be `kick`"),
        (json!({ "ladder": { "notice": 5, "remove": 3 } }), "/ladder/remove", "comes before"),
        (json!({ "quiet": [{ "hours": "22-7" }] }), "/quiet/0/hours", ""),
        (json!({ "quiet": [{}] }), "/quiet/0/hours", "missing"),
        (json!({ "tz": "Mars/Olympus" }), "/tz", ""),
        (json!({ "notify": ["a", "b"] }), "/notify/0", ""),
    ] {
        let found = problems(&settings);
        assert!(
            found.iter().any(|(at, message)| at == pointer && message.contains(part)),
            "{settings}: {found:?}, not {pointer} {part}"
        );
    }
    assert_eq!(problems(&json!({})), [], "it runs without any");
}
