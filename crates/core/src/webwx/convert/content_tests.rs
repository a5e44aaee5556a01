//! Is every kind of message what its fixture says, value by value?

use serde_json::{Value, json};
use wxbot_model::{Card, FriendRequest, Sex, Ticket};

use wxbot_model::{Call, CallState, Gesture};

use super::super::Incoming;
use super::super::tests::{ME, PEER, event_of, message_of, read};
use super::*;
use crate::webwx::wire::testdata::{fixture, fixture_json};

const ID: &str = "8410419333108271670";

fn said(name: &str) -> Content {
    message_of(&read(name)).content.clone()
}

/// The fixture with these fields instead of its own.
fn changed(name: &str, fields: Value) -> Incoming {
    let mut json = fixture_json(name);
    for (field, value) in fields.as_object().unwrap() {
        json[field] = value.clone();
    }
    event_of(&serde_json::from_value(json).unwrap())
}

fn handle(kind: MediaKind, stated_len: Option<u64>) -> MediaHandle {
    MediaHandle::new(kind, ID, stated_len)
}

// cov: 75
#[test]
fn an_image_is_a_handle() {
    assert_eq!(said("msg-3-image.json"), Content::Image { media: handle(MediaKind::Image, Some(6503)) });
    assert_eq!(img_length(&fixture("content-3-image.xml")), Some(6503));
    let bare = changed("msg-3-image.json", json!({ "Content": "no XML" }));
    assert_eq!(message_of(&bare).content, Content::Image { media: handle(MediaKind::Image, None) }, "the id is enough");
}

// cov: 76
#[test]
fn a_voice_has_a_length() {
    let want = Content::Voice { media: handle(MediaKind::Voice, Some(2026)), length_ms: 1580, transcript: None };
    assert_eq!(said("msg-34-voice.json"), want);
    // Without the envelope's field, and with the XML of the other fixture, it is the same.
    let content = fixture("content-34-voice.xml");
    let event = changed("msg-34-voice.json", json!({ "VoiceLength": 0, "Content": content }));
    assert_eq!(message_of(&event).content, want);
}

fn the_request() -> FriendRequest {
    FriendRequest {
        user: Some("@2cbb226c459cc5203aa991942f41e19820f5ef3ccceb2dece598412f36406d1f".parse().unwrap()),
        name: "LbbNiu".into(),
        alias: "lbbniu".into(),
        wxid: "wxid_user1".into(),
        greeting: "我是LbbNiu".into(),
        scene: 14,
        ticket: Ticket::new("v2_9d2e1b01ee6de582a237f6369a6746c84d3a072b48bf36f152c5c947505e87118@stranger"),
        sex: Sex::Male,
        province: "Zhejiang".into(),
        city: "Hangzhou".into(),
        room: "123@chatroom".into(),
        ..FriendRequest::default()
    }
}

// cov: 77
#[test]
fn a_friend_request_can_be_accepted() {
    let event = read("msg-37-verify.json");
    assert_eq!(event.kind, EventKind::FriendRequest(the_request()));
    assert_eq!((event.chat.as_str(), &event.sender), ("fmessage", &None));
    assert!(!format!("{event:?}").contains("v2_9d2e"), "the ticket is not shown");
    // All of it stands in the XML, but for the id of this login.
    let bare =
        changed("msg-37-verify.json", json!({ "RecommendInfo": null, "Content": fixture("x-content-37-verify.xml") }));
    let user = Some("v1_123123131@stranger".parse().unwrap());
    assert_eq!(bare.kind, EventKind::FriendRequest(FriendRequest { user, ..the_request() }));
    // Our own requests come back to us.
    let own = changed("msg-37-verify.json", json!({ "RecommendInfo": { "UserName": ME } }));
    assert!(matches!(message_of(&own).content, Content::Unknown { msg_type: 37, .. }));
}

// cov: 78
#[test]
fn a_recommendation_asks_nothing() {
    let want = FriendRequest {
        user: Some("@2cbb226c459cc5203aa991942f41e19820f5ef3ccceb2dece598412f36406d1f".parse().unwrap()),
        name: "可能认识".into(),
        suggested: true,
        ..FriendRequest::default()
    };
    assert_eq!(read("x-msg-40-possiblefriend.json").kind, EventKind::FriendRequest(want));
    let nobody = changed("x-msg-40-possiblefriend.json", json!({ "RecommendInfo": {} }));
    assert!(matches!(message_of(&nobody).content, Content::Unknown { msg_type: 40, .. }));
}

