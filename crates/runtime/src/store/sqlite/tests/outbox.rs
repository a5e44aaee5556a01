//! Does each send go out at most once, in order, and at the account's pace?

use super::*;
use crate::store::types::OutboxCounts;
use crate::store::{LoneSend, StoreError, Verdict};

fn claimed(finished: Result<Finished, StoreError>) -> Vec<ClaimedSend> {
    let Finished::Done(claimed) = finished.unwrap() else { panic!("refused") };
    claimed
}

fn every(seconds: u64, burst: u32) -> (Rate, u32) {
    (Rate::new(1, Duration::from_secs(seconds)), burst)
}

#[tokio::test]
async fn one_send_of_a_conversation_at_a_time_and_in_order() {
    let rig = rig();
    rig.queue(vec![send("a", 0, "p1", "10"), send("a", 1, "p1", "11"), send("a", 0, "p2", "12")]).await;
    let (sends, wake) = rig.store.claim_sends(ask()).await.unwrap();
    let first = ClaimedSend {
        id: 1,
        conv: conv("p1"),
        client_id: "10".parse().unwrap(),
        body: "a/0".into(),
        attempts: 1,
        ended: None,
    };
    assert_eq!((&sends[0], sends.len(), wake), (&first, 2, None));
    assert!(rig.claim(ask()).await.is_empty(), "both lanes are busy");
    rig.store.settle(1, again(NOW + 50, true)).await.unwrap();
    assert_eq!(rig.store.claim_sends(ask()).await.unwrap(), (vec![], Some(NOW + 50)), "the second waits for the first");
    let again = rig.store.claim_sends(ClaimSends { now_ms: NOW + 50, ..ask() }).await.unwrap().0;
    assert_eq!((again[0].id, again[0].attempts), (1, 2));
    rig.sent(1).await;
    assert_eq!(rig.claim(ask()).await, [2]);
}

#[tokio::test]
async fn a_limit_takes_the_oldest_first() {
    let rig = rig();
    rig.queue((0..5).map(|n| send("a", 0, &format!("p{}", 9 - n), &format!("1{n}"))).collect()).await;
    assert_eq!(rig.claim(ClaimSends { limit: 2, ..ask() }).await, [1, 2]);
    assert_eq!(rig.claim(ask()).await, [3, 4, 5]);
}

#[tokio::test]
async fn the_account_keeps_its_pace() {
    let rig = rig();
    rig.queue((0..4).map(|n| send("a", 0, &format!("p{n}"), &format!("1{n}"))).collect()).await;
    let paced = |now_ms| ClaimSends { now_ms, per_account: every(1, 2), ..ask() };
    let (sends, wake) = rig.store.claim_sends(paced(NOW)).await.unwrap();
    assert_eq!(sends.iter().map(|s| s.id).collect::<Vec<_>>(), [1, 2]);
    let wake = wake.unwrap();
    assert!((NOW + 1_000..NOW + 1_010).contains(&wake), "{}", wake - NOW);
    assert!(rig.claim(paced(wake - 2)).await.is_empty());
    assert_eq!(rig.claim(paced(wake)).await, [3]);
    assert!(rig.claim(paced(wake)).await.is_empty(), "the debt is on the disk");
}

#[tokio::test]
async fn a_paced_chat_starves_nobody() {
    let rig = rig();
    // More of one chat than a claim looks at in order of age; the others are behind all of them.
    let many = (0..200).map(|n| send("a", n, "p1", &format!("1{n:03}")));
    let others = (2..5).map(|n| send("a", 0, &format!("p{n}"), &format!("2{n:03}")));
    rig.queue(many.chain(others).collect()).await;
    let paced = |now_ms| ClaimSends { now_ms, per_chat: every(3, 1), ..ask() };
    assert_eq!(rig.claim(paced(NOW)).await, [1, 201, 202, 203]);
    for id in [1, 201, 202, 203] {
        rig.sent(id).await;
    }
    let (sends, wake) = rig.store.claim_sends(paced(NOW)).await.unwrap();
    assert_eq!((sends.len(), wake.map(|at| (at - NOW) / 100)), (0, Some(30)));
    rig.queue(vec![send("a", 0, "p2", "3001"), send("a", 0, "p9", "3002")]).await;
    assert_eq!(rig.claim(paced(NOW)).await, [205], "p2 is paced, p9 is new");
    assert_eq!(rig.claim(paced(wake.unwrap())).await, [2, 204]);
}

