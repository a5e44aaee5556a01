//! What if the file cannot be written? Everybody is told at once, nothing half is there, and it goes on when it can.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;

use super::*;
use crate::store::{Cause, HealthStore, StoreError};

/// How long the writer waits for somebody else's lock in these tests.
const BUSY: Duration = Duration::from_millis(200);

/// Changes a setting of the writer's own connection.
async fn pragma(rig: &Rig, name: &'static str, value: i64) {
    rig.store.write("set a limit", move |c| c.pragma_update(None, name, value)).await.unwrap();
}

/// A batch with a cursor, which moves with it or not at all.
fn moving(key: &str) -> Accept {
    Accept { cursor: Some(key.as_bytes().to_vec().into()), sealed: Some(vec![1]), ..batch(vec![event(key, "p1")]) }
}

async fn cursor(rig: &Rig) -> String {
    let saved = rig.store.session(&shop()).await.unwrap().unwrap();
    String::from_utf8(saved.cursor.to_vec()).unwrap()
}

/// Nothing of a refused batch is there.
async fn unmoved(rig: &Rig, cause: Cause) {
    assert_eq!(rig.store.unwritable().map(|found| found.cause), Some(cause));
    assert_eq!(cursor(rig).await, "first", "the cursor did not move");
    assert_eq!(rig.number("SELECT count(*) FROM inbox"), 1, "and nothing was taken");
}

async fn goes_on(rig: &Rig) {
    rig.store.try_out().await.unwrap();
    assert_eq!(rig.store.unwritable(), None);
    assert_eq!(rig.store.accept(moving("second")).await.unwrap().seqs, [Some(2)]);
    assert_eq!(cursor(rig).await, "second");
}

#[tokio::test]
async fn a_full_disk() {
    let rig = rig();
    rig.store.accept(moving("first")).await.unwrap();
    let pages = rig.number("PRAGMA page_count");
    pragma(&rig, "max_page_count", pages).await;
    let large = NewRow { body: "x".repeat(100_000).into(), ..event("large", "p1") };
    let outcome = rig.store.accept(Accept { rows: vec![large], ..moving("large") }).await;
    let Err(StoreError::Engine { reason, .. }) = &outcome else { panic!("{outcome:?}") };
    assert!(reason.contains("full"), "{reason}");
    unmoved(&rig, Cause::Full).await;
    // A step with nothing to write succeeds, and says nothing about those that have.
    assert!(rig.claim(ask()).await.is_empty());
    unmoved(&rig, Cause::Full).await;
    pragma(&rig, "max_page_count", 1_000_000).await;
    goes_on(&rig).await;
}

#[tokio::test]
async fn a_file_that_may_only_be_read() {
    let rig = rig();
    rig.store.accept(moving("first")).await.unwrap();
    pragma(&rig, "query_only", 1).await;
    rig.store.accept(moving("second")).await.unwrap_err();
    unmoved(&rig, Cause::ReadOnly).await;
    rig.store.try_out().await.unwrap_err();
    unmoved(&rig, Cause::ReadOnly).await;
    goes_on(&rig.killed()).await;
}

#[tokio::test]
async fn a_file_that_another_program_holds() {
    let rig = rig();
    rig.store.accept(moving("first")).await.unwrap();
    rig.store.write("wait less", |c| c.busy_timeout(BUSY)).await.unwrap();
    let other = rig.sql();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let begun = Instant::now();
    let outcomes = join_all((0..100).map(|_| rig.store.accept(moving("second")))).await;
    assert!(outcomes.iter().all(Result::is_err), "{outcomes:?}");
    // Each step for itself would have waited as long again: twenty seconds, and minutes with the true limit.
    assert!(begun.elapsed() < BUSY * 10, "{:?}", begun.elapsed());
    unmoved(&rig, Cause::Busy).await;
    other.execute_batch("COMMIT").unwrap();
    goes_on(&rig).await;
}

#[tokio::test]
async fn the_steps_of_a_batch_that_the_file_spoils_are_each_told_with_their_own_name() {
    let rig = rig();
    rig.store.accept(moving("first")).await.unwrap();
    pragma(&rig, "query_only", 1).await;
    let aside = shop();
    let (taken, aside) = tokio::join!(rig.store.accept(moving("second")), rig.store.set_session_aside(&aside));
    for (outcome, name) in [(taken.map(drop), "take a batch"), (aside, "set a session aside")] {
        assert!(matches!(&outcome, Err(StoreError::Engine { what, .. }) if *what == name), "{name}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_step_that_spoils_itself_says_nothing_about_the_file() {
    let rig = rig();
    rig.sql()
        .execute_batch("CREATE TRIGGER t BEFORE INSERT ON inbox BEGIN SELECT raise(ABORT, 'unlucky'); END")
        .unwrap();
    rig.store.accept(batch(vec![event("a", "p1")])).await.unwrap_err();
    assert_eq!(rig.store.unwritable(), None);
}

#[tokio::test]
async fn trying_out_changes_nothing_that_can_be_seen() {
    let rig = rig();
    let before = rig.number("PRAGMA user_version");
    rig.store.try_out().await.unwrap();
    assert_eq!(rig.number("PRAGMA user_version"), before);
}
