//! What does a plugin consist of? The files that are watched, and a print that tells whether one is another now.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode};
use notify_debouncer_full::{DebounceEventResult, Debouncer, NoCache, new_debouncer_opt};
use tokio::sync::mpsc;

use super::super::cargo::Crate;
use crate::report::{Failure, OrExit};

/// An editor writes in several steps; this long after the last one the sources are looked at.
const SETTLED_AFTER: Duration = Duration::from_millis(200);
/// A crate with more files is none by hand.
const MOST_FILES: usize = 20_000;

/// The sources of a crate, watched while this lives.
pub(super) struct Sources {
    folder: PathBuf,
    target: PathBuf,
    changes: mpsc::Receiver<()>,
    _watcher: Debouncer<RecommendedWatcher, NoCache>,
}

impl Sources {
    /// Watches the crate's folder and all below it but what cargo, git and wxbot write there. A folder that is made at
    /// the top later is not watched before the next start.
    pub(super) fn watch(krate: &Crate) -> Result<Self, Failure> {
        // One that waits says it for all.
        let (tell, changes) = mpsc::channel(1);
        let on_events = move |_events: DebounceEventResult| {
            tell.try_send(()).ok();
        };
        let config = notify::Config::default();
        let why = format!("cannot watch {}", krate.folder.display());
        let mut watcher = new_debouncer_opt::<_, RecommendedWatcher, _>(
            SETTLED_AFTER,
            Some(SETTLED_AFTER),
            on_events,
            NoCache,
            config,
        )
        .or_exit(&why)?;
        watcher.watch(&krate.folder, RecursiveMode::NonRecursive).or_exit(&why)?;
        for entry in fs::read_dir(&krate.folder).or_exit(&why)?.flatten() {
            let path = entry.path();
            if path.is_dir() && is_source(&path, &krate.target) {
                watcher.watch(&path, RecursiveMode::Recursive).or_exit(&why)?;
            }
        }
        // For its bot.toml; the data of the bot lies deeper.
        let home = super::home::folder(&krate.folder);
        fs::create_dir_all(&home).or_exit(&format!("cannot make {}", home.display()))?;
        watcher.watch(&home, RecursiveMode::NonRecursive).or_exit(&why)?;
        Ok(Self { folder: krate.folder.clone(), target: krate.target.clone(), changes, _watcher: watcher })
    }

    /// Waits until something happened; perhaps nothing that matters.
    ///
    /// Cancel safe.
    pub(super) async fn changed(&mut self) {
        if self.changes.recv().await.is_none() {
            std::future::pending().await
        }
    }

    /// Stands for all files as they are now: their names, lengths and times.
    pub(super) fn print(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        let mut left = MOST_FILES;
        add(&self.folder, &self.target, &mut left, &mut hasher);
        hasher.finish()
    }
}

fn add(folder: &Path, target: &Path, left: &mut usize, hasher: &mut DefaultHasher) {
    let mut entries: Vec<_> = fs::read_dir(folder).into_iter().flatten().flatten().collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let (Ok(kind), true, 1..) = (entry.file_type(), is_source(&path, target), *left) else { continue };
        *left -= 1;
        if kind.is_dir() {
            add(&path, target, left, hasher);
        } else if let Ok(meta) = fs::metadata(&path) {
            (path, meta.len(), meta.modified().ok()).hash(hasher);
        }
    }
}

/// False for what cargo, git, wxbot and editors keep beside the sources. Cargo writes its lock file itself, so a change
/// of that would build without end.
fn is_source(path: &Path, target: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    !(path == target || name == "target" || name == "Cargo.lock" || name.starts_with('.') || name.ends_with('~'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_print_sees_sources_and_not_what_tools_write() {
        let dir = tempfile::tempdir().unwrap();
        let (folder, target) = (dir.path(), dir.path().join("out"));
        for name in ["src/deep", "target", "out", ".git", ".wxbot-dev"] {
            fs::create_dir_all(folder.join(name)).unwrap();
        }
        fs::write(folder.join("src/lib.rs"), "one").unwrap();
        let print = || {
            let mut hasher = DefaultHasher::new();
            add(folder, &target, &mut 100, &mut hasher);
            hasher.finish()
        };
        let first = print();
        assert_eq!(print(), first);
        for name in
            ["target/x", "out/x", ".git/x", ".wxbot-dev/bot.toml", "Cargo.lock", "src/.lib.rs.swp", "src/lib.rs~"]
        {
            fs::write(folder.join(name), "x").unwrap();
            assert_eq!(print(), first, "{name}");
        }
        let mut seen = vec![first];
        for (name, text) in
            [("src/lib.rs", "longer"), ("src/deep/more.rs", "x"), ("Cargo.toml", "x"), ("build.rs", "x")]
        {
            fs::write(folder.join(name), text).unwrap();
            assert!(!seen.contains(&print()), "{name}");
            seen.push(print());
        }
    }
}
