//! How many tokens is a text? An estimate without the model's own tables, right for Chinese.
//!
//! Tokenizers cut English into pieces of about four letters, and write a Chinese character as one token or a little
//! more. Counting four letters to a token for Chinese too would be five times too low; counting bytes would be more than
//! twice too high. So each character has a weight:
//!
//! | Characters | Tokens each |
//! |---|---|
//! | ASCII | 1/4 |
//! | Chinese, Japanese, Korean, their punctuation | 5/4 |
//! | other letters (Cyrillic, Greek, Arabic, …) | 1/2 |
//! | emoji and everything beyond | 2 |
//!
//! It is meant for budgets. Against the table cl100k it is right to a fifth for Chinese and English; newer tables need
//! fewer tokens for Chinese, so that it is too high there, which is the safe side. For German and the like it is up to a
//! quarter too low.

/// Each message costs some for its frame: role, borders.
const FRAME: u64 = 4;

/// The tokens of one message with this text.
pub(crate) fn of_message(text: &str) -> u64 {
    FRAME + of(text)
}

/// The tokens of a text.
pub(crate) fn of(text: &str) -> u64 {
    text.chars().map(twelfths).sum::<u64>().div_ceil(12)
}

/// The longest beginning of a text with at most so many tokens.
pub(crate) fn head(text: &str, most: u64) -> &str {
    let mut sum = 0;
    let end = text.char_indices().find(|(_, c)| {
        sum += twelfths(*c);
        sum > most.saturating_mul(12)
    });
    end.and_then(|(at, _)| text.get(..at)).unwrap_or(text)
}

fn twelfths(c: char) -> u64 {
    match c {
        '\0'..='\x7F' => 3,
        // Radicals to the end of the ideographs, syllables of Korean, forms of full width, the planes of rare ideographs.
        '\u{2E80}'..='\u{A4CF}'
        | '\u{AC00}'..='\u{D7FF}'
        | '\u{F900}'..='\u{FAFF}'
        | '\u{FE30}'..='\u{FE4F}'
        | '\u{FF00}'..='\u{FFEF}'
        | '\u{2010}'..='\u{203A}' => 15,
        '\u{80}'..='\u{1FFF}' => 6,
        _ => 24,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The third column is what the table cl100k makes of it.
    #[test]
    fn estimates() {
        for (text, want, cl100k) in [
            ("", 0, 0),
            ("Hello, world!", 4, 4),
            ("The quick brown fox jumps over the lazy dog.", 11, 10),
            ("你好", 3, 2),
            ("今天天气怎么样?", 9, 10),
            ("请问你们店几点开门,周末也营业吗?我想买一箱苹果寄到北京。", 35, 36),
            ("「你好」,world!", 7, 7),
            ("Привет", 3, 3),
            ("😀", 2, 2),
            ("한국어", 4, 4),
            ("Ihr Paket kommt morgen zwischen neun und zwölf Uhr an.", 14, 17),
        ] {
            assert_eq!(of(text), want, "{text}");
            assert!(want.abs_diff(cl100k) <= 3, "{text}");
        }
        assert_eq!(of_message("你好"), 7);
    }

    #[test]
    fn a_head_has_at_most_so_many() {
        for (text, most, want) in
            [("你好世界", 3, "你好"), ("你好世界", 0, ""), ("abcd", 1, "abcd"), ("你好", 100, "你好")]
        {
            assert_eq!(head(text, most), want);
        }
    }
}
