//! Bytes that come whole, cut, sealed with another key, or not at all.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::super::convert::{self, Scene};
use super::super::saved::Memory;
use super::super::testing::{BOT, Reply, Script, client, peer};
use super::*;
use crate::ilink::testdata::fixture;
use wxbot_model::EventKind;

const PLAIN: &[u8] = b"iLink sample file, 34 bytes long.\n";
const FULL: &str = "https://novac2c.cdn.weixin.qq.com/c2c/download?encrypted_query_param=RXhhbXBsZURvd25sb2FkUGFyYW0-_0001&taskid=0011223344556677";
const MADE: &str =
    "https://novac2c.cdn.weixin.qq.com/c2c/download?encrypted_query_param=RXhhbXBsZURvd25sb2FkUGFyYW0-_0001";

/// The bytes that all fixtures refer to.
fn cipher() -> Vec<u8> {
    let vectors = fixture("vectors-media");
    let last = vectors["cases"].as_array().unwrap().last().unwrap()["cipher_b64"].as_str().unwrap().to_owned();
    STANDARD.decode(last).unwrap()
}

/// The media of a message that came.
fn received(name: &str) -> MediaHandle {
    let answer = fixture(name);
    let raw = serde_json::value::to_raw_value(&answer["msgs"][0]).unwrap();
    let me = peer(BOT);
    let told = convert::message(&raw, Scene { me: &me, now_ms: 0, position: 0 }, &mut Memory::default());
    let EventKind::Message(message) = &told[0].kind else { panic!("{told:?}") };
    message.content.media().unwrap().clone()
}

fn changed(change: impl FnOnce(&mut MediaHandle)) -> MediaHandle {
    let mut media = received("getupdates-file.resp");
    change(&mut media);
    media
}

async fn all(script: &Arc<Script>, media: MediaHandle) -> Result<Vec<u8>, FetchError> {
    let mut fetched = client(script).fetch(Fetch::Media(media)).await?;
    let mut bytes = Vec::new();
    while let Some(piece) = fetched.body.next().await {
        bytes.extend_from_slice(&piece?);
    }
    assert!(fetched.stated_len.is_none_or(|len| len == u64::try_from(bytes.len()).unwrap()));
    Ok(bytes)
}

fn word(error: &FetchError) -> &'static str {
    match error {
        FetchError::NotNow { .. } => "not now",
        FetchError::Gone { .. } => "gone",
        FetchError::Refused { .. } => "refused",
        FetchError::Ended(_) => "ended",
        FetchError::Stopped { .. } => "stopped",
    }
}

