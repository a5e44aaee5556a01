//! Does an account keep to its manners, whatever its plugins do, and do these learn about it?

use std::time::Duration;

use tokio::time::Instant;
use wxbot_model::ContactKind;
use wxbot_plugin::prelude::*;
use wxbot_runtime::pacing::SlowedBy;
use wxbot_runtime::store::SendState;

use crate::rig::{Rig, file};
use crate::troupe::{note, notes};

/// The most that a plugin may ask for in answer to one event.
const MOST: usize = 20;

/// Does with the words of a message what nobody should: "all TEXT" and "one by one TEXT" to everybody it knows.
pub(crate) struct Herald;

impl Plugin for Herald {
    type Config = NoConfig;
    fn manifest() -> Manifest {
        Manifest::new("herald", "Tells everybody.")
    }
    async fn init(_config: NoConfig, _cx: &InitCtx) -> Result<Self, PluginError> {
        Ok(Self)
    }
    async fn on_event(&self, event: &Event, cx: &Ctx) -> Result<Effects, PluginError> {
        let Some(said) = event.text() else { return Ok(Effects::none()) };
        let people = cx.find_contacts(ContactQuery::new("@p").limit(MOST));
        let people = people.into_iter().filter(|found| found.kind == ContactKind::Person);
        if let Some(text) = said.strip_prefix("all ") {
            return Ok(people.fold(Effects::none(), |all, one| all.and_send(one.id, text)));
        }
        if let Some(text) = said.strip_prefix("one by one ") {
            for person in people.take(7) {
                let action = Action::SendText { to: person.id, text: text.to_owned(), mention: Vec::new() };
                match cx.send_now(action).await {
                    Ok(_) => note(format!("{said}: sent")),
                    Err(error) => note(format!("{said}: {error}")),
                }
            }
        }
        if said.starts_with("budget") {
            let budget = cx.budget().await?;
            let (answer, push) = (budget.answer(ActionKind::Text), budget.push(ActionKind::Text));
            let in_s = |at_ms: Option<i64>| at_ms.map_or(0, |at| (at - cx.now_ms()) / 1_000);
            let friend = budget.answer(ActionKind::FriendRequest).now;
            let quiet = in_s(budget.quiet.map(|quiet| quiet.until_ms));
            note(format!("{said}: {} {} {} {friend} {quiet}", answer.now, in_s(answer.next_ms), push.now));
            return Ok(Effects::reply("ok"));
        }
        Ok(Effects::none())
    }
}

const BULK: &str =
    "the same text went to 5 other chats within 10min, and wxbot sends nothing in bulk ([pacing] same_text)";

