//! What may stand under a key of settings? Texts, numbers, durations, ids, and whatever else implements [`ConfigValue`].

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use wxbot_model::ContactId;
use wxbot_model::span::{Rate, parse_duration, show_duration};

use super::{ConfigProblem, Place};
use crate::role::Role;

/// A value that settings may hold: the type of a field under `#[derive(PluginConfig)]`.
///
/// For a type of your own:
///
/// ```
/// use serde_json::{Value, json};
/// use wxbot_plugin::config::{At, ConfigProblem, ConfigValue};
///
/// struct Percent(f64);
///
/// impl ConfigValue for Percent {
///     fn value_schema() -> Value {
///         json!({ "type": "string", "pattern": "%$" })
///     }
///     fn want() -> String {
///         "a share like \"12%\"".into()
///     }
///     fn read_value(value: &Value, at: &At<'_>) -> Result<Self, Vec<ConfigProblem>> {
///         let number = value.as_str().and_then(|text| text.strip_suffix('%')?.parse().ok());
///         number.map(Self).ok_or_else(|| at.wants(&Self::want(), value))
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read from settings",
    note = "a struct or an enum without data of yours can: `#[derive(PluginConfig)]`",
    note = "a field can be text, a number, `bool`, `Duration`, `Rate`, `PathBuf`, `ContactId`, `Role`, `Secret<String>`, what \
            derives `PluginConfig`, and `Option`, `Vec`, `BTreeMap<String, …>` of these"
)]
pub trait ConfigValue: Sized {
    /// True when what stands there may be a secret, also in a wrong shape: then no mistake shows it.
    const SECRET: bool = false;

    /// JSON Schema, for editors.
    fn value_schema() -> Value;

    /// What it is in people's words, with the article: `a text`.
    fn want() -> String;

    /// Reads it.
    ///
    /// # Errors
    /// All that is wrong with it, never an empty list.
    fn read_value(value: &Value, at: &At<'_>) -> Result<Self, Vec<ConfigProblem>>;

    /// Reads it from the text of an environment variable: as a text, or else as a number or the like.
    ///
    /// # Errors
    /// As of [`read_value`](Self::read_value). What is wrong must not quote the text: environments hold secrets.
    fn read_env(text: &str, at: &At<'_>) -> Result<Self, Vec<ConfigProblem>> {
        Self::read_value(&Value::String(text.to_owned()), at).or_else(|as_text| match serde_json::from_str(text) {
            Ok(value) => Self::read_value(&value, at),
            Err(_no_json) => Err(as_text),
        })
    }

    /// What it is when the key is not there; `None`: the key must be there.
    fn absent(_at: &At<'_>) -> Option<Self> {
        None
    }

    /// How it is written, to show a default in the schema; `None` for what cannot or must not be shown.
    fn shown(&self) -> Option<Value> {
        None
    }
}

/// Where a value stands, and what it is called when something is wrong with it.
#[derive(Debug, Clone)]
pub struct At<'p> {
    place: &'p Place,
    pointer: String,
    name: String,
}

impl<'p> At<'p> {
    /// All of the settings.
    pub fn top(place: &'p Place) -> Self {
        Self { place, pointer: String::new(), name: "what stands here".to_owned() }
    }

    /// What stands under a key.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        let pointer = format!("{}/{}", self.pointer, key.replace('~', "~0").replace('/', "~1"));
        Self { place: self.place, pointer, name: format!("`{key}`") }
    }

    /// An entry of a list.
    #[must_use]
    pub fn entry(&self, n: usize) -> Self {
        let name = format!("entry {} of {}", n + 1, self.name);
        Self { place: self.place, pointer: format!("{}/{n}", self.pointer), name }
    }

    /// Where the settings stand.
    pub fn place(&self) -> &'p Place {
        self.place
    }

    /// JSON pointer (RFC 6901).
    pub fn pointer(&self) -> &str {
        &self.pointer
    }

    /// What it is called in a sentence: the key in backticks.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A problem here.
    pub fn problem(&self, message: impl Into<String>) -> ConfigProblem {
        ConfigProblem::at(&*self.pointer, message)
    }

    /// The problem of a value of the wrong sort; `want` with its article.
    pub fn wants(&self, want: &str, got: &Value) -> Vec<ConfigProblem> {
        vec![self.problem(format!("{} is {want}, not {}", self.name, sort_of(got)))]
    }
}

/// What a value is in people's words, without its content.
pub(crate) fn sort_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(number) if number.is_f64() => "a number with a fraction",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a table",
    }
}

impl ConfigValue for bool {
    fn value_schema() -> Value {
        json!({ "type": "boolean" })
    }

    fn want() -> String {
        "true or false".to_owned()
    }

    fn read_value(value: &Value, at: &At<'_>) -> Result<Self, Vec<ConfigProblem>> {
        value.as_bool().ok_or_else(|| at.wants(&Self::want(), value))
    }

    fn shown(&self) -> Option<Value> {
        Some(json!(self))
    }
}

