//! Which request does each action of a bot become?

use std::path::PathBuf;

use serde_json::{Value, json};
use wxbot_model::ClientMsgId;

use super::*;
use crate::mapping::testing::{Next, Service, engine, json as body};
use crate::mapping::way::PathPair;
use crate::mapping::{ActionMap, Profile};
use crate::protocol::Progress;

struct Names;

impl NameOf for Names {
    fn name_of(&self, peer: &PeerId, _room: &PeerId) -> Option<String> {
        (peer.as_str() != "wxid_new").then(|| peer.as_str().to_uppercase())
    }
}

fn sender(profile: Profile, actions: ActionMap, answers: &[&str]) -> (MappedSender, Arc<Service>) {
    let service = Service::new(answers.iter().map(|answer| Next::ok(answer)));
    let engine = Arc::new(engine(actions, &service));
    engine.set_account("instance", wxbot_model::Secret::new("uuid-1".into()));
    let way = MediaWay {
        path_map: vec![PathPair { local: "/srv/media".into(), remote: r"Z:\media".into() }],
        ..MediaWay::default()
    };
    (MappedSender { engine, way, dialect: profile.dialect(), names: Arc::new(Names) }, service)
}

fn outgoing(action: Value, to: Option<&str>, others: &[&str]) -> Outgoing {
    Outgoing {
        action: serde_json::from_value(action).unwrap(),
        to: to.map(|to| to.parse().unwrap()),
        others: others.iter().map(|other| other.parse().unwrap()).collect(),
        media: None,
        client_id: "1".parse::<ClientMsgId>().unwrap(),
    }
}

fn media(shape: &str) -> Outgoing {
    let digest = "a".repeat(64);
    let media = json!({"from": "stored", "digest": digest, "len": 3, "name": "a.jpg"});
    let mut outgoing =
        outgoing(json!({"do": "send_media", "to": "p1", "shape": shape, "media": media}), Some("wxid_a"), &[]);
    outgoing.media = Some(MediaFile {
        path: PathBuf::from("/srv/media/aa/bb"),
        len: 3,
        name: "a.jpg".into(),
        progress: Progress::default(),
    });
    outgoing
}

