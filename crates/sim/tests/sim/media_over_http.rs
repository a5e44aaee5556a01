//! Do media, and what goes wrong with them, look the same over a socket? And do the orders about people work there?

use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use wxbot_sim::{Deliver, Fault, FaultKind, Said, Sim};

use crate::client::{Client, md5, world};
use crate::over_http::{ask, order};

async fn served(sim: &Sim, test: impl AsyncFnOnce(String)) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let stop = CancellationToken::new();
    let test = async {
        test(host).await;
        stop.cancel();
    };
    let (served, ()) = tokio::join!(sim.serve(listener, stop.clone()), test);
    served.unwrap();
}

fn length(head: &str) -> usize {
    let line = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ").map(str::to_owned));
    line.unwrap_or_else(|| panic!("no length in {head}")).parse().unwrap()
}

#[tokio::test]
async fn bodies_that_do_not_come_as_promised() {
    let sim = Sim::new(world());
    served(&sim, async |host| {
        let client = Client::online(&sim, "xiaoli").await;
        let id = sim.deliver("xiaoli", Deliver::said("老王", Said::Image { data: Some("0123456789".into()) })).unwrap();
        let path = format!("/cgi-bin/mmwebwx-bin/webwxgetmsgimg?MsgID={id}&skey={}", client.skey);
        let cookies: Vec<String> = client.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let headers = format!("Cookie: {}\r\n", cookies.join("; "));
        for (by, told, got) in [(0, 10, "0123456789"), (5, 15, "0123456789"), (-4, 6, "012345")] {
            if by != 0 {
                sim.inject(Fault::once("webwxgetmsgimg", FaultKind::ContentLength { by }));
            }
            let (_, head, body) = ask(&host, "GET", &path, &headers, "").await.unwrap();
            assert_eq!((length(&head), body.as_str()), (told, got), "{by}");
        }
        sim.inject(Fault::once("webwxgetmsgimg", FaultKind::Stall { bytes: 3, ms: 300 }));
        let start = Instant::now();
        let (_, _, body) = ask(&host, "GET", &path, &headers, "").await.unwrap();
        assert!(start.elapsed() >= Duration::from_millis(300));
        assert!(body.contains("012") && body.contains("3456789"), "in chunks: {body}");
    })
    .await;
}

#[tokio::test]
async fn orders_about_media_people_and_rooms() {
    let sim = Sim::new(world());
    served(&sim, async |host| {
        let mut client = Client::online(&sim, "xiaoli").await;
        let image = json!({"account": "xiaoli", "from": "老王", "said": {"image": {"data": "AQID"}}});
        let (status, told) = order(&host, "POST", "messages", &image).await;
        assert_eq!(status, 200, "{told}");
        let (status, _, body) =
            ask(&host, "GET", &format!("/__sim/media?md5={}", md5(&[1, 2, 3])), "", "").await.unwrap();
        assert_eq!((status, body.as_bytes()), (200, &[1, 2, 3][..]));
        assert_eq!(ask(&host, "GET", "/__sim/media?md5=x", "", "").await.unwrap().0, 404);
        assert!(order(&host, "GET", "hostile_names", &Value::Null).await.1.as_array().unwrap().len() > 5);
        for (path, body, want) in [
            ("friend_request", json!({"account": "xiaoli", "from": {"nick": "新"}, "greeting": "hi"}), 200),
            ("friend_request", json!({"account": "xiaoli", "from": {"nick": "老王"}}), 400),
            ("friend_accept", json!({"account": "xiaoli", "nick": "路人"}), 400),
            ("friend_accept", json!({"account": "xiaoli", "nick": "谁"}), 404),
            ("friend_reject", json!({"account": "xiaoli", "nick": "老王", "how": "blocked"}), 200),
            ("friend_reject", json!({"account": "xiaoli", "nick": "老王", "how": "loved"}), 400),
            ("marks", json!({"account": "xiaoli", "marks": "absent"}), 200),
            (
                "room",
                json!({"account": "xiaoli", "room": "测试群", "change": {"kick": {"by": "xiaoli", "who": ["路人"]}}}),
                200,
            ),
            (
                "room",
                json!({"account": "xiaoli", "room": "测试群", "change": {"kick": {"by": "路人", "who": ["老王"]}}}),
                400,
            ),
            ("room", json!({"account": "xiaoli", "room": "测试群", "change": "vanish"}), 200),
        ] {
            let (status, answer) = order(&host, "POST", path, &body).await;
            assert_eq!(status, want, "{path}: {answer}");
        }
        let sync = client.sync().await;
        let types: Vec<i64> =
            sync["AddMsgList"].as_array().unwrap().iter().map(|message| message["MsgType"].as_i64().unwrap()).collect();
        assert_eq!(types, [3, 37, 10_000]);
        assert_eq!(sync["ModContactList"].as_array().unwrap().len(), 2);
    })
    .await;
}
