//! How does a session start: webwxinit and webwxstatusnotify?

use serde_json::{Map, Value, json};

use crate::Sim;
use crate::account::{Account, State};
use crate::check::Checker;
use crate::contacts::Members;
use crate::log::{Entry, Message};
use crate::names::Peer;
use crate::request::{Answer, Endpoint, Request};
use crate::shape;
use crate::wire::{BareBody, NotifyBody};
use crate::world::RoomMet;

/// The real ContactList of webwxinit holds about ten recent conversations.
const RECENT_FRIENDS: usize = 6;
/// Members that a room of webwxinit shows; the rest needs webwxbatchgetcontact.
const SHOWN_MEMBERS: usize = 3;
/// Friends named in the type 51 message.
const NOTIFIED_FRIENDS: usize = 60;

const CODE_READ: i64 = 1;
const CODE_INITED: i64 = 3;
const STATUS_NOTIFY: i64 = 51;
const SYNC_CONVERSATIONS: i64 = 4;

impl Sim {
    pub(crate) fn init(&self, request: &Request, checker: &Checker<'_>) -> Result<Answer, i64> {
        let body: BareBody<'_> = crate::server::body(request, checker)?;
        let account = self.account_of(request, checker)?;
        let checker = checker.of(&account.name);
        let mut state = account.lock();
        state.admit(account.uin, request, &request.query(), Some(&body.base_request), &checker)?;
        let answer = init_answer(&account, &mut state, checker.now_ms);
        state.record.inits.push(checker.now_ms);
        account.online.send_replace(state.generation);
        Ok(answer)
    }

    pub(crate) fn status_notify(&self, request: &Request, checker: &Checker<'_>) -> Result<Answer, i64> {
        let body: NotifyBody<'_> = crate::server::body(request, checker)?;
        let account = self.account_of(request, checker)?;
        let checker = checker.of(&account.name);
        let mut state = account.lock();
        state.admit(account.uin, request, &request.query(), Some(&body.base_request), &checker)?;
        if body.from_user_name != state.names.me {
            checker.hard("FromUserName is not the account's");
        }
        match (body.code, state.names.find(&body.to_user_name)) {
            (_, None) => checker.hard("ToUserName is unknown"),
            (CODE_INITED, _) => notify_conversations(&mut state, self.next_msg_id(), checker.now_ms),
            (CODE_READ, Some(peer)) => state.record.reads.push((checker.now_ms, peer)),
            (_, Some(_)) => checker.soft("Code is neither 1 nor 3"),
        }
        account.wake.notify_waiters();
        Ok(shape::answer(0, "", json!({"MsgID": self.next_msg_id().to_string()})))
    }

    pub(crate) fn stat_report(&self, request: &Request, checker: &Checker<'_>) -> Result<Answer, i64> {
        let _: BareBody<'_> = crate::server::body(request, checker)?;
        Ok(shape::refusal(Endpoint::StatReport, 0, ""))
    }
}

fn init_answer(account: &Account, state: &mut State, now_ms: u64) -> Answer {
    // A later init of the same session starts at the present, as the real one does: a client that takes this key
    // instead of its own loses what came in between.
    let end = state.log.end();
    let (place, login_s, skey) = match &mut state.session {
        Some(session) => {
            let place = if session.initialised { end } else { session.start };
            session.initialised = true;
            (place, session.login_s, session.skey.clone())
        }
        None => (end, 0, String::new()),
    };
    let keys = state.log.keys(place, state.generation, login_s, now_ms / 1000);

    let friends = (0..state.people.len()).filter(|&at| state.people.get(at).is_some_and(|person| person.friend));
    let mut contacts = vec![state.contact(Peer::Special("filehelper"), account.uin, Members::None)];
    contacts.extend(friends.take(RECENT_FRIENDS).map(|at| state.contact(Peer::Person(at), account.uin, Members::None)));
    contacts.extend(
        rooms(state, &[RoomMet::Init])
            .map(|at| state.contact(Peer::Room(at), account.uin, Members::First(SHOWN_MEMBERS))),
    );

    let mut chat_set = String::new();
    for contact in &contacts {
        chat_set.push_str(contact.get("UserName").and_then(Value::as_str).unwrap_or_default());
        chat_set.push(',');
    }
    for at in rooms(state, &[RoomMet::Chatset]) {
        chat_set.push_str(state.names.of(Peer::Room(at)));
        chat_set.push(',');
    }

    shape::answer(
        0,
        "",
        json!({
            "Count": contacts.len(), "ContactList": contacts, "SyncKey": shape::sync_key(&keys),
            "User": user(account, state, &skey), "ChatSet": chat_set, "SKey": skey, "ClientVersion": 637_993_233,
            "SystemTime": now_ms / 1000, "GrayScale": 1, "InviteStartCount": 40, "MPSubscribeMsgCount": 0,
            "MPSubscribeMsgList": [], "ClickReportInterval": 600_000
        }),
    )
}

