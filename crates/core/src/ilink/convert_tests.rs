//! Does each message become what it says, whatever form it has?

use bytes::Bytes;
use http::HeaderMap;
use serde_json::{Value, json};
use wxbot_model::MediaKind;

use super::*;
use crate::ilink::endpoint::GETUPDATES;
use crate::ilink::testdata;
use crate::ilink::testing::{BOT, OWNER, peer};
use crate::ilink::wire::{self, answer::Updates};
use crate::transport::HttpResponse;

const NOW_MS: i64 = 1_795_300_000_000;

fn updates(body: &str) -> Updates {
    let answer = HttpResponse { status: 200, headers: HeaderMap::new(), body: Bytes::from(body.to_owned()) };
    wire::read(&GETUPDATES, &answer).unwrap()
}

/// What a batch tells somebody who remembers this.
fn told_to(memory: &mut Memory, body: &str) -> Vec<Incoming> {
    let me = peer(BOT);
    let updates = updates(body);
    let scene = |position| Scene { me: &me, now_ms: NOW_MS, position };
    updates.msgs.iter().enumerate().flat_map(|(position, raw)| message(raw, scene(position), memory)).collect()
}

fn told(name: &str) -> Vec<Incoming> {
    told_to(&mut Memory::default(), &testdata::text(name))
}

fn said(incoming: &Incoming) -> &Message {
    let EventKind::Message(message) = &incoming.kind else { panic!("{incoming:?}") };
    message
}

/// The one event of a fixture.
fn only(name: &str) -> Content {
    let mut told = told(name);
    assert_eq!(told.len(), 1, "{name}: {told:?}");
    said(&told.remove(0)).content.clone()
}

fn text(text: &str) -> Content {
    Content::Text { text: text.into() }
}

// cov: getupdates-text.resp
#[test]
fn a_text() {
    let told = told("getupdates-text.resp");
    assert_eq!(
        told,
        [Incoming {
            key: "id:7497484083968569001".parse().unwrap(),
            chat: peer(OWNER),
            sender: Some(peer(OWNER)),
            at_s: 1_795_200_000,
            kind: EventKind::Message(Message {
                id: "7497484083968569001".parse().unwrap(),
                from_self: false,
                content: text("你好，wxbot 👋"),
                mentions: Mentions::default(),
            }),
        }]
    );
}

// cov: getupdates-sparse.resp
#[test]
fn a_message_with_little_in_it() {
    let told = told("getupdates-sparse.resp");
    assert_eq!((told.len(), told[0].at_s), (1, NOW_MS / 1000), "no time: ours");
    assert_eq!(said(&told[0]).content, text("sparse"));
}

/// What is known of bytes but the kind and the length.
fn handle(content: &Content) -> (Option<u64>, Value) {
    let media = content.media().unwrap();
    assert!(!format!("{media:?}").contains("RXhhbXBs"), "an address that opens without a key: {media:?}");
    (media.stated_len, json!(media.params))
}

const PARAM: &str = "RXhhbXBsZURvd25sb2FkUGFyYW0-_0001";
const URL: &str = "https://novac2c.cdn.weixin.qq.com/c2c/download?encrypted_query_param=RXhhbXBsZURvd25sb2FkUGFyYW0-_0001&taskid=0011223344556677";
const KEY: &str = "AAECAwQFBgcICQoLDA0ODw==";
const KEY_OF_DIGITS: &str = "MDAwMTAyMDMwNDA1MDYwNzA4MDkwYTBiMGMwZDBlMGY=";
const DIGITS: &str = "000102030405060708090a0b0c0d0e0f";

// cov: getupdates-image.resp getupdates-image-no-full-url.resp getupdates-image-plain.resp
#[test]
fn pictures() {
    let image = only("getupdates-image.resp");
    assert_eq!(image.media().unwrap().kind, MediaKind::Image);
    assert_eq!(image.media().unwrap().reference, "id:7497484083968569002#0");
    let want = json!({"encrypt_query_param": PARAM, "full_url": URL, "aes_key": KEY, "aeskey": DIGITS});
    assert_eq!(handle(&image), (Some(48), want));
    let want = json!({"encrypt_query_param": PARAM, "aes_key": KEY});
    assert_eq!(handle(&only("getupdates-image-no-full-url.resp")), (Some(48), want));
    let want = json!({"encrypt_query_param": PARAM, "full_url": URL});
    assert_eq!(handle(&only("getupdates-image-plain.resp")), (Some(34), want), "no key: the bytes are plain");
}

