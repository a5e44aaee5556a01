//! Is what was taken handled to its end, whatever happens in between?

use bytes::Bytes;
use serde_json::json;
use wxbot_model::{ContactKind, Noticed};

use super::*;
use crate::contacts::rolls::Notes;
use crate::store::{BoundContact, Claims, RoomRow};

fn friend(id: &str, peer: &str) -> BoundContact {
    let member = Noticed { id: Some(conv("p9")), name: "老王".into() };
    let notes = Notes { made: 3, owner: Some((None, member)), ..Notes::default() };
    BoundContact {
        id: conv(id),
        peer: peer.parse().unwrap(),
        kind: ContactKind::Official,
        uin: u64::MAX,
        wxid: "wxid_a".into(),
        alias: "al".into(),
        remark_name: "小店".into(),
        nick_name: "n".into(),
        attr_status: 3,
        picture: 7,
        of: u64::MAX - 1,
        login: u64::MAX - 2,
        born: 5,
        same_as: Some(conv("p3")),
        ours: false,
        met_in: Some(conv("r4")),
        room: Some(Box::new(RoomRow { sketch: [1, u32::MAX].into(), roll: [5].into(), notes, by_topic: true })),
    }
}

#[tokio::test]
async fn a_batch_is_taken_whole_or_not_at_all() {
    let rig = rig();
    let whole = Accept {
        cursor: Some(Bytes::from_static(b"key 2")),
        sealed: Some(b"sealed".to_vec()),
        contacts: vec![friend("o1", "@a")],
        ..batch(vec![event("a", "p1"), event("b", "p1")])
    };
    // The cursor is written last, so a failure there must take everything else with it.
    rig.sql().execute_batch("CREATE TRIGGER t BEFORE INSERT ON cursor BEGIN SELECT raise(ABORT, 'no'); END").unwrap();
    rig.store.accept(whole.clone()).await.unwrap_err();
    assert_eq!(
        rig.number(
            "SELECT (SELECT count(*) FROM inbox) + (SELECT count(*) FROM contact) + (SELECT count(*) FROM session)"
        ),
        0
    );

    rig.sql().execute_batch("DROP TRIGGER t").unwrap();
    rig.store.accept(whole.clone()).await.unwrap();
    let saved = rig.store.session(&shop()).await.unwrap().unwrap();
    assert_eq!((&*saved.cursor, &*saved.sealed, saved.set_aside), (&b"key 2"[..], &b"sealed"[..], false));
    assert_eq!(rig.store.contacts(&shop()).await.unwrap(), whole.contacts);
}

#[tokio::test]
async fn a_repeated_event_is_absorbed() {
    let rig = rig();
    let first = rig.store.accept(batch(vec![event("a", "p1"), event("b", "p2")])).await.unwrap();
    assert_eq!(first.seqs, [Some(1), Some(2)]);
    let again = rig.store.accept(batch(vec![event("b", "p2"), event("c", "p1"), event("c", "p1")])).await.unwrap();
    // Absorbed ones leave gaps in the numbers; the order is what counts.
    let third = again.seqs[1].unwrap();
    assert!(third > 2 && again.seqs == [None, Some(third), None]);
    let other = Accept { account: "other".parse().unwrap(), ..batch(vec![event("a", "p1")]) };
    assert!(rig.store.accept(other).await.unwrap().seqs[0] > Some(third), "keys are the account's own");

    let rows = rig.store.waiting(&shop(), 0, 9).await.unwrap();
    assert_eq!(
        rows.iter().map(|r| (r.seq, r.conv.as_str(), &*r.body)).collect::<Vec<_>>(),
        [(1, "p1", "body of a"), (2, "p2", "body of b"), (third, "p1", "body of c")]
    );
    assert_eq!(rig.store.waiting(&shop(), 1, 1).await.unwrap()[0].seq, 2);
}

#[tokio::test]
async fn tries_that_end_with_the_process_are_told_from_errors() {
    let rig = rig();
    rig.store.accept(batch(vec![event("a", "p1")])).await.unwrap();
    for (what, attempts, errors, then) in [
        ("first", 1, 0, None),
        ("after a crash", 2, 0, Some(failed(1, Some(0), true))),
        ("after an error", 3, 1, Some(failed(1, Some(0), false))),
        ("after one that does not count", 3, 1, None),
    ] {
        assert_eq!(rig.store.claim(1).await.unwrap(), Claims { attempts, errors }, "{what}");
        assert!(rig.store.waiting(&shop(), 0, 9).await.unwrap().is_empty(), "{what}: it runs");
        if let Some(failure) = then {
            rig.store.fail(failure).await.unwrap();
            assert!(rig.store.waiting(&shop(), 0, 9).await.unwrap().is_empty(), "{what}: its lane keeps it");
        }
        rig.store.recover(&shop()).await.unwrap();
        assert_eq!(rig.store.waiting(&shop(), 0, 9).await.unwrap().len(), 1, "{what}: it waits again");
    }
}

