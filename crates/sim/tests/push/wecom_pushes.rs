//! Has what the gateway pushes the shape of the samples?

use serde_json::Value;
use wxbot_sim::{Said, WecomRoomChange, WecomSay};

use crate::hook_pushes::{fixture, shape};
use crate::peer::{Receiver, ask, post, soon};
use crate::wecom_actions::wecom;

fn location() -> Said {
    Said::Location {
        lat: "14.687432".to_owned(), lng: "166.647677".to_owned(), label: "北(东环南路西)".to_owned()
    }
}

#[tokio::test]
async fn messages_and_events() {
    let receiver = Receiver::start().await;
    let (wecom, _) = wecom(|setup| drop(setup.callbacks.insert("xiaoli".to_owned(), receiver.url.clone()))).await;
    let from = "老王";
    let said: [(&str, WecomSay); 7] = [
        ("private-text", WecomSay::text(from, "文本")),
        ("private-image", WecomSay::said(from, Said::Image { data: None })),
        ("private-video", WecomSay::said(from, Said::Video { data: None, seconds: 2, short: false })),
        ("private-location", WecomSay::said(from, location())),
        (
            "private-contact",
            WecomSay::said(from, Said::Card { nick: "阿珍".to_owned(), alias: String::new(), official: 0 }),
        ),
        (
            "private-miniprogram",
            WecomSay::said(
                from,
                Said::MiniProgram {
                    title: "t".to_owned(),
                    name: "n".to_owned(),
                    appid: "wx1".to_owned(),
                    page: "p".to_owned(),
                },
            ),
        ),
        (
            "private-url",
            WecomSay::said(from, Said::Link { title: "t".to_owned(), url: "http://x".to_owned(), des: "d".to_owned() }),
        ),
    ];
    for (_, say) in &said {
        wecom.say("xiaoli", say).unwrap();
        wecom.say("xiaoli", &WecomSay { room: Some("测试群".to_owned()), ..say.clone() }).unwrap();
    }
    let change = |change| wecom.change_room("xiaoli", "测试群", change).unwrap();
    change(WecomRoomChange::Join { by: "xiaoli".to_owned(), who: vec!["新人".to_owned()] });
    change(WecomRoomChange::Leave { by: "xiaoli".to_owned(), who: vec!["新人".to_owned()] });
    change(WecomRoomChange::Rename { by: from.to_owned(), topic: "新名".to_owned() });
    let token = wecom.token("xiaoli").unwrap();
    wecom.logout("xiaoli").unwrap();
    assert_eq!(wecom.say("xiaoli", &WecomSay::text(from, "unheard")).map(|_| ()), Ok(()));
    soon(wecom.settled()).await;
    let got = receiver.got();
    assert_eq!(got.len(), 18);
    for (at, (name, _)) in said.iter().enumerate() {
        let (private, group) = (&got[at * 2].body, &got[at * 2 + 1].body);
        assert_eq!(shape(private), shape(&fixture("wecom", name)), "{name}");
        assert_eq!(shape(group), shape(&fixture("wecom", "group-text")), "{name} in a room");
        let (mine, sample): (Value, Value) =
            (serde_json::from_str(private).unwrap(), serde_json::from_str(&fixture("wecom", name)).unwrap());
        assert_eq!(mine["message"]["type"], sample["message"]["type"]);
        assert_eq!(mine["message"]["remote_id"], mine["seq"]);
        let inner = |value: &Value| value["message"]["text"].as_str().unwrap().to_owned();
        if inner(&sample).starts_with('{') {
            assert_eq!(shape(&inner(&mine)), shape(&inner(&sample)), "{name}, inside");
        }
    }
    for (got, name) in got[14..].iter().zip(["event-room-join", "event-room-leave", "event-room-topic", "event-logout"])
    {
        assert_eq!(shape(&got.body), shape(&fixture("wecom", name)), "{name}");
    }
    let bodies = receiver.bodies();
    let card = bodies[8]["message"]["text"].as_str().unwrap();
    assert_eq!(card, wecom.id_of("xiaoli", "阿珍").unwrap(), "a bare id");
    let room = wecom.id_of("xiaoli", "新名").unwrap();
    assert_eq!(bodies[1]["message"]["room_id"], room);
    assert_eq!(bodies[14]["event"]["payload"]["room_id"], format!("R:{room}"));
    assert!(room.parse::<u64>().unwrap() > 1 << 53, "above what a double holds");
    assert_eq!(bodies[17]["seq"], "0");
    assert!(bodies.iter().all(|body| body["token"] == token));
    let seqs: Vec<u64> = bodies[..17].iter().map(|body| body["seq"].as_str().unwrap().parse().unwrap()).collect();
    assert!(seqs.is_sorted() && seqs.windows(2).any(|two| two[1] > two[0] + 1), "{seqs:?}");
}

#[tokio::test]
async fn orders_over_http() {
    let receiver = Receiver::start().await;
    let (wecom, port) = wecom(|_| {}).await;
    for (order, body, status) in [
        ("callback", serde_json::json!({"account": "xiaoli", "url": receiver.url}), 200),
        ("say", serde_json::json!({"account": "xiaoli", "say": {"from": "老王", "text": "hi"}, "count": 2}), 200),
        (
            "room",
            serde_json::json!({"account": "xiaoli", "room": "测试群", "change": {"rename": {"by": "老王", "topic": "x"}}}),
            200,
        ),
        ("push_faults", serde_json::json!({"kind": "lose"}), 200),
        ("notify", serde_json::json!({"from": "老王", "msg_type": "text", "fields": [["Content", "x"]]}), 400),
        ("callback", serde_json::json!({"account": "app", "url": receiver.url}), 200),
        ("verify", serde_json::json!({}), 409),
        ("logout", serde_json::json!({"account": "xiaoli"}), 200),
        ("logout", serde_json::json!({"account": "xiaoli"}), 409),
        ("login", serde_json::json!({"account": "xiaoli"}), 200),
        ("say", serde_json::json!({"account": "xiaoli", "say": {"from": "老王", "said": {"red_packet": {}}}}), 400),
        ("expire_tokens", serde_json::json!({}), 200),
        ("nothing", serde_json::json!({}), 404),
    ] {
        assert_eq!(post(port, &format!("/__sim/{order}"), &body).await.0, status, "{order} {body}");
    }
    soon(wecom.settled()).await;
    let (_, journal) = ask(port, "GET", "/__sim/journal", "", b"").await.unwrap();
    let journal: Value = serde_json::from_slice(&journal).unwrap();
    assert!(journal["pushes"].as_array().unwrap().len() >= 4, "{journal}");
    let (_, world) = ask(port, "GET", "/__sim/world", "", b"").await.unwrap();
    let world: Value = serde_json::from_slice(&world).unwrap();
    assert_eq!(world["robots"][0]["room"], "测试群");
}
