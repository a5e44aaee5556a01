//! Debts and texts that went out lately, as SQL.
//!
//! A text is remembered where an account has a rule about it (`[pacing] same_text`, `repeat`), for a day at most; a hash
//! of it, as with each send.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, params};
use wxbot_model::AccountName;

use super::SqliteStore;
use crate::pacing::{LOGIN, SameText};
use crate::store::Answer;
use crate::store::pace::PaceStore;

const LOAD: &str = "SELECT tat_us FROM bucket WHERE account = ?1 AND scope = ?2";
const SAVE: &str = "INSERT INTO bucket VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET tat_us = excluded.tat_us";
const SAY: &str = "INSERT INTO said(account, echo, conv, at_ms, send, push) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
     ON CONFLICT DO UPDATE SET at_ms = excluded.at_ms, send = excluded.send, push = excluded.push";
const SAID_HERE: &str = "SELECT at_ms, send FROM said WHERE account = ?1 AND echo = ?2 AND conv = ?3";
/// In which other chats; as many as somebody counts.
const SAID_ELSEWHERE: &str =
    "SELECT at_ms FROM said WHERE account = ?1 AND echo = ?2 AND conv <> ?3 AND at_ms > ?4 AND push >= ?5 LIMIT ?6";
const FORGET: &str = "DELETE FROM said WHERE id IN (SELECT id FROM said WHERE at_ms < ?1 LIMIT ?2)";

/// Texts that are forgotten in one step of the sweep.
const A_STEP: usize = 1_000;

/// Statements that must never walk through a whole table.
#[cfg(test)]
pub(super) const HOT: &[&str] = &[LOAD, SAVE, SAY, SAID_HERE, SAID_ELSEWHERE, FORGET];

/// The saved number of a bucket; `None`: it is full.
pub(super) fn load(c: &Connection, account: &str, scope: &str) -> rusqlite::Result<Option<i64>> {
    c.prepare_cached(LOAD)?.query_row([account, scope], |r| r.get(0)).optional()
}

pub(super) fn save(c: &Connection, account: &str, scope: &str, tat_us: i64) -> rusqlite::Result<()> {
    c.prepare_cached(SAVE)?.execute(params![account, scope, tat_us]).map(drop)
}

/// A text that is about to go out.
#[derive(Clone, Copy)]
pub(super) struct Saying<'a> {
    pub(super) account: &'a str,
    pub(super) conv: &'a str,
    /// The hash of the text.
    pub(super) echo: i64,
}

impl Saying<'_> {
    /// Remembers it as said by this send.
    pub(super) fn note(&self, c: &Connection, at_ms: i64, send: u64, push: bool) -> rusqlite::Result<()> {
        c.prepare_cached(SAY)?.execute(params![self.account, self.echo, self.conv, at_ms, send, push]).map(drop)
    }

    /// When its chat got it last, and by which send.
    pub(super) fn here(&self, c: &Connection) -> rusqlite::Result<Option<(i64, u64)>> {
        let values = params![self.account, self.echo, self.conv];
        c.prepare_cached(SAID_HERE)?.query_row(values, |r| Ok((r.get(0)?, r.get(1)?))).optional()
    }

    /// When other chats got it after `since_ms`, as pushes alone or in answers too; at most `limit` of them.
    pub(super) fn elsewhere(
        &self,
        c: &Connection,
        since_ms: i64,
        pushes_alone: bool,
        limit: u32,
    ) -> rusqlite::Result<Vec<i64>> {
        let values = params![self.account, self.echo, self.conv, since_ms, pushes_alone, limit];
        c.prepare_cached(SAID_ELSEWHERE)?.query_map(values, |r| r.get(0))?.collect()
    }
}

/// Forgets texts that nobody may ask about any more, one step; true when there is more.
pub(super) fn sweep(c: &Connection, now_ms: i64) -> rusqlite::Result<bool> {
    let longest_ms = i64::try_from(SameText::LONGEST.as_millis()).unwrap_or(i64::MAX);
    Ok(c.prepare_cached(FORGET)?.execute(params![now_ms.saturating_sub(longest_ms), A_STEP])? == A_STEP)
}

impl PaceStore for SqliteStore {
    fn note_login(&self, account: &AccountName, now_ms: i64) -> Answer<'_, ()> {
        let account = account.clone();
        self.write("note a login", move |c| save(c, account.as_str(), LOGIN, now_ms.saturating_mul(1_000)))
    }

    fn debts(&self, account: &AccountName, scopes: Vec<String>) -> Answer<'_, HashMap<String, i64>> {
        let account = account.clone();
        Self::read(&self.reader, "read what the pacing allows", move |c| {
            let mut debts = HashMap::new();
            for scope in scopes {
                if let Some(tat_us) = load(c, account.as_str(), &scope)? {
                    debts.insert(scope, tat_us);
                }
            }
            Ok(debts)
        })
    }
}
