//! What is a smart robot? It hears what mentions it in rooms and what people write to it, and answers each once, at the
//! address that came with it.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::Url;
use wxbot_model::{Action, Capabilities, Capability, ClientMsgId, Link, PeerId, Secret};

use super::account::nobody;
use super::app::CallbackSettings;
use super::callback::{Audience, Callback, ReplyTo};
use super::crypt::{KeyError, Keys};
use super::door::SealedDoor;
use super::official;
use crate::error::{Error, SendError};
use crate::protocol::{ActionSender, Outgoing, Protocol, Receipt, SavedSession, Session};
use crate::push::{Door, PushedSession, Read, Reads};
use crate::source::{ClientIds, Source};
use crate::transport::{HttpRequest, Transport};

/// How long an address for an answer is kept. How long it is good, the notes do not say.
const KEPT_MS: i64 = 60 * 60 * 1000;
/// Addresses of one chat, and chats.
const OF_A_CHAT: usize = 8;
const CHATS: usize = 4_096;
/// Of all addresses, the newest that outlive the process: they are written with each message.
const OUTLIVE: usize = 256;
/// Bytes of one answer; the service takes so many of a markdown text.
const ANSWER: usize = 20_480;
const LIMIT: Duration = Duration::from_secs(10);
/// The service's own names end so.
const FAMILY: &str = ".weixin.qq.com";

/// A smart robot.
#[derive(Debug)]
pub struct SmartRobotSettings {
    /// The account's name.
    pub account: String,
    /// Where the service is: [`endpoint::official`](super::endpoint::official) as a rule.
    pub endpoint: Url,
    /// How its callback is opened.
    pub callback: CallbackSettings,
}

/// A smart robot's account (profile `aibot`).
pub struct SmartRobot {
    account: String,
    door: Arc<SealedDoor>,
    callback: Arc<Callback>,
    sender: Arc<Sender>,
    source: Source,
    ids: ClientIds,
}

impl SmartRobot {
    /// An account.
    ///
    /// # Errors
    /// When its callback's token or key cannot be one.
    pub fn new(settings: SmartRobotSettings, transport: Arc<dyn Transport>, source: Source) -> Result<Self, KeyError> {
        let SmartRobotSettings { account, endpoint, callback } = settings;
        let CallbackSettings { token, aes_key, path_secrets } = callback;
        let keys = Keys::new(token, &aes_key, String::new())?;
        let callback = Arc::new(Callback::new(keys, Audience::Robot, nobody()));
        Ok(Self {
            account,
            door: Arc::new(SealedDoor::new(Arc::clone(&callback), path_secrets)),
            callback,
            sender: Arc::new(Sender {
                transport,
                endpoint,
                source: source.clone(),
                replies: Mutex::default(),
                restored: AtomicBool::new(false),
            }),
            ids: ClientIds::new(source.clone()),
            source,
        })
    }
}

impl Protocol for SmartRobot {
    fn capabilities(&self) -> Capabilities {
        use Capability::{GroupMessages, Mention, PrivateMessages, SendLink, SendText};
        [PrivateMessages, GroupMessages, SendText, Mention, SendLink].into_iter().collect()
    }

    fn needs_login(&self) -> bool {
        false
    }

    fn door(&self) -> Option<Arc<dyn Door>> {
        Some(Arc::clone(&self.door) as Arc<dyn Door>)
    }

    fn resume<'a>(&'a self, saved: &'a SavedSession) -> BoxFuture<'a, Result<Box<dyn Session>, Error>> {
        self.sender.restore(&saved.credentials);
        let reads = RobotReads { callback: Arc::clone(&self.callback), sender: Arc::clone(&self.sender) };
        let session = PushedSession::new(
            reads,
            Arc::clone(&self.door) as Arc<dyn Door>,
            Arc::clone(&self.sender) as _,
            self.source.clone(),
            self.account.clone(),
            nobody(),
        )
        .with_credentials(saved.credentials.clone());
        Box::pin(async move { Ok(Box::new(session) as Box<dyn Session>) })
    }

    fn draw_client_msg_id(&self) -> ClientMsgId {
        self.ids.draw()
    }
}

impl fmt::Debug for SmartRobot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SmartRobot({})", self.account)
    }
}

/// Reads bodies that the door opened, and hands the addresses in them to whoever answers.
struct RobotReads {
    callback: Arc<Callback>,
    sender: Arc<Sender>,
}

