//! Whom does the bot welcome, and how?

use super::*;

#[wxbot_plugin::test(settings = json!({ "welcome": {} }))]
async fn who_comes_is_welcomed_with_a_mention_by_name_or_by_id(bot: Kit<GroupAdmin>) {
    let alice = bot.user("alice");
    let room = bot.room("读书群", [&alice]);
    stranger(&bot, &room, "小李");
    happens(&bot, &room, joined(&["小李"])).await.gets_nothing();
    bot.advance(Duration::from_secs(5)).await.gets("@小李\u{2005}\n欢迎 小李 加入「读书群」!");
    happens(&bot, &room, joined(&["alice"])).await.gets_nothing();
    bot.acted();
    bot.advance(Duration::from_secs(5)).await.gets("欢迎 alice 加入「读书群」!");
    let [Action::SendText { mention, .. }] = &bot.acted()[..] else { panic!("one text") };
    assert_eq!(mention, &[alice.person().id.clone()]);
}

#[wxbot_plugin::test(settings = json!({
    "welcome": { "text": "{{ name }}({{ count }} 位,共 {{ members }} 人,{{ time }})\n{{ rules }}", "mention": false, "delay": "10s" },
    "rules": { "text": "1. 不发广告" },
}))]
async fn who_comes_within_the_delay_is_welcomed_together(bot: Kit<GroupAdmin>) {
    let room = bot.room("群", []);
    happens(&bot, &room, joined(&["甲"])).await.gets_nothing();
    bot.advance(Duration::from_secs(4)).await.gets_nothing();
    happens(&bot, &room, joined(&["乙", "甲"])).await.gets_nothing();
    bot.restart().await.unwrap();
    bot.advance(Duration::from_secs(6)).await.gets("甲、乙(2 位,共 1 人,08:00)\n1. 不发广告");
    bot.advance(minutes(10)).await.gets_nothing();
    assert!(bot.timers().is_empty());
}

#[wxbot_plugin::test(settings = json!({ "welcome": { "delay": "0s", "again": "7d", "mention": false } }))]
async fn who_leaves_and_comes_back_is_welcomed_once(bot: Kit<GroupAdmin>) {
    let alice = bot.user("alice");
    let room = bot.room("群", [&alice]);
    happens(&bot, &room, joined(&["alice"])).await.gets_containing("欢迎 alice");
    bot.advance(days(6)).await.gets_nothing();
    happens(&bot, &room, joined(&["alice"])).await.gets_nothing();
    happens(&bot, &room, joined(&["alice", "bob"])).await.gets_containing("欢迎 bob 加入");
    happens(&bot, &bot.room("别的群", [&alice]), joined(&["alice"])).await.gets_containing("欢迎 alice");
    bot.advance(days(2)).await.gets_nothing();
    happens(&bot, &room, joined(&["alice"])).await.gets_containing("欢迎 alice");
}

#[wxbot_plugin::test(settings = json!({ "welcome": { "delay": "0s", "mention": false } }))]
async fn a_name_that_got_an_id_is_still_the_same_newcomer(bot: Kit<GroupAdmin>) {
    let room = bot.room("群", []);
    happens(&bot, &room, joined(&["Ａnn"])).await.gets_containing("欢迎");
    // She has spoken: now the account knows her id.
    bot.room("群", [&bot.user("Ａnn")]);
    happens(&bot, &room, joined(&["Ａnn"])).await.gets_nothing();
}

#[wxbot_plugin::test(settings = json!({ "welcome": { "delay": "0s" } }))]
async fn a_quiet_join_is_welcomed_and_we_are_not(bot: Kit<GroupAdmin>) {
    let bob = bot.user("bob");
    let room = bot.room("群", [&bob]);
    let me: ContactId = "m1".parse().unwrap();
    bot.add_contact(me.clone(), Contact::nameless("@me".parse().unwrap(), ContactKind::Myself));
    let noticed = |id: Option<ContactId>, name: &str| Noticed { id, name: name.to_owned() };
    let changed = |joined| EventKind::MembersChanged { joined, left: Vec::new() };
    let bob = noticed(Some(bob.person().id.clone()), "bob");
    happens(&bot, &room, changed(vec![noticed(Some(me), "小店"), noticed(None, ""), noticed(None, "bot"), bob]))
        .await
        .gets("欢迎 bob 加入「群」!");
    happens(&bot, &room, joined(&["bot"])).await.gets_nothing();
    let EventKind::MembersJoined(with_us) = joined(&["carol"]) else { unreachable!() };
    happens(&bot, &room, EventKind::MembersJoined(MembersJoined { me_invited: true, ..with_us })).await.gets_nothing();
}

