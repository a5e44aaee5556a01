//! Which incidents are there, and what of them is told when? A pure machine: it is shown what is, and answers what to tell.
//!
//! One incident, one alert: it begins when something has been wrong for long enough, is told again only after `repeat`, and
//! ends when it has been well for as long. What begins within ten seconds goes out as one bulletin, however many accounts it
//! is about.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{AlertSettings, Bulletin, DISK_RESERVE, Report, Subject};
use crate::session::cure::Cure;

/// What begins or ends within this time after the first is told with it.
pub const GATHER: Duration = Duration::from_secs(10);
/// Characters of a reason. A service's own words may be long.
const WHY: usize = 300;

/// What is seen of one account.
#[derive(Debug, Clone)]
pub struct Sight {
    /// Its name.
    pub account: String,
    /// The word of its state.
    pub state: &'static str,
    /// Whether it works.
    pub well: bool,
    /// Whether it waits for a person: nothing is gained by waiting before that is told.
    pub at_once: bool,
    /// Whether it was stopped by configuration or command: nobody has to be told.
    pub meant: bool,
    /// Why.
    pub why: String,
    /// What to do.
    pub cure: Cure,
    /// Events given up.
    pub dead: u64,
    /// Sends held because nobody knows.
    pub uncertain: u64,
}

/// All that is seen at a moment.
#[derive(Debug, Clone, Default)]
pub struct Sights {
    /// Every account that runs.
    pub accounts: Vec<Sight>,
    /// Bytes free where the data is; `None`: not known.
    pub free: Option<u64>,
}

/// The incidents.
#[derive(Debug, Default)]
pub struct Book {
    open: BTreeMap<Subject, Open>,
    /// When what is wrong, and no incident yet, was first seen.
    wrong: BTreeMap<Subject, i64>,
    /// When what was an incident was first seen well again.
    well: BTreeMap<Subject, i64>,
    ended: Vec<Report>,
    /// When the first of what is to be told came up.
    gathering: Option<i64>,
}

#[derive(Debug)]
struct Open {
    report: Report,
    told_ms: Option<i64>,
    /// It is to be told with the next bulletin.
    due: bool,
}

/// What a book is after a restart: incidents that go on are not told again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// The open incidents.
    pub open: Vec<Remembered>,
}

/// One open incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remembered {
    /// What it is about.
    #[serde(flatten)]
    pub subject: Subject,
    /// Since when.
    pub since_ms: i64,
    /// When it was told last.
    pub told_ms: i64,
}

impl Book {
    /// A book that goes on from a former run.
    pub fn of(memory: Memory) -> Self {
        let open = |one: Remembered| {
            let report = Report {
                subject: one.subject.clone(),
                since_ms: one.since_ms,
                state: String::new(),
                why: String::new(),
                cure: Cure::Nothing,
                count: 0,
            };
            (one.subject, Open { report, told_ms: Some(one.told_ms), due: false })
        };
        Self { open: memory.open.into_iter().map(open).collect(), ..Self::default() }
    }

    /// What a restart must know. What was never told is told by the next run.
    pub fn memory(&self) -> Memory {
        let remembered = |(subject, open): (&Subject, &Open)| {
            Some(Remembered { subject: subject.clone(), since_ms: open.report.since_ms, told_ms: open.told_ms? })
        };
        Memory { open: self.open.iter().filter_map(remembered).collect() }
    }

    /// Takes in what is seen now.
    pub fn see(&mut self, sights: &Sights, settings: &AlertSettings, now_ms: i64) {
        // Of an account that is no longer there, nothing goes on.
        let there = |subject: &Subject| {
            subject.account().is_none_or(|name| sights.accounts.iter().any(|one| one.account == name && !one.meant))
        };
        self.open.retain(|subject, _| there(subject));
        self.wrong.retain(|subject, _| there(subject));
        self.well.retain(|subject, _| there(subject));
        for one in sights.accounts.iter().filter(|one| !one.meant) {
            let account = || one.account.clone();
            let report = |subject, count| Report {
                subject,
                since_ms: now_ms,
                state: one.state.to_owned(),
                why: one.why.chars().take(WHY).collect(),
                cure: one.cure,
                count,
            };
            let after = if one.at_once { Duration::ZERO } else { settings.after };
            let state = report(Subject::Account { account: account() }, 0);
            self.judge(state, !one.well, after, settings, now_ms);
            let bare = |subject, count| Report {
                state: String::new(),
                why: String::new(),
                cure: Cure::Nothing,
                ..report(subject, count)
            };
            let dead = bare(Subject::Dead { account: account() }, one.dead);
            self.judge(dead, one.dead > 0, Duration::ZERO, settings, now_ms);
            let uncertain = bare(Subject::Uncertain { account: account() }, one.uncertain);
            self.judge(uncertain, one.uncertain > settings.uncertain, Duration::ZERO, settings, now_ms);
        }
        if let Some(free) = sights.free {
            let disk = Report {
                subject: Subject::Disk,
                since_ms: now_ms,
                state: String::new(),
                why: String::new(),
                cure: Cure::Nothing,
                count: free,
            };
            self.judge(disk, free < DISK_RESERVE, Duration::ZERO, settings, now_ms);
        }
    }

    /// `now` is what would be told of it; `after` is how long it must be wrong before it is an incident.
    fn judge(&mut self, now: Report, wrong: bool, after: Duration, settings: &AlertSettings, now_ms: i64) {
        let subject = now.subject.clone();
        if let Some(open) = self.open.get_mut(&subject) {
            if wrong {
                self.well.remove(&subject);
                open.report = Report { since_ms: open.report.since_ms, ..now };
                let again = open.told_ms.is_some_and(|told| now_ms - told >= ms(settings.repeat));
                if again && !open.due {
                    open.due = true;
                    self.gathering.get_or_insert(now_ms);
                }
                return;
            }
            // One that comes and goes is one incident, and not one each time.
            let well = *self.well.entry(subject.clone()).or_insert(now_ms);
            if now_ms - well < ms(settings.after) {
                return;
            }
            self.well.remove(&subject);
            let told = self.open.remove(&subject).is_some_and(|open| open.told_ms.is_some());
            if told && settings.all_clear {
                self.ended.push(now);
                self.gathering.get_or_insert(now_ms);
            }
            return;
        }
        if !wrong {
            self.wrong.remove(&subject);
            return;
        }
        let since = *self.wrong.entry(subject.clone()).or_insert(now_ms);
        if now_ms - since >= ms(after) {
            self.wrong.remove(&subject);
            let report = Report { since_ms: since, ..now };
            self.open.insert(subject, Open { report, told_ms: None, due: true });
            self.gathering.get_or_insert(now_ms);
        }
    }

    /// What is to be told now, and counts as told from here on.
    pub fn take(&mut self, now_ms: i64) -> Option<Bulletin> {
        self.gathering.filter(|since| now_ms - since >= ms(GATHER))?;
        self.gathering = None;
        let mut bulletin = Bulletin { ended: std::mem::take(&mut self.ended), ..Bulletin::default() };
        for open in self.open.values_mut().filter(|open| open.due) {
            let list = if open.told_ms.is_none() { &mut bulletin.opened } else { &mut bulletin.repeated };
            list.push(open.report.clone());
            (open.due, open.told_ms) = (false, Some(now_ms));
        }
        (!bulletin.is_empty()).then_some(bulletin)
    }

    /// How many incidents there are.
    pub fn open(&self) -> usize {
        self.open.len()
    }
}

fn ms(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
#[path = "book_tests.rs"]
mod tests;
