//! Who makes the calls of one account? One at a time, each once, and only what is certain is called so.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use serde_json::Value;
use tokio::sync::Semaphore;
use url::Url;
use wxbot_model::Secret;

use super::action::Mapped;
use super::answer::{Answer, MAX_ITEMS, Verdict};
use super::call::Call;
use super::map::{ActionMap, Availability, MAX_STEPS, holes};
use super::names;
use super::read::Headers;
use super::request::{self, Around};
use super::template::Scope;
use super::value::{Datum, Values};
use crate::error::{FetchError, SendError};
use crate::source::Source;
use crate::transport::{HttpRequest, MAX_BODY, Transport, TransportError};

/// The longest answer to an order.
const MAX_ANSWER: usize = 1024 * 1024;
/// The largest file that is sent as a body.
const MAX_FILE: u64 = 100 * 1024 * 1024;
/// Pages of one list.
const MAX_PAGES: usize = 1_000;
/// How long to wait after the first, second, … refused connection in a row.
const BACK_OFF_S: [u64; 5] = [0, 2, 5, 10, 30];
/// How long to wait where a service says "too often" and no more.
const TOO_OFTEN: Duration = Duration::from_secs(5);

/// What an [`Engine`] is made of.
pub struct EngineSettings {
    /// The account, for texts.
    pub account: String,
    /// `pc-hook` or `wecom`, for texts.
    pub protocol: &'static str,
    /// The profile, for texts.
    pub profile: String,
    /// Its actions.
    pub actions: ActionMap,
    /// Where the service is.
    pub base: Url,
    /// Headers of every request.
    pub headers: Headers,
    /// What `{{secret.NAME}}` may name.
    pub secrets: BTreeMap<String, Secret<String>>,
    /// How long actions may take that neither say it nor are known.
    pub timeout: Duration,
    /// Calls at a time.
    pub max_concurrency: u32,
}

/// Makes the calls of one account.
pub struct Engine {
    settings: EngineSettings,
    transport: Arc<dyn Transport>,
    source: Source,
    lane: Semaphore,
    permits: u32,
    /// Refused connections in a row.
    refused: AtomicU32,
    /// `{{account.…}}`: who it is, and what answers gave to keep.
    account: RwLock<BTreeMap<String, Secret<String>>>,
    /// Actions whose answers were not understood once.
    told: Mutex<BTreeSet<String>>,
    /// Held by whoever logs in, so that nobody else does meanwhile.
    logins: tokio::sync::Mutex<()>,
    /// How often an answer gave something to keep.
    saves: AtomicU64,
    judge: Option<Judge>,
}

/// What the service's codes mean, for answers that say no. `None`: only what the answer says.
pub type Judge = fn(&Value) -> Option<SendError>;

/// Where a run is: steps have steps, and a login never waits for itself.
#[derive(Clone, Copy)]
struct At {
    depth: usize,
    logging_in: bool,
}

impl At {
    const TOP: Self = Self { depth: 0, logging_in: false };

    fn below(self) -> Self {
        Self { depth: self.depth + 1, ..self }
    }

    fn login(self) -> Self {
        Self { depth: self.depth + 1, logging_in: true }
    }
}

/// What a call brought.
#[derive(Clone, Default, PartialEq)]
pub struct Performed {
    /// The service's id of the message.
    pub message_id: Option<String>,
    /// The results that the mapping names.
    pub fields: BTreeMap<String, String>,
    /// The elements of its list.
    pub items: Vec<BTreeMap<String, String>>,
    /// What the next page begins with.
    pub next: Option<String>,
    /// True when the service took it, and did not say yes.
    pub unconfirmed: bool,
    /// The whole answer; a text where it was no JSON.
    pub answer: Value,
}

impl Engine {
    /// An engine.
    pub fn new(settings: EngineSettings, transport: Arc<dyn Transport>, source: Source) -> Self {
        let permits = settings.max_concurrency.clamp(1, 64);
        let account = BTreeMap::from([("name".to_owned(), Secret::new(settings.account.clone()))]);
        Self {
            lane: Semaphore::new(usize::try_from(permits).unwrap_or(1)),
            permits,
            refused: AtomicU32::new(0),
            account: RwLock::new(account),
            told: Mutex::default(),
            logins: tokio::sync::Mutex::new(()),
            saves: AtomicU64::new(0),
            judge: None,
            settings,
            transport,
            source,
        }
    }

    /// The same, for a service whose codes are known.
    #[must_use]
    pub fn judged_by(mut self, judge: Judge) -> Self {
        self.judge = Some(judge);
        self
    }

