//! How is JSON read that somebody wrote with a text template? Strictly first; then repaired, where it is plain what was
//! meant; then not at all.
//!
//! Three mistakes are seen in the field: a comma before a closing bracket, raw control characters in texts, and
//! backslashes of Windows paths that were not doubled.

use std::borrow::Cow;

use serde::de::{DeserializeOwned, IgnoredAny};

/// Nesting (security R05).
pub const MAX_DEPTH: usize = 64;

/// Why bytes are no JSON for us. The bytes are not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JsonError {
    /// Not UTF-8.
    #[error("not UTF-8")]
    NotUtf8,
    /// Deeper than [`MAX_DEPTH`].
    #[error("nested deeper than 64")]
    TooDeep,
    /// Not JSON, even repaired.
    #[error("not JSON")]
    Malformed,
    /// JSON of another shape.
    #[error("JSON of another shape")]
    Shape,
}

/// The text, if need be repaired, as which it can be read strictly.
///
/// # Errors
/// See [`JsonError`].
pub fn sound(bytes: &[u8]) -> Result<Cow<'_, str>, JsonError> {
    let text = std::str::from_utf8(bytes).map_err(|_not_quoted| JsonError::NotUtf8)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if too_deep(text) {
        return Err(JsonError::TooDeep);
    }
    if is_json(text) {
        return Ok(Cow::Borrowed(text));
    }
    let repaired = repaired(text);
    // A quote that repair moved into or out of a text may open brackets that were none before.
    if too_deep(&repaired) {
        return Err(JsonError::TooDeep);
    }
    if is_json(&repaired) { Ok(Cow::Owned(repaired)) } else { Err(JsonError::Malformed) }
}

/// Reads a value as [`sound`] text.
///
/// # Errors
/// See [`JsonError`].
pub fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, JsonError> {
    serde_json::from_str(&sound(bytes)?).map_err(|_not_quoted| JsonError::Shape)
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// Counts brackets outside of texts, without reading anything: refusing is quick.
fn too_deep(text: &str) -> bool {
    let (mut depth, mut in_text, mut escaped) = (0usize, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'[' | b'{' if !in_text => depth += 1,
            b']' | b'}' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return true;
        }
    }
    false
}

fn repaired(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 64);
    let mut in_text = false;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let after = rest.get(c.len_utf8()..).unwrap_or_default();
        rest = after;
        match c {
            '"' => {
                in_text = !in_text;
                out.push('"');
            }
            '\\' if in_text => match escape(after) {
                Some(escape) => {
                    out.push('\\');
                    out.push_str(escape);
                    rest = after.get(escape.len()..).unwrap_or_default();
                }
                None => out.push_str(r"\\"),
            },
            '\n' if in_text => out.push_str(r"\n"),
            '\r' if in_text => out.push_str(r"\r"),
            '\t' if in_text => out.push_str(r"\t"),
            c if in_text && c < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            ',' if !in_text && after.trim_start_matches([' ', '\t', '\r', '\n']).starts_with([']', '}']) => {}
            c => out.push(c),
        }
    }
    out
}

/// What follows a backslash, if it is an escape with it.
fn escape(after: &str) -> Option<&str> {
    let one = after.get(..1)?;
    if one == "u" {
        let five = after.get(..5)?;
        return five.bytes().skip(1).all(|b| b.is_ascii_hexdigit()).then_some(five);
    }
    r#""\/bfnrt"#.contains(one).then_some(one)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn what_is_meant_is_read() {
        for (name, text, want) in [
            ("as it should be", r#"{"a":"x, }","b":[1]}"#, json!({"a": "x, }", "b": [1]})),
            ("commas", "{\"a\":[1,2, ],\n\"b\":\",]\" ,\n}", json!({"a": [1, 2], "b": ",]"})),
            ("control characters", "{\"a\":\"1\n2\t3\r\u{1}\"}", json!({"a": "1\n2\t3\r\u{1}"})),
            (
                "backslashes",
                r#"{"p":"C:\Users\x\_.dat","u":"\u4f60\users"}"#,
                json!({"p": r"C:\Users\x\_.dat", "u": "你\\users"}),
            ),
            ("right ones stay", r#"{"p":"C:\\a\\\"b\"",}"#, json!({"p": r#"C:\a\"b""#})),
            ("a mark before it", "\u{feff}{}", json!({})),
        ] {
            assert_eq!(read::<Value>(text.as_bytes()), Ok(want), "{name}");
        }
    }

    #[test]
    fn what_is_not_plain_is_refused() {
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        for (name, text, want) in [
            ("empty", &b""[..], JsonError::Malformed),
            ("cut off", br#"{"a":"b"#, JsonError::Malformed),
            ("two", b"{}{}", JsonError::Malformed),
            ("no text", b"\xff\xfe", JsonError::NotUtf8),
            ("deep", deep.as_bytes(), JsonError::TooDeep),
            ("only a comma", b",", JsonError::Malformed),
        ] {
            assert_eq!(sound(text).unwrap_err(), want, "{name}");
        }
        assert!(sound(("[".repeat(64) + &"]".repeat(64)).as_bytes()).is_ok());
        assert!(sound(("[".repeat(65) + &"]".repeat(65)).as_bytes()).is_err());
        assert!(sound(br#"{"a":"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["}"#).is_ok());
        assert_eq!(read::<Vec<u8>>(b"{}"), Err(JsonError::Shape));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            drop(read::<Value>(&bytes));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "([\\[\\]{},:\"\\\\ntu0-9a]|\n|你){0,60}") {
            if let Ok(sound) = sound(text.as_bytes()) {
                proptest::prop_assert!(serde_json::from_str::<Value>(&sound).is_ok());
            }
        }

        #[test]
        fn a_path_with_single_backslashes_comes_back(parts in proptest::collection::vec("[A-Z][a-z 0-9._-]{0,8}", 1..6)) {
            let path = format!("C:\\{}", parts.join("\\"));
            let value: Value = read(format!("{{\"p\":\"{path}\"}}").as_bytes()).unwrap();
            proptest::prop_assert_eq!(value["p"].as_str().unwrap(), path);
        }
    }
}
