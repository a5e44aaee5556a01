//! Who has which id after another login, after a restart, and when more is told later?

use wxbot_model::{EventKind, Member, Members, Noticed};

use super::rolls::GRACE_MS;
use super::*;

const PERSON: ContactKind = ContactKind::Person;

pub(super) fn contact(peer: &str, kind: ContactKind, nick: &str, edit: impl FnOnce(&mut Contact)) -> Arc<Contact> {
    let mut contact = Contact::nameless(peer.parse().unwrap(), kind);
    contact.nick_name = nick.into();
    edit(&mut contact);
    Arc::new(contact)
}

pub(super) fn person(peer: &str, nick: &str, edit: impl FnOnce(&mut Contact)) -> Arc<Contact> {
    contact(peer, PERSON, nick, edit)
}

fn members(me: &str, list: &[(&str, &str)]) -> Members {
    let member = |(peer, nick): &(&str, &str)| Member {
        peer: peer.parse().unwrap(),
        nick_name: (*nick).into(),
        display_name: "".into(),
        attr_status: 1,
    };
    let me = me.parse().unwrap();
    let own = Member { peer: me, nick_name: "shop".into(), display_name: "".into(), attr_status: 1 };
    let me = own.peer.clone();
    Members::complete(std::iter::once(own).chain(list.iter().map(member)).collect(), Some(&me))
}

pub(super) fn room(peer: &str, topic: &str, me: &str, list: &[(&str, &str)]) -> Arc<Contact> {
    contact(peer, ContactKind::Room, topic, |c| c.members = members(me, list))
}

/// A login as `me` of the WeChat account `uin`, on what a former one left in the store.
pub(super) fn login(rows: Vec<BoundContact>, me: &str, uin: u64, contacts: &[Arc<Contact>]) -> Contacts {
    login_of(rows, me, uin, contacts, true)
}

/// The same; `whole` when the contacts are the whole address book.
pub(super) fn login_of(
    rows: Vec<BoundContact>,
    me: &str,
    uin: u64,
    contacts: &[Arc<Contact>],
    whole: bool,
) -> Contacts {
    let mut book = Contacts::load(rows);
    let me = contact(me, ContactKind::Myself, "shop", |c| c.uin = uin);
    let all: Vec<_> = std::iter::once(Arc::clone(&me)).chain(contacts.iter().cloned()).collect();
    book.begin(&me, &all, whole, 0);
    book
}

pub(super) fn stored(book: &Contacts) -> Vec<BoundContact> {
    book.by_id.values().map(|known| known.bound.clone()).collect()
}

pub(super) fn id(book: &Contacts, peer: &str) -> Option<ContactId> {
    book.id_of(&peer.parse().unwrap()).cloned()
}

pub(super) fn reached(book: &Contacts, id: &Option<ContactId>) -> Option<String> {
    book.peer_of(id.as_ref().unwrap()).map(|peer| peer.to_string())
}

#[test]
fn ids_outlive_a_login_where_the_match_is_unique() {
    let first = login(
        Vec::new(),
        "@me1",
        1,
        &[
            person("@a1", "Alice", |c| c.alias = "alice".into()),
            person("@b1", "Bob", |c| c.attr_status = 7),
            person("@c1", "Twin", |c| c.attr_status = 9),
            person("@d1", "Twin", |c| c.attr_status = 9),
            room("@@r1", "测试群", "@me1", &[("@a1", "Alice"), ("@b1", "Bob")]),
            contact("filehelper", ContactKind::Special, "文件传输助手", |_| {}),
        ],
    );
    let ids = ["@a1", "@b1", "@@r1", "filehelper", "@me1"].map(|peer| id(&first, peer));
    let twins = ["@c1", "@d1"].map(|peer| id(&first, peer));
    assert!(ids.iter().chain(&twins).all(Option::is_some), "nobody was here before, so all have ids at once");

    let mut again = login(
        stored(&first),
        "@me2",
        1,
        &[
            person("@a2", "Alice renamed", |c| c.alias = "alice".into()),
            person("@b2", "Bob", |c| c.attr_status = 7),
            person("@c2", "Twin", |c| c.attr_status = 9),
            room("@@r2", "renamed too", "@me2", &[("@b2", "Bob"), ("@a2", "Alice")]),
            contact("filehelper", ContactKind::Special, "文件传输助手", |_| {}),
        ],
    );
    assert_eq!(["@a2", "@b2", "@@r2", "filehelper", "@me2"].map(|peer| id(&again, peer)), ids);
    assert_eq!(reached(&again, &ids[0]).as_deref(), Some("@a2"));
    assert_eq!((id(&again, "@c2"), reached(&again, &twins[0])), (None, None), "not decided");
    assert!(again.why_unmet(twins[0].as_ref().unwrap()).unwrap().contains("could be “Twin”"));
    assert_eq!(again.why_unmet(ids[0].as_ref().unwrap()), None);

    // An event is not kept waiting for the decision.
    let new = again.id_for(&"@c2".parse().unwrap(), 0);
    assert!(new.is_some() && !twins.contains(&new), "a new id: no rights, no KV of the former one");
    assert_eq!(reached(&again, &twins[0]), None);
}

