//! What is answered: texts with facts, one of several by weight, sometimes.

use std::collections::BTreeMap;

use serde_json::json;
use wxbot_auto_reply::AutoReply;
use wxbot_plugin::testing::{Kit, What};

#[wxbot_plugin::test(settings = json!({ "rules": [
    { "exact": "who", "reply": "{{ sender }}/{{ room }}/{{ chat }}/{{ account }}/{{ text }}" },
    { "exact": "when", "reply": "{{ date }} {{ time }} {{ hour + 1 }} {{ weekday }}" },
    { "regex": r"(?P<a>\d+)\+(\d+)", "reply": "{{ named.a }} {{ groups[2] }} {{ groups[1]|int + groups[2]|int }}" },
    { "exact": "list", "reply": ["one", "{{ '' }}", { "text": "two" }] },
] }))]
async fn templates_know_sender_room_time_and_groups(bot: Kit<AutoReply>) {
    let alice = bot.user("小李");
    let room = bot.room("茶", [&alice]);
    alice.say("who").await.gets("小李//小李/test/who");
    alice.in_room(&room).say("who").await.gets("小李/茶/茶/test/who");
    alice.say("when").await.gets("2026-01-01 08:00 9 4");
    alice.say("17+4").await.gets("17 4 21");
    alice.say("list").await.gets_each(["one", "two"]);
}

#[wxbot_plugin::test(settings = json!({ "rules": [{ "any": true, "answers": [
    "common", { "text": "rare", "weight": 1 }, { "reply": ["two", "texts"], "weight": 2 },
    { "text": "frequent", "weight": 6 },
] }] }))]
async fn one_of_several_by_weight(bot: Kit<AutoReply>) {
    let alice = bot.user("alice");
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    for _ in 0..1_000 {
        *counts.entry(alice.say("x").await.replies().join("+")).or_default() += 1;
    }
    let near = |what: &str, want: u32| {
        let count = counts.get(what).copied().unwrap_or(0);
        assert!(count.abs_diff(want) < 60, "{what} came {count} times, not about {want}: {counts:?}");
    };
    near("common", 100);
    near("rare", 100);
    near("two+texts", 200);
    near("frequent", 600);
    assert_eq!(counts.len(), 4, "{counts:?}");
}

#[wxbot_plugin::test(settings = json!({ "rules": [
    { "any": true, "chance": "25%", "reply": "joke" },
    { "any": true, "in": "private", "reply": "serious" },
] }))]
async fn a_chance_else_the_next_rule(bot: Kit<AutoReply>) {
    let alice = bot.user("alice");
    let mut jokes = 0;
    for _ in 0..1_000 {
        match alice.say("x").await.replies().as_slice() {
            [text] if text == "joke" => jokes += 1,
            [text] if text == "serious" => {}
            other => panic!("{other:?}"),
        }
    }
    assert!((200..300).contains(&jokes), "{jokes} of 1000");
}

#[wxbot_plugin::test(settings = json!({ "rules": [
    { "any": true, "mention": true, "reply": ["a", "b"] },
] }))]
async fn a_mention_in_the_first_text(bot: Kit<AutoReply>) {
    let alice = bot.user("alice");
    let room = bot.room("茶", [&alice]);
    let mentions = |sent: &[wxbot_plugin::testing::Sent]| -> Vec<bool> {
        sent.iter().map(|sent| matches!(sent.what, What::Text { mentions: true, .. })).collect()
    };
    assert_eq!(mentions(alice.in_room(&room).say("x").await.sent()), [true, false]);
    assert_eq!(mentions(alice.say("x").await.sent()), [false, false]);
}

/// A crash between answer and commit neither repeats nor loses: the answer and the moment of it are one.
#[wxbot_plugin::test(settings = json!({ "cooldown": "1h", "rules": [{ "any": true, "reply": "x" }] }))]
async fn a_crash_repeats_nothing(bot: Kit<AutoReply>) {
    let alice = bot.user("alice");
    bot.crash_before_commit();
    alice.say("a").await.gets("x");
    alice.say("b").await.gets_nothing();
}
