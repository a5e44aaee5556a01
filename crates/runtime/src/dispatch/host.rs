//! What does a handler find behind its `Ctx`? The store's KV, the clock, chance, and the account's contacts.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, Weak};

use futures_util::future::BoxFuture;
use serde_json::Value;
use wxbot_core::source::Source;
use wxbot_model::{AccountName, Contact, ContactId};
use wxbot_plugin::host::Host;
use wxbot_plugin::{ContactQuery, FoundContact, PluginError, RoomMember};

use crate::account::Account;
use crate::contacts;
use crate::store::Store;

/// The runtime as plugins see it.
pub(crate) struct RuntimeHost {
    store: Arc<dyn Store>,
    source: Source,
    /// Set once the accounts exist; weak, since accounts hold the plugins that hold this.
    accounts: OnceLock<HashMap<AccountName, Weak<Account>>>,
}

impl RuntimeHost {
    pub(crate) fn new(store: Arc<dyn Store>, source: Source) -> Self {
        Self { store, source, accounts: OnceLock::new() }
    }

    pub(crate) fn know(&self, accounts: &[Arc<Account>]) {
        self.accounts.set(accounts.iter().map(|a| (a.name.clone(), Arc::downgrade(a))).collect()).ok();
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

    fn find_contacts(&self, account: &AccountName, query: &ContactQuery) -> Vec<FoundContact> {
        let account = self.accounts.get().and_then(|accounts| accounts.get(account)?.upgrade());
        account.map(|account| account.find_contacts(query)).unwrap_or_default()
    }

    fn members<'a>(
        &'a self,
        account: &'a AccountName,
        room: &'a ContactId,
    ) -> BoxFuture<'a, Result<Vec<RoomMember>, PluginError>> {
        Box::pin(async move {
            let account = self.accounts.get().and_then(|accounts| accounts.get(account)?.upgrade());
            let account = account.ok_or_else(|| PluginError::msg("wxbot is stopping"))?;
            contacts::ask::members(&account, room).await.map_err(PluginError::msg)
        })
    }

    fn contact(&self, account: &AccountName, id: &ContactId) -> Option<Contact> {
        let account = self.accounts.get()?.get(account)?.upgrade()?;
        account.read_contacts(|book| book.contact(id).map(|c| (**c).clone()))
    }
}
