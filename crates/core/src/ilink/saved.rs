//! What of a session is kept to go on with it later? The token, whom we may answer and how, and what quotes may mean.
//!
//! All of it is secret and bounded. It is written as one sealed blob, in the commit of the batch that changed it.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use serde::{Deserialize, Serialize};
use url::Url;
use wxbot_model::{PeerId, Secret};

use super::endpoint::Place;
use crate::error::Error;
use crate::protocol::SavedSession;

const VERSION: u32 = 1;
const PROTOCOL: &str = "ilink";
/// Peers whose context token is kept: those that wrote last. A token takes about 200 bytes.
const PEERS: usize = 1_000;
/// Messages that a quote may mean, of both directions.
const SAID: usize = 400;
/// Bytes of their texts: the blob is written with each batch.
const SAID_BYTES: usize = 96 * 1024;
/// The longest text of one, in bytes: the longest that is sent.
const SAID_TEXT: usize = 12 * 1024;

/// Who we are to the service, and where. It does not change while a session lives.
#[derive(Clone)]
pub(super) struct Binding {
    /// [`Place::name`] of where it was bound.
    pub(super) place: String,
    pub(super) bot_id: PeerId,
    /// Who scanned; `None` where the service did not say.
    pub(super) user_id: Option<PeerId>,
    pub(super) token: Secret<String>,
    pub(super) base: Url,
}

impl fmt::Debug for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Binding({} at {})", self.bot_id, self.place)
    }
}

/// What changes while a session lives.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Memory {
    peers: BTreeMap<PeerId, Peer>,
    said: VecDeque<Said>,
    /// How often it changed; what was handed out to be kept is told from what is new by it.
    #[serde(skip)]
    changes: u64,
}

#[derive(Clone, Serialize, Deserialize)]
struct Peer {
    context_token: Secret<String>,
    /// When it came, ms.
    #[serde(default)]
    context_at_ms: i64,
}

/// A message that a quote may mean.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Said {
    /// The service's id.
    pub(super) id: String,
    /// In whose conversation: a quote there means nothing that was said elsewhere.
    pub(super) chat: PeerId,
    /// In the words of `Content::kind`.
    pub(super) kind: String,
    /// Its text or title; empty for pictures and the like.
    pub(super) text: String,
}

impl Memory {
    /// The newest context token of a conversation: without one nothing may be sent there.
    pub(super) fn context_token(&self, chat: &PeerId) -> Option<&Secret<String>> {
        self.peers.get(chat).map(|peer| &peer.context_token)
    }

    /// Those that wrote, the account's own conversations.
    pub(super) fn chats(&self) -> impl Iterator<Item = &PeerId> {
        self.peers.keys()
    }

    /// A message brought a context token; the newest counts, whatever it came with.
    pub(super) fn note_token(&mut self, chat: &PeerId, token: &str, now_ms: i64) {
        if token.is_empty() {
            return;
        }
        let known = self.peers.get(chat).is_some_and(|peer| peer.context_token.expose() == token);
        self.changes += u64::from(!known);
        let peer = Peer { context_token: token.to_owned().into(), context_at_ms: now_ms };
        self.peers.insert(chat.clone(), peer);
        while self.peers.len() > PEERS {
            let oldest = self.peers.iter().min_by_key(|(_, peer)| peer.context_at_ms).map(|(chat, _)| chat.clone());
            let Some(oldest) = oldest else { break };
            self.peers.remove(&oldest);
        }
    }

    /// Something was said, by whomever. What came again is moved to the end.
    pub(super) fn note_said(&mut self, mut said: Said) {
        if said.id.is_empty() {
            return;
        }
        let mut end = said.text.len().min(SAID_TEXT);
        while !said.text.is_char_boundary(end) {
            end -= 1;
        }
        said.text.truncate(end);
        self.said.retain(|other| other.id != said.id || other.chat != said.chat);
        self.said.push_back(said);
        self.changes += 1;
        let mut bytes: usize = self.said.iter().map(|said| said.text.len()).sum();
        while self.said.len() > SAID || bytes > SAID_BYTES {
            let Some(oldest) = self.said.pop_front() else { break };
            bytes -= oldest.text.len();
        }
    }

