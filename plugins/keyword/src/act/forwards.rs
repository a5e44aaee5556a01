//! What was passed on a moment ago? Two rooms that pass messages to each other, through two accounts, would never end.
//!
//! Who is another account of ours nobody can tell. So what the same person says again within a minute is not passed on to
//! the same place again, by the same rule, and of other messages only so many: a loop ends with its second round.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher as _};

use serde_json::Value;
use wxbot_plugin::prelude::*;

use crate::kept;

/// How long a text is remembered, and what the limit counts by.
const MINUTE_MS: i64 = 60_000;
/// What is remembered of one chat; the oldest is forgotten first.
const MOST: usize = 1_000;

/// What was passed on from one chat in the last minute.
#[derive(Debug)]
pub(super) struct Forwards {
    key: String,
    /// By rule and target as a number, or by these, the sender and the text: when it was first passed on, and how often.
    all: BTreeMap<String, (i64, u32)>,
    changed: bool,
}

/// Why something is not passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Held {
    /// The same was, a moment ago.
    Same,
    /// As many as may be were in this minute.
    Full,
}

impl Forwards {
    /// Those of a chat. Nothing is read when no rule passes anything on.
    pub(super) async fn read(cx: &Ctx, chat: &ContactId, wanted: bool) -> Result<Self, PluginError> {
        let key = format!("forwarded:{chat}");
        let all = if wanted { kept::map(cx, &key).await?.1 } else { BTreeMap::new() };
        Ok(Self { key, all, changed: false })
    }

    /// Counts one more by this rule to this target, if it may be.
    pub(super) fn pass(
        &mut self,
        (rule, to): (&str, &ContactId),
        (sender, text): (&ContactId, &str),
        most: u32,
        now_ms: i64,
    ) -> Result<(), Held> {
        self.all.retain(|_, (at_ms, _)| is_recent(*at_ms, now_ms));
        let way = format!("{:x}", digest(&(rule, to.as_str())));
        let said = format!("{:x}", digest(&(rule, to.as_str(), sender.as_str(), text)));
        if let Some((at_ms, _)) = self.all.get_mut(&said) {
            // What goes in circles stays held as long as it does.
            *at_ms = now_ms;
            self.changed = true;
            return Err(Held::Same);
        }
        let (_, count) = self.all.entry(way).or_insert((now_ms, 0));
        if *count >= most {
            return Err(Held::Full);
        }
        *count += 1;
        self.changed = true;
        self.all.insert(said, (now_ms, 1));
        while self.all.len() > MOST {
            let oldest = self.all.iter().min_by_key(|(_, (at_ms, _))| *at_ms).map(|(what, _)| what.clone());
            oldest.and_then(|oldest| self.all.remove(&oldest));
        }
        Ok(())
    }

    pub(super) fn written(self) -> Result<Effects, PluginError> {
        if !self.changed {
            return Ok(Effects::none());
        }
        Ok(Effects::none().put(self.key, &self.all)?)
    }
}

/// A moment in the future comes from a clock that was set back.
fn is_recent(at_ms: i64, now_ms: i64) -> bool {
    now_ms.checked_sub(at_ms).is_some_and(|ago| (0..MINUTE_MS).contains(&ago))
}

/// Whether nothing of this value counts any more.
pub(crate) fn are_passed(key: &str, value: &Value, now_ms: i64) -> bool {
    kept::entries::<(i64, u32)>(key, Some(value)).into_values().all(|(at_ms, _)| !is_recent(at_ms, now_ms))
}

fn digest(what: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_held_and_more_than_the_limit() {
        let mut passed = Forwards { key: "forwarded:r1".into(), all: BTreeMap::new(), changed: false };
        let id = |id: &str| id.parse::<ContactId>().unwrap();
        let (to, alice, bob) = (id("r2"), id("p1"), id("p2"));
        let mut pass = |sender: &ContactId, text: &str, now_ms: i64| passed.pass(("r", &to), (sender, text), 3, now_ms);
        assert_eq!(pass(&alice, "急", 0), Ok(()));
        assert_eq!(pass(&alice, "急", 59_000), Err(Held::Same));
        assert_eq!(pass(&alice, "急", 118_000), Err(Held::Same), "as long as it goes on");
        assert_eq!(pass(&bob, "急", 118_000), Ok(()), "somebody else");
        assert_eq!(pass(&bob, "很急", 118_001), Ok(()));
        assert_eq!(pass(&bob, "急急", 118_002), Ok(()));
        assert_eq!(pass(&bob, "急急急", 118_003), Err(Held::Full));
        assert_eq!(pass(&bob, "急急急", 178_003), Ok(()));
        for n in 0..3_000 {
            _ = passed.pass((&n.to_string(), &to), (&alice, "x"), 3, 200_000);
        }
        assert!(passed.all.len() <= MOST);
    }
}
