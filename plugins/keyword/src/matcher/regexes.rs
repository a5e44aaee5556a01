//! Which of the regexes match a folded text?
//!
//! Most need a word that the keywords' automaton finds for them ([`needed`](super::needed)); those are tried one by one
//! when it did. The others are in sets. A set answers for all of its regexes in one linear pass, but says only which
//! matched; where is then asked of the few that did.

use std::fmt;
use std::ops::Range;
use std::sync::OnceLock;

use regex_automata::meta::{self, Regex};
use regex_automata::nfa::thompson::{self, NFA, WhichCaptures};
use regex_automata::util::syntax;
use regex_automata::{Input, MatchKind, PatternSet};
use regex_syntax::hir::Hir;

use super::needed::needed;
use super::words::{self, Seen};
use super::{ALL_REGEX_BYTES, REGEX_BYTES, Why, respell};
use crate::fold::Folder;

/// A set's regexes when compiled. More of them in a set would have more states at once than its cache holds.
const SET_BYTES: usize = 1 << 20;
/// How many regexes are in a set at most; the reason is the same.
const SET_LEN: usize = 64;
/// For the states of a set that texts have met so far. Past this they are made anew.
const SET_CACHE_BYTES: usize = 4 << 20;
/// The same for a single one. There may be thousands.
const CACHE_BYTES: usize = 512 << 10;

/// Regexes to be.
#[derive(Debug)]
pub(super) struct Builder {
    folder: Folder,
    patterns: Vec<One>,
    sets: Vec<Draft>,
    bytes: usize,
}

/// A set to be.
#[derive(Debug, Default)]
struct Draft {
    hirs: Vec<Hir>,
    members: Vec<usize>,
    bytes: usize,
}

/// All regexes.
#[derive(Debug)]
pub(super) struct Regexes {
    syntax: syntax::Config,
    patterns: Vec<One>,
    sets: Vec<Set>,
    bytes: usize,
}

/// One regex.
struct One {
    /// In its folded spelling.
    pattern: Box<str>,
    slot: usize,
    /// Made when it first matches: most never do.
    regex: OnceLock<Option<Regex>>,
}

#[derive(Debug)]
struct Set {
    regex: Regex,
    /// Which of the regexes are in it.
    members: Vec<usize>,
}

/// What a search writes to.
#[derive(Debug, Default)]
pub(super) struct Scratch(Option<PatternSet>);

impl Builder {
    pub(super) fn new(folder: Folder) -> Self {
        Self { folder, patterns: Vec::new(), sets: Vec::new(), bytes: 0 }
    }

    pub(super) fn add(&mut self, pattern: &str, slot: usize, words: &mut words::Builder) -> Result<(), Why> {
        if pattern.trim().is_empty() {
            return Err(Why::Blank);
        }
        // Longer than what it compiles to: refused before it is read.
        if pattern.len() > REGEX_BYTES {
            return Err(Why::RegexTooLarge);
        }
        let syntax = syntax(self.folder);
        // First as it was written, for the error's place.
        syntax::parse_with(pattern, &syntax).map_err(|error| complaint(&error, pattern))?;
        let pattern = respell::folded(pattern, &self.folder);
        let hir = syntax::parse_with(&pattern, &syntax).map_err(|error| complaint(&error, &pattern))?;
        if hir.properties().minimum_len() == Some(0) {
            return Err(Why::MatchesNothing);
        }
        let config = thompson::Config::new().nfa_size_limit(Some(REGEX_BYTES)).which_captures(WhichCaptures::Implicit);
        let nfa = NFA::compiler().configure(config).build_from_hir(&hir).map_err(too_large)?;
        let bytes = nfa.memory_usage();
        self.bytes += bytes;
        if self.bytes > ALL_REGEX_BYTES {
            return Err(Why::AllRegexesTooLarge);
        }
        let nth = self.patterns.len();
        if !needed(&hir, &self.folder).is_some_and(|needed| words.wait_for(&needed, nth)) {
            let full = |set: &mut Draft| set.members.len() == SET_LEN || set.bytes + bytes > SET_BYTES;
            if self.sets.last_mut().is_none_or(full) {
                self.sets.push(Draft::default());
            }
            if let Some(set) = self.sets.last_mut() {
                set.hirs.push(hir);
                set.members.push(nth);
                set.bytes += bytes;
            }
        }
        self.patterns.push(One { pattern: pattern.into(), slot, regex: OnceLock::new() });
        Ok(())
    }

