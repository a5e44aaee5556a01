//! How does a story begin? A service with accounts, friends and rooms, and one wxbot that is logged in to all of them.

use std::cell::Cell;
use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::rig::{Sent, Sim};
use crate::support::wait;
use crate::support::wxbot::{self, Running};

/// An answer, or a change of state, on a machine that compiles something else meanwhile.
pub(crate) const SOON: Duration = Duration::from_secs(9);

/// Stories are about what is said, not about how slowly.
pub(crate) const UNPACED: &str = "[pacing]\nper_account = \"1000000/s\"\nper_chat = \"1000000/s\"\nburst = 10000\n";

/// A simulated service and a wxbot on it. Both end with this value.
pub(crate) struct Town {
    pub(crate) sim: Sim,
    folder: TempDir,
    run: Option<Running>,
    accounts: Vec<String>,
    /// How many sends are old news.
    told: Cell<usize>,
}

impl Town {
    /// A service of its own with these accounts (`[[accounts]]` of a world file), nobody logged in.
    pub(crate) fn new(world: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("world.toml");
        fs::write(&file, format!("auto_confirm = true\n{world}")).unwrap();
        let sim = Sim::start(&wxbot::binary(), &file, folder.path()).unwrap();
        Self { sim, folder, run: None, accounts: Vec::new(), told: Cell::new(0) }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// An `[[accounts]]` entry of `bot.toml`.
    pub(crate) fn account(&self, name: &str, more: &str) -> String {
        let endpoint = self.sim.base();
        format!("[[accounts]]\nname = \"{name}\"\nprotocol = \"web\"\nendpoint = \"{endpoint}\"\n{more}\n")
    }

    /// As an editor does it: another file, then a rename.
    fn save(&self, config: &str) {
        let new = self.path().join("bot.toml~");
        fs::write(&new, config).unwrap();
        fs::rename(new, self.path().join("bot.toml")).unwrap();
    }

    /// Starts wxbot with this file and logs these accounts in.
    pub(crate) fn start(&mut self, config: &str, accounts: &[&str]) {
        self.save(config);
        let said = wxbot::call(self.path(), &["check"]).unwrap();
        assert_eq!(said.code, Some(0), "{config}\n{}", said.err);
        self.run = Some(Running::start(self.path(), &["run"]).unwrap());
        self.accounts = accounts.iter().map(|&name| name.to_owned()).collect();
        for name in accounts {
            wxbot::until_state(self.path(), name, &["needs_login"], SOON).unwrap();
            let said = wxbot::call(self.path(), &["login", name]).unwrap();
            assert_eq!(said.code, Some(0), "{}", said.err);
            wxbot::until_state(self.path(), name, &["online"], SOON).unwrap();
        }
    }

    /// Lets the running wxbot take this file up.
    pub(crate) fn reload(&self, config: &str) {
        self.save(config);
        let said = wxbot::call(self.path(), &["reload"]).unwrap();
        assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
        for name in &self.accounts {
            wxbot::until_state(self.path(), name, &["online"], SOON).unwrap();
        }
    }

    /// Our own id of somebody, as people look it up for `[accounts.roles]`.
    pub(crate) fn id(&self, account: &str, name: &str) -> String {
        wait::until(&format!("{account} to know {name}"), SOON, || {
            let said = wxbot::call(self.path(), &["contacts", account, name, "--json"])?;
            let found: Vec<Value> = serde_json::from_str(&said.out).map_err(io::Error::other)?;
            let fits = |one: &&Value| one["name"] == name || one["nick_name"] == name;
            Ok(found.iter().find(fits).and_then(|one| one["id"].as_str()).map(str::to_owned))
        })
        .unwrap()
    }

    fn order(&self, what: &str, body: &Value) -> Value {
        self.sim.api().post(&format!("/__sim/{what}"), body).unwrap()
    }

    /// A friend writes.
    pub(crate) fn writes(&self, account: &str, friend: &str, text: &str) {
        self.order("messages", &json!({ "account": account, "from": friend, "text": text }));
    }

    /// A member says something in a room.
    pub(crate) fn says(&self, account: &str, room: &str, member: &str, text: &str) {
        self.order("messages", &json!({ "account": account, "room": room, "from": member, "text": text }));
    }

    /// A member sends anything but text to a room.
    pub(crate) fn sends(&self, account: &str, room: &str, member: &str, said: &Value) {
        self.order("messages", &json!({ "account": account, "room": room, "from": member, "said": said }));
    }

    /// Something happens to a room.
    pub(crate) fn changes(&self, account: &str, room: &str, change: &Value) {
        self.order("room", &json!({ "account": account, "room": room, "change": change }));
    }

    /// Somebody asks to become a friend.
    pub(crate) fn asks(&self, account: &str, nick: &str, greeting: &str) {
        self.order("friend_request", &json!({ "account": account, "from": { "nick": nick }, "greeting": greeting }));
    }

    /// People talk in a room at a pace; over when all is said.
    pub(crate) fn chatter(&self, account: &str, room: &str, from: &[&str], texts: &[&str], count: usize, over_ms: u64) {
        let body = json!({
            "account": account, "room": room, "from": from, "texts": texts, "count": count, "over_ms": over_ms,
        });
        self.order("chatter", &body);
    }

    /// All sends so far.
    pub(crate) fn all(&self) -> Vec<Sent> {
        self.sim.sends().unwrap()
    }

    /// What was said by now is old news to [`hears`](Self::hears) and [`heard`](Self::heard).
    pub(crate) fn quiet(&self) {
        self.told.set(self.all().len());
    }

    /// What the account said to a friend or room since then.
    pub(crate) fn heard(&self, account: &str, to: &str) -> Vec<String> {
        let new = self.all().into_iter().skip(self.told.get());
        new.filter(|sent| sent.account == account && sent.to == to).map(|sent| sent.content).collect()
    }

    /// Waits until the account says to a friend or room what contains all of this, and answers it whole.
    pub(crate) fn hears(&self, account: &str, to: &str, parts: &[&str]) -> String {
        wait::until(&format!("{account} to tell {to} {parts:?}"), SOON, || {
            let heard = self.heard(account, to);
            let fits = |text: &&String| parts.iter().all(|part| text.contains(part));
            match heard.iter().find(fits) {
                Some(text) => Ok(Some(text.clone())),
                None => Err(io::Error::other(format!("{heard:?}\n{}", self.log()))),
            }
        })
        .unwrap()
    }

    /// Looks again and again until it is so.
    pub(crate) fn until(&self, so: &dyn Fn() -> bool) {
        wait::until("something to become so", SOON, || Ok(so().then_some(()))).unwrap();
    }

    /// What the account said to a friend or room since then is this, and nothing else. Conversations keep their order: what
    /// was said there before the last answer has been dealt with.
    pub(crate) fn nothing_but(&self, account: &str, to: &str, want: &[&str]) {
        let heard = self.heard(account, to);
        assert!(
            heard.len() == want.len() && heard.iter().zip(want).all(|(text, part)| text.contains(part)),
            "{heard:?} is not {want:?}"
        );
    }

    /// Waits for a change of a room that the account ordered: `delmember`, `addmember`; whom it was about.
    pub(crate) fn calls(&self, account: &str, fun: &str, who: &[&str]) -> u64 {
        wait::until(&format!("{account} to order {fun} of {who:?}"), SOON, || {
            let journal = self.sim.api().get("/__sim/journal")?;
            let calls = journal["room_calls"].as_array().cloned().unwrap_or_default();
            let fits = |call: &&Value| call["account"] == account && call["fun"] == fun && call["who"] == json!(who);
            match calls.iter().find(fits) {
                Some(call) => Ok(Some(call["ret"].as_u64().unwrap_or(u64::MAX))),
                None => Err(io::Error::other(format!("{calls:?}\n{}", self.log()))),
            }
        })
        .unwrap()
    }

    /// How often the account changed rooms so.
    pub(crate) fn called(&self, account: &str, fun: &str) -> usize {
        let journal = self.sim.api().get("/__sim/journal").unwrap();
        let calls = journal["room_calls"].as_array().cloned().unwrap_or_default();
        calls.iter().filter(|call| call["account"] == account && call["fun"] == fun).count()
    }

    /// Who is in the room; the account itself has no name.
    pub(crate) fn members(&self, account: &str, room: &str) -> Vec<String> {
        let world = self.sim.api().get("/__sim/world").unwrap();
        let accounts = world["accounts"].as_array().cloned().unwrap_or_default();
        let account = accounts.iter().find(|one| one["name"] == account).unwrap();
        let rooms = account["rooms"].as_array().cloned().unwrap_or_default();
        let room = rooms.iter().find(|one| one["topic"] == room).unwrap();
        serde_json::from_value(room["members"].clone()).unwrap()
    }

    /// What the account did about friend requests: `(opcode, nick)`.
    pub(crate) fn verified(&self, account: &str) -> Vec<(i64, String)> {
        let journal = self.sim.api().get("/__sim/journal").unwrap();
        let all = journal["verifies"].as_array().cloned().unwrap_or_default();
        let own = all.iter().filter(|one| one["account"] == account);
        own.map(|one| (one["opcode"].as_i64().unwrap(), one["who"].as_str().unwrap().to_owned())).collect()
    }

    /// What wxbot wrote to standard error.
    pub(crate) fn log(&self) -> String {
        self.run.as_ref().map(|run| run.err().unwrap()).unwrap_or_default()
    }

    /// Ends it in peace: no client broke a rule of the service, and nothing panicked.
    pub(crate) fn ends_well(mut self) {
        let log = self.log();
        assert!(!log.contains("panic"), "{log}");
        assert_eq!(self.sim.hard_violations().unwrap(), Vec::<String>::new());
        if let Some(run) = self.run.take() {
            assert!(run.stop("TERM", SOON).unwrap().success(), "{log}");
        }
    }
}
