//! What can names that anybody can copy do? Take nobody's id, nobody's replies, and hide nobody's coming and going.

use std::collections::HashSet;

use wxbot_plugin::ContactQuery;

use super::rolls::GRACE_MS;
use super::tests::{contact, id, login, login_of, person, reached, room, stored};
use super::*;

fn speaks(book: &mut Contacts, peer: &str, room: &str) -> ContactId {
    let room = id(book, room).unwrap();
    book.meet_stranger(&peer.parse().unwrap(), &room, 0)
}

/// A friend; members of the rooms here have `AttrStatus` 1.
fn bob(peer: &str) -> Arc<Contact> {
    person(peer, "Bob", |c| c.attr_status = 1)
}

#[test]
fn sec_a_member_who_takes_the_name_of_a_friend_is_not_the_friend() {
    let first = login(Vec::new(), "@me1", 1, &[bob("@b1"), room("@@r1", "群", "@me1", &[("@a1", "A"), ("@c1", "C")])]);
    let former = id(&first, "@b1");
    // Bob is no friend any more.
    let others = [("@a2", "A"), ("@c2", "C"), ("@x2", "Bob")];
    let mut again = login(stored(&first), "@me2", 1, &[room("@@r2", "群", "@me2", &others)]);
    assert_eq!(id(&again, "@@r2"), id(&first, "@@r1"));
    let taken = speaks(&mut again, "@x2", "@@r2");
    assert_ne!(Some(taken), former);
    assert_eq!(reached(&again, &former), None);
}

#[test]
fn a_member_is_known_again_in_the_same_room_alone_and_without_namesakes() {
    let rooms = |n: u32, one: &[(&str, &str)], two: &[(&str, &str)]| {
        let me = format!("@me{n}");
        [room(&format!("@@r{n}"), "一", &me, one), room(&format!("@@s{n}"), "二", &me, two)]
    };
    let (one, two) = ([("@a1", "A"), ("@c1", "C"), ("@x1", "X")], [("@d1", "D"), ("@e1", "E")]);
    let mut first = login(Vec::new(), "@me1", 1, &rooms(1, &one, &two));
    let former = speaks(&mut first, "@x1", "@@r1");
    let rows = stored(&first);

    for (name, one, two, here, same) in [
        (
            "the same room",
            &[("@a2", "A"), ("@c2", "C"), ("@x2", "X")][..],
            &[("@d2", "D"), ("@e2", "E")][..],
            "@@r2",
            true,
        ),
        ("another room", &[("@a2", "A"), ("@c2", "C")], &[("@d2", "D"), ("@e2", "E"), ("@x2", "X")], "@@s2", false),
        (
            "two of the name",
            &[("@a2", "A"), ("@c2", "C"), ("@x2", "X"), ("@y2", "X")],
            &[("@d2", "D"), ("@e2", "E")],
            "@@r2",
            false,
        ),
    ] {
        let mut again = login(rows.clone(), "@me2", 1, &rooms(2, one, two));
        assert_eq!(speaks(&mut again, "@x2", here) == former, same, "{name}");
    }
    let mut again =
        login_of(rows.clone(), "@me2", 1, &rooms(2, &[("@a2", "A"), ("@c2", "C"), ("@x2", "X")], &[]), false);
    assert_ne!(speaks(&mut again, "@x2", "@@r2"), former, "without an address book nobody is told by a name");
    let friend = person("@x2", "X", |c| c.attr_status = 1);
    let again = login(rows, "@me2", 1, &[friend]);
    assert_eq!(reached(&again, &Some(former)), None, "a friend of the name is not taken for the stranger either");
}

#[test]
fn sec_names_say_nothing_without_the_address_book_nor_of_whom_it_did_not_list() {
    let alice = |peer: &str| person(peer, "Alice", |c| c.alias = "alice".into());
    let first = login(Vec::new(), "@me1", 1, &[bob("@b1"), alice("@a1")]);
    let (former, alias) = (id(&first, "@b1"), id(&first, "@a1"));
    let again = login_of(stored(&first), "@me2", 1, &[bob("@b2"), alice("@a2")], false);
    assert_eq!((reached(&again, &former), id(&again, "@a2")), (None, alias));

    let mut again = login(stored(&first), "@me2", 1, &[]);
    again.upsert(&bob("@x2"), 0);
    again.resolve(0);
    assert_eq!(reached(&again, &former), None, "met later");
    again.upsert(&alice("@a2"), 0);
    again.resolve(0);
    assert_eq!(id(&again, "@a2"), id(&first, "@a1"), "by what nobody can copy it is decided later, too");
}

#[test]
fn sec_a_topic_alone_takes_no_room_that_comes_later_and_no_held_replies() {
    let unseen = |peer: &str| contact(peer, ContactKind::Room, "群", |c| c.members = wxbot_model::Members::counted(3));
    let first = login(Vec::new(), "@me1", 1, &[unseen("@@r1")]);
    let former = id(&first, "@@r1");
    for seen in [false, true] {
        let mut again = login(stored(&first), "@me2", 1, &[]);
        again.upsert(&if seen { room("@@r2", "群", "@me2", &[("@a", "A"), ("@b", "B")]) } else { unseen("@@r2") }, 0);
        again.resolve(0);
        assert_eq!(reached(&again, &former), None, "met later");
        let new = again.id_for(&"@@r2".parse().unwrap(), 0);
        again.upsert(&room("@@r2", "群", "@me2", &[("@a", "A"), ("@b", "B"), ("@c", "C")]), 0);
        again.resolve(0);
        assert_eq!((id(&again, "@@r2"), reached(&again, &former)), (new, None), "newborn");
    }
    let mut again = login(stored(&first), "@me2", 1, &[unseen("@@r2")]);
    assert_eq!(id(&again, "@@r2"), former, "the service listed it");
    let room_id = former.unwrap();
    again.keep_doubts(&HashSet::from([room_id.clone()]));
    assert!(again.is_doubtful(&room_id), "what is held stays held");
    let third = login(stored(&again), "@me3", 1, &[unseen("@@r3")]);
    assert!(third.is_doubtful(&room_id), "in the next login as well");
    again.keep_doubts(&HashSet::new());
    assert!(!again.is_doubtful(&room_id), "nothing is held");
}

