//! `cargo xtask bench`: how fast does a durable wxbot answer on this machine, and what does it cost?
//!
//! - `measure`: one run of one case
//! - `fleet`: one run of many accounts
//! - `push`, `line`: pushes that are answered when they are on disk
//! - `queue`: what it costs when pushed messages wait behind a slow plugin
//! - `ilink`: memory of many iLink accounts, and of a large file
//! - `storm`: a thousand messages in one room, and those who wait elsewhere
//! - `sick`: accounts whose requests fail, and those who have others beside them
//! - `usage`: CPU time and memory of a process
//! - `plot`: how cost grows with accounts
//! - `report`: medians, table, JSON

mod fleet;
mod ilink;
mod line;
mod measure;
mod plot;
mod push;
mod queue;
mod report;
mod sick;
mod storm;
mod usage;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

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
    scale: Vec<usize>,
    plot: Option<PathBuf>,
    storm: bool,
    sick: Option<usize>,
    ilink: Option<usize>,
    push: Option<push::Pushes>,
    queue: Option<usize>,
}

impl Options {
    pub(crate) fn read(args: &mut Args) -> Result<Self, String> {
        let (push, queue) = pushes(args)?;
        Ok(Self {
            push,
            queue,
            accounts: args.number("--accounts", 50)?,
            messages: args.number("--messages", 200)?,
            open: args.number("--open", 4)?,
            runs: args.number("--runs", 3)?,
            json: args.value("--json")?.map(PathBuf::from),
            scale: sizes(args.value("--scale")?)?,
            plot: args.value("--plot")?.map(PathBuf::from),
            storm: args.flag("--storm")?,
            sick: sick(args)?,
            ilink: ilink(args)?,
        })
    }

    fn cases(&self) -> [Case; 2] {
        let narrow = Case { accounts: 1, messages: self.messages * NARROW_TIMES, open: NARROW_OPEN };
        [narrow, Case { accounts: self.accounts, messages: self.messages, open: self.open }]
    }
}

/// So many accounts that one in ten may be sick, and others are not.
fn sick(args: &mut Args) -> Result<Option<usize>, String> {
    let Some(text) = args.value("--sick")? else { return Ok(None) };
    let accounts = text.parse().ok().filter(|accounts| *accounts >= 2);
    accounts.map(Some).ok_or_else(|| format!("`--sick` needs a number of accounts of at least 2, not `{text}`"))
}

fn ilink(args: &mut Args) -> Result<Option<usize>, String> {
    let Some(text) = args.value("--ilink")? else { return Ok(None) };
    let accounts = text.parse().ok().filter(|accounts| *accounts >= 1);
    accounts.map(Some).ok_or_else(|| format!("`--ilink` needs a number of accounts, not `{text}`"))
}

/// What is wanted of pushes, and how many shall wait.
fn pushes(args: &mut Args) -> Result<(Option<push::Pushes>, Option<usize>), String> {
    let (push, queue) = (args.flag("--push")?, args.flag("--queue")?);
    let pushes = push::Pushes { seconds: args.number("--seconds", 20)?, posts: args.number("--posts", 100_000)? };
    Ok((push.then_some(pushes), queue.then_some(pushes.posts)))
}

/// `50,500,2000`
fn sizes(text: Option<String>) -> Result<Vec<usize>, String> {
    let Some(text) = text else { return Ok(Vec::new()) };
    let size = |word: &str| word.trim().parse().ok().filter(|size| *size > 0);
    let sizes = text.split(',').map(|word| size(word).ok_or_else(|| format!("`{word}` is no number of accounts")));
    sizes.collect()
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
    // Another build than the release one gives other figures; it shows that the bench itself works.
    let binary = std::env::var_os("WXBOT_BIN").map_or_else(build_release, |path| Ok(path.into()))?;
    let home = target_dir().join("bench");
    if !options.scale.is_empty() {
        return scale(&options, &binary, &home);
    }
    if let Some(pushes) = options.push {
        let pushed = push::run(&binary, &home, options.runs, pushes)?;
        print!("{}", pushed.table());
        return options.json.map_or(Ok(()), |path| fs::write(path, format!("{:#}\n", pushed.json())));
    }
    if let Some(accounts) = options.sick {
        let seen = sick::run(&binary, &home, options.runs, accounts)?;
        print!("{}", seen.table());
        return options.json.map_or(Ok(()), |path| fs::write(path, format!("{:#}\n", seen.json())));
    }
    if let Some(accounts) = options.ilink {
        let seen = ilink::run(&binary, &home, accounts)?;
        return options.json.map_or(Ok(()), |path| fs::write(path, format!("{:#}\n", seen.json())));
    }
    if let Some(posts) = options.queue {
        let queued = queue::run(&binary, &home, options.runs, posts)?;
        print!("{}", queued.table());
        return options.json.map_or(Ok(()), |path| fs::write(path, format!("{:#}\n", queued.json())));
    }
    if options.storm {
        let storms = storm::run(&binary, &home, options.runs)?;
        print!("{}", storms.table());
        return options.json.map_or(Ok(()), |path| fs::write(path, format!("{:#}\n", storms.json())));
    }
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

/// The same with more and more accounts.
fn scale(options: &Options, binary: &Path, home: &Path) -> io::Result<()> {
    let mut points = Vec::new();
    for &accounts in &options.scale {
        eprintln!("{accounts} account(s)");
        let folder = home.join(format!("fleet-{accounts}"));
        _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder)?;
        let sample = fleet::run(binary, &folder, accounts);
        let failed = |error| io::Error::other(format!("{error}\nall files are kept in {}", folder.display()));
        points.push((accounts, sample.map_err(failed)?));
        fs::remove_dir_all(&folder)?;
        // Two thousand accounts take minutes: what is known by then is said, also when the next size fails.
        eprint!("{}", report::fleet_table(points.split_at(points.len() - 1).1));
        if let Some(path) = &options.plot {
            fs::write(path, plot::svg(&points))?;
        }
    }
    print!("{}", report::fleet_table(&points));
    match &options.json {
        Some(path) => fs::write(path, format!("{:#}\n", report::fleet_json(&points))),
        None => Ok(()),
    }
}
