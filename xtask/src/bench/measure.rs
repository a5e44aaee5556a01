//! One run of one case: a fresh simulator and a fresh wxbot, and what was seen.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::Case;
use super::usage::{self, Usage};
use crate::support::rig::{self, Bot, Sim};
use crate::support::wait;

/// What was measured, by the keys of [`FIGURES`]; a figure that this machine cannot give is absent.
pub(super) type Sample = BTreeMap<&'static str, f64>;

/// All figures in the order of the table: key, what it is, digits behind the point.
pub(super) const FIGURES: [(&str, &str, usize); 12] = [
    ("messages_per_s", "messages answered per second, closed loop", 0),
    ("closed_p50_ms", "  delivered to answered, median, ms", 2),
    ("closed_p99_ms", "  the same, 99th percentile, ms", 2),
    ("quiet_p50_ms", "at 20 messages/s: median, ms", 2),
    ("quiet_p99_ms", "  99th percentile, ms", 2),
    ("cpu_s_per_1000", "wxbot: CPU seconds per 1,000 messages", 3),
    ("sim_cpu_s_per_1000", "simulator: the same", 3),
    ("rss_idle_mib", "wxbot: memory when all are online, MiB", 1),
    ("rss_loaded_mib", "  after the load, MiB", 1),
    ("rss_peak_mib", "  at most, MiB", 1),
    ("first_reply_ms", "hot start to the answer of a waiting message, ms", 0),
    ("uncertain", "messages that ended as uncertain", 0),
];

/// Scanning and first contacts of 50 accounts, on a machine that is busy with them.
const ONLINE_WITHIN: Duration = Duration::from_secs(120);
const FIRST_REPLY_WITHIN: Duration = Duration::from_secs(30);
/// A closed loop that does not end is a loss; the figure only bounds the wait.
const LOAD_WITHIN: Duration = Duration::from_secs(300);

/// The open loop: slow enough that nothing queues, so its delays are the machine's own.
const QUIET_PER_SECOND: usize = 20;
const QUIET_SECONDS: usize = 10;

/// Friends of each account: the load generator keeps one unanswered message per friend, so that lanes are never the
/// limit.
fn friends(case: Case) -> usize {
    case.open.max(8)
}

/// Runs `case` in the empty `folder`.
pub(super) fn run(binary: &Path, folder: &Path, case: Case) -> io::Result<Sample> {
    let world = folder.join("world.toml");
    fs::write(&world, rig::world_toml(case.accounts, friends(case)))?;
    let sim = Sim::start(binary, &world, folder)?;
    let mut bot = Bot::new(binary, folder, &rig::bot_toml(sim.base(), case.accounts))?;
    bot.start()?;
    bot.log_in_all(&sim, ONLINE_WITHIN)?;
    let mut sample = Sample::new();

    // First, while the journal that is polled for it is still short.
    let (pid, first_reply) = first_reply(&mut bot, &sim)?;
    sample.insert("first_reply_ms", first_reply);
    bot.until_online(ONLINE_WITHIN)?;

    let before = Both::now(pid, &sim)?;
    let closed = load(&sim, case, case.messages, None)?;
    let after = Both::now(pid, &sim)?;
    let thousands = closed.messages / 1000.0;
    sample.insert("messages_per_s", closed.per_second);
    sample.insert("closed_p50_ms", closed.p50_ms);
    sample.insert("closed_p99_ms", closed.p99_ms);
    sample.extend(spent(before.bot, after.bot).map(|cpu_s| ("cpu_s_per_1000", cpu_s / thousands)));
    sample.extend(spent(before.sim, after.sim).map(|cpu_s| ("sim_cpu_s_per_1000", cpu_s / thousands)));
    sample.extend(before.bot.rss_mib.map(|rss| ("rss_idle_mib", rss)));
    sample.extend(after.bot.rss_mib.map(|rss| ("rss_loaded_mib", rss)));
    sample.extend(after.bot.peak_rss_mib.map(|rss| ("rss_peak_mib", rss)));

    let quiet = (QUIET_PER_SECOND * QUIET_SECONDS).div_ceil(case.accounts);
    let quiet = load(&sim, case, quiet, Some(QUIET_PER_SECOND))?;
    sample.insert("quiet_p50_ms", quiet.p50_ms);
    sample.insert("quiet_p99_ms", quiet.p99_ms);

    let uncertain = bot.accounts()?.iter().filter_map(|one| one.pointer("/outbox/uncertain")?.as_f64()).sum();
    sample.insert("uncertain", uncertain);
    let violations = sim.hard_violations()?;
    if !violations.is_empty() {
        return Err(io::Error::other(format!("hard violations: {}", violations.join(", "))));
    }
    bot.stop()?;
    Ok(sample)
}

