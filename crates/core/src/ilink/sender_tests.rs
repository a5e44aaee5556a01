//! What goes out, and what each answer means for doing it again.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use wxbot_model::{Media, MediaHandle, MediaKind, MediaShape};

use super::super::testdata::fixture;
use super::super::testing::{Asked, BOT, OWNER, Reply, Script, client, peer, settings};
use super::*;
use crate::error::EndReason;
use crate::protocol::Progress;

/// Milliseconds, a count and chance, as the protocol draws them: `0a1b2c3d` in hexadecimal digits.
const DRAWN_ID: &str = "1795200000000000169552957";

struct Rig {
    sender: ILinkSender,
    script: Arc<Script>,
    folder: tempfile::TempDir,
}

impl Rig {
    fn new(answering: impl FnMut(&Asked) -> Reply + Send + 'static) -> Self {
        Self::with(settings(), answering)
    }

    fn with(settings: Settings, answering: impl FnMut(&Asked) -> Reply + Send + 'static) -> Self {
        let script = Script::new(answering);
        let sender = ILinkSender::new(Arc::new(client(&script)), &settings);
        Self { sender, script, folder: tempfile::tempdir().unwrap() }
    }

    fn file(&self, name: &str, bytes: &[u8]) -> MediaFile {
        let path = self.folder.path().join("bytes");
        std::fs::write(&path, bytes).unwrap();
        let len = u64::try_from(bytes.len()).unwrap();
        MediaFile { path, len, name: name.to_owned(), progress: Progress::default() }
    }

    async fn perform(&self, action: Action, to: Option<&str>, media: Option<MediaFile>) -> Result<Receipt, SendError> {
        let (to, others, client_id) = (to.map(peer), Vec::new(), DRAWN_ID.parse().unwrap());
        self.sender.perform(Outgoing { action, to, others, media, client_id }).await
    }

    async fn say(&self, text: &str) -> Result<Receipt, SendError> {
        self.perform(said(text), Some(OWNER), None).await
    }

    async fn give(&self, shape: MediaShape, file: &MediaFile) -> Result<Receipt, SendError> {
        let media = Media::Received { media: MediaHandle::new(MediaKind::File, "1", None), name: String::new() };
        let action = Action::SendMedia { to: "p1".parse().unwrap(), shape, media };
        self.perform(action, Some(OWNER), Some(file.clone())).await
    }
}

fn said(text: &str) -> Action {
    Action::SendText { to: "p1".parse().unwrap(), text: text.into(), mention: Vec::new() }
}

/// The service as it should be.
fn good(asked: &Asked) -> Reply {
    match asked.endpoint.as_str() {
        "getuploadurl" => Reply::fixture("getuploadurl-full.resp"),
        "upload" => Reply::bytes("").with("x-encrypted-param", "RXhhbXBsZURvd25sb2FkUGFyYW0-_0001"),
        "sendmessage" => Reply::fixture("sendmessage.resp"),
        other => panic!("{other}"),
    }
}

/// One word for what became of an action, and for how long it is to be left alone.
fn word(done: &Result<Receipt, SendError>) -> String {
    match done {
        Ok(receipt) if receipt.server_id.is_some() => "sent".into(),
        Ok(_) => "unconfirmed".into(),
        Err(SendError::NotTaken { after, .. }) => format!("not taken {}", after.as_secs()),
        Err(SendError::Uncertain { .. }) => "uncertain".into(),
        Err(SendError::Failed { .. }) => "failed".into(),
        Err(SendError::Closed { after, .. }) => format!("closed {}", after.as_secs()),
        Err(SendError::Ended(reason)) => format!("{reason:?}"),
        Err(SendError::Stopped { .. }) => "stopped".into(),
    }
}

