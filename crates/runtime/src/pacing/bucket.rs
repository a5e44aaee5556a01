//! How fast may something go? Token buckets, kept as one number so that a restart keeps the debt.
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

    /// Only so many thousandths of it: the interval grows and the burst shrinks, both together never to more than before.
    #[must_use]
    pub fn slowed(self, permille: u32) -> Self {
        let permille = i64::from(permille.clamp(1, 1_000));
        let interval_us = self.interval_us.saturating_mul(1_000) / permille;
        Self { interval_us, burst: (self.burst.saturating_mul(permille) / 1_000).max(1) }
    }

    /// Time between two, in microseconds.
    pub fn interval_us(self) -> i64 {
        self.interval_us
    }

    /// A restored debt is at most an hour, or one interval of a pace that is slower than that.
    fn most_debt_us(self) -> i64 {
        MAX_DEBT_US.max(self.interval_us)
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

    /// The same for a bucket of this pace, and whether it was cut: then the number is to be saved, or the clock that was
    /// set back would find it as far away each time.
    pub fn restore(pace: Pace, tat_us: i64, now_us: i64) -> (Self, bool) {
        let latest = now_us.saturating_add(pace.most_debt_us());
        (Self { tat_us: tat_us.min(latest) }, tat_us > latest)
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

    /// How many tokens are there now; at most the burst.
    pub fn tokens(self, pace: Pace, now_us: i64) -> u32 {
        let room = now_us.saturating_sub(self.tat_us.max(now_us)).saturating_add(pace.interval_us * (pace.burst - 1));
        if room < 0 { 0 } else { u32::try_from(room / pace.interval_us + 1).unwrap_or(u32::MAX) }
    }

    /// Takes one token.
    pub fn pay(&mut self, pace: Pace, now_us: i64) {
        self.pay_more(pace, 1, 0, now_us);
    }

    /// Takes several tokens at once, which may be more than there are, and some time beyond that.
    pub fn pay_more(&mut self, pace: Pace, tokens: u32, extra_us: i64, now_us: i64) {
        let cost_us = pace.interval_us.saturating_mul(i64::from(tokens.max(1))).saturating_add(extra_us.max(0));
        self.tat_us = self.tat_us.max(now_us).saturating_add(cost_us);
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

    #[test]
    fn a_clock_set_back_costs_an_hour_or_one_interval() {
        let hour = 3_600_000_000;
        for (name, rate, most) in [
            ("fast", Rate::new(1, Duration::from_secs(1)), hour),
            ("ten an hour", Rate::new(10, Duration::from_secs(3_600)), hour),
            ("one a day", Rate::new(1, Duration::from_secs(86_400)), 24 * hour),
        ] {
            let pace = Pace::new(rate, 1).unwrap();
            let (bucket, cut) = Bucket::restore(pace, 365 * 24 * hour, 0);
            assert!(cut && bucket.free_at(pace, 0) == Some(most), "{name}: {:?}", bucket.free_at(pace, 0));
            let (bucket, cut) = Bucket::restore(pace, bucket.tat_us(), 0);
            assert!(!cut && bucket.free_at(pace, most).is_none(), "{name}: the cut number is left as it is");
        }
    }

    #[test]
    fn tokens_are_what_can_be_paid() {
        let pace = Pace::new(Rate::new(1, Duration::from_secs(1)), 5).unwrap();
        for (paid, at_us, want) in [
            (0, 0, 5),
            (2, 0, 3),
            (5, 0, 0),
            (5, 999_999, 0),
            (5, 1_000_000, 1),
            (9, 3_000_000, 0),
            (5, i64::MAX / 4, 5),
        ] {
            let mut bucket = Bucket::load(0, 0);
            (0..paid).for_each(|_| bucket.pay(pace, 0));
            assert_eq!(bucket.tokens(pace, at_us), want, "{paid} paid, {at_us} us later");
            assert_eq!(want == 0, bucket.free_at(pace, at_us).is_some());
        }
    }

    /// Whatever the moments, the extra time drawn, the price of each, restarts and the warm-up in between: no window has more
    /// than the burst and what the rate gives.
    fn within_every_window(paid_us: &[i64], pace: Pace) -> Result<(), String> {
        for (n, from) in paid_us.iter().enumerate() {
            for (m, until) in paid_us.iter().enumerate().skip(n) {
                let most = pace.burst + (until - from) / pace.interval_us;
                let sent = i64::try_from(m - n + 1).unwrap();
                if sent > most {
                    return Err(format!("{sent} between {from} and {until}, {most} are allowed"));
                }
            }
        }
        Ok(())
    }

    proptest::proptest! {
        #[test]
        fn never_more_than_burst_and_rate_in_any_window(
            steps in proptest::collection::vec((0i64..3_000_000, 0i64..500_000, 1u32..3, proptest::bool::ANY), 1..80),
            burst in 1u32..6,
            count in 1u32..5,
            warm_from in proptest::option::of(1u32..=1_000),
        ) {
            let pace = Pace::new(Rate::new(count, Duration::from_secs(1)), burst).unwrap();
            let (mut bucket, mut now, mut paid) = (Bucket::load(0, 0), 0i64, Vec::new());
            let last = i64::try_from(steps.len()).unwrap();
            for (n, (step, extra, price, restart)) in steps.into_iter().enumerate() {
                now += step;
                // A warm-up that ends half way.
                let risen = i64::try_from(n).unwrap() * 2 * 1_000 / last;
                let permille = warm_from.map_or(1_000, |from| from.max(u32::try_from(risen.min(1_000)).unwrap()));
                let holds = pace.slowed(permille);
                if restart {
                    bucket = Bucket::restore(holds, bucket.tat_us(), now).0;
                }
                if bucket.free_at(holds, now).is_none() {
                    bucket.pay_more(holds, price, extra, now);
                    paid.push(now);
                }
            }
            proptest::prop_assert_eq!(within_every_window(&paid, pace), Ok(()));
        }
    }
}
