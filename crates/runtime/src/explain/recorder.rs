//! How is the trace of an event made, while it is handled?

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use wxbot_model::AccountName;
use wxbot_plugin::host::{Answer, Note};
use wxbot_plugin::middleware::Observer;
use wxbot_plugin::{Envelope, Outcome};

use super::trace::{Ended, Heard, Passage, PluginStep, Skip, Step, Trace};
use crate::plugin::Trouble;

/// What the texts of one trace may come to. As JSON they take up to twice as much: 8 KiB.
const BUDGET: usize = 4 * 1024;
/// What an entry costs besides its texts.
const ENTRY: usize = 64;
/// Longer texts are cut.
const TEXT: usize = 240;

/// Writes down what happens to one event. Shared by reference: the chain and its end hold it.
#[derive(Debug)]
pub(crate) struct Recorder {
    seq: u64,
    account: AccountName,
    attempt: u32,
    at_ms: i64,
    begun: Instant,
    draft: Mutex<Draft>,
}

#[derive(Debug)]
struct Draft {
    /// The stations that the event is inside of now.
    open: Vec<Open>,
    /// When it came to the plugins.
    arrived: Option<Instant>,
    stations: Vec<Step>,
    plugins: Vec<PluginStep>,
    builtin: Option<String>,
    budget: usize,
    cut: bool,
}

#[derive(Debug)]
struct Open {
    /// Where its step is; `None` when it was left out.
    step: Option<usize>,
    since: Instant,
    /// How long it was further inside.
    inside: Duration,
    /// Whether it was late when it came.
    late: bool,
    went_on: bool,
    marked_late: bool,
    /// Whether it was held back when it came.
    held: bool,
    held_back: Option<String>,
}

impl Draft {
    /// The text as it is kept, if there is room for an entry with it.
    fn entry(&mut self, text: &str) -> Option<String> {
        let text = short(text);
        let cost = text.len() + ENTRY;
        if cost > self.budget {
            self.cut = true;
            return None;
        }
        self.budget -= cost;
        Some(text)
    }

    fn goes_on(&mut self, env: &Envelope) {
        if let Some(open) = self.open.last_mut() {
            open.went_on = true;
            open.marked_late = env.event.late && !open.late;
            open.held_back = env.held.as_ref().filter(|_| !open.held).map(|held| short(&held.why));
        }
    }
}

impl Recorder {
    pub(super) fn new(account: AccountName, seq: u64, attempt: u32, now_ms: i64) -> Self {
        let draft = Draft {
            open: Vec::new(),
            arrived: None,
            stations: Vec::new(),
            plugins: Vec::new(),
            builtin: None,
            budget: BUDGET,
            cut: false,
        };
        Self { seq, account, attempt, at_ms: now_ms, begun: Instant::now(), draft: Mutex::new(draft) }
    }

