//! Media files as SQL: what is noted of each, where it came from, and which sends still need it.

use std::collections::HashSet;
use std::time::Duration;

use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, params};
use wxbot_model::{AccountName, ContactId, FileType, MediaDigest};

use super::SqliteStore;
use crate::store::Answer;
use crate::store::media::{LastSent, MediaRow, MediaSourceKey, MediaStore};

/// So many sends of all accounts are looked at for the last one of a chat.
const LOOKED_AT: i64 = 20_000;

const PUT: &str = "INSERT INTO media VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO UPDATE SET
     used_at = max(used_at, excluded.used_at), name = iif(name = '', excluded.name, name), len = excluded.len";
const PUT_FROM: &str = "INSERT INTO media_from VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET digest = excluded.digest, at = excluded.at";
const FROM: &str =
    "SELECT media.*, 0, f.at FROM media_from AS f JOIN media USING (digest) WHERE f.account = ?1 AND f.key = ?2";
const ONE: &str = "SELECT *, (SELECT count(*) FROM outbox WHERE outbox.media = media.digest AND state < 3)
     FROM media WHERE digest = ?1";
const TOUCH: &str = "UPDATE media SET used_at = max(used_at, ?2) WHERE digest = ?1";
const ROWS: &str = "SELECT *, (SELECT count(*) FROM outbox WHERE outbox.media = media.digest AND state < 3)
     FROM media ORDER BY used_at, digest LIMIT ?1";
const IDLE: &str = "SELECT *, 0 FROM media
     WHERE NOT EXISTS (SELECT 1 FROM outbox WHERE outbox.media = media.digest AND state < 3)
     ORDER BY used_at, digest LIMIT ?1";
pub(super) const NEEDED: &str = "SELECT DISTINCT media FROM outbox WHERE media IS NOT NULL AND state < 3";
const FORGET: &str = "DELETE FROM media WHERE digest = ?1";
const FORGET_FROM: &str = "DELETE FROM media_from WHERE digest = ?1";
const HOLD: &str = "UPDATE outbox SET media = ?2 WHERE id = ?1 AND state < 3";
/// Walks back from the newest send, by number alone, and stops at the first message that went out or may have: the one
/// before it is not the last one. What is held was never sent. Messages that were taken back are known by the recall,
/// which was settled with the id of what it took back.
const LAST_SENT: &str = "SELECT ifnull(server_id, '') FROM outbox AS o NOT INDEXED
     WHERE id > (SELECT max(id) FROM outbox) - ?4 AND state IN (2, 3) AND NOT held AND account = ?1 AND conv = ?2
       AND tried_at >= ?3 AND body LIKE '{\"do\":\"send!_%' ESCAPE '!'
       AND NOT EXISTS (SELECT 1 FROM outbox AS r NOT INDEXED
            WHERE r.id > o.id AND r.state = 3 AND r.account = ?1 AND r.conv = ?2 AND r.server_id = o.server_id
              AND r.server_id <> '' AND r.body LIKE '{\"do\":\"recall\"%')
     ORDER BY id DESC LIMIT 1";

/// Statements that must never walk through a whole table.
#[cfg(test)]
pub(super) const HOT: &[&str] = &[PUT, PUT_FROM, FROM, ONE, TOUCH, FORGET, FORGET_FROM, HOLD, LAST_SENT];

fn digest(row: &Row<'_>, index: usize) -> rusqlite::Result<MediaDigest> {
    let text: String = row.get(index)?;
    text.parse().map_err(|e| rusqlite::Error::FromSqlConversionFailure(index, Type::Text, Box::new(e)))
}

fn read(row: &Row<'_>) -> rusqlite::Result<MediaRow> {
    let mime: String = row.get(2)?;
    Ok(MediaRow {
        digest: digest(row, 0)?,
        len: row.get(1)?,
        file_type: FileType::of_mime(&mime),
        name: row.get(3)?,
        account: row.get(4)?,
        added_ms: row.get(5)?,
        used_ms: row.get(6)?,
        waiting: row.get(7)?,
    })
}

