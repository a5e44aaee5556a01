//! Who answers a request, and what do all answers share?

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ::http::header::HeaderValue;
use rand::rngs::StdRng;
use serde::Deserialize;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::account::{Account, Directory};
use crate::check::{Checker, Violation, Violations};
use crate::error::SimError;
use crate::fault::{Fault, FaultKind, Faults};
use crate::login::Logins;
use crate::media::Shelf;
use crate::names;
use crate::request::{Answer, Endpoint, Outcome, Request};
use crate::shape;
use crate::wire;
use crate::world::{AccountSpec, World};

/// `Ret` of a body that cannot be read.
const PARSE_ERROR: i64 = 1200;
/// MsgIds have 19 digits and grow by an odd step, so that neighbours differ in more than the last digit.
const FIRST_MSG_ID: u64 = 4_000_000_000_000_000_000;
const MSG_ID_STEP: u64 = 7_919;

pub(crate) const PICTURE: &[u8] = include_bytes!("../assets/picture.png");

/// A simulated WeChat. Clones are handles to the same one.
#[derive(Clone)]
pub struct Sim {
    shared: Arc<Shared>,
}

impl fmt::Debug for Sim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Whole message logs would drown what stands around it.
        f.debug_struct("Sim").field("accounts", &self.directory().list.len()).finish_non_exhaustive()
    }
}

struct Shared {
    /// Without its accounts: those are in the directory.
    world: World,
    clock: Clock,
    rng: Mutex<StdRng>,
    directory: RwLock<Directory>,
    logins: Mutex<Logins>,
    logins_changed: Notify,
    /// Rings whenever a client or an order may have changed something.
    changed: Notify,
    violations: Violations,
    faults: Faults,
    msg_id: AtomicU64,
    shelf: Arc<Shelf>,
    /// Rings when an account was added.
    accounts_changed: Notify,
}

/// Wall time that follows tokio's clock, so that it stands still and jumps as a paused test does.
#[derive(Debug)]
struct Clock {
    start: Instant,
    start_since_1970: Duration,
}

impl Sim {
    /// A simulator of this world. An account that cannot exist (its name is taken, say) is left out with a warning;
    /// [`World::from_toml`] has refused such worlds before.
    pub fn new(world: World) -> Self {
        let World { seed, accounts, .. } = world.clone();
        let start_since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let sim = Self {
            shared: Arc::new(Shared {
                clock: Clock { start: Instant::now(), start_since_1970 },
                rng: Mutex::new(names::generator(seed, "service")),
                directory: RwLock::default(),
                logins: Mutex::default(),
                logins_changed: Notify::new(),
                changed: Notify::new(),
                violations: Violations::default(),
                faults: Faults::default(),
                shelf: Shelf::new(world.media_limit),
                accounts_changed: Notify::new(),
                msg_id: AtomicU64::new(FIRST_MSG_ID + seed % 1_000_000 * 1_000_000_007),
                world: World { accounts: Vec::new(), ..world },
            }),
        };
        for account in accounts {
            if let Err(error) = sim.add_account(account) {
                tracing::warn!(%error, "An account of the world is left out.");
            }
        }
        sim
    }

    /// Adds an account; nobody is logged in to it yet.
    pub fn add_account(&self, spec: AccountSpec) -> Result<(), SimError> {
        let mut directory = self.shared.directory.write().unwrap_or_else(PoisonError::into_inner);
        directory.add(spec, self.shared.world.seed)?;
        drop(directory);
        self.shared.accounts_changed.notify_waiters();
        self.touch();
        Ok(())
    }

    /// Lets something go wrong from now on. Of several faults that fit a request, the first injected one happens.
    pub fn inject(&self, fault: Fault) {
        self.shared.faults.inject(fault);
    }

    /// Lets nothing go wrong any more.
    pub fn clear_faults(&self) {
        self.shared.faults.clear();
    }

    /// What clients did that they should not do, one entry per kind, in order of first sight.
    pub fn violations(&self) -> Vec<Violation> {
        self.shared.violations.list()
    }

    /// Answers one request, whichever way it came.
    pub(crate) async fn handle(&self, request: &Request) -> Outcome {
        let endpoint = Endpoint::of(&request.path);
        let fault = self.shared.faults.take(endpoint.name(), &request.host, || self.asker(request));
        if let Some(fault) = &fault {
            tracing::debug!(endpoint = endpoint.name(), ?fault, "A fault happens.");
            if let Some(outcome) = fault.before(|ret, message| shape::refusal(endpoint, ret, message)).await {
                self.touch();
                return outcome;
            }
        }
        let answer = self.answer(endpoint, request, fault.as_ref()).await;
        self.touch();
        match &fault {
            Some(fault) => fault.after(answer),
            None => Outcome::Answer(answer),
        }
    }

