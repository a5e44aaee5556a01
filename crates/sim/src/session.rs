//! Is a request allowed: is the session it names alive, and is it the one of its cookies?

use std::sync::Arc;

use rand::rngs::StdRng;

use crate::Sim;
use crate::account::{Account, State};
use crate::check::Checker;
use crate::names::{self, Names};
use crate::request::{Query, Request};
use crate::upload::Uploads;
use crate::wire::BaseRequest;

/// `Ret` and `retcode` of sessions that are over.
pub(crate) const NO_SESSION: i64 = 1100;
pub(crate) const SESSION_INVALID: i64 = 1101;
pub(crate) const COOKIE_INVALID: i64 = 1102;

/// How long a replaced SKey is not called stale: requests that were built before the client read the new one.
const SKEY_GRACE_MS: u64 = 10_000;

/// One web login of an account.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) sid: String,
    pub(crate) skey: String,
    old_skey: Option<(String, u64)>,
    pub(crate) pass_ticket: String,
    pub(crate) data_ticket: String,
    pub(crate) auth_ticket: String,
    pub(crate) uvid: String,
    pub(crate) login_s: u64,
    /// Where the log stood at login: the place of the first webwxinit.
    pub(crate) start: usize,
    pub(crate) initialised: bool,
    /// The type 51 message was sent.
    pub(crate) notified: bool,
    /// The Ret of a session that is over.
    pub(crate) dead: Option<i64>,
    /// Synccheck requests in flight.
    pub(crate) polls: u32,
    /// MediaIds that this login was given, uploads that have begun, signatures of large files.
    pub(crate) uploads: Uploads,
}

impl Session {
    pub(crate) fn new(rng: &mut StdRng, start: usize, login_s: u64) -> Self {
        Self {
            sid: names::sid(rng),
            skey: names::skey(rng),
            old_skey: None,
            pass_ticket: names::pass_ticket(rng),
            data_ticket: format!("gS{}", names::ticket(rng)),
            auth_ticket: format!("CIsB{}", names::ticket(rng)),
            uvid: names::hex(rng, 96),
            login_s,
            start,
            initialised: false,
            notified: false,
            dead: None,
            polls: 0,
            uploads: Uploads::default(),
        }
    }

    pub(crate) fn refresh_skey(&mut self, rng: &mut StdRng, now_ms: u64) {
        let old = std::mem::replace(&mut self.skey, names::skey(rng));
        self.old_skey = Some((old, now_ms + SKEY_GRACE_MS));
    }

    fn check_skey(&self, skey: &str, checker: &Checker<'_>) {
        let in_grace = || self.old_skey.as_ref().is_some_and(|(old, until)| old == skey && checker.now_ms <= *until);
        if skey.is_empty() {
            checker.soft("empty Skey");
        } else if skey != self.skey && !in_grace() {
            checker.soft("Skey is stale or not the session's");
        }
    }
}

impl Account {
    /// Begins a new session with new names. The old one gets 1101 from now on.
    pub(crate) fn log_in(&self, state: &mut State, now_ms: u64) {
        if let Some(old) = state.session.take() {
            state.retired.insert(old.sid, old.dead.unwrap_or(SESSION_INVALID));
        }
        state.generation += 1;
        state.names = Names::draw(&mut state.rng, state.people.len(), state.rooms.len());
        let session = Session::new(&mut state.rng, state.log.end(), now_ms / 1000);
        state.auth_ticket = Some(session.auth_ticket.clone());
        state.session = Some(session);
        state.last_seen_ms = now_ms;
        self.went_offline();
    }

    /// Ends the present session with `ret`. False when there is none.
    pub(crate) fn end_session(&self, state: &mut State, ret: i64) -> bool {
        let Some(session) = state.session.as_mut() else { return false };
        session.dead = Some(ret);
        self.went_offline();
        true
    }
}

impl State {
    /// The live session of this sid, or the Ret to refuse with.
    pub(crate) fn alive(&mut self, sid: &str, checker: &Checker<'_>) -> Result<&mut Session, i64> {
        match self.session.as_mut() {
            Some(session) if session.sid == sid => match session.dead {
                Some(ret) => Err(ret),
                None => {
                    self.last_seen_ms = checker.now_ms;
                    Ok(session)
                }
            },
            _ => match self.retired.get(sid) {
                Some(&ret) => Err(ret),
                None => {
                    checker.hard("sid was never given to this account");
                    Err(COOKIE_INVALID)
                }
            },
        }
    }

    /// Everything that is asked of a request within a session.
    pub(crate) fn admit(
        &mut self,
        uin: u64,
        request: &Request,
        query: &Query<'_>,
        base: Option<&BaseRequest<'_>>,
        checker: &Checker<'_>,
    ) -> Result<(), i64> {
        let session = self.alive(request.cookie("wxsid").unwrap_or_default(), checker)?;
        if request.cookie("webwx_data_ticket") != Some(session.data_ticket.as_str()) {
            checker.hard("cookie webwx_data_ticket is missing or not the session's");
        }
        checker.habits(request, query, &session.pass_ticket);
        if let Some(base) = base {
            if base.uin.0.parse() != Ok(uin) || base.sid != session.sid {
                checker.hard("BaseRequest Uin or Sid is not the session's");
                return Err(SESSION_INVALID);
            }
            session.check_skey(&base.skey.0, checker);
            checker.device_id(&base.device_id);
        }
        Ok(())
    }

    /// The SKey of a query, where one is sent.
    pub(crate) fn check_query_skey(&self, query: &Query<'_>, checker: &Checker<'_>) {
        if let (Some(session), Some(skey)) = (&self.session, query.get("skey")) {
            session.check_skey(skey, checker);
        }
    }
}

impl Sim {
    /// The account of the request's cookies, or the Ret to refuse with.
    pub(crate) fn account_of(&self, request: &Request, checker: &Checker<'_>) -> Result<Arc<Account>, i64> {
        let (Some(uin), Some(_)) = (request.cookie("wxuin"), request.cookie("wxsid")) else {
            checker.hard("cookies wxuin and wxsid are missing");
            return Err(COOKIE_INVALID);
        };
        let account = uin.parse().ok().and_then(|uin| self.directory().with_uin(uin).cloned());
        account.ok_or_else(|| {
            checker.hard("cookie wxuin is no account's");
            COOKIE_INVALID
        })
    }
}
