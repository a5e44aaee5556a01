//! Which call is a bot's action? The sending half of every account whose service is asked by tables.

use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use wxbot_model::{Action, ContactId, MediaShape, PeerId, Stranger, Ticket};

use super::engine::{Engine, Performed};
use super::value::{Datum, Values};
use super::way::MediaWay;
use crate::error::SendError;
use crate::protocol::{ActionSender, MediaFile, Outgoing, Receipt};

/// What separates a mention from the text behind it: WeChat's own clients write it so.
const AFTER_MENTION: char = '\u{2005}';
/// Between a friend request's ticket and where the person found us.
const SCENE: &str = ";scene=";

/// How a service writes ids of rooms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dialect {
    /// As they came: `…@chatroom`.
    #[default]
    Plain,
    /// Numbers: an `R:` is left out.
    Number,
    /// `R:` and the number.
    Lettered,
}

impl Dialect {
    pub(crate) fn write(self, peer: &str, is_room: bool) -> String {
        let bare = peer.strip_prefix("R:").unwrap_or(peer);
        match self {
            Self::Plain => peer.to_owned(),
            Self::Lettered if is_room => format!("R:{bare}"),
            Self::Number | Self::Lettered => bare.to_owned(),
        }
    }
}

/// What accepting a friend needs beside the person: a [`Ticket`] holds one text, the service wants two.
///
/// [`FriendRequest::user`](wxbot_model::FriendRequest::user) is the `v3` (`encryptusername`), its ticket this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FriendTicket {
    /// `ticket` of the request, called `v4`.
    pub v4: Ticket,
    /// `scene` of the request, where it is known.
    pub scene: Option<i64>,
}

impl FriendTicket {
    /// As one text, to stand in an event. Of a request without a ticket there is none.
    pub fn pack(&self) -> Ticket {
        match self.scene {
            Some(scene) if !self.v4.is_empty() => Ticket::new(format!("{}{SCENE}{scene}", self.v4.expose())),
            Some(_) | None => self.v4.clone(),
        }
    }

    /// Out of an event.
    pub fn unpack(ticket: &Ticket) -> Self {
        let packed = ticket.expose().rsplit_once(SCENE);
        match packed.and_then(|(v4, scene)| Some((v4, scene.parse().ok()?))) {
            Some((v4, scene)) => Self { v4: Ticket::new(v4), scene: Some(scene) },
            None => Self { v4: ticket.clone(), scene: None },
        }
    }
}

/// Who knows what people are called.
pub trait NameOf: Send + Sync {
    /// The name to write behind an `@` in this room.
    fn name_of(&self, peer: &PeerId, room: &PeerId) -> Option<String>;
}

/// Sends actions as calls.
pub struct MappedSender {
    /// Who makes them.
    pub engine: Arc<Engine>,
    /// Where the service finds files.
    pub way: MediaWay,
    /// How it writes rooms.
    pub dialect: Dialect,
    /// What people are called.
    pub names: Arc<dyn NameOf>,
}

