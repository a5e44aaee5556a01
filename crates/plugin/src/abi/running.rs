//! Where do a library's handlers run? On a runtime of its own, each call as a task that answers exactly once.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{AbortHandle, Abortable};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::time::Instant;

use super::contain::{contain, discard};
use super::done::Completion;
use super::link::{CURRENT, HostLink};
use super::shim::Library;
use super::words::{Fault, PluginOp, Status};

/// The runtime of this library, made with its first instance.
static RUNTIME: Mutex<Option<Runtime>> = Mutex::new(None);

/// Calls of all instances that have not ended.
static IN_FLIGHT: AtomicUsize = AtomicUsize::new(0);

/// How long a thread looks for the next call before it sleeps: being woken costs about as much, on both sides of the
/// boundary. A library that nobody calls uses no time.
const LINGER: Duration = Duration::from_micros(30);

async fn linger() {
    let until = Instant::now() + LINGER;
    while IN_FLIGHT.load(Ordering::Acquire) == 0 && Instant::now() < until {
        tokio::task::yield_now().await;
    }
}

/// The library's runtime, made unless it is there.
pub(super) fn runtime(threads: usize) -> io::Result<Handle> {
    let mut runtime = RUNTIME.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(runtime) = &*runtime {
        return Ok(runtime.handle().clone());
    }
    // `enable_all`: what the author's own dependencies switch on in tokio is there too.
    let made = Builder::new_multi_thread().worker_threads(threads).thread_name("wxbot-plugin").enable_all().build()?;
    Ok(runtime.insert(made).handle().clone())
}

/// Ends the runtime. True when all calls have ended; those that block a thread beyond `patience` are left behind and
/// answer when they let go.
pub(super) fn shutdown(patience: Duration) -> bool {
    let runtime = RUNTIME.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(runtime) = runtime {
        runtime.shutdown_timeout(patience);
    }
    IN_FLIGHT.load(Ordering::Acquire) == 0
}

/// One instance and its calls.
pub(super) struct Instance<L: Library> {
    plugin: L::Instance,
    link: HostLink,
    runtime: Handle,
    next_id: AtomicU64,
    calls: Mutex<HashMap<u64, AbortHandle>>,
}

impl<L: Library> Instance<L> {
    /// Makes an instance. What the author's code does there may need the runtime already.
    pub(super) fn create(settings: Vec<u8>, link: HostLink, threads: usize) -> Result<Arc<Self>, Fault> {
        let runtime = runtime(threads)
            .map_err(|e| Fault::new(Status::INTERNAL, format!("the library's threads cannot be started: {e}")))?;
        let entered = runtime.enter();
        let plugin = L::create(settings, link)?;
        drop(entered);
        let next_id = AtomicU64::new(1); // 0 means: nothing to cancel
        Ok(Arc::new(Self { plugin, link, runtime, next_id, calls: Mutex::default() }))
    }

    /// Its way to the host.
    pub(super) fn link(&self) -> &HostLink {
        &self.link
    }

    /// Begins a call and answers the id to cancel it by.
    pub(super) fn begin(self: &Arc<Self>, op: PluginOp, payload: Vec<u8>, completion: Completion) -> u64 {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let (abort, registration) = AbortHandle::new_pair();
        // Before the task, which removes it, and without the lock: a runtime that has ended drops the task at once.
        self.calls().insert(id, abort);
        IN_FLIGHT.fetch_add(1, Ordering::AcqRel);
        let call = Call { instance: Arc::clone(self), id, completion: Some(completion) };
        self.runtime.spawn(CURRENT.scope(self.link, async move {
            // The inner block: a handler may panic before it gives its future.
            let work = async { L::call(&call.instance.plugin, op, payload).await };
            let ended = AssertUnwindSafe(Abortable::new(work, registration)).catch_unwind().await;
            let answer = match ended {
                Ok(Ok(answer)) => answer,
                Ok(Err(_aborted)) => Err(Fault::of(Status::CANCELLED)),
                Err(payload) => {
                    discard(payload);
                    Err(Fault::of(Status::PANIC))
                }
            };
            call.answer(answer);
            linger().await;
        }));
        id
    }

    /// Asks for the end of a call; nothing when it has ended.
    pub(super) fn cancel(&self, id: u64) {
        let abort = self.calls().get(&id).cloned();
        if let Some(abort) = abort {
            abort.abort();
        }
    }

    /// Gives the instance up. What the author's code does when it is dropped may need the runtime.
    pub(super) fn give_up(self: Arc<Self>) {
        let left: Vec<_> = self.calls().drain().map(|(_, abort)| abort).collect();
        left.iter().for_each(AbortHandle::abort);
        let runtime = self.runtime.clone();
        let _entered = runtime.enter();
        contain(|| drop(self));
    }

    fn calls(&self) -> MutexGuard<'_, HashMap<u64, AbortHandle>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call on its way. However its task ends, it is removed and answered.
struct Call<L: Library> {
    instance: Arc<Instance<L>>,
    id: u64,
    completion: Option<Completion>,
}

impl<L: Library> Call<L> {
    fn answer(mut self, answer: Result<Vec<u8>, Fault>) {
        let completion = self.completion.take();
        let (status, reply) = match answer {
            Ok(reply) => (Status::OK, reply),
            Err(fault) => fault.into_reply(),
        };
        // First forgotten, then answered: the host may destroy the instance as soon as it has the answer.
        drop(self);
        if let Some(completion) = completion {
            completion.answer(status, reply);
        }
    }
}

impl<L: Library> Drop for Call<L> {
    fn drop(&mut self) {
        self.instance.calls().remove(&self.id);
        IN_FLIGHT.fetch_sub(1, Ordering::AcqRel);
    }
}

impl<L: Library> fmt::Debug for Instance<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instance").field("link", &self.link).field("calls", &self.calls().len()).finish_non_exhaustive()
    }
}
