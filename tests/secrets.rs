//! Do keys, cookies or message texts of a session reach anything that wxbot writes?
//!
//! A whole life is played against a fake service whose keys are canaries: logins that fail, answers that are cut, the
//! end of a session, SIGKILL, a second start; with everything logged. Then all output and all files are searched. The
//! bundled plugins do not panic, so that one is played with `examples/embed.rs`, whose plugin does on request.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "the helpers of tests fail like tests")]

mod support;

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use support::fake_wechat::{CANARY, Fake, Fault, UIN};
use support::wxbot::{self, Running};
use support::{skip, wait};

const SOON: Duration = Duration::from_secs(6);
/// Not a key, but nobody's business in a log.
const TEXT: &str = "PRIVATEtext";
/// What the fake answers as the id of a login: as good as a key for some minutes (R24).
const UUID: &str = "QRuuid5678";

/// All that was written, each with the name of what wrote it.
#[derive(Default)]
struct Written(Vec<(String, String)>);

impl Written {
    fn call(&mut self, folder: &Path, args: &[&str], code: i32) {
        let said = wxbot::call(folder, args).unwrap();
        assert_eq!(said.code, Some(code), "{args:?}: {}", said.err);
        self.0.push((format!("{args:?}, output"), said.out));
        self.0.push((format!("{args:?}, errors"), said.err));
    }

    /// Fails with the places where `secret` is seen.
    fn must_not_hold(&self, secret: &str, except: impl Fn(&str) -> bool) {
        let mut found = Vec::new();
        for (name, text) in self.0.iter().filter(|(name, _)| !except(name)) {
            for (at, _) in text.match_indices(secret).take(3) {
                let around: String = text.get(..at).unwrap_or("").chars().rev().take(160).collect();
                let around: String = around.chars().rev().collect();
                found.push(format!("{name}: …{around}{secret}"));
            }
        }
        assert!(found.is_empty(), "`{secret}` in\n{}", found.join("\n"));
    }
}

fn answered(fake: &Fake, count: usize) {
    let enough = || Ok((fake.sends().len() >= count).then_some(()));
    wait::until("an answer", SOON, enough).unwrap();
}

fn session(format: &str) {
    let (fake, folder) = (Fake::start().unwrap(), tempfile::tempdir().unwrap());
    let folder = folder.path();
    fs::write(folder.join("bot.toml"), fake.bot_toml()).unwrap();
    let flags = ["--log", "trace", "--log-format", format];
    let with_flags = |args: &[&'static str]| args.iter().chain(&flags).copied().collect::<Vec<_>>();
    let (run, login) = (with_flags(&["run"]), with_flags(&["login", "bot", "--json"]));
    let mut written = Written::default();
    let state = |states: &[&str]| drop(wxbot::until_state(folder, "bot", states, SOON).unwrap());

    let first = Running::start(folder, &run).unwrap();
    state(&["needs_login"]);
    // Logins that fail: refused, cut with the keys in the first half, a page instead.
    let refusal = "<error><ret>1203</ret><message>not today</message><skey>@crypt_CANARYx</skey></error>";
    for (endpoint, fault) in [
        ("webwxnewloginpage", Fault::Body(refusal.to_owned())),
        ("webwxinit", Fault::Cut),
        ("webwxinit", Fault::html()),
    ] {
        fake.spoil(endpoint, fault);
        written.call(folder, &login, 1);
        fake.heal();
    }
    written.call(folder, &login, 0);
    state(&["online"]);
    fake.deliver(&format!("{TEXT} one"));
    answered(&fake, 1);
    // Trouble within the session, a send whose answer cannot be read, and its end.
    fake.spoil("webwxsync", Fault::Cut);
    fake.deliver(&format!("{TEXT} two"));
    state(&["reconnecting"]);
    fake.heal();
    answered(&fake, 2);
    fake.spoil("webwxsendmsg", Fault::Cut);
    fake.deliver(&format!("{TEXT} three"));
    answered(&fake, 3);
    fake.heal();
    fake.end_session(1101);
    wait::until("the phone to be asked", SOON, || Ok((fake.asked("webwxpushloginurl") >= 1).then_some(()))).unwrap();
    state(&["online"]);
    written.call(folder, &with_flags(&["accounts", "--json"]), 0);
    written.call(folder, &with_flags(&["accounts"]), 0);

    first.kill().unwrap();
    // A crash leaves its files as they were: nothing may lie open in the write-ahead log either.
    data_files(folder, "after SIGKILL: ", &mut written);
    let second = Running::start(folder, &run).unwrap();
    state(&["online"]);
    written.call(folder, &with_flags(&["check"]), 0);
    assert!(second.stop("TERM", SOON).unwrap().success());
    data_files(folder, "at the end: ", &mut written);

    for name in ["run.out", "run.err"] {
        let text = String::from_utf8_lossy(&fs::read(folder.join(name)).unwrap()).into_owned();
        written.0.push((name.to_owned(), text));
    }
    let (_, log) = written.0.iter().find(|(name, _)| name == "run.err").unwrap();
    assert!(log.contains("TRACE"), "nothing is proved when little is logged");

    written.must_not_hold(CANARY, |_| false);
    // The store keeps messages, and an account number as what tells two contacts apart; neither belongs into a log.
    let store = |name: &str| name.contains("queue.db");
    written.must_not_hold(&UIN.to_string(), store);
    written.must_not_hold(TEXT, store);
    written.must_not_hold(UUID, |name| name.contains("login"));
}

/// All files of the data directory, sealed or not.
fn data_files(folder: &Path, when: &str, written: &mut Written) {
    for entry in fs::read_dir(folder.join("data")).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            let text = String::from_utf8_lossy(&fs::read(entry.path()).unwrap()).into_owned();
            written.0.push((format!("{when}{}", entry.file_name().display()), text));
        }
    }
}

