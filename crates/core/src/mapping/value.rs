//! What stands for the names in a mapping? One value for each, and never two ways to read it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use bytes::Bytes;
use serde_json::Value;
use wxbot_model::Secret;

/// What one name stands for.
#[derive(Clone)]
pub enum Datum {
    /// A text, number, truth, or list of these.
    Json(Value),
    /// A text that is never shown.
    Secret(Secret<String>),
    /// Bytes in memory.
    Bytes(Bytes),
    /// Bytes of a file, read when a mapping wants them.
    File {
        /// Where they are.
        path: PathBuf,
        /// How many there are.
        len: u64,
    },
}

/// The values of one call, by name.
#[derive(Clone, Default)]
pub struct Values(BTreeMap<String, Datum>);

impl Values {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// With this one as well.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Datum>) -> Self {
        self.set(name, value);
        self
    }

    /// With this one as well, where there is one.
    #[must_use]
    pub fn maybe(self, name: &str, value: Option<impl Into<Datum>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// Puts one in.
    pub fn set(&mut self, name: &str, value: impl Into<Datum>) {
        self.0.insert(name.to_owned(), value.into());
    }

    /// What a name stands for.
    pub fn get(&self, name: &str) -> Option<&Datum> {
        self.0.get(name)
    }

    /// A text, where the name stands for one.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.get(name)? {
            Datum::Json(value) => value.as_str(),
            Datum::Secret(_) | Datum::Bytes(_) | Datum::File { .. } => None,
        }
    }
}

impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Names only: values are what people wrote, or worse.
        f.debug_list().entries(self.0.keys()).finish()
    }
}

impl fmt::Debug for Datum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Json(_) => "[value]",
            Self::Secret(_) => "[secret]",
            Self::Bytes(_) => "[bytes]",
            Self::File { .. } => "[file]",
        })
    }
}

impl From<Value> for Datum {
    fn from(value: Value) -> Self {
        Self::Json(value)
    }
}

impl From<&str> for Datum {
    fn from(text: &str) -> Self {
        Self::Json(text.into())
    }
}

impl From<&String> for Datum {
    fn from(text: &String) -> Self {
        Self::Json(text.as_str().into())
    }
}

impl From<String> for Datum {
    fn from(text: String) -> Self {
        Self::Json(text.into())
    }
}

impl From<bool> for Datum {
    fn from(value: bool) -> Self {
        Self::Json(value.into())
    }
}

impl From<u64> for Datum {
    fn from(number: u64) -> Self {
        Self::Json(number.into())
    }
}

impl From<i64> for Datum {
    fn from(number: i64) -> Self {
        Self::Json(number.into())
    }
}

impl From<Vec<String>> for Datum {
    fn from(list: Vec<String>) -> Self {
        Self::Json(list.into())
    }
}

/// The text of a scalar; `None` for lists, objects and null.
pub fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The text of a scalar that says something: not empty, and no number that went through a float.
pub fn id(value: &Value) -> Option<String> {
    if value.is_f64() {
        return None;
    }
    scalar(value).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec_r20_values_have_no_text() {
        let values = Values::new()
            .with("text", "canary-a")
            .with("key", Datum::Secret(Secret::new("canary-b".into())))
            .with("bytes", Datum::Bytes(Bytes::from_static(b"canary-c")));
        let shown = format!("{values:?} {:?}", values.get("text"));
        assert!(shown.contains("text") && !shown.contains("canary"), "{shown}");
    }

    #[test]
    fn ids_never_come_out_of_floats() {
        for (json, want) in [
            ("13430535177462202152", Some("13430535177462202152")),
            ("\"13430535177462202152\"", Some("13430535177462202152")),
            ("99999999999999999999999", None),
            ("1.5", None),
            ("\" \"", None),
            ("null", None),
            ("true", Some("true")),
        ] {
            assert_eq!(id(&serde_json::from_str(json).unwrap()).as_deref(), want, "{json}");
        }
    }
}