// cov: getupdates-voice-transcript.resp getupdates-voice-no-transcript.resp
#[test]
fn speech() {
    let voice = only("getupdates-voice-transcript.resp");
    let Content::Voice { length_ms: 2380, transcript: Some(transcript), media } = &voice else { panic!("{voice:?}") };
    assert_eq!((transcript.as_str(), media.kind), ("明天早上八点叫我", MediaKind::Voice));
    assert!(voice.summary().contains("明天早上八点叫我"), "{}", voice.summary());
    let want = json!({"encrypt_query_param": PARAM, "full_url": URL, "aes_key": KEY_OF_DIGITS, "encode_type": "6", "sample_rate": "24000"});
    assert_eq!(handle(&voice), (None, want));

    let silent = only("getupdates-voice-no-transcript.resp");
    assert!(matches!(&silent, Content::Voice { length_ms: 1200, transcript: None, .. }), "{silent:?}");
    let (len, params) = handle(&silent);
    assert_eq!((len, &params["encode_type"], &params["sample_rate"]), (Some(4760), &json!("4"), &json!("16000")));
}

// cov: getupdates-file.resp getupdates-file-bad-name.resp
#[test]
fn files() {
    let file = only("getupdates-file.resp");
    let Content::File(File { name, len: Some(34), media }) = &file else { panic!("{file:?}") };
    assert_eq!((name.as_str(), media.kind), ("报告.txt", MediaKind::File));
    let (_, params) = handle(&file);
    assert_eq!(params["md5"], "e91494dae7adbf9fcf4c35f6e84b4a02");
    assert_eq!((&params["file_name"], &params["aes_key"]), (&json!("报告.txt"), &json!(KEY_OF_DIGITS)));

    let bad = only("getupdates-file-bad-name.resp");
    let Content::File(File { name, media, .. }) = &bad else { panic!("{bad:?}") };
    assert_eq!((name.as_str(), media.params["file_name"].as_str()), ("x.txt", "x.txt"));
}

// cov: getupdates-video.resp
#[test]
fn films() {
    let video = only("getupdates-video.resp");
    let Content::Video { media, thumb: Some(thumb), length_s: 5, short: false } = &video else { panic!("{video:?}") };
    assert_eq!(
        (media.kind, media.stated_len, thumb.kind, thumb.stated_len),
        (MediaKind::Video, Some(48), MediaKind::Thumbnail, Some(32))
    );
    assert_eq!(media.params["md5"], "e91494dae7adbf9fcf4c35f6e84b4a02");
    assert_eq!(thumb.params["full_url"], URL);
    assert_ne!(media.reference, thumb.reference);
}

fn quote(content: &Content) -> (&str, Option<&str>, &str, &str) {
    let Content::Quote(Quote { text, quoted }) = content else { panic!("{content:?}") };
    (text, quoted.msg.as_ref().map(MsgId::as_str), &quoted.kind, &quoted.text)
}

const FIRST: &str = "7497484083968569001";

/// Somebody who was told a message of this id, in this conversation.
fn knowing(chat: &str, words: &str) -> Memory {
    let mut memory = Memory::default();
    memory.note_said(Said { id: FIRST.into(), chat: peer(chat), kind: "text".into(), text: words.into() });
    memory
}

// cov: getupdates-quote-full.resp getupdates-quote-empty.resp getupdates-quote-type8.resp
#[test]
fn quotes_that_bring_what_they_mean_or_nothing() {
    assert_eq!(quote(&only("getupdates-quote-full.resp")), ("同意", None, "text", "几点开会？三点可以吗"));
    assert_eq!(quote(&only("getupdates-quote-empty.resp")), ("?", None, "", ""));
    assert_eq!(quote(&only("getupdates-quote-type8.resp")), ("?", None, "8", ""));
}

