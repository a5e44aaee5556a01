//! What does the service know about one account: its people, rooms, session, log and what it did?

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rand::Rng;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, watch};

use crate::error::SimError;
use crate::journal::Record;
use crate::load::Lanes;
use crate::log::{Entry, Log};
use crate::media::Attached;
use crate::names::{self, Names, Peer};
use crate::session::Session;
use crate::world::{AccountSpec, FriendSpec, RoomMet, RoomSpec};

/// One account. Everything that changes sits behind one lock, for it must agree with itself.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) uin: u64,
    pub(crate) spec: AccountSpec,
    state: Mutex<State>,
    /// Rings when the log grew or the session changed.
    pub(crate) wake: Notify,
    /// Number of the login that is online (initialised and alive); 0 when none is.
    pub(crate) online: watch::Sender<u64>,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) rng: StdRng,
    /// NickName as on the wire.
    pub(crate) nick: String,
    pub(crate) people: Vec<Person>,
    pub(crate) rooms: Vec<Room>,
    pub(crate) names: Names,
    /// How often the account logged in. 0: never, and its names are known to nobody.
    pub(crate) generation: u64,
    pub(crate) session: Option<Session>,
    /// Sids of earlier sessions and the Ret they get.
    pub(crate) retired: HashMap<String, i64>,
    /// webwx_auth_ticket of the last login: what a push login must show.
    pub(crate) auth_ticket: Option<String>,
    pub(crate) log: Log,
    pub(crate) record: Record,
    pub(crate) load: Option<Lanes>,
    /// What hangs on messages, by MsgId.
    pub(crate) attached: HashMap<u64, Attached>,
    /// MsgIds of received files, by MediaId.
    pub(crate) files: HashMap<String, u64>,
    /// What a friend request is to be answered with, by person.
    pub(crate) tickets: HashMap<usize, String>,
    pub(crate) marks: Marks,
    /// When a client was last heard, ms since 1970.
    pub(crate) last_seen_ms: u64,
}

/// Someone the account knows, or meets in a room.
#[derive(Debug)]
pub(crate) struct Person {
    pub(crate) spec: FriendSpec,
    pub(crate) wxid: String,
    /// False: a stranger in a room, or no friend any more.
    pub(crate) friend: bool,
    pub(crate) pinned: bool,
    /// It deleted the account, which was not told.
    pub(crate) gone: bool,
    /// It blocked the account, which was not told.
    pub(crate) blocked: bool,
}

impl Person {
    /// Someone the account named `own` knows.
    pub(crate) fn new(spec: FriendSpec, own: &str, friend: bool) -> Self {
        // An account is the same person for everybody.
        let wxid = if spec.account.is_empty() { names::wxid(own, &spec.nick) } else { names::wxid(&spec.account, "") };
        Self { spec, wxid, friend, pinned: false, gone: false, blocked: false }
    }
}

/// Whether Alias, AttrStatus and the picture tell people apart from one login to the next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Marks {
    /// Everyone has marks of their own.
    #[default]
    Own,
    /// Nobody has any.
    Absent,
    /// Everyone has the same ones.
    Shared,
}

/// A chatroom as this account sees it.
#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) topic: String,
    pub(crate) chatroom_id: String,
    pub(crate) members: Vec<Member>,
    pub(crate) owner: Peer,
    pub(crate) saved: bool,
    pub(crate) met: RoomMet,
    /// The account is not in it any more.
    pub(crate) left: bool,
    pub(crate) pinned: bool,
}

/// One member of a room, the account itself included.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) who: Peer,
    pub(crate) display: String,
}

impl Account {
    pub(crate) fn new(spec: AccountSpec, uin: u64, seed: u64) -> Self {
        let mut rng = names::generator(seed, &spec.name);
        let log = Log::new(rng.next_u64());
        let nick = if spec.nick.is_empty() { spec.name.clone() } else { spec.nick.clone() };
        let mut state = State {
            nick,
            people: Vec::new(),
            rooms: Vec::new(),
            names: Names::default(),
            generation: 0,
            session: None,
            retired: HashMap::new(),
            auth_ticket: None,
            log,
            record: Record::default(),
            load: None,
            attached: HashMap::new(),
            files: HashMap::new(),
            tickets: HashMap::new(),
            marks: Marks::Own,
            last_seen_ms: 0,
            rng,
        };
        for friend in &spec.friends {
            state.people.push(Person::new(friend.clone(), &spec.name, true));
        }
        for room in &spec.rooms {
            let room = state.build_room(&spec.name, room);
            state.rooms.push(room);
        }
        state.names = Names::draw(&mut state.rng, state.people.len(), state.rooms.len());
        let name = spec.name.clone();
        Self { name, uin, spec, state: Mutex::new(state), wake: Notify::new(), online: watch::Sender::new(0) }
    }

