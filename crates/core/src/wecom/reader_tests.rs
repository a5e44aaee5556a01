//! Is every push of the samples read, whoever we are and whichever login it is of?

use serde_json::{Value, json};
use wxbot_model::{Content, EventKind, Message};

use super::*;
use crate::protocol::{ContactChange, Incoming};
use crate::wecom::testdata::{fixture, fixture_json};

const NOW_MS: i64 = 1_700_000_000_000;

fn reader() -> Reader {
    Reader::resume(b"", Settings::default())
}

fn read(name: &str) -> Read {
    reader().read(fixture(name).as_bytes(), NOW_MS)
}

fn push(reader: &mut Reader, body: &Value) -> Read {
    reader.read(body.to_string().as_bytes(), NOW_MS)
}

fn only(read: &Read) -> &Incoming {
    let [event] = read.events.as_slice() else { panic!("{:?} is not one event", read.events) };
    event
}

fn message_of(event: &Incoming) -> &Message {
    let EventKind::Message(message) = &event.kind else { panic!("{:?} is no message", event.kind) };
    message
}

fn ends(event: &Incoming) -> (&str, Option<&str>) {
    (event.chat.as_str(), event.sender.as_ref().map(PeerId::as_str))
}

fn private(seq: u32, from: &str, to: &str) -> Value {
    json!({"seq": seq, "token": "t", "message": {"type": "Text", "text": "x", "from_id": from, "to_id": to}})
}

fn kinds(read: &Read) -> Vec<(String, bool)> {
    let kinds = read.contacts.iter().map(|change| match change {
        ContactChange::Upsert(contact) | ContactChange::Met(contact) => {
            (contact.peer.to_string(), contact.kind == wxbot_model::ContactKind::Room)
        }
        ContactChange::Remove(peer) => panic!("{peer}"),
    });
    kinds.collect()
}

// cov: 137
#[test]
fn the_number_comes_as_text_or_as_number() {
    let mut body = fixture_json("private-text");
    let as_text = only(&push(&mut reader(), &body)).clone();
    body["seq"] = 9_325_976.into();
    assert_eq!(only(&push(&mut reader(), &body)), &as_text);
    assert_eq!(as_text.key.as_str(), "2fe8b98609a94a2089786fd379ef2724:9325976");
    // Without a number it is known by what is in it.
    for seq in [json!("0"), json!(0), json!(""), json!(null)] {
        body["seq"] = seq.clone();
        let key = only(&push(&mut reader(), &body)).key.to_string();
        assert!(key.starts_with("2fe8b98609a94a2089786fd379ef2724:message:h"), "{seq} {key}");
    }
}

// cov: 138
#[test]
fn a_new_token_is_a_new_login() {
    let mut reader = reader();
    let text = fixture("private-text");
    assert_eq!(token(text.as_bytes()).as_deref(), Some("2fe8b98609a94a2089786fd379ef2724"));
    assert_eq!((token(b"{}"), token(b"x")), (None, None));
    let first = reader.read(text.as_bytes(), NOW_MS);
    assert_eq!(reader.token(), "2fe8b98609a94a2089786fd379ef2724");
    let mut reader = Reader::resume(&first.cursor.unwrap(), Settings::default());
    let again = text.replace("2fe8b98609a94a2089786fd379ef2724", "new");
    let second = reader.read(again.as_bytes(), NOW_MS);
    assert_eq!(reader.token(), "new");
    assert_ne!(first.events[0].key, only(&second).key, "one number in two logins is two");
    // What the old login still pushes is taken, but it is not the login any more, and its end ends nothing.
    assert_eq!(reader.read(text.as_bytes(), NOW_MS).events.len(), 1);
    let logout =
        fixture("event-logout").replace("bfd9287644cb42d8b6db9d9d72d2c0e7", "2fe8b98609a94a2089786fd379ef2724");
    let late = reader.read(logout.as_bytes(), NOW_MS);
    assert!(late.logged_out.is_none() && late.events.len() == 1 && reader.token() == "new");
    assert!(
        reader.read(logout.replace("2fe8b98609a94a2089786fd379ef2724", "new").as_bytes(), NOW_MS).logged_out.is_some()
    );
}

