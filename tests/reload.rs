//! Does a running wxbot take up a changed `bot.toml`, leave alone what did not change, and refuse a bad file?
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "the helpers of tests fail like tests")]

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use support::rig::Sim;
use support::terminal::{self, CTRL_C, Terminal};
use support::wxbot::{self, Running};
use support::{skip, wait};
use tempfile::TempDir;

/// Half a second of debounce; the rest is for a loaded machine.
const TAKEN_UP_WITHIN: Duration = Duration::from_secs(9);
const STOPS_WITHIN: Duration = Duration::from_secs(9);

/// A simulated service with two accounts, and a wxbot that answers everything of some of them.
struct Rig {
    sim: Sim,
    folder: TempDir,
}

impl Rig {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let friends = "friends = [{ nick = \"Alice\", alias = \"alice\" }]";
        let accounts = ["a", "b"].map(|name| format!("[[accounts]]\nname = \"{name}\"\n{friends}\n")).concat();
        let world = folder.path().join("world.toml");
        fs::write(&world, format!("auto_confirm = true\n{accounts}")).unwrap();
        let sim = Sim::start(&wxbot::binary(), &world, folder.path()).unwrap();
        Self { sim, folder }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn file(&self, reply: &str, accounts: &[(&str, &str)]) -> String {
        let mut text =
            format!("middleware = []\n[[plugins.auto-reply.rules]]\nany = true\nreply = \"{reply} {{{{ text }}}}\"\n");
        for (name, more) in accounts {
            let endpoint = self.sim.base();
            text +=
                &format!("[[accounts]]\nname = \"{name}\"\nprotocol = \"web\"\nendpoint = \"{endpoint}\"\n{more}\n");
        }
        text
    }

    /// As an editor does it: another file, then a rename.
    fn save(&self, text: &str) {
        let new = self.path().join("bot.toml~");
        fs::write(&new, text).unwrap();
        fs::rename(new, self.path().join("bot.toml")).unwrap();
    }

    /// A wxbot with this file, `a` logged in.
    fn start(&self, text: &str) -> Running {
        self.save(text);
        let run = Running::start(self.path(), &["run"]).unwrap();
        wxbot::until_state(self.path(), "a", &["needs_login"], TAKEN_UP_WITHIN).unwrap();
        self.log_in("a");
        run
    }

    fn log_in(&self, name: &str) {
        let said = wxbot::call(self.path(), &["login", name]).unwrap();
        assert_eq!(said.code, Some(0), "{}", said.err);
    }

    /// Alice writes to `account`; its answer.
    fn ask(&self, account: &str, text: &str) -> String {
        self.sim.deliver(account, "Alice", text).unwrap();
        wait::until(&format!("an answer of {account} to {text}"), TAKEN_UP_WITHIN, || {
            let sends = self.sim.sends()?;
            Ok(sends.into_iter().find(|s| s.account == account && s.content.ends_with(text)).map(|s| s.content))
        })
        .unwrap()
    }

    /// Logins and inits of an account.
    fn begun(&self, account: &str) -> (usize, usize) {
        let journal = self.sim.api().get("/__sim/journal").unwrap();
        let entries = |list: &str| journal.get(list).and_then(Value::as_array).unwrap().iter();
        let count = |list: &str| entries(list).filter(|e| e.get("account") == Some(&account.into())).count();
        (count("logins"), count("inits"))
    }
}

fn hang_up(run: &Running) {
    assert!(Command::new("kill").args(["-HUP", &run.pid().to_string()]).status().unwrap().success());
}

/// Waits until standard error has this, and answers all of it.
fn until_said(run: &Running, what: &str) -> String {
    wait::until(&format!("`{what}` on standard error"), TAKEN_UP_WITHIN, || {
        let err = run.err()?;
        if err.contains(what) { Ok(Some(err)) } else { Err(std::io::Error::other(err)) }
    })
    .unwrap()
}

