//! What is a WeCom account whose service is a gateway? It is pushed to, and asked by a table of actions.

use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::sync::watch;
use wxbot_model::{Capabilities, Capability, ClientMsgId, PeerId, Secret};

use super::door::{GatewayDoor, Tokens};
use super::people::{GatewaySender, Rooms};
use super::reader::{self, Reader, Settings};
use crate::error::Error;
use crate::http::Outward;
use crate::mapping::{ActionMap, Engine, EngineSettings, MappedSender, MediaWay, NameOf, Profile};
use crate::protocol::{ContactChange, Protocol, SavedSession, Session};
use crate::push::{Beside, Door, NotOurs, PushedSession, Read, Reads};
use crate::source::{ClientIds, Source};
use crate::transport::Transport;

/// What a gateway's envelope tells of. A service with another one is heard all the same, as events that hold what came.
///
/// Of bytes, those that a message has an address of can be fetched: no note says how the others are.
const HEARS: [Capability; 4] =
    [Capability::PrivateMessages, Capability::GroupMessages, Capability::MemberEvents, Capability::FetchMedia];

/// What an account behind a gateway can do with these actions.
pub fn capabilities(actions: &ActionMap) -> Capabilities {
    HEARS.into_iter().fold(actions.capabilities(), Capabilities::with)
}

/// One account behind a gateway.
#[derive(Debug)]
pub struct GatewaySettings {
    /// Its actions, and where the gateway is. `engine.account` is its name.
    pub engine: EngineSettings,
    /// Whose actions these are, which says how rooms are written.
    pub profile: Profile,
    /// Our own id. Without it, it is learnt.
    pub self_id: Option<PeerId>,
    /// What we are called, for mentions and lists.
    pub nick_name: String,
    /// `{{account.session_id}}` until the first push names another login.
    pub session_id: Option<Secret<String>>,
    /// `{{account.instance}}`.
    pub instance: Option<Secret<String>>,
    /// What stands in the address that the gateway pushes to.
    pub path_secrets: Vec<Secret<String>>,
    /// Where the gateway finds our files.
    pub way: MediaWay,
    /// Who fetches what messages have an address of.
    pub outward: Arc<Outward>,
}

/// An account behind a gateway: profiles `qw-api`, `wxwork` and `none`.
pub struct Gateway {
    name: String,
    nick_name: String,
    self_id: Option<PeerId>,
    engine: Arc<Engine>,
    door: Arc<GatewayDoor>,
    tokens: Arc<Tokens>,
    sender: Arc<GatewaySender>,
    rooms: Arc<Rooms>,
    source: Source,
    ids: ClientIds,
}

impl Gateway {
    /// An account. `tokens` is one book for all accounts of the process.
    pub fn new(
        settings: GatewaySettings,
        transport: Arc<dyn Transport>,
        source: Source,
        tokens: Arc<Tokens>,
        names: Arc<dyn NameOf>,
    ) -> Self {
        let GatewaySettings { engine, profile, self_id, nick_name, session_id, instance, path_secrets, way, outward } =
            settings;
        let name = engine.account.clone();
        let dialect = profile.dialect();
        let engine = Arc::new(Engine::new(engine, transport, source.clone()));
        if let Some(session_id) = session_id {
            tokens.adopt(&name, session_id.expose());
            engine.set_account("session_id", session_id);
        }
        if let Some(instance) = instance {
            engine.set_account("instance", instance);
        }
        if let Some(id) = &self_id {
            engine.set_account("self_id", Secret::new(id.as_str().to_owned()));
        }
        let rooms = Arc::new(Rooms::default());
        let mapped = MappedSender { engine: Arc::clone(&engine), way, dialect, names };
        Self {
            door: Arc::new(GatewayDoor::new(name.clone(), Arc::clone(&tokens), path_secrets)),
            sender: Arc::new(GatewaySender::new(mapped, Arc::clone(&rooms), outward)),
            rooms,
            name,
            nick_name,
            self_id,
            engine,
            tokens,
            ids: ClientIds::new(source.clone()),
            source,
        }
    }

