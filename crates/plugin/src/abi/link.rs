//! How does a plugin reach its host? Through the table that it got at its creation.

use std::ffi::c_void;
use std::fmt;
use std::mem::offset_of;

use tokio::runtime::Handle;
use tokio::runtime::RuntimeFlavor::CurrentThread;
use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;

use super::buf::{lend, take};
use super::contain::contain;
use super::table::{WxBuf, WxDone, WxHostV1, WxSlice};
use super::tickets::Tickets;
use super::words::{Fault, HostOp, LogLevel, LogRecord, Status};

tokio::task_local! {
    /// The host of the call that this task works on.
    pub(super) static CURRENT: HostLink;
}

/// The calls of this library that wait for the host.
static ASKED: Tickets<oneshot::Sender<(i32, Vec<u8>)>> = Tickets::new();

type HostCall = unsafe extern "C" fn(*mut c_void, u32, WxSlice, *mut c_void, Option<WxDone>) -> u64;

/// One instance's way to the host. After the instance was retired it answers [`Status::HOST_GONE`].
#[derive(Clone, Copy)]
pub struct HostLink {
    ctx: *mut c_void,
    log_level: Option<unsafe extern "C" fn(*mut c_void) -> u32>,
    log: Option<unsafe extern "C" fn(*mut c_void, WxSlice)>,
    call: Option<HostCall>,
}

// SAFETY: the host's table lives as long as the process and its functions may be called from any thread (rule 6 and the
// header's last sentence); `ctx` is only handed back.
unsafe impl Send for HostLink {}
// SAFETY: as above.
unsafe impl Sync for HostLink {}

impl HostLink {
    /// Reads the host's table as far as it goes; nothing for a null.
    ///
    /// # Safety
    /// `host` is null or points to a table that lives as long as the process.
    pub(super) unsafe fn read(host: *const WxHostV1) -> Option<Self> {
        /// A field, if the table has it.
        macro_rules! field {
            ($table:expr, $size:expr, $name:ident, $missing:expr) => {
                if $size >= offset_of!(WxHostV1, $name) + size_of::<*const ()>() {
                    // SAFETY: not null, and `size` covers the field.
                    unsafe { (*$table).$name }
                } else {
                    $missing
                }
            };
        }
        if host.is_null() {
            return None;
        }
        // SAFETY: not null, and every table begins with its size.
        let size = unsafe { (*host).size } as usize;
        Some(Self {
            ctx: field!(host, size, ctx, std::ptr::null_mut()),
            log_level: field!(host, size, log_level, None),
            log: field!(host, size, log, None),
            call: field!(host, size, call, None),
        })
    }

    /// The most verbose level that the host wants to hear.
    pub fn log_level(&self) -> LogLevel {
        // SAFETY: function and `ctx` are those of one table.
        self.log_level.map_or(LogLevel::OFF, |log_level| LogLevel(unsafe { log_level(self.ctx) }))
    }

    /// Hands a record over, if the host wants its level.
    pub fn log(&self, record: &LogRecord) {
        if let Some(log) = self.log.filter(|_| record.level.0 <= self.log_level().0) {
            let record = record.encode();
            // SAFETY: function and `ctx` are those of one table, and the record lives until the call has returned.
            unsafe { log(self.ctx, lend(&record)) };
        }
    }

    /// Asks the host and waits for its answer.
    ///
    /// Dropping the future does not take the question back.
    ///
    /// # Errors
    /// As the host says, or [`Status::HOST_GONE`].
    pub async fn call(&self, op: HostOp, payload: &[u8]) -> Result<Vec<u8>, Fault> {
        let answer = self.ask(op, payload).ok_or_else(|| Fault::of(Status::UNSUPPORTED))?;
        match answer.await {
            Ok((status, reply)) => Fault::of_reply(status, reply),
            Err(_never) => Err(Fault::of(Status::HOST_GONE)),
        }
    }

    /// Asks the host for something that it knows by heart, in code that cannot wait. If it has to think all the same, this
    /// thread waits.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub fn call_now(&self, op: HostOp, payload: &[u8]) -> Result<Vec<u8>, Fault> {
        let mut answer = self.ask(op, payload).ok_or_else(|| Fault::of(Status::UNSUPPORTED))?;
        let (status, reply) = match answer.try_recv() {
            Ok(answer) => answer,
            Err(TryRecvError::Closed) => return Err(Fault::of(Status::HOST_GONE)),
            // A runtime of the author's own with one thread cannot be told that it will stand still.
            Err(TryRecvError::Empty) if Handle::try_current().is_ok_and(|h| h.runtime_flavor() == CurrentThread) => {
                return Err(Fault::of(Status::BUSY));
            }
            Err(TryRecvError::Empty) => {
                tokio::task::block_in_place(|| answer.blocking_recv()).map_err(|_never| Fault::of(Status::HOST_GONE))?
            }
        };
        Fault::of_reply(status, reply)
    }

    /// Tells the host something whose answer says nothing.
    pub fn tell(&self, op: HostOp, payload: &[u8]) {
        drop(self.ask(op, payload));
    }

    fn ask(&self, op: HostOp, payload: &[u8]) -> Option<oneshot::Receiver<(i32, Vec<u8>)>> {
        let call = self.call?;
        let (answer, waiting) = oneshot::channel();
        let user = ASKED.issue(answer);
        // SAFETY: function and `ctx` are those of one table; the payload lives until the call has returned; `answered`
        // may be called from any thread and at any time.
        unsafe { call(self.ctx, op.0, lend(payload), user, Some(answered)) };
        Some(waiting)
    }

    /// Whether both are of the same instance.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.ctx == other.ctx
    }
}

unsafe extern "C" fn answered(user: *mut c_void, status: i32, reply: *mut WxBuf) {
    contain(|| {
        // SAFETY: the host gives the reply's contents to us.
        let reply = unsafe { take(reply) };
        if let Some(waiting) = ASKED.redeem(user) {
            // Whoever asked may have been cancelled.
            _ = waiting.send((status, reply));
        }
    });
}

impl fmt::Debug for HostLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HostLink({:?})", self.ctx)
    }
}
