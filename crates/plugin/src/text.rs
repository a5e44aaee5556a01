//! What did a person type, and when do two texts count as the same? For plugins that match texts by themselves.
//!
//! Full-width and invisible characters and capitals make no difference for matching; answers keep the sender's own
//! characters. Commands, keywords and regexes of [`#[plugin]`](macro@crate::plugin) compare by the same functions.
//!
//! ```
//! use wxbot_plugin::prelude::*;
//! use wxbot_plugin::text;
//!
//! fn says_price(event: &Event) -> bool {
//!     // No quotes, forwards or cards, nothing of our own, nothing late.
//!     text::typed(event).is_ok_and(|typed| text::fold(typed).contains("price"))
//! }
//! assert_eq!(text::fold("ＰＲＩＣＥ\u{200B}!"), "price!");
//! ```

use std::fmt;

use regex::{Regex, RegexBuilder};
use wxbot_model::{ChatKind, Content, Event};

use crate::route::heard::Heard;

/// How large a regex may become when compiled: `\w{1000}` is refused at the start, not found in a profile.
const REGEX_BYTES: usize = 1 << 20;
/// WeChat puts this space behind a mention that was chosen from the list of members.
const MENTION_END: char = '\u{2005}';
/// What a mention begins with.
const AT: [char; 2] = ['@', '\u{FF20}'];
/// No name in a room is longer.
const NAME_CHARS: usize = 64;
/// Unicode's `Default_Ignorable_Code_Point`: joiners, direction marks, byte order marks, fillers, selectors, tags. In
/// order; a test compares it with Unicode's own table.
const INVISIBLE: [(char, char); 17] = [
    ('\u{AD}', '\u{AD}'),
    ('\u{34F}', '\u{34F}'),
    ('\u{61C}', '\u{61C}'),
    ('\u{115F}', '\u{1160}'),
    ('\u{17B4}', '\u{17B5}'),
    ('\u{180B}', '\u{180F}'),
    ('\u{200B}', '\u{200F}'),
    ('\u{202A}', '\u{202E}'),
    ('\u{2060}', '\u{206F}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{FE00}', '\u{FE0F}'),
    ('\u{FEFF}', '\u{FEFF}'),
    ('\u{FFA0}', '\u{FFA0}'),
    ('\u{FFF0}', '\u{FFF8}'),
    ('\u{1BCA0}', '\u{1BCA3}'),
    ('\u{1D173}', '\u{1D17A}'),
    ('\u{E0000}', '\u{E0FFF}'),
];

/// Why an event triggers no command, keyword or rule, whatever its text. Its `Display` is the end of a sentence for
/// `wxbot explain`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Deaf {
    /// It is no message.
    NoMessage,
    /// A message of another [kind](Content::kind): a quote, a card, a forwarded record, a picture.
    NotTyped(&'static str),
    /// Our own account sent it.
    Own,
    /// It is [late](Event::late).
    Late,
    /// An official account sent it: machines that answer each other do not stop.
    Official,
    /// The service itself speaks.
    Nobody,
}

impl fmt::Display for Deaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoMessage => f.write_str("it is no message"),
            Self::NotTyped(kind) => write!(f, "it is no plain text but: {kind}"),
            Self::Own => f.write_str("our own account sent it"),
            Self::Late => f.write_str("it is late"),
            Self::Official => f.write_str("an official account sent it"),
            Self::Nobody => f.write_str("it has no sender"),
        }
    }
}

/// What a person typed to us, without white space around it and without a mention at its beginning where our account is
/// mentioned: what commands are looked for in.
///
/// Quotes, forwards, cards and the like hold other people's words and never trigger anything (security R27).
///
/// Which name is ours nobody can tell, so that any first `@name` goes with it: `@advert @bot` is `@bot` here. Whoever
/// looks for words that people should *not* say asks this function whether the message counts, and searches the whole
/// of [`Content::Text`].
///
/// # Errors
/// Why this event triggers nothing.
pub fn typed(event: &Event) -> Result<&str, Deaf> {
    spoken_to_us(event)?;
    let message = event.message().ok_or(Deaf::NoMessage)?;
    let Content::Text { text } = &message.content else { return Err(Deaf::NotTyped(message.content.kind())) };
    Ok(unaddressed(text, event.is_group() && message.mentions.me))
}

/// A message of a person, in time and not our own.
pub(crate) fn spoken_to_us(event: &Event) -> Result<(), Deaf> {
    let message = event.message().ok_or(Deaf::NoMessage)?;
    let sender = event.sender.as_ref().ok_or(Deaf::Nobody)?;
    if message.from_self {
        Err(Deaf::Own)
    } else if event.late {
        Err(Deaf::Late)
    } else if event.chat.kind == ChatKind::Official || sender.id.as_str().starts_with('o') {
        Err(Deaf::Official)
    } else {
        Ok(())
    }
}

