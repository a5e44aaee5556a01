//! How do keys and passwords reach a plugin without standing in `bot.toml`? By the name of a variable or of a file.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde_json::{Value, json};
use wxbot_model::Secret;

use super::ConfigProblem;
use super::value::{At, ConfigValue};
use super::words::did_you_mean;

/// The longest secret that is read from a file: many times what any key has.
const LONGEST: u64 = 64 * 1024;

/// Written `token = { env = "NAME" }` or `token = { file = "path" }`; the value itself in the file is refused. Line ends
/// at the end of such a file do not count.
impl ConfigValue for Secret<String> {
    const SECRET: bool = true;

    fn value_schema() -> Value {
        let one = |key: &str, about: &str| {
            json!({
                "type": "object", "additionalProperties": false, "required": [key],
                "properties": { key: { "type": "string", "minLength": 1, "description": about } },
            })
        };
        json!({ "oneOf": [
            one("env", "The environment variable that holds it."),
            one("file", "The file that holds it; relative to the folder of bot.toml."),
        ] })
    }

    fn want() -> String {
        "a secret, which is named: `{ env = \"NAME\" }` or `{ file = \"path\" }`".to_owned()
    }

    fn read_value(value: &Value, at: &At<'_>) -> Result<Self, Vec<ConfigProblem>> {
        // Whatever stands here by mistake may be the secret.
        source(value, at).map_err(|problem| vec![problem.secret()])
    }

    fn read_env(text: &str, _at: &At<'_>) -> Result<Self, Vec<ConfigProblem>> {
        Ok(Self::new(text.to_owned()))
    }
}

fn source(value: &Value, at: &At<'_>) -> Result<Secret<String>, ConfigProblem> {
    let help = "write `{ env = \"NAME\" }` for an environment variable or `{ file = \"path\" }` for a file";
    let Value::Object(map) = value else {
        let message = format!("{} is a secret and must not stand in the file", at.name());
        return Err(at.problem(message).help(help));
    };
    let mut keys = map.iter();
    let (Some((key, named)), None) = (keys.next(), keys.next()) else {
        return Err(at.problem(format!("{} says not in one way where the secret is", at.name())).help(help));
    };
    let below = at.key(key);
    let Some(name) = named.as_str().filter(|name| !name.is_empty()) else {
        return Err(below.problem(format!("{} does not name where the secret is", below.name())).help(help));
    };
    match key.as_str() {
        "env" => at.place().env().get(name).map(Secret::new).ok_or_else(|| {
            let message = format!("{} comes from an environment variable that is not set", at.name());
            below.problem(message).help("set the variable before wxbot is started, or correct the name")
        }),
        "file" => read_file(&at.place().folder().join(name)).map_err(|why| {
            let message = format!("{} comes from a file that cannot be used: {why}", at.name());
            below.problem(message).help("a relative path starts from the folder of bot.toml")
        }),
        other => {
            let message = format!("a secret is not named by `{other}`");
            Err(below.problem(message).help(did_you_mean(other, &["env", "file"])))
        }
    }
}

fn read_file(path: &Path) -> Result<Secret<String>, String> {
    let mut text = String::new();
    let file = File::open(path).map_err(|error| error.kind().to_string())?;
    let read = file.take(LONGEST + 1).read_to_string(&mut text);
    let text = Secret::new(text);
    read.map_err(|error| error.kind().to_string())?;
    match text.expose().trim_end_matches(['\r', '\n']) {
        "" => Err("it is empty".to_owned()),
        trimmed if trimmed.len() as u64 > LONGEST => Err(format!("it has more than {LONGEST} bytes")),
        trimmed => Ok(Secret::new(trimmed.to_owned())),
    }
}
