//! Looking through what went wrong, and giving it another end.

use super::*;
use crate::store::{DeadFilter, Decided, Decision, MendStore, Replay, ReplayAsk, SendFilter, SendState, StoryStore};

fn because(seq: u64, error: &str, done: &[&str]) -> Failure {
    let done = done.iter().map(|&plugin| plugin.to_owned()).collect();
    Failure { error: error.to_owned(), done, ..failed(seq, None, true) }
}

/// Three dead events: of a plugin, of another account, and of a crash.
async fn dead() -> Rig {
    let rig = rig();
    rig.store.accept(batch(vec![event("a", "p1"), event("b", "p2"), event("c", "p1")])).await.unwrap();
    let other = Accept { account: "other".parse().unwrap(), now_ms: NOW + DAY, ..batch(vec![event("a", "p1")]) };
    rig.store.accept(other).await.unwrap();
    for (seq, error) in [(1, "plugin greet: no"), (3, "wxbot ended 3 times while handling it"), (4, "plugin greet: no")]
    {
        rig.store.claim(seq).await.unwrap();
        rig.store.fail(because(seq, error, if seq == 1 { &["calm"] } else { &[] })).await.unwrap();
    }
    rig
}

#[tokio::test]
async fn dead_events_are_found_by_what_is_known_of_them() {
    let rig = dead().await;
    let all = DeadFilter { since_ms: i64::MIN, ..DeadFilter::default() };
    let found = async |filter: DeadFilter, after| {
        rig.store.dead(filter, after, 9).await.unwrap().iter().map(|one| one.seq).collect::<Vec<_>>()
    };
    assert_eq!(found(all.clone(), 0).await, [1, 3, 4]);
    assert_eq!(found(all.clone(), 1).await, [3, 4]);
    assert_eq!(found(DeadFilter { account: Some(shop()), ..all.clone() }, 0).await, [1, 3]);
    assert_eq!(found(DeadFilter { plugin: Some("greet".into()), ..all.clone() }, 0).await, [1, 4]);
    assert_eq!(found(DeadFilter { plugin: Some("gre".into()), ..all.clone() }, 0).await, Vec::<u64>::new());
    assert_eq!(found(DeadFilter { since_ms: NOW + 1, ..all.clone() }, 0).await, [4]);
    let one = rig.store.dead(all, 0, 1).await.unwrap().remove(0);
    assert_eq!((one.plugin.as_deref(), one.attempts, one.errors), (Some("greet"), 1, 1));
    assert_eq!((one.done.as_slice(), one.recv_ms), (["calm".to_owned()].as_slice(), NOW));
    assert_eq!(rig.store.event_body(1).await.unwrap().as_deref(), Some("body of a"));
}

#[tokio::test]
async fn a_dead_event_begins_anew_and_those_that_were_done_stay_done() {
    let rig = dead().await;
    assert_eq!(rig.store.revive(vec![1, 2, 99]).await.unwrap(), [1], "2 is not dead");
    let (due, _) = rig.store.due(&shop(), NOW, 9).await.unwrap();
    assert_eq!((due.len(), due[0].seq, due[0].done.as_slice()), (1, 1, ["calm".to_owned()].as_slice()));
    assert_eq!(due[0].replay, Some(Replay { of: None, plugin: None, send: true }));
    assert_eq!(rig.store.claim(1).await.unwrap().attempts, 1, "tries begin anew");
    rig.store.finish(end(1, vec![send("a", 0, "p1", "1")])).await.unwrap();
    assert_eq!(rig.claim(ask()).await, [1], "what it answers is sent");
    // Whatever kills us right after the command: it is due after the start.
    assert_eq!(rig.store.revive(vec![3]).await.unwrap(), [3]);
    assert_eq!(rig.killed().store.due(&shop(), NOW, 9).await.unwrap().0[0].seq, 3);
}

#[tokio::test]
async fn a_dead_event_is_dropped_for_a_reason() {
    let rig = dead().await;
    assert_eq!(rig.store.bury(vec![3, 2], "dropped by me".into()).await.unwrap(), [3]);
    let story = rig.store.story(3).await.unwrap().unwrap();
    assert_eq!(story.note.unwrap(), "dropped by me: wxbot ended 3 times while handling it");
    assert_eq!(rig.number("SELECT state FROM inbox WHERE seq = 3"), 3);
    assert_eq!(rig.store.revive(vec![3]).await.unwrap(), Vec::<u64>::new(), "for good");
}

