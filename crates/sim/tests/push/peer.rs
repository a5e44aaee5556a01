//! The other side of the wire: a client that asks, and a receiver that is pushed to.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use wxbot_sim::{AccountSpec, FriendSpec, World};

/// The small town of all tests here.
pub(crate) fn world() -> World {
    let mut spec = AccountSpec::new("xiaoli").friend("老王").friend("阿珍").room("测试群", &["老王", "路人"]);
    spec.nick = "小李".to_owned();
    spec.friends.push(FriendSpec { nick: "订阅号".to_owned(), official: 24, ..FriendSpec::default() });
    World { seed: 7, ..World::default() }.with(spec).with(AccountSpec::new("second").friend("小张"))
}

/// What nobody waits for longer.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), what).await.expect("it happens soon")
}

/// One request on a connection of its own; `None` when the service hangs up.
pub(crate) async fn ask(port: u16, method: &str, path: &str, headers: &str, body: &[u8]) -> Option<(u16, Vec<u8>)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.ok()?;
    stream.write_all(body).await.ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok()?;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let status = std::str::from_utf8(&answer[..end]).ok()?.split(' ').nth(1)?.parse().ok()?;
    Some((status, answer[end + 4..].to_vec()))
}

/// Posts JSON and reads JSON; a body that is none comes back as a text.
pub(crate) async fn post(port: u16, path: &str, body: &Value) -> (u16, Value) {
    let headers = "Content-Type: application/json\r\n";
    let (status, answer) = soon(ask(port, "POST", path, headers, body.to_string().as_bytes())).await.unwrap();
    let text = || Value::String(String::from_utf8_lossy(&answer).into_owned());
    (status, serde_json::from_slice(&answer).unwrap_or_else(|_| text()))
}

/// One request as a receiver got it.
#[derive(Debug, Clone)]
pub(crate) struct Got {
    pub(crate) target: String,
    pub(crate) head: String,
    pub(crate) body: String,
}

/// Somebody who is pushed to. Answers 200 unless told otherwise.
pub(crate) struct Receiver {
    pub(crate) url: String,
    got: Arc<Mutex<Vec<Got>>>,
    answers: Arc<Mutex<VecDeque<(u16, String)>>>,
    _serving: JoinSet<()>,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/api/msg/recive", listener.local_addr().unwrap());
        let (got, answers) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(VecDeque::new())));
        let mut serving = JoinSet::new();
        let (list, told) = (Arc::clone(&got), Arc::clone(&answers));
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (list, told) = (Arc::clone(&list), Arc::clone(&told));
                connections.spawn(async move { receive(stream, &list, &told).await });
            }
        });
        Self { url, got, answers, _serving: serving }
    }

    pub(crate) fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }

    pub(crate) fn bodies(&self) -> Vec<Value> {
        self.got().iter().map(|got| serde_json::from_str(&got.body).unwrap_or(Value::Null)).collect()
    }

    /// What the next requests are answered, in order.
    pub(crate) fn answer(&self, answers: &[(u16, &str)]) {
        self.answers.lock().unwrap().extend(answers.iter().map(|(status, body)| (*status, (*body).to_owned())));
    }
}

async fn receive(mut stream: TcpStream, got: &Mutex<Vec<Got>>, answers: &Mutex<VecDeque<(u16, String)>>) -> Option<()> {
    let mut read = Vec::new();
    loop {
        let end = loop {
            if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
                break end;
            }
            if stream.read_buf(&mut read).await.ok()? == 0 {
                return None;
            }
        };
        let head = String::from_utf8_lossy(&read[..end]).into_owned();
        let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
        let whole = end + 4 + length.unwrap_or(0_usize);
        while read.len() < whole {
            if stream.read_buf(&mut read).await.ok()? == 0 {
                return None;
            }
        }
        let body = String::from_utf8_lossy(&read[end + 4..whole]).into_owned();
        let target = head.split(' ').nth(1)?.to_owned();
        got.lock().unwrap().push(Got { target, head, body });
        read.drain(..whole);
        let (status, body) = answers.lock().unwrap().pop_front().unwrap_or((200, "1".to_owned()));
        let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        stream.write_all(answer.as_bytes()).await.ok()?;
    }
}
