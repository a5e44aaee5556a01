//! What do a plugin that never lets go, one that hangs and one that panics cost the others in the same wxbot?

use std::collections::HashSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::books::ONLINE_WITHIN;
use crate::support::rig::{self, Bot, Sim};
use crate::support::wait;
use crate::support::wxbot;

/// The stress plugin as a library, with a thread of its own for what it does.
fn library() -> PathBuf {
    // The folder that other tests build their plugins in: what all plugins depend on is built once.
    let workshop = Path::new(env!("CARGO_TARGET_TMPDIR")).join("plugins");
    let target = workshop.join("here");
    fs::create_dir_all(&target).unwrap();
    let lock = File::create(target.join("lock")).unwrap();
    lock.lock().unwrap();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["rustc", "--quiet", "--locked", "--offline", "--lib", "--crate-type", "cdylib"]);
    cargo.args(["-p", "stress-plugin", "--features", "dylib", "--target-dir"]).arg(&target);
    cargo.args(["--", "-Cstrip=symbols"]);
    let output = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(output.status.success(), "{cargo:?}: {}", String::from_utf8_lossy(&output.stderr));
    let kept = workshop.join("faults-stress.so");
    fs::copy(target.join("debug/libstress_plugin.so"), &kept).unwrap();
    kept
}

/// Friends who each write to the account of a bad plugin: one more than opens its circuit.
const FRIENDS: usize = 6;
/// A handler is given up after 30 s.
const GIVEN_UP_WITHIN: Duration = Duration::from_secs(60);
/// What was parked behind an open circuit is due again after at most 36 s.
const HEALED_WITHIN: Duration = Duration::from_secs(75);
/// Far above what an answer takes on a busy machine, and far below what a bad plugin takes.
const IN_TIME_MS: f64 = 2_000.0;

/// `a1` is answered by auto-reply, and so are the others once they are well. Ill, they have the stress plugin, each an
/// instance of its own.
fn config(endpoint: &str, ill: Option<&Path>) -> String {
    let base = rig::bot_toml(endpoint, 4);
    let Some(library) = ill else { return base };
    let mut text =
        base.replacen("\n[[accounts]]", &format!("\n[plugins.stress]\npath = {library:?}\n\n[[accounts]]"), 1);
    for number in 2..=4 {
        let account = rig::account(number);
        let (before, after) = text.split_at(text.find(&format!("name = \"{account}\"")).unwrap());
        let after = after.replacen("use = [\"auto-reply\"]", "use = [\"stress\"]", 1);
        let own = format!("on_uncertain = \"hold\"\n[accounts.plugins.stress]\nword = \"{account}\"\n");
        text = format!("{before}{}", after.replacen("on_uncertain = \"hold\"\n", &own, 1));
    }
    text
}

struct Ward {
    sim: Sim,
    bot: Bot,
    folder: tempfile::TempDir,
}

impl Ward {
    /// Everybody in turn writes `text` to `account`; the ids of their messages.
    fn say(&self, account: &str, text: &str) -> Vec<String> {
        let say = |number| {
            let order = json!({ "account": account, "from": rig::friend(number), "text": text });
            let said = self.sim.api().post("/__sim/messages", &order).unwrap();
            said["msg_ids"][0].as_str().unwrap().to_owned()
        };
        (1..=FRIENDS).map(say).collect()
    }

    /// The healthy account under load: everybody answered once, and how late at most.
    fn healthy(&self, messages: usize) -> f64 {
        let order = json!({ "accounts": ["a1"], "per_account": messages, "open": 4, "timeout_ms": 20_000 });
        let seen = self.sim.api().post("/__sim/load", &order).unwrap();
        let number = |key: &str| seen[key].as_f64().unwrap();
        assert!(number("answered") >= messages as f64 && number("duplicates") + number("unexpected") < 1.0, "{seen}");
        number("p99_ms")
    }

    fn account(&self, name: &str) -> Value {
        self.bot.accounts().unwrap().into_iter().find(|one| one["name"] == name).unwrap()
    }

