//! How does a test get a plugin of this workspace as a file? Built once, in a folder that all tests share.
//!
//! Included by those that need it and not declared in `mod.rs`: xtask has no folder of this kind.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The plugin of this package as a library of its own.
pub(crate) fn library(package: &str) -> PathBuf {
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
