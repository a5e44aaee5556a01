//! How does a login go, by code, by push, in both modes, and when it does not come about?

use std::sync::atomic::Ordering;

use tokio::time::Instant;
use wxbot_core::Error;
use wxbot_core::error::{Advice, Risk};
use wxbot_core::protocol::{LoginEvent, Protocol};
use wxbot_core::webwx::Settings;
use wxbot_core::webwx::endpoint::Mode;
use wxbot_model::ContactKind;
use wxbot_sim::World;

use crate::rig::{LONG, Rig, Watcher, failure, mode, named, query, settings, shop};

#[tokio::test(start_paused = true)]
async fn by_code() {
    let rig = Rig::new();
    let watcher = Watcher::new();
    let (session, ()) = tokio::join!(rig.web.login(&watcher), async {
        let uuid = rig.sim.next_uuid().await;
        rig.sim.scan(&uuid, "shop").unwrap();
        // Longer than one poll is held: "scanned" is told once all the same.
        tokio::time::sleep(std::time::Duration::from_secs(60)).await;
        rig.sim.confirm(&uuid).unwrap();
    });
    let session = session.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(watcher.words(), ["qr 1", "scanned", "confirmed"]);
    let LoginEvent::Qr { payload, image_url, uuid, .. } = &watcher.events()[0] else { panic!() };
    assert!(payload.ends_with(&format!("/l/{uuid}")) && image_url.ends_with(&format!("/qrcode/{uuid}")));
    let me = session.myself();
    assert_eq!((me.nick_name.as_str(), me.kind), ("小店", ContactKind::Myself));
    assert_eq!(named(&*session, "Alice").kind, ContactKind::Person);
    assert_eq!(named(&*session, "文件传输助手").kind, ContactKind::Special);
    let journal = rig.sim.journal();
    assert_eq!((journal.logins.len(), journal.inits.len()), (1, 1));
    rig.clean();
}

#[tokio::test(start_paused = true)]
async fn expired_codes_are_renewed_five_times() {
    let rig = Rig::new();
    let watcher = Watcher::new();
    let start = Instant::now();
    let error = failure(rig.web.login(&watcher).await);
    assert!(matches!(error, Error::LoginNotCompleted(_)), "{error}");
    assert_eq!(watcher.words(), ["qr 1", "qr 2", "qr 3", "qr 4", "qr 5", "qr 6"]);
    assert!(start.elapsed().as_secs() >= 6 * 300, "each code got its time");
    assert_eq!(rig.seen_at("jslogin").len(), 6);
    rig.clean();
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_login_shows_a_new_code() {
    let rig = Rig::new();
    let watcher = Watcher::new();
    let (session, ()) = tokio::join!(rig.web.login(&watcher), async {
        let first = rig.sim.next_uuid().await;
        rig.sim.scan(&first, "shop").unwrap();
        tokio::time::sleep(std::time::Duration::from_secs(3)).await;
        rig.sim.cancel(&first).unwrap();
        let second = rig.sim.next_uuid().await;
        rig.sim.scan(&second, "shop").unwrap();
        rig.sim.confirm(&second).unwrap();
    });
    assert!(session.is_ok());
    assert_eq!(watcher.words(), ["qr 1", "scanned", "qr 2", "confirmed"]);
    rig.clean();
}

#[tokio::test(start_paused = true)]
async fn nobody_watching_ends_it() {
    let rig = Rig::new();
    let watcher = Watcher::new();
    watcher.wanted.store(false, Ordering::SeqCst);
    assert!(matches!(failure(rig.web.login(&watcher).await), Error::LoginNotCompleted(_)));
    assert!(rig.seen().is_empty(), "not one code is asked for");

    watcher.wanted.store(true, Ordering::SeqCst);
    let (result, ()) = tokio::join!(rig.web.login(&watcher), async {
        let uuid = rig.sim.next_uuid().await;
        watcher.wanted.store(false, Ordering::SeqCst);
        rig.sim.expire_qr(&uuid).unwrap();
    });
    assert!(matches!(failure(result), Error::LoginNotCompleted(_)));
    assert_eq!(watcher.words(), ["qr 1"], "the code that is shown is the last one");
    rig.clean();
}

fn pushing(auto: bool) -> Rig {
    Rig::with(World { push_auto_confirm: auto, ..World::default().with(shop()) }, settings())
}

// cov: 11
#[tokio::test(start_paused = true)]
async fn by_push() {
    let rig = pushing(true);
    let saved = rig.online().await.saved().unwrap();
    rig.sim.kick("shop").unwrap();
    assert!(matches!(failure(rig.web.resume(&saved).await), Error::Ended(_)));
    let watcher = Watcher::new();
    let session = rig.web.push_login(&saved, &watcher).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(watcher.words(), ["pushed", "scanned", "confirmed"]);
    assert_eq!(session.myself().nick_name, "小店");
    let logins = rig.sim.journal().logins;
    assert_eq!(logins.iter().map(|login| login.push).collect::<Vec<_>>(), [false, true]);
    rig.clean();
}

#[tokio::test(start_paused = true)]
async fn a_push_that_is_cancelled_or_not_allowed() {
    let rig = pushing(false);
    let saved = rig.online().await.saved().unwrap();
    let watcher = Watcher::new();
    let (result, ()) = tokio::join!(rig.web.push_login(&saved, &watcher), async {
        while rig.sim.pending_prompts().is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        let (uuid, account) = rig.sim.pending_prompts().remove(0);
        assert_eq!(account, "shop");
        rig.sim.cancel(&uuid).unwrap();
    });
    assert!(matches!(failure(result), Error::LoginNotCompleted(_)));
    // Nobody looks at the phone: the prompt runs out.
    let left = tokio::time::timeout(LONG, rig.web.push_login(&saved, &watcher)).await.unwrap();
    assert!(matches!(failure(left), Error::LoginNotCompleted(_)));
    rig.clean();

    let world = World { push_login: false, ..World::default().with(shop()) };
    let rig = Rig::with(world, settings());
    let saved = rig.online().await.saved().unwrap();
    let error = failure(rig.web.push_login(&saved, &Watcher::new()).await);
    assert!(matches!(error, Error::Refused { endpoint: "webwxpushloginurl", .. }), "{error}");
    rig.clean();
}

#[tokio::test(start_paused = true)]
async fn a_world_of_desktops() {
    let world = || World { desktop_only: true, auto_confirm: true, ..World::default().with(shop()) };
    let plain = Rig::with(world(), settings());
    let error = failure(plain.web.login(&Watcher::new()).await);
    let Error::Refused { refusal, .. } = &error else { panic!("{error}") };
    assert_eq!((refusal.ret, refusal.advice), (1203, Advice::Stop(Risk::Forbidden)));
    assert!(refusal.message.starts_with("为了你的帐号安全"));

    let desktop = Settings { mode: Mode { desktop: true, ..mode() }, ..settings() };
    let rig = Rig::with(world(), desktop);
    let session = rig.web.login(&Watcher::new()).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(session.myself().nick_name, "小店");
    assert_eq!(query(&rig.seen_at("webwxnewloginpage")[0], "mod").as_deref(), Some("desktop"));
    rig.clean();
}
