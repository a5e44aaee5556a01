//! Uploads that work, and all the ways in which they do not.

use serde_json::json;
use wxbot_model::{Action, Media, MediaHandle, MediaShape};

use super::super::testing::{Asked, Reply, Rig, rig, word};
use super::*;
use crate::protocol::Receipt;
use crate::webwx::endpoint::Hosts;

const PEER: &str = "@e5403f77c2193da671790c1a242d0b43ac6f570e5047993ef745d13d6376b57b";

async fn send(rig: &Rig, to: &str, shape: MediaShape, file: &MediaFile) -> Result<Receipt, SendError> {
    // Where the bytes come from is the runtime's business: it hands us the file.
    let media = Media::Received { media: MediaHandle::new(Default::default(), "1", None), name: String::new() };
    let action = Action::SendMedia { to: "p1".parse().unwrap(), shape, media };
    rig.perform(action, Some(to), &[], Some(file.clone())).await
}

/// The service as it should be: takes chunks, gives a MediaId with the last, and a message id.
fn good(asked: &Asked) -> Reply {
    match asked.endpoint.as_str() {
        "webwxuploadmedia" => taken(asked, "@crypt_m"),
        _ => Reply::sent(),
    }
}

fn taken(asked: &Asked, media_id: &str) -> Reply {
    let number = |name| asked.text(name).map(|text| text.parse::<u64>().unwrap());
    let (chunk, chunks) = (number("chunk").unwrap_or(0), number("chunks").unwrap_or(1));
    let there = chunk * CHUNK + asked.part("filename").unwrap().len() as u64;
    let media_id = if chunk + 1 == chunks { media_id } else { "" };
    Reply::json(json!({"BaseResponse": {"Ret": 0}, "MediaId": media_id, "StartPos": there}))
}

fn bytes(len: usize) -> Vec<u8> {
    (0..=250).cycle().take(len).collect()
}

// cov: 54
#[test]
fn media_types_and_what_is_too_long() {
    for (kind, media_type, most) in [
        (Kind::Image, "pic", 20 * MIB),
        (Kind::Video, "video", 20 * MIB - 1),
        (Kind::File, "doc", 100 * MIB),
        (Kind::Sticker, "doc", 20 * MIB),
    ] {
        assert_eq!(kind.media_type(), media_type);
        assert_eq!((kind.refuses(1), kind.refuses(most)), (None, None), "{kind:?}");
        assert!(kind.refuses(0).is_some() && kind.refuses(most + 1).is_some(), "{kind:?}");
    }
}

#[tokio::test]
async fn no_more_than_two_files_are_read_at_once() {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    static NOW: AtomicUsize = AtomicUsize::new(0);
    let work = || {
        let mut most = NOW.fetch_add(1, SeqCst) + 1;
        // Long enough for a third one to come in, if it may.
        for _ in 0..20_000 {
            most = most.max(NOW.load(SeqCst));
            std::thread::yield_now();
        }
        NOW.fetch_sub(1, SeqCst);
        Ok(most)
    };
    for most in futures_util::future::join_all((0..8).map(|_| blocking(work))).await {
        assert!(most.unwrap() <= 2);
    }
}

// cov: 51, 52, 54
#[tokio::test(start_paused = true)]
async fn a_picture_goes_up_in_one_piece_and_is_sent() {
    let rig = rig(good);
    let file = rig.file("照片.png", b"\x89PNG\r\n--x\r\n");
    assert_eq!(word(&send(&rig, PEER, MediaShape::Image, &file).await), "sent");
    assert_eq!(rig.asked(), ["webwxuploadmedia", "webwxsendmsgimg"]);
    let seen = rig.seen();
    let up = &seen[0];
    assert_eq!(up.host(), "file.wx.qq.com");
    for (name, want) in [
        ("id", Some("WU_FILE_0")),
        ("name", Some("照片.png")),
        ("type", Some("image/png")),
        ("size", Some("11")),
        ("chunks", None),
        ("chunk", None),
        ("mediatype", Some("pic")),
        ("webwx_data_ticket", Some("gSeM+/x")),
        ("pass_ticket", Some("kUY4/wIB")),
    ] {
        assert_eq!(up.text(name).as_deref(), want, "{name}");
    }
    assert!(up.text("lastModifiedDate").unwrap().ends_with("GMT+0800 (中国标准时间)"));
    assert_eq!(up.part("filename").unwrap(), b"\x89PNG\r\n--x\r\n");
    let request = up.upload_request();
    let md5 = hash(&file.path, 11).unwrap().0;
    for (name, want) in [
        ("UploadType", json!(2)),
        ("TotalLen", json!(11)),
        ("StartPos", json!(0)),
        ("DataLen", json!(11)),
        ("MediaType", json!(4)),
        ("FromUserName", json!(super::super::testing::ME)),
        ("ToUserName", json!(PEER)),
        ("FileMd5", json!(md5)),
    ] {
        assert_eq!(request[name], want, "{name}");
    }
    assert_eq!(request.as_object().unwrap().len(), 10, "nothing of large files");
    assert_eq!(seen[1].json()["Msg"]["MediaId"], "@crypt_m");
    assert_eq!(file.progress.get(), 11);
}

