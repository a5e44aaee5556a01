//! What can be ordered under `/__sim/`?
//!
//! | order | body | answer |
//! |---|---|---|
//! | `GET world` | | people, bindings, meters, tokens, QR codes that nobody scanned |
//! | `GET journal[?since_ms=…]`, `violations` | | [`IlinkJournal`](crate::IlinkJournal); [`Violation`](crate::Violation)s |
//! | `DELETE journal` | | `{}`; violations stay |
//! | `POST account` | [`AccountSpec`] | `{}` |
//! | `POST scan` | `{account, qrcode?, digits?}`; without `qrcode` the newest; `digits` are then asked for | `{}` |
//! | `POST confirm` | `{account or qrcode, base_url?, without_bot_id?, already_bound?}` | `{}` |
//! | `POST approve` | `{account, qrcode?}`: scan and confirm | `{}` |
//! | `POST digits`, `redirect`, `expire`, `block` | `{account or qrcode}` and `digits`, `host?` | `{}` |
//! | `POST say` | `{account, from?, say, and?, fields?, count?}` or `{account, messages: […]}` | `{ids: […]}` |
//! | `POST repeat` | `{account, id, same_token?}` | `{}` |
//! | `POST kill`, `revive` | `{account, spelling?}`: `errcode` or `ret` | `{}` |
//! | `POST refuse`, `DELETE refuse` | `{account, ret, errmsg?, times?, to?}`, `{account}` | `{}` |
//! | `POST shadow` | `{account, who?, on?}` | `{}` |
//! | `POST meter` | `{account, who?, used?, wrote_ago_ms?}` | `{}` |
//! | `POST expire_tickets` | `{account}` | `{}` |
//! | `POST rules` | `{hold_ms?, qr_hold_ms?, qr_life_ms?, hint_ms?, quota?, window_ms?, burst?, …}` | `{}` |
//! | `POST faults`, `DELETE faults` | [`Fault`] | `{}` |

use std::time::Duration;

use http::Method;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::error::SimError;
use crate::fault::Fault;
use crate::ilink::bot::IlinkDeath;
use crate::ilink::send::limits;
use crate::ilink::{IlinkMessage, IlinkRefusal, IlinkSay, IlinkSetup, IlinkSim, IlinkYes, UploadUrls};
use crate::request::Request;
use crate::service::orders::{Refusal, done, read, shown, unknown};
use crate::world::AccountSpec;

/// Messages that one order may say.
const MAX_COUNT: usize = 10_000;

/// One QR code, by itself or by who scanned it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    #[serde(default)]
    account: String,
    #[serde(default)]
    qrcode: String,
    #[serde(default)]
    digits: Option<String>,
    #[serde(default)]
    host: Option<String>,
}

