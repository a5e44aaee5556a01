//! `cargo xtask`: what is done with the workspace, in one place for people and for CI.
//!
//! - `test`: the steps of `cargo xtask test` in order
//! - `steps`: one step after the other, with times, skips and a table at the end
//! - `tools`: what the tests need that is not in the repository
//! - `clients`: real third-party clients against the simulator
//! - `bench`: messages per second, delays, CPU and memory on this machine
//! - `fuzz`: any bytes for every parser
//! - `command`: child processes that can be repeated by hand
//! - `support`: shared with the black-box tests in `tests/`

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a tool for the terminal: results and progress")]
#![expect(clippy::disallowed_types, reason = "no runtime here: real processes, real time")]

mod bench;
mod clients;
mod command;
mod fuzz;
mod steps;
#[path = "../../tests/support/mod.rs"]
mod support;
mod test;
mod tools;

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use command::Cmd;

const USAGE: &str = "\
cargo xtask test [--fast]     installs what the tests need, then format check, clippy, all tests, real clients
                              --fast: no release build, no doc tests, no real clients
cargo xtask bench [options]   measures the release build on a simulator over loopback, fsync on
    --accounts N     accounts of the wide case (50); the narrow case always has one
    --messages N     messages per account in the wide case (200); the narrow case has ten times as many
    --open N         unanswered messages per account in the wide case (4); the narrow case has 64
    --runs N         runs per case; the medians are shown (3)
    --json FILE      writes the JSON there instead of below the table
    --scale LIST     instead: start, idle cost and load with so many accounts each, like 50,500,2000
    --plot FILE      with --scale: a picture of it (SVG)
    --storm          instead: 1,000 messages in 10 s in one room, and how late others are answered meanwhile
    --ilink N        instead: memory of N iLink accounts (1,000) that wait in their polls, and of a 20 MiB file down and up
    --sick N         instead: N accounts (200), of which one in ten is sick: how late are the others answered?
    --push           instead: pushes of a PC hook, answered when they are on disk: 500/s, then a burst
    --seconds N      with --push: how long 500/s (20)
    --queue          instead: pushed messages that wait behind a slow plugin, and the memory that it costs
    --posts N        with --push: posts of the burst; with --queue: how many wait (100000)
cargo xtask fuzz [options]    any bytes for every parser, optimised, on all cores; `--help` tells the options
    --seconds N      how long each target (20)
    --executions N   how many inputs each instead
    TARGET…          these only
    repeat T FILE    one saved input again
cargo xtask soak [options]    what takes longer than anybody wants to wait for in `cargo xtask test`
    --kills N        ends by SIGKILL at random moments, at 500 messages a second (1000), and a quarter of them for each
                     process of a keeper
    --terms N        ends by SIGTERM under load (50)
    --losses N       losses of power (30)
    --executions N   inputs for each fuzz target (500000)
";

/// Exit code for a command line that cannot be understood, as in the wxbot binary.
const USAGE_ERROR: u8 = 2;

fn main() -> ExitCode {
    let mut args = Args(std::env::args().skip(1).collect());
    let result = match args.0.pop_front().as_deref() {
        Some("test") => args.flag("--fast").and_then(|fast| args.end().map(|()| fast)).map(test::run),
        Some("bench") => bench::Options::read(&mut args).and_then(|found| args.end().map(|()| found)).map(bench::run),
        Some("fuzz") => Ok(fuzz::run(args.0.make_contiguous())),
        Some("soak") => Soak::read(&mut args).and_then(|found| args.end().map(|()| found)).map(soak),
        Some("help" | "--help" | "-h") => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Some(other) => Err(format!("unknown task `{other}`")),
        None => Err("which task?".to_owned()),
    };
    match result {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => {
            eprintln!("\nxtask: {error}");
            ExitCode::FAILURE
        }
        Err(mistake) => {
            eprint!("xtask: {mistake}\n\n{USAGE}");
            ExitCode::from(USAGE_ERROR)
        }
    }
}

/// How often each kind of end.
#[derive(Debug)]
struct Soak {
    kills: usize,
    terms: usize,
    losses: usize,
    executions: usize,
}

impl Soak {
    fn read(args: &mut Args) -> Result<Self, String> {
        Ok(Self {
            kills: args.number("--kills", 1_000)?,
            terms: args.number("--terms", 50)?,
            losses: args.number("--losses", 30)?,
            executions: args.number("--executions", 500_000)?,
        })
    }
}

/// The crash tests, longer than anybody wants to wait for in `cargo xtask test`; one after the other, since they measure.
fn soak(Soak { kills, terms, losses, executions }: Soak) -> io::Result<()> {
    let binary = build_release()?;
    let tests = ["kill::", "terminate::", "power_loss::"];
    let words = ["test", "--locked", "--package", "wxbot", "--test", "crash", "--", "--nocapture", "--test-threads=1"];
    Cmd::cargo(&[&words[..], &tests].concat())
        .env("WXBOT_BIN", &binary)
        .env("WXBOT_SOAK", "1")
        .env("WXBOT_KILLS", kills.to_string())
        .env("WXBOT_RATE", "500")
        .env("WXBOT_TERMS", terms.to_string())
        .env("WXBOT_LOSSES", losses.to_string())
        .run()?;
    // Each of its scenes kills so often.
    Cmd::cargo(&[
        "test",
        "--locked",
        "--package",
        "wxbot",
        "--test",
        "keeper",
        "--",
        "--nocapture",
        "--test-threads=1",
    ])
    .env("WXBOT_BIN", &binary)
    .env("WXBOT_KEEPER_KILLS", (kills / 4).max(10).to_string())
    .run()?;
    fuzz::soak(executions)
}

/// Builds the binary that the black-box tests and the bench run, and gives its path.
fn build_release() -> io::Result<PathBuf> {
    Cmd::cargo(&["build", "--release", "--locked", "--package", "wxbot", "--bin", "wxbot"]).run()?;
    let binary = target_dir().join("release").join("wxbot").with_extension(std::env::consts::EXE_EXTENSION);
    if binary.is_file() { Ok(binary) } else { Err(io::Error::other(format!("{} is not there", binary.display()))) }
}

/// The workspace; xtask is a folder in it.
fn root() -> &'static Path {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own)
}

fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |folder| root().join(folder))
}

/// The words of the command line that are not used yet.
#[derive(Debug)]
struct Args(VecDeque<String>);

impl Args {
    fn flag(&mut self, name: &str) -> Result<bool, String> {
        let found = self.0.iter().position(|word| word == name);
        Ok(found.and_then(|at| self.0.remove(at)).is_some())
    }

    fn value(&mut self, name: &str) -> Result<Option<String>, String> {
        let Some(at) = self.0.iter().position(|word| word == name) else { return Ok(None) };
        self.0.remove(at);
        self.0.remove(at).map(Some).ok_or_else(|| format!("`{name}` needs a value"))
    }

    /// A number of at least 1.
    fn number(&mut self, name: &str, preset: usize) -> Result<usize, String> {
        let Some(text) = self.value(name)? else { return Ok(preset) };
        match text.parse() {
            Ok(number) if number > 0 => Ok(number),
            Ok(_) | Err(_) => Err(format!("`{name}` needs a number of at least 1, not `{text}`")),
        }
    }

    fn end(&self) -> Result<(), String> {
        self.0.front().map_or(Ok(()), |word| Err(format!("unknown option `{word}`")))
    }
}
