//! Reading the log, and taking back.

use std::time::Duration;

use serde_json::json;
use wxbot_plugin::testing::Kit;

use super::*;
use crate::audit::{Record, Undo};

fn record(room: &ContactId, at_ms: i64, undo: Vec<Undo>) -> Record {
    Record {
        no: at_ms.unsigned_abs() % 1_000,
        at_ms,
        room: room.clone(),
        feature: "topic".into(),
        what: "改名".into(),
        whom: Vec::new(),
        why: "x".into(),
        by: None,
        shadow: false,
        undo,
        of: None,
    }
}

#[wxbot_plugin::test(settings = json!({ "links": {} }))]
async fn the_log_has_pages_and_is_of_its_room(bot: Kit<GroupAdmin>) {
    let scene = scene(&bot);
    scene.admin.say("日志").await.gets_containing("还没有日志");
    for n in 0..10 {
        let someone = bot.user(&format!("m{n}")).in_room(&scene.room);
        someone.say("evil.com").await;
        bot.advance(Duration::from_secs(1)).await;
    }
    let other = bot.room("其他群", [&bot.user("alice")]);
    bot.user("alice").in_room(&other).say("evil.com").await.gets_containing("链接");
    let first = scene.admin.say("日志").await.replies().remove(0);
    assert!(first.starts_with("10. 2026-01-01 08:00 警告 m9:链接(evil.com)\n9. "), "{first}");
    assert!(first.ends_with("第 1/2 页;「撤销 编号」撤销那一条") && !first.contains("alice"), "{first}");
    let second = scene.admin.say("日志 2").await.replies().remove(0);
    assert!(second.starts_with("2. ") && second.contains("\n1. "), "{second}");
    scene.admin.say("日志 3").await.gets_containing("只有 2 页");
    scene.alice.say("日志").await.gets_nothing();
}

#[wxbot_plugin::test(settings = json!({ "links": {}, "quiet": [{ "hours": "00:00-24:00" }] }))]
async fn what_is_taken_back_and_what_cannot_be(bot: Kit<GroupAdmin>) {
    let scene = scene(&bot);
    scene.admin.say("撤销").await.gets_containing("没有可撤销");
    scene.alice.say("早").await.gets_containing("安静");
    scene.admin.say("撤销 1").await.gets_containing("「提醒安静」不能撤销");
    bot.advance(Duration::from_secs(11)).await;
    scene.alice.say("evil.com").await.gets_containing("第 1 次");
    scene.admin.say("撤销").await.gets("撤销「警告 alice」:违规次数减 1");
    assert!(keys(&bot, "strikes").is_empty());
    // Numbers stay what they are, however much is recorded meanwhile.
    scene.admin.say("撤销 2").await.gets_containing("已经撤销过了");
    scene.admin.say("撤销 1").await.gets_containing("「提醒安静」不能撤销");
    scene.admin.say("撤销 3").await.gets_containing("不能撤销");
    scene.admin.say("撤销 99").await.gets_containing("没有可撤销");
    scene.admin.say("撤销").await.gets_containing("没有可撤销");
    scene.alice.say("撤销").await.gets_nothing();
}

#[wxbot_plugin::test(settings = json!({ "links": {} }))]
async fn topics_and_members_come_back_where_the_protocol_can(bot: Kit<GroupAdmin>) {
    let scene = scene(&bot);
    let put = |n: i64, undo| {
        let record = record(scene.id(), 1_767_225_600_000 + n, vec![undo]);
        bot.set_kv(&record.key(0), &record).unwrap();
    };
    put(1, Undo::Cannot { why: "没有办法".into() });
    put(2, Undo::Invite { members: vec!["p9".parse().unwrap()] });
    put(3, Undo::Topic { was: "旧名".into() });
    scene.admin.say("撤销").await.gets("撤销「改名 」:群名改回「旧名」");
    assert_eq!(bot.acted(), [Action::SetTopic { room: scene.id().clone(), topic: "旧名".into() }]);
    let tried = Record { shadow: true, ..record(scene.id(), 1_767_225_600_900, vec![Undo::Topic { was: "x".into() }]) };
    bot.set_kv(&tried.key(0), &tried).unwrap();
    scene.admin.say("撤销").await.gets_containing("没有真的做");
    assert!(bot.acted().is_empty());
    bot.cannot(&[Capability::AddMembers, Capability::RenameRoom]);
    scene.admin.say("撤销").await.gets_containing("本账号不能邀请成员");
    scene.admin.say("撤销").await.gets_containing("不能撤销:没有办法");
    assert!(acts(&bot).is_empty());
}

#[wxbot_plugin::test(settings = json!({ "links": {}, "audit": { "keep": 50, "keep_for": "1d" }, "ladder": { "decay": "1h" } }))]
async fn the_log_has_an_end(bot: Kit<GroupAdmin>) {
    let scene = scene(&bot);
    for n in 0..200 {
        let someone = bot.user(&format!("m{n}")).in_room(&scene.room);
        someone.say("evil.com").await;
        bot.advance(Duration::from_secs(1)).await;
        assert!(keys(&bot, "audit").len() <= 50 + 64, "{n}");
    }
    bot.advance(Duration::from_secs(2 * 86_400)).await;
    bot.restart().await.unwrap();
    scene.alice.say("evil.com").await.gets_containing("链接");
    assert_eq!(keys(&bot, "audit").len(), 1, "the old ones are gone");
}

#[wxbot_plugin::test(settings = json!({ "links": {}, "ladder": { "decay": "1h" } }))]
async fn sweeping_faded_strikes_keeps_new_ones(bot: Kit<GroupAdmin>) {
    let scene = scene(&bot);
    scene.alice.say("evil.com").await.gets_containing("第 1 次");
    bot.advance(Duration::from_secs(2 * 3_600)).await;
    // The first record after a restart sweeps, and it is about the member whose strike has faded.
    bot.restart().await.unwrap();
    scene.alice.say("evil.com").await.gets_containing("第 1 次");
    assert_eq!(keys(&bot, "strikes").len(), 1);
}
