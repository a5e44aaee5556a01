//! Who is answered, how often, and with which effects?

use serde_json::json;
use wxbot_plugin::Effect;
use wxbot_plugin::model::Mentions;
use wxbot_plugin::testing::Kit;

use super::*;

#[path = "llm/tests/log.rs"]
pub(crate) mod log;

async fn kit(settings: Value) -> Kit<AutoReply> {
    assert_eq!(Settings::check(&settings), []);
    Kit::start(settings).await.unwrap()
}

async fn rules(rules: Value) -> Kit<AutoReply> {
    kit(json!({ "rules": rules })).await
}

fn effects_of(effects: Effects) -> Vec<(String, bool)> {
    let show = |effect: Effect| {
        let Effect::Reply { text, mention_sender } = effect else { panic!("{effect:?}") };
        (text, mention_sender)
    };
    effects.into_iter().map(show).collect()
}

#[tokio::test]
async fn the_first_rule_that_matches_wins() {
    let mut kit = rules(json!([
        { "exact": "hi", "in": "group", "at_me": true, "reply": "room, to me" },
        { "exact": "hi", "in": "group", "reply": "room" },
        { "exact": "hi", "in": "private", "reply": "private" },
        { "contains": "hi", "reply": ["contains", "{{ text }}"] },
        { "regex": r"^(\d+)\+(\d+)$", "reply": "{{ groups[1]|int + groups[2]|int }}" },
        { "any": true, "in": "private", "reply": "what?" },
    ]))
    .await;
    for (text, private, room, to_me) in [
        ("hi", vec!["private"], vec!["room"], vec!["room, to me"]),
        ("@bot\u{2005}hi", vec!["contains", "@bot\u{2005}hi"], vec!["contains", "@bot\u{2005}hi"], vec!["room, to me"]),
        (" this ", vec!["contains", "this"], vec!["contains", "this"], vec!["contains", "this"]),
        ("1+2", vec!["3"], vec!["3"], vec!["3"]),
        ("x", vec!["what?"], vec![], vec![]),
    ] {
        assert_eq!(kit.say(text).await.unwrap(), private, "{text}");
        assert_eq!(kit.say_in_room(text, false).await.unwrap(), room, "{text}");
        assert_eq!(kit.say_in_room(text, true).await.unwrap(), to_me, "{text}");
    }
}

#[tokio::test]
async fn what_is_never_answered() {
    type Change = fn(&mut Event);
    let changes: [(&str, Change, bool); 9] = [
        ("nothing changed", |_| {}, true),
        ("our own", |event| message_of(event).from_self = true, false),
        ("late", |event| event.late = true, false),
        ("nobody's", |event| event.sender = None, false),
        ("official account", |event| event.chat.kind = ChatKind::Official, false),
        ("built-in account", |event| event.chat.kind = ChatKind::Special, false),
        ("system text", |event| message_of(event).content = Content::System { text: "hi".into() }, false),
        ("no message", |event| event.kind = EventKind::ContactChanged, false),
        ("everyone is not me", |event| message_of(event).mentions = Mentions { me: false, all: true }, true),
    ];
    let mut kit = rules(json!([{ "any": true, "reply": "x" }])).await;
    for (name, change, answered) in changes {
        let mut event = kit.text_event("p1", None, "hi");
        change(&mut event);
        assert_eq!(!kit.handle(&event).await.unwrap().is_empty(), answered, "{name}");
    }
}

fn message_of(event: &mut Event) -> &mut Message {
    let EventKind::Message(message) = &mut event.kind else {
        panic!("a message is changed before it becomes another kind")
    };
    message
}

#[tokio::test]
async fn a_mention_comes_once_and_only_in_rooms() {
    let mut kit = rules(json!([{ "any": true, "mention": true, "reply": ["{{ '' }}", "a", "b"] }])).await;
    for (room, want) in [(None, [("a", false), ("b", false)]), (Some("r1"), [("a", true), ("b", false)])] {
        let event = kit.text_event("p1", room, "hi");
        let effects = effects_of(kit.effects(&event).await.unwrap());
        assert_eq!(effects, want.map(|(text, mention)| (text.to_owned(), mention)), "{room:?}");
    }
}

#[tokio::test]
async fn the_common_cooldown_is_per_chat() {
    let mut kit = kit(json!({ "cooldown": "5s", "rules": [
        { "exact": "a", "reply": "A" },
        { "exact": "b", "reply": "B" },
        { "exact": "own", "reply": "own", "cooldown": "1min" },
        { "exact": "always", "reply": "always", "cooldown": "0s" },
        { "exact": "blank", "reply": "{{ '' }}" },
    ] }))
    .await;
    // (ms that pass, who, room, text, is it answered)
    for (line, (pass, who, room, text, answered)) in [
        (0, "p1", None, "blank", false),
        (0, "p1", None, "a", true),
        (0, "p1", None, "b", false),
        (0, "p2", None, "a", true),
        (0, "p1", Some("r1"), "a", true),
        (0, "p2", Some("r1"), "a", false),
        (0, "p1", None, "own", true),
        (0, "p1", None, "always", true),
        (0, "p1", None, "always", true),
        (4_999, "p1", None, "a", false),
        (1, "p1", None, "b", true),
        (0, "p1", None, "own", false),
        (54_999, "p1", None, "own", false),
        (1, "p1", None, "own", true),
        (0, "p1", None, "a", true),
        // The clock is set back a day: no silence of a day, but the usual one from now.
        (-86_400_000, "p1", None, "a", true),
        (0, "p1", None, "a", false),
        (5_000, "p1", None, "a", true),
    ]
    .into_iter()
    .enumerate()
    {
        kit.advance_ms(pass);
        let event = kit.text_event(who, room, text);
        assert_eq!(!kit.handle(&event).await.unwrap().is_empty(), answered, "row {line}: {text}");
    }
}

