//! What did a person type, in the form that triggers compare with? And does a command's word stand at its beginning?
//!
//! Handlers get the sender's own characters; triggers compare by [`text`](crate::text).

use std::sync::OnceLock;

use wxbot_model::Event;

use crate::text::{Deaf, fold, folded, is_invisible, plain, typed};

/// A text that may trigger a handler.
#[derive(Debug)]
pub(crate) struct Heard<'a> {
    raw: &'a str,
    /// What may begin with a command: the text behind each prefix that it begins with.
    tails: Vec<&'a str>,
    plain: OnceLock<String>,
    folded: OnceLock<String>,
}

impl<'a> Heard<'a> {
    /// What was typed. Quotes, forwards, cards and the like hold other people's words and never trigger anything.
    pub(crate) fn of(event: &'a Event, prefixes: &[String]) -> Result<Self, Deaf> {
        typed(event).map(|text| Self::new(text, prefixes))
    }

    /// A text without the mention of ourselves.
    pub(crate) fn new(raw: &'a str, prefixes: &[String]) -> Self {
        let tails = prefixes.iter().filter_map(|prefix| strip(raw, &fold(prefix))).collect();
        Self { raw, tails, plain: OnceLock::new(), folded: OnceLock::new() }
    }

    /// As it was typed, without the mention of ourselves.
    pub(crate) fn raw(&self) -> &'a str {
        self.raw
    }

    /// Without full-width and invisible characters.
    pub(crate) fn plain(&self) -> &str {
        self.plain.get_or_init(|| plain(self.raw))
    }

    /// Without capitals too.
    pub(crate) fn folded(&self) -> &str {
        self.folded.get_or_init(|| fold(self.raw))
    }

    /// Which of these words, already [folded](fold), is the command, and what follows it; the longest one wins.
    pub(crate) fn command(&self, words: &[String]) -> Option<Spoken<'a>> {
        let said = self.tails.iter().flat_map(|tail| {
            words.iter().enumerate().filter_map(move |(nth, word)| {
                let rest = strip(tail, word)?;
                let ends = rest.trim_start_matches(is_invisible).chars().next().is_none_or(char::is_whitespace);
                ends.then(|| Spoken { nth, len: word.chars().count(), rest })
            })
        });
        said.max_by_key(|spoken| spoken.len)
    }
}

/// A command in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Spoken<'a> {
    /// Which of the handler's words.
    pub(crate) nth: usize,
    /// The word's length in characters.
    pub(crate) len: usize,
    /// What follows, as it was typed.
    pub(crate) rest: &'a str,
}

/// What follows `start`, which is folded already, in `text`, which is not.
fn strip<'a>(text: &'a str, start: &str) -> Option<&'a str> {
    let mut wanted = start.chars().peekable();
    for (at, c) in text.char_indices() {
        if wanted.peek().is_none() {
            return text.get(at..);
        }
        if !folded(c).all(|c| wanted.next() == Some(c)) {
            return None;
        }
    }
    wanted.peek().is_none().then_some("")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::text::{is_blank, unaddressed};

    fn said<'a>(text: &'a str, mentioned: bool, prefixes: &[&str], words: &[&str]) -> Option<(usize, &'a str)> {
        let prefixes: Vec<String> = prefixes.iter().map(|&prefix| prefix.into()).collect();
        let words: Vec<String> = words.iter().map(|word| fold(word)).collect();
        Heard::new(unaddressed(text, mentioned), &prefixes).command(&words).map(|spoken| (spoken.nth, spoken.rest))
    }

    #[test]
    fn where_a_command_ends() {
        let both = ["/", ""];
        for (name, text, mentioned, prefixes, words, want) in [
            ("alone", "天气", false, &both[..], &["天气"][..], Some((0, ""))),
            ("with an argument", "天气 北京", false, &both, &["天气"], Some((0, " 北京"))),
            ("with the prefix", "/天气 北京", false, &both, &["天气"], Some((0, " 北京"))),
            (
                "full-width prefix and space",
                "\u{FF0F}天气\u{3000}北京",
                false,
                &both,
                &["天气"],
                Some((0, "\u{3000}北京")),
            ),
            ("glued to more", "天气北京", false, &both, &["天气"], None),
            ("glued to latin", "weathers", false, &both, &["weather"], None),
            ("not at the beginning", "看天气", false, &both, &["天气"], None),
            ("capitals", "WEATHER x", false, &both, &["weather"], Some((0, " x"))),
            ("full-width word", "\u{FF57}eather x", false, &both, &["Weather"], Some((0, " x"))),
            ("invisible inside", "天\u{200B}气\u{FEFF} x", false, &both, &["天气"], Some((0, "\u{FEFF} x"))),
            ("blank around", " \u{200B}天气\n", false, &both, &["天气"], Some((0, ""))),
            ("prefix needed", "天气", false, &["/"], &["天气"], None),
            ("prefix of several signs", "bot: 天气", false, &["bot: "], &["天气"], Some((0, ""))),
            ("the longer word", "天气 预报 x", false, &both, &["天气", "天气 预报"], Some((1, " x"))),
            ("behind a mention", "@机器人\u{2005}天气 x", true, &both, &["天气"], Some((0, " x"))),
            ("behind a typed mention", "@bot /天气", true, &both, &["天气"], Some((0, ""))),
            ("behind somebody else's mention", "@bob 天气", false, &both, &["天气"], None),
            ("empty", "", false, &both, &["天气"], None),
        ] {
            assert_eq!(said(text, mentioned, prefixes, words), want, "{name}");
        }
    }

    #[test]
    fn forms_of_a_text() {
        let heard = Heard::new("\u{FF21}b\u{200B}C\u{3000}!", &[]);
        assert_eq!((heard.raw(), heard.plain(), heard.folded()), ("\u{FF21}b\u{200B}C\u{3000}!", "AbC !", "abc !"));
    }

    proptest! {
        #[test]
        fn a_command_is_heard_whatever_follows(rest in any::<String>(), prefix in "[/!]{0,2}") {
            let text = format!("{prefix}天气 {rest}");
            let heard = said(&text, false, &[&prefix], &["天气"]);
            prop_assert_eq!(heard.map(|(_, rest)| rest.trim_matches(is_blank)), Some(rest.trim_matches(is_blank)));
        }

        #[test]
        fn any_text_is_read(text in any::<String>(), word in "\\PC{1,4}", mentioned: bool) {
            if let Some((_, rest)) = said(&text, mentioned, &["", "/"], &[&word]) {
                prop_assert!(text.contains(rest));
            }
        }
    }
}
