//! What is a session with a service that pushes? A reader that takes from the account's mailbox, one body after another.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use wxbot_model::{Contact, ContactKind, PeerId, Secret};

use super::{Door, Kept, LoggedOut, Read};
use crate::error::Error;
use crate::protocol::{ActionSender, Batch, SavedSession, Session};
use crate::source::Source;

/// Bodies that one batch is made of at most. More only wait longer for the same fsync.
const BODIES: usize = 256;

/// Reads bodies, one after another. What it knows moves with each: whoever could not store a [`Read`] begins again from the
/// cursor that was stored.
pub trait Reads: Send + Sync {
    /// Reads one body. What cannot be read is an event that holds it.
    fn read(&mut self, body: &[u8], now_ms: i64) -> Read;

    /// When [`expire`](Self::expire) has something to tell, if nothing comes before; ms since 1970.
    fn next_expiry_ms(&self) -> Option<i64> {
        None
    }

    /// What time alone has brought.
    fn expire(&mut self, _now_ms: i64) -> Read {
        Read::default()
    }

    /// Ourselves, as far as anything said it.
    fn self_id(&self) -> Option<&PeerId>;

    /// What the next reader resumes from.
    fn cursor(&self) -> Vec<u8>;
}

/// The running session of an account that is pushed to. It begins with whatever waits already, and needs nobody's answer
/// for that: that the control side of a service is away takes no message from it.
pub struct PushedSession<R> {
    reader: R,
    door: Arc<dyn Door>,
    sender: Arc<dyn ActionSender>,
    source: Source,
    /// What we are called where the service does not say.
    name: String,
    /// What the service told at the beginning.
    contacts: Vec<Arc<Contact>>,
    nobody: PeerId,
}

impl<R: Reads> PushedSession<R> {
    /// A session that goes on with this reader. `nobody` is our own id until the service says one.
    pub fn new(
        reader: R,
        door: Arc<dyn Door>,
        sender: Arc<dyn ActionSender>,
        source: Source,
        name: String,
        nobody: PeerId,
    ) -> Self {
        Self { reader, door, sender, source, name, contacts: Vec::new(), nobody }
    }

    /// The same with these contacts known.
    #[must_use]
    pub fn with_contacts(mut self, contacts: Vec<Arc<Contact>>) -> Self {
        self.contacts = contacts;
        self
    }

    /// Waits for bodies, or for the time when something expires. Cancel safe: reading is done without waiting.
    async fn gather(&mut self) -> Batch {
        let expiry = self.reader.next_expiry_ms();
        let until = expiry.map(|at_ms| u64::try_from(at_ms - self.source.now_ms()).unwrap_or(0));
        let posts = match until {
            None => self.door.mailbox().take(BODIES).await,
            Some(ms) => {
                let taken = tokio::time::timeout(Duration::from_millis(ms), self.door.mailbox().take(BODIES)).await;
                taken.unwrap_or_default()
            }
        };
        let now_ms = self.source.now_ms();
        let mut batch = Batch::default();
        add(&mut batch, self.reader.expire(now_ms), Kept::default());
        for post in posts {
            let (body, kept) = post.open();
            add(&mut batch, self.reader.read(&body, now_ms), kept);
        }
        batch
    }
}

impl<R> fmt::Debug for PushedSession<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PushedSession").field("door", &self.door).finish_non_exhaustive()
    }
}

/// Adds what one body told. What is not ours is not kept, and whoever pushed it learns that.
fn add(batch: &mut Batch, read: Read, kept: Kept) {
    let Read { events, contacts, cursor, logged_out, self_id: _, refused, mismatches } = read;
    if let Some(not_ours) = refused {
        tracing::warn!(why = %not_ours, "A push is not for this account; nothing of it was kept.");
        return;
    }
    if mismatches > 0 {
        tracing::debug!(mismatches, "A push states facts twice, and differently.");
    }
    batch.events.extend(events);
    batch.contacts.extend(contacts);
    batch.cursor = cursor.or(batch.cursor.take());
    // A message behind it says that somebody logged in again.
    batch.logged_out = match logged_out {
        Some(LoggedOut { text, .. }) => Some(text),
        None if batch.events.is_empty() => batch.logged_out.take(),
        None => None,
    };
    batch.kept.and(kept);
}

impl<R: Reads> Session for PushedSession<R> {
    fn next_batch(&mut self) -> BoxFuture<'_, Result<Batch, Error>> {
        Box::pin(async { Ok(self.gather().await) })
    }

    fn sender(&self) -> Arc<dyn ActionSender> {
        Arc::clone(&self.sender)
    }

    fn myself(&self) -> Contact {
        let me = self.reader.self_id().unwrap_or(&self.nobody);
        Contact { nick_name: self.name.as_str().into(), ..Contact::nameless(me.clone(), ContactKind::Myself) }
    }

    fn contacts(&self) -> Vec<Arc<Contact>> {
        let mut all = vec![Arc::new(self.myself())];
        all.extend(self.contacts.iter().cloned());
        all
    }

    /// Ids of these services last: nobody has to be known again by name.
    fn has_address_book(&self) -> bool {
        false
    }

    fn saved(&self) -> Result<SavedSession, Error> {
        Ok(SavedSession { credentials: Secret::default(), cursor: self.reader.cursor().into() })
    }

    fn log_out(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}
