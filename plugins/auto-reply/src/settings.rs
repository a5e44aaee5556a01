//! What do the settings say, and what is wrong with them?

use serde_json::Value;
use wxbot_plugin::template::{Known, Template};
use wxbot_plugin::text::regex;
use wxbot_plugin::{Captures, ConfigProblem, Place, PluginConfig};

use crate::matching::{Heard, Matcher, Phrases};
use crate::reading::{Placed, Reading, Table, did_you_mean};

pub(crate) const TOP_KEYS: [&str; 2] = ["cooldown", "rules"];
pub(crate) const RULE_KEYS: [&str; 10] =
    ["exact", "contains", "regex", "any", "in", "at_me", "reply", "mention", "cooldown", "ignore_case"];
const MATCHER_KEYS: [&str; 4] = ["exact", "contains", "regex", "any"];
/// What every reply knows; those of a regex rule know its groups too.
const NAMES: [&str; 6] = ["sender", "chat", "text", "account", "time", "date"];
pub(crate) const CHATS: [&str; 3] = ["private", "group", "any"];

/// The settings of the plugin, read and compiled. There is one way to them: what [`check`](Self::check) accepts, `init`
/// accepts, because both run [`read`](Self::read).
#[derive(Debug)]
pub struct Settings {
    pub(crate) rules: Vec<Rule>,
}

/// One rule.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) matcher: Matcher,
    pub(crate) scope: Scope,
    pub(crate) replies: Vec<Template>,
    /// Mention the sender in a room.
    pub(crate) mention: bool,
    /// Silence in the chat after an answer, in milliseconds; 0 for none.
    pub(crate) cooldown_ms: i64,
    /// The rule states its cooldown itself, so that the silence is its own as well.
    pub(crate) own_cooldown: bool,
}

/// Where a rule listens: a set of situations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scope(u8);

impl Settings {
    /// Reads settings.
    ///
    /// # Errors
    /// All problems at once, never an empty list.
    pub fn parse(settings: &Value) -> Result<Self, Vec<ConfigProblem>> {
        let mut reading = Reading::default();
        let rules = read_all(&mut reading, settings);
        match rules {
            Some(rules) if reading.problems.is_empty() => Ok(Self { rules }),
            Some(_) | None => Err(reading.problems),
        }
    }

    /// All problems; none when the settings are good.
    pub fn check(settings: &Value) -> Vec<ConfigProblem> {
        Self::parse(settings).err().unwrap_or_default()
    }
}

impl PluginConfig for Settings {
    fn schema() -> Value {
        crate::schema::schema()
    }

    fn read(settings: &Value, _place: &Place) -> Result<Self, Vec<ConfigProblem>> {
        Self::parse(settings)
    }
}

impl Scope {
    pub(crate) const PRIVATE: Self = Self(1);
    pub(crate) const GROUP_UNADDRESSED: Self = Self(2);
    pub(crate) const GROUP_AT_ME: Self = Self(4);
    const NOWHERE: Self = Self(0);
    const GROUP: Self = Self(2 | 4);
    const EVERYWHERE: Self = Self(1 | 2 | 4);

    /// True when all of `other` is in this.
    pub(crate) fn covers(self, other: Self) -> bool {
        other.0 & !self.0 == 0
    }

    fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl Rule {
    /// The groups when the rule listens here and matches.
    pub(crate) fn hears(&self, situation: Scope, heard: &Heard<'_>) -> Option<Captures> {
        if self.scope.covers(situation) { self.matcher.matches(heard) } else { None }
    }
}

/// Reads everything; `None` only when a problem was reported.
fn read_all(reading: &mut Reading, settings: &Value) -> Option<Vec<Rule>> {
    let top = reading.table(settings, "", "auto-reply", &TOP_KEYS)?;
    let common_ms = if top.get("cooldown").is_some() { reading.duration_ms(top, "cooldown") } else { Some(0) };
    let list = match top.get("rules") {
        Some(Value::Array(list)) => list,
        Some(other) => {
            reading.wrong_type("/rules", "`rules`", "a list of tables (`[[plugins.auto-reply.rules]]`)", other);
            return None;
        }
        None => {
            reading.report("", "there are no rules", "add one with `[[plugins.auto-reply.rules]]`");
            return None;
        }
    };
    // Whoever is answered by a rule with `any` never reaches a later one; two of them may share the work.
    let (mut answered, mut by) = (Scope::NOWHERE, 0);
    let mut rules = Vec::new();
    for (n, value) in list.iter().enumerate() {
        let here = format!("/rules/{n}");
        let Some(table) = reading.table(value, &here, "a rule", &RULE_KEYS) else { continue };
        let scope = scope(reading, table);
        if scope.is_some_and(|scope| answered.covers(scope)) {
            let message = format!("this rule is never reached: rule {by} (`any = true`) answers before it");
            let help = "move the rule with `any` to the end, or narrow it with `in` or `at_me`";
            reading.report(&*here, message, help);
        }
        let matcher = matcher(reading, table);
        if let (Some(scope), Some(Matcher::Any)) = (scope.filter(|scope| !answered.covers(*scope)), &matcher) {
            (answered, by) = (answered.and(scope), n + 1);
        }
        let known = Known::texts(&NAMES);
        let known = match &matcher {
            Some(matcher) => matcher.known(known),
            None => known.with_any_groups(),
        };
        let replies = replies(reading, table, &known);
        let mention = reading.flag(table, "mention", false);
        let own_cooldown = table.get("cooldown").is_some();
        let cooldown_ms = if own_cooldown { reading.duration_ms(table, "cooldown") } else { common_ms };
        if let (Some(matcher), Some(scope), Some(replies), Some(cooldown_ms)) = (matcher, scope, replies, cooldown_ms) {
            rules.push(Rule { matcher, scope, replies, mention, cooldown_ms, own_cooldown });
        }
    }
    Some(rules)
}

/// Where the rule listens; `None` when that cannot be told, so that no rule is called unreachable by mistake.
fn scope(reading: &mut Reading, rule: Table<'_>) -> Option<Scope> {
    let at_me = reading.flag(rule, "at_me", false);
    let told = rule.get("at_me").is_none_or(Value::is_boolean);
    let scope = match rule.get("in") {
        None => Scope::EVERYWHERE,
        Some(Value::String(word)) => match word.as_str() {
            "private" => Scope::PRIVATE,
            "group" => Scope::GROUP,
            "any" => Scope::EVERYWHERE,
            other => {
                reading.report(rule.at("in"), format!("`in` cannot be `{other}`"), did_you_mean(other, &CHATS));
                return None;
            }
        },
        Some(other) => {
            reading.wrong_type(rule.at("in"), "`in`", "\"private\", \"group\" or \"any\"", other);
            return None;
        }
    };
    match at_me {
        _ if !told => None,
        false => Some(scope),
        true if scope == Scope::PRIVATE => {
            let message =
                "nobody is mentioned in a private chat: a rule with `at_me` and `in = \"private\"` never matches";
            reading.report(rule.at("at_me"), message, "remove `at_me` or `in`");
            None
        }
        true => Some(Scope::GROUP_AT_ME),
    }
}

/// The rule's one matcher; all of them are looked at even when there are too many.
fn matcher(reading: &mut Reading, rule: Table<'_>) -> Option<Matcher> {
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

/// The rule's replies.
fn replies(reading: &mut Reading, rule: Table<'_>, known: &Known) -> Option<Vec<Template>> {
    if rule.get("reply").is_none() {
        reading.report(rule.here(), "the rule has no `reply`", "add `reply = \"…\"`");
        return None;
    }
    let mut templates = Vec::new();
    for Placed { text, at } in reading.texts(rule, "reply")? {
        match Template::compile(text, known) {
            Ok(template) => templates.push(template),
            Err(flaws) => flaws.into_iter().for_each(|flaw| reading.report(&*at, flaw.message, flaw.help)),
        }
    }
    Some(templates)
}

#[cfg(test)]
mod tests;
