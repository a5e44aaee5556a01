//! Which files must not go, although no send is stored that needs them? Those somebody in this process holds.
//!
//! A file comes into the folder before the event that sends it is committed; until then only a pin keeps it. Removing goes
//! in three steps, so that no commit slips through: *condemn* what nobody holds, read from the store what sends need, then
//! *execute* what is still condemned. Whoever takes a pin in between pardons. A pin that was let go before the first step
//! had its commit before the second.

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wxbot_model::MediaDigest;

#[derive(Debug, Default)]
pub(super) struct Pins(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    held: HashMap<MediaDigest, usize>,
    condemned: HashSet<MediaDigest>,
}

impl Pins {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// False when somebody holds it.
    pub(super) fn condemn(&self, digest: &MediaDigest) -> bool {
        let mut state = self.state();
        !state.held.contains_key(digest) && {
            state.condemned.insert(digest.clone());
            true
        }
    }

    pub(super) fn pardon(&self, digest: &MediaDigest) {
        self.state().condemned.remove(digest);
    }

    /// Removes it, unless somebody took it meanwhile; false then. The lock is held over one `unlink`, so call it where
    /// blocking is allowed.
    pub(super) fn execute(&self, digest: &MediaDigest, remove: impl FnOnce() -> io::Result<()>) -> io::Result<bool> {
        let mut state = self.state();
        if !state.condemned.remove(digest) {
            return Ok(false);
        }
        remove().map(|()| true)
    }
}

/// Keeps one file while it lives.
#[derive(Debug)]
pub(super) struct Pin {
    pins: Arc<Pins>,
    digest: MediaDigest,
}

impl Pin {
    /// From now on the file stays, if it is there: look after pinning, not before.
    pub(super) fn new(pins: &Arc<Pins>, digest: &MediaDigest) -> Arc<Self> {
        let mut state = pins.state();
        state.condemned.remove(digest);
        *state.held.entry(digest.clone()).or_default() += 1;
        drop(state);
        Arc::new(Self { pins: Arc::clone(pins), digest: digest.clone() })
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        let mut state = self.pins.state();
        if let Some(count) = state.held.get_mut(&self.digest) {
            *count -= 1;
            if *count == 0 {
                state.held.remove(&self.digest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_or_was_taken_meanwhile_stays() {
        let pins = Arc::new(Pins::default());
        let one: MediaDigest = "a".repeat(64).parse().unwrap();
        let gone = |pins: &Pins| pins.execute(&one, || Ok(())).unwrap();
        let (first, second) = (Pin::new(&pins, &one), Pin::new(&pins, &one));
        drop(first);
        assert!(!pins.condemn(&one), "one hold is left");
        drop(second);
        assert!(pins.condemn(&one));
        drop(Pin::new(&pins, &one));
        assert!(!gone(&pins), "whoever took it in between may have committed a send");
        assert!(pins.condemn(&one));
        pins.pardon(&one);
        assert!(!gone(&pins));
        assert!(pins.condemn(&one) && gone(&pins));
        assert!(pins.condemn(&one));
        pins.execute(&one, || Err(io::Error::other("no"))).unwrap_err();
        assert!(!gone(&pins), "a removal that failed is over");
    }
}
