//! What do we say to send something, and what are we answered? In the service's spelling; each message has one item.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::hidden;
use super::message::kind;
use crate::lenient::scalar::text;

/// `message_type` of a bot, and `message_state` of what is complete.
const BOT: u8 = 2;
const FINISHED: u8 = 2;
/// `encrypt_type`: AES.
const SEALED: u8 = 1;
/// `encode_type` of SILK, and how that is sampled.
const SILK: u8 = 6;
/// Samples a second of SILK as phones record it.
pub const SILK_RATE: u32 = 24_000;
const SILK_BITS: u8 = 16;
/// Types of items about the use of tools: taken, and never shown.
const TOOL_START: i64 = 11;
const TOOL_RESULT: i64 = 12;

/// `sendmessage`.
#[derive(Serialize)]
pub struct SendMessage<'a> {
    msg: Msg<'a>,
}

#[derive(Serialize)]
struct Msg<'a> {
    from_user_id: &'static str,
    to_user_id: &'a str,
    client_id: &'a str,
    message_type: u8,
    message_state: u8,
    item_list: [&'a Item<'a>; 1],
    context_token: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    run_id: Option<&'a str>,
}

impl<'a> SendMessage<'a> {
    /// One item for this conversation, in answer to what brought the token. The id is the message's for ever.
    pub fn new(to: &'a str, client_id: &'a str, context_token: &'a str, item: &'a Item<'a>) -> Self {
        let (message_type, message_state, item_list) = (BOT, FINISHED, [item]);
        let (from_user_id, run_id) = ("", None);
        let msg = Msg {
            from_user_id,
            to_user_id: to,
            client_id,
            message_type,
            message_state,
            item_list,
            context_token,
            run_id,
        };
        Self { msg }
    }

    /// The same as a part of some work, of which nothing is shown.
    #[must_use]
    pub fn of_run(mut self, run_id: &'a str) -> Self {
        self.msg.run_id = Some(run_id);
        self
    }
}

/// What a message holds.
#[derive(Default, Serialize)]
pub struct Item<'a> {
    #[serde(rename = "type")]
    kind: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    create_time_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_completed: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text_item: Option<TextItem<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image_item: Option<ImageItem<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    voice_item: Option<VoiceItem<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_item: Option<FileItem<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    video_item: Option<VideoItem<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_start_item: Option<Tool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_result_item: Option<Tool<'a>>,
}

#[derive(Serialize)]
struct TextItem<'a> {
    text: &'a str,
}

/// Where bytes were put, and what opens them.
#[derive(Clone, Copy, Serialize)]
pub struct Put<'a> {
    encrypt_query_param: &'a str,
    aes_key: &'a str,
    encrypt_type: u8,
}

impl<'a> Put<'a> {
    /// Under what the CDN answered, with the key as Base64 of its hexadecimal digits.
    pub fn new(encrypt_query_param: &'a str, aes_key: &'a str) -> Self {
        Self { encrypt_query_param, aes_key, encrypt_type: SEALED }
    }
}

#[derive(Serialize)]
struct ImageItem<'a> {
    media: Put<'a>,
    mid_size: u64,
}

#[derive(Serialize)]
struct VoiceItem<'a> {
    media: Put<'a>,
    encode_type: u8,
    sample_rate: u32,
    bits_per_sample: u8,
    playtime: u64,
}

#[derive(Serialize)]
struct FileItem<'a> {
    media: Put<'a>,
    file_name: &'a str,
    len: String,
}

#[derive(Serialize)]
struct VideoItem<'a> {
    media: Put<'a>,
    video_size: u64,
}

#[derive(Serialize)]
struct Tool<'a> {
    tool_name: &'a str,
    tool_call_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'a str>,
}

impl<'a> Item<'a> {
    /// Words.
    pub fn text(text: &'a str) -> Self {
        Self { kind: kind::TEXT, text_item: Some(TextItem { text }), ..Self::default() }
    }

    /// A picture that is so long when it is sealed.
    pub fn image(media: Put<'a>, sealed: u64) -> Self {
        Self { kind: kind::IMAGE, image_item: Some(ImageItem { media, mid_size: sealed }), ..Self::default() }
    }

    /// A film that is so long when it is sealed.
    pub fn video(media: Put<'a>, sealed: u64) -> Self {
        Self { kind: kind::VIDEO, video_item: Some(VideoItem { media, video_size: sealed }), ..Self::default() }
    }

    /// A file that is so long when it is opened.
    pub fn file(media: Put<'a>, file_name: &'a str, len: u64) -> Self {
        let file = FileItem { media, file_name, len: len.to_string() };
        Self { kind: kind::FILE, file_item: Some(file), ..Self::default() }
    }

