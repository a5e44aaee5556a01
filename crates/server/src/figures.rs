//! What is counted? Pushes by account and outcome, how long keeping took, and the accounts' states.

use std::fmt;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::Spool;

/// Seconds. Keeping is one fsync in the middle of the list; the end of it is the limit.
const STEPS: [f64; 12] = [0.0005, 0.001, 0.002, 0.004, 0.008, 0.015, 0.03, 0.06, 0.125, 0.5, 2.0, 10.0];

/// Counts since the start.
pub struct Figures {
    registry: Registry,
    pushes: Family<Outcome, Counter>,
    keeping: Family<Of, Histogram>,
    away: Family<Why, Counter>,
    states: Family<State, Gauge>,
    spool_bodies: Family<Of, Gauge>,
    spool_bytes: Family<Of, Gauge>,
    core_up: Family<Whole, Gauge>,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Outcome {
    account: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Of {
    account: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Why {
    why: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct State {
    account: String,
    state: &'static str,
}

/// Of wxbot as a whole: shown only where it was set.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Whole {}

impl Figures {
    /// Nothing yet.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("wxbot");
        let (pushes, away, states) = (Family::default(), Family::default(), Family::default());
        let keeping = Family::<Of, Histogram>::new_with_constructor(|| Histogram::new(STEPS));
        registry.register("pushes", "Pushed requests by account and what became of them", pushes.clone());
        registry.register("push_keeping_seconds", "From the end of a pushed body to its commit", keeping.clone());
        registry.register("turned_away", "Requests that were nobody's, or a web page's", away.clone());
        registry.register("account_state", "1 for the state that an account is in", states.clone());
        let (spool_bodies, spool_bytes, core_up) = (Family::default(), Family::default(), Family::default());
        registry.register("spool_bodies", "Bodies that were answered and no account has yet", spool_bodies.clone());
        registry.register("spool_bytes", "Their bytes", spool_bytes.clone());
        registry.register("core_up", "1 while those are there who take from the spool", core_up.clone());
        Self { registry, pushes, keeping, away, states, spool_bodies, spool_bytes, core_up }
    }

    pub(crate) fn pushed(&self, account: &str, outcome: &'static str) {
        self.pushes.get_or_create(&Outcome { account: account.to_owned(), outcome }).inc();
    }

    pub(crate) fn took(&self, account: &str, time: Duration) {
        self.keeping.get_or_create(&Of { account: account.to_owned() }).observe(time.as_secs_f64());
    }

    pub(crate) fn turned_away(&self, why: &'static str) {
        self.away.get_or_create(&Why { why }).inc();
    }

    /// All of it as text, with these states of the accounts and this spool.
    pub(crate) fn text(
        &self,
        states: &[(String, &'static str, bool)],
        spool: Option<&Spool>,
    ) -> Result<String, fmt::Error> {
        self.spool_bodies.clear();
        self.spool_bytes.clear();
        if let Some(spool) = spool {
            let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
            for (account, bodies, bytes) in &spool.waiting {
                self.spool_bodies.get_or_create(&Of { account: account.clone() }).set(number(*bodies));
                self.spool_bytes.get_or_create(&Of { account: account.clone() }).set(number(*bytes));
            }
            self.core_up.get_or_create(&Whole {}).set(i64::from(spool.core_up));
        }
        self.states.clear();
        for (account, state, _) in states {
            self.states.get_or_create(&State { account: account.clone(), state }).set(1);
        }
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

impl Default for Figures {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Figures")
    }
}
