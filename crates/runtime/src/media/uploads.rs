//! What is an account sending right now, and how far is it? For people who wait for a large file.

use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use wxbot_core::protocol::{MediaFile, Progress};
use wxbot_model::ContactId;

/// An upload that is under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Upload {
    /// The name it is sent under.
    pub name: String,
    /// The conversation.
    pub to: ContactId,
    /// Bytes that are with the service.
    pub done: u64,
    /// Bytes in all.
    pub total: u64,
    /// Since when, milliseconds since 1970.
    pub since_ms: i64,
}

/// The uploads of one account.
#[derive(Debug, Clone, Default)]
pub(crate) struct Uploads(Arc<Mutex<Vec<(u64, Upload, Progress)>>>);

impl Uploads {
    /// Shows an upload while the answer lives.
    pub(crate) fn begin(&self, send: u64, to: &ContactId, file: &MediaFile, since_ms: i64) -> Uploading {
        let upload = Upload { name: file.name.clone(), to: to.clone(), done: 0, total: file.len, since_ms };
        let mut list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        list.push((send, upload, file.progress.clone()));
        drop(list);
        Uploading { uploads: self.clone(), send }
    }

    /// The oldest first.
    pub(crate) fn list(&self) -> Vec<Upload> {
        let list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A protocol counts what it sends, which may be a little more than the file.
        list.iter().map(|(_, one, progress)| Upload { done: progress.get().min(one.total), ..one.clone() }).collect()
    }
}

/// An upload that is shown.
#[derive(Debug)]
pub(crate) struct Uploading {
    uploads: Uploads,
    send: u64,
}

impl Drop for Uploading {
    fn drop(&mut self) {
        let mut list = self.uploads.0.lock().unwrap_or_else(PoisonError::into_inner);
        list.retain(|(send, ..)| *send != self.send);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upload_is_shown_while_it_lasts() {
        let uploads = Uploads::default();
        let file = MediaFile { path: "/x".into(), len: 100, name: "a.mp4".into(), progress: Progress::default() };
        let running = uploads.begin(7, &"p1".parse().unwrap(), &file, 5);
        file.progress.set(60);
        let [one] = &uploads.list()[..] else { panic!("one upload") };
        assert_eq!((one.name.as_str(), one.done, one.total, one.since_ms), ("a.mp4", 60, 100, 5));
        file.progress.set(130);
        assert_eq!(uploads.list()[0].done, 100);
        drop(running);
        assert!(uploads.list().is_empty());
    }
}
