//! Which of thousands of keywords and regexes are in a text? One pass, whatever their number.
//!
//! ```
//! use wxbot_keyword::fold::Folding;
//! use wxbot_keyword::matcher::{Kind, Matcher, Pattern, Scratch};
//!
//! let folding = Folding { simplified: true, ..Folding::default() };
//! let matcher = Matcher::build(
//!     &[
//!         Pattern { id: 1, kind: Kind::Text("发票"), word: false },
//!         Pattern { id: 2, kind: Kind::Text("ai"), word: true },
//!         Pattern { id: 3, kind: Kind::Regex(r"\d{5,}"), word: false },
//!     ],
//!     folding,
//! )?;
//! let mut scratch = Scratch::default();
//! let text = "要開發票的加 ＱＱ 123456,mail 来";
//! let hits: Vec<_> = matcher.hits(text, &mut scratch).map(|hit| (hit.id, &text[hit.start..hit.end])).collect();
//! assert_eq!(hits, [(1, "發票"), (3, "123456")]);
//! # Ok::<(), Vec<(usize, wxbot_keyword::matcher::Why)>>(())
//! ```
//!
//! Keywords and texts are compared in their [folded](crate::fold) form, offsets are those of the sender's text. All
//! that overlaps is found (`发票` and `开发票`); who wins is for the rules to say. Building is plain computing, some
//! 10 ms for 10,000 keywords: give it to `spawn_blocking`. A matcher may be shared by threads; each has its own
//! [`Scratch`].
//!
//! Files in reading order: this one → `words` (the keywords) → `skip` (how it passes quickly over what is none) →
//! `regexes` → `needed` (what lets most of them wait) → `respell` (how a regex is folded).

mod needed;
mod regexes;
mod respell;
mod skip;
mod words;

use std::fmt;

use self::regexes::Regexes;
use self::words::{Seen, Words};
use crate::fold::{Folded, Folder, Folding};

/// How much of a text is looked at. The service itself refuses texts of some kilobytes, so this is a guard only.
pub const HAYSTACK_BYTES: usize = 16 * 1024;
/// A text rarely hits more: what was set aside for more is given back.
const USUAL_HITS: usize = 4096;
/// The longest keyword.
pub const MOST_CHARS: usize = 256;
/// All keywords together, folded. 200,000 of six Chinese characters are 3.6 MB; the automaton takes some thirty times
/// this while it is built.
pub const MOST_TEXT_BYTES: usize = 8 << 20;
/// How large one regex may become when compiled: `\w{1000}` is refused, not found in a profile.
pub const REGEX_BYTES: usize = 1 << 20;
/// How large all regexes together may become when compiled.
pub const ALL_REGEX_BYTES: usize = 16 << 20;
/// More mistakes than these help nobody.
const MOST_MISTAKES: usize = 100;

/// Something to look for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pattern<'a> {
    /// What a [`Hit`] says. Several patterns may share one: it is hit once.
    pub id: u32,
    /// What to look for.
    pub kind: Kind<'a>,
    /// Only between borders: `ai` is in `ai 绘画` and `用ai画`, but not in `mail`. Characters of scripts without spaces
    /// between words (Chinese, Japanese, Thai, …) border on everything. For texts alone; a regex has `\b`.
    pub word: bool,
}

/// What a [`Pattern`] looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind<'a> {
    /// These characters.
    Text(&'a str),
    /// What this regex matches in the folded text. Its own characters are folded too, so that `ＱＱ群\d+` finds `qq群1`.
    Regex(&'a str),
}

/// Why a pattern cannot be looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Why {
    /// Nothing is left of it when it is folded.
    Blank,
    /// A keyword of more than [`MOST_CHARS`]; its length.
    TooLong(usize),
    /// With this keyword all together are larger than [`MOST_TEXT_BYTES`].
    AllTextsTooLarge,
    /// No regex: what is wrong, and before which character (1 is the first).
    Syntax {
        /// In the parser's words.
        message: String,
        /// Which character of the pattern.
        at: usize,
    },
    /// The regex matches where there is nothing, which is to say: everywhere.
    MatchesNothing,
    /// The regex becomes larger than [`REGEX_BYTES`].
    RegexTooLarge,
    /// With this regex all together become larger than [`ALL_REGEX_BYTES`].
    AllRegexesTooLarge,
    /// [`Pattern::word`] with a regex.
    WordRegex,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blank => f.write_str("there is nothing to look for: it is empty, or nobody can see it"),
            Self::TooLong(chars) => write!(f, "a keyword has at most {MOST_CHARS} characters, this one has {chars}"),
            Self::AllTextsTooLarge => write!(f, "all keywords together are larger than {} MiB", MOST_TEXT_BYTES >> 20),
            Self::Syntax { message, at } => write!(f, "no regex: {message} (at character {at})"),
            Self::MatchesNothing => {
                f.write_str("the regex matches the empty text too, so that it would hit everywhere")
            }
            Self::RegexTooLarge => write!(f, "the regex is larger than {} MiB when compiled", REGEX_BYTES >> 20),
            Self::AllRegexesTooLarge => {
                write!(f, "all regexes together are larger than {} MiB when compiled", ALL_REGEX_BYTES >> 20)
            }
            Self::WordRegex => f.write_str("`word` is for keywords, not for a regex"),
        }
    }
}

