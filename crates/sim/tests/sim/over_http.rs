//! Does a client in another process see the same server?

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use wxbot_sim::{Fault, FaultKind, LoadPlan, Sim, World};

use crate::client::{Client, between, world};

/// One request on a connection of its own; `None` when the server hangs up.
pub(crate) async fn ask(
    host: &str,
    method: &str,
    path: &str,
    headers: &str,
    body: &str,
) -> Option<(u16, String, String)> {
    let mut stream = TcpStream::connect(host).await.unwrap();
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok()?;
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, head.to_owned(), body.to_owned()))
}

pub(crate) async fn order(host: &str, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let (status, _, body) = ask(host, method, &format!("/__sim/{path}"), "", &body.to_string()).await.unwrap();
    (status, serde_json::from_str(&body).unwrap())
}

#[tokio::test]
async fn a_login_and_orders() {
    let sim = Sim::new(world());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let stop = CancellationToken::new();
    let test = async {
        drive(&host, &sim).await;
        stop.cancel();
    };
    let (served, ()) = tokio::join!(sim.serve(listener, stop.clone()), test);
    served.unwrap();
}

#[tokio::test]
async fn a_client_that_hangs_up_leaves_nothing_behind() {
    let sim = Sim::new(World { hold: Duration::from_secs(60), ..world() });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let stop = CancellationToken::new();
    let test = async {
        let client = Client::online(&sim, "xiaoli").await;
        // A poll of which nobody hears the answer, again and again: it does not count as in flight.
        for _ in 0..3 {
            let path = client.check_path();
            let poll = ask(&host, "GET", &path, "", "");
            assert!(tokio::time::timeout(Duration::from_millis(50), poll).await.is_err());
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(sim.violations().iter().all(|found| !found.hard), "{:?}", sim.violations());

        // A load order that was given up does not stand in the way of the next.
        let plan = serde_json::to_string(&LoadPlan::default()).unwrap();
        let load = ask(&host, "POST", "/__sim/load", "", &plan);
        assert!(tokio::time::timeout(Duration::from_millis(50), load).await.is_err());
        let free = async {
            while sim.load(LoadPlan { timeout_ms: 1, ..LoadPlan::default() }).await.is_err() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(5), free).await.expect("the order that was given up ends");
        stop.cancel();
    };
    let (served, ()) = tokio::join!(sim.serve(listener, stop.clone()), test);
    served.unwrap();
}

async fn drive(host: &str, sim: &Sim) {
    let (_, _, body) = ask(host, "GET", "/jslogin?appid=x", "", "").await.unwrap();
    let uuid = between(&body, "uuid = \"", "\"");
    assert_eq!(order(host, "GET", "pending", &Value::Null).await.1["uuids"], json!([uuid]));
    let (status, _) = order(host, "POST", "approve", &json!({"uuid": uuid, "account": "xiaoli"})).await;
    assert_eq!(status, 200);
    let poll = format!("/cgi-bin/mmwebwx-bin/login?uuid={uuid}&tip=0");
    let (_, _, body) = ask(host, "GET", &poll, "", "").await.unwrap();
    let redirect = between(&body, "redirect_uri=\"", "\"");
    let page = redirect.strip_prefix(&format!("http://{host}")).expect("the same host and scheme");
    let (status, head, body) = ask(host, "GET", &format!("{page}&fun=new&version=v2"), "", "").await.unwrap();
    assert_eq!(status, 301);
    assert!(body.contains("<ret>0</ret>"), "{body}");
    assert!(!head.to_lowercase().contains("domain="), "an address has no domain: {head}");
    let cookies: Vec<&str> =
        head.lines().filter_map(|line| line.strip_prefix("set-cookie: ")?.split(';').next()).collect();
    let headers = format!("Cookie: {}\r\nContent-Type: application/json;charset=UTF-8\r\n", cookies.join("; "));

    let base = json!({
        "Uin": between(&body, "<wxuin>", "<").parse::<u64>().unwrap(), "Sid": between(&body, "<wxsid>", "<"),
        "Skey": between(&body, "<skey>", "<"), "DeviceID": "e784205590563506"
    });
    let init = json!({"BaseRequest": base}).to_string();
    let path = "/cgi-bin/mmwebwx-bin/webwxinit?r=1&lang=zh_CN";
    let (_, _, body) = ask(host, "POST", path, &headers, &init).await.unwrap();
    assert!(body.contains("\"NickName\":\"老王\""));

    let told = json!({"account": "xiaoli", "from": "老王", "text": "在吗", "count": 3});
    let (status, ids) = order(host, "POST", "messages", &told).await;
    assert_eq!((status, ids["msg_ids"].as_array().unwrap().len()), (200, 3));
    let (status, world) = order(host, "GET", "world", &Value::Null).await;
    assert_eq!((status, &world["accounts"][0]["online"]), (200, &json!(true)));
    assert_eq!(order(host, "GET", "summary", &Value::Null).await.1["delivered"], 3);
    assert_eq!(order(host, "GET", "journal", &Value::Null).await.1["logins"].as_array().unwrap().len(), 1);
    let room = json!({"account": "xiaoli", "room": "测试群", "change": {"rename": "新群"}});
    assert_eq!(order(host, "POST", "room", &room).await.0, 200);

    for (name, method, path, body, want, error) in [
        ("unknown order", "GET", "nothing", json!({}), 404, "no order"),
        ("unknown account", "POST", "kick", json!({"account": "x"}), 404, "`x`"),
        ("unknown field", "POST", "kick", json!({"acount": "x"}), 400, "acount"),
        ("no conversation", "POST", "load", json!({"open": 99}), 400, "99"),
        ("bad fault", "POST", "faults", json!({"endpoint": "*", "kind": "flood"}), 400, "flood"),
        ("bad ret", "POST", "expire", json!({"account": "xiaoli", "ret": 5}), 400, "1100"),
    ] {
        let (status, answer) = order(host, method, path, &body).await;
        assert_eq!(status, want, "{name}");
        assert!(answer["error"].as_str().unwrap().contains(error), "{name}: {answer}");
    }
    let (status, _, _) = ask(host, "GET", "/__sim/world", "Origin: http://evil.test\r\n", "").await.unwrap();
    assert_eq!(status, 403);

    let fault = json!({"endpoint": "webwxinit", "kind": "drop_after"});
    assert_eq!(order(host, "POST", "faults", &fault).await.0, 200);
    assert_eq!(ask(host, "POST", path, &headers, &init).await, None, "hung up");
    assert_eq!(sim.journal().inits.len(), 2, "but processed");
    sim.inject(Fault::once("*", FaultKind::Refuse));
    assert_eq!(ask(host, "GET", "/", "", "").await, None);
    assert_eq!(order(host, "DELETE", "faults", &Value::Null).await.0, 200);
    assert_eq!(ask(host, "GET", "/nothing", "", "").await.unwrap().0, 404);
    assert!(sim.violations().iter().any(|found| found.hard && found.what == "unknown path"));
}
