//! What do the service's own accounts share? Where it is, what its codes mean, and how long a text may be.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::Value;
use tokio::sync::watch;
use wxbot_model::{Contact, Secret};

use crate::error::{Error, SendError};
use crate::mapping::ActionMap;
use crate::protocol::{ActionSender, Batch, SavedSession, Session};
use crate::push::Beside;

/// Bytes of one text; the service cuts or refuses what is longer.
pub(super) const TEXT: usize = 2_048;
/// Parts that one text becomes at most.
pub(super) const PARTS: usize = 20;
const MINUTE: Duration = Duration::from_secs(60);

/// The names under `[accounts.secrets]` that the official tables fill in.
pub(super) const CORP_ID: &str = "CORP_ID";
pub(super) const CORP_SECRET: &str = "CORP_SECRET";
pub(super) const AGENT_ID: &str = "AGENT_ID";

/// A table that comes with wxbot; the tests read each without a mistake.
pub(super) fn table(text: &str) -> ActionMap {
    let names: BTreeSet<String> = [CORP_ID, CORP_SECRET, AGENT_ID].map(str::to_owned).into();
    let table = text.parse::<toml::Table>().ok().and_then(|table| serde_json::to_value(table).ok());
    let actions = table.as_ref().and_then(|table| table.get("actions")).unwrap_or(&Value::Null);
    ActionMap::read(actions, &names).unwrap_or_default()
}

/// What to do about a code.
enum Means {
    /// Wait, then the same again.
    Later(Duration),
    /// A person has to do something.
    Never,
}

/// Codes and their cures. Those without a place in the notes are from general knowledge of the service.
const CODES: [(i64, Means, &str); 17] = [
    (-1, Means::Later(Duration::from_secs(5)), "the service is busy"),
    (45009, Means::Later(MINUTE), "too often: a group robot may send 20 messages a minute; lower `pacing`"),
    (45033, Means::Later(Duration::from_secs(5)), "too many calls at once; lower `pacing`"),
    (40014, Means::Later(MINUTE), "the service refuses a token that it gave just now"),
    (42001, Means::Later(MINUTE), "the service says that a token is over which it gave just now"),
    (40001, Means::Never, "`corp_secret` is not this application's; copy it again from the management console"),
    (40013, Means::Never, "`corp_id` is wrong; it stands at the end of \"My company\" in the management console"),
    (40056, Means::Never, "`agent_id` is wrong; it stands on the application's page"),
    (301002, Means::Never, "`corp_secret` belongs to another application than `agent_id`"),
    (93000, Means::Never, "the robot's key is wrong, or the robot was removed from its group; copy its address again"),
    (60020, Means::Never, "this machine's address is not trusted; add it to the application's trusted IPs"),
    (48002, Means::Never, "the application has no permission for this; give it one in the management console"),
    (60011, Means::Never, "the application may not see this; widen its visible range in the management console"),
    (60111, Means::Never, "there is no such member"),
    (81013, Means::Never, "none of the receivers is in the application's visible range"),
    (86001, Means::Never, "there is no such room, or another application made it"),
    (40007, Means::Never, "the uploaded file is not known any more"),
];

/// Codes that say something of the account and not of one message: nothing goes out before a person has changed something.
const OF_THE_ACCOUNT: [i64; 6] = [40001, 40013, 40056, 301002, 60020, 93000];

/// Whether the account can send at all, for its state: what its last message met.
#[derive(Debug)]
pub(super) struct Standing(watch::Sender<Beside>);

impl Standing {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(Beside::default()))
    }

    /// Takes note of what became of a message.
    pub(super) fn note<T>(&self, done: &Result<T, SendError>) {
        let trouble = match done {
            Ok(_) => String::new(),
            Err(SendError::Failed { why }) if is_of_the_account(why) => format!("nothing can be sent: {why}"),
            // Of one message, or of the network.
            Err(_) => return,
        };
        self.0.send_if_modified(|beside| {
            let changed = beside.trouble != trouble;
            beside.trouble = trouble;
            changed
        });
    }

    /// For whom the account knows.
    pub(super) fn know(&self, contacts: Vec<Arc<Contact>>) {
        self.0.send_modify(|beside| beside.contacts = contacts);
    }

    pub(super) fn watch(&self) -> watch::Receiver<Beside> {
        self.0.subscribe()
    }
}

