//! Does each command do what its help says, with the exit code that scripts rely on?
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "the helpers of tests fail like tests")]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use support::fake_wechat::{CANARY, Fake};
use support::rig::{self, Bot, Sim};
use support::wxbot::{self, Running, Said};
use tempfile::TempDir;

const MISTAKES: &str = "twelve-mistakes.toml";

/// Line and column where each of the twelve begins, in the order of the file, and its code. The account named twice is
/// drawn from its first place on.
const TWELVE: [(&str, &str); 12] = [
    ("3:1", "unknown_key"),
    ("4:30", "unknown_middleware"),
    ("7:9", "wrong_type"),
    ("8:12", "bad_rate"),
    ("11:9", "bad_duration"),
    ("20:9", "bad_url"),
    ("21:22", "unknown_plugin"),
    ("22:16", "bad_choice"),
    ("25:14", "secret_in_clear"),
    ("18:8", "duplicate_account"),
    ("30:1", "foreign_option"),
    ("34:12", "unknown_protocol"),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A folder with the shipped `bot.toml`.
fn shipped() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(root().join("bot.toml"), folder.path().join("bot.toml")).unwrap();
    folder
}

/// A folder with the twelve mistakes.
fn mistaken() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let from = root().join("tests/fixtures/config").join(MISTAKES);
    fs::copy(from, folder.path().join(MISTAKES)).unwrap();
    folder
}

fn call(folder: &Path, args: &[&str]) -> Said {
    wxbot::call(folder, args).unwrap()
}

/// What lies in a folder, by name.
fn listed(folder: &Path) -> Vec<PathBuf> {
    let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into()).collect();
    names.sort();
    names
}

#[test]
fn twelve_mistakes_get_twelve_carets_and_nothing_starts() {
    let folder = mistaken();
    for command in ["check", "run", "accounts"] {
        let said = call(folder.path(), &[command, "--config", MISTAKES]);
        assert_eq!((said.code, said.out.as_str()), (Some(78), ""), "{command}: {}", said.err);
        let drawn = said.err.lines().filter(|line| line.contains(&format!("╭─[{MISTAKES}:"))).count();
        assert_eq!(drawn, 12, "{command}: {}", said.err);
        let mut rest = said.err.as_str();
        for (place, code) in TWELVE {
            for part in [format!("wxbot::config::{code}\n"), format!("╭─[{MISTAKES}:{place}]"), "┬".to_owned()] {
                rest = rest.split_once(&part).unwrap_or_else(|| panic!("{command}: no {part} in\n{}", said.err)).1;
            }
        }
        for cure in ["data_dir", "access", "auto-reply", "resend", "web"] {
            assert!(said.err.contains(&format!("did you mean `{cure}`?")), "{command}: {cure}: {}", said.err);
        }
        assert!(said.err.contains(&format!("12 mistakes in {MISTAKES}; nothing was started")), "{}", said.err);
        assert!(!said.err.contains(CANARY), "{command} shows a secret: {}", said.err);
    }
    assert_eq!(listed(folder.path()), [Path::new(MISTAKES)], "nothing was made");
}

#[test]
fn check_in_json_has_all_mistakes_and_no_secret() {
    let folder = mistaken();
    let said = call(folder.path(), &["check", "--json", "--config", MISTAKES]);
    assert_eq!(said.code, Some(78));
    let found: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(found["good"], false);
    let mistakes = found["mistakes"].as_array().unwrap();
    let codes: Vec<_> = mistakes.iter().map(|one| one["code"].as_str().unwrap()).collect();
    let want: Vec<_> = TWELVE.iter().map(|(_, code)| format!("wxbot::config::{code}")).collect();
    assert_eq!(codes, want);
    assert!(mistakes.iter().all(|one| one["line"].is_u64() && one["column"].is_u64() && one["message"].is_string()));
    assert!(!said.out.contains(CANARY) && !said.err.contains(CANARY), "{}{}", said.out, said.err);

    let said = call(shipped().path(), &["check", "--json"]);
    let found: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((said.code, &found["good"], &found["mistakes"]), (Some(0), &Value::Bool(true), &Value::Array(vec![])));
}

#[test]
fn sec_r18_the_start_says_once_what_a_key_beside_the_data_is_worth() {
    for args in [&["run"][..], &["run", "--log", "warn"], &["run", "--log-format", "text"]] {
        let folder = shipped();
        let mut run = Running::start(folder.path(), args).unwrap();
        run.until_out("the first answer", Duration::from_secs(8), |out| out.contains('→')).unwrap();
        let said = run.err().unwrap();
        assert_eq!(said.matches("protects backups").count(), 1, "{args:?}: {said}");
        assert!(run.stop("TERM", Duration::from_secs(5)).unwrap().success());
    }
}

