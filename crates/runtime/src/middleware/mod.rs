//! Which middleware is built in, and how is a chain made? [`guard`] what stops events, [`flow`] what limits their flow,
//! [`plugin`] plugins that stand among them.
//!
//! Timers and schedules of plugins are nobody's message: they are never old, nobody's flood and no loop. The access list
//! of a chat holds for them; see [`guard::Access`].

mod flow;
mod guard;
mod plugin;

pub(crate) use plugin::Guards;

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use wxbot_core::source::Source;
use wxbot_model::span::{Rate, parse_duration};
use wxbot_plugin::PluginError;
use wxbot_plugin::middleware::{AnyMiddleware, Station};

use crate::config::MiddlewareUse;

/// What is built in, in the order of the default: what `middleware = [...]` may hold, unless a program brings more.
pub const NAMES: [Station; 6] = [
    Station::named("ignore-self"),
    Station::named("old-message"),
    Station::named("access"),
    Station::named("loop-guard"),
    Station::named("rate-limit"),
    Station::named("trace"),
];

/// A middleware of a program that could not be made.
#[derive(Debug, Clone, thiserror::Error)]
#[error("middleware `{name}` cannot start: {why}")]
pub struct StationError {
    /// Which.
    pub name: String,
    /// What it said.
    pub why: String,
}

/// Makes a chain of built-in stations. Settings were checked by `config`; a value that is none falls back to its default.
pub fn chain(wanted: &[MiddlewareUse], source: &Source) -> Vec<Arc<dyn AnyMiddleware>> {
    wanted.iter().filter_map(|one| build(one, None, source)).collect()
}

/// The chain of an account, with these plugins where they are named. A station that is wanted as it was is kept, and
/// with it what it remembers.
///
/// # Errors
/// When one that a program brings cannot be made.
pub(crate) fn renewed(
    wanted: &[MiddlewareUse],
    guards: Guards<'_>,
    source: &Source,
    was: &[MiddlewareUse],
    stations: &[Arc<dyn AnyMiddleware>],
) -> Result<Vec<Arc<dyn AnyMiddleware>>, StationError> {
    let kept = |one: &MiddlewareUse| {
        if guards.has(&one.name) {
            // It remembers nothing itself; its instance, or who has which role, may be another.
            return None;
        }
        let place = was.iter().position(|used| used == one)?;
        stations.get(place).filter(|station| station.name() == one.name).cloned()
    };
    let made = |one: &MiddlewareUse| match one.own {
        Some(own) => {
            let failed = |error: PluginError| StationError { name: one.name.clone(), why: error.to_string() };
            (own.make)(&one.settings, &one.place).map(Some).map_err(failed)
        }
        None => Ok(build(one, Some(guards), source)),
    };
    let chain = wanted.iter().map(|one| kept(one).map_or_else(|| made(one), |station| Ok(Some(station))));
    Ok(chain.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

fn build(wanted: &MiddlewareUse, guards: Option<Guards<'_>>, source: &Source) -> Option<Arc<dyn AnyMiddleware>> {
    let settings = Settings(&wanted.settings);
    Some(match wanted.name.as_str() {
        "ignore-self" => Arc::new(guard::IgnoreSelf),
        "old-message" => Arc::new(guard::OldMessage::new(settings.duration("after", 600), source.clone())),
        "access" => Arc::new(guard::Access::new(&settings)),
        "loop-guard" => Arc::new(flow::LoopGuard::new(
            settings.count("replies", 5),
            settings.duration("per", 10),
            settings.duration("mute", 60),
        )),
        "rate-limit" => Arc::new(flow::RateLimit::new(settings.rate("per_sender", 30), settings.rate("per_chat", 60))),
        "trace" => Arc::new(guard::Trace),
        id => Arc::new(guards?.named(id)?),
    })
}

/// Checked settings, read by key.
struct Settings<'a>(&'a Value);

impl Settings<'_> {
    fn text(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(Value::as_str)
    }

    fn duration(&self, key: &str, default_s: u64) -> Duration {
        self.text(key).and_then(|t| parse_duration(t).ok()).unwrap_or(Duration::from_secs(default_s))
    }

    fn rate(&self, key: &str, per_minute: u32) -> Rate {
        self.text(key).and_then(|t| t.parse().ok()).unwrap_or(Rate::new(per_minute, Duration::from_secs(60)))
    }

    fn count(&self, key: &str, default: usize) -> usize {
        self.0.get(key).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok()).unwrap_or(default)
    }

    fn flag(&self, key: &str) -> bool {
        self.0.get(key).and_then(Value::as_bool).unwrap_or(true)
    }

    fn list(&self, key: &str) -> Vec<String> {
        let texts = |list: &Vec<Value>| list.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        self.0.get(key).and_then(Value::as_array).map(texts).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
