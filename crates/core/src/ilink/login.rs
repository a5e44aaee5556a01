//! How does a login go? A machine without I/O: it says what to ask, is told the answer, and says what to tell.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use url::Url;
use wxbot_model::Secret;

use super::endpoint::{self, GET_BOT_QRCODE, GET_QRCODE_STATUS, Place};
use super::headers::Identity;
use super::saved::Binding;
use super::wire;
use super::wire::answer::{QrCode, QrStatus, Status};
use super::wire::request::LocalTokens;
use crate::error::{Advice, DecodeError, Error};
use crate::lenient::hash_key;
use crate::protocol::LoginEvent;
use crate::transport::{HttpRequest, HttpResponse, TransportError};

/// Codes of one login, refreshed ones included.
pub(super) const CODES: u32 = 5;
/// Tokens that the service is told of.
const TOKENS: usize = 10;
/// The service forgets a code after about 120 s: another one is shown before that, unless somebody is at it.
const UNSCANNED_MS: i64 = 110_000;
/// How long one code may take in all.
const CODE_MS: i64 = 300_000;
const BETWEEN_POLLS: Duration = Duration::from_secs(1);
const BETWEEN_TRIES: Duration = Duration::from_secs(2);
/// How often a code is asked for before a failure counts.
const TRIES: u32 = 3;
/// Hosts a login may be sent on to; one is what there is.
const MOVES: u32 = 5;
/// More than any phone shows.
const LONGEST_CODE: usize = 32;
/// More than a QR code can be scanned with.
const LONGEST_LINK: usize = 1024;

/// What the driver does next.
#[derive(Debug)]
pub(super) enum Step {
    /// Perform this and call [`Login::answer`].
    Ask(Box<HttpRequest>),
    /// Pass this on and call [`Login::next`] again.
    Tell(LoginEvent),
    /// Ask a person for digits, no longer than this, and call [`Login::typed`].
    Code(Duration),
    /// Wait this long and call [`Login::next`] again.
    Pause(Duration),
    /// Logged in.
    Done(Box<Entered>),
    /// It will not come about.
    Failed(Error),
}

/// A login that succeeded.
#[derive(Debug)]
pub(super) enum Entered {
    /// By a new token.
    Anew(Binding),
    /// One of the tokens that the service was told of is good already.
    Already,
}

/// What became of a question for digits.
#[derive(Debug)]
pub(super) enum Typed {
    /// Somebody typed this.
    Text(String),
    /// Nobody can be asked.
    Nobody,
    /// Nobody answered in time.
    TooLate,
}

/// One login.
pub(super) struct Login {
    place: Place,
    identity: Identity,
    tokens: Vec<Secret<String>>,
    state: State,
    tell: VecDeque<LoginEvent>,
    pause: Option<Duration>,
    codes: u32,
    /// A status that is not known was logged.
    odd: bool,
}

enum State {
    AskCode { tries: u32 },
    Poll(Box<Code>),
    Type(Box<Code>),
    Over(Option<Result<Box<Entered>, Error>>),
}

/// One QR code.
struct Code {
    id: Secret<String>,
    host: Url,
    shown_ms: i64,
    /// Somebody is at it.
    scanned: bool,
    told: bool,
    digits: Option<Secret<String>>,
    moves: u32,
}

impl Code {
    fn ends_ms(&self) -> i64 {
        self.shown_ms + if self.scanned { CODE_MS } else { UNSCANNED_MS }
    }

    fn left(&self, now_ms: i64) -> Duration {
        Duration::from_millis(u64::try_from(self.ends_ms() - now_ms).unwrap_or(0))
    }
}

impl Login {
    /// A login at this service; `tokens` are known here, the newest first.
    pub(super) fn new(place: Place, identity: Identity, mut tokens: Vec<Secret<String>>) -> Self {
        tokens.truncate(TOKENS);
        Self {
            place,
            identity,
            tokens,
            state: State::AskCode { tries: 0 },
            tell: VecDeque::new(),
            pause: None,
            codes: 0,
            odd: false,
        }
    }

