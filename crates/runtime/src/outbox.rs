//! How do stored sends go out? One task per account: claim, perform, settle; one send of a conversation at a time.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use wxbot_core::protocol::{ActionSender, Outgoing};
use wxbot_core::{EndReason, Receipt, SendError};
use wxbot_model::{Action, ClientMsgId};

use crate::account::Account;
use crate::address::{Addressed, address, recalled};
use crate::config::OnUncertain;
use crate::contacts::ask as ask_for;
use crate::failpoint::fail_point;
use crate::pacing::now::ask;
use crate::store::{ClaimSends, ClaimedSend, Settlement};

/// Sends of one account under way at once, each of another conversation. Pacing holds real accounts far below it.
const IN_FLIGHT: usize = 32;
/// Clear refusals before a send is given up.
pub(crate) const MAX_TRIES: u32 = 8;

/// A hash of a text, to know our own message when it comes back. Collisions cost a wrong "proved", so 63 bits.
pub(crate) fn echo_of(text: &str) -> i64 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in text.trim().bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    (hash >> 1).cast_signed()
}

/// Where handlers lay what they have stored, and the outbox task finds it.
#[derive(Debug)]
pub(crate) struct Desk {
    /// Claimed with the event that caused them: they only have to be sent.
    direct: Mutex<Vec<ClaimedSend>>,
    /// There may be more in the store: the task has to look.
    more: AtomicBool,
    under_way: AtomicUsize,
    wake: Notify,
    /// Handlers that wait for what becomes of a send.
    waiting: Mutex<HashMap<ClientMsgId, oneshot::Sender<Settlement>>>,
}

impl Default for Desk {
    fn default() -> Self {
        // A start looks at what a former run left.
        Self {
            direct: Mutex::default(),
            more: AtomicBool::new(true),
            under_way: AtomicUsize::new(0),
            wake: Notify::new(),
            waiting: Mutex::default(),
        }
    }
}

impl Desk {
    /// An event has ended with `count` sends, of which these were claimed at once.
    pub(crate) fn stored(&self, count: usize, claimed: Vec<ClaimedSend>) {
        if count == 0 {
            return;
        }
        if claimed.len() < count {
            self.more.store(true, Ordering::Release);
        }
        self.direct.lock().unwrap_or_else(PoisonError::into_inner).extend(claimed);
        self.wake.notify_one();
    }

    /// Will tell how a send ends that is about to be stored under this id.
    pub(crate) fn expect(&self, id: ClientMsgId) -> Expected<'_> {
        let (tell, told) = oneshot::channel();
        self.waiting(|all| drop(all.insert(id.clone(), tell)));
        Expected { desk: self, id, told }
    }

    fn waiting<T>(&self, f: impl FnOnce(&mut HashMap<ClientMsgId, oneshot::Sender<Settlement>>) -> T) -> T {
        f(&mut self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn tell(&self, id: &ClientMsgId, settlement: Settlement) {
        if let Some(waiting) = self.waiting(|all| all.remove(id)) {
            // Whoever gave up meanwhile needs no word.
            waiting.send(settlement).ok();
        }
    }

    /// Something changed that may let sends go out.
    pub(crate) fn look(&self) {
        self.more.store(true, Ordering::Release);
        self.wake.notify_one();
    }
}

/// The end of a send, for whoever waits for it.
pub(crate) struct Expected<'a> {
    desk: &'a Desk,
    id: ClientMsgId,
    told: oneshot::Receiver<Settlement>,
}

impl Expected<'_> {
    /// How it ended; `None` when it does not within this time.
    ///
    /// Cancel safe: the next call goes on waiting.
    pub(crate) async fn end(&mut self, patience: Duration) -> Option<Settlement> {
        tokio::time::timeout(patience, &mut self.told).await.ok()?.ok()
    }
}

impl Drop for Expected<'_> {
    fn drop(&mut self) {
        self.desk.waiting(|all| drop(all.remove(&self.id)));
    }
}

/// What a handler may claim together with the end of its event; `None` when nothing could be sent now. Several handlers
/// may ask at the same moment, so the bound on sends under way is kept to within the lanes that run.
pub(crate) fn may_claim(account: &Account) -> Option<ClaimSends> {
    let free = IN_FLIGHT.saturating_sub(account.outbox.under_way.load(Ordering::Relaxed));
    (free > 0 && account.sender.borrow().is_some() && account.reserve.is_ample()).then(|| ask(account, free))
}