impl Reads for RobotReads {
    fn read(&mut self, body: &[u8], now_ms: i64) -> Read {
        let (mut read, reply) = self.callback.read(&String::from_utf8_lossy(body), now_ms.div_euclid(1000));
        if let Some(reply) = reply
            && self.sender.remember(reply, now_ms)
        {
            read.credentials = self.sender.outlive();
        }
        read
    }

    fn self_id(&self) -> Option<&PeerId> {
        Some(self.callback.me())
    }
}

/// An address, and when it came.
struct Way {
    url: Secret<String>,
    at_ms: i64,
    /// It came before this process: whether it was used since it was written nobody knows.
    before: bool,
}

/// An address as it outlives the process.
#[derive(Serialize, Deserialize)]
struct Kept {
    chat: PeerId,
    url: String,
    at_ms: i64,
}

struct Sender {
    transport: Arc<dyn Transport>,
    endpoint: Url,
    source: Source,
    /// Each good for one answer, the oldest first.
    replies: Mutex<BTreeMap<PeerId, VecDeque<Way>>>,
    /// What outlived the last process is here. Sessions after the first go on with what is in memory, which is newer.
    restored: AtomicBool,
}

/// True for an address that is the service's own: it comes out of a body that only the service could sign, and is still
/// not asked anywhere else.
fn is_services(url: &Url, endpoint: &Url) -> bool {
    let plain = url.username().is_empty() && url.password().is_none();
    let host = url.host_str().unwrap_or_default();
    let official = endpoint.host_str().is_some_and(|own| own.ends_with(FAMILY));
    let of_family = official && url.scheme() == "https" && url.port().is_none() && host.ends_with(FAMILY);
    // A service in one's own house, where the owner said that it is.
    plain && (of_family || (!official && url.origin() == endpoint.origin()))
}

fn failed(why: impl Into<String>) -> SendError {
    SendError::Failed { why: why.into() }
}

impl Sender {
    /// Takes over what outlived the last process; once.
    fn restore(&self, sealed: &Secret<Vec<u8>>) {
        if self.restored.swap(true, Ordering::AcqRel) || sealed.expose().is_empty() {
            return;
        }
        let Ok(kept) = serde_json::from_slice::<Vec<Kept>>(sealed.expose()) else {
            tracing::warn!(
                "The addresses for answers from before cannot be read; messages from before stay unanswered."
            );
            return;
        };
        let mut replies = self.replies.lock().unwrap_or_else(PoisonError::into_inner);
        for Kept { chat, url, at_ms } in kept.into_iter().take(OUTLIVE) {
            // Where the service is may have changed.
            if Url::parse(&url).is_ok_and(|url| is_services(&url, &self.endpoint)) {
                replies.entry(chat).or_default().push_back(Way { url: Secret::new(url), at_ms, before: true });
            }
        }
    }

    /// The newest addresses, the oldest of them first.
    fn outlive(&self) -> Option<Secret<Vec<u8>>> {
        let replies = self.replies.lock().unwrap_or_else(PoisonError::into_inner);
        let one =
            |chat: &PeerId, way: &Way| Kept { chat: chat.clone(), url: way.url.expose().clone(), at_ms: way.at_ms };
        let mut all: Vec<Kept> =
            replies.iter().flat_map(|(chat, ways)| ways.iter().map(move |way| one(chat, way))).collect();
        all.sort_by_key(|kept| kept.at_ms);
        let newest = all.split_off(all.len().saturating_sub(OUTLIVE));
        serde_json::to_vec(&newest).ok().map(Secret::new)
    }

    /// Whether there is an address more.
    fn remember(&self, reply: ReplyTo, now_ms: i64) -> bool {
        let url = Url::parse(reply.url.expose()).ok().filter(|url| is_services(url, &self.endpoint));
        if url.is_none() {
            tracing::warn!(chat = %reply.chat, "A message brought an address for its answer that is not the service's; it is not used.");
            return false;
        }
        let mut replies = self.replies.lock().unwrap_or_else(PoisonError::into_inner);
        replies.retain(|_, ways| {
            ways.retain(|way| now_ms - way.at_ms < KEPT_MS);
            !ways.is_empty()
        });
        if replies.len() >= CHATS && !replies.contains_key(&reply.chat) {
            return false;
        }
        let ways = replies.entry(reply.chat).or_default();
        ways.push_back(Way { url: reply.url, at_ms: now_ms, before: false });
        if ways.len() > OF_A_CHAT {
            ways.pop_front();
        }
        true
    }

