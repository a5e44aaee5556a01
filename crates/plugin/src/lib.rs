//! The SDK of a wxbot plugin: everything an author needs, and nothing of the host.
//!
//! A plugin is a type that turns an [`Event`] into [`Effects`]. It does not send; the host commits the effects
//! together with the note that the event is done, so that a crash repeats the handler and never its replies.
//!
//! ```
//! use wxbot_plugin::prelude::*;
//!
//! struct Ping;
//!
//! impl Plugin for Ping {
//!     type Config = NoConfig;
//!     fn manifest() -> Manifest {
//!         Manifest::new("ping", "Answers ping with pong.")
//!     }
//!     async fn init(_config: NoConfig, _cx: &InitCtx) -> Result<Self, PluginError> {
//!         Ok(Self)
//!     }
//!     async fn on_event(&self, event: &Event, _cx: &Ctx) -> Result<Effects, PluginError> {
//!         Ok(match event.text() {
//!             Some("ping") => Effects::reply("pong"),
//!             _ => Effects::none(),
//!         })
//!     }
//! }
//! ```
//!
//! Reading order: [`plugin`] → [`effects`] and [`actions`] → [`ctx`] with [`contacts`] → [`media`] → [`manifest`] → [`middleware`] → [`testing`]; [`host`] is the
//! other side of the table and is for the runtime only.
//!
//! **Delivery.** At least once, in order per conversation. [`Ctx::message_id`] is stable over repeats and
//! [`Ctx::attempt`] tells one. Replies and KV changes are exactly once per message; for calls of your own use
//! [`Ctx::idempotency_key`].

pub mod actions;
pub mod args;
pub mod ask;
pub mod config;
pub mod contacts;
pub mod ctx;
pub mod effects;
pub mod host;
mod instance;
pub mod manifest;
pub mod media;
pub mod middleware;
pub mod plugin;
pub mod role;
pub mod testing;

pub use args::FromArg;
pub use ask::Ask;
pub use config::{ConfigProblem, NoConfig, Place, PluginConfig};
pub use contacts::{ContactQuery, FoundContact, RoomMember};
pub use ctx::{Ctx, InitCtx};
pub use effects::{Effect, Effects};
pub use host::Receipt;
pub use manifest::Manifest;
pub use media::{MediaError, MediaFile, MediaSource};
pub use middleware::{Envelope, Middleware, Next, Outcome, StationConfig};
pub use plugin::{Plugin, PluginError, Verdict};
pub use role::Role;
pub use wxbot_model as model;
pub use wxbot_plugin_macros::{PluginConfig, plugin, test};

/// What most plugins import.
pub mod prelude {
    pub use crate::{
        ConfigProblem, ContactQuery, Ctx, Effects, FromArg, InitCtx, Manifest, MediaError, MediaFile, MediaSource,
        NoConfig, Place, Plugin, PluginConfig, PluginError, Receipt, Role, Verdict,
    };
    pub use wxbot_model::{
        Action, Capability, ChatKind, ContactId, Content, Event, EventKind, FileType, MediaShape, Message,
    };
}