#[tokio::test(start_paused = true)]
async fn a_plugin_that_loops_over_contacts_sends_nothing_in_bulk_and_explain_says_so() {
    let mut rig = Rig::new(&file(&["herald"], "pacing = { same_text = \"refuse\" }", "")).await;
    rig.say("all buy now").await;
    assert_eq!(rig.settled().await, ["buy now"; 5]);
    let outbox = rig.counts().await.outbox;
    assert_eq!((outbox.sent, outbox.failed), (5, 15));
    let story = rig.store().story(1).await.unwrap().unwrap();
    let refused: Vec<_> = story.sends.iter().filter(|send| send.state == SendState::Failed).collect();
    assert!(refused.iter().all(|send| send.error.as_deref() == Some(BULK)), "{refused:?}");
    // Later, and after a restart, it is no better.
    rig.stop().await;
    rig.start().await.unwrap();
    tokio::time::sleep(Duration::from_secs(300)).await;
    rig.say("all buy now").await;
    rig.settled().await;
    assert_eq!(rig.counts().await.outbox.sent, 10, "the five that got it may get it again");
    // Whoever asks is answered.
    rig.say("all other things").await;
    assert_eq!(rig.settled().await.iter().filter(|text| *text == "other things").count(), 5);
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn whoever_sends_at_once_is_told_the_rule_at_once() {
    let mut rig = Rig::new(&file(&["herald"], "pacing = { same_text = \"refuse\" }", "")).await;
    let begun = Instant::now();
    rig.say("one by one hurry").await;
    rig.until("seven ends", async |_| notes("one by one hurry").len() == 7).await;
    let told = notes("one by one hurry");
    assert_eq!(told[..5], ["one by one hurry: sent"; 5]);
    assert_eq!(told[5..], [(); 2].map(|()| format!("one by one hurry: it was refused: {BULK}")));
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    rig.stop().await;
}

/// It is 04:26:40 in Shanghai when a rig starts.
const NIGHT: &str = "quiet = \"23:00-05:00\", max_age = \"10min\"";

#[tokio::test(start_paused = true)]
async fn by_night_timers_wait_and_become_one_message_while_who_writes_is_answered() {
    let pacing = format!("pacing = {{ {NIGHT}, pushes = \"merge\" }}");
    let mut rig = Rig::new(&file(&["remind"], &pacing, "")).await;
    let begun = Instant::now();
    rig.say("remind 60 tea").await;
    rig.say("remind 61 cake").await;
    rig.until("both are answered", async |rig| rig.texts() == ["set", "set"]).await;
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(rig.counts().await.outbox.queued, 2, "older than max_age, and still there");
    rig.say("cancel nothing").await;
    rig.until("who writes is answered", async |rig| rig.texts().len() == 3).await;
    let slowed = rig.account().slowed().await.unwrap();
    let morning_ms = 1_780_002_000_000;
    assert_eq!(
        slowed.iter().map(|s| (s.by, s.until_ms)).collect::<Vec<_>>(),
        [(SlowedBy::QuietHoursForPushes, morning_ms)]
    );
    rig.until("the morning", async |rig| rig.texts().len() == 4).await;
    assert_eq!(rig.texts()[3], "timer tea [1]\ntimer cake [1]");
    assert!(begun.elapsed() >= Duration::from_secs(2_000), "{:?}", begun.elapsed());
    assert_eq!(rig.account().slowed().await.unwrap(), []);
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn where_all_wait_answers_do_not_become_too_old_by_night() {
    let mut rig = Rig::new(&file(&["echo"], &format!("pacing = {{ {NIGHT}, quiet_for = \"all\" }}"), "")).await;
    let begun = Instant::now();
    rig.say("anybody there?").await;
    rig.until("the answer is stored", async |rig| rig.counts().await.outbox.queued == 1).await;
    assert_eq!(rig.account().slowed().await.unwrap()[0].by, SlowedBy::QuietHours);
    rig.until("the morning", async |rig| rig.texts().len() == 1).await;
    assert!(begun.elapsed() >= Duration::from_secs(2_000), "{:?}", begun.elapsed());
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn hours_that_are_taken_out_of_the_file_end_at_once() {
    let quiet = format!("pacing = {{ {NIGHT}, quiet_for = \"all\" }}");
    let mut rig = Rig::new(&file(&["echo"], &quiet, "")).await;
    rig.say("hello").await;
    rig.until("the answer is stored", async |rig| rig.counts().await.outbox.queued == 1).await;
    rig.reload(&file(&["echo"], "", "")).await.unwrap();
    let begun = Instant::now();
    rig.until("it goes", async |rig| rig.texts().len() == 1).await;
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_handler_knows_its_budget() {
    let pacing = "pacing = { per_account = \"1/10s\", burst = 3, per_chat = \"2/min\", friend_requests = \"1/h\" }";
    let mut rig = Rig::new(&file(&["herald"], pacing, "")).await;
    for n in 0..3 {
        rig.say(&format!("budget {n}")).await;
        let want = format!("budget {n}");
        rig.until("it is told", async |_| !notes(&want).is_empty()).await;
        rig.until("it is answered", async |rig| rig.texts().len() > n.min(1)).await;
    }
    let told: Vec<String> = (0..3).map(|n| notes(&format!("budget {n}")).remove(0)).collect();
    assert_eq!(told[..2], ["budget 0: 2 0 2 1 0", "budget 1: 1 0 1 1 0"]);
    let next_s: i64 = told[2].split(' ').nth(3).unwrap().parse().unwrap();
    assert!(told[2].starts_with("budget 2: 0 ") && (28..=31).contains(&next_s), "{told:?}");
    rig.stop().await;
    let mut rig = Rig::new(&file(&["herald"], &format!("pacing = {{ {NIGHT} }}"), "")).await;
    rig.say("budget by night").await;
    rig.until("it is told", async |_| !notes("budget by night").is_empty()).await;
    let told = notes("budget by night").remove(0);
    let words: Vec<&str> = told.split(' ').collect();
    let (answers, pushes, left_s) = (words[3], words[5], words[7].parse::<i64>().unwrap());
    assert_eq!((answers, pushes), (u32::MAX.to_string().as_str(), "0"), "{told}");
    assert!((1_990..=2_000).contains(&left_s), "{told}");
    rig.stop().await;
}
