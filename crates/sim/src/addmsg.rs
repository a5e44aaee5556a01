//! How is one AddMsg written into an answer of webwxsync?
//!
//! This is the hot path of a load test: constant fields are constant text, and a message is written straight into the
//! answer. Messages with fields of their own take the slow way over a JSON tree.

use std::io::Write as _;

use serde_json::{Map, Value, json};

use crate::account::State;
use crate::log::Message;
use crate::names::Peer;
use crate::shape;

const SYSTEM_TEXT: i64 = 10_000;

const CONSTANT_TAIL: &str = concat!(
    r#""VoiceLength":0,"PlayLength":0,"FileName":"","FileSize":"","MediaId":"","Url":"","AppMsgType":0,"#,
    r#""StatusNotifyCode":0,"StatusNotifyUserName":"","RecommendInfo":{"UserName":"","NickName":"","QQNum":0,"#,
    r#""Province":"","City":"","Content":"","Signature":"","Alias":"","Scene":0,"VerifyFlag":0,"AttrStatus":0,"#,
    r#""Sex":0,"Ticket":"","OpCode":0},"ForwardFlag":0,"AppInfo":{"AppID":"","Type":0},"HasProductId":0,"#,
    r#""Ticket":"","ImgHeight":0,"ImgWidth":0,"SubMsgType":0,"OriContent":"","EncryFileName":"","NewMsgId":"#,
);

/// Writes the message as JSON, with the UserNames of the present login.
pub(crate) fn write(out: &mut Vec<u8>, state: &State, message: &Message) {
    if let Some(fields) = &message.fields {
        return write_json(out, &tree(state, message, fields));
    }
    let (from, to) = ends(state, message);
    put(out, r#"{"MsgId":""#);
    put_number(out, message.id);
    put(out, r#"","FromUserName":""#);
    put(out, from);
    put(out, r#"","ToUserName":""#);
    put(out, to);
    put(out, r#"","MsgType":"#);
    write_json(out, &message.msg_type);
    put(out, r#","Content":"#);
    match prefix(state, message) {
        None => write_json(out, &*message.content),
        Some(speaker) => {
            put(out, "\"");
            put(out, speaker);
            put(out, ":<br/>");
            // The rest of a JSON string is the string without its opening quote.
            let quote = out.len();
            write_json(out, &*message.content);
            out.remove(quote);
        }
    }
    put(out, r#","Status":3,"ImgStatus":1,"CreateTime":"#);
    put_number(out, message.at_ms / 1000);
    put(out, ",");
    put(out, CONSTANT_TAIL);
    put_number(out, message.id);
    put(out, "}");
}

fn tree(state: &State, message: &Message, fields: &Map<String, Value>) -> Value {
    let (from, to) = ends(state, message);
    let content = match prefix(state, message) {
        None => message.content.to_string(),
        Some(speaker) => format!("{speaker}:<br/>{}", message.content),
    };
    let mut value = json!({
        "MsgId": message.id.to_string(), "FromUserName": from, "ToUserName": to, "MsgType": message.msg_type,
        "Content": content, "Status": 3, "ImgStatus": 1, "CreateTime": message.at_ms / 1000, "VoiceLength": 0,
        "PlayLength": 0, "FileName": "", "FileSize": "", "MediaId": "", "Url": "", "AppMsgType": 0,
        "StatusNotifyCode": 0, "StatusNotifyUserName": "", "RecommendInfo": shape::no_recommendation(),
        "ForwardFlag": 0, "AppInfo": {"AppID": "", "Type": 0}, "HasProductId": 0, "Ticket": "", "ImgHeight": 0,
        "ImgWidth": 0, "SubMsgType": 0, "OriContent": "", "EncryFileName": "", "NewMsgId": message.id
    });
    if let Value::Object(all) = &mut value {
        for (key, field) in fields {
            // Objects are merged, so that a test names only the part it cares for.
            match (all.get_mut(key), field) {
                (Some(Value::Object(known)), Value::Object(part)) => known.extend(part.clone()),
                _ => {
                    all.insert(key.clone(), field.clone());
                }
            }
        }
    }
    value
}

fn ends<'a>(state: &'a State, message: &Message) -> (&'a str, &'a str) {
    let (me, chat) = (state.names.of(Peer::Me), state.names.of(message.chat));
    if message.own { (me, chat) } else { (chat, me) }
}

/// Whose name stands before the content: the speaker's in a room, except in system text.
fn prefix<'a>(state: &'a State, message: &Message) -> Option<&'a str> {
    let speaker = message.speaker.filter(|_| !message.own && message.msg_type != SYSTEM_TEXT)?;
    Some(state.names.of(Peer::Person(speaker)))
}

pub(crate) fn put(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

pub(crate) fn put_number(out: &mut Vec<u8>, number: u64) {
    write!(out, "{number}").expect("a Vec takes any bytes");
}

pub(crate) fn write_json<T: serde::Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    serde_json::to_writer(out, value).expect("own values have string keys and a Vec takes any bytes");
}
