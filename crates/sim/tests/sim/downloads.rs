//! How do media go out again?

use http::{HeaderMap, Method};
use serde_json::json;
use wxbot_sim::{Deliver, Said, Sim, VoipPhase};

use crate::client::{BASE, Client, assert_clean, encoded, named, world};

fn noticed(sim: &Sim) -> Vec<String> {
    let mark = |hard| if hard { "!" } else { "" };
    sim.violations().into_iter().map(|found| format!("{}{}", mark(found.hard), found.what)).collect()
}

#[tokio::test(start_paused = true)]
async fn pictures_voices_and_films() {
    let sim = Sim::new(world());
    let mut client = Client::online(&sim, "xiaoli").await;
    let tell = |said| sim.deliver("xiaoli", Deliver::said("老王", said)).unwrap();
    let image = tell(Said::Image { data: Some("\u{1}not a picture".into()) });
    let made = tell(Said::Image { data: None });
    let sticker = tell(Said::Sticker { data: None, shop: false });
    let voice = tell(Said::Voice { data: Some("ID3voice".into()), ms: 900 });
    let film = tell(Said::Video { data: Some("0123456789".into()), seconds: 3, short: false });
    let shop = tell(Said::Sticker { data: None, shop: true });
    let skey = client.skey.clone();
    let of = |endpoint: &str, id: &str, rest: &str| format!("{endpoint}={id}&skey={skey}{rest}");

    assert_eq!(client.download(&of("webwxgetmsgimg?&MsgID", &image, ""), None).await.body, "\u{1}not a picture");
    assert_eq!(
        client.download(&of("webwxgetmsgimg?&MsgID", &image, "&type=big"), None).await.body,
        "\u{1}not a picture"
    );
    let whole = client.download(&of("webwxgetmsgimg?&MsgID", &made, ""), None).await;
    let small = client.download(&of("webwxgetmsgimg?&MsgID", &made, "&type=slave"), None).await;
    assert_eq!(whole.headers["content-type"], "image/png");
    assert!(whole.body.starts_with(b"\x89PNG") && small.body.starts_with(b"\x89PNG") && whole.body != small.body);
    let gif = client.download(&of("webwxgetmsgimg?&MsgID", &sticker, "&type=big"), None).await;
    assert!(gif.body.starts_with(b"GIF89a"));
    assert_eq!(client.download(&of("webwxgetvoice?msgid", &voice, ""), None).await.body, "ID3voice");
    let path = of("webwxgetvideo?msgid", &film, "");
    let answer = client.download(&path, Some("bytes=0-")).await;
    assert_eq!((answer.status, &answer.body[..]), (206, &b"0123456789"[..]));
    assert_eq!(answer.headers["content-range"], "bytes 0-9/10");
    let answer = client.download(&path, Some("bytes=4-6")).await;
    assert_eq!((answer.status, &answer.body[..]), (206, &b"456"[..]));
    assert_eq!(answer.headers["content-range"], "bytes 4-6/10");
    assert_clean(&sim);

    assert!(client.download(&path, None).await.body.is_empty());
    assert_eq!(client.download(&path, Some("bytes=99-")).await.status, 416);
    assert!(client.download(&of("webwxgetmsgimg?&MsgID", &shop, ""), None).await.body.is_empty());
    assert!(client.download(&of("webwxgetvoice?msgid", &image, ""), None).await.body.is_empty(), "no voice");
    assert_eq!(client.download(&of("webwxgetvoice?MsgID", &voice, ""), None).await.body, "ID3voice");
    assert_eq!(
        noticed(&sim),
        [
            "a video without a Range header",
            "!Range cannot be satisfied",
            "asked for media of a message that has none",
            "asked for media of a message that has none",
            "MsgID and msgid are mixed up",
        ]
    );
    client.cookies.clear();
    let refused = client.download(&path, Some("bytes=0-")).await;
    assert!(std::str::from_utf8(&refused.body).unwrap().contains("1102"));
}

