//! What does one worker do? It changes inputs, keeps those that go a new way, and stops at nothing but a limit.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::corpus;
use crate::judge::{Finding, Way, judge};
use crate::mutate::{Rng, mutate};
use crate::targets::Target;

/// Inputs that are built on. Beyond it a new one takes the place of an old one.
const POOL: usize = 2_000;
/// Different findings of one target after which it stops: the first ones are to be mended first.
const MOST_FINDINGS: usize = 8;
/// An input that runs this long does not end.
const ENDLESS: Duration = Duration::from_secs(30);
/// The stack of a target: half of what a worker thread of the product has (security R08: no recursion).
const STACK: usize = 1024 * 1024;
/// How long a finding may be made smaller.
const SHRINKING: Duration = Duration::from_secs(3);
/// Inputs that [`Order::keep`] saves are no longer than this, and no more than [`MOST_SAVED`].
const LONGEST_SAVED: usize = 512;
const MOST_SAVED: usize = 48;

/// When a worker ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// After this many inputs.
    Executions(u64),
    /// After this long.
    Time(Duration),
}

/// What a worker is told.
#[derive(Debug, Clone, Copy)]
pub struct Order {
    /// When it ends.
    pub limit: Limit,
    /// What its inputs are drawn from: the same seed makes the same ones.
    pub seed: u64,
    /// Whether each input is written to `running` before it is tried: for those that end the process.
    pub trace: bool,
    /// Whether short inputs that went a new way are saved as corpus.
    pub keep: bool,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Inputs tried.
    pub executions: u64,
    /// How long.
    pub seconds: f64,
    /// Saved inputs that it began with.
    pub seeds: usize,
    /// Ways that inputs went.
    pub ways: usize,
    /// What was wrong: words, and the file with the input.
    pub findings: Vec<(String, PathBuf)>,
}

/// What the watcher sees.
struct Watched {
    number: AtomicU64,
    input: Mutex<Vec<u8>>,
    over: AtomicBool,
}

/// Runs a target until the limit, on a thread of its own with a small stack.
///
/// # Errors
/// When files cannot be read or written.
pub fn hunt(target: &'static Target, order: Order) -> io::Result<Report> {
    let watched =
        Arc::new(Watched { number: AtomicU64::new(0), input: Mutex::default(), over: AtomicBool::new(false) });
    let (done, waits) = mpsc::channel::<()>();
    let watcher = {
        let watched = Arc::clone(&watched);
        std::thread::Builder::new().name("watcher".into()).spawn(move || watch(target, &watched, &waits))?
    };
    let worker = {
        let watched = Arc::clone(&watched);
        std::thread::Builder::new()
            .name(target.name.into())
            .stack_size(STACK)
            .spawn(move || Hunter::new(target, order).run(&watched))?
    };
    let report = worker.join().map_err(|_panic| io::Error::other("the worker itself panicked"))?;
    watched.over.store(true, Ordering::Relaxed);
    drop(done);
    watcher.join().map_err(|_panic| io::Error::other("the watcher panicked"))?;
    report
}

/// Ends the process with the input that does not end.
fn watch(target: &Target, watched: &Watched, over: &mpsc::Receiver<()>) {
    let mut last = (u64::MAX, Instant::now());
    while over.recv_timeout(Duration::from_secs(1)) == Err(RecvTimeoutError::Timeout) {
        let number = watched.number.load(Ordering::Relaxed);
        if number != last.0 {
            last = (number, Instant::now());
        } else if last.1.elapsed() > ENDLESS && !watched.over.load(Ordering::Relaxed) {
            let input = watched.input.lock().unwrap_or_else(PoisonError::into_inner);
            _ = corpus::save(&corpus::crashes(target), "endless-", &input);
            std::process::exit(3);
        }
    }
}

struct Hunter {
    target: &'static Target,
    order: Order,
    rng: Rng,
    pool: Vec<Vec<u8>>,
    ways: HashSet<Way>,
    told: HashSet<String>,
    saved: usize,
    report: Report,
}

impl Hunter {
    fn new(target: &'static Target, order: Order) -> Self {
        // Each target its own inputs, also under one seed.
        let own = target.name.bytes().fold(order.seed, |sum, byte| sum.rotate_left(7) ^ u64::from(byte));
        Self {
            target,
            order,
            rng: Rng::new(own),
            pool: Vec::new(),
            ways: HashSet::new(),
            told: HashSet::new(),
            saved: 0,
            report: Report::default(),
        }
    }

