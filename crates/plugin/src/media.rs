//! How does a plugin get at pictures, films and files, and how does it send them? As handles and sources, not as bytes.
//!
//! A message brings a [`MediaHandle`]. Nothing is downloaded until somebody asks: [`Ctx::media`](crate::Ctx::media) fetches
//! the bytes into wxbot's media folder, once for everybody, and answers a [`MediaFile`].
//!
//! ```
//! use wxbot_plugin::prelude::*;
//!
//! struct Describe;
//!
//! impl Plugin for Describe {
//!     type Config = NoConfig;
//!     fn manifest() -> Manifest {
//!         Manifest::new("describe", "Says what a picture is, and sends it back as a file.")
//!             .needs(&[Capability::FetchMedia, Capability::SendText, Capability::SendFile])
//!     }
//!     async fn init(_config: NoConfig, _cx: &InitCtx) -> Result<Self, PluginError> {
//!         Ok(Self)
//!     }
//!     async fn on_event(&self, event: &Event, cx: &Ctx) -> Result<Effects, PluginError> {
//!         let Some(Content::Image { media }) = event.message().map(|message| &message.content) else {
//!             return Ok(Effects::none());
//!         };
//!         let file = match cx.media(media).await {
//!             Ok(file) => file,
//!             Err(MediaError::Gone { .. }) => return Ok(Effects::reply("that picture is gone")),
//!             Err(error) => return Err(error.into()), // not now: the event comes again
//!         };
//!         let bytes = file.read(20 * 1024 * 1024).await?;
//!         Ok(Effects::reply(format!("{} of {} bytes", file.file_type().mime(), bytes.len()))
//!             .and_reply_file(MediaSource::from(&file).named("yours.png")))
//!     }
//! }
//! ```

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use wxbot_model::{File, FileType, MediaDigest, MediaHandle, MediaKind, StoredMedia};

/// A file of the media folder. It stays there at least as long as this value, or a clone of it, lives.
#[derive(Clone)]
pub struct MediaFile {
    stored: StoredMedia,
    file_type: FileType,
    path: PathBuf,
    bytes: Arc<dyn ReadMedia>,
}

/// The host's side of a [`MediaFile`]: reads it, and keeps it where it is.
pub trait ReadMedia: Send + Sync {
    /// All bytes. Who asks has checked the length.
    fn read(&self) -> BoxFuture<'static, Result<Vec<u8>, MediaError>>;
}

impl MediaFile {
    /// Made by the host.
    pub fn new(stored: StoredMedia, file_type: FileType, path: PathBuf, bytes: Arc<dyn ReadMedia>) -> Self {
        Self { stored, file_type, path, bytes }
    }

    /// Names the bytes: equal files have equal digests.
    pub fn digest(&self) -> &MediaDigest {
        &self.stored.digest
    }

    /// Length in bytes, counted and not claimed.
    pub fn len(&self) -> u64 {
        self.stored.len
    }

    /// True for a file without bytes, which the media folder does not take.
    pub fn is_empty(&self) -> bool {
        self.stored.len == 0
    }

    /// What it is, by its content.
    pub fn file_type(&self) -> FileType {
        self.file_type
    }

    /// A name that is safe to save it under: a plain file name with an extension. It is made of what the sender wrote,
    /// or of the content where nobody wrote a name, so it tells nothing for sure.
    pub fn name(&self) -> &str {
        &self.stored.name
    }

    /// Where it is, for programs that want a path. To be read only: others may share the file. Good while this value
    /// lives.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All bytes, when they are at most `limit`.
    ///
    /// # Errors
    /// [`MediaError::TooLarge`] for more, without reading any.
    pub async fn read(&self, limit: u64) -> Result<Vec<u8>, MediaError> {
        if self.stored.len > limit {
            return Err(MediaError::TooLarge { len: self.stored.len, limit });
        }
        self.bytes.read().await
    }

    /// What to keep of it in the KV store to send it again: cheap, and good until the folder is cleaned.
    pub fn stored(&self) -> &StoredMedia {
        &self.stored
    }
}

impl fmt::Debug for MediaFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MediaFile({:?}, {} bytes)", self.file_type, self.stored.len)
    }
}

/// Why there are no bytes. With `?` it fails the handler, and the event is tried again; that helps for
/// [`NotNow`](Self::NotNow) alone, so match on it where the others are an answer for you.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum MediaError {
    /// Asking again later may help; the download may even be going on.
    #[error("not now: {why}")]
    NotNow {
        /// What happened.
        why: String,
    },
    /// The service no longer has it, or the media folder was cleaned.
    #[error("it is gone: {why}")]
    Gone {
        /// What was found.
        why: String,
    },
    /// It will never be given: the protocol cannot, the service refused, the contact is not known.
    #[error("refused: {why}")]
    Refused {
        /// What was said.
        why: String,
    },
    /// More bytes than are taken.
    #[error("it has {len} bytes or more; at most {limit} are taken")]
    TooLarge {
        /// How many there are at least.
        len: u64,
        /// How many are taken.
        limit: u64,
    },
    /// The media folder is full of files that are still needed, or the disk is.
    #[error("there is no room for it: {why}")]
    NoRoom {
        /// What is full.
        why: String,
    },
}

