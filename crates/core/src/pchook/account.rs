//! What does the runtime see of a PC hook? Nobody logs in: it is pushed to, and asked by tables.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::sync::watch;
use url::Url;
use wxbot_model::{Capabilities, Capability, ClientMsgId, PeerId, Secret};

use super::control::{self, Callback};
use super::door::HookDoor;
use super::reader::{self, Reader};
use super::sender::{HookSender, Roots};
use crate::error::Error;
use crate::http::Outward;
use crate::mapping::{ActionMap, Dialect, Engine, EngineSettings, Headers, MappedSender, MediaWay, NameOf};
use crate::protocol::{LoginWatcher, Protocol, SavedSession, Session};
use crate::push::{Beside, Door, PushedSession, Read, Reads};
use crate::source::{ClientIds, Source};
use crate::transport::Transport;

/// How one account reaches its hook, and how the hook reaches it.
#[derive(Debug, Clone)]
pub struct AccountSettings {
    /// Its name.
    pub account: String,
    /// Which pushes are its own.
    pub pushes: reader::Settings,
    /// What stands in the address that the hook pushes to.
    pub secrets: Vec<Secret<String>>,
    /// Whether it also takes what comes to the address without a secret.
    pub default_path: bool,
    /// Where the hook is told to push to; `None`: it was set by hand.
    pub callback: Option<Callback>,
    /// The word of its profile.
    pub profile: String,
    /// What the hook can be asked, and how.
    pub actions: ActionMap,
    /// Where its control side is.
    pub base: Url,
    /// Headers of every request.
    pub headers: Headers,
    /// What `{{secret.NAME}}` may name.
    pub named_secrets: BTreeMap<String, Secret<String>>,
    /// How long actions may take that neither say it nor are known.
    pub timeout: Duration,
    /// Calls at a time.
    pub max_concurrency: u32,
    /// Where the hook finds files of ours.
    pub way: MediaWay,
    /// Where wxbot finds files of the hook.
    pub media_roots: Vec<(String, PathBuf)>,
    /// Who fetches what messages have an address of.
    pub outward: Arc<Outward>,
}

/// One account's way to its hook.
pub struct PcHook {
    settings: AccountSettings,
    door: Arc<HookDoor>,
    transport: Arc<dyn Transport>,
    source: Source,
    ids: ClientIds,
}

/// What an account can do whose hook has these actions.
pub fn capabilities(actions: &ActionMap) -> Capabilities {
    let receives = [
        Capability::PrivateMessages,
        Capability::GroupMessages,
        Capability::RecallEvents,
        Capability::FriendRequests,
        Capability::MemberEvents,
        Capability::FetchMedia,
    ];
    let lists = actions.can("contact_info").then_some(Capability::Contacts);
    let all = Capability::ALL.into_iter().filter(|one| actions.capabilities().has(*one));
    all.chain(receives).chain(lists).collect()
}

impl PcHook {
    /// An account over this carrier.
    pub fn new(settings: AccountSettings, transport: Arc<dyn Transport>, source: Source) -> Self {
        let door = HookDoor::new(&settings.pushes, settings.secrets.clone(), settings.default_path);
        let ids = ClientIds::new(source.clone());
        Self { door: Arc::new(door), settings, transport, source, ids }
    }

    fn engine(&self) -> Engine {
        let settings = &self.settings;
        let engine = EngineSettings {
            account: settings.account.clone(),
            protocol: "pc-hook",
            profile: settings.profile.clone(),
            actions: settings.actions.clone(),
            base: settings.base.clone(),
            headers: settings.headers.clone(),
            secrets: settings.named_secrets.clone(),
            timeout: settings.timeout,
            max_concurrency: settings.max_concurrency,
        };
        Engine::new(engine, Arc::clone(&self.transport), self.source.clone())
    }

