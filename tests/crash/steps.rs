//! Between which two steps of a message did a kill fall? Read from what it left: the rows of the store, and what the
//! service saw.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::io;

use crate::ledger::{Ledger, SendState};
use crate::support::rig::Sim;

/// Pairs of steps of a message, in its order. A kill under load falls into several, each with another message.
pub(crate) const PAIRS: [&str; 7] = [
    "handed out → accepted",
    "accepted → claimed",
    "claimed → finished",
    "finished → send claimed",
    "send claimed → taken by the service",
    "taken by the service → answered",
    "answered → settled",
];

/// What one kill left, by pair: how many messages stood there.
pub(crate) type Left = [u64; PAIRS.len()];

/// How long the service keeps the answer to a send back after it took it: long enough to be hit, and to be told apart in a
/// journal that counts in milliseconds.
pub(crate) const ANSWER_AFTER_MS: u64 = 3;

/// Looks at what a kill at this moment left. Of the journal, what is older than `since_ms` is left out.
pub(crate) fn left(ledger: &Ledger, sim: &Sim, since_ms: u64, killed_ms: u64) -> io::Result<Left> {
    let (events, sends) = ledger.open_rows().map_err(io::Error::other)?;
    let (taken, handed) = sim.since(since_ms)?;
    let taken: HashMap<&str, u64> = taken.iter().map(|sent| (&*sent.client_id, sent.at_ms)).collect();
    let known = ledger.keys_since(since_ms).map_err(io::Error::other)?;
    let mut left = Left::default();
    left[0] = handed.difference(&known).count() as u64;
    left[1] = events.new;
    left[2] = events.running;
    for send in sends {
        match send.state {
            SendState::Queued => left[3] += 1,
            SendState::Sending => match taken.get(&*send.client_id) {
                None => left[4] += 1,
                Some(at_ms) if at_ms + ANSWER_AFTER_MS >= killed_ms => left[5] += 1,
                Some(_) => left[6] += 1,
            },
            SendState::Uncertain | SendState::Sent | SendState::GivenUp => {}
        }
    }
    Ok(left)
}

/// All kills of a run.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    kills: u64,
    /// Kills that left at least one message there.
    hits: Left,
    /// Messages that they left.
    messages: Left,
    /// The most sends that one kill left under way, which nobody knows of afterwards.
    pub(crate) most_uncertain: u64,
}

impl Tally {
    pub(crate) fn add(&mut self, left: &Left) {
        self.kills += 1;
        for (pair, &count) in left.iter().enumerate() {
            self.hits[pair] += u64::from(count > 0);
            self.messages[pair] += count;
        }
        self.most_uncertain = self.most_uncertain.max(left[4..].iter().sum());
    }

    /// Pairs into which no kill fell.
    pub(crate) fn missed(&self) -> Vec<&'static str> {
        PAIRS.iter().zip(self.hits).filter(|(_, hits)| *hits == 0).map(|(pair, _)| *pair).collect()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<38} kills of {:<6} messages left", "between", self.kills)?;
        for (pair, (hits, messages)) in PAIRS.iter().zip(self.hits.iter().zip(self.messages)) {
            let spaces = " ".repeat(38_usize.saturating_sub(pair.chars().count()));
            writeln!(f, "{pair}{spaces} {hits:>14} {messages:>14}")?;
        }
        write!(f, "at most {} sends under way at one kill", self.most_uncertain)
    }
}

#[test]
fn a_pair_that_no_kill_met_is_named() {
    let mut tally = Tally::default();
    tally.add(&[1, 0, 2, 3, 1, 1, 0]);
    tally.add(&[0, 4, 0, 0, 5, 0, 0]);
    assert_eq!(tally.missed(), ["answered → settled"]);
    assert_eq!(tally.most_uncertain, 5);
    let shown = tally.to_string();
    assert!(shown.contains("kills of 2") && shown.lines().count() == PAIRS.len() + 2, "{shown}");
    let known: HashSet<&str> = PAIRS.into_iter().collect();
    assert_eq!(known.len(), PAIRS.len());
}