#[test]
fn the_same_login_keeps_all_and_changes_nothing() {
    let list = [person("@a1", "Alice", |_| {}), person("@b1", "Alice", |_| {})];
    let mut first = login(Vec::new(), "@me", 1, &list);
    first.upsert(&person("@stranger", "Met in a room", |_| {}), 0);
    let rows = stored(&first);
    let again = login(rows.clone(), "@me", 1, &list);
    assert_eq!(again.unsaved(), []);
    assert_eq!(id(&again, "@a1"), id(&first, "@a1"));
    let stranger = id(&first, "@stranger");
    assert_eq!(reached(&again, &stranger).as_deref(), Some("@stranger"), "whom no list names is still the same");
    let other = login(rows, "@me2", 1, &[]);
    assert_eq!(reached(&other, &stranger), None, "but not in another login");
}

#[test]
fn another_wechat_account_has_other_friends() {
    let alice = |peer: &str| person(peer, "Alice", |c| (c.alias, c.wxid) = ("alice".into(), "wxid_alice".into()));
    let helper = contact("filehelper", ContactKind::Special, "文件传输助手", |_| {});
    let first = login(Vec::new(), "@me1", 1, &[alice("@a1"), Arc::clone(&helper)]);
    let other = login(stored(&first), "@me2", 2, &[alice("@a2"), Arc::clone(&helper)]);
    for (peer, former) in [("@a2", id(&first, "@a1")), ("filehelper", id(&first, "filehelper"))] {
        assert_ne!(id(&other, peer), former, "{peer}");
        assert_eq!(reached(&other, &former), None);
        assert!(other.why_unmet(former.as_ref().unwrap()).unwrap().contains("WeChat account"));
    }
    let back = login(stored(&other), "@me3", 1, &[alice("@a3"), helper]);
    assert_eq!(id(&back, "@a3"), id(&first, "@a1"), "and when the first one comes back, its friends do");
}

#[test]
fn a_pair_told_later_decides() {
    let twin = |peer: &str, wxid: &str| person(peer, "Twin", |c| (c.attr_status, c.wxid) = (9, wxid.into()));
    let first = login(Vec::new(), "@me1", 1, &[twin("@c1", "wxid_c"), twin("@d1", "wxid_d")]);
    let (c, d) = (id(&first, "@c1"), id(&first, "@d1"));
    let mut again = login(stored(&first), "@me2", 1, &[twin("@c2", ""), twin("@d2", "")]);
    assert_eq!((reached(&again, &c), reached(&again, &d)), (None, None));
    // One wrote before it was known who it is.
    let new = again.id_for(&"@d2".parse().unwrap(), 0);
    again.take_moved();
    for contact in [twin("@c2", "wxid_c"), twin("@d2", "wxid_d")] {
        again.upsert(&contact, 0);
    }
    again.resolve(0);
    assert!(again.take_moved());
    assert_eq!((id(&again, "@c2"), id(&again, "@d2")), (c.clone(), d.clone()));
    assert_eq!(
        reached(&again, &new).as_deref(),
        Some("@d2"),
        "what was answered to the new id reaches the same person"
    );
    assert_eq!(reached(&again, &d).as_deref(), Some("@d2"));

    // The next login knows them by it, and the new id goes on to be the same person.
    let third = login(stored(&again), "@me3", 1, &[twin("@c3", "wxid_c"), twin("@d3", "wxid_d")]);
    assert_eq!((id(&third, "@c3"), id(&third, "@d3")), (c, d));
    assert_eq!(reached(&third, &new).as_deref(), Some("@d3"));
}

