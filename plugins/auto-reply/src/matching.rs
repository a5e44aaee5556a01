//! Does a text match a rule, and what did its groups catch?

use std::collections::BTreeMap;

use regex::{Regex, RegexBuilder};

/// How much of a text a regex looks at. WeChat itself refuses texts of some kilobytes, so that this is a guard only.
const HAYSTACK_BYTES: usize = 16 * 1024;
/// How large a regex may become when compiled: `\w{1000}` is refused at `wxbot check`, not found in a profile.
const REGEX_BYTES: usize = 1 << 20;
/// WeChat puts this space behind a mention that was chosen from the list of members.
const MENTION_END: char = '\u{2005}';

/// What a rule looks for.
#[derive(Debug)]
pub(crate) enum Matcher {
    /// The whole text is one of these.
    Exact(Phrases),
    /// One of these is somewhere in the text.
    Contains(Phrases),
    /// The pattern is found in the text.
    Regex(Regex),
    /// Every text.
    Any,
}

/// Texts to look for, already in the form that messages are compared in.
#[derive(Debug)]
pub(crate) struct Phrases {
    texts: Vec<String>,
    ignore_case: bool,
}

/// What the groups of a regex may be called: known before any message comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shape {
    /// How many groups there are with group 0; 0 when the rule has no regex.
    pub(crate) len: usize,
    /// The names of those that have one.
    pub(crate) names: Vec<String>,
}

/// What the groups caught; empty when the rule has no regex.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Captures {
    /// By number, group 0 first; a group that took no part is an empty text.
    pub(crate) groups: Vec<String>,
    /// By name.
    pub(crate) named: BTreeMap<String, String>,
}

/// One message in the forms that rules compare with.
#[derive(Debug)]
pub(crate) struct Heard<'a> {
    raw: &'a str,
    plain: String,
    folded: String,
}

impl Phrases {
    pub(crate) fn new<'a>(texts: impl IntoIterator<Item = &'a str>, ignore_case: bool) -> Self {
        let form = |text: &str| {
            let plain = normalise(text);
            if ignore_case { fold(&plain) } else { plain }
        };
        Self { texts: texts.into_iter().map(form).collect(), ignore_case }
    }

    fn any(&self, heard: &Heard<'_>, found: impl Fn(&str, &str) -> bool) -> bool {
        let text = if self.ignore_case { &heard.folded } else { &heard.plain };
        self.texts.iter().any(|phrase| found(text, phrase))
    }
}

impl Matcher {
    /// What the groups of a match will be called.
    pub(crate) fn shape(&self) -> Shape {
        match self {
            Self::Regex(regex) => {
                Shape { len: regex.captures_len(), names: regex.capture_names().flatten().map(str::to_owned).collect() }
            }
            Self::Exact(_) | Self::Contains(_) | Self::Any => Shape { len: 0, names: Vec::new() },
        }
    }

    /// The groups when it matches, `None` when not.
    pub(crate) fn matches(&self, heard: &Heard<'_>) -> Option<Captures> {
        let matched = match self {
            Self::Exact(phrases) => phrases.any(heard, |text, phrase| text == phrase.trim()),
            Self::Contains(phrases) => phrases.any(heard, |text, phrase| text.contains(phrase)),
            // As it came first, so that groups keep the sender's own characters and a pattern may name full-width
            // ones; then normalised, so that `^order (\d+)$` also finds what a Chinese keyboard made of it.
            Self::Regex(regex) => return capture(regex, heard.raw).or_else(|| capture(regex, &heard.plain)),
            Self::Any => true,
        };
        matched.then(Captures::default)
    }
}

impl<'a> Heard<'a> {
    /// `mentioned`: our account is mentioned in a room, so that a leading `@name` is addressing and not content.
    pub(crate) fn new(text: &'a str, mentioned: bool) -> Self {
        let text = text.trim_start_matches(is_blank);
        let raw = if mentioned { without_mention(text) } else { text }.trim_matches(is_blank);
        let plain = normalise(raw);
        Self { raw, folded: fold(&plain), plain }
    }
}

