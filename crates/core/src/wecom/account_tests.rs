//! Does an account behind a gateway hear, follow its login, and ask by its table?

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use wxbot_model::{Action, ContactKind, EventKind};

use super::*;
use crate::mapping::testing::{Next, Service, json as body_of};
use crate::mapping::{ActionMap, Headers};
use crate::protocol::Outgoing;
use crate::push::{Knock, Knocked, NotKept};
use crate::wecom::testdata::{fixture, fixture_json};
use crate::wecom::{Tokens, Unnamed};

fn settings(name: &str, profile: Profile, actions: ActionMap) -> GatewaySettings {
    GatewaySettings {
        engine: EngineSettings {
            account: name.into(),
            protocol: "wecom",
            profile: profile.word().into(),
            actions,
            base: "http://127.0.0.1:9899".parse().unwrap(),
            headers: Headers::default(),
            secrets: BTreeMap::new(),
            timeout: Duration::from_secs(15),
            max_concurrency: 1,
        },
        profile,
        self_id: None,
        nick_name: "Bot".into(),
        session_id: Some(Secret::new("canary-session".into())),
        instance: Some(Secret::new("canary-uuid".into())),
        path_secrets: vec![Secret::new("canary-path".into())],
        way: MediaWay::default(),
        outward: Arc::new(Outward::new(None, Vec::new()).unwrap()),
    }
}

fn qw_api() -> ActionMap {
    let paths: serde_json::Map<String, Value> = ["send_link", "revoke"]
        .map(|name| (name.to_owned(), json!({ "path": format!("/given/{name}") })))
        .into_iter()
        .collect();
    Profile::QwApi.actions().with(&paths.into(), &std::collections::BTreeSet::new()).unwrap()
}

fn gateway(settings: GatewaySettings, service: &Arc<Service>, tokens: &Arc<Tokens>) -> Gateway {
    let transport = Arc::clone(service) as Arc<dyn Transport>;
    Gateway::new(settings, transport, Source::seeded(7, 1_700_000_000), Arc::clone(tokens), Arc::new(Unnamed))
}

fn saved(cursor: impl Into<Bytes>) -> SavedSession {
    SavedSession { credentials: Secret::default(), cursor: cursor.into() }
}

/// Pushes a body as the server does, and gives what a session makes of it.
async fn pushed(account: &Gateway, session: &mut dyn Session, body: &str) -> (Result<(), NotKept>, crate::Batch) {
    let door = account.door().unwrap();
    let body = Bytes::copy_from_slice(body.as_bytes());
    let from = Ipv4Addr::LOCALHOST.into();
    let knock = Knock { method: "POST", query: "", body: &body, from, now_ms: 1, unproved: false };
    let Knocked::Keep { body, answer, .. } = door.knock(&knock) else { panic!("refused") };
    assert_eq!(answer.body, "{}");
    tokio::join!(door.mailbox().put(body), async {
        let mut batch = session.next_batch().await.unwrap();
        std::mem::take(&mut batch.kept).tell();
        batch
    })
}

fn send_link() -> Outgoing {
    let link = wxbot_model::Link { title: "T".into(), url: "https://e.org/".into(), ..Default::default() };
    Outgoing {
        action: Action::SendLink { to: "r1".parse().unwrap(), link },
        to: Some("10765992068360238".parse().unwrap()),
        others: Vec::new(),
        media: None,
        client_id: "1".parse().unwrap(),
    }
}

