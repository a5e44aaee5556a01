//! What may a key of a rule hold? One text or several, ids, templates, files, and who is to be told.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

use serde_json::{Value, json};
use wxbot_plugin::config::{At, ConfigProblem, ConfigValue};
use wxbot_plugin::prelude::*;
use wxbot_plugin::template::{Known, Template};

use crate::fold::{Folder, Folding};
use crate::lists::{self, ListProblem, Read, Stamp};

/// How many texts or ids one key may hold; more belong into a file.
const MOST: usize = 10_000;
/// How many mistakes of one file are told at once.
const MOST_TOLD: usize = 20;
/// The names that templates know.
pub(crate) const NAMES: [&str; 12] =
    ["sender", "sender_id", "room", "chat", "chat_id", "text", "keyword", "found", "rule", "account", "date", "time"];

/// One text or a list of them, each with where it stands.
#[derive(Debug, Default)]
pub(crate) struct Texts(Vec<Placed>);

/// A text and where it stands, as a pointer within its rule.
#[derive(Debug)]
pub(crate) struct Placed {
    pub(crate) text: String,
    pub(crate) pointer: String,
}

/// One id or a list of them.
#[derive(Debug, Default)]
pub(crate) struct Ids(Vec<ContactId>);

/// A text that is filled in later.
#[derive(Debug)]
pub(crate) struct Reply(Template);

/// Who is told.
#[derive(Debug, Default)]
pub(crate) enum Notify {
    /// Nobody.
    #[default]
    Nobody,
    /// The owners of the bot.
    Owners,
    /// These people and rooms.
    These(Ids),
}

/// A file of keywords, read.
#[derive(Debug)]
pub(crate) struct ListFile {
    /// As the settings name it.
    pub(crate) written: String,
    pub(crate) path: PathBuf,
    pub(crate) pointer: String,
    /// What the file was before it was read.
    pub(crate) stamp: Stamp,
    pub(crate) list: Arc<Read>,
}

/// Files that are in use, by where they are and what they hold: settings are read several times at a start, and two
/// accounts may have the same ones.
static IN_USE: LazyLock<Mutex<InUse>> = LazyLock::new(Mutex::default);
/// Nobody who writes a file knows its key.
static HASHES: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// The length and the hash of the bytes say whether the file is the same. No time does: what is written twice in the same
/// moment has the same.
type InUse = HashMap<PathBuf, ((usize, u64), Weak<Read>)>;

/// Reads one file, and makes a list of it unless one of the same bytes is in use. Only what is the same to the letter
/// counts as the same keyword here: which other differences matter is said by keys of another table, and the matcher
/// heeds them.
pub(crate) fn read_list(path: &Path) -> Result<Arc<Read>, Vec<ListProblem>> {
    let bytes = lists::bytes(path)?;
    let content = (bytes.len(), HASHES.hash_one(&bytes));
    let known = IN_USE.lock().unwrap_or_else(PoisonError::into_inner).get(path).cloned();
    if let Some(list) = known.filter(|(of, _)| *of == content).and_then(|(_, list)| list.upgrade()) {
        return Ok(list);
    }
    let same_letters = Folder::new(Folding { case: false, width: false, simplified: false });
    let list = Arc::new(lists::read_bytes(path, bytes, same_letters)?);
    let mut in_use = IN_USE.lock().unwrap_or_else(PoisonError::into_inner);
    in_use.retain(|_, (_, list)| list.strong_count() > 0);
    in_use.insert(path.to_owned(), (content, Arc::downgrade(&list)));
    Ok(list)
}

/// A mistake of a list, with the name that the settings give it.
pub(crate) fn told(written: &str, problem: &ListProblem) -> String {
    let line = problem.line.map_or_else(String::new, |line| format!(" line {line}:"));
    format!("the list `{written}`:{line} {}", problem.message)
}

