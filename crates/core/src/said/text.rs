//! How does text look on the wire, and what do people see? Room prefixes, line breaks, escapes, emoji, mentions.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Captures, Regex};
use wxbot_model::Mentions;

/// A pattern that is written in the code.
pub(crate) fn pattern(text: &str) -> Regex {
    #[expect(clippy::expect_used, reason = "constant patterns, compiled in the tests")]
    Regex::new(text).expect("constant pattern")
}

/// Names come HTML-escaped and with emoji spans.
pub fn name(raw: &str) -> String {
    if !raw.contains(['<', '&']) {
        return raw.to_owned();
    }
    emoji(&unescape_once(raw)).into_owned()
}

/// Splits `@member:<br/>` or `wxid:<br/>` off a room message, once. Text that imitates it stays text.
pub fn split_prefix(content: &str) -> (Option<&str>, &str) {
    static PREFIX: LazyLock<Regex> = LazyLock::new(|| pattern(r"^(@[a-zA-Z0-9]+|[a-zA-Z0-9_-]+):(?:<br/>|\n)"));
    match PREFIX.captures(content) {
        Some(found) => {
            let (all, name) = (found.get(0), found.get(1));
            (name.map(|m| m.as_str()), all.and_then(|m| content.get(m.end()..)).unwrap_or_default())
        }
        None => (None, content),
    }
}

/// Content as people see it: line breaks, one level of escapes, emoji.
pub fn text(content: &str) -> String {
    if !content.contains(['<', '&']) {
        return content.to_owned();
    }
    static BREAK: LazyLock<Regex> = LazyLock::new(|| pattern(r"<br ?/?>"));
    let broken = BREAK.replace_all(content, "\n");
    emoji(&unescape_once(&broken)).into_owned()
}

/// System texts end in links to actions of the phone (`<a href="weixin://revoke…">`): the words stay, the tags go.
pub fn system_text(text: &str) -> String {
    static UNDO: LazyLock<Regex> = LazyLock::new(|| pattern(r#"(?s)\s*<a href="weixin://revoke[^>]*>.*?</a>\s*$"#));
    UNDO.replace(text, "").into_owned()
}

/// Undoes HTML escaping one level deep; what is no known entity stays as it is.
pub fn unescape_once(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        // The longest entity we know is `&#x10FFFF;`.
        let end = from.bytes().take(12).position(|b| b == b';');
        match end.and_then(|end| entity(from.get(1..end)?).map(|c| (c, end))) {
            Some((c, end)) => {
                out.push(c);
                rest = from.get(end + 1..).unwrap_or_default();
            }
            None => {
                out.push('&');
                rest = from.get(1..).unwrap_or_default();
            }
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

fn entity(name: &str) -> Option<char> {
    match name {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "nbsp" => Some('\u{a0}'),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code).filter(|c| *c != '\0')
        }
    }
}

/// `<span class="emoji emoji1f604"></span>` becomes the character; unknown ones stay.
fn emoji(text: &str) -> Cow<'_, str> {
    // The known malformed form lacks the last `>`.
    static SPAN: LazyLock<Regex> =
        LazyLock::new(|| pattern(r#"<span class="emoji emoji([0-9a-fA-F]{4,10})"></span>?"#));
    if !text.contains("emoji") {
        return Cow::Borrowed(text);
    }
    SPAN.replace_all(text, |found: &Captures<'_>| {
        let hex = found.get(1).map_or("", |m| m.as_str());
        code_points(hex).unwrap_or_else(|| found.get(0).map_or_else(String::new, |m| m.as_str().to_owned()))
    })
}

fn code_points(hex: &str) -> Option<String> {
    let parts = match hex.len() {
        4 | 5 => vec![hex],
        6 => vec![hex.get(..2)?, hex.get(2..)?],
        8 => vec![hex.get(..4)?, hex.get(4..)?],
        10 => vec![hex.get(..5)?, hex.get(5..)?],
        _ => return None,
    };
    parts.into_iter().map(|part| char::from_u32(remapped(u32::from_str_radix(part, 16).ok()?))).collect()
}

/// The server sends these nine under another's number. Source: `docs/protocol/webwx.md`, emoji.
fn remapped(code: u32) -> u32 {
    match code {
        0x1f63c => 0x1f601,
        0x1f639 => 0x1f602,
        0x1f63a => 0x1f603,
        0x1f4ab => 0x1f616,
        0x1f64d => 0x1f614,
        0x1f63b => 0x1f60d,
        0x1f63d => 0x1f618,
        0x1f64e => 0x1f621,
        0x1f63f => 0x1f622,
        other => other,
    }
}

/// Who a room text mentions. The separator is U+2005 where the sender's client writes it, else a space, or the end.
///
/// Nearly all texts mention nobody, so the name, which is looked for among all members of the room, is asked for late.
pub fn mentions<'a>(text: &str, my_name: impl FnOnce() -> Option<&'a str>) -> Mentions {
    if !text.contains('@') {
        return Mentions::default();
    }
    let all = ["@所有人", "@All", "@all"].iter().any(|word| names(text, word.trim_start_matches('@')));
    Mentions { me: my_name().is_some_and(|name| !name.is_empty() && names(text, name)), all }
}

fn names(text: &str, name: &str) -> bool {
    let wide = text.contains('\u{2005}');
    let mut rest = text;
    while let Some(at) = rest.find('@') {
        let after = rest.get(at + 1..).unwrap_or_default();
        if let Some(behind) = after.strip_prefix(name) {
            let ends = match behind.chars().next() {
                None => true,
                Some('\u{2005}') => true,
                Some(c) => !wide && c.is_whitespace(),
            };
            if ends {
                return true;
            }
        }
        rest = after;
    }
    false
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;
