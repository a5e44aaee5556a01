//! How does a client come online, and how not?

use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method};
use tokio::time::Instant;
use wxbot_sim::{Sim, SimError, World};

use crate::client::{BASE, Client, assert_clean, between, named, world, xiaoli};

#[tokio::test(start_paused = true)]
async fn the_poll_tells_every_stage() {
    let sim = Sim::new(world());
    let mut client = Client::new(&sim);
    let uuid = client.uuid().await;
    assert_eq!(sim.pending_uuids(), [uuid.as_str()]);

    let start = Instant::now();
    assert_eq!(client.poll(&uuid, 1).await, "window.code=408;");
    assert_eq!(start.elapsed().as_secs(), 25, "held");

    sim.scan(&uuid, "xiaoli").unwrap();
    assert!(sim.pending_uuids().is_empty());
    assert!(client.poll(&uuid, 1).await.starts_with("window.code=201;window.userAvatar = 'data:img/jpg;base64,iVBOR"));
    assert!(client.poll(&uuid, 1).await.starts_with("window.code=201;"), "again after the hold");
    assert_eq!(client.poll(&uuid, 0).await, "window.code=408;");

    let waiting = async { client.poll(&uuid, 0).await };
    let (answer, ()) = tokio::join!(waiting, async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        sim.confirm(&uuid).unwrap();
    });
    let redirect = between(&answer, "window.code=200;\nwindow.redirect_uri=\"", "\"");
    assert!(redirect.starts_with(&format!("{BASE}/cgi-bin/mmwebwx-bin/webwxnewloginpage?ticket=")), "{redirect}");
    assert!(redirect.contains("@qrticket_0&uuid="), "{redirect}");

    assert!(client.page(&redirect, HeaderMap::new()).await.contains("<ret>0</ret><message>OK</message>"));
    assert_eq!(client.poll(&uuid, 0).await, "window.code=400;", "used");
    for cookie in ["wxuin", "wxsid", "wxloadtime", "mm_lang", "webwx_data_ticket", "webwxuvid", "webwx_auth_ticket"] {
        assert!(client.cookies.contains_key(cookie), "{cookie}");
    }
    assert!(client.sid.contains('+') && client.sid.contains('/'));
    assert!(client.pass_ticket.contains("%2F"));
    assert_clean(&sim);
    assert_eq!(sim.journal().logins_of("xiaoli"), 1);
}

#[tokio::test(start_paused = true)]
async fn codes_end_in_other_ways() {
    let sim = Sim::new(world());
    let mut client = Client::new(&sim);
    let cancelled = client.uuid().await;
    sim.scan(&cancelled, "xiaoli").unwrap();
    sim.cancel(&cancelled).unwrap();
    assert_eq!(client.poll(&cancelled, 0).await, "window.code=202;");

    let expired = client.uuid().await;
    sim.expire_qr(&expired).unwrap();
    assert_eq!(client.poll(&expired, 0).await, "window.code=400;");
    assert_eq!(client.poll("nobody==", 0).await, "window.code=400;");

    let old = client.uuid().await;
    let start = Instant::now();
    while client.poll(&old, 0).await == "window.code=408;" {}
    assert_eq!(start.elapsed().as_secs(), 300, "codes run out in the middle of a poll");
    assert!(matches!(sim.scan(&old, "xiaoli"), Err(SimError::LoginState { .. })));
}

#[tokio::test(start_paused = true)]
async fn orders_that_make_no_sense_are_refused() {
    let sim = Sim::new(world());
    let uuid = Client::new(&sim).uuid().await;
    assert_eq!(sim.scan(&uuid, "nobody"), Err(SimError::UnknownAccount("nobody".to_owned())));
    assert_eq!(sim.scan("x", "xiaoli"), Err(SimError::UnknownUuid("x".to_owned())));
    assert!(matches!(sim.confirm(&uuid), Err(SimError::LoginState { .. })));
    assert!(matches!(sim.cancel(&uuid), Err(SimError::LoginState { .. })));
    sim.scan(&uuid, "xiaoli").unwrap();
    assert!(matches!(sim.scan(&uuid, "xiaoli"), Err(SimError::LoginState { .. })));
    assert!(matches!(sim.add_account(xiaoli()), Err(SimError::DuplicateAccount { .. })));
}

#[tokio::test(start_paused = true)]
async fn the_phone_confirms_by_itself() {
    let sim = Sim::new(World { auto_confirm: true, ..world() });
    let mut client = Client::new(&sim);
    let uuid = client.uuid().await;
    assert!(client.poll(&uuid, 0).await.starts_with("window.code=201;"));
    let redirect = between(&client.poll(&uuid, 0).await, "redirect_uri=\"", "\"");
    assert!(client.page(&redirect, HeaderMap::new()).await.contains("<ret>0</ret>"));
    client.start().await;
    // A phone can scan again for an account whose client died without logging out.
    let uuid = client.uuid().await;
    assert!(client.poll(&uuid, 0).await.starts_with("window.code=201;"));
    assert!(client.poll(&uuid, 0).await.starts_with("window.code=200;"));
}

