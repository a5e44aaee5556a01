//! Does an application ask exactly what the note says, with one token, and read what is answered?

use std::path::Path;

use bytes::Bytes;
use serde_json::{Value, json};
use wxbot_model::{Content, EventKind, Media, MediaShape, MsgId, StoredMedia};

use super::*;
use crate::mapping::testing::{Next, Service, json as body_of};
use crate::mapping::{Availability, Datum, Values};
use crate::protocol::{MediaFile, Progress};
use crate::push::{Knock, Knocked};
use crate::wecom::endpoint;

const TOKEN: &str = r#"{"errcode":0,"errmsg":"ok","access_token":"canary-token-1","expires_in":7200}"#;
const TOKEN_2: &str = r#"{"errcode":0,"errmsg":"ok","access_token":"canary-token-2","expires_in":7200}"#;
const SENT: &str = r#"{"errcode":0,"errmsg":"ok","invaliduser":"","msgid":"msg-1"}"#;
const OK: &str = r#"{"errcode":0,"errmsg":"ok"}"#;
const OVER: &str = r#"{"errcode":42001,"errmsg":"access_token expired"}"#;
const GETTOKEN: &str = "GET /cgi-bin/gettoken?corpid=wx5823bf96d3bd56c7&corpsecret=canary-secret";
const UPLOADED: &str = r#"{"errcode":0,"errmsg":"ok","type":"x","media_id":"M1","created_at":"1380000000"}"#;

fn settings(heard: bool) -> ApplicationSettings {
    let secret = |text: &str| Secret::new(text.to_owned());
    ApplicationSettings {
        account: "corp-app".into(),
        endpoint: endpoint::official(),
        corp_id: "wx5823bf96d3bd56c7".into(),
        agent_id: 1_000_002,
        corp_secret: secret("canary-secret"),
        callback: heard.then(|| CallbackSettings {
            token: secret("QDG6eK"),
            aes_key: secret("jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"),
            path_secrets: vec![secret("canary-path")],
        }),
        rooms: vec!["chat-1".parse().unwrap()],
        timeout: Duration::from_secs(15),
        outward: Arc::new(Outward::new(None, Vec::new()).unwrap()),
    }
}

struct Rig {
    service: Arc<Service>,
    app: Application,
    sender: Arc<dyn ActionSender>,
}

async fn rig(next: impl IntoIterator<Item = Next>) -> Rig {
    let service = Service::new(next);
    let source = Source::seeded(7, 1_409_659_813);
    let app = Application::new(settings(true), Arc::clone(&service) as Arc<dyn Transport>, source).unwrap();
    let sender = app.resume(&saved()).await.unwrap().sender();
    Rig { service, app, sender }
}

fn saved() -> SavedSession {
    SavedSession { credentials: Secret::default(), cursor: Bytes::new() }
}

/// Method and address, and body, of each request.
fn asked(rig: &Rig) -> Vec<(String, Value)> {
    let one = |request: &crate::transport::HttpRequest| {
        let query = request.url.query().unwrap_or_default();
        (format!("{} {}?{query}", request.method, request.url.path()), body_of(request))
    };
    rig.service.asked().iter().map(one).collect()
}

fn post(path: &str) -> String {
    let (path, more) = path.split_once('&').map_or((path, String::new()), |(path, more)| (path, format!("&{more}")));
    format!("POST /cgi-bin/{path}?access_token=canary-token-1{more}")
}

fn action(action: Action, to: Option<&str>, others: &[&str]) -> Outgoing {
    Outgoing {
        action,
        to: to.map(|to| to.parse().unwrap()),
        others: others.iter().map(|one| one.parse().unwrap()).collect(),
        media: None,
        client_id: "1".parse().unwrap(),
    }
}

fn text(to: &str, text: &str) -> Action {
    Action::SendText { to: to.parse().unwrap(), text: text.into(), mention: Vec::new() }
}

fn to_member(inner: Value) -> Value {
    let mut body = json!({ "touser": "li", "agentid": 1_000_002 });
    body.as_object_mut().unwrap().extend(inner.as_object().unwrap().clone());
    body
}

fn to_room(inner: Value) -> Value {
    let mut body = json!({ "chatid": "chat-1" });
    body.as_object_mut().unwrap().extend(inner.as_object().unwrap().clone());
    body
}

