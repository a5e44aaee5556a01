//! Does what shall go wrong go wrong, and nothing else?

use std::time::Duration;

use serde_json::json;
use wxbot_sim::{Fault, FaultKind, HookSay, PushFault, PushFaultKind};

use crate::hook_actions::Town;
use crate::peer::{ask, post, soon};

const HEADERS: &str = "Content-Type: application/json\r\n";

#[tokio::test]
async fn requests_go_wrong_as_ordered() {
    let town = Town::new(|_| {}).await;
    let body = json!({"wxid": town.id("老王"), "msg": "a"}).to_string();
    let send = async || soon(ask(town.port, "POST", "/SendTextMsg", HEADERS, body.as_bytes())).await;
    for (kind, want, heard) in [
        (FaultKind::Drop, None, 0),
        (FaultKind::Refuse, None, 0),
        (FaultKind::Html, Some((200, "<!DOCTYPE")), 0),
        (FaultKind::Status { code: 503 }, Some((503, "")), 0),
        (FaultKind::Empty, Some((200, "")), 0),
        (FaultKind::Ret { ret: -1, msg: "x".to_owned() }, Some((200, "{\"SendTextMsg\":\"-1\"")), 0),
        // The answer is lost after the message went out.
        (FaultKind::DropAfter, None, 1),
        (FaultKind::Truncate { bytes: 5 }, Some((200, "{\"Sen")), 1),
        (FaultKind::Delay { ms: 1 }, Some((200, "{\"SendTextMsg\":\"1\"}")), 1),
    ] {
        let before = town.hook.journal().heard.len();
        town.hook.inject(Fault::once("SendTextMsg", kind.clone()));
        let answer = send().await.map(|(status, body)| (status, String::from_utf8(body).unwrap()));
        match (&answer, want) {
            (None, None) => {}
            (Some((status, body)), Some((wanted, begin))) => {
                assert!(*status == wanted && body.starts_with(begin), "{kind:?}: {body}");
            }
            _ => panic!("{kind:?}: {answer:?}"),
        }
        assert_eq!(town.hook.journal().heard.len() - before, heard, "{kind:?}");
    }
    town.hook.inject(Fault::once("SendTextMsg", FaultKind::Garbage));
    assert!(String::from_utf8(send().await.unwrap().1).is_err());
    town.hook.inject(Fault::once("*", FaultKind::Hang));
    let hung = tokio::time::timeout(Duration::from_millis(100), send()).await;
    assert!(hung.is_err(), "nothing comes");
    assert_eq!(town.hook.violations(), []);
    assert_eq!(send().await.unwrap().0, 200, "and then all is well");
}

#[tokio::test]
async fn two_requests_at_once_are_told() {
    let town = Town::new(|_| {}).await;
    town.hook.inject(Fault::once("InitContact", FaultKind::Delay { ms: 200 }));
    let slow = soon(ask(town.port, "POST", "/InitContact", HEADERS, b"{}"));
    let query = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        post(town.port, "/QueryDB", &json!({"dbname": "MicroMsg.db", "sql": "SELECT 1"})).await;
        post(town.port, "/GetUnReadMsgNum", &json!({})).await
    };
    tokio::join!(slow, query);
    let found: Vec<_> = town.hook.violations().into_iter().map(|one| (one.hard, one.endpoint, one.what)).collect();
    let what = "a second request while one is in flight".to_owned();
    assert_eq!(found, [(true, "QueryDB".to_owned(), what.clone()), (false, "GetUnReadMsgNum".to_owned(), what)]);
}

#[tokio::test]
async fn pushes_go_wrong_as_ordered() {
    let town = Town::new(|_| {}).await;
    let texts = |from: usize| -> Vec<String> {
        let of = |body: &serde_json::Value| body["msglist"][0]["msg"].as_str().unwrap_or("garbage").to_owned();
        town.receiver.bodies().iter().skip(from).map(of).collect()
    };
    for (kind, want) in [
        (PushFaultKind::Duplicate { times: 3 }, vec!["a", "a", "a", "b", "c"]),
        (PushFaultKind::Swap, vec!["b", "a", "c"]),
        (PushFaultKind::Lose, vec!["b", "c"]),
        (PushFaultKind::Delay { ms: 1 }, vec!["a", "b", "c"]),
        (PushFaultKind::Garbage, vec!["garbage", "b", "c"]),
        (PushFaultKind::Truncate, vec!["garbage", "b", "c"]),
    ] {
        let before = town.receiver.got().len();
        town.hook.inject_push(&PushFault { account: Some("xiaoli".to_owned()), ..PushFault::once(kind) });
        for text in ["a", "b", "c"] {
            town.hook.say("xiaoli", HookSay::text("老王", text)).unwrap();
        }
        soon(town.hook.settled()).await;
        assert_eq!(texts(before), want, "{kind:?}");
    }
    let lost = town.hook.journal().pushes.iter().filter(|push| push.error.as_deref() == Some("lost")).count();
    assert_eq!(lost, 1);

    let before = town.receiver.got().len();
    town.hook.inject_push(&PushFault::once(PushFaultKind::Burst { count: 20 }));
    for at in 0..19 {
        town.hook.say("xiaoli", HookSay::text("老王", &at.to_string())).unwrap();
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(town.receiver.got().len(), before, "held back");
    town.hook.say("xiaoli", HookSay::text("老王", "19")).unwrap();
    soon(town.hook.settled()).await;
    let mut burst: Vec<u32> = texts(before).iter().map(|text| text.parse().unwrap()).collect();
    burst.sort_unstable();
    assert_eq!(burst, (0..20).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_push_that_nobody_takes_is_lost() {
    let town = Town::new(|setup| setup.callback = Some("http://127.0.0.1:9/api/msg/recive".to_owned())).await;
    town.hook.say("xiaoli", HookSay::text("老王", "nobody hears it")).unwrap();
    soon(town.hook.settled()).await;
    let configure = json!({"isEnable": "1", "url": town.receiver.url});
    post(town.port, "/ConfigureMsgRecive", &configure).await;
    town.receiver.answer(&[(503, "no"), (200, "1")]);
    town.hook.say("xiaoli", HookSay::text("老王", "refused")).unwrap();
    town.hook.say("xiaoli", HookSay::text("老王", "taken")).unwrap();
    soon(town.hook.settled()).await;
    let pushes = town.hook.journal().pushes;
    let seen: Vec<_> = pushes.iter().map(|push| (push.attempt, push.status, push.error.as_deref())).collect();
    assert_eq!(seen, [(1, None, Some("refused")), (1, Some(503), None), (1, Some(200), None)]);
    assert_eq!(town.receiver.got().len(), 2, "each was tried once");
}

#[tokio::test]
async fn a_service_that_stops_frees_its_port() {
    let town = Town::new(|_| {}).await;
    let port = town.port;
    soon(town.hook.stop()).await;
    assert!(ask(port, "POST", "/IsLoginStatus", HEADERS, b"{}").await.is_none());
}
