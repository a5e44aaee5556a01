//! Does a plugin in the chain stop, change and let pass what it says, and never make the bot deaf?

use std::time::Duration;

use crate::rig::{Rig, file};

fn guarded(used: &[&str], tables: &str) -> String {
    file(used, "middleware = [\"censor\", \"trace\"]", tables)
}

#[tokio::test(start_paused = true)]
async fn what_a_guard_says_is_done() {
    let mut rig = Rig::new(&guarded(&["echo"], "[plugins.censor]\nword = \"please: \"")).await;
    for (said, want) in [
        ("fine", Some("echo: fine")),
        ("stop it", None),
        ("change bad words", Some("echo: change *** words")),
        ("steal", Some("echo: steal")),
    ] {
        let before = rig.texts().len();
        rig.say(said).await;
        assert_eq!(rig.settled().await[before..], Vec::from_iter(want), "{said}");
    }
    rig.say("stop").await;
    rig.settled().await;
    assert_eq!(note_of_last(&rig).await, "censor: please: no such talk");
    rig.stop().await;
}

/// Why the last event of Alice was stopped.
async fn note_of_last(rig: &Rig) -> String {
    let (store, alice) = (rig.store(), rig.account().find_contacts(&"@alice".into())[0].id.clone());
    let seq = store.last_event(&"shop".parse().unwrap(), &alice, u64::MAX).await.unwrap().unwrap();
    store.story(seq).await.unwrap().unwrap().note.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_guard_is_told_who_has_which_role_also_after_a_reload() {
    let mut rig = Rig::new(&guarded(&["echo"], "")).await;
    rig.say("owner").await;
    assert_eq!(rig.settled().await, ["echo: owner"]);
    let alice = rig.account().find_contacts(&"@alice".into())[0].id.clone();
    rig.reload(&guarded(&["echo"], &format!("[accounts.roles]\nowner = [\"{alice}\"]"))).await.unwrap();
    rig.say("owner").await;
    assert_eq!(rig.settled().await[1..], ["echo: change owner"]);
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_guard_need_not_be_in_use_and_may_be() {
    let mut rig = Rig::new(&guarded(&["echo", "censor"], "")).await;
    rig.say("a").await;
    assert_eq!(rig.settled().await, ["echo: a", "censor: a"]);
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_guard_that_fails_lets_pass_and_rests_and_nobody_waits_long() {
    let mut rig = Rig::new(&guarded(&["echo", "censor"], "")).await;
    for said in ["fail", "panic", "hang"] {
        let (before, begun) = (rig.texts().len(), tokio::time::Instant::now());
        rig.say(said).await;
        assert_eq!(rig.settled().await[before], format!("echo: {said}"));
        assert!(begun.elapsed() < Duration::from_secs(6), "{said}: {:?}", begun.elapsed());
    }
    for _ in 0..2 {
        rig.say("fail").await;
        rig.settled().await;
    }
    // It rests now: what it would stop passes, and it handles events as before.
    let before = rig.texts().len();
    rig.say("stop").await;
    assert_eq!(rig.settled().await[before..], ["echo: stop", "censor: stop"]);
    tokio::time::sleep(Duration::from_secs(31)).await;
    rig.say("stop").await;
    assert_eq!(rig.settled().await.len(), before + 2);
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn new_settings_of_a_guard_hold_from_the_next_event_on() {
    let mut rig = Rig::new(&file(&["echo"], "middleware = []", "")).await;
    rig.say("stop").await;
    assert_eq!(rig.settled().await, ["echo: stop"]);
    let of = |word: &str| guarded(&["echo"], &format!("[plugins.censor]\nword = \"{word}\""));
    for word in ["first ", "second "] {
        rig.reload(&of(word)).await.unwrap();
        rig.say("stop").await;
        assert_eq!(rig.settled().await, ["echo: stop"]);
        assert_eq!(note_of_last(&rig).await, format!("censor: {word}no such talk"), "not what it was before");
    }
    rig.reload(&file(&["echo"], "middleware = []", "")).await.unwrap();
    rig.say("stop").await;
    assert_eq!(rig.settled().await, ["echo: stop", "echo: stop"]);
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn whoever_keeps_watch_sees_the_flood_that_all_others_are_spared() {
    let limits = "middleware = [\"loop-guard\", \"rate-limit\"]";
    let tables = "[rate-limit]\nper_chat = \"2/min\"\n[loop-guard]\nreplies = 1000";
    let mut rig = Rig::new(&file(&["echo", "watch"], limits, tables)).await;
    for n in 0..4 {
        rig.hear("@@tea", "@alice", &n.to_string()).await;
    }
    assert_eq!(rig.settled().await, ["echo: 0", "watch: 0", "echo: 1", "watch: 1", "watch: 2", "watch: 3"]);
    // What it orders in the flood it may ask about: the answer is held back from nobody who waits for it.
    rig.hear("@@tea", "@alice", "order").await;
    rig.settled().await;
    rig.hear("@@tea", "@alice", "4821").await;
    assert_eq!(rig.settled().await[6..], ["code?", "code 4821"]);
    // wxbot itself is not asked, and a private chat has nothing to watch.
    rig.hear("@@tea", "@alice", "/help").await;
    assert_eq!(rig.settled().await[8..], ["watch: /help"]);
    for n in 0..3 {
        rig.say(&n.to_string()).await;
    }
    assert_eq!(rig.settled().await[9..], ["echo: 0", "watch: 0", "echo: 1", "watch: 1"]);
    assert_eq!(note_of_last(&rig).await, "rate-limit: too many messages in this chat");
    rig.stop().await;

    let mut rig = Rig::new(&file(&["echo"], limits, tables)).await;
    for n in 0..3 {
        rig.hear("@@tea", "@alice", &n.to_string()).await;
    }
    assert_eq!(rig.settled().await, ["echo: 0", "echo: 1"]);
    let inbox = rig.counts().await.inbox;
    assert_eq!((inbox.done, inbox.stopped), (2, 1), "not tried again");
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn whoever_keeps_watch_is_not_muted_for_what_it_says() {
    let limits = "middleware = [\"loop-guard\"]";
    let mut rig = Rig::new(&file(&["echo", "watch"], limits, "[loop-guard]\nreplies = 4\nmute = \"60s\"")).await;
    for n in 0..4 {
        rig.hear("@@tea", "@alice", &n.to_string()).await;
    }
    assert_eq!(rig.settled().await, ["echo: 0", "watch: 0", "echo: 1", "watch: 1", "watch: 2", "watch: 3"]);
    tokio::time::sleep(Duration::from_secs(61)).await;
    rig.hear("@@tea", "@alice", "5").await;
    assert_eq!(rig.settled().await[6..], ["echo: 5", "watch: 5"], "what was said while muted did not count");
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_said_elsewhere_mutes_nobody_here() {
    let limits = "middleware = [\"loop-guard\"]";
    let mut rig = Rig::new(&file(&["echo", "watch"], limits, "[loop-guard]\nreplies = 4\nmute = \"60s\"")).await;
    rig.hear("@@tea", "@alice", "tell").await;
    let mut told = rig.settled().await;
    told.sort();
    assert_eq!(told, ["echo: tell", "told 0", "told 1", "told 2", "told 3"]);
    rig.hear("@@tea", "@alice", "1").await;
    assert_eq!(rig.settled().await[5..], ["echo: 1", "watch: 1"]);
    rig.stop().await;
}
