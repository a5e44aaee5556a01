//! Does an account survive a service that answers nonsense, say so truthfully, and go on without loss when it heals?
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "the helpers of tests fail like tests")]

mod support;

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use serde_json::{Value, json};
use support::fake_wechat::{Fake, Fault};
use support::wxbot::{self, Running};
use support::{skip, wait};
use tempfile::TempDir;

/// Login, answer or change of state on a machine that compiles something else meanwhile.
const SOON: Duration = Duration::from_secs(6);
const STOPS_WITHIN: Duration = Duration::from_secs(5);

/// One fake, and one wxbot on it that was never logged in.
struct Rig {
    fake: Fake,
    run: Running,
    folder: TempDir,
}

impl Rig {
    fn start() -> Self {
        let (fake, folder) = (Fake::start().unwrap(), tempfile::tempdir().unwrap());
        fs::write(folder.path().join("bot.toml"), fake.bot_toml()).unwrap();
        let run = Running::start(folder.path(), &["run"]).unwrap();
        Self { fake, run, folder }
    }

    fn online() -> Self {
        let rig = Self::start();
        rig.log_in();
        rig
    }

    fn log_in(&self) {
        self.state(&["needs_login"]);
        let said = wxbot::call(self.folder.path(), &["login", "bot"]).unwrap();
        assert_eq!(said.code, Some(0), "{}{}", said.err, self.run.err().unwrap());
        self.state(&["online"]);
    }

    /// A login that must not come about; what it told the person.
    fn fail_to_log_in(&self) -> String {
        self.state(&["needs_login"]);
        let said = wxbot::call(self.folder.path(), &["login", "bot"]).unwrap();
        assert_eq!(said.code, Some(1), "{}", said.err);
        said.err
    }

    fn state(&self, states: &[&str]) -> Value {
        wxbot::until_state(self.folder.path(), "bot", states, SOON).unwrap()
    }

    /// The friend writes and is answered, once and after everything before.
    fn talk(&self, texts: &[&str]) {
        for text in texts {
            self.fake.deliver(text);
        }
        self.answered(texts);
    }

    fn answered(&self, texts: &[&str]) {
        let want: Vec<_> = texts.iter().map(|text| format!("re {text}")).collect();
        let there = wait::until("the answers", SOON, || {
            let sends = self.fake.sends();
            let missing = want.iter().any(|text| !sends.contains(text));
            if missing { Err(std::io::Error::other(format!("{sends:?}"))) } else { Ok(Some(sends)) }
        });
        let sends = there.unwrap();
        for text in &want {
            assert_eq!(sends.iter().filter(|sent| *sent == text).count(), 1, "{text} in {sends:?}");
        }
    }

    /// Stops it, and looks through what it wrote.
    fn end(self) {
        let err = self.run.err().unwrap();
        assert!(!err.to_lowercase().contains("panic"), "{err}");
        assert!(self.run.stop("TERM", STOPS_WITHIN).unwrap().success());
    }
}

fn why(account: &Value) -> &str {
    account["why"].as_str().unwrap()
}

/// A running session meets the fault at `endpoint`, says so with `words`, and goes on with nothing lost.
fn heals(endpoint: &'static str, fault: Fault, words: &str) {
    let rig = Rig::online();
    rig.talk(&["before"]);
    rig.fake.spoil(endpoint, fault);
    rig.fake.deliver("meanwhile");
    let account = rig.state(&["reconnecting", "degraded"]);
    assert!(why(&account).contains(endpoint) && why(&account).contains(words), "{account}");
    let told = wxbot::call(rig.folder.path(), &["accounts"]).unwrap();
    assert!(told.out.contains("bot") && told.out.contains(endpoint), "people are told too: {}", told.out);
    rig.fake.heal();
    rig.state(&["online"]);
    rig.answered(&["before", "meanwhile"]);
    rig.talk(&["after"]);
    assert_eq!(rig.fake.sends(), ["re before", "re meanwhile", "re after"]);
    rig.end();
}

#[test]
fn html_instead_of_json_in_webwxsync() {
    heals("webwxsync", Fault::html(), "HTML");
}

#[test]
fn a_cut_answer_of_webwxsync() {
    heals("webwxsync", Fault::Cut, "cut off");
}

#[test]
fn status_500_from_webwxsync() {
    heals("webwxsync", Fault::Status(500), "500");
}

#[test]
fn a_reset_connection_in_webwxsync() {
    heals("webwxsync", Fault::Reset, "no answer");
}

