//! What is answered about people, and how do they change?

use serde_json::{Value, json};

use crate::hook::call::Call;
use crate::hook::xml::v3_of;
use crate::service::town::{Chat, Neighbour, Who};
use crate::systext;
use crate::world::Lang;

/// Ids that one call may ask about, and that one batch of `InitContact` holds.
const BATCH: usize = 100;

/// The kinds of `GetFriendAndChatRoomList`, with the list each stands for.
const LISTS: [(&str, &str); 4] = [("1", "friend"), ("2", "chatroom"), ("3", "gh"), ("4", "openim")];

pub(super) fn init(call: &Call<'_>) -> Value {
    let state = call.state();
    let people = state.town.people.iter().filter(|one| one.friend).map(|one| one.id.as_str());
    let rooms = state.town.rooms.iter().filter(|room| !room.left).map(|room| room.id.as_str());
    let ids: Vec<&str> = people.chain(rooms).collect();
    let batches = ids.chunks(BATCH).map(|ids| json!({"number": ids.len().to_string(), "list": ids.join(",")}));
    json!({"InitContact": "1", "batch": batches.collect::<Vec<_>>()})
}

pub(super) fn list(call: &Call<'_>) -> Value {
    let wanted = if call.form == 1 { "0" } else { call.text("type") };
    if wanted != "0" && LISTS.iter().all(|(kind, _)| *kind != wanted) {
        call.wrong("`type` is none of 0, 1, 2, 3, 4");
        return call.no();
    }
    let state = call.state();
    let of = |which: fn(&Neighbour) -> bool| -> Vec<Value> {
        let people = state.town.people.iter().filter(|one| one.friend && which(one));
        people.enumerate().map(|(at, one)| friend(at, one)).collect()
    };
    let rooms = state.town.rooms.iter().filter(|room| !room.left).enumerate().map(|(at, room)| {
        json!({"index": (at + 1).to_string(), "gid": room.id, "markname": room.remark, "gname": room.topic, "v3": ""})
    });
    let mut answer = serde_json::Map::new();
    for (kind, name) in LISTS.iter().filter(|(kind, _)| wanted == "0" || wanted == *kind) {
        let list = match *kind {
            "1" => of(|one| !one.official && !one.id.ends_with("@openim")),
            "2" => rooms.clone().collect(),
            "3" => of(|one| one.official),
            _ => of(|one| one.id.ends_with("@openim")),
        };
        answer.insert((*name).to_owned(), Value::Array(list));
    }
    Value::Object(answer)
}

fn friend(at: usize, one: &Neighbour) -> Value {
    json!({
        "index": (at + 1).to_string(), "wxid": one.id, "account": one.alias, "markname": one.remark,
        "nickname": one.nick, "headimg": head(&one.id), "v3": v3_of(&one.id), "sex": one.sex.to_string(),
        "starrole": if one.starred { "1" } else { "0" }, "dontseeit": "0", "dontseeme": "0", "lag": "0"
    })
}

fn head(id: &str) -> String {
    format!("http://wx.qlogo.cn/mmhead/ver_1/{id}/0")
}

pub(super) fn brief(call: &Call<'_>) -> Value {
    let ids: Vec<&str> = call.text("wxidlist").split(',').collect();
    if ids.len() > BATCH {
        call.wrong("more than 100 ids in one call");
        return call.no();
    }
    let state = call.state();
    let info: Vec<Value> = ids
        .iter()
        .filter_map(|id| state.town.people.iter().find(|one| one.id == *id))
        .map(|one| {
            json!({
                "wxid": one.id, "nickname": one.nick, "markname": one.remark, "country": "CN", "city": "Hangzhou",
                "bighead": head(&one.id), "smallhead": head(&one.id)
            })
        })
        .collect();
    json!({"count": info.len().to_string(), "info": info})
}

pub(super) fn detail(call: &Call<'_>) -> Value {
    let id = call.text("wxidorgid");
    let state = call.state();
    match state.town.chat(id) {
        Some(Chat::Room(at)) => match state.town.rooms.get(at) {
            Some(room) => {
                let members = room.members.iter().map(|member| {
                    let nick = state.town.nick_of(member.who);
                    json!({"wxid": state.town.id_of(member.who), "nickname": nick, "displayname": member.display})
                });
                json!({
                    "gid": room.id, "gname": room.topic, "chatroom_master": state.town.id_of(room.owner),
                    "chatroom_head_url": "", "member_count": room.members.len().to_string(),
                    "member": members.collect::<Vec<_>>()
                })
            }
            None => call.no(),
        },
        Some(Chat::Person(at)) => match state.town.people.get(at) {
            Some(one) => person(one),
            None => call.no(),
        },
        Some(Chat::Me) => json!({
            "type": "friend", "wxid": state.town.me, "nickname": state.town.nick, "sex": state.town.sex.to_string(),
            "wxaccount": state.town.alias, "signinfo": state.town.signature
        }),
        Some(Chat::Service(_)) | None => json!({"retstr": "User do not exist"}),
    }
}

