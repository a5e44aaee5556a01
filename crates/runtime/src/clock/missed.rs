//! What counts of the due times at which nobody was looking? wxbot was not running, the machine slept, the clock jumped.

use serde::{Deserialize, Serialize};

/// What is due no longer ago is not missed but late: a restart, or a busy moment, that lay over it.
const GRACE_MS: i64 = 60_000;
/// More due times than these are not made up for, only the last of them.
pub(crate) const MOST: usize = 100;

/// What becomes of due times that were missed by more than a minute.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Missed {
    /// Nothing: the next one counts.
    #[default]
    Skip,
    /// The last of them stands for all.
    Once,
    /// Each becomes an event; of more than a hundred, the last hundred.
    All,
}

impl Missed {
    /// Those that become events, of all that are due by `now_ms`, in order.
    pub(crate) fn choose(self, mut due: Vec<i64>, now_ms: i64) -> Vec<i64> {
        let late = |at: &i64| now_ms.saturating_sub(*at) <= GRACE_MS;
        match self {
            Self::Skip => due.retain(late),
            Self::Once if !due.iter().all(late) => drop(due.drain(..due.len() - 1)),
            Self::Once | Self::All => {}
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_is_not_missed() {
        let now = 1_000_000;
        let (long_ago, minute_ago) = (now - GRACE_MS - 1, now - GRACE_MS);
        for (what, due, skip, once) in [
            ("nothing", vec![], vec![], vec![]),
            ("at once", vec![now], vec![now], vec![now]),
            ("late", vec![minute_ago, now], vec![minute_ago, now], vec![minute_ago, now]),
            ("missed", vec![long_ago], vec![], vec![long_ago]),
            ("missed and late", vec![5, long_ago, now], vec![now], vec![now]),
        ] {
            assert_eq!(Missed::Skip.choose(due.clone(), now), skip, "{what}");
            assert_eq!(Missed::Once.choose(due.clone(), now), once, "{what}");
            assert_eq!(Missed::All.choose(due.clone(), now), due, "{what}");
        }
    }
}