/// A text without blanks around it. `mentioned`: our account is mentioned in a room, so that a leading `@name` is
/// addressing and not content.
///
/// ```
/// # use wxbot_plugin::text::unaddressed;
/// assert_eq!(unaddressed(" @bot\u{2005}hi ", true), "hi");
/// assert_eq!(unaddressed(" @bot\u{2005}hi ", false), "@bot\u{2005}hi");
/// ```
pub fn unaddressed(text: &str, mentioned: bool) -> &str {
    let text = text.trim_start_matches(is_blank);
    if mentioned { without_mention(text) } else { text }.trim_matches(is_blank)
}

/// The text behind a leading `@name`. We do not know our name in the room, so the end of the token decides: the space
/// that WeChat writes, else the first white space. Without either nothing is removed: it may be `@name你好`. A name has
/// at most [`NAME_CHARS`], is in one line and holds no other mention; what looks for its end further on removes content.
fn without_mention(text: &str) -> &str {
    if !text.starts_with(AT) {
        return text;
    }
    let mut end = None;
    for (at, c) in text.char_indices().skip(1).take(NAME_CHARS + 1) {
        if c == MENTION_END {
            end = Some(at);
            break;
        }
        if c.is_whitespace() {
            end = end.or(Some(at));
        }
        if AT.contains(&c) || matches!(c, '\n' | '\r') {
            break;
        }
    }
    end.and_then(|at| text.get(at..)).unwrap_or(text)
}

/// The form in which texts are compared: full-width ASCII becomes half-width, invisible characters and capitals go.
/// Idempotent but for odd scripts.
///
/// ```
/// # use wxbot_plugin::text::fold;
/// assert_eq!(fold("Ｈｅ\u{200B}llo 你好"), "hello 你好");
/// ```
pub fn fold(text: &str) -> String {
    text.chars().flat_map(folded).collect()
}

/// [`fold`] that leaves capitals as they are. Idempotent.
pub fn plain(text: &str) -> String {
    text.chars().filter(|c| !is_invisible(*c)).map(narrow).collect()
}

/// What [`fold`] makes of one character: none, one, or two.
pub fn folded(c: char) -> impl Iterator<Item = char> {
    (!is_invisible(c)).then(|| narrow(c).to_lowercase()).into_iter().flatten()
}

/// Full-width ASCII and the space that belongs to it in their half-width form; other characters as they are.
pub fn narrow(c: char) -> char {
    match c {
        '\u{FF01}'..='\u{FF5E}' => char::from_u32(u32::from(c) - 0xFEE0).unwrap_or(c),
        '\u{3000}' => ' ',
        other => other,
    }
}

/// White space, or nothing to see at all.
pub fn is_blank(c: char) -> bool {
    c.is_whitespace() || is_invisible(c)
}

/// True when nothing of it can be seen; so an empty text is blank.
pub fn is_blank_text(text: &str) -> bool {
    text.chars().all(is_blank)
}

/// Characters that nobody sees, and that people copy along or put between letters so that words are not found: all that
/// Unicode calls `Default_Ignorable_Code_Point`.
pub fn is_invisible(c: char) -> bool {
    let after = INVISIBLE.partition_point(|(first, _)| *first <= c);
    after.checked_sub(1).and_then(|at| INVISIBLE.get(at)).is_some_and(|(_, last)| c <= *last)
}

/// What follows a command's word in a [`typed`] text, as [`#[command]`](macro@crate::plugin) reads it: behind one of
/// the prefixes, then white space or nothing. For plugins without handlers; the prefixes are those of
/// [`InitCtx`](crate::InitCtx).
///
/// ```
/// # use wxbot_plugin::text::command;
/// let prefixes = ["/".to_owned()];
/// assert_eq!(command("/Away till noon", &prefixes, &["away", "离开"]), Some("till noon"));
/// assert_eq!(command("／离开", &prefixes, &["away", "离开"]), Some(""));
/// assert_eq!(command("away", &prefixes, &["away"]), None);
/// assert_eq!(command("/awayday", &prefixes, &["away"]), None);
/// ```
pub fn command<'a>(typed: &'a str, prefixes: &[String], words: &[&str]) -> Option<&'a str> {
    let words: Vec<String> = words.iter().map(|word| fold(word)).collect();
    let said = Heard::new(typed, prefixes).command(&words)?;
    Some(said.rest.trim_matches(is_blank))
}

