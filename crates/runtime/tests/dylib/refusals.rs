//! Which files are not loaded, and what is said about them?

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use wxbot_runtime::plugin::dylib::{LoadError, Refusal, Sha256, library_stats, load};

use crate::host::options;
use crate::making::{c, probe};

async fn refused(path: &Path) -> Refusal {
    let LoadError { path: named, refusal } = load(path, options()).await.unwrap_err();
    assert_eq!(named, path);
    assert!(!refusal.cure().is_empty() && !refusal.to_string().contains("private-"), "{refusal}");
    refusal
}

fn file(name: &str, bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    (folder, path)
}

#[tokio::test]
async fn plugins_that_are_wrong() {
    for (definition, want) in [
        ("WRONG_SYMBOL", "it does not export `wxbot_plugin_entry_v1`"),
        ("WRONG_MAJOR", "it speaks version 2 of the plugin interface, and this wxbot speaks version 1"),
        ("WRONG_MAGIC", "its table does not begin like the table of a plugin"),
        ("WRONG_SIZE", "its table has 56 bytes, and version 1 has at least 64"),
        ("WRONG_FUNCTION", "its table has no `cancel`"),
        ("WRONG_PANIC", "it was built with `panic = \"abort\"`"),
        ("WRONG_MANIFEST", "its manifest cannot be read: EOF while parsing a value at line 1 column 6"),
        ("WRONG_LINK", "the system cannot open it: it: undefined symbol: function_that_nobody_has"),
    ] {
        let path = c(&[definition]);
        assert_eq!(refused(&path).await.to_string(), want, "{definition}");
        let opened = library_stats().opened;
        assert_eq!(refused(&path).await.to_string(), want, "{definition}, again");
        assert_eq!(library_stats().opened, opened, "{definition}: what was refused is not mapped twice");
    }
}

#[tokio::test]
async fn files_that_are_wrong() {
    let whole = fs::read(probe()).unwrap();
    for part in [0_usize, 1, 30, 63, 64, 500, 5_000, whole.len() / 2, whole.len() - 1] {
        let (_folder, path) = file("half.so", &whole[..part]);
        let refusal = refused(&path).await;
        let want = if part < 4 {
            matches!(refusal, Refusal::NotALibrary { .. })
        } else {
            matches!(refusal, Refusal::HalfWritten { .. })
        };
        assert!(want, "{part} bytes: {refusal}");
    }
    let (folder, text) = file("plugin.so", b"#!/bin/sh\necho hi\n");
    assert!(matches!(refused(&text).await, Refusal::NotALibrary { .. }));
    assert_eq!(refused(folder.path()).await, Refusal::NotAFile);
    assert!(matches!(refused(&folder.path().join("no.so")).await, Refusal::Io { .. }));
    let pipe = folder.path().join("pipe.so");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    assert_eq!(refused(&pipe).await, Refusal::NotAFile, "and nobody waits for its writer");
    let mut small = options();
    small.most_bytes = 10;
    assert_eq!(load(&text, small).await.unwrap_err().refusal, Refusal::TooLarge { most: 10 });
}

#[tokio::test]
async fn a_pin_is_looked_at_before_anything_runs() {
    // Its constructor would hang: only what is never opened is refused in time.
    let path = c(&["WRONG_START"]);
    let (found, pinned) = (Sha256::of(&fs::read(&path).unwrap()), Sha256::of(b"another"));
    let mut options = options();
    options.pinned = Some(pinned);
    let error = load(&path, options.clone()).await.unwrap_err();
    assert_eq!(error.refusal, Refusal::WrongHash { pinned, found });
    options.pinned = Some(found);
    options.patience = Duration::from_millis(100);
    let error = load(&path, options.clone()).await.unwrap_err();
    assert_eq!(error.refusal, Refusal::TooSlow { after: options.patience });
}

#[tokio::test]
async fn nothing_is_left_in_the_private_folder() {
    let options = options();
    for path in [c(&[]), c(&["WRONG_LINK"]), c(&["WRONG_MAGIC"])] {
        _ = load(&path, options.clone()).await;
    }
    assert_eq!(fs::read_dir(&options.private).unwrap().count(), 0);
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&options.private).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o700);
}
