//! What may a handler ask while it runs? Its KV values, the time, chance, contacts, the bytes of media.

use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use wxbot_model::{AccountName, Contact, ContactId, EventKey, File, MediaHandle};

use crate::contacts::{ContactQuery, FoundContact, RoomMember};
use crate::host::Host;
use crate::media::{MediaError, MediaFile};
use crate::plugin::PluginError;

/// The handler's window to the host, for one event.
pub struct Ctx {
    pub(crate) host: Arc<dyn Host>,
    pub(crate) plugin: Arc<str>,
    pub(crate) account: AccountName,
    pub(crate) message_id: EventKey,
    pub(crate) attempt: u32,
}

/// What is known when a plugin starts.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct InitCtx {}

impl InitCtx {
    /// An empty context.
    pub fn new() -> Self {
        Self {}
    }
}

impl Ctx {
    /// Made by the host for each call of a handler.
    pub fn new(
        host: Arc<dyn Host>,
        plugin: Arc<str>,
        account: AccountName,
        message_id: EventKey,
        attempt: u32,
    ) -> Self {
        Self { host, plugin, account, message_id, attempt }
    }

    /// The account that received the event.
    pub fn account(&self) -> &AccountName {
        &self.account
    }

    /// The key of the event; the same when it is handled again.
    pub fn message_id(&self) -> &EventKey {
        &self.message_id
    }

    /// 1 the first time; higher when the event is handled again after an error or a crash.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Wall time in milliseconds since 1970. In tests it follows the paused clock.
    pub fn now_ms(&self) -> i64 {
        self.host.now_ms()
    }

    /// A random number; repeatable in tests.
    pub fn random_u64(&self) -> u64 {
        self.host.random_u64()
    }

    /// A key for the `n`th call of your own to some other service, so that a repeat of this event can be recognised there.
    pub fn idempotency_key(&self, n: u32) -> String {
        format!("{}:{}:{}:{n}", self.account, self.plugin, self.message_id)
    }

    /// A value of the plugin's KV store for this account, as last committed.
    ///
    /// # Errors
    /// When the store cannot be read, or the value is of another shape.
    pub async fn kv_get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, PluginError> {
        match self.host.kv_get(&self.plugin, &self.account, key).await? {
            Some(value) => Ok(Some(serde_json::from_value(value)?)),
            None => Ok(None),
        }
    }

    /// What is known of a person or room; `None` when the account does not know it.
    pub fn contact(&self, id: &ContactId) -> Option<Contact> {
        self.host.contact(&self.account, id)
    }

    /// Contacts by a part of their remark, name or WeChat id, or by how they sound; the best first. After a login with
    /// new ids whoever cannot be told yet from somebody else is missing for up to a minute.
    ///
    /// ```
    /// # async fn handler(cx: &wxbot_plugin::Ctx) {
    /// use wxbot_plugin::ContactQuery;
    /// let anna = cx.find_contacts("anna").into_iter().next();
    /// let rooms = cx.find_contacts(ContactQuery::new("项目").rooms().limit(5));
    /// # }
    /// ```
    pub fn find_contacts(&self, query: impl Into<ContactQuery>) -> Vec<FoundContact> {
        self.host.find_contacts(&self.account, &query.into())
    }

    /// The members of a room, in the order of the service. Most rooms' lists are not kept loaded: then the service is
    /// asked, once for all who ask at that time.
    ///
    /// # Errors
    /// When the account does not know the room, is not online, or the service does not answer within 20 s.
    pub async fn members(&self, room: &ContactId) -> Result<Vec<RoomMember>, PluginError> {
        self.host.members(&self.account, room).await
    }

    /// The bytes of a message as a file: fetched now, unless they were before. Two handlers that ask at once share one
    /// download, and it goes on when this handler's time ends, so that the next try finds it.
    ///
    /// Takes `event.message()?.content.media()`, or a [`File`](wxbot_model::File), which has a name too.
    ///
    /// # Errors
    /// Typed by what helps. It gives up with [`MediaError::NotNow`] after 25 s, before the handler's time is over.
    pub async fn media(&self, what: impl Into<Fetchable<'_>>) -> Result<MediaFile, MediaError> {
        let what = what.into();
        self.host.media(&self.account, what.media, what.name).await
    }

    /// The picture of a person or room that the account knows. It is asked for anew once a day.
    ///
    /// # Errors
    /// As of [`media`](Self::media).
    pub async fn avatar(&self, of: &ContactId) -> Result<MediaFile, MediaError> {
        self.host.avatar(&self.account, of, None).await
    }

    /// The picture of a member of a room, who need not be a friend.
    ///
    /// # Errors
    /// As of [`media`](Self::media).
    pub async fn avatar_of_member(&self, room: &ContactId, member: &ContactId) -> Result<MediaFile, MediaError> {
        self.host.avatar(&self.account, member, Some(room)).await
    }
}

/// What [`Ctx::media`] takes: a handle, and the name its sender gave.
#[derive(Debug, Clone, Copy)]
pub struct Fetchable<'a> {
    media: &'a MediaHandle,
    name: &'a str,
}

impl<'a> From<&'a MediaHandle> for Fetchable<'a> {
    fn from(media: &'a MediaHandle) -> Self {
        let name = media.params.get(MediaHandle::FILE_NAME).map(String::as_str).unwrap_or_default();
        Self { media, name }
    }
}

impl<'a> From<&'a File> for Fetchable<'a> {
    fn from(file: &'a File) -> Self {
        Self { media: &file.media, name: &file.name }
    }
}

impl fmt::Debug for Ctx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ctx")
            .field("plugin", &self.plugin)
            .field("account", &self.account)
            .field("message_id", &self.message_id)
            .field("attempt", &self.attempt)
            .finish_non_exhaustive()
    }
}
