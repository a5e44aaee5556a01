//! What do hostile settings and hostile people reach? An error that says what to do, and nothing else.

use std::time::Duration;

use serde_json::json;
use wxbot_auto_reply::{AutoReply, Settings};
use wxbot_plugin::testing::Kit;

#[test]
fn broken_patterns_are_told() {
    for (pattern, why) in [
        ("(", "bad regex: unclosed group"),
        (r"\w{100}{100}", "bad regex: it needs more than 1048576 bytes when compiled"),
        ("(?=x)", "bad regex: look-around, including look-ahead and look-behind, is not supported"),
        (r"(a)\1", "bad regex: backreferences are not supported"),
    ] {
        let problems = Settings::check(&json!({ "rules": [{ "regex": pattern, "reply": "x" }] }));
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert_eq!((&*problems[0].pointer, &*problems[0].message), ("/rules/0/regex", why));
        assert!(problems[0].help.as_deref().is_some_and(|help| help.contains("Rust `regex` crate")));
    }
}

/// A pattern that is exponential elsewhere takes as long as the text is.
#[wxbot_plugin::test(settings = json!({ "rules": [{ "regex": "^(a+)+$", "reply": "x" }, { "any": true, "reply": "y" }] }))]
async fn sec_r11_patterns_are_linear(bot: Kit<AutoReply>) {
    let text = format!("{}!", "a".repeat(15_000));
    bot.user("alice").say(&text).await.gets("y");
}

#[wxbot_plugin::test(settings = json!({ "rules": [
    { "exact": "loop", "reply": "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}" },
    { "exact": "long", "reply": "{% for a in range(9000) %}你{% endfor %}" },
    { "regex": r"^pad (\d+)$", "reply": "{{ text | indent(groups[1] | int) }}" },
    { "exact": "secret", "reply": "{{ text | int }}" },
    { "exact": "fine", "reply": "fine" },
] }))]
async fn sec_r32_templates_have_an_end(bot: Kit<AutoReply>) {
    let alice = bot.user("alice");
    alice.say("loop").await.fails("the reply of rule 1 failed: engine ran out of fuel in line 1 of the template");
    let long = alice.say("long").await.replies().concat();
    assert!(long.len() <= 4096 && long.ends_with("你…"), "{}", long.len());
    alice.say("pad 4").await.gets("pad 4");
    alice.say("pad 1000000000000").await.fails("the reply of rule 3 failed: invalid operation");
    // The error tells the rule, and not what was said.
    alice.say("secret").await.fails("the reply of rule 4 failed: invalid operation in line 1 of the template");
    alice.say("fine").await.gets("fine");
}

#[wxbot_plugin::test(settings = json!({ "cooldown": "5s", "rules": [{ "any": true, "reply": "{{ text }} {{ sender }}" }] }))]
async fn people_cannot_write_templates(bot: Kit<AutoReply>) {
    bot.user("{{ account }}").say("{{ 7 * 7 }}{% for").await.gets("{{ 7 * 7 }}{% for {{ account }}");
    // A value of another version is no silence for ever.
    bot.set_kv("cooldown:p101", &json!({ "at": "soon" })).unwrap();
    bot.user("{{ account }}").say("a").await.gets("a {{ account }}");
    bot.advance(Duration::from_secs(4)).await;
    bot.user("{{ account }}").say("b").await.gets_nothing();
}

#[cfg(not(feature = "llm"))]
#[test]
fn without_models_the_settings_say_how_to_get_them() {
    let problems = Settings::check(&json!({ "llm": {}, "rules": [{ "any": true, "model": true }] }));
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!(problems[0].message, "this wxbot was built without language models");
    assert!(problems[0].help.as_deref().is_some_and(|help| help.contains("--features llm")));
}
