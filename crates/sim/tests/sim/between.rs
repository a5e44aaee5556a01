//! Does what one account sends arrive at the other accounts of the world?

use serde_json::{Value, json};
use wxbot_sim::{AccountSpec, FriendSpec, RoomSpec, Sim, World};

use crate::client::{Client, assert_clean, contents, encoded, named};
use crate::uploads::PICTURE;

/// Two accounts that are friends and share a room.
pub(crate) fn two() -> World {
    let account = |name: &str, nick: &str, other: &str, other_nick: &str| {
        let mut account = AccountSpec { nick: nick.to_owned(), ..AccountSpec::new(name) }.friend("路人甲");
        account.friends.push(FriendSpec {
            nick: other_nick.to_owned(),
            account: other.to_owned(),
            ..FriendSpec::default()
        });
        account.rooms.push(RoomSpec {
            topic: "共同".to_owned(),
            id: "shared".to_owned(),
            members: vec![other_nick.to_owned(), "路人甲".to_owned()],
            ..RoomSpec::default()
        });
        account
    };
    World::default().with(account("a", "小甲", "b", "小乙")).with(account("b", "小乙", "a", "小甲"))
}

pub(crate) async fn pair(sim: &Sim) -> ((Client, Value), (Client, Value)) {
    let (mut a, mut b) = (Client::new(sim), Client::new(sim));
    a.log_in(sim, "a").await;
    b.log_in(sim, "b").await;
    let (init_a, init_b) = (a.start().await, b.start().await);
    ((a, init_a), (b, init_b))
}

#[tokio::test(start_paused = true)]
async fn texts_arrive_in_wire_form() {
    let sim = Sim::new(two());
    let ((mut a, init_a), (mut b, init_b)) = pair(&sim).await;
    let (to_b, to_room) = (named(&init_a["ContactList"], "小乙"), named(&init_a["ContactList"], "共同"));
    let (from_a, in_room) = (named(&init_b["ContactList"], "小甲"), named(&init_b["ContactList"], "共同"));
    let sent = a.send(&to_b, "a<b>\n😄").await;
    a.send(&to_room, "大家好").await;
    let sync = b.sync().await;
    let list = sync["AddMsgList"].as_array().unwrap();
    assert_eq!(list.len(), 2);
    assert_eq!(list[0]["FromUserName"], from_a.as_str());
    assert_eq!(list[0]["ToUserName"], b.me.as_str());
    assert_eq!(list[0]["Content"], "a&lt;b&gt;<br/><span class=\"emoji emoji1f604\"></span>");
    assert_eq!(list[0]["MsgId"], sent["MsgID"]);
    assert_eq!(list[1]["FromUserName"], in_room.as_str());
    assert_eq!(list[1]["Content"], format!("{from_a}:<br/>大家好"));
    assert!(contents(&a.sync().await).is_empty(), "own messages do not come back");
    assert_clean(&sim);
}

