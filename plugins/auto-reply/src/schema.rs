//! What may the settings look like, for editors? A JSON Schema; `Settings::check` knows more.

use serde_json::{Value, json};

use crate::settings::CHATS;

/// JSON Schema (draft 2020-12) of `[plugins.auto-reply]`.
pub(crate) fn schema() -> Value {
    let mut common =
        duration("After an answer, silence for that long in that chat. Rules with a cooldown of their own are apart.");
    if let Some(common) = common.as_object_mut() {
        common.insert("default".to_owned(), json!("0s"));
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "auto-reply",
        "description": "Answers texts by rules. The first rule that matches a text wins.",
        "type": "object",
        "additionalProperties": false,
        "required": ["rules"],
        "properties": {
            "cooldown": common,
            "rules": {
                "description": "The rules, in the order they are tried.",
                "type": "array",
                "items": rule(),
            },
        },
    })
}

fn rule() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["reply"],
        "oneOf": [
            { "required": ["exact"] },
            { "required": ["contains"] },
            { "required": ["regex"] },
            { "required": ["any"] },
        ],
        // `at_me` is about rooms.
        "not": {
            "required": ["in", "at_me"],
            "properties": { "in": { "const": "private" }, "at_me": { "const": true } },
        },
        "properties": {
            "exact": texts("Matches when the whole text is this, or one of these."),
            "contains": texts("Matches when this, or one of these, is somewhere in the text."),
            "regex": text("Matches when this pattern is found in the text (syntax of the Rust `regex` crate)."),
            "any": { "description": "Matches every text. Rules behind it are not reached.", "const": true },
            "in": { "description": "Where the rule listens.", "enum": CHATS, "default": "any" },
            "at_me": {
                "description": "Only when our account is mentioned in a room.", "type": "boolean", "default": false,
            },
            "reply": texts(
                "The answer, a minijinja template; of a list, all are sent in order. Knows `sender`, `chat`, `text`, \
                 `account`, `date`, `time`, and with `regex` also `groups` and `named`.",
            ),
            "mention": {
                "description": "Mention the sender in a room, in the first text of the answer.",
                "type": "boolean", "default": false,
            },
            "cooldown": duration("The rule's own cooldown instead of the common one."),
            "ignore_case": {
                "description": "Whether `exact`, `contains` and `regex` ignore case.", "type": "boolean", "default": true,
            },
        },
    })
}

fn duration(description: &str) -> Value {
    json!({
        "description": description,
        "type": "string",
        "pattern": r"^\s*[0-9]+\s*(ms|s|m|min|h|d)\s*$",
        "examples": ["5s", "1min"],
    })
}

fn text(description: &str) -> Value {
    json!({ "description": description, "type": "string", "pattern": r"\S" })
}

fn texts(description: &str) -> Value {
    let one = json!({ "type": "string", "pattern": r"\S" });
    json!({ "description": description, "oneOf": [one, { "type": "array", "items": one, "minItems": 1 }] })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{RULE_KEYS, TOP_KEYS};

    #[test]
    fn the_schema_has_every_key_and_says_what_it_does() {
        let schema = schema();
        for (place, keys) in
            [("/properties", TOP_KEYS.as_slice()), ("/properties/rules/items/properties", RULE_KEYS.as_slice())]
        {
            let properties = schema.pointer(place).unwrap().as_object().unwrap();
            let mut want: Vec<&str> = keys.to_vec();
            want.sort_unstable();
            let mut got: Vec<&str> = properties.keys().map(String::as_str).collect();
            got.sort_unstable();
            assert_eq!(got, want, "{place}");
            for (key, property) in properties {
                assert!(property["description"].as_str().is_some_and(|d| d.ends_with('.')), "{place}/{key}");
            }
        }
        assert_eq!(schema["additionalProperties"], false);
        assert_eq!(schema["properties"]["rules"]["items"]["additionalProperties"], false);
    }
}
