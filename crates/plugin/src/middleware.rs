//! What does every event pass on its way to plugins? A chain of middleware, in the order of `bot.toml`.
//!
//! A program of your own adds a station: a [`Middleware`] that reads its settings ([`StationConfig`]), registered by
//! `App::middleware`, stands in `middleware = [...]` under its name and has a table of that name.
//!
//! ```
//! use wxbot_plugin::prelude::*;
//! use wxbot_plugin::{Envelope, Middleware, Next, Outcome, StationConfig};
//!
//! /// Stops messages of the night: `middleware = ["ignore-self", "quiet-hours"]` and `[quiet-hours]` in `bot.toml`.
//! struct QuietHours(Hours);
//!
//! #[derive(serde::Deserialize)]
//! #[serde(deny_unknown_fields)]
//! struct Hours {
//!     from: u8,
//!     until: u8,
//! }
//!
//! impl PluginConfig for Hours {
//!     fn schema() -> serde_json::Value {
//!         let hour = serde_json::json!({ "type": "integer", "minimum": 0, "maximum": 23 });
//!         serde_json::json!({ "type": "object", "properties": { "from": hour, "until": hour } })
//!     }
//!     fn read(settings: &serde_json::Value, _place: &Place) -> Result<Self, Vec<ConfigProblem>> {
//!         let hours: Self = serde_json::from_value(settings.clone())
//!             .map_err(|error| vec![ConfigProblem::at("", error.to_string())])?;
//!         if hours.from > 23 {
//!             return Err(vec![ConfigProblem::at("/from", "the day has 24 hours")]);
//!         }
//!         Ok(hours)
//!     }
//! }
//!
//! impl Middleware for QuietHours {
//!     fn name(&self) -> &str {
//!         Self::NAME
//!     }
//!
//!     async fn handle(&self, env: Envelope, next: Next<'_>) -> Outcome {
//!         let hour = env.event.at_s.div_euclid(3600).rem_euclid(24) as u8; // UTC, to keep the example short
//!         if (self.0.from..self.0.until).contains(&hour) {
//!             return Outcome::stopped(Self::NAME, format!("quiet until {} o'clock", self.0.until));
//!         }
//!         next.run(env).await
//!     }
//! }
//!
//! impl StationConfig for QuietHours {
//!     type Config = Hours;
//!     const NAME: &'static str = "quiet-hours";
//!     const ABOUT: &'static str = "Stops messages of the night.";
//!
//!     fn make(config: Hours) -> Result<Self, PluginError> {
//!         Ok(Self(config))
//!     }
//! }
//! ```

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde_json::Value;
use wxbot_model::Event;

use crate::config::{ConfigProblem, Place, PluginConfig};
use crate::plugin::PluginError;

/// An event on its way.
#[derive(Debug, Clone)]
pub struct Envelope {
    /// The event. A middleware may change it for those behind it; what is stored does not change.
    pub event: Event,
    /// Its number in the inbox.
    pub seq: u64,
    /// 1 the first time; higher on repeats.
    pub attempt: u32,
    /// Set when a station holds the event back from all but those that [watch](crate::Manifest::watches): it goes on to
    /// the end of the chain, and nobody else is asked there. What counts events or answers leaves it alone.
    pub held: Option<HeldBack>,
}

/// Which station holds an event back, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldBack {
    /// The middleware's name.
    pub by: Cow<'static, str>,
    /// Why, for people.
    pub why: String,
}

impl Envelope {
    /// An event on its way for the first time.
    pub fn new(event: Event, seq: u64) -> Self {
        Self { event, seq, attempt: 1, held: None }
    }

    /// The same event at a later try.
    #[must_use]
    pub fn attempt(mut self, attempt: u32) -> Self {
        self.attempt = attempt;
        self
    }

    /// The same event, held back. What was held back before keeps its reason.
    #[must_use]
    pub fn hold(mut self, by: impl Into<Cow<'static, str>>, why: impl Into<String>) -> Self {
        self.held.get_or_insert_with(|| HeldBack { by: by.into(), why: why.into() });
        self
    }
}

/// How the journey ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It reached the plugins.
    Passed {
        /// How many actions they asked for.
        actions: usize,
        /// How many of them say something in the event's own conversation: texts and media, which somebody there may
        /// answer.
        said: usize,
    },
    /// A middleware stopped it. The reason is kept with the event.
    Stopped {
        /// The middleware's name.
        by: Cow<'static, str>,
        /// Why, for people.
        why: String,
    },
}

impl Outcome {
    /// Stopped by this station for this reason.
    pub fn stopped(by: impl Into<Cow<'static, str>>, why: impl Into<String>) -> Self {
        Self::Stopped { by: by.into(), why: why.into() }
    }
}

/// One station of the chain. Not calling `next` stops the event; the chain itself cannot fail.
///
/// A handler that asks for a repeat passes the chain again: what it counts, it counts on [`Envelope::attempt`] 1.
pub trait Middleware: Send + Sync + 'static {
    /// The name used in `middleware = [...]`.
    fn name(&self) -> &str;

    /// Looks at the event, calls `next.run(env)` or stops it.
    fn handle(&self, env: Envelope, next: Next<'_>) -> impl Future<Output = Outcome> + Send;
}

/// A middleware with settings of its own, which a program adds to wxbot.
///
/// One is made for each account that names it. After a reload an account keeps the one it had, and what that one
/// remembers, while its settings stay the same.
pub trait StationConfig: Middleware + Sized {
    /// Its settings: the table `[NAME]` with the account's own table of that name over it.
    type Config: PluginConfig;
    /// The word in `middleware = [...]`: lower-case letters, digits and `-`. One of a built-in middleware replaces that.
    const NAME: &'static str;
    /// One sentence for lists and editors.
    const ABOUT: &'static str;