// cov: 146
#[test]
fn a_room_is_named_by_its_own_id() {
    let read = read("group-text");
    assert_eq!(ends(only(&read)), ("10765992068360238", Some("1688****534")), "above 2^53");
    assert_eq!(message_of(only(&read)).content, Content::Text { text: "测试".into() });
    assert_eq!(kinds(&read), [("10765992068360238".into(), true), ("1688****534".into(), false)]);
    assert!(read.self_id.is_none(), "nobody says who we are");
    assert_eq!(kinds(&reader().read(b"x", NOW_MS)), [(NOBODY.into(), false)], "its event must be filed somewhere");
    let mut body = fixture_json("group-text");
    body["message"]["room_id"] = 10_765_992_068_360_239_u64.into();
    body["message"]["text"] = "@小助手 hi".into();
    let settings = Settings { nick_name: "小助手".into(), self_id: "1688****534".parse().ok() };
    let own = Reader::resume(b"", settings.clone()).read(body.to_string().as_bytes(), NOW_MS);
    assert!(message_of(only(&own)).from_self && ends(only(&own)).0 == "10765992068360239");
    let settings = Settings { self_id: None, ..settings };
    let read = Reader::resume(b"", settings).read(body.to_string().as_bytes(), NOW_MS);
    assert!(message_of(only(&read)).mentions.me);
}

#[test]
fn who_we_are_is_learnt() {
    let mut reader = reader();
    let first = push(&mut reader, &private(1, "a", "me"));
    assert_eq!((first.self_id.as_ref().unwrap().as_str(), ends(only(&first))), ("me", ("a", Some("a"))));
    let own = push(&mut reader, &private(2, "me", "b"));
    assert!(message_of(only(&own)).from_self && own.self_id.is_none());
    assert_eq!(ends(only(&own)), ("b", Some("me")));
    // The first one may have been from us: the second conversation shows it.
    let mut reader = self::reader();
    let wrong = push(&mut reader, &private(1, "me", "a"));
    assert_eq!(wrong.self_id.as_ref().unwrap().as_str(), "a");
    let mut reader = Reader::resume(&wrong.cursor.unwrap(), Settings::default());
    assert!(push(&mut reader, &private(2, "a", "me")).self_id.is_none(), "the same two again");
    assert!(!reader.knows_itself());
    let right = push(&mut reader, &private(3, "b", "me"));
    assert_eq!((right.self_id.as_ref().unwrap().as_str(), ends(only(&right))), ("me", ("b", Some("b"))));
    assert!(reader.knows_itself() && push(&mut reader, &private(4, "c", "d")).self_id.is_none(), "certain now");
    // Settings know best, and a logout says it.
    let settings = Settings { self_id: "x".parse().ok(), ..Settings::default() };
    let mut configured = Reader::resume(b"", settings);
    assert!(configured.read(fixture("event-logout").as_bytes(), NOW_MS).self_id.is_none());
    assert_eq!(configured.self_id().unwrap().as_str(), "x");
    assert_eq!(read("event-logout").self_id.unwrap().as_str(), "1688855440457534");
}

// cov: 152
#[test]
fn logging_out_ends_the_login() {
    let read = read("event-logout");
    let out = read.logged_out.as_ref().unwrap();
    assert_eq!((out.text.as_str(), out.code, out.at_s), ("手机端退出登录(65538)", Some(65538), NOW_MS / 1000));
    assert_eq!(message_of(only(&read)).content, Content::Notice { text: "手机端退出登录(65538)".into() });
    assert!(only(&read).key.as_str().starts_with("bfd9287644cb42d8b6db9d9d72d2c0e7:LOGOUT:h"));
    let mut body = fixture_json("event-logout");
    body["event"]["payload"]["data"] = "bye".into();
    assert_eq!(push(&mut reader(), &body).logged_out.unwrap().code, Some(65538), "out of the extension");
}