/// Sends what the store has for this account until `stop`, then lets running sends end for `patience`.
pub(crate) async fn run(account: Arc<Account>, stop: CancellationToken, patience: Duration) {
    if account.settings().config.pacing.lifted {
        tracing::info!(account = %account.name, "The pacing is lifted: it sends as fast as it can. Not for an account of a person.");
    }
    let mut tasks: JoinSet<()> = JoinSet::new();
    let mut sender = account.sender.subscribe();
    while !stop.is_cancelled() {
        let way = sender.borrow_and_update().clone();
        let direct = std::mem::take(&mut *account.outbox.direct.lock().unwrap_or_else(PoisonError::into_inner));
        for send in direct {
            start(&account, way.as_ref(), send, &mut tasks, &stop);
        }
        let wake = match &way {
            Some(way) if account.reserve.is_ample() => claim(&account, way, &mut tasks, &stop).await,
            // On a full disk as well: it wakes this task when it is well again.
            Some(_) | None => LONG,
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = account.outbox.wake.notified() => {}
            changed = sender.changed() => if changed.is_err() { break },
            Some(done) = tasks.join_next() => {
                report(&account, done);
                while let Some(done) = tasks.try_join_next() {
                    report(&account, done);
                }
            }
            () = tokio::time::sleep(wake) => account.outbox.look(),
        }
    }
    // Claimed by a handler that ended after our last look: without a request they would only be uncertain.
    let way = account.sender.borrow().clone();
    for send in std::mem::take(&mut *account.outbox.direct.lock().unwrap_or_else(PoisonError::into_inner)) {
        start(&account, way.as_ref(), send, &mut tasks, &stop);
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

/// Without news the store is looked at this often, in case a wall clock moved.
const LONG: Duration = Duration::from_secs(60);

fn start(
    account: &Arc<Account>,
    way: Option<&Arc<dyn ActionSender>>,
    send: ClaimedSend,
    tasks: &mut JoinSet<()>,
    stop: &CancellationToken,
) {
    if let Some(error) = send.ended {
        tracing::warn!(account = %account.name, id = send.id, chat = %send.conv, %error, "A message was not sent.");
        return account.outbox.tell(&send.client_id, Settlement::Failed { error });
    }
    account.outbox.under_way.fetch_add(1, Ordering::Relaxed);
    let (account, way, stop) = (Arc::clone(account), way.cloned(), stop.clone());
    tasks.spawn(async move { perform(&account, way.as_deref(), send, &stop).await });
}

fn report(account: &Account, done: Result<(), tokio::task::JoinError>) {
    account.outbox.under_way.fetch_sub(1, Ordering::Relaxed);
    if let Err(error) = done {
        tracing::error!(account = %account.name, %error, "A send ended badly; after the start it is uncertain. Please report it.");
    }
}

/// Claims what may go out, if there may be anything, and starts it; how long until more may.
async fn claim(
    account: &Arc<Account>,
    way: &Arc<dyn ActionSender>,
    tasks: &mut JoinSet<()>,
    stop: &CancellationToken,
) -> Duration {
    let desk = &account.outbox;
    if tasks.len() >= IN_FLIGHT || !desk.more.swap(false, Ordering::AcqRel) {
        return LONG;
    }
    let ask = ask(account, IN_FLIGHT - tasks.len());
    let now_ms = ask.now_ms;
    match account.store.claim_sends(ask).await {
        Ok((sends, wake)) => {
            // Until nothing is found with nothing under way, something may wait behind a lane or a pace.
            if !sends.is_empty() || wake.is_some() || !tasks.is_empty() {
                desk.more.store(true, Ordering::Release);
            }
            let ended = sends.iter().any(|send| send.ended.is_some());
            for send in sends {
                start(account, Some(way), send, tasks, stop);
            }
            if ended {
                // No task of theirs wakes anybody.
                return Duration::ZERO;
            }
            wake.map_or(LONG, |at| Duration::from_millis(u64::try_from(at - now_ms).unwrap_or(0).clamp(1, 60_000)))
        }
        Err(error) => {
            desk.more.store(true, Ordering::Release);
            tracing::error!(account = %account.name, %error, "Sends cannot be claimed; trying again.");
            Duration::from_secs(1)
        }
    }
}

async fn perform(account: &Account, way: Option<&dyn ActionSender>, send: ClaimedSend, stop: &CancellationToken) {
    fail_point!("send: begun");
    // It may wait for a file; who stops meanwhile leaves it as it was.
    let addressed = stop.run_until_cancelled(address(account, &send)).await;
    let addressed = addressed.unwrap_or_else(|| Err(back(account, "wxbot stopped while its file was fetched")));
    if let Ok(Addressed { outgoing: Outgoing { action: Action::SendText { to, .. }, others, .. }, .. }) = &addressed
        && !others.is_empty()
    {
        // A mention is written with the name that the room shows. Without it the text goes out all the same.
        ask_for::room_of(account, to).await.ok();
    }
    fail_point!("send: addressed");
    let settlement = match (addressed, way) {
        (Ok(Addressed { outgoing, hold: _kept }), Some(way)) => {
            let file = outgoing.media.as_ref();
            let since_ms = account.source.now_ms();
            let _shown = file.map(|file| account.uploads.begin(send.id, &send.conv, file, since_ms));
            let recalls = recalled(&outgoing.action);
            // A bug of the protocol must not keep the lane closed until the next start.
            let result = AssertUnwindSafe(way.perform(outgoing)).catch_unwind().await.unwrap_or_else(|_panic| {
                Err(SendError::Uncertain { why: "internal error: sending panicked; please report it".into() })
            });
            fail_point!("send: answered");
            if matches!(result, Err(SendError::Ended(EndReason::TokenRefused))) && is_current(account, way) {
                // A poll may be held open for long; nothing is gained by waiting for it to hear the same.
                account.token_refused.notify_waiters();
            }
            // What was taken back is kept as the id of the recall, so that the next one takes the message before it.
            let known = |receipt: Receipt| match recalls {
                Some(msg) => Receipt { server_id: Some(msg.to_string()) },
                None => receipt,
            };
            judge(account, &send, result.map(known))
        }
        (Ok(_), None) => back(account, "the session ended before it was sent"),
        (Err(settlement), _) => settlement,
    };
    let again = matches!(settlement, Settlement::Again { .. } | Settlement::Resent { .. } | Settlement::Shut { .. });
    if let Settlement::Uncertain { error } | Settlement::Failed { error } | Settlement::Held { error } = &settlement {
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
    fail_point!("send: settled");
    if matches!(settlement, Settlement::Held { .. }) {
        // Whoever it is for may have been found while it was being put aside: the session looks again.
        account.write_contacts(|book| book.mark_moved());
    }
    if again {
        account.outbox.look();
    } else {
        account.outbox.tell(&send.client_id, settlement);
    }
}

/// Whether the session that this is of still runs: what an older one met says nothing about the new one.
fn is_current(account: &Account, way: &dyn ActionSender) -> bool {
    account.sender.borrow().as_deref().is_some_and(|now| std::ptr::addr_eq(now, way))
}

/// Nothing of it was written: as it was before.
fn back(account: &Account, why: &str) -> Settlement {
    Settlement::Again { not_before_ms: account.source.now_ms(), error: why.into(), counts: false, unsure: false }
}

fn judge(account: &Account, send: &ClaimedSend, result: Result<Receipt, SendError>) -> Settlement {
    let in_ms = |wait: Duration| account.source.now_ms() + i64::try_from(wait.as_millis()).unwrap_or(i64::MAX / 2);
    match result {
        Ok(receipt) => Settlement::Sent { server_id: receipt.server_id },
        Err(SendError::NotTaken { why, .. }) if send.attempts >= MAX_TRIES => {
            Settlement::Failed { error: format!("{why}; given up after {MAX_TRIES} tries") }
        }
        Err(SendError::NotTaken { why, after }) => {
            let grown = Duration::from_secs(1 << send.attempts.min(8)).max(after);
            Settlement::Again {
                not_before_ms: in_ms(account.source.jitter(grown)),
                error: why,
                counts: true,
                unsure: false,
            }
        }
        // Not the message is at fault, so no try is counted. Where there are no reply windows, it only waits.
        Err(SendError::Closed { why, after }) => {
            let error = format!("the conversation is closed: {why}");
            Settlement::Shut { not_before_ms: in_ms(after), error }
        }
        Err(SendError::Ended(reason)) => Settlement::Again {
            not_before_ms: in_ms(Duration::from_secs(1)),
            error: format!("the session ended: {reason}"),
            counts: false,
            unsure: false,
        },
        // It waits for a person as the whole account does, which sends nothing more until then.
        Err(SendError::Stopped { why, .. }) => Settlement::Again {
            not_before_ms: in_ms(Duration::from_secs(1)),
            error: format!("stopped by risk control: {why}"),
            counts: false,
            unsure: false,
        },
        Err(SendError::Failed { why }) => Settlement::Failed { error: why },
        Err(error) => match account.settings().config.on_uncertain {
            OnUncertain::Hold | OnUncertain::Resend
                if account.settings().protocol.resends_safely() && send.attempts < MAX_TRIES =>
            {
                let grown = Duration::from_secs(1 << send.attempts.min(8));
                Settlement::Resent { not_before_ms: in_ms(account.source.jitter(grown)), error: error.to_string() }
            }
            OnUncertain::Hold => Settlement::Uncertain { error: error.to_string() },
            OnUncertain::Resend if send.attempts < MAX_TRIES => Settlement::Again {
                not_before_ms: in_ms(Duration::from_secs(2)),
                error: error.to_string(),
                counts: true,
                unsure: true,
            },
            OnUncertain::Resend => Settlement::Failed { error: format!("{error}; given up after {MAX_TRIES} tries") },
            OnUncertain::Drop => Settlement::Dropped { error: error.to_string() },
        },
    }
}
