//! How does a side find its own waiting call again, when the other side ends it? By a number, not by a pointer.
//!
//! `user` comes back from code that somebody else wrote. As a number it can be wrong, late or given back twice, and the
//! worst that happens is that nothing is found.

use std::collections::HashMap;
use std::ffi::c_void;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};

/// What waits for the other side, by number.
pub struct Tickets<T> {
    next: AtomicUsize,
    waiting: LazyLock<Mutex<HashMap<usize, T>>>,
}

impl<T> Tickets<T> {
    /// Nothing waits.
    pub const fn new() -> Self {
        Self { next: AtomicUsize::new(1), waiting: LazyLock::new(Mutex::default) }
    }

    /// Keeps `value` and answers the `user` to give to the other side; never null and never one that was given before.
    pub fn issue(&self, value: T) -> *mut c_void {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.lock().insert(number, value);
        std::ptr::without_provenance_mut(number)
    }

    /// Gives up what waits under this `user`: once.
    pub fn redeem(&self, user: *mut c_void) -> Option<T> {
        self.lock().remove(&user.addr())
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<usize, T>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Default for Tickets<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for Tickets<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tickets({} waiting)", self.waiting())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_good_for_one() {
        let tickets = Tickets::new();
        let (first, second) = (tickets.issue("a"), tickets.issue("b"));
        assert_eq!(tickets.redeem(first), Some("a"));
        assert_eq!(tickets.redeem(first), None, "given back twice");
        assert_eq!(tickets.redeem(std::ptr::null_mut()), None, "never issued");
        assert_eq!((tickets.redeem(second), tickets.waiting()), (Some("b"), 0));
    }
}
