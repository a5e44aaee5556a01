//! Does the server take what it should, refuse what it must, and answer when it is kept? Over real loopback connections.
#![expect(clippy::unwrap_used, reason = "the helpers of tests fail like tests")]
#![expect(clippy::disallowed_methods, reason = "what a test spawns ends with its runtime")]

mod rig;

use std::time::Duration;

use rig::{Hook, Town, ask, post};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const OLD: &str = "fedcba9876543210fedcba9876543210";

fn path(account: &str, secret: &str) -> String {
    format!("/push/{account}/{secret}")
}

// cov: 105
// cov: 106
#[tokio::test]
async fn a_push_is_answered_when_it_is_kept_and_not_before() {
    let town = Town::open(|_| {}).await;
    let answer = tokio::spawn(post(town.address, path("shop", SECRET), "shop hello"));
    let taken = town.shop.take().await;
    assert_eq!(taken.bodies(), ["shop hello"]);
    assert!(!answer.is_finished(), "it is not kept yet");
    taken.commit();
    let answer = answer.await.unwrap();
    assert_eq!((answer.status, &*answer.body), (200, "1"));
}

#[tokio::test]
async fn what_cannot_be_kept_is_answered_with_503() {
    let town = Town::open(|settings| settings.limits.keeping = Duration::from_millis(100)).await;
    let answer = tokio::spawn(post(town.address, path("shop", SECRET), "shop a"));
    drop(town.shop.take().await);
    assert_eq!(answer.await.unwrap().status, 503, "the commit failed");
    assert_eq!(post(town.address, path("shop", SECRET), "shop b").await.status, 503, "nobody takes it");
}

#[tokio::test]
async fn sec_r02_an_address_without_its_secret_is_nobodys() {
    let town = Town::open(|_| {}).await;
    town.shop.keep_all();
    for (name, path, want) in [
        ("the secret", path("shop", SECRET), 200),
        ("the one before it", path("shop", OLD), 200),
        ("a wrong one", path("shop", &SECRET.replace('0', "1")), 404),
        ("the beginning of it", path("shop", &SECRET[..31]), 404),
        ("more than it", path("shop", &format!("{SECRET}0")), 404),
        ("another account", path("club", SECRET), 404),
        ("one that is not pushed to", path("nobody", SECRET), 404),
        ("none", "/push/shop/".to_owned(), 404),
        ("something else", "/".to_owned(), 404),
    ] {
        assert_eq!(post(town.address, path, "shop hello").await.status, want, "{name}");
    }
    let away = town.figure("wxbot_turned_away_total{why=\"address\"}").await;
    assert_eq!(away, "5", "an address of another shape was never one");
}

#[tokio::test]
async fn sec_r03_the_path_names_the_account_and_the_body_must_agree() {
    let town = Town::open(|_| {}).await;
    town.shop.keep_all();
    assert_eq!(post(town.address, path("shop", SECRET), "club hello").await.status, 403);
    assert_eq!(town.figure("wxbot_pushes_total{account=\"shop\",outcome=\"wrong_account\"}").await, "1");
}

// cov: 104
#[tokio::test]
async fn sec_r03_the_shared_path_finds_the_account_by_the_body_and_is_for_loopback() {
    let town = Town::open(|settings| settings.default_path = Some("127.0.0.1:0".parse().unwrap())).await;
    town.shop.keep_all();
    town.hook.keep_all();
    let shared = "/api/user/recive_msg";
    for address in [town.address, town.second.unwrap()] {
        assert_eq!(post(address, shared, "hook hello").await.status, 200);
        // `shop` has an address of its own and does not take what comes here.
        assert_eq!(post(address, shared, "shop hello").await.status, 403);
    }
    assert_eq!(town.hook.kept(), ["hook hello", "hook hello"]);
    assert_eq!(post(town.second.unwrap(), path("shop", SECRET), "shop hello").await.status, 404, "nothing else there");
}

#[tokio::test]
async fn sec_r05_limits_come_before_reading() {
    let town = Town::open(|settings| {
        settings.limits.body = 1_000;
        settings.limits.headers = 8_192;
        settings.limits.arrival = Duration::from_millis(200);
    })
    .await;
    town.shop.keep_all();
    let path = path("shop", SECRET);
    assert_eq!(post(town.address, &*path, &"shop ".repeat(200)).await.status, 200, "just not too large");
    assert_eq!(post(town.address, &*path, &"shop ".repeat(201)).await.status, 413);
    let chunked = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n{}\r\n0\r\n\r\n",
        "x".repeat(2_000)
    );
    assert_eq!(ask(town.address, &chunked).await.status, 413, "a length that nobody stated");
    let head = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\n");
    assert_eq!(ask(town.address, &format!("{head}X: {}\r\n\r\n", "x".repeat(20_000))).await.status, 431);
    assert_eq!(ask(town.address, &format!("{head}Content-Length: 9\r\n\r\nshop")).await.status, 408, "a slow body");
    assert_eq!(ask(town.address, &format!("{head}X: ")).await.status, 0, "slow headers: hung up");
}

