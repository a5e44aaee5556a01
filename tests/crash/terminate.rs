//! Does a wxbot that is told to stop under load stop cleanly, lose nothing and leave nothing uncertain?
//!
//! SIGTERM while friends keep writing, `WXBOT_TERMS` times (10): each time it exits with 0, no event is half handled, no
//! send is under way or unknown, the WAL is brought in; and the next life goes on.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::echo::{Count, ONLINE_WITHIN, Random, Town, in_folder, now_ms, number_from, open, seed};
use crate::ledger::{Ledger, SendState};
use crate::support::rig::Bot;
use crate::support::{skip, wait};

const DEFAULT_TERMS: usize = 10;
const RATE: usize = 200;

#[test]
fn sigterm_under_load_leaves_nothing_half_done() {
    let terms = number_from("WXBOT_TERMS").unwrap_or(DEFAULT_TERMS);
    if terms == 0 {
        skip::note("terminate", "WXBOT_TERMS=0").unwrap();
        return;
    }
    let seed = seed();
    in_folder(|folder| run(folder, terms, seed));
}

fn run(folder: &Path, terms: usize, seed: u64) -> io::Result<Vec<String>> {
    let (sim, mut bot) = open(folder, |bot| bot.start().map(drop))?;
    let enough = AtomicBool::new(false);
    let (mut town, mut problems, mut random) = (Town::new(seed, RATE), Vec::new(), Random::new(!seed));
    let (mut slowest_ms, mut waiting) = (0, 0);
    std::thread::scope(|threads| {
        let talk = threads.spawn(|| town.talk(&sim, &enough));
        let mut stop_often = || -> io::Result<()> {
            for round in 1..=terms {
                bot.until_online(ONLINE_WITHIN)?;
                wait::pause(Duration::from_millis(50 + random.below(300)));
                let asked_ms = now_ms();
                // Fails unless the exit code is 0.
                bot.stop()?;
                slowest_ms = slowest_ms.max(now_ms() - asked_ms);
                let (left, found) = look(&bot)?;
                waiting += left;
                problems.extend(found.into_iter().map(|what| format!("stop {round}: {what}")));
                bot.start()?;
            }
            bot.until_online(ONLINE_WITHIN)
        };
        let stopped = stop_often();
        enough.store(true, Ordering::Relaxed);
        stopped.and(talk.join().map_err(|_panic| io::Error::other("the town panicked"))?)
    })?;
    let count = Count::at_rest(terms, &town.told, &sim, &bot)?;
    println!("{count}; {waiting} events waited at the stops, the slowest stop took {slowest_ms} ms");
    bot.stop()?;
    problems.extend(count.problems());
    if count.uncertain > 0 {
        problems.push(format!("{} uncertain, and the service answered everything in time", count.uncertain));
    }
    Ok(problems)
}

/// How many events wait for the next life, and what a stop must not leave.
fn look(bot: &Bot) -> io::Result<(u64, Vec<String>)> {
    let data = bot.data();
    // Looked at first: a reader makes files of its own.
    let mut found: Vec<String> = ["wxbot.sock", "queue.db-wal", "queue.db-shm"]
        .into_iter()
        .filter(|name| data.join(name).exists())
        .map(|name| format!("`{name}` is left"))
        .collect();
    let ledger = Ledger::open(&data).map_err(io::Error::other)?;
    let events = ledger.events().map_err(io::Error::other)?;
    if events.running > 0 {
        found.push(format!("{} events are half handled", events.running));
    }
    let sends = ledger.sends(0).map_err(io::Error::other)?;
    let bad = sends.iter().filter(|send| matches!(send.state, SendState::Sending | SendState::Uncertain)).count();
    if bad > 0 {
        found.push(format!("{bad} sends are under way or unknown"));
    }
    found.extend(ledger.damage().map_err(io::Error::other)?);
    Ok((events.open(), found))
}