#[test]
fn who_was_taken_for_somebody_else_is_parted() {
    let bob = |peer: &str, wxid: &str| person(peer, "Bob", |c| (c.attr_status, c.wxid) = (7, wxid.into()));
    let first = login(Vec::new(), "@me1", 1, &[bob("@b1", "wxid_bob")]);
    let former = id(&first, "@b1");
    let mut again = login(stored(&first), "@me2", 1, &[bob("@x2", "")]);
    assert_eq!(id(&again, "@x2"), former, "by name, while nothing speaks against it");
    again.upsert(&bob("@x2", "wxid_other"), 0);
    again.resolve(0);
    assert_eq!(reached(&again, &former), None);
    assert_ne!(again.id_for(&"@x2".parse().unwrap(), 0), former);
    again.upsert(&bob("@b2", "wxid_bob"), 0);
    again.resolve(0);
    assert_eq!(id(&again, "@b2"), former);
}

#[test]
fn settling_gives_ids_to_whoever_is_left() {
    let first = login(
        Vec::new(),
        "@me1",
        1,
        &[
            person("@c1", "Twin", |c| c.attr_status = 9),
            person("@d1", "Twin", |c| c.attr_status = 9),
            room("@@r1", "群", "@me1", &[("@c1", "Twin"), ("@x1", "X")]),
        ],
    );
    let former = id(&first, "@@r1");
    let mut again = login(
        stored(&first),
        "@me2",
        1,
        &[
            person("@c2", "Twin", |c| c.attr_status = 9),
            person("@d2", "Twin", |c| c.attr_status = 9),
            contact("@@r2", ContactKind::Room, "群", |c| c.members = Members::counted(3)),
        ],
    );
    assert_eq!(again.rooms_to_see().len(), 1);
    again.settle(0, &|_| false);
    let new = [id(&again, "@c2"), id(&again, "@d2")];
    assert!(new.iter().all(|new| new.is_some() && *new != id(&first, "@c1") && *new != id(&first, "@d1")));
    let why = again.why_unmet(id(&first, "@c1").as_ref().unwrap()).unwrap();
    assert!(new.iter().flatten().all(|id| why.contains(id.as_str())), "{why}");
    assert_eq!(id(&again, "@@r2"), None, "a room whose members were not seen is not decided");
    again.upsert(&room("@@r2", "群", "@me2", &[("@c2", "Twin"), ("@x2", "X")]), 0);
    again.resolve(0);
    assert_eq!(id(&again, "@@r2"), former);
}

#[test]
fn an_upsert_that_changes_nothing_is_not_stored() {
    let alice = person("@a", "Alice", |c| c.alias = "alice".into());
    let mut book = login(Vec::new(), "@me", 1, std::slice::from_ref(&alice));
    let rows = book.unsaved();
    assert_eq!(rows.len(), 2);
    book.saved(&rows);
    book.upsert(&alice, 0);
    assert_eq!(book.unsaved(), []);
    book.upsert(&person("@a", "Alice 2", |_| {}), 0);
    let rows = book.unsaved();
    assert_eq!((rows[0].nick_name.as_str(), rows[0].alias.as_str()), ("Alice 2", "alice"), "what is lasting stays");
}

