//! Is every answer of iLink read, whatever it is? What becomes of a login, what came in, and what a message holds.

use bytes::Bytes;
use http::HeaderMap;
use wxbot_core::ilink::endpoint::{GET_BOT_QRCODE, GET_QRCODE_STATUS, Place};
use wxbot_core::ilink::headers::{Identity, bot_agent, client_version};
use wxbot_core::ilink::quote::selected;
use wxbot_core::ilink::told;
use wxbot_core::ilink::wire::answer::{QrCode, QrStatus};
use wxbot_core::ilink::wire::message::{Item, Message, PartialText, RefMsg};
use wxbot_core::ilink::wire::{Nothing, read};
use wxbot_core::transport::HttpResponse;
use wxbot_model::{Content, EventKind, PeerId};

const NOW_MS: i64 = 1_795_200_000_000;

#[expect(clippy::expect_used, reason = "a constant id")]
fn me() -> PeerId {
    "0a1b2c3d4e5f@im.bot".parse().expect("constant")
}

pub(super) fn answers(input: &[u8]) {
    let answer = HttpResponse { status: 200, headers: HeaderMap::new(), body: Bytes::copy_from_slice(input) };
    drop(read::<QrCode>(&GET_BOT_QRCODE, &answer));
    _ = read::<Nothing>(&GET_BOT_QRCODE, &answer).is_ok();
    if let Ok(status) = read::<QrStatus>(&GET_QRCODE_STATUS, &answer) {
        let place = Place::new(None, None);
        for url in [place.redirected(&status.redirect_host), place.base(&status.baseurl)].into_iter().flatten() {
            // The token goes there.
            let host = url.host_str().unwrap_or_default();
            let inside = [".weixin.qq.com", ".wechat.com"].iter().any(|known| host.ends_with(known));
            assert!(inside && url.scheme() == "https" && url.username().is_empty(), "a login leads out: {host}");
        }
        _ = status.state();
    }
    // Twice: what is remembered of the first is what the second may quote.
    let me = me();
    if let Ok(once) = told(std::slice::from_ref(&answer), &me, NOW_MS) {
        let twice = told(&[answer.clone(), answer], &me, NOW_MS).unwrap_or_default();
        let keys = |events: &[wxbot_core::Incoming]| events.iter().map(|one| one.key.clone()).collect::<Vec<_>>();
        assert_eq!(keys(&twice), [keys(&once), keys(&once)].concat(), "the same batch has the same keys");
        for event in &once {
            assert!(event.sender.as_ref() != Some(&me), "our own words are no event");
            if let EventKind::Message(message) = &event.kind {
                assert!(!message.from_self);
                if let Content::File(file) = &message.content {
                    assert!(!file.name.contains(['/', '\\', '\0']), "a name is no path");
                }
                drop(message.content.summary());
            }
        }
    }
}

pub(super) fn words(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let agent = bot_agent(&text);
    assert!(agent.len() <= 256 && bot_agent(&agent) == agent, "what is clean stays as it is");
    assert!(client_version(&text) < 1 << 24);
    _ = Identity::new(&text, &text, Some(&*text)).is_ok();
    if let Ok(part) = serde_json::from_str::<PartialText>(&text)
        && let Some(selected) = selected(&text, &part)
    {
        assert!(text.contains(selected) && !selected.is_empty());
    }
    _ = serde_json::from_str::<Message>(&text).is_ok();
    _ = serde_json::from_str::<Item>(&text).is_ok();
    _ = serde_json::from_str::<RefMsg>(&text).is_ok();
}
