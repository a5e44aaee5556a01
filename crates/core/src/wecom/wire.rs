//! What does a push look like? The gateway's envelope with the texts inside texts, and what is inside a sealed body.
//!
//! Numbers come as numbers or as texts, whatever a table says. Ids are texts here: those of rooms are above 2^53.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::lenient::scalar::{decimal, int, or_default, text, uint};

/// The outer object of the gateway: a message or an event.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the gateway's own names; see docs/protocol/wecom.md")]
pub struct Push {
    #[serde(deserialize_with = "text")]
    pub seq: String,
    #[serde(deserialize_with = "text")]
    pub token: String,
    pub message: Option<Box<RawValue>>,
    pub event: Option<Box<RawValue>>,
}

impl Push {
    /// `seq`, unless it is 0 or absent.
    pub fn number(&self) -> Option<&str> {
        Some(self.seq.trim()).filter(|seq| !seq.is_empty() && *seq != "0")
    }
}

/// `message`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the gateway's own names; see docs/protocol/wecom.md")]
pub struct Message {
    #[serde(deserialize_with = "text")]
    pub id: String,
    #[serde(deserialize_with = "text")]
    pub remote_id: String,
    /// Text, or JSON in a text, by `type`.
    #[serde(deserialize_with = "text")]
    pub text: String,
    #[serde(deserialize_with = "text")]
    pub timestamp: String,
    #[serde(rename = "type", deserialize_with = "text")]
    pub kind: String,
    #[serde(deserialize_with = "text")]
    pub from_id: String,
    #[serde(deserialize_with = "text")]
    pub to_id: String,
    #[serde(deserialize_with = "text")]
    pub room_id: String,
}

/// `event`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the gateway's own names; see docs/protocol/wecom.md")]
pub struct Event {
    #[serde(deserialize_with = "text")]
    pub event_type: String,
    pub payload: Option<Box<RawValue>>,
}

/// `event.payload` of all types that are known.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the gateway's own names; see docs/protocol/wecom.md")]
pub struct Payload {
    #[serde(deserialize_with = "text")]
    pub changer_id: String,
    #[serde(deserialize_with = "text")]
    pub new_topic: String,
    #[serde(deserialize_with = "or_default")]
    pub invitee_id_list: Vec<Id>,
    #[serde(deserialize_with = "text")]
    pub inviter_id: String,
    #[serde(deserialize_with = "or_default")]
    pub removee_id_list: Vec<Id>,
    #[serde(deserialize_with = "text")]
    pub remover_id: String,
    #[serde(deserialize_with = "text")]
    pub room_id: String,
    #[serde(deserialize_with = "text")]
    pub timestamp: String,
    #[serde(deserialize_with = "text")]
    pub extension: String,
    /// Of LOGOUT the words.
    #[serde(deserialize_with = "text")]
    pub data: String,
}

/// An id in a list.
#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Id(#[serde(deserialize_with = "text")] pub String);

/// Events write rooms as `R:10820914206954126`, messages without the letter.
pub fn room(id: &str) -> &str {
    id.trim().strip_prefix("R:").unwrap_or(id.trim())
}

/// Seconds since 1970. Messages state seconds and events milliseconds; `None` for 0 and what is no number.
pub fn seconds(timestamp: &str) -> Option<i64> {
    const FIRST_MS: i64 = 100_000_000_000;
    let stated: i64 = timestamp.trim().parse().ok().filter(|stated| *stated > 0)?;
    Some(if stated >= FIRST_MS { stated / 1000 } else { stated })
}

/// `text` of an `Image`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the gateway's own names; see docs/protocol/wecom.md")]
pub struct Image {
    #[serde(deserialize_with = "text")]
    pub file_id: String,
    #[serde(deserialize_with = "text")]
    pub file_name: String,
    #[serde(deserialize_with = "text")]
    pub size: String,
    #[serde(deserialize_with = "text")]
    pub width: String,
    #[serde(deserialize_with = "text")]
    pub height: String,
    #[serde(deserialize_with = "text")]
    pub aes_key: String,
    #[serde(deserialize_with = "text")]
    pub md5: String,
    #[serde(deserialize_with = "text")]
    pub wechat_cdn_ld_size: String,
}

