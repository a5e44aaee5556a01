//! How does a QR code or a prompt on the phone become a session?

use std::time::Duration;

use http::header::{LOCATION, SET_COOKIE};
use serde_json::json;
use tokio::time::Instant;

use crate::Sim;
use crate::check::Checker;
use crate::error::SimError;
use crate::names;
use crate::request::{Answer, Endpoint, Request};
use crate::shape;

/// What auto_confirm leaves between code, scan and confirmation: long enough for a client to show each of them.
const AUTO_STEP: Duration = Duration::from_millis(500);

const PICTURE_BASE64: &str = include_str!("../assets/picture.base64");
const FORBIDDEN: &str = "为了你的帐号安全，此微信号不能登录网页微信。你可以使用Windows微信或Mac微信在电脑端登录。";

/// One uuid on its way to a session.
#[derive(Debug)]
struct Slot {
    uuid: String,
    made: Instant,
    stage: Stage,
    push: bool,
    /// The poll has answered 201 once: from then on it is held until something else happens.
    told_scan: bool,
    auto_at: Option<Instant>,
}

#[derive(Debug)]
enum Stage {
    Waiting,
    Scanned {
        account: String,
    },
    Confirmed {
        account: String,
        ticket: String,
        scan_s: u64,
    },
    Cancelled,
    /// Also: used.
    Expired,
}

impl Stage {
    fn name(&self) -> &'static str {
        match self {
            Self::Waiting => "waiting for a scan",
            Self::Scanned { .. } => "scanned",
            Self::Confirmed { .. } => "confirmed",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired or used",
        }
    }
}

/// All uuids, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Logins(Vec<Slot>);

impl Logins {
    fn slot(&mut self, uuid: &str) -> Option<&mut Slot> {
        self.0.iter_mut().find(|slot| slot.uuid == uuid)
    }

    fn open(&mut self, uuid: &str) -> Result<&mut Slot, SimError> {
        self.slot(uuid).ok_or_else(|| SimError::UnknownUuid(uuid.to_owned()))
    }

    /// Whose uuid it is, when someone scanned it.
    pub(crate) fn account_of(&mut self, uuid: &str) -> Option<String> {
        match &self.slot(uuid)?.stage {
            Stage::Scanned { account } | Stage::Confirmed { account, .. } => Some(account.clone()),
            Stage::Waiting | Stage::Cancelled | Stage::Expired => None,
        }
    }

    fn add(&mut self, slot: Slot, lifetime: Duration) {
        // Codes that nobody polls any more are dropped, or a client that asks for days would fill the memory.
        self.0.retain(|old| old.made.elapsed() < lifetime * 2);
        self.0.push(slot);
    }
}

enum Poll {
    Done(String),
    Until(Option<Instant>),
}

impl Sim {
    pub(crate) fn jslogin(&self, request: &Request, checker: &Checker<'_>) -> Answer {
        // The official client asks by GET, some others post the same parameters as a form.
        let asked = match request.method {
            http::Method::POST => String::from_utf8_lossy(&request.body).into_owned(),
            _ => String::new(),
        };
        if request.query().get("appid").is_none() && !asked.contains("appid=") {
            checker.soft("no appid");
        }
        let uuid = self.open_login(Stage::Waiting, false);
        Answer::script(format!("window.QRLogin.code = 200; window.QRLogin.uuid = \"{uuid}\";"))
    }

    fn open_login(&self, stage: Stage, push: bool) -> String {
        let uuid = names::uuid(&mut self.rng());
        let made = Instant::now();
        let slot = Slot { uuid: uuid.clone(), made, stage, push, told_scan: false, auto_at: None };
        self.logins().add(slot, self.world().qr_lifetime);
        self.touch();
        uuid
    }

    /// The long poll of a client that shows a code.
    pub(crate) async fn login_poll(&self, request: &Request, checker: &Checker<'_>) -> Answer {
        let query = request.query();
        let Some(uuid) = query.get("uuid") else {
            checker.hard("no uuid");
            return Answer::script("window.code=400;");
        };
        let waits_for_scan = query.get("tip") == Some("1");
        let deadline = Instant::now() + self.world().hold;
        loop {
            let changed = self.logins_changed().notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let until = match self.poll_step(uuid, request) {
                Poll::Done(answer) => return Answer::script(answer),
                Poll::Until(auto) => auto.map_or(deadline, |auto| auto.min(deadline)),
            };
            if Instant::now() >= deadline {
                let scanned = waits_for_scan && self.logins().account_of(uuid).is_some();
                return Answer::script(if scanned { scanned_answer() } else { "window.code=408;".to_owned() });
            }
            tokio::select! {
                () = &mut changed => {}
                () = tokio::time::sleep_until(until) => {}
            }
        }
    }

