//! What does a chat rest from, and how long? Kept in KV, so that it outlives a restart and is committed with the reply.

use std::collections::BTreeMap;

use wxbot_plugin::prelude::*;

/// Rests of one chat; the oldest are forgotten first.
const MOST: usize = 200;

/// All rests of one chat: of each, when it began and how long it lasts, in milliseconds.
#[derive(Debug)]
pub(super) struct Rests {
    key: String,
    all: BTreeMap<String, (i64, i64)>,
    changed: bool,
}

impl Rests {
    /// Those of a chat. Nothing is read when no rule rests.
    pub(super) async fn read(cx: &Ctx, chat: &ContactId, wanted: bool) -> Result<Self, PluginError> {
        let key = format!("rest:{chat}");
        let all = if wanted { cx.kv_get(&key).await?.unwrap_or_default() } else { BTreeMap::new() };
        Ok(Self { key, all, changed: false })
    }

    /// How long it still rests from this.
    pub(super) fn left_ms(&self, what: &str, now_ms: i64) -> Option<i64> {
        self.all.get(what).and_then(|rest| left_ms(*rest, now_ms))
    }

    /// From now on it rests.
    pub(super) fn begin(&mut self, what: String, long_ms: i64, now_ms: i64) {
        if long_ms <= 0 {
            return;
        }
        self.changed = true;
        self.all.insert(what, (now_ms, long_ms));
        self.all.retain(|_, rest| left_ms(*rest, now_ms).is_some());
        while self.all.len() > MOST {
            let oldest = self.all.iter().min_by_key(|(_, (since_ms, _))| *since_ms).map(|(what, _)| what.clone());
            oldest.and_then(|oldest| self.all.remove(&oldest));
        }
    }

    pub(super) fn written(self) -> Result<Effects, PluginError> {
        if !self.changed {
            return Ok(Effects::none());
        }
        Ok(Effects::none().put(self.key, &self.all)?)
    }
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
        for n in 0..1_000 {
            rests.begin(format!("reply {n}"), 10_000, n);
        }
        assert_eq!((rests.all.len(), rests.left_ms("reply 999", 999)), (MOST, Some(10_000)));
        assert_eq!(rests.left_ms("reply 1", 999), None, "the oldest are gone");
        rests.begin("reply x".into(), 5, 20_000);
        assert_eq!(rests.all.len(), 1);
        assert!(serde_json::to_string(&rests.all).unwrap().len() < 64 * 1024);
    }

    #[test]
    fn nothing_is_written_when_nothing_changed() {
        let mut rests = none();
        rests.begin("reply".into(), 0, 1);
        assert!(rests.written().unwrap().is_empty());
    }
}
