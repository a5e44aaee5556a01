//! What tables are there, and how does an older file become this version's?

use std::path::Path;

use rusqlite::Connection;

use super::engine;
use crate::store::StoreError;

/// The version this wxbot writes. Each migration below leads one step further.
const VERSION: i64 = MIGRATIONS.len() as i64;

const MIGRATIONS: &[&str] = &[r"
CREATE TABLE inbox(
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL,
    src_key TEXT NOT NULL,
    conv TEXT NOT NULL,
    recv_at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    state INTEGER NOT NULL,             -- 0 new, 1 running, 2 retry, 3 done, 4 dead
    attempts INTEGER NOT NULL DEFAULT 0,
    errors INTEGER NOT NULL DEFAULT 0,
    not_before INTEGER NOT NULL DEFAULT 0,
    note TEXT,
    done TEXT,                          -- plugins that are done, after a failed try of another
    body TEXT                           -- NULL when past its retention; the key stays for the dedupe
) STRICT;
CREATE UNIQUE INDEX inbox_key ON inbox(account, src_key);
CREATE INDEX inbox_open ON inbox(account, state, seq) WHERE state < 3;
CREATE INDEX inbox_old ON inbox(recv_at) WHERE state >= 3 AND body IS NOT NULL;

CREATE TABLE outbox(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL,
    conv TEXT NOT NULL,
    cause_seq INTEGER NOT NULL,
    plugin TEXT NOT NULL,
    ord INTEGER NOT NULL,
    client_id TEXT NOT NULL,
    state INTEGER NOT NULL,             -- 0 queued, 1 sending, 2 uncertain, 3 sent, 4 failed, 5 expired, 6 dropped
    attempts INTEGER NOT NULL DEFAULT 0,
    not_before INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    tried_at INTEGER NOT NULL DEFAULT 0,
    echo INTEGER NOT NULL,
    body TEXT,
    server_id TEXT,
    error TEXT
) STRICT;
CREATE UNIQUE INDEX outbox_cause ON outbox(cause_seq, plugin, ord);
CREATE UNIQUE INDEX outbox_client ON outbox(account, client_id);
CREATE INDEX outbox_queue ON outbox(account, id) WHERE state < 2;
CREATE INDEX outbox_lane ON outbox(account, conv, id) WHERE state < 2;
CREATE INDEX outbox_uncertain ON outbox(account, conv, echo) WHERE state = 2;

CREATE TABLE bucket(account TEXT NOT NULL, scope TEXT NOT NULL, tat_us INTEGER NOT NULL, PRIMARY KEY(account, scope)) STRICT, WITHOUT ROWID;
CREATE TABLE session(account TEXT PRIMARY KEY, sealed BLOB NOT NULL, set_aside INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;
CREATE TABLE cursor(account TEXT PRIMARY KEY, value BLOB NOT NULL, rev INTEGER NOT NULL DEFAULT 1, at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE kv(plugin TEXT NOT NULL, account TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY(plugin, account, key)) STRICT, WITHOUT ROWID;
CREATE TABLE contact(
    account TEXT NOT NULL, id TEXT NOT NULL, peer TEXT NOT NULL, kind TEXT NOT NULL,
    uin INTEGER NOT NULL, alias TEXT NOT NULL, remark TEXT NOT NULL, nick TEXT NOT NULL, attr INTEGER NOT NULL,
    PRIMARY KEY(account, id)
) STRICT, WITHOUT ROWID;
"];

/// Sets the connection up and brings the file to this version. An older file is copied beside itself first.
pub(super) fn prepare(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let set_up = |c: &Connection| -> rusqlite::Result<i64> {
        c.busy_timeout(std::time::Duration::from_secs(5))?;
        c.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        c.pragma_update(None, "journal_mode", "WAL")?;
        // FULL: a commit is on the disk before anybody is told, also when the power goes.
        c.pragma_update(None, "synchronous", "FULL")?;
        c.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)?;
        c.pragma_update(None, "foreign_keys", "ON")?;
        c.set_prepared_statement_cache_capacity(128);
        c.pragma_query_value(None, "user_version", |row| row.get(0))
    };
    let found = set_up(connection).map_err(engine("set queue.db up"))?;
    if found > VERSION {
        return Err(StoreError::TooNew { path: path.display().to_string(), found, known: VERSION });
    }
    if found > 0 && found < VERSION {
        let copy = path.with_extension(format!("v{found}.bak"));
        connection
            .execute("VACUUM INTO ?1", [copy.to_string_lossy().as_ref()])
            .map_err(engine("copy queue.db before changing it"))?;
    }
    let from = usize::try_from(found).unwrap_or(0);
    for (index, migration) in MIGRATIONS.iter().enumerate().skip(from) {
        let step = |c: &mut Connection| -> rusqlite::Result<()> {
            let tx = c.transaction()?;
            tx.execute_batch(migration)?;
            tx.pragma_update(None, "user_version", i64::try_from(index).unwrap_or(0) + 1)?;
            tx.commit()
        };
        step(connection).map_err(engine("bring queue.db to this version"))?;
    }
    Ok(())
}
