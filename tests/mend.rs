//! Can a person see and mend what was not handled or not sent, send by hand, and carry it all away in a file?
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "the helpers of tests fail like tests")]

mod support;

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use support::rig::{self, Bot, Sim};
use support::wait;
use support::wxbot::{self, Said};
use tempfile::TempDir;

const WITHIN: Duration = Duration::from_secs(30);

/// One account with friends f1 to f3 that answers each text with the same text.
struct Stage {
    folder: TempDir,
    sim: Sim,
    bot: Bot,
}

impl Stage {
    fn new(change: impl FnOnce(String) -> String) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let world = folder.path().join("world.toml");
        fs::write(&world, rig::world_toml(1, 3)).unwrap();
        let sim = Sim::start(&wxbot::binary(), &world, folder.path()).unwrap();
        let config = change(rig::bot_toml(sim.base(), 1));
        let mut bot = Bot::new(&wxbot::binary(), folder.path(), &config).unwrap();
        bot.start().unwrap();
        bot.log_in_all(&sim, WITHIN).unwrap();
        bot.until_online(WITHIN).unwrap();
        Self { folder, sim, bot }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn call(&self, args: &[&str]) -> Said {
        wxbot::call(self.path(), args).unwrap()
    }

    fn good(&self, args: &[&str]) -> String {
        let said = self.call(args);
        assert_eq!(said.code, Some(0), "{args:?}: {}{}", said.out, said.err);
        said.out
    }

    fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.good(args)).unwrap()
    }

    /// The command fails with this code, and says so.
    fn bad(&self, args: &[&str], code: i32, part: &str) {
        let said = self.call(args);
        assert_eq!(said.code, Some(code), "{args:?}: {}{}", said.out, said.err);
        assert!(said.err.contains(part), "{args:?}: {}", said.err);
    }

    fn fault(&self, endpoint: &str, kind: &Value) {
        let fault = json!({ "account": "a1", "endpoint": endpoint, "kind": kind });
        self.sim.api().post("/__sim/faults", &fault).unwrap();
    }

    /// What the simulator took so far, once there is so much of it.
    fn sent(&self, count: usize) -> Vec<(String, String)> {
        let look = || Ok(Some(self.sim.sends()?).filter(|sent| sent.len() >= count));
        let sent = wait::until("sends in the simulator's journal", WITHIN, look).unwrap();
        sent.into_iter().map(|sent| (sent.to, sent.content)).collect()
    }

    fn outbox(&self, state: &str) -> Vec<Value> {
        self.json(&["outbox", "list", "--state", state, "--json"]).as_array().unwrap().clone()
    }

    fn until_outbox(&self, state: &str, count: usize) -> Vec<Value> {
        let what = format!("{count} sends that are {state}");
        wait::until(&what, WITHIN, || Ok(Some(self.outbox(state)).filter(|all| all.len() == count))).unwrap()
    }

    fn restart(&mut self) {
        self.bot.start().unwrap();
        self.bot.until_online(WITHIN).unwrap();
    }
}

fn id_of(send: &Value) -> String {
    send["id"].as_u64().unwrap().to_string()
}

fn pair(to: &str, text: &str) -> (String, String) {
    (to.to_owned(), text.to_owned())
}

