//! Do the two gateways take what is right, and tell what is wrong?

use serde_json::{Value, json};
use wxbot_sim::{Running, WecomSetup, WecomSim};

use crate::peer::{ask, post, soon, world};

pub(crate) async fn wecom(change: impl FnOnce(&mut WecomSetup)) -> (Running<WecomSim>, u16) {
    let mut setup = WecomSetup::default();
    change(&mut setup);
    let wecom = WecomSim::start(&world(), setup).await.unwrap();
    let port = wecom.endpoint().rsplit(':').next().unwrap().parse().unwrap();
    (wecom, port)
}

/// A form with one file and texts.
pub(crate) async fn upload(
    port: u16,
    path: &str,
    file: &str,
    name: &str,
    bytes: &[u8],
    texts: &[(&str, &str)],
) -> Value {
    let mut body = Vec::new();
    for (key, text) in texts {
        body.extend(format!("--B\r\nContent-Disposition: form-data; name=\"{key}\"\r\n\r\n{text}\r\n").bytes());
    }
    let head = format!("--B\r\nContent-Disposition: form-data; name=\"{file}\"; filename=\"{name}\"\r\n\r\n");
    body.extend(head.bytes());
    body.extend(bytes);
    body.extend(b"\r\n--B--\r\n");
    let headers = "Content-Type: multipart/form-data; boundary=B\r\n";
    let (_, answer) = soon(ask(port, "POST", path, headers, &body)).await.unwrap();
    serde_json::from_slice(&answer).unwrap()
}

fn int(id: &str) -> u64 {
    id.parse().unwrap()
}

