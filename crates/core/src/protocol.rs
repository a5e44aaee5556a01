//! What does the runtime see of a protocol? Logging in, batches of events, and sending: the same for all of them.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use wxbot_model::{Action, Capabilities, ClientMsgId, Contact, EventKey, EventKind, MediaHandle, PeerId, Secret};

use crate::error::{Error, FetchError, SendError};
use crate::push::{Door, Kept};

/// One account's way to the service: settings and carrier, no session yet.
pub trait Protocol: Send + Sync + fmt::Debug {
    /// What accounts of this protocol can do.
    fn capabilities(&self) -> Capabilities;

    /// False for protocols that nobody logs in to: they are resumed from the cursor they left and what their batches sealed
    /// beside it, both empty at first.
    fn needs_login(&self) -> bool {
        true
    }

    /// How long a conversation may be written in after somebody wrote there; `None` where nobody asks.
    fn reply_window(&self) -> Option<ReplyWindow> {
        None
    }

    /// Whether the service shows a message with a used [`ClientMsgId`] no second time: what nobody knows to have arrived may
    /// then go out again.
    fn resends_safely(&self) -> bool {
        false
    }

    /// How many characters one text may have; longer ones go out in parts. `None` where the service says nothing.
    fn text_limit(&self) -> Option<usize> {
        None
    }

    /// How what the service pushes comes in; `None` for protocols that are asked.
    fn door(&self) -> Option<Arc<dyn Door>> {
        None
    }

    /// Continues a saved session without asking anybody.
    ///
    /// # Errors
    /// [`Error::Ended`] when the service no longer accepts it: the saved state is then useless but for
    /// [`push_login`](Self::push_login). Transient errors leave it good.
    fn resume<'a>(&'a self, saved: &'a SavedSession) -> BoxFuture<'a, Result<Box<dyn Session>, Error>>;

    /// Asks the phone of a former session for a confirmation, without a QR code. Most services ask none.
    ///
    /// # Errors
    /// Whatever keeps it from happening; the next step is a QR code.
    fn push_login<'a>(
        &'a self,
        saved: &'a SavedSession,
        watcher: &'a dyn LoginWatcher,
    ) -> BoxFuture<'a, Result<Box<dyn Session>, Error>> {
        _ = (saved, watcher);
        Box::pin(async { Err(Error::LoginNotCompleted("no phone can be asked to confirm a login here")) })
    }

    /// What is saved of a former session, good or refused: told before a [`login`](Self::login), which may show the service
    /// that it is known here.
    fn remember(&self, saved: &SavedSession) {
        _ = saved;
    }

    /// Logs in anew by QR code, renewing it at most five times while [`LoginWatcher::still_wanted`].
    ///
    /// # Errors
    /// [`Error::LoginNotCompleted`] when nobody scanned, and always where [nobody logs in](Self::needs_login);
    /// [`Error::Refused`] when the service says no.
    fn login<'a>(&'a self, watcher: &'a dyn LoginWatcher) -> BoxFuture<'a, Result<Box<dyn Session>, Error>> {
        _ = watcher;
        Box::pin(async { Err(Error::LoginNotCompleted("nobody logs in here: the service holds the login")) })
    }

    /// Draws an id for an outgoing message. Never the same one twice from one instance.
    fn draw_client_msg_id(&self) -> ClientMsgId;
}

/// Services that let a bot answer, and not begin: from each message of a person on, so many sends for so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplyWindow {
    /// Sends for each message that came in; at least 1.
    pub sends: u32,
    /// Until when after that message, whatever is left of them.
    pub open_for: Duration,
}

/// The running session of one account. Dropping it ends nothing on the service: it can be resumed.
pub trait Session: Send + Sync {
    /// Waits for the next batch. It may be empty of events.
    ///
    /// Cancel safe: what the session knows moves only when a batch is returned. A batch that could not be stored must
    /// end in dropping the session and resuming from what was stored.
    fn next_batch(&mut self) -> BoxFuture<'_, Result<Batch, Error>>;

    /// [`next_batch`](Self::next_batch) has come to something within this time, or the session is dead whatever its
    /// connections look like; `None` where silence means nothing.
    fn heard_within(&self) -> Option<Duration> {
        None
    }

