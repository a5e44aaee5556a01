//! Sessions, cursors and contact bindings as SQL.

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, Row, params};
use wxbot_model::{AccountName, ContactId, ContactKind, Name};

use crate::contacts::rolls::Notes;
use crate::store::types::{BoundContact, RoomRow, SavedRow};

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
    let mut upsert = c.prepare_cached(
        "INSERT OR REPLACE INTO contact(account, id, peer, kind, uin, alias, remark, nick, attr, wxid, picture, of, login,
             born, same_as, sketch, roll, notes, ours, met_in, by_topic)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21)",
    )?;
    for b in contacts {
        let room = b.room.as_deref();
        let notes = room.map(|room| &room.notes).filter(|notes| **notes != Notes::default());
        let notes = notes.map(serde_json::to_string).transpose();
        upsert.execute(params![
            account.as_str(),
            b.id.as_str(),
            b.peer.as_str(),
            b.kind.letter().to_string(),
            b.uin.cast_signed(),
            &*b.alias,
            &*b.remark_name,
            &*b.nick_name,
            b.attr_status.cast_signed(),
            &*b.wxid,
            b.picture.cast_signed(),
            b.of.cast_signed(),
            b.login.cast_signed(),
            b.born.cast_signed(),
            b.same_as.as_ref().map(ContactId::as_str),
            room.map(|room| packed(&room.sketch)),
            room.map(|room| packed(&room.roll)),
            notes.map_err(|e| rusqlite::Error::ToSqlConversionFailure(Box::new(e)))?,
            b.ours,
            b.met_in.as_ref().map(ContactId::as_str),
            room.is_some_and(|room| room.by_topic),
        ])?;
    }
    Ok(())
}

fn packed(numbers: &[u32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

fn unpacked(bytes: Option<Vec<u8>>) -> Box<[u32]> {
    let bytes = bytes.unwrap_or_default();
    bytes.chunks_exact(4).filter_map(|chunk| chunk.try_into().ok()).map(u32::from_le_bytes).collect()
}

pub(super) fn contacts(c: &Connection, account: &AccountName) -> rusqlite::Result<Vec<BoundContact>> {
    let mut query = c.prepare_cached(
        "SELECT id, peer, kind, uin, alias, remark, nick, attr, wxid, picture, of, login, born, same_as, sketch, roll, notes,
             ours, met_in, by_topic
         FROM contact WHERE account = ?1",
    )?;
    query.query_map([account.as_str()], contact)?.collect()
}

fn contact(r: &Row<'_>) -> rusqlite::Result<BoundContact> {
    let bad = |i, e| rusqlite::Error::FromSqlConversionFailure(i, rusqlite::types::Type::Text, Box::new(e));
    let name = |i| Ok::<_, rusqlite::Error>(Name::from(r.get_ref(i)?.as_str()?));
    let number = |i| Ok::<_, rusqlite::Error>(r.get::<_, i64>(i)?.cast_unsigned());
    let (id, peer, kind): (String, String, String) = (r.get(0)?, r.get(1)?, r.get(2)?);
    let kind = match kind.as_str() {
        "r" => ContactKind::Room,
        "o" => ContactKind::Official,
        "s" => ContactKind::Special,
        "m" => ContactKind::Myself,
        _ => ContactKind::Person,
    };
    let room = RoomRow {
        sketch: unpacked(r.get(14)?),
        roll: unpacked(r.get(15)?),
        // Written by `bind`; what a hand has spoiled is as good as nothing open.
        notes: r.get::<_, Option<String>>(16)?.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default(),
        by_topic: r.get(19)?,
    };
    let other = |i| r.get::<_, Option<String>>(i)?.map(|id| id.parse()).transpose().map_err(|e| bad(i, e));
    Ok(BoundContact {
        id: id.parse().map_err(|e| bad(0, e))?,
        peer: peer.parse().map_err(|e| bad(1, e))?,
        kind,
        uin: number(3)?,
        alias: name(4)?,
        remark_name: name(5)?,
        nick_name: name(6)?,
        attr_status: number(7)?,
        wxid: name(8)?,
        picture: number(9)?,
        of: number(10)?,
        login: number(11)?,
        born: number(12)?,
        same_as: other(13)?,
        ours: r.get(17)?,
        met_in: other(18)?,
        room: (room != RoomRow::default()).then(|| Box::new(room)),
    })
}
