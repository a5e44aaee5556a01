//! How does an instance of a [`Plugin`] answer calls? The same way linked statically and as a library.
//!
//! A handler that asks somebody ([`Ctx::ask`]) ends its event: what it did so far and the question are the answer of the
//! call, and its future is put aside until the person says something. It goes on with that message as its event.

use std::collections::HashMap;
use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::Value;
use wxbot_model::Event;

use crate::config::PluginConfig;
use crate::ctx::{Ctx, InitCtx, Link};
use crate::effects::Effects;
use crate::host::{Answer, Call, CallMeta, Host, Instance, Note, OpenDialog};
use crate::plugin::{Plugin, PluginError, Verdict};
use crate::route::cooldown::Resting;

/// Handlers put aside at once. Each holds its event and what the handler remembers, some KiB; more than these wait for
/// nobody who will answer.
const MAX_PARKED: usize = 1_000;

/// What changes from message to message of one handler.
pub(crate) struct Turn(Mutex<Now>);

pub(crate) struct Now {
    pub(crate) event: Arc<Event>,
    pub(crate) meta: CallMeta,
    pub(crate) pending: Effects,
    pub(crate) notes: Vec<Note>,
    pub(crate) block: bool,
    /// Asked and not yet put: the text, and how long an answer is waited for.
    pub(crate) question: Option<(Effects, u64)>,
    /// True when `event` has become the answer.
    pub(crate) answered: bool,
}

impl Turn {
    pub(crate) fn new(event: Arc<Event>, meta: CallMeta) -> Self {
        Self(Mutex::new(Now {
            event,
            meta,
            pending: Effects::none(),
            notes: Vec::new(),
            block: false,
            question: None,
            answered: false,
        }))
    }

    pub(crate) fn with<T>(&self, f: impl FnOnce(&mut Now) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn next(&self, event: Arc<Event>, meta: CallMeta) {
        self.with(|now| {
            (now.event, now.meta, now.answered) = (event, meta, true);
        });
    }

    /// What the turn comes to, with these effects at its end.
    fn answer(&self, last: Effects, dialog: Option<OpenDialog>) -> Answer {
        self.with(|now| Answer {
            effects: std::mem::take(&mut now.pending).then(last),
            dialog,
            block: std::mem::take(&mut now.block),
            notes: std::mem::take(&mut now.notes),
        })
    }
}

/// A handler that runs or is put aside.
struct Running {
    future: BoxFuture<'static, Result<Effects, PluginError>>,
    turn: Arc<Turn>,
}

enum Step {
    Ended(Result<Effects, PluginError>),
    Asked(Effects, u64),
}

impl Running {
    async fn step(&mut self) -> Step {
        poll_fn(|task| match self.future.poll_unpin(task) {
            Poll::Ready(ended) => Poll::Ready(Step::Ended(ended)),
            Poll::Pending => match self.turn.with(|now| now.question.take()) {
                Some((question, timeout_ms)) => Poll::Ready(Step::Asked(question, timeout_ms)),
                None => Poll::Pending,
            },
        })
        .await
    }
}

/// One instance of a plugin type.
pub(crate) struct Local<P> {
    plugin: Arc<P>,
    link: Arc<Link>,
    parked: Arc<Parked>,
}

#[derive(Default)]
struct Parked(Mutex<(u64, HashMap<u64, Running>)>);

impl Parked {
    /// `None` when there are too many.
    fn put(&self, running: Running) -> Option<u64> {
        let mut guard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (last, all) = &mut *guard;
        if all.len() >= MAX_PARKED {
            return None;
        }
        *last += 1;
        all.insert(*last, running);
        Some(*last)
    }

    fn take(&self, dialog: u64) -> Option<Running> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1.remove(&dialog)
    }
}

impl<P: Plugin> Local<P> {
    /// Reads the settings and makes an instance.
    pub(crate) async fn start(settings: &Value, init: InitCtx, host: Arc<dyn Host>) -> Result<Self, PluginError> {
        let (settings, place) = (settings.clone(), init.place.clone());
        let read = move || {
            P::Config::read(&settings, &place).map_err(|problems| {
                let told: Vec<String> = problems.iter().map(|p| format!("{}: {}", p.pointer, p.message)).collect();
                PluginError::msg(format!("its settings are wrong: {}", told.join("; ")))
            })
        };
        // Twice: one is the plugin's own, one is for handlers that take `Config`. Not on this thread, which handles
        // events: settings may name files of many MiB.
        let (config, own) = aside(move || Ok::<_, PluginError>((Arc::new(read()?), read()?))).await??;
        let plugin = Arc::new(P::init(own, &init).await?);
        let link = Link { host, plugin: P::manifest().id.into(), init, config, resting: Resting::default() };
        Ok(Self { plugin, link: Arc::new(link), parked: Arc::default() })
    }

