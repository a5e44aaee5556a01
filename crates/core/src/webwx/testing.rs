//! A sender over a service that answers from a script, and remembers what it was asked.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, StreamExt};
use http::{HeaderMap, HeaderName};
use serde_json::{Value, json};
use wxbot_model::{Action, Contact, ContactKind, PeerId};

use super::book::Book;
use super::client::{Client, SessionKeys};
use super::endpoint::Hosts;
use super::endpoint::testing::web;
use super::sender::WebSender;
use super::testdata::fixture;
use crate::error::SendError;
use crate::http::CookieClient;
use crate::protocol::{ActionSender, MediaFile, Outgoing, Receipt};
use crate::source::Source;
use crate::transport::{HttpRequest, HttpResponse, HttpStream, Transport, TransportError};

pub(crate) const ME: &str = "@595d9f44c64e2f480baa0d6430ca58ef053a768daa6d7b3fcc4bece244bcbce3";

/// One request, as a script sees it.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) request: HttpRequest,
    /// The last segment of its path.
    pub(crate) endpoint: String,
    /// How often it was asked before.
    pub(crate) nth: usize,
}

impl Asked {
    pub(crate) fn host(&self) -> &str {
        self.request.url.host_str().unwrap()
    }

    pub(crate) fn query(&self, name: &str) -> Option<String> {
        self.request.url.query_pairs().find(|(k, _)| k == name).map(|(_, v)| v.into_owned())
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.request.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The body as JSON, without the keys.
    pub(crate) fn json(&self) -> Value {
        without_keys(serde_json::from_slice(&self.request.body).unwrap())
    }

    pub(crate) fn json_with_keys(&self) -> Value {
        serde_json::from_slice(&self.request.body).unwrap()
    }

    /// A part of a form.
    pub(crate) fn part(&self, name: &str) -> Option<Vec<u8>> {
        let boundary = self.header("content-type").unwrap().strip_prefix("multipart/form-data; boundary=").unwrap();
        let (body, line) = (&self.request.body, format!("--{boundary}\r\n"));
        let begin = format!("form-data; name=\"{name}\"");
        let find =
            |from: usize, what: &[u8]| body[from..].windows(what.len()).position(|at| at == what).map(|at| from + at);
        let mut at = 0;
        while let Some(part) = find(at, line.as_bytes()) {
            let head = find(part, b"\r\n\r\n").unwrap();
            if String::from_utf8_lossy(&body[part..head]).contains(&begin) {
                let end = find(head, format!("\r\n--{boundary}").as_bytes()).unwrap();
                return Some(body[head + 4..end].to_vec());
            }
            at = head;
        }
        None
    }

    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.part(name).map(|part| String::from_utf8(part).unwrap())
    }

    /// `uploadmediarequest`.
    pub(crate) fn upload_request(&self) -> Value {
        serde_json::from_str(&self.text("uploadmediarequest").unwrap()).unwrap()
    }
}

pub(crate) fn without_keys(mut body: Value) -> Value {
    body.as_object_mut().unwrap().remove("BaseRequest").expect("every body has keys");
    body
}

/// What the service does.
#[derive(Debug)]
pub(crate) enum Reply {
    Fails(TransportError),
    Answers { status: u16, headers: Vec<(HeaderName, String)>, pieces: Vec<Piece> },
}

#[derive(Debug)]
pub(crate) enum Piece {
    Bytes(Vec<u8>),
    Breaks,
    Stalls,
}

impl Reply {
    pub(crate) fn json(value: Value) -> Self {
        Self::bytes(value.to_string())
    }

    pub(crate) fn fixture(name: &str) -> Self {
        Self::bytes(fixture(name))
    }

    /// `BaseResponse` alone.
    pub(crate) fn ret(ret: i64) -> Self {
        Self::json(json!({"BaseResponse": {"Ret": ret, "ErrMsg": ""}}))
    }

