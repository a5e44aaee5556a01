//! Is every pushed body read, one after another, and what is kept between them?

use std::net::{IpAddr, Ipv4Addr};

use bytes::Bytes;
use wxbot_core::pchook::{HookDoor, Reader, Settings, instance};
use wxbot_core::push::{Door, Knock};
use wxbot_core::wecom::door::GatewayDoor;
use wxbot_core::wecom::{self, Tokens, token};
use wxbot_model::Secret;

/// Bodies of one input.
const BODIES: usize = 8;
/// Between them: ASCII's own sign for that, which is in no JSON.
const BORDER: u8 = 0x1e;
const NOW_MS: i64 = 1_700_000_000_000;

fn bodies(input: &[u8]) -> impl Iterator<Item = &[u8]> {
    input.split(|byte| *byte == BORDER).take(BODIES)
}

fn knock(door: &dyn Door, body: &[u8]) {
    let from = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let body = Bytes::copy_from_slice(body);
    drop(door.knock(&Knock { method: "POST", query: "", body: &body, from, now_ms: NOW_MS, unproved: true }));
    drop(door.knock(&Knock { method: "POST", query: "", body: &body, from, now_ms: NOW_MS, unproved: false }));
}

pub(super) fn hook(input: &[u8]) {
    let settings = Settings { nick_name: "机器人".into(), ..Settings::default() };
    let door = HookDoor::new(&settings, vec![Secret::new("secret".to_owned())], true);
    // Any bytes may stand where the cursor was.
    let mut reader = Reader::resume(bodies(input).last().unwrap_or_default(), settings.clone());
    drop(reader.expire(NOW_MS + 120_000));
    let mut reader_of_new = Reader::resume(&[], settings.clone());
    for (nth, body) in bodies(input).enumerate() {
        drop(instance(body));
        knock(&door, body);
        drop(reader.read(body, NOW_MS));
        let read = reader_of_new.read(body, NOW_MS + i64::try_from(nth).unwrap_or(0) * 30_000);
        assert!(read.refused.is_none() || read.events.is_empty(), "what is not ours tells nothing");
        if let Some(cursor) = read.cursor {
            let resumed = Reader::resume(&cursor, settings.clone());
            assert_eq!(resumed.self_id(), reader_of_new.self_id(), "a cursor is read again");
            assert_eq!(resumed.next_expiry_ms(), reader_of_new.next_expiry_ms(), "with what waits");
        }
    }
    drop(reader_of_new.expire(NOW_MS + 600_000));
}

pub(super) fn gateway(input: &[u8]) {
    let settings = wecom::Settings { self_id: None, nick_name: "机器人".into() };
    let door = GatewayDoor::new("main".into(), Tokens::new(), vec![Secret::new("secret".to_owned())]);
    let mut reader = wecom::Reader::resume(bodies(input).last().unwrap_or_default(), settings.clone());
    let mut fresh = wecom::Reader::resume(&[], settings.clone());
    for body in bodies(input) {
        drop(token(body));
        knock(&door, body);
        drop(reader.read(body, NOW_MS));
        drop(fresh.read(body, NOW_MS));
        let resumed = wecom::Reader::resume(&fresh.cursor(), settings.clone());
        assert_eq!(resumed.token(), fresh.token(), "a cursor is read again");
        assert_eq!(resumed.self_id(), fresh.self_id(), "with who we are");
    }
}
