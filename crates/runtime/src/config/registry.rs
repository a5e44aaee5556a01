//! What does this binary know: which protocols, plugins and middleware?

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value};
use wxbot_model::{Capabilities, Capability};
use wxbot_plugin::host::PluginFactory;
use wxbot_plugin::middleware::{OwnStation, Station};
use wxbot_plugin::{ConfigProblem, Plugin};

use super::keys::Key;
use super::libraries::Libraries;
use super::settings::Pacing;

/// Judges the options of one account, and answers what that account can do. Places are JSON pointers into the account's
/// table.
///
/// # Errors
/// All that is wrong.
pub type Judge = fn(&Said<'_>) -> Result<Capabilities, Vec<ConfigProblem>>;

/// Which actions of a protocol's tables make an ability, any one of them: what an account of this profile can be given
/// under `[accounts.actions.<name>]`. None where its tables have no say.
pub type Supplies = fn(Option<&str>, Capability) -> &'static [&'static str];

/// What an account says of its protocol, defaults filled in.
#[derive(Debug, Clone, Copy)]
pub struct Said<'a> {
    /// Its profile; none where the protocol has none, or none was chosen.
    pub profile: Option<&'a str>,
    /// The protocol's own keys.
    pub options: &'a Map<String, Value>,
    /// The names under `[accounts.secrets]`.
    pub secrets: &'a BTreeSet<String>,
}

/// One protocol as configuration sees it.
#[derive(Debug, Clone)]
pub struct ProtocolSpec {
    /// The word of `protocol = "…"`.
    pub name: &'static str,
    /// One sentence for lists.
    pub about: &'static str,
    /// The words of `profile = "…"`; empty for a protocol without profiles. With exactly one it need not be written.
    pub profiles: &'static [&'static str],
    /// What an account of it can do; with a `judge`, what the best of them can.
    pub capabilities: Capabilities,
    /// Whether the built-in simulator plays its service: `endpoint = "sim"`.
    pub simulated: bool,
    /// Judges what the keys cannot say, for protocols whose accounts differ.
    pub judge: Option<Judge>,
    /// Which actions the owner can write for what an account lacks; `None` where accounts have no actions.
    pub supplies: Option<Supplies>,
    /// Why there are no rooms, where the service has none at all: a plugin that keeps watch over rooms cannot run there
    /// whatever it is set to do.
    pub direct_only: Option<&'static str>,
    /// Whether `endpoint` may be given.
    pub takes_endpoint: bool,
    /// Whether `proxy` may be given.
    pub takes_proxy: bool,
    /// True for what a process has once, like its terminal: at most one enabled account may use it, and who sits there
    /// is the owner unless `[accounts.roles]` names somebody.
    pub only_one: bool,
    /// Keys of its own in an account.
    pub options: &'static [Key],
    /// Its pace where nobody says otherwise.
    pub pacing: Pacing,
}

/// What this binary knows. The binary fills it in; nothing else names protocols or plugins.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    /// In the order they are shown.
    pub protocols: Vec<ProtocolSpec>,
    /// In the order they are shown.
    pub plugins: Vec<PluginFactory>,
    /// What opens plugins that are files; `None`: nothing does.
    pub libraries: Option<Arc<dyn Libraries>>,
    /// Middleware: what is built in ([`DEFAULT_MIDDLEWARE`](super::DEFAULT_MIDDLEWARE)), and what the program brings.
    pub middleware: Vec<Station>,
}

impl Registry {
    /// The protocol of this name.
    pub fn protocol(&self, name: &str) -> Option<&ProtocolSpec> {
        self.protocols.iter().find(|protocol| protocol.name == name)
    }

    /// Adds a linked plugin, in place of one of the same id.
    pub fn add_static<P: Plugin>(&mut self) {
        self.put(PluginFactory::of::<P>());
    }

    /// Adds a plugin, in place of one of the same id.
    pub fn put(&mut self, plugin: PluginFactory) {
        self.plugins.retain(|other| other.id() != plugin.id());
        self.plugins.push(plugin);
    }

    /// The plugin of this id.
    pub fn plugin(&self, id: &str) -> Option<&PluginFactory> {
        self.plugins.iter().find(|plugin| plugin.id() == id)
    }

    /// The middleware of this name.
    pub fn station(&self, name: &str) -> Option<&Station> {
        self.middleware.iter().find(|station| station.name == name)
    }

    /// Adds a middleware; one of the same name goes.
    pub fn add_station(&mut self, station: Station) {
        self.middleware.retain(|known| known.name != station.name);
        self.middleware.push(station);
    }

    /// The middleware that the program brings.
    pub(super) fn own_stations(&self) -> impl Iterator<Item = (&'static str, OwnStation)> + Clone {
        self.middleware.iter().filter_map(|station| Some((station.name, station.own?)))
    }

    /// The plugin of this id, if it may stand in `middleware = [...]`. The name of a middleware is that one's.
    pub(super) fn guard(&self, name: &str) -> Option<&PluginFactory> {
        self.plugin(name).filter(|plugin| plugin.manifest().guards && self.station(name).is_none())
    }

    /// All names that `middleware = [...]` may hold.
    pub(super) fn stations(&self) -> Vec<&str> {
        let guards = self.plugins.iter().filter_map(|plugin| self.guard(plugin.id())).map(|plugin| plugin.id());
        self.middleware.iter().map(|station| station.name).chain(guards).collect()
    }

    /// The protocols that have an option of this name.
    pub(super) fn protocols_with_option(&self, name: &str) -> Vec<&'static str> {
        self.protocols
            .iter()
            .filter(|protocol| protocol.options.iter().any(|key| key.name == name))
            .map(|protocol| protocol.name)
            .collect()
    }
}
