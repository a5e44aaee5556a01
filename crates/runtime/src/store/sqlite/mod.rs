//! The store on one machine: SQLite in WAL mode, one writer with group commit, separate connections for reading.
//!
//! [`schema`] tables and migrations → [`writer`] group commit → [`inbox`], [`outbox`], [`held`], [`kv`], [`timer`],
//! [`session`], [`media`], [`story`], [`history`], [`pace`] with [`toll`], [`meter`] and [`merge`], [`mend`], [`planned`], [`keep`]
//! the steps as SQL on a connection → [`archive`] and [`spool`], files apart → [`health`] whether the file can be written
//! → [`place`] the data directory and its lock. No SQL outside this folder.

mod archive;
mod examine;
mod halt;
mod health;
mod held;
mod history;
mod inbox;
mod keep;
mod kv;
mod media;
mod mend;
mod merge;
mod meter;
mod outbox;
mod pace;
mod place;
mod planned;
mod schema;
mod session;
mod spool;
mod story;
mod timer;
mod toll;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;
use tokio::sync::Notify;
use wxbot_model::{AccountName, ContactId};

use super::types::{
    Accept, Accepted, BoundContact, ClaimSends, ClaimedSend, Claims, Counts, Failure, Finish, Finished, InboxRow,
    LoneSend, SavedRow, Settlement, StoreError, Verdict,
};
use super::{Answer, Bell, Keep, Store};
pub use archive::{ARCHIVE_FILE, SqliteArchive};
pub use examine::{Examined, examine};
pub use place::DataDir;
pub use spool::{SPOOL_FILE, SqliteSpool};
use writer::Writer;

/// Name of the database in the data directory.
pub const QUEUE_FILE: &str = "queue.db";

/// The store of one data directory.
#[derive(Debug)]
pub struct SqliteStore {
    writer: Writer,
    /// For what a message waits for.
    reader: Reader,
    /// For what walks through many rows: counts and lists must not hold up messages.
    lister: Reader,
    path: PathBuf,
    swept: Mutex<Swept>,
    keep: Mutex<Keep>,
    bell: Arc<Bell>,
    planned_bell: Arc<Notify>,
}

/// How far old rows were swept.
#[derive(Debug, Clone, Copy, Default)]
struct Swept {
    inbox: inbox::Swept,
    outbox: outbox::Swept,
}

/// `None` once closed: while one is open the writer cannot tidy the WAL away.
type Reader = Arc<Mutex<Option<Connection>>>;

fn engine(what: &'static str) -> impl Fn(rusqlite::Error) -> StoreError {
    move |error| StoreError::Engine { what, reason: error.to_string() }
}

impl SqliteStore {
    /// Opens (or makes) the database of a data directory that the caller has locked.
    ///
    /// Needs a tokio runtime: the writer is a task of it, and its batches run on its blocking threads.
    ///
    /// # Errors
    /// When the file cannot be opened, was written by a newer wxbot, or is damaged.
    pub fn open(dir: &DataDir) -> Result<Self, StoreError> {
        let path = dir.path().join(QUEUE_FILE);
        let connection = schema::open(&path, schema::MIGRATIONS)?;
        let (reader, lister) = (Self::open_reader(&path)?, Self::open_reader(&path)?);
        Ok(Self {
            writer: Writer::start(connection),
            reader,
            lister,
            path,
            swept: Mutex::default(),
            keep: Mutex::default(),
            bell: Arc::default(),
            planned_bell: Arc::default(),
        })
    }

    fn open_reader(path: &Path) -> Result<Reader, StoreError> {
        Self::open_connection(path).map(|reader| Arc::new(Mutex::new(Some(reader))))
    }

    fn open_connection(path: &Path) -> Result<Connection, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let reader = Connection::open_with_flags(path, flags).map_err(engine("open queue.db for reading"))?;
        reader.busy_timeout(std::time::Duration::from_secs(5)).map_err(engine("set a time-out"))?;
        reader.set_prepared_statement_cache_capacity(64);
        Ok(reader)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn read<T: Send + 'static>(
        reader: &Reader,
        what: &'static str,
        f: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Answer<'static, T> {
        let reader = Arc::clone(reader);
        Box::pin(async move {
            let job = move || {
                let reader = reader.lock().unwrap_or_else(PoisonError::into_inner);
                f(reader.as_ref().ok_or(StoreError::Closed)?).map_err(engine(what))
            };
            tokio::task::spawn_blocking(job).await.map_err(|_ignored| StoreError::Closed)?
        })
    }

    fn write<T: Send + 'static>(
        &self,
        what: &'static str,
        f: impl FnMut(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Answer<'_, T> {
        Box::pin(self.writer.run(what, f))
    }

    /// A step that may set timers: rings for the first of them once it is done.
    fn write_and_ring(
        &self,
        what: &'static str,
        earliest: Option<i64>,
        f: impl FnMut(&Connection) -> rusqlite::Result<Finished> + Send + 'static,
    ) -> Answer<'_, Finished> {
        Box::pin(async move {
            let finished = self.writer.run(what, f).await?;
            if let (Some(due_ms), Finished::Done(_)) = (earliest, &finished) {
                self.bell.ring(due_ms);
            }
            Ok(finished)
        })
    }
}

