//! Retention by settings, copies without secrets, starts from a copy, and forgetting.

use bytes::Bytes;

use super::*;
use crate::store::{Forgotten, Keep, KeepStore, Restored};

const CANARY: &[u8] = b"canary-of-a-session-that-nobody-may-read";

/// An event, a send, a saved session with a canary, and one that was replaced.
async fn full() -> Rig {
    let rig = rig();
    rig.queue(vec![send("a", 0, "p1", "1"), send("a", 0, "p2", "2")]).await;
    for sealed in [CANARY.repeat(40), CANARY.to_vec()] {
        rig.store.save_session(&shop(), sealed, Bytes::from_static(CANARY), Vec::new()).await.unwrap();
    }
    let kv: Vec<(Arc<str>, String, Option<Value>)> = vec![("p".into(), "k".into(), Some(1.into()))];
    let seqs = rig.store.accept(batch(vec![event("kv", "p1")])).await.unwrap().seqs;
    rig.store.finish(Finish { kv, ..end(seqs[0].unwrap(), Vec::new()) }).await.unwrap();
    rig
}

fn holds(path: &std::path::Path, canary: &[u8]) -> bool {
    std::fs::read(path).unwrap().windows(canary.len()).any(|bytes| bytes == canary)
}

/// A store whose file is this copy.
fn of_copy(copy: &std::path::Path) -> Rig {
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let lock = DataDir::open(dir.path()).unwrap();
    std::fs::copy(copy, dir.path().join(QUEUE_FILE)).unwrap();
    Rig { store: SqliteStore::open(&lock).unwrap(), _lock: lock, dir }
}

#[tokio::test]
async fn sec_r21_a_copy_has_no_byte_of_a_session_unless_asked() {
    let rig = full().await;
    let folder = tempfile::tempdir().unwrap();
    let (plain, whole) = (folder.path().join("plain"), folder.path().join("whole"));
    rig.store.snapshot(plain.clone(), false).await.unwrap();
    rig.store.snapshot(whole.clone(), true).await.unwrap();
    assert!(holds(&whole, CANARY), "the canary is there to be found");
    assert!(!holds(&plain, CANARY));
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&plain).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left beside them");
    assert!(rig.store.snapshot(plain.clone(), false).await.is_err(), "nothing is overwritten");
    let copy = of_copy(&plain);
    assert_eq!(copy.states().len(), 2, "everything else is in it");
    assert!(copy.store.session(&shop()).await.unwrap().is_none());
    assert!(rig.store.session(&shop()).await.unwrap().is_some(), "the original keeps it");
    assert!(of_copy(&whole).store.session(&shop()).await.unwrap().is_some());
}

