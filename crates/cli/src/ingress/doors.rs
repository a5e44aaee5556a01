//! Whose pushes are let in, and where do they go? Through the doors of `bot.toml`, each into the spool.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::{CancellationToken, DropGuard};
use wxbot_core::push::{Door, Kept, Knock, Knocked, Mailbox};
use wxbot_model::Secret;
use wxbot_runtime::config::{self, AccountConfig, Registry};
use wxbot_runtime::store::spool::{NewBody, SpoolStore};
use wxbot_server::{Accounts, Spool};

use crate::args::Args;
use crate::control::now_ms;
use crate::report::chain;
use crate::server::{self, Around};
use crate::watch::print_of;
use crate::{hook, wecom};

/// Bodies of one account that go into one commit.
const BODIES: usize = 256;

/// What of an account makes its door.
type Said = (String, Option<String>, Map<String, Value>);

/// The accounts as the ingress knows them.
pub(crate) struct Doors {
    registry: Registry,
    file: PathBuf,
    around: Around,
    spool: Arc<dyn SpoolStore>,
    room: Arc<Room>,
    known: RwLock<Known>,
    core: RwLock<Core>,
    /// Rings when something was put into the spool.
    put: Arc<Notify>,
    spooling: Mutex<JoinSet<()>>,
}

#[derive(Default)]
struct Known {
    /// Of the file that these are from.
    print: Option<u64>,
    doors: BTreeMap<String, (Said, Arc<SpoolDoor>)>,
}

/// What the core says of its accounts.
#[derive(Default)]
struct Core {
    up: bool,
    states: Vec<(String, &'static str, bool)>,
}

/// A door whose bodies wait in the spool instead of for a session. What it lets in is judged as ever.
struct SpoolDoor {
    door: Arc<dyn Door>,
    mailbox: Arc<Mailbox>,
    /// Nobody can put anything into the mailbox after that.
    _ends: DropGuard,
}

impl Doors {
    pub(crate) fn new(
        registry: Registry,
        args: &Args,
        dir: PathBuf,
        spool: Arc<dyn SpoolStore>,
        room: Arc<Room>,
    ) -> Self {
        Self {
            registry,
            file: args.config.clone(),
            around: Around::of(&args.config, &dir),
            spool,
            room,
            known: RwLock::default(),
            core: RwLock::default(),
            put: Arc::default(),
            spooling: Mutex::default(),
        }
    }

    pub(crate) fn spooled(&self) -> &Arc<dyn SpoolStore> {
        &self.spool
    }

    pub(crate) fn room(&self) -> &Arc<Room> {
        &self.room
    }

    /// Waits until something was put in since the last time.
    pub(crate) async fn something_put(&self) {
        self.put.notified().await;
    }

    /// Notes what the core says; `None` when it is gone.
    pub(crate) fn heard(&self, states: Option<Vec<(String, &'static str, bool)>>) {
        let mut core = self.core.write().unwrap_or_else(PoisonError::into_inner);
        core.up = states.is_some();
        core.states = states.unwrap_or_default();
    }

    /// Reads the file again, where it was changed. One that cannot be read changes nothing: the core says what is wrong.
    /// Needs a tokio runtime.
    pub(crate) fn look(&self) {
        let print = print_of(&self.file, &[]);
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if print.is_some() && print == known.print {
            return;
        }
        let config = match config::read_for_pushes(&self.file, &self.registry) {
            Ok(config) => config,
            Err(error) => {
                tracing::warn!(error = %chain(&error), "The configuration cannot be read; pushes come in as before.");
                return;
            }
        };
        known.print = print;
        let mut before = std::mem::take(&mut known.doors);
        for account in config.accounts.iter().filter(|account| account.enabled) {
            let name = account.name.to_string();
            let said = (account.protocol.clone(), account.profile.clone(), account.options.clone());
            let kept = before.remove(&name);
            if let Some((_, door)) = kept.as_ref().filter(|(before, _)| *before == said) {
                known.doors.insert(name, (said, Arc::clone(door)));
                continue;
            }
            match door_of(account, &self.around) {
                Ok(Some(door)) => _ = known.doors.insert(name.clone(), (said, self.open(&name, door))),
                Ok(None) => {}
                Err(why) => {
                    tracing::error!(account = name, why, "Pushes to this account are not taken as the file says.");
                    // Better the address from before than none.
                    known.doors.extend(kept.map(|kept| (name, kept)));
                }
            }
        }
        tracing::info!(accounts = known.doors.len(), "Pushes are taken.");
    }

    fn open(&self, account: &str, door: Arc<dyn Door>) -> Arc<SpoolDoor> {
        let (mailbox, ends) = (Arc::new(Mailbox::new()), CancellationToken::new());
        let spooling = spool(
            account.to_owned(),
            Arc::clone(&mailbox),
            Arc::clone(&self.spool),
            Arc::clone(&self.room),
            Arc::clone(&self.put),
            ends.clone(),
        );
        let mut tasks = self.spooling.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(spooling);
        Arc::new(SpoolDoor { door, mailbox, _ends: ends.drop_guard() })
    }

    fn known(&self, account: &str) -> Option<Arc<dyn Door>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.doors.get(account).map(|(_, door)| Arc::clone(door) as Arc<dyn Door>)
    }
}

/// What is let in to an account; `None` where nothing is pushed to it.
fn door_of(account: &AccountConfig, around: &Around) -> Result<Option<Arc<dyn Door>>, String> {
    if !server::is_pushed(account) {
        return Ok(None);
    }
    match account.protocol.as_str() {
        "pc-hook" => hook::door(account, around).map(Some),
        "wecom" => wecom::door(account, around),
        _ => Ok(None),
    }
}

/// Moves what comes into the spool, many bodies with one commit, and answers them.
async fn spool(
    account: String,
    mailbox: Arc<Mailbox>,
    spool: Arc<dyn SpoolStore>,
    room: Arc<Room>,
    put: Arc<Notify>,
    ends: CancellationToken,
) {
    while let Some(posts) = ends.run_until_cancelled(mailbox.take(BODIES)).await {
        if !room.why_full().is_empty() {
            // Dropped, they are answered with 503.
            continue;
        }
        let (mut bodies, mut kept) = (Vec::with_capacity(posts.len()), Kept::default());
        let recv_ms = now_ms();
        for post in posts {
            let (body, one) = post.open();
            bodies.push(NewBody { account: account.clone(), body, recv_ms });
            kept.and(one);
        }
        match spool.put(bodies).await {
            Ok(()) => {
                kept.tell();
                put.notify_one();
            }
            Err(error) => tracing::error!(account, %error, "Pushes cannot be spooled; their senders are told."),
        }
    }
}

impl Accounts for Doors {
    fn door(&self, account: &str) -> Option<Arc<dyn Door>> {
        self.known(account).or_else(|| {
            // The core may know it already: its file is watched there.
            self.look();
            self.known(account)
        })
    }

