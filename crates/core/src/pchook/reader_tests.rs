//! Does every push of the samples become the events it was, and do the two halves of a send become one?

use serde_json::{Value, json};
use wxbot_model::{Content, EventKind, Message};

use super::*;
use crate::pchook::testdata::{fixture, fixture_json};
use crate::protocol::{ContactChange, Incoming};

/// The samples' own clock plus some seconds.
const NOW_MS: i64 = 1_678_000_000_000;
const ME: &str = "themid";

fn reader() -> Reader {
    Reader::resume(b"", Settings::default())
}

fn read(name: &str) -> Read {
    reader().read(fixture(name).as_bytes(), NOW_MS)
}

fn only(read: &Read) -> &Incoming {
    let [event] = read.events.as_slice() else { panic!("{:?} is not one event", read.events) };
    event
}

fn message_of(event: &Incoming) -> &Message {
    let EventKind::Message(message) = &event.kind else { panic!("{:?} is no message", event.kind) };
    message
}

fn content(read: &Read) -> &Content {
    &message_of(only(read)).content
}

fn ends(event: &Incoming) -> (&str, Option<&str>) {
    (event.chat.as_str(), event.sender.as_ref().map(PeerId::as_str))
}

fn push(reader: &mut Reader, body: &Value, now_ms: i64) -> Read {
    reader.read(body.to_string().as_bytes(), now_ms)
}

fn own_text(to: &str, msg: &str) -> Value {
    json!({"ServerPort": "30001", "selfwxid": ME, "sendorrecv": "1", "msglist": [
        {"index": "1", "time": "2023-03-05 13:07:54", "msgtype": "1", "msgsvrid": "", "msg": msg, "fromwxid": ME, "toid": to}
    ]})
}

fn ack(id: &str, to: &str) -> Value {
    json!({"ServerPort": "30001", "selfwxid": ME, "sendorrecv": "2", "msglist": [
        {"msgtype": "1", "msgsvrid": id, "msg": "PC发文本消息成功", "fromwxid": ME, "toid": to}
    ]})
}

// cov: 111
#[test]
fn the_envelope_is_read_with_numbers_and_with_texts() {
    for (name, text) in [("x-numeric-scalars", "hi"), ("x-recv-text-private", "hi")] {
        let read = read(name);
        assert_eq!(content(&read).text(), Some(text), "{name}");
        assert_eq!(read.self_id.as_ref().map(PeerId::as_str), Some(ME), "{name}");
        assert_eq!(only(&read).at_s, 1_677_992_874, "{name}: China's clock");
        assert_eq!(ends(only(&read)), ("wxid_a", Some("wxid_a")), "{name}");
        assert!(!message_of(only(&read)).from_self, "{name}");
    }
    // The count is wrong in the samples, and what is missing costs nothing.
    for count in ["0", "7", "x", ""] {
        let mut body = fixture_json("x-recv-text-private");
        body["msgnumber"] = count.into();
        assert_eq!(push(&mut reader(), &body, NOW_MS).events.len(), 1, "{count}");
    }
    let (empty, one) = (json!({"selfwxid": ME, "msglist": []}), json!({"msglist": {"msgtype": 1, "msg": "x"}}));
    assert!(push(&mut reader(), &empty, NOW_MS).events.is_empty());
    assert_eq!(content(&push(&mut reader(), &one, NOW_MS)).text(), Some("x"));
}

// cov: 109
#[test]
fn another_instance_is_told_by_its_port_and_refused() {
    let body = fixture("x-mode2-decodable");
    let port = |body: &str| instance(body.as_bytes()).and_then(|instance| instance.server_port);
    assert_eq!((port(&body), port(&fixture("x-numeric-scalars"))), (Some(30002), Some(30001)));
    assert_eq!(instance(b"{"), None);
    let read = |settings: Settings| Reader::resume(b"", settings).read(body.as_bytes(), NOW_MS);
    for (name, port, wxid, want) in [
        ("ours", Some(30002), "wxid_123456", None),
        ("another port", Some(30001), "wxid_123456", Some(NotOurs::OtherInstance)),
        ("another account", Some(30002), "wxid_other", Some(NotOurs::OtherAccount)),
        ("any port", None, "wxid_123456", None),
    ] {
        let read = read(Settings { server_port: port, self_wxid: wxid.parse().ok(), ..Settings::default() });
        assert_eq!(read.refused, want, "{name}");
        assert_eq!(read.events.is_empty(), want.is_some(), "{name}");
    }
    // Whoever came first without being configured stays.
    let mut reader = reader();
    assert!(push(&mut reader, &own_text("a", "x"), NOW_MS).refused.is_none());
    assert_eq!(reader.read(body.as_bytes(), NOW_MS).refused, Some(NotOurs::OtherAccount));
}

