//! Are the plugins the same from files? The stories of the other scenes once more, with `path = "…"`: each word and each
//! deed must be the one of the plugin that is linked in.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{door, group, words};

/// One of the bundled plugins as a library of its own; built once, by all tests in one folder.
fn library(package: &str) -> PathBuf {
    // The folder that the tests of wxbot-runtime build their plugins in: what all plugins depend on is built once.
    let workshop = Path::new(env!("CARGO_TARGET_TMPDIR")).join("plugins");
    let target = workshop.join("here");
    fs::create_dir_all(&target).unwrap();
    let lock = File::create(target.join("lock")).unwrap();
    lock.lock().unwrap();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["rustc", "--quiet", "--locked", "--offline", "--lib", "--crate-type", "cdylib"]);
    cargo.args(["-p", package, "--features", "dylib", "--target-dir"]).arg(&target);
    cargo.args(["--", "-Cstrip=symbols"]);
    let output = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(output.status.success(), "{cargo:?}: {}", String::from_utf8_lossy(&output.stderr));
    let file = format!("lib{}.so", package.replace('-', "_"));
    // Kept under a name of its own: other builds write the same file.
    let kept = workshop.join(format!("web-{file}"));
    fs::copy(target.join("debug").join(file), &kept).unwrap();
    kept
}

/// The line that reads the plugin from a file.
fn path(package: &str) -> String {
    format!("path = {:?}\n", library(package))
}

#[test]
fn group_admin_from_a_file_does_what_the_linked_one_does() {
    let table = format!("[plugins.group-admin]\n{}", path("wxbot-group-admin"));
    assert_eq!(group::a_story(&table), group::a_story(""));
}

#[test]
fn keyword_from_a_file_does_what_the_linked_one_does() {
    assert_eq!(words::a_story(&path("wxbot-keyword")), words::a_story(""));
}

#[test]
fn auto_reply_from_a_file_does_what_the_linked_one_does() {
    let table = format!("[plugins.auto-reply]\n{}", path("wxbot-auto-reply"));
    assert_eq!(door::a_story(&table), door::a_story(""));
}
