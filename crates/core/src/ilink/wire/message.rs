//! How does the service write one message? Any field may be absent, and any enumeration may grow.

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::lenient::scalar::{int, text, uint};

/// `message_type` of what a person sent.
pub const FROM_USER: i64 = 1;
/// `message_type` of what a bot sent: ourselves.
pub const FROM_BOT: i64 = 2;

/// `type` of an item.
pub mod kind {
    #![expect(missing_docs, reason = "the service's own names; see docs/protocol/ilink.md")]
    pub const TEXT: i64 = 1;
    pub const IMAGE: i64 = 2;
    pub const VOICE: i64 = 3;
    pub const FILE: i64 = 4;
    pub const VIDEO: i64 = 5;
}

/// One message. Ids are kept as text: they are numbers up to 2^64−1, and sometimes texts.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the service's own names; see docs/protocol/ilink.md")]
pub struct Message {
    #[serde(deserialize_with = "text")]
    pub seq: String,
    #[serde(deserialize_with = "text")]
    pub message_id: String,
    #[serde(deserialize_with = "text")]
    pub from_user_id: String,
    #[serde(deserialize_with = "text")]
    pub to_user_id: String,
    #[serde(deserialize_with = "text")]
    pub client_id: String,
    #[serde(deserialize_with = "int")]
    pub create_time_ms: i64,
    #[serde(deserialize_with = "text")]
    pub group_id: String,
    #[serde(deserialize_with = "int")]
    pub message_type: i64,
    /// Each is read by itself; empty as well when it is no list.
    #[serde(deserialize_with = "readable")]
    pub item_list: Vec<Box<RawValue>>,
    #[serde(deserialize_with = "text")]
    pub context_token: String,
}

/// One item of a message, or the one that another quotes. A body in another shape counts as absent.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the service's own names; see docs/protocol/ilink.md")]
pub struct Item {
    #[serde(rename = "type", deserialize_with = "int")]
    pub kind: i64,
    #[serde(deserialize_with = "text")]
    pub msg_id: String,
    #[serde(deserialize_with = "readable")]
    pub ref_msg: Option<Box<RawValue>>,
    #[serde(deserialize_with = "readable")]
    pub text_item: Option<TextItem>,
    #[serde(deserialize_with = "readable")]
    pub image_item: Option<ImageItem>,
    #[serde(deserialize_with = "readable")]
    pub voice_item: Option<VoiceItem>,
    #[serde(deserialize_with = "readable")]
    pub file_item: Option<FileItem>,
    #[serde(deserialize_with = "readable")]
    pub video_item: Option<VideoItem>,
}

/// Words.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the service's own names; see docs/protocol/ilink.md")]
pub struct TextItem {
    #[serde(deserialize_with = "text")]
    pub text: String,
}

/// Where bytes are, and what opens them.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the service's own names; see docs/protocol/ilink.md")]
pub struct CdnRef {
    #[serde(deserialize_with = "text")]
    pub encrypt_query_param: String,
    /// Base64 of the key, or of its hexadecimal digits.
    #[serde(deserialize_with = "text")]
    pub aes_key: String,
    #[serde(deserialize_with = "text")]
    pub full_url: String,
}

/// A picture.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the service's own names; see docs/protocol/ilink.md")]
pub struct ImageItem {
    #[serde(deserialize_with = "readable")]
    pub media: CdnRef,
    /// Hexadecimal digits of the key, before the one in `media`.
    #[serde(deserialize_with = "text")]
    pub aeskey: String,
    #[serde(deserialize_with = "uint")]
    pub mid_size: u64,
}

/// Speech.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the service's own names; see docs/protocol/ilink.md")]
pub struct VoiceItem {
    #[serde(deserialize_with = "readable")]
    pub media: CdnRef,
    #[serde(deserialize_with = "int")]
    pub encode_type: i64,
    /// Hz.
    #[serde(deserialize_with = "uint")]
    pub sample_rate: u64,
    /// Milliseconds.
    #[serde(deserialize_with = "uint")]
    pub playtime: u64,
    /// What the service understood.
    #[serde(deserialize_with = "text")]
    pub text: String,
    #[serde(deserialize_with = "uint")]
    pub size: u64,
}

/// A file.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the service's own names; see docs/protocol/ilink.md")]
pub struct FileItem {
    #[serde(deserialize_with = "readable")]
    pub media: CdnRef,
    #[serde(deserialize_with = "text")]
    pub file_name: String,
    #[serde(deserialize_with = "text")]
    pub md5: String,
    /// Of the bytes as they were sent.
    #[serde(deserialize_with = "uint")]
    pub len: u64,
}

/// A film.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the service's own names; see docs/protocol/ilink.md")]
pub struct VideoItem {
    #[serde(deserialize_with = "readable")]
    pub media: CdnRef,
    #[serde(deserialize_with = "uint")]
    pub video_size: u64,
    /// Seconds.
    #[serde(deserialize_with = "uint")]
    pub play_length: u64,
    #[serde(deserialize_with = "text")]
    pub video_md5: String,
    #[serde(deserialize_with = "readable")]
    pub thumb_media: CdnRef,
    #[serde(deserialize_with = "uint")]
    pub thumb_size: u64,
}

/// What a message answers.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the service's own names; see docs/protocol/ilink.md")]
pub struct RefMsg {
    #[serde(deserialize_with = "text")]
    pub title: String,
    #[serde(deserialize_with = "readable")]
    pub message_item: Option<Item>,
    #[serde(deserialize_with = "text")]
    pub svr_id: String,
    #[serde(deserialize_with = "readable")]
    pub partial_text: Option<PartialText>,
}

/// A part of a text that was marked to be answered.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the service's own names; see docs/protocol/ilink.md")]
pub struct PartialText {
    #[serde(deserialize_with = "text")]
    pub start: String,
    #[serde(deserialize_with = "text")]
    pub end: String,
    #[serde(deserialize_with = "uint")]
    pub startindex: u64,
    #[serde(deserialize_with = "uint")]
    pub endindex: u64,
    #[serde(deserialize_with = "text")]
    pub quotemd5: String,
}

/// Messages are private, and hold tokens and keys: of what came only the sort is shown.
macro_rules! shown_as_names {
    ($($name:ident)*) => {
        $(impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(stringify!($name))
            }
        })*
    };
}
shown_as_names!(Message Item TextItem CdnRef ImageItem VoiceItem FileItem VideoItem RefMsg);

/// A part in another shape than expected counts as absent, and the message stays.
fn readable<'de, T: DeserializeOwned + Default, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    let raw = Box::<RawValue>::deserialize(deserializer)?;
    Ok(serde_json::from_str(raw.get()).unwrap_or_default())
}
