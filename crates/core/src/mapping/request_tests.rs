//! Is each encoding written as the services read it, and does nothing that people write leave its place?

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::json;
use wxbot_model::Secret;

use super::*;
use crate::mapping::value::Values;
use crate::mapping::{ActionMap, Headers};

/// Texts that would break a request built by joining.
const HOSTILE: &str = "\"},{'</x>\r\nX-Evil: 1\r\n\r\n\0\\ {{secret.KEY}} ../../?a=1&b=2#c %0d%0a 你\u{2028}";

fn values() -> Values {
    Values::new()
        .with("to", HOSTILE)
        .with("text", HOSTILE)
        .with("name", "n")
        .with("user_id", "n")
        .with("user_ids", vec!["1".to_owned(), "2".to_owned()])
        .with("msg_id", "13430535177462202152")
        .with("file_name", "a\"b\r\n.jpg")
        .with("bytes", Datum::Bytes(Bytes::from_static(b"\xff\0\r\n")))
        .with("secret.KEY", Datum::Secret(Secret::new("canary".into())))
}

fn request_of(action: Value, values: &Values) -> Result<HttpRequest, Unwritable> {
    let secrets: BTreeSet<_> = ["KEY".to_owned()].into_iter().collect();
    let map = ActionMap::read(&json!({ "x_any": action }), &secrets).unwrap_or_else(|problems| panic!("{problems:#?}"));
    let headers = Headers::read(&json!({ "authorization": "Bearer {{secret.KEY}}" }), &secrets).unwrap();
    let base = "http://127.0.0.1:30001/gate/?of=nobody#here".parse().unwrap();
    let around = Around { base: &base, headers: &headers.0, boundary: 7 };
    write(&map.variants("x_any")[0], values, around, Duration::from_secs(1))
}

fn body(request: &HttpRequest) -> String {
    String::from_utf8_lossy(&request.body).into_owned()
}

#[test]
fn sec_r16_what_people_write_stays_in_its_place() {
    let action = json!({"path": "/SendTextMsg", "body": {"a": {"b": ["{{text}}"]}, "id": "{{msg_id|int}}", "n": 1, "gone": "{{url?}}"}});
    let request = request_of(action, &values()).unwrap();
    assert_eq!(request.url.as_str(), "http://127.0.0.1:30001/gate/SendTextMsg");
    assert_eq!(request.headers["content-type"], "application/json");
    assert_eq!(request.headers["authorization"], "Bearer canary");
    let sent: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(sent, json!({"a": {"b": [HOSTILE]}, "id": 13_430_535_177_462_202_152_u64, "n": 1}));
    assert!(body(&request).contains("\"id\":13430535177462202152"), "a number token without a float");
    assert!(!format!("{request:?}").contains("canary"));
}

#[test]
fn values_in_an_address_are_one_piece_of_it() {
    let path = |path: &str| request_of(json!({ "path": path }), &values()).unwrap().url.to_string();
    let base = "http://127.0.0.1:30001/gate";
    let encoded = url_encoded(HOSTILE);
    assert!(!encoded.contains(['/', '?', '#', '&', '\r', '\n', ' ', '"']), "{encoded}");
    assert_eq!(path("/a/{{to}}/b"), format!("{base}/a/{encoded}/b"));
    assert_eq!(path("/a?u={{to}}&v=1"), format!("{base}/a?u={encoded}&v=1"));
    assert_eq!(path("/a?u={{to|urlenc}}"), format!("{base}/a?u={encoded}"), "not encoded twice");
    assert_eq!(path("https://other.example/a?u={{to}}"), format!("https://other.example/a?u={encoded}"));
    for climbs in ["..", "."] {
        let up = values().with("to", climbs);
        for path in ["/a/{{to}}/b", "/a/{{to}}", "http://h/{{to}}/b"] {
            assert_eq!(request_of(json!({ "path": path }), &up).unwrap_err(), Unwritable::Leaves, "{path} {climbs}");
        }
        assert_eq!(
            request_of(json!({ "path": "/a/.{{to}}" }), &values().with("to", ".")).unwrap_err(),
            Unwritable::Leaves
        );
    }
}

#[test]
fn a_header_holds_one_line() {
    let action = |value: &str| json!({"path": "/a", "headers": {"x-to": value}});
    let error = request_of(action("{{to}}"), &values()).unwrap_err();
    assert_eq!(error, Unwritable::Header(HeaderName::from_static("x-to")));
    assert!(!format!("{error} {error:?}").contains("Evil"));
    let request = request_of(action("{{name}}-1"), &values()).unwrap();
    assert_eq!(request.headers["x-to"], "n-1");
    assert!(request_of(action("{{url?}}"), &values()).unwrap().headers.get("x-to").is_none());
}

