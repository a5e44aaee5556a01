//! What is an application of a corporation? It writes to members and to rooms that it made, and hears what members write
//! to it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use url::Url;
use wxbot_model::{Action, Capabilities, Capability, ClientMsgId, Contact, ContactKind, PeerId, Secret};

use super::callback::{Audience, Callback};
use super::crypt::{KeyError, Keys};
use super::door::SealedDoor;
use super::official::{self, AGENT_ID, CORP_ID, CORP_SECRET, Silent, Standing, after_some, few_parts};
use super::people::{self, Rooms, Unnamed};
use crate::error::{Error, FetchError, SendError};
use crate::http::Outward;
use crate::mapping::{Dialect, Engine, EngineSettings, Headers, MappedSender, MediaWay};
use crate::protocol::{ActionSender, Fetch, Fetched, Outgoing, Protocol, Receipt, SavedSession, Session};
use crate::push::{Door, PushedSession, Read, Reads};
use crate::source::{ClientIds, Source};
use crate::transport::Transport;

/// How an application's callback is opened.
#[derive(Debug)]
pub struct CallbackSettings {
    /// `Token` of the management console.
    pub token: Secret<String>,
    /// `EncodingAESKey`, 43 characters.
    pub aes_key: Secret<String>,
    /// What stands in the address that the service pushes to.
    pub path_secrets: Vec<Secret<String>>,
}

/// An application.
#[derive(Debug)]
pub struct ApplicationSettings {
    /// The account's name.
    pub account: String,
    /// Where the service is: [`endpoint::official`](super::endpoint::official) as a rule.
    pub endpoint: Url,
    /// The corporation.
    pub corp_id: String,
    /// The application within it.
    pub agent_id: u64,
    /// What tokens are fetched with.
    pub corp_secret: Secret<String>,
    /// Without it, nothing is heard.
    pub callback: Option<CallbackSettings>,
    /// Rooms that it made before: their `chatid`. Nobody lists them.
    pub rooms: Vec<PeerId>,
    /// Limit of one call that is not known.
    pub timeout: Duration,
    /// Who fetches what messages have an address of.
    pub outward: Arc<Outward>,
}

/// An application's account (profile `app`).
pub struct Application {
    account: String,
    me: PeerId,
    known: Vec<PeerId>,
    sender: Arc<Sender>,
    heard: Option<(Arc<SealedDoor>, Arc<Callback>)>,
    source: Source,
    ids: ClientIds,
}

impl Application {
    /// An account.
    ///
    /// # Errors
    /// When its callback's token or key cannot be one.
    #[expect(clippy::expect_used, reason = "a word and digits")]
    pub fn new(settings: ApplicationSettings, transport: Arc<dyn Transport>, source: Source) -> Result<Self, KeyError> {
        let ApplicationSettings {
            account,
            endpoint,
            corp_id,
            agent_id,
            corp_secret,
            callback,
            rooms,
            timeout,
            outward,
        } = settings;
        let me: PeerId = format!("app:{agent_id}").parse().expect("printable");
        let heard = callback.map(|CallbackSettings { token, aes_key, path_secrets }| {
            let keys = Keys::new(token, &aes_key, corp_id.clone())?;
            let callback = Arc::new(Callback::new(keys, Audience::Application, me.clone()));
            Ok((Arc::new(SealedDoor::new(Arc::clone(&callback), path_secrets)), callback))
        });
        let secrets = BTreeMap::from([
            (CORP_ID.to_owned(), Secret::new(corp_id)),
            (CORP_SECRET.to_owned(), corp_secret),
            (AGENT_ID.to_owned(), Secret::new(agent_id.to_string())),
        ]);
        let engine = EngineSettings {
            account: account.clone(),
            protocol: "wecom",
            profile: "app".into(),
            actions: official::table(include_str!("../mapping/profile/wecom-app.toml")),
            base: endpoint,
            headers: Headers::default(),
            secrets,
            timeout,
            max_concurrency: 4,
        };
        let engine = Arc::new(Engine::new(engine, transport, source.clone()).judged_by(official::judge));
        let way = MediaWay::default();
        let mapped = MappedSender { engine, way, dialect: Dialect::Plain, names: Arc::new(Unnamed) };
        let sender = Arc::new(Sender { mapped, rooms: Rooms::default(), outward, standing: Standing::new() });
        Ok(Self {
            account,
            me,
            known: rooms,
            sender,
            heard: heard.transpose()?,
            ids: ClientIds::new(source.clone()),
            source,
        })
    }

    /// Who makes its calls.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.sender.mapped.engine
    }
}

