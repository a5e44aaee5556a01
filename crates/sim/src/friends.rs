//! How do people become friends: webwxverifyuser, and what the others do about it on their phones?

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Sim;
use crate::account::{Account, Person, State};
use crate::check::Checker;
use crate::error::SimError;
use crate::log::Entry;
use crate::mold::{self, Recommended, Shape};
use crate::names::{self, Peer};
use crate::relay::Incoming;
use crate::request::{Answer, Endpoint, Request};
use crate::shape;
use crate::systext;
use crate::text::to_wire;
use crate::wire::VerifyBody;
use crate::world::FriendSpec;

const PARAMETER_ERROR: i64 = 1;
const TICKET_ERROR: i64 = -14;
const ASK: i64 = 2;
const ACCEPT: i64 = 3;
/// `SceneList` of a request made on the web.
const WEB: i64 = 33;
/// What a nick is called in `fmessage`.
const FRIEND_MESSAGES: &str = "fmessage";

/// How somebody ends a friendship: the account is not told, and finds out when it writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rejection {
    /// Sends are taken, and the service says that Friend Confirmation is on. `MemberStatus` 4.
    Deleted,
    /// Sends are taken, and the service says that they were rejected. `MemberStatus` 3.
    Blocked,
}

impl Sim {
    pub(crate) fn verify_user(&self, request: &Request, checker: &Checker<'_>) -> Result<Answer, i64> {
        let body: VerifyBody<'_> = crate::server::body(request, checker)?;
        let account = self.account_of(request, checker)?;
        let checker = checker.of(&account.name);
        let mut state = account.lock();
        state.admit(account.uin, request, &request.query(), Some(&body.base_request), &checker)?;
        if body.verify_user_list_size != body.verify_user_list.len() || body.scene_list_count != body.scene_list.len() {
            checker.hard("VerifyUserListSize or SceneListCount is not the length of its list");
            return Err(PARAMETER_ERROR);
        }
        if body.scene_list != [WEB] {
            checker.soft("SceneList is not [33]");
        }
        match body.skey.as_deref() {
            None => checker.soft("no skey in the body"),
            Some(skey) if skey != body.base_request.skey.0 => checker.soft("skey of the body is not the Skey"),
            Some(_) => {}
        }
        let [user] = body.verify_user_list.as_slice() else {
            checker.hard("VerifyUserList has not one entry");
            return Err(PARAMETER_ERROR);
        };
        let known = match state.names.find(&user.value) {
            Some(Peer::Person(at)) => Some(at),
            _ => state.adopt_requester(&user.value),
        };
        let Some(at) = known else {
            checker.hard("Value is nobody the account knows");
            return Err(PARAMETER_ERROR);
        };
        state.record.verifies.push((checker.now_ms, body.opcode, Peer::Person(at), body.verify_content.to_string()));
        match body.opcode {
            ASK => {
                if !user.verify_user_ticket.is_empty() {
                    checker.soft("a ticket in a request that has none");
                }
                let already = state.is_friend(Peer::Person(at));
                let gone = state.people.get(at).is_some_and(|person| person.gone);
                drop(state);
                if !already || gone {
                    self.ask(&account, at, &body.verify_content);
                }
            }
            ACCEPT => {
                let expected = state.tickets.get(&at);
                if expected.is_none() || expected.map(String::as_str) != Some(&user.verify_user_ticket) {
                    if expected.is_some_and(|ticket| *ticket == body.verify_content) {
                        checker.hard("the ticket stands in VerifyContent and not in VerifyUserTicket");
                    } else {
                        checker.hard("VerifyUserTicket is not that of the request");
                    }
                    return Err(TICKET_ERROR);
                }
                drop(state);
                self.become_friends(&account, at, By::Account);
            }
            _ => {
                checker.soft("Opcode is neither 2 nor 3");
                return Err(PARAMETER_ERROR);
            }
        }
        Ok(shape::refusal(Endpoint::VerifyUser, 0, ""))
    }

    /// The account asks. Another account gets the request; a scripted person accepts, if it does such things.
    fn ask(&self, account: &Arc<Account>, at: usize, greeting: &str) {
        let state = account.lock();
        let peer = Peer::Person(at);
        let other = state.hearers(peer).first().and_then(|name| self.account(name).ok());
        let accepts = self.accepts(account, &state, peer);
        drop(state);
        match other {
            Some(other) => {
                let mut state = other.lock();
                let from = state.know(account);
                let (id, now_ms) = (self.next_msg_id(), self.now_ms());
                state.requested(from, greeting, id, now_ms);
                drop(state);
                other.wake.notify_waiters();
            }
            None if accepts => self.become_friends(account, at, By::Other),
            None => {}
        }
        self.touch();
    }

    /// Whether a scripted person says yes by itself.
    pub(crate) fn accepts(&self, account: &Account, state: &State, peer: Peer) -> bool {
        let own = match peer {
            Peer::Person(at) => state.people.get(at).and_then(|person| person.spec.accepts),
            Peer::Me | Peer::Room(_) | Peer::Special(_) => None,
        };
        own.or(account.spec.auto_accept).unwrap_or(self.world().auto_accept)
    }

