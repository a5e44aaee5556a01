//! Does each timer fire once, whatever happens between setting it and its event?

use std::time::Duration;

use super::*;
use crate::store::{MOST_TIMERS, SavedSchedule, ScheduleKey};

async fn with(timers: Vec<TimerChange>) -> Rig {
    let rig = rig();
    rig.store.accept(batch((0..4).map(|n| event(&format!("k{n}"), "p1")).collect())).await.unwrap();
    rig.store.finish(Finish { timers, ..end(1, Vec::new()) }).await.unwrap();
    rig
}

async fn due(rig: &Rig, now_ms: i64) -> Vec<DueTimer> {
    rig.store.due_timers(now_ms, 100).await.unwrap().0
}

async fn fire_all(rig: &Rig, now_ms: i64) -> Vec<Option<u64>> {
    rig.store.fire(due(rig, now_ms).await.iter().map(firing).collect()).await.unwrap()
}

/// How many timers there are, and events made of timers.
fn counted(rig: &Rig) -> (i64, i64) {
    (rig.number("SELECT count(*) FROM timer"), rig.number("SELECT count(*) FROM inbox WHERE kind = 'timer'"))
}

#[tokio::test]
async fn a_timer_is_due_in_order_and_replaced_by_its_name() {
    let rig = with(vec![
        set("c", "p1", NOW + 30),
        set("b", "p2", NOW + 20),
        set("b", "p3", NOW + 10),
        set("x", "p1", NOW),
        cancel("x"),
        cancel("y"),
    ])
    .await;
    assert_eq!(rig.store.due_timers(NOW + 9, 9).await.unwrap(), (vec![], Some(NOW + 10)));
    let (first, next) = rig.store.due_timers(NOW + 10, 9).await.unwrap();
    let want = DueTimer {
        account: shop(),
        plugin: Arc::from("a"),
        name: "b".into(),
        conv: conv("p3"),
        due_ms: NOW + 10,
        cause: 1,
        body: Arc::from("body of b"),
    };
    assert_eq!((first, next), (vec![want], Some(NOW + 30)));
    let (all, next) = rig.store.due_timers(NOW + 99, 2).await.unwrap();
    assert_eq!(
        (all.iter().map(|t| &*t.name).collect::<Vec<_>>(), next),
        (vec!["b", "c"], Some(NOW + 99)),
        "maybe more"
    );
    assert_eq!(rig.store.due_timers(NOW + 99, 3).await.unwrap().1, None);
}

#[tokio::test]
async fn a_kill_at_any_point_neither_loses_nor_doubles_it() {
    let rig = with(vec![set("t", "p2", NOW)]).await;
    let seen = due(&rig, NOW).await;
    let before = rig.killed();
    assert_eq!(counted(&before), (1, 0));
    // The step fails halfway: nothing of it is there.
    rig.sql().execute_batch("CREATE TRIGGER t BEFORE INSERT ON inbox BEGIN SELECT raise(ABORT, 'no'); END").unwrap();
    rig.store.fire(seen.iter().map(firing).collect()).await.unwrap_err();
    assert_eq!(counted(&rig), (1, 0));
    rig.sql().execute_batch("DROP TRIGGER t").unwrap();
    let made = rig.store.fire(seen.iter().map(firing).collect()).await.unwrap();
    assert!(made[0].is_some());
    // Killed before or after the commit, each start ends with one event and no timer.
    for (what, after) in [("before", before), ("after", rig.killed())] {
        after.store.recover(&shop()).await.unwrap();
        fire_all(&after, NOW).await;
        assert_eq!(after.store.fire(seen.iter().map(firing).collect()).await.unwrap(), [None], "{what}");
        assert_eq!(counted(&after), (0, 1), "{what}");
        let (rows, _) = after.store.due(&shop(), 0, 9).await.unwrap();
        assert_eq!(rows.iter().map(|row| &*row.body).collect::<Vec<_>>(), ["body of t"], "{what}: due by any clock");
    }
}

#[tokio::test]
async fn what_was_changed_after_the_look_is_not_fired() {
    let rig = with(vec![set("gone", "p1", NOW), set("later", "p1", NOW), set("again", "p1", NOW)]).await;
    let seen = due(&rig, NOW).await;
    let timers = vec![cancel("gone"), set("later", "p1", NOW + 50), set("again", "p1", NOW)];
    rig.store.finish(Finish { timers, ..end(2, Vec::new()) }).await.unwrap();
    assert_eq!(rig.store.fire(seen.iter().map(firing).collect()).await.unwrap(), [None; 3]);
    // Set anew for the same moment, by another event: another timer.
    assert_eq!(fire_all(&rig, NOW + 50).await.iter().filter(|seq| seq.is_some()).count(), 2);
    rig.store.finish(Finish { timers: vec![set("again", "p1", NOW)], ..end(3, Vec::new()) }).await.unwrap();
    assert!(fire_all(&rig, NOW).await[0].is_some(), "after it has fired as well");
}

