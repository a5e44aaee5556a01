//! How do clients make and change rooms: webwxcreatechatroom and webwxupdatechatroom?

use std::sync::Arc;

use serde_json::{Value, json};

use crate::Sim;
use crate::account::{Account, Member, Room, State};
use crate::check::Checker;
use crate::fault::FaultKind;
use crate::journal::RoomCall;
use crate::mold;
use crate::names::{self, Peer};
use crate::relay::Incoming;
use crate::request::{Answer, Endpoint, Request};
use crate::roomlife::{Someone, Told};
use crate::shape;
use crate::wire::{CreateRoomBody, UpdateRoomBody};
use crate::world::RoomMet;

const PARAMETER_ERROR: i64 = 1;
const NOT_THE_OWNER: i64 = -66;
/// From this number of members on, newcomers must be asked: `InviteStartCount` of webwxinit.
const INVITE_FROM: usize = 40;
/// `MemberStatus` of those who cannot be drawn in.
const BLOCKED_US: i64 = 3;
const DELETED_US: i64 = 4;
/// What the service answers to a room that it does not make, although Ret is 0.
const NOT_MADE: &str = "<e>\n<ShowType>1</ShowType>\n<Content><![CDATA[创建群聊失败]]></Content>\n<Url><![CDATA[]]></Url>\n\
     <DispSec>30</DispSec>\n<Title><![CDATA[]]></Title>\n<Action>4</Action>\n<DelayConnSec>0</DelayConnSec>\n\
     <Countdown>0</Countdown>\n<Ok><![CDATA[]]></Ok>\n<Cancel><![CDATA[]]></Cancel>\n</e>\n";

impl Sim {
    pub(crate) fn create_chat_room(
        &self,
        request: &Request,
        checker: &Checker<'_>,
        fault: Option<&FaultKind>,
    ) -> Result<Answer, i64> {
        let body: CreateRoomBody<'_> = crate::server::body(request, checker)?;
        let account = self.account_of(request, checker)?;
        let checker = checker.of(&account.name);
        let mut state = account.lock();
        state.admit(account.uin, request, &request.query(), Some(&body.base_request), &checker)?;
        let refuse = |what| {
            checker.hard(what);
            Err(PARAMETER_ERROR)
        };
        if body.member_count != body.member_list.len() {
            return refuse("MemberCount is not the length of MemberList");
        }
        let names = body.member_list.iter().map(|member| &*member.user_name);
        let Some(people) = state.people_of(names) else { return refuse("a member is nobody the account knows") };
        if people.contains(&Peer::Me) {
            return refuse("the account itself is in MemberList");
        }
        if people.len() < 2 {
            return refuse("a room of fewer than two others");
        }
        if fault == Some(&FaultKind::EmptyNames) {
            return Ok(shape::refusal(Endpoint::CreateChatRoom, 0, NOT_MADE));
        }
        // Nobody's lock is held while another's is taken.
        let links = state.links(&people);
        drop(state);
        let willing = self.willing(&account, &links);
        let mut state = account.lock();
        let statuses: Vec<i64> = people.iter().map(|&peer| state.member_status(peer, &willing)).collect();
        let coming: Vec<Peer> =
            people.iter().zip(&statuses).filter(|(_, status)| **status == 0).map(|(peer, _)| *peer).collect();
        let members: Vec<Value> =
            people.iter().zip(&statuses).map(|(&peer, &status)| state.member_entry(peer, status)).collect();
        if coming.is_empty() {
            return Ok(shape::refusal(Endpoint::CreateChatRoom, 0, NOT_MADE));
        }
        let chatroom_id =
            format!("{}@chatroom", names::stable_hash(&names::hex(&mut self.rng(), 32)) % 100_000_000_000);
        let at = state.rooms.len();
        let everyone = std::iter::once(Peer::Me).chain(coming.iter().copied());
        let room = Room {
            topic: body.topic.to_string(),
            chatroom_id,
            members: everyone.map(|who| Member { who, display: String::new() }).collect(),
            owner: Peer::Me,
            saved: false,
            met: RoomMet::Message,
            left: false,
            pinned: false,
        };
        let State { names, rng, .. } = &mut *state;
        names.add_room(rng);
        state.rooms.push(room);
        let told = Told::Invited {
            by: Someone::Account(account.name.clone()),
            who: coming.iter().map(|&who| state.someone(&account, who)).collect(),
        };
        let plan = state.plan(&account, at);
        let name = state.names.of(Peer::Room(at)).to_owned();
        let call = RoomCall {
            at_ms: checker.now_ms,
            fun: "create".to_owned(),
            room: Peer::Room(at),
            who: coming.clone(),
            ret: 0,
        };
        state.record.room_calls.push(call);
        drop(state);
        if let Some(plan) = plan {
            self.publish(&plan, &[], &told);
        }
        Ok(shape::answer(
            0,
            "Everything is OK",
            json!({
                "Topic": body.topic, "PYInitial": "", "QuanPin": "", "MemberCount": members.len(),
                "MemberList": members, "ChatRoomName": name, "BlackList": ""
            }),
        ))
    }

