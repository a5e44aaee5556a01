//! Where are the bytes that an action sends? In the media folder, or still with the service.

use serde::{Deserialize, Serialize};

use crate::capability::Capability;
use crate::id::MediaDigest;
use crate::message::MediaHandle;

/// How bytes are shown to whoever gets them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum MediaShape {
    /// A picture (PNG, JPEG, BMP; GIF stands still).
    Image,
    /// A film (MP4).
    Video,
    /// Whatever it is, to be saved.
    File,
    /// A moving picture without a frame (GIF).
    Sticker,
}

impl MediaShape {
    /// What an account must be able to do to send it.
    pub fn needs(self) -> Capability {
        match self {
            Self::Image => Capability::SendImage,
            Self::Video => Capability::SendVideo,
            Self::File => Capability::SendFile,
            Self::Sticker => Capability::SendSticker,
        }
    }
}

/// Bytes to send.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Media {
    /// In the media folder.
    Stored(StoredMedia),
    /// In a message that came; fetched when it is sent, unless it was before. It lasts as long as the service keeps it.
    Received {
        /// Where the service has it.
        media: MediaHandle,
        /// The file name to send it under; may be empty.
        name: String,
    },
}

/// A file of the media folder. It is named by its content, so the same bytes are there once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredMedia {
    /// What it is called in the folder.
    pub digest: MediaDigest,
    /// Bytes.
    pub len: u64,
    /// The file name to send it under; may be empty. Never a path.
    pub name: String,
}
