//! How do many steps share one fsync? Group commit: take what is queued, never wait for more.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::engine;
use super::health::{self, Health};
use crate::failpoint::{Edge, fail_point, reached_step};
use crate::store::StoreError;
use crate::store::health::Unwritable;

/// Steps that wait at most: beyond it callers wait, which slows their sources down. 4096 steps of a few hundred bytes
/// stay below 4 MiB.
const QUEUE: usize = 4096;
/// Steps in one transaction. During its fsync the next batch gathers.
const BATCH: usize = 256;

/// The only way to write.
#[derive(Debug)]
pub(super) struct Writer {
    queue: Mutex<Option<mpsc::Sender<Box<dyn Job>>>>,
    /// The lock is held while [`close`](Self::close) waits, so that a second caller waits as well.
    task: tokio::sync::Mutex<Option<JoinHandle<Result<(), StoreError>>>>,
    health: Arc<Health>,
}

trait Job: Send {
    /// The step in words, as its errors say it.
    fn what(&self) -> &'static str;
    /// May run twice: when another step spoils the common transaction, each runs again in its own.
    fn run(&mut self, connection: &Connection) -> Result<(), Spoilt>;
    fn reply(self: Box<Self>, outcome: Result<(), StoreError>);
}

/// Why a transaction was not made.
struct Spoilt {
    error: StoreError,
    /// It is the file's fault, and every other step would meet the same.
    file: Option<Unwritable>,
}

impl Spoilt {
    fn by(what: &'static str) -> impl Fn(rusqlite::Error) -> Self {
        move |error| Self { file: health::of(&error), error: engine(what)(error) }
    }
}

struct Step<T, F> {
    what: &'static str,
    f: F,
    value: Option<T>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T: Send, F: FnMut(&Connection) -> rusqlite::Result<T> + Send> Job for Step<T, F> {
    fn what(&self) -> &'static str {
        self.what
    }

    fn run(&mut self, connection: &Connection) -> Result<(), Spoilt> {
        // A bug in one step must cost its caller an error and its neighbours nothing.
        let value = catch_unwind(AssertUnwindSafe(|| (self.f)(connection))).map_err(|_panic| {
            let reason = "internal error: the step panicked; please report it".into();
            Spoilt { error: StoreError::Engine { what: self.what, reason }, file: None }
        })?;
        self.value = Some(value.map_err(Spoilt::by(self.what))?);
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
        let health = Arc::<Health>::default();
        #[expect(clippy::disallowed_methods, reason = "owned here: joined in close(), ended by dropping the queue")]
        let task = tokio::spawn(pump(connection, waiting, Arc::clone(&health)));
        Self { queue: Mutex::new(Some(queue)), task: tokio::sync::Mutex::new(Some(task)), health }
    }

    pub(super) fn health(&self) -> &Health {
        &self.health
    }

    /// Whether nothing is queued.
    pub(super) fn is_idle(&self) -> bool {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.as_ref().is_none_or(|queue| queue.capacity() == queue.max_capacity())
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

    /// Lets what is queued finish, then brings the WAL into the main file and closes it.
    ///
    /// Cancel safe: the writer ends all the same.
    pub(super) async fn close(&self) -> Result<(), StoreError> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut task = self.task.lock().await;
        let Some(running) = task.as_mut() else { return Ok(()) };
        let outcome = running.await.unwrap_or(Err(StoreError::Closed));
        *task = None;
        outcome
    }
}

