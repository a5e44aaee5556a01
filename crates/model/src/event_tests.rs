//! Does every kind of event read back from its JSON, also from an old one?

use super::*;
use crate::notice::{JoinedBy, Ticket};

fn one_of_each() -> Vec<EventKind> {
    let (notice, by) = (|| "n".to_owned(), || Who::other("甲"));
    vec![
        EventKind::Recall { msg: None, notice: notice(), text: None },
        EventKind::Recall { msg: Some("7".parse().unwrap()), notice: notice(), text: Some("hi".into()) },
        EventKind::MediaReady {
            msg: "7".parse().unwrap(),
            media: MediaHandle::new(crate::message::MediaKind::Image, "C:\\a.jpg", None),
        },
        EventKind::Status { code: 4, op: Some(4) },
        EventKind::ContactChanged,
        EventKind::ContactRemoved,
        EventKind::Gap { from_s: 1, to_s: 2 },
        EventKind::FriendRequest(FriendRequest {
            user: Some("@ab".parse().unwrap()),
            ticket: Ticket::new("v2"),
            ..FriendRequest::default()
        }),
        EventKind::FriendAdded { name: "甲".into(), by: Who::Me, notice: notice() },
        EventKind::NotFriend { name: "甲".into(), notice: notice() },
        EventKind::MembersJoined(MembersJoined {
            names: vec!["乙".into()],
            me_invited: true,
            others: vec!["丙".into()],
            inviter: by(),
            by: JoinedBy::QrCode,
            notice: notice(),
        }),
        EventKind::MembersRemoved { names: vec!["乙".into()], by: Who::Me, notice: notice() },
        EventKind::RemovedMe { by: by(), notice: notice() },
        EventKind::TopicChanged { topic: "t".into(), by: by(), notice: notice() },
        EventKind::Pat { by: by(), whom: Who::Me, notice: notice() },
        EventKind::Timer {
            plugin: "p".into(),
            name: "喝水".into(),
            payload: serde_json::json!({"n": [1, null]}),
            due_ms: 1_780_000_000_123,
        },
        EventKind::Schedule { plugin: "p".into(), name: "morning".into(), due_ms: -1 },
    ]
}

#[test]
fn every_kind_reads_back() {
    for kind in one_of_each() {
        let json = serde_json::to_value(&kind).unwrap();
        assert_eq!(json["what"], kind.word(), "the word of manifests is the word of JSON");
        assert_eq!(serde_json::from_value::<EventKind>(json.clone()).unwrap(), kind, "{json}");
    }
}

#[test]
fn what_was_stored_before_reads_still() {
    let stored = r#"{"what":"message","id":"84","from_self":false,"content":{"type":"unknown","msg_type":47,"raw":"x"},
        "mentions":{"me":true,"all":false}}"#;
    let EventKind::Message(message) = serde_json::from_str(stored).unwrap() else { panic!("no message") };
    assert_eq!((message.id.as_str(), message.content.kind(), message.mentions.me), ("84", "unknown", true));
    let status: EventKind = serde_json::from_str(r#"{"what":"status","code":4}"#).unwrap();
    assert_eq!(status, EventKind::Status { code: 4, op: None });
}

#[test]
fn whoever_wants_the_text_of_the_service_finds_it() {
    let with = one_of_each().iter().filter(|kind| kind.notice() == Some("n")).count();
    assert_eq!(with, 9, "all but the eight that come from no text");
}
