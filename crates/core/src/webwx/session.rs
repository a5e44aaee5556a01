//! How does a running session live? It starts by loading the world, then polls, fetches, and hands on batches.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures_util::future::BoxFuture;
use wxbot_model::{Contact, PeerId, Secret};

use super::book::Book;
use super::client::{BATCH, Client};
use super::convert::news::{self, News, Settled};
use super::convert::{self, Scene};
use super::poll::{Next, Push};
use super::saved::{Credentials, Cursor};
use super::sender::WebSender;
use super::sync::Keys;
use crate::error::{Advice, Error, Risk};
use crate::protocol::{ActionSender, Batch, ContactChange, Incoming, SavedSession, Session};

/// Rounds in which synccheck says there is something and webwxsync gives nothing, or the same again, before the loop slows down.
const EMPTY_ROUNDS: u32 = 3;
/// The longest pause between such rounds, in seconds: messages that do come are seen no later.
const EMPTY_PAUSE_S: u32 = 30;

/// The longest that a poll with all that follows it may take, whatever the network does: three silent polls of 35 s, each
/// question after it 15 s, several of them, and the pause before it.
const HEARD_WITHIN: Duration = Duration::from_secs(300);

/// So many rounds without anything behind the service's word are told, about five minutes after the first: until then it
/// may be a passing disorder of the service.
const LYING_ROUNDS: u32 = 24;
const LYING: &str = "synccheck says that there is something, and webwxsync gives nothing: messages may be missing";

/// One running session.
pub(super) struct WebSession {
    client: Arc<Client>,
    book: Arc<RwLock<Book>>,
    me: PeerId,
    keys: Keys,
    /// Of the init that resumed this session: used once when the service refuses the saved key.
    fresh: Option<Keys>,
    /// When the saved cursor was last moved, seconds; 0 for a new login.
    complete_until_s: i64,
    push: Push,
    more: bool,
    empty_rounds: u32,
    /// It was told that synccheck and webwxsync contradict each other.
    lying: bool,
    /// What the last fetch brought, to tell the same again from something new.
    last: u64,
    polls: i64,
    started_ms: i64,
    saved: Saved,
    mark_read: bool,
    /// The service gave the address book.
    listed: bool,
}

/// Which credentials the runtime has.
struct Saved {
    cookies: u64,
    skey: Secret<String>,
}

impl Saved {
    fn of(client: &Client) -> Self {
        Self { cookies: client.http.generation(), skey: client.keys().skey.clone() }
    }

    fn is_of(&self, client: &Client) -> bool {
        self.cookies == client.http.generation() && self.skey == client.keys().skey
    }
}

/// What one webwxsync gave.
struct Fetched {
    news: News,
    /// The keys that it was asked with.
    from: Keys,
    keys: Keys,
    skey: String,
    more: bool,
    /// The saved position was refused: something may be missing.
    gap: bool,
}

impl WebSession {
    /// From the keys of a new login to a session. Its [`saved`](Session::saved) state is for the caller to keep.
    pub(super) async fn begin(client: Client, mark_read: bool) -> Result<Self, Error> {
        let mut session = Self::start(client, None, mark_read).await?;
        session.saved = Saved::of(&session.client);
        session.client.report().await;
        Ok(session)
    }

    /// Goes on from a saved cursor.
    pub(super) async fn resume(client: Client, cursor: Cursor, mark_read: bool) -> Result<Self, Error> {
        Self::start(client, Some(cursor), mark_read).await
    }

    async fn start(client: Client, cursor: Option<Cursor>, mark_read: bool) -> Result<Self, Error> {
        // Before the first answer: what it changes has to be saved.
        let saved = Saved::of(&client);
        let init = client.init().await?;
        client.refresh_skey(&init.skey);
        let first = Keys::new(init.sync_key.clone());
        let Scene { myself, recent, open } = convert::scene(init)?;
        let me = myself.peer.clone();
        let (book, listed) = load(&client, Book::new(myself), recent, &me).await?;
        let (keys, fresh, complete_until_s) = match cursor {
            // The saved key goes on where we stopped; the fresh one would skip what came while we were away. It is kept
            // for the case that the service no longer takes ours.
            Some(cursor) => (cursor.keys, Some(first).filter(|keys| keys.sync().counts()), cursor.at_s),
            None => (first, None, 0),
        };
        let session = Self {
            push: Push::new(&client.hosts),
            started_ms: client.source.now_ms(),
            client: Arc::new(client),
            book: Arc::new(RwLock::new(book)),
            me,
            keys,
            fresh,
            complete_until_s,
            more: false,
            empty_rounds: 0,
            lying: false,
            last: 0,
            polls: 0,
            saved,
            mark_read,
            listed,
        };
        // The rooms that were last spoken in: who is there is wanted soon. Of others it is asked when it is needed.
        let (mut ask, now_s) = (Vec::new(), session.client.source.now_s());
        for peer in open {
            if session.read_book(|book| book.should_ask(&peer, now_s)) && !ask.contains(&peer) {
                ask.push(peer);
            }
        }
        let told = session.look_up(&ask).await?;
        session.write_book(|book| learn(book, told));
        Ok(session)
    }

