//! Which actions does the `wxwork` gateway take, and how does it answer?
//!
//! The rows of §3 that are marked H or M, without those that are left out on purpose (bulk sending, dissolving rooms).

use md5::{Digest as _, Md5};
use serde_json::{Value, json};

use crate::service::book::HeardMedia;
use crate::service::proto::hex;
use crate::service::strict::{Key, form};
use crate::service::town::{Chat, Member, Who};
use crate::wecom::call::Call;
use crate::wecom::{Account, Sent, keep};

type Run = fn(&Call<'_>, &Account, &str) -> Result<Value, (i64, &'static str)>;

struct Action {
    name: &'static str,
    run: Run,
    form: &'static [Key],
}

macro_rules! actions {
    ($($name:literal $run:path: [$($form:tt)*];)*) => {
        &[$(Action { name: $name, run: $run, form: form![need "uuid" Full, $($form)*] }),*]
    };
}

#[rustfmt::skip]
static ACTIONS: &[Action] = actions! {
    "SetCallbackUrl" set_callback: [need "url" Full, may "callbackType" Full];
    "getQrCode" qr_code: [];
    "CheckCode" noted: [need "qrcodeKey" Full, need "code" Full];
    "automaticLogin" noted: [];
    "GetRunClientInfo" client_info: [];
    "CloseConnent" noted: [];

    "SendTextMsg" text: [need "send_userid" Int, need "isRoom" Bool, need "content" Full, may "kf_id" Int];
    "SendTextAtMsg" at: [need "send_userid" Int, need "isRoom" Bool, need "atids" Ints, need "content" Text];
    "SendTextAtMsgTwo" at_placed: [need "send_userid" Int, need "isRoom" Bool, need "contentva" Objects];
    "SendTextAndExpMsg" parts: [need "send_userid" Int, need "isRoom" Bool, need "content" Objects];
    "sendQuoteMsg" parts: [need "send_userid" Int, need "isRoom" Bool, need "content" Objects, need "quoteMsg" Object];
    "RevokeMsg" revoke: [need "msgid" Int, need "roomid" Int];
    "SendCDNImgMsg" cdn: [need "send_userid" Int, need "isRoom" Bool, need "cdnkey" Full, need "aeskey" Full, need "md5" Hex, need "fileSize" Int, need "width" Int, need "height" Int, may "thumb_file_size" Int, may "thumb_file_md5" Text];
    "SendCDNFileMsg" cdn: [need "send_userid" Int, need "isRoom" Bool, need "cdnkey" Full, need "aeskey" Full, need "md5" Hex, need "file_name" Full, need "fileSize" Int];
    "SendCDNVoiceMsg" cdn: [need "send_userid" Int, need "isRoom" Bool, need "cdnkey" Full, need "aeskey" Full, need "md5" Hex, may "file_name" Text, need "fileSize" Int, need "voice_time" Int];
    "SendCDNVideoMsg" cdn: [need "send_userid" Int, need "isRoom" Bool, need "cdnkey" Full, need "aeskey" Full, need "md5" Hex, may "file_name" Text, need "fileSize" Int, need "video_duration" Int, need "video_img_size" Int, need "video_width" Int, need "video_height" Int];
    "SendLinkMsg" titled: [need "send_userid" Int, need "isRoom" Bool, need "url" Full, need "title" Text, need "content" Text, need "imgurl" Text];
    "SendAppMsg" titled: [need "send_userid" Int, need "isRoom" Bool, need "desc" Text, need "appName" Text, need "title" Text, need "weappIconUrl" Text, need "pagepath" Text, need "username" Full, need "appid" Full, need "cdnkey" Text, need "md5" Text, need "aeskey" Text, need "fileSize" Int];
    "SendEmotionMessage" emotion: [need "send_userid" Int, need "isRoom" Bool, need "imgurl" Full, need "width" Int, need "height" Int, need "emotionType" Int];
    "SendBusinessCardMsg" card: [need "send_userid" Int, need "isRoom" Bool, need "username" Int, need "nickname" Text, need "headImg" Text, need "enterpriseName" Text];
    "SendLocationMsg" location: [need "send_userid" Int, need "isRoom" Bool, need "longitude" Degrees, need "latitude" Degrees, need "address" Text, need "detailed_address" Text];
    "MarkAsRead" noted: [need "send_userid" Int, need "isRoom" Bool];
    "SpeechToTextEntity" speech: [need "msgid" Int];
    "SyncAllData" nothing: [need "limit" Int, need "seq" Int];

    "GetInnerContacts" inner_contacts: [need "limit" Int, need "strSeq" Text];
    "GetExternalContacts" outer_contacts: [need "limit" Int, need "seq" Int];
    "GetUserInfoByVids" infos: [need "vids" Ints];
    "GetChatroomMembers" rooms: [need "limit" Int, need "star_index" Int];
    "GetSessionList" nothing: [];
    "GetSessionRoomList" nothing: [];
    "GetRoomUserList" members: [need "roomid" Int];
    "CreateRoomNei" create: [need "vids" Ints, need "roomName" Text];
    "CreateRoomWx" create: [need "vids" Ints, need "roomName" Text];
    "InvitationToRoom" invite: [need "roomid" Int, need "vids" Ints];
    "DelRoomUsers" remove: [need "roomid" Int, need "vids" Ints];
    "UpdateRoomName" rename: [need "roomid" Int, need "roomname" Full];
    "SendNotice" notice: [need "roomid" Int, need "msg" Text];
    "WxRoomInvite" room_qr: [need "roomid" Int];
};