#[test]
fn the_shipped_file_is_good_and_init_writes_it_once() {
    let folder = shipped();
    let said = call(folder.path(), &["check"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert_eq!(said.err, "", "no warnings");
    for account in ["shop", "club", "me"] {
        assert!(said.out.contains(account), "{}", said.out);
    }

    let made = folder.path().join("new/bot");
    let init = ["init", "new/bot"];
    assert_eq!(call(folder.path(), &init).code, Some(0));
    assert_eq!(call(&made, &["check"]).code, Some(0));
    fs::write(made.join("bot.toml"), "# mine\n").unwrap();
    let said = call(folder.path(), &init);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("new/bot/bot.toml") && said.err.contains("already"), "{}", said.err);
    assert_eq!(fs::read_to_string(made.join("bot.toml")).unwrap(), "# mine\n");
}

#[test]
fn a_missing_file_leads_to_init_and_a_wrong_word_to_help() {
    let folder = tempfile::tempdir().unwrap();
    for command in [&["check"][..], &["check", "--json"], &["run"], &["accounts"], &["login", "--all"]] {
        let said = call(folder.path(), command);
        assert_eq!(said.code, Some(78), "{command:?}: {}", said.err);
        assert!(said.err.contains("bot.toml") && said.err.contains("wxbot init"), "{command:?}: {}", said.err);
    }
    let filter = ["check", "--log", "x=y=z"];
    for wrong in [&["run", "--nope"][..], &["acounts"], &[], &["login"], &["completions", "cobol"], &filter] {
        let said = call(folder.path(), wrong);
        assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{wrong:?}: {}", said.err);
    }
    assert!(call(folder.path(), &["acounts"]).err.contains("'accounts'"), "a similar command is named");
    assert_eq!(listed(folder.path()), Vec::<PathBuf>::new());
}

#[test]
fn the_committed_schema_is_the_one_of_this_binary() {
    let said = call(root(), &["schema"]);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""));
    let printed: Value = serde_json::from_str(&said.out).unwrap();
    assert!(printed["$schema"].as_str().unwrap().contains("json-schema.org"));
    let committed = fs::read_to_string(root().join("bot.schema.json")).unwrap_or_default();
    assert!(
        committed == said.out,
        "bot.schema.json is out of date; refresh it with `cargo run -- schema > bot.schema.json`"
    );
    let sample = fs::read_to_string(root().join("bot.toml")).unwrap();
    assert_eq!(sample.lines().next(), Some("#:schema ./bot.schema.json"));
}

#[test]
fn shells_get_their_completions() {
    for shell in ["bash", "zsh", "fish"] {
        let said = call(root(), &["completions", shell]);
        assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{shell}");
        assert!(said.out.contains("wxbot") && said.out.contains("accounts"), "{shell}: {}", said.out);
    }
}

#[test]
fn accounts_without_a_running_wxbot_come_from_the_store() {
    let folder = shipped();
    let said = call(folder.path(), &["accounts", "--json"]);
    assert_eq!((said.code, said.out.trim()), (Some(0), "[]"), "it has not run yet: {}", said.err);
    assert!(said.err.contains("not run here yet"), "{}", said.err);
    assert_eq!(listed(folder.path()), [Path::new("bot.toml")], "a question makes no data directory");

    let mut run = Running::start(folder.path(), &["run"]).unwrap();
    run.until_out("the first answer", Duration::from_secs(8), |out| out.contains('→')).unwrap();
    assert!(run.stop("TERM", Duration::from_secs(5)).unwrap().success());
    let shop = wxbot::account(folder.path(), "shop").unwrap();
    assert_eq!((&shop["state"], &shop["protocol"]), (&"stopped".into(), &"web".into()), "{shop}");
    assert!(shop["inbox"]["done"].as_u64() >= Some(1) && shop["outbox"]["sent"].as_u64() >= Some(1), "{shop}");
    let said = call(folder.path(), &["accounts"]);
    assert!(said.out.contains("club") && said.out.contains("stopped"), "{}", said.out);
}

