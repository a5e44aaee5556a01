//! What may a handler ask while it runs? Its KV values, the time, chance, contacts, the bytes of media, what may go out.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use wxbot_model::{AccountName, Action, Capability, Contact, ContactId, Event, EventKey, File, MediaHandle};

use crate::budget::Budget;
use crate::config::Place;
use crate::contacts::{ContactQuery, FoundContact, RoomMember};
use crate::effects::Effects;
use crate::host::{Host, Note, Receipt};
use crate::instance::Turn;
use crate::media::{MediaError, MediaFile};
use crate::plugin::PluginError;
use crate::role::Role;
use crate::route::cooldown::Resting;

/// The handler's window to the host, for one event and, after [`ask`](Self::ask), for the messages that answer.
pub struct Ctx {
    pub(crate) link: Arc<Link>,
    pub(crate) account: AccountName,
    pub(crate) turn: Arc<Turn>,
}

/// What all calls of one instance share.
pub(crate) struct Link {
    pub(crate) host: Arc<dyn Host>,
    pub(crate) plugin: Arc<str>,
    pub(crate) init: InitCtx,
    /// The settings, for [`Config`](crate::extract::Config): a `P::Config`.
    pub(crate) config: Arc<dyn Any + Send + Sync>,
    /// Which handlers rest.
    pub(crate) resting: Resting,
}

/// What is known when a plugin starts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct InitCtx {
    /// Where the settings stand.
    pub place: Place,
    /// What may stand before the word of a command, the longest first; an empty one means nothing need to.
    pub prefixes: Vec<String>,
}

impl InitCtx {
    /// Settings from nowhere, commands with or without `/`.
    pub fn new() -> Self {
        Self { place: Place::default(), prefixes: vec!["/".into(), String::new()] }
    }
}

impl Ctx {
    pub(crate) fn new(link: Arc<Link>, turn: Arc<Turn>) -> Self {
        let account = turn.with(|now| now.event.account.clone());
        Self { link, account, turn }
    }

    /// The account that received the event.
    pub fn account(&self) -> &AccountName {
        &self.account
    }

    /// The event that is being handled: after [`ask`](Self::ask) the answer.
    pub fn event(&self) -> Arc<Event> {
        self.turn.with(|now| Arc::clone(&now.event))
    }

    /// The key of the event; the same when it is handled again.
    pub fn message_id(&self) -> EventKey {
        self.turn.with(|now| now.event.key.clone())
    }

    /// 1 the first time; higher when the event is handled again after an error or a crash.
    pub fn attempt(&self) -> u32 {
        self.turn.with(|now| now.meta.attempt)
    }

    /// Whether the event had ended before, and a person has it handled once more: by `wxbot replay`, or by
    /// `wxbot dead replay` when it had been given up. What the handler counts or tells others about it was counted and told
    /// already, perhaps. Always false under a wxbot that is older than this question.
    pub fn is_replay(&self) -> bool {
        self.turn.with(|now| now.meta.replay)
    }

    /// The roles of whoever sent the event, by `[accounts.roles]`; everybody has [`Role::User`], which is not listed.
    pub fn roles(&self) -> Vec<Role> {
        self.turn.with(|now| now.meta.roles.clone())
    }

    /// Whether the sender may do what demands this role.
    pub fn may(&self, role: &Role) -> bool {
        self.turn.with(|now| role.is_met_by(&now.meta.roles))
    }

    /// What may stand before the word of a command.
    pub(crate) fn prefixes(&self) -> &[String] {
        &self.link.init.prefixes
    }

    /// Answers in the conversation, with whatever the handler returns besides. As all effects it happens when the handler
    /// has ended well.
    pub fn reply(&self, text: impl Into<String>) {
        self.also(Effects::reply(text));
    }

    /// Adds effects to those that the handler returns, before them.
    pub fn also(&self, effects: Effects) {
        self.turn.with(|now| now.pending = std::mem::take(&mut now.pending).then(effects));
    }

    /// Neither later handlers nor later plugins see this event.
    pub fn block(&self) {
        self.turn.with(|now| now.block = true);
    }

    /// Notes for `wxbot explain` what looked at the event and why it did or did not take it. Asked only when somebody
    /// keeps the trace, so `why` may cost something.
    pub fn note(&self, what: &str, took: bool, why: impl FnOnce() -> String) {
        if self.explains() {
            // Made first: `why` is the author's, and may ask this context.
            let note = Note { what: what.to_owned(), took, why: why() };
            self.turn.with(|now| now.notes.push(note));
        }
    }

    /// Whether somebody keeps the trace, so that notes are worth making.
    pub fn explains(&self) -> bool {
        self.turn.with(|now| now.meta.explain)
    }

    /// Performs an action at once and answers its receipt, apart from the event: when the handler fails later, or runs
    /// again after a crash, it was performed all the same, and is performed again. Prefer effects.
    ///
    /// # Errors
    /// When the account cannot do it, is not online, or the service refuses it.
    pub async fn send_now(&self, action: Action) -> Result<Receipt, PluginError> {
        self.link.host.send_now(&self.link.plugin, &self.account, action).await
    }