    /// The half that sends; lives as long as somebody holds it and fails with [`SendError::Ended`] after the session.
    fn sender(&self) -> Arc<dyn ActionSender>;

    /// The account itself, as the service names it in this login.
    fn myself(&self) -> Contact;

    /// All contacts known so far; the first thing the runtime asks.
    fn contacts(&self) -> Vec<Arc<Contact>>;

    /// True when [`contacts`](Self::contacts) began with the whole address book. Without it nobody who was known before
    /// is known again by name: somebody of the same name may be missing.
    fn has_address_book(&self) -> bool {
        true
    }

    /// State to save, with nothing pending. Batches carry their own.
    ///
    /// # Errors
    /// When it cannot be written as bytes, which no known state causes.
    fn saved(&self) -> Result<SavedSession, Error>;

    /// Tells the service that the session ends (log out). Best effort.
    fn log_out(&mut self) -> BoxFuture<'_, ()>;

    /// Tells the service that nobody listens for a while: wxbot ends, and goes on with the same session later. Best effort.
    fn leave(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

/// Sends actions and fetches media within a session.
pub trait ActionSender: Send + Sync {
    /// Does one action. Not cancel safe: a dropped future is as good as [`SendError::Uncertain`].
    ///
    /// # Errors
    /// Typed by whether it may be sent again. What has to happen before (an upload) and failed is
    /// [`SendError::NotTaken`]: nobody has seen anything of it.
    fn perform(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<Receipt, SendError>>;

    /// Shows somebody that an answer is being written, or no longer. It holds for some seconds: who works on repeats it,
    /// and ends it. Cancel safe; nothing depends on it.
    ///
    /// # Errors
    /// When the service did not take it.
    fn typing<'a>(&'a self, to: &'a PeerId, on: bool) -> BoxFuture<'a, Result<(), SendError>> {
        _ = (to, on);
        Box::pin(async { Ok(()) })
    }

    /// Asks for bytes. Cancel safe, and so is reading them.
    ///
    /// # Errors
    /// Typed by whether asking again may help.
    fn fetch(&self, what: Fetch) -> BoxFuture<'_, Result<Fetched, FetchError>> {
        let what = what.word();
        Box::pin(async move { Err(FetchError::Refused { why: format!("this protocol fetches no {what}") }) })
    }

    /// Asks the service who this is, members of a room included. Cancel safe.
    ///
    /// # Errors
    /// Typed by whether asking again may help.
    fn look_up<'a>(&'a self, peer: &'a PeerId) -> BoxFuture<'a, Result<Arc<Contact>, FetchError>> {
        Box::pin(async move { Err(FetchError::Refused { why: format!("this protocol does not tell who {peer} is") }) })
    }
}

/// One action addressed in the protocol's own ids.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// What to do. Its contact ids are already translated below.
    pub action: Action,
    /// [`Action::to`] in this login.
    pub to: Option<PeerId>,
    /// [`Action::others`] in this login; of mentions, those that are known in it.
    pub others: Vec<PeerId>,
    /// The bytes of [`Action::SendMedia`].
    pub media: Option<MediaFile>,
    /// The id that was fixed when the action was stored.
    pub client_id: ClientMsgId,
}

/// Bytes to upload: a file that nobody changes.
#[derive(Debug, Clone)]
pub struct MediaFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its length in bytes.
    pub len: u64,
    /// The name to send it under: a plain file name with its extension, made safe before.
    pub name: String,
    /// Told how much of it the service has.
    pub progress: Progress,
}

/// How far an upload is. Clones show the same.
#[derive(Debug, Clone, Default)]
pub struct Progress(Arc<AtomicU64>);

impl Progress {
    /// This many bytes are with the service.
    pub fn set(&self, bytes: u64) {
        self.0.store(bytes, Ordering::Relaxed);
    }

    /// How many bytes are with the service.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Bytes to ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fetch {
    /// Of a message.
    Media(MediaHandle),
    /// The picture of a person or room.
    Avatar {
        /// Whose.
        of: PeerId,
        /// For members of a room who are no friends: the room.
        room: Option<PeerId>,
    },
}

