//! Who gets in, and who does not?

use std::net::{IpAddr, Ipv4Addr};

use super::*;
use crate::wecom::Keys;
use crate::wecom::testdata::{fixture, fixture_json};

const NOW_S: i64 = 1_409_659_813;

fn knock<'a>(method: &'a str, query: &'a str, body: &'a Bytes) -> Knock<'a> {
    let from = IpAddr::V4(Ipv4Addr::LOCALHOST);
    Knock { method, query, body, from, now_ms: NOW_S * 1000, unproved: false }
}

fn body(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

fn token(name: &str) -> String {
    fixture_json(name)["token"].as_str().unwrap().to_owned()
}

#[test]
fn sec_r03_a_login_of_another_account_is_refused_and_a_new_one_is_adopted() {
    let tokens = Tokens::new();
    let [a, b] = ["a", "b"].map(|name| GatewayDoor::new(name.into(), Arc::clone(&tokens), Vec::new()));
    let text = body(&fixture("private-text"));
    let keep = |body: &Bytes| Knocked::Keep { body: body.clone(), answer: Reply::json("{}"), mark: String::new() };
    // Nobody has said yet whose login it is: it is the path's.
    assert_eq!(a.knock(&knock("POST", "", &text)), keep(&text));
    assert!(tokens.adopt("a", &token("private-text")));
    assert_eq!(a.knock(&knock("POST", "", &text)), keep(&text));
    assert_eq!(b.knock(&knock("POST", "", &text)), Knocked::Refuse(Refused::WrongAccount));
    assert!(!tokens.adopt("b", &token("private-text")));
    // A new login of `a`, and the old one is still not `b`'s.
    assert!(tokens.adopt("a", "new"));
    assert!(tokens.is_of_another("b", "new") && tokens.is_of_another("b", &token("private-text")));
    assert!(!tokens.is_of_another("b", "") && tokens.adopt("b", "own"));
    // Far more logins than anybody remembers.
    for nth in 0..100 {
        assert!(tokens.adopt("a", &format!("login-{nth}")));
    }
    assert!(!tokens.is_of_another("b", "login-0") && tokens.is_of_another("b", "login-99"));
    assert!(!format!("{tokens:?}{a:?}").contains("login-99"));
}

#[test]
fn what_cannot_be_read_is_kept_and_only_posts_are() {
    let door = GatewayDoor::new("a".into(), Tokens::new(), vec![Secret::new("path".to_owned())]);
    for text in ["", "not json", "{\"token\":", "[[[[", "{}"] {
        let text = body(text);
        assert!(matches!(door.knock(&knock("POST", "", &text)), Knocked::Keep { .. }), "{text:?}");
        assert_eq!(door.knock(&knock("GET", "", &text)), Knocked::Refuse(Refused::Method));
        let unproved = Knock { unproved: true, ..knock("POST", "", &text) };
        assert_eq!(door.knock(&unproved), Knocked::NotOurs);
    }
    assert_eq!(door.secrets().len(), 1);
    assert!(!door.takes_default_path());
}

fn sealed(audience: Audience) -> SealedDoor {
    let receiver = if audience == Audience::Robot { "" } else { "wx5823bf96d3bd56c7" };
    let key = Secret::new("jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C".to_owned());
    let keys = Keys::new(Secret::new("QDG6eK".to_owned()), &key, receiver.to_owned()).unwrap();
    SealedDoor::new(Arc::new(Callback::new(keys, audience, "agent".parse().unwrap())), Vec::new())
}

/// A query and body as the service sends them.
fn posted(door: &SealedDoor, inner: &str, at_s: i64, nonce: &str) -> (String, Bytes) {
    let sealed = door.callback.keys().seal(inner, [7; 16], at_s, nonce);
    let query = format!("msg_signature={}&timestamp={at_s}&nonce={nonce}", sealed.signature);
    let text = if door.callback.audience() == Audience::Robot { sealed.json() } else { sealed.xml() };
    (query, body(&text))
}

const INNER: &str = "<xml><FromUserName>li</FromUserName><CreateTime>1</CreateTime><MsgType>text</MsgType><Content>hi</Content><MsgId>5</MsgId></xml>";

#[test]
fn the_published_verification_is_answered_and_a_forged_one_is_not() {
    let door = sealed(Audience::Application);
    let query = "msg_signature=5c45ff5e21c57e6ad56bac8758b79b1d9ac89fd3&timestamp=1409659589&nonce=263014780&echostr=P9nAzCzyDtyTWESHep1vC5X9xho%2FqYX3Zpb4yKa9SKld1DsH3Iyt3tP3zNdtp%2B4RPcs8TgAE7OaBO%2BFZXvnaqQ%3D%3D";
    let none = Bytes::new();
    assert_eq!(door.knock(&knock("GET", query, &none)), Knocked::Answer(Reply::text("1616140317555161061")));
    let forged = query.replace("5c45", "5c46");
    assert_eq!(door.knock(&knock("GET", &forged, &none)), Knocked::Refuse(Refused::BadSignature));
    assert_eq!(door.knock(&knock("GET", "", &none)), Knocked::Refuse(Refused::Unreadable));
    assert_eq!(door.knock(&knock("PUT", query, &none)), Knocked::Refuse(Refused::Method));
}

#[test]
fn sec_r04_forged_stale_and_foreign_bodies_are_refused_before_anything_is_kept() {
    for audience in [Audience::Application, Audience::Robot] {
        let door = sealed(audience);
        let (query, text) = posted(&door, INNER, NOW_S, "n1");
        let answer = if audience == Audience::Robot { "" } else { "success" };
        let kept = door.knock(&knock("POST", &query, &text));
        let Knocked::Keep { body: inner, answer: reply, mark } = kept else { panic!("{kept:?}") };
        assert_eq!((inner.as_ref(), reply), (INNER.as_bytes(), Reply::text(answer)));
        assert!(mark.starts_with("n1:"));
        let forged = query.replace("nonce=n1", "nonce=n2");
        assert_eq!(door.knock(&knock("POST", &forged, &text)), Knocked::Refuse(Refused::BadSignature));
        assert_eq!(door.knock(&knock("POST", "", &text)), Knocked::Refuse(Refused::BadSignature));
        assert_eq!(door.knock(&knock("POST", &query, &body("<xml/>"))), Knocked::Refuse(Refused::Unreadable));
        let (late, text) = posted(&door, INNER, NOW_S - 301, "n3");
        assert_eq!(door.knock(&knock("POST", &late, &text)), Knocked::Refuse(Refused::Stale));
    }
    // Sealed with our keys, for somebody else.
    let (query, text) = posted(&sealed(Audience::Robot), INNER, NOW_S, "n");
    let encrypt = serde_json::from_slice::<serde_json::Value>(&text).unwrap()["encrypt"].as_str().unwrap().to_owned();
    let text = body(&format!("<xml><Encrypt>{encrypt}</Encrypt></xml>"));
    let refused = sealed(Audience::Application).knock(&knock("POST", &query, &text));
    assert_eq!(refused, Knocked::Refuse(Refused::WrongAccount));
}

#[test]
fn sec_r04_a_repeat_is_answered_and_kept_once_but_only_after_it_was_kept() {
    let door = sealed(Audience::Application);
    let (query, text) = posted(&door, INNER, NOW_S, "n1");
    let Knocked::Keep { mark, .. } = door.knock(&knock("POST", &query, &text)) else { panic!() };
    // The store refused: the service repeats it, and it is taken.
    assert!(matches!(door.knock(&knock("POST", &query, &text)), Knocked::Keep { .. }));
    door.kept(&mark, NOW_S * 1000);
    assert_eq!(door.knock(&knock("POST", &query, &text)), Knocked::Answer(Reply::text("success")));
}
