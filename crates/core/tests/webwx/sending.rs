//! What goes out, and what is known about it afterwards?

use std::time::Duration;

use tokio::time::Instant;
use wxbot_core::SendError;
use wxbot_core::error::{Error, FetchError, Risk};
use wxbot_core::protocol::{Outgoing, Protocol, Receipt, Session};
use wxbot_core::webwx::Settings;
use wxbot_model::{Action, PeerId};
use wxbot_sim::{Deliver, FaultKind, World};

use crate::rig::{Rig, endpoint, json, next, peer, settings, shop};

fn outgoing(rig: &Rig, to: PeerId, text: &str) -> Outgoing {
    let action = Action::SendText { to: "p1".parse().unwrap(), text: text.to_owned(), mention: Vec::new() };
    Outgoing { action, to: Some(to), others: Vec::new(), media: None, client_id: rig.web.draw_client_msg_id() }
}

async fn send(rig: &Rig, session: &dyn Session, to: &str, text: &str) -> Result<Receipt, SendError> {
    session.sender().perform(outgoing(rig, peer(session, to), text)).await
}

#[tokio::test(start_paused = true)]
async fn a_text_arrives_as_typed_and_is_confirmed() {
    let rig = Rig::new();
    let session = rig.online().await;
    let text = "你好 <b>&amp;\n第二行 😄";
    let receipt = send(&rig, &*session, "Alice", text).await.unwrap();
    let journal = rig.sim.journal();
    let sent = journal.sends_of("shop").next().unwrap();
    assert_eq!((sent.to.as_str(), sent.content.as_str()), ("Alice", text));
    assert_eq!(receipt.server_id.as_deref(), Some(sent.msg_id.as_str()));
    assert_eq!(sent.client_msg_id.len(), 17);
    rig.clean();
}

#[tokio::test(start_paused = true)]
async fn a_mention_names_members_as_the_room_does() {
    let rig = Rig::new();
    let mut session = rig.online().await;
    rig.sim.deliver("shop", Deliver::text("Alice", "hi").in_room("测试群")).unwrap();
    let speaker = next(&mut session).await.events[0].sender.clone().unwrap();
    let mention = Outgoing { others: vec![speaker.clone()], ..outgoing(&rig, peer(&*session, "测试群"), "在") };
    session.sender().perform(mention).await.unwrap();
    assert_eq!(rig.sim.journal().sends[0].content, "@Alice\u{2005}在");
    let body = json(rig.seen_at("webwxsendmsg").last().unwrap()).unwrap();
    assert!(body["Msg"]["MsgSource"].as_str().unwrap().contains(speaker.as_str()));
    rig.clean();
}

#[tokio::test(start_paused = true)]
async fn outcomes_say_whether_it_may_be_sent_again() {
    let ret = |ret| FaultKind::Ret { ret, msg: String::new() };
    for (kind, want, arrived) in [
        (FaultKind::Refuse, "not taken", false),
        (FaultKind::Drop, "uncertain", false),
        (FaultKind::DropAfter, "uncertain", true),
        (FaultKind::Truncate { bytes: 20 }, "uncertain", true),
        (FaultKind::Html, "uncertain", false),
        (FaultKind::Garbage, "uncertain", false),
        (FaultKind::Delay { ms: 60_000 }, "uncertain", false),
        (FaultKind::Status { code: 502 }, "uncertain", false),
        (FaultKind::Status { code: 404 }, "not taken", false),
        (ret(-1), "not taken", false),
        (ret(1204), "failed", false),
        (ret(1203), "stopped", false),
        (ret(1205), "stopped", false),
        (ret(1101), "ended", false),
    ] {
        let rig = Rig::new();
        let session = rig.online().await;
        rig.fault("webwxsendmsg", kind.clone());
        let word = match send(&rig, &*session, "Alice", "x").await {
            Ok(_) => "sent",
            Err(SendError::NotTaken { .. }) => "not taken",
            Err(SendError::Uncertain { .. }) => "uncertain",
            Err(SendError::Failed { .. }) => "failed",
            Err(SendError::Ended(_)) => "ended",
            Err(SendError::Stopped { .. }) => "stopped",
            Err(_) => "new",
        };
        assert_eq!((word, rig.sim.journal().sends.len()), (want, usize::from(arrived)), "{kind:?}");
        rig.clean();
    }
}

