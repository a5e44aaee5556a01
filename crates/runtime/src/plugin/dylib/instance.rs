//! How does the host talk to one instance? It submits bytes, waits for the end of the call, and counts what is on its way.

use std::ffi::c_void;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;
use wxbot_plugin::abi::{Fault, PluginOp, Status, Tickets, WxBuf, contain, lend, take};

use super::aside::{NoResult, aside};
use super::host::{HostCalls, HostSide};
use super::load::LoadedLibrary;

/// How long a cancelled call gets to end before its library counts as hanging.
const AFTER_CANCEL: Duration = Duration::from_secs(1);

/// Calls of this process that wait for a library.
static WAITING: Tickets<Waiting> = Tickets::new();

/// One instance of a loaded plugin. It ends by [`retire`](Self::retire); one that is dropped instead is left as it is.
pub struct Instance {
    library: Arc<LoadedLibrary>,
    raw: Raw,
    host: HostSide,
    flights: Arc<Flights>,
    retiring: AtomicBool,
    /// Ends all waiting at once.
    hurry: CancellationToken,
}

/// Why a call gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// It was cancelled, and counts as in flight until the library says that it ended.
    #[error("it took longer than {after:?}")]
    Timeout {
        /// Its deadline.
        after: Duration,
    },
    /// The instance is being retired. Nothing was asked, or the call was cancelled.
    #[error("the instance is ending")]
    Retiring,
    /// The library said why.
    #[error("{0}")]
    Fault(Fault),
}

/// Why there is no instance.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CreateError {
    /// The library hangs in it.
    #[error("it did not come back within {after:?}")]
    TooSlow {
        /// How long was waited.
        after: Duration,
    },
    /// The library said why.
    #[error("{0}")]
    Fault(Fault),
}

/// How long the steps of an end may take.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Until nothing is in flight.
    pub drain: Duration,
    /// For the plugin's own goodbye.
    pub stop: Duration,
    /// For freeing it.
    pub destroy: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        let ten = Duration::from_secs(10);
        Self { drain: Duration::from_secs(35), stop: ten, destroy: ten }
    }
}

/// How an instance ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retired {
    /// It is gone.
    Clean,
    /// Something of it hangs: it was left as it is, and its library is a zombie.
    Zombie(&'static str),
}

/// How many calls there were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// Submitted to the library.
    pub submitted: u64,
    /// Ended by it: each exactly once.
    pub ended: u64,
}

impl LoadedLibrary {
    /// Makes an instance with these settings (JSON). It starts with [`PluginOp::INIT`].
    ///
    /// # Errors
    /// As the library says, or when it does not come back within `patience`: then the library is a zombie.
    pub async fn create(
        self: &Arc<Self>,
        settings: Vec<u8>,
        calls: Arc<dyn HostCalls>,
        patience: Duration,
    ) -> Result<Instance, CreateError> {
        let host = HostSide::new(calls);
        let (create, table) = (self.table.create, Given(host.table()));
        let made = aside("wxbot-create", patience, move || {
            let (mut instance, mut error) = (std::ptr::null_mut(), WxBuf::EMPTY);
            let settings = lend(&settings);
            // SAFETY: the table's own function; the host's table lives as long as the process, the settings until it
            // returns, and the two places for its answer too.
            let status = unsafe { create(table.get(), settings, &raw mut instance, &raw mut error) };
            // SAFETY: what it wrote there is ours now.
            let error = unsafe { take(&raw mut error) };
            Fault::of_reply(status, error).map(|_| Raw(instance))
        });
        let failed = |error| {
            host.retire();
            Err(error)
        };
        match made.await {
            Ok(Ok(raw)) => {
                let (flights, hurry) = (Arc::default(), CancellationToken::new());
                let (library, retiring) = (Arc::clone(self), AtomicBool::new(false));
                Ok(Instance { library, raw, host, flights, retiring, hurry })
            }
            Ok(Err(fault)) => failed(CreateError::Fault(fault)),
            Err(NoResult::TooSlow) => {
                self.mark_zombie("it hangs while it makes an instance");
                failed(CreateError::TooSlow { after: patience })
            }
            Err(NoResult::Failed) => failed(CreateError::Fault(Fault::of(Status::INTERNAL))),
        }
    }
}

