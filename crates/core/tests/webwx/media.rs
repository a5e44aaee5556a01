//! Do bytes arrive as they were sent, in both directions?

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use wxbot_core::http::HttpTransport;
use wxbot_core::protocol::{Fetch, Incoming, MediaFile, Outgoing, Progress, Protocol, Session};
use wxbot_core::source::Source;
use wxbot_core::webwx::{Settings, WebWx};
use wxbot_core::{FetchError, SendError};
use wxbot_model::{Action, App, Content, EventKind, Link, Media, MediaHandle, MediaKind, MediaShape};
use wxbot_sim::{Deliver, Fault, FaultKind, Said, Sim, World};

use crate::rig::{Rig, Watcher, id, next, peer, query, settings, shop};

const CHUNK: usize = 512 * 1024;

/// Files to send.
struct Shelf(TempDir);

impl Shelf {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, bytes: &[u8]) -> MediaFile {
        let path = self.0.path().join("bytes");
        std::fs::write(&path, bytes).unwrap();
        MediaFile { path, len: bytes.len().try_into().unwrap(), name: name.into(), progress: Progress::default() }
    }
}

fn bytes(len: usize) -> Vec<u8> {
    (0..=250).cycle().take(len).collect()
}

fn action(shape: MediaShape) -> Action {
    let media = Media::Received { media: MediaHandle::new(MediaKind::Image, "1", None), name: String::new() };
    Action::SendMedia { to: id(), shape, media }
}

async fn send(
    rig: &Rig,
    session: &dyn Session,
    to: &str,
    shape: MediaShape,
    file: &MediaFile,
) -> Result<(), SendError> {
    let to = peer(session, to);
    rig.act(session, action(shape), Some(&to), &[], Some(file.clone())).await.map(|receipt| {
        let last = rig.sim.journal().sends.last().cloned().unwrap();
        assert_eq!(receipt.server_id, Some(last.msg_id));
    })
}

async fn all(session: &dyn Session, what: Fetch) -> Result<Bytes, FetchError> {
    let mut body = session.sender().fetch(what).await?.body;
    let mut bytes = Vec::new();
    while let Some(piece) = body.next().await {
        bytes.extend_from_slice(&piece?);
    }
    Ok(bytes.into())
}

/// What the next message says.
async fn said(session: &mut Box<dyn Session>) -> Content {
    let told = next(session).await.events.remove(0).kind;
    let EventKind::Message(message) = told else { panic!("{told:?}") };
    message.content
}

async fn handle(session: &mut Box<dyn Session>) -> MediaHandle {
    said(session).await.media().unwrap().clone()
}

// cov: 48, 49, 50, 51, 53, 54
#[tokio::test(start_paused = true)]
async fn every_shape_arrives_as_it_was_sent() {
    let (rig, shelf) = (Rig::new(), Shelf::new());
    let session = rig.online().await;
    for (shape, name, media_type, msg_type) in [
        (MediaShape::Image, "a.png", "pic", 3),
        (MediaShape::Video, "a.mp4", "video", 43),
        (MediaShape::Sticker, "a.gif", "doc", 47),
        (MediaShape::File, "价目 <表> & \"x\".csv", "doc", 6),
    ] {
        // A moving picture has to be one; of the others nobody looks into the bytes.
        let content = [&b"GIF89a"[..], &bytes(1_000 + usize::try_from(msg_type).unwrap())].concat();
        let file = shelf.file(name, &content);
        send(&rig, &*session, "测试群", shape, &file).await.unwrap();
        let journal = rig.sim.journal();
        let sent = journal.sends.last().unwrap();
        let media = sent.media.clone().unwrap();
        assert_eq!((sent.msg_type, sent.to.as_str(), sent.room), (msg_type, "测试群", true));
        assert_eq!(rig.sim.media(&media.md5).unwrap(), content);
        let upload = journal.uploads.last().unwrap();
        assert_eq!((upload.media_type.as_str(), upload.file_name.as_str()), (media_type, name));
        assert_eq!((upload.chunk, upload.chunks), (0, 1));
        assert_eq!(file.progress.get(), file.len);
    }
    rig.clean();
}

// cov: 52, 53
#[tokio::test(start_paused = true)]
async fn long_ones_go_in_chunks_and_to_many_chats_from_one_upload() {
    let (rig, shelf) = (Rig::new(), Shelf::new());
    let session = rig.online().await;
    let content = bytes(2 * CHUNK + 7);
    let file = shelf.file("a.bin", &content);
    for to in ["Alice", "鲍勃", "测试群"] {
        send(&rig, &*session, to, MediaShape::File, &file).await.unwrap();
    }
    let journal = rig.sim.journal();
    let chunks: Vec<_> = journal.uploads.iter().map(|upload| (upload.chunk, upload.chunks, upload.len)).collect();
    assert_eq!(chunks, [(0, 3, CHUNK), (1, 3, CHUNK), (2, 3, 7)]);
    let ids: Vec<_> = journal.sends.iter().map(|sent| sent.media.clone().unwrap().media_id).collect();
    assert!(ids.len() == 3 && ids.iter().all(|id| *id == ids[0]));
    assert_eq!(rig.sim.media(&journal.sends[2].media.clone().unwrap().md5).unwrap(), content);
    rig.clean();
}

