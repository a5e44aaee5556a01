//! What do people do with their phones: write, recall, log the computer out, change rooms?

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Sim;
use crate::account::{Account, Marks, Person, State};
use crate::error::SimError;
use crate::log::{Entry, Message};
use crate::media::Named;
use crate::mold::{self, Recommended, Shape};
use crate::names::{self, Peer};
use crate::relay::Incoming;
use crate::said::{self, Said};
use crate::session::NO_SESSION;
use crate::text::to_wire;
use crate::world::FriendSpec;

const TEXT: i64 = 1;
const REVOKED: i64 = 10_002;

/// A message that somebody sends to an account.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Deliver {
    /// Nick, remark, alias or wxid of the sender, or the id of a service (`fmessage`). May be empty in a room: then the
    /// room itself speaks, as in system text. With `own` it is who the message goes to.
    pub from: String,
    /// Topic of the room it is said in.
    pub room: Option<String>,
    /// What a person typed; sent in wire form.
    pub text: Option<String>,
    /// MsgType, 1 when absent.
    pub msg_type: Option<i64>,
    /// Content in wire form, sent as it is (a room's `@member:<br/>` is put before it). Instead of `text`.
    pub content: Option<String>,
    /// Anything but text: instead of `text`.
    pub said: Option<Said>,
    /// Fields of AddMsg that differ from the usual ones; objects are merged.
    pub fields: Map<String, Value>,
    /// The account itself sends it from its phone.
    pub own: bool,
}

impl Deliver {
    /// A friend writes.
    pub fn text(from: impl Into<String>, text: impl Into<String>) -> Self {
        Self { from: from.into(), text: Some(text.into()), ..Self::default() }
    }

    /// Any other message, its content in wire form.
    pub fn raw(from: impl Into<String>, msg_type: i64, content: impl Into<String>) -> Self {
        Self { from: from.into(), msg_type: Some(msg_type), content: Some(content.into()), ..Self::default() }
    }

    /// A picture, a card, a file …
    pub fn said(from: impl Into<String>, said: Said) -> Self {
        Self { from: from.into(), said: Some(said), ..Self::default() }
    }

    /// The same, said in a room.
    #[must_use]
    pub fn in_room(mut self, topic: impl Into<String>) -> Self {
        self.room = Some(topic.into());
        self
    }

    /// The same, with one field of AddMsg set.
    #[must_use]
    pub fn field(mut self, name: impl Into<String>, value: Value) -> Self {
        self.fields.insert(name.into(), value);
        self
    }

    /// The same, sent by the account itself to `from`.
    #[must_use]
    pub fn own(mut self) -> Self {
        self.own = true;
        self
    }
}

impl Sim {
    /// Sends a message to the account and answers its MsgId. It waits in the log when no client is online, and is lost
    /// for a login that begins later.
    pub fn deliver(&self, account: &str, message: Deliver) -> Result<String, SimError> {
        let account = self.account(account)?;
        let item = message.said.as_ref().and_then(|said| said::bytes_of(said, self.next_msg_id()));
        let item = item.map(|(bytes, name)| self.keep(bytes, name)).transpose()?;
        let mut state = account.lock();
        let (chat, speaker) = find_chat(&account, &state, &message)?;
        let id = self.next_msg_id();
        let plain = |msg_type: Option<i64>, content| Shape {
            msg_type: msg_type.unwrap_or(TEXT),
            content,
            fields: Map::new(),
            item: None,
        };
        let Deliver { own, msg_type, fields, .. } = message;
        let mut shape = match (message.text, message.content, message.said) {
            (Some(text), None, None) => plain(msg_type, to_wire(&text)),
            (None, Some(content), None) => plain(msg_type, content),
            (None, None, Some(said)) => {
                let shape = state.mold(&account.name, &said, item, &Place { own, chat, id });
                Shape { msg_type: msg_type.unwrap_or(shape.msg_type), ..shape }
            }
            _ => return Err(SimError::Invalid("a message has either `text`, `content` or `said`".to_owned())),
        };
        if let Some(info) = fields.get("RecommendInfo")
            && let Some(user_name) = info.get("UserName").and_then(Value::as_str)
            && state.names.find(user_name).is_none()
        {
            state.names.requesters.insert(user_name.to_owned(), info.clone());
        }
        for (name, field) in fields {
            shape.fields.insert(name, field);
        }
        state.receive(Incoming { id, chat, speaker, own, at_ms: self.now_ms(), shape });
        drop(state);
        account.wake.notify_waiters();
        self.touch();
        Ok(id.to_string())
    }

