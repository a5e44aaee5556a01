//! What is a group robot? One key for each group, which says everything: it sends there, and hears nothing.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use md5::{Digest, Md5};
use url::Url;
use wxbot_model::{Action, Capabilities, ClientMsgId, Contact, ContactKind, MediaShape, PeerId, Secret};

use super::account::nobody;
use super::official::{self, Silent, Standing, after_some, few_parts};
use crate::error::{Error, SendError};
use crate::lenient::hex;
use crate::mapping::{Datum, Engine, EngineSettings, Headers, Values};
use crate::protocol::{ActionSender, MediaFile, Outgoing, Protocol, Receipt, SavedSession, Session};
use crate::source::{ClientIds, Source};
use crate::transport::Transport;

/// Messages of one robot within a minute.
const A_MINUTE: usize = 20;
const MINUTE_MS: i64 = 60_000;
/// The largest picture, and the largest file.
const IMAGE: u64 = 2 * 1024 * 1024;
const FILE: u64 = 20 * 1024 * 1024;
/// A file has more bytes than this.
const TOO_SMALL: u64 = 5;
/// Whoever is mentioned by it is everybody.
const EVERYBODY: &str = "@all";

/// Group robots of one account.
#[derive(Debug)]
pub struct GroupRobotSettings {
    /// The account's name.
    pub account: String,
    /// Where the service is: [`endpoint::official`](super::endpoint::official) as a rule.
    pub endpoint: Url,
    /// The groups, each by a name of the owner's, and the robot's key there.
    pub rooms: BTreeMap<PeerId, Secret<String>>,
    /// Limit of one call that is not known.
    pub timeout: Duration,
}

/// An account of group robots (profile `robot`).
pub struct GroupRobot {
    sender: Arc<Sender>,
    account: String,
    ids: ClientIds,
}

impl GroupRobot {
    /// An account.
    pub fn new(settings: GroupRobotSettings, transport: Arc<dyn Transport>, source: Source) -> Self {
        let GroupRobotSettings { account, endpoint, rooms, timeout } = settings;
        let engine = EngineSettings {
            account: account.clone(),
            protocol: "wecom",
            profile: "robot".into(),
            actions: official::table(include_str!("../mapping/profile/wecom-robot.toml")),
            base: endpoint,
            headers: Headers::default(),
            // Here they are only taken out of errors.
            secrets: rooms.iter().map(|(room, key)| (room.as_str().to_owned(), key.clone())).collect(),
            timeout,
            max_concurrency: 1,
        };
        let engine = Engine::new(engine, transport, source.clone()).judged_by(official::judge);
        let sent = Mutex::default();
        Self {
            sender: Arc::new(Sender { engine, rooms, source: source.clone(), sent, standing: Standing::new() }),
            account,
            ids: ClientIds::new(source),
        }
    }

    /// Who makes its calls. `to` is the key.
    pub fn engine(&self) -> &Engine {
        &self.sender.engine
    }
}

impl Protocol for GroupRobot {
    fn capabilities(&self) -> Capabilities {
        self.sender.engine.actions().capabilities()
    }

    fn needs_login(&self) -> bool {
        false
    }

    fn resume<'a>(&'a self, _saved: &'a SavedSession) -> BoxFuture<'a, Result<Box<dyn Session>, Error>> {
        let named = |peer: &PeerId, kind, name: &str| {
            Arc::new(Contact {
                nick_name: name.into(),
                wxid: peer.as_str().into(),
                ..Contact::nameless(peer.clone(), kind)
            })
        };
        let mut contacts: Vec<_> =
            self.sender.rooms.keys().map(|room| named(room, ContactKind::Room, room.as_str())).collect();
        contacts.extend(EVERYBODY.parse().ok().map(|all| named(&all, ContactKind::Special, "所有人")));
        let me =
            Contact { nick_name: self.account.as_str().into(), ..Contact::nameless(nobody(), ContactKind::Myself) };
        let standing = self.sender.standing.watch();
        let session = Silent { sender: Arc::clone(&self.sender) as _, me, contacts, standing };
        Box::pin(async move { Ok(Box::new(session) as Box<dyn Session>) })
    }

    fn draw_client_msg_id(&self) -> ClientMsgId {
        self.ids.draw()
    }
}

impl fmt::Debug for GroupRobot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GroupRobot({:?})", self.sender)
    }
}

struct Sender {
    engine: Engine,
    rooms: BTreeMap<PeerId, Secret<String>>,
    source: Source,
    /// When each robot sent something, within the last minute.
    sent: Mutex<BTreeMap<PeerId, VecDeque<i64>>>,
    standing: Standing,
}

fn failed(why: impl Into<String>) -> SendError {
    SendError::Failed { why: why.into() }
}

