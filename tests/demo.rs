//! Does `wxbot run` with the shipped bot.toml show a person, at once and by itself, what wxbot does?
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "the helpers of tests fail like tests")]

mod support;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use support::wxbot::{self, Running};
use tempfile::TempDir;

/// Friends begin to write a second after the login; the last of the first round follows three seconds later.
const ANSWERED_WITHIN: Duration = Duration::from_secs(9);
/// The promise to a person at a terminal.
const STOPS_WITHIN: Duration = Duration::from_secs(5);

const TO_A_FRIEND: &str = "[shop] → Alice: 你好,Alice!我是 shop。";
const TO_THE_GROUP: &str = "[club] → 周末读书会: @小红";
const TO_THE_OWNER: &str = "[home] → 主人: 你好!我是你微信里的机器人。";

fn shipped() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("bot.toml");
    fs::copy(shipped, folder.path().join("bot.toml")).unwrap();
    folder
}

fn both_answered(out: &str) -> bool {
    out.contains(TO_A_FRIEND) && out.contains(TO_THE_GROUP) && out.contains(TO_THE_OWNER)
}

/// All files below `folder` that anybody but the owner may touch.
fn open_to_others(folder: &Path) -> Vec<String> {
    let look = |path: &Path| fs::symlink_metadata(path).map(|meta| (meta.mode() & 0o7777, meta.is_dir())).unwrap();
    let mut open = Vec::new();
    let (mode, _) = look(folder);
    if mode != 0o700 {
        open.push(format!("{} {mode:o}", folder.display()));
    }
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match look(&path) {
            (_, true) => open.extend(open_to_others(&path)),
            (0o600, false) => {}
            (mode, false) => open.push(format!("{} {mode:o}", path.display())),
        }
    }
    open
}

// cov: 103
#[test]
fn the_demo_runs_by_itself() {
    let folder = shipped();
    let mut run = Running::start(folder.path(), &["run"]).unwrap();
    let out = run.until_out("answers to a friend and in the group", ANSWERED_WITHIN, both_answered).unwrap();
    assert!(out.contains("[shop] Alice: 你好"), "what was said is shown too: {out}");
    assert!(out.contains("[home] 主人: 你好\n"), "a bot of iLink is there, too: {out}");
    assert_eq!(out.matches(TO_THE_OWNER).count(), 1, "{out}");
    assert!(out.contains("[club] (周末读书会) 小红: @读书会小助手 这周读什么?"), "{out}");
    assert_eq!(out.matches(TO_A_FRIEND).count(), 1, "{out}");

    for name in ["shop", "club", "home", "me"] {
        let account = wxbot::account(folder.path(), name).unwrap();
        assert_eq!((&account["state"], &account["why"]), (&"online".into(), &"".into()), "{account}");
    }
    let people = wxbot::call(folder.path(), &["accounts"]).unwrap();
    assert!(people.out.contains("shop") && people.out.contains("out sent"), "{}", people.out);

    let data = folder.path().join("data");
    assert!(fs::symlink_metadata(data.join("wxbot.sock")).is_ok());
    assert_eq!(open_to_others(&data), Vec::<String>::new());
    assert!(run.stop("TERM", STOPS_WITHIN).unwrap().success());
}

/// What the README shows of it on its first screen.
#[test]
fn the_demo_keeps_its_room_in_order() {
    let folder = shipped();
    let mut run = Running::start(folder.path(), &["run"]).unwrap();
    let removed = |out: &str| out.contains("你将\"小刚\"移出了群聊");
    let out = run.until_out("somebody to be removed", ANSWERED_WITHIN + STOPS_WITHIN, removed).unwrap();
    let mut rest = out.as_str();
    for line in [
        "[club] (周末读书会) \"小明\"邀请\"小刚\"加入了群聊\n",
        "[club] → 周末读书会: 欢迎 小刚 加入读书会!\n",
        "[club] (周末读书会) 小刚: 日结兼职 https://jobs.example.net\n",
        "[club] → 周末读书会: @小刚\u{2005}请注意:链接。请遵守群规 (第 1 次)\n",
        "[club] (周末读书会) 小刚: 日结兼职 https://jobs.example.net\n",
        "[club] (周末读书会) 你将\"小刚\"移出了群聊\n",
    ] {
        rest = rest.split_once(line).unwrap_or_else(|| panic!("no {line} in\n{out}")).1;
        let readme = include_str!("../README.md");
        assert!(readme.contains(&line.replace('\u{2005}', " ")), "the README does not show {line}");
    }
    assert!(run.stop("TERM", STOPS_WITHIN).unwrap().success());
}