    fn session(&self, cursor: &[u8]) -> Result<Box<dyn Session>, Error> {
        let engine = Arc::new(self.engine());
        let reader = HookReads::new(
            Reader::resume(cursor, self.settings.pushes.clone()),
            Arc::clone(&self.door),
            Arc::clone(&engine),
        );
        let (known, learnt) = watch::channel(Beside::default());
        let names = Arc::new(Learnt(learnt.clone()));
        let mapped = MappedSender {
            engine: Arc::clone(&engine),
            way: self.settings.way.clone(),
            dialect: Dialect::Plain,
            names,
        };
        let roots = Roots { folders: self.settings.media_roots.clone() };
        let sender = Arc::new(HookSender {
            mapped,
            roots,
            door: Arc::clone(&self.door),
            outward: Arc::clone(&self.settings.outward),
        });
        let nobody = crate::push::NOBODY.parse().map_err(|_never| Error::Settings("no id".into()))?;
        let name = self.settings.pushes.nick_name.clone();
        let door: Arc<dyn Door> = self.door.clone();
        let attending = control::attend(engine, self.settings.callback.clone(), known);
        let session = PushedSession::new(reader, door, sender, self.source.clone(), name, nobody);
        Ok(Box::new(session.from_cursor(Bytes::copy_from_slice(cursor)).attended(attending, learnt)))
    }
}

/// People's names as the control side told them.
struct Learnt(watch::Receiver<Beside>);

impl NameOf for Learnt {
    fn name_of(&self, peer: &PeerId, _room: &PeerId) -> Option<String> {
        let known = self.0.borrow();
        let contact = known.contacts.iter().find(|contact| contact.peer == *peer)?;
        // Not the remark: that is our account's private note.
        Some(contact.nick_name.to_string()).filter(|name| !name.is_empty())
    }
}

/// A reader whose door and engine go with what it learns of ourselves.
struct HookReads {
    reader: Reader,
    door: Arc<HookDoor>,
    engine: Arc<Engine>,
    told: Option<PeerId>,
}

impl HookReads {
    fn new(reader: Reader, door: Arc<HookDoor>, engine: Arc<Engine>) -> Self {
        // What an earlier session learnt and could not store is not known any more.
        door.know(reader.self_id());
        let mut reads = Self { reader, door, engine, told: None };
        reads.follow();
        reads
    }

    fn follow(&mut self) {
        let me = self.reader.self_id();
        if let Some(me) = me.filter(|me| self.told.as_ref() != Some(*me)) {
            self.door.know(Some(me));
            self.engine.set_account("self_id", Secret::new(me.to_string()));
            self.told = Some(me.clone());
        }
    }
}

impl Reads for HookReads {
    fn read(&mut self, body: &[u8], now_ms: i64) -> Read {
        let read = self.reader.read(body, now_ms);
        self.follow();
        read
    }

    fn next_expiry_ms(&self) -> Option<i64> {
        self.reader.next_expiry_ms()
    }

    fn expire(&mut self, now_ms: i64) -> Read {
        self.reader.expire(now_ms)
    }

    fn self_id(&self) -> Option<&PeerId> {
        self.reader.self_id()
    }
}

impl Protocol for PcHook {
    fn capabilities(&self) -> Capabilities {
        capabilities(&self.settings.actions)
    }

    fn needs_login(&self) -> bool {
        false
    }

    fn door(&self) -> Option<Arc<dyn Door>> {
        Some(self.door.clone())
    }

    fn resume<'a>(&'a self, saved: &'a SavedSession) -> BoxFuture<'a, Result<Box<dyn Session>, Error>> {
        Box::pin(async move { self.session(&saved.cursor) })
    }

    fn push_login<'a>(
        &'a self,
        saved: &'a SavedSession,
        _watcher: &'a dyn LoginWatcher,
    ) -> BoxFuture<'a, Result<Box<dyn Session>, Error>> {
        self.resume(saved)
    }

    fn login<'a>(&'a self, _watcher: &'a dyn LoginWatcher) -> BoxFuture<'a, Result<Box<dyn Session>, Error>> {
        Box::pin(async {
            Err(Error::LoginNotCompleted("nobody logs in here: log in to the WeChat client that the hook is in"))
        })
    }

    fn draw_client_msg_id(&self) -> ClientMsgId {
        self.ids.draw()
    }
}

impl fmt::Debug for PcHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PcHook").field("account", &self.settings.account).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "account_tests.rs"]
mod tests;
