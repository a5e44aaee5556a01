//! What does the service say to a smart robot? Texts of people who mention it, or write to it alone. Other kinds are
//! known by name only, and are kept whole.

use wxbot_model::{Content, EventKind, Mentions, Message, MsgId, PeerId, Quote, Quoted, Secret};

use super::{Scene, joined_key, msg_id, unknown};
use crate::lenient::{hash_key, json};
use crate::protocol::Incoming;
use crate::wecom::wire::{RobotMessage, RobotQuote, seconds};

/// A message, and where an answer to it may be posted.
#[derive(Debug)]
pub struct Told {
    /// The message.
    pub event: Incoming,
    /// The room, if it came from one.
    pub room: Option<PeerId>,
    /// The way back.
    pub reply: Option<ReplyTo>,
}

/// Where an answer may be posted, once, by whoever has the address.
#[derive(Debug, Clone)]
pub struct ReplyTo {
    /// The chat of the message.
    pub chat: PeerId,
    /// The message.
    pub msg: MsgId,
    /// The address.
    pub url: Secret<String>,
}

/// One message; `None` when it is no JSON object that says whom it is from.
pub fn message(inner: &str, scene: &Scene<'_>) -> Option<Told> {
    let wire: RobotMessage = json::read(inner.as_bytes()).ok()?;
    let from: PeerId = wire.from.userid.parse().ok()?;
    let room: Option<PeerId> = wire.chatid.parse().ok().filter(|_| wire.chattype != "single");
    // Whoever repeats a push repeats its id, but draws another address for the answer.
    let key = if wire.msgid.is_empty() { hash_key(&[inner]) } else { joined_key(&[&wire.msgid]) };
    let content = content(&wire).unwrap_or_else(|| unknown(inner));
    let chat = room.clone().unwrap_or_else(|| from.clone());
    let msg = msg_id(&wire.msgid, &key);
    let reply = Some(&wire.response_url).filter(|url| !url.is_empty());
    let reply = reply.map(|url| ReplyTo { chat: chat.clone(), msg: msg.clone(), url: Secret::new(url.clone()) });
    // In a room it hears only what mentions it.
    let mentions = Mentions { me: room.is_some(), all: false };
    let event = Incoming {
        key,
        chat,
        sender: Some(from),
        at_s: seconds(&wire.create_time.to_string()).unwrap_or(scene.now_s),
        kind: EventKind::Message(Message { id: msg, from_self: false, content, mentions }),
    };
    Some(Told { event, room, reply })
}

fn content(wire: &RobotMessage) -> Option<Content> {
    let text = wire.text.content.clone();
    match (wire.msgtype.as_str(), &wire.quote) {
        ("text", None) => Some(Content::Text { text }),
        ("text", Some(quote)) => Some(Content::Quote(Quote { text, quoted: quoted(quote) })),
        _ => None,
    }
}

fn quoted(quote: &RobotQuote) -> Quoted {
    Quoted { kind: quote.msgtype.clone(), text: quote.text.content.clone(), ..Quoted::default() }
}
