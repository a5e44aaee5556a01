//! What happens when a file of keywords changes while the bot runs? It is read and put together away from the threads
//! that handle events, and then takes the place of the old one; with mistakes in it, the old one stays.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tokio::runtime::Handle;
use tokio::task::JoinSet;
use wxbot_plugin::PluginError;

use crate::engine::{Engine, Lists, Sought, Source};
use crate::lists::{MOST_ENTRIES, Stamp};
use crate::matcher::Why;
use crate::settings::{ListFile, Settings, read_list, told};

/// What a look at the files came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Looked {
    /// How many files were read anew.
    pub(crate) read: usize,
    /// How many keywords and regexes there are now.
    pub(crate) words: usize,
    /// What is wrong with files, if something is.
    pub(crate) trouble: Option<Trouble>,
}

/// Files that cannot be used, so that their old content is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// Another one each time that such a file changes.
    pub(crate) id: String,
    /// For people: files and mistakes.
    pub(crate) text: String,
}

/// The keywords of now, and the task that keeps them so.
#[derive(Debug)]
pub(crate) struct Watch {
    shared: Arc<Shared>,
    /// Ends with the plugin: a set that is dropped takes its tasks along.
    task: Mutex<JoinSet<()>>,
}

#[derive(Debug)]
struct Shared {
    settings: Arc<Settings>,
    now: RwLock<Now>,
    /// Held while files are looked at, so that two looks do not cross.
    files: Mutex<Files>,
}

#[derive(Debug, Clone)]
struct Now {
    engine: Arc<Engine>,
    trouble: Option<Trouble>,
}

#[derive(Debug)]
struct Files {
    lists: Lists,
    /// Of each file: what it was when it was last read, and what was wrong then.
    seen: Vec<Vec<Seen>>,
    /// Why the keywords cannot be put together, though each file is fine.
    unfit: Option<String>,
}

#[derive(Debug, Clone)]
struct Seen {
    stamp: Stamp,
    wrong: Option<String>,
}

impl Watch {
    /// Puts the keywords together and watches their files, where there are any and a runtime to do it on.
    pub(crate) async fn start(settings: Arc<Settings>) -> Result<Self, PluginError> {
        let shared = aside(move || Shared::new(settings)).await??;
        let (shared, mut task) = (Arc::new(shared), JoinSet::new());
        if shared.has_files()
            && let Ok(runtime) = Handle::try_current()
        {
            task.spawn_on(keep_looking(Arc::clone(&shared)), &runtime);
        }
        Ok(Self { shared, task: Mutex::new(task) })
    }

    /// The keywords of now.
    pub(crate) fn engine(&self) -> Arc<Engine> {
        Arc::clone(&self.shared.now.read().unwrap_or_else(PoisonError::into_inner).engine)
    }

    /// What is wrong with files now.
    pub(crate) fn trouble(&self) -> Option<Trouble> {
        self.shared.now.read().unwrap_or_else(PoisonError::into_inner).trouble.clone()
    }

    /// Looks at the files now.
    ///
    /// Cancel safe: a look that nobody waits for goes on to its end.
    pub(crate) async fn look(&self) -> Result<Looked, PluginError> {
        look(&self.shared).await
    }

    /// Ends the task and waits for it.
    pub(crate) async fn stop(&self) {
        let mut task = std::mem::take(&mut *self.task.lock().unwrap_or_else(PoisonError::into_inner));
        task.shutdown().await;
    }
}

async fn keep_looking(shared: Arc<Shared>) {
    loop {
        tokio::time::sleep(shared.settings.look_every).await;
        if let Err(error) = look(&shared).await {
            tracing::error!(%error, "Files of keywords could not be looked at.");
        }
    }
}

async fn look(shared: &Arc<Shared>) -> Result<Looked, PluginError> {
    let shared = Arc::clone(shared);
    aside(move || shared.look()).await
}

/// Computes where nobody waits for the thread.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, PluginError> {
    match Handle::try_current() {
        Ok(runtime) => Ok(runtime.spawn_blocking(work).await?),
        // A test kit without a runtime.
        Err(_no_runtime) => Ok(work()),
    }
}

