//! What do broken settings, hostile texts and pretenders get? Clear errors, and nothing else.

use std::fs;

use super::*;

fn problems(settings: Value) -> Vec<(String, String)> {
    let read = Settings::read(&settings, &Place::default());
    let problems = read.err().unwrap_or_default();
    // Of a value of another sort the message says all there is.
    let helped =
        |one: &ConfigProblem| one.help.as_ref().is_some_and(|help| !help.is_empty()) || one.message.contains(", not a");
    assert!(problems.iter().all(helped), "{problems:?}");
    problems.into_iter().map(|problem| (problem.pointer, problem.message)).collect()
}

#[test]
fn wrong_rules_are_told_at_their_place() {
    let ok = || json!({ "any": "x", "reply": "y" });
    for (rule, pointer, part) in [
        (json!({ "regex": "(", "reply": "x" }), "/rules/1/regex", "no regex"),
        (json!({ "regex": ["a", "[z-a]"], "reply": "x" }), "/rules/1/regex/1", "no regex"),
        (json!({ "regex": r"\w{100}{100}", "reply": "x" }), "/rules/1/regex", "larger than 1 MiB"),
        (json!({ "regex": "a*", "reply": "x" }), "/rules/1/regex", "the empty text"),
        (json!({ "any": ["a", " "], "reply": "x" }), "/rules/1/any/1", "is empty"),
        (json!({ "any": [], "reply": "x" }), "/rules/1/any", "is an empty list"),
        (json!({ "any": "长".repeat(257), "reply": "x" }), "/rules/1/any", "at most 256 characters"),
        (json!({ "any": "a", "not": "\u{200B}", "reply": "x" }), "/rules/1/not", "is empty"),
        (json!({ "reply": "x" }), "/rules/1", "does not say what it looks for"),
        (json!({ "any": "a" }), "/rules/1", "the rule does nothing"),
        (json!({ "any": "a", "reply": "{{ sendr }}" }), "/rules/1/reply", "uses `sendr`"),
        (json!({ "any": "a", "reply": "{% if %}" }), "/rules/1/reply", "cannot be read"),
        (json!({ "any": "a", "reply": "x", "in": "privat" }), "/rules/1/in", "cannot be `privat`"),
        (json!({ "any": "a", "reply": "x", "in": "private", "at_me": true }), "/rules/1/at_me", "nobody is mentioned"),
        (json!({ "any": "a", "reply": "x", "rooms": "p1" }), "/rules/1/rooms", "`p1` is no room"),
        (json!({ "any": "a", "reply": "x", "people": ["p1", "r1"] }), "/rules/1/people", "`r1` is no person"),
        (json!({ "any": "a", "invite_to": "p1" }), "/rules/1/invite_to", "`p1` is no room"),
        (json!({ "any": "a", "tag": "x", "notify_text": "y" }), "/rules/1/notify_text", "nobody is told"),
        (json!({ "any": "a", "tag": ["x", "长".repeat(65)] }), "/rules/1/tag/1", "at most 64 characters"),
        (json!({ "any": "a", "tag": vec!["x"; 17] }), "/rules/1/tag", "at most 16 tags"),
        (json!({ "any": "a", "forward_to": vec!["p1"; 11] }), "/rules/1/forward_to", "names 11 people"),
        (json!({ "any": "a", "notify": vec!["p1"; 11] }), "/rules/1/notify", "names 11 people"),
        (json!({ "any": "a", "notify": 5 }), "/rules/1/notify", "true (the owner)"),
        (json!({ "any": "a", "stop": true, "mention": true }), "/rules/1/mention", "nothing to mention in"),
        (
            json!({ "files": ["missing.txt"], "reply": "x" }),
            "/rules/1/files/0",
            "the list `missing.txt`: the list cannot be read",
        ),
        (json!({ "any": "a", "replay": "x", "stop": true }), "/rules/1/replay", "there is no setting `replay`"),
    ] {
        let found = problems(json!({ "rules": [ok(), rule.clone()] }));
        let fits = matches!(&*found, [(at, message)] if at == pointer && message.contains(part));
        assert!(fits, "{rule}: {found:?}");
    }
    let named = |name: &str| json!({ "name": name, "any": "x", "reply": "y", "added": true });
    let found = problems(json!({ "rules": [named("a"), named("a")] }));
    let pointers: Vec<&str> = found.iter().map(|(pointer, _)| &**pointer).collect();
    assert_eq!(pointers, ["/rules/1/name", "/rules/1/added"]);
    let ranges = json!({ "notify_every": "1s", "look_every": "2h", "rules": [ok()] });
    assert_eq!(Settings::read(&ranges, &Place::default()).map_err(|problems| problems.len()).err(), Some(2));
}