    fn with<T>(&self, f: impl FnOnce(&mut Draft) -> T) -> T {
        f(&mut self.draft.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// This plugin is not asked.
    pub(crate) fn skipped(&self, plugin: &str, why: Skip) {
        self.with(|draft| {
            if let Some(plugin) = draft.entry(plugin) {
                draft.plugins.push(PluginStep { plugin, how: Heard::Skipped(why) });
            }
        });
    }

    /// This plugin was asked, and took so long.
    pub(crate) fn asked(&self, plugin: &str, took: Duration, answer: Result<&Answer, &Trouble>) {
        let (notes, effects, error) = match answer {
            Ok(answer) => (answer.notes.as_slice(), answer.effects.iter().count(), None),
            Err(Trouble::Open(left)) => {
                return self
                    .skipped(plugin, Skip::Resting { for_ms: u64::try_from(left.as_millis()).unwrap_or(u64::MAX) });
            }
            Err(Trouble::Failed(why)) => (&[][..], 0, Some(why)),
        };
        self.with(|draft| {
            let Some(plugin) = draft.entry(plugin) else { return };
            let error = error.and_then(|why| draft.entry(why));
            let notes = notes.iter().map_while(|note| {
                let (what, why) = (draft.entry(&note.what)?, draft.entry(&note.why)?);
                Some(Note { what, took: note.took, why })
            });
            let notes = notes.collect();
            draft.plugins.push(PluginStep { plugin, how: Heard::Asked { took_us: us(took), notes, effects, error } });
        });
    }

    /// A command of wxbot itself answered.
    pub(crate) fn builtin(&self, word: &str) {
        self.with(|draft| draft.builtin = Some(short(word)));
    }

    #[cfg(test)]
    pub(super) fn passed(self, actions: usize) -> Trace {
        self.end(&Outcome::Passed { actions, said: actions }, None)
    }

    /// The whole of it. `trouble` is the plugin that could not, and why.
    pub(crate) fn end(self, outcome: &Outcome, trouble: Option<(&str, &Trouble)>) -> Trace {
        let draft = self.draft.into_inner().unwrap_or_else(PoisonError::into_inner);
        let ended = match (trouble, outcome) {
            (Some((plugin, trouble)), _) => {
                let why = match trouble {
                    Trouble::Failed(why) => short(why),
                    Trouble::Open(left) => format!("it failed too often in a row and rests for {} s", left.as_secs()),
                };
                Ended::Troubled { plugin: short(plugin), why }
            }
            (None, Outcome::Passed { actions, .. }) => Ended::Passed { actions: *actions },
            (None, Outcome::Stopped { by, why }) => Ended::Stopped { by: short(by), why: short(why) },
        };
        Trace {
            seq: self.seq,
            account: self.account,
            attempt: self.attempt,
            at_ms: self.at_ms,
            took_us: us(self.begun.elapsed()),
            stations: draft.stations,
            builtin: draft.builtin,
            plugins: draft.plugins,
            ended,
            cut: draft.cut,
        }
    }
}

impl Observer for Recorder {
    fn enters(&self, station: &str, env: &Envelope) {
        self.with(|draft| {
            draft.goes_on(env);
            let name = draft.entry(station);
            let step = name.map(|name| {
                draft.stations.push(Step { name, took_us: 0, how: Passage::Passed });
                draft.stations.len() - 1
            });
            let (since, late, held) = (Instant::now(), env.event.late, env.held.is_some());
            let (inside, went_on, marked_late, held_back) = (Duration::ZERO, false, false, None);
            draft.open.push(Open { step, since, inside, late, went_on, marked_late, held, held_back });
        });
    }

    fn arrives(&self, env: &Envelope) {
        self.with(|draft| {
            draft.goes_on(env);
            draft.arrived = Some(Instant::now());
        });
    }

    fn departs(&self) {
        self.with(|draft| {
            let at = draft.arrived.take();
            if let (Some(at), Some(open)) = (at, draft.open.last_mut()) {
                open.inside += at.elapsed();
            }
        });
    }

    fn leaves(&self, _station: &str, outcome: &Outcome) {
        self.with(|draft| {
            let Some(mut open) = draft.open.pop() else { return };
            let all = open.since.elapsed();
            if let Some(outer) = draft.open.last_mut() {
                outer.inside += all;
            }
            let held_back = open.held_back.take();
            let how = match outcome {
                Outcome::Passed { .. } | Outcome::Stopped { .. } if held_back.is_some() => {
                    Passage::HeldBack { why: held_back.unwrap_or_default() }
                }
                Outcome::Stopped { why, .. } if !open.went_on => Passage::Stopped { why: short(why) },
                Outcome::Passed { .. } | Outcome::Stopped { .. } if open.marked_late => Passage::MarkedLate,
                Outcome::Passed { .. } | Outcome::Stopped { .. } => Passage::Passed,
            };
            if let Some(step) = open.step.and_then(|step| draft.stations.get_mut(step)) {
                (step.took_us, step.how) = (us(all.saturating_sub(open.inside)), how);
            }
        });
    }
}

fn us(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

/// At most [`TEXT`] bytes, and nothing that moves a cursor.
fn short(text: &str) -> String {
    let mut kept: String = text.get(..text.floor_char_boundary(TEXT)).unwrap_or(text).to_owned();
    kept.retain(|c| !c.is_control());
    if text.len() > TEXT {
        kept.push('…');
    }
    kept
}
