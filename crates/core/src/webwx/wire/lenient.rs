//! How are numbers and texts read? Leniently: a field may be absent, null, a number, or a number in quotes.
//!
//! Ids never pass through a float: a number above 2^53 is taken as `u64` or kept as text (security R09).

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

#[derive(Deserialize)]
#[serde(untagged)]
enum Any {
    Unsigned(u64),
    Signed(i64),
    Float(#[expect(dead_code, reason = "only its being a float matters")] f64),
    Text(String),
    Bool(bool),
    Null,
}

/// A signed number; 0 for what is none.
///
/// # Errors
/// For lists and objects.
pub fn int<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    Ok(match Any::deserialize(deserializer)? {
        Any::Unsigned(n) => i64::try_from(n).unwrap_or(i64::MAX),
        Any::Signed(n) => n,
        Any::Text(text) => text.trim().parse().unwrap_or(0),
        Any::Bool(b) => i64::from(b),
        // Nothing we count is a fraction; a float is a server's mistake and its value not to be trusted.
        Any::Float(_) | Any::Null => 0,
    })
}

/// An unsigned number; 0 for what is none or negative.
///
/// # Errors
/// For lists and objects.
pub fn uint<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    Ok(match Any::deserialize(deserializer)? {
        Any::Unsigned(n) => n,
        Any::Signed(n) => u64::try_from(n).unwrap_or(0),
        Any::Text(text) => text.trim().parse().unwrap_or(0),
        Any::Bool(b) => u64::from(b),
        Any::Float(_) | Any::Null => 0,
    })
}

/// A text; numbers are written in decimal, null is empty.
///
/// # Errors
/// For lists and objects.
pub fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(match Any::deserialize(deserializer)? {
        Any::Unsigned(n) => n.to_string(),
        Any::Signed(n) => n.to_string(),
        Any::Text(text) => text,
        Any::Float(_) | Any::Bool(_) | Any::Null => String::new(),
    })
}

/// A list whose elements are read one by one later, so that one bad element leaves the others alive. Null is empty.
///
/// # Errors
/// When it is no list.
pub fn raw_list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Box<RawValue>>, D::Error> {
    Ok(Option::<Vec<Box<RawValue>>>::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(default)]
    struct Row {
        #[serde(deserialize_with = "int")]
        i: i64,
        #[serde(deserialize_with = "uint")]
        u: u64,
        #[serde(deserialize_with = "text")]
        t: String,
    }

    #[test]
    fn scalars() {
        for (json, want) in [
            ("{}", Row::default()),
            (r#"{"i":null,"u":null,"t":null}"#, Row::default()),
            (
                r#"{"i":"-7","u":"8410419333108271670","t":8410419333108271670}"#,
                Row { i: -7, u: 8_410_419_333_108_271_670, t: "8410419333108271670".into() },
            ),
            (r#"{"i":1.5,"u":-1,"t":true}"#, Row::default()),
        ] {
            assert_eq!(serde_json::from_str::<Row>(json).unwrap(), want, "{json}");
        }
        assert!(serde_json::from_str::<Row>(r#"{"t":{}}"#).is_err());
    }
}
