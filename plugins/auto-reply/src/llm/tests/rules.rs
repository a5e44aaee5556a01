//! When does a rule ask the model, and with what?

use serde_json::{Value, json};
use wxbot_plugin::PluginConfig as _;
use wxbot_plugin::prelude::*;
use wxbot_plugin::testing::Kit;

use super::fake::{Fake, error, say};
use super::talk::with;
use crate::{AutoReply, Settings};

/// The plugin with these rules, and the endpoint that it asks.
async fn kit(settings: Value) -> (Kit<AutoReply>, std::sync::Arc<Fake>) {
    let fake = Fake::new();
    let url = fake.listen().await;
    let mut settings = settings;
    let mut llm = with(json!({ "endpoint": url, "retries": 0, "history_tokens": 500 }));
    for (key, value) in settings["llm"].as_object().into_iter().flatten() {
        llm[key] = value.clone();
    }
    settings["llm"] = llm;
    (Kit::start(settings).await.unwrap(), fake)
}

/// What the model was told: its system prompt and the last text.
fn told(fake: &Fake) -> (String, String) {
    let seen = fake.seen();
    let [seen] = seen.as_slice() else { panic!("{} requests", seen.len()) };
    let messages = seen.body["messages"].as_array().unwrap();
    let content = |message: Option<&Value>| message.unwrap()["content"].as_str().unwrap().to_owned();
    (content(messages.first()), content(messages.last()))
}

#[tokio::test]
async fn a_fallback_rule_asks_the_model() {
    let (bot, fake) = kit(json!({ "rules": [
        { "exact": "价格", "reply": "8 元" },
        { "contains": "退货", "model": "你是售后客服。" },
        { "any": true, "in": "private", "model": true },
        { "any": true, "at_me": true, "mention": true, "model": true },
    ] }))
    .await;
    let alice = bot.user("alice");
    alice.say("价格").await.gets("8 元");
    fake.will([say(&["你好", "!"])]);
    alice.say("在吗").await.gets("你好!");
    assert_eq!(told(&fake), ("S".to_owned(), "在吗".to_owned()));
    fake.will([say(&["好的"])]);
    alice.say("我要退货").await.gets("好的");
    assert_eq!(told(&fake).0, "你是售后客服。");

    let room = bot.room("茶", [&alice]);
    alice.in_room(&room).say("在吗").await.gets_nothing();
    fake.will([say(&["在"])]);
    alice.in_room(&room).at_me("在吗").await.gets("在");
    assert!(told(&fake).1.ends_with("在吗"), "without the mention");
}

#[tokio::test]
async fn a_rule_that_rests_asks_nobody() {
    let (bot, fake) =
        kit(json!({ "cooldown": "1h", "rules": [{ "any": true, "answers": [{ "model": true }] }] })).await;
    let alice = bot.user("alice");
    fake.will([say(&["1"])]);
    alice.say("a").await.gets("1");
    alice.say("b").await.gets_nothing();
    assert_eq!(fake.seen().len(), 1);
}

/// An excuse is no answer, and neither is silence: the person tries again, and the rule does not rest.
#[tokio::test]
async fn only_an_answer_begins_a_rest() {
    for (fallback, used_up) in [("F", "U"), ("", "")] {
        let (bot, fake) = kit(json!({
            "cooldown": "1h", "person_cooldown": "1h",
            "llm": { "fallback": fallback, "used_up": used_up, "per_sender_per_day": 2 },
            "rules": [{ "any": true, "model": true }],
        }))
        .await;
        let (alice, bob) = (bot.user("alice"), bot.user("bob"));
        fake.will([error(401, "x"), say(&["1"])]);
        assert_eq!(alice.say("a").await.replies().concat(), fallback);
        alice.say("b").await.gets("1");
        alice.say("c").await.gets_nothing();
        assert_eq!(
            bot.kv_keys(),
            ["cooldown-person:p101", "cooldown:p101", "llm:chat:p101", "llm:day", "llm:from:p101"]
        );
        fake.will([error(500, "x"), error(500, "x")]);
        bob.say("a").await;
        bob.say("b").await;
        assert_eq!(bob.say("c").await.replies().concat(), used_up);
        assert!(!bot.kv_keys().contains(&"cooldown:p102".to_owned()), "{fallback}");
        fake.seen();
    }
}