impl Instance {
    /// Its library.
    pub fn library(&self) -> &Arc<LoadedLibrary> {
        &self.library
    }

    /// How many calls have not ended, waited for or not.
    pub fn in_flight(&self) -> u64 {
        let tally = self.tally();
        tally.submitted.saturating_sub(tally.ended)
    }

    /// How many calls there were.
    pub fn tally(&self) -> Tally {
        // In this order: what ended was submitted before.
        let ended = self.flights.ended.load(Ordering::Acquire);
        Tally { submitted: self.flights.submitted.load(Ordering::Acquire), ended }
    }

    /// Performs an operation within `deadline`. The payload is lent: one encoded event serves many plugins.
    ///
    /// Cancel safe: dropping the future cancels the call, which stays in flight until the library ends it.
    ///
    /// # Errors
    /// [`CallError`] by what happens next.
    pub async fn call(&self, op: PluginOp, payload: &[u8], deadline: Duration) -> Result<Vec<u8>, CallError> {
        let flight = Flight::begin(&self.flights);
        // After the flight is counted: `retire` says so first and counts then.
        if self.retiring.load(Ordering::SeqCst) {
            return Err(CallError::Retiring);
        }
        self.fly(flight, op, payload, deadline).await
    }

    /// Performs an operation whose end nobody waits for.
    pub fn tell(&self, op: PluginOp, payload: &[u8]) {
        let flight = Flight::begin(&self.flights);
        if !self.retiring.load(Ordering::SeqCst) {
            let (answer, _nobody) = oneshot::channel();
            self.submit(op, payload, answer, flight).call_id = 0;
        }
    }

    async fn fly(
        &self,
        flight: Arc<Flight>,
        op: PluginOp,
        payload: &[u8],
        deadline: Duration,
    ) -> Result<Vec<u8>, CallError> {
        let (answer, answered) = oneshot::channel();
        let mut cancel = self.submit(op, payload, answer, flight);
        tokio::select! {
            biased;
            answer = answered => {
                cancel.call_id = 0;
                let (status, reply) = answer.unwrap_or((Status::INTERNAL.0, Vec::new()));
                Fault::of_reply(status, reply).map_err(CallError::Fault)
            }
            () = self.hurry.cancelled() => Err(CallError::Retiring),
            () = tokio::time::sleep(deadline) => Err(CallError::Timeout { after: deadline }),
        }
    }

    fn submit(
        &self,
        op: PluginOp,
        payload: &[u8],
        answer: oneshot::Sender<(i32, Vec<u8>)>,
        flight: Arc<Flight>,
    ) -> CancelOnDrop<'_> {
        self.flights.submitted.fetch_add(1, Ordering::AcqRel);
        let user = WAITING.issue(Waiting { answer, flight: Arc::clone(&flight) });
        // SAFETY: the table's own function and its own instance, which is not destroyed while the flight lasts; the
        // payload lives until it returns, and `done` may be called from any thread at any time.
        let call_id = unsafe { (self.library.table.call)(self.raw.0, op.0, lend(payload), user, Some(done)) };
        CancelOnDrop { instance: self, call_id, _flight: flight }
    }

    /// Ends the instance: waits for what is in flight, cancels the rest, lets the plugin say goodbye, frees it.
    ///
    /// Each step is bounded, and none holds an async thread. Call it once, after events go elsewhere.
    pub async fn retire(&self, patience: Patience) -> Retired {
        self.retiring.store(true, Ordering::SeqCst);
        let end = self.end(patience).await;
        self.host.retire();
        match end {
            Ok(()) => Retired::Clean,
            Err(why) => {
                self.library.mark_zombie(why);
                Retired::Zombie(why)
            }
        }
    }

    async fn end(&self, patience: Patience) -> Result<(), &'static str> {
        if tokio::time::timeout(patience.drain, self.flights.none()).await.is_err() {
            self.hurry.cancel();
            self.landed().await.map_err(|()| "a handler does not end")?;
        }
        let goodbye = self.fly_alone(PluginOp::STOP, patience.stop).await;
        if let Err(error) = goodbye {
            tracing::warn!(plugin = self.library.id(), %error, "Plugin did not stop well.");
        }
        self.landed().await.map_err(|()| "its stop does not end")?;
        let (destroy, raw) = (self.library.table.destroy, Given(self.raw.0.cast_const()));
        // SAFETY: the table's own function and its own instance, for the last time: `retiring` lets nobody in, and
        // nothing is in flight, neither in the library nor on its way to `cancel`.
        let work = move || unsafe { destroy(raw.get().cast_mut()) };
        aside("wxbot-destroy", patience.destroy, work).await.map_err(|_hangs| "it cannot be freed")
    }

    /// A call of the end itself, which nothing hurries.
    async fn fly_alone(&self, op: PluginOp, deadline: Duration) -> Result<(), CallError> {
        let (answer, answered) = oneshot::channel();
        let _cancel = self.submit(op, &[], answer, Flight::begin(&self.flights));
        let answer = tokio::time::timeout(deadline, answered).await;
        let answer = answer.map_err(|_elapsed| CallError::Timeout { after: deadline })?;
        let (status, reply) = answer.unwrap_or((Status::INTERNAL.0, Vec::new()));
        Fault::of_reply(status, reply).map(|_| ()).map_err(CallError::Fault)
    }

    async fn landed(&self) -> Result<(), ()> {
        tokio::time::timeout(AFTER_CANCEL, self.flights.none()).await.map_err(|_elapsed| ())
    }
}

