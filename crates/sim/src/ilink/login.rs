//! What becomes of a QR code, from the phone's side and from the client's?

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, MutexGuard, PoisonError};

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::error::SimError;
use crate::ilink::IlinkSim;
use crate::ilink::bot::{Binding, Bot};
use crate::ilink::call::Call;
use crate::ilink::journal::IlinkLogin;

/// QR codes that are remembered; a client that asks for an older one is told that it expired.
const MAX_CODES: usize = 10_000;
/// Tokens that a client may send along.
const MAX_LOCAL_TOKENS: usize = 10;

/// How the tap on the phone ends.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IlinkYes {
    /// `baseurl` of the answer; empty leaves it out. Without it, the address that the client asked.
    pub base_url: Option<String>,
    /// The answer has no `ilink_bot_id`.
    pub without_bot_id: bool,
    /// `binded_redirect`, whatever tokens the client sent along.
    pub already_bound: bool,
}

/// All QR codes.
#[derive(Default)]
pub(super) struct Codes {
    by_id: HashMap<String, Code>,
    by_age: VecDeque<String>,
}

struct Code {
    state: CodeState,
    /// Who scanned it.
    bot: Option<Arc<Bot>>,
    local_tokens: Vec<String>,
    made: Instant,
    wrong_digits: u32,
    route: Route,
    /// Grows with each change, and what of it the client was told.
    version: u64,
    told: u64,
    changed: Arc<Notify>,
}

enum CodeState {
    Fresh,
    Digits(String),
    Scanned,
    Blocked,
    Expired,
    Confirmed { token: String, bot_id: Option<String>, user_id: String, base_url: Option<String> },
    AlreadyBound,
}

/// Where the client is to poll.
enum Route {
    Anywhere,
    /// Sent away without being told where to.
    Nowhere,
    Host {
        host: String,
        arrived: bool,
    },
}

impl Code {
    fn name(&self) -> &'static str {
        match self.state {
            CodeState::Fresh => "not scanned",
            CodeState::Digits(_) => "waiting for digits",
            CodeState::Scanned => "scanned",
            CodeState::Blocked => "blocked",
            CodeState::Expired => "expired",
            CodeState::Confirmed { .. } => "confirmed",
            CodeState::AlreadyBound => "bound already",
        }
    }

    fn become_(&mut self, state: CodeState) {
        self.state = state;
        self.version += 1;
        self.changed.notify_waiters();
    }
}

impl IlinkSim {
    /// `get_bot_qrcode`.
    pub(super) fn qr_start(&self, call: &Call<'_>) -> Value {
        if call.query("bot_type") != "3" {
            call.hard("`bot_type` is not 3");
            return json!({"ret": 2});
        }
        let mut local_tokens = Vec::new();
        match call.body.get("local_token_list").and_then(Value::as_array) {
            Some(list) => {
                local_tokens.extend(list.iter().filter_map(Value::as_str).map(str::to_owned));
                if local_tokens.len() != list.len() || list.len() > MAX_LOCAL_TOKENS {
                    call.hard("`local_token_list` is not up to ten tokens");
                }
            }
            // Clients of the first version ask by GET, without a body; it is still taken.
            None if call.request.method == http::Method::GET => call.soft("asked by GET"),
            None => call.hard("`local_token_list` is missing"),
        }
        let id = self.hex(32);
        let code = Code {
            state: CodeState::Fresh,
            bot: None,
            local_tokens,
            made: Instant::now(),
            wrong_digits: 0,
            route: Route::Anywhere,
            version: 1,
            told: 1,
            changed: Arc::new(Notify::new()),
        };
        let mut codes = self.codes();
        codes.by_age.push_back(id.clone());
        codes.by_id.insert(id.clone(), code);
        if codes.by_age.len() > MAX_CODES
            && let Some(oldest) = codes.by_age.pop_front()
        {
            codes.by_id.remove(&oldest);
        }
        drop(codes);
        if self.setup().auto_confirm {
            self.confirm_by_itself(&id);
        }
        let link = format!("https://liteapp.weixin.qq.com/q/7GiQu1?qrcode={id}&bot_type=3");
        json!({"ret": 0, "qrcode": id, "qrcode_img_content": link})
    }

    fn confirm_by_itself(&self, id: &str) {
        let next = self.bots().into_iter().min_by_key(|bot| {
            let state = bot.state();
            state.binding.as_ref().map_or(0, |binding| if binding.death.is_some() { 1 } else { binding.at_ms })
        });
        let done = next.map(|bot| self.scan(id, &bot.name).and_then(|()| self.confirm(id)));
        if let Some(Err(error)) = done {
            tracing::warn!(%error, "A QR code cannot be confirmed.");
        }
    }

