//! How much, when, and by whom: floods, repetitions, newcomers, quiet hours, storms.

use std::time::Duration;

use serde_json::json;
use wxbot_plugin::model::{JoinedBy, MiniProgram, Noticed, Who};
use wxbot_plugin::testing::Kit;

use super::*;

fn joined(name: &str) -> EventKind {
    EventKind::MembersJoined(MembersJoined {
        names: vec![name.into()],
        me_invited: false,
        others: Vec::new(),
        inviter: Who::Me,
        by: JoinedBy::Invitation,
        notice: String::new(),
    })
}

#[wxbot_plugin::test(settings = json!({ "flood": { "messages": 3, "within": "10s" } }))]
async fn a_flood_is_warned_of_once(bot: Kit<GroupAdmin>) {
    let scene = scene(&bot);
    for n in 0..3 {
        scene.alice.say(&format!("第 {n} 句")).await.gets_nothing();
        scene.bob.say(&format!("也说 {n}")).await.gets_nothing();
    }
    // Pictures count like texts.
    scene.alice.sends_image("x").await.gets("请注意:刷屏。请遵守群规 (第 1 次)");
    for n in 0..3 {
        scene.alice.say(&format!("又 {n}")).await.gets_nothing();
    }
    bot.advance(Duration::from_secs(11)).await.gets_nothing();
    scene.alice.say("慢慢说").await.gets_nothing();
    assert_eq!(keys(&bot, "strikes").len(), 1, "bob has none");
}

#[wxbot_plugin::test(settings = json!({ "repeats": { "times": 2, "by_several": 2 } }))]
async fn the_same_again_and_again(bot: Kit<GroupAdmin>) {
    let scene = scene(&bot);
    scene.alice.say("买一送一,快来!").await.gets_nothing();
    scene.alice.say("买一送一 快来").await.gets_nothing();
    scene.alice.say("买一送一。快来。").await.gets_containing("重复发言");
    bot.advance(Duration::from_secs(120)).await;
    let sticker = || Content::Sticker { md5: "e683".into(), media: None, gesture: None };
    let dave = bot.user("dave").in_room(&scene.room);
    dave.sends(sticker()).await.gets_nothing();
    dave.sends(sticker()).await.gets_nothing();
    dave.sends(sticker()).await.gets_containing("重复发言");
    bot.advance(Duration::from_secs(120)).await;
    scene.alice.say("支持一下").await.gets_nothing();
    scene.bob.say("支持一下").await.gets_nothing();
    let carol = bot.user("carol").in_room(&scene.room);
    carol.say("支持一下").await.gets("请不要刷同样的内容");
    carol.say("支持一下").await.gets_nothing();
    assert_eq!(keys(&bot, "strikes").len(), 2, "a crowd gets no strikes");
}

#[wxbot_plugin::test(settings = json!({ "probation": { "period": "2h" } }))]
async fn newcomers_post_no_links(bot: Kit<GroupAdmin>) {
    let scene = scene(&bot);
    scene.alice.say("看 example.com").await.gets_nothing();
    scene.admin.does(joined("bob")).await.gets_nothing();
    bot.restart().await.unwrap();
    scene.bob.say("大家好").await.gets_nothing();
    scene.bob.say("看 example.com").await.gets_containing("新成员暂不能发链接");
    bot.advance(Duration::from_secs(61)).await;
    scene.bob.sends(Content::MiniProgram(MiniProgram::default())).await.gets_containing("新成员暂不能发名片和小程序");
    let written = bot.kv_keys().len();
    scene.bob.say("好的").await.gets_nothing();
    assert_eq!(bot.kv_keys().len(), written, "a clean message writes nothing");
    bot.restart().await.unwrap();
    bot.advance(Duration::from_secs(3_600)).await;
    scene.bob.say("加V看").await.gets_containing("新成员暂不能发扫码");
    bot.advance(Duration::from_secs(3_700)).await;
    scene.bob.say("看 example.com").await.gets_nothing();
}

#[wxbot_plugin::test(settings = json!({ "probation": { "period": "2h" } }))]
async fn members_of_long_standing_under_new_ids_are_no_newcomers(mut bot: Kit<GroupAdmin>) {
    let scene = scene(&bot);
    scene.alice.say("早").await.gets_nothing();
    bot.advance(Duration::from_secs(3 * 86_400)).await;
    // The next login gives strangers other ids.
    let mut again = bot.text_event("p990", Some(scene.id().as_str()), "看 example.com");
    again.sender.as_mut().unwrap().name = "alice".into();
    assert_eq!(bot.handle(&again).await.unwrap(), Vec::<String>::new());
    // Whoever came in and says nothing until the period is over is new no more.
    scene.admin.does(joined("carol")).await.gets_nothing();
    bot.advance(Duration::from_secs(2 * 3_600)).await;
    bot.user("carol").in_room(&scene.room).say("看 example.com").await.gets_nothing();
}