#[test]
fn a_saved_file_is_taken_up_and_the_other_session_notices_nothing() {
    let rig = Rig::new();
    let run = rig.start(&rig.file("one", &[("a", "")]));
    assert_eq!(rig.ask("a", "m1"), "one m1");

    rig.save(&rig.file("two", &[("a", ""), ("b", "")]));
    until_said(&run, "↻ bot.toml: added b; changed a (plugins)\n");
    rig.log_in("b");
    assert_eq!((rig.ask("a", "m2"), rig.ask("b", "m3")), ("two m2".into(), "two m3".into()));

    rig.save(&rig.file("two", &[("a", ""), ("b", "enabled = false")]));
    until_said(&run, "↻ bot.toml: removed b\n");
    let all = wxbot::call(rig.path(), &["accounts", "--json"]).unwrap();
    let all: Vec<Value> = serde_json::from_str(&all.out).unwrap();
    assert_eq!(all.iter().map(|one| &one["name"]).collect::<Vec<_>>(), ["a"]);

    rig.save(&rig.file("two", &[("a", ""), ("b", "")]));
    wait::until("b to be back", TAKEN_UP_WITHIN, || Ok((rig.begun("b") == (1, 2)).then_some(()))).unwrap();
    assert_eq!(rig.ask("b", "m4"), "two m4", "it goes on with its saved session");
    assert_eq!(rig.ask("a", "m5"), "two m5");
    assert_eq!(rig.begun("a"), (1, 1), "one login and one init over all of it");
    assert!(run.stop("TERM", STOPS_WITHIN).unwrap().success());
}

#[test]
fn a_hang_up_reads_again_and_a_touch_is_no_change() {
    let rig = Rig::new();
    let run = rig.start(&rig.file("one", &[("a", "")]));
    hang_up(&run);
    until_said(&run, "↻ bot.toml: nothing changed\n");
    // The same again: what the file holds counts.
    rig.save(&rig.file("one", &[("a", "")]));
    rig.save(&rig.file("one", &[("a", "pacing = { burst = 9 }")]));
    hang_up(&run);
    until_said(&run, "↻ bot.toml: changed a (pacing)\n");
    rig.save(&rig.file("one", &[("a", "pacing = { burst = 10 }\nmark_read = true")]));
    let err = until_said(&run, "↻ bot.toml: session begins anew: a (options, pacing)\n");
    assert_eq!(err.matches('↻').count(), 3, "each change once, and the touch not at all: {err}");
    wait::until("a to be back", TAKEN_UP_WITHIN, || Ok((rig.begun("a") == (1, 2)).then_some(()))).unwrap();
    assert_eq!(rig.ask("a", "m1"), "one m1");
    assert!(run.stop("TERM", STOPS_WITHIN).unwrap().success());
}

#[test]
fn a_bad_file_changes_nothing_and_says_where_it_is_wrong() {
    let rig = Rig::new();
    let run = rig.start(&rig.file("one", &[("a", "")]));
    let bad = rig.file("two", &[("a", "use = [\"auto-reply\", \"keywrod\"]")]);
    rig.save(&bad);
    let place = format!("╭─[bot.toml:{}:", bad.lines().count());
    let force = "1 mistake in bot.toml; nothing was changed, the settings from before stay in force";
    let err = until_said(&run, force);
    for part in ["wxbot::config::unknown_plugin", place.as_str(), "┬"] {
        assert!(err.contains(part), "no {part}: {err}");
    }
    assert_eq!(rig.ask("a", "m1"), "one m1", "the old settings are in force");

    let said = wxbot::call(rig.path(), &["reload"]).unwrap();
    assert_eq!((said.code, said.out.as_str()), (Some(1), ""), "{}", said.err);
    assert!(said.err.contains(&place) && said.err.contains(force), "{}", said.err);
    let checked = wxbot::call(rig.path(), &["check"]).unwrap().err;
    let drawing = checked.split("1 mistake").next().unwrap();
    assert!(said.err.starts_with(drawing), "drawn as `wxbot check` does it: {}\n{checked}", said.err);
    let said = wxbot::call(rig.path(), &["reload", "--json"]).unwrap();
    let outcome: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((said.code, &outcome["event"]), (Some(1), &"refused".into()));
    assert_eq!(outcome["mistakes"][0]["code"], "wxbot::config::unknown_plugin");

    rig.save(&rig.file("two", &[("a", "")]));
    let said = wxbot::call(rig.path(), &["reload"]).unwrap();
    assert_eq!((said.code, said.out.as_str()), (Some(0), ""), "{}", said.err);
    assert_eq!(said.err, "↻ bot.toml: changed a (plugins)\n");
    assert_eq!((rig.ask("a", "m2"), rig.begun("a")), ("two m2".into(), (1, 1)));
    assert!(run.stop("TERM", STOPS_WITHIN).unwrap().success());
}

