//! What is behind a handler's `Ctx` in a test? KV in memory, a clock by hand, chance that repeats, contacts and media as told.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use serde_json::Value;
use wxbot_model::{
    AccountName, Action, Capabilities, Capability, Contact, ContactId, FileType, MediaDigest, MediaHandle, StoredMedia,
    file_name,
};

use crate::budget::Budget;
use crate::contacts::{ContactQuery, FoundContact, RoomMember};
use crate::ctx::KvPage;
use crate::effects::{Effect, Effects};
use crate::host::{Host, Receipt};
use crate::media::{MediaError, MediaFile, ReadMedia};
use crate::plugin::PluginError;
use crate::role::Role;

/// Where time begins: 2026-01-01 00:00 UTC.
const BEGINNING_MS: i64 = 1_767_225_600_000;

#[derive(Debug)]
pub(super) struct FakeHost {
    inner: Mutex<FakeState>,
    /// When tokio's paused clock began to count, where it is the one to follow.
    #[cfg(feature = "testing")]
    paused_since: Option<tokio::time::Instant>,
}

#[derive(Debug, Default)]
pub(super) struct FakeState {
    now_ms: i64,
    random: u64,
    pub(super) kv: HashMap<String, Value>,
    /// By what they are asked by: see [`asked_by`].
    media: HashMap<String, Result<MediaFile, MediaError>>,
    /// What was sent at once, until the event that did it is over.
    pub(super) sent_now: Vec<Action>,
    receipts: u64,
    pub(super) contacts: Vec<(ContactId, Contact)>,
    pub(super) members: HashMap<ContactId, Vec<RoomMember>>,
    /// By person, and by the room where the role is held there alone.
    pub(super) roles: HashMap<(ContactId, Option<ContactId>), Vec<Role>>,
    /// What the account's protocol cannot do.
    pub(super) lacks: Vec<Capability>,
    /// What may go out, into whatever chat.
    pub(super) budget: Budget,
}

/// Somebody else has changed this key.
pub(super) struct Conflict(pub(super) String);

/// Bytes in memory behind a [`MediaFile`].
struct Held(Vec<u8>);

impl ReadMedia for Held {
    fn read(&self) -> BoxFuture<'static, Result<Vec<u8>, MediaError>> {
        Box::pin(std::future::ready(Ok(self.0.clone())))
    }
}

impl FakeHost {
    pub(super) fn new() -> Self {
        Self {
            inner: Mutex::new(FakeState { now_ms: BEGINNING_MS, ..FakeState::default() }),
            #[cfg(feature = "testing")]
            paused_since: None,
        }
    }

    /// One whose time passes with tokio's.
    #[cfg(feature = "testing")]
    pub(super) fn on_paused_time() -> Self {
        Self { paused_since: Some(tokio::time::Instant::now()), ..Self::new() }
    }

