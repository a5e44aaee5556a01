//! What `getupdates` hands out, and when.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;
use wxbot_sim::{Fault, FaultKind, IlinkMessage, IlinkSetup};

use crate::client::{Client, hard, sim, sim_with};

#[tokio::test(start_paused = true)]
async fn an_idle_poll_is_held_and_a_message_ends_it() {
    let sim = sim_with(IlinkSetup { hint: Some(Duration::from_secs(35)), ..IlinkSetup::default() });
    let client = Client::bound(&sim, "claw").await;
    let began = Instant::now();
    let idle = client.poll("").await;
    assert_eq!((&idle["ret"], &idle["msgs"], &idle["longpolling_timeout_ms"]), (&json!(0), &json!([]), &json!(35_000)));
    assert_eq!(began.elapsed().as_secs(), 35);
    let person = async {
        tokio::time::sleep(Duration::from_secs(4)).await;
        sim.say("claw", &IlinkMessage::text("在吗")).unwrap()
    };
    let (answer, id) = tokio::join!(client.poll(""), person);
    assert_eq!(began.elapsed().as_secs(), 39);
    let message = &answer["msgs"][0];
    assert_eq!(message["message_id"].to_string(), id);
    assert_eq!(message["item_list"][0]["text_item"]["text"], "在吗");
    assert_eq!((&message["message_type"], &message["message_state"]), (&json!(1), &json!(2)));
    let token = message["context_token"].as_str().unwrap();
    assert!(token.len() == 140 && token.starts_with("AARzJWAFAAABAAAAAAAL"), "{token}");
    assert_eq!(sim.journal().told[0].handed, 1);
}

#[tokio::test(start_paused = true)]
async fn a_cursor_acknowledges() {
    let sim = sim_with(IlinkSetup { batch: 2, ..IlinkSetup::default() });
    let client = Client::bound(&sim, "claw").await;
    for text in ["1", "2", "3"] {
        sim.say("claw", &IlinkMessage::text(text)).unwrap();
    }
    let text = |messages: &[serde_json::Value]| -> Vec<String> {
        messages.iter().map(|one| one["item_list"][0]["text_item"]["text"].as_str().unwrap().to_owned()).collect()
    };
    let (first, second) = client.updates("").await;
    assert_eq!(text(&first), ["1", "2"]);
    assert_eq!(text(&client.updates("").await.0), ["1", "2"], "not acknowledged: once more");
    let (rest, third) = client.updates(&second).await;
    assert_eq!(text(&rest), ["3"]);
    assert_eq!(text(&client.updates(&second).await.0), ["3"], "a client that crashed asks from its old place");
    assert_eq!(client.poll(&third).await["get_updates_buf"], third, "nothing new: the same place");
    assert_eq!(client.updates("").await.0.len(), 0, "what was acknowledged does not come again");
    let handed: Vec<_> = sim.journal().told.iter().map(|told| told.handed).collect();
    assert_eq!(handed, [2, 2, 2]);
    assert_eq!(hard(&sim), Vec::<String>::new());
    client.poll("bWFkZSB1cA==").await;
    assert_eq!(hard(&sim), ["getupdates: a cursor that was not given to this binding"]);
}

#[tokio::test(start_paused = true)]
async fn a_message_can_come_twice_with_another_token() {
    let sim = sim();
    let client = Client::bound(&sim, "claw").await;
    let id = sim.say("claw", &IlinkMessage::text("twice")).unwrap();
    let (first, cursor) = client.updates("").await;
    sim.repeat("claw", &id, true).unwrap();
    let (again, cursor) = client.updates(&cursor).await;
    assert_eq!((&first[0]["message_id"], &first[0]["item_list"]), (&again[0]["message_id"], &again[0]["item_list"]));
    assert_ne!(first[0]["context_token"], again[0]["context_token"]);
    assert_ne!(first[0]["seq"], again[0]["seq"]);
    // Both tokens work.
    for (at, one) in [&first[0], &again[0]].into_iter().enumerate() {
        let sent = client.text(&one["from_user_id"], &one["context_token"], &format!("c{at}"), "x").await;
        assert_eq!(sent["ret"], 0, "{sent}");
    }
    sim.repeat("claw", &id, false).unwrap();
    let (thrice, _) = client.updates(&cursor).await;
    assert_eq!(thrice[0]["context_token"], again[0]["context_token"]);
    assert!(sim.repeat("claw", "1", true).is_err());
    // A batch that is handed out without its cursor comes again as it was.
    sim.say("claw", &IlinkMessage::text("stuck")).unwrap();
    sim.inject(Fault::once("getupdates", FaultKind::Duplicate));
    let (one, same) = client.updates(&cursor).await;
    assert_eq!(same, cursor);
    assert_eq!(client.updates(&same).await.0, one);
}

