//! Is there disk left, and does it take what is written? Below the reserve handling and sending stop, then taking.
//!
//! What was accepted must be handled, and handling writes. So the last of a disk belongs to what comes in: plugins, sends
//! and the clock stop first, at the reserve; taking stops at an eighth of it, or where the store cannot be written at all.
//! Then polls pause and pushes are refused, which both services repeat. All of it goes on by itself, and the state of
//! each account says so meanwhile.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use wxbot_model::size::show_size;

use crate::roster::Roster;
use crate::store::{Cause, Store, Unwritable};

/// How often it is looked at the disk.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Taking stops below this part of the reserve: 32 MiB of 256, twice what the WAL grows to between two checkpoints.
const LAST_PART: u64 = 8;
/// Work goes on when so much more than the reserve is free, or each deleted file would start it for a moment.
const MARGIN_PART: u64 = 16;

/// How much may be done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Level {
    /// Everything.
    #[default]
    Ample,
    /// What comes is taken; nothing is handled or sent.
    Low(Lack),
    /// Nothing is taken either.
    Spent(Lack),
}

/// What is missing, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lack {
    /// What is the matter, and what follows.
    pub why: String,
    /// What cures it.
    pub todo: String,
}

impl Level {
    /// What is missing, if anything.
    pub fn lack(&self) -> Option<&Lack> {
        match self {
            Self::Ample => None,
            Self::Low(lack) | Self::Spent(lack) => Some(lack),
        }
    }
}

/// What all accounts go by.
#[derive(Debug)]
pub(crate) struct Reserve {
    level: watch::Sender<Level>,
    /// Bytes to keep free.
    wanted: watch::Sender<u64>,
}

impl Default for Reserve {
    /// One that nobody watches lets everything pass.
    fn default() -> Self {
        Self { level: watch::Sender::new(Level::Ample), wanted: watch::Sender::new(0) }
    }
}

impl Reserve {
    pub(crate) fn set(&self, bytes: u64) {
        self.wanted.send_replace(bytes);
    }

    pub(crate) fn level(&self) -> Level {
        self.level.borrow().clone()
    }

    pub(crate) fn is_ample(&self) -> bool {
        matches!(*self.level.borrow(), Level::Ample)
    }

    /// Waits until handling and sending may go on.
    pub(crate) async fn ample(&self) {
        if self.is_ample() {
            return;
        }
        // The sender is here, so that it cannot be closed.
        self.level.subscribe().wait_for(|level| matches!(level, Level::Ample)).await.ok();
    }

    /// Waits until nothing may be taken any more.
    pub(crate) async fn spent(&self) {
        self.level.subscribe().wait_for(|level| matches!(level, Level::Spent(_))).await.ok();
    }

    /// Waits until something may be taken.
    pub(crate) async fn can_take(&self) {
        self.level.subscribe().wait_for(|level| !matches!(level, Level::Spent(_))).await.ok();
    }
}

/// What there is to judge.
struct Seen<'a> {
    /// The folder that everything is written to.
    folder: &'a Path,
    /// Bytes that are free there; `None` where nobody can tell.
    free: Option<u64>,
    /// Bytes to keep free.
    reserve: u64,
    unwritable: Option<Unwritable>,
}

/// The next level; `was` is the one before it.
fn judge(seen: &Seen<'_>, was: &Level) -> Level {
    let folder = seen.folder.display();
    if let Some(Unwritable { cause, reason }) = &seen.unwritable {
        let (what, todo) = match cause {
            Cause::Full => ("there is no room for", format!("free some space on the disk of {folder}")),
            Cause::ReadOnly => ("nothing may be written to", format!("let wxbot write to {folder}")),
            Cause::Busy => ("another program holds", format!("end whatever else has the database in {folder} open")),
            Cause::Broken => {
                ("the disk refuses", format!("look after the disk of {folder}, and the limits of the process"))
            }
        };
        return Level::Spent(Lack {
            why: format!(
                "{what} the store in {folder} ({reason}): nothing is taken, handled or sent, and nothing that was taken is lost"
            ),
            todo: format!("{todo}; wxbot goes on by itself"),
        });
    }
    let Some(free) = seen.free.filter(|_| seen.reserve > 0) else { return Level::Ample };
    let (reserve, todo) = (seen.reserve, format!("free some space on the disk of {folder}; wxbot goes on by itself"));
    let wanted = match was {
        Level::Ample => reserve,
        Level::Low(_) | Level::Spent(_) => reserve.saturating_add(reserve / MARGIN_PART),
    };
    // The number itself would be news every second.
    if free < reserve / LAST_PART {
        let left = show_size(reserve / LAST_PART);
        let why = format!(
            "less than {left} are free on the disk of {folder}: nothing is taken, handled or sent, and nothing that was taken is lost"
        );
        Level::Spent(Lack { why, todo })
    } else if free < wanted {
        let left = show_size(reserve);
        let why = format!(
            "less than {left} are free on the disk of {folder} (`[store] reserve`): messages are taken, and handled and answered later"
        );
        Level::Low(Lack { why, todo })
    } else {
        Level::Ample
    }
}

