//! What did clients do so far, for tests to look at afterwards?

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::Serialize;

use crate::Sim;
use crate::account::{Account, State};
use crate::log::Entry;
use crate::names::Peer;

/// A snapshot of everything that happened, each list in order of time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Journal {
    /// Sessions that began (newloginpage answered with keys).
    pub logins: Vec<LoginEntry>,
    /// webwxinit calls of live sessions.
    pub inits: Vec<CallEntry>,
    /// webwxstatusnotify with Code 1: conversations marked as read.
    pub reads: Vec<PeerEntry>,
    /// webwxsync calls of live sessions.
    pub syncs: Vec<SyncEntry>,
    /// Messages that clients sent and the server took.
    pub sends: Vec<SendEntry>,
    /// Messages that clients recalled.
    pub recalls: Vec<RecallEntry>,
    /// Chunks of files that clients uploaded.
    pub uploads: Vec<UploadEntry>,
    /// webwxverifyuser calls.
    pub verifies: Vec<VerifyEntry>,
    /// webwxcreatechatroom and webwxupdatechatroom calls.
    pub room_calls: Vec<RoomCallEntry>,
    /// webwxlogout calls of live sessions.
    pub logouts: Vec<CallEntry>,
    /// Messages that were told to accounts, handed out or not.
    pub delivered: Vec<DeliveredEntry>,
}

/// A login.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LoginEntry {
    /// Whose.
    pub account: String,
    /// ms since 1970.
    pub at_ms: u64,
    /// True: confirmed on the phone without a QR code (webwxpushloginurl).
    pub push: bool,
}

/// A call of which only the time matters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CallEntry {
    /// Whose.
    pub account: String,
    /// ms since 1970.
    pub at_ms: u64,
}

/// A call about one conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PeerEntry {
    /// Whose.
    pub account: String,
    /// ms since 1970.
    pub at_ms: u64,
    /// Nick of the friend, topic of the room or id of the service.
    pub peer: String,
}

/// A webwxsync.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SyncEntry {
    /// Whose.
    pub account: String,
    /// ms since 1970.
    pub at_ms: u64,
    /// Entries of AddMsgList that were handed out.
    pub messages: u32,
}

/// A message that a client sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SendEntry {
    /// Whose client.
    pub account: String,
    /// Nick of the friend, topic of the room, id of the service, or empty for the account itself.
    pub to: String,
    /// True when `to` is a room.
    pub room: bool,
    /// `Msg.Type`.
    pub msg_type: i64,
    /// `Msg.Content`.
    pub content: String,
    /// `Msg.ClientMsgId`.
    pub client_msg_id: String,
    /// MsgID that the server gave.
    pub msg_id: String,
    /// ms since 1970.
    pub at_ms: u64,
    /// The ClientMsgId had been sent before. Such a message is delivered again: nothing proves that the real server
    /// drops it.
    pub duplicate: bool,
    /// What was sent with it, of anything but text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media: Option<SentMedia>,
}

/// A picture, film, sticker or file that a client sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SentMedia {
    /// `Msg.MediaId`; empty when it was named otherwise.
    pub media_id: String,
    /// 32 lower-case hex digits.
    pub md5: String,
    /// Length in bytes; 0 for a sticker that the service does not have.
    pub len: u64,
    /// Name given at upload, or title of the file.
    pub file_name: String,
}

/// A chunk that a client uploaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UploadEntry {
    /// Whose client.
    pub account: String,
    /// ms since 1970.
    pub at_ms: u64,
    /// Part `name`.
    pub file_name: String,
    /// Which chunk, from 0 on.
    pub chunk: usize,
    /// How many there are.
    pub chunks: usize,
    /// Its length in bytes.
    pub len: usize,
    /// Part `mediatype`.
    pub media_type: String,
}

/// A friend request that a client made or accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VerifyEntry {
    /// Whose client.
    pub account: String,
    /// ms since 1970.
    pub at_ms: u64,
    /// 2 asked, 3 accepted.
    pub opcode: i64,
    /// Nick.
    pub who: String,
    /// Greeting.
    pub content: String,
}

/// A room that a client made or changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RoomCallEntry {
    /// Whose client.
    pub account: String,
    /// ms since 1970.
    pub at_ms: u64,
    /// `create`, or the query's `fun`.
    pub fun: String,
    /// Topic, or the room's id when it has none.
    pub room: String,
    /// Nicks of the people it was about: who was drawn in, invited or removed.
    pub who: Vec<String>,
    /// What the service answered: 0 when it was done.
    pub ret: i64,
}

/// A message that a client recalled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecallEntry {
    /// Whose client.
    pub account: String,
    /// MsgID of the message.
    pub msg_id: String,
    /// ms since 1970.
    pub at_ms: u64,
}

