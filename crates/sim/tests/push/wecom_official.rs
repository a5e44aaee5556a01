//! Is the official API played as it is documented?

use std::time::Duration;

use serde_json::{Value, json};
use wxbot_sim::{Notice, Running, WecomSim};

use crate::peer::{Receiver, ask, post, soon};
use crate::wecom_actions::{upload, wecom};

async fn get(port: u16, path: &str) -> Value {
    let (_, answer) = soon(ask(port, "GET", path, "", b"")).await.unwrap();
    serde_json::from_slice(&answer).unwrap()
}

async fn token(port: u16) -> String {
    let answer = get(port, "/cgi-bin/gettoken?corpid=wx5823bf96d3bd56c7&corpsecret=corp-secret").await;
    assert_eq!((&answer["errcode"], &answer["expires_in"]), (&json!(0), &json!(7_200)));
    answer["access_token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_robot_says_everything_it_can() {
    let (wecom, port) = wecom(|_| {}).await;
    let key = wecom.robot_key("测试群").unwrap();
    let wang = wecom.user_id("老王").unwrap();
    let path = format!("/cgi-bin/webhook/send?key={key}");
    let up = format!("/cgi-bin/webhook/upload_media?key={key}&type=file");
    let media = upload(port, &up, "media", "a.txt", b"123456", &[]).await["media_id"].clone();
    // A PNG's head; md5 of the raw bytes.
    let png = "iVBORw0KGgo=";
    let ok = json!({"errcode": 0, "errmsg": "ok"});
    for body in [
        json!({"msgtype": "text", "text": {"content": "a", "mentioned_list": [wang, "@all"]}}),
        json!({"msgtype": "markdown", "markdown": {"content": "# a"}}),
        json!({"msgtype": "markdown_v2", "markdown_v2": {"content": "# a"}}),
        json!({"msgtype": "image", "image": {"base64": png, "md5": "e9dd2797018cad79186e03e8c5aec8dc"}}),
        json!({"msgtype": "news", "news": {"articles": [{"title": "t", "url": "http://x"}]}}),
        json!({"msgtype": "file", "file": {"media_id": media}}),
    ] {
        let (_, answer) = post(port, &path, &body).await;
        assert_eq!(answer, ok, "{body}: {:?}", wecom.violations());
    }
    assert_eq!(wecom.violations(), []);
    assert_eq!(wecom.journal().heard[0].at, ["老王", "all"]);
    assert_eq!(wecom.journal().heard[0].to, "测试群");
    let long = "啊".repeat(683);
    for (path, body, code, what) in [
        (
            path.as_str(),
            json!({"msgtype": "text", "text": {"content": long}}),
            45_002,
            "the content is longer than 2048 bytes",
        ),
        (&path, json!({"msgtype": "text", "content": "a"}), 40_058, "`text` is missing"),
        (&path, json!({"msgtype": "text", "text": {"content": "a", "x": 1}}), 40_058, "text: unknown key `x`"),
        (
            &path,
            json!({"msgtype": "image", "image": {"base64": png, "md5": "00"}}),
            301_019,
            "image: `md5` is not that of the raw bytes",
        ),
        (
            &path,
            json!({"msgtype": "file", "file": {"media_id": "x"}}),
            40_007,
            "`media_id` is of nothing that was uploaded",
        ),
        (
            "/cgi-bin/webhook/send?key=x",
            json!({"msgtype": "text", "text": {"content": "a"}}),
            93_000,
            "`key` is of no robot",
        ),
    ] {
        assert_eq!(post(port, path, &body).await.1["errcode"], code, "{body}");
        assert!(wecom.violations().iter().any(|one| one.what == what && one.hard), "{what}: {:?}", wecom.violations());
    }
    let text = json!({"msgtype": "text", "text": {"content": "a"}});
    let mut codes = Vec::new();
    for _ in 0..15 {
        codes.push(post(port, &path, &text).await.1["errcode"].clone());
    }
    assert_eq!(codes[13], 0, "the twentieth of a minute");
    assert_eq!(codes[14], 45_009);
}

#[tokio::test]
async fn an_application_sends_and_recalls() {
    let (wecom, port) = wecom(|_| {}).await;
    let (wang, zhen) = (wecom.user_id("老王").unwrap(), wecom.user_id("阿珍").unwrap());
    let token = token(port).await;
    let at = |path: &str| format!("/cgi-bin/{path}?access_token={token}");
    let media =
        upload(port, &format!("{}&type=image", at("media/upload")), "media", "a.png", b"\x89PNG image", &[]).await;
    let text = |to: &str| json!({"touser": to, "msgtype": "text", "agentid": 1_000_002, "text": {"content": "通知"}});
    let both = format!("{wang}|{zhen}");
    let (_, sent) = post(port, &at("message/send"), &text(&both)).await;
    assert_eq!(sent["errcode"], 0);
    assert_eq!(wecom.journal().texts_to("阿珍").collect::<Vec<_>>(), ["通知"]);
    let (_, partial) = post(port, &at("message/send"), &text(&format!("{wang}|nobody"))).await;
    assert_eq!((&partial["errcode"], &partial["invaliduser"]), (&json!(0), &json!("nobody")));
    assert_eq!(post(port, &at("message/send"), &text("nobody")).await.1["errcode"], 81_013);
    let image =
        json!({"touser": "@all", "msgtype": "image", "agentid": 1_000_002, "image": {"media_id": media["media_id"]}});
    assert_eq!(post(port, &at("message/send"), &image).await.1["errcode"], 0);
    let recalled = post(port, &at("message/recall"), &json!({"msgid": sent["msgid"]})).await.1;
    assert_eq!(recalled["errcode"], 0);
    assert_eq!(wecom.journal().heard.iter().filter(|heard| heard.revoked).count(), 2);
    assert_eq!(get(port, &format!("{}&userid={wang}", at("user/get"))).await["name"], "老王");

    let chat = json!({"name": "项目", "owner": wang, "userlist": [wang, zhen]});
    let made = post(port, &at("appchat/create"), &chat).await.1;
    let chatid = made["chatid"].as_str().unwrap().to_owned();
    let rename = json!({"chatid": chatid, "name": "新名", "del_user_list": [zhen]});
    assert_eq!(post(port, &at("appchat/update"), &rename).await.1["errcode"], 0);
    let info = get(port, &format!("{}&chatid={chatid}", at("appchat/get"))).await;
    assert_eq!(info["chat_info"], json!({"chatid": chatid, "name": "新名", "owner": wang, "userlist": [wang]}));
    let say = json!({"chatid": chatid, "msgtype": "text", "text": {"content": "群里"}, "safe": 0});
    assert_eq!(post(port, &at("appchat/send"), &say).await.1["errcode"], 0);
    assert_eq!(wecom.journal().texts_to("新名").collect::<Vec<_>>(), ["群里"]);
    assert_eq!(wecom.violations(), []);

    for (path, body, what) in [
        (
            "message/send",
            json!({"touser": wang, "msgtype": "text", "agentid": "1000002", "text": {"content": "a"}}),
            "`agentid` is not an integer without quotes",
        ),
        (
            "message/send",
            json!({"msgtype": "text", "agentid": 1_000_002, "text": {"content": "a"}}),
            "none of touser, toparty, totag",
        ),
        (
            "message/send",
            json!({"touser": wang, "msgtype": "text", "agentid": 1, "text": {"content": "a"}}),
            "`agentid` is not the application's",
        ),
        ("message/recall", json!({"msgid": "x"}), "`msgid` is of no message that the application sent"),
        (
            "appchat/send",
            json!({"chatid": "x", "msgtype": "text", "text": {"content": "a"}}),
            "`chatid` is of no room that the application made",
        ),
        ("appchat/create", json!({"userlist": [wang]}), "`userlist` has fewer than 2 or more than 2000"),
        ("appchat/rename", json!({}), "unknown path"),
    ] {
        post(port, &at(path), &body).await;
        assert!(wecom.violations().iter().any(|one| one.what == what), "{what}: {:?}", wecom.violations());
    }
}

#[tokio::test]
async fn tokens_end() {
    let (wecom, port) = wecom(|_| {}).await;
    let wang = wecom.user_id("老王").unwrap();
    let body = json!({"touser": wang, "msgtype": "text", "agentid": 1_000_002, "text": {"content": "a"}});
    let send = async |token: &str| {
        let (_, answer) = post(port, &format!("/cgi-bin/message/send?access_token={token}"), &body).await;
        answer["errcode"].clone()
    };
    let first = token(port).await;
    assert_eq!(send(&first).await, 0);
    wecom.expire_tokens();
    assert_eq!(send(&first).await, 42_001);
    let second = token(port).await;
    wecom.forget_tokens();
    assert_eq!(send(&second).await, 40_014);
    assert_eq!(send(&token(port).await).await, 0);
    assert_eq!(wecom.violations(), [], "a token that ends is nobody's fault");
    token(port).await;
    let found = wecom.violations();
    assert!(!found[0].hard && found[0].what.starts_with("asked for a token"), "{found:?}");
    assert_eq!(get(port, "/cgi-bin/gettoken?corpid=x&corpsecret=y").await["errcode"], 40_013);
}

async fn with_callback() -> (Running<WecomSim>, Receiver) {
    let receiver = Receiver::start().await;
    let url = receiver.url.clone();
    let change = |setup: &mut wxbot_sim::WecomSetup| {
        setup.app.callback = Some(url);
        setup.repeat_pause = Duration::ZERO;
    };
    (wecom(change).await.0, receiver)
}

fn query(target: &str) -> std::collections::HashMap<String, String> {
    let (_, query) = target.split_once('?').unwrap();
    url::form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

#[tokio::test]
async fn the_callback_is_encrypted_and_repeated() {
    let (wecom, receiver) = with_callback().await;
    receiver.answer(&[(500, ""), (503, ""), (200, "")]);
    let id = wecom.notify(&Notice::text("老王", "hello")).unwrap();
    soon(wecom.settled()).await;
    let got = receiver.got();
    assert_eq!(got.len(), 3, "until it is answered with 200");
    assert!(got.iter().all(|one| one.body == got[0].body && one.target == got[0].target));
    let encrypted = got[0].body.split("<Encrypt><![CDATA[").nth(1).unwrap().split("]]>").next().unwrap();
    let (inner, receive_id) = wecom.decrypt(encrypted).unwrap();
    assert_eq!(receive_id, "wx5823bf96d3bd56c7");
    for part in [format!("<MsgId>{id}</MsgId>"), "<Content><![CDATA[hello]]></Content>".to_owned()] {
        assert!(inner.contains(&part), "{inner}");
    }
    let sent = query(&got[0].target);
    assert_eq!(sent["msg_signature"].len(), 40);
    assert!(sent["timestamp"].len() == 10 && sent["nonce"].len() == 10, "{sent:?}");

    receiver.answer(&[(500, ""), (500, ""), (500, ""), (500, ""), (500, "")]);
    wecom.notify(&Notice::text("老王", "again")).unwrap();
    soon(wecom.settled()).await;
    assert_eq!(receiver.got().len(), 7, "once and three times more");
    let attempts: Vec<u32> = wecom.journal().pushes.iter().map(|push| push.attempt).collect();
    assert_eq!(attempts, [1, 2, 3, 1, 2, 3, 4]);
}

#[tokio::test]
async fn forged_and_misdirected_callbacks_differ_where_they_should() {
    let (wecom, receiver) = with_callback().await;
    let other = Notice { forged: true, ..Notice::text("老王", "x") };
    wecom.notify(&other).unwrap();
    wecom.notify(&Notice { misdirected: true, ..Notice::text("老王", "x") }).unwrap();
    let robot = Notice { envelope: wxbot_sim::Envelope::Json, ..Notice::text("老王", "在吗") };
    wecom.notify(&robot).unwrap();
    soon(wecom.settled()).await;
    let bodies = receiver.bodies();
    let got = receiver.got();
    let encrypted = got[1].body.split("<Encrypt><![CDATA[").nth(1).unwrap().split("]]>").next().unwrap();
    assert_eq!(wecom.decrypt(encrypted).unwrap().1, "wx0000000000000000");
    let (inner, receive_id) = wecom.decrypt(bodies[2]["encrypt"].as_str().unwrap()).unwrap();
    let inner: Value = serde_json::from_str(&inner).unwrap();
    assert_eq!((receive_id.as_str(), &inner["text"]["content"]), ("", &json!("在吗")));
    assert!(wecom.notify(&Notice::text("谁", "x")).is_err());
}

#[tokio::test]
async fn the_settings_page_wants_its_text_back() {
    let (wecom, receiver) = with_callback().await;
    assert_eq!(wecom.verify_callback().await, Err("the answer is not the decrypted text alone".to_owned()));
    let sent = query(&receiver.got()[0].target);
    let (text, _) = wecom.decrypt(&sent["echostr"]).unwrap();
    assert!(text.starts_with("1616140317"), "decoded once: {text}");
    receiver.answer(&[(403, "")]);
    assert_eq!(wecom.verify_callback().await, Err("the receiver answers 403".to_owned()));
}
