//! What can an instance ask of its host? Whatever stands behind its context, until it is retired.

use std::ffi::c_void;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, PoisonError, RwLock};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;
use wxbot_plugin::abi::{
    Completion, Fault, HostOp, LogLevel, LogRecord, MINOR, Status, WxDone, WxHostV1, WxSlice, contain, copy, decode,
    discard,
};

/// A longer record of a log is cut: the plugin may have printed a picture.
const MOST_RECORD: usize = 64 * 1024;

/// What the host answers to one instance. Called from threads of the library: nothing may wait here, and what panics is
/// contained.
pub trait HostCalls: Send + Sync + 'static {
    /// Performs an operation. The future runs on the host's runtime, also after the one who asked was cancelled.
    fn call(&self, op: HostOp, payload: Vec<u8>) -> BoxFuture<'static, Result<Vec<u8>, Fault>>;

    /// Takes a record of the plugin's log.
    fn log(&self, record: LogRecord);

    /// The most verbose level that is wanted.
    fn log_level(&self) -> LogLevel;
}

/// The host's side of one instance. The table lives as long as the process, some hundred bytes for each instance: the
/// library may use it at any time.
pub(super) struct HostSide {
    context: &'static Context,
    table: &'static Shared,
}

struct Context {
    live: RwLock<Option<Live>>,
}

#[derive(Clone)]
struct Live {
    calls: Arc<dyn HostCalls>,
    runtime: Handle,
    tasks: TaskTracker,
}

struct Shared(WxHostV1);

// SAFETY: the table does not change after it was made, and its context is shared between threads by a lock.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl HostSide {
    /// Offers `calls`, whose futures run on the runtime of the one who makes this.
    pub(super) fn new(calls: Arc<dyn HostCalls>) -> Self {
        let live = Live { calls, runtime: Handle::current(), tasks: TaskTracker::new() };
        let context: &'static Context = Box::leak(Box::new(Context { live: RwLock::new(Some(live)) }));
        let table = Shared(WxHostV1 {
            size: WxHostV1::SIZE,
            minor: MINOR,
            ctx: std::ptr::from_ref(context).cast_mut().cast(),
            log_level: Some(log_level),
            log: Some(log),
            call: Some(call),
        });
        Self { context, table: Box::leak(Box::new(table)) }
    }

    pub(super) fn table(&self) -> *const WxHostV1 {
        &raw const self.table.0
    }

    /// From now on each question is answered with HOST_GONE. Those that are at work are waited for by nobody.
    pub(super) fn retire(&self) {
        self.context.live.write().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl Context {
    /// Copied out, so that no lock is held while somebody's code runs.
    fn live(&self) -> Option<Live> {
        self.live.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The context behind a library's pointer.
///
/// # Safety
/// `ctx` is that of a table of [`HostSide::new`].
unsafe fn context(ctx: *mut c_void) -> Option<Live> {
    // SAFETY: the caller promises a leaked context, or hands in a null.
    unsafe { ctx.cast::<Context>().as_ref() }.and_then(Context::live)
}

unsafe extern "C" fn log_level(ctx: *mut c_void) -> u32 {
    // SAFETY: the library hands back what the table says.
    let level = contain(|| unsafe { context(ctx) }.map(|live| live.calls.log_level()));
    level.flatten().unwrap_or(LogLevel::OFF).0
}

unsafe extern "C" fn log(ctx: *mut c_void, record: WxSlice) {
    contain(|| {
        // SAFETY: the library hands back what the table says.
        let Some(live) = (unsafe { context(ctx) }) else { return };
        if record.len > MOST_RECORD {
            let message = format!("(a record of {} bytes was left out)", record.len);
            return live.calls.log(LogRecord { level: LogLevel::WARN, message, ..LogRecord::default() });
        }
        // SAFETY: the library lends the record until this function returns.
        let record = unsafe { copy(record) };
        if let Ok(record) = decode(&record) {
            live.calls.log(record);
        }
    });
}

unsafe extern "C" fn call(ctx: *mut c_void, op: u32, payload: WxSlice, user: *mut c_void, done: Option<WxDone>) -> u64 {
    // SAFETY: these are of this call, and only here.
    let completion = unsafe { Completion::new(user, done, Status::HOST_GONE) };
    contain(move || {
        // SAFETY: the library hands back what the table says.
        let Some(live) = (unsafe { context(ctx) }) else {
            return reply(completion, Err(Fault::of(Status::HOST_GONE)));
        };
        // SAFETY: the library lends the payload until this function returns.
        let payload = unsafe { copy(payload) };
        let _entered = live.runtime.enter();
        let mut answer = AssertUnwindSafe(live.calls.call(HostOp(op), payload)).catch_unwind().boxed();
        // What is known by heart is answered before this function returns: the plugin may be unable to wait.
        if let Some(answer) = (&mut answer).now_or_never() {
            return reply(completion, unless_panicked(answer));
        }
        // A runtime that has ended drops the task, and the completion says its last word.
        live.tasks.spawn_on(async move { reply(completion, unless_panicked(answer.await)) }, &live.runtime);
    });
    0
}

fn unless_panicked(ended: std::thread::Result<Result<Vec<u8>, Fault>>) -> Result<Vec<u8>, Fault> {
    ended.unwrap_or_else(|payload| {
        discard(payload);
        Err(Fault::of(Status::PANIC))
    })
}

fn reply(completion: Completion, answer: Result<Vec<u8>, Fault>) {
    let (status, bytes) = match answer {
        Ok(bytes) => (Status::OK, bytes),
        Err(fault) => fault.into_reply(),
    };
    completion.answer(status, bytes);
}

impl fmt::Debug for HostSide {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HostSide({})", if self.context.live().is_some() { "live" } else { "retired" })
    }
}
