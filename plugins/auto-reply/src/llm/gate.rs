//! May another question go out now? A few of each account at a time, and none while the endpoint is down: a model that is
//! slow must not hold the lanes of chats that ask nobody.
//!
//! Places are per account, so that a busy account leaves the others theirs. Whether the endpoint is down is one state for
//! all accounts that ask it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};
use wxbot_plugin::model::AccountName;

use super::trouble::Trouble;

/// Questions of one account at a time. It has 16 lanes: the greater part stays free for chats that ask no model.
const PLACES: usize = 6;
/// Who finds no place waits so long for one. Longer would only move the queue into the lanes.
const WAIT: Duration = Duration::from_secs(1);
/// So many questions in a row without an answer, and it is down.
const FAILURES: u32 = 3;
/// Then nobody asks for so long, and after it one alone, to see.
const DOWN: Duration = Duration::from_secs(30);

/// What stands before the endpoint.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    /// As many as there are accounts.
    places: Mutex<HashMap<AccountName, Arc<Semaphore>>>,
    health: Mutex<Health>,
}

#[derive(Debug, Default)]
struct Health {
    /// Questions in a row that had no answer.
    failed: u32,
    down_until: Option<Instant>,
    /// Somebody is asking, to see whether it is back.
    probed: bool,
}

/// A question that may be asked. Dropped unjudged, it says nothing about the endpoint.
#[derive(Debug)]
pub(crate) struct Pass<'g> {
    gate: &'g Gate,
    _place: OwnedSemaphorePermit,
    probes: bool,
}

impl Gate {
    /// Waits a moment for a place.
    ///
    /// Cancel safe.
    pub(crate) async fn enter(&self, account: &AccountName) -> Result<Pass<'_>, Trouble> {
        // Whoever would be refused behind the queue is refused before it.
        self.with(|health| if health.probed { Err(health.down()) } else { health.is_up() })?;
        let places = {
            let mut all = self.places.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(all.entry(account.clone()).or_insert_with(|| Arc::new(Semaphore::new(PLACES))))
        };
        let place = timeout(WAIT, places.acquire_owned()).await;
        let place = place.ok().and_then(Result::ok).ok_or(Trouble::Crowded)?;
        let probes = self.with(Health::enter)?;
        Ok(Pass { gate: self, _place: place, probes })
    }

    fn with<T>(&self, f: impl FnOnce(&mut Health) -> T) -> T {
        f(&mut self.health.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Health {
    fn down(&self) -> Trouble {
        let left = self.down_until.map(|until| until.saturating_duration_since(Instant::now()));
        Trouble::Down { left: left.unwrap_or_default() }
    }

    fn is_up(&self) -> Result<(), Trouble> {
        if self.down_until.is_some_and(|until| Instant::now() < until) { Err(self.down()) } else { Ok(()) }
    }

    /// Whether the one who enters is to see if it is back.
    fn enter(&mut self) -> Result<bool, Trouble> {
        self.is_up()?;
        if self.down_until.is_none() {
            return Ok(false);
        }
        if self.probed {
            return Err(self.down());
        }
        self.probed = true;
        Ok(true)
    }
}

impl Pass<'_> {
    /// Tells what became of the question.
    pub(crate) fn judge<T>(self, outcome: &Result<T, Trouble>) {
        self.gate.with(|health| match outcome {
            Err(Trouble::Late { .. } | Trouble::Unreachable { .. }) => {
                health.failed = health.failed.saturating_add(1);
                if health.failed >= FAILURES {
                    health.down_until = Some(Instant::now() + DOWN);
                }
            }
            // Nobody was asked.
            Err(Trouble::Resting { .. } | Trouble::Crowded | Trouble::Down { .. }) => {}
            // It answers, be it nonsense.
            Ok(_) | Err(_) => (health.failed, health.down_until) = (0, None),
        });
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if self.probes {
            self.gate.with(|health| health.probed = false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(name: &str) -> AccountName {
        name.parse().unwrap()
    }

    fn late() -> Result<(), Trouble> {
        Err(Trouble::Late { within: WAIT, what: "" })
    }

    #[tokio::test(start_paused = true)]
    async fn each_account_has_its_places() {
        let (gate, a, b) = (Gate::default(), account("a"), account("b"));
        let mut inside = Vec::new();
        for _ in 0..PLACES {
            inside.push(gate.enter(&a).await.unwrap());
        }
        let begin = Instant::now();
        assert_eq!(gate.enter(&a).await.unwrap_err(), Trouble::Crowded);
        assert_eq!(begin.elapsed(), WAIT);
        gate.enter(&b).await.unwrap();
        inside.pop();
        gate.enter(&a).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn three_failures_close_it_and_one_probe_opens_it() {
        let (gate, a, b) = (Gate::default(), account("a"), account("b"));
        let fails = async |gate: &Gate| gate.enter(&a).await.unwrap().judge(&late());
        fails(&gate).await;
        fails(&gate).await;
        gate.enter(&a).await.unwrap().judge(&Ok(()));
        for _ in 0..FAILURES {
            fails(&gate).await;
        }
        assert_eq!(gate.enter(&b).await.unwrap_err(), Trouble::Down { left: DOWN }, "one endpoint, one state");
        tokio::time::advance(DOWN).await;
        let probe = gate.enter(&a).await.unwrap();
        assert!(matches!(gate.enter(&b).await, Err(Trouble::Down { .. })), "one alone");
        drop(probe);
        gate.enter(&b).await.unwrap().judge(&late());
        assert_eq!(gate.enter(&a).await.unwrap_err(), Trouble::Down { left: DOWN }, "still down");
        tokio::time::advance(DOWN).await;
        gate.enter(&a).await.unwrap().judge(&Ok(()));
        let (_one, _other) = (gate.enter(&a).await.unwrap(), gate.enter(&b).await.unwrap());
    }
}
