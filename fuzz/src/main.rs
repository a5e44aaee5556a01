//! `wxbot-fuzz`: runs the fuzz targets. `cargo xtask fuzz` builds it optimised and calls it.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a tool for the terminal: results and progress")]
#![expect(clippy::disallowed_types, reason = "no runtime here: real processes, real time")]

use std::collections::VecDeque;
use std::fs;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use wxbot_fuzz::hunt::{Limit, Order, hunt};
use wxbot_fuzz::judge::judge;
use wxbot_fuzz::{TARGETS, Target, crew};

const USAGE: &str = "\
wxbot-fuzz [options] [TARGET…]    all targets, or these
    --seconds N       how long each (20)
    --executions N    how many inputs each, instead
    --jobs N          how many at a time (one for each core)
    --seed N          what inputs are drawn from (1); the same seed and number make the same inputs
    --keep            saves short inputs that go a new way to fuzz/corpus/TARGET/
wxbot-fuzz list                   names of the targets
wxbot-fuzz repeat TARGET FILE     one input again, loudly
";

fn main() -> ExitCode {
    let mut args = Args(std::env::args().skip(1).collect());
    let done = match args.0.front().map(String::as_str) {
        Some("list") => {
            for target in TARGETS {
                println!("{}", target.name);
            }
            Ok(true)
        }
        Some("repeat") => repeat(&args),
        Some("work") => args.0.pop_front().map_or(Ok(true), |_| work(args)),
        Some("--help" | "-h" | "help") => {
            print!("{USAGE}");
            Ok(true)
        }
        Some(_) | None => all(args),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(mistake) => {
            eprint!("wxbot-fuzz: {mistake}\n\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn all(mut args: Args) -> Result<bool, String> {
    let order = args.order()?;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let jobs = args.number("--jobs")?.and_then(|jobs| usize::try_from(jobs).ok()).unwrap_or(cores);
    let targets = if args.0.is_empty() {
        TARGETS.iter().collect()
    } else {
        args.0.iter().map(|name| named(name)).collect::<Result<Vec<_>, _>>()?
    };
    let began = Instant::now();
    let rows = crew::run(&targets, order, jobs).map_err(|error| error.to_string())?;
    let (table, well) = crew::table(&rows, began);
    print!("{table}");
    Ok(well)
}

/// One target in this process; the report goes to standard output as JSON.
fn work(mut args: Args) -> Result<bool, String> {
    let order = args.order()?;
    let name = args.0.pop_front().ok_or("which target?")?;
    let report = hunt(named(&name)?, order).map_err(|error| error.to_string())?;
    println!("{}", serde_json::to_string(&report).map_err(|error| error.to_string())?);
    Ok(true)
}

fn repeat(args: &Args) -> Result<bool, String> {
    let (Some(name), Some(file)) = (args.0.get(1), args.0.get(2)) else { return Err("which target and file?".into()) };
    let input = fs::read(file).map_err(|error| format!("{file}: {error}"))?;
    match judge(named(name)?, &input) {
        Ok(way) => println!("{} bytes, all well: {way:?}", input.len()),
        Err(finding) => {
            println!("{finding}");
            return Ok(false);
        }
    }
    Ok(true)
}

fn named(name: &str) -> Result<&'static Target, String> {
    TARGETS.iter().find(|target| target.name == name).ok_or_else(|| format!("there is no target `{name}`"))
}

/// The words of the command line that are not used yet.
struct Args(VecDeque<String>);

impl Args {
    fn order(&mut self) -> Result<Order, String> {
        let seconds = self.number("--seconds")?;
        let limit = match self.number("--executions")? {
            Some(most) => Limit::Executions(most),
            None => Limit::Time(Duration::from_secs(seconds.unwrap_or(20))),
        };
        let seed = self.number("--seed")?.unwrap_or(1);
        Ok(Order { limit, seed, trace: self.flag("--trace"), keep: self.flag("--keep") })
    }

    fn flag(&mut self, name: &str) -> bool {
        let found = self.0.iter().position(|word| word == name);
        found.and_then(|at| self.0.remove(at)).is_some()
    }

    fn number(&mut self, name: &str) -> Result<Option<u64>, String> {
        let Some(at) = self.0.iter().position(|word| word == name) else { return Ok(None) };
        self.0.remove(at);
        let text = self.0.remove(at).ok_or_else(|| format!("`{name}` needs a number"))?;
        text.parse().map(Some).map_err(|_no_number| format!("`{name}` needs a number, not `{text}`"))
    }
}