#[wxbot_plugin::test(settings = json!({ "probation": {} }))]
async fn newcomers_are_known_by_announcement_and_by_comparison(bot: Kit<GroupAdmin>) {
    let scene = scene(&bot);
    scene.alice.say("早").await.gets_nothing();
    let (carol, dave) = (bot.user("carol").in_room(&scene.room), bot.user("dave").in_room(&scene.room));
    scene.admin.does(joined("carol")).await.gets_nothing();
    let dave_id = dave.person().id.clone();
    let noticed = Noticed { id: Some(dave_id), name: "dave".into() };
    scene.admin.does(EventKind::MembersChanged { joined: vec![noticed], left: Vec::new() }).await.gets_nothing();
    carol.say("example.com").await.gets_containing("新成员");
    bot.advance(Duration::from_secs(11)).await;
    dave.say("example.com").await.gets_containing("新成员");
    // A newcomer who takes the name of an old member makes nobody new.
    scene.admin.does(joined("alice")).await.gets_nothing();
    bot.advance(Duration::from_secs(11)).await;
    scene.alice.say("example.com").await.gets_nothing();
}

// The kit's clock begins at 08:00 in Shanghai.
#[wxbot_plugin::test(settings = json!({ "quiet": [{ "hours": "22:00-07:00", "counts": true, "text": "嘘" }] }))]
async fn quiet_hours(bot: Kit<GroupAdmin>) {
    let scene = scene(&bot);
    scene.alice.say("早").await.gets_nothing();
    bot.advance(Duration::from_secs(14 * 3_600)).await;
    scene.alice.say("晚上好").await.gets("嘘");
    scene.bob.say("睡了吗").await.gets_containing("安静时段发言");
    scene.bob.say("睡了吗?").await.gets_nothing();
    let strikes: serde_json::Value = bot.kv(&keys(&bot, "strikes")[0]).unwrap().unwrap();
    assert_eq!(strikes["n"], 1, "once a minute");
    scene.admin.say("公告").await.gets_nothing();
    bot.restart().await.unwrap();
    bot.advance(Duration::from_secs(20)).await;
    scene.alice.say("还在").await.gets_containing("安静时段发言");
    bot.advance(Duration::from_secs(9 * 3_600)).await;
    scene.alice.say("早").await.gets_nothing();
    bot.advance(Duration::from_secs(15 * 3_600)).await;
    scene.alice.say("又是晚上").await.gets("嘘");
}

#[wxbot_plugin::test(settings = json!({ "quiet": [{ "hours": "22:00-07:00", "rooms": ["r999"] }] }))]
async fn quiet_hours_are_by_room(bot: Kit<GroupAdmin>) {
    let scene = scene(&bot);
    bot.advance(Duration::from_secs(15 * 3_600)).await;
    scene.alice.say("晚上好").await.gets_nothing();
}

/// A thousand messages of fifty members within ten seconds.
#[wxbot_plugin::test(settings = json!({
    "flood": { "messages": 8, "within": "10s" }, "repeats": {}, "links": {}, "ladder": { "remove": 9 },
}))]
async fn a_storm_brings_few_words(bot: Kit<GroupAdmin>) {
    let scene = scene(&bot);
    let members: Vec<_> = (0..50).map(|n| bot.user(&format!("m{n}")).in_room(&scene.room)).collect();
    let (mut texts, mut clean_writes) = (0, 0);
    for n in 0..1_000 {
        if n % 100 == 0 {
            bot.advance(Duration::from_secs(1)).await;
        }
        let before = bot.kv_keys().len();
        let heard = members[n % 50].say(&format!("第 {n} 条消息")).await;
        texts += heard.sent().len();
        if n < 400 {
            clean_writes += bot.kv_keys().len() - before;
        }
    }
    texts += scene.room.hears().sent().len();
    bot.advance(Duration::from_secs(20)).await;
    let late = scene.room.hears().sent().len();
    let told = scene.owner.hears().sent().len();
    assert_eq!(clean_writes, 0, "eight messages each are fine and write nothing");
    assert!(texts + late <= 4, "{texts} texts in the storm, {late} after it");
    assert!(told <= 4, "{told} texts to the owner");
    assert_eq!(keys(&bot, "strikes").len(), 50);
    // What waited names them, up to a dozen lines.
    assert!(late >= 1);
    assert!(acts(&bot).is_empty());
}

#[wxbot_plugin::test(settings = json!({ "links": {} }))]
async fn a_member_who_does_not_stop_costs_nothing_more(bot: Kit<GroupAdmin>) {
    let scene = scene(&bot);
    for n in 0..100 {
        let heard = scene.alice.say(&format!("evil{n}.com")).await;
        assert!(heard.is_blocked(), "{n}");
    }
    assert_eq!(keys(&bot, "audit").len(), 2, "a warning and a notice");
    bot.advance(Duration::from_secs(61)).await;
    scene.alice.say("evil.com").await.gets_containing("第 3 次");
}

