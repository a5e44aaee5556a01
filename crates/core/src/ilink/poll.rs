//! When is the next poll due, and how long may it take? What the answers so far say about the service.

use std::time::Duration;

/// How long a poll may take longer than the service holds it.
const BEHIND_HOLD: Duration = Duration::from_secs(10);
/// Holds that the service may ask for.
const SHORTEST: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_secs(120);
/// What an edge that cuts held requests (HTTP 524 after about 16 s) lets through.
const LOWERED: Duration = Duration::from_secs(10);
/// Failures in a row that are borne quietly; then the session says so, and waits longer.
pub(super) const PATIENCE: u32 = 3;
const SHORT_PAUSE: Duration = Duration::from_secs(2);
const LONG_PAUSE: Duration = Duration::from_secs(30);
/// An answer that says nothing this soon was not held.
const EARLY: Duration = Duration::from_secs(2);
/// So many of them in a row may be chance.
const EARLY_ANSWERS: u32 = 3;
const LONGEST_EARLY_PAUSE: u32 = 2;
/// After so long without any answer it is asked whether the service is there at all.
const SILENCE: Duration = Duration::from_secs(120);

/// The pace of one session's polls.
#[derive(Debug)]
pub(super) struct Pace {
    hold: Duration,
    /// This host cuts held requests.
    cuts: bool,
    failures: u32,
    early: u32,
    unanswered: Duration,
}

impl Pace {
    pub(super) fn new(hold: Duration) -> Self {
        let hold = hold.clamp(SHORTEST, LONGEST);
        Self { hold, cuts: false, failures: 0, early: 0, unanswered: Duration::ZERO }
    }

    /// How long the next poll may take.
    pub(super) fn limit(&self) -> Duration {
        if self.cuts { LOWERED } else { self.hold + BEHIND_HOLD }
    }

    /// How long to wait before it.
    pub(super) fn pause(&self) -> Duration {
        match self.failures {
            0 => {}
            failures if failures < PATIENCE => return SHORT_PAUSE,
            _ => return LONG_PAUSE,
        }
        match self.early.saturating_sub(EARLY_ANSWERS) {
            0 => Duration::ZERO,
            more => Duration::from_secs(more.min(LONGEST_EARLY_PAUSE).into()),
        }
    }

    /// It was answered: after this long, with something new or not, and with a hold for the next (0: none stated).
    pub(super) fn answered(&mut self, took: Duration, moved: bool, hold_ms: u64) {
        self.failures = 0;
        self.unanswered = Duration::ZERO;
        self.early = if !moved && took < EARLY { self.early.saturating_add(1) } else { 0 };
        if hold_ms > 0 {
            self.hold = Duration::from_millis(hold_ms).clamp(SHORTEST, LONGEST);
        }
    }

    /// It was not answered in time, which is what a quiet account looks like; true when that lasts so long that it may be
    /// a dead connection as well.
    pub(super) fn unanswered(&mut self, after: Duration) -> bool {
        self.failures = 0;
        self.unanswered += after;
        self.unanswered >= SILENCE
    }

    /// The service is there, it merely holds longer than we wait.
    pub(super) fn is_there(&mut self) {
        self.unanswered = Duration::ZERO;
    }

    /// It failed, with this HTTP status if any; true when it has failed too often to say nothing.
    pub(super) fn failed(&mut self, status: Option<u16>) -> bool {
        self.failures = self.failures.saturating_add(1);
        self.cuts |= status == Some(524);
        self.failures >= PATIENCE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOLD: Duration = Duration::from_secs(35);

    #[test]
    fn holds() {
        let mut pace = Pace::new(HOLD);
        assert_eq!(pace.limit().as_secs(), 45);
        for (ms, want) in [(60_000, 70), (1, 15), (9_999_999, 130), (0, 130), (u64::MAX, 130), (20_000, 30)] {
            pace.answered(HOLD, false, ms);
            assert_eq!(pace.limit().as_secs(), want, "{ms}");
        }
        assert!(!pace.failed(Some(524)));
        assert_eq!(pace.limit().as_secs(), 10, "an edge that cuts");
        pace.answered(HOLD, true, 35_000);
        assert_eq!(pace.limit().as_secs(), 10, "and cuts again, whatever the service suggests");
        assert_eq!(Pace::new(Duration::ZERO).limit().as_secs(), 15);
    }

    #[test]
    fn pauses() {
        let mut pace = Pace::new(HOLD);
        let told: Vec<_> = (0..4).map(|_| (pace.failed(None), pace.pause().as_secs())).collect();
        assert_eq!(told, [(false, 2), (false, 2), (true, 30), (true, 30)]);
        pace.answered(HOLD, true, 0);
        assert_eq!(pace.pause(), Duration::ZERO);
        pace.failed(Some(500));
        assert!(!pace.unanswered(HOLD));
        assert_eq!(pace.pause(), Duration::ZERO, "a time-out is no failure");
    }

    #[test]
    fn answers_that_were_not_held() {
        let mut pace = Pace::new(HOLD);
        let soon = Duration::from_millis(5);
        let mut pauses = Vec::new();
        for _ in 0..6 {
            pace.answered(soon, false, 0);
            pauses.push(pace.pause().as_secs());
        }
        assert_eq!(pauses, [0, 0, 0, 1, 2, 2]);
        (0..100).for_each(|_| pace.answered(soon, false, 0));
        assert_eq!(pace.pause().as_secs(), 2);
        pace.answered(soon, true, 0);
        assert_eq!(pace.pause(), Duration::ZERO, "messages came");
        (0..9).for_each(|_| pace.answered(soon, false, 0));
        pace.answered(HOLD, false, 0);
        assert_eq!(pace.pause(), Duration::ZERO, "it was held");
    }

    #[test]
    fn silence_is_asked_about() {
        let mut pace = Pace::new(HOLD);
        let told: Vec<_> = (0..4).map(|_| pace.unanswered(Duration::from_secs(45))).collect();
        assert_eq!(told, [false, false, true, true]);
        pace.is_there();
        assert!(!pace.unanswered(Duration::from_secs(45)));
    }
}