#[test]
fn nothing_is_lost_or_doubled_while_sessions_and_settings_change() {
    let rig = Rig::new();
    let fast = "pacing = { per_account = \"1000000/s\", per_chat = \"1000000/s\", burst = 10000 }";
    let of = |more: &str| rig.file("ok", &[("a", &format!("{fast}\n{more}"))]);
    let run = rig.start(&of(""));
    let mut wanted = Vec::new();
    for (round, more) in ["mark_read = true", "middleware = [\"trace\"]", "on_uncertain = \"drop\"", ""]
        .iter()
        .cycle()
        .take(16)
        .enumerate()
    {
        for n in 0..6 {
            rig.sim.deliver("a", "Alice", &format!("{round}/{n}")).unwrap();
            wanted.push(format!("ok {round}/{n}"));
        }
        rig.save(&of(more));
        let said = wxbot::call(rig.path(), &["reload"]).unwrap();
        assert_eq!(said.code, Some(0), "{}", said.err);
    }
    assert_eq!(rig.ask("a", "last"), "ok last");
    wanted.push("ok last".into());
    let sent: Vec<_> = rig.sim.sends().unwrap().into_iter().map(|send| send.content).collect();
    assert_eq!(sent, wanted, "each once and in order");
    assert_eq!(rig.sim.hard_violations().unwrap(), Vec::<String>::new());
    assert_eq!(rig.begun("a").0, 1, "no second login");
    assert!(run.stop("TERM", STOPS_WITHIN).unwrap().success());
}

#[test]
fn the_command_tells_what_was_done_and_what_needs_a_restart() {
    let rig = Rig::new();
    rig.save(&rig.file("one", &[("a", "")]));
    let said = wxbot::call(rig.path(), &["reload"]).unwrap();
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("no wxbot runs with the data directory data"), "{}", said.err);

    let run = Running::start(rig.path(), &["run"]).unwrap();
    wxbot::until_state(rig.path(), "a", &["needs_login"], TAKEN_UP_WITHIN).unwrap();
    let moved = format!("data_dir = \"elsewhere\"\n{}", rig.file("one", &[("b", "")]));
    rig.save(&moved);
    for what in ["added b; removed a; needs a restart: data_dir", "needs a restart: data_dir"] {
        let said = wxbot::call(rig.path(), &["reload", "--data-dir", "data"]).unwrap();
        let lines = until_said(&run, &format!("↻ bot.toml: {what}\n"));
        assert_eq!(said.code, Some(0), "{}", said.err);
        assert!(!lines.contains("elsewhere"), "nothing was made there: {lines}");
    }
    assert!(!rig.path().join("elsewhere").exists());
    let said = wxbot::call(rig.path(), &["reload", "--json", "--data-dir", "data"]).unwrap();
    let want = r#"{"added":[],"changed":[],"event":"reloaded","needs_restart":["data_dir"],"removed":[],"swapped":[],"tables":[]}"#;
    assert_eq!(serde_json::from_str::<Value>(&said.out).unwrap(), serde_json::from_str::<Value>(want).unwrap());
    assert!(run.stop("TERM", STOPS_WITHIN).unwrap().success());
}