impl Texts {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Placed> {
        self.0.iter()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

impl Ids {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &ContactId> {
        self.0.iter()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn contains(&self, id: &ContactId) -> bool {
        self.0.contains(id)
    }
}

impl Reply {
    pub(crate) fn template(&self) -> &Template {
        &self.0
    }
}

impl Notify {
    pub(crate) fn is_on(&self) -> bool {
        !matches!(self, Self::Nobody)
    }
}

/// Reads one value, or each value of a list that is not empty and not too long.
fn each<T>(
    value: &Value,
    at: &At<'_>,
    want: &str,
    read: impl Fn(&Value, &At<'_>) -> Result<T, Vec<ConfigProblem>>,
) -> Result<Vec<T>, Vec<ConfigProblem>> {
    let list = match value {
        Value::String(_) => return read(value, at).map(|one| vec![one]),
        Value::Array(list) => list,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => return Err(at.wants(want, value)),
    };
    if list.is_empty() {
        return Err(vec![at.problem(format!("{} is an empty list", at.name())).help("fill it, or remove the key")]);
    }
    if list.len() > MOST {
        let problem = at.problem(format!("{} has {} entries; at most {MOST} fit here", at.name(), list.len()));
        return Err(vec![problem.help("write them into a file, and name it in `files`")]);
    }
    let mut problems = Vec::new();
    let read = list.iter().enumerate().map(|(n, value)| read(value, &at.entry(n)));
    let good = read.filter_map(|read| read.map_err(|more| problems.extend(more)).ok()).collect();
    if problems.is_empty() { Ok(good) } else { Err(problems) }
}

fn one_or_list(one: Value) -> Value {
    json!({ "anyOf": [one, { "type": "array", "items": one, "minItems": 1, "maxItems": MOST }] })
}

impl ConfigValue for Texts {
    fn value_schema() -> Value {
        one_or_list(json!({ "type": "string", "minLength": 1 }))
    }

    fn want() -> String {
        "a text or a list of texts".to_owned()
    }

    fn read_value(value: &Value, at: &At<'_>) -> Result<Self, Vec<ConfigProblem>> {
        let read = |value: &Value, at: &At<'_>| {
            let text = value.as_str().ok_or_else(|| at.wants("a text", value))?;
            if wxbot_plugin::text::is_blank_text(text) {
                return Err(vec![at.problem(format!("{} is empty", at.name())).help("write the text, or remove it")]);
            }
            Ok(Placed { text: text.to_owned(), pointer: at.pointer().to_owned() })
        };
        each(value, at, &Self::want(), read).map(Self)
    }
}

impl ConfigValue for Ids {
    fn value_schema() -> Value {
        one_or_list(ContactId::value_schema())
    }

    fn want() -> String {
        "an id like \"r12\" or a list of ids".to_owned()
    }

    fn read_value(value: &Value, at: &At<'_>) -> Result<Self, Vec<ConfigProblem>> {
        each(value, at, &Self::want(), ContactId::read_value).map(Self)
    }
}

impl ConfigValue for Reply {
    fn value_schema() -> Value {
        json!({ "type": "string", "minLength": 1 })
    }

    fn want() -> String {
        "a text".to_owned()
    }

    fn read_value(value: &Value, at: &At<'_>) -> Result<Self, Vec<ConfigProblem>> {
        Template::read(value, at, &Known::texts(&NAMES)).map(Self)
    }
}

impl ConfigValue for Notify {
    fn value_schema() -> Value {
        json!({ "anyOf": [{ "type": "boolean" }, Ids::value_schema()] })
    }

    fn want() -> String {
        "true (the owner), an id like \"p12\" or a list of ids".to_owned()
    }

    fn read_value(value: &Value, at: &At<'_>) -> Result<Self, Vec<ConfigProblem>> {
        match value {
            Value::Bool(true) => Ok(Self::Owners),
            Value::Bool(false) => Ok(Self::Nobody),
            Value::String(_) | Value::Array(_) => Ids::read_value(value, at).map(Self::These),
            Value::Null | Value::Number(_) | Value::Object(_) => Err(at.wants(&Self::want(), value)),
        }
    }
}

impl ConfigValue for ListFile {
    fn value_schema() -> Value {
        json!({ "type": "string", "minLength": 1, "examples": ["bad-words.txt"] })
    }

    fn want() -> String {
        "the path of a file".to_owned()
    }

    fn read_value(value: &Value, at: &At<'_>) -> Result<Self, Vec<ConfigProblem>> {
        let written = value.as_str().filter(|path| !path.is_empty()).ok_or_else(|| at.wants(&Self::want(), value))?;
        let path = at.place().folder().join(written);
        // Before the file is read: what is written to it meanwhile is found by the next look.
        let stamp = Stamp::of(&path);
        let list = read_list(&path).map_err(|mistakes| {
            let told = |one: &ListProblem| at.problem(told(written, one)).help(&*one.help);
            mistakes.iter().take(MOST_TOLD).map(told).collect::<Vec<_>>()
        })?;
        let pointer = at.pointer().to_owned();
        Ok(Self { written: written.to_owned(), path, pointer, stamp, list })
    }
}
