//! The inbox as SQL: `new → running → done | retry → running … | dead`.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};
use wxbot_model::AccountName;

use super::{mend, meter, outbox};
use crate::store::Keep;
use crate::store::types::{Accept, Accepted, Claims, Failure, Finish, InboxCounts, InboxRow};

// States where they are written; where they are looked for, the statement names the number, or no partial index is used.
const RUNNING: i64 = 1;
const RETRY: i64 = 2;
const DEAD: i64 = 4;

/// A parked event is never further away, whatever the clock did meanwhile.
const MAX_WAIT_MS: i64 = 3_600_000;

const RECOVER: &str = "UPDATE inbox SET state = 0 WHERE account = ?1 AND state < 2 AND state = 1";
const ACCEPT: &str =
    "INSERT INTO inbox(account, src_key, conv, recv_at, kind, state, attempts, body) VALUES (?1, ?2, ?3, ?4, ?5, ?7, ?7, ?6)
     ON CONFLICT(account, src_key) DO NOTHING";
const WAITING: &str = "SELECT seq, conv, recv_at, body, done, replay FROM inbox
     WHERE account = ?1 AND seq > ?2 AND state < 2 AND state = 0 ORDER BY seq LIMIT ?3";
const CLAMP: &str = "UPDATE inbox SET not_before = ?2 WHERE account = ?1 AND state = 2 AND not_before > ?2";
const DUE: &str = "SELECT seq, conv, recv_at, body, done, replay FROM inbox
     WHERE account = ?1 AND state = 2 AND not_before <= ?2 ORDER BY seq LIMIT ?3";
const UNPARK: &str = "UPDATE inbox SET state = 1 WHERE seq = ?1";
const NEXT_DUE: &str = "SELECT min(not_before) FROM inbox WHERE account = ?1 AND state = 2";
const CLAIM: &str =
    "UPDATE inbox SET state = 1, attempts = attempts + 1 WHERE seq = ?1 AND state < 3 RETURNING attempts, errors";
const GIVE_BACK: &str =
    "UPDATE inbox SET state = 0, attempts = attempts - 1 WHERE seq = ?1 AND state = 1 AND attempts = 1";
const ENDED: &str = "SELECT attempts, errors FROM inbox WHERE seq = ?1";
const FINISH: &str = "UPDATE inbox SET state = 3, note = ?2 WHERE seq = ?1 AND state < 3";
const FAIL: &str =
    "UPDATE inbox SET state = ?2, not_before = ?3, errors = errors + ?5, attempts = max(attempts - 1 + ?5, 0),
     note = ?4, done = coalesce(?6, done) WHERE seq = ?1 AND state < 3";
const NEXT_ROWS: &str = "SELECT seq, recv_at FROM inbox WHERE seq > ?1 ORDER BY seq LIMIT ?2";
const EMPTY: &str = "UPDATE inbox SET body = NULL WHERE seq > ?1 AND seq <= ?2 AND state = 3 AND body IS NOT NULL";
const DELETE: &str = "DELETE FROM inbox WHERE seq > ?1 AND seq <= ?2 AND state = 3";
const DELETE_DEAD: &str =
    "DELETE FROM inbox WHERE seq IN (SELECT seq FROM inbox WHERE recv_at < ?1 AND state = 4 LIMIT 1000)";

/// Statements that must never walk through a whole table.
#[cfg(test)]
pub(super) const HOT: &[&str] = &[
    RECOVER,
    ACCEPT,
    WAITING,
    CLAMP,
    DUE,
    UNPARK,
    NEXT_DUE,
    CLAIM,
    GIVE_BACK,
    ENDED,
    FINISH,
    FAIL,
    NEXT_ROWS,
    EMPTY,
    DELETE,
    DELETE_DEAD,
];

pub(super) fn recover(c: &Connection, account: &AccountName) -> rusqlite::Result<()> {
    c.prepare_cached(RECOVER)?.execute([account.as_str()]).map(drop)
}

