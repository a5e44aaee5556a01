//! How fast do clients answer: a load generator with the clock at the server's side?
//!
//! Closed loop: each account keeps a number of messages unanswered, each in a conversation of its own, and the next
//! one is said in the moment (and under the same lock) in which an answer arrives. Open loop: messages come at a rate,
//! whether or not the earlier ones are answered.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::Sim;
use crate::account::{Account, State};
use crate::error::SimError;
use crate::log::{Entry, Message};
use crate::names::Peer;
use crate::text::to_wire;

/// How often the open loop looks whether messages are due: tokio's clock knows nothing finer.
const TICK: Duration = Duration::from_millis(1);

/// What to say to whom.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LoadPlan {
    /// Which accounts; empty: all that are online.
    pub accounts: Vec<String>,
    /// Messages per account.
    pub per_account: u64,
    /// Closed loop: messages per account that are unanswered at any time; at most as many as it has friends.
    pub open: usize,
    /// Open loop instead: messages per second of all accounts together.
    pub rate_per_second: Option<f64>,
    /// When to give up on answers.
    pub timeout_ms: u64,
    /// The text is this and a number that is the account's own.
    pub text_prefix: String,
    /// How long to look out for answers too many after the last one.
    pub settle_ms: u64,
}

impl Default for LoadPlan {
    fn default() -> Self {
        Self {
            accounts: Vec::new(),
            per_account: 100,
            open: 1,
            rate_per_second: None,
            timeout_ms: 60_000,
            text_prefix: "load ".to_owned(),
            settle_ms: 100,
        }
    }
}

/// How it went. Times run from the moment a message is in the account's log to the arrival of its answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LoadReport {
    /// Messages said.
    pub messages: u64,
    /// Messages answered: a send to the same friend whose content contains the text.
    pub answered: u64,
    /// Answers to messages that had been answered already.
    pub duplicates: u64,
    /// Other sends to friends.
    pub unexpected: u64,
    /// From the first message to the last answer, or to the timeout.
    pub seconds: f64,
    /// Half of the answers came faster.
    pub p50_ms: f64,
    /// 99 of 100 answers came faster.
    pub p99_ms: f64,
    /// Answers per second.
    pub per_second: f64,
}

/// What all accounts of one run share.
#[derive(Debug)]
struct Run {
    unanswered: AtomicU64,
    finished: Notify,
}

/// The conversations of one account under load.
#[derive(Debug)]
pub(crate) struct Lanes {
    run: Arc<Run>,
    prefix: String,
    said: u64,
    limit: u64,
    closed_loop: bool,
    /// Whose turn it is to speak, longest silent first.
    turns: VecDeque<usize>,
    lanes: HashMap<usize, Lane>,
    latencies_us: Vec<u64>,
    duplicates: u64,
    unexpected: u64,
}

#[derive(Debug, Default)]
struct Lane {
    open: VecDeque<Open>,
    last_answered: Option<Arc<str>>,
}

#[derive(Debug)]
struct Open {
    text: Arc<str>,
    since: Instant,
}

impl Lanes {
    /// Takes a send to a friend for what it answers.
    fn answer(&mut self, person: usize, content: &str) -> bool {
        let Some(lane) = self.lanes.get_mut(&person) else {
            self.unexpected += 1;
            return false;
        };
        let Some(at) = lane.open.iter().position(|open| contains(content, &open.text)) else {
            match &lane.last_answered {
                Some(text) if contains(content, text) => self.duplicates += 1,
                _ => self.unexpected += 1,
            }
            return false;
        };
        if let Some(open) = lane.open.remove(at) {
            self.latencies_us.push(u64::try_from(open.since.elapsed().as_micros()).unwrap_or(u64::MAX));
            lane.last_answered = Some(open.text);
        }
        if self.closed_loop {
            self.turns.push_back(person);
        }
        if self.run.unanswered.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.run.finished.notify_one();
        }
        true
    }
}