impl ActionSender for MappedSender {
    fn perform(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<Receipt, SendError>> {
        Box::pin(async move { self.act(&outgoing).await })
    }
}

fn failed(why: &str) -> SendError {
    SendError::Failed { why: why.to_owned() }
}

/// The last part of an id of a room, by our id or by theirs.
fn is_room(id: Option<&ContactId>, peer: &PeerId) -> bool {
    id.is_some_and(|id| id.as_str().starts_with('r'))
        || peer.as_str().ends_with("@chatroom")
        || peer.as_str().starts_with("R:")
}

impl MappedSender {
    async fn act(&self, outgoing: &Outgoing) -> Result<Receipt, SendError> {
        let done = |done: Performed| Receipt { server_id: done.message_id };
        let to = || self.to(outgoing);
        let who = || self.ids(&outgoing.others);
        match &outgoing.action {
            Action::SendText { text, .. } => self.send_text(outgoing, text).await.map(done),
            Action::SendMedia { shape, .. } => {
                let file = outgoing.media.as_ref().ok_or_else(|| failed("there are no bytes to send"))?;
                let name = media_action(*shape).ok_or_else(|| failed("this protocol has no such kind of media"))?;
                self.run(name, self.media(to()?, file)?).await.map(done)
            }
            Action::SendSticker { md5, .. } => self.run("send_emoji", to()?.with("md5", md5)).await.map(done),
            Action::SendLink { link, .. } => {
                let values = to()?
                    .with("title", &link.title)
                    .with("desc", &link.description)
                    .with("link_url", &link.url)
                    .with("thumb_url", &link.thumb_url);
                self.run("send_link", values).await.map(done)
            }
            Action::SendApp { app, .. } => {
                let values = to()?.with("xml", &app.raw).with("app_type", app.app_type);
                self.run("send_xml", values.with("title", &app.title).with("desc", &app.description)).await.map(done)
            }
            Action::Recall { msg, .. } => {
                let msg = msg.as_ref().ok_or_else(|| failed("no message is named that could be taken back"))?;
                self.run("revoke", to()?.with("msg_id", msg.as_str())).await.map(|_| Receipt::default())
            }
            Action::MarkRead { .. } => self.told("mark_read", to()?).await,
            Action::Pin { on, .. } => self.told(if *on { "pin" } else { "unpin" }, to()?).await,
            Action::SetRemark { remark, .. } => {
                let peer = outgoing.to.as_ref().ok_or_else(|| failed("it names nobody"))?;
                self.told("set_remark", to()?.with("user_id", peer.as_str()).with("remark", remark)).await
            }
            Action::AddFriend { person, greeting } => {
                let peer = match person {
                    Stranger::Contact(_) => outgoing.to.as_ref(),
                    Stranger::Peer(peer) => Some(peer),
                    _ => None,
                };
                let peer = peer.ok_or_else(|| failed("this protocol cannot find a person by this"))?;
                self.told("add_friend", Values::new().with("user_id", peer.as_str()).with("text", greeting)).await
            }
            Action::AcceptFriend { user, ticket } => self.accept(user, ticket).await,
            Action::CreateRoom { topic, .. } => self.create_room(outgoing, topic).await,
            Action::AddMembers { .. } => self.add_members(to()?, &who()).await,
            Action::RemoveMembers { .. } => self.people("room_kick", to()?, &who()).await,
            Action::SetTopic { topic, .. } => self.told("room_rename", to()?.with("name", topic)).await,
            Action::LeaveRoom { .. } => self.told("room_quit", to()?).await,
            other => Err(SendError::Failed { why: format!("this protocol cannot do this: {}", other.needs()) }),
        }
    }

    async fn run(&self, name: &str, values: Values) -> Result<Performed, SendError> {
        self.engine.perform(name, &values).await
    }

    async fn told(&self, name: &str, values: Values) -> Result<Receipt, SendError> {
        self.run(name, values).await.map(|_| Receipt::default())
    }

    /// Who it goes to.
    fn to(&self, outgoing: &Outgoing) -> Result<Values, SendError> {
        let peer = outgoing.to.as_ref().ok_or_else(|| failed("it goes to nobody"))?;
        Ok(self.conversation(peer, is_room(outgoing.action.to(), peer)))
    }

    fn conversation(&self, peer: &PeerId, is_room: bool) -> Values {
        let to = self.dialect.write(peer.as_str(), is_room);
        let values = Values::new().with("to", &to).with("is_room", is_room);
        let zero = if is_room { to.clone() } else { "0".to_owned() };
        values.maybe("room_id", is_room.then_some(to)).with("room_id_or_zero", zero)
    }

    fn ids(&self, peers: &[PeerId]) -> Vec<String> {
        peers.iter().map(|peer| peer.as_str().to_owned()).collect()
    }

    async fn send_text(&self, outgoing: &Outgoing, text: &str) -> Result<Performed, SendError> {
        let (peer, to) = (outgoing.to.as_ref(), self.to(outgoing)?);
        let Some(room) = peer.filter(|_| !outgoing.others.is_empty() && to.get("room_id").is_some()) else {
            return self.run("send_text", to.with("text", text)).await;
        };
        let names: Vec<_> = outgoing.others.iter().map(|other| self.names.name_of(other, room)).collect();
        let mut with_names = String::new();
        for (name, id) in names.iter().zip(&outgoing.others) {
            with_names.push('@');
            with_names.push_str(name.as_deref().unwrap_or(id.as_str()));
            with_names.push(AFTER_MENTION);
        }
        with_names.push_str(text);
        // As many names as ids, or none: the service pairs them by place.
        let names: Option<Vec<String>> = names.into_iter().collect();
        if self.engine.actions().can("send_at") {
            let values = to.with("text", text).with("at_ids", self.ids(&outgoing.others)).maybe("at_names", names);
            self.run("send_at", values.with("at_text", with_names)).await
        } else {
            self.run("send_text", to.with("text", with_names)).await
        }
    }