pub(super) fn accept(c: &Connection, batch: &Accept) -> rusqlite::Result<Accepted> {
    let mut accepted = Accepted::default();
    let mut insert = c.prepare_cached(ACCEPT)?;
    let mut claim = batch.claim;
    for (place, row) in batch.rows.iter().enumerate() {
        let (account, claimed) = (batch.account.as_str(), claim > 0);
        let values = params![account, row.key.as_str(), row.conv.as_str(), batch.now_ms, row.kind, &*row.body, claimed];
        if insert.execute(values)? == 0 {
            accepted.seqs.push(None);
            continue;
        }
        claim = claim.saturating_sub(1);
        accepted.seqs.push(u64::try_from(c.last_insert_rowid()).ok());
        if let Some(opening) = batch.opens.iter().find(|opening| opening.row == place) {
            meter::open(c, account, row.conv.as_str(), opening)?;
        }
        if let Some(echo) = row.echo {
            accepted.proved += outbox::prove(c, &batch.account, &row.conv, echo, batch.now_ms)?;
        }
    }
    Ok(accepted)
}

fn row(row: &rusqlite::Row<'_>) -> rusqlite::Result<InboxRow> {
    let conv: String = row.get(1)?;
    let (body, done): (Option<String>, Option<String>) = (row.get(3)?, row.get(4)?);
    Ok(InboxRow {
        seq: row.get(0)?,
        conv: conv
            .parse()
            .map_err(|e| rusqlite::Error::FromSqlConversionFailure(1, rusqlite::types::Type::Text, Box::new(e)))?,
        recv_ms: row.get(2)?,
        body: Arc::from(body.unwrap_or_default()),
        done: done.map(|d| d.split(' ').map(str::to_owned).collect()).unwrap_or_default(),
        replay: mend::replay(row.get::<_, Option<String>>(5)?.as_deref()),
    })
}

pub(super) fn waiting(
    c: &Connection,
    account: &AccountName,
    after: u64,
    limit: usize,
) -> rusqlite::Result<Vec<InboxRow>> {
    c.prepare_cached(WAITING)?.query_map(params![account.as_str(), after, limit], row)?.collect()
}

/// Parked events whose time has come. They count as running at once, so that the next call does not give them again.
pub(super) fn due(
    c: &Connection,
    account: &AccountName,
    now_ms: i64,
    limit: usize,
) -> rusqlite::Result<(Vec<InboxRow>, Option<i64>)> {
    let account = account.as_str();
    c.prepare_cached(CLAMP)?.execute(params![account, now_ms.saturating_add(MAX_WAIT_MS)])?;
    let rows: Vec<InboxRow> =
        c.prepare_cached(DUE)?.query_map(params![account, now_ms, limit], row)?.collect::<Result<_, _>>()?;
    for row in &rows {
        c.prepare_cached(UNPARK)?.execute([row.seq])?;
    }
    let next = c.prepare_cached(NEXT_DUE)?.query_row([account], |r| r.get(0))?;
    Ok((rows, next))
}

pub(super) fn claim(c: &Connection, seq: u64) -> rusqlite::Result<Claims> {
    let claims = |r: &rusqlite::Row<'_>| Ok(Claims { attempts: r.get(0)?, errors: r.get(1)? });
    match c.prepare_cached(CLAIM)?.query_row([seq], claims).optional()? {
        Some(claims) => Ok(claims),
        // It has ended already and stays ended. Whoever handles it once more may do so; nothing of that is recorded.
        None => c.prepare_cached(ENDED)?.query_row([seq], claims),
    }
}

pub(super) fn give_back(c: &Connection, seqs: &[u64]) -> rusqlite::Result<()> {
    let mut give = c.prepare_cached(GIVE_BACK)?;
    seqs.iter().try_for_each(|seq| give.execute([seq]).map(drop))
}

/// False when the event has ended before.
pub(super) fn finish(c: &Connection, finish: &Finish) -> rusqlite::Result<bool> {
    Ok(c.prepare_cached(FINISH)?.execute(params![finish.seq, finish.note])? > 0)
}