// cov: 79
#[test]
fn a_card_names_a_contact() {
    let want = Card {
        user: Some("xxx".parse().unwrap()),
        nick_name: "xxx".into(),
        alias: "xxx".into(),
        province: "xxx".into(),
        city: "xxx".into(),
        sex: Sex::Male,
        signature: String::new(),
        official: false,
    };
    assert_eq!(said("msg-42-card.json"), Content::Card(want.clone()), "RecommendInfo, and sex from the XML");
    let xml = fixture("content-42-card.xml").replace(r#"nickname="""#, r#"nickname="A &amp;amp; B""#);
    let xml = xml.replace(r#"certflag="0""#, r#"certflag="24""#);
    let event = changed("msg-42-card.json", json!({ "Content": xml, "RecommendInfo": { "UserName": "@ab" } }));
    let Content::Card(card) = &message_of(&event).content else { panic!("{event:?}") };
    assert_eq!((card.nick_name.as_str(), card.official, card.user.as_ref().unwrap().as_str()), ("A & B", true, "@ab"));
}

// cov: 80
#[test]
fn a_video() {
    let thumb = Some(handle(MediaKind::Thumbnail, None));
    let want = Content::Video { media: handle(MediaKind::Video, None), thumb, length_s: 5, short: false };
    assert_eq!(said("x-msg-43-video.json"), want);
    let iphone = changed("x-msg-43-video.json", json!({ "MsgType": 44 }));
    assert_eq!(message_of(&iphone).content, want);
    let xml = r#"<msg><videomsg length="1048576" playlength="7" cdnthumblength="900" /></msg>"#;
    let full = changed("x-msg-43-video.json", json!({ "PlayLength": 0, "Content": xml }));
    let thumb = Some(handle(MediaKind::Thumbnail, Some(900)));
    let want = Content::Video { media: handle(MediaKind::Video, Some(1_048_576)), thumb, length_s: 7, short: false };
    assert_eq!(message_of(&full).content, want);
}

// cov: 81
#[test]
fn a_sticker() {
    let md5 = "e68363487d8f0519c4e1047de403b2e7";
    let media = Some(handle(MediaKind::Sticker, Some(86235)));
    let want = Content::Sticker { md5: md5.into(), media, gesture: None };
    assert_eq!(said("msg-47-emoticon.json"), want);
    let xml = fixture("content-47-emoticon.xml");
    for (game, gesture) in [
        (r#"type="2" content="4""#, Some(Gesture::Dice(1))),
        (r#"type="2" content="9""#, Some(Gesture::Dice(6))),
        (r#"type="2" content="10""#, None),
        (r#"type="1" content="1""#, Some(Gesture::Scissors)),
        (r#"type="1" content="2""#, Some(Gesture::Rock)),
        (r#"type="1" content="3""#, Some(Gesture::Paper)),
        (r#"type="0" content="0""#, None),
    ] {
        let content = xml.replace(r#"type="0" content="0""#, game);
        let event = changed("msg-47-emoticon.json", json!({ "Content": content, "HasProductId": 1 }));
        let want = Content::Sticker { md5: md5.into(), media: None, gesture };
        assert_eq!(message_of(&event).content, want, "of the shop, so without bytes: {game}");
    }
}

const LABEL: &str = "北京市昌平区回龙观龙腾苑(五区)内(龙腾街南)";

// cov: 82
#[test]
fn a_location_of_its_own_type() {
    let want = Location { point: Point::new(40.075_041, 116.338_994), label: LABEL.into(), ..Location::default() };
    assert_eq!(said("x-msg-48-location.json"), Content::Location(want.clone()));
    let xml = fixture("x-content-1-48-location-oricontent.xml").replace("[位置]", "龙腾苑");
    let named = changed("x-msg-48-location.json", json!({ "Content": xml }));
    assert_eq!(message_of(&named).content, Content::Location(Location { name: "龙腾苑".into(), ..want }));
    let broken = changed("x-msg-48-location.json", json!({ "Content": "&lt;msg&gt;" }));
    let want = Content::Unknown { msg_type: 48, raw: "&lt;msg&gt;".into() };
    assert_eq!(message_of(&broken).content, want, "kept as it came");
}

#[test]
fn a_location_that_travels_as_text() {
    let want = Location {
        point: Point::new(40.075_041, 116.338_994),
        label: LABEL.into(),
        url: "http://apis.map.qq.com/uri/v1/geocoder?coord=40.075041,116.338994".into(),
        ..Location::default()
    };
    assert_eq!(said("x-msg-1-location.json"), Content::Location(want));
    let event = read("x-msg-1-location-group.json");
    let want = Location {
        point: Point::new(30.191_660, 120.200_508),
        label: "滨兴小区(东区)".into(),
        url: "http://apis.map.qq.com/uri/v1/geocoder?coord=30.191660,120.200508".into(),
        ..Location::default()
    };
    assert_eq!(message_of(&event).content, Content::Location(want), "the group's prefix is off");
    assert_eq!(event.sender.unwrap().as_str(), PEER);
    // Of the picture's link alone nothing is known.
    let fields = json!({ "Content": "x", "Url": "", "OriContent": "" });
    let nothing = changed("x-msg-1-location.json", fields);
    assert_eq!(message_of(&nothing).content, Content::Unknown { msg_type: 48, raw: "x".into() });
}

// cov: 94
#[test]
fn a_location_that_is_a_link() {
    let url = "http://weixin.qq.com/cgi-bin/redirectforward?args=xxx";
    let want = Content::Location(Location { url: url.into(), ..Location::default() });
    assert_eq!(said("msg-1-location-redirect.json"), want);
    let talk = changed("msg-1-location-redirect.json", json!({ "Content": format!("看 {url}") }));
    assert_eq!(message_of(&talk).content.text(), Some(format!("看 {url}").as_str()), "a text about it is a text");
}

fn of_call(state: CallState) -> Content {
    Content::Call(Call { state, text: String::new(), raw: String::new() })
}

// cov: 84
#[test]
fn a_call_says_what_it_says() {
    assert_eq!(said("x-msg-50-voip.json"), of_call(CallState::Unstated));
    for (words, state) in [
        ("通话时长 00:10", CallState::Ended),
        ("对方已取消", CallState::Missed),
        ("Canceled by caller", CallState::Missed),
        ("?", CallState::Unstated),
    ] {
        let raw = format!("<voipmsg><VoIPBubbleMsg><msg><![CDATA[{words}]]></msg></VoIPBubbleMsg></voipmsg>");
        let event = changed("x-msg-50-voip.json", json!({ "Content": raw }));
        let want = Content::Call(Call { state, text: words.into(), raw });
        assert_eq!(message_of(&event).content, want, "{words}");
    }
    let invite =
        changed("x-msg-50-voip.json", json!({ "Content": "<voipinvitemsg><roomid>1</roomid></voipinvitemsg>" }));
    let Content::Call(call) = &message_of(&invite).content else { panic!("{invite:?}") };
    assert_eq!(call.state, CallState::Invited);
}

// cov: 86
#[test]
fn a_call_that_ended() {
    assert_eq!(said("x-msg-52-voipnotify.json"), of_call(CallState::Ended));
}

// cov: 87
#[test]
fn a_call_that_rings() {
    assert_eq!(said("x-msg-53-voipinvite.json"), of_call(CallState::Invited));
}

// cov: 88
#[test]
fn a_micro_video_is_a_short_one() {
    let thumb = Some(handle(MediaKind::Thumbnail, Some(6503)));
    let want = Content::Video { media: handle(MediaKind::Video, None), thumb, length_s: 8, short: true };
    assert_eq!(said("msg-62-microvideo.json"), want);
    assert_eq!(img_length(&fixture("content-62-microvideo.xml")), Some(6503));
}

// cov: 89
#[test]
fn a_notice_of_the_service() {
    let event = read("x-msg-9999-sysnotice.json");
    assert_eq!(message_of(&event).content, Content::Notice { text: String::new() });
    assert_eq!(event.sender, None);
    let told = changed("x-msg-9999-sysnotice.json", json!({ "Content": "a &amp; b" }));
    assert_eq!(message_of(&told).content, Content::Notice { text: "a & b".into() });
}

// cov: 92
#[test]
fn the_list_of_recent_chats() {
    let operation = status::operation(&fixture("content-51-init.xml")).unwrap();
    let want = status::Operation {
        id: Some(4),
        names: ["filehelper", "xxx@chatroom", "wxid_xxx", "xxx"].map(str::to_owned).into(),
        unread: vec![status::Unread { name: "MomentsUnreadMsgStatus".into(), last_read_s: 1_454_502_365 }],
        unread_functions: 0,
    };
    assert_eq!(operation, want);
    let mut json = fixture_json("msg-51-init.json");
    let pairs = |json: &Value| status::recent_pairs(&serde_json::from_value(json.clone()).unwrap());
    assert_eq!(pairs(&json), [], "four names and three ids: nobody can say whose is whose");
    json["StatusNotifyUserName"] = "filehelper,@@9e,@e5,@77".into();
    let pairs_of_ids: Vec<_> = pairs(&json).into_iter().map(|(name, peer)| (name, String::from(peer))).collect();
    let want = [("xxx@chatroom", "@@9e"), ("wxid_xxx", "@e5"), ("xxx", "@77")];
    assert_eq!(pairs_of_ids, want.map(|(name, peer)| (name.to_owned(), peer.to_owned())));
    for (name, ids) in [
        ("a room beside a person", "filehelper,@e5,@@9e,@77"),
        ("a built-in account beside another id", "@77,@@9e,@e5,filehelper"),
        ("one id twice", "filehelper,@@9e,@e5,@e5"),
    ] {
        json["StatusNotifyUserName"] = ids.into();
        assert_eq!(pairs(&json), [], "{name}");
    }
    json["StatusNotifyCode"] = 2.into();
    assert_eq!(pairs(&json), [], "another notice");
}

// cov: 93
#[test]
fn a_chat_that_was_left() {
    let operation = status::operation(&fixture("content-51-quit.xml")).unwrap();
    let want =
        status::Operation { id: Some(5), names: vec!["wxid_e602if1itlm821".into()], ..status::Operation::default() };
    assert_eq!(operation, want);
    let content = fixture("content-51-quit.xml");
    let event = changed("msg-51-init.json", json!({ "Content": content, "StatusNotifyCode": 5, "ToUserName": PEER }));
    assert_eq!((event.chat.as_str(), event.kind), (PEER, EventKind::Status { code: 5, op: Some(5) }));
}
