//! What may the settings look like, for editors? A JSON Schema; `Settings::check` knows more.

use serde_json::{Map, Value, json};
use wxbot_plugin::PluginConfig;
use wxbot_plugin::config::ConfigValue;
use wxbot_plugin::local::{Hours, Zone};
use wxbot_plugin::model::ContactId;

use crate::answer::MOST_PARTS;
use crate::away::Away;
use crate::friends::Friends;
use crate::listens::{CHATS, Chance};

/// JSON Schema (draft 2020-12) of `[plugins.auto-reply]`.
pub(crate) fn schema() -> Value {
    let mut properties = json!({
        "cooldown": with_default(
            duration("After an answer, silence for that long in that chat. Rules with a cooldown of their own are apart."),
            json!("0s"),
        ),
        "person_cooldown": with_default(
            duration("After an answer, silence for that long for that person, in all chats."),
            json!("0s"),
        ),
        "tz": with_default(
            described(Zone::value_schema(), "The time zone of `hours`, `date` and `time`."),
            json!(Zone::default().name()),
        ),
        "rules": {
            "description": "The rules, in the order they are tried.",
            "type": "array",
            "items": rule(),
        },
        "away": Away::schema(),
        "friends": Friends::schema(),
    });
    #[cfg(feature = "llm")]
    if let Some(properties) = properties.as_object_mut() {
        properties.insert("llm".to_owned(), crate::llm::LlmSettings::schema());
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "auto-reply",
        "description": "Answers texts by rules. The first rule that matches a text wins.",
        "type": "object",
        "additionalProperties": false,
        "anyOf": [{ "required": ["rules"] }, { "required": ["away"] }, { "required": ["friends"] }],
        "properties": properties.take(),
    })
}

fn rule() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "allOf": [
            { "oneOf": [
                { "required": ["exact"] },
                { "required": ["contains"] },
                { "required": ["regex"] },
                { "required": ["any"] },
            ] },
            { "oneOf": [{ "required": ["reply"] }, { "required": ["answers"] }, { "required": ["model"] }] },
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
            "rooms": ids("Only in these rooms, by id."),
            "people": ids("Only for these people, by id, in rooms too."),
            "except": ids("Not in these rooms and not for these people."),
            "hours": described(Hours::value_schema(), "Only at these hours, by the clock of `tz`."),
            "chance": described(Chance::value_schema(), "How often it answers when all else fits; else the next rule is tried."),
            "reply": parts(
                "The answer; of a list, all are sent in order. Texts are minijinja templates and know `sender`, `chat`, \
                 `room`, `text`, `account`, `date`, `time`, `hour`, `weekday`, and with `regex` also `groups` and `named`.",
            ),
            "answers": answers("Instead of `reply`: one of these, by chance."),
            "model": model("Instead of `reply`: what the language model of `llm` says. A text is its system prompt here."),
            "mention": {
                "description": "Mention the sender in a room, in the first text of the answer.",
                "type": "boolean", "default": false,
            },
            "cooldown": duration("The rule's own cooldown instead of the common one."),
            "person_cooldown": duration("The rule's own cooldown per person instead of the common one."),
            "ignore_case": {
                "description": "Whether `exact`, `contains` and `regex` ignore case.", "type": "boolean", "default": true,
            },
        },
    })
}

/// One text or table, or a list of them.
pub(crate) fn parts(description: &str) -> Value {
    let one = json!({ "oneOf": [plain(), part(&[])] });
    let list = json!({ "type": "array", "items": one, "minItems": 1, "maxItems": MOST_PARTS });
    json!({ "description": description, "oneOf": [plain(), part(&[]), list] })
}

/// A list of texts and tables with weights.
fn answers(description: &str) -> Value {
    let weight = json!({ "description": "How often it comes.", "type": "integer", "minimum": 1, "default": 1 });
    let more = [
        ("reply", parts("All of these, in order.")),
        ("model", model("What the language model says.")),
        ("weight", weight),
    ];
    let one = json!({ "oneOf": [plain(), part(&more)] });
    json!({ "description": description, "type": "array", "items": one, "minItems": 1 })
}

fn model(description: &str) -> Value {
    json!({ "description": description, "oneOf": [{ "const": true }, plain()] })
}

/// A table that says what is sent.
fn part(more: &[(&str, Value)]) -> Value {
    let file = |what: &str| json!({ "description": format!("{what}; paths start from bot.toml."), "type": "string", "minLength": 1 });
    let mut properties = Map::from_iter([
        ("text".to_owned(), plain()),
        ("image".to_owned(), file("A picture (png, jpg, bmp, gif), at most 20 MiB")),
        ("video".to_owned(), file("A film (mp4), at most 200 MiB")),
        ("file".to_owned(), file("Any file, at most 100 MiB")),
        ("sticker".to_owned(), file("A moving picture (gif), at most 20 MiB")),
    ]);
    properties.extend(more.iter().map(|(key, schema)| ((*key).to_owned(), schema.clone())));
    json!({ "type": "object", "additionalProperties": false, "minProperties": 1, "properties": properties })
}

fn ids(description: &str) -> Value {
    let one = ContactId::value_schema();
    json!({ "description": description, "oneOf": [one, { "type": "array", "items": one, "minItems": 1 }] })
}

fn described(mut schema: Value, description: &str) -> Value {
    if let Some(map) = schema.as_object_mut() {
        map.insert("description".to_owned(), json!(description));
    }
    schema
}

fn with_default(mut schema: Value, default: Value) -> Value {
    if let Some(map) = schema.as_object_mut() {
        map.insert("default".to_owned(), default);
    }
    schema
}

fn plain() -> Value {
    json!({ "type": "string", "pattern": r"\S" })
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
            // A key that this build does not have is still known, to say so.
            want.retain(|key| cfg!(feature = "llm") || *key != "llm");
            want.sort_unstable();
            let mut got: Vec<&str> = properties.keys().map(String::as_str).collect();
            got.sort_unstable();
            assert_eq!(got, want, "{place}");
            for (key, property) in properties.iter() {
                assert!(property["description"].as_str().is_some_and(|d| d.ends_with('.')), "{place}/{key}");
            }
        }
        assert_eq!(schema["additionalProperties"], false);
        assert_eq!(schema["properties"]["rules"]["items"]["additionalProperties"], false);
    }
}
