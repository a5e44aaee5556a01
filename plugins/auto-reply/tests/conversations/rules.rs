//! Which rule answers whom, where and when?

use std::time::Duration;

use serde_json::json;
use wxbot_auto_reply::AutoReply;
use wxbot_plugin::model::{Card, ChatRecord, Content, Quote};
use wxbot_plugin::testing::Kit;

const HOUR: Duration = Duration::from_secs(3600);

#[wxbot_plugin::test(settings = json!({ "rules": [
    { "exact": ["你好", "hi"], "reply": "exact" },
    { "contains": "价格", "reply": "contains" },
    { "regex": r"^查 (?P<no>\d+)$", "reply": "regex {{ named.no }}" },
    { "any": true, "in": "private", "reply": "fallback" },
] }))]
async fn exact_contains_regex_and_a_fallback(bot: Kit<AutoReply>) {
    let alice = bot.user("alice");
    alice.say("你好").await.gets("exact");
    alice.say("\u{FF28}\u{FF29} ").await.gets("exact");
    alice.say("请问价格多少").await.gets("contains");
    alice.say("查 17").await.gets("regex 17");
    alice.say("查 x").await.gets("fallback");
    let room = bot.room("茶", [&alice]);
    alice.in_room(&room).say("查 x").await.gets_nothing();
    alice.in_room(&room).say("你好").await.gets("exact");
}

#[wxbot_plugin::test(settings = json!({ "rules": [
    { "any": true, "rooms": ["r101"], "reply": "tea" },
    { "any": true, "rooms": "r102", "at_me": true, "reply": "to me" },
    { "any": true, "in": "private", "reply": "private" },
] }))]
async fn per_room_and_chat_and_at_me(bot: Kit<AutoReply>) {
    let alice = bot.user("alice");
    let (tea, work, other) = (bot.room("茶", [&alice]), bot.room("工作", [&alice]), bot.room("别的", [&alice]));
    alice.in_room(&tea).say("x").await.gets("tea");
    alice.in_room(&work).say("x").await.gets_nothing();
    alice.in_room(&work).at_me("x").await.gets("to me");
    alice.in_room(&other).at_me("x").await.gets_nothing();
    alice.say("x").await.gets("private");
}

#[wxbot_plugin::test(settings = json!({ "rules": [
    { "any": true, "people": "p101", "reply": "alice" },
    { "any": true, "except": ["p102", "r101"], "reply": "others" },
] }))]
async fn per_contact(bot: Kit<AutoReply>) {
    let (alice, bob, carol) = (bot.user("alice"), bot.user("bob"), bot.user("carol"));
    let (left_out, other) = (bot.room("茶", [&alice, &bob, &carol]), bot.room("别的", [&carol]));
    alice.say("x").await.gets("alice");
    alice.in_room(&left_out).say("x").await.gets("alice");
    bob.say("x").await.gets_nothing();
    carol.say("x").await.gets("others");
    carol.in_room(&left_out).say("x").await.gets_nothing();
    carol.in_room(&other).say("x").await.gets("others");
    bob.in_room(&other).say("x").await.gets_nothing();
}

/// Somebody who takes a person's name has none of the person's rules: they go by id.
#[wxbot_plugin::test(settings = json!({ "rules": [{ "any": true, "people": "p101", "reply": "secret" }] }))]
async fn sec_r26_a_name_is_no_person(bot: Kit<AutoReply>) {
    bot.user("alice").say("x").await.gets("secret");
    bot.user("alice ").say("x").await.gets_nothing();
}

#[wxbot_plugin::test(settings = json!({ "rules": [
    { "any": true, "hours": ["09:00-18:00 Mon-Fri", "10:00-12:00 Sat"], "reply": "open" },
    { "any": true, "reply": "closed" },
] }))]
async fn per_hour_of_the_day(bot: Kit<AutoReply>) {
    let alice = bot.user("alice");
    alice.say("Thu 08:00").await.gets("closed");
    bot.advance(HOUR).await;
    alice.say("Thu 09:00").await.gets("open");
    bot.advance(9 * HOUR).await;
    alice.say("Thu 18:00").await.gets("closed");
    bot.advance(15 * HOUR).await;
    alice.say("Fri 09:00").await.gets("open");
    bot.advance(24 * HOUR).await;
    alice.say("Sat 09:00").await.gets("closed");
    bot.advance(HOUR).await;
    alice.say("Sat 10:00").await.gets("open");
}

#[wxbot_plugin::test(settings = json!({ "tz": "Europe/Berlin", "rules": [
    { "any": true, "hours": "01:00-02:00", "reply": "{{ date }} {{ time }} {{ hour }} {{ weekday }}" },
] }))]
async fn hours_are_of_the_time_zone(bot: Kit<AutoReply>) {
    let alice = bot.user("alice");
    alice.say("x").await.gets("2026-01-01 01:00 1 4");
    bot.advance(HOUR).await;
    alice.say("x").await.gets_nothing();
}

#[wxbot_plugin::test(settings = json!({ "cooldown": "5s", "person_cooldown": "1min", "rules": [
    { "exact": "own", "cooldown": "0s", "person_cooldown": "10s", "reply": "own" },
    { "any": true, "reply": "x" },
] }))]
async fn cooldowns_per_chat_and_per_person(bot: Kit<AutoReply>) {
    let (alice, bob) = (bot.user("alice"), bot.user("bob"));
    let (tea, work) = (bot.room("茶", [&alice, &bob]), bot.room("工作", [&alice, &bob]));
    alice.in_room(&tea).say("a").await.gets("x");
    // The chat rests for everybody, the person everywhere.
    bob.in_room(&tea).say("b").await.gets_nothing();
    alice.in_room(&work).say("a").await.gets_nothing();
    alice.say("a").await.gets_nothing();
    bob.in_room(&work).say("b").await.gets("x");
    // A rule's own silence neither starts nor heeds the common one.
    alice.say("own").await.gets("own");
    alice.in_room(&tea).say("own").await.gets_nothing();
    bot.advance(Duration::from_secs(10)).await;
    alice.in_room(&tea).say("own").await.gets("own");
    alice.in_room(&tea).say("a").await.gets_nothing();
    bot.advance(Duration::from_secs(50)).await;
    alice.in_room(&tea).say("a").await.gets("x");
    bot.restart().await.unwrap();
    alice.in_room(&work).say("a").await.gets_nothing();
}

/// What others wrote, and what only looks like a text, triggers nothing.
#[wxbot_plugin::test(settings = json!({ "rules": [{ "contains": "hi", "reply": "x" }] }))]
async fn sec_r27_only_typed_texts_trigger(bot: Kit<AutoReply>) {
    let alice = bot.user("alice");
    let quote = Quote { text: "hi".into(), ..Quote::default() };
    alice.sends(Content::Quote(quote)).await.gets_nothing();
    alice.sends(Content::System { text: "hi".into() }).await.gets_nothing();
    alice.sends(Content::Card(Card::default())).await.gets_nothing();
    let record = ChatRecord { title: "hi".into(), ..ChatRecord::default() };
    alice.sends(Content::ChatRecord(record)).await.gets_nothing();
    alice.sends_image(b"hi".to_vec()).await.gets_nothing();
    alice.say("hi").await.gets("x");
}
