//! Who takes pushes while the core is down? A small process that judges them, writes them to the spool, and answers.
//!
//! It runs no plugin, asks nobody anything, and holds of the secrets only those that a push is judged by. Reading order:
//! this file, the process → [`doors`] whose pushes are let in → [`feed`] how they reach the core → [`wire`] in which words.
//! The other end, in the core, is `spooled`.

pub(crate) mod doors;
pub(crate) mod feed;
pub(crate) mod wire;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal as unix_signal};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use wxbot_runtime::config::{self, Registry};
use wxbot_runtime::store::StoreError;
use wxbot_runtime::store::spool::SpoolStore;
use wxbot_runtime::store::sqlite::SqliteSpool;
use wxbot_server::Server;

use crate::args::Args;
use crate::handover;
use crate::place::{data_dir, failure};
use crate::report::{Failure, OrExit, chain};
use crate::server;
use doors::{Doors, Room};

/// Threads: one waits for the network, one for the disk. More would only cost memory.
const THREADS: usize = 1;
const BLOCKING_THREADS: usize = 3;
/// How long the ingress before this one may take to end.
const LOCK_PATIENCE: Duration = Duration::from_secs(10);
/// What pushes must leave free on the disk: the core needs it to handle what was taken.
const RESERVE: u64 = 256 << 20;

pub(crate) fn run(registry: Registry, args: &Args) -> Result<(), Failure> {
    let handed = handover::take()?;
    let config = config::read_for_pushes(&args.config, &registry).map_err(Failure::Config)?;
    let dir = data_dir(&config, args);
    let tokio = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .max_blocking_threads(BLOCKING_THREADS)
        .enable_all()
        .build()
        .or_exit("cannot start the async runtime")?;
    tokio.block_on(async {
        let listen = |kind, name: &str| unix_signal(kind).or_exit(&format!("cannot listen for {name}"));
        let mut hang_up = listen(SignalKind::hangup(), "SIGHUP")?;
        let mut interrupt = listen(SignalKind::interrupt(), "SIGINT")?;
        let mut terminate = listen(SignalKind::terminate(), "SIGTERM")?;
        let spool: Arc<dyn SpoolStore> = Arc::new(open_patiently(&dir).await?);
        let room = Room::new(&dir, RESERVE, config.server.spool_max, Arc::clone(&spool));
        let settings = server::settings(&config.server);
        let doors = Arc::new(Doors::new(registry, args, dir.clone(), Arc::clone(&spool), Arc::new(room)));
        doors.look();
        let server = Server::at(handed.places, settings).map_err(|error| Failure::new(chain(&error)))?;
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn({
            let (doors, stop) = (Arc::clone(&doors), stop.clone());
            async move { server.serve(doors, stop).await }
        });
        let mut around = JoinSet::new();
        around.spawn(feed::serve(dir, Arc::clone(&doors)));
        around.spawn({
            let doors = Arc::clone(&doors);
            async move { doors.room().watch().await }
        });
        let mut gone = std::pin::pin!(handed.keeper.gone());
        loop {
            tokio::select! {
                _ = interrupt.recv() => break,
                _ = terminate.recv() => break,
                () = &mut gone => {
                    tracing::warn!("The keeper is gone; the ingress ends.");
                    break;
                }
                _ = hang_up.recv() => doors.look(),
            }
        }
        // What is under way is still spooled and answered.
        stop.cancel();
        while tasks.join_next().await.is_some() {}
        around.shutdown().await;
        spool.close().await.map_err(failure)
    })
}

async fn open_patiently(dir: &Path) -> Result<SqliteSpool, Failure> {
    let until = Instant::now() + LOCK_PATIENCE;
    loop {
        match SqliteSpool::open(dir) {
            Err(StoreError::Locked { .. }) if Instant::now() < until => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            opened => return opened.map_err(failure),
        }
    }
}
