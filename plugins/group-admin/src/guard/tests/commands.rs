//! What those who look after a room command.

use std::time::Duration;

use serde_json::json;
use wxbot_plugin::RoomMember;
use wxbot_plugin::testing::Kit;

use super::*;

/// The code of a question.
fn code(question: &str) -> String {
    question.chars().skip_while(|c| *c != '复').filter(char::is_ascii_digit).take(4).collect()
}

#[wxbot_plugin::test(settings = json!({ "links": {} }))]
async fn warning_by_command(bot: Kit<GroupAdmin>) {
    let scene = scene(&bot);
    scene.bob.say("警告 @alice\u{2005}x").await.gets_nothing();
    scene.admin.say("警告 @alice\u{2005}别发广告").await.gets("管理员警告:别发广告");
    let strikes: serde_json::Value = bot.kv(&keys(&bot, "strikes")[0]).unwrap().unwrap();
    assert_eq!(strikes["n"], 1);
    scene.admin.say("警告").await.gets_containing("缺少");
    scene.admin.say("警告 alice").await.gets_containing("请用 @");
    scene.admin.say("警告 @阿明\u{2005}").await.gets_containing("管理员");
    bot.cannot(&[Capability::Mention]);
    scene.admin.say("warn @alice\u{2005}@bob\u{2005}").await.gets("管理员警告 alice、bob:请遵守群规");
}

#[wxbot_plugin::test(settings = json!({ "removals_per_hour": 2, "links": {} }))]
async fn sec_r29_removing_needs_a_code_and_has_a_limit(bot: Kit<GroupAdmin>) {
    let scene = scene(&bot);
    let asked = scene.admin.say("移出 @alice\u{2005}@bob\u{2005} 吵架").await.replies().remove(0);
    assert!(asked.contains("移出 alice、bob"), "{asked}");
    scene.admin.say("0000").await.gets_containing("验证码不对");
    assert!(acts(&bot).is_empty());
    let asked = scene.admin.say("移出 @alice\u{2005}@bob\u{2005} 吵架").await.replies().remove(0);
    // Somebody else's answer is none.
    scene.bob.say(&code(&asked)).await.gets_nothing();
    scene.admin.say(&code(&asked)).await.gets("正在移出 alice、bob。「撤销」可撤销");
    let [Action::RemoveMembers { members, .. }] = &bot.acted()[..] else { panic!("one removal") };
    assert_eq!(members.len(), 2);
    bot.user("carol");
    bot.room("买菜群", [&bot.user("carol")]);
    scene.admin.say("移出 @carol").await.gets_containing("每小时最多移出 2 人");
    bot.advance(Duration::from_secs(3_601)).await;
    scene.admin.say("移出 @carol").await.gets_containing("确认请回复");
}

#[wxbot_plugin::test(settings = json!({ "links": {} }))]
async fn sec_r29_whoever_loses_the_role_before_the_code_removes_nobody(bot: Kit<GroupAdmin>) {
    let scene = scene(&bot);
    let asked = scene.admin.say("移出 @alice").await.replies().remove(0);
    scene.admin.is_no_longer(&Role::GroupAdmin);
    scene.admin.say(&code(&asked)).await.gets_containing("你已经不是管理员");
    assert!(acts(&bot).is_empty());
    // And whoever became an admin meanwhile stays.
    scene.admin.is(Role::GroupAdmin);
    let asked = scene.admin.say("移出 @alice").await.replies().remove(0);
    scene.alice.is(Role::GroupAdmin);
    scene.admin.say(&code(&asked)).await.gets_containing("管理员或在白名单里");
    assert!(acts(&bot).is_empty());
}

#[wxbot_plugin::test(settings = json!({ "links": {} }))]
async fn sec_r26_nobody_is_removed_by_an_ambiguous_name(bot: Kit<GroupAdmin>) {
    let scene = scene(&bot);
    let double = RoomMember {
        id: Some("p900".parse().unwrap()),
        name: "alice".into(),
        nick_name: "alice".into(),
        group_name: String::new(),
        me: false,
    };
    bot.add_member(scene.id().clone(), double.clone());
    bot.add_member(
        scene.id().clone(),
        RoomMember { id: None, name: "沉默".into(), nick_name: "沉默".into(), ..double },
    );
    scene.admin.say("移出 @alice").await.gets_containing("有 2 个人可能叫「alice」");
    scene.admin.say("移出 @沉默").await.gets_containing("还不认识");
    scene.admin.say("移出 @nobody").await.gets_containing("没有叫");
    scene.admin.say("移出 @bot").await.gets_containing("机器人自己");
    scene.admin.say("移出 @老板").await.gets_containing("管理员或在白名单");
    assert!(acts(&bot).is_empty());
}

#[wxbot_plugin::test(settings = json!({ "links": {} }))]
async fn who_cannot_remove_says_so(bot: Kit<GroupAdmin>) {
    let scene = scene(&bot);
    bot.cannot(&[Capability::RemoveMembers]);
    scene.admin.say("移出 @alice").await.gets_containing("本账号不能移出成员");
}

