//! Which lanes run? At most so many per account and in all; each event to its end.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use wxbot_model::ContactId;

use super::handle::Handler;
use crate::account::Account;

/// Lanes of one account that run side by side: a busy account must not take all of [`LANES`].
const LANES_PER_ACCOUNT: usize = 4;
/// Lanes of all accounts that run side by side. Handlers mostly wait for the store or the network.
const LANES: usize = 64;

/// The lanes all accounts share.
#[derive(Debug, Clone)]
pub(crate) struct Gate(Arc<Semaphore>);

impl Default for Gate {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(LANES)))
    }
}

/// Hands the stored events of one account to its plugins until `stop`, then lets running handlers end for `patience`.
pub(crate) async fn run(account: Arc<Account>, handler: Arc<Handler>, gate: Gate, stop: CancellationToken, patience: Duration) {
    let mut tasks: JoinSet<ContactId> = JoinSet::new();
    let mut next_due = Duration::ZERO;
    let finished = |done: Result<ContactId, tokio::task::JoinError>| match done {
        Ok(lane) => account.feed.done(&lane),
        // The lane is lost until the restart; nothing of it is: its event is still on disk.
        Err(error) => tracing::error!(account = %account.name, %error, "A lane ended badly; please report it."),
    };
    while !stop.is_cancelled() {
        if next_due.is_zero() {
            next_due = unpark(&account).await;
        }
        if let Some((after, asked)) = account.feed.wants_disk() {
            match account.store.waiting(&account.name, after, asked).await {
                Ok(rows) => account.feed.from_disk(rows, asked),
                Err(error) => {
                    tracing::error!(account = %account.name, %error, "Waiting events cannot be read; trying again.");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
        while tasks.len() < LANES_PER_ACCOUNT {
            let Ok(permit) = Arc::clone(&gate.0).try_acquire_owned() else { break };
            let Some(row) = account.feed.take() else { break };
            let (handler, stop) = (Arc::clone(&handler), stop.clone());
            tasks.spawn(async move {
                let lane = row.conv.clone();
                handler.handle(row, &stop).await;
                drop(permit);
                lane
            });
        }
        // With every shared lane taken and none of our own running, nothing of ours would wake us: look again soon.
        let starved = tasks.is_empty() && gate.0.available_permits() == 0;
        let nap = if starved { Duration::from_millis(5) } else { next_due };
        tokio::select! {
            () = stop.cancelled() => {}
            () = account.feed.wake.notified() => {}
            Some(done) = tasks.join_next() => {
                finished(done);
                while let Some(done) = tasks.try_join_next() {
                    finished(done);
                }
            }
            () = tokio::time::sleep(nap) => {
                if !starved {
                    next_due = Duration::ZERO;
                }
            }
        }
    }
    let drained = tokio::time::timeout(patience, async {
        while let Some(done) = tasks.join_next().await {
            finished(done);
        }
    });
    if drained.await.is_err() {
        tracing::warn!(account = %account.name, running = tasks.len(), "Handlers did not end in time; their events are handled again after the start.");
    }
}

/// Brings back parked events that are due; how long until the next are.
async fn unpark(account: &Account) -> Duration {
    let now = account.source.now_ms();
    match account.store.due(&account.name, now, super::feed::CAPACITY).await {
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
