//! Who performs the requests of one session? The client: keys, cookies, hosts, and one method per call.
//!
//! Answers go out in the server's own words; [`convert`](super::convert) makes ours of them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use url::Url;
use wxbot_model::{PeerId, Secret};

use super::endpoint::{self, Hosts, Mode};
use super::sync::{Keys, SyncKey};
use super::uploaded::Uploaded;
use super::wire::answer::{Base, BatchContacts, ContactPage, InitAnswer, PushLogin, SyncAnswer, elements};
use super::wire::request::{
    BaseRequest, BatchEntry, BatchGetContact, Init, NotifyCode, StatBase, StatEntry, StatReport, StatusNotify, Sync,
};
use super::wire::script::SyncCheck;
use super::wire::{contact, json, text, unreadable};
use crate::error::{Advice, Error, Risk};
use crate::http::CookieClient;
use crate::said::username::is_room;
use crate::source::Source;
use crate::transport::HttpRequest;

/// The service takes at most this many entries in one webwxbatchgetcontact.
pub const BATCH: usize = 50;
/// A bound for paging that no account reaches: at about 500 contacts a page.
const MAX_PAGES: usize = 100;

/// Keys of a session; all of them secrets.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct SessionKeys {
    pub(super) uin: u64,
    pub(super) sid: Secret<String>,
    pub(super) skey: Secret<String>,
    pub(super) pass_ticket: Secret<String>,
}

/// One session's way to the service.
pub(super) struct Client {
    pub(super) http: CookieClient,
    pub(super) hosts: Hosts,
    pub(super) mode: Mode,
    pub(super) source: Source,
    keys: RwLock<Arc<SessionKeys>>,
    /// What this login has uploaded.
    pub(super) uploaded: Uploaded,
    /// From this many members on a room takes nobody without being asked.
    invite_from: AtomicU64,
    /// `EncryChatRoomId` by room: how the service wants a room named when it is asked about a member.
    room_ids: Mutex<HashMap<String, String>>,
    /// What risk control said to any request of this session: the end of all others.
    stopped: watch::Sender<Option<(String, Risk)>>,
}

/// `InviteStartCount` where webwxinit does not say.
const INVITE_FROM: u64 = 40;

impl Client {
    pub(super) fn new(http: CookieClient, hosts: Hosts, mode: Mode, source: Source, keys: SessionKeys) -> Self {
        Self {
            http,
            hosts,
            mode,
            source,
            keys: RwLock::new(Arc::new(keys)),
            uploaded: Uploaded::default(),
            invite_from: AtomicU64::new(INVITE_FROM),
            room_ids: Mutex::default(),
            stopped: watch::Sender::new(None),
        }
    }

    /// Notes that risk control stopped a request. The first word counts.
    pub(super) fn stop(&self, why: &str, risk: Risk) {
        self.stopped.send_if_modified(|stopped| {
            let first = stopped.is_none();
            stopped.get_or_insert_with(|| (why.to_owned(), risk));
            first
        });
    }

    /// What risk control said, if it did.
    pub(super) fn stopped(&self) -> Option<(String, Risk)> {
        self.stopped.borrow().clone()
    }

    /// Waits until risk control stops a request.
    pub(super) async fn until_stopped(&self) -> Error {
        let mut stopped = self.stopped.subscribe();
        let Ok(said) = stopped.wait_for(Option::is_some).await.map(|said| said.clone()) else {
            return std::future::pending().await;
        };
        let (why, risk) = said.unwrap_or_else(|| (String::new(), Risk::Forbidden));
        Error::Stopped { why, risk }
    }

    pub(super) fn keys(&self) -> Arc<SessionKeys> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes a fresh Skey; true when it is another than before.
    pub(super) fn refresh_skey(&self, skey: &str) -> bool {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        if skey.is_empty() || keys.skey.expose() == skey {
            return false;
        }
        *keys = Arc::new(SessionKeys { skey: skey.to_owned().into(), ..(**keys).clone() });
        true
    }

    fn device_id(&self) -> String {
        format!("e{:015}", self.source.below(1_000_000_000_000_000))
    }