    pub(crate) fn update_chat_room(&self, request: &Request, checker: &Checker<'_>) -> Result<Answer, i64> {
        let body: UpdateRoomBody<'_> = crate::server::body(request, checker)?;
        let account = self.account_of(request, checker)?;
        let checker = checker.of(&account.name);
        let query = request.query();
        let mut state = account.lock();
        state.admit(account.uin, request, &query, Some(&body.base_request), &checker)?;
        let at = match state.names.find(&body.chat_room_name) {
            Some(Peer::Room(at)) if state.rooms.get(at).is_some_and(|room| !room.left) => at,
            Some(Peer::Room(_)) => return Err(PARAMETER_ERROR),
            _ => {
                checker.hard("ChatRoomName is of no room");
                return Err(PARAMETER_ERROR);
            }
        };
        let fun = query.get("fun").unwrap_or_default();
        let call =
            RoomCall { at_ms: checker.now_ms, fun: fun.to_owned(), room: Peer::Room(at), who: Vec::new(), ret: 0 };
        let number = state.record.room_calls.len();
        state.record.room_calls.push(call);
        let done = self.update_room(&account, state, at, number, fun, &body, &checker);
        if let (Err(ret), Some(call)) = (&done, account.lock().record.room_calls.get_mut(number)) {
            call.ret = *ret;
        }
        done
    }

    /// The call of this number in the journal.
    #[expect(clippy::too_many_arguments, reason = "one call, as it came")]
    fn update_room(
        &self,
        account: &Arc<Account>,
        mut state: Guard<'_>,
        at: usize,
        number: usize,
        fun: &str,
        body: &UpdateRoomBody<'_>,
        checker: &Checker<'_>,
    ) -> Result<Answer, i64> {
        let list = match fun {
            "addmember" => body.add_member_list.as_deref(),
            "invitemember" => body.invite_member_list.as_deref(),
            "delmember" => body.del_member_list.as_deref(),
            "modtopic" => body.new_topic.as_deref(),
            "quitchatroom" => Some(""),
            _ => {
                checker.hard("fun is none that the service knows");
                return Err(PARAMETER_ERROR);
            }
        };
        let Some(list) = list else {
            checker.hard("the field that belongs to fun is missing");
            return Err(PARAMETER_ERROR);
        };
        match fun {
            "modtopic" => Ok(self.retopic(account, state, at, list)),
            "quitchatroom" => Ok(self.quit(account, state, at)),
            _ => {
                let Some(people) = state.people_of(list.split(',').map(str::trim)).filter(|list| !list.is_empty())
                else {
                    checker.hard("a member is nobody the account knows");
                    return Err(PARAMETER_ERROR);
                };
                if let Some(call) = state.record.room_calls.get_mut(number) {
                    call.who.clone_from(&people);
                }
                match fun {
                    "addmember" => self.add_members(account, state, at, &people),
                    "invitemember" => self.invite_members(account, state, at, &people),
                    _ => self.remove_members(account, state, at, &people, checker),
                }
            }
        }
    }

