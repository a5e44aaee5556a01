//! Which mistakes of clients are noticed?

use http::{HeaderMap, HeaderValue, Method};
use serde_json::json;
use wxbot_sim::Sim;

use crate::client::{BASE, Client, named, world};

/// What was noticed, hard ones with an exclamation mark.
fn noticed(sim: &Sim) -> Vec<String> {
    let mark = |hard| if hard { "!" } else { "" };
    sim.violations().into_iter().map(|found| format!("{}{}", mark(found.hard), found.what)).collect()
}

async fn rig() -> (Sim, Client) {
    let sim = Sim::new(world());
    let client = Client::online(&sim, "xiaoli").await;
    assert_eq!(noticed(&sim), [""; 0]);
    (sim, client)
}

fn text_to(client: &mut Client, to: &str) -> serde_json::Value {
    let id = client.next_id();
    json!({"Type": 1, "Content": "x", "FromUserName": client.me, "ToUserName": to, "LocalID": id, "ClientMsgId": id})
}

#[tokio::test(start_paused = true)]
async fn sends() {
    for (name, ret, want, spoil) in [
        ("good", 0, vec![], (|_| {}) as fn(&mut serde_json::Value)),
        ("from", 1, vec!["!FromUserName is not the account's"], |msg| msg["FromUserName"] = json!("@x")),
        ("to", 1204, vec!["!ToUserName is unknown"], |msg| msg["ToUserName"] = json!("@x")),
        ("no id", 0, vec!["!no ClientMsgId"], |msg| msg["ClientMsgId"] = json!("")),
        ("ids differ", 0, vec!["ClientMsgId is not LocalID"], |msg| msg["LocalID"] = json!("1")),
        ("short id", 0, vec!["ClientMsgId is not 17 digits"], |msg| {
            msg["LocalID"] = json!(14_766_146_756_340_u64);
            msg["ClientMsgId"] = json!(14_766_146_756_340_u64);
        }),
    ] {
        let (sim, mut client) = rig().await;
        let mut msg = text_to(&mut client, "filehelper");
        spoil(&mut msg);
        let answer = client.post("webwxsendmsg?x=1", json!({"Msg": msg, "Scene": 0})).await;
        assert_eq!(answer["BaseResponse"]["Ret"], ret, "{name}");
        assert_eq!(noticed(&sim), want, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn ids_used_for_something_else() {
    let (sim, mut client) = rig().await;
    client.send_as("filehelper", "a", "14766146756340722").await;
    client.send_as("filehelper", "a", "14766146756340722").await;
    assert_eq!(noticed(&sim), [""; 0], "a repetition is no mistake");
    client.send_as("filehelper", "b", "14766146756340722").await;
    client.send_as("filehelper", "c", "14766146756340722").await;
    assert_eq!(noticed(&sim), ["ClientMsgId was used for another message"]);
    assert_eq!(sim.violations()[0].times, 2);
    assert_eq!(sim.violations()[0].account.as_deref(), Some("xiaoli"));
}

#[tokio::test(start_paused = true)]
async fn strangers_in_rooms_are_no_friends() {
    let (sim, mut client) = rig().await;
    let init = client.init().await;
    let room = init["ContactList"].as_array().unwrap().iter().find(|contact| contact["NickName"] == "测试群").unwrap();
    let stranger = named(&room["MemberList"], "路人");
    assert_eq!(client.send(&stranger, "x").await["BaseResponse"]["Ret"], 1204);
    assert_eq!(sim.journal().sends.len(), 0);
    assert_eq!(noticed(&sim), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn base_requests() {
    for (name, ret, field, value, want) in [
        ("uin", 1101, "Uin", json!(5), "!BaseRequest Uin or Sid is not the session's"),
        ("sid", 1101, "Sid", json!("x"), "!BaseRequest Uin or Sid is not the session's"),
        ("no skey", 0, "Skey", json!(""), "empty Skey"),
        ("other skey", 0, "Skey", json!("@crypt_x"), "Skey is stale or not the session's"),
        ("device", 0, "DeviceID", json!("e1"), "DeviceID is not e and 15 digits"),
    ] {
        let (sim, mut client) = rig().await;
        let mut base = client.base_request();
        base[field] = value;
        let answer = client.post("webwxinit?r=1", json!({"BaseRequest": base})).await;
        assert_eq!(answer["BaseResponse"]["Ret"], ret, "{name}");
        assert_eq!(noticed(&sim), [want], "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn cookies() {
    for (name, ret, want, spoil) in [
        ("none", 1102, "!cookies wxuin and wxsid are missing", (|client| client.cookies.clear()) as fn(&mut Client)),
        ("sid", 1102, "!sid was never given to this account", |client| {
            client.cookies.insert("wxsid".to_owned(), "x".to_owned());
        }),
        ("uin", 1102, "!cookie wxuin is no account's", |client| {
            client.cookies.insert("wxuin".to_owned(), "1".to_owned());
        }),
        ("ticket", 0, "!cookie webwx_data_ticket is missing or not the session's", |client| {
            client.cookies.remove("webwx_data_ticket");
        }),
    ] {
        let (sim, mut client) = rig().await;
        spoil(&mut client);
        assert_eq!(client.peek().await["BaseResponse"]["Ret"], ret, "{name}");
        assert_eq!(noticed(&sim), [want], "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn bodies_queries_and_headers() {
    let sync = "/cgi-bin/mmwebwx-bin/webwxsync?lang=zh_CN";
    for (name, path, body, header, want) in [
        ("escaped", sync, r#"{"a":"\u4f60"}"#, None, vec!["!JSON body escapes what must be sent raw"]),
        ("not JSON", sync, "{", None, vec!["!body is not the JSON that is expected"]),
        (
            "form",
            sync,
            "{",
            Some(("content-type", "text/plain")),
            vec!["Content-Type is not application/json", "!body is not the JSON that is expected"],
        ),
        ("path", "/cgi-bin/mmwebwx-bin/webwxnothing", "", None, vec!["!unknown path"]),
        ("method", "/cgi-bin/mmwebwx-bin/synccheck", "", None, vec!["!wrong method"]),
    ] {
        let (sim, mut client) = rig().await;
        let mut headers = HeaderMap::new();
        if let Some((name, value)) = header {
            headers.insert(name, HeaderValue::from_static(value));
        }
        client.exchange(Method::POST, &format!("{BASE}{path}"), headers, body).await.unwrap();
        let got = noticed(&sim);
        assert!(want.iter().all(|want| got.iter().any(|got| got == want)), "{name}: {got:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn habits() {
    let (sim, mut client) = rig().await;
    let body = json!({"BaseRequest": client.base_request()}).to_string();
    let mut headers = HeaderMap::new();
    headers.insert("contenttype", HeaderValue::from_static("application/json"));
    let url = format!("{BASE}/cgi-bin/mmwebwx-bin/webwxinit?pass_ticket=undefined");
    client.exchange(Method::POST, &url, headers, &body).await.unwrap();
    assert_eq!(
        noticed(&sim),
        [
            "query without r",
            "query without lang",
            "pass_ticket is not the session's",
            "header ContentType instead of Content-Type"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn both_encodings_of_the_pass_ticket_are_good() {
    let (sim, mut client) = rig().await;
    let single = client.pass_ticket.clone();
    let body = json!({"BaseRequest": client.base_request()}).to_string();
    let url = format!("{BASE}/cgi-bin/mmwebwx-bin/webwxinit?r=1&lang=zh_CN&pass_ticket={single}");
    client.exchange(Method::POST, &url, HeaderMap::new(), &body).await.unwrap();
    assert_eq!(noticed(&sim), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn polls() {
    let (sim, mut client) = rig().await;
    let path = client.check_path();
    let raw_plus = path.replace("%2B", "+");
    assert_ne!(path, raw_plus);
    assert!(client.text(&raw_plus).await.contains(r#"retcode:"0""#));
    assert_eq!(noticed(&sim), ["raw + in sid"]);

    let (sim, mut client) = rig().await;
    let cookies = std::mem::take(&mut client.cookies);
    assert_eq!(client.check().await.0, "0", "known by its query");
    assert_eq!(noticed(&sim), ["no cookies"]);
    client.cookies = cookies;
    client.cookies.insert("wxsid".to_owned(), "x".to_owned());
    assert_eq!(client.check().await.0, "1102");
    assert_eq!(noticed(&sim), ["no cookies", "!cookies are not those of the query"]);
}

#[tokio::test(start_paused = true)]
async fn two_polls_at_a_time() {
    let (sim, mut client) = rig().await;
    let mut twin = Client::new(&sim);
    twin.cookies = client.cookies.clone();
    let path = client.check_path();
    let url = format!("{BASE}{path}");

    // A poll that was given up makes room for the next.
    let given_up = client.exchange(Method::GET, &url, HeaderMap::new(), "");
    assert!(tokio::time::timeout(std::time::Duration::from_secs(1), given_up).await.is_err());
    client.check().await;
    assert_eq!(noticed(&sim), [""; 0]);

    tokio::join!(client.check(), twin.text(&path));
    assert_eq!(noticed(&sim), ["!a second synccheck while one is in flight"]);
}