fn person(one: &Neighbour) -> Value {
    json!({
        "type": "friend", "wxid": one.id, "nickname": one.nick, "markname": one.remark, "sex": one.sex.to_string(),
        "province": "Zhejiang", "area": "Hangzhou", "signinfo": one.signature, "wxaccount": one.alias, "country": "CN",
        "headurl": head(&one.id), "v3": v3_of(&one.id), "v4": one.ticket.clone().unwrap_or_default(),
        "fromchatroom": ""
    })
}

pub(super) fn batch(call: &Call<'_>) -> Value {
    let ids: Vec<&str> =
        call.body.get("wxids").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    if ids.len() > BATCH {
        call.wrong("more than 100 ids in one call");
        return call.no();
    }
    let state = call.state();
    let found = ids.iter().filter_map(|id| state.town.people.iter().find(|one| one.id == *id)).map(person);
    json!({"contacts": found.collect::<Vec<_>>()})
}

pub(super) fn open_im(call: &Call<'_>) -> Value {
    let state = call.state();
    match state.town.people.iter().find(|one| one.id == call.text("wxid")) {
        Some(one) => person(one),
        None => json!({"retstr": "User do not exist"}),
    }
}

pub(super) fn labels(_call: &Call<'_>) -> Value {
    json!({"label": [{"labelid": "1", "labelname": "同事"}]})
}

pub(super) fn avatar(call: &Call<'_>) -> Value {
    let seed = crate::names::stable_hash(call.text("wxid"));
    json!({"img_hex": crate::service::proto::hex(&crate::made::picture(seed, 64, 64))})
}

pub(super) fn search(call: &Call<'_>) -> Value {
    let state = call.state();
    let found = state.town.find(call.text("serachwhat")).and_then(|at| state.town.people.get(at));
    match found {
        Some(one) => json!({
            "retstatus": "Everything is OK", "tel": "", "nickname": one.nick, "wxid": one.id,
            "sex": one.sex.to_string(), "v3": v3_of(&one.id), "v4": one.ticket.clone().unwrap_or_default()
        }),
        None => json!({"retstatus": "User do not exist"}),
    }
}

/// Accepts a friend request: `v3` and `v4` are those of its type 37.
pub(super) fn verify(call: &Call<'_>) -> Value {
    let mut state = call.state();
    let ticket = call.text("v4");
    let found = state.town.people.iter().position(|one| one.ticket.as_deref() == Some(ticket));
    let Some(at) = found else {
        call.wrong("`v4` is the ticket of no friend request");
        return call.no();
    };
    let Some(one) = state.town.people.get_mut(at) else { return call.no() };
    if v3_of(&one.id) != call.text("v3") {
        call.wrong("`v3` is not that of the friend request");
        return call.no();
    }
    if !["0", "1", "2"].contains(&call.text("role")) {
        call.wrong("`role` is none of 0, 1, 2");
    }
    if call.text("from") != "14" {
        call.wrong("`from` is not the scene of the friend request");
    }
    one.ticket = None;
    one.friend = true;
    let text = systext::added(Lang::Zh, &one.nick);
    call.hook.push_system(call.instance, &state, Chat::Person(at), &text);
    call.yes()
}

/// Does something to a person that the account knows.
fn with_person(call: &Call<'_>, change: impl FnOnce(&mut Neighbour)) -> Value {
    let mut state = call.state();
    let at = match state.town.who_has(call.text("wxid")) {
        Some(Who::Person(at)) => at,
        Some(Who::Me) | None => {
            call.wrong("`wxid` is nobody this account knows");
            return call.no();
        }
    };
    state.town.people.get_mut(at).map(change);
    call.yes()
}

pub(super) fn remark(call: &Call<'_>) -> Value {
    with_person(call, |one| call.text("mark").clone_into(&mut one.remark))
}

pub(super) fn star(call: &Call<'_>) -> Value {
    with_person(call, |one| one.starred = call.action.name == "SetStarTag")
}

pub(super) fn known(call: &Call<'_>) -> Value {
    with_person(call, |_| {})
}

pub(super) fn add(call: &Call<'_>) -> Value {
    known(call)
}

pub(super) fn delete(call: &Call<'_>) -> Value {
    with_person(call, |one| one.friend = false)
}

pub(super) fn block(call: &Call<'_>) -> Value {
    with_person(call, |one| one.blocked = true)
}

pub(super) fn sessions(call: &Call<'_>) -> Value {
    let state = call.state();
    let ids: Vec<&str> = state.town.people.iter().map(|one| one.id.as_str()).collect();
    json!({"session": ids})
}