#[tokio::test]
async fn each_action_as_its_request() {
    let room = "1@chatroom";
    for (name, action, to, others, want) in [
        (
            "text",
            json!({"do": "send_text", "to": "p1", "text": "hi"}),
            Some("wxid_a"),
            &[][..],
            vec![("/SendTextMsg", json!({"wxid": "wxid_a", "msg": "hi"}))],
        ),
        (
            "to openim",
            json!({"do": "send_text", "to": "p1", "text": "hi"}),
            Some("2@openim"),
            &[],
            vec![("/SendTextMsg_NoSrc", json!({"wxidorgid": "2@openim", "msg": "hi"}))],
        ),
        (
            "mention",
            json!({"do": "send_text", "to": "r1", "text": "hi", "mention": ["p1"]}),
            Some(room),
            &["wxid_b"],
            vec![("/SendAtMsg", json!({"gid": room, "wxidlist": "wxid_b", "nicknamelist": "WXID_B", "msg": "hi"}))],
        ),
        (
            "mention without a name",
            json!({"do": "send_text", "to": "r1", "text": "hi", "mention": ["p1"]}),
            Some(room),
            &["wxid_b", "wxid_new"],
            vec![("/SendAtMsg", json!({"gid": room, "wxidlist": "wxid_b,wxid_new", "msg": "hi"}))],
        ),
        (
            "mention in private",
            json!({"do": "send_text", "to": "p1", "text": "hi", "mention": ["p1"]}),
            Some("wxid_a"),
            &["wxid_b"],
            vec![("/SendTextMsg", json!({"wxid": "wxid_a", "msg": "hi"}))],
        ),
        (
            "link",
            json!({"do": "send_link", "to": "p1", "link": {"title": "T", "description": "D", "url": "https://e.org"}}),
            Some("wxid_a"),
            &[],
            vec![("/FowardEssayMsg", json!({"towxid": "wxid_a", "title": "T", "desc": "D", "url": "https://e.org"}))],
        ),
        (
            "app",
            json!({"do": "send_app", "to": "p1", "app": {"app_type": 33, "raw": "<msg>\n<appmsg/></msg>"}}),
            Some("wxid_a"),
            &[],
            vec![("/FowardXMLMsg", json!({"type": "33", "towxid": "wxid_a", "xml": "<msg><appmsg/></msg>"}))],
        ),
        (
            "recall",
            json!({"do": "recall", "chat": "p1", "msg": "13430535177462202152"}),
            Some("wxid_a"),
            &[],
            vec![("/RevokeMsg", json!({"msg_svrid": 13_430_535_177_462_202_152_u64, "to_wxid": "wxid_a"}))],
        ),
        (
            "mark read",
            json!({"do": "mark_read", "chat": "p1"}),
            Some("wxid_a"),
            &[],
            vec![("/MarkAsReadSession", json!({"gidorwxid": "wxid_a"}))],
        ),
        (
            "pin",
            json!({"do": "pin", "chat": "r1", "on": true}),
            Some(room),
            &[],
            vec![("/StickyChat", json!({"gidorwxid": room}))],
        ),
        (
            "unpin",
            json!({"do": "pin", "chat": "r1", "on": false}),
            Some(room),
            &[],
            vec![("/UnpinChat", json!({"gidorwxid": room}))],
        ),
        (
            "remark",
            json!({"do": "set_remark", "contact": "p1", "remark": ""}),
            Some("wxid_a"),
            &[],
            vec![("/EditFriendMark", json!({"wxid": "wxid_a", "mark": ""}))],
        ),
        (
            "accept",
            json!({"do": "accept_friend", "user": "v3_b", "ticket": "v4_t;scene=14"}),
            None,
            &[],
            vec![("/VerifyFriend", json!({"v3": "v3_b", "v4": "v4_t", "role": "0", "from": "14"}))],
        ),
        (
            "create",
            json!({"do": "create_room", "members": ["p1", "p2"], "topic": "T"}),
            None,
            &["wxid_a", "wxid_b"],
            vec![
                ("/CreateChatRoom", json!({"wxidlist": "wxid_a,wxid_b"})),
                ("/ChatRoomEditName", json!({"gid": "9@chatroom", "gname": "T"})),
            ],
        ),
        (
            "create without a topic",
            json!({"do": "create_room", "members": ["p1", "p2"], "topic": ""}),
            None,
            &["wxid_a", "wxid_b"],
            vec![("/CreateChatRoom", json!({"wxidlist": "wxid_a,wxid_b"}))],
        ),
        (
            "add",
            json!({"do": "add_members", "room": "r1", "members": ["p1", "p2"]}),
            Some(room),
            &["wxid_a", "wxid_b"],
            vec![("/AddFriendToChatRoom", json!({"gid": room, "wxidlist": "wxid_a,wxid_b"}))],
        ),
        (
            "remove",
            json!({"do": "remove_members", "room": "r1", "members": ["p1"]}),
            Some(room),
            &["wxid_a"],
            vec![("/ChatRoomMemberBatchDelete", json!({"gid": room, "wxidlist": "wxid_a"}))],
        ),
        (
            "topic",
            json!({"do": "set_topic", "room": "r1", "topic": "T"}),
            Some(room),
            &[],
            vec![("/ChatRoomEditName", json!({"gid": room, "gname": "T"}))],
        ),
        (
            "leave",
            json!({"do": "leave_room", "room": "r1"}),
            Some(room),
            &[],
            vec![("/QuitChatRoom", json!({"gid": room}))],
        ),
    ] {
        let yes = r#"{"retstr":"Everything is OK","gid":"9@chatroom"}"#;
        let (sender, service) = sender(Profile::V3, Profile::V3.actions().clone(), &vec![yes; want.len()]);
        let receipt = sender.perform(outgoing(action, to, others)).await;
        let asked = service.asked();
        let asked: Vec<_> = asked.iter().map(|request| (request.url.path(), body(request))).collect();
        assert_eq!(asked, want, "{name}: {receipt:?}");
        let made = name.starts_with("create").then(|| "9@chatroom".to_owned());
        assert_eq!(receipt.unwrap().server_id, made, "{name}");
    }
}

