//! What does a person send by hand? One message to one recipient, through the outbox as everything else.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use wxbot_core::source::Source;
use wxbot_model::{AccountName, Action, Capabilities, Capability, ClientMsgId, ContactId, MediaShape};
use wxbot_plugin::{ContactQuery, Effects, FoundContact, MediaSource};

use crate::account::Account;
use crate::contacts::find_stored;
use crate::dispatch::collect::rows_of;
use crate::dispatch::{WXBOT, no_event};
use crate::media::MediaFolder;
use crate::outbox;
use crate::plugin::limits;
use crate::store::{LoneSend, Store};

/// Names that are told where several fit.
const TOLD: usize = 6;

/// A message that a person sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Errand {
    /// To whom: a contact id, or a name that fits one contact alone.
    pub to: String,
    /// What.
    pub what: What,
}

/// What a person sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// A text.
    Text {
        /// It.
        text: String,
        /// Whom it mentions in a room, by contact id.
        mention: Vec<ContactId>,
    },
    /// A file that wxbot may read.
    File {
        /// Where it is.
        path: PathBuf,
        /// How it is shown.
        shape: MediaShape,
    },
}

/// A message that was taken into the outbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// Its number there.
    pub id: u64,
    /// To whom it goes.
    pub to: ContactId,
    /// How they are called.
    pub name: String,
}

/// The account in whose name something is sent, as far as that needs it.
#[derive(Debug)]
pub struct Sender<'a> {
    /// Whose.
    pub name: &'a AccountName,
    /// What its protocol can do.
    pub capabilities: Capabilities,
    /// How wide a text may be before it goes out in parts; as [`Protocol::text_limit`](wxbot_core::Protocol::text_limit).
    pub text_limit: Option<usize>,
    /// Where everything lives.
    pub store: &'a dyn Store,
    /// Where files go.
    pub media: &'a MediaFolder,
    /// Time and chance.
    pub source: &'a Source,
    /// The account itself, where it runs.
    pub account: Option<&'a Account>,
}

