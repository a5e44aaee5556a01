//! What does the runtime see of Web WeChat? [`WebWx`] logs in and resumes; its session polls; its sender sends.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use url::Url;
use wxbot_model::{
    Action, Capabilities, Capability, ClientMsgId, Contact, ContactKind, EventKind, PeerId, Secret,
};

use super::book::Book;
use super::client::{Client, SessionKeys};
use super::convert;
use super::endpoint::{Hosts, Mode};
use super::login::{Entered, Login, Step};
use super::ret::Ret;
use super::sync::Keys;
use super::wire::addmsg::AddMsg;
use super::wire::answer::{InitAnswer, SyncAnswer, deleted, elements};
use super::wire::request::NotifyCode;
use super::wire::{contact, script::SyncCheck};
use crate::error::{Advice, EndReason, Error, SendError};
use crate::http::CookieClient;
use crate::protocol::{
    ActionSender, Batch, ContactChange, Incoming, LoginWatcher, Outgoing, Protocol, Receipt, SavedSession, Session,
};
use crate::source::Source;
use crate::transport::{Transport, TransportError};

/// How one account speaks Web WeChat.
#[derive(Debug, Clone)]
pub struct Settings {
    /// One address for all four host roles; `None`: the real service.
    pub endpoint: Option<Url>,
    /// Plain web page or desktop variant.
    pub mode: Mode,
    /// Mark a chat read on the phone before answering in it.
    pub mark_read: bool,
}

/// What accounts of Web WeChat can do.
pub fn capabilities() -> Capabilities {
    Capability::ALL.into_iter().collect()
}

/// One account's way to Web WeChat.
#[derive(Debug)]
pub struct WebWx {
    settings: Settings,
    transport: Arc<dyn Transport>,
    source: Source,
    ids: Mutex<Drawn>,
}

/// Ids drawn in the present millisecond.
#[derive(Debug, Default)]
struct Drawn {
    ms: i64,
    taken: HashSet<u64>,
}

/// The credentials of a saved session, as JSON under a seal. New fields need a default; another shape another version.
#[derive(Serialize, Deserialize)]
struct Credentials {
    version: u32,
    hosts: Hosts,
    keys: SessionKeys,
    cookies: Secret<String>,
}

const CREDENTIALS_VERSION: u32 = 1;

impl WebWx {
    /// An account over this carrier.
    pub fn new(settings: Settings, transport: Arc<dyn Transport>, source: Source) -> Self {
        Self { settings, transport, source, ids: Mutex::default() }
    }

    fn hosts(&self) -> Hosts {
        self.settings.endpoint.as_ref().map_or_else(Hosts::before_login, Hosts::fixed)
    }

    fn http(&self) -> CookieClient {
        CookieClient::new(Arc::clone(&self.transport), self.settings.endpoint.is_some())
    }

    /// The client of a saved session. A session saved at another endpoint is not this account's.
    fn client_of(&self, saved: &SavedSession) -> Result<Client, Error> {
        let bad = |why: String| Error::BadSavedSession(why);
        let credentials: Credentials = serde_json::from_slice(saved.credentials.expose())
            .map_err(|e| bad(format!("credentials, line {}", e.line())))?;
        if credentials.version != CREDENTIALS_VERSION {
            return Err(bad(format!(
                "credentials of version {}, this wxbot reads {CREDENTIALS_VERSION}",
                credentials.version
            )));
        }
        let hosts = match &self.settings.endpoint {
            Some(endpoint) => Hosts::fixed(endpoint),
            None if credentials.hosts.fixed => return Err(bad("it belongs to another endpoint".into())),
            None => credentials.hosts,
        };
        let http = self.http();
        http.load(credentials.cookies.expose())?;
        Ok(Client::new(http, hosts, self.settings.mode.clone(), self.source.clone(), credentials.keys))
    }