#[test]
fn an_event_is_explained_while_wxbot_runs_and_after() {
    let folder = shipped();
    let said = call(folder.path(), &["explain", "1"]);
    assert_eq!((said.code, said.out.as_str()), (Some(1), ""), "it has not run yet: {}", said.err);
    assert_eq!(listed(folder.path()), [Path::new("bot.toml")], "a question makes no data directory");
    assert_eq!(call(folder.path(), &["explain", "1", "--account", "shoop"]).code, Some(1));

    let mut run = Running::start(folder.path(), &["run"]).unwrap();
    run.until_out("the first answer", Duration::from_secs(8), |out| out.contains('→')).unwrap();
    let explained = |event: &str| -> Option<Value> {
        let said = call(folder.path(), &["explain", event, "--json"]);
        (said.code == Some(0)).then(|| serde_json::from_str(&said.out).unwrap())
    };
    let answered = |seq: &u64| explained(&seq.to_string()).is_some_and(|e| e["story"]["sends"][0]["state"] == "sent");
    let seq = (1..=50).find(answered).expect("an event that was answered");
    let running = explained(&seq.to_string()).unwrap();
    assert_eq!(running["trace"]["plugins"][0]["plugin"], "auto-reply", "{running}");
    let by_key = explained(running["story"]["key"].as_str().unwrap()).unwrap();
    assert_eq!(by_key["story"]["seq"], seq, "by the id of its message");
    let said = call(folder.path(), &["explain", &seq.to_string()]);
    assert!(said.out.starts_with("answered: 1 sent\n") && said.out.contains("✓ rule"), "{}", said.out);
    assert!(run.stop("TERM", Duration::from_secs(5)).unwrap().success());

    let after = explained(&seq.to_string()).unwrap();
    assert_eq!((&after["trace"], &after["story"]["sends"][0]["state"]), (&Value::Null, &"sent".into()), "{after}");
    assert_eq!(call(folder.path(), &["explain", "nothing"]).code, Some(1));
}

#[test]
fn contacts_are_found_while_wxbot_runs_and_after() {
    let folder = shipped();
    let said = call(folder.path(), &["contacts", "shoop"]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("shop") && said.err.contains("club"), "{}", said.err);
    let said = call(folder.path(), &["contacts", "shop", "--json"]);
    assert_eq!((said.code, said.out.trim()), (Some(0), "[]"), "it has not run yet: {}", said.err);
    assert_eq!(listed(folder.path()), [Path::new("bot.toml")], "a question makes no data directory");

    let mut run = Running::start(folder.path(), &["run"]).unwrap();
    run.until_out("the first answer", Duration::from_secs(8), |out| out.contains('→')).unwrap();
    let ids = |args: &[&str]| -> Vec<String> {
        let said = call(folder.path(), &[&["contacts", "shop", "--json"], args].concat());
        let found: Vec<Value> = serde_json::from_str(&said.out).unwrap();
        found.iter().map(|contact| contact["id"].as_str().unwrap().to_owned()).collect()
    };
    let said = call(folder.path(), &["contacts", "shop"]);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""));
    let (all, rooms, people) = (ids(&[]), ids(&["--rooms"]), ids(&["--people"]));
    assert!(rooms.len() < all.len() && rooms.iter().all(|id| id.starts_with('r')), "{rooms:?}");
    assert_eq!(people.len() + rooms.len(), all.len());
    let name = said.out.lines().find(|line| line.starts_with('p')).unwrap();
    let name = name.split_whitespace().nth(1).unwrap();
    let one = ids(&[name]);
    assert!(!one.is_empty() && one.len() < all.len(), "{name}: {one:?}");
    assert!(run.stop("TERM", Duration::from_secs(5)).unwrap().success());

    assert_eq!(ids(&[name]), one, "the same from what is stored");
    let said = call(folder.path(), &["contacts", "shop", name]);
    assert!(said.err.contains("may be old"), "{}", said.err);
    assert!(said.out.contains(name), "{}", said.out);
}

#[test]
fn a_data_directory_has_one_wxbot() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::start().unwrap();
    fs::write(folder.path().join("bot.toml"), fake.bot_toml()).unwrap();
    let first = Running::start(folder.path(), &["run"]).unwrap();
    let within = Duration::from_secs(8);
    wxbot::until_state(folder.path(), "bot", &["needs_login"], within).unwrap();
    let said = call(folder.path(), &["run"]);
    assert_eq!(said.code, Some(1), "{}", said.err);
    assert!(said.err.contains(&first.pid().to_string()), "the other's pid: {}", said.err);
    assert!(said.err.contains("data is in use"), "{}", said.err);
    wxbot::until_state(folder.path(), "bot", &["needs_login"], within).unwrap();
    assert!(first.stop("TERM", within).unwrap().success());
}