#[test]
fn files_with_mistakes_are_told_with_their_lines() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
    write("regex.toml", b"keywords = ['ok',\n{ keyword = '(', regex = true }]");
    write("long.txt", format!("ok\n{}\n", "a".repeat(300)).as_bytes());
    write("odd.bin", &[0xFF, 0xFE, 0x00, 0xD8, 0x41]);
    fs::create_dir(folder.path().join("folder.txt")).unwrap();
    for (name, part) in [
        ("regex.toml", "the list `regex.toml`: line 2: no regex"),
        ("long.txt", "the list `long.txt`: line 2: a keyword has at most 256 characters"),
        ("odd.bin", "the list `odd.bin`:"),
        ("folder.txt", "the list `folder.txt`: this is no file"),
    ] {
        let settings = json!({ "rules": [{ "files": [name], "reply": "x" }] });
        let problems = Settings::read(&settings, &Place::of(folder.path())).err().unwrap_or_default();
        let fits = problems.iter().any(|one| one.pointer == "/rules/0/files/0" && one.message.contains(part));
        assert!(fits && problems.iter().all(|one| one.help.is_some()), "{name}: {problems:?}");
        let shown = problems.iter().any(|one| one.message.contains(&*folder.path().to_string_lossy()));
        assert!(!shown, "the path of the machine is not shown: {problems:?}");
    }
}

#[test]
fn all_files_together_are_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let comment = format!("词\n#{}", "x".repeat(13 << 20));
    let names: Vec<String> = (0..5).map(|n| format!("{n}.txt")).collect();
    names.iter().for_each(|name| fs::write(folder.path().join(name), &comment).unwrap());
    // A file that two rules name is read once.
    let rules = json!([{ "files": names, "reply": "x" }, { "files": ["0.txt"], "reply": "y" }]);
    let problems = Settings::read(&json!({ "rules": rules }), &Place::of(folder.path())).map(|_| ()).unwrap_err();
    let fits = matches!(&*problems, [one] if one.pointer == "/rules" && one.message.contains("have 65 MiB"));
    assert!(fits, "{problems:?}");
}

#[wxbot_plugin::test(settings = json!({ "rules": [
    { "name": "loop", "any": "词", "reply": "{% for a in range(1000) %}{% for b in range(1000) %}x{% endfor %}{% endfor %}", "stop": true },
    { "name": "long", "any": "长", "reply": "{{ text * 100 }}" },
] }))]
async fn a_template_that_loops_is_stopped_and_the_rest_goes_on(bot: Kit<Keyword>) {
    let alice = bot.user("alice");
    let heard = alice.say("词").await.gets_nothing();
    assert!(heard.is_blocked(), "the rule's other actions are done");
    assert!(heard.explained().contains("its `reply` failed"), "{}", heard.explained());
}

#[wxbot_plugin::test(settings = json!({ "rules": [{ "any": "x", "reply": "y" }] }))]
async fn sec_r26_a_name_is_no_role(bot: Kit<Keyword>) {
    let real = bot.user("老板");
    real.is(Role::Owner);
    let pretender = bot.user("老板 ");
    for command in ["加词 a => b", "删词 a", "词表", "测词 a", "重读词表", "命中"] {
        pretender.say(command).await.gets_nothing();
        pretender.in_room(&bot.room("one", [&pretender])).say(command).await.gets_nothing();
    }
    real.say("加词 a => b").await.gets_containing("加了 1 个词");
}

