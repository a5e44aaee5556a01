//! Which actions does an account have? Those of its profile, with what its owner wrote in place of some.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use wxbot_model::{Capabilities, Capability};

use super::action::Mapped;
use super::names::{self, suggest};
use super::read::{Problem, Reader, escaped};
use super::template::Template;

/// The longest chain of `before`.
pub(super) const MAX_STEPS: usize = 4;

/// Actions by name, each in one or more variants. A profile is one, and so is what a user writes.
#[derive(Debug, Clone, Default)]
pub struct ActionMap {
    actions: BTreeMap<String, Vec<Mapped>>,
    /// As written, so that it can be completed and shown.
    raw: Map<String, Value>,
}

/// Whether an action can be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Availability {
    /// It can.
    Ready,
    /// It is known, and switched off: `enabled = true` switches it on.
    Off,
    /// Its body is known, its path is not: the owner has to give it.
    NoPath,
    /// Nobody mapped it.
    Unknown,
}

impl ActionMap {
    /// Nothing (`profile = "none"`).
    pub fn none() -> Self {
        Self::default()
    }

    /// Reads `[accounts.actions]`. `secrets` are the names under `[accounts.secrets]`.
    ///
    /// # Errors
    /// Every mistake, with its place.
    pub fn read(value: &Value, secrets: &BTreeSet<String>) -> Result<Self, Vec<Problem>> {
        Self::none().with(value, secrets)
    }

    /// These actions with those of `value` in their place.
    ///
    /// An action with a `path` replaces the one of the profile whole. What has no `path`, or stands in for one whose path
    /// the profile does not know, is completed by the profile key by key.
    ///
    /// # Errors
    /// Every mistake in `value`, with its place.
    pub fn with(&self, value: &Value, secrets: &BTreeSet<String>) -> Result<Self, Vec<Problem>> {
        self.read_over(value, secrets, false)
    }

    /// A profile, whose paths may be unknown.
    pub(super) fn profile(value: &Value) -> Result<Self, Vec<Problem>> {
        Self::none().read_over(value, &BTreeSet::new(), true)
    }

    fn read_over(&self, value: &Value, secrets: &BTreeSet<String>, path_later: bool) -> Result<Self, Vec<Problem>> {
        let mut reader = Reader { problems: Vec::new(), secrets };
        let mut whole = self.clone();
        let Some(table) = value.as_object() else {
            return Err(vec![Problem {
                pointer: String::new(),
                message: "actions are a table".into(),
                help: "write `[accounts.actions.send_text]`".into(),
            }]);
        };
        for (name, written) in table {
            if !names::may_be_mapped(name) {
                let all = names::ACTIONS.iter().map(|known| known.name);
                reader.problems.push(Problem {
                    pointer: format!("/{}", escaped(name)),
                    message: format!("there is no action `{name}`"),
                    help: format!("{}; names of your own begin with `x_`", suggest(name, all, "the actions are")),
                });
                continue;
            }
            let known = self.raw.get(name);
            let complete = completed(known, written);
            let variants = reader.action(name, &complete, path_later || known.is_some_and(|known| !has_path(known)));
            whole.actions.insert(name.clone(), variants);
            whole.raw.insert(name.clone(), complete);
        }
        whole.check_steps(table, &mut reader.problems);
        if reader.problems.is_empty() { Ok(whole) } else { Err(reader.problems) }
    }

    /// What only shows when all actions are read: steps and saved values.
    fn check_steps(&self, written: &Map<String, Value>, problems: &mut Vec<Problem>) {
        let saved: BTreeSet<&str> = ["name", "self_id", "session_id", "instance"]
            .into_iter()
            .chain(self.actions.values().flatten().flat_map(|mapped| mapped.save.keys().map(String::as_str)))
            .collect();
        for (name, variants) in self.actions.iter().filter(|(name, _)| written.contains_key(*name)) {
            let pointer = format!("/{}", escaped(name));
            let mut problem = |message: String, help: &str| {
                problems.push(Problem { pointer: pointer.clone(), message, help: help.to_owned() });
            };
            if self.depth(name, 0).is_none() {
                problem(
                    format!("what `{name}` does `before` comes back to itself, or is longer than {MAX_STEPS} steps"),
                    "leave out the step that leads back",
                );
                continue;
            }
            for mapped in variants {
                for step in mapped.before.iter().filter(|step| !self.actions.contains_key(*step)) {
                    problem(format!("`before` names `{step}`, which is not mapped"), "map it, or leave it out");
                }
                for hole in holes(mapped) {
                    if let Some(field) = hole.strip_prefix("account.") {
                        if !saved.contains(field) {
                            let help = suggest(field, saved.iter().copied(), "the account has");
                            problem(format!("nothing saves `{{{{account.{field}}}}}`"), &help);
                        }
                    } else if let Some((step, field)) = names::step(hole) {
                        let gives = |step: &Mapped| step.result.fields.contains_key(field) || field == "message_id";
                        if !mapped.before.iter().any(|before| before == step) {
                            problem(
                                format!("`{{{{{hole}}}}}` needs `{step}`"),
                                &format!("write `before = [\"{step}\"]`"),
                            );
                        } else if !self.actions.get(step).into_iter().flatten().all(gives) {
                            problem(
                                format!("`{step}` has no result `{field}`"),
                                &format!("say where its answer has it: `result = {{ {field} = \"/…\" }}` of `{step}`"),
                            );
                        }
                    }
                }
            }
        }
    }

