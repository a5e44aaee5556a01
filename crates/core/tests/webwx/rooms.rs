//! How do rooms come to be, change and go?

use wxbot_core::SendError;
use wxbot_core::protocol::Session;
use wxbot_model::{Action, PeerId};
use wxbot_sim::{AccountSpec, FaultKind, Rejection, RoomChange, World};

use crate::rig::{Rig, id, named, peer, quiet, settings, shop, upserted};

fn create(topic: &str) -> Action {
    Action::CreateRoom { members: Vec::new(), topic: topic.into() }
}

async fn act(rig: &Rig, session: &dyn Session, action: Action, room: &str, who: &[&str]) -> Result<(), SendError> {
    let who: Vec<PeerId> = who.iter().map(|nick| peer(session, nick)).collect();
    let who: Vec<&PeerId> = who.iter().collect();
    rig.act(session, action, Some(&peer(session, room)), &who, None).await.map(drop)
}

fn calls(rig: &Rig) -> Vec<String> {
    rig.sim.journal().room_calls.into_iter().map(|call| call.fun).collect()
}

// cov: 66, 67, 68, 69
#[tokio::test(start_paused = true)]
async fn a_room_from_its_beginning_to_its_end() {
    let mut account = shop().friend("小丁");
    account.auto_accept = Some(true);
    let rig = Rig::with(World::default().with(account), settings());
    let mut session = rig.online().await;
    let (alice, bob) = (peer(&*session, "Alice"), peer(&*session, "鲍勃"));
    let receipt = rig.act(&*session, create("新群"), None, &[&alice, &bob], None).await.unwrap();
    let room: PeerId = receipt.server_id.unwrap().parse().unwrap();
    // Known before the next sync, and told to the runtime with it.
    let made = session.contacts().into_iter().find(|contact| contact.peer == room).unwrap();
    assert_eq!((&*made.nick_name, made.members.len()), ("新群", 3));
    assert_eq!(upserted(&quiet(&mut session).await, "新群").unwrap().peer, room);

    let topic = Action::SetTopic { room: id(), topic: "改<了>".into() };
    act(&rig, &*session, topic, "新群", &[]).await.unwrap();
    quiet(&mut session).await;
    assert_eq!(named(&*session, "改<了>").peer, room);

    let add = Action::AddMembers { room: id(), members: Vec::new() };
    act(&rig, &*session, add, "改<了>", &["小丁"]).await.unwrap();
    quiet(&mut session).await;
    assert_eq!(named(&*session, "改<了>").members.len(), 4);

    let remove = Action::RemoveMembers { room: id(), members: Vec::new() };
    act(&rig, &*session, remove, "改<了>", &["Alice", "小丁"]).await.unwrap();
    quiet(&mut session).await;
    assert_eq!(named(&*session, "改<了>").members.len(), 2);

    act(&rig, &*session, Action::LeaveRoom { room: id() }, "改<了>", &[]).await.unwrap();
    assert_eq!(calls(&rig), ["create", "modtopic", "addmember", "delmember", "quitchatroom"]);
    rig.clean();
}

#[tokio::test(start_paused = true)]
async fn whoever_blocked_us_does_not_come_but_the_room_does() {
    let rig = Rig::with(World::default().with(shop().friend("小丁")), settings());
    let session = rig.online().await;
    rig.sim.rejected_by("shop", "小丁", Rejection::Blocked).unwrap();
    let who = ["Alice", "鲍勃", "小丁"].map(|nick| peer(&*session, nick));
    let who: Vec<&PeerId> = who.iter().collect();
    let receipt = rig.act(&*session, create(""), None, &who, None).await.unwrap();
    let room = session.contacts().into_iter().find(|one| Some(one.peer.as_str()) == receipt.server_id.as_deref());
    assert_eq!(room.unwrap().members.len(), 3, "with ourselves");
    rig.clean();
}

#[tokio::test(start_paused = true)]
async fn refusals_of_a_new_room() {
    let ret = |ret, msg: &str| FaultKind::Ret { ret, msg: msg.into() };
    for (kind, want) in [
        (FaultKind::EmptyNames, "failed"),
        (ret(1, "操作太频繁，请稍后再试。"), "stopped"),
        (ret(1205, ""), "stopped"),
        (FaultKind::DropAfter, "uncertain"),
        (FaultKind::Truncate { bytes: 30 }, "uncertain"),
        (ret(1102, ""), "ended"),
    ] {
        let rig = Rig::new();
        let session = rig.online().await;
        rig.fault("webwxcreatechatroom", kind.clone());
        let (alice, bob) = (peer(&*session, "Alice"), peer(&*session, "鲍勃"));
        let word = match rig.act(&*session, create("x"), None, &[&alice, &bob], None).await {
            Err(SendError::Failed { .. }) => "failed",
            Err(SendError::Uncertain { .. }) => "uncertain",
            Err(SendError::Ended(_)) => "ended",
            Err(SendError::Stopped { .. }) => "stopped",
            other => panic!("{kind:?}: {other:?}"),
        };
        assert_eq!(word, want, "{kind:?}");
        rig.clean();
    }
}

// cov: 68
#[tokio::test(start_paused = true)]
async fn people_are_invited_into_large_rooms() {
    let strangers: Vec<String> = (0..38).map(|n| format!("s{n}")).collect();
    let members: Vec<&str> = strangers.iter().map(String::as_str).collect();
    let mut account = AccountSpec::new("shop").friend("Alice").room("大群", &members);
    account.rooms[0].saved = true;
    let rig = Rig::with(World::default().with(account), settings());
    let session = rig.online().await;
    assert_eq!(named(&*session, "大群").members.len(), 39);
    let add = Action::AddMembers { room: id(), members: Vec::new() };
    act(&rig, &*session, add, "大群", &["Alice"]).await.unwrap();
    assert_eq!(calls(&rig), ["invitemember"]);
    rig.clean();
}

#[tokio::test(start_paused = true)]
async fn whom_the_service_does_not_let_in_is_invited() {
    let rig = Rig::with(World::default().with(shop().friend("小丁")), settings());
    let session = rig.online().await;
    rig.fault("webwxupdatechatroom", FaultKind::Ret { ret: 1, msg: String::new() });
    let add = Action::AddMembers { room: id(), members: Vec::new() };
    act(&rig, &*session, add, "测试群", &["小丁"]).await.unwrap();
    assert_eq!(rig.seen_at("webwxupdatechatroom").len(), 2);
    assert_eq!(calls(&rig), ["invitemember"]);
    rig.clean();
}

// cov: 67
#[tokio::test(start_paused = true)]
async fn only_the_owner_puts_people_out() {
    let rig = Rig::new();
    let mut session = rig.online().await;
    rig.sim.change_room("shop", "测试群", RoomChange::Owner("Alice".into())).unwrap();
    quiet(&mut session).await;
    let remove = Action::RemoveMembers { room: id(), members: Vec::new() };
    let error = act(&rig, &*session, remove, "测试群", &["鲍勃"]).await.unwrap_err();
    assert!(matches!(&error, SendError::Failed { why } if why.contains("owner")), "{error}");
    rig.clean();
}
