//! How does a robot know that a post is from whoever set it up? DingTalk and Feishu give each robot a secret, which the
//! time is signed with; both refuse what was signed more than an hour ago.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use serde_json::{Value, json};
use url::Url;
use wxbot_model::Secret;
use wxbot_runtime::alerts::Format;

/// Signs a post: DingTalk reads it in the address, Feishu in the body. Nothing is changed for robots that sign nothing.
pub(super) fn sign(format: Format, secret: &Secret<String>, now_ms: i64, url: &mut Url, body: &mut Value) {
    let secret = secret.expose().as_str();
    match format {
        Format::Dingtalk => {
            let sign = mac(secret, &format!("{now_ms}\n{secret}"));
            url.query_pairs_mut().append_pair("timestamp", &now_ms.to_string()).append_pair("sign", &sign);
        }
        Format::Feishu => {
            let now_s = now_ms.div_euclid(1_000);
            // The other way round than DingTalk: what is signed is the key, and the message is empty.
            let sign = mac(&format!("{now_s}\n{secret}"), "");
            if let Value::Object(body) = body {
                body.insert("timestamp".to_owned(), json!(now_s.to_string()));
                body.insert("sign".to_owned(), json!(sign));
            }
        }
        Format::Json | Format::Wecom => {}
    }
}

fn mac(key: &str, message: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
    STANDARD.encode(hmac::sign(&key, message.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: i64 = 1_780_000_000_123;

    fn signed(format: Format) -> (String, Value) {
        let mut url = Url::parse("https://robot.example/send?access_token=a").unwrap();
        let mut body = json!({ "msg": "x" });
        sign(format, &Secret::new("SECcanary".to_owned()), NOW_MS, &mut url, &mut body);
        assert!(
            !url.as_str().contains("canary") && !body.to_string().contains("canary"),
            "the secret itself stays here"
        );
        (url.query().unwrap().to_owned(), body)
    }

    /// As Python's `hmac` and `base64` have it after the two services' own descriptions.
    #[test]
    fn each_robot_gets_the_signature_where_it_looks_for_it() {
        let plain = json!({ "msg": "x" });
        let query = "access_token=a&timestamp=1780000000123&sign=57dpeus0WB9BrnwZfhvYGZdSK0IZKjApVtoj90DLd0E%3D";
        assert_eq!(signed(Format::Dingtalk), (query.to_owned(), plain.clone()));
        let sign = "ePIw9SbXuOZZYTczgb+7iFRK0puLCM55+jWoq0aCwTc=";
        let body = json!({ "msg": "x", "timestamp": "1780000000", "sign": sign });
        assert_eq!(signed(Format::Feishu), ("access_token=a".to_owned(), body));
        for format in [Format::Json, Format::Wecom] {
            assert_eq!(signed(format), ("access_token=a".to_owned(), plain.clone()));
        }
    }
}