#[tokio::test]
async fn a_start_from_a_copy_sends_nothing_that_may_have_gone_out() {
    let rig = rig();
    rig.queue((1..=4).map(|n| send("a", 0, &format!("p{n}"), &format!("1{n}"))).collect()).await;
    rig.sql()
        .execute_batch("UPDATE outbox SET state = 1 WHERE id = 2; UPDATE outbox SET state = 3 WHERE id = 3;
             UPDATE outbox SET created_at = created_at - 600001 WHERE id = 4; UPDATE inbox SET state = 1, attempts = 1 WHERE seq = 1")
        .unwrap();
    let restored = rig.store.restored(NOW, 600_000).await.unwrap();
    assert_eq!(restored, Restored { uncertain: 2, expired: 1, sessions: 0 });
    assert_eq!(rig.states(), [2, 2, 3, 5]);
    assert_eq!(rig.claim(ask()).await, Vec::<u64>::new());
    assert_eq!(rig.store.claim(1).await.unwrap().attempts, 1, "that was no crash of ours");
}

#[tokio::test]
async fn sec_r21_a_forgotten_account_loses_its_keys_first_and_then_the_rest() {
    let rig = full().await;
    let other: AccountName = "other".parse().unwrap();
    rig.store.accept(Accept { account: other.clone(), ..batch(vec![event("x", "p1")]) }).await.unwrap();
    rig.store.save_session(&other, b"kept".to_vec(), Bytes::from_static(b"c"), Vec::new()).await.unwrap();
    rig.store.accept(batch((0..2_500).map(|n| event(&format!("k{n}"), "p1")).collect())).await.unwrap();
    // Whatever ends it in between, no key is left of an account whose history is gone.
    for table in ["inbox", "outbox", "kv"] {
        let trigger = format!(
            "CREATE TRIGGER {table}_last BEFORE DELETE ON {table}
             WHEN EXISTS (SELECT 1 FROM session WHERE account = OLD.account) OR EXISTS (SELECT 1 FROM cursor WHERE account = OLD.account)
             BEGIN SELECT RAISE(ABORT, 'its keys are there still'); END"
        );
        rig.sql().execute_batch(&trigger).unwrap();
    }
    let forgotten = rig.store.forget(&shop()).await.unwrap();
    assert_eq!(forgotten, Forgotten { keys: 2, rows: 2_503 + 2 + 1 });
    for table in ["inbox", "outbox", "kv", "session", "cursor", "contact", "timer", "schedule", "bucket", "planned"] {
        let left = rig.number(&format!("SELECT count(*) FROM {table} WHERE account = 'shop'"));
        assert_eq!(left, 0, "{table}");
    }
    assert!(rig.store.session(&other).await.unwrap().is_some());
    assert_eq!(rig.number("SELECT count(*) FROM inbox"), 1);
    assert_eq!(rig.store.forget(&shop()).await.unwrap(), Forgotten::default());
    rig.store.close().await.unwrap();
    assert!(!holds(&rig.dir.path().join(QUEUE_FILE), CANARY), "no byte of its session is left in the file");
}

#[tokio::test]
async fn sec_r21_keys_of_a_forgotten_account_leave_the_file_before_anything_is_closed() {
    let rig = full().await;
    rig.store.checkpoint().await.unwrap();
    let file = rig.dir.path().join(QUEUE_FILE);
    assert!(holds(&file, CANARY), "they are there to be found");
    rig.store.forget(&shop()).await.unwrap();
    assert!(!holds(&file, CANARY));
}

#[tokio::test]
async fn each_setting_of_retention_has_its_rows() {
    let hours = |hours: u64| Duration::from_secs(hours * 3_600);
    let keep = Keep { done: hours(1), dead: hours(72), keys: hours(24), sends: hours(48) };
    let rig = rig();
    rig.store.set_keep(keep);
    rig.queue((0..4).map(|n| send("a", 0, &format!("p{n}"), &format!("1{n}"))).collect()).await;
    rig.sql()
        .execute_batch(
            "UPDATE inbox SET state = 4 WHERE seq = 4; UPDATE outbox SET state = id + 2;
             UPDATE outbox SET state = 2 WHERE id = 4; INSERT INTO inbox(account, src_key, conv, recv_at, kind, state, body)
                 SELECT account, 'young', conv, recv_at + 999999999, kind, 3, 'young' FROM inbox WHERE seq = 1",
        )
        .unwrap();
    let left = || {
        let count = |what: &str| rig.number(&format!("SELECT count({what} FROM inbox WHERE src_key <> 'young'"));
        let sends = |what: &str| rig.number(&format!("SELECT count({what} FROM outbox"));
        (count("*)"), count("body)"), sends("*)"), sends("body)"))
    };
    let hour = 3_600_000;
    for (what, at, want) in [
        ("nothing yet", hour, (4, 4, 4, 4)),
        ("bodies of what is done and sent", hour + 1, (4, 1, 4, 3)),
        ("keys", 24 * hour + 1, (1, 1, 4, 3)),
        ("sends that have ended", 48 * hour + 1, (1, 1, 1, 1)),
        ("dead ones", 72 * hour + 1, (0, 0, 1, 1)),
    ] {
        while rig.store.sweep(NOW + at).await.unwrap() {}
        assert_eq!(left(), want, "{what}");
    }
    assert!(rig.store.is_idle());
}

#[tokio::test]
async fn the_log_is_brought_into_the_file() {
    let rig = rig();
    rig.store.accept(batch((0..500).map(|n| event(&format!("k{n}"), "p1")).collect())).await.unwrap();
    let len = || std::fs::metadata(rig.dir.path().join(QUEUE_FILE)).unwrap().len();
    let before = len();
    rig.store.checkpoint().await.unwrap();
    assert!(len() > before, "{} bytes as before", len());
    // A reader in the way holds up nobody.
    let reader = rig.sql();
    reader.execute_batch("BEGIN; SELECT * FROM inbox LIMIT 1").unwrap();
    rig.store.accept(batch(vec![event("more", "p1")])).await.unwrap();
    rig.store.checkpoint().await.unwrap();
    drop(reader);
}

#[tokio::test]
async fn retention_leaves_what_is_still_open() {
    let rig = rig();
    rig.queue((0..4).map(|n| send("a", 0, &format!("p{n}"), &format!("1{n}"))).collect()).await;
    // Waiting, begun, parked and held rows, all of them years old.
    rig.sql()
        .execute_batch(
            "UPDATE inbox SET state = seq - 1 WHERE seq <= 3; UPDATE outbox SET state = id - 1 WHERE id <= 3;
             UPDATE outbox SET state = 2, held = 1 WHERE id = 4",
        )
        .unwrap();
    while rig.store.sweep(NOW + 3_650 * DAY).await.unwrap() {}
    let open = |table: &str| rig.number(&format!("SELECT count(*) FROM {table} WHERE state < 3 AND body IS NOT NULL"));
    assert_eq!((open("inbox"), open("outbox")), (3, 4), "with what they say");
    assert_eq!(rig.number("SELECT count(*) FROM inbox"), 3, "and nothing that is done");
}
