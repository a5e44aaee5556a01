//! When does a push leave, how often, and what goes wrong with it on purpose?
//!
//! Each account has one outbox: its pushes leave one after the other, in order. A push is tried once (the services
//! never repeat one), except the official WeCom callback.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::error::SimError;
use crate::service::book::{Book, PushEntry};
use crate::service::poster::Poster;

/// Pushes that may wait. What the real service does when its receiver stalls is not known; this one refuses orders.
const MAX_WAITING: usize = 200_000;

/// Something that goes wrong with pushes on purpose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PushFault {
    /// Whose pushes; absent: everyone's.
    #[serde(default)]
    pub account: Option<String>,
    /// What happens.
    pub kind: PushFaultKind,
    /// To how many pushes it happens; 0: until cleared.
    #[serde(default = "once")]
    pub times: u32,
    /// How many pushes pass before.
    #[serde(default)]
    pub skip: u32,
}

fn once() -> u32 {
    1
}

impl PushFault {
    /// Happens to the next push, whoever's it is.
    pub fn once(kind: PushFaultKind) -> Self {
        Self { account: None, kind, times: 1, skip: 0 }
    }
}

/// Ways in which pushes go wrong. In JSON: `"lose"`, `{"duplicate": {"times": 3}}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PushFaultKind {
    /// It is pushed so often altogether.
    Duplicate {
        /// 2 or more.
        times: u32,
    },
    /// It is pushed after the one that follows it.
    Swap,
    /// It never leaves.
    Lose,
    /// It leaves so much later, and what follows waits for it.
    Delay {
        /// Milliseconds.
        ms: u64,
    },
    /// It waits until so many are there, and all of them leave at once, on connections of their own.
    Burst {
        /// 2 or more.
        count: usize,
    },
    /// Its last third is missing.
    Truncate,
    /// Bytes that are no text.
    Garbage,
}

/// One push on its way.
#[derive(Debug, Clone)]
pub(crate) struct Push {
    pub(crate) url: String,
    pub(crate) kind: &'static str,
    /// What goes over the wire.
    pub(crate) body: Bytes,
    /// What the journal shows.
    pub(crate) plain: String,
    /// It leaves no earlier than this.
    pub(crate) not_before: Option<Instant>,
    /// How often it is repeated when the answer is not 200.
    pub(crate) repeats: u32,
    /// Between two attempts.
    pub(crate) pause: Duration,
    /// How long the receiver may take.
    pub(crate) limit: Duration,
}

/// The pushes of one account.
#[derive(Debug)]
pub(crate) struct Outbox {
    account: String,
    state: Mutex<State>,
    ready: Notify,
    idle: Notify,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Push>,
    faults: Vec<PushFault>,
    /// Taken out of `waiting` and not yet over.
    busy: usize,
    /// How often the faults were cleared: what is held back then goes.
    cleared: u64,
}

impl Outbox {
    pub(crate) fn new(account: &str) -> Self {
        Self { account: account.to_owned(), state: Mutex::default(), ready: Notify::new(), idle: Notify::new() }
    }

    pub(crate) fn put(&self, push: Push) -> Result<(), SimError> {
        let mut state = self.state();
        if state.waiting.len() >= MAX_WAITING {
            return Err(SimError::Invalid(format!("{MAX_WAITING} pushes of `{}` are waiting already", self.account)));
        }
        state.waiting.push_back(push);
        drop(state);
        self.ready.notify_one();
        Ok(())
    }

    pub(crate) fn inject(&self, fault: &PushFault) {
        if fault.account.as_ref().is_none_or(|account| *account == self.account) {
            self.state().faults.push(fault.clone());
        }
    }

    pub(crate) fn clear_faults(&self) {
        let mut state = self.state();
        state.faults.clear();
        state.cleared += 1;
        drop(state);
        self.ready.notify_one();
    }

    /// Waits until nothing waits any more.
    pub(crate) async fn settled(&self) {
        loop {
            let idle = self.idle.notified();
            tokio::pin!(idle);
            idle.as_mut().enable();
            {
                let state = self.state();
                if state.waiting.is_empty() && state.busy == 0 {
                    return;
                }
            }
            idle.await;
        }
    }