    /// The account's actions.
    pub fn actions(&self) -> &ActionMap {
        &self.settings.actions
    }

    /// Sets `{{account.NAME}}`: `self_id` when it is known, `session_id` after a new login.
    pub fn set_account(&self, name: &str, value: Secret<String>) {
        self.account.write().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), value);
    }

    /// Does one action, once. Not cancel safe: a dropped future is as good as [`SendError::Uncertain`].
    ///
    /// # Errors
    /// [`SendError::NotTaken`] only when the service cannot have seen it; [`SendError::Uncertain`] when its answer is lost;
    /// [`SendError::Failed`] when it refused, and before anything is sent when something is missing.
    pub async fn perform(&self, name: &str, values: &Values) -> Result<Performed, SendError> {
        self.run(name, values, At::TOP).await.map_err(|error| self.without_secrets(error))
    }

    /// Asks something; a page of it, where the answer comes in pages.
    ///
    /// # Errors
    /// Typed by whether asking again may help.
    pub async fn ask(&self, call: &Call) -> Result<Performed, FetchError> {
        let done = self.perform(call.name, &call.values).await.map_err(of_question)?;
        let wants = self.actions().variants(call.name);
        if done.unconfirmed && wants.iter().any(|one| one.result.list.is_some() || !one.result.fields.is_empty()) {
            let why = format!("the answer to `{}` holds nothing of what was asked", call.name);
            return Err(FetchError::Refused { why });
        }
        Ok(done)
    }

    /// Asks for all elements of a list, page after page.
    ///
    /// # Errors
    /// Typed by whether asking again may help.
    pub async fn list(&self, call: &Call) -> Result<Vec<BTreeMap<String, String>>, FetchError> {
        let (mut items, mut call) = (Vec::new(), call.clone());
        let mut seen = BTreeSet::new();
        let lists = self.actions().variants(call.name).iter().filter_map(|one| one.result.list.as_ref());
        if let Some(first) = lists.filter_map(|list| list.first.clone()).next() {
            // Some services say at the end that the next page is the first one.
            seen.insert(first.clone());
            call.values.set("cursor", first);
        }
        for _ in 0..MAX_PAGES {
            let page = self.ask(&call).await?;
            items.extend(page.items);
            match page.next {
                // A cursor that comes again leads round in a circle.
                Some(next) if items.len() < MAX_ITEMS && seen.insert(next.clone()) => call.values.set("cursor", next),
                Some(_) | None => break,
            }
        }
        items.truncate(MAX_ITEMS);
        Ok(items)
    }

    /// Why an action cannot be done.
    fn unavailable(&self, name: &str) -> SendError {
        let EngineSettings { account, protocol, profile, .. } = &self.settings;
        let begin =
            format!("action \"{name}\" is not available on account \"{account}\" ({protocol}, profile {profile})");
        let why = match self.actions().availability(name) {
            Availability::Unknown => format!("{begin}; map it under [accounts.actions.{name}]"),
            Availability::Off => {
                format!("{begin}: it is switched off; [accounts.actions.{name}] `enabled = true` allows it")
            }
            Availability::NoPath => {
                format!("{begin}: its path is not known; give it with `path` under [accounts.actions.{name}]")
            }
            Availability::Ready => {
                format!("{begin} for this: no variant of it fits; add one to [[accounts.actions.{name}]]")
            }
        };
        SendError::Failed { why }
    }

    fn run<'a>(&'a self, name: &'a str, values: &'a Values, at: At) -> BoxFuture<'a, Result<Performed, SendError>> {
        Box::pin(async move {
            let mut scope = CallScope::new(self, values);
            let usable = |one: &&Mapped| one.enabled && one.path.is_some();
            let mapped = self.actions().variants(name).iter().filter(usable).find(|one| one.when.holds(&scope));
            let Some(mapped) = mapped.filter(|_| at.depth <= MAX_STEPS) else { return Err(self.unavailable(name)) };
            for step in &mapped.before {
                let done = self.run(step, values, at.below()).await.map_err(before_it)?;
                let mut fields = done.fields;
                fields.extend(done.message_id.map(|id| ("message_id".to_owned(), id)));
                scope.steps.insert(step.clone(), fields);
            }
            self.log_in_for(mapped, name, at).await?;
            if let Some(Datum::File { path, len }) =
                values.get("bytes").filter(|_| holes(mapped).any(|hole| hole == "bytes"))
            {
                scope.file = Some(read_file(path.clone(), *len).await?);
            }
            let mut once_more = true;
            loop {
                let saves = self.saves.load(Ordering::Acquire);
                let answer = self.exchange(name, mapped, &scope).await?;
                if once_more && let Some(login) = self.session_ended(name, &answer) {
                    once_more = false;
                    self.log_in_again(name, login, saves, at).await?;
                    continue;
                }
                return self.result(name, mapped, &answer);
            }
        })
    }

    /// Runs what saves a value that this action needs and nobody has saved yet. Only what has `refresh_on` is run by
    /// itself: anything else that saves something may ask a person to scan a code.
    async fn log_in_for(&self, mapped: &Mapped, name: &str, at: At) -> Result<(), SendError> {
        if self.missing_login(mapped, name).is_none() {
            return Ok(());
        }
        let _one_at_a_time = self.alone_with_logins(at).await;
        // Whoever was here before may have brought it.
        match self.missing_login(mapped, name) {
            Some(login) => self.run(&login, &Values::new(), at.login()).await.map(drop).map_err(before_it),
            None => Ok(()),
        }
    }

    fn missing_login(&self, mapped: &Mapped, name: &str) -> Option<String> {
        let account = self.account.read().unwrap_or_else(PoisonError::into_inner);
        let names = holes(mapped).filter_map(|hole| hole.strip_prefix("account."));
        names.filter(|field| !account.contains_key(*field)).find_map(|field| {
            let mut all = self.actions().all();
            let gives = |one: &Mapped| one.enabled && one.save.contains_key(field) && !one.refresh_on.is_empty();
            all.find(|(other, one)| *other != name && gives(one)).map(|(other, _)| other.to_owned())
        })
    }

    /// Logs in again, unless somebody did since `saves` was read: services limit logins more than anything else.
    async fn log_in_again(&self, name: &str, login: &str, saves: u64, at: At) -> Result<(), SendError> {
        let _one_at_a_time = self.alone_with_logins(at).await;
        if self.saves.load(Ordering::Acquire) != saves {
            return Ok(());
        }
        tracing::info!(account = self.settings.account, action = name, login, "The service wants a new login.");
        self.run(login, &Values::new(), at.login()).await.map(drop).map_err(before_it)
    }

    async fn alone_with_logins(&self, at: At) -> Option<tokio::sync::MutexGuard<'_, ()>> {
        if at.logging_in { None } else { Some(self.logins.lock().await) }
    }

    /// The action that logs in again, when the answer says that it is time.
    fn session_ended(&self, name: &str, answer: &Answer) -> Option<&str> {
        let mut all = self.actions().all().filter(|(other, one)| *other != name && one.enabled && !one.save.is_empty());
        all.find(|(_, one)| one.refresh_on.iter().any(|test| test.holds(&answer.value))).map(|(other, _)| other)
    }

    async fn exchange(&self, name: &str, mapped: &Mapped, scope: &CallScope<'_>) -> Result<Answer, SendError> {
        let known = names::known(name);
        let limit = mapped.timeout.or(known.map(|known| known.pace.limit())).unwrap_or(self.settings.timeout);
        let (high, low) = (self.source.random_u64(), self.source.random_u64());
        let boundary = u128::from(high) << 64 | u128::from(low);
        let around = Around { base: &self.settings.base, headers: &self.settings.headers.0, boundary };
        let request = request::write(mapped, scope, around, limit)
            .map_err(|error| SendError::Failed { why: format!("action \"{name}\" is not sent: {error}") })?;
        let long = known.is_some_and(|known| known.asks) || mapped.result.list.is_some();
        let most = if long { MAX_BODY } else { MAX_ANSWER };
        let permits = if mapped.exclusive { self.permits } else { 1 };
        let _alone = self
            .lane
            .acquire_many(permits)
            .await
            .map_err(|_closed| SendError::NotTaken { why: "the account is closed".into(), after: Duration::ZERO })?;
        let answered = self.carry(request, limit, most).await;
        if answered.as_ref().is_err_and(TransportError::surely_not_sent) {
            let before = self.refused.fetch_add(1, Ordering::Relaxed);
            let nth = usize::try_from(before).unwrap_or(usize::MAX).min(BACK_OFF_S.len() - 1);
            let after = Duration::from_secs(BACK_OFF_S.get(nth).copied().unwrap_or(30));
            let why = answered.err().map(|error| error.to_string()).unwrap_or_default();
            return Err(SendError::NotTaken { why, after });
        }
        self.refused.store(0, Ordering::Relaxed);
        let (status, retry_after, body) = answered.map_err(|error| SendError::Uncertain { why: error.to_string() })?;
        let answer = Answer::read(&body);
        let why = || format!("the service answered HTTP {status}: {}", answer.beginning());
        match status {
            200..=299 => Ok(answer),
            // Nobody acts on a request that he refuses by its place, its form or its sender.
            429 | 425 => Err(SendError::NotTaken { why: why(), after: retry_after.unwrap_or(TOO_OFTEN) }),
            300..=399 => Err(SendError::Failed {
                why: format!("the service answered HTTP {status}, a redirect, which is never followed"),
            }),
            400..=407 | 409..=499 => Err(SendError::Failed { why: why() }),
            // A gateway in between, or a service that failed half-way.
            _ => Err(SendError::Uncertain { why: why() }),
        }
    }

    /// Status, `Retry-After` and at most `most` bytes.
    async fn carry(
        &self,
        request: HttpRequest,
        limit: Duration,
        most: usize,
    ) -> Result<(u16, Option<Duration>, Bytes), TransportError> {
        let host = request.host();
        let whole = async {
            let mut answer = self.transport.open(request).await?;
            let retry_after = answer.headers.get(http::header::RETRY_AFTER);
            let retry_after = retry_after.and_then(|value| value.to_str().ok()?.trim().parse::<u64>().ok());
            let mut body = BytesMut::new();
            while let Some(piece) = answer.body.next().await.transpose()? {
                if body.len().saturating_add(piece.len()) > most {
                    return Err(TransportError::TooLarge { host: host.clone(), limit: most });
                }
                body.extend_from_slice(&piece);
            }
            Ok((answer.status, retry_after.map(|s| Duration::from_secs(s.min(3600))), body.freeze()))
        };
        match tokio::time::timeout(limit, whole).await {
            Ok(answer) => answer,
            Err(_elapsed) => Err(TransportError::Timeout { host: host.clone(), after: limit }),
        }
    }

    fn result(&self, name: &str, mapped: &Mapped, answer: &Answer) -> Result<Performed, SendError> {
        let path = mapped.path.as_ref().map(super::template::Template::beginning).unwrap_or_default();
        let said = path.split('?').next().unwrap_or_default().rsplit('/').next().unwrap_or_default();
        let mut done = Performed::default();
        let by_shape = match answer.verdict(mapped, said) {
            Verdict::Yes(id) => id,
            Verdict::No(why) => {
                let judged = self.judge.and_then(|judge| judge(&answer.value));
                return Err(judged.unwrap_or(SendError::Failed { why }));
            }
            Verdict::Unconfirmed if !mapped.success.is_empty() => {
                let why = format!("the answer to `{name}` cannot be read: {}", answer.beginning());
                return Err(SendError::Uncertain { why });
            }
            Verdict::Unconfirmed => {
                done.unconfirmed = true;
                let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
                if told.insert(name.to_owned()) {
                    let account = &self.settings.account;
                    tracing::warn!(%account, action = name, len = answer.beginning().len(), "Sent, but the answer says neither yes nor no.");
                }
                None
            }
        };
        for (key, pointer) in &mapped.save {
            match answer.value.pointer(pointer).and_then(super::value::id) {
                Some(value) => {
                    self.set_account(key, Secret::new(value));
                    self.saves.fetch_add(1, Ordering::Release);
                }
                None => tracing::warn!(
                    account = self.settings.account,
                    action = name,
                    key,
                    "The answer has nothing to save."
                ),
            }
        }
        done.message_id = answer.first(&mapped.result.message_id).filter(|id| id != "0").or(by_shape);
        done.fields = answer.fields(mapped);
        if let Some(list) = &mapped.result.list {
            done.items = answer.items(list);
            done.next = answer.next(list, done.items.len());
        }
        done.answer = answer.value.clone();
        Ok(done)
    }

    /// The same without any secret in its words: services like to repeat what they were sent.
    fn without_secrets(&self, error: SendError) -> SendError {
        let clean = |why: String| {
            let account = self.account.read().unwrap_or_else(PoisonError::into_inner);
            let saved =
                account.iter().filter(|(name, _)| !matches!(name.as_str(), "name" | "self_id")).map(|(_, value)| value);
            let all = self.settings.secrets.values().chain(saved).map(Secret::expose).filter(|value| value.len() >= 4);
            all.fold(why, |why, secret| why.replace(secret.as_str(), "[secret]"))
        };
        match error {
            SendError::NotTaken { why, after } => SendError::NotTaken { why: clean(why), after },
            SendError::Uncertain { why } => SendError::Uncertain { why: clean(why) },
            SendError::Failed { why } => SendError::Failed { why: clean(why) },
            SendError::Closed { why, after } => SendError::Closed { why: clean(why), after },
            SendError::Ended(reason) => SendError::Ended(reason),
            SendError::Stopped { why, risk } => SendError::Stopped { why: clean(why), risk },
        }
    }
}