    /// Keeps bytes that were put into a message.
    fn keep(&self, bytes: Bytes, name: String) -> Result<Named, SimError> {
        let len = bytes.len();
        let blob = self.shelf().keep(bytes, None).map_err(|_full| SimError::MediaFull { bytes: len })?;
        Ok(Named { blob, name })
    }

    /// The sender takes a delivered message back: a message of type 10002 follows, whose MsgId is answered.
    pub fn recall(&self, account: &str, msg_id: &str) -> Result<String, SimError> {
        let account = self.account(account)?;
        let mut state = account.lock();
        let wanted: Option<u64> = msg_id.parse().ok();
        let message = state.log.messages().rev().find(|message| Some(message.id) == wanted && !message.service);
        let Some(message) = message else {
            return Err(SimError::UnknownMessage { account: account.name.clone(), msg_id: msg_id.to_owned() });
        };
        let (chat, speaker, own) = (message.chat, message.speaker, message.own);
        let who = match (own, speaker) {
            (true, _) => "你".to_owned(),
            (false, Some(speaker)) => format!("\"{}\"", state.label(Peer::Person(speaker))),
            (false, None) => format!("\"{}\"", state.label(chat)),
        };
        let session = match chat {
            Peer::Person(at) => state.people.get(at).map(|person| person.wxid.clone()),
            Peer::Room(at) => state.rooms.get(at).map(|room| room.chatroom_id.clone()),
            Peer::Special(id) => Some(id.to_owned()),
            Peer::Me => None,
        };
        let content = to_wire(&format!(
            "<sysmsg type=\"revokemsg\"><revokemsg><session>{}</session><oldmsgid>{}</oldmsgid><msgid>{msg_id}</msgid>\
             <replacemsg><![CDATA[{who} 撤回了一条消息]]></replacemsg></revokemsg></sysmsg>",
            session.unwrap_or_default(),
            1_000_000_000 + message.id % 1_000_000_000,
        ));
        let id = self.next_msg_id();
        state.add(Entry::Message(Message {
            id,
            chat,
            speaker,
            own,
            msg_type: REVOKED,
            content: content.into(),
            at_ms: self.now_ms(),
            handed: 0,
            fields: None,
            service: false,
        }));
        drop(state);
        account.wake.notify_waiters();
        self.touch();
        Ok(id.to_string())
    }

    /// The session ends: from now on it is answered with `ret` (1100, 1101 or 1102).
    pub fn expire(&self, account: &str, ret: i64) -> Result<(), SimError> {
        if !(1100..=1102).contains(&ret) {
            return Err(SimError::Invalid(format!("a session ends with 1100, 1101 or 1102, not {ret}")));
        }
        let account = self.account(account)?;
        let mut state = account.lock();
        if !account.end_session(&mut state, ret) {
            return Err(SimError::NoSession(account.name.clone()));
        }
        drop(state);
        self.touch();
        Ok(())
    }

    /// The computer is logged out on the phone: 1100.
    pub fn kick(&self, account: &str) -> Result<(), SimError> {
        self.expire(account, NO_SESSION)
    }