#[tokio::test]
async fn calls_name_the_login_that_pushes_now_and_go_on_so_after_a_restart() {
    let sent = r#"{"code":200,"msg":"ok","data":{"messageId":"77"}}"#;
    let (service, tokens) = (Service::new([Next::ok(sent), Next::ok(sent), Next::ok(sent)]), Tokens::new());
    let account = gateway(settings("a", Profile::QwApi, qw_api()), &service, &tokens);
    assert!(!account.needs_login());
    let mut session = account.resume(&saved(Bytes::new())).await.unwrap();
    session.sender().perform(send_link()).await.unwrap();
    let (kept, batch) = pushed(&account, session.as_mut(), &fixture("group-text")).await;
    assert_eq!((kept, batch.events.len()), (Ok(()), 1));
    assert!(matches!(batch.events[0].kind, EventKind::Message(_)));
    let receipt = session.sender().perform(send_link()).await.unwrap();
    assert_eq!(receipt.server_id.as_deref(), Some("77"));
    // Another process, with the session of the settings again: the login that pushed last is the newer one.
    let cursor = batch.cursor.unwrap();
    let again = gateway(settings("a", Profile::QwApi, qw_api()), &service, &Tokens::new());
    let session = again.resume(&saved(cursor)).await.unwrap();
    session.sender().perform(send_link()).await.unwrap();
    let asked = service.asked();
    let logins: Vec<_> = asked.iter().map(|one| body_of(one)["sessionId"].as_str().unwrap().to_owned()).collect();
    let token = fixture_json("group-text")["token"].as_str().unwrap().to_owned();
    assert_eq!(logins, ["canary-session".to_owned(), token.clone(), token]);
    assert_eq!(body_of(&asked[0])["wxId"], "R:10765992068360238");
    let shown = format!("{account:?} {:?} {:?}", account.door(), settings("a", Profile::QwApi, qw_api()));
    assert!(!shown.contains("canary"), "{shown}");
}

#[tokio::test]
async fn sec_r03_a_login_that_became_another_accounts_is_not_kept() {
    let tokens = Tokens::new();
    let service = Service::new([]);
    let account = gateway(settings("a", Profile::None, ActionMap::none()), &service, &tokens);
    let mut session = account.resume(&saved(Bytes::new())).await.unwrap();
    let body = Bytes::from(fixture("private-text"));
    let door = account.door().unwrap();
    let from = Ipv4Addr::LOCALHOST.into();
    let knock = Knock { method: "POST", query: "", body: &body, from, now_ms: 1, unproved: false };
    assert!(matches!(door.knock(&knock), Knocked::Keep { .. }));
    // Between the door and the reader, another account took it.
    assert!(tokens.adopt("b", fixture_json("private-text")["token"].as_str().unwrap()));
    let (kept, batch) = tokio::join!(door.mailbox().put(body.clone()), async {
        loop {
            let batch = session.next_batch().await.unwrap();
            if door.mailbox().waiting() == 0 {
                return batch;
            }
        }
    });
    assert_eq!((kept, batch.events.len()), (Err(NotKept::NotOurs), 0));
    assert_eq!(door.knock(&knock), Knocked::Refuse(crate::push::Refused::WrongAccount));
}

