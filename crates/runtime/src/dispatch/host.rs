//! What does a handler find behind its `Ctx`? The store's KV, the clock, chance, and the account's contacts.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, Weak};

use futures_util::future::BoxFuture;
use serde_json::Value;
use wxbot_core::source::Source;
use wxbot_model::{AccountName, Contact, ContactId};
use wxbot_plugin::PluginError;
use wxbot_plugin::host::Host;

use crate::account::Account;
use crate::store::Store;

/// The runtime as plugins see it.
pub(crate) struct RuntimeHost {
    store: Arc<dyn Store>,
    source: Source,
    /// Weak, since accounts hold the plugins that hold this.
    accounts: RwLock<HashMap<AccountName, Weak<Account>>>,
}

impl RuntimeHost {
    pub(crate) fn new(store: Arc<dyn Store>, source: Source) -> Self {
        Self { store, source, accounts: RwLock::default() }
    }

    /// Knows these accounts, and no longer those that have ended. One that is just leaving stays: its last handlers ask.
    pub(crate) fn know(&self, accounts: &[Arc<Account>]) {
        let mut known = self.accounts.write().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, account| account.strong_count() > 0);
        known.extend(accounts.iter().map(|a| (a.name.clone(), Arc::downgrade(a))));
    }
}

impl Host for RuntimeHost {
    fn now_ms(&self) -> i64 {
        self.source.now_ms()
    }

    fn random_u64(&self) -> u64 {
        self.source.random_u64()
    }

    fn kv_get<'a>(
        &'a self,
        plugin: &'a str,
        account: &'a AccountName,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Option<Value>, PluginError>> {
        Box::pin(async move { Ok(self.store.kv_get(plugin, account, key).await?) })
    }

    fn contact(&self, account: &AccountName, id: &ContactId) -> Option<Contact> {
        let account = self.accounts.read().unwrap_or_else(PoisonError::into_inner).get(account)?.upgrade()?;
        account.read_contacts(|book| book.contact(id).map(|c| (**c).clone()))
    }
}