#[tokio::test]
async fn the_moment_is_kept_with_the_answer_and_only_when_needed() {
    for (settings, want) in [
        (json!({ "rules": [{ "any": true, "reply": "x" }] }), vec![]),
        (json!({ "cooldown": "1s", "rules": [{ "any": true, "reply": "x" }] }), vec!["cooldown:p1"]),
        (json!({ "cooldown": "1s", "rules": [{ "any": true, "reply": "x", "cooldown": "0s" }] }), vec![]),
        (json!({ "cooldown": "1s", "rules": [{ "any": true, "reply": "{{ '' }}" }] }), vec![]),
        (
            json!({ "rules": [{ "exact": "-", "reply": "-" }, { "any": true, "reply": "x", "cooldown": "1s" }] }),
            vec!["cooldown:p1:<rule>"],
        ),
    ] {
        let mut kit = kit(settings.clone()).await;
        let event = kit.text_event("p1", None, "hi");
        let effects = kit.effects(&event).await.unwrap();
        let keys: Vec<String> = effects
            .iter()
            .filter_map(|effect| {
                let Effect::Swap { key, was: None, now } = effect else { return None };
                let rule = Settings::read(&settings, &Place::default()).unwrap().rules.pop().unwrap().id;
                (now == &Some(json!(1_767_225_600_000_i64))).then(|| key.replace(&rule, "<rule>"))
            })
            .collect();
        assert_eq!(keys, want, "{settings}");
    }
}

#[test]
fn silence() {
    for (name, last, now, want) in [
        ("never answered", None, 100, None),
        ("just now", Some(json!(100)), 100, Some(10)),
        ("nearly over", Some(json!(100)), 109, Some(1)),
        ("over", Some(json!(100)), 110, None),
        ("in the future", Some(json!(101)), 100, None),
        ("far in the past", Some(json!(i64::MIN)), i64::MAX, None),
        ("another shape", Some(json!({ "at": 100 })), 100, None),
    ] {
        assert_eq!(silent_for(&last, now, 10), want, "{name}");
    }
}

#[tokio::test]
async fn a_failing_template_names_its_rule_and_not_the_text() {
    let mut kit = rules(json!([{ "exact": "-", "reply": "-" }, { "any": true, "reply": "{{ text | int }}" }])).await;
    let (log, _guard) = log::Log::collect();
    assert_eq!(kit.say("12").await.unwrap(), ["12"]);
    assert_eq!(kit.say(log::SECRETS[1]).await.unwrap(), Vec::<String>::new());
    let why = "rule 2: the template failed, so nothing is answered: invalid operation in line 1 of the template";
    let told = log.told();
    assert!(told.len() == 1 && told[0].contains(why) && told[0].contains("account=test"), "{told:?}");
    assert!(kit.user("bob").say("x").await.explained().contains("the template failed"));
    assert!(log.told().is_empty(), "once in a while is enough");
    kit.advance_ms(600_000);
    kit.say("x").await.unwrap();
    assert_eq!(log.told().len(), 1);
}

#[test]
fn a_rules_silence_is_its_own_wherever_it_stands() {
    let ids = |rules: Value| -> Vec<String> {
        let settings = Settings::read(&json!({ "rules": rules }), &Place::default()).unwrap();
        settings.rules.into_iter().map(|rule| rule.id).collect()
    };
    let (a, b) = (json!({ "exact": "a", "reply": "A" }), json!({ "contains": "b", "in": "group", "reply": "B" }));
    let before = ids(json!([a, b]));
    let mut answers_anew = b.clone();
    answers_anew["reply"] = json!("another");
    let after = ids(json!([{ "exact": "new", "reply": "x" }, answers_anew, a]));
    assert_eq!((&after[1], &after[2]), (&before[1], &before[0]));
    let different = [
        json!({ "exact": "b", "in": "group", "reply": "B" }),
        json!({ "contains": "b", "in": "private", "reply": "B" }),
        json!({ "contains": "b", "in": "group", "rooms": "r1", "reply": "B" }),
        json!({ "contains": "b", "in": "group", "hours": "09:00-10:00", "reply": "B" }),
    ];
    for other in different {
        assert_ne!(ids(json!([other]))[0], before[1], "{other}");
    }
    // In each version: else an update would end all silences.
    assert_eq!(before[0], "9238fcb4d16b9faa");
}

#[tokio::test]
async fn check_and_start_agree() {
    for (settings, good) in [
        (json!({}), false),
        (json!(null), false),
        (json!({ "rules": [] }), true),
        (json!({ "rules": [{ "any": true, "reply": "{{ sender }}" }] }), true),
        (json!({ "rules": [{ "any": true, "reply": "{{ sendr }}" }] }), false),
    ] {
        assert_eq!(Settings::check(&settings).is_empty(), good, "{settings}");
        assert_eq!(Kit::<AutoReply>::start(settings.clone()).await.is_ok(), good, "{settings}");
    }
}

#[test]
fn the_manifest() {
    let manifest = AutoReply::manifest();
    assert_eq!((&*manifest.id, manifest.wants_late), ("auto-reply", false));
    assert_eq!(manifest.needs, [Capability::SendText]);
    assert_eq!(manifest.events, ["message", "friend_request", "friend_added"]);
    let commands: Vec<_> = manifest.handlers.iter().map(|handler| (&*handler.name, handler.allow.clone())).collect();
    assert_eq!(commands.get(..2), Some(&[("away", Some(Role::Owner)), ("back", Some(Role::Owner))][..]));
    assert_eq!(commands.len(), if cfg!(feature = "llm") { 3 } else { 2 });
}