    /// What to do now. `number` is for [`uin`](super::headers::uin); `still_wanted` is asked before each new code.
    pub(super) fn next(&mut self, now_ms: i64, number: u32, still_wanted: bool) -> Step {
        if let Some(event) = self.tell.pop_front() {
            return Step::Tell(event);
        }
        if let Some(pause) = self.pause.take() {
            return Step::Pause(pause);
        }
        if let State::Poll(code) | State::Type(code) = &self.state
            && code.left(now_ms).is_zero()
        {
            self.renew("no code was confirmed in time");
        }
        match &mut self.state {
            State::AskCode { .. } if !still_wanted => {
                Step::Failed(Error::LoginNotCompleted("nobody is watching any more"))
            }
            State::AskCode { .. } => match self.ask_code(number) {
                Ok(request) => Step::Ask(Box::new(request)),
                Err(error) => Step::Failed(error),
            },
            State::Poll(code) => {
                let digits = code.digits.as_ref().map(|digits| digits.expose().as_str());
                let url = endpoint::get_qrcode_status(&code.host, code.id.expose(), digits);
                let timeout = GET_QRCODE_STATUS.timeout.min(code.left(now_ms)).max(BETWEEN_POLLS);
                Step::Ask(Box::new(HttpRequest {
                    headers: self.identity.qr_status(),
                    ..HttpRequest::get(url, timeout)
                }))
            }
            State::Type(code) => Step::Code(code.left(now_ms)),
            State::Over(end) => match end.take() {
                Some(Ok(entered)) => Step::Done(entered),
                Some(Err(error)) => Step::Failed(error),
                None => Step::Failed(Error::LoginNotCompleted("it is over")),
            },
        }
    }

    fn ask_code(&self, number: u32) -> Result<HttpRequest, Error> {
        let tokens =
            LocalTokens { local_token_list: self.tokens.iter().map(|token| token.expose().as_str()).collect() };
        let body =
            serde_json::to_vec(&tokens).map_err(|e| Error::Settings(format!("a request cannot be written: {e}")))?;
        Ok(HttpRequest {
            method: Method::POST,
            url: endpoint::get_bot_qrcode(self.place.fixed()),
            headers: self.identity.qr_start(number),
            body: Bytes::from(body),
            timeout: GET_BOT_QRCODE.timeout,
        })
    }

    /// Takes the answer to the last [`Step::Ask`].
    pub(super) fn answer(&mut self, answer: Result<HttpResponse, TransportError>, now_ms: i64) {
        // The state is put back by each arm; the stand-in is seen only if an arm forgets, and then ends the login.
        match std::mem::replace(&mut self.state, State::Over(None)) {
            State::AskCode { tries } => self.code_answer(tries, answer, now_ms),
            State::Poll(code) => self.poll_answer(code, answer),
            other @ (State::Type(_) | State::Over(_)) => self.state = other,
        }
    }

    /// Takes what a person typed.
    pub(super) fn typed(&mut self, typed: Typed) {
        match std::mem::replace(&mut self.state, State::Over(None)) {
            State::Type(mut code) => match typed {
                Typed::Text(text) if (1..=LONGEST_CODE).contains(&text.trim().len()) => {
                    code.digits = Some(text.trim().to_owned().into());
                    self.state = State::Poll(code);
                }
                Typed::Text(_) => {
                    self.tell.push_back(LoginEvent::CodeWanted { wrong: true });
                    self.state = State::Type(code);
                }
                Typed::Nobody => self.fail(Error::LoginNotCompleted(
                    "the phone shows digits that must be typed here, and nobody can be asked for them",
                )),
                Typed::TooLate => self.renew("the digits that the phone showed were not typed in time"),
            },
            other @ (State::AskCode { .. } | State::Poll(_) | State::Over(_)) => self.state = other,
        }
    }

    fn fail(&mut self, error: Error) {
        self.state = State::Over(Some(Err(error)));
    }

    fn code_answer(&mut self, tries: u32, answer: Result<HttpResponse, TransportError>, now_ms: i64) {
        let endpoint = GET_BOT_QRCODE.name;
        let read = answer.map_err(|source| Error::Transport { endpoint, source }).and_then(|answer| {
            let code: QrCode = wire::read(&GET_BOT_QRCODE, &answer)?;
            if code.qrcode.is_empty() || !(1..=LONGEST_LINK).contains(&code.qrcode_img_content.len()) {
                let source = DecodeError("it holds no code that can be shown".into());
                return Err(Error::Decode { endpoint, len: answer.body.len(), looks: "JSON", source });
            }
            Ok(code)
        });
        match read {
            Ok(QrCode { qrcode, qrcode_img_content: payload }) => {
                self.codes += 1;
                self.tell.push_back(LoginEvent::Qr {
                    image_url: payload.clone(),
                    payload,
                    // The service's own id opens the login to whoever has it.
                    uuid: hash_key(&[&qrcode]).to_string(),
                    number: self.codes,
                });
                self.state = State::Poll(Box::new(Code {
                    id: qrcode.into(),
                    host: self.place.fixed().clone(),
                    shown_ms: now_ms,
                    scanned: false,
                    told: false,
                    digits: None,
                    moves: 0,
                }));
            }
            Err(error) if tries + 1 >= TRIES || is_final(&error) => self.fail(error),
            Err(error) => {
                tracing::debug!(%error, "No code was given; it is asked for again.");
                self.pause = Some(BETWEEN_TRIES);
                self.state = State::AskCode { tries: tries + 1 };
            }
        }
    }

