//! How are values read that hold other values? Options, lists, tables with free keys, and structs.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::value::{At, ConfigValue};
use super::{ConfigProblem, PluginConfig};

/// A key that may be missing.
impl<T: ConfigValue> ConfigValue for Option<T> {
    const SECRET: bool = T::SECRET;

    fn value_schema() -> Value {
        T::value_schema()
    }

    fn want() -> String {
        T::want()
    }

    fn read_value(value: &Value, at: &At<'_>) -> Result<Self, Vec<ConfigProblem>> {
        T::read_value(value, at).map(Some)
    }

    fn read_env(text: &str, at: &At<'_>) -> Result<Self, Vec<ConfigProblem>> {
        T::read_env(text, at).map(Some)
    }

    fn absent(_at: &At<'_>) -> Option<Self> {
        Some(None)
    }

    fn shown(&self) -> Option<Value> {
        self.as_ref().and_then(T::shown)
    }
}

impl<T: ConfigValue> ConfigValue for Vec<T> {
    const SECRET: bool = T::SECRET;

    fn value_schema() -> Value {
        json!({ "type": "array", "items": T::value_schema() })
    }

    fn want() -> String {
        "a list".to_owned()
    }

    fn read_value(value: &Value, at: &At<'_>) -> Result<Self, Vec<ConfigProblem>> {
        let list = value.as_array().ok_or_else(|| misshapen::<Self>(value, at))?;
        gather(list.iter().enumerate().map(|(n, value)| T::read_value(value, &at.entry(n))))
    }

    fn shown(&self) -> Option<Value> {
        self.iter().map(T::shown).collect()
    }
}

impl<T: ConfigValue> ConfigValue for BTreeMap<String, T> {
    const SECRET: bool = T::SECRET;

    fn value_schema() -> Value {
        json!({ "type": "object", "additionalProperties": T::value_schema() })
    }

    fn want() -> String {
        "a table".to_owned()
    }

    fn read_value(value: &Value, at: &At<'_>) -> Result<Self, Vec<ConfigProblem>> {
        let map = value.as_object().ok_or_else(|| misshapen::<Self>(value, at))?;
        gather(map.iter().map(|(key, value)| Ok((key.clone(), T::read_value(value, &at.key(key))?))))
    }

    fn shown(&self) -> Option<Value> {
        self.iter().map(|(key, value)| Some((key.clone(), value.shown()?))).collect::<Option<_>>().map(Value::Object)
    }
}

/// Settings within settings. Where all keys of a struct may be missing, the struct may be missing too.
impl<T: PluginConfig> ConfigValue for T {
    fn value_schema() -> Value {
        <T as PluginConfig>::schema()
    }

    fn want() -> String {
        "a table".to_owned()
    }

    fn read_value(value: &Value, at: &At<'_>) -> Result<Self, Vec<ConfigProblem>> {
        if !value.is_object() {
            return Err(at.wants("a table", value));
        }
        <T as PluginConfig>::read(value, at.place())
            .map_err(|problems| problems.into_iter().map(|problem| problem.below(at.pointer())).collect())
    }

    fn absent(at: &At<'_>) -> Option<Self> {
        <T as PluginConfig>::read(&json!({}), at.place()).ok()
    }
}

/// Another shape where the value may be a secret: it is told and not shown.
fn misshapen<T: ConfigValue>(value: &Value, at: &At<'_>) -> Vec<ConfigProblem> {
    let wants = at.wants(&T::want(), value).into_iter();
    wants.map(|problem| if T::SECRET { problem.secret() } else { problem }).collect()
}

/// All values, or all problems.
fn gather<T, C: FromIterator<T>>(
    each: impl Iterator<Item = Result<T, Vec<ConfigProblem>>>,
) -> Result<C, Vec<ConfigProblem>> {
    let mut problems = Vec::new();
    let good = each.filter_map(|read| read.map_err(|more| problems.extend(more)).ok()).collect();
    if problems.is_empty() { Ok(good) } else { Err(problems) }
}
