//! Does a text hold one of many words, however it is written? Full-width, in capitals, with invisible characters or with
//! signs between the characters of a Chinese word.

use std::collections::BTreeSet;

use aho_corasick::{AhoCorasick, MatchKind};
use wxbot_plugin::prelude::*;
use wxbot_plugin::text::fold;

/// Words, compiled. All are looked for in one pass.
#[derive(Debug)]
pub(crate) struct WordSet {
    plain: Automaton,
    /// Words that are not of Latin letters alone, for texts without signs: 加 微 信 is 加微信.
    tight: Automaton,
}

#[derive(Debug)]
struct Automaton {
    search: AhoCorasick,
    words: Vec<String>,
}

/// A text in the forms that words are looked for in.
#[derive(Debug)]
pub(crate) struct Folded {
    pub(crate) plain: String,
    tight: String,
}

impl Folded {
    pub(crate) fn of(text: &str) -> Self {
        let plain = fold(text);
        let tight = tight(&plain);
        Self { plain, tight }
    }
}

impl WordSet {
    /// These words; blank ones are left out.
    pub(crate) fn new<'a>(words: impl Iterator<Item = &'a str>) -> Result<Self, PluginError> {
        let folded: BTreeSet<String> =
            words.map(|word| fold(word).trim().to_owned()).filter(|word| !word.is_empty()).collect();
        // A word with signs of its own is found as it stands alone: without them, 微❤ would be in 稍微.
        let whole = |word: &&String| !word.is_ascii() && word.chars().all(|c| c.is_alphanumeric() || c.is_whitespace());
        let tight: BTreeSet<String> = folded.iter().filter(whole).map(|word| tight(word)).collect();
        Ok(Self { plain: Automaton::new(folded)?, tight: Automaton::new(tight)? })
    }

    /// The first word that the text holds.
    pub(crate) fn find(&self, text: &Folded) -> Option<&str> {
        self.plain.find(&text.plain).or_else(|| self.tight.find(&text.tight))
    }
}

impl Automaton {
    fn new(words: BTreeSet<String>) -> Result<Self, PluginError> {
        let words: Vec<String> = words.into_iter().collect();
        // Standard: with overlaps, because a longer word may fail at its border where a shorter one does not.
        let search = AhoCorasick::builder().match_kind(MatchKind::Standard).build(&words)?;
        Ok(Self { search, words })
    }

    fn find(&self, text: &str) -> Option<&str> {
        let mut found =
            self.search.find_overlapping_iter(text).filter(|found| stands_alone(text, found.start(), found.end()));
        found.next().and_then(|found| self.words.get(found.pattern().as_usize())).map(String::as_str)
    }
}

/// A word that begins or ends with a Latin letter is not found within another: `vx` in `vxlan`, `sex` in `essex`. Digits
/// may follow: `vx123`.
fn stands_alone(text: &str, start: usize, end: usize) -> bool {
    let letter = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphabetic());
    let (before, within, after) = (text.get(..start), text.get(start..end), text.get(end..));
    let (Some(before), Some(within), Some(after)) = (before, within, after) else { return false };
    // Ctrl+V is no +V.
    let first = within.chars().next();
    let joined_before = letter(before.chars().next_back()) && (letter(first) || first == Some('+'));
    let joined_after = letter(within.chars().next_back()) && letter(after.chars().next());
    !joined_before && !joined_after
}

/// Letters and digits alone, of any script.
fn tight(folded: &str) -> String {
    folded.chars().filter(|c| c.is_alphanumeric()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_however_written() {
        let set = WordSet::new(["加V", "赌博", "sex", "vx", "a.b", "  ", "微❤", "+v"].into_iter()).unwrap();
        for (text, want) in [
            ("来赌博吧", Some("赌博")),
            ("来 赌 - 博 吧", Some("赌博")),
            ("赌\u{200B}博", Some("赌博")),
            ("赌·博", Some("赌博")),
            ("加Ｖ123", Some("加v")),
            ("加vip", None),
            ("SEX", Some("sex")),
            ("essex", None),
            ("s e x", None),
            ("vx123", Some("vx")),
            ("vxlan", None),
            ("vx:abc", Some("vx")),
            ("a.b", Some("a.b")),
            ("ab", None),
            ("加我微❤x1", Some("微❤")),
            ("稍微等等", None),
            ("+V 123", Some("+v")),
            ("ctrl+V", None),
            ("好的", None),
            ("", None),
        ] {
            assert_eq!(set.find(&Folded::of(text)), want, "{text}");
        }
        assert_eq!(WordSet::new(std::iter::empty()).unwrap().find(&Folded::of("x")), None, "no words");
    }

    proptest! {
        #[test]
        fn what_is_said_among_chinese_is_found(before in "[好的吗。!]{0,9}", after in "[好的吗。!]{0,9}", word in "[赌博彩票]{2,4}|[a-z]{2,5}") {
            let set = WordSet::new(std::iter::once(&*word)).unwrap();
            let text = format!("{before}{word}{after}");
            prop_assert_eq!(set.find(&Folded::of(&text)), Some(&*word));
        }

        #[test]
        fn any_text_is_read(text in any::<String>(), words in proptest::collection::vec(any::<String>(), 0..5)) {
            let set = WordSet::new(words.iter().map(String::as_str)).unwrap();
            set.find(&Folded::of(&text));
        }
    }
}