    /// Both sides get the contact, and what the service and the one who accepted say.
    fn become_friends(&self, account: &Arc<Account>, at: usize, by: By) {
        let mut state = account.lock();
        let other = state.hearers(Peer::Person(at)).first().and_then(|name| self.account(name).ok());
        self.befriend(account, &mut state, at, by == By::Other);
        drop(state);
        account.wake.notify_waiters();
        if let Some(other) = other {
            let mut state = other.lock();
            let from = state.know(account);
            self.befriend(&other, &mut state, from, by == By::Account);
            drop(state);
            other.wake.notify_waiters();
        }
        self.touch();
    }

    /// One side of it. `answered`: the other one accepted, and says so.
    fn befriend(&self, account: &Account, state: &mut State, at: usize, answered: bool) {
        let Some(person) = state.people.get_mut(at) else { return };
        (person.friend, person.gone, person.blocked) = (true, false, false);
        let nick = person.spec.nick.clone();
        state.tickets.remove(&at);
        let (peer, lang, now_ms) = (Peer::Person(at), account.spec.lang, self.now_ms());
        state.add(Entry::Mod(peer));
        if answered {
            let content = to_wire(systext::accepted(lang));
            let shape = Shape { msg_type: 1, content, fields: Map::new(), item: None };
            let id = self.next_msg_id();
            state.receive(Incoming { id, chat: peer, speaker: None, own: false, at_ms: now_ms, shape });
        }
        state.system_text(self.next_msg_id(), peer, &systext::added(lang, &nick), now_ms);
    }

    /// Somebody asks to become a friend: MsgType 37. Answers its MsgId.
    pub fn request_friend(&self, account: &str, from: FriendSpec, greeting: &str) -> Result<String, SimError> {
        let account = self.account(account)?;
        if from.nick.is_empty() {
            return Err(SimError::Invalid("a friend has no nick".to_owned()));
        }
        let mut state = account.lock();
        let at = match state.find_person(&from.nick) {
            Some(at) if state.is_friend(Peer::Person(at)) => {
                return Err(SimError::Invalid(format!("`{}` is a friend already", from.nick)));
            }
            Some(at) => at,
            None => state.add_person(Person::new(from, &account.name, false)),
        };
        let id = self.next_msg_id();
        state.requested(at, greeting, id, self.now_ms());
        drop(state);
        account.wake.notify_waiters();
        self.touch();
        Ok(id.to_string())
    }

    /// The person whom the account asked says yes on the phone.
    pub fn accept_friend(&self, account: &str, nick: &str) -> Result<(), SimError> {
        let account = self.account(account)?;
        let state = account.lock();
        let at = state.find_person(nick).ok_or_else(|| account.no_person(nick))?;
        let asked =
            state.record.verifies.iter().any(|(_, opcode, peer, _)| *opcode == ASK && *peer == Peer::Person(at));
        drop(state);
        if !asked {
            return Err(SimError::Invalid(format!("account `{}` never asked `{nick}`", account.name)));
        }
        self.become_friends(&account, at, By::Other);
        Ok(())
    }

    /// A friend deletes or blocks the account, which is not told.
    pub fn rejected_by(&self, account: &str, nick: &str, how: Rejection) -> Result<(), SimError> {
        let account = self.account(account)?;
        let mut state = account.lock();
        let at = state.find_person(nick).ok_or_else(|| account.no_person(nick))?;
        if let Some(person) = state.people.get_mut(at) {
            match how {
                Rejection::Deleted => person.gone = true,
                Rejection::Blocked => person.blocked = true,
            }
        }
        drop(state);
        self.touch();
        Ok(())
    }
}

/// Whose yes it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Account,
    Other,
}

impl State {
    /// Puts a friend request into the log.
    fn requested(&mut self, at: usize, greeting: &str, id: u64, now_ms: u64) {
        let ticket = names::friend_ticket(&mut self.rng);
        let Some(person) = self.people.get(at) else { return };
        let who = Recommended {
            user_name: self.names.of(Peer::Person(at)),
            wxid: &person.wxid,
            nick: &person.spec.nick,
            alias: &person.spec.alias,
            sex: person.spec.sex,
            official: person.spec.official,
        };
        let shape = mold::friend_request(&who, greeting, &ticket);
        self.tickets.insert(at, ticket);
        let chat = Peer::Special(FRIEND_MESSAGES);
        self.receive(Incoming { id, chat, speaker: None, own: false, at_ms: now_ms, shape });
    }

    /// Someone who stands in RecommendInfo only becomes a person, with the UserName from there.
    fn adopt_requester(&mut self, user_name: &str) -> Option<usize> {
        let info = self.names.requesters.remove(user_name)?;
        let text = |field: &str| info.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        let spec = FriendSpec { nick: text("NickName"), alias: text("Alias"), ..FriendSpec::default() };
        let person = Person::new(spec, user_name, false);
        let at = self.add_person(person);
        self.names.rename_person(at, user_name);
        self.tickets.insert(at, text("Ticket"));
        Some(at)
    }
}
