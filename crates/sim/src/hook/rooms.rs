//! What is answered about rooms, and how do they change?

use serde_json::{Value, json};

use crate::hook::State;
use crate::hook::call::Call;
use crate::service::town::{Chat, Member, Room, Who};
use crate::systext::RoomNews;
use crate::world::{Lang, RoomSpec};

/// From so many members on, people are invited and not added.
const INVITE_FROM: usize = 40;

/// Asks about the room that `gid` names.
fn about(call: &Call<'_>, answer: impl FnOnce(&State, &Room) -> Value) -> Value {
    let state = call.state();
    match state.town.room_with(call.text("gid")) {
        Some(room) => answer(&state, room),
        None => unknown(call),
    }
}

/// Changes it.
fn change(call: &Call<'_>, change: impl FnOnce(&mut Room) -> bool) -> Value {
    let mut state = call.state();
    match state.town.room_with_mut(call.text("gid")) {
        Some(room) => {
            let changed = change(room);
            drop(state);
            call.taken(changed)
        }
        None => unknown(call),
    }
}

fn unknown(call: &Call<'_>) -> Value {
    call.wrong("`gid` is no room of this account");
    call.no()
}

pub(super) fn known(call: &Call<'_>) -> Value {
    change(call, |_| true)
}

pub(super) fn members(call: &Call<'_>) -> Value {
    about(call, |state, room| {
        let members = room.members.iter().map(|member| {
            json!({
                "wxid": state.town.id_of(member.who), "nickname": state.town.nick_of(member.who),
                "displayname": member.display, "user_head_big": "", "user_head_small": "",
                "user_flag": "1", "inviter_wxid": state.town.id_of(room.owner)
            })
        });
        json!({
            "gid": room.id, "member_count": room.members.len().to_string(),
            "master_wxid": state.town.id_of(room.owner), "master_nickname": state.town.nick_of(room.owner),
            "chatroom_name": room.topic, "member": members.collect::<Vec<_>>()
        })
    })
}

pub(super) fn member_ids(call: &Call<'_>) -> Value {
    about(call, |state, room| {
        let ids = room.members.iter().map(|member| json!({"wxid": state.town.id_of(member.who)}));
        json!({"data": ids.collect::<Vec<_>>()})
    })
}

pub(super) fn count(call: &Call<'_>) -> Value {
    about(call, |_, room| json!({"count": room.members.len().to_string()}))
}

pub(super) fn owner(call: &Call<'_>) -> Value {
    about(call, |state, room| json!({"OwnerWxid": state.town.id_of(room.owner)}))
}

pub(super) fn member_nick(call: &Call<'_>) -> Value {
    about(call, |state, room| {
        let who = state.town.who_has(call.text("wxid"));
        match room.members.iter().find(|member| Some(member.who) == who) {
            Some(member) if !member.display.is_empty() => json!({"nickname": member.display}),
            Some(member) => json!({"nickname": state.town.nick_of(member.who)}),
            None => {
                call.wrong("`wxid` is no member of the room");
                call.no()
            }
        }
    })
}

/// People by their ids, if all of them are known.
fn people(call: &Call<'_>, state: &State, ids: &str) -> Option<Vec<Who>> {
    let found: Option<Vec<Who>> = ids.split(',').map(|id| state.town.who_has(id)).collect();
    if found.is_none() {
        call.wrong("an id is nobody this account knows");
    }
    found
}

pub(super) fn create(call: &Call<'_>) -> Value {
    let mut state = call.state();
    let Some(who) = people(call, &state, call.text("wxidlist")) else { return call.no() };
    if who.len() < 2 || who.contains(&Who::Me) {
        call.wrong("a room is made with two others or more, and without oneself");
        return json!({"retstr": "User do not exist", "gid": ""});
    }
    let members: Vec<String> = who.iter().map(|who| state.town.nick_of(*who).to_owned()).collect();
    let spec = RoomSpec { id: format!("made {}", call.hook.next_id()), members, ..RoomSpec::default() };
    let at = state.town.add_room(&spec);
    let gid = state.town.rooms.get(at).map(|room| room.id.clone()).unwrap_or_default();
    call.hook.push_invite_result(call.instance, &state, &gid, "Everything is OK");
    json!({"retstr": "Everything is OK", "gid": gid})
}