/// Whether the text stands in the content and is not the beginning of a longer number.
fn contains(content: &str, text: &str) -> bool {
    content.match_indices(text).any(|(at, _)| {
        let next = content.as_bytes().get(at + text.len());
        !next.is_some_and(u8::is_ascii_digit)
    })
}

impl Sim {
    /// Says `per_account` messages to each account and waits for the answers.
    pub async fn load(&self, plan: LoadPlan) -> Result<LoadReport, SimError> {
        let accounts = self.load_accounts(&plan)?;
        let total = plan.per_account * u64::try_from(accounts.len()).unwrap_or(0);
        let run = Arc::new(Run { unanswered: AtomicU64::new(total), finished: Notify::new() });
        // Dropped with the future as well, or a client that hangs up would leave its load behind.
        let _cleanup = self.open_lanes(&plan, &accounts, &run)?;
        let start = Instant::now();
        let saying = async {
            match plan.rate_per_second {
                None => self.fill(&accounts, plan.open),
                Some(rate) => self.say_at_rate(&accounts, rate, total, start).await,
            }
            if total > 0 {
                run.finished.notified().await;
            }
        };
        let in_time = tokio::time::timeout(Duration::from_millis(plan.timeout_ms), saying).await.is_ok();
        let seconds = start.elapsed().as_secs_f64();
        if in_time {
            tokio::time::sleep(Duration::from_millis(plan.settle_ms)).await;
        }
        Ok(report(&accounts, seconds))
    }

    fn load_accounts(&self, plan: &LoadPlan) -> Result<Vec<Arc<Account>>, SimError> {
        let accounts: Vec<Arc<Account>> = if plan.accounts.is_empty() {
            self.accounts().into_iter().filter(|account| account.is_online()).collect()
        } else {
            plan.accounts.iter().map(|name| self.account(name)).collect::<Result<_, _>>()?
        };
        if let Some(offline) = accounts.iter().find(|account| !account.is_online()) {
            return Err(SimError::NoSession(offline.name.clone()));
        }
        if accounts.is_empty() {
            return Err(SimError::Invalid("no account is online".to_owned()));
        }
        if plan.rate_per_second.is_some_and(|rate| !rate.is_finite() || rate <= 0.0) {
            return Err(SimError::Invalid("`rate_per_second` must be above 0".to_owned()));
        }
        if plan.rate_per_second.is_none() && plan.open == 0 {
            return Err(SimError::Invalid("`open` must be at least 1".to_owned()));
        }
        Ok(accounts)
    }

    fn open_lanes(&self, plan: &LoadPlan, accounts: &[Arc<Account>], run: &Arc<Run>) -> Result<Cleanup, SimError> {
        let mut cleanup = Cleanup(Vec::new());
        for account in accounts {
            let mut state = account.lock();
            let people = state.people.iter().enumerate();
            let friends = people.filter(|(_, person)| person.friend && person.spec.official == 0);
            let turns: VecDeque<usize> = friends.map(|(at, _)| at).collect();
            let name = &account.name;
            if turns.is_empty() || (plan.rate_per_second.is_none() && turns.len() < plan.open) {
                let count = turns.len();
                let open = plan.open;
                return Err(SimError::Invalid(format!(
                    "account `{name}` has {count} friends for {open} conversations"
                )));
            }
            if state.load.is_some() {
                return Err(SimError::Invalid(format!("account `{name}` is under load already")));
            }
            state.load = Some(Lanes {
                run: Arc::clone(run),
                prefix: to_wire(&plan.text_prefix),
                said: 0,
                limit: plan.per_account,
                closed_loop: plan.rate_per_second.is_none(),
                turns,
                lanes: HashMap::new(),
                latencies_us: Vec::new(),
                duplicates: 0,
                unexpected: 0,
            });
            cleanup.0.push(Arc::clone(account));
        }
        Ok(cleanup)
    }

    fn fill(&self, accounts: &[Arc<Account>], open: usize) {
        for account in accounts {
            let mut state = account.lock();
            let now_ms = self.now_ms();
            for _ in 0..open {
                self.say_next(&mut state, now_ms);
            }
            drop(state);
            account.wake.notify_waiters();
        }
    }

