//! What are a plugin's settings, and what is wrong with them?
//!
//! [`#[derive(PluginConfig)]`](macro@crate::PluginConfig) writes a schema for editors and a reading that tells every
//! mistake at once:
//!
//! ```
//! use std::time::Duration;
//! use serde_json::json;
//! use wxbot_plugin::model::Secret;
//! use wxbot_plugin::prelude::*;
//!
//! /// Tells the weather.                      (doc comments become the descriptions of the schema)
//! #[derive(PluginConfig)]
//! #[config(check = quiet_and_often)]       // rules between fields
//! struct Weather {
//!     /// Where, unless somebody says.
//!     #[config(min_len = 1)]
//!     city: String,                        // must be there
//!     remark: Option<String>,              // may be missing
//!     #[config(default = 3, range = 1..=7)]
//!     days: u8,
//!     #[config(default = "10min", range = "1min"..="1d")]
//!     every: Duration,
//!     #[config(default)]                   // `Default::default()`
//!     rooms: Vec<ContactId>,
//!     #[config(default = Unit::Celsius)]
//!     unit: Unit,
//!     #[config(env = "WEATHER_KEY")]       // asked when the file says nothing; never in the clear in the file
//!     key: Option<Secret<String>>,
//! }
//!
//! #[derive(PluginConfig)]
//! enum Unit { Celsius, Fahrenheit }        // `celsius`, `fahrenheit`
//!
//! fn quiet_and_often(weather: &Weather) -> Vec<ConfigProblem> {
//!     match weather.remark.is_none() && weather.every < Duration::from_secs(120) {
//!         true => vec![ConfigProblem::at("/every", "it would tell nothing, and often").help("add a `remark`")],
//!         false => Vec::new(),
//!     }
//! }
//!
//! let settings = json!({ "citty": "北京", "days": 9, "unit": "celcius" });
//! let problems = Weather::read(&settings, &Place::default()).err().unwrap();
//! let told: Vec<&str> = problems.iter().map(|problem| &*problem.message).collect();
//! assert_eq!(told, [
//!     "`city` is missing",
//!     "`days` must be at least 1 and at most 7, not 9",
//!     "`unit` cannot be `celcius`",
//!     "there is no setting `citty`",
//! ]);
//! ```
//!
//! Reading order: this file → [`value`] (what a key may hold) with [`many`] and [`secret`] → [`field`]
//! (one key: default, range, environment) → [`table`] (all keys together) → [`words`].

pub mod env;
pub mod field;
pub mod many;
pub mod secret;
pub mod table;
pub mod value;
pub mod words;

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;

pub use env::Environment;
pub use field::{Field, HasLen, Ranged};
pub use serde_json::Value;
pub use table::{Shape, Table};
pub use value::{At, ConfigValue};
pub use words::did_you_mean;

/// Settings of a plugin: [`#[derive(PluginConfig)]`](macro@crate::PluginConfig), or by hand for languages of one's own;
/// then [`Table`] reads what stands under fixed keys.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read from settings",
    note = "a struct or an enum without data of yours can: `#[derive(PluginConfig)]`",
    note = "a field can be text, a number, `bool`, `Duration`, `Rate`, `PathBuf`, `ContactId`, `Role`, `Secret<String>`, what \
            derives `PluginConfig`, and `Option`, `Vec`, `BTreeMap<String, …>` of these"
)]
pub trait PluginConfig: Sized + Send + Sync + 'static {
    /// JSON Schema, for editors.
    fn schema() -> Value;

    /// Reads settings, defaults filled in.
    ///
    /// # Errors
    /// All that is wrong, each with the place of the value.
    fn read(settings: &Value, place: &Place) -> Result<Self, Vec<ConfigProblem>>;
}

/// Where settings stand: what relative paths in them start from, and which environment they may name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    folder: PathBuf,
    #[serde(skip)]
    env: Environment,
}

impl Place {
    /// Settings in a file of this folder.
    pub fn of(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), env: Environment::Process }
    }

    /// The same with these variables instead of the process's, for tests.
    #[must_use]
    pub fn with_env<N: Into<String>, V: Into<String>>(mut self, all: impl IntoIterator<Item = (N, V)>) -> Self {
        self.env = Environment::given(all);
        self
    }

    /// The variables that settings may name.
    pub fn env(&self) -> &Environment {
        &self.env
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
    /// True when the value may be a secret that stands in the clear: its line of the file must not be shown.
    #[serde(default)]
    pub secret: bool,
}

impl ConfigProblem {
    /// A problem at `pointer`.
    pub fn at(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), message: message.into(), help: None, secret: false }
    }

    /// Adds what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Says that the value must not be shown.
    #[must_use]
    pub fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    /// The same problem of a value that stands below `pointer`.
    #[must_use]
    pub fn below(mut self, pointer: &str) -> Self {
        self.pointer.insert_str(0, pointer);
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