/// Actions that work without a login.
const OFFLINE: [&str; 6] =
    ["SetCallbackUrl", "getQrCode", "CheckCode", "automaticLogin", "GetRunClientInfo", "CloseConnent"];
const WRONG: i64 = 400;
const NOT_LOGGED_IN: (i64, &str) = (500, "not logged in");

/// `None`: no such action.
pub(super) fn answer(call: &Call<'_>, name: &str) -> Option<Value> {
    let said = |result: Result<Value, (i64, &str)>| match result {
        Ok(data) => json!({"data": data, "errcode": 0, "errmsg": "ok"}),
        Err((code, text)) => json!({"data": {}, "errcode": code, "errmsg": text}),
    };
    let by_uuid = |uuid: &str| call.account_with(|account| account.uuid == uuid);
    if name == "CdnUploadImg" || name == "CdnUploadFile" {
        return Some(said(upload(call, name)));
    }
    if name == "init" {
        return Some(said(init(call)));
    }
    if name == "GetRunClient" {
        let all = call.wecom.shared.accounts.iter().map(|account| json!({"uuid": account.uuid}));
        return Some(said(Ok(all.collect())));
    }
    let action = ACTIONS.iter().find(|action| action.name == name)?;
    if !call.good() || !call.fits(action.form) {
        return Some(said(Err((WRONG, "parameter error"))));
    }
    let Some(account) = by_uuid(call.text("uuid")) else {
        call.wrong("`uuid` is no instance");
        return Some(said(Err((WRONG, "no such instance"))));
    };
    if !account.state().online && !OFFLINE.contains(&name) {
        return Some(said(Err(NOT_LOGGED_IN)));
    }
    Some(said((action.run)(call, account, name)))
}

fn init(call: &Call<'_>) -> Result<Value, (i64, &'static str)> {
    #[rustfmt::skip]
    let keys: &[Key] = form![need "vid" Text, need "ip" Text, need "port" Text, need "proxyType" Text, need "userName" Text, need "passward" Text, need "proxySituation" Int, need "deverType" Full];
    if !call.fits(keys) {
        return Err((WRONG, "parameter error"));
    }
    let vid = call.text("vid").to_owned();
    let found = call.account_with(|account| vid.is_empty() || account.state().town.me == vid);
    let account = found.ok_or((WRONG, "no such vid"))?;
    Ok(json!({"uuid": account.uuid, "is_login": account.state().online.to_string()}))
}