    pub(crate) fn sent() -> Self {
        Self::json(json!({"BaseResponse": {"Ret": 0, "ErrMsg": ""}, "MsgID": "7", "LocalID": "1"}))
    }

    pub(crate) fn status(status: u16) -> Self {
        Self::Answers { status, headers: Vec::new(), pieces: Vec::new() }
    }

    pub(crate) fn bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self::Answers { status: 200, headers: Vec::new(), pieces: vec![Piece::Bytes(bytes.into())] }
    }

    pub(crate) fn with(mut self, name: HeaderName, value: impl ToString) -> Self {
        if let Self::Answers { headers, .. } = &mut self {
            headers.push((name, value.to_string()));
        }
        self
    }

    pub(crate) fn then(mut self, piece: Piece) -> Self {
        if let Self::Answers { pieces, .. } = &mut self {
            pieces.push(piece);
        }
        self
    }

    pub(crate) fn not_sent() -> Self {
        Self::Fails(TransportError::NotSent { host: "h".into(), reason: String::new() })
    }

    pub(crate) fn timeout() -> Self {
        Self::Fails(TransportError::Timeout { host: "h".into(), after: Duration::from_secs(15) })
    }
}

type Answering = Box<dyn FnMut(&Asked) -> Reply + Send>;

/// The service.
pub(crate) struct Script {
    answering: Mutex<Answering>,
    seen: Mutex<Vec<Asked>>,
}

impl std::fmt::Debug for Script {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Script")
    }
}

impl Script {
    fn reply(&self, request: HttpRequest) -> Reply {
        let endpoint = request.url.path().rsplit('/').next().unwrap().to_owned();
        let mut seen = self.seen.lock().unwrap();
        let nth = seen.iter().filter(|asked| asked.endpoint == endpoint).count();
        let asked = Asked { request, endpoint, nth };
        seen.push(asked.clone());
        drop(seen);
        (self.answering.lock().unwrap())(&asked)
    }
}

fn map(headers: Vec<(HeaderName, String)>) -> HeaderMap {
    headers.into_iter().map(|(name, value)| (name, value.parse().unwrap())).collect()
}