    fn add_members(&self, account: &Arc<Account>, state: Guard<'_>, at: usize, people: &[Peer]) -> Result<Answer, i64> {
        let inside = state.rooms.get(at).map_or(0, |room| room.members.len());
        let fresh: Vec<Peer> = people.iter().copied().filter(|&who| !state.is_member(at, who)).collect();
        if inside + fresh.len() >= INVITE_FROM {
            return Err(PARAMETER_ERROR);
        }
        if fresh.iter().any(|&who| !state.is_friend(who)) {
            return Err(PARAMETER_ERROR);
        }
        let links = state.links(&fresh);
        drop(state);
        let willing = self.willing(account, &links);
        let state = account.lock();
        let mut entries = Vec::new();
        let mut coming = Vec::new();
        for who in fresh {
            let status = state.member_status(who, &willing);
            entries.push(state.member_entry(who, status));
            if status == 0 {
                coming.push(who);
            }
        }
        self.draw_in(account, state, at, &coming);
        Ok(members_answer(&entries))
    }

    /// Puts people into the room on the account's invitation, and tells everyone.
    fn draw_in(&self, account: &Arc<Account>, mut state: Guard<'_>, at: usize, coming: &[Peer]) {
        if let Some(room) = state.rooms.get_mut(at) {
            room.members.extend(coming.iter().map(|&who| Member { who, display: String::new() }));
        }
        let told = Told::Invited {
            by: Someone::Account(account.name.clone()),
            who: coming.iter().map(|&who| state.someone(account, who)).collect(),
        };
        let plan = state.plan(account, at);
        drop(state);
        if let Some(plan) = plan.filter(|_| !coming.is_empty()) {
            self.publish(&plan, &[], &told);
        }
    }

    /// Accounts of the world get a card that asks them in; scripted people come if they accept such things.
    fn invite_members(
        &self,
        account: &Arc<Account>,
        state: Guard<'_>,
        at: usize,
        people: &[Peer],
    ) -> Result<Answer, i64> {
        let fresh: Vec<Peer> = people.iter().copied().filter(|&who| !state.is_member(at, who)).collect();
        if fresh.iter().any(|&who| !state.is_friend(who)) {
            return Err(PARAMETER_ERROR);
        }
        let links = state.links(&fresh);
        let topic = state.rooms.get(at).map(|room| room.topic.clone()).unwrap_or_default();
        let coming: Vec<Peer> = fresh
            .into_iter()
            .filter(|&who| state.links(&[who]).is_empty() && self.accepts(account, &state, who))
            .collect();
        self.draw_in(account, state, at, &coming);
        for name in links {
            let Ok(other) = self.account(&name) else { continue };
            let mut state = other.lock();
            let from = state.know(account);
            if !state.people.get(from).is_some_and(|person| person.friend) {
                continue;
            }
            let card = mold::room_invitation(account.nick(), &topic);
            let (id, at_ms) = (self.next_msg_id(), self.now_ms());
            state.receive(Incoming { id, chat: Peer::Person(from), speaker: None, own: false, at_ms, shape: card });
            drop(state);
            other.wake.notify_waiters();
        }
        Ok(members_answer(&[]))
    }

    fn remove_members(
        &self,
        account: &Arc<Account>,
        mut state: Guard<'_>,
        at: usize,
        people: &[Peer],
        checker: &Checker<'_>,
    ) -> Result<Answer, i64> {
        if state.rooms.get(at).is_none_or(|room| room.owner != Peer::Me) {
            return Err(NOT_THE_OWNER);
        }
        if people.iter().any(|&who| who == Peer::Me || !state.is_member(at, who)) {
            checker.soft("delmember of somebody who is no member, or of the owner");
            return Err(PARAMETER_ERROR);
        }
        if let Some(room) = state.rooms.get_mut(at) {
            room.members.retain(|member| !people.contains(&member.who));
        }
        let gone: Vec<Someone> = people.iter().map(|&who| state.someone(account, who)).collect();
        let told = Told::Kicked { by: Someone::Account(account.name.clone()), who: gone.clone() };
        let plan = state.plan(account, at);
        drop(state);
        if let Some(plan) = plan {
            self.publish(&plan, &gone, &told);
        }
        Ok(members_answer(&[]))
    }

