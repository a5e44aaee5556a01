//! The outbox as SQL: `queued → sending → sent | queued … | uncertain → (sent | queued | dropped) | failed | expired`.

use rusqlite::{Connection, OptionalExtension, params};
use wxbot_model::{AccountName, ContactId};

use crate::pacing::{Bucket, Pace};
use crate::store::types::{ClaimSends, ClaimedSend, Finish, OutboxCounts, Settlement, Verdict};

const QUEUED: i64 = 0;
const SENDING: i64 = 1;
const UNCERTAIN: i64 = 2;
const SENT: i64 = 3;
const FAILED: i64 = 4;
const EXPIRED: i64 = 5;
const DROPPED: i64 = 6;

/// An own message proves an uncertain send when it comes back within this time of the try.
const PROOF_MS: i64 = 120_000;
/// Finished sends are kept as long as the keys of the events that caused them.
const KEEP_MS: i64 = 30 * 86_400_000;

pub(super) fn recover(c: &Connection, account: &AccountName) -> rusqlite::Result<()> {
    c.prepare_cached("UPDATE outbox SET state = ?2, error = 'wxbot ended while it was being sent' WHERE account = ?1 AND state = ?3")?
        .execute(params![account.as_str(), UNCERTAIN, SENDING])?;
    Ok(())
}

pub(super) fn insert(c: &Connection, finish: &Finish) -> rusqlite::Result<()> {
    let mut insert = c.prepare_cached(
        "INSERT INTO outbox(account, conv, cause_seq, plugin, ord, client_id, state, created_at, echo, body)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, ?7, ?8, ?9) ON CONFLICT(cause_seq, plugin, ord) DO NOTHING",
    )?;
    for send in &finish.sends {
        insert.execute(params![
            finish.account.as_str(),
            send.conv.as_str(),
            finish.seq,
            &*send.plugin,
            send.ord,
            send.client_id.as_str(),
            finish.now_ms,
            send.echo,
            send.body
        ])?;
    }
    Ok(())
}

/// Takes at most one send per conversation, the oldest, and pays the pacing for it.
pub(super) fn claim(c: &Connection, ask: &ClaimSends) -> rusqlite::Result<(Vec<ClaimedSend>, Option<i64>)> {
    let account = ask.account.as_str();
    c.prepare_cached("UPDATE outbox SET state = ?3, error = 'older than max_age' WHERE account = ?1 AND state = 0 AND created_at < ?2")?
        .execute(params![account, ask.now_ms - ask.max_age_ms, EXPIRED])?;
    let mut query = c.prepare_cached(
        "SELECT id, conv, client_id, body, attempts, not_before FROM outbox AS o
         WHERE account = ?1 AND state = 0 AND NOT EXISTS
             (SELECT 1 FROM outbox AS e WHERE e.account = ?1 AND e.conv = o.conv AND e.id < o.id AND e.state < 2)
         ORDER BY id",
    )?;
    let mut account_pace = Pacer::new(c, account, "", ask.per_account, ask.now_ms)?;
    let (mut claimed, mut wake) = (Vec::new(), None);
    let mut later = |at: i64| wake = Some(wake.map_or(at, |w: i64| w.min(at)));
    let mut rows = query.query([account])?;
    while let Some(row) = rows.next()? {
        let not_before: i64 = row.get(5)?;
        if not_before > ask.now_ms {
            later(not_before);
            continue;
        }
        if claimed.len() >= ask.limit {
            break;
        }
        let conv: String = row.get(1)?;
        let mut chat_pace = Pacer::new(c, account, &conv, ask.per_chat, ask.now_ms)?;
        if let Some(at) = account_pace.wait_until() {
            later(at);
            break;
        }
        if let Some(at) = chat_pace.wait_until() {
            later(at);
            continue;
        }
        account_pace.pay();
        chat_pace.pay();
        chat_pace.save(c)?;
        let id: u64 = row.get(0)?;
        c.prepare_cached("UPDATE outbox SET state = ?2, attempts = attempts + 1, tried_at = ?3 WHERE id = ?1")?
            .execute(params![id, SENDING, ask.now_ms])?;
        let bad = |e| rusqlite::Error::FromSqlConversionFailure(1, rusqlite::types::Type::Text, Box::new(e));
        let attempts: u32 = row.get(4)?;
        let client_id: String = row.get(2)?;
        claimed.push(ClaimedSend {
            id,
            conv: conv.parse().map_err(bad)?,
            client_id: client_id.parse().map_err(bad)?,
            body: row.get::<_, Option<String>>(3)?.unwrap_or_default(),
            attempts: attempts + 1,
        });
    }
    account_pace.save(c)?;
    Ok((claimed, wake))
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
            Some(_) => c
                .prepare_cached("SELECT tat_us FROM bucket WHERE account = ?1 AND scope = ?2")?
                .query_row([account, scope], |r| r.get(0))
                .optional()?,
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
            c.prepare_cached("INSERT INTO bucket VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET tat_us = excluded.tat_us")?
                .execute(params![self.account, self.scope, self.bucket.tat_us()])?;
        }
        Ok(())
    }
}

