//! Does a running wxbot keep quiet when it is told to, say why it is slow, and keep its debts over a kill?
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "the helpers of tests fail like tests")]

mod support;

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use support::rig::Sim;
use support::wait;
use support::wxbot::{self, Running};
use tempfile::TempDir;

const WITHIN: Duration = Duration::from_secs(9);

struct Rig {
    sim: Sim,
    folder: TempDir,
}

impl Rig {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let world = folder.path().join("world.toml");
        let friend = "friends = [{ nick = \"Alice\", alias = \"alice\" }]";
        fs::write(&world, format!("auto_confirm = true\n[[accounts]]\nname = \"a\"\n{friend}\n")).unwrap();
        let sim = Sim::start(&wxbot::binary(), &world, folder.path()).unwrap();
        Self { sim, folder }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// As an editor does it.
    fn save(&self, pacing: &str) {
        let endpoint = self.sim.base();
        let text = format!(
            "middleware = []\n[pacing]\n{pacing}\n[[plugins.auto-reply.rules]]\nany = true\nreply = \"re {{{{ text }}}}\"\n\
             [[accounts]]\nname = \"a\"\nprotocol = \"web\"\nendpoint = \"{endpoint}\"\n"
        );
        let new = self.path().join("bot.toml~");
        fs::write(&new, text).unwrap();
        fs::rename(new, self.path().join("bot.toml")).unwrap();
    }

    fn start(&self) -> Running {
        Running::start(self.path(), &["run"]).unwrap()
    }

    fn first_start(&self, pacing: &str) -> Running {
        self.save(pacing);
        let run = self.start();
        wxbot::until_state(self.path(), "a", &["needs_login"], WITHIN).unwrap();
        let said = wxbot::call(self.path(), &["login", "a"]).unwrap();
        assert_eq!(said.code, Some(0), "{}", said.err);
        run
    }

    fn account(&self) -> Value {
        wxbot::account(self.path(), "a").unwrap()
    }

    fn answers(&self) -> Vec<String> {
        self.sim.sends().unwrap().into_iter().map(|send| send.content).collect()
    }

    fn until_answers(&self, want: &[&str]) {
        wait::until(&format!("the answers {want:?}"), WITHIN, || Ok((self.answers() == want).then_some(()))).unwrap();
    }

    /// Waits until this many answers are stored and have not gone out.
    fn until_queued(&self, want: u64) -> Value {
        wait::until("an answer that waits", WITHIN, || {
            let account = self.account();
            Ok((account.pointer("/outbox/queued") == Some(&want.into())).then_some(account))
        })
        .unwrap()
    }
}

#[test]
fn quiet_hours_hold_answers_say_so_and_end_with_the_file() {
    let rig = Rig::new();
    let run = rig.first_start("quiet = \"00:00-24:00\"\nquiet_for = \"all\"");
    rig.sim.deliver("a", "Alice", "m1").unwrap();
    let account = rig.until_queued(1);
    assert_eq!(account["slowed"][0]["by"], "quiet_hours", "{account}");
    let people = wxbot::call(rig.path(), &["accounts"]).unwrap();
    assert!(people.out.contains("slowed: quiet hours: nothing is sent, for "), "{}", people.out);
    assert!(rig.answers().is_empty());
    rig.save("quiet = \"off\"");
    rig.until_answers(&["re m1"]);
    // The pace of what has just gone out is over in a moment, the quiet hours are at once.
    wait::until("nothing to slow it", WITHIN, || {
        let account = rig.account();
        assert!(!account["slowed"].to_string().contains("quiet"), "{account}");
        Ok((account["slowed"] == serde_json::json!([])).then_some(()))
    })
    .unwrap();
    assert!(run.stop("TERM", WITHIN).unwrap().success());
}

#[test]
fn a_debt_outlives_a_kill() {
    let rig = Rig::new();
    let slow = "per_account = \"1/h\"\nburst = 1\njitter = 0";
    let run = rig.first_start(slow);
    rig.sim.deliver("a", "Alice", "m1").unwrap();
    rig.until_answers(&["re m1"]);
    run.kill().unwrap();
    let run = rig.start();
    wxbot::until_state(rig.path(), "a", &["online"], WITHIN).unwrap();
    rig.sim.deliver("a", "Alice", "m2").unwrap();
    let account = rig.until_queued(1);
    assert_eq!(account["slowed"][0]["by"], "pace", "{account}");
    assert_eq!(rig.answers(), ["re m1"], "a kill refills nothing");
    rig.save("per_account = \"100000/s\"\nper_chat = \"100000/s\"");
    rig.until_answers(&["re m1", "re m2"]);
    assert!(run.stop("TERM", WITHIN).unwrap().success());
}
