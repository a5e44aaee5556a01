//! What do people do, and what arrives of it?

use std::time::Duration;

use serde_json::json;
use tokio_util::sync::CancellationToken;
use wxbot_sim::{Chatter, Deliver, RoomChange, ScriptSpec, Sim, SimError, World};

use crate::client::{Client, assert_clean, contents, named, world, xiaoli};

#[tokio::test(start_paused = true)]
async fn messages_have_wire_form() {
    let sim = Sim::new(world());
    let mut client = Client::new(&sim);
    client.log_in(&sim, "xiaoli").await;
    let init = client.start().await;
    let wang = named(&init["ContactList"], "老王");
    let room = named(&init["ContactList"], "测试群");
    let me = client.me.clone();
    for message in [
        Deliver::text("老王", "a<b>\n😄"),
        Deliver::text("老王", "大家好").in_room("测试群"),
        Deliver::raw("", 10_000, "\"老王\"修改群名").in_room("测试群"),
        Deliver::text("老王", "我自己").own(),
        Deliver::raw("fmessage", 37, "&lt;msg/&gt;")
            .field("RecommendInfo", json!({"UserName": "@new", "NickName": "新"})),
    ] {
        sim.deliver("xiaoli", message).unwrap();
    }
    let sync = client.sync().await;
    let got: Vec<(&str, &str, &str)> = sync["AddMsgList"]
        .as_array()
        .unwrap()
        .iter()
        .map(|message| {
            let text = |field: &str| message[field].as_str().unwrap();
            (text("FromUserName"), text("ToUserName"), text("Content"))
        })
        .collect();
    let said = format!("{wang}:<br/>大家好");
    assert_eq!(
        got,
        [
            (wang.as_str(), me.as_str(), "a&lt;b&gt;<br/><span class=\"emoji emoji1f604\"></span>"),
            (room.as_str(), me.as_str(), said.as_str()),
            (room.as_str(), me.as_str(), "\"老王\"修改群名"),
            (me.as_str(), wang.as_str(), "我自己"),
            ("fmessage", me.as_str(), "&lt;msg/&gt;"),
        ]
    );
    let request = &sync["AddMsgList"][4];
    assert_eq!(request["RecommendInfo"]["NickName"], "新");
    assert_eq!(request["RecommendInfo"]["OpCode"], 0, "the other fields stay");

    // The stranger behind a friend request can be asked for.
    let list = json!([{"UserName": "@new", "EncryChatRoomId": ""}]);
    let batch = client.post("webwxbatchgetcontact?type=ex&r=1", json!({"Count": 1, "List": list})).await;
    assert_eq!(batch["ContactList"][0]["NickName"], "新");
    assert_clean(&sim);
}

#[tokio::test(start_paused = true)]
async fn impossible_messages_are_refused() {
    let sim = Sim::new(world());
    let both = Deliver { content: Some("x".to_owned()), ..Deliver::text("老王", "x") };
    for (name, message, want) in [
        ("nobody", Deliver::text("谁", "x"), "knows nobody called `谁`"),
        ("no room", Deliver::text("老王", "x").in_room("无"), "has no room `无`"),
        ("not a member", Deliver::text("Anna", "x").in_room("测试群"), "not a member"),
        ("text and content", both, "either"),
        ("neither", Deliver { from: "老王".to_owned(), ..Deliver::default() }, "either"),
    ] {
        let error = sim.deliver("xiaoli", message).unwrap_err().to_string();
        assert!(error.contains(want), "{name}: {error}");
    }
    assert!(matches!(sim.deliver("nobody", Deliver::text("老王", "x")), Err(SimError::UnknownAccount(_))));
    assert!(matches!(sim.recall("xiaoli", "5"), Err(SimError::UnknownMessage { .. })));
    assert!(matches!(sim.expire("xiaoli", 1101), Err(SimError::NoSession(_))));
    assert!(matches!(sim.expire("xiaoli", 7), Err(SimError::Invalid(_))));
}

#[tokio::test(start_paused = true)]
async fn friends_recall() {
    let sim = Sim::new(world());
    let mut client = Client::online(&sim, "xiaoli").await;
    let id = sim.deliver("xiaoli", Deliver::text("老王", "哎").in_room("测试群")).unwrap();
    let recall = sim.recall("xiaoli", &id).unwrap();
    let sync = client.sync().await;
    let message = &sync["AddMsgList"][1];
    assert_eq!(message["MsgId"], recall.as_str());
    assert_eq!(message["MsgType"], 10_002);
    let content = message["Content"].as_str().unwrap();
    assert!(content.starts_with('@') && content.contains(":<br/>&lt;sysmsg type=\"revokemsg\"&gt;"), "{content}");
    assert!(content.contains(&format!("&lt;msgid&gt;{id}&lt;/msgid&gt;")), "{content}");
    assert!(content.contains("&lt;![CDATA[\"老王\" 撤回了一条消息]]&gt;"), "{content}");
}

