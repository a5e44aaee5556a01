//! How does an editor know what may stand in `bot.toml`? JSON Schema, from the same tables as the checks.

use serde_json::{Map, Value, json};
use wxbot_plugin::middleware::OwnStation;

use super::keys::{self, Key, Kind};
use super::registry::{ProtocolSpec, Registry};
use super::stations;

/// JSON Schema (draft 2020-12) of `bot.toml` for this binary.
pub fn schema(registry: &Registry) -> Value {
    let mut root = table(stations::with_own(keys::top(), registry).iter(), registry);
    if let Value::Object(root) = &mut root {
        root.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
        root.insert("title".to_owned(), json!("bot.toml"));
        root.insert("description".to_owned(), json!("Configuration of wxbot."));
        root.insert("$defs".to_owned(), plugin_schemas(registry));
    }
    root
}

fn table<'k>(keys: impl Iterator<Item = &'k Key>, registry: &Registry) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for key in keys {
        properties.insert(key.name.to_owned(), property(key, registry));
        if key.required {
            required.push(key.name);
        }
    }
    let mut object = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    if let (Value::Object(object), false) = (&mut object, required.is_empty()) {
        object.insert("required".to_owned(), json!(required));
    }
    object
}

fn property(key: &Key, registry: &Registry) -> Value {
    let mut schema = match key.name {
        "middleware" => json!({ "type": "array", "items": { "enum": registry.stations() }, "uniqueItems": true }),
        "use" => {
            let ids: Vec<&str> = registry.plugins.iter().map(|plugin| plugin.id()).collect();
            json!({ "type": "array", "items": { "enum": ids }, "uniqueItems": true })
        }
        name if key.kind == Kind::Settings => json!({ "$ref": format!("#/$defs/{}", station_def(name)) }),
        "protocol" => json!({ "enum": registry.protocols.iter().map(|protocol| protocol.name).collect::<Vec<_>>() }),
        _ => kind(&key.kind, registry),
    };
    if let Value::Object(schema) = &mut schema {
        schema.insert("description".to_owned(), json!(key.doc));
        if let Some(preset) = key.preset.json() {
            schema.insert("default".to_owned(), preset);
        }
    }
    schema
}

fn kind(kind_: &Kind, registry: &Registry) -> Value {
    match kind_ {
        Kind::Any => json!({}),
        Kind::Text => json!({ "type": "string" }),
        Kind::Path => json!({ "type": "string", "minLength": 1 }),
        Kind::Bool => json!({ "type": "boolean" }),
        Kind::Integer { min, max } => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Kind::Duration => json!({ "type": "string", "pattern": r"^\s*[0-9]+\s*(ms|s|m|min|h|d)\s*$" }),
        Kind::Size { .. } => json!({ "type": "string", "pattern": r"^\s*[0-9]+\s*(B|KiB|MiB|GiB|TiB)\s*$" }),
        Kind::Rate => {
            json!({ "type": "string", "pattern": r"^\s*[0-9]+\s*/\s*([0-9]+\s*)?(ms|s|m|min|h|d)\s*$" })
        }
        Kind::Hours => {
            json!({ "type": "string", "minLength": 3, "examples": ["23:00-07:00", "22:00-07:00 Mon-Fri", "off"] })
        }
        Kind::Zone => {
            json!({ "type": "string", "minLength": 1, "examples": ["Asia/Shanghai", "Europe/Berlin", "UTC"] })
        }
        Kind::Choice(words) => json!({ "enum": words }),
        Kind::Url { schemes } => {
            json!({ "type": "string", "pattern": format!("^({})://", schemes.join("|")) })
        }
        Kind::ContactId => json!({ "type": "string", "pattern": "^[prosm][0-9]{1,18}$" }),
        Kind::Listen => json!({ "type": "string", "pattern": r":[0-9]{1,5}$" }),
        Kind::Network => json!({ "type": "string", "pattern": r"^[0-9a-fA-F.:]+(/[0-9]{1,3})?$" }),
        Kind::AccountName => json!({ "type": "string", "pattern": r"^[\p{Alphabetic}\p{N}_-]{1,64}$" }),
        Kind::Endpoint => json!({ "type": "string", "pattern": "^(sim|https?://[^/?#@]+/?)$" }),
        Kind::Secret => json!({ "oneOf": [
            {
                "type": "object",
                "properties": { "env": { "type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]{0,127}$" } },
                "required": ["env"],
                "additionalProperties": false,
            },
            {
                "type": "object",
                "properties": { "file": { "type": "string", "minLength": 1 } },
                "required": ["file"],
                "additionalProperties": false,
            },
        ] }),
        Kind::List(of) => json!({ "type": "array", "items": kind(of, registry) }),
        Kind::Table(keys) => table(keys.iter(), registry),
        Kind::Map(of) => json!({ "type": "object", "additionalProperties": kind(of, registry) }),
        Kind::Plugins => {
            let of = |id: &str| (id.to_owned(), json!({ "$ref": format!("#/$defs/{}", plugin_def(id)) }));
            let properties: Map<String, Value> = registry.plugins.iter().map(|plugin| of(plugin.id())).collect();
            // Others come from files, which this binary may not have opened.
            json!({ "type": "object", "properties": properties, "additionalProperties": { "type": "object" } })
        }
        Kind::Settings => json!({ "type": "object" }),
        Kind::Roles => {
            let people = json!({ "type": "array", "items": { "type": "string", "pattern": "^p[0-9]{1,18}$" } });
            let members =
                json!({ "type": "array", "items": { "type": "string", "pattern": "^r[0-9]{1,18}/p[0-9]{1,18}$" } });
            json!({
                "type": "object",
                "properties": { "owner": people, "admin": people, "group-admin": members, "user": false },
                "patternProperties": { "^(?!(owner|admin|group-admin|user)$)[a-z0-9-]+$": people },
                "additionalProperties": false,
            })
        }
        Kind::Accounts => json!({ "type": "array", "minItems": 1, "items": account(registry) }),
    }
}