/// Stops the bot, lets a message wait, and takes the time from the start of the process to its answer.
fn first_reply(bot: &mut Bot, sim: &Sim) -> io::Result<(u32, f64)> {
    const WAITING: &str = "waiting for the start";
    bot.stop()?;
    sim.deliver(&rig::account(1), &rig::friend(1), WAITING)?;
    let start = now_ms()?;
    let pid = bot.start()?;
    // The moment comes from the simulator's journal, so that our polling adds nothing to it.
    let answered = wait::until("the first reply after a hot start", FIRST_REPLY_WITHIN, || {
        Ok(sim.sends()?.into_iter().find(|sent| sent.content == WAITING))
    })?;
    let answered = Duration::from_millis(answered.at_ms).as_secs_f64() * 1000.0;
    Ok((pid, answered - start))
}

/// Wall time since 1970, as in the journal.
fn now_ms() -> io::Result<f64> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(io::Error::other)?;
    Ok(now.as_secs_f64() * 1000.0)
}

/// CPU and memory of both processes at one moment.
struct Both {
    bot: Usage,
    sim: Usage,
}

impl Both {
    fn now(bot: u32, sim: &Sim) -> io::Result<Self> {
        Ok(Self { bot: usage::of(bot)?, sim: usage::of(sim.pid())? })
    }
}

pub(super) fn spent(before: Usage, after: Usage) -> Option<f64> {
    Some(after.cpu_s? - before.cpu_s?)
}

/// What the simulator says about one load.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) messages: f64,
    pub(super) per_second: f64,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
}

/// Lets the friends of all accounts write: `per_account` messages each, a new one for each answer, or at a steady pace
/// over all accounts together. Fails unless each message was answered exactly once.
pub(super) fn load(sim: &Sim, case: Case, per_account: usize, pace: Option<usize>) -> io::Result<Loaded> {
    let accounts: Vec<_> = (1..=case.accounts).map(rig::account).collect();
    let mut order = json!({
        "accounts": accounts,
        "per_account": per_account,
        "open": case.open,
        "timeout_ms": LOAD_WITHIN.as_secs() * 1000,
        "text_prefix": if pace.is_some() { "quiet " } else { "load " },
    });
    if let (Some(pace), Some(order)) = (pace, order.as_object_mut()) {
        order.insert("rate_per_second".to_owned(), json!(pace));
    }
    let patient = sim.api().clone().answer_within(LOAD_WITHIN + Duration::from_secs(30));
    let answer = patient.post("/__sim/load", &order)?;
    let number = |key: &str| {
        let found = answer.get(key).and_then(Value::as_f64);
        found.ok_or_else(|| io::Error::other(format!("the load answer has no number `{key}`: {answer}")))
    };
    let (messages, answered) = (number("messages")?, number("answered")?);
    if messages < 1.0 || answered < messages || number("duplicates")? + number("unexpected")? > 0.0 {
        return Err(io::Error::other(format!("not each message was answered exactly once: {answer}")));
    }
    Ok(Loaded { messages, per_second: number("per_second")?, p50_ms: number("p50_ms")?, p99_ms: number("p99_ms")? })
}
