//! Which events are traced, and which traces are kept? The last 2,000, of all or of a sample.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use wxbot_model::AccountName;

use super::recorder::Recorder;
use super::trace::Trace;

/// Traces kept, of all accounts together. At 1 to 2 KiB each and 8 KiB at most they take some MiB.
const KEPT: usize = 2_000;
/// So many events a second are traced, all of them.
const ALL_UP_TO: u64 = 100;
/// Above that, one in so many. Why an event was stopped, or failed, is in its row of the inbox anyway.
const ONE_IN: u64 = 64;

/// The traces of this process.
#[derive(Debug, Default)]
pub struct Traces {
    ring: Mutex<VecDeque<Arc<Trace>>>,
    /// The current second above 32 bits, and the events in it below.
    pace: AtomicU64,
}

impl Traces {
    /// Begins to trace an event, if it is one of the sample.
    pub(crate) fn begin(&self, account: &AccountName, seq: u64, attempt: u32, now_ms: i64) -> Option<Recorder> {
        self.samples(now_ms).then(|| Recorder::new(account.clone(), seq, attempt, now_ms))
    }

    fn samples(&self, now_ms: i64) -> bool {
        let second = now_ms.div_euclid(1000).cast_unsigned() << 32;
        let mut count = 1;
        let next = |pace: u64| {
            count = if pace & !u64::from(u32::MAX) == second { (pace & u64::from(u32::MAX)) + 1 } else { 1 };
            Some(second | count.min(u64::from(u32::MAX)))
        };
        self.pace.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).ok();
        count <= ALL_UP_TO || count.is_multiple_of(ONE_IN)
    }

    /// Keeps a trace. One of an earlier try of the same event goes.
    pub(crate) fn keep(&self, trace: Trace) {
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        if trace.attempt > 1 {
            ring.retain(|kept| kept.seq != trace.seq);
        }
        if ring.len() >= KEPT {
            ring.pop_front();
        }
        ring.push_back(Arc::new(trace));
    }

    /// The trace of this event, if it was one of the sample and is not too long ago.
    pub fn find(&self, seq: u64) -> Option<Arc<Trace>> {
        let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        ring.iter().rev().find(|trace| trace.seq == seq).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traced(traces: &Traces, seqs: impl Iterator<Item = u64>, now_ms: i64) -> usize {
        let account = "a".parse().unwrap();
        let begun = seqs.filter_map(|seq| traces.begin(&account, seq, 1, now_ms));
        begun.map(|recorder| traces.keep(recorder.passed(0))).count()
    }

    #[test]
    fn all_of_a_slow_stream_and_a_sample_of_a_fast_one() {
        let traces = Traces::default();
        assert_eq!(traced(&traces, 1..=100, 1_000), 100);
        assert_eq!(traced(&traces, 101..=6_500, 1_999), 100, "one in 64");
        assert_eq!(traced(&traces, 6_501..=6_550, 2_000), 50, "the next second");
        assert!(traces.find(50).is_some() && traces.find(101).is_none() && traces.find(6_550).is_some());
    }

    #[test]
    fn the_oldest_go_and_a_later_try_replaces_an_earlier_one() {
        let traces = Traces::default();
        for second in 0..30 {
            traced(&traces, second * 100..(second + 1) * 100, i64::try_from(second).unwrap() * 1000);
        }
        assert_eq!(traces.ring.lock().unwrap().len(), KEPT);
        assert!(traces.find(999).is_none() && traces.find(1_000).is_some() && traces.find(2_999).is_some());
        let again = traces.begin(&"a".parse().unwrap(), 1_500, 2, 90_000).unwrap();
        traces.keep(again.passed(3));
        assert_eq!(traces.find(1_500).unwrap().attempt, 2);
        assert_eq!(traces.ring.lock().unwrap().len(), KEPT);
    }
}
