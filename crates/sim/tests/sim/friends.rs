//! How do friendships begin, change and end?

use serde_json::{Value, json};
use wxbot_sim::{Deliver, FriendSpec, Marks, Rejection, Sim, SimError, World};

use crate::between::{pair, two};
use crate::client::{Client, assert_clean, contents, named, world};

fn noticed(sim: &Sim) -> Vec<String> {
    let mark = |hard| if hard { "!" } else { "" };
    sim.violations().into_iter().map(|found| format!("{}{}", mark(found.hard), found.what)).collect()
}

fn verify(client: &Client, opcode: i64, who: &str, ticket: &str, content: &str) -> Value {
    json!({
        "Opcode": opcode, "VerifyUserListSize": 1, "VerifyUserList": [{"Value": who, "VerifyUserTicket": ticket}],
        "VerifyContent": content, "SceneListCount": 1, "SceneList": [33], "skey": client.skey
    })
}

async fn online(world: World) -> (Sim, Client, Value) {
    let sim = Sim::new(world);
    let mut client = Client::new(&sim);
    client.log_in(&sim, "xiaoli").await;
    let init = client.start().await;
    (sim, client, init)
}

fn newcomer() -> FriendSpec {
    FriendSpec { nick: "新人".into(), alias: "xinren".into(), sex: 1, ..FriendSpec::default() }
}

#[tokio::test(start_paused = true)]
async fn a_request_is_accepted_with_its_ticket() {
    let (sim, mut client, _) = online(world()).await;
    let id = sim.request_friend("xiaoli", newcomer(), "我是<新人>").unwrap();
    let sync = client.sync().await;
    let request = &sync["AddMsgList"][0];
    assert_eq!((&request["MsgId"], &request["MsgType"]), (&json!(id), &json!(37)));
    assert_eq!(request["FromUserName"], "fmessage");
    let info = &request["RecommendInfo"];
    assert_eq!(
        (&info["NickName"], &info["Content"], &info["OpCode"]),
        (&json!("新人"), &json!("我是<新人>"), &json!(2))
    );
    let content = request["Content"].as_str().unwrap();
    assert!(
        content.contains("content=\"我是&amp;lt;新人&amp;gt;\""),
        "escaped as XML and then for the wire: {content}"
    );
    let (who, ticket) = (info["UserName"].as_str().unwrap(), info["Ticket"].as_str().unwrap());
    assert!(ticket.starts_with("v2_") && ticket.ends_with("@stranger") && request["Ticket"] == ticket);

    for (name, body, ret, want) in [
        ("no ticket", verify(&client, 3, who, "", ""), -14, "!VerifyUserTicket is not that of the request"),
        (
            "misplaced",
            verify(&client, 3, who, "", ticket),
            -14,
            "!the ticket stands in VerifyContent and not in VerifyUserTicket",
        ),
        ("nobody", verify(&client, 3, "@x", ticket, ""), 1, "!Value is nobody the account knows"),
        ("opcode", verify(&client, 7, who, ticket, ""), 1, "Opcode is neither 2 nor 3"),
    ] {
        assert_eq!(client.post("webwxverifyuser?r=1", body).await["BaseResponse"]["Ret"], ret, "{name}");
        assert!(noticed(&sim).iter().any(|found| found == want), "{name}: {:?}", noticed(&sim));
    }
    let before = noticed(&sim).len();
    let body = verify(&client, 3, who, ticket, "");
    assert_eq!(client.post("webwxverifyuser?r=1", body.clone()).await["BaseResponse"]["Ret"], 0);
    let sync = client.sync().await;
    let friend = &sync["ModContactList"][0];
    assert_eq!((&friend["UserName"], &friend["ContactFlag"]), (&json!(who), &json!(3)));
    assert_eq!(contents(&sync), ["你已添加了新人，现在可以开始聊天了。"]);
    assert_eq!(client.send(who, "你好").await["BaseResponse"]["Ret"], 0);
    assert_eq!(noticed(&sim).len(), before);
    // A ticket is good once.
    assert_eq!(client.post("webwxverifyuser?r=1", body).await["BaseResponse"]["Ret"], -14);
    let entry = &sim.journal().verifies[4];
    assert_eq!((entry.opcode, entry.who.as_str()), (3, "新人"));
}

