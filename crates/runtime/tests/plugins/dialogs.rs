//! Does an answer reach the handler that waits for it, and does nobody wait in vain without a word?

use std::time::Duration;

use wxbot_model::AccountName;

use crate::rig::{Rig, file};

const LOST: &str = "刚才的对话中断了,请重新开始 (the dialog was interrupted; please start again)";

fn talk() -> String {
    file(&["echo", "talk"], "", "")
}

/// A rig in which Alice was asked for her name.
async fn asked() -> Rig {
    let mut rig = Rig::new(&talk()).await;
    rig.say("hi").await;
    assert_eq!(rig.settled().await, ["echo: hi", "name?"]);
    rig
}

/// What was said since.
async fn since(rig: &Rig, len: usize) -> Vec<String> {
    rig.settled().await[len..].to_vec()
}

/// The notes of open dialogs.
async fn notes(rig: &Rig) -> Vec<(AccountName, String)> {
    let notes = rig.store().kv_scan("wxbot", "dialog:").await.unwrap();
    notes.into_iter().map(|(account, key, _)| (account, key)).collect()
}

#[tokio::test(start_paused = true)]
async fn an_answer_goes_to_whoever_asked_and_to_nobody_else() {
    let mut rig = asked().await;
    assert_eq!(notes(&rig).await.len(), 1);
    rig.say("Ann").await;
    assert_eq!(since(&rig, 2).await, ["age?"], "no echo of the name");
    rig.say("old").await;
    assert!(since(&rig, 3).await[0].contains("age?"), "asked again");
    rig.say("8").await;
    assert_eq!(since(&rig, 4).await, ["Ann is 8"]);
    assert!(notes(&rig).await.is_empty());
    rig.say("9").await;
    assert_eq!(since(&rig, 5).await, ["echo: 9"], "it is over");
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn others_and_other_chats_are_not_meant() {
    let mut rig = Rig::new(&talk()).await;
    rig.hear("@@tea", "@alice", "hi").await;
    rig.settled().await;
    for (chat, sender) in [("@@tea", "@bob"), ("@alice", "@alice"), ("@@tea", "@me")] {
        rig.hear(chat, sender, sender).await;
    }
    let mut texts = since(&rig, 2).await;
    texts.sort();
    assert_eq!(texts, ["echo: @alice", "echo: @bob", "echo: @me"]);
    rig.hear("@@tea", "@alice", "Ann").await;
    assert_eq!(since(&rig, 5).await, ["age?"]);
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_middleware_stops_is_no_answer() {
    let text = file(&["talk"], "middleware = [\"censor\"]", "[plugins.talk]");
    let mut rig = Rig::new(&text).await;
    rig.say("hi").await;
    rig.settled().await;
    rig.say("stop Ann").await;
    rig.say("change bad").await;
    assert_eq!(since(&rig, 1).await, ["age?"]);
    rig.say("8").await;
    assert_eq!(since(&rig, 2).await, ["change *** is 8"]);
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn when_the_time_is_over_it_ends_quietly() {
    let mut rig = asked().await;
    tokio::time::sleep(Duration::from_secs(61)).await;
    rig.say("Ann").await;
    assert_eq!(since(&rig, 2).await, ["echo: Ann"]);
    assert!(notes(&rig).await.is_empty(), "its note went with the message");
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_restart_between_question_and_answer_is_told_once() {
    for kill in [false, true] {
        let mut rig = asked().await;
        if kill {
            rig.kill().await
        } else {
            rig.stop().await
        }
        rig.start().await.unwrap();
        rig.say("Ann").await;
        assert_eq!(since(&rig, 2).await, [LOST, "echo: Ann"], "killed: {kill}");
        rig.say("again").await;
        assert_eq!(since(&rig, 4).await, ["echo: again"], "killed: {kill}");
        assert!(notes(&rig).await.is_empty());
        rig.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_restart_after_its_time_is_over_is_not_told() {
    let mut rig = asked().await;
    rig.stop().await;
    tokio::time::sleep(Duration::from_secs(61)).await;
    rig.start().await.unwrap();
    rig.say("Ann").await;
    assert_eq!(since(&rig, 2).await, ["echo: Ann"]);
    assert!(notes(&rig).await.is_empty());
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_kill_while_the_answer_is_handled_is_told_and_the_answer_is_an_ordinary_message() {
    let mut rig = asked().await;
    rig.say("slow").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    rig.kill().await;
    rig.start().await.unwrap();
    assert_eq!(since(&rig, 2).await, [LOST, "echo: slow"]);
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_kill_after_the_last_answer_leaves_nothing_to_tell() {
    let mut rig = asked().await;
    rig.say("Ann").await;
    rig.say("8").await;
    assert_eq!(since(&rig, 2).await, ["age?", "Ann is 8"]);
    rig.kill().await;
    rig.start().await.unwrap();
    rig.say("more").await;
    assert_eq!(since(&rig, 4).await, ["echo: more"]);
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_kill_between_the_second_question_and_its_answer_is_told() {
    let mut rig = asked().await;
    rig.say("Ann").await;
    since(&rig, 2).await;
    rig.kill().await;
    rig.start().await.unwrap();
    rig.say("8").await;
    assert_eq!(since(&rig, 3).await, [LOST, "echo: 8"]);
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_new_version_of_the_plugin_ends_it_and_another_plugins_does_not() {
    let mut rig = asked().await;
    rig.reload(&file(&["echo", "talk"], "", "[plugins.echo]\nword = \"2\"")).await.unwrap();
    rig.say("Ann").await;
    assert_eq!(since(&rig, 2).await, ["age?"], "it still waits");
    rig.reload(&file(&["echo", "talk"], "", "[plugins.talk]\nword = \"new\"")).await.unwrap();
    rig.say("8").await;
    assert_eq!(since(&rig, 3).await, [LOST, "echo: 8"]);
    rig.say("hi").await;
    assert_eq!(since(&rig, 5).await, ["echo: hi", "name?"], "the new one asks anew");
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_question_that_is_put_while_its_plugin_is_swapped_is_not_waited_for() {
    let mut rig = asked().await;
    rig.say("slow").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    rig.reload(&file(&["echo", "talk"], "", "[plugins.talk]\nword = \"new\"")).await.unwrap();
    assert_eq!(since(&rig, 2).await, ["age?"], "what had begun was ended by the old one");
    rig.say("8").await;
    assert_eq!(since(&rig, 3).await, [LOST, "echo: 8"]);
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_fails_with_the_answer_is_over_and_the_answer_is_handled_anew() {
    for word in ["panic", "fail", "hang", "much", "clash"] {
        let mut rig = asked().await;
        rig.say(word).await;
        let echo = format!("echo: {word}");
        assert_eq!(since(&rig, 2).await, [LOST, echo.as_str()], "{word}");
        assert!(notes(&rig).await.is_empty(), "{word}");
        rig.say("hi").await;
        assert_eq!(since(&rig, 4).await, ["echo: hi", "name?"], "{word}");
        rig.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_dialog_outlives_the_rest_of_its_plugin() {
    let mut rig = Rig::new(&file(&["talk"], "", "")).await;
    rig.say("hi").await;
    let others = ["@p0", "@p1", "@p2", "@p3", "@p4"];
    for other in others {
        rig.hear(other, other, "hi").await;
    }
    rig.settled().await;
    for other in others {
        rig.hear(other, other, "fail").await;
    }
    rig.until("five failed", async |rig| rig.counts().await.inbox.waiting == 5).await;
    rig.say("Ann").await;
    rig.until("when it has rested", async |rig| rig.texts_to("@alice").len() == 2).await;
    assert_eq!(rig.texts_to("@alice"), ["name?", "age?"], "it was not even asked while it rested");
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_older_event_that_comes_back_is_no_answer() {
    // The first message fails for a while and is parked; meanwhile its sender is asked something by another one.
    let mut rig = Rig::new(&file(&["high", "talk"], "", "")).await;
    rig.say("broken").await;
    rig.until("parked", async |rig| rig.counts().await.inbox.waiting == 1).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    rig.say("long").await;
    rig.until("asked", async |rig| rig.texts().len() == 2).await;
    rig.until("given up", async |rig| rig.counts().await.inbox.dead == 1).await;
    assert_eq!(rig.texts(), ["high: long", "?"]);
    rig.say("answer").await;
    assert_eq!(since(&rig, 2).await, ["long"]);
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_event_that_others_have_seen_is_no_answer_to_a_question_that_came_later() {
    // The first message is parked and asks its question in the end; the second one has failed and is parked by then.
    let mut rig = Rig::new(&file(&["high", "talk"], "", "")).await;
    rig.say("later").await;
    rig.say("broken").await;
    rig.until("asked", async |rig| rig.texts() == ["high: later", "?"]).await;
    rig.until("given up", async |rig| rig.counts().await.inbox.dead == 1).await;
    assert_eq!(rig.texts().len(), 2);
    rig.say("answer").await;
    assert_eq!(since(&rig, 2).await, ["long"]);
    rig.stop().await;
}
