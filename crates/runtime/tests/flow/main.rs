//! Do session, store, dispatch and outbox work together? On the in-memory simulator with a paused clock.

#[cfg(test)]
mod alerts;
#[cfg(test)]
mod explain;
#[cfg(test)]
mod media;
#[cfg(test)]
mod owner;
#[cfg(test)]
mod pacing;
#[cfg(test)]
mod reload;
#[cfg(test)]
mod relogin;
#[cfg(test)]
mod rig;
#[cfg(test)]
mod risk;
#[cfg(test)]
mod rooms;
#[cfg(test)]
mod town;
#[cfg(test)]
mod veil;

use std::time::Duration;

use rig::{Rig, say};
use wxbot_sim::{Fault, FaultKind};

#[tokio::test(start_paused = true)]
async fn a_message_becomes_one_durable_reply() {
    let mut rig = Rig::new("").await;
    rig.log_in().await;
    rig.sim.deliver("shop", say("Alice", "hello")).unwrap();
    rig.sim.wait_for(|j| j.sends_of("shop").count() == 1).await;
    let sends = rig.sends();
    assert_eq!(sends, [("Alice".to_owned(), "echo: hello".to_owned())]);
    let counts = rig.counts().await;
    assert_eq!((counts.inbox.waiting, counts.outbox.queued), (0, 0));
    // Not even what the service bears of others: ids reused or drawn apart, made-up tickets, missing headers.
    assert!(rig.sim.violations().is_empty(), "{:?}", rig.sim.violations());
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_restart_goes_on_by_hot_login_and_answers_what_came_meanwhile_once() {
    let mut rig = Rig::new("").await;
    rig.log_in().await;
    rig.sim.deliver("shop", say("Alice", "one")).unwrap();
    rig.sim.wait_for(|j| j.sends_of("shop").count() == 1).await;
    rig.stop().await;
    rig.sim.deliver("shop", say("Alice", "two")).unwrap();
    rig.start("").await;
    rig.online().await;
    rig.sim.wait_for(|j| j.sends_of("shop").count() == 2).await;
    tokio::time::sleep(Duration::from_secs(120)).await;
    let texts: Vec<_> = rig.sends().into_iter().map(|(_, t)| t).collect();
    assert_eq!(texts, ["echo: one", "echo: two"]);
    assert_eq!(rig.sim.journal().logins_of("shop"), 1, "no second scan");
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_to_a_send_is_held_not_repeated() {
    let mut rig = Rig::new("").await;
    rig.log_in().await;
    rig.sim.inject(Fault::once("webwxsendmsg", FaultKind::DropAfter));
    rig.sim.deliver("shop", say("Alice", "hello")).unwrap();
    rig.sim.wait_for(|j| j.sends_of("shop").count() == 1).await;
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert_eq!(rig.sends().len(), 1, "hold: never twice");
    assert_eq!(rig.counts().await.outbox.uncertain, 1);
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn our_own_message_coming_back_proves_an_uncertain_send() {
    let mut rig = Rig::new("").await;
    rig.log_in().await;
    rig.sim.inject(Fault::once("webwxsendmsg", FaultKind::Drop));
    rig.sim.deliver("shop", say("Alice", "hello")).unwrap();
    rig.until(async |rig| rig.counts().await.outbox.uncertain == 1).await;
    rig.sim.deliver("shop", say("Alice", "echo: hello").own()).unwrap();
    rig.until(async |rig| rig.counts().await.outbox.sent == 1).await;
    assert_eq!(rig.counts().await.outbox.uncertain, 0);
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn resend_repeats_under_the_same_client_msg_id() {
    let mut rig = Rig::new("on_uncertain = \"resend\"").await;
    rig.log_in().await;
    rig.sim.inject(Fault::once("webwxsendmsg", FaultKind::DropAfter));
    rig.sim.deliver("shop", say("Alice", "hello")).unwrap();
    rig.sim.wait_for(|j| j.sends_of("shop").count() == 2).await;
    let journal = rig.sim.journal();
    let ids: Vec<_> = journal.sends_of("shop").map(|s| s.client_msg_id.clone()).collect();
    assert_eq!(ids[0], ids[1]);
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_message_handed_out_twice_is_answered_once() {
    let mut rig = Rig::new("").await;
    rig.log_in().await;
    rig.sim.inject(Fault::once("webwxsync", FaultKind::Duplicate));
    rig.sim.deliver("shop", say("Alice", "hello")).unwrap();
    rig.sim.wait_for(|j| j.sends_of("shop").count() == 1).await;
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert_eq!(rig.sends().len(), 1);
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn broken_answers_reconnect_and_lose_nothing() {
    for kind in [
        FaultKind::Html,
        FaultKind::Truncate { bytes: 40 },
        FaultKind::Garbage,
        FaultKind::Status { code: 502 },
        FaultKind::Drop,
        FaultKind::DropAfter,
        FaultKind::Refuse,
        FaultKind::BigBody { bytes: 10 * 1024 * 1024 },
        FaultKind::Ret { ret: 4711, msg: "?".into() },
        FaultKind::Ret { ret: -1, msg: String::new() },
    ] {
        for endpoint in ["webwxsync", "synccheck"] {
            let mut rig = Rig::new("").await;
            rig.log_in().await;
            let forever = matches!(kind, FaultKind::Ret { ret: 4711, .. }) && endpoint == "webwxsync";
            rig.sim.inject(Fault { times: 2, ..Fault::once(endpoint, kind.clone()) });
            rig.sim.deliver("shop", say("Alice", "hello")).unwrap();
            if forever {
                // An unknown no is not argued with: the account says so and waits for a person.
                rig.phase("needs_login").await;
            } else {
                rig.sim.wait_for(|j| j.sends_of("shop").count() == 1).await;
                rig.online().await;
            }
            rig.stop().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_ended_session_asks_the_phone_once_and_then_says_needs_login() {
    let mut rig = Rig::new("").await;
    rig.log_in().await;
    rig.sim.expire("shop", 1101).unwrap();
    rig.phase("needs_login").await;
    assert_eq!(rig.sim.pending_uuids().len(), 0, "no QR code without anybody asking");
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(rig.state(), "needs_login");
    rig.log_in().await;
    rig.sim.deliver("shop", say("Alice", "again")).unwrap();
    rig.sim.wait_for(|j| j.sends_of("shop").count() == 1).await;
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_push_login_brings_the_session_back_without_a_scan() {
    let mut rig = Rig::with_world("push_auto_confirm = true\n", "").await;
    rig.log_in().await;
    rig.sim.expire("shop", 1101).unwrap();
    rig.sim.wait_for(|j| j.logins_of("shop") == 2).await;
    rig.online().await;
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn logged_out_on_the_phone_is_said_and_left_alone() {
    let mut rig = Rig::new("").await;
    rig.log_in().await;
    rig.sim.kick("shop").unwrap();
    rig.phase("logged_out").await;
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_login_that_web_refuses_says_why() {
    let mut rig = Rig::with_world("web_allowed = false\n", "").await;
    let ask = rig.ask();
    let uuid = rig.sim.next_uuid().await;
    rig.sim.scan(&uuid, "shop").unwrap();
    rig.sim.confirm(&uuid).unwrap();
    rig.phase("needs_login").await;
    assert!(rig.why().contains("1203"), "{}", rig.why());
    drop(ask);
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn pacing_holds_replies_back_and_sends_them_all() {
    let mut rig = Rig::new("pacing = { per_account = \"1/s\", burst = 2, per_chat = \"60/min\" }").await;
    rig.log_in().await;
    let begun = tokio::time::Instant::now();
    for n in 0..6 {
        rig.sim.deliver("shop", say(if n % 2 == 0 { "Alice" } else { "鲍勃" }, &format!("m{n}"))).unwrap();
    }
    rig.sim.wait_for(|j| j.sends_of("shop").count() == 6).await;
    let took = begun.elapsed();
    assert!((Duration::from_secs(3)..Duration::from_secs(12)).contains(&took), "{took:?}");
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn order_is_kept_within_a_conversation_and_groups_are_heard() {
    let mut rig = Rig::new("").await;
    rig.log_in().await;
    for n in 0..30 {
        rig.sim.deliver("shop", say("Alice", &format!("a{n}"))).unwrap();
        rig.sim.deliver("shop", say("鲍勃", &format!("g{n}")).in_room("测试群")).unwrap();
    }
    rig.sim.wait_for(|j| j.sends_of("shop").count() == 60).await;
    let sends = rig.sends();
    for (to, letter) in [("Alice", 'a'), ("测试群", 'g')] {
        let texts: Vec<_> = sends.iter().filter(|(t, _)| t == to).map(|(_, text)| text.clone()).collect();
        let want: Vec<_> = (0..30).map(|n| format!("echo: {letter}{n}")).collect();
        assert_eq!(texts, want);
    }
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_bad_plugin_harms_nobody_else() {
    let mut rig = Rig::new("use = [\"bad\", \"echo\"]\nmiddleware = []").await;
    rig.log_in().await;
    for text in ["panic", "fail", "slow", "fine"] {
        rig.sim.deliver("shop", say("Alice", text)).unwrap();
    }
    rig.sim.wait_for(|j| j.sends_of("shop").filter(|s| s.content.starts_with("echo")).count() == 4).await;
    // After its eight tries each bad event is dead, with the reason, and nothing was sent twice.
    rig.until(async |rig| rig.counts().await.inbox.dead == 3).await;
    assert_eq!(rig.sends().iter().filter(|(_, t)| t.starts_with("echo")).count(), 4);
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn old_messages_reach_only_plugins_that_want_them() {
    let mut rig = Rig::new("").await;
    rig.log_in().await;
    rig.sim.deliver("shop", say("Alice", "old").field("CreateTime", 1_000_000.into())).unwrap();
    rig.until(async |rig| rig.counts().await.inbox.late == 1).await;
    assert_eq!(rig.sends(), []);
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_reply_for_a_lost_login_expires_instead_of_going_out_late() {
    let mut rig = Rig::new("pacing = { max_age = \"10min\" }").await;
    rig.log_in().await;
    rig.sim.inject(Fault { times: 0, ..Fault::once("webwxsendmsg", FaultKind::Refuse) });
    rig.sim.deliver("shop", say("Alice", "hello")).unwrap();
    rig.until(async |rig| rig.counts().await.outbox.expired + rig.counts().await.outbox.failed == 1).await;
    assert_eq!(rig.sends(), []);
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn new_user_names_after_a_login_reach_the_same_people() {
    let mut rig = Rig::new("").await;
    rig.log_in().await;
    rig.sim.deliver("shop", say("Alice", "one")).unwrap();
    rig.sim.wait_for(|j| j.sends_of("shop").count() == 1).await;
    let before = rig.contact_ids().await;
    rig.sim.expire("shop", 1101).unwrap();
    rig.phase("needs_login").await;
    rig.log_in().await;
    rig.sim.deliver("shop", say("Alice", "two")).unwrap();
    rig.sim.wait_for(|j| j.sends_of("shop").count() == 2).await;
    assert_eq!(before, rig.contact_ids().await, "alias and topic bind them to the ids they had");
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_old_login_request_does_not_hide_why_a_session_ended() {
    let mut rig = Rig::new("").await;
    rig.log_in().await;
    // Asked for while it works, and gone again: not to be answered when the session ends later.
    drop(rig.ask());
    rig.sim.expire("shop", 1101).unwrap();
    rig.phase("needs_login").await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(!rig.why().contains("watching"), "{}", rig.why());
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn logging_in_alone_takes_messages_and_leaves_them_to_the_next_run() {
    let mut rig = Rig::new("").await;
    rig.stop().await;
    rig.start_as("", false).await;
    rig.log_in().await;
    rig.sim.deliver("shop", say("Alice", "hello")).unwrap();
    // The message, and the phone's notice of its recent chats.
    rig.until(async |rig| rig.counts().await.inbox.waiting == 2).await;
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert_eq!(rig.sends(), []);
    rig.stop().await;
    rig.start("").await;
    rig.sim.wait_for(|j| j.sends_of("shop").count() == 1).await;
    rig.stop().await;
}