/// All keys of any protocol; per protocol, what is different.
fn account(registry: &Registry) -> Value {
    let mut account = table(stations::with_own(keys::account(), registry).iter(), registry);
    if let Some(Value::Object(properties)) = account.get_mut("properties") {
        for key in registry.protocols.iter().flat_map(|protocol| protocol.options) {
            // Which protocol's rule holds is said below: two protocols may have an option of one name.
            properties.entry(key.name).or_insert_with(|| json!({ "description": key.doc }));
        }
    }
    let rules: Vec<Value> = registry.protocols.iter().map(|protocol| rule(protocol, registry)).collect();
    if let (Value::Object(account), false) = (&mut account, rules.is_empty()) {
        account.insert("allOf".to_owned(), json!(rules));
    }
    account
}

fn rule(protocol: &ProtocolSpec, registry: &Registry) -> Value {
    let mut properties = Map::new();
    for key in registry.protocols.iter().flat_map(|other| other.options) {
        properties.insert(key.name.to_owned(), json!(false));
    }
    let mut required: Vec<&str> = Vec::new();
    for key in protocol.options {
        properties.insert(key.name.to_owned(), property(key, registry));
        if key.required {
            required.push(key.name);
        }
    }
    match protocol.profiles {
        [] => properties.insert("profile".to_owned(), json!(false)),
        profiles => properties.insert("profile".to_owned(), json!({ "enum": profiles })),
    };
    if protocol.profiles.len() > 1 {
        required.push("profile");
    }
    for (key, taken) in [("endpoint", protocol.takes_endpoint), ("proxy", protocol.takes_proxy)] {
        if !taken {
            properties.insert(key.to_owned(), json!(false));
        }
    }
    json!({
        "if": { "properties": { "protocol": { "const": protocol.name } }, "required": ["protocol"] },
        "then": { "properties": properties, "required": required },
    })
}

/// Keys of a plugin's table that are the host's.
const RESERVED_DOCS: [(&str, &str); 2] = [
    ("path", "The plugin's file, when it is not built in; relative to this file. `wxbot plugin build` makes it."),
    ("sha256", "Take the file only with this SHA-256."),
];

fn plugin_def(id: &str) -> String {
    format!("plugin-{id}")
}

fn station_def(name: &str) -> String {
    format!("middleware-{name}")
}

fn plugin_schemas(registry: &Registry) -> Value {
    let one = |plugin: &wxbot_plugin::host::PluginFactory| {
        let id = plugin.id();
        let mut schema = plugin.schema();
        rebase(&mut schema, &format!("#/$defs/{}", plugin_def(id)));
        if let Value::Object(object) = &mut schema {
            // The common table and an account's own complete each other, so neither has to be complete.
            object.remove("required");
            object.remove("$schema");
            if let Some(Value::Object(properties)) = object.get_mut("properties") {
                for (key, doc) in RESERVED_DOCS {
                    properties.entry(key).or_insert_with(|| json!({ "type": "string", "description": doc }));
                }
            }
            object.entry("description").or_insert_with(|| json!(plugin.manifest().about));
        }
        (plugin_def(id), schema)
    };
    let station = |(name, own): (&str, OwnStation)| {
        let (def, mut schema) = (station_def(name), (own.schema)());
        rebase(&mut schema, &format!("#/$defs/{def}"));
        if let Value::Object(object) = &mut schema {
            object.remove("required");
            object.remove("$schema");
        }
        (def, schema)
    };
    let all = registry.plugins.iter().map(one).chain(registry.own_stations().map(station));
    Value::Object(all.collect())
}

/// A plugin's schema refers to its own parts from its own root, which is now a part of ours.
fn rebase(schema: &mut Value, base: &str) {
    match schema {
        Value::Object(object) => {
            if let Some(Value::String(target)) = object.get_mut("$ref")
                && let Some(path) = target.strip_prefix('#')
            {
                *target = format!("{base}{path}");
            }
            object.values_mut().for_each(|value| rebase(value, base));
        }
        Value::Array(list) => list.iter_mut().for_each(|item| rebase(item, base)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