#[tokio::test]
async fn wxwork_takes_its_actions() {
    let (wecom, port) = wecom(|_| {}).await;
    let uuid = wecom.uuid("xiaoli").unwrap();
    let id = |name: &str| int(&wecom.id_of("xiaoli", name).unwrap());
    let (wang, zhen, room) = (id("老王"), id("阿珍"), id("测试群"));
    let image = upload(port, "/wxwork/CdnUploadImg", "file", "a.png", b"\x89PNG x", &[("uuid", &uuid)]).await;
    let file = upload(port, "/wxwork/CdnUploadFile", "file", "a.zip", b"zip", &[("uuid", &uuid)]).await;
    let (image, file) = (&image["data"], &file["data"]);
    for (action, body, pointer) in [
        ("SendTextMsg", json!({"send_userid": wang, "isRoom": false, "content": "你好"}), "/data/msg_id"),
        ("SendTextMsg", json!({"send_userid": room, "isRoom": true, "content": "群", "kf_id": 0}), "/data/app_info"),
        (
            "SendTextAtMsg",
            json!({"send_userid": room, "isRoom": true, "atids": [wang], "content": "x"}),
            "/data/at_list/0",
        ),
        (
            "SendTextAtMsgTwo",
            json!({"send_userid": room, "isRoom": true, "contentva": [{"msgtype": 5, "vid": 0}, {"msgtype": 0, "content": "a"}]}),
            "/data/msg_id",
        ),
        (
            "SendCDNImgMsg",
            json!({"send_userid": wang, "isRoom": false, "cdnkey": image["cdn_key"], "aeskey": image["aes_key"], "md5": image["md5"], "fileSize": image["size"], "width": image["width"], "height": image["height"]}),
            "/data/msg_id",
        ),
        (
            "SendCDNFileMsg",
            json!({"send_userid": wang, "isRoom": false, "cdnkey": file["fileid"], "aeskey": file["aes_key"], "md5": file["md5"], "file_name": "b.zip", "fileSize": file["size"]}),
            "/data/msg_id",
        ),
        (
            "SendLinkMsg",
            json!({"send_userid": wang, "isRoom": false, "url": "http://x", "title": "t", "content": "c", "imgurl": ""}),
            "/data/msg_id",
        ),
        (
            "SendBusinessCardMsg",
            json!({"send_userid": wang, "isRoom": false, "username": zhen, "nickname": "阿珍", "headImg": "", "enterpriseName": ""}),
            "/data/msg_id",
        ),
        (
            "SendLocationMsg",
            json!({"send_userid": wang, "isRoom": false, "longitude": 120.1, "latitude": "30.2", "address": "a", "detailed_address": "b"}),
            "/data/msg_id",
        ),
        ("GetRunClientInfo", json!({}), "/data/loginType"),
        ("getQrCode", json!({}), "/data/qrcode_data"),
        ("GetInnerContacts", json!({"limit": 1, "strSeq": ""}), "/data/list/0/nickname"),
        ("GetExternalContacts", json!({"limit": 10, "seq": 0}), "/data/list/1/user_id"),
        ("GetUserInfoByVids", json!({"vids": [wang]}), "/data/0/nickname"),
        ("GetChatroomMembers", json!({"limit": 10, "star_index": 0}), "/data/room_list/0/room_id"),
        ("GetRoomUserList", json!({"roomid": room}), "/data/member_list/0/uin"),
        ("CreateRoomWx", json!({"vids": [wang, zhen], "roomName": "新群"}), "/data/room_id"),
        ("InvitationToRoom", json!({"roomid": room, "vids": [zhen]}), "/data"),
        ("DelRoomUsers", json!({"roomid": room, "vids": [zhen]}), "/data"),
        ("SendNotice", json!({"roomid": room, "msg": "n"}), "/data"),
        ("UpdateRoomName", json!({"roomid": room, "roomname": "新名"}), "/data"),
        ("MarkAsRead", json!({"send_userid": wang, "isRoom": false}), "/data"),
    ] {
        let mut body = body;
        body["uuid"] = json!(uuid);
        let (status, answer) = post(port, &format!("/wxwork/{action}"), &body).await;
        let fine = status == 200 && answer["errcode"] == 0 && answer.pointer(pointer).is_some();
        assert!(fine, "{action}: {answer} {:?}", wecom.violations());
    }
    let sent = wecom.journal().heard[0].id.clone();
    let revoke = json!({"uuid": uuid, "msgid": int(&sent), "roomid": 0});
    assert_eq!(post(port, "/wxwork/RevokeMsg", &revoke).await.1["errcode"], 0);
    assert_eq!(wecom.violations(), []);
    let journal = wecom.journal();
    assert!(journal.heard[0].revoked);
    assert_eq!(
        journal.heard.iter().filter_map(|heard| heard.media.clone()).map(|media| media.len).collect::<Vec<_>>(),
        [6, 3]
    );
    assert_eq!(journal.heard[2].at, ["老王"]);
    assert_eq!(journal.heard[3].at, ["all"]);
}

