//! When must somebody be told that something is wrong, and what? Incidents are decided here; who is told, and how, is the
//! program's: the runtime has no way to the outside but its accounts.
//!
//! [`book`] decides, without I/O: what is an incident, when it begins, is repeated and ends, and what is gathered into one
//! [`Bulletin`] → `tell` puts a bulletin into words → [`watch`] looks at accounts, store and disk, and hands bulletins on, one
//! at a time → [`send`] is the way through the outbox of another account. Why so:
//! `docs/adr/0028-one-alert-per-incident.md`.

pub mod book;
pub mod send;
mod tell;
pub mod watch;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use wxbot_model::{AccountName, ContactId};

pub use book::{Book, Memory, Sight, Sights};
pub use watch::{Deliver, Watched};

use crate::config::SecretSource;
use crate::session::cure::Cure;

/// What stays free of the disk where `[store]` does not say otherwise.
pub const DISK_RESERVE: u64 = 256 << 20;

/// What `[alerts]` of `bot.toml` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertSettings {
    /// How long an account may be out of work before somebody is told. One that needs a login is told at once.
    pub after: Duration,
    /// How often an incident that goes on is told again.
    pub repeat: Duration,
    /// Whether the end of an incident is told too.
    pub all_clear: bool,
    /// More held sends of one account than this are an incident.
    pub uncertain: u64,
    /// Whether a QR code is made and told when a login is needed.
    pub qr: bool,
    /// Where to POST to.
    pub webhook: Option<Webhook>,
    /// A program and its arguments; empty: none.
    pub command: Vec<String>,
    /// What `[store]` wants to stay free of the disk, in bytes: less is an incident.
    pub reserve: u64,
    /// Through the outbox of which account, and to whom.
    pub via: Option<(AccountName, ContactId)>,
}

/// An address that takes alerts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Where its address is: whoever has it can write into the group behind it.
    pub url: SecretSource,
    /// What it understands.
    pub format: Format,
    /// Where the secret is that posts are signed with; robots of DingTalk and Feishu have one.
    pub sign_secret: Option<SecretSource>,
}

/// What a webhook understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// All facts as JSON.
    #[default]
    Json,
    /// A text for a group robot of WeCom.
    Wecom,
    /// A text for a group robot of DingTalk.
    Dingtalk,
    /// A text for a group robot of Feishu.
    Feishu,
}

/// What an incident is about. One of each at a time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "about")]
pub enum Subject {
    /// The disk has less than its reserve.
    Disk,
    /// An account does not work.
    Account {
        /// Its name.
        account: String,
    },
    /// Events of an account were given up.
    Dead {
        /// Its name.
        account: String,
    },
    /// Too many sends of an account are held, for nobody knows whether they went out.
    Uncertain {
        /// Its name.
        account: String,
    },
}

impl Subject {
    /// Whose it is; `None`: of all.
    pub fn account(&self) -> Option<&str> {
        match self {
            Self::Disk => None,
            Self::Account { account } | Self::Dead { account } | Self::Uncertain { account } => Some(account),
        }
    }
}

/// What is told of one incident. Holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// What it is about.
    #[serde(flatten)]
    pub subject: Subject,
    /// Since when, milliseconds since 1970.
    pub since_ms: i64,
    /// The word of the account's state; empty where it is about something else.
    pub state: String,
    /// Why, at most 300 characters.
    pub why: String,
    /// What to do, for programs.
    pub cure: Cure,
    /// Events given up, sends held, bytes that are free.
    pub count: u64,
}

/// What is told at once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Bulletin {
    /// Incidents that began.
    pub opened: Vec<Report>,
    /// Incidents that go on and were told before.
    pub repeated: Vec<Report>,
    /// Incidents that are over.
    pub ended: Vec<Report>,
}

impl Bulletin {
    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.opened.is_empty() && self.repeated.is_empty() && self.ended.is_empty()
    }

    /// The accounts it names, each once.
    pub fn accounts(&self) -> Vec<&str> {
        let all = self.opened.iter().chain(&self.repeated).chain(&self.ended);
        let mut names: Vec<&str> = all.filter_map(|report| report.subject.account()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}
