//! Does every captured message become the event it was? Its envelope, who said it, and contacts; what it says is tested
//! where it is decoded.

use serde_json::value::RawValue;

use super::super::wire::answer::{SyncAnswer, elements};
use super::super::wire::json;
use super::super::wire::testdata::{fixture, fixture_json, ok};
use super::*;

pub(in crate::webwx::convert) const ME: &str = "@595d9f44c64e2f480baa0d6430ca58ef053a768daa6d7b3fcc4bece244bcbce3";
pub(in crate::webwx::convert) const PEER: &str = "@e5403f77c2193da671790c1a242d0b43ac6f570e5047993ef745d13d6376b57b";
pub(in crate::webwx::convert) const ROOM: &str = "@@9e1c0ab62b5ab222835786c00192fb1e10c75f8082c245d360ac6a6bd2efe2df";

pub(in crate::webwx::convert) fn book() -> Book {
    let wire =
        |json: serde_json::Value| contact(serde_json::from_value(json).unwrap(), Some(&ME.parse().unwrap())).unwrap();
    let init = fixture_json("webwxinit.resp.json");
    let mut book = Book::new(wire(init["User"].clone()));
    for one in init["ContactList"].as_array().unwrap() {
        book.put(std::sync::Arc::new(wire(one.clone())));
    }
    book
}

pub(in crate::webwx::convert) fn incoming(raw: &RawValue) -> Incoming {
    Read::new(raw.to_owned()).incoming(&book().view(&[]), 7)
}

pub(in crate::webwx::convert) fn event_of(msg: &AddMsg) -> Incoming {
    message(msg, &book().view(&[]), 7)
}

pub(in crate::webwx::convert) fn read(name: &str) -> Incoming {
    incoming(&serde_json::from_str::<Box<RawValue>>(&fixture(name)).unwrap())
}

pub(in crate::webwx::convert) fn message_of(incoming: &Incoming) -> &Message {
    let EventKind::Message(message) = &incoming.kind else { panic!("{:?} is no message", incoming.kind) };
    message
}

// cov: 73
#[test]
fn the_envelope() {
    let mut json = fixture_json("msg-common.json");
    let field =
        |json: &serde_json::Value, name: &str| json.get(name).cloned().unwrap_or_else(|| panic!("{name} is missing"));
    for name in
        ["MsgId", "NewMsgId", "FromUserName", "ToUserName", "MsgType", "Content", "CreateTime", "StatusNotifyCode"]
    {
        field(&json, name);
    }
    // The sample's values are empty: an envelope without any id is known by what is in it.
    let empty: AddMsg = serde_json::from_value(json.clone()).unwrap();
    assert!(event_of(&empty).key.as_str().starts_with('h'));
    json["MsgId"] = "8410419333108271670".into();
    json["CreateTime"] = 1_476_612_570.into();
    let filled: AddMsg = serde_json::from_value(json).unwrap();
    let event = event_of(&filled);
    assert_eq!((event.key.as_str(), event.at_s), ("8410419333108271670", 1_476_612_570));
    let only_number: Box<RawValue> = serde_json::from_str(
        r#"{"MsgType":1,"NewMsgId":8410419333108271670,"FromUserName":"@a","ToUserName":"@b","Content":"x"}"#,
    )
    .unwrap();
    assert_eq!(incoming(&only_number).key.as_str(), "8410419333108271670", "never through a float");
}

// cov: 74
#[test]
fn text_from_a_friend() {
    let event = read("msg-1-text.json");
    assert_eq!((event.chat.as_str(), event.sender.as_ref().unwrap().as_str()), (PEER, PEER));
    assert_eq!(event.at_s, 1_476_612_570);
    let message = message_of(&event);
    assert_eq!(message.content.text(), Some(fixture_json("msg-1-text.json")["Content"].as_str().unwrap()));
    assert!(!message.from_self);
}

// cov: 85
#[test]
fn a_status_notice_is_no_message() {
    assert_eq!(read("msg-51-init.json").kind, EventKind::Status { code: 4, op: Some(4) });
    let msg: AddMsg = serde_json::from_str(&fixture("msg-51-init.json")).unwrap();
    assert_eq!(read("msg-51-init.json").sender, None, "nobody there did it");
    let peers = peers_of(&msg, &ME.parse().unwrap());
    assert_eq!(peers.iter().map(PeerId::as_str).collect::<Vec<_>>(), [ROOM, PEER], "filehelper needs no look-up");
}