    /// NickName.
    pub(crate) fn nick(&self) -> &str {
        if self.spec.nick.is_empty() { &self.name } else { &self.spec.nick }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_online(&self) -> bool {
        *self.online.borrow() != 0
    }

    /// Puts the session's end into force for clients that wait.
    pub(crate) fn went_offline(&self) {
        self.online.send_replace(0);
        self.wake.notify_waiters();
    }

    pub(crate) fn no_person(&self, name: &str) -> SimError {
        SimError::UnknownPerson { account: self.name.clone(), name: name.to_owned() }
    }

    pub(crate) fn find_room(&self, state: &State, topic: &str) -> Result<usize, SimError> {
        state
            .rooms
            .iter()
            .position(|room| room.topic == topic && !room.left)
            .or_else(|| state.rooms.iter().position(|room| room.topic == topic || room.chatroom_id == topic))
            .ok_or_else(|| SimError::UnknownRoom { account: self.name.clone(), room: topic.to_owned() })
    }
}

impl State {
    fn build_room(&mut self, account: &str, spec: &RoomSpec) -> Room {
        let mut room = Room {
            topic: spec.topic.clone(),
            chatroom_id: match spec.id.as_str() {
                "" => {
                    let own = names::stable_hash(&format!("{account}/{}", spec.topic));
                    format!("{}@chatroom", own % 10_000_000_000)
                }
                id => format!("{}@chatroom", names::stable_hash(id) % 10_000_000_000),
            },
            members: vec![Member {
                who: Peer::Me,
                display: spec.display_names.get(account).cloned().unwrap_or_default(),
            }],
            owner: Peer::Me,
            saved: spec.saved,
            met: spec.met,
            left: false,
            pinned: false,
        };
        for nick in &spec.members {
            let who = Peer::Person(self.person_or_stranger(account, nick));
            room.members.push(Member { who, display: spec.display_names.get(nick).cloned().unwrap_or_default() });
        }
        if let Some(owner) = spec.owner.as_deref().filter(|owner| *owner != account) {
            room.owner = Peer::Person(self.person_or_stranger(account, owner));
        }
        room
    }

    /// Finds a person by nick, or makes a stranger of that nick. The caller draws a UserName for a new one.
    fn person_or_stranger(&mut self, account: &str, nick: &str) -> usize {
        if let Some(at) = self.find_person(nick) {
            return at;
        }
        let spec = FriendSpec { nick: nick.to_owned(), ..FriendSpec::default() };
        self.people.push(Person::new(spec, account, false));
        self.people.len() - 1
    }

    /// Someone new, with a UserName of the present login.
    pub(crate) fn add_person(&mut self, person: Person) -> usize {
        self.people.push(person);
        while self.names.people.len() < self.people.len() {
            self.names.add_person(&mut self.rng);
        }
        self.people.len() - 1
    }

    /// The same, for a login that is under way.
    pub(crate) fn meet(&mut self, account: &str, nick: &str) -> usize {
        let at = self.person_or_stranger(account, nick);
        while self.names.people.len() < self.people.len() {
            self.names.add_person(&mut self.rng);
        }
        at
    }

    /// A person by nick, remark, alias or wxid.
    pub(crate) fn find_person(&self, name: &str) -> Option<usize> {
        let is = |of: fn(&Person) -> &str| self.people.iter().position(|person| of(person) == name);
        if name.is_empty() {
            return None;
        }
        is(|person| &person.spec.nick)
            .or_else(|| is(|person| &person.wxid))
            .or_else(|| is(|person| &person.spec.remark))
            .or_else(|| is(|person| &person.spec.alias))
    }

    /// How the journal calls a peer.
    pub(crate) fn label(&self, peer: Peer) -> &str {
        match peer {
            Peer::Me => "",
            Peer::Person(at) => self.people.get(at).map_or("", |person| &person.spec.nick),
            // A room that was made without a topic goes by its id.
            Peer::Room(at) => self
                .rooms
                .get(at)
                .map_or("", |room| if room.topic.is_empty() { &room.chatroom_id } else { &room.topic }),
            Peer::Special(id) => id,
        }
    }

    pub(crate) fn add(&mut self, entry: Entry) {
        self.log.push(entry);
    }

    /// Whether the account may send to the peer. Ret 1204 otherwise.
    pub(crate) fn can_send_to(&self, peer: Peer) -> bool {
        match peer {
            Peer::Me | Peer::Special(_) => true,
            Peer::Person(at) => self.people.get(at).is_some_and(|person| person.friend),
            Peer::Room(at) => self.rooms.get(at).is_some_and(|room| !room.left),
        }
    }
}

/// All accounts, by what clients and orders call them.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    pub(crate) list: Vec<Arc<Account>>,
    by_name: HashMap<String, Arc<Account>>,
    by_uin: HashMap<u64, Arc<Account>>,
}

impl Directory {
    pub(crate) fn named(&self, name: &str) -> Option<&Arc<Account>> {
        self.by_name.get(name)
    }

    pub(crate) fn with_uin(&self, uin: u64) -> Option<&Arc<Account>> {
        self.by_uin.get(&uin)
    }

    pub(crate) fn add(&mut self, spec: AccountSpec, seed: u64) -> Result<(), SimError> {
        spec.validate().map_err(SimError::Invalid)?;
        let uin = match spec.uin {
            Some(uin) => uin,
            None => {
                let wanted = 1_000_000_000 + names::stable_hash(&spec.name) % 1_000_000_000;
                (wanted..).find(|uin| !self.by_uin.contains_key(uin)).unwrap_or(wanted)
            }
        };
        if self.by_name.contains_key(&spec.name) || self.by_uin.contains_key(&uin) {
            return Err(SimError::DuplicateAccount { name: spec.name, uin });
        }
        let account = Arc::new(Account::new(spec, uin, seed));
        self.by_name.insert(account.name.clone(), Arc::clone(&account));
        self.by_uin.insert(uin, Arc::clone(&account));
        self.list.push(account);
        Ok(())
    }
}
