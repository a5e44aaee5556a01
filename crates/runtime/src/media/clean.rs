//! Which files go? What was not used for the longest time, as soon as the folder is full or `keep` is over; never what a
//! stored send or a handler still needs.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use wxbot_model::size::show_size;
use wxbot_plugin::MediaError;

use super::{MediaFolder, blocking, store_error};
use crate::store::{MediaRow, StoreError};

/// Files that are looked at in one step of removing.
const STEP: usize = 500;

/// What is in the folder.
#[derive(Debug, Clone, Serialize)]
pub struct Listing {
    /// The last used first.
    pub files: Vec<MediaRow>,
    /// Bytes of all.
    pub total: u64,
    /// `max_size`.
    pub max_size: u64,
    /// `keep`, in milliseconds.
    pub keep_ms: u64,
}

/// What to clear.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Going {
    /// Only what was not used for this long, in milliseconds; 0: all.
    pub unused_ms: u64,
    /// Only say what would go.
    pub dry_run: bool,
}

/// What went, or would go.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cleared {
    /// Files that went.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files that are past the time and stay: a send or a handler needs them.
    pub kept: u64,
}

impl MediaFolder {
    /// All files with what is known of them.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn list(&self) -> Result<Listing, StoreError> {
        let mut files = self.store.media_rows(usize::MAX >> 1).await?;
        files.reverse();
        let settings = self.settings();
        let keep_ms = u64::try_from(settings.keep.as_millis()).unwrap_or(u64::MAX);
        Ok(Listing { files, total: *self.total.lock().await, max_size: settings.max_size, keep_ms })
    }

    /// Removes what a person no longer wants.
    ///
    /// # Errors
    /// When the store fails or a file cannot be removed; what went before is gone.
    pub async fn clear(&self, going: Going) -> Result<Cleared, MediaError> {
        let mut total = self.total.lock().await;
        let before = self.before(Duration::from_millis(going.unused_ms));
        let rows = self.store.media_rows(usize::MAX >> 1).await.map_err(|e| store_error(&e))?;
        let old: Vec<_> = rows.into_iter().filter(|row| row.used_ms <= before).collect();
        self.remove(&mut total, old, u64::MAX, going.dry_run).await
    }

    /// Removes what is past `keep`, and what is too much after `max_size` was lowered.
    pub(crate) async fn sweep(&self) {
        let cleared = async {
            let settings = self.settings();
            let before = self.before(settings.keep);
            let mut total = self.total.lock().await;
            let rows = self.store.media_idle(STEP).await.map_err(|e| store_error(&e))?;
            let old: Vec<_> = rows.into_iter().filter(|row| row.used_ms <= before).collect();
            let cleared = self.remove(&mut total, old, u64::MAX, false).await?;
            if *total > settings.max_size {
                self.shrink(&mut total, settings.max_size).await?;
            }
            Ok::<_, MediaError>(cleared)
        };
        match cleared.await {
            Ok(cleared) if cleared.files > 0 => {
                tracing::info!(files = cleared.files, bytes = cleared.bytes, "Old media files removed.");
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "The media folder could not be cleaned."),
        }
    }

    fn before(&self, age: Duration) -> i64 {
        self.source.now_ms().saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX))
    }

    /// Removes until a file of `len` bytes fits. One that is longer than the folder is too large for good.
    pub(super) async fn make_room(&self, total: &mut u64, len: u64) -> Result<(), MediaError> {
        let most = self.settings().max_size;
        if total.saturating_add(len) <= most {
            return Ok(());
        }
        if len > most {
            // No removing makes room for it, so nothing has to go.
            return Err(MediaError::TooLarge { len, limit: most });
        }
        self.shrink(total, most - len).await?;
        if total.saturating_add(len) <= most {
            return Ok(());
        }
        let why = format!(
            "{} more do not fit into [media] max_size = {}, of which {} are still needed",
            show_size(len),
            show_size(most),
            show_size(*total)
        );
        tracing::warn!(%why, "The media folder is full.");
        Err(MediaError::NoRoom { why })
    }

    /// Removes the longest unused until no more than `to` bytes are left, or nothing more can go.
    async fn shrink(&self, total: &mut u64, to: u64) -> Result<(), MediaError> {
        while *total > to {
            let rows = self.store.media_idle(STEP).await.map_err(|e| store_error(&e))?;
            let cleared = self.remove(total, rows, *total - to, false).await?;
            if cleared.files == 0 {
                break;
            }
            tracing::debug!(files = cleared.files, bytes = cleared.bytes, "Media files made room.");
        }
        Ok(())
    }

    /// Removes from the front of `rows` until `enough` bytes are gone. The order of steps is that of [`super::pins`].
    async fn remove(
        &self,
        total: &mut u64,
        rows: Vec<MediaRow>,
        enough: u64,
        dry_run: bool,
    ) -> Result<Cleared, MediaError> {
        let (free, held): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| self.pins.condemn(&row.digest));
        let needed: HashSet<_> = self.store.media_needed().await.map_err(|e| store_error(&e))?;
        let mut cleared = Cleared { kept: held.len() as u64, ..Cleared::default() };
        let mut condemned = Vec::new();
        for row in free {
            if needed.contains(&row.digest) {
                cleared.kept += 1;
            } else if cleared.bytes < enough {
                (cleared.files, cleared.bytes) = (cleared.files + 1, cleared.bytes + row.len);
                if !dry_run {
                    condemned.push(row);
                    continue;
                }
            }
            self.pins.pardon(&row.digest);
        }
        if condemned.is_empty() {
            return Ok(cleared);
        }
        let (disk, pins) = (Arc::clone(&self.disk), Arc::clone(&self.pins));
        let executed = blocking(move || {
            let (mut gone, mut trouble) = (Vec::new(), None);
            for row in condemned {
                match pins.execute(&row.digest, || disk.remove(&row.digest)) {
                    Ok(true) => gone.push(row),
                    Ok(false) => {}
                    Err(error) => trouble = Some(error),
                }
            }
            Ok((gone, trouble))
        });
        let (gone, trouble) = executed.await.map_err(|e| super::io_error(&e))?;
        cleared.files = gone.len() as u64;
        cleared.bytes = gone.iter().map(|row| row.len).sum();
        *total = total.saturating_sub(cleared.bytes);
        self.store.media_forget(gone.into_iter().map(|row| row.digest).collect()).await.map_err(|e| store_error(&e))?;
        match trouble {
            Some(error) if cleared.files == 0 => Err(super::io_error(&error)),
            Some(error) => {
                tracing::warn!(%error, "A media file cannot be removed.");
                Ok(cleared)
            }
            None => Ok(cleared),
        }
    }
}
