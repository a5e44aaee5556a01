//! How much may still be said in a chat, as SQL: opened with the message of a person, paid where a send goes, given back
//! where the service surely did not take it (ADR 0033).
//!
//! A row of the outbox remembers which window it has paid in (`paid`, the moment at which that was opened), so that a
//! second try of it costs nothing. Where a person writes while it is under way, it moves on into the new window, with a
//! minus: what the service says of it may be of the old one.

use rusqlite::{Connection, OptionalExtension, Row, params};
use wxbot_model::{AccountName, ContactId};

use super::SqliteStore;
use crate::pacing::window::Meter;
use crate::store::Answer;
use crate::store::pace::MeterStore;
use crate::store::types::Opening;

/// Meters that are listed; the rest was opened longer ago.
const LISTED: usize = 1_000;

const READ: &str = "SELECT opened, spent, refused, not_before, learnt FROM meter WHERE account = ?1 AND conv = ?2";
const LIST: &str = "SELECT opened, spent, refused, not_before, learnt, conv FROM meter WHERE account = ?1 ORDER BY opened DESC LIMIT ?2";
/// What is under way counts in the new window: nobody knows in which of them the service sees it.
const MOVE_ON: &str =
    "UPDATE outbox SET paid = -?3 WHERE account = ?1 AND conv = ?2 AND state < 2 AND state = 1 AND paid <> 0";
const OPEN: &str = "INSERT INTO meter(account, conv, opened, spent) VALUES (?1, ?2, ?3, ?4)
     ON CONFLICT DO UPDATE SET opened = excluded.opened, spent = excluded.spent, refused = 0";
const PAY: &str = "UPDATE meter SET spent = spent + 1 WHERE account = ?1 AND conv = ?2";
const PAID: &str = "UPDATE outbox SET paid = ?2 WHERE id = ?1";
const PAID_IN: &str = "SELECT paid FROM outbox WHERE id = ?1";
const SENDS: &str = "SELECT account, conv, paid, unsure FROM outbox WHERE id = ?1 AND state = 1 AND paid <> 0";
const GIVE_BACK: &str =
    "UPDATE meter SET spent = spent - 1 WHERE account = ?1 AND conv = ?2 AND opened = ?3 AND spent > 0";
const UNLEARN: &str = "UPDATE meter SET learnt = NULL WHERE account = ?1 AND conv = ?2 AND opened = ?3 AND learnt IS NOT NULL AND spent > learnt";
/// After none at all it was no number that was too high.
const REFUSE: &str = "UPDATE meter SET refused = max(refused, ?5), not_before = max(not_before, ?4),
         learnt = iif(?5 AND spent > 0 AND spent < coalesce(learnt, spent + 1), spent, learnt)
     WHERE account = ?1 AND conv = ?2 AND opened = ?3";

const CUT: &str = "UPDATE meter SET not_before = ?3 WHERE account = ?1 AND conv = ?2 AND not_before > ?3";

/// Statements that must never walk through a whole table.
#[cfg(test)]
pub(super) const HOT: &[&str] =
    &[READ, LIST, MOVE_ON, OPEN, PAY, PAID, PAID_IN, SENDS, GIVE_BACK, UNLEARN, REFUSE, CUT];

fn meter(r: &Row<'_>) -> rusqlite::Result<Meter> {
    Ok(Meter {
        opened_ms: r.get(0)?,
        spent: r.get(1)?,
        refused: r.get(2)?,
        not_before_ms: r.get(3)?,
        learnt: r.get(4)?,
    })
}

/// The meter of a chat; `None` where nobody has written yet.
pub(super) fn read(c: &Connection, account: &str, conv: &str) -> rusqlite::Result<Option<Meter>> {
    c.prepare_cached(READ)?.query_row([account, conv], meter).optional()
}

/// A person has written: a new window, in which only what is under way counts.
pub(super) fn open(c: &Connection, account: &str, conv: &str, opening: &Opening) -> rusqlite::Result<()> {
    // An older message that comes late does not shorten what a younger one has opened.
    let opened = read(c, account, conv)?.map_or(opening.said_ms, |meter| meter.opened_ms.max(opening.said_ms)).max(1);
    let under_way = c.prepare_cached(MOVE_ON)?.execute(params![account, conv, opened])?;
    c.prepare_cached(OPEN)?.execute(params![account, conv, opened, under_way]).map(drop)
}