#[tokio::test(start_paused = true)]
async fn sends_are_taken_down() {
    let sim = Sim::new(world());
    let mut client = Client::new(&sim);
    client.log_in(&sim, "xiaoli").await;
    let init = client.start().await;
    let wang = named(&init["ContactList"], "老王");
    let room = named(&init["ContactList"], "测试群");
    let answer = client.send(&wang, "你好\n<b>").await;
    assert_eq!(answer["BaseResponse"]["Ret"], 0);
    assert_eq!(answer["LocalID"], "14766146756340001");
    let again = client.send_as(&wang, "你好\n<b>", "14766146756340001").await;
    assert_ne!(again["MsgID"], answer["MsgID"], "delivered again");
    client.send(&room, "群发").await;
    client.send("filehelper", "记事").await;
    let journal = sim.journal();
    let sends: Vec<(&str, bool, &str, bool)> = journal
        .sends_of("xiaoli")
        .map(|send| (send.to.as_str(), send.room, send.content.as_str(), send.duplicate))
        .collect();
    assert_eq!(
        sends,
        [
            ("老王", false, "你好\n<b>", false),
            ("老王", false, "你好\n<b>", true),
            ("测试群", true, "群发", false),
            ("filehelper", false, "记事", false),
        ]
    );
    assert_eq!(journal.sends[0].msg_id, answer["MsgID"].as_str().unwrap());
    assert!(contents(&client.sync().await).is_empty(), "own messages do not come back");
    let summary = sim.summary();
    assert_eq!((summary.sends, summary.duplicate_client_ids, summary.sends_by_content["群发"]), (4, 1, 1));
    assert_clean(&sim);
}

