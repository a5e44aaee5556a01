//! What does the store know about media files? Which bytes came from where, when they were used, and who still needs them.

use std::collections::HashSet;
use std::time::Duration;

use serde::Serialize;
use wxbot_model::{AccountName, ContactId, FileType, MediaDigest};

use super::Answer;

/// What is noted of one file of the media folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MediaRow {
    /// Its name in the folder.
    pub digest: MediaDigest,
    /// Bytes.
    pub len: u64,
    /// By content.
    #[serde(rename = "type")]
    pub file_type: FileType,
    /// What it was called where it came from, made safe; may be empty.
    pub name: String,
    /// The account that it came to first; empty for a file that was found in the folder.
    pub account: String,
    /// When it came, milliseconds since 1970.
    pub added_ms: i64,
    /// When it was last asked for.
    pub used_ms: i64,
    /// Sends that still need it.
    pub waiting: u64,
}

/// Where bytes came from, as a text that names the same bytes each time.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MediaSourceKey {
    /// The account.
    pub account: AccountName,
    /// Unique within it.
    pub key: String,
}

/// The last message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastSent {
    /// The service's id, where one is known: without it nothing can be taken back.
    pub server_id: Option<String>,
}

/// The steps around media files. Each is all or nothing, as those of [`Store`](super::Store).
pub trait MediaStore {
    /// Notes a file, or that it came once more, and where from.
    fn media_put(&self, row: MediaRow, from: Option<MediaSourceKey>) -> Answer<'_, ()>;

    /// The file that came from there, and how long ago that was.
    fn media_from(&self, from: &MediaSourceKey, now_ms: i64) -> Answer<'_, Option<(MediaRow, Duration)>>;

    /// One file.
    fn media_row(&self, digest: &MediaDigest) -> Answer<'_, Option<MediaRow>>;

    /// Notes that it was asked for.
    fn media_touch(&self, digest: &MediaDigest, now_ms: i64) -> Answer<'_, ()>;

    /// Files, those that were not used for the longest time first.
    fn media_rows(&self, limit: usize) -> Answer<'_, Vec<MediaRow>>;

    /// The same, without those that a send needs.
    fn media_idle(&self, limit: usize) -> Answer<'_, Vec<MediaRow>>;

    /// What queued, running and uncertain sends need: none of it may go.
    fn media_needed(&self) -> Answer<'_, HashSet<MediaDigest>>;

    /// Strikes files off.
    fn media_forget(&self, digests: Vec<MediaDigest>) -> Answer<'_, ()>;

    /// Notes that a send which is under way needs this file until it is settled.
    fn hold_media(&self, send: u64, digest: &MediaDigest) -> Answer<'_, ()>;

    /// The last message that went out there since then, or may have, and was not taken back.
    fn last_sent(&self, account: &AccountName, chat: &ContactId, since_ms: i64) -> Answer<'_, Option<LastSent>>;
}
