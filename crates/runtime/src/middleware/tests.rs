//! Does each middleware stop what it should, and nothing else?

use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde_json::json;
use wxbot_model::{Chat, ChatKind, Content, Event, EventKind, Mentions, Message, Person};
use wxbot_plugin::middleware::Destination;
use wxbot_plugin::{Envelope, Next, Outcome, Place};

use super::*;

/// The plugins: answer once, and say in the reason whether the event came in late.
struct Answers;

impl Destination for Answers {
    fn arrive(&self, env: Envelope) -> BoxFuture<'_, Outcome> {
        Box::pin(async move {
            match env.held {
                // Nobody keeps watch here.
                Some(held) => Outcome::stopped(held.by, held.why),
                None if env.event.late => Outcome::stopped("end", "late"),
                None => Outcome::Passed { actions: 1, said: 1 },
            }
        })
    }
}

fn event(chat: &str, sender: &str, at_s: i64, from_self: bool) -> Event {
    Event {
        account: "a".parse().unwrap(),
        key: "1".parse().unwrap(),
        chat: Chat {
            id: chat.parse().unwrap(),
            kind: if chat.starts_with('r') { ChatKind::Group } else { ChatKind::Private },
            name: String::new(),
        },
        sender: Some(Person { id: sender.parse().unwrap(), name: String::new() }),
        at_s,
        late: false,
        kind: EventKind::Message(Message {
            id: "1".parse().unwrap(),
            from_self,
            content: Content::Text { text: "hi".into() },
            mentions: Mentions::default(),
        }),
    }
}

struct Rig(Vec<Arc<dyn AnyMiddleware>>);

impl Rig {
    fn new(name: &str, settings: Value) -> Self {
        let wanted = MiddlewareUse { name: name.into(), settings, place: Place::default(), own: None };
        Self(chain(&[wanted], &Source::seeded(1, 1_000_000)))
    }

    async fn pass(&self, event: Event) -> String {
        self.pass_again(event, 1).await
    }

    async fn pass_again(&self, event: Event, attempt: u32) -> String {
        match Next::new(&self.0, &Answers).run(Envelope::new(event, 1).attempt(attempt)).await {
            Outcome::Passed { .. } => "passed".into(),
            Outcome::Stopped { by, why } => format!("{by}: {why}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn ignore_self() {
    let rig = Rig::new("ignore-self", json!({}));
    assert_eq!(rig.pass(event("p1", "p1", 0, false)).await, "passed");
    assert_eq!(rig.pass(event("p1", "m1", 0, true)).await, "ignore-self: our own account sent it");
}

#[tokio::test(start_paused = true)]
async fn old_messages_are_marked_not_stopped() {
    let rig = Rig::new("old-message", json!({ "after": "10min" }));
    assert_eq!(rig.pass(event("p1", "p1", 1_000_000 - 600, false)).await, "passed");
    assert_eq!(rig.pass(event("p1", "p1", 1_000_000 - 601, false)).await, "end: late");
    assert_eq!(rig.pass(event("p1", "p1", 2_000_000, false)).await, "passed", "a clock ahead of ours is not old");
}

#[tokio::test(start_paused = true)]
async fn access_lists() {
    for (settings, chat, sender, want) in [
        (json!({}), "p1", "p1", "passed"),
        (json!({ "groups": false }), "r1", "p1", "access: groups are switched off for this account"),
        (json!({ "private": false }), "p1", "p1", "access: private chats are switched off for this account"),
        (json!({ "private": false }), "r1", "p1", "passed"),
        (json!({ "deny_chats": ["r1"] }), "r1", "p1", "access: the chat is on deny_chats"),
        (json!({ "allow_chats": ["r1"] }), "p1", "p1", "access: the chat is not on allow_chats"),
        (json!({ "allow_chats": ["r1"] }), "r1", "p1", "passed"),
        (json!({ "deny_senders": ["p1"] }), "r1", "p1", "access: the sender is on deny_senders"),
        (json!({ "allow_senders": ["p2"] }), "r1", "p1", "access: the sender is not on allow_senders"),
    ] {
        assert_eq!(Rig::new("access", settings.clone()).pass(event(chat, sender, 0, false)).await, want, "{settings}");
    }
}

#[tokio::test(start_paused = true)]
async fn sec_r28_a_loop_is_muted_and_heard_again_later() {
    let rig = Rig::new("loop-guard", json!({ "replies": 5, "per": "10s", "mute": "60s" }));
    for _ in 0..5 {
        assert_eq!(rig.pass(event("p1", "p1", 0, false)).await, "passed");
    }
    assert!(rig.pass(event("p1", "p1", 0, false)).await.starts_with("loop-guard"));
    assert_eq!(rig.pass(event("p2", "p2", 0, false)).await, "passed", "other chats go on");
    tokio::time::advance(Duration::from_secs(61)).await;
    assert_eq!(rig.pass(event("p1", "p1", 0, false)).await, "passed");
}

#[tokio::test(start_paused = true)]
async fn a_repeat_is_no_loop_and_no_flood() {
    let rig = Rig::new("loop-guard", json!({ "replies": 2, "per": "10s", "mute": "60s" }));
    for attempt in 1..=9 {
        assert_eq!(rig.pass_again(event("p1", "p1", 0, false), attempt).await, "passed");
    }
    assert_eq!(rig.pass(event("p1", "p1", 0, false)).await, "passed", "one answer was counted of all these");
    assert!(rig.pass(event("p1", "p1", 0, false)).await.starts_with("loop-guard"));
    assert_eq!(rig.pass_again(event("p1", "p1", 0, false), 2).await, "passed", "it was let in before");
    let rig = Rig::new("rate-limit", json!({ "per_sender": "1/min", "per_chat": "1/min" }));
    for attempt in 1..=3 {
        assert_eq!(rig.pass_again(event("r1", "p1", 0, false), attempt).await, "passed");
    }
}

#[tokio::test(start_paused = true)]
async fn floods_are_stopped_per_sender_and_per_chat() {
    let rig = Rig::new("rate-limit", json!({ "per_sender": "2/min", "per_chat": "3/min" }));
    for want in ["passed", "passed", "rate-limit: too many messages of this sender"] {
        assert_eq!(rig.pass(event("r1", "p1", 0, false)).await, want);
    }
    assert_eq!(rig.pass(event("r1", "p2", 0, false)).await, "rate-limit: too many messages in this chat");
    tokio::time::advance(Duration::from_secs(60)).await;
    assert_eq!(rig.pass(event("r1", "p2", 0, false)).await, "passed");
}
