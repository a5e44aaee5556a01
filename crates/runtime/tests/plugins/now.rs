//! Does a handler that sends at once learn what became of it?

use std::time::Duration;

use wxbot_core::error::SendError;

use crate::rig::{Rig, file};
use crate::troupe;

async fn noted(rig: &Rig, text: &str) -> String {
    rig.until(text, async |_| !troupe::notes(text).is_empty()).await;
    troupe::notes(text).remove(0)
}

#[tokio::test(start_paused = true)]
async fn a_receipt_says_under_which_id_it_arrived() {
    let mut rig = Rig::new(&file(&["now"], "", "")).await;
    rig.say("now well").await;
    assert_eq!(noted(&rig, "now well").await, "now well: Some(\"s0\")");
    assert_eq!((rig.settled().await, rig.counts().await.outbox.sent), (vec!["now well".to_owned()], 1));
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_went_wrong_is_said_in_words() {
    for (text, verdict, want) in [
        ("now refused", SendError::Failed { why: "1204".into() }, "it was refused: 1204"),
        ("now unknown", SendError::Uncertain { why: "cut".into() }, "nobody knows whether it arrived: "),
    ] {
        let mut rig = Rig::new(&file(&["now"], "", "")).await;
        rig.service.verdicts.lock().unwrap().push_back(verdict);
        rig.say(text).await;
        let told = noted(&rig, text).await;
        assert!(told.starts_with(&format!("{text}: {want}")), "{told}");
        rig.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn it_keeps_the_pace_and_is_withdrawn_when_its_turn_does_not_come() {
    let pace = "pacing = { per_account = \"1/10s\", burst = 1, per_chat = \"100/s\" }";
    let mut rig = Rig::new(&file(&["now"], pace, "")).await;
    let begun = tokio::time::Instant::now();
    for n in 0..3 {
        let chat = format!("@p{n}");
        rig.hear(&chat, &chat, &format!("now paced {n}")).await;
    }
    rig.until("three ends", async |_| troupe::notes("now paced").len() == 3).await;
    assert!(begun.elapsed() >= Duration::from_secs(10));
    let told = troupe::notes("now paced");
    let late = told.iter().filter(|told| told.ends_with("nothing was sent: its turn did not come within 15 s")).count();
    assert_eq!(late, 1, "{told:?}");
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert_eq!((rig.texts().len(), rig.counts().await.outbox.dropped), (2, 1));
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_under_way_for_too_long_is_unknown() {
    let mut rig = Rig::new(&file(&["now"], "", "")).await;
    rig.service.slow.send_replace(true);
    rig.say("now slow").await;
    let told = noted(&rig, "now slow").await;
    assert_eq!(told, "now slow: nobody knows whether it arrived: it is still under way");
    rig.service.slow.send_replace(false);
    rig.until("it arrives", async |rig| rig.texts() == ["now slow"]).await;
    rig.stop().await;
}
