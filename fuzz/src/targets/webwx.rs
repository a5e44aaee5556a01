//! Is every answer of Web WeChat read, whatever it is? Scripts, JSON, and single messages of any type.

use std::sync::OnceLock;

use bytes::Bytes;
use http::HeaderMap;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use url::Url;
use wxbot_core::transport::HttpResponse;
use wxbot_core::webwx::book::Book;
use wxbot_core::webwx::convert::news::News;
use wxbot_core::webwx::convert::{Read, contacts, scene};
use wxbot_core::webwx::endpoint::Hosts;
use wxbot_core::webwx::wire::addmsg::AddMsg;
use wxbot_core::webwx::wire::answer::{
    Base, BatchContacts, ContactPage, InitAnswer, PushLogin, SendAnswer, SyncAnswer, elements,
};
use wxbot_core::webwx::wire::circle::RoomAnswer;
use wxbot_core::webwx::wire::contact::Contact;
use wxbot_core::webwx::wire::page::LoginPage;
use wxbot_core::webwx::wire::script::{Poll, QrLogin, SyncCheck};
use wxbot_core::webwx::wire::upload::{CheckAnswer, UploadAnswer};
use wxbot_core::webwx::wire::{json as read, percent_decoded};

/// A session as the fixtures have it.
fn book() -> &'static Book {
    static BOOK: OnceLock<Book> = OnceLock::new();
    BOOK.get_or_init(|| {
        let text = include_str!("../../../tests/fixtures/webwx/webwxinit.resp.json");
        #[expect(clippy::expect_used, reason = "a fixture that the tests of core read, too")]
        let scene = serde_json::from_str(text).ok().and_then(|init| scene(init).ok()).expect("the fixture is read");
        let mut book = Book::new(scene.myself);
        for contact in scene.recent {
            book.put(std::sync::Arc::new(contact));
        }
        book
    })
}

pub(super) fn scripts(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    drop(QrLogin::parse(&text));
    _ = SyncCheck::parse(&text);
    drop(percent_decoded(&text));
    let page = LoginPage::parse(&text).and_then(|page| page.redirecturl);
    let poll = Poll::parse(&text).and_then(|poll| poll.redirect);
    for redirect in [page, poll].into_iter().flatten().filter_map(|redirect| redirect.parse::<Url>().ok()) {
        if let Ok((hosts, to)) = Hosts::before_login().redirected(&redirect) {
            // Cookies go there (security R15).
            let host = to.host_str().unwrap_or_default();
            let inside =
                ["qq.com", "wechat.com"].iter().any(|known| host == *known || host.ends_with(&format!(".{known}")));
            assert!(inside && to.scheme() == "https", "a redirect leads out: {host}");
            assert!([&hosts.api, &hosts.login, &hosts.file, &hosts.push].iter().all(|url| url.scheme() == "https"));
        }
    }
}

pub(super) fn answers(input: &[u8]) {
    let answer = HttpResponse { status: 200, headers: HeaderMap::new(), body: Bytes::copy_from_slice(input) };
    let me = book().me();
    if let Ok(sync) = read::<SyncAnswer>("webwxsync", &answer) {
        let messages = sync.add_msg_list.len();
        let news = News::read(sync, me);
        drop(news.strangers(book(), 7));
        let settled = news.settle(book(), Vec::new(), "7", 7);
        assert!(settled.events.len() >= messages, "a message is an event, whatever stands in it");
    }
    if let Ok(init) = read::<InitAnswer>("webwxinit", &answer) {
        drop(scene(init));
    }
    if let Ok(page) = read::<ContactPage>("webwxgetcontact", &answer) {
        drop(contacts(elements::<Contact>(&page.member_list).0, me));
    }
    drop(read::<BatchContacts>("webwxbatchgetcontact", &answer));
    drop(read::<Base>("any", &answer));
    drop(read::<SendAnswer>("webwxsendmsg", &answer));
    drop(read::<PushLogin>("webwxpushloginurl", &answer).map(|login| login.uuid()));
    drop(read::<RoomAnswer>("webwxupdatechatroom", &answer).map(|answer| answer.left_out()));
    drop(read::<UploadAnswer>("webwxuploadmedia", &answer));
    drop(read::<CheckAnswer>("webwxcheckupload", &answer));
}

/// Types, and types of apps, that something is known of.
const KINDS: [(i64, i64); 32] = [
    (1, 0),
    (3, 0),
    (34, 0),
    (37, 0),
    (40, 0),
    (42, 0),
    (43, 0),
    (44, 0),
    (47, 0),
    (48, 0),
    (49, 0),
    (49, 3),
    (49, 5),
    (49, 6),
    (49, 8),
    (49, 17),
    (49, 19),
    (49, 33),
    (49, 57),
    (49, 2000),
    (49, 2001),
    (49, 100_001),
    (50, 0),
    (51, 0),
    (52, 0),
    (53, 0),
    (62, 0),
    (9999, 0),
    (10_000, 0),
    (10_002, 0),
    (-1, 0),
    (i64::MAX, i64::MIN),
];

/// A content of any type, in a room and in private; or a whole message, where the input is JSON.
pub(super) fn message(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    if let Ok(raw) = serde_json::from_str::<Box<RawValue>>(&text) {
        drop(Read::new(raw).incoming(&book().view(&[]), 7));
    }
    let (kind, content) = super::choice(input, 64);
    let content = String::from_utf8_lossy(content);
    let Some((msg_type, app_type)) = KINDS.get(usize::from(kind % 32)).copied() else { return };
    let from = if kind < 32 { "@@9e1c0ab62b5ab222835786c00192fb1e" } else { "@e5403f77c2193da671790c1a242d0b43" };
    let whole: Value = json!({
        "MsgId": "8410419333108271670", "FromUserName": from, "ToUserName": book().me().as_str(),
        "MsgType": msg_type, "AppMsgType": app_type, "Content": content, "StatusNotifyCode": 4,
        "StatusNotifyUserName": content, "FileName": content, "OriContent": content, "Url": content,
    });
    let Ok(msg) = serde_json::from_value::<AddMsg>(whole) else { return };
    let event = wxbot_core::webwx::convert::message(&msg, &book().view(&[]), 7);
    assert_eq!(event.key.as_str(), "8410419333108271670", "an id is never lost");
    // What the store keeps is what is read of it again.
    let stored = serde_json::to_string(&event.kind).unwrap_or_default();
    let back: Result<wxbot_model::EventKind, _> = serde_json::from_str(&stored);
    assert_eq!(back.ok().as_ref(), Some(&event.kind), "an event comes back from the store as it was");
}