/// Marks an event and records what its plugins asked for, or leaves all of it undone. `mark` is false for one that has
/// ended before: its effects are recorded once.
fn end(c: &Connection, finish: &Finish, mark: impl FnOnce() -> rusqlite::Result<bool>) -> rusqlite::Result<Finished> {
    let marked_and_recorded = || Ok(if mark()? { effects(c, finish)? } else { Finished::Done(Vec::new()) });
    if finish.swaps.is_empty() && finish.timers.is_empty() {
        // Nothing of it can be refused.
        return marked_and_recorded();
    }
    c.prepare_cached("SAVEPOINT finish")?.execute([])?;
    let finished = marked_and_recorded()?;
    if !matches!(finished, Finished::Done(_)) {
        c.prepare_cached("ROLLBACK TO finish")?.execute([])?;
    }
    c.prepare_cached("RELEASE finish")?.execute([])?;
    Ok(finished)
}

/// A send that no event has caused, in the shape of one that ends with it.
fn lone(send: LoneSend) -> Finish {
    let LoneSend { account, sends, cause, direct, now_ms } = send;
    let (swaps, kv, timers) = (Vec::new(), Vec::new(), Vec::new());
    Finish { seq: cause, account, note: None, sends, swaps, kv, timers, direct, now_ms }
}

fn effects(c: &Connection, finish: &Finish) -> rusqlite::Result<Finished> {
    if let Some(swap) = kv::swap(c, &finish.account, &finish.swaps)? {
        return Ok(Finished::Conflict { plugin: Arc::clone(&swap.plugin), key: swap.key.clone() });
    }
    kv::put(c, &finish.account, &finish.kv)?;
    if let Some(plugin) = timer::change(c, finish)? {
        return Ok(Finished::TooManyTimers { plugin });
    }
    outbox::insert(c, finish).map(Finished::Done)
}