    pub(super) fn base<'a>(&self, keys: &'a SessionKeys) -> BaseRequest<'a> {
        BaseRequest { uin: keys.uin, sid: keys.sid.expose(), skey: keys.skey.expose(), device_id: self.device_id() }
    }

    async fn call<T: DeserializeOwned>(&self, endpoint: &'static str, request: HttpRequest) -> Result<T, Error> {
        let answer = self.http.send(request).await.map_err(|source| Error::Transport { endpoint, source })?;
        json(endpoint, &answer)
    }

    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        endpoint: &'static str,
        url: Url,
        body: &(impl Serialize + std::marker::Sync),
    ) -> Result<T, Error> {
        self.call(endpoint, endpoint::post_json(&self.mode, url, body)?).await
    }

    pub(super) async fn init(&self) -> Result<InitAnswer, Error> {
        let keys = self.keys();
        let url = endpoint::init(&self.hosts, keys.pass_ticket.expose(), self.source.now_ms());
        let answer: InitAnswer = self.post("webwxinit", url, &Init { base_request: self.base(&keys) }).await?;
        answer.base_response.check("webwxinit")?;
        if answer.invite_start_count > 0 {
            self.invite_from.store(answer.invite_start_count, Ordering::Relaxed);
        }
        Ok(answer)
    }

    /// Tells the service that the client is up.
    pub(super) async fn notify_up(&self, me: &PeerId) -> Result<(), Error> {
        self.notify(NotifyCode::Inited, me, me).await
    }

    /// Marks a chat read on the phone.
    pub(super) async fn notify_read(&self, me: &PeerId, chat: &PeerId) -> Result<(), Error> {
        self.notify(NotifyCode::Read, me, chat).await
    }

    async fn notify(&self, code: NotifyCode, me: &PeerId, to: &PeerId) -> Result<(), Error> {
        let keys = self.keys();
        let body = StatusNotify {
            base_request: self.base(&keys),
            code: code.number(),
            from_user_name: me.as_str(),
            to_user_name: to.as_str(),
            client_msg_id: self.source.now_ms(),
        };
        let url = endpoint::statusnotify(&self.hosts, keys.pass_ticket.expose());
        let answer: Base = self.post("webwxstatusnotify", url, &body).await?;
        answer.base_response.check("webwxstatusnotify")
    }

    /// Statistics that the official client reports after a login; nothing depends on the answer.
    pub(super) async fn report(&self) {
        let keys = self.keys();
        let text = format!(
            r#"{{"type":"[action-record]","data":{{"actions":[{{"type":"click","action":"登录","time":{}}}]}}}}"#,
            self.source.now_ms()
        );
        let body = StatReport {
            base_request: StatBase { uin: keys.uin, sid: keys.sid.expose(), device_id: self.device_id() },
            count: 1,
            list: vec![StatEntry { kind: 1, text }],
        };
        let url = endpoint::statreport(&self.hosts, keys.pass_ticket.expose());
        self.post::<Base>("webwxstatreport", url, &body).await.ok();
    }

    /// The whole address book, page by page.
    pub(super) async fn all_contacts(&self) -> Result<Vec<contact::Contact>, Error> {
        let (mut seq, mut all) = (0, Vec::new());
        for _ in 0..MAX_PAGES {
            let keys = self.keys();
            let request = endpoint::getcontact(
                &self.hosts,
                &self.mode,
                keys.pass_ticket.expose(),
                keys.skey.expose(),
                seq,
                self.source.now_ms(),
            );
            let page: ContactPage = self.call("webwxgetcontact", request).await?;
            page.base_response.check("webwxgetcontact")?;
            let (contacts, bad) = elements::<contact::Contact>(&page.member_list);
            if bad > 0 {
                tracing::warn!(bad, "Some contacts cannot be read and are left out.");
            }
            all.extend(contacts);
            if page.seq == 0 || page.seq == seq {
                break;
            }
            seq = page.seq;
        }
        Ok(all)
    }

    /// Details of at most [`BATCH`] peers. A refused batch is tried again in smaller ones, as the official client does.
    pub(super) async fn contacts_of(&self, peers: &[PeerId]) -> Result<Vec<contact::Contact>, Error> {
        match self.batch_of(peers).await {
            Err(Error::Refused { refusal, .. }) if peers.len() > 1 && splits(refusal.advice) => {
                tracing::debug!(ret = refusal.ret, "A batch of contacts is refused; asking in smaller ones.");
                self.smaller_batches(peers).await
            }
            other => other,
        }
    }

    async fn smaller_batches(&self, peers: &[PeerId]) -> Result<Vec<contact::Contact>, Error> {
        let (mut found, mut left) = (Vec::new(), peers.to_vec());
        for size in [10, 5, 1] {
            let mut refused = Vec::new();
            for batch in left.chunks(size) {
                match self.batch_of(batch).await {
                    Ok(contacts) => found.extend(contacts),
                    Err(Error::Refused { refusal, .. }) if splits(refusal.advice) => refused.extend_from_slice(batch),
                    Err(error) => return Err(error),
                }
            }
            left = refused;
        }
        Ok(found)
    }

    async fn batch_of(&self, peers: &[PeerId]) -> Result<Vec<contact::Contact>, Error> {
        self.batch(peers.iter().map(|peer| BatchEntry::of(peer.as_str())).collect()).await
    }

    /// Details of somebody who is met in this room.
    pub(super) async fn member_of(&self, room: &PeerId, who: &PeerId) -> Result<Vec<contact::Contact>, Error> {
        let room_id = self.room_id(room).await?;
        let entry = BatchEntry::Peer { user_name: who.as_str(), encry_chat_room_id: &room_id };
        self.batch(vec![entry]).await
    }

    async fn batch(&self, list: Vec<BatchEntry<'_>>) -> Result<Vec<contact::Contact>, Error> {
        let keys = self.keys();
        let body = BatchGetContact { base_request: self.base(&keys), count: list.len(), list };
        let url = endpoint::batchgetcontact(&self.hosts, keys.pass_ticket.expose(), self.source.now_ms());
        let answer: BatchContacts = self.post("webwxbatchgetcontact", url, &body).await?;
        answer.base_response.check("webwxbatchgetcontact")?;
        let contacts = elements::<contact::Contact>(&answer.contact_list).0;
        let mut room_ids = self.room_ids.lock().unwrap_or_else(PoisonError::into_inner);
        for room in contacts.iter().filter(|one| is_room(&one.user_name) && !one.encry_chat_room_id.is_empty()) {
            room_ids.insert(room.user_name.clone(), room.encry_chat_room_id.clone());
        }
        Ok(contacts)
    }

    /// `EncryChatRoomId` of a room, asked for where it is not known; empty where the service does not say.
    pub(super) async fn room_id(&self, room: &PeerId) -> Result<String, Error> {
        let known =
            |client: &Self| client.room_ids.lock().unwrap_or_else(PoisonError::into_inner).get(room.as_str()).cloned();
        if let Some(id) = known(self) {
            return Ok(id);
        }
        self.batch_of(std::slice::from_ref(room)).await?;
        Ok(known(self).unwrap_or_default())
    }

    /// From this many members on, people are invited into a room and cannot be brought.
    pub(super) fn invite_from(&self) -> u64 {
        self.invite_from.load(Ordering::Relaxed)
    }

    pub(super) async fn synccheck(&self, push: &Url, keys: &Keys, counter_ms: i64) -> Result<SyncCheck, Error> {
        let session = self.keys();
        let ask = endpoint::SyncCheck {
            skey: session.skey.expose(),
            sid: session.sid.expose(),
            uin: session.uin,
            device_id: &self.device_id(),
            synckey: &keys.check_param(),
            now_ms: self.source.now_ms(),
            counter_ms,
        };
        let request = endpoint::synccheck(push, &self.mode, &ask);
        let answer =
            self.http.send(request).await.map_err(|source| Error::Transport { endpoint: "synccheck", source })?;
        let body = text("synccheck", &answer)?;
        SyncCheck::parse(&body).ok_or_else(|| unreadable("synccheck", answer.body.len(), &body, "no retcode in it"))
    }

    pub(super) async fn sync(&self, key: &SyncKey) -> Result<SyncAnswer, Error> {
        let keys = self.keys();
        let url = endpoint::sync(&self.hosts, keys.sid.expose(), keys.skey.expose(), keys.pass_ticket.expose());
        let rr = endpoint::not_timestamp_i32(self.source.now_ms());
        let answer: SyncAnswer =
            self.post("webwxsync", url, &Sync { base_request: self.base(&keys), sync_key: key, rr }).await?;
        answer.base_response.check("webwxsync")?;
        Ok(answer)
    }

    pub(super) async fn push_login(&self) -> Result<String, Error> {
        let keys = self.keys();
        let endpoint = "webwxpushloginurl";
        let answer: PushLogin = self.call(endpoint, endpoint::pushloginurl(&self.hosts, &self.mode, keys.uin)).await?;
        answer
            .uuid()
            .ok_or_else(|| Error::Refused { endpoint, refusal: super::ret::Ret(answer.ret).refusal(&answer.msg) })
    }

    pub(super) async fn log_out(&self) {
        let keys = self.keys();
        let request = endpoint::logout(&self.hosts, &self.mode, keys.skey.expose(), keys.sid.expose(), keys.uin);
        self.http.send(request).await.ok();
    }
}

/// False for refusals that more requests would only make worse.
fn splits(advice: Advice) -> bool {
    match advice {
        Advice::TryLater | Advice::GiveUp => true,
        Advice::Stop(_) => false,
    }
}