#[wxbot_plugin::test(settings = json!({ "flood": { "messages": 2 }, "repeats": { "times": 2 } }))]
async fn a_message_that_is_handled_again_counts_once(mut bot: Kit<GroupAdmin>) {
    let scene = scene(&bot);
    let mut event = bot.text_event("p103", Some(scene.id().as_str()), "同一句话同一句话");
    for _ in 0..5 {
        assert_eq!(bot.handle(&event).await.unwrap(), Vec::<String>::new(), "the same event");
    }
    event = bot.text_event("p103", Some(scene.id().as_str()), "同一句话同一句话");
    assert_eq!(bot.handle(&event).await.unwrap(), Vec::<String>::new(), "the second");
    event = bot.text_event("p103", Some(scene.id().as_str()), "同一句话同一句话");
    for _ in 0..3 {
        // It is the same offence each time it is handled, and the same is done.
        assert_eq!(bot.handle(&event).await.unwrap().len(), 1);
    }
}

#[wxbot_plugin::test(settings = json!({ "links": {}, "flood": { "messages": 2 } }))]
async fn our_own_messages_are_not_judged(mut bot: Kit<GroupAdmin>) {
    let scene = scene(&bot);
    for n in 0..5 {
        let mut event = bot.text_event("p103", Some(scene.id().as_str()), &format!("evil.com {n}"));
        if let EventKind::Message(message) = &mut event.kind {
            message.from_self = true;
        }
        assert_eq!(bot.handle(&event).await.unwrap(), Vec::<String>::new());
    }
    assert!(bot.kv_keys().is_empty());
}

#[wxbot_plugin::test(settings = json!({ "flood": { "messages": 2 }, "checkin": {} }))]
async fn what_is_punished_triggers_nothing_else(bot: Kit<GroupAdmin>) {
    let scene = scene(&bot);
    scene.alice.say("签到").await.gets_containing("签到成功");
    scene.alice.say("签到").await.gets_nothing();
    scene.alice.say("签到").await.gets("请注意:刷屏。请遵守群规 (第 1 次)");
}

#[wxbot_plugin::test(settings = json!({ "flood": { "messages": 3 }, "repeats": { "times": 2 } }))]
async fn what_piled_up_is_no_flood(mut bot: Kit<GroupAdmin>) {
    let scene = scene(&bot);
    bot.advance(Duration::from_secs(3_600)).await;
    let now_s = bot.now_ms() / 1_000;
    for n in 0..10 {
        // Sent half a minute apart each, and handled at once.
        let mut event = bot.text_event("p103", Some(scene.id().as_str()), &format!("第 {n} 条"));
        event.at_s = now_s - 300 + 30 * n;
        assert_eq!(bot.handle(&event).await.unwrap(), Vec::<String>::new(), "{n}");
    }
    let mut answers = Vec::new();
    for n in 0..4 {
        // At once, whatever their order, and handled late.
        let mut event = bot.text_event("p104", Some(scene.id().as_str()), &format!("第 {n} 条"));
        event.at_s = now_s - 300 - n % 2;
        answers.extend(bot.handle(&event).await.unwrap());
    }
    assert_eq!(answers, ["请注意:刷屏。请遵守群规 (第 1 次)"]);
    // A clock of the service ahead of ours is now.
    for n in 0..4 {
        let mut event = bot.text_event("p105", Some(scene.id().as_str()), &format!("第 {n} 条"));
        event.at_s = now_s + 3_600 + 60 * n;
        answers.extend(bot.handle(&event).await.unwrap());
    }
    bot.advance(Duration::from_secs(20)).await;
    assert_eq!(keys(&bot, "strikes").len(), 2);
}

#[wxbot_plugin::test(settings = json!({ "quiet": [
    { "hours": "22:00-23:30", "text": "嘘" }, { "hours": "23:00-07:00", "text": "睡了" },
] }))]
async fn several_tables_are_told_once_and_a_far_time_holds_nothing_up(bot: Kit<GroupAdmin>) {
    let scene = scene(&bot);
    bot.advance(Duration::from_secs(14 * 3_600)).await;
    scene.alice.say("晚上好").await.gets("嘘");
    for _ in 0..8 {
        bot.advance(Duration::from_secs(3_600)).await;
        scene.alice.say("还在").await.gets_nothing();
    }
    bot.advance(Duration::from_secs(16 * 3_600)).await;
    // Written before the clock was set back.
    bot.set_kv(&format!("quiet:{}", scene.id()), &(bot.now_ms() + 30 * 86_400_000)).unwrap();
    bot.restart().await.unwrap();
    scene.alice.say("又是晚上").await.gets("嘘");
    scene.alice.say("还在").await.gets_nothing();
}