/// Where the bytes to send come from. Paths and bytes are copied into the media folder with the event, so that a
/// restart still has them.
///
/// ```
/// use wxbot_plugin::prelude::*;
/// # let event_handle = wxbot_plugin::model::MediaHandle::new(wxbot_plugin::model::MediaKind::Image, "1", None);
/// Effects::reply_image(MediaSource::path("/srv/bot/menu.png"))       // a file of yours
///     .and_reply_file(("report.csv", b"day,count\n".to_vec()))       // bytes with a name
///     .and_reply_image(&event_handle);                               // what a message brought
/// ```
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum MediaSource {
    /// A regular file that wxbot may read.
    Path {
        /// Where it is.
        path: PathBuf,
        /// The name to send it under; its own when `None`.
        name: Option<String>,
    },
    /// Bytes in memory.
    Bytes {
        /// The name to send them under.
        name: String,
        /// All of them.
        #[serde(with = "serde_bytes")]
        bytes: Vec<u8>,
    },
    /// What a message brought; fetched when it is sent, unless it was before.
    Received {
        /// Where the service has it.
        media: MediaHandle,
        /// The name to send it under; may be empty.
        name: String,
    },
    /// A file of the media folder.
    Stored(StoredMedia),
}

impl MediaSource {
    /// The file at this path, under its own name.
    pub fn path(path: impl Into<PathBuf>) -> Self {
        Self::Path { path: path.into(), name: None }
    }

    /// These bytes under this name.
    pub fn bytes(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self::Bytes { name: name.into(), bytes: bytes.into() }
    }

    /// The same under another name.
    #[must_use]
    pub fn named(mut self, new: impl Into<String>) -> Self {
        match &mut self {
            Self::Path { name, .. } => *name = Some(new.into()),
            Self::Bytes { name, .. } | Self::Received { name, .. } => *name = new.into(),
            Self::Stored(stored) => stored.name = new.into(),
        }
        self
    }
}

impl fmt::Debug for MediaSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path { path, .. } => write!(f, "Path({})", path.display()),
            Self::Bytes { name, bytes } => write!(f, "Bytes({name:?}, {})", bytes.len()),
            Self::Received { media, .. } => write!(f, "Received({:?})", media.kind),
            Self::Stored(stored) => write!(f, "Stored({})", stored.digest),
        }
    }
}

impl From<PathBuf> for MediaSource {
    fn from(path: PathBuf) -> Self {
        Self::path(path)
    }
}

impl From<&Path> for MediaSource {
    fn from(path: &Path) -> Self {
        Self::path(path)
    }
}

impl<N: Into<String>> From<(N, Vec<u8>)> for MediaSource {
    fn from((name, bytes): (N, Vec<u8>)) -> Self {
        Self::bytes(name, bytes)
    }
}

impl From<&MediaHandle> for MediaSource {
    fn from(media: &MediaHandle) -> Self {
        let name = match media.kind {
            MediaKind::File => media.params.get(MediaHandle::FILE_NAME).cloned(),
            MediaKind::Image | MediaKind::Thumbnail | MediaKind::Voice | MediaKind::Video | MediaKind::Sticker | _ => {
                None
            }
        };
        Self::Received { media: media.clone(), name: name.unwrap_or_default() }
    }
}

impl From<&File> for MediaSource {
    fn from(file: &File) -> Self {
        Self::Received { media: file.media.clone(), name: file.name.clone() }
    }
}

impl From<StoredMedia> for MediaSource {
    fn from(stored: StoredMedia) -> Self {
        Self::Stored(stored)
    }
}

impl From<&MediaFile> for MediaSource {
    fn from(file: &MediaFile) -> Self {
        Self::Stored(file.stored.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_say_where_bytes_are_and_never_print_them() {
        let handle = MediaHandle::new(MediaKind::File, "7", None);
        let file = File { name: "a.pdf".into(), len: None, media: handle.clone() };
        let received = |name: &str| MediaSource::Received { media: handle.clone(), name: name.into() };
        assert_eq!(MediaSource::from(&file), received("a.pdf"));
        assert_eq!(MediaSource::from(&handle).named("b.pdf"), received("b.pdf"));
        let path = MediaSource::from(Path::new("/x/y.png"));
        assert_eq!(path.named("z.png"), MediaSource::Path { path: "/x/y.png".into(), name: Some("z.png".into()) });
        let bytes = format!("{:?}", MediaSource::from(("n", b"secret".to_vec())));
        assert_eq!(bytes, "Bytes(\"n\", 6)");
    }
}
