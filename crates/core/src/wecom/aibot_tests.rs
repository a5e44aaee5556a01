//! Does a smart robot answer where it was asked, once, and nowhere else?

use bytes::Bytes;
use wxbot_model::{Content, EventKind};

use super::*;
use crate::mapping::testing::{Next, Service, json as body_of};
use crate::push::{Knock, Knocked};
use crate::wecom::endpoint;

const OK: &str = r#"{"errcode":0,"errmsg":"ok"}"#;
const NOW_S: i64 = 1_700_000_000;
const WAY: &str = "https://qyapi.weixin.qq.com/cgi-bin/aibot/response?response_code=canary-code";

struct Rig {
    service: Arc<Service>,
    robot: SmartRobot,
    session: Box<dyn Session>,
}

async fn rig(next: impl IntoIterator<Item = Next>, endpoint: &str) -> Rig {
    resumed(next, endpoint, Secret::default()).await
}

/// The robot of another process, which left this.
async fn resumed(next: impl IntoIterator<Item = Next>, endpoint: &str, credentials: Secret<Vec<u8>>) -> Rig {
    let service = Service::new(next);
    let secret = |text: &str| Secret::new(text.to_owned());
    let callback = CallbackSettings {
        token: secret("QDG6eK"),
        aes_key: secret("jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"),
        path_secrets: Vec::new(),
    };
    let settings = SmartRobotSettings { account: "bot".into(), endpoint: endpoint.parse().unwrap(), callback };
    let source = Source::seeded(7, u64::try_from(NOW_S).unwrap());
    let robot = SmartRobot::new(settings, Arc::clone(&service) as Arc<dyn Transport>, source).unwrap();
    let saved = SavedSession { credentials, cursor: Bytes::new() };
    let session = robot.resume(&saved).await.unwrap();
    Rig { service, robot, session }
}

impl Rig {
    /// A message as the service sends it, kept and read.
    async fn hears(&mut self, id: &str, room: Option<&str>, way: &str) -> crate::protocol::Incoming {
        let mut inner = json!({
            "msgid": id, "aibotid": "bot", "chattype": "single", "from": { "userid": "li" }, "msgtype": "text",
            "text": { "content": "hi" }, "response_url": way,
        });
        if let Some(room) = room {
            inner["chattype"] = json!("group");
            inner["chatid"] = json!(room);
        }
        let sealed = self.robot.callback.keys().seal(&inner.to_string(), [7; 16], NOW_S, id);
        let query = format!("msg_signature={}&timestamp={NOW_S}&nonce={id}", sealed.signature);
        let body = Bytes::from(sealed.json());
        let from = std::net::Ipv4Addr::LOCALHOST.into();
        let door = self.robot.door().unwrap();
        let now_ms = NOW_S * 1000;
        let knock = Knock { method: "POST", query: &query, body: &body, from, now_ms, unproved: false };
        let Knocked::Keep { body, answer, .. } = door.knock(&knock) else { panic!() };
        assert!(answer.body.is_empty(), "an answer now would be said");
        let (kept, event) = tokio::join!(door.mailbox().put(body), async {
            let batch = self.session.next_batch().await.unwrap();
            batch.kept.tell();
            batch.events.into_iter().next().unwrap()
        });
        kept.unwrap();
        event
    }

    async fn says(&self, to: &str, text: &str, others: &[&str]) -> Result<Receipt, SendError> {
        let action = Action::SendText { to: "p1".parse().unwrap(), text: text.into(), mention: Vec::new() };
        self.does(to, action, others).await
    }

    async fn does(&self, to: &str, action: Action, others: &[&str]) -> Result<Receipt, SendError> {
        let others = others.iter().map(|one| one.parse().unwrap()).collect();
        let (to, client_id) = (Some(to.parse().unwrap()), "1".parse().unwrap());
        self.session.sender().perform(Outgoing { action, to, others, media: None, client_id }).await
    }
}