// cov: sendmessage-text
#[tokio::test(start_paused = true)]
async fn a_text_goes_out_with_the_newest_token_and_its_own_id() {
    let rig = Rig::new(good);
    let receipt = rig.say("收到").await.unwrap();
    assert_eq!(receipt.server_id.as_deref(), Some("7497484083968570001"));
    let seen = rig.script.seen();
    assert_eq!(seen[0].body(), fixture("sendmessage-text.req"));
    assert_eq!(seen[0].request.url.as_str(), "https://ilinkai.weixin.qq.com/ilink/bot/sendmessage");
    let memory = rig.sender.client.memory();
    let remembered = memory.said(&peer(OWNER), "7497484083968570001").unwrap();
    assert_eq!((remembered.kind.as_str(), remembered.text.as_str()), ("text", "收到"));
}

// cov: sendmessage-image sendmessage-video sendmessage-file getuploadurl-image getuploadurl-video getuploadurl-file
// cov: headers-cdn-upload
#[tokio::test(start_paused = true)]
async fn media_go_up_sealed_and_are_named_by_what_the_cdn_answers() {
    for (shape, name) in [(MediaShape::Image, "image"), (MediaShape::Video, "video"), (MediaShape::File, "file")] {
        let rig = Rig::new(good);
        let file = rig.file("报告.txt", b"iLink sample file, 34 bytes long.\n");
        assert_eq!(word(&rig.give(shape, &file).await), "sent");
        assert_eq!(rig.script.endpoints(), ["getuploadurl", "upload", "sendmessage"]);
        let seen = rig.script.seen();
        // What is drawn anew each time: put in the place of the fixtures' own.
        let mut announced = seen[0].body();
        let (filekey, aeskey) = (announced["filekey"].take(), announced["aeskey"].take());
        let mut wanted = fixture(&format!("getuploadurl-{name}.req"));
        (wanted["filekey"], wanted["aeskey"]) = (Value::Null, Value::Null);
        assert_eq!(announced, wanted, "{name}");
        assert!(filekey.as_str().unwrap().len() == 32 && filekey != aeskey);
        // The CDN hears nothing of us.
        let headers: Vec<_> = seen[1].request.headers.iter().map(|(k, v)| (k.as_str(), v.to_str().unwrap())).collect();
        assert_eq!(headers, [("content-type", "application/octet-stream")]);
        assert_eq!(fixture("headers-cdn-upload.req")["Content-Type"], "application/octet-stream");
        let full = fixture("getuploadurl-full.resp")["upload_full_url"].as_str().unwrap().to_owned();
        assert_eq!((seen[1].request.method.as_str(), seen[1].request.url.as_str()), ("POST", full.as_str()));
        let key = super::super::crypt::MediaKey::of_hex(aeskey.as_str().unwrap()).unwrap();
        let mut opener = super::super::crypt::Opener::new(&key);
        let mut opened = opener.open(&seen[1].request.body);
        opened.extend(opener.end().unwrap());
        assert_eq!(opened, b"iLink sample file, 34 bytes long.\n");
        let mut message = seen[2].body();
        let mut wanted = fixture(&format!("sendmessage-{name}.req"));
        let media = format!("/msg/item_list/0/{name}_item/media/aes_key");
        assert_eq!(message.pointer_mut(&media).unwrap().take(), key.outbound().expose().as_str());
        wanted.pointer_mut(&media).unwrap().take();
        (message["msg"]["client_id"], wanted["msg"]["client_id"]) = (Value::Null, Value::Null);
        assert_eq!(message, wanted, "{name}");
        assert_eq!(file.progress.get(), 34);
        let memory = rig.sender.client.memory();
        assert_eq!(memory.said(&peer(OWNER), "7497484083968570001").unwrap().kind, name);
    }
}

