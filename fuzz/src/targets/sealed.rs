//! Is a sealed callback opened only when it is genuine, and read whatever stands in it?

use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest as _, Sha1};
use wxbot_core::lenient::hex;
use wxbot_core::wecom::callback::Audience;
use wxbot_core::wecom::{Callback, CallbackError, Keys, Query};
use wxbot_model::{PeerId, Secret};

// Of the service's own documentation.
const TOKEN: &str = "QDG6eK";
const AES_KEY: &str = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C";
const CORP: &str = "wx5823bf96d3bd56c7";
const NOW_S: i64 = 1_409_659_813;

#[expect(clippy::expect_used, reason = "the published keys are keys, and a word is an id")]
fn callback(audience: Audience) -> Callback {
    let key = Secret::new(AES_KEY.to_owned());
    let keys = Keys::new(Secret::new(TOKEN.to_owned()), &key, CORP.to_owned()).expect("the published keys");
    let me: PeerId = "self".parse().expect("a word");
    Callback::new(keys, audience, me)
}

fn both() -> &'static [Callback; 2] {
    static BOTH: OnceLock<[Callback; 2]> = OnceLock::new();
    BOTH.get_or_init(|| [callback(Audience::Application), callback(Audience::Robot)])
}

/// What whoever knows the token, but not the key, can do: sign any bytes.
fn signed(encrypt: &str) -> Query {
    let (timestamp, nonce) = (NOW_S.to_string(), "n".to_owned());
    let mut parts = [TOKEN, &timestamp, &nonce, encrypt];
    parts.sort_unstable();
    let msg_signature = hex::encode(&Sha1::digest(parts.concat()));
    Query { msg_signature, timestamp, nonce, echostr: String::new() }
}

/// A query and a body, as they come; then the input as what is sealed, signed in two ways.
pub(super) fn sealed(input: &[u8]) {
    let [application, robot] = both();
    let line = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let (query, body) = input.split_at(line);
    let query = Query::parse(&String::from_utf8_lossy(query));
    let body = body.get(1..).unwrap_or_default();
    for callback in [application, robot] {
        assert!(callback.unsealed(&query, body, NOW_S).is_err(), "nobody draws a signature");
        drop(callback.keys().echo(&query, NOW_S));
    }
    // Genuine, and opened as it was.
    let keys = application.keys();
    if let Ok(text) = std::str::from_utf8(input) {
        let sealed = keys.seal(text, [7; 16], NOW_S, "n");
        let query = Query::parse(&format!("msg_signature={}&timestamp={NOW_S}&nonce=n", sealed.signature));
        assert_eq!(keys.open(&query, &sealed.encrypt, NOW_S).as_deref(), Ok(text), "what is sealed opens");
        assert_eq!(application.unsealed(&query, sealed.xml().as_bytes(), NOW_S).as_deref(), Ok(text), "also in XML");
        assert_eq!(robot.unsealed(&query, sealed.json().as_bytes(), NOW_S).as_deref(), Ok(text), "also in JSON");
        assert_eq!(keys.open(&query, &sealed.encrypt, NOW_S + 301), Err(CallbackError::Stale));
    }
    // Signed, and not sealed by us: never told apart from a wrong signature.
    let encrypt = STANDARD.encode(input);
    let opened = keys.open(&signed(&encrypt), &encrypt, NOW_S);
    let quiet =
        matches!(opened, Err(CallbackError::Forged)) || (input.is_empty() && opened == Err(CallbackError::Form));
    assert!(quiet, "a wrong padding is told as a wrong signature: {opened:?}");
}

/// What stands in an opened one: XML for applications, JSON for robots.
pub(super) fn opened(input: &[u8]) {
    let inner = String::from_utf8_lossy(input);
    for callback in both() {
        let (read, _) = callback.read(&inner, NOW_S);
        assert_eq!(read.events.len(), 1, "a genuine body is an event, whatever stands in it");
    }
}
