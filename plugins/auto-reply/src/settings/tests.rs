//! Is every mistake told at its place, and does `check` agree with reading?

use proptest::prelude::*;
use serde_json::json;

use super::*;

/// Pointer and a part of the message of every problem, in order.
fn problems(settings: &Value) -> Vec<(String, String)> {
    Settings::check(settings).into_iter().map(|p| (p.pointer, p.message)).collect()
}

fn parse(settings: &Value) -> Result<Settings, Vec<ConfigProblem>> {
    Settings::read(settings, &Place::default())
}

#[test]
fn good_settings() {
    for (name, settings, rules) in [
        ("no rules yet", json!({ "rules": [] }), 0),
        ("shortest", json!({ "rules": [{ "any": true, "reply": "hi" }] }), 1),
        ("lists", json!({ "rules": [{ "exact": ["a", "b"], "reply": ["c", "d"] }] }), 1),
        ("groups", json!({ "rules": [{ "regex": "a(.)", "reply": "{{ groups[1] }}" }] }), 1),
        (
            "two fallbacks",
            json!({ "rules": [
                { "any": true, "in": "group", "at_me": true, "reply": "a" }, { "any": true, "in": "group", "reply": "b" },
                { "exact": "x", "in": "private", "reply": "c" }, { "any": true, "reply": "d" },
            ] }),
            4,
        ),
        (
            "conditions",
            json!({ "tz": "Europe/Berlin", "rules": [{
                "any": true, "rooms": ["r1"], "people": "p1", "except": "p2", "hours": ["09:00-18:00 Mon-Fri", "Sat"],
                "chance": "30%", "person_cooldown": "1h",
                "answers": ["a", { "text": "b", "weight": 3 }, { "reply": ["c", { "text": "d" }] }],
            }] }),
            1,
        ),
        ("away alone", json!({ "away": { "text": "{{ sender }} {{ note }}" } }), 0),
        ("friends alone", json!({ "friends": { "accept": ["词"], "greeting": ["hi {{ sender }}", "2"] } }), 0),
        ("cooldowns", json!({ "cooldown": "5s", "rules": [{ "any": true, "cooldown": "0s", "reply": "x" }] }), 1),
    ] {
        assert_eq!(problems(&settings), [], "{name}");
        assert_eq!(parse(&settings).unwrap().rules.len(), rules, "{name}");
    }
}