impl Fetch {
    /// What it is, for texts.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Media(_) => "media",
            Self::Avatar { .. } => "avatars",
        }
    }
}

/// Bytes on their way.
pub struct Fetched {
    /// How many the service says there are; not to be trusted.
    pub stated_len: Option<u64>,
    /// What the service says they are; not to be trusted.
    pub content_type: Option<String>,
    /// The bytes. It ends with an error when fewer came than were stated.
    pub body: BoxStream<'static, Result<Bytes, FetchError>>,
}

impl fmt::Debug for Fetched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fetched({:?} bytes of {:?})", self.stated_len, self.content_type)
    }
}

/// The service's yes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Receipt {
    /// The service's id of the message; `None` when it gave none (then the send is unconfirmed).
    pub server_id: Option<String>,
}

/// Something that happened, in the protocol's own ids.
#[derive(Debug, Clone, PartialEq)]
pub struct Incoming {
    /// Unique within the account.
    pub key: EventKey,
    /// The conversation.
    pub chat: PeerId,
    /// Who did it.
    pub sender: Option<PeerId>,
    /// Seconds since 1970 by the service's clock.
    pub at_s: i64,
    /// What happened.
    pub kind: EventKind,
}

/// A change of the address book.
#[derive(Debug, Clone, PartialEq)]
pub enum ContactChange {
    /// New or changed.
    Upsert(Arc<Contact>),
    /// Named by an event of a service whose ids last: what is empty in it was not told, and replaces nothing.
    Met(Arc<Contact>),
    /// Deleted or left.
    Remove(PeerId),
}

/// What one poll brought. Events and state are committed together.
#[derive(Debug, Default)]
pub struct Batch {
    /// In the order of the service.
    pub events: Vec<Incoming>,
    /// To apply before the events are stored.
    pub contacts: Vec<ContactChange>,
    /// Where the next poll goes on; `None` when it did not move.
    pub cursor: Option<Bytes>,
    /// Cookies and keys, when they changed.
    pub credentials: Option<Secret<Vec<u8>>>,
    /// Somebody logged the account out, in the service's words. The session goes on: whoever logs in again is heard.
    pub logged_out: Option<String>,
    /// What is wrong although the session goes on: messages come in, and sending fails. Empty when nothing is any more.
    pub trouble: Option<String>,
    /// Nothing at all is heard of the service, neither pushes nor answers: since when, and what was tried. Empty when
    /// something is heard again.
    pub unheard: Option<String>,
    /// Who is told when all of it is committed.
    pub kept: Kept,
}

/// What must be kept to continue a session later: credentials (sealed at rest) and the cursor.
#[derive(Debug, Clone)]
pub struct SavedSession {
    /// Cookies, keys, hosts. Whoever has them is the account.
    pub credentials: Secret<Vec<u8>>,
    /// Where the next poll goes on.
    pub cursor: Bytes,
}

/// What a login tells on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LoginEvent {
    /// Scan this.
    Qr {
        /// The text that the QR code holds.
        payload: String,
        /// Where the service offers the picture itself.
        image_url: String,
        /// The service's id of this login.
        uuid: String,
        /// 1 for the first one, at most 6.
        number: u32,
    },
    /// The phone was asked to confirm; nothing to scan.
    Pushed {
        /// The service's id of this login.
        uuid: String,
    },
    /// Scanned; waiting for the confirmation. Told once per code.
    Scanned,
    /// The phone shows digits that must be typed here; [`LoginWatcher::code`] is asked for them.
    CodeWanted {
        /// Those given before were wrong.
        wrong: bool,
    },
    /// Confirmed; loading.
    Confirmed,
}

/// Who watches a login.
pub trait LoginWatcher: Send + Sync {
    /// Something happened.
    fn tell(&self, event: LoginEvent);
    /// False when nobody would see another QR code.
    fn still_wanted(&self) -> bool;
    /// Asks a person for the digits that the phone shows; `None` when nobody can be asked. Cancel safe.
    fn code(&self) -> BoxFuture<'_, Option<String>> {
        Box::pin(async { None })
    }
}
