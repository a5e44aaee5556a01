//! Who types the digits that the phone shows during a login? Whoever is attached to the account; the login waits for them.
//!
//! The digits pass through here once: they are taken by the login that asked, and neither kept nor told to anybody.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

/// Services show four to six digits; what is longer is no code that was read off a phone.
const LONGEST: usize = 16;

/// Why digits were not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotTaken {
    /// No login of the account waits for digits now.
    #[error("no login of this account waits for digits; they are asked for when the phone shows some")]
    NotAsked,
    /// Not what a phone shows.
    #[error("these are no digits as a phone shows them: 1 to 16 digits, nothing else")]
    NoDigits,
}

/// The digits of one account's login.
#[derive(Default)]
pub(crate) struct Digits {
    slot: Mutex<Slot>,
    changed: Notify,
}

#[derive(Default)]
enum Slot {
    /// Nobody asks.
    #[default]
    Closed,
    /// The login waits.
    Wanted,
    /// Typed and not yet taken.
    Given(String),
}

impl fmt::Debug for Digits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digits")
    }
}

impl Digits {
    fn with<T>(&self, f: impl FnOnce(&mut Slot) -> T) -> T {
        f(&mut self.slot.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The phone shows digits: those typed from now on count.
    pub(super) fn open(&self) {
        self.with(|slot| *slot = Slot::Wanted);
    }

    /// The phone shows none any more.
    pub(super) fn close(&self) {
        self.with(|slot| *slot = Slot::Closed);
    }

    /// Somebody may have gone away who would have typed them.
    pub(crate) fn look(&self) {
        self.changed.notify_waiters();
    }

    pub(crate) fn give(&self, digits: &str) -> Result<(), NotTaken> {
        let digits = digits.trim();
        if digits.is_empty() || digits.len() > LONGEST || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(NotTaken::NoDigits);
        }
        self.with(|slot| match slot {
            Slot::Closed => Err(NotTaken::NotAsked),
            Slot::Wanted | Slot::Given(_) => {
                *slot = Slot::Given(digits.to_owned());
                Ok(())
            }
        })?;
        self.look();
        Ok(())
    }

    /// The digits once somebody has typed them; `None` when `attended` says that nobody is there to do so.
    ///
    /// Cancel safe: what was typed stays for the next call.
    pub(super) async fn wait(&self, attended: impl Fn() -> bool) -> Option<String> {
        loop {
            // Before the look, so that nothing between it and the wait is missed.
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let given = self.with(|slot| match std::mem::take(slot) {
                Slot::Given(digits) => Some(digits),
                Slot::Closed | Slot::Wanted => {
                    *slot = Slot::Wanted;
                    None
                }
            });
            if given.is_some() {
                return given;
            }
            if !attended() {
                self.close();
                return None;
            }
            changed.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn digits_are_taken_once_and_by_whoever_asked() {
        let digits = Digits::default();
        assert_eq!(digits.give("123456"), Err(NotTaken::NotAsked), "nobody asks");
        digits.open();
        for bad in ["", " ", "12a4", "12 34", "12345678901234567", "\u{661}\u{662}"] {
            assert_eq!(digits.give(bad), Err(NotTaken::NoDigits), "{bad:?}");
        }
        assert_eq!(digits.give(" 12\n"), Ok(()));
        assert_eq!(digits.give("3456"), Ok(()), "corrected before it was taken");
        assert_eq!(digits.wait(|| true).await.as_deref(), Some("3456"));
        assert_eq!(digits.give("3456"), Err(NotTaken::NotAsked), "taken once");
        digits.open();
        digits.give("77").unwrap();
        digits.close();
        assert_eq!(digits.give("77"), Err(NotTaken::NotAsked), "the phone shows none any more");
        assert!(digits.wait(|| true).now_or_never().is_none(), "what was typed for another question is gone");
    }

    #[tokio::test]
    async fn who_goes_away_ends_the_wait() {
        let (digits, there) = (Digits::default(), AtomicBool::new(true));
        let waits = digits.wait(|| there.load(Ordering::SeqCst));
        tokio::pin!(waits);
        assert!(futures_util::poll!(&mut waits).is_pending());
        digits.look();
        assert!(futures_util::poll!(&mut waits).is_pending(), "somebody is still there");
        there.store(false, Ordering::SeqCst);
        digits.look();
        assert_eq!(waits.await, None);
        assert_eq!(digits.give("1"), Err(NotTaken::NotAsked));
    }

    #[tokio::test]
    async fn a_wait_that_is_dropped_loses_nothing() {
        let digits = Digits::default();
        {
            let waits = digits.wait(|| true);
            tokio::pin!(waits);
            assert!(futures_util::poll!(&mut waits).is_pending());
            digits.give("4711").unwrap();
        }
        assert_eq!(digits.wait(|| true).await.as_deref(), Some("4711"));
        assert!(!format!("{digits:?}").contains("4711"));
    }
}
