//! How does a room vote?

use super::*;

#[wxbot_plugin::test(settings = json!({ "polls": {} }))]
async fn a_poll_from_its_question_to_its_result(bot: Kit<GroupAdmin>) {
    let (alice, bob, carol) = (bot.user("alice"), bot.user("bob"), bot.user("carol"));
    let room = bot.room("群", [&alice, &bob, &carol]);
    let (alice, bob, carol) = (alice.in_room(&room), bob.in_room(&room), carol.in_room(&room));
    alice
        .say("投票 午饭 | 面 | 饭 | 10m")
        .await
        .gets("📊 alice 发起投票: 午饭\n1. 面\n2. 饭\n回复数字投票,可以改,10 分钟后截止");
    alice.say("1").await.gets("alice 投了「面」,共 1 票");
    bob.say("２").await.gets_nothing();
    carol.say("投 2").await.gets("carol 投了「饭」,共 3 票");
    carol.say("投 2").await.gets_nothing();
    bot.advance(Duration::from_secs(3)).await;
    carol.say("投 2").await.gets_containing("投过");
    carol.say("投 7").await.gets_nothing();
    bot.advance(Duration::from_secs(3)).await;
    carol.say("投 7").await.gets("请投 1 到 2 (1 to 2, please)");
    bot.advance(Duration::from_secs(3)).await;
    carol.say("投 x").await.gets_containing("用法: 投");
    carol.say("7").await.gets_nothing();
    alice.say("2").await.gets_nothing();
    bot.advance(Duration::from_secs(1)).await.gets_nothing();
    alice.say("投票").await.gets("📊 午饭\n1. 面 0 票 (0%)\n2. 饭 ██████████ 3 票 (100%)\n回复数字投票,还有 10 分钟");
    bob.say("投票 晚饭 | 面 | 饭").await.gets_containing("已有投票「午饭」");
    bot.restart().await.unwrap();
    bot.advance(minutes(10))
        .await
        .gets("📊 投票结束: 午饭\n1. 面 0 票 (0%)\n2. 饭 ██████████ 3 票 (100%)\n共 3 人投票,最多: 饭");
    room.hears().gets_containing("投票结束");
    alice.say("1").await.gets_nothing();
    alice.say("投 1").await.gets_containing("现在没有投票");
    assert!(bot.kv_keys().is_empty() && bot.timers().is_empty());
}

#[wxbot_plugin::test(settings = json!({ "polls": { "duration": "1h" } }))]
async fn only_whoever_opened_it_or_an_admin_closes_it(bot: Kit<GroupAdmin>) {
    let (alice, bob) = (bot.user("alice"), bot.user("bob"));
    let room = bot.room("群", [&alice, &bob]);
    let (alice, bob) = (alice.in_room(&room), bob.in_room(&room));
    alice.say("投票 午饭 | 面 | 饭").await.gets_containing("1 小时后截止");
    bob.say("结束投票").await.gets_containing("只有发起人和管理员");
    alice.say("结束投票").await.gets_containing("没有人投票");
    bot.advance(Duration::from_secs(3)).await.gets_nothing();
    alice.say("投票 晚饭 | 面 | 饭").await.gets_containing("晚饭");
    bob.is(Role::GroupAdmin);
    bob.say("结束投票").await.gets_containing("投票结束: 晚饭");
    assert!(bot.timers().is_empty());
    bot.advance(minutes(120)).await.gets_nothing();
}

#[wxbot_plugin::test(settings = json!({ "polls": {} }))]
async fn polls_of_rooms_are_apart_and_a_late_timer_counts_no_more_votes(bot: Kit<GroupAdmin>) {
    let alice = bot.user("alice");
    let (one, two) = (bot.room("一", [&alice]), bot.room("二", [&alice]));
    alice.in_room(&one).say("投票 a | x | y | 1m").await.gets_containing("a");
    alice.in_room(&two).say("1").await.gets_nothing();
    alice.in_room(&two).say("投票 b | x | y").await.gets_containing("b");
    // The clock goes on while the bot is busy: the timer has not fired yet.
    bot.advance_ms(61_000);
    alice.in_room(&one).say("投 1").await.gets_containing("现在没有投票");
    bot.advance(Duration::from_secs(0)).await.gets_containing("没有人投票");
    alice.say("投票 a | x | y").await.gets_nothing();
}

#[wxbot_plugin::test(settings = json!({ "polls": { "allow": "group-admin" } }))]
async fn who_may_open_polls_can_be_set(bot: Kit<GroupAdmin>) {
    let alice = bot.user("alice");
    let room = bot.room("群", [&alice]);
    let alice = alice.in_room(&room);
    alice.say("投票 午饭 | 面 | 饭").await.gets_containing("只有群管理员可以");
    bot.advance(Duration::from_secs(3)).await.gets_nothing();
    alice.is(Role::GroupAdmin);
    alice.say("投票 午饭 | 面 | 饭").await.gets_containing("午饭");
}

#[wxbot_plugin::test(settings = json!({ "polls": {} }))]
async fn bad_polls_are_refused_shortly(bot: Kit<GroupAdmin>) {
    let alice = bot.user("alice");
    let room = bot.room("群", [&alice]);
    let alice = alice.in_room(&room);
    for (text, why) in [
        (format!("投票 t{}", " | x".repeat(100)), "100 个选项太多"),
        (format!("投票 {} | a | b", "长".repeat(3_400)), "标题太长"),
        ("投票 只有标题".to_owned(), "两个选项"),
        ("投票 t | a | A".to_owned(), "重复"),
        ("投票 t | a | b | 99d".to_owned(), "投票时间"),
    ] {
        alice.say(&text).await.gets_containing(why);
        bot.advance(Duration::from_secs(3)).await.gets_nothing();
    }
    alice
        .say("投票 {{ name }} | {% raw %} | @所有人\u{2005}x")
        .await
        .gets("📊 alice 发起投票: {{ name }}\n1. {% raw %}\n2. ＠所有人 x\n回复数字投票,可以改,1 小时后截止");
}

