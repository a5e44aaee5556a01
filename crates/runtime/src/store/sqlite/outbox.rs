//! The outbox as SQL: `queued → sending → sent | queued … | uncertain → (sent | queued | dropped) | failed | expired`.

use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension, params};
use wxbot_model::{AccountName, ContactId, MediaDigest};

use super::inbox::{before, older};
use super::mend;
use crate::pacing::{Bucket, Pace};
use crate::store::Keep;
use crate::store::types::{ClaimSends, ClaimedSend, Finish, NewSend, OutboxCounts, Settlement, Verdict};

// States where they are written; where they are looked for, the statement names the number, or no partial index is used.
const QUEUED: i64 = 0;
const SENDING: i64 = 1;
const UNCERTAIN: i64 = 2;
const SENT: i64 = 3;
const FAILED: i64 = 4;
const EXPIRED: i64 = 5;
const DROPPED: i64 = 6;

/// An own message proves an uncertain send when it comes back within this time of the try.
const PROOF_MS: i64 = 120_000;
/// A send never waits longer for its next try, whatever the clock did meanwhile.
const MAX_WAIT_MS: i64 = 3_600_000;
/// The oldest sends a claim looks at before it walks from lane to lane. With lifted pacing they hold enough free lanes
/// for any claim; a long backlog of paced lanes costs no more than this and one look at each lane.
const WINDOW: usize = 64;

const RECOVER: &str =
    "UPDATE outbox SET state = iif(echoed, 3, 2), error = iif(echoed, NULL, 'wxbot ended while it was being sent')
     WHERE account = ?1 AND state < 2 AND state = 1";
const INSERT: &str =
    "INSERT INTO outbox(account, conv, cause_seq, plugin, ord, client_id, state, attempts, tried_at, created_at, echo, body, media, replay, error)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, iif(?13, 6, ?10), ?10, iif(?10, ?7, 0), ?7, ?8, ?9, ?11, ?12, iif(?13, 'replay without --send', NULL))
     ON CONFLICT DO NOTHING";
const KNOWN: &str = "SELECT 1 FROM outbox WHERE cause_seq = ?1 AND plugin = ?2 AND ord = ?3";
const EXPIRE: &str = "UPDATE outbox SET state = 5, error = 'older than max_age' WHERE account = ?1 AND state = 0 AND created_at < ?2 AND asked_at < ?2";
/// Whatever else waits in the lane goes first, or is too old to go: both are for a claim of the usual kind.
const LANE_TAKEN: &str = "SELECT 1 FROM outbox WHERE account = ?1 AND conv = ?2 AND state < 2";
const OLDEST: &str = "SELECT conv FROM outbox WHERE account = ?1 AND state = 0 ORDER BY created_at, id LIMIT ?2";
/// Jumps from lane to lane instead of walking through the sends of each.
const LANES: &str = "WITH RECURSIVE lane(conv) AS (
         SELECT min(conv) FROM outbox WHERE account = ?1 AND state < 2
         UNION ALL
         SELECT (SELECT min(conv) FROM outbox WHERE account = ?1 AND state < 2 AND conv > lane.conv) FROM lane WHERE conv IS NOT NULL)
     SELECT conv FROM lane WHERE conv IS NOT NULL
     ORDER BY (SELECT id FROM outbox AS o WHERE o.account = ?1 AND o.conv = lane.conv AND o.state < 2
               ORDER BY state DESC, id LIMIT 1)";
/// A send under way comes first, and holds up the others.
const HEAD: &str = "SELECT id, client_id, body, attempts, not_before, state FROM outbox
     WHERE account = ?1 AND conv = ?2 AND state < 2 ORDER BY state DESC, id LIMIT 1";
const CLAMP: &str = "UPDATE outbox SET not_before = ?2 WHERE id = ?1";
const CLAIM: &str = "UPDATE outbox SET state = 1, attempts = attempts + 1, tried_at = ?2, echoed = 0 WHERE id = ?1";
const LOAD_BUCKET: &str = "SELECT tat_us FROM bucket WHERE account = ?1 AND scope = ?2";
const SETTLE: &str = "UPDATE outbox SET state = ?2, server_id = ?3, error = ?4 WHERE id = ?1 AND state = 1";
/// A try that our own message has proved went out, whatever became of its answer.
const SETTLE_UNSURE: &str =
    "UPDATE outbox SET state = iif(echoed, 3, ?2), error = iif(echoed, NULL, ?3) WHERE id = ?1 AND state = 1";
