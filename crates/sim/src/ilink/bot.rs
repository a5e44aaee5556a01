//! What does the service know about one person's bot?

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Deserialize;
use serde_json::Value;
use tokio::sync::{Notify, watch};

use crate::error::SimError;
use crate::ilink::meter::{Burst, Meter};
use crate::ilink::send::Refusals;
use crate::names;
use crate::world::AccountSpec;

/// Messages that wait for a client. How many the real service keeps is not known.
pub(super) const MAX_WAITING: usize = 10_000;
/// Messages that are kept after a client fetched them: it may ask again from an older cursor.
const MAX_FETCHED: usize = 200;
/// `context_token`s per person that still work.
const MAX_TOKENS: usize = 256;
/// `client_id`s that are remembered.
const MAX_CLIENT_IDS: usize = 10_000;

/// How a dead token is spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IlinkDeath {
    /// `{"errcode": -14, …}`
    Errcode,
    /// `{"ret": -14, …}`
    Ret,
}

pub(super) struct Bot {
    pub(super) name: String,
    pub(super) spec: AccountSpec,
    state: Mutex<State>,
    /// Rings when there is something for a poll.
    pub(super) changed: Notify,
    /// The binding whose client polled last; 0: none did. Scripts begin with it.
    pub(super) polled: watch::Sender<u64>,
}

pub(super) struct State {
    pub(super) binding: Option<Binding>,
    /// How many bindings there were.
    pub(super) bindings: u64,
    /// Oldest first, by `seq` without gaps.
    log: VecDeque<Waiting>,
    next_seq: u64,
    /// Everything up to here was fetched: a later cursor was sent.
    fetched: u64,
    /// The owner first, then friends.
    pub(super) people: Vec<Person>,
    client_ids: HashSet<Arc<str>>,
    client_ids_by_age: VecDeque<Arc<str>>,
    pub(super) burst: Burst,
    pub(super) refusals: Refusals,
    /// `getupdates` requests that are open.
    pub(super) polls: usize,
    /// The last X-WECHAT-UIN.
    pub(super) uin: String,
}

pub(super) struct Binding {
    pub(super) bot_id: String,
    pub(super) token: String,
    pub(super) death: Option<IlinkDeath>,
    pub(super) at_ms: u64,
    /// The token of the binding before.
    pub(super) previous: Option<String>,
}

pub(super) struct Person {
    pub(super) nick: String,
    /// `…@im.wechat`
    pub(super) id: String,
    /// Newest last.
    pub(super) tokens: VecDeque<Box<str>>,
    pub(super) meter: Meter,
    /// `ret` 0 without `message_id`, and nothing is shown.
    pub(super) shadow: bool,
    pub(super) ticket: Option<String>,
    pub(super) typing: bool,
}

/// A message on its way to a client.
#[derive(Debug, Clone)]
pub(super) struct Waiting {
    pub(super) seq: u64,
    pub(super) id: u64,
    pub(super) message: Value,
}

/// What a cursor turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Everything up to this `seq` is known to the client.
    After(u64),
    /// Never given to this binding.
    Unknown,
}

