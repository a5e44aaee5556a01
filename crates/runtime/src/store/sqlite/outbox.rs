//! The outbox as SQL: `queued → sending → sent | queued … | uncertain → (sent | queued | dropped) | failed | expired`.

use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension, params};
use wxbot_model::{AccountName, ActionKind, ContactId, MediaDigest};

use super::inbox::{before, older};
use super::mend;
use super::merge::{self, Head};
use super::meter;
use super::toll::{Candidate, Ruling, Toll};
use crate::pacing::Pushes;
use crate::pacing::rules::Class;
use crate::pacing::window::Shut;
use crate::store::Keep;
use crate::store::types::{ClaimSends, ClaimedSend, Finish, NewSend, OutboxCounts, Settlement, Verdict};

// States where they are written; where they are looked for, the statement names the number, or no partial index is used.
const QUEUED: i64 = 0;
const SENDING: i64 = 1;
const UNCERTAIN: i64 = 2;
const SENT: i64 = 3;
pub(super) const FAILED: i64 = 4;
const EXPIRED: i64 = 5;
pub(super) const DROPPED: i64 = 6;
/// Why a send of a replay was dropped from the beginning.
const WITHHELD: &str = "replay without --send";

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
    "INSERT INTO outbox(account, conv, cause_seq, plugin, ord, client_id, state, attempts, tried_at, created_at, echo, body, media,
         class, error, first_at, replay)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?10, ?10 = 1, iif(?10 = 1, ?7, 0), ?7, ?8, ?9, ?11, ?12, ?13, iif(?10 = 1, ?7, 0), ?14)
     ON CONFLICT DO NOTHING";
/// In which conversation a send is an answer: that of its event, unless a clock made it.
const CAUSE: &str = "SELECT conv FROM inbox WHERE seq = ?1 AND kind NOT IN ('timer', 'schedule')";
const KNOWN: &str = "SELECT 1 FROM outbox WHERE cause_seq = ?1 AND plugin = ?2 AND ord = ?3";
/// Answers, pushes and deeds become old at different ages. Once tried, none of them may hold up its lane for longer than an
/// answer. What somebody let go out again is as old as that.
const EXPIRE: &str =
    "UPDATE outbox SET state = iif(unsure, 2, 5), error = iif(unsure, 'older than max_age; a try of it may have been taken', 'older than max_age')
     WHERE account = ?1 AND state = 0 AND created_at < ?2 AND asked_at < ?2
     AND (max(created_at, asked_at) < iif(class = 0, ?2, iif(class = 1, ?3, ?4)) OR first_at > 0 AND first_at < ?2)";
/// Whatever else waits in the lane goes first, or is too old to go: both are for a claim of the usual kind.
/// Pushes that wait for the end of quiet hours (?3) hold up no answer.
const LANE_TAKEN: &str =
    "SELECT 1 FROM outbox WHERE account = ?1 AND conv = ?2 AND state < 2 AND (state = 1 OR class <> 1 OR NOT ?3)";
const OLDEST: &str = "SELECT conv FROM outbox WHERE account = ?1 AND state = 0 AND (class <> 1 OR NOT ?3)
     ORDER BY created_at, id LIMIT ?2";
/// Jumps from lane to lane instead of walking through the sends of each.
const LANES: &str = "WITH RECURSIVE lane(conv) AS (
         SELECT min(conv) FROM outbox WHERE account = ?1 AND state < 2
         UNION ALL
         SELECT (SELECT min(conv) FROM outbox WHERE account = ?1 AND state < 2 AND conv > lane.conv) FROM lane WHERE conv IS NOT NULL)
     SELECT conv FROM lane WHERE conv IS NOT NULL
     ORDER BY (SELECT id FROM outbox AS o WHERE o.account = ?1 AND o.conv = lane.conv AND o.state < 2
               ORDER BY state DESC, id LIMIT 1)";
/// A send under way comes first, and holds up the others.
const HEAD: &str = "SELECT id, client_id, body, attempts, not_before, state, class, echo, cause_seq FROM outbox
     WHERE account = ?1 AND conv = ?2 AND state < 2 AND (state = 1 OR class <> 1 OR NOT ?3) ORDER BY state DESC, id LIMIT 1";
const CLAMP: &str = "UPDATE outbox SET not_before = ?2 WHERE id = ?1";
const CLAIM: &str = "UPDATE outbox SET state = 1, attempts = attempts + 1, tried_at = ?2, echoed = 0,
     first_at = iif(first_at = 0, ?2, first_at) WHERE id = ?1";
