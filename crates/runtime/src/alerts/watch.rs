//! Who looks whether something is wrong? A task beside the accounts: it looks each second, and hands on one bulletin at a
//! time.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use wxbot_core::source::Source;

use super::book::{Book, Memory, Sight, Sights};
use super::{AlertSettings, Bulletin};
use crate::account::Account;
use crate::roster::Roster;
use crate::session::phase::Phase;
use crate::store::Store;

/// How often states are looked at.
const LOOK: Duration = Duration::from_secs(1);
/// The store and the disk are looked at each so many looks.
const SLOW_LOOKS: u32 = 10;

/// Tells somebody.
pub trait Deliver: Send + Sync {
    /// Tells a bulletin by every way there is, and tries again where one fails. One is under way at a time; what comes up
    /// meanwhile is gathered into the next.
    fn deliver(&self, bulletin: Bulletin, settings: AlertSettings) -> BoxFuture<'static, ()>;

    /// Keeps what a restart must know. Called when it has changed.
    fn remember(&self, memory: &Memory);
}

/// What is watched.
pub struct Watched {
    /// The accounts that run.
    pub roster: Roster,
    /// What they left to people.
    pub store: Arc<dyn Store>,
    /// The data directory: its disk.
    pub dir: PathBuf,
    /// Time.
    pub source: Source,
    /// What is in force; `None`: nobody is told anything.
    pub settings: watch::Receiver<Option<AlertSettings>>,
    /// What a former run left.
    pub memory: Memory,
}

impl std::fmt::Debug for Watched {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watched").field("roster", &self.roster).finish_non_exhaustive()
    }
}

/// What the store and the disk say, as of the last look at them.
#[derive(Debug, Default)]
struct Slow {
    left: HashMap<String, (u64, u64)>,
    free: Option<u64>,
}

/// Watches until `stop`. A delivery under way ends with it.
pub async fn run(watched: Watched, deliver: Arc<dyn Deliver>, stop: CancellationToken) {
    let Watched { roster, store, dir, source, settings, memory } = watched;
    let (mut book, mut remembered) = (Book::of(memory.clone()), memory);
    let mut under_way: JoinSet<()> = JoinSet::new();
    let (mut slow, mut looks) = (Slow::default(), 0_u32);
    while stop.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_some() {
        while under_way.try_join_next().is_some() {}
        let Some(settings) = settings.borrow().clone() else {
            book = Book::default();
            continue;
        };
        if looks.is_multiple_of(SLOW_LOOKS) {
            slow = look(&*store, &dir, slow).await;
        }
        looks = looks.wrapping_add(1);
        let now_ms = source.now_ms();
        let accounts = roster.now().iter().map(|account| sight(account, &slow)).collect();
        book.see(&Sights { accounts, free: slow.free }, &settings, now_ms);
        if under_way.is_empty()
            && let Some(bulletin) = book.take(now_ms)
        {
            let delivery = AssertUnwindSafe(deliver.deliver(bulletin, settings)).catch_unwind();
            under_way.spawn(async move {
                if delivery.await.is_err() {
                    tracing::error!("Delivering an alert panicked; please report it.");
                }
            });
        }
        let memory = book.memory();
        if memory != remembered {
            deliver.remember(&memory);
            remembered = memory;
        }
    }
    under_way.shutdown().await;
}

async fn look(store: &dyn Store, dir: &Path, before: Slow) -> Slow {
    let left = match store.left_to_people().await {
        Ok(left) => left.into_iter().map(|one| (one.account, (one.dead, one.uncertain))).collect(),
        Err(error) => {
            tracing::warn!(%error, "It cannot be seen what waits for people.");
            before.left
        }
    };
    let dir = dir.to_owned();
    let free = tokio::task::spawn_blocking(move || free(&dir)).await.ok().flatten();
    Slow { left, free }
}

/// Bytes that whoever runs wxbot may still write where `dir` is; `None` where the system does not say.
pub fn free(dir: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(dir).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

fn sight(account: &Account, slow: &Slow) -> Sight {
    let status = account.status();
    let status = status.borrow();
    let name = account.name.to_string();
    let (dead, uncertain) = slow.left.get(&name).copied().unwrap_or_default();
    Sight {
        state: status.phase.word(),
        well: status.phase == Phase::Online,
        at_once: matches!(status.phase, Phase::NeedsLogin | Phase::LoggedOut),
        meant: status.phase == Phase::Stopped,
        why: status.why.clone(),
        cure: status.cure,
        account: name,
        dead,
        uncertain,
    }
}