    fn poll_step(&self, uuid: &str, request: &Request) -> Poll {
        let lifetime = self.world().qr_lifetime;
        let auto = self.automatic(uuid);
        let mut logins = self.logins();
        let Some(slot) = logins.slot(uuid) else { return Poll::Done("window.code=400;".to_owned()) };
        if slot.made.elapsed() >= lifetime && !matches!(slot.stage, Stage::Cancelled) {
            slot.stage = Stage::Expired;
        }
        match &slot.stage {
            Stage::Waiting => Poll::Until(Some(auto.unwrap_or(slot.made + lifetime))),
            Stage::Scanned { .. } if !slot.told_scan => {
                slot.told_scan = true;
                Poll::Done(scanned_answer())
            }
            Stage::Scanned { .. } => Poll::Until(auto),
            Stage::Confirmed { ticket, scan_s, .. } => Poll::Done(format!(
                "window.code=200;\nwindow.redirect_uri=\"{}://{}/cgi-bin/mmwebwx-bin/webwxnewloginpage\
                 ?ticket={ticket}@qrticket_0&uuid={uuid}&lang=zh_CN&scan={scan_s}\";",
                request.scheme,
                api_host(&request.host),
            )),
            Stage::Cancelled => Poll::Done("window.code=202;".to_owned()),
            Stage::Expired => Poll::Done("window.code=400;".to_owned()),
        }
    }

    /// Plays the phone where the world says that it acts by itself. Answers when it acts next.
    fn automatic(&self, uuid: &str) -> Option<Instant> {
        let now = Instant::now();
        let mut logins = self.logins();
        let slot = logins.slot(uuid)?;
        let acts = match &slot.stage {
            Stage::Waiting => self.world().auto_confirm,
            Stage::Scanned { account } if slot.push => {
                let own = self.account(account).ok()?.spec.push_auto_confirm;
                own.unwrap_or(self.world().push_auto_confirm) || self.world().auto_confirm
            }
            Stage::Scanned { .. } => self.world().auto_confirm && slot.auto_at.is_some(),
            Stage::Confirmed { .. } | Stage::Cancelled | Stage::Expired => false,
        };
        if !acts {
            return None;
        }
        let at = *slot.auto_at.get_or_insert(now + AUTO_STEP);
        if at > now {
            return Some(at);
        }
        slot.auto_at = Some(now + AUTO_STEP);
        let waiting = matches!(slot.stage, Stage::Waiting);
        drop(logins);
        // A refusal means that a person was faster, or that there is no account to scan with.
        let done = if waiting {
            self.idlest_account().map(|account| self.scan(uuid, &account))
        } else {
            Some(self.confirm(uuid))
        };
        tracing::debug!(uuid, ?done, "The phone acted by itself.");
        Some(now + AUTO_STEP)
    }

    /// The account whose phone would be taken up: offline ones first, then the one whose client was silent for longest.
    fn idlest_account(&self) -> Option<String> {
        let accounts = self.accounts();
        let idlest = accounts.iter().min_by_key(|account| {
            let state = account.lock();
            let live = state.session.as_ref().is_some_and(|session| session.dead.is_none());
            (live, state.last_seen_ms)
        })?;
        Some(idlest.name.clone())
    }

