//! Are the service's own messages understood once they are opened?

use wxbot_model::{Content, EventKind, Link, Location, Message, Point, Quote, Quoted, Secret};

use super::*;
use crate::protocol::{ContactChange, Incoming};

const NOW_S: i64 = 1_409_659_813;

fn callback(audience: Audience) -> Callback {
    let receiver = if audience == Audience::Robot { "" } else { "wx5823bf96d3bd56c7" };
    let key = Secret::new("jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C".to_owned());
    let keys = Keys::new(Secret::new("QDG6eK".to_owned()), &key, receiver.to_owned()).unwrap();
    Callback::new(keys, audience, "agent".parse().unwrap())
}

/// What a callback with this inside becomes, sealed and opened.
fn opened(audience: Audience, inner: &str) -> Opened {
    let callback = callback(audience);
    let sealed = callback.keys().seal(inner, [9; 16], NOW_S, "n");
    let body = if audience == Audience::Robot { sealed.json() } else { sealed.xml() };
    let query =
        Query { msg_signature: sealed.signature, timestamp: sealed.timestamp, nonce: sealed.nonce, ..Query::default() };
    callback.open(&query, body.as_bytes(), NOW_S + 1).unwrap()
}

fn only(opened: &Opened) -> &Incoming {
    let [event] = opened.read.events.as_slice() else { panic!("{:?}", opened.read.events) };
    event
}

fn message_of(event: &Incoming) -> &Message {
    let EventKind::Message(message) = &event.kind else { panic!("{event:?}") };
    message
}

fn to_application(rest: &str) -> Opened {
    opened(
        Audience::Application,
        &format!(
            "<xml><ToUserName><![CDATA[ww]]></ToUserName><FromUserName><![CDATA[li]]></FromUserName><CreateTime>1348831860</CreateTime>{rest}<AgentID>1</AgentID></xml>"
        ),
    )
}

#[test]
fn the_published_message_is_a_text() {
    let body = include_str!("crypt_tests.rs");
    let encrypt = body.split("ENCRYPT: &str = \"").nth(1).unwrap().split('"').next().unwrap();
    let body = format!(
        "<xml><ToUserName><![CDATA[wx5823bf96d3bd56c7]]></ToUserName><Encrypt><![CDATA[{encrypt}]]></Encrypt><AgentID><![CDATA[218]]></AgentID></xml>"
    );
    let query =
        Query::parse("msg_signature=477715d11cdb4164915debcba66cb864d751f3e6&timestamp=1409659813&nonce=1372623149");
    let opened = callback(Audience::Application).open(&query, body.as_bytes(), NOW_S).unwrap();
    let event = only(&opened);
    assert_eq!((event.chat.as_str(), event.key.as_str(), event.at_s), ("mycreate", "4561255354251345929", NOW_S));
    assert_eq!(message_of(event).content, Content::Text { text: "hello".into() });
    assert_eq!(opened.mark, "1372623149:477715d11cdb4164915debcba66cb864d751f3e6");
    assert_eq!(callback(Audience::Application).open(&query, b"<xml/>", NOW_S).unwrap_err(), CallbackError::Form);
    assert_eq!(callback(Audience::Application).open(&query, b"\xff", NOW_S).unwrap_err(), CallbackError::Form);
    let dtd = body.replacen("<xml>", "<!DOCTYPE xml [<!ENTITY x 'y'>]><xml>", 1);
    assert_eq!(callback(Audience::Application).open(&query, dtd.as_bytes(), NOW_S).unwrap_err(), CallbackError::Form);
}

#[test]
fn every_kind_of_an_application() {
    let said = |rest: &str| message_of(only(&to_application(&format!("{rest}<MsgId>7</MsgId>")))).content.clone();
    let media = |content: &Content| {
        let media = content.media().unwrap();
        (media.reference.clone(), media.params.get("url").cloned().unwrap_or_default())
    };
    assert_eq!(
        said("<MsgType>text</MsgType><Content><![CDATA[ a<b ]]></Content>"),
        Content::Text { text: " a<b ".into() }
    );
    let image = said("<MsgType>image</MsgType><PicUrl>http://p</PicUrl><MediaId>m</MediaId>");
    assert_eq!((image.kind(), media(&image)), ("image", ("m".into(), "http://p".into())));
    let voice = said("<MsgType>voice</MsgType><MediaId>m</MediaId><Format>amr</Format>");
    assert_eq!((voice.kind(), voice.media().unwrap().params["format"].as_str()), ("voice", "amr"));
    let video = said("<MsgType>video</MsgType><MediaId>m</MediaId><ThumbMediaId>t</ThumbMediaId>");
    let Content::Video { media, thumb: Some(thumb), .. } = video else { panic!() };
    assert_eq!((media.reference.as_str(), thumb.reference.as_str()), ("m", "t"));
    let place = said(
        "<MsgType>location</MsgType><Location_X>23.1</Location_X><Location_Y>113.3</Location_Y><Scale>20</Scale><Label>路</Label>",
    );
    let want = Location { point: Point::new(23.1, 113.3), label: "路".into(), ..Location::default() };
    assert_eq!(place, Content::Location(want));
    let link =
        said("<MsgType>link</MsgType><Title>t</Title><Description>d</Description><Url>u</Url><PicUrl>p</PicUrl>");
    let want = Link { title: "t".into(), description: "d".into(), url: "u".into(), thumb_url: "p".into() };
    assert_eq!(link, Content::Link(want));
    for (name, rest) in [("new", "<MsgType>cube</MsgType>"), ("no media", "<MsgType>image</MsgType>"), ("none", "")] {
        assert!(matches!(said(rest), Content::Unknown { raw, .. } if raw.contains("<AgentID>1</AgentID>")), "{name}");
    }
}

