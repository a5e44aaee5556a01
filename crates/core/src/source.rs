//! Wall time and chance, injected so that a run can be repeated from a seed and follows a paused clock in tests.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::time::Instant;
use wxbot_model::ClientMsgId;

/// Where wall time and random numbers come from. Cheap to clone; clones share the random stream.
#[derive(Debug, Clone)]
pub struct Source {
    clock: Clock,
    /// How far somebody has set it, ms.
    set: Arc<AtomicI64>,
    rng: Arc<Mutex<StdRng>>,
}

#[derive(Debug, Clone, Copy)]
enum Clock {
    System,
    /// Wall time = `base` + what tokio's clock has advanced since `from`.
    Follows {
        base: Duration,
        from: Instant,
    },
}

impl Source {
    /// The system clock and the system's randomness.
    pub fn system() -> Self {
        Self { clock: Clock::System, set: Arc::default(), rng: Arc::new(Mutex::new(rand::make_rng())) }
    }

    /// A repeatable source: numbers from `seed`, wall time starting at `start_s` and following tokio's clock.
    pub fn seeded(seed: u64, start_s: u64) -> Self {
        Self {
            clock: Clock::Follows { base: Duration::from_secs(start_s), from: Instant::now() },
            set: Arc::default(),
            rng: Arc::new(Mutex::new(StdRng::seed_from_u64(seed))),
        }
    }

    /// Milliseconds since 1970; 0 for a clock before that.
    pub fn now_ms(&self) -> i64 {
        let since = match self.clock {
            Clock::System => SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
            Clock::Follows { base, from } => base + from.elapsed(),
        };
        let now_ms = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
        now_ms.saturating_add(self.set.load(Ordering::Relaxed))
    }

    /// Sets the wall clock forward or back, as somebody at the machine may do. Clones go along; what waits does not.
    pub fn set_by(&self, ms: i64) {
        self.set.fetch_add(ms, Ordering::Relaxed);
    }

    /// Seconds since 1970.
    pub fn now_s(&self) -> i64 {
        self.now_ms() / 1000
    }

    /// Any number.
    pub fn random_u64(&self) -> u64 {
        self.rng.lock().unwrap_or_else(PoisonError::into_inner).random()
    }

    /// A number below `bound`; 0 when `bound` is 0.
    pub fn below(&self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.rng.lock().unwrap_or_else(PoisonError::into_inner).random_range(0..bound) }
    }

    /// `duration` ±20 %, so that many waits begun together do not end together.
    pub fn jitter(&self, duration: Duration) -> Duration {
        let permille = 800 + u32::try_from(self.below(401)).unwrap_or(200);
        duration.saturating_mul(permille) / 1000
    }
}

/// Ids of outgoing messages for services that take any: milliseconds and a count, so that none comes twice.
#[derive(Debug)]
pub struct ClientIds {
    source: Source,
    drawn: AtomicU64,
}

impl ClientIds {
    /// From this clock, counted from 0.
    pub fn new(source: Source) -> Self {
        Self { source, drawn: AtomicU64::new(0) }
    }

    /// The next one: digits alone.
    #[expect(clippy::expect_used, reason = "digits only, far below 40")]
    pub fn draw(&self) -> ClientMsgId {
        let nth = self.drawn.fetch_add(1, Ordering::Relaxed);
        format!("{}{nth:06}", self.source.now_ms()).parse().expect("digits")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_seeded_source_repeats_and_follows_the_paused_clock() {
        let (one, two) = (Source::seeded(7, 1_000), Source::seeded(7, 1_000));
        assert_eq!(one.random_u64(), two.random_u64());
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(one.now_s(), 1_005);
        one.clone().set_by(-3_000);
        assert_eq!(one.now_s(), 1_002);
    }

    #[test]
    fn jitter_stays_within_a_fifth() {
        let source = Source::system();
        for _ in 0..1_000 {
            let wait = source.jitter(Duration::from_secs(10));
            assert!((8_000..=12_000).contains(&wait.as_millis()), "{wait:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn no_id_is_drawn_twice_even_when_the_clock_is_set_back() {
        let source = Source::seeded(1, 1_700_000_000);
        let ids = ClientIds::new(source.clone());
        let mut drawn = std::collections::BTreeSet::new();
        for _ in 0..1_000 {
            source.set_by(-1);
            assert!(drawn.insert(ids.draw()), "{drawn:?}");
        }
        assert!(drawn.iter().all(|id| id.as_str().bytes().all(|byte| byte.is_ascii_digit())));
    }
}