    fn run(mut self, watched: &Watched) -> io::Result<Report> {
        let began = Instant::now();
        let seeds = corpus::inputs(self.target)?;
        self.report.seeds = seeds.len();
        self.saved = seeds.iter().filter(|one| one.path.starts_with(corpus::folder(self.target))).count();
        for one in seeds {
            self.one(one.bytes, watched, false)?;
        }
        for word in self.target.words {
            self.one(word.as_bytes().to_vec(), watched, false)?;
        }
        self.one(Vec::new(), watched, false)?;
        while !self.is_over(began) {
            let nth = self.rng.below(self.pool.len());
            let mut input = self.pool.get(nth).cloned().unwrap_or_default();
            mutate(&mut input, &self.pool, self.target.words, &mut self.rng);
            self.one(input, watched, true)?;
        }
        self.report.seconds = began.elapsed().as_secs_f64();
        self.report.ways = self.ways.len();
        Ok(self.report)
    }

    fn is_over(&self, began: Instant) -> bool {
        self.report.findings.len() >= MOST_FINDINGS
            || match self.order.limit {
                Limit::Executions(most) => self.report.executions >= most,
                Limit::Time(most) => began.elapsed() >= most,
            }
    }

    fn one(&mut self, input: Vec<u8>, watched: &Watched, is_new: bool) -> io::Result<()> {
        self.report.executions += 1;
        {
            let mut shown = watched.input.lock().unwrap_or_else(PoisonError::into_inner);
            shown.clear();
            shown.extend_from_slice(&input);
        }
        watched.number.store(self.report.executions, Ordering::Relaxed);
        if self.order.trace {
            let folder = corpus::crashes(self.target);
            fs::create_dir_all(&folder)?;
            fs::write(folder.join("running"), &input)?;
        }
        match judge(self.target, &input) {
            Ok(way) => {
                if !self.ways.insert(way) && is_new {
                    return Ok(());
                }
                if is_new && self.order.keep && self.saved < MOST_SAVED && input.len() <= LONGEST_SAVED {
                    corpus::save(&corpus::folder(self.target), "", &input)?;
                    self.saved += 1;
                }
                if self.pool.len() < POOL {
                    self.pool.push(input);
                } else {
                    let nth = self.rng.below(POOL);
                    if let Some(old) = self.pool.get_mut(nth) {
                        *old = input;
                    }
                }
                Ok(())
            }
            Err(finding) => self.found(input, finding),
        }
    }

    fn found(&mut self, input: Vec<u8>, finding: Finding) -> io::Result<()> {
        // Of panics the place, of the rest the word: the numbers in them differ each time.
        let about = match &finding {
            Finding::Panic(said) => said.rsplit(" at ").next().unwrap_or_default().to_owned(),
            Finding::Memory { .. } | Finding::Time { .. } => finding.word().to_owned(),
        };
        if !self.told.insert(about) {
            return Ok(());
        }
        let (input, finding) = shrunk(self.target, input, finding);
        let path = corpus::save(&corpus::crashes(self.target), &format!("{}-", finding.word()), &input)?;
        self.report.findings.push((finding.to_string(), path));
        Ok(())
    }
}

/// A smaller input that does the same, as far as a little time allows.
fn shrunk(target: &Target, mut input: Vec<u8>, mut finding: Finding) -> (Vec<u8>, Finding) {
    let until = Instant::now() + SHRINKING;
    let mut step = input.len() / 2;
    while step > 0 && Instant::now() < until {
        let mut at = 0;
        while at < input.len() && Instant::now() < until {
            let mut less = input.clone();
            less.drain(at..(at + step).min(input.len()));
            match judge(target, &less) {
                Err(same) if same.word() == finding.word() => (input, finding) = (less, same),
                Err(_) | Ok(_) => at += step,
            }
        }
        step /= 2;
    }
    (input, finding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::targets::Seeds;

    static SPOILT: Target = Target {
        name: "a-spoilt-target",
        run: |bytes| assert!(!bytes.windows(2).any(|pair| pair == b"{}"), "two brackets"),
        seeds: Seeds::NONE,
        words: &["{", "}"],
        factor: 10,
        slack: 64 * 1024,
    };

    #[test]
    fn a_fault_is_found_made_small_and_saved() {
        let order = Order { limit: Limit::Executions(20_000), seed: 1, trace: false, keep: false };
        let report = hunt(&SPOILT, order).unwrap();
        let [(words, path)] = &report.findings[..] else { panic!("{report:?}") };
        assert!(words.starts_with("panic: two brackets at "), "{words}");
        assert_eq!(fs::read(path).unwrap(), b"{}");
        fs::remove_dir_all(corpus::crashes(&SPOILT)).unwrap();
        assert_eq!(report.executions, 20_000);
    }
}