impl Store for SqliteStore {
    fn recover(&self, account: &AccountName) -> Answer<'_, ()> {
        let account = account.clone();
        self.write("recover", move |c| {
            inbox::recover(c, &account)?;
            outbox::recover(c, &account)
        })
    }

    fn accept(&self, batch: Accept) -> Answer<'_, Accepted> {
        self.write("take a batch", move |c| {
            session::bind(c, &batch.account, &batch.contacts)?;
            let accepted = inbox::accept(c, &batch)?;
            session::advance(c, &batch.account, batch.cursor.as_deref(), batch.sealed.as_deref(), batch.now_ms)?;
            Ok(accepted)
        })
    }

    fn waiting(&self, account: &AccountName, after: u64, limit: usize) -> Answer<'_, Vec<InboxRow>> {
        let account = account.clone();
        Self::read(&self.reader, "read waiting events", move |c| inbox::waiting(c, &account, after, limit))
    }

    fn due(&self, account: &AccountName, now_ms: i64, limit: usize) -> Answer<'_, (Vec<InboxRow>, Option<i64>)> {
        let account = account.clone();
        self.write("take due events", move |c| inbox::due(c, &account, now_ms, limit))
    }

    fn claim(&self, seq: u64) -> Answer<'_, Claims> {
        self.write("claim an event", move |c| inbox::claim(c, seq))
    }

    fn give_back(&self, seqs: Vec<u64>) -> Answer<'_, ()> {
        self.write("give events back", move |c| inbox::give_back(c, &seqs))
    }

    fn finish(&self, finish: Finish) -> Answer<'_, Finished> {
        self.write_and_ring("finish an event", timer::earliest(&finish), move |c| {
            end(c, &finish, || inbox::finish(c, &finish))
        })
    }

    fn fail(&self, failure: Failure) -> Answer<'_, Finished> {
        let earliest = failure.partial.as_ref().and_then(timer::earliest);
        self.write_and_ring("note a failed try", earliest, move |c| match &failure.partial {
            Some(partial) => end(c, partial, || inbox::fail(c, &failure)),
            None => inbox::fail(c, &failure).map(|_ended| Finished::Done(Vec::new())),
        })
    }

    fn send(&self, send: LoneSend) -> Answer<'_, Vec<ClaimedSend>> {
        let sent = lone(send);
        self.write("store a send", move |c| outbox::insert(c, &sent))
    }

    fn withdraw(&self, cause: u64, part: u32) -> Answer<'_, bool> {
        self.write("withdraw a send", move |c| outbox::withdraw(c, cause, part))
    }

    fn claim_sends(&self, claim: ClaimSends) -> Answer<'_, (Vec<ClaimedSend>, Option<i64>)> {
        self.write("claim sends", move |c| outbox::claim(c, &claim))
    }

    fn settle(&self, id: u64, settlement: Settlement) -> Answer<'_, ()> {
        self.write("settle a send", move |c| outbox::settle(c, id, &settlement))
    }

    fn decide_uncertain(&self, account: &AccountName, verdict: Verdict) -> Answer<'_, usize> {
        let account = account.clone();
        self.write("decide uncertain sends", move |c| outbox::decide(c, &account, verdict))
    }

    fn awaited(&self, account: &AccountName) -> Answer<'_, Vec<(ContactId, bool)>> {
        let account = account.clone();
        self.write("see whom sends wait for", move |c| held::awaited(c, &account))
    }

    fn hold(&self, account: &AccountName, whom: Vec<(ContactId, String)>) -> Answer<'_, ()> {
        let account = account.clone();
        self.write("hold sends", move |c| held::hold(c, &account, &whom))
    }

    fn let_go(&self, account: &AccountName, whom: Vec<ContactId>, now_ms: i64, max_age_ms: i64) -> Answer<'_, usize> {
        let account = account.clone();
        self.write("let held sends go", move |c| held::let_go(c, &account, &whom, now_ms - max_age_ms))
    }

    fn session(&self, account: &AccountName) -> Answer<'_, Option<SavedRow>> {
        let account = account.clone();
        Self::read(&self.reader, "read a session", move |c| session::saved(c, &account))
    }

    fn save_session(
        &self,
        account: &AccountName,
        sealed: Vec<u8>,
        cursor: Bytes,
        contacts: Vec<BoundContact>,
    ) -> Answer<'_, ()> {
        let account = account.clone();
        self.write("save a session", move |c| {
            session::bind(c, &account, &contacts)?;
            session::advance(c, &account, Some(&cursor), Some(&sealed), 0)
        })
    }

    fn set_session_aside(&self, account: &AccountName) -> Answer<'_, ()> {
        let account = account.clone();
        self.write("set a session aside", move |c| session::set_aside(c, &account))
    }

    fn contacts(&self, account: &AccountName) -> Answer<'_, Vec<BoundContact>> {
        let account = account.clone();
        Self::read(&self.lister, "read contacts", move |c| session::contacts(c, &account))
    }

    fn bind_contacts(&self, account: &AccountName, contacts: Vec<BoundContact>) -> Answer<'_, ()> {
        let account = account.clone();
        self.write("bind contacts", move |c| session::bind(c, &account, &contacts))
    }

    fn kv_get<'a>(&'a self, plugin: &'a str, account: &'a AccountName, key: &'a str) -> Answer<'a, Option<Value>> {
        let (plugin, account, key) = (plugin.to_owned(), account.clone(), key.to_owned());
        Self::read(&self.reader, "read a KV value", move |c| kv::get(c, &plugin, &account, &key))
    }

    fn kv_scan<'a>(&'a self, plugin: &'a str, prefix: &'a str) -> Answer<'a, Vec<(AccountName, String, Value)>> {
        let (plugin, prefix) = (plugin.to_owned(), prefix.to_owned());
        Self::read(&self.lister, "read KV values", move |c| kv::scan(c, &plugin, &prefix))
    }

    fn kv_list<'a>(
        &'a self,
        plugin: &'a str,
        account: &'a AccountName,
        prefix: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> Answer<'a, Vec<(String, Value)>> {
        let (plugin, account, prefix) = (plugin.to_owned(), account.clone(), prefix.to_owned());
        let after = after.map(str::to_owned);
        Self::read(&self.lister, "list KV values", move |c| {
            kv::list(c, &plugin, &account, &prefix, after.as_deref(), limit)
        })
    }

    fn counts(&self, account: &AccountName) -> Answer<'_, Counts> {
        let account = account.clone();
        Self::read(&self.lister, "count rows", move |c| {
            Ok(Counts { inbox: inbox::counts(c, &account)?, outbox: outbox::counts(c, &account)? })
        })
    }

    fn sweep(&self, now_ms: i64) -> Answer<'_, bool> {
        Box::pin(async move {
            let from = *self.swept.lock().unwrap_or_else(PoisonError::into_inner);
            let keep = *self.keep.lock().unwrap_or_else(PoisonError::into_inner);
            let step = self.write("sweep old rows", move |c| {
                let (inbox, more) = inbox::sweep(c, now_ms, &keep, from.inbox)?;
                let (outbox, more_sends) = outbox::sweep(c, now_ms, &keep, from.outbox)?;
                let more_texts = pace::sweep(c, now_ms)?;
                Ok((Swept { inbox, outbox }, more || more_sends || more_texts || schema::shrink(c)?))
            });
            let (swept, more) = step.await?;
            *self.swept.lock().unwrap_or_else(PoisonError::into_inner) = swept;
            Ok(more)
        })
    }

    fn close(&self) -> Answer<'_, ()> {
        let readers = [Arc::clone(&self.reader), Arc::clone(&self.lister)];
        Box::pin(async move {
            let last = move || readers.map(|reader| drop(reader.lock().unwrap_or_else(PoisonError::into_inner).take()));
            tokio::task::spawn_blocking(last).await.map_err(|_ignored| StoreError::Closed)?;
            self.writer.close().await
        })
    }
}

#[cfg(test)]
mod tests;