#[tokio::test(start_paused = true)]
async fn a_large_file_is_announced_and_not_uploaded_twice() {
    let (rig, shelf) = (Rig::new(), Shelf::new());
    let file = shelf.file("big.zip", &bytes(25 * 1024 * 1024 + 1));
    let session = rig.online().await;
    send(&rig, &*session, "Alice", MediaShape::File, &file).await.unwrap();
    assert_eq!((rig.sim.journal().uploads.len(), rig.seen_at("webwxcheckupload").len()), (51, 1));
    // Another login knows of no upload, but the service does.
    drop(session);
    let session = rig.online().await;
    file.progress.set(0);
    send(&rig, &*session, "Alice", MediaShape::File, &file).await.unwrap();
    assert_eq!((rig.sim.journal().uploads.len(), rig.seen_at("webwxcheckupload").len()), (51, 2));
    assert_eq!((rig.sim.journal().sends.len(), file.progress.get()), (2, file.len));
    rig.clean();
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_fails_leaves_nothing_behind_and_works_the_next_time() {
    let ret = |ret| FaultKind::Ret { ret, msg: String::new() };
    for (kind, chunk, want) in [
        (FaultKind::NoMediaId, 1, "not taken"),
        (FaultKind::WrongStartPos, 0, "not taken"),
        (FaultKind::Drop, 0, "not taken"),
        (FaultKind::DropAfter, 1, "not taken"),
        (FaultKind::Html, 1, "not taken"),
        (FaultKind::Truncate { bytes: 9 }, 0, "not taken"),
        (FaultKind::Status { code: 500 }, 1, "not taken"),
        (FaultKind::Delay { ms: 120_000 }, 0, "not taken"),
        (FaultKind::Refuse, 1, "sent"),
        (ret(1205), 0, "stopped"),
        (ret(1101), 1, "ended"),
    ] {
        let (rig, shelf) = (Rig::new(), Shelf::new());
        let session = rig.online().await;
        let file = shelf.file("a.png", &bytes(CHUNK + 1));
        rig.sim.inject(Fault { skip: chunk, ..Fault::once("webwxuploadmedia", kind.clone()) });
        let word = match send(&rig, &*session, "Alice", MediaShape::Image, &file).await {
            Ok(()) => "sent",
            Err(SendError::NotTaken { .. }) => "not taken",
            Err(SendError::Ended(_)) => "ended",
            Err(SendError::Stopped { .. }) => "stopped",
            Err(error) => panic!("{kind:?}: {error}"),
        };
        assert_eq!(word, want, "{kind:?}");
        if word != "sent" {
            assert!(rig.sim.journal().sends.is_empty(), "{kind:?}");
        }
        if word == "not taken" {
            send(&rig, &*session, "Alice", MediaShape::Image, &file).await.unwrap();
        }
        rig.clean();
    }
}

#[tokio::test(start_paused = true)]
async fn the_second_file_host_helps_out_both_ways() {
    let (rig, shelf) =
        (Rig::with(World::default().with(shop()), Settings { endpoint: None, ..settings() }), Shelf::new());
    let mut session = rig.online().await;
    let first = |endpoint: &str, kind| Fault { host: Some("file.".into()), times: 0, ..Fault::once(endpoint, kind) };
    rig.sim.inject(first("webwxuploadmedia", FaultKind::Ret { ret: 1, msg: String::new() }));
    rig.sim.inject(first("webwxgetmedia", FaultKind::Empty));
    send(&rig, &*session, "Alice", MediaShape::File, &shelf.file("a.bin", &bytes(CHUNK + 1))).await.unwrap();
    let asked = |endpoint| rig.seen_at(endpoint).iter().map(|request| request.host()).collect::<Vec<_>>();
    assert_eq!(asked("webwxuploadmedia"), ["file.wx.qq.com", "file2.wx.qq.com", "file2.wx.qq.com"]);
    rig.sim
        .deliver("shop", Deliver::said("Alice", Said::File { name: "b.csv".into(), data: Some("1,2".into()) }))
        .unwrap();
    let file = handle(&mut session).await;
    assert_eq!(all(&*session, Fetch::Media(file)).await.unwrap(), "1,2");
    assert_eq!(asked("webwxgetmedia"), ["file.wx.qq.com", "file2.wx.qq.com"]);
    rig.clean();
}

// cov: 56, 57, 60, 61, 62
#[tokio::test(start_paused = true)]
async fn what_people_send_can_be_fetched() {
    let rig = Rig::new();
    let mut session = rig.online().await;
    let data = || Some(Bytes::from_static(b"\x01\x02 bytes of it \xff"));
    for (said, kind) in [
        (Said::Image { data: data() }, MediaKind::Image),
        (Said::Voice { data: data(), ms: 900 }, MediaKind::Voice),
        (Said::Video { data: data(), seconds: 3, short: false }, MediaKind::Video),
        (Said::Video { data: data(), seconds: 3, short: true }, MediaKind::Video),
        (Said::Sticker { data: data(), shop: false }, MediaKind::Sticker),
        (Said::File { name: "../a b.csv".into(), data: data() }, MediaKind::File),
    ] {
        for deliver in [Deliver::said("Alice", said.clone()), Deliver::said("Alice", said.clone()).in_room("测试群")]
        {
            rig.sim.deliver("shop", deliver).unwrap();
            let media = handle(&mut session).await;
            assert_eq!(media.kind, kind);
            assert_eq!(all(&*session, Fetch::Media(media.clone())).await.unwrap(), data().unwrap(), "{kind:?}");
            if kind == MediaKind::Image {
                let thumb = Fetch::Media(MediaHandle { kind: MediaKind::Thumbnail, ..media });
                assert!(all(&*session, thumb).await.unwrap().starts_with(b"\x89PNG"));
            }
        }
    }
    rig.clean();
}

// cov: 58, 59
#[tokio::test(start_paused = true)]
async fn people_rooms_and_members_have_pictures() {
    let rig = Rig::new();
    let session = rig.online().await;
    let (alice, room) = (peer(&*session, "Alice"), peer(&*session, "测试群"));
    let stranger = session.contacts().iter().find(|contact| contact.peer == room).cloned().unwrap();
    let stranger = stranger.members.iter().find(|member| &*member.nick_name == "路人").unwrap().peer.clone();
    let mut pictures = Vec::new();
    for what in [
        Fetch::Avatar { of: alice, room: None },
        Fetch::Avatar { of: room.clone(), room: None },
        Fetch::Avatar { of: stranger, room: Some(room) },
    ] {
        let picture = all(&*session, what).await.unwrap();
        assert!(picture.starts_with(b"\x89PNG") && !pictures.contains(&picture));
        pictures.push(picture);
    }
    let member = rig.seen_at("webwxgeticon").pop().unwrap();
    assert!(query(&member, "chatroomid").is_some_and(|id| !id.is_empty()));
    rig.fault("webwxgeticon", FaultKind::Empty);
    let again = Fetch::Avatar { of: peer(&*session, "Alice"), room: None };
    assert_eq!(all(&*session, again).await.unwrap(), pictures[0]);
    rig.clean();
}

#[tokio::test(start_paused = true)]
async fn a_download_that_fails_says_how() {
    let ret = |ret| FaultKind::Ret { ret, msg: String::new() };
    for (kind, want) in [
        (FaultKind::Empty, "not now"),
        (FaultKind::Html, "not now"),
        (FaultKind::Refuse, "not now"),
        (FaultKind::Drop, "not now"),
        (FaultKind::Status { code: 503 }, "not now"),
        (FaultKind::Status { code: 404 }, "gone"),
        (FaultKind::Redirect { to: "https://wx.qq.com/".into() }, "refused"),
        (FaultKind::ContentLength { by: 5 }, "not now"),
        (FaultKind::Stall { bytes: 3, ms: 120_000 }, "not now"),
        (ret(-1), "not now"),
        (ret(-14), "refused"),
        (ret(1100), "ended"),
    ] {
        let rig = Rig::new();
        let mut session = rig.online().await;
        rig.sim.deliver("shop", Deliver::said("Alice", Said::Image { data: None })).unwrap();
        let media = handle(&mut session).await;
        rig.fault("webwxgetmsgimg", kind.clone());
        let begun = Instant::now();
        let word = match all(&*session, Fetch::Media(media.clone())).await {
            Ok(_) => "bytes",
            Err(FetchError::NotNow { .. }) => "not now",
            Err(FetchError::Gone { .. }) => "gone",
            Err(FetchError::Refused { .. }) => "refused",
            Err(FetchError::Ended(_)) => "ended",
            Err(error) => panic!("{error}"),
        };
        assert_eq!(word, want, "{kind:?}");
        assert!(begun.elapsed() <= Duration::from_secs(31), "{kind:?}");
        if want != "ended" {
            assert!(all(&*session, Fetch::Media(media)).await.is_ok(), "{kind:?}: the next time it works");
        }
        rig.clean();
    }
}

#[tokio::test]
async fn over_a_socket_it_is_the_same() {
    let (sim, shelf) = (Sim::new(World::default().with(shop())), Shelf::new());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = Some(format!("http://{}", listener.local_addr().unwrap()).parse().unwrap());
    let stop = CancellationToken::new();
    let client = async {
        let carrier = Arc::new(HttpTransport::new(None).unwrap());
        let web = WebWx::new(Settings { endpoint, ..settings() }, carrier, Source::system());
        let watcher = Watcher::new();
        let (session, ()) = tokio::join!(web.login(&watcher), async {
            let uuid = sim.next_uuid().await;
            sim.scan(&uuid, "shop").unwrap();
            sim.confirm(&uuid).unwrap();
        });
        let mut session = session.unwrap_or_else(|error| panic!("{error}"));
        let content = bytes(CHUNK + 1);
        let sending = Outgoing {
            action: action(MediaShape::File),
            to: Some(peer(&*session, "Alice")),
            others: Vec::new(),
            media: Some(shelf.file("表.bin", &content)),
            client_id: web.draw_client_msg_id(),
        };
        session.sender().perform(sending).await.unwrap();
        let sent = sim.journal().sends[0].media.clone().unwrap();
        assert_eq!((sim.media(&sent.md5).unwrap(), sent.file_name.as_str()), (content.into(), "表.bin"));
        for said in [
            Said::Video { data: Some(bytes(3 * CHUNK).into()), seconds: 3, short: false },
            Said::File { name: "b.bin".into(), data: Some(bytes(3 * CHUNK).into()) },
        ] {
            sim.deliver("shop", Deliver::said("Alice", said)).unwrap();
            let media = loop {
                let batch = session.next_batch().await.unwrap();
                let of = |incoming: &Incoming| {
                    let EventKind::Message(message) = &incoming.kind else { return None };
                    message.content.media().cloned()
                };
                if let Some(media) = batch.events.iter().find_map(of) {
                    break media;
                }
            };
            let fetched = session.sender().fetch(Fetch::Media(media.clone())).await.unwrap();
            assert_eq!(fetched.stated_len, Some(3 * 512 * 1024));
            drop(fetched);
            assert_eq!(all(&*session, Fetch::Media(media)).await.unwrap(), bytes(3 * CHUNK));
        }
        stop.cancel();
    };
    let (served, ()) = tokio::join!(sim.serve(listener, stop.clone()), client);
    served.unwrap();
    assert_eq!(sim.violations(), []);
}

// cov: 47, 55
#[tokio::test(start_paused = true)]
async fn known_stickers_pages_and_what_apps_share_go_out_and_messages_come_back() {
    let rig = Rig::new();
    let mut session = rig.online().await;
    let alice = peer(&*session, "Alice");
    rig.sim.deliver("shop", Deliver::said("Alice", Said::Sticker { data: None, shop: false })).unwrap();
    let Content::Sticker { md5, .. } = said(&mut session).await else { panic!("no sticker") };
    rig.act(&*session, Action::SendSticker { to: id(), md5: md5.clone() }, Some(&alice), &[], None).await.unwrap();
    assert_eq!(rig.sim.journal().sends[0].media.clone().unwrap().md5, md5);

    let link = Link { title: "A & B".into(), url: "https://example.com/?a=1&b=2".into(), ..Link::default() };
    rig.act(&*session, Action::SendLink { to: id(), link }, Some(&alice), &[], None).await.unwrap();
    let program =
        Said::MiniProgram { title: "午餐".into(), name: "点餐".into(), appid: "wx1".into(), page: "p".into() };
    rig.sim.deliver("shop", Deliver::said("Alice", program)).unwrap();
    let Content::MiniProgram(program) = said(&mut session).await else { panic!("no mini program") };
    let raw = rig.sim.journal().delivered.last().unwrap().content.replace("&lt;", "<").replace("&gt;", ">");
    let app = App { app_type: 33, title: program.title, description: String::new(), url: program.url, raw };
    rig.act(&*session, Action::SendApp { to: id(), app }, Some(&alice), &[], None).await.unwrap();
    let sends = rig.sim.journal().sends;
    assert_eq!((sends[1].msg_type, sends[2].msg_type), (5, 33));
    assert!(sends[1].content.contains("<title>A &amp; B</title>") && sends[2].content.contains("<title>午餐</title>"));

    let msg = Some(sends[1].msg_id.parse().unwrap());
    rig.act(&*session, Action::Recall { chat: id(), msg }, Some(&alice), &[], None).await.unwrap();
    assert_eq!(rig.sim.journal().recalls[0].msg_id, sends[1].msg_id);
    rig.clean();
}