/// A message that was told to an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeliveredEntry {
    /// Who was told.
    pub account: String,
    /// MsgId.
    pub msg_id: String,
    /// When it was told, ms since 1970.
    pub at_ms: u64,
    /// How often webwxsync handed it out; 0: no client has seen it.
    pub handed: u32,
    /// Nick of the friend or id of the service; in a room the speaker.
    pub from: String,
    /// Topic, in a room.
    pub room: Option<String>,
    /// MsgType.
    pub msg_type: i64,
    /// Content in wire form.
    pub content: String,
}

/// Counts, for harnesses that need no details.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Logins of all accounts.
    pub logins: usize,
    /// Accounts with a synccheck open at this moment.
    pub polling: usize,
    /// Messages told.
    pub delivered: usize,
    /// Messages that were handed out at least once.
    pub handed_out: usize,
    /// Messages that were handed out more than once.
    pub handed_again: usize,
    /// Messages that clients sent.
    pub sends: usize,
    /// Sends with a ClientMsgId that had been sent before.
    pub duplicate_client_ids: usize,
    /// How often each content was sent.
    pub sends_by_content: BTreeMap<String, u64>,
    /// Kinds of hard violations.
    pub hard_violations: usize,
    /// Kinds of soft violations.
    pub soft_violations: usize,
}

/// What one account's clients did, kept small: a load test adds a send per message.
#[derive(Debug, Default)]
pub(crate) struct Record {
    pub(crate) logins: Vec<(u64, bool)>,
    pub(crate) inits: Vec<u64>,
    pub(crate) reads: Vec<(u64, Peer)>,
    pub(crate) syncs: Vec<(u64, u32)>,
    pub(crate) sends: Vec<Sent>,
    pub(crate) recalls: Vec<(u64, u64)>,
    pub(crate) uploads: Vec<UploadEntry>,
    pub(crate) verifies: Vec<(u64, i64, Peer, String)>,
    pub(crate) room_calls: Vec<RoomCall>,
    pub(crate) logouts: Vec<u64>,
    /// Which ClientMsgIds were used, and a hash of what for.
    ids: HashMap<Arc<str>, u64>,
}

#[derive(Debug)]
pub(crate) struct RoomCall {
    pub(crate) at_ms: u64,
    pub(crate) fun: String,
    pub(crate) room: Peer,
    pub(crate) who: Vec<Peer>,
    pub(crate) ret: i64,
}

#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) to: Peer,
    pub(crate) msg_type: i64,
    pub(crate) content: Box<str>,
    pub(crate) client_msg_id: Arc<str>,
    pub(crate) msg_id: u64,
    pub(crate) at_ms: u64,
    pub(crate) duplicate: bool,
    pub(crate) media: Option<Box<SentMedia>>,
}

/// What the books say about a ClientMsgId.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IdUse {
    First,
    SameAgain,
    OtherContent,
}

impl Record {
    /// Notes that the id was used for a message with this hash.
    pub(crate) fn use_id(&mut self, id: &str, hash: u64) -> (Arc<str>, IdUse) {
        if let Some((known, &before)) = self.ids.get_key_value(id) {
            let used = if before == hash { IdUse::SameAgain } else { IdUse::OtherContent };
            return (Arc::clone(known), used);
        }
        let id: Arc<str> = Arc::from(id);
        self.ids.insert(Arc::clone(&id), hash);
        (id, IdUse::First)
    }
}

impl Sim {
    /// Forgets what the journal holds, and what was in messages that a client has been given: for runs that are longer than
    /// memory. A client that asks for those again gets them empty.
    pub fn forget(&self) {
        for account in self.accounts() {
            let mut state = account.lock();
            state.record = Record::default();
            let end = state.log.end();
            for entry in state.log.batch_mut(0, end) {
                if let Entry::Message(message) = entry
                    && message.handed > 0
                {
                    (message.content, message.fields) = (Arc::from(""), None);
                }
            }
        }
    }

    /// Everything that happened so far.
    pub fn journal(&self) -> Journal {
        self.journal_since(0)
    }

    /// The same, of sends and of messages told only those from then on, ms since 1970: a long run asks often.
    pub fn journal_since(&self, at_ms: u64) -> Journal {
        let mut journal = Journal::default();
        for account in self.accounts() {
            journal.add(&account, &account.lock(), at_ms);
        }
        journal.logins.sort_by_key(|entry| entry.at_ms);
        journal.inits.sort_by_key(|entry| entry.at_ms);
        journal.reads.sort_by_key(|entry| entry.at_ms);
        journal.syncs.sort_by_key(|entry| entry.at_ms);
        journal.sends.sort_by_key(|entry| entry.at_ms);
        journal.recalls.sort_by_key(|entry| entry.at_ms);
        journal.uploads.sort_by_key(|entry| entry.at_ms);
        journal.verifies.sort_by_key(|entry| entry.at_ms);
        journal.room_calls.sort_by_key(|entry| entry.at_ms);
        journal.logouts.sort_by_key(|entry| entry.at_ms);
        journal.delivered.sort_by_key(|entry| entry.at_ms);
        journal
    }

