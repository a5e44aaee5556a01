//! May the bot say one more thing to this person, now?
//!
//! Numbers that users measured (`docs/protocol/ilink.md`, limits); none of them is promised by the service.

use std::collections::VecDeque;

/// The limits in force.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) quota: u32,
    pub(super) window_ms: u64,
    pub(super) burst: usize,
    pub(super) burst_within_ms: u64,
    pub(super) burst_rest_ms: u64,
}

/// One person's: what is left of the last message that they wrote.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Meter {
    /// When the person last wrote, ms since 1970; never: `None`.
    pub(super) wrote_ms: Option<u64>,
    /// What the bot has sent since.
    pub(super) used: u32,
}

/// All that one bot sends, whoever it goes to.
#[derive(Debug, Default)]
pub(super) struct Burst {
    sent_ms: VecDeque<u64>,
    shut_until_ms: u64,
}

/// `errmsg` of a refusal.
pub(super) type Refused = &'static str;

impl Meter {
    pub(super) fn wrote(&mut self, now_ms: u64) {
        *self = Self { wrote_ms: Some(now_ms), used: 0 };
    }

    pub(super) fn left(&self, limits: &Limits) -> u32 {
        limits.quota.saturating_sub(self.used)
    }

    pub(super) fn closes_ms(&self, limits: &Limits) -> Option<u64> {
        Some(self.wrote_ms?.saturating_add(limits.window_ms))
    }

    fn judge(&self, limits: &Limits, now_ms: u64) -> Result<(), Refused> {
        match self.closes_ms(limits) {
            // The person must write first; and again after the window.
            None => Err("unknown error"),
            Some(closes) if now_ms >= closes => Err("unknown error"),
            Some(_) if self.left(limits) == 0 => Err("rate limited"),
            Some(_) => Ok(()),
        }
    }
}

/// Counts one message, or refuses it.
pub(super) fn spend(meter: &mut Meter, burst: &mut Burst, limits: &Limits, now_ms: u64) -> Result<(), Refused> {
    if now_ms < burst.shut_until_ms {
        return Err("prepare failed");
    }
    meter.judge(limits, now_ms)?;
    while burst.sent_ms.front().is_some_and(|sent| sent.saturating_add(limits.burst_within_ms) <= now_ms) {
        burst.sent_ms.pop_front();
    }
    if burst.sent_ms.len() >= limits.burst {
        burst.shut_until_ms = now_ms.saturating_add(limits.burst_rest_ms);
        burst.sent_ms.clear();
        return Err("prepare failed");
    }
    burst.sent_ms.push_back(now_ms);
    meter.used += 1;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits =
        Limits { quota: 3, window_ms: 1_000_000, burst: 5, burst_within_ms: 34_000, burst_rest_ms: 180_000 };

    #[test]
    fn nobody_is_written_to_first() {
        let (mut meter, mut burst) = (Meter::default(), Burst::default());
        assert_eq!(spend(&mut meter, &mut burst, &LIMITS, 5), Err("unknown error"));
        meter.wrote(5);
        assert_eq!(spend(&mut meter, &mut burst, &LIMITS, 5), Ok(()));
    }

    #[test]
    fn the_quota_comes_back_when_the_person_writes() {
        let (mut meter, mut burst) = (Meter::default(), Burst::default());
        for round in 0..2 {
            let now = round * 100_000;
            meter.wrote(now);
            let sent: Vec<_> = (0..4).map(|_| spend(&mut meter, &mut burst, &LIMITS, now)).collect();
            assert_eq!(sent, [Ok(()), Ok(()), Ok(()), Err("rate limited")], "{round}");
        }
    }

    #[test]
    fn the_window_shuts_to_the_millisecond() {
        for (now, want) in [(999_999, Ok(())), (1_000_000, Err("unknown error"))] {
            let (mut meter, mut burst) = (Meter::default(), Burst::default());
            meter.wrote(0);
            assert_eq!(spend(&mut meter, &mut burst, &LIMITS, now), want, "{now}");
        }
    }

    #[test]
    fn a_burst_shuts_the_whole_bot_for_a_while() {
        let mut burst = Burst::default();
        let mut people = [Meter::default(); 3];
        people.iter_mut().for_each(|meter| meter.wrote(0));
        let [one, two, three] = &mut people;
        assert!((0..3).all(|_| spend(one, &mut burst, &LIMITS, 10).is_ok()));
        assert!((0..2).all(|_| spend(two, &mut burst, &LIMITS, 20).is_ok()));
        assert_eq!(spend(three, &mut burst, &LIMITS, 30), Err("prepare failed"), "the sixth within 34 s");
        assert_eq!(spend(three, &mut burst, &LIMITS, 180_029), Err("prepare failed"));
        assert_eq!(spend(three, &mut burst, &LIMITS, 180_030), Ok(()));
        // Slowly there is no burst.
        let mut burst = Burst::default();
        let mut meter = Meter::default();
        for at in 0..20 {
            meter.wrote(at * 10_000);
            assert_eq!(spend(&mut meter, &mut burst, &LIMITS, at * 10_000), Ok(()), "{at}");
        }
    }
}
