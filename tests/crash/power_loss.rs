//! Is anything lost that wxbot had told somebody of, when the power goes? Everything that was written after the last
//! fsync of its file is gone then, or half there.
//!
//! wxbot runs under `strace`, which notes each write, fsync and change of a name below the data directory ([`disk`]
//! reads the notes). After a kill -9 the directory is made anew from them: what was synced is there, what was not is
//! missing, or there in part and spoiled. Then wxbot lives on with that, and at the end nothing may be lost or doubled.
//! What this cannot show: a disk or a hypervisor that lies about fsync, and sectors that a power loss itself destroys.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::disk::{self, Disk, Tail};
use crate::echo::{Count, ONLINE_WITHIN, Random, Town, in_folder, number_from, open, seed};
use crate::ledger::{Ledger, SendState};
use crate::support::rig::{Bot, Sim};
use crate::support::{skip, wait};

const DEFAULT_LOSSES: usize = 6;
/// Few enough that `strace` keeps up: a message is some tens of kilobytes of notes.
const RATE: usize = 40;

#[test]
fn a_power_loss_takes_nothing_that_was_accepted() {
    let losses = number_from("WXBOT_LOSSES").unwrap_or(DEFAULT_LOSSES);
    let Some(strace) = strace() else {
        skip::note("power loss", "`strace` is not there, or may not look into processes here").unwrap();
        return;
    };
    let seed = seed();
    in_folder(|folder| run(folder, &strace, losses, seed));
}

/// `strace`, when it can be used: it must see the data that a process writes which hides its memory, as wxbot does.
fn strace() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let found = std::env::split_paths(&path).map(|folder| folder.join("strace")).find(|file| file.is_file())?;
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    let may_trace = u64::from_str_radix(effective.trim(), 16).ok()? >> 19 & 1 == 1;
    let works = may_trace && Command::new(&found).args(["-qq", "-o", "/dev/null", "true"]).status().ok()?.success();
    works.then_some(found)
}

fn run(folder: &Path, strace: &Path, losses: usize, seed: u64) -> io::Result<Vec<String>> {
    let notes = folder.join("strace.out");
    let mut options: Vec<String> = disk::STRACE.iter().map(|&word| word.to_owned()).collect();
    options.extend(["-o".to_owned(), notes.display().to_string()]);
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    // The first life makes the files and logs in; it counts as well.
    let (sim, mut bot) = open(folder, |bot| bot.start_under(strace, &options).map(drop))?;
    let mut disk = Disk::new(&bot.data());
    let (mut town, mut random) = (Town::new(seed, RATE), Random::new(!seed));
    let (mut dropped, mut problems) = (0, Vec::new());
    for round in 1..=losses {
        let enough = AtomicBool::new(false);
        std::thread::scope(|threads| {
            let talk = threads.spawn(|| town.talk(&sim, &enough));
            wait::pause(Duration::from_millis(700 + random.below(900)));
            let killed = kill_child(&mut bot);
            enough.store(true, Ordering::Relaxed);
            killed.and(talk.join().map_err(|_panic| io::Error::other("the town panicked"))?)
        })?;
        disk.play(&std::fs::read_to_string(&notes)?)?;
        let tail = match round % 3 {
            0 => Tail::Spoiled,
            1 => Tail::Dropped,
            _ => Tail::Torn,
        };
        dropped += disk.unsynced();
        disk.lose_power(tail, &mut || random.below(u64::MAX))?;
        problems.extend(missing(&sim, &bot)?.into_iter().map(|what| format!("power loss {round} ({tail:?}): {what}")));
        bot.start_under(strace, &options)?;
        bot.until_online(ONLINE_WITHIN)?;
    }
    let count = Count::at_rest(losses, &town.told, &sim, &bot)?;
    println!("{losses} power losses took {dropped} bytes that were not synced; {count}");
    kill_child(&mut bot)?;
    problems.extend(count.problems());
    if dropped == 0 {
        problems.push("no power loss took anything: the test shows nothing".to_owned());
    }
    Ok(problems)
}

/// Ends wxbot itself with SIGKILL, and with it `strace`. Its process id is in its lock.
fn kill_child(bot: &mut Bot) -> io::Result<()> {
    let pid = std::fs::read_to_string(bot.data().join("wxbot.lock"))?;
    Command::new("kill").args(["-KILL", pid.trim()]).status()?;
    bot.until_ended(Duration::from_secs(10)).map(drop)
}

/// What the service has of us and the store that is left knows nothing of. A send is claimed before it goes out, and the
/// event that it answers was accepted before that.
fn missing(sim: &Sim, bot: &Bot) -> io::Result<Vec<String>> {
    let ledger = Ledger::open(&bot.data()).map_err(io::Error::other)?;
    let mut problems = ledger.damage().map_err(io::Error::other)?;
    let rows = ledger.sends(u64::from(u32::MAX)).map_err(io::Error::other)?;
    for sent in sim.sends()? {
        if !rows.iter().any(|row| row.client_id == sent.client_id && row.state != SendState::Queued) {
            problems.push(format!("`{}` was sent, and its send is not claimed in what is left", sent.content));
        }
        if !ledger.has_event_with(&format!("\"{}\"", sent.content)).map_err(io::Error::other)? {
            problems.push(format!("`{}` was answered, and its event is not in what is left", sent.content));
        }
    }
    problems.truncate(10);
    Ok(problems)
}
