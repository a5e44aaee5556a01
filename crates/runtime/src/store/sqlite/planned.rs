//! Planned messages as SQL: kept, taken back, and fired in one step with the send that they become.

use std::sync::Arc;

use rusqlite::types::Type;
use rusqlite::{Connection, Row, params};
use tokio::sync::Notify;
use wxbot_model::{AccountName, IdError};

use super::{SqliteStore, lone, outbox};
use crate::clock::Missed;
use crate::store::Answer;
use crate::store::planned::{MOST_PLANNED, NewPlanned, Planned, PlannedFiring, PlannedStore};

const COUNT: &str = "SELECT count(*) FROM planned WHERE account = ?1";
const PLAN: &str = "INSERT INTO planned(account, conv, body, cron, tz, missed, due_at, made_at)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
const ALL: &str = "SELECT id, account, conv, body, cron, tz, missed, due_at, made_at FROM planned
     WHERE ?1 IS NULL OR account = ?1 ORDER BY due_at, id";
const UNPLAN: &str = "DELETE FROM planned WHERE id = ?1";
const DUE: &str = "SELECT id, account, conv, body, cron, tz, missed, due_at, made_at FROM planned
     WHERE due_at <= ?1 AND account IN (SELECT value FROM json_each(?2)) ORDER BY due_at, id LIMIT ?3";
const NEXT: &str = "SELECT min(due_at) FROM planned WHERE due_at > ?1 AND account IN (SELECT value FROM json_each(?2))";
const MOVE_ON: &str = "UPDATE planned SET due_at = ?3 WHERE id = ?1 AND due_at = ?2";
const END: &str = "DELETE FROM planned WHERE id = ?1 AND due_at = ?2";
const MISSED: &str = "UPDATE outbox SET state = 5, error = ?2 WHERE cause_seq = ?1 AND state = 0";

/// Statements that must never walk through a whole table.
#[cfg(test)]
pub(super) const HOT: &[&str] = &[COUNT, PLAN, UNPLAN, MOVE_ON, END, MISSED];

fn bad(index: usize) -> impl Fn(IdError) -> rusqlite::Error {
    move |error| rusqlite::Error::FromSqlConversionFailure(index, Type::Text, Box::new(error))
}

fn read(r: &Row<'_>) -> rusqlite::Result<Planned> {
    Ok(Planned {
        id: r.get(0)?,
        account: r.get::<_, String>(1)?.parse().map_err(bad(1))?,
        conv: r.get::<_, String>(2)?.parse().map_err(bad(2))?,
        body: r.get(3)?,
        cron: r.get(4)?,
        tz: r.get(5)?,
        missed: if r.get(6)? { Missed::Once } else { Missed::Skip },
        due_ms: r.get(7)?,
        made_ms: r.get(8)?,
    })
}

fn names(accounts: &[AccountName]) -> String {
    serde_json::to_string(&accounts.iter().map(AccountName::as_str).collect::<Vec<_>>()).unwrap_or_default()
}

fn plan(c: &Connection, new: &NewPlanned) -> rusqlite::Result<Option<u64>> {
    let account = new.account.as_str();
    if c.prepare_cached(COUNT)?.query_row([account], |r| r.get::<_, u64>(0))? >= MOST_PLANNED {
        return Ok(None);
    }
    let late = new.missed != Missed::Skip;
    let values = params![account, new.conv.as_str(), new.body, new.cron, new.tz, late, new.due_ms, new.now_ms];
    c.prepare_cached(PLAN)?.execute(values)?;
    Ok(u64::try_from(c.last_insert_rowid()).ok())
}

fn fire(c: &Connection, firing: &PlannedFiring) -> rusqlite::Result<bool> {
    let moved = match firing.next_ms {
        Some(next) => c.prepare_cached(MOVE_ON)?.execute(params![firing.id, firing.due_ms, next])?,
        None => c.prepare_cached(END)?.execute(params![firing.id, firing.due_ms])?,
    };
    if moved == 0 {
        return Ok(false);
    }
    // It goes its way through the queue, so there is nothing to claim here.
    outbox::insert(c, &lone(firing.send.clone()))?;
    if let Some(why) = &firing.missed {
        c.prepare_cached(MISSED)?.execute(params![firing.send.cause, why])?;
    }
    Ok(true)
}

impl PlannedStore for SqliteStore {
    fn plan(&self, new: NewPlanned) -> Answer<'_, Option<u64>> {
        Box::pin(async move {
            let id = self.write("plan a message", move |c| plan(c, &new)).await?;
            self.planned_bell.notify_one();
            Ok(id)
        })
    }

    fn planned(&self, account: Option<&AccountName>) -> Answer<'_, Vec<Planned>> {
        let account = account.cloned();
        Self::read(&self.lister, "list planned messages", move |c| {
            c.prepare_cached(ALL)?.query_map([account.as_ref().map(AccountName::as_str)], read)?.collect()
        })
    }

    fn unplan(&self, id: u64) -> Answer<'_, bool> {
        self.write("take a planned message back", move |c| Ok(c.prepare_cached(UNPLAN)?.execute([id])? > 0))
    }

    fn due_planned(
        &self,
        accounts: Vec<AccountName>,
        now_ms: i64,
        limit: usize,
    ) -> Answer<'_, (Vec<Planned>, Option<i64>)> {
        Self::read(&self.lister, "read planned messages", move |c| {
            let names = names(&accounts);
            let due: Vec<_> =
                c.prepare_cached(DUE)?.query_map(params![now_ms, names, limit], read)?.collect::<Result<_, _>>()?;
            let next = c.prepare_cached(NEXT)?.query_row(params![now_ms, names], |r| r.get(0))?;
            let more = due.len() == limit;
            Ok((due, if more { Some(now_ms) } else { next }))
        })
    }

    fn fire_planned(&self, firing: PlannedFiring) -> Answer<'_, bool> {
        self.write("send a planned message", move |c| fire(c, &firing))
    }

    fn planned_bell(&self) -> Arc<Notify> {
        Arc::clone(&self.planned_bell)
    }
}
