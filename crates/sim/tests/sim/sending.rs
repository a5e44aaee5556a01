//! What of the messages that are more than text is accepted, and what of them is taken down?

use serde_json::{Value, json};
use wxbot_sim::{Deliver, Said, Sim};

use crate::client::{Client, assert_clean, contents, md5, world};
use crate::uploads::PICTURE;

fn noticed(sim: &Sim) -> Vec<String> {
    let mark = |hard| if hard { "!" } else { "" };
    sim.violations().into_iter().map(|found| format!("{}{}", mark(found.hard), found.what)).collect()
}

const GIF: &[u8] = b"GIF89a\x01\x00\x01\x00\x80\x00\x00\xff\x00\x00\xff\xff\xff\x2c\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02\x44\x01\x00\x3b";
const FILM: &[u8] = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom";

fn file(title: &str, len: usize, media_id: &str, extension: &str) -> Value {
    json!({"Type": 6, "Content": format!(
        "<appmsg appid='wxeb7ec651dd0aefa9' sdkver=''><title>{title}</title><des></des><action></action>\
         <type>6</type><content></content><url></url><lowurl></lowurl><appattach><totallen>{len}</totallen>\
         <attachid>{media_id}</attachid><fileext>{extension}</fileext></appattach><extinfo></extinfo></appmsg>"
    )})
}

#[tokio::test(start_paused = true)]
async fn every_kind_is_taken_down() {
    let sim = Sim::new(world());
    let mut client = Client::online(&sim, "xiaoli").await;
    let (picture, gif) = (client.media("a.png", PICTURE).await, client.media("s.gif", GIF).await);
    let (film, sheet) = (client.media("f.mp4", FILM).await, client.media("a&b.csv", b"1,2").await);
    for (endpoint, msg) in [
        ("webwxsendmsgimg?fun=async&f=json", json!({"Type": 3, "MediaId": picture})),
        ("webwxsendemoticon?fun=sys", json!({"Type": 47, "EmojiFlag": 2, "MediaId": gif})),
        (
            "webwxsendemoticon?fun=sys",
            json!({"Type": 47, "EmojiFlag": 2, "EMoticonMd5": "e68363487d8f0519c4e1047de403b2e7"}),
        ),
        ("webwxsendvideomsg?fun=async&f=json", json!({"Type": 43, "MediaId": film})),
        ("webwxsendvideomsg?fun=async&f=json", json!({"Type": 62, "MediaId": film})),
        ("webwxsendappmsg?fun=async&f=json", file("a&amp;b.csv", 3, &sheet, "csv")),
        (
            "webwxsendappmsg?fun=async&f=json",
            json!({"Type": 5, "Content":
            "<appmsg appid='' sdkver=''><title>链接</title><type>5</type><url>http://a.test/?a=1&amp;b=2</url></appmsg>"}),
        ),
    ] {
        let answer = client.say(endpoint, "filehelper", msg.clone()).await;
        assert_eq!(answer["BaseResponse"]["Ret"], 0, "{msg}");
        assert!(answer["MsgID"].as_str().unwrap().len() >= 19);
    }
    let journal = sim.journal();
    let sent: Vec<(i64, &str, u64, &str)> = journal
        .sends
        .iter()
        .map(|send| match &send.media {
            Some(media) => (send.msg_type, media.md5.as_str(), media.len, media.file_name.as_str()),
            None => (send.msg_type, "", 0, ""),
        })
        .collect();
    let (picture_md5, gif_md5, film_md5, sheet_md5) = (md5(PICTURE), md5(GIF), md5(FILM), md5(b"1,2"));
    assert_eq!(
        sent,
        [
            (3, picture_md5.as_str(), PICTURE.len() as u64, "a.png"),
            (47, gif_md5.as_str(), GIF.len() as u64, "s.gif"),
            (47, "e68363487d8f0519c4e1047de403b2e7", 0, ""),
            (43, film_md5.as_str(), FILM.len() as u64, "f.mp4"),
            (62, film_md5.as_str(), FILM.len() as u64, "f.mp4"),
            (6, sheet_md5.as_str(), 3, "a&b.csv"),
            (5, "", 0, ""),
        ]
    );
    assert_eq!(journal.sends[0].media.as_ref().unwrap().media_id, picture);
    assert_clean(&sim);
    // What the account sent itself can be looked at, too.
    let path = format!("webwxgetmsgimg?&MsgID={}&skey={}", journal.sends[0].msg_id, client.skey);
    assert_eq!(client.download(&path, None).await.body, PICTURE);
}