fn noted(_call: &Call<'_>, _account: &Account, _name: &str) -> Result<Value, (i64, &'static str)> {
    Ok(json!({}))
}

fn nothing(_call: &Call<'_>, _account: &Account, _name: &str) -> Result<Value, (i64, &'static str)> {
    Ok(json!([]))
}

fn set_callback(call: &Call<'_>, _account: &Account, _name: &str) -> Result<Value, (i64, &'static str)> {
    // Its pushes have a form of their own that nobody documented: the address is noted and never used.
    call.text("url").starts_with("http").then(|| json!({})).ok_or((WRONG, "no address"))
}

fn qr_code(_call: &Call<'_>, account: &Account, _name: &str) -> Result<Value, (i64, &'static str)> {
    use base64::Engine as _;
    let picture = base64::engine::general_purpose::STANDARD.encode(crate::server::PICTURE);
    Ok(json!({"qrcode": "https://wx.work.weixin.qq.com/ca/1", "qrcode_data": picture, "Ttl": 120, "Key": account.uuid}))
}

fn client_info(_call: &Call<'_>, account: &Account, _name: &str) -> Result<Value, (i64, &'static str)> {
    let state = account.state();
    let user = json!({"vid": state.town.me, "nickname": state.town.nick});
    Ok(json!({"loginType": if state.online { 2 } else { 0 }, "userInfo": user, "longLinkState": 1}))
}

/// The message goes out, if the receiver is there.
fn send(
    call: &Call<'_>,
    account: &Account,
    kind: &str,
    text: &str,
    at: Vec<String>,
    media: Option<HeardMedia>,
) -> Result<Value, (i64, &'static str)> {
    let to = call.number("send_userid").to_string();
    let room = call.body.get("isRoom") == Some(&Value::Bool(true));
    let mut state = account.state();
    let chat = state.town.chat(&to);
    let label = match (chat, room) {
        (Some(chat @ Chat::Room(_)), true) | (Some(chat @ (Chat::Person(_) | Chat::Me)), false) => {
            state.town.label(chat).to_owned()
        }
        (Some(_), _) => {
            call.wrong("`isRoom` does not fit `send_userid`");
            return Err((WRONG, "parameter error"));
        }
        (None, _) => {
            call.wrong("`send_userid` is nobody this account knows");
            return Err((WRONG, "no such user"));
        }
    };
    let id = call.wecom.next_id();
    let server_id = id + 8_000_000;
    call.wecom.heard(&account.name, &label, room, kind, text).at(at.clone()).media(media).with_id(id);
    keep(&mut state.sent, Sent { id, to: to.clone() });
    Ok(json!({
        "receiver": to.parse::<u64>().unwrap_or_default(), "sender": state.town.me.parse::<u64>().unwrap_or_default(),
        "at_list": at, "is_room": room, "sendtime": call.wecom.shared.book.now_ms() / 1_000, "msg_id": id,
        "server_id": server_id, "msgtype": 2, "content": text, "app_info": format!("CIG{id}")
    }))
}

fn text(call: &Call<'_>, account: &Account, _name: &str) -> Result<Value, (i64, &'static str)> {
    send(call, account, "text", call.text("content"), Vec::new(), None)
}

fn at(call: &Call<'_>, account: &Account, _name: &str) -> Result<Value, (i64, &'static str)> {
    let ids = call.body.get("atids").and_then(Value::as_array).into_iter().flatten();
    let nicks = ids.filter_map(Value::as_u64).map(|id| nick(call, account, id)).collect::<Result<Vec<_>, _>>()?;
    send(call, account, "text", call.text("content"), nicks, None)
}

fn nick(call: &Call<'_>, account: &Account, id: u64) -> Result<String, (i64, &'static str)> {
    if id == 0 {
        return Ok("all".to_owned());
    }
    let state = account.state();
    let who = state.town.who_has(&id.to_string()).ok_or_else(|| {
        call.wrong("an id is nobody this account knows");
        (WRONG, "no such user")
    })?;
    Ok(state.town.nick_of(who).to_owned())
}