// cov: 112
#[test]
fn who_sent_it_is_told_by_the_sender_and_not_by_the_direction() {
    let entry = |origin: &str, from: &str, id: &str, msg: &str| {
        let entry = json!({"msgtype": 1, "msgsvrid": id, "msg": msg, "fromwxid": from, "toid": "x", "time": ""});
        push(&mut reader(), &json!({"selfwxid": ME, "sendorrecv": origin, "msglist": [entry]}), NOW_MS)
    };
    let from_self = |read: &Read| message_of(only(read)).from_self;
    assert!(!from_self(&entry("2", "wxid_a", "1", "hi")));
    assert!(!from_self(&entry("1", "wxid_a", "1", "hi")), "whatever the table says");
    let elsewhere = entry("2", ME, "1", "hi");
    assert!(from_self(&elsewhere), "written on another device");
    assert_eq!((content(&elsewhere).text(), ends(only(&elsewhere))), (Some("hi"), ("x", Some(ME))));
    assert!(entry("1", ME, "", "hi").events.is_empty(), "it waits for its id");
    // An acknowledgement that nothing waits for is an event, but nobody said its words.
    let unmatched = entry("2", ME, "1", "PC发文本消息成功");
    assert!(matches!(content(&unmatched), Content::Unknown { msg_type: 1, .. }));
    assert_eq!((only(&unmatched).key.as_str(), content(&unmatched).text()), ("1:ack", None));
    assert!(matches!(content(&entry("2", ME, "", "PC发文本消息成功")), Content::Unknown { .. }), "nor without an id");
    let typed = entry("2", "wxid_a", "1", "PC发文本消息成功");
    assert_eq!(content(&typed).text(), Some("PC发文本消息成功"), "somebody else may say them");
}

/// Both halves of a send, and what became of them.
fn joined(local: &str, acknowledged: &str) -> Incoming {
    let mut reader = reader();
    let first = reader.read(fixture(local).as_bytes(), NOW_MS);
    assert!(first.events.is_empty() && first.cursor.is_some(), "{local} waits");
    // The process dies in between.
    let mut reader = Reader::resume(&first.cursor.unwrap(), Settings::default());
    let second = reader.read(fixture(acknowledged).as_bytes(), NOW_MS + 4000);
    let event = only(&second).clone();
    assert!(message_of(&event).from_self, "{local}");
    assert_eq!(ends(&event), ("filehelper", Some(ME)), "{local}");
    assert!(reader.expire(NOW_MS + 3_600_000).events.is_empty(), "{local} does not come twice");
    event
}

// cov: 113, 114
#[test]
fn a_text_of_our_own_gets_its_id() {
    let event = joined("sent-text-1-local", "sent-text-2-ack");
    assert_eq!(message_of(&event).content.text(), Some("大佬666~"));
    assert_eq!(message_of(&event).id.as_str(), "7029814402633277009");
    assert_eq!((event.key.as_str(), event.at_s), ("7029814402633277009:ack", 1_677_992_874));
}

// cov: 115, 116
#[test]
fn a_picture_of_our_own_gets_its_id() {
    let event = joined("sent-image-1-local", "sent-image-2-ack");
    let Content::Image { media } = &message_of(&event).content else { panic!("{event:?}") };
    let path = r"C:\Users\Administrator\Documents\WeChat Files\thexed\FileStorage\Temp\1677992958058.jpg";
    assert_eq!((media.reference.as_str(), media.params["path"].as_str()), (path, path));
    assert_eq!(media.params["md5"], "8bb306d0ad78a2aa8cafe229dc304f38");
    assert_eq!(message_of(&event).id.as_str(), "8676825236427018921");
}

