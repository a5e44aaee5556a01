//! What do many accounts cost? Each size gets a fresh simulator and a fresh wxbot with that many stored sessions.

use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::Case;
use super::measure::{self, Sample};
use super::usage;
use crate::support::rig::{self, Bot, Sim};
use crate::support::wait;

/// All figures in the order of the table: key, what it is, digits behind the point.
pub(super) const FIGURES: [(&str, &str, usize); 8] = [
    ("polling_after_s", "start until all stored sessions poll, s", 2),
    ("idle_rss_mib", "memory while all are polling, MiB", 1),
    ("idle_cpu_percent", "CPU while all are polling, % of a core", 2),
    ("steady_p50_ms", "at 300 messages/s over all: median, ms", 2),
    ("steady_p99_ms", "  99th percentile, ms", 2),
    ("messages_per_s", "closed loop, one open per account: messages/s", 0),
    ("cpu_s_per_1000", "  CPU seconds per 1,000 messages", 3),
    ("loaded_rss_mib", "memory after the load, MiB", 1),
];

/// Thousands of QR codes, scanned one by one.
const LOGIN_WITHIN: Duration = Duration::from_secs(900);
const POLLING_WITHIN: Duration = Duration::from_secs(120);
/// Longer than the simulator holds a quiet poll (25 s), so that each session polls anew within it.
const IDLE: Duration = Duration::from_secs(30);
const STEADY_PER_SECOND: usize = 300;
const STEADY_SECONDS: usize = 20;
/// Messages of the closed loop over all accounts.
const MESSAGES: usize = 20_000;

/// Runs `accounts` of them in the empty `folder`.
pub(super) fn run(binary: &Path, folder: &Path, accounts: usize) -> io::Result<Sample> {
    let world = folder.join("world.toml");
    fs::write(&world, rig::world_toml(accounts, 8))?;
    let sim = Sim::start(binary, &world, folder)?;
    let mut bot = Bot::new(binary, folder, &rig::bot_toml(sim.base(), accounts))?;
    bot.start()?;
    bot.log_in_all(&sim, LOGIN_WITHIN)?;
    bot.stop()?;

    let mut sample = Sample::new();
    let start = Instant::now();
    let pid = bot.start()?;
    wait::until("all sessions to poll", POLLING_WITHIN, || Ok((polling(&sim)? >= accounts).then_some(())))?;
    sample.insert("polling_after_s", start.elapsed().as_secs_f64());

    let before = usage::of(pid)?;
    wait::pause(IDLE);
    let idle = usage::of(pid)?;
    sample.extend(idle.rss_mib.map(|rss| ("idle_rss_mib", rss)));
    sample.extend(measure::spent(before, idle).map(|cpu| ("idle_cpu_percent", 100.0 * cpu / IDLE.as_secs_f64())));

    let case = |messages| Case { accounts, messages, open: 1 };
    let steady = case((STEADY_PER_SECOND * STEADY_SECONDS).div_ceil(accounts));
    let steady = measure::load(&sim, steady, steady.messages, Some(STEADY_PER_SECOND))?;
    sample.insert("steady_p50_ms", steady.p50_ms);
    sample.insert("steady_p99_ms", steady.p99_ms);

    let (before, closed) = (usage::of(pid)?, case(MESSAGES.div_ceil(accounts)));
    let loaded = measure::load(&sim, closed, closed.messages, None)?;
    let after = usage::of(pid)?;
    sample.insert("messages_per_s", loaded.per_second);
    sample.extend(measure::spent(before, after).map(|cpu| ("cpu_s_per_1000", cpu / loaded.messages * 1000.0)));
    sample.extend(after.rss_mib.map(|rss| ("loaded_rss_mib", rss)));
    let violations = sim.hard_violations()?;
    if !violations.is_empty() {
        return Err(io::Error::other(format!("hard violations: {}", violations.join(", "))));
    }
    bot.stop()?;
    Ok(sample)
}

/// How many polls the simulator holds at this moment.
fn polling(sim: &Sim) -> io::Result<usize> {
    let summary = sim.api().get("/__sim/summary")?;
    let polling = summary.get("polling").and_then(Value::as_u64);
    let polling = polling.ok_or_else(|| io::Error::other("the summary has no number `polling`"))?;
    usize::try_from(polling).map_err(io::Error::other)
}
