//! What tables are there, and how does an older file become this version's?

use std::fs::{File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use crate::failpoint::fail_point;
use crate::store::StoreError;

/// Each leads one version further; the last one's number is the version this wxbot writes.
///
/// SQLite uses a partial index only where its condition stands in the query word for word: `state = 1` says nothing
/// about an index `WHERE state < 2`, and a bound `?2` nothing about any. `tests/plans.rs` watches over it.
pub(super) const MIGRATIONS: &[&str] = &[
    r"
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
CREATE INDEX inbox_open ON inbox(account, seq) WHERE state < 2;
CREATE INDEX inbox_parked ON inbox(account, not_before) WHERE state = 2;
CREATE INDEX inbox_dead ON inbox(recv_at) WHERE state = 4;

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
    echoed INTEGER NOT NULL DEFAULT 0,  -- our own message came back while the answer to this try was still out
    body TEXT,
    server_id TEXT,
    error TEXT
) STRICT;
CREATE UNIQUE INDEX outbox_cause ON outbox(cause_seq, plugin, ord);
CREATE UNIQUE INDEX outbox_client ON outbox(account, client_id);
CREATE INDEX outbox_queue ON outbox(account, created_at) WHERE state = 0;
CREATE INDEX outbox_lane ON outbox(account, conv, state DESC, id) WHERE state < 2;
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
",
    r"
CREATE TABLE media(                     -- one row for each file of the media folder
    digest TEXT PRIMARY KEY, len INTEGER NOT NULL, mime TEXT NOT NULL, name TEXT NOT NULL, account TEXT NOT NULL,
    added_at INTEGER NOT NULL, used_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX media_used ON media(used_at, digest);
CREATE TABLE media_from(                -- which handle gave which bytes
    account TEXT NOT NULL, key TEXT NOT NULL, digest TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY(account, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX media_from_digest ON media_from(digest);
ALTER TABLE outbox ADD COLUMN media TEXT;   -- the file that this send needs until it is settled
CREATE INDEX outbox_media ON outbox(media) WHERE media IS NOT NULL AND state < 3;
",
    CONTACTS,
    STRANGERS,
    CLOCK,
    PACE,
    HALT,
    MEND,
    WINDOWS,
];

/// Who is who after a login (ADR 0016): more marks, of which login they are, members of rooms, and sends that are held.
const CONTACTS: &str = r"
ALTER TABLE contact ADD COLUMN wxid TEXT NOT NULL DEFAULT '';
ALTER TABLE contact ADD COLUMN picture INTEGER NOT NULL DEFAULT 0;
ALTER TABLE contact ADD COLUMN of INTEGER NOT NULL DEFAULT 0;     -- Uin of the account that was logged in
ALTER TABLE contact ADD COLUMN login INTEGER NOT NULL DEFAULT 0;  -- which login `peer` is of; 0 unknown
ALTER TABLE contact ADD COLUMN born INTEGER NOT NULL DEFAULT 0;   -- which login the id was made in
ALTER TABLE contact ADD COLUMN same_as TEXT;                      -- found out later to be this one
ALTER TABLE contact ADD COLUMN sketch BLOB;                       -- members that outlive a login, 4 bytes each
ALTER TABLE contact ADD COLUMN roll BLOB;                         -- the last whole list of this login, 4 bytes a member
ALTER TABLE contact ADD COLUMN notes TEXT;                        -- differences not told yet
ALTER TABLE outbox ADD COLUMN held INTEGER NOT NULL DEFAULT 0;    -- uncertain for whom, not whether: no verdict moves it
";

/// Who is no contact of ours, and which rooms were bound by what anybody can copy (ADR 0016).
const STRANGERS: &str = r"
ALTER TABLE contact ADD COLUMN ours INTEGER NOT NULL DEFAULT 1;
ALTER TABLE contact ADD COLUMN met_in TEXT;                       -- the room where a stranger was last met
ALTER TABLE contact ADD COLUMN by_topic INTEGER NOT NULL DEFAULT 0;
";

/// What plugins want to be told at a time.
const CLOCK: &str = r"
CREATE TABLE timer(
    account TEXT NOT NULL, plugin TEXT NOT NULL, name TEXT NOT NULL, conv TEXT NOT NULL, due_at INTEGER NOT NULL,
    cause INTEGER NOT NULL,             -- the event that set it
    body TEXT NOT NULL,
    PRIMARY KEY(account, plugin, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX timer_due ON timer(due_at);
CREATE TABLE schedule(
    account TEXT NOT NULL, plugin TEXT NOT NULL, name TEXT NOT NULL,
    last_ms INTEGER NOT NULL,           -- the last due time that became an event, or when it was first wanted
    PRIMARY KEY(account, plugin, name)
) STRICT, WITHOUT ROWID;
";

/// What is handled once more, and what goes out once more because somebody asked for it (ADR 0029).
const MEND: &str = r"
ALTER TABLE inbox ADD COLUMN replay TEXT;                         -- why it is handled once more, as JSON
ALTER TABLE outbox ADD COLUMN replay INTEGER NOT NULL DEFAULT 0;  -- a replayed event caused it
ALTER TABLE outbox ADD COLUMN asked_at INTEGER NOT NULL DEFAULT 0; -- somebody let it go out again then
CREATE TABLE planned(                   -- messages that go out at a time
    id INTEGER PRIMARY KEY AUTOINCREMENT, account TEXT NOT NULL, conv TEXT NOT NULL, body TEXT NOT NULL,
    cron TEXT, tz TEXT,
    missed INTEGER NOT NULL,            -- 0 skip, 1 once
    due_at INTEGER NOT NULL, made_at INTEGER NOT NULL
) STRICT;
CREATE INDEX planned_due ON planned(due_at);
CREATE INDEX planned_account ON planned(account);
";

/// What a send is to the pacing, and which texts went where lately.
const PACE: &str = r"
ALTER TABLE outbox ADD COLUMN class INTEGER NOT NULL DEFAULT 0;   -- 0 answer, 1 push, 2 deed
ALTER TABLE outbox ADD COLUMN first_at INTEGER NOT NULL DEFAULT 0; -- when it was tried first
CREATE TABLE said(                      -- one row for each text and chat, while an account has a rule about it
    id INTEGER PRIMARY KEY, account TEXT NOT NULL, echo INTEGER NOT NULL, conv TEXT NOT NULL, at_ms INTEGER NOT NULL,
    send INTEGER NOT NULL, push INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX said_text ON said(account, echo, conv);
CREATE INDEX said_at ON said(at_ms);
";

/// How much may be said in a chat until somebody writes there again (ADR 0033).
const WINDOWS: &str = r"
CREATE TABLE meter(                     -- only of accounts whose service asks for it; as many as people wrote to them
    account TEXT NOT NULL, conv TEXT NOT NULL,
    opened INTEGER NOT NULL,            -- when somebody wrote last, milliseconds
    spent INTEGER NOT NULL,             -- sends since then
    refused INTEGER NOT NULL DEFAULT 0, -- the service refused one since then
    not_before INTEGER NOT NULL DEFAULT 0, -- whatever comes in
    learnt INTEGER,                     -- it has refused after so many
    PRIMARY KEY(account, conv)
) STRICT, WITHOUT ROWID;
ALTER TABLE outbox ADD COLUMN paid INTEGER NOT NULL DEFAULT 0;    -- `opened` of the window it has paid in; minus: it was under way then
ALTER TABLE outbox ADD COLUMN unsure INTEGER NOT NULL DEFAULT 0;  -- a try may have been taken, and it goes again all the same
";

/// Accounts that wait for a person: why, and since when. `risk` is what risk control holds against them.
const HALT: &str = r"
CREATE TABLE halt(
    account TEXT PRIMARY KEY,
    logged_out INTEGER NOT NULL,
    why TEXT NOT NULL,
    risk TEXT,
    since INTEGER NOT NULL
) STRICT;
";

/// Pages given back in one step.
const SHRINK_PAGES: i64 = 1_000;

/// Opens the file for writing, mode 0600, and brings it to the version `migrations` lead to. An older file is copied
/// beside itself first; a newer one is left as it is.
pub(super) fn open(path: &Path, migrations: &[&str]) -> Result<Connection, StoreError> {
    let sql = |what| move |e: rusqlite::Error| trouble(what, path, &e);
    own(path).map_err(|e| trouble("open its file", path, &e))?;
    let mut connection = Connection::open(path).map_err(sql("open its file"))?;
    let found = version(&connection).map_err(sql("read its file"))?;
    let known = i64::try_from(migrations.len()).unwrap_or(i64::MAX);
    if found > known {
        return Err(StoreError::TooNew { path: path.display().to_string(), found, known });
    }
    set_up(&connection).map_err(sql("set its file up"))?;
    if found > 0 && found < known {
        copy(&connection, path, found)?;
    }
    for (index, migration) in migrations.iter().enumerate().skip(usize::try_from(found).unwrap_or(0)) {
        let step = |c: &mut Connection| -> rusqlite::Result<()> {
            let tx = c.transaction()?;
            tx.execute_batch(migration)?;
            tx.pragma_update(None, "user_version", i64::try_from(index).unwrap_or(0) + 1)?;
            tx.commit()
        };
        fail_point!("open: before a migration");
        step(&mut connection).map_err(sql("bring its file to this version"))?;
        fail_point!("open: after a migration");
    }
    Ok(connection)
}

fn trouble(what: &'static str, path: &Path, error: &dyn std::error::Error) -> StoreError {
    StoreError::Engine { what, reason: format!("{}: {error}", path.display()) }
}

/// Makes the file if need be, and takes it from everybody else (security R17). SQLite gives `-wal` and `-shm` the mode
/// of the main file when it makes them; those a crash left are narrowed here.
///
/// By name, since closing a handle of a database file drops all locks that this process has on it.
fn own(path: &Path) -> io::Result<()> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e),
        Err(_) | Ok(_) => {}
    }
    for name in [path.to_owned(), beside(path, "-wal"), beside(path, "-shm")] {
        match std::fs::metadata(&name) {
            Ok(meta) if meta.is_file() && meta.permissions().mode() & 0o077 != 0 => {
                std::fs::set_permissions(&name, Permissions::from_mode(0o600))?;
            }
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            Err(_) | Ok(_) => {}
        }
    }
    Ok(())
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn version(c: &Connection) -> rusqlite::Result<i64> {
    c.busy_timeout(std::time::Duration::from_secs(5))?;
    c.pragma_query_value(None, "user_version", |row| row.get(0))
}

fn set_up(c: &Connection) -> rusqlite::Result<()> {
    c.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    let mode: String = c.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode != "wal" {
        let why = format!("this file system gives journal mode `{mode}`, and a store needs `wal`");
        return Err(rusqlite::Error::ToSqlConversionFailure(why.into()));
    }
    // FULL: a commit is on the disk before anybody is told, also when the power goes; fullfsync: on a Mac as well.
    c.pragma_update(None, "synchronous", "FULL")?;
    c.pragma_update(None, "fullfsync", "ON")?;
    c.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)?;
    // Pages are written again and again: bringing them into the main file every 16 MiB instead of every 4 saves half
    // of that.
    c.pragma_update(None, "wal_autocheckpoint", 4096)?;
    // What is deleted or replaced is overwritten: sessions above all, and what people said. Retention alone frees whole pages,
    // so that is where it costs.
    c.pragma_update_and_check(None, "secure_delete", "ON", |_| Ok(()))?;
    // Otherwise a statement whose values could choose another plan is parsed again for each set of values.
    c.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    c.pragma_update(None, "foreign_keys", "ON")?;
    c.set_prepared_statement_cache_capacity(128);
    Ok(())
}

/// Keeps the file as it is beside itself, whole or not at all: a copy that a crash cut short has another name.
fn copy(c: &Connection, path: &Path, found: i64) -> Result<(), StoreError> {
    let what = "copy its file before changing it";
    let (whole, part) = (path.with_extension(format!("v{found}.bak")), path.with_extension(format!("v{found}.part")));
    let io = |e: io::Error| trouble(what, &part, &e);
    match std::fs::remove_file(&part) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(io(e)),
        Err(_) | Ok(()) => {}
    }
    copy_into(c, &part)?;
    std::fs::rename(&part, &whole).map_err(io)?;
    // The name too must be on the disk before the original changes.
    match whole.parent() {
        Some(dir) => File::open(dir).and_then(|dir| dir.sync_all()).map_err(io),
        None => Ok(()),
    }
}

/// Writes a consistent copy of everything into a new file, mode 0600, and onto the disk.
pub(super) fn copy_into(c: &Connection, to: &Path) -> Result<(), StoreError> {
    let what = "copy its file";
    // VACUUM INTO takes an empty file as it is, with its mode.
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to);
    let file = made.map_err(|e| trouble(what, to, &e))?;
    c.execute("VACUUM INTO ?1", [to.to_string_lossy().as_ref()]).map_err(|e| trouble(what, to, &e))?;
    file.sync_all().map_err(|e| trouble(what, to, &e))
}

/// Gives free pages back to the file system, 4 MiB a step, once they are more than a quarter of the file: fewer will
/// be needed again soon. True when there is more to give.
pub(super) fn shrink(c: &Connection) -> rusqlite::Result<bool> {
    let number = |pragma| c.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let much = || Ok(number("freelist_count")? > SHRINK_PAGES.max(number("page_count")? / 4));
    if !much()? {
        return Ok(false);
    }
    // One page a row, so it must be walked to its end.
    c.pragma(None, "incremental_vacuum", SHRINK_PAGES, |_| Ok(()))?;
    much()
}