impl Bot {
    pub(super) fn new(spec: AccountSpec) -> Self {
        let owner = if spec.nick.is_empty() { &spec.name } else { &spec.nick };
        let mut people = vec![Person::new(owner, &spec.name)];
        people.extend(
            spec.friends.iter().map(|friend| Person::new(&friend.nick, &format!("{}/{}", spec.name, friend.nick))),
        );
        let state = State {
            binding: None,
            bindings: 0,
            log: VecDeque::new(),
            next_seq: 1,
            fetched: 0,
            people,
            client_ids: HashSet::new(),
            client_ids_by_age: VecDeque::new(),
            burst: Burst::default(),
            refusals: Refusals::default(),
            polls: 0,
            uin: String::new(),
        };
        let name = spec.name.clone();
        Self { name, spec, state: Mutex::new(state), changed: Notify::new(), polled: watch::Sender::new(0) }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Person {
    fn new(nick: &str, seed: &str) -> Self {
        // As long as the ids of the samples, and the same in each run.
        let mut rng = names::generator(0, &format!("ilink/{seed}"));
        let rest = names::draw(&mut rng, b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-", 22);
        Self {
            nick: nick.to_owned(),
            id: format!("o9cq80{rest}@im.wechat"),
            tokens: VecDeque::new(),
            meter: Meter::default(),
            shadow: false,
            ticket: None,
            typing: false,
        }
    }

    pub(super) fn give(&mut self, token: String) {
        if self.tokens.len() >= MAX_TOKENS {
            self.tokens.pop_front();
        }
        self.tokens.push_back(token.into());
    }

    pub(super) fn gave(&self, token: &str) -> bool {
        self.tokens.iter().any(|given| **given == *token)
    }
}

impl State {
    /// Whether this token is dead, and how that is spelled.
    pub(super) fn death(&self, token: &str) -> Option<IlinkDeath> {
        match &self.binding {
            Some(binding) if binding.token == token => binding.death,
            Some(_) | None => Some(IlinkDeath::Errcode),
        }
    }

    /// The owner by no name at all, anybody by nick or id.
    pub(super) fn person(&self, account: &str, name: &str) -> Result<usize, SimError> {
        if name.is_empty() || name == account {
            return Ok(0);
        }
        let found = self.people.iter().position(|person| person.nick == name || person.id == name);
        found.ok_or_else(|| SimError::UnknownPerson { account: account.to_owned(), name: name.to_owned() })
    }

    /// Begins anew with another token: nothing of the old binding is left but what people are to the service.
    pub(super) fn bind(&mut self, binding: Binding) {
        self.binding = Some(binding);
        self.bindings += 1;
        self.log.clear();
        self.fetched = self.next_seq - 1;
        self.client_ids.clear();
        self.client_ids_by_age.clear();
        self.burst = Burst::default();
        for person in &mut self.people {
            *person = Person {
                nick: std::mem::take(&mut person.nick),
                id: std::mem::take(&mut person.id),
                shadow: person.shadow,
                tokens: VecDeque::new(),
                meter: Meter::default(),
                ticket: None,
                typing: false,
            };
        }
    }

    /// Lets a message wait for a client. Answers its `seq`, and that of one that had to go.
    pub(super) fn push(&mut self, id: u64, make: impl FnOnce(u64) -> Value) -> (u64, Option<u64>) {
        let seq = self.next_seq;
        self.next_seq += 1;
        let lost = if self.log.len() >= MAX_WAITING { self.log.pop_front() } else { None };
        self.log.push_back(Waiting { seq, id, message: make(seq) });
        (seq, lost.map(|lost| lost.seq).filter(|lost| *lost > self.fetched))
    }

    /// A message that is still here.
    pub(super) fn find(&self, id: u64) -> Option<&Waiting> {
        self.log.iter().rev().find(|waiting| waiting.id == id)
    }

    pub(super) fn cursor(&self, seq: u64) -> String {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(format!("CgkI:{}:{seq:08}", self.bindings))
    }

    /// Reads a cursor back.
    pub(super) fn place(&self, cursor: &str) -> Place {
        use base64::Engine as _;
        if cursor.is_empty() {
            return Place::After(self.fetched);
        }
        let read = || {
            let text = base64::engine::general_purpose::STANDARD.decode(cursor).ok()?;
            let text = String::from_utf8(text).ok()?;
            let (binding, seq) = text.strip_prefix("CgkI:")?.split_once(':')?;
            let seq: u64 = seq.parse().ok()?;
            (binding.parse() == Ok(self.bindings) && seq < self.next_seq).then_some(seq)
        };
        read().map_or(Place::Unknown, Place::After)
    }

    /// The client has everything up to there.
    pub(super) fn fetched(&mut self, seq: u64) {
        self.fetched = self.fetched.max(seq);
        let known = self.log.iter().take_while(|waiting| waiting.seq <= self.fetched).count();
        self.log.drain(..known.saturating_sub(MAX_FETCHED));
    }

    /// What comes after a place, at most so many.
    pub(super) fn after(&self, seq: u64, most: usize) -> impl Iterator<Item = &Waiting> {
        let from = self.log.partition_point(|waiting| waiting.seq <= seq);
        self.log.iter().skip(from).take(most)
    }

    /// How many messages no client has fetched.
    pub(super) fn waiting(&self) -> usize {
        self.log.len() - self.log.partition_point(|waiting| waiting.seq <= self.fetched)
    }

    /// Whether this `client_id` was accepted before.
    pub(super) fn knows(&self, client_id: &str) -> bool {
        self.client_ids.contains(client_id)
    }

    /// Remembers an accepted `client_id`.
    pub(super) fn remember(&mut self, client_id: &str) {
        let id: Arc<str> = Arc::from(client_id);
        if !self.client_ids.insert(Arc::clone(&id)) {
            return;
        }
        self.client_ids_by_age.push_back(id);
        if self.client_ids_by_age.len() > MAX_CLIENT_IDS
            && let Some(oldest) = self.client_ids_by_age.pop_front()
        {
            self.client_ids.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound() -> Bot {
        let bot = Bot::new(AccountSpec::new("a").friend("老王"));
        let binding =
            Binding { bot_id: "b@im.bot".to_owned(), token: "t".to_owned(), death: None, at_ms: 0, previous: None };
        bot.state().bind(binding);
        bot
    }

    #[test]
    fn cursors_come_back_as_places() {
        let bot = bound();
        let mut state = bot.state();
        assert_eq!(state.place(""), Place::After(0));
        for id in 1..=3 {
            state.push(id, |_| Value::Null);
        }
        let second = state.cursor(2);
        assert_eq!(state.place(&second), Place::After(2));
        assert_eq!(state.after(2, 10).map(|one| one.id).collect::<Vec<_>>(), [3]);
        assert_eq!(state.place(&state.cursor(4)), Place::Unknown, "never given");
        assert_eq!(state.place("made up"), Place::Unknown);
        state.fetched(2);
        assert_eq!((state.place(""), state.waiting()), (Place::After(2), 1));
        // A client that lost what it had fetched asks from an older place.
        assert_eq!(state.after(1, 10).map(|one| one.id).collect::<Vec<_>>(), [2, 3]);
        state.bind(Binding { bot_id: String::new(), token: "u".to_owned(), death: None, at_ms: 0, previous: None });
        assert_eq!(state.place(&second), Place::Unknown, "of an earlier binding");
        assert_eq!((state.waiting(), state.death("t"), state.death("u")), (0, Some(IlinkDeath::Errcode), None));
    }

    #[test]
    fn memory_is_bounded() {
        let bot = bound();
        let mut state = bot.state();
        let mut lost = Vec::new();
        for id in 0..u64::try_from(MAX_WAITING + 3).unwrap() {
            lost.extend(state.push(id, |_| Value::Null).1);
            state.remember(&format!("c{id}"));
        }
        assert_eq!((lost, state.waiting()), (vec![1, 2, 3], MAX_WAITING));
        assert!(!state.knows("c0") && state.knows("c3") && state.client_ids.len() == MAX_CLIENT_IDS);
        let end = state.next_seq - 1;
        state.fetched(end);
        assert_eq!((state.log.len(), state.waiting()), (MAX_FETCHED, 0));
        let person = &mut state.people[0];
        (0..MAX_TOKENS + 1).for_each(|n| person.give(format!("t{n}")));
        assert!(!person.gave("t0") && person.gave("t1") && person.tokens.len() == MAX_TOKENS);
    }

    #[test]
    fn ids_of_people_last() {
        let (one, again) = (bound(), bound());
        let ids = |bot: &Bot| bot.state().people.iter().map(|person| person.id.clone()).collect::<Vec<_>>();
        assert_eq!(ids(&one), ids(&again));
        assert!(ids(&one).iter().all(|id| id.len() == 38 && id.ends_with("@im.wechat")), "{:?}", ids(&one));
        assert_ne!(ids(&one)[0], ids(&one)[1]);
    }
}
