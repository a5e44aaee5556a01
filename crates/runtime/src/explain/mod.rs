//! Why was an event answered, or why not? What `wxbot explain` and `/why` tell.
//!
//! Two sources: the store knows how far an event is, why it was stopped, and what became of the sends it led to, for as
//! long as its row is kept. The traces of this process know the rest, for a while: each middleware, each plugin, and what
//! its matchers thought. Reading order: [`trace`] what is remembered → `recorder` how it comes about → `ring` how much of
//! it is kept → `verdict` the one sentence that matters → `tell` all of it for people.

mod recorder;
mod ring;
mod tell;
pub mod trace;
mod verdict;

use std::sync::Arc;

use serde::Serialize;
use wxbot_model::{AccountName, EventKey};

pub(crate) use recorder::Recorder;
pub use ring::Traces;
pub use tell::{Lang, lines};
pub use trace::Trace;

use crate::store::{Store, StoreError, Story};

/// All that is known of how one event was handled.
#[derive(Debug, Clone, Serialize)]
pub struct Explanation {
    /// What the store knows.
    pub story: Story,
    /// What this process remembers: nothing of an event that was not in the sample, is too long ago, or was handled
    /// before the start.
    pub trace: Option<Arc<Trace>>,
}

/// Finds an event of these accounts by its number, or by its key: the id of a message.
///
/// # Errors
/// When the store cannot be read.
pub async fn find(store: &dyn Store, accounts: &[AccountName], event: &str) -> Result<Option<Story>, StoreError> {
    let mut seqs: Vec<u64> = event.parse().into_iter().collect();
    if let Ok(key) = event.parse::<EventKey>() {
        for account in accounts {
            seqs.extend(store.find_event(account, &key).await?);
        }
    }
    // Ids of messages are longer than any number of ours, so that hardly ever both are there.
    for seq in seqs {
        let story = store.story(seq).await?;
        if let Some(story) = story.filter(|story| accounts.contains(&story.account)) {
            return Ok(Some(story));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests;
