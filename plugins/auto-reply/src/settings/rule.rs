//! What does one rule say, and which rules can no text reach?

use serde_json::Value;
use wxbot_plugin::Captures;
use wxbot_plugin::text::regex;

use super::known;
use crate::answer::Answers;
use crate::listens::{Listens, Scene};
use crate::matching::{Heard, Matcher, Phrases};
use crate::reading::{Placed, Reading, Table};

pub(crate) const RULE_KEYS: [&str; 18] = [
    "exact",
    "contains",
    "regex",
    "any",
    "in",
    "at_me",
    "rooms",
    "people",
    "except",
    "hours",
    "chance",
    "reply",
    "answers",
    "model",
    "mention",
    "cooldown",
    "person_cooldown",
    "ignore_case",
];
const MATCHER_KEYS: [&str; 4] = ["exact", "contains", "regex", "any"];
/// What a rule is told apart by besides: where, for whom and when it listens.
const SCOPE_KEYS: [&str; 8] = ["ignore_case", "in", "at_me", "rooms", "people", "except", "hours", "chance"];

/// One rule.
#[derive(Debug)]
pub(crate) struct Rule {
    /// By which its silences are kept: of what it matches and where, not of where it stands or what it answers, so that
    /// one more rule before it and another answer change nothing.
    pub(crate) id: String,
    pub(crate) matcher: Matcher,
    pub(crate) listens: Listens,
    pub(crate) answers: Answers,
    /// Mention the sender in a room.
    pub(crate) mention: bool,
    /// Silence in the chat after an answer.
    pub(crate) in_chat: Pause,
    /// Silence for the person, in all chats.
    pub(crate) for_person: Pause,
}

/// How long something is silent after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pause {
    /// Milliseconds; 0 for none.
    pub(crate) ms: i64,
    /// The rule states it itself, so that the silence is its own as well.
    pub(crate) own: bool,
}

/// What rules without cooldowns of their own have; `None` when it cannot be read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pauses {
    in_chat: Option<Pause>,
    for_person: Option<Pause>,
}

impl Pauses {
    pub(super) fn common(reading: &mut Reading<'_>, top: Table<'_>) -> Self {
        let common = Some(Pause { ms: 0, own: false });
        let mut read = |key: &str| Pause::read(reading, top, key, common).map(|pause| Pause { own: false, ..pause });
        Self { in_chat: read("cooldown"), for_person: read("person_cooldown") }
    }
}

impl Pause {
    fn read(reading: &mut Reading<'_>, table: Table<'_>, key: &str, common: Option<Self>) -> Option<Self> {
        if table.get(key).is_none() {
            return common;
        }
        reading.duration_ms(table, key).map(|ms| Self { ms, own: true })
    }
}

impl Rule {
    /// The groups when it listens here and the text fits, else why not.
    pub(crate) fn hears(&self, scene: &Scene<'_>, heard: &Heard<'_>) -> Result<Captures, &'static str> {
        self.listens.here(scene)?;
        self.matcher.matches(heard).ok_or("the text does not match")
    }
}

/// Reads all rules; those that cannot be read are missing, and reported. `model`: one is set.
pub(super) fn read_all(reading: &mut Reading<'_>, list: &[Value], pauses: Pauses, model: bool) -> Vec<Rule> {
    // Whoever is answered by a rule with `any` never reaches a later one; several of them may share the work.
    let mut answered: Vec<(usize, Listens)> = Vec::new();
    let mut rules = Vec::new();
    for (n, value) in list.iter().enumerate() {
        let here = format!("/rules/{n}");
        let Some(table) = reading.table(value, &here, "a rule", &RULE_KEYS) else { continue };
        let listens = Listens::read(reading, table);
        let by = listens.as_ref().and_then(|listens| listens.answered_by(answered.iter().map(|(n, any)| (*n, any))));
        if let Some(by) = by {
            let message = format!("this rule is never reached: rule {} (`any = true`) answers before it", by + 1);
            let help = "move the rule with `any` to the end, or narrow it with `in`, `at_me`, `rooms` or `people`";
            reading.report(&*here, message, help);
        }
        let matcher = matcher(reading, table);
        if let (Some(listens), Some(Matcher::Any), None) = (&listens, &matcher, by) {
            answered.push((n, listens.clone()));
        }
        let known = match &matcher {
            Some(matcher) => matcher.known(known()),
            None => known().with_any_groups(),
        };
        let answers = Answers::read(reading, table, &known);
        if !model && answers.as_ref().is_some_and(Answers::has_model) {
            let help = "add `[plugins.auto-reply.llm]` with `endpoint` and `model`";
            reading.report(&*here, "this rule answers by a language model, and none is set", help);
        }
        let mention = reading.flag(table, "mention", false);
        let in_chat = Pause::read(reading, table, "cooldown", pauses.in_chat);
        let for_person = Pause::read(reading, table, "person_cooldown", pauses.for_person);
        if let (Some(matcher), Some(listens), Some(answers), Some(in_chat), Some(for_person)) =
            (matcher, listens, answers, in_chat, for_person)
        {
            let id = id(table);
            rules.push(Rule { id, matcher, listens, answers, mention, in_chat, for_person });
        }
    }
    rules
}

/// The same for the same matcher and scope, in each version: FNV-1a of both as they are written.
fn id(rule: Table<'_>) -> String {
    let keys = MATCHER_KEYS.iter().chain(&SCOPE_KEYS);
    let written = keys.filter_map(|key| Some(format!("{key}={}\n", rule.get(key)?)));
    let hash = written
        .flat_map(String::into_bytes)
        .fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3));
    format!("{hash:016x}")
}

/// The rule's one matcher; all of them are looked at even when there are too many.
fn matcher(reading: &mut Reading<'_>, rule: Table<'_>) -> Option<Matcher> {
    let present: Vec<&str> = MATCHER_KEYS.into_iter().filter(|key| rule.get(key).is_some()).collect();
    let ignore_case = reading.flag(rule, "ignore_case", true);
    let Some((first, more)) = present.split_first() else {
        let help = "add one of `exact`, `contains`, `regex`, or `any = true` to match every text";
        reading.report(rule.here(), "the rule does not say which texts it matches", help);
        return None;
    };
    for key in more {
        let help = "a rule has one matcher; make a second rule";
        reading.report(rule.at(key), format!("`{key}` stands beside `{first}`"), help);
    }
    let phrases = |texts: Vec<Placed<'_>>| Phrases::new(texts.into_iter().map(|placed| placed.text), ignore_case);
    let read = present.iter().map(|key| match *key {
        "exact" => reading.texts(rule, key).map(|texts| Matcher::Exact(phrases(texts))),
        "contains" => reading.texts(rule, key).map(|texts| Matcher::Contains(phrases(texts))),
        "regex" => {
            let Placed { text, at } = reading.text(rule, key)?;
            let help = "the syntax is that of the Rust `regex` crate: no look-around, no back-references";
            regex(text, ignore_case)
                .map_err(|why| reading.report(at, format!("bad regex: {why}"), help))
                .ok()
                .map(Matcher::Regex)
        }
        _ => {
            if reading.flag(rule, key, true) {
                return Some(Matcher::Any);
            }
            reading.report(rule.at(key), "`any` is only ever true", "remove `any = false`");
            None
        }
    });
    // Collected before one is taken: each of them has to be looked at.
    let mut read: Vec<Option<Matcher>> = read.collect();
    if read.len() == 1 { read.pop().flatten() } else { None }
}
