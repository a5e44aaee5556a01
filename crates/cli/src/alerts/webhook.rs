//! How does an address get an alert? As JSON with all facts, or as the text that the group robots of WeCom, DingTalk and
//! Feishu take.

use std::time::Duration;

use serde_json::{Value, json};
use url::Url;
use wxbot_core::transport::{HttpRequest, Transport};
use wxbot_runtime::alerts::{Bulletin, Format, Webhook};

use super::code::Code;
use super::sign::sign;
use crate::control::now_ms;
use crate::server;
use crate::words::Lang;

const WITHIN: Duration = Duration::from_secs(10);
/// Bytes of a text: what WeCom's robots take, and enough for the others.
const TEXT: usize = 2_048;

/// Posts a bulletin to exactly this address: no redirect is followed, and nothing but the bulletin is sent.
///
/// # Errors
/// In words, which never hold the address: it is as good as a password for the group behind it.
pub(super) async fn post(
    transport: &dyn Transport,
    webhook: &Webhook,
    bulletin: &Bulletin,
    codes: &[Code],
    lang: Lang,
) -> Result<(), String> {
    let (mut url, now_ms) = (address(webhook)?, now_ms());
    let mut body = body(webhook.format, bulletin, codes, lang, now_ms);
    if let Some(from) = &webhook.sign_secret {
        // Anew for each try: an old signature is refused.
        sign(webhook.format, &server::secret("sign_secret", from)?, now_ms, &mut url, &mut body);
    }
    let answer = transport.send(HttpRequest::post_json(url, body.to_string(), WITHIN)).await;
    let answer = answer.map_err(|error| error.to_string())?;
    if !(200..300).contains(&answer.status) {
        return Err(format!("the address of `webhook` answered HTTP {}", answer.status));
    }
    match (webhook.format, serde_json::from_slice::<Value>(&answer.body)) {
        (Format::Json, _) => Ok(()),
        (format, Ok(said)) => judged(format, &said),
        (_, Err(_)) => Err("the address of `webhook` answered something that no such robot says".to_owned()),
    }
}

