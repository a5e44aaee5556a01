//! Downloads that work, and all the ways in which they do not.

use futures_util::StreamExt;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, SET_COOKIE};
use serde_json::json;
use tokio::time::Instant;

use super::super::testing::{Asked, Piece, Reply, Rig, params, rig};
use super::*;
use crate::protocol::ActionSender;
use crate::webwx::endpoint::Hosts;

fn media(kind: MediaKind) -> Fetch {
    Fetch::Media(MediaHandle::new(kind, "1234567890123456789", None))
}

fn file(stated_len: Option<u64>) -> Fetch {
    Fetch::Media(MediaHandle {
        params: params(&[
            (MediaHandle::MEDIA_ID, "@crypt_m"),
            (MediaHandle::FILE_NAME, "big.zip"),
            (MediaHandle::ENCRY_FILE_NAME, "big%2Ezip"),
            (MediaHandle::FROM_USER_NAME, "@s"),
        ]),
        ..MediaHandle::new(MediaKind::File, "1", stated_len)
    })
}

fn avatar(of: &str, room: Option<&str>) -> Fetch {
    Fetch::Avatar { of: of.parse().unwrap(), room: room.map(|room| room.parse().unwrap()) }
}

/// Everything, or why not.
async fn all(rig: &Rig, what: Fetch) -> Result<Vec<u8>, FetchError> {
    let mut body = rig.sender.fetch(what).await?.body;
    let mut bytes = Vec::new();
    while let Some(piece) = body.next().await {
        bytes.extend_from_slice(&piece?);
    }
    Ok(bytes)
}

fn word(result: &Result<Vec<u8>, FetchError>) -> &'static str {
    match result {
        Ok(_) => "bytes",
        Err(FetchError::NotNow { .. }) => "not now",
        Err(FetchError::Gone { .. }) => "gone",
        Err(FetchError::Refused { .. }) => "refused",
        Err(FetchError::Ended(_)) => "ended",
        Err(FetchError::Stopped { .. }) => "stopped",
    }
}

/// Bytes that are no text.
fn bytes(len: usize) -> Vec<u8> {
    (0x80..=0xfe).cycle().take(len).collect()
}

// cov: 56, 57, 60, 61
#[tokio::test(start_paused = true)]
async fn each_kind_has_its_endpoint() {
    for (kind, endpoint, id, kind_of, range) in [
        (MediaKind::Image, "webwxgetmsgimg", "MsgID", None, None),
        (MediaKind::Thumbnail, "webwxgetmsgimg", "MsgID", Some("slave"), None),
        (MediaKind::Sticker, "webwxgetmsgimg", "MsgID", Some("big"), None),
        (MediaKind::Voice, "webwxgetvoice", "msgid", None, None),
        (MediaKind::Video, "webwxgetvideo", "msgid", None, Some("bytes=0-")),
    ] {
        let rig = rig(|_: &Asked| Reply::bytes(bytes(300)).with(CONTENT_TYPE, "image/jpeg").with(CONTENT_LENGTH, 300));
        let fetched = rig.sender.fetch(media(kind)).await.unwrap();
        assert_eq!((fetched.stated_len, fetched.content_type.as_deref()), (Some(300), Some("image/jpeg")));
        assert_eq!(all(&rig, media(kind)).await.unwrap(), bytes(300), "{kind:?}");
        let asked = rig.seen().remove(0);
        assert_eq!((asked.endpoint.as_str(), asked.host()), (endpoint, "wx.qq.com"));
        assert_eq!(asked.query(id).as_deref(), Some("1234567890123456789"));
        assert_eq!(asked.query("skey").as_deref(), Some("@crypt_14ae1b12_1bb5"));
        assert_eq!((asked.query("type").as_deref(), asked.header("range")), (kind_of, range), "{kind:?}");
        assert!(asked.header("cookie").unwrap().contains("webwx_data_ticket"));
    }
}

