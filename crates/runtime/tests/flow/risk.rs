//! Does an account that risk control stopped do nothing by itself, and does a dead connection never look like a quiet one?

use std::time::Duration;

use wxbot_runtime::session::cure::Cure;
use wxbot_sim::{Fault, FaultKind};

use crate::rig::{Rig, say};

const PACE: &str = "middleware = [\"ignore-self\"]\npacing = { per_account = \"100000/s\", per_chat = \"100000/s\", max_age = \"1d\" }";
const HOURS: Duration = Duration::from_secs(5 * 3_600);

fn ret(endpoint: &str, ret: i64) -> Fault {
    Fault::once(endpoint, FaultKind::Ret { ret, msg: String::new() })
}

/// Stopped, with reason and cure, and nothing is asked for hours.
async fn rests(rig: &Rig, code: &str, cure: Cure) {
    rig.phase("needs_login").await;
    let status = rig.status();
    assert!(status.why.contains(code), "{}", status.why);
    assert_eq!(status.cure, cure);
    assert!(status.todo.contains("risk control") && status.todo.contains("`wxbot login shop`"), "{}", status.todo);
    let asked = rig.veil.asked();
    tokio::time::sleep(HOURS).await;
    assert_eq!((rig.veil.asked(), rig.state()), (asked, "needs_login"), "nothing by itself");
    assert_eq!(rig.status().since_ms, status.since_ms);
}

/// A person looked, and lets it go on.
async fn goes_on(rig: &Rig) {
    let ask = rig.ask();
    rig.online().await;
    drop(ask);
}

#[tokio::test(start_paused = true)]
async fn risk_control_on_a_send_stops_the_account_and_the_send_goes_out_when_a_person_lets_it() {
    for (code, cure) in [(1205, Cure::Rest), (1203, Cure::Trust)] {
        let mut rig = Rig::new(PACE).await;
        rig.log_in().await;
        rig.sim.inject(ret("webwxsendmsg", code));
        rig.sim.deliver("shop", say("Alice", "one")).unwrap();
        rests(&rig, &code.to_string(), cure).await;
        let counts = rig.counts().await.outbox;
        assert_eq!((counts.queued, counts.uncertain, counts.failed, counts.sent), (1, 0, 0, 0), "held, not lost");
        assert!(rig.outbox()[0].1.contains("risk control"), "{:?}", rig.outbox());
        goes_on(&rig).await;
        rig.sim.wait_for(|j| j.sends_of("shop").count() == 1).await;
        tokio::time::sleep(Duration::from_secs(120)).await;
        assert_eq!(rig.sends(), [("Alice".to_owned(), "echo: one".to_owned())], "once");
        assert_eq!(rig.sim.journal().logins_of("shop"), 1, "the session was good: no new login");
        rig.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn risk_control_on_a_poll_outlives_a_restart() {
    for endpoint in ["synccheck", "webwxsync"] {
        let mut rig = Rig::new(PACE).await;
        rig.log_in().await;
        rig.sim.inject(ret(endpoint, 1205));
        rig.sim.deliver("shop", say("Alice", "one")).unwrap();
        rests(&rig, "1205", Cure::Rest).await;
        let before = rig.status();
        rig.stop().await;
        let asked = rig.veil.asked();
        rig.start(PACE).await;
        rig.phase("needs_login").await;
        tokio::time::sleep(HOURS).await;
        assert_eq!(rig.veil.asked(), asked, "{endpoint}: a restart is no person");
        let after = rig.status();
        assert_eq!((after.why, after.todo, after.since_ms), (before.why, before.todo, before.since_ms), "{endpoint}");
        goes_on(&rig).await;
        rig.sim.wait_for(|j| j.sends_of("shop").count() == 1).await;
        assert_eq!(rig.sim.journal().logins_of("shop"), 1);
        // What is over is forgotten: the next start is an ordinary one.
        rig.stop().await;
        rig.start(PACE).await;
        rig.online().await;
        rig.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn risk_control_on_a_start_and_on_a_login_waits_for_a_person() {
    let mut rig = Rig::new(PACE).await;
    rig.log_in().await;
    rig.stop().await;
    rig.sim.inject(Fault { times: 2, ..ret("webwxinit", 1203) });
    rig.start(PACE).await;
    rests(&rig, "1203", Cure::Trust).await;
    // A person asks: the session is tried once more, and meets the same.
    let ask = rig.ask();
    rig.until(async |rig| rig.status().round > 1).await;
    rests(&rig, "1203", Cure::Trust).await;
    drop(ask);
    // The next one to ask gets a code, and that login is refused too.
    rig.sim.inject(ret("webwxnewloginpage", 1203));
    let ask = rig.ask();
    let uuid = rig.sim.next_uuid().await;
    rig.sim.scan(&uuid, "shop").unwrap();
    rig.sim.confirm(&uuid).unwrap();
    rig.until(async |rig| rig.state() != "needs_login").await;
    rests(&rig, "1203", Cure::Trust).await;
    drop(ask);
    rig.log_in().await;
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn who_was_logged_out_stays_so_over_a_restart() {
    let mut rig = Rig::new("").await;
    rig.log_in().await;
    rig.sim.kick("shop").unwrap();
    rig.phase("logged_out").await;
    let since = rig.status().since_ms;
    rig.stop().await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let asked = rig.veil.asked();
    rig.start("").await;
    rig.phase("logged_out").await;
    tokio::time::sleep(HOURS).await;
    assert_eq!((rig.veil.asked(), rig.status().since_ms), (asked, since), "the phone is not asked");
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_vanishes_is_no_quiet_account() {
    let mut rig = Rig::new("").await;
    rig.log_in().await;
    rig.sim.inject(Fault { times: 0, ..Fault::once("synccheck", FaultKind::Hang) });
    let begun = tokio::time::Instant::now();
    rig.phase("reconnecting").await;
    assert!(begun.elapsed() < Duration::from_secs(140), "three polls: {:?}", begun.elapsed());
    assert!(rig.why().contains("was not answered for 105 s"), "{}", rig.why());
    // The rest of the service answers, so the session is resumed again and again: that is not being online.
    let inits = rig.sim.journal().inits.len();
    let mut status = rig.runtime().accounts()[0].status();
    let lie = status.wait_for(|status| status.phase.word() == "online");
    assert!(tokio::time::timeout(Duration::from_secs(3_600), lie).await.is_err(), "a lie: {:?}", rig.status());
    assert!(rig.sim.journal().inits.len() > inits + 5, "it goes on trying");
    rig.sim.clear_faults();
    rig.sim.deliver("shop", say("Alice", "there?")).unwrap();
    rig.sim.wait_for(|j| j.sends_of("shop").count() == 1).await;
    rig.online().await;
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_network_that_swallows_everything_is_seen_and_left() {
    let mut rig = Rig::new("").await;
    rig.log_in().await;
    rig.veil.swallow(true);
    let begun = tokio::time::Instant::now();
    rig.phase("reconnecting").await;
    assert!(begun.elapsed() < Duration::from_secs(331), "{:?}", begun.elapsed());
    assert!(rig.why().contains("nothing was heard of the service for 300 s"), "{}", rig.why());
    rig.veil.swallow(false);
    rig.sim.deliver("shop", say("Alice", "there?")).unwrap();
    rig.sim.wait_for(|j| j.sends_of("shop").count() == 1).await;
    rig.stop().await;
}
