//! How are all targets run? Each in a process of its own, as many at a time as there are cores: one that dies costs itself.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io;
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::corpus;
use crate::hunt::{Limit, Order, Report};
use crate::targets::Target;

/// A target and what came of it; the words say why there is nothing.
pub type Row = (&'static Target, Result<Report, String>);

/// Runs these targets, `jobs` at a time.
///
/// # Errors
/// When this program cannot be started again.
pub fn run(targets: &[&'static Target], order: Order, jobs: usize) -> io::Result<Vec<Row>> {
    let program = std::env::current_exe()?;
    let waiting: Mutex<VecDeque<&'static Target>> = Mutex::new(targets.iter().copied().collect());
    let rows: Mutex<Vec<Row>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| {
                loop {
                    let Some(target) = waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front() else {
                        return;
                    };
                    let row = work(&program, target, order);
                    rows.lock().unwrap_or_else(PoisonError::into_inner).push((target, row));
                }
            });
        }
    });
    let mut rows = rows.into_inner().unwrap_or_else(PoisonError::into_inner);
    rows.sort_by_key(|(target, _)| targets.iter().position(|one| one.name == target.name));
    Ok(rows)
}

/// One worker. If it dies (a stack overflow, an abort), it is run once more, with each input written down before it.
fn work(program: &std::path::Path, target: &'static Target, order: Order) -> Result<Report, String> {
    match spawn(program, target, order) {
        Ok(report) => Ok(report),
        Err(how) if how.contains("exit status: 3") => {
            Err(format!("an input does not end; it is in {}", corpus::crashes(target).display()))
        }
        Err(how) if order.trace => Err(how),
        Err(how) => {
            let again = Order { trace: true, ..order };
            match spawn(program, target, again) {
                Ok(_) => Err(format!("it died ({how}), and did not when it was run again")),
                Err(_) => {
                    let input = corpus::crashes(target).join("running");
                    Err(format!("it died ({how}); the input is {}", input.display()))
                }
            }
        }
    }
}

fn spawn(program: &std::path::Path, target: &Target, order: Order) -> Result<Report, String> {
    let mut command = Command::new(program);
    command.args(["work", target.name, "--seed", &order.seed.to_string()]);
    match order.limit {
        Limit::Executions(most) => command.args(["--executions", &most.to_string()]),
        Limit::Time(most) => command.args(["--seconds", &most.as_secs().to_string()]),
    };
    if order.trace {
        command.arg("--trace");
    }
    if order.keep {
        command.arg("--keep");
    }
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(output.status.to_string());
    }
    serde_json::from_slice(&output.stdout).map_err(|error| format!("its report cannot be read: {error}"))
}

/// The rows as a table, then what was found; true when nothing was.
pub fn table(rows: &[Row], began: Instant) -> (String, bool) {
    let width = rows.iter().map(|(target, _)| target.name.len()).max().unwrap_or(0);
    let mut text =
        format!("{:<width$}  {:>10}  {:>9}  {:>6}  {:>6}\n", "target", "executions", "a second", "seeds", "ways");
    let (mut all, mut found) = (0, String::new());
    for (target, row) in rows {
        match row {
            Ok(report) => {
                all += report.executions;
                #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
                let rate = report.executions as f64 / report.seconds.max(0.001);
                _ = writeln!(
                    text,
                    "{:<width$}  {:>10}  {rate:>9.0}  {:>6}  {:>6}",
                    target.name, report.executions, report.seeds, report.ways
                );
                for (words, path) in &report.findings {
                    let path = path.strip_prefix(corpus::root()).unwrap_or(path).display();
                    _ = writeln!(found, "{}: {words}", target.name);
                    _ = writeln!(found, "    repeat it with `cargo xtask fuzz repeat {} {path}`", target.name);
                }
            }
            Err(how) => {
                _ = writeln!(text, "{:<width$}  {:>10}", target.name, "died");
                _ = writeln!(found, "{}: {how}", target.name);
            }
        }
    }
    let took: Duration = began.elapsed();
    _ = writeln!(text, "{:<width$}  {all:>10}  in {:.0} s", "all", took.as_secs_f64());
    let well = found.is_empty();
    if !well {
        _ = write!(text, "\n{found}");
    }
    (text, well)
}