// cov: sendmessage-voice getuploadurl-voice
#[tokio::test(start_paused = true)]
async fn speech_is_a_file_unless_somebody_dares() {
    let speech = [&b"\x02#!SILK_V3"[..], &[2, 0, 1, 1].repeat(119)].concat();
    for (daring, bytes, media_type, item) in
        [(false, &speech[..], 3, 4), (true, &speech[..], 4, 3), (true, &b"no speech"[..], 3, 4)]
    {
        let rig = Rig::with(Settings { experimental_voice: daring, ..settings() }, good);
        let file = rig.file("a.silk", bytes);
        assert_eq!(word(&rig.give(MediaShape::File, &file).await), "sent");
        let seen = rig.script.seen();
        let sent = &seen[2].body()["msg"]["item_list"][0];
        assert_eq!((&seen[0].body()["media_type"], &sent["type"]), (&json!(media_type), &json!(item)));
        if item == 3 {
            let mut wanted = fixture("sendmessage-voice.req")["msg"]["item_list"][0].take();
            wanted["voice_item"]["media"] = sent["voice_item"]["media"].clone();
            assert_eq!(*sent, wanted);
        }
    }
}

// cov: sendmessage-ret0 sendmessage-id-text sendmessage-unconfirmed sendmessage-empty-object sendmessage-refused
// cov: sendmessage-refused-bare sendmessage-rate sendmessage-stale
#[tokio::test(start_paused = true)]
async fn what_an_answer_means() {
    type Row<'a> = (&'a str, fn() -> Reply, &'a str);
    let rows: &[Row<'_>] = &[
        ("an id", || Reply::fixture("sendmessage.resp"), "sent"),
        ("an id and 0", || Reply::fixture("sendmessage-ret0.resp"), "sent"),
        ("an id as text", || Reply::fixture("sendmessage-id-text.resp"), "sent"),
        ("0 and no id", || Reply::fixture("sendmessage-unconfirmed.resp"), "unconfirmed"),
        ("an id that is none", || Reply::json(json!({"message_id": 0})), "unconfirmed"),
        ("an empty object", || Reply::fixture("sendmessage-empty-object.resp"), "unconfirmed"),
        ("nothing", || Reply::bytes(""), "unconfirmed"),
        ("refused", || Reply::fixture("sendmessage-refused.resp"), "closed 90"),
        ("refused without a word", || Reply::fixture("sendmessage-refused-bare.resp"), "closed 90"),
        ("rate", || Reply::fixture("sendmessage-rate.resp"), "closed 90"),
        ("-13", || Reply::json(json!({"ret": -13})), "closed 90"),
        ("-2 as errcode", || Reply::json(json!({"errcode": -2})), "closed 90"),
        ("stale", || Reply::fixture("sendmessage-stale.resp"), "not taken 10"),
        ("a code that nobody knows", || Reply::json(json!({"ret": -99})), "failed"),
        ("a code that cannot be read", || Reply::json(json!({"ret": "fine"})), "uncertain"),
        ("an id that cannot be read", || Reply::json(json!({"message_id": {}})), "uncertain"),
        ("cut", || Reply::bytes(r#"{"ret": 0, "mess"#), "uncertain"),
        ("a page", || Reply::bytes("<html>"), "uncertain"),
        ("502", || Reply::status(502), "uncertain"),
        ("524", || Reply::status(524), "uncertain"),
        ("413", || Reply::status(413), "not taken 5"),
        ("broken", Reply::broken, "uncertain"),
        ("silence", Reply::silence, "uncertain"),
        ("nobody there", Reply::not_sent, "not taken 1"),
    ];
    for (name, answer, want) in rows {
        let rig = Rig::new(move |_| answer());
        assert_eq!(word(&rig.say("hi").await), *want, "{name}");
        assert_eq!(rig.script.endpoints(), ["sendmessage"], "{name}: once");
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_never_wrote_is_not_written_to() {
    let rig = Rig::new(good);
    let stranger = "stranger@im.wechat";
    let done = rig.perform(said("hi"), Some(stranger), None).await;
    assert!(
        matches!(&done, Err(SendError::Closed { why, after: Duration::ZERO }) if why.contains("has to write first"))
    );
    let media = Media::Received { media: MediaHandle::new(MediaKind::File, "1", None), name: String::new() };
    let action = Action::SendMedia { to: "p1".parse().unwrap(), shape: MediaShape::Image, media };
    let done = rig.perform(action, Some(stranger), Some(rig.file("a.png", b"1"))).await;
    assert_eq!(word(&done), "closed 0");
    assert!(rig.script.seen().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_the_service_does_not_offer_fails_at_once_and_says_so() {
    let rig = Rig::new(good);
    let (to, room): (wxbot_model::ContactId, wxbot_model::ContactId) = ("p1".parse().unwrap(), "r1".parse().unwrap());
    for (action, words) in [
        (Action::SendSticker { to: to.clone(), md5: "ab".into() }, "send_sticker"),
        (Action::Recall { chat: to.clone(), msg: None }, "recall"),
        (Action::MarkRead { chat: to.clone() }, "mark_read"),
        (Action::SetTopic { room: room.clone(), topic: "x".into() }, "set_topic"),
        (Action::LeaveRoom { room }, "leave_room"),
        (Action::SendText { to: to.clone(), text: "hi".into(), mention: vec![to] }, "mention"),
    ] {
        let done = rig.perform(action, Some(OWNER), None).await;
        let Err(SendError::Failed { why }) = done else { panic!("{words}: {done:?}") };
        assert!(why.contains(words) && why.contains(BOT) && why.contains("texts, pictures"), "{why}");
    }
    let file = rig.file("a.gif", b"GIF89a");
    assert_eq!(word(&rig.give(MediaShape::Sticker, &file).await), "failed");
    assert_eq!(word(&rig.perform(said("hi"), None, None).await), "failed");
    assert!(rig.script.seen().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_is_for_the_poll_to_believe() {
    let stale = Arc::new(AtomicUsize::new(3));
    let left = Arc::clone(&stale);
    let rig = Rig::new(move |_| {
        let stale = left.load(Ordering::Relaxed) > 0;
        left.fetch_sub(usize::from(stale), Ordering::Relaxed);
        Reply::fixture(if stale { "sendmessage-stale.resp" } else { "sendmessage.resp" })
    });
    assert_eq!(word(&rig.say("1").await), "not taken 10");
    rig.sender.client.doubted().await;
    // The session goes on: tries are counted from now on, and not for ever.
    assert_eq!(word(&rig.say("1").await), "not taken 10");
    assert_eq!(word(&rig.say("1").await), "not taken 10");
    assert_eq!(word(&rig.say("1").await), "sent");
    stale.store(1, Ordering::Relaxed);
    assert_eq!(word(&rig.say("2").await), "not taken 10");
    rig.sender.client.end(EndReason::TokenRefused);
    let asked = rig.script.seen().len();
    assert_eq!(word(&rig.say("2").await), "TokenRefused");
    assert!(rig.sender.typing(&peer(OWNER), true).await.is_err());
    assert_eq!(rig.script.seen().len(), asked, "nothing more is asked");
}

#[test]
fn ids_are_never_the_same() {
    let wire = |id: &str| on_wire(&id.parse().unwrap());
    assert_eq!(wire(DRAWN_ID), "wxbot:1795200000000-0a1b2c3d");
    let ids =
        ["1795200000000999999999999", "1795200000000999999999998", "1795200000001999999999999", "7", "17", "0017"];
    let mut told: Vec<_> = ids.map(wire).into();
    assert_eq!(told[0], "wxbot:1795200000000-e8d4a50fff");
    told.sort();
    told.dedup();
    assert!(told.len() >= 4, "{told:?}");
    // What is drawn has always so many digits.
    let script = Script::new(good);
    let account = super::super::testing::account(&script);
    let drawn: std::collections::HashSet<_> = (0..1_000)
        .map(|_| crate::protocol::Protocol::draw_client_msg_id(&account))
        .map(|id| {
            assert!(id.as_str().len() == 13 + DRAWN);
            let told = on_wire(&id);
            let (_, digits) = told.split_once('-').unwrap();
            assert!(digits.len() == 8 && digits.bytes().all(|b| b.is_ascii_hexdigit()), "{told}");
            told
        })
        .collect();
    assert_eq!(drawn.len(), 1_000);
}
