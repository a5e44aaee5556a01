//! When is a plugin not asked any more? After so many failures in a row it rests for a while.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Failures in a row that open it.
const FAILURES: u32 = 5;
/// How long it stays open then.
const REST: Duration = Duration::from_secs(30);

/// Counts failures of one thing.
#[derive(Debug, Default)]
pub(super) struct Breaker(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    failures: u32,
    open_until: Option<Instant>,
}

impl Breaker {
    fn with<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How long it is still open; `None` when it is not.
    pub(super) fn open_for(&self) -> Option<Duration> {
        self.with(|state| left(state))
    }

    /// Lets one in: while it is closed anybody, after a rest only the first until that one has shown how it is now.
    ///
    /// # Errors
    /// How long it is still open.
    pub(super) fn enter(&self) -> Result<Entered, Duration> {
        self.with(|state| match (state.open_until, left(state)) {
            (Some(_), Some(left)) => Err(left),
            (Some(_), None) => {
                state.open_until = Some(Instant::now() + REST);
                Ok(Entered::Alone)
            }
            (None, _) => Ok(Entered::WithOthers),
        })
    }

    /// Counts how a call ended; true when it opens by that.
    pub(super) fn count(&self, good: bool) -> bool {
        self.with(|state| {
            if good {
                *state = State::default();
                return false;
            }
            state.failures += 1;
            let opens = state.failures >= FAILURES;
            if opens {
                state.open_until = Some(Instant::now() + REST);
            }
            opens
        })
    }
}

/// Who was let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entered {
    /// Anybody may.
    WithOthers,
    /// The first after a rest.
    Alone,
}

fn left(state: &State) -> Option<Duration> {
    state.open_until?.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn five_in_a_row_open_it_and_one_more_afterwards() {
        let breaker = Breaker::default();
        for good in [false, false, false, false, true, false, false, false, false] {
            assert!(!breaker.count(good));
        }
        assert_eq!(breaker.open_for(), None);
        assert!(breaker.count(false));
        assert_eq!(breaker.open_for(), Some(REST));
        assert_eq!(breaker.enter(), Err(REST));
        tokio::time::advance(REST).await;
        assert_eq!(breaker.open_for(), None);
        // One tries it; the others do not hang with it.
        assert_eq!((breaker.enter(), breaker.enter()), (Ok(Entered::Alone), Err(REST)));
        assert!(breaker.count(false), "it has shown nothing good since");
        tokio::time::advance(REST).await;
        assert_eq!(breaker.enter(), Ok(Entered::Alone));
        breaker.count(true);
        assert_eq!((breaker.enter(), breaker.enter()), (Ok(Entered::WithOthers), Ok(Entered::WithOthers)));
    }
}
