//! How does what one account sends reach the other accounts of the world?
//!
//! Two accounts know each other when a friend's `account` names the other one; a room is the same room where its id
//! is. Nobody's lock is held while another's is taken.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::Sim;
use crate::account::{Account, Person, State};
use crate::log::{Entry, Message};
use crate::media::{Attached, Named};
use crate::mold::{self, Shape};
use crate::names::{self, Peer};
use crate::text::to_wire;
use crate::world::FriendSpec;

const SYSTEM_TEXT: i64 = 10_000;

/// Something on its way, before it looks like anything.
#[derive(Debug, Clone)]
pub(crate) enum Parcel<'a> {
    Text(&'a str),
    Location {
        lat: String,
        lng: String,
        label: String,
    },
    Sticker {
        md5: String,
        item: Option<Named>,
    },
    Image(Named),
    Video {
        item: Named,
        short: bool,
    },
    File(Named),
    App {
        app_type: i64,
        title: String,
        url: String,
        appmsg: String,
    },
    /// Forwarded by its XML, of which this server knows no more.
    Forward {
        msg_type: i64,
        xml: String,
    },
}

/// Where a parcel goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Through {
    Private,
    /// By the id of the room, which all its accounts share.
    Room(String),
}

/// One message to be put into an account's log.
#[derive(Debug)]
pub(crate) struct Incoming {
    pub(crate) id: u64,
    pub(crate) chat: Peer,
    pub(crate) speaker: Option<usize>,
    pub(crate) own: bool,
    pub(crate) at_ms: u64,
    pub(crate) shape: Shape,
}

impl Parcel<'_> {
    fn shape(self, state: &mut State, id: u64) -> Shape {
        match self {
            Self::Text(text) => Shape { msg_type: 1, content: to_wire(text), fields: Map::new(), item: None },
            Self::Location { lat, lng, label } => mold::location(&lat, &lng, &label, id),
            Self::Sticker { md5, item } => mold::sticker(&md5, item, false),
            Self::Image(item) => mold::image(item),
            Self::Video { item, short } => mold::video(item, 5, short),
            Self::File(item) => mold::file(item, &names::media_id(&mut state.rng)),
            Self::App { app_type, title, url, appmsg } => mold::forwarded(app_type, &title, &url, &appmsg),
            Self::Forward { msg_type, xml } => {
                Shape { msg_type, content: to_wire(&xml), fields: Map::new(), item: None }
            }
        }
    }
}

impl State {
    /// Puts the message into the log and keeps what hangs on it.
    pub(crate) fn receive(&mut self, incoming: Incoming) {
        let Incoming { id, chat, speaker, own, at_ms, shape } = incoming;
        let Shape { msg_type, content, fields, item } = shape;
        if let Some(item) = item {
            if let Some(media_id) = fields.get("MediaId").and_then(Value::as_str) {
                self.files.insert(media_id.to_owned(), id);
            }
            self.attached.insert(id, Attached { item, msg_type, chat, own });
        }
        self.add(Entry::Message(Message {
            id,
            chat,
            speaker,
            own,
            msg_type,
            content: content.into(),
            at_ms,
            handed: 0,
            fields: (!fields.is_empty()).then(|| Box::new(fields)),
            service: false,
        }));
    }

    /// What the service itself says in a conversation.
    pub(crate) fn system_text(&mut self, id: u64, chat: Peer, text: &str, at_ms: u64) {
        let shape = Shape { msg_type: SYSTEM_TEXT, content: to_wire(text), fields: Map::new(), item: None };
        self.receive(Incoming { id, chat, speaker: None, own: false, at_ms, shape });
    }

    /// The entry that stands for another account of the world; a stranger, if it never met it.
    pub(crate) fn know(&mut self, other: &Account) -> usize {
        if let Some(at) = self.people.iter().position(|person| person.spec.account == other.name) {
            return at;
        }
        let spec = FriendSpec {
            nick: other.nick().to_owned(),
            alias: other.spec.alias.clone(),
            sex: other.spec.sex,
            signature: other.spec.signature.clone(),
            account: other.name.clone(),
            ..FriendSpec::default()
        };
        self.add_person(Person::new(spec, &other.name, false))
    }

    /// Names of the other accounts that hear what is said to the peer.
    pub(crate) fn hearers(&self, peer: Peer) -> Vec<String> {
        let account = |at: usize| {
            let account = &self.people.get(at)?.spec.account;
            (!account.is_empty()).then(|| account.clone())
        };
        match peer {
            Peer::Person(at) => account(at).into_iter().collect(),
            Peer::Room(at) => {
                let members = self.rooms.get(at).map(|room| room.members.as_slice()).unwrap_or_default();
                members
                    .iter()
                    .filter_map(|member| match member.who {
                        Peer::Person(at) => account(at),
                        Peer::Me | Peer::Room(_) | Peer::Special(_) => None,
                    })
                    .collect()
            }
            Peer::Me | Peer::Special(_) => Vec::new(),
        }
    }

    /// How the other accounts find the conversation.
    pub(crate) fn through(&self, peer: Peer) -> Through {
        match peer {
            Peer::Room(at) => {
                Through::Room(self.rooms.get(at).map(|room| room.chatroom_id.clone()).unwrap_or_default())
            }
            Peer::Me | Peer::Person(_) | Peer::Special(_) => Through::Private,
        }
    }

    pub(crate) fn room_with_id(&self, chatroom_id: &str) -> Option<usize> {
        self.rooms.iter().position(|room| room.chatroom_id == chatroom_id && !room.left)
    }
}

impl Sim {
    /// Carries what `from` sent to the accounts that hear it. Answers whether a private message was taken: it is not,
    /// when the other one has no such friend.
    pub(crate) fn relay(
        &self,
        from: &Arc<Account>,
        hearers: &[String],
        through: &Through,
        parcel: &Parcel<'_>,
        id: u64,
    ) -> bool {
        let mut taken = true;
        for name in hearers.iter().filter(|name| **name != from.name) {
            let Ok(account) = self.account(name) else {
                tracing::warn!(account = name, "A friend's `account` is no account of the world.");
                continue;
            };
            let mut state = account.lock();
            let speaker = state.know(from);
            let (chat, speaker) = match through {
                Through::Private if state.people.get(speaker).is_some_and(|person| person.friend) => {
                    (Peer::Person(speaker), None)
                }
                Through::Private => {
                    taken = false;
                    continue;
                }
                Through::Room(id) => match state.room_with_id(id) {
                    Some(room) => (Peer::Room(room), Some(speaker)),
                    None => continue,
                },
            };
            let shape = parcel.clone().shape(&mut state, id);
            state.receive(Incoming { id, chat, speaker, own: false, at_ms: self.now_ms(), shape });
            drop(state);
            account.wake.notify_waiters();
        }
        taken
    }
}