/// Every row of §7 and §8 by the table alone: what it posts, and what it reads.
#[tokio::test]
async fn each_row_of_the_table() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a");
    std::fs::write(&file, "123456").unwrap();
    let media = |kind: &str| json!({ "msgtype": kind, kind: { "media_id": "M1" } });
    let card = json!({ "title": "T", "description": "D", "url": "https://e.org/" });
    let textcard = json!({ "msgtype": "textcard", "textcard": card });
    let news = |article: Value| json!({ "msgtype": "news", "news": { "articles": [article] } });
    let picture = json!({ "title": "T", "description": "D", "url": "https://e.org/", "picurl": "https://e.org/p" });
    let words = json!({ "title": "T", "url": "https://e.org/" });
    let video = json!({ "msgtype": "video", "video": { "media_id": "M1", "title": "a.mp4" } });
    let said = |kind: &str| json!({ "msgtype": kind, kind: { "content": "hi" } });
    let notice = json!({ "msgtype": "miniprogram_notice", "miniprogram_notice": { "appid": "wx1", "page": "p", "title": "T", "description": "D" } });
    let info = r#"{"errcode":0,"errmsg":"ok","chat_info":{"chatid":"chat-1","name":"N","owner":"li","userlist":["li","wang"]}}"#;
    let user = r#"{"errcode":0,"errmsg":"ok","userid":"li","name":"Li Si"}"#;
    // Action, whether to a room, values in place of the usual ones, upload, address, body, answer.
    type Row<'a> = (&'a str, bool, Value, Option<&'a str>, String, Value, &'a str);
    let mut rows: Vec<Row<'_>> = Vec::new();
    for room in [false, true] {
        let send = post(if room { "appchat/send" } else { "message/send" });
        let body = |inner: Value| if room { to_room(inner) } else { to_member(inner) };
        let no_words = json!({ "thumb_url": "", "desc": "" });
        rows.extend([
            ("send_text", room, json!({}), None, send.clone(), body(said("text")), SENT),
            ("x_send_markdown", room, json!({}), None, send.clone(), body(said("markdown")), SENT),
            ("send_image", room, json!({}), Some("image"), send.clone(), body(media("image")), SENT),
            ("send_voice", room, json!({}), Some("voice"), send.clone(), body(media("voice")), SENT),
            ("send_video", room, json!({}), Some("video"), send.clone(), body(video.clone()), SENT),
            ("send_file", room, json!({}), Some("file"), send.clone(), body(media("file")), SENT),
            ("send_link", room, json!({}), None, send.clone(), body(news(picture.clone())), SENT),
            ("send_link", room, json!({ "thumb_url": "" }), None, send.clone(), body(textcard.clone()), SENT),
            ("send_link", room, no_words, None, send.clone(), body(news(words.clone())), SENT),
        ]);
    }
    let of_room = |inner: Value| to_room(inner);
    rows.extend([
        ("send_miniapp", false, json!({}), None, post("message/send"), to_member(notice), SENT),
        ("revoke", false, json!({}), None, post("message/recall"), json!({ "msgid": "msg-1" }), OK),
        (
            "room_create",
            false,
            json!({}),
            None,
            post("appchat/create"),
            json!({ "name": "N", "userlist": ["li", "wang"] }),
            r#"{"errcode":0,"errmsg":"ok","chatid":"chat-2"}"#,
        ),
        ("room_rename", true, json!({}), None, post("appchat/update"), of_room(json!({ "name": "N" })), OK),
        (
            "room_add",
            true,
            json!({}),
            None,
            post("appchat/update"),
            of_room(json!({ "add_user_list": ["li", "wang"] })),
            OK,
        ),
        (
            "room_kick",
            true,
            json!({}),
            None,
            post("appchat/update"),
            of_room(json!({ "del_user_list": ["li", "wang"] })),
            OK,
        ),
        (
            "room_info",
            true,
            json!({}),
            None,
            post("appchat/get&chatid=chat-1").replace("POST", "GET"),
            Value::Null,
            info,
        ),
        (
            "room_members",
            true,
            json!({}),
            None,
            post("appchat/get&chatid=chat-1").replace("POST", "GET"),
            Value::Null,
            info,
        ),
        ("contact_info", false, json!({}), None, post("user/get&userid=li").replace("POST", "GET"), Value::Null, user),
    ]);
    let mut tried: Vec<&str> = vec!["login_auto", "upload_image", "upload_file", "x_upload_voice", "x_upload_video"];
    for (name, room, changed, upload, address, body, answer) in rows {
        let mut next = vec![Next::ok(TOKEN)];
        next.extend(upload.map(|_| Next::ok(UPLOADED)));
        next.push(Next::ok(answer));
        let rig = rig(next).await;
        let mut values = Values::new().with("bytes", Datum::File { path: file.clone(), len: 6 });
        let usual = json!({
            "to": if room { "chat-1" } else { "li" }, "is_room": room, "room_id": room.then_some("chat-1"),
            "text": "hi", "title": "T", "desc": "D", "link_url": "https://e.org/", "thumb_url": "https://e.org/p",
            "msg_id": "msg-1", "name": "N", "user_ids": ["li", "wang"], "user_id": "li", "app.id": "wx1",
            "app.page": "p", "file_name": "a.mp4",
        });
        for (key, value) in usual.as_object().unwrap().iter().chain(changed.as_object().unwrap()) {
            values.set(key, value.clone());
        }
        let done = rig.app.engine().perform(name, &values).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        let asked = asked(&rig);
        assert_eq!(asked[0].0, GETTOKEN, "{name}");
        if let Some(kind) = upload {
            assert_eq!(asked[1].0, post(&format!("media/upload&type={kind}")), "{name}");
            let upload = String::from_utf8_lossy(&rig.service.asked()[1].body).into_owned();
            assert!(upload.contains("name=\"media\"; filename=\"a.mp4\"") && upload.contains("123456"), "{upload}");
        }
        assert_eq!(asked.last().unwrap(), &(address, body), "{name}");
        assert_eq!(asked.len(), 2 + usize::from(upload.is_some()), "{name}");
        assert_eq!(done.message_id.as_deref(), Some("msg-1").filter(|_| answer == SENT), "{name}");
        match name {
            "room_create" => assert_eq!(done.fields["room_id"], "chat-2"),
            "room_info" => assert_eq!((done.fields["name"].as_str(), done.fields["owner"].as_str()), ("N", "li")),
            "room_members" => {
                assert_eq!(done.items.iter().map(|one| one["id"].as_str()).collect::<Vec<_>>(), ["li", "wang"])
            }
            "contact_info" => assert_eq!(done.fields["name"], "Li Si"),
            _ => {}
        }
        tried.push(name);
    }
    let rig = rig([]).await;
    let missing: Vec<_> = rig.app.engine().actions().names().filter(|(name, _)| !tried.contains(name)).collect();
    assert!(missing.is_empty() && !tried.is_empty(), "without a row: {missing:?}");
    assert!(rig.app.engine().actions().names().all(|(_, can)| can == Availability::Ready));
}

