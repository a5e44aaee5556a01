//! What does the address book show?

use serde_json::{Value, json};
use wxbot_sim::{AccountSpec, RoomMet, RoomSpec, Sim, World};

use crate::client::{Client, assert_clean, named, world};

#[tokio::test(start_paused = true)]
async fn the_address_book_comes_in_pages() {
    let friends = (0..23).fold(AccountSpec::new("xiaoli"), |account, number| account.friend(format!("f{number}")));
    let sim = Sim::new(World { page_size: 10, ..World::default() }.with(friends));
    let mut client = Client::online(&sim, "xiaoli").await;
    let (mut seq, mut pages) = (0, Vec::new());
    loop {
        let skey = client.skey.clone();
        let page = client.get(&format!("webwxgetcontact?r=1&seq={seq}&skey={skey}")).await;
        pages.push(page["MemberList"].as_array().unwrap().len());
        assert_eq!(page["MemberCount"], pages[pages.len() - 1]);
        seq = page["Seq"].as_u64().unwrap();
        if seq == 0 {
            break;
        }
    }
    assert_eq!(pages, [10, 10, 8], "23 friends and 5 services");
    assert_clean(&sim);
}

fn rooms() -> AccountSpec {
    let mut account = AccountSpec::new("xiaoli").friend("老王");
    for (topic, saved, met) in [
        ("init", false, RoomMet::Init),
        ("chatset", false, RoomMet::Chatset),
        ("notify", false, RoomMet::Notify),
        ("message", false, RoomMet::Message),
        ("saved", true, RoomMet::Message),
    ] {
        let members = ["老王", "a", "b", "c", "d"].map(str::to_owned).to_vec();
        account.rooms.push(RoomSpec { topic: topic.to_owned(), members, saved, met, ..RoomSpec::default() });
    }
    account
}

#[tokio::test(start_paused = true)]
async fn rooms_are_met_in_different_places() {
    let sim = Sim::new(World::default().with(rooms()));
    let mut client = Client::new(&sim);
    client.log_in(&sim, "xiaoli").await;
    let init = client.init().await;
    let me = client.me.clone();
    client.post("webwxstatusnotify?x=1", json!({"Code": 3, "FromUserName": me, "ToUserName": me})).await;
    let notify = client.sync().await;
    let book = client.get("webwxgetcontact?r=1&seq=0").await;

    assert_eq!(init["ContactList"].as_array().unwrap().iter().filter(|contact| is_room(contact)).count(), 1);
    assert_eq!(init["ChatSet"].as_str().unwrap().matches("@@").count(), 2);
    assert!(init["ChatSet"].as_str().unwrap().ends_with(','));
    let told = notify["AddMsgList"][0]["StatusNotifyUserName"].as_str().unwrap();
    assert_eq!(told.matches("@@").count(), 3);
    let wxids = notify["AddMsgList"][0]["Content"].as_str().unwrap();
    let wxids = crate::client::between(wxids, "&lt;username&gt;", "&lt;");
    assert_eq!(wxids.split(',').count(), told.split(',').count());
    let saved: Vec<&Value> = book["MemberList"].as_array().unwrap().iter().filter(|contact| is_room(contact)).collect();
    assert_eq!(saved.len(), 1);
    assert_eq!(saved[0]["MemberList"].as_array().unwrap().len(), 0, "members need a batch query");

    let shown = init["ContactList"].as_array().unwrap().iter().find(|contact| is_room(contact)).unwrap();
    assert_eq!(shown["MemberCount"], 6);
    assert_eq!(shown["MemberList"].as_array().unwrap().len(), 3);
    let list = json!([{"UserName": shown["UserName"], "EncryChatRoomId": ""}]);
    let batch = client.post("webwxbatchgetcontact?type=ex&r=1", json!({"Count": 1, "List": list})).await;
    assert_eq!(batch["ContactList"][0]["MemberList"].as_array().unwrap().len(), 6);
    assert_eq!(batch["ContactList"][0]["OwnerUin"], client.uin);
    assert_clean(&sim);
}

fn is_room(contact: &Value) -> bool {
    contact["UserName"].as_str().unwrap().starts_with("@@")
}

#[tokio::test(start_paused = true)]
async fn batches_have_a_limit() {
    let sim = Sim::new(world());
    let mut client = Client::online(&sim, "xiaoli").await;
    let list: Vec<Value> = (0..51).map(|_| json!({"UserName": "filehelper", "EncryChatRoomId": ""})).collect();
    for (count, list, ret, hard) in [(50, &list[..50], 0, 0), (51, &list[..], 1, 1), (3, &list[..2], 1, 2)] {
        let answer = client.post("webwxbatchgetcontact?type=ex&r=1", json!({"Count": count, "List": list})).await;
        assert_eq!(answer["BaseResponse"]["Ret"], ret);
        assert_eq!(sim.summary().hard_violations, hard);
    }
}

#[tokio::test(start_paused = true)]
async fn answers_have_all_fields_of_the_captures() {
    let sim = Sim::new(world());
    let mut client = Client::new(&sim);
    client.log_in(&sim, "xiaoli").await;
    let init = client.start().await;
    sim.deliver("xiaoli", wxbot_sim::Deliver::text("老王", "x")).unwrap();
    let sync = client.sync().await;
    let room = named(&init["ContactList"], "测试群");
    let list = json!([{"UserName": room, "ChatRoomId": ""}]);
    let batch = client.post("webwxbatchgetcontact?type=ex&r=1", json!({"Count": 1, "List": list})).await;
    for (name, want, got) in [
        ("init", &fixture("webwxinit.resp.json"), &init),
        ("contact", &fixture("webwxinit.resp.json")["ContactList"][1], &init["ContactList"][1]),
        ("sync", &fixture("webwxsync.resp.json"), &sync),
        ("message", &fixture("webwxsync.resp.json")["AddMsgList"][0], &sync["AddMsgList"][0]),
        ("batch", &fixture("webwxbatchgetcontact.resp.json"), &batch),
        (
            "member",
            &fixture("webwxbatchgetcontact.resp.json")["ContactList"][0]["MemberList"][0],
            &batch["ContactList"][0]["MemberList"][0],
        ),
    ] {
        same_shape(name, want, got);
    }
}

/// The captured answers that this shape was copied from, without their values.
fn fixture(name: &str) -> Value {
    let text = match name {
        "webwxinit.resp.json" => include_str!("../fixtures/webwxinit.resp.json"),
        "webwxsync.resp.json" => include_str!("../fixtures/webwxsync.resp.json"),
        _ => include_str!("../fixtures/webwxbatchgetcontact.resp.json"),
    };
    serde_json::from_str(text).unwrap()
}

/// Every field that the capture has is there and of the same kind.
pub(crate) fn same_shape(name: &str, want: &Value, got: &Value) {
    for (field, want) in want.as_object().unwrap() {
        let got = got.get(field).unwrap_or_else(|| panic!("{name} has no {field}"));
        assert_eq!(std::mem::discriminant(want), std::mem::discriminant(got), "{name}.{field}");
        if let (true, Value::Object(_)) = (field != "MemberList", want) {
            same_shape(field, want, got);
        }
    }
}