#[tokio::test]
async fn sec_r05_connections_are_counted_for_each_address_and_more_of_them_wait() {
    let town = Town::open(|settings| {
        settings.limits.per_address = 3;
        settings.limits.arrival = Duration::from_millis(300);
    })
    .await;
    town.shop.keep_all();
    let idle: Vec<_> = town.idle_connections(3).await;
    let waits = tokio::spawn(post(town.address, path("shop", SECRET), "shop waits"));
    tokio::task::yield_now().await;
    drop(idle);
    assert_eq!(waits.await.unwrap().status, 200, "a place became free");
    let _idle = town.busy_connections(3).await;
    assert_eq!(post(town.address, path("shop", SECRET), "shop hello").await.status, 0, "it waited too long");
}

#[tokio::test]
async fn sec_r06_web_pages_are_turned_away() {
    let town = Town::open(|_| {}).await;
    town.shop.keep_all();
    let with = |header: &str| {
        let body = "shop hello";
        let path = path("shop", SECRET);
        format!("POST {path} HTTP/1.1\r\n{header}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    };
    for (header, want) in [
        ("Host: localhost", 200),
        ("Host: evil.example", 403),
        ("Host: localhost\r\nOrigin: http://evil.example", 403),
        ("Host: localhost\r\nOrigin: null", 403),
    ] {
        assert_eq!(ask(town.address, &with(header)).await.status, want, "{header}");
    }
}

#[tokio::test]
async fn pushes_come_only_from_where_they_may() {
    let town = Town::open(|settings| settings.allow = vec!["10.0.0.0/8".parse().unwrap()]).await;
    assert_eq!(post(town.address, path("shop", SECRET), "shop hello").await.status, 404);
}

#[tokio::test]
async fn a_door_may_answer_by_itself_and_refuse() {
    let town = Town::open(|_| {}).await;
    let get = |query: &str| {
        let path = path("shop", SECRET);
        format!("GET {path}?{query} HTTP/1.1\r\nHost: localhost\r\n\r\n")
    };
    let answer = ask(town.address, &get("echo=%E4%BD%A0")).await;
    assert_eq!((answer.status, &*answer.body), (200, "echo=%E4%BD%A0"));
    assert_eq!(ask(town.address, &get("")).await.status, 405);
}

#[tokio::test]
async fn its_health_is_that_of_the_accounts() {
    let town = Town::open(|_| {}).await;
    let get = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let answer = ask(town.address, get).await;
    assert_eq!((answer.status, &*answer.body), (200, "shop online\nhook online\n"));
    town.hook_state("needs_login", false);
    let answer = ask(town.address, get).await;
    assert_eq!((answer.status, &*answer.body), (503, "shop online\nhook needs_login\n"));
    assert_eq!(town.figure("wxbot_account_state{account=\"hook\",state=\"needs_login\"}").await, "1");
}

#[tokio::test]
async fn a_stop_lets_what_is_under_way_end() {
    let mut town = Town::open(|_| {}).await;
    let answer = tokio::spawn(post(town.address, path("shop", SECRET), "shop hello"));
    let taken = town.shop.take().await;
    town.stop();
    taken.commit();
    assert_eq!(answer.await.unwrap().status, 200);
    town.ended().await;
}

#[tokio::test]
async fn a_storm_is_taken_in_order_of_each_sender() {
    let town = Town::open(|_| {}).await;
    town.shop.keep_all();
    let storm = (0..64).map(|sender| {
        let (address, path) = (town.address, path("shop", SECRET));
        tokio::spawn(async move {
            for n in 0..20 {
                assert_eq!(post(address, &*path, &format!("shop {sender} {n}")).await.status, 200);
            }
        })
    });
    for sender in storm.collect::<Vec<_>>() {
        sender.await.unwrap();
    }
    let kept = town.shop.kept();
    assert_eq!(kept.len(), 64 * 20);
    for sender in 0..64 {
        let of = kept.iter().filter_map(|body| body.strip_prefix(&format!("shop {sender} ")));
        assert!(of.map(|n| n.parse::<u32>().unwrap()).eq(0..20), "sender {sender}");
    }
    assert_eq!(town.figure("wxbot_pushes_total{account=\"shop\",outcome=\"kept\"}").await, "1280");
}

#[test]
fn secrets_of_the_rig_are_these() {
    let hook = Hook::new("shop", &[SECRET, OLD], false);
    assert!(!format!("{hook:?}").contains(SECRET));
}

/// Whoever was let in is answered: after a stop nobody else could.
#[tokio::test]
async fn a_connection_that_was_taken_and_not_heard_is_answered_at_a_stop() {
    let mut town = Town::open(|_| {}).await;
    town.shop.keep_all();
    let mut silent = TcpStream::connect(town.address).await.unwrap();
    // A second one is answered, so the first was taken.
    assert_eq!(ask(town.address, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await.status, 200);
    town.stop();
    tokio::task::yield_now().await;
    let (path, body) = (path("shop", SECRET), "shop late");
    let request = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    silent.write_all(request.as_bytes()).await.unwrap();
    let mut said = String::new();
    silent.read_to_string(&mut said).await.unwrap();
    assert!(said.starts_with("HTTP/1.1 200"), "{said}");
    town.ended().await;
    assert_eq!(town.shop.kept(), ["shop late"]);
}
