//! Mending, as SQL: dead events, sends to decide about, and events that are handled once more.

use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, params};
use wxbot_model::{AccountName, IdError};

use super::SqliteStore;
use crate::store::mend::{
    DeadEvent, DeadFilter, Decided, Decision, MendStore, NO_EVENT, Replay, ReplayAsk, ReplayStep, SendFilter, SendRow,
};
use crate::store::{Answer, SendState};

/// Rows that one step of a replay looks at.
const STEP: u64 = 1_000;

const DEAD: &str = "SELECT seq, account, src_key, conv, kind, attempts, errors, note, done, recv_at FROM inbox
     WHERE state = 4 AND recv_at >= ?1 AND seq > ?2 AND (?3 IS NULL OR account = ?3)
       AND (?4 IS NULL OR substr(note, 1, length(?4)) = ?4) ORDER BY seq LIMIT ?5";
const BODY: &str = "SELECT body FROM inbox WHERE seq = ?1";
/// Parked and due at once: its number is below those that were handled since, so nobody would find it among the waiting.
const REVIVE: &str = "UPDATE inbox SET state = 2, not_before = 0, attempts = 0, errors = 0, note = NULL,
     replay = coalesce(replay, ?2) WHERE seq = ?1 AND state = 4 AND body IS NOT NULL";
const BURY: &str = "UPDATE inbox SET state = 3, note = ?2 || coalesce(': ' || note, '') WHERE seq = ?1 AND state = 4";
/// Bit 7 of the mask is for held ones. Walks back by number; somebody asks for it once a week.
const SENDS: &str = "SELECT id, account, conv, plugin, cause_seq, body, state, held, attempts, created_at, tried_at,
         server_id, error, replay
     FROM outbox WHERE id < ?1 AND (?2 >> iif(state = 2 AND held, 7, state)) & 1 AND (?3 IS NULL OR account = ?3)
     ORDER BY id DESC LIMIT ?4";
const SEND: &str = "SELECT id, account, conv, plugin, cause_seq, body, state, held, attempts, created_at, tried_at,
         server_id, error, replay FROM outbox WHERE id = ?1";
const SEND_OF: &str = "SELECT id FROM outbox WHERE cause_seq = ?1";
const SENT: &str = "UPDATE outbox SET state = 3, held = 0, error = NULL WHERE id = ?1 AND state = 2";
/// The client id stays: should the service know it after all, it is the same message.
const RESEND: &str =
    "UPDATE outbox SET state = 0, held = 0, not_before = 0, attempts = 0, error = NULL, asked_at = ?2, first_at = 0
     WHERE id = ?1 AND state IN (2, 4) AND body IS NOT NULL";
const DROP: &str = "UPDATE outbox SET state = 6, held = 0, error = ?2 WHERE id = ?1 AND state IN (0, 2)";
const BOUNDS: &str = "SELECT (SELECT min(seq) FROM inbox WHERE seq > ?1), (SELECT max(seq) FROM inbox)";
const WANTED: &str = "FROM inbox WHERE seq > ?1 AND seq <= ?2 AND state = 3 AND recv_at >= ?3 AND recv_at < ?4
     AND body IS NOT NULL AND replay IS NULL AND kind NOT IN ('timer', 'schedule')
     AND account IN (SELECT value FROM json_each(?5))";

const REPLAY_OF: &str = "SELECT replay FROM inbox WHERE seq = ?1";

/// Statements that must never walk through a whole table.
#[cfg(test)]
pub(super) const HOT: &[&str] = &[BODY, REVIVE, BURY, REPLAY_OF, SEND, SEND_OF, SENT, RESEND, DROP];

fn bad(index: usize) -> impl Fn(IdError) -> rusqlite::Error {
    move |error| rusqlite::Error::FromSqlConversionFailure(index, Type::Text, Box::new(error))
}

/// Why an event is handled once more. What a hand has spoiled reads as a replay that sends nothing.
pub(super) fn replay(text: Option<&str>) -> Option<Replay> {
    let nothing = || Replay { of: None, plugin: None, send: false };
    text.map(|text| serde_json::from_str(text).unwrap_or_else(|_spoiled| nothing()))
}

/// Whether an event is a replay, and whether its sends are kept back; `None` for any other event and for sends of none.
pub(super) fn withholds(c: &Connection, seq: u64) -> rusqlite::Result<Option<bool>> {
    if seq >= NO_EVENT {
        return Ok(None);
    }
    let found: Option<Option<String>> = c.prepare_cached(REPLAY_OF)?.query_row([seq], |r| r.get(0)).optional()?;
    Ok(replay(found.flatten().as_deref()).map(|replay| !replay.send))
}

