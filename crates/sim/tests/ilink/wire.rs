//! What people write, as it stands on the wire; and all of it again by orders over HTTP.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use wxbot_sim::{
    AccountSpec, IlinkMessage, IlinkQuote, IlinkQuoteForm, IlinkSay, IlinkSetup, IlinkSim, ScriptSpec, World,
};

use crate::client::{Client, sim};

async fn quoted(form: IlinkQuoteForm, of: &str) -> Value {
    let sim = sim();
    let client = Client::bound(&sim, "claw").await;
    let quote = IlinkQuote {
        text: "这条".to_owned(),
        of: of.to_owned(),
        quoted: Some("几点开会？三点可以吗".to_owned()),
        form,
        part: "三点可以".to_owned(),
        relative: false,
    };
    sim.say("claw", &IlinkMessage::say(IlinkSay::Quote(quote))).unwrap();
    let (messages, _) = client.updates("").await;
    messages[0]["item_list"][0]["ref_msg"].clone()
}

#[tokio::test(start_paused = true)]
async fn quotes_come_in_every_form_that_was_seen() {
    let of = "7497484083968569001";
    let full = quoted(IlinkQuoteForm::Full, of).await;
    assert_eq!(full["message_item"]["text_item"]["text"], "几点开会？三点可以吗");
    let empty = quoted(IlinkQuoteForm::Empty, of).await;
    assert!(empty["message_item"].get("type").is_none() && empty["message_item"]["create_time_ms"].is_u64());
    assert_eq!(quoted(IlinkQuoteForm::Type8, of).await["message_item"]["type"], 8);
    let item = quoted(IlinkQuoteForm::ItemId, of).await;
    assert_eq!((&item["message_item"]["type"], &item["message_item"]["msg_id"]), (&json!(0), &json!(of)));
    assert_eq!(quoted(IlinkQuoteForm::SvrId, of).await, json!({"svr_id": 7_497_484_083_968_569_001_u64}));
    assert_eq!(quoted(IlinkQuoteForm::Partial, of).await["partial_text"]["start"], "三点");
}

#[tokio::test(start_paused = true)]
async fn a_quote_finds_what_it_quotes() {
    let sim = sim();
    let client = Client::bound(&sim, "claw").await;
    let id = sim.say("claw", &IlinkMessage::text("原文")).unwrap();
    let (messages, _) = client.updates("").await;
    let (to, token) = (&messages[0]["from_user_id"], &messages[0]["context_token"]);
    let own = client.text(to, token, "c1", "回答").await["message_id"].to_string();
    let quote = |of: &str| IlinkQuote {
        text: String::new(),
        of: of.to_owned(),
        quoted: None,
        form: IlinkQuoteForm::Full,
        part: String::new(),
        relative: false,
    };
    for (of, want) in [(&id, "原文"), (&own, "回答")] {
        sim.say("claw", &IlinkMessage::say(IlinkSay::Quote(quote(of)))).unwrap();
        let (messages, _) = client.updates("").await;
        let last = &messages.last().unwrap()["item_list"][0]["ref_msg"]["message_item"];
        assert_eq!(last["text_item"]["text"], want);
    }
    assert!(sim.say("claw", &IlinkMessage::say(IlinkSay::Quote(quote("5")))).is_err());
}

#[tokio::test(start_paused = true)]
async fn anything_at_all_can_be_written() {
    let sim = sim();
    let client = Client::bound(&sim, "claw").await;
    let odd: IlinkMessage = serde_json::from_value(json!({
        "from": "老王", "say": {"text": "看图"}, "and": [{"image": {}}, {"raw": {"type": 99, "future_item": {"a": 1}}}],
        "fields": {"message_id": null, "seq": null, "message_type": 9, "group_id": "12345@im.chatroom"},
    }))
    .unwrap();
    sim.say("claw", &odd).unwrap();
    let (messages, cursor) = client.updates("").await;
    let message = &messages[0];
    assert!(message.get("message_id").is_none() && message.get("seq").is_none());
    assert_eq!((&message["message_type"], &message["group_id"]), (&json!(9), &json!("12345@im.chatroom")));
    let types: Vec<_> = message["item_list"].as_array().unwrap().iter().map(|item| item["type"].clone()).collect();
    assert_eq!(types, [1, 2, 99]);
    // Several at once come in one answer.
    sim.say_all("claw", &[IlinkMessage::text("1"), IlinkMessage::text("2").by("老王")]).unwrap();
    assert_eq!(client.updates(&cursor).await.0.len(), 2);
    assert!(sim.say("claw", &IlinkMessage::text("x").by("nobody")).is_err());
    assert!(sim.say("second", &IlinkMessage::text("x")).is_err(), "no bot is bound");
}

