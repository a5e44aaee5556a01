//! Do steps that share a commit stay apart where it matters?

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;

use super::*;
use crate::store::StoreError;

#[tokio::test]
async fn a_failing_step_fails_alone() {
    let rig = rig();
    rig.sql()
        .execute_batch(
            "CREATE TRIGGER t BEFORE INSERT ON inbox WHEN NEW.conv = 'p13' BEGIN SELECT raise(ABORT, 'unlucky'); END",
        )
        .unwrap();
    let steps = (1..=600).map(|n| rig.store.accept(batch(vec![event(&format!("k{n}"), &format!("p{}", n % 50))])));
    for (n, outcome) in (1..).zip(join_all(steps).await) {
        match outcome {
            Ok(accepted) => assert!(n % 50 != 13 && accepted.seqs[0].is_some(), "{n}"),
            Err(StoreError::Engine { what, reason }) => {
                assert!(n % 50 == 13 && what == "take a batch" && reason.contains("unlucky"), "{n}: {reason}");
            }
            Err(other) => panic!("{n}: {other}"),
        }
    }
    assert_eq!(rig.number("SELECT count(*) FROM inbox"), 588);
}

#[tokio::test]
async fn a_panicking_step_costs_its_neighbours_nothing() {
    let rig = rig();
    let (bad, good) = tokio::join!(
        rig.store.write("panic", |_| -> rusqlite::Result<()> { panic!("on purpose") }),
        rig.store.accept(batch(vec![event("a", "p1")])),
    );
    assert!(matches!(bad, Err(StoreError::Engine { .. })), "{bad:?}");
    assert_eq!(good.unwrap().seqs, [Some(1)]);
}

#[tokio::test]
async fn a_caller_that_goes_away_does_not_break_the_writer() {
    let rig = rig();
    for n in 0..50 {
        // Polled once: the step is queued, and nobody waits for its answer.
        assert!(rig.store.accept(batch(vec![event(&format!("k{n}"), "p1")])).now_or_never().is_none());
    }
    rig.store.accept(batch(vec![event("last", "p1")])).await.unwrap();
    assert_eq!(rig.number("SELECT count(*) FROM inbox"), 51, "each was done all the same");
}

#[tokio::test]
async fn closing_flushes_and_is_the_end() {
    let rig = rig();
    let steps = join_all((0..300).map(|n| rig.store.accept(batch(vec![event(&format!("k{n}"), "p1")]))));
    let (steps, first, second) = tokio::join!(
        steps,
        async {
            tokio::task::yield_now().await;
            rig.store.close().await
        },
        async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            rig.store.close().await
        },
    );
    assert!(steps.iter().all(Result::is_ok) && first.is_ok() && second.is_ok());
    let wal = rig.dir.path().join("queue.db-wal");
    assert!(!wal.exists(), "everything is in the main file");
    assert!(matches!(rig.store.claim(1).await, Err(StoreError::Closed)));
    assert!(matches!(rig.store.waiting(&shop(), 0, 1).await, Err(StoreError::Closed)));
    assert!(matches!(rig.store.counts(&shop()).await, Err(StoreError::Closed)));
    assert_eq!(rig.number("SELECT count(*) FROM inbox"), 300);
}
