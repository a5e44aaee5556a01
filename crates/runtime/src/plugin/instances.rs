//! Which instances of plugins are there, and when does one end? Accounts with the same settings share one.

use std::ops::Deref;
use std::sync::{Arc, Weak};

use tokio::task::JoinSet;
use tokio_util::sync::{CancellationToken, DropGuard};
use wxbot_plugin::host::Host;

use super::{ActivePlugin, PluginStartError};
use crate::config::{PluginUse, Registry};

/// An instance in use: by the settings of accounts, and by each handler that began with them. With the last of them the
/// instance is stopped.
pub(crate) struct Held {
    plugin: Arc<ActivePlugin>,
    _unused: DropGuard,
}

impl Deref for Held {
    type Target = ActivePlugin;

    fn deref(&self) -> &ActivePlugin {
        &self.plugin
    }
}

/// All instances of this process.
#[derive(Default)]
pub(crate) struct Instances {
    list: Vec<(PluginUse, Weak<Held>)>,
    /// One task per instance: it waits for the instance's end and stops it.
    keepers: JoinSet<()>,
    closing: CancellationToken,
}

impl Instances {
    /// The instance with these settings: the one that runs, memory and all, or a new one.
    pub(crate) async fn get(
        &mut self,
        registry: &Registry,
        wanted: &PluginUse,
        host: &Arc<dyn Host>,
    ) -> Result<Arc<Held>, PluginStartError> {
        self.tidy();
        let same = self.list.iter().find(|(used, _)| used == wanted);
        if let Some(held) = same.and_then(|(_, held)| held.upgrade()) {
            return Ok(held);
        }
        let factory = registry
            .plugin(&wanted.id)
            .ok_or_else(|| PluginStartError { id: wanted.id.clone(), why: "it is not built in".into() })?;
        let plugin = ActivePlugin::start(factory, wanted, Arc::clone(host)).await?;
        let unused = CancellationToken::new();
        let (keeping, gone, closing) = (Arc::clone(&plugin), unused.clone(), self.closing.clone());
        self.keepers.spawn(async move {
            tokio::select! {
                () = gone.cancelled() => {}
                () = closing.cancelled() => {}
            }
            keeping.stop().await;
        });
        let held = Arc::new(Held { plugin, _unused: unused.drop_guard() });
        self.list.push((wanted.clone(), Arc::downgrade(&held)));
        Ok(held)
    }

    /// Forgets what has ended.
    fn tidy(&mut self) {
        self.list.retain(|(_, held)| held.strong_count() > 0);
        while self.keepers.try_join_next().is_some() {}
    }

    /// Stops all, in use or not.
    pub(crate) async fn close(mut self) {
        self.closing.cancel();
        // Each stops within its own deadline.
        while self.keepers.join_next().await.is_some() {}
    }
}
