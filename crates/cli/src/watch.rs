//! What asks a running wxbot to read `bot.toml` again? A change of the file, SIGHUP, and `wxbot reload`.

use std::ffi::OsStr;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::{EventKind, RecommendedWatcher, RecursiveMode};
use notify_debouncer_full::{DebounceEventResult, Debouncer, NoCache, new_debouncer_opt};
use tokio::signal::unix::Signal;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::reload::Outcome;

/// Somebody wants a reload.
#[derive(Debug)]
pub(crate) enum Ask {
    /// Something happened to the file; perhaps only a touch.
    File,
    /// SIGHUP.
    Signal,
    /// `wxbot reload`, which waits for the answer.
    Command(oneshot::Sender<Outcome>),
}

/// Asks that may wait. One more of the file or a signal is told by those that wait; a command waits for its turn.
pub(crate) const ASKS: usize = 8;
/// An editor writes in several steps; this long after the last one the file is read.
const SETTLED_AFTER: Duration = Duration::from_millis(500);

/// Watches while it lives.
pub(crate) type Watcher = Debouncer<RecommendedWatcher, NoCache>;

/// Asks whenever something happens to the file. Its folder is watched and not the file, since editors write another one
/// and rename it.
pub(crate) fn watch(file: &Path, asks: mpsc::Sender<Ask>) -> notify::Result<Watcher> {
    let (folder, name) = (folder(file), file.file_name().map(OsStr::to_owned));
    // Where the name is a link, what changes is what it leads to, under whatever name.
    let link = std::fs::symlink_metadata(file).is_ok_and(|meta| meta.file_type().is_symlink());
    let on_events = move |events: DebounceEventResult| {
        let concerns = |path: &PathBuf| link || path.file_name() == name.as_deref();
        let ask = match events {
            // Our own reading is an event too, and must not be answered by reading.
            Ok(events) => events
                .iter()
                .any(|event| !matches!(event.kind, EventKind::Access(_)) && event.paths.iter().any(concerns)),
            Err(errors) => {
                tracing::warn!(?errors, "The configuration is not watched as it should be; `wxbot reload` works.");
                false
            }
        };
        if ask {
            asks.try_send(Ask::File).ok();
        }
    };
    let config = notify::Config::default();
    // Its thread wakes up at every tick, changes or not, so there are as few as it allows.
    let tick = Some(SETTLED_AFTER);
    let mut watcher = new_debouncer_opt::<_, RecommendedWatcher, _>(SETTLED_AFTER, tick, on_events, NoCache, config)?;
    watcher.watch(folder, RecursiveMode::NonRecursive)?;
    Ok(watcher)
}

fn folder(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Asks at each SIGHUP. A hang-up of the terminal that wxbot was started at is none of these: it cancels `gone`.
pub(crate) async fn hang_ups(mut signal: Signal, asks: mpsc::Sender<Ask>, gone: CancellationToken) {
    let at_terminal = terminal();
    while signal.recv().await.is_some() {
        if at_terminal && !terminal() {
            gone.cancel();
            return;
        }
        asks.try_send(Ask::Signal).ok();
    }
}

/// Whether a person sits at one of our ends. After a hang-up the ends are still open, and no terminals any more.
fn terminal() -> bool {
    std::io::stdin().is_terminal() || std::io::stdout().is_terminal() || std::io::stderr().is_terminal()
}

/// Stands for what a file holds; `None` when it cannot be read. A touch, or a save without a change, keeps it.
pub(crate) fn print_of(file: &Path) -> Option<u64> {
    let mut hasher = DefaultHasher::new();
    std::fs::read(file).ok()?.hash(&mut hasher);
    Some(hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_of_a_bare_name_is_the_one_we_are_in() {
        for (file, want) in [("bot.toml", "."), ("./bot.toml", "."), ("a/bot.toml", "a"), ("/bot.toml", "/")] {
            assert_eq!(folder(Path::new(file)), Path::new(want), "{file}");
        }
    }

    #[test]
    fn a_print_tells_contents_apart_and_not_moments() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("bot.toml");
        assert_eq!(print_of(&file), None);
        std::fs::write(&file, "a").unwrap();
        let first = print_of(&file);
        std::fs::write(&file, "a").unwrap();
        assert_eq!(print_of(&file), first);
        std::fs::write(&file, "b").unwrap();
        assert_ne!(print_of(&file), first);
    }

    #[tokio::test]
    async fn an_editor_that_renames_is_seen_and_one_that_reads_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("bot.toml");
        std::fs::write(&file, "a").unwrap();
        let (asks, mut asked) = mpsc::channel(ASKS);
        let watcher = watch(&file, asks).unwrap();
        std::fs::read(&file).unwrap();
        std::fs::write(folder.path().join("other"), "b").unwrap();
        let quiet = tokio::time::timeout(SETTLED_AFTER * 3, asked.recv()).await;
        assert!(quiet.is_err(), "{quiet:?}");
        std::fs::rename(folder.path().join("other"), &file).unwrap();
        let told = tokio::time::timeout(Duration::from_secs(9), asked.recv()).await.unwrap();
        assert!(matches!(told, Some(Ask::File)), "{told:?}");
        drop(watcher);
    }
}
