//! Which of the keywords are in a folded text?
//!
//! Two ways lead through a text. Where keywords are rare, [`Skip`] names the few places where one may begin, and the
//! automaton is walked from there. A text that is made of beginnings of keywords would be walked over and over, so that
//! after some steps per byte the whole rest is read once, as Aho and Corasick do it: the time is linear always.

use std::collections::HashMap;

use aho_corasick::automaton::Automaton;
use aho_corasick::nfa::contiguous::{Builder as NfaBuilder, NFA};
use aho_corasick::{Anchored, MatchKind};

use super::skip::Skip;
use super::{MOST_CHARS, MOST_TEXT_BYTES, Why};
use crate::fold::Folder;

/// After so many steps per byte of the text it is read in one go.
const STEPS_PER_BYTE: usize = 4;

/// Keywords to be.
#[derive(Debug, Default)]
pub(super) struct Builder {
    /// By their folded form: who wants it.
    texts: HashMap<Box<str>, Owners>,
    bytes: usize,
}

/// Who looks for a text: places in the list of ids, and regexes that need it.
#[derive(Debug, Default)]
struct Owners {
    anywhere: Vec<usize>,
    between_borders: Vec<usize>,
    regexes: Vec<usize>,
}

/// All keywords.
#[derive(Debug)]
pub(super) struct Words {
    /// `None`: there are no keywords.
    engine: Option<(NFA, Skip)>,
    /// By the automaton's pattern.
    owners: Vec<Owners>,
}

/// What was found in this text already, so that it is not found again.
#[derive(Debug, Default)]
pub(super) struct Seen {
    texts: Marks,
    ids: Marks,
    regexes: Marks,
}

/// Some bits for each of many things. To forget costs as much as was remembered.
#[derive(Debug, Default)]
struct Marks {
    marks: Vec<u8>,
    touched: Vec<usize>,
}

const ANYWHERE: u8 = 1;
const BETWEEN_BORDERS: u8 = 2;
const FOR_REGEXES: u8 = 4;
/// So many regexes may wait for one word. Past this a set reads the text for all of them at once.
const MOST_WAITING: usize = 16;

impl Builder {
    pub(super) fn add(&mut self, folder: &Folder, text: &str, slot: usize, word: bool) -> Result<(), Why> {
        let chars = text.chars().count();
        if chars > MOST_CHARS {
            return Err(Why::TooLong(chars));
        }
        let folded = folder.fold(text);
        if folded.trim().is_empty() {
            return Err(Why::Blank);
        }
        let owners = self.owners(&folded);
        let slots = if word { &mut owners.between_borders } else { &mut owners.anywhere };
        slots.push(slot);
        if self.bytes > MOST_TEXT_BYTES {
            return Err(Why::AllTextsTooLarge);
        }
        Ok(())
    }

    /// Looks for these words, which are folded, on behalf of a regex. False: it has to look for itself.
    pub(super) fn wait_for(&mut self, words: &[String], regex: usize) -> bool {
        let bytes: usize = words.iter().map(String::len).sum();
        let crowded =
            |word: &String| self.texts.get(&**word).is_some_and(|owners| owners.regexes.len() >= MOST_WAITING);
        if self.bytes + bytes > MOST_TEXT_BYTES || words.iter().any(crowded) {
            return false;
        }
        for word in words {
            self.owners(word).regexes.push(regex);
        }
        true
    }

    fn owners(&mut self, folded: &str) -> &mut Owners {
        self.texts.entry(folded.into()).or_insert_with(|| {
            self.bytes += folded.len();
            Owners::default()
        })
    }

    pub(super) fn build(self) -> Words {
        // In order, so that the same keywords make the same automaton whatever their hashes.
        let mut texts: Vec<_> = self.texts.into_iter().collect();
        texts.sort_unstable_by(|one, other| one.0.cmp(&other.0));
        let (texts, owners): (Vec<_>, Vec<_>) = texts.into_iter().unzip();
        let engine = (!texts.is_empty()).then(|| {
            let mut nfa = NfaBuilder::new();
            // What the library would skip by is for few patterns; `Skip` is for many.
            nfa.match_kind(MatchKind::Standard).prefilter(false);
            let nfa = nfa
                .build(texts.iter().map(|text| text.as_bytes()))
                .expect("the texts are far below what state ids can count");
            (nfa, Skip::new(texts.iter().map(|text| &**text)))
        });
        Words { engine, owners }
    }
}

impl Words {
    /// How many different texts there are.
    pub(super) fn len(&self) -> usize {
        self.owners.len()
    }

    pub(super) fn memory(&self) -> usize {
        let slots = |owners: &Owners| owners.anywhere.len() + owners.between_borders.len() + owners.regexes.len();
        let owners = self.owners.iter().map(slots);
        let owners = self.owners.len() * size_of::<Owners>() + owners.sum::<usize>() * size_of::<usize>();
        owners + self.engine.as_ref().map_or(0, |(nfa, skip)| nfa.memory_usage() + skip.memory())
    }

