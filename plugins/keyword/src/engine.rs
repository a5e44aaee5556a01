//! What do all rules look for, as one matcher, and which of them does a text hit?

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use crate::fold::Folding;
use crate::lists::{self, Read};
use crate::matcher::{self, Kind, Matcher, Pattern, Scratch, Why};
use crate::settings::{ListFile, Settings};

/// How many keywords of one rule are told of, of those that one text hits. Those that count are always among them.
pub(crate) const TOLD: usize = 20;
/// Scratch spaces that wait for the next text; with more handlers at once than that, some are made anew.
const SCRATCHES: usize = 8;

/// The files of each rule, in the order of the settings.
pub(crate) type Lists = Vec<Vec<Arc<Read>>>;

/// One thing that a rule looks for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sought<'a> {
    pub(crate) rule: usize,
    pub(crate) negative: bool,
    pub(crate) source: Source<'a>,
    kind: Kind<'a>,
    word: bool,
    /// What a list says besides.
    more: Option<&'a lists::Entry>,
}

/// Where it stands.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Source<'a> {
    /// In the rule: the pointer from there.
    Rule(&'a str),
    /// In a file of the rule.
    File { file: &'a ListFile, line: usize },
}

/// All of it, ready to be looked for.
#[derive(Debug)]
pub(crate) struct Engine {
    matcher: Matcher,
    /// By the matcher's ids.
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    rule: usize,
    negative: bool,
    shown: Box<str>,
    more: Option<Box<More>>,
}

/// What a list says about one of its keywords.
#[derive(Debug)]
struct More {
    reply: Option<String>,
    tag: Option<String>,
    priority: i32,
}

/// What a text holds of one rule.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// Keywords and regexes, as they come in the text.
    pub(crate) hits: Vec<Hit>,
    /// Negative words.
    pub(crate) against: Vec<Hit>,
}

/// A keyword in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hit {
    /// As the rule has it.
    pub(crate) keyword: String,
    /// As the sender wrote it.
    pub(crate) found: String,
    /// Which character of the text it begins with; 1 is the first.
    pub(crate) at: usize,
    /// What this keyword answers, in place of what the rule does.
    pub(crate) reply: Option<String>,
    /// What this keyword remembers of the sender.
    pub(crate) tag: Option<String>,
    /// Of several keywords of a rule the one with the highest counts.
    pub(crate) priority: i32,
}

/// Scratch spaces, used again and again.
#[derive(Debug, Default)]
pub(crate) struct Scratches(Mutex<Vec<Scratch>>);

impl<'a> Sought<'a> {
    pub(crate) fn pattern(&self) -> Pattern<'a> {
        Pattern { id: 0, kind: self.kind, word: self.word }
    }

    pub(crate) fn is_regex(&self) -> bool {
        matches!(self.kind, Kind::Regex(_))
    }

    fn shown(&self) -> &'a str {
        match self.kind {
            Kind::Text(text) | Kind::Regex(text) => text,
        }
    }
}

impl Settings {
    /// The files as they were when the settings were read.
    pub(crate) fn lists(&self) -> Lists {
        self.rules.iter().map(|rule| rule.files.iter().map(|file| Arc::clone(&file.list)).collect()).collect()
    }

    /// Everything that the rules look for, with these files.
    pub(crate) fn sought<'a>(&'a self, lists: &'a Lists) -> Vec<Sought<'a>> {
        let mut all = Vec::new();
        for (n, rule) in self.rules.iter().enumerate() {
            let texts = [(&rule.any, false, false), (&rule.regex, true, false), (&rule.not, false, true)];
            for (texts, regex, negative) in texts {
                all.extend(texts.iter().map(|placed| Sought {
                    rule: n,
                    negative,
                    source: Source::Rule(&placed.pointer),
                    kind: if regex { Kind::Regex(&placed.text) } else { Kind::Text(&placed.text) },
                    word: rule.whole_word && !regex && !negative,
                    more: None,
                }));
            }
            let read = lists.get(n).map(Vec::as_slice).unwrap_or_default();
            for (file, list) in rule.files.iter().zip(read) {
                all.extend(list.entries.iter().map(|entry| Sought {
                    rule: n,
                    negative: false,
                    source: Source::File { file, line: entry.line },
                    kind: if entry.regex { Kind::Regex(&entry.keyword) } else { Kind::Text(&entry.keyword) },
                    word: (rule.whole_word || entry.word) && !entry.regex,
                    more: Some(entry),
                }));
            }
        }
        all
    }
}

