//! Which bytes has this login uploaded already? One file for a hundred chats goes up once.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use wxbot_model::Secret;

/// How many uploads are remembered: what a bot sends again and again is a handful of pictures.
const KEPT: usize = 64;

/// What the service gave for bytes.
#[derive(Debug, Clone)]
pub(super) struct Given {
    /// By which they are sent, to anybody, for as long as the service likes.
    pub(super) media_id: String,
    /// Of a large file; demanded again when it is sent.
    pub(super) signature: Option<Secret<String>>,
}

/// The same bytes as the same kind of media.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    /// 32 hexadecimal digits.
    pub(super) md5: String,
    /// `mediatype` of the upload.
    pub(super) media_type: &'static str,
}

/// One upload. Whoever holds its lock does it, and the others wait for the outcome.
pub(super) type Slot = Arc<tokio::sync::Mutex<Option<Given>>>;

/// The uploads of a login, and the numbers it has given to them.
#[derive(Debug, Default)]
pub(super) struct Uploaded {
    slots: Mutex<VecDeque<(Key, Slot)>>,
    last_id: AtomicI64,
    begun: AtomicU64,
}

impl Uploaded {
    /// The place of an upload; the one longest not asked for goes for a new one.
    pub(super) fn slot(&self, key: &Key) -> Slot {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let at = slots.iter().position(|(known, _)| known == key);
        let (key, slot) = at.and_then(|at| slots.remove(at)).unwrap_or_else(|| (key.clone(), Slot::default()));
        if slots.len() >= KEPT {
            slots.pop_front();
        }
        slots.push_back((key, Arc::clone(&slot)));
        slot
    }

    /// The service no longer takes this.
    pub(super) async fn forget(&self, key: &Key, given: &Given) {
        let slot = self.slot(key);
        let mut slot = slot.lock().await;
        if slot.as_ref().is_some_and(|known| known.media_id == given.media_id) {
            *slot = None;
        }
    }

    /// A `ClientMediaId`: the clock, but never the same twice, as chunks are told apart by it.
    pub(super) fn draw_id(&self, now_ms: i64) -> i64 {
        let next = |last: i64| Some(now_ms.max(last.saturating_add(1)));
        let last = self.last_id.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).unwrap_or_default();
        now_ms.max(last.saturating_add(1))
    }

    /// How many uploads were begun before this one.
    pub(super) fn count(&self) -> u64 {
        self.begun.fetch_add(1, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: usize) -> Key {
        Key { md5: format!("{n:032}"), media_type: "doc" }
    }

    fn given(media_id: &str) -> Given {
        Given { media_id: media_id.into(), signature: None }
    }

    #[tokio::test]
    async fn the_one_longest_not_asked_for_goes_first() {
        let uploaded = Uploaded::default();
        for n in 0..KEPT {
            *uploaded.slot(&key(n)).lock().await = Some(given("@x"));
        }
        uploaded.slot(&key(0));
        uploaded.slot(&key(KEPT));
        assert!(uploaded.slot(&key(0)).lock().await.is_some());
        assert!(uploaded.slot(&key(1)).lock().await.is_none());
        assert_eq!(uploaded.slots.lock().unwrap().len(), KEPT);
        let picture = Key { media_type: "pic", ..key(0) };
        assert!(uploaded.slot(&picture).lock().await.is_none(), "the same bytes as something else");
    }

    #[tokio::test]
    async fn only_what_was_refused_is_forgotten() {
        let uploaded = Uploaded::default();
        *uploaded.slot(&key(0)).lock().await = Some(given("@new"));
        uploaded.forget(&key(0), &given("@old")).await;
        assert!(uploaded.slot(&key(0)).lock().await.is_some());
        uploaded.forget(&key(0), &given("@new")).await;
        assert!(uploaded.slot(&key(0)).lock().await.is_none());
    }

    #[test]
    fn ids_are_the_clock_but_never_twice_the_same() {
        let uploaded = Uploaded::default();
        assert_eq!([1_000, 1_000, 999, 2_000].map(|now| uploaded.draw_id(now)), [1_000, 1_001, 1_002, 2_000]);
    }
}