#[tokio::test]
async fn media_go_where_the_service_finds_them() {
    for (shape, path, key) in [
        ("image", "/SendPicMsg", "picpath"),
        ("video", "/SendVideoMsg", "videopath"),
        ("file", "/SendFileMsg", "filepath"),
        ("sticker", "/SendGIFMsg", "gifpath"),
    ] {
        let (sender, service) = sender(Profile::V3, Profile::V3.actions().clone(), &[r#"{"success":"1"}"#]);
        sender.perform(media(shape)).await.unwrap();
        let asked = service.asked();
        assert_eq!((asked[0].url.path(), body(&asked[0])[key].as_str()), (path, Some(r"Z:\media\aa\bb")), "{shape}");
    }
    let (mut sender, service) = sender(Profile::V3, Profile::V3.actions().clone(), &[]);
    sender.way = MediaWay::default();
    let error = sender.perform(media("image")).await.unwrap_err().to_string();
    assert!(error.contains("path_map") && service.asked().is_empty(), "{error}");
}

#[tokio::test]
async fn what_takes_uploads_need_not_see_our_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    std::fs::write(&path, "jpg").unwrap();
    let up = r#"{"errcode":0,"data":{"cdn_key":"k","aes_key":"a","md5":"m","size":3,"width":2,"height":1}}"#;
    let answers = [up, r#"{"errcode":0,"data":{"msg_id":5}}"#];
    let (mut sender, service) = sender(Profile::WxWork, Profile::WxWork.actions().clone(), &answers);
    sender.way = MediaWay::default();
    let mut picture = media("image");
    picture.to = Some("788".parse().unwrap());
    let file = picture.media.as_mut().unwrap();
    file.path = path.clone();
    let receipt = sender.perform(picture.clone()).await.unwrap();
    assert_eq!(receipt.server_id.as_deref(), Some("5"));
    let asked = service.asked();
    let upload = String::from_utf8(asked[0].body.to_vec()).unwrap();
    assert!(upload.contains("filename=\"a.jpg\"") && upload.contains("\r\n\r\njpg\r\n"), "{upload}");
    assert_eq!((body(&asked[1])["cdnkey"].as_str(), body(&asked[1])["send_userid"].as_u64()), (Some("k"), Some(788)));
    // A file that changed or went away is not sent.
    for text in [Some("longer"), None] {
        match text {
            Some(text) => std::fs::write(&path, text).unwrap(),
            None => std::fs::remove_file(&path).unwrap(),
        }
        let error = sender.perform(picture.clone()).await.unwrap_err();
        assert!(matches!(&error, SendError::Failed { why } if why.contains("the file to send")), "{error}");
    }
    assert_eq!(service.asked().len(), 2);
}

#[tokio::test]
async fn what_cannot_be_sent_is_said_before() {
    let v3 = || Profile::V3.actions().clone();
    for (name, action, others, why) in [
        ("nobody", json!({"do": "send_text", "to": "p1", "text": "hi"}), &[][..], "goes to nobody"),
        ("no message", json!({"do": "recall", "chat": "p1", "msg": null}), &[], "no message is named"),
        ("no ticket", json!({"do": "accept_friend", "user": "v3_b", "ticket": ""}), &[], "without a ticket"),
        ("no scene", json!({"do": "accept_friend", "user": "v3_b", "ticket": "v4_t"}), &[], "{{friend.scene}}"),
        (
            "off by default",
            json!({"do": "add_friend", "person": {"known_as": "peer", "id": "v3_b"}, "greeting": ""}),
            &[],
            "switched off",
        ),
        ("too few", json!({"do": "create_room", "members": ["p1"], "topic": ""}), &["wxid_a"], "two friends"),
    ] {
        let (sender, service) = sender(Profile::V3, v3(), &[]);
        let error = sender.perform(outgoing(action, None, others)).await.unwrap_err();
        assert!(matches!(&error, SendError::Failed { why: said } if said.contains(why)), "{name}: {error}");
        assert!(service.asked().is_empty(), "{name}");
    }
    let (sender, _) = sender(Profile::V4, Profile::V4.actions().clone(), &[]);
    let error = sender.perform(outgoing(json!({"do": "recall", "chat": "p1", "msg": "7"}), Some("wxid_a"), &[])).await;
    let error = error.unwrap_err().to_string();
    assert!(error.contains("action \"revoke\" is not available on account \"main\""), "{error}");
}

#[tokio::test]
async fn who_cannot_be_brought_in_is_invited_one_by_one() {
    let action = json!({"do": "add_members", "room": "r1", "members": ["p1", "p2"]});
    let (yes, no) = (r#"{"success":"1"}"#, r#"{"success":"0"}"#);
    let add = || outgoing(action.clone(), Some("1@chatroom"), &["wxid_a", "wxid_b"]);
    let (full, service) = sender(Profile::V3, Profile::V3.actions().clone(), &[no, yes, yes]);
    full.perform(add()).await.unwrap();
    let asked: Vec<_> = service.asked().iter().map(|one| one.url.path().to_owned()).collect();
    assert_eq!(asked, ["/AddFriendToChatRoom", "/InviteFriendToChatRoom", "/InviteFriendToChatRoom"]);
    // The first is invited: doing all of it again would invite him twice.
    let (half, _) = sender(Profile::V3, Profile::V3.actions().clone(), &[no, yes, no]);
    assert!(matches!(half.perform(add()).await, Err(SendError::Uncertain { why }) if why.contains("1 of 2")));
    let (none, _) = sender(Profile::V3, Profile::V3.actions().clone(), &[no, no]);
    assert!(matches!(none.perform(add()).await, Err(SendError::Failed { .. })));
}

#[tokio::test]
async fn mentions_without_an_action_for_them_stand_in_the_text() {
    let actions =
        Profile::V4.actions().with(&json!({"send_at": {"enabled": false}}), &std::collections::BTreeSet::new());
    let (sender, service) = sender(Profile::V4, actions.unwrap(), &[r#"{"ret":0}"#]);
    let action = json!({"do": "send_text", "to": "r1", "text": "hi", "mention": ["p1"]});
    sender.perform(outgoing(action, Some("1@chatroom"), &["wxid_b"])).await.unwrap();
    assert_eq!(body(&service.asked()[0]), json!({"wxidorgid": "1@chatroom", "msg": "@WXID_B\u{2005}hi"}));
}

#[tokio::test]
async fn rooms_are_written_as_each_service_wants_them() {
    for (dialect, peer, is_room, want) in [
        (Dialect::Plain, "1@chatroom", true, "1@chatroom"),
        (Dialect::Number, "R:108", true, "108"),
        (Dialect::Number, "108", true, "108"),
        (Dialect::Lettered, "108", true, "R:108"),
        (Dialect::Lettered, "R:108", true, "R:108"),
        (Dialect::Lettered, "788", false, "788"),
    ] {
        assert_eq!(dialect.write(peer, is_room), want, "{dialect:?} {peer}");
    }
    // The same number may be a person or a room: our own id tells.
    let (sender, service) =
        sender(Profile::WxWork, Profile::WxWork.actions().clone(), &[r#"{"errcode":0,"data":{"msg_id":5}}"#]);
    let receipt =
        sender.perform(outgoing(json!({"do": "send_text", "to": "r1", "text": "hi"}), Some("108"), &[])).await;
    assert_eq!(receipt.unwrap().server_id.as_deref(), Some("5"));
    assert_eq!(
        body(&service.asked()[0]),
        json!({"uuid": "uuid-1", "send_userid": 108, "isRoom": true, "content": "hi"})
    );
}

#[test]
fn a_ticket_carries_two_things() {
    for (v4, scene, packed) in [("v4_t", Some(14), "v4_t;scene=14"), ("v4_t", None, "v4_t"), ("", Some(14), "")] {
        let ticket = FriendTicket { v4: Ticket::new(v4), scene }.pack();
        assert_eq!(ticket.expose(), packed);
        let back = FriendTicket::unpack(&ticket);
        assert_eq!((back.v4.expose(), back.scene), (v4, scene.filter(|_| !v4.is_empty())));
    }
    assert_eq!(FriendTicket::unpack(&Ticket::new("a;scene=x")).v4.expose(), "a;scene=x");
}
