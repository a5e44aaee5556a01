//! How do friends come, and what do we do with them?

use wxbot_core::SendError;
use wxbot_core::protocol::Session;
use wxbot_model::{Action, EventKind, FriendRequest, Stranger};
use wxbot_sim::{FaultKind, FriendSpec, World};

use crate::rig::{Rig, id, named, next, peer, quiet, settings, shop, upserted};

fn newcomer() -> FriendSpec {
    FriendSpec { nick: "新人".into(), alias: "xinren".into(), ..FriendSpec::default() }
}

async fn request(rig: &Rig, session: &mut Box<dyn Session>) -> FriendRequest {
    rig.sim.request_friend("shop", newcomer(), "我是<新人>").unwrap();
    let told = next(session).await.events.remove(0).kind;
    let EventKind::FriendRequest(request) = told else { panic!("{told:?}") };
    request
}

async fn write(rig: &Rig, session: &dyn Session, nick: &str) -> bool {
    let text = Action::SendText { to: id(), text: "你好".into(), mention: Vec::new() };
    rig.act(session, text, Some(&peer(session, nick)), &[], None).await.is_ok()
}

// cov: 64, 65
#[tokio::test(start_paused = true)]
async fn a_request_is_accepted_and_its_sender_is_a_contact_at_once() {
    let rig = Rig::new();
    let mut session = rig.online().await;
    let request = request(&rig, &mut session).await;
    assert_eq!((request.name.as_str(), request.greeting.as_str()), ("新人", "我是<新人>"));
    let accept = Action::AcceptFriend { user: request.user.unwrap(), ticket: request.ticket };
    rig.act(&*session, accept.clone(), None, &[], None).await.unwrap();
    assert!(write(&rig, &*session, "新人").await, "known before the next sync");
    let told = quiet(&mut session).await;
    assert!(upserted(&told, "新人").is_some(), "the runtime is told");
    let entry = &rig.sim.journal().verifies[0];
    assert_eq!((entry.opcode, entry.who.as_str()), (3, "新人"));
    rig.clean();
    // A ticket is good once.
    let again = rig.act(&*session, accept, None, &[], None).await;
    assert!(matches!(again, Err(SendError::Failed { .. })), "{again:?}");
}

// cov: 63
#[tokio::test(start_paused = true)]
async fn somebody_met_in_a_room_is_asked_and_accepts() {
    let rig = Rig::with(World { auto_accept: true, ..World::default().with(shop()) }, settings());
    let mut session = rig.online().await;
    let room = named(&*session, "测试群");
    let stranger = room.members.iter().find(|member| &*member.nick_name == "路人").unwrap().peer.clone();
    let ask = Action::AddFriend { person: Stranger::Peer(stranger.clone()), greeting: "认识一下 <&>".into() };
    rig.act(&*session, ask, None, &[], None).await.unwrap();
    assert_eq!(rig.sim.journal().verifies[0].content, "认识一下 <&>");
    assert!(upserted(&quiet(&mut session).await, "路人").is_some());
    assert!(write(&rig, &*session, "路人").await);
    rig.clean();
}

#[tokio::test(start_paused = true)]
async fn too_often_is_the_end_and_no_answer_no_telling() {
    for (kind, want) in [
        (FaultKind::Ret { ret: 1205, msg: String::new() }, "stopped"),
        (FaultKind::DropAfter, "uncertain"),
        (FaultKind::Html, "uncertain"),
        (FaultKind::Refuse, "not taken"),
    ] {
        let rig = Rig::new();
        let mut session = rig.online().await;
        let request = request(&rig, &mut session).await;
        rig.fault("webwxverifyuser", kind.clone());
        let accept = Action::AcceptFriend { user: request.user.unwrap(), ticket: request.ticket };
        let word = match rig.act(&*session, accept, None, &[], None).await.unwrap_err() {
            SendError::Stopped { .. } => "stopped",
            SendError::NotTaken { .. } => "not taken",
            SendError::Uncertain { .. } => "uncertain",
            SendError::Failed { .. } | SendError::Ended(_) | _ => "else",
        };
        assert_eq!(word, want, "{kind:?}");
        rig.clean();
    }
}

// cov: 70, 71, 72
#[tokio::test(start_paused = true)]
async fn names_and_pins_reach_the_service_and_do_not_disturb_each_other() {
    let rig = Rig::new();
    let mut session = rig.online().await;
    let (alice, room) = (peer(&*session, "Alice"), peer(&*session, "测试群"));
    let name = |remark: &str| Action::SetRemark { contact: id(), remark: remark.into() };
    let pin = |on| Action::Pin { chat: id(), on };
    for action in [name("老顾客"), pin(true), pin(false)] {
        rig.act(&*session, action, Some(&alice), &[], None).await.unwrap();
        // At once, and still after the service has told it itself.
        assert_eq!(&*named(&*session, "Alice").remark_name, "老顾客");
        quiet(&mut session).await;
        assert_eq!(&*named(&*session, "Alice").remark_name, "老顾客");
    }
    rig.act(&*session, name(""), Some(&alice), &[], None).await.unwrap();
    let told = quiet(&mut session).await;
    assert_eq!(&*upserted(&told, "Alice").unwrap().remark_name, "", "the runtime is told that it is gone");
    rig.act(&*session, pin(true), Some(&alice), &[], None).await.unwrap();
    rig.act(&*session, pin(true), Some(&room), &[], None).await.unwrap();
    rig.clean();
}

#[tokio::test(start_paused = true)]
async fn anybody_can_be_looked_up() {
    let rig = Rig::new();
    let session = rig.online().await;
    let (sender, room) = (session.sender(), named(&*session, "测试群"));
    let stranger = &room.members.iter().find(|member| &*member.nick_name == "路人").unwrap().peer;
    assert_eq!(&*sender.look_up(stranger).await.unwrap().nick_name, "路人");
    assert_eq!(&*sender.look_up(&peer(&*session, "Alice")).await.unwrap().nick_name, "Alice");
    assert_eq!(sender.look_up(&room.peer).await.unwrap().members.len(), room.members.len());
    rig.clean();
}
