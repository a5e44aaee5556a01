//! What is a word, where words have no spaces? Each Chinese, Japanese or Korean character is one; a query is a phrase of
//! them.
//!
//! So a search finds terms of one character, of two, and of any number. An index of three letters (SQLite's `trigram`)
//! finds nothing for the two-character words that Chinese is made of.

use wxbot_plugin::text::fold;

/// A text as the index takes it.
pub(crate) fn split(text: &str) -> String {
    let folded = fold(text);
    let mut split = String::with_capacity(folded.len() * 2);
    for c in folded.chars() {
        if is_word_by_itself(c) {
            split.extend([' ', c, ' ']);
        } else {
            split.push(c);
        }
    }
    split
}

/// What somebody typed, in the language of the index: all terms between spaces must be there, each in one piece, and a
/// Latin word may go on. `None` when there is no letter or digit in it.
pub(crate) fn query(typed: &str) -> Option<String> {
    let terms: Vec<String> = fold(typed).split_whitespace().filter_map(term).collect();
    (!terms.is_empty()).then(|| terms.join(" AND "))
}

fn term(term: &str) -> Option<String> {
    let last = term.chars().rev().find(|c| c.is_alphanumeric())?;
    let goes_on = if is_word_by_itself(last) { "" } else { " *" };
    Some(format!("\"{}\"{goes_on}", split(term).replace('"', " ").trim()))
}

fn is_word_by_itself(c: char) -> bool {
    matches!(c,
        '\u{3040}'..='\u{30FF}'      // Japanese syllables
        | '\u{3400}'..='\u{4DBF}'    // Chinese characters, extension A
        | '\u{4E00}'..='\u{9FFF}'    // Chinese characters
        | '\u{AC00}'..='\u{D7AF}'    // Korean syllables
        | '\u{F900}'..='\u{FAFF}'    // Chinese characters for compatibility
        | '\u{20000}'..='\u{3FFFF}') // rare Chinese characters
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_stand_alone_and_latin_words_stay_whole() {
        for (text, want) in [("订单ABC12号", " 订  单 abc12 号 "), ("hello world", "hello world"), ("", "")] {
            assert_eq!(split(text), want);
        }
    }

    #[test]
    fn a_query_is_phrases() {
        for (typed, want) in [
            ("订单", Some("\"订  单\"")),
            ("单", Some("\"单\"")),
            ("订单 hel", Some("\"订  单\" AND \"hel\" *")),
            ("A\"B OR *", Some("\"a b\" * AND \"or\" *")),
            ("？! \"", None),
            ("", None),
        ] {
            assert_eq!(query(typed).as_deref(), want, "{typed}");
        }
    }
}
