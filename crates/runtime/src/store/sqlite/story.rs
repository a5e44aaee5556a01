//! Looking back, as SQL: one event, its sends, and how to find it.

use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, params};
use wxbot_model::{AccountName, ContactId, EventKey, IdError};

use super::{SqliteStore, mend};
use crate::store::Answer;
use crate::store::story::{EventState, SendState, SendStory, Story, StoryStore};

/// So many events of all accounts are looked at for the last one of a chat. An index by chat would cost each event a
/// write, for what somebody asks once a week.
const LOOKED_AT: u64 = 20_000;

const EVENT: &str =
    "SELECT account, src_key, conv, kind, state, attempts, errors, note, recv_at, done, not_before, replay
     FROM inbox WHERE seq = ?1";
const SENDS: &str = "SELECT id, plugin, ord, conv, state, attempts, server_id, error, created_at, tried_at, held
     FROM outbox WHERE cause_seq = ?1 ORDER BY plugin, ord";
const FIND: &str = "SELECT seq FROM inbox WHERE account = ?1 AND src_key = ?2";
/// Walks back by number alone.
const LAST: &str = "SELECT seq FROM inbox NOT INDEXED
     WHERE seq < min(?3, (SELECT max(seq) FROM inbox) + 1) AND seq >= min(?3, (SELECT max(seq) FROM inbox) + 1) - ?4
       AND account = ?1 AND conv = ?2 ORDER BY seq DESC LIMIT 1";

/// Statements that must never walk through a whole table.
#[cfg(test)]
pub(super) const HOT: &[&str] = &[EVENT, SENDS, FIND, LAST];

fn bad(index: usize) -> impl Fn(IdError) -> rusqlite::Error {
    move |error| rusqlite::Error::FromSqlConversionFailure(index, Type::Text, Box::new(error))
}

fn event(seq: u64, r: &Row<'_>) -> rusqlite::Result<Story> {
    let text = |index| r.get::<_, String>(index);
    let state = match r.get::<_, i64>(4)? {
        0 => EventState::New,
        1 => EventState::Running,
        2 => EventState::Parked { until_ms: r.get(10)? },
        3 => EventState::Done,
        _ => EventState::Dead,
    };
    let done: Option<String> = r.get(9)?;
    Ok(Story {
        seq,
        account: text(0)?.parse().map_err(bad(0))?,
        key: text(1)?.parse().map_err(bad(1))?,
        conv: text(2)?.parse().map_err(bad(2))?,
        kind: text(3)?,
        state,
        attempts: r.get(5)?,
        errors: r.get(6)?,
        note: r.get(7)?,
        recv_ms: r.get(8)?,
        done: done.map(|done| done.split(' ').map(str::to_owned).collect()).unwrap_or_default(),
        replay: mend::replay(r.get::<_, Option<String>>(11)?.as_deref()),
        sends: Vec::new(),
    })
}

/// How far a send is, as its row says it.
pub(super) fn send_state(state: i64, held: bool) -> SendState {
    match (state, held) {
        (0, _) => SendState::Queued,
        (1, _) => SendState::Sending,
        (2, false) => SendState::Uncertain,
        (2, true) => SendState::Held,
        (3, _) => SendState::Sent,
        (4, _) => SendState::Failed,
        (5, _) => SendState::Expired,
        _ => SendState::Dropped,
    }
}

fn send(r: &Row<'_>) -> rusqlite::Result<SendStory> {
    let tried_ms: i64 = r.get(9)?;
    Ok(SendStory {
        id: r.get(0)?,
        plugin: r.get(1)?,
        ord: r.get(2)?,
        conv: r.get::<_, String>(3)?.parse().map_err(bad(3))?,
        state: send_state(r.get(4)?, r.get(10)?),
        attempts: r.get(5)?,
        server_id: r.get(6)?,
        error: r.get(7)?,
        created_ms: r.get(8)?,
        tried_ms: Some(tried_ms).filter(|at| *at > 0),
    })
}

fn story(c: &Connection, seq: u64) -> rusqlite::Result<Option<Story>> {
    let found = c.prepare_cached(EVENT)?.query_row([seq], |r| event(seq, r)).optional()?;
    let Some(mut story) = found else { return Ok(None) };
    story.sends = c.prepare_cached(SENDS)?.query_map([seq], send)?.collect::<Result<_, _>>()?;
    Ok(Some(story))
}

impl StoryStore for SqliteStore {
    fn story(&self, seq: u64) -> Answer<'_, Option<Story>> {
        Self::read(&self.lister, "look an event up", move |c| story(c, seq))
    }

    fn find_event(&self, account: &AccountName, key: &EventKey) -> Answer<'_, Option<u64>> {
        let (account, key) = (account.clone(), key.clone());
        Self::read(&self.lister, "find an event", move |c| {
            c.prepare_cached(FIND)?.query_row([account.as_str(), key.as_str()], |r| r.get(0)).optional()
        })
    }

    fn last_event(&self, account: &AccountName, conv: &ContactId, before_seq: u64) -> Answer<'_, Option<u64>> {
        let (account, conv) = (account.clone(), conv.clone());
        // The engine's numbers have a sign.
        let before = i64::try_from(before_seq).unwrap_or(i64::MAX);
        Self::read(&self.lister, "find the last event of a chat", move |c| {
            let values = params![account.as_str(), conv.as_str(), before, LOOKED_AT];
            c.prepare_cached(LAST)?.query_row(values, |r| r.get(0)).optional()
        })
    }
}
