//! Files, both ways.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use serde_json::{Value, json};
use url::Url;
use wxbot_sim::{Fault, FaultKind, IlinkFile, IlinkKey, IlinkMessage, IlinkOutcome, IlinkSay, IlinkSetup, UploadUrls};

use crate::client::{Client, greeted, hard, sim, sim_with};

/// "0123456789abcdef" (16 bytes) under the key 00…0f, by `openssl enc -aes-128-ecb`.
const CIPHER: &str = "KBVnqy9M8Nc9MZgiW4uDk5VPZPLk6G6e7oLSAhZoSJk=";
const KEY: &str = "000102030405060708090a0b0c0d0e0f";
const MD5: &str = "4032af8d61035123906e58e067140cc5";

fn announced(to: &Value) -> Value {
    json!({
        "filekey": "00112233445566778899aabbccddeeff", "media_type": 1, "to_user_id": to, "rawsize": 16,
        "rawfilemd5": MD5, "filesize": 32, "no_need_thumb": true, "aeskey": KEY,
    })
}

fn image(param: &str, key: &str) -> Value {
    let media = json!({"encrypt_query_param": param, "aes_key": key, "encrypt_type": 1});
    json!({"type": 2, "image_item": {"media": media, "mid_size": 32}})
}

/// Uploads to the full URL; the parameter for the item.
async fn uploaded(client: &Client, to: &Value, cipher: &[u8]) -> String {
    let urls = client.post("getuploadurl", announced(to)).await;
    let url = urls["upload_full_url"].as_str().unwrap_or_else(|| panic!("{urls}"));
    let answer = client.cdn(Method::POST, url, cipher.to_vec()).await;
    assert_eq!(answer.status, 200);
    answer.headers["x-encrypted-param"].to_str().unwrap().to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_picture_opens_only_under_the_hex_form_of_its_key() {
    let sim = sim();
    let client = Client::bound(&sim, "claw").await;
    let (to, token) = greeted(&sim, &client, "claw").await;
    let cipher = STANDARD.decode(CIPHER).unwrap();
    let param = uploaded(&client, &to, &cipher).await;
    let sent = client.item(&to, &token, "c1", image(&param, &STANDARD.encode(KEY))).await;
    assert!(sent["message_id"].is_u64());
    assert_eq!(hard(&sim), Vec::<String>::new());
    let raw: Vec<u8> = (0..16).collect();
    let sent = client.item(&to, &token, "c2", image(&param, &STANDARD.encode(raw))).await;
    assert!(sent["message_id"].is_u64(), "the service cannot tell: {sent}");
    client.item(&to, &token, "c3", image("made up", &STANDARD.encode(KEY))).await;
    let journal = sim.journal();
    let media = journal.sends[0].media.as_ref().unwrap();
    assert_eq!((media.md5.as_str(), media.len), (MD5, 16));
    let grey: Vec<_> = journal.sends.iter().map(|send| send.grey.join("; ")).collect();
    let wrong = "`aes_key` is base64 of the raw key, not of its 32 hex digits";
    assert_eq!(grey, ["", wrong, "`encrypt_query_param` is not one that an upload was answered"]);
    assert!(journal.uploads[0].full_url && journal.uploads[0].flaw.is_empty());
    // What was uploaded comes down as it went up.
    let url = format!("{}/download?encrypted_query_param={}", sim.cdn_endpoint(), encoded(&param));
    assert_eq!(client.cdn(Method::GET, &url, Vec::new()).await.body, cipher);
}

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

#[tokio::test(start_paused = true)]
async fn what_was_not_announced_is_not_taken() {
    let sim = sim();
    let client = Client::bound(&sim, "claw").await;
    let (to, _) = greeted(&sim, &client, "claw").await;
    for (name, value, want) in [
        ("filekey", Value::Null, json!({"ret": 0})),
        ("no_need_thumb", Value::Null, json!({"ret": 0})),
        ("no_need_thumb", json!(false), json!({"ret": 0})),
        ("media_type", json!(5), json!({"ret": -2, "errmsg": "prepare failed"})),
        ("filesize", json!(16), json!({"ret": -2, "errmsg": "prepare failed"})),
        ("rawfilemd5", json!(MD5.to_uppercase()), json!({"ret": -2, "errmsg": "prepare failed"})),
        ("aeskey", json!(STANDARD.encode(KEY)), json!({"ret": -2, "errmsg": "prepare failed"})),
    ] {
        let before = hard(&sim).len();
        let mut body = announced(&to);
        body[name] = value;
        assert_eq!(client.post("getuploadurl", body).await, want, "{name}");
        assert_eq!(hard(&sim).len(), before + 1, "{name}: {:?}", hard(&sim));
    }
    let with_thumb =
        json!({"no_need_thumb": false, "thumb_rawsize": 10, "thumb_rawfilemd5": MD5, "thumb_filesize": 16});
    let mut body = announced(&to);
    with_thumb.as_object().unwrap().iter().for_each(|(name, value)| body[name] = value.clone());
    assert!(client.post("getuploadurl", body).await["thumb_upload_param"].is_string());

    let before = hard(&sim).len();
    let urls = client.post("getuploadurl", announced(&to)).await;
    let full = urls["upload_full_url"].as_str().unwrap();
    let cipher = STANDARD.decode(CIPHER).unwrap();
    assert_eq!(client.cdn(Method::PUT, full, cipher.clone()).await.status, 404);
    let answer = client.cdn(Method::POST, full, cipher[..16].to_vec()).await;
    assert_eq!((answer.status, answer.headers["x-error-message"].to_str().unwrap()), (400, "filesize mismatch"));
    assert_eq!(client.cdn(Method::POST, &full.replace("filekey=00", "filekey=ff"), cipher.clone()).await.status, 400);
    let strange = format!("{}/upload?encrypted_query_param=x&filekey=y", sim.cdn_endpoint());
    assert_eq!(client.cdn(Method::POST, &strange, cipher.clone()).await.status, 400);
    let mut other = cipher.clone();
    other[0] ^= 1;
    assert_eq!(client.cdn(Method::POST, full, other).await.status, 200, "the CDN cannot look inside");
    assert_eq!(sim.journal().uploads[0].flaw, "`rawfilemd5` is not that of what was encrypted");
    let bare = Client { headers: vec![("authorization", "Bearer x".to_owned())], ..client };
    bare.cdn(Method::POST, full, cipher).await;
    assert_eq!(
        hard(&sim)[before..],
        [
            "upload: an upload that is no POST",
            "upload: an upload of another size than announced",
            "upload: `filekey` is not the announced one",
            "upload: an upload that was not announced",
            "upload: `rawfilemd5` is not that of what was encrypted",
            "upload: the bot token where it does not belong",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn the_full_url_is_not_there_to_be_ignored() {
    let sim = sim();
    let client = Client::bound(&sim, "claw").await;
    let (to, _) = greeted(&sim, &client, "claw").await;
    let large = vec![0; 65_552];
    let body = || {
        let mut body = announced(&to);
        (body["rawsize"], body["filesize"]) = (json!(65_540), json!(65_552));
        body
    };
    let by_param = |urls: &Value| {
        let param = encoded(urls["upload_param"].as_str().unwrap());
        let key = "00112233445566778899aabbccddeeff";
        format!("{}/upload?encrypted_query_param={param}&filekey={key}", sim.cdn_endpoint())
    };
    let urls = client.post("getuploadurl", body()).await;
    assert_eq!(client.cdn(Method::POST, &by_param(&urls), large.clone()).await.status, 500);
    sim.change(|setup| setup.upload_urls = UploadUrls::Param);
    let urls = client.post("getuploadurl", body()).await;
    assert!(urls.get("upload_full_url").is_none());
    assert_eq!(client.cdn(Method::POST, &by_param(&urls), large).await.status, 200, "where there is only one it works");
    sim.change(|setup| setup.upload_urls = UploadUrls::Full);
    assert!(client.post("getuploadurl", body()).await.get("upload_param").is_none());
    sim.inject(Fault::once("upload", FaultKind::Status { code: 403 }));
    let answer = client.cdn(Method::POST, &by_param(&urls), Vec::new()).await;
    assert_eq!((answer.status, answer.headers["x-error-message"].to_str().unwrap()), (403, "ordered by a test"));
}

#[tokio::test(start_paused = true)]
async fn what_people_send_can_be_fetched() {
    let sim = sim();
    let client = Client::bound(&sim, "claw").await;
    let file = |key| IlinkFile { data: Some(b"0123456789abcdef".to_vec().into()), key, ..IlinkFile::default() };
    for (say, place, want) in [
        (IlinkSay::Image(file(None)), "image_item", "raw"),
        (IlinkSay::Image(file(Some(IlinkKey::Hex))), "image_item", "hex"),
        (IlinkSay::Image(file(Some(IlinkKey::None))), "image_item", "none"),
        (IlinkSay::File(file(None)), "file_item", "hex"),
        (IlinkSay::Video { file: file(None), seconds: 5 }, "video_item", "hex"),
        (
            IlinkSay::Voice { file: file(None), ms: 900, encode_type: 6, text: Some("好的".to_owned()) },
            "voice_item",
            "hex",
        ),
    ] {
        sim.say("claw", &IlinkMessage::say(say)).unwrap();
        let (messages, _) = client.updates("").await;
        let item = &messages.last().unwrap()["item_list"][0][place];
        let media = &item["media"];
        let full = Url::parse(media["full_url"].as_str().unwrap()).unwrap();
        let param = full.query_pairs().find(|(name, _)| name == "encrypted_query_param").unwrap().1.into_owned();
        assert_eq!(media["encrypt_query_param"], param.as_str());
        let body = client.cdn(Method::GET, full.as_str(), Vec::new()).await.body;
        let key = media.get("aes_key").map(|key| STANDARD.decode(key.as_str().unwrap()).unwrap().len());
        let form = match key {
            Some(16) => "raw",
            Some(32) => "hex",
            _ => "none",
        };
        assert_eq!((form, body.len()), (want, if want == "none" { 16 } else { 32 }), "{item}");
        assert_eq!(item.get("aeskey").is_some(), place == "image_item" && want == "raw");
    }
    assert_eq!(sim.journal().downloads.len(), 6);
    sim.change(|setup| setup.full_urls = false);
    let gone = IlinkFile { gone: true, ..IlinkFile::default() };
    sim.say("claw", &IlinkMessage::say(IlinkSay::File(gone))).unwrap();
    let (messages, _) = client.updates("").await;
    let media = &messages.last().unwrap()["item_list"][0]["file_item"]["media"];
    assert!(media.get("full_url").is_none());
    let param = encoded(media["encrypt_query_param"].as_str().unwrap());
    let url = format!("{}/download?encrypted_query_param={param}", sim.cdn_endpoint());
    assert_eq!(client.cdn(Method::GET, &url, Vec::new()).await.status, 404);
    assert_eq!(hard(&sim), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn sizes_and_places_must_fit() {
    let sim = sim_with(IlinkSetup { quota: 100, burst: 100, ..IlinkSetup::default() });
    let client = Client::bound(&sim, "claw").await;
    let (to, token) = greeted(&sim, &client, "claw").await;
    let param = uploaded(&client, &to, &STANDARD.decode(CIPHER).unwrap()).await;
    let media = json!({"encrypt_query_param": param, "aes_key": STANDARD.encode(KEY), "encrypt_type": 1});
    let mut no_type = media.clone();
    no_type.as_object_mut().unwrap().remove("encrypt_type");
    for (at, (item, want)) in [
        (json!({"type": 2, "image_item": {"media": media}}), "`mid_size` is not the cipher size"),
        (json!({"type": 2, "image_item": {"media": no_type, "mid_size": 32}}), "`encrypt_type` is not 1"),
        (json!({"type": 2, "image_item": {"mid_size": 32}}), "an item without `media`"),
        (
            json!({"type": 4, "file_item": {"media": media, "file_name": "a", "len": "16"}}),
            "`media_type` of the upload is not that of the item",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        client.item(&to, &token, &format!("c{at}"), item).await;
        assert_eq!(sim.journal().sends[at].grey, [want]);
    }
    let voice = json!({"type": 3, "voice_item": {"media": media, "encode_type": 6}});
    let answer = client.item(&to, &token, "voice", voice).await;
    assert!(answer["message_id"].is_u64(), "{answer}");
    assert_eq!(sim.journal().count("claw", IlinkOutcome::Hidden), 1, "accepted, and never shown");
}
