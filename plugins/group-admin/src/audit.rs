//! What was done, to whom, by whom and why? The audit log: rows `audit:<time>:<n>` that are only ever added.
//!
//! A record is written with the effects it tells of, so that there is neither without the other. What takes a record back
//! is a record too and names it; nothing is ever changed. Rows that are too old or too many are pruned from the oldest.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use wxbot_plugin::KvPage;
use wxbot_plugin::model::AccountName;
use wxbot_plugin::prelude::*;

use crate::life::names;
use crate::settings::AuditSettings;

/// What the keys of records begin with.
const PREFIX: &str = "audit:";
/// Rows that are read at once.
const PAGE: usize = 500;
/// How many records are written between two prunings: the log is that much longer than it should be at most.
const PRUNE_EACH: u32 = 64;
/// Rows that one pruning removes at most, so that a setting that was made smaller does not become one huge commit.
const PRUNE_MOST: usize = 500;

/// Somebody a record tells of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Whom {
    /// Who; `None` when only a name was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<ContactId>,
    /// As the room shows it, for people to read.
    pub(crate) name: String,
}

/// One thing that was done, or would have been.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// Its number in the log of the room, which it keeps.
    #[serde(default)]
    pub(crate) no: u64,
    pub(crate) at_ms: i64,
    pub(crate) room: ContactId,
    /// Which feature did it.
    pub(crate) feature: String,
    /// What was done, in a word of Chinese.
    pub(crate) what: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) whom: Vec<Whom>,
    pub(crate) why: String,
    /// Who commanded it; `None`: nobody, a rule did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) by: Option<Whom>,
    /// It was only reported.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) shadow: bool,
    /// What takes it back, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) undo: Vec<Undo>,
    /// The key of the record that this one takes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) of: Option<String>,
}

/// What takes something back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "undo", rename_all = "snake_case")]
pub(crate) enum Undo {
    /// Nothing can, for this reason (for people).
    Cannot { why: String },
    /// So many strikes fewer.
    Strikes { member: ContactId, strikes: u32 },
    /// Bring them back.
    Invite { members: Vec<ContactId> },
    /// Name the room like this again.
    Topic { was: String },
    /// Set a KV value of the plugin to what it was, where it is still what was left; `None` is no value.
    Put { key: String, was: Option<Value>, left: Option<Value> },
}

/// Counts records: to number those of one millisecond, and to prune now and then.
#[derive(Debug, Default)]
pub(crate) struct Trail {
    written: Mutex<HashMap<AccountName, u32>>,
    numbers: AtomicU64,
    /// The last number in the log of a room: several events of one moment may be about the same room.
    last: Mutex<HashMap<(AccountName, ContactId), u64>>,
}

/// Rooms of which the last number is kept in memory besides.
const ROOMS: usize = 4_096;

/// Where the last number in the log of a room is kept.
fn number_key(room: &ContactId) -> String {
    format!("log-no:{room}")
}

impl Whom {
    /// A person of an event, as everybody in the room may hear them called: the log is read there.
    pub(crate) fn of(cx: &Ctx, person: &wxbot_plugin::model::Person) -> Self {
        Self { id: Some(person.id.clone()), name: names::public(cx, person) }
    }

    /// Somebody by a public name.
    pub(crate) fn called(id: Option<ContactId>, name: &str) -> Self {
        Self { id, name: names::shown(name) }
    }
}

impl Record {
    /// The key of a record. `n` puts those of one millisecond in order.
    pub(crate) fn key(&self, n: u64) -> String {
        format!("{PREFIX}{:013}:{n:010}", self.at_ms.max(0))
    }
}

impl Trail {
    /// The number of the next record.
    pub(crate) fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// The next number in the log of a room, and what keeps it.
    pub(crate) async fn next(&self, cx: &Ctx, room: &ContactId) -> Result<(u64, Effects), PluginError> {
        let key = number_key(room);
        let stored: u64 = cx.kv_get(&key).await?.unwrap_or_default();
        let number = {
            let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            if last.len() >= ROOMS {
                last.clear();
            }
            let last = last.entry((cx.account().clone(), room.clone())).or_default();
            *last = (*last).max(stored).saturating_add(1);
            *last
        };
        Ok((number, Effects::none().put(key, &number)?))
    }

    /// Whether it is time to prune the log of this account: at the first record, and then at each 64th.
    pub(crate) fn is_time(&self, account: &AccountName) -> bool {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let written = written.entry(account.clone()).or_default();
        *written = written.wrapping_add(1);
        *written % PRUNE_EACH == 1
    }

    /// Removes what is too old and too much.
    pub(crate) async fn prune(&self, cx: &Ctx, settings: &AuditSettings) -> Result<Effects, PluginError> {
        let keys: Vec<String> = rows::<Value>(cx).await?.into_iter().map(|(key, _)| key).collect();
        let too_many = keys.len().saturating_sub(settings.keep);
        let oldest_ms =
            cx.now_ms().saturating_sub_unsigned(u64::try_from(settings.keep_for.as_millis()).unwrap_or(u64::MAX));
        let doomed = keys.iter().enumerate().take_while(|(n, key)| *n < too_many || time_of(key) < oldest_ms);
        Ok(doomed.take(PRUNE_MOST).fold(Effects::none(), |effects, (_, key)| effects.delete(key.clone())))
    }
}

/// All records of this room, the newest first.
pub(crate) async fn of_room(cx: &Ctx, room: &ContactId) -> Result<Vec<(String, Record)>, PluginError> {
    let mut records: Vec<(String, Record)> = rows::<Value>(cx)
        .await?
        .into_iter()
        // A row of another version is no reason to show none.
        .filter_map(|(key, value)| Some((key, serde_json::from_value::<Record>(value).ok()?)))
        .filter(|(_, record)| record.room == *room)
        .collect();
    records.reverse();
    Ok(records)
}

async fn rows<T: serde::de::DeserializeOwned>(cx: &Ctx) -> Result<Vec<(String, T)>, PluginError> {
    let (mut all, mut page) = (Vec::new(), KvPage::of(PAGE));
    loop {
        let rows = cx.kv_list::<T>(PREFIX, page).await?;
        let full = rows.len() >= PAGE;
        all.extend(rows);
        page = match all.last() {
            Some((last, _)) if full => KvPage::of(PAGE).after(last.clone()),
            Some(_) | None => return Ok(all),
        };
    }
}

fn time_of(key: &str) -> i64 {
    let time = key.strip_prefix(PREFIX).and_then(|rest| rest.split(':').next());
    time.and_then(|time| time.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_in_order_of_time() {
        let record = |at_ms| Record {
            no: 1,
            at_ms,
            room: "r1".parse().unwrap(),
            feature: "flood".into(),
            what: "警告".into(),
            whom: Vec::new(),
            why: String::new(),
            by: None,
            shadow: false,
            undo: vec![Undo::Topic { was: "t".into() }],
            of: None,
        };
        let (early, late) = (record(999_999_999_999).key(7), record(1_767_225_600_000).key(0));
        assert!(early < late, "{early} {late}");
        assert_eq!((time_of(&early), time_of(&late), time_of("audit:x:1")), (999_999_999_999, 1_767_225_600_000, 0));
        let json = serde_json::to_value(record(5)).unwrap();
        assert_eq!(serde_json::from_value::<Record>(json).unwrap(), record(5));
    }
}
