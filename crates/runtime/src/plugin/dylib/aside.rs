//! How does the host run what may hang? On a thread of its own, for which it waits only so long.
//!
//! Not tokio's blocking threads: one that never comes back would keep the whole program from ending.

use std::sync::mpsc;
use std::time::Duration;

use tokio::sync::oneshot;
use wxbot_plugin::abi::contain;

/// Why there is no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoResult {
    /// The thread is still at it, and is left there.
    TooSlow,
    /// The work panicked, or there is no thread to be had.
    Failed,
}

/// Runs `work` beside the async threads and waits at most `patience`. Dropping the future leaves the thread at work.
pub(super) async fn aside<T: Send + 'static>(
    name: &str,
    patience: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, NoResult> {
    let (tell, told) = oneshot::channel();
    begin(name, work, |result| _ = tell.send(result))?;
    match tokio::time::timeout(patience, told).await {
        Ok(result) => result.map_err(|_panicked| NoResult::Failed),
        Err(_elapsed) => Err(NoResult::TooSlow),
    }
}

/// The same for code that cannot await.
pub(super) fn aside_waiting<T: Send + 'static>(
    name: &str,
    patience: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, NoResult> {
    let (tell, told) = mpsc::sync_channel(1);
    begin(name, work, move |result| _ = tell.send(result))?;
    told.recv_timeout(patience).map_err(|error| match error {
        mpsc::RecvTimeoutError::Timeout => NoResult::TooSlow,
        mpsc::RecvTimeoutError::Disconnected => NoResult::Failed,
    })
}

/// Starts a thread that tells its result, unless it panics. Nobody may be there any more to be told.
pub(super) fn begin<T>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
    tell: impl FnOnce(T) + Send + 'static,
) -> Result<(), NoResult> {
    let run = move || {
        if let Some(result) = contain(work) {
            tell(result);
        }
    };
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(run);
    thread.map(drop).map_err(|_no_thread| NoResult::Failed)
}
