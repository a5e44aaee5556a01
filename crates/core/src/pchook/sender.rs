//! How are actions, bytes and people asked of a hook? Actions by its profile; bytes from where the push said that they are:
//! in it, in a file below `media_roots`, or at an address.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use futures_util::stream;
use tokio::io::AsyncReadExt as _;
use wxbot_model::{Contact, ContactKind, MediaHandle, PeerId};

use super::door::HookDoor;
use super::{path, people};
use crate::error::{FetchError, SendError};
use crate::http::Outward;
use crate::lenient::hex;
use crate::mapping::call::Call;
use crate::mapping::outgoing::MappedSender;
use crate::protocol::{ActionSender, Fetch, Fetched, Outgoing, Receipt};

/// How often a file that is still written is looked at, and for how long.
const LOOK: Duration = Duration::from_millis(250);
const LOOKS: u32 = 240;
/// Bytes of a file at a time.
const PIECE: usize = 64 * 1024;

/// Folders of the hook that its media lie in, and where wxbot sees them.
#[derive(Debug, Clone, Default)]
pub(super) struct Roots {
    /// As the hook names it, and as wxbot opens it.
    pub(super) folders: Vec<(String, PathBuf)>,
}

/// The sending half of a hook account.
pub(super) struct HookSender {
    pub(super) mapped: MappedSender,
    pub(super) roots: Roots,
    /// Knows who we are.
    pub(super) door: Arc<HookDoor>,
    /// For bytes that lie at an address (security R14).
    pub(super) outward: Arc<Outward>,
}

impl ActionSender for HookSender {
    fn perform(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<Receipt, SendError>> {
        self.mapped.perform(outgoing)
    }

    fn fetch(&self, what: Fetch) -> BoxFuture<'_, Result<Fetched, FetchError>> {
        Box::pin(async move {
            match what {
                Fetch::Media(handle) => self.bytes_of(&handle).await,
                Fetch::Avatar { .. } => Err(refused("a hook tells only the addresses of pictures of people")),
            }
        })
    }

    fn look_up<'a>(&'a self, peer: &'a PeerId) -> BoxFuture<'a, Result<Arc<Contact>, FetchError>> {
        Box::pin(self.who(peer))
    }
}

fn refused(why: impl Into<String>) -> FetchError {
    FetchError::Refused { why: why.into() }
}

impl HookSender {
    async fn who(&self, peer: &PeerId) -> Result<Arc<Contact>, FetchError> {
        let kind = people::kind_of(peer.as_str());
        let engine = &self.mapped.engine;
        let is_room = kind == ContactKind::Room;
        let call = if is_room && engine.actions().can("room_members") {
            Call::room_members(peer.as_str())
        } else {
            Call::contact_info(peer.as_str())
        };
        let told = engine.ask(&call).await?;
        let mut fields = told.fields;
        // Asked by its id: an answer without one is of this peer.
        fields.entry("id".to_owned()).or_insert_with(|| peer.to_string());
        let contact = people::from_fields(&fields, "id", kind).filter(|contact| contact.peer == *peer);
        let mut contact = contact.ok_or_else(|| refused(format!("the hook tells of somebody else than {peer}")))?;
        if is_room {
            contact.members = people::members(&told.items, self.door.myself().as_ref());
        }
        Ok(Arc::new(contact))
    }

    async fn bytes_of(&self, handle: &MediaHandle) -> Result<Fetched, FetchError> {
        let of = |key: &str| handle.params.get(key).map(String::as_str).filter(|value| !value.is_empty());
        if let Some(digits) = of(MediaHandle::HEX) {
            let bytes =
                hex::decode(digits).ok_or_else(|| refused("the bytes that came with the message are no bytes"))?;
            return Ok(whole(bytes.into()));
        }
        match (of(MediaHandle::PATH), of(MediaHandle::URL)) {
            (Some(path), url) => match (self.locate(path), url) {
                (Ok(file), _) => open(&file, self.folder_of(path)).await,
                // A file that may not be opened is still at its address.
                (Err(_), Some(url)) => self.outward.fetch(url).await,
                (Err(refused), None) => Err(refused),
            },
            (None, Some(url)) => self.outward.fetch(url).await,
            (None, None) => Err(refused("the hook did not say where the bytes are")),
        }
    }

    /// Where wxbot sees this path of the hook; only below the account's roots (security R07).
    fn locate(&self, path: &str) -> Result<PathBuf, FetchError> {
        let names: Vec<&str> = self.roots.folders.iter().map(|(name, _)| name.as_str()).collect();
        let below = path::below_roots(path, &names);
        let below = below.ok_or_else(|| refused("the file lies in none of the account's `media_roots`"))?;
        let folder = self.roots.folders.get(below.root).map(|(_, folder)| folder.as_path()).unwrap_or(Path::new(""));
        Ok(below.parts.iter().fold(folder.to_owned(), |path, part| path.join(part)))
    }

    fn folder_of(&self, path: &str) -> PathBuf {
        let names: Vec<&str> = self.roots.folders.iter().map(|(name, _)| name.as_str()).collect();
        let root = path::below_roots(path, &names).and_then(|below| self.roots.folders.get(below.root));
        root.map(|(_, folder)| folder.clone()).unwrap_or_default()
    }
}

fn whole(bytes: Bytes) -> Fetched {
    let stated_len = Some(bytes.len() as u64);
    Fetched { stated_len, content_type: None, body: Box::pin(stream::iter([Ok(bytes)])) }
}

/// Opens a file when it is no longer written, and only if it really lies in `folder`: links lead elsewhere.
async fn open(file: &Path, folder: PathBuf) -> Result<Fetched, FetchError> {
    let later = |error: std::io::Error| FetchError::NotNow { why: format!("the file cannot be read: {error}") };
    let mut len = None;
    for _ in 0..LOOKS {
        let now = tokio::fs::metadata(file).await.map(|found| found.len()).ok();
        if now.is_some_and(|now| now > 0) && now == len {
            break;
        }
        len = now;
        tokio::time::sleep(LOOK).await;
    }
    let (real, root) =
        (tokio::fs::canonicalize(file).await.map_err(later)?, tokio::fs::canonicalize(folder).await.map_err(later)?);
    if !real.starts_with(&root) {
        return Err(refused("the file leads out of the account's `media_roots`"));
    }
    let opened = tokio::fs::File::open(&real).await.map_err(later)?;
    let found = opened.metadata().await.map_err(later)?;
    if !found.is_file() {
        return Err(refused("what the hook names is no file"));
    }
    let body = stream::try_unfold(opened, move |mut opened| async move {
        let mut piece = BytesMut::with_capacity(PIECE);
        let read = opened.read_buf(&mut piece).await.map_err(later)?;
        Ok((read > 0).then(|| (piece.freeze(), opened)))
    });
    Ok(Fetched { stated_len: Some(found.len()), content_type: None, body: Box::pin(body) })
}
