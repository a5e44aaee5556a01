//! What is read from settings, and what is refused?

use serde_json::{Value, json};

use super::*;

fn read(settings: Value) -> Settings {
    Settings::read(&settings, &Place::default()).unwrap()
}

#[test]
fn rules_are_called_by_their_names_or_numbers() {
    let settings = read(json!({ "rules": [
        { "any": "a", "reply": "x" }, { "name": "two", "any": "a", "reply": "x" },
    ] }));
    assert_eq!([0, 1, 2].map(|n| settings.name_of(n)), ["#1", "two", "chat"]);
    assert_eq!((settings.added(), read(json!({ "rules": [{ "added": true }] })).added()), (2, 0));
}

#[test]
fn a_rules_own_silence_goes_before_the_common_one() {
    let settings = read(json!({ "cooldown": "5s", "per": "person", "rules": [
        { "any": "a", "reply": "x" }, { "any": "a", "reply": "x", "cooldown": "0s", "per": "chat" },
    ] }));
    let silence = |n: usize| settings.silence(settings.rules.get(n));
    assert_eq!([0, 1, 2].map(silence), [(5_000, Per::Person), (0, Per::Chat), (5_000, Per::Person)]);
}

#[test]
fn the_schema_describes_every_key() {
    let schema = Settings::schema();
    for place in ["/properties", "/properties/rules/items/properties"] {
        for (key, property) in schema.pointer(place).and_then(Value::as_object).unwrap() {
            assert!(property["description"].as_str().is_some_and(|about| about.ends_with('.')), "{key}");
        }
    }
}

#[test]
fn many_values_of_one_key_belong_into_a_file() {
    let words: Vec<String> = (0..10_001).map(|n| n.to_string()).collect();
    let problems =
        Settings::read(&json!({ "rules": [{ "any": words, "reply": "x" }] }), &Place::default()).unwrap_err();
    assert_eq!(problems[0].pointer, "/rules/0/any");
    assert!(problems[0].help.as_ref().is_some_and(|help| help.contains("`files`")), "{problems:?}");
}

#[test]
fn a_file_is_read_once_for_all_who_have_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.txt");
    std::fs::write(&file, "旧\n").unwrap();
    let read = || {
        let settings = json!({ "rules": [{ "files": ["a.txt"], "reply": "x" }] });
        Settings::read(&settings, &Place::of(folder.path())).unwrap()
    };
    let list = |settings: &Settings| settings.lists()[0][0].clone();
    let (one, two) = (read(), read());
    assert!(std::sync::Arc::ptr_eq(&list(&one), &list(&two)));
    std::fs::write(&file, "新的\n").unwrap();
    let three = read();
    assert_eq!([&one, &three].map(|settings| list(settings).entries[0].keyword.clone()), ["旧", "新的"]);
}
