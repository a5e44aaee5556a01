//! Where, for whom and when does a rule listen? Everything about a rule but its text.

use wxbot_plugin::config::{At, ConfigValue};
use wxbot_plugin::local::{Hours, Zone};
use wxbot_plugin::model::{ChatKind, ContactId, Event};
use wxbot_plugin::{ConfigProblem, Ctx};

use serde_json::{Value, json};

use crate::reading::{Reading, Table, did_you_mean};

pub(crate) const CHATS: [&str; 3] = ["private", "group", "any"];
/// More ids than anybody writes by hand; each look goes through them.
const MOST_IDS: usize = 1_000;
/// A chance is kept in parts of a million.
const MILLION: u32 = 1_000_000;

/// What must hold besides the text.
#[derive(Debug, Clone)]
pub(crate) struct Listens {
    pub(crate) scope: Scope,
    /// Only in these rooms; anywhere when empty.
    rooms: Vec<ContactId>,
    /// Only from these people; from everybody when empty.
    people: Vec<ContactId>,
    /// Not in these rooms, not from these people.
    except: Vec<ContactId>,
    hours: Option<Hours>,
    chance: Option<Chance>,
}

/// Where a rule listens: a set of situations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scope(u8);

/// Where and by whom something was said.
#[derive(Debug)]
pub(crate) struct Scene<'a> {
    pub(crate) scope: Scope,
    pub(crate) chat: &'a ContactId,
    pub(crate) sender: &'a ContactId,
}

/// Contacts of one sort, one or a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Ids(Vec<ContactId>);

/// How often a rule answers when everything else fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Chance {
    /// Parts of a million.
    of_million: u32,
}

impl Scope {
    pub(crate) const PRIVATE: Self = Self(1);
    pub(crate) const GROUP_UNADDRESSED: Self = Self(2);
    pub(crate) const GROUP_AT_ME: Self = Self(4);
    const GROUP: Self = Self(2 | 4);
    const EVERYWHERE: Self = Self(1 | 2 | 4);
    const EACH: [Self; 3] = [Self::PRIVATE, Self::GROUP_UNADDRESSED, Self::GROUP_AT_ME];

    /// True when all of `other` is in this.
    pub(crate) fn covers(self, other: Self) -> bool {
        other.0 & !self.0 == 0
    }
}

impl<'a> Scene<'a> {
    /// `None` with built-in accounts and without a sender: nothing is ever said there.
    pub(crate) fn of(event: &'a Event) -> Option<Self> {
        let scope = if event.chat.kind == ChatKind::Private {
            Scope::PRIVATE
        } else if event.is_group() {
            let at_me = event.message().is_some_and(|message| message.mentions.me);
            if at_me { Scope::GROUP_AT_ME } else { Scope::GROUP_UNADDRESSED }
        } else {
            return None;
        };
        Some(Self { scope, chat: &event.chat.id, sender: &event.sender.as_ref()?.id })
    }

    pub(crate) fn is_private(&self) -> bool {
        self.scope == Scope::PRIVATE
    }

    fn is(&self, id: &ContactId) -> bool {
        id == self.chat || id == self.sender
    }
}

impl Listens {
    /// Why it does not listen here or to this person; for `wxbot explain`.
    pub(crate) fn here(&self, scene: &Scene<'_>) -> Result<(), &'static str> {
        if !self.scope.covers(scene.scope) {
            Err("it does not listen here (`in`, `at_me`)")
        } else if !self.rooms.is_empty() && !self.rooms.contains(scene.chat) {
            Err("it does not listen in this room (`rooms`)")
        } else if !self.people.is_empty() && !self.people.contains(scene.sender) {
            Err("it does not listen to this person (`people`)")
        } else if self.except.iter().any(|id| scene.is(id)) {
            Err("this room or person is left out (`except`)")
        } else {
            Ok(())
        }
    }

    /// Why it does not answer now, although the text fits.
    pub(crate) fn now(&self, cx: &Ctx, zone: &Zone) -> Result<(), &'static str> {
        if self.hours.as_ref().is_some_and(|hours| !hours.covers(cx.now_ms(), zone)) {
            return Err("it rests at this hour (`hours`)");
        }
        match self.chance {
            Some(chance) if !chance.wins(cx.random_u64()) => Err("chance was against it (`chance`)"),
            Some(_) | None => Ok(()),
        }
    }

