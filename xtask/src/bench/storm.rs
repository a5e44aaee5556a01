//! `--storm`: what do a thousand messages in one room cost the people who wait for an answer elsewhere?

use std::fs;
use std::io;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::storm::{Seen, Storm};

/// What issue 5 asks for: 1,000 messages in 10 s in one room.
const STORM: Storm = Storm { speakers: 100, messages: 1_000, seconds: 10 };

/// All runs with and without somebody who keeps order.
pub(super) struct Storms {
    with: Vec<Seen>,
    without: Vec<Seen>,
}

/// Runs it so many times both ways, in folders below `home`.
pub(super) fn run(binary: &Path, home: &Path, runs: usize) -> io::Result<Storms> {
    let mut all = Storms { with: Vec::new(), without: Vec::new() };
    for run in 1..=runs {
        for keeps_order in [true, false] {
            eprintln!("storm {} group-admin: run {run} of {runs}", if keeps_order { "with" } else { "without" });
            let folder = home.join(format!("storm-{run}-{keeps_order}"));
            _ = fs::remove_dir_all(&folder);
            fs::create_dir_all(&folder)?;
            let failed =
                |error: io::Error| io::Error::other(format!("{error}\nall files are kept in {}", folder.display()));
            let seen = STORM.run(binary, &folder, keeps_order).map_err(failed)?;
            if let Some((count, window)) = seen.broken {
                return Err(failed(io::Error::other(format!("{count} sends into the room within {window} ms"))));
            }
            if keeps_order {
                all.with.push(seen)
            } else {
                all.without.push(seen)
            }
            fs::remove_dir_all(&folder)?;
        }
    }
    Ok(all)
}

type Figure = (&'static str, &'static str, fn(&Seen) -> f64);

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
const FIGURES: [Figure; 8] = [
    ("calm_p50_ms", "answers to friends, calm: median, ms", |seen| seen.calm.0),
    ("calm_p99_ms", "  99th percentile, ms", |seen| seen.calm.1),
    ("storm_p50_ms", "answers to friends in the storm: median, ms", |seen| seen.storm.0),
    ("storm_p99_ms", "  99th percentile, ms", |seen| seen.storm.1),
    ("added_p99_ms", "  what the storm adds to it, ms", Seen::added_p99_ms),
    ("sends", "texts into the room", |seen| seen.sends as f64),
    ("allowed", "  allowed by the pace", |seen| seen.allowed as f64),
    ("removed", "members removed", |seen| seen.removed as f64),
];

impl Storms {
    /// One row a figure; medians.
    pub(super) fn table(&self) -> String {
        let mut text = format!("\n{:<48}{:>12}{:>12}\n", "group-admin", "on", "off");
        for (_, about, figure) in FIGURES {
            text +=
                &format!("{about:<48}{:>12.1}{:>12.1}\n", median(&self.with, figure), median(&self.without, figure));
        }
        text += &format!(
            "\nMedians of {} run(s): {} messages of {} members in {} s in one room, no middleware, 64 friends who write \
             20 messages a second together; pace of a chat 20 a minute.\n",
            self.with.len(),
            STORM.messages,
            STORM.speakers,
            STORM.seconds
        );
        text
    }

    /// The same for programs.
    pub(super) fn json(&self) -> Value {
        let column = |seen: &[Seen]| -> serde_json::Map<String, Value> {
            FIGURES.iter().map(|(key, _, figure)| ((*key).to_owned(), json!(median(seen, *figure)))).collect()
        };
        json!({ "storm": { "on": column(&self.with), "off": column(&self.without) } })
    }
}

fn median(seen: &[Seen], figure: fn(&Seen) -> f64) -> f64 {
    let mut values: Vec<f64> = seen.iter().map(figure).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_the_runs_is_shown() {
        let seen = |p99| Seen {
            calm: (1.0, 2.0),
            storm: (3.0, p99),
            handled: 1_000,
            sends: 2,
            allowed: 24,
            removed: 0,
            broken: None,
        };
        let all = Storms { with: vec![seen(9.0), seen(4.0), seen(5.0)], without: vec![seen(2.5)] };
        let table = all.table();
        assert!(
            table.contains(&format!("{:<48}{:>12}{:>12}\n", "  what the storm adds to it, ms", "3.0", "0.5")),
            "{table}"
        );
        assert_eq!(all.json()["storm"]["on"]["storm_p99_ms"], 5.0);
    }
}