#[tokio::test(start_paused = true)]
async fn mistakes() {
    let stranger = "@crypt_00000000_00";
    for (name, endpoint, msg, ret, want) in [
        (
            "media id",
            "webwxsendmsgimg?x=1",
            json!({"Type": 3, "MediaId": stranger}),
            -2,
            "!MediaId was not given to this login",
        ),
        ("nothing", "webwxsendmsgimg?x=1", json!({"Type": 3, "MediaId": ""}), 1, "!neither MediaId nor Content"),
        ("type", "webwxsendmsgimg?x=1", json!({"Type": 1, "MediaId": "@"}), 1, "!Type does not belong to the endpoint"),
        (
            "type of text",
            "webwxsendmsg?x=1",
            json!({"Type": 3, "Content": "x"}),
            1,
            "!Type does not belong to the endpoint",
        ),
        (
            "escaped forward",
            "webwxsendmsgimg?x=1",
            json!({"Type": 3, "MediaId": "", "Content": "&lt;msg/&gt;", "Scene": 2}),
            1,
            "!Content of a forward is not the XML of the message",
        ),
        (
            "scene",
            "webwxsendmsgimg?x=1",
            json!({"Type": 3, "MediaId": "", "Content": "<msg><img/></msg>"}),
            0,
            "a forward without Scene 2",
        ),
        ("flag", "webwxsendemoticon?fun=sys", json!({"Type": 47, "MediaId": "@"}), 1, "!EmojiFlag is not 2"),
        (
            "both",
            "webwxsendemoticon?fun=sys",
            json!({"Type": 47, "EmojiFlag": 2, "MediaId": "@", "EMoticonMd5": "e"}),
            1,
            "!both EMoticonMd5 and MediaId",
        ),
        (
            "neither",
            "webwxsendemoticon?fun=sys",
            json!({"Type": 47, "EmojiFlag": 2}),
            1,
            "!neither EMoticonMd5 nor MediaId",
        ),
        (
            "md5",
            "webwxsendemoticon?fun=sys",
            json!({"Type": 47, "EmojiFlag": 2, "EMoticonMd5": "e"}),
            1,
            "!EMoticonMd5 is not 32 hex digits",
        ),
        (
            "fun",
            "webwxsendemoticon?x=1",
            json!({"Type": 47, "EmojiFlag": 2, "EMoticonMd5": "e68363487d8f0519c4e1047de403b2e7"}),
            0,
            "query without fun=sys",
        ),
        (
            "bad XML",
            "webwxsendappmsg?x=1",
            json!({"Type": 5, "Content": "<appmsg><title>a & b</title></appmsg>"}),
            1,
            "!the appmsg is not well-formed XML",
        ),
        (
            "wrapped",
            "webwxsendappmsg?x=1",
            json!({"Type": 5, "Content": "<msg><appmsg/></msg>"}),
            1,
            "!the root of Content is not appmsg",
        ),
        (
            "inner type",
            "webwxsendappmsg?x=1",
            json!({"Type": 5, "Content": "<appmsg><title>a</title><type>6</type></appmsg>"}),
            0,
            "Type is not that of the appmsg",
        ),
        (
            "no attachment",
            "webwxsendappmsg?x=1",
            json!({"Type": 6, "Content": "<appmsg><title>a</title><type>6</type></appmsg>"}),
            1,
            "!a file without appattach",
        ),
        (
            "attachid",
            "webwxsendappmsg?x=1",
            file("a.csv", 3, stranger, "csv"),
            -2,
            "!MediaId was not given to this login",
        ),
        (
            "location",
            "webwxsendmsg?x=1",
            json!({"Type": 48, "Content": "here", "Scene": 2}),
            1,
            "!Content of a location is not its XML",
        ),
    ] {
        let sim = Sim::new(world());
        let mut client = Client::online(&sim, "xiaoli").await;
        let answer = client.say(endpoint, "filehelper", msg).await;
        assert_eq!(answer["BaseResponse"]["Ret"], ret, "{name}");
        assert_eq!(noticed(&sim).join(";"), want, "{name}");
        assert_eq!(sim.journal().sends.len(), usize::from(ret == 0), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn lengths_and_logins_of_files() {
    let sim = Sim::new(world());
    let mut client = Client::online(&sim, "xiaoli").await;
    let id = client.media("a.csv", b"1,2").await;
    assert_eq!(
        client.say("webwxsendappmsg?x=1", "filehelper", file("a.csv", 4, &id, "csv")).await["BaseResponse"]["Ret"],
        1
    );
    assert_eq!(noticed(&sim), ["!totallen is not the length of what was uploaded"]);
    assert_eq!(
        client.say("webwxsendappmsg?x=1", "filehelper", file("a.csv", 3, &id, ".csv")).await["BaseResponse"]["Ret"],
        0
    );
    assert_eq!(noticed(&sim)[1], "fileext is not that of the title");
    // The next login was not given this MediaId.
    let mut client = Client::online(&sim, "xiaoli").await;
    assert_eq!(
        client.say("webwxsendappmsg?x=1", "filehelper", file("a.csv", 3, &id, "csv")).await["BaseResponse"]["Ret"],
        -2
    );
}

#[tokio::test(start_paused = true)]
async fn what_came_can_be_forwarded() {
    let sim = Sim::new(world());
    let mut client = Client::online(&sim, "xiaoli").await;
    let location = Said::Location { lat: "30.1".into(), lng: "120.2".into(), label: "滨兴小区(东区)".into() };
    for said in [Said::Image { data: None }, Said::File { name: "a.csv".into(), data: Some("1,2".into()) }, location] {
        sim.deliver("xiaoli", Deliver::said("老王", said)).unwrap();
    }
    let sync = client.sync().await;
    let unescape =
        |text: &str| text.replace("<br/>", "\n").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    let image = json!({"Type": 3, "MediaId": "", "Content": unescape(contents(&sync)[0]), "Scene": 2});
    assert_eq!(client.say("webwxsendmsgimg?fun=async", "filehelper", image).await["BaseResponse"]["Ret"], 0);
    let message = &sync["AddMsgList"][1];
    let xml = unescape(contents(&sync)[1]);
    let appmsg = &xml[xml.find("<appmsg").unwrap()..xml.find("</appmsg>").unwrap() + 9];
    assert!(appmsg.contains(message["MediaId"].as_str().unwrap()));
    let forward = json!({"Type": 6, "Content": appmsg, "Scene": 2});
    assert_eq!(client.say("webwxsendappmsg?fun=async", "filehelper", forward).await["BaseResponse"]["Ret"], 0);
    let place =
        json!({"Type": 48, "Scene": 2, "Content": unescape(sync["AddMsgList"][2]["OriContent"].as_str().unwrap())});
    assert_eq!(client.say("webwxsendmsg?x=1", "filehelper", place).await["BaseResponse"]["Ret"], 0);
    let journal = sim.journal();
    let image = journal.sends[0].media.as_ref().expect("the same picture");
    assert!(image.len > 0 && sim.media(&image.md5).is_some());
    assert_eq!(journal.sends[1].media.as_ref().unwrap().md5, md5(b"1,2"));
    assert_clean(&sim);
}
