//! Who shows somebody that an answer is being written? One task per account, while a handler works for longer than a moment.
//!
//! Handlers only say when they begin and end, by holding a [`Shown`]; whatever ends them drops it: a panic, a time limit, a
//! lane that is torn down. So the end is always told. Nothing depends on any of it: what fails is noted and forgotten.

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::{CancellationToken, DropGuard};
use wxbot_core::protocol::ActionSender;
use wxbot_model::{Capability, ContactId, Event, PeerId};

use crate::account::{Account, Settings};

/// Who answers within this needs no such thing.
const PATIENCE: Duration = Duration::from_secs(1);
/// What services show fades after a while.
const EVERY: Duration = Duration::from_secs(5);
/// One request. A hand that is held up by it longer would show what is long over.
const WITHIN: Duration = Duration::from_secs(10);
/// How long ends may take when wxbot stops.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// The conversations of one account in which it is shown. No more than its lanes, of which few run at once.
#[derive(Debug, Default)]
pub(crate) struct Typing {
    state: Mutex<State>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// From the first request to the answer of the last.
    shown: HashSet<ContactId>,
    begun: Vec<(ContactId, CancellationToken)>,
}

impl Typing {
    fn with<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        f(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Shows it in this conversation until the value is dropped; `None` where that goes on already.
    fn begin(&self, chat: &ContactId) -> Option<DropGuard> {
        let token = CancellationToken::new();
        self.with(|state| state.shown.insert(chat.clone()).then(|| state.begun.push((chat.clone(), token.clone()))))?;
        self.wake.notify_one();
        Some(token.drop_guard())
    }
}

/// Does work. Where it takes long, whoever is there in `whom` sees that it goes on.
pub(super) async fn while_working<T>(account: &Account, whom: Option<ContactId>, work: impl Future<Output = T>) -> T {
    let Some(chat) = whom else { return work.await };
    let mut work = pin!(work);
    match tokio::time::timeout(PATIENCE, &mut work).await {
        Ok(done) => done,
        Err(_elapsed) => {
            let _shown = account.typing.begin(&chat);
            work.await
        }
    }
}

/// Where work for this event is shown: to a person who has just written, where the service can and the owner lets it.
pub(super) fn whom(settings: &Settings, event: &Event) -> Option<ContactId> {
    let wanted = settings.config.typing
        && settings.protocol.capabilities().has(Capability::Typing)
        && !event.late
        && event.sender.is_some()
        && event.message().is_some_and(|message| !message.from_self);
    wanted.then(|| event.chat.id.clone())
}

/// Shows what handlers begin, until `stop`; then ends what is still shown.
pub(crate) async fn run(account: Arc<Account>, stop: CancellationToken) {
    let mut shown: JoinSet<()> = JoinSet::new();
    let over = stop.child_token();
    loop {
        for (chat, ended) in account.typing.with(|state| std::mem::take(&mut state.begun)) {
            let (account, over) = (Arc::clone(&account), over.clone());
            shown.spawn(async move {
                let _off = Off { account: &account, chat: &chat };
                show(&account, &chat, &ended, &over).await;
            });
        }
        tokio::select! {
            () = stop.cancelled() => break,
            () = account.typing.wake.notified() => {}
            Some(_) = shown.join_next() => {}
        }
    }
    let ends = async { while shown.join_next().await.is_some() {} };
    if tokio::time::timeout(LAST_WORDS, ends).await.is_err() {
        shown.shutdown().await;
    }
}

/// The conversation is free for the next one.
struct Off<'a> {
    account: &'a Account,
    chat: &'a ContactId,
}

impl Drop for Off<'_> {
    fn drop(&mut self) {
        self.account.typing.with(|state| state.shown.remove(self.chat));
    }
}

async fn show(account: &Account, chat: &ContactId, ended: &CancellationToken, over: &CancellationToken) {
    let mut last: Option<(Arc<dyn ActionSender>, PeerId)> = None;
    while !ended.is_cancelled() && !over.is_cancelled() {
        let way = account.sender.borrow().clone();
        let peer = account.read_contacts(|book| book.peer_of(chat).cloned());
        if let (Some(way), Some(peer)) = (way, peer) {
            // Before it is told: should this one be cut short, it may have been taken all the same.
            let (way, peer) = last.insert((way, peer));
            tell(account, &**way, peer, true).await;
        }
        tokio::select! {
            () = ended.cancelled() => {}
            () = over.cancelled() => {}
            () = tokio::time::sleep(EVERY) => {}
        }
    }
    if let Some((way, peer)) = last {
        tell(account, &*way, &peer, false).await;
    }
}

async fn tell(account: &Account, way: &dyn ActionSender, to: &PeerId, on: bool) {
    let told = AssertUnwindSafe(way.typing(to, on)).catch_unwind();
    let why = match tokio::time::timeout(WITHIN, told).await {
        Ok(Ok(Ok(()))) => return,
        Ok(Ok(Err(error))) => error.to_string(),
        Ok(Err(_panic)) => "internal error: it panicked; please report it".to_owned(),
        Err(_elapsed) => format!("no answer within {} s", WITHIN.as_secs()),
    };
    tracing::debug!(account = %account.name, on, why, "It could not be shown that an answer is being written.");
}
