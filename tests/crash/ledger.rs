//! What stands in the store of a wxbot that runs, or was ended? Read from outside, without changing a byte.

use std::collections::HashSet;
use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

/// `queue.db` for as short as a look takes: while somebody reads, wxbot cannot tidy up.
pub(crate) struct Ledger(Connection);

/// A row of the outbox.
#[derive(Debug, Clone)]
pub(crate) struct Send {
    pub(crate) account: String,
    pub(crate) state: SendState,
    pub(crate) client_id: String,
    /// The text of a message; empty for anything else.
    pub(crate) text: String,
}

impl Send {
    fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        let body: Option<String> = row.get(3)?;
        let body: Value = body.and_then(|body| serde_json::from_str(&body).ok()).unwrap_or_default();
        Ok(Self {
            account: row.get(0)?,
            state: match row.get::<_, i64>(1)? {
                0 => SendState::Queued,
                1 => SendState::Sending,
                2 => SendState::Uncertain,
                3 => SendState::Sent,
                _ => SendState::GivenUp,
            },
            client_id: row.get(2)?,
            text: body.get("text").and_then(Value::as_str).unwrap_or_default().to_owned(),
        })
    }
}

/// States of the outbox, by the numbers in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum SendState {
    Queued,
    Sending,
    Uncertain,
    Sent,
    /// Failed, expired or dropped.
    GivenUp,
}

/// How many events are where.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Events {
    pub(crate) new: u64,
    pub(crate) running: u64,
    pub(crate) parked: u64,
    pub(crate) done: u64,
    pub(crate) dead: u64,
    /// The most tries of an event that has not ended, errors not counted: how often it came to its end with the process.
    pub(crate) crashes: u64,
}

impl Events {
    pub(crate) fn open(self) -> u64 {
        self.new + self.running + self.parked
    }
}

impl Ledger {
    /// Opens the store of a data directory, for reading alone.
    pub(crate) fn open(data: &Path) -> rusqlite::Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(data.join("queue.db"), flags)?;
        // Whoever closes last would bring the WAL into the file: what a kill left must stay as it left it.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        connection.busy_timeout(std::time::Duration::from_secs(2))?;
        Ok(Self(connection))
    }

    pub(crate) fn events(&self) -> rusqlite::Result<Events> {
        let mut events = Events::default();
        let mut query = self.0.prepare("SELECT state, count(*) FROM inbox GROUP BY state")?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            let count = row.get(1)?;
            match row.get::<_, i64>(0)? {
                0 => events.new = count,
                1 => events.running = count,
                2 => events.parked = count,
                3 => events.done = count,
                _ => events.dead = count,
            }
        }
        let crashes = "SELECT coalesce(max(attempts - errors), 0) FROM inbox WHERE state < 3";
        events.crashes = self.0.query_row(crashes, [], |row| row.get(0))?;
        Ok(events)
    }

    /// Events that have not ended, and sends that wait or are under way, by the indexes of wxbot: as quick after a thousand
    /// kills as after one. `done` and `dead` are not counted.
    pub(crate) fn open_rows(&self) -> rusqlite::Result<(Events, Vec<Send>)> {
        let mut events = Events::default();
        let mut query = self.0.prepare(
            "SELECT state, count(*), max(attempts - errors) FROM inbox INDEXED BY inbox_open WHERE state < 2 GROUP BY state
             UNION ALL
             SELECT 2, count(*), coalesce(max(attempts - errors), 0) FROM inbox INDEXED BY inbox_parked WHERE state = 2",
        )?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            let count = row.get(1)?;
            match row.get::<_, i64>(0)? {
                0 => events.new = count,
                1 => events.running = count,
                _ => events.parked = count,
            }
            events.crashes = events.crashes.max(row.get(2)?);
        }
        let sends =
            "SELECT account, state, client_id, body FROM outbox INDEXED BY outbox_lane WHERE state < 2 ORDER BY id";
        let sends = self.0.prepare(sends)?.query_map([], Send::read)?.collect::<rusqlite::Result<_>>()?;
        Ok((events, sends))
    }

    /// Sends that have not ended well, and the last `recent` of the others.
    pub(crate) fn sends(&self, recent: u64) -> rusqlite::Result<Vec<Send>> {
        let mut query = self.0.prepare(
            "SELECT account, state, client_id, body FROM outbox
             WHERE state <> 3 OR id > (SELECT coalesce(max(id), 0) FROM outbox) - ?1 ORDER BY id",
        )?;
        query.query_map([recent], Send::read)?.collect()
    }

    /// Whether an event of the inbox says this.
    pub(crate) fn has_event_with(&self, text: &str) -> rusqlite::Result<bool> {
        self.0.prepare_cached("SELECT 1 FROM inbox WHERE instr(body, ?1) LIMIT 1")?.exists([text])
    }

    /// What sources call the events that came in since then, ms since 1970.
    pub(crate) fn keys_since(&self, at_ms: u64) -> rusqlite::Result<HashSet<String>> {
        // Rows are looked through from the last one: there is no index by time, and there may be many.
        let mut query = self.0.prepare("SELECT src_key, recv_at FROM inbox ORDER BY seq DESC")?;
        let mut rows = query.query([])?;
        let mut keys = HashSet::new();
        while let Some(row) = rows.next()? {
            if row.get::<_, u64>(1)? < at_ms {
                break;
            }
            keys.insert(row.get(0)?);
        }
        Ok(keys)
    }

    pub(crate) fn timers(&self) -> rusqlite::Result<u64> {
        self.0.query_row("SELECT count(*) FROM timer", [], |row| row.get(0))
    }

    /// The highest number of a contact id: the next contact gets one more.
    pub(crate) fn last_contact(&self, account: &str) -> rusqlite::Result<u64> {
        let query = "SELECT coalesce(max(CAST(substr(id, 2) AS INTEGER)), 0) FROM contact WHERE account = ?1";
        self.0.query_row(query, [account], |row| row.get(0))
    }

    /// The contact id of somebody.
    pub(crate) fn contact(&self, account: &str, nick: &str) -> rusqlite::Result<String> {
        let query = "SELECT id FROM contact WHERE account = ?1 AND nick = ?2";
        self.0.query_row(query, [account, nick], |row| row.get(0))
    }

    /// What SQLite finds wrong with the file; empty when nothing.
    pub(crate) fn damage(&self) -> rusqlite::Result<Vec<String>> {
        let mut query = self.0.prepare("PRAGMA integrity_check")?;
        let lines: Vec<String> = query.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        Ok(lines.into_iter().filter(|line| line != "ok").collect())
    }
}