    fn retopic(&self, account: &Arc<Account>, mut state: Guard<'_>, at: usize, topic: &str) -> Answer {
        if let Some(room) = state.rooms.get_mut(at) {
            topic.clone_into(&mut room.topic);
        }
        let told = Told::Renamed { by: Someone::Account(account.name.clone()), topic: topic.to_owned() };
        let plan = state.plan(account, at);
        drop(state);
        if let Some(plan) = plan {
            self.publish(&plan, &[], &told);
        }
        members_answer(&[])
    }

    fn quit(&self, account: &Arc<Account>, mut state: Guard<'_>, at: usize) -> Answer {
        if let Some(room) = state.rooms.get_mut(at) {
            room.members.retain(|member| member.who != Peer::Me);
            // The room goes on without its owner: the next one in the list owns it.
            if room.owner == Peer::Me
                && let Some(next) = room.members.first()
            {
                room.owner = next.who;
            }
        }
        let plan = state.plan(account, at);
        drop(state);
        if let Some(plan) = plan {
            self.publish(&plan, &[Someone::Account(account.name.clone())], &Told::Nothing);
        }
        members_answer(&[])
    }

    /// Which of the accounts have this one as a friend.
    fn willing(&self, account: &Arc<Account>, links: &[String]) -> Vec<String> {
        let knows = |name: &&String| {
            **name != account.name
                && self.account(name).is_ok_and(|other| {
                    let mut state = other.lock();
                    let at = state.know(account);
                    state.people.get(at).is_some_and(|person| person.friend)
                })
        };
        links.iter().filter(knows).cloned().collect()
    }
}

type Guard<'a> = std::sync::MutexGuard<'a, State>;

fn members_answer(members: &[Value]) -> Answer {
    shape::answer(0, "", json!({"MemberCount": members.len(), "MemberList": members}))
}

impl State {
    /// Everyone by UserName, without repetitions; `None` when one of them is nobody, or no person.
    fn people_of<'a>(&self, names: impl Iterator<Item = &'a str>) -> Option<Vec<Peer>> {
        let mut people = Vec::new();
        for name in names {
            let peer = self.names.find(name).filter(|peer| matches!(peer, Peer::Me | Peer::Person(_)))?;
            if !people.contains(&peer) {
                people.push(peer);
            }
        }
        Some(people)
    }

    /// Names of those of the people who are accounts of the world.
    fn links(&self, people: &[Peer]) -> Vec<String> {
        people.iter().flat_map(|&who| self.hearers(who)).collect()
    }

    fn is_member(&self, at: usize, who: Peer) -> bool {
        self.rooms.get(at).is_some_and(|room| room.members.iter().any(|member| member.who == who))
    }

    pub(crate) fn is_friend(&self, who: Peer) -> bool {
        matches!(who, Peer::Person(at) if self.people.get(at).is_some_and(|person| person.friend))
    }

    fn member_status(&self, who: Peer, willing: &[String]) -> i64 {
        let Peer::Person(at) = who else { return DELETED_US };
        let Some(person) = self.people.get(at) else { return DELETED_US };
        let linked = !person.spec.account.is_empty();
        if person.blocked {
            BLOCKED_US
        } else if !person.friend || person.gone || (linked && !willing.contains(&person.spec.account)) {
            DELETED_US
        } else {
            0
        }
    }

    fn member_entry(&self, who: Peer, status: i64) -> Value {
        let mut entry = self.member(&Member { who, display: String::new() });
        if let Some(place) = entry.get_mut("MemberStatus") {
            *place = json!(status);
        }
        entry
    }
}