#[tokio::test]
async fn whom_the_service_lists_is_known_without_a_push_waiting_for_it() {
    let people = r#"{"errcode":0,"errmsg":"ok","data":{"list":[{"user_id":7881,"nickname":"Li","remark":"L"}]}}"#;
    let none = r#"{"errcode":0,"errmsg":"ok","data":{"list":[]}}"#;
    let rooms = r#"{"errcode":0,"errmsg":"ok","data":{"room_list":[{"room_id":10820914206954126,"nickname":"Ops"}]}}"#;
    let members = r#"{"errcode":0,"errmsg":"ok","data":{"room_id":1,"nickname":"Ops","member_list":[{"uin":7881,"nickname":"Li","room_nickname":"Lil"}]}}"#;
    let who = r#"{"errcode":0,"errmsg":"ok","data":{"list":[{"user_id":7881,"nickname":"Li"}]}}"#;
    let slow = Next::Slow(Duration::from_millis(50), Bytes::from_static(people.as_bytes()));
    let service = Service::new([slow, Next::ok(none), Next::ok(rooms), Next::ok(members), Next::ok(who)]);
    let wxwork = Profile::WxWork.actions().clone();
    let account = gateway(settings("a", Profile::WxWork, wxwork), &service, &Tokens::new());
    let mut session = account.resume(&saved(Bytes::new())).await.unwrap();
    let (kept, batch) = pushed(&account, session.as_mut(), &fixture("private-text")).await;
    assert_eq!((kept, batch.events.len(), service.asked().len()), (Ok(()), 1, 1), "the service is still thinking");
    let told = session.next_batch().await.unwrap().contacts;
    let named: Vec<_> = told
        .iter()
        .map(|change| match change {
            ContactChange::Upsert(one) => (one.kind, one.peer.to_string(), one.display_name().to_owned()),
            other @ (ContactChange::Met(_) | ContactChange::Remove(_)) => panic!("{other:?}"),
        })
        .collect();
    let one = |kind, id: &str, name: &str| (kind, id.to_owned(), name.to_owned());
    let want = [one(ContactKind::Person, "7881", "L"), one(ContactKind::Room, "10820914206954126", "Ops")];
    assert_eq!(named, want);
    let (sender, room) = (session.sender(), "10820914206954126".parse().unwrap());
    let room = sender.look_up(&room).await.unwrap();
    assert_eq!(room.members[0].shown_name(), "Lil");
    assert_eq!(&*sender.look_up(&"7881".parse().unwrap()).await.unwrap().nick_name, "Li");
    assert_eq!(body_of(&service.asked()[3])["uuid"], "canary-uuid");
}

#[tokio::test]
async fn what_each_profile_can_do() {
    use Capability::{Contacts, FetchMedia, GroupMessages, MemberEvents, Mention, PrivateMessages, Recall, SendFile};
    use Capability::{SendLink, SendText};
    let can = |profile: Profile, actions: ActionMap| {
        gateway(settings("a", profile, actions), &Service::new([]), &Tokens::new()).capabilities()
    };
    let wxwork = can(Profile::WxWork, Profile::WxWork.actions().clone());
    assert_eq!(
        wxwork.missing(&[PrivateMessages, GroupMessages, MemberEvents, SendText, Mention, SendFile, Contacts]),
        []
    );
    let bare = can(Profile::QwApi, Profile::QwApi.actions().clone());
    assert_eq!(bare.missing(&[PrivateMessages, GroupMessages, MemberEvents, SendText, SendLink]), [SendText, SendLink]);
    assert_eq!(can(Profile::QwApi, qw_api()).missing(&[SendLink, Recall, SendText]), [SendText]);
    let none = can(Profile::None, ActionMap::none());
    assert_eq!(none.missing(&[PrivateMessages, SendText, FetchMedia]), [SendText]);
    let account = gateway(settings("a", Profile::None, ActionMap::none()), &Service::new([]), &Tokens::new());
    assert_ne!(account.draw_client_msg_id(), account.draw_client_msg_id());
    assert_eq!(account.door().unwrap().secrets().len(), 1);
}

#[tokio::test]
async fn sec_r14_the_cover_of_a_film_is_asked_for_at_its_address_and_nowhere_inside() {
    use wxbot_model::{Content, Message};

    use crate::error::FetchError;
    use crate::protocol::Fetch;

    let account = gateway(settings("a", Profile::None, ActionMap::none()), &Service::new([]), &Tokens::new());
    let mut session = account.resume(&saved(Bytes::new())).await.unwrap();
    let body = fixture("private-video").replace("https://wework.qpic.cn/wwpic/", "http://169.254.169.254/");
    let (_, batch) = pushed(&account, session.as_mut(), &body).await;
    let EventKind::Message(Message { content: Content::Video { media, thumb, .. }, .. }) = &batch.events[0].kind else {
        panic!("{batch:?}")
    };
    let why = async |media: &wxbot_model::MediaHandle| match session.sender().fetch(Fetch::Media(media.clone())).await {
        Err(FetchError::Refused { why }) => why,
        other => panic!("{other:?}"),
    };
    assert!(why(thumb.as_ref().unwrap()).await.contains("169.254.169.254 is no public address"));
    assert!(why(media).await.contains("no address of its bytes"));
}
