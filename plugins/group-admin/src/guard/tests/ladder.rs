//! What is done: warn, notice, remove; in shadow mode nothing.

use std::time::Duration;

use serde_json::json;
use wxbot_plugin::model::{JoinedBy, Who};
use wxbot_plugin::testing::{Kit, What};

use super::*;

/// Join, flood, warning, removal, taking back: the story of the README.
#[wxbot_plugin::test(settings = json!({ "flood": { "messages": 3, "within": "10s" }, "ladder": { "notice": 2, "remove": 3 } }))]
async fn join_flood_warn_remove_undo(bot: Kit<GroupAdmin>) {
    let scene = scene(&bot);
    let spammer = bot.user("spammer");
    bot.room("买菜群", [&spammer]);
    let spammer = spammer.in_room(&scene.room);
    let by = (Who::Me, JoinedBy::QrCode);
    let joined = MembersJoined {
        names: vec!["spammer".into()],
        me_invited: false,
        others: Vec::new(),
        inviter: by.0,
        by: by.1,
        notice: String::new(),
    };
    scene.admin.does(EventKind::MembersJoined(joined)).await.gets_nothing();
    let mut heard = Vec::new();
    for n in 0..12 {
        heard.extend(spammer.say(&format!("广告 {n}")).await.replies());
    }
    assert_eq!(heard, ["请注意:刷屏。请遵守群规 (第 1 次)"], "one text at once");
    let removals = bot.acted().into_iter().filter(|act| act.word() == "remove_members").collect::<Vec<_>>();
    let out = Action::RemoveMembers { room: scene.id().clone(), members: vec![spammer.person().id.clone()] };
    assert_eq!(removals, [out]);
    spammer.say("还有").await.gets_nothing();
    assert!(acts(&bot).is_empty(), "once is enough");
    bot.advance(Duration::from_secs(20)).await;
    scene.room.hears().gets("⚠️ spammer 第 2 次违规:刷屏,再犯将被移出本群\nspammer 因刷屏将被移出本群");
    let told = scene.owner.hears().replies().join("\n");
    assert!(told.contains("第 2 次违规:刷屏(10s 内 4 条)") && told.contains("移出 spammer"), "{told}");

    let log = scene.admin.say("日志").await.replies().remove(0);
    let steps: Vec<&str> = log.lines().take(3).filter_map(|line| line.split_whitespace().nth(3)).collect();
    assert_eq!(steps, ["移出", "通报", "警告"], "{log}");
    scene.admin.say("撤销").await.gets("撤销「移出 spammer」:违规次数减 1,已邀请 1 人回群(对方可能要同意)");
    let back = Action::AddMembers { room: scene.id().clone(), members: vec![spammer.person().id.clone()] };
    assert_eq!(bot.acted().into_iter().filter(|act| act.word() != "send_text").collect::<Vec<_>>(), [back]);
    let strikes: serde_json::Value = bot.kv(&keys(&bot, "strikes")[0]).unwrap().unwrap();
    assert_eq!(strikes["n"], 2);
    let log = scene.admin.say("日志").await.replies().remove(0);
    assert!(log.contains("4. 2026-01-01 08:00 撤销 [阿明] spammer"), "{log}");
    assert!(log.contains("被移出") || log.lines().nth(1).unwrap().contains("(已撤销)"), "{log}");
}

#[wxbot_plugin::test(settings = json!({ "links": {}, "ladder": { "warn": 2, "notice": 3, "decay": "1h" } }))]
async fn strikes_fade_and_nobody_is_removed_unless_it_is_set(bot: Kit<GroupAdmin>) {
    let scene = scene(&bot);
    scene.alice.say("a.com").await.gets_nothing();
    let heard = scene.alice.say("b.com").await;
    assert!(matches!(&heard.sent()[0].what, What::Text { mentions: true, .. }), "a warning mentions the member");
    heard.gets_containing("第 2 次");
    bot.advance(Duration::from_secs(3_700)).await;
    scene.alice.say("c.com").await.gets_containing("第 2 次");
    bot.advance(Duration::from_secs(61)).await;
    scene.alice.say("d.com").await.gets("⚠️ alice 第 3 次违规:链接");
    for _ in 0..5 {
        bot.advance(Duration::from_secs(61)).await;
        scene.alice.say("e.com").await;
    }
    assert!(acts(&bot).is_empty());
}