    async fn drive(
        &self,
        mut login: Login,
        http: CookieClient,
        watcher: &dyn LoginWatcher,
    ) -> Result<Box<dyn Session>, Error> {
        loop {
            match login.next(self.source.now_ms(), watcher.still_wanted()) {
                Step::Ask(request) => {
                    let answer = http.send(*request).await;
                    login.answer(answer);
                }
                Step::Tell(event) => watcher.tell(event),
                Step::Pause(pause) => tokio::time::sleep(pause).await,
                Step::Failed(error) => return Err(error),
                Step::Done(entered) => return self.enter(*entered, http).await,
            }
        }
    }

    /// From the keys of a login to a session: init, notify, contacts.
    async fn enter(&self, entered: Entered, http: CookieClient) -> Result<Box<dyn Session>, Error> {
        let Entered { hosts, page } = entered;
        // The desktop variant leaves keys out of the page; the cookies have them.
        let or_cookie = |value: String, name: &str| {
            if value.is_empty() { http.cookie(&hosts.api, name).unwrap_or_default() } else { value }
        };
        let (uin, sid) = (or_cookie(page.wxuin, "wxuin"), or_cookie(page.wxsid, "wxsid"));
        let uin = uin.parse().map_err(|_ignored| Error::Settings("the login gave no account number (wxuin)".into()))?;
        let keys = SessionKeys { uin, sid: sid.into(), skey: page.skey.into(), pass_ticket: page.pass_ticket.into() };
        let client = Client::new(http, hosts, self.settings.mode.clone(), self.source.clone(), keys);
        let init = client.init().await?;
        let keys = Keys::new(init.sync_key.clone());
        let session = WebSession::start(client, init, keys, None, self.settings.mark_read).await?;
        session.client.report().await;
        Ok(Box::new(session))
    }
}

impl Protocol for WebWx {
    fn capabilities(&self) -> Capabilities {
        capabilities()
    }

    fn resume<'a>(&'a self, saved: &'a SavedSession) -> BoxFuture<'a, Result<Box<dyn Session>, Error>> {
        Box::pin(async move {
            let client = self.client_of(saved)?;
            let init = client.init().await?;
            // The saved key goes on where we stopped; the fresh one would skip what came while we were away. It is kept
            // for the case that the service no longer takes ours.
            let fresh = Keys::new(init.sync_key.clone());
            let cursor: Cursor = serde_json::from_slice(&saved.cursor)
                .map_err(|e| Error::BadSavedSession(format!("the cursor: {e}")))?;
            let mut session =
                WebSession::start(client, init, cursor.keys, Some(fresh), self.settings.mark_read).await?;
            session.complete_until_s = cursor.at_s;
            Ok(Box::new(session) as Box<dyn Session>)
        })
    }

    fn push_login<'a>(
        &'a self,
        saved: &'a SavedSession,
        watcher: &'a dyn LoginWatcher,
    ) -> BoxFuture<'a, Result<Box<dyn Session>, Error>> {
        Box::pin(async move {
            let client = self.client_of(saved)?;
            let (api, uin) = (client.hosts.api.clone(), client.keys().uin.to_string());
            let load_time = client.http.cookie(&api, "wxloadtime").unwrap_or_default();
            // What the page's own script leaves behind at a logout; the service asks for it.
            for (name, value) in [
                ("last_wxuin", uin.as_str()),
                ("login_frequency", "2"),
                ("wxloadtime", &format!("{load_time}_expired")),
                ("wxpluginkey", &load_time),
                ("mm_lang", "zh_CN"),
                ("MM_WX_NOTIFY_STATE", "1"),
                ("MM_WX_SOUND_STATE", "1"),
            ] {
                client.http.set(&api, name, value);
            }
            let uuid = client.push_login().await?;
            let login = Login::pushed(client.hosts.clone(), self.settings.mode.clone(), uuid);
            self.drive(login, client.http, watcher).await
        })
    }

    fn login<'a>(&'a self, watcher: &'a dyn LoginWatcher) -> BoxFuture<'a, Result<Box<dyn Session>, Error>> {
        Box::pin(self.drive(Login::by_qr(self.hosts(), self.settings.mode.clone()), self.http(), watcher))
    }

    /// The official form: milliseconds, a zero, three random digits; 17 digits until the year 2286.
    fn draw_client_msg_id(&self) -> ClientMsgId {
        let mut drawn = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.source.now_ms();
        // A clock that jumps back must not draw from a millisecond that was used.
        if now > drawn.ms {
            *drawn = Drawn { ms: now, taken: HashSet::new() };
        } else if drawn.taken.len() >= 1_000 {
            *drawn = Drawn { ms: drawn.ms + 1, taken: HashSet::new() };
        }
        let mut digits = self.source.below(1_000);
        while !drawn.taken.insert(digits) {
            digits = (digits + 1) % 1_000;
        }
        #[expect(clippy::expect_used, reason = "digits only, far below 40")]
        format!("{}0{digits:03}", drawn.ms).parse().expect("digits")
    }
}

