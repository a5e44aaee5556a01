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

/// Statements that must never walk through a whole table.
#[cfg(test)]
pub(super) const HOT: &[&str] = &[PUT, DELETE, GET, SCAN];

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