fn list(c: &Connection, query: &str, limit: usize) -> rusqlite::Result<Vec<MediaRow>> {
    c.prepare_cached(query)?.query_map([limit], read)?.collect()
}

impl MediaStore for SqliteStore {
    fn media_put(&self, row: MediaRow, from: Option<MediaSourceKey>) -> Answer<'_, ()> {
        self.write("note a media file", move |c| {
            let digest = row.digest.as_str();
            let (mime, name, account) = (row.file_type.mime(), &row.name, &row.account);
            c.prepare_cached(PUT)?.execute(params![digest, row.len, mime, name, account, row.added_ms, row.used_ms])?;
            if let Some(from) = &from {
                c.prepare_cached(PUT_FROM)?.execute(params![from.account.as_str(), from.key, digest, row.used_ms])?;
            }
            Ok(())
        })
    }

    fn media_from(&self, from: &MediaSourceKey, now_ms: i64) -> Answer<'_, Option<(MediaRow, Duration)>> {
        let from = from.clone();
        Self::read(&self.reader, "look for a media file", move |c| {
            let found = |row: &Row<'_>| {
                let at: i64 = row.get(8)?;
                let age = u64::try_from(now_ms.saturating_sub(at)).unwrap_or(0);
                Ok((read(row)?, Duration::from_millis(age)))
            };
            c.prepare_cached(FROM)?.query_row([from.account.as_str(), &from.key], found).optional()
        })
    }

    fn media_row(&self, digest: &MediaDigest) -> Answer<'_, Option<MediaRow>> {
        let digest = digest.clone();
        Self::read(&self.reader, "look for a media file", move |c| {
            c.prepare_cached(ONE)?.query_row([digest.as_str()], read).optional()
        })
    }

    fn media_touch(&self, digest: &MediaDigest, now_ms: i64) -> Answer<'_, ()> {
        let digest = digest.clone();
        self.write("note that a media file is used", move |c| {
            c.prepare_cached(TOUCH)?.execute(params![digest.as_str(), now_ms]).map(drop)
        })
    }

    fn media_rows(&self, limit: usize) -> Answer<'_, Vec<MediaRow>> {
        Self::read(&self.lister, "list media files", move |c| list(c, ROWS, limit))
    }

    fn media_idle(&self, limit: usize) -> Answer<'_, Vec<MediaRow>> {
        Self::read(&self.lister, "list idle media files", move |c| list(c, IDLE, limit))
    }

    fn media_needed(&self) -> Answer<'_, HashSet<MediaDigest>> {
        Self::read(&self.lister, "list what sends need", |c| {
            c.prepare_cached(NEEDED)?.query_map([], |row| digest(row, 0))?.collect()
        })
    }

    fn media_forget(&self, digests: Vec<MediaDigest>) -> Answer<'_, ()> {
        self.write("strike media files off", move |c| {
            for digest in &digests {
                c.prepare_cached(FORGET_FROM)?.execute([digest.as_str()])?;
                c.prepare_cached(FORGET)?.execute([digest.as_str()])?;
            }
            Ok(())
        })
    }

    fn hold_media(&self, send: u64, digest: &MediaDigest) -> Answer<'_, ()> {
        let digest = digest.clone();
        self.write("hold a media file", move |c| {
            c.prepare_cached(HOLD)?.execute(params![send, digest.as_str()]).map(drop)
        })
    }

    fn last_sent(&self, account: &AccountName, chat: &ContactId, since_ms: i64) -> Answer<'_, Option<LastSent>> {
        let (account, chat) = (account.clone(), chat.clone());
        Self::read(&self.lister, "look for what was sent last", move |c| {
            let values = params![account.as_str(), chat.as_str(), since_ms, LOOKED_AT];
            let found = |row: &Row<'_>| {
                let id: String = row.get(0)?;
                Ok(LastSent { server_id: Some(id).filter(|id| !id.is_empty()) })
            };
            c.prepare_cached(LAST_SENT)?.query_row(values, found).optional()
        })
    }
}