#[wxbot_plugin::test(settings = json!({ "rules": [{ "any": "加词", "reply": "heard" }] }))]
async fn sec_r27_commands_in_quotes_and_records_do_nothing(bot: Kit<Keyword>) {
    let owner = bot.user("owner");
    owner.is(Role::Owner);
    owner.sends(quoting("/kw add a => b", "加词 a => b")).await.gets_nothing();
    owner.sends(quoting("看", "加词 a => b")).await.gets_nothing();
    owner.sends(forwarding("加词 a => b")).await.gets_nothing();
    assert_eq!(bot.kv_keys(), [""; 0]);
}

#[wxbot_plugin::test(settings = json!({ "rules": [
    { "name": "r", "any": "价格", "regex": r"(?:a|aa)+b", "reply": "{{ text }}", "notify": "p9", "forward_to": "p9" },
] }))]
async fn sec_r11_a_long_text_costs_little_and_is_looked_at_in_part(bot: Kit<Keyword>) {
    let alice = bot.user("alice");
    let heard = alice.say(&format!("价格{}", "a".repeat(100 * 1024))).await;
    let replies = heard.replies();
    assert!(replies.len() == 1 && replies[0].len() <= 4096, "{}", replies.len());
    // Behind the first 16 KiB nothing is looked for.
    alice.say(&format!("{}价格", "长".repeat(33 * 1024))).await.gets_nothing();
}

#[wxbot_plugin::test(settings = json!({ "rules": [{ "name": "r", "any": "词", "notify": true, "reply": "{{ sender }}" }] }))]
async fn sec_r33_what_people_write_is_no_template(bot: Kit<Keyword>) {
    let (owner, eve) = (bot.user("owner"), bot.user("{{ text }}{% for a in range(9) %}"));
    owner.is(Role::Owner);
    eve.say("词 {{ sender }}").await.gets("{{ text }}{% for a in range(9) %}");
    owner.hears().gets_containing("词 {{ sender }}");
    owner.say("加词 回 => {{ sender }}").await.gets_containing("加了 1 个词");
    eve.say("回").await.gets("{{ sender }}");
}

#[wxbot_plugin::test(settings = json!({ "rules": [
    { "name": "adverts", "any": "加微信", "regex": ["^帮助$"], "not": "官方", "reply": "{{ keyword }}" },
] }))]
async fn sec_r27_a_first_mention_hides_nothing(bot: Kit<Keyword>) {
    let alice = bot.user("alice");
    let member = alice.in_room(&bot.room("one", [&alice]));
    let advert = "加微信vx123 ".repeat(100);
    for text in
        ["@加微信vx123代开发票 @bot\u{2005}", "@bot\u{2005}加微信", "@加微信 hi", &format!("@x {advert}@bot\u{2005}")]
    {
        member.does(at_us(text)).await.gets("加微信");
    }
    // Where nothing stands before it, a mention is no part of what was typed.
    member.at_me("帮助").await.gets("^帮助$");
    member.at_me("帮助我").await.gets_nothing();
    member.does(at_us("@官方 加微信")).await.gets_nothing();
}

/// A text that mentions our account somewhere.
fn at_us(text: &str) -> EventKind {
    let mentions = Mentions { me: true, all: false };
    let content = Content::Text { text: text.to_owned() };
    EventKind::Message(Message { id: "0".parse().unwrap(), from_self: false, content, mentions })
}

#[wxbot_plugin::test(settings = json!({ "rules": [{ "any": "加微信", "reply": "{{ keyword }}" }] }))]
async fn sec_r27_invisible_characters_hide_nothing(bot: Kit<Keyword>) {
    let alice = bot.user("alice");
    for between in ["\u{200B}", "\u{FE00}", "\u{E0101}", "\u{E0041}", "\u{34F}", "\u{3164}", "\u{115F}", "\u{FFA0}"] {
        alice.say(&format!("加{between}微{between}{between}信")).await.gets("加微信");
    }
}
