//! Does each action go where it should, with the body of its fixture?

use serde_json::{Value, json};
use wxbot_model::{App, Link, Ticket};

use super::super::testdata::fixture_json;
use super::super::testing::{Asked, Reply, rig, without_keys, word};
use super::*;
use crate::said::xml;

const ROOM: &str = "@@45340ba1e520285af196cef99d2f41a2bdb5cc568569efa178354f08eb863d00";
const NIU: &str = "@2cbb226c459cc5203aa991942f41e19820f5ef3ccceb2dece598412f36406d1f";
const PEER: &str = "@e5403f77c2193da671790c1a242d0b43ac6f570e5047993ef745d13d6376b57b";
const FRIEND: &str = "@fe20084fb8e3b488f49d3df2bf3ec2837daeb468abfe62a48ef39a6e407cab0e";

fn good(asked: &Asked) -> Reply {
    match asked.endpoint.as_str() {
        "webwxcreatechatroom" => Reply::fixture("webwxcreatechatroom.resp.json"),
        "webwxbatchgetcontact" => Reply::ret(0),
        _ => Reply::sent(),
    }
}

/// Ids that a service or a person gave are not ours to compare.
fn ours(mut body: Value) -> Value {
    body = without_keys(body);
    body.as_object_mut().unwrap().remove("skey");
    if let Some(msg) = body.get_mut("Msg").and_then(Value::as_object_mut) {
        msg.insert("LocalID".into(), json!("14766146756340722"));
        msg.insert("ClientMsgId".into(), json!("14766146756340722"));
    }
    body
}

// cov: 43, 47, 55, 63, 64, 66, 67, 68, 69, 70, 71, 72
#[tokio::test(start_paused = true)]
async fn every_action_sends_what_its_fixture_has() {
    let id = || "p1".parse().unwrap();
    let text = |name: &str| fixture_json(name)["Msg"]["Content"].as_str().unwrap().to_owned();
    let chat = |name: &str| fixture_json(name)["Msg"]["ToUserName"].as_str().unwrap().to_owned();
    let ticket = "v2_9d2e1b01ee6de582a237f6369a6746c84d3a072b48bf36f152c5c947505e87118@stranger";
    let revoked = fixture_json("webwxrevokemsg.req.json")["ToUserName"].as_str().unwrap().to_owned();
    type Row = (Action, Option<String>, Vec<&'static str>, &'static str, Option<&'static str>, &'static str);
    let rows: Vec<Row> = vec![
        (
            Action::SendText { to: id(), text: text("webwxsendmsg.req.json"), mention: vec![] },
            Some(chat("webwxsendmsg.req.json")),
            vec![],
            "webwxsendmsg",
            None,
            "webwxsendmsg.req.json",
        ),
        (
            Action::SendSticker { to: id(), md5: "44682e637b75a3f5d6747d61dbd23a15".into() },
            Some(PEER.into()),
            vec![],
            "webwxsendemoticon",
            Some("sys"),
            "webwxsendemoticon.req.json",
        ),
        (
            Action::Recall { chat: id(), msg: Some("4527210051674039705".parse().unwrap()) },
            Some(revoked),
            vec![],
            "webwxrevokemsg",
            None,
            "webwxrevokemsg.req.json",
        ),
        (
            Action::MarkRead { chat: id() },
            Some(PEER.into()),
            vec![],
            "webwxstatusnotify",
            None,
            "x-webwxstatusnotify-read.req.json",
        ),
        (
            Action::AddFriend { person: Stranger::Contact(id()), greeting: "我是lbbniu.cn".into() },
            Some(NIU.into()),
            vec![],
            "webwxverifyuser",
            None,
            "webwxverifyuser-add.req.json",
        ),
        (
            Action::AddFriend { person: Stranger::Peer(NIU.parse().unwrap()), greeting: "我是lbbniu.cn".into() },
            None,
            vec![],
            "webwxverifyuser",
            None,
            "webwxverifyuser-add.req.json",
        ),
        (
            Action::AcceptFriend { user: NIU.parse().unwrap(), ticket: Ticket::new(ticket) },
            None,
            vec![],
            "webwxverifyuser",
            None,
            "webwxverifyuser-accept.req.json",
        ),
        (
            Action::SetRemark { contact: id(), remark: "lbbniu.com".into() },
            Some(NIU.into()),
            vec![],
            "webwxoplog",
            None,
            "webwxoplog-remark.req.json",
        ),
        (
            Action::Pin { chat: id(), on: true },
            Some(ROOM.into()),
            vec![],
            "webwxoplog",
            None,
            "webwxoplog-pin.req.json",
        ),
        (
            Action::Pin { chat: id(), on: false },
            Some(ROOM.into()),
            vec![],
            "webwxoplog",
            None,
            "webwxoplog-unpin.req.json",
        ),
        (
            Action::CreateRoom { members: vec![], topic: String::new() },
            None,
            vec![FRIEND, NIU, PEER],
            "webwxcreatechatroom",
            None,
            "webwxcreatechatroom.req.json",
        ),
        (
            Action::AddMembers { room: id(), members: vec![] },
            Some(ROOM.into()),
            vec![NIU],
            "webwxupdatechatroom",
            Some("addmember"),
            "webwxupdatechatroom-addmember.req.json",
        ),
        (
            Action::RemoveMembers { room: id(), members: vec![] },
            Some(ROOM.into()),
            vec![NIU],
            "webwxupdatechatroom",
            Some("delmember"),
            "webwxupdatechatroom-delmember.req.json",
        ),
        (
            Action::SetTopic { room: id(), topic: "lbbniu.com".into() },
            Some(ROOM.into()),
            vec![],
            "webwxupdatechatroom",
            Some("modtopic"),
            "webwxupdatechatroom-modtopic.req.json",
        ),
    ];
    for (action, to, others, endpoint, fun, name) in rows {
        let rig = rig(good);
        let result = rig.act(action, to.as_deref(), &others).await;
        assert!(result.is_ok(), "{name}: {result:?}");
        let asked = rig.at_endpoint(endpoint).remove(0);
        let (mut sent, mut want) = (ours(asked.json_with_keys()), ours(fixture_json(name)));
        if endpoint == "webwxstatusnotify" {
            for body in [&mut sent, &mut want] {
                assert!(body.as_object_mut().unwrap().remove("ClientMsgId").unwrap().is_i64(), "{name}");
            }
        }
        assert_eq!(sent, want, "{name}");
        assert_eq!(asked.query("fun").as_deref(), fun, "{name}");
        assert_eq!(
            (asked.query("lang").as_deref(), asked.query("pass_ticket").as_deref()),
            (Some("zh_CN"), Some("kUY4%2FwIB"))
        );
        assert_eq!(asked.header("content-type"), Some("application/json;charset=UTF-8"), "{name}");
    }
}

