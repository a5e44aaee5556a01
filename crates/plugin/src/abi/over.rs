//! What is the host of a plugin in a library? The same as of a linked one, asked over the boundary.

use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use futures_util::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use wxbot_model::{AccountName, Action, Capabilities, Capability, Contact, ContactId, MediaHandle};

use super::asks::{Act, Fetch, Fetched, KvGet, KvList, Lookup, Release};
use super::link::HostLink;
use super::wire::{decode, encode};
use super::words::{Fault, HostOp};
use crate::budget::Budget;
use crate::contacts::{ContactQuery, FoundContact, RoomMember};
use crate::ctx::KvPage;
use crate::host::{Host, ReadMedia, Receipt};
use crate::media::{MediaError, MediaFile};
use crate::plugin::PluginError;
use crate::role::Role;

/// The host behind a link.
pub(super) struct OverLink(pub(super) HostLink);

impl OverLink {
    async fn ask<T: DeserializeOwned>(&self, op: HostOp, what: &impl Serialize) -> Result<T, Fault> {
        let question = encode(what)?;
        decode(&self.0.call(op, &question).await?)
    }

    /// For what the host knows by heart.
    fn ask_now<T: DeserializeOwned>(&self, op: HostOp, what: &impl Serialize) -> Option<T> {
        let answer = encode(what).and_then(|question| self.0.call_now(op, &question));
        answer.and_then(|answer| decode(&answer)).ok()
    }

    async fn fetch(&self, what: Fetch) -> Result<MediaFile, MediaError> {
        let asked: Result<Result<Fetched, MediaError>, Fault> = self.ask(HostOp::MEDIA, &what).await;
        let Fetched { stored, file_type, path, hold } = asked.map_err(not_now)??;
        let held = Arc::new(HeldFile { link: self.0, hold, path: path.clone() });
        Ok(MediaFile::new(stored, file_type, path, held))
    }
}

impl Host for OverLink {
    fn now_ms(&self) -> i64 {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }

    fn random_u64(&self) -> u64 {
        // Each has keys of its own.
        RandomState::new().hash_one(())
    }

    fn kv_get<'a>(
        &'a self,
        _plugin: &'a str,
        account: &'a AccountName,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Option<Value>, PluginError>> {
        // Which plugin asks is for the host to know.
        let what = KvGet { account: account.clone(), key: key.to_owned() };
        Box::pin(async move { Ok(self.ask(HostOp::KV_GET, &what).await?) })
    }

    fn kv_list<'a>(
        &'a self,
        _plugin: &'a str,
        account: &'a AccountName,
        prefix: &'a str,
        page: KvPage,
    ) -> BoxFuture<'a, Result<Vec<(String, Value)>, PluginError>> {
        let what = KvList { account: account.clone(), prefix: prefix.to_owned(), page };
        Box::pin(async move { Ok(self.ask(HostOp::KV_LIST, &what).await?) })
    }

    fn capabilities(&self, account: &AccountName) -> Capabilities {
        let words: Option<Vec<String>> =
            self.ask_now(HostOp::LOOKUP, &Lookup::Capabilities { account: account.clone() });
        let words = words.unwrap_or_default();
        // A word of a later version is nothing that this plugin can ask for.
        Capability::ALL.into_iter().filter(|one| words.iter().any(|word| word == one.word())).collect()
    }

    fn people(&self, account: &AccountName, role: &Role, room: Option<&ContactId>) -> Vec<ContactId> {
        let what = Lookup::People { account: account.clone(), role: role.clone(), room: room.cloned() };
        self.ask_now(HostOp::LOOKUP, &what).unwrap_or_default()
    }

    fn find_contacts(&self, account: &AccountName, query: &ContactQuery) -> Vec<FoundContact> {
        let what = Lookup::Contacts { account: account.clone(), query: query.clone() };
        self.ask_now(HostOp::LOOKUP, &what).unwrap_or_default()
    }

    fn members<'a>(
        &'a self,
        account: &'a AccountName,
        room: &'a ContactId,
    ) -> BoxFuture<'a, Result<Vec<RoomMember>, PluginError>> {
        let what = Lookup::Members { account: account.clone(), room: room.clone() };
        Box::pin(async move { Ok(self.ask(HostOp::LOOKUP, &what).await?) })
    }

    fn budget<'a>(
        &'a self,
        account: &'a AccountName,
        chat: &'a ContactId,
    ) -> BoxFuture<'a, Result<Budget, PluginError>> {
        let what = Lookup::Budget { account: account.clone(), chat: chat.clone() };
        Box::pin(async move { Ok(self.ask(HostOp::LOOKUP, &what).await?) })
    }

    fn send_now<'a>(
        &'a self,
        _plugin: &'a str,
        account: &'a AccountName,
        action: Action,
    ) -> BoxFuture<'a, Result<Receipt, PluginError>> {
        let what = Act { account: account.clone(), action };
        Box::pin(async move { Ok(self.ask(HostOp::ACTION, &what).await?) })
    }

    fn contact(&self, account: &AccountName, id: &ContactId) -> Option<Contact> {
        self.ask_now(HostOp::LOOKUP, &Lookup::Contact { account: account.clone(), id: id.clone() })?
    }

    fn media<'a>(
        &'a self,
        account: &'a AccountName,
        media: &'a MediaHandle,
        name: &'a str,
    ) -> BoxFuture<'a, Result<MediaFile, MediaError>> {
        let what = Fetch::Media { account: account.clone(), media: media.clone(), name: name.to_owned() };
        Box::pin(self.fetch(what))
    }

    fn avatar<'a>(
        &'a self,
        account: &'a AccountName,
        of: &'a ContactId,
        room: Option<&'a ContactId>,
    ) -> BoxFuture<'a, Result<MediaFile, MediaError>> {
        let what = Fetch::Avatar { account: account.clone(), of: of.clone(), room: room.cloned() };
        Box::pin(self.fetch(what))
    }
}

/// A file that the host keeps in its place until this is dropped.
struct HeldFile {
    link: HostLink,
    hold: u64,
    path: PathBuf,
}

impl ReadMedia for HeldFile {
    fn read(&self) -> BoxFuture<'static, Result<Vec<u8>, MediaError>> {
        let path = self.path.clone();
        Box::pin(async move {
            let read = tokio::task::spawn_blocking(move || std::fs::read(path)).await;
            let read = read.map_err(|e| MediaError::NotNow { why: e.to_string() })?;
            read.map_err(|e| MediaError::NotNow { why: e.to_string() })
        })
    }
}

impl Drop for HeldFile {
    fn drop(&mut self) {
        if let Ok(what) = encode(&Release { hold: self.hold }) {
            self.link.tell(HostOp::RELEASE, &what);
        }
    }
}

fn not_now(fault: Fault) -> MediaError {
    MediaError::NotNow { why: fault.message }
}
