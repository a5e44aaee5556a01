//! Is each action's right request taken, and each wrong one told?

use serde_json::{Value, json};
use wxbot_sim::{HookProfile, HookSay, HookSetup, HookSim, HookYes, PushMode, Running, Said};

use crate::peer::{Receiver, ask, post, world};

pub(crate) struct Town {
    pub(crate) hook: Running<HookSim>,
    pub(crate) port: u16,
    pub(crate) receiver: Receiver,
    pub(crate) folder: tempfile::TempDir,
}

impl Town {
    pub(crate) async fn new(change: impl FnOnce(&mut HookSetup)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let receiver = Receiver::start().await;
        let mut setup = HookSetup { callback: Some(receiver.url.clone()), ..HookSetup::new(folder.path()) };
        change(&mut setup);
        let hook = HookSim::start(&world(), setup).await.unwrap();
        let port = hook.port("xiaoli").unwrap();
        Self { hook, port, receiver, folder }
    }

    pub(crate) fn id(&self, name: &str) -> String {
        self.hook.id_of("xiaoli", name).unwrap()
    }

    /// A file of the hook's machine, by the name it has there.
    pub(crate) fn file(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn every_v3_action_takes_its_right_request() {
    let town = Town::new(|_| {}).await;
    let (wang, zhen, gid, me) =
        (town.id("老王"), town.id("阿珍"), town.id("测试群"), town.hook.wxid("xiaoli").unwrap());
    let picture = town.file("a.png", b"\x89PNG picture");
    let silk = town.file("a.silk", b"\x02#!SILK_V3 sound");
    let out = town.folder.path().join("out.png").to_str().unwrap().to_owned();
    let image = town.hook.say("xiaoli", HookSay::said("老王", Said::Image { data: None })).unwrap();
    let voice = town.hook.say("xiaoli", HookSay::said("老王", Said::Voice { data: None, ms: 1_980 })).unwrap();
    town.hook.settled().await;
    let pushes = town.receiver.bodies();
    let entry = pushes[0]["msglist"][0].clone();
    let fileid = entry["msg"].as_str().unwrap().split("cdnmidimgurl=\"").nth(1).unwrap().split('"').next().unwrap();
    let (_, sent) = post(town.port, "/SendAtMsg_NoSrc", &json!({"gid": gid, "wxidlist": wang, "msg": "1"})).await;
    let sent: u64 = sent["MsgSvrID"].as_str().unwrap().parse().unwrap();
    let request = wxbot_sim::FriendSpec { nick: "新人".to_owned(), ..wxbot_sim::FriendSpec::default() };
    town.hook.friend_request("xiaoli", &request, "你好").unwrap();
    town.hook.settled().await;
    let xml = town.receiver.bodies().last().unwrap()["msglist"][0]["msg"].as_str().unwrap().to_owned();
    let of = |name: &str| xml.split(&format!(" {name}=\"")).nth(1).unwrap().split('"').next().unwrap().to_owned();

    let yes = |name: &str| json!({name: "1"});
    for (action, body, want) in [
        ("SendTextMsg", json!({"wxid": wang, "msg": "你好"}), yes("SendTextMsg")),
        ("SendTextMsg", json!({"wxid": wang, "wxidorgid": wang, "toid": wang, "msg": "a"}), yes("SendTextMsg")),
        ("SendTextMsg_NoSrc", json!({"wxidorgid": gid, "msg": "a"}), yes("SendTextMsg_NoSrc")),
        (
            "SendAtMsg",
            json!({"gid": gid, "wxidlist": wang, "nicknamelist": "老王", "msg": ""}),
            json!({"SendAtAllMsg": "1"}),
        ),
        ("SendAtMsg", json!({"gid": gid, "wxid": wang, "msg": "x", "desc": "老王"}), yes("SendAtMsg")),
        ("SendAtAllMsg", json!({"gid": gid, "msg": "all"}), yes("SendAtAllMsg")),
        ("SendPicMsg", json!({"wxid": wang, "picpath": picture, "diyfilename": "1.png"}), yes("SendPicMsg")),
        ("SendFileMsg", json!({"wxid": "filehelper", "filepath": picture}), yes("SendFileMsg")),
        ("SendVideoMsg", json!({"wxid": gid, "videopath": picture}), yes("SendVideoMsg")),
        ("SendGIFMsg", json!({"wxid": wang, "gifpath": picture}), yes("SendGIFMsg")),
        ("SendCardMsg", json!({"towxid": wang, "fromwxid": zhen, "nickname": "阿珍"}), yes("SendCardMsg")),
        (
            "FowardEssayMsg",
            json!({"towxid": wang, "title": "t", "desc": "d", "url": "http://x"}),
            yes("FowardEssayMsg"),
        ),
        ("FowardAppMsg", json!({"towxid": wang, "imgpath": "", "xml": "<appmsg/>"}), yes("FowardAppMsg")),
        (
            "FowardMusicMsg",
            json!({"towxid": wang, "imgpath": "", "title": "t", "desc": "", "url": "http://x", "dataurl": ""}),
            yes("FowardMusicMsg"),
        ),
        ("FowardXMLMsg", json!({"type": "57", "towxid": wang, "xml": "<appmsg/>"}), yes("FowardXMLMsg")),
        (
            "SendQuoteMsg",
            json!({"towxid": wang, "title": "t", "svrid": "1", "fromusr": wang, "displayname": "", "chatusr": ""}),
            yes("SendQuoteMsg"),
        ),
        ("SendLocationMsg", json!({"wxid": wang, "msg": "<location/>"}), yes("SendLocationMsg")),
        ("SendPatMsg", json!({"wxid": wang, "gid": gid}), yes("SendPatMsg")),
        ("ForwardAllMsg", json!({"msgid": image, "wxid": zhen}), yes("ForwardAllMsg")),
        ("ForwardAllMsg", json!({"msgsvrid": sent.to_string(), "wxid": zhen}), yes("ForwardAllMsg")),
        ("SendDIYMsg", json!({"type": "1", "wxid": wang, "msg": "raw"}), yes("SendDIYMsg")),
        ("AddToEmoji", json!({"filemd5": "00ff"}), yes("AddToEmoji")),
        ("RevokeMsg", json!({"msg_svrid": sent, "to_wxid": gid}), json!({"RevokeMsg": "已撤回"})),
        ("MarkAsReadSession", json!({"gidorwxid": wang}), yes("MarkAsReadSession")),
        ("StickyChat", json!({"gidorwxid": gid}), yes("StickyChat")),
        ("UnpinChat", json!({"wxidorgid": gid}), yes("UnpinChat")),
        ("TurnOnDoNotDisturb", json!({"gidorwxid": gid}), yes("TurnOnDoNotDisturb")),
        ("SwitchCurrentChatObject", json!({"wxidorgid": wang}), yes("SwitchCurrentChatObject")),
        ("GetCurrentChatObjectInfo", json!({}), json!({"wxid": wang})),
        (
            "VerifyFriend",
            json!({"v3": of("encryptusername"), "v4": of("ticket"), "role": "0", "from": of("scene")}),
            yes("VerifyFriend"),
        ),
        ("EditFriendMark", json!({"wxid": wang, "mark": "王总"}), yes("EditFriendMark")),
        ("SetStarTag", json!({"wxid": wang}), yes("SetStarTag")),
        ("QueryChatRoomMemberCount", json!({"gid": gid}), json!({"count": "3"})),
        ("QueryChatRoomOwnerWxid", json!({"gid": gid}), json!({"OwnerWxid": me})),
        ("QueryChatRoomMemberNickName", json!({"gid": gid, "wxid": wang}), json!({"nickname": "老王"})),
        ("GetChatroomMemberDetailInfo", json!({"gid": gid, "wxid": wang}), json!({"nickname": "老王"})),
        ("AddFriendToChatRoom", json!({"gid": gid, "wxidlist": zhen}), yes("AddFriendToChatRoom")),
        ("ChatRoomMemberBatchDelete", json!({"gid": gid, "wxidlist": zhen}), yes("ChatRoomMemberBatchDelete")),
        ("AgreeJoinGroup", json!({"GroupAccessUrl": "http://x"}), yes("AgreeJoinGroup")),
        ("ChatRoomEditMark", json!({"gid": gid, "mark": "m"}), yes("ChatRoomEditMark")),
        (
            "ChatRoomEditAnnouncement",
            json!({"gid": gid, "ownerwxid": me, "announcement": "a"}),
            yes("ChatRoomEditAnnouncement"),
        ),
        (
            "ChangeChatRoomNicknameBySelf",
            json!({"gid": gid, "wxid": me, "nickname": "我"}),
            yes("ChangeChatRoomNicknameBySelf"),
        ),
        ("SaveToContact", json!({"gidorwxid": gid}), yes("SaveToContact")),
        ("CollapseChat", json!({"gid": gid}), yes("CollapseChat")),
        ("DownPic", json!({"topath": out, "msg_xml": entry["msg"]}), yes("DownPic")),
        ("DownPic4ID", json!({"topath": out, "aeskey": "k", "fileid": fileid}), yes("DownPic4ID")),
        ("DownFileorPic", json!({"msg_id": image}), yes("DownFileorPic")),
        ("DecodePic", json!({"oripath": entry["img_path"], "savepath": out}), yes("DecodePic")),
        ("ConfigureMsgRecive", json!({"isEnable": "1", "url": town.receiver.url}), yes("ConfigureMsgRecive")),
        (
            "ConfigureMsgReciveFullURL",
            json!({"RecvType": 1, "CallBackURL": town.receiver.url}),
            yes("ConfigureMsgReciveFullURL"),
        ),
        ("ConfigureMsgReciveFullURL", json!({"url": town.receiver.url}), yes("ConfigureMsgReciveFullURL")),
        ("Get_File_crc32", json!({"filepath": town.file("c", b"123456789")}), json!({"Get_File_crc32": "3421780262"})),
        ("ChatRoomEditName", json!({"gid": gid, "gname": "新名"}), yes("ChatRoomEditName")),
        ("QuitChatRoom", json!({"gid": gid}), yes("QuitChatRoom")),
    ] {
        let (status, answer) = post(town.port, &format!("/{action}"), &body).await;
        assert_eq!((status, answer), (200, want), "{action} {body}: {:?}", town.hook.violations());
    }
    for (action, body, key) in [
        ("SendVoiceMsg", json!({"wxid": wang, "voice_file": silk, "time_ms": 1000}), "/MsgSvrID"),
        ("SendVoiceMsg", json!({"wxid": wang, "voice_hex": "02232153494C4B5F5633"}), "/MsgSvrID"),
        ("InitContact", json!({}), "/batch/0/list"),
        ("GetFriendAndChatRoomList", json!({"type": "0"}), "/friend/0/wxid"),
        ("GetFriendAndChatRoomList", json!({"type": "3"}), "/gh/0/nickname"),
        ("BatchGetContactBriefInfo", json!({"wxidlist": format!("{wang},{zhen}")}), "/info/1/nickname"),
        ("GetFriendOrChatroomDetailInfo", json!({"wxidorgid": wang}), "/nickname"),
        ("GetContact", json!({"wxids": [wang]}), "/contacts/0/wxid"),
        ("QueryBodyInfo", json!({"serachwhat": "老王"}), "/v3"),
        ("GetHeadIMG", json!({"wxid": wang}), "/img_hex"),
        ("CreateChatRoom", json!({"wxidlist": format!("{wang},{zhen}")}), "/gid"),
        ("DownloadVoice", json!({"clientmsgid": "c", "length": "1", "msgsvrid": voice}), "/voice_hex"),
        ("GetGIFURL", json!({"msg_xml": "<msg><emoji cdnurl = \"http://x\"/></msg>"}), "/GetGIFURL"),
        ("IsLoginStatus", json!({}), "/selfwxid"),
        ("GetSelfLoginInfo", json!({}), "/wxid"),
        ("QueryDB", json!({"dbname": "MicroMsg.db", "sql": "SELECT 1"}), "/data/0/UserName"),
        ("GetDBHandleAndPath", json!({}), "/data/0/dbhandle"),
    ] {
        let (status, answer) = post(town.port, &format!("/{action}"), &body).await;
        let there = answer.pointer(key).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
        assert!(status == 200 && there, "{action}: {answer} {:?}", town.hook.violations());
    }
    assert_eq!(town.hook.violations(), []);
    assert!(std::fs::read(&out).unwrap().starts_with(b"\x89PNG"), "decoded");
    let journal = town.hook.journal();
    assert_eq!(journal.texts_to("老王").next(), Some("你好"));
    assert!(journal.heard.iter().any(|heard| heard.revoked && heard.at == ["老王"]));
}

#[tokio::test]
async fn wrong_requests_are_violations() {
    let town = Town::new(|_| {}).await;
    let (wang, gid) = (town.id("老王"), town.id("测试群"));
    for (action, body, want) in [
        ("SendTextMsg", json!({"wxid": wang}), "`msg` is missing"),
        ("SendTextMsg", json!({"wxid": wang, "msg": "a", "extra": 1}), "unknown key `extra`"),
        ("SendTextMsg", json!({"Wxid": wang, "msg": "a"}), "unknown key `Wxid`; it is written `wxid`"),
        ("SendTextMsg", json!({"wxid": wang, "msg": 5}), "`msg` is not a text with something in it"),
        ("SendTextMsg", json!({"wxid": "wxid_nobody", "msg": "a"}), "the receiver is nobody this account knows"),
        ("SendTextMsg", json!([]), "the body is not a JSON object"),
        ("SendTextmsg", json!({"wxid": wang, "msg": "a"}), "unknown path"),
        ("ForwardXMLMsg", json!({"towxid": wang, "xml": "<a/>"}), "unknown path"),
        ("FowardXMLMsg", json!({"towxid": wang, "xml": "<a>\n</a>"}), "`xml` is not XML on one line"),
        ("GetChatroomMemberDetail", json!({"gid": gid}), "unknown path"),
        ("QueryBodyInfo", json!({"searchwhat": "x"}), "unknown key `searchwhat`"),
        ("RevokeMsg", json!({"msg_svrid": "123", "to_wxid": wang}), "`msg_svrid` is not an integer without quotes"),
        ("RevokeMsg", json!({"msg_svrid": 123, "to_wxid": wang}), "the id is of no message that this account sent"),
        (
            "SendPicMsg",
            json!({"wxid": wang, "picpath": "/etc/passwd"}),
            "`picpath` is outside of the folder of the hook's machine",
        ),
        (
            "SendPicMsg",
            json!({"wxid": wang, "picpath": "http://127.0.0.1:9/a.png"}),
            "`picpath` is an address that cannot be read: refused",
        ),
        ("SendAtMsg", json!({"gid": gid, "wxidlist": "wxid_nobody"}), "somebody mentioned is no member of the room"),
        (
            "SendAtMsg",
            json!({"gid": gid, "wxidlist": wang, "msg": "@老王 hi"}),
            "`msg` begins with a mention, which the service writes by itself",
        ),
        (
            "SendAtMsg",
            json!({"gid": gid, "wxidlist": wang, "nicknamelist": "a,b"}),
            "`nicknamelist` has not as many entries as `wxidlist`",
        ),
        ("SendVoiceMsg", json!({"wxid": wang, "voice_hex": "00"}), "the voice is no SILK file"),
        (
            "VerifyFriend",
            json!({"v3": "a", "v4": "b", "role": "0", "from": "14"}),
            "`v4` is the ticket of no friend request",
        ),
        ("GetContact", json!({"wxids": wang}), "`wxids` is not a list of ids"),
        ("ConfigureMsgRecive", json!({"isEnable": 1, "url": "http://x"}), "`isEnable` is not a text of digits"),
        ("ConfigureMsgRecive", json!({"isEnable": "9", "url": "http://x"}), "`isEnable` is none of 0, 1, 2, 3, 4"),
        ("QueryDB", json!({"dbname": "a", "sql": "DELETE FROM x"}), "the statement is not one question"),
        ("AddFriendToChatRoom", json!({"gid": "1@chatroom", "wxidlist": wang}), "`gid` is no room of this account"),
    ] {
        let before = town.hook.violations().len();
        post(town.port, &format!("/{action}"), &body).await;
        let found = town.hook.violations();
        let new = found.get(before..).unwrap_or_default();
        let known = new.iter().chain(&found).any(|one| one.what == want && one.endpoint == action && one.hard);
        assert!(known, "{action} {body}: {found:?}");
    }
    let (status, _) = ask(town.port, "GET", "/SendTextMsg", "", b"").await.unwrap();
    assert_eq!(status, 405);
    let (_, answer) = ask(town.port, "POST", "/IsLoginStatus", "", b"{}").await.unwrap();
    assert!(String::from_utf8(answer).unwrap().contains("IsLoginStatus"));
    let whats: Vec<String> = town.hook.violations().into_iter().map(|one| one.what).collect();
    assert!(
        whats.contains(&"wrong method".to_owned())
            && whats.contains(&"Content-Type is not application/json".to_owned())
    );
    // The service takes a mention that is there twice, and people see it twice.
    let heard: Vec<String> = town.hook.journal().heard.into_iter().map(|heard| heard.text).collect();
    assert_eq!(heard, ["@老王\u{2005}@老王 hi"]);
}

#[tokio::test]
async fn a_file_is_fetched_by_its_address() {
    let town = Town::new(|_| {}).await;
    let files = Receiver::start().await;
    files.answer(&[(200, "picture"), (404, ""), (200, "picture")]);
    let picture = |name: &str| json!({"wxid": town.id("老王"), "picpath": format!("{}/{name}", files.url)});
    assert_eq!(post(town.port, "/SendPicMsg", &picture("a.png?x=1")).await.1, json!({"SendPicMsg": "1"}));
    let media = town.hook.journal().heard[0].media.clone().unwrap();
    assert_eq!((media.len, media.file_name.as_str()), (7, "a.png"));
    assert_eq!(town.hook.violations(), []);
    assert_eq!(post(town.port, "/SendPicMsg", &picture("gone.png")).await.1, json!({"SendPicMsg": "0"}));
    post(town.port, "/SendPicMsg", &picture("nameless")).await;
    let whats: Vec<String> = town.hook.violations().into_iter().map(|one| one.what).collect();
    assert_eq!(whats[0], "`picpath` is an address that answers 404");
    assert!(whats[1].starts_with("an address without `diyfilename`"), "{whats:?}");
}

#[tokio::test]
async fn v4_has_its_own_routes_and_answers() {
    let town = Town::new(|setup| {
        setup.profile = HookProfile::V4;
        setup.mode = PushMode::Decoded;
    })
    .await;
    let wang = town.id("老王");
    let picture = town.file("a.png", b"\x89PNG picture");
    let dat = town.file("a.dat", &b"\x89PNG picture".map(|byte| byte ^ 0x33));
    let out = town.folder.path().join("b.png").to_str().unwrap().to_owned();
    let ok = json!({"ret": 0, "retmsg": "success"});
    for (path, body, want) in [
        ("/SendTextMsg", json!({"wxidorgid": wang, "msg": "a"}), &ok),
        ("/SendImgMsg", json!({"wxidorgid": wang, "path": picture}), &ok),
        ("/ForwardXMLMsg", json!({"to_wxid": wang, "content": "<appmsg/>"}), &ok),
        ("/Decode_Pic", json!({"src_path": dat, "dst_path": out}), &ok),
    ] {
        assert_eq!(post(town.port, path, &body).await, (200, want.clone()), "{path}");
    }
    assert_eq!(std::fs::read(&out).unwrap(), b"\x89PNG picture");
    assert_eq!(post(town.port, "/GetSelfProfile", &json!({})).await.1["nickname"], "小李");
    let query = json!({"optDbName": "contact.db", "SQL": "select 1"});
    assert_eq!(post(town.port, "/QueryDB/execute", &query).await.1["status"], 0);
    assert!(post(town.port, "/QueryDB/GetAllDBName", &json!({})).await.1[0]["dbName"].is_string());
    assert_eq!(ask(town.port, "GET", "/QueryDB/status", "", b"").await.unwrap().0, 200);
    assert_eq!(town.hook.violations(), []);

    let headers = "Content-Type: application/json\r\n";
    let (_, answer) = ask(town.port, "POST", "/SendImgMsg", headers, b"{").await.unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&answer).unwrap(), json!({"ret": -1, "msg": "invalid json"}));
    let (_, fail) = post(town.port, "/ForwardXMLMsg", &json!({"to_wxid": "wxid_x", "content": "<a/>"})).await;
    assert_eq!(fail, json!({"ret": 1, "retmsg": "fail"}));
    let (_, accepted) = post(town.port, "/SendTextMsg", &json!({"wxidorgid": "wxid_x", "msg": "a"})).await;
    assert_eq!(accepted, ok, "accepted does not mean delivered");
    assert_eq!(post(town.port, "/SendPicMsg", &json!({})).await.0, 404);
    assert_eq!(town.hook.violations().len(), 4);
}

