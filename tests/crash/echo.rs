//! What does a town say to a wxbot that echoes, and what of the answers is lost, doubled, or in the wrong place or order?

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::support::rig::{self, Bot, Sent, Sim};
use crate::support::wait;

pub(crate) const ACCOUNTS: usize = 4;
pub(crate) const FRIENDS: usize = 6;

/// Login and start on a machine that compiles something else meanwhile.
pub(crate) const ONLINE_WITHIN: Duration = Duration::from_secs(30);
/// Handling is a few ms a message; most of it is for parked lanes (retry budget 30 s) that would be a finding.
const DRAINED_WITHIN: Duration = Duration::from_secs(60);

/// The binary under test: `WXBOT_BIN`, else the one that was just built.
pub(crate) fn binary() -> PathBuf {
    std::env::var_os("WXBOT_BIN").map_or_else(|| env!("CARGO_BIN_EXE_wxbot").into(), PathBuf::from)
}

/// A number that a variable of the environment gives.
pub(crate) fn number_from(variable: &str) -> Option<usize> {
    std::env::var(variable).ok()?.parse().ok()
}

/// `WXBOT_SEED`, or one that is drawn; said either way.
pub(crate) fn seed() -> u64 {
    let drawn = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().subsec_nanos() as usize | 1;
    let seed = number_from("WXBOT_SEED").unwrap_or_else(drawn);
    println!("seed {seed} (WXBOT_SEED={seed} repeats it)");
    seed as u64
}

/// Plays a scene in a folder of its own, which stays when something is wrong.
pub(crate) fn in_folder(scene: impl FnOnce(&Path) -> io::Result<Vec<String>>) {
    // The system's folder for temporary files and not ours under target/: a socket path has at most 107 bytes.
    let folder = tempfile::Builder::new().prefix("wxbot-crash-").tempdir().unwrap();
    let problems = scene(folder.path()).unwrap_or_else(|error| vec![error.to_string()]);
    if !problems.is_empty() {
        panic!("{}\nall files are kept in {}", problems.join("\n"), folder.keep().display());
    }
}

/// A simulator and a wxbot with all accounts online; `start` begins the life in which they log in.
pub(crate) fn open(folder: &Path, start: impl FnOnce(&mut Bot) -> io::Result<()>) -> io::Result<(Sim, Bot)> {
    let world = folder.join("world.toml");
    std::fs::write(&world, rig::world_toml(ACCOUNTS, FRIENDS))?;
    let sim = Sim::start(&binary(), &world, folder)?;
    let mut bot = Bot::new(&binary(), folder, &rig::bot_toml(sim.base(), ACCOUNTS))?;
    start(&mut bot)?;
    bot.log_in_all(&sim, ONLINE_WITHIN)?;
    Ok((sim, bot))
}

/// Milliseconds since 1970, as the simulator's journal counts.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_millis().try_into().unwrap_or(u64::MAX)
}

/// One text that a friend wrote; the number within its conversation says the order.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Told {
    account: String,
    friend: String,
    number: usize,
}

impl Told {
    fn text(&self) -> String {
        format!("{} {} {}", self.account, self.friend, self.number)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let (account, friend, number) = (words.next()?, words.next()?, words.next()?.parse().ok()?);
        words.next().is_none().then(|| Self { account: account.to_owned(), friend: friend.to_owned(), number })
    }
}

/// Friends who write, up and down times alike.
#[derive(Debug)]
pub(crate) struct Town {
    random: Random,
    /// Messages a second of all friends together.
    rate: usize,
    numbers: HashMap<(String, String), usize>,
    pub(crate) told: Vec<Told>,
}

impl Town {
    pub(crate) fn new(seed: u64, rate: usize) -> Self {
        Self { random: Random::new(seed), rate: rate.max(1), numbers: HashMap::new(), told: Vec::new() }
    }

    /// A random friend writes one message.
    pub(crate) fn say(&mut self, sim: &Sim) -> io::Result<()> {
        let account = rig::account(1 + self.random.index(ACCOUNTS));
        let friend = rig::friend(1 + self.random.index(FRIENDS));
        let number = self.numbers.entry((account.clone(), friend.clone())).or_default();
        *number += 1;
        let told = Told { number: *number, account, friend };
        sim.deliver(&told.account, &told.friend, &told.text())?;
        self.told.push(told);
        Ok(())
    }

