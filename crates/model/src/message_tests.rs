//! Does every kind of content read back from its JSON, also from an old one, and show itself on one line?

use serde_json::json;

use super::*;
use crate::contact::Sex;
use crate::content::*;

/// One of each kind. The match makes a new kind ask for its place here.
pub(crate) fn one_of_each() -> Vec<Content> {
    let media = |kind| MediaHandle::new(kind, "8410419333108271670", Some(6503));
    let file = MediaHandle {
        params: BTreeMap::from([(MediaHandle::MEDIA_ID.to_owned(), "@crypt_media".to_owned())]),
        ..media(MediaKind::File)
    };
    let all = vec![
        Content::Text { text: "你好".into() },
        Content::Image { media: media(MediaKind::Image) },
        Content::Voice { media: media(MediaKind::Voice), length_ms: 1580, transcript: None },
        Content::Video {
            media: media(MediaKind::Video),
            thumb: Some(media(MediaKind::Thumbnail)),
            length_s: 5,
            short: true,
        },
        Content::Sticker {
            md5: "e683".into(),
            media: Some(media(MediaKind::Sticker)),
            gesture: Some(Gesture::Dice(6)),
        },
        Content::Sticker { md5: String::new(), media: None, gesture: Some(Gesture::Rock) },
        Content::Location(Location {
            point: Point::new(40.075_041, -116.338_994),
            label: "龙腾街".into(),
            live: Some(LiveShare::Started),
            ..Location::default()
        }),
        Content::Card(Card {
            user: Some("@ab".parse().unwrap()),
            nick_name: "甲".into(),
            sex: Sex::Female,
            ..Card::default()
        }),
        Content::Link(Link { title: "链接标题".into(), url: "http://example.invalid/a".into(), ..Link::default() }),
        Content::Music(Music { title: "音乐名".into(), ..Music::default() }),
        Content::File(File { name: "a.zip".into(), len: Some(u64::MAX), media: file }),
        Content::MiniProgram(MiniProgram { source: "扫描全能王".into(), ..MiniProgram::default() }),
        Content::Quote(Quote {
            text: "还好".into(),
            quoted: Quoted {
                msg: Some("6672653361059635672".parse().unwrap()),
                kind: "text".into(),
                ..Quoted::default()
            },
        }),
        Content::ChatRecord(ChatRecord {
            title: "群聊的聊天记录".into(),
            items: vec![RecordItem {
                sender: "甲".into(), text: "你好".into(), data_type: 1, ..RecordItem::default()
            }],
            left_out: 2,
        }),
        Content::RedPacket { note: "收到红包".into(), direction: Some(Direction::Received) },
        Content::Transfer(Transfer {
            amount: "￥0.10".into(),
            stage: Some(TransferStage::Returned),
            ..Transfer::default()
        }),
        Content::RoomInvitation(RoomInvitation { inviter: Some("甲".into()), ..RoomInvitation::default() }),
        Content::App(App { app_type: 51, raw: "<msg/>".into(), ..App::default() }),
        Content::Call(Call { state: CallState::Missed, text: "对方已取消".into(), raw: String::new() }),
        Content::Notice { text: "n".into() },
        Content::System { text: "s".into() },
        Content::Unknown { msg_type: 777, raw: "<a>".into() },
    ];
    for content in &all {
        match content {
            Content::Text { .. }
            | Content::Image { .. }
            | Content::Voice { .. }
            | Content::Video { .. }
            | Content::Sticker { .. }
            | Content::Location(_)
            | Content::Card(_)
            | Content::Link(_)
            | Content::Music(_)
            | Content::File(_)
            | Content::MiniProgram(_)
            | Content::Quote(_)
            | Content::ChatRecord(_)
            | Content::RedPacket { .. }
            | Content::Transfer(_)
            | Content::RoomInvitation(_)
            | Content::App(_)
            | Content::Call(_)
            | Content::Notice { .. }
            | Content::System { .. }
            | Content::Unknown { .. } => {}
        }
    }
    all
}

