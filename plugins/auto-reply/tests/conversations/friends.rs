//! Whose friend requests are accepted, how many, and what does a new friend hear?

use std::time::Duration;

use serde_json::json;
use wxbot_auto_reply::AutoReply;
use wxbot_plugin::model::{Action, Capability, EventKind, FriendRequest, Ticket, Who};
use wxbot_plugin::testing::Kit;

fn request(greeting: &str) -> FriendRequest {
    FriendRequest {
        user: Some("@stranger".parse().unwrap()),
        name: "stranger".into(),
        greeting: greeting.into(),
        ticket: Ticket::new("t"),
        ..FriendRequest::default()
    }
}

fn asks(greeting: &str) -> EventKind {
    EventKind::FriendRequest(request(greeting))
}

fn added(name: &str) -> EventKind {
    EventKind::FriendAdded { name: name.into(), by: Who::Me, notice: "你已添加了…".into() }
}

/// How many requests were accepted since the last look.
fn accepted(bot: &Kit<AutoReply>) -> usize {
    let acted = bot.acted();
    assert!(acted.iter().all(|action| matches!(action, Action::AcceptFriend { .. })), "{acted:?}");
    acted.len()
}

#[wxbot_plugin::test(settings = json!({ "friends": { "accept": true, "limit": "2/h", "greeting": [
    "你好,{{ sender }}!", "我是 {{ account }}",
] } }))]
async fn accepted_within_a_rate_and_greeted_once(bot: Kit<AutoReply>) {
    let alice = bot.user("alice");
    for (minute, want) in [(0, 1), (10, 1), (20, 0), (59, 0), (60, 1), (61, 0), (70, 1)] {
        let now_minute = (bot.now_ms() - 1_767_225_600_000) / 60_000;
        bot.advance_ms((minute - now_minute) * 60_000);
        alice.does(asks("hi")).await.gets_nothing();
        assert_eq!(accepted(&bot), want, "minute {minute}");
    }
    alice.does(added("Alice")).await.gets_each(["你好,Alice!", "我是 test"]);
    alice.does(added("Alice")).await.gets_nothing();
    bot.restart().await.unwrap();
    alice.does(added("Alice")).await.gets_nothing();
    bot.user("bob").does(added("Bob")).await.gets_each(["你好,Bob!", "我是 test"]);
    bot.advance(Duration::from_secs(2 * 86_400)).await;
    alice.does(added("Alice")).await.gets_each(["你好,Alice!", "我是 test"]);
}

#[wxbot_plugin::test(settings = json!({ "friends": { "accept": ["暗号", "ABC"] } }))]
async fn accepted_by_a_word_of_the_greeting(bot: Kit<AutoReply>) {
    let alice = bot.user("alice");
    for (greeting, want) in [("我是小李", 0), ("", 0), ("对暗号", 1), ("\u{FF21}b\u{200B}c", 1), ("AB", 0)] {
        alice.does(asks(greeting)).await.gets_nothing();
        assert_eq!(accepted(&bot), want, "{greeting}");
    }
    alice.does(added("Alice")).await.gets_nothing();
}

#[wxbot_plugin::test(settings = json!({ "friends": { "accept": true } }))]
async fn what_nobody_asked_for_is_never_accepted(bot: Kit<AutoReply>) {
    let alice = bot.user("alice");
    for request in [
        FriendRequest { suggested: true, ..request("hi") },
        FriendRequest { ticket: Ticket::default(), ..request("hi") },
        FriendRequest { user: None, ..request("hi") },
    ] {
        alice.does(EventKind::FriendRequest(request)).await.gets_nothing();
        assert_eq!(accepted(&bot), 0);
    }
    bot.cannot(&[Capability::AcceptFriend]);
    alice.does(asks("hi")).await.gets_nothing();
    assert_eq!((accepted(&bot), bot.kv_keys().len()), (0, 0));
}

#[wxbot_plugin::test(settings = json!({ "friends": { "greeting": "hi" }, "rules": [{ "any": true, "reply": "x" }] }))]
async fn a_greeting_without_accepting(bot: Kit<AutoReply>) {
    let alice = bot.user("alice");
    alice.does(asks("hi")).await.gets_nothing();
    assert_eq!(accepted(&bot), 0);
    alice.does(added("Alice")).await.gets("hi");
    let room = bot.room("茶", [&alice]);
    alice.in_room(&room).does(added("Alice")).await.gets_nothing();
}

/// A request that comes again after a crash counts once.
#[wxbot_plugin::test(settings = json!({ "friends": { "accept": true, "limit": "2/h" } }))]
async fn a_crash_counts_once(bot: Kit<AutoReply>) {
    bot.crash_before_commit();
    bot.user("alice").does(asks("hi")).await.gets_nothing();
    assert_eq!(accepted(&bot), 1);
    assert_eq!(bot.kv::<Vec<i64>>("friends:accepted").unwrap().unwrap().len(), 1);
}
