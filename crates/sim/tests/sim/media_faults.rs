//! What can go wrong with uploads and downloads?

use http::{HeaderMap, Method};
use serde_json::json;
use tokio::time::{Duration, Instant};
use wxbot_core::transport::TransportError;
use wxbot_sim::{Deliver, Fault, FaultKind, Said, Sim};

use crate::client::{BASE, Client, assert_clean, md5, named, world};
use crate::uploads::PICTURE;

async fn rig() -> (Sim, Client) {
    let sim = Sim::new(world());
    let client = Client::online(&sim, "xiaoli").await;
    (sim, client)
}

fn at_chunk(chunk: u32, kind: FaultKind) -> Fault {
    Fault { skip: chunk, ..Fault::once("webwxuploadmedia", kind) }
}

#[tokio::test(start_paused = true)]
async fn uploads_fail_at_a_chunk() {
    let bytes = vec![1; 1_200_000];
    for kind in [FaultKind::Ret { ret: 1, msg: String::new() }, FaultKind::Status { code: 500 }, FaultKind::Drop] {
        let (sim, mut client) = rig().await;
        sim.inject(at_chunk(1, kind.clone()));
        let chunks = client.chunks("a.bin", &bytes, &md5(&bytes));
        assert_eq!(client.put(&chunks[0]).await["BaseResponse"]["Ret"], 0);
        match (&kind, client.upload(&chunks[1]).await) {
            (FaultKind::Ret { .. }, Ok(answer)) => {
                assert!(std::str::from_utf8(&answer.body).unwrap().contains("\"Ret\":1"))
            }
            (FaultKind::Status { .. }, Ok(answer)) => assert_eq!(answer.status, 500),
            (FaultKind::Drop, Err(TransportError::Broken { .. })) => {}
            other => panic!("{other:?}"),
        }
        // The chunk was not processed: it can be sent again.
        assert_eq!(client.put(&chunks[1]).await["BaseResponse"]["Ret"], 0);
        assert!(client.put(&chunks[2]).await["MediaId"].as_str().unwrap().starts_with('@'));
        assert_clean(&sim);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_was_lost_can_be_had_again() {
    let (sim, mut client) = rig().await;
    let bytes = vec![1; 600_000];
    let chunks = client.chunks("a.bin", &bytes, &md5(&bytes));
    sim.inject(at_chunk(0, FaultKind::DropAfter));
    assert!(client.upload(&chunks[0]).await.is_err());
    assert_eq!(client.put(&chunks[0]).await["StartPos"], 524_288);
    sim.inject(at_chunk(0, FaultKind::DropAfter));
    assert!(client.upload(&chunks[1]).await.is_err());
    assert!(client.put(&chunks[1]).await["MediaId"].as_str().unwrap().starts_with('@'));
    assert_clean(&sim);
}

#[tokio::test(start_paused = true)]
async fn answers_of_uploads_can_be_wrong() {
    let (sim, mut client) = rig().await;
    let chunk = client.chunks("a.png", PICTURE, &md5(PICTURE)).remove(0);
    sim.inject(at_chunk(0, FaultKind::NoMediaId));
    let answer = client.put(&chunk).await;
    assert_eq!((&answer["BaseResponse"]["Ret"], &answer["MediaId"]), (&json!(0), &json!("")));
    sim.inject(at_chunk(0, FaultKind::WrongStartPos));
    assert_eq!(client.put(&chunk).await["StartPos"], PICTURE.len() - 1);
}

#[tokio::test(start_paused = true)]
async fn the_second_file_host_works_when_the_first_does_not() {
    let (sim, mut client) = rig().await;
    let refuse = FaultKind::Ret { ret: 1, msg: String::new() };
    sim.inject(Fault { host: Some("file.".into()), times: 0, ..Fault::once("webwxuploadmedia", refuse) });
    let mut chunk = client.chunks("a.png", PICTURE, &md5(PICTURE)).remove(0);
    assert_eq!(client.put(&chunk).await["BaseResponse"]["Ret"], 1);
    chunk.host = "file2.sim.test";
    assert_eq!(client.put(&chunk).await["BaseResponse"]["Ret"], 0);
    assert_clean(&sim);
}

#[tokio::test(start_paused = true)]
async fn a_send_can_be_refused_after_its_upload() {
    let (sim, mut client) = rig().await;
    let id = client.media("a.png", PICTURE).await;
    for ret in [1, 1205] {
        sim.inject(Fault::once("webwxsendmsgimg", FaultKind::Ret { ret, msg: String::new() }));
        let msg = json!({"Type": 3, "MediaId": id});
        let answer = client.say("webwxsendmsgimg?x=1", "filehelper", msg).await;
        assert_eq!((&answer["BaseResponse"]["Ret"], &answer["MsgID"]), (&json!(ret), &json!("")));
    }
    assert!(sim.journal().sends.is_empty());
    for (endpoint, body) in [
        ("webwxverifyuser", json!({})),
        ("webwxupdatechatroom", json!({})),
        ("webwxcreatechatroom", json!({})),
        ("webwxoplog", json!({})),
    ] {
        sim.inject(Fault::once(endpoint, FaultKind::Ret { ret: 1205, msg: String::new() }));
        assert_eq!(client.post(&format!("{endpoint}?r=1"), body).await["BaseResponse"]["Ret"], 1205);
    }
}

#[tokio::test(start_paused = true)]
async fn downloads_come_wrong() {
    for (kind, want) in [
        (FaultKind::Html, "<!DOCTYPE"),
        (FaultKind::Ret { ret: 1101, msg: String::new() }, "{\"BaseResponse\""),
        (FaultKind::Empty, ""),
        (FaultKind::ContentLength { by: -3 }, "by"),
        (FaultKind::Stall { bytes: 2, ms: 20_000 }, "bytes"),
    ] {
        let (sim, mut client) = rig().await;
        let id = sim.deliver("xiaoli", Deliver::said("老王", Said::Image { data: Some("bytes".into()) })).unwrap();
        sim.inject(Fault::once("webwxgetmsgimg", kind.clone()));
        let path = format!("webwxgetmsgimg?&MsgID={id}&skey={}", client.skey);
        let start = Instant::now();
        let answer = client.download(&path, None).await;
        assert!(answer.body.starts_with(want.as_bytes()), "{kind:?}");
        assert_eq!(answer.body.is_empty(), want.is_empty());
        let stalled = matches!(kind, FaultKind::Stall { .. });
        assert_eq!(start.elapsed(), Duration::from_secs(if stalled { 20 } else { 0 }));
        assert_eq!(client.download(&path, None).await.body, "bytes", "once");
    }
    let (sim, mut client) = rig().await;
    let id = sim.deliver("xiaoli", Deliver::said("老王", Said::Image { data: None })).unwrap();
    let url = format!("{BASE}/cgi-bin/mmwebwx-bin/webwxgetmsgimg?MsgID={id}&skey={}", client.skey);
    sim.inject(Fault::once("webwxgetmsgimg", FaultKind::ContentLength { by: 5 }));
    let cut = client.exchange(Method::GET, &url, HeaderMap::new(), "").await;
    assert!(matches!(cut, Err(TransportError::Broken { .. })));
    sim.inject(Fault::once("webwxgetmsgimg", FaultKind::Redirect { to: "https://evil.test/".to_owned() }));
    let moved = client.exchange(Method::GET, &url, HeaderMap::new(), "").await.unwrap();
    assert_eq!((moved.status, moved.headers["location"].to_str().unwrap()), (302, "https://evil.test/"));
    sim.inject(Fault::once("webwxgetmsgimg", FaultKind::Stall { bytes: 0, ms: 60_000 }));
    let late = client.exchange(Method::GET, &url, HeaderMap::new(), "").await;
    assert!(matches!(late, Err(TransportError::Timeout { .. })));
}

#[tokio::test(start_paused = true)]
async fn faces_can_be_empty_at_first() {
    let sim = Sim::new(world());
    let mut client = Client::new(&sim);
    client.log_in(&sim, "xiaoli").await;
    let init = client.start().await;
    sim.inject(Fault { times: 2, ..Fault::once("webwxgeticon", FaultKind::Empty) });
    let path = format!("webwxgeticon?seq=1&username={}&skey={}", named(&init["ContactList"], "老王"), client.skey);
    let mut lengths = Vec::new();
    for _ in 0..3 {
        lengths.push(client.download(&path, None).await.body.is_empty());
    }
    assert_eq!(lengths, [true, true, false]);
}

#[tokio::test(start_paused = true)]
async fn contacts_can_come_without_names() {
    let (sim, mut client) = rig().await;
    sim.inject(Fault::once("webwxbatchgetcontact", FaultKind::EmptyNames));
    let body = json!({"Count": 1, "List": [{"UserName": "filehelper", "EncryChatRoomId": ""}]});
    let answer = client.post("webwxbatchgetcontact?type=ex&r=1", body).await;
    assert_eq!((&answer["BaseResponse"]["Ret"], &answer["ContactList"][0]["UserName"]), (&json!(0), &json!("")));
}
