//! How does a login go? A machine without I/O: it says what to ask, is told the answer, and says what to tell.

use std::collections::VecDeque;
use std::time::Duration;

use url::Url;

use super::endpoint::{self, Hosts, JsLogin, Mode};
use super::ret::{PollCode, Ret};
use super::wire::page::LoginPage;
use super::wire::script::{Poll, QrLogin};
use super::wire::{text, unreadable};
use crate::error::Error;
use crate::protocol::LoginEvent;
use crate::transport::{HttpRequest, HttpResponse, TransportError};

/// The official client renews a code five times and then waits for its user.
pub const RENEWALS: u32 = 5;
/// Undocumented codes and network errors in a row that are borne before giving up.
const ODD_ANSWERS: u32 = 10;
/// The official client asks newloginpage three times.
const ENTER_TRIES: u32 = 3;
/// Hosts a login may be sent on to; two cover every family.
const MOVES: u32 = 2;

/// What the driver does next.
#[derive(Debug)]
pub enum Step {
    /// Perform this and call [`Login::answer`].
    Ask(Box<HttpRequest>),
    /// Pass this on and call [`Login::next`] again.
    Tell(LoginEvent),
    /// Wait this long and call [`Login::next`] again.
    Pause(Duration),
    /// Logged in.
    Done(Box<Entered>),
    /// It will not come about.
    Failed(Error),
}

/// A login that succeeded.
#[derive(Debug)]
pub struct Entered {
    /// The session's hosts.
    pub hosts: Hosts,
    /// Keys; the desktop variant leaves some out, then cookies hold them.
    pub page: LoginPage,
}

/// One login, by QR code or by a confirmation on the phone.
#[derive(Debug)]
pub struct Login {
    hosts: Hosts,
    mode: Mode,
    state: State,
    tell: VecDeque<LoginEvent>,
    pause: Option<Duration>,
    codes: u32,
    odd: u32,
    moves: u32,
    pushed: bool,
}

#[derive(Debug)]
enum State {
    AskUuid(JsLogin),
    Poll { uuid: String, scanned: bool },
    Enter { redirect: Url, tries: u32 },
    Over(Option<Result<Box<Entered>, Error>>),
}

impl Login {
    /// A login by QR code.
    pub fn by_qr(hosts: Hosts, mode: Mode) -> Self {
        Self::new(hosts, mode, State::AskUuid(JsLogin::Usual), false)
    }

    /// A login that the phone was asked to confirm, under this uuid.
    pub fn pushed(hosts: Hosts, mode: Mode, uuid: String) -> Self {
        let mut login = Self::new(hosts, mode, State::Poll { uuid: uuid.clone(), scanned: false }, true);
        login.tell.push_back(LoginEvent::Pushed { uuid });
        login
    }

    fn new(hosts: Hosts, mode: Mode, state: State, pushed: bool) -> Self {
        Self { hosts, mode, state, tell: VecDeque::new(), pause: None, codes: 0, odd: 0, moves: 0, pushed }
    }

    /// What to do now. `still_wanted` is asked before each new code.
    pub fn next(&mut self, now_ms: i64, still_wanted: bool) -> Step {
        if let Some(event) = self.tell.pop_front() {
            return Step::Tell(event);
        }
        if let Some(pause) = self.pause.take() {
            return Step::Pause(pause);
        }
        match &mut self.state {
            State::AskUuid(_) if !still_wanted => Step::Failed(Error::LoginNotCompleted("nobody is watching any more")),
            State::AskUuid(how) => Step::Ask(Box::new(endpoint::jslogin(&self.hosts, &self.mode, *how, now_ms))),
            State::Poll { uuid, scanned } => {
                Step::Ask(Box::new(endpoint::login_poll(&self.hosts, &self.mode, uuid, u8::from(!*scanned), now_ms)))
            }
            State::Enter { redirect, .. } => Step::Ask(Box::new(endpoint::newloginpage(redirect, &self.mode))),
            State::Over(end) => match end.take() {
                Some(Ok(entered)) => Step::Done(entered),
                Some(Err(error)) => Step::Failed(error),
                None => Step::Failed(Error::LoginNotCompleted("it is over")),
            },
        }
    }

    /// Takes the answer to the last [`Step::Ask`].
    pub fn answer(&mut self, answer: Result<HttpResponse, TransportError>) {
        // The state is put back by each arm; the stand-in is seen only if an arm forgets, and then ends the login.
        match std::mem::replace(&mut self.state, State::Over(None)) {
            State::AskUuid(how) => self.uuid_answer(how, answer),
            State::Poll { uuid, scanned } => self.poll_answer(uuid, scanned, answer),
            State::Enter { redirect, tries } => self.enter_answer(redirect, tries, answer),
            over @ State::Over(_) => self.state = over,
        }
    }

    fn fail(&mut self, error: Error) {
        self.state = State::Over(Some(Err(error)));
    }

    fn uuid_answer(&mut self, how: JsLogin, answer: Result<HttpResponse, TransportError>) {
        let read = answer.map_err(|source| Error::Transport { endpoint: "jslogin", source }).and_then(|a| {
            let body = text("jslogin", &a)?;
            QrLogin::parse(&body).ok_or_else(|| unreadable("jslogin", a.body.len(), &body, "no QRLogin.code in it"))
        });
        match read {
            Ok(login) if login.code == 200 && !login.uuid.is_empty() => {
                (self.codes, self.odd) = (self.codes + 1, 0);
                self.tell.push_back(LoginEvent::Qr {
                    payload: endpoint::qr_payload(&login.uuid),
                    image_url: endpoint::qr_image(&self.hosts, &login.uuid).into(),
                    uuid: login.uuid.clone(),
                    number: self.codes,
                });
                self.state = State::Poll { uuid: login.uuid, scanned: false };
            }
            Ok(_) if how == JsLogin::Usual => self.state = State::AskUuid(JsLogin::Second),
            Ok(login) => {
                let refusal =
                    Ret(login.code).refusal("no login code is given: too many logins from here, or a blocked address");
                self.fail(Error::Refused { endpoint: "jslogin", refusal });
            }
            Err(error) => self.odd(State::AskUuid(how), error),
        }
    }