#[test]
fn quiet_leaves_and_joins_are_told_once_and_survive_a_restart() {
    let list = |extra: &[(&'static str, &'static str)]| {
        let mut all = vec![("@a", "Alice"), ("@b", "Bob")];
        all.extend(extra);
        all
    };
    let kinds = |book: &mut Contacts, now| {
        book.take_due(now).into_iter().map(|event| (event.key.to_string(), event.kind)).collect::<Vec<_>>()
    };
    let mut book = login(
        Vec::new(),
        "@me",
        1,
        &[person("@a", "Alice", |c| c.remark_name = "丽".into()), room("@@r", "群", "@me", &list(&[("@c", "Carol")]))],
    );
    assert_eq!(kinds(&mut book, i64::MAX), [], "the first list is compared with nothing");

    book.upsert(&room("@@r", "群", "@me", &[("@b", "Bob"), ("@c", "Carol"), ("@d", "Dave")]), 1_000);
    assert!(!book.has_due(1_000 + GRACE_MS - 1) && book.has_due(1_000 + GRACE_MS));
    // Killed here: what is stored knows of it.
    let mut book = login(
        stored(&book),
        "@me",
        1,
        &[
            person("@a", "Alice", |c| c.remark_name = "丽".into()),
            room("@@r", "群", "@me", &[("@b", "Bob"), ("@c", "Carol"), ("@d", "Dave")]),
        ],
    );
    let told = kinds(&mut book, 1_000 + GRACE_MS);
    let (alice, room_id) = (id(&book, "@a"), id(&book, "@@r").unwrap());
    let noticed = |id: Option<ContactId>, name: &str| Noticed { id, name: name.into() };
    let want = EventKind::MembersChanged { joined: vec![noticed(None, "Dave")], left: vec![noticed(alice, "丽")] };
    assert_eq!(told, [(format!("seen-{room_id}-1"), want)]);
    assert_eq!(kinds(&mut book, i64::MAX), []);

    // Changed while we were away, in the same login; the same change comes again by a repeated answer.
    let mut book = login(stored(&book), "@me", 1, &[room("@@r", "群", "@me", &[("@b", "Bob"), ("@c", "Carol")])]);
    book.upsert(&room("@@r", "群", "@me", &[("@b", "Bob"), ("@c", "Carol")]), 0);
    let told = kinds(&mut book, GRACE_MS);
    assert_eq!((told.len(), told[0].0.as_str()), (1, &*format!("seen-{room_id}-2")));

    // A text came before; a list that is not whole says nothing; another login compares with nothing.
    book.told(&room_id, false, &["Carol".into()], 0);
    book.upsert(&room("@@r", "群", "@me", &[("@b", "Bob")]), 0);
    book.upsert(&contact("@@r", ContactKind::Room, "群", |c| c.members = Members::counted(9)), 0);
    assert_eq!(kinds(&mut book, i64::MAX), []);
    let mut other = login(stored(&book), "@me2", 1, &[room("@@r2", "群", "@me2", &[("@b2", "Bob")])]);
    assert_eq!((id(&other, "@@r2"), kinds(&mut other, i64::MAX)), (Some(room_id), vec![]));
}

#[test]
fn another_owner_is_told() {
    let owned = |owner: &str| {
        let mut room = (*room("@@r", "群", "@me", &[("@a", "Alice"), ("@b", "Bob")])).clone();
        room.owner = Some(owner.parse().unwrap());
        Arc::new(room)
    };
    let mut book = login(Vec::new(), "@me", 1, &[owned("@a")]);
    book.upsert(&owned("@a"), 5_000);
    assert!(!book.has_due(i64::MAX));
    book.upsert(&owned("@b"), 5_000);
    let told = book.take_due(5_000);
    let name = |name: &str| Noticed { id: None, name: name.into() };
    assert_eq!(told[0].kind, EventKind::OwnerChanged { from: Some(name("Alice")), to: name("Bob") });
    assert_eq!(told.len(), 1);
}

#[test]
fn members_kept_loaded_are_bounded() {
    let names: Vec<String> = (0..500).map(|n| format!("@m{n}")).collect();
    let list: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "member")).collect();
    let rooms: Vec<_> = (0..40).map(|n| room(&format!("@@{n}"), &format!("room {n}"), "@me", &list)).collect();
    let book = login(Vec::new(), "@me", 1, &rooms);
    assert!(book.members_loaded() <= wxbot_model::MEMBERS_KEPT && book.members_loaded() > 9_000);
    let loaded = rooms.iter().filter(|room| {
        let id = book.id_of(&room.peer).unwrap();
        book.contact(id).unwrap().members.is_loaded()
    });
    assert_eq!(loaded.count() * 501, book.members_loaded());
}
