//! Uploads that work at the second try, and all the ways in which they do not.

use super::super::crypt::Opener;
use super::super::testing::{Asked, OWNER, Reply, Script, client, peer};
use super::*;
use crate::ilink::testdata::fixture;

fn file(folder: &tempfile::TempDir, bytes: &[u8]) -> MediaFile {
    let path = folder.path().join("bytes");
    std::fs::write(&path, bytes).unwrap();
    let len = u64::try_from(bytes.len()).unwrap();
    MediaFile { path, len, name: "a.bin".into(), progress: Progress::default() }
}

fn bytes(len: usize) -> Vec<u8> {
    (0..=250).cycle().take(len).collect()
}

fn there(asked: &Asked) -> Reply {
    match asked.endpoint.as_str() {
        "getuploadurl" => Reply::fixture("getuploadurl-full.resp"),
        _ => Reply::bytes("").with("x-encrypted-param", " DL "),
    }
}

async fn up(script: &Arc<Script>, file: &MediaFile) -> Result<Uploaded, SendError> {
    client(script).upload(&peer(OWNER), file, Kind::File).await
}

fn opened(asked: &[Asked]) -> Vec<u8> {
    let key = MediaKey::of_hex(asked[asked.len() - 2].body()["aeskey"].as_str().unwrap()).unwrap();
    let mut opener = Opener::new(&key);
    let mut plain = opener.open(&asked[asked.len() - 1].request.body);
    plain.extend(opener.end().unwrap());
    plain
}

#[tokio::test(start_paused = true)]
async fn every_length_arrives() {
    let folder = tempfile::tempdir().unwrap();
    let piece = usize::try_from(PIECE).unwrap();
    for len in [0, 1, 15, 16, 17, piece - 1, piece, piece + 1, 3 * piece + 7] {
        let (script, file) = (Script::new(there), file(&folder, &bytes(len)));
        let uploaded = up(&script, &file).await.unwrap();
        let seen = script.seen();
        assert_eq!(opened(&seen), bytes(len), "{len}");
        let announced = seen[0].body();
        assert_eq!(announced["rawsize"].as_u64(), Some(file.len));
        assert_eq!(announced["rawfilemd5"], hex::encode(&Md5::digest(bytes(len))));
        assert_eq!(announced["filesize"].as_u64().unwrap(), u64::try_from(seen[1].request.body.len()).unwrap());
        assert_eq!((uploaded.param.expose().as_str(), uploaded.sealed), ("DL", sealed_len(file.len)));
        assert_eq!(file.progress.get(), file.len);
    }
}

// cov: vectors-media getuploadurl-full getuploadurl-param getuploadurl-both
#[tokio::test(start_paused = true)]
async fn the_whole_address_is_taken_where_there_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let full = fixture("getuploadurl-full.resp")["upload_full_url"].as_str().unwrap().to_owned();
    for (name, want) in [("full", Some(&full)), ("both", Some(&full)), ("param", None)] {
        let script = Script::new(move |asked| match asked.endpoint.as_str() {
            "getuploadurl" => Reply::fixture(&format!("getuploadurl-{name}.resp")),
            _ => there(asked),
        });
        up(&script, &file(&folder, b"1")).await.unwrap();
        let seen = script.seen();
        let filekey = seen[0].body()["filekey"].as_str().unwrap().to_owned();
        let made = format!(
            "https://novac2c.cdn.weixin.qq.com/c2c/upload?encrypted_query_param=RXhh%2BbXBs%2FZQ%3D%3D&filekey={filekey}"
        );
        assert_eq!(seen[1].request.url.as_str(), want.unwrap_or(&made), "{name}");
    }
    for row in fixture("vectors-media")["urls"].as_array().unwrap() {
        let text = |name: &str| row[name].as_str().map(str::to_owned);
        let place = endpoint::Place::new(None, text("cdn").map(|cdn| cdn.parse().unwrap()).as_ref());
        let got = match (text("upload_param"), text("download_param")) {
            (Some(param), _) => place.upload(&param, &text("filekey").unwrap()),
            (None, param) => place.download(&param.unwrap()),
        };
        assert_eq!(got.as_str(), text("url").unwrap());
    }
}

#[tokio::test(start_paused = true)]
async fn bytes_go_to_hosts_of_the_service_only() {
    let folder = tempfile::tempdir().unwrap();
    for full in ["https://evil.example/c2c/upload?x=secret", "http://novac2c.cdn.weixin.qq.com/c2c", "no address"] {
        let script =
            Script::new(move |_| Reply::json(serde_json::json!({"upload_full_url": full, "upload_param": "p"})));
        let done = up(&script, &file(&folder, b"1")).await;
        assert!(matches!(&done, Err(SendError::Failed { why }) if !why.contains("secret")), "{full}: {done:?}");
        assert_eq!(script.endpoints(), ["getuploadurl"]);
    }
}

