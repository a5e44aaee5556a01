//! Who becomes a friend, and how is a new friend greeted? `[plugins.auto-reply.friends]`.
//!
//! **State.** `friends:accepted` holds the moments of the last acceptances, `greeted:<person>` when a friend was greeted.

use serde_json::{Value, json};
use wxbot_plugin::config::{At, ConfigValue};
use wxbot_plugin::local::Zone;
use wxbot_plugin::model::span::Rate;
use wxbot_plugin::prelude::*;
use wxbot_plugin::template::Known;
use wxbot_plugin::text::{fold, is_blank_text};

use crate::answer::{self, Part};
use crate::facts;
use crate::reading::Reading;
use crate::since::since;
use crate::told::Told;

/// What a greeting knows.
pub(crate) const NAMES: [&str; 7] = ["sender", "chat", "account", "date", "time", "hour", "weekday"];
/// Where acceptances are counted.
const ACCEPTED: &str = "friends:accepted";
/// More in one period could not be counted in a value of the KV store, and no service allows it.
const MOST: u32 = 1_000;
/// The service may tell of one new friend in two notices.
pub(crate) const GREETED_MS: i64 = 86_400_000;

/// Accepts friend requests and greets new friends.
#[derive(Debug, PluginConfig)]
#[config(check = Friends::check)]
pub(crate) struct Friends {
    /// Whose requests are accepted: `true` for all, or words of which the greeting must hold one. What the service only
    /// suggests is never accepted.
    #[config(default)]
    accept: Accept,
    /// How many at most; the others wait on the phone.
    #[config(default = "10/h")]
    limit: Rate,
    /// What a new friend is told first: as `reply` of a rule.
    #[config(default)]
    greeting: Greeting,
}

/// Which requests are accepted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum Accept {
    #[default]
    None,
    All,
    /// Folded words.
    Words(Vec<String>),
}

/// The parts of a greeting.
#[derive(Debug, Default)]
struct Greeting(Vec<Part>);

impl Friends {
    fn check(&self) -> Vec<ConfigProblem> {
        if self.limit.count > MOST {
            let message = format!("`limit` allows {} at once; at most {MOST} are counted", self.limit.count);
            return vec![ConfigProblem::at("/limit", message).help("services stop accounts that accept far fewer")];
        }
        if self.accept == Accept::None && self.greeting.0.is_empty() {
            let help = "add `accept = true`, `accept = [\"a word\"]`, or `greeting = \"…\"`";
            return vec![ConfigProblem::at("", "`friends` does nothing").help(help)];
        }
        Vec::new()
    }

    pub(crate) fn accepts(&self) -> bool {
        self.accept != Accept::None
    }

    pub(crate) fn greeting(&self) -> &[Part] {
        &self.greeting.0
    }

    /// Accepts a request, or says why not.
    pub(crate) async fn asked(&self, request: &FriendRequest, cx: &Ctx) -> Result<Effects, PluginError> {
        let left = |why: &str| {
            cx.note("friends", false, || why.to_owned());
            Ok(Effects::none())
        };
        match &self.accept {
            _ if request.suggested => return left("nobody asked: the service suggests the person"),
            _ if request.user.is_none() || request.ticket.is_empty() => return left("it cannot be accepted"),
            Accept::None => return left("no request is accepted (`accept`)"),
            Accept::Words(words) => {
                let greeting = fold(&request.greeting);
                if !words.iter().any(|word| greeting.contains(word)) {
                    return left("the greeting holds none of the words (`accept`)");
                }
            }
            Accept::All => {}
        }
        if !cx.can(Capability::AcceptFriend) {
            return left("this account cannot accept friends");
        }
        let (now_ms, was) = (cx.now_ms(), cx.kv_get::<Value>(ACCEPTED).await?);
        let per_ms = i64::try_from(self.limit.per.as_millis()).unwrap_or(i64::MAX);
        let before = was.as_ref().and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let mut lately: Vec<i64> = before.iter().filter_map(Value::as_i64).collect();
        lately.retain(|at_ms| since(now_ms, *at_ms).is_some_and(|since| since < per_ms));
        if u32::try_from(lately.len()).is_ok_and(|count| count >= self.limit.count) {
            return left("too many were accepted lately (`limit`): it waits on the phone");
        }
        lately.push(now_ms);
        cx.note("friends", true, || "the request is accepted".to_owned());
        // A swap: requests that come at once are all counted.
        Ok(Effects::none().accept_friend(request)?.swap(ACCEPTED, was.as_ref(), Some(&lately))?)
    }

