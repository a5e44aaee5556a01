//! What does wxbot remember of conversations? The archive: read from the queue behind the messages' backs, searched by
//! people.
//!
//! [`Archiver`] copies what is new, [`said`] what of it people read, [`words`] how that is found. Nothing waits for any of
//! it: a message is answered the same while the archive is slow, full or gone.

mod said;
pub(crate) mod words;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use wxbot_core::source::Source;
use wxbot_model::{AccountName, Action, ContactId, Event};

use crate::config::{ArchivePolicy, ArchiveSettings};
use crate::roster::Roster;
use crate::store::archive::{Archive, FORGET_STEP, PastSend, Progress, Record};
use crate::store::{Store, StoreError};

/// How often the queue is looked at. Nobody waits for it: who searches looks for what was said a while ago.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Events or sends of one step. Each may bring 1 MiB of something unknown, of which 16 KiB are kept.
const PAGE: usize = 100;
/// Sends that have not ended and are looked at again. While there are more of them, later sends wait to be archived.
const OPEN: usize = 10_000;
/// How often what is past its time is deleted.
const SWEEP_EVERY: Duration = Duration::from_secs(600);

/// Copies what is new in the queue into the archive, as each account's policy says.
pub struct Archiver {
    archive: Arc<dyn Archive>,
    store: Arc<dyn Store>,
    policies: Policies,
    source: Source,
    settings: ArchiveSettings,
    /// Held during a step, so that nothing comes back that was read before somebody had it deleted.
    step: Mutex<()>,
}

/// The accounts of which something is remembered, as it is in force now.
type Kept = HashMap<AccountName, ArchivePolicy>;
type Policies = Box<dyn Fn() -> Kept + Send + Sync>;

