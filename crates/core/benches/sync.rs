//! What does it cost to read one answer of webwxsync with 50 messages: bytes → wire → events?
//!
//! `cargo bench -p wxbot-core`. Half of the messages are texts of a friend, half are of a room, with its prefix.

use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use serde_json::{Value, json};
use wxbot_core::protocol::Incoming;
use wxbot_core::webwx::book::Book;
use wxbot_core::webwx::convert::news::News;
use wxbot_core::webwx::convert::{contact, nameless};
use wxbot_core::webwx::wire::answer::SyncAnswer;

fn main() {
    divan::main();
}

const MESSAGES: usize = 50;
const MESSAGE: &str = include_str!("../../../tests/fixtures/webwx/msg-1-text.json");

/// As the service sends it: each message with its whole envelope.
fn body() -> Vec<u8> {
    let list = (0..MESSAGES).map(|number| {
        let mut message: Value = serde_json::from_str(MESSAGE).expect("the fixture");
        let fields = message.as_object_mut().expect("an object");
        let (from, content) = match number % 2 {
            0 => ("@friend", format!("第 {number} 条:在吗? &lt;3")),
            _ => ("@@room", format!("@member:<br/>第 {number} 条<br/>@shop hi")),
        };
        for (key, value) in [
            ("MsgId", json!((4_000_000_000_000_000_000_u64 + number as u64).to_string())),
            ("FromUserName", json!(from)),
            ("ToUserName", json!("@me")),
            ("Content", json!(content)),
        ] {
            fields.insert(key.to_owned(), value);
        }
        message
    });
    let key = json!({ "Count": 2, "List": [{ "Key": 1, "Val": 643_606_091 }, { "Key": 2, "Val": 643_606_203 }] });
    let answer = json!({
        "BaseResponse": { "Ret": 0, "ErrMsg": "" },
        "AddMsgCount": MESSAGES,
        "AddMsgList": list.collect::<Vec<_>>(),
        "ModContactCount": 0, "ModContactList": [], "DelContactCount": 0, "DelContactList": [],
        "ModChatRoomMemberCount": 0, "ModChatRoomMemberList": [],
        "Profile": { "BitFlag": 0 }, "ContinueFlag": 0, "SyncKey": key.clone(), "SKey": "", "SyncCheckKey": key,
    });
    serde_json::to_vec(&answer).expect("JSON")
}

fn book() -> Book {
    let mut book = Book::new(nameless("@me".parse().expect("an id")));
    for wire in [
        json!({ "UserName": "@friend", "NickName": "老王", "RemarkName": "王总" }),
        json!({ "UserName": "@@room", "NickName": "测试群", "MemberCount": 2, "MemberList": [
            { "UserName": "@member", "NickName": "小李" }, { "UserName": "@me", "NickName": "shop" },
        ] }),
    ] {
        let wire = serde_json::from_value(wire).expect("a contact");
        book.put(contact(wire, None).expect("a contact").into());
    }
    book
}

fn read(body: &[u8], book: &Book) -> Vec<Incoming> {
    let answer: SyncAnswer = serde_json::from_slice(body).expect("an answer");
    let news = News::read(answer, book.me());
    assert!(news.strangers(book, 7).is_empty(), "all are known");
    news.settle(book, Vec::new(), "1_643606091|2_643606203", 7).events
}

#[divan::bench]
fn fifty_messages(bencher: Bencher<'_, '_>) {
    let (body, book) = (body(), book());
    let events = read(&body, &book);
    assert!(events.len() == MESSAGES && events.iter().all(|event| event.kind.word() == "message"));
    bencher.counter(BytesCount::new(body.len())).counter(ItemsCount::new(MESSAGES)).bench(|| read(&body, &book));
}
