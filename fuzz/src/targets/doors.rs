//! Is whoever asks the server, or the control socket, answered or turned away?

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
use wxbot_core::pchook::{HookDoor, Settings as HookSettings};
use wxbot_core::push::{Door, Knock, Knocked, Mailbox};
use wxbot_model::Secret;
use wxbot_server::{Accounts, Settings, converse_over};

/// What the corpus knows, so that inputs get behind the door.
const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// A hook's door whose mailbox nobody empties: what would be kept is answered at once.
struct Hasty(HookDoor);

impl fmt::Debug for Hasty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hasty")
    }
}

impl Door for Hasty {
    fn knock(&self, knock: &Knock<'_>) -> Knocked {
        match self.0.knock(knock) {
            Knocked::Keep { answer, .. } => Knocked::Answer(answer),
            other @ (Knocked::Answer(_) | Knocked::NotOurs | Knocked::Refuse(_) | _) => other,
        }
    }

    fn mailbox(&self) -> &Mailbox {
        self.0.mailbox()
    }

    fn secrets(&self) -> &[Secret<String>] {
        self.0.secrets()
    }

    fn takes_default_path(&self) -> bool {
        true
    }
}

struct One(Arc<Hasty>);

impl Accounts for One {
    fn door(&self, account: &str) -> Option<Arc<dyn Door>> {
        (account == "hook").then(|| Arc::clone(&self.0) as Arc<dyn Door>)
    }

    fn shared(&self) -> Vec<(String, Arc<dyn Door>)> {
        vec![("hook".to_owned(), Arc::clone(&self.0) as Arc<dyn Door>)]
    }

    fn states(&self) -> Vec<(String, &'static str, bool)> {
        vec![("hook".to_owned(), "online", true)]
    }
}

pub(super) fn doors(input: &[u8]) {
    let (which, rest) = super::choice(input, 4);
    if which == 0 {
        wxbot::doors::control_request(rest);
    } else {
        super::plugins::wait(served(rest));
    }
}

/// All of it over one connection, which then is closed.
async fn served(input: &[u8]) {
    let hook = HookSettings { server_port: Some(30_001), ..HookSettings::default() };
    let door = Arc::new(Hasty(HookDoor::new(&hook, vec![Secret::new(SECRET.to_owned())], true)));
    let listen = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8460);
    let (mut ours, theirs) = duplex(1 << 20);
    let talk = async {
        ours.write_all(input).await.ok();
        ours.shutdown().await.ok();
        let mut answer = Vec::new();
        ours.read_to_end(&mut answer).await.ok();
        answer
    };
    let serve = converse_over(theirs, listen.ip(), Settings::on(listen), Arc::new(One(door)), Arc::default());
    let (answer, ()) = tokio::join!(talk, serve);
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1."), "an answer is HTTP");
    assert!(!answer.windows(SECRET.len()).any(|part| part == SECRET.as_bytes()), "the secret is not said back");
}
