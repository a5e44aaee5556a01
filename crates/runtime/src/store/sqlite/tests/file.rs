//! Whose file is it, which version, and what if it is broken?

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::super::schema;
use super::*;
use crate::store::StoreError;

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().mode() & 0o777
}

const V1: &str = "CREATE TABLE a(n INTEGER); INSERT INTO a VALUES (7)";
const V2: &str = "ALTER TABLE a ADD COLUMN m INTEGER NOT NULL DEFAULT 5";

fn place() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(QUEUE_FILE);
    (dir, path)
}

#[tokio::test]
async fn sec_r17_files_are_the_owners_alone() {
    let rig = rig();
    rig.store.accept(batch(vec![event("a", "p1")])).await.unwrap();
    for name in ["queue.db", "queue.db-wal", "queue.db-shm"] {
        assert_eq!(mode(&rig.dir.path().join(name)), 0o600, "{name}");
    }
}

#[test]
fn sec_r17_wide_files_are_narrowed_and_copies_are_narrow() {
    let (dir, path) = place();
    // Left by a crash: a file with its WAL beside it.
    let first = schema::open(&path, &[V1]).unwrap();
    let names = ["queue.db", "queue.db-wal", "queue.db-shm"].map(|name| dir.path().join(name));
    let copies = names.clone().map(|name| std::fs::read(name).unwrap());
    drop(first);
    for (name, bytes) in names.iter().zip(copies) {
        std::fs::write(name, bytes).unwrap();
        std::fs::set_permissions(name, Permissions::from_mode(0o644)).unwrap();
    }
    let _second = schema::open(&path, &[V1, V2]).unwrap();
    for name in names.into_iter().chain([dir.path().join("queue.v1.bak")]) {
        assert_eq!(mode(&name), 0o600, "{}", name.display());
    }
}

#[test]
fn an_older_file_is_copied_and_brought_up() {
    let (dir, path) = place();
    drop(schema::open(&path, &[V1]).unwrap());
    // A copy that a crash cut short, and one of an earlier try, are in nobody's way.
    std::fs::write(dir.path().join("queue.v1.part"), b"cut short").unwrap();
    std::fs::write(dir.path().join("queue.v1.bak"), b"earlier").unwrap();
    let c = schema::open(&path, &[V1, V2]).unwrap();
    let row: (i64, i64) = c.query_row("SELECT n, m FROM a", [], |r| Ok((r.get(0)?, r.get(1)?))).unwrap();
    assert_eq!(row, (7, 5));
    let copy = rusqlite::Connection::open(dir.path().join("queue.v1.bak")).unwrap();
    let (version, columns): (i64, i64) = copy
        .query_row(
            "SELECT (SELECT user_version FROM pragma_user_version), (SELECT count(*) FROM pragma_table_info('a'))",
            [],
            |r| Ok((r.get(0)?, r.get(1)?)),
        )
        .unwrap();
    assert_eq!((version, columns), (1, 1), "the copy is the file as it was");
    assert!(!dir.path().join("queue.v1.part").exists());
}

#[test]
fn a_migration_that_fails_leaves_the_version_before_it() {
    let (_dir, path) = place();
    drop(schema::open(&path, &[V1]).unwrap());
    let error =
        schema::open(&path, &[V1, "ALTER TABLE a ADD COLUMN x INTEGER; SELECT nonsense FROM nowhere"]).unwrap_err();
    assert!(error.to_string().contains("queue.db"), "{error}");
    drop(schema::open(&path, &[V1, V2]).unwrap());
}

#[test]
fn a_newer_file_is_refused_and_left_as_it_is() {
    let (dir, path) = place();
    drop(schema::open(&path, &[V1, V2]).unwrap());
    let before = std::fs::read(&path).unwrap();
    match schema::open(&path, &[V1]) {
        Err(StoreError::TooNew { path: named, found: 2, known: 1 }) => assert_eq!(named, path.display().to_string()),
        other => panic!("{other:?}"),
    }
    assert_eq!(std::fs::read(&path).unwrap(), before);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "no copy, no WAL");
}

#[tokio::test]
async fn a_damaged_file_is_named() {
    for (what, bytes) in [
        ("text", b"this is no database, whatever its name says ".repeat(100)),
        ("half a header", b"SQLite format 3\0\x10".to_vec()),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data");
        let lock = DataDir::open(&path).unwrap();
        std::fs::write(path.join(QUEUE_FILE), bytes).unwrap();
        match SqliteStore::open(&lock) {
            Err(StoreError::Engine { reason, .. }) => assert!(reason.contains("data/queue.db"), "{what}: {reason}"),
            other => panic!("{what}: {other:?}"),
        }
    }
}

#[test]
fn a_file_that_cannot_be_written_is_named() {
    let (dir, path) = place();
    std::fs::create_dir(&path).unwrap();
    let error = schema::open(&path, &[V1]).unwrap_err().to_string();
    assert!(error.contains("queue.db"), "{error}");
    std::fs::remove_dir(&path).unwrap();
    if rustix::process::geteuid().is_root() {
        return; // Rights do not bind root.
    }
    drop(schema::open(&path, &[V1]).unwrap());
    for (what, file, folder) in [("file", 0o400, 0o700), ("directory", 0o600, 0o500)] {
        std::fs::set_permissions(&path, Permissions::from_mode(file)).unwrap();
        std::fs::set_permissions(dir.path(), Permissions::from_mode(folder)).unwrap();
        let error = schema::open(&path, &[V1, V2]).unwrap_err().to_string();
        assert!(error.contains("queue.db"), "{what}: {error}");
        std::fs::set_permissions(dir.path(), Permissions::from_mode(0o700)).unwrap();
    }
}

#[tokio::test]
async fn a_file_with_much_free_room_shrinks() {
    let rig = rig();
    let long = |n| NewRow { body: "x".repeat(4_000).into(), ..event(&format!("k{n}"), "p1") };
    rig.store.accept(batch((0..3_000).map(long).collect())).await.unwrap();
    rig.sql().execute_batch("UPDATE inbox SET state = 3").unwrap();
    let before = rig.number("PRAGMA page_count");
    while rig.store.sweep(NOW + 31 * DAY).await.unwrap() {}
    let after = rig.number("PRAGMA page_count");
    assert!(before > 3_000 && after < before / 2, "{before} pages, then {after}");
}
