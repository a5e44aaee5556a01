//! What is a WeCom callback answered over HTTP, again and again, forged and spoilt (security R04)?
#![expect(clippy::unwrap_used, reason = "the helpers of tests fail like tests")]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
use tokio::task::JoinSet;
use wxbot_core::push::Door;
use wxbot_core::wecom::callback::Audience;
use wxbot_core::wecom::door::SealedDoor;
use wxbot_core::wecom::{Callback, Keys};
use wxbot_model::Secret;
use wxbot_server::{Accounts, Figures, Settings, converse_over};

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const CORP: &str = "wx5823bf96d3bd56c7";

fn keys(token: &str, aes_key: &str) -> Keys {
    Keys::new(Secret::new(token.to_owned()), &Secret::new(aes_key.to_owned()), CORP.to_owned()).unwrap()
}

struct Office(Arc<SealedDoor>);

impl Accounts for Office {
    fn door(&self, account: &str) -> Option<Arc<dyn Door>> {
        (account == "office").then(|| Arc::clone(&self.0) as Arc<dyn Door>)
    }

    fn shared(&self) -> Vec<(String, Arc<dyn Door>)> {
        Vec::new()
    }

    fn states(&self) -> Vec<(String, &'static str, bool)> {
        Vec::new()
    }
}

struct Town {
    office: Arc<Office>,
    figures: Arc<Figures>,
    _keeper: JoinSet<()>,
}

impl Town {
    fn open() -> Self {
        let callback = Callback::new(keys("QDG6eK", &"k".repeat(43)), Audience::Application, "self".parse().unwrap());
        let door = Arc::new(SealedDoor::new(Arc::new(callback), vec![Secret::new(SECRET.to_owned())]));
        let mut keeper = JoinSet::new();
        let kept = Arc::clone(&door);
        keeper.spawn(async move {
            loop {
                for post in kept.mailbox().take(100).await {
                    post.open().1.tell();
                }
            }
        });
        Self { office: Arc::new(Office(door)), figures: Arc::default(), _keeper: keeper }
    }

    /// The whole answer, head and all, but for its date.
    async fn post(&self, query: &str, body: &str) -> String {
        let request = format!(
            "POST /push/office/{SECRET}?{query} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.ask(&request).await
    }

    async fn ask(&self, request: &str) -> String {
        let (mut ours, theirs) = duplex(64 * 1024);
        let listen = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8460);
        let accounts = Arc::clone(&self.office) as Arc<dyn Accounts>;
        let serve = converse_over(theirs, listen.ip(), Settings::on(listen), accounts, Arc::clone(&self.figures));
        let talk = async {
            ours.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            ours.read_to_string(&mut answer).await.unwrap();
            answer
        };
        let (answer, ()) = tokio::join!(talk, serve);
        answer.lines().filter(|line| !line.starts_with("date:")).collect::<Vec<_>>().join("\n")
    }
}

fn sealed(by: &Keys, nonce: &str) -> (String, String) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let inner =
        "<xml><FromUserName>li</FromUserName><MsgType>text</MsgType><Content>hi</Content><MsgId>7</MsgId></xml>";
    let sealed = by.seal(inner, [7; 16], i64::try_from(now).unwrap(), nonce);
    (format!("msg_signature={}&timestamp={}&nonce={nonce}", sealed.signature, sealed.timestamp), sealed.xml())
}

#[tokio::test]
async fn sec_r04_a_repeat_is_answered_200_and_counted() {
    let town = Town::open();
    let (query, body) = sealed(&keys("QDG6eK", &"k".repeat(43)), "n1");
    let first = town.post(&query, &body).await;
    assert!(first.starts_with("HTTP/1.1 200") && first.ends_with("success"), "{first}");
    for _ in 0..2 {
        assert_eq!(town.post(&query, &body).await, first, "a repeat hears the same");
    }
    let figures = town.ask("GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
    let count = |outcome: &str| {
        let line = figures.lines().find(|line| line.contains("office") && line.contains(&format!("\"{outcome}\"")));
        line.and_then(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
    };
    assert_eq!((count("kept"), count("answered")), (Some(1), Some(2)), "{figures}");
}

#[tokio::test]
async fn sec_r04_a_wrong_padding_is_answered_as_a_wrong_signature() {
    let town = Town::open();
    // Whoever knows the token can sign; the key is another one, so that the padding is wrong.
    let (query, body) = sealed(&keys("QDG6eK", &"z".repeat(43)), "n2");
    let padding = town.post(&query, &body).await;
    let (query, body) = sealed(&keys("another", &"k".repeat(43)), "n3");
    let signature = town.post(&query, &body).await;
    assert!(signature.starts_with("HTTP/1.1 403"), "{signature}");
    assert_eq!(padding, signature, "nobody can tell them apart");
}
