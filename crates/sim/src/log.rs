//! What happened to one account, in order, and which place in it does a SyncKey name?
//!
//! The log only grows: a client that does not advance its key gets the same entries again, as from the real server.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::names::Peer;

/// One incoming message. UserNames are filled in when it is handed out, for they change at every login.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) id: u64,
    /// The friend, room or service it belongs to.
    pub(crate) chat: Peer,
    /// Who said it in a room.
    pub(crate) speaker: Option<usize>,
    /// Sent by the account itself from its phone.
    pub(crate) own: bool,
    pub(crate) msg_type: i64,
    /// Wire form (escaped), without the `@member:<br/>` of rooms.
    pub(crate) content: Arc<str>,
    pub(crate) at_ms: u64,
    /// How often webwxsync handed it out.
    pub(crate) handed: u32,
    /// Fields of AddMsg that differ from the usual ones.
    pub(crate) fields: Option<Box<Map<String, Value>>>,
    /// Not told by anyone, but by the service about the login itself (type 51): kept out of the journal.
    pub(crate) service: bool,
}

/// One step of an account's log.
#[derive(Debug)]
pub(crate) enum Entry {
    Message(Message),
    /// The contact changed; what it became is looked up when handed out.
    Mod(Peer),
    /// The contact is gone.
    Del(Peer),
}

/// All entries of one account.
#[derive(Debug)]
pub(crate) struct Log {
    entries: Vec<Entry>,
    base: u64,
}

/// What a client's SyncKey turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Everything before this index is known to the client.
    At(usize),
    /// Given, but to an earlier login of the account.
    EarlierLogin,
    /// Never given.
    Unknown,
}

/// Key and value pairs, in the order in which the server sends them.
pub(crate) type KeyPairs = [(u32, u64); 10];

impl Log {
    pub(crate) fn new(base: u64) -> Self {
        Self { entries: Vec::new(), base: 640_000_000 + base % 1_000_000 }
    }

    pub(crate) fn end(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn push(&mut self, entry: Entry) {
        self.entries.push(entry);
    }

    pub(crate) fn since(&self, from: usize) -> &[Entry] {
        self.entries.get(from..).unwrap_or_default()
    }

    pub(crate) fn batch_mut(&mut self, from: usize, to: usize) -> &mut [Entry] {
        self.entries.get_mut(from..to).unwrap_or_default()
    }

    pub(crate) fn messages(&self) -> impl DoubleEndedIterator<Item = &Message> {
        self.entries.iter().filter_map(|entry| match entry {
            Entry::Message(message) => Some(message),
            Entry::Mod(_) | Entry::Del(_) => None,
        })
    }

    /// The SyncKey for `place` of the login with number `generation`. Key 2 carries the place; keys from 201 on look
    /// like times and carry nothing.
    pub(crate) fn keys(&self, place: usize, generation: u64, login_s: u64, now_s: u64) -> KeyPairs {
        let place = u64::try_from(place).unwrap_or(u64::MAX);
        [
            (1, self.base + generation),
            (2, self.base + 1_000 + place),
            (3, self.base + 171),
            (11, self.base + 232),
            (13, 643_590_001),
            (201, now_s),
            (203, login_s),
            (1000, login_s),
            (1001, login_s),
            (1004, login_s),
        ]
    }

    /// Reads a SyncKey back. `generation` is the number of the present login.
    pub(crate) fn place(&self, pairs: impl IntoIterator<Item = (u32, u64)>, generation: u64) -> Place {
        let (mut login, mut place, mut fixed) = (None, None, 0);
        for (key, value) in pairs {
            match key {
                1 => login = value.checked_sub(self.base),
                2 => place = value.checked_sub(self.base + 1_000).and_then(|place| usize::try_from(place).ok()),
                3 if value == self.base + 171 => fixed += 1,
                11 if value == self.base + 232 => fixed += 1,
                _ => {}
            }
        }
        match (login, place) {
            (Some(login), Some(place)) if fixed == 2 && place <= self.end() => match login {
                login if login == generation => Place::At(place),
                login if login < generation && login > 0 => Place::EarlierLogin,
                _ => Place::Unknown,
            },
            _ => Place::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_back_as_places() {
        let mut log = Log::new(5);
        log.push(Entry::Mod(Peer::Me));
        let given = log.keys(1, 2, 0, 0);
        assert_eq!(log.place(given, 2), Place::At(1));
        assert_eq!(log.place(given, 3), Place::EarlierLogin);
        assert_eq!(log.place(given, 1), Place::Unknown);
        assert_eq!(log.place(log.keys(2, 2, 0, 0), 2), Place::Unknown, "past the end");
        assert_eq!(log.place(given.into_iter().skip(1), 2), Place::Unknown, "cut");
        assert_eq!(log.place([], 2), Place::Unknown);
    }
}
