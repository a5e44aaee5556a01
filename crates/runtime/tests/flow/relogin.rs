//! Do replies reach the same people after a login in which everybody has another UserName, and never anybody else?

use std::time::Duration;

use wxbot_sim::{Deliver, Fault, FaultKind};

use crate::rig::{Rig, say};

const UNCERTAIN: i64 = 2;

/// The twins are two friends whom nothing tells apart, by what the service shows.
async fn rig(account: &str) -> Rig {
    let friends = r#"{ nick = "TwinA" }, { nick = "TwinB" }, { nick = "Only", remark = "唯一" }"#;
    let mut rig = Rig::with_friends("", friends, account).await;
    rig.log_in().await;
    rig
}

/// Says something to the bot while nothing can be sent, and ends the session with the replies waiting.
async fn leave_replies_waiting(rig: &Rig, from: &[&str]) {
    leave_waiting(rig, from.iter().map(|from| say(from, "hello")).collect()).await;
}

async fn leave_waiting(rig: &Rig, messages: Vec<Deliver>) {
    rig.sim.inject(Fault { times: 0, ..Fault::once("webwxsendmsg", FaultKind::Refuse) });
    let count = messages.len() as u64;
    for message in messages {
        rig.sim.deliver("shop", message).unwrap();
    }
    rig.until(async |rig| rig.counts().await.outbox.queued == count && rig.counts().await.inbox.waiting == 0).await;
    rig.sim.expire("shop", 1101).unwrap();
    rig.phase("needs_login").await;
    rig.sim.clear_faults();
}

fn sent_to(rig: &Rig) -> Vec<String> {
    let mut to: Vec<String> = rig.sends().into_iter().map(|(to, _)| to).collect();
    to.sort();
    to
}

