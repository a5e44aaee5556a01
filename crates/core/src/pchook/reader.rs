//! What does one pushed body after another tell? Sends in two halves are joined here, and bytes find their message.

use std::collections::HashMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use wxbot_model::PeerId;

use super::convert::{self, Form, Scene};
use super::seen::{Original, Seen};
use super::waiting::{Acknowledged, Left, Waiting};
use super::wire::{Entries, Entry, Push, SERVER, Sent};
use crate::lenient::{hex, json};
use crate::push::{NOBODY, NotOurs, Read};

/// Contacts that were introduced are not introduced with every message; this many are remembered.
const MOST_INTRODUCED: usize = 10_000;

/// What an account says of itself.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The control port of the instance; a push with another `ServerPort` is refused.
    pub server_port: Option<u16>,
    /// Our own id; a push with another `selfwxid` is refused. Without it, the first one that comes is ours.
    pub self_wxid: Option<PeerId>,
    /// What we are called, for mentions.
    pub nick_name: String,
    /// The clock of the Windows machine, seconds east of Greenwich; `None` for China's.
    pub offset_s: Option<i32>,
}

const CHINA_S: i32 = 8 * 3600;

/// Which instance a push comes from: enough to find its account where all push to one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// `ServerPort`: 30001 for the first instance, 30002 for the second.
    pub server_port: Option<u16>,
    /// `selfwxid`.
    pub self_wxid: Option<PeerId>,
}

/// Where a push comes from; `None` when it cannot be read.
pub fn instance(body: &[u8]) -> Option<Instance> {
    let push: Push = json::read(body).ok()?;
    Some(Instance { server_port: push.server_port.trim().parse().ok(), self_wxid: push.selfwxid.parse().ok() })
}

/// Reads the pushes of one account. See [`push`](crate::push) for what a caller owes it.
#[derive(Debug, Clone)]
pub struct Reader {
    settings: Settings,
    state: State,
    /// Whom we told of, and the name we told.
    introduced: HashMap<PeerId, String>,
}

/// What outlives the process.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct State {
    me: Option<PeerId>,
    waiting: Waiting,
    seen: Seen,
}

impl Reader {
    /// Goes on from a stored cursor; from nothing when it is empty, or cannot be read.
    pub fn resume(cursor: &[u8], settings: Settings) -> Self {
        let mut state: State = match serde_json::from_slice(cursor) {
            Ok(state) => state,
            Err(_) if cursor.is_empty() => State::default(),
            Err(error) => {
                tracing::warn!(%error, len = cursor.len(), "The cursor of a PC hook cannot be read; own messages that waited for their id are lost.");
                State::default()
            }
        };
        if settings.self_wxid.is_some() {
            state.me.clone_from(&settings.self_wxid);
        }
        Self { settings, state, introduced: HashMap::new() }
    }

    /// Ourselves, as far as anything said it.
    pub fn self_id(&self) -> Option<&PeerId> {
        self.state.me.as_ref()
    }

    /// When [`expire`](Self::expire) has something to do, if nothing comes before; milliseconds since 1970.
    pub fn next_expiry_ms(&self) -> Option<i64> {
        self.state.waiting.next_expiry_ms()
    }

    /// Own messages whose acknowledgement did not come in a minute: as events, without an id of the service.
    pub fn expire(&mut self, now_ms: i64) -> Read {
        let before = self.state.clone();
        let mut read = Read::default();
        self.expired(now_ms, &mut read);
        self.finished(read, &before)
    }

    /// Reads one body. Linear in its length, and without an error: what cannot be read is an event that holds it.
    pub fn read(&mut self, body: &[u8], now_ms: i64) -> Read {
        let before = self.state.clone();
        let mut read = Read::default();
        let text = match json::sound(body) {
            Ok(text) => text,
            Err(error) => {
                tracing::warn!(%error, len = body.len(), "A push of a PC hook cannot be read; it is kept as it came.");
                let raw = std::str::from_utf8(body).map_or_else(|_| hex::encode(body), str::to_owned);
                return self.unread(raw, now_ms);
            }
        };
        let Ok(push) = serde_json::from_str::<Push>(&text) else { return self.unread(text.into_owned(), now_ms) };
        if let Some(refused) = self.refusal(&push) {
            return Read { refused: Some(refused), ..Read::default() };
        }
        if self.state.me.is_none() {
            self.state.me = push.selfwxid.parse().ok();
            read.self_id.clone_from(&self.state.me);
        }
        // Whatever waits too long goes first: it is older than this.
        self.expired(now_ms, &mut read);
        match push.msglist.as_deref() {
            Some(list) => match entries(list) {
                Some(entries) => {
                    for raw in &entries {
                        self.entry(raw.get(), &push, now_ms, &mut read);
                    }
                }
                None => read.events.push(convert::unread(text.into_owned(), &self.scene(&self.me(), now_ms))),
            },
            None => self.outer(&push, &text, now_ms, &mut read),
        }
        self.finished(read, &before)
    }

