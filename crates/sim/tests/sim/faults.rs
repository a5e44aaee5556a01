//! Does each fault look to a client as it says?

use std::time::Duration;

use http::{HeaderMap, Method};
use tokio::time::Instant;
use wxbot_core::transport::{HttpResponse, TransportError};
use wxbot_sim::{Deliver, Fault, FaultKind, Sim};

use crate::client::{BASE, Client, between, contents, world};

/// Sends one message and answers what came back.
async fn send(client: &mut Client) -> Result<HttpResponse, TransportError> {
    let id = client.next_id();
    let body = serde_json::json!({
        "BaseRequest": client.base_request(),
        "Msg": {"Type": 1, "Content": "x", "FromUserName": client.me, "ToUserName": "filehelper", "LocalID": id,
                "ClientMsgId": id},
        "Scene": 0
    });
    let url = format!("{BASE}/cgi-bin/mmwebwx-bin/webwxsendmsg?lang=zh_CN");
    client.exchange(Method::POST, &url, HeaderMap::new(), &body.to_string()).await
}

#[tokio::test(start_paused = true)]
async fn each_kind_once() {
    let ret = FaultKind::Ret { ret: 1205, msg: "慢点".to_owned() };
    for (kind, processed) in [
        (FaultKind::Delay { ms: 3_000 }, true),
        (FaultKind::Drop, false),
        (FaultKind::DropAfter, true),
        (FaultKind::Refuse, false),
        (FaultKind::Truncate { bytes: 10 }, true),
        (FaultKind::Status { code: 502 }, false),
        (FaultKind::Html, false),
        (ret, false),
        (FaultKind::Garbage, false),
        (FaultKind::BigBody { bytes: 1_000 }, false),
        (FaultKind::BigBody { bytes: 17 * 1024 * 1024 }, false),
        (FaultKind::MalformedXml, true),
    ] {
        let sim = Sim::new(world());
        let mut client = Client::online(&sim, "xiaoli").await;
        sim.inject(Fault::once("webwxsendmsg", kind.clone()));
        let start = Instant::now();
        let answer = send(&mut client).await;
        match (&kind, &answer) {
            (FaultKind::Delay { .. }, Ok(answer)) => {
                assert_eq!(answer.status, 200);
                assert_eq!(start.elapsed().as_secs(), 3);
            }
            (FaultKind::Drop | FaultKind::DropAfter, Err(TransportError::Broken { .. })) => {}
            (FaultKind::Refuse, Err(error)) => assert!(error.surely_not_sent()),
            (FaultKind::Truncate { .. }, Ok(answer)) => assert_eq!(answer.body.len(), 10),
            (FaultKind::Status { .. }, Ok(answer)) => assert_eq!(answer.status, 502),
            (FaultKind::Html, Ok(answer)) => assert!(answer.body.starts_with(b"<!DOCTYPE")),
            (FaultKind::Ret { .. }, Ok(answer)) => {
                let answer: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
                assert_eq!(answer["BaseResponse"]["Ret"], 1205);
                assert_eq!(answer["MsgID"], "");
            }
            (FaultKind::Garbage, Ok(answer)) => assert!(std::str::from_utf8(&answer.body).is_err()),
            (FaultKind::BigBody { bytes: 1_000 }, Ok(answer)) => assert_eq!(answer.body.len(), 1_000),
            (FaultKind::BigBody { .. }, Err(TransportError::TooLarge { .. })) => {}
            (FaultKind::MalformedXml, Ok(answer)) => assert!(!answer.body.ends_with(b"}")),
            (kind, answer) => panic!("{kind:?}: {answer:?}"),
        }
        assert_eq!(sim.journal().sends.len(), usize::from(processed), "{kind:?}");
        assert_eq!(send(&mut client).await.unwrap().status, 200, "{kind:?} happens once");
    }
}