impl Engine {
    /// Puts all of it together: plain computing, seconds for hundreds of thousands of words.
    ///
    /// # Errors
    /// What cannot be looked for, by its place in `sought`.
    pub(crate) fn build(sought: &[Sought<'_>], folding: Folding) -> Result<Self, Vec<(usize, Why)>> {
        let numbered = (0u32..).zip(sought).map(|(id, one)| Pattern { id, ..one.pattern() });
        let matcher = Matcher::build(&numbered.collect::<Vec<_>>(), folding)?;
        let entry = |one: &Sought<'_>| Entry {
            rule: one.rule,
            negative: one.negative,
            shown: one.shown().into(),
            more: one.more.and_then(More::of),
        };
        Ok(Self { matcher, entries: sought.iter().map(entry).collect() })
    }

    /// How many keywords and regexes there are; negative words are none.
    pub(crate) fn len(&self) -> usize {
        self.entries.iter().filter(|entry| !entry.negative).count()
    }

    /// What a text holds, by rule.
    pub(crate) fn look(&self, text: &str, scratch: &mut Scratch) -> BTreeMap<usize, Found> {
        let mut all: BTreeMap<usize, [Vec<(matcher::Hit, &Entry)>; 2]> = BTreeMap::new();
        for hit in self.matcher.hits(text, scratch) {
            let Some(entry) = usize::try_from(hit.id).ok().and_then(|id| self.entries.get(id)) else { continue };
            let [hits, against] = all.entry(entry.rule).or_default();
            let list = if entry.negative { against } else { hits };
            list.push((hit, entry));
        }
        let found = all.into_iter().map(|(rule, [hits, against])| {
            let worth = |(_, entry): &(matcher::Hit, &Entry)| entry.more.as_deref().map_or((0, false), More::worth);
            let hits = most_telling(hits, worth).into_iter().map(|(at, entry)| entry.hit(text, at)).collect();
            let against = against.into_iter().take(TOLD).map(|(at, entry)| entry.hit(text, at)).collect();
            (rule, Found { hits, against })
        });
        found.collect()
    }
}

/// At most [`TOLD`] of what a text hits of one rule, in their order: those that count, then the first. `worth` is the
/// priority, and whether there is a reply.
pub(crate) fn most_telling<T>(hits: Vec<T>, worth: impl Fn(&T) -> (i32, bool)) -> Vec<T> {
    if hits.len() <= TOLD {
        return hits;
    }
    let worths = || hits.iter().map(&worth).enumerate().rev();
    // As `Found::best` and `Found::own_reply` choose.
    let best = worths().max_by_key(|(_, (priority, _))| *priority);
    let with_reply = worths().filter(|(_, (_, replies))| *replies).max_by_key(|(_, (priority, _))| *priority);
    let mut places: BTreeSet<usize> = best.into_iter().chain(with_reply).map(|(n, _)| n).collect();
    for n in 0..hits.len() {
        if places.len() >= TOLD {
            break;
        }
        places.insert(n);
    }
    hits.into_iter().enumerate().filter(|(n, _)| places.contains(n)).map(|(_, hit)| hit).collect()
}

impl Entry {
    /// This keyword, found there.
    fn hit(&self, text: &str, at: matcher::Hit) -> Hit {
        let mut hit = Hit::new(&self.shown, text, at.start, at.end);
        if let Some(more) = &self.more {
            (hit.reply, hit.tag, hit.priority) = (more.reply.clone(), more.tag.clone(), more.priority);
        }
        hit
    }
}

impl More {
    fn worth(&self) -> (i32, bool) {
        (self.priority, self.reply.is_some())
    }

    /// `None` when the list says nothing but the keyword, as most do.
    fn of(entry: &lists::Entry) -> Option<Box<Self>> {
        let lists::Entry { reply, tag, priority, .. } = entry;
        if reply.is_none() && tag.is_none() && priority.is_none() {
            return None;
        }
        Some(Box::new(Self { reply: reply.clone(), tag: tag.clone(), priority: priority.unwrap_or(0) }))
    }
}

impl Found {
    /// The keyword that counts: the one with the highest priority, and of equal ones the first in the text.
    pub(crate) fn best(&self) -> Option<&Hit> {
        // The last of equal ones is what `max_by_key` gives.
        self.hits.iter().rev().max_by_key(|hit| hit.priority)
    }

    /// What a keyword answers in place of the rule.
    pub(crate) fn own_reply(&self) -> Option<&str> {
        let with_reply = self.hits.iter().rev().filter(|hit| hit.reply.is_some());
        with_reply.max_by_key(|hit| hit.priority).and_then(|hit| hit.reply.as_deref())
    }
}

impl Hit {
    pub(crate) fn new(keyword: &str, text: &str, start: usize, end: usize) -> Self {
        Self {
            keyword: keyword.to_owned(),
            found: text.get(start..end).unwrap_or_default().to_owned(),
            at: text.get(..start).map_or(0, |before| before.chars().count()) + 1,
            reply: None,
            tag: None,
            priority: 0,
        }
    }
}

impl Scratches {
    /// Works with one of them.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut Scratch) -> T) -> T {
        let mut scratch = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        let done = work(&mut scratch);
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < SCRATCHES {
            waiting.push(scratch);
        }
        done
    }
}
