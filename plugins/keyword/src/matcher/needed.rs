//! Without which words can a regex not match?
//!
//! `加微信\d+` needs 加微信, and the keywords' automaton looks for that along with all others. Only when it is there is
//! the regex itself tried, so that thousands of regexes cost a text hardly more than as many keywords.

use regex_syntax::hir::Hir;
use regex_syntax::hir::literal::{ExtractKind, Extractor, Seq};

use crate::fold::Folder;

/// Alternatives of one regex: `[a-z]{3}` needs 17,576 and is better read as it is.
const MOST_WORDS: usize = 64;
/// One letter is in every text.
const FEWEST_BYTES: usize = 2;

/// One of these is in every folded text that the regex matches; `None`: too many, too short or nothing certain.
pub(super) fn needed(hir: &Hir, folder: &Folder) -> Option<Vec<String>> {
    let extracted = |kind| Extractor::new().kind(kind).extract(hir);
    let begins = words(&extracted(ExtractKind::Prefix), folder);
    let ends = words(&extracted(ExtractKind::Suffix), folder);
    let worth = |words: &Vec<String>| (shortest(words), std::cmp::Reverse(words.len()));
    begins.into_iter().chain(ends).max_by_key(worth)
}

fn words(found: &Seq, folder: &Folder) -> Option<Vec<String>> {
    let mut words = Vec::new();
    for literal in found.literals()? {
        let word = str::from_utf8(literal.as_bytes()).ok()?;
        // A folded text holds folded characters only: of `[Vv][Xx]` it is `vx` that can be there.
        if folder.fold(word) == word {
            words.push(word.to_owned());
        }
    }
    words.sort_unstable();
    words.dedup();
    // Where 加微信 is there is 微信. (The extractor stops at some hundreds.)
    let all = words.clone();
    words.retain(|word| !all.iter().any(|other| other != word && word.contains(&**other)));
    ((1..=MOST_WORDS).contains(&words.len()) && shortest(&words) >= FEWEST_BYTES).then_some(words)
}

fn shortest(words: &[String]) -> usize {
    words.iter().map(String::len).min().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use regex_syntax::ParserBuilder;

    use super::*;
    use crate::fold::Folding;

    #[test]
    fn words_of_regexes() {
        let folder = Folder::new(Folding { simplified: true, ..Folding::default() });
        for (pattern, want) in [
            (r"加微信\d+", Some(&["加微信"][..])),
            (r"\d+元红包", Some(&["元红包"])),
            (r"加?(v|微)(x|信)群", Some(&["vx群", "v信群", "微x群", "微信群"])),
            ("开+票", Some(&["开票"])),
            (r"^发票$", Some(&["发票"])),
            ("(?s).*", None),
            (r"\w+@\w+", None),
            ("[a-z]{3}", None),
            (r"a\d", None),
        ] {
            let hir = ParserBuilder::new().case_insensitive(true).build().parse(pattern).unwrap();
            let found = needed(&hir, &folder);
            let want = want.map(|words| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>());
            let want = want.map(|mut words| {
                words.sort_unstable();
                words
            });
            assert_eq!(found, want, "{pattern}");
        }
    }
}
