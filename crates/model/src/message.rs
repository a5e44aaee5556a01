//! What a message says, after decoding: content, media handles, mentions.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::content::{
    App, Call, Card, ChatRecord, Direction, File, Gesture, Link, LiveShare, Location, MiniProgram, Music, Quote,
    RoomInvitation, Transfer,
};
use crate::id::MsgId;

/// One received message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The server's id, used for downloads and recalls.
    pub id: MsgId,
    /// True when our own account sent it, from the phone or another device.
    pub from_self: bool,
    /// What it says.
    pub content: Content,
    /// Who is mentioned.
    pub mentions: Mentions,
}

/// Who a group message mentions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Mentions {
    /// Our account is mentioned by its name in the room.
    pub me: bool,
    /// Everyone is (`@所有人`, `@All`).
    pub all: bool,
}

/// What a message says. What is not decoded keeps its raw text in [`Content::Unknown`].
///
/// Kinds are added over time: match those you handle and leave the rest to `_`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Content {
    /// Plain text, escapes and emoji decoded, group prefix removed.
    Text {
        /// The text.
        text: String,
    },
    /// A picture; the bytes are fetched by the handle, when somebody wants them.
    Image {
        /// Where the bytes are.
        media: MediaHandle,
    },
    /// A spoken message.
    Voice {
        /// Where the bytes are (MP3 on the Web).
        media: MediaHandle,
        /// How long it is, in milliseconds; 0 when not stated.
        length_ms: u64,
        /// What the service understood, where it listens: words that a machine heard, and may have heard wrongly.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        transcript: Option<String>,
    },
    /// A film.
    Video {
        /// Where the bytes are.
        media: MediaHandle,
        /// A still of it.
        thumb: Option<MediaHandle>,
        /// How long it is, in seconds; 0 when not stated.
        length_s: u64,
        /// True for the short form that plays by itself (小视频).
        short: bool,
    },
    /// A sticker.
    Sticker {
        /// Names the picture: the same sticker has the same text. Empty when not stated.
        md5: String,
        /// Where the bytes are; `None` for stickers of the shop, which only the phone shows.
        media: Option<MediaHandle>,
        /// For dice and the like: what it shows.
        gesture: Option<Gesture>,
    },
    /// A place.
    Location(Location),
    /// A recommended contact.
    Card(Card),
    /// A shared page.
    Link(Link),
    /// Shared music.
    Music(Music),
    /// A file.
    File(File),
    /// A mini program.
    MiniProgram(MiniProgram),
    /// A text that answers another message.
    Quote(Quote),
    /// Messages of another chat, forwarded together.
    ChatRecord(ChatRecord),
    /// A red packet. It can only be opened on the phone.
    RedPacket {
        /// What the chat shows.
        note: String,
        /// Whether it is ours; `None` when the service does not say.
        direction: Option<Direction>,
    },
    /// A transfer of money.
    Transfer(Transfer),
    /// An invitation into a room.
    RoomInvitation(RoomInvitation),
    /// Something else that an app shared.
    App(App),
    /// A voice or video call.
    Call(Call),
    /// A note of the service about itself (`SYSNOTICE`).
    Notice {
        /// The text; often empty.
        text: String,
    },
    /// Text that the service itself wrote into the chat, and that is no event of its own
    /// (see [`EventKind`](crate::EventKind)).
    System {
        /// The text, trailing `<a>` links removed.
        text: String,
    },
    /// Anything else: kept as it came, so that a plugin or a later version can read it.
    Unknown {
        /// `MsgType` of the protocol.
        msg_type: i64,
        /// Content after removing the group prefix, not otherwise decoded.
        raw: String,
    },
}

/// The longest [`Content::summary`], in characters.
const SUMMARY: usize = 80;

