//! Does the assistant do what it says? Each part of the test kit once.

use std::time::Duration;

use serde_json::json;
use wxbot_plugin::testing::Kit;

use super::*;

#[wxbot_plugin::test(settings = json!({ "notes": 2 }))]
async fn notes_are_kept_for_each_chat(bot: Kit<Assistant>) {
    let (alice, bob) = (bot.user("alice"), bot.user("bob"));
    let room = bot.room("买菜群", [&alice, &bob]);
    alice.in_room(&room).say("记 牛奶").await.gets("好的!记下了,共 1 条 —— 小助手");
    bob.in_room(&room).say("/note 两斤 苹果").await.gets_containing("共 2 条");
    bob.in_room(&room).say("记 梨").await.gets("已经有 2 条了,先「清空」吧");
    bot.restart().await.unwrap();
    alice.in_room(&room).say("清单").await.gets("1. 牛奶\n2. 两斤 苹果");
    alice.in_room(&room).say("清单").await.gets_nothing();
    alice.say("清单").await.gets("还没有记什么");
    assert_eq!(bot.kv_keys(), ["notes"]);
}

#[wxbot_plugin::test]
async fn only_admins_clear_and_are_asked_first(bot: Kit<Assistant>) {
    let (alice, bob) = (bot.user("alice"), bot.user("bob"));
    let room = bot.room("team", [&alice, &bob]);
    let (alice, bob) = (alice.in_room(&room), bob.in_room(&room));
    alice.say("记 a").await.gets_containing("共 1 条");
    bob.say("清空").await.replies();
    alice.is(Role::GroupAdmin);
    alice.say("清空").await.gets_containing("真的");
    bob.say("记 b").await.gets_containing("共 2 条");
    alice.say("否").await.gets("那就留着");
    alice.say("清空").await.gets_containing("真的");
    alice.say("是").await.gets("清空了");
    bob.say("清单").await.gets("还没有记什么");
}

#[wxbot_plugin::test(settings = json!({ "tone": "terse", "longest": "1h" }))]
async fn reminders_ask_for_what_is_missing_and_ring_in_order(bot: Kit<Assistant>) {
    let (alice, bob) = (bot.user("alice"), bot.user("bob"));
    alice.say("提醒 10m 开会").await.gets("10min后提醒");
    bob.say("提醒").await.gets("多久以后?比如 10m");
    bob.say("很久").await.gets_containing("多久以后?比如 10m");
    bob.say("5m").await.gets("提醒什么?");
    bob.say("喝水").await.gets("5min后提醒");
    alice.say("提醒 2h 睡觉").await.gets("只能是 5s 到 1h 以后");
    bot.restart().await.unwrap();
    bot.advance(Duration::from_secs(300)).await.gets("⏰ 喝水");
    bot.advance(Duration::from_secs(300)).await.gets("⏰ 开会");
    alice.hears().gets("⏰ 开会");
    bob.hears().gets("⏰ 喝水");
    assert!(bot.timers().is_empty());
}

#[wxbot_plugin::test]
async fn a_question_that_nobody_answers_is_dropped(bot: Kit<Assistant>) {
    let alice = bot.user("alice");
    alice.say("提醒").await.gets_containing("多久以后");
    bot.advance(Duration::from_secs(121)).await.gets_nothing();
    alice.say("5m").await.gets_nothing();
    alice.say("提醒").await.gets_containing("多久以后");
    bot.restart().await.unwrap();
    alice
        .say("清单")
        .await
        .gets_each(["刚才的对话中断了,请重新开始 (the dialog was interrupted; please start again)", "还没有记什么"]);
}

#[wxbot_plugin::test(settings = json!({ "room": "r101" }))]
async fn the_morning_list_goes_to_the_room(bot: Kit<Assistant>) {
    let alice = bot.user("alice");
    let room = bot.room("team", [&alice]);
    alice.in_room(&room).say("记 发版").await.gets_containing("共 1 条");
    bot.fires("morning").await.gets("早上好!\n1. 发版");
    room.hears().gets_containing("发版");
}

#[wxbot_plugin::test]
async fn pictures_come_back_as_files(bot: Kit<Assistant>) {
    let alice = bot.user("alice");
    let heard = alice.sends_image(*b"\x89PNG\r\n\x1a\n....").await;
    assert_eq!(heard.replies(), ["image/png, 12 字节,原图给你:"]);
    assert_eq!(bot.sent_media()[0].shape, MediaShape::File);
    alice.in_room(&bot.room("team", [&alice])).sends_image("GIF89a").await.gets_nothing();
}

#[wxbot_plugin::test]
async fn a_crash_repeats_the_handler_and_not_its_effects(bot: Kit<Assistant>) {
    let alice = bot.user("alice");
    bot.crash_before_commit();
    alice.say("记 一次").await.gets_containing("共 1 条");
    alice.say("清单").await.gets("1. 一次");
}

#[wxbot_plugin::test(env = [("ASSISTANT_NAME", "阿福")])]
async fn its_name_may_come_from_the_environment(bot: Kit<Assistant>) {
    bot.user("alice").say("记 a").await.gets_containing("阿福");
}

#[test]
fn wrong_settings_are_told_all_at_once() {
    let settings = json!({ "notes": 0, "tone": "freindly", "longest": "60d", "rom": "r1" });
    let problems = Settings::read(&settings, &Place::default()).unwrap_err();
    let told: Vec<_> = problems.iter().map(|problem| (&*problem.pointer, &*problem.message)).collect();
    assert_eq!(
        told,
        [
            ("/tone", "`tone` cannot be `freindly`"),
            ("/notes", "`notes` must be at least 1 and at most 100, not 0"),
            ("/longest", "`longest` must be at most 30d, not 60d"),
            ("/rom", "there is no setting `rom`"),
        ]
    );
    let settings = json!({ "shortest": "2h", "longest": "1h" });
    assert_eq!(Settings::read(&settings, &Place::default()).unwrap_err()[0].pointer, "/shortest");
}
