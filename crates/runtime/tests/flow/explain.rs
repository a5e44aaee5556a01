//! Why was a message not answered? For each reason: the first line that `wxbot explain` shows.

use std::time::Duration;

use wxbot_sim::Deliver;

use crate::rig::{Rig, say};

const RULES: &str = r#"
use = ["auto-reply"]
[[accounts.plugins.auto-reply.rules]]
exact = "hello"
cooldown = "1h"
reply = "hi"
[[accounts.plugins.auto-reply.rules]]
exact = "price"
in = "group"
reply = "8"
"#;

/// Delivers, waits until it has ended, and tells its first line.
async fn first_line(rig: &Rig, deliver: Deliver) -> String {
    let before = rig.last_seq("message");
    rig.sim.deliver("shop", deliver).unwrap();
    rig.until(async |rig| rig.last_seq("message") > before && rig.has_ended(rig.last_seq("message"))).await;
    rig.explain(rig.last_seq("message")).await.remove(0)
}

#[tokio::test(start_paused = true)]
async fn the_access_list() {
    let mut rig = Rig::new("middleware = [\"access\"]\naccess = { private = false }").await;
    rig.log_in().await;
    assert_eq!(
        first_line(&rig, say("Alice", "hello")).await,
        "not answered, stopped by access: private chats are switched off for this account"
    );
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn no_match_and_a_cooldown() {
    let mut rig = Rig::new(RULES).await;
    rig.log_in().await;
    assert_eq!(
        first_line(&rig, say("Alice", "price")).await,
        "not answered: nothing matched (auto-reply, rule 1: the text does not match; \
         auto-reply, rule 2: it does not listen here (`in`, `at_me`))"
    );
    rig.sim.deliver("shop", say("Alice", "hello")).unwrap();
    rig.until(async |rig| rig.counts().await.outbox.sent == 1).await;
    assert_eq!(rig.explain(rig.last_seq("message")).await[0], "answered: 1 sent");
    tokio::time::sleep(Duration::from_secs(10)).await;
    let why = first_line(&rig, say("Alice", "hello")).await;
    assert!(why.starts_with("not answered: auto-reply, rule 1: cooldown: it would answer, and rests for 35"), "{why}");
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_loop_guard() {
    let mut rig = Rig::new("middleware = [\"loop-guard\"]\nloop-guard = { replies = 2 }").await;
    rig.log_in().await;
    for n in 1..=2 {
        rig.sim.deliver("shop", say("Alice", "hello")).unwrap();
        rig.until(async |rig| rig.counts().await.outbox.sent == n).await;
    }
    let why = first_line(&rig, say("Alice", "hello")).await;
    assert!(why.starts_with("not answered, stopped by loop-guard: more than 2 answers within"), "{why}");
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_open_breaker() {
    let mut rig = Rig::new("use = [\"bad\"]").await;
    rig.log_in().await;
    rig.sim.deliver("shop", say("Alice", "fail")).unwrap();
    rig.until(async |rig| rig.story(rig.last_seq("message")).await.is_some_and(|story| story.errors >= 3)).await;
    // Of another chat, so that it does not wait behind the first.
    for _ in 0..2 {
        rig.sim.deliver("shop", say("鲍勃", "fail")).unwrap();
    }
    let mut said = String::new();
    for _ in 0..2_000 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        said = rig.explain(rig.last_seq("message")).await.remove(0);
        if said.contains("(breaker open)") {
            break;
        }
    }
    assert!(said.starts_with("not answered yet, tried again in "), "{said}");
    assert!(said.contains("bad rests after too many failures, for "), "{said}");
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_came_too_late() {
    let mut rig = Rig::new("pacing = { per_account = \"1/h\", burst = 1, max_age = \"1min\" }").await;
    rig.log_in().await;
    for name in ["Alice", "鲍勃"] {
        rig.sim.deliver("shop", say(name, "hello")).unwrap();
    }
    rig.until(async |rig| rig.counts().await.outbox.expired == 1).await;
    let expired = "not answered: what echo answered was not sent in time and expired (pacing.max_age)";
    let first_two = [rig.last_seq("message") - 1, rig.last_seq("message")];
    let mut said = Vec::new();
    for seq in first_two {
        said.push(rig.explain(seq).await.remove(0));
    }
    assert!(said.iter().any(|line| line.starts_with(expired)), "{said:?}");
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn after_a_restart_the_store_still_knows_how_it_ended() {
    let mut rig = Rig::new("middleware = [\"access\"]\naccess = { private = false }").await;
    rig.log_in().await;
    first_line(&rig, say("Alice", "hello")).await;
    let steps = rig.explain(rig.last_seq("message")).await;
    assert!(steps.iter().any(|line| line.starts_with("· access: stopped: private chats")), "{steps:?}");
    rig.stop().await;
    rig.start("").await;
    let steps = rig.explain(rig.last_seq("message")).await;
    assert_eq!(steps[0], "not answered, stopped by access: private chats are switched off for this account");
    assert!(steps.iter().any(|line| line.contains("not remembered")), "{steps:?}");
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_middleware_of_the_program() {
    let mut rig = Rig::new("middleware = [\"shy\"]\nshy = { word = \"boo\" }").await;
    rig.log_in().await;
    assert_eq!(first_line(&rig, say("Alice", "boo!")).await, "not answered, stopped by shy: `boo`, 1 times");
    assert_eq!(first_line(&rig, say("Alice", "boo?")).await, "not answered, stopped by shy: `boo`, 2 times");
    rig.sim.deliver("shop", say("Alice", "hello")).unwrap();
    rig.until(async |rig| rig.counts().await.outbox.sent == 1).await;
    rig.stop().await;
}