/// One running session.
struct WebSession {
    client: Arc<Client>,
    book: Arc<RwLock<Book>>,
    me: PeerId,
    keys: Keys,
    /// Of the init that resumed this session: used once when the service refuses the saved key.
    fresh: Option<Keys>,
    /// When the saved cursor was last moved, seconds; 0 for a new login.
    complete_until_s: i64,
    push: Vec<Url>,
    checked: bool,
    more: bool,
    empty_rounds: u32,
    polls: i64,
    started_ms: i64,
    saved_generation: u64,
    mark_read: bool,
}

/// What the runtime commits as the cursor.
#[derive(Serialize, Deserialize)]
struct Cursor {
    keys: Keys,
    at_s: i64,
}

impl WebSession {
    async fn start(
        client: Client,
        init: InitAnswer,
        keys: Keys,
        fresh: Option<Keys>,
        mark_read: bool,
    ) -> Result<Self, Error> {
        client.refresh_skey(&init.skey);
        let missing = |what: &str| super::wire::unreadable("webwxinit", 0, "", what);
        let myself = convert::contact(init.user, None).ok_or_else(|| missing("no User.UserName in it"))?;
        let me = myself.peer.clone();
        let mut book = Book::new(Contact { kind: ContactKind::Myself, ..myself });
        for wire in init.contact_list {
            if let Some(contact) = convert::contact(wire, Some(&me)).and_then(|c| book.merged(c)) {
                book.put(contact);
            }
        }
        match client.notify(NotifyCode::Inited, &me, &me).await {
            Err(error @ Error::Ended(_)) => return Err(error),
            Err(error) => tracing::debug!(%error, "The service did not take the notice that we are up."),
            Ok(()) => {}
        }
        match client.all_contacts(&me).await {
            Ok(contacts) => {
                for contact in contacts {
                    if let Some(contact) = book.merged(contact) {
                        book.put(contact);
                    }
                }
            }
            Err(error @ Error::Ended(_)) => return Err(error),
            // Very large accounts get no list at all; contacts are then met one by one.
            Err(error) => tracing::warn!(%error, "The address book is not to be had; names come as people write."),
        }
        let open: Vec<PeerId> = init
            .chat_set
            .split(',')
            .filter_map(|name| name.trim().parse().ok())
            .filter(|peer| book.should_ask(peer))
            .collect();
        let started_ms = client.source.now_ms();
        let push = client.hosts.push_candidates();
        let mut session = Self {
            client: Arc::new(client),
            book: Arc::new(RwLock::new(book)),
            me,
            keys,
            fresh,
            complete_until_s: 0,
            push,
            checked: false,
            more: false,
            empty_rounds: 0,
            polls: 0,
            started_ms,
            saved_generation: 0,
            mark_read,
        };
        for contact in session.look_up(&open).await? {
            session.write_book(|book| book.put(contact));
        }
        session.saved_generation = session.client.http.generation();
        Ok(session)
    }

