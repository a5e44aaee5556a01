//! Who looks at the clock? One task for all accounts: it sleeps until the next due time and makes events of what is due.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use wxbot_core::source::Source;
use wxbot_model::AccountName;

use super::cron::Schedule;
use super::event;
use super::missed::{self, Missed};
use crate::failpoint::fail_point;
use crate::reserve::Reserve;
use crate::roster::Roster;
use crate::store::{Firing, ScheduleKey, Store, StoreError};

/// However far the next due time is: a wall clock that was set, or a machine that slept, is noticed within this.
const LOOK_EVERY_MS: i64 = 30_000;
/// So long after the store has failed.
const AGAIN_MS: i64 = 1_000;
/// Due times in one commit.
const BATCH: usize = 256;

/// A schedule that is in force.
#[derive(Debug, Clone)]
pub struct WantedSchedule {
    /// For which account.
    pub account: AccountName,
    /// Of which plugin.
    pub plugin: Arc<str>,
    /// How the plugin calls it; unique within the plugin.
    pub name: Arc<str>,
    /// When.
    pub schedule: Arc<Schedule>,
    /// What becomes of due times that were missed.
    pub missed: Missed,
}

/// The clock of a runtime.
#[derive(Debug)]
pub(crate) struct Clock {
    store: Arc<dyn Store>,
    source: Source,
    roster: Roster,
    wanted: watch::Receiver<Arc<[WantedSchedule]>>,
    /// `wanted` is another than what the hands are of.
    renew: bool,
    hands: Vec<Hand>,
    /// When it last looked, by the wall clock.
    looked_ms: i64,
    /// Events that it makes take room on the disk.
    reserve: Arc<Reserve>,
}

/// How far one schedule is.
#[derive(Debug)]
struct Hand {
    key: ScheduleKey,
    schedule: Arc<Schedule>,
    missed: Missed,
    /// What was due up to here is dealt with.
    seen_ms: i64,
    /// The first due time after that.
    next_ms: Option<i64>,
}

impl Hand {
    fn new(wanted: &WantedSchedule, seen_ms: i64) -> Self {
        let WantedSchedule { account, plugin, name, schedule, missed } = wanted.clone();
        let next_ms = schedule.next_after(seen_ms);
        Self { key: ScheduleKey { account, plugin, name }, schedule, missed, seen_ms, next_ms }
    }

    fn is_due(&self, now_ms: i64) -> bool {
        self.next_ms.is_some_and(|next| next <= now_ms)
    }

    fn set(&mut self, seen_ms: i64) {
        self.seen_ms = seen_ms;
        self.next_ms = self.schedule.next_after(seen_ms);
    }
}