#[test]
fn every_kind_reads_back() {
    for content in one_of_each() {
        let json = serde_json::to_value(&content).unwrap();
        assert_eq!(json["type"], content.kind(), "the word of logs is the word of JSON");
        assert_eq!(serde_json::from_value::<Content>(json.clone()).unwrap(), content, "{json}");
    }
}

#[test]
fn what_was_stored_before_reads_still() {
    for (stored, want) in [
        (r#"{"type":"text","text":"hi"}"#, Content::Text { text: "hi".into() }),
        (
            r#"{"type":"image","media":{"reference":"84","stated_len":6503}}"#,
            Content::Image { media: MediaHandle::new(MediaKind::Image, "84", Some(6503)) },
        ),
        (r#"{"type":"system","text":"s"}"#, Content::System { text: "s".into() }),
        (
            r#"{"type":"unknown","msg_type":34,"raw":"&lt;msg&gt;"}"#,
            Content::Unknown { msg_type: 34, raw: "&lt;msg&gt;".into() },
        ),
        // Of a version that knew fewer fields.
        (r#"{"type":"link","title":"t"}"#, Content::Link(Link { title: "t".into(), ..Link::default() })),
    ] {
        assert_eq!(serde_json::from_str::<Content>(stored).unwrap(), want, "{stored}");
    }
}

#[test]
fn sec_r27_only_a_plain_text_is_text() {
    let typed: Vec<_> = one_of_each().iter().filter_map(|content| content.text().map(str::to_owned)).collect();
    assert_eq!(typed, ["你好"]);
}

#[test]
fn bytes_have_handles() {
    let kinds: Vec<_> = one_of_each().iter().filter_map(|content| content.media().map(|media| media.kind)).collect();
    let want = [MediaKind::Image, MediaKind::Voice, MediaKind::Video, MediaKind::Sticker, MediaKind::File];
    assert_eq!(kinds, want);
}

#[test]
fn summaries() {
    let shown: Vec<_> = one_of_each().iter().map(Content::summary).collect();
    let want = [
        "你好",
        "[image]",
        "[voice] 2 s",
        "[video] 5 s",
        "[sticker] 6",
        "[sticker] rock",
        "[location] live, started",
        "[card] 甲",
        "[link] 链接标题",
        "[music] 音乐名",
        "[file] a.zip",
        "[mini program] 扫描全能王",
        "[quote] 还好",
        "[chat record] 群聊的聊天记录",
        "[red packet] 收到红包",
        "[transfer] ￥0.10",
        "[room invitation]",
        "[app]",
        "[call] missed 对方已取消",
        "[notice] n",
        "s",
        "[unknown] type 777",
    ];
    assert_eq!(shown, want);
    let long = Content::Text { text: format!("a\n\u{1b}[31m{}\u{202e}", "x".repeat(200)) };
    assert_eq!(long.summary().chars().count(), SUMMARY);
    assert!(!long.summary().chars().any(|c| c.is_control() || is_direction_mark(c)));
}

#[test]
fn nothing_but_texts_can_be_empty() {
    assert!(Content::Text { text: String::new() }.is_empty());
    let silent = Content::Call(Call { state: CallState::Unstated, text: String::new(), raw: String::new() });
    assert_eq!((silent.is_empty(), silent.len()), (false, 0));
}

#[test]
fn points_are_on_earth() {
    for (json, good) in [
        (json!({"lat": 40.075_041, "lon": 116.338_994}), true),
        (json!({"lat": 30, "lon": -180}), true),
        (json!({"lat": 91.0, "lon": 0.0}), false),
    ] {
        assert_eq!(serde_json::from_value::<Point>(json.clone()).is_ok(), good, "{json}");
    }
    assert_eq!(Point::new(f64::NAN, 0.0), None);
}

proptest::proptest! {
    #[test]
    fn a_point_reads_back(lat in -90.0..=90.0, lon in -180.0..=180.0) {
        let point = Point::new(lat, lon).unwrap();
        let json = serde_json::to_string(&point).unwrap();
        proptest::prop_assert_eq!(serde_json::from_str::<Point>(&json).unwrap(), point);
    }
}
