//! What reaches several rooms, and when?

use super::*;

#[wxbot_plugin::test(settings = json!({ "announce": [
    { "cron": "0 0 9 * * *", "rooms": ["r101", "r102"], "text": "早上好,{{ room }}!{{ date }} {{ time }} {{ weekday }}" },
    { "cron": "0 0 18 * * Fri", "rooms": ["r101"], "text": "周末愉快" },
] }))]
async fn schedules_of_the_settings_speak_in_their_rooms(bot: Kit<GroupAdmin>) {
    let (one, two) = (bot.room("一群", []), bot.room("二群", []));
    bot.fires("announce:0").await.gets_each(["早上好,一群!2026-01-01 08:00 Thu", "早上好,二群!2026-01-01 08:00 Thu"]);
    one.hears().gets_containing("一群");
    two.hears().gets_containing("二群");
    bot.fires("announce:1").await.gets("周末愉快");
}

#[wxbot_plugin::test(settings = json!({
    "quiet": [{ "hours": "22:00-09:00", "rooms": ["r101"] }],
    "announce": [{ "cron": "0 0 8 * * *", "rooms": ["r101", "r102"], "text": "早" }],
}))]
async fn announcements_wait_until_it_is_no_longer_quiet(bot: Kit<GroupAdmin>) {
    let (room, other) = (bot.room("群", []), bot.room("别的群", []));
    bot.fires("announce:0").await.gets("早");
    bot.fires("announce:0").await.gets("早");
    assert_eq!(other.hears().replies().len(), 2, "it is not quiet there");
    bot.restart().await.unwrap();
    bot.advance(minutes(59)).await.gets_nothing();
    bot.advance(minutes(1)).await.gets("早");
    room.hears().gets("早");
}

#[wxbot_plugin::test(settings = json!({ "announce": [{
    "cron": "0 0 8 * * *", "text": "早 {{ room }}",
    "rooms": ["r101", "r102", "r103", "r104", "r105", "r106", "r107", "r108", "r109", "r110", "r111"],
}] }))]
async fn many_rooms_are_told_some_at_a_time(bot: Kit<GroupAdmin>) {
    let rooms: Vec<_> = (1..=11).map(|n| bot.room(&format!("群{n}"), [])).collect();
    assert_eq!(bot.fires("announce:0").await.replies().len(), 9);
    bot.restart().await.unwrap();
    assert_eq!(bot.advance(minutes(1)).await.replies().len(), 2);
    for (n, room) in rooms.iter().enumerate() {
        room.hears().gets(&format!("早 群{}", n + 1));
    }
}

#[test]
fn a_picture_and_a_text_come_together() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("poster.png"), b"\x89PNG\r\n\x1a\n").unwrap();
    let image = folder.path().join("poster.png");
    let settings = json!({ "announce": [{ "cron": "0 0 8 * * *", "rooms": ["r101"], "text": "看", "image": image }] });
    wxbot_plugin::testing::run(settings, &[], async |bot: Kit<GroupAdmin>| {
        let room = bot.room("群", []);
        bot.fires("announce:0").await;
        let sent = room.hears().sent().len();
        let media = bot.sent_media();
        let [picture] = &media[..] else { panic!("one picture: {media:?}") };
        assert_eq!((sent, picture.shape, &picture.source), (2, MediaShape::Image, &MediaSource::path(&image)));
        bot.cannot(&[Capability::SendImage]);
        bot.fires("announce:0").await.gets("看");
    });
}

#[wxbot_plugin::test(settings = json!({}))]
async fn an_announcement_by_command_takes_a_role_and_a_code(bot: Kit<GroupAdmin>) {
    let (alice, bob) = (bot.user("alice"), bot.user("bob"));
    let rooms: Vec<_> = (1..=12).map(|n| bot.room(&format!("群{n}"), [&alice])).collect();
    bob.say("公告 全部 hi").await.replies();
    assert!(bot.acted().is_empty(), "bob may not");
    alice.is(Role::Admin);
    let question = alice.say("公告 全部 明天 {{ room }} 停电").await.replies().remove(0);
    assert!(question.contains("向 12 个群发公告: 群1、"), "{question}");
    alice.say("9").await.gets_containing("验证码不对");
    assert!(bot.acted().is_empty());
    bot.advance(minutes(1)).await.gets_nothing();
    let question = alice
        .say("公告 r101,r102,r103,r104,r105,r106,r107,r108,r109,r110,r101 明天 {{ room }} 停电")
        .await
        .replies()
        .remove(0);
    assert!(question.contains("向 10 个群"), "{question}");
    alice.say(&code_in(&question)).await.gets("好的,开始发(10 个群)");
    bot.advance(minutes(1)).await.replies();
    for (n, room) in rooms.iter().enumerate() {
        let heard = room.hears();
        // What somebody types is no template.
        if n < 10 {
            heard.gets("明天 {{ room }} 停电")
        } else {
            heard.gets_nothing()
        };
    }
}

