//! `--sick N`: what do the others notice of accounts whose requests fail? One account in ten is sick: of its requests one
//! in twenty fails. Measured are the answers of the healthy ones, before and meanwhile.

use std::fs;
use std::io;
use std::path::Path;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::Case;
use super::measure::{self, Loaded};
use crate::support::rig::{self, Bot, Sim};

/// What issue 7 asks for: the slowest of a hundred answers may come so much later.
const MOST: f64 = 1.5;
/// One request in so many.
const EVERY: usize = 20;
/// One account in so many.
const SICK: usize = 10;
/// Messages of all accounts together, as in `--scale`.
const PER_SECOND: usize = 300;
const SECONDS: usize = 20;
const LOGIN_WITHIN: Duration = Duration::from_secs(300);

/// What was seen, a pair a run: before and meanwhile, p50 and p99 in ms.
pub(super) struct Sickness {
    accounts: usize,
    runs: Vec<[(f64, f64); 2]>,
}

/// Runs it so many times with so many accounts, in folders below `home`.
pub(super) fn run(binary: &Path, home: &Path, runs: usize, accounts: usize) -> io::Result<Sickness> {
    let mut all = Sickness { accounts, runs: Vec::new() };
    for run in 1..=runs {
        eprintln!("{accounts} accounts, {} of them sick: run {run} of {runs}", sick(accounts));
        let folder = home.join(format!("sick-{run}"));
        _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder)?;
        let failed = |error| io::Error::other(format!("{error}\nall files are kept in {}", folder.display()));
        all.runs.push(once(binary, &folder, accounts).map_err(failed)?);
        fs::remove_dir_all(&folder)?;
    }
    Ok(all)
}

fn sick(accounts: usize) -> usize {
    (accounts / SICK).max(1)
}

fn once(binary: &Path, folder: &Path, accounts: usize) -> io::Result<[(f64, f64); 2]> {
    let world = folder.join("world.toml");
    fs::write(&world, rig::world_toml(accounts, 8))?;
    let sim = Sim::start(binary, &world, folder)?;
    let mut bot = Bot::new(binary, folder, &rig::bot_toml(sim.base(), accounts))?;
    bot.start()?;
    bot.log_in_all(&sim, LOGIN_WITHIN)?;
    // The first seconds of hundreds of sessions belong to neither figure.
    load(&sim, accounts)?;
    let before = load(&sim, accounts)?;
    let healthy = accounts - sick(accounts);
    for account in healthy + 1..=accounts {
        // In turn, so that each kind of failure is among them.
        let kinds =
            [json!({ "status": { "code": 502 } }), json!("drop"), json!("html"), json!({ "delay": { "ms": 5_000 } })];
        let kind = kinds.get(account % kinds.len());
        let fault = json!({
            "account": rig::account(account), "endpoint": "*", "kind": kind, "times": 0, "every": EVERY,
        });
        sim.api().post("/__sim/faults", &fault)?;
    }
    let meanwhile = load(&sim, accounts)?;
    let states: Vec<Value> = bot.accounts()?;
    let ill = states.iter().filter(|one| one.get("state").and_then(Value::as_str) != Some("online"));
    eprintln!("  at the end {} of {} sick accounts are not online", ill.count(), accounts - healthy);
    bot.stop()?;
    Ok([before, meanwhile].map(|loaded| (loaded.p50_ms, loaded.p99_ms)))
}

/// The healthy accounts under their share of the load, timed, while the others have theirs.
fn load(sim: &Sim, accounts: usize) -> io::Result<Loaded> {
    let healthy = accounts - sick(accounts);
    let each = (PER_SECOND * SECONDS).div_ceil(accounts);
    let others: Vec<String> = (healthy + 1..=accounts).map(rig::account).collect();
    let order = json!({
        "accounts": others, "per_account": each, "rate_per_second": PER_SECOND * others.len() / accounts.max(1) + 1,
        "timeout_ms": SECONDS * 1_000, "text_prefix": "ill ",
    });
    let api = sim.api().clone().answer_within(Duration::from_secs(120));
    // Theirs need not be answered; it only has to be there. Those that are not online refuse it.
    let beside = thread::spawn(move || api.post("/__sim/load", &order).map(drop));
    let case = Case { accounts: healthy, messages: each, open: 1 };
    let loaded = measure::load(sim, case, each, Some(PER_SECOND * healthy / accounts));
    match beside.join() {
        Ok(Ok(())) => {}
        Ok(Err(error)) => eprintln!("  the sick accounts had no load: {error}"),
        Err(_panic) => return Err(io::Error::other("the load of the sick accounts panicked")),
    }
    loaded
}

impl Sickness {
    fn median(&self, at: usize, figure: fn((f64, f64)) -> f64) -> f64 {
        let mut values: Vec<f64> = self.runs.iter().filter_map(|run| run.get(at).copied()).map(figure).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
    }

    fn ratio(&self) -> f64 {
        self.median(1, |of| of.1) / self.median(0, |of| of.1)
    }

    /// One row a figure; medians.
    pub(super) fn table(&self) -> String {
        let row = |about: &str, figure: fn((f64, f64)) -> f64| {
            format!("{about:<48}{:>12.2}{:>12.2}\n", self.median(0, figure), self.median(1, figure))
        };
        let mut text = format!("\n{:<48}{:>12}{:>12}\n", "answers of the healthy accounts", "clean", "beside sick");
        text += &row("median, ms", |of| of.0);
        text += &row("99th percentile, ms", |of| of.1);
        let verdict = if self.ratio() <= MOST { "kept" } else { "NOT kept" };
        text += &format!("99th percentile beside sick ones / clean: {:.2} (at most {MOST}: {verdict})\n", self.ratio());
        text += &format!(
            "\nMedians of {} run(s): {} accounts at {PER_SECOND} messages/s together; {} of them sick: one request in {EVERY} \
             fails (502, cut connection, a page, 5 s of silence).\n",
            self.runs.len(),
            self.accounts,
            sick(self.accounts),
        );
        text
    }

    /// The same for programs.
    pub(super) fn json(&self) -> Value {
        json!({ "sick": {
            "accounts": self.accounts, "sick": sick(self.accounts), "clean_p99_ms": self.median(0, |of| of.1),
            "beside_p99_ms": self.median(1, |of| of.1), "ratio": self.ratio(),
        } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_is_of_the_medians() {
        let runs = vec![[(1.0, 4.0), (1.0, 9.0)], [(1.0, 5.0), (1.0, 6.0)], [(1.0, 90.0), (1.0, 7.0)]];
        let seen = Sickness { accounts: 200, runs };
        assert!((seen.ratio() - 1.4).abs() < 1e-9);
        assert!(seen.table().contains("kept") && !seen.table().contains("NOT kept"), "{}", seen.table());
        assert_eq!(seen.json()["sick"]["sick"], 20);
        let slow = Sickness { accounts: 4, runs: vec![[(1.0, 2.0), (1.0, 3.1)]] };
        assert!(slow.table().contains("NOT kept"), "{}", slow.table());
    }
}