#[test]
fn a_person_decides_about_what_nobody_knows() {
    let stage = Stage::new(|config| config);
    for (friend, text) in [("f1", "one"), ("f2", "two"), ("f3", "three")] {
        stage.fault("webwxsendmsg", &json!("drop_after"));
        stage.sim.deliver("a1", friend, text).unwrap();
    }
    let mut held = stage.until_outbox("uncertain", 3);
    held.sort_by_key(|send| send["id"].as_u64());
    let shown = stage.good(&["outbox", "list"]);
    assert_eq!(shown.lines().count(), 3, "{shown}");
    assert!(shown.contains("uncertain") && !shown.contains("three"), "what it says is nobody's business here: {shown}");

    let [one, two, three] = [&held[0], &held[1], &held[2]].map(id_of);
    assert_eq!(stage.good(&["outbox", "resolve", &one, "--resend"]), format!("{one} goes out again\n"));
    assert_eq!(stage.sent(4).len(), 4, "three that nobody knew of, and one once more");
    assert_eq!(stage.good(&["outbox", "resolve", &two, "--sent"]), format!("{two} counts as sent\n"));
    stage.good(&["outbox", "resolve", &three, "--drop", "--json"]);
    assert_eq!(stage.outbox("uncertain"), Vec::<Value>::new());
    let dropped = stage.until_outbox("dropped", 1);
    assert!(dropped[0]["error"].as_str().unwrap().starts_with("dropped by "), "{dropped:?}");

    stage.bad(&["outbox", "resolve", "999", &two, "--resend"], 1, "999: there is no such send");
    stage.bad(&["outbox", "resolve", &two, "--resend"], 1, "it is sent");
    stage.bad(&["outbox", "resolve", &two], 2, "--sent");
    assert_eq!(stage.sent(4).len(), 4, "nothing else went out");
}

