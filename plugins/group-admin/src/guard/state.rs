//! What is kept in memory of rooms and members, and how much of it? Counters and marks of some 50 bytes a member, for as many
//! members as fit into [`MEMBERS`]; what must survive a restart is in KV.
//!
//! A restart forgets windows and repetitions, which are minutes old at most.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use wxbot_plugin::model::{AccountName, EventKey};
use wxbot_plugin::prelude::*;

use super::flood::Window;
use super::offence::Offence;
use super::repeats::Recent;
use crate::ladder::Rung;

/// How many members are kept, over all rooms and accounts; 500 rooms of 500 members are 250,000. Beyond it the rooms
/// that were silent for longest are forgotten.
const MEMBERS: usize = 300_000;
/// How many rooms are kept.
const ROOMS: usize = 2_000;
/// Members of one room beyond which its counters begin anew: WeChat's rooms have 500.
const ROOM_MEMBERS: usize = 2_000;
/// How long the same is not done again about the same member.
const PAUSE_S: u32 = 60;

/// A person within an account, as a number: the letter of the id and its digits, of which there are at most 18. wxbot's ids
/// have no leading zeros.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) struct MemberKey(u64);

/// What is in memory, of all accounts that share the settings.
#[derive(Debug, Default)]
pub(crate) struct State {
    rooms: Mutex<Rooms>,
    members: AtomicUsize,
    pub(super) hashes: RandomState,
}

type Rooms = HashMap<(AccountName, MemberKey), Arc<Mutex<RoomState>>>;

/// What is in memory of a room.
#[derive(Debug, Default)]
pub(crate) struct RoomState {
    used_ms: i64,
    members: HashMap<MemberKey, Member>,
    pub(super) recent: Recent,
    /// The last event that was counted, and what was found by counting: an event that is handled again after an error
    /// must not count twice.
    pub(super) last: Option<(u64, Option<Offence>)>,
    /// Whether admins switched the guard off here; `None`: not read yet.
    pub(super) paused: Option<bool>,
    /// Until when the quiet hours that were announced last; `None`: not read yet.
    pub(super) quiet_ms: Option<i64>,
    /// When the whole room was last asked to stop, and for which event.
    pub(super) asked: Option<(i64, u64)>,
}

/// What is in memory of a member of a room.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Member {
    pub(super) window: Window,
    /// Until when the member is new, seconds since 1970: 0 not known yet, 1 not any more.
    pub(super) new_until_s: u32,
    acted_s: u32,
    /// For which event, in short.
    acted_for: u32,
    acted: Option<Rung>,
}

impl MemberKey {
    pub(crate) fn of(id: &ContactId) -> Self {
        let (letter, digits) = id.as_str().split_at_checked(1).unwrap_or_default();
        let letter = match letter {
            "p" => 1,
            "r" => 2,
            "o" => 3,
            "s" => 4,
            _ => 5,
        };
        Self(letter << 60 | digits.parse::<u64>().unwrap_or_default())
    }

    #[cfg(test)]
    pub(crate) fn of_number(number: u64) -> Self {
        Self(1 << 60 | number)
    }
}

/// What tells events apart, in short.
pub(crate) fn mark(event: &EventKey) -> u64 {
    let mut hasher = DefaultHasher::new();
    event.hash(&mut hasher);
    hasher.finish()
}

impl State {
    /// Looks at a room, and changes what is known of it.
    pub(super) fn room<T>(&self, account: &AccountName, room: &ContactId, f: impl FnOnce(&mut RoomState) -> T) -> T {
        let held = {
            let mut rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
            let key = (account.clone(), MemberKey::of(room));
            if !rooms.contains_key(&key) && (rooms.len() >= ROOMS || self.members.load(Ordering::Relaxed) >= MEMBERS) {
                self.forget_some(&mut rooms);
            }
            Arc::clone(rooms.entry(key).or_default())
        };
        let mut room = held.lock().unwrap_or_else(PoisonError::into_inner);
        let before = room.members.len();
        let done = f(&mut room);
        let after = room.members.len();
        drop(room);
        if after >= before {
            self.members.fetch_add(after - before, Ordering::Relaxed);
        } else {
            self.fewer(before - after);
        }
        done
    }

