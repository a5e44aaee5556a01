//! When is it settled who is who after a login, and what becomes of replies to somebody who is nobody so far?
//!
//! Replies to an id that nobody in this login is known to be are held as uncertain, from the moment the session begins:
//! they neither go to anybody nor expire unseen. Whoever is found later, by a pair of ids or by being met, lets them go.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;
use wxbot_model::{ContactId, EventKind, PeerId};

use crate::account::Account;
use crate::contacts::ask;
use crate::store::StoreError;

/// How long a login takes to settle at the latest. The phone tells its recent chats in the first answers, within seconds.
const SETTLE: Duration = Duration::from_secs(60);
/// Rooms that are looked at in one round of the poll, each of them one request of up to 500 members.
const ROOMS_A_ROUND: usize = 5;

/// What is still to be found out in a session.
pub(super) struct Settling {
    until: Instant,
    /// The phone has told its recent chats.
    told: bool,
    done: bool,
    /// Rooms that were asked for their members, so that they are known again.
    asked: HashSet<PeerId>,
    /// Those of them that were answered, one way or the other.
    answered: HashSet<PeerId>,
    asking: JoinSet<PeerId>,
}

impl Settling {
    pub(super) fn begin() -> Self {
        let until = Instant::now() + SETTLE;
        Self {
            until,
            told: false,
            done: false,
            asked: HashSet::new(),
            answered: HashSet::new(),
            asking: JoinSet::new(),
        }
    }

    /// Notes what a batch tells.
    pub(super) fn note<'a>(&mut self, mut kinds: impl Iterator<Item = &'a EventKind>) {
        self.told |= kinds.any(|kind| matches!(kind, EventKind::Status { code: 4, .. }));
    }

    /// After a round of the poll: `quiet` when it brought nothing.
    pub(super) fn round(&mut self, account: &Arc<Account>, quiet: bool) {
        while let Some(ended) = self.asking.try_join_next() {
            self.answered.extend(ended.ok());
        }
        self.done |= Instant::now() >= self.until || (self.told && quiet);
        let now_ms = account.source.now_ms();
        let rooms = account.read_contacts(|book| book.rooms_to_see());
        let fresh = rooms.into_iter().filter(|room| !self.asked.contains(room));
        let fresh: Vec<PeerId> = fresh.take(ROOMS_A_ROUND.saturating_sub(self.asking.len())).collect();
        for room in fresh {
            self.asked.insert(room.clone());
            let account = Arc::clone(account);
            self.asking.spawn(async move {
                if let Err(why) = ask::see(&account, &room).await {
                    tracing::debug!(account = %account.name, %room, %why, "A room cannot be looked at.");
                }
                room
            });
        }
        if self.done {
            account.write_contacts(|book| book.settle(now_ms, &|room| self.answered.contains(room)));
        }
    }
}

/// Holds what nobody may get, lets go what is for somebody who was found.
pub(super) async fn sort_out(account: &Account) -> Result<(), StoreError> {
    let store = &account.store;
    let awaited = store.awaited(&account.name).await?;
    let held: HashSet<ContactId> = awaited.iter().filter(|(_, held)| *held).map(|(id, _)| id.clone()).collect();
    account.write_contacts(|book| book.keep_doubts(&held));
    if awaited.is_empty() {
        return Ok(());
    }
    let (mut hold, mut free): (Vec<(ContactId, String)>, Vec<ContactId>) = (Vec::new(), Vec::new());
    let mut new = 0;
    account.read_contacts(|book| {
        for (id, held) in awaited {
            match (book.why_unmet(&id), held) {
                (Some(why), held) => {
                    new += usize::from(!held);
                    hold.push((id, why));
                }
                (None, true) if !book.is_doubtful(&id) => free.push(id),
                // Whoever called a room like ours would get what was kept for ours.
                (None, true | false) => {}
            }
        }
    });
    if new > 0 {
        tracing::warn!(account = %account.name, chats = new, "Replies are held: it is not known who they are for.");
    }
    if !hold.is_empty() {
        store.hold(&account.name, hold).await?;
    }
    if !free.is_empty() {
        let max_age_ms = i64::try_from(account.settings().config.pacing.max_age.as_millis()).unwrap_or(i64::MAX / 2);
        let count = store.let_go(&account.name, free, account.source.now_ms(), max_age_ms).await?;
        tracing::info!(account = %account.name, count, "Held replies go out: it is known who they are for.");
        account.outbox.look();
    }
    Ok(())
}
