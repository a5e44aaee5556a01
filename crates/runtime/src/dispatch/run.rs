//! Which lanes run? At most so many per account and in all; each event to its end.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use wxbot_model::ContactId;

use super::handle::Handler;
use crate::account::Account;

/// Lanes of one account that run side by side: a busy account must not take all of [`LANES`]. A lane mostly waits for two
/// commits that it shares with the others, so one account alone is as fast as it has lanes.
const LANES_PER_ACCOUNT: usize = 16;
/// Lanes of all accounts that run side by side. Handlers mostly wait for the store or the network.
const LANES: usize = 128;

/// The lanes all accounts share.
#[derive(Debug, Clone)]
pub(crate) struct Gate(Arc<Semaphore>);

impl Gate {
    /// A place for one lane; `None` when wxbot is so far gone that there are none.
    pub(super) async fn enter(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.0).acquire_owned().await.ok()
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(LANES)))
    }
}

/// What a lane tells when its event has ended.
struct Ended {
    lane: ContactId,
    /// The event was parked and is due after this.
    parked: Option<Duration>,
}

/// Hands the stored events of one account to its plugins until `stop`, then lets running handlers end for `patience`.
pub(crate) async fn run(
    account: Arc<Account>,
    handler: Arc<Handler>,
    gate: Gate,
    stop: CancellationToken,
    patience: Duration,
) {
    let mut tasks: JoinSet<Ended> = JoinSet::new();
    let mut next_due = Instant::now();
    let mut place = None;
    // On a full disk what was taken waits there; what is being handled goes on to its end.
    while stop.run_until_cancelled(account.reserve.ample()).await.is_some() {
        if account.feed.take_parked() || next_due <= Instant::now() {
            next_due = Instant::now() + unpark(&account).await;
        }
        if !refill(&account, &stop).await {
            break;
        }
        let dialog_over = account.dialogs.expire(Instant::now()).map_or(next_due, |over| over.min(next_due));
        let blocked = start_lanes(&account, &handler, &gate, &stop, &mut tasks, place.take());
        tokio::select! {
            () = stop.cancelled() => {}
            () = account.feed.wake.notified() => {}
            // Every shared lane was taken. Only a place of our own surely wakes us: a permit that another account gave
            // back between the look and this wait would be nobody's news.
            permit = gate.enter(), if blocked => place = permit,
            Some(ended) = tasks.join_next() => {
                let mut ended = Some(ended);
                while let Some(one) = ended {
                    let parked = finished(&account, one);
                    next_due = parked.map_or(next_due, |wait| next_due.min(Instant::now() + wait));
                    ended = tasks.try_join_next();
                }
            }
            () = tokio::time::sleep_until(dialog_over) => {}
        }
    }
    // After a start these are first tries again, and no crashes.
    let unbegun = account.feed.unbegun();
    if !unbegun.is_empty()
        && let Err(error) = account.store.give_back(unbegun).await
    {
        tracing::debug!(account = %account.name, %error, "Events that were not begun stay claimed; that counts as one try.");
    }
    let drained = tokio::time::timeout(patience, async {
        while let Some(ended) = tasks.join_next().await {
            finished(&account, ended);
        }
    });
    if drained.await.is_err() {
        let running = tasks.len();
        tracing::warn!(account = %account.name, running, "Handlers did not end in time; their events are handled again after the start.");
    }
}

fn finished(account: &Account, ended: Result<Ended, JoinError>) -> Option<Duration> {
    match ended {
        Ok(ended) => {
            account.feed.done(&ended.lane);
            ended.parked
        }
        // Panics are caught inside the task, so this is an abort while stopping.
        Err(error) => {
            tracing::debug!(account = %account.name, %error, "A lane was cut short.");
            None
        }
    }
}

/// Reads on from the disk where memory has room; false when told to stop meanwhile.
async fn refill(account: &Account, stop: &CancellationToken) -> bool {
    let Some((after, asked)) = account.feed.wants_disk() else { return true };
    match account.store.waiting(&account.name, after, asked).await {
        Ok(rows) => {
            account.feed.add_from_disk(rows, asked);
            true
        }
        Err(error) => {
            tracing::error!(account = %account.name, %error, "Waiting events cannot be read; trying again.");
            stop.run_until_cancelled(tokio::time::sleep(Duration::from_secs(1))).await.is_some()
        }
    }
}

/// Starts what may run; true when something is ready and every shared lane is taken.
fn start_lanes(
    account: &Arc<Account>,
    handler: &Arc<Handler>,
    gate: &Gate,
    stop: &CancellationToken,
    tasks: &mut JoinSet<Ended>,
    mut place: Option<OwnedSemaphorePermit>,
) -> bool {
    while tasks.len() < LANES_PER_ACCOUNT && account.feed.has_ready() {
        let Some(permit) = place.take().or_else(|| Arc::clone(&gate.0).try_acquire_owned().ok()) else { return true };
        let Some(work) = account.feed.take() else { break };
        let (handler, gate, stop) = (Arc::clone(handler), gate.clone(), stop.clone());
        tasks.spawn(async move {
            let (lane, seq) = (work.row.conv.clone(), work.row.seq);
            let handled = AssertUnwindSafe(handler.handle(work, &stop, &gate, permit)).catch_unwind().await;
            if handled.is_err() {
                // A middleware or we ourselves; plugins are caught closer by. The row still counts as running, so that
                // the next start tries it again, at most three times.
                tracing::error!(seq, "Handling an event panicked; please report it.");
            }
            Ended { lane, parked: handled.unwrap_or(None) }
        });
    }
    false
}

/// Memory is full of events that could run: how long until the parked ones are looked at again.
const FULL: Duration = Duration::from_millis(200);

/// Brings back parked events that are due; how long until the next are.
async fn unpark(account: &Account) -> Duration {
    let (now, free) = (account.source.now_ms(), account.feed.free());
    if free == 0 {
        return FULL;
    }
    match account.store.due(&account.name, now, free).await {
        Ok((rows, next)) => {
            account.feed.unpark(rows);
            let wait = next.map_or(60_000, |at| (at - now).clamp(10, 60_000));
            Duration::from_millis(u64::try_from(wait).unwrap_or(60_000))
        }
        Err(error) => {
            tracing::error!(account = %account.name, %error, "Parked events cannot be read; trying again.");
            Duration::from_secs(5)
        }
    }
}