// cov: getupdates-quote-item-id.resp getupdates-quote-svr-id.resp
#[test]
fn quotes_that_bring_an_id_are_looked_up_in_their_conversation() {
    for name in ["getupdates-quote-item-id.resp", "getupdates-quote-svr-id.resp"] {
        let read = |mut memory: Memory| {
            let told = told_to(&mut memory, &testdata::text(name));
            assert_eq!(told.len(), 1, "{name}");
            said(&told[0]).content.clone()
        };
        assert_eq!(quote(&read(knowing(OWNER, "早"))), ("这条", Some(FIRST), "text", "早"), "{name}");
        assert_eq!(quote(&read(Memory::default())), ("这条", Some(FIRST), "", ""), "{name}: not known");
        let elsewhere = knowing("o9cq80Zq1aExampleUser0000002@im.wechat", "secret");
        assert_eq!(quote(&read(elsewhere)), ("这条", Some(FIRST), "", ""), "{name}: said to somebody else");
    }
    // As it comes: the message, then the quote of it.
    let mut memory = Memory::default();
    told_to(&mut memory, &testdata::text("getupdates-text.resp"));
    let told = told_to(&mut memory, &testdata::text("getupdates-quote-svr-id.resp"));
    assert_eq!(quote(&said(&told[0]).content).3, "你好，wxbot 👋");
}

// cov: getupdates-quote-partial.resp
#[test]
fn a_part_of_a_message_is_quoted() {
    let read = |memory: &mut Memory| {
        let told = told_to(memory, &testdata::text("getupdates-quote-partial.resp"));
        said(&told[0]).content.clone()
    };
    let whole = "几点开会？三点可以吗，三点不行就四点可以";
    assert_eq!(quote(&read(&mut knowing(OWNER, whole))), ("改四点", Some(FIRST), "text", "三点可以"));
    assert_eq!(quote(&read(&mut knowing(OWNER, "别的"))).3, "别的", "not in it: all of it");
    assert_eq!(quote(&read(&mut Memory::default())).3, "三点…可以", "not known: its ends");
}

// cov: getupdates-voice-quote.resp
#[test]
fn speech_that_quotes_is_speech_and_a_quote() {
    let told = told("getupdates-voice-quote.resp");
    assert_eq!(told.len(), 2);
    assert!(matches!(&said(&told[0]).content, Content::Voice { transcript: Some(text), .. } if text == "好的"));
    assert_eq!(quote(&said(&told[1]).content), ("", None, "text", "去吗"));
    assert_eq!(said(&told[0]).id, said(&told[1]).id);
    assert_ne!(told[0].key, told[1].key);
}

// cov: getupdates-multi-item.resp
#[test]
fn each_item_is_an_event() {
    let told = told("getupdates-multi-item.resp");
    let kinds: Vec<_> = told.iter().map(|incoming| said(incoming).content.kind()).collect();
    assert_eq!(kinds, ["text", "image"]);
    let keys: Vec<_> = told.iter().map(|incoming| incoming.key.as_str()).collect();
    assert_eq!(keys, ["id:7497484083968569017", "id:7497484083968569017#1"]);
    assert_eq!(said(&told[0]).content, text("看图"));
}

// cov: getupdates-unknown-item.resp getupdates-unknown-enums.resp
#[test]
fn what_is_not_known_is_kept_and_stops_nothing() {
    let told = told("getupdates-unknown-item.resp");
    assert_eq!(told.len(), 2);
    let Content::Unknown { msg_type: 99, raw } = &said(&told[0]).content else { panic!("{told:?}") };
    assert_eq!(serde_json::from_str::<Value>(raw).unwrap()["future_item"], json!({"a": 1}));
    assert_eq!(said(&told[1]).content, text("after unknown"));

    let Content::Unknown { msg_type: 9, raw } = only("getupdates-unknown-enums.resp") else { panic!() };
    let raw: Value = serde_json::from_str(&raw).unwrap();
    assert_eq!((&raw["message_state"], &raw["item_list"][0]["text_item"]["text"]), (&json!(7), &json!("x")));
    assert_eq!(raw.get("context_token"), None, "whoever has it may answer in our name");
}

