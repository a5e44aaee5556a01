//! Does each step keep its promise on a real file?
//!
//! [`inbox`] taking, claiming and ending events → [`outbox`] sends and their pacing → [`writer`] group commit and closing →
//! [`file`] rights, versions and damage → [`plans`] does every hot statement use an index? → [`model`] random interleavings.

mod bench;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use wxbot_model::span::Rate;
use wxbot_model::{AccountName, ContactId, ContactKind};

use super::{DataDir, QUEUE_FILE, SqliteStore};
use crate::store::{
    Accept, Accepted, BoundContact, ClaimSends, ClaimedSend, Failure, Finish, InboxRow, NewRow, NewSend, Settlement,
    Store, StoreError,
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
    NewRow { key: key.parse().unwrap(), conv: conv(chat), kind: "text", body: format!("body of {key}"), echo: None }
}

fn batch(rows: Vec<NewRow>) -> Accept {
    Accept { account: shop(), rows, cursor: None, sealed: None, contacts: Vec::new(), now_ms: NOW }
}

fn send(plugin: &str, ord: u32, chat: &str, client_id: &str) -> NewSend {
    NewSend {
        plugin: Arc::from(plugin),
        ord,
        conv: conv(chat),
        client_id: client_id.parse().unwrap(),
        body: format!("{plugin}/{ord}"),
        echo: i64::from(ord),
    }
}

fn end(seq: u64, sends: Vec<NewSend>) -> Finish {
    Finish { seq, account: shop(), note: None, sends, kv: Vec::new(), now_ms: NOW }
}

fn ask() -> ClaimSends {
    ClaimSends { account: shop(), limit: 16, now_ms: NOW, max_age_ms: 600_000, per_account: LIFTED, per_chat: LIFTED }
}