    /// Reads the conditions; `None` when they cannot be told, so that no rule is called unreachable by mistake.
    pub(crate) fn read(reading: &mut Reading<'_>, rule: Table<'_>) -> Option<Self> {
        let rooms = ids(reading, rule, "rooms", "r");
        let people = ids(reading, rule, "people", "p");
        let except = ids(reading, rule, "except", "rp");
        let (hours, chance) = (reading.value(rule, "hours"), reading.value(rule, "chance"));
        let scope = scope(reading, rule, rooms.as_ref().is_some_and(|rooms| !rooms.is_empty()));
        let (rooms, people, except) = (rooms?, people?, except?);
        let dead = |id: &&ContactId| rooms.contains(id) || people.contains(id);
        if let Some(id) = except.iter().find(dead) {
            let message = format!("`{id}` is both wanted and left out");
            reading.report(rule.at("except"), message, "remove it from one of the lists");
        }
        Some(Self { scope: scope?, rooms, people, except, hours: hours.ok()?, chance: chance.ok()? })
    }

    /// Which of these rules with `any` answer whatever this one could hear, together; the last of them.
    pub(crate) fn answered_by<'r>(&self, before: impl Iterator<Item = (usize, &'r Self)> + Clone) -> Option<usize> {
        let parts = Scope::EACH.into_iter().filter(|part| self.scope.covers(*part));
        let by = parts.map(|part| before.clone().find(|(_, any)| any.answers_all_of(self, part)).map(|(n, _)| n));
        // One part that nobody answers is enough to be reached.
        by.collect::<Option<Vec<_>>>()?.into_iter().max()
    }

    /// Whether it hears everything that `other` hears in this part of its scope.
    fn answers_all_of(&self, other: &Self, part: Scope) -> bool {
        let all_in = |mine: &[ContactId], others: &[ContactId]| {
            mine.is_empty() || (!others.is_empty() && others.iter().all(|id| mine.contains(id)))
        };
        let not_heard = |id: &ContactId| {
            let room = id.as_str().starts_with('r');
            let wanted = if room { &other.rooms } else { &other.people };
            other.except.contains(id)
                || (!wanted.is_empty() && !wanted.contains(id))
                || (room && part == Scope::PRIVATE)
        };
        self.scope.covers(part)
            && self.chance.is_none()
            && all_in(&self.rooms, &other.rooms)
            && all_in(&self.people, &other.people)
            && self.except.iter().all(not_heard)
            && self.hours.as_ref().is_none_or(|hours| hours.is_always() || other.hours.as_ref() == Some(hours))
    }
}

/// The contacts of a list; their ids begin with one of `sorts`.
fn ids(reading: &mut Reading<'_>, rule: Table<'_>, key: &str, sorts: &str) -> Option<Vec<ContactId>> {
    let Ids(ids) = reading.value(rule, key).ok()?.unwrap_or_default();
    let mut good = true;
    for (n, id) in ids.iter().enumerate().filter(|(_, id)| !id.as_str().starts_with(|c| sorts.contains(c))) {
        let what = match key {
            "rooms" => "a room, like `r3`",
            "people" => "a person, like `p12`",
            _ => "a room or a person, like `r3` or `p12`",
        };
        let at =
            if rule.get(key).is_some_and(Value::is_array) { format!("{}/{n}", rule.at(key)) } else { rule.at(key) };
        reading.report(at, format!("`{id}` is not {what}"), "`wxbot contacts` lists rooms and people with their ids");
        good = false;
    }
    good.then_some(ids)
}

