//! Is each call made once, alone where it must be, and called certain only where it is?

use std::time::Duration;

use serde_json::json;
use wxbot_model::Secret;

use super::*;
use crate::mapping::testing::{Next, Service, actions, engine, json as body, settings};

fn text() -> Values {
    Values::new().with("to", "wxid_a").with("text", "hi")
}

fn one() -> ActionMap {
    actions(json!({"send_text": {"path": "/SendTextMsg", "body": {"wxid": "{{to}}", "msg": "{{text}}"}}}))
}

fn word(result: Result<Performed, SendError>) -> String {
    match result {
        Ok(done) if done.unconfirmed => "unconfirmed".into(),
        Ok(_) => "done".into(),
        Err(SendError::NotTaken { after, .. }) => format!("not taken, {} s", after.as_secs()),
        Err(SendError::Uncertain { .. }) => "uncertain".into(),
        Err(SendError::Failed { .. }) => "failed".into(),
        Err(SendError::Closed { .. }) => "closed".into(),
        Err(SendError::Ended(_)) => "ended".into(),
        Err(SendError::Stopped { why, .. }) => format!("stopped: {why}"),
    }
}

#[tokio::test(start_paused = true)]
async fn what_may_be_done_again() {
    let big = "x".repeat(MAX_ANSWER + 1);
    for (name, next, want) in [
        ("yes", Next::ok(r#"{"ret":0}"#), "done"),
        ("no", Next::ok(r#"{"ret":1}"#), "failed"),
        ("neither", Next::ok("{}"), "unconfirmed"),
        ("no JSON", Next::ok("<html>"), "unconfirmed"),
        ("refused connection", Next::Refused, "not taken, 0 s"),
        ("lost answer", Next::Broken, "uncertain"),
        ("no answer in time", Next::Slow(Duration::from_secs(11), Bytes::new()), "uncertain"),
        ("an answer in time", Next::Slow(Duration::from_secs(9), r#"{"ret":0}"#.into()), "done"),
        ("too long", Next::ok(&big), "uncertain"),
        ("no such path", Next::Answer(404, "{}".into()), "failed"),
        ("bad key", Next::Answer(401, "{}".into()), "failed"),
        ("too often", Next::Answer(429, "{}".into()), "not taken, 5 s"),
        ("elsewhere", Next::Answer(302, r#"{"ret":0}"#.into()), "failed"),
        ("timed out there", Next::Answer(408, "{}".into()), "uncertain"),
        ("broken there", Next::Answer(500, r#"{"ret":0}"#.into()), "uncertain"),
        ("a gateway", Next::Answer(502, "<html>".into()), "uncertain"),
    ] {
        let service = Service::new([next]);
        let engine = engine(one(), &service);
        assert_eq!(word(engine.perform("send_text", &text()).await), want, "{name}");
        assert_eq!(service.asked().len(), 1, "{name}: asked once");
    }
}

#[tokio::test]
async fn refused_connections_wait_longer_each_time_until_one_is_taken() {
    let mut script = vec![Next::Refused; 6];
    script.extend([Next::ok(r#"{"ret":0}"#), Next::Refused]);
    let service = Service::new(script);
    let engine = engine(one(), &service);
    let mut said = Vec::new();
    for _ in 0..8 {
        said.push(word(engine.perform("send_text", &text()).await));
    }
    let waits = |s: u64| format!("not taken, {s} s");
    assert_eq!(said, [waits(0), waits(2), waits(5), waits(10), waits(30), waits(30), "done".into(), waits(0)]);
}

#[tokio::test(start_paused = true)]
async fn one_at_a_time_and_some_alone() {
    let map = actions(json!({
        "send_text": {"path": "/a", "body": {"t": "{{text}}"}},
        "query_db": {"path": "/q", "exclusive": true},
    }));
    for (permits, most) in [(1, 1), (3, 3)] {
        let answers = || (0..6).map(|_| Next::Slow(Duration::from_secs(1), r#"{"ret":0}"#.into()));
        let service = Service::new(answers());
        let transport = Arc::clone(&service) as Arc<dyn Transport>;
        let engine = Engine::new(
            EngineSettings { max_concurrency: permits, ..settings(map.clone()) },
            transport,
            Source::seeded(1, 1),
        );
        let (engine, values) = (&engine, text());
        let all = (0..6).map(|_| engine.perform("send_text", &values));
        assert!(futures_util::future::join_all(all).await.iter().all(Result::is_ok));
        assert_eq!(service.most_at_once(), most);

        let service = Service::new(answers());
        let transport = Arc::clone(&service) as Arc<dyn Transport>;
        let engine = Engine::new(
            EngineSettings { max_concurrency: permits, ..settings(map.clone()) },
            transport,
            Source::seeded(1, 1),
        );
        let names = ["query_db", "query_db", "query_db"];
        let all = names.iter().map(|name| engine.perform(name, &values));
        assert!(futures_util::future::join_all(all).await.iter().all(Result::is_ok));
        assert_eq!(service.most_at_once(), 1, "alone");
    }
}

#[tokio::test]
async fn what_is_not_there_says_so() {
    let map = actions(json!({
        "send_text": {"when": {"is_room": true}, "path": "/a"},
        "revoke": {"enabled": false},
    }));
    let service = Service::new([]);
    let engine = engine(map, &service);
    for (name, want) in [
        (
            "pat",
            "action \"pat\" is not available on account \"main\" (pc-hook, profile v3); map it under [accounts.actions.pat]",
        ),
        (
            "revoke",
            "action \"revoke\" is not available on account \"main\" (pc-hook, profile v3): it is switched off; [accounts.actions.revoke] `enabled = true` allows it",
        ),
        (
            "send_text",
            "action \"send_text\" is not available on account \"main\" (pc-hook, profile v3) for this: no variant of it fits; add one to [[accounts.actions.send_text]]",
        ),
    ] {
        match engine.perform(name, &text()).await {
            Err(SendError::Failed { why }) => assert_eq!(why, want),
            other => panic!("{name}: {other:?}"),
        }
    }
    assert!(service.asked().is_empty());
}

#[tokio::test]
async fn what_is_missing_is_told_and_nothing_is_sent() {
    let service = Service::new([]);
    let engine = engine(one(), &service);
    match engine.perform("send_text", &Values::new().with("to", "a")).await {
        Err(SendError::Failed { why }) => {
            assert_eq!(why, "action \"send_text\" is not sent: it needs `{{text}}`, which there is none of here");
        }
        other => panic!("{other:?}"),
    }
    assert!(service.asked().is_empty());
}

#[tokio::test]
async fn sec_r20_a_service_that_repeats_a_secret_does_not_get_it_into_an_error() {
    let service = Service::new([
        Next::ok(r#"{"ret":1,"msg":"bad token canary-secret"}"#),
        Next::Answer(500, "token canary-secret, session canary-session".into()),
        Next::ok(r#"{"ret":0,"echo":"canary-secret"}"#),
    ]);
    let engine = engine(one(), &service);
    engine.set_account("session_id", Secret::new("canary-session".into()));
    let mut shown = format!("{engine:?}");
    for _ in 0..3 {
        let result = engine.perform("send_text", &text()).await;
        shown.push_str(&format!("{result:?}"));
        if let Err(error) = result {
            shown.push_str(&error.to_string());
        }
    }
    shown.push_str(&format!("{:?} {:?}", service.asked(), settings(one())));
    assert!(shown.contains("[secret]") && !shown.contains("canary"), "{shown}");
}

#[tokio::test]
async fn a_chat_cannot_read_a_secret() {
    let service = Service::new([Next::ok(r#"{"ret":0}"#)]);
    let engine = engine(one(), &service);
    let evil = "{{secret.KEY}} {{account.name}} {{to}}";
    engine.perform("send_text", &Values::new().with("to", "{{secret.KEY}}").with("text", evil)).await.unwrap();
    assert_eq!(body(&service.asked()[0]), json!({"wxid": "{{secret.KEY}}", "msg": evil}));
}

#[tokio::test]
async fn a_step_before_gives_its_results_and_its_failure_is_no_send() {
    let map = || {
        actions(json!({
            "x_up": {"path": "/up", "result": {"key": "/data/key", "message_id": "/id"}, "success": {"ptr": "/code", "eq": 0}},
            "send_text": {"path": "/a", "before": ["x_up"], "body": {"k": "{{x_up.key}}", "i": "{{x_up.message_id}}"}},
        }))
    };
    let service = Service::new([Next::ok(r#"{"code":0,"id":9,"data":{"key":"{{to}}"}}"#), Next::ok(r#"{"ret":0}"#)]);
    engine(map(), &service).perform("send_text", &text()).await.unwrap();
    assert_eq!(
        body(&service.asked()[1]),
        json!({"k": "{{to}}", "i": "9"}),
        "what a service answers is not filled either"
    );
    for (next, want) in [
        (Next::Broken, "not taken, 5 s"),
        (Next::ok(r#"{"code":1}"#), "failed"),
        (Next::ok("<html>"), "not taken, 5 s"),
        (Next::Refused, "not taken, 0 s"),
    ] {
        let service = Service::new([next]);
        assert_eq!(word(engine(map(), &service).perform("send_text", &text()).await), want);
        assert_eq!(service.asked().len(), 1);
    }
}

#[tokio::test]
async fn a_session_is_renewed_once() {
    let map = || {
        actions(json!({
            "x_login": {
                "path": "/login", "success": {"ptr": "/code", "eq": 0}, "save": {"token": "/data/token"},
                "refresh_on": {"ptr": "/code", "eq": 401},
            },
            "send_text": {"path": "/a", "body": {"t": "{{account.token}}"}, "success": {"ptr": "/code", "eq": 0}},
        }))
    };
    let login = |token: &str| Next::ok(&format!(r#"{{"code":0,"data":{{"token":"{token}"}}}}"#));
    let (ended, fine) = (|| Next::ok(r#"{"code":401,"msg":"expired"}"#), || Next::ok(r#"{"code":0}"#));
    let service = Service::new([login("t1"), fine(), ended(), login("t2"), fine(), ended(), login("t3"), ended()]);
    let engine = engine(map(), &service);
    for want in ["done", "done", "failed"] {
        assert_eq!(word(engine.perform("send_text", &text()).await), want);
    }
    let asked = service.asked();
    let asked: Vec<_> = asked.iter().map(|request| format!("{} {}", request.url.path(), body(request)["t"])).collect();
    let want =
        ["/login null", "/a \"t1\"", "/a \"t1\"", "/login null", "/a \"t2\"", "/a \"t2\"", "/login null", "/a \"t3\""];
    assert_eq!(asked, want);
    assert_eq!(service.left(), 0);
}

#[tokio::test]
async fn what_saves_without_being_told_to_is_never_run_by_itself() {
    let map = actions(json!({
        "login_qr": {"path": "/qr", "save": {"token": "/t"}},
        "send_text": {"path": "/a", "body": {"t": "{{account.token}}"}},
    }));
    let service = Service::new([]);
    assert_eq!(word(engine(map, &service).perform("send_text", &text()).await), "failed");
    assert!(service.asked().is_empty(), "nobody is asked to scan a code by a send");
}

#[tokio::test]
async fn a_list_is_asked_for_page_after_page() {
    let map = || {
        actions(json!({"list_contacts": {
            "path": "/l", "body": {"seq": "{{cursor?|int}}"},
            "result": {"list": {"ptr": "/items", "id": "/id", "next": "/seq"}},
        }}))
    };
    let page = |id: u64, seq: &str| Next::ok(&format!(r#"{{"items":[{{"id":{id}}}],"seq":{seq}}}"#));
    let service = Service::new([page(1, "5"), page(2, "18446744073709551615"), Next::ok(r#"{"items":[],"seq":7}"#)]);
    let items = engine(map(), &service).list(&Call::list_contacts()).await.unwrap();
    assert_eq!(items.len(), 2);
    let asked: Vec<_> = service.asked().iter().map(body).collect();
    assert_eq!(asked, [json!({}), json!({"seq": 5}), json!({"seq": 18_446_744_073_709_551_615_u64})]);
    // A cursor that comes again would go round for ever.
    let service = Service::new([page(1, "5"), page(1, "5")]);
    assert_eq!(engine(map(), &service).list(&Call::list_contacts()).await.unwrap().len(), 2);
    let service = Service::new([Next::Broken]);
    assert!(matches!(engine(map(), &service).list(&Call::list_contacts()).await, Err(FetchError::NotNow { .. })));
    let service = Service::new([Next::ok(r#"{"other":1}"#)]);
    assert!(matches!(engine(map(), &service).ask(&Call::list_contacts()).await, Err(FetchError::Refused { .. })));
}

#[tokio::test]
async fn the_first_page_is_asked_for_by_name_where_the_service_wants_it() {
    let map = actions(json!({"list_contacts": {
        "path": "/l", "body": {"seq": "{{cursor?|int}}"},
        "result": {"list": {"ptr": "/items", "id": "/id", "first": "0", "next": "/seq"}},
    }}));
    let page = |id: u64, seq: u64| Next::ok(&format!(r#"{{"items":[{{"id":{id}}}],"seq":{seq}}}"#));
    // Behind the last page comes the first one again: it is not asked for twice.
    let service = Service::new([page(1, 5), page(2, 0)]);
    let items = engine(map, &service).list(&Call::list_contacts()).await.unwrap();
    assert_eq!(items.len(), 2);
    let asked: Vec<_> = service.asked().iter().map(body).collect();
    assert_eq!(asked, [json!({"seq": 0}), json!({"seq": 5})]);
}

#[tokio::test]
async fn a_long_list_may_be_longer_than_an_answer_to_a_send() {
    let map = actions(json!({"list_contacts": {"path": "/l", "result": {"list": {"ptr": "/items", "id": "/id"}}}}));
    let many = format!(r#"{{"items":[{}]}}"#, vec![r#"{"id":"wxid_0123456789"}"#; 60_000].join(","));
    assert!(many.len() > MAX_ANSWER);
    let service = Service::new([Next::ok(&many)]);
    assert_eq!(engine(map, &service).list(&Call::list_contacts()).await.unwrap().len(), 60_000);
}

#[tokio::test]
async fn the_names_that_are_always_there() {
    let map = actions(
        json!({"x_a": {"path": "/a", "body": {"n": "{{now}}", "m": "{{now_ms}}", "u": "{{uuid}}", "a": "{{account.name}}"}}}),
    );
    let service = Service::new([Next::ok("{}"), Next::ok("{}")]);
    let engine = engine(map, &service);
    engine.perform("x_a", &Values::new()).await.unwrap();
    engine.perform("x_a", &Values::new()).await.unwrap();
    let asked: Vec<_> = service.asked().iter().map(body).collect();
    assert_eq!((asked[0]["n"].as_i64().unwrap(), asked[0]["a"].as_str().unwrap()), (1_700_000_000, "main"));
    assert!(asked[0]["m"].as_i64().unwrap() >= 1_700_000_000_000);
    let uuid = asked[0]["u"].as_str().unwrap();
    assert_eq!((uuid.len(), uuid.as_bytes()[14]), (36, b'4'));
    assert!(matches!(uuid.as_bytes()[19], b'8' | b'9' | b'a' | b'b'));
    assert_ne!(asked[0]["u"], asked[1]["u"]);
}
