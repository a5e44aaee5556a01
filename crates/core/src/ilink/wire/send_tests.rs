//! Bodies as the fixtures have them, and answers read to what their names say.

use serde_json::Value;

use super::*;
use crate::error::{EndReason, Error};
use crate::ilink::endpoint::{self, Call};
use crate::ilink::headers::Identity;
use crate::ilink::testdata::{fixture, text};
use crate::ilink::testing::OWNER;
use crate::ilink::wire::{Nothing, read};
use crate::transport::HttpResponse;

const PARAM: &str = "RXhhbXBsZURvd25sb2FkUGFyYW0-_0001";
const KEY: &str = "MDAwMTAyMDMwNDA1MDYwNzA4MDkwYTBiMGMwZDBlMGY=";

fn put() -> Put<'static> {
    Put::new(PARAM, KEY)
}

/// With `base_info`, as the client adds it.
fn with_base(body: &impl Serialize) -> Value {
    let mut body = serde_json::to_value(body).unwrap();
    let identity = Identity::new("2.4.9", "wxbot/0.1.0", None).unwrap();
    body["base_info"] = serde_json::to_value(identity.base_info()).unwrap();
    body
}

fn context_token() -> String {
    fixture("state-example")["peers"][OWNER]["context_token"].as_str().unwrap().to_owned()
}

// cov: sendmessage-text sendmessage-text-run sendmessage-image sendmessage-video sendmessage-file sendmessage-voice
// cov: sendmessage-tool-start sendmessage-tool-result
#[test]
fn messages_as_they_are_sent() {
    let (at_ms, run) = (1_795_200_000_000, "1b4e28ba-2fa1-11d2-883f-0016d3cca427");
    for (name, client_id, item, run_id) in [
        ("text", "wxbot:1795200000000-0a1b2c3d", Item::text("收到"), None),
        ("text-run", "wxbot:1795200000000-0a1b2c3e", Item::text("收到"), Some(run)),
        ("image", "wxbot:1795200000001-0a1b2c3d", Item::image(put(), 48), None),
        ("video", "wxbot:1795200000002-0a1b2c3d", Item::video(put(), 48), None),
        ("file", "wxbot:1795200000003-0a1b2c3d", Item::file(put(), "报告.txt", 34), None),
        ("voice", "wxbot:1795200000004-0a1b2c3d", Item::voice(put(), 2380), None),
        ("tool-start", "wxbot:1795200000005-0a1b2c3d", Item::tool_start(at_ms, "search", "call-1"), None),
        (
            "tool-result",
            "wxbot:1795200000006-0a1b2c3d",
            Item::tool_result(at_ms, "search", "call-1", "completed"),
            None,
        ),
    ] {
        let token = context_token();
        let mut body = SendMessage::new(OWNER, client_id, &token, &item);
        if let Some(run_id) = run_id {
            body = body.of_run(run_id);
        }
        assert_eq!(with_base(&body), fixture(&format!("sendmessage-{name}.req")), "{name}");
        let shown = format!("{body:?} {item:?} {:?}", put());
        assert!(!shown.contains("AARz") && !shown.contains(PARAM), "{shown}");
    }
}

// cov: getuploadurl-image getuploadurl-video getuploadurl-file getuploadurl-voice getuploadurl-thumb
#[test]
fn uploads_as_they_are_announced() {
    for (name, media_type) in [("image", 1), ("video", 2), ("file", 3), ("voice", 4), ("thumb", 1)] {
        let thumb =
            Thumb { thumb_rawsize: 10, thumb_rawfilemd5: "781e5e245d69b566979b86e28d23f2c7", thumb_filesize: 16 };
        let body = GetUploadUrl {
            filekey: "00112233445566778899aabbccddeeff",
            media_type,
            to_user_id: OWNER,
            rawsize: 34,
            rawfilemd5: "e91494dae7adbf9fcf4c35f6e84b4a02",
            filesize: 48,
            no_need_thumb: name != "thumb",
            aeskey: "000102030405060708090a0b0c0d0e0f",
            thumb: (name == "thumb").then_some(thumb),
        };
        assert_eq!(with_base(&body), fixture(&format!("getuploadurl-{name}.req")), "{name}");
    }
}

// cov: getconfig sendtyping-on sendtyping-off
#[test]
fn typing_as_it_is_asked_for() {
    let token = context_token();
    let body = GetConfig { ilink_user_id: OWNER, context_token: &token };
    assert_eq!(with_base(&body), fixture("getconfig.req"));
    for (name, status) in [("on", 1), ("off", 2)] {
        let body = SendTyping { ilink_user_id: OWNER, typing_ticket: "ZXhhbXBsZSB0eXBpbmcgdGlja2V0", status };
        assert_eq!(with_base(&body), fixture(&format!("sendtyping-{name}.req")), "{name}");
    }
}

