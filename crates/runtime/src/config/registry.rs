//! What does this binary know: which protocols, plugins and middleware?

use wxbot_model::Capabilities;
use wxbot_plugin::host::PluginFactory;

use super::keys::Key;
use super::settings::Pacing;

/// One protocol as configuration sees it.
#[derive(Debug, Clone)]
pub struct ProtocolSpec {
    /// The word of `protocol = "…"`.
    pub name: &'static str,
    /// One sentence for lists.
    pub about: &'static str,
    /// The words of `profile = "…"`; empty for a protocol without profiles. With exactly one it need not be written.
    pub profiles: &'static [&'static str],
    /// What an account of it can do.
    pub capabilities: Capabilities,
    /// Whether `endpoint` may be given.
    pub takes_endpoint: bool,
    /// Whether `proxy` may be given.
    pub takes_proxy: bool,
    /// True for what a process has once, like its terminal: at most one enabled account may use it.
    pub only_one: bool,
    /// Keys of its own in an account.
    pub options: &'static [Key],
    /// Its pace where nobody says otherwise.
    pub pacing: Pacing,
}

/// What this binary knows. The binary fills it in; nothing else names protocols or plugins.
#[derive(Debug, Clone)]
pub struct Registry {
    /// In the order they are shown.
    pub protocols: Vec<ProtocolSpec>,
    /// In the order they are shown.
    pub plugins: Vec<PluginFactory>,
    /// Names of middleware, [`DEFAULT_MIDDLEWARE`](super::DEFAULT_MIDDLEWARE) among them.
    pub middleware: Vec<&'static str>,
}

impl Registry {
    /// The protocol of this name.
    pub fn protocol(&self, name: &str) -> Option<&ProtocolSpec> {
        self.protocols.iter().find(|protocol| protocol.name == name)
    }

    /// The plugin of this id.
    pub fn plugin(&self, id: &str) -> Option<&PluginFactory> {
        self.plugins.iter().find(|plugin| plugin.id() == id)
    }

    /// The plugin of this id, if it may stand in `middleware = [...]`. The name of a built-in middleware is that one's.
    pub(super) fn guard(&self, name: &str) -> Option<&PluginFactory> {
        self.plugin(name).filter(|plugin| plugin.manifest().guards && !self.middleware.contains(&name))
    }

    /// All names that `middleware = [...]` may hold.
    pub(super) fn stations(&self) -> Vec<&str> {
        let guards = self.plugins.iter().filter_map(|plugin| self.guard(plugin.id())).map(|plugin| plugin.id());
        self.middleware.iter().copied().chain(guards).collect()
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
