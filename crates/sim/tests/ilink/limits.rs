//! How much a bot may say.

use std::time::Duration;

use serde_json::{Value, json};
use wxbot_sim::{IlinkMessage, IlinkOutcome, IlinkRefusal, IlinkSetup};

use crate::client::{Client, greeted, sim, sim_with};

async fn say(client: &Client, to: &Value, token: &Value, id: usize) -> (i64, String) {
    let answer = client.text(to, token, &format!("c{id}"), "x").await;
    (answer["ret"].as_i64().unwrap(), answer["errmsg"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test(start_paused = true)]
async fn ten_messages_per_message() {
    let sim = sim();
    let client = Client::bound(&sim, "claw").await;
    let (to, token) = greeted(&sim, &client, "claw").await;
    let mut seen = Vec::new();
    for id in 0..11 {
        seen.push(say(&client, &to, &token, id).await.0);
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
    assert_eq!(seen, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -2]);
    // A copy of the message is not another message; the person's next one is.
    let id = sim.journal().told[0].id.clone();
    sim.repeat("claw", &id, true).unwrap();
    assert_eq!(say(&client, &to, &token, 20).await, (-2, "rate limited".to_owned()));
    sim.say("claw", &IlinkMessage::text("go on")).unwrap();
    assert_eq!(say(&client, &to, &token, 21).await.0, 0, "an older token still works");
    assert_eq!(sim.journal().shown("claw").count(), 11);
}

#[tokio::test(start_paused = true)]
async fn the_window_shuts_after_a_day() {
    let sim = sim();
    let client = Client::bound(&sim, "claw").await;
    let (to, token) = greeted(&sim, &client, "claw").await;
    tokio::time::sleep(Duration::from_secs(24 * 3_600 - 1)).await;
    assert_eq!(say(&client, &to, &token, 1).await.0, 0);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(say(&client, &to, &token, 2).await.0, -2, "what the bot sends does not keep it open");
    sim.set_meter("claw", "", 8, Duration::from_secs(60)).unwrap();
    let mut left = Vec::new();
    for id in 3..6 {
        left.push(say(&client, &to, &token, id).await.0);
    }
    assert_eq!(left, [0, 0, -2]);
}

#[tokio::test(start_paused = true)]
async fn a_burst_stops_the_whole_bot() {
    let sim = sim_with(IlinkSetup { quota: 100, ..IlinkSetup::default() });
    let client = Client::bound(&sim, "claw").await;
    let (to, token) = greeted(&sim, &client, "claw").await;
    for id in 0..18 {
        assert_eq!(say(&client, &to, &token, id).await.0, 0, "{id}");
    }
    assert_eq!(say(&client, &to, &token, 18).await, (-2, "prepare failed".to_owned()));
    // Also towards somebody else, and for minutes.
    sim.say("claw", &IlinkMessage::text("hi").by("老王")).unwrap();
    let (messages, _) = client.updates("").await;
    let (other, its) = (&messages[1]["from_user_id"], &messages[1]["context_token"]);
    assert_eq!(say(&client, other, its, 19).await, (-2, "prepare failed".to_owned()));
    tokio::time::sleep(Duration::from_secs(180)).await;
    assert_eq!(say(&client, other, its, 20).await.0, 0);
}

#[tokio::test(start_paused = true)]
async fn under_the_shadow_limit_everything_looks_well() {
    let sim = sim();
    let client = Client::bound(&sim, "claw").await;
    let (to, token) = greeted(&sim, &client, "claw").await;
    sim.shadow("claw", "", true).unwrap();
    assert_eq!(client.text(&to, &token, "c1", "x").await, json!({"ret": 0}));
    assert_eq!(sim.journal().count("claw", IlinkOutcome::Hidden), 1);
    // A new binding does not help.
    let client = Client::bound(&sim, "claw").await;
    let (to, token) = greeted(&sim, &client, "claw").await;
    assert_eq!(client.text(&to, &token, "c1", "x").await, json!({"ret": 0}));
    sim.shadow("claw", "", false).unwrap();
    assert!(client.text(&to, &token, "c2", "x").await["message_id"].is_u64());
}

#[tokio::test(start_paused = true)]
async fn refusals_can_be_ordered() {
    let sim = sim();
    let client = Client::bound(&sim, "claw").await;
    let (to, token) = greeted(&sim, &client, "claw").await;
    let order = |ret, errmsg: &str, times, to: Option<&str>| IlinkRefusal {
        to: to.map(str::to_owned),
        ret,
        errmsg: errmsg.to_owned(),
        times,
    };
    sim.refuse("claw", order(-13, "", 2, None)).unwrap();
    sim.refuse("claw", order(-2, "prepare failed", 0, Some("老王"))).unwrap();
    assert_eq!(client.text(&to, &token, "c1", "x").await, json!({"ret": -13}));
    assert_eq!(client.text(&to, &token, "c1", "x").await, json!({"ret": -13}));
    assert_eq!(client.text(&to, &token, "c1", "x").await["ret"], 0, "the refused id was free");
    sim.say("claw", &IlinkMessage::text("hi").by("老王")).unwrap();
    let (messages, _) = client.updates("").await;
    let (other, its) = (&messages[1]["from_user_id"], &messages[1]["context_token"]);
    for id in 2..5 {
        assert_eq!(say(&client, other, its, id).await, (-2, "prepare failed".to_owned()));
    }
    sim.clear_refusals("claw").unwrap();
    assert_eq!(say(&client, other, its, 5).await.0, 0);
}
