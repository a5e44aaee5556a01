//! What does a chat rest from, and how long? Kept in KV, so that it outlives a restart and is committed with the reply.
//!
//! The rests of a chat, those of each person in it and the invitations of each have keys of their own: a busy room ends
//! nobody's rest early.

use std::collections::BTreeMap;

use serde_json::Value;
use wxbot_plugin::prelude::*;

use crate::kept;

/// Rests under one key: as many as there may be rules. Those that end soonest are forgotten first.
const MOST: usize = 1_000;
/// How long all of them are together when they are written, about; a value has at most 64 KiB.
const BYTES: usize = 48 * 1024;
/// What an entry takes besides its name.
const ENTRY_BYTES: usize = 36;

/// Whose rests.
#[derive(Debug, Clone, Copy)]
pub(super) enum Of<'a> {
    Chat,
    /// In this chat.
    Person(&'a ContactId),
    /// Invitations of this person, from this chat.
    Invited(&'a ContactId),
}

/// The rests under one key: of each, when it began and how long it lasts, in milliseconds.
#[derive(Debug)]
pub(super) struct Rests {
    key: String,
    all: BTreeMap<String, (i64, i64)>,
    changed: bool,
}

impl Of<'_> {
    fn key(self, chat: &ContactId) -> String {
        match self {
            Self::Chat => format!("rest:{chat}"),
            Self::Person(person) => format!("rest:{chat}:{person}"),
            Self::Invited(person) => format!("invited:{chat}:{person}"),
        }
    }
}

impl Rests {
    /// Those of a chat or of a person in it. Nothing is read when no rule rests.
    pub(super) async fn read(cx: &Ctx, chat: &ContactId, of: Of<'_>, wanted: bool) -> Result<Self, PluginError> {
        let key = of.key(chat);
        let all = if wanted { kept::map(cx, &key).await?.1 } else { BTreeMap::new() };
        Ok(Self { key, all, changed: false })
    }

    /// How long it still rests from this.
    pub(super) fn left_ms(&self, what: &str, now_ms: i64) -> Option<i64> {
        self.all.get(what).and_then(|rest| left_ms(*rest, now_ms))
    }

    /// From now on it rests.
    pub(super) fn begin(&mut self, what: &str, long_ms: i64, now_ms: i64) {
        if long_ms <= 0 {
            return;
        }
        self.changed = true;
        self.all.insert(what.to_owned(), (now_ms, long_ms));
        self.all.retain(|_, rest| left_ms(*rest, now_ms).is_some());
        let mut bytes: usize = self.all.keys().map(|what| what.len() + ENTRY_BYTES).sum();
        while self.all.len() > MOST || bytes > BYTES {
            let soonest = self.all.iter().min_by_key(|(_, rest)| left_ms(**rest, now_ms)).map(|(what, _)| what.clone());
            let Some(what) = soonest else { break };
            bytes = bytes.saturating_sub(what.len() + ENTRY_BYTES);
            self.all.remove(&what);
        }
    }

    pub(super) fn written(self) -> Result<Effects, PluginError> {
        if !self.changed {
            return Ok(Effects::none());
        }
        Ok(Effects::none().put(self.key, &self.all)?)
    }
}

/// Whether nothing rests any more by this value.
pub(crate) fn are_over(key: &str, value: &Value, now_ms: i64) -> bool {
    kept::entries(key, Some(value)).into_values().all(|rest| left_ms(rest, now_ms).is_none())
}

/// A beginning in the future comes from a clock that was set back and counts as none: the rest would last as long as the
/// clock was wrong.
fn left_ms((since_ms, long_ms): (i64, i64), now_ms: i64) -> Option<i64> {
    let passed = now_ms.checked_sub(since_ms).filter(|passed| (0..long_ms).contains(passed))?;
    Some(long_ms - passed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn none() -> Rests {
        Rests { key: "rest:p1".into(), all: BTreeMap::new(), changed: false }
    }

    #[test]
    fn how_long_it_rests() {
        for (name, since, now, want) in [
            ("just now", 100, 100, Some(10)),
            ("nearly over", 100, 109, Some(1)),
            ("over", 100, 110, None),
            ("the clock was set back", 101, 100, None),
            ("far in the past", i64::MIN, i64::MAX, None),
        ] {
            assert_eq!(left_ms((since, 10), now), want, "{name}");
        }
    }

    #[test]
    fn only_so_many_are_kept_and_none_that_is_over() {
        let mut rests = none();
        for n in 0..1_200 {
            rests.begin(&n.to_string(), 10_000, n);
        }
        assert_eq!((rests.all.len(), rests.left_ms("1199", 1_199)), (MOST, Some(10_000)));
        assert_eq!(rests.left_ms("1", 1_199), None, "those that end soonest are gone");
        rests.begin("x", 5, 20_000);
        assert_eq!(rests.all.len(), 1);
        for n in 0..1_200 {
            rests.begin(&format!("{}{n}", "名".repeat(40)), i64::MAX / 2, i64::MAX / 4 + n);
        }
        let bytes = serde_json::to_string(&rests.all).unwrap().len();
        assert!(bytes < 64 * 1024 && rests.all.len() > 200, "{bytes}");
    }

    #[test]
    fn nothing_is_written_when_nothing_changed() {
        let mut rests = none();
        rests.begin("reply", 0, 1);
        assert!(rests.written().unwrap().is_empty());
    }
}