    /// What the pacing lets out now into the chat of the event: how many, when the next one may go, and whether quiet hours
    /// or the warm-up of a new login are on. What is too much waits its turn all the same; this is for saying less instead.
    ///
    /// # Errors
    /// When the store cannot be read, or the host is of a version that tells no budget.
    pub async fn budget(&self) -> Result<Budget, PluginError> {
        let chat = self.turn.with(|now| now.event.chat.id.clone());
        self.budget_of(&chat).await
    }

    /// The same for another chat of the account.
    ///
    /// # Errors
    /// As of [`budget`](Self::budget).
    pub async fn budget_of(&self, chat: &ContactId) -> Result<Budget, PluginError> {
        self.link.host.budget(&self.account, chat).await
    }

    /// Wall time in milliseconds since 1970. In tests it follows the paused clock.
    pub fn now_ms(&self) -> i64 {
        self.link.host.now_ms()
    }

    /// A random number; repeatable in tests.
    pub fn random_u64(&self) -> u64 {
        self.link.host.random_u64()
    }

    /// A key for the `n`th call of your own to some other service, so that a repeat of this event can be recognised there.
    pub fn idempotency_key(&self, n: u32) -> String {
        format!("{}:{}:{}:{n}", self.account, self.link.plugin, self.message_id())
    }

    /// A value of the plugin's KV store for this account, as last committed.
    ///
    /// # Errors
    /// When the store cannot be read, or the value is of another shape.
    pub async fn kv_get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, PluginError> {
        match self.link.host.kv_get(&self.link.plugin, &self.account, key).await? {
            Some(value) => Ok(Some(serde_json::from_value(value)?)),
            None => Ok(None),
        }
    }

    /// Values of the plugin's KV store for this account under keys that begin with `prefix`, as last committed, in the
    /// order of the keys: as many as the page holds. The next page is [`KvPage::after`] the last key.
    ///
    /// ```
    /// # async fn handler(cx: &wxbot_plugin::Ctx) -> Result<(), wxbot_plugin::PluginError> {
    /// use wxbot_plugin::KvPage;
    /// let votes: Vec<(String, u32)> = cx.kv_list("vote:r1:", KvPage::of(100)).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// When the store cannot be read, or a value is of another shape.
    pub async fn kv_list<T: DeserializeOwned>(
        &self,
        prefix: &str,
        page: KvPage,
    ) -> Result<Vec<(String, T)>, PluginError> {
        let rows = self.link.host.kv_list(&self.link.plugin, &self.account, prefix, page).await?;
        rows.into_iter().map(|(key, value)| Ok((key, serde_json::from_value(value)?))).collect()
    }

    /// Whether the account's protocol can do this. What it cannot do fails the handler that asks for it.
    pub fn can(&self, what: Capability) -> bool {
        self.link.host.capabilities(&self.account).has(what)
    }

    /// Who has exactly this role by `[accounts.roles]`, sorted: the owners to be notified, for example. Of
    /// [`Role::GroupAdmin`], who has it in this room. Nobody is listed under [`Role::User`], nor for whoever sits at the
    /// terminal of a console.
    pub fn people(&self, role: &Role) -> Vec<ContactId> {
        let room = self.turn.with(|now| now.event.is_group().then(|| now.event.chat.id.clone()));
        self.link.host.people(&self.account, role, room.as_ref())
    }

    /// What is known of a person or room; `None` when the account does not know it.
    pub fn contact(&self, id: &ContactId) -> Option<Contact> {
        self.link.host.contact(&self.account, id)
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
        self.link.host.find_contacts(&self.account, &query.into())
    }

    /// The members of a room, in the order of the service. Most rooms' lists are not kept loaded: then the service is
    /// asked, once for all who ask at that time.
    ///
    /// # Errors
    /// When the account does not know the room, is not online, or the service does not answer within 20 s.
    pub async fn members(&self, room: &ContactId) -> Result<Vec<RoomMember>, PluginError> {
        self.link.host.members(&self.account, room).await
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
        self.link.host.media(&self.account, what.media, what.name).await
    }

    /// The picture of a person or room that the account knows. It is asked for anew once a day.
    ///
    /// # Errors
    /// As of [`media`](Self::media).
    pub async fn avatar(&self, of: &ContactId) -> Result<MediaFile, MediaError> {
        self.link.host.avatar(&self.account, of, None).await
    }

    /// The picture of a member of a room, who need not be a friend.
    ///
    /// # Errors
    /// As of [`media`](Self::media).
    pub async fn avatar_of_member(&self, room: &ContactId, member: &ContactId) -> Result<MediaFile, MediaError> {
        self.link.host.avatar(&self.account, member, Some(room)).await
    }
}

/// Which part of a list of values is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct KvPage {
    /// Only keys behind this one.
    #[serde(default)]
    pub after: Option<String>,
    /// At most so many; never more than [`KvPage::MOST`] are answered.
    pub limit: usize,
}

impl KvPage {
    /// What is answered at once at most.
    pub const MOST: usize = 1_000;

    /// The first so many.
    pub fn of(limit: usize) -> Self {
        Self { after: None, limit }
    }

    /// Those behind this key.
    #[must_use]
    pub fn after(mut self, key: impl Into<String>) -> Self {
        self.after = Some(key.into());
        self
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
            .field("plugin", &self.link.plugin)
            .field("account", &self.account)
            .field("message_id", &self.message_id())
            .field("attempt", &self.attempt())
            .finish_non_exhaustive()
    }
}
