//! Does a record bring what it claims? Lists and texts of MessagePack begin with how much follows, and readers make room
//! for what is claimed: a hundred bytes can claim gigabytes, level within level.
//!
//! Each element has a byte at least, so all that is still owed must fit into what is left. One walk, no recursion, no
//! memory.

/// Whether everything that the record claims can be there. Says nothing of bytes behind it.
pub(super) fn are_covered(record: &[u8]) -> bool {
    let mut left = record;
    // Values that are still to come.
    let mut owed: u64 = 1;
    while owed > 0 {
        let Some((&marker, rest)) = left.split_first() else { return false };
        left = rest;
        owed -= 1;
        let (skipped, values) = match marker {
            // Maps, lists, texts whose length stands in the marker.
            0x80..=0x8f => (0, 2 * u64::from(marker & 0x0f)),
            0x90..=0x9f => (0, u64::from(marker & 0x0f)),
            0xa0..=0xbf => (u64::from(marker & 0x1f), 0),
            // Bytes, then bytes of a kind, whose length follows.
            0xc4..=0xc6 => (claimed(&mut left, 1 << (marker - 0xc4)), 0),
            0xc7..=0xc9 => (claimed(&mut left, 1 << (marker - 0xc7)).saturating_add(1), 0),
            // Numbers.
            0xca => (4, 0),
            0xcb => (8, 0),
            0xcc..=0xcf => (1 << (marker - 0xcc), 0),
            0xd0..=0xd3 => (1 << (marker - 0xd0), 0),
            0xd4..=0xd8 => ((1 << (marker - 0xd4)) + 1, 0),
            // Texts, lists and maps whose length follows.
            0xd9..=0xdb => (claimed(&mut left, 1 << (marker - 0xd9)), 0),
            0xdc..=0xdd => (0, claimed(&mut left, 2 << (marker - 0xdc))),
            0xde..=0xdf => (0, claimed(&mut left, 2 << (marker - 0xde)).saturating_mul(2)),
            // Small numbers, true, false, nothing, and the marker that is never used: whoever reads it says so.
            0x00..=0x7f | 0xc0..=0xc3 | 0xe0..=0xff => (0, 0),
        };
        let Some(rest) = usize::try_from(skipped).ok().and_then(|skipped| left.get(skipped..)) else { return false };
        left = rest;
        owed = owed.saturating_add(values);
        if usize::try_from(owed).map_or(true, |owed| owed > left.len()) {
            return false;
        }
    }
    true
}

/// The number in the next `size` bytes; more than any record has where they are not there.
fn claimed(left: &mut &[u8], size: usize) -> u64 {
    let Some((number, rest)) = left.split_at_checked(size) else { return u64::MAX };
    *left = rest;
    number.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_covered() {
        let deep = [vec![0x91; 100], vec![0xc0]].concat();
        for (name, record) in [
            ("nothing", &[0xc0][..]),
            ("no elements", &[0x90]),
            ("small map", &[0x81, 0xa1, b'a', 0x01]),
            ("map 16", &[0xde, 0, 1, 0xa1, b'a', 0xcd, 1, 2]),
            ("map 32", &[0xdf, 0, 0, 0, 1, 0xc2, 0xc3]),
            ("list 16", &[0xdc, 0, 2, 0xcb, 1, 2, 3, 4, 5, 6, 7, 8, 0xff]),
            ("list 32", &[0xdd, 0, 0, 0, 1, 0xca, 1, 2, 3, 4]),
            ("texts", &[0x94, 0xd9, 1, b'a', 0xda, 0, 1, b'b', 0xdb, 0, 0, 0, 1, b'c', 0xa0]),
            ("bytes", &[0x93, 0xc4, 1, 9, 0xc5, 0, 1, 9, 0xc6, 0, 0, 0, 1, 9]),
            ("kinds", &[0x93, 0xc7, 1, 5, 9, 0xc8, 0, 1, 5, 9, 0xc9, 0, 0, 0, 1, 5, 9]),
            ("fixed kinds", &[0x92, 0xd4, 5, 9, 0xd6, 5, 1, 2, 3, 4]),
            ("numbers", &[0x94, 0xcc, 1, 0xcf, 1, 2, 3, 4, 5, 6, 7, 8, 0xd1, 1, 2, 0xe0]),
            ("deep", &deep),
        ] {
            assert!(are_covered(record), "{name}");
            // One byte less is missing, wherever it was.
            assert!(!are_covered(&record[..record.len() - 1]), "{name} cut");
        }
        assert!(are_covered(&[0xc0, 1, 2]), "what follows is not judged");
    }

    #[test]
    fn sec_r10_claims_beyond_the_record_are_not_covered() {
        for (name, record) in [
            ("map 32", vec![0xdf, 0xff, 0xff, 0xff, 0xff]),
            ("list 32", vec![0xdd, 0, 1, 0, 0, 0xc0, 0xc0]),
            ("text 32", vec![0xdb, 0xff, 0xff, 0xff, 0xff, b'a']),
            ("bytes 32", vec![0xc6, 0x7f, 0xff, 0xff, 0xff]),
            ("kind 32", vec![0xc9, 0xff, 0xff, 0xff, 0xff, 1]),
            ("each level a bit", [[0xdc, 0, 9]; 4].concat()),
            ("nest of maps", [[0xdf, 0, 0x0f, 0xff, 0xff]; 21].concat()),
        ] {
            assert!(!are_covered(&record), "{name}");
        }
    }
}
