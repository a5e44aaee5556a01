//! How are numbers and texts of JSON read? Leniently: a field may be absent, null, a number, or a number in quotes.
//!
//! Ids never pass through a float: a number above 2^53 is taken as `u64` or kept as text (security R09).

use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// One scalar. A visitor of its own rather than an untagged enum: that one words an error, with the text in it, for
/// each variant that does not fit, and texts are most of what is read.
enum Any {
    Unsigned(u64),
    Signed(i64),
    Text(String),
    Bool(bool),
    /// Null, or a float: nothing we count is a fraction, so a float is a server's mistake and its value not to be trusted.
    Nothing,
}

struct AnyVisitor;

impl Visitor<'_> for AnyVisitor {
    type Value = Any;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, a text or nothing")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Any, E> {
        Ok(Any::Unsigned(number))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Any, E> {
        Ok(Any::Signed(number))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Any, E> {
        Ok(Any::Nothing)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Any, E> {
        Ok(Any::Bool(value))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Any, E> {
        Ok(Any::Text(text.to_owned()))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Any, E> {
        Ok(Any::Text(text))
    }

    fn visit_unit<E: Error>(self) -> Result<Any, E> {
        Ok(Any::Nothing)
    }
}

/// A signed number; 0 for what is none.
///
/// # Errors
/// For lists and objects.
pub fn int<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    Ok(match deserializer.deserialize_any(AnyVisitor)? {
        Any::Unsigned(n) => i64::try_from(n).unwrap_or(i64::MAX),
        Any::Signed(n) => n,
        Any::Text(text) => text.trim().parse().unwrap_or(0),
        Any::Bool(b) => i64::from(b),
        Any::Nothing => 0,
    })
}

/// A code of the service. Unlike [`int`] it has no default: an answer whose code cannot be read must not pass for a yes.
///
/// # Errors
/// For anything but a whole number, in quotes or not.
pub fn code<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let number = match deserializer.deserialize_any(AnyVisitor)? {
        Any::Unsigned(n) => i64::try_from(n).ok(),
        Any::Signed(n) => Some(n),
        Any::Text(text) => text.trim().parse().ok(),
        Any::Bool(_) | Any::Nothing => None,
    };
    number.ok_or_else(|| D::Error::custom("no code"))
}

/// An unsigned number; 0 for what is none or negative.
///
/// # Errors
/// For lists and objects.
pub fn uint<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    Ok(match deserializer.deserialize_any(AnyVisitor)? {
        Any::Unsigned(n) => n,
        Any::Signed(n) => u64::try_from(n).unwrap_or(0),
        Any::Text(text) => text.trim().parse().unwrap_or(0),
        Any::Bool(b) => u64::from(b),
        Any::Nothing => 0,
    })
}

/// A text; numbers are written in decimal, null is empty.
///
/// # Errors
/// For lists and objects.
pub fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(match deserializer.deserialize_any(AnyVisitor)? {
        Any::Unsigned(n) => n.to_string(),
        Any::Signed(n) => n.to_string(),
        Any::Text(text) => text,
        Any::Bool(_) | Any::Nothing => String::new(),
    })
}

/// A number as text, fractions included; for places on the map, never for ids.
///
/// # Errors
/// For lists and objects.
pub fn decimal<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    struct Decimal;
    impl Visitor<'_> for Decimal {
        type Value = String;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a number or a text")
        }

        fn visit_u64<E: Error>(self, number: u64) -> Result<String, E> {
            Ok(number.to_string())
        }

        fn visit_i64<E: Error>(self, number: i64) -> Result<String, E> {
            Ok(number.to_string())
        }

        fn visit_f64<E: Error>(self, number: f64) -> Result<String, E> {
            Ok(number.to_string())
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<String, E> {
            Ok(text.trim().to_owned())
        }

        fn visit_unit<E: Error>(self) -> Result<String, E> {
            Ok(String::new())
        }
    }
    deserializer.deserialize_any(Decimal)
}

/// What is usually there, but may be null: then its default.
///
/// # Errors
/// When it is there and cannot be read.
pub fn or_default<'de, T: Deserialize<'de> + Default, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
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

    #[derive(Debug, Deserialize)]
    struct Coded {
        #[serde(deserialize_with = "code")]
        ret: i64,
    }

    #[test]
    fn a_code_is_never_made_up() {
        for (json, want) in [
            (r#"{"ret":0}"#, Some(0)),
            (r#"{"ret":-1}"#, Some(-1)),
            (r#"{"ret":"1101"}"#, Some(1101)),
            (r#"{"ret":null}"#, None),
            (r#"{"ret":"fine"}"#, None),
            (r#"{"ret":0.5}"#, None),
            ("{}", None),
        ] {
            assert_eq!(serde_json::from_str::<Coded>(json).ok().map(|c| c.ret), want, "{json}");
        }
    }

    #[test]
    fn sec_r09_ids_never_pass_through_a_float() {
        for (json, want) in [
            ("{}", Row::default()),
            (r#"{"i":null,"u":null,"t":null}"#, Row::default()),
            (
                r#"{"i":"-7","u":"8410419333108271670","t":8410419333108271670}"#,
                Row { i: -7, u: 8_410_419_333_108_271_670, t: "8410419333108271670".into() },
            ),
            (r#"{"i":1.5,"u":-1,"t":true}"#, Row::default()),
            // Larger than any integer: serde reads a float, and a rounded id is worse than none.
            (r#"{"i":1e3,"u":18446744073709551616,"t":99999999999999999999999}"#, Row::default()),
            (
                r#"{"i":-9223372036854775808,"u":18446744073709551615,"t":9007199254740993}"#,
                Row { i: i64::MIN, u: u64::MAX, t: "9007199254740993".into() },
            ),
        ] {
            assert_eq!(serde_json::from_str::<Row>(json).unwrap(), want, "{json}");
        }
        assert!(serde_json::from_str::<Row>(r#"{"t":{}}"#).is_err());
    }
}
