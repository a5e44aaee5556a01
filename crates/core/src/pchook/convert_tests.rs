//! Does every entry say what its fixture says, value by value?

use serde_json::{Value, json};
use wxbot_model::{CallState, Gesture, MediaKind, Point};

use super::*;
use crate::pchook::testdata::{fixture, fixture_json};
use crate::pchook::{Reader, Settings};

const ME: &str = "themid";
const NOW_MS: i64 = 1_678_000_000_000;

fn read(body: &str) -> Incoming {
    let settings = Settings { nick_name: "小助手".into(), ..Settings::default() };
    let mut events = Reader::resume(b"", settings).read(body.as_bytes(), NOW_MS).events;
    events.pop().unwrap_or_else(|| panic!("{body}: no event"))
}

fn message_in(event: &Incoming) -> &Message {
    let EventKind::Message(message) = &event.kind else { panic!("{:?} is no message", event.kind) };
    message
}

fn ends(event: &Incoming) -> (&str, Option<&str>) {
    (event.chat.as_str(), event.sender.as_ref().map(PeerId::as_str))
}

/// An entry as a friend's.
fn entry(fields: Value) -> Incoming {
    let mut entry = json!({"msgsvrid": "5", "fromwxid": "wxid_a", "toid": ME, "time": "2023-03-05 13:07:54"});
    entry.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    read(&json!({"selfwxid": ME, "sendorrecv": "2", "msglist": [entry]}).to_string())
}

fn said_by(fields: Value) -> Content {
    message_in(&entry(fields)).content.clone()
}

// cov: 122
#[test]
fn a_room_text_names_its_author_in_front() {
    let event = read(&fixture("recv-text-group-prefixed"));
    assert_eq!(ends(&event), ("438191..@chatroom", Some("wxid_kqi...")));
    assert_eq!(message_in(&event).content.text(), Some("111"));
    let room = |msg: &str| entry(json!({"msgtype": "1", "msg": msg, "fromwxid": "", "fromgid": "7@chatroom"}));
    for (msg, sender, text) in [
        ("wxid_b:\na:\nb", Some("wxid_b"), "a:\nb"),
        ("no prefix", None, "no prefix"),
        ("<x>:\ny", None, "<x>:\ny"),
        ("two words:\ny", None, "two words:\ny"),
        ("名字:\ny", None, "名字:\ny"),
        (":\ny", None, ":\ny"),
        ("themid:\nfrom the phone", Some(ME), "from the phone"),
    ] {
        let event = room(msg);
        assert_eq!(message_in(&event).from_self, sender == Some(ME), "{msg}");
        assert_eq!((ends(&event), message_in(&event).content.text()), (("7@chatroom", sender), Some(text)), "{msg}");
    }
}

// cov: 123
#[test]
fn a_room_text_names_its_author_in_a_field() {
    let event = read(&fixture("recv-text-group-fromid"));
    assert_eq!(ends(&event), ("438..@chatroom", Some("wxid_k..")));
    assert_eq!(message_in(&event).content.text(), Some("111"));
    assert_eq!(event.key.as_str(), "13430535177462202152:msg", "an id above 2^63");
    // What looks like a prefix is text then.
    let room = |fields: Value| {
        let mut all = json!({"msgtype": "1", "msg": "wxid_b:\nx", "fromwxid": "", "fromgid": "7@chatroom"});
        all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        entry(all)
    };
    for (name, fields, chat, sender, text) in [
        ("another's", json!({"fromid": "wxid_c"}), "7@chatroom", "wxid_c", "wxid_b:\nx"),
        ("the same", json!({"fromid": "wxid_b"}), "7@chatroom", "wxid_b", "x"),
        ("sender in fromwxid", json!({"fromwxid": "wxid_c"}), "7@chatroom", "wxid_c", "wxid_b:\nx"),
        ("room in fromwxid", json!({"fromgid": "", "fromwxid": "8@chatroom"}), "8@chatroom", "wxid_b", "x"),
        ("ours, from the phone", json!({"fromid": ME}), "7@chatroom", ME, "wxid_b:\nx"),
        (
            "ours, to a room",
            json!({"fromgid": "", "fromwxid": ME, "toid": "9@chatroom"}),
            "9@chatroom",
            ME,
            "wxid_b:\nx",
        ),
    ] {
        let event = room(fields);
        assert_eq!((ends(&event), message_in(&event).content.text()), ((chat, Some(sender)), Some(text)), "{name}");
        assert_eq!(message_in(&event).from_self, sender == ME, "{name}");
    }
    let mention = room(json!({"fromid": "wxid_b", "msg": "@小助手\u{2005}hi @所有人"}));
    assert_eq!(message_in(&mention).mentions, Mentions { me: true, all: true });
}

