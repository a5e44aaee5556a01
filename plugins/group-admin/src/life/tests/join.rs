//! Into which room does somebody come who asks for one?

use super::*;

#[wxbot_plugin::test(settings = json!({ "join": [{ "rooms": ["r101", "r102"], "full": 3 }] }))]
async fn the_next_room_is_taken_when_one_is_full(bot: Kit<GroupAdmin>) {
    let (alice, bob) = (bot.user("alice"), bot.user("bob"));
    let (first, second) = (bot.room("一群", [&bob]), bot.room("二群", []));
    alice.say("进群").await.gets("好的,正在邀请你进「一群」");
    let [Action::AddMembers { room, members }] = &bot.acted()[..] else { panic!("one action") };
    assert_eq!((room, &members[..]), (&first.chat().id, &[alice.person().id.clone()][..]));
    counted(&bot, &first, 3);
    bot.user("carol").say(" 进群 ").await.gets("好的,正在邀请你进「二群」");
    bot.acted();
    counted(&bot, &second, 500);
    bot.user("dave").say("进群").await.gets("群都满了,已经通知管理员 (all rooms are full)");
    assert!(bot.acted().is_empty());
}

#[wxbot_plugin::test(settings = json!({ "join": [{ "rooms": ["r101"], "full": 3 }], "notify": ["p900"] }))]
async fn the_owner_hears_when_all_rooms_are_full(bot: Kit<GroupAdmin>) {
    counted(&bot, &bot.room("一群", []), 3);
    bot.user("alice").say("进群").await.gets_containing("群都满了");
    let [Action::SendText { to, text, .. }] = &bot.acted()[..] else { panic!("one text") };
    assert!(to.as_str() == "p900" && text.contains("alice"), "{text}");
}

#[wxbot_plugin::test(settings = json!({ "join": [{ "words": ["加群", "join"], "rooms": ["r101", "r102"] }] }))]
async fn members_are_told_that_they_are_members(bot: Kit<GroupAdmin>) {
    let alice = bot.user("alice");
    bot.room("一群", []);
    let second = bot.room("二群", [&alice]);
    alice.say("ＪＯＩＮ").await.gets("你已经在「二群」里了");
    alice.say("进群").await.gets_nothing();
    alice.in_room(&second).say("加群").await.gets_nothing();
    assert!(bot.acted().is_empty());
}

#[wxbot_plugin::test(settings = json!({ "join": [{ "rooms": ["r101"], "every": "1min" }] }))]
async fn whoever_asks_again_and_again_is_answered_once_a_minute(bot: Kit<GroupAdmin>) {
    let alice = bot.user("alice");
    bot.room("一群", []);
    alice.say("进群").await.gets_containing("正在邀请");
    for _ in 0..20 {
        alice.say("进群").await.gets_nothing();
    }
    bot.user("bob").say("进群").await.gets_containing("正在邀请");
    assert_eq!(bot.acted().len(), 2);
    bot.restart().await.unwrap();
    alice.say("进群").await.gets_nothing();
    bot.advance(minutes(1)).await.gets_nothing();
    alice.say("进群").await.gets_containing("正在邀请");
}

#[wxbot_plugin::test(settings = json!({ "join": [{ "rooms": ["r101"] }] }))]
async fn only_friends_and_only_where_the_account_can(bot: Kit<GroupAdmin>) {
    let alice = bot.user("alice");
    let contact = Contact::nameless("@a".parse().unwrap(), ContactKind::Person);
    bot.add_contact(alice.person().id.clone(), Contact { is_ours: false, ..contact });
    bot.room("一群", []);
    alice.say("进群").await.gets_containing("请先加我为好友");
    bot.cannot(&[Capability::AddMembers]);
    bot.user("bob").say("进群").await.gets_containing("不能邀请人进群");
    assert!(bot.acted().is_empty());
}

#[wxbot_plugin::test(settings = json!({ "join": [{ "rooms": ["r700", "r701"] }] }))]
async fn rooms_that_nobody_knows_bring_nobody_anywhere(bot: Kit<GroupAdmin>) {
    bot.user("alice").say("进群").await.gets_containing("暂时没有可以进的群");
}

#[wxbot_plugin::test(settings = json!({ "mode": "shadow", "notify": ["p900"], "join": [{ "rooms": ["r101"] }] }))]
async fn in_shadow_mode_nobody_is_brought_in(bot: Kit<GroupAdmin>) {
    bot.room("一群", []);
    bot.user("alice").say("进群").await.gets_nothing();
    let acted = bot.acted();
    let [Action::SendText { text, .. }] = &acted[..] else { panic!("one report: {acted:?}") };
    assert_eq!(text, "[观察 shadow] 「一群」本来会邀请进群 alice:私聊申请");
    bot.room("一群", [&bot.user("bob")]);
    bot.user("bob").say("进群").await.gets_nothing();
}

#[wxbot_plugin::test(settings = json!({
    "join": [{ "rooms": ["r101"], "every": "1s" }], "links": { "rung": "remove" },
    "ladder": { "remove": 3, "decay": "1d" }, "notify": ["p900"],
}))]
async fn whoever_was_removed_does_not_let_themself_in(bot: Kit<GroupAdmin>) {
    let (alice, bob, admin) = (bot.user("alice"), bot.user("bob"), bot.user("阿明"));
    let room = bot.room("一群", [&admin, &bob]);
    alice.in_room(&room).say("evil.com").await.gets_containing("将被移出");
    bot.acted();
    alice.say("进群").await.gets("暂时没有可以进的群,已经通知管理员 (no room now)");
    bot.advance(Duration::from_secs(20)).await;
    let told = bot.acted();
    assert!(told.iter().all(|act| act.word() == "send_text"), "{told:?}");
    assert!(bot.user("p").in_room(&room).say("x").await.sent().is_empty());
    // By command as well, though there was no strike.
    let admin = admin.in_room(&room);
    admin.is(Role::GroupAdmin);
    let question = admin.say("移出 @bob").await.replies().remove(0);
    admin.say(&code_in(&question)).await.gets_containing("正在移出 bob");
    let out = bot.room("一群", []);
    bot.acted();
    assert_eq!(
        bot.kv::<serde_json::Value>(&format!("strikes:{}:{}", out.chat().id, bob.person().id)).unwrap().unwrap()["n"],
        1
    );
    // Taken back, there is nothing against it.
    admin.say("撤销").await.gets_containing("已邀请 1 人");
    assert!(bot.kv::<serde_json::Value>(&format!("strikes:{}:{}", out.chat().id, bob.person().id)).unwrap().is_none());
    // And strikes fade.
    bot.advance(days(4)).await;
    alice.say("进群").await.gets_containing("正在邀请");
}

#[wxbot_plugin::test(settings = json!({ "join": [{ "rooms": ["r101", "r102"], "full": 12 }] }))]
async fn a_room_is_not_overfilled_by_those_on_their_way(bot: Kit<GroupAdmin>) {
    let (first, second) = (bot.room("一群", []), bot.room("二群", []));
    counted(&bot, &first, 10);
    counted(&bot, &second, 3);
    let mut into = Vec::new();
    for n in 0..4 {
        into.extend(bot.user(&format!("u{n}")).say("进群").await.replies());
    }
    assert_eq!(into.iter().filter(|text| text.contains("一群")).count(), 2, "{into:?}");
    // Whoever came is counted by the room, whoever did not is no member.
    bot.advance(minutes(11)).await.gets_nothing();
    bot.user("u9").say("进群").await.gets_containing("一群");
}
