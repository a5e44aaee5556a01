//! Which rules act, where, and in which order?

use super::*;

#[wxbot_plugin::test(settings = json!({ "rules": [
    { "name": "low", "any": "价格", "reply": "low" },
    { "name": "high", "any": ["价", "钱"], "priority": 5, "reply": "high" },
] }))]
async fn all_rules_that_are_hit_act_the_highest_priority_first(bot: Kit<Keyword>) {
    let alice = bot.user("alice");
    alice.say("价格是多少").await.gets_each(["high", "low"]);
    alice.say("多少钱").await.gets("high");
    alice.say("你好").await.gets_nothing();
}

#[wxbot_plugin::test(settings = json!({ "match": "first", "rules": [
    { "name": "one", "any": "价格", "reply": "1" },
    { "name": "two", "any": "价格", "reply": "2" },
] }))]
async fn with_first_only_the_first_rule_acts(bot: Kit<Keyword>) {
    let heard = bot.user("alice").say("价格").await.gets("1");
    assert!(heard.explained().contains("the rule one came before it"), "{}", heard.explained());
}

#[wxbot_plugin::test(settings = json!({ "rules": [
    { "name": "mute", "any": "禁", "stop": true, "reply": "stop" },
    { "name": "later", "any": "禁", "reply": "later" },
    { "name": "other", "any": "其他", "reply": "other" },
] }))]
async fn stop_ends_the_way_of_a_message(bot: Kit<Keyword>) {
    let alice = bot.user("alice");
    let heard = alice.say("禁 其他").await.gets("stop");
    assert!(heard.is_blocked());
    assert!(!alice.say("其他").await.gets("other").is_blocked());
}

#[wxbot_plugin::test(settings = json!({ "rules": [
    { "name": "adverts", "any": ["加微信"], "regex": [r"(?:qq|群)\s*\d{6,}"], "not": ["官方", "客服"], "reply": "no adverts" },
] }))]
async fn negative_words_keep_a_rule_from_acting(bot: Kit<Keyword>) {
    let alice = bot.user("alice");
    alice.say("加微信聊").await.gets("no adverts");
    alice.say("ＱＱ 1234567").await.gets("no adverts");
    let heard = alice.say("加微信找官方客服").await.gets_nothing();
    assert!(heard.explained().contains("left rule adverts: the negative word `官方`"), "{}", heard.explained());
}

#[wxbot_plugin::test(settings = json!({ "rules": [
    { "name": "group", "any": "x", "in": "group", "reply": "group" },
    { "name": "private", "any": "x", "in": "private", "reply": "private" },
    { "name": "me", "any": "x", "at_me": true, "in": "group", "reply": "me" },
    { "name": "one room", "any": "y", "rooms": ["r102"], "reply": "room r102" },
    { "name": "one person", "any": "y", "people": "p102", "reply": "person p102" },
] }))]
async fn rules_have_their_rooms_people_and_sorts_of_chat(bot: Kit<Keyword>) {
    let (alice, bob) = (bot.user("alice"), bot.user("bob"));
    let (one, two) = (bot.room("one", [&alice, &bob]), bot.room("two", [&alice, &bob]));
    alice.say("x").await.gets("private");
    alice.in_room(&one).say("x").await.gets("group");
    alice.in_room(&one).at_me("x").await.gets_each(["group", "me"]);
    let heard = alice.in_room(&one).say("y").await.gets_nothing();
    assert!(heard.explained().contains("rule one room: it does not listen in this room"), "{}", heard.explained());
    alice.in_room(&two).say("y").await.gets("room r102");
    bob.in_room(&two).say("y").await.gets_each(["room r102", "person p102"]);
    bob.say("y").await.gets("person p102");
}

