//! Does a send to somebody unknown wait for that person, out of reach of everything else?

use super::*;
use crate::store::Verdict;

const QUEUED: i64 = 0;
const UNCERTAIN: i64 = 2;
const EXPIRED: i64 = 5;

async fn three() -> Rig {
    let rig = rig();
    rig.queue(vec![send("a", 0, "p1", "1"), send("a", 1, "p1", "2"), send("a", 0, "p2", "3")]).await;
    rig
}

fn why(rig: &Rig, id: u64) -> Option<String> {
    rig.sql().query_row("SELECT error FROM outbox WHERE id = ?1", [id], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn held_sends_are_claimed_expired_decided_and_proved_by_nobody() {
    let rig = three().await;
    rig.store.hold(&shop(), vec![(conv("p1"), "could be anybody".into())]).await.unwrap();
    assert_eq!(rig.states(), [UNCERTAIN, UNCERTAIN, QUEUED]);
    assert_eq!(why(&rig, 1).as_deref(), Some("could be anybody"));
    let late = ClaimSends { now_ms: NOW + 30 * DAY, max_age_ms: 600_000, ..ask() };
    assert_eq!(rig.claim(late).await, [0_u64; 0]);
    for verdict in [Verdict::Resend, Verdict::Drop] {
        assert_eq!(rig.store.decide_uncertain(&shop(), verdict).await.unwrap(), 0, "{verdict:?}");
    }
    rig.store.sweep(NOW + 400 * DAY).await.unwrap();
    assert_eq!(rig.states()[..2], [UNCERTAIN, UNCERTAIN]);
    rig.store.recover(&shop()).await.unwrap();
    assert_eq!(rig.states()[..2], [UNCERTAIN, UNCERTAIN]);
    let own = NewRow { echo: Some(0), ..event("own", "p1") };
    assert_eq!(
        rig.store.accept(batch(vec![own])).await.unwrap().proved,
        0,
        "what was never tried is proved by nothing"
    );
}

#[tokio::test]
async fn they_are_let_go_in_order_unless_they_are_too_old() {
    let rig = three().await;
    rig.store.hold(&shop(), vec![(conv("p1"), "x".into()), (conv("p2"), "y".into())]).await.unwrap();
    let awaited = rig.store.awaited(&shop()).await.unwrap();
    assert_eq!(awaited, [(conv("p1"), true), (conv("p2"), true)]);
    rig.store.hold(&shop(), vec![(conv("p1"), "better known".into())]).await.unwrap();
    assert_eq!(why(&rig, 2).as_deref(), Some("better known"));
    assert_eq!(rig.store.let_go(&shop(), vec![conv("p1")], NOW + 60_000, 600_000).await.unwrap(), 2);
    assert_eq!((rig.states(), why(&rig, 1)), (vec![QUEUED, QUEUED, UNCERTAIN], None));
    assert_eq!(rig.claim(ask()).await, [1]);
    assert_eq!(rig.store.let_go(&shop(), vec![conv("p2")], NOW + 600_001, 600_000).await.unwrap(), 0);
    assert_eq!(rig.states()[2], EXPIRED);
    assert_eq!(rig.store.awaited(&shop()).await.unwrap(), [(conv("p1"), false)]);
}

#[tokio::test]
async fn what_is_held_while_it_is_under_way_was_no_try() {
    let rig = three().await;
    assert_eq!(rig.claim(ask()).await, [1, 3]);
    rig.store.settle(1, Settlement::Held { error: "nobody".into() }).await.unwrap();
    assert_eq!(rig.states(), [UNCERTAIN, QUEUED, 1]);
    assert_eq!(rig.number("SELECT attempts FROM outbox WHERE id = 1"), 0);
    rig.store.settle(3, unsure()).await.unwrap();
    assert_eq!(rig.store.decide_uncertain(&shop(), Verdict::Resend).await.unwrap(), 1, "only of unknown outcome");
    assert_eq!(rig.states(), [UNCERTAIN, QUEUED, QUEUED]);
}
