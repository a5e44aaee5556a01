//! Which own message does an acknowledgement belong to? A queue of those that wait for theirs.
//!
//! The hook tells an own message twice: before it leaves, with its content and without an id, and when the service has
//! it, with the id and without the content. They belong together by kind and receiver, in order, within a minute.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::wire::{Entry, Sent};

/// The hook's samples are 0 to 4 s apart.
pub(super) const PATIENCE_MS: i64 = 60_000;
/// Far more than anybody sends in a minute.
const MOST: usize = 256;
/// The queue is in the cursor, which is written with every change of it.
const MOST_BYTES: usize = 1 << 20;

/// Own messages that left, and what was settled lately.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Waiting {
    queue: VecDeque<Left>,
    /// Keys of those that were joined, and ids that were acknowledged: the hook may push either again, and a second
    /// acknowledgement must not take the next message's place.
    settled: VecDeque<Settled>,
}

/// An own message without an id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Left {
    /// Names it until it has an id.
    pub(super) key: String,
    /// When the hook told it, by our clock.
    pub(super) at_ms: i64,
    /// All that the hook told.
    pub(super) entry: Entry,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Settled {
    name: String,
    at_ms: i64,
}

/// What an acknowledgement is about.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Acknowledged {
    /// Of this one.
    Of(Box<Left>),
    /// Of nothing that is known here.
    Unknown,
}

impl Left {
    /// A clock that was set back makes nobody wait for hours.
    fn is_over(&self, now_ms: i64) -> bool {
        !(0..=PATIENCE_MS).contains(&now_ms.saturating_sub(self.at_ms))
    }
}

impl Waiting {
    /// Keeps a message; gives back those that there is no room for any more. One that waits already, or was joined a
    /// moment ago, is the same push again.
    pub(super) fn push(&mut self, left: Left) -> Vec<Left> {
        if self.queue.iter().any(|known| known.key == left.key) || self.is_settled(&left.key, left.at_ms) {
            return Vec::new();
        }
        self.queue.push_back(left);
        let bytes = |queue: &VecDeque<Left>| queue.iter().map(|left| left.entry.len()).sum::<usize>();
        let mut bytes = bytes(&self.queue);
        let mut out = Vec::new();
        while self.queue.len() > MOST || bytes > MOST_BYTES {
            let Some(oldest) = self.queue.pop_front() else { break };
            bytes = bytes.saturating_sub(oldest.entry.len());
            self.settle(&oldest.key, oldest.at_ms);
            out.push(oldest);
        }
        out
    }

    /// Finds what `id` acknowledges: the oldest of this kind to this receiver. An empty receiver fits any.
    pub(super) fn acknowledge(&mut self, id: &str, kind: Sent, to: &str, now_ms: i64) -> Acknowledged {
        if self.is_settled(id, now_ms) {
            return Acknowledged::Unknown;
        }
        self.settle(id, now_ms);
        let fits = |left: &Left| {
            let same_kind = left.entry.code().is_some_and(|code| Sent::of(code) == kind);
            let same_chat = to.is_empty() || left.entry.toid.is_empty() || left.entry.toid == to;
            same_kind && same_chat && !left.is_over(now_ms)
        };
        let found = self.queue.iter().position(fits).and_then(|at| self.queue.remove(at));
        match found {
            Some(left) => {
                self.settle(&left.key, now_ms);
                Acknowledged::Of(Box::new(left))
            }
            None => Acknowledged::Unknown,
        }
    }

    /// Takes out what waited too long.
    pub(super) fn expire(&mut self, now_ms: i64) -> Vec<Left> {
        let (over, waiting): (Vec<_>, Vec<_>) = self.queue.drain(..).partition(|left| left.is_over(now_ms));
        self.queue = waiting.into();
        for left in &over {
            self.settle(&left.key, now_ms);
        }
        over
    }

    /// When the next one has waited too long, if nothing comes; milliseconds since 1970.
    pub(super) fn next_expiry_ms(&self) -> Option<i64> {
        self.queue.iter().map(|left| left.at_ms.saturating_add(PATIENCE_MS + 1)).min()
    }