    /// What was said under this id in this conversation.
    pub(super) fn said(&self, chat: &PeerId, id: &str) -> Option<&Said> {
        self.said.iter().rev().find(|said| said.id == id && said.chat == *chat)
    }

    /// Another number after each change.
    pub(super) fn changes(&self) -> u64 {
        self.changes
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Memory({} peers, {} messages)", self.peers.len(), self.said.len())
    }
}

/// The credentials of a saved session, as JSON under a seal. New fields need a default; another shape another version.
#[derive(Serialize, Deserialize)]
struct Credentials<M> {
    version: u32,
    protocol: String,
    #[serde(default)]
    place: Option<String>,
    bot_id: PeerId,
    #[serde(default)]
    user_id: Option<PeerId>,
    token: Secret<String>,
    base_url: Url,
    #[serde(flatten)]
    memory: M,
}

/// As bytes to be sealed.
///
/// # Errors
/// When it cannot be written, which no known state causes.
pub(super) fn write(binding: &Binding, memory: &Memory) -> Result<Secret<Vec<u8>>, Error> {
    let credentials = Credentials {
        version: VERSION,
        protocol: PROTOCOL.to_owned(),
        place: Some(binding.place.clone()),
        bot_id: binding.bot_id.clone(),
        user_id: binding.user_id.clone(),
        token: binding.token.clone(),
        base_url: binding.base.clone(),
        memory,
    };
    serde_json::to_vec(&credentials).map(Secret::new).map_err(|e| Error::BadSavedSession(e.to_string()))
}

/// What was saved, if it is of this place: a token is shown to nobody else.
///
/// # Errors
/// [`Error::BadSavedSession`] for what cannot be read, or is another service's.
pub(super) fn read(saved: &SavedSession, place: &Place) -> Result<(Binding, Memory), Error> {
    let bad = Error::BadSavedSession;
    // The reader's own words may quote a key.
    let unread = |e: serde_json::Error| bad(format!("credentials, line {}", e.line()));
    let credentials: Credentials<Memory> = serde_json::from_slice(saved.credentials.expose()).map_err(unread)?;
    let Credentials { version, protocol, place: of, bot_id, user_id, token, base_url, memory } = credentials;
    if version != VERSION || protocol != PROTOCOL {
        return Err(bad(format!("credentials of {protocol} {version}, this wxbot reads {PROTOCOL} {VERSION}")));
    }
    let of = of.unwrap_or_else(|| Place::new(None, None).name());
    if of != place.name() {
        return Err(bad(format!(
            "it belongs to {of}, and the account is now set to {}; its token stays away from there, log in anew",
            place.name()
        )));
    }
    let base = place.base(base_url.as_str()).map_err(|e| bad(e.to_string()))?;
    Ok((Binding { place: of, bot_id, user_id, token, base }, memory))
}

