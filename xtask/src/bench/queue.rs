//! `--queue`: how much memory does wxbot need while many pushed messages wait behind a slow plugin?
//!
//! Every message asks a plugin to think for longer than the posts take, so next to nothing is handled meanwhile: what is
//! answered lies on disk and waits. The same is asked once more after kill -9, with all of it waiting from the start.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::push::{self, Sample, seconds};
use super::usage;
use crate::command::Cmd;
use crate::support::rig::Bot;
use crate::support::wait;
use crate::target_dir;

/// Below the limit of a plugin's handler, which is 30 s: none of them fails.
const THINKS_MS: u64 = 25_000;
/// Until the memory of a restarted wxbot is looked at: it has taken from the disk what it takes at a time.
const SETTLES: Duration = Duration::from_secs(3);

/// All figures in the order of the table: key, what it is, digits behind the point.
const FIGURES: [(&str, &str, usize); 7] = [
    ("rss_idle_mib", "memory before the first post, MiB", 1),
    ("rss_peak_mib", "  at most while they were posted, MiB", 1),
    ("rss_queued_mib", "  with all of them waiting, MiB", 1),
    ("queued", "messages that wait", 0),
    ("handled", "messages that were handled meanwhile", 0),
    ("posts_per_s", "posts answered per second", 0),
    ("rss_again_mib", "memory at most after kill -9 and a start, MiB", 1),
];

/// All runs.
#[derive(Debug)]
pub(super) struct Queued {
    posts: usize,
    samples: Vec<Sample>,
}

/// Runs it so many times in folders below `home`.
pub(super) fn run(binary: &Path, home: &Path, runs: usize, posts: usize) -> io::Result<Queued> {
    let plugin = slow_plugin()?;
    let mut samples = Vec::new();
    for run in 1..=runs {
        eprintln!("queue: run {run} of {runs}");
        // On the disk of the repository and not in /tmp, which may be memory: it is memory that is measured.
        let folder = home.join(format!("queue-{run}"));
        _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder)?;
        let failed = |error| io::Error::other(format!("{error}\nall files are kept in {}", folder.display()));
        samples.push(once(binary, &folder, &plugin, posts).map_err(failed)?);
        fs::remove_dir_all(&folder)?;
    }
    Ok(Queued { posts, samples })
}

/// The example that does what it is told, as a file.
fn slow_plugin() -> io::Result<PathBuf> {
    let build = ["rustc", "--release", "--locked", "--lib", "--crate-type", "cdylib"];
    Cmd::cargo(&[&build[..], &["--package", "stress-plugin", "--features", "dylib"]].concat()).run()?;
    let name = format!("{}stress_plugin{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let file = target_dir().join("release").join(name);
    if file.is_file() { Ok(file) } else { Err(io::Error::other(format!("{} is not there", file.display()))) }
}

fn once(binary: &Path, folder: &Path, plugin: &Path, posts: usize) -> io::Result<Sample> {
    let used = format!("use = [\"stress\"]\n\n[plugins.stress]\npath = {plugin:?}\n");
    let mut bot = Bot::new(binary, folder, &push::config().replace("use = []\n", &used))?;
    let pid = bot.start()?;
    let (authority, path) = push::address(folder)?;
    let mut lines = push::lines(&authority)?;
    let mut sample = Sample::new();
    sample.extend(usage::of(pid)?.rss_mib.map(|rss| ("rss_idle_mib", rss)));
    let start = Instant::now();
    let count = lines.len();
    push::each(&mut lines, |line, at| {
        for number in (at..posts).step_by(count) {
            line.ask("POST", &path, &push::body(number, &format!("sleep {THINKS_MS}")))?;
        }
        Ok(())
    })?;
    sample.insert("posts_per_s", seconds(posts) / start.elapsed().as_secs_f64());
    drop(lines);
    let used = usage::of(pid)?;
    sample.extend(used.peak_rss_mib.map(|rss| ("rss_peak_mib", rss)));
    sample.extend(used.rss_mib.map(|rss| ("rss_queued_mib", rss)));
    let waits = Waits::of(&bot)?;
    // Every post was answered: all of them are there, whatever became of them.
    if waits.queued + waits.handled != posts {
        let Waits { queued, handled } = waits;
        return Err(io::Error::other(format!("{posts} posts were answered; {queued} wait and {handled} were handled")));
    }
    sample.insert("queued", seconds(waits.queued));
    sample.insert("handled", seconds(waits.handled));

    bot.kill()?;
    let pid = bot.start()?;
    // Its address is another one; it is shown once alone, and nobody pushes now.
    wait::until("wxbot to know what waits", push::UP_WITHIN, || {
        Ok(Waits::of(&bot).ok().filter(|waits| waits.queued > 0))
    })?;
    wait::pause(SETTLES);
    sample.extend(usage::of(pid)?.peak_rss_mib.map(|rss| ("rss_again_mib", rss)));
    bot.kill()?;
    Ok(sample)
}

/// The words of `wxbot accounts` for an event that waits, and for one that does not any more.
const QUEUED: [&str; 1] = ["waiting"];
const HANDLED: [&str; 4] = ["done", "stopped", "late", "dead"];

/// What wxbot says of its inbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Waits {
    queued: usize,
    handled: usize,
}