/// What waits for the end of one call.
struct Waiting {
    answer: oneshot::Sender<(i32, Vec<u8>)>,
    flight: Arc<Flight>,
}

/// Ends one call, from any thread. One that ended before, or never began, is not found.
unsafe extern "C" fn done(user: *mut c_void, status: i32, reply: *mut WxBuf) {
    contain(|| {
        // SAFETY: the library gives the reply's contents to us.
        let reply = unsafe { take(reply) };
        match WAITING.redeem(user) {
            Some(Waiting { answer, flight }) => {
                flight.0.ended.fetch_add(1, Ordering::AcqRel);
                // Nobody waits any more after a time-out.
                _ = answer.send((status, reply));
            }
            None => tracing::warn!(
                status,
                "A plugin library ended a call that is not under way; it may have ended it twice."
            ),
        }
    });
}

/// Takes a call back unless it ended. It keeps the flight, so that the instance is there to be told.
struct CancelOnDrop<'a> {
    instance: &'a Instance,
    /// 0: nothing to cancel.
    call_id: u64,
    _flight: Arc<Flight>,
}

impl Drop for CancelOnDrop<'_> {
    fn drop(&mut self) {
        if self.call_id != 0 {
            let (cancel, raw) = (self.instance.library.table.cancel, self.instance.raw.0);
            // SAFETY: the table's own function and its own instance, which is not destroyed while the flight lasts.
            unsafe { cancel(raw, self.call_id) };
        }
    }
}

/// What is on its way to an instance, or may still touch it.
#[derive(Default)]
struct Flights {
    up: AtomicUsize,
    landed: Notify,
    submitted: AtomicU64,
    ended: AtomicU64,
}

impl Flights {
    /// Waits until nothing is on its way.
    async fn none(&self) {
        loop {
            let landed = self.landed.notified();
            if self.up.load(Ordering::SeqCst) == 0 {
                return;
            }
            landed.await;
        }
    }
}

/// One call: held by the one who waits and by what waits for the library, until both let go.
struct Flight(Arc<Flights>);

impl Flight {
    fn begin(flights: &Arc<Flights>) -> Arc<Self> {
        flights.up.fetch_add(1, Ordering::SeqCst);
        Arc::new(Self(Arc::clone(flights)))
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        if self.0.up.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.landed.notify_waiters();
        }
    }
}

/// The library's own pointer to an instance.
struct Raw(*mut c_void);

// SAFETY: the functions of a table may be called from any thread with it (the header's last sentence).
unsafe impl Send for Raw {}
// SAFETY: as above.
unsafe impl Sync for Raw {}

/// A pointer on its way to another thread.
struct Given<T>(*const T);

// SAFETY: it points to a host's table, which lives as long as the process, or is an instance as in `Raw`.
unsafe impl<T> Send for Given<T> {}

impl<T> Given<T> {
    fn get(&self) -> *const T {
        self.0
    }
}

impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (library, in_flight) = (self.library.id(), self.in_flight());
        f.debug_struct("Instance").field("library", &library).field("in_flight", &in_flight).finish_non_exhaustive()
    }
}
