//! What becomes of what a bot sends.

use serde_json::{Value, json};
use wxbot_sim::{IlinkMessage, IlinkOutcome, IlinkSetup};

use crate::client::{Client, greeted, hard, sim, sim_with};

#[tokio::test(start_paused = true)]
async fn a_text_is_shown_once() {
    let sim = sim();
    let client = Client::bound(&sim, "claw").await;
    let (to, token) = greeted(&sim, &client, "claw").await;
    let answer = client.text(&to, &token, "c1", "你好 👋").await;
    let id = answer["message_id"].as_u64().unwrap();
    let again = client.text(&to, &token, "c1", "你好 👋").await;
    assert_eq!(again["ret"], 0, "a repetition is accepted: {again}");
    let journal = sim.journal();
    assert_eq!(journal.texts_to("claw", "claw").collect::<Vec<_>>(), ["你好 👋"]);
    assert_eq!(journal.sends[0].message_id, id.to_string());
    assert_eq!(journal.count("claw", IlinkOutcome::Doubled), 1);
    assert_eq!(hard(&sim), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn without_a_context_token_it_is_dropped_in_silence() {
    let sim = sim();
    let client = Client::bound(&sim, "claw").await;
    let (to, token) = greeted(&sim, &client, "claw").await;
    for none in [json!(""), Value::Null] {
        assert_eq!(client.text(&to, &none, "c1", "lost").await, json!({}));
    }
    let strange = client.text(&to, &json!("made up"), "c2", "lost").await;
    assert_eq!((&strange["ret"], &strange["errmsg"]), (&json!(-2), &json!("unknown error")));
    // The id of what was dropped or refused is still free.
    assert_eq!(client.text(&to, &token, "c1", "seen").await["ret"], 0);
    let journal = sim.journal();
    let outcomes: Vec<_> = journal.sends.iter().map(|send| send.outcome).collect();
    use IlinkOutcome::{Dropped, Refused, Shown};
    assert_eq!(outcomes, [Dropped, Dropped, Refused, Shown]);
    assert_eq!(
        hard(&sim),
        [
            "sendmessage: `context_token` is missing",
            "sendmessage: a `context_token` that was not given for this person"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_token_of_one_person_does_not_work_for_another() {
    let sim = sim();
    let client = Client::bound(&sim, "claw").await;
    let (_, token) = greeted(&sim, &client, "claw").await;
    let other = json!(sim.id_of("claw", "老王").unwrap());
    assert_eq!(client.text(&other, &token, "c1", "x").await["ret"], -2);
    sim.say("claw", &IlinkMessage::text("hi").by("老王")).unwrap();
    let (messages, _) = client.updates("").await;
    let token = &messages.iter().find(|one| one["from_user_id"] == other).unwrap()["context_token"];
    assert_eq!(client.text(&other, token, "c2", "x").await["ret"], 0);
    assert_eq!(sim.journal().texts_to("claw", "老王").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_phone_cuts_long_texts() {
    let sim = sim();
    let client = Client::bound(&sim, "claw").await;
    let (to, token) = greeted(&sim, &client, "claw").await;
    for (id, len) in [("c1", 2_000), ("c2", 2_001)] {
        client.text(&to, &token, id, &"字".repeat(len)).await;
    }
    let seen: Vec<_> = sim.journal().shown("claw").map(|send| (send.text.chars().count(), send.cut)).collect();
    assert_eq!(seen, [(2_000, false), (2_000, true)]);
}

#[tokio::test(start_paused = true)]
async fn tool_calls_are_taken_and_never_seen() {
    let sim = sim();
    let client = Client::bound(&sim, "claw").await;
    let (to, token) = greeted(&sim, &client, "claw").await;
    let start = json!({"type": 11, "tool_call_start_item": {"tool_name": "search", "tool_call_id": "1"}});
    let end = json!({"type": 12, "tool_call_result_item": {"tool_name": "search", "status": "completed"}});
    assert_eq!(client.item(&to, &token, "c1", start).await, json!({}));
    assert_eq!(client.item(&to, &token, "c2", end).await, json!({}));
    let journal = sim.journal();
    assert_eq!((journal.count("claw", IlinkOutcome::Hidden), journal.shown("claw").count()), (2, 0));
    assert_eq!(journal.sends[1].text, "search completed");
}

#[tokio::test(start_paused = true)]
async fn ids_come_as_texts_where_that_is_wanted() {
    let big = u64::MAX - 10;
    let sim = sim_with(IlinkSetup { ids_as_text: true, first_id: big - 7_000_000, ..IlinkSetup::default() });
    let client = Client::bound(&sim, "claw").await;
    let (to, token) = greeted(&sim, &client, "claw").await;
    let sent = client.text(&to, &token, "c1", "x").await;
    assert_eq!(sent["message_id"], (big + 1).to_string());
    sim.change(|setup| setup.ids_as_text = false);
    let sent = client.text(&to, &token, "c2", "x").await;
    assert_eq!(sent["message_id"], json!(big + 2), "a number above 2^63");
}

#[tokio::test(start_paused = true)]
async fn typing_needs_a_ticket() {
    let sim = sim();
    let client = Client::bound(&sim, "claw").await;
    let to = json!(sim.id_of("claw", "").unwrap());
    assert_eq!(client.post("getconfig", json!({"ilink_user_id": to})).await["ret"], -4, "nobody wrote yet");
    let (to, token) = greeted(&sim, &client, "claw").await;
    let config = client.post("getconfig", json!({"ilink_user_id": to, "context_token": token})).await;
    let ticket = &config["typing_ticket"];
    for status in [1, 1, 2] {
        let typing = json!({"ilink_user_id": to, "typing_ticket": ticket, "status": status});
        assert_eq!(client.post("sendtyping", typing).await["ret"], 0);
    }
    assert_eq!(hard(&sim), Vec::<String>::new());
    let typing: Vec<_> = sim.journal().typing.iter().map(|one| one.on).collect();
    assert_eq!(typing, [true, true, false]);
    sim.expire_tickets("claw").unwrap();
    let late = json!({"ilink_user_id": to, "typing_ticket": ticket, "status": 1});
    assert_eq!(client.post("sendtyping", late).await["ret"], -4);
    let wrong = client.post("getconfig", json!({"user_id": to, "context_token": token})).await;
    assert_eq!(wrong, json!({"ret": -2, "errmsg": "ilink_user_id required"}));
    assert_eq!(hard(&sim), ["getconfig: `user_id` instead of `ilink_user_id`"]);
    for (name, on) in [("msg/notifystart", true), ("msg/notifystop", false)] {
        assert_eq!(client.post(name, json!({})).await["ret"], 0);
        assert_eq!(sim.journal().presence.last().map(|one| one.on), Some(on));
    }
}
