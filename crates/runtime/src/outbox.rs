//! How do stored sends go out? One task per account: claim, perform, settle; one send of a conversation at a time.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use wxbot_core::SendError;
use wxbot_core::protocol::{ActionSender, Outgoing};
use wxbot_model::{Action, PeerId};

use crate::account::Account;
use crate::config::OnUncertain;
use crate::store::{ClaimSends, ClaimedSend, Settlement};

/// Sends of one account under way at once, each of another conversation. Pacing holds real accounts far below it.
const IN_FLIGHT: usize = 16;
/// Clear refusals before a send is given up.
const MAX_TRIES: u32 = 8;
/// How long a send waits for its contact to be met in this login.
const CONTACT_WAIT: Duration = Duration::from_secs(60);

/// A hash of a text, to know our own message when it comes back. Collisions cost a wrong "proved", so 63 bits.
pub(crate) fn echo_of(text: &str) -> i64 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in text.trim().bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    (hash >> 1).cast_signed()
}

/// Sends what the store has for this account until `stop`, then lets running sends end for `patience`.
pub(crate) async fn run(account: Arc<Account>, stop: CancellationToken, patience: Duration) {
    let mut tasks: JoinSet<()> = JoinSet::new();
    let mut sender = account.sender.subscribe();
    while !stop.is_cancelled() {
        let current = sender.borrow_and_update().clone();
        let mut wake = None;
        if let Some(way) = current
            && tasks.len() < IN_FLIGHT
        {
            wake = claim(&account, &way, &mut tasks).await;
        }
        let nap = Duration::from_millis(u64::try_from(wake.unwrap_or(60_000)).unwrap_or(60_000).clamp(1, 60_000));
        tokio::select! {
            () = stop.cancelled() => {}
            () = account.outbox_wake.notified() => {}
            changed = sender.changed() => if changed.is_err() { break },
            Some(done) = tasks.join_next() => {
                report(&account, done);
                while let Some(done) = tasks.try_join_next() {
                    report(&account, done);
                }
            }
            () = tokio::time::sleep(nap) => {}
        }
    }
    let drained = tokio::time::timeout(patience, async {
        while let Some(done) = tasks.join_next().await {
            report(&account, done)
        }
    });
    if drained.await.is_err() {
        tracing::warn!(account = %account.name, sending = tasks.len(), "Sends did not end in time; after the start they are uncertain.");
    }
}

fn report(account: &Account, done: Result<(), tokio::task::JoinError>) {
    if let Err(error) = done {
        tracing::error!(account = %account.name, %error, "A send ended badly; after the start it is uncertain. Please report it.");
    }
}

/// Claims what may go out and starts it; milliseconds until more may.
async fn claim(account: &Arc<Account>, way: &Arc<dyn ActionSender>, tasks: &mut JoinSet<()>) -> Option<i64> {
    let now_ms = account.source.now_ms();
    let pacing = &account.pacing;
    let ask = ClaimSends {
        account: account.name.clone(),
        limit: IN_FLIGHT - tasks.len(),
        now_ms,
        max_age_ms: i64::try_from(pacing.max_age.as_millis()).unwrap_or(i64::MAX / 2),
        per_account: (pacing.per_account, pacing.burst),
        per_chat: (pacing.per_chat, pacing.per_chat.count.min(pacing.burst)),
    };
    match account.store.claim_sends(ask).await {
        Ok((sends, wake)) => {
            for send in sends {
                let (account, way) = (Arc::clone(account), Arc::clone(way));
                tasks.spawn(async move { perform(&account, &*way, send).await });
            }
            wake.map(|at| (at - now_ms).max(1))
        }
        Err(error) => {
            tracing::error!(account = %account.name, %error, "Sends cannot be claimed; trying again.");
            Some(1_000)
        }
    }
}

async fn perform(account: &Account, way: &dyn ActionSender, send: ClaimedSend) {
    let settlement = match address(account, &send) {
        Ok(outgoing) => judge(account, &send, way.perform(outgoing).await),
        Err(settlement) => settlement,
    };
    if let Settlement::Uncertain { error } | Settlement::Failed { error } = &settlement {
        tracing::warn!(account = %account.name, id = send.id, chat = %send.conv, %error, "A reply was not surely sent.");
    }
    // Settling decides whether it goes out twice: it is tried until the store takes it, or the process ends and the
    // row, still under way, becomes uncertain.
    while let Err(error) = account.store.settle(send.id, settlement.clone()).await {
        tracing::error!(account = %account.name, id = send.id, %error, "A send cannot be settled; trying again.");
        if matches!(error, crate::store::StoreError::Closed) {
            return;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Translates contact ids into the ids of the running login.
fn address(account: &Account, send: &ClaimedSend) -> Result<Outgoing, Settlement> {
    let action: Action = serde_json::from_str(&send.body)
        .map_err(|e| Settlement::Failed { error: format!("the stored action cannot be read: {e}") })?;
    let peer = |id| account.read_contacts(|book| book.peer_of(id).cloned());
    let to = peer(action.to()).ok_or_else(|| Settlement::Again {
        not_before_ms: account.source.now_ms() + i64::try_from(CONTACT_WAIT.as_millis()).unwrap_or(60_000),
        error: format!("{} was not met in this login yet", send.conv),
        counts: false,
    })?;
    let mention: Vec<PeerId> = match &action {
        Action::SendText { mention, .. } => mention.iter().filter_map(peer).collect(),
        _ => Vec::new(),
    };
    Ok(Outgoing { action, to, mention, client_id: send.client_id.clone() })
}

fn judge(account: &Account, send: &ClaimedSend, result: Result<wxbot_core::Receipt, SendError>) -> Settlement {
    let in_ms = |wait: Duration| account.source.now_ms() + i64::try_from(wait.as_millis()).unwrap_or(i64::MAX / 2);
    match result {
        Ok(receipt) => Settlement::Sent { server_id: receipt.server_id },
        Err(SendError::NotTaken { why, .. }) if send.attempts >= MAX_TRIES => {
            Settlement::Failed { error: format!("{why}; given up after {MAX_TRIES} tries") }
        }
        Err(SendError::NotTaken { why, after }) => {
            let grown = Duration::from_secs(1 << send.attempts.min(8)).max(after);
            Settlement::Again { not_before_ms: in_ms(account.source.jitter(grown)), error: why, counts: true }
        }
        Err(SendError::Ended(reason)) => Settlement::Again {
            not_before_ms: in_ms(Duration::from_secs(1)),
            error: format!("the session ended: {reason}"),
            counts: false,
        },
        Err(SendError::Failed { why }) => Settlement::Failed { error: why },
        Err(error) => match account.on_uncertain {
            OnUncertain::Hold => Settlement::Uncertain { error: error.to_string() },
            OnUncertain::Resend if send.attempts < MAX_TRIES => Settlement::Again {
                not_before_ms: in_ms(Duration::from_secs(2)),
                error: error.to_string(),
                counts: true,
            },
            OnUncertain::Resend => Settlement::Failed { error: format!("{error}; given up after {MAX_TRIES} tries") },
            OnUncertain::Drop => Settlement::Dropped { error: error.to_string() },
        },
    }
}
