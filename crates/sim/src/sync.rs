//! What is new for a client: synccheck and webwxsync?

use std::sync::Arc;

use tokio::time::{Duration, Instant};

use crate::Sim;
use crate::account::{Account, State};
use crate::addmsg::{self, put, put_number, write_json};
use crate::check::Checker;
use crate::contacts::Members;
use crate::fault::FaultKind;
use crate::log::{Entry, KeyPairs, Place};
use crate::request::{Answer, Query, Request};
use crate::shape;
use crate::wire::SyncBody;

/// A client that gave up on one poll and begins the next is seen here before its old connection is known to be closed.
const POLL_OVERLAP: Duration = Duration::from_millis(250);

const NOTHING: u8 = 0;
const NEW_MESSAGE: u8 = 2;
const CONTACT_CHANGED: u8 = 4;

/// Counts a synccheck as in flight until it is answered or its client goes away.
struct InFlight {
    account: Arc<Account>,
    sid: String,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if let Some(session) = self.account.lock().session.as_mut().filter(|session| session.sid == self.sid) {
            session.polls = session.polls.saturating_sub(1);
        }
    }
}

impl Sim {
    pub(crate) async fn sync_check(&self, request: &Request, checker: &Checker<'_>) -> Result<Answer, i64> {
        let query = request.query();
        let (account, sid) = self.poller(request, &query, checker)?;
        let checker = checker.of(&account.name);
        let crowded = {
            let mut state = account.lock();
            let session = state.alive(&sid, &checker)?;
            checker.habits(request, &query, &session.pass_ticket);
            checker.device_id(query.get("deviceid").unwrap_or_default());
            session.polls += 1;
            let crowded = session.polls > 1;
            state.check_query_skey(&query, &checker);
            crowded
        };
        let _in_flight = InFlight { account: Arc::clone(&account), sid: sid.clone() };
        if crowded {
            tokio::time::sleep(POLL_OVERLAP).await;
            if account.lock().session.as_ref().is_some_and(|session| session.sid == sid && session.polls > 1) {
                checker.hard("a second synccheck while one is in flight");
            }
        }
        let keys = parse_keys(query.get("synckey").unwrap_or_default());
        let deadline = Instant::now() + self.world().hold;
        loop {
            let woken = account.wake.notified();
            tokio::pin!(woken);
            woken.as_mut().enable();
            let selector = {
                let mut state = account.lock();
                state.alive(&sid, &checker)?;
                selector(&state, &keys, &checker)
            };
            if selector != NOTHING || Instant::now() >= deadline {
                return Ok(shape::synccheck(0, selector));
            }
            tokio::select! {
                () = woken => {}
                () = tokio::time::sleep_until(deadline) => {}
            }
        }
    }

    /// Whose poll it is: known by its query, for it may come without cookies.
    fn poller(
        &self,
        request: &Request,
        query: &Query<'_>,
        checker: &Checker<'_>,
    ) -> Result<(Arc<Account>, String), i64> {
        let uin = query.get("uin").unwrap_or_default();
        let Some(account) = uin.parse().ok().and_then(|uin| self.directory().with_uin(uin).cloned()) else {
            checker.hard("uin is no account's");
            return Err(crate::session::COOKIE_INVALID);
        };
        let checker = checker.of(&account.name);
        let mut sid = query.get("sid").unwrap_or_default().to_owned();
        if sid.contains(' ') {
            checker.soft("raw + in sid");
            sid = sid.replace(' ', "+");
        }
        match (request.cookie("wxuin"), request.cookie("wxsid")) {
            (None, None) => checker.soft("no cookies"),
            (Some(cookie_uin), Some(cookie_sid)) if cookie_uin == uin && cookie_sid == sid => {}
            _ => {
                checker.hard("cookies are not those of the query");
                return Err(crate::session::COOKIE_INVALID);
            }
        }
        Ok((account, sid))
    }

    pub(crate) fn sync(
        &self,
        request: &Request,
        checker: &Checker<'_>,
        fault: Option<&FaultKind>,
    ) -> Result<Answer, i64> {
        let body: SyncBody<'_> = crate::server::body(request, checker)?;
        let account = self.account_of(request, checker)?;
        let checker = checker.of(&account.name);
        let mut guard = account.lock();
        let state = &mut *guard;
        state.admit(account.uin, request, &request.query(), Some(&body.base_request), &checker)?;
        if body.sync_key.count != body.sync_key.list.len() {
            checker.hard("Count of SyncKey is not the length of its List");
        }
        let pairs = body.sync_key.list.iter().map(|pair| (pair.key, pair.val));
        let end = state.log.end();
        let from = match state.log.place(pairs, state.generation) {
            Place::At(place) => place,
            Place::EarlierLogin => {
                checker.soft("SyncKey of an earlier login");
                end
            }
            Place::Unknown => {
                checker.hard("SyncKey was never given");
                end
            }
        };
        let to = end.min(from.saturating_add(self.world().sync_batch));
        let duplicate = fault == Some(&FaultKind::Duplicate);
        let new_skey = (fault == Some(&FaultKind::SkeyRefresh)).then(|| {
            let State { session, rng, .. } = state;
            session.as_mut().map(|session| {
                session.refresh_skey(rng, checker.now_ms);
                session.skey.clone()
            })
        });
        let login_s = state.session.as_ref().map_or(0, |session| session.login_s);
        let place = if duplicate { from } else { to };
        let keys = state.log.keys(place, state.generation, login_s, checker.now_ms / 1000);

        let batch = Batch { from, to, more: to < end, keys, skey: new_skey.flatten().unwrap_or_default() };
        let (answer, messages) = write_batch(state, account.uin, &batch, self.world().old_server);
        for entry in state.log.batch_mut(from, to) {
            if let Entry::Message(message) = entry {
                message.handed += 1;
            }
        }
        state.record.syncs.push((checker.now_ms, messages));
        Ok(Answer::json(answer))
    }
}