#[tokio::test]
async fn the_token_is_fetched_once_for_all_who_want_it() {
    let rig = rig([Next::Slow(Duration::from_millis(1), Bytes::from_static(TOKEN.as_bytes()))]
        .into_iter()
        .chain(vec![Next::ok(SENT); 3]))
    .await;
    let send = || rig.sender.perform(action(text("p1", "hi"), Some("li"), &[]));
    let (a, b, c) = tokio::join!(send(), send(), send());
    assert_eq!(
        [a, b, c].map(|done| done.unwrap().server_id),
        [const { Some("msg-1") }; 3].map(|id| id.map(str::to_owned))
    );
    let fetched = asked(&rig).iter().filter(|(place, _)| place == GETTOKEN).count();
    assert_eq!((fetched, rig.service.left()), (1, 0));
}

#[tokio::test]
async fn a_token_that_is_over_is_fetched_once_more_and_not_in_a_loop() {
    for over in [OVER, r#"{"errcode":40014,"errmsg":"invalid access_token"}"#] {
        let rig = rig([TOKEN, over, TOKEN_2, SENT, SENT].map(Next::ok)).await;
        for _ in 0..2 {
            rig.sender.perform(action(text("p1", "hi"), Some("li"), &[])).await.unwrap();
        }
        let places: Vec<_> = asked(&rig).into_iter().map(|(place, _)| place).collect();
        let (old, new) = (post("message/send"), post("message/send").replace("token-1", "token-2"));
        assert_eq!(places, [GETTOKEN.to_owned(), old, GETTOKEN.to_owned(), new.clone(), new]);
    }
    let rig = rig([TOKEN, OVER, TOKEN_2, OVER].map(Next::ok)).await;
    let error = rig.sender.perform(action(text("p1", "hi"), Some("li"), &[])).await.unwrap_err();
    assert!(matches!(&error, SendError::NotTaken { after, .. } if after.as_secs() == 60), "{error}");
    assert_eq!(rig.service.left(), 0);
}