macro_rules! whole_numbers {
    ($($number:ty),*) => {$(
        impl ConfigValue for $number {
            fn value_schema() -> Value {
                json!({ "type": "integer", "minimum": Self::MIN, "maximum": Self::MAX })
            }

            fn want() -> String {
                // Limits that nobody meets in a file only make the sentence longer.
                if size_of::<Self>() <= 2 {
                    format!("a whole number from {} to {}", Self::MIN, Self::MAX)
                } else if Self::MIN == 0 {
                    "a whole number that is not negative".to_owned()
                } else {
                    "a whole number".to_owned()
                }
            }

            fn read_value(value: &Value, at: &At<'_>) -> Result<Self, Vec<ConfigProblem>> {
                let wide = value.as_i64().map(i128::from).or_else(|| value.as_u64().map(i128::from));
                let wide = wide.ok_or_else(|| at.wants(&Self::want(), value))?;
                Self::try_from(wide).map_err(|_beyond| vec![at.problem(format!("{} is {}, not {wide}", at.name(), Self::want()))])
            }

            fn shown(&self) -> Option<Value> {
                Some(json!(self))
            }
        }
    )*};
}

whole_numbers!(u8, u16, u32, u64, usize, i8, i16, i32, i64, isize);

impl ConfigValue for f64 {
    fn value_schema() -> Value {
        json!({ "type": "number" })
    }

    fn want() -> String {
        "a number".to_owned()
    }

    fn read_value(value: &Value, at: &At<'_>) -> Result<Self, Vec<ConfigProblem>> {
        value.as_f64().ok_or_else(|| at.wants(&Self::want(), value))
    }

    fn shown(&self) -> Option<Value> {
        Some(json!(self))
    }
}

impl ConfigValue for String {
    fn value_schema() -> Value {
        json!({ "type": "string" })
    }

    fn want() -> String {
        "a text".to_owned()
    }

    fn read_value(value: &Value, at: &At<'_>) -> Result<Self, Vec<ConfigProblem>> {
        text(value, at, &Self::want()).map(str::to_owned)
    }

    fn shown(&self) -> Option<Value> {
        Some(json!(self))
    }
}

impl ConfigValue for Duration {
    fn value_schema() -> Value {
        json!({ "type": "string", "pattern": r"^\s*[0-9]+\s*(ms|s|m|min|h|d)\s*$", "examples": ["5s", "1min"] })
    }

    fn want() -> String {
        "a duration like \"5s\"".to_owned()
    }

    fn read_value(value: &Value, at: &At<'_>) -> Result<Self, Vec<ConfigProblem>> {
        let text = text(value, at, &Self::want())?;
        parse_duration(text).map_err(|error| vec![at.problem(format!("{}: {error}", at.name()))])
    }

    fn shown(&self) -> Option<Value> {
        Some(json!(show_duration(*self)))
    }
}

/// How often: `"20/min"`, `"3/10s"`.
impl ConfigValue for Rate {
    fn value_schema() -> Value {
        json!({ "type": "string", "pattern": r"^[0-9 ]+/[0-9 ]*(ms|s|m|min|h|d)\s*$", "examples": ["20/min", "10/h"] })
    }

    fn want() -> String {
        "a rate like \"20/min\"".to_owned()
    }

    fn read_value(value: &Value, at: &At<'_>) -> Result<Self, Vec<ConfigProblem>> {
        let text = text(value, at, &Self::want())?;
        text.parse().map_err(|error| vec![at.problem(format!("{}: {error}", at.name()))])
    }

    fn shown(&self) -> Option<Value> {
        Some(json!(self.to_string()))
    }
}

/// Relative ones start from the folder of `bot.toml`. Whether it exists is not looked at.
impl ConfigValue for PathBuf {
    fn value_schema() -> Value {
        json!({ "type": "string", "minLength": 1 })
    }

    fn want() -> String {
        "a path".to_owned()
    }

    fn read_value(value: &Value, at: &At<'_>) -> Result<Self, Vec<ConfigProblem>> {
        match text(value, at, &Self::want())? {
            "" => Err(vec![at.problem(format!("{} is an empty path", at.name()))]),
            text => Ok(at.place().folder().join(text)),
        }
    }

    fn shown(&self) -> Option<Value> {
        self.to_str().map(Value::from)
    }
}

impl ConfigValue for ContactId {
    fn value_schema() -> Value {
        json!({ "type": "string", "minLength": 1 })
    }

    fn want() -> String {
        "the id of a contact like \"p12\"".to_owned()
    }

    fn read_value(value: &Value, at: &At<'_>) -> Result<Self, Vec<ConfigProblem>> {
        let text = text(value, at, &Self::want())?;
        text.parse().map_err(|error| vec![at.problem(format!("{}: {error}", at.name()))])
    }

    fn shown(&self) -> Option<Value> {
        Some(json!(self))
    }
}

impl ConfigValue for Role {
    fn value_schema() -> Value {
        json!({ "type": "string", "pattern": "^[a-z0-9-]+$", "examples": ["owner", "admin", "group-admin", "user"] })
    }

    fn want() -> String {
        "a role like \"admin\"".to_owned()
    }

    fn read_value(value: &Value, at: &At<'_>) -> Result<Self, Vec<ConfigProblem>> {
        let text = text(value, at, &Self::want())?;
        text.parse().map_err(|error| vec![at.problem(format!("{}: {error}", at.name()))])
    }

    fn shown(&self) -> Option<Value> {
        Some(json!(self.word()))
    }
}

fn text<'v>(value: &'v Value, at: &At<'_>, want: &str) -> Result<&'v str, Vec<ConfigProblem>> {
    value.as_str().ok_or_else(|| at.wants(want, value))
}