    /// They write at their rate until told that it is enough.
    pub(crate) fn talk(&mut self, sim: &Sim, enough: &AtomicBool) -> io::Result<()> {
        let (began_ms, before) = (now_ms(), self.told.len());
        while !enough.load(Ordering::Relaxed) {
            let due = (now_ms() - began_ms) as usize * self.rate / 1_000;
            match self.told.len() - before < due {
                true => self.say(sim)?,
                false => wait::pause(Duration::from_millis(1)),
            }
        }
        Ok(())
    }
}

/// What is to be known at the end.
#[derive(Debug)]
pub(crate) struct Count {
    kills: usize,
    delivered: usize,
    /// Different texts that were answered.
    answered: usize,
    /// Outbox rows under `hold`.
    pub(crate) uncertain: u64,
    /// Outbox rows whose answer the server confirmed.
    sent: u64,
    /// Inbox and outbox rows that still move.
    pending: u64,
    dead: u64,
    /// Outbox rows that ended without being sent: failed, expired, dropped.
    given_up: u64,
    /// Answers that must not be there: repeated, out of order, in a wrong chat, to nothing.
    wrong: Vec<String>,
    violations: Vec<String>,
}

impl Count {
    /// Waits until every message is answered or held, and counts.
    pub(crate) fn at_rest(kills: usize, delivered: &[Told], sim: &Sim, bot: &Bot) -> io::Result<Self> {
        let drained = wait::until("every message to be answered or held as uncertain", DRAINED_WITHIN, || {
            // Without the journal, which is long by now.
            let count = Self::rows(kills, delivered.len(), bot)?;
            let open = count.pending > 0 || count.lost_by_outbox() > 0;
            if open { Err(io::Error::other(count.to_string())) } else { Ok(Some(())) }
        });
        // What is wrong shows in the count; the wait's own message is only for a run that gives none.
        Self::take(kills, delivered, sim, bot).map_err(|error| drained.err().unwrap_or(error))
    }

    fn take(kills: usize, delivered: &[Told], sim: &Sim, bot: &Bot) -> io::Result<Self> {
        let rows = Self::rows(kills, delivered.len(), bot)?;
        let (answered, wrong) = judge(delivered, &sim.sends()?);
        Ok(Self { answered, wrong, violations: sim.hard_violations()?, ..rows })
    }

    fn rows(kills: usize, delivered: usize, bot: &Bot) -> io::Result<Self> {
        let accounts = bot.accounts()?;
        let sum = |part: &str, states: &[&str]| -> u64 {
            let rows = |one: &Value, state: &&str| one.pointer(&format!("/{part}/{state}")).and_then(Value::as_u64);
            let rows = |one: &Value| states.iter().filter_map(|state| rows(one, state)).sum::<u64>();
            accounts.iter().map(rows).sum()
        };
        Ok(Self {
            kills,
            delivered,
            answered: 0,
            uncertain: sum("outbox", &["uncertain"]),
            sent: sum("outbox", &["sent"]),
            pending: sum("inbox", &["waiting"]) + sum("outbox", &["queued", "sending"]),
            dead: sum("inbox", &["dead"]),
            given_up: sum("outbox", &["failed", "expired", "dropped"]),
            wrong: Vec::new(),
            violations: Vec::new(),
        })
    }

    /// Messages that are neither answered nor accounted for, counted in two ways. By the journal: but an uncertain
    /// row may have been answered too and then hides a loss. By the outbox: each message leaves exactly one row there.
    fn lost(&self) -> u64 {
        let by_journal = (self.delivered as u64).saturating_sub(self.answered as u64 + self.uncertain);
        by_journal.max(self.lost_by_outbox())
    }