#[test]
fn simulated_accounts_come_and_go_while_it_runs() {
    let folder = tempfile::tempdir().unwrap();
    let shipped = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("bot.toml")).unwrap();
    // At first without the simulator: the console account alone.
    let (head, accounts) = shipped.split_once("[[accounts]]").unwrap();
    let (simulated, me) = accounts.split_once("[[accounts]]\nname = \"me\"").unwrap();
    let me = format!("{head}[[accounts]]\nname = \"me\"{me}");
    let all = format!("{me}\n[[accounts]]{simulated}");
    let save = |text: &str| fs::write(folder.path().join("bot.toml"), text).unwrap();
    save(&me);
    let mut run = Running::start(folder.path(), &["run"]).unwrap();
    wxbot::until_state(folder.path(), "me", &["online"], TAKEN_UP_WITHIN).unwrap();
    for round in 1..=2 {
        save(&all);
        let said = wxbot::call(folder.path(), &["reload"]).unwrap();
        assert_eq!(said.code, Some(0), "{}", said.err);
        for name in ["shop", "club"] {
            wxbot::until_state(folder.path(), name, &["online"], TAKEN_UP_WITHIN).unwrap();
        }
        let talk = "[shop] → Alice: 你好,Alice!我是 shop。";
        if round == 1 {
            run.until_out("an answer in the simulation", TAKEN_UP_WITHIN, |out| out.contains(talk)).unwrap();
        }
        save(&me);
        let said = wxbot::call(folder.path(), &["reload"]).unwrap();
        // Whoever comes first, this order or the watcher of the file, does it.
        let either = ["↻ bot.toml: removed shop, club, home\n", "↻ bot.toml: nothing changed\n"];
        assert!(either.contains(&said.err.as_str()), "{}", said.err);
        assert!(wxbot::account(folder.path(), "shop").is_err(), "it is gone");
    }
    assert!(run.stop("TERM", STOPS_WITHIN).unwrap().success());
}

#[test]
fn a_console_account_that_comes_back_hears_the_next_line() {
    if let Some(reason) = terminal::missing() {
        skip::note("reload: console", &reason).unwrap();
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let of = |name: &str| {
        format!(
            "[[plugins.auto-reply.rules]]\nany = true\nreply = \"{name}: {{{{ text }}}}\"\n[[accounts]]\nname = \"{name}\"\nprotocol = \"console\"\n"
        )
    };
    let save = |text: &str| fs::write(folder.path().join("bot.toml"), text).unwrap();
    save(&of("me"));
    let mut terminal = Terminal::start(folder.path(), &["run"]).unwrap();
    terminal.until("the account", TAKEN_UP_WITHIN, |screen| screen.contains("● me online")).unwrap();
    terminal.type_in("first\n").unwrap();
    terminal.until("an answer", TAKEN_UP_WITHIN, |screen| screen.contains("bot> me: first\n")).unwrap();
    save(&of("you"));
    let changed = "↻ bot.toml: added you; removed me\n";
    let both = |screen: &str| screen.contains(changed) && screen.contains("● you online");
    terminal.until("another account at the terminal", TAKEN_UP_WITHIN, both).unwrap();
    terminal.type_in("second\n").unwrap();
    terminal.until("its answer", TAKEN_UP_WITHIN, |screen| screen.contains("bot> you: second\n")).unwrap();
    terminal.type_in(CTRL_C).unwrap();
    assert!(terminal.ended(STOPS_WITHIN).unwrap().success());
}

#[test]
fn a_terminal_that_is_closed_takes_its_wxbot_along() {
    if let Some(reason) = terminal::missing() {
        skip::note("reload: closed terminal", &reason).unwrap();
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let config = "[[accounts]]\nname = \"me\"\nprotocol = \"console\"\n";
    fs::write(folder.path().join("bot.toml"), config).unwrap();
    let mut terminal = Terminal::start(folder.path(), &["run"]).unwrap();
    terminal.until("the account", TAKEN_UP_WITHIN, |screen| screen.contains("● me online")).unwrap();
    drop(terminal);
    wait::until("the socket to go with the process", STOPS_WITHIN, || {
        Ok((!folder.path().join("data/wxbot.sock").exists()).then_some(()))
    })
    .unwrap();
}