#[wxbot_plugin::test(settings = json!({ "polls": {} }))]
async fn a_crash_counts_no_vote_twice(bot: Kit<GroupAdmin>) {
    let alice = bot.user("alice");
    let room = bot.room("群", [&alice]);
    let alice = alice.in_room(&room);
    bot.crash_before_commit();
    alice.say("投票 t | a | b").await.gets_containing("发起投票");
    bot.crash_before_commit();
    alice.say("投 1").await.gets("alice 投了「a」,共 1 票");
}

#[wxbot_plugin::test(settings = json!({ "mode": "shadow", "polls": {}, "checkin": {}, "stats": {}, "rules": { "text": "r" } }))]
async fn in_shadow_mode_the_room_hears_nothing(bot: Kit<GroupAdmin>) {
    let alice = bot.user("alice");
    let room = bot.room("群", [&alice]);
    let alice = alice.in_room(&room);
    let texts = ["投票 t | a | b", "1", "投 x", "结束投票", "签到", "签到榜", "排行", "我的", "群规", "投票 坏的"];
    for text in texts {
        assert!(!alice.say(text).await.gets_nothing().is_blocked(), "{text}");
    }
    assert!(bot.acted().is_empty());
    assert!(bot.kv::<serde_json::Value>("count:r101:p101").unwrap().is_some(), "counted all the same");
    alice.is(Role::GroupAdmin);
    alice.say("潜水").await.gets_containing("大家都发过言");
}

#[wxbot_plugin::test(settings = json!({ "polls": {}, "checkin": {}, "rules": { "text": "r" } }))]
async fn quotes_and_our_own_messages_trigger_nothing(bot: Kit<GroupAdmin>) {
    let alice = bot.user("alice");
    let room = bot.room("群", [&alice]);
    let alice = alice.in_room(&room);
    alice.say("投票 t | a | b").await.gets_containing("发起投票");
    for text in ["1", "投 1", "签到", "群规", "结束投票"] {
        let quote = Quote { text: text.into(), quoted: wxbot_plugin::model::content::Quoted::default() };
        alice.sends(Content::Quote(quote)).await.gets_nothing();
        let (id, content) = ("7".parse().unwrap(), Content::Text { text: text.into() });
        let own = Message { id, from_self: true, content, mentions: Mentions::default() };
        alice.does(EventKind::Message(own)).await.gets_nothing();
    }
    bot.advance(Duration::from_secs(3)).await.gets_nothing();
    alice.say("投票").await.gets_containing("1. a 0 票 (0%)");
}

#[wxbot_plugin::test(settings = json!({ "polls": {} }))]
async fn the_timer_of_another_poll_closes_nothing(bot: Kit<GroupAdmin>) {
    let alice = bot.user("alice");
    let room = bot.room("群", [&alice]);
    let alice = alice.in_room(&room);
    alice.say("投票 t | a | b").await.gets_containing("发起投票");
    let (plugin, name, payload) = ("group-admin".to_owned(), "poll:r101".to_owned(), json!({ "id": "77" }));
    alice.does(EventKind::Timer { plugin, name, payload, due_ms: bot.now_ms() }).await.gets_nothing();
    bot.advance(Duration::from_secs(3)).await.gets_nothing();
    alice.say("投票").await.gets_containing("📊 t");
}

#[wxbot_plugin::test(settings = json!({ "polls": {} }))]
async fn a_poll_whose_timer_was_lost_is_none(bot: Kit<GroupAdmin>) {
    let alice = bot.user("alice");
    let room = bot.room("群", [&alice]);
    let alice = alice.in_room(&room);
    // As it is left behind where the plugin was silenced when its timer was due.
    let lost = || {
        let poll = json!({ "id": "7", "title": "旧", "options": ["a", "b"], "by": "p900", "until_ms": bot.now_ms(), "votes": {} });
        bot.set_kv("poll:r101", &poll).unwrap();
    };
    lost();
    alice.say("投票 新 | 面 | 饭").await.gets_each([
        "📊 投票结束: 旧\n1. a 0 票 (0%)\n2. b 0 票 (0%)\n共 0 人投票,没有人投票",
        "📊 alice 发起投票: 新\n1. 面\n2. 饭\n回复数字投票,可以改,1 小时后截止",
    ]);
    lost();
    alice.say("结束投票").await.gets_containing("投票结束: 旧");
    lost();
    bot.advance(minutes(1)).await.gets_nothing();
    assert_eq!(alice.say("投票").await.replies().len(), 2);
    bot.advance(minutes(1)).await.gets_nothing();
    alice.say("投票").await.gets_containing("现在没有投票");
}

#[wxbot_plugin::test(settings = json!({ "polls": {}, "checkin": {} }))]
async fn nobody_makes_the_bot_talk_by_repeating_a_command(bot: Kit<GroupAdmin>) {
    let alice = bot.user("alice");
    let room = bot.room("群", [&alice]);
    let alice = alice.in_room(&room);
    for text in ["签到", "投票", "投 9", "投 x", "结束投票", "投票 t", "签到榜 x", "结束投票 x"] {
        let mut answers = 0;
        for _ in 0..5 {
            answers += alice.say(text).await.replies().len();
        }
        assert!(answers <= 1, "{answers} answers to {text}");
    }
    bot.advance(Duration::from_secs(10)).await;
    alice.say("签到").await.gets_containing("今天签过了");
}