// cov: 124
#[test]
fn a_picture_names_its_file() {
    let event = read(&fixture("recv-image-batch-with-51"));
    let Content::Image { media } = &message_in(&event).content else { panic!("{event:?}") };
    assert_eq!((media.kind, media.stated_len), (MediaKind::Image, Some(273_129)));
    let path = r"C:\Users\Administrator\Documents\WeChat Files\themid\FileStorage\MsgAttach\81a7f2695cd..599f\Image\2023-03\e0f480bb..bfdd1e634.dat";
    assert_eq!((media.reference.as_str(), media.params["path"].as_str()), (path, path));
    assert_eq!(
        (media.params["md5"].as_str(), media.params["aes_key"].as_str()),
        ("67025..90cc261", "7c2724b850f88a..f40631abe")
    );
    assert!(media.params["msg_xml"].starts_with("<?xml"), "the hook wants it back for the large picture");
    assert!(message_in(&event).from_self, "the sample was sent from the phone");
}

// cov: 127
#[test]
fn a_sticker_is_read_though_its_xml_is_none() {
    let event = read(&fixture("recv-gif"));
    let Content::Sticker { md5, media: Some(media), gesture: None } = &message_in(&event).content else {
        panic!("{event:?}")
    };
    assert_eq!(md5, "97365663bee2eb41ea0b3ad50cbe9dd2");
    assert!(media.reference.ends_with("&ef=1&bizid=1022"), "{}", media.reference);
    assert_eq!((media.params["url"].as_str(), media.stated_len), (media.reference.as_str(), Some(439_919)));
    assert_eq!(media.params["aes_key"], "658d8cd15a6d4573990cd63ebb0d4e70");
    let shop = |game: &str| said_by(json!({"msgtype": 47, "msg": format!("<msg><emoji md5='x'/>{game}</msg>")}));
    let want = |gesture| Content::Sticker { md5: "x".into(), media: None, gesture };
    assert_eq!(shop(""), want(None));
    assert_eq!(shop("<gameext type='2' content='9'/>"), want(Some(Gesture::Dice(6))));
}

// cov: 129
#[test]
fn speech_comes_with_its_bytes() {
    let event = read(&fixture("recv-voice"));
    let Content::Voice { media, length_ms: 1980, .. } = &message_in(&event).content else { panic!("{event:?}") };
    assert_eq!(media.params["hex"], "02232153494C4B5F56331200A738B8AACFF7B149A2093860..", "kept as it came");
    assert_eq!((media.kind, media.stated_len), (MediaKind::Voice, Some(2972)));
    assert_eq!((media.reference.as_str(), ends(&event).0), ("3921037281184911662", "wxid_kqi..2"));
    let silent = said_by(json!({"msgtype": "34", "msg": "<msg><voicemsg voicelength='1'/></msg>"}));
    assert!(!silent.media().unwrap().params.contains_key("hex"));
}

// cov: 132
#[test]
fn a_recall_names_the_message_and_what_it_said() {
    let event = read(&fixture("x-recv-revoke-10002"));
    let want = EventKind::Recall {
        msg: Some("7029814402633277010".parse().unwrap()),
        notice: "\"A\" 撤回了一条消息".into(),
        text: Some("hi".into()),
    };
    assert_eq!((&event.kind, ends(&event)), (&want, ("wxid_a", Some("wxid_a"))));
    let mut without = fixture_json("x-recv-revoke-10002");
    without["msglist"][0]["revoke_msg"] = Value::Null;
    assert!(matches!(read(&without.to_string()).kind, EventKind::Recall { text: None, msg: Some(_), .. }));
}

// cov: 133
#[test]
fn each_kind_has_its_field_for_the_file() {
    let gif = "http://a.example/g?x=1&y=2";
    for (name, fields, kind, word, want) in [
        ("img_path", json!({"msgtype": "3", "img_path": r"C:\\a\\b.dat"}), "image", "path", r"C:\a\b.dat"),
        ("gif_path", json!({"msgtype": "47", "gif_path": r"C:\a\b.gif"}), "sticker", "path", r"C:\a\b.gif"),
        ("gif_path as address", json!({"msgtype": "47", "gif_path": gif}), "sticker", "url", gif),
        ("gif_url", json!({"msgtype": "47", "gif_url": gif}), "sticker", "url", gif),
        ("file_path", json!({"msgtype": "49", "msg": "a.zip", "file_path": r"C:\a.zip"}), "file", "path", r"C:\a.zip"),
        ("video_path", json!({"msgtype": "43", "video_path": "D:\\a.mp4"}), "video", "path", r"D:\a.mp4"),
    ] {
        let content = said_by(fields.clone());
        let media = content.media().unwrap();
        assert_eq!(
            (content.kind(), media.params[word].as_str(), media.reference.as_str()),
            (kind, want, want),
            "{name}"
        );
        // The same in the outer object, where the kind is to be guessed.
        let mut flat = json!({"selfwxid": ME, "sendorrecv": "2", "msgsvrid": "6", "msg": ""});
        flat.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        flat.as_object_mut().unwrap().remove("msgtype");
        assert_eq!(message_in(&read(&flat.to_string())).content.media().unwrap().reference, want, "{name}, flattened");
    }
    for (tag, kind) in
        [("<img/>", "image"), ("<emoji/>", "sticker"), ("<voicemsg/>", "voice"), ("<videomsg/>", "video")]
    {
        let flat = json!({"selfwxid": ME, "msgsvrid": "6", "msg": format!("<msg>{tag}</msg>")});
        assert_eq!(message_in(&read(&flat.to_string())).content.kind(), kind, "{tag}");
    }
    let file = "<msg><appmsg><title>a.zip</title><type>6</type><appattach><totallen>9</totallen><aeskey>k</aeskey></appattach></appmsg></msg>";
    let Content::File(file) = said_by(json!({"msgtype": 49, "msg": file, "file_path": r"C:\a.zip"})) else { panic!() };
    assert_eq!((file.name.as_str(), file.len, file.media.params["aes_key"].as_str()), ("a.zip", Some(9), "k"));
}