// cov: 99
#[test]
fn a_group_text_loses_its_prefix_once() {
    let event = read("msg-1-group.json");
    assert_eq!((event.chat.as_str(), event.sender.as_ref().unwrap().as_str()), (ROOM, PEER));
    assert_eq!(message_of(&event).content.text(), Some("xxx"));
}

#[test]
fn mentions_follow_the_name_in_the_room() {
    assert!(message_of(&read("x-msg-1-group-at.json")).mentions.me);
}

#[test]
fn escapes_and_emoji() {
    let event = read("x-msg-1-emoji-escape.json");
    let text = message_of(&event).content.text().unwrap().to_owned();
    assert!(!text.contains("<span") && !text.contains("&lt;") && !text.contains("<br/>"), "{text}");
}

#[test]
fn own_messages_from_the_phone_belong_to_the_peer_they_went_to() {
    let mut json = fixture_json("msg-1-text.json");
    (json["FromUserName"], json["ToUserName"]) = (ME.into(), ROOM.into());
    let msg: AddMsg = serde_json::from_value(json).unwrap();
    let event = event_of(&msg);
    assert_eq!((event.chat.as_str(), event.sender.as_ref().unwrap().as_str()), (ROOM, ME));
    assert!(message_of(&event).from_self);
}

#[test]
fn unknown_types_and_unreadable_entries_keep_their_raw_text() {
    let json = serde_json::json!({ "MsgId": "1", "FromUserName": PEER, "MsgType": 777, "Content": "what&apos;s<br/>" });
    let msg: AddMsg = serde_json::from_value(json).unwrap();
    let want = Content::Unknown { msg_type: 777, raw: "what&apos;s<br/>".into() };
    assert_eq!(message_of(&event_of(&msg)).content, want, "kept as it came");
    let broken: Box<RawValue> = serde_json::from_str(r#"{"MsgId":{"no":1}}"#).unwrap();
    let event = incoming(&broken);
    assert_eq!(message_of(&event).content, Content::Unknown { msg_type: -1, raw: r#"{"MsgId":{"no":1}}"#.into() });
}

// cov: 36
#[test]
fn a_sync_answer_brings_its_messages() {
    let answer: SyncAnswer = json("webwxsync", &ok(fixture("webwxsync.resp.json"))).unwrap();
    let events: Vec<_> = answer.add_msg_list.iter().map(|raw| incoming(raw)).collect();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].kind, EventKind::Status { code: 5, op: Some(5) });
    let wire: SyncAnswer = json("webwxsync", &ok(fixture("x-webwxsync-wire-escaped.resp.json"))).unwrap();
    assert!(wire.add_msg_list.iter().all(|raw| message_or_status(&incoming(raw))));
}

fn message_or_status(incoming: &Incoming) -> bool {
    matches!(incoming.kind, EventKind::Message(_) | EventKind::Status { .. } | EventKind::Recall { .. })
}

// cov: 37
#[test]
fn changed_and_deleted_contacts() {
    let answer: SyncAnswer = json("webwxsync", &ok(fixture("x-webwxsync-modcontact-room.resp.json"))).unwrap();
    let (rooms, bad) = elements::<contact::Contact>(&answer.mod_contact_list);
    assert_eq!((rooms.len(), bad), (1, 0));
    let before = book();
    let changed = before.merged(contact(rooms[0].clone(), Some(before.me())).unwrap()).expect("a member left");
    assert_eq!((before.get(&changed.peer).unwrap().members.len(), changed.members.len()), (3, 2));
    let gone: SyncAnswer = json("webwxsync", &ok(fixture("x-webwxsync-delcontact.resp.json"))).unwrap();
    assert_eq!(super::super::wire::answer::deleted(&gone.del_contact_list).len(), 1);
    // Nobody sends it any more, but an old server may: it is read like ModContactList.
    assert!(answer.mod_chat_room_member_list.is_empty());
}

// cov: 38
#[test]
fn the_profile_block() {
    let answer: SyncAnswer = json("webwxsync", &ok(fixture("webwxsync.resp.json"))).unwrap();
    assert_eq!(answer.profile.unwrap().bit_flag, 0);
    let mut changed = fixture_json("webwxsync.resp.json");
    changed["Profile"]["BitFlag"] = 190.into();
    changed["Profile"]["NickName"]["Buff"] = "新名字".into();
    let answer: SyncAnswer = serde_json::from_value(changed).unwrap();
    let profile = answer.profile.unwrap();
    assert_eq!((profile.bit_flag, profile.nick_name.buff.as_str()), (190, "新名字"));
}

// cov: 39
#[test]
fn continue_flag_says_that_more_is_waiting() {
    let answer: SyncAnswer = json("webwxsync", &ok(fixture("x-webwxsync-continue.resp.json"))).unwrap();
    assert_ne!(answer.continue_flag, 0);
}

// cov: 28
#[test]
fn sexes() {
    for (number, want) in [(0, Sex::Unknown), (1, Sex::Male), (2, Sex::Female), (9, Sex::Unknown)] {
        let wire = serde_json::from_value(serde_json::json!({ "UserName": "@a", "Sex": number })).unwrap();
        assert_eq!(contact(wire, None).unwrap().sex, want);
    }
}

#[test]
fn a_mention_names_the_member_and_rings_the_phone() {
    let want = fixture_json("x-webwxsendmsg-mention.req.json");
    let (room, peer) = (ROOM.parse().unwrap(), PEER.parse().unwrap());
    let (text, source) = mention_text("你好", &room, &[peer], &book());
    assert_eq!(text, want["Msg"]["Content"].as_str().unwrap());
    assert_eq!(source.as_deref(), want["Msg"]["MsgSource"].as_str());
}

const TYPES: [i64; 18] = [1, 3, 34, 37, 40, 42, 43, 47, 48, 49, 50, 51, 53, 62, 9999, 10_000, 10_002, 777];
const APP_TYPES: [i64; 12] = [0, 3, 5, 6, 8, 17, 19, 33, 57, 2000, 2001, 100_001];

/// Everything in it together is not much longer than what came.
fn assert_bounded(msg: &AddMsg) {
    let event = event_of(msg);
    let told = serde_json::to_string(&event.kind).unwrap().len();
    let came = [&msg.content, &msg.ori_content, &msg.url, &msg.file_name, &msg.recommend_info.nick_name];
    let came: usize = came.map(String::len).into_iter().sum();
    assert!(told <= 16 * came + 16 * 1024, "{told} of {came}");
    if let EventKind::Message(message) = &event.kind {
        assert!(message.content.summary().chars().count() <= 80);
    }
}

proptest::proptest! {
    #[test]
    fn any_content_is_read(
        content: String, msg_type in 0i64..10_010, from in "@{0,2}[a-z0-9]{0,4}", app_msg_type in 0i64..60,
    ) {
        assert_bounded(&AddMsg { content, msg_type, app_msg_type, from_user_name: from, ..AddMsg::default() });
    }

    #[test]
    fn any_xml_is_read(
        inner in "(<(type|title|des|refermsg|recorditem|weappinfo|wcpayinfo|appattach|content|msg|img|emoji|location|op|\
                   username|pat|template|datalist|dataitem)( (id|x|y|type|name|length)='[^']{0,4}')?>|</[a-z]{2,8}>|\
                   [0-9]{1,20}|\\$names\\$|你邀请\"|加入了群聊|、|[^<]|<!\\[CDATA\\[|\\]\\]>|&amp;lt;){0,30}",
        root in 0usize..4,
        msg_type in proptest::sample::select(&TYPES[..]),
        app_msg_type in proptest::sample::select(&APP_TYPES[..]),
        sub_msg_type in proptest::sample::select(vec![0, 48]),
        url in "(http://x/\\?coord=[-0-9.,]{0,12})?",
    ) {
        let (open, close) = [
            ("<msg><appmsg>", "</appmsg></msg>"),
            ("<sysmsg type='pat'><pat>", "</pat></sysmsg>"),
            ("<msg>", "</msg>"),
            ("", ""),
        ][root];
        let content = format!("{open}{inner}{close}");
        let ori_content = inner;
        assert_bounded(&AddMsg { content, msg_type, app_msg_type, sub_msg_type, url, ori_content, ..AddMsg::default() });
    }
}

#[test]
fn a_part_of_the_members_counts_as_none() {
    let room = |count: u64| {
        let wire = serde_json::json!({ "UserName": "@@r", "MemberCount": count, "MemberList": [{ "UserName": "@a" }] });
        contact(serde_json::from_value(wire).unwrap(), None).unwrap().members.len()
    };
    assert_eq!([room(0), room(1), room(2)], [1, 1, 0]);
}

#[test]
fn a_text_of_the_service_has_no_prefix_to_lose() {
    let msg = AddMsg { msg_type: 10_000, content: "a:<br/>b".into(), from_user_name: ROOM.into(), ..AddMsg::default() };
    let event = event_of(&msg);
    assert_eq!(message_of(&event).content, Content::System { text: "a:\nb".into() });
    assert_eq!(event.sender, None);
}
