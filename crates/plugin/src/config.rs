//! What are a plugin's settings, and what is wrong with them?

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Settings of a plugin: `#[derive(PluginConfig)]`, or by hand for languages of one's own.
pub trait PluginConfig: Sized + Send + Sync + 'static {
    /// JSON Schema, for editors.
    fn schema() -> Value;

    /// Reads settings, defaults filled in.
    ///
    /// # Errors
    /// All that is wrong, each with the place of the value.
    fn read(settings: &Value, place: &Place) -> Result<Self, Vec<ConfigProblem>>;
}

/// Where settings stand: what relative paths in them start from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    folder: PathBuf,
}

impl Place {
    /// Settings in a file of this folder.
    pub fn of(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// The folder of `bot.toml`.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

/// Settings of a plugin that has none: any key is a mistake.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoConfig {}

impl PluginConfig for NoConfig {
    fn schema() -> Value {
        json!({ "type": "object", "additionalProperties": false })
    }

    fn read(settings: &Value, _place: &Place) -> Result<Self, Vec<ConfigProblem>> {
        ConfigProblem::read_as(settings)
    }
}

/// Any settings, for whoever reads them later.
impl PluginConfig for Value {
    fn schema() -> Value {
        json!({ "type": "object" })
    }

    fn read(settings: &Value, _place: &Place) -> Result<Self, Vec<ConfigProblem>> {
        Ok(settings.clone())
    }
}

/// One thing wrong with settings. The host finds the place in `bot.toml` by the pointer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigProblem {
    /// JSON pointer (RFC 6901) of the value, like `/rules/0/regex`; empty for the whole.
    pub pointer: String,
    /// What is wrong, one sentence without a full stop.
    pub message: String,
    /// What to do.
    #[serde(default)]
    pub help: Option<String>,
}

impl ConfigProblem {
    /// A problem at `pointer`.
    pub fn at(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), message: message.into(), help: None }
    }

    /// Adds what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Settings read by serde, for a [`PluginConfig`] by hand; it stops at the first mistake.
    ///
    /// # Errors
    /// What keeps `settings` from being read as `T`.
    pub fn read_as<T: DeserializeOwned>(settings: &Value) -> Result<T, Vec<Self>> {
        serde_path_to_error::deserialize::<_, T>(settings).map_err(|error| {
            let mut pointer = String::new();
            for segment in error.path() {
                match segment {
                    serde_path_to_error::Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
                    serde_path_to_error::Segment::Map { key } => {
                        pointer.push_str(&format!("/{}", key.replace('~', "~0").replace('/', "~1")));
                    }
                    serde_path_to_error::Segment::Enum { .. } | serde_path_to_error::Segment::Unknown => {}
                }
            }
            vec![Self::at(pointer, error.into_inner().to_string())]
        })
    }
}
