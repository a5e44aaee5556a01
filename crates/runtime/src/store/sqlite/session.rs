//! Sessions, cursors, contact bindings and KV as SQL.

use std::sync::Arc;

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value;
use wxbot_model::{AccountName, ContactKind};

use crate::store::types::{BoundContact, SavedRow};

pub(super) fn advance(
    c: &Connection,
    account: &AccountName,
    cursor: Option<&[u8]>,
    sealed: Option<&[u8]>,
    now_ms: i64,
) -> rusqlite::Result<()> {
    if let Some(cursor) = cursor {
        c.prepare_cached(
            "INSERT INTO cursor(account, value, at) VALUES (?1, ?2, ?3)
             ON CONFLICT DO UPDATE SET value = excluded.value, rev = rev + 1, at = excluded.at",
        )?
        .execute(params![account.as_str(), cursor, now_ms])?;
    }
    if let Some(sealed) = sealed {
        c.prepare_cached(
            "INSERT INTO session(account, sealed) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET sealed = excluded.sealed, set_aside = 0",
        )?
        .execute(params![account.as_str(), sealed])?;
    }
    Ok(())
}

pub(super) fn saved(c: &Connection, account: &AccountName) -> rusqlite::Result<Option<SavedRow>> {
    c.prepare_cached(
        "SELECT s.sealed, c.value, s.set_aside FROM session AS s JOIN cursor AS c USING (account) WHERE s.account = ?1",
    )?
    .query_row([account.as_str()], |r| {
        Ok(SavedRow {
            sealed: r.get(0)?,
            cursor: Bytes::from(r.get::<_, Vec<u8>>(1)?),
            set_aside: r.get::<_, i64>(2)? != 0,
        })
    })
    .optional()
}

pub(super) fn set_aside(c: &Connection, account: &AccountName) -> rusqlite::Result<()> {
    c.prepare_cached("UPDATE session SET set_aside = 1 WHERE account = ?1")?.execute([account.as_str()])?;
    Ok(())
}

pub(super) fn bind(c: &Connection, account: &AccountName, contacts: &[BoundContact]) -> rusqlite::Result<()> {
    let mut upsert = c.prepare_cached("INSERT OR REPLACE INTO contact VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")?;
    for b in contacts {
        upsert.execute(params![
            account.as_str(),
            b.id.as_str(),
            b.peer.as_str(),
            b.kind.letter().to_string(),
            b.uin.cast_signed(),
            b.alias,
            b.remark_name,
            b.nick_name,
            b.attr_status.cast_signed()
        ])?;
    }
    Ok(())
}

pub(super) fn contacts(c: &Connection, account: &AccountName) -> rusqlite::Result<Vec<BoundContact>> {
    let mut query =
        c.prepare_cached("SELECT id, peer, kind, uin, alias, remark, nick, attr FROM contact WHERE account = ?1")?;
    let bad = |i, e| rusqlite::Error::FromSqlConversionFailure(i, rusqlite::types::Type::Text, Box::new(e));
    query
        .query_map([account.as_str()], |r| {
            let (id, peer, kind): (String, String, String) = (r.get(0)?, r.get(1)?, r.get(2)?);
            Ok(BoundContact {
                id: id.parse().map_err(|e| bad(0, e))?,
                peer: peer.parse().map_err(|e| bad(1, e))?,
                kind: match kind.as_str() {
                    "r" => ContactKind::Room,
                    "o" => ContactKind::Official,
                    "s" => ContactKind::Special,
                    "m" => ContactKind::Myself,
                    _ => ContactKind::Person,
                },
                uin: r.get::<_, i64>(3)?.cast_unsigned(),
                alias: r.get(4)?,
                remark_name: r.get(5)?,
                nick_name: r.get(6)?,
                attr_status: r.get::<_, i64>(7)?.cast_unsigned(),
            })
        })?
        .collect()
}

pub(super) fn kv_put(
    c: &Connection,
    account: &AccountName,
    changes: &[(Arc<str>, String, Option<Value>)],
) -> rusqlite::Result<()> {
    for (plugin, key, value) in changes {
        match value {
            Some(value) => c.prepare_cached("INSERT OR REPLACE INTO kv VALUES (?1, ?2, ?3, ?4)")?.execute(params![
                &**plugin,
                account.as_str(),
                key,
                value.to_string()
            ])?,
            None => c
                .prepare_cached("DELETE FROM kv WHERE plugin = ?1 AND account = ?2 AND key = ?3")?
                .execute(params![&**plugin, account.as_str(), key])?,
        };
    }
    Ok(())
}

pub(super) fn kv_get(
    c: &Connection,
    plugin: &str,
    account: &AccountName,
    key: &str,
) -> rusqlite::Result<Option<Value>> {
    let text: Option<String> = c
        .prepare_cached("SELECT value FROM kv WHERE plugin = ?1 AND account = ?2 AND key = ?3")?
        .query_row(params![plugin, account.as_str(), key], |r| r.get(0))
        .optional()?;
    // Written by kv_put above, so it is JSON; a hand-edited value reads as absent.
    Ok(text.and_then(|t| serde_json::from_str(&t).ok()))
}
