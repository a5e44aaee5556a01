//! Do timers and schedules come to the plugin they are of, through the chain, and to nobody else?

use std::time::Duration;

use crate::rig::{Rig, file};
use crate::troupe;

const ALL: &str =
    "middleware = [\"ignore-self\", \"old-message\", \"access\", \"loop-guard\", \"rate-limit\", \"censor\"]";

#[tokio::test(start_paused = true)]
async fn a_timer_comes_back_to_its_chat_and_its_plugin_alone() {
    let mut rig = Rig::new(&file(&["echo", "remind"], "", "")).await;
    rig.say("remind 60 tea").await;
    assert_eq!(rig.settled().await, ["echo: remind 60 tea", "set"]);
    rig.until("it comes", async |rig| rig.texts().len() == 3).await;
    assert_eq!(rig.texts_to("@alice")[2], "timer tea [1]");
    rig.say("remind 60 a").await;
    rig.say("remind 90 a").await;
    rig.say("remind 60 b").await;
    rig.say("cancel b").await;
    rig.until("all four", async |rig| rig.texts().len() == 11).await;
    tokio::time::sleep(Duration::from_secs(80)).await;
    assert_eq!(rig.texts().len(), 11, "replaced and cancelled");
    rig.until("the one that was set last", async |rig| rig.texts().len() == 12).await;
    assert_eq!(rig.texts()[11], "timer a [1]");
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_timer_outlives_a_kill_and_is_not_late_after_it() {
    let mut rig = Rig::new(&file(&["remind"], ALL, "")).await;
    rig.say("remind 60 tea").await;
    rig.settled().await;
    rig.kill().await;
    tokio::time::sleep(Duration::from_secs(7_200)).await;
    rig.start().await.unwrap();
    rig.until("it comes", async |rig| rig.texts().len() == 2).await;
    assert_eq!(rig.texts()[1], "timer tea [1]");
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn limits_of_flow_do_not_hold_up_a_timer_and_a_denied_chat_does() {
    let limits = "loop-guard = { replies = 1, per = \"10s\", mute = \"1h\" }\nrate-limit = { per_chat = \"1/h\" }";
    let mut rig = Rig::new(&file(&["remind"], &format!("{ALL}\n{limits}"), "")).await;
    rig.say("remind 60 tea").await;
    rig.settled().await;
    rig.say("remind 60 too much").await;
    rig.until("muted", async |rig| rig.counts().await.inbox.stopped == 1).await;
    rig.until("it comes", async |rig| rig.texts().last().is_some_and(|text| text == "timer tea [1]")).await;
    rig.stop().await;

    for (access, comes) in
        [("allow_senders = [\"p999\"]", true), ("private = false", false), ("allow_chats = [\"p999\"]", false)]
    {
        let mut rig = Rig::new(&file(&["remind"], ALL, "")).await;
        rig.say("remind 60 tea").await;
        rig.settled().await;
        rig.reload(&file(&["remind"], &format!("{ALL}\naccess = {{ {access} }}"), "")).await.unwrap();
        tokio::time::sleep(Duration::from_secs(70)).await;
        assert_eq!(rig.settled().await.len(), if comes { 2 } else { 1 }, "{access}");
        assert_eq!(rig.counts().await.inbox.stopped, u64::from(!comes), "{access}");
        rig.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_timer_of_a_plugin_that_is_no_longer_used_is_stopped_with_a_reason() {
    let mut rig = Rig::new(&file(&["remind", "echo"], "", "")).await;
    rig.say("remind 60 tea").await;
    rig.settled().await;
    rig.reload(&file(&["echo"], "", "")).await.unwrap();
    rig.until("stopped", async |rig| rig.counts().await.inbox.stopped == 1).await;
    let seq = rig.store().last_event(&"shop".parse().unwrap(), &alice(&rig), u64::MAX).await.unwrap().unwrap();
    let note = rig.store().story(seq).await.unwrap().unwrap().note;
    assert_eq!(note.as_deref(), Some("timer: the account no longer uses plugin `remind`, whose it is"));
    rig.stop().await;
}

fn alice(rig: &Rig) -> wxbot_model::ContactId {
    rig.account().find_contacts(&"@alice".into())[0].id.clone()
}

#[tokio::test(start_paused = true)]
async fn too_many_timers_are_an_error_of_that_plugin_alone() {
    let mut rig = Rig::new(&file(&["remind", "echo"], "", "")).await;
    rig.say("many 10001").await;
    rig.until("given up", async |rig| rig.counts().await.inbox.dead == 1).await;
    assert_eq!(rig.texts(), ["echo: many 10001"]);
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_schedule_is_renewed_with_its_plugin() {
    let day = Duration::from_secs(86_400);
    let of = |word: &str| format!("[plugins.remind]\nword = \"{word}\"");
    let mut rig = Rig::new(&file(&["remind"], ALL, &of("renewed one"))).await;
    tokio::time::sleep(day).await;
    assert_eq!(troupe::notes("renewed"), ["renewed one daily m1"]);
    rig.reload(&file(&["remind"], &format!("{ALL}\naccess = {{ private = false }}"), &of("renewed two")))
        .await
        .unwrap();
    tokio::time::sleep(day).await;
    assert_eq!(troupe::notes("renewed")[1..], ["renewed two daily m1"], "one, of the new one");
    rig.reload(&file(&["echo"], "", "")).await.unwrap();
    tokio::time::sleep(day).await;
    assert_eq!(troupe::notes("renewed").len(), 2);
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_time_that_settings_say_comes_beside_those_of_the_handlers_and_changes_with_them() {
    let hour = Duration::from_secs(3_600);
    let of = |at: &str| format!("[plugins.remind]\nword = \"planned\"\n{at}");
    let mut rig = Rig::new(&file(&["remind"], ALL, &of("at = \"0 0 * * * *\""))).await;
    tokio::time::sleep(hour * 2).await;
    let told = || troupe::notes("planned planned").len();
    assert_eq!(told(), 2, "{:?}", troupe::notes("planned"));
    rig.reload(&file(&["remind"], ALL, &of("at = \"0 0,30 * * * *\""))).await.unwrap();
    tokio::time::sleep(hour).await;
    assert_eq!(told(), 4);
    rig.reload(&file(&["remind"], ALL, &of(""))).await.unwrap();
    tokio::time::sleep(hour * 24).await;
    assert_eq!((told(), troupe::notes("planned daily").len()), (4, 1));
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_plugin_with_a_schedule_that_is_none_does_not_start() {
    let mut rig = Rig::new(&file(&["echo"], "", "")).await;
    let refused = rig.reload(&file(&["badly"], "", "")).await.unwrap_err();
    assert!(
        refused.starts_with("plugin `badly` cannot start: its schedule `never` is wrong: `99` is no hour"),
        "{refused}"
    );
    rig.stop().await;
}