const AGAIN: &str =
    "UPDATE outbox SET state = iif(echoed AND ?5, 3, 0), not_before = ?2, error = iif(echoed AND ?5, NULL, ?3),
     attempts = attempts - ?4 WHERE id = ?1 AND state = 1";
/// What is held was never tried in this login, and is decided by whoever turns out to be meant.
const DECIDE: &str = "UPDATE outbox SET state = ?2 WHERE account = ?1 AND state = 2 AND NOT held";
const HOLD: &str =
    "UPDATE outbox SET state = 2, held = 1, error = ?2, attempts = attempts - 1 WHERE id = ?1 AND state = 1";
const WITHDRAW: &str = "UPDATE outbox SET state = 6, held = 0, error = 'withdrawn before it was sent'
     WHERE cause_seq = ?1 AND (state = 0 OR state = 2 AND held)";
const PROVE: &str = "UPDATE outbox SET state = 3, error = NULL WHERE id =
     (SELECT id FROM outbox WHERE account = ?1 AND conv = ?2 AND echo = ?3 AND state = 2 AND NOT held AND tried_at > ?4 ORDER BY id LIMIT 1)";
const NOTE_ECHO: &str = "UPDATE outbox SET echoed = 1 WHERE account = ?1 AND conv = ?2 AND state < 2 AND state = 1 AND echo = ?3 AND tried_at > ?4";
const NEXT_ROWS: &str = "SELECT id, created_at FROM outbox WHERE id > ?1 ORDER BY id LIMIT ?2";
/// What failed may go out again as long as it is there.
const EMPTY: &str = "UPDATE outbox SET body = NULL WHERE id > ?1 AND id <= ?2 AND state = 3 AND body IS NOT NULL";
/// Uncertain ones stay until somebody decides.
const SWEEP: &str = "DELETE FROM outbox WHERE id > ?1 AND id <= ?2 AND state > 2";

/// Statements that must never walk through a whole table.
#[cfg(test)]
pub(super) const HOT: &[&str] = &[
    RECOVER,
    INSERT,
    KNOWN,
    EXPIRE,
    LANE_TAKEN,
    OLDEST,
    LANES,
    HEAD,
    CLAMP,
    CLAIM,
    LOAD_BUCKET,
    SETTLE,
    SETTLE_UNSURE,
    AGAIN,
    DECIDE,
    HOLD,
    WITHDRAW,
    PROVE,
    NOTE_ECHO,
    NEXT_ROWS,
    EMPTY,
    SWEEP,
];

pub(super) fn recover(c: &Connection, account: &AccountName) -> rusqlite::Result<()> {
    c.prepare_cached(RECOVER)?.execute([account.as_str()]).map(drop)
}

/// Stores the sends of an event. Those that may go out at once are marked as under way with it, as [`claim`] would do,
/// and answered.
pub(super) fn insert(c: &Connection, finish: &Finish) -> rusqlite::Result<Vec<ClaimedSend>> {
    let mut claimed = Vec::new();
    if finish.sends.is_empty() {
        return Ok(claimed);
    }
    // Here, so that nobody above can send by mistake what was to be handled again without sending.
    let replay = mend::withholds(c, finish.seq)?;
    let withheld = replay == Some(true);
    let direct = finish.direct.as_ref().filter(|_| !withheld);
    let mut door = direct.map(|ask| Door::new(c, ask)).transpose()?;
    let mut insert = c.prepare_cached(INSERT)?;
    for send in &finish.sends {
        let goes = match &mut door {
            Some(door) => claimed.len() < door.ask.limit && door.lets(&send.conv)?,
            None => false,
        };
        let mut client_id = send.client_id.clone();
        loop {
            let values = params![
                finish.account.as_str(),
                send.conv.as_str(),
                finish.seq,
                &*send.plugin,
                send.ord,
                client_id.as_str(),
                finish.now_ms,
                send.echo,
                send.body,
                goes,
                send.media.as_ref().map(MediaDigest::as_str),
                replay.is_some(),
                withheld,
            ];
            if insert.execute(values)? > 0 {
                if goes {
                    let id = u64::try_from(c.last_insert_rowid()).unwrap_or(0);
                    let (conv, body) = (send.conv.clone(), send.body.clone());
                    claimed.push(ClaimedSend { id, conv, client_id, body, attempts: 1 });
                }
                break;
            }
            if known(c, finish, send)? {
                break;
            }
            // Another send has the id: the clock was set back across a restart. Refusing it would repeat for ever.
            client_id = next_id(client_id.as_str()).parse().map_err(bad_id)?;
        }
    }
    if let Some(door) = door {
        door.pacer.save(c)?;
    }
    Ok(claimed)
}

