//! Which event does a due time become? A timer's comes in the chat it was set in, a schedule's belongs to the account.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use wxbot_model::{AccountName, Chat, ChatKind, ContactId, Event, EventKey, EventKind};

use crate::store::{DueTimer, Firing, NewRow, Origin, ScheduleKey};

/// What a timer keeps for its event.
#[derive(Debug, Serialize, Deserialize)]
struct Kept<C, P> {
    chat: C,
    payload: P,
}

/// The body of a timer that is set: what its event needs and nobody knows later.
pub fn keepsake(chat: &Chat, payload: &Value) -> Arc<str> {
    // Maps of texts and plain values; there is nothing in them that JSON has no word for.
    serde_json::to_string(&Kept { chat, payload }).unwrap_or_default().into()
}

/// The event of a timer. It happens when it is fired, however late that is: nobody shall take it for an old message.
pub(super) fn of_timer(timer: DueTimer, now_ms: i64) -> Firing {
    let DueTimer { account, plugin, name, conv, due_ms, cause, body } = timer;
    let Kept { chat, payload } = serde_json::from_str(&body).unwrap_or_else(|error| {
        tracing::error!(%account, %plugin, %error, "What a timer kept cannot be read; it fires without.");
        Kept { chat: Chat { id: conv, kind: ChatKind::Private, name: String::new() }, payload: Value::Null }
    });
    let key = key(&["timer", &plugin, &name, &due_ms.to_string(), &cause.to_string()]);
    let kind = EventKind::Timer { plugin: (*plugin).to_owned(), name: name.clone(), payload, due_ms };
    firing(&account, key, chat, kind, Origin::Timer { plugin, name, due_ms, cause }, now_ms)
}

/// The event of a schedule; `myself` is the account's own id, where it is known.
pub(super) fn of_schedule(
    ScheduleKey { account, plugin, name }: &ScheduleKey,
    due_ms: i64,
    myself: Option<ContactId>,
    now_ms: i64,
) -> Firing {
    #[expect(clippy::expect_used, reason = "a letter and a digit")]
    let nobody = || "m0".parse().expect("a contact id");
    // A number that is given to nobody, for an account that has never been logged in.
    let id = myself.unwrap_or_else(nobody);
    let key = key(&["schedule", plugin, name, &due_ms.to_string()]);
    let chat = Chat { id, kind: ChatKind::Special, name: String::new() };
    let kind = EventKind::Schedule { plugin: (**plugin).to_owned(), name: (**name).to_owned(), due_ms };
    let origin = Origin::Schedule { plugin: Arc::clone(plugin), name: Arc::clone(name), due_ms };
    firing(account, key, chat, kind, origin, now_ms)
}

fn firing(account: &AccountName, key: EventKey, chat: Chat, kind: EventKind, origin: Origin, now_ms: i64) -> Firing {
    let (word, conv) = (kind.word(), chat.id.clone());
    let event = Event {
        account: account.clone(),
        key: key.clone(),
        chat,
        sender: None,
        at_s: now_ms / 1_000,
        late: false,
        kind,
    };
    let body = serde_json::to_string(&event).unwrap_or_else(|error| {
        tracing::error!(%account, %key, %error, "A due time cannot be written as JSON; its event will be dead.");
        String::new()
    });
    let row = NewRow { key, conv, kind: word, body: body.into(), echo: None };
    Firing { account: account.clone(), row, origin, now_ms }
}

/// Unique within the account. People read it in logs, so it says what it is of; a name that cannot stand in a key is
/// written as JSON, and shortened by a hash of it.
fn key(parts: &[&str]) -> EventKey {
    let plain = parts.join(":");
    let spelled = || serde_json::to_string(parts).unwrap_or_default();
    let hashed = || {
        let hash = |seed: u8| crate::contacts::hash64(&[&seed.to_string(), &plain]);
        format!("{}:{:016x}{:016x}", parts.first().unwrap_or(&""), hash(0), hash(1))
    };
    let key = plain.parse().or_else(|_| spelled().parse()).or_else(|_| hashed().parse());
    #[expect(clippy::expect_used, reason = "a word and hexadecimal digits")]
    key.expect("printable")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn timer(name: &str, body: Arc<str>) -> DueTimer {
        DueTimer {
            account: "shop".parse().unwrap(),
            plugin: Arc::from("remind"),
            name: name.to_owned(),
            conv: "r3".parse().unwrap(),
            due_ms: 1_000,
            cause: 7,
            body,
        }
    }

    fn event(firing: &Firing) -> Event {
        serde_json::from_str(&firing.row.body).unwrap()
    }

    #[test]
    fn a_timer_comes_back_in_its_chat_with_what_it_was_given() {
        let chat = Chat { id: "r3".parse().unwrap(), kind: ChatKind::Group, name: "测试群".into() };
        let payload = json!({"text": "喝水", "n": [1, null]});
        let fired = of_timer(timer("a", keepsake(&chat, &payload)), 3_600_000);
        let made = event(&fired);
        assert_eq!((fired.row.kind, &fired.row.conv, &fired.row.key), ("timer", &chat.id, &made.key));
        assert_eq!((made.key.as_str(), made.chat, made.at_s), ("timer:remind:a:1000:7", chat, 3_600));
        assert_eq!(made.kind, EventKind::Timer { plugin: "remind".into(), name: "a".into(), payload, due_ms: 1_000 });
    }

    #[test]
    fn what_cannot_be_read_fires_all_the_same() {
        let fired = of_timer(timer("a", Arc::from("spoiled")), 0);
        assert!(matches!(event(&fired).kind, EventKind::Timer { payload: Value::Null, .. }));
        assert_eq!(fired.row.conv.as_str(), "r3");
    }

    #[test]
    fn every_name_has_a_key_of_its_own() {
        let long = "长".repeat(400);
        let names = ["a", "a:1", "a\nb", "a\\nb", &long, &format!("{long}."), ""];
        let keys: std::collections::HashSet<EventKey> =
            names.iter().map(|name| key(&["timer", "p", name, "1"])).collect();
        assert_eq!(keys.len(), names.len(), "{keys:?}");
    }

    #[test]
    fn a_schedule_belongs_to_the_account() {
        let of = ScheduleKey { account: "shop".parse().unwrap(), plugin: "news".into(), name: "morning".into() };
        for (myself, want) in [(Some("m4"), "m4"), (None, "m0")] {
            let fired = of_schedule(&of, 5_000, myself.map(|id| id.parse().unwrap()), 6_000);
            let made = event(&fired);
            assert_eq!((made.chat.id.as_str(), made.chat.kind, made.at_s), (want, ChatKind::Special, 6));
            assert_eq!(made.key.as_str(), "schedule:news:morning:5000");
            assert_eq!(made.kind, EventKind::Schedule { plugin: "news".into(), name: "morning".into(), due_ms: 5_000 });
        }
    }
}
