//! What happens when a file of keywords changes while the bot runs? It is read and put together away from the threads
//! that handle events, and then takes the place of the old one; with mistakes in it, the old one stays.
//!
//! A file that is being written is not read: two looks have to see it alike. One that is suddenly empty is not used, as it
//! is what an editor or a full disk leaves. Whoever means it says `kw reload`, which reads at once, whatever there is.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tokio::runtime::Handle;
use tokio::task::JoinSet;
use wxbot_plugin::PluginError;

use crate::engine::{Engine, Lists, Sought, Source};
use crate::lists::{ALL_BYTES, ListProblem, MOST_ENTRIES, Read, Stamp};
use crate::matcher::Why;
use crate::settings::{ListFile, Settings, read_list, told, too_many_bytes};

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
    /// How often something began to be wrong.
    troubles: u64,
}

/// What was read, or all that is wrong with it.
type NewList = Result<Arc<Read>, Vec<ListProblem>>;

/// Why files are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    /// It is time.
    Usual,
    /// Somebody wants it.
    Wanted,
}

#[derive(Debug, Clone)]
struct Seen {
    stamp: Stamp,
    /// Another stamp, which one look has seen.
    coming: Option<Stamp>,
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

    /// Whether there are files that could be wrong.
    pub(crate) fn has_files(&self) -> bool {
        self.shared.has_files()
    }

    /// Reads all files now.
    ///
    /// Cancel safe: a look that nobody waits for goes on to its end.
    pub(crate) async fn look(&self) -> Result<Looked, PluginError> {
        look(&self.shared, Look::Wanted).await
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
        if let Err(error) = look(&shared, Look::Usual).await {
            tracing::error!(%error, "Files of keywords could not be looked at.");
        }
    }
}

async fn look(shared: &Arc<Shared>, why: Look) -> Result<Looked, PluginError> {
    let shared = Arc::clone(shared);
    aside(move || shared.look(why)).await
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
        let of_file = |file: &ListFile| Seen { stamp: file.stamp, coming: None, wrong: None };
        let seen = settings.rules.iter().map(|rule| rule.files.iter().map(of_file).collect()).collect();
        let now = RwLock::new(Now { engine: Arc::new(engine), trouble: None });
        Ok(Self { settings, now, files: Mutex::new(Files { lists, seen, unfit: None, troubles: 0 }) })
    }

    fn has_files(&self) -> bool {
        self.settings.rules.iter().any(|rule| !rule.files.is_empty())
    }

    /// One look. The usual one reads files with another stamp than before, the wanted one all.
    fn look(&self, why: Look) -> Looked {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let Files { lists, seen, unfit, troubles } = &mut *files;
        let (mut read, mut fresh) = (0, false);
        for ((rule, lists), seen) in self.settings.rules.iter().zip(lists.iter_mut()).zip(seen.iter_mut()) {
            for ((file, list), seen) in rule.files.iter().zip(lists).zip(seen) {
                let Some((stamp, new)) = seen.new_content(file, why) else { continue };
                read += 1;
                seen.stamp = stamp;
                match new {
                    Ok(new) if why == Look::Usual && new.entries.is_empty() && !list.entries.is_empty() => {
                        tracing::warn!(file = %file.written, "A list is empty now; the old one stays.");
                        let written = &file.written;
                        seen.wrong = Some(format!(
                            "the list `{written}`: it is empty now; if you mean it, say 重读词表 (kw reload)"
                        ));
                    }
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
        let mut now = self.now.write().unwrap_or_else(PoisonError::into_inner);
        if now.trouble.is_none() {
            *troubles += 1;
        }
        let trouble = self.trouble(seen, unfit.as_deref(), *troubles);
        now.trouble.clone_from(&trouble);
        Looked { read, words: now.engine.len(), trouble }
    }

    fn trouble(&self, seen: &[Vec<Seen>], unfit: Option<&str>, nth: u64) -> Option<Trouble> {
        let files = self.settings.rules.iter().flat_map(|rule| &rule.files).zip(seen.iter().flatten());
        let wrong = || files.clone().filter_map(|(file, seen)| Some((file, seen.stamp, seen.wrong.as_deref()?)));
        let lines: Vec<&str> = wrong().map(|(_, _, why)| why).chain(unfit).take(5).collect();
        if lines.is_empty() {
            return None;
        }
        // The stamp of a file that is not there is always the same: the path, the words and the number tell which it is.
        let mut id = DefaultHasher::new();
        wrong().for_each(|(file, stamp, why)| (&file.path, stamp, why).hash(&mut id));
        (unfit, nth).hash(&mut id);
        Some(Trouble { id: format!("{:016x}", id.finish()), text: lines.join("\n") })
    }
}

impl Seen {
    /// What the file holds and its stamp before that was read. `None`: it is as it was, or is being written.
    fn new_content(&mut self, file: &ListFile, why: Look) -> Option<(Stamp, NewList)> {
        let stamp = Stamp::of(&file.path);
        if why == Look::Wanted {
            self.coming = None;
            return Some((stamp, read_list(&file.path)));
        }
        if stamp == self.stamp {
            self.coming = None;
            return None;
        }
        if self.coming.replace(stamp) != Some(stamp) {
            return None;
        }
        let read = read_list(&file.path);
        // Written to while it was read: the next look but one reads it.
        let after = Stamp::of(&file.path);
        self.coming = (after != stamp).then_some(after);
        self.coming.is_none().then_some((stamp, read))
    }
}

fn build(settings: &Settings, lists: &Lists) -> Result<Engine, String> {
    let sought = settings.sought(lists);
    if lists.iter().flatten().map(|list| list.entries.len()).sum::<usize>() > MOST_ENTRIES {
        return Err(format!("all lists together have more than {MOST_ENTRIES} entries"));
    }
    if let Some(bytes) = too_many_bytes(lists) {
        return Err(format!("all lists together have {} MiB; at most {} are read", bytes >> 20, ALL_BYTES >> 20));
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
