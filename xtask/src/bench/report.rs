//! How are the figures shown to people and to programs?

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::measure::{FIGURES, Sample};
use super::{Case, fleet};

/// Said wherever figures are shown: without it they compare to nothing.
const CONDITIONS: &str = "one machine, loopback HTTP, pacing lifted; fsync is on (each message and each answer is \
                          committed to disk before the next step); each message answered exactly once";

/// All runs of one case.
#[derive(Debug)]
pub(super) struct CaseResult {
    case: Case,
    samples: Vec<Sample>,
}

impl CaseResult {
    pub(super) fn new(case: Case, samples: Vec<Sample>) -> Self {
        Self { case, samples }
    }

    /// The median over the runs that have the figure.
    fn median(&self, key: &str) -> Option<f64> {
        let mut values: Vec<f64> = self.samples.iter().filter_map(|sample| sample.get(key).copied()).collect();
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        let upper = *values.get(middle)?;
        let even = values.len().is_multiple_of(2);
        let lower = if even { *values.get(middle.checked_sub(1)?)? } else { upper };
        Some(f64::midpoint(lower, upper))
    }

    fn json(&self) -> Value {
        let Case { accounts, messages, open } = self.case;
        let medians: Map<_, _> =
            FIGURES.iter().filter_map(|(key, ..)| Some(((*key).to_owned(), rounded(self.median(key)?)))).collect();
        let run = |sample: &Sample| -> Map<_, _> {
            sample.iter().map(|(key, value)| ((*key).to_owned(), rounded(*value))).collect()
        };
        let runs: Vec<_> = self.samples.iter().map(run).collect();
        json!({
            "accounts": accounts, "messages_per_account": messages, "open_per_account": open,
            "median": medians, "runs": runs,
        })
    }
}

/// One column a case, one row a figure.
pub(super) fn table(results: &[CaseResult]) -> String {
    let mut text = String::from("\n");
    let about = FIGURES.iter().map(|(_, about, _)| about.chars().count()).max().unwrap_or_default();
    let heads = [
        ("accounts", results.iter().map(|result| result.case.accounts).collect::<Vec<_>>()),
        ("messages per account", results.iter().map(|result| result.case.messages).collect()),
        ("unanswered per account, at most", results.iter().map(|result| result.case.open).collect()),
    ];
    for (name, numbers) in heads {
        let cells: String = numbers.iter().map(|number| format!("{number:>12}")).collect();
        _ = writeln!(text, "{name:<about$}{cells}");
    }
    for (key, name, digits) in FIGURES {
        let cell = |result: &CaseResult| match result.median(key) {
            Some(value) => format!("{value:>12.digits$}"),
            None => format!("{:>12}", "-"),
        };
        let cells: String = results.iter().map(cell).collect();
        _ = writeln!(text, "{name:<about$}{cells}");
    }
    let runs = results.iter().map(|result| result.samples.len()).max().unwrap_or_default();
    _ = writeln!(text, "\nMedians of {runs} run(s); {}; {CONDITIONS}.", machine());
    text
}

/// The same with the single runs.
pub(super) fn json(results: &[CaseResult]) -> Value {
    let cases: Vec<_> = results.iter().map(CaseResult::json).collect();
    json!({ "conditions": CONDITIONS, "fsync": true, "machine": machine(), "cases": cases })
}

/// One row a figure, one column a number of accounts.
pub(super) fn fleet_table(points: &[(usize, Sample)]) -> String {
    let mut text = String::from("\n");
    let about = fleet::FIGURES.iter().map(|(_, about, _)| about.chars().count()).max().unwrap_or_default();
    let cells: String = points.iter().map(|(accounts, _)| format!("{accounts:>10}")).collect();
    _ = writeln!(text, "{:<about$}{cells}", "accounts");
    for (key, name, digits) in fleet::FIGURES {
        let cell = |sample: &Sample| match sample.get(key) {
            Some(value) => format!("{value:>10.digits$}"),
            None => format!("{:>10}", "-"),
        };
        let cells: String = points.iter().map(|(_, sample)| cell(sample)).collect();
        _ = writeln!(text, "{name:<about$}{cells}");
    }
    _ = writeln!(text, "\nOne run each; {}; {CONDITIONS}.", machine());
    text
}

/// The same for programs.
pub(super) fn fleet_json(points: &[(usize, Sample)]) -> Value {
    let row = |(accounts, sample): &(usize, Sample)| {
        let figures: Map<_, _> = sample.iter().map(|(key, value)| ((*key).to_owned(), rounded(*value))).collect();
        json!({ "accounts": accounts, "figures": figures })
    };
    let rows: Vec<_> = points.iter().map(row).collect();
    json!({ "conditions": CONDITIONS, "fsync": true, "machine": machine(), "fleets": rows })
}

/// Four digits behind the point are more than any of these figures is worth.
fn rounded(value: f64) -> Value {
    json!((value * 10_000.0).round() / 10_000.0)
}

fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let model = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = model.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    format!("{cores} core(s) of {}", model.map_or(std::env::consts::ARCH, |(_, name)| name.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_take_the_middle_and_bear_gaps() {
        let case = Case { accounts: 1, messages: 10, open: 2 };
        let result = |values: &[f64]| {
            CaseResult::new(case, values.iter().map(|value| Sample::from([("messages_per_s", *value)])).collect())
        };
        for (name, values, want) in
            [("odd", &[3.0, 100.0, 2.0][..], Some(3.0)), ("even", &[4.0, 2.0], Some(3.0)), ("none", &[], None)]
        {
            assert_eq!(result(values).median("messages_per_s"), want, "{name}");
        }
        let shown = table(&[result(&[1234.0])]);
        assert!(shown.contains("        1234\n") && shown.contains("fsync is on"), "{shown}");
        assert_eq!(json(&[result(&[7.0])])["cases"][0]["median"]["messages_per_s"], 7.0);
    }
}
