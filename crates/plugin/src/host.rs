//! The other side of the table: how a runtime holds plugins and what it offers them. Authors need nothing of this.

use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde_json::Value;
use wxbot_model::{AccountName, Contact, ContactId, Event, MediaHandle};

use crate::contacts::{ContactQuery, FoundContact, RoomMember};
use crate::ctx::{Ctx, InitCtx};
use crate::effects::Effects;
use crate::manifest::{ConfigProblem, Manifest};
pub use crate::media::ReadMedia;
use crate::media::{MediaError, MediaFile};
use crate::plugin::{Plugin, PluginError};

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
    /// Contacts that fit.
    fn find_contacts(&self, account: &AccountName, query: &ContactQuery) -> Vec<FoundContact>;
    /// The members of a room.
    fn members<'a>(
        &'a self,
        account: &'a AccountName,
        room: &'a ContactId,
    ) -> BoxFuture<'a, Result<Vec<RoomMember>, PluginError>>;
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

/// The object-safe twin of [`Plugin`].
pub trait AnyPlugin: Send + Sync {
    /// See [`Plugin::on_event`].
    fn on_event<'a>(&'a self, event: &'a Event, cx: &'a Ctx) -> BoxFuture<'a, Result<Effects, PluginError>>;
    /// See [`Plugin::stop`].
    fn stop(&self) -> BoxFuture<'_, ()>;
}

impl<P: Plugin> AnyPlugin for P {
    fn on_event<'a>(&'a self, event: &'a Event, cx: &'a Ctx) -> BoxFuture<'a, Result<Effects, PluginError>> {
        Box::pin(Plugin::on_event(self, event, cx))
    }
    fn stop(&self) -> BoxFuture<'_, ()> {
        Box::pin(Plugin::stop(self))
    }
}

/// The future of [`PluginFactory::make`].
pub type Making = BoxFuture<'static, Result<Arc<dyn AnyPlugin>, PluginError>>;

/// A plugin type that can be made into instances: what the static registry holds.
#[derive(Clone)]
pub struct PluginFactory {
    /// The plugin's manifest.
    pub manifest: Manifest,
    check: fn(&Value) -> Vec<ConfigProblem>,
    schema: fn() -> Value,
    make: fn(Value) -> Making,
}

impl PluginFactory {
    /// The factory of a statically linked plugin.
    pub fn of<P: Plugin>() -> Self {
        Self { manifest: P::manifest(), check: P::check, schema: P::schema, make: make::<P> }
    }

    /// All problems of these settings.
    pub fn check(&self, settings: &Value) -> Vec<ConfigProblem> {
        (self.check)(settings)
    }

    /// JSON Schema of the settings.
    pub fn schema(&self) -> Value {
        (self.schema)()
    }

    /// Makes an instance.
    pub fn make(&self, settings: Value) -> Making {
        (self.make)(settings)
    }
}

fn make<P: Plugin>(settings: Value) -> Making {
    Box::pin(async move {
        let config: P::Config = serde_json::from_value(settings)?;
        let plugin = P::init(config, &InitCtx::new()).await?;
        Ok(Arc::new(plugin) as Arc<dyn AnyPlugin>)
    })
}

impl fmt::Debug for PluginFactory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PluginFactory({})", self.manifest.id)
    }
}