#[tokio::test(start_paused = true)]
async fn own_messages_can_be_recalled_for_two_minutes() {
    let sim = Sim::new(world());
    let mut client = Client::online(&sim, "xiaoli").await;
    let id = client.send("filehelper", "x").await["MsgID"].clone();
    let revoke = |to: &str| json!({"SvrMsgId": id, "ToUserName": to, "ClientMsgId": "14766146756340722"});
    let me = client.me.clone();
    assert_eq!(client.post("webwxrevokemsg?x=1", revoke(&me)).await["BaseResponse"]["Ret"], 1, "another chat");
    assert_eq!(client.post("webwxrevokemsg?x=1", revoke("filehelper")).await["BaseResponse"]["Ret"], 0);
    tokio::time::sleep(Duration::from_secs(121)).await;
    assert_eq!(client.post("webwxrevokemsg?x=1", revoke("filehelper")).await["BaseResponse"]["Ret"], 1);
    assert_eq!(sim.journal().recalls.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn scripts_speak_after_login() {
    let mut account = xiaoli();
    let line = ScriptSpec {
        friend: "老王".to_owned(),
        room: None,
        text: "在吗".to_owned(),
        after: Duration::from_secs(2),
        every: Some(Duration::from_secs(20)),
        ..ScriptSpec::default()
    };
    account.script = vec![
        line.clone(),
        ScriptSpec { room: Some("测试群".to_owned()), text: "大家好".to_owned(), every: None, ..line },
    ];
    let sim = Sim::new(World::default().with(account));
    let stop = CancellationToken::new();
    let test = async {
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(sim.journal().delivered.len(), 0, "nobody is online");
        let mut client = Client::online(&sim, "xiaoli").await;
        sim.wait_for(|journal| journal.delivered.len() == 4).await;
        let sync = client.sync().await;
        assert_eq!(contents(&sync).iter().filter(|content| content.ends_with("大家好")).count(), 1);
        assert_eq!(contents(&sync).iter().filter(|content| **content == "在吗").count(), 3);
        sim.kick("xiaoli").unwrap();
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(sim.journal().delivered.len(), 4, "nobody is online");
        Client::online(&sim, "xiaoli").await;
        sim.wait_for(|journal| journal.delivered.len() == 6).await;
        stop.cancel();
    };
    tokio::join!(test, sim.run_scripts(stop.clone()));
}

#[tokio::test(start_paused = true)]
async fn a_script_brings_people_into_a_room_and_lets_them_flood_it() {
    let mut account = xiaoli();
    let room = Some("测试群".to_owned());
    let change = Some(RoomChange::Invite { by: "老王".to_owned(), who: vec!["小刚".to_owned()] });
    let join = ScriptSpec { room: room.clone(), change, after: Duration::from_secs(1), ..ScriptSpec::default() };
    let flood = ScriptSpec {
        friend: "小刚".to_owned(),
        room,
        text: "快来".to_owned(),
        after: Duration::from_secs(2),
        every: Some(Duration::from_millis(100)),
        times: Some(6),
        ..ScriptSpec::default()
    };
    account.script = vec![join, flood];
    let sim = Sim::new(World::default().with(account));
    let stop = CancellationToken::new();
    let test = async {
        let mut client = Client::online(&sim, "xiaoli").await;
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        let sync = client.sync().await;
        assert_eq!(contents(&sync), ["\"老王\"邀请\"小刚\"加入了群聊"]);
        let members = sync["ModContactList"][0]["MemberList"].as_array().unwrap();
        assert!(members.iter().any(|member| member["NickName"] == "小刚"));
        tokio::time::sleep(Duration::from_secs(60)).await;
        let said = sim.journal().delivered.iter().filter(|one| one.content.ends_with("快来")).count();
        assert_eq!(said, 6);
        stop.cancel();
    };
    tokio::join!(test, sim.run_scripts(stop.clone()));
}

#[tokio::test(start_paused = true)]
async fn people_talk_at_a_pace() {
    let sim = Sim::new(World::default().with(xiaoli()));
    let _client = Client::online(&sim, "xiaoli").await;
    let chatter = Chatter {
        account: "xiaoli".to_owned(),
        room: Some("测试群".to_owned()),
        from: vec!["老王".to_owned(), "路人".to_owned()],
        texts: vec!["第{n}句".to_owned(), "哈".to_owned()],
        count: 100,
        over_ms: 10_000,
    };
    let done = sim.chatter(chatter.clone()).await.unwrap();
    assert_eq!(done.msg_ids.len(), 100);
    let journal = sim.journal();
    let said: Vec<_> = journal.delivered_to("xiaoli").collect();
    assert_eq!(said.len(), 100);
    let first: Vec<_> = said.iter().take(3).map(|one| (&*one.from, &*one.content)).collect();
    assert_eq!(first, [("老王", "第0句"), ("路人", "哈"), ("老王", "第2句")]);
    for (number, one) in said.iter().enumerate() {
        let at = one.at_ms - said[0].at_ms;
        let due = u64::try_from(number).unwrap() * 100;
        assert!((due..due + 20).contains(&at), "message {number} came after {at} ms");
    }
    for (name, wrong, want) in [
        ("nobody speaks", Chatter { from: Vec::new(), ..chatter.clone() }, "`from`"),
        ("nothing is said", Chatter { texts: Vec::new(), ..chatter.clone() }, "`texts`"),
        ("too much", Chatter { count: 100_001, ..chatter.clone() }, "100000"),
        ("a stranger", Chatter { from: vec!["谁".to_owned()], ..chatter }, "knows nobody called `谁`"),
    ] {
        let error = sim.chatter(wrong).await.unwrap_err().to_string();
        assert!(error.contains(want), "{name}: {error}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_removed_talks_no_more() {
    let sim = Sim::new(World::default().with(xiaoli()));
    let _client = Client::online(&sim, "xiaoli").await;
    let chatter = |from: &[&str]| Chatter {
        account: "xiaoli".to_owned(),
        room: Some("测试群".to_owned()),
        from: from.iter().map(|&nick| nick.to_owned()).collect(),
        texts: vec!["{n}".to_owned()],
        count: 10,
        over_ms: 1_000,
    };
    let kick = |nick: &str| RoomChange::Kick { by: "xiaoli".to_owned(), who: vec![nick.to_owned()] };
    let halfway = |nick: &'static str| {
        let sim = sim.clone();
        async move {
            tokio::time::sleep(Duration::from_millis(450)).await;
            sim.change_room("xiaoli", "测试群", kick(nick)).unwrap();
        }
    };
    let (both, ()) = tokio::join!(sim.chatter(chatter(&["老王", "路人"])), halfway("路人"));
    assert_eq!(both.unwrap().msg_ids.len(), 10, "the other one speaks in his place");
    let journal = sim.journal();
    assert_eq!(journal.delivered.iter().filter(|one| one.from == "路人" && one.msg_type == 1).count(), 2);
    let (alone, ()) = tokio::join!(sim.chatter(chatter(&["老王"])), halfway("老王"));
    assert_eq!(alone.unwrap().msg_ids.len(), 5, "nobody is left");
}
