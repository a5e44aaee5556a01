//! What a client must not do.

use serde_json::{Value, json};

use crate::client::{Client, greeted, hard, sim};

fn soft(sim: &wxbot_sim::IlinkSim) -> Vec<String> {
    let all = sim.violations().into_iter().filter(|violation| !violation.hard);
    all.map(|violation| format!("{}: {}", violation.endpoint, violation.what)).collect()
}

#[tokio::test(start_paused = true)]
async fn headers_are_looked_at() {
    for (name, value, want) in [
        ("authorizationtype", "", "AuthorizationType is not ilink_bot_token"),
        ("x-wechat-uin", "", "X-WECHAT-UIN is missing"),
        ("x-wechat-uin", "3735928559", "X-WECHAT-UIN is not base64 of a decimal u32"),
        ("x-wechat-uin", "3q2+7w==", "X-WECHAT-UIN is not base64 of a decimal u32"),
        ("content-type", "text/plain", "Content-Type is not application/json"),
    ] {
        let sim = sim();
        let client = Client::bound(&sim, "claw").await;
        let client = Client { headers: vec![(name, value.to_owned())], ..client };
        assert_eq!(client.post("msg/notifystart", json!({})).await["ret"], 0, "taken all the same: {name}");
        assert_eq!(hard(&sim), [format!("notifystart: {want}")]);
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_token_nothing_goes() {
    let sim = sim();
    let client = Client::bound(&sim, "claw").await;
    let nobody = Client { token: String::new(), ..client.clone() };
    assert_eq!(nobody.poll("").await["errcode"], -14);
    assert_eq!(hard(&sim), ["getupdates: Authorization is missing"]);
    let stranger = Client { token: "0a1b2c3d4e5f@im.bot:06000000".to_owned(), ..client };
    assert_eq!(stranger.poll("").await["errcode"], -14);
    assert_eq!(hard(&sim).len(), 1, "a token that died is no mistake");
}

#[tokio::test(start_paused = true)]
async fn base_info_and_its_version_are_looked_at() {
    let sim = sim();
    let client = Client::bound(&sim, "claw").await;
    let nameless = Client { nameless: true, ..client };
    for (info, hard_one, soft_one) in [
        (Value::Null, Some("`base_info` is missing"), None),
        (json!({"channel_version": "2.4", "bot_agent": "a/1"}), Some("`channel_version` is no version"), None),
        (json!({"channel_version": "2.4.9"}), None, Some("`bot_agent` is missing")),
        (
            json!({"channel_version": "2.4.8", "bot_agent": "a/1"}),
            None,
            Some("`channel_version` is not that of iLink-App-ClientVersion"),
        ),
        (
            json!({"channel_version": "2.4.9", "bot_agent": "机器人"}),
            Some("`bot_agent` is not 1 to 256 bytes of ASCII"),
            None,
        ),
    ] {
        let (hard_before, soft_before) = (hard(&sim).len(), soft(&sim).len());
        nameless.post("msg/notifystop", json!({"base_info": info})).await;
        let line = |what: &str| format!("notifystop: {what}");
        assert_eq!(hard(&sim).get(hard_before).cloned(), hard_one.map(line), "{info}");
        assert_eq!(soft(&sim).get(soft_before).cloned(), soft_one.map(line), "{info}");
    }
}

#[tokio::test(start_paused = true)]
async fn messages_are_looked_at() {
    let sim = sim();
    let client = Client::bound(&sim, "claw").await;
    let (to, token) = greeted(&sim, &client, "claw").await;
    let item = json!({"type": 1, "text_item": {"text": "x"}});
    let good = json!({
        "from_user_id": "", "to_user_id": to, "client_id": "c", "message_type": 2, "message_state": 2,
        "item_list": [item], "context_token": token,
    });
    for (name, value, ret, want) in [
        ("message_type", json!(1), -2, "`message_type` is not 2"),
        ("message_state", json!(1), -2, "`message_state` is not 2"),
        ("client_id", json!(""), -2, "`client_id` is missing"),
        ("to_user_id", json!(""), -2, "`to_user_id` is missing"),
        ("to_user_id", json!("o9cq80@im.wechat"), -2, "`to_user_id` is nobody that this bot knows"),
        ("item_list", json!([]), -2, "`item_list` is empty"),
        ("item_list", json!([item, item]), 0, "more than one item in a message"),
        ("item_list", json!([{"type": 77}]), 0, "an item of an unknown type"),
        ("item_list", json!([{"type": 1}]), 0, "an item without its body"),
    ] {
        let before = hard(&sim).len();
        let mut msg = good.clone();
        msg[name] = value.clone();
        if name != "client_id" {
            msg["client_id"] = json!(format!("c{before}"));
        }
        let answer = client.post("sendmessage", json!({"msg": msg})).await;
        assert_eq!(answer["ret"], ret, "{name} {value}: {answer}");
        assert_eq!(
            hard(&sim).get(before).map(String::as_str),
            Some(format!("sendmessage: {want}").as_str()),
            "{value}"
        );
    }
    assert_eq!(client.post("sendmessage", json!({})).await["errmsg"], "msg required");
}

#[tokio::test(start_paused = true)]
async fn paths_and_methods_are_looked_at() {
    let sim = sim();
    let client = Client::bound(&sim, "claw").await;
    assert_eq!(client.post_raw("/getupdates", &json!({})).await.unwrap().status, 404, "a double slash");
    assert_eq!(hard(&sim), ["getupdates: unknown path"]);
    assert_eq!(client.post_raw("get_qrcode_status?qrcode=1", &json!({})).await.unwrap().status, 405);
}