/// Compiles a pattern of settings: linear time, at most 1 MiB when compiled (security R11).
///
/// ```
/// # use wxbot_plugin::text::regex;
/// assert!(regex(r"^order (\d+)$", true).is_ok());
/// assert_eq!(regex("(", true).unwrap_err(), "unclosed group");
/// ```
///
/// # Errors
/// One line for people.
pub fn regex(pattern: &str, ignore_case: bool) -> Result<Regex, String> {
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

/// The first `max_bytes` bytes of a text, or fewer when a character stands across the border.
///
/// ```
/// # use wxbot_plugin::text::head;
/// assert_eq!((head("你好", 5), head("hi", 5)), ("你", "hi"));
/// ```
pub fn head(text: &str, max_bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(max_bytes)).unwrap_or(text)
}

/// At most so many bytes of a text; where something was cut off, a `…` says so.
///
/// ```
/// # use wxbot_plugin::text::shortened;
/// assert_eq!((shortened("你好吗", 7), shortened("hi", 7)), ("你…".to_owned(), "hi".to_owned()));
/// ```
pub fn shortened(text: &str, max_bytes: usize) -> String {
    const MARK: char = '…';
    if text.len() <= max_bytes {
        return text.to_owned();
    }
    match max_bytes.checked_sub(MARK.len_utf8()) {
        Some(room) => format!("{}{MARK}", head(text, room)),
        None => head(text, max_bytes).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn where_a_mention_ends() {
        for (name, text, mentioned, want) in [
            ("chosen", "@机器人\u{2005}你好", true, "你好"),
            ("name with a space", "@My Bot\u{2005}hi", true, "hi"),
            ("typed", "@bot hi", true, "hi"),
            ("full-width at", "\u{FF20}bot hi", true, "hi"),
            ("somebody else's", "@bob hi", false, "@bob hi"),
            ("at the end it stays", "hi @bot\u{2005}", true, "hi @bot"),
            ("no end", "@bot你好", true, "@bot你好"),
            ("nothing else", "@bot\u{2005}", true, ""),
            ("in a line of its own", "@bot\nhi", true, "hi"),
            ("another mention's end", "@advert @bot\u{2005}", true, "@bot"),
            ("no white space before another mention", "@advert@bot\u{2005}hi", true, "@advert@bot\u{2005}hi"),
            ("an end in another line", "@x advert\nmore\u{2005}hi", true, "advert\nmore\u{2005}hi"),
            ("blanks around", " \u{200B}@bot\u{2005} hi\n", true, "hi"),
        ] {
            assert_eq!(unaddressed(text, mentioned), want, "{name}");
        }
    }

    #[test]
    fn a_name_is_no_longer_than_names_are() {
        let name = |chars: usize| format!("@{}\u{2005}hi", "名".repeat(chars));
        assert_eq!(unaddressed(&name(NAME_CHARS), true), "hi");
        assert_eq!(unaddressed(&name(NAME_CHARS + 1), true), name(NAME_CHARS + 1));
        let advert = format!("@x {} @bot\u{2005}", "advert ".repeat(200));
        assert!(unaddressed(&advert, true).starts_with("advert advert"), "one word of it may be a name, not all");
    }

    #[test]
    fn invisible_is_what_unicode_says() {
        let unicode = Regex::new(r"\p{Default_Ignorable_Code_Point}").unwrap();
        let all: String = ('\0'..=char::MAX).collect();
        let invisible: String = all.chars().filter(|c| is_invisible(*c)).collect();
        let wanted: String = unicode.find_iter(&all).map(|found| found.as_str()).collect();
        assert!(invisible == wanted, "another list than Unicode's");
        let count = |(first, last): &(char, char)| u32::from(*last) - u32::from(*first) + 1;
        assert_eq!(INVISIBLE.iter().map(count).sum::<u32>(), 4_174, "as many as Unicode counts");
        assert!(INVISIBLE.is_sorted() && INVISIBLE.iter().all(|(first, last)| first <= last));
        assert_eq!(fold("加\u{FE00}微\u{E0101}信\u{3164}\u{34F}\u{115F}\u{FFA0}"), "加微信");
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

    proptest! {
        #[test]
        fn forms_are_stable(text in any::<String>(), mentioned: bool) {
            let once = plain(&text);
            prop_assert_eq!(plain(&once), once.clone());
            let wide = '\u{FF01}'..='\u{FF5E}';
            prop_assert_eq!(once.chars().find(|c| is_invisible(*c) || wide.contains(c)), None);
            prop_assert_eq!(unaddressed(unaddressed(&text, mentioned), false), unaddressed(&text, mentioned));
        }

        #[test]
        fn what_is_shortened_fits(text in any::<String>(), max in 0usize..40) {
            let short = shortened(&text, max);
            prop_assert!(short.len() <= max && (short == text || text.starts_with(short.trim_end_matches('…'))));
            prop_assert!(text.starts_with(head(&text, max)));
        }
    }
}