#[test]
fn one_message_by_hand_through_the_outbox() {
    let mut stage = Stage::new(|config| config);
    let friend = stage.json(&["contacts", "a1", "f1", "--json"]);
    let f1 = friend[0]["id"].as_str().unwrap().to_owned();
    let said = stage.call(&["send", "a1", "f2", "你好", "--wait"]);
    assert_eq!((said.code, said.err.as_str()), (Some(0), "sent\n"), "{}", said.out);
    let stored = stage.json(&["send", "a1", &f1, "hello", "--wait", "--json"]);
    assert_eq!((&stored["stored"]["name"], &stored["settled"]["state"]), (&json!("f1"), &json!("sent")), "{stored}");
    assert_eq!(stage.sent(2), [pair("f2", "你好"), pair("f1", "hello")]);

    stage.fault("webwxsendmsg", &json!("drop_after"));
    stage.bad(&["send", "a1", "f1", "perhaps", "--wait"], 3, "uncertain");
    stage.fault("webwxsendmsg", &json!({ "ret": { "ret": 1204, "msg": "no" } }));
    stage.bad(&["send", "a1", "f3", "refused", "--wait"], 1, "failed");
    stage.bad(&["send", "a1", "nobody", "x"], 1, "nobody is called `nobody`");
    stage.bad(&["send", "a1", "f", "x"], 1, "may be several");
    stage.bad(&["send", "a1", "p999", "x"], 1, "knows no contact p999");
    stage.bad(&["send", "a9", "f1", "x"], 1, "no account `a9`; there are: a1");
    stage.bad(&["send", "a1", "f1", ""], 1, "an empty text");
    stage.bad(&["send", "a1", "f1"], 2, "required");
    let before = stage.sent(3).len();

    fs::write(stage.path().join("note.txt"), b"a file").unwrap();
    stage.good(&["send", "a1", "f1", "--file", "note.txt", "--wait"]);
    assert_eq!(stage.sent(before + 1).len(), before + 1);

    // Without a running wxbot it waits for the next one.
    stage.bot.stop().unwrap();
    let said = stage.call(&["send", "a1", "f2", "later"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(said.err.contains("queued") && said.err.contains("max_age"), "{}", said.err);
    assert_eq!(stage.outbox("queued").len(), 1);
    stage.restart();
    assert_eq!(stage.sent(before + 2).last(), Some(&pair("f2", "later")));
    stage.bot.stop().unwrap();
    assert_eq!(stage.sim.hard_violations().unwrap(), Vec::<String>::new());
}

#[test]
fn what_kills_wxbot_is_given_up_and_may_be_handled_again() {
    // A model that never answers holds the handler until the kill.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let llm =
        format!("\n[plugins.auto-reply.llm]\nendpoint = \"{url}\"\nmodel = \"m\"\nretries = 0\nfallback = \"F\"\n");
    let mut stage = Stage::new(|config| config.replace("reply = \"{{ text }}\"", "model = true") + &llm);
    stage.sim.deliver("a1", "f1", "a secret word").unwrap();
    let mut open: Vec<TcpStream> = Vec::new();
    for kill in 1..=3 {
        open.push(listener.accept().unwrap().0);
        stage.bot.kill().unwrap();
        if kill == 1 {
            let listed = stage.json(&["dead", "list", "--json"]);
            assert_eq!(listed, json!([]), "one kill is no reason");
        }
        stage.restart();
    }
    let dead = || Ok(Some(stage.json(&["dead", "list", "--json"])).filter(|all| all[0].is_object()));
    let dead = wait::until("a dead event", WITHIN, dead).unwrap();
    let seq = dead[0]["seq"].as_u64().unwrap().to_string();
    assert_eq!((dead.as_array().unwrap().len(), &dead[0]["attempts"]), (1, &json!(4)), "{dead}");
    let listed = stage.good(&["dead", "list"]);
    assert!(listed.contains("ended 3 times") && !listed.contains("secret"), "{listed}");
    let shown = stage.good(&["dead", "show", &seq]);
    assert!(shown.contains("a secret word") && shown.contains("ended 3 times"), "{shown}");
    assert_eq!(stage.json(&["dead", "show", &seq, "--json"])["event"]["account"], "a1");
    for filter in [["--account", "other"], ["--plugin", "auto-reply"], ["--since", "2099-01-01"]] {
        let args = [&["dead", "replay", "--all", "--json"][..], &filter].concat();
        assert_eq!(stage.json(&args)["count"], 0, "{filter:?}");
    }
    stage.bad(&["dead", "show", "999"], 1, "no dead event has this number: 999");
    stage.bad(&["dead", "replay", "999"], 1, "no dead event has this number: 999");
    stage.bad(&["dead", "replay"], 2, "--all");

    // Nobody listens there any more: the plugin has its fallback.
    drop(listener);
    drop(open);
    assert_eq!(stage.good(&["dead", "replay", &seq]), "handled again: 1\n");
    assert_eq!(stage.sent(1), [pair("f1", "F")]);
    assert_eq!(stage.json(&["dead", "list", "--json"]), json!([]));
    let why = stage.good(&["explain", &seq]);
    assert!(why.contains("answered: 1 sent") && why.contains("it was dead"), "{why}");
    stage.bad(&["dead", "drop", &seq], 1, "no dead event has this number");
}

#[test]
fn a_replay_sends_nothing_unless_asked() {
    let mut stage = Stage::new(|config| config);
    for text in ["one", "two", "three"] {
        stage.sim.deliver("a1", "f1", text).unwrap();
    }
    assert_eq!(stage.sent(3).len(), 3);
    let range = ["replay", "--from", "1h", "--to", "2099-01-01", "--plugin", "auto-reply"];
    // Our own messages come back as events too.
    let done = || Ok(wxbot::account(stage.path(), "a1")?["inbox"]["waiting"].as_u64().filter(|waiting| *waiting == 0));
    wait::until("all events to be done", WITHIN, done).unwrap();
    let events = stage.json(&[&range[..], &["--dry-run", "--json"]].concat())["events"].as_u64().unwrap();
    assert!(events >= 3, "{events}");
    let said = stage.call(&range);
    assert_eq!((said.code, said.out), (Some(0), format!("handled again: {events} (auto-reply)\n")), "{}", said.err);
    assert!(said.err.contains(&format!("taken up {events}/{events}")), "{}", said.err);
    assert!(said.err.contains("nothing is sent"), "{}", said.err);
    let kept = stage.until_outbox("dropped", 3);
    for send in &kept {
        assert_eq!((&send["error"], &send["replay"]), (&json!("replay without --send"), &json!(true)), "{send}");
    }
    let why = stage.good(&["explain", &kept[0]["event"].to_string()]);
    assert!(why.contains("a replay of event") && why.contains("nothing of it is sent"), "{why}");
    assert_eq!(stage.sent(3).len(), 3, "nothing went out");

    let said = stage.json(&[&range[..], &["--send", "--json"]].concat());
    assert!(said["made"].as_u64().unwrap() < 2 * events, "what a replay made is not replayed: {said}");
    let all = stage.sent(6);
    assert_eq!(all[3..], [pair("f1", "one"), pair("f1", "two"), pair("f1", "three")], "in order");
    stage.bad(&["replay", "--from", "1h", "--to", "2h", "--plugin", "auto-reply"], 1, "not before");
    stage.bad(&["replay", "--from", "1h", "--to", "1min", "--plugin", "keywrod"], 1, "there are: auto-reply");
    stage.bad(
        &["replay", "--from", "soon", "--to", "1min", "--plugin", "auto-reply"],
        1,
        "--from: `soon` is no moment",
    );

    // Without a running wxbot they wait for the next one.
    stage.bot.stop().unwrap();
    let said = stage.call(&[&range[..], &["--send"]].concat());
    assert!(said.code == Some(0) && said.err.contains("when it runs again"), "{}", said.err);
    stage.restart();
    assert_eq!(stage.sent(9).len(), 9);
}

#[test]
fn messages_go_out_at_their_time_and_survive_a_restart() {
    let mut stage = Stage::new(|config| config);
    let soon = |seconds: u64| {
        let at = std::time::SystemTime::now() + Duration::from_secs(seconds);
        let at = at.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let (days, rest) = (at / 86_400, at % 86_400);
        // A date of this century, as the calendar counts them.
        let (z, era) = (days + 719_468, (days + 719_468) / 146_097);
        let day_of_era = z - era * 146_097;
        let year = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day = day_of_era - (365 * year + year / 4 - year / 100);
        let month = (5 * day + 2) / 153;
        let (d, m) = (day - (153 * month + 2) / 5 + 1, if month < 10 { month + 3 } else { month - 9 });
        let y = year + era * 400 + u64::from(m <= 2);
        format!("{y}-{m:02}-{d:02}T{:02}:{:02}:{:02}Z", rest / 3_600, rest / 60 % 60, rest % 60)
    };
    let plan = |when: &[&str]| {
        let args = [&["schedule", "add", "a1", "f1", "--json"][..], when].concat();
        stage.json(&args)["id"].as_u64().unwrap().to_string()
    };
    plan(&["--at", &soon(2), "--text", "good morning"]);
    let daily = plan(&["--cron", "0 0 9 * * *", "--tz", "Asia/Shanghai", "--missed", "once", "--text", "daily"]);
    let listed = stage.good(&["schedule", "list"]);
    assert!(listed.contains("09:00:00 Asia/Shanghai [0 0 9 * * *] (once when missed): daily"), "{listed}");
    assert_eq!(stage.sent(1), [pair("f1", "good morning")]);
    let listed = stage.json(&["schedule", "list", "--json"]);
    assert_eq!(listed.as_array().unwrap().len(), 1, "what went out is no longer planned: {listed}");

    for (when, part) in [
        (&["--at", "2020-01-01 09:00"][..], "is over"),
        (&["--at", "tomorrow"], "is no moment"),
        (&["--cron", "* * * * * *"], "once a minute"),
        (&["--cron", "0 0 9 30 2 *"], "never happens"),
        (&["--cron", "0 0 9 * * *", "--tz", "Mars"], "no time zone"),
    ] {
        stage.bad(&[&["schedule", "add", "a1", "f1", "--text", "x"][..], when].concat(), 1, part);
    }
    stage.bad(&["schedule", "remove", "999", &daily], 1, "no planned message has this number: 999");
    assert_eq!(stage.json(&["schedule", "list", "--json"]), json!([]), "the other one is gone");

    // Planned without a running wxbot, and due when one runs again.
    let later = plan(&["--at", &soon(4), "--text", "after the restart"]);
    stage.bot.stop().unwrap();
    let skipped = stage.json(&["schedule", "list", "--json"]);
    assert_eq!(skipped[0]["id"].to_string(), later);
    stage.restart();
    assert_eq!(stage.sent(2)[1], pair("f1", "after the restart"));
}

/// Whether these bytes stand anywhere in a file.
fn holds(file: &Path, canary: &[u8]) -> bool {
    fs::read(file).unwrap().windows(canary.len()).any(|bytes| bytes == canary)
}

fn with_passphrase(stage: &Stage, args: &[&str], passphrase: &str) -> Said {
    let mut command = wxbot::command(stage.path(), args);
    command.env("WXBOT_BACKUP_PASSPHRASE", passphrase);
    wxbot::finish(command).unwrap()
}

#[test]
fn sec_r21_a_backup_has_no_secrets_unless_asked_and_then_under_a_passphrase() {
    let mut stage = Stage::new(|config| config);
    stage.sim.deliver("a1", "f1", "one").unwrap();
    assert_eq!(stage.sent(1).len(), 1);
    let key = fs::read(stage.path().join("data/seal.key")).unwrap();
    stage.good(&["backup", "plain.wxb"]);
    let said = with_passphrase(&stage, &["backup", "whole.wxb", "--with-secrets", "--media"], "correct horse");
    assert_eq!(said.code, Some(0), "{}", said.err);
    for (file, secrets) in [("plain.wxb", false), ("whole.wxb", true)] {
        let path = stage.path().join(file);
        assert!(!holds(&path, &key), "{file} has the key of the sessions");
        assert!(!holds(&path, &key[..8]), "{file} has a part of the key");
        assert_eq!(holds(&path, b"secrets.sealed"), secrets, "{file}");
        assert!(holds(&path, b"one"), "messages are in it");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{file}");
    }
    let left: Vec<_> = fs::read_dir(stage.path().join("data")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().starts_with("backup-")), "{left:?}");
    stage.bad(&["backup", "plain.wxb"], 1, "overwrites nothing");
    stage.bad(&["backup", "other.wxb", "--with-secrets"], 1, "no passphrase");
    let short = with_passphrase(&stage, &["backup", "other.wxb", "--with-secrets"], "short");
    assert!(short.code == Some(1) && short.err.contains("at least 8"), "{}", short.err);
    assert!(!stage.path().join("other.wxb").exists());

    // Not over one that runs, not into one that is used, not with another passphrase, not what was changed.
    stage.bad(&["restore", "plain.wxb", "--force"], 1, "is in use by another wxbot");
    stage.bot.stop().unwrap();
    stage.bad(&["restore", "plain.wxb"], 1, "is not empty; --force");
    let wrong = with_passphrase(&stage, &["restore", "whole.wxb", "--force"], "correct house");
    assert!(wrong.code == Some(1) && wrong.err.contains("passphrase is wrong"), "{}", wrong.err);
    let good = fs::read(stage.path().join("whole.wxb")).unwrap();
    for (what, bytes) in [("cut", &good[..good.len() - 1]), ("half", &good[..good.len() / 2]), ("none", b"hello\n")] {
        fs::write(stage.path().join("bad.wxb"), bytes).unwrap();
        let said = with_passphrase(&stage, &["restore", "bad.wxb", "--force"], "correct horse");
        assert!(said.code == Some(1) && said.err.contains("is not restored"), "{what}: {}", said.err);
    }
    let at = good.windows(8).position(|bytes| bytes == b"queue.db").unwrap();
    fs::write(stage.path().join("bad.wxb"), [&good[..at], b"../xx.db", &good[at + 8..]].concat()).unwrap();
    stage.bad(&["restore", "bad.wxb", "--force", "--without-secrets"], 1, "no backup has");
    let beside: Vec<_> = fs::read_dir(stage.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(beside.iter().all(|name| !name.to_string_lossy().contains("restor")), "nothing was begun: {beside:?}");

    // With its secrets it goes on where it was: the same session, and known messages stay known.
    let said = with_passphrase(&stage, &["restore", "whole.wxb", "--force"], "correct horse");
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(said.err.contains("before-restore-"), "{}", said.err);
    let mode = |path: &str| fs::metadata(stage.path().join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("data"), mode("data/queue.db"), mode("data/seal.key")), (0o700, 0o600, 0o600));
    stage.restart();
    stage.sim.deliver("a1", "f1", "two").unwrap();
    assert_eq!(stage.sent(2), [pair("f1", "one"), pair("f1", "two")], "the first is not answered twice");
    stage.bot.stop().unwrap();

    // Without them somebody has to log in, and nothing else is lost.
    let said = stage.call(&["restore", "plain.wxb", "--force", "--json"]);
    assert!(said.code == Some(0) && said.err.contains("needs a login"), "{}", said.err);
    stage.bot.start().unwrap();
    wxbot::until_state(stage.path(), "a1", &["needs_login"], WITHIN).unwrap();
    stage.bot.log_in_all(&stage.sim, WITHIN).unwrap();
    stage.bot.until_online(WITHIN).unwrap();
    stage.sim.deliver("a1", "f1", "three").unwrap();
    assert_eq!(stage.sent(3)[2], pair("f1", "three"));
}

#[test]
fn a_restored_bot_sends_nothing_twice() {
    let mut stage = Stage::new(|config| config);
    stage.bot.stop().unwrap();
    // It waits when the backup is made, and goes out afterwards.
    stage.good(&["send", "a1", "f1", "once"]);
    stage.good(&["backup", "before.wxb"]);
    stage.restart();
    assert_eq!(stage.sent(1), [pair("f1", "once")]);
    stage.bot.stop().unwrap();
    let said = stage.json(&["restore", "before.wxb", "--force", "--json"]);
    assert_eq!((&said["uncertain"], &said["expired"]), (&json!(1), &json!(0)), "{said}");
    stage.bot.start().unwrap();
    stage.bot.log_in_all(&stage.sim, WITHIN).unwrap();
    stage.bot.until_online(WITHIN).unwrap();
    stage.sim.deliver("a1", "f2", "two").unwrap();
    assert_eq!(stage.sent(2), [pair("f1", "once"), pair("f2", "two")]);
    let open = stage.outbox("uncertain");
    assert!(open[0]["error"].as_str().unwrap().contains("restored from a backup"), "{open:?}");
}

#[test]
fn sec_r21_a_forgotten_account_leaves_nothing() {
    let mut stage = Stage::new(|config| config);
    stage.sim.deliver("a1", "f1", "a word of its own").unwrap();
    assert_eq!(stage.sent(1).len(), 1);
    stage.bad(&["accounts", "forget", "a1"], 1, "still has account `a1`");
    stage.bot.stop().unwrap();
    let console = "[[accounts]]\nname = \"me\"\nprotocol = \"console\"\nuse = []\n";
    fs::write(stage.path().join("bot.toml"), format!("data_dir = \"data\"\n{console}")).unwrap();
    stage.bad(&["accounts", "forget", "never"], 1, "nothing is stored");
    let said = stage.json(&["accounts", "forget", "a1", "--json"]);
    assert!(said["keys"].as_u64() > Some(0) && said["rows"].as_u64() > Some(3), "{said}");
    stage.bad(&["accounts", "forget", "a1"], 1, "nothing is stored");
    assert_eq!(stage.json(&["backup", "after.wxb", "--json"])["left_out"], json!(["archive.db"]));
    assert!(!holds(&stage.path().join("after.wxb"), "a word of its own".as_bytes()));
    // What a backup has nothing of is named where it is.
    let spool = stage.path().join("data/spool.db");
    fs::write(&spool, "").unwrap();
    fs::set_permissions(&spool, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(stage.json(&["backup", "more.wxb", "--json"])["left_out"], json!(["archive.db", "spool.db"]));
    let said = stage.call(&["backup", "words.wxb"]);
    assert!(said.err.contains("left out: archive.db") && said.err.contains("left out: spool.db"), "{}", said.err);
}
