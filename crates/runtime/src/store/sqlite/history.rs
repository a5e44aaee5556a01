//! What the archive reads of the queue, as SQL.

use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, params};
use wxbot_model::{AccountName, ContactId, IdError};

use super::SqliteStore;
use crate::store::Answer;
use crate::store::archive::{HistoryStore, PastEvent, PastSend};

const LAST: &str = "SELECT seq FROM sqlite_sequence WHERE name = ?1";
const EVENTS: &str = "SELECT seq, recv_at, body FROM inbox WHERE seq > ?1 ORDER BY seq LIMIT ?2";
const SENDS: &str =
    "SELECT id, account, conv, client_id, state, tried_at, body FROM outbox WHERE id > ?1 ORDER BY id LIMIT ?2";
const SEND: &str = "SELECT id, account, conv, client_id, state, tried_at, body FROM outbox WHERE id = ?1";
/// A person asks for it once in a while, so it may walk through the tables. What still waits is left: a deletion must not
/// lose an event that was accepted.
const FORGET_EVENTS: &str = "UPDATE inbox SET body = NULL WHERE account = ?1 AND state = 3 AND body IS NOT NULL
     AND (conv = ?2 OR json_extract(body, '$.sender.id') = ?2)";
const FORGET_SENDS: &str =
    "UPDATE outbox SET body = NULL WHERE account = ?1 AND conv = ?2 AND state > 2 AND body IS NOT NULL";

/// Statements that must never walk through a whole table.
#[cfg(test)]
pub(super) const HOT: &[&str] = &[EVENTS, SENDS, SEND];

fn bad(index: usize) -> impl Fn(IdError) -> rusqlite::Error {
    move |error| rusqlite::Error::FromSqlConversionFailure(index, Type::Text, Box::new(error))
}

fn send(r: &Row<'_>) -> rusqlite::Result<PastSend> {
    let state: i64 = r.get(4)?;
    Ok(PastSend {
        id: r.get(0)?,
        account: r.get::<_, String>(1)?.parse().map_err(bad(1))?,
        conv: r.get::<_, String>(2)?.parse().map_err(bad(2))?,
        client_id: r.get(3)?,
        // Queued, under way and uncertain ones may still go out.
        sent: (state > 2).then_some(state == 3),
        tried_ms: r.get(5)?,
        body: r.get(6)?,
    })
}

fn last(c: &Connection, table: &str) -> rusqlite::Result<u64> {
    Ok(c.prepare_cached(LAST)?.query_row([table], |r| r.get(0)).optional()?.unwrap_or(0))
}

impl HistoryStore for SqliteStore {
    fn last_numbers(&self) -> Answer<'_, (u64, u64)> {
        Self::read(&self.lister, "read the last numbers", |c| Ok((last(c, "inbox")?, last(c, "outbox")?)))
    }

    fn events_after(&self, seq: u64, limit: usize) -> Answer<'_, Vec<PastEvent>> {
        Self::read(&self.lister, "read past events", move |c| {
            let event = |r: &Row<'_>| Ok(PastEvent { seq: r.get(0)?, recv_ms: r.get(1)?, body: r.get(2)? });
            c.prepare_cached(EVENTS)?.query_map(params![seq, limit], event)?.collect()
        })
    }

    fn sends_after(&self, id: u64, limit: usize) -> Answer<'_, Vec<PastSend>> {
        Self::read(&self.lister, "read past sends", move |c| {
            c.prepare_cached(SENDS)?.query_map(params![id, limit], send)?.collect()
        })
    }

    fn sends_of(&self, ids: Vec<u64>) -> Answer<'_, Vec<PastSend>> {
        Self::read(&self.lister, "read open sends", move |c| {
            let mut query = c.prepare_cached(SEND)?;
            ids.iter().filter_map(|id| query.query_row([id], send).optional().transpose()).collect()
        })
    }

    fn forget_bodies(&self, account: &AccountName, contact: &ContactId) -> Answer<'_, usize> {
        let (account, contact) = (account.clone(), contact.clone());
        self.write("empty what was said with a contact", move |c| {
            let values = [account.as_str(), contact.as_str()];
            Ok(c.execute(FORGET_EVENTS, values)? + c.execute(FORGET_SENDS, values)?)
        })
    }
}
