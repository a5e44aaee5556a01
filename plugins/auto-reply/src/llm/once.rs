//! What must not be done again when an event is handled anew? An answer that was paid for is not asked for again, and what
//! people were told in vain may be told again: somebody else's change of a value came first, and nothing was sent.
//!
//! In memory and for a minute: the repeat comes at once. After a crash the question is asked again, with the same
//! `Idempotency-Key`.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use wxbot_plugin::model::{AccountName, ContactId};

/// A repeat comes within this, and a chat hears an excuse once in so long.
const MINUTE: Duration = Duration::from_secs(60);
/// Answers of some kilobytes; each place of an account may hold one.
const MOST_ANSWERS: usize = 64;
/// Chats that were told; with more of them nobody is told for a while.
const MOST_CHATS: usize = 10_000;

/// Answers that may not have been committed, the oldest first, by event.
#[derive(Debug, Default)]
pub(crate) struct Paid(Mutex<VecDeque<(Instant, String, Vec<String>)>>);

impl Paid {
    /// The answer of this event, if it was handled before.
    pub(crate) fn of(&self, event: &str) -> Option<Vec<String>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|(since, ..)| since.elapsed() < MINUTE);
        all.iter().find(|(_, of, _)| of == event).map(|(.., texts)| texts.clone())
    }

    pub(crate) fn keep(&self, event: String, texts: Vec<String>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST_ANSWERS {
            all.pop_front();
        }
        all.push_back((Instant::now(), event, texts));
    }
}

/// Which chats were told that there is no answer, by which event.
#[derive(Debug, Default)]
pub(crate) struct Excused(Mutex<HashMap<(AccountName, ContactId), (Instant, String)>>);

impl Excused {
    /// Whether this event may tell it here: none has for a minute, or it was this one.
    pub(crate) fn may(&self, account: &AccountName, chat: &ContactId, event: &str) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, (since, _)| since.elapsed() < MINUTE);
        let here = (account.clone(), chat.clone());
        match all.get(&here) {
            Some((_, by)) => by == event,
            None if all.len() >= MOST_CHATS => false,
            None => {
                all.insert(here, (Instant::now(), event.to_owned()));
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn answers_are_kept_for_a_minute_and_are_few() {
        let paid = Paid::default();
        paid.keep("a".into(), vec!["x".into()]);
        assert_eq!((paid.of("a"), paid.of("b")), (Some(vec!["x".into()]), None));
        (0..MOST_ANSWERS).for_each(|n| paid.keep(format!("e{n}"), Vec::new()));
        assert_eq!((paid.of("a"), paid.of("e0").is_some()), (None, true));
        tokio::time::advance(MINUTE).await;
        assert_eq!(paid.of("e0"), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_chat_is_told_once_a_minute() {
        let (excused, a) = (Excused::default(), "a".parse().unwrap());
        let may = |chat: &str, event: &str| excused.may(&a, &chat.parse().unwrap(), event);
        assert!(may("p1", "1") && may("p1", "1") && may("p2", "2"));
        assert!(!may("p1", "3"));
        tokio::time::advance(MINUTE).await;
        assert!(may("p1", "4"));
    }
}
