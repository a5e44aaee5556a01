//! `cargo xtask bench`: how fast does a durable wxbot answer on this machine, and what does it cost?
//!
//! - `measure`: one run of one case
//! - `usage`: CPU time and memory of a process
//! - `report`: medians, table, JSON

mod measure;
mod report;
mod usage;

use std::fs;
use std::io;
use std::path::PathBuf;

use crate::{Args, build_release, target_dir};

/// The narrow case asks how fast one account can be; so many unanswered messages keep its sender busy.
const NARROW_OPEN: usize = 64;
/// One account answers its messages in a fraction of a second, too short to measure.
const NARROW_TIMES: usize = 10;

/// What the command line says.
#[derive(Debug)]
pub(crate) struct Options {
    accounts: usize,
    messages: usize,
    open: usize,
    runs: usize,
    json: Option<PathBuf>,
}

impl Options {
    pub(crate) fn read(args: &mut Args) -> Result<Self, String> {
        Ok(Self {
            accounts: args.number("--accounts", 50)?,
            messages: args.number("--messages", 200)?,
            open: args.number("--open", 4)?,
            runs: args.number("--runs", 3)?,
            json: args.value("--json")?.map(PathBuf::from),
        })
    }

    fn cases(&self) -> [Case; 2] {
        let narrow = Case { accounts: 1, messages: self.messages * NARROW_TIMES, open: NARROW_OPEN };
        [narrow, Case { accounts: self.accounts, messages: self.messages, open: self.open }]
    }
}

/// One load: so many accounts, messages per account, and unanswered messages per account at a time.
#[derive(Debug, Clone, Copy)]
struct Case {
    accounts: usize,
    messages: usize,
    open: usize,
}

/// Runs all cases and reports.
pub(crate) fn run(options: Options) -> io::Result<()> {
    let binary = build_release()?;
    let home = target_dir().join("bench");
    let mut results = Vec::new();
    for case in options.cases() {
        let mut samples = Vec::new();
        for run in 1..=options.runs {
            eprintln!("{} account(s), {} messages each: run {run} of {}", case.accounts, case.messages, options.runs);
            // On the disk of the repository and not in /tmp, which may be memory: fsync must cost what it costs.
            let folder = home.join(format!("{}-accounts-run-{run}", case.accounts));
            _ = fs::remove_dir_all(&folder);
            fs::create_dir_all(&folder)?;
            let sample = measure::run(&binary, &folder, case);
            let failed = |error| io::Error::other(format!("{error}\nall files are kept in {}", folder.display()));
            samples.push(sample.map_err(failed)?);
            fs::remove_dir_all(&folder)?;
        }
        results.push(report::CaseResult::new(case, samples));
    }
    print!("{}", report::table(&results));
    let json = report::json(&results);
    match options.json {
        Some(path) => fs::write(&path, format!("{json:#}\n")),
        None => {
            println!("\n{json}");
            Ok(())
        }
    }
}
