//! What does every event pass on its way to plugins? A chain of middleware, in the order of `bot.toml`.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use wxbot_model::Event;

/// An event on its way.
#[derive(Debug, Clone)]
pub struct Envelope {
    /// The event. A middleware may change it for those behind it; what is stored does not change.
    pub event: Event,
    /// Its number in the inbox.
    pub seq: u64,
    /// 1 the first time; higher on repeats.
    pub attempt: u32,
}

/// How the journey ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It reached the plugins.
    Passed {
        /// How many actions they asked for.
        actions: usize,
    },
    /// A middleware stopped it. The reason is kept with the event.
    Stopped {
        /// The middleware's name.
        by: &'static str,
        /// Why, for people.
        why: String,
    },
}

/// One station of the chain. Not calling `next` stops the event; the chain itself cannot fail.
///
/// A handler that asks for a repeat passes the chain again: what it counts, it counts on [`Envelope::attempt`] 1.
pub trait Middleware: Send + Sync + 'static {
    /// The name used in `middleware = [...]`.
    fn name(&self) -> &'static str;

    /// Looks at the event, calls `next.run(env)` or stops it.
    fn handle(&self, env: Envelope, next: Next<'_>) -> impl Future<Output = Outcome> + Send;
}

/// The object-safe twin of [`Middleware`].
pub trait AnyMiddleware: Send + Sync {
    /// See [`Middleware::name`].
    fn name(&self) -> &'static str;
    /// See [`Middleware::handle`].
    fn handle<'a>(&'a self, env: Envelope, next: Next<'a>) -> BoxFuture<'a, Outcome>;
}

impl<M: Middleware> AnyMiddleware for M {
    fn name(&self) -> &'static str {
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

/// The rest of the chain.
pub struct Next<'a> {
    rest: &'a [Arc<dyn AnyMiddleware>],
    end: &'a dyn Destination,
}

impl<'a> Next<'a> {
    /// A chain of these stations and this end.
    pub fn new(rest: &'a [Arc<dyn AnyMiddleware>], end: &'a dyn Destination) -> Self {
        Self { rest, end }
    }

    /// Sends the event on.
    pub fn run(self, env: Envelope) -> BoxFuture<'a, Outcome> {
        match self.rest.split_first() {
            Some((first, rest)) => first.handle(env, Self { rest, end: self.end }),
            None => self.end.arrive(env),
        }
    }
}

impl fmt::Debug for Next<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.rest.iter().map(|m| m.name())).finish()
    }
}
