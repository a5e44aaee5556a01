//! What did bots do so far, and what did people see of it?

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tokio::sync::Notify;

use crate::check::{Violation, Violations};
use crate::service::book::HeardMedia;
use crate::service::when::Clock;

/// Entries of one list; the oldest go first. A day of a thousand bots must not eat the machine.
const MAX_ENTRIES: usize = 50_000;
/// What is kept of one text.
const MAX_TEXT: usize = 64 * 1024;

/// What happened at the simulated iLink, each list in order of time. Of long runs the oldest entries are forgotten.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct IlinkJournal {
    /// Bindings that were made.
    pub logins: Vec<IlinkLogin>,
    /// Requests, refused ones too; never their bodies, which hold tokens.
    pub asked: Vec<IlinkAsked>,
    /// Messages that people wrote, handed out or not.
    pub told: Vec<IlinkTold>,
    /// Every item of every `sendmessage`, with what became of it.
    pub sends: Vec<IlinkSend>,
    /// `sendtyping` calls that were taken.
    pub typing: Vec<IlinkTyping>,
    /// `notifystart` and `notifystop` of live bindings.
    pub presence: Vec<IlinkPresence>,
    /// Files that came to the CDN.
    pub uploads: Vec<IlinkUpload>,
    /// Files that were fetched from it.
    pub downloads: Vec<IlinkDownload>,
}

/// A binding: somebody scanned and tapped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IlinkLogin {
    /// Whose.
    pub account: String,
    /// ms since 1970.
    pub at_ms: u64,
    /// `…@im.bot`.
    pub bot_id: String,
    /// True: already bound to a client whose token was in `local_token_list`; nothing new was given.
    pub known: bool,
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IlinkAsked {
    /// By whose token; empty without one.
    pub account: String,
    /// ms since 1970, when it was answered.
    pub at_ms: u64,
    /// `GET`, `POST`.
    pub method: String,
    /// `getupdates`, `upload`: the last segment of the path.
    pub name: String,
    /// Length of its body.
    pub len: usize,
    /// HTTP status of the answer; 0: none was given.
    pub status: u16,
    /// `errcode` or `ret` of the answer.
    pub ret: i64,
    /// What was wrong with the request.
    pub flaws: Vec<String>,
}

/// Something that a person wrote to a bot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IlinkTold {
    /// To whose bot.
    pub account: String,
    /// ms since 1970.
    pub at_ms: u64,
    /// Nick.
    pub from: String,
    /// `message_id`.
    pub id: String,
    /// `text`, `image`, `quote` …
    pub kind: String,
    /// What was written.
    pub text: String,
    /// `getupdates` answers that held it; 0: no client has seen it.
    pub handed: u32,
    /// The log of the bot was full before a client fetched it.
    pub lost: bool,
    #[serde(skip)]
    pub(super) seq: u64,
}

/// What became of something that a bot sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum IlinkOutcome {
    /// The person sees it.
    Shown,
    /// Accepted, and nobody ever sees it: tool calls, voices, people under the shadow limit.
    Hidden,
    /// Accepted, not shown again: its `client_id` had been accepted before.
    Doubled,
    /// HTTP 200 and nothing more: it had no `context_token`.
    Dropped,
    /// `ret` or `errcode` was not 0.
    Refused,
}

/// An item that a bot sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IlinkSend {
    /// Whose bot.
    pub account: String,
    /// ms since 1970.
    pub at_ms: u64,
    /// Nick; the id when it is nobody's.
    pub to: String,
    /// `text`, `image`, `voice`, `file`, `video`, `tool_call_start`, `tool_call_result`, `unknown`.
    pub kind: String,
    /// What the phone shows of a text: a long one is cut.
    pub text: String,
    /// The text was longer than the phone shows.
    pub cut: bool,
    /// md5 and length of the plain file, and its name.
    pub media: Option<HeardMedia>,
    /// `client_id`.
    pub client_id: String,
    /// `message_id` that was answered; empty when none was.
    pub message_id: String,
    /// `run_id`.
    pub run_id: String,
    /// What was answered.
    pub ret: i64,
    /// What became of it.
    pub outcome: IlinkOutcome,
    /// Why a picture is a grey box and a file empty; nothing: it opens.
    pub grey: Vec<String>,
}

/// A typing notice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IlinkTyping {
    /// Whose bot.
    pub account: String,
    /// ms since 1970.
    pub at_ms: u64,
    /// Nick.
    pub to: String,
    /// True: typing. False: stopped.
    pub on: bool,
}

/// A bot that came or went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IlinkPresence {
    /// Whose bot.
    pub account: String,
    /// ms since 1970.
    pub at_ms: u64,
    /// True: `notifystart`.
    pub on: bool,
}

/// A file that came to the CDN.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IlinkUpload {
    /// Whose bot.
    pub account: String,
    /// ms since 1970.
    pub at_ms: u64,
    /// `image`, `video`, `file`, `voice`.
    pub kind: String,
    /// Length of the cipher text.
    pub len: usize,
    /// By the full URL that the service gave; false: by `upload_param`.
    pub full_url: bool,
    /// What does not fit what was announced; empty: it does.
    pub flaw: String,
}

/// A file that was fetched from the CDN.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IlinkDownload {
    /// To whose bot it had been sent.
    pub account: String,
    /// ms since 1970.
    pub at_ms: u64,
    /// Length of the cipher text.
    pub len: usize,
    /// By the full URL; false: by `encrypt_query_param`.
    pub full_url: bool,
}

