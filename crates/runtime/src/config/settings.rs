//! What does a good `bot.toml` say?

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use serde_json::{Map, Value};
use url::Url;
use wxbot_model::AccountName;
use wxbot_model::span::Rate;
use wxbot_plugin::host::PluginFactory;
use wxbot_plugin::local::{Hours, Zone};
use wxbot_plugin::middleware::OwnStation;
use wxbot_plugin::{InitCtx, Place};

use super::diagnostic::Diagnostic;
use crate::alerts::AlertSettings;
use crate::pacing::Manners;
use crate::roles::Roles;
use crate::store::Keep;

/// A configuration without mistakes, and what is worth knowing about it.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// What the file says.
    pub config: Config,
    /// Sorted by place.
    pub warnings: Vec<Diagnostic>,
}

/// What `bot.toml` says, all defaults filled in.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where it stood.
    pub file: PathBuf,
    /// The data directory, resolved against the file's folder.
    pub data_dir: PathBuf,
    /// The media folder.
    pub media: MediaSettings,
    /// How long what has ended is kept.
    pub keep: Keep,
    /// The history of conversations.
    pub archive: ArchiveSettings,
    /// The store.
    pub store: StoreSettings,
    /// Files that plugins come from, as `bot.toml` names them; resolved against its folder.
    pub libraries: Vec<PathBuf>,
    /// Where services push to.
    pub server: ServerConfig,
    /// Who is told when something is wrong; `None`: nobody.
    pub alerts: Option<AlertSettings>,
    /// At least one, in file order; disabled ones too.
    pub accounts: Vec<AccountConfig>,
}

/// `[server]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerConfig {
    /// Whether the file has the table: then there is a server even when no account needs it.
    pub wanted: bool,
    /// Where it listens.
    pub listen: SocketAddr,
    /// Where it listens besides, for hooks whose address cannot be set.
    pub default_path_listen: Option<SocketAddr>,
    /// Whether plain HTTP on other than loopback addresses is meant.
    pub plain_is_known: bool,
    /// Names by which it may be asked besides `localhost` and addresses.
    pub hosts: Vec<String>,
    /// From where pushes may come; from everywhere when empty.
    pub allow: Vec<IpNet>,
    /// Bytes that may wait in the spool of a keeper.
    pub spool_max: u64,
}

/// How much the media folder keeps, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MediaSettings {
    /// Bytes it may hold.
    pub max_size: u64,
    /// How long a file stays after it was last used.
    pub keep: Duration,
}

impl Default for MediaSettings {
    fn default() -> Self {
        Self { max_size: 1 << 30, keep: Duration::from_secs(30 * 86_400) }
    }
}

/// How long history is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArchiveSettings {
    /// From when something was said.
    pub keep: Duration,
}

impl Default for ArchiveSettings {
    fn default() -> Self {
        Self { keep: Duration::from_secs(365 * 86_400) }
    }
}

/// What is remembered of an account's conversations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ArchivePolicy {
    /// Nothing.
    #[default]
    Off,
    /// Who said something, where, when, and of which kind.
    Metadata,
    /// What was said too.
    Full,
}

/// How what wxbot remembers is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreSettings {
    /// Bytes of the disk that stay free; 0: nobody looks.
    pub reserve: u64,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self { reserve: 256 << 20 }
    }
}

/// One `[[accounts]]` entry with the common settings under its own.
#[derive(Clone)]
pub struct AccountConfig {
    /// Its name; unique.
    pub name: AccountName,
    /// A protocol of the registry.
    pub protocol: String,
    /// A profile of the protocol; some exactly when the protocol has profiles.
    pub profile: Option<String>,
    /// Where to reach the service; `None`: the real one.
    pub endpoint: Option<Endpoint>,
    /// May hold a password; `Debug` of this struct leaves it out.
    pub proxy: Option<Url>,
    /// Whether it runs.
    pub enabled: bool,
    /// In order, each once.
    pub plugins: Vec<PluginUse>,
    /// In order, each once.
    pub middleware: Vec<MiddlewareUse>,
    /// The plugins among them.
    pub guards: Vec<PluginUse>,
    /// How fast it sends.
    pub pacing: Pacing,
    /// When it does not.
    pub quiet: Option<Quiet>,
    /// What to do with a message of which nobody knows whether it was sent.
    pub on_uncertain: OnUncertain,
    /// Whether it is shown that an answer is being written, where the service can.
    pub typing: bool,
    /// What is remembered of its conversations.
    pub archive: ArchivePolicy,
    /// Who may do what.
    pub roles: Roles,
    /// Whether the commands of wxbot itself are answered.
    pub builtin: bool,
    /// What may stand before the word of a command, the longest first.
    pub prefixes: Vec<String>,
    /// The protocol's own keys, defaults filled in.
    pub options: Map<String, Value>,
    /// Where its secrets are, by name.
    pub secrets: BTreeMap<String, SecretSource>,
}