    fn media(&self, to: Values, file: &MediaFile) -> Result<Values, SendError> {
        let path = std::path::absolute(&file.path)
            .map_err(|error| SendError::Failed { why: format!("the file to send has no place: {error}") })?;
        let mut values = to
            .with("file_name", &file.name)
            .with("size", file.len)
            .with("bytes", Datum::File { path: path.clone(), len: file.len });
        match self.way.place(&path) {
            Ok(placed) => {
                values = values.maybe("path", placed.path).maybe("url", placed.url);
            }
            // A service that takes uploads does not need to see our files; one that does will miss `path`.
            Err(why) if !self.takes_bytes() => {
                return Err(SendError::Failed { why: format!("the file is not sent: {why}") });
            }
            Err(_) => {}
        }
        Ok(values)
    }

    fn takes_bytes(&self) -> bool {
        let names = ["send_image", "send_file", "send_video", "send_emoji", "upload_image", "upload_file"];
        names.iter().any(|name| self.engine.actions().uses(name, "bytes"))
    }

    async fn accept(&self, user: &PeerId, ticket: &Ticket) -> Result<Receipt, SendError> {
        if ticket.is_empty() {
            return Err(failed("the friend request came without a ticket, and cannot be accepted"));
        }
        let FriendTicket { v4, scene } = FriendTicket::unpack(ticket);
        let values = Values::new()
            .with("user_id", user.as_str())
            .with("friend.v3", user.as_str())
            .with("friend.v4", v4.expose())
            .with("friend.role", "0")
            .maybe("friend.scene", scene.map(|scene| scene.to_string()));
        self.told("accept_friend", values).await
    }

    async fn create_room(&self, outgoing: &Outgoing, topic: &str) -> Result<Receipt, SendError> {
        let members = self.ids(&outgoing.others);
        if members.len() < 2 {
            return Err(failed("a room needs two friends at least"));
        }
        let values =
            Values::new().with("user_ids", members).maybe("name", Some(topic).filter(|topic| !topic.is_empty()));
        let made = self.run("room_create", values).await?;
        let room = made.fields.get("room_id").cloned().or(made.message_id);
        let named = self.engine.actions().uses("room_create", "name");
        if !named
            && !topic.is_empty()
            && let Some(room) = room.as_ref().and_then(|room| room.parse::<PeerId>().ok())
        {
            let values = self.conversation(&room, true).with("name", topic);
            if let Err(error) = self.run("room_rename", values).await {
                // The room is there, and would be made again if this were told as a failure.
                tracing::warn!(%error, "The new room has no name.");
            }
        }
        Ok(Receipt { server_id: room })
    }

    /// Brings them in; where the service refuses that, they are invited.
    async fn add_members(&self, room: Values, members: &[String]) -> Result<Receipt, SendError> {
        let actions = self.engine.actions();
        if !actions.can("room_add") && actions.can("room_invite") {
            return self.people("room_invite", room, members).await;
        }
        match self.people("room_add", room.clone(), members).await {
            Err(SendError::Failed { why }) if actions.can("room_add") && actions.can("room_invite") => {
                tracing::debug!(why, "The room takes nobody at once; inviting.");
                self.people("room_invite", room, members).await
            }
            done => done,
        }
    }

    /// With all of them, or one after another where the service takes one at a time.
    async fn people(&self, name: &str, room: Values, members: &[String]) -> Result<Receipt, SendError> {
        let [first, rest @ ..] = members else { return Err(failed("it names nobody")) };
        if self.engine.actions().uses(name, "user_ids") || !self.engine.actions().uses(name, "user_id") {
            return self.told(name, room.with("user_ids", members.to_vec()).with("user_id", first)).await;
        }
        self.told(name, room.clone().with("user_id", first)).await?;
        for (nth, one) in rest.iter().enumerate() {
            if let Err(error) = self.told(name, room.clone().with("user_id", one)).await {
                // Those before were dealt with: doing all of it again would do theirs twice.
                let why = format!("{} of {} were dealt with, then: {error}", nth + 1, members.len());
                return Err(SendError::Uncertain { why });
            }
        }
        Ok(Receipt::default())
    }
}

fn media_action(shape: MediaShape) -> Option<&'static str> {
    match shape {
        MediaShape::Image => Some("send_image"),
        MediaShape::Video => Some("send_video"),
        MediaShape::File => Some("send_file"),
        MediaShape::Sticker => Some("send_emoji"),
        _ => None,
    }
}

impl fmt::Debug for MappedSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MappedSender({:?})", self.engine)
    }
}

#[cfg(test)]
#[path = "outgoing_tests.rs"]
mod tests;
