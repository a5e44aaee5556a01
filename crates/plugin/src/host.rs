//! The other side of the table: how a runtime holds plugins and what it offers them. Authors need nothing of this.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use wxbot_model::{AccountName, Action, Capabilities, Capability, Contact, ContactId, Event, MediaHandle, MsgId};

use crate::budget::Budget;
use crate::config::{ConfigProblem, PluginConfig};
use crate::contacts::{ContactQuery, FoundContact, RoomMember};
use crate::ctx::{InitCtx, KvPage};
use crate::effects::Effects;
use crate::instance::Local;
use crate::manifest::Manifest;
pub use crate::media::ReadMedia;
use crate::media::{MediaError, MediaFile};
use crate::plan::Plan;
use crate::plugin::{Plugin, PluginError, Verdict};
use crate::role::Role;

/// What the runtime offers to handlers, behind [`Ctx`].
pub trait Host: Send + Sync {
    /// Wall time in milliseconds since 1970.
    fn now_ms(&self) -> i64;
    /// A random number from the runtime's source.
    fn random_u64(&self) -> u64;
    /// The committed KV value of (plugin, account, key).
    fn kv_get<'a>(
        &'a self,
        plugin: &'a str,
        account: &'a AccountName,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Option<Value>, PluginError>>;
    /// Committed KV values of (plugin, account) under keys with this beginning, by key.
    fn kv_list<'a>(
        &'a self,
        _plugin: &'a str,
        _account: &'a AccountName,
        _prefix: &'a str,
        _page: KvPage,
    ) -> BoxFuture<'a, Result<Vec<(String, Value)>, PluginError>> {
        Box::pin(std::future::ready(Err(PluginError::msg("this host lists no values"))))
    }
    /// What the account's protocol can do.
    fn capabilities(&self, _account: &AccountName) -> Capabilities {
        Capability::ALL.into_iter().collect()
    }
    /// Who is given exactly this role by the account's settings, sorted; group admins by room.
    fn people(&self, _account: &AccountName, _role: &Role, _room: Option<&ContactId>) -> Vec<ContactId> {
        Vec::new()
    }
    /// Contacts that fit.
    fn find_contacts(&self, account: &AccountName, query: &ContactQuery) -> Vec<FoundContact>;
    /// The members of a room.
    fn members<'a>(
        &'a self,
        account: &'a AccountName,
        room: &'a ContactId,
    ) -> BoxFuture<'a, Result<Vec<RoomMember>, PluginError>>;
    /// What the pacing lets out now into a chat.
    fn budget<'a>(
        &'a self,
        _account: &'a AccountName,
        _chat: &'a ContactId,
    ) -> BoxFuture<'a, Result<Budget, PluginError>> {
        Box::pin(std::future::ready(Err(PluginError::msg("this host tells no budget"))))
    }
    /// Performs an action at once.
    fn send_now<'a>(
        &'a self,
        _plugin: &'a str,
        _account: &'a AccountName,
        _action: Action,
    ) -> BoxFuture<'a, Result<Receipt, PluginError>> {
        Box::pin(std::future::ready(Err(PluginError::msg("this host performs nothing by itself"))))
    }
    /// What is known of a contact.
    fn contact(&self, account: &AccountName, id: &ContactId) -> Option<Contact>;
    /// The bytes of a message, fetched unless they are there; `name` is what the sender called them, or nothing.
    fn media<'a>(
        &'a self,
        _account: &'a AccountName,
        _media: &'a MediaHandle,
        _name: &'a str,
    ) -> BoxFuture<'a, Result<MediaFile, MediaError>> {
        Box::pin(std::future::ready(Err(MediaError::Refused { why: "this host fetches no media".into() })))
    }
    /// The picture of a contact; of a member of `room` who is no friend, through the room.
    fn avatar<'a>(
        &'a self,
        _account: &'a AccountName,
        _of: &'a ContactId,
        _room: Option<&'a ContactId>,
    ) -> BoxFuture<'a, Result<MediaFile, MediaError>> {
        Box::pin(std::future::ready(Err(MediaError::Refused { why: "this host fetches no pictures".into() })))
    }
}

/// What became of an action that was performed at once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Receipt {
    /// The service's id of the message, where there is one: what [`Action::Recall`] takes.
    #[serde(default)]
    pub msg: Option<MsgId>,
}

impl Receipt {
    /// A receipt with this id.
    pub fn of(msg: Option<MsgId>) -> Self {
        Self { msg }
    }
}

/// What a handler is told besides the event.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct CallMeta {
    /// 1 the first time.
    pub attempt: u32,
    /// The roles of the sender.
    pub roles: Vec<Role>,
    /// Whether notes are kept.
    pub explain: bool,
    /// Whether a person had it handled once more after it had ended.
    pub replay: bool,
}

impl CallMeta {
    /// The first call for an event of somebody without roles.
    pub fn first() -> Self {
        Self { attempt: 1, ..Self::default() }
    }

    /// The same for this try.
    #[must_use]
    pub fn attempt(mut self, attempt: u32) -> Self {
        self.attempt = attempt;
        self
    }

    /// The same for a sender with these roles.
    #[must_use]
    pub fn roles(mut self, roles: Vec<Role>) -> Self {
        self.roles = roles;
        self
    }

