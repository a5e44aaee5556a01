//! What does one answer of webwxsync tell? Changes of the address book first, then events, each read once.

use std::collections::HashSet;
use std::sync::Arc;

use wxbot_model::{Contact, EventKind, PeerId};

use super::{Read, contacts, hash_key, nameless, peers_of, status};
use crate::protocol::{ContactChange, Incoming};
use crate::said::text::name;
use crate::webwx::book::Book;
use crate::webwx::wire::addmsg::AddMsg;
use crate::webwx::wire::answer::{Profile, SyncAnswer, deleted, elements};
use crate::webwx::wire::contact;

/// A sync answer, read.
#[derive(Debug)]
pub struct News {
    messages: Vec<Read>,
    changed: Vec<Contact>,
    removed: Vec<PeerId>,
    profile: Option<Profile>,
}

/// What an answer becomes once everybody in it is known.
#[derive(Debug, Default)]
pub struct Settled {
    /// To apply before the events are stored.
    pub contacts: Vec<ContactChange>,
    /// Announced changes of contacts, then messages in their order.
    pub events: Vec<Incoming>,
}

impl News {
    /// Reads everything in the answer but what steers the loop. Elements that cannot be read cost only themselves.
    pub fn read(answer: SyncAnswer, me: &PeerId) -> Self {
        let (mut changed, mut bad) = elements::<contact::Contact>(&answer.mod_contact_list);
        let (members_changed, more_bad) = elements::<contact::Contact>(&answer.mod_chat_room_member_list);
        changed.extend(members_changed);
        bad += more_bad;
        if bad > 0 {
            tracing::warn!(bad, "Some changed contacts cannot be read.");
        }
        let removed = deleted(&answer.del_contact_list).into_iter().filter_map(|peer| peer.parse().ok());
        Self {
            messages: answer.add_msg_list.into_iter().map(Read::new).collect(),
            changed: contacts(changed, me),
            removed: removed.filter(|peer| peer != me).collect(),
            profile: answer.profile.filter(|profile| profile.bit_flag != 0),
        }
    }

    /// Whom the service should be asked for before the messages can be told.
    pub fn strangers(&self, book: &Book, now_s: i64) -> Vec<PeerId> {
        let mut seen: HashSet<PeerId> = self.changed.iter().map(|contact| contact.peer.clone()).collect();
        let mut strangers = Vec::new();
        for peer in self.readable().flat_map(|msg| peers_of(msg, book.me())) {
            if book.should_ask(&peer, now_s) && seen.insert(peer.clone()) {
                strangers.push(peer);
            }
        }
        strangers
    }

    fn readable(&self) -> impl Iterator<Item = &AddMsg> {
        self.messages.iter().filter_map(|read| match read {
            Read::Message(msg) => Some(&**msg),
            Read::Unreadable(_) => None,
        })
    }