    /// Speech in SILK, which phones do not show.
    pub fn voice(media: Put<'a>, playtime_ms: u64) -> Self {
        let (encode_type, sample_rate, bits_per_sample) = (SILK, SILK_RATE, SILK_BITS);
        let voice = VoiceItem { media, encode_type, sample_rate, bits_per_sample, playtime: playtime_ms };
        Self { kind: kind::VOICE, voice_item: Some(voice), ..Self::default() }
    }

    /// The use of a tool begins.
    pub fn tool_start(at_ms: i64, tool_name: &'a str, tool_call_id: &'a str) -> Self {
        let (create_time_ms, is_completed) = (Some(at_ms), Some(false));
        let tool = Some(Tool { tool_name, tool_call_id, status: None });
        Self { kind: TOOL_START, create_time_ms, is_completed, tool_call_start_item: tool, ..Self::default() }
    }

    /// The use of a tool ended, in one of the service's words.
    pub fn tool_result(at_ms: i64, tool_name: &'a str, tool_call_id: &'a str, status: &'a str) -> Self {
        let (create_time_ms, is_completed) = (Some(at_ms), Some(true));
        let tool = Some(Tool { tool_name, tool_call_id, status: Some(status) });
        Self { kind: TOOL_RESULT, create_time_ms, is_completed, tool_call_result_item: tool, ..Self::default() }
    }
}

/// What `sendmessage` is answered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Sent {
    /// Empty where the service gives none: it then probably shows nothing.
    #[serde(deserialize_with = "text")]
    pub message_id: String,
}

/// `getuploadurl`.
#[derive(Serialize)]
pub struct GetUploadUrl<'a> {
    /// 32 hexadecimal digits, drawn for each upload.
    pub filekey: &'a str,
    /// 1 a picture, 2 a film, 3 a file, 4 speech: not the types of items.
    pub media_type: u8,
    /// Whom it is for.
    pub to_user_id: &'a str,
    /// How long it is.
    pub rawsize: u64,
    /// Lower-case hexadecimal digits.
    pub rawfilemd5: &'a str,
    /// How long it is when it is sealed.
    pub filesize: u64,
    /// There comes no small picture with it.
    pub no_need_thumb: bool,
    /// The key, as hexadecimal digits.
    pub aeskey: &'a str,
    /// The small picture, where one comes with it.
    #[serde(flatten)]
    pub thumb: Option<Thumb<'a>>,
}

/// A small picture to be uploaded with another, under the same key.
#[derive(Serialize)]
#[expect(missing_docs, reason = "as of what it comes with")]
pub struct Thumb<'a> {
    pub thumb_rawsize: u64,
    pub thumb_rawfilemd5: &'a str,
    pub thumb_filesize: u64,
}

/// What `getuploadurl` is answered. Both may be there; then the whole address counts.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct UploadPlace {
    /// The whole address.
    #[serde(deserialize_with = "text")]
    pub upload_full_url: String,
    /// What to tell the CDN where there is none.
    #[serde(deserialize_with = "text")]
    pub upload_param: String,
    /// The same for the small picture.
    #[serde(deserialize_with = "text")]
    pub thumb_upload_param: String,
}

/// `getconfig`.
#[derive(Serialize)]
#[expect(missing_docs, reason = "the service's own names; see docs/protocol/ilink.md")]
pub struct GetConfig<'a> {
    pub ilink_user_id: &'a str,
    pub context_token: &'a str,
}

/// What `getconfig` is answered.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Config {
    /// What lets us show that we are typing.
    #[serde(deserialize_with = "text")]
    pub typing_ticket: String,
}

/// `sendtyping`.
#[derive(Serialize)]
#[expect(missing_docs, reason = "the service's own names; see docs/protocol/ilink.md")]
pub struct SendTyping<'a> {
    pub ilink_user_id: &'a str,
    pub typing_ticket: &'a str,
    /// 1 typing, 2 no longer.
    pub status: u8,
}

/// All of them hold secrets, and texts are nobody's business.
macro_rules! say_nothing {
    ($($name:ident),*) => {$(
        impl fmt::Debug for $name<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(stringify!($name))
            }
        }
    )*};
}
say_nothing!(SendMessage, Item, Put, GetUploadUrl, Thumb, GetConfig, SendTyping);

impl fmt::Debug for UploadPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hidden("UploadPlace", &format!("{}{}", self.upload_full_url, self.upload_param), f)
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hidden("Config", &self.typing_ticket, f)
    }
}

#[cfg(test)]
#[path = "send_tests.rs"]
mod tests;
