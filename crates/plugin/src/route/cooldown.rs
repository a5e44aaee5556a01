//! How long does a handler rest, and for whom? Kept in the instance's memory: a restart forgets it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use wxbot_model::{Event, EventKey};

use crate::manifest::{Cooldown, Per};

/// How many pairs of handler and person are remembered. A pair is some 200 bytes; a bot that is busier than this lets
/// somebody through early rather than grow.
const MAX: usize = 10_000;

/// Which handlers rest.
#[derive(Debug, Default)]
pub(crate) struct Resting(Mutex<HashMap<Whom, Since>>);

/// A handler by its number, and who used it.
type Whom = (usize, String);

#[derive(Debug, Clone)]
struct Since {
    event: EventKey,
    until_ms: i64,
}

/// A use that counts once [`keep`](Self::keep) is called; dropped before, it never was.
#[derive(Debug)]
pub(crate) struct Use<'a> {
    resting: &'a Resting,
    of: Option<(Whom, EventKey)>,
}

impl Resting {
    /// Begins a use, or tells how many milliseconds are left. The event that began the rest is let through again: it
    /// comes a second time because the first one failed.
    pub(crate) fn begin(&self, handler: usize, rest: Cooldown, event: &Event, now_ms: i64) -> Result<Use<'_>, i64> {
        let whom = (handler, whom(rest.per, event));
        let until_ms = now_ms.saturating_add(i64::try_from(rest.ms).unwrap_or(i64::MAX));
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(since) = all.get(&whom).filter(|since| since.until_ms > now_ms && since.event != event.key) {
            return Err(since.until_ms - now_ms);
        }
        if all.len() >= MAX && !all.contains_key(&whom) {
            all.retain(|_, since| since.until_ms > now_ms);
            if all.len() >= MAX
                && let Some(soonest) = all.iter().min_by_key(|(_, since)| since.until_ms).map(|(whom, _)| whom.clone())
            {
                all.remove(&soonest);
            }
        }
        all.insert(whom.clone(), Since { event: event.key.clone(), until_ms });
        Ok(Use { resting: self, of: Some((whom, event.key.clone())) })
    }
}

impl Use<'_> {
    /// The handler ended well.
    pub(crate) fn keep(mut self) {
        self.of = None;
    }
}

impl Drop for Use<'_> {
    fn drop(&mut self) {
        if let Some((whom, event)) = self.of.take() {
            let mut all = self.resting.0.lock().unwrap_or_else(PoisonError::into_inner);
            if all.get(&whom).is_some_and(|since| since.event == event) {
                all.remove(&whom);
            }
        }
    }
}

fn whom(per: Per, event: &Event) -> String {
    let sender = event.sender.as_ref().map_or("", |sender| sender.id.as_str());
    match per {
        Per::User => format!("{} {} {sender}", event.account, event.chat.id),
        Per::Chat => format!("{} {}", event.account, event.chat.id),
        Per::All => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wxbot_model::{Chat, ChatKind, EventKind, Person};

    fn event(key: usize, chat: &str, sender: &str) -> Event {
        Event {
            account: "a".parse().unwrap(),
            key: key.to_string().parse().unwrap(),
            chat: Chat { id: chat.parse().unwrap(), kind: ChatKind::Group, name: String::new() },
            sender: Some(Person { id: sender.parse().unwrap(), name: String::new() }),
            at_s: 0,
            late: false,
            kind: EventKind::ContactChanged,
        }
    }

    #[test]
    fn who_waits_for_whom() {
        for (per, same, other_person, other_chat) in [
            (Per::User, Err(4), Ok(()), Ok(())),
            (Per::Chat, Err(4), Err(4), Ok(())),
            (Per::All, Err(4), Err(4), Err(4)),
        ] {
            let resting = Resting::default();
            let rest = Cooldown::new(5, per);
            resting.begin(0, rest, &event(1, "r1", "p1"), 10).unwrap().keep();
            let at = |key, chat, sender, now| resting.begin(0, rest, &event(key, chat, sender), now).map(drop);
            assert_eq!(at(2, "r1", "p1", 11), same, "{per:?}");
            assert_eq!(at(3, "r1", "p2", 11), other_person, "{per:?}");
            assert_eq!(at(4, "r2", "p1", 11), other_chat, "{per:?}");
            assert_eq!(at(5, "r1", "p1", 15), Ok(()), "{per:?}: over");
            assert_eq!(resting.begin(1, rest, &event(6, "r1", "p1"), 11).map(drop), Ok(()), "another handler");
        }
    }

    #[test]
    fn what_does_not_count() {
        let resting = Resting::default();
        let rest = Cooldown::new(5, Per::User);
        drop(resting.begin(0, rest, &event(1, "r1", "p1"), 0).unwrap());
        resting.begin(0, rest, &event(2, "r1", "p1"), 1).expect("the first one failed").keep();
        resting.begin(0, rest, &event(2, "r1", "p1"), 2).expect("the same event once more").keep();
        assert_eq!(resting.begin(0, rest, &event(3, "r1", "p1"), 3).map(drop), Err(4), "a repeat rests anew");
    }

    #[test]
    fn memory_is_bounded() {
        let resting = Resting::default();
        for n in 0..MAX + 10 {
            let rest = Cooldown::new(1_000_000, Per::User);
            resting.begin(0, rest, &event(n, "r1", &format!("p{n}")), n as i64).unwrap().keep();
        }
        assert_eq!(resting.0.lock().unwrap().len(), MAX);
    }
}
