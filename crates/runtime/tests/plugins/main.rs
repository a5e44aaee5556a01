//! Is done what plugins answer: in their order, to those who wait, with fresh values, at their time, past their guards?

#[cfg(test)]
mod dialogs;
#[cfg(test)]
mod guards;
#[cfg(test)]
mod now;
#[cfg(test)]
mod pacing;
#[cfg(test)]
mod rig;
#[cfg(test)]
mod time;
#[cfg(test)]
mod troupe;

use std::collections::HashMap;
use std::time::Duration;

use rig::{OTHERS, Rig, file};

#[tokio::test(start_paused = true)]
async fn plugins_come_by_priority_and_then_in_the_order_of_use() {
    let mut rig = Rig::new(&file(&["echo", "count", "middle", "high"], "", "")).await;
    rig.say("a").await;
    assert_eq!(rig.settled().await, ["high: a", "middle: a", "echo: a", "1 at 1"]);
    rig.stop().await;
    let mut rig = Rig::new(&file(&["count", "echo"], "", "")).await;
    rig.say("a").await;
    assert_eq!(rig.settled().await, ["1 at 1", "echo: a"]);
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn who_blocks_an_event_is_the_last_to_see_it_also_when_it_comes_back() {
    let mut rig = Rig::new(&file(&["echo", "middle", "high"], "", "")).await;
    rig.say("block").await;
    assert_eq!(rig.settled().await, ["high: block", "middle: block"]);
    rig.say("flaky block").await;
    assert_eq!(rig.settled().await[2..], ["middle: flaky block", "high: flaky block"]);
    rig.say("flaky").await;
    assert_eq!(rig.settled().await[4..], ["middle: flaky", "echo: flaky", "high: flaky"]);
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_blocked_plugin_sees_nothing_after_a_kill_either() {
    let all = file(&["echo", "middle", "high"], "", "");
    let mut rig = Rig::new(&all).await;
    rig.say("broken block").await;
    rig.until("blocked", async |rig| rig.texts() == ["middle: broken block"]).await;
    rig.kill().await;
    rig.start().await.unwrap();
    rig.settled().await;
    assert_eq!((rig.texts().len(), rig.counts().await.inbox.dead), (1, 1), "{:?}", rig.texts());
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn while_a_plugin_rests_its_events_are_parked_and_the_others_are_answered() {
    let mut rig = Rig::new(&file(&["high", "echo"], "", "")).await;
    for n in 0..5 {
        rig.hear(&format!("@p{n}"), &format!("@p{n}"), "broken").await;
    }
    rig.until("five failed", async |rig| rig.texts().len() == 5).await;
    rig.say("late").await;
    let begun = tokio::time::Instant::now();
    rig.until("the other one answers", async |rig| rig.texts_to("@alice") == ["echo: late"]).await;
    assert!(begun.elapsed() < Duration::from_secs(5), "nobody waits for the one that rests");
    rig.until("when it has rested", async |rig| rig.texts_to("@alice") == ["echo: late", "high: late"]).await;
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn two_who_change_a_value_at_once_both_count() {
    let mut rig = Rig::new(&file(&["count", "echo"], "", "")).await;
    let lanes = 8;
    for n in 0..lanes {
        rig.hear(&format!("@p{n}"), &format!("@p{n}"), "slow").await;
    }
    let texts = rig.settled().await;
    let mut counted: Vec<u32> =
        texts.iter().filter_map(|text| text.split_once(" at ")).map(|(n, _)| n.parse().unwrap()).collect();
    counted.sort_unstable();
    assert_eq!(counted, (1..=lanes).collect::<Vec<_>>(), "{texts:?}");
    assert!(texts.iter().any(|text| !text.ends_with("at 1") && text.contains(" at ")), "none came twice: {texts:?}");
    let echoes = texts.iter().filter(|text| text.starts_with("echo")).count();
    assert_eq!(echoes, lanes as usize, "nothing of a round that was refused");
    for key in 1..=lanes {
        let seq = rig.store().find_event(&"shop".parse().unwrap(), &key.to_string().parse().unwrap()).await.unwrap();
        let story = rig.store().story(seq.unwrap()).await.unwrap().unwrap();
        assert_eq!((story.attempts, story.errors), (1, 0), "at once, and no error of anybody");
    }
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn of_those_who_share_an_event_only_the_one_that_lost_runs_again() {
    let mut rig = Rig::new(&file(&["count", "tally"], "", "[plugins.tally]\nword = \"beside\"")).await;
    for n in 0..8 {
        rig.hear(&format!("@p{n}"), &format!("@p{n}"), "slow").await;
    }
    rig.settled().await;
    assert_eq!(rig.counts().await.inbox.done, 8);
    let seen = troupe::SEEN.lock().unwrap().clone();
    let beside: Vec<usize> = seen.iter().filter(|((word, _), _)| word == "beside").map(|(_, count)| *count).collect();
    assert_eq!(beside, [1; 8], "the other one was asked once for each");
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_change_that_never_fits_is_an_error_of_that_plugin_alone() {
    let mut rig = Rig::new(&file(&["count", "echo"], "", "")).await;
    rig.say("never").await;
    rig.until("given up", async |rig| rig.counts().await.inbox.dead == 1).await;
    assert_eq!(rig.texts(), ["echo: never"], "once, and nothing of the other");
    rig.say("a").await;
    assert_eq!(rig.settled().await[1..], ["1 at 1", "echo: a"]);
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_events_over_twenty_swaps_are_handled_once_each() {
    let of = |word: usize| file(&["tally"], "", &format!("[plugins.tally]\nword = \"swap{word}\""));
    let mut rig = Rig::new(&of(0)).await;
    for swap in 1..=20 {
        for n in 0..500 {
            let chat = format!("@p{}", n % OTHERS);
            rig.hear(&chat, &chat, "x").await;
            if n % 50 == 0 {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        }
        rig.reload(&of(swap)).await.unwrap();
    }
    rig.settled().await;
    assert_eq!(rig.counts().await.inbox.done, 10_000);
    let mut times: HashMap<String, usize> = HashMap::new();
    let mut words = std::collections::HashSet::new();
    for ((word, event), count) in troupe::SEEN.lock().unwrap().iter() {
        *times.entry(event.clone()).or_default() += count;
        words.insert(word.clone());
    }
    assert_eq!((times.len(), times.values().max()), (10_000, Some(&1)));
    assert!(words.len() > 10, "{words:?}");
    rig.stop().await;
}
