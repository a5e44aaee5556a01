//! What a message says, after decoding: content, media handles, mentions.

use serde::{Deserialize, Serialize};

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

/// What a message says. Kinds that are not decoded keep their raw text in [`Content::Unknown`].
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
    /// Text that the service itself wrote into the chat.
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

impl Content {
    /// A short word for logs and filters.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Text { .. } => "text",
            Self::Image { .. } => "image",
            Self::System { .. } => "system",
            Self::Unknown { .. } => "unknown",
        }
    }

    /// The text of a text message, else nothing. System texts are not included: nobody said them.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text { text } => Some(text),
            Self::Image { .. } | Self::System { .. } | Self::Unknown { .. } => None,
        }
    }

    /// Length of its text or raw form in bytes, for logs that must not show the text itself.
    pub fn len(&self) -> usize {
        match self {
            Self::Text { text } | Self::System { text } => text.len(),
            Self::Image { media } => media.reference.len(),
            Self::Unknown { raw, .. } => raw.len(),
        }
    }

    /// True when there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Where the bytes of a picture or file are, within the account and login that received it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MediaHandle {
    /// What the protocol needs to fetch it; on the Web the `MsgId`.
    pub reference: String,
    /// Size in bytes as stated by the sender; a label, never an allocation size.
    pub stated_len: Option<u64>,
}
