//! Where does a pushed body wait for the session of its account? And how does whoever pushed it learn that it is kept?

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

/// Bodies that wait at once. More is a service that pushes faster than a disk can take it; then it waits.
const POSTS: usize = 1_024;
/// KiB of all that wait: sixteen of the largest bodies there may be.
const KIB: usize = 16 * 1024;

/// Where bodies wait for the session of one account. It outlives sessions.
pub struct Mailbox {
    door: mpsc::Sender<Post>,
    waiting: Mutex<mpsc::Receiver<Post>>,
    room: Arc<Semaphore>,
    shut: AtomicBool,
}

/// One pushed body.
pub struct Post {
    /// As it came.
    pub body: Bytes,
    /// To be told when what was read out of it is committed.
    kept: Waiter,
    _room: OwnedSemaphorePermit,
}

/// Told what became of a body. Dropped instead, it says that the body was not stored.
type Waiter = oneshot::Sender<Result<(), NotKept>>;

/// Why a body was not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotKept {
    /// The session that took it ended, or its store refused. The same body may be kept later.
    #[error("it could not be stored")]
    NotStored,
    /// It was read, and is not for this account. The same body never will be.
    #[error("it is not for this account")]
    NotOurs,
}

impl Mailbox {
    /// An empty one.
    pub fn new() -> Self {
        let (door, waiting) = mpsc::channel(POSTS);
        Self { door, waiting: Mutex::new(waiting), room: Arc::new(Semaphore::new(KIB)), shut: AtomicBool::new(false) }
    }

    /// Puts a body in and waits until it is kept. However long that takes: whoever pushes sets the limit.
    ///
    /// Dropping the future before there was room drops the body; afterwards it is read all the same, and nobody is told.
    ///
    /// # Errors
    /// When it was not kept.
    pub async fn put(&self, body: Bytes) -> Result<(), NotKept> {
        if self.shut.load(Ordering::Acquire) {
            return Err(NotKept::NotStored);
        }
        let kib = u32::try_from(body.len().div_ceil(1024).clamp(1, KIB)).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room).acquire_many_owned(kib).await.map_err(|_closed| NotKept::NotStored)?;
        let (kept, told) = oneshot::channel();
        self.door.send(Post { body, kept, _room: room }).await.map_err(|_closed| NotKept::NotStored)?;
        told.await.map_err(|_dropped| NotKept::NotStored)?
    }

    /// While it is shut, nothing more is put in: whoever pushes is told at once. What waits goes on waiting.
    pub fn shut(&self, shut: bool) {
        self.shut.store(shut, Ordering::Release);
    }

    /// How many bodies wait to be taken.
    pub fn waiting(&self) -> usize {
        POSTS - self.door.capacity()
    }

    /// Waits for bodies: all that are there, at most `most`, and at least one. One session at a time takes them.
    ///
    /// Cancel safe: what is not taken stays.
    pub async fn take(&self, most: usize) -> Vec<Post> {
        let mut posts = Vec::new();
        self.waiting.lock().await.recv_many(&mut posts, most).await;
        posts
    }
}

impl Default for Mailbox {
    fn default() -> Self {
        Self::new()
    }
}

impl Post {
    /// Takes it apart: the body, and what to add to the batch that is made of it.
    pub fn open(self) -> (Bytes, Kept) {
        (self.body, Kept(vec![self.kept]))
    }
}

/// Who waits to be told that a batch is committed. Dropped instead, they learn that it is not.
#[derive(Default)]
pub struct Kept(Vec<Waiter>);

impl Kept {
    /// Those of another one too.
    pub fn and(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Tells them.
    pub fn tell(self) {
        self.answer(Ok(()));
    }

    /// Tells them that it is not for this account.
    pub fn refuse(self) {
        self.answer(Err(NotKept::NotOurs));
    }

    fn answer(self, answer: Result<(), NotKept>) {
        for kept in self.0 {
            // Whoever pushed it may have gone.
            _ = kept.send(answer);
        }
    }

    /// True when nobody waits.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kept({} waiting)", self.0.len())
    }
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mailbox({} waiting)", self.waiting())
    }
}

impl fmt::Debug for Post {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A body holds what people wrote.
        write!(f, "Post({} bytes)", self.body.len())
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "what a test spawns ends with its runtime")]
mod tests {
    use std::time::Duration;

    use super::*;

    fn body(text: &'static str) -> Bytes {
        Bytes::from_static(text.as_bytes())
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_is_kept_when_its_batch_is_and_not_before() {
        let mailbox = Arc::new(Mailbox::new());
        let puts: Vec<_> = ["a", "b"]
            .map(|text| {
                tokio::spawn({
                    let mailbox = Arc::clone(&mailbox);
                    async move { mailbox.put(body(text)).await }
                })
            })
            .into();
        tokio::task::yield_now().await;
        let mut all = Kept::default();
        let mut bodies = Vec::new();
        for post in mailbox.take(9).await {
            let (body, kept) = post.open();
            bodies.push(body);
            all.and(kept);
        }
        assert_eq!(bodies, ["a", "b"]);
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(puts.iter().all(|put| !put.is_finished()));
        all.tell();
        for put in puts {
            assert_eq!(put.await.unwrap(), Ok(()));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_session_took_and_did_not_commit_is_refused_and_the_rest_waits() {
        let mailbox = Mailbox::new();
        let session = async {
            drop(mailbox.take(1).await);
            mailbox.take(1).await.into_iter().for_each(|post| post.open().1.refuse());
            let posts = mailbox.take(9).await;
            posts.into_iter().for_each(|post| post.open().1.tell());
        };
        let puts = (mailbox.put(body("a")), mailbox.put(body("b")), mailbox.put(body("c")));
        let (first, second, third, ()) = tokio::join!(puts.0, puts.1, puts.2, session);
        assert_eq!((first, second, third), (Err(NotKept::NotStored), Err(NotKept::NotOurs), Ok(())));
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_mailbox_makes_them_wait_and_a_taking_that_is_cut_short_takes_nothing() {
        let mailbox = Arc::new(Mailbox::new());
        assert!(tokio::time::timeout(Duration::from_secs(1), mailbox.take(1)).await.is_err());
        let large = Bytes::from(vec![b'x'; 1 << 20]);
        let puts: Vec<_> = (0..20)
            .map(|_| {
                tokio::spawn({
                    let (mailbox, large) = (Arc::clone(&mailbox), large.clone());
                    async move { mailbox.put(large).await }
                })
            })
            .collect();
        tokio::time::sleep(Duration::from_secs(1)).await;
        let first = mailbox.take(1_000).await;
        assert_eq!(first.len(), 16, "16 MiB wait, the others outside");
        first.into_iter().for_each(|post| post.open().1.tell());
        let mut rest = 0;
        while rest < 4 {
            let posts = mailbox.take(1_000).await;
            rest += posts.len();
            posts.into_iter().for_each(|post| post.open().1.tell());
        }
        for put in puts {
            assert_eq!(put.await.unwrap(), Ok(()));
        }
    }
}
