//! What does an event of the gateway tell? Topics, who came and went, and the end of a login.

use wxbot_model::{Content, EventKey, EventKind, JoinedBy, MembersJoined, Mentions, Message, Noticed, PeerId, Who};

use super::{Scene, joined_key, msg_id, unread};
use crate::protocol::Incoming;
use crate::pushed::LoggedOut;
use crate::wecom::extension::Extension;
use crate::wecom::wire::{Event, Id, Payload, Push, room, seconds};

/// An event, read.
#[derive(Debug, Default)]
pub struct News {
    /// What happened, mostly one thing.
    pub events: Vec<Incoming>,
    /// The rooms in it.
    pub rooms: Vec<PeerId>,
    /// The login of this token is over.
    pub logged_out: Option<LoggedOut>,
    /// Our own id, where the event tells it.
    pub self_id: Option<PeerId>,
    /// What is stated twice and differently.
    pub mismatches: u32,
}

/// The `event` of a push. `raw` is it as it came.
pub fn event(push: &Push, wire: &Event, key: EventKey, raw: &str, scene: &Scene<'_>) -> News {
    let payload = wire.payload.as_deref().and_then(|payload| serde_json::from_str::<Payload>(payload.get()).ok());
    let Some(payload) = payload else { return kept(unread(Some(key), raw, scene)) };
    let extension = Extension::read(&payload.extension);
    let mismatches = extension.as_ref().map_or(0, |own| own.mismatches(push.number(), &wire.event_type, &payload));
    let extension = extension.unwrap_or_default();
    let told = Told { payload: &payload, extension: &extension, key, scene };
    let mut news = match wire.event_type.as_str() {
        "ROOM_TOPIC" => told.topic(),
        "ROOM_JOIN" => told.joined(),
        "ROOM_LEAVE" => told.left(),
        "LOGOUT" => told.logged_out(),
        _ => told.unknown(raw),
    };
    news.mismatches = mismatches;
    news
}

fn kept(event: Incoming) -> News {
    News { events: vec![event], ..News::default() }
}

/// One event and what helps to read it.
struct Told<'a> {
    payload: &'a Payload,
    extension: &'a Extension,
    key: EventKey,
    scene: &'a Scene<'a>,
}

impl Told<'_> {
    fn at_s(&self) -> i64 {
        seconds(&self.payload.timestamp).or(self.extension.at_s).unwrap_or(self.scene.now_s)
    }

    fn room(&self) -> Option<PeerId> {
        let stated = room(&self.payload.room_id);
        stated.parse().ok().or_else(|| self.extension.room.as_deref()?.parse().ok())
    }

    fn who(&self, id: &str) -> Who {
        if id == self.scene.me.as_str() { Who::Me } else { Who::other(id) }
    }

    /// Who did it: what the JSON says, else the extension.
    fn operator<'a>(&'a self, stated: &'a str) -> &'a str {
        if stated.is_empty() { self.extension.operator.as_deref().unwrap_or_default() } else { stated }
    }

    /// Whom it is about, without us; and whether we are among them.
    fn people(&self, list: &[Id]) -> (Vec<String>, bool) {
        let mut ids: Vec<String> = list.iter().map(|id| id.0.clone()).filter(|id| !id.is_empty()).collect();
        if ids.is_empty() {
            ids.extend(self.extension.subject.clone());
        }
        let all = ids.len();
        ids.retain(|id| id != self.scene.me.as_str());
        let me_too = ids.len() < all;
        (ids, me_too)
    }

    fn in_room(&self, operator: &str, kinds: Vec<EventKind>) -> News {
        let room = self.room();
        let chat = room.clone().unwrap_or_else(|| self.scene.me.clone());
        let events = kinds.into_iter().enumerate().map(|(place, kind)| Incoming {
            key: if place == 0 { self.key.clone() } else { joined_key(&[self.key.as_str(), &place.to_string()]) },
            chat: chat.clone(),
            sender: operator.parse().ok(),
            at_s: self.at_s(),
            kind,
        });
        News { events: events.collect(), rooms: room.into_iter().collect(), ..News::default() }
    }

    fn topic(&self) -> News {
        let operator = self.operator(&self.payload.changer_id);
        let stated = &self.payload.new_topic;
        let topic = if stated.is_empty() { self.extension.subject.as_ref().unwrap_or(stated) } else { stated };
        let by = self.who(operator);
        self.in_room(operator, vec![EventKind::TopicChanged { topic: topic.clone(), by, notice: String::new() }])
    }

    fn joined(&self) -> News {
        let operator = self.operator(&self.payload.inviter_id);
        let (names, me_invited) = self.people(&self.payload.invitee_id_list);
        // Nobody invites themself: without another inviter somebody came by a code.
        let alone = operator.is_empty() || names.iter().any(|name| name == operator);
        let joined = MembersJoined {
            names,
            me_invited,
            others: Vec::new(),
            inviter: self.who(operator),
            by: if alone { JoinedBy::QrCode } else { JoinedBy::Invitation },
            notice: String::new(),
        };
        self.in_room(operator, vec![EventKind::MembersJoined(joined)])
    }

    fn left(&self) -> News {
        let operator = self.operator(&self.payload.remover_id);
        let (names, me_removed) = self.people(&self.payload.removee_id_list);
        let by = self.who(operator);
        let mut kinds = Vec::new();
        if me_removed {
            kinds.push(EventKind::RemovedMe { by: by.clone(), notice: String::new() });
        }
        let (gone, removed): (Vec<_>, Vec<_>) =
            names.into_iter().partition(|name| operator.is_empty() || name == operator);
        if !removed.is_empty() {
            kinds.push(EventKind::MembersRemoved { names: removed, by, notice: String::new() });
        }
        if !gone.is_empty() {
            let left = gone.into_iter().map(|name| Noticed { id: None, name }).collect();
            kinds.push(EventKind::MembersChanged { joined: Vec::new(), left });
        }
        if kinds.is_empty() {
            kinds.push(EventKind::MembersRemoved { names: Vec::new(), by: self.who(operator), notice: String::new() });
        }
        self.in_room(operator, kinds)
    }

    fn logged_out(&self) -> News {
        let text = self.payload.data.clone();
        // The code stands in brackets at the end of the words, too.
        let in_words = || text.trim_end().strip_suffix([')', '）'])?.rsplit(['(', '（']).next()?.trim().parse().ok();
        let code = in_words().or(self.extension.code);
        let self_id: Option<PeerId> = self.extension.self_id.as_deref().and_then(|id| id.parse().ok());
        let at_s = self.at_s();
        let content = Content::Notice { text: text.clone() };
        let message = Message { id: msg_id("", &self.key), from_self: false, content, mentions: Mentions::default() };
        let chat = self_id.clone().unwrap_or_else(|| self.scene.me.clone());
        let event = Incoming { key: self.key.clone(), chat, sender: None, at_s, kind: EventKind::Message(message) };
        News { self_id, logged_out: Some(LoggedOut { text, code, at_s }), ..kept(event) }
    }

    fn unknown(&self, raw: &str) -> News {
        let mut event = unread(Some(self.key.clone()), raw, self.scene);
        event.at_s = self.at_s();
        let room = self.room();
        if let Some(room) = &room {
            event.chat = room.clone();
        }
        News { rooms: room.into_iter().collect(), ..kept(event) }
    }
}