pub(super) fn settle(c: &Connection, id: u64, settlement: &Settlement) -> rusqlite::Result<()> {
    // Only a send that is under way can be settled: one that an own message has proved meanwhile stays as it is.
    match settlement {
        Settlement::Sent { server_id } => c
            .prepare_cached("UPDATE outbox SET state = ?2, server_id = ?3, error = NULL WHERE id = ?1 AND state = 1")?
            .execute(params![id, SENT, server_id])?,
        Settlement::Again { not_before_ms, error, counts } => c
            .prepare_cached(
                "UPDATE outbox SET state = ?2, not_before = ?3, error = ?4, attempts = attempts - ?5 WHERE id = ?1 AND state = 1",
            )?
            .execute(params![id, QUEUED, not_before_ms, error, i64::from(!counts)])?,
        Settlement::Uncertain { error } => state(c, id, UNCERTAIN, error)?,
        Settlement::Failed { error } => state(c, id, FAILED, error)?,
        Settlement::Dropped { error } => state(c, id, DROPPED, error)?,
    };
    Ok(())
}

fn state(c: &Connection, id: u64, state: i64, error: &str) -> rusqlite::Result<usize> {
    c.prepare_cached("UPDATE outbox SET state = ?2, error = ?3 WHERE id = ?1 AND state = 1")?.execute(params![id, state, error])
}

pub(super) fn decide(c: &Connection, account: &AccountName, verdict: Verdict) -> rusqlite::Result<usize> {
    let to = match verdict {
        Verdict::Resend => QUEUED,
        Verdict::Drop => DROPPED,
    };
    c.prepare_cached("UPDATE outbox SET state = ?2 WHERE account = ?1 AND state = ?3")?
        .execute(params![account.as_str(), to, UNCERTAIN])
}

/// An own message came back: the oldest uncertain send of that text in that conversation went out.
pub(super) fn prove(c: &Connection, account: &AccountName, conv: &ContactId, echo: i64, now_ms: i64) -> rusqlite::Result<usize> {
    c.prepare_cached(
        "UPDATE outbox SET state = ?5, error = NULL WHERE id =
         (SELECT id FROM outbox WHERE account = ?1 AND conv = ?2 AND echo = ?3 AND state = 2 AND tried_at > ?4 ORDER BY id LIMIT 1)",
    )?
    .execute(params![account.as_str(), conv.as_str(), echo, now_ms - PROOF_MS, SENT])
}

pub(super) fn counts(c: &Connection, account: &AccountName) -> rusqlite::Result<OutboxCounts> {
    let mut query = c.prepare_cached("SELECT state, count(*), count(server_id) FROM outbox WHERE account = ?1 GROUP BY state")?;
    let mut counts = OutboxCounts::default();
    let mut rows = query.query([account.as_str()])?;
    while let Some(row) = rows.next()? {
        let (state, all, with_id): (i64, u64, u64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        match state {
            QUEUED => counts.queued = all,
            SENDING => counts.sending = all,
            UNCERTAIN => counts.uncertain = all,
            SENT => (counts.sent, counts.unconfirmed) = (all, all - with_id),
            FAILED => counts.failed = all,
            EXPIRED => counts.expired = all,
            _ => counts.dropped = all,
        }
    }
    Ok(counts)
}

pub(super) fn sweep(c: &Connection, now_ms: i64) -> rusqlite::Result<bool> {
    // Uncertain ones stay until somebody decides.
    let deleted = c
        .prepare_cached("DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE state > 2 AND created_at < ?1 LIMIT 1000)")?
        .execute([now_ms - KEEP_MS])?;
    Ok(deleted == 1000)
}