    pub(super) fn build(self) -> Regexes {
        let config = meta::Config::new()
            .match_kind(MatchKind::All)
            .nfa_size_limit(None)
            .which_captures(WhichCaptures::None)
            .hybrid_cache_capacity(SET_CACHE_BYTES);
        let sets = self.sets.into_iter().map(|Draft { hirs, members, .. }| {
            let regex = Regex::builder().configure(config.clone()).build_many_from_hir(&hirs);
            Set { regex: regex.expect("each was compiled alone, and there is no limit to the set"), members }
        });
        let sets = sets.collect();
        Regexes { syntax: syntax(self.folder), patterns: self.patterns, sets, bytes: self.bytes }
    }
}

impl Regexes {
    pub(super) fn memory(&self) -> usize {
        self.bytes + self.sets.iter().map(|set| set.regex.memory_usage()).sum::<usize>()
    }

    /// Calls `keep` with slot, start and end for all that is new.
    pub(super) fn search(
        &self,
        text: &str,
        scratch: &mut Scratch,
        seen: &mut Seen,
        mut keep: impl FnMut(usize, usize, usize),
    ) {
        let mut found = |nth: usize, seen: &mut Seen| {
            let Some(one) = self.patterns.get(nth).filter(|one| seen.is_new(one.slot)) else { return };
            let Some(at) = one.find(text, self.syntax) else { return };
            if seen.first(one.slot) {
                keep(one.slot, at.start, at.end);
            }
        };
        seen.called().for_each(|nth| found(nth, seen));
        for set in &self.sets {
            let matched = scratch.of(set.members.len());
            set.regex.which_overlapping_matches(&Input::new(text), matched);
            let members = matched.iter().filter_map(|nth| set.members.get(nth.as_usize()));
            members.for_each(|nth| found(*nth, seen));
        }
    }

    pub(super) fn len(&self) -> usize {
        self.patterns.len()
    }
}

impl One {
    fn find(&self, text: &str, syntax: syntax::Config) -> Option<Range<usize>> {
        let regex = self.regex.get_or_init(|| {
            let config = meta::Config::new()
                .nfa_size_limit(None)
                .which_captures(WhichCaptures::Implicit)
                .hybrid_cache_capacity(CACHE_BYTES);
            Regex::builder().configure(config).syntax(syntax).build(&self.pattern).ok()
        });
        regex.as_ref()?.find(text).map(|found| found.range())
    }
}

impl Scratch {
    /// Empty, for so many regexes.
    fn of(&mut self, len: usize) -> &mut PatternSet {
        self.0.take_if(|set| set.capacity() != len);
        let set = self.0.get_or_insert_with(|| PatternSet::new(len));
        set.clear();
        set
    }
}

impl fmt::Debug for One {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("One").field("pattern", &self.pattern).field("slot", &self.slot).finish_non_exhaustive()
    }
}

fn syntax(folder: Folder) -> syntax::Config {
    syntax::Config::new().case_insensitive(folder.folding().case)
}

fn complaint(error: &regex_syntax::Error, pattern: &str) -> Why {
    let (message, span) = match error {
        regex_syntax::Error::Parse(error) => (error.kind().to_string(), error.span()),
        regex_syntax::Error::Translate(error) => (error.kind().to_string(), error.span()),
        other => return Why::Syntax { message: other.to_string(), at: 1 },
    };
    let before = pattern.get(..span.start.offset).unwrap_or(pattern);
    Why::Syntax { message, at: before.chars().count() + 1 }
}

fn too_large(_error: thompson::BuildError) -> Why {
    // Nothing else can happen to what was parsed: captures are the implicit ones, and look-around of Unicode is there.
    Why::RegexTooLarge
}
