//! Do the published samples open, and nothing else?

use super::*;
use crate::said::xml;

const TOKEN: &str = "QDG6eK";
const AES_KEY: &str = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C";
const CORP: &str = "wx5823bf96d3bd56c7";
const ECHO: &str = "P9nAzCzyDtyTWESHep1vC5X9xho/qYX3Zpb4yKa9SKld1DsH3Iyt3tP3zNdtp+4RPcs8TgAE7OaBO+FZXvnaqQ==";
const ENCRYPT: &str = "RypEvHKD8QQKFhvQ6QleEB4J58tiPdvo+rtK1I9qca6aM/wvqnLSV5zEPeusUiX5L5X/0lWfrf0QADHHhGd3QczcdCUpj911L3vg3W/sYYvuJTs3TUUkSUXxaccAS0qhxchrRYt66wiSpGLYL42aM6A8dTT+6k4aSknmPj48kzJs8qLjvd4Xgpue06DOdnLxAUHzM6+kDZ+HMZfJYuR+LtwGc2hgf5gsijff0ekUNXZiqATP7PF5mZxZ3Izoun1s4zG4LUMnvw2r+KqCKIw+3IQH03v+BCA9nMELNqbSf6tiWSrXJB3LAVGUcallcrw8V2t9EL4EhzJWrQUax5wLVMNS0+rUPA3k22Ncx4XXZS9o0MBH27Bo6BpNelZpS+/uh9KsNlY6bHCmJU9p8g7m3fVKn28H3KDYA5Pl/T8Z1ptDAVe0lXdQ2YoyyH2uyPIGHBZZIs2pDBS8R07+qN+E7Q==";

fn keys(token: &str, aes_key: &str, receive_id: &str) -> Result<Keys, KeyError> {
    Keys::new(Secret::new(token.to_owned()), &Secret::new(aes_key.to_owned()), receive_id.to_owned())
}

fn corp() -> Keys {
    keys(TOKEN, AES_KEY, CORP).unwrap()
}

fn query(signature: &str, timestamp: &str, nonce: &str) -> Query {
    Query { msg_signature: signature.into(), timestamp: timestamp.into(), nonce: nonce.into(), echostr: String::new() }
}

fn second() -> Query {
    query("477715d11cdb4164915debcba66cb864d751f3e6", "1409659813", "1372623149")
}

#[test]
fn sec_r04_the_published_verification_opens() {
    let sent = "msg_signature=5c45ff5e21c57e6ad56bac8758b79b1d9ac89fd3&timestamp=1409659589&nonce=263014780&echostr=\
        P9nAzCzyDtyTWESHep1vC5X9xho%2FqYX3Zpb4yKa9SKld1DsH3Iyt3tP3zNdtp%2B4RPcs8TgAE7OaBO%2BFZXvnaqQ%3D%3D";
    let query = Query::parse(sent);
    assert_eq!(query.echostr, ECHO);
    assert_eq!(corp().echo(&query, 1_409_659_589).as_deref(), Ok("1616140317555161061"));
    assert_eq!(Query::parse(&sent.replace("%2B", "+")), query, "a plus that nobody encoded");
    assert_eq!(corp().echo(&Query::parse(""), 0), Err(CallbackError::Form));
}

#[test]
fn sec_r04_the_published_message_opens() {
    let msg = corp().open(&second(), ENCRYPT, 1_409_659_813 + 300).unwrap();
    assert_eq!(msg.len(), 284);
    let root = xml::parse(&msg).unwrap();
    let words = ["FromUserName", "CreateTime", "MsgType", "Content", "MsgId", "AgentID"].map(|name| root.words(name));
    assert_eq!(words, ["mycreate", "1409659813", "text", "hello", "4561255354251345929", "218"]);
}

#[test]
fn sec_r04_nothing_else_opens() {
    let open = |keys: &Keys, query: &Query, encrypt: &str, now_s| keys.open(query, encrypt, now_s).unwrap_err();
    let now_s = 1_409_659_813;
    let signed = |encrypt: &str, keys: &Keys| {
        let signature = keys.signature("1409659813", "n", encrypt);
        open(keys, &query(&signature, "1409659813", "n"), encrypt, now_s)
    };
    for at in 0..ENCRYPT.len() {
        let mut spoilt = ENCRYPT.to_owned();
        spoilt.replace_range(at..=at, if &ENCRYPT[at..=at] == "A" { "B" } else { "A" });
        assert_eq!(open(&corp(), &second(), &spoilt, now_s), CallbackError::Forged, "byte {at}");
    }
    let other = |signature: &str| open(&corp(), &query(signature, "1409659813", "1372623149"), ENCRYPT, now_s);
    assert_eq!(other(""), CallbackError::Forged);
    assert_eq!(other("477715d11cdb4164915debcba66cb864d751f3e7"), CallbackError::Forged);
    assert_eq!(other("477715d11cdb4164915debcba66cb864d751f3e6 "), CallbackError::Forged);
    assert_eq!(open(&corp(), &second(), ENCRYPT, now_s + 301), CallbackError::Stale);
    assert_eq!(open(&corp(), &second(), ENCRYPT, now_s - 301), CallbackError::Stale);
    assert_eq!(open(&keys(TOKEN, AES_KEY, "ww1").unwrap(), &second(), ENCRYPT, now_s), CallbackError::Receiver);
    assert_eq!(open(&keys("other", AES_KEY, CORP).unwrap(), &second(), ENCRYPT, now_s), CallbackError::Forged);
    // Signed well, sealed badly: nobody can tell it from a wrong signature.
    let other_key = keys(TOKEN, &"A".repeat(43), CORP).unwrap();
    assert_eq!(signed(ENCRYPT, &other_key), CallbackError::Forged);
    for (name, encrypt) in [("not Base64", "***"), ("not whole blocks", "AAAA"), ("cut", &ENCRYPT[..64])] {
        assert_eq!(signed(encrypt, &corp()), CallbackError::Forged, "{name}");
    }
    assert_eq!(signed("", &corp()), CallbackError::Form);
}

