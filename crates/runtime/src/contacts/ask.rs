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
    let way = account.sender.borrow().clone().ok_or("the account is not online")?;
    let told = account.asking.look_up(way, room).await.map_err(|why| format!("members are not to be had: {why}"))?;
    let now_ms = account.source.now_ms();
    account.write_contacts(|book| {
        book.upsert(&told, now_ms);
        book.resolve(now_ms);
    });
    if told.members.is_loaded() { Ok(told) } else { Err("the service gives no whole list of members".into()) }
}

/// The members of a room, for plugins.
pub(crate) async fn members(account: &Account, id: &ContactId) -> Result<Vec<RoomMember>, String> {
    let room = room_of(account, id).await?;
    Ok(account.read_contacts(|book| book.members_of(&room)))
}