    async fn answer(&self, endpoint: Endpoint, request: &Request, fault: Option<&FaultKind>) -> Answer {
        let checker =
            Checker { book: &self.shared.violations, endpoint, account: None, now_ms: self.shared.clock.now_ms() };
        if !endpoint.allows(&request.method) {
            checker.hard("wrong method");
            return Answer::new(405, "text/plain", "");
        }
        let answer = match endpoint {
            Endpoint::Root => {
                Ok(Answer::new(200, "text/html", "<!DOCTYPE html><html><title>微信网页版</title></html>"))
            }
            Endpoint::JsLogin => Ok(self.jslogin(request, &checker)),
            Endpoint::Login => Ok(self.login_poll(request, &checker).await),
            Endpoint::QrCode => Ok(Answer::new(200, "image/png", PICTURE)),
            Endpoint::QrLink => {
                Ok(Answer::new(200, "text/html", "<!DOCTYPE html><html><body>请使用微信扫码</body></html>"))
            }
            Endpoint::NewLoginPage => Ok(self.new_login_page(request, &checker)),
            Endpoint::PushLoginUrl => Ok(self.push_login_url(request, &checker)),
            Endpoint::Init => self.init(request, &checker),
            Endpoint::StatusNotify => self.status_notify(request, &checker),
            Endpoint::GetContact => self.get_contact(request, &checker),
            Endpoint::BatchGetContact => self.batch_get_contact(request, &checker, fault),
            Endpoint::SyncCheck => self.sync_check(request, &checker).await,
            Endpoint::Sync => self.sync(request, &checker, fault),
            Endpoint::SendMsg
            | Endpoint::SendEmoticon
            | Endpoint::SendMsgImg
            | Endpoint::SendVideoMsg
            | Endpoint::SendAppMsg => self.send_msg(request, &checker),
            Endpoint::UploadMedia => self.upload_media(request, &checker, fault),
            Endpoint::CheckUpload => self.check_upload(request, &checker),
            Endpoint::GetMsgImg | Endpoint::GetVoice | Endpoint::GetVideo => self.get_of_message(request, &checker),
            Endpoint::GetMedia => self.get_media(request, &checker),
            Endpoint::GetIcon | Endpoint::GetHeadImg => self.get_avatar(request, &checker),
            Endpoint::GetPublicLinkImg => self.get_public_link_img(request, &checker),
            Endpoint::VerifyUser => self.verify_user(request, &checker),
            Endpoint::CreateChatRoom => self.create_chat_room(request, &checker, fault),
            Endpoint::UpdateChatRoom => self.update_chat_room(request, &checker),
            Endpoint::OpLog => self.op_log(request, &checker),
            Endpoint::RevokeMsg => self.revoke_msg(request, &checker),
            Endpoint::Logout => Ok(self.logout(request, &checker)),
            Endpoint::StatReport => self.stat_report(request, &checker),
            Endpoint::Unknown => {
                checker.hard("unknown path");
                Ok(Answer::new(404, "text/plain", ""))
            }
        };
        answer.unwrap_or_else(|ret| shape::refusal(endpoint, ret, ""))
    }

    /// Whose request it is, as far as that can be seen before it is looked at: faults can concern one account only.
    fn asker(&self, request: &Request) -> Option<String> {
        let query = request.query();
        if let Some(uuid) = query.get("uuid") {
            return self.logins().account_of(uuid);
        }
        let uin = request.cookie("wxuin").or_else(|| query.get("uin"))?.parse().ok()?;
        self.directory().with_uin(uin).map(|account| account.name.clone())
    }

    pub(crate) fn world(&self) -> &World {
        &self.shared.world
    }

    pub(crate) fn directory(&self) -> RwLockReadGuard<'_, Directory> {
        self.shared.directory.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn accounts(&self) -> Vec<Arc<Account>> {
        self.directory().list.clone()
    }

    pub(crate) fn account(&self, name: &str) -> Result<Arc<Account>, SimError> {
        self.directory().named(name).cloned().ok_or_else(|| SimError::UnknownAccount(name.to_owned()))
    }

    pub(crate) fn logins(&self) -> MutexGuard<'_, Logins> {
        self.shared.logins.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn logins_changed(&self) -> &Notify {
        &self.shared.logins_changed
    }

    /// Rings whenever a client or an order may have changed something.
    pub(crate) fn changed(&self) -> &Notify {
        &self.shared.changed
    }

    /// Rings when an account was added.
    pub(crate) fn accounts_changed(&self) -> &Notify {
        &self.shared.accounts_changed
    }

    pub(crate) fn shelf(&self) -> &Arc<Shelf> {
        &self.shared.shelf
    }

    pub(crate) fn touch(&self) {
        self.shared.changed.notify_waiters();
    }

    pub(crate) fn rng(&self) -> MutexGuard<'_, StdRng> {
        self.shared.rng.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn now_ms(&self) -> u64 {
        self.shared.clock.now_ms()
    }

    pub(crate) fn next_msg_id(&self) -> u64 {
        self.shared.msg_id.fetch_add(MSG_ID_STEP, Ordering::Relaxed)
    }
}

impl Clock {
    fn now_ms(&self) -> u64 {
        let now = self.start_since_1970 + self.start.elapsed();
        u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
    }
}

/// Reads a posted body, or answers the Ret for one that cannot be read.
pub(crate) fn body<'a, T: Deserialize<'a>>(request: &'a Request, checker: &Checker<'_>) -> Result<T, i64> {
    if wire::has_needless_escape(&request.body) {
        checker.hard("JSON body escapes what must be sent raw");
    }
    let json = |value: &HeaderValue| value.as_bytes().starts_with(b"application/json");
    if !request.headers.get(::http::header::CONTENT_TYPE).is_some_and(json) {
        checker.soft("Content-Type is not application/json");
    }
    serde_json::from_slice(&request.body).map_err(|error| {
        tracing::debug!(%error, endpoint = checker.endpoint.name(), "A body cannot be read.");
        checker.hard("body is not the JSON that is expected");
        PARSE_ERROR
    })
}
