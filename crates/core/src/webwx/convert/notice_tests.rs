//! Are the texts of the service understood, each with the names in it?

use wxbot_model::{Content, Direction, EventKind, JoinedBy, LiveShare, Location, MembersJoined, Who};

use super::super::tests::{ROOM, event_of, message_of, read};
use crate::said::Told;
use crate::said::notice::*;
use crate::webwx::wire::addmsg::AddMsg;
use crate::webwx::wire::testdata::{fixture, fixture_json};

const INVITED: JoinedBy = JoinedBy::Invitation;
const SCANNED: JoinedBy = JoinedBy::QrCode;

fn joined(names: &[&str], me_invited: bool, others: &[&str], inviter: Who, by: JoinedBy) -> EventKind {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let notice = String::new();
    EventKind::MembersJoined(MembersJoined {
        names: owned(names),
        me_invited,
        others: owned(others),
        inviter,
        by,
        notice,
    })
}

fn other(name: &str) -> Who {
    Who::other(name)
}

/// Without the whole text, which is checked apart.
fn bare(kind: EventKind) -> EventKind {
    let mut json = serde_json::to_value(kind).unwrap();
    if let Some(notice) = json.get_mut("notice") {
        *notice = "".into();
    }
    serde_json::from_value(json).unwrap()
}

fn table() -> Vec<(&'static str, EventKind)> {
    let notice = String::new;
    let topic = |topic: &str, by| EventKind::TopicChanged { topic: topic.into(), by, notice: notice() };
    let added = |by| EventKind::FriendAdded { name: "甲".into(), by, notice: notice() };
    let not_friend = || EventKind::NotFriend { name: "甲".into(), notice: notice() };
    let removed = || EventKind::MembersRemoved { names: vec!["乙".into()], by: Who::Me, notice: notice() };
    let removed_me = || EventKind::RemovedMe { by: other("甲"), notice: notice() };
    vec![
        ("friend-added-by-zh", added(other("甲"))),
        ("friend-confirm-en", added(Who::Me)),
        ("friend-confirm-zh", added(Who::Me)),
        ("friend-needverify-en", not_friend()),
        ("friend-needverify-zh", not_friend()),
        ("invite-other-other-en", joined(&["乙"], false, &[], other("甲"), INVITED)),
        ("invite-other-other-zh", joined(&["乙", "丙"], false, &[], other("甲"), INVITED)),
        ("invite-other-you-and-other-en", joined(&["乙"], true, &[], other("甲"), INVITED)),
        ("invite-other-you-and-other-zh", joined(&["乙"], true, &[], other("甲"), INVITED)),
        ("invite-other-you-en", joined(&[], true, &["乙", "丙"], other("甲"), INVITED)),
        ("invite-other-you-zh", joined(&[], true, &["乙", "丙"], other("甲"), INVITED)),
        ("invite-you-other-en", joined(&["乙"], false, &[], Who::Me, INVITED)),
        ("invite-you-other-zh", joined(&["乙"], false, &[], Who::Me, INVITED)),
        ("kick-other-you-en", removed_me()),
        ("kick-other-you-zh", removed_me()),
        ("kick-you-other-en", removed()),
        ("kick-you-other-zh", removed()),
        ("pat-other-me", EventKind::Pat { by: other("甲"), whom: Who::Me, notice: notice() }),
        ("qrcode-others-en", joined(&["乙"], false, &[], other("甲"), SCANNED)),
        ("qrcode-others-zh", joined(&["乙"], false, &[], other("甲"), SCANNED)),
        ("qrcode-yours-en", joined(&["乙"], false, &[], Who::Me, SCANNED)),
        ("qrcode-yours-zh", joined(&["乙"], false, &[], Who::Me, SCANNED)),
        ("topic-other-en", topic("new", other("甲"))),
        ("topic-other-zh", topic("新群名", other("甲"))),
        ("topic-you-en", topic("new", Who::Me)),
        ("topic-you-zh", topic("新群名", Who::Me)),
    ]
}

/// Of these the message is left, see below.
const SAID: [&str; 3] = ["realtime-location-end", "redpacket-fullwidth", "redpacket-sent"];

