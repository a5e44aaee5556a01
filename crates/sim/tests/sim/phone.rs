//! What do people do, and what arrives of it?

use std::time::Duration;

use serde_json::json;
use tokio_util::sync::CancellationToken;
use wxbot_sim::{Deliver, ScriptSpec, Sim, SimError, World};

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
