//! What does a person see who runs wxbot in a terminal, types a line, and presses Ctrl-C?
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "the helpers of tests fail like tests")]

mod support;

use std::fs;
use std::path::Path;
use std::time::Duration;

use support::fake_wechat::Fake;
use support::terminal::{self, CTRL_C, CTRL_D, Terminal};
use support::{skip, wxbot};
use tempfile::TempDir;

/// Start-up on a machine that compiles something else meanwhile.
const SHOWN_WITHIN: Duration = Duration::from_secs(8);
/// Milliseconds in truth: nobody limits a terminal. Most of it is for a loaded machine.
const ANSWERED_WITHIN: Duration = Duration::from_secs(3);
const STOPS_WITHIN: Duration = Duration::from_secs(5);

/// A folder with this `bot.toml`; nothing when there is no terminal to be had, which is noted.
fn folder(test: &str, config: &str) -> Option<TempDir> {
    if let Some(reason) = terminal::missing() {
        skip::note(test, &reason).unwrap();
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("bot.toml"), config).unwrap();
    Some(folder)
}

fn shipped() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("bot.toml")).unwrap()
}

fn ready(screen: &str) -> bool {
    ["shop", "club", "me"].iter().all(|name| screen.contains(&format!("● {name} online\n")))
}

#[test]
fn a_typed_line_is_answered_at_once_and_ctrl_c_stops() {
    let Some(folder) = folder("console: typing", &shipped()) else { return };
    let mut terminal = Terminal::start(folder.path(), &["run"]).unwrap();
    let screen = terminal.until("all accounts to be shown online", SHOWN_WITHIN, ready).unwrap();
    assert!(screen.contains("type here and press Enter"), "{screen}");

    terminal.type_in("hello\n").unwrap();
    let hello = |screen: &str| screen.contains("\nbot> 你好!在 bot.toml 里改规则试试。");
    terminal.until("an answer to `hello`", ANSWERED_WITHIN, hello).unwrap();
    terminal.type_in("今天天气怎么样\n").unwrap();
    let echo = |screen: &str| screen.contains("\nbot> 你说:今天天气怎么样\n");
    terminal.until("an answer to another line", ANSWERED_WITHIN, echo).unwrap();
    // Empty lines are no messages.
    terminal.type_in("\n\nmore\n").unwrap();
    let screen = terminal.until("an answer to `more`", ANSWERED_WITHIN, |s| s.contains("\nbot> 你说:more\n")).unwrap();
    assert_eq!(screen.matches("bot> ").count(), 3, "{screen}");

    terminal.type_in(CTRL_C).unwrap();
    let status = terminal.ended(STOPS_WITHIN).unwrap();
    let screen = terminal.screen().unwrap();
    assert_eq!(status.code(), Some(0), "{screen}");
    assert!(screen.contains("stopping; once more to stop at once"), "{screen}");
}

#[test]
fn the_screen_shows_states_and_no_log() {
    let Some(folder) = folder("console: the screen", &shipped()) else { return };
    // Twice: the second start finds sessions of a simulator that is gone.
    for round in 1..=2 {
        let mut terminal = Terminal::start(folder.path(), &["run"]).unwrap();
        let screen = terminal.until("all accounts to be shown online", SHOWN_WITHIN, ready).unwrap();
        let start: Vec<_> = screen.lines().take_while(|line| !line.contains('●')).collect();
        assert!(start.len() < 15, "{} lines, start {round}: {screen}", start.len());
        // Nor may it ask for what the demo does by itself.
        for noise in ["WARN", "ERROR", "\"level\"", "wxbot login"] {
            assert!(!screen.contains(noise), "{noise} on the screen of start {round}: {screen}");
        }
        terminal.type_in(CTRL_C).unwrap();
        assert_eq!(terminal.ended(STOPS_WITHIN).unwrap().code(), Some(0), "start {round}");
    }
}

#[test]
fn the_end_of_input_ends_the_talk_and_not_the_accounts() {
    let Some(folder) = folder("console: Ctrl-D", &shipped()) else { return };
    let mut terminal = Terminal::start(folder.path(), &["run"]).unwrap();
    terminal.until("all accounts to be shown online", SHOWN_WITHIN, ready).unwrap();
    terminal.type_in(CTRL_D).unwrap();
    let group = |screen: &str| screen.contains("[club] → 周末读书会");
    terminal.until("the group's answer", Duration::from_secs(6), group).unwrap();
    assert_eq!(wxbot::account(folder.path(), "me").unwrap()["state"], "online");
    terminal.type_in(CTRL_C).unwrap();
    assert_eq!(terminal.ended(STOPS_WITHIN).unwrap().code(), Some(0));
}

#[test]
fn an_account_without_a_session_shows_its_code() {
    let fake = Fake::start().unwrap();
    let Some(folder) = folder("console: the QR code", &fake.bot_toml()) else { return };
    let mut terminal = Terminal::start(folder.path(), &["run"]).unwrap();
    let screen = terminal.until("the login", SHOWN_WITHIN, |screen| screen.contains("● bot online")).unwrap();
    assert!(screen.contains("/l/QRuuid5678=="), "the code as text: {screen}");
    assert!(screen.contains(&format!("{}/qrcode/", fake.base())), "where it is as a picture: {screen}");
    let picture = screen.lines().filter(|line| line.contains('█') || line.contains('▀') || line.contains('▄')).count();
    assert!(picture >= 12, "{picture} lines of the code: {screen}");
    terminal.type_in(CTRL_C).unwrap();
    assert_eq!(terminal.ended(STOPS_WITHIN).unwrap().code(), Some(0));
}
