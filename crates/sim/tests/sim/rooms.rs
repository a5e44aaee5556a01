//! How do rooms come to be, change and go?

use serde_json::{Value, json};
use wxbot_sim::{AccountSpec, Fault, FaultKind, FriendSpec, Lang, Rejection, RoomChange, Sim, World};

use crate::between::{pair, two};
use crate::client::{Client, assert_clean, contents, named, world};

fn noticed(sim: &Sim) -> Vec<String> {
    let mark = |hard| if hard { "!" } else { "" };
    sim.violations().into_iter().map(|found| format!("{}{}", mark(found.hard), found.what)).collect()
}

async fn online(world: World, account: &str) -> (Sim, Client, Value) {
    let sim = Sim::new(world);
    let mut client = Client::new(&sim);
    client.log_in(&sim, account).await;
    let init = client.start().await;
    (sim, client, init)
}

fn create(names: &[&str], topic: &str) -> Value {
    let list: Vec<Value> = names.iter().map(|name| json!({"UserName": name})).collect();
    json!({"MemberCount": list.len(), "MemberList": list, "Topic": topic})
}

fn members(room: &Value) -> Vec<&str> {
    room["MemberList"].as_array().unwrap().iter().map(|member| member["NickName"].as_str().unwrap()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_room_reaches_all_its_accounts() {
    let sim = Sim::new(two());
    let ((mut a, init_a), (mut b, _)) = pair(&sim).await;
    let (to_b, other) = (named(&init_a["ContactList"], "小乙"), named(&init_a["ContactList"], "路人甲"));
    let made = a.post("webwxcreatechatroom?r=1", create(&[&to_b, &other], "新群")).await;
    assert_eq!((&made["BaseResponse"]["Ret"], &made["MemberCount"]), (&json!(0), &json!(2)));
    let room = made["ChatRoomName"].as_str().unwrap().to_owned();
    assert!(room.starts_with("@@"));
    assert!(made["MemberList"].as_array().unwrap().iter().all(|member| member["MemberStatus"] == 0));
    let sync = a.sync().await;
    assert_eq!(sync["ModContactList"][0]["UserName"], room.as_str());
    assert_eq!(members(&sync["ModContactList"][0]), ["小甲", "小乙", "路人甲"]);
    assert_eq!(
        contents(&sync),
        ["你邀请\"小乙、路人甲\"加入了群聊  &lt;a href=\"weixin://revoke/\"&gt;撤销&lt;/a&gt;"]
    );
    let sync = b.sync().await;
    assert_eq!(contents(&sync), ["\"小甲\"邀请你和\"路人甲\"加入了群聊"]);
    let theirs = &sync["ModContactList"][0];
    assert_eq!((&theirs["NickName"], &theirs["IsOwner"]), (&json!("新群"), &json!(0)));
    let in_b = theirs["UserName"].as_str().unwrap().to_owned();
    assert_ne!(in_b, room);
    a.send(&room, "第一句").await;
    assert!(contents(&b.sync().await)[0].ends_with(":<br/>第一句"));

    // The topic, a newcomer, a removal: both sides are told what the service tells them.
    let topic = json!({"ChatRoomName": in_b, "NewTopic": "改了"});
    assert_eq!(b.post("webwxupdatechatroom?fun=modtopic", topic).await["BaseResponse"]["Ret"], 0);
    assert_eq!(contents(&b.sync().await), ["你修改群名为“改了”"]);
    let sync = a.sync().await;
    assert_eq!(contents(&sync), ["\"小乙\"修改群名为“改了”"]);
    assert_eq!(sync["ModContactList"][0]["NickName"], "改了");
    let not_owner = json!({"ChatRoomName": in_b, "DelMemberList": named(&theirs["MemberList"], "路人甲")});
    assert_eq!(b.post("webwxupdatechatroom?fun=delmember", not_owner).await["BaseResponse"]["Ret"], -66);
    let remove = json!({"ChatRoomName": room, "DelMemberList": format!("{to_b},{other}")});
    assert_eq!(a.post("webwxupdatechatroom?fun=delmember", remove).await["BaseResponse"]["Ret"], 0);
    let sync = a.sync().await;
    assert_eq!(contents(&sync), ["你将\"小乙、路人甲\"移出了群聊"]);
    assert_eq!(members(&sync["ModContactList"][0]), ["小甲"]);
    let sync = b.sync().await;
    assert_eq!(contents(&sync), ["你被\"小甲\"移出群聊"]);
    assert_eq!(sync["DelContactList"][0]["UserName"], in_b.as_str());
    assert_eq!(b.send(&in_b, "x").await["BaseResponse"]["Ret"], 1204);

    let again = json!({"ChatRoomName": room, "AddMemberList": to_b});
    let added = a.post("webwxupdatechatroom?fun=addmember", again).await;
    assert_eq!((&added["BaseResponse"]["Ret"], &added["MemberCount"]), (&json!(0), &json!(1)));
    assert_eq!(contents(&b.sync().await), ["\"小甲\"邀请你加入了群聊，群聊参与人还有："]);
    assert_eq!(
        b.post("webwxupdatechatroom?fun=quitchatroom", json!({"ChatRoomName": in_b})).await["BaseResponse"]["Ret"],
        0
    );
    a.sync().await;
    let journal = sim.journal();
    let calls = |account: &str| -> Vec<String> {
        let calls = journal.room_calls.iter().filter(|call| call.account == account);
        calls.map(|call| format!("{} {} {}", call.fun, call.who.join("+"), call.ret)).collect()
    };
    assert_eq!(calls("a"), ["create 小乙+路人甲 0", "delmember 小乙+路人甲 0", "addmember 小乙 0"]);
    assert_eq!(calls("b"), ["modtopic  0", "delmember 路人甲 -66", "quitchatroom  0"]);
    assert_clean(&sim);
}

#[tokio::test(start_paused = true)]
async fn rooms_that_cannot_be_made() {
    let (sim, mut client, init) = online(world(), "xiaoli").await;
    let (wang, anna, me) =
        (named(&init["ContactList"], "老王"), named(&init["ContactList"], "Anna"), client.me.clone());
    for (name, body, want) in [
        ("one", create(&[&wang], ""), "!a room of fewer than two others"),
        ("twice", create(&[&wang, &wang], ""), "!a room of fewer than two others"),
        ("self", create(&[&wang, &anna, &me], ""), "!the account itself is in MemberList"),
        ("nobody", create(&[&wang, "@x"], ""), "!a member is nobody the account knows"),
        (
            "count",
            json!({"MemberCount": 5, "MemberList": [{"UserName": wang}, {"UserName": anna}], "Topic": ""}),
            "!MemberCount is not the length of MemberList",
        ),
    ] {
        let answer = client.post("webwxcreatechatroom?r=1", body).await;
        assert_eq!((&answer["BaseResponse"]["Ret"], &answer["ChatRoomName"]), (&json!(1), &json!("")), "{name}");
        assert!(noticed(&sim).iter().any(|found| found == want), "{name}");
    }
    let before = noticed(&sim).len();
    sim.inject(Fault::once("webwxcreatechatroom", FaultKind::EmptyNames));
    let empty = client.post("webwxcreatechatroom?r=1", create(&[&wang, &anna], "")).await;
    assert_eq!((&empty["BaseResponse"]["Ret"], &empty["ChatRoomName"]), (&json!(0), &json!("")));
    assert!(empty["BaseResponse"]["ErrMsg"].as_str().unwrap().starts_with("<e>"));
    let often = FaultKind::Ret { ret: 1, msg: "操作太频繁，请稍后再试。".to_owned() };
    sim.inject(Fault::once("webwxcreatechatroom", often));
    assert_eq!(client.post("webwxcreatechatroom?r=1", create(&[&wang, &anna], "")).await["BaseResponse"]["Ret"], 1);
    assert_eq!(noticed(&sim).len(), before);

    // Who deleted or blocked the account is not drawn in.
    sim.rejected_by("xiaoli", "老王", Rejection::Blocked).unwrap();
    let made = client.post("webwxcreatechatroom?r=1", create(&[&wang, &anna], "")).await;
    let statuses: Vec<i64> =
        made["MemberList"].as_array().unwrap().iter().map(|member| member["MemberStatus"].as_i64().unwrap()).collect();
    assert_eq!(statuses, [3, 0]);
    assert_eq!(members(&client.sync().await["ModContactList"][0]).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn forty_members_are_asked() {
    let mut account = (0..41).fold(AccountSpec::new("xiaoli"), |account, number| account.friend(format!("f{number}")));
    let members: Vec<String> = (0..38).map(|number| format!("f{number}")).collect();
    account = account.room("大群", &members.iter().map(String::as_str).collect::<Vec<_>>());
    let (sim, mut client, init) = online(World { auto_accept: true, ..World::default() }.with(account), "xiaoli").await;
    let room = named(&init["ContactList"], "大群");
    let book = client.get("webwxgetcontact?r=1&seq=0").await;
    let friend = |nick: &str| named(&book["MemberList"], nick);
    let add = |list: String| json!({"ChatRoomName": room, "AddMemberList": list});
    assert_eq!(client.post("webwxupdatechatroom?fun=addmember", add(friend("f38"))).await["BaseResponse"]["Ret"], 1);
    let invite = json!({"ChatRoomName": room, "InviteMemberList": friend("f38")});
    assert_eq!(client.post("webwxupdatechatroom?fun=invitemember", invite).await["BaseResponse"]["Ret"], 0);
    let sync = client.sync().await;
    assert_eq!(sync["ModContactList"][0]["MemberCount"], 40);
    assert_clean(&sim);
    for (path, body, want) in [
        ("webwxupdatechatroom?fun=kick", json!({"ChatRoomName": room}), "!fun is none that the service knows"),
        (
            "webwxupdatechatroom?fun=addmember",
            json!({"ChatRoomName": room}),
            "!the field that belongs to fun is missing",
        ),
        ("webwxupdatechatroom?fun=addmember", add("@x".to_owned()), "!a member is nobody the account knows"),
        (
            "webwxupdatechatroom?fun=modtopic",
            json!({"ChatRoomName": "@@x", "NewTopic": "t"}),
            "!ChatRoomName is of no room",
        ),
    ] {
        assert_eq!(client.post(path, body).await["BaseResponse"]["Ret"], 1);
        assert!(noticed(&sim).iter().any(|found| found == want), "{want}");
    }
}

#[tokio::test(start_paused = true)]
async fn accounts_are_asked_with_a_card() {
    let sim = Sim::new(two());
    let ((mut a, init_a), (mut b, init_b)) = pair(&sim).await;
    sim.change_room("a", "共同", RoomChange::Leave("小乙".into())).unwrap();
    let gone = b.sync().await;
    assert_eq!(gone["DelContactList"][0]["UserName"], named(&init_b["ContactList"], "共同").as_str());
    let invite = json!({
        "ChatRoomName": named(&init_a["ContactList"], "共同"), "InviteMemberList": named(&init_a["ContactList"], "小乙")
    });
    assert_eq!(a.post("webwxupdatechatroom?fun=invitemember", invite).await["BaseResponse"]["Ret"], 0);
    let sync = b.sync().await;
    let card = &sync["AddMsgList"][0];
    assert_eq!((&card["AppMsgType"], &card["FileName"]), (&json!(5), &json!("邀请你加入群聊")));
    assert!(card["Content"].as_str().unwrap().contains("邀请你加入群聊共同，进入可查看详情。"));
    assert_clean(&sim);
}

#[tokio::test(start_paused = true)]
async fn people_change_rooms_on_their_phones() {
    for (lang, texts) in [
        (
            Lang::Zh,
            [
                "\"老王\"邀请\"丙\"加入了群聊",
                "\" 丁\"通过扫描你分享的二维码加入群聊",
                "\" 戊\"通过扫描\"老王\"分享的二维码加入群聊",
                "\"老王\"修改群名为“新”",
                "你被\"老王\"移出群聊",
            ],
        ),
        (
            Lang::En,
            [
                "老王 invited 丙 to the group chat",
                "\" 丁\" joined group chat via the QR code you shared",
                "\"戊\" joined the group chat via the QR Code shared by \"老王\"",
                "\"老王\" changed the group name to \"新\"",
                "You were removed from the group chat by \"老王\"",
            ],
        ),
    ] {
        let world = World::default().with(AccountSpec { lang, ..crate::client::xiaoli() });
        let (sim, mut client, _) = online(world, "xiaoli").await;
        let nick = str::to_owned;
        for change in [
            RoomChange::Invite { by: nick("老王"), who: vec![nick("丙")] },
            RoomChange::JoinByQr { of: nick("xiaoli"), who: nick("丁") },
            RoomChange::JoinByQr { of: nick("老王"), who: nick("戊") },
            RoomChange::RenameBy { by: nick("老王"), topic: nick("新") },
        ] {
            let topic = if sim.journal().delivered.len() == 4 { "新" } else { "测试群" };
            sim.change_room("xiaoli", topic, change).unwrap();
        }
        // Members go without a word, and the owner may change.
        sim.change_room("xiaoli", "新", RoomChange::Leave(nick("路人"))).unwrap();
        sim.change_room("xiaoli", "新", RoomChange::Owner(nick("老王"))).unwrap();
        let sync = client.sync().await;
        assert_eq!(contents(&sync), texts[..4]);
        let room = sync["ModContactList"].as_array().unwrap().last().unwrap();
        assert_eq!(members(room), ["xiaoli", "老王", "丙", "丁", "戊"]);
        assert_eq!(room["IsOwner"], 0);
        sim.change_room("xiaoli", "新", RoomChange::Kick { by: nick("老王"), who: vec![nick("xiaoli")] }).unwrap();
        let sync = client.sync().await;
        assert_eq!(contents(&sync), texts[4..]);
        assert_eq!(sync["DelContactList"].as_array().unwrap().len(), 1);
        assert_clean(&sim);
    }
}

#[tokio::test(start_paused = true)]
async fn a_room_can_lose_its_bits_only() {
    let (sim, mut client, init) = online(world(), "xiaoli").await;
    sim.change_room("xiaoli", "测试群", RoomChange::Vanish).unwrap();
    let sync = client.sync().await;
    assert_eq!(sync["ModContactList"][0]["UserName"], named(&init["ContactList"], "测试群").as_str());
    assert_eq!(sync["ModContactList"][0]["ContactFlag"], 0);
    assert!(sync["DelContactList"].as_array().unwrap().is_empty());
}

#[test]
fn two_accounts_may_change_rooms_at_the_same_time() {
    // Both sides look at each other while they act: nobody may wait for the other's lock with his own in hand. Threads
    // of their own, for tasks of one runtime would take turns; not joined, for a lock that is stuck stays so.
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut world = two();
    for account in &mut world.accounts {
        account.friends.push(FriendSpec { nick: "第三人".into(), ..FriendSpec::default() });
    }
    let (sim, both) = runtime().block_on(async {
        let sim = Sim::new(world);
        let ((a, init_a), (b, init_b)) = pair(&sim).await;
        (sim, [(a, init_a, "小乙"), (b, init_b, "小甲")])
    });
    let together = std::sync::Arc::new(std::sync::Barrier::new(2));
    let (done, ended) = std::sync::mpsc::sync_channel(2);
    for (mut client, init, other) in both {
        let (together, done) = (std::sync::Arc::clone(&together), done.clone());
        std::thread::spawn(move || {
            let people = [named(&init["ContactList"], other), named(&init["ContactList"], "第三人")];
            for _ in 0..100 {
                together.wait();
                let body = create(&[&people[0], &people[1]], "");
                let made = runtime().block_on(client.post("webwxcreatechatroom?r=1", body));
                assert_eq!(made["BaseResponse"]["Ret"], 0);
            }
            done.send(()).unwrap();
        });
    }
    for _ in 0..2 {
        ended.recv_timeout(std::time::Duration::from_secs(20)).expect("both come to an end");
    }
    assert_eq!(sim.journal().room_calls.len(), 200);
}
