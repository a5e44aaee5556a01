//! What was said to wxbot, what did it answer, and what of that is wrong? Counted in the simulator's journal and in the
//! store.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::time::Duration;

use crate::ledger::{Ledger, SendState};
use crate::support::rig::{Bot, Sim};
use crate::support::wait;

/// Handling is a few ms a message; most of this is for a parked one (a try in a second), and for machines that compile.
const QUIET_WITHIN: Duration = Duration::from_secs(40);

/// One thing that was said, and the texts that must come back.
#[derive(Debug, Clone)]
struct Said {
    account: String,
    /// Who must hear the answer.
    friend: String,
    answers: Vec<String>,
    /// What is sent while it is handled is sent again when it is handled again: at least once.
    may_repeat: bool,
    /// Its answer waits for something else than its turn.
    in_turn: bool,
}

/// All that was said in one world.
#[derive(Debug, Default)]
pub(crate) struct Told {
    said: Vec<Said>,
}

/// How it all ended.
#[derive(Debug, Default)]
pub(crate) struct Sums {
    pub(crate) said: usize,
    /// Answers that the service has.
    pub(crate) answered: usize,
    /// Answers that are held because nobody knows; the service may have them.
    pub(crate) uncertain: usize,
    /// Held ones that the service does not have.
    pub(crate) held_back: usize,
    pub(crate) problems: Vec<String>,
}

impl Told {
    /// Lets a friend say `word` and a text that nothing else has; the text is answered.
    pub(crate) fn say(&mut self, sim: &Sim, account: &str, friend: &str, word: &str) -> io::Result<()> {
        let mark = format!("{account}-{friend}-{}k", self.said.len() + 1);
        let answers = match word {
            "two" => vec![mark.clone(), format!("{mark}b")],
            _ => vec![mark.clone()],
        };
        let (may_repeat, in_turn) = (matches!(word, "now" | "nobody"), !matches!(word, "now" | "nobody" | "later"));
        self.said.push(Said { account: account.to_owned(), friend: friend.to_owned(), answers, may_repeat, in_turn });
        sim.deliver(account, friend, &format!("{word} {mark}"))
    }

    /// Lets a friend ask for a text to somebody else, whose contact id will be `id`.
    pub(crate) fn say_to(&mut self, sim: &Sim, account: &str, friend: &str, (id, to): (&str, &str)) -> io::Result<()> {
        let mark = format!("{account}-{friend}-{}k", self.said.len() + 1);
        let (account, answers) = (account.to_owned(), vec![mark.clone()]);
        self.said.push(Said { friend: to.to_owned(), answers, may_repeat: false, in_turn: false, account });
        let said = self.said.last().map(|said| said.account.as_str()).unwrap_or_default();
        sim.deliver(said, friend, &format!("to {id} {mark}"))
    }

    /// The text that answers what was said last.
    pub(crate) fn last_mark(&self) -> String {
        self.said.last().and_then(|said| said.answers.first()).cloned().unwrap_or_default()
    }

    /// Waits until everything is in the store, and nothing of it moves any more.
    pub(crate) fn until_quiet(&self, bot: &mut Bot) -> io::Result<()> {
        let data = bot.data();
        let mut missing: Vec<&str> = self.said.iter().filter_map(|said| said.answers.first().map(|a| &**a)).collect();
        let quiet = wait::until("everything to be handled", QUIET_WITHIN, || {
            if let Some(status) = bot.has_ended()? {
                return Ok(Some(Err(io::Error::other(format!("wxbot ended with {status}")))));
            }
            let ledger = Ledger::open(&data).map_err(io::Error::other)?;
            let look = || -> rusqlite::Result<(u64, usize, u64)> {
                let moving = ledger.sends(0)?.iter().filter(|send| is_moving(send.state)).count();
                Ok((ledger.events()?.open(), moving, ledger.timers()?))
            };
            while let Some(mark) = missing.last() {
                if !ledger.has_event_with(mark).map_err(io::Error::other)? {
                    return Err(io::Error::other(format!("`{mark}` did not come in")));
                }
                missing.pop();
            }
            let (events, sends, timers) = look().map_err(io::Error::other)?;
            let open = events > 0 || sends > 0 || timers > 0;
            let found = format!("{events} events, {sends} sends, {timers} timers are open");
            if open { Err(io::Error::other(found)) } else { Ok(Some(Ok(()))) }
        });
        quiet.and_then(|end| end).map_err(|error| io::Error::other(format!("{error}\n{}", tail(&bot.log()))))
    }

    /// Compares all of it. `gives_up`: an account whose uncertain sends are dropped.
    pub(crate) fn sums(&self, sim: &Sim, bot: &Bot, gives_up: &str) -> io::Result<Sums> {
        let mut sums = Sums { said: self.said.len(), problems: sim.hard_violations()?, ..Sums::default() };
        let mut times: HashMap<String, usize> = HashMap::new();
        let mut last: HashMap<(String, String), usize> = HashMap::new();
        let place: HashMap<&str, (usize, &Said)> = self
            .said
            .iter()
            .enumerate()
            .flat_map(|(n, said)| said.answers.iter().map(move |a| (&**a, (n, said))))
            .collect();
        for sent in sim.sends()?.iter().filter(|sent| !sent.content.is_empty()) {
            *times.entry(sent.content.clone()).or_default() += 1;
            let Some((number, said)) = place.get(&*sent.content) else { continue };
            if sent.account != said.account || sent.to != said.friend {
                sums.problems.push(format!("`{}` was sent by {} to {}", sent.content, sent.account, sent.to));
            }
            let before = last.entry((sent.account.clone(), sent.to.clone())).or_default();
            if *before > *number && said.in_turn {
                sums.problems.push(format!("`{}` was sent after what was asked for later", sent.content));
            }
            *before = (*before).max(if said.in_turn { *number } else { 0 });
        }
        let ledger = Ledger::open(&bot.data()).map_err(io::Error::other)?;
        let sends = ledger.sends(0).map_err(io::Error::other)?;
        let uncertain: BTreeSet<&str> =
            sends.iter().filter(|s| s.state == SendState::Uncertain).map(|s| &*s.text).collect();
        sums.uncertain = sends.iter().filter(|send| send.state == SendState::Uncertain).count();
        let dropped =
            |text: &str| sends.iter().any(|s| s.state == SendState::GivenUp && s.account == gives_up && s.text == text);
        for said in &self.said {
            for text in &said.answers {
                let sent = times.get(text).copied().unwrap_or(0);
                sums.answered += usize::from(sent > 0);
                if sent > 1 && !said.may_repeat {
                    sums.problems.push(format!("`{text}` was sent {sent} times"));
                }
                if sent == 0 {
                    match uncertain.contains(&**text) || dropped(text) {
                        true => sums.held_back += 1,
                        false => sums.problems.push(format!("`{text}` is lost: neither answered nor held")),
                    }
                }
            }
        }
        let events = ledger.events().map_err(io::Error::other)?;
        if events.dead > 0 {
            sums.problems.push(format!("{} events are dead", events.dead));
        }
        sums.problems.extend(ledger.damage().map_err(io::Error::other)?);
        Ok(sums)
    }
}

fn is_moving(state: SendState) -> bool {
    matches!(state, SendState::Queued | SendState::Sending)
}

/// The last lines of a log.
pub(crate) fn tail(log: &str) -> String {
    let lines: Vec<_> = log.lines().collect();
    lines.get(lines.len().saturating_sub(25)..).unwrap_or_default().join("\n")
}
