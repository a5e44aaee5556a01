//! Timers and schedules as SQL: set and cancelled with the event that asks for it, fired in one step with the event made.

use std::collections::BTreeSet;
use std::sync::Arc;

use rusqlite::types::Type;
use rusqlite::{Connection, Row, params};
use wxbot_model::AccountName;

use super::SqliteStore;
use crate::store::Answer;
use crate::store::clock::{
    Bell, ClockStore, DueTimer, Firing, MOST_TIMERS, Origin, SavedSchedule, ScheduleKey, TimerChange,
};
use crate::store::types::Finish;

const SET: &str = "INSERT OR REPLACE INTO timer(account, plugin, name, conv, due_at, cause, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
const CANCEL: &str = "DELETE FROM timer WHERE account = ?1 AND plugin = ?2 AND name = ?3";
const COUNT: &str = "SELECT count(*) FROM timer WHERE account = ?1 AND plugin = ?2";
const DUE: &str =
    "SELECT account, plugin, name, conv, due_at, cause, body FROM timer WHERE due_at <= ?1 ORDER BY due_at LIMIT ?2";
const NEXT: &str = "SELECT min(due_at) FROM timer WHERE due_at > ?1";
const TAKE: &str = "DELETE FROM timer WHERE account = ?1 AND plugin = ?2 AND name = ?3 AND due_at = ?4 AND cause = ?5";
/// Parked and due at once, whatever the clock did since.
const FIRE: &str =
    "INSERT INTO inbox(account, src_key, conv, recv_at, kind, state, body) VALUES (?1, ?2, ?3, ?4, ?5, 2, ?6)
     ON CONFLICT(account, src_key) DO NOTHING";
const MOVE_ON: &str =
    "INSERT INTO schedule VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET last_ms = excluded.last_ms";
const WANT: &str = "INSERT INTO schedule VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING";
const SCHEDULES: &str = "SELECT plugin, name, last_ms FROM schedule WHERE account = ?1";

/// Statements that must never walk through a whole table.
#[cfg(test)]
pub(super) const HOT: &[&str] = &[SET, CANCEL, COUNT, DUE, NEXT, TAKE, FIRE, MOVE_ON, WANT, SCHEDULES];

/// Sets and cancels, up to what a plugin may have. The plugin that would have more is the answer, and the caller takes
/// all of it back.
pub(super) fn change(c: &Connection, finish: &Finish) -> rusqlite::Result<Option<Arc<str>>> {
    let account = finish.account.as_str();
    let mut setters = BTreeSet::new();
    for change in &finish.timers {
        match change {
            TimerChange::Set { plugin, name, conv, due_ms, body } => {
                let values = params![account, &**plugin, name, conv.as_str(), due_ms, finish.seq, &**body];
                c.prepare_cached(SET)?.execute(values)?;
                setters.insert(plugin);
            }
            TimerChange::Cancel { plugin, name } => {
                c.prepare_cached(CANCEL)?.execute(params![account, &**plugin, name])?;
            }
        }
    }
    for plugin in setters {
        let count: u64 = c.prepare_cached(COUNT)?.query_row(params![account, &**plugin], |r| r.get(0))?;
        if count > MOST_TIMERS {
            return Ok(Some(Arc::clone(plugin)));
        }
    }
    Ok(None)
}

/// When the first of those that were set is due.
pub(super) fn earliest(finish: &Finish) -> Option<i64> {
    let due = |change: &TimerChange| match change {
        TimerChange::Set { due_ms, .. } => Some(*due_ms),
        TimerChange::Cancel { .. } => None,
    };
    finish.timers.iter().filter_map(due).min()
}

fn read(r: &Row<'_>) -> rusqlite::Result<DueTimer> {
    let bad = |i, e| rusqlite::Error::FromSqlConversionFailure(i, Type::Text, Box::new(e));
    let (account, conv): (String, String) = (r.get(0)?, r.get(3)?);
    Ok(DueTimer {
        account: account.parse().map_err(|e| bad(0, e))?,
        plugin: r.get::<_, Arc<str>>(1)?,
        name: r.get(2)?,
        conv: conv.parse().map_err(|e| bad(3, e))?,
        due_ms: r.get(4)?,
        cause: r.get(5)?,
        body: r.get::<_, Arc<str>>(6)?,
    })
}

fn fire(c: &Connection, firing: &Firing) -> rusqlite::Result<Option<u64>> {
    let (account, row) = (firing.account.as_str(), &firing.row);
    match &firing.origin {
        Origin::Timer { plugin, name, due_ms, cause } => {
            if c.prepare_cached(TAKE)?.execute(params![account, &**plugin, name, due_ms, cause])? == 0 {
                return Ok(None);
            }
        }
        Origin::Schedule { plugin, name, due_ms } => {
            c.prepare_cached(MOVE_ON)?.execute(params![account, &**plugin, &**name, due_ms])?;
        }
    }
    let values = params![account, row.key.as_str(), row.conv.as_str(), firing.now_ms, row.kind, &*row.body];
    let made = c.prepare_cached(FIRE)?.execute(values)? > 0;
    Ok(if made { u64::try_from(c.last_insert_rowid()).ok() } else { None })
}

impl ClockStore for SqliteStore {
    fn due_timers(&self, now_ms: i64, limit: usize) -> Answer<'_, (Vec<DueTimer>, Option<i64>)> {
        Self::read(&self.lister, "read timers", move |c| {
            let due: Vec<_> =
                c.prepare_cached(DUE)?.query_map(params![now_ms, limit], read)?.collect::<Result<_, _>>()?;
            let next = c.prepare_cached(NEXT)?.query_row([now_ms], |r| r.get(0))?;
            let more = due.len() == limit;
            Ok((due, if more { Some(now_ms) } else { next }))
        })
    }

    fn fire(&self, firings: Vec<Firing>) -> Answer<'_, Vec<Option<u64>>> {
        self.write("fire what is due", move |c| firings.iter().map(|firing| fire(c, firing)).collect())
    }

    fn want_schedules(&self, wanted: Vec<ScheduleKey>, now_ms: i64) -> Answer<'_, ()> {
        self.write("note schedules", move |c| {
            let mut want = c.prepare_cached(WANT)?;
            wanted.iter().try_for_each(|key| {
                want.execute(params![key.account.as_str(), &*key.plugin, &*key.name, now_ms]).map(drop)
            })
        })
    }

    fn schedules(&self, account: &AccountName) -> Answer<'_, Vec<SavedSchedule>> {
        let account = account.clone();
        Self::read(&self.lister, "read schedules", move |c| {
            let saved = |r: &Row<'_>| Ok(SavedSchedule { plugin: r.get(0)?, name: r.get(1)?, last_ms: r.get(2)? });
            c.prepare_cached(SCHEDULES)?.query_map([account.as_str()], saved)?.collect()
        })
    }

    fn bell(&self) -> Arc<Bell> {
        Arc::clone(&self.bell)
    }
}