#[tokio::test(start_paused = true)]
async fn refusals_have_the_shape_of_their_endpoint() {
    let sim = Sim::new(world());
    let mut client = Client::online(&sim, "xiaoli").await;
    sim.inject(Fault { times: 0, ..Fault::once("*", FaultKind::Ret { ret: 1100, msg: String::new() }) });
    assert_eq!(client.check().await, ("1100".to_owned(), "0".to_owned()));
    assert_eq!(client.peek().await["SyncKey"]["Count"], 0);
    assert_eq!(client.init().await["User"]["UserName"], "");
    assert_eq!(client.get("webwxgetcontact?r=1&seq=0").await["MemberList"].as_array().unwrap().len(), 0);
    assert_eq!(client.poll("x", 0).await, "window.code=1100;");
    assert!(client.text("/jslogin?appid=x").await.contains("QRLogin.code = 1100"));
    sim.clear_faults();
    assert_eq!(client.peek().await["BaseResponse"]["Ret"], 0, "the session is as it was");
}

#[tokio::test(start_paused = true)]
async fn a_batch_can_come_twice() {
    let sim = Sim::new(world());
    let mut client = Client::online(&sim, "xiaoli").await;
    sim.deliver("xiaoli", Deliver::text("老王", "1")).unwrap();
    sim.inject(Fault::once("webwxsync", FaultKind::Duplicate));
    assert_eq!(contents(&client.sync().await), ["1"]);
    assert_eq!(contents(&client.sync().await), ["1"]);
    assert!(contents(&client.sync().await).is_empty());
    assert_eq!(sim.journal().delivered[0].handed, 2);
}

#[tokio::test(start_paused = true)]
async fn a_login_page_can_be_cut() {
    let sim = Sim::new(world());
    let mut client = Client::new(&sim);
    sim.inject(Fault::once("webwxnewloginpage", FaultKind::MalformedXml));
    let uuid = client.uuid().await;
    sim.scan(&uuid, "xiaoli").unwrap();
    sim.confirm(&uuid).unwrap();
    let redirect = between(&client.poll(&uuid, 0).await, "redirect_uri=\"", "\"");
    let page = client.page(&redirect, HeaderMap::new()).await;
    assert!(page.starts_with("<error>") && !page.ends_with("</error>"), "{page}");
}

#[tokio::test(start_paused = true)]
async fn faults_choose_whom_when_and_how_often() {
    let sim = Sim::new(world());
    sim.add_account(wxbot_sim::AccountSpec::new("other")).unwrap();
    let mut client = Client::online(&sim, "xiaoli").await;
    let mut other = Client::online(&sim, "other").await;
    sim.inject(Fault {
        account: Some("xiaoli".to_owned()),
        endpoint: "webwxsendmsg".to_owned(),
        kind: FaultKind::Status { code: 500 },
        times: 2,
        skip: 1,
        every: 0,
        host: None,
    });
    let mut statuses = Vec::new();
    for _ in 0..4 {
        assert_eq!(send(&mut other).await.unwrap().status, 200);
        statuses.push(send(&mut client).await.unwrap().status);
    }
    assert_eq!(statuses, [200, 500, 500, 200]);
    let now_and_then = Fault { times: 0, every: 3, ..Fault::once("webwxsendmsg", FaultKind::Status { code: 502 }) };
    sim.inject(Fault { account: Some("xiaoli".to_owned()), ..now_and_then });
    statuses.clear();
    for _ in 0..7 {
        statuses.push(send(&mut client).await.unwrap().status);
    }
    assert_eq!(statuses, [502, 200, 200, 502, 200, 200, 502]);
}

#[tokio::test(start_paused = true)]
async fn a_client_gives_up_in_time() {
    let sim = Sim::new(world());
    let mut client = Client::online(&sim, "xiaoli").await;
    sim.inject(Fault::once("webwxsendmsg", FaultKind::Delay { ms: 60_000 }));
    let start = Instant::now();
    assert!(matches!(send(&mut client).await, Err(TransportError::Timeout { .. })));
    assert_eq!(start.elapsed(), Duration::from_secs(35));
}
