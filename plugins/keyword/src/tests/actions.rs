//! What do rules do, how often, and what do they leave undone?

use std::time::Duration;

use wxbot_plugin::model::{Contact, ContactKind};

use super::*;

#[wxbot_plugin::test(settings = json!({ "rules": [
    { "name": "price", "any": "多少钱", "mention": true,
      "reply": "{{ sender }}|{{ sender_id }}|{{ room }}|{{ chat }}|{{ keyword }}|{{ found }}|{{ rule }}|{{ text }}|{{ date }} {{ time }}" },
] }))]
async fn a_reply_is_a_template(bot: Kit<Keyword>) {
    let alice = bot.user("alice");
    let room = bot.room("茶", [&alice]);
    let heard = alice.in_room(&room).say(" 多少钱? ").await;
    let heard = heard.gets("alice|p101|茶|茶|多少钱|多少钱|price|多少钱?|2026-01-01 08:00");
    assert!(matches!(heard.sent()[0].what, wxbot_plugin::testing::What::Text { mentions: true, .. }));
    alice.say("多少钱").await.gets("alice|p101||alice|多少钱|多少钱|price|多少钱|2026-01-01 08:00");
}

#[wxbot_plugin::test(settings = json!({ "cooldown": "10s", "rules": [
    { "name": "chat", "any": "a", "reply": "A" },
    { "name": "person", "any": "b", "reply": "B", "per": "person", "cooldown": "1min" },
    { "name": "always", "any": "c", "reply": "C", "cooldown": "0s" },
] }))]
async fn cooldowns_are_per_chat_or_person(bot: Kit<Keyword>) {
    let (alice, bob) = (bot.user("alice"), bot.user("bob"));
    let room = bot.room("one", [&alice, &bob]);
    let (in_room, bob_in_room) = (alice.in_room(&room), bob.in_room(&room));
    in_room.say("a").await.gets("A");
    let heard = bob_in_room.say("a").await.gets_nothing();
    assert!(heard.explained().contains("cooldown: it would reply, and rests for 10 s more"), "{}", heard.explained());
    alice.say("a").await.gets("A");
    in_room.say("b").await.gets("B");
    in_room.say("b").await.gets_nothing();
    bob_in_room.say("b").await.gets("B");
    in_room.say("c").await.gets("C");
    in_room.say("c").await.gets("C");
    bot.advance(Duration::from_millis(9_999)).await;
    in_room.say("a").await.gets_nothing();
    // It outlives a restart.
    bot.restart().await.unwrap();
    in_room.say("a").await.gets_nothing();
    bot.advance(Duration::from_millis(1)).await;
    in_room.say("a").await.gets("A");
    in_room.say("b").await.gets_nothing();
}

#[wxbot_plugin::test(settings = json!({ "cooldown": "10s", "rules": [{ "any": "a", "reply": "A" }] }))]
async fn a_crash_before_the_commit_neither_doubles_nor_loses_a_reply(bot: Kit<Keyword>) {
    let alice = bot.user("alice");
    bot.crash_before_commit();
    alice.say("a").await.gets("A");
    alice.say("a").await.gets_nothing();
    assert_eq!(bot.user("alice").say("x").await.sent().len(), 0);
}

#[wxbot_plugin::test(settings = json!({ "rules": [
    { "name": "urgent", "any": "急", "forward_to": ["r102", "p102"] },
] }))]
async fn a_message_is_passed_on(bot: Kit<Keyword>) {
    let (alice, bob) = (bot.user("alice"), bot.user("bob"));
    let (one, two) = (bot.room("one", [&alice]), bot.room("two", [&bob]));
    alice.in_room(&one).say("很急!").await.gets_nothing();
    two.hears().gets("很急!");
    bob.hears().gets("很急!");
    // Not to where it was said.
    alice.in_room(&two).say("急").await.gets_nothing();
    two.hears().gets_nothing();
    bob.hears().gets("急");
}