fn at_placed(call: &Call<'_>, account: &Account, _name: &str) -> Result<Value, (i64, &'static str)> {
    let (mut text, mut at) = (String::new(), Vec::new());
    for part in call.body.get("contentva").and_then(Value::as_array).into_iter().flatten() {
        match part.get("msgtype").and_then(Value::as_u64) {
            Some(5) => {
                let name = nick(call, account, part.get("vid").and_then(Value::as_u64).unwrap_or_default())?;
                text.push_str(&format!("@{name} "));
                at.push(name);
            }
            _ => text.push_str(part.get("content").and_then(Value::as_str).unwrap_or_default()),
        }
    }
    send(call, account, "text", &text, at, None)
}

fn parts(call: &Call<'_>, account: &Account, name: &str) -> Result<Value, (i64, &'static str)> {
    let parts = call.body.get("content").and_then(Value::as_array).into_iter().flatten();
    let texts = parts.filter_map(|part| part.get("msg").or_else(|| part.get("content")).and_then(Value::as_str));
    let text: String = texts.collect();
    send(call, account, if name == "sendQuoteMsg" { "quote" } else { "text" }, &text, Vec::new(), None)
}

fn titled(call: &Call<'_>, account: &Account, name: &str) -> Result<Value, (i64, &'static str)> {
    let kind = if name == "SendLinkMsg" { "link" } else { "mini_program" };
    let text = format!("{} {}", call.text("title"), call.text("url"));
    send(call, account, kind, text.trim_end(), Vec::new(), None)
}

fn emotion(call: &Call<'_>, account: &Account, _name: &str) -> Result<Value, (i64, &'static str)> {
    send(call, account, "emoji", call.text("imgurl"), Vec::new(), None)
}

fn card(call: &Call<'_>, account: &Account, _name: &str) -> Result<Value, (i64, &'static str)> {
    nick(call, account, call.number("username"))?;
    send(call, account, "card", call.text("nickname"), Vec::new(), None)
}

fn location(call: &Call<'_>, account: &Account, _name: &str) -> Result<Value, (i64, &'static str)> {
    send(call, account, "location", call.text("address"), Vec::new(), None)
}

fn cdn(call: &Call<'_>, account: &Account, name: &str) -> Result<Value, (i64, &'static str)> {
    let md5 = call.text("md5");
    let found = account.state().uploads.iter().find(|upload| upload.md5 == md5).cloned();
    let Some(upload) = found else {
        call.wrong("`md5` is of nothing that was uploaded");
        return Err((WRONG, "no such file"));
    };
    if call.text("cdnkey") != cdn_key(md5) || call.number("fileSize") != upload.len {
        call.wrong("`cdnkey` or `fileSize` is not that of the upload");
        return Err((WRONG, "no such file"));
    }
    let kind = match name {
        "SendCDNImgMsg" => "image",
        "SendCDNVoiceMsg" => "voice",
        "SendCDNVideoMsg" => "video",
        _ => "file",
    };
    let file_name =
        if call.text("file_name").is_empty() { upload.file_name.clone() } else { call.text("file_name").to_owned() };
    send(call, account, kind, &file_name.clone(), Vec::new(), Some(HeardMedia { file_name, ..upload }))
}

fn cdn_key(md5: &str) -> String {
    format!("306b02010204{md5}")
}

fn upload(call: &Call<'_>, name: &str) -> Result<Value, (i64, &'static str)> {
    let Some(form) = &call.form else { return Err((WRONG, "no form")) };
    let uuid = form.text("uuid").unwrap_or_default();
    let Some(account) = call.account_with(|account| account.uuid == uuid) else {
        call.wrong("`uuid` is no instance");
        return Err((WRONG, "no such instance"));
    };
    let Some(part) = form.part("file").filter(|part| !part.body.is_empty()) else {
        call.wrong("the part `file` is missing or empty");
        return Err((WRONG, "no file"));
    };
    let md5 = hex(&Md5::digest(&part.body));
    let len = u64::try_from(part.body.len()).unwrap_or(u64::MAX);
    let file_name = part.file_name.clone().unwrap_or_default();
    keep(&mut account.state().uploads, HeardMedia { md5: md5.clone(), len, file_name });
    let key: String = md5.chars().rev().collect();
    if name == "CdnUploadImg" {
        return Ok(
            json!({"cdn_key": cdn_key(&md5), "aes_key": key, "md5": md5, "width": 160, "height": 120, "size": len}),
        );
    }
    Ok(json!({"fileid": cdn_key(&md5), "aes_key": key, "md5": md5, "size": len}))
}