#[tokio::test(start_paused = true)]
async fn files() {
    let sim = Sim::new(world());
    let mut client = Client::online(&sim, "xiaoli").await;
    let file = Said::File { name: "a b.csv".into(), data: Some("1,2".into()) };
    sim.deliver("xiaoli", Deliver::said("老王", file.clone())).unwrap();
    sim.deliver("xiaoli", Deliver::said("老王", file).in_room("测试群")).unwrap();
    let sync = client.sync().await;
    for message in sync["AddMsgList"].as_array().unwrap() {
        assert_eq!(
            (&message["MsgType"], &message["AppMsgType"], &message["FileSize"]),
            (&json!(49), &json!(6), &json!("3"))
        );
        let text = |field: &str| encoded(message[field].as_str().unwrap());
        let query = |sender: &str, media: &str, uin: &str, ticket: &str, name: &str| {
            format!(
                "webwxgetmedia?sender={sender}&mediaid={media}&{name}&fromuser={uin}&pass_ticket={}&webwx_data_ticket={}",
                encoded(&client.pass_ticket),
                encoded(ticket)
            )
        };
        let (sender, media) = (text("FromUserName"), text("MediaId"));
        let (uin, ticket) = (client.uin.to_string(), client.cookies["webwx_data_ticket"].clone());
        let (new, old) = (format!("encryfilename={}", text("EncryFileName")), "filename=a%20b.csv");
        let good = [query(&sender, &media, &uin, &ticket, &new), query(&sender, &media, &uin, &ticket, old)];
        let bad = [
            (query("%40x", &media, &uin, &ticket, old), "!sender is not the FromUserName of the file's message"),
            (query(&sender, "%40x", &uin, &ticket, old), "!mediaid is of no file that was received"),
            (query(&sender, &media, &uin, "x", old), "!webwx_data_ticket is missing or not the session's"),
        ];
        let borne = [
            (query(&sender, &media, &encoded(&client.me), &ticket, old), "fromuser is the UserName and not the uin"),
            (
                query(&sender, &media, &uin, &ticket, "filename=x"),
                "neither filename nor encryfilename is that of the file's message",
            ),
        ];
        for path in good {
            assert_eq!(client.download(&path, None).await.body, "1,2", "{path}");
        }
        for (path, want) in bad {
            let answer = client.download(&path, None).await;
            assert!(std::str::from_utf8(&answer.body).unwrap().contains("\"Ret\":1"), "{want}");
            assert!(noticed(&sim).iter().any(|found| found == want), "{want}");
        }
        for (path, want) in borne {
            assert_eq!(client.download(&path, None).await.body, "1,2", "{want}");
            assert!(noticed(&sim).iter().any(|found| found == want), "{want}");
        }
    }
    assert_eq!(noticed(&sim).len(), 5);
}

#[tokio::test(start_paused = true)]
async fn faces_stay_the_same() {
    let sim = Sim::new(world());
    let mut faces = Vec::new();
    for _ in 0..2 {
        let mut client = Client::new(&sim);
        client.log_in(&sim, "xiaoli").await;
        let init = client.start().await;
        let skey = client.skey.clone();
        let mut seen = Vec::new();
        for (endpoint, nick) in [("webwxgeticon", "老王"), ("webwxgeticon", "Anna"), ("webwxgetheadimg", "测试群")]
        {
            let name = named(&init["ContactList"], nick);
            let answer = client.download(&format!("{endpoint}?seq=5&username={name}&skey={skey}"), None).await;
            assert!(answer.body.starts_with(b"\x89PNG"), "{nick}");
            seen.push(answer.body);
        }
        assert!(seen[0] != seen[1] && seen[1] != seen[2]);
        faces.push(seen);
        let picture = init["User"]["HeadImgUrl"].as_str().unwrap();
        let url = format!("{BASE}{picture}");
        assert!(!client.exchange(Method::GET, &url, HeaderMap::new(), "").await.unwrap().body.is_empty());
        let list = json!([{"UserName": named(&init["ContactList"], "测试群"), "EncryChatRoomId": ""}]);
        let batch = client.post("webwxbatchgetcontact?type=ex&r=1", json!({"Count": 1, "List": list})).await;
        let room = &batch["ContactList"][0];
        let (member, encry) =
            (room["MemberList"][1]["UserName"].as_str().unwrap(), room["EncryChatRoomId"].as_str().unwrap());
        let path = format!("webwxgeticon?seq=0&username={member}&skey={skey}&chatroomid={encry}&type=big");
        assert!(!client.download(&path, None).await.body.is_empty());
        assert_clean(&sim);
    }
    assert_eq!(faces[0], faces[1]);
    let mut client = Client::online(&sim, "xiaoli").await;
    let skey = client.skey.clone();
    assert!(client.download(&format!("webwxgeticon?seq=5&username=@x&skey={skey}"), None).await.body.is_empty());
    assert_eq!(noticed(&sim), ["asked for the picture of an unknown UserName"]);
}

#[tokio::test(start_paused = true)]
async fn a_location_has_a_map() {
    let sim = Sim::new(world());
    let mut client = Client::online(&sim, "xiaoli").await;
    let place = Said::Location { lat: "40.0".into(), lng: "116.3".into(), label: "昌平".into() };
    sim.deliver("xiaoli", Deliver::said("老王", place)).unwrap();
    sim.deliver("xiaoli", Deliver::said("老王", Said::Voip { phase: VoipPhase::Notify })).unwrap();
    let sync = client.sync().await;
    let content = sync["AddMsgList"][0]["Content"].as_str().unwrap().replace("&amp;", "&");
    let path = content.split_once(":<br/>/cgi-bin/mmwebwx-bin/").unwrap().1.to_owned();
    assert!(client.download(&path, None).await.body.starts_with(b"\x89PNG"), "{path}");
    assert_clean(&sim);
}
