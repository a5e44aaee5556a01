//! Which rooms does an application make, and what does it say there?

use serde_json::{Value, json};

use crate::service::strict::{self, Key, form};
use crate::wecom::call::Call;
use crate::wecom::official::{APP, AppChat, fail, fine, said, with_token};

const PARAMETER: i64 = 40_058;

/// `None`: no such path.
pub(super) fn answer(call: &Call<'_>, path: &str) -> Option<Value> {
    call.belongs_to(APP);
    let run: fn(&Call<'_>) -> Value = match path {
        "appchat/create" => create,
        "appchat/update" => update,
        "appchat/get" => get,
        "appchat/send" => send,
        _ => return None,
    };
    Some(with_token(call, run))
}

/// A list of userids that the company has.
fn users(call: &Call<'_>, name: &str) -> Result<Vec<String>, Value> {
    let list = call.body.get(name).and_then(Value::as_array).into_iter().flatten();
    let list: Vec<String> = list.filter_map(Value::as_str).map(str::to_owned).collect();
    let office = call.wecom.office();
    if list.iter().any(|id| office.name_of(id).is_none()) {
        call.wrong(format!("`{name}` has somebody who is not of the company"));
        return Err(fail(86_003, "invalid userlist"));
    }
    Ok(list)
}

fn create(call: &Call<'_>) -> Value {
    let keys: &[Key] = form![may "name" Text, may "owner" Id, need "userlist" Names, may "chatid" Id];
    if !call.fits(keys) {
        return fail(PARAMETER, "invalid Request Parameter");
    }
    let list = match users(call, "userlist") {
        Ok(list) => list,
        Err(refusal) => return refusal,
    };
    if !(2..=2_000).contains(&list.len()) {
        call.wrong("`userlist` has fewer than 2 or more than 2000");
        return fail(86_001, "invalid userlist size");
    }
    let owner = call.text("owner");
    if !owner.is_empty() && !list.iter().any(|id| id == owner) {
        call.wrong("`owner` is not in `userlist`");
        return fail(86_004, "invalid owner");
    }
    let mut office = call.wecom.office();
    let id = if call.text("chatid").is_empty() { office.next("chat") } else { call.text("chatid").to_owned() };
    if office.chats.contains_key(&id) {
        return fail(86_215, "chatid existed");
    }
    let owner = if owner.is_empty() { list.first().cloned().unwrap_or_default() } else { owner.to_owned() };
    office.chats.insert(id.clone(), AppChat { name: call.text("name").to_owned(), owner, users: list });
    fine(json!({"chatid": id}))
}

fn update(call: &Call<'_>) -> Value {
    #[rustfmt::skip]
    let keys: &[Key] = form![need "chatid" Id, may "name" Text, may "owner" Id, may "add_user_list" Names, may "del_user_list" Names];
    if !call.fits(keys) {
        return fail(PARAMETER, "invalid Request Parameter");
    }
    let lists = users(call, "add_user_list").and_then(|add| Ok((add, users(call, "del_user_list")?)));
    let (add, del) = match lists {
        Ok(lists) => lists,
        Err(refusal) => return refusal,
    };
    let mut office = call.wecom.office();
    let Some(chat) = office.chats.get_mut(call.text("chatid")) else { return unknown(call) };
    if !call.text("name").is_empty() {
        call.text("name").clone_into(&mut chat.name);
    }
    if !call.text("owner").is_empty() {
        call.text("owner").clone_into(&mut chat.owner);
    }
    for id in add {
        if !chat.users.contains(&id) {
            chat.users.push(id);
        }
    }
    chat.users.retain(|id| !del.contains(id));
    fine(json!({}))
}

fn unknown(call: &Call<'_>) -> Value {
    call.wrong("`chatid` is of no room that the application made");
    fail(86_008, "chatid not exist")
}

fn get(call: &Call<'_>) -> Value {
    let id = call.query("chatid");
    match call.wecom.office().chats.get(&id) {
        Some(chat) => {
            let info = json!({"chatid": id, "name": chat.name, "owner": chat.owner, "userlist": chat.users});
            fine(json!({"chat_info": info}))
        }
        None => unknown(call),
    }
}

fn send(call: &Call<'_>) -> Value {
    let keys: &[Key] = form![need "chatid" Id, need "msgtype" Full, may "safe" Int];
    let (kind, text, media) = match said(call, keys) {
        Ok(said) => said,
        Err(refusal) => return refusal,
    };
    let id = strict::text(&call.body, "chatid");
    let name = call.wecom.office().chats.get(id).map(|chat| chat.name.clone());
    let Some(name) = name else { return unknown(call) };
    let to = if name.is_empty() { id.to_owned() } else { name };
    let number = call.wecom.next_id();
    call.wecom.heard(APP, &to, true, kind, &text).media(media).with_id(number);
    fine(json!({}))
}
