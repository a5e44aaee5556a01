//! Which stored events are in memory, and in which lane? What does not fit stays on disk and is fetched later.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;
use wxbot_model::{ContactId, Event};

use crate::store::InboxRow;

/// Events of one account kept in memory. At about 1 KiB an event, a thousand accounts with full lanes take 256 MiB;
/// what is above stays on disk, where it is safe and costs nothing.
pub(crate) const CAPACITY: usize = 256;
/// Below this the disk is asked again: half, so that each read brings a fair number.
const REFILL: usize = CAPACITY / 2;

/// One event to handle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Work {
    pub(crate) row: InboxRow,
    /// The event as it was taken a moment ago, and claimed with it. `None`: from the disk, to be claimed and read.
    pub(crate) fresh: Option<Box<Event>>,
    /// It was parked: it has passed the chain before, whatever its claims say.
    pub(crate) again: bool,
}

impl From<InboxRow> for Work {
    fn from(row: InboxRow) -> Self {
        Self { row, fresh: None, again: false }
    }
}

/// The lanes of one account.
#[derive(Debug, Default)]
pub(crate) struct Feed {
    state: Mutex<State>,
    pub(crate) wake: Notify,
}

#[derive(Debug)]
struct State {
    lanes: HashMap<ContactId, VecDeque<Work>>,
    /// Lanes with something to do and nobody at it, in order of need.
    ready: VecDeque<ContactId>,
    running: HashSet<ContactId>,
    held: usize,
    /// The highest number that was taken into memory.
    watermark: u64,
    /// There may be more on disk above the watermark.
    disk: bool,
    /// More came while the disk was being read.
    disk_again: bool,
    /// Something was stored as parked, and is due.
    parked: bool,
}

impl Default for State {
    fn default() -> Self {
        Self {
            lanes: HashMap::new(),
            ready: VecDeque::new(),
            running: HashSet::new(),
            held: 0,
            watermark: 0,
            // A start begins with what a former run left.
            disk: true,
            disk_again: false,
            parked: false,
        }
    }
}

