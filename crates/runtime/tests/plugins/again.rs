//! Is what was given up, replayed, resent, planned or sent by hand done by the running accounts, once and at once?

use std::time::Duration;

use wxbot_core::error::SendError;
use wxbot_model::AccountName;
use wxbot_runtime::clock::Missed;
use wxbot_runtime::errand::{Errand, What};
use wxbot_runtime::store::{DeadFilter, Decision, Keep, NewPlanned, ReplayAsk, SendFilter, SendRow, SendState};

use crate::rig::{Rig, file};
use crate::troupe;

fn shop() -> AccountName {
    "shop".parse().unwrap()
}

async fn sends(rig: &Rig, state: SendState) -> Vec<SendRow> {
    rig.store().sends(SendFilter { account: None, states: vec![state] }, u64::MAX, 99).await.unwrap()
}

/// Handles all that is done once more, for one plugin; how many events.
async fn replay(rig: &Rig, plugin: &str, send: bool) -> u64 {
    let now = rig.source.now_ms();
    let (accounts, plugin) = (vec![shop()], plugin.to_owned());
    let ask = ReplayAsk { accounts, plugin, from_ms: 0, to_ms: now + 1, send, dry: false };
    let step = rig.store().replay(ask, 0, now).await.unwrap();
    assert_eq!(step.next, None);
    rig.account().look_again();
    rig.until("handled again", async |rig| rig.counts().await.inbox.waiting == 0).await;
    step.events
}

