//! What is a plugin? A type with a manifest, a configuration, and a handler.

use std::fmt;
use std::future::Future;

use serde::{Deserialize, Serialize};
use wxbot_model::Event;

use crate::config::PluginConfig;
use crate::ctx::{Ctx, InitCtx};
use crate::effects::Effects;
use crate::manifest::Manifest;
use crate::plan::Plan;

/// Turns events into effects. Authors write `async fn` for the methods, or handlers under [`#[plugin]`](macro@crate::plugin),
/// which writes this trait for them.
///
/// One instance serves all accounts that share the same settings; handlers of different conversations run at the same
/// time, so state sits behind a lock or, better, in the KV store ([`Ctx::kv_get`], [`Effects::put`]).
pub trait Plugin: Send + Sync + Sized + 'static {
    /// The settings, read from `[plugins.<id>]` with the account's own settings over it.
    type Config: PluginConfig;

    /// Who the plugin is and what it needs. Called without an instance, by `wxbot check` too.
    fn manifest() -> Manifest;

    /// What these settings make of it: which features are on and what each needs of an account, and times that settings
    /// say. Asked without an instance, by `wxbot check` too, so it only looks.
    fn plan(_config: &Self::Config) -> Plan {
        Plan::new()
    }

    /// Makes an instance. The host gives it 10 s. When settings or the plugin's file change while wxbot runs, the new
    /// instance is made before the old one ends, so claim nothing that only one can have.
    fn init(config: Self::Config, cx: &InitCtx) -> impl Future<Output = Result<Self, PluginError>> + Send;

    /// Handles one event. The host gives it 30 s, catches panics, and repeats it after an error.
    fn on_event(&self, event: &Event, cx: &Ctx) -> impl Future<Output = Result<Effects, PluginError>> + Send;

    /// Judges an event before any plugin sees it, where `middleware = [...]` names this plugin. Only asked of plugins
    /// whose manifest says [`guards`](Manifest::guards). An error or a late answer lets the event pass: a broken guard
    /// must not make a bot deaf.
    fn guard(&self, _event: &Event, _cx: &Ctx) -> impl Future<Output = Result<Verdict, PluginError>> + Send {
        std::future::ready(Ok(Verdict::Pass))
    }

    /// Called once before the instance goes away; in-flight events have ended.
    fn stop(&self) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }
}

/// What a guard says of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Verdict {
    /// It goes on.
    Pass,
    /// It goes on like this. What is stored does not change.
    Change(Box<Event>),
    /// It goes no further.
    Stop {
        /// Why, for people; `wxbot explain` shows it.
        why: String,
    },
}

impl Verdict {
    /// Stops the event for this reason.
    pub fn stop(why: impl Into<String>) -> Self {
        Self::Stop { why: why.into() }
    }
}

/// Characters that a person is told at most.
const TOLD: usize = 1_000;

/// Why a handler gave no effects. Any error converts into it with `?`; nothing is sent and the event is tried again.
///
/// [`told`](Self::told) is the other sort: what the person did wrong, said to the person. Nothing is tried again.
pub struct PluginError {
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
    told: bool,
}

impl PluginError {
    /// An error with this message, for the log.
    pub fn msg(message: impl Into<String>) -> Self {
        Self { message: message.into(), source: None, told: false }
    }

    /// Ends the handler and answers this to the person; nothing else of the handler's effects is done. An empty text
    /// answers nothing.
    pub fn told(message: impl Into<String>) -> Self {
        let message: String = message.into();
        // Longer than an answer may be, it would count as the plugin's failure.
        let message = if message.chars().count() > TOLD { message.chars().take(TOLD).collect() } else { message };
        Self { message, source: None, told: true }
    }

    /// What the person is to be told, when it is nothing for the log.
    pub fn for_person(&self) -> Option<&str> {
        self.told.then_some(&*self.message)
    }
}

impl<E: std::error::Error + Send + Sync + 'static> From<E> for PluginError {
    fn from(error: E) -> Self {
        Self { message: error.to_string(), source: Some(Box::new(error)), told: false }
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
