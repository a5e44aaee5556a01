//! What do clients say: webwxsendmsg and webwxrevokemsg?

use std::sync::Arc;

use crate::Sim;
use crate::check::Checker;
use crate::journal::{IdUse, Sent};
use crate::names::{self, Peer};
use crate::request::{Answer, Endpoint, Request};
use crate::shape;
use crate::wire::{OutMsg, RevokeBody, SendBody};

const PARAMETER_ERROR: i64 = 1;
const NOT_A_FRIEND: i64 = 1204;
/// A message can be recalled for two minutes.
const RECALL_MS: u64 = 120_000;

impl Sim {
    pub(crate) fn send_msg(&self, request: &Request, checker: &Checker<'_>) -> Result<Answer, i64> {
        let body: SendBody<'_> = crate::server::body(request, checker)?;
        let account = self.account_of(request, checker)?;
        let checker = checker.of(&account.name);
        let refuse = |ret| Ok(shape::refusal(Endpoint::SendMsg, ret, ""));
        let msg = &body.msg;
        let mut state = account.lock();
        state.admit(account.uin, request, &request.query(), Some(&body.base_request), &checker)?;
        if msg.from_user_name != state.names.me {
            checker.hard("FromUserName is not the account's");
            return refuse(PARAMETER_ERROR);
        }
        let Some(to) = state.names.find(&msg.to_user_name) else {
            checker.hard("ToUserName is unknown");
            return refuse(NOT_A_FRIEND);
        };
        if !state.can_send_to(to) {
            return refuse(NOT_A_FRIEND);
        }

        let id = &*msg.client_msg_id.0;
        let hash = names::stable_hash(&msg.to_user_name) ^ names::stable_hash(&msg.content).rotate_left(1);
        let (client_msg_id, used) =
            if id.is_empty() { (Arc::from(""), IdUse::First) } else { state.record.use_id(id, hash) };
        check_ids(msg, used, &checker);

        let msg_id = self.next_msg_id();
        state.record.sends.push(Sent {
            to,
            msg_type: msg.msg_type,
            content: msg.content.as_ref().into(),
            client_msg_id,
            msg_id,
            at_ms: checker.now_ms,
            duplicate: used != IdUse::First,
        });
        if let Peer::Person(person) = to
            && self.load_answered(&mut state, person, &msg.content, checker.now_ms)
        {
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
        let msg_id = sent.msg_id;
        state.record.recalls.push((checker.now_ms, msg_id));
        Ok(shape::refusal(Endpoint::RevokeMsg, 0, ""))
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