/// In which sort of chat the rule listens.
fn scope(reading: &mut Reading<'_>, rule: Table<'_>, in_rooms: bool) -> Option<Scope> {
    let at_me = reading.flag(rule, "at_me", false);
    let told = rule.get("at_me").is_none_or(Value::is_boolean);
    let scope = match rule.get("in") {
        None if in_rooms => Scope::GROUP,
        None => Scope::EVERYWHERE,
        Some(Value::String(word)) => match word.as_str() {
            "private" => Scope::PRIVATE,
            "group" => Scope::GROUP,
            "any" if in_rooms => Scope::GROUP,
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
    if scope == Scope::PRIVATE && in_rooms {
        let message = "a room is no private chat: a rule with `rooms` and `in = \"private\"` never matches";
        reading.report(rule.at("rooms"), message, "remove `rooms` or `in`");
        return None;
    }
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

impl ConfigValue for Ids {
    fn value_schema() -> Value {
        let one = ContactId::value_schema();
        json!({ "oneOf": [one, { "type": "array", "items": one, "minItems": 1, "maxItems": MOST_IDS }] })
    }

    fn want() -> String {
        "the id of a contact like \"p12\", or a list of them".to_owned()
    }

    fn read_value(value: &Value, at: &At<'_>) -> Result<Self, Vec<ConfigProblem>> {
        if value.is_string() {
            return Ok(Self(vec![ContactId::read_value(value, at)?]));
        }
        let list = value.as_array().ok_or_else(|| at.wants(&Self::want(), value))?;
        if list.is_empty() || list.len() > MOST_IDS {
            let message = format!("{} must have 1 to {MOST_IDS} entries, not {}", at.name(), list.len());
            return Err(vec![at.problem(message).help("leave the key out to mean all of them")]);
        }
        Vec::read_value(value, at).map(Self)
    }
}

impl Chance {
    fn wins(self, random: u64) -> bool {
        random % u64::from(MILLION) < u64::from(self.of_million)
    }
}

impl ConfigValue for Chance {
    fn value_schema() -> Value {
        json!({ "type": "string", "pattern": r"^[0-9]{1,3}(\.[0-9]{1,4})?\s*%$", "examples": ["30%"] })
    }

    fn want() -> String {
        "a chance like \"30%\"".to_owned()
    }

    fn read_value(value: &Value, at: &At<'_>) -> Result<Self, Vec<ConfigProblem>> {
        let text = value.as_str().ok_or_else(|| at.wants(&Self::want(), value))?;
        let percent = text.trim().strip_suffix('%').and_then(|number| {
            let (whole, part) = number.trim_end().split_once('.').unwrap_or((number.trim_end(), ""));
            let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
            if whole.is_empty() || whole.len() > 3 || part.len() > 4 || !digits(whole) || !digits(part) {
                return None;
            }
            format!("{whole}{part:0<4}").parse().ok()
        });
        match percent {
            Some(of_million @ 1..=MILLION) => Ok(Self { of_million }),
            Some(0) => Err(vec![at.problem(format!("{} is 0%: it would never answer", at.name()))]),
            Some(_) => Err(vec![at.problem(format!("{} is more than 100%", at.name()))]),
            None => Err(vec![at.problem(format!("{} is {}, not `{text}`", at.name(), Self::want()))]),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use wxbot_plugin::Place;

    use super::*;

    fn read(rule: &Value) -> Listens {
        let place = Place::default();
        let mut reading = Reading::new(&place);
        let keys = ["in", "at_me", "rooms", "people", "except", "hours", "chance"];
        let table = reading.table(rule, "", "a rule", &keys).unwrap();
        let listens = Listens::read(&mut reading, table);
        assert_eq!(reading.problems, [], "{rule}");
        listens.unwrap()
    }

    /// Rows: the rules with `any` before, the rule, and the last of those that answer all it could hear.
    #[test]
    fn which_rules_are_never_reached() {
        for (before, rule, want) in [
            (vec![json!({})], json!({ "rooms": "r1" }), Some(0)),
            (vec![json!({ "rooms": ["r1", "r2"] })], json!({ "rooms": "r1" }), Some(0)),
            (vec![json!({ "rooms": "r1" })], json!({ "rooms": ["r1", "r2"] }), None),
            (vec![json!({ "rooms": "r1" })], json!({ "in": "group" }), None),
            (vec![json!({ "people": ["p1", "p2"] })], json!({ "people": "p1" }), Some(0)),
            (vec![json!({ "people": "p1" })], json!({}), None),
            (vec![json!({ "except": "p1" })], json!({}), None),
            (vec![json!({ "except": "p1" })], json!({ "people": "p2" }), Some(0)),
            (vec![json!({ "except": "p1" })], json!({ "except": ["p1", "p2"] }), Some(0)),
            (vec![json!({ "except": "r1" })], json!({ "in": "private" }), Some(0)),
            (vec![json!({ "except": "r1" })], json!({ "rooms": "r2" }), Some(0)),
            (vec![json!({ "except": "r1" })], json!({ "rooms": ["r1", "r2"] }), None),
            (vec![json!({ "hours": "09:00-18:00" })], json!({}), None),
            (vec![json!({ "hours": "09:00-18:00" })], json!({ "hours": "09:00-18:00" }), Some(0)),
            (vec![json!({ "hours": ["09:00-18:00", "18:00-09:00"] })], json!({}), Some(0)),
            (vec![json!({ "chance": "99%" })], json!({}), None),
            (vec![json!({ "in": "private" }), json!({ "rooms": "r1" })], json!({ "people": "p1" }), None),
            (vec![json!({ "in": "private" }), json!({ "in": "group" })], json!({ "people": "p1" }), Some(1)),
            (vec![json!({ "at_me": true }), json!({ "in": "private" })], json!({}), None),
        ] {
            let before: Vec<Listens> = before.iter().map(read).collect();
            assert_eq!(read(&rule).answered_by(before.iter().enumerate()), want, "{before:?} {rule}");
        }
    }

    #[test]
    fn chances() {
        let place = Place::default();
        let at = At::top(&place).key("chance");
        for (text, want) in [
            ("30%", Ok(300_000)),
            ("0.5 %", Ok(5_000)),
            ("100%", Ok(MILLION)),
            ("0.0001%", Ok(1)),
            ("0%", Err("`chance` is 0%: it would never answer")),
            ("101%", Err("`chance` is more than 100%")),
            ("30", Err("`chance` is a chance like \"30%\", not `30`")),
            ("-1%", Err("`chance` is a chance like \"30%\", not `-1%`")),
            ("0.00001%", Err("`chance` is a chance like \"30%\", not `0.00001%`")),
        ] {
            let read = Chance::read_value(&json!(text), &at);
            let read = read.map(|chance| chance.of_million).map_err(|problems| problems[0].message.clone());
            assert_eq!(read.as_ref().map_err(String::as_str), want.as_ref().map_err(|why| *why), "{text}");
        }
        let third = Chance { of_million: 300_000 };
        assert_eq!([0, 299_999, 300_000, 999_999, 1_000_000].map(|n| third.wins(n)), [true, true, false, false, true]);
    }

    proptest! {
        /// What the check calls unreachable is answered before, whatever is said.
        #[test]
        fn an_unreachable_rule_hears_nothing_new(
            rules in prop::collection::vec((0u8..3, any::<bool>(), 0u8..8, 0u8..8, 0u8..16), 2..4),
            chat in 0u8..4, sender in 1u8..4, at_me: bool,
        ) {
            let id = |letter: char, n: u8| -> ContactId { format!("{letter}{n}").parse().unwrap() };
            let some = |letter: char, bits: u8| (0..3).filter(|n| bits >> n & 1 == 1).map(|n| id(letter, n + 1)).collect();
            let rules: Vec<Listens> = rules.into_iter().map(|(place, at_me, rooms, people, except)| Listens {
                scope: match (place, at_me) {
                    (_, true) => Scope::GROUP_AT_ME,
                    (0, _) => Scope::PRIVATE,
                    (1, _) => Scope::GROUP,
                    _ => Scope::EVERYWHERE,
                },
                rooms: some('r', rooms),
                people: some('p', people),
                except: if except & 8 == 0 { Vec::new() } else { some('p', except & 3) },
                hours: None,
                chance: None,
            }).collect();
            let (last, before) = rules.split_last().unwrap();
            if last.answered_by(before.iter().enumerate()).is_some() {
                let sender = id('p', sender);
                let (scope, chat) = match (chat, at_me) {
                    (0, _) => (Scope::PRIVATE, sender.clone()),
                    (n, true) => (Scope::GROUP_AT_ME, id('r', n)),
                    (n, false) => (Scope::GROUP_UNADDRESSED, id('r', n)),
                };
                let scene = Scene { scope, chat: &chat, sender: &sender };
                prop_assert!(last.here(&scene).is_err() || before.iter().any(|rule| rule.here(&scene).is_ok()));
            }
        }
    }
}
