//! Which pushes that wait for one chat become one message? Texts that follow each other in a lane.
//!
//! Only what was never tried, mentions nobody and has nobody who waits for it. The first of them carries all texts under
//! its own id; the others are dropped with a note that names it.

use rusqlite::{Connection, params};
use wxbot_core::split::width;
use wxbot_model::{Action, ActionKind};

use super::outbox::DROPPED;
use crate::outbox::echo_of;
use crate::store::pace::MERGED_INTO;

/// The longest message that is made so, in bytes; the same as a model's answer may have.
const LONGEST: usize = 4_096;
/// The most texts of one message.
const MOST: usize = 50;
/// Causes from here on are of no event: somebody may wait for such a send to end.
const NO_EVENT: u64 = 1 << 62;

const FOLLOWERS: &str = "SELECT id, body, class, attempts, cause_seq FROM outbox
     WHERE account = ?1 AND conv = ?2 AND state < 2 AND state = 0 AND id > ?3 ORDER BY id LIMIT ?4";
const CARRY: &str = "UPDATE outbox SET body = ?2, echo = ?3 WHERE id = ?1";
const GIVE_UP: &str = "UPDATE outbox SET state = ?2, error = ?3 WHERE id = ?1 AND state = 0";

/// Statements that must never walk through a whole table.
#[cfg(test)]
pub(super) const HOT: &[&str] = &[FOLLOWERS, CARRY, GIVE_UP];

/// The text of a push that may be merged.
fn text_of(body: &str, class: i64, attempts: u32, cause: u64) -> Option<Action> {
    if class != 1 || attempts > 0 || cause >= NO_EVENT || ActionKind::of_stored(body) != ActionKind::Text {
        return None;
    }
    let action: Action = serde_json::from_str(body).ok()?;
    matches!(&action, Action::SendText { mention, .. } if mention.is_empty()).then_some(action)
}

/// The send that goes now.
pub(super) struct Head<'a> {
    pub(super) account: &'a str,
    pub(super) lane: &'a str,
    pub(super) id: u64,
    pub(super) body: &'a str,
    pub(super) class: i64,
    pub(super) attempts: u32,
    pub(super) cause: u64,
    /// How wide one text may be.
    pub(super) limit: Option<usize>,
}

/// Takes the texts behind it along; the body with all of them, or nothing when there are none. `may` says by number and
/// hash whether one may go at all, and then notes that it does.
pub(super) fn take_along(
    c: &Connection,
    head: &Head<'_>,
    mut may: impl FnMut(u64, i64) -> rusqlite::Result<bool>,
) -> rusqlite::Result<Option<String>> {
    let first = text_of(head.body, head.class, head.attempts, head.cause);
    let Some(Action::SendText { to, mut text, mention }) = first else { return Ok(None) };
    let mut along = Vec::new();
    let mut behind = c.prepare_cached(FOLLOWERS)?;
    let behind = behind.query_map(params![head.account, head.lane, head.id, MOST - 1], |row| {
        let body: Option<String> = row.get(1)?;
        Ok((row.get::<_, u64>(0)?, text_of(&body.unwrap_or_default(), row.get(2)?, row.get(3)?, row.get(4)?)))
    })?;
    for (id, next) in behind.collect::<Result<Vec<_>, _>>()? {
        let Some(Action::SendText { text: more, .. }) = next else { break };
        let fits = head.limit.is_none_or(|limit| width(&text) + 1 + width(&more) <= limit);
        if !fits || text.len() + 1 + more.len() > LONGEST || !may(id, echo_of(&more))? {
            break;
        }
        text.push('\n');
        text.push_str(&more);
        along.push(id);
    }
    if along.is_empty() {
        return Ok(None);
    }
    let echo = echo_of(&text);
    let body = serde_json::to_string(&Action::SendText { to, text, mention })
        .map_err(|e| rusqlite::Error::ToSqlConversionFailure(Box::new(e)))?;
    c.prepare_cached(CARRY)?.execute(params![head.id, body, echo])?;
    for id in along {
        c.prepare_cached(GIVE_UP)?.execute(params![id, DROPPED, format!("{MERGED_INTO}{}", head.id)])?;
    }
    Ok(Some(body))
}