    /// `get_qrcode_status`.
    pub(super) async fn qr_status(&self, call: &Call<'_>) -> Value {
        let (id, digits) = (call.query("qrcode"), call.query("verify_code"));
        let setup = self.setup();
        let ends = Instant::now() + setup.qr_hold;
        let mut digits = Some(digits).filter(|digits| !digits.is_empty());
        loop {
            let found = self.codes().by_id.get(&id).map(|code| (Arc::clone(&code.changed), code.made));
            let Some((ring, made)) = found else {
                call.hard("a QR code that was not given");
                return json!({"ret": 0, "status": "expired"});
            };
            let changed = ring.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let late = Instant::now() >= ends;
            if let Some(status) = self.status(call, &id, digits.take(), late) {
                return status;
            }
            tokio::select! {
                () = changed => {}
                () = tokio::time::sleep_until(ends.min(made + setup.qr_life)) => {}
            }
        }
    }

    /// What is to be told now; nothing while nothing has changed, unless the hold is over.
    fn status(&self, call: &Call<'_>, id: &str, digits: Option<String>, late: bool) -> Option<Value> {
        let setup = self.setup();
        let mut codes = self.codes();
        let code = codes.by_id.get_mut(id)?;
        if matches!(code.state, CodeState::Fresh) && code.made.elapsed() >= setup.qr_life {
            code.become_(CodeState::Expired);
        }
        let mut at_once = false;
        match (&code.state, digits) {
            (CodeState::Digits(right), Some(given)) if *right == given => code.become_(CodeState::Scanned),
            (CodeState::Digits(_), Some(_)) => {
                code.wrong_digits += 1;
                at_once = true;
                if code.wrong_digits > setup.digit_tries {
                    code.become_(CodeState::Blocked);
                }
            }
            (CodeState::Fresh | CodeState::Expired, Some(_)) => call.soft("`verify_code` that nobody asked for"),
            (_, _) => {}
        }
        let sent_away = match &mut code.route {
            Route::Host { host, arrived } if *host == call.request.host => {
                // It arrived: the state is news at this host.
                if !std::mem::replace(arrived, true) {
                    code.version += 1;
                }
                None
            }
            Route::Host { host, .. } => Some(json!({"ret": 0, "status": "scaned_but_redirect", "redirect_host": host})),
            Route::Nowhere => Some(json!({"ret": 0, "status": "scaned_but_redirect"})),
            Route::Anywhere => None,
        };
        let news = code.version != code.told;
        let ended = matches!(
            code.state,
            CodeState::Blocked | CodeState::Expired | CodeState::Confirmed { .. } | CodeState::AlreadyBound
        );
        if !(news || ended || at_once || late) {
            return None;
        }
        code.told = code.version;
        if let Some(away) = sent_away {
            if matches!(code.route, Route::Nowhere) {
                // The client can only stay.
                code.route = Route::Anywhere;
                code.version += 1;
            }
            return Some(away);
        }
        let status = match &code.state {
            CodeState::Fresh => "wait",
            CodeState::Digits(_) => "need_verifycode",
            CodeState::Scanned => "scaned",
            CodeState::Blocked => "verify_code_blocked",
            CodeState::Expired => "expired",
            CodeState::AlreadyBound => "binded_redirect",
            CodeState::Confirmed { token, bot_id, user_id, base_url } => {
                let own = format!("{}://{}", call.request.scheme, call.request.host);
                let mut answer = json!({"ret": 0, "status": "confirmed", "bot_token": token, "ilink_user_id": user_id});
                let base = base_url.clone().unwrap_or(own);
                if let Some(fields) = answer.as_object_mut() {
                    if let Some(id) = bot_id {
                        fields.insert("ilink_bot_id".to_owned(), id.as_str().into());
                    }
                    if !base.is_empty() {
                        fields.insert("baseurl".to_owned(), base.into());
                    }
                }
                return Some(answer);
            }
        };
        Some(json!({"ret": 0, "status": status}))
    }

    /// QR codes that nobody has scanned, oldest first.
    pub fn pending(&self) -> Vec<String> {
        let (life, codes) = (self.setup().qr_life, self.codes());
        let fresh = |id: &&String| {
            let code = codes.by_id.get(*id);
            code.is_some_and(|code| matches!(code.state, CodeState::Fresh) && code.made.elapsed() < life)
        };
        codes.by_age.iter().filter(fresh).cloned().collect()
    }

    /// The owner of this account scans a QR code, given by its id or by the link that it shows; empty: the newest one.
    pub fn scan(&self, code: &str, account: &str) -> Result<(), SimError> {
        let bot = self.bot(account)?;
        let newest = if code.is_empty() { self.pending().pop() } else { None };
        let id = newest.unwrap_or_else(|| id_in(code));
        self.turn(&id, "scan", |code| match code.state {
            CodeState::Fresh => {
                code.bot = Some(bot);
                code.become_(CodeState::Scanned);
                true
            }
            _ => false,
        })
    }

    /// The phone shows digits that must be typed at the client before the tap.
    pub fn ask_digits(&self, code: &str, digits: &str) -> Result<(), SimError> {
        self.turn(&id_in(code), "ask for digits", |code| match code.state {
            CodeState::Scanned => {
                code.become_(CodeState::Digits(digits.to_owned()));
                true
            }
            _ => false,
        })
    }

