//! Who keeps a started service alive?

use std::fmt;
use std::future::Future;
use std::ops::Deref;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// A service that serves and pushes. Derefs to it; when this is dropped, it ends.
pub struct Running<S> {
    service: S,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl<S> Running<S> {
    pub(crate) fn new<F>(service: S, run: impl FnOnce(S, CancellationToken) -> F) -> Self
    where
        S: Clone,
        F: Future<Output = ()> + Send + 'static,
    {
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(run(service.clone(), stop.clone()));
        Self { service, stop, tasks }
    }

    /// Ends the service as a process that dies does, and waits until its ports are free.
    pub async fn stop(mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}

impl<S> Deref for Running<S> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.service
    }
}

impl<S: fmt::Debug> fmt::Debug for Running<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Running").field(&self.service).finish()
    }
}