fn revoke(call: &Call<'_>, account: &Account, _name: &str) -> Result<Value, (i64, &'static str)> {
    let (id, room) = (call.number("msgid"), call.number("roomid"));
    let mut state = account.state();
    let found = state.sent.iter().position(|sent| sent.id == id);
    let Some(sent) = found.and_then(|at| state.sent.get(at)) else {
        call.wrong("`msgid` is of no message that this account sent");
        return Err((WRONG, "no such message"));
    };
    let went_to_room = matches!(state.town.chat(&sent.to), Some(Chat::Room(_)));
    if if went_to_room { sent.to != room.to_string() } else { room != 0 } {
        call.wrong("`roomid` is not where the message went; 0 for a person");
        return Err((WRONG, "no such message"));
    }
    found.map(|at| state.sent.remove(at));
    drop(state);
    call.wecom.shared.book.revoked(&account.name, &id.to_string());
    Ok(json!({}))
}

fn speech(_call: &Call<'_>, _account: &Account, _name: &str) -> Result<Value, (i64, &'static str)> {
    Ok(json!({"text": "你好"}))
}

fn inner_contacts(call: &Call<'_>, account: &Account, _name: &str) -> Result<Value, (i64, &'static str)> {
    let from: usize = call.text("strSeq").parse().unwrap_or_default();
    Ok(page(call, account, from, "strSeq"))
}

fn outer_contacts(call: &Call<'_>, account: &Account, _name: &str) -> Result<Value, (i64, &'static str)> {
    let from = usize::try_from(call.number("seq")).unwrap_or(usize::MAX);
    Ok(page(call, account, from, "seq"))
}

fn page(call: &Call<'_>, account: &Account, from: usize, key: &str) -> Value {
    let limit = usize::try_from(call.number("limit")).unwrap_or(usize::MAX).max(1);
    let state = account.state();
    let people: Vec<_> = state.town.people.iter().filter(|one| one.friend).collect();
    let list: Vec<Value> = people.iter().skip(from).take(limit).map(|one| person(one)).collect();
    let next = (from + list.len() < people.len()).then(|| from + list.len());
    let next =
        if key == "seq" { json!(next.unwrap_or(0)) } else { json!(next.map_or(String::new(), |at| at.to_string())) };
    json!({"list": list, key: next})
}

fn person(one: &crate::service::town::Neighbour) -> Value {
    json!({
        "user_id": one.id.parse::<u64>().unwrap_or_default(), "nickname": one.nick, "realname": one.nick,
        "remark": one.remark, "sex": one.sex, "avatar": ""
    })
}

fn infos(call: &Call<'_>, account: &Account, _name: &str) -> Result<Value, (i64, &'static str)> {
    let ids: Vec<u64> = vids(call);
    if ids.len() > 100 {
        call.wrong("more than 100 ids in one call");
        return Err((WRONG, "parameter error"));
    }
    let state = account.state();
    let of = |id: &u64| state.town.people.iter().find(|one| one.id == id.to_string()).map(person);
    Ok(ids.iter().filter_map(of).collect())
}

fn vids(call: &Call<'_>) -> Vec<u64> {
    call.body.get("vids").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_u64).collect()
}

fn rooms(call: &Call<'_>, account: &Account, _name: &str) -> Result<Value, (i64, &'static str)> {
    let from = usize::try_from(call.number("star_index")).unwrap_or(usize::MAX);
    let limit = usize::try_from(call.number("limit")).unwrap_or(usize::MAX);
    let state = account.state();
    let rooms = state.town.rooms.iter().filter(|room| !room.left).skip(from).take(limit).map(|room| {
        json!({"room_id": room.id.parse::<u64>().unwrap_or_default(), "nickname": room.topic, "total": room.members.len()})
    });
    Ok(json!({"room_list": rooms.collect::<Vec<_>>()}))
}