    /// The account lives elsewhere: the client is to go on at this host (with its port), or is not told where.
    pub fn redirect(&self, code: &str, host: Option<&str>) -> Result<(), SimError> {
        self.turn(&id_in(code), "redirect", |code| {
            let can = matches!(code.state, CodeState::Scanned | CodeState::Digits(_));
            if can {
                code.route = host.map_or(Route::Nowhere, |host| Route::Host { host: host.to_owned(), arrived: false });
                code.version += 1;
                code.changed.notify_waiters();
            }
            can
        })
    }

    /// The QR code is too old, whatever was done with it.
    pub fn expire_code(&self, code: &str) -> Result<(), SimError> {
        self.turn(&id_in(code), "expire", |code| {
            code.become_(CodeState::Expired);
            true
        })
    }

    /// Too many wrong digits.
    pub fn block_code(&self, code: &str) -> Result<(), SimError> {
        self.turn(&id_in(code), "block", |code| {
            code.become_(CodeState::Blocked);
            true
        })
    }

    /// The person who scanned taps "connect".
    pub fn confirm(&self, code: &str) -> Result<(), SimError> {
        self.confirm_with(code, &IlinkYes::default())
    }

    /// The same, with another end than the usual one.
    pub fn confirm_with(&self, code: &str, yes: &IlinkYes) -> Result<(), SimError> {
        let id = id_in(code);
        let mut codes = self.codes();
        let code = codes.by_id.get_mut(&id).ok_or_else(|| SimError::UnknownUuid(id.clone()))?;
        let bot = match (&code.state, &code.bot) {
            (CodeState::Scanned, Some(bot)) => Arc::clone(bot),
            (_, _) => return Err(SimError::LoginState { uuid: id, state: code.name(), wanted: "confirm" }),
        };
        let mut state = bot.state();
        let live = state.binding.as_ref().filter(|binding| binding.death.is_none());
        let known = live.filter(|binding| yes.already_bound || code.local_tokens.contains(&binding.token));
        let (bot_id, known) = match known {
            Some(binding) => {
                code.become_(CodeState::AlreadyBound);
                (binding.bot_id.clone(), true)
            }
            None if yes.already_bound => {
                return Err(SimError::NoSession(bot.name.clone()));
            }
            None => {
                let bot_id = format!("{}@im.bot", self.hex(12));
                let token = format!("{bot_id}:060000{}", self.hex(40));
                let user_id = state.people.first().map(|owner| owner.id.clone()).unwrap_or_default();
                self.bind(&bot, &mut state, &bot_id, &token);
                code.become_(CodeState::Confirmed {
                    token,
                    bot_id: (!yes.without_bot_id).then(|| bot_id.clone()),
                    user_id,
                    base_url: yes.base_url.clone(),
                });
                (bot_id, false)
            }
        };
        drop(state);
        drop(codes);
        // The client of an earlier binding learns at once that it is dead.
        bot.changed.notify_waiters();
        let entry = IlinkLogin { account: bot.name.clone(), at_ms: self.now_ms(), bot_id, known };
        self.shared.book.add(|journal| &mut journal.logins, entry);
        Ok(())
    }

    fn bind(&self, bot: &Arc<Bot>, state: &mut super::bot::State, bot_id: &str, token: &str) {
        let mut tokens = self.tokens();
        // The last dead one is kept, so that the journal can say whose client still asks with it.
        let previous = state.binding.take().map(|old| {
            old.previous.and_then(|older| tokens.remove(&older));
            old.token
        });
        tokens.insert(token.to_owned(), Arc::clone(bot));
        drop(tokens);
        let at_ms = self.now_ms();
        state.bind(Binding { bot_id: bot_id.to_owned(), token: token.to_owned(), death: None, at_ms, previous });
    }

    /// The code that this account scanned last.
    pub(super) fn code_of(&self, account: &str) -> Option<String> {
        let codes = self.codes();
        let scanned = |id: &&String| {
            codes.by_id.get(*id).and_then(|code| code.bot.as_ref()).is_some_and(|bot| bot.name == account)
        };
        codes.by_age.iter().rev().find(scanned).cloned()
    }

    fn turn(&self, id: &str, wanted: &'static str, turn: impl FnOnce(&mut Code) -> bool) -> Result<(), SimError> {
        let mut codes = self.codes();
        let code = codes.by_id.get_mut(id).ok_or_else(|| SimError::UnknownUuid(id.to_owned()))?;
        let state = code.name();
        match turn(code) {
            true => Ok(()),
            false => Err(SimError::LoginState { uuid: id.to_owned(), state, wanted }),
        }
    }

    fn codes(&self) -> MutexGuard<'_, Codes> {
        self.shared.codes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The id in the link that a QR code shows, or the id itself.
fn id_in(code: &str) -> String {
    let query = code.split_once('?').map_or("", |(_, query)| query);
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    pairs.find(|(key, _)| key == "qrcode").map_or_else(|| code.to_owned(), |(_, id)| id.into_owned())
}
