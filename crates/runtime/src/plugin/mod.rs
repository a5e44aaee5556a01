//! How do plugins run? Behind a deadline, a panic guard, a [`breaker`] and the [`limits`] of an answer, so many calls at
//! a time; [`instances`] which of them are there, [`schedules`] when they want to be told the time.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::Semaphore;
use wxbot_model::Event;
use wxbot_plugin::host::{Answer, Call, CallMeta, Host, Instance};
use wxbot_plugin::{Manifest, Plan, PluginError, Verdict};

use crate::config::PluginUse;
use crate::dispatch::WXBOT;

mod breaker;
pub mod dylib;
mod instances;
pub(crate) mod limits;
mod schedules;

use breaker::{Breaker, Entered};
pub(crate) use instances::{Held, Instances};
use schedules::Scheduled;

/// How long a handler may take.
const DEADLINE: Duration = Duration::from_secs(30);
/// How long a guard may take: every event waits for it.
const GUARD_DEADLINE: Duration = Duration::from_secs(5);
/// How long starting may take.
const INIT_DEADLINE: Duration = Duration::from_secs(10);
/// Calls of one instance at a time; more wait in their lanes. Half of the lanes there are: a plugin that hangs leaves the
/// other half to the others.
const IN_FLIGHT: usize = 64;

/// One instance, as an account uses it. Accounts with equal settings share it.
pub struct ActivePlugin {
    /// The id as an `Arc`, since it goes into each row.
    pub id: Arc<str>,
    /// What it says of itself.
    pub manifest: Manifest,
    pub(crate) schedules: Vec<Scheduled>,
    instance: Arc<dyn Instance>,
    handlers: Entrance,
    /// Apart from the handlers': a handler that fails must not open the door that a guard keeps.
    guard: Entrance,
}

/// The way into an instance.
struct Entrance {
    breaker: Breaker,
    places: Semaphore,
}

impl Default for Entrance {
    fn default() -> Self {
        Self { breaker: Breaker::default(), places: Semaphore::new(IN_FLIGHT) }
    }
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

/// What the settings make of the plugin. They were accepted before, so it reads them only once more, which may mean files.
async fn plan(of: &PluginUse) -> Result<Plan, String> {
    let of = of.clone();
    let asked = tokio::task::spawn_blocking(move || of.plugin.plan(&of.settings, &of.init));
    match asked.await {
        Ok(Ok(plan)) => Ok(plan),
        Ok(Err(problems)) => Err(problems.into_iter().map(|problem| problem.message).collect::<Vec<_>>().join("; ")),
        Err(_panic) => Err("it panicked while it read its settings".to_owned()),
    }
}

impl ActivePlugin {
    /// Makes an instance with these settings.
    ///
    /// # Errors
    /// When its `init` fails, panics, or takes longer than 10 s, or its manifest holds a schedule that is none.
    pub async fn start(wanted: &PluginUse, host: Arc<dyn Host>) -> Result<Arc<Self>, PluginStartError> {
        let failed = |why: String| PluginStartError { id: wanted.id.clone(), why };
        if wanted.id == WXBOT {
            return Err(failed("this name is wxbot's own".into()));
        }
        let plan = plan(wanted).await.map_err(failed)?;
        let schedules = schedules::of(wanted.plugin.manifest(), &plan).map_err(failed)?;
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
            schedules,
            instance,
            handlers: Entrance::default(),
            guard: Entrance::default(),
        }))
    }

    /// Whether it asked for this kind of event. What is of a plugin's own clock needs no asking.
    pub fn wants(&self, event: &Event) -> bool {
        match event.kind.of_plugin() {
            Some(plugin) => plugin == &*self.id,
            None => self.manifest.events.iter().any(|wanted| wanted == event.kind.word()),
        }
    }

    /// Hands it an event. Whatever it does, this returns within the deadline, unless it blocks the thread: a statically
    /// linked plugin shares ours. Where too many calls are under way it waits for a place first.
    ///
    /// # Errors
    /// [`Trouble`] by what happens next.
    pub async fn run(&self, call: Call) -> Result<Answer, Trouble> {
        let answer = self.enter(
            &self.handlers,
            DEADLINE,
            async || self.instance.call(call).await,
            |answer| {
                limits::check(&answer.effects).inspect_err(|_too_much| {
                    if let Some(dialog) = &answer.dialog {
                        self.forget(dialog.id);
                    }
                })
            },
        );
        answer.await
    }

    /// Asks it to judge an event, within 5 s.
    ///
    /// # Errors
    /// [`Trouble`]: it said nothing, and whoever asks decides what that means.
    pub async fn guard(&self, event: Arc<Event>, meta: CallMeta) -> Result<Verdict, Trouble> {
        let asked = async || self.instance.guard(event, meta).await;
        self.enter(&self.guard, GUARD_DEADLINE, asked, |_verdict| Ok(())).await
    }

    async fn enter<T>(
        &self,
        entrance: &Entrance,
        deadline: Duration,
        ask: impl AsyncFnOnce() -> Result<T, PluginError>,
        accept: impl FnOnce(&T) -> Result<(), String>,
    ) -> Result<T, Trouble> {
        let entered = entrance.breaker.enter().map_err(Trouble::Open)?;
        let _place = entrance.places.acquire().await;
        // It may have begun to rest while this one waited.
        if let (Entered::WithOthers, Some(left)) = (entered, entrance.breaker.open_for()) {
            return Err(Trouble::Open(left));
        }
        let asked = AssertUnwindSafe(ask()).catch_unwind();
        let result = match tokio::time::timeout(deadline, asked).await {
            Ok(Ok(Ok(answer))) => accept(&answer).map(|()| answer),
            Ok(Ok(Err(error))) => Err(error.to_string()),
            // The panic's own text went to the panic hook; it may quote a message, so it is not repeated here.
            Ok(Err(_panic)) => Err("it panicked".to_owned()),
            Err(_elapsed) => Err(format!("it took longer than {} s", deadline.as_secs())),
        };
        if entrance.breaker.count(result.is_ok()) {
            tracing::warn!(plugin = %self.id, "Plugin failed too often in a row; it rests for 30 s.");
        }
        result.map_err(Trouble::Failed)
    }

    /// Ends the handler that waits in this dialog.
    pub(crate) fn forget(&self, dialog: u64) {
        if std::panic::catch_unwind(AssertUnwindSafe(|| self.instance.forget(dialog))).is_err() {
            tracing::warn!(plugin = %self.id, "Plugin panicked when a dialog of it was over.");
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

impl std::fmt::Debug for ActivePlugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ActivePlugin({})", self.id)
    }
}

#[cfg(test)]
mod tests;