impl Content {
    /// A short word for logs and filters: the `type` of its JSON.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Text { .. } => "text",
            Self::Image { .. } => "image",
            Self::Voice { .. } => "voice",
            Self::Video { .. } => "video",
            Self::Sticker { .. } => "sticker",
            Self::Location(_) => "location",
            Self::Card(_) => "card",
            Self::Link(_) => "link",
            Self::Music(_) => "music",
            Self::File(_) => "file",
            Self::MiniProgram(_) => "mini_program",
            Self::Quote(_) => "quote",
            Self::ChatRecord(_) => "chat_record",
            Self::RedPacket { .. } => "red_packet",
            Self::Transfer(_) => "transfer",
            Self::RoomInvitation(_) => "room_invitation",
            Self::App(_) => "app",
            Self::Call(_) => "call",
            Self::Notice { .. } => "notice",
            Self::System { .. } => "system",
            Self::Unknown { .. } => "unknown",
        }
    }

    /// The text of a plain text message, which is what rules and commands may be matched on. Nothing for the rest, an
    /// answer that quotes included: it travels as XML that anybody can forge, and must trigger nothing (security R27).
    /// A plugin that wants those reads [`Content::Quote`].
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text { text } => Some(text),
            Self::Quote(_)
            | Self::Image { .. }
            | Self::Voice { .. }
            | Self::Video { .. }
            | Self::Sticker { .. }
            | Self::Location(_)
            | Self::Card(_)
            | Self::Link(_)
            | Self::Music(_)
            | Self::File(_)
            | Self::MiniProgram(_)
            | Self::ChatRecord(_)
            | Self::RedPacket { .. }
            | Self::Transfer(_)
            | Self::RoomInvitation(_)
            | Self::App(_)
            | Self::Call(_)
            | Self::Notice { .. }
            | Self::System { .. }
            | Self::Unknown { .. } => None,
        }
    }

    /// Where its bytes are, for kinds that have bytes.
    pub fn media(&self) -> Option<&MediaHandle> {
        match self {
            Self::Image { media } | Self::Voice { media, .. } | Self::Video { media, .. } => Some(media),
            Self::Sticker { media, .. } => media.as_ref(),
            Self::File(file) => Some(&file.media),
            Self::Text { .. }
            | Self::Location(_)
            | Self::Card(_)
            | Self::Link(_)
            | Self::Music(_)
            | Self::MiniProgram(_)
            | Self::Quote(_)
            | Self::ChatRecord(_)
            | Self::RedPacket { .. }
            | Self::Transfer(_)
            | Self::RoomInvitation(_)
            | Self::App(_)
            | Self::Call(_)
            | Self::Notice { .. }
            | Self::System { .. }
            | Self::Unknown { .. } => None,
        }
    }

    /// The words in it that people read, or its raw form; for media the reference.
    fn gist(&self) -> &str {
        match self {
            Self::Text { text }
            | Self::Quote(Quote { text, .. })
            | Self::Notice { text }
            | Self::System { text }
            | Self::RedPacket { note: text, .. } => text,
            Self::Image { media } | Self::Voice { media, .. } | Self::Video { media, .. } => &media.reference,
            Self::Sticker { md5, media, .. } => media.as_ref().map_or(md5, |media| &media.reference),
            Self::Location(place) => first([&place.name, &place.label, &place.url]),
            Self::Card(card) => first([&card.nick_name, &card.alias]),
            Self::Link(link) => first([&link.title, &link.url]),
            Self::Music(music) => first([&music.title, &music.url]),
            Self::File(file) => &file.name,
            Self::MiniProgram(program) => first([&program.title, &program.source]),
            Self::ChatRecord(record) => &record.title,
            Self::Transfer(transfer) => first([&transfer.amount, &transfer.description]),
            Self::RoomInvitation(invitation) => &invitation.description,
            Self::App(app) => first([&app.title, &app.description, &app.raw]),
            Self::Call(call) => first([&call.text, &call.raw]),
            Self::Unknown { raw, .. } => raw,
        }
    }

    /// Length in bytes of its text, title or raw form, for logs that must not show it.
    pub fn len(&self) -> usize {
        self.gist().len()
    }

    /// True when it says nothing: a text without letters, an unknown kind without content. Kinds that say something by
    /// being there, like a call, are never empty.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Text { text } | Self::Notice { text } | Self::System { text } => text.is_empty(),
            Self::Unknown { raw, .. } => raw.is_empty(),
            Self::Image { .. }
            | Self::Voice { .. }
            | Self::Video { .. }
            | Self::Sticker { .. }
            | Self::Location(_)
            | Self::Card(_)
            | Self::Link(_)
            | Self::Music(_)
            | Self::File(_)
            | Self::MiniProgram(_)
            | Self::Quote(_)
            | Self::ChatRecord(_)
            | Self::RedPacket { .. }
            | Self::Transfer(_)
            | Self::RoomInvitation(_)
            | Self::App(_)
            | Self::Call(_) => false,
        }
    }

    /// One line for people at a console: `[image]`, `[link] title`, the beginning of a text. At most 80 characters, no
    /// control characters, no addresses or ids. It quotes what was said, so it is nothing for a log.
    pub fn summary(&self) -> String {
        let words = match self {
            Self::Text { text } | Self::System { text } => return line(text),
            Self::Image { .. } => String::new(),
            Self::Voice { length_ms, transcript, .. } => {
                format!("{} {}", seconds(length_ms.div_ceil(1000)), transcript.as_deref().unwrap_or_default())
            }
            Self::Video { length_s, .. } => seconds(*length_s),
            Self::Sticker { gesture, .. } => match gesture {
                Some(Gesture::Dice(points)) => points.to_string(),
                Some(Gesture::Scissors) => "scissors".to_owned(),
                Some(Gesture::Rock) => "rock".to_owned(),
                Some(Gesture::Paper) => "paper".to_owned(),
                None => String::new(),
            },
            Self::Location(place) => match place.live {
                Some(LiveShare::Started) => "live, started".to_owned(),
                Some(LiveShare::Ended) => "live, ended".to_owned(),
                None => first([&place.name, &place.label]).to_owned(),
            },
            Self::Card(card) => card.nick_name.clone(),
            Self::Link(link) => link.title.clone(),
            Self::Music(music) => music.title.clone(),
            Self::File(file) => file.name.clone(),
            Self::MiniProgram(program) => first([&program.title, &program.source]).to_owned(),
            Self::Quote(quote) => quote.text.clone(),
            Self::ChatRecord(record) => record.title.clone(),
            Self::RedPacket { note, .. } => note.clone(),
            Self::Transfer(transfer) => transfer.amount.clone(),
            Self::RoomInvitation(invitation) => invitation.description.clone(),
            Self::App(app) => first([&app.title, &app.description]).to_owned(),
            Self::Call(call) => format!("{} {}", call.state.word(), call.text),
            Self::Notice { text } => text.clone(),
            Self::Unknown { msg_type, .. } => format!("type {msg_type}"),
        };
        line(&format!("[{}] {words}", self.kind().replace('_', " ")))
    }
}