#[tokio::test(start_paused = true)]
async fn risk_control_on_one_send_is_the_end_of_the_session() {
    for (ret, risk) in [(1203, Risk::Forbidden), (1205, Risk::TooOften)] {
        let rig = Rig::new();
        let mut session = rig.online().await;
        let sender = session.sender();
        let (alice, bob) = (peer(&*session, "Alice"), peer(&*session, "鲍勃"));
        rig.fault("webwxsendmsg", FaultKind::Ret { ret, msg: String::new() });
        // The poll hangs at the service meanwhile; what is said to the send ends it at once.
        let begun = Instant::now();
        let first = outgoing(&rig, alice.clone(), "x");
        let poll = async {
            loop {
                if let Err(error) = session.next_batch().await {
                    return error;
                }
            }
        };
        let (sent, polled) = tokio::join!(sender.perform(first), poll);
        assert!(matches!(sent, Err(SendError::Stopped { risk: said, .. }) if said == risk), "{ret}");
        assert!(
            matches!(&polled, Error::Stopped { risk: said, why } if *said == risk && why.contains(&ret.to_string()))
        );
        assert!(begun.elapsed() < Duration::from_secs(5), "{ret}: {:?}", begun.elapsed());
        // Nothing of this session asks the service anything any more.
        let before = rig.seen().len();
        assert!(matches!(sender.perform(outgoing(&rig, bob, "y")).await, Err(SendError::Stopped { .. })));
        assert!(matches!(sender.look_up(&alice).await, Err(FetchError::Stopped { .. })));
        assert!(session.next_batch().await.is_err());
        assert_eq!((rig.seen().len(), rig.sim.journal().sends.len()), (before, 0), "{ret}");
        rig.clean();
    }
}

#[tokio::test(start_paused = true)]
async fn somebody_who_is_no_friend_any_more() {
    let rig = Rig::new();
    let session = rig.online().await;
    rig.sim.remove_friend("shop", "Alice").unwrap();
    assert!(matches!(send(&rig, &*session, "Alice", "x").await, Err(SendError::Failed { .. })));
    rig.clean();
}

#[tokio::test(start_paused = true)]
async fn after_the_end_nothing_goes_out() {
    let rig = Rig::new();
    let session = rig.online().await;
    let (sender, order) = (session.sender(), outgoing(&rig, peer(&*session, "Alice"), "x"));
    rig.sim.kick("shop").unwrap();
    drop(session);
    assert!(matches!(sender.perform(order).await, Err(SendError::Ended(_))));
    assert!(rig.sim.journal().sends.is_empty());
    rig.clean();
}

// cov: 17
#[tokio::test(start_paused = true)]
async fn a_chat_is_marked_read_before_the_answer_when_wanted() {
    for wanted in [true, false] {
        let rig = Rig::with(World::default().with(shop()), Settings { mark_read: wanted, ..settings() });
        let session = rig.online().await;
        let before = rig.seen().len();
        send(&rig, &*session, "Alice", "x").await.unwrap();
        let asked: Vec<_> = rig.seen()[before..].iter().map(|request| endpoint(request).to_owned()).collect();
        let want: &[&str] = if wanted { &["webwxstatusnotify", "webwxsendmsg"] } else { &["webwxsendmsg"] };
        assert_eq!(asked, want);
        let reads: Vec<_> = rig.sim.journal().reads.iter().map(|read| read.peer.clone()).collect();
        assert_eq!(reads, if wanted { vec!["Alice"] } else { vec![] });
        // That it cannot be marked keeps no answer back.
        rig.fault("webwxstatusnotify", FaultKind::Status { code: 500 });
        send(&rig, &*session, "Alice", "y").await.unwrap();
        rig.clean();
    }
}

#[tokio::test(start_paused = true)]
async fn sends_and_polls_do_not_wait_for_each_other() {
    let rig = Rig::new();
    let mut session = rig.online().await;
    let (sender, alice) = (session.sender(), peer(&*session, "Alice"));
    let start = tokio::time::Instant::now();
    let (batch, sent) = tokio::join!(session.next_batch(), async {
        let sent = sender.perform(outgoing(&rig, alice, "while polling")).await;
        assert!(start.elapsed() < Duration::from_secs(1));
        sent
    });
    assert!(batch.unwrap().events.is_empty() && sent.is_ok());
    rig.clean();
}
