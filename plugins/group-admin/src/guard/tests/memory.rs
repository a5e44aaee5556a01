//! How much is kept in memory? 500 rooms of 500 members, all of whom have just spoken, in under 64 MiB.

use serde_json::json;

use super::*;
use crate::guard::flood::Flood;
use crate::guard::repeats::Repeats;
use crate::guard::state::{MemberKey, State};

#[test]
fn rooms_and_members_fit() {
    let repeats = Repeats::read(&json!({}), &Place::default()).unwrap();
    let flood = Flood::read(&json!({}), &Place::default()).unwrap();
    let account = "a".parse().unwrap();
    let now_ms = 1_767_225_600_000;
    let (mut made, mut found) = (None, 0);
    let held = allocation_counter::measure(|| {
        let state = State::default();
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
        made = Some(state);
    });
    let mib = held.bytes_current as f64 / f64::from(1 << 20);
    println!("500 rooms of 500 members: {mib:.1} MiB");
    assert_eq!((made.unwrap().sizes(), found), ((500, 250_000), 0));
    assert!(mib > 5.0 && mib < 64.0, "{mib:.1} MiB");
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