// cov: 46
#[tokio::test(start_paused = true)]
async fn a_mention_is_in_the_text_and_beside_it() {
    let want = fixture_json("x-webwxsendmsg-mention.req.json");
    let room = want["Msg"]["ToUserName"].as_str().unwrap().to_owned();
    let rig = rig(good);
    let members = json!({
        "UserName": room, "NickName": "R", "MemberCount": 1,
        "MemberList": [{"UserName": PEER, "NickName": "x", "DisplayName": "群昵称"}]
    });
    let wire = serde_json::from_value(members).unwrap();
    rig.knows(convert::contact(wire, None).unwrap());
    let action = Action::SendText { to: "r1".parse().unwrap(), text: "你好".into(), mention: vec![] };
    rig.act(action, Some(&room), &[PEER]).await.unwrap();
    assert_eq!(ours(rig.seen()[0].json_with_keys()), ours(want));
}

#[tokio::test(start_paused = true)]
async fn pages_and_what_apps_share() {
    let rig = rig(good);
    let id = || "p1".parse().unwrap();
    let link = Link {
        title: "A & B".into(),
        description: "<d>".into(),
        url: "https://example.com/?a=1&b=2".into(),
        thumb_url: String::new(),
    };
    rig.act(Action::SendLink { to: id(), link }, Some(PEER), &[]).await.unwrap();
    let raw = "<msg><appmsg appid='x'><title>t</title><type>33</type></appmsg><fromusername>a</fromusername></msg>";
    let app = App { app_type: 33, title: "t".into(), description: String::new(), url: String::new(), raw: raw.into() };
    rig.act(Action::SendApp { to: id(), app }, Some(PEER), &[]).await.unwrap();
    let [page, passed] = [rig.seen()[0].json(), rig.seen()[1].json()];
    assert_eq!(rig.asked(), ["webwxsendappmsg"; 2]);
    assert_eq!((&page["Msg"]["Type"], &page["Scene"]), (&json!(5), &json!(0)));
    let xml = xml::parse(page["Msg"]["Content"].as_str().unwrap()).unwrap();
    assert_eq!(
        (xml.words("title"), xml.words("des"), xml.words("url")),
        ("A & B", "<d>", "https://example.com/?a=1&b=2")
    );
    assert_eq!((&passed["Msg"]["Type"], &passed["Scene"]), (&json!(33), &json!(2)), "somebody else's");
    assert_eq!(passed["Msg"]["Content"], "<appmsg appid='x'><title>t</title><type>33</type></appmsg>");
}