/// `text` of a `Video`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the gateway's own names; see docs/protocol/wecom.md")]
pub struct Video {
    #[serde(deserialize_with = "text")]
    pub video_file_id: String,
    #[serde(deserialize_with = "text")]
    pub video_size: String,
    /// Seconds.
    #[serde(deserialize_with = "uint")]
    pub video_play_time: u64,
    #[serde(deserialize_with = "text")]
    pub video_aes_key: String,
    #[serde(deserialize_with = "text")]
    pub video_md5: String,
    #[serde(deserialize_with = "text")]
    pub width: String,
    #[serde(deserialize_with = "text")]
    pub height: String,
    #[serde(deserialize_with = "text")]
    pub preface_image_url: String,
    #[serde(deserialize_with = "text")]
    pub preface_image_size: String,
    #[serde(deserialize_with = "text")]
    pub wechat_auth_key: String,
}

/// `text` of a `Location`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the gateway's own names; see docs/protocol/wecom.md")]
pub struct Location {
    #[serde(deserialize_with = "text")]
    pub address: String,
    #[serde(deserialize_with = "decimal")]
    pub latitude: String,
    #[serde(deserialize_with = "decimal")]
    pub longitude: String,
    #[serde(deserialize_with = "text")]
    pub title: String,
}

/// `text` of a `MiniProgram`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct MiniProgram {
    /// The program. What is shown of it before it opens (`preface`) is in the raw text only.
    pub parameter: Parameter,
}

/// `parameter` of a mini program.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the gateway's own names; see docs/protocol/wecom.md")]
pub struct Parameter {
    #[serde(deserialize_with = "text")]
    pub title: String,
    /// `wx…`.
    #[serde(deserialize_with = "text")]
    pub id: String,
    /// `gh_…@app`.
    #[serde(deserialize_with = "text")]
    pub user_name: String,
    #[serde(deserialize_with = "text")]
    pub display_name: String,
    #[serde(deserialize_with = "text")]
    pub page_path: String,
}

/// `text` of a `Url`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the gateway's own names; see docs/protocol/wecom.md")]
pub struct Url {
    #[serde(deserialize_with = "text")]
    pub title: String,
    #[serde(deserialize_with = "text")]
    pub desc: String,
    #[serde(deserialize_with = "text")]
    pub url: String,
    #[serde(deserialize_with = "text")]
    pub thumb_url: String,
}

/// What a smart robot is told, opened.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the service's own names; see docs/protocol/wecom.md")]
pub struct RobotMessage {
    #[serde(deserialize_with = "text")]
    pub msgid: String,
    #[serde(deserialize_with = "text")]
    pub aibotid: String,
    #[serde(deserialize_with = "text")]
    pub chatid: String,
    #[serde(deserialize_with = "text")]
    pub chattype: String,
    #[serde(deserialize_with = "or_default")]
    pub from: RobotUser,
    /// Where an answer may be posted, by whoever has it.
    #[serde(deserialize_with = "text")]
    pub response_url: String,
    #[serde(deserialize_with = "text")]
    pub msgtype: String,
    #[serde(deserialize_with = "or_default")]
    pub text: RobotText,
    pub quote: Option<RobotQuote>,
    #[serde(deserialize_with = "int")]
    pub create_time: i64,
}

/// `from`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the service's own names; see docs/protocol/wecom.md")]
pub struct RobotUser {
    #[serde(deserialize_with = "text")]
    pub userid: String,
}

/// `text`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the service's own names; see docs/protocol/wecom.md")]
pub struct RobotText {
    #[serde(deserialize_with = "text")]
    pub content: String,
}

/// `quote`: the message that is answered.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the service's own names; see docs/protocol/wecom.md")]
pub struct RobotQuote {
    #[serde(deserialize_with = "text")]
    pub msgtype: String,
    #[serde(deserialize_with = "or_default")]
    pub text: RobotText,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_milliseconds() {
        for (stated, want) in [
            ("1697614321", Some(1_697_614_321)),
            ("1697614321000", Some(1_697_614_321)),
            ("99999999999", Some(99_999_999_999)),
            ("100000000000", Some(100_000_000)),
            ("0", None),
            ("-1", None),
            ("", None),
            ("x", None),
        ] {
            assert_eq!(seconds(stated), want, "{stated}");
        }
    }

    #[test]
    fn rooms_without_their_letter() {
        for (id, want) in [
            ("R:10820914206954126", "10820914206954126"),
            ("10820914206954126", "10820914206954126"),
            (" R:1 ", "1"),
            ("", ""),
        ] {
            assert_eq!(room(id), want, "{id}");
        }
    }
}
