//! Does what serves nobody any more go, and what serves stay?

use std::time::Duration;

use serde_json::json;
use wxbot_auto_reply::AutoReply;
use wxbot_plugin::testing::Kit;

#[wxbot_plugin::test(settings = json!({
    "cooldown": "1h", "person_cooldown": "2h",
    "away": { "text": "away", "every": "4h" },
    "friends": { "greeting": "hi" },
    "rules": [{ "any": true, "reply": "x" }],
}))]
async fn what_is_over_goes(bot: Kit<AutoReply>) {
    const HOUR_MS: i64 = 3_600_000;
    let now_ms = bot.now_ms();
    for (key, hours, stays) in [
        ("away:p1", 4, false),
        ("away:p2", 3, true),
        ("cooldown-person:p1", 2, false),
        ("cooldown-person:p2", 1, true),
        ("cooldown:p1", 2, false),
        // The longest silence of any rule counts for all.
        ("cooldown:p2", 1, true),
        ("cooldown:r1:00000000000000ff", 30, false),
        // The clock was set back by a moment, and by much.
        ("cooldown:p3", -1, true),
        ("cooldown:p4", -48, false),
        ("greeted:p1", 24, false),
        ("greeted:p2", 23, true),
        ("friends:accepted", 100, true),
    ] {
        bot.set_kv(key, &(now_ms - hours * HOUR_MS)).unwrap();
        bot.fires("tidy").await.gets_nothing();
        assert_eq!(bot.kv_keys().contains(&key.to_owned()), stays, "{key} {hours}");
    }
    bot.set_kv("away", &json!({ "away": { "since_ms": 0, "note": "" } })).unwrap();
    // Another shape, and what no setting reads.
    bot.set_kv("cooldown:p5", &json!({ "at": 1 })).unwrap();
    bot.set_kv("llm:chat:p1", &json!({ "at_ms": now_ms, "turns": [] })).unwrap();
    bot.fires("tidy").await.gets_nothing();
    let left =
        ["away", "away:p2", "cooldown-person:p2", "cooldown:p2", "cooldown:p3", "friends:accepted", "greeted:p2"];
    assert_eq!(bot.kv_keys(), left);
}

/// A run does no more than a commit bears; a timer goes on, over a restart too.
#[wxbot_plugin::test(settings = json!({ "cooldown": "1h", "rules": [{ "any": true, "reply": "x" }] }))]
async fn much_goes_bit_by_bit(bot: Kit<AutoReply>) {
    for n in 0..1_200 {
        bot.set_kv(&format!("cooldown:p{n}"), &0).unwrap();
        bot.set_kv(&format!("greeted:p{n}"), &bot.now_ms()).unwrap();
    }
    bot.set_kv("llm:from:p1", &json!({ "day": "2020-01-01", "answers": 1, "tokens": 1 })).unwrap();
    bot.fires("tidy").await.gets_nothing();
    assert_eq!((bot.kv_keys().len(), bot.timers().len()), (1_200 + 700 + 1, 1));
    bot.restart().await.unwrap();
    bot.advance(Duration::from_secs(60)).await;
    assert_eq!((bot.kv_keys().len(), bot.timers().len()), (1_200, 0));
}

/// Many values that stay are looked through in several runs as well.
#[wxbot_plugin::test(settings = json!({ "cooldown": "1h", "rules": [{ "any": true, "reply": "x" }] }))]
async fn what_stays_does_not_hide_what_goes(bot: Kit<AutoReply>) {
    for n in 0..5_500 {
        bot.set_kv(&format!("cooldown:p{n}"), &bot.now_ms()).unwrap();
    }
    bot.set_kv("cooldown:p9999", &0).unwrap();
    bot.set_kv("greeted:p1", &0).unwrap();
    bot.fires("tidy").await.gets_nothing();
    assert_eq!((bot.kv_keys().len(), bot.timers().len()), (5_502, 1));
    bot.advance(Duration::from_secs(10)).await;
    assert_eq!((bot.kv_keys().len(), bot.timers().len()), (5_500, 0));
}

/// Conversations are large: fewer of them go with one commit.
#[wxbot_plugin::test(settings = json!({ "rules": [{ "any": true, "reply": "x" }] }))]
async fn large_values_go_by_few(bot: Kit<AutoReply>) {
    for n in 0..60 {
        bot.set_kv(&format!("llm:chat:p{n}"), &json!({ "at_ms": 0, "turns": [] })).unwrap();
    }
    bot.fires("tidy").await.gets_nothing();
    assert_eq!((bot.kv_keys().len(), bot.timers().len()), (60 - 25, 1));
    bot.advance(Duration::from_secs(60)).await;
    assert_eq!((bot.kv_keys().len(), bot.timers().len()), (0, 0));
}
