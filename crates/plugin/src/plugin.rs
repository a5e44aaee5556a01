//! What is a plugin? A type with a manifest, a configuration, and a handler.

use std::fmt;
use std::future::Future;

use serde::de::DeserializeOwned;
use serde_json::Value;
use wxbot_model::Event;

use crate::ctx::{Ctx, InitCtx};
use crate::effects::Effects;
use crate::manifest::{ConfigProblem, Manifest};

/// Turns events into effects. Authors write `async fn` for the methods.
///
/// One instance serves all accounts that share the same settings; handlers of different conversations run at the same
/// time, so state sits behind a lock or, better, in the KV store ([`Ctx::kv_get`], [`Effects::put`]).
pub trait Plugin: Send + Sync + Sized + 'static {
    /// The settings, read from `[plugins.<id>]` with the account's own settings over it.
    type Config: DeserializeOwned;

    /// Who the plugin is and what it needs. Called without an instance, by `wxbot check` too.
    fn manifest() -> Manifest;

    /// Looks at settings without starting anything; all problems at once, each with the JSON pointer of the value.
    ///
    /// The default reads them as [`Config`](Self::Config) and reports the first thing that does not fit.
    fn check(settings: &Value) -> Vec<ConfigProblem> {
        ConfigProblem::of_reading::<Self::Config>(settings)
    }

    /// JSON Schema of the settings, for editors. The default allows anything.
    fn schema() -> Value {
        serde_json::json!({ "type": "object" })
    }

    /// Makes an instance. The host gives it 10 s. When settings change while wxbot runs, the new instance is made before
    /// the old one ends, so claim nothing that only one can have.
    fn init(config: Self::Config, cx: &InitCtx) -> impl Future<Output = Result<Self, PluginError>> + Send;

    /// Handles one event. The host gives it 30 s, catches panics, and repeats it after an error.
    fn on_event(&self, event: &Event, cx: &Ctx) -> impl Future<Output = Result<Effects, PluginError>> + Send;

    /// Called once before the instance goes away; in-flight events have ended.
    fn stop(&self) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }
}

/// Why a handler failed. Any error converts into it with `?`; nothing is sent and the event is tried again.
pub struct PluginError {
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl PluginError {
    /// An error with this message.
    pub fn msg(message: impl Into<String>) -> Self {
        Self { message: message.into(), source: None }
    }
}

impl<E: std::error::Error + Send + Sync + 'static> From<E> for PluginError {
    fn from(error: E) -> Self {
        Self { message: error.to_string(), source: Some(Box::new(error)) }
    }
}

impl fmt::Display for PluginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        let mut cause = self.source.as_deref().and_then(|e| e.source());
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl fmt::Debug for PluginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PluginError({self})")
    }
}