impl Transport for Script {
    fn send(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, TransportError>> {
        Box::pin(async move {
            // Others get their turn, as they do while a network is waited for.
            tokio::task::yield_now().await;
            match self.reply(request) {
                Reply::Fails(error) => Err(error),
                Reply::Answers { status, headers, pieces } => {
                    let bytes = |piece| match piece {
                        Piece::Bytes(bytes) => bytes,
                        Piece::Breaks | Piece::Stalls => panic!("only for streams"),
                    };
                    let body: Vec<u8> = pieces.into_iter().flat_map(bytes).collect();
                    Ok(HttpResponse { status, headers: map(headers), body: body.into() })
                }
            }
        })
    }

    fn open(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpStream, TransportError>> {
        let reply = self.reply(request);
        Box::pin(async move {
            let (status, headers, pieces) = match reply {
                Reply::Fails(error) => return Err(error),
                Reply::Answers { status, headers, pieces } => (status, headers, pieces),
            };
            let body = stream::iter(pieces).then(|piece| async {
                match piece {
                    Piece::Bytes(bytes) => Ok(Bytes::from(bytes)),
                    Piece::Breaks => Err(TransportError::Broken { host: "h".into(), reason: "reset".into() }),
                    Piece::Stalls => std::future::pending().await,
                }
            });
            Ok(HttpStream { status, headers: map(headers), body: body.boxed() })
        })
    }
}

/// One account whose service answers from a script.
pub(crate) struct Rig {
    pub(crate) sender: WebSender,
    script: Arc<Script>,
    folder: tempfile::TempDir,
}

pub(crate) fn rig(answering: impl FnMut(&Asked) -> Reply + Send + 'static) -> Rig {
    Rig::at(Hosts::before_login(), answering)
}

impl Rig {
    pub(crate) fn at(hosts: Hosts, answering: impl FnMut(&Asked) -> Reply + Send + 'static) -> Self {
        let script = Arc::new(Script { answering: Mutex::new(Box::new(answering)), seen: Mutex::default() });
        let http = CookieClient::new(Arc::clone(&script) as Arc<dyn Transport>, false);
        http.set(&hosts.api, "webwx_data_ticket", "gSeM+/x");
        let keys = SessionKeys {
            uin: 566_148_615,
            sid: "2qui+CC4YTiiI2zk".to_owned().into(),
            skey: "@crypt_14ae1b12_1bb5".to_owned().into(),
            pass_ticket: "kUY4%2FwIB".to_owned().into(),
        };
        let client = Client::new(http, hosts, web(), Source::seeded(7, 1_476_614_675), keys);
        let me: PeerId = ME.parse().unwrap();
        let book = Book::new(Contact { nick_name: "me".into(), ..Contact::nameless(me.clone(), ContactKind::Myself) });
        let (client, book) = (Arc::new(client), Arc::new(RwLock::new(book)));
        let folder = tempfile::tempdir().unwrap();
        Self { sender: WebSender { client, book, me, mark_read: false }, script, folder }
    }

    /// Everything asked so far.
    pub(crate) fn seen(&self) -> Vec<Asked> {
        self.script.seen.lock().unwrap().clone()
    }

    /// The endpoints asked so far, in order.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.seen().into_iter().map(|asked| asked.endpoint).collect()
    }

    /// What was asked of one endpoint.
    pub(crate) fn at_endpoint(&self, endpoint: &str) -> Vec<Asked> {
        self.seen().into_iter().filter(|asked| asked.endpoint == endpoint).collect()
    }

    pub(crate) fn knows(&self, contact: Contact) {
        self.sender.book.write().unwrap().put(Arc::new(contact));
    }

    pub(crate) fn known(&self, peer: &str) -> Option<Arc<Contact>> {
        self.sender.book.read().unwrap().get(&peer.parse().unwrap()).cloned()
    }

    /// A file with these bytes.
    pub(crate) fn file(&self, name: &str, bytes: &[u8]) -> MediaFile {
        let path = self.folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let len = u64::try_from(bytes.len()).unwrap();
        MediaFile { path, len, name: name.to_owned(), progress: Default::default() }
    }

    /// A file of nothing but zeros, which takes no room.
    pub(crate) fn hollow(&self, name: &str, len: u64) -> MediaFile {
        let file = self.file(name, b"");
        std::fs::File::options().write(true).open(&file.path).unwrap().set_len(len).unwrap();
        MediaFile { len, ..file }
    }

    pub(crate) async fn act(&self, action: Action, to: Option<&str>, others: &[&str]) -> Result<Receipt, SendError> {
        self.perform(action, to, others, None).await
    }

    pub(crate) async fn perform(
        &self,
        action: Action,
        to: Option<&str>,
        others: &[&str],
        media: Option<MediaFile>,
    ) -> Result<Receipt, SendError> {
        let to = to.map(|to| to.parse().unwrap());
        let others = others.iter().map(|peer| peer.parse().unwrap()).collect();
        let client_id = "14766146756340722".parse().unwrap();
        self.sender.perform(Outgoing { action, to, others, media, client_id }).await
    }
}

/// One word for what became of an action.
pub(crate) fn word(result: &Result<Receipt, SendError>) -> &'static str {
    match result {
        Ok(receipt) if receipt.server_id.is_some() => "sent",
        Ok(_) => "done",
        Err(SendError::NotTaken { .. }) => "not taken",
        Err(SendError::Uncertain { .. }) => "uncertain",
        Err(SendError::Failed { .. }) => "failed",
        Err(SendError::Closed { .. }) => "closed",
        Err(SendError::Ended(_)) => "ended",
        Err(SendError::Stopped { .. }) => "stopped",
    }
}

pub(crate) fn params(pairs: &[(&str, &str)]) -> std::collections::BTreeMap<String, String> {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect::<HashMap<_, _>>().into_iter().collect()
}