#[tokio::test]
async fn an_old_send_expires_and_its_lane_goes_on() {
    let rig = rig();
    rig.queue(vec![send("a", 0, "p1", "10"), send("a", 1, "p1", "11")]).await;
    rig.sql().execute_batch("UPDATE outbox SET created_at = created_at - 600001 WHERE id = 1").unwrap();
    assert_eq!(rig.claim(ask()).await, [2]);
    assert_eq!(rig.states(), [5, 1]);
}

#[tokio::test]
async fn a_clock_set_back_costs_an_hour_at_most() {
    let rig = rig();
    rig.queue(vec![send("a", 0, "p1", "10")]).await;
    rig.claim(ask()).await;
    rig.store.settle(1, again(NOW + DAY, true)).await.unwrap();
    let hour = NOW + 3_600_000;
    assert_eq!(rig.store.claim_sends(ask()).await.unwrap(), (vec![], Some(hour)));
    assert_eq!(rig.claim(ClaimSends { now_ms: hour, max_age_ms: DAY, ..ask() }).await, [1]);
}

#[tokio::test]
async fn a_start_makes_sends_under_way_uncertain_and_people_decide() {
    for (verdict, state, claimed) in [(Verdict::Resend, 0, vec![1]), (Verdict::Drop, 6, vec![])] {
        let rig = rig();
        rig.queue(vec![send("a", 0, "p1", "10"), send("a", 1, "p1", "11")]).await;
        rig.claim(ask()).await;
        rig.store.recover(&shop()).await.unwrap();
        assert_eq!(rig.states(), [2, 0]);
        assert_eq!(rig.claim(ask()).await, [2], "an uncertain send holds up nobody");
        assert_eq!(rig.store.decide_uncertain(&shop(), verdict).await.unwrap(), 1);
        assert_eq!(rig.states(), [state, 1]);
        assert!(rig.claim(ask()).await.is_empty(), "the lane has a send under way, though a younger one");
        rig.sent(2).await;
        assert_eq!(rig.claim(ask()).await, claimed);
    }
}

#[tokio::test]
async fn an_own_message_proves_one_uncertain_send_in_time() {
    for (what, chat, echo, after_ms, proved) in [
        ("in time", "p1", 7, 119_999, 1),
        ("too late", "p1", 7, 120_000, 0),
        ("another text", "p1", 8, 0, 0),
        ("another chat", "p2", 7, 0, 0),
    ] {
        let rig = rig();
        rig.queue(vec![send("a", 7, "p1", "10"), send("b", 7, "p1", "11")]).await;
        for id in [1, 2] {
            rig.claim(ask()).await;
            rig.store.settle(id, unsure()).await.unwrap();
        }
        let own = Accept { now_ms: NOW + after_ms, ..batch(vec![NewRow { echo: Some(echo), ..event("own", chat) }]) };
        assert_eq!(rig.store.accept(own.clone()).await.unwrap().proved, proved, "{what}");
        assert_eq!(rig.states(), if proved == 1 { [3, 2] } else { [2, 2] }, "{what}");
        assert_eq!(rig.store.accept(own).await.unwrap().proved, 0, "{what}: the repeat proves nothing more");
    }
}