// cov: 155
#[test]
fn nothing_is_dropped_because_it_is_unknown() {
    let deep = "{\"a\":".repeat(100_000);
    let raw = |read: &Read| {
        let Content::Unknown { msg_type: 0, raw } = &message_of(only(read)).content else { panic!("{read:?}") };
        raw.clone()
    };
    for (name, body, want) in [
        ("no JSON", &b"hello"[..], "hello"),
        ("no text", b"\xff", "ff"),
        ("neither", br#"{"seq":1}"#, r#"{"seq":1}"#),
        ("a list", b"[]", "[]"),
        ("deep", deep.as_bytes(), &deep),
        ("an odd message", br#"{"message":7}"#, "7"),
        ("an odd event", br#"{"event":[]}"#, "[]"),
        ("a type to come", br#"{"message":{"type":"Voice","text":"x"}}"#, r#"{"type":"Voice","text":"x"}"#),
    ] {
        assert_eq!(raw(&reader().read(body, NOW_MS)), want, "{name}");
    }
    let event = r#"{"event_type":"ROOM_NOTICE","payload":{"room_id":"R:7","timestamp":"1697698470000"}}"#;
    let read = reader().read(format!(r#"{{"seq":"3","token":"t","event":{event}}}"#).as_bytes(), NOW_MS);
    assert_eq!((raw(&read).as_str(), only(&read).chat.as_str(), only(&read).at_s), (event, "7", 1_697_698_470));
    let both = json!({"seq": 1, "token": "t", "message": {}, "event": {}});
    let both = push(&mut reader(), &both);
    assert_eq!([both.events[0].key.as_str(), both.events[1].key.as_str()], ["t:1", "t:1:event"]);
}

#[test]
fn careless_bodies_are_repaired() {
    let body =
        fixture("private-text").replace("\"文本\"", "\"一\n二\"").replace("\"16888****798\"", "\"16888****798\",");
    assert_eq!(message_of(only(&reader().read(body.as_bytes(), NOW_MS))).content.text(), Some("一\n二"));
}

#[test]
fn a_spoilt_cursor_is_no_end() {
    for cursor in [&b"{"[..], b"[]", b"{\"me\":7}", b"\xff"] {
        let mut reader = Reader::resume(cursor, Settings::default());
        assert_eq!(reader.read(fixture("private-text").as_bytes(), NOW_MS).events.len(), 1);
    }
}

#[test]
fn nothing_moves_without_news() {
    let mut reader = reader();
    let first = reader.read(fixture("private-text").as_bytes(), NOW_MS);
    assert!(first.cursor.is_some() && !first.contacts.is_empty());
    let second = reader.read(fixture("private-text").as_bytes(), NOW_MS);
    assert_eq!((second.cursor, second.contacts, second.self_id), (None, vec![], None));
    assert_eq!(second.events, first.events, "the store absorbs it by its key");
}

const ALL: [&str; 12] = [
    "event-logout",
    "event-room-join",
    "event-room-leave",
    "event-room-topic",
    "group-text",
    "private-contact",
    "private-image",
    "private-location",
    "private-miniprogram",
    "private-text",
    "private-url",
    "private-video",
];

#[test]
fn a_body_that_was_cut_off_is_kept() {
    for name in ALL {
        let body = fixture(name);
        for end in (0..body.trim_end().len()).step_by(3) {
            let read = reader().read(&body.as_bytes()[..end], NOW_MS);
            assert!(matches!(message_of(only(&read)).content, Content::Unknown { .. }), "{name} at {end}");
        }
    }
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_an_event(bytes: Vec<u8>) {
        reader().read(&bytes, NOW_MS);
    }

    #[test]
    fn any_fields_are_read(
        kind in "Text|Image|Video|Location|Contact|MiniProgram|Url|ROOM_TOPIC|ROOM_JOIN|ROOM_LEAVE|LOGOUT|[A-Z]{0,4}",
        text in "([{}\\[\\]\":,\\\\a-z0-9. ]|file_id|url|parameter){0,30}",
        id in "(R:)?[0-9*]{0,20}",
        extension in "[0-9a-f]{0,40}",
        time in "[0-9-]{0,22}",
        now_ms: i64,
    ) {
        let message = json!({"type": kind, "text": text, "from_id": id, "to_id": text, "room_id": id, "timestamp": time});
        let payload = json!({"room_id": id, "timestamp": time, "extension": extension, "data": text, "inviter_id": id,
            "invitee_id_list": [id, text], "removee_id_list": [text], "new_topic": text});
        let body = json!({"seq": time, "token": text, "message": message, "event": {"event_type": kind, "payload": payload}});
        let mut reader = reader();
        reader.read(body.to_string().as_bytes(), now_ms);
        reader.read(body.to_string().as_bytes(), now_ms);
    }
}