#[tokio::test]
async fn an_event_fired_late_is_not_passed_over() {
    let rig = with(vec![set("t", "p1", NOW)]).await;
    let made = fire_all(&rig, NOW).await[0].unwrap();
    rig.store.accept(batch(vec![event("after", "p1")])).await.unwrap();
    // Somebody has read on to what came after it; `waiting` from there would not find it, and does not give it twice.
    assert!(rig.store.waiting(&shop(), 0, 9).await.unwrap().iter().all(|row| row.seq != made));
    let (rows, next) = rig.store.due(&shop(), NOW, 9).await.unwrap();
    assert_eq!((rows.iter().map(|row| row.seq).collect::<Vec<_>>(), next), (vec![made], None));
    assert_eq!(rig.store.claim(made).await.unwrap().attempts, 1);
}

#[tokio::test]
async fn one_timer_too_many_is_refused_with_all_that_came_with_it() {
    let rig = with((0..MOST_TIMERS).map(|n| set(&n.to_string(), "p1", NOW)).collect()).await;
    let more = |seq, timers| Finish { timers, ..end(seq, vec![send("a", 0, "p1", "7")]) };
    let refused = Finished::TooManyTimers { plugin: Arc::from("a") };
    assert_eq!(rig.store.finish(more(2, vec![cancel("none"), set("new", "p1", NOW)])).await.unwrap(), refused);
    assert_eq!((rig.number("SELECT count(*) FROM outbox"), counted(&rig).0), (0, 10_000));
    let failure = Failure { partial: Some(more(2, vec![set("new", "p1", NOW)])), ..failed(2, Some(NOW), true) };
    assert_eq!(rig.store.fail(failure).await.unwrap(), refused);
    assert_eq!(rig.number("SELECT errors FROM inbox WHERE seq = 2"), 0);
    let other = TimerChange::Set {
        plugin: Arc::from("b"),
        name: "new".into(),
        conv: conv("p1"),
        due_ms: NOW,
        body: Arc::from(""),
    };
    for (what, seq, timers) in [
        ("one of them again", 2, vec![set("7", "p1", NOW + 1)]),
        ("one for another", 3, vec![set("new", "p1", NOW), cancel("8")]),
        ("of another plugin", 4, vec![other]),
    ] {
        assert_eq!(
            rig.store.finish(Finish { timers, ..end(seq, Vec::new()) }).await.unwrap(),
            Finished::Done(vec![]),
            "{what}"
        );
    }
}

fn schedule_firing(due_ms: i64) -> Firing {
    let key = format!("schedule:a:morning:{due_ms}").parse().unwrap();
    let row = NewRow { key, conv: conv("m1"), kind: "schedule", body: Arc::from("{}"), echo: None };
    let origin = Origin::Schedule { plugin: Arc::from("a"), name: Arc::from("morning"), due_ms };
    Firing { account: shop(), row, origin, now_ms: NOW }
}

#[tokio::test]
async fn a_schedule_moves_on_with_its_event_and_fires_once() {
    let rig = rig();
    let key = ScheduleKey { account: shop(), plugin: Arc::from("a"), name: Arc::from("morning") };
    rig.store.want_schedules(vec![key.clone()], NOW - 5).await.unwrap();
    rig.store.want_schedules(vec![key], NOW).await.unwrap();
    let saved = |last_ms| [SavedSchedule { plugin: "a".into(), name: "morning".into(), last_ms }];
    assert_eq!(rig.store.schedules(&shop()).await.unwrap(), saved(NOW - 5), "since it was first wanted");
    rig.sql().execute_batch("CREATE TRIGGER t BEFORE INSERT ON inbox BEGIN SELECT raise(ABORT, 'no'); END").unwrap();
    rig.store.fire(vec![schedule_firing(NOW)]).await.unwrap_err();
    assert_eq!(rig.killed().store.schedules(&shop()).await.unwrap(), saved(NOW - 5));
    rig.sql().execute_batch("DROP TRIGGER t").unwrap();
    assert!(rig.store.fire(vec![schedule_firing(NOW)]).await.unwrap()[0].is_some());
    let after = rig.killed();
    assert_eq!(after.store.schedules(&shop()).await.unwrap(), saved(NOW));
    assert_eq!(after.store.fire(vec![schedule_firing(NOW)]).await.unwrap(), [None], "a clock that was set back");
    assert_eq!(after.number("SELECT count(*) FROM inbox"), 1);
    assert!(after.store.schedules(&"other".parse().unwrap()).await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_bell_rings_for_what_is_due_earlier() {
    let rig = with(Vec::new()).await;
    let bell = rig.store.bell();
    let rings = async |until: i64| tokio::time::timeout(Duration::from_secs(1), bell.wait(until)).await.is_ok();
    assert!(!rings(NOW).await);
    let setting = |seq, timers| rig.store.finish(Finish { timers, ..end(seq, Vec::new()) });
    setting(2, vec![set("t", "p1", NOW + 5)]).await.unwrap();
    assert!(!rings(NOW + 5).await, "that is when somebody looks anyway");
    setting(3, vec![set("u", "p1", NOW + 9), set("v", "p1", NOW + 4), cancel("t")]).await.unwrap();
    assert!(rings(NOW + 5).await);
    assert!(!rings(NOW + 4).await, "once");
    bell.arm();
    setting(4, vec![set("w", "p1", NOW + 900)]).await.unwrap();
    assert!(rings(NOW).await, "set while somebody was looking: it may have been overlooked");
}
