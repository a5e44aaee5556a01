//! What may one input cost? No panic, memory of a few times its length, time that is linear in it (security R10).

use std::cell::RefCell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::time::Duration;

use crate::targets::Target;

/// What any input may take, however short: the first one of a pattern fills caches.
const TIME_AT_ALL: Duration = Duration::from_millis(50);
/// What a KiB may take besides. The slowest target needs a hundredth of it.
const TIME_PER_KIB: Duration = Duration::from_millis(5);
/// What is not optimised takes longer.
const SLOWER: u32 = if cfg!(debug_assertions) { 40 } else { 1 };
/// How often an input that was too slow or too large is tried again: only what is so each time is told.
const TRIES: usize = 4;

/// What an input did that was all right. Inputs that differ in this go different ways, so they are kept to build on: a
/// poor man's coverage that needs no instrumented build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Way {
    /// How many pieces of memory were asked for.
    pieces: u64,
    /// The magnitude of the most bytes that were held at one time.
    magnitude: u32,
}

/// What an input did that it must not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// A panic: its text and place.
    Panic(String),
    /// It held more memory than its length allows.
    Memory {
        /// Bytes of the input.
        len: usize,
        /// The most bytes that were held at one time.
        held: u64,
        /// What is allowed.
        allowed: u64,
    },
    /// It took more time than its length allows.
    Time {
        /// Bytes of the input.
        len: usize,
        /// The shortest of several tries.
        took: Duration,
        /// What is allowed.
        allowed: Duration,
    },
}

impl Finding {
    /// A word for file names.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Panic(_) => "panic",
            Self::Memory { .. } => "memory",
            Self::Time { .. } => "time",
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panic(said) => write!(f, "panic: {said}"),
            Self::Memory { len, held, allowed } => {
                write!(f, "memory: {held} bytes were held for an input of {len} bytes, {allowed} are allowed")
            }
            Self::Time { len, took, allowed } => {
                write!(f, "time: an input of {len} bytes took {took:?}, {allowed:?} are allowed")
            }
        }
    }
}

thread_local! {
    static SAID: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Panics are told where the input is told, not on the terminal: there may be thousands.
fn quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let ours = SAID.with(|said| said.borrow().is_some());
            if !ours {
                return before(info);
            }
            let payload = info.payload();
            let text = payload.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("a panic without words");
            let place = info.location().map(|at| format!(" at {}:{}", at.file(), at.line())).unwrap_or_default();
            SAID.with(|said| *said.borrow_mut() = Some(format!("{text}{place}")));
        }));
    });
}

/// The time that processors have spent on this process: what others do meanwhile is nobody's fault here.
fn spent() -> Duration {
    let spent = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(spent.tv_sec).unwrap_or(0), u32::try_from(spent.tv_nsec).unwrap_or(0))
}

/// One run: how it ended, the most bytes held, the pieces asked for, the time.
fn once(target: &Target, input: &[u8]) -> (Result<(), String>, u64, u64, Duration) {
    quiet();
    SAID.with(|said| *said.borrow_mut() = Some(String::new()));
    let mut ended = Ok(());
    let before = spent();
    let counted = allocation_counter::measure(|| {
        ended = catch_unwind(AssertUnwindSafe(|| (target.run)(input))).map_err(drop);
    });
    let took = spent().saturating_sub(before);
    let said = SAID.with(|said| said.borrow_mut().take()).unwrap_or_default();
    (ended.map_err(|()| said), counted.bytes_max, counted.count_total, took)
}

/// Runs a target on an input.
///
/// # Errors
/// What it did that it must not.
pub fn judge(target: &Target, input: &[u8]) -> Result<Way, Finding> {
    let (ended, mut held, pieces, mut took) = once(target, input);
    ended.map_err(Finding::Panic)?;
    let len = input.len();
    let size = u64::try_from(len).unwrap_or(u64::MAX);
    let allowed = size.saturating_mul(target.factor).saturating_add(target.slack);
    let kib = u32::try_from(len / 1024).unwrap_or(u32::MAX);
    let patience = (TIME_AT_ALL + TIME_PER_KIB.saturating_mul(kib)) * SLOWER;
    for _ in 0..TRIES {
        if held <= allowed && took <= patience {
            break;
        }
        // What is made once and kept (patterns, tables) is not this input's.
        let (ended, again, _, faster) = once(target, input);
        ended.map_err(Finding::Panic)?;
        held = held.min(again);
        took = took.min(faster);
    }
    if held > allowed {
        return Err(Finding::Memory { len, held, allowed });
    }
    if took > patience {
        return Err(Finding::Time { len, took, allowed: patience });
    }
    Ok(Way { pieces, magnitude: held.checked_ilog2().unwrap_or(0) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::targets::Seeds;

    fn target(run: fn(&[u8])) -> Target {
        Target { name: "test", run, seeds: Seeds::NONE, words: &[], factor: 10, slack: 64 * 1024 }
    }

    #[test]
    fn what_is_wrong_is_seen() {
        assert!(judge(&target(|bytes| drop(bytes.to_vec())), b"abc").is_ok());
        let panic = judge(&target(|bytes| assert!(bytes != b"abc", "not that")), b"abc").unwrap_err();
        assert!(panic.to_string().starts_with("panic: not that at "), "{panic}");
        let hoard = judge(&target(|bytes| drop(vec![1u8; 65 * 1024 + bytes.len() * 11])), b"abc").unwrap_err();
        assert_eq!(hoard.word(), "memory", "{hoard}");
        fn dull(_: &[u8]) {
            let before = spent();
            while spent().saturating_sub(before) < (TIME_AT_ALL + Duration::from_millis(10)) * SLOWER {}
        }
        if !cfg!(debug_assertions) {
            let slow = judge(&target(dull), b"abc").unwrap_err();
            assert_eq!(slow.word(), "time", "{slow}");
        }
    }

    #[test]
    fn a_cache_that_is_filled_once_is_not_the_inputs() {
        fn first_is_large(_: &[u8]) {
            static KEPT: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
            KEPT.get_or_init(|| vec![0; 1 << 20]);
        }
        assert!(judge(&target(first_is_large), b"").is_ok());
    }
}