#[tokio::test]
async fn wxwork_tells_what_is_wrong() {
    let (wecom, port) = wecom(|_| {}).await;
    let uuid = wecom.uuid("xiaoli").unwrap();
    let wang = int(&wecom.id_of("xiaoli", "老王").unwrap());
    for (action, body, want) in [
        (
            "SendTextMsg",
            json!({"uuid": uuid, "send_userid": wang.to_string(), "isRoom": false, "content": "a"}),
            "`send_userid` is not an integer without quotes",
        ),
        (
            "SendTextMsg",
            json!({"uuid": uuid, "send_userid": wang, "isRoom": "false", "content": "a"}),
            "`isRoom` is not true or false",
        ),
        (
            "SendTextMsg",
            json!({"uuid": uuid, "send_userid": wang, "isRoom": true, "content": "a"}),
            "`isRoom` does not fit `send_userid`",
        ),
        (
            "SendTextMsg",
            json!({"uuid": uuid, "send_userid": 5, "isRoom": false, "content": "a"}),
            "`send_userid` is nobody this account knows",
        ),
        (
            "SendTextMsg",
            json!({"uuid": "x", "send_userid": wang, "isRoom": false, "content": "a"}),
            "`uuid` is no instance",
        ),
        (
            "SendCDNFileMsg",
            json!({"uuid": uuid, "send_userid": wang, "isRoom": false, "cdnkey": "k", "aeskey": "a", "md5": "00", "file_name": "b", "fileSize": 1}),
            "`md5` is of nothing that was uploaded",
        ),
        (
            "RevokeMsg",
            json!({"uuid": uuid, "msgid": 1, "roomid": 0}),
            "`msgid` is of no message that this account sent",
        ),
        ("SendGroupsMsg", json!({"uuid": uuid}), "unknown path"),
        ("CloseConnect", json!({"uuid": uuid}), "unknown path"),
    ] {
        post(port, &format!("/wxwork/{action}"), &body).await;
        let found = wecom.violations();
        assert!(
            found.iter().any(|one| one.hard && one.what == want && one.endpoint.ends_with(action)),
            "{action}: {found:?}"
        );
    }
    wecom.logout("xiaoli").unwrap();
    let body = json!({"uuid": uuid, "send_userid": wang, "isRoom": false, "content": "a"});
    assert_eq!(post(port, "/wxwork/SendTextMsg", &body).await.1["errcode"], 500);
    assert_eq!(wecom.journal().heard, []);
}

#[tokio::test]
async fn qw_api_takes_mapped_actions() {
    let (wecom, port) = wecom(|_| {}).await;
    let headers = "Content-Type: application/json\r\nAuthorization: Bearer platform-token\r\n";
    let call = async |path: &str, body: Value| -> Value {
        let body = body.to_string();
        let (_, answer) = soon(ask(port, "POST", path, headers, body.as_bytes())).await.unwrap();
        serde_json::from_slice(&answer).unwrap()
    };
    let session = wecom.token("xiaoli").unwrap();
    let wang = wecom.id_of("xiaoli", "老王").unwrap();
    let room = format!("R:{}", wecom.id_of("xiaoli", "测试群").unwrap());
    let sent = call("/message/sendText", json!({"sessionId": session, "wxId": wang, "content": "你好"})).await;
    assert_eq!(sent["code"], 200);
    let sent = call(
        "/message/sendLink",
        json!({"sessionId": session, "wxId": room, "title": "t", "desc": "", "url": "http://x"}),
    )
    .await;
    let id = sent["data"]["messageId"].clone();
    let cancel = call("/message/cancelMsg", json!({"sessionId": session, "wxId": room, "messageId": id})).await;
    assert_eq!(cancel["code"], 200);
    assert_eq!(call("/contact/customer", json!({"sessionId": session})).await["data"]["items"][0]["nickName"], "老王");
    let made = call("/room/createRoom", json!({"sessionId": session, "members": wang})).await;
    assert!(made["data"].as_str().unwrap().starts_with("R:"));
    assert_eq!(wecom.violations(), []);

    wecom.logout("xiaoli").unwrap();
    let new = wecom.login("xiaoli").unwrap();
    assert_ne!(new, session);
    let text = |session: &str, to: &str| json!({"sessionId": session, "wxId": to, "content": "x"});
    assert_eq!(call("/message/sendText", text(&session, &wang)).await["code"], 500, "the session is over");
    assert_eq!(wecom.violations(), [], "which nobody could know");
    assert_eq!(call("/message/sendText", text(&new, &wang)).await["code"], 200);
    assert_eq!(call("/message/sendText", text(&new, room.trim_start_matches("R:"))).await["code"], 500);
    assert_eq!(post(port, "/message/sendText", &text(&new, &wang)).await.1["code"], 500);
    let whats: Vec<String> = wecom.violations().into_iter().map(|one| one.what).collect();
    assert_eq!(whats, ["`wxId` of a room begins with `R:`", "Authorization is not the bearer token of the platform"]);
}