    /// The oldest address that may still be good.
    fn take(&self, chat: &PeerId) -> Option<Way> {
        let now_ms = self.source.now_ms();
        let mut replies = self.replies.lock().unwrap_or_else(PoisonError::into_inner);
        let ways = replies.get_mut(chat)?;
        ways.retain(|way| now_ms - way.at_ms < KEPT_MS);
        ways.pop_front()
    }

    fn put_back(&self, chat: &PeerId, way: Way) {
        let mut replies = self.replies.lock().unwrap_or_else(PoisonError::into_inner);
        replies.entry(chat.clone()).or_default().push_front(way);
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "whatever else there is, a robot cannot do it")]
    async fn act(&self, outgoing: &Outgoing) -> Result<Receipt, SendError> {
        let chat = outgoing.to.as_ref().ok_or_else(|| failed("it goes to nobody"))?;
        let text = match &outgoing.action {
            Action::SendText { text, .. } => {
                let mentions: String = outgoing.others.iter().map(|peer| format!("<@{peer}> ")).collect();
                format!("{mentions}{text}")
            }
            Action::SendLink { link, .. } => markdown(link),
            other => return Err(failed(format!("a smart robot cannot do this: {}", other.needs()))),
        };
        if text.len() > ANSWER {
            return Err(failed(format!(
                "an answer of a smart robot has at most {ANSWER} bytes, this one {}",
                text.len()
            )));
        }
        let body = json!({ "msgtype": "markdown", "markdown": { "content": text } });
        loop {
            let way = self.take(chat).ok_or_else(|| {
                failed("a smart robot only answers, each message once, and there is no message here that waits for one")
            })?;
            match self.post(&way.url, &body).await {
                // It was used before the process ended, and the service said no: nobody saw anything of it.
                Err(SendError::Failed { why }) if way.before => {
                    tracing::info!(%chat, %why, "An address for an answer from before the start is used up.");
                }
                Err(error @ SendError::NotTaken { .. }) => {
                    self.put_back(chat, way);
                    return Err(error);
                }
                done => return done.map(|()| Receipt::default()),
            }
        }
    }

    /// Posts an answer. No error of it holds the address.
    async fn post(&self, url: &Secret<String>, body: &Value) -> Result<(), SendError> {
        let url = Url::parse(url.expose()).map_err(|_secret| failed("the address for the answer is none"))?;
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        let request = HttpRequest { method: Method::POST, url, headers, body: body.to_string().into(), timeout: LIMIT };
        let answer = self.transport.send(request).await.map_err(|error| match error.surely_not_sent() {
            true => SendError::NotTaken { why: error.to_string(), after: Duration::from_secs(2) },
            false => SendError::Uncertain { why: error.to_string() },
        })?;
        let status = answer.status;
        let said: Value = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
        match (status, said.get("errcode").and_then(Value::as_i64)) {
            (200..=299, Some(0)) => Ok(()),
            (200..=299, Some(code)) => Err(official::judge(&said).unwrap_or_else(|| {
                let words = said.get("errmsg").and_then(Value::as_str).unwrap_or_default();
                failed(format!("the service answered {code}: {}", words.chars().take(200).collect::<String>()))
            })),
            (200..=299, None) => Err(SendError::Uncertain { why: "the answer of the service cannot be read".into() }),
            (429, _) => Err(SendError::NotTaken { why: "the service answered HTTP 429".into(), after: LIMIT }),
            (300..=499, _) => Err(failed(format!("the service answered HTTP {status}; the address may be used up"))),
            _ => Err(SendError::Uncertain { why: format!("the service answered HTTP {status}") }),
        }
    }
}

/// A page as a line that can be tapped.
fn markdown(link: &Link) -> String {
    let title: String =
        link.title.chars().map(|c| if matches!(c, '[' | ']' | '\n' | '\r') { ' ' } else { c }).collect();
    let url = link.url.replace('(', "%28").replace(')', "%29").replace([' ', '\n', '\r'], "%20");
    match link.description.trim() {
        "" => format!("[{title}]({url})"),
        words => format!("[{title}]({url})\n{words}"),
    }
}

impl ActionSender for Sender {
    fn perform(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<Receipt, SendError>> {
        Box::pin(async move { self.act(&outgoing).await })
    }
}

#[cfg(test)]
#[path = "aibot_tests.rs"]
mod tests;