    /// Calls `keep` with slot, start and end for all that is new.
    pub(super) fn search(&self, text: &str, seen: &mut Seen, mut keep: impl FnMut(usize, usize, usize)) {
        let Some((nfa, skip)) = &self.engine else { return };
        let bytes = text.as_bytes();
        let begin = nfa.start_state(Anchored::Yes).expect("an NFA begins both ways");
        let (mut at, mut steps) = (0, 0);
        while let Some(start) = skip.next(text, at) {
            let rest = bytes.get(start..).unwrap_or_default();
            let mut state = begin;
            for (read, byte) in rest.iter().enumerate() {
                state = nfa.next_state(Anchored::Yes, state, *byte);
                if nfa.is_special(state) {
                    if nfa.is_dead(state) {
                        steps += read;
                        break;
                    }
                    if nfa.is_match(state) {
                        self.matched(nfa, state, text, start + read + 1, seen, &mut keep);
                    }
                }
            }
            if steps > bytes.len() * STEPS_PER_BYTE {
                return self.read_on(nfa, text, start, seen, keep);
            }
            at = start + skip.width(rest);
        }
    }

    /// All that begins at `start` or behind it, in one pass.
    fn read_on(&self, nfa: &NFA, text: &str, start: usize, seen: &mut Seen, mut keep: impl FnMut(usize, usize, usize)) {
        let mut state = nfa.start_state(Anchored::No).expect("an NFA begins both ways");
        for (at, byte) in text.bytes().enumerate().skip(start) {
            state = nfa.next_state(Anchored::No, state, byte);
            if nfa.is_match(state) {
                self.matched(nfa, state, text, at + 1, seen, &mut keep);
            }
        }
    }

    fn matched(
        &self,
        nfa: &NFA,
        state: aho_corasick::automaton::StateID,
        text: &str,
        end: usize,
        seen: &mut Seen,
        keep: &mut impl FnMut(usize, usize, usize),
    ) {
        for nth in 0..nfa.match_len(state) {
            let pattern = nfa.match_pattern(state, nth);
            let Some(owners) = self.owners.get(pattern.as_usize()) else { continue };
            let start = end - nfa.pattern_len(pattern);
            let mut found = |mark: u8, slots: &[usize], seen: &mut Seen| {
                if !slots.is_empty() && seen.texts.mark(pattern.as_usize(), mark) {
                    slots.iter().filter(|slot| seen.first(**slot)).for_each(|slot| keep(*slot, start, end));
                }
            };
            found(ANYWHERE, &owners.anywhere, seen);
            if !owners.regexes.is_empty() && seen.texts.mark(pattern.as_usize(), FOR_REGEXES) {
                owners.regexes.iter().for_each(|regex| _ = seen.regexes.mark(*regex, ANYWHERE));
            }
            if !owners.between_borders.is_empty() && bordered(text, start, end) {
                found(BETWEEN_BORDERS, &owners.between_borders, seen);
            }
        }
    }
}

impl Seen {
    /// Forgets the last text.
    pub(super) fn begin(&mut self, texts: usize, ids: usize, regexes: usize) {
        self.texts.begin(texts);
        self.ids.begin(ids);
        self.regexes.begin(regexes);
    }

    /// The regexes that wait for a word that was found, each once.
    pub(super) fn called(&self) -> impl ExactSizeIterator<Item = usize> + use<> {
        self.regexes.touched.clone().into_iter()
    }

    /// Was this id not found so far?
    pub(super) fn is_new(&self, slot: usize) -> bool {
        self.ids.marks.get(slot).is_none_or(|mark| *mark == 0)
    }

    /// True when this id was not found before in the text. It is found now.
    pub(super) fn first(&mut self, slot: usize) -> bool {
        self.ids.mark(slot, ANYWHERE)
    }
}

impl Marks {
    fn begin(&mut self, len: usize) {
        for at in self.touched.drain(..) {
            if let Some(mark) = self.marks.get_mut(at) {
                *mark = 0;
            }
        }
        if self.marks.len() < len {
            self.marks.resize(len, 0);
        }
    }

    /// True when the bit was not set.
    fn mark(&mut self, at: usize, bit: u8) -> bool {
        let Some(mark) = self.marks.get_mut(at) else { return false };
        if *mark == 0 {
            self.touched.push(at);
        }
        let new = *mark & bit == 0;
        *mark |= bit;
        new
    }
}

/// Does no word go on over either end?
fn bordered(text: &str, start: usize, end: usize) -> bool {
    let goes_on = |left: Option<char>, right: Option<char>| left.is_some_and(in_word) && right.is_some_and(in_word);
    let parts = (text.get(..start), text.get(start..end), text.get(end..));
    let (Some(before), Some(word), Some(after)) = parts else { return false };
    !goes_on(before.chars().next_back(), word.chars().next())
        && !goes_on(word.chars().next_back(), after.chars().next())
}

/// Is it a letter or digit of a script that puts spaces between words?
fn in_word(c: char) -> bool {
    match c {
        '_' | '\u{300}'..='\u{36F}' => true,
        // Thai, Lao, Myanmar, Khmer, and from the radicals on all of East Asia.
        '\u{E00}'..='\u{EFF}' | '\u{1000}'..='\u{109F}' | '\u{1780}'..='\u{17FF}' | '\u{2E80}'.. => false,
        other => other.is_alphanumeric(),
    }
}