#[tokio::test(start_paused = true)]
async fn bodies_are_checked() {
    for (name, ret, want, spoil) in [
        (
            "size",
            1,
            "!VerifyUserListSize or SceneListCount is not the length of its list",
            (|body| body["VerifyUserListSize"] = json!(2)) as fn(&mut Value),
        ),
        ("scene", 0, "SceneList is not [33]", |body| body["SceneList"] = json!([3])),
        ("no skey", 0, "no skey in the body", |body| {
            body.as_object_mut().unwrap().remove("skey");
        }),
        ("skey", 0, "skey of the body is not the Skey", |body| body["skey"] = json!("@crypt_x")),
        ("ticket", 0, "a ticket in a request that has none", |body| {
            body["VerifyUserList"][0]["VerifyUserTicket"] = json!("v2_")
        }),
    ] {
        let (sim, mut client, init) = online(world()).await;
        let room = init["ContactList"].as_array().unwrap().iter().find(|room| room["NickName"] == "测试群").unwrap();
        let mut body = verify(&client, 2, &named(&room["MemberList"], "路人"), "", "hi");
        spoil(&mut body);
        assert_eq!(client.post("webwxverifyuser?r=1", body).await["BaseResponse"]["Ret"], ret, "{name}");
        assert_eq!(noticed(&sim), [want], "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn people_accept_by_themselves_or_by_order() {
    for by_itself in [true, false] {
        let (sim, mut client, init) = online(World { auto_accept: by_itself, ..world() }).await;
        let room = init["ContactList"].as_array().unwrap().iter().find(|room| room["NickName"] == "测试群").unwrap();
        let stranger = named(&room["MemberList"], "路人");
        assert!(matches!(sim.accept_friend("xiaoli", "路人"), Err(SimError::Invalid(_))), "never asked");
        let body = verify(&client, 2, &stranger, "", "认识一下");
        assert_eq!(client.post("webwxverifyuser?r=1", body).await["BaseResponse"]["Ret"], 0);
        if !by_itself {
            assert_eq!(client.send(&stranger, "x").await["BaseResponse"]["Ret"], 1204);
            sim.accept_friend("xiaoli", "路人").unwrap();
        }
        let sync = client.sync().await;
        assert_eq!(sync["ModContactList"][0]["UserName"], stranger.as_str());
        assert_eq!(
            contents(&sync),
            ["我通过了你的朋友验证请求，现在我们可以开始聊天了", "你已添加了路人，现在可以开始聊天了。"]
        );
        assert_eq!(client.send(&stranger, "x").await["BaseResponse"]["Ret"], 0);
        assert_eq!(sim.journal().verifies[0].content, "认识一下");
        assert_clean(&sim);
    }
}

#[tokio::test(start_paused = true)]
async fn accounts_become_friends() {
    let mut world = two();
    for account in &mut world.accounts {
        account.friends.truncate(1);
    }
    let sim = Sim::new(world);
    // Their friends were taken away: they only meet in the room.
    sim.change_room("a", "共同", wxbot_sim::RoomChange::Display("小乙".into(), "乙方".into())).unwrap();
    let ((mut a, _), (mut b, _)) = pair(&sim).await;
    sim.set_friend("a", FriendSpec { nick: "小乙".into(), account: "b".into(), ..FriendSpec::default() }).unwrap();
    sim.remove_friend("a", "小乙").unwrap();
    let sync = a.sync().await;
    let other = named(&sync["ModContactList"], "小乙");
    let body = verify(&a, 2, &other, "", "我是小甲");
    assert_eq!(a.post("webwxverifyuser?r=1", body).await["BaseResponse"]["Ret"], 0);
    let sync = b.sync().await;
    let info = &sync["AddMsgList"][0]["RecommendInfo"];
    assert_eq!((&info["NickName"], &info["Content"]), (&json!("小甲"), &json!("我是小甲")));
    let (who, ticket) = (info["UserName"].as_str().unwrap(), info["Ticket"].as_str().unwrap());
    let body = verify(&b, 3, who, ticket, "");
    assert_eq!(b.post("webwxverifyuser?r=1", body).await["BaseResponse"]["Ret"], 0);
    assert_eq!(contents(&b.sync().await), ["你已添加了小甲，现在可以开始聊天了。"]);
    assert_eq!(
        contents(&a.sync().await),
        ["我通过了你的朋友验证请求，现在我们可以开始聊天了", "你已添加了小乙，现在可以开始聊天了。"]
    );
    a.send(&other, "你好").await;
    assert_eq!(contents(&b.sync().await), ["你好"]);
    assert_clean(&sim);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_was_delivered_raw_can_be_accepted() {
    let (sim, mut client, _) = online(world()).await;
    let info = json!({"UserName": "@new", "NickName": "新", "Ticket": "v2_x@stranger"});
    sim.deliver("xiaoli", Deliver::raw("fmessage", 37, "&lt;msg/&gt;").field("RecommendInfo", info)).unwrap();
    let body = verify(&client, 3, "@new", "v2_x@stranger", "");
    assert_eq!(client.post("webwxverifyuser?r=1", body).await["BaseResponse"]["Ret"], 0);
    let sync = client.sync().await;
    assert_eq!(sync["ModContactList"][0]["UserName"], "@new");
    assert_clean(&sim);
}

#[tokio::test(start_paused = true)]
async fn friends_turn_away_in_silence() {
    for (how, text) in
        [(Rejection::Deleted, "老王开启了朋友验证"), (Rejection::Blocked, "消息已发出，但被对方拒收了。")]
    {
        let (sim, mut client, init) = online(world()).await;
        let wang = named(&init["ContactList"], "老王");
        sim.rejected_by("xiaoli", "老王", how).unwrap();
        assert!(client.sync().await["DelContactList"].as_array().unwrap().is_empty());
        assert_eq!(client.send(&wang, "在吗").await["BaseResponse"]["Ret"], 0);
        let sync = client.sync().await;
        assert_eq!(sync["AddMsgList"][0]["FromUserName"], wang.as_str());
        assert!(contents(&sync)[0].starts_with(text));
    }
}

#[tokio::test(start_paused = true)]
async fn pins_and_remarks() {
    let (sim, mut client, init) = online(world()).await;
    let (wang, room) = (named(&init["ContactList"], "老王"), named(&init["ContactList"], "测试群"));
    let op = |user: &str, more: Value| {
        let mut body = more;
        body["UserName"] = json!(user);
        body
    };
    for (body, flag, remark) in [
        (json!({"CmdId": 2, "RemarkName": "王总"}), 3, "王总"),
        (json!({"CmdId": 3, "OP": 1, "RemarkName": "王总"}), 3 | 2048, "王总"),
        (json!({"CmdId": 2, "RemarkName": "王"}), 3 | 2048, "王"),
        (json!({"CmdId": 3, "OP": 0, "RemarkName": "王"}), 3, "王"),
    ] {
        assert_eq!(client.post("webwxoplog?x=1", op(&wang, body)).await["BaseResponse"]["Ret"], 0);
        let changed = &client.sync().await["ModContactList"][0];
        assert_eq!((&changed["ContactFlag"], &changed["RemarkName"]), (&json!(flag), &json!(remark)));
    }
    assert_eq!(client.post("webwxoplog?x=1", op(&room, json!({"CmdId": 3, "OP": 1}))).await["BaseResponse"]["Ret"], 0);
    assert_eq!(client.sync().await["ModContactList"][0]["ContactFlag"], 2 | 2048);
    assert_clean(&sim);

    client.post("webwxoplog?x=1", op(&wang, json!({"CmdId": 3, "OP": 1}))).await;
    assert_eq!(client.sync().await["ModContactList"][0]["RemarkName"], "");
    for (body, want) in [
        (json!({"CmdId": 2}), "!CmdId 2 without RemarkName"),
        (json!({"CmdId": 3}), "!OP is neither 0 nor 1"),
        (json!({"CmdId": 9}), "!CmdId is neither 2 nor 3"),
    ] {
        assert_eq!(client.post("webwxoplog?x=1", op(&wang, body)).await["BaseResponse"]["Ret"], 1);
        assert!(noticed(&sim).iter().any(|found| found == want), "{want}");
    }
    assert_eq!(client.post("webwxoplog?x=1", op("@x", json!({"CmdId": 3, "OP": 1}))).await["BaseResponse"]["Ret"], 1);
    assert_eq!(noticed(&sim)[0], "CmdId 3 without RemarkName clears the remark");
}

#[tokio::test(start_paused = true)]
async fn a_new_login_has_new_names_and_marks_may_not_help() {
    let (sim, _client, first) = online(world()).await;
    let mut names = vec![named(&first["ContactList"], "老王")];
    for (marks, distinct, empty) in
        [(Marks::Own, true, false), (Marks::Absent, false, true), (Marks::Shared, false, false)]
    {
        sim.set_marks("xiaoli", marks).unwrap();
        let mut client = Client::new(&sim);
        client.log_in(&sim, "xiaoli").await;
        let init = client.start().await;
        let name = named(&init["ContactList"], "老王");
        assert!(!names.contains(&name), "all names are new");
        names.push(name);
        let of = |nick: &str| {
            let list = init["ContactList"].as_array().unwrap();
            list.iter().find(|contact| contact["NickName"] == nick).unwrap()["AttrStatus"].as_u64().unwrap()
        };
        assert_eq!(of("老王") != of("Anna"), distinct, "{marks:?}");
        assert_eq!(of("老王") == 0, empty, "{marks:?}");
    }
}
