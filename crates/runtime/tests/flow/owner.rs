//! What may an owner do in a chat? Roles by contact id, and the commands of wxbot itself.

use std::time::Duration;

use wxbot_sim::{Deliver, Said};

use crate::rig::{Rig, say};

/// A rig whose Alice is the owner.
async fn owned(more: &str) -> Rig {
    let mut rig = Rig::new("").await;
    rig.log_in().await;
    let alice = rig.id_of("Alice").unwrap();
    rig.stop().await;
    rig.start(&format!("{more}\n[accounts.roles]\nowner = [\"{alice}\"]")).await;
    rig.online().await;
    rig
}

/// What is answered to this, by everybody who answers.
async fn answers(rig: &Rig, from: &str, text: &str) -> Vec<String> {
    let before = rig.sends().len();
    let seq = rig.last_seq("message");
    rig.sim.deliver("shop", say(from, text)).unwrap();
    rig.until(async |rig| rig.last_seq("message") > seq && rig.has_ended(rig.last_seq("message"))).await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    rig.sends().into_iter().skip(before).map(|(_, text)| text).collect()
}

#[tokio::test(start_paused = true)]
async fn help_lists_what_the_person_may_use() {
    let mut rig = owned("").await;
    let said = answers(&rig, "Alice", "帮助").await;
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("/plugin list") && said[0].contains("/why"), "{said:?}");
    // There is nothing to list for him, so that the plugins hear it.
    assert_eq!(answers(&rig, "鲍勃", "/help").await, ["echo: /help"]);
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_plugin_is_silenced_in_one_chat_and_stays_so() {
    let mut rig = owned("").await;
    assert_eq!(answers(&rig, "鲍勃", "/plugin off echo").await, ["echo: /plugin off echo"], "he is nobody");
    let said = answers(&rig, "Alice", "/plugin off nobody").await;
    assert!(said[0].starts_with("没有插件「nobody」"), "{said:?}");
    assert_eq!(answers(&rig, "Alice", "/plugin off echo").await.len(), 1);
    assert!(answers(&rig, "Alice", "hello").await.is_empty());
    let why = rig.explain(rig.last_seq("message")).await.remove(0);
    assert!(why.starts_with("not answered: echo is silenced in this chat"), "{why}");
    assert_eq!(answers(&rig, "鲍勃", "hello").await, ["echo: hello"], "only in that chat");
    let alice = rig.id_of("Alice").unwrap();
    rig.stop().await;
    rig.start(&format!("[accounts.roles]\nadmin = [\"{alice}\"]")).await;
    rig.online().await;
    assert!(answers(&rig, "Alice", "hello").await.is_empty(), "after a restart, too");
    let said = answers(&rig, "Alice", "/plugin").await;
    assert!(said[0].contains("○ echo"), "{said:?}");
    assert_eq!(answers(&rig, "Alice", "/plugin on echo").await.len(), 1);
    assert_eq!(answers(&rig, "Alice", "hello").await, ["echo: hello"]);
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn why_tells_of_the_message_before() {
    let mut rig = owned("middleware = [\"ignore-self\", \"access\"]\naccess = { groups = false }").await;
    assert_eq!(answers(&rig, "Alice", "hello").await, ["echo: hello"]);
    let said = answers(&rig, "Alice", "/why").await;
    assert!(said[0].starts_with("已回复:发出 1 条"), "{said:?}");
    assert!(said[0].contains("· access: 通过") && said[0].contains("· echo: 作用 1 项"), "{said:?}");
    assert_eq!(answers(&rig, "鲍勃", "/why").await, ["echo: /why"], "for the owner only");
    let other = rig.last_seq("message");
    let said = answers(&rig, "Alice", &format!("/why {other}")).await;
    assert_eq!(said, ["本聊天没有找到这条消息 (no such message in this chat)"], "nothing of other chats");
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn without_built_in_commands_plugins_hear_everything() {
    let mut rig = Rig::new("").await;
    rig.log_in().await;
    let alice = rig.id_of("Alice").unwrap();
    rig.stop().await;
    rig.start_below("builtin = false", &format!("[accounts.roles]\nowner = [\"{alice}\"]")).await;
    rig.online().await;
    assert_eq!(answers(&rig, "Alice", "/plugin").await, ["echo: /plugin"]);
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn sec_r27_what_is_quoted_or_our_own_is_no_command() {
    let mut rig = owned("").await;
    let quote =
        Said::Quote { title: "/plugin off echo".into(), msg_id: "1".into(), who: "Alice".into(), text: "x".into() };
    for deliver in [Deliver::said("Alice", quote), say("Alice", "/plugin off echo").own()] {
        let seq = rig.last_seq("message");
        rig.sim.deliver("shop", deliver).unwrap();
        rig.until(async |rig| rig.last_seq("message") > seq && rig.has_ended(rig.last_seq("message"))).await;
        assert!(rig.sends().is_empty(), "{:?}", rig.sends());
    }
    assert_eq!(answers(&rig, "Alice", "hello").await, ["echo: hello"]);
    rig.stop().await;
}
