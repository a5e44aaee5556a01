//! What was said, and what came of it? A scene of friends who write, and the books that must balance at its end.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::rig::{self, Bot, Sim};
use crate::support::wait;
use crate::support::wxbot;

/// Login and start on a machine that compiles something else meanwhile.
pub(crate) const ONLINE_WITHIN: Duration = Duration::from_secs(30);
/// Handling is a few ms a message; what takes longer here is a session that waits before it tries again.
pub(crate) const SETTLED_WITHIN: Duration = Duration::from_secs(45);

/// A simulator and a wxbot whose accounts repeat every text, and what their friends have written.
pub(crate) struct Scene {
    pub(crate) sim: Sim,
    pub(crate) bot: Bot,
    pub(crate) pid: u32,
    accounts: usize,
    friends: usize,
    /// How much each friend has written.
    said: HashMap<(usize, usize), usize>,
    /// Of these the service has handed over none.
    kept_back: usize,
    folder: tempfile::TempDir,
}

/// What a scene came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Books {
    pub(crate) said: u64,
    /// Different texts that came back.
    pub(crate) answered: u64,
    pub(crate) sent: u64,
    pub(crate) uncertain: u64,
    pub(crate) failed: u64,
    /// Rows that still move.
    pub(crate) open: u64,
    /// Rows that ended otherwise: dead, expired, dropped, stopped, late.
    pub(crate) other: u64,
}

impl Scene {
    /// Everybody online. `change` is done to the text of `bot.toml`, `prepare` to the folder before the start.
    pub(crate) fn open(
        accounts: usize,
        friends: usize,
        change: impl FnOnce(String) -> String,
        prepare: impl FnOnce(&Path),
    ) -> Self {
        // The system's folder for temporary files: a socket path has at most 107 bytes.
        let folder = tempfile::Builder::new().prefix("wxbot-faults-").tempdir().unwrap();
        let world = folder.path().join("world.toml");
        std::fs::write(&world, rig::world_toml(accounts, friends)).unwrap();
        let sim = Sim::start(&wxbot::binary(), &world, folder.path()).unwrap();
        let mut bot = Bot::new(&wxbot::binary(), folder.path(), &change(rig::bot_toml(sim.base(), accounts))).unwrap();
        prepare(folder.path());
        let pid = bot.start().unwrap();
        bot.log_in_all(&sim, ONLINE_WITHIN).unwrap();
        bot.until_online(ONLINE_WITHIN).unwrap();
        Self { sim, bot, pid, accounts, friends, said: HashMap::new(), kept_back: 0, folder }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Each friend of each account writes so many more texts, in turn, about 400 a second in all.
    pub(crate) fn talk(&mut self, texts: usize) {
        for _ in 0..texts {
            for account in 1..=self.accounts {
                for friend in 1..=self.friends {
                    self.say(account, friend);
                    wait::pause(Duration::from_millis(2));
                }
            }
        }
    }

    pub(crate) fn say(&mut self, account: usize, friend: usize) {
        let number = self.said.entry((account, friend)).or_default();
        *number += 1;
        let (account, friend) = (rig::account(account), rig::friend(friend));
        self.sim.deliver(&account, &friend, &format!("{account} {friend} {number}")).unwrap();
    }

    /// Counts what the service has never handed over, as it does with what came before a new login: nobody could have
    /// taken that.
    pub(crate) fn count_kept_back(&mut self) -> usize {
        let journal = self.sim.api().get("/__sim/journal").unwrap();
        let delivered = journal["delivered"].as_array().unwrap();
        self.kept_back = delivered.iter().filter(|one| one["handed"] == 0).count();
        self.kept_back
    }

    /// Something goes wrong for an account, once: [`wxbot_sim::Fault`] without what is the same for all.
    pub(crate) fn break_once(&self, account: usize, endpoint: &str, kind: &Value) {
        let order = json!({ "account": rig::account(account), "endpoint": endpoint, "kind": kind });
        self.sim.api().post("/__sim/faults", &order).unwrap();
    }

    pub(crate) fn account(&self, account: usize) -> Value {
        let name = rig::account(account);
        let all = self.bot.accounts().unwrap();
        all.into_iter().find(|one| one["name"] == name.as_str()).unwrap()
    }

    /// Waits until an account's state is as wanted, and answers all that is said of it.
    pub(crate) fn until(&self, account: usize, what: &str, good: impl Fn(&Value) -> bool) -> Value {
        let found = wait::until(what, SETTLED_WITHIN, || {
            let one = self.account(account);
            if good(&one) { Ok(Some(one)) } else { Err(std::io::Error::other(one.to_string())) }
        });
        found.unwrap_or_else(|error| panic!("{error}\n{}", self.log()))
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder().join("wxbot.log")).unwrap_or_default()
    }

