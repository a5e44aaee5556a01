//! What happens to a room, and how does each of its accounts get to know?
//!
//! One account's view of the room changes; the result is then copied into the views of all other accounts that are in
//! it. Each of them gets ModContactList with the complete list of members, and the text that the service sends.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::Sim;
use crate::account::{Account, Member, Room, State};
use crate::error::SimError;
use crate::log::Entry;
use crate::names::Peer;
use crate::systext::RoomNews;
use crate::world::RoomMet;

/// What happens to a room. A name is a nick, or the account's own name for itself.
///
/// The plain ones come without a text in the chat, as when the service sends none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RoomChange {
    /// A friend or a stranger of this nick comes in.
    Join(String),
    /// The member of this nick goes.
    Leave(String),
    /// The room gets this topic.
    Rename(String),
    /// The member of this nick (the account's name for itself) gets this group nickname.
    Display(String, String),
    /// The account itself is removed: DelContactList.
    Removed,
    /// The account is not in the room any more: ModContactList without the bits of a room.
    Vanish,
    /// The member of this nick owns the room from now on.
    Owner(String),
    /// Somebody invites: with the texts of the service, here and at the others.
    Invite {
        /// Who invites.
        by: String,
        /// Who comes in.
        who: Vec<String>,
    },
    /// Somebody comes in by the QR code that a member shared.
    JoinByQr {
        /// Whose code.
        of: String,
        /// Who comes in.
        who: String,
    },
    /// The owner removes members, the account itself perhaps.
    Kick {
        /// Who removes.
        by: String,
        /// Who goes.
        who: Vec<String>,
    },
    /// Somebody gives the room a topic, and it is told.
    RenameBy {
        /// Who.
        by: String,
        /// The topic.
        topic: String,
    },
}

/// Someone, seen from no account in particular.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Someone {
    Account(String),
    Named(String),
}

/// What the accounts of a room are told.
#[derive(Debug, Clone)]
pub(crate) enum Told {
    Nothing,
    Invited { by: Someone, who: Vec<Someone> },
    ByQr { of: Someone, who: Someone },
    Kicked { by: Someone, who: Vec<Someone> },
    Renamed { by: Someone, topic: String },
}

/// A room, seen from no account in particular.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    chatroom_id: String,
    topic: String,
    owner: Someone,
    members: Vec<(Someone, String)>,
}

impl State {
    pub(crate) fn someone(&self, own: &Account, peer: Peer) -> Someone {
        match peer {
            Peer::Person(at) => match self.people.get(at) {
                Some(person) if !person.spec.account.is_empty() => Someone::Account(person.spec.account.clone()),
                Some(person) => Someone::Named(person.spec.nick.clone()),
                None => Someone::Named(String::new()),
            },
            Peer::Me | Peer::Room(_) | Peer::Special(_) => Someone::Account(own.name.clone()),
        }
    }

    fn locate(&mut self, own: &Account, sim: &Sim, who: &Someone) -> Peer {
        match who {
            Someone::Account(name) if *name == own.name => Peer::Me,
            Someone::Account(name) => match sim.account(name) {
                Ok(other) => Peer::Person(self.know(&other)),
                Err(_) => Peer::Person(self.meet(&own.name, name)),
            },
            Someone::Named(nick) => Peer::Person(self.meet(&own.name, nick)),
        }
    }

    pub(crate) fn plan(&self, own: &Account, at: usize) -> Option<Plan> {
        let room = self.rooms.get(at)?;
        Some(Plan {
            chatroom_id: room.chatroom_id.clone(),
            topic: room.topic.clone(),
            owner: self.someone(own, room.owner),
            members: room
                .members
                .iter()
                .map(|member| (self.someone(own, member.who), member.display.clone()))
                .collect(),
        })
    }

    /// Makes the account's view of the room the same as the plan; answers where it is.
    fn adopt(&mut self, own: &Account, sim: &Sim, plan: &Plan) -> usize {
        let members = plan
            .members
            .iter()
            .map(|(who, display)| Member { who: self.locate(own, sim, who), display: display.clone() })
            .collect();
        let owner = self.locate(own, sim, &plan.owner);
        if let Some(at) = self.rooms.iter().position(|room| room.chatroom_id == plan.chatroom_id) {
            if let Some(room) = self.rooms.get_mut(at) {
                room.topic.clone_from(&plan.topic);
                room.members = members;
                room.owner = owner;
                room.left = false;
            }
            return at;
        }
        self.rooms.push(Room {
            topic: plan.topic.clone(),
            chatroom_id: plan.chatroom_id.clone(),
            members,
            owner,
            saved: false,
            met: RoomMet::Message,
            left: false,
            pinned: false,
        });
        self.names.add_room(&mut self.rng);
        self.rooms.len() - 1
    }

