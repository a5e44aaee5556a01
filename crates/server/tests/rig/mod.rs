//! A server with two accounts, and a client that says exactly what it is told to.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use wxbot_core::push::{Door, Kept, Knock, Knocked, Mailbox, Refused, Reply};
use wxbot_model::Secret;
use wxbot_server::{Accounts, Server, Settings};

/// An account that is pushed to: bodies begin with its name.
pub(crate) struct Hook {
    name: &'static str,
    mailbox: Mailbox,
    secrets: Vec<Secret<String>>,
    shared: bool,
    kept: Mutex<Vec<String>>,
}

/// Bodies that a session took.
pub(crate) struct Taken {
    bodies: Vec<String>,
    kept: Kept,
}

impl Taken {
    pub(crate) fn bodies(&self) -> Vec<&str> {
        self.bodies.iter().map(String::as_str).collect()
    }

    pub(crate) fn commit(self) {
        self.kept.tell();
    }
}

impl Hook {
    pub(crate) fn new(name: &'static str, secrets: &[&str], shared: bool) -> Self {
        let secrets = secrets.iter().map(|secret| Secret::new((*secret).to_owned())).collect();
        Self { name, mailbox: Mailbox::new(), secrets, shared, kept: Mutex::default() }
    }

    pub(crate) async fn take(&self) -> Taken {
        let mut taken = Taken { bodies: Vec::new(), kept: Kept::default() };
        for post in self.mailbox.take(100).await {
            let (body, kept) = post.open();
            taken.bodies.push(String::from_utf8(body.to_vec()).unwrap());
            taken.kept.and(kept);
        }
        taken
    }

    /// How many bodies nobody has taken.
    fn waiting(&self) -> usize {
        self.mailbox.waiting()
    }

    /// Commits whatever comes, from now on.
    pub(crate) fn keep_all(self: &Arc<Self>) {
        let hook = Arc::clone(self);
        tokio::spawn(async move {
            loop {
                let taken = hook.take().await;
                hook.kept.lock().unwrap().extend(taken.bodies.iter().cloned());
                taken.commit();
            }
        });
    }

    pub(crate) fn kept(&self) -> Vec<String> {
        self.kept.lock().unwrap().clone()
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hook").field("name", &self.name).field("secrets", &self.secrets).finish_non_exhaustive()
    }
}

impl Door for Hook {
    fn knock(&self, knock: &Knock<'_>) -> Knocked {
        match knock.method {
            "GET" if !knock.query.is_empty() => Knocked::Answer(Reply::text(knock.query.to_owned())),
            "POST" if knock.body.starts_with(self.name.as_bytes()) => {
                Knocked::Keep { body: knock.body.clone(), answer: Reply::text("1"), mark: String::new() }
            }
            "POST" if knock.unproved => Knocked::NotOurs,
            "POST" => Knocked::Refuse(Refused::WrongAccount),
            _ => Knocked::Refuse(Refused::Method),
        }
    }

    fn mailbox(&self) -> &Mailbox {
        &self.mailbox
    }

    fn secrets(&self) -> &[Secret<String>] {
        &self.secrets
    }

    fn takes_default_path(&self) -> bool {
        self.shared
    }
}

struct Both {
    shop: Arc<Hook>,
    hook: Arc<Hook>,
    hook_state: Mutex<(&'static str, bool)>,
}

impl Accounts for Both {
    fn door(&self, account: &str) -> Option<Arc<dyn Door>> {
        match account {
            "shop" => Some(self.shop.clone()),
            "hook" => Some(self.hook.clone()),
            _ => None,
        }
    }

    fn shared(&self) -> Vec<(String, Arc<dyn Door>)> {
        vec![("hook".into(), self.hook.clone())]
    }

    fn states(&self) -> Vec<(String, &'static str, bool)> {
        let (state, works) = *self.hook_state.lock().unwrap();
        vec![("shop".into(), "online", true), ("hook".into(), state, works)]
    }
}

/// A server and its accounts.
pub(crate) struct Town {
    pub(crate) address: SocketAddr,
    pub(crate) second: Option<SocketAddr>,
    pub(crate) shop: Arc<Hook>,
    pub(crate) hook: Arc<Hook>,
    both: Arc<Both>,
    stop: CancellationToken,
    serving: Option<JoinHandle<()>>,
}

impl Town {
    pub(crate) async fn open(set: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings::on("127.0.0.1:0".parse().unwrap());
        set(&mut settings);
        let server = Server::bind(settings).await.unwrap();
        let (address, second) = (server.address().unwrap(), server.default_path_address().map(Result::unwrap));
        let shop = Arc::new(Hook::new("shop", &[super::SECRET, super::OLD], false));
        let hook = Arc::new(Hook::new("hook", &[super::OLD], true));
        let both = Arc::new(Both { shop: shop.clone(), hook: hook.clone(), hook_state: Mutex::new(("online", true)) });
        let stop = CancellationToken::new();
        let serving = tokio::spawn(server.serve(both.clone(), stop.clone()));
        Self { address, second, shop, hook, both, stop, serving: Some(serving) }
    }

    pub(crate) fn hook_state(&self, state: &'static str, works: bool) {
        *self.both.hook_state.lock().unwrap() = (state, works);
    }

    /// The value of a figure.
    pub(crate) async fn figure(&self, name: &str) -> String {
        let text = ask(self.address, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").await.body;
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.unwrap_or_else(|| panic!("no {name} in\n{text}")).to_owned()
    }

    /// Connections on which nothing is said.
    pub(crate) async fn idle_connections(&self, count: usize) -> Vec<TcpStream> {
        let mut streams = Vec::new();
        for _ in 0..count {
            let mut stream = TcpStream::connect(self.address).await.unwrap();
            // An answer shows that the server has it.
            stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
            let mut first = [0];
            stream.read_exact(&mut first).await.unwrap();
            streams.push(stream);
        }
        streams
    }

    /// Connections with a push that nobody takes.
    pub(crate) async fn busy_connections(&self, count: usize) -> Vec<JoinHandle<Answer>> {
        let path = format!("/push/hook/{}", super::OLD);
        let busy = (0..count).map(|_| tokio::spawn(post(self.address, path.clone(), "hook busy"))).collect();
        while self.hook.waiting() < count {
            tokio::task::yield_now().await;
        }
        busy
    }

    pub(crate) fn stop(&self) {
        self.stop.cancel();
    }

    pub(crate) async fn ended(&mut self) {
        tokio::time::timeout(Duration::from_secs(10), self.serving.take().unwrap()).await.unwrap().unwrap();
    }
}

/// What the server said; status 0 when it hung up.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

pub(crate) async fn post(address: SocketAddr, path: impl AsRef<str>, body: impl AsRef<str>) -> Answer {
    let (path, body) = (path.as_ref(), body.as_ref());
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    ask(address, &request).await
}

/// Says this and reads one answer with a `Content-Length`.
pub(crate) async fn ask(address: SocketAddr, request: &str) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // Refused before it is read, a request may not be taken whole.
    _ = stream.write_all(request.as_bytes()).await;
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte).await {
            Ok(1) => head.push(byte[0]),
            Ok(_) | Err(_) => return Answer::default(),
        }
    }
    let head = String::from_utf8(head).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let len = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; len.unwrap_or(0)];
    stream.read_exact(&mut body).await.unwrap();
    Answer { status, body: String::from_utf8(Bytes::from(body).to_vec()).unwrap() }
}
