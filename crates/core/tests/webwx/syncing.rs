//! Does a session keep what comes through broken, dropped, slow and huge answers?

use std::time::Duration;

use tokio::time::{Instant, timeout};
use wxbot_core::Error;
use wxbot_core::error::{Advice, EndReason};
use wxbot_core::protocol::Session;

use wxbot_sim::{Deliver, Fault, FaultKind, RoomMet, World};

use crate::rig::{LONG, Rig, next, quiet, settings, shop, texts};

fn always(endpoint: &str, kind: FaultKind) -> Fault {
    Fault { times: 0, ..Fault::once(endpoint, kind) }
}

/// Polls and drops the future after `after` each time, until `count` texts came. Batches that are handed over count.
async fn impatient(session: &mut Box<dyn Session>, after: Duration, count: usize) -> Vec<String> {
    let mut seen = Vec::new();
    for _ in 0..1_000 {
        if let Ok(batch) = timeout(after, session.next_batch()).await {
            let batch = batch.unwrap_or_else(|error| panic!("{error}"));
            seen.extend(texts(&batch.events).into_iter().map(str::to_owned));
        }
        if seen.len() >= count {
            break;
        }
    }
    seen
}

#[tokio::test(start_paused = true)]
async fn a_dropped_poll_loses_nothing() {
    // Dropped in the poll, in the fetch, in the question who speaks, or in none of them.
    for (slow, drops) in [("synccheck", 2), ("webwxsync", 2), ("webwxbatchgetcontact", 2), ("synccheck", 0)] {
        let mut account = shop();
        for n in 0..5 {
            account = account.room(format!("room {n}"), &["Alice"]);
            account.rooms.last_mut().unwrap().met = RoomMet::Message;
        }
        let rig = Rig::with(World { sync_batch: 2, ..World::default().with(account) }, settings());
        let mut session = rig.online().await;
        let mut want = Vec::new();
        for n in 0..5 {
            let kind = FaultKind::Delay { ms: 2_000 };
            rig.sim.inject(Fault { times: drops.max(1), ..Fault::once(slow, kind) });
            for text in [format!("{n}a"), format!("{n}b"), format!("{n}c")] {
                rig.sim.deliver("shop", Deliver::text("Alice", &text).in_room(format!("room {n}"))).unwrap();
                want.push(text);
            }
            let after = if drops == 0 { LONG } else { Duration::from_secs(1) };
            let seen = impatient(&mut session, after, 3).await;
            assert_eq!(seen, want[n * 3..], "{slow}");
            rig.sim.clear_faults();
        }
        assert!(quiet(&mut session).await.events.is_empty(), "{slow}: nothing comes twice");
        rig.clean();
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_never_arrived_comes_again() {
    let rig = Rig::new();
    let mut session = rig.online().await;
    for kind in [FaultKind::DropAfter, FaultKind::Drop, FaultKind::Refuse, FaultKind::MalformedXml, FaultKind::Garbage]
    {
        rig.sim.deliver("shop", Deliver::text("Alice", format!("{kind:?}"))).unwrap();
        rig.fault("webwxsync", kind.clone());
        assert!(session.next_batch().await.unwrap_err().is_transient(), "{kind:?}");
        assert_eq!(texts(&next(&mut session).await.events), [format!("{kind:?}")]);
    }
    rig.clean();
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_comes_twice_has_the_same_keys() {
    let rig = Rig::new();
    let mut session = rig.online().await;
    rig.sim.deliver("shop", Deliver::text("Alice", "1")).unwrap();
    rig.sim.set_friend("shop", wxbot_sim::FriendSpec { nick: "Carol".into(), ..Default::default() }).unwrap();
    rig.fault("webwxsync", FaultKind::Duplicate);
    let once = next(&mut session).await;
    let twice = next(&mut session).await;
    assert_eq!(once.events.last().unwrap().key, twice.events.last().unwrap().key);
    assert_eq!(texts(&twice.events), ["1"]);
    rig.clean();
}

#[tokio::test(start_paused = true)]
async fn a_server_that_stands_still_is_asked_ever_more_slowly() {
    let rig = Rig::new();
    let mut session = rig.online().await;
    rig.sim.deliver("shop", Deliver::text("Alice", "again and again")).unwrap();
    rig.sim.inject(always("webwxsync", FaultKind::Duplicate));
    let before = rig.seen_at("webwxsync").len();
    timeout(Duration::from_secs(600), async {
        loop {
            session.next_batch().await.unwrap();
        }
    })
    .await
    .unwrap_err();
    let asked = rig.seen_at("webwxsync").len() - before;
    assert!((20..60).contains(&asked), "{asked} times in ten minutes");
    rig.sim.clear_faults();
    rig.sim.deliver("shop", Deliver::text("Alice", "at last")).unwrap();
    let batch = timeout(Duration::from_secs(61), async {
        loop {
            let batch = session.next_batch().await.unwrap();
            if texts(&batch.events).contains(&"at last") {
                return batch;
            }
        }
    });
    batch.await.unwrap();
    rig.clean();
}

// cov: 39
#[tokio::test(start_paused = true)]
async fn more_is_fetched_without_another_poll() {
    let rig = Rig::with(World { sync_batch: 2, ..World::default().with(shop()) }, settings());
    let mut session = rig.online().await;
    let (polls, syncs) = (rig.seen_at("synccheck").len(), rig.seen_at("webwxsync").len());
    let want: Vec<_> = (0..7).map(|n| n.to_string()).collect();
    for text in &want {
        rig.sim.deliver("shop", Deliver::text("Alice", text)).unwrap();
    }
    let mut seen = Vec::new();
    while seen.len() < 7 {
        seen.extend(texts(&session.next_batch().await.unwrap().events).into_iter().map(str::to_owned));
    }
    assert_eq!(seen, want);
    assert_eq!((rig.seen_at("synccheck").len() - polls, rig.seen_at("webwxsync").len() - syncs), (1, 4));
    rig.clean();
}

#[tokio::test(start_paused = true)]
async fn huge_answers() {
    let rig = Rig::new();
    let mut session = rig.online().await;
    rig.sim.deliver("shop", Deliver::text("Alice", "1")).unwrap();
    rig.fault("webwxsync", FaultKind::BigBody { bytes: 10_000_000 });
    let error = session.next_batch().await.unwrap_err();
    assert!(matches!(error, Error::Decode { len: 10_000_000, .. }) && error.is_transient(), "{error}");
    rig.fault("webwxsync", FaultKind::BigBody { bytes: 17 * 1024 * 1024 });
    assert!(matches!(session.next_batch().await.unwrap_err(), Error::Transport { .. }));
    assert_eq!(texts(&next(&mut session).await.events), ["1"]);

    let long = "长".repeat(10_000_000 / 3);
    rig.sim.deliver("shop", Deliver::text("Alice", &long)).unwrap();
    assert_eq!(texts(&next(&mut session).await.events), [long.as_str()], "10 MB of good text are read");
    rig.clean();
}

#[tokio::test(start_paused = true)]
async fn three_polls_without_an_answer_are_a_dead_session_and_never_a_quiet_one() {
    let rig = Rig::new();
    let mut session = rig.online().await;
    rig.sim.inject(always("synccheck", FaultKind::Delay { ms: 100_000 }));
    let start = Instant::now();
    let error = session.next_batch().await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    assert!(matches!(error, Error::Silent { endpoint: "synccheck", after } if after.as_secs() == 105), "{error}");
    assert!(session.heard_within().unwrap() > 2 * start.elapsed(), "the watchdog comes behind it");
    assert_eq!(start.elapsed().as_secs(), 3 * 35);
    rig.sim.clear_faults();
    rig.sim.deliver("shop", Deliver::text("Alice", "1")).unwrap();
    assert_eq!(texts(&next(&mut session).await.events), ["1"]);
    rig.clean();
}

#[tokio::test(start_paused = true)]
async fn an_idle_session_polls_in_the_rhythm_of_the_server() {
    let rig = Rig::new();
    let mut session = rig.online().await;
    let (start, before) = (Instant::now(), rig.seen().len());
    for _ in 0..4 {
        assert!(session.next_batch().await.unwrap().cursor.is_none());
    }
    assert_eq!(
        (start.elapsed().as_secs(), rig.seen().len() - before),
        (100, 4),
        "held for 25 s each, nothing else asked"
    );
    rig.clean();
}

#[tokio::test(start_paused = true)]
async fn the_ends_of_a_session() {
    for (ret, want) in [(1100, EndReason::LoggedOut), (1101, EndReason::Replaced), (1102, EndReason::CookiesRefused)] {
        let rig = Rig::new();
        let mut session = rig.online().await;
        rig.sim.expire("shop", ret).unwrap();
        let error = session.next_batch().await.unwrap_err();
        assert!(matches!(&error, Error::Ended(reason) if *reason == want), "{ret}: {error}");
        rig.clean();
    }
    // At the service's own hosts, before the first good poll, other push hosts are tried first.
    let rig = Rig::with(World::default().with(shop()), wxbot_core::webwx::Settings { endpoint: None, ..settings() });
    let mut session = rig.log_in().await;
    rig.fault("synccheck", FaultKind::Ret { ret: 1102, msg: String::new() });
    rig.fault("synccheck", FaultKind::Refuse);
    let before = rig.seen().len();
    assert!(!session.next_batch().await.unwrap().events.is_empty());
    let hosts: Vec<_> = rig.seen()[before..].iter().map(|r| r.url.host_str().unwrap().to_owned()).collect();
    assert_eq!(hosts, ["webpush.wx.qq.com", "webpush2.wx.qq.com", "webpush.weixin.qq.com", "wx.qq.com"]);
    // A host of another family gets no cookies; nothing better than asking it without can be done.
    let found: Vec<_> = rig.sim.violations().into_iter().map(|v| (v.hard, v.endpoint, v.what)).collect();
    assert_eq!(found, [(false, "synccheck".to_owned(), "no cookies".to_owned())]);
}

#[tokio::test(start_paused = true)]
async fn an_old_server_without_a_check_key() {
    let rig = Rig::with(World { old_server: true, ..World::default().with(shop()) }, settings());
    let mut session = rig.online().await;
    for text in ["1", "2"] {
        rig.sim.deliver("shop", Deliver::text("Alice", text)).unwrap();
        assert_eq!(texts(&next(&mut session).await.events), [text]);
    }
    assert!(quiet(&mut session).await.events.is_empty());
    rig.clean();
}

#[tokio::test(start_paused = true)]
async fn a_logout_ends_it_for_everybody() {
    let rig = Rig::new();
    let mut session = rig.online().await;
    session.log_out().await;
    assert_eq!(rig.sim.journal().logouts.len(), 1);
    assert!(matches!(session.next_batch().await, Err(Error::Ended(_))));
    rig.clean();
}

#[tokio::test(start_paused = true)]
async fn risk_control_ends_whatever_met_it() {
    for (endpoint, risk) in [("synccheck", 1203), ("webwxsync", 1205)] {
        let rig = Rig::new();
        let mut session = rig.online().await;
        rig.fault(endpoint, FaultKind::Ret { ret: risk, msg: String::new() });
        rig.sim.deliver("shop", Deliver::text("Alice", "1")).unwrap();
        let error = session.next_batch().await.unwrap_err();
        let Error::Refused { refusal, .. } = &error else { panic!("{endpoint}: {error}") };
        let advice = refusal.advice;
        assert!(matches!(advice, Advice::Stop(_)), "{endpoint}: {error}");
        rig.clean();
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_promises_news_and_gives_none_is_told() {
    let rig = Rig::new();
    let mut session = rig.online().await;
    rig.sim.inject(always("webwxsync", FaultKind::Duplicate));
    rig.sim.deliver("shop", Deliver::text("Alice", "1")).unwrap();
    let begun = Instant::now();
    let told = loop {
        if let Some(trouble) = session.next_batch().await.unwrap().trouble {
            break trouble;
        }
        assert!(begun.elapsed() < Duration::from_secs(1_800), "it is never told");
    };
    assert!(told.contains("webwxsync gives nothing"), "{told}");
    assert!(begun.elapsed() > Duration::from_secs(120), "a passing disorder is nobody's news: {:?}", begun.elapsed());
    rig.sim.clear_faults();
    let over = loop {
        if let Some(trouble) = session.next_batch().await.unwrap().trouble {
            break trouble;
        }
    };
    assert_eq!(over, "");
    rig.clean();
}
