//! Who lives there, seen from one account, and which ids do they have?
//!
//! The people and rooms are those of the world file, so that all simulated services tell of the same small town.

use crate::error::SimError;
use crate::names;
use crate::world::{AccountSpec, FriendSpec, RoomSpec};

/// How a service numbers people and rooms.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ids {
    /// Of an account, by its name.
    pub(crate) account: fn(&str) -> String,
    /// Of a person, by the account that knows it and its nick.
    pub(crate) person: fn(&str, &FriendSpec) -> String,
    /// Of a room, by what makes it the same room for several accounts.
    pub(crate) room: fn(&str) -> String,
}

/// One account, its people and its rooms.
#[derive(Debug)]
pub(crate) struct Town {
    pub(crate) name: String,
    pub(crate) nick: String,
    pub(crate) alias: String,
    pub(crate) sex: u8,
    pub(crate) signature: String,
    pub(crate) me: String,
    pub(crate) people: Vec<Neighbour>,
    pub(crate) rooms: Vec<Room>,
    ids: Ids,
}

/// Somebody else.
#[derive(Debug, Clone)]
pub(crate) struct Neighbour {
    pub(crate) id: String,
    pub(crate) nick: String,
    pub(crate) remark: String,
    pub(crate) alias: String,
    pub(crate) sex: u8,
    pub(crate) signature: String,
    pub(crate) official: bool,
    /// False: a stranger in a room, or no friend any more.
    pub(crate) friend: bool,
    pub(crate) starred: bool,
    pub(crate) blocked: bool,
    /// The ticket of a friend request that nobody answered.
    pub(crate) ticket: Option<String>,
}

/// A room that the account is in, or was.
#[derive(Debug, Clone)]
pub(crate) struct Room {
    pub(crate) id: String,
    pub(crate) topic: String,
    pub(crate) remark: String,
    pub(crate) notice: String,
    pub(crate) owner: Who,
    pub(crate) members: Vec<Member>,
    /// The account is out.
    pub(crate) left: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) who: Who,
    pub(crate) display: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Who {
    Me,
    Person(usize),
}

/// Where a message goes or comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chat {
    Person(usize),
    Room(usize),
    /// filehelper and the like.
    Service(&'static str),
    /// The account itself.
    Me,
}

impl Town {
    pub(crate) fn new(spec: &AccountSpec, ids: Ids) -> Self {
        let nick = if spec.nick.is_empty() { spec.name.clone() } else { spec.nick.clone() };
        let mut town = Self {
            name: spec.name.clone(),
            nick,
            alias: spec.alias.clone(),
            sex: spec.sex,
            signature: spec.signature.clone(),
            me: (ids.account)(&spec.name),
            people: Vec::new(),
            rooms: Vec::new(),
            ids,
        };
        for friend in &spec.friends {
            town.add_person(friend, true);
        }
        for room in &spec.rooms {
            town.add_room(room);
        }
        town
    }

    pub(crate) fn add_person(&mut self, spec: &FriendSpec, friend: bool) -> usize {
        let id = if spec.account.is_empty() {
            (self.ids.person)(&self.name, spec)
        } else {
            (self.ids.account)(&spec.account)
        };
        self.people.push(Neighbour {
            id,
            nick: spec.nick.clone(),
            remark: spec.remark.clone(),
            alias: spec.alias.clone(),
            sex: spec.sex,
            signature: spec.signature.clone(),
            official: spec.official != 0,
            friend,
            starred: false,
            blocked: false,
            ticket: None,
        });
        self.people.len() - 1
    }

    /// Somebody by nick, or a stranger of that nick who was never heard of.
    pub(crate) fn meet(&mut self, nick: &str) -> usize {
        match self.find(nick) {
            Some(at) => at,
            None => self.add_person(&FriendSpec { nick: nick.to_owned(), ..FriendSpec::default() }, false),
        }
    }

    fn who(&mut self, nick: &str) -> Who {
        if nick == self.name { Who::Me } else { Who::Person(self.meet(nick)) }
    }