impl fmt::Debug for Archiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Archiver")
            .field("archive", &self.archive)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl Archiver {
    /// Of one data directory.
    pub fn new(
        archive: Arc<dyn Archive>,
        store: Arc<dyn Store>,
        roster: Roster,
        source: Source,
        settings: ArchiveSettings,
    ) -> Self {
        let policies: Policies = Box::new(move || {
            let accounts = roster.now();
            let policies = accounts.iter().map(|account| (account.name.clone(), account.settings().config.archive));
            policies.filter(|(_, policy)| *policy != ArchivePolicy::Off).collect()
        });
        Self { archive, store, policies, source, settings, step: Mutex::default() }
    }

    /// Copies until `stop`; what is new then is copied after the next start.
    pub async fn run(&self, stop: CancellationToken) {
        let mut failing = false;
        let mut swept_ms = i64::MIN;
        while !stop.is_cancelled() {
            match self.catch_up(&stop).await {
                Ok(()) => failing = false,
                // A stop, which has closed the queue already.
                Err(StoreError::Closed) => {}
                // Once, and not each two seconds: it is told again when it has worked in between.
                Err(error) if !failing => {
                    failing = true;
                    tracing::error!(%error, "The archive takes nothing now; messages are handled all the same, and it goes on where it is.");
                }
                Err(_) => {}
            }
            let now_ms = self.source.now_ms();
            if now_ms.saturating_sub(swept_ms) >= i64::try_from(SWEEP_EVERY.as_millis()).unwrap_or(i64::MAX) {
                swept_ms = now_ms;
                self.sweep(now_ms).await;
            }
            stop.run_until_cancelled(tokio::time::sleep(LOOK_EVERY)).await;
        }
        self.archive.close().await.ok();
    }

    async fn catch_up(&self, stop: &CancellationToken) -> Result<(), StoreError> {
        while self.step().await? && !stop.is_cancelled() {}
        Ok(())
    }

    /// One page further; true when there may be more. Where no account is archived, the queue is not even looked at.
    ///
    /// # Errors
    /// When the queue cannot be read, or the archive not be written. The next step begins at the same place.
    pub async fn step(&self) -> Result<bool, StoreError> {
        let kept = (self.policies)();
        if kept.is_empty() {
            return Ok(false);
        }
        let _alone = self.step.lock().await;
        let before = self.progress().await?;
        let events = self.store.events_after(before.seq, PAGE).await?;
        let mut progress = before.clone();
        let mut records = Vec::new();
        for event in &events {
            progress.seq = event.seq;
            // What cannot be read was written by another version: the queue can do nothing with it either.
            let read = event.body.as_deref().and_then(|body| serde_json::from_str::<Event>(body).ok());
            if let Some(event) = read
                && let Some(record) = of_event(&event, &kept)
            {
                records.push(record);
            }
        }
        let full = events.len() == PAGE || self.sends(&mut progress, &mut records, &kept).await?;
        if progress != before || !records.is_empty() {
            self.archive.take(records, progress).await?;
        }
        Ok(full)
    }

    /// Where the archive is; from the start when the queue is another one now, restored or new.
    async fn progress(&self) -> Result<Progress, StoreError> {
        let (seq, send) = self.store.last_numbers().await?;
        let progress = self.archive.progress().await?;
        Ok(if progress.seq > seq || progress.send > send { Progress::default() } else { progress })
    }

    /// Adds sends that have gone out; true when there may be more.
    async fn sends(&self, progress: &mut Progress, records: &mut Vec<Record>, kept: &Kept) -> Result<bool, StoreError> {
        let open = self.store.sends_of(std::mem::take(&mut progress.open)).await?;
        let room = if open.len() < OPEN { PAGE } else { 0 };
        let new = self.store.sends_after(progress.send, room).await?;
        let full = room > 0 && new.len() == room;
        if let Some(last) = new.last() {
            progress.send = last.id;
        }
        for send in open.iter().chain(&new) {
            match send.sent {
                None => progress.open.push(send.id),
                Some(true) => records.extend(of_send(send, kept)),
                Some(false) => {}
            }
        }
        Ok(full)
    }

    async fn sweep(&self, now_ms: i64) {
        let before_ms = now_ms.saturating_sub(i64::try_from(self.settings.keep.as_millis()).unwrap_or(i64::MAX));
        while let Ok(true) = self.archive.sweep(before_ms).await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Deletes what was said with this contact: its conversation and what it said elsewhere, in the archive and in what
    /// the queue has done with. What still waits to be handled or sent stays, and is archived when it is done. How many
    /// messages of the archive went.
    ///
    /// # Errors
    /// When something could not be deleted; then some of it may be gone already, and it may be asked again.
    pub async fn forget(&self, account: &AccountName, contact: &ContactId) -> Result<usize, StoreError> {
        let _alone = self.step.lock().await;
        // First there: whatever is not deleted here then, is not copied again.
        self.store.forget_bodies(account, contact).await?;
        let mut gone = 0;
        loop {
            let step = self.archive.forget(account, contact).await?;
            gone += step;
            if step < FORGET_STEP {
                return Ok(gone);
            }
        }
    }
}

fn of_event(event: &Event, kept: &Kept) -> Option<Record> {
    let full = kept.get(&event.account)? == &ArchivePolicy::Full;
    Some(Record {
        account: event.account.clone(),
        key: format!("in:{}", event.key),
        conv: event.chat.id.clone(),
        sender: event.sender.as_ref().map(|sender| sender.id.clone()),
        at_ms: event.at_s.saturating_mul(1000),
        ours: event.from_self(),
        kind: said::kind(event)?.to_owned(),
        said: full.then(|| said::of_event(event)),
    })
}

fn of_send(send: &PastSend, kept: &Kept) -> Option<Record> {
    let full = kept.get(&send.account)? == &ArchivePolicy::Full;
    let action: Action = serde_json::from_str(send.body.as_deref()?).ok()?;
    let (kind, text) = said::of_action(&action)?;
    Some(Record {
        account: send.account.clone(),
        key: format!("out:{}", send.client_id),
        conv: send.conv.clone(),
        sender: None,
        at_ms: send.tried_ms,
        ours: true,
        kind: kind.to_owned(),
        said: full.then(|| said::ours(text)),
    })
}

#[cfg(test)]
mod tests;