/// True when it was there to be dropped.
pub(super) fn withdraw(c: &Connection, cause: u64) -> rusqlite::Result<bool> {
    Ok(c.prepare_cached(WITHDRAW)?.execute([cause])? > 0)
}

fn bad_id(error: wxbot_model::IdError) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(1, rusqlite::types::Type::Text, Box::new(error))
}

/// Lets a new send out when nothing else is in its lane and the pace allows it.
struct Door<'a> {
    c: &'a Connection,
    ask: &'a ClaimSends,
    pacer: Pacer<'a>,
}

impl<'a> Door<'a> {
    fn new(c: &'a Connection, ask: &'a ClaimSends) -> rusqlite::Result<Self> {
        let pacer = Pacer::new(c, ask.account.as_str(), "", ask.per_account, ask.now_ms)?;
        Ok(Self { c, ask, pacer })
    }

    fn lets(&mut self, lane: &ContactId) -> rusqlite::Result<bool> {
        let (c, ask, lane) = (self.c, self.ask, lane.as_str());
        let account = ask.account.as_str();
        if self.pacer.wait_until().is_some() || c.prepare_cached(LANE_TAKEN)?.exists(params![account, lane])? {
            return Ok(false);
        }
        let mut chat = Pacer::new(c, account, lane, ask.per_chat, ask.now_ms)?;
        if chat.wait_until().is_some() {
            return Ok(false);
        }
        self.pacer.pay();
        chat.pay();
        chat.save(c)?;
        Ok(true)
    }
}

fn known(c: &Connection, finish: &Finish, send: &NewSend) -> rusqlite::Result<bool> {
    c.prepare_cached(KNOWN)?.exists(params![finish.seq, &*send.plugin, send.ord])
}

/// The next id of the same form: one higher, at most 40 digits. The official form counts three digits within a
/// millisecond after a zero, so one that overflows is no id that is ever drawn.
pub(super) fn next_id(id: &str) -> String {
    let kept = id.trim_end_matches('9');
    let nines = id.len() - kept.len();
    let (head, digit) = match kept.char_indices().last() {
        Some((at, digit)) => (kept.get(..at).unwrap_or_default(), digit.to_digit(10).unwrap_or(0) + 1),
        None => ("", 1),
    };
    let mut next = format!("{head}{digit}{}", "0".repeat(nines));
    next.truncate(40);
    next
}

/// Takes at most one send per conversation, the oldest, and pays the pacing for it.
pub(super) fn claim(c: &Connection, ask: &ClaimSends) -> rusqlite::Result<(Vec<ClaimedSend>, Option<i64>)> {
    let account = ask.account.as_str();
    c.prepare_cached(EXPIRE)?.execute(params![account, ask.now_ms.saturating_sub(ask.max_age_ms)])?;
    let mut round = Round {
        c,
        ask,
        pacer: Pacer::new(c, account, "", ask.per_account, ask.now_ms)?,
        seen: HashSet::new(),
        claimed: Vec::new(),
        wake: None,
    };
    let mut oldest = c.prepare_cached(OLDEST)?;
    let lanes: Vec<String> = oldest.query_map(params![account, WINDOW], |r| r.get(0))?.collect::<Result<_, _>>()?;
    let more = lanes.len() == WINDOW;
    if round.visit(lanes)? && more {
        let mut rest = c.prepare_cached(LANES)?;
        let lanes: Vec<String> = rest.query_map([account], |r| r.get(0))?.collect::<Result<_, _>>()?;
        round.visit(lanes)?;
    }
    round.pacer.save(c)?;
    Ok((round.claimed, round.wake))
}