    /// Turns it into changes and events. `told` is what the service said of the strangers; `from` is the position that
    /// was asked with: fetched again from there, the same changes get the same keys.
    pub fn settle(self, book: &Book, told: Vec<Contact>, from: &str, now_s: i64) -> Settled {
        let event = |word: &str, peer: &PeerId, kind: EventKind| {
            let key = hash_key(&[word, peer.as_str(), from]);
            Incoming { key, chat: peer.clone(), sender: None, at_s: now_s, kind }
        };
        // Pairs of ids with lasting ones say who is who, so they come before the events.
        let pairs: Vec<(String, PeerId)> =
            self.readable().filter(|msg| msg.msg_type == 51).flat_map(status::recent_pairs).collect();
        // Nobody can be told of the loss of somebody who was not known.
        let removed: Vec<PeerId> = self.removed.into_iter().filter(|peer| book.get(peer).is_some()).collect();
        let mut events: Vec<Incoming> =
            removed.iter().map(|peer| event("del", peer, EventKind::ContactRemoved)).collect();

        let mut upserts = Upserts { book, list: Vec::new() };
        for mut contact in self.changed {
            let peer = contact.peer.clone();
            let before = book.get(&peer).filter(|before| before.is_ours);
            // We were in the whole list and are not in the next one: we are no longer in the room.
            let left = contact.members.is_loaded() && contact.member(book.me()).is_none();
            contact.is_ours &= !(left && before.is_some_and(|before| before.member(book.me()).is_some()));
            let lost = before.is_some() && !contact.is_ours;
            if upserts.merge(contact) {
                let kind = if lost { EventKind::ContactRemoved } else { EventKind::ContactChanged };
                events.push(event("mod", &peer, kind));
            }
        }
        if let (Some(profile), Some(myself)) = (self.profile, book.myself()) {
            upserts.merge(Contact {
                nick_name: name(&profile.nick_name.buff).into(),
                signature: name(&profile.signature).into(),
                ..(**myself).clone()
            });
        }
        for contact in told {
            upserts.merge(contact);
        }
        for (wxid, peer) in pairs.into_iter().filter(|(_, peer)| peer != book.me()) {
            upserts.pair(wxid, peer);
        }
        let mut upserts = upserts.list;

        let view = book.view(&upserts);
        events.extend(self.messages.iter().map(|read| read.incoming(&view, now_s)));
        // Whoever is named is introduced, known or not: an event of an unknown chat could not be filed.
        let mut unknown: Vec<PeerId> = Vec::new();
        for incoming in &events {
            if view.get(&incoming.chat).is_none() && !unknown.contains(&incoming.chat) {
                unknown.push(incoming.chat.clone());
            }
        }
        drop(view);
        upserts.extend(unknown.into_iter().map(|peer| Arc::new(nameless(peer))));
        let contacts =
            removed.into_iter().map(ContactChange::Remove).chain(upserts.into_iter().map(ContactChange::Upsert));
        Settled { contacts: contacts.collect(), events }
    }
}

/// New states of contacts, one per peer.
struct Upserts<'a> {
    book: &'a Book,
    list: Vec<Arc<Contact>>,
}

impl Upserts<'_> {
    /// Merges over what is known, this answer included. True when the peer had no new state before and has one now.
    fn merge(&mut self, contact: Contact) -> bool {
        match self.list.iter_mut().find(|known| known.peer == contact.peer) {
            Some(known) => {
                if let Some(merged) = Book::merged_over(known, contact) {
                    *known = merged;
                }
                false
            }
            None => match self.book.merged(contact) {
                Some(merged) => {
                    self.list.push(merged);
                    true
                }
                None => false,
            },
        }
    }
}

impl Upserts<'_> {
    /// Takes the lasting id of a peer. What was told first in a login stays.
    fn pair(&mut self, wxid: String, peer: PeerId) {
        let known = self.list.iter().find(|known| known.peer == peer).or_else(|| self.book.get(&peer));
        match known {
            Some(known) if known.wxid.is_empty() => {
                let contact = Contact { wxid: wxid.into(), ..(**known).clone() };
                self.merge(contact);
            }
            Some(known) if known.wxid != wxid => {
                tracing::warn!(%peer, "A contact is told under another lasting id than before; the first one counts.");
            }
            Some(_) => {}
            None => drop(self.merge(Contact { wxid: wxid.into(), ..nameless(peer) })),
        }
    }
}

