//! How fast may an account send? Token buckets, kept as one number so that a restart keeps the debt.
//!
//! The number is the *theoretical arrival time* of the generic cell rate algorithm: the moment at which the bucket is
//! full again. A bucket whose moment has passed is full and needs no row.

use wxbot_model::span::Rate;

/// A rate with its burst, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    interval_us: i64,
    burst: i64,
}

/// Rates of more than so many a second are no pacing: a load test lifts it so.
const UNLIMITED_BELOW_US: i64 = 1_000;
/// A restored debt is never longer, whatever the clock did meanwhile.
const MAX_DEBT_US: i64 = 3_600 * 1_000_000;

impl Pace {
    /// `None` when the rate is so high that it limits nothing.
    pub fn new(rate: Rate, burst: u32) -> Option<Self> {
        let interval_us = i64::try_from(rate.interval().as_micros()).unwrap_or(i64::MAX / 4);
        (interval_us >= UNLIMITED_BELOW_US).then_some(Self { interval_us, burst: i64::from(burst.max(1)) })
    }
}

/// One bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    tat_us: i64,
}

impl Bucket {
    /// From its saved number (0: full). A number far in the future is a clock that jumped, and is cut.
    pub fn load(tat_us: i64, now_us: i64) -> Self {
        Self { tat_us: tat_us.min(now_us.saturating_add(MAX_DEBT_US)) }
    }

    /// The number to save.
    pub fn tat_us(self) -> i64 {
        self.tat_us
    }

    /// When the next token is there; `None`: now.
    pub fn free_at(self, pace: Pace, now_us: i64) -> Option<i64> {
        let at = self.tat_us.saturating_sub(pace.interval_us.saturating_mul(pace.burst - 1));
        (at > now_us).then_some(at)
    }

    /// Takes one token.
    pub fn pay(&mut self, pace: Pace, now_us: i64) {
        self.tat_us = self.tat_us.max(now_us).saturating_add(pace.interval_us);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_burst_then_the_rate() {
        let pace = Pace::new(Rate::new(1, Duration::from_secs(1)), 5).unwrap();
        let (mut bucket, mut now, mut at) = (Bucket::load(0, 0), 0, Vec::new());
        for _ in 0..8 {
            if let Some(free) = bucket.free_at(pace, now) {
                now = free;
            }
            bucket.pay(pace, now);
            at.push(now / 1_000_000);
        }
        assert_eq!(at, [0, 0, 0, 0, 0, 1, 2, 3]);
    }

    #[test]
    fn a_pause_earns_no_more_than_the_burst_and_a_jump_no_endless_wait() {
        let pace = Pace::new(Rate::new(1, Duration::from_secs(1)), 2).unwrap();
        let mut bucket = Bucket::load(0, 0);
        let much_later = 1_000_000_000_000;
        for _ in 0..2 {
            assert_eq!(bucket.free_at(pace, much_later), None);
            bucket.pay(pace, much_later);
        }
        assert!(bucket.free_at(pace, much_later).is_some());
        let jumped = Bucket::load(much_later, 0);
        assert!(jumped.free_at(pace, 0).unwrap() <= MAX_DEBT_US);
    }

    #[test]
    fn a_lifted_pace_is_none() {
        assert_eq!(Pace::new(Rate::new(100_000, Duration::from_secs(1)), 1), None);
    }

    proptest::proptest! {
        #[test]
        fn never_more_than_burst_and_rate_allow(steps in proptest::collection::vec(0i64..3_000_000, 1..60), burst in 1u32..6) {
            let pace = Pace::new(Rate::new(1, Duration::from_secs(1)), burst).unwrap();
            let (mut bucket, mut now, mut paid) = (Bucket::load(0, 0), 0i64, 0i64);
            for step in steps {
                now += step;
                if bucket.free_at(pace, now).is_none() {
                    bucket.pay(pace, now);
                    paid += 1;
                }
                proptest::prop_assert!(paid <= i64::from(burst) + now / 1_000_000);
            }
        }
    }
}