// cov: 90
#[test]
fn every_text_of_the_service_is_understood() {
    for (name, want) in table() {
        let file = format!("x-msg-10000-{name}.json");
        let event = read(&file);
        let text = fixture_json(&file)["Content"].as_str().unwrap().to_owned();
        let shown = text.split("  &lt;a").next().unwrap();
        assert_eq!(event.kind.notice(), Some(shown), "{name}: the whole text, without the link of phones");
        assert_eq!(bare(event.kind), want, "{name}");
        assert_eq!(event.sender, None, "{name}: nobody in the chat said it");
    }
    let folder = format!("{}/../../tests/fixtures/webwx", env!("CARGO_MANIFEST_DIR"));
    for file in std::fs::read_dir(folder).unwrap() {
        let file = file.unwrap().file_name().into_string().unwrap();
        if let Some(name) = file.strip_prefix("x-msg-10000-").and_then(|name| name.strip_suffix(".json")) {
            let known = table().iter().any(|(row, _)| *row == name) || SAID.contains(&name);
            assert!(known, "{file} has no row");
        }
    }
}

// cov: 100
#[test]
fn a_friend_was_added() {
    let event = read("msg-10000-added.json");
    let notice = "你已添加了 xxx ,现在可以开始聊天了。".to_owned();
    assert_eq!(event.kind, EventKind::FriendAdded { name: "xxx".into(), by: Who::Me, notice });
}

// cov: 101
#[test]
fn a_warning_of_strangers_stays_a_text() {
    let event = read("msg-10000-stranger-warning.json");
    let text = "如果陌生人主动添加你为朋友,请谨慎核实对方身份。".to_owned();
    assert_eq!(message_of(&event).content, Content::System { text });
    assert_eq!(event.sender, None);
}

// cov: 102
#[test]
fn a_red_packet_is_told() {
    for (file, direction) in [
        ("msg-10000-redpacket.json", Direction::Received),
        ("x-msg-10000-redpacket-fullwidth.json", Direction::Received),
        ("x-msg-10000-redpacket-sent.json", Direction::Sent),
    ] {
        let note = fixture_json(file)["Content"].as_str().unwrap().to_owned();
        let want = Content::RedPacket { note, direction: Some(direction) };
        assert_eq!(message_of(&read(file)).content, want, "{file}");
    }
}

#[test]
fn live_locations_end() {
    let want =
        Location { label: "位置共享已经结束".into(), live: Some(LiveShare::Ended), ..Location::default() };
    assert_eq!(message_of(&read("x-msg-10000-realtime-location-end.json")).content, Content::Location(want));
}

fn of(text: &str) -> EventKind {
    match told(text) {
        Told::Happened(kind) => bare(kind),
        Told::Said(content) => panic!("{text}: {content:?}"),
    }
}