/// One claim while it goes from lane to lane.
struct Round<'a> {
    c: &'a Connection,
    ask: &'a ClaimSends,
    /// Of the account.
    pacer: Pacer<'a>,
    /// Lanes that were looked at.
    seen: HashSet<String>,
    claimed: Vec<ClaimedSend>,
    wake: Option<i64>,
}

impl Round<'_> {
    /// False when nothing more may be taken, in whatever lane.
    fn visit(&mut self, lanes: Vec<String>) -> rusqlite::Result<bool> {
        for lane in lanes {
            if self.seen.contains(&lane) {
                continue;
            }
            if self.claimed.len() >= self.ask.limit || !self.try_lane(&lane)? {
                return Ok(false);
            }
            self.seen.insert(lane);
        }
        Ok(true)
    }

    /// Takes the oldest send of a lane if it may go. False when the account must wait.
    fn try_lane(&mut self, lane: &str) -> rusqlite::Result<bool> {
        let (c, ask) = (self.c, self.ask);
        let account = ask.account.as_str();
        let mut head = c.prepare_cached(HEAD)?;
        let mut rows = head.query(params![account, lane])?;
        let Some(row) = rows.next()? else { return Ok(true) };
        let (id, attempts, not_before, state): (u64, u32, i64, i64) =
            (row.get(0)?, row.get(3)?, row.get(4)?, row.get(5)?);
        if state == SENDING {
            return Ok(true);
        }
        if not_before > ask.now_ms {
            let latest = ask.now_ms.saturating_add(MAX_WAIT_MS);
            if not_before > latest {
                c.prepare_cached(CLAMP)?.execute(params![id, latest])?;
            }
            self.later(not_before.min(latest));
            return Ok(true);
        }
        if let Some(at) = self.pacer.wait_until() {
            self.later(at);
            return Ok(false);
        }
        let mut pacer = Pacer::new(c, account, lane, ask.per_chat, ask.now_ms)?;
        if let Some(at) = pacer.wait_until() {
            self.later(at);
            return Ok(true);
        }
        self.pacer.pay();
        pacer.pay();
        pacer.save(c)?;
        let client_id: String = row.get(1)?;
        self.claimed.push(ClaimedSend {
            id,
            conv: lane.parse().map_err(bad_id)?,
            client_id: client_id.parse().map_err(bad_id)?,
            body: row.get::<_, Option<String>>(2)?.unwrap_or_default(),
            attempts: attempts + 1,
        });
        drop(rows);
        c.prepare_cached(CLAIM)?.execute(params![id, ask.now_ms])?;
        Ok(true)
    }

    fn later(&mut self, at: i64) {
        self.wake = Some(self.wake.map_or(at, |wake| wake.min(at)));
    }
}

/// One bucket within a claim.
struct Pacer<'a> {
    account: &'a str,
    scope: String,
    pace: Option<Pace>,
    bucket: Bucket,
    now_us: i64,
    changed: bool,
}

impl<'a> Pacer<'a> {
    fn new(
        c: &Connection,
        account: &'a str,
        scope: &str,
        (rate, burst): (wxbot_model::span::Rate, u32),
        now_ms: i64,
    ) -> rusqlite::Result<Self> {
        let pace = Pace::new(rate, burst);
        let now_us = now_ms.saturating_mul(1_000);
        let saved: Option<i64> = match pace {
            Some(_) => c.prepare_cached(LOAD_BUCKET)?.query_row([account, scope], |r| r.get(0)).optional()?,
            None => None,
        };
        let bucket = Bucket::load(saved.unwrap_or(0), now_us);
        Ok(Self { account, scope: scope.to_owned(), pace, bucket, now_us, changed: false })
    }

    /// When the next one may go; `None`: now.
    fn wait_until(&self) -> Option<i64> {
        let at_us = self.bucket.free_at(self.pace?, self.now_us)?;
        Some(at_us / 1_000 + 1)
    }

    fn pay(&mut self) {
        if let Some(pace) = self.pace {
            self.bucket.pay(pace, self.now_us);
            self.changed = true;
        }
    }

    fn save(&self, c: &Connection) -> rusqlite::Result<()> {
        if self.changed {
            c.prepare_cached(
                "INSERT INTO bucket VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET tat_us = excluded.tat_us",
            )?
            .execute(params![self.account, self.scope, self.bucket.tat_us()])?;
        }
        Ok(())
    }
}