#[tokio::test(start_paused = true)]
async fn media_arrive_byte_for_byte() {
    let sim = Sim::new(two());
    let ((mut a, init_a), (mut b, _)) = pair(&sim).await;
    let to_b = named(&init_a["ContactList"], "小乙");
    let (picture, film, sheet, gif) = (
        a.media("a.png", PICTURE).await,
        a.media("a.mp4", b"\0\0\0\x18ftypmp42").await,
        a.media("表.csv", b"1,2").await,
        a.media("s.gif", b"GIF89a\x01\0\x01\0").await,
    );
    let appmsg = format!(
        "<appmsg appid='' sdkver=''><title>表.csv</title><type>6</type><appattach><totallen>3</totallen>\
         <attachid>{sheet}</attachid><fileext>csv</fileext></appattach></appmsg>"
    );
    let link = "<appmsg appid=''><title>A &amp; B</title><type>5</type><url>http://a.test/?x=1&amp;y=2</url></appmsg>";
    for (endpoint, msg) in [
        ("webwxsendmsgimg?x=1", json!({"Type": 3, "MediaId": picture})),
        ("webwxsendvideomsg?x=1", json!({"Type": 43, "MediaId": film})),
        ("webwxsendappmsg?x=1", json!({"Type": 6, "Content": appmsg})),
        ("webwxsendemoticon?fun=sys", json!({"Type": 47, "EmojiFlag": 2, "MediaId": gif})),
        ("webwxsendappmsg?x=1", json!({"Type": 5, "Content": link})),
    ] {
        assert_eq!(a.say(endpoint, &to_b, msg).await["BaseResponse"]["Ret"], 0);
    }
    let sync = b.sync().await;
    let list = sync["AddMsgList"].as_array().unwrap();
    let types: Vec<i64> = list.iter().map(|message| message["MsgType"].as_i64().unwrap()).collect();
    assert_eq!(types, [3, 43, 49, 47, 49]);
    let id = |at: usize| list[at]["MsgId"].as_str().unwrap();
    let skey = b.skey.clone();
    assert_eq!((&list[0]["ImgWidth"], &list[0]["ImgHeight"]), (&json!(24), &json!(24)));
    assert_eq!(b.download(&format!("webwxgetmsgimg?&MsgID={}&skey={skey}", id(0)), None).await.body, PICTURE);
    let film = b.download(&format!("webwxgetvideo?msgid={}&skey={skey}", id(1)), Some("bytes=0-")).await;
    assert_eq!(film.body, &b"\0\0\0\x18ftypmp42"[..]);
    let text = |field: &str| encoded(list[2][field].as_str().unwrap());
    let path = format!(
        "webwxgetmedia?sender={}&mediaid={}&encryfilename={}&fromuser={}&pass_ticket={}&webwx_data_ticket={}",
        text("FromUserName"),
        text("MediaId"),
        text("EncryFileName"),
        b.uin,
        encoded(&b.pass_ticket),
        encoded(&b.cookies["webwx_data_ticket"])
    );
    assert_eq!(list[2]["FileName"], "表.csv");
    assert_ne!(list[2]["MediaId"], sheet.as_str(), "each account has MediaIds of its own");
    assert_eq!(b.download(&path, None).await.body, "1,2");
    let gif = b.download(&format!("webwxgetmsgimg?&MsgID={}&skey={skey}&type=big", id(3)), None).await;
    assert!(gif.body.starts_with(b"GIF89a"));
    assert_eq!((&list[4]["AppMsgType"], &list[4]["FileName"]), (&json!(5), &json!("A & B")));
    assert_eq!(list[4]["Url"], "http://a.test/?x=1&y=2");
    assert!(list[4]["Content"].as_str().unwrap().contains("A &amp;amp; B"), "escaped once more on the wire");
    assert_clean(&sim);
}

#[tokio::test(start_paused = true)]
async fn recalls_arrive() {
    let sim = Sim::new(two());
    let ((mut a, init_a), (mut b, _)) = pair(&sim).await;
    let to_room = named(&init_a["ContactList"], "共同");
    let sent = a.send(&to_room, "哎").await["MsgID"].clone();
    let body = json!({"SvrMsgId": sent, "ToUserName": to_room, "ClientMsgId": "1"});
    assert_eq!(a.post("webwxrevokemsg?x=1", body).await["BaseResponse"]["Ret"], 0);
    let sync = b.sync().await;
    let recall = &sync["AddMsgList"][1];
    assert_eq!(recall["MsgType"], 10_002);
    let content = recall["Content"].as_str().unwrap();
    assert!(content.contains(&format!("&lt;msgid&gt;{}&lt;/msgid&gt;", sent.as_str().unwrap())), "{content}");
    assert!(content.contains("\"小甲\" 撤回了一条消息"), "{content}");
}

#[tokio::test(start_paused = true)]
async fn who_is_no_friend_over_there_is_told() {
    let sim = Sim::new(two());
    let ((mut a, init_a), (mut b, _)) = pair(&sim).await;
    let to_b = named(&init_a["ContactList"], "小乙");
    sim.remove_friend("b", "小甲").unwrap();
    assert_eq!(a.send(&to_b, "在吗").await["BaseResponse"]["Ret"], 0, "the service takes it");
    let sync = a.sync().await;
    assert_eq!(sync["AddMsgList"][0]["MsgType"], 10_000);
    assert!(contents(&sync)[0].starts_with("小乙开启了朋友验证"));
    assert!(contents(&b.sync().await).is_empty());
    assert_clean(&sim);
}
