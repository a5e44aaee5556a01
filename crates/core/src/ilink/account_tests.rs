//! What does the runtime see of an account, from its login to its sends?

use std::collections::HashSet;

use serde_json::json;

use super::*;
use crate::ilink::testdata::fixture;
use crate::ilink::testing::{BOT, OWNER, Reply, Script, TOKEN, account, peer, saved, settings};
use crate::protocol::LoginEvent;

/// Somebody who watches, and types these digits.
#[derive(Default)]
struct Person {
    digits: Mutex<Vec<&'static str>>,
    seen: Mutex<Vec<String>>,
    slow: bool,
}

impl LoginWatcher for Person {
    fn tell(&self, event: LoginEvent) {
        self.seen.lock().unwrap().push(match event {
            LoginEvent::Qr { number, .. } => format!("qr {number}"),
            other @ (LoginEvent::Pushed { .. }
            | LoginEvent::Scanned
            | LoginEvent::CodeWanted { .. }
            | LoginEvent::Confirmed) => {
                format!("{other:?}")
            }
        });
    }

    fn still_wanted(&self) -> bool {
        true
    }

    fn code(&self) -> BoxFuture<'_, Option<String>> {
        Box::pin(async {
            if self.slow {
                std::future::pending::<()>().await;
            }
            self.digits.lock().unwrap().pop().map(str::to_owned)
        })
    }
}

/// A service where this is what becomes of every code.
fn service(states: &'static [&'static str]) -> Arc<Script> {
    Script::new(move |asked| match asked.endpoint.as_str() {
        "get_bot_qrcode" => Reply::fixture("get_bot_qrcode.resp"),
        "get_qrcode_status" => {
            Reply::fixture(&format!("get_qrcode_status-{}.resp", states[asked.nth.min(states.len() - 1)]))
        }
        "notifystart" => Reply::fixture("notifystart.resp"),
        _ => Reply::fixture("getupdates-text.resp"),
    })
}

fn restored(session: &dyn Session) -> (Binding, Memory, String) {
    let saved = session.saved().unwrap();
    let (binding, memory) = saved::read(&saved, &Place::new(None, None)).unwrap();
    (binding, memory, saved::cursor(&saved).unwrap())
}

// cov: notifystart.req notifystart.resp
#[tokio::test(start_paused = true)]
async fn a_login_and_its_first_batch() {
    let script = service(&["wait", "scaned", "need_verifycode", "scaned", "confirmed"]);
    let person = Person { digits: Mutex::new(vec!["12"]), ..Person::default() };
    let ilink = account(&script);
    let mut session = ilink.login(&person).await.unwrap();
    assert_eq!(*person.seen.lock().unwrap(), ["qr 1", "Scanned", "CodeWanted { wrong: false }", "Confirmed"]);
    let seen = script.seen();
    let greeted = seen.iter().find(|asked| asked.endpoint == "notifystart").unwrap();
    assert_eq!(greeted.body(), fixture("notifystart.req"));
    assert_eq!(greeted.header("authorization").unwrap(), format!("Bearer {TOKEN}"));
    assert!(seen.iter().take(6).all(|asked| asked.header("authorization").is_none()), "nobody's token before");
    assert_eq!(seen[4].query("verify_code").as_deref(), Some("12"));

    assert_eq!(session.myself().peer, peer(BOT));
    let (binding, memory, cursor) = restored(&*session);
    assert_eq!((binding.token.expose().as_str(), binding.user_id, cursor.as_str()), (TOKEN, Some(peer(OWNER)), ""));
    assert_eq!(memory.chats().count(), 0, "a new binding begins with nothing");
    assert_eq!(session.next_batch().await.unwrap().events.len(), 1);
    assert!(!format!("{ilink:?}").contains("0600"));
}

#[tokio::test(start_paused = true)]
async fn nobody_types_the_digits() {
    let script = service(&["need_verifycode"]);
    let person = Person { slow: true, ..Person::default() };
    let error = account(&script).login(&person).await.err().unwrap();
    assert!(matches!(error, Error::LoginNotCompleted(why) if why.contains("digits")), "{error:?}");
    assert_eq!(script.count("get_bot_qrcode"), 5, "a code each time, and no more");
}

#[tokio::test(start_paused = true)]
async fn a_saved_session_goes_on_from_its_cursor() {
    let script = service(&[]);
    let ilink = account(&script);
    let mut session = ilink.resume(&saved()).await.unwrap();
    assert_eq!(script.endpoints(), ["notifystart"]);
    let (_, memory, cursor) = restored(&*session);
    assert!(memory.context_token(&peer(OWNER)).is_some());
    assert_eq!(cursor, "Q2drSUV4YW1wbGVDdXJzb3IwMDAy");
    session.next_batch().await.unwrap();
    assert_eq!(script.seen()[1].body()["get_updates_buf"], cursor.as_str());
}