#[tokio::test(start_paused = true)]
async fn a_dead_event_is_handled_again_by_whoever_was_not_done_however_old_it_is() {
    let more = "middleware = [\"old-message\"]";
    let mut rig = Rig::new(&file(&["high", "echo"], "", "")).await;
    rig.say("broken").await;
    rig.until("given up", async |rig| rig.counts().await.inbox.dead == 1).await;
    assert_eq!(rig.texts(), ["echo: broken"]);
    tokio::time::sleep(Duration::from_secs(86_400)).await;
    let dead = rig.store().dead(DeadFilter::default(), 0, 9).await.unwrap();
    assert_eq!((dead[0].plugin.as_deref(), dead[0].reason.as_str()), (Some("high"), "plugin high: broken"));
    // Somebody has mended it meanwhile: here by another plugin in its place.
    rig.reload(&file(&["middle", "echo"], more, "")).await.unwrap();
    assert_eq!(rig.store().revive(vec![dead[0].seq]).await.unwrap(), [dead[0].seq]);
    let begun = tokio::time::Instant::now();
    rig.account().look_again();
    assert_eq!(rig.settled().await, ["echo: broken", "middle again: broken"], "echo was done with it");
    assert!(begun.elapsed() < Duration::from_secs(5), "at once");
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_fails_until_it_is_old_is_dead_and_not_late() {
    let mut rig = Rig::new(&file(&["high", "echo"], "middleware = [\"old-message\"]", "")).await;
    rig.say("broken").await;
    let ended = async |rig: &Rig| rig.counts().await.inbox;
    rig.until("ended", async |rig| ended(rig).await.dead + ended(rig).await.done + ended(rig).await.late > 0).await;
    assert_eq!(ended(&rig).await.dead, 1, "though eight tries take longer than ten minutes");
    let dead = rig.store().dead(DeadFilter::default(), 0, 9).await.unwrap();
    assert_eq!((dead[0].errors, dead[0].reason.as_str()), (8, "plugin high: broken"));
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_replay_is_for_one_plugin_changes_what_it_remembers_and_sends_nothing() {
    let mut rig = Rig::new(&file(&["count", "echo"], "", "")).await;
    rig.say("a").await;
    rig.say("b").await;
    assert_eq!(rig.settled().await, ["1 at 1", "echo: a", "2 at 1", "echo: b"]);
    assert_eq!(replay(&rig, "count", false).await, 2);
    assert_eq!(rig.settled().await.len(), 4, "nothing went out");
    let kept = sends(&rig, SendState::Dropped).await;
    assert!(kept.iter().all(|send| send.plugin == "count" && send.replay), "echo was not asked: {kept:?}");
    assert_eq!(kept.len(), 2);
    rig.say("c").await;
    rig.until("answered", async |rig| rig.texts().len() == 6).await;
    assert_eq!(rig.settled().await[4..], ["5 at 1", "echo: c"], "two counted besides");
    assert_eq!(replay(&rig, "echo", true).await, 3, "what a replay made is not replayed");
    assert_eq!(rig.settled().await[6..], ["echo again: a", "echo again: b", "echo again: c"], "in order");
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_a_plugin_sends_at_once_is_kept_back_too() {
    let mut rig = Rig::new(&file(&["now"], "", "")).await;
    rig.say("now replayed").await;
    rig.until("sent", async |_| troupe::notes("now replayed").len() == 1).await;
    rig.settled().await;
    replay(&rig, "now", false).await;
    let told = troupe::notes("now replayed");
    assert!(told[1].contains("without `--send`") && told[1].ends_with("nothing was sent"), "{told:?}");
    assert_eq!(rig.settled().await, ["now replayed"]);
    // Events of now are not concerned, and a replay that may send does.
    rig.say("now live").await;
    rig.until("sent", async |_| troupe::notes("now live").len() == 1).await;
    rig.until("done", async |rig| rig.counts().await.inbox.waiting == 0).await;
    assert_eq!(replay(&rig, "now", true).await, 2);
    assert_eq!(rig.settled().await, ["now replayed", "now live", "now replayed", "now live"]);
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_replay_asks_nobody_a_question_that_was_not_sent() {
    let mut rig = Rig::new(&file(&["talk", "echo"], "", "")).await;
    rig.say("hi").await;
    rig.until("asked", async |rig| !rig.texts().is_empty()).await;
    rig.settled().await;
    // The dialog ends unanswered; its event is done.
    tokio::time::sleep(Duration::from_secs(7_200)).await;
    let before = rig.settled().await.len();
    replay(&rig, "talk", false).await;
    rig.say("Wang").await;
    rig.until("answered", async |rig| rig.texts().len() > before).await;
    let texts = rig.settled().await;
    assert_eq!(texts[before..], ["echo: Wang"], "it is no answer to anything: {texts:?}");
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_decision_takes_effect_at_once() {
    let mut rig = Rig::new(&file(&["echo"], "", "")).await;
    rig.service.verdicts.lock().unwrap().push_back(SendError::Uncertain { why: "cut".into() });
    rig.say("a").await;
    rig.until("uncertain", async |rig| rig.counts().await.outbox.uncertain == 1).await;
    tokio::time::sleep(Duration::from_secs(86_400)).await;
    let id = sends(&rig, SendState::Uncertain).await[0].id;
    rig.store().decide(vec![id], Decision::Resend, rig.source.now_ms()).await.unwrap();
    let begun = tokio::time::Instant::now();
    rig.account().look_again();
    assert_eq!(rig.settled().await, ["echo: a"], "also a day later");
    assert!(begun.elapsed() < Duration::from_secs(5));
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_person_sends_to_one_who_is_known() {
    let mut rig = Rig::new(&file(&["echo"], "", "")).await;
    rig.say("a").await;
    rig.settled().await;
    let account = rig.account();
    let text = |to: &str, text: &str| Errand {
        to: to.to_owned(),
        what: What::Text { text: text.to_owned(), mention: Vec::new() },
    };
    let stored = account.errands().send(&text("@alice", "by name")).await.unwrap();
    let again = account.errands().send(&text(stored.to.as_str(), "by id")).await.unwrap();
    assert_eq!((again.to, again.id), (stored.to.clone(), stored.id + 1));
    assert_eq!(rig.settled().await, ["echo: a", "by name", "by id"]);
    assert_eq!(rig.store().send_row(stored.id).await.unwrap().unwrap().state, SendState::Sent);
    for (to, said, want) in [
        ("nobody at all", "x", "nobody is called"),
        ("@", "x", "may be several"),
        ("p999", "x", "knows no contact"),
        ("@alice", "", "an empty text"),
        ("@alice", &"x".repeat(5_000), "at most 4096"),
    ] {
        let error = account.errands().send(&text(to, said)).await.unwrap_err();
        assert!(error.contains(want), "{error}");
    }
    assert_eq!(rig.settled().await.len(), 3);
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn planned_messages_go_out_at_their_time_by_their_policy_and_once() {
    let mut rig = Rig::new(&file(&["echo"], "", "")).await;
    rig.say("a").await;
    rig.settled().await;
    let plan = async |rig: &Rig, text: &str, after_s: i64, missed: Missed, cron: Option<&str>| {
        let what = What::Text { text: text.to_owned(), mention: Vec::new() };
        let account = rig.account();
        let (conv, _, body) = account.errands().later(&Errand { to: "@alice".into(), what }).await.unwrap();
        let now_ms = rig.source.now_ms();
        let (tz, cron) = (Some("UTC".to_owned()), cron.map(str::to_owned));
        let due_ms = now_ms + after_s * 1_000;
        let new = NewPlanned { account: shop(), conv, body, cron, tz, missed, due_ms, now_ms };
        rig.store().plan(new).await.unwrap().unwrap()
    };
    plan(&rig, "in a minute", 60, Missed::Skip, None).await;
    let gone = plan(&rig, "never", 60, Missed::Skip, None).await;
    rig.store().unplan(gone).await.unwrap();
    tokio::time::sleep(Duration::from_secs(58)).await;
    assert_eq!(rig.settled().await, ["echo: a"], "not before its time");
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(rig.settled().await, ["echo: a", "in a minute"]);

    plan(&rig, "missed", 60, Missed::Skip, None).await;
    plan(&rig, "made up for", 60, Missed::Once, None).await;
    plan(&rig, "daily", 60, Missed::Once, Some("0 0 9 * * *")).await;
    rig.kill().await;
    tokio::time::sleep(Duration::from_secs(3 * 86_400)).await;
    rig.start().await.unwrap();
    rig.until("both", async |rig| rig.texts().len() == 4).await;
    let mut late = rig.settled().await.split_off(2);
    late.sort();
    assert_eq!(late, ["daily", "made up for"], "one for three days");
    let missed = sends(&rig, SendState::Expired).await;
    assert!(missed[0].error.as_deref().unwrap().starts_with("missed: it was due 20"), "{missed:?}");
    tokio::time::sleep(Duration::from_secs(2 * 86_400)).await;
    assert_eq!(rig.settled().await[4..], ["daily", "daily"]);
    assert_eq!(rig.store().planned(None).await.unwrap().len(), 1, "the daily one is left");
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn old_rows_go_by_themselves_while_it_runs() {
    let mut rig = Rig::new(&file(&["echo"], "", "")).await;
    rig.say("a").await;
    rig.settled().await;
    let day = Duration::from_secs(86_400);
    rig.store().set_keep(Keep { done: 2 * day, sends: 3 * day, ..Keep::default() });
    tokio::time::sleep(day + day / 2).await;
    assert!(rig.store().event_body(1).await.unwrap().is_some());
    assert_eq!(sends(&rig, SendState::Sent).await[0].what, "send_text");
    tokio::time::sleep(day).await;
    assert_eq!(rig.store().event_body(1).await.unwrap(), None, "what it said");
    assert_eq!(sends(&rig, SendState::Sent).await[0].what, "", "what was answered");
    tokio::time::sleep(day).await;
    assert_eq!(sends(&rig, SendState::Sent).await, Vec::new());
    assert_eq!(rig.counts().await.inbox.done, 1, "its key stays");
    rig.stop().await;
}