struct Batch {
    from: usize,
    to: usize,
    more: bool,
    keys: KeyPairs,
    skey: String,
}

fn write_batch(state: &State, uin: u64, batch: &Batch, old_server: bool) -> (Vec<u8>, u32) {
    let entries = state.log.since(batch.from).get(..batch.to - batch.from).unwrap_or_default();
    let mut out = Vec::with_capacity(2_048 + entries.len() * 1_200);
    let (mut mods, mut dels) = (Vec::new(), Vec::new());
    let mut messages = 0_u32;
    put(&mut out, r#"{"BaseResponse":{"Ret":0,"ErrMsg":""},"AddMsgList":["#);
    for entry in entries {
        match entry {
            Entry::Message(message) => {
                if messages > 0 {
                    put(&mut out, ",");
                }
                addmsg::write(&mut out, state, message);
                messages += 1;
            }
            Entry::Mod(peer) => mods.push(state.contact(*peer, uin, Members::All)),
            Entry::Del(peer) => {
                dels.push(serde_json::json!({"UserName": state.names.of(*peer), "ContactFlag": 0}));
            }
        }
    }
    put(&mut out, r#"],"AddMsgCount":"#);
    put_number(&mut out, u64::from(messages));
    for (count, name, list) in [
        (r#","ModContactCount":"#, r#","ModContactList":"#, &mods),
        (r#","DelContactCount":"#, r#","DelContactList":"#, &dels),
    ] {
        put(&mut out, count);
        put_number(&mut out, u64::try_from(list.len()).unwrap_or(0));
        put(&mut out, name);
        write_json(&mut out, list);
    }
    put(&mut out, r#","ModChatRoomMemberCount":0,"ModChatRoomMemberList":[],"Profile":"#);
    put(&mut out, PROFILE);
    put(&mut out, r#","ContinueFlag":"#);
    put_number(&mut out, u64::from(batch.more));
    put(&mut out, r#","SyncKey":"#);
    write_keys(&mut out, &batch.keys);
    if !old_server {
        put(&mut out, r#","SyncCheckKey":"#);
        write_keys(&mut out, &batch.keys);
    }
    put(&mut out, r#","SKey":"#);
    write_json(&mut out, &batch.skey);
    put(&mut out, "}");
    (out, messages)
}

/// [`shape::profile`] as text: it stands in every answer.
const PROFILE: &str = concat!(
    r#"{"BitFlag":0,"UserName":{"Buff":""},"NickName":{"Buff":""},"BindUin":0,"BindEmail":{"Buff":""},"#,
    r#""BindMobile":{"Buff":""},"Status":0,"Sex":0,"PersonalCard":0,"Alias":"","HeadImgUpdateFlag":0,"#,
    r#""HeadImgUrl":"","Signature":""}"#,
);

fn write_keys(out: &mut Vec<u8>, keys: &KeyPairs) {
    put(out, r#"{"Count":"#);
    put_number(out, u64::try_from(keys.len()).unwrap_or(0));
    put(out, r#","List":["#);
    for (at, (key, value)) in keys.iter().enumerate() {
        put(out, if at == 0 { r#"{"Key":"# } else { r#",{"Key":"# });
        put_number(out, u64::from(*key));
        put(out, r#","Val":"#);
        put_number(out, *value);
        put(out, "}");
    }
    put(out, "]}");
}

/// `1_643606091|2_643606203|…`
fn parse_keys(text: &str) -> Vec<(u32, u64)> {
    let pair = |pair: &str| {
        let (key, value) = pair.split_once('_')?;
        Some((key.parse().ok()?, value.parse().ok()?))
    };
    text.split('|').filter_map(pair).collect()
}

fn selector(state: &State, keys: &[(u32, u64)], checker: &Checker<'_>) -> u8 {
    let place = match state.log.place(keys.iter().copied(), state.generation) {
        Place::At(place) => place,
        // A key that was never given is answered at once: the client shall sync and get a good one.
        Place::EarlierLogin => {
            checker.soft("synckey of an earlier login");
            return NEW_MESSAGE;
        }
        Place::Unknown => {
            checker.hard("synckey was never given");
            return NEW_MESSAGE;
        }
    };
    let news = state.log.since(place);
    if news.is_empty() {
        NOTHING
    } else if news.iter().any(|entry| matches!(entry, Entry::Message(_))) {
        NEW_MESSAGE
    } else {
        CONTACT_CHANGED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profile_text_is_the_profile() {
        let text: serde_json::Value = serde_json::from_str(PROFILE).unwrap();
        assert_eq!(text, shape::profile());
    }

    #[test]
    fn keys_are_read() {
        assert_eq!(parse_keys("1_5|2_7"), [(1, 5), (2, 7)]);
        assert_eq!(parse_keys("1_5|x|2-7"), [(1, 5)]);
    }
}