async fn pump(
    connection: Connection,
    mut waiting: mpsc::Receiver<Box<dyn Job>>,
    health: Arc<Health>,
) -> Result<(), StoreError> {
    let connection = Arc::new(Mutex::new(connection));
    let mut jobs = Vec::with_capacity(BATCH);
    while waiting.recv_many(&mut jobs, BATCH).await > 0 {
        // Whoever can run now may have a step too: one turn of theirs costs nothing beside an fsync, and the larger the
        // batch, the fewer fsyncs.
        tokio::task::yield_now().await;
        while jobs.len() < BATCH
            && let Ok(job) = waiting.try_recv()
        {
            jobs.push(job);
        }
        let batch = std::mem::replace(&mut jobs, Vec::with_capacity(BATCH));
        let (connection, health) = (Arc::clone(&connection), Arc::clone(&health));
        // A blocking thread of the runtime, so that a paused test clock waits for it.
        let work = move || commit(&connection.lock().unwrap_or_else(PoisonError::into_inner), batch, &health);
        if let Err(error) = tokio::task::spawn_blocking(work).await {
            tracing::error!(%error, "The store writer failed; the steps of this batch are answered as not done.");
        }
    }
    let last = move || {
        let connection = Arc::into_inner(connection).ok_or(StoreError::Closed)?;
        let connection = connection.into_inner().unwrap_or_else(PoisonError::into_inner);
        fail_point!("close: before the checkpoint");
        connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
            .map_err(engine("bring everything into its file"))?;
        connection.close().map_err(|(_, error)| engine("close its file")(error))?;
        fail_point!("close: after the checkpoint");
        Ok(())
    };
    tokio::task::spawn_blocking(last).await.unwrap_or(Err(StoreError::Closed))
}

fn commit(connection: &Connection, mut batch: Vec<Box<dyn Job>>, health: &Health) {
    let written = connection.total_changes();
    let spoilt = match together(connection, &mut batch) {
        Ok(()) => {
            // A transaction that had nothing to write says nothing about whether it could have.
            if connection.total_changes() != written {
                health.is(None);
            }
            return batch.into_iter().for_each(|job| job.reply(Ok(())));
        }
        Err(spoilt) => spoilt,
    };
    match spoilt.file {
        // Each alone would meet the same, a lock with five seconds of waiting a step.
        Some(file) => {
            // Before the answers: whoever has one finds the reason here.
            let why = file.reason.clone();
            health.is(Some(file));
            for job in batch {
                let (what, reason) = (job.what(), why.clone());
                job.reply(Err(StoreError::Engine { what, reason }));
            }
        }
        None if batch.len() > 1 => {
            // One step spoiled it for all: each gets a transaction of its own, and only the bad one fails.
            let mut rest = batch.into_iter();
            while let Some(job) = rest.next() {
                let mut alone = vec![job];
                let outcome = together(connection, &mut alone);
                let file = outcome.as_ref().err().and_then(|spoilt| spoilt.file.clone());
                let outcome = outcome.map_err(|spoilt| spoilt.error);
                let ill = file.is_some();
                if ill {
                    health.is(file);
                }
                alone.into_iter().for_each(|job| job.reply(outcome.clone()));
                if ill {
                    return commit(connection, rest.collect(), health);
                }
            }
        }
        None => batch.into_iter().for_each(|job| job.reply(Err(spoilt.error.clone()))),
    }
}

fn together(connection: &Connection, batch: &mut [Box<dyn Job>]) -> Result<(), Spoilt> {
    run_cached(connection, "BEGIN IMMEDIATE").map_err(Spoilt::by("begin a transaction"))?;
    let done = batch
        .iter_mut()
        .try_for_each(|job| job.run(connection))
        .inspect(|()| batch_reached(batch, Edge::Before))
        .and_then(|()| run_cached(connection, "COMMIT").map(drop).map_err(Spoilt::by("commit")));
    if done.is_ok() {
        batch_reached(batch, Edge::After);
    }
    if done.is_err() && !connection.is_autocommit() {
        // The first error is the one to tell; a rollback that fails too shows at the next BEGIN.
        run_cached(connection, "ROLLBACK").ok();
    }
    done
}

/// Where tests end the process: on this side of the commit of each step.
fn batch_reached(batch: &[Box<dyn Job>], edge: Edge) {
    batch.iter().for_each(|job| reached_step(job.what(), edge));
}

/// Parsed once: at thousands of transactions a second, parsing BEGIN and COMMIT shows in a profile.
fn run_cached(connection: &Connection, statement: &str) -> rusqlite::Result<usize> {
    connection.prepare_cached(statement)?.execute([])
}
