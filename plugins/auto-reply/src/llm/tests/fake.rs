//! What is at the other end? An endpoint that takes no malformed request, and does next what the test has told it.
//!
//! It is served over a pipe in memory, so that time can be paused, or on a port of the loopback that the kernel chose.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::llm::endpoint::Endpoint;
use crate::llm::net::{Dial, Dialling};
use crate::llm::trouble::Trouble;
use crate::tests::log::SECRETS;

/// What it does with one request.
#[derive(Debug, Clone)]
pub(super) enum Act {
    /// Nobody listens.
    Refuse,
    /// The connection ends before an answer.
    HangUp,
    /// Answers this.
    Answer { status: u16, headers: Vec<(&'static str, String)>, pieces: Vec<Piece> },
}

/// A part of a body.
#[derive(Debug, Clone)]
pub(super) enum Piece {
    Bytes(Vec<u8>),
    Wait(Duration),
    /// Nothing more, and no end.
    Stall,
    /// This, until somebody hangs up; with a pause after each.
    Forever(Vec<u8>, Duration),
    /// The connection ends here.
    Break,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) at: Instant,
    pub(super) headers: HeaderMap,
    pub(super) body: Value,
}

#[derive(Debug, Default)]
struct State {
    script: VecDeque<Act>,
    seen: Vec<Seen>,
    /// What was wrong with requests.
    wrong: Vec<String>,
    /// What was promised of bodies nobody wanted to the end.
    sent: usize,
}

/// The endpoint.
#[derive(Debug)]
pub(super) struct Fake {
    state: Arc<Mutex<State>>,
    tasks: Mutex<JoinSet<()>>,
}

/// An answer as a stream of these texts.
pub(super) fn say(texts: &[&str]) -> Act {
    let mut events = vec![chunk(json!({ "role": "assistant", "content": "" }), None)];
    events.extend(texts.iter().map(|text| chunk(json!({ "content": text }), None)));
    events.push(chunk(json!({}), Some("stop")));
    events.push("[DONE]".to_owned());
    stream(vec![Piece::Bytes(events.iter().map(|event| format!("data: {event}\n\n")).collect::<String>().into())])
}

/// The data of one event.
pub(super) fn chunk(delta: Value, finish: Option<&str>) -> String {
    json!({ "id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m",
            "choices": [{ "index": 0, "delta": delta, "finish_reason": finish }] })
    .to_string()
}

/// An event with a piece of text.
pub(super) fn word(text: &str) -> Piece {
    Piece::Bytes(format!("data: {}\n\n", chunk(json!({ "content": text }), None)).into())
}

pub(super) fn stream(pieces: Vec<Piece>) -> Act {
    answer(200, &[("content-type", "text/event-stream; charset=utf-8")], pieces)
}

pub(super) fn answer(status: u16, headers: &[(&'static str, &str)], pieces: Vec<Piece>) -> Act {
    let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    Act::Answer { status, headers, pieces }
}

pub(super) fn error(status: u16, code: &str) -> Act {
    let body = json!({ "error": { "message": format!("you said: {SECRETS:?}"), "type": "an_error", "code": code } });
    answer(status, &[("content-type", "application/json")], vec![Piece::Bytes(body.to_string().into())])
}

impl Fake {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { state: Arc::default(), tasks: Mutex::default() })
    }

    fn with<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        f(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What it does next, one for each request.
    pub(super) fn will(&self, acts: impl IntoIterator<Item = Act>) {
        self.with(|state| state.script.extend(acts));
    }

    /// The requests since the last call, all of them well-formed, and everything that was scripted done.
    pub(super) fn seen(&self) -> Vec<Seen> {
        self.with(|state| {
            assert_eq!(state.wrong, Vec::<String>::new(), "malformed requests");
            assert_eq!(state.script.len(), 0, "it was asked less often than scripted");
            std::mem::take(&mut state.seen)
        })
    }

    /// How many bytes of bodies went out.
    pub(super) fn sent(&self) -> usize {
        self.with(|state| state.sent)
    }

    /// A connection to it.
    fn connect(&self) -> Result<tokio::io::DuplexStream, Trouble> {
        if self.with(|state| state.script.pop_front_if(|act| matches!(act, Act::Refuse))).is_some() {
            self.with(|state| {
                state.seen.push(Seen { at: Instant::now(), headers: HeaderMap::new(), body: Value::Null })
            });
            return Err(Trouble::Unreachable { why: "Connection refused".to_owned() });
        }
        let (ours, theirs) = tokio::io::duplex(16 * 1024);
        let state = Arc::clone(&self.state);
        self.tasks.lock().unwrap().spawn(serve(theirs, state));
        Ok(ours)
    }

    /// Listens on the loopback; the base URL.
    pub(super) async fn listen(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let state = Arc::clone(&self.state);
        self.tasks.lock().unwrap().spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, Arc::clone(&state)));
            }
        });
        url
    }
}

/// Every address leads to the fake.
#[derive(Debug)]
pub(super) struct InMemory(pub(super) Arc<Fake>);

impl Dial for InMemory {
    fn dial<'a>(&'a self, _endpoint: &'a Endpoint) -> Dialling<'a> {
        Box::pin(async move { Ok(Box::new(self.0.connect()?) as Box<_>) })
    }
}

