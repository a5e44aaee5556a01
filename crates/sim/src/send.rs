//! What do clients say: webwxsendmsg and its four relatives, and webwxrevokemsg?

use std::sync::Arc;

use crate::Sim;
use crate::account::State;
use crate::check::Checker;
use crate::journal::{IdUse, Sent};
use crate::media::Attached;
use crate::names::{self, Peer};
use crate::relay::Parcel;
use crate::request::{Answer, Endpoint, Request};
use crate::shape;
use crate::systext;
use crate::wire::{OutMsg, RevokeBody, SendBody};

const PARAMETER_ERROR: i64 = 1;
const NOT_A_FRIEND: i64 = 1204;
/// A message can be recalled for two minutes.
const RECALL_MS: u64 = 120_000;

impl Sim {
    /// webwxsendmsg, webwxsendemoticon, webwxsendmsgimg, webwxsendvideomsg and webwxsendappmsg.
    pub(crate) fn send_msg(&self, request: &Request, checker: &Checker<'_>) -> Result<Answer, i64> {
        let body: SendBody<'_> = crate::server::body(request, checker)?;
        let account = self.account_of(request, checker)?;
        let checker = checker.of(&account.name);
        let msg = &body.msg;
        let mut state = account.lock();
        let query = request.query();
        state.admit(account.uin, request, &query, Some(&body.base_request), &checker)?;
        if checker.endpoint == Endpoint::SendEmoticon && query.get("fun") != Some("sys") {
            checker.soft("query without fun=sys");
        }
        if msg.from_user_name != state.names.me {
            checker.hard("FromUserName is not the account's");
            return Err(PARAMETER_ERROR);
        }
        let Some(to) = state.names.find(&msg.to_user_name) else {
            checker.hard("ToUserName is unknown");
            return Err(NOT_A_FRIEND);
        };
        if !state.can_send_to(to) {
            return Err(NOT_A_FRIEND);
        }
        let parcel = self.parcel(&state, &body, &checker)?;

        let id = &*msg.client_msg_id.0;
        let media = &*msg.media_id;
        let hash = names::stable_hash(&msg.to_user_name)
            ^ names::stable_hash(&msg.content).rotate_left(1)
            ^ names::stable_hash(media).rotate_left(2)
            ^ names::stable_hash(&msg.emoticon_md5).rotate_left(3);
        let (client_msg_id, used) =
            if id.is_empty() { (Arc::from(""), IdUse::First) } else { state.record.use_id(id, hash) };
        check_ids(msg, used, &checker);

        let msg_id = self.next_msg_id();
        let attached = attached(&parcel, msg.msg_type, to);
        state.record.sends.push(Sent {
            to,
            msg_type: msg.msg_type,
            content: msg.content.as_ref().into(),
            client_msg_id,
            msg_id,
            at_ms: checker.now_ms,
            duplicate: used != IdUse::First,
            media: sent_media(&parcel, msg).map(Box::new),
        });
        if let Some(attached) = attached {
            state.attached.insert(msg_id, attached);
        }
        let news =
            matches!(to, Peer::Person(person) if self.load_answered(&mut state, person, &msg.content, checker.now_ms));
        let (gone, blocked) = match to {
            Peer::Person(at) => state.people.get(at).map_or((false, false), |person| (person.gone, person.blocked)),
            Peer::Me | Peer::Room(_) | Peer::Special(_) => (false, false),
        };
        let hearers = if gone || blocked { Vec::new() } else { state.hearers(to) };
        let through = state.through(to);
        // Not under the lock: a poll that wakes up wants it at once.
        drop(state);
        if news {
            account.wake.notify_waiters();
        }
        let refused = !hearers.is_empty() && !self.relay(&account, &hearers, &through, &parcel, msg_id);
        if gone || blocked || refused {
            // The service takes the message and then says in the chat that nobody will read it.
            let mut state = account.lock();
            let text = if blocked {
                systext::blocked(account.spec.lang).to_owned()
            } else {
                systext::not_a_friend(account.spec.lang, state.label(to))
            };
            state.system_text(self.next_msg_id(), to, &text, checker.now_ms);
            drop(state);
            account.wake.notify_waiters();
        }

        let mut answer = Vec::with_capacity(128);
        crate::addmsg::put(&mut answer, r#"{"BaseResponse":{"Ret":0,"ErrMsg":""},"MsgID":""#);
        crate::addmsg::put_number(&mut answer, msg_id);
        crate::addmsg::put(&mut answer, r#"","LocalID":"#);
        crate::addmsg::write_json(&mut answer, &*msg.local_id.0);
        crate::addmsg::put(&mut answer, "}");
        Ok(Answer::json(answer))
    }

    pub(crate) fn revoke_msg(&self, request: &Request, checker: &Checker<'_>) -> Result<Answer, i64> {
        let body: RevokeBody<'_> = crate::server::body(request, checker)?;
        let account = self.account_of(request, checker)?;
        let checker = checker.of(&account.name);
        let refuse = || Ok(shape::refusal(Endpoint::RevokeMsg, PARAMETER_ERROR, ""));
        let mut state = account.lock();
        state.admit(account.uin, request, &request.query(), Some(&body.base_request), &checker)?;
        if body.client_msg_id.0.is_empty() {
            checker.hard("no ClientMsgId");
            return refuse();
        }
        let to = state.names.find(&body.to_user_name);
        let sent = body.svr_msg_id.0.parse::<u64>().ok().and_then(|msg_id| {
            // What is recalled was sent just now: looked for from the end.
            state.record.sends.iter().rev().find(|sent| sent.msg_id == msg_id)
        });
        let Some(sent) = sent.filter(|sent| Some(sent.to) == to) else {
            checker.soft("SvrMsgId and ToUserName are of no message sent");
            return refuse();
        };
        if checker.now_ms > sent.at_ms + RECALL_MS {
            return refuse();
        }
        let (msg_id, to) = (sent.msg_id, sent.to);
        state.record.recalls.push((checker.now_ms, msg_id));
        let hearers = state.hearers(to);
        drop(state);
        for hearer in hearers {
            // Who was no friend at that time never got it: there is nothing to take back.
            if let Err(error) = self.recall(&hearer, &msg_id.to_string()) {
                tracing::debug!(hearer, %error, "A recall reaches nobody.");
            }
        }
        Ok(shape::refusal(Endpoint::RevokeMsg, 0, ""))
    }
}

/// What can be downloaded of a message that the account itself sent.
fn attached(parcel: &Parcel<'_>, msg_type: i64, chat: Peer) -> Option<Attached> {
    let item = match parcel {
        Parcel::Image(item) | Parcel::File(item) | Parcel::Video { item, .. } => item,
        Parcel::Sticker { item, .. } => item.as_ref()?,
        Parcel::Text(_) | Parcel::Location { .. } | Parcel::App { .. } | Parcel::Forward { .. } => return None,
    };
    Some(Attached { item: item.clone(), msg_type, chat, own: true })
}

fn sent_media(parcel: &Parcel<'_>, msg: &OutMsg<'_>) -> Option<crate::journal::SentMedia> {
    let of = |item: &crate::media::Named| crate::journal::SentMedia {
        media_id: msg.media_id.to_string(),
        md5: item.blob.md5.clone(),
        len: item.blob.len(),
        file_name: item.name.clone(),
    };
    match parcel {
        Parcel::Image(item) | Parcel::File(item) | Parcel::Video { item, .. } => Some(of(item)),
        Parcel::Sticker { item: Some(item), .. } => Some(of(item)),
        Parcel::Sticker { md5, item: None } => Some(crate::journal::SentMedia {
            media_id: String::new(),
            md5: md5.clone(),
            len: 0,
            file_name: String::new(),
        }),
        Parcel::Text(_) | Parcel::Location { .. } | Parcel::App { .. } | Parcel::Forward { .. } => None,
    }
}

fn check_ids(msg: &OutMsg<'_>, used: IdUse, checker: &Checker<'_>) {
    let id = &*msg.client_msg_id.0;
    if id.is_empty() {
        checker.hard("no ClientMsgId");
        return;
    }
    // Both are habits of clients that people use for years, so the service bears them: itchat-uos draws the two ids
    // apart, wechat4u takes the clock's millisecond for both of two quick messages.
    if id != msg.local_id.0 {
        checker.soft("ClientMsgId is not LocalID");
    }
    if used == IdUse::OtherContent {
        checker.soft("ClientMsgId was used for another message");
    }
    if id.len() != 17 || !id.bytes().all(|byte| byte.is_ascii_digit()) {
        checker.soft("ClientMsgId is not 17 digits");
    }
}

impl State {
    /// The item behind a MediaId that this login was given, by an upload or with a received file.
    pub(crate) fn given(&self, media_id: &str) -> Option<crate::media::Named> {
        if let Some(item) = self.session.as_ref()?.uploads.given(media_id) {
            return Some(item.clone());
        }
        self.attached.get(self.files.get(media_id)?).map(|attached| attached.item.clone())
    }
}
