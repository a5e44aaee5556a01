//! Whom does a WeCom account know? What its service lists, where its actions can ask for that.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::watch;
use wxbot_model::{Contact, ContactKind, MediaHandle, Member, Members, PeerId};

use crate::error::{FetchError, SendError};
use crate::http::Outward;
use crate::mapping::{Call, Dialect, Engine, MappedSender, NameOf};
use crate::protocol::{ActionSender, Fetch, Fetched, Outgoing, Receipt};
use crate::push::Beside;

/// Rooms that are told apart from people. More than any account is in.
const MOST_ROOMS: usize = 50_000;
/// How long after a list that was not to be had it is asked for again.
const AGAIN: Duration = Duration::from_secs(60);

/// Names nobody: mentions show ids. For services that tell no names.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unnamed;

impl NameOf for Unnamed {
    fn name_of(&self, _peer: &PeerId, _room: &PeerId) -> Option<String> {
        None
    }
}

/// Which ids are rooms: an id alone does not say it.
#[derive(Default)]
pub(super) struct Rooms(Mutex<BTreeSet<PeerId>>);

impl Rooms {
    pub(super) fn saw(&self, contact: &Contact) {
        if contact.kind == ContactKind::Room {
            let mut rooms = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if rooms.len() < MOST_ROOMS {
                rooms.insert(contact.peer.clone());
            }
        }
    }

    pub(super) fn has(&self, peer: &PeerId) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(peer)
    }
}

/// One element of an answer as a contact; `None` without an id.
fn contact(item: &BTreeMap<String, String>, kind: ContactKind) -> Option<Arc<Contact>> {
    let text = |name: &str| item.get(name).map(String::as_str).unwrap_or_default();
    let id = text("id");
    let peer: PeerId = id.strip_prefix("R:").unwrap_or(id).parse().ok()?;
    Some(Arc::new(Contact {
        nick_name: text("name").into(),
        remark_name: text("remark").into(),
        alias: text("alias").into(),
        wxid: peer.as_str().into(),
        owner: text("owner").parse().ok(),
        ..Contact::nameless(peer, kind)
    }))
}

/// Asks who somebody is.
pub(super) async fn person(engine: &Engine, peer: &PeerId) -> Result<Arc<Contact>, FetchError> {
    let done = engine.ask(&Call::contact_info(peer.as_str())).await?;
    let item = done.items.into_iter().next().unwrap_or(done.fields);
    let found = contact(&item, ContactKind::Person).filter(|contact| contact.peer == *peer);
    found.ok_or_else(|| FetchError::Gone { why: format!("it says nothing of {peer}") })
}

/// Asks who is in a room.
pub(super) async fn room(engine: &Engine, dialect: Dialect, peer: &PeerId) -> Result<Arc<Contact>, FetchError> {
    let done = engine.ask(&Call::room_members(&dialect.write(peer.as_str(), true))).await?;
    let members = done.items.iter().filter_map(|item| {
        let text = |name: &str| item.get(name).map(String::as_str).unwrap_or_default();
        Some(Member {
            peer: text("id").parse().ok()?,
            nick_name: text("name").into(),
            display_name: text("room_name").into(),
            attr_status: 0,
        })
    });
    let text = |name: &str| done.fields.get(name).map(String::as_str).unwrap_or_default();
    Ok(Arc::new(Contact {
        nick_name: text("name").into(),
        wxid: peer.as_str().into(),
        owner: text("owner").parse().ok(),
        members: Members::complete(members.collect(), None),
        ..Contact::nameless(peer.clone(), ContactKind::Room)
    }))
}

/// Sends by a table, and asks by it who is who.
pub(super) struct GatewaySender {
    mapped: MappedSender,
    rooms: Arc<Rooms>,
    outward: Arc<Outward>,
}

/// Bytes that a message has an address of. What the service keeps to itself, nobody's note says how to fetch.
pub(super) async fn at_its_address(outward: &Outward, what: &Fetch) -> Result<Fetched, FetchError> {
    let Fetch::Media(handle) = what else {
        return Err(FetchError::Refused { why: "WeCom does not tell where pictures of people are".into() });
    };
    let url = handle.params.get(MediaHandle::URL).filter(|url| !url.is_empty());
    match url {
        Some(url) => outward.fetch(url).await,
        None => Err(FetchError::Refused { why: "the message has no address of its bytes".into() }),
    }
}

impl GatewaySender {
    pub(super) fn new(mapped: MappedSender, rooms: Arc<Rooms>, outward: Arc<Outward>) -> Self {
        Self { mapped, rooms, outward }
    }

    /// Lists people and rooms, as far as the actions can, until it worked once. What is pushed does not wait for it.
    pub(super) async fn list_to(&self, tell: &watch::Sender<Beside>) {
        loop {
            let (contacts, trouble, silent) = match self.everybody().await {
                Ok(contacts) if contacts.is_empty() && tell.borrow().trouble.is_empty() => return,
                Ok(contacts) => (contacts, String::new(), false),
                Err(error) => {
                    let silent = matches!(error, FetchError::NotNow { .. });
                    (Vec::new(), format!("its contacts cannot be listed: {error}"), silent)
                }
            };
            let listed = trouble.is_empty();
            tell.send_replace(Beside { trouble, silent, contacts });
            if listed {
                return;
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    async fn everybody(&self) -> Result<Vec<Arc<Contact>>, FetchError> {
        let engine = &self.mapped.engine;
        let colleagues = Call { name: "list_colleagues", ..Call::list_contacts() };
        let mut all = Vec::new();
        for (call, kind) in [
            (Call::list_contacts(), ContactKind::Person),
            (colleagues, ContactKind::Person),
            (Call::list_rooms(), ContactKind::Room),
        ] {
            if engine.actions().can(call.name) {
                all.extend(engine.list(&call).await?.iter().filter_map(|item| contact(item, kind)));
            }
        }
        all.iter().for_each(|contact| self.rooms.saw(contact));
        Ok(all)
    }
}

impl ActionSender for GatewaySender {
    fn perform(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<Receipt, SendError>> {
        self.mapped.perform(outgoing)
    }

    fn fetch(&self, what: Fetch) -> BoxFuture<'_, Result<Fetched, FetchError>> {
        Box::pin(async move { at_its_address(&self.outward, &what).await })
    }

    fn look_up<'a>(&'a self, peer: &'a PeerId) -> BoxFuture<'a, Result<Arc<Contact>, FetchError>> {
        Box::pin(async move {
            match self.rooms.has(peer) {
                true => room(&self.mapped.engine, self.mapped.dialect, peer).await,
                false => person(&self.mapped.engine, peer).await,
            }
        })
    }
}

impl fmt::Debug for GatewaySender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GatewaySender({:?})", self.mapped)
    }
}