#[wxbot_plugin::test(settings = json!({ "forward_limit": 3, "rules": [
    { "name": "there", "any": "急", "rooms": "r101", "forward_to": "r102" },
    { "name": "back", "any": "急", "rooms": "r102", "forward_to": "r101" },
] }))]
async fn rooms_that_pass_messages_to_each_other_come_to_rest(bot: Kit<Keyword>) {
    // Two accounts of ours, each a stranger to the other.
    let (alice, first, second) = (bot.user("alice"), bot.user("first"), bot.user("second"));
    let (one, two) = (bot.room("one", [&alice, &second]), bot.room("two", [&first]));
    alice.in_room(&one).say("急!").await;
    let mut rounds = 0;
    while rounds < 50 && !bot.acted().is_empty() {
        rounds += 1;
        first.in_room(&two).say("急!").await;
        second.in_room(&one).say("急!").await;
        bot.advance(Duration::from_secs(50)).await;
    }
    assert!(rounds <= 2, "{rounds}");
    for n in 0..5 {
        alice.in_room(&one).say(&format!("急 {n}")).await;
    }
    let heard = alice.in_room(&one).say("急 6").await;
    assert!(heard.explained().contains("it passed 3 messages on to r102 in a minute"), "{}", heard.explained());
    assert_eq!(bot.acted().len(), 3);
    bot.advance(Duration::from_secs(61)).await;
    alice.in_room(&one).say("急 6").await;
    assert_eq!(bot.acted().len(), 1);
}

#[wxbot_plugin::test(settings = json!({ "rules": [
    { "name": "r", "any": "词", "reply": "x", "cooldown": "1h", "per": "person" },
    { "name": "chat", "any": "句", "reply": "y", "cooldown": "1h" },
] }))]
async fn many_people_end_nobodys_rest(bot: Kit<Keyword>) {
    let alice = bot.user("alice");
    let room = bot.room("one", [&alice]);
    alice.in_room(&room).say("词").await.gets("x");
    alice.in_room(&room).say("句").await.gets("y");
    for n in 0..250 {
        bot.user(&format!("u{n}")).in_room(&room).say("词").await.gets("x");
    }
    alice.in_room(&room).say("词").await.gets_nothing();
    alice.in_room(&room).say("句").await.gets_nothing();
    // Once a day what is over goes.
    let rests = |bot: &Kit<Keyword>| bot.kv_keys().iter().filter(|key| key.starts_with("rest:")).count();
    bot.fires("tidy").await;
    assert_eq!(rests(&bot), 252, "not yet over");
    bot.advance(Duration::from_secs(3_601)).await;
    bot.fires("tidy").await;
    assert_eq!(rests(&bot), 0);
}

#[wxbot_plugin::test(settings = json!({ "notify_every": "1min", "rules": [
    { "name": "r", "any": "词", "reply": "x", "cooldown": "1h", "tag": "t", "notify": "p9", "forward_to": "p8" },
] }))]
async fn values_of_another_shape_count_as_none(bot: Kit<Keyword>) {
    let odd = json!({ "t": { "at_ms": 5, "count": 3, "colour": "red" }, "odd": 7 });
    for key in ["rest:p101", "told:p101", "forwarded:p101", "hits:p101:05"] {
        bot.set_kv(key, &json!("spoiled")).unwrap();
    }
    bot.set_kv("tag:p101", &odd).unwrap();
    bot.user("alice").say("词").await.gets("x");
    let tags: Value = bot.kv("tag:p101").unwrap().unwrap();
    assert_eq!(tags["t"]["count"], json!(4), "what is understood of it counts, with a field nobody knows");
}

#[wxbot_plugin::test(settings = json!({ "rules": [{ "name": "join", "any": "进群", "invite_to": "r102" }] }))]
async fn friends_and_private_chats_are_invited(bot: Kit<Keyword>) {
    let (alice, bob) = (bot.user("alice"), bot.user("bob"));
    let (one, two) = (bot.room("one", [&alice, &bob]), bot.room("two", []));
    let asked = |who: &str| Action::AddMembers { room: two.chat().id.clone(), members: vec![who.parse().unwrap()] };
    alice.say("我要进群").await;
    assert_eq!(bot.acted(), [asked("p101")]);
    // Not again at once, wherever.
    let heard = alice.say("进群").await;
    assert!(heard.explained().contains("invite: it invited this person a moment ago"), "{}", heard.explained());
    assert_eq!(bot.acted(), []);
    bot.advance(Duration::from_secs(601)).await;
    alice.in_room(&one).say("进群").await;
    assert_eq!(bot.acted(), [asked("p101")], "a friend, in a room");
    let lost = Contact { is_ours: false, ..Contact::nameless("@p102".parse().unwrap(), ContactKind::Person) };
    bot.add_contact(bob.person().id.clone(), lost);
    let heard = bob.in_room(&one).say("进群").await;
    assert!(heard.explained().contains("invite: the sender is no friend"), "{}", heard.explained());
    let heard = bob.in_room(&two).say("进群").await;
    assert!(heard.explained().contains("invite: the sender is in that room"), "{}", heard.explained());
    assert_eq!(bot.acted(), []);
    bob.say("进群").await;
    assert_eq!(bot.acted(), [asked("p102")], "whoever writes in private has asked");
}

