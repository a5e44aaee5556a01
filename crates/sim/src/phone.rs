//! What do people do with their phones: write, recall, log the computer out, change rooms?

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Sim;
use crate::account::{Account, Member, Person, State};
use crate::error::SimError;
use crate::log::{Entry, Message};
use crate::names::{self, Peer};
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

/// What happens to a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RoomChange {
    /// A friend or a stranger of this nick comes in.
    Join(String),
    /// The member of this nick goes.
    Leave(String),
    /// The room gets this topic.
    Rename(String),
    /// The member of this nick (the account's name for itself) gets this group nickname.
    Display(String, String),
    /// The account itself is removed: DelContactList.
    Removed,
}

impl Sim {
    /// Sends a message to the account and answers its MsgId. It waits in the log when no client is online, and is lost
    /// for a login that begins later.
    pub fn deliver(&self, account: &str, message: Deliver) -> Result<String, SimError> {
        let account = self.account(account)?;
        let mut state = account.lock();
        let (chat, speaker) = find_chat(&account, &state, &message)?;
        let content = match (message.text, message.content) {
            (Some(text), None) => to_wire(&text),
            (None, Some(content)) => content,
            (None, None) | (Some(_), Some(_)) => {
                return Err(SimError::Invalid("a message has either `text` or `content`".to_owned()));
            }
        };
        if let Some(info) = message.fields.get("RecommendInfo")
            && let Some(user_name) = info.get("UserName").and_then(Value::as_str)
            && state.names.find(user_name).is_none()
        {
            state.names.requesters.insert(user_name.to_owned(), info.clone());
        }
        let id = self.next_msg_id();
        state.add(Entry::Message(Message {
            id,
            chat,
            speaker,
            own: message.own,
            msg_type: message.msg_type.unwrap_or(TEXT),
            content: content.into(),
            at_ms: self.now_ms(),
            handed: 0,
            fields: (!message.fields.is_empty()).then(|| Box::new(message.fields)),
            service: false,
        }));
        drop(state);
        account.wake.notify_waiters();
        self.touch();
        Ok(id.to_string())
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

    /// Something happens to a room: ModContactList with all its members, or DelContactList.
    pub fn change_room(&self, account: &str, room: &str, change: RoomChange) -> Result<(), SimError> {
        let account = self.account(account)?;
        let mut state = account.lock();
        let at = account.find_room(&state, room)?;
        let removed = change == RoomChange::Removed;
        let joins = match &change {
            RoomChange::Join(nick) => Some(Peer::Person(state.meet(&account.name, nick))),
            RoomChange::Leave(_) | RoomChange::Rename(_) | RoomChange::Display(..) | RoomChange::Removed => None,
        };
        let member = match &change {
            RoomChange::Leave(nick) | RoomChange::Display(nick, _) => Some(find_member(&account, &state, at, nick)?),
            RoomChange::Join(_) | RoomChange::Rename(_) | RoomChange::Removed => None,
        };
        let Some(room) = state.rooms.get_mut(at) else { return Ok(()) };
        match change {
            RoomChange::Join(_) => {
                if let Some(who) = joins.filter(|who| room.members.iter().all(|member| member.who != *who)) {
                    room.members.push(Member { who, display: String::new() });
                }
            }
            RoomChange::Leave(_) => {
                room.members.retain(|known| Some(known.who) != member);
            }
            RoomChange::Rename(topic) => room.topic = topic,
            RoomChange::Display(_, display) => {
                if let Some(known) = room.members.iter_mut().find(|known| Some(known.who) == member) {
                    known.display = display;
                }
            }
            RoomChange::Removed => room.left = true,
        }
        state.add(if removed { Entry::Del(Peer::Room(at)) } else { Entry::Mod(Peer::Room(at)) });
        drop(state);
        account.wake.notify_waiters();
        self.touch();
        Ok(())
    }

    /// Somebody becomes a friend, or a friend's entry changes: ModContactList.
    pub fn set_friend(&self, account: &str, friend: FriendSpec) -> Result<(), SimError> {
        let account = self.account(account)?;
        if friend.nick.is_empty() {
            return Err(SimError::Invalid("a friend has no nick".to_owned()));
        }
        let mut state = account.lock();
        let at = state.meet(&account.name, &friend.nick);
        let wxid = names::wxid(&account.name, &friend.nick);
        if let Some(person) = state.people.get_mut(at) {
            *person = Person { spec: friend, wxid, friend: true };
        }
        state.add(Entry::Mod(Peer::Person(at)));
        drop(state);
        account.wake.notify_waiters();
        self.touch();
        Ok(())
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
    match find_member(account, state, at, &message.from)? {
        Peer::Person(speaker) => Ok((Peer::Room(at), Some(speaker))),
        Peer::Me | Peer::Room(_) | Peer::Special(_) => {
            Err(SimError::Invalid("what the account itself says is sent with `own`".to_owned()))
        }
    }
}

fn find_member(account: &Account, state: &State, room: usize, nick: &str) -> Result<Peer, SimError> {
    let who = if nick == account.name {
        Peer::Me
    } else {
        Peer::Person(state.find_person(nick).ok_or_else(|| account.no_person(nick))?)
    };
    let room = state.rooms.get(room);
    if room.is_some_and(|room| room.members.iter().any(|member| member.who == who)) {
        return Ok(who);
    }
    Err(SimError::NotAMember { room: room.map(|room| room.topic.clone()).unwrap_or_default(), name: nick.to_owned() })
}