#[tokio::test]
async fn parked_events_come_back_when_due_and_once() {
    let rig = rig();
    rig.store.accept(batch((0..4).map(|n| event(&format!("k{n}"), "p1")).collect())).await.unwrap();
    for (seq, at) in [(1, NOW + 10), (2, NOW), (3, NOW + 90 * DAY)] {
        rig.store.claim(seq).await.unwrap();
        rig.store.fail(failed(seq, Some(at), true)).await.unwrap();
    }
    let seqs = async |now| {
        let (rows, next) = rig.store.due(&shop(), now, 9).await.unwrap();
        (rows.iter().map(|r| r.seq).collect::<Vec<_>>(), next)
    };
    assert_eq!(seqs(NOW).await, (vec![2], Some(NOW + 10)));
    assert_eq!(seqs(NOW + 10).await, (vec![1], Some(NOW + 3_600_000)), "a clock set back costs an hour at most");
    assert_eq!(seqs(NOW + 3_600_000).await, (vec![3], None));
    assert_eq!(seqs(NOW + 90 * DAY).await, (vec![], None));
    rig.store.recover(&shop()).await.unwrap();
    assert_eq!(rig.store.waiting(&shop(), 0, 9).await.unwrap().len(), 4);
}

#[tokio::test]
async fn effects_are_recorded_once() {
    let rig = rig();
    rig.store.accept(batch(vec![event("a", "p1"), event("b", "p1")])).await.unwrap();
    rig.store.claim(1).await.unwrap();
    let put = |n: i64| vec![(Arc::from("a"), "n".to_owned(), Some(json!(n)))];
    let partial = Finish { kv: put(1), ..end(1, vec![send("a", 0, "p1", "10")]) };
    let failure = Failure { partial: Some(partial), done: vec!["a".into(), "b".into()], ..failed(1, Some(0), true) };
    rig.store.fail(failure).await.unwrap();
    rig.store.recover(&shop()).await.unwrap();
    assert_eq!(rig.store.waiting(&shop(), 0, 1).await.unwrap()[0].done, ["a", "b"]);

    let twice =
        vec![send("a", 0, "p1", "11"), send("b", 0, "p1", "12"), send("b", 0, "p1", "13"), send("b", 1, "p1", "14")];
    rig.store.finish(end(1, twice)).await.unwrap();
    assert_eq!(rig.number("SELECT count(*) FROM outbox"), 3, "a/0 from the partial, b/0, b/1");

    // It has ended: handled once more by mistake, it neither comes back nor leaves a trace.
    assert_eq!(rig.store.claim(1).await.unwrap(), Claims { attempts: 1, errors: 1 });
    rig.store.finish(Finish { kv: put(2), ..end(1, vec![send("c", 0, "p1", "15")]) }).await.unwrap();
    rig.store
        .fail(Failure { partial: Some(end(1, vec![send("d", 0, "p1", "16")])), ..failed(1, None, true) })
        .await
        .unwrap();
    assert_eq!(rig.number("SELECT count(*) FROM outbox"), 3);
    assert_eq!(rig.store.kv_get("a", &shop(), "n").await.unwrap(), Some(json!(1)));
    assert_eq!(rig.number("SELECT state FROM inbox WHERE seq = 1"), 3);
}

#[tokio::test]
async fn contacts_and_sessions_survive_a_start() {
    let rig = rig();
    rig.store.save_session(&shop(), b"s1".to_vec(), Bytes::from_static(b"c1"), vec![friend("o1", "@a")]).await.unwrap();
    rig.store.bind_contacts(&shop(), vec![friend("o1", "@b"), friend("o2", "@a")]).await.unwrap();
    assert_eq!(rig.store.contacts(&shop()).await.unwrap(), [friend("o1", "@b"), friend("o2", "@a")]);
    rig.store.set_session_aside(&shop()).await.unwrap();
    assert!(rig.store.session(&shop()).await.unwrap().unwrap().set_aside);
    rig.store.save_session(&shop(), b"s2".to_vec(), Bytes::from_static(b"c2"), Vec::new()).await.unwrap();
    let saved = rig.store.session(&shop()).await.unwrap().unwrap();
    assert_eq!((&*saved.sealed, saved.set_aside), (&b"s2"[..], false));
    assert!(rig.store.session(&"other".parse().unwrap()).await.unwrap().is_none());
}

#[tokio::test]
async fn what_was_answered_is_there_after_a_kill() {
    let rig = rig();
    rig.store.accept(batch(vec![event("a", "p1")])).await.unwrap();
    let again = rig.killed();
    again.store.recover(&shop()).await.unwrap();
    assert_eq!(again.store.waiting(&shop(), 0, 9).await.unwrap().len(), 1);
}