#[test]
fn mistakes_of_one_rule() {
    for (rule, pointer, message) in [
        (json!("hi"), "", "a rule is a table, not a text"),
        (json!({ "reply": "x" }), "", "the rule does not say which texts it matches"),
        (json!({ "any": true }), "", "the rule has no `reply`"),
        (json!({ "any": true, "reply": "x", "replay": "y" }), "/replay", "a rule has no setting `replay`"),
        (json!({ "any": true, "reply": "x", "a/b": 1 }), "/a~1b", "a rule has no setting `a/b`"),
        (json!({ "any": false, "reply": "x" }), "/any", "`any` is only ever true"),
        (json!({ "any": "yes", "reply": "x" }), "/any", "`any` is true or false, not a text"),
        (json!({ "exact": "a", "regex": "b", "reply": "x" }), "/regex", "`regex` stands beside `exact`"),
        (json!({ "exact": 1, "reply": "x" }), "/exact", "`exact` is a text or a list of texts, not a number"),
        (json!({ "exact": [], "reply": "x" }), "/exact", "`exact` is an empty list"),
        (json!({ "exact": ["a", 2], "reply": "x" }), "/exact/1", "`exact` is a text, not a number"),
        (json!({ "contains": "", "reply": "x" }), "/contains", "`contains` is empty"),
        (json!({ "contains": ["a", " \u{200B}"], "reply": "x" }), "/contains/1", "`contains` is empty"),
        (json!({ "regex": ["a"], "reply": "x" }), "/regex", "`regex` is a text, not a list"),
        (json!({ "regex": "", "reply": "x" }), "/regex", "`regex` is empty"),
        (json!({ "regex": "a(b", "reply": "{{ groups[1] }}" }), "/regex", "bad regex: unclosed group"),
        (json!({ "any": true, "in": "room", "reply": "x" }), "/in", "`in` cannot be `room`"),
        (
            json!({ "any": true, "in": 1, "reply": "x" }),
            "/in",
            "`in` is \"private\", \"group\" or \"any\", not a number",
        ),
        (
            json!({ "any": true, "in": "private", "at_me": true, "reply": "x" }),
            "/at_me",
            "nobody is mentioned in a private chat: a rule with `at_me` and `in = \"private\"` never matches",
        ),
        (json!({ "any": true, "at_me": 1, "reply": "x" }), "/at_me", "`at_me` is true or false, not a number"),
        (json!({ "any": true, "mention": "a", "reply": "x" }), "/mention", "`mention` is true or false, not a text"),
        (
            json!({ "any": true, "ignore_case": null, "reply": "x" }),
            "/ignore_case",
            "`ignore_case` is true or false, not nothing",
        ),
        (
            json!({ "any": true, "cooldown": 5, "reply": "x" }),
            "/cooldown",
            "`cooldown` is a duration like \"5s\", not a number",
        ),
        (json!({ "any": true, "reply": " " }), "/reply", "`reply` is empty"),
        (json!({ "any": true, "reply": ["a", {}] }), "/reply/1", "this part of an answer says nothing"),
        (
            json!({ "any": true, "reply": 1 }),
            "/reply",
            "`reply` is a text, a table like `{ image = \"…\" }`, or a list of these, not a number",
        ),
        (
            json!({ "any": true, "reply": ["a", 1] }),
            "/reply/1",
            "`reply` is a text or a table like `{ image = \"…\" }`, not a number",
        ),
        (
            json!({ "any": true, "reply": vec!["a"; 20] }),
            "/reply",
            "`reply` has 20 parts; at most 19 are sent for one message",
        ),
        (
            json!({ "any": true, "reply": { "text": "a", "image": "b" } }),
            "/reply",
            "this part of an answer says several things",
        ),
        (
            json!({ "any": true, "reply": { "txt": "a", "text": "b" } }),
            "/reply/txt",
            "a part of an answer has no setting `txt`",
        ),
        (
            json!({ "any": true, "reply": { "text": "{{ x }}" } }),
            "/reply/text",
            "the template uses `x`, which is not known",
        ),
        (json!({ "any": true, "reply": "x", "answers": ["y"] }), "/answers", "`answers` stands beside `reply`"),
        (json!({ "any": true, "answers": "y" }), "/answers", "`answers` is a list of texts and tables, not a text"),
        (json!({ "any": true, "answers": [] }), "/answers", "`answers` must have 1 to 1000 entries, not 0"),
        (
            json!({ "any": true, "answers": [{ "text": "y", "weight": 0 }] }),
            "/answers/0/weight",
            "`weight` is a whole number from 1 to 1000000",
        ),
        (json!({ "any": true, "answers": [{ "weight": 2 }] }), "/answers/0", "this part of an answer says nothing"),
        (json!({ "any": true, "answers": [{ "reply": ["y", " "] }] }), "/answers/0/reply/1", "`reply` is empty"),
        (json!({ "any": true, "model": false }), "/model", "`model` is only ever true"),
        (json!({ "any": true, "model": true }), "", "this rule answers by a language model, and none is set"),
        (json!({ "any": true, "rooms": "p1", "reply": "x" }), "/rooms", "`p1` is not a room, like `r3`"),
        (json!({ "any": true, "people": ["p1", "r1"], "reply": "x" }), "/people/1", "`r1` is not a person, like `p12`"),
        (json!({ "any": true, "except": [], "reply": "x" }), "/except", "`except` must have 1 to 1000 entries, not 0"),
        (
            json!({ "any": true, "people": "p1", "except": "p1", "reply": "x" }),
            "/except",
            "`p1` is both wanted and left out",
        ),
        (
            json!({ "any": true, "rooms": "r1", "in": "private", "reply": "x" }),
            "/rooms",
            "a room is no private chat: a rule with `rooms` and `in = \"private\"` never matches",
        ),
        (
            json!({ "any": true, "hours": "9-18", "reply": "x" }),
            "/hours",
            "`hours`: `9-18` has no minutes; hours are written like \
             \"09:00-18:00\", \"22:00-07:00 Mon-Fri\" or \"Sat,Sun\"",
        ),
        (json!({ "any": true, "chance": "0%", "reply": "x" }), "/chance", "`chance` is 0%: it would never answer"),
        (
            json!({ "any": true, "person_cooldown": 5, "reply": "x" }),
            "/person_cooldown",
            "`person_cooldown` is a duration like \"5s\", not a number",
        ),
        (
            json!({ "any": true, "reply": ["a", "{{ sendr }}"] }),
            "/reply/1",
            "the template uses `sendr`, which is not known",
        ),
        (json!({ "exact": "a", "reply": "{{ named.x }}" }), "/reply", "`named` is only known in a rule with `regex`"),
        (json!({ "regex": "a", "reply": "{{ groups[1] }}" }), "/reply", "the regex has no group 1"),
    ] {
        let good = json!({ "exact": "first", "reply": "x" });
        let settings = json!({ "rules": [good, rule] });
        assert_eq!(problems(&settings), [(format!("/rules/1{pointer}"), message.to_owned())], "{rule}");
        assert!(parse(&settings).is_err(), "{rule}");
    }
}

