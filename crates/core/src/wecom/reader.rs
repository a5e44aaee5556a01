//! What does one push of the gateway after another tell? Who we are is learnt on the way: no push says it.

use std::collections::{HashSet, VecDeque};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use wxbot_model::PeerId;

use super::convert::{self, Scene, news};
use super::wire::{self, Event, Push};
use crate::lenient::{hex, json};
use crate::push::{NOBODY, Read};

/// Contacts that were introduced are not introduced with every message; this many are remembered.
const MOST_INTRODUCED: usize = 10_000;
/// Tokens of logins that are over. What they still push is late, and ends nothing.
const MOST_PAST: usize = 8;

/// What an account says of itself.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Our own id. Without it, it is learnt.
    pub self_id: Option<PeerId>,
    /// What we are called, for mentions.
    pub nick_name: String,
}

/// The login that a push names; `None` when it cannot be read, or names none. Another account's token is refused by
/// whoever knows all accounts.
pub fn token(body: &[u8]) -> Option<String> {
    let push: Push = json::read(body).ok()?;
    Some(push.token).filter(|token| !token.is_empty())
}

/// Reads the pushes of one account. See [`push`](crate::push) for what a caller owes it.
#[derive(Debug, Clone)]
pub struct Reader {
    settings: Settings,
    state: State,
    introduced: HashSet<PeerId>,
}

/// What outlives the process.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct State {
    me: Known,
    token: String,
    past: VecDeque<String>,
}

/// What is known of ourselves.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Known {
    id: Option<PeerId>,
    /// Somebody said it, or two conversations have only us in common.
    certain: bool,
    /// The other end of the conversation that the guess is from.
    other: Option<PeerId>,
}

impl Known {
    /// A private message has us at one of its ends. The first one is taken for one to us; once a second conversation
    /// shows that it was from us, that is corrected.
    fn learn(&mut self, from: PeerId, to: PeerId) {
        if self.certain || from == to {
            return;
        }
        let Some(me) = &self.id else {
            (self.id, self.other) = (Some(to), Some(from));
            return;
        };
        let has = |id: Option<&PeerId>| id == Some(&from) || id == Some(&to);
        match (has(Some(me)), has(self.other.as_ref())) {
            // The same two again.
            (true, true) => {}
            (true, false) => self.certain = true,
            (false, true) => *self = Self::told(self.other.take()),
            (false, false) => {
                tracing::warn!("Private messages of one account have nobody in common; is it one account?")
            }
        }
    }

    fn told(id: Option<PeerId>) -> Self {
        Self { id, certain: true, other: None }
    }
}

impl Reader {
    /// Goes on from a stored cursor; from nothing when it is empty, or cannot be read.
    pub fn resume(cursor: &[u8], settings: Settings) -> Self {
        let mut state: State = match serde_json::from_slice(cursor) {
            Ok(state) => state,
            Err(_) if cursor.is_empty() => State::default(),
            Err(error) => {
                tracing::warn!(%error, len = cursor.len(), "The cursor of a WeCom gateway cannot be read; it begins anew.");
                State::default()
            }
        };
        if settings.self_id.is_some() {
            state.me = Known::told(settings.self_id.clone());
        }
        Self { settings, state, introduced: HashSet::new() }
    }

    /// Ourselves, as far as anything said it.
    pub fn self_id(&self) -> Option<&PeerId> {
        self.state.me.id.as_ref()
    }

    /// False while our own id is a guess: then our own messages, sent elsewhere, may look like those of a friend.
    pub fn knows_itself(&self) -> bool {
        self.state.me.certain
    }

    /// The login that pushes now; empty before the first push.
    pub fn token(&self) -> &str {
        &self.state.token
    }

    /// What the next reader resumes from.
    pub fn cursor(&self) -> Vec<u8> {
        serde_json::to_vec(&self.state).unwrap_or_default()
    }

    /// Reads one body. Linear in its length, and without an error: what cannot be read is an event that holds it.
    pub fn read(&mut self, body: &[u8], now_ms: i64) -> Read {
        let now_s = now_ms.div_euclid(1000);
        let text = match json::sound(body) {
            Ok(text) => text,
            Err(error) => {
                tracing::warn!(%error, len = body.len(), "A push of a WeCom gateway cannot be read; it is kept as it came.");
                let raw = std::str::from_utf8(body).map_or_else(|_| hex::encode(body), str::to_owned);
                return self.unread(&raw, now_s);
            }
        };
        match serde_json::from_str::<Push>(&text) {
            Ok(push) if push.message.is_some() || push.event.is_some() => self.push(&push, now_s),
            Ok(_) | Err(_) => self.unread(&text, now_s),
        }
    }

