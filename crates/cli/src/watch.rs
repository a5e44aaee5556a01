//! What asks a running wxbot to read `bot.toml` again? A change of the file, SIGHUP, and `wxbot reload`.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
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
pub(crate) struct Watcher {
    debouncer: Debouncer<RecommendedWatcher, NoCache>,
    file: PathBuf,
    /// Where the file really is, when its name is a link; watched besides the folder of the name.
    beyond: Option<PathBuf>,
    /// Plugins that are files.
    libraries: Arc<Mutex<Vec<PathBuf>>>,
}

/// Asks whenever something happens to the file. Its folder is watched and not the file, since editors write another one
/// and rename it.
pub(crate) fn watch(file: &Path, asks: mpsc::Sender<Ask>) -> notify::Result<Watcher> {
    let watched = file.to_owned();
    let libraries: Arc<Mutex<Vec<PathBuf>>> = Arc::default();
    let followed = Arc::clone(&libraries);
    let on_events = move |events: DebounceEventResult| {
        let ask = match events {
            Ok(events) => {
                let link = is_link(&watched);
                let followed = followed.lock().unwrap_or_else(PoisonError::into_inner);
                events.iter().any(|event| {
                    concerns(event, &watched, link) || followed.iter().any(|library| concerns(event, library, false))
                })
            }
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
    let mut debouncer = new_debouncer_opt::<_, RecommendedWatcher, _>(SETTLED_AFTER, tick, on_events, NoCache, config)?;
    debouncer.watch(folder(file), RecursiveMode::NonRecursive)?;
    let mut watcher = Watcher { debouncer, file: file.to_owned(), beyond: None, libraries };
    watcher.renew();
    Ok(watcher)
}

impl Watcher {
    /// Asks also whenever something happens to these files, and no longer for others than them.
    pub(crate) fn follow(&mut self, libraries: &[PathBuf]) {
        let before =
            std::mem::replace(&mut *self.libraries.lock().unwrap_or_else(PoisonError::into_inner), libraries.to_vec());
        let kept = |folder: &Path| {
            folder == self::folder(&self.file)
                || self.beyond.as_deref() == Some(folder)
                || libraries.iter().any(|library| self::folder(library) == folder)
        };
        for library in before.iter().filter(|library| !kept(folder(library))) {
            self.debouncer.unwatch(folder(library)).ok();
        }
        for library in libraries.iter().filter(|library| !before.contains(library)) {
            if let Err(error) = self.debouncer.watch(folder(library), RecursiveMode::NonRecursive) {
                tracing::warn!(
                    file = %library.display(), %error,
                    "Changes of a plugin's file are not seen; `wxbot plugin reload` works."
                );
            }
        }
    }

    /// Looks again where the file really is: a link may lead elsewhere by now. True when it does, so that the file may
    /// have changed there before it was watched.
    pub(crate) fn renew(&mut self) -> bool {
        let beyond = beyond(&self.file);
        let elsewhere = beyond != self.beyond;
        if let Some(before) = self.beyond.take().filter(|_| elsewhere) {
            self.debouncer.unwatch(&before).ok();
        }
        if let Some(folder) = beyond {
            // Also where it is the same: by this name there may be another folder since.
            match self.debouncer.watch(&folder, RecursiveMode::NonRecursive) {
                Ok(()) => self.beyond = Some(folder),
                Err(error) => {
                    tracing::warn!(
                        folder = %folder.display(), %error,
                        "Where the configuration really is cannot be watched; `wxbot reload` works."
                    );
                    return false;
                }
            }
        }
        elsewhere
    }
}

fn is_link(file: &Path) -> bool {
    std::fs::symlink_metadata(file).is_ok_and(|meta| meta.file_type().is_symlink())
}

/// The folder of what a link leads to, unless that is the link's own.
fn beyond(file: &Path) -> Option<PathBuf> {
    if !is_link(file) {
        return None;
    }
    let real = std::fs::canonicalize(file).ok()?;
    let real = folder(&real);
    (std::fs::canonicalize(folder(file)).ok()?.as_path() != real).then(|| real.to_owned())
}

/// Whether the file may be another one after this event.
fn concerns(event: &notify::Event, file: &Path, link: bool) -> bool {
    // Events were lost: whatever happened is in none of them.
    if event.need_rescan() {
        return true;
    }
    // Our own reading is an event too, and must not be answered by reading. Where the name is a link, what changes is
    // what it leads to, under whatever name.
    let ours = |path: &PathBuf| link || path.file_name() == file.file_name();
    !matches!(event.kind, EventKind::Access(_)) && event.paths.iter().any(ours)
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

/// Stands for what a file holds, and the plugins it names; `None` when it cannot be read. A touch, or a save without a
/// change, keeps it.
pub(crate) fn print_of(file: &Path, libraries: &[PathBuf]) -> Option<u64> {
    let mut hasher = DefaultHasher::new();
    std::fs::read(file).ok()?.hash(&mut hasher);
    for library in libraries {
        std::fs::read(library).ok().hash(&mut hasher);
    }
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
        assert_eq!(print_of(&file, &[]), None);
        std::fs::write(&file, "a").unwrap();
        let first = print_of(&file, &[]);
        std::fs::write(&file, "a").unwrap();
        assert_eq!(print_of(&file, &[]), first);
        std::fs::write(&file, "b").unwrap();
        assert_ne!(print_of(&file, &[]), first);
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

    #[tokio::test]
    async fn plugins_that_are_files_are_watched_while_they_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let (file, plugins) = (dir.path().join("bot.toml"), dir.path().join("plugins"));
        std::fs::create_dir(&plugins).unwrap();
        std::fs::write(&file, "a").unwrap();
        let library = plugins.join("libx.so");
        let (asks, mut asked) = mpsc::channel(ASKS);
        let mut watcher = watch(&file, asks).unwrap();
        watcher.follow(std::slice::from_ref(&library));
        let before = print_of(&file, std::slice::from_ref(&library));
        std::fs::write(plugins.join("new"), "x").unwrap();
        std::fs::rename(plugins.join("new"), &library).unwrap();
        let told = tokio::time::timeout(Duration::from_secs(9), asked.recv()).await.unwrap();
        assert!(matches!(told, Some(Ask::File)), "{told:?}");
        assert_ne!(print_of(&file, std::slice::from_ref(&library)), before);
        watcher.follow(&[]);
        std::fs::write(&library, "y").unwrap();
        let quiet = tokio::time::timeout(SETTLED_AFTER * 3, asked.recv()).await;
        assert!(quiet.is_err(), "{quiet:?}");
    }

    #[test]
    fn lost_events_are_a_change() {
        let rescan = notify::Event::new(EventKind::Other).set_flag(notify::event::Flag::Rescan);
        let other = notify::Event::new(EventKind::Any).add_path("/etc/other".into());
        let file = Path::new("/etc/bot.toml");
        assert!(concerns(&rescan, file, false) && !concerns(&other, file, false) && concerns(&other, file, true));
    }

    #[tokio::test]
    async fn what_a_link_leads_to_is_watched_also_after_it_leads_elsewhere() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        for (name, text) in [("one", "a"), ("two", "b")] {
            std::fs::create_dir(place(name)).unwrap();
            std::fs::write(place(name).join("real.toml"), text).unwrap();
        }
        std::fs::create_dir(place("here")).unwrap();
        let file = place("here").join("bot.toml");
        std::os::unix::fs::symlink("../one/real.toml", &file).unwrap();
        let (asks, mut asked) = mpsc::channel(ASKS);
        let mut watcher = watch(&file, asks).unwrap();
        let mut told = async |what: &str| {
            let told = tokio::time::timeout(Duration::from_secs(9), asked.recv()).await;
            assert!(matches!(told, Ok(Some(Ask::File))), "{what}: {told:?}");
        };
        std::fs::write(place("one").join("real.toml"), "c").unwrap();
        told("another text").await;
        std::os::unix::fs::symlink("../two/real.toml", place("here").join("new")).unwrap();
        std::fs::rename(place("here").join("new"), &file).unwrap();
        told("another link").await;
        assert!(watcher.renew() && !watcher.renew());
        assert_eq!(watcher.beyond, Some(std::fs::canonicalize(place("two")).unwrap()));
        std::fs::write(place("two").join("real.toml"), "d").unwrap();
        told("another text behind the other link").await;
    }
}
