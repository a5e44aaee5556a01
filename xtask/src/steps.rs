//! How do steps run one after the other, and what is said at the end?

use std::io;
use std::time::{Duration, Instant};

/// How a step ended when it did not fail.
#[derive(Debug)]
pub(crate) enum Done {
    Passed,
    /// Nothing was checked, for this reason.
    Skipped(String),
}

/// What was done so far.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    rows: Vec<(&'static str, &'static str, Duration)>,
    skips: Vec<(String, String)>,
}

impl Steps {
    /// Runs one step under a heading. After a failure the next steps make no sense, so the error is final.
    pub(crate) fn step(&mut self, name: &'static str, work: impl FnOnce() -> io::Result<Done>) -> io::Result<()> {
        eprintln!("\n==> {name}");
        let start = Instant::now();
        let result = work();
        let outcome = match &result {
            Ok(Done::Passed) => "ok",
            Ok(Done::Skipped(_)) => "skipped",
            Err(_) => "FAILED",
        };
        self.rows.push((name, outcome, start.elapsed()));
        match result {
            Ok(Done::Passed) => Ok(()),
            Ok(Done::Skipped(reason)) => {
                eprintln!("skipped: {reason}");
                self.skip(name, reason);
                Ok(())
            }
            Err(error) => Err(io::Error::new(error.kind(), format!("step `{name}` failed: {error}"))),
        }
    }

    /// Notes something that was not checked, and why.
    pub(crate) fn skip(&mut self, what: impl Into<String>, reason: impl Into<String>) {
        self.skips.push((what.into(), reason.into()));
    }

    /// The table and the list of skips.
    pub(crate) fn summary(&self) -> String {
        let width = self.rows.iter().map(|(name, ..)| name.chars().count()).max().unwrap_or_default();
        let mut text = String::new();
        for (name, outcome, took) in &self.rows {
            text += &format!("{name:<width$}  {outcome:<7}  {:>7.1} s\n", took.as_secs_f64());
        }
        let total: Duration = self.rows.iter().map(|(_, _, took)| *took).sum();
        text += &format!("{:<width$}  {:<7}  {:>7.1} s\n", "all", "", total.as_secs_f64());
        if self.skips.is_empty() {
            text += "\nnothing was skipped\n";
        } else {
            text += &format!("\n{} skipped:\n", self.skips.len());
            for (what, reason) in &self.skips {
                text += &format!("  {what}: {reason}\n");
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_names_steps_and_reasons() {
        let mut steps = Steps::default();
        steps.step("format", || Ok(Done::Passed)).unwrap();
        steps.step("clients", || Ok(Done::Skipped("no node".to_owned()))).unwrap();
        let error = steps.step("tests", || Err(io::Error::other("exit status: 1"))).unwrap_err();
        assert_eq!(error.to_string(), "step `tests` failed: exit status: 1");
        let summary = steps.summary();
        for part in ["format   ok", "clients  skipped", "tests    FAILED", "1 skipped:\n  clients: no node"] {
            assert!(summary.contains(part), "{part} in\n{summary}");
        }
    }
}
