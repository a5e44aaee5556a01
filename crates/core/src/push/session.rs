//! What is a session with a service that pushes? A reader that takes from the account's mailbox, one body after another.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use wxbot_model::{Contact, ContactKind, PeerId, Secret};

use super::{Door, Kept, LoggedOut, Read};
use crate::error::Error;
use crate::protocol::{ActionSender, Batch, ContactChange, SavedSession, Session};
use crate::source::Source;

/// Neither a push nor an answer for so long: nothing is heard. Three rounds of asking, which comes each minute.
const UNHEARD: Duration = Duration::from_secs(180);
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
}

/// What is found beside the pushes: by asking the service.
#[derive(Debug, Clone, Default)]
pub struct Beside {
    /// What is wrong with asking; empty while it works.
    pub trouble: String,
    /// Whether the trouble is that nothing answers; a service that refuses is there.
    pub silent: bool,
    /// Whom the account knows; empty until it was told.
    pub contacts: Vec<Arc<Contact>>,
}

/// Asks beside the session, and ends with it.
struct Attending {
    /// Dropped, it ends what it holds.
    _asking: JoinSet<()>,
    found: watch::Receiver<Beside>,
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
    nobody: PeerId,
    attending: Option<Attending>,
    /// When something was pushed, or asking began to fail: the later of the two. `None` while asking works.
    silent_since: Option<Instant>,
    /// It was told that nothing is heard.
    unheard: bool,
    /// What is wrong with asking.
    trouble: String,
    /// Known from the beginning.
    contacts: Vec<Arc<Contact>>,
    /// Where the next reader goes on.
    cursor: Bytes,
    credentials: Secret<Vec<u8>>,
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
        Self {
            reader,
            door,
            sender,
            source,
            name,
            nobody,
            attending: None,
            silent_since: None,
            unheard: false,
            trouble: String::new(),
            contacts: Vec::new(),
            cursor: Bytes::new(),
            credentials: Secret::default(),
        }
    }

    /// The same with these contacts known from the beginning.
    #[must_use]
    pub fn with_contacts(mut self, contacts: Vec<Arc<Contact>>) -> Self {
        self.contacts = contacts;
        self
    }

    /// The same, gone on with from this cursor.
    #[must_use]
    pub fn from_cursor(mut self, cursor: Bytes) -> Self {
        self.cursor = cursor;
        self
    }

    /// The same, gone on with from what was sealed.
    #[must_use]
    pub fn with_credentials(mut self, credentials: Secret<Vec<u8>>) -> Self {
        self.credentials = credentials;
        self
    }

    /// The same with somebody who asks the service beside it, for as long as it lives. What is found reaches the runtime
    /// with the next batch.
    #[must_use]
    pub fn attended(
        mut self,
        asking: impl Future<Output = ()> + Send + 'static,
        found: watch::Receiver<Beside>,
    ) -> Self {
        let mut tasks = JoinSet::new();
        tasks.spawn(asking);
        self.attending = Some(Attending { _asking: tasks, found });
        self
    }

    /// What to tell now that something was heard.
    fn heard(&mut self) -> Option<String> {
        std::mem::take(&mut self.unheard).then(String::new)
    }

    /// Waits for bodies, or for the time when something expires. Cancel safe: reading is done without waiting.
    async fn gather(&mut self) -> Batch {
        let expiry = self.reader.next_expiry_ms();
        let until = expiry.map(|at_ms| u64::try_from(at_ms - self.source.now_ms()).unwrap_or(0));
        let expires = async {
            match until {
                Some(ms) => tokio::time::sleep(Duration::from_millis(ms)).await,
                None => std::future::pending().await,
            }
        };
        let silent = async {
            match self.silent_since.filter(|_| !self.unheard) {
                Some(since) => tokio::time::sleep_until(since + UNHEARD).await,
                None => std::future::pending().await,
            }
        };
        let mut batch = Batch::default();
        let posts = tokio::select! {
            posts = self.door.mailbox().take(BODIES) => posts,
            () = expires => Vec::new(),
            () = silent => {
                self.unheard = true;
                let s = UNHEARD.as_secs();
                batch.unheard = Some(format!("neither a push nor an answer of the service for {s} s: {}", self.trouble));
                return batch;
            }
            found = news(self.attending.as_mut()) => {
                let known = |contact: Arc<Contact>| ContactChange::Upsert(contact);
                batch.contacts.extend(found.contacts.into_iter().map(known));
                self.trouble.clone_from(&found.trouble);
                if found.silent {
                    self.silent_since.get_or_insert_with(Instant::now);
                } else {
                    self.silent_since = None;
                    batch.unheard = self.heard();
                }
                batch.trouble = Some(found.trouble);
                return batch;
            }
        };
        if !posts.is_empty() {
            self.silent_since = self.silent_since.map(|_| Instant::now());
            batch.unheard = self.heard();
        }
        let now_ms = self.source.now_ms();
        add(&mut batch, self.reader.expire(now_ms), Kept::default());
        for post in posts {
            let (body, kept) = post.open();
            add(&mut batch, self.reader.read(&body, now_ms), kept);
        }
        if let Some(cursor) = &batch.cursor {
            self.cursor = cursor.clone();
        }
        if let Some(credentials) = &batch.credentials {
            self.credentials = credentials.clone();
        }
        batch
    }
}

