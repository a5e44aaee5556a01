//! What do hostile settings and hostile people reach? An error that says what to do, and nothing else.

use std::time::Duration;

use serde_json::json;
use wxbot_auto_reply::{AutoReply, Settings};
use wxbot_plugin::model::{EventKind, Who};
use wxbot_plugin::testing::Kit;

#[test]
fn sec_r11_patterns_that_are_too_large_or_look_around_are_refused() {
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
    let fails = async |text: &str, why: &str| {
        let heard = alice.say(text).await.gets_nothing();
        let (explained, why) = (heard.explained(), format!("the template failed, so nothing is answered: {why}"));
        assert!(explained.contains(&why), "{explained}");
    };
    fails("loop", "engine ran out of fuel in line 1 of the template").await;
    let long = alice.say("long").await.replies().concat();
    assert!(long.len() <= 4096 && long.ends_with("你…"), "{}", long.len());
    alice.say("pad 4").await.gets("pad 4");
    fails("pad 1000000000000", "invalid operation").await;
    fails("secret", "invalid operation in line 1 of the template").await;
    alice.say("fine").await.gets("fine");
}

/// What a template fails on is no error of the event: that would be handled again and again, and the chat would wait.
#[wxbot_plugin::test(settings = json!({
    "cooldown": "1h",
    "away": { "text": "{{ text | int }}", "hours": "00:00-24:00", "every": "1min" },
    "friends": { "greeting": "{{ sender | int }}" },
    "rules": [{ "regex": r"^(\d+)斤$", "reply": ["好", "{{ groups[1] | int * 8 }} 元"] }],
}))]
async fn sec_r32_a_text_that_a_template_fails_on_holds_nobody_up(bot: Kit<AutoReply>) {
    let alice = bot.user("alice");
    for text in [format!("{}斤", "9".repeat(40)), "٣斤".to_owned()] {
        let heard = alice.say(&text).await.gets_nothing();
        assert!(heard.explained().contains("left rule 1: the template failed"), "{}", heard.explained());
    }
    // Neither does the rule rest nor is the person told.
    assert_eq!(bot.kv_keys(), Vec::<String>::new());
    alice.say("3斤").await.gets_each(["好", "24 元"]);
    alice.say("7").await.gets("7");
    let added = EventKind::FriendAdded { name: "x".into(), by: Who::Me, notice: String::new() };
    alice.does(added).await.gets_nothing();
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
