//! What becomes of a request, from its headers to the journal?

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use serde_json::{Map, Value, json};

use crate::fault::FaultKind;
use crate::ilink::IlinkSim;
use crate::ilink::bot::{Bot, IlinkDeath};
use crate::ilink::journal::IlinkAsked;
use crate::ilink::poll::dead;
use crate::request::{Answer, Outcome, Request};
use crate::service::orders;
use crate::service::strict::is_digits;

/// One request, and what is found to be wrong with it.
pub(super) struct Call<'a> {
    pub(super) request: &'a Request,
    pub(super) body: Map<String, Value>,
    token: String,
    flaws: Mutex<Vec<(bool, String)>>,
}

/// What a call is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    QrStart,
    QrStatus,
    Bot,
    Cdn,
    Unknown,
}

/// What is answered before it becomes bytes.
enum Said {
    Json(Value),
    Raw(Answer),
}

impl Call<'_> {
    pub(super) fn text(&self, name: &str) -> &str {
        self.body.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    pub(super) fn query(&self, name: &str) -> String {
        self.request.query().get(name).unwrap_or_default().to_owned()
    }

    pub(super) fn token(&self) -> &str {
        &self.token
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.request.headers.get(name).map(|value| value.to_str().unwrap_or_default())
    }

    /// Notes something that the real service refuses, or that loses something.
    pub(super) fn hard(&self, what: impl Into<String>) {
        self.flaws().push((true, what.into()));
    }

    /// Notes something that is taken, but that the official client does not do.
    pub(super) fn soft(&self, what: impl Into<String>) {
        self.flaws().push((false, what.into()));
    }

    fn flaws(&self) -> MutexGuard<'_, Vec<(bool, String)>> {
        self.flaws.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Headers and `base_info`.
    fn manners(&self, kind: Kind) {
        let posts = matches!(kind, Kind::QrStart | Kind::Bot);
        if !matches!(kind, Kind::Bot | Kind::Unknown) && self.header("authorization").is_some() {
            self.hard("the bot token where it does not belong");
        }
        if posts {
            if !self.header("content-type").is_some_and(|value| value.starts_with("application/json")) {
                self.hard("Content-Type is not application/json");
            }
            if self.header("authorizationtype") != Some("ilink_bot_token") {
                self.hard("AuthorizationType is not ilink_bot_token");
            }
            match self.header("x-wechat-uin") {
                None => self.hard("X-WECHAT-UIN is missing"),
                Some(uin) if !is_uin(uin) => self.hard("X-WECHAT-UIN is not base64 of a decimal u32"),
                Some(_) => {}
            }
        }
        let version = self.header("ilink-app-clientversion").and_then(|version| version.parse::<u32>().ok());
        if posts || kind == Kind::QrStatus {
            if self.header("ilink-app-id") != Some("bot") {
                self.soft("iLink-App-Id is not bot");
            }
            if version.is_none() {
                self.soft("iLink-App-ClientVersion is no number");
            }
        }
        if kind == Kind::Cdn && (self.header("authorizationtype").is_some() || self.header("x-wechat-uin").is_some()) {
            self.hard("bot headers towards the CDN");
        }
        if kind == Kind::Bot {
            self.base_info(version);
        }
    }

    fn base_info(&self, client_version: Option<u32>) {
        let Some(info) = self.body.get("base_info").and_then(Value::as_object) else {
            self.hard("`base_info` is missing");
            return;
        };
        let version = info.get("channel_version").and_then(Value::as_str).unwrap_or_default();
        let parts: Vec<_> = version.split('.').map(str::parse::<u32>).collect();
        match parts.as_slice() {
            [Ok(major), Ok(minor), Ok(patch)] => {
                let number = (major & 255) << 16 | (minor & 255) << 8 | (patch & 255);
                if client_version.is_some_and(|told| told != number) {
                    self.soft("`channel_version` is not that of iLink-App-ClientVersion");
                }
            }
            _ => self.hard("`channel_version` is no version"),
        }
        match info.get("bot_agent").and_then(Value::as_str) {
            None => self.soft("`bot_agent` is missing"),
            Some(agent) if agent.is_empty() || agent.len() > 256 || !agent.is_ascii() => {
                self.hard("`bot_agent` is not 1 to 256 bytes of ASCII");
            }
            Some(_) => {}
        }
    }
}

/// Base64 of the decimal text of a u32.
fn is_uin(text: &str) -> bool {
    let digits = STANDARD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    digits.is_some_and(|digits| is_digits(&digits) && digits.parse::<u32>().is_ok_and(|n| n.to_string() == digits))
}