#[wxbot_plugin::test(settings = json!({ "rooms": ["r101"] }))]
async fn only_rooms_that_are_looked_after_are_told(bot: Kit<GroupAdmin>) {
    let alice = bot.user("alice");
    alice.is(Role::Owner);
    bot.room("一群", []);
    bot.room("二群", []);
    for (text, why) in [
        ("公告 r102 hi", "r102 不是这里管理的群"),
        ("公告 p101 hi", "p101 不是这里管理的群"),
        ("公告 所有 hi", "用法"),
        ("公告 , hi", "用法"),
        (&*format!("公告 全部 {}", "长".repeat(1_100)), "公告太长"),
    ] {
        alice.say(text).await.gets_containing(why);
        bot.advance(minutes(1)).await.gets_nothing();
    }
    alice.say("公告 全部 hi").await.gets_containing("向 1 个群发公告: 一群");
    bot.advance(minutes(2)).await.gets_nothing();
    alice.say("1234").await.gets_nothing();
    assert!(bot.acted().is_empty(), "the code is over after a minute");
}

#[wxbot_plugin::test(settings = json!({
    "mode": "shadow", "notify": ["p900"],
    "announce": [{ "cron": "0 0 8 * * *", "rooms": ["r101"], "text": "早" }],
}))]
async fn in_shadow_mode_nothing_is_announced(bot: Kit<GroupAdmin>) {
    let alice = bot.user("alice");
    let room = bot.room("群", [&alice]);
    bot.fires("announce:0").await.gets("[观察 shadow] 「群」本来会公告:定时");
    alice.is(Role::Admin);
    let question = alice.say("公告 全部 hi").await.replies().remove(0);
    alice.say(&code_in(&question)).await.gets("观察模式,不会真的发(1 个群)");
    room.hears().gets_nothing();
}

#[wxbot_plugin::test(settings = json!({ "announce": [{
    "cron": "*/1 * * * * *", "text": "早 {{ room }}",
    "rooms": ["r101", "r102", "r103", "r104", "r105", "r106", "r107", "r108", "r109", "r110", "r111"],
}] }))]
async fn one_that_is_due_again_does_not_cut_itself_off(bot: Kit<GroupAdmin>) {
    let rooms: Vec<_> = (1..=11).map(|n| bot.room(&format!("群{n}"), [])).collect();
    let marks = || bot.kv_keys().into_iter().find(|key| key.starts_with("announcing:"));
    let mut under_way = None;
    for _ in 0..6 {
        bot.fires("announce:0").await.replies();
        under_way = marks().or(under_way);
        bot.advance(Duration::from_secs(1)).await.replies();
    }
    let heard: Vec<usize> = rooms.iter().map(|room| room.hears().replies().len()).collect();
    assert!(heard.iter().all(|n| *n >= 2) && heard.iter().all(|n| *n <= 3), "{heard:?}");
    // A step that was lost does not hold it up for ever.
    bot.advance(minutes(1)).await.replies();
    assert_eq!(marks(), None, "nothing is under way any more");
    bot.set_kv(&under_way.unwrap(), &(bot.now_ms() + 50_000)).unwrap();
    assert_eq!(bot.fires("announce:0").await.replies().len(), 0);
    bot.advance(minutes(1)).await.replies();
    assert_eq!(bot.fires("announce:0").await.replies().len(), 9);
}

#[wxbot_plugin::test(settings = json!({ "announce": [{ "cron": "0 0 8 * * *", "text": "新", "rooms": ["r102"] }] }))]
async fn what_was_left_of_another_announcement_is_not_said(bot: Kit<GroupAdmin>) {
    let (other, room) = (bot.room("一群", []), bot.room("二群", []));
    let happens = async |mark: u64, rooms: &[&str]| {
        let (plugin, name) = ("group-admin".to_owned(), "announce:x".to_owned());
        let payload = json!({ "mark": mark, "rooms": rooms });
        let kind = EventKind::Timer { plugin, name, payload, due_ms: bot.now_ms() };
        bot.user("服务").in_room(&room).does(kind).await
    };
    happens(7, &["r102"]).await.gets_nothing();
    let settings = Place::default();
    let read = |text: &str| {
        let announce = json!({ "cron": "0 0 8 * * *", "text": text, "rooms": ["r102"] });
        <crate::life::settings::Announce as PluginConfig>::read(&announce, &settings).unwrap()
    };
    let mark = |text: &str| crate::life::announce::mark(&read(text));
    happens(mark("旧"), &["r102"]).await.gets_nothing();
    // A room that was taken out is told nothing.
    happens(mark("新"), &["r101"]).await.gets_nothing();
    happens(mark("新"), &["r101", "r102"]).await.gets("新");
    other.hears().gets_nothing();
}
