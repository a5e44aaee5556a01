//! Does an account of a PC hook know who pushes, and where bytes are?

use std::net::{IpAddr, Ipv4Addr};

use futures_util::StreamExt as _;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use wxbot_model::{Action, Content, EventKind, MediaHandle, Message};

use super::*;
use crate::error::FetchError;
use crate::mapping::testing::{Next, Service, actions, json as body_of};
use crate::pchook::testdata::{fixture, fixture_json};
use crate::protocol::{Batch, Fetch, Outgoing};
use crate::push::{Knock, Knocked, Refused};

fn hook(media_hosts: &[&str], media_roots: Vec<(String, PathBuf)>) -> PcHook {
    let hosts = media_hosts.iter().map(|url| url.parse().unwrap()).collect();
    let settings = AccountSettings {
        account: "shop".into(),
        pushes: reader::Settings { server_port: Some(30_001), ..reader::Settings::default() },
        secrets: Vec::new(),
        default_path: true,
        callback: None,
        profile: "none".into(),
        actions: ActionMap::none(),
        base: "http://127.0.0.1:30001".parse().unwrap(),
        headers: Headers::default(),
        named_secrets: BTreeMap::new(),
        timeout: Duration::from_secs(15),
        max_concurrency: 1,
        way: MediaWay::default(),
        media_roots,
        outward: Arc::new(Outward::new(None, hosts).unwrap()),
    };
    PcHook::new(settings, Service::new([]) as Arc<dyn Transport>, Source::seeded(7, 1_700_000_000))
}

async fn resumed(account: &PcHook, cursor: &[u8]) -> Box<dyn Session> {
    let cursor = Bytes::copy_from_slice(cursor);
    account.resume(&SavedSession { credentials: Secret::default(), cursor }).await.unwrap()
}

fn knock(account: &PcHook, body: &str, unproved: bool) -> Knocked {
    let body = Bytes::copy_from_slice(body.as_bytes());
    let from = IpAddr::V4(Ipv4Addr::LOCALHOST);
    account.door().unwrap().knock(&Knock { method: "POST", query: "", body: &body, from, now_ms: 0, unproved })
}

/// Pushes a body as the server does, and gives what a session makes of it.
async fn pushed(account: &PcHook, session: &mut dyn Session, body: &str) -> Batch {
    let Knocked::Keep { body, .. } = knock(account, body, false) else { panic!("refused") };
    let door = account.door().unwrap();
    let (kept, batch) = tokio::join!(door.mailbox().put(body), async {
        loop {
            let mut batch = session.next_batch().await.unwrap();
            // Another one tells what the control side says.
            if !batch.kept.is_empty() {
                std::mem::take(&mut batch.kept).tell();
                return batch;
            }
        }
    });
    kept.unwrap();
    batch
}

fn of(wxid: &str) -> String {
    fixture("recv-text-group-fromid").replace("themid", wxid)
}

#[tokio::test]
async fn sec_r03_a_learnt_login_is_known_to_the_door() {
    let account = hook(&[], Vec::new());
    let mut session = resumed(&account, b"").await;
    let kept = |wxid: &str| matches!(knock(&account, &of(wxid), false), Knocked::Keep { .. });
    assert!(kept("wxid_a") && kept("wxid_b"), "nobody is known yet");
    let cursor = pushed(&account, session.as_mut(), &of("wxid_a")).await.cursor.unwrap();
    assert!(kept("wxid_a"));
    assert_eq!(knock(&account, &of("wxid_b"), false), Knocked::Refuse(Refused::WrongAccount));
    assert_eq!(knock(&account, &of("wxid_b"), true), Knocked::NotOurs, "at the shared address another one is asked");
    assert!(kept(""), "who says nothing is not somebody else");

    // The batch could not be stored: whoever pushes next says who we are.
    drop(session);
    let session = resumed(&account, b"").await;
    assert!(kept("wxid_b"));
    drop(session);
    // It was: the door knows it from the start, and before anything is pushed.
    let again = hook(&[], Vec::new());
    let _session = resumed(&again, &cursor).await;
    assert_eq!(knock(&again, &of("wxid_b"), false), Knocked::Refuse(Refused::WrongAccount));
}