// cov: getupdates-own.resp
#[test]
fn our_own_words_are_no_event_but_may_be_quoted() {
    let mut memory = Memory::default();
    assert_eq!(told_to(&mut memory, &testdata::text("getupdates-own.resp")), []);
    assert_eq!(memory.said(&peer(OWNER), "7497484083968569021").unwrap().text, "我自己发的");
    assert!(memory.context_token(&peer(BOT)).is_none() && memory.context_token(&peer(OWNER)).is_none());
}

// cov: getupdates-ids-as-text.resp getupdates-id-over-i64.resp
#[test]
fn ids_are_never_rounded() {
    for (name, id) in [
        ("getupdates-ids-as-text.resp", "7497484083968569022"),
        ("getupdates-id-over-i64.resp", "18446744073709551615"),
    ] {
        let told = told(name);
        assert_eq!((said(&told[0]).id.as_str(), told[0].key.as_str()), (id, format!("id:{id}").as_str()), "{name}");
    }
}

// cov: getupdates-no-ids-equal.resp
#[test]
fn equal_messages_without_ids_are_two() {
    let told = told("getupdates-no-ids-equal.resp");
    assert_eq!(told.len(), 2);
    assert_ne!(told[0].key, told[1].key);
    assert!(told.iter().all(|incoming| said(incoming).content == text("在吗")));
    let again = self::told("getupdates-no-ids-equal.resp");
    assert_eq!(again, told, "and the same two when the batch comes again");
}

// cov: getupdates-duplicate-1.resp getupdates-duplicate-2.resp
#[test]
fn a_copy_has_the_same_key_and_brings_its_token() {
    let mut memory = Memory::default();
    let first = told_to(&mut memory, &testdata::text("getupdates-duplicate-1.resp"));
    let token = memory.context_token(&peer(OWNER)).unwrap().expose().clone();
    let copy = told_to(&mut memory, &testdata::text("getupdates-duplicate-2.resp"));
    assert_eq!(first, copy);
    let newer = memory.context_token(&peer(OWNER)).unwrap().expose();
    assert!(token.contains("0001") && newer.contains("0002"), "{}", token == *newer);
}

// cov: getupdates-batch-two-users.resp
#[test]
fn two_people_have_two_conversations_and_tokens() {
    let mut memory = Memory::default();
    let told = told_to(&mut memory, &testdata::text("getupdates-batch-two-users.resp"));
    let other = "o9cq80Zq1aExampleUser0000002@im.wechat";
    let seen: Vec<_> = told.iter().map(|incoming| (incoming.chat.as_str(), said(incoming).content.clone())).collect();
    assert_eq!(seen, [(OWNER, text("A1")), (other, text("B1")), (OWNER, text("A2"))]);
    assert!(memory.context_token(&peer(OWNER)).unwrap().expose().ends_with('b'), "the newest");
    assert!(memory.context_token(&peer(other)).unwrap().expose().ends_with('A'));
}

// cov: getupdates-group-id.resp
#[test]
fn a_message_of_a_room_is_nobodys_private_one() {
    let mut memory = Memory::default();
    let told = told_to(&mut memory, &testdata::text("getupdates-group-id.resp"));
    assert_eq!((told[0].chat.as_str(), told[0].sender.as_ref().unwrap().as_str()), ("12345@im.chatroom", OWNER));
    assert!(memory.context_token(&peer(OWNER)).is_none() && memory.context_token(&peer("12345@im.chatroom")).is_some());
}

fn batch(messages: &Value) -> String {
    json!({"ret": 0, "msgs": messages}).to_string()
}

#[test]
fn keys_of_messages_without_an_id() {
    let key = |message: Value| told_to(&mut Memory::default(), &batch(&json!([message])))[0].key.to_string();
    let from = |mut more: Value| {
        more["from_user_id"] = json!("a@im.wechat");
        more
    };
    assert_eq!(key(from(json!({"message_id": 7, "client_id": "c", "seq": 1}))), "id:7");
    assert_eq!(key(from(json!({"message_id": 0, "client_id": "c", "seq": 1}))), "client:a@im.wechat:c");
    assert_eq!(key(from(json!({"client_id": "", "seq": 12}))), "seq:12");
    assert!(key(from(json!({"client_id": "x".repeat(600)}))).starts_with('h'), "too long for a key");
    assert!(key(from(json!({}))).starts_with('h'));
    // A float would be a rounded id: none at all.
    assert_eq!(key(from(json!({"message_id": 1e30, "seq": 3}))), "seq:3");
}