    fn read_book<T>(&self, f: impl FnOnce(&Book) -> T) -> T {
        f(&self.book.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write_book<T>(&self, f: impl FnOnce(&mut Book) -> T) -> T {
        f(&mut self.book.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// Asks who these are. Only the end of the session is an error; anybody not told is left as a stub without a name.
    async fn look_up(&self, peers: &[PeerId]) -> Result<Vec<Arc<Contact>>, Error> {
        if peers.is_empty() {
            return Ok(Vec::new());
        }
        let found = match self.client.contacts_of(peers, &self.me).await {
            Ok(found) => found,
            Err(error @ Error::Ended(_)) => return Err(error),
            Err(error) => {
                tracing::debug!(%error, asked = peers.len(), "The service does not tell who wrote.");
                return Ok(Vec::new());
            }
        };
        let told: HashSet<PeerId> = found.iter().map(|c| c.peer.clone()).collect();
        self.write_book(|book| {
            for peer in peers.iter().filter(|p| !told.contains(*p)) {
                book.give_up_on(peer.clone());
            }
        });
        Ok(self.read_book(|book| found.into_iter().filter_map(|c| book.merged(c)).collect()))
    }

    fn cursor(&self, keys: &Keys) -> Result<bytes::Bytes, Error> {
        let cursor = Cursor { keys: keys.clone(), at_s: self.client.source.now_s() };
        serde_json::to_vec(&cursor).map(Into::into).map_err(|e| Error::BadSavedSession(e.to_string()))
    }

    fn credentials(&self) -> Result<Secret<Vec<u8>>, Error> {
        let credentials = Credentials {
            version: CREDENTIALS_VERSION,
            hosts: self.client.hosts.clone(),
            keys: (*self.client.keys()).clone(),
            cookies: self.client.http.save()?.into(),
        };
        serde_json::to_vec(&credentials).map(Secret::new).map_err(|e| Error::BadSavedSession(e.to_string()))
    }

    /// Polls until there is something to fetch; false when the window passed quietly.
    async fn wait(&mut self) -> Result<bool, Error> {
        if self.more {
            return Ok(true);
        }
        loop {
            let push = self.push.first().cloned().unwrap_or_else(|| self.client.hosts.push.clone());
            self.polls += 1;
            let check = match self.client.synccheck(&push, &self.keys, self.started_ms + self.polls).await {
                // Nothing within the window: as good as a quiet answer.
                Err(Error::Transport { source: TransportError::Timeout { .. }, .. }) => SyncCheck::Quiet,
                other => other?,
            };
            match check {
                // A wrong push host answers so right after a good login.
                SyncCheck::Ended(EndReason::LoggedOut | EndReason::CookiesRefused)
                    if !self.checked && self.push.len() > 1 =>
                {
                    self.push.remove(0);
                }
                SyncCheck::Ended(reason) => return Err(Error::Ended(reason)),
                SyncCheck::Refused(ret) => {
                    return Err(Error::Refused {
                        endpoint: "synccheck",
                        refusal: Ret(-1).refusal(&format!("retcode {}", ret.0)),
                    });
                }
                SyncCheck::Quiet => {
                    self.checked = true;
                    return Ok(false);
                }
                SyncCheck::News { .. } => {
                    self.checked = true;
                    return Ok(true);
                }
            }
        }
    }

    async fn batch(&mut self) -> Result<Batch, Error> {
        if !self.wait().await? {
            self.empty_rounds = 0;
            return self.finish(Batch::default(), None);
        }
        let mut events = Vec::new();
        let answer = match self.client.sync(self.keys.sync()).await {
            Err(Error::Refused { refusal, .. }) if self.fresh.is_some() => {
                tracing::warn!(ret = refusal.ret, "The service refuses the saved position; going on from a new one.");
                let Some(fresh) = self.fresh.take() else { return Ok(Batch::default()) };
                events.push(self.gap());
                self.keys = fresh;
                self.client.sync(self.keys.sync()).await?
            }
            other => other?,
        };
        let contacts = self.changes(&answer).await?;
        let now_s = self.client.source.now_s();
        events.extend(self.contact_events(&answer, &contacts, now_s));
        // Applied to a copy for reading: the messages of a batch may come from people the same batch introduces.
        let mut view = self.read_book(Clone::clone);
        for change in &contacts {
            match change {
                ContactChange::Upsert(contact) => view.put(Arc::clone(contact)),
                ContactChange::Remove(_) => {}
            }
        }
        events.extend(answer.add_msg_list.iter().map(|raw| convert::incoming(raw, &view, now_s)));

        // Nothing is awaited from here on.
        let keys = self.keys.advanced(&answer.sync_key, &answer.sync_check_key);
        let stood_still = keys == self.keys && events.is_empty();
        self.empty_rounds = if stood_still { self.empty_rounds + 1 } else { 0 };
        self.more = answer.continue_flag != 0 && !stood_still;
        self.client.refresh_skey(&answer.skey);
        self.write_book(|book| {
            for change in &contacts {
                match change {
                    ContactChange::Upsert(contact) => book.put(Arc::clone(contact)),
                    ContactChange::Remove(peer) => book.remove(peer),
                }
            }
        });
        self.fresh = None;
        let fresh_skey = !answer.skey.is_empty();
        let moved = (keys != self.keys).then_some(keys);
        let mut batch = Batch { events, contacts, ..Batch::default() };
        if fresh_skey {
            batch.credentials = Some(self.credentials()?);
        }
        self.finish(batch, moved)
    }

    fn finish(&mut self, mut batch: Batch, moved: Option<Keys>) -> Result<Batch, Error> {
        let generation = self.client.http.generation();
        if generation != self.saved_generation {
            batch.credentials = Some(self.credentials()?);
            self.saved_generation = generation;
        }
        if let Some(keys) = moved {
            batch.cursor = Some(self.cursor(&keys)?);
            self.keys = keys;
        }
        Ok(batch)
    }

    fn gap(&self) -> Incoming {
        let to_s = self.client.source.now_s();
        #[expect(clippy::expect_used, reason = "digits and letters")]
        let key = format!("gap{to_s}").parse().expect("printable");
        let kind = EventKind::Gap { from_s: self.complete_until_s, to_s };
        Incoming { key, chat: self.me.clone(), sender: None, at_s: to_s, kind }
    }

    /// Changes of the address book in this answer, and whoever its messages come from.
    async fn changes(&self, answer: &SyncAnswer) -> Result<Vec<ContactChange>, Error> {
        let mut changes: Vec<ContactChange> = deleted(&answer.del_contact_list)
            .into_iter()
            .filter_map(|u| u.parse().ok())
            .map(ContactChange::Remove)
            .collect();
        let (mut changed, bad) = elements::<contact::Contact>(&answer.mod_contact_list);
        changed.extend(elements::<contact::Contact>(&answer.mod_chat_room_member_list).0);
        if bad > 0 {
            tracing::warn!(bad, "Some changed contacts cannot be read.");
        }
        let mut upserts: Vec<Arc<Contact>> = self.read_book(|book| {
            changed
                .into_iter()
                .filter_map(|c| convert::contact(c, Some(&self.me)))
                .filter_map(|c| book.merged(c))
                .collect()
        });
        if let Some(profile) = answer.profile.as_ref().filter(|p| p.bit_flag != 0 && !p.nick_name.buff.is_empty())
            && let Some(myself) = self.read_book(|book| book.myself().cloned())
        {
            upserts.push(Arc::new(Contact {
                nick_name: convert::name(&profile.nick_name.buff),
                signature: profile.signature.clone(),
                ..(*myself).clone()
            }));
        }
        let mut ask: Vec<PeerId> = Vec::new();
        for raw in &answer.add_msg_list {
            let Ok(msg) = serde_json::from_str::<AddMsg>(raw.get()) else { continue };
            for peer in convert::peers_of(&msg, &self.me) {
                if !ask.contains(&peer)
                    && !upserts.iter().any(|c| c.peer == peer)
                    && self.read_book(|b| b.should_ask(&peer))
                {
                    ask.push(peer);
                }
            }
        }
        upserts.extend(self.look_up(&ask).await?);
        for peer in ask {
            if !upserts.iter().any(|c| c.peer == peer) && self.read_book(|b| b.get(&peer).is_none()) {
                upserts.push(Arc::new(nameless(peer)));
            }
        }
        changes.extend(upserts.into_iter().map(ContactChange::Upsert));
        Ok(changes)
    }

    /// Events for changes that the service announced itself, keyed by the answer so that a repeated fetch repeats them.
    fn contact_events(&self, answer: &SyncAnswer, changes: &[ContactChange], now_s: i64) -> Vec<Incoming> {
        let at = answer.sync_key.param();
        let announced = |peer: &PeerId| {
            let needle = format!("\"{peer}\"");
            answer
                .mod_contact_list
                .iter()
                .chain(&answer.mod_chat_room_member_list)
                .any(|raw| raw.get().contains(&needle))
        };
        changes
            .iter()
            .filter_map(|change| {
                let (peer, kind, word) = match change {
                    ContactChange::Upsert(contact) if announced(&contact.peer) => {
                        (&contact.peer, EventKind::ContactChanged, "mod")
                    }
                    ContactChange::Upsert(_) => return None,
                    ContactChange::Remove(peer) => (peer, EventKind::ContactRemoved, "del"),
                };
                let key = convert::hash_key(&[word, peer.as_str(), &at]);
                Some(Incoming { key, chat: peer.clone(), sender: None, at_s: now_s, kind })
            })
            .collect()
    }
}

/// A peer the service does not describe.
fn nameless(peer: PeerId) -> Contact {
    let kind = super::username::kind(peer.as_str(), 0, None);
    Contact::nameless(peer, kind)
}

impl Session for WebSession {
    fn next_batch(&mut self) -> BoxFuture<'_, Result<Batch, Error>> {
        Box::pin(async move {
            if self.empty_rounds >= 3 {
                // synccheck says there is something and webwxsync gives nothing: never faster than once in so many seconds.
                tokio::time::sleep(Duration::from_secs(u64::from(self.empty_rounds.min(30)))).await;
            }
            self.batch().await
        })
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
        self.read_book(|book| book.myself().map_or_else(|| nameless(self.me.clone()), |me| (**me).clone()))
    }

    fn contacts(&self) -> Vec<Arc<Contact>> {
        self.read_book(|book| book.all().cloned().collect())
    }

    fn saved(&self) -> Result<SavedSession, Error> {
        Ok(SavedSession { credentials: self.credentials()?, cursor: self.cursor(&self.keys)? })
    }

    fn log_out(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(self.client.log_out())
    }
}

/// The sending half.
struct WebSender {
    client: Arc<Client>,
    book: Arc<RwLock<Book>>,
    me: PeerId,
    mark_read: bool,
}

impl ActionSender for WebSender {
    fn perform(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<Receipt, SendError>> {
        Box::pin(async move {
            if self.mark_read {
                self.client.notify(NotifyCode::Read, &self.me, &outgoing.to).await.ok();
            }
            match &outgoing.action {
                Action::SendText { text, .. } => {
                    let (text, source) = {
                        let book = self.book.read().unwrap_or_else(PoisonError::into_inner);
                        convert::mention_text(text, &outgoing.to, &outgoing.mention, &book)
                    };
                    let client_id = outgoing.client_id.as_str();
                    let answer = self.client.send_text(&self.me, &outgoing.to, &text, client_id, source).await;
                    judge(answer.and_then(|a| a.base_response.check("webwxsendmsg").map(|()| a.msg_id)))
                }
                other => Err(SendError::Failed { why: format!("Web WeChat cannot do this yet: {}", other.needs()) }),
            }
        })
    }
}

/// What an answer to a send means for sending it again.
fn judge(answer: Result<String, Error>) -> Result<Receipt, SendError> {
    let why = |error: &Error| {
        let mut text = error.to_string();
        if let Some(cause) = std::error::Error::source(error) {
            text = format!("{text}: {cause}");
        }
        text
    };
    match answer {
        Ok(id) => Ok(Receipt { server_id: Some(id).filter(|id| !id.is_empty()) }),
        Err(Error::Ended(reason)) => Err(SendError::Ended(reason)),
        Err(error) => Err(match &error {
            Error::Transport { source, .. } if source.surely_not_sent() => {
                SendError::NotTaken { why: why(&error), after: Duration::from_secs(1) }
            }
            Error::Status { status: 400..=499, .. } => {
                SendError::NotTaken { why: why(&error), after: Duration::from_secs(5) }
            }
            Error::Refused { refusal, .. } => match refusal.advice {
                Advice::TryLater => SendError::NotTaken { why: why(&error), after: Duration::from_secs(5) },
                Advice::CoolDown(after) => SendError::NotTaken { why: why(&error), after },
                Advice::GiveUp | Advice::Stop => SendError::Failed { why: why(&error) },
            },
            // A gateway's 5xx, a cut or foreign answer, a lost connection: the message may have gone out.
            Error::Transport { .. }
            | Error::Status { .. }
            | Error::Decode { .. }
            | Error::Ended(_)
            | Error::LoginNotCompleted(_)
            | Error::BadSavedSession(_)
            | Error::Settings(_) => SendError::Uncertain { why: why(&error) },
        }),
    }
}

impl fmt::Debug for WebSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebSession({})", self.me)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // cov: 44
    #[tokio::test(start_paused = true)]
    async fn client_ids_are_unique_and_17_digits() {
        #[derive(Debug)]
        struct Nowhere;
        impl Transport for Nowhere {
            fn send(
                &self,
                r: crate::transport::HttpRequest,
            ) -> BoxFuture<'_, Result<crate::transport::HttpResponse, TransportError>> {
                let host = r.host();
                Box::pin(async { Err(TransportError::NotSent { host, reason: String::new() }) })
            }
        }
        let mode =
            Mode { desktop: false, client_version: String::new(), extspam: String::new(), user_agent: String::new() };
        let settings = Settings { endpoint: None, mode, mark_read: false };
        let web = WebWx::new(settings, Arc::new(Nowhere), Source::seeded(1, 1_476_614_675));
        let ids: HashSet<_> = (0..5_000).map(|_| web.draw_client_msg_id()).collect();
        assert_eq!(ids.len(), 5_000);
        assert!(ids.iter().all(|id| id.as_str().len() == 17 && id.as_str().as_bytes()[13] == b'0'));
    }

    #[test]
    fn what_may_be_sent_again() {
        let transport = |source| Err(Error::Transport { endpoint: "webwxsendmsg", source });
        let host = || "h".to_owned();
        let refused = |ret| Err(Error::Refused { endpoint: "webwxsendmsg", refusal: Ret(ret).refusal("") });
        let word = |answer| match judge(answer) {
            Ok(receipt) if receipt.server_id.is_some() => "sent",
            Ok(_) => "unconfirmed",
            Err(SendError::NotTaken { .. }) => "not taken",
            Err(SendError::Uncertain { .. }) => "uncertain",
            Err(SendError::Failed { .. }) => "failed",
            Err(SendError::Ended(_)) => "ended",
        };
        for (name, answer, want) in [
            ("ok", Ok("1".to_owned()), "sent"),
            ("ok without id", Ok(String::new()), "unconfirmed"),
            (
                "refused connection",
                transport(TransportError::NotSent { host: host(), reason: String::new() }),
                "not taken",
            ),
            ("time-out", transport(TransportError::Timeout { host: host(), after: Duration::ZERO }), "uncertain"),
            ("reset", transport(TransportError::Broken { host: host(), reason: String::new() }), "uncertain"),
            ("502", Err(Error::Status { endpoint: "webwxsendmsg", status: 502 }), "uncertain"),
            ("404", Err(Error::Status { endpoint: "webwxsendmsg", status: 404 }), "not taken"),
            ("-1", refused(-1), "not taken"),
            ("1205", refused(1205), "not taken"),
            ("1204", refused(1204), "failed"),
            ("1101", Err(Error::Ended(EndReason::Replaced)), "ended"),
        ] {
            assert_eq!(word(answer), want, "{name}");
        }
    }
}