#[test]
fn sec_r20_a_session_logged_as_json_shows_no_secret() {
    session("json");
}

#[test]
fn sec_r20_a_session_logged_as_text_shows_no_secret() {
    session("text");
}

/// The example beside the binary of the same profile; made if only this file's tests were built.
fn example(name: &str) -> PathBuf {
    let built = Path::new(env!("CARGO_BIN_EXE_wxbot")).with_file_name("examples").join(name);
    if !built.exists() {
        let cargo = Command::new(env!("CARGO")).args(["build", "--quiet", "--locked", "--example", name]).status();
        assert!(cargo.unwrap().success());
    }
    built
}

#[test]
fn sec_r20_a_panic_in_a_plugin_shows_no_key() {
    let (fake, folder) = (Fake::start().unwrap(), tempfile::tempdir().unwrap());
    let folder = folder.path();
    // The fake's account with the example's plugin instead of the bundled one.
    let config = fake.bot_toml();
    let (common, account) = config.split_at(config.find("[[accounts]]").unwrap());
    let pacing = common.split_at(common.find("[[plugins").unwrap()).0;
    fs::write(folder.join("bot.toml"), format!("{pacing}[plugins.ping]\n\n{account}")).unwrap();
    let start = |args: &[&str]| {
        let mut command = Command::new(example("embed"));
        command.current_dir(folder).args(args).stdin(Stdio::null());
        command
    };
    let log = folder.join("embed.log");
    let file = fs::File::create(&log).unwrap();
    let mut run = start(&["run", "--log", "trace"]).stdout(Stdio::null()).stderr(file).spawn().unwrap();
    wait::until("the control socket", SOON, || Ok(folder.join("data/wxbot.sock").exists().then_some(()))).unwrap();
    // The fake's phone scans by itself.
    assert!(start(&["login", "bot", "--json"]).output().unwrap().status.success());
    fake.deliver("panic skey=@crypt_CANARYpanic pass_ticket=CANARYticket");
    let contained = || Ok(fs::read_to_string(&log)?.contains("could not be handled").then_some(()));
    wait::until("the failed event to be logged", SOON, contained).unwrap();
    let alive = run.try_wait().unwrap().is_none();
    run.kill().unwrap();
    run.wait().unwrap();
    let log = fs::read_to_string(&log).unwrap();
    assert!(alive && log.contains("Panic; it was contained.") && log.contains("[redacted]"), "{log}");
    Written(vec![("embed.log".into(), log)]).must_not_hold(CANARY, |_| false);
}

