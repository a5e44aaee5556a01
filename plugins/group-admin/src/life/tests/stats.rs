//! Who speaks how much, and what does counting cost?

use super::*;

#[wxbot_plugin::test(settings = json!({ "stats": {} }))]
async fn messages_are_counted_and_ranked(bot: Kit<GroupAdmin>) {
    let (alice, bob) = (bot.user("alice"), bot.user("bob"));
    let room = bot.room("群", [&alice, &bob]);
    let (alice, bob) = (alice.in_room(&room), bob.in_room(&room));
    for _ in 0..3 {
        alice.say("hi").await.gets_nothing();
    }
    bob.sends_image("GIF89a").await.gets_nothing();
    bob.say("排行").await.gets("本周发言排行(2 人,4 条)\n1. alice 3 条\n2. bob 1 条");
    bot.advance(Duration::from_secs(5)).await.gets_nothing();
    bob.say("top all").await.gets("累计发言排行(2 人,5 条)\n1. alice 3 条\n2. bob 2 条");
    alice.say("我的").await.gets("alice: 今日 3 条,本周 3 条,累计 3 条,本周第 1 名");
    alice.say("我的 天啊").await.gets_nothing();
    bot.advance(days(1)).await.gets_nothing();
    bot.restart().await.unwrap();
    alice.say("我的").await.gets("alice: 今日 0 条,本周 5 条,累计 5 条,本周第 1 名");
    bot.advance(days(9)).await.gets_nothing();
    bob.say("排行 日").await.gets("今日还没有人发言");
    bot.advance(days(1)).await.gets_nothing();
    bob.say("排行 年").await.gets_containing("用法: 排行");
    bot.advance(days(1)).await.gets_nothing();
    bob.say("top of the morning").await.gets_nothing();
}

#[wxbot_plugin::test(settings = json!({ "stats": { "silent_days": 7 }, "welcome": { "delay": "0s", "mention": false } }))]
async fn silent_members_are_listed_for_admins(bot: Kit<GroupAdmin>) {
    let (alice, bob) = (bot.user("alice"), bot.user("bob"));
    let room = bot.room("群", [&alice, &bob]);
    stranger(&bot, &room, "从不说话");
    let (alice, bob) = (alice.in_room(&room), bob.in_room(&room));
    alice.say("潜水").await.replies();
    alice.is(Role::GroupAdmin);
    bob.say("hi").await.gets_nothing();
    bot.advance(days(8)).await.gets_nothing();
    stranger(&bot, &room, "新来的");
    happens(&bot, &room, joined(&["新来的"])).await.gets_containing("欢迎");
    alice.say("潜水").await.gets("7 天未发言: 2 / 4 人(统计始于 2026-01-01)\nbob 8 天\n从不说话 从未发言");
    alice.say("潜水 9").await.gets("9 天未发言: 1 / 4 人(统计始于 2026-01-01)\n从不说话 从未发言");
    alice.say("silent 0").await.gets_containing("1 到 3650");
    alice.say("潜水 多久").await.gets_containing("用法");
}

#[wxbot_plugin::test(settings = json!({ "stats": {} }))]
async fn what_the_service_and_we_say_counts_for_nobody(bot: Kit<GroupAdmin>) {
    let alice = bot.user("alice");
    let room = bot.room("群", [&alice]);
    let alice = alice.in_room(&room);
    alice.sends(Content::System { text: "hi".into() }).await.gets_nothing();
    let id = "7".parse().unwrap();
    let own =
        Message { id, from_self: true, content: Content::Text { text: "hi".into() }, mentions: Mentions::default() };
    alice.does(EventKind::Message(own)).await.gets_nothing();
    assert!(bot.kv_keys().is_empty());
    bot.crash_before_commit();
    alice.say("once").await.gets_nothing();
    alice.say("我的").await.gets_containing("累计 1 条");
}

#[wxbot_plugin::test(settings = json!({ "stats": {}, "polls": {}, "checkin": {}, "rules": { "text": "r" }, "welcome": {} }))]
async fn a_storm_of_a_thousand_messages_writes_one_small_value_each(mut bot: Kit<GroupAdmin>) {
    let (mut values, mut bytes, mut longest) = (0, 0, 0);
    for n in 0..1_000 {
        let event = bot.text_event(&format!("p{}", 1_000 + n % 50), Some("r1"), &format!("消息 {n}"));
        for effect in bot.effects(&event).await.unwrap().iter() {
            let wxbot_plugin::Effect::Put { key, value } = effect else {
                panic!("only values are written: {effect:?}")
            };
            let length = key.len() + value.to_string().len();
            (values, bytes, longest) = (values + 1, bytes + length, longest.max(length));
        }
        assert!(bot.handle(&event).await.unwrap().is_empty());
        bot.advance_ms(10);
    }
    assert_eq!(values, 1_000, "one for each message");
    assert!(longest <= 90, "{longest} bytes");
    println!("{} bytes written for 1,000 messages, {longest} at most", bytes);
    assert_eq!(bot.kv_keys().len(), 50, "one value for each member who spoke");
    assert!(bot.timers().is_empty());
}