/// The event that says: messages may be missing.
pub fn gap(me: &PeerId, from_s: i64, to_s: i64) -> Incoming {
    let key = hash_key(&["gap", me.as_str(), &to_s.to_string()]);
    Incoming { key, chat: me.clone(), sender: None, at_s: to_s, kind: EventKind::Gap { from_s, to_s } }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn book() -> Book {
        let mut book = Book::new(nameless("@me".parse().unwrap()));
        for wire in [json!({"UserName": "@a", "NickName": "A"}), json!({"UserName": "@@r", "NickName": "R"})] {
            let contact = super::super::contact(serde_json::from_value(wire).unwrap(), None).unwrap();
            book.put(Arc::new(contact));
        }
        book
    }

    fn settle(mut answer: Value, told: Vec<Contact>) -> Settled {
        answer["BaseResponse"] = json!({"Ret": 0});
        let answer: SyncAnswer = serde_json::from_value(answer).unwrap();
        let book = book();
        News::read(answer, book.me()).settle(&book, told, "1_5", 7)
    }

    fn events(settled: &Settled) -> Vec<(&str, &str)> {
        settled.events.iter().map(|incoming| (incoming.kind.word(), incoming.chat.as_str())).collect()
    }

    fn upserts(settled: &Settled) -> Vec<(&str, &str)> {
        let upsert = |change: &'_ ContactChange| matches!(change, ContactChange::Upsert(_));
        let upserts = settled.contacts.iter().filter(|change| upsert(change));
        upserts
            .map(|change| match change {
                ContactChange::Upsert(contact) | ContactChange::Met(contact) => {
                    (contact.peer.as_str(), &*contact.nick_name)
                }
                ContactChange::Remove(peer) => (peer.as_str(), ""),
            })
            .collect()
    }

    #[test]
    fn changes_come_first_and_once_each() {
        let settled = settle(
            json!({
                "AddMsgList": [{"MsgId": "1", "FromUserName": "@a", "ToUserName": "@me", "MsgType": 1, "Content": "x"}],
                "ModContactList": [
                    {"UserName": "@@r", "NickName": "R2", "MemberList": [{"UserName": "@a", "NickName": "A"}]},
                    {"UserName": "@@r", "NickName": "R3"},
                    {"UserName": "@b", "NickName": "B"}
                ],
                "DelContactList": [{"UserName": "@a"}, {"UserName": "@nobody"}, {"UserName": "@me"}]
            }),
            Vec::new(),
        );
        // The member of a changed room is no changed contact.
        let want =
            [("contact_removed", "@a"), ("contact_changed", "@@r"), ("contact_changed", "@b"), ("message", "@a")];
        assert_eq!(events(&settled), want);
        assert_eq!(settled.contacts[0], ContactChange::Remove("@a".parse().unwrap()));
        assert_eq!(upserts(&settled), [("@@r", "R3"), ("@b", "B")]);
        let room = settled.contacts.iter().find_map(|change| match change {
            ContactChange::Upsert(contact) if contact.peer.as_str() == "@@r" => Some(contact),
            ContactChange::Upsert(_) | ContactChange::Met(_) | ContactChange::Remove(_) => None,
        });
        assert_eq!(room.unwrap().members.len(), 1, "what the first entry said is kept");
    }

    fn pairs(names: &str, ids: &str) -> Value {
        json!({"AddMsgList": [{
            "MsgId": "51", "FromUserName": "@me", "ToUserName": "@me", "MsgType": 51, "StatusNotifyCode": 4,
            "StatusNotifyUserName": ids,
            "Content": format!("&lt;msg&gt;&lt;op id='4'&gt;&lt;username&gt;{names}&lt;/username&gt;&lt;/op&gt;&lt;/msg&gt;")
        }]})
    }

    #[test]
    fn recent_chats_tell_lasting_ids() {
        let wxids = |settled: &Settled| -> Vec<(String, String)> {
            let told = settled.contacts.iter().filter_map(|change| match change {
                ContactChange::Upsert(contact) => Some((contact.peer.to_string(), contact.wxid.to_string())),
                ContactChange::Met(_) | ContactChange::Remove(_) => None,
            });
            told.collect()
        };
        let one = settle(pairs("wxid_a,7@chatroom,wxid_new", "@a,@@r,@new"), Vec::new());
        let want = [("@a", "wxid_a"), ("@@r", "7@chatroom"), ("@new", "wxid_new")];
        assert_eq!(wxids(&one), want.map(|(peer, wxid)| (peer.to_owned(), wxid.to_owned())));
        assert_eq!(events(&one), [("status", "@me")], "to know somebody better is no event");
        let mut book = book();
        for change in one.contacts {
            if let ContactChange::Upsert(contact) = change {
                book.put(contact);
            }
        }
        let mut again = pairs("wxid_other,7@chatroom", "@a,@@r");
        again["BaseResponse"] = json!({"Ret": 0});
        let again: SyncAnswer = serde_json::from_value(again).unwrap();
        let again = News::read(again, book.me()).settle(&book, Vec::new(), "1_6", 8);
        assert!(again.contacts.is_empty(), "what was told first in a login stays: {:?}", again.contacts);
    }

    #[test]
    fn a_whole_list_without_us_is_of_a_room_we_are_no_longer_in() {
        let list = |members: &[&str]| {
            let members: Vec<Value> = members.iter().map(|peer| json!({"UserName": peer, "NickName": "n"})).collect();
            json!({"UserName": "@@r", "NickName": "R", "MemberCount": members.len(), "MemberList": members})
        };
        for (name, before, after, want) in [
            ("we are gone", vec!["@me", "@a"], vec!["@a"], "contact_removed"),
            ("another is gone", vec!["@me", "@a"], vec!["@me"], "contact_changed"),
            ("never listed", vec!["@a"], vec!["@a", "@b"], "contact_changed"),
        ] {
            let mut book = book();
            let wire = |members: &[&str]| serde_json::from_value(list(members)).unwrap();
            book.put(Arc::new(super::super::contact(wire(&before), None).unwrap()));
            let answer = json!({"BaseResponse": {"Ret": 0}, "ModContactList": [list(&after)]});
            let answer: SyncAnswer = serde_json::from_value(answer).unwrap();
            let settled = News::read(answer, book.me()).settle(&book, Vec::new(), "1_5", 7);
            assert_eq!(events(&settled), [(want, "@@r")], "{name}");
        }
    }

    #[test]
    fn nothing_new_is_no_event() {
        let same = json!({"ModContactList": [{"UserName": "@a", "NickName": "A"}, {"UserName": {}}, 7]});
        let settled = settle(same, Vec::new());
        assert!(settled.events.is_empty() && settled.contacts.is_empty());
    }

    #[test]
    fn whoever_speaks_is_introduced() {
        let message = |from: &str| json!({"MsgId": from, "FromUserName": from, "ToUserName": "@me", "MsgType": 1});
        let list: Vec<_> = ["@new", "@new", "weixin", "@@hall", "@a"].map(message).into();
        let settled = settle(json!({ "AddMsgList": list }), Vec::new());
        assert_eq!(upserts(&settled), [("@new", ""), ("weixin", ""), ("@@hall", "")]);
        let told = vec![Contact { nick_name: "N".into(), ..nameless("@new".parse().unwrap()) }];
        assert_eq!(
            upserts(&settle(json!({ "AddMsgList": list }), told)),
            [("@new", "N"), ("weixin", ""), ("@@hall", "")]
        );
    }

    // cov: 38
    #[test]
    fn the_profile_changes_ourselves_when_it_says_so() {
        let profile = |flag: i64, nick: &str| json!({"Profile": {"BitFlag": flag, "NickName": {"Buff": nick}}});
        assert_eq!(upserts(&settle(profile(190, "新&amp;名"), Vec::new())), [("@me", "新&名")]);
        assert!(settle(profile(0, "新名"), Vec::new()).contacts.is_empty());
        assert!(settle(profile(190, ""), Vec::new()).contacts.is_empty());
    }

    #[test]
    fn keys_of_changes_follow_the_position() {
        let answer = || json!({"ModContactList": [{"UserName": "@a", "NickName": "B"}]});
        let key = |from: &str| {
            let mut answer = answer();
            answer["BaseResponse"] = json!({"Ret": 0});
            let answer: SyncAnswer = serde_json::from_value(answer).unwrap();
            News::read(answer, book().me()).settle(&book(), Vec::new(), from, 7).events[0].key.clone()
        };
        assert_eq!(key("1_5"), key("1_5"), "fetched again it is the same event");
        assert_ne!(key("1_5"), key("1_6"));
    }
}