impl Waits {
    fn of(bot: &Bot) -> io::Result<Self> {
        let accounts = bot.accounts()?;
        let inbox = accounts.first().and_then(|account| account.get("inbox"));
        inbox.map(Self::read).ok_or_else(|| io::Error::other(format!("there is no inbox in {accounts:?}")))
    }

    fn read(inbox: &Value) -> Self {
        let counts: BTreeMap<&str, usize> = inbox
            .as_object()
            .into_iter()
            .flatten()
            .filter_map(|(state, count)| Some((state.as_str(), usize::try_from(count.as_u64()?).ok()?)))
            .collect();
        let of = |states: &[&str]| states.iter().filter_map(|state| counts.get(state)).sum();
        Self { queued: of(&QUEUED), handled: of(&HANDLED) }
    }
}

impl Queued {
    fn median(&self, key: &str) -> Option<f64> {
        push::median(&self.samples, key)
    }

    /// One row a figure; medians.
    pub(super) fn table(&self) -> String {
        let mut text = "\n".to_owned();
        for (key, about, digits) in FIGURES {
            let cell = self.median(key).map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"));
            text += &format!("{about:<48}{cell:>12}\n");
        }
        text + &format!(
            "\nMedians of {} run(s): {} posts to one PC hook account, whose plugin (examples/stress-plugin, from a file) \
             takes {} s for each message.\n",
            self.samples.len(),
            self.posts,
            THINKS_MS / 1000,
        )
    }

    /// The same for programs, with the single runs.
    pub(super) fn json(&self) -> Value {
        let medians: serde_json::Map<_, _> =
            FIGURES.iter().filter_map(|(key, ..)| Some(((*key).to_owned(), json!(self.median(key)?)))).collect();
        json!({ "queue": { "posts": self.posts, "median": medians, "runs": self.samples } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_told_from_what_was_handled() {
        let inbox = json!({ "waiting": 5, "done": 1, "stopped": 2, "late": 3, "dead": 4, "new word": 9 });
        assert_eq!(Waits::read(&inbox), Waits { queued: 5, handled: 10 });
        assert_eq!(Waits::read(&Value::Null), Waits { queued: 0, handled: 0 });
    }

    #[test]
    fn the_table_has_medians_and_says_where_a_figure_is_absent() {
        let sample = |mib: f64| Sample::from([("rss_peak_mib", mib)]);
        let all = Queued { posts: 100_000, samples: vec![sample(50.0), sample(30.04), sample(20.0)] };
        let table = all.table();
        assert!(table.contains("        30.0\n") && table.contains("           -\n"), "{table}");
        assert_eq!(all.json()["queue"]["median"]["rss_peak_mib"], 30.04);
    }
}