    fn lost_by_outbox(&self) -> u64 {
        (self.delivered as u64).saturating_sub(self.sent + self.uncertain + self.given_up)
    }

    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for (count, what, examples) in [
            (self.lost(), "messages lost: neither answered nor held as uncertain", &[][..]),
            (self.pending, "rows still moving after the drain", &[]),
            (self.dead, "inbox rows dead", &[]),
            (self.given_up, "outbox rows failed, expired or dropped", &[]),
            (self.wrong.len() as u64, "wrong answers, the first ones follow", &self.wrong),
            (self.violations.len() as u64, "hard violations, the first ones follow", &self.violations),
        ] {
            if count > 0 {
                problems.push(format!("{count} {what}"));
                problems.extend(examples.iter().take(10).cloned());
            }
        }
        // At most one send a lane can be on the wire at a kill; more held rows would mean that `hold` hides a loss.
        let most = (self.kills * ACCOUNTS * FRIENDS) as u64;
        if self.uncertain > most {
            problems.push(format!("{} uncertain rows after {} kills of at most {most}", self.uncertain, self.kills));
        }
        if self.answered == 0 {
            problems.push("nothing was answered at all".to_owned());
        }
        problems
    }
}

impl std::fmt::Display for Count {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { kills, delivered, answered, uncertain, pending, .. } = self;
        write!(f, "{kills} ends, {delivered} delivered, {answered} answered, {uncertain} uncertain, {pending} pending")
    }
}

/// Compares what was told with what was answered: how many different texts, and which answers are wrong.
pub(crate) fn judge(delivered: &[Told], sends: &[Sent]) -> (usize, Vec<String>) {
    let known: HashSet<&Told> = delivered.iter().collect();
    let mut last = HashMap::new();
    let mut times = HashMap::<Told, usize>::new();
    let mut wrong = Vec::new();
    for sent in sends {
        let Some(told) = Told::parse(&sent.content).filter(|told| known.contains(told)) else {
            wrong.push(format!("sent but never asked for: {:?}", sent.content));
            continue;
        };
        if (&sent.account, &sent.to) != (&told.account, &told.friend) {
            wrong.push(format!("`{}` was sent by {} to {}", told.text(), sent.account, sent.to));
        }
        let conversation = (told.account.clone(), told.friend.clone());
        let before = last.insert(conversation, told.number).unwrap_or(0);
        let again = times.entry(told.clone()).or_default();
        *again += 1;
        if *again > 1 {
            wrong.push(format!("`{}` was sent {again} times", told.text()));
        } else if before > told.number {
            wrong.push(format!("`{}` was sent after number {before}", told.text()));
        }
    }
    (times.len(), wrong)
}

/// A small generator (xorshift64): a test needs no good randomness, but one that a seed repeats.
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        // Zero is the one state that xorshift never leaves.
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).max(1))
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    pub(crate) fn index(&mut self, limit: usize) -> usize {
        usize::try_from(self.below(limit as u64)).unwrap_or_default()
    }
}

#[test]
fn the_judge_sees_each_kind_of_wrong_answer() {
    let told = |text: &str| Told::parse(text).unwrap();
    let sent = |to: &str, text: &str| {
        let (account, to, content) = ("a1".to_owned(), to.to_owned(), text.to_owned());
        Sent { account, to, content, at_ms: 0, client_id: String::new() }
    };
    let delivered = [told("a1 f1 1"), told("a1 f1 2"), told("a1 f2 1")];
    let (first, second, other) = (sent("f1", "a1 f1 1"), sent("f1", "a1 f1 2"), sent("f2", "a1 f2 1"));
    for (name, sends, want) in [
        ("all well", vec![first.clone(), other.clone(), second.clone()], (3, None)),
        ("one missing", vec![second.clone(), other.clone()], (2, None)),
        ("twice", vec![first.clone(), first.clone()], (1, Some("sent 2 times"))),
        ("order", vec![second, first.clone()], (2, Some("sent after number 2"))),
        ("wrong chat", vec![first, sent("f1", "a1 f2 1")], (2, Some("sent by a1 to f1"))),
        ("never asked", vec![sent("f1", "a1 f1 9")], (0, Some("never asked for"))),
    ] {
        let (answered, wrong) = judge(&delivered, &sends);
        assert_eq!(answered, want.0, "{name}");
        match want.1 {
            Some(part) => assert!(wrong.len() == 1 && wrong[0].contains(part), "{name}: {wrong:?}"),
            None => assert!(wrong.is_empty(), "{name}: {wrong:?}"),
        }
    }
}
