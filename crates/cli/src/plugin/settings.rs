//! Which settings does a plugin have? Its JSON Schema as a list that people read.

use std::fmt::Write;

use serde_json::{Map, Value};

/// Schemas may refer to themselves, and deeper tables are better read in the schema itself.
const DEEPEST: usize = 4;

/// One setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    /// Where it stands, like `rules[].reply`.
    key: String,
    /// What it takes.
    kind: String,
    required: bool,
    /// As it would be written.
    default: Option<String>,
    about: String,
}

/// The settings of a schema, those of inner tables below their table's.
pub(super) fn rows(schema: &Value) -> Vec<Row> {
    let mut rows = Vec::new();
    Reader { root: schema }.table(schema, "", DEEPEST, &mut rows);
    rows
}

/// Two lines a setting.
pub(super) fn in_words(rows: &[Row]) -> String {
    let width = rows.iter().map(|row| row.key.chars().count()).max().unwrap_or_default();
    let mut text = String::new();
    for row in rows {
        let pad = " ".repeat(width - row.key.chars().count());
        let rule = match (&row.default, row.required) {
            (Some(default), _) => format!(", default {default}"),
            (None, true) => ", required".to_owned(),
            (None, false) => String::new(),
        };
        writeln!(text, "  {}{pad}  {}{rule}", row.key, row.kind).ok();
        for line in row.about.lines() {
            writeln!(text, "  {}  {line}", " ".repeat(width)).ok();
        }
    }
    text.trim_end().to_owned()
}

struct Reader<'s> {
    root: &'s Value,
}

impl<'s> Reader<'s> {
    /// What a reference leads to.
    fn resolve(&self, schema: &'s Value) -> &'s Value {
        let mut at = schema;
        // A chain of references that long is a circle.
        for _ in 0..8 {
            let target = at.get("$ref").and_then(Value::as_str).and_then(|target| target.strip_prefix('#'));
            match target.and_then(|path| self.root.pointer(path)) {
                Some(next) => at = next,
                None => break,
            }
        }
        at
    }

    fn table(&self, schema: &'s Value, prefix: &str, deep: usize, rows: &mut Vec<Row>) {
        let schema = self.resolve(schema);
        let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return };
        let required: Vec<&str> = list(schema, "required").iter().filter_map(Value::as_str).collect();
        for (name, property) in properties {
            let key = format!("{prefix}{name}");
            let target = self.resolve(property);
            // What is said at the reference goes before what is said where it leads.
            let said = |word: &str| property.get(word).or_else(|| target.get(word));
            let default = said("default").filter(|value| !value.is_null()).map(Value::to_string);
            rows.push(Row {
                kind: self.kind(property),
                required: required.contains(&name.as_str()),
                default,
                about: said("description").and_then(Value::as_str).unwrap_or_default().to_owned(),
                key: key.clone(),
            });
            if deep > 1 {
                self.table(property, &format!("{key}."), deep - 1, rows);
                if let Some(items) = target.get("items") {
                    self.table(items, &format!("{key}[]."), deep - 1, rows);
                }
            }
        }
    }

    fn kind(&self, schema: &'s Value) -> String {
        let schema = self.resolve(schema);
        if let Some(value) = schema.get("const") {
            return value.to_string();
        }
        let words = list(schema, "enum");
        if !words.is_empty() {
            return or(words.iter().filter(|word| !word.is_null()).map(Value::to_string));
        }
        if schema.get("properties").is_some() {
            // Choices between its keys are for the schema's readers.
            return "table".to_owned();
        }
        for word in ["oneOf", "anyOf"] {
            let choices = list(schema, word);
            if !choices.is_empty() {
                return or(choices.iter().filter(|choice| !is_null(choice)).map(|choice| self.kind(choice)));
            }
        }
        match schema.get("type") {
            Some(Value::String(kind)) => self.plain(kind, schema),
            Some(Value::Array(kinds)) => {
                let kinds = kinds.iter().filter_map(Value::as_str).filter(|kind| *kind != "null");
                or(kinds.map(|kind| self.plain(kind, schema)))
            }
            Some(_) | None => "anything".to_owned(),
        }
    }