#[tokio::test(start_paused = true)]
async fn a_greeting_that_fails_keeps_nobody_from_polling() {
    for greeting in [
        || Reply::silence(),
        || Reply::status(500),
        || Reply::fixture("notifystart-stale.resp"),
        || Reply::bytes("<html>").with("content-type", "text/html"),
    ] {
        let script = Script::new(move |_| greeting());
        assert!(account(&script).resume(&saved()).await.is_ok());
    }
    let nowhere = Script::new(|_| Reply::not_sent());
    let error = account(&nowhere).resume(&saved()).await.err().unwrap();
    assert!(error.is_transient(), "online would be untrue: {error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_is_told_of_once_more_and_another_begins_anew() {
    let script = service(&["binded_redirect", "binded_redirect", "confirmed"]);
    let (ilink, person) = (account(&script), Person::default());
    // What the runtime does when a session ended.
    let error = ilink.push_login(&saved(), &person).await.err().unwrap();
    assert!(matches!(error, Error::Ended(EndReason::TokenRefused)), "{error:?}");
    assert_eq!(script.endpoints(), [""; 0], "no phone is asked");

    let tokens = |script: &Script| {
        let asked = script.seen().into_iter().filter(|asked| asked.endpoint == "get_bot_qrcode");
        asked.last().unwrap().body()["local_token_list"].clone()
    };
    let session = ilink.login(&person).await.unwrap();
    assert_eq!(tokens(&script), json!([TOKEN]));
    let (binding, memory, cursor) = restored(&*session);
    assert_eq!(
        (binding.token.expose().as_str(), cursor.as_str()),
        (TOKEN, "Q2drSUV4YW1wbGVDdXJzb3IwMDAy"),
        "as stored"
    );
    assert!(memory.context_token(&peer(OWNER)).is_some());

    // The service said that it is good, and refused it again: it is told of no more, or there would be no way out.
    ilink.remember(&session.saved().unwrap());
    let error = ilink.login(&person).await.err().unwrap();
    assert_eq!(tokens(&script), json!([]));
    assert!(matches!(error, Error::LoginNotCompleted(_)), "{error:?}");
    assert!(ilink.login(&person).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_new_binding_begins_without_a_cursor_and_the_same_bot_knows_its_people() {
    for (bot, peers) in [("ffffffffffff@im.bot", 0), (BOT, 1)] {
        let script = Script::new(move |asked| match asked.endpoint.as_str() {
            "get_bot_qrcode" => Reply::fixture("get_bot_qrcode.resp"),
            "get_qrcode_status" => {
                let mut confirmed = fixture("get_qrcode_status-confirmed.resp");
                confirmed["ilink_bot_id"] = json!(bot);
                confirmed["bot_token"] = json!("another");
                Reply::json(confirmed)
            }
            _ => Reply::fixture("notifystart.resp"),
        });
        let (ilink, person) = (account(&script), Person::default());
        drop(ilink.push_login(&saved(), &person).await);
        let session = ilink.login(&person).await.unwrap();
        let (binding, memory, went_on) = restored(&*session);
        assert_eq!(
            (binding.token.expose().as_str(), went_on.as_str(), memory.chats().count()),
            ("another", "", peers),
            "{bot}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_stays_where_it_was_given() {
    let script = service(&["confirmed"]);
    let at = |endpoint: &str| {
        let settings = Settings { endpoint: Some(endpoint.parse().unwrap()), ..settings() };
        ILink::new(settings, Arc::clone(&script) as Arc<dyn Transport>, Source::seeded(1, 1_795_200_000))
    };
    let sim = at("http://127.0.0.1:4711");
    let error = sim.resume(&saved()).await.err().unwrap();
    assert!(matches!(&error, Error::BadSavedSession(why) if why.contains("127.0.0.1:4711")), "{error:?}");
    drop(sim.push_login(&saved(), &Person::default()).await);
    assert_eq!(script.endpoints(), [""; 0]);
    // Nor is the token told when a code is asked for there; and the login's own hosts may be anything.
    sim.login(&Person::default()).await.unwrap();
    assert!(script.seen().iter().all(|asked| !format!("{:?}", asked.request.body).contains("060000aabb") || asked.endpoint == "notifystart"));
    assert_eq!(script.seen()[0].host(), "127.0.0.1");

    let bad = ILink::new(
        Settings { route_tag: Some("\n".into()), ..settings() },
        Arc::clone(&script) as Arc<dyn Transport>,
        Source::seeded(1, 1),
    );
    assert!(matches!(bad.resume(&saved()).await, Err(Error::Settings(_))));
}

#[tokio::test(start_paused = true)]
async fn what_an_account_can_do() {
    let script = service(&[]);
    let ilink = account(&script);
    assert!(ilink.resends_safely() && ilink.needs_login());
    assert_eq!((ilink.text_limit(), ilink.reply_window().unwrap().sends), (Some(2000), 10));
    let words: Vec<_> =
        Capability::ALL.into_iter().filter(|c| ilink.capabilities().has(*c)).map(Capability::word).collect();
    assert_eq!(
        words,
        ["private-messages", "send-text", "send-image", "send-video", "send-file", "fetch-media", "typing"]
    );
    let ids: HashSet<_> = (0..5_000).map(|_| ilink.draw_client_msg_id()).collect();
    assert_eq!(ids.len(), 5_000);
}