fn unknown(event: &Incoming) -> Value {
    let Content::Unknown { raw, .. } = &message_in(event).content else { panic!("{event:?}") };
    serde_json::from_str(raw).unwrap()
}

// cov: 110
#[test]
fn a_message_that_was_not_decoded_is_kept_with_a_guess() {
    let event = read(&fixture("mode2-raw-pb"));
    assert_eq!(unknown(&event)["pb_data"], "0A058C6EA223445F1C...");
    assert_eq!(unknown(&event)["decoded"], Value::Null, "the sample is no hexadecimal number");
    assert_eq!((ends(&event), event.at_s), (("wxid_123456", None), NOW_MS / 1000));
    // The sample of the notes has a comma too many.
    let careless = fixture("mode2-raw-pb").replace("...\"", "...\",");
    assert_eq!(unknown(&read(&careless))["pb_data"], "0A058C6EA223445F1C...");

    let event = read(&fixture("x-mode2-decodable"));
    let decoded = &unknown(&event)["decoded"];
    assert_eq!((&decoded["2"]["1"], &decoded["5"]["1"]), (&json!("wxid_a"), &json!("hello")));
    assert_eq!(
        decoded["12"],
        "7743951206497233504".parse::<u64>().map_or(decoded["12"].clone(), |_| decoded["12"].clone())
    );
    assert_eq!((ends(&event), event.at_s), (("wxid_a", Some("wxid_a")), 1_678_000_000));
    assert!(matches!(message_in(&event).content, Content::Unknown { msg_type: 1, .. }));
    // Where we are none of its ends the layout is another.
    let other = fixture("x-mode2-decodable").replace("\"wxid_123456\"", "\"wxid_other\"");
    assert_eq!(ends(&read(&other)), ("wxid_other", None));
}

// cov: 134
#[test]
fn business_data_is_the_same_by_another_name() {
    let raw = unknown(&read(&fixture("x-mode2-businessdata")));
    assert_eq!((&raw["businesstype"], &raw["device"]), (&json!("1"), &json!("1")));
    assert_eq!(raw["decoded"]["3"]["1"], "wxid_123456");
    for fromtype in [json!(1), json!("1"), json!("2"), json!(null)] {
        let event = entry(json!({"msgtype": 1, "msg": "x", "fromtype": fromtype, "device": 1}));
        assert_eq!((ends(&event).0, message_in(&event).content.text()), ("wxid_a", Some("x")), "{fromtype}");
    }
}

// cov: 135
#[test]
fn a_login_code_of_a_mini_program_is_kept() {
    let outer = json!({"ServerPort": "30001", "selfwxid": ME, "sendorrecv": "2", "appletcode": "0b1x"});
    assert_eq!(unknown(&read(&outer.to_string()))["appletcode"], "0b1x");
    let event = entry(json!({"msgtype": "88", "appletcode": "0b1x"}));
    assert_eq!(unknown(&event)["appletcode"], "0b1x");
}