#[tokio::test(start_paused = true)]
async fn leaving_names_only_the_room() {
    let rig = rig(good);
    rig.act(Action::LeaveRoom { room: "r1".parse().unwrap() }, Some(ROOM), &[]).await.unwrap();
    let asked = rig.seen().remove(0);
    assert_eq!((asked.endpoint.as_str(), asked.query("fun").as_deref()), ("webwxupdatechatroom", Some("quitchatroom")));
    assert_eq!(asked.json(), json!({"ChatRoomName": ROOM}));
}

#[tokio::test(start_paused = true)]
async fn what_names_nothing_is_not_tried() {
    let rig = rig(good);
    let id = || "r1".parse().unwrap();
    for (action, to) in [
        (Action::Recall { chat: id(), msg: None }, Some(PEER)),
        (Action::MarkRead { chat: id() }, None),
        (Action::AcceptFriend { user: NIU.parse().unwrap(), ticket: Ticket::new("") }, None),
        (Action::CreateRoom { members: vec![], topic: String::new() }, None),
        (Action::AddMembers { room: id(), members: vec![] }, Some(ROOM)),
        (Action::RemoveMembers { room: id(), members: vec![] }, Some(ROOM)),
    ] {
        let name = action.word();
        assert_eq!(word(&rig.act(action, to, &[]).await), "failed", "{name}");
    }
    assert_eq!(rig.asked(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn unclear_answers_are_uncertain_whatever_was_done() {
    let id = || "r1".parse().unwrap();
    let actions: Vec<(Action, Option<&str>)> = vec![
        (Action::Recall { chat: id(), msg: Some("1".parse().unwrap()) }, Some(PEER)),
        (Action::AddFriend { person: Stranger::Contact(id()), greeting: String::new() }, Some(NIU)),
        (Action::AcceptFriend { user: NIU.parse().unwrap(), ticket: Ticket::new("v2") }, None),
        (Action::SetRemark { contact: id(), remark: "x".into() }, Some(NIU)),
        (Action::Pin { chat: id(), on: true }, Some(ROOM)),
        (Action::CreateRoom { members: vec![], topic: String::new() }, None),
        (Action::RemoveMembers { room: id(), members: vec![] }, Some(ROOM)),
        (Action::SetTopic { room: id(), topic: "t".into() }, Some(ROOM)),
        (Action::LeaveRoom { room: id() }, Some(ROOM)),
    ];
    type Row = (&'static str, fn() -> Reply, &'static str);
    let rows: [Row; 6] = [
        ("time-out", Reply::timeout, "uncertain"),
        ("502", || Reply::status(502), "uncertain"),
        ("cut", || Reply::bytes("{\"BaseResponse\":{"), "uncertain"),
        ("not sent", Reply::not_sent, "not taken"),
        ("too often", || Reply::fixture("x-webwxupdatechatroom-1205.resp.json"), "stopped"),
        ("session over", || Reply::ret(1102), "ended"),
    ];
    for (name, bad, want) in rows {
        for (action, to) in &actions {
            let rig = rig(move |_: &Asked| bad());
            let others: &[&str] = if matches!(action, Action::CreateRoom { .. } | Action::RemoveMembers { .. }) {
                &[NIU, PEER]
            } else {
                &[]
            };
            let result = rig.act(action.clone(), *to, others).await;
            assert_eq!((word(&result), rig.asked().len()), (want, 1), "{name}: {}", action.word());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_secret_is_shown() {
    let rig = rig(good);
    let shown = format!(
        "{:?} {:?}",
        rig.sender,
        rig.sender.fetch(Fetch::Avatar { of: PEER.parse().unwrap(), room: None }).await
    );
    for secret in ["@crypt", "kUY4", "gSeM", "2qui"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}
