//! Was this sealed body here before? Signatures are remembered for as long as their time stamp could pass again.

use std::collections::{HashSet, VecDeque};

/// Twice as long as a time stamp is accepted on either side of our clock (security R04).
const MEMORY_S: i64 = 600;
/// Only the service can make one that counts, so this is its busiest ten minutes, not an attacker's.
const MOST: usize = 65_536;

/// What was committed in the last ten minutes.
#[derive(Debug, Default)]
pub struct Replays {
    order: VecDeque<(i64, String)>,
    marks: HashSet<String>,
}

impl Replays {
    /// True for a body that was committed already: it is answered like the first time, and counted.
    pub fn is_repeat(&mut self, mark: &str, now_s: i64) -> bool {
        self.forget(now_s);
        self.marks.contains(mark)
    }

    /// The body of this mark is stored. Not before: what could not be stored must be taken when it is repeated.
    pub fn committed(&mut self, mark: &str, now_s: i64) {
        self.forget(now_s);
        if self.marks.insert(mark.to_owned()) {
            self.order.push_back((now_s, mark.to_owned()));
        }
    }

    fn forget(&mut self, now_s: i64) {
        while let Some((at_s, _)) = self.order.front()
            && (now_s.saturating_sub(*at_s) > MEMORY_S || self.order.len() > MOST)
        {
            if let Some((_, mark)) = self.order.pop_front() {
                self.marks.remove(&mark);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec_r04_a_committed_body_is_known_for_ten_minutes() {
        let mut replays = Replays::default();
        assert!(!replays.is_repeat("a", 0));
        assert!(!replays.is_repeat("a", 0), "asking is not storing");
        replays.committed("a", 0);
        replays.committed("a", 1);
        for (now_s, want) in [(1, true), (600, true), (601, false)] {
            assert_eq!(replays.is_repeat("a", now_s), want, "{now_s}");
        }
        for n in 0..MOST + 100 {
            replays.committed(&n.to_string(), 1000);
        }
        assert!(replays.marks.len() <= MOST + 1 && replays.marks.len() == replays.order.len());
    }
}