#[wxbot_plugin::test(settings = json!({ "rules": [{ "name": "join", "any": "进群", "invite_to": "r9", "reply": "好" }] }))]
async fn what_the_protocol_cannot_do_is_left_undone(bot: Kit<Keyword>) {
    bot.cannot(&[Capability::AddMembers]);
    let heard = bot.user("alice").say("进群").await.gets("好");
    assert!(heard.explained().contains("this account's protocol cannot do it"), "{}", heard.explained());
    assert_eq!(bot.acted(), []);
}

#[wxbot_plugin::test(settings = json!({ "notify_every": "1min", "rules": [
    { "name": "adverts", "any": "加微信", "notify": true },
    { "name": "urgent", "any": "急", "notify": ["p103"], "notify_text": "{{ sender }}@{{ chat }}: {{ text }}" },
] }))]
async fn owners_are_told_at_once_and_then_by_number(bot: Kit<Keyword>) {
    let (owner, alice, carol) = (bot.user("owner"), bot.user("alice"), bot.user("carol"));
    owner.is(Role::Owner);
    let room = bot.room("茶", [&owner, &alice]);
    let in_room = alice.in_room(&room);
    in_room.say("加微信 abc").await.gets_nothing();
    owner.hears().gets("🔔 adverts:「茶」里的alice 说了「加微信」\n加微信 abc");
    for _ in 0..12 {
        in_room.say("加微信 abc").await.gets_nothing();
    }
    owner.hears().gets_nothing();
    in_room.say("急").await.gets_nothing();
    carol.hears().gets("alice@茶: 急");
    alice.say("加微信").await.gets_nothing();
    owner.hears().gets("🔔 adverts:私聊里的alice 说了「加微信」\n加微信");
    bot.advance(Duration::from_secs(60)).await;
    owner.hears().gets("🔔 adverts:「茶」里 1min 内再命中 12 次 (12 more hits)");
    // The number was a notice too: the next hit is counted.
    in_room.say("加微信").await.gets_nothing();
    owner.hears().gets_nothing();
    bot.advance(Duration::from_secs(60)).await;
    owner.hears().gets_containing("再命中 1 次");
    bot.advance(Duration::from_secs(60)).await;
    owner.hears().gets_nothing();
    in_room.say("加微信").await.gets_nothing();
    owner.hears().gets_containing("说了「加微信」");
}

#[wxbot_plugin::test(settings = json!({ "rules": [{ "name": "r", "any": "词", "notify": true }] }))]
async fn nobody_is_told_what_they_said_themselves(bot: Kit<Keyword>) {
    let owner = bot.user("owner");
    let heard = owner.say("词").await.gets_nothing();
    assert!(heard.explained().contains("notify: there is nobody to tell"), "{}", heard.explained());
    owner.is(Role::Owner);
    owner.say("词").await.gets_nothing();
}

#[wxbot_plugin::test(settings = json!({ "rules": [
    { "any": ["价格", "多少钱"], "tag": ["buyer", "hot"] },
    { "any": "退款", "tag": "refund" },
] }))]
async fn senders_are_tagged(bot: Kit<Keyword>) {
    let (alice, bob) = (bot.user("alice"), bot.user("bob"));
    alice.say("价格").await.gets_nothing();
    bot.advance(Duration::from_secs(1)).await;
    alice.in_room(&bot.room("one", [&alice])).say("多少钱 退款").await.gets_nothing();
    bob.say("你好").await.gets_nothing();
    let tags: Value = bot.kv("tag:p101").unwrap().unwrap();
    let at = 1_767_225_601_000_i64;
    let want = json!({ "buyer": { "at_ms": at, "count": 2 }, "hot": { "at_ms": at, "count": 2 },
        "refund": { "at_ms": at, "count": 1 } });
    assert_eq!(tags, want);
    assert_eq!(bot.kv::<Value>("tag:p102").unwrap(), None);
}

#[tokio::test]
async fn one_message_does_no_more_than_wxbot_allows() {
    let rule = |n: usize| json!({ "name": n.to_string(), "any": "词", "reply": "x", "forward_to": ["p2", "p3"] });
    let rules: Vec<_> = (0..30).map(rule).collect();
    let mut kit = Kit::<Keyword>::start(json!({ "rules": rules })).await.unwrap();
    let event = kit.text_event("p1", None, "词");
    let effects = kit.effects(&event).await.unwrap();
    let count = |like: fn(&wxbot_plugin::Effect) -> bool| effects.iter().filter(|effect| like(effect)).count();
    let replies = count(|effect| matches!(effect, wxbot_plugin::Effect::Reply { .. }));
    let forwards = count(|effect| matches!(effect, wxbot_plugin::Effect::Act(_)));
    assert_eq!((replies, replies + forwards), (5, 20));
}