    /// The same for an event that a person had handled once more.
    #[must_use]
    pub fn replay(mut self, replay: bool) -> Self {
        self.replay = replay;
        self
    }

    /// The same with notes.
    #[must_use]
    pub fn explain(mut self, explain: bool) -> Self {
        self.explain = explain;
        self
    }
}

/// One event for an instance.
#[derive(Debug, Clone)]
pub struct Call {
    /// What happened.
    pub event: Arc<Event>,
    /// What else is known.
    pub meta: CallMeta,
    /// The dialog it is the answer in, by [`OpenDialog::id`]; `None`: it goes to the handlers.
    pub dialog: Option<u64>,
}

/// What an instance makes of an event.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Answer {
    /// What should happen.
    pub effects: Effects,
    /// A handler waits for the sender's next message.
    pub dialog: Option<OpenDialog>,
    /// No later plugin sees the event.
    pub block: bool,
    /// What was looked at, for `wxbot explain`.
    pub notes: Vec<Note>,
}

impl Answer {
    /// Effects alone.
    pub fn of(effects: Effects) -> Self {
        Self { effects, ..Self::default() }
    }

    /// The dialog is not there any more: the handlers have not seen the event.
    pub fn lost_dialog() -> Self {
        Self {
            notes: vec![Note { what: Note::LOST_DIALOG.into(), took: false, why: String::new() }],
            ..Self::default()
        }
    }

    /// Whether it is [`lost_dialog`](Self::lost_dialog).
    pub fn is_lost_dialog(&self) -> bool {
        self.notes.iter().any(|note| note.what == Note::LOST_DIALOG)
    }
}

/// A handler that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenDialog {
    /// Its number within the instance.
    pub id: u64,
    /// How long it waits; then the host [forgets](Instance::forget) it.
    pub timeout_ms: u64,
}

/// What a matcher thought of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Which: a handler's name, a rule's number.
    pub what: String,
    /// Whether it took the event.
    pub took: bool,
    /// Why, or why not.
    pub why: String,
}

impl Note {
    const LOST_DIALOG: &'static str = "wxbot:lost-dialog";
}

/// A running instance, whatever it is made of. All futures may be dropped: then the call is cancelled.
pub trait Instance: Send + Sync {
    /// Hands it an event.
    fn call(&self, call: Call) -> BoxFuture<'static, Result<Answer, PluginError>>;
    /// Ends the handler that waits in this dialog. Does nothing when there is none.
    fn forget(&self, dialog: u64);
    /// See [`Plugin::guard`].
    fn guard(&self, event: Arc<Event>, meta: CallMeta) -> BoxFuture<'static, Result<Verdict, PluginError>>;
    /// See [`Plugin::stop`].
    fn stop(&self) -> BoxFuture<'static, ()>;
}

/// The future of [`PluginKind::make`].
pub type Making = BoxFuture<'static, Result<Arc<dyn Instance>, PluginError>>;

/// What instances are made of: a linked type, or a loaded library.
pub trait PluginKind: Send + Sync {
    /// Who it is.
    fn manifest(&self) -> &Manifest;
    /// What these settings make of it.
    ///
    /// # Errors
    /// All problems of these settings.
    fn plan(&self, settings: &Value, init: &InitCtx) -> Result<Plan, Vec<ConfigProblem>>;
    /// JSON Schema of the settings.
    fn schema(&self) -> Value;
    /// Makes an instance.
    fn make(&self, settings: Value, init: InitCtx, host: Arc<dyn Host>) -> Making;
    /// Names the build: instances of another one are not this one's. Empty for what is linked.
    fn build(&self) -> &str {
        ""
    }
}

/// A plugin that a registry holds.
#[derive(Clone)]
pub struct PluginFactory(Arc<dyn PluginKind>);

impl PluginFactory {
    /// The factory of a statically linked plugin.
    pub fn of<P: Plugin>() -> Self {
        Self(Arc::new(Linked::<P> { manifest: P::manifest(), of: PhantomData }))
    }

    /// The factory of something else.
    pub fn new(kind: Arc<dyn PluginKind>) -> Self {
        Self(kind)
    }

    /// The plugin's id.
    pub fn id(&self) -> &str {
        &self.0.manifest().id
    }
}

impl std::ops::Deref for PluginFactory {
    type Target = dyn PluginKind;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

impl fmt::Debug for PluginFactory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PluginFactory({})", self.id())
    }
}

/// A type of this binary.
struct Linked<P> {
    manifest: Manifest,
    of: PhantomData<fn() -> P>,
}

impl<P: Plugin> PluginKind for Linked<P> {
    fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn plan(&self, settings: &Value, init: &InitCtx) -> Result<Plan, Vec<ConfigProblem>> {
        P::Config::read(settings, &init.place).map(|config| P::plan(&config))
    }

    fn schema(&self) -> Value {
        P::Config::schema()
    }

    fn make(&self, settings: Value, init: InitCtx, host: Arc<dyn Host>) -> Making {
        Box::pin(async move { Ok(Arc::new(Local::<P>::start(&settings, init, host).await?) as Arc<dyn Instance>) })
    }
}
