//! Does every message and event say what its fixture says, value by value?

use serde_json::{Value, json};
use wxbot_model::{Card, JoinedBy, Link, Location, MembersJoined, MiniProgram, Noticed, Point, Who};

use super::*;
use crate::push::Read;
use crate::wecom::extension::Extension;
use crate::wecom::testdata::{fixture, fixture_json};
use crate::wecom::{Reader, Settings};

const NOW_MS: i64 = 1_700_000_000_000;
const ADMIN: &str = "1688855440457534";

fn pushed(body: &Value, me: Option<&str>) -> Read {
    let settings = Settings { self_id: me.and_then(|me| me.parse().ok()), ..Settings::default() };
    Reader::resume(b"", settings).read(body.to_string().as_bytes(), NOW_MS)
}

fn read(name: &str) -> Incoming {
    let mut read = pushed(&fixture_json(name), None);
    assert_eq!((read.events.len(), read.mismatches), (1, 0), "{name}");
    read.events.remove(0)
}

fn message_in(event: &Incoming) -> &Message {
    let EventKind::Message(message) = &event.kind else { panic!("{:?} is no message", event.kind) };
    message
}

fn said(name: &str) -> Content {
    message_in(&read(name)).content.clone()
}

/// The message of a fixture with another text.
fn with_text(name: &str, text: &str) -> Content {
    let mut body = fixture_json(name);
    body["message"]["text"] = text.into();
    message_in(&pushed(&body, None).events[0]).content.clone()
}

fn is_unknown(content: &Content) -> bool {
    matches!(content, Content::Unknown { .. })
}

// cov: 139, 157
#[test]
fn one_model_for_all() {
    let want = Incoming {
        key: "2fe8b98609a94a2089786fd379ef2724:9325976".parse().unwrap(),
        chat: "1688****534".parse().unwrap(),
        sender: "1688****534".parse().ok(),
        at_s: 1_697_612_364,
        kind: EventKind::Message(Message {
            id: "9325976".parse().unwrap(),
            from_self: false,
            content: Content::Text { text: "文本".into() },
            mentions: Mentions::default(),
        }),
    };
    assert_eq!(read("private-text"), want);
    let text = "{\"file_id\":1}";
    assert_eq!(with_text("private-text", text).text(), Some(text), "the type counts, not what it looks like");
}