    fn push(&mut self, push: &Push, now_s: i64) -> Read {
        let before = self.state.clone();
        let mut read = Read::default();
        self.adopt(&push.token);
        if let Some(raw) = &push.message {
            self.message(push, raw, now_s, &mut read);
        }
        if let Some(raw) = &push.event {
            self.event(push, raw, now_s, &mut read);
        }
        if self.state.me.id != before.me.id {
            read.self_id.clone_from(&self.state.me.id);
        }
        if self.state != before {
            read.cursor = serde_json::to_vec(&self.state).ok().map(Bytes::from);
        }
        read
    }

    /// A new token is a new login of this account, since it came on its path.
    fn adopt(&mut self, token: &str) {
        let state = &mut self.state;
        if token.is_empty() || token == state.token || state.past.iter().any(|past| past == token) {
            return;
        }
        if !state.token.is_empty() {
            tracing::info!("The WeCom gateway pushes under a new token: the account logged in anew.");
            let old = std::mem::take(&mut state.token);
            state.past.push_back(old);
            if state.past.len() > MOST_PAST {
                state.past.pop_front();
            }
        }
        token.clone_into(&mut state.token);
    }

    fn message(&mut self, push: &Push, raw: &RawValue, now_s: i64, read: &mut Read) {
        let key = convert::push_key(push, "", "message", raw.get());
        let Ok(wire) = serde_json::from_str::<wire::Message>(raw.get()) else {
            let me = self.me();
            self.introduce(&me, false, read);
            return read.events.push(convert::unread(Some(key), raw.get(), &self.scene(&me, now_s)));
        };
        let room = wire::room(&wire.room_id).parse::<PeerId>().ok();
        if room.is_none()
            && let (Ok(from), Ok(to)) = (wire.from_id.trim().parse(), wire.to_id.trim().parse())
        {
            self.state.me.learn(from, to);
        }
        let me = self.me();
        let event = convert::message(&wire, key, raw.get(), &self.scene(&me, now_s));
        self.introduce(&event.chat, room.is_some(), read);
        if let Some(sender) = &event.sender {
            self.introduce(sender, false, read);
        }
        read.events.push(event);
    }

    fn event(&mut self, push: &Push, raw: &RawValue, now_s: i64, read: &mut Read) {
        let part = if push.message.is_some() { "event" } else { "" };
        let wire = serde_json::from_str::<Event>(raw.get()).unwrap_or_default();
        let payload = wire.payload.as_deref().map_or(raw.get(), RawValue::get);
        let key = convert::push_key(push, part, &wire.event_type, payload);
        let me = self.me();
        let news = news::event(push, &wire, key, raw.get(), &self.scene(&me, now_s));
        if news.mismatches > 0 {
            tracing::warn!(
                count = news.mismatches,
                kind = wire.event_type,
                "The two forms of a WeCom event differ; the JSON counts."
            );
        }
        read.mismatches += news.mismatches;
        if news.self_id.is_some() && self.settings.self_id.is_none() {
            self.state.me = Known::told(news.self_id);
        }
        for room in &news.rooms {
            self.introduce(room, true, read);
        }
        for peer in news.events.iter().flat_map(|event| [Some(&event.chat), event.sender.as_ref()]).flatten() {
            self.introduce(peer, false, read);
        }
        read.events.extend(news.events);
        // An end of a login that was followed by another ends nothing.
        if push.token.is_empty() || push.token == self.state.token {
            read.logged_out = news.logged_out;
        }
    }

    fn introduce(&mut self, peer: &PeerId, is_room: bool, read: &mut Read) {
        if self.introduced.contains(peer) {
            return;
        }
        if self.introduced.len() >= MOST_INTRODUCED {
            self.introduced.clear();
        }
        self.introduced.insert(peer.clone());
        read.contacts.push(convert::nameless(peer.clone(), is_room, &self.me()));
    }

    fn unread(&mut self, raw: &str, now_s: i64) -> Read {
        let me = self.me();
        let mut read = Read { events: vec![convert::unread(None, raw, &self.scene(&me, now_s))], ..Read::default() };
        self.introduce(&me, false, &mut read);
        read
    }

    /// Ourselves, or a word that is nobody's id.
    #[expect(clippy::expect_used, reason = "a constant id")]
    fn me(&self) -> PeerId {
        self.state.me.id.clone().unwrap_or_else(|| NOBODY.parse().expect("constant"))
    }

    fn scene<'a>(&'a self, me: &'a PeerId, now_s: i64) -> Scene<'a> {
        Scene { me, my_name: &self.settings.nick_name, now_s }
    }
}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;