fn is_of_the_account(why: &str) -> bool {
    CODES.iter().any(|(code, _, cure)| OF_THE_ACCOUNT.contains(code) && why.contains(cure))
}

/// What a no of the service means.
pub(super) fn judge(answer: &Value) -> Option<SendError> {
    let code = answer.get("errcode")?.as_i64()?;
    let said = answer.get("errmsg").and_then(Value::as_str).unwrap_or_default();
    let said: String = said.chars().filter(|c| !c.is_control()).take(200).collect();
    if code == 0 {
        // It says yes, and reached nobody.
        let key = ["invaliduser", "unlicenseduser"].into_iter().find(|key| {
            answer.get(key).is_some_and(|who| who.as_str().is_some_and(|who| !who.is_empty()) || who.is_array())
        })?;
        let why = match key {
            "invaliduser" => "the receiver is no member, or not in the application's visible range (invaliduser)",
            _ => "the receiver has no licence for this (unlicenseduser)",
        };
        return Some(SendError::Failed { why: why.to_owned() });
    }
    let (_, means, cure) = CODES.iter().find(|(known, ..)| *known == code)?;
    let why = format!("{cure} ({code}: {said})");
    Some(match means {
        Means::Later(after) => SendError::NotTaken { why, after: *after },
        Means::Never => SendError::Failed { why },
    })
}

/// A text in parts of at most `most` bytes: at line ends where there are any, never inside a character.
pub(super) fn parts(text: &str, most: usize) -> Vec<&str> {
    let (mut parts, mut rest) = (Vec::new(), text);
    while rest.len() > most {
        let mut end = most;
        while !rest.is_char_boundary(end) {
            end -= 1;
        }
        let head = rest.get(..end).unwrap_or_default();
        let at = head.rfind('\n').filter(|at| *at > 0);
        let (part, behind) = match at {
            Some(at) => (rest.get(..at), rest.get(at + 1..)),
            None => (rest.get(..end), rest.get(end..)),
        };
        parts.extend(part.filter(|part| !part.trim().is_empty()));
        rest = behind.unwrap_or_default();
    }
    if parts.is_empty() || !rest.trim().is_empty() {
        parts.push(rest);
    }
    parts
}

/// What became of a later part: those before are there, so the whole must not be sent again.
pub(super) fn after_some(sent: usize, all: usize, error: &SendError) -> SendError {
    SendError::Uncertain { why: format!("{sent} of {all} parts were sent, then: {error}") }
}

/// Parts of a text, or why there are too many.
pub(super) fn few_parts(text: &str) -> Result<Vec<&str>, SendError> {
    let parts = parts(text, TEXT);
    if parts.len() > PARTS {
        let why = format!("the text would be {} messages of {TEXT} bytes; at most {PARTS} are sent", parts.len());
        return Err(SendError::Failed { why });
    }
    Ok(parts)
}

/// A session of an account that nothing is pushed to.
pub(super) struct Silent {
    pub(super) sender: Arc<dyn ActionSender>,
    pub(super) me: Contact,
    pub(super) contacts: Vec<Arc<Contact>>,
    /// Whether it can send.
    pub(super) standing: watch::Receiver<Beside>,
}

impl Session for Silent {
    fn next_batch(&mut self) -> BoxFuture<'_, Result<Batch, Error>> {
        Box::pin(async {
            if self.standing.changed().await.is_err() {
                return std::future::pending().await;
            }
            let trouble = self.standing.borrow_and_update().trouble.clone();
            Ok(Batch { trouble: Some(trouble), ..Batch::default() })
        })
    }

    fn sender(&self) -> Arc<dyn ActionSender> {
        Arc::clone(&self.sender)
    }

    fn myself(&self) -> Contact {
        self.me.clone()
    }

    fn contacts(&self) -> Vec<Arc<Contact>> {
        let mut all = vec![Arc::new(self.me.clone())];
        all.extend(self.contacts.iter().cloned());
        all
    }

    fn has_address_book(&self) -> bool {
        false
    }

    fn saved(&self) -> Result<SavedSession, Error> {
        Ok(SavedSession { credentials: Secret::default(), cursor: bytes::Bytes::new() })
    }

    fn log_out(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

impl fmt::Debug for Silent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Silent({})", self.me.peer)
    }
}

#[cfg(test)]
#[path = "official_tests.rs"]
mod tests;