// cov: getuploadurl-nothing getuploadurl-refused headers-cdn-upload-4xx headers-cdn-upload
#[tokio::test(start_paused = true)]
async fn what_is_tried_again_and_what_is_not() {
    let folder = tempfile::tempdir().unwrap();
    type Row<'a> = (&'a str, &'a str, fn() -> Reply, &'a str, usize);
    let rejected = || {
        let said = fixture("headers-cdn-upload-4xx.resp")["x-error-message"].as_str().unwrap().to_owned();
        Reply::status(400).with("x-error-message", &said)
    };
    let rows: &[Row<'_>] = &[
        (
            "the service refuses",
            "getuploadurl",
            || Reply::fixture("getuploadurl-refused.resp"),
            "closed: prepare failed",
            1,
        ),
        ("stale", "getuploadurl", || Reply::fixture("getupdates-stale.resp"), "ended: ", 1),
        ("nobody knows this code", "getuploadurl", || Reply::json(serde_json::json!({"ret": -99})), "failed: -99", 1),
        ("the service is down", "getuploadurl", || Reply::status(502), "not taken: 502", 1),
        ("no answer", "getuploadurl", Reply::broken, "not taken: reset", 1),
        ("no address", "getuploadurl", || Reply::fixture("getuploadurl-nothing.resp"), "not taken: no address", 3),
        ("the CDN refuses", "upload", rejected, "failed: bad encrypted_query_param", 2),
        ("the CDN is down", "upload", || Reply::status(500), "not taken: tried 3 times", 6),
        ("the CDN sends elsewhere", "upload", || Reply::status(302), "not taken: 302", 6),
        ("the CDN says nothing", "upload", || Reply::bytes(""), "not taken: does not say where", 6),
        ("the CDN breaks", "upload", Reply::broken, "not taken: reset", 6),
    ];
    for (name, endpoint, answer, want, asked) in rows {
        let script = Script::new({
            let (endpoint, answer) = ((*endpoint).to_owned(), *answer);
            move |asked: &Asked| if asked.endpoint == endpoint { answer() } else { there(asked) }
        });
        let done = up(&script, &file(&folder, b"1")).await;
        let (word, why) = match done {
            Ok(_) => panic!("{name}"),
            Err(SendError::Closed { why, .. }) => ("closed", why),
            Err(SendError::Ended(reason)) => ("ended", reason.to_string()),
            Err(SendError::Failed { why }) => ("failed", why),
            Err(SendError::NotTaken { why, .. }) => ("not taken", why),
            Err(error) => panic!("{name}: {error}"),
        };
        let (wanted, said) = want.split_once(": ").unwrap();
        assert!(word == wanted && why.contains(said), "{name}: {word}: {why}");
        assert_eq!(script.seen().len(), *asked, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn another_address_is_asked_for_each_time() {
    let folder = tempfile::tempdir().unwrap();
    let script = Script::new(|asked: &Asked| match (asked.endpoint.as_str(), asked.nth) {
        ("upload", 0) => Reply::status(500),
        ("upload", 1) => Reply::not_sent(),
        _ => there(asked),
    });
    let file = file(&folder, b"12345");
    up(&script, &file).await.unwrap();
    let seen = script.seen();
    assert_eq!(seen.len(), 6);
    let mut keys: Vec<_> = [0, 2, 4].map(|nth: usize| seen[nth].body()["filekey"].to_string()).into();
    keys.dedup();
    assert_eq!(keys.len(), 3, "{keys:?}");
    assert_eq!(opened(&seen), b"12345");
}

#[tokio::test(start_paused = true)]
async fn a_file_that_changes_is_not_sent() {
    let folder = tempfile::tempdir().unwrap();
    let long = file(&folder, b"12345");
    for (name, len, asked) in [("shorter", 6, 0), ("longer", 4, 0)] {
        let script = Script::new(there);
        let done = up(&script, &MediaFile { len, ..long.clone() }).await;
        assert!(matches!(&done, Err(SendError::Failed { why }) if why.contains("not as long")), "{name}: {done:?}");
        assert_eq!(script.seen().len(), asked);
    }
    let script = Script::new(there);
    let gone = MediaFile { path: folder.path().join("gone"), ..long.clone() };
    assert!(matches!(up(&script, &gone).await, Err(SendError::Failed { why }) if why.contains("not there")));
    // Cut between the announcement and the bytes.
    let path = long.path.clone();
    let script = Script::new(move |asked: &Asked| {
        std::fs::write(&path, b"1").unwrap();
        there(asked)
    });
    let done = up(&script, &long).await;
    assert!(matches!(&done, Err(SendError::Failed { why }) if why.contains("not as long")), "{done:?}");
    assert_eq!(script.endpoints(), ["getuploadurl"]);
    // Nobody reads what is too long.
    let huge = MediaFile { len: MOST + 1, ..gone };
    assert!(matches!(up(&script, &huge).await, Err(SendError::Failed { why }) if why.contains("100 MiB")));
}