#[test]
fn events_are_known_by_who_and_when_and_what() {
    let event =
        |key: &str| to_application(&format!("<MsgType>event</MsgType><Event>click</Event><EventKey>{key}</EventKey>"));
    assert_eq!(only(&event("A")).key.as_str(), "li:1348831860:click:A");
    assert_ne!(only(&event("A")).key, only(&event("B")).key);
    assert!(matches!(message_of(only(&event("A"))).content, Content::Unknown { .. }));
    let long = only(&event(&"x".repeat(600))).key.clone();
    assert!(long.as_str().starts_with('h'));
    // What is genuine is never dropped.
    for (audience, inner) in [
        (Audience::Application, "hello"),
        (Audience::Application, "<xml/>"),
        (Audience::Robot, "{}"),
        (Audience::Robot, "x"),
    ] {
        let opened = opened(audience, inner);
        assert_eq!(message_of(only(&opened)).content, Content::Unknown { msg_type: 0, raw: inner.into() });
        assert_eq!(only(&opened).chat.as_str(), "agent");
    }
}

#[test]
fn a_robot_is_mentioned_or_spoken_to_alone() {
    let told = |chat: &str, rest: &str| {
        opened(Audience::Robot, &format!(r#"{{"msgid":"m1","aibotid":"b",{chat}"from":{{"userid":"li"}},{rest}}}"#))
    };
    let text = r#""msgtype":"text","text":{"content":"@R hi"}"#;
    let room = told(r#""chatid":"wr1","chattype":"group","response_url":"http://r","#, text);
    let event = only(&room);
    assert_eq!((event.chat.as_str(), event.sender.as_ref().unwrap().as_str(), event.key.as_str()), ("wr1", "li", "m1"));
    assert!(message_of(event).mentions.me && message_of(event).content.text() == Some("@R hi"));
    let rooms = room.read.contacts.iter().map(|change| match change {
        ContactChange::Upsert(contact) | ContactChange::Met(contact) => (contact.peer.as_str(), contact.kind),
        ContactChange::Remove(peer) => panic!("{peer}"),
    });
    let (room_kind, person) = (wxbot_model::ContactKind::Room, wxbot_model::ContactKind::Person);
    assert_eq!(rooms.collect::<Vec<_>>(), [("wr1", room_kind), ("li", person)]);
    let reply = room.reply.as_ref().unwrap();
    assert_eq!((reply.chat.as_str(), reply.msg.as_str(), reply.url.expose().as_str()), ("wr1", "m1", "http://r"));
    assert!(!format!("{reply:?}").contains("http"), "whoever has it may answer");

    let alone = told(r#""chattype":"single","#, text);
    assert_eq!((only(&alone).chat.as_str(), message_of(only(&alone)).mentions.me), ("li", false));
    assert!(alone.reply.is_none());
    let quote =
        told("", r#""msgtype":"text","text":{"content":"so"},"quote":{"msgtype":"text","text":{"content":"was"}}"#);
    let quoted = Quoted { kind: "text".into(), text: "was".into(), ..Quoted::default() };
    assert_eq!(message_of(only(&quote)).content, Content::Quote(Quote { text: "so".into(), quoted }));
    for kind in ["image", "mixed", "voice", "file", "event"] {
        let other = told("", &format!(r#""msgtype":"{kind}","{kind}":{{"url":"http://u"}}"#));
        assert!(
            matches!(&message_of(only(&other)).content, Content::Unknown { raw, .. } if raw.contains("http://u")),
            "{kind}"
        );
    }
}

proptest::proptest! {
    #[test]
    fn any_inside_is_an_event(inner in ".{0,60}", xml in "(<xml>|</xml>|<(MsgType|FromUserName|MediaId)>[a-z]{0,5}</(MsgType|FromUserName|MediaId)>){0,8}") {
        for inner in [inner.as_str(), xml.as_str()] {
            opened(Audience::Application, inner);
            opened(Audience::Robot, inner);
        }
    }
}