/// Compiles a pattern; the error is one line for people.
pub(crate) fn regex(pattern: &str, ignore_case: bool) -> Result<Regex, String> {
    let built = RegexBuilder::new(pattern).case_insensitive(ignore_case).size_limit(REGEX_BYTES).build();
    built.map_err(|error| {
        if let regex::Error::CompiledTooBig(limit) = error {
            return format!("it needs more than {limit} bytes when compiled");
        }
        // The crate draws the pattern with a caret over several lines and states the reason in the last one.
        let drawn = error.to_string();
        let reason = drawn.lines().rev().find_map(|line| line.trim().strip_prefix("error: "));
        reason.map_or_else(|| drawn.split_whitespace().collect::<Vec<_>>().join(" "), str::to_owned)
    })
}

/// The first `max` bytes of a text, or fewer when a character stands across the border.
pub(crate) fn head(text: &str, max: usize) -> &str {
    text.get(..text.floor_char_boundary(max)).unwrap_or(text)
}

/// True when nothing of it can be seen: white space and zero-width characters only.
pub(crate) fn is_blank_text(text: &str) -> bool {
    text.chars().all(is_blank)
}

fn capture(regex: &Regex, text: &str) -> Option<Captures> {
    let found = regex.captures(head(text, HAYSTACK_BYTES))?;
    let text_of = |group: Option<regex::Match<'_>>| group.map_or_else(String::new, |m| m.as_str().to_owned());
    Some(Captures {
        groups: found.iter().map(text_of).collect(),
        named: regex.capture_names().flatten().map(|name| (name.to_owned(), text_of(found.name(name)))).collect(),
    })
}

/// The text behind a leading `@name`. We do not know our name in the room, so the end of the token decides: the space
/// that WeChat writes, else the first white space. Without either nothing is removed: it may be `@name你好`.
fn without_mention(text: &str) -> &str {
    if !text.starts_with(['@', '\u{FF20}']) {
        return text;
    }
    let end = text.find(MENTION_END).or_else(|| text.find(char::is_whitespace));
    end.and_then(|at| text.get(at..)).unwrap_or(text)
}

/// Full-width ASCII becomes half-width, zero-width characters go. Idempotent.
fn normalise(text: &str) -> String {
    let visible = text.chars().filter(|c| !is_zero_width(*c));
    visible
        .map(|c| match c {
            '\u{FF01}'..='\u{FF5E}' => char::from_u32(u32::from(c) - 0xFEE0).unwrap_or(c),
            '\u{3000}' => ' ',
            other => other,
        })
        .collect()
}