    fn poll_answer(&mut self, mut code: Box<Code>, answer: Result<HttpResponse, TransportError>) {
        let endpoint = GET_QRCODE_STATUS.name;
        let read = answer.map_err(|source| Error::Transport { endpoint, source });
        let status: QrStatus = match read.and_then(|answer| wire::read(&GET_QRCODE_STATUS, &answer)) {
            Ok(status) => status,
            Err(error) => {
                // Whatever kept it from being answered, the code is good as long as it is: the same as `wait`.
                tracing::debug!(%error, "The login could not be asked after.");
                return self.wait(code);
            }
        };
        match status.state() {
            Status::Wait => self.wait(code),
            Status::Scaned => {
                code.digits = None;
                self.scanned(&mut code);
                self.wait(code);
            }
            Status::NeedVerifycode => {
                let wrong = code.digits.take().is_some();
                code.scanned = true;
                self.tell.push_back(LoginEvent::CodeWanted { wrong });
                self.state = State::Type(code);
            }
            Status::ScanedButRedirect => {
                self.scanned(&mut code);
                match self.moved(&mut code, &status.redirect_host) {
                    Ok(()) => self.wait(code),
                    Err(error) => self.fail(error),
                }
            }
            Status::VerifyCodeBlocked => self.renew("too many wrong digits were typed"),
            Status::Expired => self.renew("the code expired before it was confirmed"),
            Status::Confirmed => match self.confirmed(&status) {
                Ok(binding) => self.enter(Entered::Anew(binding)),
                Err(error) => self.fail(error),
            },
            Status::BindedRedirect if self.tokens.is_empty() => self.fail(Error::LoginNotCompleted(
                "the service says that this bot is bound here already, and nothing of it is saved here",
            )),
            Status::BindedRedirect => self.enter(Entered::Already),
            Status::Other(other) => {
                if !std::mem::replace(&mut self.odd, true) {
                    let status: String = other.chars().filter(|c| !c.is_control()).take(40).collect();
                    tracing::warn!(status, "The login has a state that is not known; it is waited on.");
                }
                self.wait(code);
            }
        }
    }

    fn wait(&mut self, code: Box<Code>) {
        self.pause = Some(BETWEEN_POLLS);
        self.state = State::Poll(code);
    }

    fn scanned(&mut self, code: &mut Code) {
        code.scanned = true;
        if !std::mem::replace(&mut code.told, true) {
            self.tell.push_back(LoginEvent::Scanned);
        }
    }

    /// The account lives in another region: the same code is asked after there. Without a host it stays where it is.
    fn moved(&self, code: &mut Code, host: &str) -> Result<(), Error> {
        if host.is_empty() {
            return Ok(());
        }
        let host = self.place.redirected(host)?;
        if host != code.host {
            code.moves += 1;
            if code.moves > MOVES {
                return Err(Error::LoginNotCompleted("the service moves the login in circles"));
            }
            code.host = host;
        }
        Ok(())
    }

    fn confirmed(&self, status: &QrStatus) -> Result<Binding, Error> {
        let bot_id = status.ilink_bot_id.parse().map_err(|_none| {
            Error::LoginNotCompleted("the service confirmed it without saying which bot this is (ilink_bot_id)")
        })?;
        if status.bot_token.trim().is_empty() {
            return Err(Error::LoginNotCompleted("the service confirmed it without a token (bot_token)"));
        }
        Ok(Binding {
            place: self.place.name(),
            bot_id,
            user_id: status.ilink_user_id.parse().ok(),
            token: status.bot_token.clone().into(),
            base: self.place.base(&status.baseurl)?,
        })
    }

    fn enter(&mut self, entered: Entered) {
        self.tell.push_back(LoginEvent::Confirmed);
        self.state = State::Over(Some(Ok(Box::new(entered))));
    }

    fn renew(&mut self, why: &'static str) {
        if self.codes >= CODES {
            self.fail(Error::LoginNotCompleted(why));
        } else {
            self.state = State::AskCode { tries: 0 };
        }
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Login(code {} at {})", self.codes, self.place.name())
    }
}

/// Whether asking again is of no use.
fn is_final(error: &Error) -> bool {
    match error {
        Error::Refused { refusal, .. } => refusal.advice != Advice::TryLater,
        Error::Ended(_)
        | Error::Stopped { .. }
        | Error::LoginNotCompleted(_)
        | Error::BadSavedSession(_)
        | Error::Settings(_) => true,
        Error::Transport { .. } | Error::Status { .. } | Error::Decode { .. } | Error::Silent { .. } => false,
    }
}

#[cfg(test)]
#[path = "login_tests.rs"]
mod tests;
