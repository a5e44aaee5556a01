//! Whom does a session know at its start, and how does it learn of others?

use wxbot_core::protocol::ContactChange;
use wxbot_model::{ContactKind, EventKind};
use wxbot_sim::{AccountSpec, Deliver, FaultKind, FriendSpec, RoomChange, RoomMet, World};

use crate::rig::{Rig, json, named, next, peer, query, quiet, settings, shop, texts, upserted};

#[tokio::test(start_paused = true)]
async fn the_address_book_comes_in_pages() {
    let account = (0..30).fold(AccountSpec::new("shop"), |account, n| account.friend(format!("friend {n}")));
    let rig = Rig::with(World { page_size: 7, ..World::default().with(account) }, settings());
    let session = rig.online().await;
    for n in 0..30 {
        named(&*session, &format!("friend {n}"));
    }
    let pages = rig.seen_at("webwxgetcontact");
    assert_eq!(pages.len(), 5, "30 friends and 5 services, 7 a page");
    assert_eq!(query(&pages[0], "seq").as_deref(), Some("0"));
    rig.clean();
}

fn room_met(topic: &str, met: RoomMet, members: &[&str]) -> AccountSpec {
    let mut account = shop().room(topic, members);
    account.rooms.last_mut().unwrap().met = met;
    account
}

#[tokio::test(start_paused = true)]
async fn many_rooms_are_asked_for_in_fifties() {
    let mut account = shop();
    for n in 0..120 {
        account = account.room(format!("room {n}"), &["Alice", "stranger"]);
        account.rooms.last_mut().unwrap().met = RoomMet::Chatset;
    }
    let rig = Rig::with(World::default().with(account), settings());
    let session = rig.online().await;
    for n in 0..120 {
        assert_eq!(named(&*session, &format!("room {n}")).members.len(), 3, "room {n}");
    }
    let asked: Vec<_> =
        rig.seen_at("webwxbatchgetcontact").iter().map(|r| json(r).unwrap()["Count"].as_u64()).collect();
    assert_eq!(asked, [Some(50), Some(50), Some(21)], "and the one of the recent chats");
    rig.clean();
}

#[tokio::test(start_paused = true)]
async fn refused_batches_are_asked_for_in_smaller_ones() {
    let mut account = AccountSpec::new("shop").friend("Alice");
    for n in 0..20 {
        account = account.room(format!("room {n}"), &["Alice"]);
        account.rooms.last_mut().unwrap().met = RoomMet::Chatset;
    }
    let rig = Rig::with(World::default().with(account), settings());
    for _ in 0..2 {
        rig.fault("webwxbatchgetcontact", FaultKind::Ret { ret: -1, msg: String::new() });
    }
    let session = rig.log_in().await;
    assert!((0..20).all(|n| named(&*session, &format!("room {n}")).members.len() == 2));
    let asked: Vec<_> =
        rig.seen_at("webwxbatchgetcontact").iter().map(|r| json(r).unwrap()["Count"].as_u64().unwrap()).collect();
    assert_eq!(asked, [20, 10, 10, 5, 5]);
    rig.clean();
}

#[tokio::test(start_paused = true)]
async fn too_often_is_not_answered_by_asking_more() {
    let mut account = AccountSpec::new("shop").friend("Alice");
    for n in 0..20 {
        account = account.room(format!("room {n}"), &["Alice"]);
        account.rooms.last_mut().unwrap().met = RoomMet::Chatset;
    }
    let rig = Rig::with(World::default().with(account), settings());
    rig.fault("webwxbatchgetcontact", FaultKind::Ret { ret: 1205, msg: String::new() });
    rig.log_in().await;
    assert_eq!(rig.seen_at("webwxbatchgetcontact").len(), 1);
    rig.clean();
}

#[tokio::test(start_paused = true)]
async fn rooms_are_met_in_four_ways() {
    let members = ["Alice", "鲍勃", "a", "b", "c"];
    for met in [RoomMet::Init, RoomMet::Chatset, RoomMet::Notify, RoomMet::Message] {
        let rig = Rig::with(World::default().with(room_met("新群", met, &members)), settings());
        let mut session = rig.log_in().await;
        let at_start = session.contacts().iter().any(|contact| contact.nick_name == "新群");
        assert_eq!(at_start, matches!(met, RoomMet::Init | RoomMet::Chatset), "{met:?}");
        let first = quiet(&mut session).await;
        // The phone's list of recent chats tells its lasting id too.
        let told = upserted(&first, "新群").map(|room| room.wxid.ends_with("@chatroom"));
        assert_eq!(told, (met != RoomMet::Message).then_some(true), "{met:?}");
        rig.sim.deliver("shop", Deliver::text("c", "hello").in_room("新群")).unwrap();
        let batch = next(&mut session).await;
        assert_eq!(upserted(&batch, "新群").is_some(), met == RoomMet::Message, "{met:?}");
        let room = named(&*session, "新群");
        assert_eq!((room.kind, room.members.len()), (ContactKind::Room, 6), "{met:?}: all members, ourselves included");
        assert_eq!(batch.events[0].chat, room.peer);
        let speaker = room.member(batch.events[0].sender.as_ref().unwrap()).unwrap();
        assert_eq!(speaker.nick_name, "c", "{met:?}");
        rig.clean();
    }
}