/// Of a step that only prepares: whatever became of it, nobody has seen anything.
fn before_it(error: SendError) -> SendError {
    match error {
        SendError::Uncertain { why } => SendError::NotTaken { why, after: Duration::from_secs(5) },
        known @ (SendError::NotTaken { .. }
        | SendError::Failed { .. }
        | SendError::Closed { .. }
        | SendError::Ended(_)
        | SendError::Stopped { .. }) => known,
    }
}

fn of_question(error: SendError) -> FetchError {
    match error {
        SendError::NotTaken { why, .. } | SendError::Uncertain { why } | SendError::Closed { why, .. } => {
            FetchError::NotNow { why }
        }
        SendError::Failed { why } => FetchError::Refused { why },
        SendError::Ended(reason) => FetchError::Ended(reason),
        SendError::Stopped { why, risk } => FetchError::Stopped { why, risk },
    }
}

async fn read_file(path: PathBuf, len: u64) -> Result<Bytes, SendError> {
    let failed = |why: &str| SendError::Failed { why: why.to_owned() };
    if len > MAX_FILE {
        return Err(failed("files of more than 100 MiB cannot be uploaded"));
    }
    let read = move || {
        let mut bytes = Vec::with_capacity(usize::try_from(len).unwrap_or(0));
        File::open(path)?.take(len.saturating_add(1)).read_to_end(&mut bytes)?;
        Ok::<_, io::Error>(bytes)
    };
    let later = |why: String| SendError::NotTaken { why, after: Duration::from_secs(5) };
    match tokio::task::spawn_blocking(read).await {
        Ok(Ok(bytes)) if u64::try_from(bytes.len()).ok() == Some(len) => Ok(bytes.into()),
        Ok(Ok(_)) => Err(failed("the file to send is not as long as it was")),
        Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => {
            Err(failed("the file to send is not there any more"))
        }
        Ok(Err(error)) => Err(later(format!("the file to send cannot be read: {error}"))),
        Err(_) => Err(later("reading the file to send was broken off".into())),
    }
}

