//! Keeping, as SQL: the copy for a backup, what a start from it makes of open rows, and forgetting an account.

use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use rusqlite::{Connection, OpenFlags, params};
use wxbot_model::AccountName;

use super::{SqliteStore, engine, schema};
use crate::store::keep::{Forgotten, Keep, KeepStore, Restored};
use crate::store::{Answer, StoreError};

/// Rows deleted in one step, so that the writer is never held for long.
const STEP: usize = 1_000;
/// What a copy without secrets has nothing of. Both are of use only with the key beside the data, and of none after a new
/// login, which a start without them needs anyway.
const SECRET: [&str; 2] = ["session", "cursor"];

const AGED: &str = "UPDATE outbox SET state = 5, error = 'older than max_age when the backup was made'
     WHERE state = 0 AND created_at < ?1 AND asked_at < ?1";
const UNSURE: &str = "UPDATE outbox SET state = 2, error = 'restored from a backup: it may have been sent since'
     WHERE state IN (0, 1)";
/// What was being handled when the copy was made is handled again, which is no crash of ours.
const BEGUN: &str = "UPDATE inbox SET state = 0, attempts = max(attempts - 1, 0) WHERE state = 1";

fn open(path: &Path) -> rusqlite::Result<Connection> {
    let c = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    c.busy_timeout(std::time::Duration::from_secs(5))?;
    Ok(c)
}

/// Takes saved sessions out of a copy, so that none of their bytes is left in a free page of it. What was deleted before
/// the copy was made never came into it: it was written row by row.
fn strip(copy: &Path) -> rusqlite::Result<()> {
    let c = open(copy)?;
    // Nothing of it may lie in a journal either; a copy that is cut short is thrown away.
    c.pragma_update_and_check(None, "journal_mode", "MEMORY", |_| Ok(()))?;
    c.pragma_update_and_check(None, "secure_delete", "ON", |_| Ok(()))?;
    for table in SECRET {
        c.execute(&format!("DELETE FROM {table}"), [])?;
    }
    c.close().map_err(|(_, error)| error)
}

fn snapshot(from: &Path, to: &Path, sessions: bool) -> Result<(), StoreError> {
    let reader = SqliteStore::open_connection(from)?;
    schema::copy_into(&reader, to)?;
    drop(reader);
    if !sessions {
        strip(to).map_err(engine("take the sessions out of the copy"))?;
    }
    let sound: String = open(to)
        .and_then(|c| c.query_row("PRAGMA quick_check(1)", [], |r| r.get(0)))
        .map_err(engine("check the copy"))?;
    if sound != "ok" {
        return Err(StoreError::Engine { what: "make a sound copy", reason: sound });
    }
    // What a check of a copy in WAL mode leaves beside it.
    for suffix in ["-wal", "-shm"] {
        let mut name = to.as_os_str().to_owned();
        name.push(suffix);
        std::fs::remove_file(name).ok();
    }
    Ok(())
}

/// The tables that have something of accounts, and whether their rows have numbers. `session` and `cursor` come apart.
fn tables(c: &Connection) -> rusqlite::Result<Vec<(String, bool)>> {
    let mut query = c.prepare(
        "SELECT t.name, t.wr FROM pragma_table_list AS t
         WHERE t.schema = 'main' AND t.type = 'table' AND t.name NOT IN ('session', 'cursor')
           AND EXISTS (SELECT 1 FROM pragma_table_info(t.name) AS i WHERE i.name = 'account') ORDER BY t.name",
    )?;
    query.query_map([], |r| Ok((r.get(0)?, r.get::<_, bool>(1)?)))?.collect()
}

fn forget_keys(c: &Connection, account: &str) -> rusqlite::Result<usize> {
    let mut keys = 0;
    for table in SECRET {
        keys += c.execute(&format!("DELETE FROM {table} WHERE account = ?1"), [account])?;
    }
    Ok(keys)
}

/// One step; how many rows it deleted, none when there are none left.
fn forget_rows(c: &Connection, account: &str) -> rusqlite::Result<usize> {
    for (table, without_numbers) in tables(c)? {
        let gone = if without_numbers {
            // Small ones: contacts, what plugins remember, timers.
            c.execute(&format!("DELETE FROM \"{table}\" WHERE account = ?1"), [account])?
        } else {
            let some = format!("SELECT rowid FROM \"{table}\" WHERE account = ?1 LIMIT ?2");
            c.execute(&format!("DELETE FROM \"{table}\" WHERE rowid IN ({some})"), params![account, STEP])?
        };
        if gone > 0 {
            return Ok(gone);
        }
    }
    Ok(0)
}

impl KeepStore for SqliteStore {
    fn set_keep(&self, keep: Keep) {
        *self.keep.lock().unwrap_or_else(PoisonError::into_inner) = keep;
    }

    fn is_idle(&self) -> bool {
        self.writer.is_idle()
    }

    fn checkpoint(&self) -> Answer<'_, ()> {
        let path = self.path.clone();
        Box::pin(async move {
            let job = move || {
                // The writer's own connection is nearly always within a transaction, where none can be made.
                let c = open(&path).map_err(engine("open queue.db"))?;
                c.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())).map_err(engine("tidy the log away"))
            };
            tokio::task::spawn_blocking(job).await.map_err(|_ignored| StoreError::Closed)?
        })
    }

    fn snapshot(&self, to: PathBuf, sessions: bool) -> Answer<'_, ()> {
        let from = self.path.clone();
        Box::pin(async move {
            let job = move || {
                // Whoever has the name already keeps it.
                let free = !to.exists();
                let made = snapshot(&from, &to, sessions);
                if made.is_err() && free {
                    std::fs::remove_file(&to).ok();
                }
                made
            };
            tokio::task::spawn_blocking(job).await.map_err(|_ignored| StoreError::Closed)?
        })
    }

    fn restored(&self, made_ms: i64, max_age_ms: i64) -> Answer<'_, Restored> {
        self.write("begin from a backup", move |c| {
            let count = |changed: usize| u64::try_from(changed).unwrap_or(u64::MAX);
            let expired = count(c.execute(AGED, [made_ms.saturating_sub(max_age_ms)])?);
            let uncertain = count(c.execute(UNSURE, [])?);
            c.execute(BEGUN, [])?;
            let sessions = c.query_row("SELECT count(*) FROM session WHERE NOT set_aside", [], |r| r.get(0))?;
            Ok(Restored { uncertain, expired, sessions })
        })
    }

    fn forget(&self, account: &AccountName) -> Answer<'_, Forgotten> {
        let account = account.to_string();
        Box::pin(async move {
            let mut forgotten = Forgotten::default();
            let count = |gone: usize| u64::try_from(gone).unwrap_or(u64::MAX);
            let of = account.clone();
            forgotten.keys = count(self.write("delete keys", move |c| forget_keys(c, &of)).await?);
            // So that they are not in the log either, as soon as nobody reads in it.
            self.checkpoint().await?;
            loop {
                let of = account.clone();
                match self.write("delete an account", move |c| forget_rows(c, &of)).await? {
                    0 => return Ok(forgotten),
                    gone => forgotten.rows += count(gone),
                }
            }
        })
    }
}