    /// Pushes what comes, for ever.
    pub(crate) async fn run(&self, book: &Book, poster: &Poster) {
        loop {
            let Some((push, fault)) = self.next() else {
                self.idle.notify_waiters();
                self.ready.notified().await;
                continue;
            };
            if let Some(at) = push.not_before {
                tokio::time::sleep_until(at).await;
            }
            match fault {
                None => self.deliver(push, book, poster).await,
                Some(PushFaultKind::Duplicate { times }) => {
                    for _ in 0..times.max(2) {
                        self.deliver(push.clone(), book, poster).await;
                    }
                }
                Some(PushFaultKind::Swap) => {
                    self.gather(1).await;
                    let following = self.state().waiting.pop_front();
                    if let Some(following) = following {
                        self.deliver(following, book, poster).await;
                    }
                    self.deliver(push, book, poster).await;
                }
                Some(PushFaultKind::Lose) => self.note(&push, 1, None, Some("lost"), "", book),
                Some(PushFaultKind::Delay { ms }) => {
                    tokio::time::sleep(Duration::from_millis(ms)).await;
                    self.deliver(push, book, poster).await;
                }
                Some(PushFaultKind::Burst { count }) => {
                    self.gather(count.saturating_sub(1)).await;
                    let mut burst = vec![push];
                    {
                        let waiting = &mut self.state().waiting;
                        let taken = waiting.len().min(count.saturating_sub(1));
                        burst.extend(waiting.drain(..taken));
                    }
                    join_all(burst.into_iter().map(|push| self.deliver(push, book, poster))).await;
                }
                Some(PushFaultKind::Truncate) => {
                    let body = push.body.slice(..push.body.len() * 2 / 3);
                    self.deliver(Push { body, ..push }, book, poster).await;
                }
                Some(PushFaultKind::Garbage) => {
                    let body = Bytes::from_static(b"\x00\xff\xfe{]\x1f\x8b\x80garbage");
                    self.deliver(Push { body, ..push }, book, poster).await;
                }
            }
            self.state().busy = 0;
        }
    }

    /// Holds back until so many others wait, or the faults are cleared.
    async fn gather(&self, wanted: usize) {
        let cleared = self.state().cleared;
        loop {
            {
                let state = self.state();
                if state.waiting.len() >= wanted || state.cleared != cleared {
                    return;
                }
            }
            self.ready.notified().await;
        }
    }

    /// The next push, and the first fault that concerns it.
    fn next(&self) -> Option<(Push, Option<PushFaultKind>)> {
        let mut state = self.state();
        let push = state.waiting.pop_front()?;
        state.busy = 1;
        let mut hit = None;
        for (at, fault) in state.faults.iter_mut().enumerate() {
            if fault.skip > 0 {
                fault.skip -= 1;
                continue;
            }
            hit = Some((at, fault.times == 1, fault.kind));
            fault.times = fault.times.saturating_sub(1);
            break;
        }
        if let Some((at, true, _)) = hit {
            state.faults.remove(at);
        }
        Some((push, hit.map(|(_, _, kind)| kind)))
    }

    async fn deliver(&self, push: Push, book: &Book, poster: &Poster) {
        for attempt in 1..=push.repeats + 1 {
            if attempt > 1 {
                tokio::time::sleep(push.pause).await;
            }
            match poster.post(&push.url, push.kind, push.body.clone(), push.limit).await {
                Ok((status, answer)) => {
                    self.note(&push, attempt, Some(status), None, &String::from_utf8_lossy(&answer), book);
                    if status == 200 {
                        return;
                    }
                }
                Err(error) => self.note(&push, attempt, None, Some(error.name()), "", book),
            }
        }
    }

    fn note(&self, push: &Push, attempt: u32, status: Option<u16>, error: Option<&str>, answer: &str, book: &Book) {
        book.pushed(PushEntry {
            account: self.account.clone(),
            at_ms: book.now_ms(),
            url: push.url.clone(),
            body: push.plain.clone(),
            attempt,
            status,
            error: error.map(str::to_owned),
            answer: answer.to_owned(),
        });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