    /// How somebody is called in a room: by group nickname, else by nick.
    fn called(&self, own: &Account, at: usize, who: &Someone) -> String {
        let members = self.rooms.get(at).map(|room| room.members.as_slice()).unwrap_or_default();
        let display = members
            .iter()
            .find(|member| self.someone(own, member.who) == *who)
            .map(|member| member.display.as_str())
            .filter(|display| !display.is_empty());
        match (display, who) {
            (Some(display), _) => display.to_owned(),
            (None, Someone::Named(nick)) => nick.clone(),
            (None, Someone::Account(name)) if *name == own.name => own.nick().to_owned(),
            (None, Someone::Account(name)) => {
                let person = self.people.iter().find(|person| person.spec.account == *name);
                person.map_or_else(|| name.clone(), |person| person.spec.nick.clone())
            }
        }
    }

    /// The text that this account gets about it; `None` where the service says nothing.
    fn news(&self, own: &Account, at: usize, told: &Told) -> Option<RoomNews> {
        let me = Someone::Account(own.name.clone());
        let call = |who: &Someone| self.called(own, at, who);
        let call_all = |who: &[Someone]| -> Vec<String> { who.iter().filter(|who| **who != me).map(call).collect() };
        Some(match told {
            Told::Nothing => return None,
            Told::Invited { by, who } if *by == me => RoomNews::YouInvited(call_all(who)),
            Told::Invited { by, who } if *who == [me.clone()] => {
                let members = self.rooms.get(at).map(|room| room.members.as_slice()).unwrap_or_default();
                let there: Vec<Someone> =
                    members.iter().map(|member| self.someone(own, member.who)).filter(|member| member != by).collect();
                RoomNews::InvitedYou { by: call(by), there: call_all(&there) }
            }
            Told::Invited { by, who } if who.contains(&me) => {
                RoomNews::InvitedYouAnd { by: call(by), who: call_all(who) }
            }
            Told::Invited { by, who } => RoomNews::Invited { by: call(by), who: call_all(who) },
            Told::ByQr { who, .. } if *who == me => return None,
            Told::ByQr { of, who } if *of == me => RoomNews::ByYourQr(call(who)),
            Told::ByQr { of, who } => RoomNews::ByQr { of: call(of), who: call(who) },
            Told::Kicked { by, who } if *by == me => RoomNews::YouRemoved(call_all(who)),
            Told::Kicked { by, who } if who.contains(&me) => RoomNews::RemovedYou(call(by)),
            // Removals by others come without a text.
            Told::Kicked { .. } => return None,
            Told::Renamed { by, topic } if *by == me => RoomNews::YouRenamed(topic.clone()),
            Told::Renamed { by, topic } => RoomNews::Renamed { by: call(by), topic: topic.clone() },
        })
    }
}

impl Sim {
    /// Copies the plan into the views of all accounts that are in the room, and tells them. Accounts in `gone` are not
    /// in it any more.
    pub(crate) fn publish(&self, plan: &Plan, gone: &[Someone], told: &Told) {
        for account in self.accounts() {
            let me = Someone::Account(account.name.clone());
            let inside = plan.members.iter().any(|(who, _)| *who == me);
            if !inside && !gone.contains(&me) {
                continue;
            }
            let mut state = account.lock();
            let at = if inside {
                Some(state.adopt(&account, self, plan))
            } else {
                state.rooms.iter().position(|room| room.chatroom_id == plan.chatroom_id && !room.left)
            };
            let Some(at) = at else { continue };
            if let Some(news) = state.news(&account, at, told) {
                let text = news.text(account.spec.lang);
                state.system_text(self.next_msg_id(), Peer::Room(at), &text, self.now_ms());
            }
            if inside {
                state.add(Entry::Mod(Peer::Room(at)));
            } else {
                if let Some(room) = state.rooms.get_mut(at) {
                    room.left = true;
                }
                state.add(Entry::Del(Peer::Room(at)));
            }
            drop(state);
            account.wake.notify_waiters();
        }
        self.touch();
    }