fn fold(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

fn is_blank(c: char) -> bool {
    c.is_whitespace() || is_zero_width(c)
}

/// Characters that people copy along without seeing them: joiners, direction marks, byte order marks, emoji selectors.
fn is_zero_width(c: char) -> bool {
    matches!(c, '\u{AD}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{2069}' | '\u{FE0E}' | '\u{FE0F}' | '\u{FEFF}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn exact(text: &str) -> Matcher {
        Matcher::Exact(Phrases::new([text], true))
    }
    fn contains(text: &str) -> Matcher {
        Matcher::Contains(Phrases::new([text], true))
    }
    fn found(pattern: &str) -> Matcher {
        Matcher::Regex(regex(pattern, true).unwrap())
    }

    /// As a Chinese keyboard writes it, with the space that belongs to it.
    fn wide(text: &str) -> String {
        let wider = |c: char| if c == ' ' { '\u{3000}' } else { char::from_u32(u32::from(c) + 0xFEE0).unwrap() };
        text.chars().map(wider).collect()
    }

    #[test]
    fn what_matches() {
        for (name, matcher, text, mentioned, want) in [
            ("same", exact("你好"), "你好", false, true),
            ("spaces around", exact("你好"), " 你好\n", false, true),
            ("spaces around the phrase", exact(" hi "), "hi", false, true),
            ("more text", exact("你好"), "你好吗", false, false),
            ("full-width text", exact("hi!"), &*wide("HI!"), false, true),
            ("full-width phrase", exact(&wide("HI!")), "hi!", false, true),
            ("zero-width", exact("help"), "he\u{200B}lp\u{FEFF}", false, true),
            ("emoji selector", exact("❤"), "❤\u{FE0F}", false, true),
            ("other scripts fold", exact("ПРИВЕТ"), "привет", false, true),
            ("mention", exact("你好"), "@机器人\u{2005}你好", true, true),
            ("name with a space", exact("hi"), "@My Bot\u{2005}hi", true, true),
            ("typed mention", exact("hi"), "@bot hi", true, true),
            ("full-width at", exact("hi"), "\u{FF20}bot hi", true, true),
            ("someone else mentioned", exact("hi"), "@bob hi", false, false),
            ("mention at the end stays", exact("hi"), "hi @bot\u{2005}", true, false),
            ("only a mention", exact("@bot"), "@bot\u{2005}", true, false),
            ("no end of the name", contains("你好"), "@bot你好", true, true),
            ("name is no content", contains("帮助"), "@帮助机器人\u{2005}你好", true, false),
            ("inside", contains("price"), "What PRICE is it", false, true),
            ("not inside", contains("price"), "what cost", false, false),
            ("regex", found(r"^order (\d+)$"), "Order 12", false, true),
            ("regex on full-width text", found(r"^order (\d+)$"), &*wide("order 12"), false, true),
            ("regex with full-width", found("^单号\u{FF1A}(.+)$"), "单号\u{FF1A}7", false, true),
            ("regex behind a mention", found("^hi$"), "@bot\u{2005}hi", true, true),
            ("any", Matcher::Any, "", false, true),
        ] {
            assert_eq!(matcher.matches(&Heard::new(text, mentioned)).is_some(), want, "{name}");
        }
    }

    #[test]
    fn case_matters_when_asked() {
        let strict = Matcher::Exact(Phrases::new(["Hi"], false));
        assert!(strict.matches(&Heard::new("Hi", false)).is_some());
        assert!(strict.matches(&Heard::new("hi", false)).is_none());
        let strict = Matcher::Regex(regex("^Hi$", false).unwrap());
        assert!(strict.matches(&Heard::new("hi", false)).is_none());
    }

    #[test]
    fn groups_keep_the_senders_characters() {
        let matcher = found(r"^echo (?P<what>\S+)( loud)?$");
        assert_eq!(matcher.shape(), Shape { len: 3, names: vec!["what".to_owned()] });
        let captures = matcher.matches(&Heard::new("Echo 你好\u{FF01}", false)).unwrap();
        assert_eq!(captures.groups, ["Echo 你好\u{FF01}", "你好\u{FF01}", ""]);
        assert_eq!(captures.named["what"], "你好\u{FF01}");
    }

    #[test]
    fn a_bad_regex_is_told_in_one_line() {
        for (pattern, want) in [
            ("(", "unclosed group"),
            ("[z-a]", "invalid character class range, the start must be <= the end"),
            (r"\w{100}{100}", "it needs more than 1048576 bytes when compiled"),
        ] {
            assert_eq!(regex(pattern, true).unwrap_err(), want, "{pattern}");
        }
    }

    #[test]
    fn a_regex_sees_the_first_16_kib() {
        let long = format!("{}end", "你".repeat(HAYSTACK_BYTES / 3 + 1));
        assert!(found("^你+$").matches(&Heard::new(&long, false)).is_some(), "cut at a border of characters");
        assert!(found("end").matches(&Heard::new(&long, false)).is_none());
        assert!(contains("end").matches(&Heard::new(&long, false)).is_some());
    }

    proptest! {
        #[test]
        fn normalising_is_idempotent(text in any::<String>(), mentioned: bool) {
            let once = normalise(&text);
            prop_assert_eq!(normalise(&once), once.clone());
            let wide = '\u{FF01}'..='\u{FF5E}';
            let odd = once.chars().find(|c| is_zero_width(*c) || wide.contains(c));
            prop_assert_eq!(odd, None);
            let heard = Heard::new(&text, mentioned);
            prop_assert_eq!(heard.raw.trim(), heard.raw);
        }

        #[test]
        fn a_text_is_found_in_itself(text in any::<String>(), around in any::<String>()) {
            let whole = format!("{around}{text}{around}");
            prop_assert!(contains(text.trim_matches(is_blank)).matches(&Heard::new(&whole, false)).is_some());
            prop_assert!(exact(&text).matches(&Heard::new(&text, false)).is_some());
        }
    }
}