    pub(super) fn state<T>(&self, f: impl FnOnce(&mut FakeState) -> T) -> T {
        f(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Sets the clock forward or back at once, without letting anything happen.
    pub(super) fn set_ms(&self, by: i64) {
        self.state(|s| s.now_ms += by);
    }

    /// Lets time pass, for handlers that sleep too.
    pub(super) async fn pass_ms(&self, ms: i64) {
        #[cfg(feature = "testing")]
        if self.paused_since.is_some() {
            return tokio::time::advance(std::time::Duration::from_millis(u64::try_from(ms).unwrap_or(0))).await;
        }
        self.set_ms(ms);
    }

    /// The time that the host gives a handler, where time passes by itself.
    pub(super) async fn within_deadline<T>(
        &self,
        running: impl Future<Output = Result<T, PluginError>>,
    ) -> Result<T, PluginError> {
        #[cfg(feature = "testing")]
        if self.paused_since.is_some() {
            let limit = std::time::Duration::from_secs(30);
            let late = |_elapsed| PluginError::msg("it was not done after 30 s; wxbot would have cancelled it");
            return tokio::time::timeout(limit, running).await.map_err(late)?;
        }
        running.await
    }

    fn elapsed_ms(&self) -> i64 {
        #[cfg(feature = "testing")]
        if let Some(since) = self.paused_since {
            return i64::try_from(since.elapsed().as_millis()).unwrap_or(i64::MAX);
        }
        0
    }

    /// Changes KV as the effects say, all of it or nothing.
    pub(super) fn commit(&self, effects: &Effects) -> Result<(), Conflict> {
        self.state(|s| {
            // On a copy: a handler behind another one swaps what that one has put.
            let mut kv = s.kv.clone();
            for effect in effects.iter() {
                match effect {
                    Effect::Swap { key, was, .. } if kv.get(key) != was.as_ref() => return Err(Conflict(key.clone())),
                    Effect::Put { key, value } | Effect::Swap { key, now: Some(value), .. } => {
                        kv.insert(key.clone(), value.clone());
                    }
                    Effect::Delete { key } | Effect::Swap { key, now: None, .. } => drop(kv.remove(key)),
                    Effect::Reply { .. }
                    | Effect::Media { .. }
                    | Effect::Act(_)
                    | Effect::Timer { .. }
                    | Effect::CancelTimer { .. } => {}
                }
            }
            s.kv = kv;
            Ok(())
        })
    }

    pub(super) fn give_media(&self, media: &MediaHandle, answer: Result<MediaFile, MediaError>) {
        self.state(|s| drop(s.media.insert(asked_by(media), answer)));
    }

    pub(super) fn give_avatar(&self, of: &ContactId, bytes: Vec<u8>) {
        self.state(|s| drop(s.media.insert(asked_by_avatar(of), Ok(file("", bytes)))));
    }

    fn answer(&self, asked_by: &str) -> BoxFuture<'static, Result<MediaFile, MediaError>> {
        let answer = self.state(|s| s.media.get(asked_by).cloned());
        let none = || Err(MediaError::Gone { why: "nothing was given to the kit for it".into() });
        Box::pin(std::future::ready(answer.unwrap_or_else(none)))
    }
}

fn asked_by(media: &MediaHandle) -> String {
    format!("{:?} {}", media.kind, media.reference)
}

fn asked_by_avatar(of: &ContactId) -> String {
    format!("avatar {of}")
}

/// Bytes as a file of the media folder.
pub(super) fn file(name: &str, bytes: Vec<u8>) -> MediaFile {
    let (digest, file_type) = (digest(&bytes), FileType::of(&bytes));
    let name = file_name::safe(name, "media", file_type.extension());
    let len = bytes.len() as u64;
    let path = format!("/media/of/a/kit/{digest}").into();
    MediaFile::new(StoredMedia { digest, len, name }, file_type, path, Arc::new(Held(bytes)))
}

/// Not SHA-256, which would be machinery; equal for equal bytes all the same.
fn digest(bytes: &[u8]) -> MediaDigest {
    let hash =
        |seed: u64| bytes.iter().fold(seed, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    let text: String = (1..=4).map(|n| format!("{:016x}", hash(0xcbf2_9ce4_8422_2325 ^ n))).collect();
    #[expect(clippy::expect_used, reason = "four times sixteen hexadecimal digits")]
    text.parse().expect("64 digits")
}

impl Host for FakeHost {
    fn now_ms(&self) -> i64 {
        self.state(|s| s.now_ms) + self.elapsed_ms()
    }

    fn random_u64(&self) -> u64 {
        // A fixed walk (Knuth's multiplier), so that a test repeats.
        self.state(|s| {
            s.random = s.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            s.random
        })
    }

    fn kv_get<'a>(
        &'a self,
        _plugin: &'a str,
        _account: &'a AccountName,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Option<Value>, PluginError>> {
        let value = self.state(|s| s.kv.get(key).cloned());
        Box::pin(std::future::ready(Ok(value)))
    }

    fn kv_list<'a>(
        &'a self,
        _plugin: &'a str,
        _account: &'a AccountName,
        prefix: &'a str,
        page: KvPage,
    ) -> BoxFuture<'a, Result<Vec<(String, Value)>, PluginError>> {
        let mut rows = self.state(|s| {
            let wanted = |key: &String| key.starts_with(prefix) && page.after.as_ref().is_none_or(|after| key > after);
            let rows = s.kv.iter().filter(|(key, _)| wanted(key));
            rows.map(|(key, value)| (key.clone(), value.clone())).collect::<Vec<_>>()
        });
        rows.sort_by(|a, b| a.0.cmp(&b.0));
        rows.truncate(page.limit.min(KvPage::MOST));
        Box::pin(std::future::ready(Ok(rows)))
    }

    fn capabilities(&self, _account: &AccountName) -> Capabilities {
        let lacks = self.state(|s| s.lacks.clone());
        Capability::ALL.into_iter().filter(|one| !lacks.contains(one)).collect()
    }

    fn people(&self, _account: &AccountName, role: &Role, room: Option<&ContactId>) -> Vec<ContactId> {
        let mut people: Vec<ContactId> = self.state(|s| {
            let has = |((_, of), roles): &(&(ContactId, Option<ContactId>), &Vec<Role>)| {
                roles.contains(role) && (of.is_none() || of.as_ref() == room)
            };
            s.roles.iter().filter(has).map(|((person, _), _)| person.clone()).collect()
        });
        people.sort_unstable();
        people
    }

    fn find_contacts(&self, _account: &AccountName, query: &ContactQuery) -> Vec<FoundContact> {
        self.state(|s| query.pick(s.contacts.iter().map(|(id, contact)| (id, contact))))
    }

    fn members<'a>(
        &'a self,
        _account: &'a AccountName,
        room: &'a ContactId,
    ) -> BoxFuture<'a, Result<Vec<RoomMember>, PluginError>> {
        let members = self.state(|s| s.members.get(room).cloned());
        let members = members.ok_or_else(|| PluginError::msg(format!("{room} is nobody this account knows")));
        Box::pin(std::future::ready(members))
    }

    fn budget<'a>(
        &'a self,
        _account: &'a AccountName,
        _chat: &'a ContactId,
    ) -> BoxFuture<'a, Result<Budget, PluginError>> {
        Box::pin(std::future::ready(Ok(self.state(|s| s.budget.clone()))))
    }

    fn send_now<'a>(
        &'a self,
        _plugin: &'a str,
        _account: &'a AccountName,
        action: Action,
    ) -> BoxFuture<'a, Result<Receipt, PluginError>> {
        let number = self.state(|s| {
            s.sent_now.push(action);
            s.receipts += 1;
            s.receipts
        });
        Box::pin(std::future::ready(Ok(Receipt::of(format!("sent-{number}").parse().ok()))))
    }

    fn contact(&self, _account: &AccountName, id: &ContactId) -> Option<Contact> {
        self.state(|s| s.contacts.iter().find(|(known, _)| known == id).map(|(_, contact)| contact.clone()))
    }

    fn media<'a>(
        &'a self,
        _account: &'a AccountName,
        media: &'a MediaHandle,
        _name: &'a str,
    ) -> BoxFuture<'a, Result<MediaFile, MediaError>> {
        self.answer(&asked_by(media))
    }

    fn avatar<'a>(
        &'a self,
        _account: &'a AccountName,
        of: &'a ContactId,
        _room: Option<&'a ContactId>,
    ) -> BoxFuture<'a, Result<MediaFile, MediaError>> {
        self.answer(&asked_by_avatar(of))
    }
}