impl Protocol for Application {
    fn capabilities(&self) -> Capabilities {
        // Of what comes, pictures have an address.
        let hears = [Capability::PrivateMessages, Capability::FetchMedia];
        let hears = hears.into_iter().filter(|_| self.heard.is_some());
        hears.fold(self.engine().actions().capabilities(), Capabilities::with)
    }

    fn needs_login(&self) -> bool {
        false
    }

    fn door(&self) -> Option<Arc<dyn Door>> {
        self.heard.as_ref().map(|(door, _)| Arc::clone(door) as Arc<dyn Door>)
    }

    fn resume<'a>(&'a self, _saved: &'a SavedSession) -> BoxFuture<'a, Result<Box<dyn Session>, Error>> {
        let room = |peer: &PeerId| {
            Arc::new(Contact { wxid: peer.as_str().into(), ..Contact::nameless(peer.clone(), ContactKind::Room) })
        };
        let contacts: Vec<_> = self.known.iter().map(room).collect();
        contacts.iter().for_each(|contact| self.sender.rooms.saw(contact));
        let standing = self.sender.standing.watch();
        let sender = Arc::clone(&self.sender) as Arc<dyn ActionSender>;
        Box::pin(async move {
            Ok(match &self.heard {
                Some((door, callback)) => {
                    let reads = SealedReads(Arc::clone(callback));
                    let door = Arc::clone(door) as Arc<dyn Door>;
                    let (source, name, me) = (self.source.clone(), self.account.clone(), self.me.clone());
                    let session = PushedSession::new(reads, door, sender, source, name, me);
                    self.sender.standing.know(contacts);
                    Box::new(session.attended(std::future::ready(()), standing)) as Box<dyn Session>
                }
                None => {
                    let me = Contact::nameless(self.me.clone(), ContactKind::Myself);
                    let me = Contact { nick_name: self.account.as_str().into(), ..me };
                    Box::new(Silent { sender, me, contacts, standing })
                }
            })
        })
    }

    fn draw_client_msg_id(&self) -> ClientMsgId {
        self.ids.draw()
    }
}

impl fmt::Debug for Application {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Application({:?}, hears: {})", self.sender.mapped.engine, self.heard.is_some())
    }
}

/// Reads bodies that the door opened. It has no state.
struct SealedReads(Arc<Callback>);

impl Reads for SealedReads {
    fn read(&mut self, body: &[u8], now_ms: i64) -> Read {
        self.0.read(&String::from_utf8_lossy(body), now_ms.div_euclid(1000)).0
    }

    fn self_id(&self) -> Option<&PeerId> {
        Some(self.0.me())
    }
}

/// Sends by the table; texts in parts that the service does not cut.
struct Sender {
    mapped: MappedSender,
    rooms: Rooms,
    outward: Arc<Outward>,
    standing: Standing,
}

impl Sender {
    async fn act(&self, outgoing: Outgoing) -> Result<Receipt, SendError> {
        let Action::SendText { to, text, mention } = &outgoing.action else {
            let makes_room = matches!(outgoing.action, Action::CreateRoom { .. });
            let receipt = self.mapped.perform(outgoing).await?;
            if let Some(room) = receipt.server_id.as_ref().filter(|_| makes_room).and_then(|id| id.parse().ok()) {
                self.rooms.saw(&Contact::nameless(room, ContactKind::Room));
            }
            return Ok(receipt);
        };
        let parts = few_parts(text)?;
        let mut receipt = Receipt::default();
        for (nth, part) in parts.iter().enumerate() {
            let first = nth == 0;
            let mention = if first { mention.clone() } else { Vec::new() };
            let part = Outgoing {
                action: Action::SendText { to: to.clone(), text: (*part).to_owned(), mention },
                others: if first { outgoing.others.clone() } else { Vec::new() },
                ..outgoing.clone()
            };
            match self.mapped.perform(part).await {
                Err(error) if nth > 0 => return Err(after_some(nth, parts.len(), &error)),
                done => receipt = done?,
            }
        }
        Ok(receipt)
    }
}

impl ActionSender for Sender {
    fn perform(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<Receipt, SendError>> {
        Box::pin(async move {
            let done = self.act(outgoing).await;
            self.standing.note(&done);
            done
        })
    }

    fn fetch(&self, what: Fetch) -> BoxFuture<'_, Result<Fetched, FetchError>> {
        Box::pin(async move { people::at_its_address(&self.outward, &what).await })
    }

    fn look_up<'a>(&'a self, peer: &'a PeerId) -> BoxFuture<'a, Result<Arc<Contact>, FetchError>> {
        Box::pin(async move {
            match self.rooms.has(peer) {
                true => people::room(&self.mapped.engine, Dialect::Plain, peer).await,
                false => people::person(&self.mapped.engine, peer).await,
            }
        })
    }
}

#[cfg(test)]
#[path = "app_tests.rs"]
mod tests;