    fn is_settled(&self, name: &str, now_ms: i64) -> bool {
        let recent = |at_ms: i64| now_ms.saturating_sub(at_ms) <= PATIENCE_MS;
        self.settled.iter().any(|settled| settled.name == name && recent(settled.at_ms))
    }

    fn settle(&mut self, name: &str, now_ms: i64) {
        self.settled.push_back(Settled { name: name.to_owned(), at_ms: now_ms });
        let old = |settled: &Settled| now_ms.saturating_sub(settled.at_ms) > PATIENCE_MS;
        while self.settled.len() > 2 * MOST || self.settled.front().is_some_and(old) {
            self.settled.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(key: &str, code: i64, to: &str, at_ms: i64) -> Left {
        let entry = Entry { msgtype: code.to_string(), toid: to.into(), ..Entry::default() };
        Left { key: key.into(), at_ms, entry }
    }

    fn keys(left: &[Left]) -> Vec<&str> {
        left.iter().map(|left| left.key.as_str()).collect()
    }

    fn taken(waiting: &mut Waiting, id: &str, kind: Sent, to: &str, now_ms: i64) -> Option<String> {
        match waiting.acknowledge(id, kind, to, now_ms) {
            Acknowledged::Of(left) => Some(left.key),
            Acknowledged::Unknown => None,
        }
    }

    #[test]
    fn the_oldest_of_a_kind_to_a_receiver_is_meant() {
        let all = [
            left("1", 1, "a", 0),
            left("2", 1, "b", 1),
            left("3", 3, "a", 2),
            left("4", 4, "a", 3),
            left("5", 1, "a", 4),
        ];
        for (name, kind, to, want) in [
            ("text to a", Sent::Text, "a", Some("1")),
            ("text to b", Sent::Text, "b", Some("2")),
            ("text to anybody", Sent::Text, "", Some("1")),
            ("image", Sent::Image, "a", Some("3")),
            ("video without receiver", Sent::of(36), "", Some("4")),
            ("file", Sent::of(99), "a", None),
            ("text to c", Sent::Text, "c", None),
        ] {
            let mut waiting = Waiting::default();
            for left in &all {
                waiting.push(left.clone());
            }
            assert_eq!(taken(&mut waiting, "9", kind, to, 10).as_deref(), want, "{name}");
        }
    }

    #[test]
    fn what_is_pushed_again_takes_nobodys_place() {
        let mut waiting = Waiting::default();
        for one in [left("1", 1, "a", 0), left("1", 1, "a", 1), left("2", 1, "a", 1)] {
            waiting.push(one);
        }
        assert_eq!(taken(&mut waiting, "8", Sent::Text, "a", 2).as_deref(), Some("1"));
        assert_eq!(taken(&mut waiting, "8", Sent::Text, "a", 3), None);
        waiting.push(left("1", 1, "a", 4));
        assert_eq!(taken(&mut waiting, "9", Sent::Text, "a", 5).as_deref(), Some("2"));
        assert_eq!(waiting.next_expiry_ms(), None);
    }

    #[test]
    fn nobody_waits_for_ever() {
        let mut waiting = Waiting::default();
        for one in [left("1", 1, "a", 1000), left("2", 1, "a", 2000)] {
            waiting.push(one);
        }
        assert_eq!(keys(&waiting.expire(61_000)), [""; 0]);
        assert_eq!(waiting.next_expiry_ms(), Some(61_001));
        assert_eq!(keys(&waiting.expire(61_001)), ["1"]);
        assert_eq!(taken(&mut waiting, "9", Sent::Text, "a", 62_001), None, "too late");
        assert_eq!(keys(&waiting.expire(0)), ["2"], "the clock was set back");
    }

    #[test]
    fn the_queue_has_an_end_and_loses_nothing() {
        let mut waiting = Waiting::default();
        let out: Vec<_> = (0..MOST + 3).flat_map(|n| waiting.push(left(&n.to_string(), 1, "a", 0))).collect();
        assert_eq!(keys(&out), ["0", "1", "2"]);
        let mut heavy = left("heavy", 1, "a", 0);
        heavy.entry.msg = "x".repeat(MOST_BYTES + 1);
        assert_eq!(waiting.push(heavy).len(), MOST + 1, "the heavy one comes out too");
    }
}
