//! How strict are webwxuploadmedia and webwxcheckupload?

use http::{HeaderMap, HeaderValue, Method};
use serde_json::json;
use wxbot_sim::{Sim, World};

use crate::client::{BASE, Client, Upload, assert_clean, md5, world};

/// A picture of 24 × 24.
pub(crate) const PICTURE: &[u8] = include_bytes!("../../assets/picture.png");

fn noticed(sim: &Sim) -> Vec<String> {
    let mark = |hard| if hard { "!" } else { "" };
    sim.violations().into_iter().map(|found| format!("{}{}", mark(found.hard), found.what)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_small_file_is_one_chunk() {
    let sim = Sim::new(world());
    let mut client = Client::online(&sim, "xiaoli").await;
    let [chunk] = <[Upload; 1]>::try_from(client.chunks("a.png", PICTURE, &md5(PICTURE))).ok().unwrap();
    let answer = client.put(&chunk).await;
    assert!(answer["MediaId"].as_str().unwrap().starts_with("@crypt_"));
    assert_eq!(answer["StartPos"], PICTURE.len());
    assert_eq!((&answer["CDNThumbImgWidth"], &answer["CDNThumbImgHeight"]), (&json!(24), &json!(24)));
    assert_eq!(answer["EncryFileName"], "a%2Epng");
    assert_eq!(sim.media(&md5(PICTURE)).unwrap(), PICTURE);
    let upload = &sim.journal().uploads[0];
    assert_eq!((upload.chunk, upload.chunks, upload.len), (0, 1, PICTURE.len()));
    assert_eq!((upload.file_name.as_str(), upload.media_type.as_str()), ("a.png", "pic"));
    assert_clean(&sim);
}

#[tokio::test(start_paused = true)]
async fn a_large_one_comes_in_order() {
    let sim = Sim::new(world());
    let mut client = Client::online(&sim, "xiaoli").await;
    let bytes: Vec<u8> = (0..1_100_000_u32).map(|at| at.to_be_bytes()[3]).collect();
    let chunks = client.chunks("a.zip", &bytes, &md5(&bytes));
    assert_eq!(chunks.len(), 3);
    let mut last = json!(null);
    for (chunk, start) in chunks.iter().zip([524_288, 1_048_576, 1_100_000]) {
        last = client.put(chunk).await;
        assert_eq!(last["StartPos"], start);
        assert_eq!(last["MediaId"] == "", start != 1_100_000);
    }
    // Whoever lost the last answer asks again for it.
    let again = client.put(&chunks[2]).await;
    assert!(again["MediaId"].as_str().unwrap().starts_with('@') && again["MediaId"] != last["MediaId"]);
    assert_eq!(sim.media(&md5(&bytes)).unwrap(), bytes);
    assert_clean(&sim);

    let mut other = client.chunks("b.zip", &bytes, &md5(&bytes));
    assert_eq!(client.put(&other[0]).await["BaseResponse"]["Ret"], 0);
    assert_eq!(client.put(&other[2]).await["BaseResponse"]["Ret"], 1);
    assert_eq!(noticed(&sim), ["!chunks are not in order"]);
    other[1].request["ClientMediaId"] = json!(5);
    assert_eq!(client.put(&other[1]).await["BaseResponse"]["Ret"], 1);
    assert!(noticed(&sim)[1].contains("ClientMediaId must be the same"));
}

#[tokio::test(start_paused = true)]
async fn mistakes_of_a_form() {
    type Spoil = fn(Upload) -> Upload;
    for (name, ret, want, spoil) in [
        ("good", 0, "", (|upload| upload) as Spoil),
        ("md5", 1, "!FileMd5 is not the md5 of what was uploaded", |mut upload| {
            upload.request["FileMd5"] = json!("44682e637b75a3f5d6747d61dbd23a15");
            upload
        }),
        ("no md5", 0, "no FileMd5", |mut upload| {
            upload.request["FileMd5"] = json!("");
            upload
        }),
        ("short md5", 1, "!FileMd5 is not 32 hex digits", |mut upload| {
            upload.request["FileMd5"] = json!("44");
            upload
        }),
        ("size", 1, "!size, TotalLen and DataLen are not the same", |upload| upload.set("size", "5")),
        ("data length", 1, "!size, TotalLen and DataLen are not the same", |mut upload| {
            upload.request["DataLen"] = json!(5);
            upload
        }),
        ("bytes", 1, "!the chunks are not as long together as TotalLen says", |mut upload| {
            upload.bytes.pop();
            upload
        }),
        ("data ticket", 1, "!webwx_data_ticket is missing or not the session's", |upload| {
            upload.set("webwx_data_ticket", "x")
        }),
        ("pass ticket", 0, "pass_ticket in the form is not the session's", |upload| upload.set("pass_ticket", "x")),
        ("media type", 0, "mediatype does not fit the name", |upload| upload.set("mediatype", "video")),
        ("chunk without chunks", 1, "!chunks and chunk are not two numbers", |upload| upload.set("chunk", "0")),
        ("needless chunks", 0, "chunks and chunk of a file of one chunk", |upload| {
            upload.set("chunk", "0").set("chunks", "1")
        }),
        ("too many chunks", 1, "!chunks or chunk do not fit the length", |upload| {
            upload.set("chunk", "0").set("chunks", "2")
        }),
        ("id", 0, "id is not WU_FILE_ and a number", |upload| upload.set("id", "1")),
        ("name", 0, "name is not the filename of the file's part", |upload| upload.set("name", "b.png")),
        ("from", 0, "!FromUserName is not the account's", |mut upload| {
            upload.request["FromUserName"] = json!("@x");
            upload
        }),
        ("to", 0, "!ToUserName is unknown", |mut upload| {
            upload.request["ToUserName"] = json!("@x");
            upload
        }),
        ("client id", 1, "!no ClientMediaId", |mut upload| {
            upload.request["ClientMediaId"] = json!("");
            upload
        }),
        ("kind", 0, "UploadType, StartPos and MediaType are not 2, 0 and 4", |mut upload| {
            upload.request["MediaType"] = json!(1);
            upload
        }),
        ("sid", 1101, "!BaseRequest Uin or Sid is not the session's", |mut upload| {
            upload.request["BaseRequest"]["Sid"] = json!("x");
            upload
        }),
        ("request", 1, "!uploadmediarequest is not the JSON that is expected", |mut upload| {
            upload.request = json!([1]);
            upload
        }),
        ("twice", 1, "!a part is there twice", |mut upload| {
            upload.parts.push(("id", "WU_FILE_1".to_owned()));
            upload
        }),
        ("empty", 1, "!an empty file", |mut upload| {
            upload.bytes.clear();
            (upload.request["TotalLen"], upload.request["DataLen"]) = (json!(0), json!(0));
            upload.set("size", "0")
        }),
        ("long chunk", 1, "!a chunk is longer than 512 KiB", |mut upload| {
            upload.bytes = vec![0; 512 * 1024 + 1];
            (upload.request["TotalLen"], upload.request["DataLen"]) = (json!(524_289), json!(524_289));
            upload.set("size", "524289")
        }),
    ] {
        let sim = Sim::new(world());
        let mut client = Client::online(&sim, "xiaoli").await;
        let upload = client.chunks("a.png", PICTURE, &md5(PICTURE)).remove(0);
        let answer = client.put(&spoil(upload)).await;
        assert_eq!(answer["BaseResponse"]["Ret"], ret, "{name}");
        assert_eq!(answer["MediaId"] == "", ret != 0, "{name}");
        assert_eq!(noticed(&sim).join(";"), want, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn files_over_25_mib_are_announced() {
    let sim = Sim::new(World { hold: std::time::Duration::from_secs(1), ..world() });
    let mut client = Client::online(&sim, "xiaoli").await;
    let bytes = vec![7_u8; 25 * 1024 * 1024 + 1];
    let hash = md5(&bytes);
    let me = client.me.clone();
    let ask = json!({
        "FileMd5": hash, "FileName": "big.zip", "FileSize": bytes.len(), "FileType": 7, "FromUserName": me,
        "ToUserName": "filehelper"
    });
    let mut chunks = client.chunks("big.zip", &bytes, &hash);
    assert_eq!(client.put(&chunks[0]).await["BaseResponse"]["Ret"], 1);
    assert_eq!(noticed(&sim), ["!a file over 25 MiB without AESKey and Signature of webwxcheckupload"]);

    let mut wrong = ask.clone();
    wrong.as_object_mut().unwrap().remove("FileType");
    assert_eq!(client.post("webwxcheckupload?x=1", wrong).await["BaseResponse"]["Ret"], 1);
    assert_eq!(noticed(&sim)[1], "!webwxcheckupload without FileType 7");
    let pass = client.post("webwxcheckupload?x=1", ask.clone()).await;
    assert_eq!(pass["MediaId"], "");
    let mut last = json!(null);
    for chunk in &mut chunks {
        chunk.request["AESKey"] = pass["AESKey"].clone();
        chunk.request["Signature"] = pass["Signature"].clone();
        last = client.put(chunk).await;
        assert_eq!(last["BaseResponse"]["Ret"], 0);
    }
    let known = client.post("webwxcheckupload?x=1", ask).await;
    assert!(known["MediaId"].as_str().unwrap().starts_with('@'), "the service has it");

    let file = |signature: &str| {
        json!({
            "Type": 6, "Signature": signature, "Content": format!(
                "<appmsg appid='' sdkver=''><title>big.zip</title><type>6</type><appattach><totallen>{}</totallen>\
                 <attachid>{}</attachid><fileext>zip</fileext></appattach></appmsg>",
                bytes.len(), last["MediaId"].as_str().unwrap()
            )
        })
    };
    assert_eq!(client.say("webwxsendappmsg?x=1", "filehelper", file("")).await["BaseResponse"]["Ret"], -2);
    assert_eq!(noticed(&sim)[2], "!a file over 25 MiB without the Signature of webwxcheckupload");
    let sent = client.say("webwxsendappmsg?x=1", "filehelper", file(pass["Signature"].as_str().unwrap())).await;
    assert_eq!(sent["BaseResponse"]["Ret"], 0);
}

#[tokio::test(start_paused = true)]
async fn there_is_an_end_to_the_room() {
    let sim = Sim::new(World { media_limit: 1_000, ..world() });
    let mut client = Client::online(&sim, "xiaoli").await;
    for (name, len, ret) in [("fits", 600, 0), ("the same again", 600, -1), ("too much", 401, -1), ("rest", 400, 0)] {
        // Room is taken when an upload begins, before anyone can know that its bytes are there already.
        let bytes = vec![u8::try_from(len % 251).unwrap(); len];
        let chunk = client.chunks("a.bin", &bytes, &md5(&bytes)).remove(0);
        let answer = client.put(&chunk).await;
        assert_eq!(answer["BaseResponse"]["Ret"], ret, "{name}");
        assert_eq!(answer["BaseResponse"]["ErrMsg"].as_str().unwrap().contains("media_limit"), ret != 0, "{name}");
    }
    assert_clean(&sim);
}

#[tokio::test(start_paused = true)]
async fn a_login_that_ends_gives_its_room_back() {
    let sim = Sim::new(World { media_limit: 1_000_000, ..world() });
    let bytes = vec![1; 700_000];
    for _ in 0..2 {
        // Begun and never finished; the next login begins anew.
        let mut client = Client::online(&sim, "xiaoli").await;
        let chunks = client.chunks("a.bin", &bytes, &md5(&bytes));
        assert_eq!(client.put(&chunks[0]).await["BaseResponse"]["Ret"], 0);
        let second = client.chunks("b.bin", &bytes, &md5(&bytes));
        assert_eq!(client.put(&second[0]).await["BaseResponse"]["Ret"], -1);
    }
    assert_clean(&sim);
}

#[tokio::test(start_paused = true)]
async fn there_is_an_end_to_uploads_that_were_begun() {
    let sim = Sim::new(world());
    let mut client = Client::online(&sim, "xiaoli").await;
    let bytes = vec![1; 600_000];
    for at in 0..65 {
        let chunk = client.chunks("a.bin", &bytes, &md5(&bytes)).remove(0);
        assert_eq!(client.put(&chunk).await["BaseResponse"]["Ret"], i64::from(at == 64), "{at}");
    }
    assert_eq!(noticed(&sim), ["!too many uploads begun and not finished"]);
}

#[tokio::test(start_paused = true)]
async fn browsers_ask_first() {
    let sim = Sim::new(world());
    let mut client = Client::online(&sim, "xiaoli").await;
    let mut headers = HeaderMap::new();
    headers.insert("origin", HeaderValue::from_static("https://wx.qq.com"));
    headers.insert("access-control-request-headers", HeaderValue::from_static("x-file"));
    let url = format!("{BASE}/cgi-bin/mmwebwx-bin/webwxuploadmedia?f=json");
    let answer = client.exchange(Method::OPTIONS, &url, headers, "").await.unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["access-control-allow-origin"], "https://wx.qq.com");
    assert_eq!(answer.headers["access-control-allow-headers"], "x-file");
    assert_eq!(answer.headers["access-control-allow-credentials"], "true");
    assert_clean(&sim);
}