impl Sender {
    #[expect(clippy::wildcard_enum_match_arm, reason = "whatever else there is, a robot cannot do it")]
    async fn act(&self, outgoing: &Outgoing) -> Result<Receipt, SendError> {
        let room = outgoing.to.as_ref().ok_or_else(|| failed("it goes to nobody"))?;
        let Some(key) = self.rooms.get(room) else {
            let all: Vec<_> = self.rooms.keys().map(PeerId::as_str).collect();
            return Err(failed(format!("there is no robot in `{room}`; the account's `rooms` are {}", all.join(", "))));
        };
        let to = Values::new().with("to", Datum::Secret(key.clone())).with("is_room", true);
        match &outgoing.action {
            Action::SendText { text, .. } => self.text(room, &to, text, &outgoing.others).await?,
            Action::SendMedia { shape, .. } => {
                let file = outgoing.media.as_ref().ok_or_else(|| failed("there are no bytes to send"))?;
                let (name, values) = self.media(*shape, file, to).await?;
                self.take(room, 1)?;
                self.engine.perform(name, &values).await?;
            }
            Action::SendLink { link, .. } => {
                self.take(room, 1)?;
                let values = to
                    .with("title", &link.title)
                    .with("desc", &link.description)
                    .with("link_url", &link.url)
                    .with("thumb_url", &link.thumb_url);
                self.engine.perform("send_link", &values).await?;
            }
            other => return Err(failed(format!("a group robot cannot do this: {}", other.needs()))),
        }
        Ok(Receipt::default())
    }

    async fn text(&self, room: &PeerId, to: &Values, text: &str, who: &[PeerId]) -> Result<(), SendError> {
        let parts = few_parts(text)?;
        self.take(room, parts.len())?;
        let who: Vec<_> = who.iter().map(|peer| peer.as_str().to_owned()).collect();
        for (nth, part) in parts.iter().enumerate() {
            let values = to.clone().with("text", *part);
            // Whoever is mentioned is mentioned once.
            let done = match nth == 0 && !who.is_empty() {
                true => self.engine.perform("send_at", &values.with("at_ids", who.clone())).await,
                false => self.engine.perform("send_text", &values).await,
            };
            match done {
                Err(error) if nth > 0 => return Err(after_some(nth, parts.len(), &error)),
                done => done?,
            };
        }
        Ok(())
    }

    async fn media(
        &self,
        shape: MediaShape,
        file: &MediaFile,
        to: Values,
    ) -> Result<(&'static str, Values), SendError> {
        let bytes = Datum::File { path: file.path.clone(), len: file.len };
        match shape {
            MediaShape::Image if file.len > IMAGE => {
                Err(failed("a group robot takes pictures of at most 2 MiB; send it as a file"))
            }
            MediaShape::Image => {
                let bytes = read(file).await?;
                if !(bytes.starts_with(b"\xff\xd8\xff") || bytes.starts_with(b"\x89PNG")) {
                    return Err(failed("a group robot takes pictures as JPEG or PNG only; send it as a file"));
                }
                let md5 = hex::encode(&Md5::digest(&bytes));
                Ok(("send_image", to.with("bytes", Datum::Bytes(bytes)).with("md5", md5)))
            }
            MediaShape::File if file.len > FILE => Err(failed("a group robot takes files of at most 20 MiB")),
            MediaShape::File if file.len <= TOO_SMALL => Err(failed("a group robot takes no files of 5 bytes or less")),
            MediaShape::File => Ok(("send_file", to.with("bytes", bytes).with("file_name", &file.name))),
            MediaShape::Video | MediaShape::Sticker | _ => {
                Err(failed("a group robot sends pictures and files, no films and no stickers; send it as a file"))
            }
        }
    }

    /// Takes so many of the minute's messages, or says when there are.
    fn take(&self, room: &PeerId, many: usize) -> Result<(), SendError> {
        let now = self.source.now_ms();
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = sent.entry(room.clone()).or_default();
        while sent.front().is_some_and(|at| now - at >= MINUTE_MS) {
            sent.pop_front();
        }
        let free = A_MINUTE.saturating_sub(sent.len());
        if many > free {
            // When so many of the oldest are a minute old.
            let until = sent.get((many - free).min(sent.len()).saturating_sub(1)).map_or(now, |at| at + MINUTE_MS);
            let after = Duration::from_millis(u64::try_from(until - now).unwrap_or(0).max(1));
            let why = format!("the robot in `{room}` sent {} messages within a minute, and may send 20", sent.len());
            return Err(SendError::NotTaken { why, after });
        }
        sent.extend(std::iter::repeat_n(now, many));
        Ok(())
    }
}

async fn read(file: &MediaFile) -> Result<Bytes, SendError> {
    let (path, len) = (file.path.clone(), file.len);
    let later = |why: String| SendError::NotTaken { why, after: Duration::from_secs(5) };
    match tokio::task::spawn_blocking(move || std::fs::read(path)).await {
        Ok(Ok(bytes)) if u64::try_from(bytes.len()).ok() == Some(len) => Ok(bytes.into()),
        Ok(Ok(_)) => Err(failed("the file to send is not as long as it was")),
        Ok(Err(error)) => Err(later(format!("the file to send cannot be read: {error}"))),
        Err(_) => Err(later("reading the file to send was broken off".into())),
    }
}

impl ActionSender for Sender {
    fn perform(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<Receipt, SendError>> {
        Box::pin(async move {
            let done = self.act(&outgoing).await;
            self.standing.note(&done);
            done
        })
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}, {} rooms", self.engine, self.rooms.len())
    }
}

#[cfg(test)]
#[path = "robot_tests.rs"]
mod tests;