impl fmt::Debug for AccountConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Scheme and host only: a proxy's user name is often a token as well.
        let proxy = self.proxy.as_ref().map(|url| format!("{}://{}", url.scheme(), url.host_str().unwrap_or("")));
        f.debug_struct("AccountConfig")
            .field("name", &self.name)
            .field("protocol", &self.protocol)
            .field("profile", &self.profile)
            .field("endpoint", &self.endpoint)
            .field("proxy", &proxy)
            .field("enabled", &self.enabled)
            .field("plugins", &self.plugins)
            .field("middleware", &self.middleware)
            .field("guards", &self.guards)
            .field("pacing", &self.pacing)
            .field("quiet", &self.quiet)
            .field("on_uncertain", &self.on_uncertain)
            .field("typing", &self.typing)
            .field("archive", &self.archive)
            .field("roles", &self.roles)
            .field("builtin", &self.builtin)
            .field("prefixes", &self.prefixes)
            .field("options", &self.options)
            .field("secrets", &self.secrets)
            .finish()
    }
}

/// Where an account's service is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// The built-in simulator.
    Sim,
    /// `http` or `https`, a host, perhaps a port, and nothing else.
    Url(Url),
}

/// One plugin of an account.
#[derive(Debug, Clone)]
pub struct PluginUse {
    /// A plugin of the registry.
    pub id: String,
    /// The common settings with the account's own over them; accepted by the plugin's check.
    pub settings: Value,
    /// What else it is told at its start.
    pub init: InitCtx,
    /// What its instances are made of. Another build of a library is another use.
    pub plugin: PluginFactory,
}

impl PartialEq for PluginUse {
    fn eq(&self, other: &Self) -> bool {
        (&self.id, &self.init, self.plugin.build()) == (&other.id, &other.init, other.plugin.build())
            && self.settings == other.settings
    }
}

/// One middleware of an account.
#[derive(Debug, Clone)]
pub struct MiddlewareUse {
    /// A name of the registry, of a middleware or of a plugin that guards.
    pub name: String,
    /// An object: defaults, the common settings over them, the account's own on top. Durations and rates are
    /// checked texts.
    pub settings: Value,
    /// Where they stand.
    pub place: Place,
    /// How it is made, when the program brings it.
    pub own: Option<OwnStation>,
}

/// The program does not change while it runs.
impl PartialEq for MiddlewareUse {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, &self.place) == (&other.name, &other.place) && self.settings == other.settings
    }
}

/// How fast an account sends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pacing {
    /// Over all chats of the account.
    pub per_account: Rate,
    /// How many at once before the pace applies; at least 1.
    pub burst: u32,
    /// Into one chat.
    pub per_chat: Rate,
    /// An unsent answer older than this is given up.
    pub max_age: Duration,
    /// What it keeps to besides.
    pub manners: Manners,
    /// The file lifts the pace, as for a load test: nothing of the above holds either unless the file says so itself.
    pub lifted: bool,
}

impl Pacing {
    /// These paces, and nothing besides.
    pub const fn new(per_account: Rate, burst: u32, per_chat: Rate, max_age: Duration) -> Self {
        Self { per_account, burst, per_chat, max_age, manners: Manners::NONE, lifted: false }
    }

    /// The same paces with these manners.
    #[must_use]
    pub const fn with(self, manners: Manners) -> Self {
        Self { manners, ..self }
    }
}

/// Hours in which an account is quiet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quiet {
    /// Which.
    pub hours: Hours,
    /// By whose clock.
    pub zone: Zone,
    /// Whether answers wait too.
    pub answers_too: bool,
}

/// What to do with a message of which nobody knows whether it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnUncertain {
    /// Wait for a person's decision.
    #[default]
    Hold,
    /// Send it again: it may arrive twice.
    Resend,
    /// Give it up: it may never arrive.
    Drop,
}

/// Where a secret is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// The environment variable of this name.
    Env(String),
    /// This file, resolved against the folder of `bot.toml`.
    File(PathBuf),
}
