//! Does an account begin slowly after a login, and only then?

use std::time::Duration;

use tokio::time::Instant;
use wxbot_runtime::pacing::SlowedBy;

use crate::rig::{Rig, say};

const WARM: &str =
    "pacing = { per_account = \"1/s\", burst = 4, per_chat = \"60/min\", warm_up = \"1h\", warm_up_from = 10 }";

/// How long five answers to five people who write at once take; those of a burst of four are sent in a second.
async fn five(rig: &Rig, word: &str) -> Duration {
    let (begun, before) = (Instant::now(), rig.sends().len());
    for n in 0..5 {
        let name = if n % 2 == 0 { "Alice" } else { "鲍勃" };
        rig.sim.deliver("shop", say(name, &format!("{word} {n}"))).unwrap();
    }
    rig.sim.wait_for(|j| j.sends_of("shop").count() == before + 5).await;
    begun.elapsed()
}

#[tokio::test(start_paused = true)]
async fn a_new_login_is_warmed_up_and_a_resumed_session_goes_on_where_it_was() {
    let mut rig = Rig::new(WARM).await;
    rig.log_in().await;
    let took = five(&rig, "new").await;
    assert!(took >= Duration::from_secs(35), "one in ten seconds, without a burst: {took:?}");
    let slowed = rig.account().slowed().await.unwrap();
    assert!(slowed.iter().any(|slowed| slowed.by == SlowedBy::WarmUp), "{slowed:?}");
    // A restart ends it no sooner, and begins no other.
    rig.stop().await;
    tokio::time::sleep(Duration::from_secs(1_800)).await;
    rig.start(WARM).await;
    rig.online().await;
    let took = five(&rig, "half way").await;
    assert!(took >= Duration::from_secs(4) && took < Duration::from_secs(12), "{took:?}");
    tokio::time::sleep(Duration::from_secs(1_800)).await;
    let took = five(&rig, "warm").await;
    assert!(took < Duration::from_secs(4), "{took:?}");
    let slowed = rig.account().slowed().await.unwrap();
    assert!(slowed.iter().all(|slowed| slowed.by != SlowedBy::WarmUp), "{slowed:?}");
    rig.stop().await;
}
