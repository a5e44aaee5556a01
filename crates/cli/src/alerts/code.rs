//! How does an alert come with a QR code? Only where `bot.toml` says so: a code is made once for each account that needs a
//! login, and is worth the account for five minutes.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;
use wxbot_model::Secret;
use wxbot_runtime::account::Account;
use wxbot_runtime::alerts::Bulletin;
use wxbot_runtime::roster::Roster;
use wxbot_runtime::session::cure::Cure;
use wxbot_runtime::session::phase::Phase;

use crate::qr::{LIFE, QrFile};
use crate::words::Lang;

/// Codes in one bulletin. More accounts than that are logged in at a terminal.
const CODES: usize = 3;
/// How long the service may take to give one.
const WITHIN: Duration = Duration::from_secs(20);
/// The folder of the pictures in the data directory.
const FOLDER: &str = "qr";

/// Removes what a former run left when it was killed.
pub(super) fn sweep(data: &Path) {
    let folder = data.join(FOLDER);
    if let Err(error) = std::fs::remove_dir_all(&folder)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::error!(path = %folder.display(), %error, "QR codes of a former run cannot be removed; remove them by hand.");
    }
}

/// A code that waits to be scanned.
pub(super) struct Code {
    account: String,
    /// What it holds.
    payload: Secret<String>,
    /// Where the service has it as a picture.
    image_url: Secret<String>,
    uuid: String,
    watched: Option<Arc<Account>>,
}

/// Has codes made for the accounts of a bulletin that need a login and nothing but that. One that risk control stopped gets
/// none: a login is what it must not do by itself.
pub(super) async fn made_for(bulletin: &Bulletin, roster: &Roster) -> Vec<Code> {
    let needs = bulletin.opened.iter().chain(&bulletin.repeated).filter(|report| report.cure == Cure::LogIn);
    let running = roster.now();
    let accounts = needs.filter_map(|report| {
        let name = report.subject.account()?;
        running.iter().find(|account| account.name.as_str() == name).cloned()
    });
    let mut asking = JoinSet::new();
    accounts.take(CODES).for_each(|account| drop(asking.spawn(code_of(account))));
    let mut codes = Vec::new();
    while let Some(code) = asking.join_next().await {
        codes.extend(code.ok().flatten());
    }
    codes
}

async fn code_of(account: Arc<Account>) -> Option<Code> {
    // Until there is a code: nobody stands there to see a second one, so none is asked for.
    let _interest = account.ask_login();
    let mut status = account.status();
    let shown = status.wait_for(|status| match &status.phase {
        Phase::AwaitingScan { payload, .. } => !payload.is_empty(),
        Phase::Online => true,
        Phase::Starting
        | Phase::AwaitingConfirm
        | Phase::AwaitingCode { .. }
        | Phase::Reconnecting { .. }
        | Phase::Degraded
        | Phase::NeedsLogin
        | Phase::LoggedOut
        | Phase::Stopped => false,
    });
    let phase = tokio::time::timeout(WITHIN, shown).await.ok()?.ok()?.phase.clone();
    let Phase::AwaitingScan { payload, image_url, uuid, .. } = phase else { return None };
    let (payload, image_url) = (Secret::new(payload), Secret::new(image_url));
    Some(Code { account: account.name.to_string(), payload, image_url, uuid, watched: Some(account) })
}

impl Code {
    #[cfg(test)]
    pub(super) fn sample(account: &str, payload: &str, image_url: &str) -> Self {
        let (payload, image_url) = (Secret::new(payload.to_owned()), Secret::new(image_url.to_owned()));
        Self { account: account.to_owned(), payload, image_url, uuid: "u".to_owned(), watched: None }
    }

    /// For programs.
    pub(super) fn json(&self) -> Value {
        json!({ "account": self.account, "url": self.payload.expose(), "image_url": self.image_url.expose() })
    }

    /// For people in a group.
    pub(super) fn line(&self, lang: Lang) -> String {
        let words = lang.pick("scan within 5 min:", "请在 5 分钟内扫码:");
        format!("{} {words} {}", self.account, self.image_url.expose())
    }

    /// As a picture that only its owner can read, and that goes when the code is scanned, over, or five minutes old.
    pub(super) fn picture(&self, data: &Path, watching: &mut JoinSet<()>) -> Option<(String, PathBuf)> {
        let account = self.watched.as_ref()?;
        let folder = data.join(FOLDER);
        let made = QrFile::folder(&folder)
            .and_then(|()| QrFile::write(self.payload.expose(), &folder.join(format!("{}.png", self.account))));
        let file = match made {
            Ok(file) => file,
            Err(failure) => {
                tracing::warn!(account = %self.account, why = %failure, "A QR code cannot be written.");
                return None;
            }
        };
        let path = std::path::absolute(file.path()).unwrap_or_else(|_| file.path().to_owned());
        let (mut status, uuid) = (account.status(), self.uuid.clone());
        watching.spawn(async move {
            let over = status
                .wait_for(|status| !matches!(&status.phase, Phase::AwaitingScan { uuid: shown, .. } if *shown == uuid));
            tokio::time::timeout(LIFE, over).await.map(drop).ok();
            drop(file);
        });
        Some((self.account.clone(), path))
    }
}

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Code({})", self.account)
    }
}
