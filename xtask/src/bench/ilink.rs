//! `--ilink N`: how much memory do N iLink accounts take that wait in their long polls, and a large file that comes and goes?
//!
//! The simulator runs as a process of its own and confirms every code by itself. The file goes through `examples/mirror.rs`: it is
//! fetched and deciphered into the media folder, and from there enciphered and put back.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::usage;
use crate::command::Cmd;
use crate::support::http::Client;
use crate::support::rig::{Bot, Sim};
use crate::support::wait;
use crate::target_dir;

/// What the figures must keep to, MiB.
const MOST_MIB: f64 = 200.0;
const MOST_EXTRA_MIB: f64 = 8.0;

const FILE: usize = 20 * 1024 * 1024;
/// Thousands of logins, each with its code.
const LOGIN_WITHIN: Duration = Duration::from_secs(600);
const POLLING_WITHIN: Duration = Duration::from_secs(120);
/// Longer than a quiet poll is held (35 s): each account polls anew within it.
const IDLE: Duration = Duration::from_secs(40);
const ANSWERED_WITHIN: Duration = Duration::from_secs(120);
/// Until what a start needed is given back.
const SETTLES: Duration = Duration::from_secs(3);

/// All figures in the order of the table: key, what it is, digits behind the point.
const FIGURES: [(&str, &str, usize); 7] = [
    ("polling_after_s", "start until all stored sessions poll, s", 2),
    ("idle_rss_mib", "memory while all are polling, MiB", 1),
    ("idle_cpu_percent", "CPU while all are polling, % of a core", 2),
    ("answered_after_s", "one message to each of them: until all are answered, s", 2),
    ("loaded_rss_mib", "memory behind it, MiB", 1),
    ("file_extra_mib", "20 MiB down and up: memory beyond that of before, at most, MiB", 2),
    ("file_s", "  until it was back, s", 2),
];

/// One run.
#[derive(Debug)]
pub(super) struct Seen {
    accounts: usize,
    figures: Vec<(&'static str, f64)>,
}

impl Seen {
    fn get(&self, key: &str) -> Option<f64> {
        self.figures.iter().find(|(name, _)| *name == key).map(|(_, value)| *value)
    }

    pub(super) fn table(&self) -> String {
        let mut out = format!("\n{} iLink accounts\n", self.accounts);
        for (key, what, digits) in FIGURES {
            let value = self.get(key).map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"));
            _ = writeln!(out, "  {what:<70} {value:>10}");
        }
        out
    }

    pub(super) fn json(&self) -> Value {
        let figures: serde_json::Map<String, Value> =
            self.figures.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
        json!({ "accounts": self.accounts, "figures": figures })
    }

    /// What is more than was promised.
    fn judged(&self) -> io::Result<()> {
        let mut over = Vec::new();
        for (key, most, per) in [("idle_rss_mib", MOST_MIB, 1_000.0), ("file_extra_mib", MOST_EXTRA_MIB, 0.0)] {
            // The promise is about a thousand accounts; more may take more.
            let accounts = u32::try_from(self.accounts).map_or(f64::MAX, f64::from);
            let most = if per > 0.0 { most * (accounts / per).max(1.0) } else { most };
            if let Some(value) = self.get(key).filter(|value| *value > most) {
                over.push(format!("{key} is {value:.1}, and {most:.1} is promised"));
            }
        }
        if over.is_empty() { Ok(()) } else { Err(io::Error::other(over.join("; "))) }
    }
}

/// Runs it once in folders below `home`.
pub(super) fn run(binary: &Path, home: &Path, accounts: usize) -> io::Result<Seen> {
    let mirror = mirror(binary)?;
    let mut seen = Seen { accounts, figures: Vec::new() };
    for (name, part) in [("ilink-many", many as Part), ("ilink-file", file as Part)] {
        eprintln!("{name}");
        // On the disk of the repository and not in /tmp, which may be memory: it is memory that is measured.
        let folder = home.join(name);
        _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder)?;
        let failed = |error| io::Error::other(format!("{error}\nall files are kept in {}", folder.display()));
        part(&Ways { wxbot: binary, mirror: &mirror, folder: &folder }, &mut seen).map_err(failed)?;
        fs::remove_dir_all(&folder)?;
    }
    print!("{}", seen.table());
    seen.judged()?;
    Ok(seen)
}