#[tokio::test(start_paused = true)]
async fn scripts_begin_when_a_client_polls() {
    let mut spec = AccountSpec::new("claw").friend("Alice");
    let line = |friend: &str, text: &str, after: u64| ScriptSpec {
        friend: friend.to_owned(),
        text: text.to_owned(),
        after: std::time::Duration::from_secs(after),
        ..ScriptSpec::default()
    };
    spec.script = vec![line("claw", "你好", 1), line("Alice", "hello", 2)];
    let sim = IlinkSim::new(&World::default().with(spec), IlinkSetup::default());
    let stop = tokio_util::sync::CancellationToken::new();
    let client = async {
        let client = Client::bound(&sim, "claw").await;
        tokio::time::sleep(std::time::Duration::from_secs(60)).await;
        let (first, cursor) = client.updates("").await;
        let (second, _) = client.updates(&cursor).await;
        stop.cancel();
        [first, second].concat()
    };
    let ((), messages) = tokio::join!(sim.run_scripts(stop.clone()), client);
    let texts: Vec<_> = messages.iter().map(|one| one["item_list"][0]["text_item"]["text"].clone()).collect();
    assert_eq!(texts, ["你好", "hello"]);
}

/// One request on a connection of its own.
async fn ask(port: &str, method: &str, path: &str, body: &Value) -> (String, Value) {
    let mut stream = TcpStream::connect(port).await.unwrap();
    let body = body.to_string();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {port}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + &body).as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().to_owned(), serde_json::from_str(body).unwrap_or_default())
}

#[tokio::test]
async fn everything_can_be_ordered_over_http() {
    let world = World::default().with(AccountSpec::new("claw").friend("老王"));
    let sim = IlinkSim::start(&world, IlinkSetup::default()).await.unwrap();
    let port = sim.endpoint().trim_start_matches("http://").to_owned();
    let order = async |name: &str, body: Value| {
        let (status, answer) = ask(&port, "POST", &format!("/__sim/{name}"), &body).await;
        assert_eq!(status, "200", "{name}: {answer}");
        answer
    };
    let (_, qr) = ask(&port, "POST", "/ilink/bot/get_bot_qrcode?bot_type=3", &json!({"local_token_list": []})).await;
    let qrcode = qr["qrcode"].as_str().unwrap();
    order("scan", json!({"account": "claw", "digits": "12"})).await;
    let path = format!("/ilink/bot/get_qrcode_status?qrcode={qrcode}&verify_code=12");
    assert_eq!(ask(&port, "GET", &path, &Value::Null).await.1["status"], "scaned");
    order("redirect", json!({"account": "claw", "host": "elsewhere:1"})).await;
    order("confirm", json!({"account": "claw", "base_url": "http://there/"})).await;
    let (_, away) = ask(&port, "GET", &path, &Value::Null).await;
    assert_eq!(away["redirect_host"], "elsewhere:1");
    order("rules", json!({"hold_ms": 1, "quota": 3, "auto_confirm": true})).await;
    order("account", json!({"name": "third"})).await;
    let said = order("say", json!({"account": "claw", "from": "老王", "say": {"text": "a"}, "count": 2})).await;
    assert_eq!(said["ids"].as_array().unwrap().len(), 2);
    order("repeat", json!({"account": "claw", "id": said["ids"][0]})).await;
    order("refuse", json!({"account": "claw", "ret": -2, "errmsg": "prepare failed"})).await;
    assert_eq!(ask(&port, "DELETE", "/__sim/refuse", &json!({"account": "claw"})).await.0, "200");
    order("shadow", json!({"account": "claw", "who": "老王"})).await;
    order("meter", json!({"account": "claw", "who": "老王", "used": 2, "wrote_ago_ms": 5})).await;
    order("expire_tickets", json!({"account": "claw"})).await;
    order("faults", json!({"endpoint": "*", "kind": "html"})).await;
    assert_eq!(ask(&port, "DELETE", "/__sim/faults", &Value::Null).await.0, "200");
    order("kill", json!({"account": "claw", "spelling": "ret"})).await;
    let (_, world) = ask(&port, "GET", "/__sim/world", &Value::Null).await;
    let (claw, alice) = (&world["accounts"][0], &world["accounts"][0]["people"][1]);
    assert_eq!((&claw["alive"], &claw["waiting"], &alice["left"]), (&json!(false), &json!(3), &json!(1)));
    assert_eq!((&alice["shadow"], world["accounts"].as_array().unwrap().len()), (&json!(true), 2));
    order("revive", json!({"account": "claw"})).await;
    let (_, journal) = ask(&port, "GET", "/__sim/journal?since_ms=0", &Value::Null).await;
    assert_eq!(journal["told"].as_array().unwrap().len(), 3);
    assert_eq!(ask(&port, "GET", "/__sim/violations", &Value::Null).await.0, "200");
    assert_eq!(ask(&port, "DELETE", "/__sim/journal", &Value::Null).await.0, "200");
    for (method, name, body, want) in [
        ("POST", "say", json!({"account": "nobody", "say": {"text": "a"}}), "404"),
        ("POST", "say", json!({"account": "third", "say": {"text": "a"}}), "409"),
        ("POST", "say", json!({"account": "claw"}), "400"),
        ("POST", "confirm", json!({"account": "claw"}), "409"),
        ("POST", "scan", json!({"account": "claw", "qrcod": ""}), "400"),
        ("POST", "nothing", json!({}), "404"),
        ("GET", "say", json!({}), "404"),
    ] {
        assert_eq!(ask(&port, method, &format!("/__sim/{name}"), &body).await.0, want, "{name} {body}");
    }
}