#[tokio::test]
async fn each_state_allows_its_own_decisions() {
    // Queued, sending, uncertain, sent, failed, expired, dropped, held.
    let names = ["queued", "sending", "uncertain", "sent", "failed", "expired", "dropped", "held"];
    for (decision, allowed, becomes) in [
        (Decision::Sent, &["uncertain", "held"][..], 3),
        (Decision::Resend, &["uncertain", "held", "failed"], 0),
        (Decision::Drop("dropped by me".into()), &["queued", "uncertain", "held"], 6),
    ] {
        let rig = rig();
        rig.queue((0..8).map(|n| send("a", 0, &format!("p{n}"), &format!("1{n}"))).collect()).await;
        rig.sql()
            .execute_batch("UPDATE outbox SET state = id - 1; UPDATE outbox SET state = 2, held = 1 WHERE id = 8")
            .unwrap();
        let before = rig.states();
        let decided = rig.store.decide((1..=9).collect(), decision.clone(), NOW).await.unwrap();
        for (at, name) in names.iter().enumerate() {
            let done = matches!(decided[at], Decided::Done { .. });
            assert_eq!(done, allowed.contains(name), "{decision:?} of one that is {name}: {:?}", decided[at]);
            assert_eq!(rig.states()[at], if done { becomes } else { before[at] }, "{name}");
        }
        assert_eq!(decided[8], Decided::Unknown);
        assert_eq!(rig.number("SELECT count(*) FROM outbox WHERE held AND state <> 2"), 0);
    }
}

#[tokio::test]
async fn what_goes_out_again_keeps_its_id_and_counts_as_new() {
    let rig = rig();
    rig.queue(vec![send("a", 0, "p1", "17")]).await;
    rig.claim(ask()).await;
    rig.store.settle(1, unsure()).await.unwrap();
    let later = NOW + 2 * DAY;
    rig.store.decide(vec![1], Decision::Resend, later).await.unwrap();
    let now = ClaimSends { now_ms: later + 1_000, max_age_ms: 60_000, ..ask() };
    let (claimed, _) = rig.store.claim_sends(now).await.unwrap();
    assert_eq!((claimed.len(), claimed[0].client_id.as_str(), claimed[0].attempts), (1, "17", 1), "it is not too old");
    // One that waits too long after that is.
    rig.store.settle(1, unsure()).await.unwrap();
    rig.store.decide(vec![1], Decision::Resend, later).await.unwrap();
    rig.claim(ClaimSends { now_ms: later + 61_000, max_age_ms: 60_000, ..ask() }).await;
    assert_eq!(rig.states(), [5]);
}

#[tokio::test]
async fn what_is_past_its_time_cannot_go_out_again() {
    let rig = rig();
    rig.queue(vec![send("a", 0, "p1", "1")]).await;
    rig.sql().execute_batch("UPDATE outbox SET state = 4, body = NULL").unwrap();
    assert_eq!(rig.store.decide(vec![1], Decision::Resend, NOW).await.unwrap(), [Decided::Emptied]);
}

#[tokio::test]
async fn sends_are_listed_by_state_the_newest_first() {
    let rig = rig();
    rig.queue((0..8).map(|n| send("a", 0, &format!("p{n}"), &format!("1{n}"))).collect()).await;
    rig.sql()
        .execute_batch(
            "UPDATE outbox SET state = id - 1, body = '{\"do\":\"send_text\"}'; UPDATE outbox SET state = 2, held = 1 WHERE id = 8",
        )
        .unwrap();
    let list = async |states: &[SendState], before, limit| {
        let filter = SendFilter { account: None, states: states.to_vec() };
        rig.store.sends(filter, before, limit).await.unwrap().iter().map(|one| one.id).collect::<Vec<_>>()
    };
    assert_eq!(list(&[], u64::MAX, 3).await, [8, 7, 6]);
    assert_eq!(list(&[], 6, 9).await, [5, 4, 3, 2, 1]);
    assert_eq!(list(&[SendState::Uncertain], u64::MAX, 9).await, [3]);
    assert_eq!(list(&[SendState::Held], u64::MAX, 9).await, [8]);
    assert_eq!(list(&[SendState::Failed, SendState::Queued], u64::MAX, 9).await, [5, 1]);
    let row = rig.store.send_row(8).await.unwrap().unwrap();
    assert_eq!((row.state, row.what.as_str(), row.event), (SendState::Held, "send_text", Some(8)));
}