impl IlinkJournal {
    /// What people saw of this bot, in order.
    pub fn shown<'a>(&'a self, account: &'a str) -> impl Iterator<Item = &'a IlinkSend> {
        self.sends.iter().filter(move |send| send.account == account && send.outcome == IlinkOutcome::Shown)
    }

    /// Texts that this person saw, in order.
    pub fn texts_to<'a>(&'a self, account: &'a str, to: &'a str) -> impl Iterator<Item = &'a str> {
        self.shown(account).filter(move |send| send.to == to && send.kind == "text").map(|send| send.text.as_str())
    }

    /// Items of this bot that came to this end.
    pub fn count(&self, account: &str, outcome: IlinkOutcome) -> usize {
        self.sends.iter().filter(|send| send.account == account && send.outcome == outcome).count()
    }

    /// Requests of this name, in order.
    pub fn asked_at<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a IlinkAsked> {
        self.asked.iter().filter(move |asked| asked.name == name)
    }
}

/// The book of the service.
#[derive(Debug)]
pub(super) struct Book {
    pages: Mutex<IlinkJournal>,
    violations: Violations,
    changed: Notify,
    clock: Clock,
}

impl Book {
    pub(super) fn new() -> Self {
        Self { pages: Mutex::default(), violations: Violations::default(), changed: Notify::new(), clock: Clock::new() }
    }

    pub(super) fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }

    /// Adds one entry to the list that `list` chooses.
    pub(super) fn add<T>(&self, list: impl FnOnce(&mut IlinkJournal) -> &mut Vec<T>, entry: T) {
        let mut pages = self.pages();
        let list = list(&mut pages);
        if list.len() >= MAX_ENTRIES {
            list.drain(..MAX_ENTRIES / 10);
        }
        list.push(entry);
        drop(pages);
        self.changed.notify_waiters();
    }

    pub(super) fn send(&self, mut entry: IlinkSend) {
        entry.text.truncate(entry.text.floor_char_boundary(MAX_TEXT));
        self.add(|journal| &mut journal.sends, entry);
    }

    /// Messages of one bot were handed out, by their `seq`.
    pub(super) fn handed(&self, account: &str, seqs: std::ops::RangeInclusive<u64>) {
        self.mark(account, seqs, |told| told.handed += 1);
    }

    /// A message left the log before a client fetched it.
    pub(super) fn lost(&self, account: &str, seq: u64) {
        self.mark(account, seq..=seq, |told| told.lost = true);
    }

    fn mark(&self, account: &str, seqs: std::ops::RangeInclusive<u64>, mark: impl Fn(&mut IlinkTold)) {
        let mut left = seqs.end().saturating_sub(*seqs.start()).saturating_add(1);
        let mut pages = self.pages();
        // Newest first: what is handed out was mostly told a moment ago.
        for told in pages.told.iter_mut().rev().filter(|told| told.account == account) {
            if seqs.contains(&told.seq) {
                mark(told);
                left -= 1;
            }
            if left == 0 || told.seq <= *seqs.start() {
                break;
            }
        }
        drop(pages);
        self.changed.notify_waiters();
    }

    pub(super) fn note(&self, hard: bool, account: &str, name: &str, what: &str) {
        let account = Some(account).filter(|account| !account.is_empty());
        if self.violations.note(hard, account, name, what, self.now_ms()) {
            self.changed.notify_waiters();
        }
    }

    pub(super) fn violations(&self) -> Vec<Violation> {
        self.violations.list()
    }

    pub(super) fn journal(&self) -> IlinkJournal {
        self.pages().clone()
    }

    /// What stood in a message of either side.
    pub(super) fn text_of(&self, id: &str) -> Option<String> {
        let pages = self.pages();
        let told = pages.told.iter().find(|told| told.id == id && told.kind != "again");
        let sent = || pages.sends.iter().find(|send| send.message_id == id).map(|send| send.text.clone());
        told.map(|told| told.text.clone()).or_else(sent)
    }

    /// What happened since then; a long run asks often.
    pub(super) fn since(&self, at_ms: u64) -> IlinkJournal {
        fn late<T: Clone>(list: &[T], late: impl Fn(&T) -> bool) -> Vec<T> {
            list.iter().filter(|one| late(one)).cloned().collect()
        }
        let pages = self.pages();
        let all = &pages;
        IlinkJournal {
            logins: late(&all.logins, |one| one.at_ms >= at_ms),
            asked: late(&all.asked, |one| one.at_ms >= at_ms),
            told: late(&all.told, |one| one.at_ms >= at_ms),
            sends: late(&all.sends, |one| one.at_ms >= at_ms),
            typing: late(&all.typing, |one| one.at_ms >= at_ms),
            presence: late(&all.presence, |one| one.at_ms >= at_ms),
            uploads: late(&all.uploads, |one| one.at_ms >= at_ms),
            downloads: late(&all.downloads, |one| one.at_ms >= at_ms),
        }
    }

    /// Forgets what happened so far; violations stay.
    pub(super) fn forget(&self) {
        *self.pages() = IlinkJournal::default();
    }

    /// Waits until the journal looks as wanted.
    pub(super) async fn wait_for(&self, mut wanted: impl FnMut(&IlinkJournal) -> bool) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if wanted(&self.pages()) {
                return;
            }
            changed.await;
        }
    }

    fn pages(&self) -> MutexGuard<'_, IlinkJournal> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