#[test]
fn sec_r17_a_data_directory_open_to_others_is_refused_with_the_cure() {
    let folder = shipped();
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    for mode in [0o755, 0o710] {
        fs::set_permissions(&data, fs::Permissions::from_mode(mode)).unwrap();
        for command in ["run", "accounts"] {
            let said = call(folder.path(), &[command]);
            assert_eq!(said.code, Some(1), "{command} {mode:o}: {}", said.err);
            assert!(said.err.contains("chmod 700 data"), "{command} {mode:o}: {}", said.err);
        }
        assert_eq!(listed(&data), Vec::<PathBuf>::new());
    }
}

#[test]
fn a_store_of_a_newer_version_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::start().unwrap();
    fs::write(folder.path().join("bot.toml"), fake.bot_toml()).unwrap();
    let run = Running::start(folder.path(), &["run"]).unwrap();
    wxbot::until_state(folder.path(), "bot", &["needs_login"], Duration::from_secs(8)).unwrap();
    assert!(run.stop("TERM", Duration::from_secs(5)).unwrap().success());

    // SQLite keeps `user_version` as a big-endian number at offset 60 of the file.
    let path = folder.path().join("data/queue.db");
    let mut bytes = fs::read(&path).unwrap();
    assert_eq!(bytes[60..63], [0, 0, 0], "a small version so far");
    bytes[60..64].copy_from_slice(&99_u32.to_be_bytes());
    fs::write(&path, &bytes).unwrap();
    for command in ["run", "accounts"] {
        let said = call(folder.path(), &[command]);
        assert_eq!(said.code, Some(1), "{command}: {}", said.err);
        for part in ["queue.db", "99", "newer wxbot"] {
            assert!(said.err.contains(part), "{command}: no {part} in {}", said.err);
        }
        assert!(fs::read(&path).unwrap() == bytes, "{command} changed the file");
    }
}

#[test]
fn login_names_the_accounts_there_are() {
    let folder = shipped();
    let said = call(folder.path(), &["login", "shoop"]);
    assert_eq!(said.code, Some(1));
    for name in ["shoop", "shop", "club", "me"] {
        assert!(said.err.contains(name), "{}", said.err);
    }
    let said = call(folder.path(), &["login", "me"]);
    assert_eq!(said.code, Some(1), "a console needs no login: {}", said.err);
    assert_eq!(listed(folder.path()), [Path::new("bot.toml")]);
}

#[test]
fn login_without_a_running_wxbot_saves_the_session_for_the_next_run() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::start().unwrap();
    fs::write(folder.path().join("bot.toml"), fake.bot_toml()).unwrap();
    // Otherwise the login may be over before anybody looked at it.
    fake.scan_from(&folder.path().join("code.png"));
    let said = call(folder.path(), &["login", "bot", "--json", "--qr-file", "code.png"]);
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    let events: Vec<Value> = said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events[0]["event"], "qr", "{}", said.out);
    assert_eq!(events[0]["uuid"], "QRuuid5678==");
    assert_eq!(events.last().unwrap()["event"], "online", "{}", said.out);
    assert!(!folder.path().join("code.png").exists(), "the code is used, and its file gone");

    let run = Running::start(folder.path(), &["run"]).unwrap();
    wxbot::until_state(folder.path(), "bot", &["online"], Duration::from_secs(6)).unwrap();
    assert_eq!(fake.asked("jslogin"), 1, "no second code");
    assert!(run.stop("INT", Duration::from_secs(5)).unwrap().success());
}

#[test]
fn the_simulator_serves_this_machine_only() {
    let folder = tempfile::tempdir().unwrap();
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:80"] {
        let said = call(folder.path(), &["sim", "--listen", address]);
        assert_eq!((said.code, said.out.as_str()), (Some(1), ""), "{address}: {}", said.err);
        assert!(said.err.contains("not a loopback address"), "{address}: {}", said.err);
    }
    let said = call(folder.path(), &["sim", "--world", "nowhere.toml"]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("nowhere.toml"), "{}", said.err);
}

#[test]
fn of_many_accounts_each_shows_its_code_and_is_logged_in() {
    // Several times what the control socket holds of lines that nobody has read.
    const MANY: usize = 300;
    let binary = Path::new(env!("CARGO_BIN_EXE_wxbot"));
    let dir = tempfile::tempdir().unwrap();
    let world = dir.path().join("world.toml");
    fs::write(&world, rig::world_toml(MANY, 1)).unwrap();
    let sim = Sim::start(binary, &world, dir.path()).unwrap();
    let mut bot = Bot::new(binary, dir.path(), &rig::bot_toml(sim.base(), MANY)).unwrap();
    bot.start().unwrap();
    // A code that is not shown is found out only when it runs out, after five minutes.
    bot.log_in_all(&sim, Duration::from_secs(60)).unwrap();
    assert_eq!(bot.accounts().unwrap().len(), MANY);
    bot.stop().unwrap();
}