#[test]
fn json_of_another_shape_in_webwxsync() {
    heals("webwxsync", Fault::Body(r#"{"BaseResponse":[],"AddMsgList":{"a":1}}"#.to_owned()), "shape");
}

#[test]
fn ten_megabytes_of_nonsense_from_webwxsync() {
    heals("webwxsync", Fault::Body("x".repeat(10_000_000)), "10000000 bytes");
}

#[test]
fn more_than_we_ever_read_from_webwxsync() {
    // A valid answer of 17 MiB: refused by its length and not kept in memory.
    let body = json!({ "BaseResponse": { "Ret": 0 }, "Padding": "x".repeat(17 << 20) }).to_string();
    heals("webwxsync", Fault::Body(body), "");
}

#[test]
fn html_instead_of_a_script_in_synccheck() {
    heals("synccheck", Fault::html(), "HTML");
}

#[test]
fn an_unknown_retcode_of_synccheck() {
    heals("synccheck", Fault::Body(r#"window.synccheck={retcode:"4711",selector:"0"}"#.to_owned()), "4711");
}

#[test]
fn a_reset_connection_in_synccheck() {
    heals("synccheck", Fault::Reset, "no answer");
}

#[test]
fn ten_megabytes_that_are_an_answer() {
    let rig = Rig::online();
    let long = format!("{}long", "长".repeat(3_400_000));
    rig.fake.deliver(&long);
    rig.talk(&["short"]);
    assert_eq!(rig.fake.sends().len(), 2, "the long one is answered too");
    rig.state(&["online"]);
    rig.end();
}

#[test]
fn an_unknown_code_of_webwxsync_waits_for_a_person() {
    // Repeating what an unknown code refuses is how accounts get banned.
    let rig = Rig::online();
    rig.fake.spoil("webwxsync", Fault::ret(4711));
    rig.fake.deliver("refused");
    let account = rig.state(&["needs_login"]);
    assert!(why(&account).contains("webwxsync") && why(&account).contains("4711"), "{account}");
    assert!(account["todo"].as_str().unwrap().contains("wxbot login bot"), "{account}");
    let asked = rig.fake.asked("webwxsync");
    rig.fake.heal();
    rig.log_in();
    rig.talk(&["after"]);
    assert!(rig.fake.asked("webwxsync") > asked);
    rig.end();
}

#[test]
fn a_login_that_meets_nonsense_says_where() {
    let rig = Rig::start();
    let refusal = "<error><ret>1203</ret><message>为了你的帐号安全,不能登录网页微信</message></error>";
    for (endpoint, fault, words) in [
        ("webwxnewloginpage", Fault::Body(refusal.to_owned()), "1203"),
        ("webwxinit", Fault::Cut, "cut off"),
        ("webwxinit", Fault::html(), "HTML"),
        ("webwxinit", Fault::Status(502), "502"),
        ("webwxinit", Fault::ret(4711), "4711"),
    ] {
        rig.fake.spoil(endpoint, fault);
        let told = rig.fail_to_log_in();
        assert!(told.contains("bot") && told.contains(endpoint) && told.contains(words), "{endpoint} {words}: {told}");
        let account = rig.state(&["needs_login"]);
        assert!(why(&account).contains(endpoint) && why(&account).contains(words), "{account}");
        rig.fake.heal();
    }
    rig.log_in();
    rig.talk(&["hello"]);
    rig.end();
}

#[test]
fn a_malformed_newloginpage_is_asked_again_and_then_named() {
    let rig = Rig::start();
    let cut = "<error><ret>0</ret><message></message><skey>@crypt_0_0</skey><wxsid>".to_owned();
    rig.fake.spoil("webwxnewloginpage", Fault::Body(cut));
    let told = rig.fail_to_log_in();
    assert!(told.contains("webwxnewloginpage"), "{told}");
    assert_eq!(rig.fake.asked("webwxnewloginpage"), 3, "as often as the official client asks");
    rig.fake.heal();
    rig.log_in();
    rig.talk(&["hello"]);
    rig.end();
}

#[test]
fn a_login_bears_odd_answers_for_a_while() {
    let rig = Rig::start();
    rig.state(&["needs_login"]);
    rig.fake.spoil("jslogin", Fault::html());
    rig.fake.spoil("login", Fault::Reset);
    let mut login = Running::start(rig.folder.path(), &["login", "bot"]).unwrap();
    wait::until("a second jslogin", SOON, || Ok((rig.fake.asked("jslogin") >= 2).then_some(()))).unwrap();
    rig.fake.heal();
    assert!(login.ended(SOON).unwrap().success(), "{}", login.err().unwrap());
    rig.talk(&["hello"]);
    rig.end();
}

#[test]
fn a_saved_session_outlives_nonsense_at_the_start() {
    let rig = Rig::online();
    rig.talk(&["first"]);
    let Rig { fake, run, folder } = rig;
    assert!(run.stop("TERM", STOPS_WITHIN).unwrap().success());
    fake.spoil("webwxinit", Fault::html());
    fake.deliver("while down");
    let run = Running::start(folder.path(), &["run"]).unwrap();
    let rig = Rig { fake, run, folder };
    let account = rig.state(&["reconnecting", "degraded"]);
    assert!(why(&account).contains("webwxinit"), "{account}");
    rig.fake.heal();
    rig.state(&["online"]);
    rig.answered(&["first", "while down"]);
    assert_eq!(rig.fake.asked("jslogin"), 1, "no second login");
    rig.end();
}

#[test]
fn a_send_without_a_readable_answer_is_held_and_not_repeated() {
    for fault in [Fault::html(), Fault::Status(500)] {
        let rig = Rig::online();
        rig.fake.spoil("webwxsendmsg", fault);
        rig.talk(&["one"]);
        let uncertain = |account: &Value| account.pointer("/outbox/uncertain").and_then(Value::as_u64);
        let held = wait::until("the send to be uncertain", SOON, || {
            let account = wxbot::account(rig.folder.path(), "bot")?;
            Ok((uncertain(&account) == Some(1)).then_some(account))
        });
        assert_eq!(held.unwrap()["state"], "online", "sending is not receiving");
        rig.fake.heal();
        // Another chat partner would not wait; this one has a held send before it.
        rig.fake.deliver("two");
        wait::until("the next message to be handled", SOON, || {
            let account = wxbot::account(rig.folder.path(), "bot")?;
            Ok((account.pointer("/inbox/done").and_then(Value::as_u64) == Some(2)).then_some(()))
        })
        .unwrap();
        assert_eq!(rig.fake.sends().iter().filter(|sent| *sent == "re one").count(), 1, "{:?}", rig.fake.sends());
        rig.end();
    }
}

#[test]
fn a_send_that_hangs_holds_up_neither_the_stop_nor_the_next_start() {
    for signal in ["INT", "KILL"] {
        let rig = Rig::online();
        rig.fake.spoil("webwxsendmsg", Fault::Silence);
        rig.talk(&["one"]);
        let Rig { fake, run, folder } = rig;
        if signal == "KILL" {
            run.kill().unwrap();
        } else {
            assert!(run.stop(signal, STOPS_WITHIN).unwrap().success());
        }
        fake.heal();
        let run = Running::start(folder.path(), &["run"]).unwrap();
        let rig = Rig { fake, run, folder };
        let account = rig.state(&["online"]);
        assert_eq!(account.pointer("/outbox/uncertain"), Some(&1.into()), "SIG{signal}: {account}");
        assert_eq!(rig.fake.sends(), ["re one"], "SIG{signal}: under `hold` it is not sent again");
        rig.end();
    }
}

// ---- the store ----

#[test]
fn an_unreadable_store_is_named_and_left_alone() {
    let rig = Rig::online();
    let Rig { fake: _fake, run, folder } = rig;
    assert!(run.stop("TERM", STOPS_WITHIN).unwrap().success());
    let path = folder.path().join("data/queue.db");
    let garbage = b"these are not the rows you are looking for".repeat(500);
    fs::write(&path, &garbage).unwrap();
    for command in ["run", "accounts"] {
        let said = wxbot::call(folder.path(), &[command]).unwrap();
        assert_eq!(said.code, Some(1), "{command}: {}", said.err);
        assert!(said.err.contains("data/queue.db") && !said.err.contains("panic"), "{command}: {}", said.err);
        assert!(fs::read(&path).unwrap() == garbage, "{command} changed the file");
    }
}

#[test]
fn a_key_file_that_is_cut_is_named() {
    let rig = Rig::online();
    let Rig { fake: _fake, run, folder } = rig;
    assert!(run.stop("TERM", STOPS_WITHIN).unwrap().success());
    fs::write(folder.path().join("data/seal.key"), b"short").unwrap();
    let said = wxbot::call(folder.path(), &["run"]).unwrap();
    assert_eq!(said.code, Some(1), "{}", said.err);
    assert!(said.err.contains("key file"), "{}", said.err);
}

#[test]
fn a_read_only_data_directory_is_named() {
    let (fake, folder) = (Fake::start().unwrap(), tempfile::tempdir().unwrap());
    fs::write(folder.path().join("bot.toml"), fake.bot_toml()).unwrap();
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::set_permissions(&data, fs::Permissions::from_mode(0o500)).unwrap();
    for command in ["run", "accounts"] {
        let mut prepared = wxbot::command(folder.path(), &[command]);
        wxbot::without_rights(&mut prepared, folder.path()).unwrap();
        let said = match wxbot::finish(prepared) {
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                return skip::note("bad_input: read-only data directory", "`nobody` may not start the binary").unwrap();
            }
            said => said.unwrap(),
        };
        assert_eq!(said.code, Some(1), "{command}: {}", said.err);
        assert!(said.err.contains("data/") || said.err.contains("data:"), "{command}: {}", said.err);
        assert!(said.err.contains("ermission denied") && !said.err.contains("panic"), "{command}: {}", said.err);
    }
}

#[test]
fn a_data_directory_that_is_a_file_is_named() {
    let (fake, folder) = (Fake::start().unwrap(), tempfile::tempdir().unwrap());
    fs::write(folder.path().join("bot.toml"), fake.bot_toml()).unwrap();
    fs::write(folder.path().join("data"), "").unwrap();
    let said = wxbot::call(folder.path(), &["run"]).unwrap();
    assert_eq!(said.code, Some(1), "{}", said.err);
    assert!(said.err.contains("data: it is not a directory"), "{}", said.err);
    assert!(folder.path().join("data").is_file());
}