// cov: getupdates-image getupdates-image-no-full-url getupdates-image-plain getupdates-file getupdates-file-bad-name
// cov: getupdates-video getupdates-voice-transcript getupdates-voice-no-transcript vectors-media
#[tokio::test(start_paused = true)]
async fn what_came_in_messages_is_fetched_and_opened() {
    for (name, url, sealed) in [
        ("image", FULL, true),
        ("image-no-full-url", MADE, true),
        ("image-plain", FULL, false),
        ("file", FULL, true),
        ("file-bad-name", FULL, true),
        ("video", FULL, true),
        ("voice-transcript", FULL, true),
        ("voice-no-transcript", FULL, true),
    ] {
        let script = Script::new(move |_| {
            let bytes = if sealed { cipher() } else { PLAIN.to_vec() };
            Reply::bytes(bytes.clone()).with("content-length", &bytes.len().to_string())
        });
        let media = received(&format!("getupdates-{name}.resp"));
        assert_eq!(all(&script, media).await.unwrap(), PLAIN, "{name}");
        let seen = script.seen();
        assert_eq!((seen[0].request.method.as_str(), seen[0].request.url.as_str()), ("GET", url), "{name}");
        assert!(seen[0].request.headers.is_empty(), "nothing of ours goes to the CDN");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_even_asked_for() {
    let hex = |key: &str| changed(|media| _ = media.params.insert(param::AESKEY_HEX.into(), key.into()));
    let base64 = |key: &str| changed(|media| _ = media.params.insert(MediaHandle::AES_KEY.into(), key.into()));
    let at = |url: &str| changed(|media| _ = media.params.insert(param::FULL_URL.into(), url.into()));
    let vectors = fixture("vectors-media");
    let bad = vectors["bad_aes_keys"].as_array().unwrap().iter().map(Value::as_str).map(Option::unwrap);
    let mut rows: Vec<_> = bad.map(|key| ("a bad key", base64(key), "key")).collect();
    rows.extend([
        ("no key", changed(|media| _ = media.params.remove(MediaHandle::AES_KEY)), "no key"),
        ("bad digits", hex("zz"), "32 hexadecimal digits"),
        ("another host", at("https://evil.example/download?a=secret"), "none of the service's"),
        ("another scheme", at("file:///etc/passwd"), "none of the service's"),
        ("no address", at("secret"), "none of the service's"),
        (
            "nothing",
            changed(|media| media.params.retain(|name, _| name == MediaHandle::AES_KEY)),
            "where the bytes are",
        ),
    ]);
    for (name, media, said) in rows {
        let script = Script::new(|_| panic!("asked"));
        let error = all(&script, media).await.unwrap_err();
        let text = error.to_string();
        assert!(word(&error) == "refused" && text.contains(said) && !text.contains("secret"), "{name}: {text}");
    }
    let script = Script::new(|_| panic!("asked"));
    let avatar = Fetch::Avatar { of: peer("a@im.wechat"), room: None };
    assert_eq!(word(&client(&script).fetch(avatar).await.unwrap_err()), "refused");
}

#[tokio::test(start_paused = true)]
async fn the_key_in_hexadecimal_digits_wins() {
    let script = Script::new(|_| Reply::bytes(cipher()));
    let media = changed(|media| {
        _ = media.params.insert(param::AESKEY_HEX.into(), "000102030405060708090a0b0c0d0e0f".into());
        _ = media.params.insert(MediaHandle::AES_KEY.into(), STANDARD.encode([7; 16]));
    });
    assert_eq!(all(&script, media).await.unwrap(), PLAIN);
}

#[tokio::test(start_paused = true)]
async fn what_answers_mean() {
    let other = || changed(|media| _ = media.params.insert(MediaHandle::AES_KEY.into(), STANDARD.encode([7; 16])));
    let file = || received("getupdates-file.resp");
    let plain = || received("getupdates-image-plain.resp");
    let sized = |bytes: Vec<u8>, len: usize| Reply::bytes(bytes).with("content-length", &len.to_string());
    type Row = (&'static str, MediaHandle, Box<dyn Fn() -> Reply + Send>, &'static str, &'static str);
    let rows: Vec<Row> = vec![
        ("another key", other(), Box::new(move || sized(cipher(), 48)), "refused", "padding"),
        ("another key, no length", other(), Box::new(|| Reply::bytes(cipher())), "not now", "padding"),
        ("cut", file(), Box::new(move || sized(cipher()[..32].to_vec(), 48)), "not now", "only 32 of 48"),
        ("cut, no length", file(), Box::new(|| Reply::bytes(cipher()[..32].to_vec())), "not now", "padding"),
        ("cut in a block", file(), Box::new(|| Reply::bytes(cipher()[..40].to_vec())), "not now", "missing"),
        ("a plain one cut", plain(), Box::new(move || sized(PLAIN[..9].to_vec(), 34)), "not now", "only 9 of 34"),
        ("more than stated", plain(), Box::new(move || sized(PLAIN.to_vec(), 33)), "not now", "more came"),
        ("nothing", file(), Box::new(|| Reply::bytes("")), "not now", "nothing"),
        ("nothing plain", plain(), Box::new(|| Reply::bytes("")), "not now", "nothing"),
        ("too long", file(), Box::new(move || sized(cipher(), 104_857_600 + 17)), "refused", "100 MiB"),
        (
            "a page",
            file(),
            Box::new(|| Reply::bytes("<html>").with("content-type", "text/html; charset=utf-8")),
            "not now",
            "page",
        ),
        (
            "404",
            file(),
            Box::new(|| Reply::status(404).with("x-error-message", "link expired")),
            "gone",
            "link expired",
        ),
        ("403", file(), Box::new(|| Reply::status(403)), "gone", "403"),
        ("429", file(), Box::new(|| Reply::status(429)), "not now", "429"),
        ("302", file(), Box::new(|| Reply::status(302)), "refused", "redirect"),
        ("500", file(), Box::new(|| Reply::status(500)), "not now", "500"),
        ("broken", file(), Box::new(Reply::broken), "not now", "reset"),
        ("silence", file(), Box::new(Reply::silence), "not now", "did not answer"),
    ];
    for (name, media, answer, want, said) in rows {
        let script = Script::new(move |_| answer());
        let error = all(&script, media).await.unwrap_err();
        assert!(word(&error) == want && error.to_string().contains(said), "{name}: {error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_breaks_stalls_or_never_ends() {
    let key = MediaKey::of_hex("000102030405060708090a0b0c0d0e0f").unwrap();
    let coming = |pieces: BoxStream<'static, Result<Bytes, TransportError>>, len| Coming {
        pieces,
        opener: Some(Opener::new(&key)),
        got: 0,
        len,
        most: 1_000,
        done: false,
    };
    let first = || Ok(Bytes::from(cipher()[..40].to_vec()));
    let broken = || Err(TransportError::Broken { host: "h".into(), reason: "reset".into() });
    for (name, mut body, want) in [
        ("breaks", coming(stream::iter([first(), broken()]).boxed(), Some(48)), "reset"),
        ("stalls", coming(stream::iter([first()]).chain(stream::pending()).boxed(), Some(48)), "nothing came for 30 s"),
        ("never ends", coming(stream::repeat_with(first).boxed(), None), "longer than"),
    ] {
        let error = loop {
            match body.next().await.unwrap() {
                Ok(piece) => assert!(!piece.is_empty() && piece.len() <= 48),
                Err(error) => break error,
            }
        };
        assert!(error.to_string().contains(want), "{name}: {error}");
        assert!(body.next().await.is_none(), "{name}: an error is the end");
    }
    // By any pieces, the empty ones among them.
    let pieces = cipher().chunks(5).flat_map(|piece| [Bytes::new(), piece.to_vec().into()]).map(Ok).collect::<Vec<_>>();
    let mut body = coming(stream::iter(pieces).boxed(), Some(48));
    let mut plain = Vec::new();
    while let Some(piece) = body.next().await {
        plain.extend_from_slice(&piece.unwrap());
    }
    assert_eq!(plain, PLAIN);
}