async fn serve(io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, state: Arc<Mutex<State>>) {
    let service = service_fn(move |request| handle(request, Arc::clone(&state)));
    // An error is a connection that somebody has ended, which is what happens here all the time.
    _ = http1::Builder::new().serve_connection(TokioIo::new(io), service).await;
}

async fn handle(request: Request<Incoming>, state: Arc<Mutex<State>>) -> io::Result<Response<Fed>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let judged = judge(&head.method, head.uri.path(), &head.headers, &body);
    let act = {
        let mut state = state.lock().unwrap();
        let body = serde_json::from_slice(&body).unwrap_or_default();
        state.seen.push(Seen { at: Instant::now(), headers: head.headers, body });
        match judged {
            Ok(()) => state.script.pop_front(),
            Err(why) => {
                state.wrong.push(why);
                Some(error(400, "malformed"))
            }
        }
    };
    let Some(act) = act else {
        state.lock().unwrap().wrong.push("nothing was scripted for it".to_owned());
        return Err(io::Error::other("not scripted"));
    };
    let Act::Answer { status, headers, pieces } = act else { return Err(io::Error::other("hung up")) };
    let (out, fed) = mpsc::channel(1);
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(name, value);
    }
    let feeder = Feeder { task: JoinSet::new() };
    let mut body = Fed { fed, _feeder: feeder };
    let counted = Arc::clone(&state);
    body._feeder.task.spawn(async move {
        feed(pieces, &out, &counted).await;
    });
    Ok(response.body(body).unwrap())
}

async fn feed(pieces: Vec<Piece>, out: &mpsc::Sender<io::Result<Frame<Bytes>>>, state: &Mutex<State>) {
    let send = async |bytes: Vec<u8>| {
        state.lock().unwrap().sent += bytes.len();
        out.send(Ok(Frame::data(bytes.into()))).await.is_ok()
    };
    for piece in pieces {
        match piece {
            Piece::Bytes(bytes) => _ = send(bytes).await,
            Piece::Wait(time) => sleep(time).await,
            Piece::Stall => std::future::pending().await,
            Piece::Forever(bytes, pause) => {
                while send(bytes.clone()).await {
                    sleep(pause).await;
                }
            }
            Piece::Break => _ = out.send(Err(io::Error::other("broken off"))).await,
        }
    }
}

/// A body that is fed piece by piece.
struct Fed {
    fed: mpsc::Receiver<io::Result<Frame<Bytes>>>,
    _feeder: Feeder,
}

struct Feeder {
    task: JoinSet<()>,
}

impl Body for Fed {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.fed.poll_recv(cx)
    }
}

/// What a real endpoint refuses, and some forgive.
fn judge(method: &Method, path: &str, headers: &HeaderMap, body: &[u8]) -> Result<(), String> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let want = |good: bool, what: &str| if good { Ok(()) } else { Err(what.to_owned()) };
    want(method == Method::POST, "not POST")?;
    want(path == "/v1/chat/completions", &format!("path {path}"))?;
    want(!header("host").is_empty(), "no host")?;
    want(header("content-type") == "application/json", "content-type")?;
    want(header("accept").contains("text/event-stream"), "accept")?;
    want(matches!(header("authorization"), "" | "Bearer sk-test-1234"), "authorization")?;
    let key = header("idempotency-key");
    want(key.len() == 64 && key.bytes().all(|b| b.is_ascii_hexdigit()), "idempotency-key")?;
    want(header("cookie").is_empty(), "cookie")?;
    let body: Value = serde_json::from_slice(body).map_err(|error| format!("body: {error}"))?;
    want(body["stream"] == true, "stream")?;
    want(body["model"].as_str().is_some_and(|model| !model.is_empty()), "model")?;
    want(body.get("tools").is_none() && body.get("functions").is_none(), "tools were offered")?;
    for (key, value) in body.as_object().ok_or("no object")? {
        let good = match key.as_str() {
            "model" | "messages" | "stream" => true,
            "max_tokens" | "max_completion_tokens" => value.as_u64().is_some_and(|most| most > 0),
            "temperature" => value.as_f64().is_some_and(|heat| (0.0..=2.0).contains(&heat)),
            "stream_options" => *value == json!({ "include_usage": true }),
            "reasoning_effort" => value.is_string(),
            _ => false,
        };
        want(good, &format!("{key}: {value}"))?;
    }
    let mut messages = body["messages"].as_array().ok_or("messages")?.as_slice();
    if let [first, rest @ ..] = messages
        && first["role"] == "system"
    {
        messages = rest;
    }
    want(messages.len() % 2 == 1, "it does not end with a question")?;
    for (n, message) in body["messages"].as_array().ok_or("messages")?.iter().enumerate() {
        want(message.as_object().is_some_and(|fields| fields.len() == 2), &format!("message {n}"))?;
        want(message["content"].as_str().is_some_and(|text| !text.is_empty()), &format!("content of message {n}"))?;
    }
    for (message, role) in messages.iter().zip(["user", "assistant"].iter().cycle()) {
        want(message["role"] == *role, "roles do not take turns")?;
    }
    Ok(())
}
