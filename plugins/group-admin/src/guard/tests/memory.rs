//! How much is kept in memory? 500 rooms of 500 members, all of whom have just spoken, in under 64 MiB.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use serde_json::json;

use super::*;
use crate::guard::flood::Flood;
use crate::guard::repeats::Repeats;
use crate::guard::state::{MemberKey, State};

/// Counts what the thread of a test holds.
struct Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
}

fn count(by: isize) {
    // A thread that ends has no counter any more.
    let _ended = HELD.try_with(|held| held.set(held.get() + by));
}

#[expect(unsafe_code, reason = "an allocator is; it hands everything on to the system's")]
// SAFETY: each method hands its arguments on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size().cast_signed());
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count(-layout.size().cast_signed());
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

#[test]
fn rooms_and_members_fit() {
    let repeats = Repeats::read(&json!({}), &Place::default()).unwrap();
    let flood = Flood::read(&json!({}), &Place::default()).unwrap();
    let account = "a".parse().unwrap();
    let now_ms = 1_767_225_600_000;
    let before = HELD.get();
    let state = State::default();
    let mut found = 0;
    for room in 0..500u64 {
        let id: ContactId = format!("r{room}").parse().unwrap();
        for member in 0..500u64 {
            state.room(&account, &id, |held| {
                let key = MemberKey::of(&format!("p{}", room * 500 + member).parse().unwrap());
                found += usize::from(flood.count(&mut held.member(key, now_ms).window, now_ms).is_some());
                // Everybody says something of their own, so that the table of each room is full.
                found += usize::from(repeats.count(&mut held.recent, member, key, now_ms).is_some());
            });
        }
    }
    let mib = (HELD.get() - before) as f64 / f64::from(1 << 20);
    println!("500 rooms of 500 members: {mib:.1} MiB");
    assert_eq!((state.sizes(), found), ((500, 250_000), 0));
    assert!(mib < 64.0, "{mib:.1} MiB");
}

#[test]
fn there_is_an_end_to_it() {
    let (state, account) = (State::default(), "a".parse().unwrap());
    for room in 0..1_000u64 {
        let id: ContactId = format!("r{room}").parse().unwrap();
        for member in 0..500u64 {
            state.room(&account, &id, |held| held.member(MemberKey::of_number(member), room.cast_signed()).new_until_s);
        }
    }
    let (rooms, members) = state.sizes();
    assert!(members <= 300_500 && rooms * 500 == members, "{rooms} rooms, {members} members");
    // The rooms that were heard of last are still known.
    let last = state.room(&account, &"r999".parse().unwrap(), |held| held.sizes());
    assert_eq!(last, 500);
}