    /// Bears an odd answer up to a bound and goes on in `state`.
    fn odd(&mut self, state: State, error: Error) {
        self.odd += 1;
        if self.odd > ODD_ANSWERS {
            self.fail(error);
        } else {
            self.pause = Some(Duration::from_secs(1));
            self.state = state;
        }
    }

    fn poll_answer(&mut self, uuid: String, scanned: bool, answer: Result<HttpResponse, TransportError>) {
        let answer = match answer {
            // The server holds a quiet poll; running into our own time-out means the same, unless it never answers.
            Err(TransportError::Timeout { .. }) if self.odd < ODD_ANSWERS => {
                self.odd += 1;
                return self.state = State::Poll { uuid, scanned };
            }
            Err(source) => {
                let error = Error::Transport { endpoint: "login", source };
                return self.odd(State::Poll { uuid, scanned }, error);
            }
            Ok(answer) => answer,
        };
        let read = text("login", &answer).and_then(|body| {
            Poll::parse(&body).ok_or_else(|| unreadable("login", answer.body.len(), &body, "no window.code in it"))
        });
        let poll = match read {
            Ok(poll) => poll,
            Err(error) => return self.odd(State::Poll { uuid, scanned }, error),
        };
        if !matches!(poll.code, PollCode::Other(_) | PollCode::Confirmed) {
            self.odd = 0;
        }
        match poll.code {
            PollCode::Waiting => self.state = State::Poll { uuid, scanned },
            PollCode::Scanned => {
                if !scanned {
                    self.tell.push_back(LoginEvent::Scanned);
                }
                self.state = State::Poll { uuid, scanned: true };
            }
            PollCode::Confirmed => match poll.redirect.as_deref().map(Url::parse) {
                Some(Ok(redirect)) => self.enter(&redirect),
                Some(Err(_)) | None => {
                    let error = unreadable("login", answer.body.len(), "", "confirmed without a usable redirect_uri");
                    self.odd(State::Poll { uuid, scanned }, error);
                }
            },
            PollCode::Cancelled => self.renew("cancelled on the phone"),
            PollCode::Expired => self.renew("the code expired before it was scanned"),
            PollCode::Other(code) => {
                let refusal = Ret(code).refusal("undocumented answer of the login poll");
                self.odd(State::Poll { uuid, scanned }, Error::Refused { endpoint: "login", refusal });
            }
        }
    }

    fn renew(&mut self, why: &'static str) {
        if self.pushed || self.codes > RENEWALS {
            self.fail(Error::LoginNotCompleted(why));
        } else {
            self.state = State::AskUuid(JsLogin::Usual);
        }
    }

    fn enter(&mut self, redirect: &Url) {
        match self.hosts.redirected(redirect) {
            Ok((hosts, redirect)) => {
                self.hosts = hosts;
                self.tell.push_back(LoginEvent::Confirmed);
                self.state = State::Enter { redirect, tries: 1 };
            }
            Err(error) => self.fail(error),
        }
    }

    fn enter_answer(&mut self, redirect: Url, tries: u32, answer: Result<HttpResponse, TransportError>) {
        let endpoint = "webwxnewloginpage";
        // The page may come with status 301; its body counts, and no redirect is followed.
        let page = answer.map_err(|source| Error::Transport { endpoint, source }).and_then(|a| match a.status {
            200 | 301 | 302 => {
                let body = String::from_utf8_lossy(&a.body);
                LoginPage::parse(&body)
                    .ok_or_else(|| unreadable(endpoint, a.body.len(), &body, "not the <error> page of a login"))
            }
            status => Err(Error::Status { endpoint, status }),
        });
        match page {
            Ok(LoginPage { redirecturl: Some(url), .. }) => self.move_to(&url),
            Ok(page) if page.ret() != Ret::OK => {
                self.fail(Error::Refused { endpoint, refusal: page.ret().refusal(&page.message) });
            }
            Ok(page) => self.state = State::Over(Some(Ok(Box::new(Entered { hosts: self.hosts.clone(), page })))),
            Err(error) if tries >= ENTER_TRIES => self.fail(error),
            Err(_) => {
                self.pause = Some(Duration::from_secs(1));
                self.state = State::Enter { redirect, tries: tries + 1 };
            }
        }
    }

    /// The account lives on another host: the login begins again there.
    fn move_to(&mut self, url: &str) {
        self.moves += 1;
        let moved = Url::parse(url)
            .map_err(|_ignored| Error::Settings("the service moves the login to an unreadable address".into()))
            .and_then(|url| self.hosts.redirected(&url));
        match moved {
            Ok((hosts, _)) if self.moves <= MOVES => {
                self.hosts = hosts;
                self.state = State::AskUuid(JsLogin::Usual);
            }
            Ok(_) => self.fail(Error::LoginNotCompleted("the service moves the login in circles")),
            Err(error) => self.fail(error),
        }
    }
}

#[cfg(test)]
#[path = "login_tests.rs"]
mod tests;
