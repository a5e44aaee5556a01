//! Did what went out keep to the pace, as somebody sees it who only has the moments of arrival?

/// A rate with its burst: at most `burst` at once, and one more each `interval_ms`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    pub(crate) burst: u64,
    pub(crate) interval_ms: u64,
}

/// What the way over loopback may move a moment of arrival.
const JITTER_MS: u64 = 250;

impl Pace {
    /// How many may arrive within so long.
    pub(crate) fn allowed(self, window_ms: u64) -> u64 {
        self.burst + (window_ms + JITTER_MS) / self.interval_ms
    }

    /// The first stretch in which more arrived than the pace allows: how many, and within how long.
    pub(crate) fn broken_by(self, moments_ms: &[u64]) -> Option<(u64, u64)> {
        let mut sorted = moments_ms.to_vec();
        sorted.sort_unstable();
        for (first, &from) in sorted.iter().enumerate() {
            for (count, &until) in (1..).zip(sorted.iter().skip(first)) {
                let window = until - from;
                if count > self.allowed(window) {
                    return Some((count, window));
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_one_by_one() {
        let pace = Pace { burst: 3, interval_ms: 1_000 };
        for (name, moments, want) in [
            ("nothing", vec![], None),
            ("a burst", vec![0, 1, 2], None),
            ("one too many", vec![0, 1, 2, 3], Some((4, 3))),
            ("in time", vec![0, 1, 2, 1_000, 2_000, 3_000], None),
            ("later", vec![0, 9_000, 9_001, 9_002, 9_003], Some((4, 3))),
            ("unsorted", vec![3, 2, 1, 0], Some((4, 3))),
        ] {
            assert_eq!(pace.broken_by(&moments), want, "{name}");
        }
    }
}