#[test]
fn the_start_says_what_runs_in_under_fifteen_lines() {
    let folder = shipped();
    let mut run = Running::start(folder.path(), &["run"]).unwrap();
    run.until_out("the first words", ANSWERED_WITHIN, |out| !out.is_empty()).unwrap();
    let err = run.err().unwrap();
    // Without a terminal the log is JSON; everything else is for people.
    let people: Vec<_> = err.lines().filter(|line| !line.starts_with('{')).collect();
    assert!(people.len() < 15, "{} lines: {err}", people.len());
    let start: Vec<_> = err.lines().take_while(|line| !line.starts_with('{')).collect();
    let start = start.join("\n");
    for part in
        ["wxbot", "bot.toml", "shop", "club", "home", "me", "no terminal", "auto-reply", "data", "wxbot accounts"]
    {
        assert!(start.contains(part), "no `{part}` before the first log line: {err}");
    }
    assert_eq!(err.matches("no terminal").count(), 1, "said once: {err}");
    for line in err.lines().filter(|line| line.starts_with('{')) {
        let log: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(log["level"].is_string() && log["message"].is_string(), "{line}");
    }
}

#[test]
fn one_signal_stops_it_and_the_next_start_works_again() {
    let folder = shipped();
    // The last start is ended by the test; all talk at the same moments of their lives.
    for signal in ["INT", "TERM"] {
        // Of a former start there may be any number.
        let before = fs::read_to_string(folder.path().join("run.out")).unwrap_or_default().matches('→').count();
        let mut run = Running::start(folder.path(), &["run"]).unwrap();
        run.until_out("the first answer", ANSWERED_WITHIN, |out| out.matches('→').count() > before).unwrap();
        let status = run.stop(signal, STOPS_WITHIN).unwrap();
        assert_eq!(status.code(), Some(0), "SIG{signal}");
        assert!(!folder.path().join("data/wxbot.sock").exists(), "SIG{signal}: the socket goes with the process");
    }
    let err = fs::read_to_string(folder.path().join("run.err")).unwrap();
    assert_eq!(err.matches("stopping; once more to stop at once").count(), 2, "{err}");
}

#[test]
fn the_second_start_answers_as_the_first_one_did() {
    let folder = shipped();
    for round in 1..=2 {
        let mut run = Running::start(folder.path(), &["run"]).unwrap();
        let both =
            |out: &str| [TO_A_FRIEND, TO_THE_GROUP, TO_THE_OWNER].iter().all(|part| out.matches(part).count() >= round);
        run.until_out(&format!("both answers of start {round}"), Duration::from_secs(5), both).unwrap();
        assert!(run.stop("INT", STOPS_WITHIN).unwrap().success());
    }
}

#[test]
fn the_second_start_has_nothing_to_warn_of() {
    let folder = shipped();
    for _ in 1..=2 {
        let run = Running::start(folder.path(), &["run"]).unwrap();
        for name in ["shop", "club", "home"] {
            wxbot::until_state(folder.path(), name, &["online"], ANSWERED_WITHIN).unwrap();
        }
        assert!(run.stop("INT", STOPS_WITHIN).unwrap().success());
    }
    // The demo's simulator gets another port at each start: that its sessions end with it is nobody's trouble.
    let err = fs::read_to_string(folder.path().join("run.err")).unwrap();
    assert!(!err.contains("log in anew"), "{err}");
}