#[test]
fn mistakes_of_the_whole() {
    for (settings, pointer, message) in [
        (json!(null), "", "auto-reply is a table, not nothing"),
        (json!({}), "", "there are no rules"),
        (json!({ "rules": {} }), "/rules", "`rules` is a list of tables (`[[plugins.auto-reply.rules]]`), not a table"),
        (json!({ "rules": [], "cooldwn": "1s" }), "/cooldwn", "auto-reply has no setting `cooldwn`"),
        (json!({ "rules": [], "away": 1 }), "/away", "`away` is a table, not a number"),
        (json!({ "rules": [], "away": {} }), "/away/text", "`text` is missing"),
        (
            json!({ "rules": [], "away": { "text": "{{ x }}" } }),
            "/away/text",
            "the template uses `x`, which is not known",
        ),
        (
            json!({ "rules": [], "away": { "text": "x", "every": "1s" } }),
            "/away/every",
            "`every` must be at least 1min and at most 30d, not 1s",
        ),
        (json!({ "rules": [], "friends": {} }), "/friends", "`friends` does nothing"),
        (
            json!({ "rules": [], "friends": { "accept": "all" } }),
            "/friends/accept",
            "`accept` is true, false, or a list of words, not a text",
        ),
        (
            json!({ "rules": [], "friends": { "accept": ["a", " "] } }),
            "/friends/accept/1",
            "an empty word would accept everybody",
        ),
        (
            json!({ "rules": [], "friends": { "accept": true, "limit": "2000/h" } }),
            "/friends/limit",
            "`limit` allows 2000 at once; at most 1000 are counted",
        ),
        (
            json!({ "rules": [], "friends": { "greeting": ["a", "{{ text }}"] } }),
            "/friends/greeting/1",
            "the template uses `text`, which is not known",
        ),
        (
            json!({ "rules": [], "tz": "Mars/Base" }),
            "/tz",
            "`tz`: `Mars/Base` is no time zone; they are named like `Asia/Shanghai`, `Europe/Berlin` or `UTC`",
        ),
        (
            json!({ "rules": [], "cooldown": "soon" }),
            "/cooldown",
            "`soon` is not a duration; write a number and a unit (ms, s, min, h, d), like \"15s\"",
        ),
    ] {
        assert_eq!(problems(&settings), [(pointer.to_owned(), message.to_owned())], "{settings}");
    }
}

#[test]
fn rules_behind_a_fallback() {
    let any = |place: &str, at_me: bool| json!({ "any": true, "in": place, "at_me": at_me, "reply": "x" });
    for (name, rules, unreached) in [
        ("the end", vec![any("any", false)], vec![]),
        ("behind everything", vec![any("any", false), any("private", false), any("group", true)], vec![1, 2]),
        ("elsewhere", vec![any("private", false), any("group", false)], vec![]),
        ("mentioned is in a room", vec![any("group", false), any("any", true)], vec![1]),
        ("not only when mentioned", vec![any("any", true), any("group", false)], vec![]),
        (
            "no fallback: two matchers",
            vec![json!({ "any": true, "exact": "a", "reply": "x" }), any("any", false)],
            vec![],
        ),
        ("two together", vec![any("private", false), any("group", false), any("any", false)], vec![2]),
    ] {
        let pointers: Vec<String> = problems(&json!({ "rules": rules }))
            .into_iter()
            .filter(|p| p.1.contains("never reached"))
            .map(|p| p.0)
            .collect();
        let want: Vec<String> = unreached.iter().map(|n: &usize| format!("/rules/{n}")).collect();
        assert_eq!(pointers, want, "{name}");
    }
}

