//! How does the text behind a command fall into words? At white space, with quotes around what belongs together.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::text::is_blank;

/// The text behind a command, and how far it was read.
#[derive(Debug)]
pub(crate) struct Words<'a> {
    text: &'a str,
    at: AtomicUsize,
}

impl<'a> Words<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, at: AtomicUsize::new(0) }
    }

    fn left(&self) -> &'a str {
        // Only the one handler reads, and one argument after the other.
        self.text.get(self.at.load(Ordering::Relaxed)..).unwrap_or_default().trim_start_matches(is_blank)
    }

    fn go_to(&self, rest: &str) {
        self.at.store(self.text.len().saturating_sub(rest.len()), Ordering::Relaxed);
    }

    /// The next word, if there is one.
    pub(crate) fn next(&self) -> Option<&'a str> {
        let left = self.left();
        let first = left.chars().next()?;
        if is_quote(first) {
            let inner = left.get(first.len_utf8()..).unwrap_or_default();
            // A quote that nothing closes is a sign like any other.
            if let Some((word, rest)) = inner.split_once(is_quote) {
                self.go_to(rest);
                return Some(word.trim_matches(is_blank));
            }
        }
        let end = left.find(char::is_whitespace).unwrap_or(left.len());
        let (word, rest) = left.split_at(end);
        self.go_to(rest);
        Some(word.trim_matches(is_blank))
    }

    /// All that was not read yet, as it was typed.
    pub(crate) fn rest(&self) -> &'a str {
        let left = self.left().trim_end_matches(is_blank);
        self.at.store(self.text.len(), Ordering::Relaxed);
        left
    }

    /// Whether something was not read yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.left().is_empty()
    }
}

fn is_quote(c: char) -> bool {
    matches!(c, '"' | '\u{201C}' | '\u{201D}' | '\u{FF02}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_of_a_text() {
        for (name, text, want) in [
            ("none", "", &[][..]),
            ("blank", " \u{3000}\u{200B} ", &[]),
            ("two", " 北京  3 ", &["北京", "3"]),
            ("full-width space", "北京\u{3000}3", &["北京", "3"]),
            ("quotes", r#""New York" 3"#, &["New York", "3"]),
            ("Chinese quotes", "\u{201C}a b\u{201D}c", &["a b", "c"]),
            ("empty quotes", r#""" x"#, &["", "x"]),
            ("an open quote", r#""a b"#, &["\"a", "b"]),
            ("a quote inside", r#"5" x"#, &["5\"", "x"]),
        ] {
            let words = Words::new(text);
            let all: Vec<&str> = std::iter::from_fn(|| words.next()).collect();
            assert_eq!(all, want, "{name}");
            assert!(words.is_empty(), "{name}");
        }
    }

    #[test]
    fn the_rest_is_as_it_was_typed() {
        let words = Words::new(r#" a  "b c"  d "#);
        assert_eq!((words.next(), words.rest(), words.rest()), (Some("a"), r#""b c"  d"#, ""));
    }

    proptest! {
        #[test]
        fn any_text_comes_to_an_end(text in any::<String>()) {
            let words = Words::new(&text);
            let all: Vec<&str> = std::iter::from_fn(|| words.next()).take(text.len() + 1).collect();
            prop_assert!(words.is_empty());
            prop_assert!(all.iter().all(|word| text.contains(word)));
            prop_assert_eq!(Words::new(&text).rest(), text.trim_matches(is_blank));
        }
    }
}