fn members(call: &Call<'_>, account: &Account, _name: &str) -> Result<Value, (i64, &'static str)> {
    let state = account.state();
    let id = call.number("roomid").to_string();
    let Some(room) = state.town.room_with(&id) else { return Err(no_room(call)) };
    let list = room.members.iter().map(|member| {
        let nick = state.town.nick_of(member.who);
        json!({
            "uin": state.town.id_of(member.who).parse::<u64>().unwrap_or_default(), "nickname": nick, "realname": nick,
            "room_nickname": member.display, "avatar": ""
        })
    });
    Ok(json!({
        "room_id": call.number("roomid"), "nickname": room.topic, "total": room.members.len(),
        "notice_content": room.notice, "member_list": list.collect::<Vec<_>>()
    }))
}

fn no_room(call: &Call<'_>) -> (i64, &'static str) {
    call.wrong("`roomid` is no room of this account");
    (WRONG, "no such room")
}

fn create(call: &Call<'_>, account: &Account, _name: &str) -> Result<Value, (i64, &'static str)> {
    let members = vids(call).into_iter().map(|id| nick(call, account, id)).collect::<Result<Vec<_>, _>>()?;
    let (topic, id) = (call.text("roomName").to_owned(), format!("made {}", call.wecom.next_id()));
    let spec = crate::world::RoomSpec { topic, members, id, ..crate::world::RoomSpec::default() };
    let mut state = account.state();
    let at = state.town.add_room(&spec);
    let id = state.town.rooms.get(at).map(|room| room.id.clone()).unwrap_or_default();
    Ok(json!({"room_id": id.parse::<u64>().unwrap_or_default()}))
}

/// Changes a room of the account.
fn change(
    call: &Call<'_>,
    account: &Account,
    change: impl FnOnce(&mut crate::service::town::Room),
) -> Result<Value, (i64, &'static str)> {
    let mut state = account.state();
    let id = call.number("roomid").to_string();
    match state.town.room_with_mut(&id) {
        Some(room) => {
            change(room);
            Ok(json!({}))
        }
        None => Err(no_room(call)),
    }
}

/// Members by their ids.
fn whos(call: &Call<'_>, account: &Account) -> Result<Vec<Who>, (i64, &'static str)> {
    let state = account.state();
    let found: Option<Vec<Who>> = vids(call).into_iter().map(|id| state.town.who_has(&id.to_string())).collect();
    found.ok_or_else(|| {
        call.wrong("an id is nobody this account knows");
        (WRONG, "no such user")
    })
}

fn invite(call: &Call<'_>, account: &Account, _name: &str) -> Result<Value, (i64, &'static str)> {
    let who = whos(call, account)?;
    change(call, account, |room| {
        for who in who {
            if !room.has(who) {
                room.members.push(Member { who, display: String::new() });
            }
        }
    })
}

fn remove(call: &Call<'_>, account: &Account, _name: &str) -> Result<Value, (i64, &'static str)> {
    let who = whos(call, account)?;
    change(call, account, |room| room.members.retain(|member| !who.contains(&member.who)))
}

fn rename(call: &Call<'_>, account: &Account, _name: &str) -> Result<Value, (i64, &'static str)> {
    change(call, account, |room| call.text("roomname").clone_into(&mut room.topic))
}

fn notice(call: &Call<'_>, account: &Account, _name: &str) -> Result<Value, (i64, &'static str)> {
    change(call, account, |room| call.text("msg").clone_into(&mut room.notice))
}

fn room_qr(call: &Call<'_>, account: &Account, _name: &str) -> Result<Value, (i64, &'static str)> {
    change(call, account, |_| {})?;
    Ok(json!({"QrCodePath": "https://work.weixin.qq.com/gm/1"}))
}