    fn shared(&self) -> Vec<(String, Arc<dyn Door>)> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let doors = known.doors.iter().map(|(name, (_, door))| (name.clone(), Arc::clone(door) as Arc<dyn Door>));
        doors.filter(|(_, door)| door.takes_default_path()).collect()
    }

    fn states(&self) -> Vec<(String, &'static str, bool)> {
        let core = self.core.read().unwrap_or_else(PoisonError::into_inner);
        if core.up {
            return core.states.clone();
        }
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.doors.keys().map(|name| (name.clone(), "core_down", false)).collect()
    }

    fn spool(&self) -> Option<Spool> {
        let core_up = self.core.read().unwrap_or_else(PoisonError::into_inner).up;
        let waiting = self.spool.depth().into_iter();
        let waiting = waiting.map(|(account, depth)| (account, depth.bodies, depth.bytes)).collect();
        Some(Spool { core_up, full: self.room.why_full(), waiting })
    }
}

impl Door for SpoolDoor {
    fn knock(&self, knock: &Knock<'_>) -> Knocked {
        self.door.knock(knock)
    }

    fn kept(&self, mark: &str, now_ms: i64) {
        self.door.kept(mark, now_ms);
    }

    fn mailbox(&self) -> &Mailbox {
        &self.mailbox
    }

    fn secrets(&self) -> &[Secret<String>] {
        self.door.secrets()
    }

    fn takes_default_path(&self) -> bool {
        self.door.takes_default_path()
    }
}

impl fmt::Debug for SpoolDoor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SpoolDoor").field(&self.door).finish()
    }
}

/// How much more may be spooled: what the disk has beyond a reserve, and what the file allows.
pub(crate) struct Room {
    dir: PathBuf,
    reserve: u64,
    most: u64,
    spool: Arc<dyn SpoolStore>,
    /// Why nothing more is taken; empty while something is.
    full: RwLock<String>,
}

/// How often the disk is looked at. In between a fast service writes a few hundred MiB at most: the reserve.
const LOOK_EVERY: Duration = Duration::from_secs(1);

impl Room {
    pub(crate) fn new(dir: &Path, reserve: u64, most: u64, spool: Arc<dyn SpoolStore>) -> Self {
        let room = Self { dir: dir.to_owned(), reserve, most, spool, full: RwLock::default() };
        room.look();
        room
    }

    fn why_full(&self) -> String {
        self.full.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks again and again; never ends.
    pub(crate) async fn watch(&self) {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            self.look();
        }
    }

    fn look(&self) {
        let free = match rustix::fs::statvfs(&self.dir) {
            Ok(disk) => disk.f_bavail.saturating_mul(disk.f_frsize),
            Err(error) => {
                tracing::warn!(%error, "Cannot tell how much room the disk has.");
                u64::MAX
            }
        };
        let held: u64 = self.spool.depth().iter().map(|(_, depth)| depth.bytes).sum();
        let why = if free < self.reserve {
            format!("the disk has {} MiB left, and {} MiB are kept free", free >> 20, self.reserve >> 20)
        } else if held >= self.most {
            format!("{} MiB wait for the core, which is all that `spool_max` allows", held >> 20)
        } else {
            String::new()
        };
        let mut full = self.full.write().unwrap_or_else(PoisonError::into_inner);
        match (full.is_empty(), why.is_empty()) {
            (true, false) => tracing::error!(why, "Pushes are refused with 503 until there is room."),
            (false, true) => tracing::info!("There is room again: pushes are taken."),
            (true, true) | (false, false) => {}
        }
        *full = why;
    }
}

#[cfg(test)]
#[path = "doors_tests.rs"]
mod tests;