#[wxbot_plugin::test(settings = json!({ "simplify": true, "rules": [
    { "any": ["发票", "ＡＩ"], "whole_word": true, "reply": "{{ keyword }}/{{ found }}" },
] }))]
async fn folding_finds_what_people_mean(bot: Kit<Keyword>) {
    let alice = bot.user("alice");
    alice.say("要开發票吗").await.gets("发票/發票");
    alice.say("用ai画").await.gets("ＡＩ/ai");
    alice.say("发\u{200B}票").await.gets("发票/发\u{200B}票");
    alice.say("my mail").await.gets_nothing();
}

#[tokio::test]
async fn the_highest_priority_counts_however_much_a_text_hits() {
    let folder = tempfile::tempdir().unwrap();
    let words: Vec<String> = ('一'..'龥').take(2_000).map(String::from).collect();
    let rows: Vec<String> = words.iter().map(|word| format!("{word},low,")).collect();
    let faq = format!("keyword,reply,priority\n{}\n尾巴,high,5\n", rows.join("\n"));
    std::fs::write(folder.path().join("faq.csv"), faq).unwrap();
    let rules = json!([
        { "name": "faq", "files": ["faq.csv"], "reply": "x" },
        { "name": "not", "any": ["一"], "not": ["排除"], "reply": "not" },
        { "name": "regex", "regex": [r"\d{3}$"], "reply": "regex" },
    ]);
    let mut init = InitCtx::new();
    init.place = Place::of(folder.path());
    let bot = Kit::<Keyword>::start_at(json!({ "rules": rules }), init).await.unwrap();
    let text = format!("{}尾巴", words.concat());
    let alice = bot.user("alice");
    alice.say(&text).await.gets_each(["high", "not"]);
    alice.say(&format!("{text}排除123")).await.gets_each(["high", "regex"]);
}

#[wxbot_plugin::test(settings = json!({ "ignore_case": false, "ignore_width": false, "rules": [{ "any": "AI", "reply": "x" }] }))]
async fn folding_can_be_switched_off(bot: Kit<Keyword>) {
    let alice = bot.user("alice");
    alice.say("AI").await.gets("x");
    alice.say("ai").await.gets_nothing();
    alice.say("ＡＩ").await.gets_nothing();
    // 發 is not 发 unless `simplify` says so.
    alice.say("發").await.gets_nothing();
}

#[wxbot_plugin::test(settings = json!({ "rules": [{ "name": "r", "any": "词", "reply": "x" }] }))]
async fn only_what_people_type_is_heard(bot: Kit<Keyword>) {
    let alice = bot.user("alice");
    let room = bot.room("one", [&alice]);
    for content in [
        quoting("词", "词"),
        forwarding("词"),
        Content::System { text: "词".into() },
        Content::Link(wxbot_plugin::model::Link { title: "词".into(), ..Default::default() }),
    ] {
        let kind = content.kind();
        let heard = alice.in_room(&room).sends(content).await.gets_nothing();
        assert!(heard.explained().contains("it is no plain text"), "{kind}: {}", heard.explained());
    }
    alice.in_room(&room).say("词").await.gets("x");
}

#[tokio::test]
async fn our_own_late_and_official_messages_do_nothing() {
    type Change = fn(&mut Event);
    let changes: [(&str, Change, bool); 5] = [
        ("nothing changed", |_| {}, true),
        ("our own", |event| message_of(event).from_self = true, false),
        ("late", |event| event.late = true, false),
        ("official account", |event| event.chat.kind = ChatKind::Official, false),
        ("built-in account", |event| event.chat.kind = ChatKind::Special, false),
    ];
    let mut kit = Kit::<Keyword>::start(json!({ "rules": [{ "any": "hi", "reply": "x" }] })).await.unwrap();
    for (name, change, acts) in changes {
        let mut event = kit.text_event("p1", None, "hi");
        change(&mut event);
        assert_eq!(!kit.handle(&event).await.unwrap().is_empty(), acts, "{name}");
    }
}

fn message_of(event: &mut Event) -> &mut Message {
    let EventKind::Message(message) = &mut event.kind else { panic!("a message") };
    message
}