#[tokio::test(start_paused = true)]
async fn what_comes_instead_of_bytes_has_a_name() {
    let refusal = |ret| Reply::json(json!({"BaseResponse": {"Ret": ret, "ErrMsg": ""}}));
    type Row = (&'static str, Box<dyn Fn() -> Reply + Send>, &'static str);
    let rows: Vec<Row> = vec![
        ("bytes", Box::new(|| Reply::bytes(bytes(9))), "bytes"),
        ("nothing", Box::new(|| Reply::bytes("")), "not now"),
        ("page", Box::new(|| Reply::bytes("<html>blocked</html>").with(CONTENT_TYPE, "text/html")), "not now"),
        (
            "page in disguise",
            Box::new(|| Reply::bytes("\n<!DOCTYPE html>").with(CONTENT_TYPE, "image/jpeg")),
            "not now",
        ),
        ("logged out", Box::new(move || refusal(1100)), "ended"),
        ("ticket", Box::new(move || refusal(-14)), "refused"),
        ("system error", Box::new(move || refusal(-1)), "not now"),
        ("redirect", Box::new(|| Reply::status(302).with(http::header::LOCATION, "https://wx.qq.com/")), "refused"),
        ("403", Box::new(|| Reply::status(403)), "refused"),
        ("404", Box::new(|| Reply::status(404)), "gone"),
        ("502", Box::new(|| Reply::status(502)), "not now"),
        ("not sent", Box::new(Reply::not_sent), "not now"),
        ("time-out", Box::new(Reply::timeout), "not now"),
        ("short", Box::new(|| Reply::bytes(bytes(99)).with(CONTENT_LENGTH, 100)), "not now"),
        ("long", Box::new(|| Reply::bytes(bytes(101)).with(CONTENT_LENGTH, 100)), "not now"),
        (
            "broken behind its end",
            Box::new(|| Reply::bytes(bytes(100)).with(CONTENT_LENGTH, 100).then(Piece::Breaks)),
            "bytes",
        ),
        ("broken", Box::new(|| Reply::bytes(bytes(99)).then(Piece::Breaks)), "not now"),
        ("stalled", Box::new(|| Reply::bytes(bytes(99)).then(Piece::Stalls)), "not now"),
        (
            "a part",
            Box::new(|| Reply::Answers { status: 206, headers: Vec::new(), pieces: vec![Piece::Bytes(bytes(9))] }),
            "not now",
        ),
    ];
    for (name, reply, want) in rows {
        let rig = rig(move |_: &Asked| reply());
        let begun = Instant::now();
        assert_eq!(word(&all(&rig, media(MediaKind::Image)).await), want, "{name}");
        assert_eq!(rig.asked().len(), 1, "{name}: nothing is asked twice, and no redirect followed");
        assert!(begun.elapsed().as_secs() <= 30, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn bytes_are_handed_on_as_they_come() {
    let rig = rig(|_: &Asked| {
        Reply::bytes(bytes(100)).then(Piece::Bytes(Vec::new())).then(Piece::Bytes(bytes(50))).then(Piece::Stalls)
    });
    let mut body = rig.sender.fetch(media(MediaKind::Image)).await.unwrap().body;
    assert_eq!(body.next().await.unwrap().unwrap().len(), 100);
    assert_eq!(body.next().await.unwrap().unwrap().len(), 50);
    assert!(body.next().await.unwrap().is_err());
    assert!(body.next().await.is_none(), "an error is the end");
}

/// What a `Range` asks for, of `bytes(1_000)`, up to `end`.
fn part(asked: &Asked, end: usize) -> Reply {
    let from: usize =
        asked.header("range").unwrap().trim_start_matches("bytes=").trim_end_matches('-').parse().unwrap();
    Reply::Answers {
        status: 206,
        headers: vec![(CONTENT_RANGE, format!("bytes {from}-999/1000")), (CONTENT_LENGTH, (1_000 - from).to_string())],
        pieces: vec![Piece::Bytes(bytes(1_000)[from..end].to_vec())],
    }
}

// cov: 61
#[tokio::test(start_paused = true)]
async fn a_broken_film_goes_on_from_its_last_byte() {
    let broken = rig(|asked| match asked.nth {
        0 => part(asked, 100).then(Piece::Breaks),
        1 => part(asked, 400).then(Piece::Stalls),
        // It ends without an error, but too early.
        2 => part(asked, 700),
        _ => part(asked, 1_000),
    });
    assert_eq!(all(&broken, media(MediaKind::Video)).await.unwrap(), bytes(1_000));
    let ranges: Vec<_> = broken.seen().iter().map(|asked| asked.header("range").unwrap().to_owned()).collect();
    assert_eq!(ranges, ["bytes=0-", "bytes=100-", "bytes=400-", "bytes=700-"]);
}

#[tokio::test(start_paused = true)]
async fn a_film_is_not_patched_together_from_parts_that_do_not_fit() {
    let other = |from: usize, of: usize| Reply::Answers {
        status: 206,
        headers: vec![(CONTENT_RANGE, format!("bytes {from}-{}/{of}", of - 1))],
        pieces: vec![Piece::Bytes(bytes(of - from))],
    };
    type Row = (&'static str, Box<dyn Fn(&Asked) -> Reply + Send>, &'static str, usize);
    let rows: Vec<Row> = vec![
        ("breaks for ever", Box::new(|asked| part(asked, 100 + asked.nth * 10).then(Piece::Breaks)), "not now", 4),
        ("another beginning", Box::new(move |_| other(90, 1_000)), "not now", 4),
        ("another length", Box::new(move |_| other(100, 1_001)), "not now", 2),
        ("from the beginning", Box::new(|_| Reply::bytes(bytes(1_000))), "not now", 4),
        ("more than asked", Box::new(|asked| part(asked, 1_000).then(Piece::Bytes(bytes(1)))), "not now", 2),
        ("gone", Box::new(|_| Reply::status(404)), "gone", 2),
        ("server error", Box::new(|_| Reply::status(500)), "not now", 4),
    ];
    for (name, then, want, asked) in rows {
        let rig = rig(move |asked| if asked.nth == 0 { part(asked, 100).then(Piece::Breaks) } else { then(asked) });
        assert_eq!(word(&all(&rig, media(MediaKind::Video)).await), want, "{name}");
        assert_eq!(rig.asked().len(), asked, "{name}");
    }
    // A film without any range is whole or nothing.
    let whole = rig(|_: &Asked| Reply::bytes(bytes(1_000)).with(CONTENT_LENGTH, 1_000));
    assert_eq!(all(&whole, media(MediaKind::Video)).await.unwrap().len(), 1_000);
}

// cov: 62
#[tokio::test(start_paused = true)]
async fn a_file_comes_from_its_host_or_from_the_second() {
    let first = rig(|_: &Asked| Reply::bytes(bytes(50)));
    assert_eq!(all(&first, file(Some(50))).await.unwrap(), bytes(50));
    let asked = first.seen().remove(0);
    assert_eq!((asked.host(), asked.endpoint.as_str()), ("file.wx.qq.com", "webwxgetmedia"));
    for (name, want) in [
        ("sender", Some("@s")),
        ("mediaid", Some("@crypt_m")),
        ("encryfilename", Some("big%2Ezip")),
        ("filename", None),
        ("fromuser", Some("566148615")),
        ("pass_ticket", Some("kUY4%2FwIB")),
        ("webwx_data_ticket", Some("gSeM+/x")),
    ] {
        assert_eq!(asked.query(name).as_deref(), want, "{name}");
    }
    assert_eq!(asked.header("referer"), Some("https://wx.qq.com/"));

    for (name, reply, hosts) in [
        ("empty", (|| Reply::bytes("")) as fn() -> Reply, 2),
        ("404", || Reply::status(404), 2),
        ("not sent", Reply::not_sent, 2),
        ("403", || Reply::status(403), 1),
        ("logged out", || Reply::ret(1100), 1),
    ] {
        let rig = rig(move |asked| if asked.host() == "file.wx.qq.com" { reply() } else { Reply::bytes(bytes(50)) });
        let got = all(&rig, file(None)).await;
        assert_eq!((rig.asked().len(), got.is_ok()), (hosts, hosts == 2), "{name}");
        assert_eq!(rig.seen().last().unwrap().host(), if hosts == 2 { "file2.wx.qq.com" } else { "file.wx.qq.com" });
    }
    let stand_in = Rig::at(Hosts::fixed(&"http://127.0.0.1:4000".parse().unwrap()), |_: &Asked| Reply::status(404));
    assert_eq!((word(&all(&stand_in, file(None)).await), stand_in.asked().len()), ("gone", 1));
}

#[tokio::test(start_paused = true)]
async fn a_file_may_be_a_page_when_it_is_as_long_as_its_sender_said() {
    let page = "<html><body>my home page</body></html>";
    let json = r#"{"BaseResponse":{"Ret":1101}}"#;
    for (name, content, label, stated, want) in [
        ("page of the gateway", page, "text/html", None, "not now"),
        ("page of the sender", page, "text/html", Some(38), "bytes"),
        ("page under another label", page, "application/octet-stream", None, "bytes"),
        ("refusal", json, "application/json", Some(5_000), "ended"),
        ("json of the sender", json, "application/json", Some(29), "bytes"),
    ] {
        let rig =
            rig(move |_: &Asked| Reply::bytes(content).with(CONTENT_TYPE, label).with(CONTENT_LENGTH, content.len()));
        assert_eq!(word(&all(&rig, file(stated)).await), want, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_asked_for_is_refused_at_once() {
    let rig = rig(|_: &Asked| Reply::bytes("x"));
    let no_id = Fetch::Media(MediaHandle::new(MediaKind::Image, "", None));
    let no_media_id = Fetch::Media(MediaHandle::new(MediaKind::File, "1", None));
    for what in [no_id, no_media_id] {
        assert_eq!(word(&all(&rig, what).await), "refused");
    }
    assert_eq!(rig.asked(), [""; 0]);
}

// cov: 58, 59
#[tokio::test(start_paused = true)]
async fn pictures_of_people_members_and_rooms() {
    let answering = |asked: &Asked| match asked.endpoint.as_str() {
        "webwxbatchgetcontact" => Reply::fixture("webwxbatchgetcontact.resp.json"),
        _ => Reply::bytes(bytes(10)),
    };
    let room = "@@9e1c0ab62b5ab222835786c00192fb1e10c75f8082c245d360ac6a6bd2efe2df";
    let rig = rig(answering);
    for what in [avatar("@a", None), avatar("@@r", None), avatar("@a", Some(room)), avatar("@b", Some(room))] {
        assert_eq!(all(&rig, what).await.unwrap().len(), 10);
    }
    let want = ["webwxgeticon", "webwxgetheadimg", "webwxbatchgetcontact", "webwxgeticon", "webwxgeticon"];
    assert_eq!(rig.asked(), want, "a room is asked about once");
    let rooms: Vec<_> = rig.at_endpoint("webwxgeticon").iter().map(|asked| asked.query("chatroomid")).collect();
    assert!(rooms[0].is_none() && rooms[1].as_deref().is_some_and(|id| id.starts_with('@')) && rooms[1] == rooms[2]);
    assert_eq!(rig.seen()[1].query("username").as_deref(), Some("@@r"));
}

#[tokio::test(start_paused = true)]
async fn a_picture_that_comes_empty_is_asked_for_again() {
    for (empty, want, asked) in [(2, "bytes", 3), (3, "gone", 3)] {
        let rig = rig(move |asked| if asked.nth < empty { Reply::bytes("") } else { Reply::bytes(bytes(10)) });
        assert_eq!((word(&all(&rig, avatar("@a", None)).await), rig.asked().len()), (want, asked));
    }
}

#[tokio::test(start_paused = true)]
async fn cookies_of_a_download_are_kept() {
    let rig =
        rig(|_: &Asked| Reply::bytes(bytes(10)).with(SET_COOKIE, "webwx_data_ticket=new; Domain=wx.qq.com; Path=/"));
    let before = rig.sender.client.http.generation();
    all(&rig, media(MediaKind::Image)).await.unwrap();
    assert!(rig.sender.client.http.generation() > before);
    all(&rig, media(MediaKind::Image)).await.unwrap();
    assert!(rig.seen()[1].header("cookie").unwrap().contains("webwx_data_ticket=new"));
}
