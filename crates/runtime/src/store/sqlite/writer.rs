//! How do many steps share one fsync? Group commit: take what is queued, never wait for more.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::engine;
use crate::store::StoreError;

/// Steps that wait at most: beyond it callers wait, which slows their sources down. 4096 steps of a few hundred bytes
/// stay below 4 MiB.
const QUEUE: usize = 4096;
/// Steps in one transaction. During its fsync the next batch gathers.
const BATCH: usize = 256;

/// The only way to write.
#[derive(Debug)]
pub(super) struct Writer {
    queue: Mutex<Option<mpsc::Sender<Box<dyn Job>>>>,
    task: Mutex<Option<JoinHandle<()>>>,
}

trait Job: Send {
    /// May run twice: when another step spoils the common transaction, each runs again in its own.
    fn run(&mut self, connection: &Connection) -> Result<(), StoreError>;
    fn reply(self: Box<Self>, outcome: Result<(), StoreError>);
}

struct Step<T, F> {
    what: &'static str,
    f: F,
    value: Option<T>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T: Send, F: FnMut(&Connection) -> rusqlite::Result<T> + Send> Job for Step<T, F> {
    fn run(&mut self, connection: &Connection) -> Result<(), StoreError> {
        self.value = Some((self.f)(connection).map_err(engine(self.what))?);
        Ok(())
    }

    fn reply(self: Box<Self>, outcome: Result<(), StoreError>) {
        let Self { value, reply, .. } = *self;
        // The caller may have gone away; the step is done all the same.
        reply.send(outcome.and_then(|()| value.ok_or(StoreError::Closed))).ok();
    }
}

impl Writer {
    /// Starts the writer task on the current runtime.
    pub(super) fn start(connection: Connection) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        #[expect(clippy::disallowed_methods, reason = "owned here: joined in close(), ended by dropping the queue")]
        let task = tokio::spawn(pump(connection, waiting));
        Self { queue: Mutex::new(Some(queue)), task: Mutex::new(Some(task)) }
    }

    pub(super) async fn run<T: Send + 'static>(
        &self,
        what: &'static str,
        f: impl FnMut(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner).clone().ok_or(StoreError::Closed)?;
        let (reply, answer) = oneshot::channel();
        queue.send(Box::new(Step { what, f, value: None, reply })).await.map_err(|_ignored| StoreError::Closed)?;
        answer.await.map_err(|_ignored| StoreError::Closed)?
    }

    /// Lets what is queued finish, then brings the WAL into the main file.
    pub(super) async fn close(&self) -> Result<(), StoreError> {
        self.run("checkpoint", |c| c.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))).await.ok();
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        match task {
            Some(task) => task.await.map_err(|_ignored| StoreError::Closed),
            None => Ok(()),
        }
    }
}

async fn pump(connection: Connection, mut waiting: mpsc::Receiver<Box<dyn Job>>) {
    let connection = Arc::new(Mutex::new(connection));
    let mut jobs = Vec::with_capacity(BATCH);
    while waiting.recv_many(&mut jobs, BATCH).await > 0 {
        let batch = std::mem::take(&mut jobs);
        let connection = Arc::clone(&connection);
        // A blocking thread of the runtime, so that a paused test clock waits for it.
        let done = tokio::task::spawn_blocking(move || {
            commit(&connection.lock().unwrap_or_else(PoisonError::into_inner), batch);
        });
        if done.await.is_err() {
            tracing::error!("The store writer panicked; the steps of this batch are answered as failed.");
        }
        jobs.reserve(BATCH);
    }
}

fn commit(connection: &Connection, mut batch: Vec<Box<dyn Job>>) {
    match together(connection, &mut batch) {
        Ok(()) => batch.into_iter().for_each(|job| job.reply(Ok(()))),
        Err(_) if batch.len() > 1 => {
            // One step spoiled it for all: each gets a transaction of its own, and only the bad one fails.
            for job in batch {
                let mut alone = vec![job];
                let outcome = together(connection, &mut alone);
                alone.into_iter().for_each(|job| job.reply(outcome.clone()));
            }
        }
        Err(error) => batch.into_iter().for_each(|job| job.reply(Err(error.clone()))),
    }
}

fn together(connection: &Connection, batch: &mut [Box<dyn Job>]) -> Result<(), StoreError> {
    let tx = rusqlite::Transaction::new_unchecked(connection, rusqlite::TransactionBehavior::Immediate)
        .map_err(engine("begin a transaction"))?;
    for job in batch.iter_mut() {
        job.run(&tx)?;
    }
    tx.commit().map_err(engine("commit"))
}
