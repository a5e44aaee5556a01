//! Does each step keep its promise on a real file?
//!
//! [`held`] sends to nobody known → [`inbox`] taking, claiming and ending events → [`outbox`] sends → [`pace`] what they cost →
//! [`kv`] what plugins remember → [`timer`] what is due → [`story`] looking back → [`mend`] what went
//! wrong → [`planned`] messages that go out at a time → [`keep`] retention and backup →
//! [`media`] files and who needs them → [`writer`] group commit and closing →
//! [`health`] files that cannot be written → [`file`] rights, versions and damage → [`plans`] does every hot statement use an index? → [`model`] random interleavings →
//! [`schedules`] a hundred thousand of inbox and outbox, against their [`twin`].

mod file;
mod health;
mod held;
mod inbox;
mod keep;
mod kv;
mod media;
mod mend;
mod model;
mod outbox;
mod pace;
mod planned;
mod plans;
mod schedules;
mod story;
mod timer;
mod twin;
mod window;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use wxbot_model::span::Rate;
use wxbot_model::{AccountName, ContactId};

use super::{DataDir, QUEUE_FILE, SqliteStore};
use crate::pacing::Rules;
use crate::store::{
    Accept, ClaimSends, ClaimedSend, ClockStore, DueTimer, Failure, Finish, Finished, Firing, KvSwap, NewRow, NewSend,
    Origin, Settlement, Store, TimerChange,
};

/// A moment in 2026, in milliseconds.
const NOW: i64 = 1_780_000_000_000;
const DAY: i64 = 86_400_000;
const LIFTED: (Rate, u32) = (Rate::new(1_000_000, Duration::from_secs(1)), 1);

/// A store in a directory of its own.
struct Rig {
    store: SqliteStore,
    _lock: DataDir,
    dir: tempfile::TempDir,
}

impl Rig {
    /// Looks at, or spoils, the file behind the store's back.
    fn sql(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.dir.path().join(QUEUE_FILE)).unwrap()
    }

    fn number(&self, query: &str) -> i64 {
        self.sql().query_row(query, [], |r| r.get(0)).unwrap()
    }

    /// Takes one event for each send and ends it with that send; the sends' numbers are 1, 2, ….
    async fn queue(&self, sends: Vec<NewSend>) {
        let before = self.number("SELECT count(*) FROM inbox");
        let rows = (0..sends.len()).map(|n| event(&format!("q{before}-{n}"), "p1")).collect();
        let seqs = self.store.accept(batch(rows)).await.unwrap().seqs;
        for (seq, send) in seqs.into_iter().zip(sends) {
            self.store.finish(end(seq.unwrap(), vec![send])).await.unwrap();
        }
    }

    async fn claim(&self, ask: ClaimSends) -> Vec<u64> {
        self.store.claim_sends(ask).await.unwrap().0.into_iter().map(|send| send.id).collect()
    }

    /// What a kill at this moment leaves: the files as they are, nothing closed.
    fn killed(&self) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        let lock = DataDir::open(dir.path()).unwrap();
        for name in ["queue.db", "queue.db-wal"] {
            std::fs::copy(self.dir.path().join(name), dir.path().join(name)).unwrap();
        }
        Self { store: SqliteStore::open(&lock).unwrap(), _lock: lock, dir }
    }

    async fn sent(&self, id: u64) {
        self.store.settle(id, Settlement::Sent { server_id: Some("1".into()) }).await.unwrap();
    }

    /// The states of all sends, in order.
    fn states(&self) -> Vec<i64> {
        let c = self.sql();
        let mut query = c.prepare("SELECT state FROM outbox ORDER BY id").unwrap();
        query.query_map([], |r| r.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    }
}

fn rig() -> Rig {
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let lock = DataDir::open(dir.path()).unwrap();
    Rig { store: SqliteStore::open(&lock).unwrap(), _lock: lock, dir }
}

fn shop() -> AccountName {
    "shop".parse().unwrap()
}

fn conv(text: &str) -> ContactId {
    text.parse().unwrap()
}

fn event(key: &str, chat: &str) -> NewRow {
    NewRow {
        key: key.parse().unwrap(),
        conv: conv(chat),
        kind: "text",
        body: format!("body of {key}").into(),
        echo: None,
    }
}

fn batch(rows: Vec<NewRow>) -> Accept {
    Accept {
        account: shop(),
        rows,
        cursor: None,
        sealed: None,
        contacts: Vec::new(),
        opens: Vec::new(),
        claim: 0,
        now_ms: NOW,
    }
}

fn send(plugin: &str, ord: u32, chat: &str, client_id: &str) -> NewSend {
    NewSend {
        plugin: Arc::from(plugin),
        ord,
        conv: conv(chat),
        client_id: client_id.parse().unwrap(),
        body: format!("{plugin}/{ord}"),
        echo: i64::from(ord),
        media: None,
    }
}

fn end(seq: u64, sends: Vec<NewSend>) -> Finish {
    Finish {
        seq,
        account: shop(),
        note: None,
        sends,
        swaps: Vec::new(),
        kv: Vec::new(),
        timers: Vec::new(),
        direct: None,
        now_ms: NOW,
    }
}

fn swap(plugin: &str, key: &str, was: Option<u8>, now: Option<u8>) -> KvSwap {
    KvSwap { plugin: Arc::from(plugin), key: key.to_owned(), was: was.map(Value::from), now: now.map(Value::from) }
}

fn set(name: &str, chat: &str, due_ms: i64) -> TimerChange {
    let body = Arc::from(format!("body of {name}"));
    TimerChange::Set { plugin: Arc::from("a"), name: name.to_owned(), conv: conv(chat), due_ms, body }
}

fn cancel(name: &str) -> TimerChange {
    TimerChange::Cancel { plugin: Arc::from("a"), name: name.to_owned() }
}

/// As the clock fires it.
fn firing(timer: &DueTimer) -> Firing {
    let DueTimer { account, plugin, name, conv, due_ms, cause, body } = timer.clone();
    let key = format!("timer:{plugin}:{name}:{due_ms}:{cause}").parse().unwrap();
    let row = NewRow { key, conv, kind: "timer", body, echo: None };
    Firing { account, row, origin: Origin::Timer { plugin, name, due_ms, cause }, now_ms: NOW }
}

fn failed(seq: u64, again_ms: Option<i64>, counts: bool) -> Failure {
    Failure { seq, error: "no".into(), again_ms, counts, partial: None, done: Vec::new() }
}

fn again(not_before_ms: i64, counts: bool) -> Settlement {
    Settlement::Again { not_before_ms, error: "later".into(), counts, unsure: counts }
}

fn unsure() -> Settlement {
    Settlement::Uncertain { error: "no answer".into() }
}

fn ask() -> ClaimSends {
    ClaimSends {
        account: shop(),
        limit: 16,
        now_ms: NOW,
        max_age_ms: 600_000,
        per_account: LIFTED,
        per_chat: LIFTED,
        rules: Rules::default(),
    }
}