/// The address, from where `bot.toml` says that it is.
///
/// # Errors
/// When it is not there, or no address.
pub(crate) fn address(webhook: &Webhook) -> Result<Url, String> {
    let text = server::secret("webhook", &webhook.url)?;
    let url = Url::parse(text.expose()).map_err(|error| format!("the secret `webhook` is no address: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return Err("the secret `webhook` is no address that begins with http:// or https://".to_owned());
    }
    Ok(url)
}

/// A robot says no with HTTP 200.
fn judged(format: Format, said: &Value) -> Result<(), String> {
    let keys: &[&str] = if format == Format::Feishu { &["code", "StatusCode"] } else { &["errcode"] };
    let code = keys.iter().find_map(|key| said.get(key).and_then(Value::as_i64));
    match code {
        Some(0) => Ok(()),
        Some(code) => {
            let words = ["errmsg", "msg", "StatusMessage"].iter().find_map(|key| said.get(key).and_then(Value::as_str));
            let words: String = words.unwrap_or_default().chars().filter(|c| !c.is_control()).take(200).collect();
            Err(format!("the robot refused: code {code} ({words})"))
        }
        None => Err("the address of `webhook` answered something that no such robot says".to_owned()),
    }
}

fn body(format: Format, bulletin: &Bulletin, codes: &[Code], lang: Lang, now_ms: i64) -> Value {
    // The pictures' addresses first count against the room that there is.
    let links: Vec<String> = codes.iter().map(|code| code.line(lang)).collect();
    let room = TEXT.saturating_sub(links.iter().map(|line| line.len() + 1).sum());
    let mut text = bulletin.text(lang.into(), now_ms, room);
    for line in links {
        text.push('\n');
        text.push_str(&line);
    }
    match format {
        Format::Json => {
            let codes: Vec<Value> = codes.iter().map(Code::json).collect();
            json!({
                "from": "wxbot", "at_ms": now_ms, "text": text, "qr": codes,
                "opened": bulletin.opened, "repeated": bulletin.repeated, "ended": bulletin.ended,
            })
        }
        Format::Wecom | Format::Dingtalk => json!({ "msgtype": "text", "text": { "content": text } }),
        Format::Feishu => json!({ "msg_type": "text", "content": { "text": text } }),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use futures_util::future::BoxFuture;
    use wxbot_core::transport::{HttpResponse, TransportError};
    use wxbot_runtime::alerts::{Report, Subject};
    use wxbot_runtime::config::SecretSource;
    use wxbot_runtime::session::cure::Cure;

    use super::*;

    fn bulletin() -> Bulletin {
        let report = Report {
            subject: Subject::Account { account: "shop".into() },
            since_ms: 0,
            state: "needs_login".into(),
            why: "the session ended".into(),
            cure: Cure::LogIn,
            count: 0,
        };
        Bulletin { opened: vec![report], ..Bulletin::default() }
    }

    #[test]
    fn each_robot_gets_its_own_form() {
        let code = Code::sample("shop", "https://login.example/l/abc", "https://login.example/qrcode/abc");
        let text = "wxbot:出现问题 (1)\n· shop: 需要登录(已持续 1min); the session ended; 运行 `wxbot login shop`";
        for (format, at) in
            [(Format::Wecom, "/text/content"), (Format::Dingtalk, "/text/content"), (Format::Feishu, "/content/text")]
        {
            let plain = body(format, &bulletin(), &[], Lang::Zh, 60_000);
            assert_eq!(plain.pointer(at).and_then(Value::as_str), Some(text), "{format:?}");
            let with = body(format, &bulletin(), std::slice::from_ref(&code), Lang::Zh, 60_000);
            let with = with.pointer(at).and_then(Value::as_str).unwrap().to_owned();
            assert!(with.ends_with("https://login.example/qrcode/abc") && with.len() <= TEXT, "{with}");
        }
        let json = body(Format::Json, &bulletin(), &[code], Lang::En, 60_000);
        assert_eq!(json["opened"][0]["account"], "shop");
        assert_eq!(json["opened"][0]["cure"], "log_in");
        assert_eq!(json["qr"][0]["url"], "https://login.example/l/abc");
        assert_eq!(body(Format::Json, &bulletin(), &[], Lang::En, 0)["qr"], json!([]), "no code where none is wanted");
    }

    #[test]
    fn a_no_with_http_200_is_a_no() {
        for (format, said, want) in [
            (Format::Wecom, json!({ "errcode": 0, "errmsg": "ok" }), true),
            (Format::Wecom, json!({ "errcode": 93000, "errmsg": "invalid webhook url" }), false),
            (Format::Dingtalk, json!({ "errcode": 310000, "errmsg": "keywords not in content" }), false),
            (Format::Feishu, json!({ "code": 0, "msg": "success" }), true),
            (Format::Feishu, json!({ "StatusCode": 0, "StatusMessage": "success" }), true),
            (Format::Feishu, json!({ "code": 19024, "msg": "Key Words Not Found" }), false),
            (Format::Feishu, json!("hello"), false),
            (Format::Dingtalk, json!({}), false),
        ] {
            assert_eq!(judged(format, &said).is_ok(), want, "{format:?} {said}");
        }
        let no = judged(Format::Wecom, &json!({ "errcode": 93000, "errmsg": "invalid\nwebhook" })).unwrap_err();
        assert_eq!(no, "the robot refused: code 93000 (invalidwebhook)");
    }

    /// Takes what is posted, and says yes as DingTalk and Feishu both do.
    #[derive(Debug, Default)]
    struct Robot(Mutex<Vec<HttpRequest>>);

    impl Transport for Robot {
        fn send(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, TransportError>> {
            self.0.lock().unwrap().push(request);
            let body = bytes::Bytes::from_static(br#"{"errcode":0,"code":0}"#);
            Box::pin(async move { Ok(HttpResponse { status: 200, headers: Default::default(), body }) })
        }
    }

    #[tokio::test]
    async fn a_post_is_signed_where_the_file_has_a_secret() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).unwrap();
            SecretSource::File(folder.path().join(name))
        };
        let (url, secret) = (file("url", "https://robot.example/send?access_token=a\n"), file("secret", "SECcanary\n"));
        for (format, signed) in [(Format::Dingtalk, true), (Format::Feishu, true), (Format::Dingtalk, false)] {
            let robot = Robot::default();
            let sign_secret = signed.then(|| secret.clone());
            let webhook = Webhook { url: url.clone(), format, sign_secret };
            post(&robot, &webhook, &bulletin(), &[], Lang::En).await.unwrap();
            let asked = robot.0.into_inner().unwrap().remove(0);
            let (query, body) = (asked.url.query().unwrap(), std::str::from_utf8(&asked.body).unwrap());
            assert!(query.starts_with("access_token=a"), "{query}");
            assert_eq!(query.contains("&sign="), signed && format == Format::Dingtalk, "{query}");
            assert_eq!(body.contains("\"sign\":"), signed && format == Format::Feishu, "{body}");
            assert!(!query.contains("canary") && !body.contains("canary"));
        }
        let gone = Some(SecretSource::File(folder.path().join("gone")));
        let webhook = Webhook { url, format: Format::Feishu, sign_secret: gone };
        let error = post(&Robot::default(), &webhook, &bulletin(), &[], Lang::En).await.unwrap_err();
        assert!(error.contains("sign_secret") && !error.contains("robot.example"), "{error}");
    }
}