#[derive(Deserialize)]
struct Confirm {
    #[serde(default)]
    account: String,
    #[serde(default)]
    qrcode: String,
    #[serde(default)]
    base_url: Option<String>,
    #[serde(default)]
    without_bot_id: bool,
    #[serde(default)]
    already_bound: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Say {
    account: String,
    #[serde(default)]
    from: String,
    #[serde(default)]
    say: Option<IlinkSay>,
    #[serde(default)]
    and: Vec<IlinkSay>,
    #[serde(default)]
    fields: Map<String, Value>,
    #[serde(default)]
    messages: Vec<IlinkMessage>,
    #[serde(default = "one")]
    count: usize,
}

fn one() -> usize {
    1
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Repeat {
    account: String,
    id: String,
    #[serde(default)]
    same_token: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Kill {
    account: String,
    #[serde(default = "errcode")]
    spelling: IlinkDeath,
}

fn errcode() -> IlinkDeath {
    IlinkDeath::Errcode
}

#[derive(Deserialize)]
struct Account {
    account: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Refuse {
    account: String,
    #[serde(default)]
    to: Option<String>,
    ret: i64,
    #[serde(default)]
    errmsg: String,
    #[serde(default = "once")]
    times: u32,
}

fn once() -> u32 {
    1
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Shadow {
    account: String,
    #[serde(default)]
    who: String,
    #[serde(default = "yes")]
    on: bool,
}

fn yes() -> bool {
    true
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetMeter {
    account: String,
    #[serde(default)]
    who: String,
    #[serde(default)]
    used: u32,
    #[serde(default)]
    wrote_ago_ms: u64,
}

/// Rules that change; what is absent stays.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Rules {
    hold_ms: Option<u64>,
    hint_ms: Option<u64>,
    qr_hold_ms: Option<u64>,
    qr_life_ms: Option<u64>,
    digit_tries: Option<u32>,
    quota: Option<u32>,
    window_ms: Option<u64>,
    burst: Option<usize>,
    burst_within_ms: Option<u64>,
    burst_rest_ms: Option<u64>,
    text_limit: Option<usize>,
    batch: Option<usize>,
    upload_urls: Option<UploadUrls>,
    full_urls: Option<bool>,
    ids_as_text: Option<bool>,
    auto_confirm: Option<bool>,
}

impl Rules {
    fn apply(self, setup: &mut IlinkSetup) {
        fn set<T>(place: &mut T, value: Option<T>) {
            if let Some(value) = value {
                *place = value;
            }
        }
        let span = |ms: Option<u64>| ms.map(Duration::from_millis);
        set(&mut setup.hold, span(self.hold_ms));
        if let Some(hint) = span(self.hint_ms) {
            setup.hint = Some(hint);
        }
        set(&mut setup.qr_hold, span(self.qr_hold_ms));
        set(&mut setup.qr_life, span(self.qr_life_ms));
        set(&mut setup.digit_tries, self.digit_tries);
        set(&mut setup.quota, self.quota);
        set(&mut setup.window, span(self.window_ms));
        set(&mut setup.burst, self.burst);
        set(&mut setup.burst_within, span(self.burst_within_ms));
        set(&mut setup.burst_rest, span(self.burst_rest_ms));
        set(&mut setup.text_limit, self.text_limit);
        set(&mut setup.batch, self.batch.map(|batch| batch.max(1)));
        set(&mut setup.upload_urls, self.upload_urls);
        set(&mut setup.full_urls, self.full_urls);
        set(&mut setup.ids_as_text, self.ids_as_text);
        set(&mut setup.auto_confirm, self.auto_confirm);
    }
}

impl IlinkSim {
    pub(super) fn order(&self, order: &str, request: &Request) -> Result<Value, Refusal> {
        match &request.method {
            &Method::GET => self.look(order, request),
            &Method::POST => self.obey(order, request),
            &Method::DELETE => self.clear(order, request),
            method => Err(unknown(order, method)),
        }
    }

    fn look(&self, order: &str, request: &Request) -> Result<Value, Refusal> {
        match order {
            "world" => Ok(self.world_seen()),
            "journal" => {
                let since = request.query().get("since_ms").map(str::parse).transpose();
                let since = since.map_err(|error| Refusal(400, format!("`since_ms`: {error}")))?;
                shown(&since.map_or_else(|| self.journal(), |since| self.journal_since(since)))
            }
            "violations" => shown(&self.violations()),
            _ => Err(unknown(order, &request.method)),
        }
    }

    fn clear(&self, order: &str, request: &Request) -> Result<Value, Refusal> {
        match order {
            "faults" => self.clear_faults(),
            "journal" => self.forget(),
            "refuse" => self.clear_refusals(&read::<Account>(request)?.account)?,
            _ => return Err(unknown(order, &request.method)),
        }
        Ok(json!({}))
    }

    fn obey(&self, order: &str, request: &Request) -> Result<Value, Refusal> {
        match order {
            "account" => done(self.add_account(read::<AccountSpec>(request)?)),
            "scan" => {
                let Which { account, qrcode, digits, .. } = read(request)?;
                self.scan(&qrcode, &account)?;
                match digits {
                    Some(digits) => done(self.ask_digits(&self.which(&account, &qrcode)?, &digits)),
                    None => Ok(json!({})),
                }
            }
            "approve" => {
                let Which { account, qrcode, .. } = read(request)?;
                self.scan(&qrcode, &account)?;
                done(self.confirm(&self.which(&account, &qrcode)?))
            }
            "digits" => {
                let Which { account, qrcode, digits, .. } = read(request)?;
                done(self.ask_digits(&self.which(&account, &qrcode)?, &digits.unwrap_or_default()))
            }
            "redirect" => {
                let Which { account, qrcode, host, .. } = read(request)?;
                done(self.redirect(&self.which(&account, &qrcode)?, host.as_deref()))
            }
            "expire" => {
                let Which { account, qrcode, .. } = read(request)?;
                done(self.expire_code(&self.which(&account, &qrcode)?))
            }
            "block" => {
                let Which { account, qrcode, .. } = read(request)?;
                done(self.block_code(&self.which(&account, &qrcode)?))
            }
            "confirm" => {
                let Confirm { account, qrcode, base_url, without_bot_id, already_bound } = read(request)?;
                let yes = IlinkYes { base_url, without_bot_id, already_bound };
                done(self.confirm_with(&self.which(&account, &qrcode)?, &yes))
            }
            "say" => self.said(read(request)?),
            "repeat" => {
                let Repeat { account, id, same_token } = read(request)?;
                done(self.repeat(&account, &id, !same_token))
            }
            "kill" => {
                let Kill { account, spelling } = read(request)?;
                done(self.kill(&account, spelling))
            }
            "revive" => done(self.revive(&read::<Account>(request)?.account)),
            "refuse" => {
                let Refuse { account, to, ret, errmsg, times } = read(request)?;
                done(self.refuse(&account, IlinkRefusal { to, ret, errmsg, times }))
            }
            "shadow" => {
                let Shadow { account, who, on } = read(request)?;
                done(self.shadow(&account, &who, on))
            }
            "meter" => {
                let SetMeter { account, who, used, wrote_ago_ms } = read(request)?;
                done(self.set_meter(&account, &who, used, Duration::from_millis(wrote_ago_ms)))
            }
            "expire_tickets" => done(self.expire_tickets(&read::<Account>(request)?.account)),
            "rules" => {
                let rules: Rules = read(request)?;
                self.change(|setup| rules.apply(setup));
                Ok(json!({}))
            }
            "faults" => {
                self.inject(read::<Fault>(request)?);
                Ok(json!({}))
            }
            _ => Err(unknown(order, &request.method)),
        }
    }

    fn said(&self, say: Say) -> Result<Value, Refusal> {
        let Say { account, from, say, and, fields, mut messages, count } = say;
        if count > MAX_COUNT || messages.len() > MAX_COUNT {
            return Err(Refusal(400, format!("`count` is at most {MAX_COUNT}")));
        }
        match say {
            Some(say) => messages.push(IlinkMessage { from, say, and, fields }),
            None if messages.is_empty() => return Err(Refusal(400, "`say` or `messages` is missing".to_owned())),
            None => {}
        }
        let mut ids = Vec::new();
        for _ in 0..count {
            ids.extend(self.say_all(&account, &messages)?);
        }
        Ok(json!({"ids": ids}))
    }

    /// The QR code that an order means.
    fn which(&self, account: &str, qrcode: &str) -> Result<String, SimError> {
        if !qrcode.is_empty() {
            return Ok(qrcode.to_owned());
        }
        let newest = if account.is_empty() { self.pending().pop() } else { self.code_of(account) };
        newest.ok_or_else(|| SimError::Invalid("there is no such QR code".to_owned()))
    }

    fn world_seen(&self) -> Value {
        let limits = limits(&self.setup());
        let accounts = self.bots().into_iter().map(|bot| {
            let state = bot.state();
            let people = state.people.iter().map(|person| {
                json!({
                    "nick": person.nick, "id": person.id, "context_token": person.tokens.back(),
                    "left": person.meter.left(&limits), "closes_ms": person.meter.closes_ms(&limits),
                    "shadow": person.shadow, "typing": person.typing,
                })
            });
            let people: Vec<Value> = people.collect();
            let binding = state.binding.as_ref();
            json!({
                "account": bot.name, "people": people, "bindings": state.bindings,
                "bot_id": binding.map(|binding| &binding.bot_id), "token": binding.map(|binding| &binding.token),
                "alive": binding.is_some_and(|binding| binding.death.is_none()),
                "polls": state.polls, "waiting": state.waiting(),
            })
        });
        let accounts: Vec<Value> = accounts.collect();
        json!({"accounts": accounts, "pending": self.pending(), "cdn": self.cdn_endpoint()})
    }
}