#[tokio::test(start_paused = true)]
async fn a_room_that_is_not_described_still_speaks() {
    let rig = Rig::with(World::default().with(room_met("新群", RoomMet::Message, &["Alice"])), settings());
    let mut session = rig.online().await;
    rig.fault("webwxbatchgetcontact", FaultKind::Status { code: 502 });
    rig.sim.deliver("shop", Deliver::text("Alice", "1").in_room("新群")).unwrap();
    let batch = next(&mut session).await;
    assert_eq!(texts(&batch.events), ["1"]);
    let stub = batch.contacts.iter().find_map(|change| match change {
        ContactChange::Upsert(contact) if contact.peer == batch.events[0].chat => Some(contact),
        ContactChange::Upsert(_) | ContactChange::Met(_) | ContactChange::Remove(_) => None,
    });
    assert!(stub.is_some_and(|stub| stub.nick_name.is_empty() && stub.kind == ContactKind::Room), "it is introduced");
    rig.sim.deliver("shop", Deliver::text("Alice", "2").in_room("新群")).unwrap();
    assert!(upserted(&next(&mut session).await, "新群").is_some(), "and asked for again");
    rig.clean();
}

#[tokio::test(start_paused = true)]
async fn a_message_of_a_stranger_introduces_them() {
    let rig = Rig::new();
    let mut session = rig.online().await;
    rig.sim.remove_friend("shop", "Alice").unwrap();
    let gone = next(&mut session).await;
    let alice = gone.events[0].chat.clone();
    assert_eq!(gone.events[0].kind, EventKind::ContactRemoved);
    assert_eq!(gone.contacts, [ContactChange::Remove(alice.clone())]);
    assert!(!session.contacts().iter().any(|contact| contact.peer == alice));
    rig.sim.deliver("shop", Deliver::text("Alice", "still here")).unwrap();
    let batch = next(&mut session).await;
    assert_eq!((&batch.events[0].chat, upserted(&batch, "Alice").is_some()), (&alice, true));
    rig.clean();
}

// cov: 37
#[tokio::test(start_paused = true)]
async fn changes_of_friends_and_rooms_are_events() {
    let rig = Rig::new();
    let mut session = rig.online().await;
    let room = peer(&*session, "测试群");
    let mut keys = std::collections::HashSet::new();

    let friend = FriendSpec { nick: "Carol".into(), remark: "客户".into(), ..FriendSpec::default() };
    rig.sim.set_friend("shop", friend).unwrap();
    let batch = next(&mut session).await;
    assert_eq!((&batch.events[0].kind, batch.events.len()), (&EventKind::ContactChanged, 1));
    assert_eq!(upserted(&batch, "Carol").unwrap().display_name(), "客户");
    keys.insert(batch.events[0].key.clone());

    for (change, nick, members) in [
        (RoomChange::Join("Dave".into()), "测试群", 5),
        (RoomChange::Leave("路人".into()), "测试群", 4),
        (RoomChange::Display("Alice".into(), "阿丽".into()), "测试群", 4),
        (RoomChange::Rename("新名".into()), "新名", 4),
    ] {
        rig.sim.change_room("shop", "测试群", change.clone()).unwrap();
        let batch = next(&mut session).await;
        assert_eq!((batch.events.len(), &batch.events[0].kind), (1, &EventKind::ContactChanged), "{change:?}");
        assert_eq!(batch.events[0].chat, room, "{change:?}");
        let contact = upserted(&batch, nick).unwrap();
        assert_eq!((contact.members.len(), &contact.peer), (members, &room), "{change:?}");
        assert!(keys.insert(batch.events[0].key.clone()), "{change:?} is an event of its own");
    }
    assert!(named(&*session, "新名").members.iter().any(|member| member.shown_name() == "阿丽"));

    rig.sim.change_room("shop", "新名", RoomChange::Removed).unwrap();
    let batch = next(&mut session).await;
    assert_eq!(batch.events[0].kind, EventKind::ContactRemoved);
    assert_eq!(batch.contacts, [ContactChange::Remove(room)]);
    rig.clean();
}

#[tokio::test(start_paused = true)]
async fn a_session_without_an_address_book_still_works() {
    let rig = Rig::new();
    rig.fault("webwxgetcontact", FaultKind::Status { code: 500 });
    let mut session = rig.online().await;
    assert!(!session.has_address_book(), "so that nobody is known again by a name");
    rig.sim.deliver("shop", Deliver::text("Alice", "hello")).unwrap();
    // Whoever the recent chats of webwxinit show is known from there.
    let batch = next(&mut session).await;
    assert_eq!(batch.events[0].chat, peer(&*session, "Alice"));
    rig.clean();
}