#[tokio::test(start_paused = true)]
async fn waiting_replies_reach_the_same_people() {
    let mut rig = rig("").await;
    let only = rig.id_of("唯一");
    leave_replies_waiting(&rig, &["Alice", "Only"]).await;
    // Not even with the phone's list: a WeChat id, and a remark with a name, are marks enough.
    rig.veil.hide_pairs();
    rig.log_in().await;
    rig.sim.wait_for(|j| j.sends_of("shop").count() == 2).await;
    assert_eq!(sent_to(&rig), ["Alice", "Only"]);
    assert_eq!(rig.id_of("唯一"), only);
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn pairs_of_ids_reach_people_whom_nothing_else_tells_apart() {
    let mut rig = rig("").await;
    leave_replies_waiting(&rig, &["TwinA", "TwinB"]).await;
    rig.log_in().await;
    rig.sim.wait_for(|j| j.sends_of("shop").count() == 2).await;
    assert_eq!(sent_to(&rig), ["TwinA", "TwinB"]);
    let counts = rig.counts().await.outbox;
    assert_eq!((counts.uncertain, counts.expired, counts.queued), (0, 0, 0));
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn replies_to_somebody_ambiguous_are_held_and_a_pair_lets_them_go() {
    let mut rig = rig("").await;
    leave_replies_waiting(&rig, &["TwinA", "TwinB"]).await;
    rig.veil.hide_pairs();
    rig.log_in().await;
    rig.until(async |rig| rig.counts().await.outbox.uncertain == 2).await;
    tokio::time::sleep(Duration::from_secs(120)).await;
    let outbox = rig.outbox();
    assert!(outbox.iter().all(|(state, why)| *state == UNCERTAIN && why.contains("could be")), "{outbox:?}");
    assert_eq!(rig.sends(), [], "neither to one nor to the other");

    // Whoever writes now is a new person: the answer goes to who wrote, and the former replies still to nobody.
    rig.sim.deliver("shop", say("TwinB", "it is me")).unwrap();
    rig.sim.wait_for(|j| j.sends_of("shop").count() == 1).await;
    assert_eq!(rig.sends(), [("TwinB".to_owned(), "echo: it is me".to_owned())]);
    assert_eq!(rig.counts().await.outbox.uncertain, 2);

    // The phone tells its chats once more.
    let (content, names) = rig.veil.taken();
    rig.veil.show_pairs();
    let notice = Deliver::raw("filehelper", 51, content).own();
    let notice = notice.field("StatusNotifyCode", 4.into()).field("StatusNotifyUserName", names.into());
    rig.sim.deliver("shop", notice).unwrap();
    rig.sim.wait_for(|j| j.sends_of("shop").count() == 3).await;
    assert_eq!(sent_to(&rig), ["TwinA", "TwinB", "TwinB"]);
    assert_eq!(rig.counts().await.outbox.uncertain, 0);
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn held_replies_are_out_of_reach_of_every_policy() {
    for policy in ["resend", "drop"] {
        let mut rig = rig(&format!("on_uncertain = \"{policy}\"")).await;
        leave_replies_waiting(&rig, &["TwinA"]).await;
        rig.veil.hide_pairs();
        rig.log_in().await;
        rig.until(async |rig| rig.counts().await.outbox.uncertain == 1).await;
        rig.stop().await;
        rig.start(&format!("on_uncertain = \"{policy}\"")).await;
        rig.online().await;
        tokio::time::sleep(Duration::from_secs(3_600)).await;
        assert_eq!((rig.sends(), rig.counts().await.outbox.uncertain), (vec![], 1), "{policy}");
        rig.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_held_longer_than_max_age_is_not_sent_late() {
    let mut rig = rig("").await;
    leave_replies_waiting(&rig, &["TwinA"]).await;
    rig.veil.hide_pairs();
    rig.log_in().await;
    rig.until(async |rig| rig.counts().await.outbox.uncertain == 1).await;
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    let (content, names) = rig.veil.taken();
    rig.veil.show_pairs();
    let notice = Deliver::raw("filehelper", 51, content).own();
    let notice = notice.field("StatusNotifyCode", 4.into()).field("StatusNotifyUserName", names.into());
    rig.sim.deliver("shop", notice).unwrap();
    rig.until(async |rig| rig.counts().await.outbox.expired == 1).await;
    assert_eq!(rig.sends(), []);
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_quiet_room_is_known_again_by_its_members() {
    let mut rig = rig("").await;
    // Somebody speaks in a room that no list of a login describes: from here on its members are known.
    leave_waiting(&rig, vec![say("路人", "hello").in_room("静群")]).await;
    let room = rig.contact_ids().await.into_iter().find(|(_, name)| name == "静群");
    rig.log_in().await;
    rig.sim.wait_for(|j| j.sends_of("shop").count() == 1).await;
    assert_eq!(sent_to(&rig), ["静群"]);
    assert_eq!(
        rig.contact_ids().await.into_iter().filter(|(_, name)| name == "静群").collect::<Vec<_>>(),
        [room.unwrap()]
    );
    // The stranger too, by name and number: a new id would be a new person for every plugin.
    assert_eq!(rig.contact_ids().await.iter().filter(|(_, name)| name == "路人").count(), 1);
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn another_wechat_account_gets_none_of_the_replies() {
    let other = r#"
        [[accounts]]
        name = "other"
        friends = [{ nick = "Alice", alias = "alice" }]
        "#;
    // Two logins that wait for a phone take longer than the ten minutes a reply is good for.
    let account = "pacing = { per_account = \"100000/s\", per_chat = \"100000/s\", max_age = \"2h\" }";
    let mut rig = Rig::with_friends(other, "", account).await;
    rig.log_in().await;
    leave_replies_waiting(&rig, &["Alice"]).await;
    rig.log_in_as("other").await;
    rig.until(async |rig| rig.counts().await.outbox.uncertain == 1).await;
    rig.sim.deliver("other", say("Alice", "who are you")).unwrap();
    rig.sim.wait_for(|j| j.sends_of("other").count() == 1).await;
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert_eq!(rig.sim.journal().sends_of("other").count(), 1, "only the answer");
    assert!(rig.outbox()[0].1.contains("WeChat account"), "{:?}", rig.outbox());
    rig.sim.expire("other", 1101).unwrap();
    rig.phase("needs_login").await;
    rig.log_in().await;
    rig.sim.wait_for(|j| j.sends_of("shop").count() == 1).await;
    assert_eq!(sent_to(&rig), ["Alice"]);
    rig.stop().await;
}