const END: &str = "UPDATE outbox SET state = ?2, error = ?3 WHERE id = ?1 AND state = 0";
const SETTLE: &str = "UPDATE outbox SET state = 3, server_id = ?2, error = NULL WHERE id = ?1 AND state = 1";
/// A clear no says nothing of an earlier try.
const REFUSED: &str =
    "UPDATE outbox SET state = iif(unsure, 2, 4), error = iif(unsure, ?2 || '; an earlier try may have been taken', ?2)
     WHERE id = ?1 AND state = 1";
/// A try that our own message has proved went out, whatever became of its answer.
const SETTLE_UNSURE: &str =
    "UPDATE outbox SET state = iif(echoed, 3, ?2), error = iif(echoed, NULL, ?3) WHERE id = ?1 AND state = 1";
const AGAIN: &str =
    "UPDATE outbox SET state = iif(echoed AND ?5, 3, 0), not_before = ?2, error = iif(echoed AND ?5, NULL, ?3),
     attempts = attempts - ?4 WHERE id = ?1 AND state = 1";
/// The same where the service shows a message with a used id no second time.
const RESEND: &str =
    "UPDATE outbox SET state = iif(echoed, 3, 0), not_before = ?2, error = iif(echoed, NULL, ?3), unsure = 1
     WHERE id = ?1 AND state = 1";
/// A try that met the end of a reply window was none: it keeps the age of what was never tried.
const WAIT: &str = "UPDATE outbox SET state = 0, not_before = ?2, error = ?3, attempts = attempts - 1,
     first_at = iif(unsure, first_at, 0) WHERE id = ?1 AND state = 1";
/// Why the first of a lane waits. What the service said of it stands, unless there is another reason since.
const SAY: &str = "UPDATE outbox SET error = ?2 WHERE id = ?1 AND state = 0 AND error IS NOT ?2";
const SAY_FIRST: &str = "UPDATE outbox SET error = ?2 WHERE id = ?1 AND state = 0 AND error IS NULL";
const DECIDE_SAFELY: &str =
    "UPDATE outbox SET state = 0, unsure = 1 WHERE account = ?1 AND state = 2 AND NOT held AND attempts < ?2";
/// What is held was never tried in this login, and is decided by whoever turns out to be meant.
const DECIDE: &str = "UPDATE outbox SET state = ?2 WHERE account = ?1 AND state = 2 AND NOT held";
const HOLD: &str =
    "UPDATE outbox SET state = 2, held = 1, error = ?2, attempts = attempts - 1 WHERE id = ?1 AND state = 1";
const WITHDRAW: &str = "UPDATE outbox SET state = 6, held = 0,
     error = iif(unsure, 'withdrawn; a try of it may have been taken', 'withdrawn before it was sent')
     WHERE cause_seq = ?1 AND (state = 0 OR state = 2 AND held) RETURNING ord, unsure";
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
    CAUSE,
    END,
    SETTLE,
    REFUSED,
    SETTLE_UNSURE,
    AGAIN,
    RESEND,
    WAIT,
    SAY,
    SAY_FIRST,
    DECIDE_SAFELY,
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
    let here: Option<String> = c.prepare_cached(CAUSE)?.query_row([finish.seq], |r| r.get(0)).optional()?;
    let mut insert = c.prepare_cached(INSERT)?;
    for send in &finish.sends {
        let lane = send.conv.as_str();
        let class = Class::of(here.as_deref(), lane, ActionKind::of_stored(&send.body));
        let candidate = Candidate { lane, body: &send.body, echo: send.echo, class, id: 0, fresh: true };
        let ruling = match &mut door {
            Some(door) if claimed.len() < door.ask.limit => door.lets(&candidate)?,
            Some(_) | None => None,
        };
        let (state, ended) = match ruling {
            Some(Ruling::Goes) => (SENDING, None),
            Some(Ruling::Ends(state, why)) => (state, Some(why)),
            Some(Ruling::AllWait(_) | Ruling::LaneWaits(_) | Ruling::LaneShut(_)) | None => (QUEUED, None),
        };
        let mut client_id = send.client_id.clone();
        loop {
            let values = params![
                finish.account.as_str(),
                lane,
                finish.seq,
                &*send.plugin,
                send.ord,
                client_id.as_str(),
                finish.now_ms,
                send.echo,
                send.body,
                if withheld { DROPPED } else { state },
                send.media.as_ref().map(MediaDigest::as_str),
                class.number(),
                if withheld { Some(WITHHELD) } else { ended.as_deref() },
                replay.is_some(),
            ];
            if insert.execute(values)? > 0 {
                if withheld {
                    break;
                }
                let id = u64::try_from(c.last_insert_rowid()).unwrap_or(0);
                if let (SENDING, Some(door)) = (state, &door) {
                    door.toll.went(&candidate, id)?;
                    door.toll.pay_window(&candidate, id)?;
                }
                if state != QUEUED {
                    let (conv, body) = (send.conv.clone(), send.body.clone());
                    claimed.push(ClaimedSend { id, conv, client_id, body, attempts: 1, ended });
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
        door.toll.save()?;
    }
    Ok(claimed)
}

/// Drops the parts of a send that wait. True when this one was among them, and no try of it may have been taken.
pub(super) fn withdraw(c: &Connection, cause: u64, part: u32) -> rusqlite::Result<bool> {
    let mut withdraw = c.prepare_cached(WITHDRAW)?;
    let mut rows = withdraw.query([cause])?;
    let mut clean = false;
    while let Some(row) = rows.next()? {
        let (ord, unsure): (u32, bool) = (row.get(0)?, row.get(1)?);
        clean |= ord == part && !unsure;
    }
    Ok(clean)
}

fn bad_id(error: wxbot_model::IdError) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(1, rusqlite::types::Type::Text, Box::new(error))
}

/// Lets a new send out when nothing else is in its lane and the toll lets it pass.
struct Door<'a> {
    c: &'a Connection,
    ask: &'a ClaimSends,
    toll: Toll<'a>,
}

