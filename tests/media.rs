//! Does `wxbot media` show, clear and export what lies in the media folder, with and without a running wxbot?
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "the helpers of tests fail like tests")]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use support::wxbot::{self, Running, Said};
use tempfile::TempDir;

/// SHA-256 of "abc" and of "hello world".
const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
const HELLO: &str = "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9";
const WITHIN: Duration = Duration::from_secs(9);

const BOT: &str = "
[media]
max_size = \"1MiB\"

[[accounts]]
name = \"me\"
protocol = \"console\"
use = []
";

fn call(folder: &Path, args: &[&str]) -> Said {
    wxbot::call(folder, args).unwrap()
}

fn good(folder: &Path, args: &[&str]) -> String {
    let said = call(folder, args);
    assert_eq!(said.code, Some(0), "{args:?}: {}", said.err);
    said.out
}

fn json_of(folder: &Path, args: &[&str]) -> Value {
    serde_json::from_str(&good(folder, args)).unwrap()
}

fn running(folder: &Path) -> Running {
    let running = Running::start(folder, &["run"]).unwrap();
    wxbot::until_state(folder, "me", &["online"], WITHIN).unwrap();
    running
}

/// A folder where wxbot has run and ended.
fn used() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("bot.toml"), BOT).unwrap();
    running(folder.path()).stop("TERM", WITHIN).unwrap();
    folder
}

/// Lays a file where a crash right after its rename leaves one.
fn lay(folder: &Path, digest: &str, bytes: &[u8]) {
    let shelf = folder.join("data/media").join(&digest[..2]);
    fs::create_dir_all(&shelf).unwrap();
    fs::write(shelf.join(&digest[2..]), bytes).unwrap();
}

fn digests(listing: &Value) -> Vec<&str> {
    let mut found: Vec<_> =
        listing["files"].as_array().unwrap().iter().map(|file| file["digest"].as_str().unwrap()).collect();
    found.sort_unstable();
    found
}

#[test]
fn before_the_first_run_there_is_nothing_and_nothing_is_made() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("bot.toml"), BOT).unwrap();
    let said = call(folder.path(), &["media"]);
    assert_eq!((said.code, said.out.as_str()), (Some(0), "0 files, 0 B of 1 MiB\n"), "{}", said.err);
    assert!(said.err.contains("has not run here yet"), "{}", said.err);
    assert_eq!(json_of(folder.path(), &["media", "--json"])["files"], json!([]));
    assert!(!folder.path().join("data").exists());
}

#[test]
fn a_file_is_listed_exported_and_cleared_without_a_running_wxbot() {
    let folder = used();
    let mode = |path: &str| fs::metadata(folder.path().join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("data/media"), 0o700);
    lay(folder.path(), ABC, b"abc");
    lay(folder.path(), HELLO, b"hello world");
    fs::write(folder.path().join("data/media/part/3"), b"what kill -9 left").unwrap();

    let shown = good(folder.path(), &["media"]);
    for part in [&ABC[..12], &HELLO[..12], "text/plain", "11 B", "2 files, 14 B of 1 MiB"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(!folder.path().join("data/media/part/3").exists(), "swept");

    let first = good(folder.path(), &["media", "export", &ABC[..8]]);
    assert_eq!(fs::read(folder.path().join(first.trim())).unwrap(), b"abc");
    let second = good(folder.path(), &["media", "export", &ABC[..8]]);
    assert_ne!(first, second, "never the same name twice");
    fs::create_dir(folder.path().join("out")).unwrap();
    let out = json_of(folder.path(), &["media", "export", HELLO, "--to", "out", "--json"]);
    assert_eq!(fs::read(folder.path().join(out["to"].as_str().unwrap())).unwrap(), b"hello world");

    let young = json_of(folder.path(), &["media", "clear", "--older-than", "1d", "--json"]);
    assert_eq!(young, json!({ "dry_run": false, "files": 0, "bytes": 0, "kept": 0 }));
    let would = good(folder.path(), &["media", "clear", "--all", "--dry-run"]);
    assert_eq!(would, "would remove 2 files, 14 B\n");
    assert_eq!(digests(&json_of(folder.path(), &["media", "list", "--json"])), [HELLO, ABC]);
    assert_eq!(good(folder.path(), &["media", "clear", "--all"]), "removed 2 files, 14 B\n");
    assert_eq!(good(folder.path(), &["media"]), "0 files, 0 B of 1 MiB\n");
}

#[test]
fn a_running_wxbot_answers_the_same() {
    let folder = used();
    lay(folder.path(), ABC, b"abc");
    lay(folder.path(), HELLO, b"hello world");
    let run = running(folder.path());
    let listing = json_of(folder.path(), &["media", "--json"]);
    assert_eq!(digests(&listing), [HELLO, ABC]);
    assert_eq!((&listing["total"], &listing["max_size"]), (&json!(14), &json!(1 << 20)));
    let file = &listing["files"].as_array().unwrap()[0];
    for (key, want) in
        [("type", json!("text")), ("mime", json!("text/plain")), ("waiting", json!(0)), ("account", json!(""))]
    {
        assert_eq!(file[key], want, "{key}: {file}");
    }
    let out = good(folder.path(), &["media", "export", &HELLO[..6]]);
    assert_eq!(fs::read(folder.path().join(out.trim())).unwrap(), b"hello world");
    assert_eq!(good(folder.path(), &["media", "clear", "--all"]), "removed 2 files, 14 B\n");
    assert_eq!(digests(&json_of(folder.path(), &["media", "--json"])), Vec::<&str>::new());
    assert_eq!(wxbot::account(folder.path(), "me").unwrap()["uploads"], json!([]));
    run.stop("TERM", WITHIN).unwrap();
}

#[test]
fn what_makes_no_sense_is_said() {
    let folder = used();
    lay(folder.path(), ABC, b"abc");
    for (args, code, want) in [
        (&["media", "export", "ba"][..], 1, "at least 4 digits"),
        (&["media", "export", "../../etc"], 1, "is no digest"),
        (&["media", "export", "ffff"], 1, "has no file ffff"),
        (&["media", "export", "ba78", "--to", "nowhere"], 1, "nowhere"),
        (&["media", "clear"], 2, "--older-than"),
        (&["media", "clear", "--all", "--older-than", "1d"], 2, "cannot be used with"),
        (&["media", "clear", "--older-than", "soon"], 2, "is not a duration"),
    ] {
        let said = call(folder.path(), args);
        assert_eq!(said.code, Some(code), "{args:?}: {}", said.err);
        assert!(said.err.contains(want), "{args:?}: {}", said.err);
    }
    assert_eq!(good(folder.path(), &["media"]).lines().count(), 2, "and nothing was removed");
    assert_eq!(good(folder.path(), &["media", "clear", "--all"]), "removed 1 file, 3 B\n");
}
