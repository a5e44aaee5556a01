//! Does a session poll at its pace, and hand out what has to be kept?

use serde_json::{Value, json};

use super::*;
use crate::ilink::sender::ILinkSender;
use crate::ilink::testdata::fixture;
use crate::ilink::testing::{Asked, BOT, OWNER, Reply, Script, client, peer, saved, settings};
use crate::ilink::{endpoint::Place, saved as kept};

const HOLD: Duration = Duration::from_secs(35);

fn session_at(script: &Arc<Script>, cursor: &str) -> ILinkSession {
    let sender = |client| ILinkSender::new(client, &settings());
    ILinkSession::new(client(script), sender, cursor.to_owned(), HOLD)
}

fn session(answering: impl FnMut(&Asked) -> Reply + Send + 'static) -> (Arc<Script>, ILinkSession) {
    let script = Script::new(answering);
    let session = session_at(&script, "");
    (script, session)
}

/// Nothing, after the whole hold.
fn quiet() -> Reply {
    Reply::fixture("getupdates-empty.resp").held(35)
}

fn token_of(batch: &Batch, who: &str) -> String {
    let saved = SavedSession { credentials: batch.credentials.clone().unwrap(), cursor: Bytes::new() };
    let (_, memory) = kept::read(&saved, &Place::new(None, None)).unwrap();
    memory.context_token(&peer(who)).unwrap().expose().clone()
}

// cov: getupdates-first.req getupdates.req notifystop.req notifystop.resp
#[tokio::test(start_paused = true)]
async fn what_a_session_says() {
    let (script, mut session) = session(|asked| match asked.endpoint.as_str() {
        "getupdates" => Reply::json(json!({"ret": 0, "get_updates_buf": "Q2drSUV4YW1wbGVDdXJzb3IwMDAx"})),
        _ => Reply::fixture("notifystop.resp"),
    });
    session.next_batch().await.unwrap();
    session.next_batch().await.unwrap();
    session.log_out().await;
    let bodies: Vec<Value> = script.seen().iter().map(Asked::body).collect();
    assert_eq!(bodies, [fixture("getupdates-first.req"), fixture("getupdates.req"), fixture("notifystop.req")]);
    let seen = script.seen();
    assert_eq!(seen[2].request.url.as_str(), "https://ilinkai.weixin.qq.com/ilink/bot/msg/notifystop");
    assert!(seen.iter().all(|asked| asked.header("authorization").unwrap().starts_with("Bearer 0a1b2c3d4e5f@im.bot:")));
    let numbers: HashSet<_> = seen.iter().map(|asked| asked.header("x-wechat-uin").unwrap().to_owned()).collect();
    assert_eq!(numbers.len(), 3, "another number in each request");
}