impl<'a> Door<'a> {
    fn new(c: &'a Connection, ask: &'a ClaimSends) -> rusqlite::Result<Self> {
        Ok(Self { c, ask, toll: Toll::new(c, ask)? })
    }

    /// `None`: something else is in its lane.
    fn lets(&mut self, send: &Candidate<'_>) -> rusqlite::Result<Option<Ruling>> {
        // Pushes that wait, for the end of quiet hours or for somebody to write, hold up no answer.
        let rules = &self.ask.rules;
        let passes = rules.quiet.is_some() || rules.window.is_some() && send.class != Class::Push;
        let values = params![self.ask.account.as_str(), send.lane, passes];
        if self.c.prepare_cached(LANE_TAKEN)?.exists(values)? {
            return Ok(None);
        }
        self.toll.pass(send).map(Some)
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
    let (account, rules) = (ask.account.as_str(), &ask.rules);
    let longest_ms = i64::try_from(Pushes::LONGEST.as_millis()).unwrap_or(i64::MAX).max(ask.max_age_ms);
    let push_age_ms = if rules.manners.pushes == Pushes::Expire { ask.max_age_ms } else { longest_ms };
    let oldest = |age_ms: i64| ask.now_ms.saturating_sub(age_ms);
    c.prepare_cached(EXPIRE)?.execute(params![
        account,
        oldest(ask.max_age_ms),
        oldest(push_age_ms),
        oldest(longest_ms)
    ])?;
    let mut round = Round { c, ask, toll: Toll::new(c, ask)?, seen: HashSet::new(), claimed: Vec::new(), wake: None };
    if let Some(quiet) = rules.quiet {
        round.later(quiet.until_ms);
    }
    if rules.quiet.is_some_and(|quiet| quiet.all) {
        return Ok((round.claimed, round.wake));
    }
    let mut oldest = c.prepare_cached(OLDEST)?;
    let lanes = oldest.query_map(params![account, WINDOW, rules.quiet.is_some()], |r| r.get(0))?;
    let lanes: Vec<String> = lanes.collect::<Result<_, _>>()?;
    let more = lanes.len() == WINDOW;
    if round.visit(lanes)? && more {
        let mut rest = c.prepare_cached(LANES)?;
        let lanes: Vec<String> = rest.query_map([account], |r| r.get(0))?.collect::<Result<_, _>>()?;
        round.visit(lanes)?;
    }
    round.toll.save()?;
    Ok((round.claimed, round.wake))
}

/// The send that is first in its lane.
struct Waiting {
    id: u64,
    client_id: String,
    body: Option<String>,
    attempts: u32,
    not_before: i64,
    state: i64,
    class: i64,
    echo: i64,
    cause: u64,
}

fn waiting(row: &rusqlite::Row<'_>) -> rusqlite::Result<Waiting> {
    Ok(Waiting {
        id: row.get(0)?,
        client_id: row.get(1)?,
        body: row.get(2)?,
        attempts: row.get(3)?,
        not_before: row.get(4)?,
        state: row.get(5)?,
        class: row.get(6)?,
        echo: row.get(7)?,
        cause: row.get(8)?,
    })
}

/// One claim while it goes from lane to lane.
struct Round<'a> {
    c: &'a Connection,
    ask: &'a ClaimSends,
    toll: Toll<'a>,
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
        let (quiet, window) = (ask.rules.quiet.is_some(), ask.rules.window.is_some());
        let mut head = c.prepare_cached(HEAD)?;
        let mut first = |answers: bool| head.query_row(params![account, lane, answers], waiting).optional();
        // Where each send of a window counts, who wrote is answered before what goes out by itself takes its place.
        let found = match first(quiet || window)? {
            None if window && !quiet => first(false)?,
            found => found,
        };
        let Some(Waiting { id, client_id, body, attempts, not_before, state, class, echo, cause }) = found else {
            return Ok(true);
        };
        let mut body = body.unwrap_or_default();
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
        let of = Class::of_number(class);
        let candidate = Candidate { lane, body: &body, echo, class: of, id, fresh: attempts == 0 };
        let ended = match self.toll.pass(&candidate)? {
            Ruling::AllWait(at) => {
                self.later(at);
                return Ok(false);
            }
            Ruling::LaneWaits(at) => {
                self.later(at);
                return Ok(true);
            }
            // Whoever writes wakes it.
            Ruling::LaneShut(shut) => {
                let say = if shut == Shut::Refused { SAY_FIRST } else { SAY };
                c.prepare_cached(say)?.execute(params![id, shut.reason()])?;
                return Ok(true);
            }
            Ruling::Ends(state, why) => {
                c.prepare_cached(END)?.execute(params![id, state, why])?;
                Some(why)
            }
            Ruling::Goes => {
                self.toll.went(&candidate, id)?;
                self.toll.pay_window(&candidate, id)?;
                if ask.rules.manners.pushes == Pushes::Merge {
                    let limit = ask.rules.text_limit;
                    let head = Head { account, lane, id, body: &body, class, attempts, cause, limit };
                    let longer = merge::take_along(c, &head, |other, echo| {
                        let one = Candidate { echo, id: other, fresh: true, ..candidate };
                        let goes = self.toll.repeats(ActionKind::Text, &one)?.is_none();
                        if goes {
                            self.toll.went(&one, id)?;
                        }
                        Ok(goes)
                    })?;
                    body = longer.unwrap_or(body);
                }
                c.prepare_cached(CLAIM)?.execute(params![id, ask.now_ms])?;
                None
            }
        };
        self.claimed.push(ClaimedSend {
            id,
            conv: lane.parse().map_err(bad_id)?,
            client_id: client_id.parse().map_err(bad_id)?,
            body,
            attempts: attempts + 1,
            ended,
        });
        Ok(true)
    }

    fn later(&mut self, at: i64) {
        self.wake = Some(self.wake.map_or(at, |wake| wake.min(at)));
    }
}