type Part = fn(&Ways<'_>, &mut Seen) -> io::Result<()>;

struct Ways<'a> {
    wxbot: &'a Path,
    mirror: &'a Path,
    folder: &'a Path,
}

/// wxbot with the plugin that sends back what comes; of the same build as the other one.
fn mirror(binary: &Path) -> io::Result<PathBuf> {
    let beside = binary.with_file_name("examples").join("mirror");
    if std::env::var_os("WXBOT_BIN").is_some() && beside.is_file() {
        return Ok(beside);
    }
    Cmd::cargo(&["build", "--release", "--locked", "--package", "wxbot", "--example", "mirror"]).run()?;
    let binary = target_dir().join("release/examples/mirror").with_extension(std::env::consts::EXE_EXTENSION);
    if binary.is_file() { Ok(binary) } else { Err(io::Error::other(format!("{} is not there", binary.display()))) }
}

/// A simulated iLink for so many people, and its control API.
fn service(ways: &Ways<'_>, accounts: usize) -> io::Result<(Sim, Client, String)> {
    let mut world = "seed = 1\nauto_confirm = true\n".to_owned();
    for number in 1..=accounts {
        _ = write!(world, "\n[[accounts]]\nname = \"b{number}\"\n");
    }
    let path = ways.folder.join("world.toml");
    fs::write(&path, world)?;
    let sim = Sim::start_with(ways.wxbot, &path, ways.folder, &["--ilink", "0"])?;
    let base = wait::until("the simulator to say where iLink is", POLLING_WITHIN, || {
        let log = fs::read_to_string(ways.folder.join("sim.log"))?;
        let told = log.split_once("iLink: ").and_then(|(_, rest)| rest.split_once(';'));
        Ok(told.map(|(base, _)| base.trim().to_owned()))
    })?;
    let api = Client::new(&base)?.answer_within(ANSWERED_WITHIN);
    Ok((sim, api, base))
}

fn config(base: &str, accounts: usize, plugins: &str, used: &str) -> String {
    let mut text = format!(
        "data_dir = \"data\"\nmiddleware = []\n\n[pacing]\nper_account = \"1000000/s\"\nper_chat = \"1000000/s\"\nburst = 10000\n\n{plugins}"
    );
    for number in 1..=accounts {
        _ = write!(
            text,
            "\n[[accounts]]\nname = \"b{number}\"\nprotocol = \"ilink\"\nendpoint = \"{base}\"\nuse = [\"{used}\"]\n"
        );
    }
    text
}

/// Starts a bot whose accounts have stored sessions, and waits until all of them poll.
fn polling(bot: &mut Bot, api: &Client, accounts: usize) -> io::Result<(u32, f64)> {
    bot.start()?;
    wait::until("wxbot to listen", POLLING_WITHIN, || Ok(bot.data().join("wxbot.sock").exists().then_some(())))?;
    // Every code confirms itself.
    wait::until("all accounts to be bound", LOGIN_WITHIN, || {
        bot.ask(&["login", "--all"])?;
        Ok((polls(api)? >= accounts).then_some(()))
    })?;
    bot.stop()?;
    wait::until("no poll to be left", POLLING_WITHIN, || Ok((polls(api)? == 0).then_some(())))?;
    let start = Instant::now();
    let pid = bot.start()?;
    wait::until("all sessions to poll", POLLING_WITHIN, || Ok((polls(api)? >= accounts).then_some(())))?;
    Ok((pid, start.elapsed().as_secs_f64()))
}

/// How many polls the service holds.
fn polls(api: &Client) -> io::Result<usize> {
    let world = api.get("/__sim/world")?;
    let all = world.get("accounts").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    Ok(all.iter().filter(|one| one.get("polls").and_then(Value::as_u64) > Some(0)).count())
}