fn answer(call: &Call, name: &str) -> Result<Value, Error> {
    let answer = HttpResponse { status: 200, headers: http::HeaderMap::new(), body: text(name).into() };
    let value = |said: String| Value::String(said);
    match call.name {
        "sendmessage" => read::<Sent>(call, &answer).map(|sent| value(sent.message_id)),
        "getconfig" => read::<Config>(call, &answer).map(|config| value(config.typing_ticket)),
        "getuploadurl" => read::<UploadPlace>(call, &answer).map(|place| {
            Value::Array(vec![value(place.upload_full_url), value(place.upload_param), value(place.thumb_upload_param)])
        }),
        _ => read::<Nothing>(call, &answer).map(|_| Value::Null),
    }
}

// cov: sendmessage sendmessage-ret0 sendmessage-id-text sendmessage-unconfirmed sendmessage-empty-object
// cov: getconfig sendtyping getuploadurl-full getuploadurl-param getuploadurl-both getuploadurl-nothing
#[test]
fn answers_that_say_yes() {
    const FULL: &str = "https://novac2c.cdn.weixin.qq.com/c2c/upload?encrypted_query_param=RXhhbXBsZVVwbG9hZFBhcmFt-_0001&filekey=00112233445566778899aabbccddeeff&taskid=0011223344556677";
    let sent = || Value::from("7497484083968570001");
    for (call, name, want) in [
        (endpoint::SENDMESSAGE, "sendmessage", sent()),
        (endpoint::SENDMESSAGE, "sendmessage-ret0", sent()),
        (endpoint::SENDMESSAGE, "sendmessage-id-text", sent()),
        (endpoint::SENDMESSAGE, "sendmessage-unconfirmed", "".into()),
        (endpoint::SENDMESSAGE, "sendmessage-empty-object", "".into()),
        (endpoint::GETCONFIG, "getconfig", "ZXhhbXBsZSB0eXBpbmcgdGlja2V0".into()),
        (endpoint::SENDTYPING, "sendtyping", Value::Null),
        (endpoint::GETUPLOADURL, "getuploadurl-full", serde_json::json!([FULL, "", ""])),
        (endpoint::GETUPLOADURL, "getuploadurl-param", serde_json::json!(["", "RXhh+bXBs/ZQ==", ""])),
        (endpoint::GETUPLOADURL, "getuploadurl-both", serde_json::json!([FULL, "RXhhbXBsZVVwbG9hZFBhcmFt-_0001", ""])),
        (endpoint::GETUPLOADURL, "getuploadurl-nothing", serde_json::json!(["", "", ""])),
    ] {
        assert_eq!(answer(&call, &format!("{name}.resp")).unwrap(), want, "{name}");
    }
    let shown = format!(
        "{:?} {:?}",
        UploadPlace { upload_param: PARAM.into(), ..Default::default() },
        Config { typing_ticket: PARAM.into() }
    );
    assert!(!shown.contains(PARAM) && shown.contains("[secret]"), "{shown}");
}

// cov: sendmessage-refused sendmessage-refused-bare sendmessage-rate sendmessage-stale getuploadurl-refused
// cov: getconfig-no-context getconfig-missing-user
#[test]
fn answers_that_say_no() {
    for (call, name, ret, said) in [
        (endpoint::SENDMESSAGE, "sendmessage-refused", -2, "prepare failed"),
        (endpoint::SENDMESSAGE, "sendmessage-refused-bare", -2, "refused for now"),
        (endpoint::SENDMESSAGE, "sendmessage-rate", -2, "rate limited"),
        (endpoint::GETUPLOADURL, "getuploadurl-refused", -2, "prepare failed"),
        (endpoint::GETCONFIG, "getconfig-no-context", -4, "GetTypingTicket rpc failed"),
        (endpoint::GETCONFIG, "getconfig-missing-user", -2, "ilink_user_id required"),
    ] {
        let Err(Error::Refused { endpoint, refusal }) = answer(&call, &format!("{name}.resp")) else {
            panic!("{name}")
        };
        assert_eq!((endpoint, refusal.ret), (call.name, ret), "{name}");
        assert!(refusal.message.starts_with(said), "{name}: {refusal}");
    }
    let stale = answer(&endpoint::SENDMESSAGE, "sendmessage-stale.resp");
    assert!(matches!(stale, Err(Error::Ended(EndReason::TokenRefused))));
}
