//! Are these the members of the same room, two logins apart? A few numbers that outlive a login and can be compared.
//!
//! The ids of members change at each login, their names and `AttrStatus` do not. A sketch is the smallest hashes of those
//! (a bottom-k sample): 128 bytes for a room of any size, exact up to [`SIZE`] members, and an estimate within about a
//! tenth above.

use wxbot_model::{Member, PeerId};

/// Hashes in a sketch.
pub(super) const SIZE: usize = 32;

/// The sketch of these members besides `me`. Who has neither a name nor a number says nothing.
pub(super) fn of(members: &[Member], me: Option<&PeerId>) -> Box<[u32]> {
    let others = members.iter().filter(|member| Some(&member.peer) != me);
    let told = others.filter(|member| !member.nick_name.is_empty() || member.attr_status != 0);
    let mut hashes: Vec<u32> = told.map(|member| hash(&[&member.nick_name, &member.attr_status.to_string()])).collect();
    hashes.sort_unstable();
    hashes.dedup();
    hashes.truncate(SIZE);
    hashes.into()
}

/// FNV-1a, folded. Stored, so it must stay as it is.
pub(super) fn hash(parts: &[&str]) -> u32 {
    let hash = super::hash64(parts);
    u32::try_from((hash ^ (hash >> 32)) & 0xffff_ffff).unwrap_or(0)
}

/// How many of the smallest hashes of both are in both, and how many that is of.
fn overlap(one: &[u32], other: &[u32]) -> (usize, usize) {
    let mut all: Vec<u32> = one.iter().chain(other).copied().collect();
    all.sort_unstable();
    let mut both = 0;
    let mut distinct = 0;
    for group in all.chunk_by(|a, b| a == b).take(SIZE) {
        distinct += 1;
        both += usize::from(group.len() > 1);
    }
    (both, distinct)
}

/// At least half of the members are the same: enough beside an equal topic.
pub(super) fn agree(one: &[u32], other: &[u32]) -> bool {
    let (both, of) = overlap(one, other);
    of > 0 && both * 2 >= of
}

/// At least four of five are the same, and two others at least: enough without the topic.
pub(super) fn agree_well(one: &[u32], other: &[u32]) -> bool {
    let (both, of) = overlap(one, other);
    both >= 2 && both * 5 >= of * 4
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(login: &str, names: impl Iterator<Item = usize>) -> Vec<Member> {
        let member = |n: usize| Member {
            peer: format!("@{login}{n}").parse().unwrap(),
            nick_name: format!("member {n}").into(),
            display_name: "".into(),
            attr_status: n as u64,
        };
        names.map(member).collect()
    }

    #[test]
    fn who_is_in_both() {
        for (name, before, after, half, well) in [
            ("the same two", 0..2, 0..2, true, true),
            ("one other", 0..1, 0..1, true, false),
            ("one of three gone", 0..3, 0..2, true, false),
            ("one of ten gone", 0..10, 0..9, true, true),
            ("others", 0..10, 20..30, false, false),
            ("a third the same", 0..20, 10..30, false, false),
            ("large, the same", 0..500, 0..500, true, true),
            ("large, a few new", 0..500, 0..520, true, true),
            ("large, others", 0..500, 600..1_100, false, false),
            ("nobody", 0..0, 0..0, false, false),
        ] {
            let (one, other) = (of(&room("a", before), None), of(&room("b", after), None));
            assert!(one.len() <= SIZE);
            assert_eq!((agree(&one, &other), agree_well(&one, &other)), (half, well), "{name}");
        }
    }

    #[test]
    fn we_are_in_all_of_our_rooms_and_so_prove_none() {
        let members = room("a", 0..3);
        assert_eq!(of(&members, Some(&members[0].peer)), of(&members[1..], None));
    }
}