// cov: 136
#[test]
fn every_code_of_the_table_is_told() {
    let person = "<msg fromusername='wxid_b' encryptusername='v3_b@stranger' fromnickname='乙' content='hi' scene='14' ticket='v4_t' sex='2' sharecardnickname='丙'/>";
    let EventKind::FriendRequest(request) = entry(json!({"msgtype": "37", "msg": person})).kind else { panic!() };
    assert_eq!((request.name.as_str(), request.greeting.as_str(), request.scene), ("乙", "hi", 14));
    assert_eq!((request.user.as_ref().unwrap().as_str(), request.ticket.expose()), ("v3_b@stranger", "v4_t;scene=14"));
    assert_eq!((request.wxid.as_str(), request.shared_by.as_str(), request.suggested), ("wxid_b", "丙", false));
    let EventKind::FriendRequest(request) = entry(json!({"msgtype": "40", "msg": person})).kind else { panic!() };
    assert!(request.suggested);
    let own = person.replace("wxid_b", ME);
    assert!(matches!(said_by(json!({"msgtype": 37, "msg": own})), Content::Unknown { msg_type: 37, .. }));

    let card = "<msg username='gh_x' nickname='报' alias='a' certflag='24' sex='1' province='P' city='C' sign='S'/>";
    let Content::Card(card) = said_by(json!({"msgtype": 42, "msg": card})) else { panic!() };
    assert_eq!((card.user.unwrap().as_str(), card.nick_name.as_str(), card.official), ("gh_x", "报", true));

    let place = "<msg><location x='39.9' y='116.4' label='路' poiname='店'/></msg>";
    let Content::Location(place) = said_by(json!({"msgtype": 48, "msg": place})) else { panic!() };
    assert_eq!((place.point, place.name.as_str()), (Point::new(39.9, 116.4), "店"));

    let film = "<msg><videomsg length='7' playlength='3' md5='m'/></msg>";
    for (code, short) in [(43, false), (62, true)] {
        let Content::Video { media, length_s: 3, short: is, .. } = said_by(json!({"msgtype": code, "msg": film}))
        else {
            panic!()
        };
        assert_eq!((is, media.stated_len, media.params["md5"].as_str()), (short, Some(7), "m"));
    }
    let EventKind::Recall { notice, text, .. } =
        entry(json!({"msgtype": 44, "msg": "你撤回了一条消息", "revoke_msg": "x"})).kind
    else {
        panic!()
    };
    assert_eq!((notice.as_str(), text.as_deref()), ("你撤回了一条消息", Some("x")));

    for (code, msg, state) in [
        (
            50,
            "<voipmsg type='VoIPBubbleMsg'><VoIPBubbleMsg><msg>通话时长 00:05</msg></VoIPBubbleMsg></voipmsg>",
            CallState::Ended,
        ),
        (52, "", CallState::Ended),
        (53, "", CallState::Invited),
    ] {
        let Content::Call(call) = said_by(json!({"msgtype": code, "msg": msg})) else { panic!("{code}") };
        assert_eq!(call.state, state, "{code}");
    }
    assert_eq!(said_by(json!({"msgtype": 9999, "msg": "x"})), Content::Notice { text: "x".into() });
    let event = entry(json!({"msgtype": "10000", "msg": "\"甲\"修改群名为“新群名”", "fromwxid": "7@chatroom"}));
    assert!(matches!(&event.kind, EventKind::TopicChanged { topic, .. } if topic == "新群名"), "{event:?}");
    assert_eq!(ends(&event), ("7@chatroom", None));
    assert_eq!(said_by(json!({"msgtype": "10000", "msg": "别的"})), Content::System { text: "别的".into() });
    let link = "<msg><appmsg><title>t</title><des>d</des><type>5</type><url>http://a/?x=1&y=2</url></appmsg></msg>";
    let Content::Link(link) = said_by(json!({"msgtype": 49, "msg": link})) else { panic!() };
    assert_eq!((link.title.as_str(), link.url.as_str()), ("t", "http://a/?x=1&y=2"), "a lone & is one");
    let escaped = "&lt;msg&gt;&lt;img length='3'/&gt;&lt;/msg&gt;";
    assert_eq!(said_by(json!({"msgtype": 3, "msg": escaped})).media().unwrap().stated_len, Some(3));
}

// cov: 157
#[test]
fn one_model_for_all() {
    let event = read(&fixture("x-recv-text-private"));
    let want = Incoming {
        key: "7029814402633277010:msg".parse().unwrap(),
        chat: "wxid_a".parse().unwrap(),
        sender: "wxid_a".parse().ok(),
        at_s: 1_677_992_874,
        kind: EventKind::Message(Message {
            id: "7029814402633277010".parse().unwrap(),
            from_self: false,
            content: Content::Text { text: "hi".into() },
            mentions: Mentions::default(),
        }),
    };
    assert_eq!(event, want);
}

#[test]
fn ids_that_are_none_are_replaced() {
    for id in [json!("0"), json!(""), json!(null), json!("a\u{1}b"), json!("x".repeat(600)), json!(1.5)] {
        let event = entry(json!({"msgtype": 1, "msg": "x", "msgsvrid": id}));
        assert!(event.key.as_str().starts_with("local:h"), "{id}");
    }
    let event = entry(json!({"msgtype": 1, "msg": "x", "msgsvrid": 13_430_535_177_462_202_152_u64}));
    assert_eq!(message_in(&event).id.as_str(), "13430535177462202152");
}