/// All that the placeholders of one call may name.
struct CallScope<'a> {
    engine: &'a Engine,
    values: &'a Values,
    steps: BTreeMap<String, BTreeMap<String, String>>,
    file: Option<Bytes>,
    now_ms: i64,
    uuid: (u64, u64),
}

impl<'a> CallScope<'a> {
    fn new(engine: &'a Engine, values: &'a Values) -> Self {
        let uuid = (engine.source.random_u64(), engine.source.random_u64());
        Self { engine, values, steps: BTreeMap::new(), file: None, now_ms: engine.source.now_ms(), uuid }
    }

    /// A random one (version 4).
    fn uuid(&self) -> String {
        let (high, low) = self.uuid;
        let (high, low) = (high & !0xf000 | 0x4000, low & !(0b11 << 62) | 0b10 << 62);
        let hex = format!("{high:016x}{low:016x}");
        let part = |from, to| hex.get(from..to).unwrap_or_default();
        [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
    }
}

impl Scope for CallScope<'_> {
    fn find(&self, name: &str) -> Option<Datum> {
        if let Some((group, field)) = name.split_once('.') {
            match group {
                "secret" => return self.engine.settings.secrets.get(field).cloned().map(Datum::Secret),
                "account" => {
                    let account = self.engine.account.read().unwrap_or_else(PoisonError::into_inner);
                    return account.get(field).cloned().map(Datum::Secret);
                }
                step => {
                    if let Some(fields) = self.steps.get(step) {
                        return fields.get(field).map(Datum::from);
                    }
                }
            }
        }
        match name {
            "now" => Some((self.now_ms / 1000).into()),
            "now_ms" => Some(self.now_ms.into()),
            "uuid" => Some(self.uuid().into()),
            "bytes" if self.file.is_some() => self.file.clone().map(Datum::Bytes),
            name => self.values.get(name).cloned(),
        }
    }
}

impl fmt::Debug for Performed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Ids and names only: the rest is what people wrote.
        let Self { message_id, fields, items, unconfirmed, .. } = self;
        let fields: Vec<_> = fields.keys().collect();
        write!(f, "Performed(id {message_id:?}, {fields:?}, {} items, unconfirmed: {unconfirmed})", items.len())
    }
}

impl fmt::Debug for EngineSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EngineSettings({}, {}, profile {})", self.account, self.protocol, self.profile)
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Engine({}, {}, profile {})", self.settings.account, self.settings.protocol, self.settings.profile)
    }
}

#[cfg(test)]
#[path = "engine_tests.rs"]
mod tests;