#[tokio::test(start_paused = true)]
async fn web_login_can_be_forbidden() {
    for (name, world, desktop, want) in [
        ("not allowed", World { web_allowed: false, ..world() }, true, "<ret>1203</ret>"),
        ("desktop only, plain", World { desktop_only: true, ..world() }, false, "<ret>1203</ret>"),
        ("desktop only, desktop", World { desktop_only: true, ..world() }, true, "<ret>0</ret>"),
    ] {
        let sim = Sim::new(world);
        let mut client = Client::new(&sim);
        let uuid = client.uuid().await;
        sim.scan(&uuid, "xiaoli").unwrap();
        sim.confirm(&uuid).unwrap();
        let mut redirect = between(&client.poll(&uuid, 0).await, "redirect_uri=\"", "\"");
        let mut headers = HeaderMap::new();
        if desktop {
            redirect.push_str("&mod=desktop");
            headers.insert("extspam", HeaderValue::from_static("token"));
        }
        assert!(client.page(&redirect, headers).await.contains(want), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn push_login_needs_the_cookies_of_the_last_session() {
    let sim = Sim::new(world());
    let mut client = Client::online(&sim, "xiaoli").await;
    let old_me = client.me.clone();
    sim.kick("xiaoli").unwrap();

    let path = format!("/cgi-bin/mmwebwx-bin/webwxpushloginurl?uin={}", client.uin);
    let answer: serde_json::Value = serde_json::from_str(&client.text(&path).await).unwrap();
    assert_eq!(answer["ret"], "0");
    let uuid = answer["uuid"].as_str().unwrap().to_owned();
    assert_eq!(sim.pending_prompts(), [(uuid.clone(), "xiaoli".to_owned())]);
    assert!(sim.pending_uuids().is_empty());
    assert!(client.poll(&uuid, 1).await.starts_with("window.code=201;"));
    sim.confirm(&uuid).unwrap();
    let redirect = between(&client.poll(&uuid, 0).await, "redirect_uri=\"", "\"");
    client.page(&redirect, HeaderMap::new()).await;
    client.start().await;
    assert_ne!(client.me, old_me);
    assert!(sim.journal().logins[1].push);
    assert_clean(&sim);

    client.cookies.insert("webwx_auth_ticket".to_owned(), "old".to_owned());
    assert!(client.text(&path).await.contains(r#""ret":"1""#));
    let mut stranger = Client::new(&sim);
    assert!(stranger.text(&path).await.contains(r#""ret":"1""#));
}

#[tokio::test(start_paused = true)]
async fn push_login_can_be_forbidden_or_automatic() {
    let sim = Sim::new(World { push_login: false, ..world() });
    let mut client = Client::online(&sim, "xiaoli").await;
    let path = format!("/cgi-bin/mmwebwx-bin/webwxpushloginurl?uin={}", client.uin);
    assert!(client.text(&path).await.contains(r#""ret":"1""#));

    let sim = Sim::new(World { push_auto_confirm: true, ..world() });
    let mut client = Client::online(&sim, "xiaoli").await;
    let uuid = between(&client.text(&path).await, "uuid\":\"", "\"");
    assert!(client.poll(&uuid, 1).await.starts_with("window.code=201;"));
    assert!(client.poll(&uuid, 0).await.starts_with("window.code=200;"));
}

#[tokio::test(start_paused = true)]
async fn a_new_login_draws_new_names_and_ends_the_old_one() {
    let sim = Sim::new(world());
    let mut old = Client::new(&sim);
    old.log_in(&sim, "xiaoli").await;
    let first = old.start().await;
    let again = old.init().await;
    assert_eq!(first["User"]["UserName"], again["User"]["UserName"], "a session keeps its names");
    assert_eq!(named(&first["ContactList"], "Anna"), named(&again["ContactList"], "Anna"));

    let mut new = Client::new(&sim);
    let (polled, second) = tokio::join!(
        async {
            let answer = old.check().await;
            (answer, old)
        },
        async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            new.log_in(&sim, "xiaoli").await;
            new.start().await
        }
    );
    let (answer, mut old) = polled;
    assert_eq!(answer.0, "1101", "the held poll ends as well");
    assert_ne!(first["User"]["UserName"], second["User"]["UserName"]);
    assert_ne!(named(&first["ContactList"], "Anna"), named(&second["ContactList"], "Anna"));
    assert_eq!(old.init().await["BaseResponse"]["Ret"], 1101);
    assert_eq!(old.send("filehelper", "x").await["BaseResponse"]["Ret"], 1101);
    assert_clean(&sim);
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_gives_the_same_names() {
    let mut names = Vec::new();
    for seed in [1, 1, 2] {
        let sim = Sim::new(World { seed, ..world() });
        let client = Client::online(&sim, "xiaoli").await;
        names.push((client.me, client.sid, client.skey));
    }
    assert_eq!(names[0], names[1]);
    assert_ne!(names[0], names[2]);
}

#[tokio::test(start_paused = true)]
async fn logging_out_ends_the_session() {
    let sim = Sim::new(world());
    let mut client = Client::online(&sim, "xiaoli").await;
    let url = format!("{BASE}/cgi-bin/mmwebwx-bin/webwxlogout?redirect=1&type=0&skey={}", client.skey);
    let answer = client.exchange(Method::POST, &url, HeaderMap::new(), "sid=x&uin=1").await.unwrap();
    assert_eq!(answer.status, 301);
    assert_eq!(client.check().await.0, "1101");
    assert_eq!(sim.journal().logouts.len(), 1);
    assert_clean(&sim);
}

#[tokio::test(start_paused = true)]
async fn pictures_are_pictures() {
    let sim = Sim::new(world());
    let mut client = Client::new(&sim);
    let answer = client.exchange(Method::GET, &format!("{BASE}/qrcode/abc=="), HeaderMap::new(), "").await.unwrap();
    assert!(answer.body.starts_with(b"\x89PNG"));
    assert!(client.text("/").await.contains("html"));
    assert!(client.text("/l/abc==").await.contains("html"));
    assert_clean(&sim);
}