#[test]
fn sec_r20_a_bad_configuration_shows_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/config");
    fs::copy(fixtures.join("twelve-mistakes.toml"), folder.path().join("bot.toml")).unwrap();
    let mut written = Written::default();
    for args in [&["check"][..], &["check", "--json"], &["run"], &["login", "--all"], &["accounts", "--json"]] {
        written.call(folder.path(), args, 78);
    }
    // Not even TOML: the secret's line is in no tree.
    let broken =
        "[[accounts]]\nname = \"a\"\nproxy = \"http://u:CANARYproxy@h\"\n[accounts.secrets]\nT = \"CANARYx\nb =";
    fs::write(folder.path().join("bot.toml"), broken).unwrap();
    for args in [&["check"][..], &["check", "--json"]] {
        written.call(folder.path(), args, 78);
    }
    written.must_not_hold(CANARY, |_| false);
}

#[test]
fn sec_r20_a_proxy_that_refuses_shows_no_password() {
    let (fake, folder) = (Fake::start().unwrap(), tempfile::tempdir().unwrap());
    // A proxy that hangs up; each try is seen here.
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let proxy = format!("proxy = \"socks5h://xiaoli:CANARYproxy@{}\"", listener.local_addr().unwrap());
    fs::write(folder.path().join("bot.toml"), fake.bot_toml() + &proxy).unwrap();
    let run = Running::start(folder.path(), &["run", "--log", "trace"]).unwrap();
    wxbot::until_state(folder.path(), "bot", &["needs_login"], SOON).unwrap();
    let login = Running::start(folder.path(), &["login", "bot", "--log", "trace"]).unwrap();
    // With the second try the first one has failed, and whatever is said of that has been said.
    for _ in 0..2 {
        wait::until("a try through the proxy", SOON, || listener.accept().map(Some)).unwrap();
    }
    login.kill().unwrap();
    assert_eq!(fake.asked("jslogin"), 0, "nothing goes around the proxy");
    let mut written = Written::default();
    written.call(folder.path(), &["check"], 0);
    written.call(folder.path(), &["accounts", "--json"], 0);
    written.0.push(("run".to_owned(), run.err().unwrap() + &run.out().unwrap()));
    written.must_not_hold(CANARY, |_| false);
}

/// What the kernel tells of a running wxbot in this file of `/proc`.
fn told_of_a_running_wxbot(file: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut run = Running::start(folder.path(), &["sim"]).unwrap();
    run.until_out("its address", SOON, |out| out.contains("http://")).unwrap();
    let told = fs::read_to_string(format!("/proc/{}/{file}", run.pid())).unwrap();
    run.stop("TERM", SOON).unwrap();
    told
}

#[test]
fn sec_r19_no_core_dump_of_a_running_wxbot() {
    let limits = told_of_a_running_wxbot("limits");
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    let numbers: Vec<_> = core.split_whitespace().skip(4).take(2).collect();
    assert_eq!(numbers, ["0", "0"], "{core}");
}

#[test]
fn no_huge_pages_for_a_running_wxbot() {
    let status = told_of_a_running_wxbot("status");
    // Kernels from before 5.0 do not tell.
    let told = status.lines().find_map(|line| line.strip_prefix("THP_enabled:"));
    assert!(told.is_none_or(|told| told.trim() == "0"), "{status}");
}

#[test]
fn sec_r19_nobody_may_read_the_memory_of_a_running_wxbot() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = wxbot::command(folder.path(), &["sim"]);
    // Root's own processes look the same either way.
    wxbot::without_rights(&mut command, folder.path()).unwrap();
    let out = folder.path().join("out");
    command.stdin(Stdio::null()).stdout(fs::File::create(&out).unwrap()).stderr(Stdio::null());
    let Ok(mut child) = command.spawn() else {
        skip::note("secrets: sec_r19 memory", "`nobody` may not start the binary").unwrap();
        return;
    };
    let pid = child.id();
    let up = wait::until("its address", SOON, || Ok(fs::read_to_string(&out)?.contains("http://").then_some(())));
    // The kernel gives the files of a process that is not dumpable to root, which keeps debuggers of its own user out.
    let owner = fs::metadata(format!("/proc/{pid}/status")).map(|meta| meta.uid());
    Command::new("kill").arg(pid.to_string()).status().unwrap();
    child.wait().unwrap();
    up.unwrap();
    assert_eq!(owner.unwrap(), 0, "the process is dumpable");
}