#[wxbot_plugin::test(settings = json!({ "welcome": {} }))]
async fn two_hundred_who_come_at_once_get_one_text(bot: Kit<GroupAdmin>) {
    let room = bot.room("群", []);
    let names: Vec<String> = (0..200).map(|n| format!("{n}{}", "很长的名字".repeat(3))).collect();
    for some in names.chunks(40) {
        happens(&bot, &room, joined(&some.iter().map(String::as_str).collect::<Vec<_>>())).await.gets_nothing();
    }
    let more: Vec<String> = (0..100).map(|n| format!("n{n}")).collect();
    happens(&bot, &room, joined(&more.iter().map(String::as_str).collect::<Vec<_>>())).await.gets_nothing();
    let told = bot.advance(Duration::from_secs(5)).await.replies();
    let [text] = &told[..] else { panic!("{} texts", told.len()) };
    assert!(text.contains("等 200 人 和另外 100 人") && text.len() < 4_096, "{} bytes: {text}", text.len());
    assert_eq!(text.matches('\u{2005}').count(), 10, "only the first are mentioned");
}

#[wxbot_plugin::test(settings = json!({ "welcome": { "delay": "0s", "mention": false } }))]
async fn names_are_no_templates_no_mentions_and_no_lines(bot: Kit<GroupAdmin>) {
    let room = bot.room("群", []);
    happens(&bot, &room, joined(&["{{ rules }}{% for x in range(9) %}", "a\nb", "@所有人"]))
        .await
        .gets("欢迎 {{ rules }}{% for x …、a b、＠所有人 加入「群」!");
}

#[wxbot_plugin::test(settings = json!({ "welcome": { "delay": "0s" }, "quiet": [{ "hours": "22:00-08:30" }] }))]
async fn welcomes_wait_until_it_is_no_longer_quiet(bot: Kit<GroupAdmin>) {
    let room = bot.room("群", []);
    // It is 08:00 in Shanghai.
    happens(&bot, &room, joined(&["甲"])).await.gets_nothing();
    happens(&bot, &room, joined(&["乙"])).await.gets_nothing();
    bot.advance(minutes(29)).await.gets_nothing();
    bot.advance(minutes(1)).await.gets_containing("欢迎 甲、乙 加入");
}

#[wxbot_plugin::test(settings = json!({ "mode": "shadow", "notify": ["p900"], "welcome": { "delay": "0s" } }))]
async fn in_shadow_mode_a_welcome_is_only_reported(bot: Kit<GroupAdmin>) {
    let room = bot.room("群", []);
    happens(&bot, &room, joined(&["甲"])).await.gets_nothing();
    let acted = bot.acted();
    let [Action::SendText { to, text, .. }] = &acted[..] else { panic!("one report: {acted:?}") };
    assert_eq!((to.as_str(), &**text), ("p900", "[观察 shadow] 「群」本来会欢迎 甲:1 人进群"));
    room.hears().gets_nothing();
}

#[wxbot_plugin::test(settings = json!({ "rooms": ["r900"], "welcome": { "delay": "0s" } }))]
async fn rooms_that_are_not_looked_after_hear_nothing(bot: Kit<GroupAdmin>) {
    happens(&bot, &bot.room("群", []), joined(&["甲"])).await.gets_nothing();
    assert!(bot.kv_keys().is_empty());
}

#[wxbot_plugin::test(settings = json!({ "rules": { "text": "1. 不发广告\n2. 不刷屏" } }))]
async fn the_rules_are_told_on_request_and_not_again_for_a_while(bot: Kit<GroupAdmin>) {
    let (alice, bob) = (bot.user("alice"), bot.user("bob"));
    let room = bot.room("群", [&alice, &bob]);
    let (alice, bob) = (alice.in_room(&room), bob.in_room(&room));
    alice.say("群规").await.gets("1. 不发广告\n2. 不刷屏");
    bob.say("Rules").await.gets_nothing();
    bot.advance(Duration::from_secs(30)).await.gets_nothing();
    bob.at_me(" ＲＵＬＥＳ ").await.gets_containing("不刷屏");
    bot.advance(minutes(1)).await.gets_nothing();
    alice.say("群规是什么").await.gets_nothing();
    alice.say(&"群规".repeat(5_000)).await.gets_nothing();
    bot.user("alice").say("群规").await.gets_nothing();
}

#[wxbot_plugin::test(settings = json!({ "welcome": { "delay": "0s" }, "stats": {}, "polls": {}, "checkin": {} }))]
async fn our_remarks_stay_ours(bot: Kit<GroupAdmin>) {
    let alice = bot.user("难缠的客户");
    let contact = Contact::nameless("@a".parse().unwrap(), ContactKind::Person);
    let (nick_name, remark_name) = ("Alice".into(), "难缠的客户".into());
    bot.add_contact(alice.person().id.clone(), Contact { nick_name, remark_name, ..contact });
    let room = bot.room("群", []);
    let (id, name) = (Some(alice.person().id.clone()), "难缠的客户".to_owned());
    let member = RoomMember { id, name, nick_name: "Alice".into(), group_name: String::new(), me: false };
    bot.add_member(room.chat().id.clone(), member);
    happens(&bot, &room, joined(&["难缠的客户"])).await.gets("欢迎 Alice 加入「群」!");
    let alice = alice.in_room(&room);
    alice.say("投票 t | a | b").await.gets_containing("📊 Alice 发起投票");
    alice.say("1").await.gets_containing("Alice 投了");
    alice.say("签到").await.gets_containing("成功");
    for list in ["签到榜", "排行", "我的"] {
        alice.say(list).await.gets_containing("Alice");
    }
}