#[test]
fn sec_r04_the_padding_is_1_to_32_and_whole() {
    let keys = corp();
    // Seals these bytes as they are.
    let sealed = |plain: &[u8]| {
        let mut bytes = plain.to_vec();
        let mut cipher = cbc::Encryptor::<Aes256>::new(keys.aes_key.expose().into(), &keys.iv().into());
        for chunk in bytes.chunks_exact_mut(BLOCK) {
            cipher.encrypt_block(chunk.try_into().unwrap());
        }
        BASE64.encode(&bytes)
    };
    let plain = |pad: &[u8]| {
        let mut bytes = [&[7; 16][..], &[0, 0, 0, 2], b"hi", CORP.as_bytes()].concat();
        bytes.resize(64 - pad.len(), b'x');
        [bytes, pad.to_vec()].concat()
    };
    let opens = |pad: &[u8]| keys.decrypted(&sealed(&plain(pad))).map(|bytes| bytes.len());
    assert_eq!(opens(&[1]), Some(63));
    assert_eq!(opens(&[17; 17]), Some(47));
    assert_eq!(opens(&[32; 32]), Some(32));
    for (name, pad) in [("0", vec![0]), ("33", vec![33; 33]), ("not all", vec![3, 2, 3]), ("255", vec![255])] {
        assert_eq!(opens(&pad), None, "{name}");
    }
    let mut long = plain(&[1]);
    long[16..20].copy_from_slice(&u32::MAX.to_be_bytes());
    assert_eq!(parts(&long), None, "a length that does not fit");
    assert_eq!(parts(&[0; 19]), None);
}

#[test]
fn what_is_sealed_opens_again() {
    let keys = corp();
    let mut pads = std::collections::BTreeSet::new();
    for len in 0..=70 {
        let msg = "m".repeat(len);
        let sealed = keys.seal(&msg, [b'r'; 16], 1000, "nonce");
        let bytes = BASE64.decode(&sealed.encrypt).unwrap();
        assert_eq!(bytes.len() % 32, 0);
        pads.insert(bytes.len() - HEAD - len - CORP.len());
        let query = query(&sealed.signature, &sealed.timestamp, &sealed.nonce);
        assert_eq!(keys.open(&query, &sealed.encrypt, 1000), Ok(msg), "{len}");
    }
    assert!(pads.iter().copied().eq(1..=32), "{pads:?}");
    let sealed = keys.seal("你好", [1; 16], 7, "n");
    let root = xml::parse(&sealed.xml()).unwrap();
    assert_eq!((root.words("Encrypt"), root.words("MsgSignature")), (&*sealed.encrypt, &*sealed.signature));
    let json: serde_json::Value = serde_json::from_str(&sealed.json()).unwrap();
    assert_eq!((&json["msgsignature"], &json["timestamp"]), (&sealed.signature.clone().into(), &"7".into()));
}

#[test]
fn keys_of_settings() {
    let hex = hex::encode(corp().aes_key.expose());
    assert_eq!(hex, "8d69989bbaabe67328014c194631ad0719b3dca035b64023df292447aab60760");
    for (name, token, key, want) in [
        ("short", TOKEN, &AES_KEY[1..], KeyError::Length { len: 42 }),
        ("not Base64", TOKEN, &AES_KEY.replace('j', "*"), KeyError::Base64),
        ("no token", "", AES_KEY, KeyError::Token),
    ] {
        assert_eq!(keys(token, key, CORP).unwrap_err(), want, "{name}");
    }
    // The last character has two bits that nobody reads.
    let odd = format!("{}D", &AES_KEY[..42]);
    assert_eq!(keys(TOKEN, &odd, CORP).unwrap().aes_key, corp().aes_key);
}

#[test]
fn sec_r19_keys_have_no_text() {
    let shown = format!("{:?}", corp());
    assert!(!shown.contains(TOKEN) && !shown.contains("jWmY") && shown.contains(CORP), "{shown}");
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_refused(bytes: Vec<u8>, query in ".{0,40}") {
        let keys = corp();
        proptest::prop_assert!(keys.open(&Query::parse(&query), &String::from_utf8_lossy(&bytes), 0).is_err());
        drop(keys.decrypted(&BASE64.encode(&bytes)));
        parts(&bytes);
    }
}
