//! Do messages of every kind look like the fixtures?

use serde_json::{Value, json};
use wxbot_sim::{Deliver, Said, Sim, SimError, VoipPhase, World, hostile_file_names};

use crate::client::{Client, assert_clean, world};

fn fixture(name: &str) -> Value {
    let path = format!("{}/../../tests/fixtures/webwx/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))).unwrap()
}

fn kinds() -> Vec<(&'static str, Said)> {
    let text = str::to_owned;
    vec![
        ("msg-3-image", Said::Image { data: None }),
        ("msg-34-voice", Said::Voice { data: None, ms: 1_580 }),
        ("x-msg-43-video", Said::Video { data: None, seconds: 5, short: false }),
        ("msg-62-microvideo", Said::Video { data: None, seconds: 8, short: true }),
        ("msg-47-emoticon", Said::Sticker { data: None, shop: false }),
        ("x-msg-1-location", Said::Location { lat: text("40.0"), lng: text("116.3"), label: text("昌平(南)") }),
        ("msg-42-card", Said::Card { nick: text("名片"), alias: text("card"), official: 0 }),
        ("msg-49-5-link", Said::Link { title: text("题"), url: text("http://a.test"), des: text("述") }),
        ("msg-49-3-music", Said::Music { title: text("歌"), url: text("u"), data_url: text("d&e"), des: text("人") }),
        ("x-msg-49-6-file", Said::File { name: text("25.6Mb文件.zip"), data: None }),
        (
            "x-msg-49-33-miniprogram",
            Said::MiniProgram { title: text("题"), name: text("程序"), appid: text("wx1"), page: text("p") },
        ),
        (
            "x-msg-49-57-refer",
            Said::Quote { title: text("还好"), msg_id: text("5"), who: text("三胖"), text: text("原<文>") },
        ),
        (
            "x-msg-49-0-chathistory",
            Said::ChatRecord {
                title: text("记录"), lines: vec![(text("甲"), text("a<b")), (text("乙"), text("嗨"))]
            },
        ),
        ("msg-10000-redpacket", Said::RedPacket {}),
        ("x-msg-49-2000-transfer", Said::Transfer { amount: text("￥0.10"), step: 1 }),
        ("x-msg-49-17-realtimelocation", Said::LocationSharing {}),
        ("x-msg-50-voip", Said::Voip { phase: VoipPhase::Message }),
        ("x-msg-52-voipnotify", Said::Voip { phase: VoipPhase::Notify }),
        ("x-msg-53-voipinvite", Said::Voip { phase: VoipPhase::Invite }),
    ]
}

/// Fields that say something in the fixture and must say something here, too.
fn told(message: &Value) -> Vec<&str> {
    let fields = message.as_object().unwrap().iter();
    let loud = fields.filter(|(_, value)| match value {
        Value::String(text) => !text.is_empty(),
        Value::Number(number) => number.as_u64() != Some(0),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => false,
    });
    loud.map(|(name, _)| name.as_str()).collect()
}

/// Elements in the XML of a message, in order.
fn elements(message: &Value) -> Vec<String> {
    let xml = message["Content"].as_str().unwrap().replace("&lt;", "<").replace("&gt;", ">");
    let tags = xml.split('<').skip(1).filter(|tag| tag.starts_with(|letter: char| letter.is_alphabetic()));
    tags.map(|tag| tag.split([' ', '>', '/']).next().unwrap().to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn shapes_are_those_of_the_fixtures() {
    let sim = Sim::new(world());
    let mut client = Client::online(&sim, "xiaoli").await;
    let kinds = kinds();
    for (_, said) in &kinds {
        sim.deliver("xiaoli", Deliver::said("老王", said.clone())).unwrap();
    }
    let sync = client.sync().await;
    let messages = sync["AddMsgList"].as_array().unwrap();
    assert_eq!(messages.len(), kinds.len());
    for ((name, _), got) in kinds.iter().zip(messages) {
        let want = fixture(name);
        for field in ["MsgType", "AppMsgType", "SubMsgType"] {
            assert_eq!(got[field], want[field], "{name}.{field}");
        }
        for field in told(&want) {
            assert!(told(got).contains(&field), "{name} says nothing in {field}");
        }
        for field in want.as_object().unwrap().keys() {
            assert!(got.get(field).is_some(), "{name} has no {field}");
        }
        let got_elements = elements(got);
        // Says that the file is over 25 MiB, and this one is not.
        let beside = ["islargefilemsg"];
        for element in elements(&want).iter().filter(|element| !beside.contains(&element.as_str())) {
            assert!(got_elements.contains(element), "{name} has no <{element}>: {got_elements:?}");
        }
    }
    assert_clean(&sim);
}

#[tokio::test(start_paused = true)]
async fn texts_inside_xml_are_escaped_as_often_as_it_is_nested() {
    let sim = Sim::new(world());
    let mut client = Client::online(&sim, "xiaoli").await;
    let lines = vec![("甲".to_owned(), "a<b]]>".to_owned())];
    sim.deliver("xiaoli", Deliver::said("老王", Said::ChatRecord { title: "x".into(), lines })).unwrap();
    let title = "</title><type>6</type>";
    let quote = Said::Quote { title: title.into(), msg_id: "5".into(), who: "w".into(), text: "<msg/>".into() };
    sim.deliver("xiaoli", Deliver::said("老王", quote)).unwrap();
    let sync = client.sync().await;
    let content = |at: usize| sync["AddMsgList"][at]["Content"].as_str().unwrap();
    assert!(content(0).contains("&lt;datadesc&gt;a&amp;lt;b]]&amp;gt;&lt;/datadesc&gt;"), "{}", content(0));
    assert!(content(1).contains("&lt;title&gt;&amp;lt;/title&amp;gt;&amp;lt;type&amp;gt;6"), "{}", content(1));
    assert_eq!(sync["AddMsgList"][1]["FileName"], title);
}

#[tokio::test(start_paused = true)]
async fn names_of_files_arrive_as_they_are() {
    let sim = Sim::new(world());
    let mut client = Client::online(&sim, "xiaoli").await;
    let names = hostile_file_names();
    for name in &names {
        let file = Said::File { name: name.clone(), data: Some("x".into()) };
        sim.deliver("xiaoli", Deliver::said("老王", file)).unwrap();
    }
    let sync = client.sync().await;
    let messages = sync["AddMsgList"].as_array().unwrap();
    let got: Vec<&str> = messages.iter().map(|message| message["FileName"].as_str().unwrap()).collect();
    assert_eq!(got, names);
    assert!(names.iter().any(|name| name.len() > 4_000) && names.iter().any(|name| name.contains('\0')));
    for message in messages {
        assert!(!message["Content"].as_str().unwrap().contains('\0'), "XML has no spelling for it");
        assert_eq!(message["AppMsgType"], 6);
    }
}

#[tokio::test(start_paused = true)]
async fn own_and_room_messages_have_media_too() {
    let sim = Sim::new(world());
    let mut client = Client::online(&sim, "xiaoli").await;
    let picture = || Said::Image { data: Some("bytes".into()) };
    let own = sim.deliver("xiaoli", Deliver::said("老王", picture()).own()).unwrap();
    let there = sim.deliver("xiaoli", Deliver::said("老王", picture()).in_room("测试群")).unwrap();
    sim.deliver("xiaoli", Deliver::said("老王", Said::RedPacket {}).own()).unwrap();
    let sync = client.sync().await;
    assert_eq!(sync["AddMsgList"][0]["FromUserName"], client.me.as_str());
    assert!(sync["AddMsgList"][1]["Content"].as_str().unwrap().contains(":<br/>&lt;msg&gt;"));
    assert!(sync["AddMsgList"][2]["Content"].as_str().unwrap().starts_with("发出红包"));
    for id in [own, there] {
        let path = format!("webwxgetmsgimg?&MsgID={id}&skey={}", client.skey);
        assert_eq!(client.download(&path, None).await.body, "bytes");
    }
}

#[tokio::test(start_paused = true)]
async fn there_is_no_room_for_everything() {
    let sim = Sim::new(World { media_limit: 10, ..world() });
    let big = Said::Image { data: Some("12345678901".into()) };
    let error = sim.deliver("xiaoli", Deliver::said("老王", big)).unwrap_err();
    assert_eq!(error, SimError::MediaFull { bytes: 11 });
    let both = Deliver { text: Some("x".into()), ..Deliver::said("老王", Said::RedPacket {}) };
    assert!(matches!(sim.deliver("xiaoli", both), Err(SimError::Invalid(_))));
}

#[test]
fn orders_are_read() {
    let order = json!({"from": "老王", "said": {"image": {"data": "AQID"}}});
    let message: Deliver = serde_json::from_value(order.clone()).unwrap();
    assert_eq!(message.said, Some(Said::Image { data: Some(vec![1, 2, 3].into()) }));
    assert_eq!(serde_json::to_value(&message).unwrap()["said"], order["said"]);
    for said in [json!({"red_packet": {}}), json!({"voip": {"phase": "notify"}}), json!({"file": {"name": "x"}})] {
        serde_json::from_value::<Said>(said).unwrap();
    }
    assert!(serde_json::from_value::<Said>(json!({"image": {"data": "%"}})).is_err());
    assert!(serde_json::from_value::<Said>(json!({"image": {"bytes": ""}})).is_err());
}