// cov: 117, 118
#[test]
fn a_file_of_our_own_gets_its_id() {
    let event = joined("sent-file-1-local", "sent-file-2-ack");
    let Content::File(file) = &message_of(&event).content else { panic!("{event:?}") };
    assert_eq!(file.name, "version.dll");
    assert_eq!(file.media.reference, r"C:\Users\Administrator\Desktop\version.dll");
    assert_eq!(message_of(&event).id.as_str(), "476728224034532762");
}

// cov: 119, 120
#[test]
fn a_film_of_our_own_gets_its_id_though_nobody_says_whom_it_went_to() {
    let event = joined("sent-video-1-local", "sent-video-2-ack");
    let Content::Video { media, short: false, .. } = &message_of(&event).content else { panic!("{event:?}") };
    assert!(media.reference.starts_with(r"C:\Windows\SystemApps\") && media.reference.ends_with(r"\oobe-intro.mp4"));
    assert!(media.params["media_id"].starts_with("3057020100044b"));
    assert_eq!(message_of(&event).id.as_str(), "3847230082234559699");
}

#[test]
fn several_sends_are_joined_in_order() {
    let mut reader = reader();
    for (to, msg) in [("a", "1"), ("b", "2"), ("a", "3")] {
        assert!(push(&mut reader, &own_text(to, msg), NOW_MS).events.is_empty());
    }
    for (id, to, want) in [("11", "a", "1"), ("12", "b", "2"), ("13", "a", "3")] {
        assert_eq!(content(&push(&mut reader, &ack(id, to), NOW_MS + 1)).text(), Some(want));
        assert_eq!(push(&mut reader, &ack(id, to), NOW_MS + 2).events[0].key.as_str(), format!("{id}:ack"));
    }
}

#[test]
fn what_nobody_acknowledges_comes_alone() {
    let mut reader = reader();
    let first = push(&mut reader, &own_text("a", "1"), NOW_MS);
    assert_eq!(reader.next_expiry_ms(), Some(NOW_MS + 60_001));
    assert!(reader.expire(NOW_MS + 60_000).events.is_empty());
    // Any later push brings it too, before its own events.
    let mut other = Reader::resume(&first.cursor.unwrap(), Settings::default());
    let read = push(&mut other, &ack("7", "a"), NOW_MS + 60_001);
    assert_eq!(read.events.len(), 2);
    assert_eq!(message_of(&read.events[0]).content.text(), Some("1"));
    let alone = reader.expire(NOW_MS + 60_001);
    assert_eq!(only(&alone), &read.events[0], "the same event after a crash");
    assert!(only(&alone).key.as_str().starts_with("local:h") && message_of(only(&alone)).from_self);
    assert_eq!(message_of(only(&alone)).id.as_str(), only(&alone).key.as_str());
    assert!(alone.cursor.is_some() && reader.next_expiry_ms().is_none());
}

// cov: 121
#[test]
fn another_chat_on_the_screen_is_a_status() {
    let read = read("switch-chat");
    let event = only(&read);
    assert_eq!((&event.kind, ends(event)), (&EventKind::Status { code: 2, op: None }, ("filehelper", None)));
    let [ContactChange::Upsert(contact)] = read.contacts.as_slice() else { panic!("{:?}", read.contacts) };
    assert_eq!((contact.peer.as_str(), &*contact.nick_name), ("filehelper", "文件传输助手"));
}

// cov: 130
#[test]
fn logging_out_ends_the_session() {
    let out = read("logout");
    let logged_out = out.logged_out.as_ref().unwrap();
    assert_eq!((logged_out.text.as_str(), logged_out.at_s), ("退出登录微信", 1_677_993_786));
    assert_eq!(content(&out), &Content::Notice { text: "退出登录微信".into() });
    // A text of the service that says the same has an id, or came from it.
    for (name, value) in [("msgsvrid", "5"), ("msgtype", "1")] {
        let mut body = fixture_json("logout");
        body["msglist"][0][name] = value.into();
        body["msglist"][0]["fromwxid"] = "wxid_a".into();
        assert!(push(&mut reader(), &body, NOW_MS).logged_out.is_none(), "{name}");
    }
}

// cov: 131
#[test]
fn the_result_of_an_invitation_is_a_notice_in_the_room() {
    let read = read("group-invite-result-20001");
    assert_eq!(content(&read), &Content::Notice { text: "Everything is OK".into() });
    assert_eq!(ends(only(&read)), ("43202784070@chatroom", None));
    let mut other = fixture_json("group-invite-result-20001");
    other["msglist"][0]["gid"] = "1@chatroom".into();
    let other = push(&mut reader(), &other, NOW_MS);
    assert_ne!(only(&read).key, only(&other).key, "without an id it is known by what is in it");
}

// cov: 125
#[test]
fn a_status_stands_beside_a_picture() {
    let read = read("recv-image-batch-with-51");
    let [status, picture] = read.events.as_slice() else { panic!("{:?}", read.events) };
    assert_eq!(status.kind, EventKind::Status { code: 1, op: Some(1) });
    assert_eq!(ends(status), ("wxid_kq...", None));
    assert_eq!(status.key.as_str(), "6229442408328493980:msg");
    assert_eq!(message_of(picture).content.kind(), "image");
}

// cov: 126
#[test]
fn bytes_of_a_picture_find_it_by_its_id() {
    let flat = read("recv-image-flat");
    assert_eq!(content(&flat).kind(), "image", "nobody knows whose: it is a message all the same");
    assert_eq!(ends(only(&flat)), (ME, None));
    assert_eq!(only(&flat).key.as_str(), "1957754625548008208:ready");
    let mut reader = reader();
    reader.read(fixture("recv-image-batch-with-51").as_bytes(), NOW_MS);
    let mut body = fixture_json("recv-image-flat");
    body["msgsvrid"] = "1205604146658880283".into();
    let ready = push(&mut reader, &body, NOW_MS + 1);
    let EventKind::MediaReady { msg, media } = &only(&ready).kind else { panic!("{ready:?}") };
    assert_eq!((msg.as_str(), ends(only(&ready)).0), ("1205604146658880283", "wxid_kq.."));
    assert!(media.reference.ends_with(r"\2023-03\ba649..df2.dat"));
}

// cov: 128
#[test]
fn bytes_of_a_sticker_find_it_by_their_content() {
    let mut reader = reader();
    let first = reader.read(fixture("recv-gif").as_bytes(), NOW_MS);
    let mut reader = Reader::resume(&first.cursor.unwrap(), Settings::default());
    let ready = reader.read(fixture("recv-gif-flat").as_bytes(), NOW_MS + 1);
    let EventKind::MediaReady { msg, media } = &only(&ready).kind else { panic!("{ready:?}") };
    assert_eq!((msg.as_str(), ends(only(&ready))), ("9168432254856816012", ("thekid", None)));
    assert!(media.reference.starts_with("http://vweixinf.tc.qq.com/110/20401/"));
    assert_eq!(only(&ready).key.as_str(), "10116766129219189887:ready");
    assert_eq!(content(&read("recv-gif-flat")).kind(), "sticker", "and without the first push");
}

#[test]
fn whoever_is_named_is_introduced_once() {
    let mut reader = reader();
    let mut body = fixture_json("recv-text-group-fromid");
    body["msglist"][0]["fromgname"] = "群".into();
    let names = |read: &Read| -> Vec<(String, String)> {
        let names = read.contacts.iter().map(|change| match change {
            ContactChange::Upsert(contact) | ContactChange::Met(contact) => {
                (contact.peer.to_string(), contact.nick_name.to_string())
            }
            ContactChange::Remove(peer) => (peer.to_string(), "-".into()),
        });
        names.collect()
    };
    let first = push(&mut reader, &body, NOW_MS);
    assert_eq!(names(&first), [("438..@chatroom".into(), "群".into()), ("wxid_k..".into(), String::new())]);
    assert!(push(&mut reader, &body, NOW_MS).contacts.is_empty());
    body["msglist"][0]["fromgname"] = "新群".into();
    assert_eq!(names(&push(&mut reader, &body, NOW_MS)), [("438..@chatroom".into(), "新群".into())]);
    // An event of a chat that nobody introduced could not be filed: so are we, and who we are not known to be.
    let kind = |read: &Read| match &read.contacts[..] {
        [ContactChange::Upsert(contact)] => (contact.peer.to_string(), contact.kind),
        other => panic!("{other:?}"),
    };
    let logout = reader.read(fixture("logout").as_bytes(), NOW_MS);
    assert_eq!(kind(&logout), (ME.into(), wxbot_model::ContactKind::Myself));
    let unknown = self::reader().read(b"x", NOW_MS);
    assert_eq!(kind(&unknown), (NOBODY.into(), wxbot_model::ContactKind::Special));
}

// cov: 155
#[test]
fn nothing_is_dropped_because_it_is_unknown() {
    let entry = r#"{"msgtype":"777","msgsvrid":"5","msg":"<x/>","fromwxid":"wxid_a","toid":"themid","future":[1, 2]}"#;
    let body = format!(r#"{{"selfwxid":"themid","sendorrecv":"2","msglist":[7,{entry},{{"msg":{{}}}}]}}"#);
    let read = reader().read(body.as_bytes(), NOW_MS);
    let raws: Vec<_> = read.events.iter().map(|event| &message_of(event).content).collect();
    let unknown = |msg_type, raw: &str| Content::Unknown { msg_type, raw: raw.into() };
    assert_eq!(raws, [&unknown(-1, "7"), &unknown(777, entry), &unknown(-1, r#"{"msg":{}}"#)]);
    assert_eq!(ends(&read.events[1]), ("wxid_a", Some("wxid_a")));
    let deep = "[".repeat(100_000);
    for (name, body, want) in [
        ("no JSON", &b"hello"[..], "hello"),
        ("no text", b"\xff{", "ff7b"),
        ("a list", b"[1]", "[1]"),
        ("an object of something else", br#"{"a":1}"#, r#"{"a":1}"#),
        ("a list of something else", br#"{"msglist":"x"}"#, r#"{"msglist":"x"}"#),
        ("deep", deep.as_bytes(), &deep),
    ] {
        let read = reader().read(body, NOW_MS);
        assert_eq!(content(&read), &unknown(-1, want), "{name}");
    }
    let many = format!(r#"{{"msglist":[{}]}}"#, ["1"; 1001].join(","));
    assert_eq!(reader().read(many.as_bytes(), NOW_MS).events.len(), 1, "too many: kept as one");
    assert_eq!(reader().read(many.replacen("1,", "", 1).as_bytes(), NOW_MS).events.len(), 1000);
}

#[test]
fn careless_bodies_are_repaired() {
    let body = "{\"ServerPort\":\"30001\",\"selfwxid\":\"themid\",\"sendorrecv\":\"2\",\"msglist\":[{\"msgtype\":\"3\",\
        \"msgsvrid\":\"5\",\"msg\":\"<msg>\n\t<img md5='a&b' length='7'/>&</msg>\",\"img_path\":\"C:\\Users\\temp\\new.dat\",\
        \"fromwxid\":\"wxid_a\",\"toid\":\"themid\",},],}";
    let read = reader().read(body.as_bytes(), NOW_MS);
    let Content::Image { media } = content(&read) else { panic!("{read:?}") };
    assert_eq!((media.reference.as_str(), media.params["md5"].as_str()), (r"C:\Users\temp\new.dat", "a&b"));
    assert_eq!(media.stated_len, Some(7));
}

#[test]
fn a_spoilt_cursor_is_no_end() {
    for cursor in [&b"{"[..], b"[]", b"{\"waiting\":7}", b"\xff"] {
        let mut reader = Reader::resume(cursor, Settings::default());
        assert_eq!(reader.read(fixture("x-recv-text-private").as_bytes(), NOW_MS).events.len(), 1);
    }
}

/// Whoever reads one of these twice for each of its bytes, or once per level on the stack, does not come back.
#[test]
fn sec_r10_a_megabyte_of_malice_is_one_event() {
    let n = 1 << 20;
    let entry = |code: &str, msg: String| {
        json!({"selfwxid": ME, "msglist": [{"msgtype": code, "msgsvrid": "1", "fromwxid": "a", "msg": msg}]})
            .to_string()
    };
    for (name, body) in [
        ("brackets", "[".repeat(n)),
        ("commas", format!("[{}", ", ".repeat(n / 2))),
        ("backslashes", format!("\"{}", "\\q".repeat(n / 2))),
        ("control characters", format!("\"{}", "\u{1}".repeat(n))),
        ("lone ampersands", entry("3", format!("<msg>{}</msg>", "& ".repeat(n / 4)))),
        ("open sections", entry("3", format!("<msg>&{}</msg>", "<![CDATA[".repeat(n / 16)))),
        ("elements", entry("49", "<a>".repeat(n / 4))),
        ("attributes", entry("37", format!("<msg {}/>", "a='' ".repeat(n / 8)))),
        ("invitations", entry("10000", "\"a\"邀请".repeat(n / 16))),
        ("mentions", entry("1", "@".repeat(n / 2))),
        ("fields", json!({"selfwxid": ME, "pb_data": "0801".repeat(n / 4)}).to_string()),
        ("entries", json!({"selfwxid": ME, "msglist": vec![1; n / 4]}).to_string()),
    ] {
        assert_eq!(reader().read(body.as_bytes(), NOW_MS).events.len(), 1, "{name}");
    }
}

const ALL: [&str; 24] = [
    "group-invite-result-20001",
    "logout",
    "mode2-raw-pb",
    "recv-gif",
    "recv-gif-flat",
    "recv-image-batch-with-51",
    "recv-image-flat",
    "recv-text-group-fromid",
    "recv-text-group-prefixed",
    "recv-voice",
    "sent-file-1-local",
    "sent-file-2-ack",
    "sent-image-1-local",
    "sent-image-2-ack",
    "sent-text-1-local",
    "sent-text-2-ack",
    "sent-video-1-local",
    "sent-video-2-ack",
    "switch-chat",
    "x-mode2-businessdata",
    "x-mode2-decodable",
    "x-numeric-scalars",
    "x-recv-revoke-10002",
    "x-recv-text-private",
];

#[test]
fn a_body_that_was_cut_off_is_kept() {
    for name in ALL {
        let body = fixture(name);
        for end in (0..body.trim_end().len()).step_by(7) {
            let read = reader().read(&body.as_bytes()[..end], NOW_MS);
            assert_eq!(read.events.len(), 1, "{name} at {end}");
            assert!(matches!(content(&read), Content::Unknown { msg_type: -1, .. }), "{name} at {end}");
        }
    }
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_an_event(bytes: Vec<u8>) {
        let mut reader = reader();
        reader.read(&bytes, NOW_MS);
        reader.expire(i64::MAX);
    }

    #[test]
    fn any_entry_is_read(fields in proptest::collection::vec((0usize..26, "([<>&;:/= a-z0-9'\"\\\\@\n]|msg|img|PC发|成功|1|3|49|themid|[0-9]{1,5}){0,12}"), 0..8), now_ms: i64) {
        const NAMES: [&str; 26] = ["index", "time", "msgtype", "msgsvrid", "msg", "fromwxid", "toid", "fromtype", "fromgid",
            "fromid", "fromgname", "img_path", "gif_path", "gif_url", "file_path", "video_path", "voip_data", "revoke_msg",
            "current_wxid", "name", "nickname", "gid", "msgtype", "pb_data", "msgtype", "msg"];
        let entry: serde_json::Map<String, Value> =
            fields.into_iter().map(|(name, value)| (NAMES[name].to_owned(), value.into())).collect();
        let mut reader = reader();
        push(&mut reader, &json!({"selfwxid": ME, "sendorrecv": "2", "msglist": [entry.clone(), entry.clone()]}), now_ms);
        push(&mut reader, &Value::Object(entry), now_ms);
        reader.expire(now_ms.wrapping_add(1));
    }

    #[test]
    fn own_messages_are_never_lost(steps in proptest::collection::vec((0u8..3, 0u8..3, 0i64..40_000), 0..60)) {
        let (mut reader, mut now, mut sent, mut told) = (reader(), NOW_MS, 0, 0);
        let count = |read: &Read| read.events.iter().filter(|event| message_of(event).content.text().is_some()).count();
        for (n, (what, to, wait)) in steps.into_iter().enumerate() {
            now += wait;
            let to = ["a", "b", ""][usize::from(to)];
            let read = if what == 0 { push(&mut reader, &ack(&(n + 1).to_string(), to), now) } else {
                sent += 1;
                push(&mut reader, &own_text(to, &n.to_string()), now)
            };
            told += count(&read);
            if what == 2 && let Some(cursor) = read.cursor {
                reader = Reader::resume(&cursor, Settings::default());
            }
        }
        told += count(&reader.expire(now + 100_000));
        proptest::prop_assert_eq!(told, sent);
    }
}
