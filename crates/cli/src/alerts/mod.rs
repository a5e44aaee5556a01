//! How is somebody told that something is wrong? By every way that `[alerts]` names, each tried again where it fails.
//!
//! The runtime says what is told and when (`wxbot_runtime::alerts`); here it is put into the form that a way takes:
//! [`webhook`] an address, [`command`] a program, or another account's outbox. [`code`] has a QR code made where one is
//! wanted, [`kept`] remembers what became of it all.

mod code;
mod command;
pub(crate) mod kept;
mod sign;
mod webhook;

pub(crate) use self::command::place as command_place;
pub(crate) use self::webhook::address as webhook_address;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::task::JoinSet;
use wxbot_core::http::HttpTransport;
use wxbot_core::transport::Transport;
use wxbot_runtime::account::Account;
use wxbot_runtime::alerts::{AlertSettings, Bulletin, Deliver, Memory, send};
use wxbot_runtime::roster::Roster;

use self::code::Code;
use self::kept::Kept;
use crate::control::now_ms;
use crate::words::Lang;

/// Before the second, third and fourth try of a way.
const WAITS: [Duration; 3] = [Duration::from_secs(5), Duration::from_secs(30), Duration::from_secs(120)];
/// Bytes of a text that goes through an account, or to a program.
const IN_A_CHAT: usize = 2_000;

/// Delivers alerts.
pub(crate) struct Courier {
    shared: Arc<Shared>,
}

struct Shared {
    roster: Roster,
    transport: Arc<dyn Transport>,
    /// The folder of `bot.toml`.
    folder: PathBuf,
    /// The data directory.
    data: PathBuf,
    lang: Lang,
    kept: Kept,
    /// Pictures of codes that still have to go.
    codes: Mutex<JoinSet<()>>,
}

impl Courier {
    /// One for the accounts of this list.
    ///
    /// # Errors
    /// When no carrier can be made.
    pub(crate) fn new(roster: Roster, folder: PathBuf, data: PathBuf) -> Result<Self, wxbot_core::Error> {
        let transport: Arc<dyn Transport> = Arc::new(HttpTransport::new(None)?);
        code::sweep(&data);
        let (lang, kept, codes) = (Lang::of_environment(), Kept::open(&data), Mutex::default());
        Ok(Self { shared: Arc::new(Shared { roster, transport, folder, data, lang, kept, codes }) })
    }

    /// What a former run left.
    pub(crate) fn memory(&self) -> Memory {
        self.shared.kept.memory()
    }
}

impl Deliver for Courier {
    fn deliver(&self, bulletin: Bulletin, settings: AlertSettings) -> BoxFuture<'static, ()> {
        let shared = Arc::clone(&self.shared);
        Box::pin(async move { shared.deliver(&bulletin, &settings).await })
    }

    fn remember(&self, memory: &Memory) {
        self.shared.kept.remember(memory);
    }
}

impl Shared {
    async fn deliver(&self, bulletin: &Bulletin, settings: &AlertSettings) {
        let codes = if settings.qr { code::made_for(bulletin, &self.roster).await } else { Vec::new() };
        let webhook = async {
            let Some(webhook) = &settings.webhook else { return };
            let post = || webhook::post(&*self.transport, webhook, bulletin, &codes, self.lang);
            self.try_by("webhook", post).await;
        };
        let command = async {
            if settings.command.is_empty() {
                return;
            }
            let pictures = self.pictures(&codes);
            let run = || command::run(&settings.command, &self.folder, bulletin, &pictures, self.lang);
            self.try_by("command", run).await;
        };
        let via = async {
            let Some((account, to)) = &settings.via else { return };
            let send = || async move {
                let sender = self.sender(account.as_str(), bulletin)?;
                // A code is as good as the account, and a chat is read by others: it never goes this way.
                send::send(&sender, to, bulletin.text(self.lang.into(), now_ms(), IN_A_CHAT)).await
            };
            self.try_by("via", send).await;
        };
        tokio::join!(webhook, command, via);
    }

    /// The account that alerts go through: never the one that they are about.
    fn sender(&self, name: &str, bulletin: &Bulletin) -> Result<Arc<Account>, String> {
        let sick = bulletin.opened.iter().chain(&bulletin.repeated);
        if sick.filter(|report| !report.state.is_empty()).any(|report| report.subject.account() == Some(name)) {
            return Err(format!("account `{name}` is itself the one that does not work"));
        }
        let found = self.roster.now().iter().find(|account| account.name.as_str() == name).cloned();
        found.ok_or_else(|| format!("account `{name}` does not run"))
    }

    /// Tries a way four times, and keeps what came of it.
    async fn try_by<F: Future<Output = Result<(), String>>>(&self, way: &'static str, mut once: impl FnMut() -> F) {
        let mut waits = WAITS.into_iter();
        loop {
            let why = match once().await {
                Ok(()) => {
                    tracing::info!(way, "An alert was delivered.");
                    return self.kept.delivered(way, now_ms());
                }
                Err(why) => why,
            };
            match waits.next() {
                Some(wait) => {
                    tracing::warn!(way, %why, again_in_s = wait.as_secs(), "An alert was not delivered.");
                    tokio::time::sleep(wait).await;
                }
                None => {
                    tracing::error!(way, %why, "An alert was not delivered in four tries, and is given up.");
                    return self.kept.failed(way, &why, now_ms());
                }
            }
        }
    }

    /// The codes as pictures in the data directory, each until it is scanned, over, or five minutes old.
    fn pictures(&self, codes: &[Code]) -> Vec<(String, PathBuf)> {
        let mut watching = self.codes.lock().unwrap_or_else(PoisonError::into_inner);
        while watching.try_join_next().is_some() {}
        codes.iter().filter_map(|code| code.picture(&self.data, &mut watching)).collect()
    }
}

impl std::fmt::Debug for Courier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Courier").field("roster", &self.shared.roster).finish_non_exhaustive()
    }
}
