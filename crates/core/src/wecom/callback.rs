//! What does a sealed callback bring? Opened and read: XML for an application, JSON for a smart robot.

use wxbot_model::PeerId;

use super::convert::{self, Scene, official, robot};
use super::crypt::{CallbackError, Keys, Query};
use crate::lenient::{hex, json};
use crate::push::Read;
use crate::said::xml;

pub use super::convert::robot::ReplyTo;

/// Who is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// An application of a corporation.
    Application,
    /// A smart robot.
    Robot,
}

/// Reads the sealed callbacks of one account. It has no state: nothing in one body depends on another.
#[derive(Debug)]
pub struct Callback {
    keys: Keys,
    audience: Audience,
    me: PeerId,
}

/// A body that was opened and read.
#[derive(Debug)]
pub struct Opened {
    /// What it tells; no cursor moves.
    pub read: Read,
    /// Where answers may be posted; robots only.
    pub reply: Option<ReplyTo>,
    /// The same when it comes again; see [`Replays`](super::Replays).
    pub mark: String,
}

impl Callback {
    /// `me` names our own chat, where that is put which nobody in particular said.
    pub fn new(keys: Keys, audience: Audience, me: PeerId) -> Self {
        Self { keys, audience, me }
    }

    /// What opens and seals.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Who is called.
    pub fn audience(&self) -> Audience {
        self.audience
    }

    /// Ourselves, as a name for our own chat.
    pub fn me(&self) -> &PeerId {
        &self.me
    }

    /// Opens one body and reads it.
    ///
    /// # Errors
    /// When it is not genuine, too old, or not for us. What is genuine and cannot be read is an event that holds it.
    pub fn open(&self, query: &Query, body: &[u8], now_s: i64) -> Result<Opened, CallbackError> {
        let inner = self.unsealed(query, body, now_s)?;
        let (read, reply) = self.read(&inner, now_s);
        Ok(Opened { read, reply, mark: query.mark() })
    }

    /// Opens one body: what [`read`](Self::read) reads.
    ///
    /// # Errors
    /// When it is not genuine, too old, or not for us.
    pub fn unsealed(&self, query: &Query, body: &[u8], now_s: i64) -> Result<String, CallbackError> {
        let encrypt = self.sealed_part(body).ok_or(CallbackError::Form)?;
        self.keys.open(query, &encrypt, now_s)
    }

    /// `Encrypt` of the outer XML, `encrypt` of the outer JSON.
    fn sealed_part(&self, body: &[u8]) -> Option<String> {
        match self.audience {
            Audience::Application => {
                let root = xml::parse(std::str::from_utf8(body).ok()?).ok()?;
                Some(root.words("Encrypt").to_owned())
            }
            Audience::Robot => {
                let value: serde_json::Value = json::read(body).ok()?;
                Some(value.get("encrypt")?.as_str()?.to_owned())
            }
        }
    }

    /// Reads what was opened: what it tells, and where an answer may be posted.
    pub fn read(&self, inner: &str, now_s: i64) -> (Read, Option<ReplyTo>) {
        let scene = Scene { me: &self.me, my_name: "", now_s };
        let (event, room, reply) = match self.audience {
            Audience::Application => (official::message(inner, &scene), None, None),
            Audience::Robot => match robot::message(inner, &scene) {
                Some(told) => (Some(told.event), told.room, told.reply),
                None => (None, None, None),
            },
        };
        let event = event.unwrap_or_else(|| {
            tracing::warn!(len = inner.len(), "A callback of WeCom cannot be read; it is kept as it came.");
            let plain = !inner.contains('\0');
            let raw = if plain { inner.to_owned() } else { hex::encode(inner.as_bytes()) };
            convert::unread(None, &raw, &scene)
        });
        let mut contacts = vec![convert::nameless(event.chat.clone(), room.is_some(), &self.me)];
        if let Some(sender) = event.sender.clone().filter(|sender| *sender != event.chat) {
            contacts.push(convert::nameless(sender, false, &self.me));
        }
        (Read { events: vec![event], contacts, ..Read::default() }, reply)
    }
}

#[cfg(test)]
#[path = "callback_tests.rs"]
mod tests;