#[tokio::test]
async fn an_own_message_may_come_before_the_answer_fails() {
    for (what, settlement, state) in [
        ("no answer", Some(unsure()), 3),
        ("no answer, dropped", Some(Settlement::Dropped { error: "x".into() }), 3),
        ("no answer, again", Some(again(NOW, true)), 3),
        (
            "surely not taken",
            Some(Settlement::Again { not_before_ms: NOW, error: "x".into(), counts: true, unsure: false }),
            0,
        ),
        ("the session was over before it", Some(again(NOW, false)), 0),
        ("refused", Some(Settlement::Failed { error: "x".into() }), 4),
        ("killed", None, 3),
    ] {
        let rig = rig();
        rig.queue(vec![send("a", 7, "p1", "10")]).await;
        rig.claim(ask()).await;
        let own = batch(vec![NewRow { echo: Some(7), ..event("own", "p1") }]);
        assert_eq!(rig.store.accept(own).await.unwrap().proved, 0, "{what}: the answer may still come");
        match settlement {
            Some(settlement) => rig.store.settle(1, settlement).await.unwrap(),
            None => rig.store.recover(&shop()).await.unwrap(),
        }
        assert_eq!(rig.states(), [state], "{what}");
    }
}

#[tokio::test]
async fn only_a_send_under_way_can_be_settled() {
    let rig = rig();
    rig.queue(vec![send("a", 0, "p1", "10")]).await;
    let all = || {
        let error = String::from("x");
        [
            Settlement::Failed { error: error.clone() },
            Settlement::Dropped { error },
            Settlement::Sent { server_id: None },
            unsure(),
            again(NOW, true),
        ]
    };
    for settlement in all() {
        rig.store.settle(1, settlement).await.unwrap();
        assert_eq!(rig.states(), [0]);
    }
    rig.claim(ask()).await;
    rig.sent(1).await;
    for settlement in all() {
        rig.store.settle(1, settlement).await.unwrap();
        assert_eq!(rig.states(), [3]);
    }
}

#[tokio::test]
async fn a_try_that_does_not_count_is_not_counted() {
    let rig = rig();
    rig.queue(vec![send("a", 0, "p1", "10")]).await;
    for (counts, attempts) in [(false, 1), (true, 1), (true, 2), (false, 3)] {
        assert_eq!(rig.store.claim_sends(ask()).await.unwrap().0[0].attempts, attempts);
        rig.store.settle(1, again(NOW, counts)).await.unwrap();
    }
}

#[tokio::test]
async fn counts_name_every_state() {
    let rig = rig();
    rig.queue((0..7).map(|n| send("a", 0, &format!("p{n}"), &format!("1{n}"))).collect()).await;
    rig.sql().execute_batch("UPDATE outbox SET state = id - 1").unwrap();
    let counts = rig.store.counts(&shop()).await.unwrap().outbox;
    let each = OutboxCounts {
        queued: 1,
        sending: 1,
        sent: 1,
        unconfirmed: 0,
        uncertain: 1,
        failed: 1,
        expired: 1,
        dropped: 1,
    };
    assert_eq!(counts, each);
    for (what, without) in [("{\"do\":\"send_text\",\"to\":\"p1\"}", 1), ("{\"do\":\"set_topic\",\"room\":\"r1\"}", 0)]
    {
        rig.sql().execute("UPDATE outbox SET body = ?1 WHERE state = 3", [what]).unwrap();
        let counts = rig.store.counts(&shop()).await.unwrap().outbox;
        assert_eq!((counts.sent, counts.unconfirmed), (1, without), "only of messages an id is due: {what}");
    }
}

#[tokio::test]
async fn retention_keeps_what_is_undecided() {
    let rig = rig();
    rig.queue((0..7).map(|n| send("a", 0, &format!("p{n}"), &format!("1{n}"))).collect()).await;
    rig.sql()
        .execute_batch("UPDATE outbox SET state = id - 1; UPDATE inbox SET recv_at = recv_at + 99999999999")
        .unwrap();
    assert!(!rig.store.sweep(NOW + 30 * DAY).await.unwrap());
    assert_eq!(rig.states().len(), 7);
    assert!(!rig.store.sweep(NOW + 31 * DAY).await.unwrap());
    assert_eq!(rig.states(), [0, 1, 2]);
}

