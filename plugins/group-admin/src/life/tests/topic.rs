//! When is a room's name set back?

use super::*;

fn topics(bot: &Kit<GroupAdmin>) -> Vec<String> {
    let topic = |action: Action| if let Action::SetTopic { topic, .. } = action { Some(topic) } else { None };
    bot.acted().into_iter().filter_map(topic).collect()
}

#[wxbot_plugin::test(settings = json!({ "topic": { "names": { "r101": "读书群" } }, "notify": ["p900"] }))]
async fn a_locked_name_is_set_back_and_not_fought_for(bot: Kit<GroupAdmin>) {
    let room = bot.room("读书群", []);
    for _ in 0..3 {
        happens(&bot, &room, renamed("广告群", Who::other("小明"))).await.gets_containing("群名已锁定");
        assert_eq!(topics(&bot), ["读书群"]);
        // Our own doing comes back as an event.
        happens(&bot, &room, renamed("读书群", Who::Me)).await.gets_nothing();
        bot.advance(minutes(5)).await.gets_nothing();
    }
    happens(&bot, &room, renamed("广告群", Who::other("小明"))).await.gets_nothing();
    let [Action::SendText { to, text, .. }] = &bot.acted()[..] else { panic!("the owner is told") };
    assert!(to.as_str() == "p900" && text.contains("改了 4 次"), "{text}");
    happens(&bot, &room, renamed("广告群2", Who::other("小明"))).await.gets_nothing();
    assert!(bot.acted().is_empty(), "told once");
    bot.advance(minutes(60)).await.gets_nothing();
    happens(&bot, &room, renamed("广告群", Who::other("小明"))).await.gets_containing("群名已锁定");
    assert_eq!(topics(&bot), ["读书群"]);
}

#[wxbot_plugin::test(settings = json!({ "topic": {} }))]
async fn admins_rename_by_command_and_nobody_by_name(bot: Kit<GroupAdmin>) {
    let (alice, bob) = (bot.user("alice"), bot.user("bob"));
    let room = bot.room("读书群", [&alice, &bob]);
    happens(&bot, &room, renamed("随便", Who::other("alice"))).await.gets_nothing();
    let (alice, bob) = (alice.in_room(&room), bob.in_room(&room));
    alice.is(Role::GroupAdmin);
    bob.say("改名 我的群").await.replies();
    assert!(topics(&bot).is_empty());
    alice.say("改名 新书群").await.gets("已改名并锁定: 新书群");
    assert_eq!(topics(&bot), ["新书群"]);
    happens(&bot, &room, renamed("新书群", Who::Me)).await.gets_nothing();
    // Whoever calls themself like an admin is none.
    happens(&bot, &room, renamed("黑", Who::other("alice"))).await.gets_containing("群名已锁定");
    assert_eq!(topics(&bot), ["新书群"]);
    alice.say(&format!("改名 {}", "长".repeat(33))).await.gets_containing("最多 32 个字");
    alice.say("解锁群名").await.gets("群名已解锁,大家都可以改了");
    happens(&bot, &room, renamed("大家的群", Who::other("bob"))).await.gets_nothing();
    alice.say("解锁群名").await.gets_containing("没有锁定");
    assert!(topics(&bot).is_empty());
}

#[wxbot_plugin::test(settings = json!({ "topic": { "names": { "r101": "甲" } } }))]
async fn whoever_is_called_you_does_not_move_the_lock(bot: Kit<GroupAdmin>) {
    let (alice, owner) = (bot.user("alice"), bot.user("老板"));
    owner.is(Role::Owner);
    let room = bot.room("甲", [&alice]);
    // The service says `You`, which is also what a member may call themself.
    happens(&bot, &room, renamed("乙", Who::Me)).await.gets_containing("群名已锁定");
    owner.hears().gets_containing("被本账号或叫「你」的人改名");
    happens(&bot, &room, renamed("丙", Who::other("x"))).await.gets_containing("群名已锁定");
    assert_eq!(topics(&bot), ["甲", "甲"]);
    let alice = alice.in_room(&room);
    alice.is(Role::GroupAdmin);
    alice.say("改名").await.gets("已锁定群名: 甲");
    bot.cannot(&[Capability::RenameRoom]);
    alice.say("改名 丁").await.gets_containing("不能改群名");
    happens(&bot, &room, renamed("戊", Who::other("x"))).await.gets_nothing();
}

#[wxbot_plugin::test(settings = json!({ "mode": "shadow", "notify": ["p900"], "topic": { "names": { "r101": "甲" } } }))]
async fn in_shadow_mode_names_stay(bot: Kit<GroupAdmin>) {
    let alice = bot.user("alice");
    let room = bot.room("甲", [&alice]);
    happens(&bot, &room, renamed("乙", Who::other("x"))).await.gets_nothing();
    let alice = alice.in_room(&room);
    alice.is(Role::GroupAdmin);
    alice.say("改名 丙").await.gets("观察模式: 会改成「丙」并锁定 (shadow)");
    let acted = bot.acted();
    let [Action::SendText { to, text, .. }] = &acted[..] else { panic!("one report: {acted:?}") };
    assert_eq!((to.as_str(), &**text), ("p900", "[观察 shadow] 「甲」本来会恢复群名 x:改成了「乙」"));
}

#[wxbot_plugin::test(settings = json!({}))]
async fn without_its_table_the_words_are_free(bot: Kit<GroupAdmin>) {
    let alice = bot.user("alice");
    let room = bot.room("甲", [&alice]);
    let alice = alice.in_room(&room);
    alice.is(Role::Admin);
    for word in ["改名 乙", "签到", "投票 a | b | c", "排行", "我的", "潜水", "群规", "2"] {
        assert!(!alice.say(word).await.gets_nothing().is_blocked(), "{word}");
    }
    happens(&bot, &room, renamed("乙", Who::other("x"))).await.gets_nothing();
    happens(&bot, &room, joined(&["x"])).await.gets_nothing();
    assert!(bot.kv_keys().is_empty(), "{:?}", bot.kv_keys());
}

#[wxbot_plugin::test(settings = json!({ "topic": { "names": { "r101": "甲" } } }))]
async fn what_we_named_the_room_is_no_change_and_undoing_leaves_the_other_name(bot: Kit<GroupAdmin>) {
    let alice = bot.user("alice");
    let room = bot.room("甲", [&alice]);
    let alice = alice.in_room(&room);
    alice.is(Role::GroupAdmin);
    alice.say("改名 乙").await.gets_containing("乙");
    alice.say("改名 丙").await.gets_containing("丙");
    topics(&bot);
    // The service tells of both, the first one late.
    happens(&bot, &room, renamed("乙", Who::Me)).await.gets_nothing();
    happens(&bot, &room, renamed("丙", Who::Me)).await.gets_nothing();
    assert!(topics(&bot).is_empty());
    // The lock has changed since the first.
    alice.say("撤销 1").await.gets_containing("后来又改过了");
    happens(&bot, &room, renamed("丁", Who::other("x"))).await.gets_containing("群名已锁定");
    topics(&bot);
    alice.say("撤销").await.gets_containing("群名改回「丁」");
    assert_eq!(topics(&bot), ["丁"]);
    happens(&bot, &room, renamed("丁", Who::Me)).await.gets_nothing();
    assert!(topics(&bot).is_empty());
}
