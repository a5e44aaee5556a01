//! How do plugins run? Behind a deadline, a panic guard and a breaker, one after another for an event.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::time::Instant;
use wxbot_model::{Action, Event};
use wxbot_plugin::host::{Answer, Call, Host, Instance};
use wxbot_plugin::{Effect, Effects, Manifest};

use crate::config::PluginUse;

pub mod dylib;
mod instances;

pub(crate) use instances::{Held, Instances};

/// How long a handler may take.
const DEADLINE: Duration = Duration::from_secs(30);
/// How long starting may take.
const INIT_DEADLINE: Duration = Duration::from_secs(10);
/// Failures in a row that open the breaker, and for how long.
const BREAKER_FAILURES: u32 = 5;
const BREAKER_OPEN: Duration = Duration::from_secs(30);
/// Limits of one answer (security R32).
const MAX_ACTIONS: usize = 20;
const MAX_TEXT: usize = 4096;
const MAX_ACTION: usize = 64 * 1024;
const MAX_KEY: usize = 512;

/// One instance, as an account uses it. Accounts with equal settings share it.
pub struct ActivePlugin {
    /// The id as an `Arc`, since it goes into each row.
    pub id: Arc<str>,
    /// What it says of itself.
    pub manifest: Manifest,
    instance: Arc<dyn Instance>,
    breaker: Mutex<Breaker>,
}

#[derive(Debug, Default)]
struct Breaker {
    failures: u32,
    open_until: Option<Instant>,
}

/// Why a plugin gave nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// It failed; the event is tried again.
    Failed(String),
    /// Its breaker is open for this long; it was not asked.
    Open(Duration),
}

/// A plugin that could not be started.
#[derive(Debug, Clone, thiserror::Error)]
#[error("plugin `{id}` cannot start: {why}")]
pub struct PluginStartError {
    /// Which.
    pub id: String,
    /// What it said.
    pub why: String,
}

impl ActivePlugin {
    /// Makes an instance with these settings.
    ///
    /// # Errors
    /// When its `init` fails, panics, or takes longer than 10 s.
    pub async fn start(wanted: &PluginUse, host: Arc<dyn Host>) -> Result<Arc<Self>, PluginStartError> {
        let failed = |why: String| PluginStartError { id: wanted.id.clone(), why };
        let making = wanted.plugin.make(wanted.settings.clone(), wanted.init.clone(), host);
        let making = AssertUnwindSafe(making).catch_unwind();
        let instance = tokio::time::timeout(INIT_DEADLINE, making)
            .await
            .map_err(|_elapsed| failed(format!("it did not start within {} s", INIT_DEADLINE.as_secs())))?
            .map_err(|_panic| failed("it panicked".into()))?
            .map_err(|e| failed(e.to_string()))?;
        Ok(Arc::new(Self {
            id: Arc::from(wanted.id.as_str()),
            manifest: wanted.plugin.manifest().clone(),
            instance,
            breaker: Mutex::default(),
        }))
    }

    /// Whether it asked for this kind of event.
    pub fn wants(&self, event: &Event) -> bool {
        let word = event.kind.word();
        self.manifest.events.iter().any(|wanted| wanted == word)
    }

    /// Hands it an event. Whatever it does, this returns within the deadline, unless it blocks the thread: a statically
    /// linked plugin shares ours.
    ///
    /// # Errors
    /// [`Trouble`] by what happens next.
    pub async fn run(&self, call: Call) -> Result<Answer, Trouble> {
        if let Some(left) = self.open_for() {
            return Err(Trouble::Open(left));
        }
        let handler = AssertUnwindSafe(async { self.instance.call(call).await }).catch_unwind();
        let result = match tokio::time::timeout(DEADLINE, handler).await {
            Ok(Ok(Ok(answer))) => check(&answer.effects).map(|()| answer),
            Ok(Ok(Err(error))) => Err(error.to_string()),
            // The panic's own text went to the panic hook; it may quote a message, so it is not repeated here.
            Ok(Err(_panic)) => Err("it panicked".to_owned()),
            Err(_elapsed) => Err(format!("it took longer than {} s", DEADLINE.as_secs())),
        };
        self.count(result.is_ok());
        result.map_err(Trouble::Failed)
    }

    fn open_for(&self) -> Option<Duration> {
        let mut breaker = self.breaker.lock().unwrap_or_else(PoisonError::into_inner);
        let left = breaker.open_until?.checked_duration_since(Instant::now()).filter(|d| !d.is_zero());
        if left.is_none() {
            breaker.open_until = None;
        }
        left
    }

    fn count(&self, good: bool) {
        let mut breaker = self.breaker.lock().unwrap_or_else(PoisonError::into_inner);
        if good {
            *breaker = Breaker::default();
            return;
        }
        breaker.failures += 1;
        if breaker.failures >= BREAKER_FAILURES {
            breaker.open_until = Some(Instant::now() + BREAKER_OPEN);
            tracing::warn!(plugin = %self.id, failures = breaker.failures, "Plugin failed too often in a row; it rests for 30 s.");
        }
    }

    /// Ends the instance.
    pub async fn stop(&self) {
        let stopping = AssertUnwindSafe(self.instance.stop()).catch_unwind();
        if tokio::time::timeout(INIT_DEADLINE, stopping).await.is_err() {
            tracing::warn!(plugin = %self.id, "Plugin did not stop in time.");
        }
    }
}

fn check(effects: &Effects) -> Result<(), String> {
    let mut actions = 0;
    for effect in effects.iter() {
        match effect {
            Effect::Reply { text, .. } | Effect::Act(Action::SendText { text, .. }) => {
                actions += 1;
                if text.len() > MAX_TEXT {
                    return Err(format!("a text of {} bytes; at most {MAX_TEXT} are allowed", text.len()));
                }
                if text.is_empty() {
                    return Err("an empty text".into());
                }
            }
            Effect::Media { .. } => actions += 1,
            Effect::Act(action) => {
                actions += 1;
                // The raw form of what an app shared is the longest; it came through a message and goes back as one.
                if let Action::AddFriend { greeting: text, .. }
                | Action::SetRemark { remark: text, .. }
                | Action::SetTopic { topic: text, .. }
                | Action::CreateRoom { topic: text, .. } = action
                    && text.len() > MAX_TEXT
                {
                    let (len, word) = (text.len(), action.word());
                    return Err(format!("a text of {len} bytes in `{word}`; at most {MAX_TEXT} are allowed"));
                }
                let long = serde_json::to_string(action).map_or(usize::MAX, |text| text.len());
                if long > MAX_ACTION {
                    return Err(format!("a `{}` of {long} bytes; at most {MAX_ACTION} are allowed", action.word()));
                }
            }
            Effect::Put { key, .. }
            | Effect::Delete { key }
            | Effect::Swap { key, .. }
            | Effect::Timer { name: key, .. }
            | Effect::CancelTimer { name: key }
                if key.len() > MAX_KEY =>
            {
                return Err(format!("a key of {} bytes; at most {MAX_KEY} are allowed", key.len()));
            }
            _ => {}
        }
    }
    if actions > MAX_ACTIONS {
        return Err(format!("{actions} replies to one message; at most {MAX_ACTIONS} are allowed"));
    }
    Ok(())
}

impl std::fmt::Debug for ActivePlugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ActivePlugin({})", self.id)
    }
}
