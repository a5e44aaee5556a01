//! What does a client hear, and when?

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;
use wxbot_sim::{Deliver, Fault, FaultKind, FriendSpec, RoomChange, Sim, World};

use crate::client::{Client, assert_clean, contents, named, world};

#[tokio::test(start_paused = true)]
async fn synccheck_is_held_until_something_happens() {
    let sim = Sim::new(world());
    let mut client = Client::online(&sim, "xiaoli").await;
    let start = Instant::now();
    assert_eq!(client.check().await, ("0".to_owned(), "0".to_owned()));
    assert_eq!(start.elapsed().as_secs(), 25);

    let start = Instant::now();
    let (checked, ()) = tokio::join!(client.check(), async {
        tokio::time::sleep(Duration::from_secs(4)).await;
        sim.deliver("xiaoli", Deliver::text("老王", "在吗")).unwrap();
    });
    assert_eq!(checked.1, "2");
    assert_eq!(start.elapsed().as_secs(), 4);
    assert_eq!(client.check().await.1, "2", "at once, until it is fetched");
    assert_eq!(contents(&client.sync().await), ["在吗"]);
    assert_eq!(client.check().await.1, "0");
    assert_clean(&sim);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_not_advanced_gets_the_same_again() {
    let sim = Sim::new(world());
    let mut client = Client::online(&sim, "xiaoli").await;
    let id = sim.deliver("xiaoli", Deliver::text("老王", "1")).unwrap();
    let old_key = client.sync_key.clone();
    assert_eq!(contents(&client.peek().await), ["1"]);
    let sync = client.sync().await;
    assert_eq!(contents(&sync), ["1"]);
    assert_eq!(sync["AddMsgList"][0]["MsgId"], id.as_str());
    assert_eq!(sync["AddMsgList"][0]["NewMsgId"], id.parse::<u64>().unwrap());
    assert_eq!(id.len(), 19);
    assert!(contents(&client.sync().await).is_empty());

    // A client that was restored from an older key gets everything since, also after a new webwxinit.
    sim.deliver("xiaoli", Deliver::text("老王", "2")).unwrap();
    client.init().await;
    assert!(contents(&client.peek().await).is_empty(), "the key of a later init starts at the present");
    client.sync_key = old_key;
    assert_eq!(contents(&client.sync().await), ["1", "2"]);
    assert_eq!(sim.journal().delivered[0].handed, 3);
    assert_clean(&sim);
}

#[tokio::test(start_paused = true)]
async fn many_messages_come_in_batches() {
    let sim = Sim::new(World { sync_batch: 4, ..world() });
    let mut client = Client::online(&sim, "xiaoli").await;
    for number in 0..10 {
        sim.deliver("xiaoli", Deliver::text("老王", number.to_string())).unwrap();
    }
    let mut batches = Vec::new();
    loop {
        let sync = client.sync().await;
        batches.push(sync["AddMsgCount"].as_u64().unwrap());
        if sync["ContinueFlag"] == 0 {
            break;
        }
    }
    assert_eq!(batches, [4, 4, 2]);
    assert_clean(&sim);
}

#[tokio::test(start_paused = true)]
async fn an_old_server_has_no_check_key() {
    let sim = Sim::new(World { old_server: true, ..world() });
    let mut client = Client::online(&sim, "xiaoli").await;
    sim.deliver("xiaoli", Deliver::text("老王", "x")).unwrap();
    assert_eq!(client.check().await.1, "2");
    let sync = client.sync().await;
    assert!(sync.get("SyncCheckKey").is_none());
    assert_eq!(client.check().await.1, "0");
    assert_clean(&sim);
}

#[tokio::test(start_paused = true)]
async fn keys_that_were_never_given_are_answered_at_once() {
    let sim = Sim::new(world());
    let mut client = Client::online(&sim, "xiaoli").await;
    sim.deliver("xiaoli", Deliver::text("老王", "x")).unwrap();
    client.sync_key["List"][1]["Val"] = json!(1);
    client.check_key = client.sync_key.clone();
    let start = Instant::now();
    assert_eq!(client.check().await.1, "2");
    let sync = client.sync().await;
    assert_eq!(sync["BaseResponse"]["Ret"], 0);
    assert!(contents(&sync).is_empty());
    assert!(start.elapsed().is_zero());
    assert_eq!(client.check().await.1, "0", "the key it was given is good");
    assert_eq!(sim.violations().iter().filter(|violation| violation.hard).count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_key_of_an_earlier_login_is_no_place_in_this_one() {
    let sim = Sim::new(world());
    let old = Client::online(&sim, "xiaoli").await;
    let mut client = Client::online(&sim, "xiaoli").await;
    sim.deliver("xiaoli", Deliver::text("老王", "x")).unwrap();
    client.sync_key = old.sync_key;
    assert!(contents(&client.sync().await).is_empty());
    let violations = sim.violations();
    assert_eq!((violations[0].hard, violations[0].what.as_str()), (false, "SyncKey of an earlier login"));
}

#[tokio::test(start_paused = true)]
async fn sessions_end() {
    for ret in [1100, 1101, 1102] {
        let sim = Sim::new(world());
        let mut client = Client::online(&sim, "xiaoli").await;
        let (checked, ()) = tokio::join!(client.check(), async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            sim.expire("xiaoli", ret).unwrap();
        });
        assert_eq!(checked, (ret.to_string(), "0".to_owned()));
        let sync = client.peek().await;
        assert_eq!(sync["BaseResponse"]["Ret"], ret);
        assert_eq!(sync["SyncKey"]["Count"], 0);
        assert_eq!(client.init().await["BaseResponse"]["Ret"], ret);
        assert_clean(&sim);
    }
}

#[tokio::test(start_paused = true)]
async fn contact_changes_have_their_own_selector() {
    let sim = Sim::new(world());
    let mut client = Client::new(&sim);
    client.log_in(&sim, "xiaoli").await;
    let init = client.start().await;
    sim.change_room("xiaoli", "测试群", RoomChange::Join("新人".to_owned())).unwrap();
    sim.change_room("xiaoli", "测试群", RoomChange::Leave("路人".to_owned())).unwrap();
    sim.change_room("xiaoli", "测试群", RoomChange::Display("老王".to_owned(), "王总".to_owned())).unwrap();
    sim.change_room("xiaoli", "测试群", RoomChange::Rename("新群".to_owned())).unwrap();
    assert_eq!(client.check().await.1, "4");
    let sync = client.sync().await;
    let room = &sync["ModContactList"][3];
    assert_eq!(sync["ModContactCount"], 4);
    assert_eq!(room["NickName"], "新群");
    let members: Vec<&str> =
        room["MemberList"].as_array().unwrap().iter().map(|member| member["NickName"].as_str().unwrap()).collect();
    assert_eq!(members, ["xiaoli", "老王", "新人"]);
    assert_eq!(room["MemberList"][1]["DisplayName"], "王总");

    sim.set_friend("xiaoli", FriendSpec { nick: "新人".to_owned(), ..FriendSpec::default() }).unwrap();
    sim.remove_friend("xiaoli", "Anna").unwrap();
    sim.change_room("xiaoli", "新群", RoomChange::Removed).unwrap();
    let sync = client.sync().await;
    assert_eq!(sync["ModContactList"][0]["ContactFlag"], 3);
    assert_eq!(sync["ModContactList"][0]["UserName"], room["MemberList"][2]["UserName"]);
    assert_eq!(sync["DelContactCount"], 2);
    let anna = named(&init["ContactList"], "Anna");
    assert_eq!(sync["DelContactList"][0]["UserName"], anna.as_str());
    assert_eq!(client.send(&anna, "x").await["BaseResponse"]["Ret"], 1204);
    let room = room["UserName"].as_str().unwrap().to_owned();
    assert_eq!(client.send(&room, "x").await["BaseResponse"]["Ret"], 1204);
    assert_clean(&sim);
}

#[tokio::test(start_paused = true)]
async fn a_refreshed_skey_makes_the_old_one_stale() {
    let sim = Sim::new(world());
    let mut client = Client::online(&sim, "xiaoli").await;
    let old = client.skey.clone();
    sim.inject(Fault::once("webwxsync", FaultKind::SkeyRefresh));
    client.sync().await;
    assert_ne!(client.skey, old);
    client.sync().await;
    assert_clean(&sim);
    tokio::time::sleep(Duration::from_secs(11)).await;
    client.skey = old;
    client.sync().await;
    assert_eq!(sim.violations()[0].what, "Skey is stale or not the session's");
}