impl Clock {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        source: Source,
        roster: Roster,
        wanted: watch::Receiver<Arc<[WantedSchedule]>>,
    ) -> Self {
        let reserve = Arc::default();
        Self { store, source, roster, wanted, renew: true, hands: Vec::new(), looked_ms: i64::MIN, reserve }
    }

    /// The same, resting while the disk is short.
    pub(crate) fn within(self, reserve: Arc<Reserve>) -> Self {
        Self { reserve, ..self }
    }

    /// Fires what is due until `stop`. What is not fired before that is fired after the next start.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let bell = self.store.bell();
        while stop.run_until_cancelled(self.reserve.ample()).await.is_some() {
            bell.arm();
            let now_ms = self.source.now_ms();
            let next_ms = self.round(now_ms).await.unwrap_or_else(|error| {
                tracing::error!(%error, "Timers and schedules wait for the store.");
                now_ms.saturating_add(AGAIN_MS)
            });
            let wait = next_ms.saturating_sub(self.source.now_ms()).clamp(0, LOOK_EVERY_MS);
            tokio::select! {
                () = stop.cancelled() => {}
                () = bell.wait(next_ms) => {}
                Ok(()) = self.wanted.changed() => self.renew = true,
                () = tokio::time::sleep(Duration::from_millis(wait.unsigned_abs())) => {}
            }
        }
    }

    /// Fires what is due by now, and tells when something will be.
    ///
    /// Cancel safe, and safe to fail: a due time counts as dealt with when its event is there. What is fired again is
    /// absorbed.
    async fn round(&mut self, now_ms: i64) -> Result<i64, StoreError> {
        if self.renew || self.wanted.has_changed().unwrap_or(false) {
            self.renew(now_ms).await?;
        }
        if now_ms < self.looked_ms {
            // The clock was set back. What was fired in the time that comes once more is known by its key.
            for hand in self.hands.iter_mut().filter(|hand| hand.seen_ms > now_ms) {
                hand.set(now_ms);
            }
        }
        let timers = self.fire_timers(now_ms).await?;
        self.fire_schedules(now_ms).await?;
        self.looked_ms = now_ms;
        let next = self.hands.iter().filter_map(|hand| hand.next_ms).chain(timers).min();
        Ok(next.unwrap_or(i64::MAX))
    }

    /// Takes over what is wanted now. What was wanted before goes on where it is; for the others the store knows what
    /// was dealt with.
    async fn renew(&mut self, now_ms: i64) -> Result<(), StoreError> {
        let wanted = Arc::clone(&self.wanted.borrow_and_update());
        let mut seen: HashMap<ScheduleKey, i64> = HashMap::new();
        let before: HashMap<&ScheduleKey, &Hand> = self.hands.iter().map(|hand| (&hand.key, hand)).collect();
        let key = |wanted: &WantedSchedule| ScheduleKey {
            account: wanted.account.clone(),
            plugin: Arc::clone(&wanted.plugin),
            name: Arc::clone(&wanted.name),
        };
        let mut new = Vec::new();
        for wanted in wanted.iter() {
            let key = key(wanted);
            match before.get(&key) {
                Some(hand) => {
                    let same = hand.schedule == wanted.schedule;
                    // Another expression was not in force at what it would have been due before.
                    seen.insert(key, if same { hand.seen_ms } else { now_ms });
                }
                None => new.push(key),
            }
        }
        let accounts: HashSet<AccountName> = new.iter().map(|key| key.account.clone()).collect();
        if !new.is_empty() {
            self.store.want_schedules(new, now_ms).await?;
        }
        for account in accounts {
            for saved in self.store.schedules(&account).await? {
                let key =
                    ScheduleKey { account: account.clone(), plugin: saved.plugin.into(), name: saved.name.into() };
                // One ahead of now was saved under a clock that was wrong.
                seen.entry(key).or_insert(saved.last_ms.min(now_ms));
            }
        }
        let hand = |wanted| Hand::new(wanted, seen.get(&key(wanted)).copied().unwrap_or(now_ms));
        self.hands = wanted.iter().map(hand).collect();
        self.renew = false;
        Ok(())
    }

    /// When the next timer is due.
    async fn fire_timers(&self, now_ms: i64) -> Result<Option<i64>, StoreError> {
        loop {
            let (due, next) = self.store.due_timers(now_ms, BATCH).await?;
            let all = due.len() < BATCH;
            if !due.is_empty() {
                fail_point!("clock: found due");
            }
            self.fire(due.into_iter().map(|timer| event::of_timer(timer, now_ms)).collect()).await?;
            if all {
                return Ok(next);
            }
        }
    }

    async fn fire_schedules(&mut self, now_ms: i64) -> Result<(), StoreError> {
        let roster = self.roster.now();
        let myself = |of: &AccountName| {
            let account = roster.iter().find(|account| account.name == *of)?;
            account.read_contacts(|book| book.myself().cloned())
        };
        let mut firings = Vec::new();
        for hand in self.hands.iter().filter(|hand| hand.is_due(now_ms)) {
            let due = hand.schedule.due_between(hand.seen_ms, now_ms, missed::MOST);
            let (account, plugin, name) = (&hand.key.account, &hand.key.plugin, &hand.key.name);
            let chosen = hand.missed.choose(due, now_ms);
            tracing::debug!(%account, %plugin, %name, events = chosen.len(), "A schedule is due.");
            let of = |due_ms| event::of_schedule(&hand.key, due_ms, myself(account), now_ms);
            firings.extend(chosen.into_iter().map(of));
        }
        let mut firings = firings.into_iter().peekable();
        while firings.peek().is_some() {
            self.fire(firings.by_ref().take(BATCH).collect()).await?;
        }
        for hand in self.hands.iter_mut().filter(|hand| hand.is_due(now_ms)) {
            hand.set(now_ms);
        }
        Ok(())
    }

    async fn fire(&self, firings: Vec<Firing>) -> Result<(), StoreError> {
        if firings.is_empty() {
            return Ok(());
        }
        let whose: HashSet<AccountName> = firings.iter().map(|firing| firing.account.clone()).collect();
        self.store.fire(firings).await?;
        fail_point!("clock: fired");
        // An account that does not run finds its events when it does.
        for account in self.roster.now().iter().filter(|account| whose.contains(&account.name)) {
            account.feed.look_at_parked();
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