    fn explain(&self, account: &str, message: &str) -> String {
        let said = wxbot::call(self.folder.path(), &["explain", message, "--account", account]).unwrap();
        assert_eq!(said.code, Some(0), "{}", said.err);
        said.out
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("wxbot.log")).unwrap()
    }

    /// Waits until somebody's events were given up with this reason.
    fn until_told(&self, account: &str, why: &str, times: usize) {
        let told = |line: &&str| line.contains(&format!("\"{account}\"")) && line.contains(why);
        wait::until(&format!("{account}: {why}"), GIVEN_UP_WITHIN, || {
            Ok((self.log().lines().filter(told).count() >= times).then_some(()))
        })
        .unwrap_or_else(|error| panic!("{error}\n{}", self.log()));
    }
}

#[test]
fn bad_plugins_beside_a_healthy_one_cost_it_nothing_and_lose_nothing() {
    let library = library();
    let folder = tempfile::Builder::new().prefix("wxbot-faults-").tempdir().unwrap();
    let world = folder.path().join("world.toml");
    fs::write(&world, rig::world_toml(4, FRIENDS)).unwrap();
    let sim = Sim::start(&wxbot::binary(), &world, folder.path()).unwrap();
    let mut bot = Bot::new(&wxbot::binary(), folder.path(), &config(sim.base(), Some(&library))).unwrap();
    bot.start().unwrap();
    bot.log_in_all(&sim, ONLINE_WITHIN).unwrap();
    bot.until_online(ONLINE_WITHIN).unwrap();
    let ward = Ward { sim, bot, folder };
    let calm = ward.healthy(100);

    // One that panics: its circuit opens at once, and nobody waits for it any more.
    let panicked = ward.say("a3", "panic");
    ward.until_told("a3", "rests after too many failures", 1);
    let why = ward.explain("a3", &panicked[0]);
    assert!(why.contains("stress") && (why.contains("panicked") || why.contains("rests")), "{why}");
    // One that hangs, and in the same library one that never gives its thread back.
    let hung = ward.say("a4", "hang");
    wait::pause(Duration::from_millis(300));
    let looping = ward.say("a2", "block 45000");
    let ill = ward.healthy(400);
    assert!(ill < IN_TIME_MS, "{ill} ms, and {calm} ms without them");
    ward.until_told("a4", "it took longer than 30 s", FRIENDS);
    ward.until_told("a2", "it took longer than 30 s", FRIENDS);
    for (account, message) in [("a4", &hung[0]), ("a2", &looping[0])] {
        let why = ward.explain(account, message);
        assert!(why.contains("stress") && (why.contains("30 s") || why.contains("rests")), "{account}: {why}");
    }
    let late = ward.healthy(100);
    assert!(late < IN_TIME_MS, "{late} ms when they are given up");
    for account in ["a2", "a3", "a4"] {
        let one = ward.account(account);
        assert_eq!((&one["inbox"]["waiting"], &one["state"]), (&json!(FRIENDS), &json!("online")), "{one}");
    }

    // With a plugin that answers in its place, everything that waited is answered, in each chat and once.
    let endpoint = ward.sim.base().to_owned();
    fs::write(ward.folder.path().join("bot.toml"), config(&endpoint, None)).unwrap();
    wait::until("what waited to be answered", HEALED_WITHIN, || {
        let done = |account: &str| ward.account(account)["outbox"]["sent"] == json!(FRIENDS);
        Ok(["a2", "a3", "a4"].into_iter().all(done).then_some(()))
    })
    .unwrap_or_else(|error| panic!("{error}\n{}", ward.log()));
    for (account, text) in [("a2", "block 45000"), ("a3", "panic"), ("a4", "hang")] {
        let sends = ward.sim.sends().unwrap();
        let to: HashSet<_> =
            sends.iter().filter(|sent| sent.account == account).map(|sent| (&sent.to, &sent.content)).collect();
        assert!(to.len() == FRIENDS && to.iter().all(|(_, content)| *content == text), "{account}: {to:?}");
        assert_eq!(sends.iter().filter(|sent| sent.account == account).count(), FRIENDS);
    }
    assert!(ward.healthy(100) < IN_TIME_MS);
    assert_eq!(ward.sim.hard_violations().unwrap(), Vec::<String>::new());
}