/// False when the event has ended before.
pub(super) fn fail(c: &Connection, failure: &Failure) -> rusqlite::Result<bool> {
    // Plugin ids hold no spaces.
    let done = Some(failure.done.join(" ")).filter(|d| !d.is_empty());
    let (state, not_before) = match failure.again_ms {
        // It stays with its caller: the disk must not hand it out a second time.
        Some(at) if at <= 0 => (RUNNING, 0),
        Some(at) => (RETRY, at),
        None => (DEAD, 0),
    };
    let counts = i64::from(failure.counts);
    let changed =
        c.prepare_cached(FAIL)?.execute(params![failure.seq, state, not_before, failure.error, counts, done])?;
    Ok(changed > 0)
}

pub(super) fn counts(c: &Connection, account: &AccountName) -> rusqlite::Result<InboxCounts> {
    let mut query = c.prepare_cached(
        "SELECT count(*) FILTER (WHERE state < 3), count(*) FILTER (WHERE state = 3 AND note IS NULL),
                count(*) FILTER (WHERE state = 3 AND note IS NOT NULL AND note NOT LIKE 'late:%'),
                count(*) FILTER (WHERE state = 3 AND note LIKE 'late:%'), count(*) FILTER (WHERE state = 4)
         FROM inbox WHERE account = ?1",
    )?;
    query.query_row([account.as_str()], |r| {
        Ok(InboxCounts { waiting: r.get(0)?, done: r.get(1)?, stopped: r.get(2)?, late: r.get(3)?, dead: r.get(4)? })
    })
}

/// How far old rows were swept since the start. Numbers and times rise together, so that nobody needs an index by time;
/// rows of a moment in which the clock was wrong are walked past.
/// What could not go yet when its turn came goes after the next start.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Swept {
    emptied: u64,
    deleted: u64,
}

/// Clocks that are further ahead than this were wrong.
const AHEAD_MS: i64 = 3_600_000;
/// Rows looked at in one step, so that the writer is never held for long.
const STEP: usize = 1000;

/// What came before this is kept no longer.
pub(super) fn before(now_ms: i64, keep: Duration) -> i64 {
    now_ms.saturating_sub(i64::try_from(keep.as_millis()).unwrap_or(i64::MAX))
}

/// One step on; true when there is more to do.
pub(super) fn sweep(c: &Connection, now_ms: i64, keep: &Keep, swept: Swept) -> rusqlite::Result<(Swept, bool)> {
    let step = |sql, after, keep| -> rusqlite::Result<(u64, bool)> {
        let (until, more) = older(c, NEXT_ROWS, after, before(now_ms, keep), now_ms)?;
        if until > after {
            c.prepare_cached(sql)?.execute([after, until])?;
        }
        Ok((until, more))
    };
    let (emptied, more_to_empty) = step(EMPTY, swept.emptied, keep.done)?;
    let (deleted, more_to_delete) = step(DELETE, swept.deleted, keep.keys)?;
    let dead = c.prepare_cached(DELETE_DEAD)?.execute([before(now_ms, keep.dead)])?;
    Ok((Swept { emptied, deleted }, more_to_empty || more_to_delete || dead == STEP))
}

/// The last row after `after` that is older than `limit_ms`, as far as one step reaches; true when it did not reach the
/// end of them.
pub(super) fn older(
    c: &Connection,
    next_rows: &str,
    after: u64,
    limit_ms: i64,
    now_ms: i64,
) -> rusqlite::Result<(u64, bool)> {
    let mut next = c.prepare_cached(next_rows)?;
    let mut rows = next.query(params![after, STEP])?;
    let (mut until, mut seen) = (after, 0);
    while let Some(row) = rows.next()? {
        let at_ms: i64 = row.get(1)?;
        // Written under a clock that was ahead: it says nothing about those behind it.
        let ahead = at_ms > now_ms.saturating_add(AHEAD_MS);
        if at_ms >= limit_ms && !ahead {
            return Ok((until, false));
        }
        seen += 1;
        if !ahead {
            until = row.get(0)?;
        }
    }
    Ok((until, seen == STEP))
}