    /// Never below nothing: a room may be forgotten while somebody looks at it.
    fn fewer(&self, by: usize) {
        let less = |members: usize| Some(members.saturating_sub(by));
        // The closure always answers something.
        let _before = self.members.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }

    /// The quarter of the rooms that were silent for longest.
    fn forget_some(&self, rooms: &mut Rooms) {
        let look = |room: &Arc<Mutex<RoomState>>| {
            let room = room.lock().unwrap_or_else(PoisonError::into_inner);
            (room.used_ms, room.members.len())
        };
        let mut by_age: Vec<_> = rooms.iter().map(|(key, room)| (look(room), key.clone())).collect();
        by_age.sort_by_key(|((used_ms, _), _)| *used_ms);
        let some = (by_age.len() / 4).max(1);
        for ((_, members), key) in by_age.into_iter().take(some) {
            rooms.remove(&key);
            self.fewer(members);
        }
    }

    #[cfg(test)]
    pub(crate) fn sizes(&self) -> (usize, usize) {
        (self.rooms.lock().unwrap().len(), self.members.load(Ordering::Relaxed))
    }
}

impl RoomState {
    /// A member, who is new to us if not known yet.
    pub(super) fn member(&mut self, key: MemberKey, now_ms: i64) -> &mut Member {
        self.used_ms = now_ms;
        if self.members.len() >= ROOM_MEMBERS && !self.members.contains_key(&key) {
            self.members.clear();
        }
        self.members.entry(key).or_default()
    }

    #[cfg(test)]
    pub(crate) fn sizes(&self) -> usize {
        self.members.len()
    }

    /// Forgets what was done about a member.
    pub(super) fn pardon(&mut self, key: MemberKey) {
        if let Some(member) = self.members.get_mut(&key) {
            *member = Member::default();
        }
    }

    /// Whether the room may be asked to stop: once a minute.
    pub(super) fn may_ask(&mut self, mark: u64, now_ms: i64) -> bool {
        let lately = |at_ms: i64| (0..i64::from(PAUSE_S) * 1_000).contains(&(now_ms - at_ms));
        if self.asked.is_some_and(|(at_ms, by)| by != mark && lately(at_ms)) {
            return false;
        }
        self.asked = Some((now_ms, mark));
        true
    }
}

impl Member {
    /// What was done about the member within the last minute, for another event than this one.
    pub(super) fn acted(&self, mark: u64, now_ms: i64) -> Option<Rung> {
        let since = seconds(now_ms).wrapping_sub(self.acted_s);
        self.acted.filter(|_| since < PAUSE_S && self.acted_for != short(mark))
    }

    /// Something is done now.
    pub(super) fn acts(&mut self, rung: Rung, mark: u64, now_ms: i64) {
        (self.acted, self.acted_s, self.acted_for) = (Some(rung), seconds(now_ms), short(mark));
    }
}

/// Seconds since 1970, until the year 2106.
pub(super) fn seconds(now_ms: i64) -> u32 {
    u32::try_from(now_ms / 1_000).unwrap_or_default()
}

#[expect(clippy::cast_possible_truncation, reason = "a half of a hash tells events apart well enough")]
fn short(mark: u64) -> u32 {
    mark as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_numbers() {
        let key = |id: &str| MemberKey::of(&id.parse().unwrap());
        let ids = ["p1", "p2", "r1", "o1", "s1", "m1", "p999999999999999999", "r999999999999999999"];
        for (n, id) in ids.iter().enumerate() {
            for (m, other) in ids.iter().enumerate() {
                assert_eq!(key(id) == key(other), n == m, "{id} {other}");
            }
        }
    }
}
