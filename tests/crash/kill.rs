//! Does a wxbot that is killed again and again under load lose a message, or answer one twice?
//!
//! Promises P1–P3 of the durability design, from outside: a simulator and a wxbot as two processes, SIGKILL at random
//! moments while friends keep writing, then a count in the simulator's journal. `WXBOT_KILLS` sets the rounds (40),
//! `WXBOT_RATE` the messages a second (100), `WXBOT_SEED` repeats a run as far as the machine allows, `WXBOT_BIN` names
//! another binary than the one just built, and `WXBOT_SOAK` asserts what only many kills can show.

use std::io::{self, IsTerminal as _};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;

use crate::echo::{Count, ONLINE_WITHIN, Random, Town, in_folder, now_ms, number_from, open, seed};
use crate::ledger::Ledger;
use crate::steps::{self, Tally};
use crate::support::rig::{Bot, Sim};
use crate::support::{skip, wait};

const DEFAULT_KILLS: usize = 40;
const DEFAULT_RATE: usize = 100;
/// What a kill may leave uncertain, on average.
const UNCERTAIN_A_KILL: f64 = 5.0;
/// From the start of the process to the first answer that the service gets, 99 of 100 times.
const FIRST_ANSWER_MS: u64 = 1_000;
/// On a machine too slow for the rate friends wait: with ever more open, every event would see several ends.
const MOST_WAITING: u64 = 400;
/// How far back the journal is looked at beyond the life that was ended.
const LOOK_BACK_MS: u64 = 5_000;

#[test]
fn kill_nine_under_load_loses_nothing_and_repeats_nothing() {
    let kills = number_from("WXBOT_KILLS").unwrap_or(DEFAULT_KILLS);
    if kills == 0 {
        skip::note("kill", "WXBOT_KILLS=0").unwrap();
        return;
    }
    let rate = number_from("WXBOT_RATE").unwrap_or(DEFAULT_RATE);
    let seed = seed();
    in_folder(|folder| {
        let found = run(folder, kills, rate, seed)?;
        println!("{}\n{}", found.count, found.lives.tally);
        println!("from start to first answer: {}", found.lives.starts());
        let a_kill = found.count.uncertain as f64 / kills as f64;
        println!(
            "{a_kill:.2} uncertain a kill; {} lives were longer, for events of two ends; {} times it was behind",
            found.lives.long_lives, found.lives.behind
        );
        let mut problems = found.count.problems();
        if std::env::var_os("WXBOT_SOAK").is_some() {
            problems.extend(found.lives.tally.missed().iter().map(|pair| format!("no kill fell between {pair}")));
            if a_kill > UNCERTAIN_A_KILL {
                problems.push(format!("{a_kill:.2} uncertain a kill, more than {UNCERTAIN_A_KILL}"));
            }
            if found.lives.percentile(99) > FIRST_ANSWER_MS {
                problems.push(format!("the p99 from start to first answer is above {FIRST_ANSWER_MS} ms"));
            }
        }
        Ok(problems)
    });
}

struct Found {
    count: Count,
    lives: Lives,
}

/// Plays the whole scene and counts.
fn run(folder: &Path, kills: usize, rate: usize, seed: u64) -> io::Result<Found> {
    let (sim, mut bot) = open(folder, |bot| bot.start().map(drop))?;
    let late = json!({ "stall": { "bytes": 0, "ms": steps::ANSWER_AFTER_MS } });
    sim.api().post("/__sim/faults", &json!({ "endpoint": "webwxsendmsg", "kind": late, "times": 0 }))?;
    let (enough, quiet) = (AtomicBool::new(false), AtomicBool::new(false));
    let mut town = Town::new(seed, rate);
    let lives = std::thread::scope(|threads| {
        let talk = threads.spawn(|| town.talk(&sim, &enough, &quiet));
        let lives = kill_often(&sim, &mut bot, kills, &quiet, Random::new(!seed));
        quiet.store(false, Ordering::Relaxed);
        enough.store(true, Ordering::Relaxed);
        let told = talk.join().map_err(|_panic| io::Error::other("the town panicked"))?;
        told.and(lives)
    })?;
    let count = Count::at_rest(kills, &town.told, &sim, &bot)?;
    bot.stop()?;
    Ok(Found { count, lives })
}

