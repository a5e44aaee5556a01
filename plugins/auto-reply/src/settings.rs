//! What do the settings say, and what is wrong with them?

mod rule;

use serde_json::Value;
use wxbot_plugin::local::Zone;
use wxbot_plugin::model::{Capability, MediaShape};
use wxbot_plugin::template::Known;
use wxbot_plugin::{ConfigProblem, Feature, Place, Plan, PluginConfig};

use crate::answer::{Part, needs};
use crate::away::Away;
use crate::friends::Friends;
#[cfg(feature = "llm")]
use crate::llm::LlmSettings;
use crate::reading::Reading;

#[cfg(test)]
pub(crate) use rule::RULE_KEYS;
pub(crate) use rule::{Pause, Rule};

pub(crate) const TOP_KEYS: [&str; 7] = ["cooldown", "person_cooldown", "tz", "rules", "away", "friends", "llm"];
/// What every text knows; those of a regex rule know its groups too.
pub(crate) const NAMES: [&str; 9] = ["sender", "chat", "room", "text", "account", "date", "time", "hour", "weekday"];

/// The settings of the plugin, read and compiled. There is one way to them: what [`check`](Self::check) accepts, `init`
/// accepts, because both run [`read`](Self::read).
#[derive(Debug)]
pub struct Settings {
    pub(crate) rules: Vec<Rule>,
    pub(crate) zone: Zone,
    pub(crate) away: Option<Away>,
    pub(crate) friends: Option<Friends>,
    #[cfg(feature = "llm")]
    pub(crate) llm: Option<LlmSettings>,
}

impl Settings {
    /// Takes the model's settings out, for the one who asks it.
    #[cfg(feature = "llm")]
    pub(crate) fn without_llm(mut self) -> (Self, Option<LlmSettings>) {
        let llm = self.llm.take();
        (self, llm)
    }

    /// The longest silence of any rule.
    pub(crate) fn longest_pause_ms(&self) -> i64 {
        let pauses = self.rules.iter().flat_map(|rule| [rule.in_chat.ms, rule.for_person.ms]);
        pauses.max().unwrap_or(0)
    }

    /// What is switched on, and what each of it needs of an account.
    pub(crate) fn plan(&self) -> Plan {
        let text = [Capability::SendText];
        let mut features: Vec<Feature> = Vec::new();
        let mut add = |name: &str, pointer: String, needs: &[Capability]| {
            if !features.iter().any(|known| known.name == name) {
                features.push(Feature::new(name, pointer).needs(needs));
            }
        };
        for (n, rule) in self.rules.iter().enumerate() {
            let pointer = format!("/rules/{n}");
            if rule.answers.has_texts() {
                add("replies", pointer.clone(), &text);
            }
            if rule.answers.has_model() {
                add("answers of a model", pointer.clone(), &text);
            }
            for shape in rule.answers.shapes() {
                add(medium(shape), pointer.clone(), &[needs(shape)]);
            }
        }
        if self.away.is_some() {
            add("away mode", "/away".to_owned(), &text);
        }
        if let Some(friends) = &self.friends {
            if friends.accepts() {
                let needs = [Capability::FriendRequests, Capability::AcceptFriend];
                add("accepting friends", "/friends/accept".to_owned(), &needs);
            }
            for part in friends.greeting() {
                let needs = if let Part::Media(shape, _) = part { needs(*shape) } else { Capability::SendText };
                add("greeting friends", "/friends/greeting".to_owned(), &[needs]);
            }
        }
        features.into_iter().fold(Plan::new(), Plan::feature).schedule(crate::tidy::schedule(&self.zone))
    }

    /// All problems of settings from nowhere; none when they are good.
    pub fn check(settings: &Value) -> Vec<ConfigProblem> {
        Self::read(settings, &Place::default()).err().unwrap_or_default()
    }
}

impl PluginConfig for Settings {
    fn schema() -> Value {
        crate::schema::schema()
    }

    fn read(settings: &Value, place: &Place) -> Result<Self, Vec<ConfigProblem>> {
        let mut reading = Reading::new(place);
        let read = read_all(&mut reading, settings);
        match read {
            Some(read) if reading.problems.is_empty() => Ok(read),
            Some(_) | None => Err(reading.problems),
        }
    }
}

/// What answers in this shape are called.
fn medium(shape: MediaShape) -> &'static str {
    match shape {
        MediaShape::Image => "pictures",
        MediaShape::Video => "films",
        MediaShape::Sticker => "stickers",
        MediaShape::File | _ => "files",
    }
}

/// What the texts of rules know.
pub(crate) fn known() -> Known {
    Known::texts(&NAMES)
}

/// Reads everything; `None` only when a problem was reported.
fn read_all(reading: &mut Reading<'_>, settings: &Value) -> Option<Settings> {
    let top = reading.table(settings, "", "auto-reply", &TOP_KEYS)?;
    let zone = reading.value(top, "tz").ok().map(Option::unwrap_or_default);
    let pauses = rule::Pauses::common(reading, top);
    let away = reading.part(top, "away");
    let friends = reading.part(top, "friends");
    #[cfg(feature = "llm")]
    let llm: Option<LlmSettings> = reading.part(top, "llm");
    #[cfg(not(feature = "llm"))]
    if top.get("llm").is_some() {
        let help = "build it with the feature `llm`: `cargo build --features llm`; the released binaries have it";
        reading.report("/llm", "this wxbot was built without language models", help);
    }
    let rules = match top.get("rules") {
        Some(Value::Array(list)) => rule::read_all(reading, list, pauses, top.get("llm").is_some()),
        Some(other) => {
            reading.wrong_type("/rules", "`rules`", "a list of tables (`[[plugins.auto-reply.rules]]`)", other);
            return None;
        }
        None if top.get("away").is_some() || top.get("friends").is_some() => Vec::new(),
        None => {
            reading.report("", "there are no rules", "add one with `[[plugins.auto-reply.rules]]`");
            return None;
        }
    };
    Some(Settings {
        rules,
        zone: zone?,
        away,
        friends,
        #[cfg(feature = "llm")]
        llm,
    })
}

#[cfg(test)]
mod tests;
