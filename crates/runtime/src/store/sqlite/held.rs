//! Sends to somebody whom nobody in this login is known to be: uncertain, and out of every verdict's reach.
//!
//! `queued → held → (queued | expired | uncertain)`. A held send was never on the wire under this login, and whoever it is
//! for may be found later; so it neither expires silently nor is resent or dropped by a policy for sends of unknown outcome.

use rusqlite::{Connection, params};
use wxbot_model::{AccountName, ContactId};

const QUEUED: &str = "SELECT DISTINCT conv FROM outbox WHERE account = ?1 AND state < 2";
const HELD: &str = "SELECT DISTINCT conv FROM outbox WHERE account = ?1 AND state = 2 AND held";
const HOLD: &str =
    "UPDATE outbox SET state = 2, held = 1, error = ?3 WHERE account = ?1 AND conv = ?2 AND state < 2 AND state = 0";
const SAY: &str =
    "UPDATE outbox SET error = ?3 WHERE account = ?1 AND conv = ?2 AND state = 2 AND held AND error IS NOT ?3";
const EXPIRE: &str =
    "UPDATE outbox SET state = iif(unsure, 2, 5), held = 0, error = iif(unsure, 'older than max_age; a try of it may have been taken', 'older than max_age')
     WHERE account = ?1 AND conv = ?2 AND state = 2 AND held AND created_at < ?3 AND asked_at < ?3";
const LET_GO: &str = "UPDATE outbox SET state = 0, held = 0, not_before = 0, error = NULL
     WHERE account = ?1 AND conv = ?2 AND state = 2 AND held";

/// Statements that must never walk through a whole table.
#[cfg(test)]
pub(super) const HOT: &[&str] = &[QUEUED, HELD, HOLD, SAY, EXPIRE, LET_GO];

pub(super) fn awaited(c: &Connection, account: &AccountName) -> rusqlite::Result<Vec<(ContactId, bool)>> {
    let bad = |e| rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(e));
    let mut all = Vec::new();
    for (query, held) in [(HELD, true), (QUEUED, false)] {
        let mut query = c.prepare_cached(query)?;
        let mut rows = query.query([account.as_str()])?;
        while let Some(row) = rows.next()? {
            let conv: ContactId = row.get::<_, String>(0)?.parse().map_err(bad)?;
            if !all.iter().any(|(known, _)| *known == conv) {
                all.push((conv, held));
            }
        }
    }
    Ok(all)
}

pub(super) fn hold(c: &Connection, account: &AccountName, whom: &[(ContactId, String)]) -> rusqlite::Result<()> {
    for (conv, reason) in whom {
        let values = params![account.as_str(), conv.as_str(), reason];
        c.prepare_cached(SAY)?.execute(values)?;
        c.prepare_cached(HOLD)?.execute(values)?;
    }
    Ok(())
}

pub(super) fn let_go(
    c: &Connection,
    account: &AccountName,
    whom: &[ContactId],
    oldest_ms: i64,
) -> rusqlite::Result<usize> {
    let mut queued = 0;
    for conv in whom {
        c.prepare_cached(EXPIRE)?.execute(params![account.as_str(), conv.as_str(), oldest_ms])?;
        queued += c.prepare_cached(LET_GO)?.execute(params![account.as_str(), conv.as_str()])?;
    }
    Ok(queued)
}