    /// Something happens to a room: ModContactList with all its members, or DelContactList, at every account in it.
    pub fn change_room(&self, account: &str, room: &str, change: RoomChange) -> Result<(), SimError> {
        let account = self.account(account)?;
        let mut state = account.lock();
        let at = account.find_room(&state, room)?;
        if change == RoomChange::Vanish {
            if let Some(room) = state.rooms.get_mut(at) {
                room.left = true;
            }
            state.add(Entry::Mod(Peer::Room(at)));
            drop(state);
            account.wake.notify_waiters();
            self.touch();
            return Ok(());
        }
        let Step { told, coming, going } = state.step(&account, at, change)?;
        let Some(room) = state.rooms.get_mut(at) else { return Ok(()) };
        for who in coming {
            if room.members.iter().all(|member| member.who != who) {
                room.members.push(Member { who, display: String::new() });
            }
        }
        room.members.retain(|member| !going.contains(&member.who));
        let gone: Vec<Someone> = going.iter().map(|&who| state.someone(&account, who)).collect();
        let plan = state.plan(&account, at);
        drop(state);
        if let Some(plan) = plan {
            self.publish(&plan, &gone, &told);
        }
        Ok(())
    }
}

/// What a change comes down to.
struct Step {
    told: Told,
    coming: Vec<Peer>,
    going: Vec<Peer>,
}

impl State {
    fn step(&mut self, account: &Arc<Account>, at: usize, change: RoomChange) -> Result<Step, SimError> {
        let mut step = Step { told: Told::Nothing, coming: Vec::new(), going: Vec::new() };
        match change {
            RoomChange::Join(nick) => step.coming.push(self.anyone(account, &nick)),
            RoomChange::Leave(nick) => step.going.push(self.member_named(account, at, &nick)?),
            RoomChange::Removed => step.going.push(Peer::Me),
            RoomChange::Rename(topic) => self.retitle(at, topic),
            RoomChange::Display(nick, display) => {
                let who = self.member_named(account, at, &nick)?;
                let members = self.rooms.get_mut(at).map(|room| room.members.as_mut_slice()).unwrap_or_default();
                if let Some(member) = members.iter_mut().find(|member| member.who == who) {
                    member.display = display;
                }
            }
            RoomChange::Owner(nick) => {
                let who = self.member_named(account, at, &nick)?;
                if let Some(room) = self.rooms.get_mut(at) {
                    room.owner = who;
                }
            }
            RoomChange::Invite { by, who } => {
                let by = self.member_named(account, at, &by)?;
                step.coming = who.iter().map(|nick| self.anyone(account, nick)).collect();
                let who = step.coming.iter().map(|&who| self.someone(account, who)).collect();
                step.told = Told::Invited { by: self.someone(account, by), who };
            }
            RoomChange::JoinByQr { of, who } => {
                let of = self.member_named(account, at, &of)?;
                let who = self.anyone(account, &who);
                step.coming.push(who);
                step.told = Told::ByQr { of: self.someone(account, of), who: self.someone(account, who) };
            }
            RoomChange::Kick { by, who } => {
                let by = self.member_named(account, at, &by)?;
                step.going =
                    who.iter().map(|nick| self.member_named(account, at, nick)).collect::<Result<_, SimError>>()?;
                let who = step.going.iter().map(|&who| self.someone(account, who)).collect();
                step.told = Told::Kicked { by: self.someone(account, by), who };
            }
            RoomChange::RenameBy { by, topic } => {
                let by = self.member_named(account, at, &by)?;
                self.retitle(at, topic.clone());
                step.told = Told::Renamed { by: self.someone(account, by), topic };
            }
            // Seen to by the caller: nothing about it is the others' business.
            RoomChange::Vanish => {}
        }
        Ok(step)
    }

    fn retitle(&mut self, at: usize, topic: String) {
        if let Some(room) = self.rooms.get_mut(at) {
            room.topic = topic;
        }
    }

    /// A person by name, who is made up when nobody is called so.
    fn anyone(&mut self, account: &Account, nick: &str) -> Peer {
        if nick == account.name { Peer::Me } else { Peer::Person(self.meet(&account.name, nick)) }
    }

    /// A member of the room by name.
    pub(crate) fn member_named(&self, account: &Account, room: usize, nick: &str) -> Result<Peer, SimError> {
        let who = if nick == account.name || nick.is_empty() {
            Peer::Me
        } else {
            Peer::Person(self.find_person(nick).ok_or_else(|| account.no_person(nick))?)
        };
        let room = self.rooms.get(room);
        if room.is_some_and(|room| room.members.iter().any(|member| member.who == who)) {
            return Ok(who);
        }
        Err(SimError::NotAMember {
            room: room.map(|room| room.topic.clone()).unwrap_or_default(),
            name: nick.to_owned(),
        })
    }
}