    /// What `wxbot accounts` counts, of all accounts together.
    pub(crate) fn count(&self) -> Books {
        let accounts = self.bot.accounts().unwrap();
        let sum = |paths: &[&str]| -> u64 {
            let number = |one: &Value, path: &str| one.pointer(path).and_then(Value::as_u64).unwrap_or(0);
            accounts.iter().map(|one| paths.iter().map(|path| number(one, path)).sum::<u64>()).sum()
        };
        Books {
            said: (self.said.values().sum::<usize>() - self.kept_back) as u64,
            answered: self.answered(),
            sent: sum(&["/outbox/sent"]),
            uncertain: sum(&["/outbox/uncertain"]),
            failed: sum(&["/outbox/failed"]),
            open: sum(&["/inbox/waiting", "/outbox/queued", "/outbox/sending"]),
            other: sum(&["/inbox/dead", "/inbox/stopped", "/inbox/late", "/outbox/expired", "/outbox/dropped"]),
        }
    }

    /// How many different texts came back. Fails at one that came twice, out of order, from or to somebody else, or that
    /// nobody wrote.
    fn answered(&self) -> u64 {
        let mut last: HashMap<(String, String), usize> = HashMap::new();
        let sends = self.sim.sends().unwrap();
        for sent in &sends {
            let words: Vec<&str> = sent.content.split(' ').collect();
            let [account, friend, number] = words.as_slice() else { panic!("nobody wrote {:?}", sent.content) };
            assert_eq!((*account, *friend), (sent.account.as_str(), sent.to.as_str()), "in the wrong chat: {sent:?}");
            let number: usize = number.parse().unwrap();
            let before = last.insert((sent.account.clone(), sent.to.clone()), number).unwrap_or(0);
            assert!(number > before, "{:?} after number {before}: twice, or out of order", sent.content);
        }
        sends.len() as u64
    }

    /// Waits until nothing moves any more, stops wxbot and gives the books: every text that was said has exactly one row
    /// that says what became of it.
    pub(crate) fn settle(&mut self) -> Books {
        let settled = wait::until("everything said to be handled", SETTLED_WITHIN, || {
            let books = self.count();
            let rows = books.sent + books.uncertain + books.failed + books.other;
            if books.open == 0 && rows >= books.said {
                Ok(Some(books))
            } else {
                Err(std::io::Error::other(format!("{books:?}")))
            }
        });
        let books = settled.unwrap_or_else(|error| panic!("{error}\n{}", self.log()));
        assert_eq!(books.other, 0, "nothing ends but by being answered: {books:?}");
        assert_eq!(books.sent + books.uncertain + books.failed, books.said, "one row a text: {books:?}");
        assert!(books.answered >= books.sent, "what counts as sent was taken: {books:?}");
        assert!(books.answered + books.uncertain + books.failed >= books.said, "lost: {books:?}");
        assert_eq!(self.sim.hard_violations().unwrap(), Vec::<String>::new());
        self.bot.stop().unwrap();
        let log = self.log();
        assert!(!log.contains("anic"), "{log}");
        books
    }
}

impl Books {
    /// Everything was said, handled and sent for sure.
    pub(crate) fn all_sent(said: u64) -> Self {
        Self { said, answered: said, sent: said, ..Self::default() }
    }
}

/// Changes a limit of a running process.
pub(crate) fn limit(pid: u32, resource: &str) {
    let told = std::process::Command::new("prlimit").arg("--pid").arg(pid.to_string()).arg(resource).status();
    assert!(told.unwrap().success(), "prlimit {resource}");
}
