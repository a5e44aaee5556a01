//! Do timers and schedules reach the lanes of a running account, also over a restart?

use std::sync::Arc;
use std::time::Duration;

use wxbot_model::{AccountName, Chat, ChatKind, ContactId, EventKey};
use wxbot_runtime::clock::cron::Schedule;
use wxbot_runtime::clock::keepsake;
use wxbot_runtime::store::{Accept, EventState, Finish, NewRow, Story, TimerChange};

use crate::rig::Rig;

fn shop() -> AccountName {
    "shop".parse().unwrap()
}

/// Ends an event that sets a timer for so much later, as handlers do; the key of the timer's event.
async fn set_timer(rig: &Rig, later: Duration) -> EventKey {
    let store = rig.runtime().store();
    let chat = Chat { id: "p1".parse().unwrap(), kind: ChatKind::Private, name: "Alice".into() };
    let now_ms = rig.source.now_ms();
    let due_ms = now_ms + i64::try_from(later.as_millis()).unwrap();
    let row = NewRow {
        key: format!("cause of {due_ms}").parse().unwrap(),
        conv: chat.id.clone(),
        kind: "message",
        body: "{}".into(),
        echo: None,
    };
    let accept = Accept {
        account: shop(),
        rows: vec![row],
        cursor: None,
        sealed: None,
        contacts: vec![],
        opens: Vec::new(),
        claim: 1,
        now_ms,
    };
    let seq = store.accept(accept).await.unwrap().seqs[0].unwrap();
    let timer = TimerChange::Set {
        plugin: Arc::from("deeds"),
        name: "tea".into(),
        conv: chat.id.clone(),
        due_ms,
        body: keepsake(&chat, &"green".into()),
    };
    let end = Finish {
        seq,
        account: shop(),
        note: None,
        sends: vec![],
        swaps: vec![],
        kv: vec![],
        timers: vec![timer],
        direct: None,
        now_ms,
    };
    store.finish(end).await.unwrap();
    format!("timer:deeds:tea:{due_ms}:{seq}").parse().unwrap()
}

async fn story(rig: &Rig, key: &EventKey) -> Option<Story> {
    let store = rig.runtime().store();
    store.story(store.find_event(&shop(), key).await.unwrap()?).await.unwrap()
}

/// Waits until the event of this key was handled.
async fn handled(rig: &Rig, key: &EventKey) -> Story {
    let done = async |rig: &Rig| story(rig, key).await.is_some_and(|story| story.state == EventState::Done);
    rig.until(key.as_str(), done).await;
    story(rig, key).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_timer_is_handled_in_its_lane_when_it_is_due_or_after_the_start_that_follows() {
    let mut rig = Rig::new().await;
    let (begun, minutes) = (rig.source.now_ms(), Duration::from_secs(600));
    let soon = set_timer(&rig, minutes).await;
    // Whatever comes meanwhile has higher numbers than what was there, and lower ones than the timer's event.
    rig.say("hello").await;
    rig.until_gone(1).await;
    assert!(story(&rig, &soon).await.is_none());
    let told = handled(&rig, &soon).await;
    assert_eq!((told.kind.as_str(), &told.conv, told.attempts), ("timer", &"p1".parse::<ContactId>().unwrap(), 1));
    assert!((600_000..601_000).contains(&(told.recv_ms - begun)), "{}", told.recv_ms - begun);
    assert!(rig.source.now_ms() - told.recv_ms < 1_000, "the dispatcher is told, and does not come across it later");

    let while_off = set_timer(&rig, minutes).await;
    rig.stop().await;
    tokio::time::advance(minutes * 3).await;
    rig.start().await;
    let told = handled(&rig, &while_off).await;
    assert!(told.recv_ms - begun >= 2_400_000, "{}", told.recv_ms - begun);
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_schedule_is_an_event_of_the_account_itself() {
    let mut rig = Rig::new().await;
    let schedule = Schedule::parse("0 * * * *", Some("Asia/Shanghai")).unwrap();
    let due_ms = schedule.next_after(rig.source.now_ms()).unwrap();
    let told = handled(&rig, &format!("schedule:deeds:hourly:{due_ms}").parse().unwrap()).await;
    assert!(told.conv.as_str().starts_with('m') && told.conv.as_str() != "m0", "{}", told.conv);
    assert!((0..1_000).contains(&(told.recv_ms - due_ms)), "{}", told.recv_ms - due_ms);
    rig.stop().await;
}
