//! Are pushes of the documented shape, and do own messages come back twice?

use serde_json::{Value, json};
use wxbot_sim::{HookRoomChange, HookSay, Said, Sloppy};

use crate::hook_actions::Town;
use crate::peer::{ask, post, soon};

/// A sample.
pub(crate) fn fixture(folder: &str, name: &str) -> String {
    let path = format!("{}/../../tests/fixtures/{folder}/{name}.json", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The tokens of JSON text that make its shape: brackets, keys in their order, and the types of values.
pub(crate) fn shape(text: &str) -> String {
    let (mut shape, mut rest) = (String::new(), text);
    while let Some(letter) = rest.chars().next() {
        if letter == '"' {
            let mut end = 1;
            while !rest[end..].starts_with('"') {
                end += if rest[end..].starts_with('\\') { 2 } else { rest[end..].chars().next().unwrap().len_utf8() };
            }
            let (quoted, after) = rest.split_at(end + 1);
            rest = after;
            let is_key = after.trim_start().starts_with(':');
            shape.push_str(if is_key { quoted } else { "TEXT" });
        } else if letter.is_ascii_digit() {
            rest = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
            shape.push_str("NUMBER");
        } else {
            rest = &rest[letter.len_utf8()..];
            if !letter.is_whitespace() {
                shape.push(letter);
            }
        }
    }
    shape
}

#[tokio::test]
async fn what_people_say_has_the_shape_of_the_samples() {
    let town = Town::new(|setup| setup.fromid = false).await;
    let (hook, from) = (&town.hook, "老王");
    hook.say("xiaoli", HookSay::text(from, "hi")).unwrap();
    hook.say("xiaoli", HookSay::in_room("测试群", "路人", "111")).unwrap();
    let image = HookSay { with_status: true, ..HookSay::said(from, Said::Image { data: None }) };
    hook.say("xiaoli", image).unwrap();
    hook.say("xiaoli", HookSay::said(from, Said::Sticker { data: None, shop: false })).unwrap();
    hook.say("xiaoli", HookSay::said(from, Said::Voice { data: None, ms: 1_980 })).unwrap();
    let text = hook.say("xiaoli", HookSay::text(from, "oops")).unwrap();
    hook.recall("xiaoli", &text).unwrap();
    hook.switch_chat("xiaoli", "filehelper").unwrap();
    hook.invite_result("xiaoli", "测试群", "Everything is OK").unwrap();
    hook.logout("xiaoli").unwrap();
    soon(hook.settled()).await;
    let got = town.receiver.got();
    let names = [
        "x-recv-text-private",
        "recv-text-group-prefixed",
        "recv-image-batch-with-51",
        "recv-image-flat",
        "recv-gif",
        "recv-gif-flat",
        "recv-voice",
        "x-recv-text-private",
        "x-recv-revoke-10002",
        "switch-chat",
        "group-invite-result-20001",
        "logout",
    ];
    assert_eq!(got.len(), names.len());
    for (got, name) in got.iter().zip(names) {
        assert_eq!(shape(&got.body), shape(&fixture("pc-hook", name)), "{name}");
        assert!(got.head.to_lowercase().contains("content-type: application/json"), "{}", got.head);
    }
    let bodies = town.receiver.bodies();
    assert_eq!(bodies[0]["ServerPort"], town.port.to_string());
    assert_eq!(bodies[1]["msglist"][0]["msg"], format!("{}:\n111", town.id("路人")));
    // The flattened push has an id of its own, and the same XML.
    assert_ne!(bodies[2]["msglist"][1]["msgsvrid"], bodies[3]["msgsvrid"]);
    assert_eq!(bodies[2]["msglist"][1]["msg"], bodies[3]["msg"]);
    // The picture lies where the push says, hidden by one byte.
    let dat = std::fs::read(bodies[3]["img_path"].as_str().unwrap()).unwrap();
    assert_eq!([dat[0] ^ dat[1], dat[1] ^ dat[2]], [0x89 ^ b'P', b'P' ^ b'N']);
    let sticker = &bodies[4]["msglist"][0];
    let url = sticker["gif_url"].as_str().unwrap();
    assert!(sticker["msg"].as_str().unwrap().contains(&format!("cdnurl = \"{url}\"")), "bare & as in the sample");
    let path = url.split_once(&town.port.to_string()).unwrap().1;
    assert!(ask(town.port, "GET", path, "", b"").await.unwrap().1.starts_with(b"GIF89a"));
    let voice = bodies[6]["msglist"][0]["voip_data"].as_str().unwrap();
    assert!(voice.starts_with("02232153494C4B5F5633"), "{voice}");
    assert_eq!(bodies[8]["msglist"][0]["revoke_msg"], "oops");
    assert_eq!(bodies[9]["msglist"][0]["name"], "文件传输助手");
}

#[tokio::test]
async fn own_messages_come_back_in_two_phases() {
    let town = Town::new(|_| {}).await;
    let file = town.file("version.dll", b"MZ");
    for (action, body, first, second) in [
        ("SendTextMsg", json!({"wxid": "filehelper", "msg": "大佬666~"}), "sent-text-1-local", "sent-text-2-ack"),
        ("SendPicMsg", json!({"wxid": "filehelper", "picpath": file}), "sent-image-1-local", "sent-image-2-ack"),
        ("SendFileMsg", json!({"wxid": "filehelper", "filepath": file}), "sent-file-1-local", "sent-file-2-ack"),
        ("SendVideoMsg", json!({"wxid": "filehelper", "videopath": file}), "sent-video-1-local", "sent-video-2-ack"),
    ] {
        post(town.port, &format!("/{action}"), &body).await;
        soon(town.hook.settled()).await;
        let got = town.receiver.got();
        for (got, name) in got.iter().rev().take(2).rev().zip([first, second]) {
            let sample: Value = serde_json::from_str(&fixture("pc-hook", name)).unwrap();
            let push: Value = serde_json::from_str(&got.body).unwrap();
            assert_eq!(shape(&got.body), shape(&fixture("pc-hook", name)), "{name}");
            assert_eq!(push["msgnumber"], sample["msgnumber"], "{name}");
            for key in ["msgtype", "toid"] {
                assert_eq!(push["msglist"][0][key], sample["msglist"][0][key], "{name} {key}");
            }
            if name.ends_with("ack") {
                assert_eq!(push["msglist"][0]["msg"], sample["msglist"][0]["msg"], "{name}");
                let heard = town.hook.journal().heard.last().unwrap().id.clone();
                assert_eq!(push["msglist"][0]["msgsvrid"], heard);
            }
        }
    }
    assert_eq!(town.receiver.got().len(), 8);
    assert_eq!(town.hook.violations(), []);
}

#[tokio::test]
async fn a_path_of_another_machine() {
    let town = Town::new(|setup| setup.named_as = Some("Z:\\media".to_owned())).await;
    town.file("a.png", b"\x89PNG");
    let body = json!({"wxid": "filehelper", "picpath": "Z:\\media\\a.png"});
    assert_eq!(post(town.port, "/SendPicMsg", &body).await.1, json!({"SendPicMsg": "1"}));
    town.hook.say("xiaoli", HookSay::said("老王", Said::Image { data: None })).unwrap();
    soon(town.hook.settled()).await;
    let bodies = town.receiver.bodies();
    assert_eq!(bodies[0]["msglist"][0]["img_path"], "Z:\\\\media\\\\a.png", "doubled, as in the sample");
    assert!(bodies[2]["msglist"][0]["img_path"].as_str().unwrap().starts_with("Z:\\media\\WeChat Files\\"));
    let outside = json!({"wxid": "filehelper", "picpath": "Z:\\media\\..\\b.png"});
    assert_eq!(post(town.port, "/SendPicMsg", &outside).await.1, json!({"SendPicMsg": "0"}));
}

#[tokio::test]
async fn modes_are_chosen_over_http() {
    let town = Town::new(|_| {}).await;
    let other = crate::peer::Receiver::start().await;
    let say = || town.hook.say("xiaoli", HookSay::text("老王", "hello")).unwrap();
    let configure = |mode: &str| json!({"isEnable": mode, "url": other.url});
    assert_eq!(post(town.port, "/ConfigureMsgRecive", &configure("2")).await.1, json!({"ConfigureMsgRecive": "1"}));
    say();
    soon(town.hook.settled()).await;
    let got = other.got().remove(0).body;
    assert!(got.ends_with("\",}"), "the comma of the sample: {got}");
    assert_eq!(shape(&got.replace(",}", "}")), shape(&fixture("pc-hook", "mode2-raw-pb")));
    assert!(got.contains("68656C6C6F"), "hello: {got}");
    post(town.port, "/ConfigureMsgRecive", &configure("0")).await;
    say();
    soon(town.hook.settled()).await;
    assert_eq!(other.got().len(), 1, "off");
    town.hook.restart("xiaoli").unwrap();
    say();
    soon(town.hook.settled()).await;
    assert_eq!((other.got().len(), town.receiver.got().len()), (1, 1), "what was configured is forgotten");
}

#[tokio::test]
async fn rooms_and_instances() {
    let town = Town::new(|setup| setup.group_names = true).await;
    let change = |change| town.hook.change_room("xiaoli", "测试群", change).unwrap();
    change(HookRoomChange::Join { by: "老王".to_owned(), who: vec!["新人".to_owned()] });
    change(HookRoomChange::Rename { by: "xiaoli".to_owned(), topic: "测试群".to_owned() });
    change(HookRoomChange::Leave { by: "老王".to_owned(), who: vec!["xiaoli".to_owned()] });
    town.hook.say("second", HookSay::text("小张", "hi")).unwrap();
    soon(town.hook.settled()).await;
    let mut texts: Vec<Value> = town.receiver.bodies().iter().map(|body| body["msglist"][0]["msg"].clone()).collect();
    texts.sort_by_key(ToString::to_string);
    let mut want = [
        json!("\"老王\"邀请\"新人\"加入了群聊"),
        json!("你修改群名为“测试群”"),
        json!("你被\"老王\"移出群聊"),
        json!("hi"),
    ];
    want.sort_by_key(ToString::to_string);
    assert_eq!(texts, want);
    let second = town.hook.port("second").unwrap().to_string();
    let bodies = town.receiver.bodies();
    let other = bodies.iter().find(|body| body["ServerPort"] == second).unwrap();
    assert_eq!(other["selfwxid"], town.hook.wxid("second").unwrap());
    assert!(bodies.iter().any(|body| body["msglist"][0]["fromgname"] == "测试群"));
    assert!(town.hook.say("xiaoli", HookSay::in_room("测试群", "老王", "gone")).is_err());
}

#[tokio::test]
async fn orders_over_http() {
    let town = Town::new(|_| {}).await;
    let order = async |path: &str, body: Value| post(town.port, &format!("/__sim/{path}"), &body).await;
    let said = order("say", json!({"account": "xiaoli", "say": {"from": "老王", "text": "hi"}, "count": 3})).await;
    assert_eq!((said.0, said.1["ids"].as_array().unwrap().len()), (200, 3));
    let said =
        json!({"account": "xiaoli", "say": {"from": "老王", "said": {"link": {"title": "t", "url": "http://x"}}}});
    assert_eq!(order("say", said).await.0, 200);
    let room = json!({"account": "xiaoli", "room": "测试群", "change": {"join": {"by": "老王", "who": ["新人"]}}});
    assert_eq!(order("room", room).await.0, 200);
    assert_eq!(order("friend_request", json!({"account": "xiaoli", "from": {"nick": "生人"}})).await.0, 200);
    assert_eq!(order("sloppy", json!({"account": "xiaoli", "sloppy": {"commas": true, "numbers": true}})).await.0, 200);
    town.hook.say("xiaoli", HookSay::text("老王", "sloppy")).unwrap();
    soon(town.hook.settled()).await;
    let last = town.receiver.got().pop().unwrap().body;
    assert!(last.ends_with(",},],}") && last.contains("\"msgtype\":1,"), "{last}");
    town.hook.set_sloppy("xiaoli", Sloppy::default()).unwrap();
    for (path, body, status) in [
        ("say", json!({"account": "nobody", "say": {"from": "老王", "text": "x"}}), 404),
        ("say", json!({"account": "xiaoli", "say": {"from": "老王"}}), 400),
        ("say", json!({"account": "xiaoli", "say": {"from": "谁", "text": "x"}}), 404),
        ("recall", json!({"account": "xiaoli", "id": "1"}), 404),
        ("nothing", json!({}), 404),
    ] {
        assert_eq!(order(path, body).await.0, status, "{path}");
    }
    let page = "Origin: http://evil\r\nContent-Type: application/json\r\n";
    assert_eq!(ask(town.port, "POST", "/__sim/logout", page, b"{\"account\":\"xiaoli\"}").await.unwrap().0, 403);
    let (_, world) = ask(town.port, "GET", "/__sim/world", "", b"").await.unwrap();
    let world: Value = serde_json::from_slice(&world).unwrap();
    assert_eq!(world["instances"][0]["port"], town.port);
}
