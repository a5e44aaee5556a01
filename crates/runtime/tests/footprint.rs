//! What does the address book of an account cost? Measured as the process grows, in a binary of its own.
//!
//! Core's book and the runtime's contacts hold the same contacts; both are built here as a login builds them.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "the helpers of tests fail like tests; figures are its output")]

use std::sync::Arc;

use wxbot_core::webwx::book::Book;
use wxbot_model::{Contact, ContactKind, Member, Members, Name, PeerId};
use wxbot_runtime::contacts::Contacts;

/// Accounts built for one measure: enough that the allocator's own steps do not show.
const ACCOUNTS: usize = 4;
const PEOPLE: usize = 5_000;
const ROOMS: usize = 300;
const IN_A_ROOM: usize = 500;

/// Resident bytes of this process.
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap();
    let line = text.lines().find(|line| line.starts_with("Anonymous:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

/// As long as real ones.
fn peer(prefix: &str, n: usize) -> PeerId {
    format!("{prefix}{n:064x}").parse().unwrap()
}

fn friend(account: usize, n: usize, region: &(Name, Name)) -> Contact {
    Contact {
        nick_name: format!("一个朋友{n}").into(),
        remark_name: format!("客户{n}").into(),
        alias: format!("friend_{n}").into(),
        pinyin: format!("ygpy ygepengyou{n}").into(),
        signature: "今天天气不错，适合写代码".into(),
        province: region.0.clone(),
        city: region.1.clone(),
        attr_status: n as u64,
        picture: 600_000_000 + n as u64,
        ..Contact::nameless(peer("@", account * 10_000_000 + n), ContactKind::Person)
    }
}

fn room(account: usize, n: usize, me: &PeerId) -> Contact {
    let member = |m: usize| Member {
        peer: peer("@", account * 10_000_000 + 1_000_000 + n * 1_000 + m),
        nick_name: format!("成员{m}").into(),
        display_name: "".into(),
        attr_status: m as u64,
    };
    let mut list: Vec<Member> = (0..IN_A_ROOM - 1).map(member).collect();
    list.push(Member { peer: me.clone(), ..member(0) });
    Contact {
        nick_name: format!("一个群{n}").into(),
        members: Members::complete(list, Some(me)),
        ..Contact::nameless(peer("@@", account * 10_000_000 + n), ContactKind::Room)
    }
}

/// The books of one account: everybody listed, then every room's members seen once.
fn account(number: usize, people: usize, rooms: usize) -> (Book, Contacts) {
    let me = Contact::nameless(peer("@", number * 10_000_000 + 9_000_000), ContactKind::Myself);
    let mut book = Book::new(me.clone());
    // `convert` lets those of one address book share them.
    let region = (Name::from("Guangdong"), Name::from("Shenzhen"));
    for n in 0..people {
        book.put(Arc::new(friend(number, n, &region)));
    }
    let mut contacts = Contacts::default();
    contacts.begin(&me, &book.all().cloned().collect::<Vec<_>>(), true, 0);
    for n in 0..rooms {
        let room = Arc::new(room(number, n, &me.peer));
        book.put(Arc::clone(&room));
        contacts.upsert(&room, 0);
    }
    let rows = contacts.unsaved();
    contacts.saved(&rows);
    (book, contacts)
}

/// Bytes of one account, and the accounts, so that they live until the next measure.
fn measure(people: usize, rooms: usize) -> (usize, Vec<(Book, Contacts)>) {
    let before = resident();
    let all: Vec<_> = (0..ACCOUNTS).map(|number| account(number, people, rooms)).collect();
    ((resident() - before) / ACCOUNTS, all)
}

#[test]
fn an_account_stays_small() {
    rustix::thread::disable_transparent_huge_pages(true).unwrap();
    // One after another in one process, each kept: freed memory must not hide what the next one takes.
    let (people, _one) = measure(PEOPLE, 0);
    let (rooms, _two) = measure(0, ROOMS);
    let (small, _three) = measure(3, 1);
    println!(
        "{} bytes a contact; {rooms} bytes for {ROOMS} rooms of {IN_A_ROOM}; {small} bytes for a small account",
        people / PEOPLE
    );
    assert!(people < PEOPLE * 1_150, "{} bytes a contact", people / PEOPLE);
    // Two megabytes of members, and of each room a roll and a sketch. All of them loaded would be thirty.
    assert!(rooms < 4 * 1024 * 1024, "{rooms} bytes for {ROOMS} rooms of {IN_A_ROOM} members");
    assert!(small < 64 * 1024, "{small} bytes for an account of three friends and a room");
}