/// Bytes that an ordinary user may still write there.
async fn free(folder: PathBuf) -> Option<u64> {
    // A file system that hangs must not take the others' time along.
    let asked = tokio::task::spawn_blocking(move || rustix::fs::statvfs(&folder));
    let found = asked.await.ok()?.ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

/// Looks at the disk of `folder` each second until `stop`, and tells accounts and doors what follows.
pub(crate) async fn watch(
    reserve: Arc<Reserve>,
    folder: PathBuf,
    store: Arc<dyn Store>,
    roster: Roster,
    stop: CancellationToken,
) {
    let mut wanted = reserve.wanted.subscribe();
    loop {
        let unwritable = store.unwritable();
        let stuck = unwritable.is_some();
        let seen = Seen {
            folder: &folder,
            free: free(folder.clone()).await,
            reserve: *wanted.borrow_and_update(),
            unwritable,
        };
        let was = reserve.level();
        let level = judge(&seen, &was);
        if level != was {
            match level.lack() {
                Some(lack) => tracing::error!(why = %lack.why, todo = %lack.todo, "The disk."),
                None => {
                    tracing::info!(folder = %folder.display(), "The disk is well again; handling and sending go on.")
                }
            }
        }
        let spent = matches!(level, Level::Spent(_));
        reserve.level.send_if_modified(|now| {
            let news = *now != level;
            now.clone_from(&level);
            news
        });
        for account in roster.now().iter() {
            // A reload may have made another door meanwhile.
            if let Some(door) = account.door() {
                door.mailbox().shut(spent);
            }
            if level != was {
                account.show_lack();
                account.outbox.look();
            }
        }
        // The cure is not told to us: it is found by writing. After the others were told, since it may take its time.
        if stuck && store.try_out().await.is_ok() {
            continue;
        }
        tokio::select! {
            () = stop.cancelled() => return,
            _ = wanted.changed() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn level(free: Option<u64>, unwritable: Option<Unwritable>, was: &Level) -> Level {
        judge(&Seen { folder: Path::new("data"), free, reserve: 256 * MIB, unwritable }, was)
    }

    fn word(level: &Level) -> &'static str {
        match level {
            Level::Ample => "ample",
            Level::Low(_) => "low",
            Level::Spent(_) => "spent",
        }
    }

    #[test]
    fn handling_stops_first_taking_last_and_both_go_on() {
        let mut now = Level::Ample;
        for (free, want) in [
            (1_000, "ample"),
            (256, "ample"),
            (255, "low"),
            (32, "low"),
            (31, "spent"),
            (0, "spent"),
            (32, "low"),
            (256, "low"),
            (271, "low"),
            (272, "ample"),
            (256, "ample"),
        ] {
            now = level(Some(free * MIB), None, &now);
            assert_eq!(word(&now), want, "{free} MiB");
            if let Some(lack) = now.lack() {
                assert!(lack.why.contains("MiB") && lack.todo.contains("data"), "{lack:?}");
            }
        }
        assert_eq!(level(None, None, &now), Level::Ample, "what nobody can tell stops nobody");
    }

    #[test]
    fn a_file_that_cannot_be_written_stops_all_and_names_its_own_cure() {
        for (cause, cure) in [
            (Cause::Full, "free some space"),
            (Cause::ReadOnly, "let wxbot write"),
            (Cause::Busy, "end whatever else"),
            (Cause::Broken, "limits of the process"),
        ] {
            let found = level(Some(u64::MAX), Some(Unwritable { cause, reason: "because".into() }), &Level::Ample);
            let Level::Spent(lack) = &found else { panic!("{cause:?}: {found:?}") };
            assert!(lack.todo.contains(cure) && lack.why.contains("because"), "{lack:?}");
        }
    }

    #[test]
    fn without_a_reserve_only_the_store_counts() {
        let seen = Seen { folder: Path::new("data"), free: Some(0), reserve: 0, unwritable: None };
        assert_eq!(judge(&seen, &Level::Ample), Level::Ample);
    }
}