    pub(crate) fn add_room(&mut self, spec: &RoomSpec) -> usize {
        let shared = if spec.id.is_empty() { format!("{}/{}", self.name, spec.topic) } else { spec.id.clone() };
        let display = |nick: &str| spec.display_names.get(nick).cloned().unwrap_or_default();
        let mut members = vec![Member { who: Who::Me, display: display(&self.name) }];
        for nick in &spec.members {
            members.push(Member { who: self.who(nick), display: display(nick) });
        }
        let owner = spec.owner.as_deref().map_or(Who::Me, |owner| self.who(owner));
        self.rooms.push(Room {
            id: (self.ids.room)(&shared),
            topic: spec.topic.clone(),
            remark: String::new(),
            notice: String::new(),
            owner,
            members,
            left: false,
        });
        self.rooms.len() - 1
    }

    /// Somebody by nick, id, remark or alias.
    pub(crate) fn find(&self, name: &str) -> Option<usize> {
        let is = |of: fn(&Neighbour) -> &str| self.people.iter().position(|person| of(person) == name);
        if name.is_empty() {
            return None;
        }
        is(|person| &person.nick)
            .or_else(|| is(|person| &person.id))
            .or_else(|| is(|person| &person.remark))
            .or_else(|| is(|person| &person.alias))
    }

    /// A person whom an order names.
    pub(crate) fn person(&self, name: &str) -> Result<usize, SimError> {
        let unknown = || SimError::UnknownPerson { account: self.name.clone(), name: name.to_owned() };
        self.find(name).ok_or_else(unknown)
    }

    /// A room that an order names, by topic or id.
    pub(crate) fn room(&self, name: &str) -> Result<usize, SimError> {
        let unknown = || SimError::UnknownRoom { account: self.name.clone(), room: name.to_owned() };
        let here = self.rooms.iter().position(|room| !room.left && (room.topic == name || room.id == name));
        here.ok_or_else(unknown)
    }

    /// A member of a room by nick; the account's own name is the account.
    pub(crate) fn member(&self, room: usize, name: &str) -> Result<Who, SimError> {
        let who = if name == self.name { Who::Me } else { Who::Person(self.person(name)?) };
        let room = self.rooms.get(room);
        match room {
            Some(room) if room.members.iter().any(|member| member.who == who) => Ok(who),
            _ => Err(SimError::NotAMember {
                room: room.map(|room| room.topic.clone()).unwrap_or_default(),
                name: name.to_owned(),
            }),
        }
    }

    /// What the account means by an id that its client sends.
    pub(crate) fn chat(&self, id: &str) -> Option<Chat> {
        if id == self.me {
            return Some(Chat::Me);
        }
        if let Some(at) = self.rooms.iter().position(|room| room.id == id) {
            return Some(Chat::Room(at));
        }
        if let Some(at) = self.people.iter().position(|person| person.id == id) {
            return Some(Chat::Person(at));
        }
        names::SPECIALS.iter().find(|(name, _)| *name == id).map(|(name, _)| Chat::Service(name))
    }

    /// A person or the account by the id that its client sends.
    pub(crate) fn who_has(&self, id: &str) -> Option<Who> {
        match self.chat(id)? {
            Chat::Me => Some(Who::Me),
            Chat::Person(at) => Some(Who::Person(at)),
            Chat::Room(_) | Chat::Service(_) => None,
        }
    }

    pub(crate) fn room_with(&self, id: &str) -> Option<&Room> {
        self.rooms.iter().find(|room| room.id == id && !room.left)
    }

    pub(crate) fn room_with_mut(&mut self, id: &str) -> Option<&mut Room> {
        self.rooms.iter_mut().find(|room| room.id == id && !room.left)
    }

    pub(crate) fn id_of(&self, who: Who) -> &str {
        match who {
            Who::Me => &self.me,
            Who::Person(at) => self.people.get(at).map_or("", |person| &person.id),
        }
    }

    pub(crate) fn nick_of(&self, who: Who) -> &str {
        match who {
            Who::Me => &self.nick,
            Who::Person(at) => self.people.get(at).map_or("", |person| &person.nick),
        }
    }

    /// How the journal calls it.
    pub(crate) fn label(&self, chat: Chat) -> &str {
        match chat {
            Chat::Me => &self.name,
            Chat::Service(id) => id,
            Chat::Person(at) => self.nick_of(Who::Person(at)),
            Chat::Room(at) => {
                self.rooms.get(at).map_or("", |room| if room.topic.is_empty() { &room.id } else { &room.topic })
            }
        }
    }
}

impl Room {
    pub(crate) fn has(&self, who: Who) -> bool {
        self.members.iter().any(|member| member.who == who)
    }
}