// cov: 140
#[test]
fn a_picture() {
    let inner = fixture_json("inner-private-image");
    let Content::Image { media } = said("private-image") else { panic!() };
    assert_eq!((media.reference.as_str(), media.stated_len), (inner["file_id"].as_str().unwrap(), Some(193_099)));
    for (word, field) in [("aes_key", "aes_key"), ("md5", "md5"), ("width", "width"), ("height", "height")] {
        assert_eq!(media.params[word], inner[field].as_str().unwrap(), "{word}");
    }
    assert_eq!(media.params["media_id"], "9326066", "what forwarding asks for");
    assert!(is_unknown(&with_text("private-image", "{\"file_name\":\"\"}")), "without a file it is none");
    assert!(is_unknown(&with_text("private-image", "{")));
    let numbers = with_text("private-image", r#"{"file_id":"30","size":7,"width":1}"#);
    assert_eq!(numbers.media().unwrap().stated_len, Some(7));
}

// cov: 141
#[test]
fn a_film() {
    let inner = fixture_json("inner-private-video");
    let Content::Video { media, thumb: Some(thumb), length_s: 2, short: false } = said("private-video") else {
        panic!()
    };
    assert_eq!((media.reference.as_str(), media.stated_len), (inner["video_file_id"].as_str().unwrap(), Some(228_936)));
    assert_eq!(media.params["aes_key"], inner["video_aes_key"].as_str().unwrap());
    assert_eq!(
        (media.params["md5"].as_str(), media.params["width"].as_str()),
        ("c62226ce08f05677f19e285b5a90e2ff", "1080")
    );
    assert_eq!(
        (thumb.reference.as_str(), thumb.stated_len),
        (inner["preface_image_url"].as_str().unwrap(), Some(10_415))
    );
    assert!(
        !media.params.values().any(|value| value.contains("/var/mobile")),
        "a path on somebody's phone is no place"
    );
}

// cov: 142
#[test]
fn a_place() {
    let place = "***北(东环南路西)".to_owned();
    let want = |point| Location { point, label: place.clone(), name: place.clone(), ..Location::default() };
    assert_eq!(said("private-location"), Content::Location(want(Point::new(14.687_432, 166.647_677))));
    let numbers =
        fixture("inner-private-location").replace("\"14.687432\"", "14.687432").replace("\"166.647677\"", "167");
    assert_eq!(with_text("private-location", &numbers), Content::Location(want(Point::new(14.687_432, 167.0))));
    assert!(is_unknown(&with_text("private-location", "{}")));
}

// cov: 143
#[test]
fn a_contact_is_a_bare_id() {
    let want = |id: &str| Content::Card(Card { user: id.parse().ok(), ..Card::default() });
    assert_eq!(said("private-contact"), want("1688856489464987"));
    assert_eq!(with_text("private-contact", "10765992068360238"), want("10765992068360238"), "above 2^53");
    for text in ["", "{\"id\":1}", "a b"] {
        assert!(is_unknown(&with_text("private-contact", text)), "{text}");
    }
}

// cov: 144
#[test]
fn a_mini_program() {
    let want = MiniProgram {
        title: "一键生成高清电子文档,全球4亿用户都在用".into(),
        app_id: "wx10c0611db3c5b8d3".into(),
        page_path: "pages/home/home.html".into(),
        username: "gh_f71e27dda6a0@app".into(),
        source: "扫描全能王+".into(),
        url: String::new(),
    };
    assert_eq!(said("private-miniprogram"), Content::MiniProgram(want));
    assert!(is_unknown(&with_text("private-miniprogram", r#"{"parameter":null}"#)));
}

// cov: 145
#[test]
fn a_page() {
    let want = Link {
        title: "啦啦啦啦啦".into(),
        description: "噗噗噗噗噗".into(),
        url: "http://wwww.baidu.com".into(),
        thumb_url: "https://wework.qpic.cn/wwpic/690986_UjHzlJlNR3y7kq2_1685520972".into(),
    };
    assert_eq!(said("private-url"), Content::Link(want));
    assert!(is_unknown(&with_text("private-url", "http://a")), "no JSON");
}

// cov: 147
#[test]
fn rooms_hear_the_same_kinds() {
    for kind in ["image", "video", "location", "contact", "miniprogram", "url"] {
        let mut body = fixture_json(&format!("private-{kind}"));
        let alone = message_in(&pushed(&body, None).events[0]).content.clone();
        body["message"].as_object_mut().unwrap().remove("to_id");
        body["message"]["room_id"] = "10765992068360238".into();
        let event = &pushed(&body, None).events[0];
        assert_eq!((event.chat.as_str(), &message_in(event).content), ("10765992068360238", &alone), "{kind}");
        assert!(!is_unknown(&alone), "{kind}");
    }
}

// cov: 148
#[test]
fn messages_state_seconds() {
    assert_eq!(read("group-text").at_s, 1_697_614_321);
    let mut body = fixture_json("group-text");
    body["message"]["timestamp"] = 1_697_614_321.into();
    assert_eq!(pushed(&body, None).events[0].at_s, 1_697_614_321);
    body["message"]["timestamp"] = Value::Null;
    assert_eq!(pushed(&body, None).events[0].at_s, NOW_MS / 1000);
}

fn other(id: &str) -> Who {
    Who::other(id)
}

fn ends(event: &Incoming) -> (&str, Option<&str>) {
    (event.chat.as_str(), event.sender.as_ref().map(PeerId::as_str))
}

// cov: 149
#[test]
fn a_new_topic() {
    let event = read("event-room-topic");
    let want = EventKind::TopicChanged { topic: "测试群".into(), by: other(ADMIN), notice: String::new() };
    assert_eq!((&event.kind, ends(&event), event.at_s), (&want, ("10820914206954126", Some(ADMIN)), 1_697_698_470));
    let own = &pushed(&fixture_json("event-room-topic"), Some(ADMIN)).events[0];
    assert!(matches!(&own.kind, EventKind::TopicChanged { by: Who::Me, .. }));
}

// cov: 150
#[test]
fn people_come_in() {
    let event = read("event-room-join");
    let joined = |names: &[&str], me_invited, inviter, by| {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        EventKind::MembersJoined(MembersJoined {
            names,
            me_invited,
            others: vec![],
            inviter,
            by,
            notice: String::new(),
        })
    };
    let invited = JoinedBy::Invitation;
    assert_eq!(event.kind, joined(&["1688857997391344"], false, other(ADMIN), invited));
    assert_eq!((ends(&event), event.at_s), (("10820914206954126", Some(ADMIN)), 1_697_701_029));
    let mut body = fixture_json("event-room-join");
    body["event"]["payload"]["invitee_id_list"] = json!(["1688857997391344", 7, "8"]);
    let me = &pushed(&body, Some("8")).events[0];
    assert_eq!(me.kind, joined(&["1688857997391344", "7"], true, other(ADMIN), invited));
    body["event"]["payload"]["inviter_id"] = "7".into();
    assert!(
        matches!(&pushed(&body, None).events[0].kind, EventKind::MembersJoined(joined) if joined.by == JoinedBy::QrCode)
    );
}

// cov: 151
#[test]
fn people_go() {
    let event = read("event-room-leave");
    let gone = "1688855655434798";
    let removed = |names: &[&str]| EventKind::MembersRemoved {
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        by: other(ADMIN),
        notice: String::new(),
    };
    assert_eq!((&event.kind, ends(&event)), (&removed(&[gone]), ("10820914206954126", Some(ADMIN))));
    let mut body = fixture_json("event-room-leave");
    let removed_me = EventKind::RemovedMe { by: other(ADMIN), notice: String::new() };
    assert_eq!(pushed(&body, Some(gone)).events[0].kind, removed_me);
    body["event"]["payload"]["removee_id_list"] = json!([gone, "7", ADMIN]);
    let events = pushed(&body, Some(gone)).events;
    let left = EventKind::MembersChanged { joined: vec![], left: vec![Noticed { id: None, name: ADMIN.into() }] };
    assert_eq!(events.iter().map(|event| event.kind.clone()).collect::<Vec<_>>(), [removed_me, removed(&["7"]), left]);
    let keys: std::collections::BTreeSet<_> = events.iter().map(|event| event.key.as_str()).collect();
    assert_eq!(keys.len(), 3, "{keys:?}");
}

// cov: 153
#[test]
fn rooms_of_events_are_rooms_of_messages() {
    let mut message = fixture_json("group-text");
    message["message"]["room_id"] = "R:10820914206954126".into();
    let event = read("event-room-topic");
    assert_eq!(pushed(&message, None).events[0].chat, event.chat);
    assert_eq!(event.at_s, 1_697_698_470, "milliseconds in events");
}

// cov: 154
#[test]
fn the_extension_says_it_once_more() {
    let extension = |name: &str| {
        let body = fixture_json(name);
        Extension::read(body["event"]["payload"]["extension"].as_str().unwrap()).unwrap()
    };
    let want = |seq: &str, kind, at_s, subject: &str| Extension {
        seq: Some(seq.into()),
        operator: Some(ADMIN.into()),
        room: Some("10820914206954126".into()),
        at_s: Some(at_s),
        event_type: Some(kind),
        subject: Some(subject.into()),
        ..Extension::default()
    };
    assert_eq!(extension("event-room-topic"), want("9326115", "ROOM_TOPIC", 1_697_698_470, "测试群"));
    assert_eq!(extension("event-room-join"), want("9326122", "ROOM_JOIN", 1_697_701_029, "1688857997391344"));
    assert_eq!(extension("event-room-leave"), want("9326127", "ROOM_LEAVE", 1_697_701_185, "1688855655434798"));
    let logout = Extension {
        event_type: Some("LOGOUT"),
        self_id: Some(ADMIN.into()),
        code: Some(65538),
        ..Extension::default()
    };
    assert_eq!(extension("event-logout"), logout);
    assert_eq!((Extension::read(""), Extension::read("xyz"), Extension::read("0f")), (None, None, None));

    // The JSON counts, and the difference with it.
    for (field, value, mismatches) in [
        ("new_topic", json!("另一个"), 1),
        ("changer_id", json!("7"), 1),
        ("changer_id", json!("1688****534"), 0),
        ("room_id", json!("R:7"), 1),
        ("timestamp", json!("1697698471000"), 1),
        ("timestamp", json!(""), 0),
    ] {
        let mut body = fixture_json("event-room-topic");
        body["event"]["payload"][field] = value.clone();
        let read = pushed(&body, None);
        assert_eq!(read.mismatches, mismatches, "{field} {value}");
        let EventKind::TopicChanged { topic, .. } = &read.events[0].kind else { panic!() };
        assert_eq!(topic, body["event"]["payload"]["new_topic"].as_str().unwrap());
    }
    // What the JSON leaves empty is filled.
    let mut body = fixture_json("event-room-join");
    let extension = body["event"]["payload"]["extension"].clone();
    body["event"]["payload"] = json!({ "extension": extension });
    assert_eq!(
        pushed(&body, None).events[0],
        Incoming { key: "bfd9287644cb42d8b6db9d9d72d2c0e7:9326122".parse().unwrap(), ..read("event-room-join") }
    );
}