/// Whether a send has paid in this window.
pub(super) fn has_paid(c: &Connection, id: u64, meter: &Meter) -> rusqlite::Result<bool> {
    let paid: Option<i64> = c.prepare_cached(PAID_IN)?.query_row([id], |r| r.get(0)).optional()?;
    Ok(paid.is_some_and(|paid| paid.abs() == meter.opened_ms))
}

/// A send goes out in this window.
pub(super) fn pay(c: &Connection, account: &str, conv: &str, meter: &Meter, id: u64) -> rusqlite::Result<()> {
    if has_paid(c, id, meter)? {
        return Ok(());
    }
    c.prepare_cached(PAY)?.execute([account, conv])?;
    c.prepare_cached(PAID)?.execute(params![id, meter.opened_ms]).map(drop)
}

/// What a send under way has paid.
struct Payment {
    account: String,
    conv: String,
    /// In the window that was opened then.
    opened: i64,
    /// That window was there when it went out.
    begun_in_it: bool,
    /// A former try may have been taken, so that it stays paid whatever becomes of this one.
    unsure: bool,
}

fn payment(c: &Connection, id: u64) -> rusqlite::Result<Option<Payment>> {
    c.prepare_cached(SENDS)?
        .query_row([id], |r| {
            let paid: i64 = r.get(2)?;
            let (opened, begun_in_it) = (paid.abs(), paid > 0);
            Ok(Payment { account: r.get(0)?, conv: r.get(1)?, opened, begun_in_it, unsure: r.get(3)? })
        })
        .optional()
}

/// A send under way was surely not taken.
pub(super) fn give_back(c: &Connection, id: u64) -> rusqlite::Result<()> {
    let Some(paid) = payment(c, id)?.filter(|paid| !paid.unsure) else { return Ok(()) };
    c.prepare_cached(GIVE_BACK)?.execute(params![paid.account, paid.conv, paid.opened])?;
    c.prepare_cached(PAID)?.execute(params![id, 0]).map(drop)
}

/// A send under way was taken.
pub(super) fn taken(c: &Connection, id: u64) -> rusqlite::Result<()> {
    let Some(paid) = payment(c, id)? else { return Ok(()) };
    c.prepare_cached(UNLEARN)?.execute(params![paid.account, paid.conv, paid.opened]).map(drop)
}

/// A send under way was refused because of its chat, in which nothing goes before `not_before_ms`.
pub(super) fn refuse(c: &Connection, id: u64, not_before_ms: i64) -> rusqlite::Result<()> {
    let Some(paid) = payment(c, id)? else { return Ok(()) };
    give_back(c, id)?;
    let values = params![paid.account, paid.conv, paid.opened, not_before_ms, paid.begun_in_it];
    c.prepare_cached(REFUSE)?.execute(values).map(drop)
}

/// Nothing waits longer than until then, should the clock have been ahead when that was noted.
pub(super) fn cut(c: &Connection, account: &str, conv: &str, latest_ms: i64) -> rusqlite::Result<()> {
    c.prepare_cached(CUT)?.execute(params![account, conv, latest_ms]).map(drop)
}

impl MeterStore for SqliteStore {
    fn meter(&self, account: &AccountName, conv: &ContactId) -> Answer<'_, Option<Meter>> {
        let (account, conv) = (account.clone(), conv.clone());
        Self::read(&self.reader, "read what may be said in a chat", move |c| read(c, account.as_str(), conv.as_str()))
    }

    fn meters(&self, account: &AccountName) -> Answer<'_, Vec<(ContactId, Meter)>> {
        let account = account.clone();
        let bad = |e| rusqlite::Error::FromSqlConversionFailure(5, rusqlite::types::Type::Text, Box::new(e));
        Self::read(&self.lister, "list what may be said in chats", move |c| {
            let mut list = c.prepare_cached(LIST)?;
            let rows = list.query_map(params![account.as_str(), LISTED], |r| {
                Ok((r.get::<_, String>(5)?.parse().map_err(bad)?, meter(r)?))
            })?;
            rows.collect()
        })
    }
}