#[wxbot_plugin::test(settings = json!({ "welcome": {
    "delay": "0s", "text": "{% for a in range(9999) %}{% for b in range(9999) %}{{ name }}{% endfor %}{% endfor %}",
} }))]
async fn a_text_that_loops_ends_and_says_which_one_it_is(bot: Kit<GroupAdmin>) {
    happens(&bot, &bot.room("群", []), joined(&["甲"])).await.fails("the text of `welcome` failed");
}

#[wxbot_plugin::test(settings = json!({ "welcome": { "delay": "0s", "mention": false }, "topic": { "names": { "r1": "甲" } } }))]
async fn what_the_service_tells_has_no_sender(mut bot: Kit<GroupAdmin>) {
    for (kind, want) in [(joined(&["小李"]), "send_text"), (renamed("乙", Who::other("小李")), "set_topic")] {
        let mut event = bot.text_event("p1", Some("r1"), "");
        (event.sender, event.kind) = (None, kind);
        bot.handle(&event).await.unwrap();
        let acted = bot.acted();
        assert!(acted.iter().any(|action| action.word() == want), "{want}: {acted:?}");
    }
}

#[wxbot_plugin::test(settings = json!({ "welcome": { "mention": false } }))]
async fn a_welcome_whose_timer_was_lost_begins_anew(bot: Kit<GroupAdmin>) {
    let room = bot.room("群", []);
    let waits = |ago_ms: i64| {
        let row = json!({ "who": [{ "name": "甲", "id": null }], "due_ms": bot.now_ms() - ago_ms });
        bot.set_kv("welcome-wait:r101", &row).unwrap();
    };
    // On its way still: the timer of the first one brings all of them.
    waits(30_000);
    happens(&bot, &room, joined(&["乙"])).await.gets_nothing();
    assert!(bot.timers().is_empty());
    waits(120_000);
    happens(&bot, &room, joined(&["乙"])).await.gets_nothing();
    bot.advance(Duration::from_secs(5)).await.gets_containing("欢迎 甲、乙 加入");
    // Nobody is welcomed days later.
    waits(2 * 86_400_000);
    happens(&bot, &room, joined(&["丙"])).await.gets_nothing();
    bot.advance(Duration::from_secs(5)).await.gets_containing("欢迎 丙 加入");
    assert!(bot.timers().is_empty() && bot.kv::<serde_json::Value>("welcome-wait:r101").unwrap().is_none());
}

#[wxbot_plugin::test(settings = json!({
    "welcome": { "delay": "0s" }, "topic": { "names": { "r101": "群" } }, "links": {}, "flood": { "messages": 2 },
    "repeats": { "times": 1, "by_several": 1 }, "notify": ["r102"],
}))]
async fn our_remarks_stay_ours_in_judgements_and_the_log(bot: Kit<GroupAdmin>) {
    const REMARK: &str = "难缠的客户";
    let alice = bot.user(REMARK);
    let contact = Contact::nameless("@a".parse().unwrap(), ContactKind::Person);
    let (nick_name, remark_name) = ("Alice".into(), REMARK.into());
    bot.add_contact(alice.person().id.clone(), Contact { nick_name, remark_name, ..contact });
    let admin = bot.user("阿明");
    let (room, staff) = (bot.room("群", [&admin]), bot.room("管理群", []));
    let of_room = Contact::nameless("@@r".parse().unwrap(), ContactKind::Room);
    let (nick_name, remark_name) = ("群".into(), "赚钱的群".into());
    bot.add_contact(room.chat().id.clone(), Contact { nick_name, remark_name, ..of_room });
    let (alice, admin) = (alice.in_room(&room), admin.in_room(&room));
    admin.is(Role::GroupAdmin);
    let mut said = Vec::new();
    // The list of members cannot be had for whoever is not in it yet.
    said.extend(happens(&bot, &room, joined(&[REMARK])).await.replies());
    said.extend(happens(&bot, &room, renamed("x", Who::other(REMARK))).await.replies());
    for text in ["a.com", "b.com", "c.com", "同样的话同样的话", "同样的话同样的话"] {
        said.extend(alice.say(text).await.replies());
        bot.advance(Duration::from_secs(61)).await;
    }
    said.extend(room.hears().replies());
    said.extend(staff.hears().replies());
    for text in ["日志", "日志 2", "状态", "公告 r101 x"] {
        said.extend(admin.say(text).await.replies());
    }
    let all = said.join("\n");
    assert!(all.contains("Alice") && all.contains("通报 Alice") && all.contains("恢复群名 Alice"), "{all}");
    assert!(!all.contains(REMARK) && !all.contains("赚钱的群"), "{all}");
}