#[tokio::test]
async fn two_who_learn_at_once_that_it_is_over_fetch_one_token() {
    // The two sends of the old token, then one fetch, then both again.
    let slow = Next::Slow(Duration::from_millis(20), Bytes::from_static(OVER.as_bytes()));
    let rig =
        rig([Next::ok(TOKEN), Next::ok(SENT), slow.clone(), slow, Next::ok(TOKEN_2), Next::ok(SENT), Next::ok(SENT)])
            .await;
    let send = || rig.sender.perform(action(text("p1", "hi"), Some("li"), &[]));
    send().await.unwrap();
    let (a, b) = tokio::join!(send(), send());
    assert!(a.is_ok() && b.is_ok(), "{a:?} {b:?}");
    assert_eq!(asked(&rig).iter().filter(|(place, _)| place == GETTOKEN).count(), 2);
}

fn media(shape: MediaShape, path: &Path) -> Outgoing {
    let digest = "0".repeat(64).parse().unwrap();
    let media = Media::Stored(StoredMedia { digest, len: 6, name: String::new() });
    let file = MediaFile { path: path.to_owned(), len: 6, name: "报告.pdf".into(), progress: Progress::default() };
    let action_ = Action::SendMedia { to: "p1".parse().unwrap(), shape, media };
    Outgoing { media: Some(file), ..action(action_, Some("li"), &[]) }
}

#[tokio::test]
async fn what_bots_do() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a");
    std::fs::write(&file, "123456").unwrap();
    let made = r#"{"errcode":0,"errmsg":"ok","chatid":"chat-2"}"#;
    let info =
        r#"{"errcode":0,"errmsg":"ok","chat_info":{"chatid":"chat-2","name":"N","owner":"li","userlist":["li"]}}"#;
    let answers = [TOKEN, SENT, SENT, UPLOADED, SENT, OK, made, info, SENT, OK, OK, OK];
    let rig = rig(answers.map(Next::ok)).await;
    let (line, id) = ("行".repeat(600), |id: &str| id.parse().unwrap());
    let long = rig.sender.perform(action(text("p1", &format!("{line}\n{line}")), Some("li"), &[])).await.unwrap();
    assert_eq!(long.server_id.as_deref(), Some("msg-1"));
    rig.sender.perform(media(MediaShape::File, &file)).await.unwrap();
    let recall = Action::Recall { chat: id("p1"), msg: Some("msg-1".parse::<MsgId>().unwrap()) };
    rig.sender.perform(action(recall, Some("li"), &[])).await.unwrap();
    let create = Action::CreateRoom { members: vec![id("p1"), id("p2")], topic: "N".into() };
    let room = rig.sender.perform(action(create, None, &["li", "wang"])).await.unwrap();
    assert_eq!(room.server_id.as_deref(), Some("chat-2"));
    let told = rig.sender.look_up(&"chat-2".parse().unwrap()).await.unwrap();
    assert_eq!((&*told.nick_name, told.members.len(), told.kind), ("N", 1, ContactKind::Room));
    rig.sender.perform(action(text("r1", "hi"), Some("chat-2"), &[])).await.unwrap();
    let add = Action::AddMembers { room: id("r1"), members: vec![id("p3")] };
    rig.sender.perform(action(add, Some("chat-2"), &["zhao"])).await.unwrap();
    let remove = Action::RemoveMembers { room: id("r1"), members: vec![id("p3")] };
    rig.sender.perform(action(remove, Some("chat-2"), &["zhao"])).await.unwrap();
    let rename = Action::SetTopic { room: id("r1"), topic: "M".into() };
    rig.sender.perform(action(rename, Some("chat-2"), &[])).await.unwrap();
    let asked = asked(&rig);
    let said = |text: &str| to_member(json!({ "msgtype": "text", "text": { "content": text } }));
    assert_eq!([&asked[1].1, &asked[2].1], [&said(&line), &said(&line)]);
    assert!(String::from_utf8_lossy(&rig.service.asked()[3].body).contains("filename=\"报告.pdf\""));
    let bodies: Vec<_> = asked[8..].iter().map(|(_, body)| body.clone()).collect();
    assert_eq!(
        bodies,
        [
            json!({ "chatid": "chat-2", "msgtype": "text", "text": { "content": "hi" } }),
            json!({ "chatid": "chat-2", "add_user_list": ["zhao"] }),
            json!({ "chatid": "chat-2", "del_user_list": ["zhao"] }),
            json!({ "chatid": "chat-2", "name": "M" }),
        ]
    );
}

