//! Does whoever wrote see that an answer is being written, while it is and no longer?

use std::sync::atomic::Ordering;
use std::time::Duration;

use wxbot_model::{Capabilities, Capability};

use crate::rig::{Rig, Ways, peer};

/// What was shown, in whole seconds since the first.
fn shown(rig: &Rig) -> Vec<(u64, bool)> {
    let typed = rig.service.typed.lock().unwrap();
    let Some((first, ..)) = typed.first() else { return Vec::new() };
    assert!(typed.iter().all(|(_, to, _)| *to == peer("@alice")));
    typed.iter().map(|(at, _, on)| ((*at - *first + Duration::from_millis(200)).as_secs(), *on)).collect()
}

/// It was on and off in turn, and is off: never shown twice at a time, nor left on.
fn is_over(rig: &Rig) -> bool {
    let typed = rig.service.typed.lock().unwrap();
    typed.last().is_some_and(|(_, _, on)| !on)
}

async fn online(ways: Ways, lines: &str) -> Rig {
    Rig::of(Capability::ALL.into_iter().collect(), ways, lines).await
}

#[tokio::test(start_paused = true)]
async fn it_is_shown_after_a_second_repeated_and_ended() {
    let mut rig = online(Ways::default(), "").await;
    let asked = rig.service.since();
    rig.say("slow 12500").await;
    rig.until_gone(1).await;
    rig.until("off", async |rig| is_over(rig)).await;
    assert_eq!(shown(&rig), [(0, true), (5, true), (10, true), (11, false)]);
    let first = rig.service.typed.lock().unwrap()[0].0 - asked;
    assert!((1_000..1_500).contains(&first.as_millis()), "{first:?}");
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn who_answers_at_once_shows_nothing() {
    let mut rig = online(Ways::default(), "").await;
    for _ in 0..20 {
        rig.say("slow 900").await;
    }
    rig.until_gone(20).await;
    assert_eq!(shown(&rig), []);
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn it_ends_with_a_panic_and_with_the_time_limit() {
    let mut rig = online(Ways::default(), "").await;
    rig.say("panic 3000").await;
    rig.until("off", async |rig| is_over(rig)).await;
    assert_eq!(shown(&rig)[..2], [(0, true), (2, false)]);
    rig.until("given up", async |rig| rig.counts().await.inbox.dead == 1).await;
    rig.service.typed.lock().unwrap().clear();
    rig.say("slow 90000").await;
    rig.until("off", async |rig| is_over(rig)).await;
    let shown = shown(&rig);
    let off = shown.iter().position(|(_, on)| !on).unwrap();
    assert_eq!((shown[off].0, off), (29, 6), "30 s is all a handler has: {shown:?}");
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_conversation_shows_one_at_a_time() {
    let mut rig = online(Ways::default(), "").await;
    for _ in 0..4 {
        rig.say("slow 3000").await;
    }
    rig.until_gone(4).await;
    rig.until("off", async |rig| is_over(rig) && shown(rig).len() >= 8).await;
    let states: Vec<bool> = shown(&rig).into_iter().map(|(_, on)| on).collect();
    assert_eq!(states, [true, false].repeat(4));
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_leaves_it_off() {
    let mut rig = online(Ways::default(), "").await;
    rig.say("slow 20000").await;
    rig.until("on", async |rig| !shown(rig).is_empty()).await;
    rig.stop().await;
    assert!(is_over(&rig), "{:?}", shown(&rig));
}

#[tokio::test(start_paused = true)]
async fn what_fails_changes_nothing() {
    let mut rig = online(Ways::default(), "").await;
    rig.service.typing_fails.store(true, Ordering::SeqCst);
    rig.say("slow 7000").await;
    rig.until_gone(1).await;
    rig.until("off", async |rig| is_over(rig)).await;
    assert_eq!(shown(&rig), [(0, true), (5, true), (6, false)]);
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn it_is_for_those_who_can_and_want() {
    let cannot: Capabilities = Capability::ALL.into_iter().filter(|one| *one != Capability::Typing).collect();
    for (can, lines) in [(cannot, ""), (Capability::ALL.into_iter().collect(), "typing = false")] {
        let mut rig = Rig::of(can, Ways::default(), lines).await;
        rig.say("slow 7000").await;
        rig.until_gone(1).await;
        assert_eq!(shown(&rig), [], "{lines}");
        rig.stop().await;
    }
}
