//! QR codes, from both sides.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;
use wxbot_sim::{IlinkDeath, IlinkMessage, IlinkSetup, IlinkYes, SimError};

use crate::client::{Client, hard, sim, sim_with};

#[tokio::test(start_paused = true)]
async fn a_person_scans_and_taps() {
    let sim = sim();
    let client = Client::new(&sim);
    let qrcode = client.qr(&json!([])).await;
    assert_eq!(sim.pending(), [qrcode.clone()]);
    let began = Instant::now();
    let phone = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        // The phone reads the link, not the id.
        sim.scan(&format!("https://liteapp.weixin.qq.com/q/7GiQu1?qrcode={qrcode}&bot_type=3"), "claw").unwrap();
    };
    let (held, ()) = tokio::join!(client.status(&qrcode, ""), phone);
    assert_eq!((held["status"].as_str(), began.elapsed().as_secs()), (Some("scaned"), 3));
    assert!(sim.pending().is_empty());
    assert_eq!(client.status(&qrcode, "").await["status"], "scaned", "told again when the hold is over");
    assert_eq!(began.elapsed().as_secs(), 33);
    sim.confirm(&qrcode).unwrap();
    let done = client.status(&qrcode, "").await;
    let bot_id = done["ilink_bot_id"].as_str().unwrap();
    assert!(
        bot_id.ends_with("@im.bot") && done["bot_token"].as_str().unwrap().starts_with(&format!("{bot_id}:060000"))
    );
    assert_eq!(done["ilink_user_id"], sim.id_of("claw", "").unwrap());
    assert_eq!(done["baseurl"], "https://ilinkai.weixin.qq.com");
    assert_eq!(client.status(&qrcode, "").await, done, "an answer that was lost is told again");
    let journal = sim.journal();
    assert_eq!((journal.logins[0].account.as_str(), journal.logins[0].bot_id.as_str()), ("claw", bot_id));
    assert_eq!(hard(&sim), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn digits_are_asked_for_and_checked() {
    let sim = sim();
    let client = Client::new(&sim);
    let qrcode = client.qr(&json!([])).await;
    sim.scan(&qrcode, "claw").unwrap();
    sim.ask_digits(&qrcode, "4711").unwrap();
    assert_eq!(client.status(&qrcode, "").await["status"], "need_verifycode");
    assert!(matches!(sim.confirm(&qrcode), Err(SimError::LoginState { .. })), "not before the digits");
    assert_eq!(client.status(&qrcode, "1").await["status"], "need_verifycode", "wrong digits");
    assert_eq!(client.status(&qrcode, "4711").await["status"], "scaned");
    sim.confirm(&qrcode).unwrap();
    assert_eq!(client.status(&qrcode, "").await["status"], "confirmed");

    let qrcode = client.qr(&json!([])).await;
    sim.scan(&qrcode, "second").unwrap();
    sim.ask_digits(&qrcode, "1").unwrap();
    let mut seen = Vec::new();
    for _ in 0..5 {
        seen.push(client.status(&qrcode, "2").await["status"].as_str().unwrap().to_owned());
    }
    let need = "need_verifycode";
    assert_eq!(seen, [need, need, need, "verify_code_blocked", "verify_code_blocked"]);
}

#[tokio::test(start_paused = true)]
async fn old_codes_expire() {
    let sim = sim();
    let client = Client::new(&sim);
    let (qrcode, began) = (client.qr(&json!([])).await, Instant::now());
    let mut seen = Vec::new();
    while seen.last().map(String::as_str) != Some("expired") {
        seen.push(client.status(&qrcode, "").await["status"].as_str().unwrap().to_owned());
    }
    assert_eq!((seen.len(), began.elapsed().as_secs()), (4, 120), "{seen:?}");
    assert!(matches!(sim.scan(&qrcode, "claw"), Err(SimError::LoginState { .. })));
    assert_eq!(client.status("made-up", "").await["status"], "expired");
    assert_eq!(hard(&sim), ["get_qrcode_status: a QR code that was not given"]);
}

#[tokio::test(start_paused = true)]
async fn an_account_of_another_region_goes_on_at_its_host() {
    let sim = sim();
    let client = Client::new(&sim);
    let qrcode = client.qr(&json!([])).await;
    sim.scan(&qrcode, "claw").unwrap();
    sim.redirect(&qrcode, Some("ilinkai.wechat.com")).unwrap();
    let away = client.status(&qrcode, "").await;
    assert_eq!(
        (&away["status"], &away["redirect_host"]),
        (&json!("scaned_but_redirect"), &json!("ilinkai.wechat.com"))
    );
    sim.confirm(&qrcode).unwrap();
    assert_eq!(client.status(&qrcode, "").await["status"], "scaned_but_redirect", "not at the old host");
    let done = client.status_at("ilinkai.wechat.com", &qrcode, "").await;
    assert_eq!((&done["status"], &done["baseurl"]), (&json!("confirmed"), &json!("https://ilinkai.wechat.com")));

    let qrcode = client.qr(&json!([])).await;
    sim.scan(&qrcode, "second").unwrap();
    sim.redirect(&qrcode, None).unwrap();
    let away = client.status(&qrcode, "").await;
    assert!(away["status"] == "scaned_but_redirect" && away.get("redirect_host").is_none(), "{away}");
    sim.confirm(&qrcode).unwrap();
    assert_eq!(client.status(&qrcode, "").await["status"], "confirmed", "it stays where it is");
}

#[tokio::test(start_paused = true)]
async fn a_bot_that_is_bound_here_already_stays() {
    let sim = sim();
    let client = Client::bound(&sim, "claw").await;
    let qrcode = client.qr(&json!([client.token])).await;
    sim.scan(&qrcode, "claw").unwrap();
    sim.confirm(&qrcode).unwrap();
    assert_eq!(client.status(&qrcode, "").await["status"], "binded_redirect");
    sim.say("claw", &IlinkMessage::text("still here")).unwrap();
    assert_eq!(client.updates("").await.0.len(), 1, "the token lives");
    assert_eq!(sim.journal().logins.iter().map(|login| login.known).collect::<Vec<_>>(), [false, true]);
    // A client that does not send its tokens along gets a new bot.
    let qrcode = client.qr(&json!([])).await;
    sim.scan(&qrcode, "claw").unwrap();
    sim.confirm_with(&qrcode, &IlinkYes { without_bot_id: true, base_url: Some(String::new()), ..IlinkYes::default() })
        .unwrap();
    let done = client.status(&qrcode, "").await;
    assert!(done.get("ilink_bot_id").is_none() && done.get("baseurl").is_none(), "{done}");
}

#[tokio::test(start_paused = true)]
async fn one_binding_per_person() {
    let sim = sim();
    let old = Client::bound(&sim, "claw").await;
    let elsewhere = async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        Client::bound(&sim, "claw").await
    };
    let (held, new) = tokio::join!(old.poll(""), elsewhere);
    assert_eq!(held["errcode"], -14, "the held poll learns of it");
    assert_eq!(old.post("msg/notifystart", json!({})).await["errcode"], -14);
    sim.say("claw", &IlinkMessage::text("who?")).unwrap();
    assert_eq!(new.updates("").await.0.len(), 1);
    let dead = |journal: &wxbot_sim::IlinkJournal| journal.asked.iter().filter(|one| one.ret == -14).count();
    assert_eq!(dead(&sim.journal()), 2);
    assert!(sim.journal().asked.iter().filter(|one| one.ret == -14).all(|one| one.account == "claw"));
    // The other spelling, and back.
    sim.kill("claw", IlinkDeath::Ret).unwrap();
    let answer = new.poll("").await;
    assert_eq!((&answer["ret"], answer.get("errcode")), (&json!(-14), None));
    assert_eq!(sim.say("claw", &IlinkMessage::text("gone")), Err(SimError::NoSession("claw".to_owned())));
    sim.revive("claw").unwrap();
    assert_eq!(new.post("msg/notifystart", json!({})).await["ret"], 0);
}

#[tokio::test(start_paused = true)]
async fn a_simulator_can_confirm_by_itself() {
    let sim = sim_with(IlinkSetup { auto_confirm: true, ..IlinkSetup::default() });
    let client = Client::new(&sim);
    for _ in 0..3 {
        let qrcode = client.qr(&json!([])).await;
        assert_eq!(client.status(&qrcode, "").await["status"], "confirmed");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let who: Vec<_> = sim.journal().logins.into_iter().map(|login| login.account).collect();
    assert_eq!(who, ["claw", "second", "claw"]);
}

#[tokio::test(start_paused = true)]
async fn another_bot_type_is_refused() {
    let sim = sim();
    let client = Client::new(&sim);
    let answer = client.post_raw("get_bot_qrcode?bot_type=4", &json!({"local_token_list": []})).await.unwrap();
    assert_eq!(&answer.body[..], br#"{"ret":2}"#);
}