#[tokio::test]
async fn a_yes_that_reached_nobody_is_a_no() {
    let nobody = r#"{"errcode":0,"errmsg":"ok","invaliduser":"li","msgid":"msg-1"}"#;
    let rig = rig([TOKEN, nobody].map(Next::ok)).await;
    let error = rig.sender.perform(action(text("p1", "hi"), Some("li"), &[])).await.unwrap_err();
    assert!(matches!(&error, SendError::Failed { why } if why.contains("invaliduser")), "{error}");
    assert_eq!(rig.service.left(), 0);
}

#[tokio::test]
async fn sec_r20_no_secret_is_in_any_text() {
    let echo = r#"{"errcode":40001,"errmsg":"invalid secret canary-secret"}"#;
    let other = r#"{"errcode":9,"errmsg":"token canary-token-1 of canary-secret"}"#;
    let rig = rig([Next::ok(echo), Next::Broken, Next::ok(TOKEN), Next::ok(other), Next::Broken]).await;
    let mut shown = format!("{:?} {:?} {:?}", rig.app, rig.app.door(), settings(true));
    for want in ["refused: `corp_secret` is not", "not taken:", "refused: token [secret]", "no telling"] {
        let error = rig.sender.perform(action(text("p1", "hi"), Some("li"), &[])).await.unwrap_err().to_string();
        assert!(error.starts_with(want), "{want}: {error}");
        shown.push_str(&error);
    }
    shown.push_str(&format!("{:?}", rig.service.asked()));
    assert!(!shown.contains("canary"), "{shown}");
}

#[tokio::test]
async fn what_members_write_comes_through_the_door() {
    let rig = rig([]).await;
    let mut session = rig.app.resume(&saved()).await.unwrap();
    let known = session.next_batch().await.unwrap().contacts;
    assert!(matches!(&known[..], [crate::ContactChange::Upsert(room)] if room.peer.as_str() == "chat-1"), "{known:?}");
    let door = rig.app.door().unwrap();
    let (_, callback) = rig.app.heard.as_ref().unwrap();
    let inner = "<xml><ToUserName>wx5823bf96d3bd56c7</ToUserName><FromUserName>li</FromUserName><CreateTime>1409659813</CreateTime><MsgType>text</MsgType><Content>hi</Content><MsgId>5</MsgId><AgentID>1000002</AgentID></xml>";
    let sealed = callback.keys().seal(inner, [7; 16], 1_409_659_813, "n");
    let query = format!("msg_signature={}&timestamp=1409659813&nonce=n", sealed.signature);
    let body = Bytes::from(sealed.xml());
    let from = std::net::Ipv4Addr::LOCALHOST.into();
    let knock = Knock { method: "POST", query: &query, body: &body, from, now_ms: 1_409_659_813_000, unproved: false };
    let Knocked::Keep { body, .. } = door.knock(&knock) else { panic!() };
    let (kept, ()) = tokio::join!(door.mailbox().put(body), async {
        let batch = session.next_batch().await.unwrap();
        let [event] = batch.events.as_slice() else { panic!("{batch:?}") };
        let EventKind::Message(message) = &event.kind else { panic!("{event:?}") };
        assert_eq!((event.chat.as_str(), &message.content), ("li", &Content::Text { text: "hi".into() }));
        batch.kept.tell();
    });
    kept.unwrap();
    assert_eq!(session.myself().peer.as_str(), "app:1000002");
    assert_eq!(door.secrets().len(), 1);
    let can = rig.app.capabilities();
    use Capability::{AddMembers, CreateRoom, GroupMessages, PrivateMessages, Recall, SendVideo};
    assert_eq!(can.missing(&[PrivateMessages, Capability::FetchMedia, SendVideo, Recall, CreateRoom, AddMembers]), []);
    assert!(!can.has(GroupMessages) && !can.has(Capability::Mention));
}

#[tokio::test(start_paused = true)]
async fn without_a_callback_it_only_sends_and_bad_keys_are_told() {
    let make = |settings| Application::new(settings, Service::new([]) as Arc<dyn Transport>, Source::seeded(1, 1));
    let app = make(settings(false)).unwrap();
    assert!(app.door().is_none() && !app.capabilities().has(Capability::PrivateMessages));
    let mut session = app.resume(&saved()).await.unwrap();
    assert!(tokio::time::timeout(Duration::from_secs(60), session.next_batch()).await.is_err());
    let mut bad = settings(true);
    bad.callback.as_mut().unwrap().aes_key = Secret::new("short".to_owned());
    assert_eq!(make(bad).unwrap_err(), KeyError::Length { len: 5 });
}