#[tokio::test]
async fn counts_name_every_state() {
    let rig = rig();
    rig.store.accept(batch((0..5).map(|n| event(&format!("k{n}"), "p1")).collect())).await.unwrap();
    for (seq, note) in [(1, None), (2, Some("filter: blocked")), (3, Some("late: too old"))] {
        rig.store.finish(Finish { note: note.map(str::to_owned), ..end(seq, Vec::new()) }).await.unwrap();
    }
    rig.store.fail(failed(4, None, true)).await.unwrap();
    let inbox = rig.store.counts(&shop()).await.unwrap().inbox;
    assert_eq!((inbox.waiting, inbox.done, inbox.stopped, inbox.late, inbox.dead), (1, 1, 1, 1, 1));
}

#[tokio::test]
async fn retention_goes_in_steps_and_spares_what_is_open() {
    let rig = rig();
    rig.store.accept(batch((0..2_503).map(|n| event(&format!("k{n}"), "p1")).collect())).await.unwrap();
    rig.sql()
        .execute_batch("UPDATE inbox SET state = 3 WHERE seq > 3; UPDATE inbox SET state = 4 WHERE seq = 3")
        .unwrap();
    let sweep_all = async |now| {
        let mut steps = 1;
        while rig.store.sweep(now).await.unwrap() {
            steps += 1;
        }
        steps
    };
    let left = || rig.number("SELECT count(*) * 10000 + count(body) FROM inbox");
    for (what, at, steps, want) in [
        ("young", NOW + 7 * DAY, 1, 2_503 * 10_000 + 2_503),
        ("bodies", NOW + 8 * DAY, 3, 2_503 * 10_000 + 3),
        ("keys", NOW + 31 * DAY, 3, 3 * 10_000 + 3),
        ("dead", NOW + 91 * DAY, 1, 2 * 10_000 + 2),
    ] {
        assert_eq!((sweep_all(at).await, left()), (steps, want), "{what}");
    }
}

#[tokio::test]
async fn the_first_events_of_a_batch_are_claimed_with_it() {
    let rig = rig();
    rig.store.accept(batch(vec![event("known", "p1")])).await.unwrap();
    let rows = ["known", "a", "b", "c"].map(|key| event(key, "p1")).into();
    let accepted = rig.store.accept(Accept { claim: 2, ..batch(rows) }).await.unwrap();
    let seqs: Vec<_> = accepted.seqs.iter().map(Option::is_some).collect();
    assert_eq!(seqs, [false, true, true, true], "a repeat takes no place");
    let waiting =
        async || rig.store.waiting(&shop(), 0, 9).await.unwrap().iter().map(|row| row.seq).collect::<Vec<_>>();
    let all: Vec<u64> = accepted.seqs.into_iter().flatten().collect();
    assert_eq!(waiting().await, [1, all[2]], "the disk hands out what nobody has");
    // The process ends before either is finished: both come again, and their next try is the second.
    rig.store.recover(&shop()).await.unwrap();
    assert_eq!(waiting().await.len(), 4);
    assert_eq!(rig.store.claim(all[0]).await.unwrap(), Claims { attempts: 2, errors: 0 });
    assert_eq!(rig.store.claim(all[2]).await.unwrap(), Claims { attempts: 1, errors: 0 });
}

#[tokio::test]
async fn what_a_stop_finds_unbegun_was_never_begun() {
    let rig = rig();
    rig.store.accept(Accept { claim: 2, ..batch(vec![event("a", "p1"), event("b", "p1")]) }).await.unwrap();
    rig.store.give_back(vec![2]).await.unwrap();
    rig.store.recover(&shop()).await.unwrap();
    assert_eq!(rig.store.claim(1).await.unwrap().attempts, 2, "it may have been begun");
    assert_eq!(rig.store.claim(2).await.unwrap().attempts, 1);
}

#[tokio::test]
async fn a_moment_under_a_wrong_clock_does_not_end_the_sweep() {
    let rig = rig();
    rig.store.accept(Accept { now_ms: NOW, ..batch(vec![event("a", "p1")]) }).await.unwrap();
    rig.store.accept(Accept { now_ms: NOW + 3_000 * DAY, ..batch(vec![event("ahead", "p1")]) }).await.unwrap();
    rig.store.accept(Accept { now_ms: NOW + 1, ..batch(vec![event("b", "p1")]) }).await.unwrap();
    for seq in 1..=3 {
        rig.store.claim(seq).await.unwrap();
        rig.store.finish(end(seq, Vec::new())).await.unwrap();
    }
    while rig.store.sweep(NOW + 31 * DAY).await.unwrap() {}
    let left: i64 =
        rig.sql().query_row("SELECT count(*) FROM inbox WHERE src_key IN ('a', 'b')", [], |r| r.get(0)).unwrap();
    assert_eq!(left, 0);
}