    fn plain(&self, kind: &str, schema: &'s Value) -> String {
        match kind {
            "string" => format!("text{}", format_of(schema)),
            "integer" => format!("whole number{}", range(schema, "minimum", "maximum")),
            "number" => format!("number{}", range(schema, "minimum", "maximum")),
            "boolean" => "true or false".to_owned(),
            "array" => {
                let items =
                    schema.get("items").map_or_else(String::new, |items| format!(" of {}", several(self.kind(items))));
                format!("list{items}{}", range(schema, "minItems", "maxItems"))
            }
            "object" => match schema.get("additionalProperties") {
                Some(values @ Value::Object(_)) => format!("table of {}", self.kind(values)),
                Some(_) | None => "table".to_owned(),
            },
            other => other.to_owned(),
        }
    }
}

fn several(kind: String) -> String {
    match kind.as_str() {
        "text" | "number" | "whole number" | "table" => kind + "s",
        _ => kind,
    }
}

fn format_of(schema: &Value) -> String {
    schema.get("format").and_then(Value::as_str).map_or_else(String::new, |format| format!(" ({format})"))
}

fn range(schema: &Value, least: &str, most: &str) -> String {
    match (schema.get(least), schema.get(most)) {
        (Some(least), Some(most)) => format!(", {least} to {most}"),
        (Some(least), None) => format!(", at least {least}"),
        (None, Some(most)) => format!(", at most {most}"),
        (None, None) => String::new(),
    }
}

/// Each once, in their order.
fn or(words: impl Iterator<Item = String>) -> String {
    let mut all: Vec<String> = Vec::new();
    for word in words {
        if !all.contains(&word) {
            all.push(word);
        }
    }
    all.join(" or ")
}

fn is_null(schema: &Value) -> bool {
    schema.get("type").and_then(Value::as_str) == Some("null")
}

fn list<'v>(schema: &'v Value, key: &str) -> &'v [Value] {
    schema
        .as_object()
        .and_then(|object: &Map<_, _>| object.get(key))
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn kinds_in_words() {
        for (schema, want) in [
            (json!({ "type": "string" }), "text"),
            (json!({ "type": "string", "format": "duration" }), "text (duration)"),
            (json!({ "type": "integer", "minimum": 1, "maximum": 7 }), "whole number, 1 to 7"),
            (json!({ "type": "number", "minimum": 0.5 }), "number, at least 0.5"),
            (json!({ "type": "boolean" }), "true or false"),
            (json!({ "enum": ["a", "b", null] }), "\"a\" or \"b\""),
            (json!({ "type": ["string", "null"] }), "text"),
            (
                json!({ "oneOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }] }),
                "text or list of texts",
            ),
            (json!({ "type": "array", "items": { "$ref": "#/$defs/x" }, "maxItems": 3 }), "list, at most 3"),
            (json!({ "type": "object", "additionalProperties": { "type": "integer" } }), "table of whole number"),
            (json!({ "properties": {}, "oneOf": [{ "required": ["a"] }] }), "table"),
            (json!({}), "anything"),
            (json!(true), "anything"),
        ] {
            let root = json!({ "$defs": { "x": { "$ref": "#/$defs/x" } } });
            let kind = Reader { root: &root }.kind(&schema).replace("list of anything", "list");
            assert_eq!(kind, want, "{schema}");
        }
    }

    #[test]
    fn tables_and_lists_of_tables_are_gone_into_and_a_circle_ends() {
        let schema = json!({
            "type": "object",
            "properties": {
                "city": { "type": "string", "description": "Where.\nOnly towns." },
                "days": { "type": "integer", "default": 3 },
                "rules": { "type": "array", "items": { "$ref": "#/$defs/rule" } },
            },
            "required": ["city"],
            "$defs": { "rule": { "type": "object", "properties": {
                "reply": { "type": "string" },
                "inner": { "$ref": "#/$defs/rule" },
            } } },
        });
        let rows = rows(&schema);
        let keys: Vec<_> = rows.iter().map(|row| row.key.as_str()).collect();
        assert_eq!(keys.iter().filter(|key| !key.contains("inner")).count(), 4, "{keys:?}");
        assert!(keys.contains(&"rules[].inner.reply"), "{keys:?}");
        assert!(keys.len() < 20, "{keys:?}");
        let words = in_words(&rows[..2]);
        assert_eq!(
            words,
            "  city  text, required\n        Where.\n        Only towns.\n  days  whole number, default 3"
        );
        assert!(super::rows(&json!({ "type": "object" })).is_empty());
    }
}