    /// Who makes its calls.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }
}

impl Protocol for Gateway {
    fn capabilities(&self) -> Capabilities {
        capabilities(self.engine.actions())
    }

    fn needs_login(&self) -> bool {
        false
    }

    fn door(&self) -> Option<Arc<dyn Door>> {
        Some(Arc::clone(&self.door) as Arc<dyn Door>)
    }

    fn resume<'a>(&'a self, saved: &'a SavedSession) -> BoxFuture<'a, Result<Box<dyn Session>, Error>> {
        let settings = Settings { self_id: self.self_id.clone(), nick_name: self.nick_name.clone() };
        let mut reads = GatewayReads {
            reader: Reader::resume(&saved.cursor, settings),
            engine: Arc::clone(&self.engine),
            tokens: Arc::clone(&self.tokens),
            rooms: Arc::clone(&self.rooms),
            account: self.name.clone(),
            followed: (String::new(), None),
        };
        let token = reads.reader.token();
        if !self.tokens.adopt(&self.name, token) {
            let account = &self.name;
            tracing::warn!(account, "The login that this account knew is another account's now.");
        }
        reads.follow();
        let session = PushedSession::new(
            reads,
            Arc::clone(&self.door) as Arc<dyn Door>,
            Arc::clone(&self.sender) as _,
            self.source.clone(),
            self.nick_name.clone(),
            nobody(),
        );
        let sender = Arc::clone(&self.sender);
        Box::pin(async move {
            let (tell, found) = watch::channel(Beside::default());
            let session = session.attended(async move { sender.list_to(&tell).await }, found);
            Ok(Box::new(session) as Box<dyn Session>)
        })
    }

    fn draw_client_msg_id(&self) -> ClientMsgId {
        self.ids.draw()
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Gateway({:?})", self.engine)
    }
}

/// A word that is nobody's id.
#[expect(clippy::expect_used, reason = "a constant id")]
pub(super) fn nobody() -> PeerId {
    "self".parse().expect("constant")
}

impl Reads for Reader {
    fn read(&mut self, body: &[u8], now_ms: i64) -> Read {
        Self::read(self, body, now_ms)
    }

    fn self_id(&self) -> Option<&PeerId> {
        Self::self_id(self)
    }
}

/// A reader whose account goes with what it learns: calls name the login that pushes now.
struct GatewayReads {
    reader: Reader,
    engine: Arc<Engine>,
    tokens: Arc<Tokens>,
    rooms: Arc<Rooms>,
    account: String,
    /// The token and id that the engine was told.
    followed: (String, Option<PeerId>),
}

impl GatewayReads {
    fn follow(&mut self) {
        let (token, id) = (self.reader.token(), self.reader.self_id().filter(|_| self.reader.knows_itself()));
        if !token.is_empty() && token != self.followed.0 {
            self.engine.set_account("session_id", Secret::new(token.to_owned()));
            self.followed.0 = token.to_owned();
        }
        if let Some(id) = id
            && self.followed.1.as_ref() != Some(id)
        {
            self.engine.set_account("self_id", Secret::new(id.as_str().to_owned()));
            self.followed.1 = Some(id.clone());
        }
    }
}

impl Reads for GatewayReads {
    fn read(&mut self, body: &[u8], now_ms: i64) -> Read {
        // The door looked already; meanwhile another account may have taken this login as its own.
        if let Some(token) = reader::token(body)
            && !self.tokens.adopt(&self.account, &token)
        {
            return Read { refused: Some(NotOurs::OtherAccount), ..Read::default() };
        }
        let read = self.reader.read(body, now_ms);
        self.follow();
        for change in &read.contacts {
            if let ContactChange::Upsert(contact) = change {
                self.rooms.saw(contact);
            }
        }
        read
    }

    fn self_id(&self) -> Option<&PeerId> {
        self.reader.self_id()
    }
}

#[cfg(test)]
#[path = "account_tests.rs"]
mod tests;