/// What is known of the lives between the kills.
#[derive(Debug, Default)]
struct Lives {
    tally: Tally,
    /// Milliseconds from each start to the first answer that the service got.
    first_answers: Vec<u64>,
    /// Lives that lasted until what had seen two ends was handled.
    long_lives: usize,
    /// Lives before which friends were quiet, because it was behind.
    behind: usize,
}

impl Lives {
    fn percentile(&self, percent: usize) -> u64 {
        let mut sorted = self.first_answers.clone();
        sorted.sort_unstable();
        let at = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
        sorted.get(at).copied().unwrap_or_default()
    }

    fn starts(&self) -> String {
        let (p50, p99, most) = (self.percentile(50), self.percentile(99), self.percentile(100));
        format!("{} starts, p50 {p50} ms, p99 {p99} ms, at most {most} ms", self.first_answers.len())
    }
}

/// Kills and restarts; returns with the bot online.
fn kill_often(sim: &Sim, bot: &mut Bot, kills: usize, quiet: &AtomicBool, mut random: Random) -> io::Result<Lives> {
    let mut lives = Lives::default();
    let mut began_ms = now_ms();
    for round in 1..=kills {
        // Services hand a batch out twice now and then, and always when a client was cut off: its keys are known.
        sim.api().post("/__sim/faults", &json!({ "endpoint": "webwxsync", "kind": "duplicate" }))?;
        wait::pause(Duration::from_millis(20 + random.below(280)));
        let killed_ms = now_ms();
        bot.kill()?;
        let ledger = Ledger::open(&bot.data()).map_err(io::Error::other)?;
        let left = steps::left(&ledger, sim, began_ms.saturating_sub(LOOK_BACK_MS), killed_ms)?;
        lives.tally.add(&left);
        // The third end of the process while it handled an event makes a dead letter of it, as it should.
        let (events, sends) = ledger.open_rows().map_err(io::Error::other)?;
        let suspects = events.crashes >= 2;
        let behind = events.open() + sends.len() as u64 > MOST_WAITING;
        lives.behind += usize::from(behind);
        quiet.store(behind, Ordering::Relaxed);
        drop(ledger);
        began_ms = now_ms();
        bot.start()?;
        // Every fifth life ends somewhere in its start, where half-restored state would show.
        if round % 5 != 0 || round == kills || suspects {
            lives.first_answers.push(first_answer(sim, bot, began_ms)?);
        }
        if round % 50 == 0 && round < kills && io::stderr().is_terminal() {
            eprintln!("{round} of {kills} kills");
        }
        if suspects {
            lives.long_lives += 1;
            wait::until("events that saw two ends to be handled", ONLINE_WITHIN, || {
                let ledger = Ledger::open(&bot.data()).map_err(io::Error::other)?;
                let (events, _) = ledger.open_rows().map_err(io::Error::other)?;
                Ok((events.crashes < 2).then_some(()))
            })?;
        }
    }
    bot.until_online(ONLINE_WITHIN)?;
    Ok(lives)
}

/// Waits for the first answer of a life, and tells when the service got it, in ms after the start.
fn first_answer(sim: &Sim, bot: &mut Bot, began_ms: u64) -> io::Result<u64> {
    wait::until("the first answer after a start", ONLINE_WITHIN, || {
        if let Some(status) = bot.has_ended()? {
            return Ok(Some(Err(io::Error::other(format!("`wxbot run` ended with {status}:\n{}", bot.log())))));
        }
        // What the life before had written may arrive a moment after its end.
        let (sends, _) = sim.since(began_ms + 5)?;
        Ok(sends.iter().map(|sent| sent.at_ms).min().map(|at_ms| Ok(at_ms - began_ms)))
    })?
}