impl Sender<'_> {
    /// Whom a person means.
    ///
    /// # Errors
    /// In words: nobody, or several.
    pub async fn recipient(&self, to: &str) -> Result<(ContactId, String), String> {
        let rows = self.store.contacts(self.name).await.map_err(|error| error.to_string())?;
        if let Ok(id) = to.parse::<ContactId>() {
            let named = self.account.map(|account| account.read_contacts(|book| book.name_of(&id).to_owned()));
            let row = rows.iter().find(|row| row.id == id);
            let stored = || row.map(|row| if row.remark_name.is_empty() { &row.nick_name } else { &row.remark_name });
            let name = named.filter(|name| !name.is_empty()).or_else(|| stored().map(ToString::to_string));
            return name.map(|name| (id, name)).ok_or_else(|| {
                format!("account `{}` knows no contact {to}; `wxbot contacts {} NAME` finds one", self.name, self.name)
            });
        }
        let query = ContactQuery::new(to).limit(TOLD);
        let mut found = self.account.map(|account| account.find_contacts(&query)).unwrap_or_default();
        if found.is_empty() {
            found = find_stored(&rows, &query);
        }
        unique(found, to).map_err(|why| format!("{why}; `wxbot contacts {} {to}` lists them", self.name))
    }

    /// The action of a message, and what keeps its file until the action is stored.
    async fn action(&self, errand: &Errand, to: ContactId) -> Result<(Action, Option<crate::media::Held>), String> {
        let (action, hold) = match &errand.what {
            What::Text { text, mention } => {
                if !mention.is_empty() && !to.as_str().starts_with('r') {
                    return Err("a mention is for rooms".into());
                }
                (Action::SendText { to, text: text.clone(), mention: mention.clone() }, None)
            }
            What::File { path, shape } => {
                self.can(shape.needs())?;
                let source = MediaSource::Path { path: path.clone(), name: None };
                let taken = self.media.take(self.name, *shape, source).await?;
                (Action::SendMedia { to, shape: *shape, media: taken.media }, taken.hold)
            }
        };
        self.can(action.needs())?;
        limits::check(&Effects::none().and_act(action.clone()))?;
        Ok((action, hold))
    }

    fn can(&self, what: Capability) -> Result<(), String> {
        if self.capabilities.has(what) {
            Ok(())
        } else {
            Err(format!("account `{}` cannot do that: `{what}`", self.name))
        }
    }

    /// A text to be sent later, as an action in JSON, and whom it goes to.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn later(&self, errand: &Errand) -> Result<(ContactId, String, String), String> {
        let (to, name) = self.recipient(&errand.to).await?;
        let (action, _hold) = self.action(errand, to.clone()).await?;
        let body = serde_json::to_string(&action).map_err(|error| error.to_string())?;
        Ok((to, name, body))
    }

    /// Takes a message into the outbox. A running account sends it in its turn; another one when it runs again, unless it
    /// is too old by then.
    ///
    /// # Errors
    /// In words: the recipient, the file, what the account cannot do, or the store.
    pub async fn send(&self, errand: &Errand) -> Result<Stored, String> {
        let (to, name) = self.recipient(&errand.to).await?;
        let (action, _hold) = self.action(errand, to.clone()).await?;
        let protocol = self.account.map(|account| Arc::clone(&account.settings().protocol));
        let draw = || protocol.as_ref().map_or_else(|| client_id(self.source), |one| one.draw_client_msg_id());
        let sends = rows_of(self.text_limit, draw, &Arc::from(WXBOT), &to, &action, 0)?;
        let count = sends.len();
        let cause = no_event(self.source);
        let direct = self.account.and_then(outbox::may_claim);
        let stored = LoneSend { account: self.name.clone(), sends, cause, direct, now_ms: self.source.now_ms() };
        let claimed = self.store.send(stored).await.map_err(|error| error.to_string())?;
        if let Some(account) = self.account {
            account.outbox.stored(count, claimed);
        }
        let id = self.store.send_of(cause).await.map_err(|error| error.to_string())?;
        Ok(Stored { id: id.ok_or("the send was stored and is not there")?, to, name })
    }
}

/// The one that fits: whose whole name it is, or the only one.
fn unique(found: Vec<FoundContact>, to: &str) -> Result<(ContactId, String), String> {
    let whole = |one: &&FoundContact| [&one.name, &one.nick_name, &one.alias].iter().any(|name| **name == to);
    let exact: Vec<_> = found.iter().filter(whole).collect();
    match (exact.as_slice(), found.as_slice()) {
        ([one], _) => Ok((one.id.clone(), one.name.clone())),
        ([], [one]) => Ok((one.id.clone(), one.name.clone())),
        ([], []) => Err(format!("nobody is called `{to}`")),
        _ => {
            let told: Vec<_> = found.iter().take(TOLD - 1).map(|one| format!("{} {}", one.id, one.name)).collect();
            let more = if found.len() >= TOLD { ", …" } else { "" };
            Err(format!("`{to}` may be several: {}{more}; write the contact id", told.join(", ")))
        }
    }
}

/// As services draw them: milliseconds, a zero, three digits. The store takes the next one where it is taken.
fn client_id(source: &Source) -> ClientMsgId {
    #[expect(clippy::expect_used, reason = "digits only, far below 40")]
    format!("{}0{:03}", source.now_ms(), source.below(1_000)).parse().expect("digits")
}

impl Account {
    /// Sends in this account's name.
    pub fn errands(&self) -> Sender<'_> {
        let protocol = Arc::clone(&self.settings().protocol);
        Sender {
            name: &self.name,
            capabilities: protocol.capabilities(),
            text_limit: protocol.text_limit(),
            store: &*self.store,
            media: &self.media,
            source: &self.source,
            account: Some(self),
        }
    }
}
