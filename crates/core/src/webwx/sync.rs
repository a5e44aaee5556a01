//! How do the sync keys move? The rules of §6.2 without any I/O.

use serde::{Deserialize, Deserializer, Serialize};

/// The first key that holds a time and no position. In all captures 201, 203, 1000, 1001 and 1004 are seconds since 1970.
const FIRST_TIME: u64 = 201;

/// `SyncKey` or `SyncCheckKey`: a position in the account's streams.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SyncKey {
    /// Length of the list; 0 means "ignore me".
    #[serde(default)]
    pub count: u64,
    /// Stream and position pairs.
    #[serde(default, deserialize_with = "list")]
    pub list: Vec<KeyVal>,
}

/// One stream's position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct KeyVal {
    /// The stream.
    pub key: u64,
    /// The position.
    pub val: u64,
}

fn list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<KeyVal>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

impl SyncKey {
    /// As synccheck wants it: `1_643606091|2_643606203`.
    pub fn param(&self) -> String {
        use std::fmt::Write;
        let mut out = String::with_capacity(self.list.len() * 16);
        for KeyVal { key, val } in &self.list {
            if !out.is_empty() {
                out.push('|');
            }
            // Writing to a String cannot fail.
            write!(out, "{key}_{val}").ok();
        }
        out
    }

    /// True when both stand at the same place of the account's streams. Keys from 201 on hold times: they move with
    /// every answer, also of a server that hands out the same again and again.
    pub fn same_place(&self, other: &Self) -> bool {
        let streams = |key: &'_ Self| key.list.iter().filter(|pair| pair.key < FIRST_TIME).copied().collect::<Vec<_>>();
        streams(self) == streams(other)
    }

    /// False for the empty key that refusals and some answers carry.
    pub fn counts(&self) -> bool {
        self.count > 0 && !self.list.is_empty()
    }
}

/// Both keys of a session: webwxsync always sends one, synccheck the other.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keys {
    sync: SyncKey,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    check: Option<SyncKey>,
}

impl Keys {
    /// As webwxinit gives them.
    pub fn new(sync: SyncKey) -> Self {
        Self { sync, check: None }
    }

    /// What webwxsync sends.
    pub fn sync(&self) -> &SyncKey {
        &self.sync
    }

    /// What synccheck asks with: the last SyncCheckKey if there ever was one, else SyncKey.
    pub fn check_param(&self) -> String {
        self.check.as_ref().unwrap_or(&self.sync).param()
    }

    /// The keys after an answer. A key whose Count is 0 changes nothing.
    #[must_use]
    pub fn advanced(&self, sync: &SyncKey, check: &SyncKey) -> Self {
        Self {
            sync: if sync.counts() { sync.clone() } else { self.sync.clone() },
            check: if check.counts() { Some(check.clone()) } else { self.check.clone() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::wire::answer::SyncAnswer;
    use super::super::wire::json;
    use super::super::wire::testdata::{fixture, fixture_json, ok};
    use super::*;

    fn answer(name: &str) -> SyncAnswer {
        json("webwxsync", &ok(fixture(name))).unwrap()
    }

    // cov: 29
    #[test]
    fn the_synckey_parameter() {
        let want = fixture("synccheck-synckey-param.txt");
        let list = want.trim().split('|').map(|pair| {
            let (key, val) = pair.split_once('_').unwrap();
            KeyVal { key: key.parse().unwrap(), val: val.parse().unwrap() }
        });
        let key = SyncKey { count: 9, list: list.collect() };
        assert_eq!(key.param(), want.trim());
    }

    fn start() -> Keys {
        Keys::new(serde_json::from_value(fixture_json("webwxsync.req.json")["SyncKey"].clone()).unwrap())
    }

    #[test]
    fn times_are_no_place() {
        let key = |pairs: &[(u64, u64)]| SyncKey {
            count: 2,
            list: pairs.iter().map(|&(key, val)| KeyVal { key, val }).collect(),
        };
        let here = key(&[(1, 5), (201, 100)]);
        assert!(here.same_place(&key(&[(1, 5), (201, 101)])));
        assert!(!here.same_place(&key(&[(1, 6), (201, 100)])));
        assert!(!here.same_place(&key(&[])));
    }

    // cov: 40
    #[test]
    fn keys_advance_and_a_zero_count_is_ignored() {
        let first = answer("webwxsync.resp.json");
        let moved = start().advanced(&first.sync_key, &first.sync_check_key);
        assert_eq!(moved.sync(), &first.sync_key);
        assert_ne!(moved.sync(), start().sync());
        let empty = answer("x-webwxsync-emptykey.resp.json");
        assert_eq!(moved.advanced(&empty.sync_key, &empty.sync_check_key), moved);
    }

    // cov: 41
    #[test]
    fn the_check_key_is_kept_apart_and_old_servers_have_none() {
        let old = answer("x-webwxsync-nosynccheckkey.resp.json");
        let without = start().advanced(&old.sync_key, &old.sync_check_key);
        assert_eq!(without.check_param(), old.sync_key.param(), "falls back to SyncKey");
        let check = SyncKey { count: 1, list: vec![KeyVal { key: 1, val: 99 }] };
        let with = without.advanced(&SyncKey::default(), &check);
        assert_eq!((with.check_param(), with.sync()), ("1_99".to_owned(), &old.sync_key));
        let later = with.advanced(&old.sync_key, &SyncKey::default());
        assert_eq!(later.check_param(), "1_99", "once seen, the check key stays until it is replaced");
    }
}
