//! How does what a plugin sends come into the folder? Before its event is committed, so that a restart still has it.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::OFlags;
use wxbot_model::{AccountName, Media, MediaHandle, MediaShape, StoredMedia, file_name};
use wxbot_plugin::{MediaError, MediaSource};

use super::disk::{Disk, Finished, TooMany};
use super::{Held, MediaFolder, blocking, io_error, limit_of};
use crate::media::fetch::key_of;
use crate::store::MediaSourceKey;

/// What an action says of its bytes, and the hold that keeps them until the event is committed.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) media: Media,
    pub(crate) hold: Option<Held>,
}

impl From<Held> for Taken {
    fn from(held: Held) -> Self {
        Self { media: Media::Stored(held.stored.clone()), hold: Some(held) }
    }
}

impl MediaFolder {
    /// Takes the bytes of a source in; what a message brought and was never fetched stays where it is.
    ///
    /// # Errors
    /// In plain words, for the plugin's author.
    pub(crate) async fn take(
        &self,
        account: &AccountName,
        shape: MediaShape,
        source: MediaSource,
    ) -> Result<Taken, String> {
        let limit = limit_of(shape);
        match source {
            MediaSource::Path { path, name } => {
                let shown = path.display().to_string();
                let name = name.unwrap_or_else(|| base_name(&path));
                let taken = self.take_file(account, path, &name, limit).await;
                taken.map(Taken::from).map_err(|why| format!("`{shown}` cannot be sent: {why}"))
            }
            MediaSource::Bytes { name, bytes } => {
                let shown = file_name::safe(&name, "bytes without a name", "");
                let taken = self.take_bytes(account, bytes, &name, limit).await;
                taken.map(Taken::from).map_err(|why| format!("`{shown}` cannot be sent: {why}"))
            }
            MediaSource::Received { media, name } => self.take_received(account, media, name, limit).await,
            MediaSource::Stored(stored) => self.take_stored(stored, limit).await.map(Taken::from),
            _ => Err("this wxbot does not know where the bytes are".into()),
        }
    }

    async fn take_file(&self, account: &AccountName, path: PathBuf, name: &str, limit: u64) -> Result<Held, String> {
        let _copy = self.copies.acquire().await.map_err(|_closed| "wxbot stops".to_owned())?;
        let disk = Arc::clone(&self.disk);
        let part = blocking(move || Ok(copied(&disk, &path, limit))).await.map_err(|e| e.to_string())??;
        self.land(part, account, name, None).await.map_err(|e| e.to_string())
    }

    async fn take_bytes(&self, account: &AccountName, bytes: Vec<u8>, name: &str, limit: u64) -> Result<Held, String> {
        if bytes.is_empty() {
            return Err("it is empty".into());
        }
        let _copy = self.copies.acquire().await.map_err(|_closed| "wxbot stops".to_owned())?;
        let disk = Arc::clone(&self.disk);
        let written = move || {
            let mut part = disk.begin(limit)?;
            part.write(&bytes)?;
            part.finish()
        };
        let part = blocking(written).await.map_err(|e| plain(&e, limit))?;
        self.land(part, account, name, None).await.map_err(|e| e.to_string())
    }

    async fn take_received(
        &self,
        account: &AccountName,
        media: MediaHandle,
        name: String,
        limit: u64,
    ) -> Result<Taken, String> {
        let key = MediaSourceKey { account: account.clone(), key: key_of(&media) };
        if let Some(held) = self.known(&key, &name, None).await.map_err(|e| e.to_string())? {
            return fits(held.stored.len, limit).map(|()| held.into());
        }
        fits(media.stated_len.unwrap_or(0), limit)?;
        Ok(Taken { media: Media::Received { media, name }, hold: None })
    }

    async fn take_stored(&self, stored: StoredMedia, limit: u64) -> Result<Held, String> {
        let gone = || format!("the media folder has no file {} any more", stored.digest);
        let held = self.hold(&stored.digest, &stored.name).await.map_err(|e| e.to_string())?.ok_or_else(gone)?;
        fits(held.stored.len, limit).map(|()| held)
    }
}

fn fits(len: u64, limit: u64) -> Result<(), String> {
    if len > limit { Err(MediaError::TooLarge { len, limit }.to_string()) } else { Ok(()) }
}

fn base_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn copied(disk: &Disk, path: &Path, limit: u64) -> Result<Finished, String> {
    let file = open(path)?;
    let mut part = disk.begin(limit).map_err(|e| plain(&e, limit))?;
    part.copy(file).map_err(|e| plain(&e, limit))?;
    if part.len() == 0 {
        return Err("it is empty".into());
    }
    part.finish().map_err(|e| plain(&e, limit))
}

/// Opens a regular file and nothing else: a pipe would hold the handler up for ever, a device has no end.
fn open(path: &Path) -> Result<File, String> {
    let nonblocking = OFlags::NONBLOCK | OFlags::NOCTTY;
    let flags = i32::try_from(nonblocking.bits()).unwrap_or(0);
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Err("there is no such file".into()),
        Err(e) => return Err(e.to_string()),
    };
    let meta = file.metadata().map_err(|e| e.to_string())?;
    if meta.is_dir() {
        return Err("it is a folder".into());
    }
    if !meta.is_file() {
        return Err("it is no regular file".into());
    }
    Ok(file)
}

fn plain(error: &io::Error, limit: u64) -> String {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<TooMany>()) {
        Some(TooMany(len)) => MediaError::TooLarge { len: *len, limit }.to_string(),
        None => io_error(error).to_string(),
    }
}