    /// Counts of everything that happened so far.
    pub fn summary(&self) -> Summary {
        let mut summary = Summary::default();
        for account in self.accounts() {
            let state = account.lock();
            summary.logins += state.record.logins.len();
            summary.polling += usize::from(state.session.as_ref().is_some_and(|session| session.polls > 0));
            for message in state.log.messages().filter(|message| !message.service) {
                summary.delivered += 1;
                summary.handed_out += usize::from(message.handed > 0);
                summary.handed_again += usize::from(message.handed > 1);
            }
            for sent in &state.record.sends {
                summary.sends += 1;
                summary.duplicate_client_ids += usize::from(sent.duplicate);
                match summary.sends_by_content.get_mut(&*sent.content) {
                    Some(count) => *count += 1,
                    None => {
                        summary.sends_by_content.insert(sent.content.to_string(), 1);
                    }
                }
            }
        }
        let violations = self.violations();
        summary.hard_violations = violations.iter().filter(|violation| violation.hard).count();
        summary.soft_violations = violations.len() - summary.hard_violations;
        summary
    }

    /// Waits until the journal looks as wanted. Looks again whenever a client or an order did something; never ends by
    /// itself, so give it a timeout.
    pub async fn wait_for(&self, mut wanted: impl FnMut(&Journal) -> bool) {
        loop {
            let changed = self.changed().notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if wanted(&self.journal()) {
                return;
            }
            changed.await;
        }
    }
}

impl Journal {
    /// Sends of one account.
    pub fn sends_of<'a>(&'a self, account: &'a str) -> impl Iterator<Item = &'a SendEntry> {
        self.sends.iter().filter(move |send| send.account == account)
    }

    /// Messages told to one account.
    pub fn delivered_to<'a>(&'a self, account: &'a str) -> impl Iterator<Item = &'a DeliveredEntry> {
        self.delivered.iter().filter(move |message| message.account == account)
    }

    /// How often the account logged in.
    pub fn logins_of(&self, account: &str) -> usize {
        self.logins.iter().filter(|login| login.account == account).count()
    }

    fn add(&mut self, account: &Account, state: &State, since_ms: u64) {
        let name = || account.name.clone();
        let call = |&at_ms: &u64| CallEntry { account: name(), at_ms };
        let record = &state.record;
        self.logins.extend(record.logins.iter().map(|&(at_ms, push)| LoginEntry { account: name(), at_ms, push }));
        self.inits.extend(record.inits.iter().map(call));
        self.logouts.extend(record.logouts.iter().map(call));
        self.reads.extend(record.reads.iter().map(|&(at_ms, peer)| PeerEntry {
            account: name(),
            at_ms,
            peer: state.label(peer).to_owned(),
        }));
        let syncs = record.syncs.iter().filter(|(at_ms, _)| *at_ms >= since_ms);
        self.syncs.extend(syncs.map(|&(at_ms, messages)| SyncEntry { account: name(), at_ms, messages }));
        self.recalls.extend(record.recalls.iter().map(|&(at_ms, id)| RecallEntry {
            account: name(),
            msg_id: id.to_string(),
            at_ms,
        }));
        self.sends.extend(record.sends.iter().filter(|sent| sent.at_ms >= since_ms).map(|sent| SendEntry {
            account: name(),
            to: state.label(sent.to).to_owned(),
            room: matches!(sent.to, Peer::Room(_)),
            msg_type: sent.msg_type,
            content: sent.content.to_string(),
            client_msg_id: sent.client_msg_id.to_string(),
            msg_id: sent.msg_id.to_string(),
            at_ms: sent.at_ms,
            duplicate: sent.duplicate,
            media: sent.media.as_deref().cloned(),
        }));
        self.uploads.extend(record.uploads.iter().cloned());
        self.verifies.extend(record.verifies.iter().map(|(at_ms, opcode, peer, content)| VerifyEntry {
            account: name(),
            at_ms: *at_ms,
            opcode: *opcode,
            who: state.label(*peer).to_owned(),
            content: content.clone(),
        }));
        self.room_calls.extend(record.room_calls.iter().map(|call| RoomCallEntry {
            account: name(),
            at_ms: call.at_ms,
            fun: call.fun.clone(),
            room: state.label(call.room).to_owned(),
            who: call.who.iter().map(|&peer| state.label(peer).to_owned()).collect(),
            ret: call.ret,
        }));
        let told = state.log.messages().filter(|message| !message.service && message.at_ms >= since_ms);
        self.delivered.extend(told.map(|message| {
            let in_room = matches!(message.chat, Peer::Room(_));
            let from = match message.speaker {
                Some(speaker) => Peer::Person(speaker),
                None if in_room || message.own => Peer::Me,
                None => message.chat,
            };
            DeliveredEntry {
                account: name(),
                msg_id: message.id.to_string(),
                at_ms: message.at_ms,
                handed: message.handed,
                from: state.label(from).to_owned(),
                room: in_room.then(|| state.label(message.chat).to_owned()),
                msg_type: message.msg_type,
                content: message.content.to_string(),
            }
        }));
    }
}