pub(super) fn add(call: &Call<'_>) -> Value {
    join(call, call.text("wxidlist"), false)
}

pub(super) fn invite(call: &Call<'_>) -> Value {
    join(call, call.text("wxid"), true)
}

/// Adding works below forty; an invitation is a card that this simulator's people do not follow.
fn join(call: &Call<'_>, ids: &str, card: bool) -> Value {
    let mut state = call.state();
    let Some(who) = people(call, &state, ids) else { return call.no() };
    let nicks: Vec<String> = who.iter().map(|who| state.town.nick_of(*who).to_owned()).collect();
    let Some(room) = state.town.room_with_mut(call.text("gid")) else { return unknown(call) };
    let large = room.members.len() >= INVITE_FROM;
    if large != card {
        return call.no();
    }
    if card {
        return call.yes();
    }
    for who in who {
        if !room.has(who) {
            room.members.push(Member { who, display: String::new() });
        }
    }
    let gid = room.id.clone();
    call.hook.push_invite_result(call.instance, &state, &gid, "Everything is OK");
    tell(call, &state, &RoomNews::YouInvited(nicks));
    call.yes()
}

pub(super) fn remove(call: &Call<'_>) -> Value {
    let mut state = call.state();
    let Some(who) = people(call, &state, call.text("wxidlist")) else { return call.no() };
    let nicks: Vec<String> = who.iter().map(|who| state.town.nick_of(*who).to_owned()).collect();
    let Some(room) = state.town.room_with_mut(call.text("gid")) else { return unknown(call) };
    if room.owner != Who::Me || !who.iter().all(|who| room.has(*who)) {
        return call.no();
    }
    room.members.retain(|member| !who.contains(&member.who));
    tell(call, &state, &RoomNews::YouRemoved(nicks));
    call.yes()
}

pub(super) fn rename(call: &Call<'_>) -> Value {
    let topic = call.text("gname").to_owned();
    let answer = change(call, |room| {
        room.topic.clone_from(&topic);
        true
    });
    let state = call.state();
    tell(call, &state, &RoomNews::YouRenamed(topic));
    answer
}

pub(super) fn remark(call: &Call<'_>) -> Value {
    change(call, |room| {
        call.text("mark").clone_into(&mut room.remark);
        true
    })
}

pub(super) fn announce(call: &Call<'_>) -> Value {
    if call.state().town.me != call.text("ownerwxid") {
        call.wrong("`ownerwxid` is not the account");
        return call.no();
    }
    change(call, |room| {
        if room.owner == Who::Me {
            call.text("announcement").clone_into(&mut room.notice);
        }
        room.owner == Who::Me
    })
}

pub(super) fn own_nick(call: &Call<'_>) -> Value {
    if call.state().town.me != call.text("wxid") {
        call.wrong("`wxid` is not the account");
        return call.no();
    }
    change(call, |room| {
        if let Some(me) = room.members.iter_mut().find(|member| member.who == Who::Me) {
            call.text("nickname").clone_into(&mut me.display);
        }
        true
    })
}

pub(super) fn quit(call: &Call<'_>) -> Value {
    change(call, |room| {
        room.left = true;
        true
    })
}

pub(super) fn transfer(call: &Call<'_>) -> Value {
    let who = call.state().town.who_has(call.text("wxid"));
    change(call, |room| match who {
        Some(who) if room.owner == Who::Me && room.has(who) => {
            room.owner = who;
            true
        }
        _ => false,
    })
}

/// What the service writes into the room.
fn tell(call: &Call<'_>, state: &State, news: &RoomNews) {
    if let Some(Chat::Room(at)) = state.town.chat(call.text("gid")) {
        call.hook.push_system(call.instance, state, Chat::Room(at), &news.text(Lang::Zh));
    }
}