    fn begin(&self, call: &Call) -> Running {
        let turn = Arc::new(Turn::new(Arc::clone(&call.event), call.meta.clone()));
        let (plugin, event) = (Arc::clone(&self.plugin), Arc::clone(&call.event));
        let cx = Ctx::new(Arc::clone(&self.link), Arc::clone(&turn));
        Running { future: Box::pin(async move { plugin.on_event(&event, &cx).await }), turn }
    }
}

/// Computes where nobody waits for the thread, if there is a runtime that has such threads.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, PluginError> {
    #[cfg(feature = "blocking")]
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        return runtime.spawn_blocking(work).await.map_err(|error| match error.try_into_panic() {
            // As on this thread.
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(error) => error.into(),
        });
    }
    Ok(work())
}

async fn run(mut running: Running, parked: Arc<Parked>) -> Result<Answer, PluginError> {
    match running.step().await {
        Step::Ended(Ok(effects)) => Ok(running.turn.answer(effects, None)),
        Step::Ended(Err(error)) => match error.for_person() {
            Some(text) => {
                let effects = if text.is_empty() { Effects::none() } else { Effects::reply(text) };
                running.turn.with(|now| now.pending = Effects::none());
                Ok(running.turn.answer(effects, None))
            }
            None => Err(error),
        },
        Step::Asked(question, timeout_ms) => {
            let turn = Arc::clone(&running.turn);
            Ok(match parked.put(running) {
                Some(id) => turn.answer(question, Some(OpenDialog { id, timeout_ms })),
                // No failure of the plugin, which would rest for it.
                None => turn.answer(Effects::reply("现在太忙了,请稍后再试 (too busy, please try later)"), None),
            })
        }
    }
}

impl<P: Plugin> Instance for Local<P> {
    fn call(&self, call: Call) -> BoxFuture<'static, Result<Answer, PluginError>> {
        let parked = Arc::clone(&self.parked);
        let running = match call.dialog {
            None => self.begin(&call),
            Some(dialog) => match self.parked.take(dialog) {
                Some(running) => {
                    running.turn.next(call.event, call.meta);
                    running
                }
                None => return Box::pin(std::future::ready(Ok(Answer::lost_dialog()))),
            },
        };
        Box::pin(run(running, parked))
    }

    fn forget(&self, dialog: u64) {
        let running = self.parked.take(dialog);
        // An author's `Drop` runs here.
        drop(std::panic::catch_unwind(AssertUnwindSafe(|| drop(running))));
    }

    fn guard(&self, event: Arc<Event>, meta: CallMeta) -> BoxFuture<'static, Result<Verdict, PluginError>> {
        let turn = Arc::new(Turn::new(Arc::clone(&event), meta));
        let (plugin, cx) = (Arc::clone(&self.plugin), Ctx::new(Arc::clone(&self.link), turn));
        Box::pin(async move { plugin.guard(&event, &cx).await })
    }

    fn stop(&self) -> BoxFuture<'static, ()> {
        let plugin = Arc::clone(&self.plugin);
        Box::pin(async move { plugin.stop().await })
    }
}

impl<P> std::fmt::Debug for Local<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Local({})", self.link.plugin)
    }
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use std::thread::{self, ThreadId};

    use serde_json::json;

    use super::*;
    use crate::Place;
    use crate::config::ConfigProblem;
    use crate::manifest::Manifest;
    use crate::testing::Kit;

    /// Knows where it was read.
    #[derive(Debug)]
    struct Reader(ThreadId);

    impl PluginConfig for Reader {
        fn schema() -> Value {
            json!({})
        }

        fn read(value: &Value, _place: &Place) -> Result<Self, Vec<ConfigProblem>> {
            assert!(value.get("panics").is_none(), "the author's own");
            match value.get("wrong") {
                Some(_) => Err(vec![ConfigProblem::at("/wrong", "it is wrong")]),
                None => Ok(Self(thread::current().id())),
            }
        }
    }

    struct Reading(ThreadId);

    impl Plugin for Reading {
        type Config = Reader;

        fn manifest() -> Manifest {
            Manifest::new("reading", "Says where its settings were read.")
        }

        async fn init(config: Reader, _cx: &InitCtx) -> Result<Self, PluginError> {
            Ok(Self(config.0))
        }

        async fn on_event(&self, _event: &Event, _cx: &Ctx) -> Result<Effects, PluginError> {
            Ok(Effects::reply(format!("{}", self.0 == thread::current().id())))
        }
    }

    #[tokio::test]
    async fn settings_are_read_away_from_the_threads_of_events() {
        let kit = Kit::<Reading>::start(json!({})).await.unwrap();
        kit.user("alice").say("hi").await.gets("false");
        let error = Kit::<Reading>::start(json!({ "wrong": 1 })).await.err().unwrap();
        assert_eq!(error.to_string(), "its settings are wrong: /wrong: it is wrong");
        let start = AssertUnwindSafe(Kit::<Reading>::start(json!({ "panics": 1 })));
        assert!(start.catch_unwind().await.is_err(), "a panic stays one");
    }
}