#[tokio::test(start_paused = true)]
async fn two_pollers_are_noticed_and_a_hasty_one_is_not() {
    let sim = sim();
    let client = Client::bound(&sim, "claw").await;
    // A client that gives up and asks again at once, while the old request is still seen for a moment.
    let hasty = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        client.poll("").await
    };
    let given_up = tokio::time::timeout(Duration::from_millis(2_500), client.poll(""));
    let (first, _) = tokio::join!(given_up, hasty);
    assert!(first.is_err());
    assert_eq!(hard(&sim), Vec::<String>::new());
    tokio::join!(client.poll(""), client.poll(""));
    assert_eq!(hard(&sim), ["getupdates: two pollers of one bot"]);
}

#[tokio::test(start_paused = true)]
async fn what_the_edge_does_can_be_played() {
    let sim = sim();
    let client = Client::bound(&sim, "claw").await;
    sim.say("claw", &IlinkMessage::text("kept")).unwrap();
    let order = |kind| sim.inject(Fault { account: Some("claw".to_owned()), ..Fault::once("getupdates", kind) });
    let body = json!({"get_updates_buf": "", "base_info": {"channel_version": "2.4.9"}});
    let ask = || client.post_raw("getupdates", &body);
    order(FaultKind::Status { code: 524 });
    assert_eq!(ask().await.unwrap().status, 524);
    order(FaultKind::Html);
    assert!(ask().await.unwrap().body.starts_with(b"<!DOCTYPE html>"));
    order(FaultKind::Truncate { bytes: 20 });
    assert_eq!(ask().await.unwrap().body.len(), 20);
    order(FaultKind::Ret { ret: -1, msg: "internal error".to_owned() });
    assert_eq!(&ask().await.unwrap().body[..], br#"{"errmsg":"internal error","ret":-1}"#);
    order(FaultKind::Drop);
    assert!(ask().await.is_err());
    let began = Instant::now();
    order(FaultKind::Delay { ms: 50_000 });
    assert_eq!(ask().await.unwrap().status, 200);
    assert_eq!(began.elapsed().as_secs(), 50);
    // Whatever went wrong, the message is there.
    assert_eq!(client.updates("").await.0.len(), 1);
    let seen: Vec<_> = sim.journal().asked_at("getupdates").map(|one| (one.status, one.ret)).collect();
    assert_eq!(seen[..5], [(524, 0), (200, 0), (200, 0), (200, -1), (0, 0)]);
}

#[tokio::test(start_paused = true)]
async fn a_thousand_bots_are_told_apart() {
    let sim = sim();
    let mut clients = Vec::new();
    for at in 0..1_000 {
        let name = format!("bot{at}");
        sim.add_account(wxbot_sim::AccountSpec::new(&name)).unwrap();
        clients.push((Client::bound(&sim, &name).await, name));
    }
    let polls = futures_util::future::join_all(clients.iter().map(|(client, _)| client.updates("")));
    let people = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        for (_, name) in &clients {
            sim.say(name, &IlinkMessage::text(name)).unwrap();
        }
    };
    let (answers, ()) = tokio::join!(polls, people);
    for ((messages, _), (_, name)) in answers.iter().zip(&clients) {
        assert_eq!(messages.len(), 1);
        assert_eq!(messages[0]["item_list"][0]["text_item"]["text"], name.as_str());
    }
    assert_eq!(hard(&sim), Vec::<String>::new());
}