impl Why {
    /// What to do.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Blank => "write the word to look for, or remove the entry",
            Self::TooLong(_) => "write the part of it that is telling",
            Self::AllTextsTooLarge => "remove keywords, or share them between several accounts",
            Self::Syntax { .. } => "look-around and back-references do not exist; \\ before a sign takes it as it is",
            Self::MatchesNothing => "write `+` in place of `*`, or `.` for any text",
            Self::RegexTooLarge => "write smaller repetitions, or [a-z] in place of \\w and [0-9] in place of \\d",
            Self::AllRegexesTooLarge => "write plain keywords where a regex is not needed",
            Self::WordRegex => "write \\b at both ends of the regex",
        }
    }
}

/// One of the patterns in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hit {
    /// Where it begins, in bytes of the text that was given.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
    /// The [`Pattern::id`].
    pub id: u32,
}

/// What a search writes to, to be used again for the next text (of this matcher or another).
#[derive(Debug, Default)]
pub struct Scratch {
    folded: Folded,
    seen: Seen,
    found: Vec<Hit>,
    regexes: regexes::Scratch,
}

/// Looks for many patterns at once.
#[derive(Debug)]
pub struct Matcher {
    folder: Folder,
    words: Words,
    regexes: Regexes,
    /// The ids, each once. Words and regexes know them by their place in this list.
    ids: Vec<u32>,
}

impl Matcher {
    /// A matcher for these patterns; none at all is fine.
    ///
    /// # Errors
    /// All patterns that cannot be looked for (the first hundred of them), by their place in `patterns`.
    pub fn build(patterns: &[Pattern<'_>], folding: Folding) -> Result<Self, Vec<(usize, Why)>> {
        let folder = Folder::new(folding);
        let mut ids: Vec<u32> = patterns.iter().map(|pattern| pattern.id).collect();
        ids.sort_unstable();
        ids.dedup();
        let (mut words, mut regexes) = (words::Builder::default(), regexes::Builder::new(folder));
        let mut mistakes = Vec::new();
        for (nth, pattern) in patterns.iter().enumerate() {
            let slot = ids.partition_point(|id| *id < pattern.id);
            let added = match pattern.kind {
                Kind::Text(text) => words.add(&folder, text, slot, pattern.word),
                Kind::Regex(_) if pattern.word => Err(Why::WordRegex),
                Kind::Regex(regex) => regexes.add(regex, slot, &mut words),
            };
            if let Err(why) = added {
                // What is too much for all will be so for each that follows.
                let full = matches!(why, Why::AllTextsTooLarge | Why::AllRegexesTooLarge);
                mistakes.push((nth, why));
                if full || mistakes.len() == MOST_MISTAKES {
                    break;
                }
            }
        }
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        Ok(Self { folder, words: words.build(), regexes: regexes.build(), ids })
    }

    /// How many different ids it looks for.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Does it look for nothing?
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// In which way it folds.
    pub fn folder(&self) -> Folder {
        self.folder
    }

    /// How much memory the automata take, in bytes.
    pub fn memory(&self) -> usize {
        self.words.memory() + self.regexes.memory()
    }

    /// The ids that are in the text, each once and where it was found first, in the order of the text: all of them, in
    /// the first [`HAYSTACK_BYTES`].
    pub fn hits<'s>(&self, text: &str, scratch: &'s mut Scratch) -> impl ExactSizeIterator<Item = Hit> + use<'s> {
        let text = text.get(..text.floor_char_boundary(HAYSTACK_BYTES)).unwrap_or(text);
        let Scratch { folded, seen, found, regexes } = scratch;
        self.folder.fold_mapped(text, folded);
        self.search(&folded.text, seen, found, regexes);
        for hit in &mut *found {
            (hit.start, hit.end) = (folded.map.start(hit.start), folded.map.end(hit.end));
        }
        found.iter().copied()
    }

    /// Like [`hits`](Self::hits), for a text that was folded already by [this folder](Self::folder); offsets are those
    /// of the folded text.
    pub fn hits_folded<'s>(
        &self,
        text: &str,
        scratch: &'s mut Scratch,
    ) -> impl ExactSizeIterator<Item = Hit> + use<'s> {
        let text = text.get(..text.floor_char_boundary(HAYSTACK_BYTES)).unwrap_or(text);
        self.search(text, &mut scratch.seen, &mut scratch.found, &mut scratch.regexes);
        scratch.found.iter().copied()
    }

    fn search(&self, text: &str, seen: &mut Seen, found: &mut Vec<Hit>, regexes: &mut regexes::Scratch) {
        found.clear();
        found.shrink_to(USUAL_HITS);
        seen.begin(self.words.len(), self.ids.len(), self.regexes.len());
        self.words.search(text, seen, |slot, start, end| self.keep(found, slot, start, end));
        self.regexes.search(text, regexes, seen, |slot, start, end| self.keep(found, slot, start, end));
        found.sort_unstable();
    }

    /// Each id comes once, so that there are never more than ids.
    fn keep(&self, found: &mut Vec<Hit>, slot: usize, start: usize, end: usize) {
        if let Some(id) = self.ids.get(slot) {
            found.push(Hit { start, end, id: *id });
        }
    }
}

#[cfg(test)]
mod tests;
