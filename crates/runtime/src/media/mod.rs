//! Where are pictures, films and files, on their way in and out? In the media folder, each named by its content.
//!
//! [`limits`] how much of each kind → [`disk`] the folder itself: part files, one rename → [`pins`] what must not go →
//! [`take`] what plugins send → [`fetch`] what messages bring → [`clean`] the cap, and what goes first → [`uploads`] what
//! is being sent. What is known of each file lies in the store ([`crate::store::media`]).
//!
//! No name from a message or a plugin is ever part of a path here (security R13).

mod clean;
mod disk;
mod fetch;
mod limits;
mod pins;
mod take;
pub mod uploads;

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use futures_util::future::BoxFuture;
use tokio::sync::{Mutex, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wxbot_core::source::Source;
use wxbot_model::{AccountName, FileType, MediaDigest, StoredMedia, file_name};
use wxbot_plugin::host::ReadMedia;
use wxbot_plugin::{MediaError, MediaFile};

use crate::config::MediaSettings;
use crate::failpoint::fail_point;
use crate::store::{MediaRow, MediaSourceKey, Store, StoreError};
pub use clean::{Cleared, Going, Listing};
use disk::{Disk, Whole};
pub(crate) use fetch::Wanted;
use fetch::{Bounds, Flights};
pub use limits::{limit, limit_of};
use pins::{Pin, Pins};

/// Name of the folder in the data directory.
pub const FOLDER: &str = "media";
/// Files that are copied in at once: each takes a blocking thread, which the store needs too.
const COPIES: usize = 2;

/// The media folder of one data directory, with what is known of each file. Needs the directory's lock.
pub struct MediaFolder {
    disk: Arc<Disk>,
    store: Arc<dyn Store>,
    source: Source,
    settings: RwLock<MediaSettings>,
    pins: Arc<Pins>,
    /// Bytes in the folder. Whoever holds it may add or remove files.
    total: Mutex<u64>,
    copies: Semaphore,
    flights: Flights,
    bounds: Bounds,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// A file of the folder that stays there while this value or a clone of it lives.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) stored: StoredMedia,
    pub(crate) file_type: FileType,
    pub(crate) path: PathBuf,
    pin: Arc<Pin>,
}

impl MediaFolder {
    /// Opens or makes the folder below `data_dir`, sweeps what a kill left of unfinished files, and brings folder and
    /// store into line: a file without a row is taken up again, a row without a file is struck off.
    ///
    /// # Errors
    /// When the folder cannot be made or read, or the store fails.
    pub async fn open(
        data_dir: &Path,
        store: Arc<dyn Store>,
        source: Source,
        settings: MediaSettings,
    ) -> Result<Arc<Self>, StoreError> {
        let path = data_dir.join(FOLDER);
        let shown = path.display().to_string();
        let trouble =
            |e: io::Error| StoreError::Engine { what: "open the media folder", reason: format!("{shown}: {e}") };
        let (disk, files) = blocking(move || {
            let disk = Disk::open(path)?;
            let files = disk.files()?;
            Ok((Arc::new(disk), files))
        })
        .await
        .map_err(trouble)?;
        let folder = Self {
            disk,
            store,
            source,
            settings: RwLock::new(settings),
            pins: Arc::default(),
            total: Mutex::new(files.iter().map(|(_, len)| len).sum()),
            copies: Semaphore::new(COPIES),
            flights: Flights::default(),
            bounds: Bounds::default(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        };
        folder.align(files).await?;
        Ok(Arc::new(folder))
    }

    async fn align(&self, files: Vec<(MediaDigest, u64)>) -> Result<(), StoreError> {
        let rows = self.store.media_rows(usize::MAX >> 1).await?;
        let there: HashMap<_, _> = files.iter().map(|(digest, len)| (digest, *len)).collect();
        let known: HashSet<_> = rows.iter().map(|row| &row.digest).collect();
        let lost: Vec<_> = rows.iter().filter(|row| there.get(&row.digest) != Some(&row.len)).collect();
        for row in &lost {
            // Of another length: somebody changed it, and its name is a lie.
            if let Some(len) = there.get(&row.digest) {
                let (disk, digest) = (Arc::clone(&self.disk), row.digest.clone());
                let removed = blocking(move || disk.remove(&digest)).await;
                tracing::warn!(digest = %row.digest, ?removed, "A media file is not what it was; it is thrown away.");
                let mut total = self.total.lock().await;
                *total = total.saturating_sub(*len);
            }
        }
        self.store.media_forget(lost.into_iter().map(|row| row.digest.clone()).collect()).await?;
        for (digest, len) in files.iter().filter(|(digest, _)| !known.contains(digest)) {
            let (disk, one) = (Arc::clone(&self.disk), digest.clone());
            let file_type = blocking(move || disk.file_type(&one)).await.unwrap_or(FileType::Unknown);
            let whole = Whole { digest: digest.clone(), len: *len, file_type };
            self.store.media_put(self.row(&whole, String::new(), ""), None).await?;
        }
        Ok(())
    }

    /// Takes new limits at once; what is too much goes with the next file or the next sweep.
    pub fn set_limits(&self, settings: MediaSettings) {
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = settings;
    }

    fn settings(&self) -> MediaSettings {
        *self.settings.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where a file of the folder is.
    pub fn path_of(&self, digest: &MediaDigest) -> PathBuf {
        self.disk.path_of(digest)
    }

    fn row(&self, file: &Whole, name: String, account: &str) -> MediaRow {
        let now_ms = self.source.now_ms();
        MediaRow {
            digest: file.digest.clone(),
            len: file.len,
            file_type: file.file_type,
            name,
            account: account.to_owned(),
            added_ms: now_ms,
            used_ms: now_ms,
            waiting: 0,
        }
    }

    /// Brings a finished part under its final name, once, and notes it. Durable when it answers.
    async fn land(
        &self,
        part: disk::Finished,
        account: &AccountName,
        label: &str,
        from: Option<MediaSourceKey>,
    ) -> Result<Held, MediaError> {
        let whole = part.whole().clone();
        let pin = Pin::new(&self.pins, &whole.digest);
        let mut total = self.total.lock().await;
        let disk = Arc::clone(&self.disk);
        let digest = whole.digest.clone();
        if !blocking(move || Ok(disk.holds(&digest, whole.len))).await.map_err(|e| io_error(&e))? {
            self.make_room(&mut total, whole.len).await?;
            let disk = Arc::clone(&self.disk);
            blocking(move || part.land(&disk)).await.map_err(|e| io_error(&e))?;
            fail_point!("media: file in place");
            *total += whole.len;
        }
        let name = if label.trim().is_empty() { String::new() } else { file_name::safe(label, "", "") };
        self.store.media_put(self.row(&whole, name, account.as_str()), from).await.map_err(|e| store_error(&e))?;
        fail_point!("media: file noted");
        drop(total);
        Ok(self.held(whole.digest, whole.len, whole.file_type, label, pin))
    }

    fn held(&self, digest: MediaDigest, len: u64, file_type: FileType, label: &str, pin: Arc<Pin>) -> Held {
        let stem = format!("{}-{}", file_type.mime().split('/').next().unwrap_or("file"), short(&digest));
        let name = file_name::safe(label, &stem, file_type.extension());
        let path = self.disk.path_of(&digest);
        Held { stored: StoredMedia { digest, len, name }, file_type, path, pin }
    }

    /// A file that is there, pinned; `None` when it is not, or not whole.
    pub(crate) async fn hold(&self, digest: &MediaDigest, label: &str) -> Result<Option<Held>, MediaError> {
        let pin = Pin::new(&self.pins, digest);
        let Some(row) = self.store.media_row(digest).await.map_err(|e| store_error(&e))? else { return Ok(None) };
        self.hold_row(row, label, pin).await
    }

    async fn hold_row(&self, row: MediaRow, label: &str, pin: Arc<Pin>) -> Result<Option<Held>, MediaError> {
        let (disk, digest, len) = (Arc::clone(&self.disk), row.digest.clone(), row.len);
        if !blocking(move || Ok(disk.holds(&digest, len))).await.map_err(|e| io_error(&e))? {
            return Ok(None);
        }
        self.store.media_touch(&row.digest, self.source.now_ms()).await.map_err(|e| store_error(&e))?;
        let label = if label.trim().is_empty() { row.name.as_str() } else { label };
        Ok(Some(self.held(row.digest.clone(), row.len, row.file_type, label, pin)))
    }

    /// Ends downloads and waits for them; what they had begun is swept.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl fmt::Debug for MediaFolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MediaFolder").field("settings", &self.settings()).finish_non_exhaustive()
    }
}

impl Held {
    pub(crate) fn for_plugin(self) -> MediaFile {
        let reader = FolderFile { path: self.path.clone(), _pin: self.pin };
        MediaFile::new(self.stored, self.file_type, self.path, Arc::new(reader))
    }
}

/// A plugin's hold on a file.
struct FolderFile {
    path: PathBuf,
    _pin: Arc<Pin>,
}

impl ReadMedia for FolderFile {
    fn read(&self) -> BoxFuture<'static, Result<Vec<u8>, MediaError>> {
        let path = self.path.clone();
        Box::pin(async move { blocking(move || std::fs::read(path)).await.map_err(|e| io_error(&e)) })
    }
}

/// The first eight digits, for names and lists.
fn short(digest: &MediaDigest) -> &str {
    digest.as_str().get(..8).unwrap_or_default()
}

/// Disk work, off the async threads.
async fn blocking<T: Send + 'static>(job: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(job).await.unwrap_or_else(|e| Err(io::Error::other(e)))
}

fn io_error(error: &io::Error) -> MediaError {
    if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
        return MediaError::NoRoom { why: error.to_string() };
    }
    MediaError::NotNow { why: format!("the media folder: {error}") }
}

fn store_error(error: &StoreError) -> MediaError {
    MediaError::NotNow { why: error.to_string() }
}