    async fn say_at_rate(&self, accounts: &[Arc<Account>], rate: f64, total: u64, start: Instant) {
        let mut said: u64 = 0;
        let mut round = accounts.iter().cycle();
        while said < total {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clipped by `total`")]
            let due = ((start.elapsed().as_secs_f64() * rate) as u64 + 1).min(total);
            while said < due {
                if let Some(account) = round.next() {
                    let mut state = account.lock();
                    self.say_next(&mut state, self.now_ms());
                    drop(state);
                    account.wake.notify_waiters();
                }
                said += 1;
            }
            tokio::time::sleep(TICK).await;
        }
    }

    /// Says the next message of the account's load, if there is one.
    fn say_next(&self, state: &mut State, now_ms: u64) -> bool {
        let Some(load) = state.load.as_mut().filter(|load| load.said < load.limit) else { return false };
        let Some(person) = load.turns.pop_front() else { return false };
        if !load.closed_loop {
            load.turns.push_back(person);
        }
        let text: Arc<str> = format!("{}{}", load.prefix, load.said).into();
        load.said += 1;
        let open = Open { text: Arc::clone(&text), since: Instant::now() };
        load.lanes.entry(person).or_default().open.push_back(open);
        state.add(Entry::Message(Message {
            id: self.next_msg_id(),
            chat: Peer::Person(person),
            speaker: None,
            own: false,
            msg_type: 1,
            content: text,
            at_ms: now_ms,
            handed: 0,
            fields: None,
            service: false,
        }));
        true
    }

    /// A client sent something to a friend. True when that made a friend say something new.
    pub(crate) fn load_answered(&self, state: &mut State, person: usize, content: &str, now_ms: u64) -> bool {
        let Some(load) = state.load.as_mut() else { return false };
        load.answer(person, content) && load.closed_loop && self.say_next(state, now_ms)
    }
}

/// Takes the lanes away when the run ends, however it ends.
struct Cleanup(Vec<Arc<Account>>);

impl Drop for Cleanup {
    fn drop(&mut self) {
        for account in &self.0 {
            account.lock().load = None;
        }
    }
}

fn report(accounts: &[Arc<Account>], seconds: f64) -> LoadReport {
    let mut report = LoadReport { seconds, ..LoadReport::default() };
    let mut latencies = Vec::new();
    for account in accounts {
        if let Some(load) = &account.lock().load {
            report.messages += load.said;
            report.duplicates += load.duplicates;
            report.unexpected += load.unexpected;
            latencies.extend_from_slice(&load.latencies_us);
        }
    }
    latencies.sort_unstable();
    report.answered = u64::try_from(latencies.len()).unwrap_or(u64::MAX);
    report.p50_ms = percentile_ms(&latencies, 50);
    report.p99_ms = percentile_ms(&latencies, 99);
    if seconds > 0.0 {
        report.per_second = as_f64(report.answered) / seconds;
    }
    report
}

fn percentile_ms(sorted_us: &[u64], percent: usize) -> f64 {
    let at = (sorted_us.len() * percent / 100).min(sorted_us.len().saturating_sub(1));
    sorted_us.get(at).map_or(0.0, |&us| as_f64(us) / 1000.0)
}

#[expect(clippy::cast_precision_loss, reason = "counts and times far below 2^53")]
fn as_f64(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_longer_number_is_another_text() {
        for (content, text, want) in [
            ("echo: load 1", "load 1", true),
            ("echo: load 12", "load 1", false),
            ("load 12, load 1!", "load 1", true),
            ("", "load 1", false),
        ] {
            assert_eq!(contains(content, text), want, "{content}");
        }
    }

    #[test]
    fn percentiles() {
        let sorted: Vec<u64> = (1..=100).map(|ms| ms * 1000).collect();
        assert!((percentile_ms(&sorted, 50) - 51.0).abs() < 0.01);
        assert!((percentile_ms(&sorted, 99) - 100.0).abs() < 0.01);
        assert!(percentile_ms(&[], 99).abs() < 0.01);
    }
}
