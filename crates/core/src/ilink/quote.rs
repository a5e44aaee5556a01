//! Which part of a message does a partial quote mean? The service tells how it begins and ends, and its MD5.

use md5::{Digest, Md5};

use super::wire::message::PartialText;
use crate::lenient::hex;

/// The selected part of `text`; `None` where it cannot be found, or is another one by its hash.
///
/// It runs from the `startindex`-th `start` to the end of the `endindex`-th `end`. Clients count the latter over the whole
/// text or from behind `start`: the hash tells which, and without one the first that fits is taken.
pub fn selected<'a>(text: &'a str, part: &PartialText) -> Option<&'a str> {
    if part.start.is_empty() && part.end.is_empty() {
        return None;
    }
    let from = nth(text, &part.start, part.startindex)?;
    let behind = from + part.start.len();
    let whole = nth(text, &part.end, part.endindex).map(|at| at + part.end.len());
    let after =
        text.get(behind..).and_then(|rest| nth(rest, &part.end, part.endindex)).map(|at| behind + at + part.end.len());
    let candidates = [whole, after].into_iter().flatten().filter(|to| *to >= behind);
    let mut parts = candidates.filter_map(|to| text.get(from..to)).filter(|part| !part.is_empty());
    match part.quotemd5.trim() {
        "" => parts.next(),
        hash => parts.find(|part| hash.eq_ignore_ascii_case(&hex::encode(&Md5::digest(part.as_bytes())))),
    }
}

fn nth(text: &str, word: &str, index: u64) -> Option<usize> {
    if word.is_empty() {
        return None;
    }
    text.match_indices(word).nth(usize::try_from(index).ok()?).map(|(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ilink::testdata::fixture;

    // cov: vectors-partial-quote
    #[test]
    fn vectors() {
        let rows = fixture("vectors-partial-quote");
        let rows = rows.as_array().unwrap();
        for row in rows {
            let part: PartialText = serde_json::from_value(row["partial_text"].clone()).unwrap();
            assert_eq!(selected(row["text"].as_str().unwrap(), &part), row["selected"].as_str(), "{row}");
        }
        assert_eq!(rows.len(), 4);
    }

    fn part(start: &str, end: &str, startindex: u64, endindex: u64, hash: &str) -> PartialText {
        PartialText { start: start.into(), end: end.into(), startindex, endindex, quotemd5: hash.into() }
    }

    #[test]
    fn odd_parts() {
        for (name, text, part, want) in [
            ("no hash: the first", "a b a b", part("a", "b", 0, 0, ""), Some("a b")),
            ("no such end", "a b", part("a", "c", 0, 0, ""), None),
            ("too far", "a b", part("a", "b", 0, 9, ""), None),
            ("far beyond", "a b", part("a", "b", u64::MAX, u64::MAX, ""), None),
            ("nothing said", "a b", part("", "", 0, 0, ""), None),
            ("another text by its hash", "a b", part("a", "b", 0, 0, "00"), None),
            ("one word", "xaax", part("aa", "aa", 0, 0, ""), Some("aa")),
        ] {
            assert_eq!(selected(text, &part), want, "{name}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_part_is_of_the_text(text in ".{0,60}", start in ".{0,3}", end in ".{0,3}", i in 0u64..4, j in 0u64..4) {
            if let Some(found) = selected(&text, &part(&start, &end, i, j, "")) {
                proptest::prop_assert!(text.contains(found) && found.starts_with(&start) && found.ends_with(&end));
            }
        }
    }
}