    /// Makes it. What `Config` let through seldom fails here; when it does, the start or the reload fails.
    ///
    /// # Errors
    /// What stands in the way.
    fn make(config: Self::Config) -> Result<Self, PluginError>;
}

/// A middleware that a registry holds: a built-in one by its name alone, or one that a program brings.
#[derive(Clone, Copy)]
pub struct Station {
    /// The word in `middleware = [...]`.
    pub name: &'static str,
    /// How it is made; `None` for a built-in one.
    pub own: Option<OwnStation>,
}

/// What [`OwnStation::make`] does: settings and where they stand in, a station out.
pub type MakeStation = fn(&Value, &Place) -> Result<Arc<dyn AnyMiddleware>, PluginError>;

/// How a middleware that a program brings is checked and made.
#[derive(Clone, Copy)]
pub struct OwnStation {
    /// One sentence.
    pub about: &'static str,
    /// JSON Schema of its settings.
    pub schema: fn() -> Value,
    /// All problems of these settings.
    pub check: fn(&Value, &Place) -> Vec<ConfigProblem>,
    /// Makes one.
    pub make: MakeStation,
}

impl Station {
    /// A built-in one.
    pub const fn named(name: &'static str) -> Self {
        Self { name, own: None }
    }

    /// One that a program brings.
    pub const fn of<M: StationConfig>() -> Self {
        let own = OwnStation { about: M::ABOUT, schema: M::Config::schema, check: problems::<M>, make: make::<M> };
        Self { name: M::NAME, own: Some(own) }
    }
}

fn problems<M: StationConfig>(settings: &Value, place: &Place) -> Vec<ConfigProblem> {
    M::Config::read(settings, place).err().unwrap_or_default()
}

fn make<M: StationConfig>(settings: &Value, place: &Place) -> Result<Arc<dyn AnyMiddleware>, PluginError> {
    let config = M::Config::read(settings, place).map_err(|problems| {
        let told: Vec<String> = problems.iter().map(|p| format!("{}: {}", p.pointer, p.message)).collect();
        PluginError::msg(format!("its settings are wrong: {}", told.join("; ")))
    })?;
    Ok(Arc::new(M::make(config)?))
}

impl fmt::Debug for Station {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Station({}{})", self.name, if self.own.is_some() { ", own" } else { "" })
    }
}

impl fmt::Debug for OwnStation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OwnStation({})", self.about)
    }
}

/// The object-safe twin of [`Middleware`].
pub trait AnyMiddleware: Send + Sync {
    /// See [`Middleware::name`].
    fn name(&self) -> &str;
    /// See [`Middleware::handle`].
    fn handle<'a>(&'a self, env: Envelope, next: Next<'a>) -> BoxFuture<'a, Outcome>;
}

impl<M: Middleware> AnyMiddleware for M {
    fn name(&self) -> &str {
        Middleware::name(self)
    }
    fn handle<'a>(&'a self, env: Envelope, next: Next<'a>) -> BoxFuture<'a, Outcome> {
        Box::pin(Middleware::handle(self, env, next))
    }
}

/// The end of a chain: the plugins.
pub trait Destination: Send + Sync {
    /// Hands the event to the plugins.
    fn arrive(&self, env: Envelope) -> BoxFuture<'_, Outcome>;
}

/// Sees an event go through the stations of a chain, for `wxbot explain`. The stations know nothing of it.
pub trait Observer: Send + Sync {
    /// It comes to this station, as it is now.
    fn enters(&self, station: &str, env: &Envelope);
    /// It comes to the end of the chain.
    fn arrives(&self, env: &Envelope);
    /// It comes back from there.
    fn departs(&self);
    /// It comes back from this station.
    fn leaves(&self, station: &str, outcome: &Outcome);
}

/// The rest of the chain.
pub struct Next<'a> {
    rest: &'a [Arc<dyn AnyMiddleware>],
    end: &'a dyn Destination,
    observer: Option<&'a dyn Observer>,
}

impl<'a> Next<'a> {
    /// A chain of these stations and this end.
    pub fn new(rest: &'a [Arc<dyn AnyMiddleware>], end: &'a dyn Destination) -> Self {
        Self { rest, end, observer: None }
    }

    /// The same, seen by somebody.
    #[must_use]
    pub fn seen_by(mut self, observer: Option<&'a dyn Observer>) -> Self {
        self.observer = observer;
        self
    }

    /// Sends the event on.
    pub fn run(self, env: Envelope) -> BoxFuture<'a, Outcome> {
        let Self { rest, end, observer } = self;
        match (rest.split_first(), observer) {
            (Some((first, rest)), None) => first.handle(env, Self { rest, end, observer }),
            (None, None) => end.arrive(env),
            (Some((first, rest)), Some(seen)) => Box::pin(async move {
                seen.enters(first.name(), &env);
                let outcome = first.handle(env, Self { rest, end, observer }).await;
                seen.leaves(first.name(), &outcome);
                outcome
            }),
            (None, Some(seen)) => Box::pin(async move {
                seen.arrives(&env);
                let outcome = end.arrive(env).await;
                seen.departs();
                outcome
            }),
        }
    }
}

impl fmt::Debug for Next<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.rest.iter().map(|m| m.name())).finish()
    }
}