fn again(send: bool) -> ReplayAsk {
    let accounts = vec![shop()];
    ReplayAsk { accounts, plugin: "greet".into(), from_ms: NOW, to_ms: NOW + DAY, send, dry: false }
}

/// Replays all, in as many steps as it takes; how many events, and how many steps.
async fn replay_all(rig: &Rig, ask: ReplayAsk, now_ms: i64) -> (u64, usize) {
    let (mut events, mut steps, mut next) = (0, 0, Some(0));
    while let Some(after) = next {
        let step = rig.store.replay(ask.clone(), after, now_ms).await.unwrap();
        (events, next, steps) = (events + step.events, step.next, steps + 1);
    }
    (events, steps)
}

#[tokio::test]
async fn done_events_of_a_time_are_handled_once_more_and_nothing_else() {
    let rig = rig();
    rig.store.accept(batch((0..2_500).map(|n| event(&format!("k{n}"), "p1")).collect())).await.unwrap();
    rig.sql()
        .execute_batch(
            "UPDATE inbox SET state = 3;
             UPDATE inbox SET state = 4 WHERE seq = 1;
             UPDATE inbox SET state = 0 WHERE seq = 2;
             UPDATE inbox SET body = NULL WHERE seq = 3;
             UPDATE inbox SET kind = 'timer' WHERE seq = 4;
             UPDATE inbox SET recv_at = recv_at - 1 WHERE seq = 5;
             UPDATE inbox SET recv_at = recv_at + 86400000 WHERE seq = 6;
             UPDATE inbox SET account = 'other' WHERE seq = 7;
             DELETE FROM inbox WHERE seq = 8",
        )
        .unwrap();
    let dry = ReplayAsk { dry: true, ..again(false) };
    assert_eq!(replay_all(&rig, dry, NOW).await, (2_492, 3));
    assert_eq!(rig.number("SELECT count(*) FROM inbox"), 2_499, "counting makes nothing");
    // It also walks past what it has just made.
    assert_eq!(replay_all(&rig, again(false), NOW).await, (2_492, 5));
    assert_eq!(rig.number("SELECT count(*) FROM inbox WHERE state = 2 AND replay IS NOT NULL"), 2_492);
    assert_eq!(replay_all(&rig, again(false), NOW).await.0, 0, "the same replay once more is absorbed");
    let (due, _) = rig.store.due(&shop(), NOW, 1).await.unwrap();
    assert_eq!(due[0].replay, Some(Replay { of: Some(9), plugin: Some("greet".into()), send: false }));
    assert_eq!(&*due[0].body, "body of k8");
    rig.store.claim(due[0].seq).await.unwrap();
    rig.store.finish(end(due[0].seq, Vec::new())).await.unwrap();
    assert_eq!(replay_all(&rig, again(false), NOW + 1).await.0, 2_492, "what a replay made is not replayed");
}

#[tokio::test]
async fn a_replay_keeps_its_sends_back_whoever_asks_for_what() {
    for sends in [false, true] {
        let rig = rig();
        rig.store.accept(batch(vec![event("a", "p1")])).await.unwrap();
        rig.store.finish(end(1, Vec::new())).await.unwrap();
        rig.store.replay(again(sends), 0, NOW).await.unwrap();
        let seq = rig.store.due(&shop(), NOW, 9).await.unwrap().0[0].seq;
        let kv: Vec<(Arc<str>, String, Option<Value>)> = vec![("greet".into(), "n".into(), Some(1.into()))];
        let direct = Finish { direct: Some(ask()), kv, ..end(seq, vec![send("greet", 0, "p1", "1")]) };
        let claimed = rig.store.finish(direct).await.unwrap();
        let Finished::Done(claimed) = claimed else { panic!("{claimed:?}") };
        assert_eq!(claimed.len(), usize::from(sends), "claimed with its event");
        let row = rig.store.send_row(1).await.unwrap().unwrap();
        let want = if sends { SendState::Sending } else { SendState::Dropped };
        assert_eq!((row.state, row.replay), (want, true));
        assert_eq!(row.error.as_deref(), (!sends).then_some("replay without --send"));
        let value = rig.store.kv_get("greet", &shop(), "n").await.unwrap();
        assert_eq!(value, Some(1.into()), "what the plugin remembers does change");
        let (claimed, _) = rig.store.claim_sends(ask()).await.unwrap();
        assert_eq!(claimed, Vec::new());
        assert_eq!(rig.store.story(seq).await.unwrap().unwrap().replay.unwrap().send, sends);
    }
}