pub(super) fn settle(c: &Connection, id: u64, settlement: &Settlement) -> rusqlite::Result<()> {
    // Only a send that is under way can be settled.
    let ended = |state: i64, server_id: Option<&str>, error: Option<&str>| {
        c.prepare_cached(SETTLE)?.execute(params![id, state, server_id, error])
    };
    let unsure = |state: i64, error: &str| c.prepare_cached(SETTLE_UNSURE)?.execute(params![id, state, error]);
    match settlement {
        Settlement::Sent { server_id } => ended(SENT, server_id.as_deref(), None)?,
        Settlement::Failed { error } => ended(FAILED, None, Some(error))?,
        Settlement::Uncertain { error } => unsure(UNCERTAIN, error)?,
        Settlement::Dropped { error } => unsure(DROPPED, error)?,
        Settlement::Held { error } => c.prepare_cached(HOLD)?.execute(params![id, error])?,
        Settlement::Again { not_before_ms, error, counts, unsure } => {
            c.prepare_cached(AGAIN)?.execute(params![id, not_before_ms, error, i64::from(!counts), unsure])?
        }
    };
    Ok(())
}

pub(super) fn decide(c: &Connection, account: &AccountName, verdict: Verdict) -> rusqlite::Result<usize> {
    let to = match verdict {
        Verdict::Resend => QUEUED,
        Verdict::Drop => DROPPED,
    };
    c.prepare_cached(DECIDE)?.execute(params![account.as_str(), to])
}

/// An own message came back: the oldest uncertain send of that text in that conversation went out. Where there is none,
/// it may be the one whose answer is still out; that is noted, for the case that the answer never comes.
pub(super) fn prove(
    c: &Connection,
    account: &AccountName,
    conv: &ContactId,
    echo: i64,
    now_ms: i64,
) -> rusqlite::Result<usize> {
    let values = params![account.as_str(), conv.as_str(), echo, now_ms - PROOF_MS];
    let proved = c.prepare_cached(PROVE)?.execute(values)?;
    if proved == 0 {
        c.prepare_cached(NOTE_ECHO)?.execute(values)?;
    }
    Ok(proved)
}

pub(super) fn counts(c: &Connection, account: &AccountName) -> rusqlite::Result<OutboxCounts> {
    // Only a message gets an id; a remark or a new topic is confirmed by the plain yes. Actions begin with what they do.
    let mut query = c.prepare_cached(
        "SELECT state, count(*), count(*) FILTER (WHERE server_id IS NULL AND body LIKE '{\"do\":\"send%')
         FROM outbox WHERE account = ?1 GROUP BY state",
    )?;
    let mut counts = OutboxCounts::default();
    let mut rows = query.query([account.as_str()])?;
    while let Some(row) = rows.next()? {
        let (state, all, without_id): (i64, u64, u64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        match state {
            QUEUED => counts.queued = all,
            SENDING => counts.sending = all,
            UNCERTAIN => counts.uncertain = all,
            SENT => (counts.sent, counts.unconfirmed) = (all, without_id),
            FAILED => counts.failed = all,
            EXPIRED => counts.expired = all,
            _ => counts.dropped = all,
        }
    }
    Ok(counts)
}

/// How far old rows were swept since the start.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Swept {
    emptied: u64,
    deleted: u64,
}

/// One step on after `swept`; how far it came, and true when there is more to do.
pub(super) fn sweep(c: &Connection, now_ms: i64, keep: &Keep, swept: Swept) -> rusqlite::Result<(Swept, bool)> {
    let step = |sql, after, keep| -> rusqlite::Result<(u64, bool)> {
        let (until, more) = older(c, NEXT_ROWS, after, before(now_ms, keep), now_ms)?;
        if until > after {
            c.prepare_cached(sql)?.execute([after, until])?;
        }
        Ok((until, more))
    };
    let (emptied, more_to_empty) = step(EMPTY, swept.emptied, keep.done)?;
    let (deleted, more_to_delete) = step(SWEEP, swept.deleted, keep.sends)?;
    Ok((Swept { emptied, deleted }, more_to_empty || more_to_delete))
}
