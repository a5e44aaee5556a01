//! Does the media folder keep its promises: whole files, once each, within limits, and none gone that is needed?
//!
//! [`folder`] what comes in and what goes → [`fetching`] downloads from a service that does as a script says →
//! [`model`] random orders of events.

mod fetching;
mod folder;
mod model;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream;
use tokio::sync::watch;
use wxbot_core::error::{FetchError, SendError};
use wxbot_core::protocol::{ActionSender, Fetch, Fetched, Outgoing, Receipt};
use wxbot_core::source::Source;
use wxbot_model::{AccountName, MediaHandle, MediaKind};

use super::*;
use crate::store::sqlite::{DataDir, SqliteStore};
use crate::store::{Accept, Finish, NewRow, NewSend};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n and so on";

/// A folder in a data directory of its own.
struct Rig {
    folder: Arc<MediaFolder>,
    store: Arc<dyn Store>,
    source: Source,
    _lock: DataDir,
    dir: tempfile::TempDir,
}

async fn rig_of(settings: MediaSettings) -> Rig {
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let lock = DataDir::open(dir.path()).unwrap();
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&lock).unwrap());
    let source = Source::seeded(7, 1_780_000_000);
    let folder = MediaFolder::open(dir.path(), Arc::clone(&store), source.clone(), settings).await.unwrap();
    Rig { folder, store, source, _lock: lock, dir }
}

async fn rig() -> Rig {
    rig_of(MediaSettings::default()).await
}

fn shop() -> AccountName {
    "shop".parse().unwrap()
}

fn image(reference: &str) -> MediaHandle {
    MediaHandle::new(MediaKind::Image, reference, None)
}

impl Rig {
    /// The folder as the next start finds it.
    async fn reopened(&self) -> Arc<MediaFolder> {
        let (store, settings) = (Arc::clone(&self.store), self.folder.settings());
        MediaFolder::open(self.dir.path(), store, self.source.clone(), settings).await.unwrap()
    }

    /// Names of files under `media/`, those being written included.
    fn files(&self) -> Vec<PathBuf> {
        let root = self.dir.path().join(FOLDER);
        let mut found = Vec::new();
        for shelf in std::fs::read_dir(&root).unwrap() {
            let shelf = shelf.unwrap().path();
            found.extend(std::fs::read_dir(&shelf).unwrap().map(|file| file.unwrap().path()));
        }
        found.iter_mut().for_each(|path| *path = path.strip_prefix(&root).unwrap().to_owned());
        found.sort();
        found
    }

    /// Digests by the store, the longest unused first.
    async fn rows(&self) -> Vec<MediaRow> {
        self.store.media_rows(100).await.unwrap()
    }

    /// Commits a send that needs this file, as the end of an event does.
    async fn commit_send(&self, digest: &MediaDigest) {
        let now_ms = self.source.now_ms();
        let key = format!("k{}", self.source.random_u64());
        let conv: wxbot_model::ContactId = "p1".parse().unwrap();
        let row = NewRow { key: key.parse().unwrap(), conv: conv.clone(), kind: "text", body: "{}".into(), echo: None };
        let batch = Accept {
            account: shop(),
            rows: vec![row],
            cursor: None,
            sealed: None,
            contacts: Vec::new(),
            opens: Vec::new(),
            claim: 0,
            now_ms,
        };
        let seq = self.store.accept(batch).await.unwrap().seqs[0].unwrap();
        let client_id = self.source.random_u64().to_string().parse().unwrap();
        let send = NewSend {
            plugin: "a".into(),
            ord: 0,
            conv,
            client_id,
            body: "{}".into(),
            echo: 0,
            media: Some(digest.clone()),
        };
        let end = Finish {
            seq,
            account: shop(),
            note: None,
            sends: vec![send],
            swaps: Vec::new(),
            kv: Vec::new(),
            timers: Vec::new(),
            direct: None,
            now_ms,
        };
        self.store.finish(end).await.unwrap();
    }
}

/// What the service does when it is asked.
enum Act {
    /// States a length, gives these pieces, and ends.
    Give(Option<u64>, Vec<Result<Bytes, FetchError>>),
    /// Gives these pieces and then nothing more, for ever.
    Stall(Vec<Bytes>),
    /// Refuses.
    Fail(FetchError),
}

/// A service that does one act of its script after another, and the last one for ever.
#[derive(Default)]
struct Script {
    acts: Mutex<VecDeque<Act>>,
    asked: AtomicUsize,
    under_way: Arc<AtomicUsize>,
    most: AtomicUsize,
}

/// Counts a body as long as it is read.
struct UnderWay(Arc<AtomicUsize>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Script {
    fn of(acts: impl IntoIterator<Item = Act>) -> Arc<Self> {
        Arc::new(Self { acts: Mutex::new(acts.into_iter().collect()), ..Self::default() })
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn online(self: &Arc<Self>) -> watch::Receiver<Option<Arc<dyn ActionSender>>> {
        watch::channel(Some(Arc::clone(self) as Arc<dyn ActionSender>)).1
    }
}

impl ActionSender for Script {
    fn perform(&self, _outgoing: Outgoing) -> BoxFuture<'_, Result<Receipt, SendError>> {
        Box::pin(async { Ok(Receipt::default()) })
    }

    fn fetch(&self, _what: Fetch) -> BoxFuture<'_, Result<Fetched, FetchError>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let now = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        let guard = UnderWay(Arc::clone(&self.under_way));
        let mut acts = self.acts.lock().unwrap();
        let (stated_len, pieces, stalls) = match acts.front().unwrap() {
            Act::Give(stated, pieces) => (*stated, pieces.clone(), false),
            Act::Stall(pieces) => (None, pieces.iter().cloned().map(Ok).collect(), true),
            Act::Fail(error) => {
                let error = error.clone();
                if acts.len() > 1 {
                    acts.pop_front();
                }
                return Box::pin(async { Err(error) });
            }
        };
        if acts.len() > 1 {
            acts.pop_front();
        }
        let state = (pieces.into_iter(), stalls, guard);
        let body = stream::unfold(state, |(mut pieces, stalls, guard)| async move {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            match pieces.next() {
                Some(piece) => Some((piece, (pieces, stalls, guard))),
                None if stalls => std::future::pending().await,
                None => None,
            }
        });
        Box::pin(async move { Ok(Fetched { stated_len, content_type: None, body: Box::pin(body) }) })
    }
}

fn give(bytes: &[u8]) -> Act {
    Act::Give(Some(bytes.len() as u64), bytes.chunks(7).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect())
}