    pub(crate) fn new_login_page(&self, request: &Request, checker: &Checker<'_>) -> Answer {
        let query = request.query();
        let (uuid, ticket) = (query.get("uuid").unwrap_or_default(), query.get("ticket").unwrap_or_default());
        let taken = self.take_ticket(uuid, ticket.trim_end_matches("@qrticket_0"));
        let Some((name, push)) = taken else {
            checker.hard("ticket is unknown, used, or not the uuid's");
            return shape::refusal(Endpoint::NewLoginPage, 1, "ticket invalid");
        };
        let Ok(account) = self.account(&name) else {
            return shape::refusal(Endpoint::NewLoginPage, 1, "account is gone");
        };
        let checker = checker.of(&account.name);
        if query.get("fun") != Some("new") {
            checker.soft("newloginpage without fun=new");
        }
        let desktop = query.get("mod") == Some("desktop")
            && request.headers.get("extspam").is_some_and(|token| !token.is_empty());
        let allowed = account.spec.web_allowed.unwrap_or(self.world().web_allowed);
        let only_desktop = account.spec.desktop_only.unwrap_or(self.world().desktop_only);
        if !allowed || (only_desktop && !desktop) {
            return shape::refusal(Endpoint::NewLoginPage, 1203, FORBIDDEN);
        }
        let now_ms = checker.now_ms;
        let mut state = account.lock();
        account.log_in(&mut state, now_ms);
        state.record.logins.push((now_ms, push));
        let Some(session) = &state.session else {
            return shape::refusal(Endpoint::NewLoginPage, 1, "no session");
        };
        // A redirect to nowhere whose body counts: wechat4u reads the keys from nothing but a 301.
        let mut answer = Answer::new(
            301,
            "text/xml",
            format!(
                "<error><ret>0</ret><message>OK</message><skey>{}</skey><wxsid>{}</wxsid><wxuin>{}</wxuin>\
                 <pass_ticket>{}</pass_ticket><isgrayscale>1</isgrayscale></error>",
                session.skey, session.sid, account.uin, session.pass_ticket
            ),
        );
        let domain = cookie_domain(&request.host);
        for (cookie, value) in [
            ("wxuin", account.uin.to_string()),
            ("wxsid", session.sid.clone()),
            ("wxloadtime", session.login_s.to_string()),
            ("mm_lang", "zh_CN".to_owned()),
            ("webwx_data_ticket", session.data_ticket.clone()),
            ("webwxuvid", session.uvid.clone()),
            ("webwx_auth_ticket", session.auth_ticket.clone()),
        ] {
            answer.header(SET_COOKIE, &format!("{cookie}={value}; Max-Age=43200; Path=/{domain}"));
        }
        tracing::debug!(account = account.name, push, "Logged in.");
        answer
    }

    fn take_ticket(&self, uuid: &str, ticket: &str) -> Option<(String, bool)> {
        let mut logins = self.logins();
        let slot = logins.slot(uuid)?;
        match &slot.stage {
            Stage::Confirmed { account, ticket: right, .. } if right == ticket => {
                let taken = (account.clone(), slot.push);
                slot.stage = Stage::Expired;
                Some(taken)
            }
            Stage::Waiting | Stage::Scanned { .. } | Stage::Confirmed { .. } | Stage::Cancelled | Stage::Expired => {
                None
            }
        }
    }

    pub(crate) fn push_login_url(&self, request: &Request, checker: &Checker<'_>) -> Answer {
        let query = request.query();
        let uin = query.get("uin").unwrap_or_default();
        let refuse = |why| Answer::value(&json!({"ret": "1", "msg": why}));
        let Some(account) = uin.parse().ok().and_then(|uin| self.directory().with_uin(uin).cloned()) else {
            checker.hard("uin is no account's");
            return refuse("no such account");
        };
        let checker = checker.of(&account.name);
        if request.cookie("wxuin") != Some(uin) {
            checker.hard("cookie wxuin is missing or not that of the query");
            return refuse("cookie invalid");
        }
        let ticket = account.lock().auth_ticket.clone();
        if ticket.is_none() || request.cookie("webwx_auth_ticket") != ticket.as_deref() {
            // An old ticket is what a client has after someone else's login: refused, but nobody's mistake.
            return refuse("auth ticket invalid");
        }
        if !account.spec.push_login.unwrap_or(self.world().push_login) {
            return refuse("push login not allowed");
        }
        let uuid = self.open_login(Stage::Scanned { account: account.name.clone() }, true);
        Answer::value(&json!({"ret": "0", "msg": "all ok", "uuid": uuid}))
    }

    pub(crate) fn logout(&self, request: &Request, checker: &Checker<'_>) -> Answer {
        if let Ok(account) = self.account_of(request, checker) {
            let checker = checker.of(&account.name);
            let mut state = account.lock();
            if state.alive(request.cookie("wxsid").unwrap_or_default(), &checker).is_ok() {
                state.check_query_skey(&request.query(), &checker);
                state.record.logouts.push(checker.now_ms);
                account.end_session(&mut state, crate::session::SESSION_INVALID);
            }
        }
        let mut answer = Answer::new(301, "text/html", "");
        answer.header(LOCATION, &format!("{}://{}/", request.scheme, request.host));
        answer
    }
}

/// The phone's side of a login.
impl Sim {
    /// Scans the code with the account's phone: the poll answers 201. The account may be online: its session ends when
    /// the new one begins.
    pub fn scan(&self, uuid: &str, account: &str) -> Result<(), SimError> {
        self.account(account)?;
        self.stage(uuid, "be scanned", |stage| {
            matches!(stage, Stage::Waiting).then(|| Stage::Scanned { account: account.to_owned() })
        })
    }