#[tokio::test(start_paused = true)]
async fn it_answers_each_message_once_where_it_was_asked() {
    let mut rig = rig([OK, OK, OK].map(Next::ok), endpoint::OFFICIAL).await;
    let event = rig.hears("1", None, WAY).await;
    let EventKind::Message(message) = &event.kind else { panic!("{event:?}") };
    assert_eq!((event.chat.as_str(), &message.content), ("li", &Content::Text { text: "hi".into() }));
    rig.hears("2", Some("room"), &format!("{WAY}-2")).await;
    rig.hears("3", Some("room"), &format!("{WAY}-3")).await;
    rig.says("li", "hello", &[]).await.unwrap();
    rig.says("room", "hello", &["li"]).await.unwrap();
    let link =
        Link { title: "a]b".into(), url: "https://e.org/(x)".into(), description: "words".into(), ..Link::default() };
    rig.does("room", Action::SendLink { to: "r1".parse().unwrap(), link }, &[]).await.unwrap();
    let asked = rig.service.asked();
    let said: Vec<_> =
        asked.iter().map(|one| body_of(one)["markdown"]["content"].as_str().unwrap().to_owned()).collect();
    assert_eq!(said, ["hello", "<@li> hello", "[a b](https://e.org/%28x%29)\nwords"]);
    // Exactly as they came, the oldest first.
    let ways: Vec<_> = asked.iter().map(|one| one.url.as_str().to_owned()).collect();
    assert_eq!(ways, [WAY.to_owned(), format!("{WAY}-2"), format!("{WAY}-3")]);
    for chat in ["li", "room", "nobody"] {
        let error = rig.says(chat, "more", &[]).await.unwrap_err();
        assert!(matches!(&error, SendError::Failed { why } if why.contains("only answers")), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn sec_r14_an_address_that_is_not_the_services_is_never_asked() {
    for (endpoint, way, good) in [
        (endpoint::OFFICIAL, WAY, true),
        (endpoint::OFFICIAL, "https://openws.work.weixin.qq.com/x", true),
        (endpoint::OFFICIAL, "http://qyapi.weixin.qq.com/x", false),
        (endpoint::OFFICIAL, "https://qyapi.weixin.qq.com:444/x", false),
        (endpoint::OFFICIAL, "https://u:p@qyapi.weixin.qq.com/x", false),
        (endpoint::OFFICIAL, "https://qyapi.weixin.qq.com.evil.example/x", false),
        (endpoint::OFFICIAL, "https://evilweixin.qq.com/x", false),
        (endpoint::OFFICIAL, "https://169.254.169.254/latest", false),
        (endpoint::OFFICIAL, "file:///etc/passwd", false),
        (endpoint::OFFICIAL, "no address", false),
        ("http://127.0.0.1:9000", "http://127.0.0.1:9000/reply", true),
        ("http://127.0.0.1:9000", "http://127.0.0.1:9001/reply", false),
        ("http://127.0.0.1:9000", "https://qyapi.weixin.qq.com/x", false),
    ] {
        let mut rig = rig(Some(Next::ok(OK)).filter(|_| good), endpoint).await;
        rig.hears("1", None, way).await;
        assert_eq!(rig.says("li", "hello", &[]).await.is_ok(), good, "{way}");
        assert_eq!(rig.service.asked().len(), usize::from(good), "{way}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_surely_not_taken_may_be_answered_again_and_nothing_shows_the_address() {
    let used = r#"{"errcode":60140,"errmsg":"response code used"}"#;
    let next = [Next::Refused, Next::ok(used), Next::Broken, Next::Answer(404, Bytes::new())];
    let mut rig = rig(next, endpoint::OFFICIAL).await;
    let mut shown = format!("{:?} {:?}", rig.robot, rig.robot.door());
    for id in ["1", "2", "3"] {
        rig.hears(id, None, WAY).await;
    }
    for want in [
        "not taken",
        "refused: the service answered 60140",
        "no telling",
        "refused: the service answered HTTP 404",
        "refused: a smart robot only",
    ] {
        let error = rig.says("li", "hello", &[]).await.unwrap_err().to_string();
        assert!(error.starts_with(want), "{want}: {error}");
        shown.push_str(&error);
    }
    let long = rig.says("li", &"x".repeat(ANSWER + 1), &[]).await.unwrap_err();
    assert!(matches!(long, SendError::Failed { .. }));
    assert!(!shown.contains("canary"), "{shown}");
}

#[tokio::test(start_paused = true)]
async fn an_address_for_an_answer_outlives_the_process_and_a_used_one_costs_no_answer() {
    let mut before = rig([Next::ok(OK)], endpoint::OFFICIAL).await;
    before.hears("1", None, &format!("{WAY}-1")).await;
    before.hears("2", None, &format!("{WAY}-2")).await;
    before.hears("3", Some("room"), &format!("{WAY}-3")).await;
    before.says("li", "one", &[]).await.unwrap();
    let left = before.session.saved().unwrap().credentials;
    assert!(!format!("{left:?}").contains("canary"), "it is a secret");

    // The first was used after it was written: the service says so, and the second is used in its place.
    let used = r#"{"errcode":60140,"errmsg":"response code used"}"#;
    let mut after = resumed([Next::ok(used), Next::ok(OK), Next::ok(OK)], endpoint::OFFICIAL, left.clone()).await;
    after.says("li", "two", &[]).await.unwrap();
    after.says("room", "three", &[]).await.unwrap();
    let ways: Vec<_> = after.service.asked().iter().map(|one| one.url.as_str().to_owned()).collect();
    assert_eq!(ways, ["1", "2", "3"].map(|n| format!("{WAY}-{n}")));
    let error = after.says("li", "more", &[]).await.unwrap_err();
    assert!(error.to_string().contains("only answers"), "{error}");
    // Another session of the same process does not begin from what was written.
    let saved = SavedSession { credentials: left.clone(), cursor: Bytes::new() };
    after.session = after.robot.resume(&saved).await.unwrap();
    assert!(after.says("li", "more", &[]).await.is_err());

    // They grow old as ever, lead nowhere else, and what cannot be read is nothing.
    let late = resumed([], endpoint::OFFICIAL, left.clone()).await;
    tokio::time::advance(Duration::from_secs(3601)).await;
    assert!(late.says("li", "late", &[]).await.is_err());
    let elsewhere = resumed([], "http://127.0.0.1:9000", left).await;
    assert!(elsewhere.says("li", "elsewhere", &[]).await.is_err());
    let broken = resumed([], endpoint::OFFICIAL, Secret::new(b"{".to_vec())).await;
    assert!(broken.says("li", "broken", &[]).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn what_outlives_the_process_is_bounded_and_the_newest() {
    let mut rig = rig([], endpoint::OFFICIAL).await;
    for id in 0..300 {
        rig.hears(&id.to_string(), Some(&format!("room-{id}")), &format!("{WAY}-{id}")).await;
        tokio::time::advance(Duration::from_millis(5)).await;
    }
    let left = rig.session.saved().unwrap().credentials;
    let left: Vec<Kept> = serde_json::from_slice(left.expose()).unwrap();
    assert_eq!((left.len(), left[0].chat.as_str()), (OUTLIVE, "room-44"));
}

#[tokio::test(start_paused = true)]
async fn addresses_grow_old_and_are_bounded() {
    let mut rig = rig([], endpoint::OFFICIAL).await;
    for id in 0..20 {
        rig.hears(&id.to_string(), None, WAY).await;
    }
    assert_eq!(rig.robot.sender.replies.lock().unwrap().values().map(VecDeque::len).sum::<usize>(), OF_A_CHAT);
    tokio::time::advance(Duration::from_secs(3601)).await;
    let error = rig.says("li", "late", &[]).await.unwrap_err().to_string();
    assert!(error.contains("only answers"), "{error}");
}