fn user(account: &Account, state: &State, skey: &str) -> Value {
    let me = &state.names.me;
    json!({
        "Uin": account.uin, "UserName": me, "NickName": crate::text::to_wire(&state.nick),
        "HeadImgUrl": format!("/cgi-bin/mmwebwx-bin/webwxgeticon?seq=1&username={me}&skey={skey}"),
        "RemarkName": "", "PYInitial": "", "PYQuanPin": "", "RemarkPYInitial": "", "RemarkPYQuanPin": "",
        "HideInputBarFlag": 0, "StarFriend": 0, "Sex": account.spec.sex, "Signature": account.spec.signature,
        "AppAccountFlag": 0, "VerifyFlag": 0, "ContactFlag": 0, "WebWxPluginSwitch": 0, "HeadImgFlag": 1, "SnsFlag": 0
    })
}

fn rooms<'a>(state: &'a State, met: &'a [RoomMet]) -> impl Iterator<Item = usize> + use<'a> {
    let known = state.rooms.iter().enumerate();
    known.filter(move |(_, room)| !room.left && met.contains(&room.met)).map(|(at, _)| at)
}

/// The type 51 message that tells a fresh login which conversations there are. Once per session.
fn notify_conversations(state: &mut State, id: u64, now_ms: u64) {
    match &mut state.session {
        Some(session) if !session.notified => session.notified = true,
        _ => return,
    }
    let (mut user_names, mut wxids) = (vec!["filehelper".to_owned()], vec!["filehelper".to_owned()]);
    let friends = state.people.iter().enumerate().filter(|(_, person)| person.friend);
    for (at, person) in friends.take(NOTIFIED_FRIENDS) {
        user_names.push(state.names.of(Peer::Person(at)).to_owned());
        wxids.push(person.wxid.clone());
    }
    for at in rooms(state, &[RoomMet::Init, RoomMet::Chatset, RoomMet::Notify]) {
        user_names.push(state.names.of(Peer::Room(at)).to_owned());
        wxids.push(state.rooms.get(at).map(|room| room.chatroom_id.clone()).unwrap_or_default());
    }
    let content = format!(
        "&lt;msg&gt;&lt;op id='4'&gt;&lt;username&gt;{}&lt;/username&gt;&lt;unreadchatlist&gt;&lt;/unreadchatlist&gt;\
         &lt;unreadfunctionlist&gt;&lt;/unreadfunctionlist&gt;&lt;/op&gt;&lt;/msg&gt;",
        wxids.join(",")
    );
    let mut fields = Map::new();
    fields.insert("StatusNotifyCode".to_owned(), json!(SYNC_CONVERSATIONS));
    fields.insert("StatusNotifyUserName".to_owned(), json!(user_names.join(",")));
    state.add(Entry::Message(Message {
        id,
        chat: Peer::Me,
        speaker: None,
        own: true,
        msg_type: STATUS_NOTIFY,
        content: content.into(),
        at_ms: now_ms,
        handed: 0,
        fields: Some(Box::new(fields)),
        service: true,
    }));
}
