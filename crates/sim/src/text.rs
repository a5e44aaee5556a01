//! How does text look on the wire: escapes, line breaks, emoji spans?

use std::fmt::Write as _;

/// Text as the server sends it in messages and names: `< > &` escaped, newlines as `<br/>`, emoji as spans.
pub(crate) fn to_wire(text: &str) -> String {
    let mut wire = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '<' => wire.push_str("&lt;"),
            '>' => wire.push_str("&gt;"),
            '&' => wire.push_str("&amp;"),
            '\n' => wire.push_str("<br/>"),
            '\u{1f300}'..='\u{1f6ff}' => {
                write!(wire, r#"<span class="emoji emoji{:x}"></span>"#, u32::from(letter))
                    .expect("a String takes any text");
            }
            _ => wire.push(letter),
        }
    }
    wire
}

#[cfg(test)]
mod tests {
    use super::to_wire;

    #[test]
    fn escapes_once() {
        for (name, text, want) in [
            ("plain", "你好 \"x\"", "你好 \"x\""),
            ("markup", "a<b>&amp;", "a&lt;b&gt;&amp;amp;"),
            ("lines", "a\nb", "a<br/>b"),
            ("emoji", "😄", r#"<span class="emoji emoji1f604"></span>"#),
        ] {
            assert_eq!(to_wire(text), want, "{name}");
        }
    }
}