    /// Greets a new friend.
    pub(crate) async fn added(
        &self,
        name: &str,
        event: &Event,
        zone: &Zone,
        told: &Told,
        cx: &Ctx,
    ) -> Result<Effects, PluginError> {
        if self.greeting.0.is_empty() || event.chat.kind != ChatKind::Private {
            return Ok(Effects::none());
        }
        let (key, now_ms) = (format!("greeted:{}", event.chat.id), cx.now_ms());
        let was = cx.kv_get::<Value>(&key).await?.as_ref().and_then(Value::as_i64);
        if was.and_then(|greeted_ms| since(now_ms, greeted_ms)).is_some_and(|since| since < GREETED_MS) {
            cx.note("friends", false, || "this friend was greeted".to_owned());
            return Ok(Effects::none());
        }
        let facts = facts(event, zone, now_ms).text("sender", name);
        let effects = answer::effects(&self.greeting.0, &facts, false, cx, "`friends.greeting`", told).await;
        if effects.is_empty() {
            return Ok(effects);
        }
        cx.note("friends", true, || "a new friend is greeted".to_owned());
        Ok(effects.put(key, &now_ms)?)
    }
}

impl ConfigValue for Accept {
    fn value_schema() -> Value {
        let words = json!({ "type": "array", "items": { "type": "string", "pattern": r"\S" }, "minItems": 1 });
        json!({ "oneOf": [{ "type": "boolean" }, words] })
    }

    fn want() -> String {
        "true, false, or a list of words".to_owned()
    }

    fn read_value(value: &Value, at: &At<'_>) -> Result<Self, Vec<ConfigProblem>> {
        if let Value::Bool(all) = value {
            return Ok(if *all { Self::All } else { Self::None });
        }
        if !value.is_array() {
            return Err(at.wants(&Self::want(), value));
        }
        let words: Vec<String> = Vec::read_value(value, at)?;
        if words.is_empty() {
            return Err(vec![at.problem(format!("{} is an empty list", at.name())).help("`true` accepts everybody")]);
        }
        let blank = words.iter().enumerate().filter(|(_, word)| is_blank_text(word));
        let problems: Vec<_> = blank
            .map(|(n, _)| at.entry(n).problem("an empty word would accept everybody").help("`accept = true` does that"))
            .collect();
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self::Words(words.iter().map(|word| fold(word.trim())).collect()))
    }

    fn shown(&self) -> Option<Value> {
        (*self == Self::None).then_some(Value::Bool(false))
    }
}

impl ConfigValue for Greeting {
    fn value_schema() -> Value {
        crate::schema::parts("What a new friend is told first: as `reply` of a rule.")
    }

    fn want() -> String {
        "a text, a table like `{ image = \"…\" }`, or a list of these".to_owned()
    }

    fn read_value(value: &Value, at: &At<'_>) -> Result<Self, Vec<ConfigProblem>> {
        let mut reading = Reading::new(at.place());
        let parts = answer::parts(&mut reading, value, at.pointer(), "greeting", &Known::texts(&NAMES));
        match parts {
            Some(parts) if reading.problems.is_empty() => Ok(Self(parts)),
            Some(_) | None => Err(reading.problems),
        }
    }
}