#[tokio::test]
async fn reset_is_heard_where_a_model_answers_and_behind_a_prefix() {
    let (bot, fake) = kit(json!({ "rules": [
        { "any": true, "rooms": "r101", "at_me": true, "model": true },
        { "any": true, "reply": "rule" },
    ] }))
    .await;
    let (alice, admin) = (bot.user("alice"), bot.user("admin"));
    let (tea, work) = (bot.room("茶", [&alice, &admin]), bot.room("工作", [&alice]));
    admin.in_room(&tea).is(Role::GroupAdmin);
    // No model answers there, so that these are words like others.
    alice.in_room(&work).say("/reset").await.gets("rule");
    alice.say("/reset").await.gets("rule");
    alice.in_room(&tea).say("/reset").await.gets("rule");
    fake.will([say(&["1"])]);
    alice.in_room(&tea).at_me("a").await.gets("1");
    alice.in_room(&tea).say("reset").await.gets("rule");
    alice.in_room(&tea).say("重置对话").await.gets("rule");
    alice.in_room(&tea).say("/reset").await.gets_containing("群管理员");
    admin.in_room(&tea).say("\u{FF0F}reset").await.gets_containing("重新开始");
    assert!(!bot.kv_keys().iter().any(|key| key.starts_with("llm:chat:")));
    fake.seen();
}

#[tokio::test]
async fn conversations_and_counts_do_not_stay_for_ever() {
    let (bot, fake) = kit(json!({ "llm": { "history_for": "1h" }, "rules": [{ "any": true, "model": true }] })).await;
    let (alice, bob) = (bot.user("alice"), bot.user("bob"));
    fake.will([say(&["1"]), say(&["2"])]);
    alice.say("a").await.gets("1");
    bot.advance_ms(86_400_000);
    bob.say("b").await.gets("2");
    bot.fires("tidy").await.gets_nothing();
    assert_eq!(bot.kv_keys(), ["llm:chat:p102", "llm:day", "llm:from:p102"]);
    bot.advance_ms(3_600_000);
    bot.fires("tidy").await.gets_nothing();
    assert_eq!(bot.kv_keys(), ["llm:day", "llm:from:p102"]);
    fake.seen();
}

#[tokio::test]
async fn reset_is_a_command_and_the_away_text_comes_first() {
    let (bot, fake) = kit(json!({
        "away": { "text": "away", "hours": "00:00-24:00" },
        "rules": [{ "any": true, "model": true }],
    }))
    .await;
    let alice = bot.user("alice");
    fake.will([say(&["1"]), say(&["2"]), say(&["3"])]);
    alice.say("a").await.gets_each(["away", "1"]);
    alice.say("b").await.gets("2");
    assert!(alice.say("\u{FF0F}Reset").await.gets_containing("重新开始").is_blocked());
    alice.say("c").await.gets("3");
    let seen = fake.seen();
    let lengths: Vec<usize> = seen.iter().map(|seen| seen.body["messages"].as_array().unwrap().len()).collect();
    assert_eq!(lengths, [2, 4, 2], "system, history, question");
}

/// What a model writes is a text, also where a person's would be a command or a template.
#[tokio::test]
async fn sec_r33_what_a_model_says_is_only_said() {
    let (bot, fake) = kit(json!({
        "away": { "text": "away" },
        "rules": [{ "any": true, "model": true }],
    }))
    .await;
    let owner = bot.user("boss");
    owner.is(Role::Owner);
    fake.will([say(&["/away {{ account }} kick everyone"])]);
    owner.say("say it").await.gets("/away {{ account }} kick everyone");
    assert!(bot.acted().is_empty());
    fake.will([say(&["x"])]);
    bot.user("alice").say("x").await.gets("x");
}

#[test]
fn a_model_must_be_set_and_settings_are_read_below_their_table() {
    let problems = |settings: Value| {
        let problems = Settings::read(&settings, &Place::default()).unwrap_err();
        problems.into_iter().map(|problem| (problem.pointer, problem.message)).collect::<Vec<_>>()
    };
    let wrong = problems(json!({ "llm": { "model": "m" }, "rules": [{ "any": true, "model": true }] }));
    assert_eq!(wrong, [("/llm/endpoint".to_owned(), "`endpoint` is missing".to_owned())]);
    let wrong = problems(json!({ "rules": [{ "any": true, "answers": ["x", { "model": true }] }] }));
    assert_eq!(wrong[0].1, "this rule answers by a language model, and none is set");
    let wrong = problems(json!({ "llm": with(json!({})), "rules": [{ "any": true, "model": " " }] }));
    assert_eq!(wrong, [("/rules/0/model".to_owned(), "`model` is empty".to_owned())]);
    let good = json!({ "llm": with(json!({})), "rules": [{ "any": true, "model": true }] });
    let features = AutoReply::plan(&Settings::read(&good, &Place::default()).unwrap()).features;
    assert_eq!(features.iter().map(|feature| &*feature.name).collect::<Vec<_>>(), ["answers of a model"]);
}
