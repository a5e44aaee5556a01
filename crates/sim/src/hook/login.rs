//! What is answered about the login, the callback, and the client's database?

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::SimError;
use crate::hook::call::Call;
use crate::hook::entry::Entry;
use crate::hook::{HookProfile, HookSim, Instance, PushMode};
use crate::request::Answer;
use crate::server::PICTURE;
use crate::service::strict;
use crate::service::when::local_time;

/// How far the client is with its login.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Login {
    /// The login screen, with its code.
    Out,
    /// Scanned; the phone has to confirm.
    Scanned,
    Loading,
    In,
}

impl Login {
    fn number(self) -> &'static str {
        match self {
            Self::Out => "0",
            Self::Scanned => "1",
            Self::Loading => "2",
            Self::In => "3",
        }
    }
}

impl HookSim {
    /// The account logs out: that is the last push before the next login.
    pub fn logout(&self, account: &str) -> Result<(), SimError> {
        let instance = self.instance(account)?;
        let mut state = instance.state();
        if state.login != Login::In {
            return Err(SimError::NoSession(account.to_owned()));
        }
        let entry = Entry::new(&local_time(self.shared.book.now_ms()), 10_000, "", "退出登录微信");
        self.push_entries(instance, &state, true, None, &[entry], None);
        state.login = Login::Out;
        Ok(())
    }

    /// The account logs in again.
    pub fn login(&self, account: &str) -> Result<(), SimError> {
        self.set_login(account, Login::In)
    }

    pub(super) fn set_login(&self, account: &str, login: Login) -> Result<(), SimError> {
        self.instance(account)?.state().login = login;
        Ok(())
    }

    /// The hook's process ends and comes back: what was configured over HTTP is forgotten.
    pub fn restart(&self, account: &str) -> Result<(), SimError> {
        let mut state = self.instance(account)?.state();
        let setup = &self.shared.setup;
        state.mode = setup.mode;
        state.callback = setup.callback.clone().unwrap_or_else(|| super::DEFAULT_CALLBACK.to_owned());
        Ok(())
    }

    /// The code as a picture; only while the login screen is shown.
    pub(super) fn qr_picture(&self, instance: &Instance) -> (Answer, Vec<String>) {
        if instance.state().login == Login::In {
            return (Answer::new(200, "text/plain", ""), vec!["asked for a code without a login screen".to_owned()]);
        }
        (Answer::new(200, "image/png", PICTURE), Vec::new())
    }
}

/// Actions of which only the journal tells.
pub(super) fn noted(call: &Call<'_>) -> Value {
    let id = call.first(&["gidorwxid", "wxidorgid"]);
    if !id.is_empty() && call.state().town.chat(id).is_none() {
        call.wrong("the id is nobody this account knows");
        return call.no();
    }
    call.yes()
}

pub(super) fn status(call: &Call<'_>) -> Value {
    let state = call.state();
    let inside = state.login == Login::In;
    let shown = |text: &str| if inside { text.to_owned() } else { String::new() };
    json!({
        "onlinestatus": state.login.number(), "login_loading": if state.login == Login::Loading { "1" } else { "0" },
        "selfwxid": shown(&state.town.me), "nickname": shown(&state.town.nick)
    })
}

pub(super) fn self_info(call: &Call<'_>) -> Value {
    let state = call.state();
    let town = &state.town;
    json!({
        "ProcessID": "4242", "wxid": town.me, "account": town.alias, "nickname": town.nick, "qq": "", "tel": "",
        "email": "", "country": "CN", "province": "Zhejiang", "city": "Hangzhou", "head_small": "", "head_big": "",
        "diy_sign": town.signature, "timeline_bg": ""
    })
}

pub(super) fn self_profile(call: &Call<'_>) -> Value {
    let state = call.state();
    let town = &state.town;
    json!({
        "wxid": town.me, "alias": town.alias, "nickname": town.nick, "email": "", "qq": "", "phone": "",
        "proiv": "Zhejiang", "area": "Hangzhou", "signinfo": town.signature
    })
}

pub(super) fn qr_code(call: &Call<'_>) -> Value {
    if call.state().login == Login::In {
        return call.no();
    }
    json!({"base64": format!("data:image/png;base64,{}", STANDARD.encode(PICTURE))})
}

pub(super) fn unread(_call: &Call<'_>) -> Value {
    json!({"GetUnReadMsgNum": "0"})
}

pub(super) fn current_chat(call: &Call<'_>) -> Value {
    json!({"wxid": call.state().current})
}

pub(super) fn switch_chat(call: &Call<'_>) -> Value {
    let switched = call.hook.switch_chat(&call.instance.name, call.text("wxidorgid"));
    if switched.is_err() {
        call.wrong("`wxidorgid` is nobody this account knows");
    }
    call.taken(switched.is_ok())
}

pub(super) fn configure(call: &Call<'_>) -> Value {
    let mode = match call.text("isEnable") {
        "0" => PushMode::Off,
        // 3 and 4 are 1 and 2 with moments, of which this town has none.
        "1" | "3" => PushMode::Decoded,
        "2" | "4" => PushMode::Raw,
        _ => {
            call.wrong("`isEnable` is none of 0, 1, 2, 3, 4");
            return call.no();
        }
    };
    take_callback(call, mode, call.text("url"))
}

pub(super) fn configure_full(call: &Call<'_>) -> Value {
    if call.form == 1 {
        return take_callback(call, PushMode::Decoded, call.text("url"));
    }
    let mode = match strict::number(call.body, "RecvType") {
        0 => PushMode::Off,
        1 | 3 => PushMode::Decoded,
        2 | 4 => PushMode::Raw,
        _ => {
            call.wrong("`RecvType` is none of 0, 1, 2, 3, 4");
            return call.no();
        }
    };
    take_callback(call, mode, call.text("CallBackURL"))
}

fn take_callback(call: &Call<'_>, mode: PushMode, url: &str) -> Value {
    if !url.starts_with("http://") || url::Url::parse(url).is_err() {
        call.wrong("the callback is no http:// address");
        return call.no();
    }
    let mut state = call.state();
    state.mode = mode;
    url.clone_into(&mut state.callback);
    call.yes()
}

pub(super) fn query_db(call: &Call<'_>) -> Value {
    let sql = call.first(&["sql", "SQL"]);
    let select = sql.trim_start().get(..6).is_some_and(|word| word.eq_ignore_ascii_case("select"));
    if !select || sql.trim_end().trim_end_matches(';').contains(';') {
        call.wrong("the statement is not one question");
        return call.no();
    }
    let state = call.state();
    let rows =
        state.town.people.iter().map(|one| json!({"UserName": one.id, "NickName": one.nick, "Remark": one.remark}));
    let rows: Vec<Value> = rows.collect();
    match call.hook.shared.setup.profile {
        HookProfile::V3 => json!({"data": rows}),
        HookProfile::V4 => json!({"status": 0, "desc": "", "data": rows}),
    }
}

pub(super) fn databases(call: &Call<'_>) -> Value {
    match call.hook.shared.setup.profile {
        HookProfile::V3 => json!({"data": [
            {"dbhandle": "140720308486144", "dbpath": "MicroMsg.db"}, {"dbhandle": "140720308486145", "dbpath": "MSG0.db"}
        ]}),
        HookProfile::V4 => json!([{"dbName": "contact.db", "dbHandle": "140720308486144"}]),
    }
}

pub(super) fn db_status(call: &Call<'_>) -> Value {
    json!({"IsLogin": if call.state().login == Login::In { 1 } else { 0 }, "hWeixin": "140720308486144"})
}