#[tokio::test]
async fn a_client_id_that_is_taken_gives_way_to_the_next() {
    let rig = rig();
    // As after a start with the clock set back: ids are drawn that former sends have.
    let taken = "17800000000000998";
    rig.queue((0..4).map(|n| send("a", n, "p1", taken)).collect()).await;
    let within = end(5, vec![send("a", 0, "p2", taken), send("a", 1, "p2", taken)]);
    rig.store.accept(batch(vec![event("k", "p2")])).await.unwrap();
    rig.store.finish(within.clone()).await.unwrap();
    rig.store.finish(within).await.unwrap();
    let c = rig.sql();
    let mut ids = c.prepare("SELECT client_id FROM outbox ORDER BY id").unwrap();
    let ids: Vec<String> = ids.query_map([], |r| r.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
    let want: Vec<String> = (0..6).map(|n| (17_800_000_000_000_998_u64 + n).to_string()).collect();
    assert_eq!(ids, want);
    let other = Finish { account: "other".parse().unwrap(), ..end(1, vec![send("z", 0, "p1", taken)]) };
    rig.store.accept(Accept { account: other.account.clone(), ..batch(vec![event("k", "p1")]) }).await.unwrap();
    rig.store.finish(Finish { seq: 6, ..other }).await.unwrap();
    assert_eq!(
        rig.number("SELECT count(*) FROM outbox WHERE client_id = '17800000000000998'"),
        2,
        "ids are the account's own"
    );
}

#[test]
fn the_next_id_is_one_higher() {
    for (id, next) in [
        ("10", "11"),
        ("0", "1"),
        ("0099", "0100"),
        ("9", "10"),
        (&"9".repeat(40), &format!("1{}", "0".repeat(39))),
        (&format!("{}8", "9".repeat(39)), &"9".repeat(40)),
    ] {
        assert_eq!(super::super::outbox::next_id(id), next, "{id}");
    }
}

#[tokio::test]
async fn a_send_claimed_with_its_event_passes_nobody_in_its_lane() {
    let rig = rig();
    rig.store.accept(batch(vec![event("a", "p1"), event("b", "p1"), event("c", "p1")])).await.unwrap();
    let direct = |seq, sends| Finish { direct: Some(ask()), ..end(seq, sends) };
    let first = claimed(rig.store.finish(direct(1, vec![send("x", 0, "p1", "1"), send("x", 1, "p2", "2")])).await);
    assert_eq!(first.iter().map(|s| s.conv.as_str()).collect::<Vec<_>>(), ["p1", "p2"]);
    // p1 has one under way: the next one waits for it, and is found by a claim of the usual kind.
    let second = claimed(rig.store.finish(direct(2, vec![send("x", 0, "p1", "3"), send("x", 1, "p3", "4")])).await);
    assert_eq!(second.iter().map(|s| s.conv.as_str()).collect::<Vec<_>>(), ["p3"]);
    rig.sent(first[0].id).await;
    // Not claimed directly while an older one waits in the lane, whoever is free.
    assert_eq!(claimed(rig.store.finish(direct(3, vec![send("x", 0, "p1", "5")])).await), []);
    let (usual, _) = rig.store.claim_sends(ask()).await.unwrap();
    assert_eq!(usual.len(), 1);
    assert_eq!(usual[0].client_id.as_str(), "3");
}

#[tokio::test]
async fn a_send_of_no_event_goes_as_the_others_and_can_be_withdrawn_before() {
    let rig = rig();
    let lone = |client_id: &str, cause, direct| LoneSend {
        account: shop(),
        sends: vec![send("now", 0, "p1", client_id)],
        cause: (1_u64 << 62) | cause,
        direct,
        now_ms: NOW,
    };
    let first = rig.store.send(lone("1", 1, Some(ask()))).await.unwrap();
    assert_eq!(first.len(), 1, "claimed at once");
    assert!(rig.store.send(lone("2", 2, Some(ask()))).await.unwrap().is_empty(), "behind the first");
    rig.store.send(lone("3", 3, None)).await.unwrap();
    let withdraw = async |cause: u64| rig.store.withdraw((1 << 62) | cause, 0).await.unwrap();
    assert!(!withdraw(1).await, "it is under way");
    assert!(withdraw(2).await);
    assert!(!withdraw(2).await);
    rig.sent(first[0].id).await;
    let next = rig.store.claim_sends(ask()).await.unwrap().0;
    assert_eq!(next.iter().map(|send| send.client_id.as_str()).collect::<Vec<_>>(), ["3"]);
    rig.store.settle(next[0].id, Settlement::Held { error: "who?".into() }).await.unwrap();
    assert!(withdraw(3).await, "held is not begun");
    let counts: OutboxCounts = rig.store.counts(&shop()).await.unwrap().outbox;
    assert_eq!((counts.sent, counts.dropped), (1, 2));
}

#[tokio::test]
async fn whoever_withdraws_learns_of_the_part_that_is_waited_for() {
    let rig = rig();
    let parts = |direct| LoneSend {
        account: shop(),
        sends: (0..3).map(|ord| send("now", ord, "p1", &format!("1{ord}"))).collect(),
        cause: 1 << 62,
        direct,
        now_ms: NOW,
    };
    let first = rig.store.send(parts(Some(ask()))).await.unwrap();
    // Its end is stored, and not told yet: whoever waits for it must not hear that nothing was sent.
    rig.sent(first[0].id).await;
    assert!(!rig.store.withdraw(1 << 62, 0).await.unwrap());
    assert_eq!(rig.states(), [3, 6, 6], "the others do not go on without whoever asked");
    let rig = self::rig();
    let first = rig.store.send(parts(Some(ask()))).await.unwrap();
    rig.sent(first[0].id).await;
    assert!(rig.store.withdraw(1 << 62, 1).await.unwrap(), "nobody has seen the second");
    let rig = self::rig();
    let first = rig.store.send(parts(Some(ask()))).await.unwrap();
    let again = Settlement::Resent { not_before_ms: NOW + 1_000, error: "no answer".into() };
    rig.store.settle(first[0].id, again).await.unwrap();
    assert!(!rig.store.withdraw(1 << 62, 0).await.unwrap(), "somebody may have seen it");
    assert_eq!(rig.states(), [6, 6, 6]);
}

#[tokio::test]
async fn a_clear_no_says_nothing_of_an_earlier_try() {
    let no = || Settlement::Failed { error: "not that".into() };
    for unsure in [false, true] {
        let rig = rig();
        rig.queue(vec![send("x", 0, "p1", "1")]).await;
        let id = rig.claim(ask()).await[0];
        if unsure {
            let again = Settlement::Resent { not_before_ms: NOW, error: "no answer".into() };
            rig.store.settle(id, again).await.unwrap();
            assert_eq!(rig.claim(ask()).await, [id]);
        }
        rig.store.settle(id, no()).await.unwrap();
        assert_eq!(rig.states(), [if unsure { 2 } else { 4 }]);
        let error: String = rig.sql().query_row("SELECT error FROM outbox", [], |r| r.get(0)).unwrap();
        assert_eq!(error, if unsure { "not that; an earlier try may have been taken" } else { "not that" });
    }
    // Nor does its age, when it was held meanwhile.
    let rig = rig();
    rig.queue(vec![send("x", 0, "p1", "1")]).await;
    let id = rig.claim(ask()).await[0];
    rig.store.settle(id, Settlement::Resent { not_before_ms: NOW, error: "no answer".into() }).await.unwrap();
    rig.store.hold(&shop(), vec![(conv("p1"), "who?".to_owned())]).await.unwrap();
    rig.store.let_go(&shop(), vec![conv("p1")], NOW + 1_000, 500).await.unwrap();
    assert_eq!((rig.states(), rig.number("SELECT held FROM outbox")), (vec![2], 0));
}