#[test]
fn the_other_encodings() {
    let fields = json!({"a b": "{{text}}", "n": 1, "gone": "{{url?}}"});
    let form = request_of(json!({"path": "/a", "encoding": "form", "body": fields}), &values()).unwrap();
    assert_eq!(form.headers["content-type"], "application/x-www-form-urlencoded");
    let pairs: Vec<_> = url::form_urlencoded::parse(&form.body).into_owned().collect();
    assert_eq!(pairs, [("a b".to_owned(), HOSTILE.to_owned()), ("n".to_owned(), "1".to_owned())]);

    let query =
        request_of(json!({"method": "GET", "path": "/a?v=1", "encoding": "query", "body": fields}), &values()).unwrap();
    assert_eq!((query.method.as_str(), query.body.len()), ("GET", 0));
    let pairs: Vec<_> = query.url.query_pairs().into_owned().collect();
    assert_eq!(pairs.len(), 3);
    assert_eq!(pairs[1], ("a b".to_owned(), HOSTILE.to_owned()));
    assert_eq!(query.url.path(), "/gate/a");

    let raw = request_of(json!({"path": "/a", "encoding": "raw", "body": "{{name}}:{{text}}"}), &values()).unwrap();
    assert_eq!(body(&raw), format!("n:{HOSTILE}"));
    let raw = request_of(json!({"path": "/a", "encoding": "raw", "body": "{{bytes}}"}), &values()).unwrap();
    assert_eq!(&raw.body[..], b"\xff\0\r\n");

    let empty = request_of(json!({"path": "/a"}), &values()).unwrap();
    assert_eq!(
        (body(&empty).as_str(), &empty.headers["content-type"]),
        ("{}", &HeaderValue::from_static("application/json"))
    );
    let get = request_of(json!({"path": "/a", "method": "GET"}), &values()).unwrap();
    assert_eq!((get.body.len(), get.headers.get("content-type")), (0, None));

    let list = json!({"path": "/a", "encoding": "form", "body": {"ids": "{{user_ids}}"}});
    assert_eq!(request_of(list, &values()).unwrap_err(), Unwritable::Field("ids".into()));
    assert_eq!(
        request_of(json!({"path": "/a", "body": {"f": "{{bytes}}"}}), &values()).unwrap_err(),
        Unwritable::Bytes
    );
    let b64 = request_of(json!({"path": "/a", "body": {"f": "{{bytes|b64}}"}}), &values()).unwrap();
    assert_eq!(body(&b64), r#"{"f":"/wANCg=="}"#);
}

#[test]
fn parts_of_a_form_end_only_where_they_end() {
    let action = json!({"path": "/a", "encoding": "multipart", "body": {"file": "{{bytes}}", "t\"x": "{{text}}"}});
    let request = request_of(action, &values()).unwrap();
    let boundary = format!("wxbot-{:032x}", 7);
    assert_eq!(request.headers["content-type"].to_str().unwrap(), format!("multipart/form-data; boundary={boundary}"));
    let mut want =
        format!("--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a%22b%0D%0A.jpg\"\r\n")
            .into_bytes();
    want.extend_from_slice(b"Content-Type: application/octet-stream\r\n\r\n\xff\0\r\n\r\n");
    want.extend_from_slice(
        format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"t%22x\"\r\n\r\n{HOSTILE}\r\n--{boundary}--\r\n"
        )
        .as_bytes(),
    );
    assert_eq!(String::from_utf8_lossy(&request.body), String::from_utf8_lossy(&want));
}

#[test]
fn what_is_missing_is_told_before_anything_is_sent() {
    let error = request_of(json!({"path": "/a", "body": {"u": "{{url}}"}}), &values()).unwrap_err();
    assert_eq!(error.to_string(), "it needs `{{url}}`, which there is none of here");
}

proptest! {
    #[test]
    fn any_text_comes_back_out_of_json_and_never_into_the_address(text in "(\\PC|[\"\\\\{}<>\r\n\0/?#&%]|\\{\\{secret\\.KEY\\}\\}){0,40}") {
        let action = json!({"path": "/x/{{user_id}}", "body": {"t": "{{text}}", "c": "<{{text}}>"}});
        let request = request_of(action, &values().with("text", text.as_str())).unwrap();
        let sent: Value = serde_json::from_slice(&request.body).unwrap();
        prop_assert_eq!(&sent, &json!({"t": &text, "c": format!("<{text}>")}));
        prop_assert_eq!(request.url.as_str(), "http://127.0.0.1:30001/gate/x/n");
        let pathed = request_of(json!({"path": "/x/{{to}}/y"}), &values().with("to", text.as_str()));
        if let Ok(request) = pathed {
            prop_assert_eq!(request.url.path_segments().unwrap().count(), 4);
            prop_assert!(request.url.query().is_none() && request.url.fragment().is_none());
        }
    }
}
