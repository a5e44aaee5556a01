//! What does the address book show: webwxgetcontact, webwxbatchgetcontact and the Contact object?

use serde_json::{Value, json};

use crate::Sim;
use crate::account::{Marks, Member, Person, Room, State};
use crate::check::Checker;
use crate::fault::FaultKind;
use crate::names::{self, Peer, SPECIALS};
use crate::request::{Answer, Endpoint, Request};
use crate::shape;
use crate::text::to_wire;
use crate::wire::BatchBody;

/// Entries that one webwxbatchgetcontact may ask for.
const BATCH_MAX: usize = 50;
/// Added to the place where the next page starts, so that no client takes `Seq` for a count.
const SEQ_BASE: usize = 660_000_000;
/// Bit of ContactFlag.
const PINNED: i32 = 2_048;
/// `Ret` of a request whose parameters contradict themselves.
const PARAMETER_ERROR: i64 = 1;

/// How many members of a room a contact shows.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Members {
    None,
    First(usize),
    All,
}

impl Sim {
    pub(crate) fn get_contact(&self, request: &Request, checker: &Checker<'_>) -> Result<Answer, i64> {
        let account = self.account_of(request, checker)?;
        let checker = checker.of(&account.name);
        let query = request.query();
        let mut state = account.lock();
        state.admit(account.uin, request, &query, None, &checker)?;
        state.check_query_skey(&query, &checker);
        let from = match query.get("seq").unwrap_or("0") {
            "" | "0" => 0,
            seq => seq.parse::<usize>().ok().and_then(|seq| seq.checked_sub(SEQ_BASE)).unwrap_or_else(|| {
                checker.soft("seq was never given");
                0
            }),
        };
        let book: Vec<Peer> = SPECIALS
            .iter()
            .map(|(id, _)| Peer::Special(id))
            .chain((0..state.people.len()).map(Peer::Person))
            .chain((0..state.rooms.len()).map(Peer::Room))
            .filter(|&peer| state.in_address_book(peer))
            .collect();
        let to = (from + self.world().page_size).min(book.len());
        let page = book.get(from..to).unwrap_or_default();
        let members: Vec<Value> = page.iter().map(|&peer| state.contact(peer, account.uin, Members::None)).collect();
        let next = if to < book.len() { SEQ_BASE + to } else { 0 };
        Ok(shape::answer(0, "", json!({"MemberCount": members.len(), "MemberList": members, "Seq": next})))
    }

    pub(crate) fn batch_get_contact(
        &self,
        request: &Request,
        checker: &Checker<'_>,
        fault: Option<&FaultKind>,
    ) -> Result<Answer, i64> {
        let body: BatchBody<'_> = crate::server::body(request, checker)?;
        let account = self.account_of(request, checker)?;
        let checker = checker.of(&account.name);
        let mut state = account.lock();
        state.admit(account.uin, request, &request.query(), Some(&body.base_request), &checker)?;
        if body.list.len() > BATCH_MAX {
            checker.hard("more than 50 entries");
            return Ok(shape::refusal(Endpoint::BatchGetContact, PARAMETER_ERROR, ""));
        }
        if body.count != body.list.len() {
            checker.hard("Count is not the length of List");
            return Ok(shape::refusal(Endpoint::BatchGetContact, PARAMETER_ERROR, ""));
        }
        let mut contacts = Vec::with_capacity(body.list.len());
        for item in &body.list {
            match state.names.find(&item.user_name) {
                Some(peer) => contacts.push(state.contact(peer, account.uin, Members::All)),
                None => match state.names.requesters.get(&*item.user_name) {
                    Some(info) => contacts.push(requester(&item.user_name, info)),
                    None => checker.soft("asked for an unknown UserName"),
                },
            }
        }
        if fault == Some(&FaultKind::EmptyNames) {
            for contact in &mut contacts {
                set(contact, "UserName", json!(""));
                set(contact, "NickName", json!(""));
            }
        }
        Ok(shape::answer(0, "", json!({"Count": contacts.len(), "ContactList": contacts})))
    }
}

impl State {
    fn in_address_book(&self, peer: Peer) -> bool {
        match peer {
            Peer::Me => false,
            Peer::Special(_) => true,
            Peer::Person(at) => self.people.get(at).is_some_and(|person| person.friend),
            Peer::Room(at) => self.rooms.get(at).is_some_and(|room| room.saved && !room.left),
        }
    }

    /// The Contact object of a peer, complete: some clients index its fields without looking.
    pub(crate) fn contact(&self, peer: Peer, uin: u64, members: Members) -> Value {
        let mut contact = blank(self.names.of(peer));
        let skey = self.session.as_ref().map_or("", |session| &session.skey);
        match peer {
            Peer::Me => {
                set(&mut contact, "NickName", json!(to_wire(&self.nick)));
                set(&mut contact, "Uin", json!(uin));
            }
            Peer::Special(id) => {
                let nick = SPECIALS.iter().find(|(known, _)| *known == id).map_or(id, |(_, nick)| nick);
                set(&mut contact, "NickName", json!(nick));
                set(&mut contact, "ContactFlag", json!(3));
            }
            Peer::Person(at) => {
                if let Some(person) = self.people.get(at) {
                    self.fill_person(&mut contact, person, peer, skey);
                }
            }
            Peer::Room(at) => {
                if let Some(room) = self.rooms.get(at) {
                    self.fill_room(&mut contact, room, peer, uin, members);
                    let encry = self.names.encry.get(at).map_or("", String::as_str);
                    set(&mut contact, "EncryChatRoomId", json!(encry));
                }
            }
        }
        contact
    }

