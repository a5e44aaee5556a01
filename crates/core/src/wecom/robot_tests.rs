//! Does a group robot post what the note says, and no more often than it may?

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use wxbot_model::{Link, Media, StoredMedia};

use super::*;
use crate::mapping::testing::{Next, Service, json as body_of};
use crate::protocol::Progress;
use crate::wecom::endpoint;

const OK: &str = r#"{"errcode":0,"errmsg":"ok"}"#;

struct Rig {
    service: Arc<Service>,
    robot: GroupRobot,
    sender: Arc<dyn ActionSender>,
}

async fn rig(next: impl IntoIterator<Item = Next>) -> Rig {
    let service = Service::new(next);
    let rooms = [("ops", "canary-ops-key"), ("dev", "canary-dev-key")];
    let settings = GroupRobotSettings {
        account: "robots".into(),
        endpoint: endpoint::official(),
        rooms: rooms.map(|(room, key)| (room.parse().unwrap(), Secret::new(key.to_owned()))).into(),
        timeout: Duration::from_secs(15),
    };
    let source = Source::seeded(7, 1_700_000_000);
    let robot = GroupRobot::new(settings, Arc::clone(&service) as Arc<dyn Transport>, source);
    let saved = SavedSession { credentials: Secret::default(), cursor: Bytes::new() };
    let session = robot.resume(&saved).await.unwrap();
    let sender = session.sender();
    Rig { service, robot, sender }
}

fn to(room: &str, action: Action, others: &[&str]) -> Outgoing {
    Outgoing {
        action,
        to: Some(room.parse().unwrap()),
        others: others.iter().map(|one| one.parse().unwrap()).collect(),
        media: None,
        client_id: "1".parse().unwrap(),
    }
}

fn text(text: &str) -> Action {
    Action::SendText { to: "r1".parse().unwrap(), text: text.into(), mention: Vec::new() }
}

/// The key, and the body, of each request.
fn posted(rig: &Rig) -> Vec<(String, Value)> {
    let one = |request: &crate::transport::HttpRequest| {
        assert_eq!(request.method.as_str(), "POST");
        let place = format!("{}?{}", request.url.path(), request.url.query().unwrap());
        (place, body_of(request))
    };
    rig.service.asked().iter().map(one).collect()
}

const OPS: &str = "/cgi-bin/webhook/send?key=canary-ops-key";

