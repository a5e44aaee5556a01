//! Which actions does the gateway of the seed take?
//!
//! Bodies and answers are the vendor's; **the paths are not known**. They are the names of its pages here, and
//! `message/sendText` is made up by analogy, as a user would fill it in: a client gets all of them by mapping.

use serde_json::{Value, json};

use crate::service::strict::{Key, form};
use crate::service::town::{Chat, Who};
use crate::wecom::call::Call;
use crate::wecom::{Account, Sent, WecomSim, keep};

type Run = fn(&Call<'_>, &Account) -> Result<Value, &'static str>;

struct Action {
    path: &'static str,
    run: Run,
    form: &'static [Key],
}

macro_rules! actions {
    ($($path:literal $run:path: [$($form:tt)*];)*) => {
        &[$(Action { path: $path, run: $run, form: form![need "sessionId" Full, $($form)*] }),*]
    };
}

#[rustfmt::skip]
static ACTIONS: &[Action] = actions! {
    "message/sendText" text: [need "wxId" Id, need "content" Full];
    "message/sendLink" link: [need "wxId" Id, need "title" Text, need "desc" Text, need "url" Full, may "thumbUrl" Text];
    "message/forwardImg" image: [need "wxId" Id, need "fileId" Full, may "url" Text, may "wechatAuthKey" Text, may "wechatCdnLdUrl" Text, may "wechatCdnLdSize" Count, may "fileName" Text, need "size" Count, need "width" Count, need "height" Count, need "aesKey" Full, need "md5" Hex];
    "message/forwardVideo" video: [need "wxId" Id, need "videoFileId" Full, need "videoSize" Count, need "videoPlayTime" Count, need "videoAesKey" Full, need "videoMd5" Hex, need "width" Count, need "height" Count, may "prefaceImageUrl" Text, may "url" Text, may "prefaceImageSize" Count, may "wechatAuthKey" Text, may "fileName" Text];
    "message/cancelMsg" cancel: [need "wxId" Id, need "messageId" Count];
    "room/createRoom" create: [need "members" Ids];
    "contact/customer" customers: [may "seq" Count];
    "contact/contactInfo" infos: [need "wxIds" Ids];
    "contact/modCustomer" remark: [need "wxId" Id, need "alias" Text, may "desc" Text, may "phone" Names, may "company" Text];
};

pub(super) fn knows(path: &str) -> bool {
    path == "login/qrCode" || ACTIONS.iter().any(|action| action.path == path)
}

/// `None`: no such path.
pub(super) fn answer(call: &Call<'_>, path: &str) -> Option<Value> {
    let said = |result: Result<Value, &str>| match result {
        Ok(data) => json!({"code": 200, "msg": "success", "data": data}),
        Err(text) => json!({"code": 500, "msg": text, "data": null}),
    };
    let bearer = format!("Bearer {}", call.wecom.shared.setup.platform_token);
    let given = call.request.headers.get(http::header::AUTHORIZATION);
    if given.is_none_or(|given| given.as_bytes() != bearer.as_bytes()) {
        call.wrong("Authorization is not the bearer token of the platform");
        return Some(said(Err("missing credentials")));
    }
    if path == "login/qrCode" {
        return Some(said(qr_code(call)));
    }
    let action = ACTIONS.iter().find(|action| action.path == path)?;
    if !call.good() || !call.fits(action.form) {
        return Some(said(Err("parameter error")));
    }
    let session = call.text("sessionId");
    let found = call.account_with(|account| {
        let state = account.state();
        state.token == session && state.online
    });
    // Not a violation: a session ends without its client knowing.
    Some(said(found.map_or(Err("session timeout"), |account| (action.run)(call, account))))
}

fn qr_code(call: &Call<'_>) -> Result<Value, &'static str> {
    #[rustfmt::skip]
    let keys: &[Key] = form![need "wxId" Text, need "proxyArea" Int, may "proxy" Text];
    if !call.fits(keys) {
        return Err("parameter error");
    }
    let me = call.text("wxId").to_owned();
    let account = call.account_with(|account| me.is_empty() || account.state().town.me == me).ok_or("no such wxId")?;
    let token = account.state().token.clone();
    Ok(json!({"url": "https://wx.work.weixin.qq.com/ca/1", "sessionId": token}))
}

/// A message goes out; a room is named with `R:`.
fn send(call: &Call<'_>, account: &Account, kind: &str, text: &str) -> Result<Value, &'static str> {
    let to = call.text("wxId");
    let (id, room) = match to.strip_prefix("R:") {
        Some(id) => (id, true),
        None => (to, false),
    };
    let mut state = account.state();
    let label = match state.town.chat(id) {
        Some(chat @ Chat::Room(_)) if room => state.town.label(chat).to_owned(),
        Some(chat @ Chat::Person(_)) if !room => state.town.label(chat).to_owned(),
        Some(Chat::Room(_)) => {
            call.wrong("`wxId` of a room begins with `R:`");
            return Err("no such user");
        }
        Some(_) | None => {
            call.wrong("`wxId` is nobody this account knows");
            return Err("no such user");
        }
    };
    let number = call.wecom.next_id();
    keep(&mut state.sent, Sent { id: number, to: id.to_owned() });
    drop(state);
    call.wecom.heard(&account.name, &label, room, kind, text).with_id(number);
    Ok(json!({"count": 1, "messageId": number, "newMessageId": number + 8_000_000, "extension": ""}))
}

fn text(call: &Call<'_>, account: &Account) -> Result<Value, &'static str> {
    send(call, account, "text", call.text("content"))
}

fn link(call: &Call<'_>, account: &Account) -> Result<Value, &'static str> {
    send(call, account, "link", &format!("{} {}", call.text("title"), call.text("url")))
}

fn image(call: &Call<'_>, account: &Account) -> Result<Value, &'static str> {
    send(call, account, "image", call.text("md5"))
}

fn video(call: &Call<'_>, account: &Account) -> Result<Value, &'static str> {
    send(call, account, "video", call.text("videoMd5"))
}

fn cancel(call: &Call<'_>, account: &Account) -> Result<Value, &'static str> {
    let id = call.number("messageId");
    let mut state = account.state();
    let Some(at) = state.sent.iter().position(|sent| sent.id == id) else {
        call.wrong("`messageId` is of no message that this account sent");
        return Err("no such message");
    };
    state.sent.remove(at);
    drop(state);
    call.wecom.shared.book.revoked(&account.name, &id.to_string());
    Ok(json!(null))
}

fn create(call: &Call<'_>, account: &Account) -> Result<Value, &'static str> {
    let mut state = account.state();
    let found: Option<Vec<Who>> = call.text("members").split(',').map(|id| state.town.who_has(id)).collect();
    let Some(who) = found else {
        call.wrong("an id is nobody this account knows");
        return Err("no such user");
    };
    let members = who.into_iter().map(|who| state.town.nick_of(who).to_owned()).collect();
    let id = format!("made {}", call.wecom.next_id());
    let at = state.town.add_room(&crate::world::RoomSpec { id, members, ..crate::world::RoomSpec::default() });
    let id = state.town.rooms.get(at).map(|room| room.id.clone()).unwrap_or_default();
    Ok(json!(format!("R:{id}")))
}

fn record(one: &crate::service::town::Neighbour) -> Value {
    json!({
        "id": one.id, "weixin": one.alias, "nickName": one.nick, "sex": one.sex, "headSmallImageUrl": "",
        "isAdmin": 0, "friend": u8::from(one.friend), "flag": 0, "corpId": "0", "corporation": "", "title": "", "phones": []
    })
}

fn customers(_call: &Call<'_>, account: &Account) -> Result<Value, &'static str> {
    let state = account.state();
    let items: Vec<Value> = state.town.people.iter().filter(|one| one.friend).map(record).collect();
    Ok(json!({"seq": state.seq, "items": items}))
}

fn infos(call: &Call<'_>, account: &Account) -> Result<Value, &'static str> {
    let state = account.state();
    let ids = call.text("wxIds").split(',');
    Ok(ids.filter_map(|id| state.town.people.iter().find(|one| one.id == id)).map(record).collect())
}

fn remark(call: &Call<'_>, account: &Account) -> Result<Value, &'static str> {
    let mut state = account.state();
    let id = call.text("wxId");
    let Some(one) = state.town.people.iter_mut().find(|one| one.id == id) else {
        call.wrong("`wxId` is nobody this account knows");
        return Err("no such user");
    };
    call.text("alias").clone_into(&mut one.remark);
    Ok(json!(null))
}

impl WecomSim {
    /// The paths at which this simulator takes `qw-api` actions; the vendor's own are not known.
    pub fn qw_api_paths() -> impl Iterator<Item = &'static str> {
        ACTIONS.iter().map(|action| action.path)
    }
}
