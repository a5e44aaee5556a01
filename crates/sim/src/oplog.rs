//! How do clients pin a conversation or give a friend a remark: webwxoplog?

use crate::Sim;
use crate::check::Checker;
use crate::log::Entry;
use crate::names::Peer;
use crate::request::{Answer, Endpoint, Request};
use crate::shape;
use crate::wire::OpLogBody;

const PARAMETER_ERROR: i64 = 1;
const REMARK: i64 = 2;
const PIN: i64 = 3;

impl Sim {
    pub(crate) fn op_log(&self, request: &Request, checker: &Checker<'_>) -> Result<Answer, i64> {
        let body: OpLogBody<'_> = crate::server::body(request, checker)?;
        let account = self.account_of(request, checker)?;
        let checker = checker.of(&account.name);
        let mut state = account.lock();
        state.admit(account.uin, request, &request.query(), Some(&body.base_request), &checker)?;
        let peer = match state.names.find(&body.user_name) {
            Some(peer @ (Peer::Person(_) | Peer::Room(_))) => peer,
            Some(Peer::Me | Peer::Special(_)) => return Err(PARAMETER_ERROR),
            None => {
                checker.hard("UserName is unknown");
                return Err(PARAMETER_ERROR);
            }
        };
        let pinned = match (body.cmd_id, body.op) {
            (REMARK, _) => None,
            (PIN, Some(0)) => Some(false),
            (PIN, Some(1)) => Some(true),
            (PIN, _) => {
                checker.hard("OP is neither 0 nor 1");
                return Err(PARAMETER_ERROR);
            }
            _ => {
                checker.hard("CmdId is neither 2 nor 3");
                return Err(PARAMETER_ERROR);
            }
        };
        let remark = body.remark_name.as_deref();
        match peer {
            Peer::Person(at) => {
                if let Some(person) = state.people.get_mut(at) {
                    match (pinned, remark) {
                        (None, None) => {
                            checker.hard("CmdId 2 without RemarkName");
                            return Err(PARAMETER_ERROR);
                        }
                        // Clients that leave the remark out lose it, and their users complain: it is the service's way.
                        (Some(_), None) if !person.spec.remark.is_empty() => {
                            checker.soft("CmdId 3 without RemarkName clears the remark");
                        }
                        _ => {}
                    }
                    remark.unwrap_or_default().clone_into(&mut person.spec.remark);
                    person.pinned = pinned.unwrap_or(person.pinned);
                }
            }
            Peer::Room(at) => {
                let Some(pinned) = pinned else { return Err(PARAMETER_ERROR) };
                if let Some(room) = state.rooms.get_mut(at) {
                    room.pinned = pinned;
                }
            }
            Peer::Me | Peer::Special(_) => {}
        }
        state.add(Entry::Mod(peer));
        drop(state);
        account.wake.notify_waiters();
        Ok(shape::refusal(Endpoint::OpLog, 0, ""))
    }
}