    /// Somebody becomes a friend, or a friend's entry changes: ModContactList.
    pub fn set_friend(&self, account: &str, friend: FriendSpec) -> Result<(), SimError> {
        let account = self.account(account)?;
        if friend.nick.is_empty() {
            return Err(SimError::Invalid("a friend has no nick".to_owned()));
        }
        let mut state = account.lock();
        let at = state.meet(&account.name, &friend.nick);
        if let Some(person) = state.people.get_mut(at) {
            *person = Person { pinned: person.pinned, ..Person::new(friend, &account.name, true) };
        }
        state.add(Entry::Mod(Peer::Person(at)));
        drop(state);
        account.wake.notify_waiters();
        self.touch();
        Ok(())
    }

    /// Lets people of the account be known again after the next login, or not. Takes effect at once.
    pub fn set_marks(&self, account: &str, marks: Marks) -> Result<(), SimError> {
        let account = self.account(account)?;
        account.lock().marks = marks;
        self.touch();
        Ok(())
    }

    /// The bytes with this md5 that somebody uploaded, or that hang on a message.
    pub fn media(&self, md5: &str) -> Option<Bytes> {
        self.shelf().find(md5).map(|blob| Bytes::clone(&blob.bytes))
    }

    /// A friend is deleted: DelContactList, and sends to them answer 1204.
    pub fn remove_friend(&self, account: &str, nick: &str) -> Result<(), SimError> {
        let account = self.account(account)?;
        let mut state = account.lock();
        let at = state.find_person(nick).ok_or_else(|| account.no_person(nick))?;
        if let Some(person) = state.people.get_mut(at) {
            person.friend = false;
        }
        state.add(Entry::Del(Peer::Person(at)));
        drop(state);
        account.wake.notify_waiters();
        self.touch();
        Ok(())
    }
}

/// Where a molded message goes.
struct Place {
    own: bool,
    chat: Peer,
    id: u64,
}

impl State {
    /// Gives the message its shape, with names and ids of the present login.
    fn mold(&mut self, account: &str, said: &Said, item: Option<Named>, place: &Place) -> Shape {
        let Place { own, chat, id } = *place;
        match (said, item) {
            (Said::Image { .. }, Some(item)) => mold::image(item),
            (Said::Voice { ms, .. }, Some(item)) => mold::voice(item, *ms, id),
            (Said::Video { seconds, short, .. }, Some(item)) => mold::video(item, *seconds, *short),
            (Said::Sticker { shop, .. }, Some(item)) => {
                let md5 = item.blob.md5.clone();
                mold::sticker(&md5, Some(item), *shop)
            }
            (Said::File { .. }, Some(item)) => mold::file(item, &names::media_id(&mut self.rng)),
            (Said::Location { lat, lng, label }, _) => mold::location(lat, lng, label, id),
            (Said::Card { nick, alias, official }, _) => {
                let at = self.meet(account, nick);
                let (wxid, sex) =
                    self.people.get(at).map(|person| (person.wxid.clone(), person.spec.sex)).unwrap_or_default();
                mold::card(&Recommended {
                    user_name: self.names.of(Peer::Person(at)),
                    wxid: &wxid,
                    nick,
                    alias,
                    sex,
                    official: *official,
                })
            }
            _ => mold::plain(said, own, self.label(chat)),
        }
    }
}

fn find_chat(account: &Account, state: &State, message: &Deliver) -> Result<(Peer, Option<usize>), SimError> {
    let person = || state.find_person(&message.from).ok_or_else(|| account.no_person(&message.from));
    let Some(topic) = &message.room else {
        return match names::special(&message.from) {
            Some(special) => Ok((special, None)),
            None => Ok((Peer::Person(person()?), None)),
        };
    };
    let at = account.find_room(state, topic)?;
    if message.from.is_empty() || message.own {
        return Ok((Peer::Room(at), None));
    }
    match state.member_named(account, at, &message.from)? {
        Peer::Person(speaker) => Ok((Peer::Room(at), Some(speaker))),
        Peer::Me | Peer::Room(_) | Peer::Special(_) => {
            Err(SimError::Invalid("what the account itself says is sent with `own`".to_owned()))
        }
    }
}
