//! The archive on one machine: a second SQLite file, with a full-text index in which single Chinese characters are words.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

use rusqlite::types::{Type, Value};
use rusqlite::{Connection, Row, params, params_from_iter};
use wxbot_model::{AccountName, ContactId, IdError};

use super::writer::Writer;
use super::{DataDir, Reader, SqliteStore, engine, schema};
use crate::archive::words;
use crate::store::archive::{Archive, FORGET_STEP, Found, Progress, Record, Said, Search};
use crate::store::{Answer, StoreError};

/// Name of the archive in the data directory.
pub const ARCHIVE_FILE: &str = "archive.db";

/// The index keeps no copy of the texts: they stand in `msg`.
const MIGRATIONS: &[&str] = &[r"
CREATE TABLE msg(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL, key TEXT NOT NULL, conv TEXT NOT NULL, sender TEXT, at INTEGER NOT NULL, ours INTEGER NOT NULL,
    kind TEXT NOT NULL, chat TEXT, name TEXT, text TEXT
) STRICT;
CREATE UNIQUE INDEX msg_key ON msg(account, key);
CREATE INDEX msg_conv ON msg(account, conv, id);
CREATE INDEX msg_sender ON msg(account, sender, id) WHERE sender IS NOT NULL;
CREATE INDEX msg_at ON msg(at);
CREATE VIRTUAL TABLE word USING fts5(text, content='', contentless_delete=1, tokenize='unicode61');
CREATE TABLE progress(one INTEGER PRIMARY KEY CHECK(one = 1), seq INTEGER NOT NULL, send INTEGER NOT NULL, open TEXT NOT NULL) STRICT;
"];

const INSERT: &str = "INSERT INTO msg(account, key, conv, sender, at, ours, kind, chat, name, text)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT DO NOTHING RETURNING id";
const COLUMNS: &str = "id, account, key, conv, sender, at, ours, kind, chat, name, text";

/// The archive of one data directory.
#[derive(Debug)]
pub struct SqliteArchive {
    /// `None` for one that is only looked into.
    writer: Option<Writer>,
    reader: Reader,
    path: PathBuf,
}

impl SqliteArchive {
    /// Opens (or makes) the archive of a data directory that the caller has locked. Needs a tokio runtime.
    ///
    /// # Errors
    /// When the file cannot be opened, was written by a newer wxbot, or is damaged.
    pub fn open(dir: &DataDir) -> Result<Self, StoreError> {
        let path = dir.path().join(ARCHIVE_FILE);
        let connection = schema::open(&path, MIGRATIONS)?;
        // What a power failure takes of it is read again from the queue.
        connection.pragma_update(None, "synchronous", "NORMAL").map_err(engine("set the archive up"))?;
        // What somebody wanted deleted is overwritten.
        connection.pragma_update(None, "secure_delete", "ON").map_err(engine("set the archive up"))?;
        let reader = SqliteStore::open_reader(&path)?;
        Ok(Self { writer: Some(Writer::start(connection)), reader, path })
    }

    /// Looks into the archive of a data directory, whoever writes it; `None` when there is none.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn look(dir: &Path) -> Result<Option<Self>, StoreError> {
        let path = dir.join(ARCHIVE_FILE);
        if !path.exists() {
            return Ok(None);
        }
        Ok(Some(Self { writer: None, reader: SqliteStore::open_reader(&path)?, path }))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn write<T: Send + 'static>(
        &self,
        what: &'static str,
        f: impl FnMut(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Answer<'_, T> {
        Box::pin(async move { self.writer.as_ref().ok_or(StoreError::Closed)?.run(what, f).await })
    }
}

fn bad(index: usize) -> impl Fn(IdError) -> rusqlite::Error {
    move |error| rusqlite::Error::FromSqlConversionFailure(index, Type::Text, Box::new(error))
}

fn insert(c: &Connection, record: &Record) -> rusqlite::Result<()> {
    let (sender, said) = (record.sender.as_ref().map(ContactId::as_str), record.said.as_ref());
    let (chat, name, text) = (said.map(|s| &s.chat), said.map(|s| &s.name), said.map(|s| &s.text));
    let (account, conv) = (record.account.as_str(), record.conv.as_str());
    let values = params![account, record.key, conv, sender, record.at_ms, record.ours, record.kind, chat, name, text];
    let mut insert = c.prepare_cached(INSERT)?;
    let mut rows = insert.query(values)?;
    let Some(row) = rows.next()? else { return Ok(()) };
    let id: i64 = row.get(0)?;
    if let Some(said) = said.filter(|said| !said.text.is_empty()) {
        c.prepare_cached("INSERT INTO word(rowid, text) VALUES (?1, ?2)")?
            .execute(params![id, words::split(&said.text)])?;
    }
    Ok(())
}

fn found(r: &Row<'_>) -> rusqlite::Result<Found> {
    let chat: Option<String> = r.get(8)?;
    let said = match chat {
        Some(chat) => Some(Said { chat, name: r.get(9)?, text: r.get(10)? }),
        None => None,
    };
    let record = Record {
        account: r.get::<_, String>(1)?.parse().map_err(bad(1))?,
        key: r.get(2)?,
        conv: r.get::<_, String>(3)?.parse().map_err(bad(3))?,
        sender: r.get::<_, Option<String>>(4)?.map(|id| id.parse()).transpose().map_err(bad(4))?,
        at_ms: r.get(5)?,
        ours: r.get(6)?,
        kind: r.get(7)?,
        said,
    };
    Ok(Found { id: r.get(0)?, record })
}

fn search(c: &Connection, search: &Search) -> rusqlite::Result<Vec<Found>> {
    let (mut conditions, mut values) = (Vec::new(), Vec::<Value>::new());
    let mut condition = |text: &str, value: Option<Value>| {
        if let Some(value) = value {
            values.push(value);
            conditions.push(text.replace('?', &format!("?{}", values.len())));
        }
    };
    let text = |text: &str| Value::Text(text.to_owned());
    if let Some(typed) = &search.words {
        let Some(phrase) = words::query(typed) else { return Ok(Vec::new()) };
        condition("id IN (SELECT rowid FROM word WHERE word MATCH ?)", Some(text(&phrase)));
    }
    condition("account = ?", search.account.as_ref().map(|account| text(account.as_str())));
    condition("conv = ?", search.conv.as_ref().map(|conv| text(conv.as_str())));
    condition("sender = ?", search.sender.as_ref().map(|sender| text(sender.as_str())));
    condition("at >= ?", search.from_ms.map(Value::Integer));
    condition("at < ?", search.to_ms.map(Value::Integer));
    let wanted = if conditions.is_empty() { "1".to_owned() } else { conditions.join(" AND ") };
    let limit = search.limit;
    let sql = format!("SELECT {COLUMNS} FROM msg WHERE {wanted} ORDER BY id DESC LIMIT {limit}");
    c.prepare(&sql)?.query_map(params_from_iter(values), found)?.collect()
}

/// Deletes messages with their words, then what stood in the index of them, so that no deleted text can be pieced together
/// from it.
fn delete(c: &Connection, ids: &[i64]) -> rusqlite::Result<()> {
    for id in ids {
        c.prepare_cached("DELETE FROM word WHERE rowid = ?1")?.execute([id])?;
        c.prepare_cached("DELETE FROM msg WHERE id = ?1")?.execute([id])?;
    }
    Ok(())
}

fn ids(c: &Connection, sql: &str, values: &[&dyn rusqlite::ToSql]) -> rusqlite::Result<Vec<i64>> {
    c.prepare_cached(sql)?.query_map(values, |r| r.get(0))?.collect()
}

impl Archive for SqliteArchive {
    fn progress(&self) -> Answer<'_, Progress> {
        SqliteStore::read(&self.reader, "read how far the archive is", |c| {
            let mut query = c.prepare_cached("SELECT seq, send, open FROM progress")?;
            let mut rows = query.query([])?;
            let Some(row) = rows.next()? else { return Ok(Progress::default()) };
            let open: String = row.get(2)?;
            // Ours alone; one that is spoilt costs what was open then.
            let open = serde_json::from_str(&open).unwrap_or_default();
            Ok(Progress { seq: row.get(0)?, send: row.get(1)?, open })
        })
    }

    fn take(&self, records: Vec<Record>, progress: Progress) -> Answer<'_, ()> {
        self.write("archive messages", move |c| {
            records.iter().try_for_each(|record| insert(c, record))?;
            let open = serde_json::to_string(&progress.open).unwrap_or_default();
            c.prepare_cached("INSERT OR REPLACE INTO progress(one, seq, send, open) VALUES (1, ?1, ?2, ?3)")?
                .execute(params![progress.seq, progress.send, open])
                .map(drop)
        })
    }

    fn search(&self, wanted: Search) -> Answer<'_, Vec<Found>> {
        SqliteStore::read(&self.reader, "search the archive", move |c| search(c, &wanted))
    }

    fn forget(&self, account: &AccountName, contact: &ContactId) -> Answer<'_, usize> {
        let (account, contact) = (account.clone(), contact.clone());
        self.write("delete what was said with a contact", move |c| {
            let sql = "SELECT id FROM msg WHERE account = ?1 AND conv = ?2
                 UNION SELECT id FROM msg WHERE account = ?1 AND sender = ?2 AND sender IS NOT NULL LIMIT ?3";
            let ids = ids(c, sql, &[&account.as_str(), &contact.as_str(), &FORGET_STEP])?;
            delete(c, &ids)?;
            if ids.len() < FORGET_STEP {
                // A deleted word stays in its old segment until segments are merged.
                c.execute("INSERT INTO word(word) VALUES ('optimize')", [])?;
            }
            Ok(ids.len())
        })
    }

    fn sweep(&self, before_ms: i64) -> Answer<'_, bool> {
        self.write("sweep the archive", move |c| {
            let ids = ids(c, "SELECT id FROM msg WHERE at < ?1 ORDER BY at LIMIT ?2", &[&before_ms, &FORGET_STEP])?;
            delete(c, &ids)?;
            Ok(ids.len() == FORGET_STEP || schema::shrink(c)?)
        })
    }

    fn close(&self) -> Answer<'_, ()> {
        let reader = Arc::clone(&self.reader);
        Box::pin(async move {
            let last = move || drop(reader.lock().unwrap_or_else(PoisonError::into_inner).take());
            tokio::task::spawn_blocking(last).await.map_err(|_ignored| StoreError::Closed)?;
            match &self.writer {
                Some(writer) => writer.close().await,
                None => Ok(()),
            }
        })
    }
}