/// The plugin that a reason begins with, as `dispatch/handle.rs` writes it.
fn troubled(reason: &str) -> Option<String> {
    let (plugin, _why) = reason.strip_prefix("plugin ")?.split_once(": ")?;
    (!plugin.contains(' ')).then(|| plugin.to_owned())
}

fn dead(r: &Row<'_>) -> rusqlite::Result<DeadEvent> {
    let text = |index| r.get::<_, String>(index);
    let (reason, done): (Option<String>, Option<String>) = (r.get(7)?, r.get(8)?);
    let reason = reason.unwrap_or_default();
    Ok(DeadEvent {
        seq: r.get(0)?,
        account: text(1)?.parse().map_err(bad(1))?,
        key: text(2)?.parse().map_err(bad(2))?,
        conv: text(3)?.parse().map_err(bad(3))?,
        kind: text(4)?,
        attempts: r.get(5)?,
        errors: r.get(6)?,
        plugin: troubled(&reason),
        reason,
        done: done.map(|done| done.split(' ').map(str::to_owned).collect()).unwrap_or_default(),
        recv_ms: r.get(9)?,
    })
}

/// What an action does, in its own word.
fn word(body: Option<String>) -> String {
    #[derive(serde::Deserialize)]
    struct Does {
        r#do: String,
    }
    body.and_then(|body| serde_json::from_str(&body).ok()).map(|Does { r#do }| r#do).unwrap_or_default()
}

fn send(r: &Row<'_>) -> rusqlite::Result<SendRow> {
    let cause: u64 = r.get(4)?;
    let tried_ms: i64 = r.get(10)?;
    Ok(SendRow {
        id: r.get(0)?,
        account: r.get::<_, String>(1)?.parse().map_err(bad(1))?,
        conv: r.get::<_, String>(2)?.parse().map_err(bad(2))?,
        plugin: r.get(3)?,
        event: Some(cause).filter(|cause| *cause < NO_EVENT),
        what: word(r.get(5)?),
        state: super::story::send_state(r.get(6)?, r.get(7)?),
        attempts: r.get(8)?,
        created_ms: r.get(9)?,
        tried_ms: Some(tried_ms).filter(|at| *at > 0),
        server_id: r.get(11)?,
        error: r.get(12)?,
        replay: r.get(13)?,
    })
}

/// One bit for each state that is wanted.
fn mask(states: &[SendState]) -> i64 {
    let bit = |state: &SendState| match state {
        SendState::Queued => 1,
        SendState::Sending => 1 << 1,
        SendState::Uncertain => 1 << 2,
        SendState::Sent => 1 << 3,
        SendState::Failed => 1 << 4,
        SendState::Expired => 1 << 5,
        SendState::Dropped => 1 << 6,
        SendState::Held => 1 << 7,
    };
    if states.is_empty() { -1 } else { states.iter().map(bit).fold(0, |all, one| all | one) }
}

fn decide(c: &Connection, id: u64, decision: &Decision, now_ms: i64) -> rusqlite::Result<Decided> {
    let Some(row) = c.prepare_cached(SEND)?.query_row([id], send).optional()? else { return Ok(Decided::Unknown) };
    let changed = match decision {
        Decision::Sent => c.prepare_cached(SENT)?.execute([id])?,
        Decision::Resend => c.prepare_cached(RESEND)?.execute(params![id, now_ms])?,
        Decision::Drop(why) => c.prepare_cached(DROP)?.execute(params![id, why])?,
    };
    Ok(match (changed, row.state) {
        (1.., _) => Decided::Done { account: row.account },
        (0, SendState::Uncertain | SendState::Held | SendState::Failed)
            if *decision == Decision::Resend && row.what.is_empty() =>
        {
            Decided::Emptied
        }
        (0, state) => Decided::Not { state },
    })
}

fn replay_step(c: &Connection, ask: &ReplayAsk, after: u64, now_ms: i64) -> rusqlite::Result<ReplayStep> {
    let bounds = |r: &Row<'_>| Ok((r.get::<_, Option<u64>>(0)?, r.get::<_, Option<u64>>(1)?));
    let (Some(first), Some(last)) = c.prepare_cached(BOUNDS)?.query_row([after], bounds)? else {
        return Ok(ReplayStep::default());
    };
    let until = first.saturating_add(STEP - 1).min(last);
    let accounts: Vec<&str> = ask.accounts.iter().map(AccountName::as_str).collect();
    let accounts = serde_json::to_string(&accounts).unwrap_or_default();
    let events = if ask.dry {
        let count = format!("SELECT count(*) {WANTED}");
        c.prepare_cached(&count)?
            .query_row(params![after, until, ask.from_ms, ask.to_ms, accounts], |r| r.get::<_, u64>(0))?
    } else {
        // Each replay makes events of its own, so their keys name it. What is made now has numbers behind `last`.
        let make = format!(
            "INSERT INTO inbox(account, src_key, conv, recv_at, kind, state, body, replay)
             SELECT account, 'replay:' || ?6 || ':' || seq, conv, ?6, kind, 2, body,
                    json_object('of', seq, 'plugin', ?7, 'send', json(iif(?8, 'true', 'false')))
             {WANTED} ORDER BY seq ON CONFLICT(account, src_key) DO NOTHING"
        );
        let values = params![after, until, ask.from_ms, ask.to_ms, accounts, now_ms, ask.plugin, ask.send];
        u64::try_from(c.prepare_cached(&make)?.execute(values)?).unwrap_or(u64::MAX)
    };
    Ok(ReplayStep { next: (until < last).then_some(until), events })
}

/// The numbers of those that a statement changes.
fn changed(c: &Connection, statement: &str, seqs: &[u64], value: Option<&str>) -> rusqlite::Result<Vec<u64>> {
    let mut statement = c.prepare_cached(statement)?;
    let mut done = Vec::new();
    for seq in seqs {
        if statement.execute(params![seq, value])? > 0 {
            done.push(*seq);
        }
    }
    Ok(done)
}

impl MendStore for SqliteStore {
    fn dead(&self, which: DeadFilter, after: u64, limit: usize) -> Answer<'_, Vec<DeadEvent>> {
        Self::read(&self.lister, "list dead events", move |c| {
            let DeadFilter { account, plugin, since_ms } = which;
            let begins = plugin.map(|plugin| format!("plugin {plugin}: "));
            let account = account.as_ref().map(AccountName::as_str);
            c.prepare_cached(DEAD)?.query_map(params![since_ms, after, account, begins, limit], dead)?.collect()
        })
    }

    fn event_body(&self, seq: u64) -> Answer<'_, Option<String>> {
        Self::read(&self.lister, "read an event", move |c| {
            let body: Option<Option<String>> = c.prepare_cached(BODY)?.query_row([seq], |r| r.get(0)).optional()?;
            Ok(body.flatten())
        })
    }

    fn revive(&self, seqs: Vec<u64>) -> Answer<'_, Vec<u64>> {
        let again = Replay { of: None, plugin: None, send: true };
        let again = serde_json::to_string(&again).unwrap_or_default();
        self.write("handle dead events again", move |c| changed(c, REVIVE, &seqs, Some(&again)))
    }

    fn bury(&self, seqs: Vec<u64>, why: String) -> Answer<'_, Vec<u64>> {
        self.write("drop dead events", move |c| changed(c, BURY, &seqs, Some(&why)))
    }

    fn sends(&self, which: SendFilter, before: u64, limit: usize) -> Answer<'_, Vec<SendRow>> {
        // The engine's numbers have a sign.
        let before = i64::try_from(before).unwrap_or(i64::MAX);
        Self::read(&self.lister, "list sends", move |c| {
            let account = which.account.as_ref().map(AccountName::as_str);
            c.prepare_cached(SENDS)?.query_map(params![before, mask(&which.states), account, limit], send)?.collect()
        })
    }

    fn send_row(&self, id: u64) -> Answer<'_, Option<SendRow>> {
        Self::read(&self.reader, "look a send up", move |c| c.prepare_cached(SEND)?.query_row([id], send).optional())
    }

    fn send_of(&self, cause: u64) -> Answer<'_, Option<u64>> {
        Self::read(&self.reader, "look a send up", move |c| {
            c.prepare_cached(SEND_OF)?.query_row([cause], |r| r.get(0)).optional()
        })
    }

    fn decide(&self, ids: Vec<u64>, decision: Decision, now_ms: i64) -> Answer<'_, Vec<Decided>> {
        self.write("decide about sends", move |c| ids.iter().map(|id| decide(c, *id, &decision, now_ms)).collect())
    }

    fn replay(&self, ask: ReplayAsk, after: u64, now_ms: i64) -> Answer<'_, ReplayStep> {
        self.write("make events again", move |c| replay_step(c, &ask, after, now_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plugin_stands_in_the_reason() {
        for (reason, want) in [
            ("plugin greet: it panicked: x", Some("greet")),
            ("plugin greet rests after too many failures: 3 s", None),
            ("wxbot ended 3 times while handling it", None),
            ("", None),
        ] {
            assert_eq!(troubled(reason).as_deref(), want, "{reason}");
        }
    }

    #[test]
    fn what_a_hand_has_spoiled_sends_nothing() {
        assert_eq!(replay(None), None);
        assert!(!replay(Some("x")).unwrap().send);
        assert!(replay(Some(r#"{"send":true}"#)).unwrap().send);
    }
}