pub(super) fn settle(c: &Connection, id: u64, settlement: &Settlement) -> rusqlite::Result<()> {
    // Only a send that is under way can be settled.
    let unsure = |state: i64, error: &str| c.prepare_cached(SETTLE_UNSURE)?.execute(params![id, state, error]);
    match settlement {
        Settlement::Sent { .. } => meter::taken(c, id)?,
        Settlement::Shut { not_before_ms, .. } => meter::refuse(c, id, *not_before_ms)?,
        Settlement::Again { unsure: false, .. } | Settlement::Failed { .. } | Settlement::Held { .. } => {
            meter::give_back(c, id)?;
        }
        Settlement::Again { .. }
        | Settlement::Resent { .. }
        | Settlement::Uncertain { .. }
        | Settlement::Dropped { .. } => {}
    }
    match settlement {
        Settlement::Sent { server_id } => c.prepare_cached(SETTLE)?.execute(params![id, server_id])?,
        Settlement::Failed { error } => c.prepare_cached(REFUSED)?.execute(params![id, error])?,
        Settlement::Resent { not_before_ms, error } => {
            c.prepare_cached(RESEND)?.execute(params![id, not_before_ms, error])?
        }
        Settlement::Shut { not_before_ms, error } => {
            c.prepare_cached(WAIT)?.execute(params![id, not_before_ms, error])?
        }
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
        Verdict::ResendSafely { below } => {
            return c.prepare_cached(DECIDE_SAFELY)?.execute(params![account.as_str(), below]);
        }
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