    fn unread(&mut self, raw: String, now_ms: i64) -> Read {
        let before = self.state.clone();
        let mut read = Read::default();
        self.expired(now_ms, &mut read);
        read.events.push(convert::unread(raw, &self.scene(&self.me(), now_ms)));
        self.finished(read, &before)
    }

    fn refusal(&self, push: &Push) -> Option<NotOurs> {
        let port: Option<u16> = push.server_port.trim().parse().ok();
        if self.settings.server_port.is_some() && port.is_some() && port != self.settings.server_port {
            return Some(NotOurs::OtherInstance);
        }
        let other = |me: &PeerId| !push.selfwxid.is_empty() && me.as_str() != push.selfwxid;
        self.state.me.as_ref().is_some_and(other).then_some(NotOurs::OtherAccount)
    }

    /// Ourselves, or a word that is nobody's id.
    #[expect(clippy::expect_used, reason = "a constant id")]
    fn me(&self) -> PeerId {
        self.state.me.clone().unwrap_or_else(|| NOBODY.parse().expect("constant"))
    }

    fn scene<'a>(&'a self, me: &'a PeerId, now_ms: i64) -> Scene<'a> {
        let offset_s = self.settings.offset_s.unwrap_or(CHINA_S);
        Scene { me, my_name: &self.settings.nick_name, offset_s, now_s: now_ms.div_euclid(1000) }
    }

    /// One entry of the list.
    fn entry(&mut self, raw: &str, push: &Push, now_ms: i64, read: &mut Read) {
        let me = self.me();
        let Ok(entry) = serde_json::from_str::<Entry>(raw) else {
            return read.events.push(convert::unread(raw.to_owned(), &self.scene(&me, now_ms)));
        };
        let (entry_room, topic) = (entry.fromgid.clone(), entry.fromgname.clone());
        // The hook's own words come without an id, which nobody who only writes to us can bring about.
        let hooks_own = entry.code() == Some(10_000) && entry.server_id().is_none() && push.sendorrecv != SERVER;
        match (entry.code(), entry.msg.trim()) {
            (Some(10_000), "切换聊天对象") if hooks_own => {
                let (event, contact) = convert::switched(&entry, &self.scene(&me, now_ms));
                read.contacts.extend(contact);
                if let Ok(peer) = entry.current_wxid.parse() {
                    self.introduced.insert(peer, String::new());
                }
                read.events.push(event);
            }
            (Some(10_000), "退出登录微信") if hooks_own => {
                let (event, logged_out) = convert::logged_out(&entry, &self.scene(&me, now_ms));
                read.logged_out = Some(logged_out);
                read.events.push(event);
            }
            (Some(20_001), _) => read.events.push(convert::invited(&entry, &self.scene(&me, now_ms))),
            (Some(code), _) if convert::is_own(&entry, &me) && push.sendorrecv != "1" && entry.is_acknowledgement() => {
                self.acknowledgement(code, &entry, raw, now_ms, read);
            }
            (Some(code), _) if convert::is_own(&entry, &me) && entry.server_id().is_none() && is_sent(code) => {
                let left = Left { key: convert::local_key(&entry, &me).to_string(), at_ms: now_ms, entry };
                for alone in self.state.waiting.push(left) {
                    self.message(&alone.entry, Form::Message, None, now_ms, read);
                }
            }
            _ => self.message(&entry, Form::Message, Some(raw), now_ms, read),
        }
        if let Ok(room) = entry_room.parse::<PeerId>()
            && !topic.is_empty()
            && self.introduced.get(&room) != Some(&topic)
        {
            read.contacts.push(convert::named(room.clone(), &topic, &me));
            self.introduced.insert(room, topic);
        }
    }

