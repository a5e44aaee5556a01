//! How is a room, or whoever is told, kept from drowning in our words? One text per ten seconds; what comes in between
//! waits and is said together.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use wxbot_plugin::model::AccountName;
use wxbot_plugin::prelude::*;

/// How long nothing more is said after something was: a storm of 1,000 messages in 10 s brings two texts.
pub(crate) const GAP_MS: i64 = 10_000;
/// How many lines wait; of the others only the number is kept.
const WAITING: usize = 12;
/// Conversations that are kept in mind: more than an account has rooms. Those with nothing waiting go first.
const PLACES: usize = 2_048;

/// To whom something is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum To {
    /// The room.
    Room,
    /// Those in `notify`, else the owners.
    Watchers,
}

/// What a timer brings when the wait is over: to whom the lines go.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Held {
    /// About which room they are: an event elsewhere may have had them wait. `None`: the timer's own.
    #[serde(default)]
    pub(crate) room: Option<ContactId>,
    /// To whom.
    pub(crate) to: To,
}

/// When what was said, in memory: a restart forgets what waits, and the audit log has it all the same.
#[derive(Debug, Default)]
pub(crate) struct Gate(Mutex<HashMap<Place, Slot>>);

/// A room of an account, and who is told about it.
pub(crate) type Place = (AccountName, ContactId, To);

#[derive(Debug, Default)]
struct Slot {
    /// When something was said last, and for which event.
    said: Option<(i64, u64)>,
    waiting: Vec<String>,
    more: usize,
}

/// Whether a line may be said.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Pass {
    /// Say it.
    Now,
    /// It was kept; a timer shall bring it then.
    Later(Duration),
}

impl Gate {
    fn with<T>(&self, f: impl FnOnce(&mut HashMap<Place, Slot>) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Asks for one line about a room. `mark` tells the event: one that is handled again says the same again.
    pub(crate) fn pass(&self, place: Place, mark: u64, now_ms: i64, line: &str) -> Pass {
        self.with(|slots| {
            if slots.len() >= PLACES {
                slots.retain(|_, slot| !slot.waiting.is_empty() || slot.rests(now_ms, 0).is_some());
            }
            let slot = slots.entry(place).or_default();
            let Some(left_ms) = slot.rests(now_ms, mark) else {
                slot.said = Some((now_ms, mark));
                return Pass::Now;
            };
            // The same line twice is one: an event that is handled again says it again.
            if slot.waiting.len() >= WAITING {
                slot.more += 1;
            } else if !slot.waiting.iter().any(|known| known == line) {
                slot.waiting.push(line.to_owned());
            }
            Pass::Later(Duration::from_millis(left_ms))
        })
    }

    /// What waited, as one text.
    pub(crate) fn drain(&self, place: &Place, now_ms: i64) -> Option<String> {
        self.with(|slots| {
            let slot = slots.get_mut(place)?;
            let (lines, more) = (std::mem::take(&mut slot.waiting), std::mem::take(&mut slot.more));
            if lines.is_empty() {
                return None;
            }
            slot.said = Some((now_ms, 0));
            let mut text = lines.join("\n");
            if more > 0 {
                text.push_str(&format!("\n……另有 {more} 条 ({more} more)"));
            }
            Some(text)
        })
    }
}

impl Slot {
    /// How long nothing may be said yet. A moment in the future comes from a clock that was set back, and counts as none.
    fn rests(&self, now_ms: i64, mark: u64) -> Option<u64> {
        let (said_ms, by) = self.said?;
        let since = now_ms
            .checked_sub(said_ms)
            .filter(|_| by != mark || by == 0)
            .filter(|since| (0..GAP_MS).contains(since))?;
        Some((GAP_MS - since).unsigned_abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_text_now_and_the_rest_together() {
        let (gate, account): (_, AccountName) = (Gate::default(), "a".parse().unwrap());
        let place = |room: &str| (account.clone(), room.parse().unwrap(), To::Room);
        let mut mark = 0;
        let mut pass = |room: &str, now_ms, line: &str| {
            mark += 1;
            gate.pass(place(room), mark, now_ms, line)
        };
        assert_eq!(pass("r1", 0, "a"), Pass::Now);
        assert_eq!(pass("r2", 1, "a"), Pass::Now, "rooms do not wait for each other");
        assert_eq!(pass("r1", 4_000, "b"), Pass::Later(Duration::from_secs(6)));
        assert_eq!(pass("r1", 5_000, "b"), Pass::Later(Duration::from_secs(5)), "handled again");
        for n in 0..500 {
            pass("r1", 6_000, &format!("line {n}"));
        }
        let text = gate.drain(&place("r1"), 10_000).unwrap();
        assert!(text.starts_with("b\nline 0\n") && text.ends_with("另有 489 条 (489 more)"), "{text}");
        assert_eq!(gate.drain(&place("r1"), 10_000), None);
        assert_eq!(pass("r1", 12_000, "c"), Pass::Later(Duration::from_secs(8)), "the text counts as said");
        assert_eq!(pass("r1", 1_000, "d"), Pass::Now, "the clock was set back");
        let again = || gate.pass(place("r3"), 99, 0, "a");
        assert_eq!((again(), again()), (Pass::Now, Pass::Now), "the same event is handled again");
    }
}
