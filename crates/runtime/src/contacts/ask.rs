//! How is a member list had that is not loaded? The service is asked once for all who want it, and not for ever.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, WeakShared};
use tokio::sync::Semaphore;
use wxbot_core::protocol::ActionSender;
use wxbot_model::{Contact, ContactId, ContactKind, PeerId};
use wxbot_plugin::RoomMember;

use super::Contacts;
use crate::account::Account;

/// Requests of one account under way at once: the service counts them, and answers 1205 to whoever asks too often.
const AT_ONCE: usize = 2;
/// How long somebody waits: longer than one request may take, shorter than the deadline of a plugin.
const PATIENCE: Duration = Duration::from_secs(20);

type Answer = Result<Arc<Contact>, Arc<str>>;
type Question = BoxFuture<'static, Answer>;

/// What an account is asking the service.
pub(crate) struct Asking {
    /// Held by whoever waits: when the last one goes, so does the request.
    under_way: Mutex<HashMap<PeerId, WeakShared<Question>>>,
    permits: Arc<Semaphore>,
}

impl Default for Asking {
    fn default() -> Self {
        Self { under_way: Mutex::default(), permits: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

impl Asking {
    fn question(&self, way: Arc<dyn ActionSender>, peer: &PeerId) -> Shared<Question> {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(question) = under_way.get(peer).and_then(WeakShared::upgrade) {
            return question;
        }
        under_way.retain(|_, question| question.upgrade().is_some());
        let (permits, of) = (Arc::clone(&self.permits), peer.clone());
        let ask = async move {
            let _permit = permits.acquire_owned().await.map_err(|e| Arc::from(e.to_string()))?;
            way.look_up(&of).await.map_err(|e| Arc::from(e.to_string()))
        };
        let question = ask.boxed().shared();
        if let Some(weak) = question.downgrade() {
            under_way.insert(peer.clone(), weak);
        }
        question
    }

    /// Asks who this is, together with everybody who asks the same.
    pub(crate) async fn look_up(&self, way: Arc<dyn ActionSender>, peer: &PeerId) -> Answer {
        let question = self.question(way, peer);
        match tokio::time::timeout(PATIENCE, question).await {
            Ok(answer) => answer,
            Err(_elapsed) => Err(format!("no answer within {} s", PATIENCE.as_secs()).into()),
        }
    }
}

impl fmt::Debug for Asking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Asking({})", self.under_way.lock().unwrap_or_else(PoisonError::into_inner).len())
    }
}

/// The room with its members; asks the service when they are not loaded.
pub(crate) async fn room_of(account: &Account, id: &ContactId) -> Result<Arc<Contact>, String> {
    let known = account.write_contacts(|book| {
        let room = book.contact(id).cloned();
        if let Some(room) = &room {
            book.touch(&room.peer);
        }
        room
    });
    let room = known.ok_or_else(|| format!("{id} is nobody this account knows"))?;
    if room.kind != ContactKind::Room {
        return Err(format!("{id} is no room"));
    }
    if room.members.is_loaded() {
        return Ok(room);
    }
    see(account, &room.peer).await
}

/// Asks the service for a room and takes what it says.
pub(crate) async fn see(account: &Account, room: &PeerId) -> Result<Arc<Contact>, String> {
    // Before the way: of two logins the answer is then held to be of the older one.
    let login = account.read_contacts(Contacts::login);
    let way = account.sender.borrow().clone().ok_or("the account is not online")?;
    let told = account.asking.look_up(way, room).await.map_err(|why| format!("members are not to be had: {why}"))?;
    let now_ms = account.source.now_ms();
    if !account.write_contacts(|book| book.take_answer(login, &told, now_ms)) {
        return Err("another login began before the service answered".into());
    }
    if told.members.is_loaded() { Ok(told) } else { Err("the service gives no whole list of members".into()) }
}

/// The members of a room, for plugins.
pub(crate) async fn members(account: &Account, id: &ContactId) -> Result<Vec<RoomMember>, String> {
    let room = room_of(account, id).await?;
    Ok(account.read_contacts(|book| book.members_of(&room)))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use wxbot_core::protocol::{Outgoing, Receipt};
    use wxbot_core::{SendError, error::FetchError};

    use super::*;

    /// Answers after ten seconds, or never.
    #[derive(Default)]
    struct Slow {
        asked: AtomicUsize,
        under_way: Arc<AtomicUsize>,
        never: bool,
    }

    struct Going(Arc<AtomicUsize>);

    impl Drop for Going {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }

    impl ActionSender for Slow {
        fn perform(&self, _: Outgoing) -> BoxFuture<'_, Result<Receipt, SendError>> {
            Box::pin(std::future::pending())
        }

        fn look_up<'a>(&'a self, peer: &'a PeerId) -> BoxFuture<'a, Result<Arc<Contact>, FetchError>> {
            self.asked.fetch_add(1, Ordering::SeqCst);
            assert!(self.under_way.fetch_add(1, Ordering::SeqCst) < AT_ONCE, "no more than that at once");
            let (going, never) = (Going(Arc::clone(&self.under_way)), self.never);
            Box::pin(async move {
                let _going = going;
                if never {
                    std::future::pending::<()>().await;
                }
                tokio::time::sleep(Duration::from_secs(5)).await;
                Ok(Arc::new(Contact::nameless(peer.clone(), ContactKind::Room)))
            })
        }
    }

    fn room(n: usize) -> PeerId {
        format!("@@{n}").parse().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_asks_the_same_at_once_shares_one_request() {
        let (asking, slow) = (Asking::default(), Arc::new(Slow::default()));
        let ask = |n| {
            let way = Arc::clone(&slow) as Arc<dyn ActionSender>;
            let asking = &asking;
            async move { asking.look_up(way, &room(n)).await }
        };
        let answers = futures_util::future::join_all([ask(1), ask(1), ask(2), ask(1), ask(3)]).await;
        assert!(answers.iter().all(Result::is_ok));
        assert_eq!(slow.asked.load(Ordering::SeqCst), 3);
        ask(1).await.unwrap();
        assert_eq!(slow.asked.load(Ordering::SeqCst), 4, "an answer is not kept for later questions");
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_ever_and_a_question_without_askers_ends() {
        let (asking, slow) = (Asking::default(), Arc::new(Slow { never: true, ..Slow::default() }));
        let begun = tokio::time::Instant::now();
        let why = asking.look_up(Arc::clone(&slow) as _, &room(1)).await.unwrap_err();
        assert_eq!((begun.elapsed(), why.contains("20 s")), (PATIENCE, true), "{why}");
        assert_eq!(slow.under_way.load(Ordering::SeqCst), 0);
        assert_eq!(format!("{asking:?}"), "Asking(1)");
        let other = room(2);
        let one = asking.look_up(Arc::clone(&slow) as _, &other);
        assert!(tokio::time::timeout(Duration::from_secs(1), one).await.is_err());
        assert_eq!((slow.asked.load(Ordering::SeqCst), slow.under_way.load(Ordering::SeqCst)), (2, 0));
    }
}