#[test]
fn strangers_are_not_ours_and_not_found() {
    let mut book = login(Vec::new(), "@me1", 1, &[bob("@b1"), room("@@r1", "群", "@me1", &[("@x1", "Bobby")])]);
    let stranger = speaks(&mut book, "@x1", "@@r1");
    assert!(!book.contact(&stranger).unwrap().is_ours);
    let ids = |found: Vec<wxbot_plugin::FoundContact>| found.into_iter().map(|found| found.id).collect::<Vec<_>>();
    let (bob_id, query) = (id(&book, "@b1").unwrap(), ContactQuery::new("bob").people());
    assert_eq!(ids(found(&book, &query)), std::slice::from_ref(&bob_id));
    assert_eq!(ids(found(&book, &query.clone().with_strangers())), [bob_id.clone(), stranger.clone()]);
    assert_eq!(ids(find_stored(&stored(&book), &query)), std::slice::from_ref(&bob_id));
    book.remove(&"@b1".parse().unwrap());
    assert_eq!(ids(find_stored(&stored(&book), &query)), [], "a friend who was lost");

    let other = login(stored(&book), "@me2", 2, &[person("@z2", "Bob of two", |_| {})]);
    assert_eq!(ids(find_stored(&stored(&other), &query)), [id(&other, "@z2").unwrap()], "of the account that is here");
    let back = login(stored(&other), "@me3", 1, &[bob("@b3")]);
    assert_eq!(ids(find_stored(&stored(&back), &query)), [bob_id]);
}

#[test]
fn an_old_text_hides_no_silent_change() {
    let list = |extra: &[(&'static str, &'static str)]| {
        let mut all = vec![("@a", "Alice"), ("@b", "Bob")];
        all.extend(extra);
        room("@@r", "群", "@me", &all)
    };
    let told = |book: &mut Contacts| book.take_due(i64::MAX).len();
    let begin = || {
        let book = login(Vec::new(), "@me", 1, &[list(&[("@c", "Carol")])]);
        let room_id = id(&book, "@@r").unwrap();
        (book, room_id)
    };
    for (joined, name, next) in [(true, "Carol", list(&[("@c", "Carol"), ("@d", "Dave")])), (false, "Eve", list(&[]))] {
        let (mut book, room_id) = begin();
        book.told(&room_id, joined, &[name.into()], 0);
        book.upsert(&next, 1);
        assert_eq!(told(&mut book), 1, "{name} is in the list as told already");
    }
    let (mut book, room_id) = begin();
    book.upsert(&list(&[("@c", "Carol"), ("@d", "Dave")]), 0);
    book.told(&room_id, true, &["Carol".into()], 1);
    assert!(book.has_due(GRACE_MS), "nor does it explain one that waits");

    let counted = contact("@@r", ContactKind::Room, "群", |c| c.members = wxbot_model::Members::counted(3));
    let mut book = login(Vec::new(), "@me", 1, &[counted]);
    let room_id = id(&book, "@@r").unwrap();
    book.told(&room_id, true, &["Carol".into()], 0);
    book.upsert(&list(&[("@c", "Carol")]), 1);
    book.upsert(&list(&[("@c", "Carol"), ("@d", "Dave")]), 2);
    assert_eq!(told(&mut book), 1, "the first list holds what was told before it");
}

#[test]
fn an_answer_to_a_question_of_another_login_is_dropped() {
    let first = login(Vec::new(), "@me1", 1, &[bob("@b1")]);
    let mut again = login(stored(&first), "@me2", 1, &[]);
    assert!(!again.take_answer(first.login(), &bob("@b1"), 0));
    assert_eq!(id(&again, "@b1"), None);
    assert!(again.take_answer(again.login(), &person("@y2", "Y", |_| {}), 0));
}

/// What is read per new speaker is the index: it has whoever the first list left, and whoever is parted later.
#[test]
fn whoever_is_left_or_parted_is_found_by_peer_and_by_name() {
    let helper = contact("filehelper", ContactKind::Special, "文件传输助手", |_| {});
    let first = login(Vec::new(), "@me1", 1, &[bob("@b1"), Arc::clone(&helper)]);
    let mut again = login(stored(&first), "@me2", 1, &[bob("@x2")]);
    again.upsert(&helper, 0);
    assert_eq!(id(&again, "filehelper"), id(&first, "filehelper"), "left by the first list");
    let former = id(&first, "@b1").unwrap();
    assert_eq!(again.unbound_under(binding::name_key("Bob", 1)).count(), 0, "bound");
    again.part(&former);
    assert_eq!(again.unbound_under(binding::name_key("Bob", 1)).count(), 1);
}