impl Shared {
    fn new(settings: Arc<Settings>) -> Result<Self, PluginError> {
        let lists = settings.lists();
        let engine = build(&settings, &lists).map_err(PluginError::msg)?;
        let of_file = |file: &ListFile| Seen { stamp: file.stamp, wrong: None };
        let seen = settings.rules.iter().map(|rule| rule.files.iter().map(of_file).collect()).collect();
        let now = RwLock::new(Now { engine: Arc::new(engine), trouble: None });
        Ok(Self { settings, now, files: Mutex::new(Files { lists, seen, unfit: None }) })
    }

    fn has_files(&self) -> bool {
        self.settings.rules.iter().any(|rule| !rule.files.is_empty())
    }

    /// One look: only files with another stamp are read.
    fn look(&self) -> Looked {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let Files { lists, seen, unfit } = &mut *files;
        let (mut read, mut fresh) = (0, false);
        for ((rule, lists), seen) in self.settings.rules.iter().zip(lists.iter_mut()).zip(seen.iter_mut()) {
            for ((file, list), seen) in rule.files.iter().zip(lists).zip(seen) {
                let stamp = Stamp::of(&file.path);
                if stamp == seen.stamp {
                    continue;
                }
                read += 1;
                // A file that is still being written has another stamp later, and is read again.
                seen.stamp = stamp;
                match read_list(&file.path) {
                    Ok(new) => {
                        (*list, seen.wrong, fresh) = (new, None, true);
                        tracing::info!(file = %file.written, words = list.entries.len(), "A list was read anew.");
                    }
                    Err(mistakes) => {
                        let all: Vec<String> = mistakes.iter().take(3).map(|one| told(&file.written, one)).collect();
                        tracing::warn!(mistakes = %all.join("; "), "A list has mistakes; the old one stays.");
                        seen.wrong = Some(all.join("\n"));
                    }
                }
            }
        }
        if fresh {
            match build(&self.settings, lists) {
                Ok(engine) => {
                    *unfit = None;
                    self.now.write().unwrap_or_else(PoisonError::into_inner).engine = Arc::new(engine);
                }
                Err(why) => {
                    tracing::warn!(%why, "Lists cannot be put together; the old ones stay.");
                    *unfit = Some(why);
                }
            }
        }
        let trouble = trouble(seen, unfit.as_deref());
        let mut now = self.now.write().unwrap_or_else(PoisonError::into_inner);
        if read > 0 {
            now.trouble.clone_from(&trouble);
        }
        Looked { read, words: now.engine.len(), trouble }
    }
}

fn trouble(seen: &[Vec<Seen>], unfit: Option<&str>) -> Option<Trouble> {
    let wrong: Vec<&Seen> = seen.iter().flatten().filter(|seen| seen.wrong.is_some()).collect();
    let lines: Vec<&str> = wrong.iter().filter_map(|seen| seen.wrong.as_deref()).chain(unfit).take(5).collect();
    if lines.is_empty() {
        return None;
    }
    let stamps: Vec<Stamp> = wrong.iter().map(|seen| seen.stamp).collect();
    Some(Trouble { id: format!("{stamps:?} {}", lines.len()), text: lines.join("\n") })
}

fn build(settings: &Settings, lists: &Lists) -> Result<Engine, String> {
    let sought = settings.sought(lists);
    if lists.iter().flatten().map(|list| list.entries.len()).sum::<usize>() > MOST_ENTRIES {
        return Err(format!("all lists together have more than {MOST_ENTRIES} entries"));
    }
    Engine::build(&sought, settings.folding()).map_err(|mistakes| first_of(&sought, &mistakes))
}

/// The first mistakes, each with its file and line.
fn first_of(sought: &[Sought<'_>], mistakes: &[(usize, Why)]) -> String {
    let first = mistakes.iter().take(3).filter_map(|(n, why)| {
        let one = sought.get(*n)?;
        Some(match one.source {
            Source::Rule(pointer) => format!("/rules/{}{pointer}: {why}", one.rule),
            Source::File { file, line } => format!("{}: line {line}: {why}", file.written),
        })
    });
    first.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests;
