//! Planned messages: kept, bounded, fired once.

use super::*;
use crate::clock::Missed;
use crate::store::{LoneSend, MOST_PLANNED, NO_EVENT, NewPlanned, PlannedFiring, PlannedStore};

fn new(chat: &str, due_ms: i64) -> NewPlanned {
    NewPlanned {
        account: shop(),
        conv: conv(chat),
        body: "{}".into(),
        cron: None,
        tz: None,
        missed: Missed::Once,
        due_ms,
        now_ms: NOW,
    }
}

fn firing(id: u64, due_ms: i64, next_ms: Option<i64>, missed: Option<&str>) -> PlannedFiring {
    let cause = NO_EVENT | id << 32 | u64::from(next_ms.is_none());
    let send = LoneSend {
        account: shop(),
        sends: vec![send("wxbot", 0, "p1", &format!("1{}", cause & 0xffff_ffff_ffff))],
        cause,
        direct: None,
        now_ms: NOW,
    };
    PlannedFiring { id, due_ms, next_ms, send, missed: missed.map(str::to_owned) }
}

#[tokio::test]
async fn it_is_due_in_order_and_for_accounts_that_run() {
    let rig = rig();
    for (chat, due) in [("p1", NOW + 2), ("p2", NOW + 1), ("p3", NOW + 9)] {
        rig.store.plan(new(chat, due)).await.unwrap().unwrap();
    }
    rig.store.plan(NewPlanned { account: "other".parse().unwrap(), ..new("p4", NOW) }).await.unwrap();
    let due = async |accounts| {
        let (due, next) = rig.store.due_planned(accounts, NOW + 5, 9).await.unwrap();
        (due.iter().map(|one| one.conv.to_string()).collect::<Vec<_>>(), next)
    };
    assert_eq!(due(vec![shop()]).await, (vec!["p2".to_owned(), "p1".to_owned()], Some(NOW + 9)));
    assert_eq!(due(Vec::new()).await, (Vec::new(), None));
    assert_eq!(rig.store.planned(None).await.unwrap().len(), 4);
    assert_eq!(rig.store.planned(Some(&shop())).await.unwrap().len(), 3);
    assert!(rig.store.unplan(1).await.unwrap() && !rig.store.unplan(1).await.unwrap());
    assert_eq!(rig.killed().store.planned(Some(&shop())).await.unwrap().len(), 2, "it survives a kill");
}

#[tokio::test]
async fn it_fires_once_whatever_happens_in_between() {
    let rig = rig();
    rig.store.plan(new("p1", NOW)).await.unwrap();
    rig.store.plan(new("p1", NOW)).await.unwrap();
    assert!(rig.store.fire_planned(firing(1, NOW, None, None)).await.unwrap());
    assert!(!rig.store.fire_planned(firing(1, NOW, None, None)).await.unwrap(), "it is over");
    assert!(rig.store.fire_planned(firing(2, NOW, Some(NOW + DAY), None)).await.unwrap());
    assert!(!rig.store.fire_planned(firing(2, NOW, Some(NOW + DAY), None)).await.unwrap(), "it was dealt with");
    assert_eq!(rig.states(), [0, 0]);
    let after = rig.killed();
    assert_eq!(after.states(), [0, 0]);
    let left = after.store.planned(None).await.unwrap();
    assert_eq!((left.len(), left[0].due_ms), (1, NOW + DAY));
    assert!(rig.store.fire_planned(firing(2, NOW + DAY, None, Some("missed"))).await.unwrap());
    assert_eq!(rig.states(), [0, 0, 5], "what was missed is there to be seen, and does not go out");
}

#[tokio::test]
async fn nobody_plans_without_end() {
    let rig = rig();
    for _ in 0..MOST_PLANNED {
        assert!(rig.store.plan(new("p1", NOW)).await.unwrap().is_some());
    }
    assert_eq!(rig.store.plan(new("p1", NOW)).await.unwrap(), None);
    let other = NewPlanned { account: "other".parse().unwrap(), ..new("p1", NOW) };
    assert!(rig.store.plan(other).await.unwrap().is_some(), "each account has its own");
}
