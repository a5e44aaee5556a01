//! How is the spool a file? A table of its own in a file of its own, with the writer and the settings of the store.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use rusqlite::{Connection, params};
use rustix::fs::{FlockOperation, flock};

use super::{Reader, SqliteStore, engine, schema};
use crate::store::spool::{Depth, NewBody, SpoolStore, SpooledBody};
use crate::store::sqlite::writer::Writer;
use crate::store::{Answer, StoreError};

/// Name of the spool in the data directory.
pub const SPOOL_FILE: &str = "spool.db";
/// Held by the one process that has it open.
const LOCK_FILE: &str = "spool.lock";

/// As those of the store; see there.
const MIGRATIONS: &[&str] = &[r"
CREATE TABLE body(
    id INTEGER PRIMARY KEY AUTOINCREMENT,   -- never used twice: whoever was handed one may name it much later
    account TEXT NOT NULL,
    recv_at INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT;
CREATE INDEX body_account ON body(account, id);
"];

/// The spool of one data directory.
#[derive(Debug)]
pub struct SqliteSpool {
    writer: Writer,
    reader: Reader,
    depth: Depths,
    _lock: File,
}

/// Counted along, because it is asked for more often than it can be counted.
type Depths = Arc<Mutex<BTreeMap<String, Depth>>>;

impl SqliteSpool {
    /// Opens (or makes) the spool of a data directory. Needs a tokio runtime, as the store.
    ///
    /// # Errors
    /// [`StoreError::Locked`] while another process has it open; otherwise when the file cannot be opened, was written by a
    /// newer wxbot, or is damaged.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        let path = dir.join(LOCK_FILE);
        let lock = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
        let lock = lock.map_err(|e| StoreError::Engine { what: "open the spool's lock", reason: e.to_string() })?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Err(StoreError::Locked { path: path.display().to_string(), pid: None });
        }
        let path = dir.join(SPOOL_FILE);
        let connection = schema::open(&path, MIGRATIONS)?;
        let depth = Arc::new(Mutex::new(count(&connection).map_err(engine("count what is in the spool"))?));
        Ok(Self { reader: SqliteStore::open_reader(&path)?, writer: Writer::start(connection), depth, _lock: lock })
    }

    /// Changes what is known of the depth, after the step was done.
    fn counted(&self, change: impl FnOnce(&mut BTreeMap<String, Depth>)) {
        let mut depth = self.depth.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut depth);
        depth.retain(|_, depth| depth.bodies > 0);
    }
}

fn count(c: &Connection) -> rusqlite::Result<BTreeMap<String, Depth>> {
    let mut counting = c.prepare("SELECT account, count(*), sum(length(body)) FROM body GROUP BY account")?;
    let rows = counting.query_map([], |row| Ok((row.get(0)?, Depth { bodies: row.get(1)?, bytes: row.get(2)? })))?;
    rows.collect()
}

fn insert(c: &Connection, bodies: &[NewBody]) -> rusqlite::Result<()> {
    let mut insert = c.prepare_cached("INSERT INTO body(account, recv_at, body) VALUES (?1, ?2, ?3)")?;
    bodies.iter().try_for_each(|new| insert.execute(params![new.account, new.recv_ms, &new.body[..]]).map(drop))
}

fn following(
    c: &Connection,
    account: &str,
    after: u64,
    most: usize,
    bytes: usize,
) -> rusqlite::Result<Vec<SpooledBody>> {
    let mut rows =
        c.prepare_cached("SELECT id, recv_at, body FROM body WHERE account = ?1 AND id > ?2 ORDER BY id LIMIT ?3")?;
    let mut rows = rows.query(params![account, after, most])?;
    let (mut found, mut size) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let body: Vec<u8> = row.get(2)?;
        size += body.len();
        if size > bytes && !found.is_empty() {
            break;
        }
        found.push(SpooledBody { id: row.get(0)?, recv_ms: row.get(1)?, body: Bytes::from(body) });
    }
    Ok(found)
}

/// Takes rows away, and answers whose they were and how large.
fn delete(c: &Connection, ids: &[u64]) -> rusqlite::Result<Vec<(String, u64)>> {
    let mut delete = c.prepare_cached("DELETE FROM body WHERE id = ?1 RETURNING account, length(body)")?;
    let mut gone = Vec::new();
    for id in ids {
        let mut rows = delete.query([id])?;
        while let Some(row) = rows.next()? {
            gone.push((row.get(0)?, row.get(1)?));
        }
    }
    schema::shrink(c)?;
    Ok(gone)
}