#[tokio::test(start_paused = true)]
async fn texts_mentions_and_links() {
    let rig = rig(vec![Next::ok(OK); 4]).await;
    rig.sender.perform(to("ops", text("hi"), &[])).await.unwrap();
    rig.sender.perform(to("dev", text("hi"), &["li", "@all"])).await.unwrap();
    let link = Link {
        title: "T".into(),
        description: String::new(),
        url: "https://example.org/?a=1".into(),
        thumb_url: "https://example.org/a.png".into(),
    };
    let send_link = Action::SendLink { to: "r1".parse().unwrap(), link };
    rig.sender.perform(to("ops", send_link, &[])).await.unwrap();
    let markdown = Values::new().with("to", Datum::Secret(Secret::new("k".to_owned()))).with("text", "**b**");
    rig.robot.engine().perform("x_send_markdown", &markdown).await.unwrap();
    let article = json!({ "title": "T", "url": "https://example.org/?a=1", "picurl": "https://example.org/a.png" });
    assert_eq!(
        posted(&rig),
        [
            (OPS.to_owned(), json!({ "msgtype": "text", "text": { "content": "hi" } })),
            (
                OPS.replace("ops", "dev"),
                json!({ "msgtype": "text", "text": { "content": "hi", "mentioned_list": ["li", "@all"] } })
            ),
            (OPS.to_owned(), json!({ "msgtype": "news", "news": { "articles": [article] } })),
            (
                "/cgi-bin/webhook/send?key=k".to_owned(),
                json!({ "msgtype": "markdown", "markdown": { "content": "**b**" } })
            ),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn everybody_by_the_table() {
    let rig = rig([Next::ok(OK)]).await;
    let values = Values::new().with("to", "k").with("text", "all");
    rig.robot.engine().perform("send_at_all", &values).await.unwrap();
    let want = json!({ "msgtype": "text", "text": { "content": "all", "mentioned_list": ["@all"] } });
    assert_eq!(posted(&rig)[0].1, want);
}

fn media(shape: MediaShape, path: &std::path::Path, len: u64) -> Outgoing {
    let digest = "0".repeat(64).parse().unwrap();
    let media = Media::Stored(StoredMedia { digest, len, name: "a.bin".into() });
    let file = MediaFile { path: path.to_owned(), len, name: "a.bin".into(), progress: Progress::default() };
    Outgoing { media: Some(file), ..to("ops", Action::SendMedia { to: "r1".parse().unwrap(), shape, media }, &[]) }
}

#[tokio::test]
async fn a_picture_goes_whole_with_its_md5_and_a_file_is_uploaded_first() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a");
    let png = b"\x89PNG\r\n\x1a\n0123456789";
    std::fs::write(&file, png).unwrap();
    let uploaded = r#"{"errcode":0,"errmsg":"ok","type":"file","media_id":"M1","created_at":"1380000000"}"#;
    let rig = rig([Next::ok(OK), Next::ok(uploaded), Next::ok(OK), Next::ok(uploaded), Next::ok(OK)]).await;
    let len = u64::try_from(png.len()).unwrap();
    rig.sender.perform(media(MediaShape::Image, &file, len)).await.unwrap();
    rig.sender.perform(media(MediaShape::File, &file, len)).await.unwrap();
    let voice = Values::new().with("to", "k").with("bytes", Datum::File { path: file.clone(), len });
    rig.robot.engine().perform("send_voice", &voice.with("file_name", "a.amr")).await.unwrap();
    let posted = posted(&rig);
    let md5 = hex::encode(&Md5::digest(png));
    let image = json!({ "msgtype": "image", "image": { "base64": BASE64_STANDARD.encode(png), "md5": md5 } });
    assert_eq!(posted[0], (OPS.to_owned(), image));
    assert_eq!(posted[1].0, "/cgi-bin/webhook/upload_media?key=canary-ops-key&type=file");
    let upload = String::from_utf8_lossy(&rig.service.asked()[1].body).into_owned();
    assert!(upload.contains("name=\"media\"; filename=\"a.bin\"") && upload.contains("0123456789"), "{upload}");
    assert_eq!(posted[2], (OPS.to_owned(), json!({ "msgtype": "file", "file": { "media_id": "M1" } })));
    assert_eq!(posted[3].0, "/cgi-bin/webhook/upload_media?key=k&type=voice");
    assert_eq!(posted[4].1, json!({ "msgtype": "voice", "voice": { "media_id": "M1" } }));

    std::fs::write(&file, "GIF89a---------").unwrap();
    for (outgoing, want) in [
        (media(MediaShape::Image, &file, IMAGE + 1), "2 MiB"),
        (media(MediaShape::Image, &file, 15), "JPEG or PNG"),
        (media(MediaShape::File, &file, FILE + 1), "20 MiB"),
        (media(MediaShape::File, &file, 5), "5 bytes"),
        (media(MediaShape::Video, &file, 15), "send it as a file"),
        (to("nowhere", text("x"), &[]), "`rooms` are dev, ops"),
        (to("ops", Action::LeaveRoom { room: "r1".parse().unwrap() }, &[]), "cannot do this"),
    ] {
        let error = rig.sender.perform(outgoing).await.unwrap_err().to_string();
        assert!(error.starts_with("refused") && error.contains(want), "{error}");
    }
    assert_eq!(rig.service.asked().len(), 5, "nothing of these is sent");
}

#[tokio::test(start_paused = true)]
async fn a_long_text_is_several_messages_and_all_of_them_count() {
    let rig = rig(vec![Next::ok(OK); 21]).await;
    let line = "行".repeat(600);
    rig.sender.perform(to("ops", text(&format!("{line}\n{line}")), &["li"])).await.unwrap();
    let sent = posted(&rig);
    assert_eq!(sent[0].1["text"], json!({ "content": line, "mentioned_list": ["li"] }));
    assert_eq!(sent[1].1["text"], json!({ "content": line }));
    for _ in 2..20 {
        rig.sender.perform(to("ops", text("x"), &[])).await.unwrap();
    }
    tokio::time::advance(Duration::from_secs(10)).await;
    let error = rig.sender.perform(to("ops", text("x"), &[])).await.unwrap_err();
    let SendError::NotTaken { after, why } = error else { panic!("{error}") };
    assert_eq!(after, Duration::from_secs(50), "{why}");
    // Another robot has a minute of its own.
    rig.sender.perform(to("dev", text("x"), &[])).await.unwrap();
    assert_eq!(rig.service.asked().len(), 21);
    tokio::time::advance(after).await;
    assert!(matches!(rig.sender.perform(to("nowhere", text("x"), &[])).await, Err(SendError::Failed { .. })));
    assert!(rig.robot.sender.take(&"ops".parse().unwrap(), 20).is_ok(), "a minute later all twenty are free");
}

#[tokio::test(start_paused = true)]
async fn a_part_that_fails_after_another_is_never_sent_again_by_itself() {
    let busy = r#"{"errcode":45009,"errmsg":"api freq out of limit"}"#;
    let rig = rig([Next::ok(OK), Next::ok(busy)]).await;
    let error = rig.sender.perform(to("ops", text(&"x".repeat(3000)), &[])).await.unwrap_err();
    assert!(matches!(&error, SendError::Uncertain { why } if why.starts_with("1 of 2 parts")), "{error}");
}

#[tokio::test(start_paused = true)]
async fn sec_r20_what_the_service_refuses_is_typed_and_holds_no_key() {
    let said = r#"{"errcode":93000,"errmsg":"invalid webhook url, canary-ops-key, hint: [1]"}"#;
    let busy = r#"{"errcode":45009,"errmsg":"api freq out of limit"}"#;
    let other = r#"{"errcode":40058,"errmsg":"bad canary-ops-key"}"#;
    let rig = rig([Next::ok(said), Next::ok(busy), Next::ok(other), Next::Broken]).await;
    let mut shown = format!("{:?} {:?}", rig.robot, rig.service.asked());
    for want in ["refused: the robot's key is wrong", "not taken: too often", "refused: bad", "no telling"] {
        let error = rig.sender.perform(to("ops", text("x"), &[])).await.unwrap_err().to_string();
        assert!(error.starts_with(want), "{error}");
        shown.push_str(&error);
    }
    shown.push_str(&format!("{:?}", rig.service.asked()));
    assert!(!shown.contains("canary"), "{shown}");
}

#[tokio::test(start_paused = true)]
async fn it_is_online_and_hears_nothing() {
    let rig = rig([]).await;
    let saved = SavedSession { credentials: Secret::default(), cursor: Bytes::new() };
    let mut session = rig.robot.resume(&saved).await.unwrap();
    assert!(!rig.robot.needs_login() && rig.robot.door().is_none());
    let contacts: Vec<_> = session.contacts().iter().map(|one| (one.kind, one.peer.to_string())).collect();
    let room = |name: &str| (ContactKind::Room, name.to_owned());
    let all = (ContactKind::Special, "@all".to_owned());
    assert_eq!(contacts, [(ContactKind::Myself, "self".to_owned()), room("dev"), room("ops"), all]);
    let waited = tokio::time::timeout(Duration::from_secs(3600), session.next_batch()).await;
    assert!(waited.is_err());
    let can: Vec<_> =
        wxbot_model::Capability::ALL.into_iter().filter(|one| rig.robot.capabilities().has(*one)).collect();
    use wxbot_model::Capability::{Mention, SendFile, SendImage, SendLink, SendText};
    assert_eq!(can, [SendText, Mention, SendImage, SendFile, SendLink]);
    assert_ne!(rig.robot.draw_client_msg_id(), rig.robot.draw_client_msg_id());
}