#[wxbot_plugin::test(settings = json!({ "rules": [
    { "name": "adverts", "any": ["加微信", "发票"], "reply": "x", "cooldown": "1h" },
    { "name": "not here", "any": "发票", "in": "private", "reply": "y" },
] }))]
async fn hits_are_counted_by_rule_and_keyword_and_day(bot: Kit<Keyword>) {
    let (admin, alice) = (bot.user("admin"), bot.user("alice"));
    admin.is(Role::Admin);
    let (one, two) = (bot.room("one", [&admin, &alice]), bot.room("two", [&admin]));
    alice.in_room(&one).say("加微信").await.gets("x");
    alice.in_room(&one).say("加微信 发票").await.gets_nothing();
    alice.in_room(&two).say("发票").await.gets("x");
    bot.advance(Duration::from_secs(86_400)).await;
    alice.in_room(&one).say("加微信").await.gets("x");
    let all = "近 7 天命中 4 次 (hits)\n1. adverts「加微信」 3\n2. adverts「发票」 1";
    admin.in_room(&one).say("命中").await.gets(all);
    admin.in_room(&one).say("hits 1").await.gets("近 1 天命中 1 次 (hits)\n1. adverts「加微信」 1");
    admin.in_room(&two).say("命中 1").await.gets("近 1 天没有命中 (no hits)");
    admin.say("命中 99").await.gets("近 31 天命中 5 次 (hits)\n1. adverts「加微信」 3\n2. adverts「发票」 2");
    alice.in_room(&one).say("命中").await.gets_nothing();
    assert_eq!(bot.kv_keys().iter().filter(|key| key.starts_with("hits:")).count(), 3);
}

#[wxbot_plugin::test(settings = json!({ "rules": [{ "name": "r", "any": "词", "tag": "t" }] }))]
async fn hits_are_forgotten_after_a_month(bot: Kit<Keyword>) {
    let admin = bot.user("admin");
    admin.is(Role::Admin);
    for _ in 0..40 {
        admin.say("词").await.gets_nothing();
        bot.advance(Duration::from_secs(86_400)).await;
    }
    assert_eq!(bot.kv_keys().iter().filter(|key| key.starts_with("hits:")).count(), 31);
    admin.say("命中 31").await.gets("近 31 天命中 30 次 (hits)\n1. r「词」 30");
}

#[wxbot_plugin::test(settings = json!({ "rules": [{ "name": "r", "any": "词", "tag": "t" }] }))]
async fn hits_of_silent_chats_are_removed_after_a_month(bot: Kit<Keyword>) {
    let (alice, admin) = (bot.user("alice"), bot.user("admin"));
    admin.is(Role::Admin);
    let hits = |bot: &Kit<Keyword>| bot.kv_keys().iter().filter(|key| key.starts_with("hits:")).count();
    alice.say("词").await.gets_nothing();
    bot.set_kv("hits:p7:03", &json!("spoiled")).unwrap();
    bot.advance(Duration::from_secs(30 * 86_400)).await;
    bot.fires("tidy").await;
    assert_eq!(hits(&bot), 1);
    bot.advance(Duration::from_secs(86_400)).await;
    bot.fires("tidy").await;
    assert_eq!(hits(&bot), 0);
}

#[wxbot_plugin::test(settings = json!({ "rules": [{ "name": "r", "any": "词", "tag": "t" }] }))]
async fn a_great_many_hits_are_counted_in_part_and_removed_in_turns(bot: Kit<Keyword>) {
    let admin = bot.user("admin");
    admin.is(Role::Admin);
    let day = |day: i64| json!({ "day": day, "total": 1, "words": { "r「词」": 1 } });
    // 2026-01-01 is day 20454 in Shanghai, where the clock says 08:00.
    for n in 0..20_001 {
        bot.set_kv(&format!("hits:p{}:00", n + 1_000), &day(20_454)).unwrap();
    }
    admin.say("命中").await.gets(
        "近 7 天命中 20000 次 (hits)\n1. r「词」 20000\n会话太多,只数了一部分;在群里问就是那个群的 (only a part was counted)",
    );
    bot.advance(Duration::from_secs(40 * 86_400)).await;
    for left in [15_001, 10_001, 5_001, 1] {
        bot.fires("tidy").await;
        let keys = bot.kv_keys();
        let hits = keys.iter().filter(|key| key.starts_with("hits:")).count();
        assert_eq!((hits, keys.iter().any(|key| key == "tidied")), (left, true));
    }
    bot.fires("tidy").await;
    assert!(!bot.kv_keys().iter().any(|key| key.starts_with("hits:") || key == "tidied"));
}