#[tokio::test(start_paused = true)]
async fn each_shape_has_its_endpoint() {
    for (shape, media_type, endpoint, kind) in [
        (MediaShape::Image, "pic", "webwxsendmsgimg", 3),
        (MediaShape::Video, "video", "webwxsendvideomsg", 43),
        (MediaShape::Sticker, "doc", "webwxsendemoticon", 47),
        (MediaShape::File, "doc", "webwxsendappmsg", 6),
    ] {
        let rig = rig(good);
        let file = rig.file("a<b.mp4", b"1234");
        assert_eq!(word(&send(&rig, PEER, shape, &file).await), "sent");
        let seen = rig.seen();
        assert_eq!(seen[0].text("mediatype").as_deref(), Some(media_type));
        let msg = &seen[1].json()["Msg"];
        assert_eq!((seen[1].endpoint.as_str(), &msg["Type"]), (endpoint, &json!(kind)));
        if shape == MediaShape::File {
            let xml = msg["Content"].as_str().unwrap();
            assert!(xml.contains("<title>a&lt;b.mp4</title>") && xml.contains("<totallen>4</totallen>"), "{xml}");
            assert!(xml.contains("<attachid>@crypt_m</attachid><fileext>mp4</fileext>"), "{xml}");
            assert_eq!((msg.get("MediaId"), msg.get("Signature")), (None, None));
        } else {
            assert_eq!(msg["MediaId"], "@crypt_m", "{shape:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_longer_file_goes_up_in_chunks_of_one_upload() {
    let (told, progress) =
        (std::sync::Arc::new(std::sync::Mutex::new(Vec::new())), crate::protocol::Progress::default());
    let (telling, shown) = (std::sync::Arc::clone(&told), progress.clone());
    let rig = rig(move |asked| {
        telling.lock().unwrap().push(shown.get());
        good(asked)
    });
    let content = bytes(1_048_577);
    let file = MediaFile { progress, ..rig.file("a.bin", &content) };
    assert_eq!(word(&send(&rig, PEER, MediaShape::File, &file).await), "sent");
    let chunks = rig.at_endpoint("webwxuploadmedia");
    let numbers: Vec<_> = chunks.iter().map(|up| (up.text("chunks").unwrap(), up.text("chunk").unwrap())).collect();
    assert_eq!(numbers, ["0", "1", "2"].map(|chunk| ("3".to_owned(), chunk.to_owned())));
    let sizes: Vec<_> = chunks.iter().map(|up| up.part("filename").unwrap().len()).collect();
    assert_eq!(sizes, [524_288, 524_288, 1]);
    assert_eq!(chunks.iter().flat_map(|up| up.part("filename").unwrap()).collect::<Vec<_>>(), content);
    let requests: Vec<_> = chunks.iter().map(Asked::upload_request).collect();
    assert!(requests.iter().all(|request| *request == requests[0]), "one ClientMediaId, one md5");
    assert_eq!(requests[0]["TotalLen"], 1_048_577);
    assert_eq!(*told.lock().unwrap(), [0, 524_288, 1_048_576, 1_048_577], "progress before each request");
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_fails_was_seen_by_nobody() {
    let answer =
        |media_id: &str, there: i64| json!({"BaseResponse": {"Ret": 0}, "MediaId": media_id, "StartPos": there});
    type Row = (&'static str, usize, Box<dyn Fn() -> Reply + Send>, &'static str, usize);
    let rows: Vec<Row> = vec![
        ("no MediaId at the end", 1, Box::new(move || Reply::json(answer("", 524_289))), "not taken", 2),
        ("wrong StartPos", 0, Box::new(move || Reply::json(answer("", 524_287))), "not taken", 1),
        ("StartPos stays 0", 0, Box::new(move || Reply::json(answer("", 0))), "not taken", 1),
        ("time-out half way", 1, Box::new(Reply::timeout), "not taken", 2),
        ("html", 0, Box::new(|| Reply::bytes("<html>")), "not taken", 1),
        ("502", 1, Box::new(|| Reply::status(502)), "not taken", 2),
        ("413", 0, Box::new(|| Reply::status(413)), "not taken", 1),
        ("too often", 1, Box::new(|| Reply::ret(1205)), "stopped", 2),
        ("risk control", 0, Box::new(|| Reply::ret(1203)), "stopped", 1),
        ("session over", 1, Box::new(|| Reply::ret(1101)), "ended", 2),
    ];
    for (name, at, bad, want, asked) in rows {
        let fails = move |asked: &Asked| asked.endpoint == "webwxuploadmedia" && asked.nth == at;
        let rig = rig(move |asked| if fails(asked) { bad() } else { good(asked) });
        let file = rig.file("a.bin", &bytes(524_289));
        assert_eq!(word(&send(&rig, PEER, MediaShape::File, &file).await), want, "{name}");
        assert_eq!(rig.asked(), vec!["webwxuploadmedia"; asked], "{name}");
        if want == "stopped" {
            assert_eq!(word(&send(&rig, PEER, MediaShape::File, &file).await), "stopped", "{name}");
            assert_eq!(rig.asked().len(), asked, "{name}: risk control is not asked again");
            continue;
        }
        // The next try begins anew, under another id.
        assert_eq!(word(&send(&rig, PEER, MediaShape::File, &file).await), "sent", "{name}");
        let ups = rig.at_endpoint("webwxuploadmedia");
        assert_eq!(ups[asked].text("chunk").as_deref(), Some("0"), "{name}");
        assert_ne!(ups[asked].upload_request()["ClientMediaId"], ups[0].upload_request()["ClientMediaId"], "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_surely_did_not_leave_is_sent_again_a_few_times() {
    for (fails, want, asked) in [(2, "sent", 4), (3, "not taken", 4)] {
        let rig = rig(move |asked| if (1..=fails).contains(&asked.nth) { Reply::not_sent() } else { good(asked) });
        let file = rig.file("a.bin", &bytes(524_289));
        assert_eq!(word(&send(&rig, PEER, MediaShape::File, &file).await), want);
        let ups = rig.at_endpoint("webwxuploadmedia");
        let chunks: Vec<_> = ups.iter().map(|up| up.text("chunk").unwrap()).collect();
        assert_eq!(chunks.len(), asked);
        assert!(chunks[1..].iter().all(|chunk| chunk == "1"), "{chunks:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_leads_once_to_the_second_file_host() {
    // At the second chunk of the first host.
    let refusing =
        |asked: &Asked| if asked.host() == "file.wx.qq.com" && asked.nth == 1 { Reply::ret(1) } else { good(asked) };
    let one = rig(refusing);
    let file = one.file("a.bin", &bytes(524_289));
    assert_eq!(word(&send(&one, PEER, MediaShape::File, &file).await), "sent");
    let ups = one.at_endpoint("webwxuploadmedia");
    let places: Vec<_> = ups.iter().map(|up| (up.host(), up.text("chunk").unwrap())).collect();
    let want = [("file", "0"), ("file", "1"), ("file2", "0"), ("file2", "1")];
    assert_eq!(
        places,
        want.map(|(host, chunk)| (if host == "file" { "file.wx.qq.com" } else { "file2.wx.qq.com" }, chunk.to_owned()))
    );
    assert_ne!(ups[0].upload_request()["ClientMediaId"], ups[2].upload_request()["ClientMediaId"]);
    assert_eq!(ups[2].text("webwx_data_ticket").as_deref(), Some("gSeM+/x"));

    let both = rig(|_: &Asked| Reply::ret(1));
    let file = both.file("a.bin", b"1");
    assert_eq!(word(&send(&both, PEER, MediaShape::File, &file).await), "not taken");
    assert_eq!(both.asked().len(), 2);

    let stand_in = Hosts::fixed(&"http://127.0.0.1:4000".parse().unwrap());
    let fixed = Rig::at(stand_in, |_: &Asked| Reply::ret(1));
    let file = fixed.file("a.bin", b"1");
    assert_eq!(word(&send(&fixed, PEER, MediaShape::File, &file).await), "not taken");
    assert_eq!(fixed.asked().len(), 1, "a stand-in has one address");
}

#[tokio::test(start_paused = true)]
async fn a_large_file_is_announced_and_signed() {
    let rig = rig(|asked| match asked.endpoint.as_str() {
        "webwxcheckupload" => Reply::fixture("x-webwxcheckupload.resp.json"),
        _ => good(asked),
    });
    let file = rig.hollow("big.zip", LARGE + 1);
    assert_eq!(word(&send(&rig, PEER, MediaShape::File, &file).await), "sent");
    let asked = rig.asked();
    assert_eq!((asked.len(), asked[0].as_str(), asked[52].as_str()), (53, "webwxcheckupload", "webwxsendappmsg"));
    let check = rig.seen()[0].json();
    for (name, want) in [
        ("FileName", json!("big.zip")),
        ("FileSize", json!(LARGE + 1)),
        ("FileType", json!(7)),
        ("ToUserName", json!(PEER)),
    ] {
        assert_eq!(check[name], want, "{name}");
    }
    let last = rig.seen()[51].upload_request();
    assert_eq!(last["FileMd5"], check["FileMd5"]);
    assert_eq!(
        (&last["AESKey"], &last["Signature"]),
        (&json!("4d41c1a5a1e24d4a9b3a0f9b6e2c7f11"), &json!("v1_signature"))
    );
    assert_eq!(rig.seen()[52].json()["Msg"]["Signature"], "v1_signature");
    // To the next chat without an upload, but signed all the same.
    assert_eq!(word(&send(&rig, "@other", MediaShape::File, &file).await), "sent");
    assert_eq!(rig.seen()[53].json()["Msg"]["Signature"], "v1_signature");
}

#[tokio::test(start_paused = true)]
async fn a_large_file_that_is_there_already_is_not_uploaded() {
    let rig = rig(|asked| match asked.endpoint.as_str() {
        "webwxcheckupload" => Reply::fixture("x-webwxcheckupload-exists.resp.json"),
        _ => Reply::sent(),
    });
    let file = rig.hollow("big.zip", LARGE + 1);
    assert_eq!(word(&send(&rig, PEER, MediaShape::File, &file).await), "sent");
    assert_eq!(rig.asked(), ["webwxcheckupload", "webwxsendappmsg"]);
    let msg = &rig.seen()[1].json()["Msg"];
    assert!(msg["Content"].as_str().unwrap().contains("<attachid>@crypt_existing</attachid>"));
    assert_eq!((&msg["Signature"], file.progress.get()), (&json!("v1_signature"), LARGE + 1));
    // The limit is strict.
    let edge = rig_refusing();
    let file = edge.hollow("edge.zip", LARGE);
    send(&edge, PEER, MediaShape::File, &file).await.unwrap_err();
    assert_eq!(edge.asked()[0], "webwxuploadmedia");
}

fn rig_refusing() -> Rig {
    rig(|_: &Asked| Reply::ret(1203))
}

#[tokio::test(start_paused = true)]
async fn what_the_service_would_not_take_is_not_even_tried() {
    let rig = rig(good);
    for (name, shape, len) in [
        ("empty", MediaShape::File, 0),
        ("picture", MediaShape::Image, 20 * MIB + 1),
        ("film", MediaShape::Video, 20 * MIB),
        ("file", MediaShape::File, 100 * MIB + 1),
    ] {
        let file = rig.hollow("a", len);
        assert_eq!(word(&send(&rig, PEER, shape, &file).await), "failed", "{name}");
    }
    let gone = MediaFile { path: "/nowhere/at/all".into(), ..rig.file("a", b"123") };
    assert_eq!(word(&send(&rig, PEER, MediaShape::File, &gone).await), "failed");
    let shorter = MediaFile { len: 4, ..rig.file("a", b"123") };
    assert_eq!(word(&send(&rig, PEER, MediaShape::File, &shorter).await), "failed");
    assert_eq!(rig.asked(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn one_file_for_many_chats_goes_up_once() {
    let rig = rig(good);
    let file = rig.file("a.png", &bytes(100));
    let chats: Vec<String> = (0..10).map(|n| format!("@chat{n}")).collect();
    let sends = chats.iter().map(|chat| send(&rig, chat, MediaShape::Image, &file));
    let results = futures_util::future::join_all(sends).await;
    assert!(results.iter().all(|result| word(result) == "sent"));
    assert_eq!(rig.at_endpoint("webwxuploadmedia").len(), 1);
    assert_eq!(rig.at_endpoint("webwxsendmsgimg").len(), 10);
    // As something else it is another upload.
    assert_eq!(word(&send(&rig, PEER, MediaShape::File, &file).await), "sent");
    assert_eq!(rig.at_endpoint("webwxuploadmedia").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_is_refused_later_is_done_again_once() {
    // The third send is refused: the MediaId of the first upload is no longer good.
    let one = rig(|asked| match asked.endpoint.as_str() {
        "webwxuploadmedia" => taken(asked, &format!("@m{}", asked.nth)),
        _ if asked.json()["Msg"]["MediaId"] == "@m0" && asked.nth >= 2 => Reply::ret(-2),
        _ => Reply::sent(),
    });
    let file = one.file("a.png", b"123");
    for _ in 0..4 {
        assert_eq!(word(&send(&one, PEER, MediaShape::Image, &file).await), "sent");
    }
    let used: Vec<_> =
        one.at_endpoint("webwxsendmsgimg").iter().map(|sent| sent.json()["Msg"]["MediaId"].clone()).collect();
    assert_eq!(used, ["@m0", "@m0", "@m0", "@m1", "@m1"]);

    // A fresh one that is refused is a no, and is forgotten.
    let never = rig(|asked| if asked.endpoint == "webwxuploadmedia" { taken(asked, "@m") } else { Reply::ret(-2) });
    let file = never.file("a.png", b"123");
    for _ in 0..2 {
        assert_eq!(word(&send(&never, PEER, MediaShape::Image, &file).await), "failed");
    }
    assert_eq!(never.asked(), ["webwxuploadmedia", "webwxsendmsgimg", "webwxuploadmedia", "webwxsendmsgimg"]);

    // Somebody who is no friend says nothing about the bytes.
    let stranger =
        rig(|asked| if asked.endpoint == "webwxuploadmedia" { taken(asked, "@m") } else { Reply::ret(1204) });
    let file = stranger.file("a.png", b"123");
    for _ in 0..2 {
        assert_eq!(word(&send(&stranger, PEER, MediaShape::Image, &file).await), "failed");
    }
    assert_eq!(stranger.at_endpoint("webwxuploadmedia").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_last_request_is_the_one_that_may_have_been_taken() {
    type Row = (&'static str, fn() -> Reply, &'static str);
    let rows: [Row; 5] = [
        ("time-out", Reply::timeout, "uncertain"),
        ("502", || Reply::status(502), "uncertain"),
        ("not sent", Reply::not_sent, "not taken"),
        ("too often", || Reply::ret(1205), "stopped"),
        ("no id", || Reply::ret(0), "done"),
    ];
    for (name, bad, want) in rows {
        let rig = rig(move |asked| if asked.endpoint == "webwxuploadmedia" { good(asked) } else { bad() });
        let file = rig.file("a.png", b"123");
        assert_eq!(word(&send(&rig, PEER, MediaShape::Image, &file).await), want, "{name}");
        assert_eq!(rig.asked(), ["webwxuploadmedia", "webwxsendmsgimg"], "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn without_its_ticket_no_file_host_is_asked() {
    let rig = rig(good);
    rig.sender.client.http.load("[]").unwrap();
    let file = rig.file("a.png", b"123");
    let error = send(&rig, PEER, MediaShape::Image, &file).await.unwrap_err();
    assert!(matches!(&error, SendError::Failed { why } if why.contains("webwx_data_ticket")), "{error}");
    assert_eq!(rig.asked(), [""; 0]);
}