/// The cursor of a saved session: the service's own text, opaque.
///
/// # Errors
/// [`Error::BadSavedSession`] for anything but text.
pub(super) fn cursor(saved: &SavedSession) -> Result<String, Error> {
    let text = std::str::from_utf8(&saved.cursor);
    text.map(str::to_owned).map_err(|_not_quoted| Error::BadSavedSession("the cursor is no text".into()))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::ilink::testdata::fixture;

    fn peer(number: usize) -> PeerId {
        format!("o9cq80Zq1aExampleUser{number:07}@im.wechat").parse().unwrap()
    }

    fn said(id: &str, chat: usize, text: &str) -> Said {
        Said { id: id.into(), chat: peer(chat), kind: "text".into(), text: text.into() }
    }

    fn saved(json: &serde_json::Value) -> SavedSession {
        SavedSession { credentials: json.to_string().into_bytes().into(), cursor: Bytes::new() }
    }

    // cov: state-example
    #[test]
    fn the_documented_state_is_read() {
        let real = Place::new(None, None);
        let (binding, memory) = read(&saved(&fixture("state-example")), &real).unwrap();
        assert_eq!(binding.bot_id.as_str(), "0a1b2c3d4e5f@im.bot");
        assert_eq!(binding.user_id, Some(peer(1)));
        assert_eq!(binding.base.as_str(), "https://ilinkai.weixin.qq.com/");
        assert!(memory.context_token(&peer(1)).unwrap().expose().starts_with("AARzJWAF"));
        assert!(memory.context_token(&peer(2)).is_none());

        let written = write(&binding, &memory).unwrap();
        let again = SavedSession { credentials: written, cursor: Bytes::new() };
        let (binding_again, memory_again) = read(&again, &real).unwrap();
        assert_eq!(binding_again.token, binding.token);
        assert_eq!(memory_again.context_token(&peer(1)), memory.context_token(&peer(1)));
        assert!(!format!("{binding:?} {memory:?}").contains("AARz") && !format!("{binding:?}").contains("0600"));
    }

    #[test]
    fn state_of_another_service_version_or_host_is_refused() {
        let real = Place::new(None, None);
        let sim = Place::new(Some(&"http://127.0.0.1:1".parse().unwrap()), None);
        let example = fixture("state-example");
        let with = |name: &str, value: serde_json::Value| {
            let mut changed = example.clone();
            changed[name] = value;
            read(&saved(&changed), &real).map(|_| ())
        };
        assert!(matches!(read(&saved(&example), &sim), Err(Error::BadSavedSession(why)) if why.contains("127.0.0.1")));
        assert!(with("version", 2.into()).is_err());
        assert!(with("protocol", "webwx".into()).is_err());
        assert!(with("base_url", "https://evil.example".into()).is_err());
        assert!(with("place", "http://127.0.0.1:1".into()).is_err());
        let broken = SavedSession { credentials: b"{\"token\":\"tok-1\"".to_vec().into(), cursor: Bytes::new() };
        let error = read(&broken, &real).unwrap_err().to_string();
        assert!(!error.contains("tok-1"), "{error}");
    }

    #[test]
    fn the_peers_that_wrote_last_are_kept() {
        let mut memory = Memory::default();
        for number in 0..PEERS + 5 {
            memory.note_token(&peer(number), "t", i64::try_from(number).unwrap());
        }
        assert_eq!(memory.chats().count(), 1_000);
        assert!(memory.context_token(&peer(4)).is_none() && memory.context_token(&peer(5)).is_some());
        let before = memory.changes();
        memory.note_token(&peer(5), "t", 9_999);
        assert_eq!(memory.changes(), before, "the same token is no change");
        memory.note_token(&peer(5), "", 9_999);
        assert_eq!(memory.context_token(&peer(5)).unwrap().expose(), "t", "no token takes none away");
        memory.note_token(&peer(5), "u", 9_999);
        assert_eq!((memory.context_token(&peer(5)).unwrap().expose().as_str(), memory.changes()), ("u", before + 1));
    }

    #[test]
    fn what_was_said_is_bounded_and_stays_in_its_conversation() {
        let mut memory = Memory::default();
        for number in 0..SAID + 3 {
            memory.note_said(said(&number.to_string(), 1, "x"));
        }
        assert!(memory.said(&peer(1), "2").is_none() && memory.said(&peer(1), "3").is_some());
        assert!(memory.said(&peer(2), "3").is_none(), "another's");
        memory.note_said(said("long", 1, &"界".repeat(SAID_TEXT)));
        assert_eq!(memory.said(&peer(1), "long").unwrap().text.len(), SAID_TEXT);
        for number in 0..20 {
            memory.note_said(said(&format!("l{number}"), 1, &"y".repeat(SAID_TEXT)));
        }
        assert!(memory.said.iter().map(|said| said.text.len()).sum::<usize>() <= SAID_BYTES);
        memory.note_said(said("l19", 1, "again"));
        assert_eq!(memory.said(&peer(1), "l19").unwrap().text, "again");
        assert_eq!(memory.said.iter().filter(|said| said.id == "l19").count(), 1);
    }
}