impl IlinkSim {
    pub(crate) async fn handle(&self, request: &Request) -> Outcome {
        if let Some(order) = request.path.strip_prefix("/__sim/") {
            if orders::from_a_page(request) {
                return Outcome::Answer(orders::no_pages());
            }
            let result = self.order(order, request);
            return Outcome::Answer(orders::answered(request, result));
        }
        let (kind, name) = kind(&request.path);
        let token = request.headers.get(http::header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = token.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default().trim().to_owned();
        let bot = self.tokens().get(&token).cloned();
        let account = bot.as_ref().map(|bot| bot.name.clone()).unwrap_or_default();
        let fault = self.shared.faults.take(name, &request.host, || bot.as_ref().map(|bot| bot.name.clone()));
        let call = Call { request, body: body(request, kind), token, flaws: Mutex::default() };
        if let Some(fault) = &fault {
            let refusal = |ret: i64, message: &str| json_answer(&json!({"ret": ret, "errmsg": message}));
            if let Some(mut outcome) = fault.before(refusal).await {
                if let (Outcome::Answer(answer), Kind::Cdn) = (&mut outcome, kind) {
                    answer.header(http::HeaderName::from_static("x-error-message"), "ordered by a test");
                }
                let (status, ret) = seen(&outcome);
                self.note(&call, &account, name, status, ret);
                return outcome;
            }
        }
        let said = self.answer(&call, kind, name, bot.as_ref(), fault.as_ref()).await;
        let (answer, ret) = match said {
            Said::Json(value) => (json_answer(&value), ret_of(&value)),
            Said::Raw(answer) => (answer, 0),
        };
        self.note(&call, &account, name, answer.status, ret);
        match &fault {
            Some(fault) => fault.after(answer),
            None => Outcome::Answer(answer),
        }
    }

    fn note(&self, call: &Call<'_>, account: &str, name: &str, status: u16, ret: i64) {
        let mut flaws = Vec::new();
        for (hard, flaw) in call.flaws().iter() {
            self.shared.book.note(*hard, account, name, flaw);
            flaws.push(flaw.clone());
        }
        let entry = IlinkAsked {
            account: account.to_owned(),
            at_ms: self.now_ms(),
            method: call.request.method.to_string(),
            name: name.to_owned(),
            len: call.request.body.len(),
            status,
            ret,
            flaws,
        };
        self.shared.book.add(|journal| &mut journal.asked, entry);
    }

    async fn answer(
        &self,
        call: &Call<'_>,
        kind: Kind,
        name: &str,
        bot: Option<&Arc<Bot>>,
        fault: Option<&FaultKind>,
    ) -> Said {
        call.manners(kind);
        let get = call.request.method == Method::GET;
        match kind {
            Kind::Unknown => {
                call.hard("unknown path");
                Said::Raw(Answer::new(404, "text/plain", ""))
            }
            Kind::Cdn => Said::Raw(if name == "upload" { self.upload(call) } else { self.download(call) }),
            Kind::QrStart if get || call.request.method == Method::POST => Said::Json(self.qr_start(call)),
            Kind::QrStatus if get => Said::Json(self.qr_status(call).await),
            Kind::Bot if call.request.method == Method::POST => Said::Json(self.bot_call(call, name, bot, fault).await),
            Kind::QrStart | Kind::QrStatus | Kind::Bot => {
                call.hard("wrong method");
                Said::Raw(Answer::new(405, "text/plain", ""))
            }
        }
    }

    async fn bot_call(&self, call: &Call<'_>, name: &str, bot: Option<&Arc<Bot>>, fault: Option<&FaultKind>) -> Value {
        let Some(bot) = bot else {
            if call.token.is_empty() {
                call.hard("Authorization is missing");
            }
            return dead(IlinkDeath::Errcode);
        };
        {
            let mut state = bot.state();
            if let Some(death) = state.death(&call.token) {
                return dead(death);
            }
            let uin = call.header("x-wechat-uin").unwrap_or_default();
            if !uin.is_empty() && state.uin == uin {
                call.soft("the same X-WECHAT-UIN twice");
            }
            uin.clone_into(&mut state.uin);
        }
        match name {
            "getupdates" => self.get_updates(call, bot, fault).await,
            "sendmessage" => self.send_message(call, bot),
            "getconfig" => self.get_config(call, bot),
            "sendtyping" => self.send_typing(call, bot),
            "getuploadurl" => self.get_upload_url(call, bot),
            "notifystart" => self.notify(bot, true),
            _ => self.notify(bot, false),
        }
    }
}

/// The kind of a call and its name, by which faults and the journal know it.
fn kind(path: &str) -> (Kind, &str) {
    let name = path.rsplit('/').next().unwrap_or_default();
    let kind = match path {
        "/ilink/bot/get_bot_qrcode" => Kind::QrStart,
        "/ilink/bot/get_qrcode_status" => Kind::QrStatus,
        "/ilink/bot/getupdates"
        | "/ilink/bot/sendmessage"
        | "/ilink/bot/getconfig"
        | "/ilink/bot/sendtyping"
        | "/ilink/bot/getuploadurl"
        | "/ilink/bot/msg/notifystart"
        | "/ilink/bot/msg/notifystop" => Kind::Bot,
        "/c2c/upload" | "/c2c/download" => Kind::Cdn,
        _ => Kind::Unknown,
    };
    (kind, name)
}

fn body(request: &Request, kind: Kind) -> Map<String, Value> {
    if kind == Kind::Cdn {
        return Map::new();
    }
    match serde_json::from_slice(&request.body) {
        Ok(Value::Object(body)) => body,
        // What is missing in it is noted by whoever looks for it.
        Ok(_) | Err(_) => Map::new(),
    }
}

fn json_answer(body: &Value) -> Answer {
    Answer::new(200, "application/json; charset=utf-8", body.to_string())
}

fn ret_of(body: &Value) -> i64 {
    let number = |name: &str| body.get(name).and_then(Value::as_i64).filter(|ret| *ret != 0);
    number("errcode").or_else(|| number("ret")).unwrap_or_default()
}

fn seen(outcome: &Outcome) -> (u16, i64) {
    match outcome {
        Outcome::Answer(answer) => {
            let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
            (answer.status, ret_of(&body))
        }
        Outcome::Broken | Outcome::Refused => (0, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uins_are_decimal_texts() {
        for (text, good) in [
            ("MzczNTkyODU1OQ==", true),
            (STANDARD.encode("0").as_str(), true),
            (STANDARD.encode("4294967295").as_str(), true),
            (STANDARD.encode("4294967296").as_str(), false),
            (STANDARD.encode("007").as_str(), false),
            (STANDARD.encode([0xde, 0xad, 0xbe, 0xef]).as_str(), false),
            ("3735928559", false),
            ("", false),
        ] {
            assert_eq!(is_uin(text), good, "{text}");
        }
    }
}