impl Feed {
    fn state<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        f(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How many of the next events may be claimed as they are taken, and then must be [offered](Self::offer). None while
    /// there is something on disk: that comes first, or the lane's order is lost.
    pub(crate) fn room(&self) -> usize {
        self.state(|s| if s.disk { 0 } else { CAPACITY.saturating_sub(s.held) })
    }

    /// Freshly stored and claimed events, in order; `left` when there are more, which stay on disk. Called after the
    /// commit, by the one task that accepts for this account.
    pub(crate) fn offer(&self, claimed: Vec<Work>, left: bool) {
        if claimed.is_empty() && !left {
            return;
        }
        self.state(|s| {
            for work in claimed {
                s.watermark = s.watermark.max(work.row.seq);
                s.push(work);
            }
            if left {
                s.disk = true;
                s.disk_again = true;
            }
        });
        self.wake.notify_one();
    }

    /// Something may have been stored and never offered; nothing is offered meanwhile.
    pub(crate) fn look_at_disk(&self) {
        self.state(|s| (s.disk, s.disk_again) = (true, true));
        self.wake.notify_one();
    }

    /// Something was stored as parked, by somebody else than the task that accepts for this account, and is due.
    ///
    /// Not for [`look_at_disk`](Self::look_at_disk): until the word is here, later events may have been stored, claimed and
    /// offered, and what is below the watermark is never read again.
    pub(crate) fn look_at_parked(&self) {
        self.state(|s| s.parked = true);
        self.wake.notify_one();
    }

    /// True once after [`look_at_parked`](Self::look_at_parked).
    pub(crate) fn take_parked(&self) -> bool {
        self.state(|s| std::mem::take(&mut s.parked))
    }

    /// How many parked events fit in.
    pub(crate) fn free(&self) -> usize {
        self.state(|s| CAPACITY.saturating_sub(s.held))
    }

    /// Parked events whose time has come; they are behind in order already.
    pub(crate) fn unpark(&self, rows: Vec<InboxRow>) {
        self.state(|s| rows.into_iter().for_each(|row| s.push(Work { again: true, ..row.into() })));
    }

    /// Where to read on from the disk, and how many; `None` when there is no need.
    pub(crate) fn wants_disk(&self) -> Option<(u64, usize)> {
        self.state(|s| {
            if !s.disk || s.held >= REFILL {
                return None;
            }
            s.disk_again = false;
            Some((s.watermark, CAPACITY - s.held))
        })
    }

    /// What the disk gave for the last [`wants_disk`](Self::wants_disk).
    pub(crate) fn add_from_disk(&self, rows: Vec<InboxRow>, asked: usize) {
        self.state(|s| {
            let all = rows.len() < asked;
            for row in rows {
                s.watermark = s.watermark.max(row.seq);
                s.push(row.into());
            }
            if all && !s.disk_again {
                s.disk = false;
            }
        });
    }

    /// True when a lane could run.
    pub(crate) fn has_ready(&self) -> bool {
        self.state(|s| !s.ready.is_empty())
    }

    /// The next lane to run and its first event. The lane is the caller's until [`done`](Self::done).
    pub(crate) fn take(&self) -> Option<Work> {
        self.state(|s| {
            let lane = s.ready.pop_front()?;
            let work = s.lanes.get_mut(&lane)?.pop_front()?;
            s.held -= 1;
            s.running.insert(lane);
            Some(work)
        })
    }

    /// The event of this lane has ended; the lane is ready again if it has another.
    pub(crate) fn done(&self, lane: &ContactId) {
        self.state(|s| {
            s.running.remove(lane);
            match s.lanes.get(lane).map(VecDeque::is_empty) {
                Some(false) => s.ready.push_back(lane.clone()),
                Some(true) => drop(s.lanes.remove(lane)),
                None => {}
            }
        });
    }

    /// Takes out what was claimed with its batch and not begun, for good: nothing more will be handled.
    pub(crate) fn unbegun(&self) -> Vec<u64> {
        self.state(|s| {
            s.ready.clear();
            s.held = 0;
            let works = std::mem::take(&mut s.lanes).into_values().flatten();
            works.filter(|work| work.fresh.is_some()).map(|work| work.row.seq).collect()
        })
    }

    /// True when no lane runs.
    pub(crate) fn is_quiet(&self) -> bool {
        self.state(|s| s.running.is_empty())
    }
}

impl State {
    fn push(&mut self, work: Work) {
        let conv = &work.row.conv;
        let lane = self.lanes.entry(conv.clone()).or_default();
        if lane.is_empty() && !self.running.contains(conv) {
            self.ready.push_back(conv.clone());
        }
        lane.push_back(work);
        self.held += 1;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn row(seq: u64, conv: &str) -> InboxRow {
        InboxRow { seq, conv: conv.parse().unwrap(), recv_ms: 0, body: Arc::from(""), done: Vec::new(), replay: None }
    }

    fn work(seq: u64, conv: &str) -> Work {
        row(seq, conv).into()
    }

    fn take(feed: &Feed) -> Option<(u64, ContactId)> {
        feed.take().map(|work| (work.row.seq, work.row.conv))
    }

    fn fresh() -> Feed {
        let feed = Feed::default();
        assert_eq!(feed.room(), 0, "what a former run left comes first");
        let (after, asked) = feed.wants_disk().unwrap();
        assert_eq!(after, 0);
        feed.add_from_disk(Vec::new(), asked);
        feed
    }

    #[test]
    fn one_event_of_a_lane_at_a_time_and_lanes_side_by_side() {
        let feed = fresh();
        feed.offer(vec![work(1, "p1"), work(2, "p1"), work(3, "p2")], false);
        assert_eq!(feed.room(), CAPACITY - 3);
        let (first, other) = (take(&feed).unwrap(), take(&feed).unwrap());
        assert_eq!((first.0, other.0), (1, 3));
        assert_eq!(feed.take(), None, "the second of p1 waits for the first");
        feed.done(&first.1);
        assert_eq!(take(&feed).unwrap().0, 2);
        feed.done(&other.1);
        feed.done(&first.1);
        assert!(feed.is_quiet() && feed.take().is_none());
    }

    #[test]
    fn what_does_not_fit_comes_from_disk_in_order() {
        let feed = fresh();
        let all = CAPACITY as u64 + 10;
        let room = feed.room();
        feed.offer((1..=room as u64).map(|n| work(n, "p1")).collect(), true);
        assert_eq!(feed.wants_disk(), None, "memory is full");
        assert_eq!(feed.room(), 0, "new events while the disk has more must not overtake it");
        let mut seen = Vec::new();
        let mut refilled = false;
        while let Some((seq, lane)) = take(&feed) {
            seen.push(seq);
            feed.done(&lane);
            if refilled {
                continue;
            }
            if let Some((after, asked)) = feed.wants_disk() {
                // More comes while the disk is being read.
                feed.offer(Vec::new(), true);
                feed.add_from_disk((after + 1..=all).map(|n| row(n, "p1")).collect(), asked);
                refilled = true;
            }
        }
        assert!(seen.is_sorted() && seen.len() as u64 == all, "{seen:?}");
        assert!(feed.wants_disk().is_some(), "what came meanwhile is on disk");
    }

    #[test]
    fn what_the_clock_stores_is_not_below_the_watermark_for_ever() {
        let feed = fresh();
        // 1 was stored by the clock; the session stored and offered 2 before the word of it came.
        feed.offer(vec![work(2, "p1")], false);
        feed.look_at_parked();
        assert!(feed.take_parked() && !feed.take_parked());
        assert_eq!(feed.wants_disk(), None, "the disk would be read from 2 on");
        feed.unpark(vec![row(1, "p1")]);
        assert_eq!(take(&feed).unwrap().0, 2);
        feed.done(&"p1".parse().unwrap());
        assert_eq!(take(&feed).unwrap().0, 1);
    }

    #[test]
    fn what_was_stored_and_never_offered_is_found_in_order() {
        let feed = fresh();
        feed.offer(vec![work(1, "p1")], false);
        assert_eq!(feed.wants_disk(), None);
        // 2 was stored, and its session ended before it was offered; 3 came with the next session.
        feed.look_at_disk();
        assert_eq!(feed.room(), 0);
        feed.offer(Vec::new(), true);
        let (after, asked) = feed.wants_disk().unwrap();
        assert_eq!(after, 1);
        feed.add_from_disk(vec![row(2, "p1"), row(3, "p1")], asked);
        let mut seen = Vec::new();
        while let Some((seq, lane)) = take(&feed) {
            seen.push(seq);
            feed.done(&lane);
        }
        assert_eq!(seen, [1, 2, 3]);
    }
}