#[tokio::test]
async fn the_other_yes_and_a_client_that_is_logged_out() {
    let town = Town::new(|setup| setup.yes = HookYes::Success).await;
    let text = json!({"wxid": town.id("老王"), "msg": "a"});
    assert_eq!(post(town.port, "/SendTextMsg", &text).await.1, json!({"success": "1"}));
    assert_eq!(post(town.port, "/GetLoginQRCode", &json!({})).await.1, json!({"success": "0"}));
    town.hook.logout("xiaoli").unwrap();
    assert_eq!(post(town.port, "/SendTextMsg", &text).await.1, json!({"success": "0"}));
    assert_eq!(post(town.port, "/IsLoginStatus", &json!({})).await.1["onlinestatus"], "0");
    let code = post(town.port, "/GetLoginQRCode", &json!({})).await.1;
    assert!(code["base64"].as_str().unwrap().starts_with("data:image/png;base64,"));
    let (_, picture) = ask(town.port, "GET", "/RefreshLoginQRCode", "", b"").await.unwrap();
    assert!(picture.starts_with(b"\x89PNG"));
    assert_eq!(town.hook.violations(), []);
    town.hook.login("xiaoli").unwrap();
    assert_eq!(post(town.port, "/SendTextMsg", &text).await.1, json!({"success": "1"}));
    ask(town.port, "GET", "/RefreshLoginQRCode", "", b"").await.unwrap();
    assert_eq!(town.hook.violations()[0].what, "asked for a code without a login screen");
}
