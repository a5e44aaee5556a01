//! How is a table of settings read so that every mistake in it is told, each at its place?

use serde_json::{Map, Value};
pub(crate) use wxbot_plugin::config::did_you_mean;
use wxbot_plugin::config::{At, ConfigValue};
use wxbot_plugin::model::span::parse_duration;
use wxbot_plugin::text::is_blank_text;
use wxbot_plugin::{ConfigProblem, Place, PluginConfig};

/// The mistakes found so far. Reading goes on behind a mistake: people want the whole list.
#[derive(Debug)]
pub(crate) struct Reading<'p> {
    pub(crate) problems: Vec<ConfigProblem>,
    pub(crate) place: &'p Place,
}

/// A table and where it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Table<'v> {
    map: &'v Map<String, Value>,
    at: &'v str,
}

/// A text and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Placed<'v> {
    pub(crate) text: &'v str,
    pub(crate) at: String,
}

impl<'v> Table<'v> {
    /// The value of a key.
    pub(crate) fn get(&self, key: &str) -> Option<&'v Value> {
        self.map.get(key)
    }

    /// The JSON pointer of the table itself.
    pub(crate) fn here(&self) -> &'v str {
        self.at
    }

    /// The JSON pointer of a key.
    pub(crate) fn at(&self, key: &str) -> String {
        format!("{}/{}", self.at, key.replace('~', "~0").replace('/', "~1"))
    }
}

impl<'p> Reading<'p> {
    pub(crate) fn new(place: &'p Place) -> Self {
        Self { problems: Vec::new(), place }
    }

    /// The value of a key as the SDK reads it; `Err` when something is wrong with it.
    pub(crate) fn value<T: ConfigValue>(&mut self, table: Table<'_>, key: &str) -> Result<Option<T>, ()> {
        let Some(value) = table.get(key) else { return Ok(None) };
        T::read_value(value, &At::top(self.place).key(key)).map(Some).map_err(|problems| {
            self.problems.extend(problems.into_iter().map(|problem| problem.below(table.here())));
        })
    }

    /// A table of its own under a key.
    pub(crate) fn part<T: PluginConfig>(&mut self, table: Table<'_>, key: &str) -> Option<T> {
        let value = table.get(key)?;
        if !value.is_object() {
            self.wrong_type(table.at(key), &format!("`{key}`"), "a table", value);
            return None;
        }
        let read = T::read(value, self.place);
        read.map_err(|problems| {
            self.problems.extend(problems.into_iter().map(|problem| problem.below(&table.at(key))));
        })
        .ok()
    }

    /// Notes a mistake.
    pub(crate) fn report(&mut self, at: impl Into<String>, message: impl Into<String>, help: impl Into<String>) {
        self.problems.push(ConfigProblem::at(at, message).help(help));
    }

    /// Notes a value of the wrong sort; `want` with its article.
    pub(crate) fn wrong_type(&mut self, at: impl Into<String>, what: &str, want: &str, got: &Value) {
        let message = format!("{what} is {want}, not {}", sort_of(got));
        self.problems.push(ConfigProblem::at(at, message));
    }

    /// The value as a table; keys that are not `known` are mistakes.
    pub(crate) fn table<'v>(&mut self, value: &'v Value, at: &'v str, what: &str, known: &[&str]) -> Option<Table<'v>> {
        let Value::Object(map) = value else {
            self.wrong_type(at, what, "a table", value);
            return None;
        };
        let table = Table { map, at };
        for key in map.keys().filter(|key| !known.contains(&key.as_str())) {
            self.report(table.at(key), format!("{what} has no setting `{key}`"), did_you_mean(key, known));
        }
        Some(table)
    }

    /// A yes or no.
    pub(crate) fn flag(&mut self, table: Table<'_>, key: &str, default: bool) -> bool {
        match table.get(key) {
            None => default,
            Some(Value::Bool(flag)) => *flag,
            Some(other) => {
                self.wrong_type(table.at(key), &format!("`{key}`"), "true or false", other);
                default
            }
        }
    }

    /// A duration in milliseconds.
    pub(crate) fn duration_ms(&mut self, table: Table<'_>, key: &str) -> Option<i64> {
        let value = table.get(key)?;
        let Some(text) = value.as_str() else {
            self.wrong_type(table.at(key), &format!("`{key}`"), "a duration like \"5s\"", value);
            return None;
        };
        match parse_duration(text) {
            Ok(duration) => Some(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)),
            Err(error) => {
                self.problems.push(ConfigProblem::at(table.at(key), error.to_string()));
                None
            }
        }
    }

    /// One text in which something can be seen.
    pub(crate) fn text<'v>(&mut self, table: Table<'v>, key: &str) -> Option<Placed<'v>> {
        self.visible(table.get(key)?, table.at(key), key)
    }

    /// One text or a list of them; `None` when the key is not there or is something else. Wrong ones of a list are
    /// reported and left out, so that the others are still looked at.
    pub(crate) fn texts<'v>(&mut self, table: Table<'v>, key: &str) -> Option<Vec<Placed<'v>>> {
        let (value, at) = (table.get(key)?, table.at(key));
        if value.is_string() {
            return self.visible(value, at, key).map(|text| vec![text]);
        }
        let Some(list) = value.as_array() else {
            self.wrong_type(at, &format!("`{key}`"), "a text or a list of texts", value);
            return None;
        };
        if list.is_empty() {
            self.report(at, format!("`{key}` is an empty list"), "write at least one text");
            return None;
        }
        let each = list.iter().enumerate();
        Some(each.filter_map(|(n, value)| self.visible(value, format!("{at}/{n}"), key)).collect())
    }

    /// One text in which something can be seen.
    pub(crate) fn visible<'v>(&mut self, value: &'v Value, at: String, key: &str) -> Option<Placed<'v>> {
        let Some(text) = value.as_str() else {
            self.wrong_type(at, &format!("`{key}`"), "a text", value);
            return None;
        };
        if !is_blank_text(text) {
            return Some(Placed { text, at });
        }
        let help = match key {
            "contains" | "regex" => "an empty one would match every text; use `any = true` for that",
            "exact" => "write the text; use `any = true` to match every text",
            _ => "write the text, or remove the rule to say nothing",
        };
        self.report(at, format!("`{key}` is empty"), help);
        None
    }
}

fn sort_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a table",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_escapes_the_key() {
        let value = serde_json::json!({ "a/b~c": 1 });
        let place = Place::default();
        let mut reading = Reading::new(&place);
        reading.table(&value, "/x", "a rule", &["y"]);
        assert_eq!(reading.problems[0].pointer, "/x/a~1b~0c");
    }
}