// cov: getupdates-empty.resp getupdates-empty-minimal.resp getupdates-no-cursor.resp
#[tokio::test(start_paused = true)]
async fn the_cursor_moves_with_its_batch() {
    let (script, mut session) = session(|asked| match asked.nth {
        0 => Reply::fixture("getupdates-empty.resp"),
        1 => Reply::fixture("getupdates-empty-minimal.resp"),
        2 => Reply::fixture("getupdates-no-cursor.resp"),
        _ => Reply::fixture("getupdates-text.resp"),
    });
    let cursors: Vec<_> = [
        session.next_batch().await.unwrap(),
        session.next_batch().await.unwrap(),
        session.next_batch().await.unwrap(),
        session.next_batch().await.unwrap(),
    ]
    .into_iter()
    .map(|batch| (batch.cursor, batch.events.len()))
    .collect();
    let moved = Bytes::from_static(b"Q2drSUV4YW1wbGVDdXJzb3IwMDAy");
    assert_eq!(cursors, [(Some(moved.clone()), 0), (None, 0), (None, 0), (None, 1)]);
    let asked: Vec<String> =
        script.seen().iter().map(|asked| asked.body()["get_updates_buf"].as_str().unwrap().to_owned()).collect();
    let cursor = "Q2drSUV4YW1wbGVDdXJzb3IwMDAy";
    assert_eq!(asked, ["", cursor, cursor, cursor]);
    assert_eq!(session.saved().unwrap().cursor, moved);
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_is_dropped_changes_nothing() {
    let (script, mut session) = session(|_| Reply::fixture("getupdates-text.resp").held(20));
    let before = session.saved().unwrap();
    assert!(tokio::time::timeout(Duration::from_secs(10), session.next_batch()).await.is_err());
    assert_eq!(session.saved().unwrap().cursor, before.cursor);
    let batch = session.next_batch().await.unwrap();
    assert_eq!((batch.events.len(), batch.cursor.is_some(), script.count("getupdates")), (1, true, 2));
}

#[tokio::test(start_paused = true)]
async fn messages_tokens_and_people_come_in_one_batch() {
    let other = "o9cq80Zq1aExampleUser0000002@im.wechat";
    let (_script, mut session) = session(|asked| match asked.nth {
        0 => Reply::fixture("getupdates-batch-two-users.resp"),
        1 => quiet(),
        2 => Reply::fixture("getupdates-duplicate-1.resp"),
        _ => Reply::fixture("getupdates-duplicate-2.resp"),
    });
    let first = session.next_batch().await.unwrap();
    assert_eq!(first.events.len(), 3);
    assert!(token_of(&first, OWNER).ends_with('b') && token_of(&first, other).ends_with('A'));
    // Who scanned was told of at the beginning.
    let met: Vec<_> = first
        .contacts
        .iter()
        .map(|change| match change {
            ContactChange::Met(contact) => (contact.peer.as_str(), contact.kind, contact.wxid.as_str()),
            other @ (ContactChange::Upsert(_) | ContactChange::Remove(_)) => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(met, [(other, ContactKind::Person, other)]);

    let quiet = session.next_batch().await.unwrap();
    assert!(quiet.credentials.is_none() && quiet.contacts.is_empty(), "nothing new to keep");

    let (copied, copy) = (session.next_batch().await.unwrap(), session.next_batch().await.unwrap());
    assert_eq!(copied.events[0].key, copy.events[0].key, "the store absorbs it");
    assert!(
        token_of(&copied, OWNER).contains("0001") && token_of(&copy, OWNER).contains("0002"),
        "and keeps its token"
    );
}

#[tokio::test(start_paused = true)]
async fn what_we_sent_is_kept_with_the_next_batch_and_can_be_quoted() {
    let (_script, mut session) = session(|asked| match asked.nth {
        0 => quiet(),
        _ => Reply::fixture("getupdates-quote-svr-id.resp"),
    });
    session.client.note_sent("7497484083968569001", &peer(OWNER), "text", "我们说的");
    assert!(session.next_batch().await.unwrap().credentials.is_some());
    let batch = session.next_batch().await.unwrap();
    let said = format!("{:?}", batch.events[0].kind);
    assert!(said.contains("我们说的"), "{said}");
}

// cov: getupdates-stale.resp getupdates-stale-ret.resp notifystart-stale.resp
#[tokio::test(start_paused = true)]
async fn a_refused_token_is_greeted_once_before_it_is_believed() {
    let (script, mut session) = session(|asked| match (asked.endpoint.as_str(), asked.nth) {
        ("getupdates", 0) => Reply::fixture("getupdates-stale.resp"),
        ("getupdates", _) => Reply::fixture("getupdates-stale-ret.resp"),
        _ => Reply::fixture("notifystart-stale.resp"),
    });
    let sender = session.sender();
    let began = Instant::now();
    let error = session.next_batch().await.unwrap_err();
    assert!(matches!(error, Error::Ended(EndReason::TokenRefused)), "{error:?}");
    assert!(began.elapsed() < Duration::from_secs(10), "an alert at once");
    assert_eq!(script.endpoints(), ["getupdates", "notifystart", "getupdates"]);
    let refused = sender.perform(text_to_owner()).await.unwrap_err();
    assert!(matches!(refused, crate::SendError::Ended(EndReason::TokenRefused)), "{refused:?}");
    assert_eq!(script.count("sendmessage"), 0, "nothing is sent any more");
}

#[tokio::test(start_paused = true)]
async fn a_token_that_a_greeting_revives_goes_on() {
    let (script, mut session) = session(|asked| match (asked.endpoint.as_str(), asked.nth) {
        ("getupdates", 0) => Reply::fixture("getupdates-stale-ret.resp"),
        ("getupdates", _) => Reply::fixture("getupdates-text.resp"),
        _ => Reply::silence(),
    });
    assert_eq!(session.next_batch().await.unwrap().events.len(), 1);
    assert_eq!(script.endpoints(), ["getupdates", "notifystart", "getupdates"]);
}

fn text_to_owner() -> crate::Outgoing {
    crate::Outgoing {
        action: wxbot_model::Action::SendText { to: "p1".parse().unwrap(), text: "hi".into(), mention: Vec::new() },
        to: Some(peer(OWNER)),
        others: Vec::new(),
        media: None,
        client_id: "1".parse().unwrap(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_send_that_finds_the_token_refused_wakes_the_poll() {
    let (script, mut session) = session(|asked| match asked.endpoint.as_str() {
        // The first poll is held, as the service does with one that it took before.
        "getupdates" if asked.nth == 0 => Reply::silence(),
        "getupdates" => Reply::fixture("getupdates-stale.resp"),
        "sendmessage" => Reply::fixture("sendmessage-stale.resp"),
        _ => Reply::fixture("notifystart-stale.resp"),
    });
    let sender = session.sender();
    let began = Instant::now();
    let (polled, sent) = tokio::join!(session.next_batch(), async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        sender.perform(text_to_owner()).await
    });
    assert!(matches!(polled, Err(Error::Ended(EndReason::TokenRefused))), "{polled:?}");
    assert!(sent.is_err());
    assert_eq!(began.elapsed().as_secs(), 5, "not after the whole hold");
    assert_eq!(script.count("sendmessage"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_quiet_poll_that_is_not_answered_is_no_failure() {
    let (script, mut session) = session(|asked| match asked.endpoint.as_str() {
        "getupdates" => Reply::silence(),
        _ => Reply::fixture("notifystart.resp"),
    });
    let began = Instant::now();
    for _ in 0..6 {
        let batch = session.next_batch().await.unwrap();
        assert!(batch.events.is_empty() && batch.cursor.is_none());
    }
    assert_eq!(began.elapsed().as_secs(), 6 * 45, "the hold and 10 s, each, and no pause");
    // After two minutes it is asked whether anybody is there.
    assert_eq!(script.count("notifystart"), 2);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_swallows_everything_is_no_quiet_account() {
    let (_script, mut session) = session(|_| Reply::silence());
    for _ in 0..2 {
        session.next_batch().await.unwrap();
    }
    let error = session.next_batch().await.unwrap_err();
    assert!(matches!(error, Error::Silent { endpoint: "getupdates", .. }), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn an_edge_that_cuts_held_requests_is_polled_in_shorter_ones() {
    let (script, mut session) = session(|asked| match asked.nth {
        0 => Reply::status(524).held(16),
        1 => quiet(),
        _ => Reply::fixture("getupdates-text.resp").held(8),
    });
    assert!(session.next_batch().await.unwrap().events.is_empty());
    assert_eq!(session.next_batch().await.unwrap().events.len(), 1);
    let limits: Vec<u64> = script.seen().iter().map(|asked| asked.request.timeout.as_secs()).collect();
    assert_eq!(limits, [45, 10, 10]);
}

#[tokio::test(start_paused = true)]
async fn a_hold_that_the_service_suggests() {
    let hold = |ms: u64| Reply::json(json!({"ret": 0, "longpolling_timeout_ms": ms})).held(3);
    let (script, mut session) = session(move |asked| match asked.nth {
        0 => hold(60_000),
        1 => hold(3_600_000),
        2 => hold(1),
        _ => hold(0),
    });
    for _ in 0..5 {
        session.next_batch().await.unwrap();
    }
    let limits: Vec<u64> = script.seen().iter().map(|asked| asked.request.timeout.as_secs()).collect();
    assert_eq!(limits, [45, 70, 130, 15, 15]);
}

// cov: getupdates-error.resp
#[tokio::test(start_paused = true)]
async fn failures_are_borne_twice_and_then_told() {
    let (script, mut session) = session(|asked| match asked.nth {
        0 => Reply::fixture("getupdates-error.resp"),
        1 => Reply::bytes(r#"{"ret":0,"msgs":[{"#),
        2 => Reply::bytes("<html><body>502</body></html>"),
        3 => Reply::broken(),
        _ => Reply::fixture("getupdates-text.resp"),
    });
    let began = Instant::now();
    let error = session.next_batch().await.unwrap_err();
    assert!(matches!(error, Error::Decode { looks: "an HTML or XML page instead of JSON", .. }), "{error:?}");
    assert!(error.is_transient());
    assert_eq!(began.elapsed().as_secs(), 4, "2 s each");
    let error = session.next_batch().await.unwrap_err();
    assert!(matches!(error, Error::Transport { .. }), "{error:?}");
    assert_eq!(began.elapsed().as_secs(), 34, "then 30 s");
    assert_eq!(session.next_batch().await.unwrap().events.len(), 1);
    let cursors: HashSet<String> =
        script.seen().iter().map(|asked| asked.body()["get_updates_buf"].to_string()).collect();
    assert_eq!(cursors.len(), 1, "from the same place each time");
}

#[tokio::test(start_paused = true)]
async fn answers_that_were_not_held_do_not_spin() {
    let (script, mut session) = session(|_| Reply::fixture("getupdates-no-cursor.resp"));
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(600) {
        session.next_batch().await.unwrap();
    }
    let polls = script.count("getupdates");
    assert!((200..330).contains(&polls), "{polls} in ten minutes");
}

#[tokio::test(start_paused = true)]
async fn messages_that_come_again_for_ever_do_not_spin() {
    let (script, mut session) = session(|_| {
        let mut answer = fixture("getupdates-text.resp");
        answer["get_updates_buf"] = json!("");
        Reply::json(answer)
    });
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(600) {
        assert_eq!(session.next_batch().await.unwrap().events.len(), 1);
    }
    let polls = script.count("getupdates");
    assert!((200..330).contains(&polls), "{polls} in ten minutes");
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_no_sane_size_is_an_error() {
    let (_script, mut session) = session(|_| Reply::bytes(vec![b' '; 9 * 1024 * 1024]));
    let error = session.next_batch().await.unwrap_err();
    assert!(matches!(error, Error::Decode { looks: "too long", len: 9_437_184, .. }), "{error:?}");
}

#[tokio::test]
async fn who_is_known() {
    let script = Script::new(|_| Reply::silence());
    let session = session_at(&script, "c");
    let contacts = session.contacts();
    let known: Vec<_> = contacts.iter().map(|contact| (contact.peer.as_str(), contact.kind)).collect();
    assert_eq!(known, [(BOT, ContactKind::Myself), (OWNER, ContactKind::Person)]);
    assert!(!session.has_address_book());
    let shown = format!("{session:?} {:?} {:?}", session.client, session.saved().unwrap());
    assert!(!shown.contains("0600") && !shown.contains("AARz"), "{shown}");
    let (binding, _) = kept::read(&saved(), &Place::new(None, None)).unwrap();
    assert_eq!(binding.bot_id, session.client.binding.bot_id);
}