#[tokio::test]
async fn sec_r16_no_push_says_where_the_hook_is_asked() {
    let service = Service::new([Next::ok(r#"{"x_send":"1"}"#)]);
    let account = hook(&[], Vec::new());
    let settings = AccountSettings {
        pushes: reader::Settings::default(),
        base: "http://192.168.1.20:30001".parse().unwrap(),
        actions: actions(
            json!({ "send_text": { "path": "/SendTextMsg", "body": { "wxid": "{{to}}", "msg": "{{text}}" } } }),
        ),
        ..account.settings
    };
    let account = PcHook::new(settings, Arc::clone(&service) as Arc<dyn Transport>, Source::seeded(7, 1));
    let mut session = resumed(&account, b"").await;
    let mut push = fixture_json("recv-text-group-fromid");
    push["ServerPort"] = "31337".into();
    push["endpoint"] = "http://169.254.169.254/".into();
    pushed(&account, session.as_mut(), &push.to_string()).await;
    // Neither does what is written.
    let text = "http://169.254.169.254/?a={{secret.KEY}}&../../QueryDB#x\r\nHost: evil";
    let outgoing = Outgoing {
        action: Action::SendText { to: "r1".parse().unwrap(), text: text.into(), mention: Vec::new() },
        to: Some("../QueryDB?a=@chatroom".parse().unwrap()),
        others: Vec::new(),
        media: None,
        client_id: "1".parse().unwrap(),
    };
    session.sender().perform(outgoing).await.ok();
    let [asked] = service.asked().try_into().unwrap();
    assert_eq!(asked.url.as_str(), "http://192.168.1.20:30001/SendTextMsg");
    assert_eq!(body_of(&asked)["msg"], text, "in the body, as it is");
}

fn sticker(batch: &Batch) -> MediaHandle {
    let EventKind::Message(Message { content: Content::Sticker { media: Some(media), .. }, .. }) =
        &batch.events[0].kind
    else {
        panic!("{batch:?}")
    };
    media.clone()
}

/// A push of a GIF that lies at this address.
fn gif(address: &str) -> String {
    let mut push = fixture_json("recv-gif");
    push["msglist"][0]["gif_url"] = address.into();
    push.to_string()
}

async fn bytes(session: &dyn Session, media: MediaHandle) -> Result<Vec<u8>, FetchError> {
    let mut body = session.sender().fetch(Fetch::Media(media)).await?.body;
    let mut whole = Vec::new();
    while let Some(piece) = body.next().await {
        whole.extend_from_slice(&piece?);
    }
    Ok(whole)
}

#[tokio::test]
async fn sec_r14_a_gif_comes_from_its_address_and_from_nowhere_inside() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let own = format!("http://{}", listener.local_addr().unwrap());
    let account = hook(&[&own], Vec::new());
    let mut session = resumed(&account, b"").await;
    let batch = pushed(&account, session.as_mut(), &gif(&format!("{own}/stodownload?m=1"))).await;
    let answering = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = vec![0; 1024];
        let read = stream.read(&mut head).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nGIF89a").await.unwrap();
        String::from_utf8_lossy(&head[..read]).into_owned()
    };
    let (got, head) = tokio::join!(bytes(session.as_ref(), sticker(&batch)), answering);
    assert_eq!(got.unwrap(), b"GIF89a");
    assert!(head.starts_with("GET /stodownload?m=1 HTTP/1.1\r\n"), "{head}");

    // The hook's own control side among them (security R16).
    for inside in
        ["http://127.0.0.1:30001/QueryDB", "http://127.0.0.1/", "http://169.254.169.254/latest", "file:///etc/passwd"]
    {
        let batch = pushed(&account, session.as_mut(), &gif(inside)).await;
        let error = bytes(session.as_ref(), sticker(&batch)).await.unwrap_err();
        assert!(matches!(error, FetchError::Refused { .. }), "{inside}: {error}");
    }
}

#[tokio::test]
async fn sec_r07_a_path_outside_is_not_opened_and_the_address_beside_it_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.gif"), b"GIF89a").unwrap();
    let outside = tempfile::NamedTempFile::new().unwrap();
    let root = folder.path().to_str().unwrap().to_owned();
    let account = hook(&[], vec![(root.clone(), folder.path().to_owned())]);
    let mut session = resumed(&account, b"").await;
    let push = |path: &str| {
        let mut push = fixture_json("recv-gif");
        push["msglist"][0]["gif_path"] = path.into();
        push["msglist"][0]["gif_url"] = "http://127.0.0.1/".into();
        push.to_string()
    };
    let batch = pushed(&account, session.as_mut(), &push(&format!("{root}/a.gif"))).await;
    assert_eq!(bytes(session.as_ref(), sticker(&batch)).await.unwrap(), b"GIF89a");
    let batch = pushed(&account, session.as_mut(), &push(outside.path().to_str().unwrap())).await;
    let error = bytes(session.as_ref(), sticker(&batch)).await.unwrap_err();
    assert!(error.to_string().contains("no public address"), "{error}");
}

#[tokio::test]
async fn sec_r07_a_link_below_the_roots_that_leads_out_is_not_opened() {
    let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::fs::write(outside.path().join("a.gif"), b"GIF89a").unwrap();
    std::os::unix::fs::symlink(outside.path(), folder.path().join("moved")).unwrap();
    // One that leads elsewhere below the root is as good as its aim.
    std::fs::write(folder.path().join("b.gif"), b"GIF89b").unwrap();
    std::os::unix::fs::symlink(folder.path().join("b.gif"), folder.path().join("c.gif")).unwrap();
    let root = folder.path().to_str().unwrap().to_owned();
    let account = hook(&[], vec![(root.clone(), folder.path().to_owned())]);
    let mut session = resumed(&account, b"").await;
    for (file, want) in [("moved/a.gif", None), ("c.gif", Some(b"GIF89b"))] {
        let mut push = fixture_json("recv-gif");
        push["msglist"][0]["gif_path"] = format!("{root}/{file}").into();
        push["msglist"][0]["gif_url"] = "".into();
        let batch = pushed(&account, session.as_mut(), &push.to_string()).await;
        match (bytes(session.as_ref(), sticker(&batch)).await, want) {
            (Ok(got), Some(want)) => assert_eq!(got, want, "{file}"),
            (Err(error), None) => assert!(error.to_string().contains("leads out"), "{file}: {error}"),
            (got, _) => panic!("{file}: {got:?}"),
        }
    }
}