    fn read_book<T>(&self, f: impl FnOnce(&Book) -> T) -> T {
        f(&self.book.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write_book<T>(&self, f: impl FnOnce(&mut Book) -> T) -> T {
        f(&mut self.book.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// Asks who these are. Only the end of the session is an error: whoever is not told stays without a name.
    async fn look_up(&self, peers: &[PeerId]) -> Result<Vec<Contact>, Error> {
        let mut told = Vec::new();
        for batch in peers.chunks(BATCH) {
            let answered = match self.client.contacts_of(batch).await {
                Ok(found) => {
                    told.extend(convert::contacts(found, &self.me));
                    true
                }
                Err(error) if ends(&error) => return Err(error),
                Err(error) => {
                    tracing::debug!(%error, asked = batch.len(), "The service does not tell who wrote.");
                    false
                }
            };
            let now_s = self.client.source.now_s();
            self.write_book(|book| book.note_asked(batch, answered, now_s));
        }
        Ok(told)
    }

    fn cursor(&self, keys: &Keys) -> Result<bytes::Bytes, Error> {
        Cursor { keys: keys.clone(), at_s: self.client.source.now_s() }.to_bytes()
    }

    /// Polls until there is something to fetch; false when the window passed quietly.
    async fn wait(&mut self) -> Result<bool, Error> {
        loop {
            let host = self.push.host().unwrap_or(&self.client.hosts.push).clone();
            self.polls += 1;
            let answer = self.client.synccheck(&host, &self.keys, self.started_ms + self.polls).await;
            match self.push.judge(answer)? {
                Next::Fetch => return Ok(true),
                Next::Wait => return Ok(false),
                Next::PollAgain => {}
            }
        }
    }

    /// Fetches from our position, or, when the service refuses a saved one, from the fresh one. Changes nothing here:
    /// dropped or failed on its way, it is done again from its beginning.
    async fn fetch(&self) -> Result<Fetched, Error> {
        let mut first = self.client.sync(self.keys.sync()).await;
        if self.fresh.is_some()
            && matches!(&first, Err(Error::Refused { refusal, .. }) if refusal.advice == Advice::TryLater)
        {
            // Not every no means the position; giving it up for a passing trouble would lose what came since.
            tokio::time::sleep(Duration::from_secs(1)).await;
            first = self.client.sync(self.keys.sync()).await;
        }
        let (from, answer, gap) = match (first, &self.fresh) {
            (Err(Error::Refused { refusal, .. }), Some(fresh)) if gives_up_position(refusal.advice) => {
                tracing::warn!(ret = refusal.ret, "The service refuses the saved position; going on from a new one.");
                (fresh, self.client.sync(fresh.sync()).await?, true)
            }
            (answer, _) => (&self.keys, answer?, false),
        };
        Ok(Fetched {
            from: from.clone(),
            keys: from.advanced(&answer.sync_key, &answer.sync_check_key),
            skey: answer.skey.clone(),
            more: answer.continue_flag != 0,
            news: News::read(answer, &self.me),
            gap,
        })
    }

    async fn batch(&mut self) -> Result<Batch, Error> {
        if !self.more && !self.wait().await? {
            let mut batch = self.handed(Batch::default(), None)?;
            batch.trouble = self.sync_trouble(false);
            self.empty_rounds = 0;
            return Ok(batch);
        }
        let Fetched { news, from, keys, skey, more, gap } = self.fetch().await?;
        let asked_s = self.client.source.now_s();
        let strangers = self.read_book(|book| news.strangers(book, asked_s));
        let told = self.look_up(&strangers).await?;

        // Nothing is awaited from here on, and what can fail comes before what changes.
        let now_s = self.client.source.now_s();
        let position = from.sync().param();
        let Settled { contacts, mut events } = self.read_book(|book| news.settle(book, told, &position, now_s));
        if gap {
            events.insert(0, news::gap(&self.me, self.complete_until_s, now_s));
        }
        self.client.refresh_skey(&skey);
        let brought = fingerprint(&events);
        let stood_still = keys.sync().same_place(from.sync()) && (events.is_empty() || brought == self.last);
        let moved = Some(keys).filter(|keys| *keys != self.keys);
        let mut batch = self.handed(Batch { events, contacts, ..Batch::default() }, moved)?;
        self.empty_rounds = if stood_still { self.empty_rounds.saturating_add(1) } else { 0 };
        batch.trouble = self.sync_trouble(stood_still && self.empty_rounds >= LYING_ROUNDS);
        self.last = brought;
        self.more = more && !stood_still;
        self.fresh = None;
        if !batch.contacts.is_empty() || !batch.events.is_empty() {
            self.write_book(|book| {
                book.touch(batch.events.iter().map(|event| &event.chat));
                for change in &batch.contacts {
                    match change {
                        ContactChange::Upsert(contact) | ContactChange::Met(contact) => book.put(Arc::clone(contact)),
                        ContactChange::Remove(peer) => book.remove(peer),
                    }
                }
            });
        }
        Ok(batch)
    }

    /// What to tell when synccheck and webwxsync begin, or cease, to contradict each other; `None`: nothing new.
    fn sync_trouble(&mut self, lies: bool) -> Option<String> {
        let told = std::mem::replace(&mut self.lying, lies);
        (told != lies).then(|| if lies { LYING.to_owned() } else { String::new() })
    }

    /// The batch with the state that has to be kept, which counts as kept from now on.
    fn handed(&mut self, mut batch: Batch, moved: Option<Keys>) -> Result<Batch, Error> {
        if let Some(keys) = &moved {
            batch.cursor = Some(self.cursor(keys)?);
        }
        if !self.saved.is_of(&self.client) {
            let now = Saved::of(&self.client);
            batch.credentials = Some(Credentials::of(&self.client)?);
            self.saved = now;
        }
        if let Some(keys) = moved {
            self.keys = keys;
        }
        // Before the news, which were read knowing it.
        let learned = self.write_book(Book::take_learned);
        batch.contacts.splice(..0, learned.into_iter().map(ContactChange::Upsert));
        Ok(batch)
    }
}

/// The same for the same events in the same order.
fn fingerprint(events: &[Incoming]) -> u64 {
    let mut hasher = DefaultHasher::new();
    events.iter().for_each(|incoming| incoming.key.hash(&mut hasher));
    hasher.finish()
}

/// False for refusals that say nothing about the position.
fn gives_up_position(advice: Advice) -> bool {
    match advice {
        Advice::TryLater | Advice::GiveUp => true,
        Advice::Stop(_) => false,
    }
}

/// Whether nothing more may be asked after this: the session is over, or may not be. That it was asked too often ends the
/// asking alone: who is who is nice to know, and an account that stopped over it could never begin again.
fn ends(error: &Error) -> bool {
    match error {
        Error::Ended(_) | Error::Stopped { .. } => true,
        Error::Refused { refusal, .. } => refusal.advice == Advice::Stop(Risk::Forbidden),
        Error::Transport { .. }
        | Error::Status { .. }
        | Error::Decode { .. }
        | Error::Silent { .. }
        | Error::LoginNotCompleted(_)
        | Error::BadSavedSession(_)
        | Error::Settings(_) => false,
    }
}

/// Tells the service that we are up, and loads the address book; false when it is not to be had.
async fn load(client: &Client, mut book: Book, recent: Vec<Contact>, me: &PeerId) -> Result<(Book, bool), Error> {
    learn(&mut book, recent);
    match client.notify_up(me).await {
        Err(error) if ends(&error) => return Err(error),
        Err(error) => tracing::debug!(%error, "The service did not take the notice that we are up."),
        Ok(()) => {}
    }
    match client.all_contacts().await {
        Ok(contacts) => {
            learn(&mut book, convert::contacts(contacts, me));
            Ok((book, true))
        }
        Err(error) if ends(&error) => Err(error),
        // Very large accounts get no list at all; contacts are then met one by one.
        Err(error) => {
            tracing::warn!(%error, "The address book is not to be had; names come as people write.");
            Ok((book, false))
        }
    }
}

fn learn(book: &mut Book, contacts: Vec<Contact>) {
    for contact in contacts {
        if let Some(contact) = book.merged(contact) {
            book.put(contact);
        }
    }
}

impl Session for WebSession {
    fn next_batch(&mut self) -> BoxFuture<'_, Result<Batch, Error>> {
        Box::pin(async move {
            if self.empty_rounds >= EMPTY_ROUNDS {
                let pause = self.empty_rounds.min(EMPTY_PAUSE_S);
                tokio::time::sleep(Duration::from_secs(pause.into())).await;
            }
            // What risk control says to a send ends the poll too, in whatever it waits for.
            let client = Arc::clone(&self.client);
            tokio::select! {
                biased;
                stopped = client.until_stopped() => Err(stopped),
                batch = self.batch() => batch,
            }
        })
    }

    fn heard_within(&self) -> Option<Duration> {
        Some(HEARD_WITHIN)
    }

    fn sender(&self) -> Arc<dyn ActionSender> {
        Arc::new(WebSender {
            client: Arc::clone(&self.client),
            book: Arc::clone(&self.book),
            me: self.me.clone(),
            mark_read: self.mark_read,
        })
    }

    fn myself(&self) -> Contact {
        self.read_book(|book| book.myself().map_or_else(|| convert::nameless(self.me.clone()), |me| (**me).clone()))
    }

    fn contacts(&self) -> Vec<Arc<Contact>> {
        self.read_book(|book| book.all().cloned().collect())
    }

    fn has_address_book(&self) -> bool {
        self.listed
    }

    fn saved(&self) -> Result<SavedSession, Error> {
        Ok(SavedSession { credentials: Credentials::of(&self.client)?, cursor: self.cursor(&self.keys)? })
    }

    fn log_out(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(self.client.log_out())
    }
}

impl fmt::Debug for WebSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebSession({})", self.me)
    }
}
