//! What does a handler find behind its `Ctx`? The store's KV, the clock, chance, the account's contacts and media.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::Value;
use wxbot_core::source::Source;
use wxbot_model::{AccountName, Action, Capabilities, Capability, Contact, ContactId, MediaHandle};
use wxbot_plugin::host::{Host, Receipt};
use wxbot_plugin::{Budget, ContactQuery, FoundContact, KvPage, MediaError, MediaFile, PluginError, Role, RoomMember};

use super::send_now;
use crate::account::Account;
use crate::contacts;
use crate::media::Wanted;
use crate::pacing;
use crate::store::Store;

/// How long a handler waits for bytes: less than its deadline, so that it can still answer something.
const FETCH_PATIENCE: Duration = Duration::from_secs(25);

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

    fn account(&self, name: &AccountName) -> Option<Arc<Account>> {
        self.accounts.read().unwrap_or_else(PoisonError::into_inner).get(name)?.upgrade()
    }

    fn able(&self, name: &AccountName, what: Capability) -> Result<Arc<Account>, MediaError> {
        let account = self.account(name).ok_or_else(|| MediaError::NotNow { why: "wxbot stops".into() })?;
        if account.settings().protocol.capabilities().has(what) {
            return Ok(account);
        }
        Err(MediaError::Refused {
            why: format!("account `{name}` ({}) cannot do that: `{what}`", account.protocol_name()),
        })
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

    fn kv_list<'a>(
        &'a self,
        plugin: &'a str,
        account: &'a AccountName,
        prefix: &'a str,
        page: KvPage,
    ) -> BoxFuture<'a, Result<Vec<(String, Value)>, PluginError>> {
        let limit = page.limit.min(KvPage::MOST);
        Box::pin(async move { Ok(self.store.kv_list(plugin, account, prefix, page.after.as_deref(), limit).await?) })
    }

    fn capabilities(&self, account: &AccountName) -> Capabilities {
        self.account(account).map(|account| account.settings().protocol.capabilities()).unwrap_or_default()
    }

    fn people(&self, account: &AccountName, role: &Role, room: Option<&ContactId>) -> Vec<ContactId> {
        self.account(account).map(|account| account.settings().config.roles.holders(role, room)).unwrap_or_default()
    }

    fn find_contacts(&self, account: &AccountName, query: &ContactQuery) -> Vec<FoundContact> {
        let account = self.account(account);
        account.map(|account| account.find_contacts(query)).unwrap_or_default()
    }

    fn members<'a>(
        &'a self,
        account: &'a AccountName,
        room: &'a ContactId,
    ) -> BoxFuture<'a, Result<Vec<RoomMember>, PluginError>> {
        Box::pin(async move {
            let account = self.account(account);
            let account = account.ok_or_else(|| PluginError::msg("wxbot is stopping"))?;
            contacts::ask::members(&account, room).await.map_err(PluginError::msg)
        })
    }

    fn budget<'a>(
        &'a self,
        account: &'a AccountName,
        chat: &'a ContactId,
    ) -> BoxFuture<'a, Result<Budget, PluginError>> {
        Box::pin(async move {
            let account = self.account(account).ok_or_else(|| PluginError::msg("wxbot is stopping"))?;
            Ok(pacing::now::budget(&account, chat).await?)
        })
    }

    fn send_now<'a>(
        &'a self,
        plugin: &'a str,
        account: &'a AccountName,
        action: Action,
    ) -> BoxFuture<'a, Result<Receipt, PluginError>> {
        Box::pin(async move {
            let account = self.account(account).ok_or_else(|| PluginError::msg("wxbot is stopping"))?;
            send_now::send_now(&account, plugin, action).await
        })
    }

    fn contact(&self, account: &AccountName, id: &ContactId) -> Option<Contact> {
        self.account(account)?.read_contacts(|book| book.contact(id).map(|c| (**c).clone()))
    }

    fn media<'a>(
        &'a self,
        account: &'a AccountName,
        media: &'a MediaHandle,
        name: &'a str,
    ) -> BoxFuture<'a, Result<MediaFile, MediaError>> {
        Box::pin(async move {
            let account = self.able(account, Capability::FetchMedia)?;
            let wanted = Wanted::media(&account.name, media, name);
            let held = account.media.fetch(wanted, account.sender.subscribe(), FETCH_PATIENCE).await?;
            Ok(held.for_plugin())
        })
    }

    fn avatar<'a>(
        &'a self,
        account: &'a AccountName,
        of: &'a ContactId,
        room: Option<&'a ContactId>,
    ) -> BoxFuture<'a, Result<MediaFile, MediaError>> {
        Box::pin(async move {
            let account = self.able(account, Capability::FetchAvatar)?;
            let met = |id: &ContactId| {
                let peer = account.read_contacts(|book| book.peer_of(id).cloned());
                peer.ok_or_else(|| MediaError::NotNow { why: format!("{id} was not met in this login yet") })
            };
            let wanted = Wanted::avatar(&account.name, of, met(of)?, room.map(met).transpose()?);
            let held = account.media.fetch(wanted, account.sender.subscribe(), FETCH_PATIENCE).await?;
            Ok(held.for_plugin())
        })
    }
}
