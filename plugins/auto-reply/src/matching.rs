//! Does a text match a rule, and what did its groups catch?

use regex::Regex;
use wxbot_plugin::Captures;
use wxbot_plugin::template::{Known, Shape};
use wxbot_plugin::text::{fold, plain};

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
            if ignore_case { fold(text) } else { plain(text) }
        };
        Self { texts: texts.into_iter().map(form).collect(), ignore_case }
    }

    fn any(&self, heard: &Heard<'_>, found: impl Fn(&str, &str) -> bool) -> bool {
        let text = if self.ignore_case { &heard.folded } else { &heard.plain };
        self.texts.iter().any(|phrase| found(text, phrase))
    }
}

impl Matcher {
    /// The names, with those of the groups where there are some.
    pub(crate) fn known(&self, known: Known) -> Known {
        match self {
            Self::Regex(regex) => known.with_groups(&Shape::of(regex)),
            Self::Exact(_) | Self::Contains(_) | Self::Any => known.with_groups_elsewhere(),
        }
    }

    /// The groups when it matches, `None` when not.
    pub(crate) fn matches(&self, heard: &Heard<'_>) -> Option<Captures> {
        let matched = match self {
            Self::Exact(phrases) => phrases.any(heard, |text, phrase| text == phrase.trim()),
            Self::Contains(phrases) => phrases.any(heard, |text, phrase| text.contains(phrase)),
            // As it came first, so that groups keep the sender's own characters and a pattern may name full-width
            // ones; then normalised, so that `^order (\d+)$` also finds what a Chinese keyboard made of it.
            Self::Regex(regex) => {
                return Captures::find(regex, heard.raw).or_else(|| Captures::find(regex, &heard.plain));
            }
            Self::Any => true,
        };
        matched.then(Captures::default)
    }
}

impl<'a> Heard<'a> {
    /// What was [typed](wxbot_plugin::text::typed).
    pub(crate) fn new(typed: &'a str) -> Self {
        Self { raw: typed, plain: plain(typed), folded: fold(typed) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use wxbot_plugin::text::{is_blank, regex, unaddressed};

    use super::*;

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
            assert_eq!(matcher.matches(&Heard::new(unaddressed(text, mentioned))).is_some(), want, "{name}");
        }
    }

    #[test]
    fn case_matters_when_asked() {
        let strict = Matcher::Exact(Phrases::new(["Hi"], false));
        assert!(strict.matches(&Heard::new("Hi")).is_some());
        assert!(strict.matches(&Heard::new("hi")).is_none());
        let strict = Matcher::Regex(regex("^Hi$", false).unwrap());
        assert!(strict.matches(&Heard::new("hi")).is_none());
    }

    #[test]
    fn groups_keep_the_senders_characters() {
        let matcher = found(r"^echo (?P<what>\S+)( loud)?$");
        let captures = matcher.matches(&Heard::new("Echo 你好\u{FF01}")).unwrap();
        let caught: Vec<_> = captures.groups().map(|(_, caught)| caught).collect();
        assert_eq!(caught, [Some("Echo 你好\u{FF01}"), Some("你好\u{FF01}"), None]);
        assert_eq!(captures.get("what"), Some("你好\u{FF01}"));
    }

    #[test]
    fn a_regex_sees_the_first_16_kib() {
        let long = format!("{}end", "你".repeat(16 * 1024 / 3 + 1));
        assert!(found("^你+$").matches(&Heard::new(&long)).is_some(), "cut at a border of characters");
        assert!(found("end").matches(&Heard::new(&long)).is_none());
        assert!(contains("end").matches(&Heard::new(&long)).is_some());
    }

    proptest! {
        #[test]
        fn a_text_is_found_in_itself(text in any::<String>(), around in any::<String>()) {
            let whole = format!("{around}{text}{around}");
            prop_assert!(contains(text.trim_matches(is_blank)).matches(&Heard::new(&whole)).is_some());
            prop_assert!(exact(&text).matches(&Heard::new(text.trim_matches(is_blank))).is_some());
        }
    }
}
