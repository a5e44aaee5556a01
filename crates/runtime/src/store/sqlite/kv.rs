//! What plugins remember, as SQL: put, swapped, read and scanned.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::Value;
use wxbot_model::AccountName;

use crate::store::types::KvSwap;

const PUT: &str = "INSERT OR REPLACE INTO kv VALUES (?1, ?2, ?3, ?4)";
const DELETE: &str = "DELETE FROM kv WHERE plugin = ?1 AND account = ?2 AND key = ?3";
const GET: &str = "SELECT value FROM kv WHERE plugin = ?1 AND account = ?2 AND key = ?3";
const SCAN: &str = "SELECT account, key, value FROM kv WHERE plugin = ?1 AND substr(key, 1, length(?2)) = ?2";

const LIST: &str = "SELECT key, value FROM kv WHERE plugin = ?1 AND account = ?2 AND key >= ?3 AND key < ?4
    AND key <> ?5 ORDER BY key LIMIT ?6";
const LIST_TO_THE_END: &str = "SELECT key, value FROM kv WHERE plugin = ?1 AND account = ?2 AND key >= ?3
    AND key <> ?4 ORDER BY key LIMIT ?5";

/// Statements that must never walk through a whole table.
#[cfg(test)]
pub(super) const HOT: &[&str] = &[PUT, DELETE, GET, SCAN, LIST, LIST_TO_THE_END];

fn change(
    c: &Connection,
    account: &AccountName,
    (plugin, key, value): (&str, &str, Option<&Value>),
) -> rusqlite::Result<()> {
    match value {
        Some(value) => c.prepare_cached(PUT)?.execute(params![plugin, account.as_str(), key, value.to_string()])?,
        None => c.prepare_cached(DELETE)?.execute(params![plugin, account.as_str(), key])?,
    };
    Ok(())
}

pub(super) fn put(
    c: &Connection,
    account: &AccountName,
    changes: &[(Arc<str>, String, Option<Value>)],
) -> rusqlite::Result<()> {
    changes.iter().try_for_each(|(plugin, key, value)| change(c, account, (plugin, key, value.as_ref())))
}

/// Makes the swaps up to one whose value is not what it was: that is the answer, and the caller takes back the others.
pub(super) fn swap<'a>(
    c: &Connection,
    account: &AccountName,
    swaps: &'a [KvSwap],
) -> rusqlite::Result<Option<&'a KvSwap>> {
    for swap in swaps {
        if get(c, &swap.plugin, account, &swap.key)? != swap.was {
            return Ok(Some(swap));
        }
        change(c, account, (&swap.plugin, &swap.key, swap.now.as_ref()))?;
    }
    Ok(None)
}

pub(super) fn get(c: &Connection, plugin: &str, account: &AccountName, key: &str) -> rusqlite::Result<Option<Value>> {
    let text: Option<String> =
        c.prepare_cached(GET)?.query_row(params![plugin, account.as_str(), key], |r| r.get(0)).optional()?;
    // Written above, so it is JSON; a hand-edited value reads as absent.
    Ok(text.and_then(|t| serde_json::from_str(&t).ok()))
}

pub(super) fn scan(c: &Connection, plugin: &str, prefix: &str) -> rusqlite::Result<Vec<(AccountName, String, Value)>> {
    let bad = |e| rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(e));
    let read = |r: &Row<'_>| {
        let account: String = r.get(0)?;
        Ok((account.parse().map_err(bad)?, r.get(1)?, serde_json::from_str(r.get_ref(2)?.as_str()?).ok()))
    };
    let mut query = c.prepare_cached(SCAN)?;
    let rows = query.query_map([plugin, prefix], read)?;
    // What a hand has spoiled reads as absent, here as well.
    rows.filter_map(|row| row.map(|(account, key, value)| Some((account, key, value?))).transpose()).collect()
}

pub(super) fn list(
    c: &Connection,
    plugin: &str,
    account: &AccountName,
    prefix: &str,
    after: Option<&str>,
    limit: usize,
) -> rusqlite::Result<Vec<(String, Value)>> {
    let read = |r: &Row<'_>| Ok((r.get(0)?, serde_json::from_str(r.get_ref(1)?.as_str()?).ok()));
    // Behind a key that stands before all wanted ones the list begins with them.
    let (from, but) = match after {
        Some(after) if after >= prefix => (after, Some(after)),
        Some(_) | None => (prefix, None),
    };
    // No key is empty, so an empty text leaves none out.
    let (but, limit) = (but.unwrap_or_default(), i64::try_from(limit).unwrap_or(i64::MAX));
    let mut query;
    let rows = match behind(prefix) {
        Some(end) => {
            query = c.prepare_cached(LIST)?;
            query.query_map(params![plugin, account.as_str(), from, end, but, limit], read)?
        }
        None => {
            query = c.prepare_cached(LIST_TO_THE_END)?;
            query.query_map(params![plugin, account.as_str(), from, but, limit], read)?
        }
    };
    rows.filter_map(|row| row.map(|(key, value)| Some((key, value?))).transpose()).collect()
}

/// The first text behind all that begin with `prefix`; `None` when there is none.
fn behind(prefix: &str) -> Option<String> {
    let mut text = prefix.to_owned();
    while let Some(last) = text.pop() {
        // In UTF-8 the order of the bytes is that of the characters.
        let next = (u32::from(last) + 1..=u32::from(char::MAX)).find_map(char::from_u32);
        if let Some(next) = next {
            text.push(next);
            return Some(text);
        }
    }
    None
}