fn shown(api: &Client) -> io::Result<Vec<Value>> {
    let journal = api.get("/__sim/journal")?;
    let sends = journal.get("sends").and_then(Value::as_array).cloned().unwrap_or_default();
    Ok(sends.into_iter().filter(|send| send.get("outcome").and_then(Value::as_str) == Some("shown")).collect())
}

fn many(ways: &Ways<'_>, seen: &mut Seen) -> io::Result<()> {
    let accounts = seen.accounts;
    let (_sim, api, base) = service(ways, accounts)?;
    let plugins = "[[plugins.auto-reply.rules]]\nany = true\nreply = \"{{ text }}\"\n";
    let mut bot = Bot::new(ways.wxbot, ways.folder, &config(&base, accounts, plugins, "auto-reply"))?;
    let (pid, after_s) = polling(&mut bot, &api, accounts)?;
    seen.figures.push(("polling_after_s", after_s));
    let before = usage::of(pid)?;
    wait::pause(IDLE);
    let idle = usage::of(pid)?;
    seen.figures.extend(idle.rss_mib.map(|rss| ("idle_rss_mib", rss)));
    if let (Some(before), Some(after)) = (before.cpu_s, idle.cpu_s) {
        seen.figures.push(("idle_cpu_percent", 100.0 * (after - before) / IDLE.as_secs_f64()));
    }
    let start = Instant::now();
    for number in 1..=accounts {
        api.post("/__sim/say", &json!({ "account": format!("b{number}"), "say": { "text": format!("m{number}") } }))?;
    }
    wait::until("all to be answered", ANSWERED_WITHIN, || Ok((shown(&api)?.len() >= accounts).then_some(())))?;
    seen.figures.push(("answered_after_s", start.elapsed().as_secs_f64()));
    seen.figures.extend(usage::of(pid)?.rss_mib.map(|rss| ("loaded_rss_mib", rss)));
    bot.stop()
}

fn file(ways: &Ways<'_>, seen: &mut Seen) -> io::Result<()> {
    let (_sim, api, base) = service(ways, 1)?;
    let mut bot = Bot::new(ways.mirror, ways.folder, &config(&base, 1, "", "mirror"))?;
    let (pid, _) = polling(&mut bot, &api, 1)?;
    let say = |say: Value| api.post("/__sim/say", &json!({ "account": "b1", "say": say })).map(drop);
    let back = |count: usize| {
        let files = |all: Vec<Value>| {
            all.iter().filter(|send| send.get("kind").and_then(Value::as_str) == Some("file")).count()
        };
        wait::until("the file to be back", ANSWERED_WITHIN, || Ok((files(shown(&api)?) >= count).then_some(())))
    };
    // A small one first: what every way needs once is not the file's.
    say(json!({ "file": { "name": "small.bin", "len": 1_000 } }))?;
    back(1)?;
    wait::pause(SETTLES);
    // From here on the peak is counted anew.
    fs::write(format!("/proc/{pid}/clear_refs"), "5")?;
    let before = usage::of(pid)?;
    let start = Instant::now();
    say(json!({ "file": { "name": "large.bin", "len": FILE } }))?;
    back(2)?;
    seen.figures.push(("file_s", start.elapsed().as_secs_f64()));
    if let (Some(before), Some(peak)) = (before.rss_mib, usage::of(pid)?.peak_rss_mib) {
        seen.figures.push(("file_extra_mib", peak - before));
    }
    bot.stop()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_over_is_said() {
        let of = |accounts, rss, extra| {
            let figures = vec![("idle_rss_mib", rss), ("file_extra_mib", extra)];
            Seen { accounts, figures }.judged().map_err(|error| error.to_string())
        };
        assert_eq!(of(1_000, 199.0, 7.9), Ok(()));
        assert_eq!(of(2_000, 399.0, 7.9), Ok(()), "twice as many may take twice as much");
        assert_eq!(of(10, 201.0, 1.0), Err("idle_rss_mib is 201.0, and 200.0 is promised".to_owned()));
        assert_eq!(of(1_000, 10.0, 8.5), Err("file_extra_mib is 8.5, and 8.0 is promised".to_owned()));
    }
}