#[wxbot_plugin::test(settings = json!({ "links": { "rung": "remove" }, "ladder": { "remove": 3 } }))]
async fn a_removal_that_did_not_work_is_told(bot: Kit<GroupAdmin>) {
    let scene = scene(&bot);
    scene.bob.say("a.com").await.gets("bob 因链接将被移出本群");
    scene.owner.hears().gets_containing("移出 bob");
    bot.advance(Duration::from_secs(61)).await;
    scene.bob.say("a.com").await.gets_nothing();
    scene.owner.hears().gets_containing("bob 移出后仍在群里:本账号可能没有权限");
    assert_eq!(acts(&bot), ["remove_members", "remove_members"], "it is tried again");
    scene.admin.say("撤销").await.gets_containing("已邀请 1 人");
    bot.advance(Duration::from_secs(61)).await;
    scene.bob.say("a.com").await.gets("bob 因链接将被移出本群");
}

#[wxbot_plugin::test(settings = json!({ "links": { "rung": "remove" }, "ladder": { "remove": 3 }, "notify": ["p103", "r102"] }))]
async fn who_cannot_remove_tells_those_who_can(bot: Kit<GroupAdmin>) {
    let scene = scene(&bot);
    let staff = bot.room("管理群", [&bot.user("alice")]);
    bot.cannot(&[Capability::RemoveMembers]);
    scene.bob.say("a.com").await.gets_nothing();
    assert!(acts(&bot).is_empty());
    staff.hears().gets("「买菜群」bob 该移出了:链接(a.com)。本账号不能移出成员,请手动处理");
    bot.user("alice").hears().gets_containing("请手动处理");
    scene.owner.hears().gets_nothing();
}

#[wxbot_plugin::test(settings = json!({
    "mode": "shadow", "links": {}, "flood": { "messages": 3 }, "ladder": { "notice": 2, "remove": 3 },
}))]
async fn shadow_mode_only_tells(bot: Kit<GroupAdmin>) {
    let scene = scene(&bot);
    let heard = scene.alice.say("evil.com").await.gets_nothing();
    assert!(!heard.is_blocked(), "others still see it");
    scene.owner.hears().gets("[观察 shadow] 「买菜群」本来会警告 alice:链接(evil.com)");
    scene.alice.say("evil.com").await.gets_nothing();
    scene.alice.say("evil.com").await.gets_nothing();
    bot.advance(Duration::from_secs(11)).await;
    let told = scene.owner.hears().replies();
    assert_eq!(told.len(), 1);
    assert!(told[0].contains("本来会通报 alice") && told[0].contains("本来会移出 alice"), "{told:?}");
    assert!(acts(&bot).is_empty(), "nothing is done");
    assert_eq!(keys(&bot, "strikes"), Vec::<String>::new(), "and nothing is held against anybody later");
    assert_eq!(keys(&bot, "audit").len(), 3);
    scene.admin.say("移出 @bob").await;
    assert!(acts(&bot).is_empty());
    let log = scene.admin.say("日志").await.replies().remove(0);
    assert!(!log.contains("[阿明]"), "not confirmed: {log}");
    // What concerns only the plugin itself is done all the same.
    scene.admin.say("9").await;
    bot.advance(Duration::from_secs(61)).await;
    scene.admin.say("白名单 加 @alice").await.gets("已加入白名单:alice");
    scene.owner.hears().gets_nothing();
    scene.alice.say("evil.com").await.gets_nothing();
    scene.owner.hears().gets_nothing();
    let log = scene.admin.say("日志").await.replies().remove(0);
    assert!(log.contains("加入白名单 [阿明] alice:\n"), "{log}");
}

#[wxbot_plugin::test(settings = json!({ "links": {}, "ladder": { "remove": 3 } }))]
async fn a_crash_repeats_nothing_and_loses_nothing(bot: Kit<GroupAdmin>) {
    let scene = scene(&bot);
    bot.crash_before_commit();
    scene.alice.say("evil.com").await.gets("请注意:链接。请遵守群规 (第 1 次)");
    assert_eq!(keys(&bot, "audit").len(), 1);
}

#[wxbot_plugin::test(settings = json!({ "links": {} }))]
async fn explain_says_what_was_looked_at(bot: Kit<GroupAdmin>) {
    let scene = scene(&bot);
    // `gets` shows the notes when it fails.
    let failed = std::panic::AssertUnwindSafe(async { scene.alice.say("evil.com").await.gets("x") });
    let shown = futures_catch(failed).await;
    assert!(shown.contains("took links: 警告 alice: 链接(evil.com)"), "{shown}");
    let shown = futures_catch(std::panic::AssertUnwindSafe(async { scene.bob.say("好").await.gets("x") })).await;
    assert!(shown.contains("left guard: nothing is against the rules (links)"), "{shown}");
}

async fn futures_catch<T>(future: impl Future<Output = T>) -> String {
    use futures_util::FutureExt as _;
    let caught = std::panic::AssertUnwindSafe(future).catch_unwind().await;
    caught.err().and_then(|panic| panic.downcast::<String>().ok()).map(|text| *text).unwrap_or_default()
}