/// What was found since the last time; never, where nobody asks.
async fn news(attending: Option<&mut Attending>) -> Beside {
    if let Some(Attending { found, .. }) = attending
        && found.changed().await.is_ok()
    {
        return found.borrow_and_update().clone();
    }
    // Nobody asks, or not any more.
    std::future::pending().await
}

impl<R> fmt::Debug for PushedSession<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PushedSession").field("door", &self.door).finish_non_exhaustive()
    }
}

/// Adds what one body told. What is not ours is not kept, and whoever pushed it learns that.
fn add(batch: &mut Batch, read: Read, kept: Kept) {
    let Read { events, contacts, cursor, credentials, logged_out, self_id: _, refused, mismatches } = read;
    if let Some(not_ours) = refused {
        tracing::warn!(why = %not_ours, "A push is not for this account; nothing of it was kept.");
        kept.refuse();
        return;
    }
    if mismatches > 0 {
        tracing::debug!(mismatches, "A push states facts twice, and differently.");
    }
    batch.events.extend(events);
    let met = |change| if let ContactChange::Upsert(contact) = change { ContactChange::Met(contact) } else { change };
    batch.contacts.extend(contacts.into_iter().map(met));
    batch.cursor = cursor.or(batch.cursor.take());
    batch.credentials = credentials.or(batch.credentials.take());
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
        Ok(SavedSession { credentials: self.credentials.clone(), cursor: self.cursor.clone() })
    }

    fn log_out(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Knock, Knocked, Mailbox, Reply};
    use super::*;
    use crate::error::SendError;
    use crate::protocol::{Outgoing, Receipt};

    struct Deaf;

    impl Reads for Deaf {
        fn read(&mut self, _body: &[u8], _now_ms: i64) -> Read {
            Read::default()
        }

        fn self_id(&self) -> Option<&PeerId> {
            None
        }
    }

    #[derive(Debug, Default)]
    struct Porch(Mailbox);

    impl Door for Porch {
        fn knock(&self, _knock: &Knock<'_>) -> Knocked {
            Knocked::Answer(Reply::default())
        }

        fn mailbox(&self) -> &Mailbox {
            &self.0
        }

        fn secrets(&self) -> &[Secret<String>] {
            &[]
        }
    }

    struct Mute;

    impl ActionSender for Mute {
        fn perform(&self, _outgoing: Outgoing) -> BoxFuture<'_, Result<Receipt, SendError>> {
            Box::pin(std::future::pending())
        }
    }

    /// A session, who pushes to it, and who asks beside it.
    fn session() -> (PushedSession<Deaf>, Arc<Porch>, watch::Sender<Beside>) {
        let (tell, found) = watch::channel(Beside::default());
        let (porch, source) = (Arc::new(Porch::default()), Source::seeded(1, 0));
        let door = Arc::clone(&porch) as Arc<dyn Door>;
        let session = PushedSession::new(Deaf, door, Arc::new(Mute), source, "x".into(), "self".parse().unwrap());
        (session.attended(std::future::pending(), found), porch, tell)
    }

    fn failing(tell: &watch::Sender<Beside>, trouble: &str) {
        let silent = !trouble.is_empty();
        tell.send_replace(Beside { trouble: trouble.to_owned(), silent, contacts: Vec::new() });
    }

    #[tokio::test(start_paused = true)]
    async fn neither_a_push_nor_an_answer_is_told_and_so_is_the_first_of_either() {
        let (mut session, porch, tell) = session();
        failing(&tell, "no answer");
        let first = session.gather().await;
        assert_eq!(
            (first.trouble.as_deref(), first.unheard),
            (Some("no answer"), None),
            "pushes may come all the same"
        );
        let begun = Instant::now();
        // A push says that it lives, whatever the control side says.
        tokio::time::sleep(Duration::from_secs(100)).await;
        let push = |porch: Arc<Porch>| async move { porch.0.put(Bytes::from_static(b"x")).await };
        let took = async {
            let batch = session.gather().await;
            assert_eq!(batch.unheard, None);
            batch.kept.tell();
        };
        let (put, ()) = tokio::join!(push(Arc::clone(&porch)), took);
        put.unwrap();
        let told = session.gather().await.unheard.unwrap();
        assert!(told.contains("for 180 s") && told.ends_with("no answer"), "{told}");
        assert_eq!(begun.elapsed().as_secs(), 280);
        // Told once, and over with the first thing that is heard.
        assert!(tokio::time::timeout(Duration::from_secs(3_600), session.gather()).await.is_err());
        let took = async {
            let batch = session.gather().await;
            assert_eq!(batch.unheard.as_deref(), Some(""));
            batch.kept.tell();
        };
        let (put, ()) = tokio::join!(push(porch), took);
        put.unwrap();
        assert!(session.gather().await.unheard.is_some_and(|told| !told.is_empty()), "and begins anew");
        failing(&tell, "");
        let healed = session.gather().await;
        assert_eq!((healed.trouble.as_deref(), healed.unheard.as_deref()), (Some(""), Some("")));
        assert!(tokio::time::timeout(Duration::from_secs(3_600), session.gather()).await.is_err(), "quiet is well");
        tell.send_replace(Beside { trouble: "it may not list them".into(), ..Beside::default() });
        assert_eq!(session.gather().await.trouble.as_deref(), Some("it may not list them"));
        assert!(tokio::time::timeout(Duration::from_secs(3_600), session.gather()).await.is_err(), "a no is an answer");
    }
}
