//! What hears whoever writes while nobody is there?

use std::time::Duration;

use serde_json::json;
use wxbot_auto_reply::AutoReply;
use wxbot_plugin::Role;
use wxbot_plugin::model::Content;
use wxbot_plugin::testing::Kit;

const HOUR: Duration = Duration::from_secs(3600);
const TEXT: &str = "away {{ note }}";

#[wxbot_plugin::test(settings = json!({
    "away": { "text": "{{ sender }}: 下班了", "hours": "18:00-09:00", "every": "4h" },
    "rules": [{ "exact": "价格", "reply": "8 元" }],
}))]
async fn by_hours_once_per_person_and_period(bot: Kit<AutoReply>) {
    let (alice, bob) = (bot.user("alice"), bot.user("bob"));
    // 08:00: nobody is there yet. The rules answer all the same, behind it.
    alice.say("价格").await.gets_each(["alice: 下班了", "8 元"]);
    alice.say("价格").await.gets("8 元");
    alice.say("在吗").await.gets_nothing();
    bob.sends_image(b"x".to_vec()).await.gets("bob: 下班了");
    bob.sends(Content::System { text: "x".into() }).await.gets_nothing();
    bot.advance(HOUR).await;
    bot.user("carol").say("在吗").await.gets_nothing();
    bot.advance(9 * HOUR).await;
    alice.say("在吗").await.gets("alice: 下班了");
    bot.advance(4 * HOUR - Duration::from_secs(1)).await;
    alice.say("在吗").await.gets_nothing();
    bot.advance(Duration::from_secs(1)).await;
    alice.say("在吗").await.gets("alice: 下班了");
}

#[wxbot_plugin::test(settings = json!({ "away": { "text": TEXT, "at_me": true, "rules": false }, "rules": [
    { "any": true, "reply": "rule" },
] }))]
async fn by_the_owners_command_until_back(bot: Kit<AutoReply>) {
    let (owner, alice) = (bot.user("boss"), bot.user("alice"));
    owner.is(Role::Owner);
    alice.say("x").await.gets("rule");
    owner.say("/back").await.gets("你没有设为离开 (you were not away)");
    owner.say("/away 周一回来").await.gets_containing("你不在");
    alice.say("x").await.gets("away 周一回来");
    alice.say("x").await.gets_nothing();
    bot.restart().await.unwrap();
    alice.say("x").await.gets_nothing();
    let room = bot.room("茶", [&alice, &owner]);
    let carol = bot.user("carol").in_room(&room);
    carol.say("x").await.gets_nothing();
    carol.at_me("x").await.gets("away 周一回来");
    owner.say("\u{FF0F}回来").await.gets("欢迎回来 (welcome back)");
    alice.say("x").await.gets("rule");
    // Away anew: everybody is told anew.
    bot.advance(HOUR).await;
    assert!(owner.say("离开").await.gets_containing("你不在").is_blocked());
    alice.say("x").await.gets("away");
}

#[wxbot_plugin::test(settings = json!({ "away": { "text": "away", "hours": "00:00-12:00" } }))]
async fn back_holds_until_the_hours_end(bot: Kit<AutoReply>) {
    let (owner, alice) = (bot.user("boss"), bot.user("alice"));
    owner.is(Role::Owner);
    owner.say("/back").await.gets_containing("欢迎回来");
    alice.say("x").await.gets_nothing();
    bot.advance(15 * HOUR).await;
    alice.say("23:00").await.gets_nothing();
    bot.advance(HOUR).await;
    alice.say("00:00").await.gets("away");
}

#[wxbot_plugin::test(settings = json!({ "away": { "text": "away" }, "rules": [{ "exact": "/away", "reply": "rule" }] }))]
async fn sec_r26_only_the_owner_switches_it(bot: Kit<AutoReply>) {
    let (admin, alice, owner) = (bot.user("admin"), bot.user("boss "), bot.user("boss"));
    admin.is(Role::Admin);
    owner.is(Role::Owner);
    alice.say("/away").await.gets("rule");
    admin.say("/away").await.gets("rule");
    let quote = wxbot_plugin::model::Quote { text: "/away".into(), ..Default::default() };
    owner.sends(Content::Quote(quote)).await.gets_nothing();
    alice.say("x").await.gets_nothing();
    assert_eq!(bot.kv_keys(), Vec::<String>::new());
}

/// A person who writes in two chats at the same moment is told once: the second commit finds that the first was there.
#[wxbot_plugin::test(settings = json!({ "away": { "text": "away", "hours": "00:00-24:00", "at_me": true } }))]
async fn told_once_over_all_chats(bot: Kit<AutoReply>) {
    let alice = bot.user("alice");
    let room = bot.room("茶", [&alice]);
    alice.say("x").await.gets("away");
    alice.in_room(&room).at_me("x").await.gets_nothing();
    // A value of another version is no reason to fail.
    bot.set_kv("away", &json!({ "since": "yesterday" })).unwrap();
    bot.set_kv("away:p101", &json!("x")).unwrap();
    alice.say("x").await.gets("away");
}

/// What the owner says to others is no command.
#[wxbot_plugin::test(settings = json!({ "away": { "text": "away" } }))]
async fn words_among_people_are_no_commands(bot: Kit<AutoReply>) {
    let (owner, alice) = (bot.user("boss"), bot.user("alice"));
    owner.is(Role::Owner);
    let room = bot.room("茶", [&owner, &alice]);
    let there = owner.in_room(&room);
    for text in ["away", "离开", "away for lunch"] {
        there.say(text).await.gets_nothing();
    }
    alice.say("x").await.gets_nothing();
    there.say("\u{FF0F}离开 吃饭").await.gets_containing("你不在");
    for text in ["back soon!", "back", "回来"] {
        there.say(text).await.gets_nothing();
        there.at_me(text).await.gets_nothing();
    }
    owner.say("back soon!").await.gets("away");
    alice.say("x").await.gets("away");
    owner.say("回来").await.gets_containing("欢迎回来");
}

/// The clock of the machine was ahead when the owner left, and when the owner came back.
#[wxbot_plugin::test(settings = json!({ "away": { "text": "away", "hours": "20:00-12:00" } }))]
async fn a_clock_that_is_set_back_tells_nobody_twice(bot: Kit<AutoReply>) {
    let (owner, alice) = (bot.user("boss"), bot.user("alice"));
    owner.is(Role::Owner);
    owner.say("/back").await.gets_containing("欢迎回来");
    alice.say("x").await.gets_nothing();
    bot.advance_ms(-86_400_000);
    alice.say("x").await.gets("away");
    owner.say("/away").await.gets_containing("你不在");
    bot.advance_ms(-86_400_000);
    alice.say("x").await.gets("away");
    alice.say("x").await.gets_nothing();
    bot.advance(7 * HOUR).await;
    alice.say("x").await.gets("away");
    alice.say("x").await.gets_nothing();
}