#[wxbot_plugin::test(settings = json!({ "links": {}, "probation": {} }))]
async fn a_pardon_forgets_strikes_and_probation(bot: Kit<GroupAdmin>) {
    let scene = scene(&bot);
    let noticed = wxbot_plugin::model::Noticed { id: Some(scene.alice.person().id.clone()), name: "alice".into() };
    scene.admin.does(EventKind::MembersChanged { joined: vec![noticed], left: Vec::new() }).await.gets_nothing();
    scene.alice.say("evil.com").await.gets_containing("第 1 次");
    scene.alice.say("evil.com").await;
    scene.admin.say("豁免 @alice").await.gets("已豁免 alice");
    assert!(keys(&bot, "strikes").is_empty());
    // The notice of before comes after 10 s, and 10 s after it there is room for the next text.
    bot.advance(Duration::from_secs(21)).await;
    assert_eq!(scene.room.hears().replies().len(), 1);
    // The pardon is the third of the log, after two strikes: with it alice is new again and has them again.
    scene.admin.say("撤销 3").await.gets_containing("已恢复原来的设置");
    bot.advance(Duration::from_secs(61)).await;
    scene.alice.say("扫码").await.gets_containing("第 3 次违规:新成员");
    scene.admin.say("豁免 @alice").await.gets("已豁免 alice");
    scene.alice.say("evil.com").await;
    // What happened since is not undone with it.
    scene.admin.say("撤销 6").await.gets_containing("后来又改过了");
}

#[wxbot_plugin::test(settings = json!({ "links": {} }))]
async fn a_whitelist_by_command(bot: Kit<GroupAdmin>) {
    let scene = scene(&bot);
    scene.admin.say("白名单").await.gets_containing("空的");
    scene.admin.say("白名单 加 @alice\u{2005}").await.gets("已加入白名单:alice");
    scene.alice.say("evil.com").await.gets_nothing();
    scene.admin.say("白名单").await.gets("本群白名单(1 人):alice");
    let other = bot.room("其他群", [&bot.user("alice")]);
    bot.user("alice").in_room(&other).say("evil.com").await.gets_containing("链接");
    scene.admin.say("whitelist del @alice").await.gets("已移出白名单:alice");
    scene.alice.say("evil.com").await.gets_containing("链接");
    scene.admin.say("白名单 加 @alice").await.gets_containing("已加入");
    scene.admin.say("移出 @alice").await.gets_containing("在白名单里");
    scene.admin.say("白名单 看 @alice").await.gets_containing("用法");
    scene.alice.say("白名单 加 @alice").await.gets_nothing();
}

#[wxbot_plugin::test(settings = json!({ "links": {}, "flood": {} }))]
async fn status_and_pause(bot: Kit<GroupAdmin>) {
    let scene = scene(&bot);
    scene.alice.say("evil.com").await.gets_containing("链接");
    scene.admin.say("状态").await.gets("群管:开;模式:执行 enforce\n功能:links、flood\n违规:alice 1");
    scene.admin.say("关 群管").await.gets_containing("已关闭");
    scene.bob.say("evil.com").await.gets_nothing();
    bot.restart().await.unwrap();
    scene.bob.say("evil.com").await.gets_nothing();
    scene.admin.say("状态").await.gets_containing("已关闭");
    scene.admin.say("开 群管").await.gets_containing("已打开");
    bot.advance(Duration::from_secs(11)).await;
    scene.bob.say("evil.com").await.gets_containing("链接");
}

#[wxbot_plugin::test(settings = json!({ "links": {}, "stats": {} }))]
async fn a_list_of_members_that_is_not_to_be_had_is_no_failure(mut bot: Kit<GroupAdmin>) {
    // The account knows nothing of this room.
    let admin = bot.user("阿明");
    admin.is(Role::Admin);
    for command in ["警告 @alice", "移出 @alice", "豁免 @alice", "白名单 加 @alice", "潜水"] {
        let event = bot.text_event(admin.person().id.as_str(), Some("r900"), command);
        let told = bot.handle(&event).await.unwrap();
        assert!(told[0].contains("成员列表暂时读不到"), "{command}: {told:?}");
    }
}

#[wxbot_plugin::test(settings = json!({ "rooms": ["r101"], "stats": {} }))]
async fn commands_of_what_is_off_are_free_for_others(bot: Kit<GroupAdmin>) {
    let scene = scene(&bot);
    for word in ["警告 @alice", "移出 @alice", "豁免 @alice", "白名单", "状态", "关 群管", "开 群管"] {
        let heard = scene.admin.say(word).await.gets_nothing();
        assert!(!heard.is_blocked() && heard.explained().contains("nothing is judged"), "{word}");
    }
    scene.admin.say("日志").await.gets_containing("还没有日志");
    let admin = bot.user("阿明");
    let other = bot.room("其他群", [&admin]);
    let admin = admin.in_room(&other);
    admin.is(Role::GroupAdmin);
    for word in ["日志", "撤销", "状态", "潜水"] {
        let heard = admin.say(word).await.gets_nothing();
        assert!(!heard.is_blocked() && heard.explained().contains("not in `rooms`"), "{word}");
    }
}

#[wxbot_plugin::test(settings = json!({ "links": {}, "join": [{ "rooms": ["r101"], "full": 3, "every": "1s" }] }))]
async fn what_waits_about_another_room_is_told(bot: Kit<GroupAdmin>) {
    let scene = scene(&bot);
    // Two ask in private, each a chat of its own, and the room is full: the second line waits.
    for name in ["u1", "u2", "u3"] {
        bot.user(name).say("进群").await;
    }
    assert_eq!(scene.owner.hears().replies().len(), 1);
    bot.advance(Duration::from_secs(11)).await;
    let told = scene.owner.hears().replies().join("\n");
    assert!(told.contains("u2") && told.contains("u3"), "{told}");
}
