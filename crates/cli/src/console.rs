//! The protocol of the terminal: a line typed is a message, a reply is printed.

use std::io::{IsTerminal, Write};
use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::io::{AsyncBufReadExt, BufReader, Lines, Stdin};
use tokio::sync::Mutex;
use wxbot_core::SendError;
use wxbot_core::error::Error;
use wxbot_core::protocol::{
    ActionSender, Batch, Incoming, LoginWatcher, Outgoing, Protocol, Receipt, SavedSession, Session,
};
use wxbot_core::source::{ClientIds, Source};
use wxbot_model::{
    Action, Capabilities, Capability, ClientMsgId, Contact, ContactKind, Content, EventKind, Mentions, Message, PeerId,
    Secret,
};

/// What the terminal can do.
pub(crate) fn capabilities() -> Capabilities {
    [Capability::PrivateMessages, Capability::SendText].into_iter().collect()
}

/// The terminal as an account.
#[derive(Debug)]
pub(crate) struct Console {
    source: Source,
    ids: ClientIds,
}

impl Console {
    pub(crate) fn new(source: Source) -> Self {
        Self { ids: ClientIds::new(source.clone()), source }
    }
}

#[expect(clippy::expect_used, reason = "constant ids")]
fn peer(text: &str) -> PeerId {
    text.parse().expect("a constant id")
}

fn you() -> Contact {
    Contact { nick_name: "you".into(), alias: "console".into(), ..Contact::nameless(peer("you"), ContactKind::Person) }
}

impl Protocol for Console {
    fn capabilities(&self) -> Capabilities {
        capabilities()
    }

    fn needs_login(&self) -> bool {
        false
    }

    fn resume<'a>(&'a self, _saved: &'a SavedSession) -> BoxFuture<'a, Result<Box<dyn Session>, Error>> {
        Box::pin(async {
            let session =
                ConsoleSession { open: std::io::stdin().is_terminal(), source: self.source.clone(), count: 0 };
            Ok(Box::new(session) as Box<dyn Session>)
        })
    }

    fn push_login<'a>(
        &'a self,
        saved: &'a SavedSession,
        _watcher: &'a dyn LoginWatcher,
    ) -> BoxFuture<'a, Result<Box<dyn Session>, Error>> {
        self.resume(saved)
    }

    fn login<'a>(&'a self, _watcher: &'a dyn LoginWatcher) -> BoxFuture<'a, Result<Box<dyn Session>, Error>> {
        Box::pin(async { Err(Error::LoginNotCompleted("a console needs no login")) })
    }

    fn draw_client_msg_id(&self) -> ClientMsgId {
        self.ids.draw()
    }
}

/// The next line that is typed. There is one reader for all sessions, one after another: a session that ended left it
/// waiting for a line, and another reader would not get that one.
///
/// Cancel safe: a line is taken whole or not at all.
async fn typed() -> Option<String> {
    static READER: Mutex<Option<Lines<BufReader<Stdin>>>> = Mutex::const_new(None);
    let mut reader = READER.lock().await;
    reader.get_or_insert_with(|| BufReader::new(tokio::io::stdin()).lines()).next_line().await.ok().flatten()
}

struct ConsoleSession {
    /// False without a terminal: then it idles.
    open: bool,
    source: Source,
    count: u64,
}

impl Session for ConsoleSession {
    /// Cancel safe: a line is taken whole or not at all.
    fn next_batch(&mut self) -> BoxFuture<'_, Result<Batch, Error>> {
        Box::pin(async {
            loop {
                let line = if self.open { typed().await } else { None };
                let Some(text) = line else {
                    // No terminal, or its end (Ctrl-D): the account stays, and hears nothing any more.
                    self.open = false;
                    std::future::pending::<()>().await;
                    continue;
                };
                if text.trim().is_empty() {
                    continue;
                }
                self.count += 1;
                let id = format!("{}-{}", self.source.now_ms(), self.count);
                #[expect(clippy::expect_used, reason = "digits and a dash")]
                let (key, msg) = (id.parse().expect("printable"), id.parse().expect("printable"));
                let message = Message {
                    id: msg,
                    from_self: false,
                    content: Content::Text { text },
                    mentions: Mentions::default(),
                };
                let event = Incoming {
                    key,
                    chat: peer("you"),
                    sender: Some(peer("you")),
                    at_s: self.source.now_s(),
                    kind: EventKind::Message(message),
                };
                return Ok(Batch { events: vec![event], ..Batch::default() });
            }
        })
    }

    fn sender(&self) -> Arc<dyn ActionSender> {
        Arc::new(Printer)
    }

    fn myself(&self) -> Contact {
        Contact { nick_name: "bot".into(), ..Contact::nameless(peer("bot"), ContactKind::Myself) }
    }

    fn contacts(&self) -> Vec<Arc<Contact>> {
        vec![Arc::new(self.myself()), Arc::new(you())]
    }

    fn saved(&self) -> Result<SavedSession, Error> {
        Ok(SavedSession { credentials: Secret::default(), cursor: bytes::Bytes::new() })
    }

    fn log_out(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

struct Printer;

impl ActionSender for Printer {
    fn perform(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<Receipt, SendError>> {
        Box::pin(async move {
            let Action::SendText { text, .. } = &outgoing.action else {
                return Err(SendError::Failed { why: "a console shows text only".into() });
            };
            let shown = text.replace('\n', "\n     ");
            match writeln!(std::io::stdout().lock(), "bot> {shown}") {
                Ok(()) => Ok(Receipt { server_id: Some(outgoing.client_id.to_string()) }),
                Err(error) => Err(SendError::Failed { why: error.to_string() }),
            }
        })
    }
}
