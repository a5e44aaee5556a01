//! Are captured requests understood, and are they answered in the shape of captured answers?

use serde_json::{Value, json};
use wxbot_sim::{FriendSpec, Sim};

use crate::client::{Client, md5, named, world};
use crate::contacts::same_shape;
use crate::uploads::PICTURE;

fn fixture(name: &str) -> Value {
    let path = format!("{}/../../tests/fixtures/webwx/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))).unwrap()
}

struct Rig {
    sim: Sim,
    client: Client,
    contacts: Value,
}

async fn rig() -> Rig {
    let sim = Sim::new(world());
    let mut client = Client::new(&sim);
    client.log_in(&sim, "xiaoli").await;
    let contacts = client.start().await["ContactList"].clone();
    Rig { sim, client, contacts }
}

impl Rig {
    /// The captured request with the names and keys of this session instead of its own.
    async fn ask(&mut self, endpoint: &str, name: &str, change: impl FnOnce(&mut Value)) -> Value {
        let mut body = fixture(name);
        body["BaseRequest"] = self.client.base_request();
        if body.get("Msg").is_some() {
            body["Msg"]["FromUserName"] = json!(self.client.me);
            body["Msg"]["ToUserName"] = json!("filehelper");
        }
        change(&mut body);
        let answer = self.client.post(endpoint, body).await;
        assert_eq!(answer["BaseResponse"]["Ret"], 0, "{name}: {answer}");
        let hard: Vec<String> =
            self.sim.violations().into_iter().filter(|found| found.hard).map(|found| found.what).collect();
        assert_eq!(hard, [""; 0], "{name}");
        answer
    }

    fn name(&self, nick: &str) -> String {
        named(&self.contacts, nick)
    }
}

#[tokio::test(start_paused = true)]
async fn sends() {
    let mut rig = rig().await;
    let picture = rig.client.media("a.png", PICTURE).await;
    let film = rig.client.media("a.mp4", b"\0\0\0\x18ftypmp42").await;
    let sheet = rig.client.media("top10.csv", &[b'1'; 1_760]).await;
    let image =
        rig.ask("webwxsendmsgimg?x=1", "webwxsendmsgimg.req", |body| body["Msg"]["MediaId"] = json!(picture)).await;
    same_shape("image", &fixture("webwxsendmsgimg.resp"), &image);
    rig.ask("webwxsendvideomsg?x=1", "x-webwxsendvideomsg.req", |body| body["Msg"]["MediaId"] = json!(film)).await;
    let sticker = rig.ask("webwxsendemoticon?fun=sys", "webwxsendemoticon.req", |_| {}).await;
    same_shape("sticker", &fixture("webwxsendemoticon.resp"), &sticker);
    rig.ask("webwxsendemoticon?fun=sys", "webwxsendemoticon-mediaid.req", |body| {
        body["Msg"]["MediaId"] = json!(picture)
    })
    .await;
    let file = rig
        .ask("webwxsendappmsg?x=1", "webwxsendappmsg.req", |body| {
            let content = body["Msg"]["Content"].as_str().unwrap().to_owned();
            let old = content.split("<attachid>").nth(1).unwrap().split('<').next().unwrap();
            body["Msg"]["Content"] = json!(content.replace(old, &sheet));
        })
        .await;
    same_shape("file", &fixture("webwxsendappmsg.resp"), &file);
    let recall = rig
        .ask("webwxrevokemsg?x=1", "webwxrevokemsg.req", |body| {
            (body["SvrMsgId"], body["ToUserName"]) = (file["MsgID"].clone(), json!("filehelper"));
        })
        .await;
    same_shape("recall", &fixture("webwxrevokemsg.resp"), &recall);
    let types: Vec<i64> = rig.sim.journal().sends.iter().map(|send| send.msg_type).collect();
    assert_eq!(types, [3, 43, 47, 47, 6]);
}

#[tokio::test(start_paused = true)]
async fn uploads() {
    let mut rig = rig().await;
    let bytes = vec![7; 25_929];
    let mut chunk = rig.client.chunks("a.bin", &bytes, &md5(&bytes)).remove(0);
    let own = std::mem::replace(&mut chunk.request, fixture("webwxuploadmedia-uploadmediarequest"));
    for field in ["BaseRequest", "FromUserName", "ToUserName", "FileMd5"] {
        chunk.request[field] = own[field].clone();
    }
    let answer = rig.client.put(&chunk).await;
    assert!(answer["MediaId"].as_str().unwrap().starts_with("@crypt_"), "{answer}");
    same_shape("upload", &fixture("webwxuploadmedia.resp"), &answer);
    let me = rig.client.me.clone();
    let check = rig
        .ask("webwxcheckupload?x=1", "x-webwxcheckupload.req", |body| {
            (body["FromUserName"], body["ToUserName"]) = (json!(me), json!("filehelper"));
        })
        .await;
    same_shape("check", &fixture("x-webwxcheckupload.resp"), &check);
    assert_eq!(rig.sim.violations(), []);
}

#[tokio::test(start_paused = true)]
async fn people() {
    let mut rig = rig().await;
    let room = rig.contacts.as_array().unwrap().iter().find(|contact| contact["NickName"] == "测试群").unwrap();
    let stranger = named(&room["MemberList"], "路人");
    let skey = rig.client.skey.clone();
    let asked = rig
        .ask("webwxverifyuser?r=1", "webwxverifyuser-add.req", |body| {
            (body["VerifyUserList"][0]["Value"], body["skey"]) = (json!(stranger), json!(skey));
        })
        .await;
    same_shape("verify", &fixture("webwxverifyuser.resp"), &asked);
    rig.sim.request_friend("xiaoli", FriendSpec { nick: "新".into(), ..FriendSpec::default() }, "hi").unwrap();
    let request = rig.client.sync().await["AddMsgList"][0]["RecommendInfo"].clone();
    rig.ask("webwxverifyuser?r=1", "webwxverifyuser-accept.req", |body| {
        let user = &mut body["VerifyUserList"][0];
        (user["Value"], user["VerifyUserTicket"]) = (request["UserName"].clone(), request["Ticket"].clone());
        body["skey"] = json!(skey);
    })
    .await;
    let wang = rig.name("老王");
    for name in
        ["webwxoplog-remark.req", "x-webwxoplog-pin-keepremark.req", "webwxoplog-unpin.req", "webwxoplog-pin.req"]
    {
        let answer = rig.ask("webwxoplog?x=1", name, |body| body["UserName"] = json!(wang)).await;
        same_shape(name, &fixture("webwxoplog.resp"), &answer);
    }
}

#[tokio::test(start_paused = true)]
async fn rooms() {
    let mut rig = rig().await;
    let (wang, anna) = (rig.name("老王"), rig.name("Anna"));
    let made = rig
        .ask("webwxcreatechatroom?r=1", "webwxcreatechatroom.req", |body| {
            (body["MemberList"], body["MemberCount"]) = (json!([{"UserName": wang}, {"UserName": anna}]), json!(2));
        })
        .await;
    let want = fixture("webwxcreatechatroom.resp");
    same_shape("room", &want, &made);
    same_shape("member", &want["MemberList"][0], &made["MemberList"][0]);
    let room = made["ChatRoomName"].clone();
    for (fun, field) in [("delmember", "DelMemberList"), ("addmember", "AddMemberList")] {
        let answer = rig
            .ask(&format!("webwxupdatechatroom?fun={fun}"), &format!("webwxupdatechatroom-{fun}.req"), |body| {
                (body["ChatRoomName"], body[field]) = (room.clone(), json!(anna));
            })
            .await;
        same_shape(fun, &fixture(&format!("webwxupdatechatroom-{fun}.resp")), &answer);
    }
    let topic = rig
        .ask("webwxupdatechatroom?fun=modtopic", "webwxupdatechatroom-modtopic.req", |body| {
            body["ChatRoomName"] = room.clone()
        })
        .await;
    same_shape("topic", &fixture("webwxupdatechatroom-modtopic.resp"), &topic);
    rig.ask("webwxupdatechatroom?fun=invitemember", "x-webwxupdatechatroom-invitemember.req", |body| {
        (body["ChatRoomName"], body["InviteMemberList"]) = (room.clone(), json!(anna));
    })
    .await;
}