    /// A message as an event. Its bytes may come later.
    fn message(&mut self, entry: &Entry, form: Form, raw: Option<&str>, now_ms: i64, read: &mut Read) {
        let me = self.me();
        let own_raw = || serde_json::to_string(entry).unwrap_or_default();
        let raw = raw.map_or_else(own_raw, str::to_owned);
        let event = convert::message(entry, form, &raw, &self.scene(&me, now_ms));
        if let Some(media) = convert::media_of(&event) {
            self.state.seen.remember(Original {
                id: media.id,
                md5: media.md5,
                chat: event.chat.clone(),
                at_ms: now_ms,
            });
        }
        read.events.push(event);
    }

    fn acknowledgement(&mut self, code: i64, entry: &Entry, raw: &str, now_ms: i64, read: &mut Read) {
        let id = entry.server_id();
        let found = id.map(|id| self.state.waiting.acknowledge(id, Sent::of(code), &entry.toid, now_ms));
        match (id, found) {
            (Some(id), Some(Acknowledged::Of(left))) => {
                let whole = Entry { msgsvrid: id.to_owned(), ..left.entry };
                self.message(&whole, Form::Acknowledgement, None, now_ms, read);
            }
            _ => {
                let me = self.me();
                read.events.push(convert::acknowledged(entry, raw, &self.scene(&me, now_ms)));
            }
        }
    }

    /// A body without a list: the flattened form, a message that was not decoded, or something new.
    fn outer(&mut self, push: &Push, text: &str, now_ms: i64, read: &mut Read) {
        let me = self.me();
        if let Some(digits) = push.undecoded() {
            let outer = serde_json::from_str(text).unwrap_or_default();
            return read.events.push(convert::raw::undecoded(push, digits, outer, &self.scene(&me, now_ms)));
        }
        let flat = serde_json::from_str::<Entry>(text).ok();
        let Some((flat, code)) = flat.and_then(|flat| flat.code().or(flat.inferred_code()).map(|code| (flat, code)))
        else {
            return read.events.push(convert::unread(text.to_owned(), &self.scene(&me, now_ms)));
        };
        if flat.code().is_some() {
            // An entry without its list.
            return self.entry(text, push, now_ms, read);
        }
        let flat = Entry { msgtype: code.to_string(), ..flat };
        let event = convert::message(&flat, Form::Ready, text, &self.scene(&me, now_ms));
        let media = convert::media_of(&event);
        let md5 = media.map(|media| media.md5).unwrap_or_default();
        let original = self.state.seen.find(flat.server_id().unwrap_or_default(), &md5, now_ms);
        read.events.push(match original {
            Some(original) => convert::ready(event, &original.id, &original.chat),
            None => event,
        });
    }

    fn expired(&mut self, now_ms: i64, read: &mut Read) {
        for left in self.state.waiting.expire(now_ms) {
            self.message(&left.entry, Form::Message, None, now_ms, read);
        }
    }

    fn finished(&mut self, mut read: Read, before: &State) -> Read {
        let me = self.me();
        if self.introduced.len() > MOST_INTRODUCED {
            self.introduced.clear();
        }
        for peer in convert::named_in(&read.events) {
            if !self.introduced.contains_key(peer) {
                read.contacts.push(convert::named(peer.clone(), "", &me));
                self.introduced.insert(peer.clone(), String::new());
            }
        }
        if self.state != *before {
            read.cursor = serde_json::to_vec(&self.state).ok().map(Bytes::from);
        }
        read
    }
}

/// What a person sends. The rest comes without an id for reasons of its own.
fn is_sent(code: i64) -> bool {
    !matches!(code, 37 | 40 | 44 | 51 | 9999 | 10_000 | 10_002 | 20_001)
}

/// The entries of a list, or the one that stands in its place.
fn entries(list: &RawValue) -> Option<Vec<Box<RawValue>>> {
    match list.get().trim_start().as_bytes().first() {
        Some(b'{') => Some(vec![list.to_owned()]),
        _ => serde_json::from_str::<Entries>(list.get()).ok().map(|entries| entries.0),
    }
}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;