fn first<const N: usize>(texts: [&str; N]) -> &str {
    texts.into_iter().find(|text| !text.is_empty()).unwrap_or_default()
}

fn seconds(number: u64) -> String {
    if number == 0 { String::new() } else { format!("{number} s") }
}

/// On one line, and short: a terminal obeys control characters, and marks of direction turn a line around.
fn line(text: &str) -> String {
    let plain = |c: char| if c.is_control() || is_direction_mark(c) { ' ' } else { c };
    let trimmed = text.trim();
    let mut shown: String = trimmed.chars().take(SUMMARY).map(plain).collect();
    if trimmed.chars().nth(SUMMARY).is_some() {
        shown.pop();
        shown.push('…');
    }
    shown
}

fn is_direction_mark(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Where the bytes of a picture or file are, within the account and login that received it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MediaHandle {
    /// What the protocol needs to fetch it; on the Web the `MsgId`.
    pub reference: String,
    /// Size in bytes as stated by the sender; a label, never an allocation size.
    pub stated_len: Option<u64>,
    /// What the bytes are, which also says how they are asked for.
    #[serde(default)]
    pub kind: MediaKind,
    /// What else the protocol needs, in its own words (`snake_case`): on the Web, for files, [`MediaHandle::MEDIA_ID`]
    /// and its neighbours.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, String>,
}

impl MediaHandle {
    /// `MediaId` of the message.
    pub const MEDIA_ID: &str = "media_id";
    /// `EncryFileName`: the name as the service wants it back.
    pub const ENCRY_FILE_NAME: &str = "encry_file_name";
    /// `FileName`.
    pub const FILE_NAME: &str = "file_name";
    /// `FromUserName`: who sent it.
    pub const FROM_USER_NAME: &str = "from_user_name";
    /// A file on the machine of a PC hook, as the hook names it. Whoever opens it checks it against the account's roots.
    pub const PATH: &str = "path";
    /// A public address of the bytes.
    pub const URL: &str = "url";
    /// The bytes themselves as hexadecimal digits, where a callback brought them along.
    pub const HEX: &str = "hex";
    /// The XML of the message, which a PC hook wants back to fetch the bytes.
    pub const MSG_XML: &str = "msg_xml";
    /// The key that the stored bytes are encrypted with.
    pub const AES_KEY: &str = "aes_key";
    /// MD5 of the bytes as stated by the sender.
    pub const MD5: &str = "md5";

    /// A handle that needs nothing but its reference.
    pub fn new(kind: MediaKind, reference: impl Into<String>, stated_len: Option<u64>) -> Self {
        Self { reference: reference.into(), stated_len, kind, params: BTreeMap::new() }
    }
}

/// Keys and addresses that open without a key are among the parameters: of those only the names are shown.
impl fmt::Debug for MediaHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MediaHandle")
            .field("reference", &self.reference)
            .field("stated_len", &self.stated_len)
            .field("kind", &self.kind)
            .field("params", &self.params.keys())
            .finish()
    }
}

/// What the bytes behind a [`MediaHandle`] are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum MediaKind {
    /// A picture.
    #[default]
    Image,
    /// The small form of a picture, or a still of a film.
    Thumbnail,
    /// Speech.
    Voice,
    /// A film.
    Video,
    /// A sticker.
    Sticker,
    /// A file.
    File,
}

#[cfg(test)]
#[path = "message_tests.rs"]
mod tests;
