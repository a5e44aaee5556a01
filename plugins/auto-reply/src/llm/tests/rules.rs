//! When does a rule ask the model, and with what?

use serde_json::{Value, json};
use wxbot_plugin::PluginConfig as _;
use wxbot_plugin::prelude::*;
use wxbot_plugin::testing::Kit;

use super::fake::{Fake, say};
use super::talk::with;
use crate::{AutoReply, Settings};

/// The plugin with these rules, and the endpoint that it asks.
async fn kit(settings: Value) -> (Kit<AutoReply>, std::sync::Arc<Fake>) {
    let fake = Fake::new();
    let url = fake.listen().await;
    let mut settings = settings;
    settings["llm"] = with(json!({ "endpoint": url, "retries": 0, "history_tokens": 500 }));
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