#[test]
fn odd_messages_are_kept_and_stop_nothing() {
    let good = json!({"message_id": 1, "from_user_id": "a@im.wechat", "item_list": [{"type": 1, "text_item": {"text": "ok"}}]});
    for (name, odd, kind, chat) in [
        ("no object", json!("x"), 0, BOT),
        ("a list", json!([1]), 0, BOT),
        ("nobody", json!({"item_list": [], "context_token": "secret"}), 0, BOT),
        ("no items", json!({"from_user_id": "a@im.wechat", "context_token": "secret"}), 0, "a@im.wechat"),
        ("items that are none", json!({"from_user_id": "a@im.wechat", "item_list": {"type": 1}}), 0, "a@im.wechat"),
        ("an item that is none", json!({"from_user_id": "a@im.wechat", "item_list": ["x"]}), 0, "a@im.wechat"),
        ("no body", json!({"from_user_id": "a@im.wechat", "item_list": [{"type": 1}]}), 1, "a@im.wechat"),
        (
            "another body",
            json!({"from_user_id": "a@im.wechat", "item_list": [{"type": 1, "text_item": {"text": {}}}]}),
            1,
            "a@im.wechat",
        ),
        (
            "no address",
            json!({"from_user_id": "a@im.wechat", "item_list": [{"type": 2, "image_item": {"media": {"aes_key": "k"}}}]}),
            2,
            "a@im.wechat",
        ),
        (
            "no reference",
            json!({"from_user_id": "a@im.wechat", "item_list": [{"type": 2, "image_item": {"media": 7}}]}),
            2,
            "a@im.wechat",
        ),
    ] {
        let told = told_to(&mut Memory::default(), &batch(&json!([odd, good])));
        assert_eq!(told.len(), 2, "{name}: {told:?}");
        let Content::Unknown { msg_type, raw } = &said(&told[0]).content else { panic!("{name}: {told:?}") };
        assert_eq!((*msg_type, told[0].chat.as_str()), (kind, chat), "{name}");
        assert!(!raw.is_empty() && !raw.contains("secret"), "{name}: {raw}");
        assert_eq!(said(&told[1]).content, text("ok"), "{name}");
    }
    // A quote that cannot be read takes nothing from the text.
    let quoting =
        json!([{"from_user_id": "a@im.wechat", "item_list": [{"type": 1, "text_item": {"text": "t"}, "ref_msg": 7}]}]);
    assert_eq!(said(&told_to(&mut Memory::default(), &batch(&quoting))[0]).content, text("t"));
    let empty =
        json!([{"from_user_id": "a@im.wechat", "item_list": [{"type": 1, "text_item": {"text": "t"}, "ref_msg": {}}]}]);
    assert_eq!(said(&told_to(&mut Memory::default(), &batch(&empty))[0]).content, text("t"), "quotes nothing");
}

#[test]
fn what_is_nested_deeply_shows_no_token() {
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    let body = format!(
        r#"{{"ret":0,"msgs":[{{"from_user_id":"a@im.wechat","message_type":9,"context_token":"secret","x":{deep}}}]}}"#
    );
    let told = told_to(&mut Memory::default(), &body);
    assert!(!format!("{told:?}").contains("secret"), "{told:?}");
}

proptest::proptest! {
    #[test]
    fn any_item_is_an_event(kind in 0i64..14, body in "[ -~]{0,20}", id in 0u64..) {
        let item = json!({"type": kind, "text_item": {"text": body}, "voice_item": {"text": body}, "ref_msg": {"svr_id": id}});
        let told = told_to(&mut Memory::default(), &batch(&json!([{"from_user_id": "a@im.wechat", "item_list": [item]}])));
        proptest::prop_assert!(!told.is_empty());
    }
}