#[test]
fn all_mistakes_at_once_with_help() {
    let settings = json!({
        "cooldown": 1,
        "rules": [
            { "exact": "a", "contains": ["", 1], "in": "here", "reply": ["{{ x }}", 2, "{{ y"], "mention": 1 },
            { "any": true, "reply": "b" },
            7,
            { "exact": "late", "at_me": true, "cooldown": "1 year" },
        ],
    });
    let pointers: Vec<String> = problems(&settings).into_iter().map(|p| p.0).collect();
    assert_eq!(
        pointers,
        [
            "/cooldown",
            "/rules/0/in",
            "/rules/0/contains",
            "/rules/0/contains/0",
            "/rules/0/contains/1",
            "/rules/0/reply/0",
            "/rules/0/reply/1",
            "/rules/0/reply/2",
            "/rules/0/mention",
            "/rules/2",
            "/rules/3",
            "/rules/3",
            "/rules/3/cooldown",
        ]
    );
    let help = |settings: Value| Settings::check(&settings).remove(0).help.unwrap();
    assert!(help(json!({ "rules": [{ "any": true, "reply": "x", "replay": 1 }] })).contains("did you mean `reply`?"));
    assert!(help(json!({ "rules": [{ "any": true, "reply": "{{ sendr }}" }] })).contains("did you mean `sender`?"));
}

fn any_value() -> impl Strategy<Value = Value> {
    let word = prop::sample::select(vec![
        "a",
        "",
        "private",
        "group",
        "5s",
        "0s",
        "(",
        "(?P<n>.)",
        "{{ sender }}",
        "{{ groups[1] }}",
        "{{ x }}",
        "{%",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        word.prop_map(Value::from),
    ];
    prop_oneof![3 => leaf.clone(), 1 => prop::collection::vec(leaf, 0..3).prop_map(Value::from)]
}

fn any_rule() -> impl Strategy<Value = Value> {
    let key = prop::sample::select([RULE_KEYS.as_slice(), &["other"]].concat());
    let entry = (key, any_value()).prop_map(|(key, value)| (key.to_owned(), value));
    let sound = prop::sample::select(vec![
        json!({ "any": true, "reply": "x" }),
        json!({ "exact": "a", "reply": "x" }),
        json!({ "regex": "(a)", "reply": "{{ groups[1] }}" }),
    ]);
    (prop::option::of(sound), prop::collection::vec(entry, 0..3)).prop_map(|(base, entries)| {
        let mut map = base.and_then(|base| base.as_object().cloned()).unwrap_or_default();
        map.extend(entries);
        Value::Object(map)
    })
}

proptest! {
    #[test]
    fn check_is_empty_exactly_when_reading_succeeds(
        rules in prop::collection::vec(any_rule(), 0..4),
        cooldown in prop::option::of(any_value()),
    ) {
        let mut settings = json!({ "rules": rules });
        if let Some(cooldown) = cooldown {
            settings["cooldown"] = cooldown;
        }
        let problems = Settings::check(&settings);
        let read = parse(&settings);
        prop_assert_eq!(problems.is_empty(), read.is_ok());
        if let Ok(read) = read {
            prop_assert_eq!(read.rules.len(), rules.len(), "no rule is lost in silence");
        }
        for problem in problems {
            // A problem is at a value that is there, so that its line in `bot.toml` can be shown.
            prop_assert!(settings.pointer(&problem.pointer).is_some(), "{}", problem.pointer);
            prop_assert!(!problem.message.ends_with('.') && !problem.message.contains('\n'), "{}", problem.message);
        }
    }
}