    fn fill_person(&self, contact: &mut Value, person: &Person, peer: Peer, skey: &str) {
        let spec = &person.spec;
        let seed = names::stable_hash(&person.wxid);
        let name = self.names.of(peer);
        let latin: String = spec.nick.chars().filter(char::is_ascii_alphanumeric).collect();
        set(contact, "NickName", json!(to_wire(&spec.nick)));
        set(contact, "RemarkName", json!(to_wire(&spec.remark)));
        let (alias, attr_status, picture_seq) = match self.marks {
            Marks::Own => (spec.alias.as_str(), seed % 0xffff_ffff, 600_000_000 + seed % 100_000_000),
            Marks::Absent => ("", 0, 0),
            Marks::Shared => ("same", 4_293_221, 600_000_001),
        };
        set(contact, "Alias", json!(alias));
        set(contact, "Sex", json!(spec.sex));
        set(contact, "Signature", json!(to_wire(&spec.signature)));
        set(contact, "VerifyFlag", json!(spec.official));
        let flag = if person.friend { 3 } else { 0 } | if person.pinned { PINNED } else { 0 };
        set(contact, "ContactFlag", json!(flag));
        set(contact, "AttrStatus", json!(attr_status));
        set(contact, "SnsFlag", json!(1));
        set(contact, "PYInitial", json!(latin.to_uppercase()));
        set(contact, "PYQuanPin", json!(latin));
        if spec.official != 0 {
            set(contact, "KeyWord", json!("gh_"));
        }
        let picture = format!("/cgi-bin/mmwebwx-bin/webwxgeticon?seq={picture_seq}&username={name}&skey={skey}");
        set(contact, "HeadImgUrl", json!(picture));
    }

    fn fill_room(&self, contact: &mut Value, room: &Room, peer: Peer, uin: u64, members: Members) {
        let name = self.names.of(peer);
        let shown = match members {
            Members::None => 0,
            Members::First(count) => count,
            Members::All => usize::MAX,
        };
        let list: Vec<Value> = room.members.iter().take(shown).map(|member| self.member(member)).collect();
        let owned = room.owner == Peer::Me;
        set(contact, "NickName", json!(to_wire(&room.topic)));
        // A room that the account left has lost its bits.
        let flag = match (room.left, room.saved) {
            (true, _) => 0,
            (false, true) => 3,
            (false, false) => 2,
        };
        let flag = if room.pinned && !room.left { flag | PINNED } else { flag };
        set(contact, "ContactFlag", json!(flag));
        set(contact, "MemberCount", json!(if shown == 0 { 0 } else { room.members.len() }));
        set(contact, "MemberList", json!(list));
        set(contact, "OwnerUin", json!(if owned { uin } else { 0 }));
        set(contact, "IsOwner", json!(i32::from(owned)));
        set(contact, "ChatRoomOwner", json!(self.names.of(room.owner)));
        set(contact, "Statues", json!(1));
        let picture = format!("/cgi-bin/mmwebwx-bin/webwxgetheadimg?seq=625238710&username={name}&skey=");
        set(contact, "HeadImgUrl", json!(picture));
    }

    pub(crate) fn member(&self, member: &Member) -> Value {
        let (nick, seed) = match member.who {
            Peer::Person(at) => self
                .people
                .get(at)
                .map_or(("", 0), |person| (person.spec.nick.as_str(), names::stable_hash(&person.wxid) % 0xffff_ffff)),
            Peer::Me => (self.nick.as_str(), 0),
            Peer::Room(_) | Peer::Special(_) => ("", 0),
        };
        let seed = match self.marks {
            Marks::Own => seed,
            Marks::Absent => 0,
            Marks::Shared => 4_293_221,
        };
        json!({
            "Uin": 0, "UserName": self.names.of(member.who), "NickName": to_wire(nick), "AttrStatus": seed,
            "PYInitial": "", "PYQuanPin": "", "RemarkPYInitial": "", "RemarkPYQuanPin": "", "MemberStatus": 0,
            "DisplayName": to_wire(&member.display), "KeyWord": ""
        })
    }
}

/// A stranger who asks to become a friend.
fn requester(user_name: &str, info: &Value) -> Value {
    let mut contact = blank(user_name);
    for field in ["NickName", "Province", "City", "Signature", "Alias", "VerifyFlag", "AttrStatus", "Sex"] {
        if let Some(value) = info.get(field) {
            set(&mut contact, field, value.clone());
        }
    }
    contact
}

fn blank(user_name: &str) -> Value {
    json!({
        "Uin": 0, "UserName": user_name, "NickName": "", "HeadImgUrl": "", "ContactFlag": 0, "MemberCount": 0,
        "MemberList": [], "RemarkName": "", "HideInputBarFlag": 0, "Sex": 0, "Signature": "", "VerifyFlag": 0,
        "OwnerUin": 0, "PYInitial": "", "PYQuanPin": "", "RemarkPYInitial": "", "RemarkPYQuanPin": "",
        "StarFriend": 0, "AppAccountFlag": 0, "Statues": 0, "AttrStatus": 0, "Province": "", "City": "", "Alias": "",
        "SnsFlag": 0, "UniFriend": 0, "DisplayName": "", "ChatRoomId": 0, "KeyWord": "", "EncryChatRoomId": "",
        "IsOwner": 0, "ChatRoomOwner": ""
    })
}

fn set(contact: &mut Value, field: &str, value: Value) {
    if let Value::Object(fields) = contact {
        fields.insert(field.to_owned(), value);
    }
}