    /// Confirms on the phone: the poll answers 200 with the redirect_uri.
    pub fn confirm(&self, uuid: &str) -> Result<(), SimError> {
        let ticket = names::ticket(&mut self.rng());
        let scan_s = self.now_ms() / 1000;
        self.stage(uuid, "be confirmed", |stage| match stage {
            Stage::Scanned { account } => Some(Stage::Confirmed { account: account.clone(), ticket, scan_s }),
            Stage::Waiting | Stage::Confirmed { .. } | Stage::Cancelled | Stage::Expired => None,
        })
    }

    /// Presses cancel on the phone: the poll answers 202.
    pub fn cancel(&self, uuid: &str) -> Result<(), SimError> {
        self.stage(uuid, "be cancelled", |stage| matches!(stage, Stage::Scanned { .. }).then_some(Stage::Cancelled))
    }

    /// Lets the code run out: the poll answers 400.
    pub fn expire_qr(&self, uuid: &str) -> Result<(), SimError> {
        self.stage(uuid, "expire", |_| Some(Stage::Expired))
    }

    /// Codes that nobody scanned yet, oldest first. Prompts of push logins are not among them.
    pub fn pending_uuids(&self) -> Vec<String> {
        let lifetime = self.world().qr_lifetime;
        let logins = self.logins();
        let waiting = |slot: &&Slot| matches!(slot.stage, Stage::Waiting) && slot.made.elapsed() < lifetime;
        logins.0.iter().filter(waiting).map(|slot| slot.uuid.clone()).collect()
    }

    /// Prompts of push logins that wait on a phone, with the account, oldest first.
    pub fn pending_prompts(&self) -> Vec<(String, String)> {
        let lifetime = self.world().qr_lifetime;
        let logins = self.logins();
        let pending = logins.0.iter().filter(|slot| slot.push && slot.made.elapsed() < lifetime);
        pending
            .filter_map(|slot| match &slot.stage {
                Stage::Scanned { account } => Some((slot.uuid.clone(), account.clone())),
                Stage::Waiting | Stage::Confirmed { .. } | Stage::Cancelled | Stage::Expired => None,
            })
            .collect()
    }

    /// Waits for the next code that nobody scanned; never ends by itself, so give it a timeout.
    pub async fn next_uuid(&self) -> String {
        loop {
            let changed = self.changed().notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if let Some(uuid) = self.pending_uuids().into_iter().next() {
                return uuid;
            }
            changed.await;
        }
    }

    fn stage(
        &self,
        uuid: &str,
        wanted: &'static str,
        step: impl FnOnce(&Stage) -> Option<Stage>,
    ) -> Result<(), SimError> {
        let lifetime = self.world().qr_lifetime;
        {
            let mut logins = self.logins();
            let slot = logins.open(uuid)?;
            if slot.made.elapsed() >= lifetime {
                slot.stage = Stage::Expired;
            }
            slot.stage = step(&slot.stage).ok_or_else(|| SimError::LoginState {
                uuid: uuid.to_owned(),
                state: slot.stage.name(),
                wanted,
            })?;
        }
        self.logins_changed().notify_waiters();
        self.touch();
        Ok(())
    }
}

fn scanned_answer() -> String {
    format!("window.code=201;window.userAvatar = 'data:img/jpg;base64,{}';", PICTURE_BASE64.trim())
}

/// The API host of a login host: they differ only at the real service.
fn api_host(host: &str) -> &str {
    match host.strip_prefix("login.") {
        Some("weixin.qq.com") => "wx.qq.com",
        Some(api) if api.ends_with("qq.com") || api.ends_with("wechat.com") => api,
        _ => host,
    }
}

/// The Domain attribute lets file and push hosts see the cookies; it makes no sense for an address or a bare name.
fn cookie_domain(host: &str) -> String {
    let name = host.split(':').next().unwrap_or_default();
    let is_name = name.contains('.') && name.parse::<std::net::IpAddr>().is_err();
    if is_name { format!("; Domain={name}") } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        for (host, api, domain) in [
            ("login.wx2.qq.com", "wx2.qq.com", "; Domain=login.wx2.qq.com"),
            ("login.weixin.qq.com", "wx.qq.com", "; Domain=login.weixin.qq.com"),
            ("127.0.0.1:8080", "127.0.0.1:8080", ""),
            ("localhost:8080", "localhost:8080", ""),
            ("login.sim.test", "login.sim.test", "; Domain=login.sim.test"),
        ] {
            assert_eq!(api_host(host), api, "{host}");
            assert_eq!(cookie_domain(host), domain, "{host}");
        }
    }
}