impl SpoolStore for SqliteSpool {
    fn put(&self, bodies: Vec<NewBody>) -> Answer<'_, ()> {
        Box::pin(async move {
            let sizes: Vec<_> = bodies.iter().map(|new| (new.account.clone(), new.body.len() as u64)).collect();
            self.writer.run("spool pushes", move |c| insert(c, &bodies)).await?;
            self.counted(|depth| {
                for (account, bytes) in sizes {
                    let one = depth.entry(account).or_default();
                    (one.bodies, one.bytes) = (one.bodies + 1, one.bytes + bytes);
                }
            });
            Ok(())
        })
    }

    fn next(&self, account: &str, after: u64, most: usize, bytes: usize) -> Answer<'_, Vec<SpooledBody>> {
        let account = account.to_owned();
        SqliteStore::read(&self.reader, "read the spool", move |c| following(c, &account, after, most, bytes))
    }

    fn trim(&self, ids: Vec<u64>) -> Answer<'_, ()> {
        Box::pin(async move {
            let gone = self.writer.run("trim the spool", move |c| delete(c, &ids)).await?;
            self.counted(|depth| {
                for (account, bytes) in gone {
                    if let Some(one) = depth.get_mut(&account) {
                        (one.bodies, one.bytes) = (one.bodies.saturating_sub(1), one.bytes.saturating_sub(bytes));
                    }
                }
            });
            Ok(())
        })
    }

    fn depth(&self) -> Vec<(String, Depth)> {
        let depth = self.depth.lock().unwrap_or_else(PoisonError::into_inner);
        depth.iter().map(|(account, depth)| (account.clone(), *depth)).collect()
    }

    fn close(&self) -> Answer<'_, ()> {
        let reader = Arc::clone(&self.reader);
        Box::pin(async move {
            let last = move || drop(reader.lock().unwrap_or_else(PoisonError::into_inner).take());
            tokio::task::spawn_blocking(last).await.map_err(|_ignored| StoreError::Closed)?;
            self.writer.close().await
        })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn new(account: &str, body: &'static str) -> NewBody {
        NewBody { account: account.to_owned(), body: Bytes::from_static(body.as_bytes()), recv_ms: 7 }
    }

    fn texts(bodies: &[SpooledBody]) -> Vec<&str> {
        bodies.iter().map(|one| std::str::from_utf8(&one.body).unwrap()).collect()
    }

    #[tokio::test]
    async fn bodies_come_back_in_order_until_they_are_trimmed_and_after_a_restart_too() {
        let dir = tempfile::tempdir().unwrap();
        let spool = SqliteSpool::open(dir.path()).unwrap();
        spool.put(vec![new("a", "a1"), new("b", "b1"), new("a", "a22")]).await.unwrap();
        let of_a = spool.next("a", 0, 9, 1_000).await.unwrap();
        assert_eq!((texts(&of_a), of_a[0].recv_ms), (vec!["a1", "a22"], 7));
        assert_eq!(texts(&spool.next("a", of_a[0].id, 9, 1_000).await.unwrap()), ["a22"]);
        assert_eq!(texts(&spool.next("a", 0, 1, 1_000).await.unwrap()), ["a1"], "not more than asked for");
        assert_eq!(texts(&spool.next("a", 0, 9, 1).await.unwrap()), ["a1"], "the first whatever its size");
        let depth = |bodies, bytes| Depth { bodies, bytes };
        assert_eq!(spool.depth(), [("a".to_owned(), depth(2, 5)), ("b".to_owned(), depth(1, 2))]);
        spool.trim(vec![of_a[0].id, of_a[0].id, 999]).await.unwrap();
        assert_eq!(spool.depth(), [("a".to_owned(), depth(1, 3)), ("b".to_owned(), depth(1, 2))]);
        spool.close().await.unwrap();
        drop(spool);
        let spool = SqliteSpool::open(dir.path()).unwrap();
        assert_eq!(texts(&spool.next("a", 0, 9, 1_000).await.unwrap()), ["a22"]);
        assert_eq!(spool.depth().len(), 2, "counted at the start");
        // Numbers are not used again, even when nothing is left.
        let last = spool.next("a", 0, 9, 1_000).await.unwrap()[0].id;
        let all: Vec<u64> = (1..=last).collect();
        spool.trim(all).await.unwrap();
        assert_eq!(spool.depth(), []);
        spool.put(vec![new("a", "a3")]).await.unwrap();
        assert!(spool.next("a", 0, 9, 9).await.unwrap()[0].id > last);
    }

    #[tokio::test]
    async fn one_process_has_it_and_nobody_else_may_read_it() {
        let dir = tempfile::tempdir().unwrap();
        let spool = SqliteSpool::open(dir.path()).unwrap();
        assert!(matches!(SqliteSpool::open(dir.path()), Err(StoreError::Locked { .. })));
        spool.put(vec![new("a", "a1")]).await.unwrap();
        for name in ["spool.db", "spool.db-wal", "spool.lock"] {
            let mode = std::fs::metadata(dir.path().join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
    }
}
