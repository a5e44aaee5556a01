//! A service that no longer takes a token, and logins by digits of the phone: is each a state that says what to do?

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use wxbot_core::{EndReason, SendError};
use wxbot_model::Capability;
use wxbot_runtime::account::Status;
use wxbot_runtime::alerts::{AlertSettings, Bulletin, Deliver, Memory, Watched};
use wxbot_runtime::explain::Lang;
use wxbot_runtime::session::cure::Cure;
use wxbot_runtime::session::digits::NotTaken;

use crate::rig::{Rig, Ways};

async fn status(rig: &Rig, word: &str) -> Status {
    let mut status = rig.account().status();
    status.wait_for(|status| status.phase.word() == word).await.unwrap().clone()
}

/// Logged in, without any digits.
async fn logged_in() -> Rig {
    let ways = Ways { login: true, ..Ways::default() };
    let mut rig = Rig::offline(Capability::ALL.into_iter().collect(), ways, "");
    rig.begin().await;
    status(&rig, "needs_login").await;
    let ask = rig.account().ask_login();
    status(&rig, "online").await;
    drop(ask);
    rig
}

fn tries(rig: &Rig) -> (u64, u64) {
    (rig.service.logins.load(Ordering::SeqCst), rig.service.resumes.load(Ordering::SeqCst))
}

async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_needs_a_login_at_once_and_nothing_is_tried_by_itself() {
    let mut rig = logged_in().await;
    let begun = tokio::time::Instant::now();
    rig.service.refuses.send_replace(true);
    let told = status(&rig, "needs_login").await;
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    assert!(told.why.contains("(-14)") && told.cure == Cure::Bind, "{told:?}");
    assert!(
        told.todo.contains("`wxbot login shop`") && told.cure.tell("shop", Lang::Zh).contains("`wxbot login shop`")
    );
    let before = tries(&rig);
    pass(5 * 3_600).await;
    assert_eq!(tries(&rig), before, "no silent hour, and no silent try");
    // A restart is no person.
    rig.stop().await;
    rig.begin().await;
    let after = status(&rig, "needs_login").await;
    pass(3_600).await;
    assert_eq!((after.why, after.cure, after.since_ms), (told.why, told.cure, told.since_ms));
    assert_eq!(tries(&rig), before);
    // Somebody scans.
    let ask = rig.account().ask_login();
    status(&rig, "online").await;
    assert_eq!(tries(&rig), (before.0 + 1, before.1), "a new login, not the old token");
    drop(ask);
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_send_that_meets_it_ends_the_session_without_waiting_for_a_poll() {
    let mut rig = logged_in().await;
    *rig.service.answers.lock().unwrap() = [SendError::Ended(EndReason::TokenRefused)].into();
    rig.say("hi").await;
    let told = status(&rig, "needs_login").await;
    assert_eq!(told.cure, Cure::Bind);
    rig.until("kept", async |rig| rig.counts().await.outbox.queued == 1).await;
    pass(60).await;
    assert_eq!(rig.service.begun.lock().unwrap().len(), 1, "nothing is sent meanwhile");
    let ask = rig.account().ask_login();
    rig.until_gone(1).await;
    drop(ask);
    rig.stop().await;
}

#[derive(Default)]
struct Ear(Arc<Mutex<Vec<Bulletin>>>);

impl Deliver for Ear {
    fn deliver(&self, bulletin: Bulletin, _settings: AlertSettings) -> BoxFuture<'static, ()> {
        self.0.lock().unwrap().push(bulletin);
        Box::pin(async {})
    }
    fn remember(&self, _memory: &Memory) {}
}

#[tokio::test(start_paused = true)]
async fn one_alert_tells_of_it_within_seconds() {
    let mut rig = logged_in().await;
    let settings = AlertSettings {
        after: Duration::from_secs(600),
        repeat: Duration::from_secs(86_400),
        all_clear: true,
        uncertain: 0,
        qr: false,
        webhook: None,
        command: Vec::new(),
        reserve: 0,
        via: None,
    };
    let (_keep, settings) = watch::channel(Some(settings));
    let watched = Watched {
        roster: rig.runtime().roster(),
        store: Arc::clone(rig.runtime().store()),
        dir: rig.data(),
        source: rig.source.clone(),
        settings,
        memory: Memory::default(),
    };
    let (ear, stop) = (Arc::new(Ear::default()), CancellationToken::new());
    let told = Arc::clone(&ear.0);
    let scene = async {
        pass(30).await;
        rig.service.refuses.send_replace(true);
        pass(20).await;
        let bulletins = std::mem::take(&mut *told.lock().unwrap());
        let [bulletin] = bulletins.as_slice() else { panic!("{bulletins:?}") };
        let report = &bulletin.opened[0];
        assert_eq!((report.state.as_str(), report.cure), ("needs_login", Cure::Bind), "{report:?}");
        pass(3_600).await;
        assert_eq!(told.lock().unwrap().len(), 0, "once");
        stop.cancel();
    };
    tokio::join!(wxbot_runtime::alerts::watch::run(watched, ear, stop.clone()), scene);
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn who_asked_types_the_digits_of_the_phone() {
    let ways = Ways { login: true, ..Ways::default() };
    let mut rig = Rig::offline(Capability::ALL.into_iter().collect(), ways, "");
    *rig.service.digits.lock().unwrap() = "482913".into();
    rig.begin().await;
    status(&rig, "needs_login").await;
    let account = rig.account();
    assert_eq!(account.give_code("482913"), Err(NotTaken::NotAsked));
    let ask = account.ask_login();
    let told = status(&rig, "awaiting_code").await;
    assert_eq!((told.why.as_str(), told.cure), ("the phone shows digits, which must be typed here", Cure::Code));
    assert!(!told.todo.is_empty());
    assert_eq!(account.give_code("48 29"), Err(NotTaken::NoDigits));
    assert_eq!(account.give_code("111111"), Ok(()));
    let mut seen = account.status();
    let told = seen.wait_for(|status| status.why.contains("wrong")).await.unwrap().clone();
    assert!(!format!("{told:?}").contains("111111"), "digits are told to nobody");
    assert_eq!(account.give_code(" 482913\n"), Ok(()));
    status(&rig, "online").await;
    assert_eq!(account.give_code("482913"), Err(NotTaken::NotAsked));
    drop(ask);
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn who_goes_away_ends_a_login_that_waits_for_digits() {
    let ways = Ways { login: true, ..Ways::default() };
    let mut rig = Rig::offline(Capability::ALL.into_iter().collect(), ways, "");
    *rig.service.digits.lock().unwrap() = "482913".into();
    rig.begin().await;
    let ask = rig.account().ask_login();
    status(&rig, "awaiting_code").await;
    drop(ask);
    let told = status(&rig, "needs_login").await;
    assert!(told.why.contains("nobody typed the digits"), "{}", told.why);
    assert_eq!(rig.account().give_code("482913"), Err(NotTaken::NotAsked));
    rig.stop().await;
}
