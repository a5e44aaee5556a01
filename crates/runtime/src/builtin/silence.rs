//! Which plugins are silenced in which chats? In the store, and in memory for each event to look at.

use std::collections::{HashMap, HashSet};
use std::sync::{PoisonError, RwLock};

use wxbot_model::{AccountName, ContactId};

use crate::store::{Store, StoreError};

const PREFIX: &str = "off:";
/// What the rows belong to. No plugin can be called so.
const OWNER: &str = "wxbot";

/// What `/plugin off` silenced in an account.
#[derive(Debug, Default)]
pub(crate) struct Silenced(RwLock<HashMap<ContactId, HashSet<String>>>);

impl Silenced {
    /// The key of the row that says so.
    pub(super) fn key(chat: &ContactId, plugin: &str) -> String {
        format!("{PREFIX}{chat}:{plugin}")
    }

    /// Whether the plugin is silenced in the chat.
    pub(crate) fn has(&self, chat: &ContactId, plugin: &str) -> bool {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        // Mostly nothing is: then the chat is not even hashed.
        !all.is_empty() && all.get(chat).is_some_and(|plugins| plugins.contains(plugin))
    }

    /// Silences it, or ends that.
    pub(super) fn set(&self, chat: &ContactId, plugin: &str, off: bool) {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if off {
            all.entry(chat.clone()).or_default().insert(plugin.to_owned());
        } else if let Some(plugins) = all.get_mut(chat) {
            plugins.remove(plugin);
            if plugins.is_empty() {
                all.remove(chat);
            }
        }
    }

    /// Reads what a former run left.
    ///
    /// # Errors
    /// When the store cannot be read: better no start than a plugin that talks where it was silenced.
    pub(crate) async fn load(&self, store: &dyn Store, account: &AccountName) -> Result<(), StoreError> {
        for (of, key, _) in store.kv_scan(OWNER, PREFIX).await? {
            let place = key.strip_prefix(PREFIX).and_then(|rest| rest.split_once(':'));
            if let Some((chat, plugin)) = place
                && of == *account
                && let Ok(chat) = chat.parse()
            {
                self.set(&chat, plugin, true);
            }
        }
        Ok(())
    }
}