    /// How many steps an action is; `None` when there is no end.
    fn depth(&self, name: &str, above: usize) -> Option<usize> {
        if above > MAX_STEPS {
            return None;
        }
        let steps = self.actions.get(name).into_iter().flatten().flat_map(|mapped| &mapped.before);
        steps.map(|step| self.depth(step, above + 1)).try_fold(above, |most, one| Some(most.max(one?)))
    }

    /// The variants of an action.
    pub(super) fn variants(&self, name: &str) -> &[Mapped] {
        self.actions.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// Every variant of every action.
    pub(super) fn all(&self) -> impl Iterator<Item = (&str, &Mapped)> {
        self.actions.iter().flat_map(|(name, variants)| variants.iter().map(move |mapped| (name.as_str(), mapped)))
    }

    /// Whether an action can be done.
    pub fn availability(&self, name: &str) -> Availability {
        let variants = self.variants(name);
        if variants.is_empty() {
            Availability::Unknown
        } else if variants.iter().all(|mapped| !mapped.enabled) {
            Availability::Off
        } else if variants.iter().all(|mapped| !mapped.enabled || mapped.path.is_none()) {
            Availability::NoPath
        } else {
            Availability::Ready
        }
    }

    /// True when an action can be done.
    pub fn can(&self, name: &str) -> bool {
        self.availability(name) == Availability::Ready
    }

    /// True when some variant of an action names this placeholder.
    pub(super) fn uses(&self, name: &str, placeholder: &str) -> bool {
        self.variants(name).iter().any(|mapped| holes(mapped).any(|hole| hole == placeholder))
    }

    /// The names of all actions and whether each can be done, in order.
    pub fn names(&self) -> impl Iterator<Item = (&str, Availability)> {
        self.actions.keys().map(|name| (name.as_str(), self.availability(name)))
    }

    /// The actions as they are in force, for people to read: the profile's, with the owner's in their place.
    pub fn shown(&self) -> &Map<String, Value> {
        &self.raw
    }

    /// What the sending half can do by these actions. What an account hears of is not for a mapping to say.
    pub fn capabilities(&self) -> Capabilities {
        let any = |names: &[&str]| names.iter().any(|name| self.can(name));
        CAPABILITIES.iter().filter(|(_, names)| any(names)).map(|(capability, _)| *capability).collect()
    }
}

/// Which actions make which ability; any one of them does.
const CAPABILITIES: [(Capability, &[&str]); 20] = [
    (Capability::SendText, &["send_text"]),
    (Capability::Mention, &["send_at"]),
    (Capability::Contacts, &["list_contacts"]),
    (Capability::SendImage, &["send_image"]),
    (Capability::SendVideo, &["send_video"]),
    (Capability::SendFile, &["send_file"]),
    (Capability::SendSticker, &["send_emoji"]),
    (Capability::SendLink, &["send_link"]),
    (Capability::Recall, &["revoke"]),
    (Capability::MarkRead, &["mark_read"]),
    (Capability::FetchMedia, &["download_image", "download_file", "download_video", "download_voice"]),
    (Capability::AddFriend, &["add_friend"]),
    (Capability::AcceptFriend, &["accept_friend"]),
    (Capability::Remark, &["set_remark"]),
    (Capability::Pin, &["pin"]),
    (Capability::CreateRoom, &["room_create"]),
    (Capability::AddMembers, &["room_add", "room_invite"]),
    (Capability::RemoveMembers, &["room_kick"]),
    (Capability::RenameRoom, &["room_rename"]),
    (Capability::LeaveRoom, &["room_quit"]),
];

/// The actions that make an ability, any one of them; none for what no action makes.
pub fn actions_of(capability: Capability) -> &'static [&'static str] {
    CAPABILITIES.iter().find(|(one, _)| *one == capability).map_or(&[], |(_, names)| names)
}

/// All names that a mapping takes values of.
pub(super) fn holes(mapped: &Mapped) -> impl Iterator<Item = &str> {
    let mut templates: Vec<&Template> = mapped.path.iter().collect();
    templates.extend(mapped.headers.iter().map(|(_, template)| template));
    if let Some(body) = &mapped.body {
        body.templates(&mut templates);
    }
    templates.into_iter().flat_map(Template::holes).map(|hole| hole.name.as_str())
}

fn has_path(action: &Value) -> bool {
    let there = |one: &Value| one.get("path").is_some();
    match action.as_array() {
        Some(list) => list.iter().any(there),
        None => there(action),
    }
}

/// What the owner wrote, with what it leaves open taken from the profile.
fn completed(known: Option<&Value>, written: &Value) -> Value {
    let extend = |known: &Value, written: &Map<String, Value>| match known.as_object() {
        Some(known) => {
            let mut table = known.clone();
            table.extend(written.iter().map(|(key, value)| (key.clone(), value.clone())));
            Value::Object(table)
        }
        None => known.clone(),
    };
    match (known, written) {
        (Some(known), Value::Object(table)) if !has_path(written) || !has_path(known) => match known.as_array() {
            Some(variants) => variants.iter().map(|variant| extend(variant, table)).collect(),
            None => extend(known, table),
        },
        _ => written.clone(),
    }
}

#[cfg(test)]
#[path = "map_tests.rs"]
mod tests;