#[test]
fn other_quotes_and_odd_names() {
    let pat = |by: Who, whom: Who| EventKind::Pat { by, whom, notice: String::new() };
    for (text, want) in [
        ("“甲”邀请“乙、丙”加入了群聊", joined(&["乙", "丙"], false, &[], other("甲"), INVITED)),
        (r#""邀请"邀请"乙"加入了群聊"#, joined(&["乙"], false, &[], other("邀请"), INVITED)),
        (r#""甲"邀请你加入了群聊"#, joined(&[], true, &[], other("甲"), INVITED)),
        (r#""甲"邀请你和"乙"加入了群聊，群聊参与人还有：丙"#, joined(&["乙"], true, &["丙"], other("甲"), INVITED)),
        (r#""A" invited "B", "C" to the group chat"#, joined(&["B", "C"], false, &[], other("A"), INVITED)),
        ("A invited you to a group chat with B, C", joined(&[], true, &["B", "C"], other("A"), INVITED)),
        (
            "甲 just added you to his/her contacts list. Send a message to him/her now!",
            EventKind::FriendAdded { name: "甲".into(), by: other("甲"), notice: String::new() },
        ),
        (r#"我拍了拍 "乙""#, pat(Who::Me, other("乙"))),
        (r#""甲" 拍了拍 "乙" 的肩膀"#, pat(other("甲"), other("乙"))),
        (r#""甲" 拍了拍我的肩膀"#, pat(other("甲"), Who::Me)),
        (r#""甲" 拍了拍自己"#, pat(other("甲"), other("甲"))),
    ] {
        assert_eq!(of(text), want, "{text}");
    }
    for text in ["", "“甲”邀请", "你邀请加入了群聊", "x\n你被\"甲\"移出群聊", "You changed the group name"]
    {
        assert_eq!(told(text), Told::Said(Content::System { text: text.into() }), "{text}");
    }
}

#[test]
fn what_people_type_tells_nothing() {
    let mut json = fixture_json("x-msg-1-accepted-zh.json");
    let typed = read("x-msg-1-accepted-zh.json");
    assert_eq!(message_of(&typed).content.text(), json["Content"].as_str());
    json["Content"] = "你被\"甲\"移出群聊".into();
    let event = event_of(&serde_json::from_value(json).unwrap());
    assert_eq!(message_of(&event).content.text(), Some("你被\"甲\"移出群聊"));
    // In a room without a prefix it is the service who writes, but as type 1 nobody vouches for it.
    let text = "你被\"甲\"移出群聊".to_owned();
    let msg = AddMsg { msg_type: 1, content: text.clone(), from_user_name: ROOM.into(), ..AddMsg::default() };
    let event = event_of(&msg);
    assert_eq!((&message_of(&event).content, &event.sender), (&Content::System { text }, &None));
}

// cov: 91
#[test]
fn a_recall_names_the_message_that_is_gone() {
    let want = |notice: &str| {
        let msg = Some("4527210051674039705".parse().unwrap());
        EventKind::Recall { msg, notice: notice.into(), text: None }
    };
    let notice = "\"LbbNiu\" 撤回了一条消息";
    assert_eq!(read("x-msg-10002-revoke.json").kind, want(notice));
    let in_room = read("x-msg-10002-revoke-group.json");
    assert_eq!((&in_room.kind, in_room.sender.is_some()), (&want(notice), true));
    for (file, notice) in
        [("x-content-10002-revoke.xml", notice), ("x-content-10002-revoke-newmsgid.xml", "你撤回了一条消息")]
    {
        assert_eq!(sysmsg(&fixture(file)), Some(Told::Happened(want(notice))), "{file}");
    }
    let ours = fixture("x-content-10002-revoke.xml").replace("4527210051674039705", "0");
    let want = EventKind::Recall { msg: None, notice: notice.into(), text: None };
    assert_eq!(sysmsg(&ours), Some(Told::Happened(want)), "0 is our own last one");
}

#[test]
fn other_sysmsgs_tell_the_same_as_texts() {
    let wxid = || other("wxid_a");
    for (file, want) in [
        ("x-content-10002-pat.xml", EventKind::Pat { by: wxid(), whom: Who::Me, notice: String::new() }),
        ("x-content-10002-sysmsgtemplate.xml", joined(&["乙", "丙"], false, &[], other("甲"), INVITED)),
        ("x-content-10002-delchatroommember.xml", joined(&["Huan LI++"], false, &[], Who::Me, INVITED)),
    ] {
        let content = format!("wxid_x:<br/>{}", fixture(file));
        let msg = AddMsg { msg_type: 10_002, content, from_user_name: ROOM.into(), ..AddMsg::default() };
        let event = event_of(&msg);
        assert_eq!((bare(event.kind), event.sender), (want, None), "{file}");
    }
    let template = fixture("x-content-10002-sysmsgtemplate.xml");
    let unknown = template.replace("邀请", "$5 $names$ $nobody$ ");
    let text = "\"甲\"$5 乙、丙 $nobody$ \"乙、丙\"加入了群聊".to_owned();
    assert_eq!(sysmsg(&unknown), Some(Told::Said(Content::System { text })));
    let kind = told("\"甲\"邀请\"乙、丙\"加入了群聊");
    assert_eq!(sysmsg(&template), Some(kind));
}

#[test]
fn a_template_does_not_grow_beyond_measure() {
    let template = fixture("x-content-10002-sysmsgtemplate.xml");
    let bomb = template.replace("$names$", &"$names$".repeat(1000)).replace("乙", &"乙".repeat(10_000));
    assert_eq!(sysmsg(&bomb), None, "it stays unknown, with its raw form");
    let msg = AddMsg { msg_type: 10_002, content: "<sysmsg type='x'><x/></sysmsg>".into(), ..AddMsg::default() };
    let want = Content::Unknown { msg_type: 10_002, raw: msg.content.clone() };
    assert_eq!(message_of(&event_of(&msg)).content, want);
}
