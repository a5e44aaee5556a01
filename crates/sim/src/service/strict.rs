//! Which keys has a body, and which of them are wrong?
//!
//! An action has one form or several (the vendors changed their minds). What is wrong is told for the form that fits
//! best, by key and without values.

use serde_json::{Map, Value};

/// What the value of a key must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Any text, also an empty one.
    Text,
    /// A text with something in it.
    Full,
    /// A text that names one person or room: no blanks, no commas.
    Id,
    /// An id that ends in `@chatroom`.
    Room,
    /// Ids joined by commas.
    Ids,
    /// A text of decimal digits.
    Digits,
    /// A text of hex digits.
    Hex,
    /// Text that begins a tag and holds no line break.
    XmlLine,
    /// XML as it came in a push, with its line breaks.
    Xml,
    /// An integer token, not in quotes. May need all 64 bits.
    Int,
    /// An integer that fits a number of seconds, bytes or pixels; also as text, as this vendor's samples mix them.
    Count,
    /// A number with a fraction or without, also as text.
    Degrees,
    Bool,
    /// A list of texts that name people.
    Names,
    /// A list of integer tokens.
    Ints,
    Object,
    Objects,
}

/// One key of a form.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) need: bool,
    pub(crate) kind: Kind,
}

/// The keys of one form: `form![need "wxid" Id, may "msg" Text]`.
macro_rules! form {
    (@need need) => { true };
    (@need may) => { false };
    ($($need:ident $name:literal $kind:ident),* $(,)?) => {
        &[$($crate::service::strict::Key {
            name: $name,
            need: $crate::service::strict::form!(@need $need),
            kind: $crate::service::strict::Kind::$kind,
        }),*]
    };
}
pub(crate) use form;

/// Which form fits best, and what is wrong even so.
pub(crate) fn best(body: &Map<String, Value>, forms: &[&[Key]]) -> (usize, Vec<String>) {
    let judged = forms.iter().enumerate().map(|(at, form)| (at, flaws(body, form)));
    judged.min_by_key(|(_, flaws)| flaws.len()).unwrap_or_default()
}

/// What is wrong with the body, if it is meant to have this form.
pub(crate) fn flaws(body: &Map<String, Value>, form: &[Key]) -> Vec<String> {
    let mut flaws = Vec::new();
    for key in form {
        match body.get(key.name) {
            None if key.need => flaws.push(format!("`{}` is missing", key.name)),
            None => {}
            Some(value) => {
                if let Some(want) = unlike(key.kind, value) {
                    flaws.push(format!("`{}` is not {want}", key.name));
                }
            }
        }
    }
    for name in body.keys().filter(|name| form.iter().all(|key| key.name != name.as_str())) {
        match form.iter().find(|key| key.name.eq_ignore_ascii_case(name)) {
            Some(key) => flaws.push(format!("unknown key `{name}`; it is written `{}`", key.name)),
            None => flaws.push(format!("unknown key `{name}`")),
        }
    }
    flaws
}

/// What the value should be, if it is not.
fn unlike(kind: Kind, value: &Value) -> Option<&'static str> {
    let text = value.as_str();
    let is = |test: fn(&str) -> bool| text.is_some_and(test);
    let all = |test: fn(&Value) -> bool| value.as_array().is_some_and(|list| !list.is_empty() && list.iter().all(test));
    let (good, want) = match kind {
        Kind::Text => (text.is_some(), "a text"),
        Kind::Full => (is(|text| !text.is_empty()), "a text with something in it"),
        Kind::Id => (is(is_id), "the id of a person or room"),
        Kind::Room => (is(|text| is_id(text) && text.ends_with("@chatroom")), "the id of a room"),
        Kind::Ids => (is(|text| text.split(',').all(is_id)), "a text of ids joined by commas"),
        Kind::Digits => (is(is_digits), "a text of digits"),
        Kind::Hex => (is(is_hex), "a text of hex digits"),
        Kind::XmlLine => (is(|text| text.starts_with('<') && !text.contains(['\n', '\r'])), "XML on one line"),
        Kind::Xml => (is(|text| text.starts_with('<')), "XML"),
        Kind::Int => (value.is_u64() || value.is_i64(), "an integer without quotes"),
        Kind::Count => (value.is_u64() || is(is_digits), "a count"),
        Kind::Degrees => (value.is_number() || is(|text| text.parse::<f64>().is_ok()), "a number"),
        Kind::Bool => (value.is_boolean(), "true or false"),
        Kind::Names => (all(|value| value.as_str().is_some_and(is_id)), "a list of ids"),
        Kind::Ints => (all(|value| value.is_u64()), "a list of integers without quotes"),
        Kind::Object => (value.is_object(), "an object"),
        Kind::Objects => (all(Value::is_object), "a list of objects"),
    };
    (!good).then_some(want)
}

fn is_id(text: &str) -> bool {
    !text.is_empty() && text.len() <= 128 && !text.contains([' ', ',', '\n', '\r', '<', '{'])
}

pub(crate) fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_hex(text: &str) -> bool {
    !text.is_empty() && text.len().is_multiple_of(2) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The text of a key; empty when it is absent. Numbers are told as their digits.
pub(crate) fn text<'a>(body: &'a Map<String, Value>, name: &str) -> &'a str {
    body.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// The number of a key, written as a number or as a text.
pub(crate) fn number(body: &Map<String, Value>, name: &str) -> u64 {
    let value = body.get(name);
    value.and_then(|value| value.as_u64().or_else(|| value.as_str()?.parse().ok())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const TEXT: &[Key] = form![need "wxid" Id, need "msg" Text];
    const REVOKE: &[Key] = form![need "msg_svrid" Int, need "to_wxid" Id];
    const OLD: &[Key] = form![need "sid" Digits, may "to_wxid" Id];

    #[test]
    fn flaws_are_told_by_key() {
        for (body, want) in [
            (json!({"wxid": "filehelper", "msg": ""}), vec![]),
            (json!({"wxid": "filehelper"}), vec!["`msg` is missing"]),
            (json!({"wxid": 5, "msg": "a"}), vec!["`wxid` is not the id of a person or room"]),
            (json!({"wxid": "a b", "msg": 5}), vec!["`wxid` is not the id of a person or room", "`msg` is not a text"]),
            (json!({"wxid": "a", "msg": "", "x": 1}), vec!["unknown key `x`"]),
            (json!({"wxid": "a", "msg": "", "Msg": ""}), vec!["unknown key `Msg`; it is written `msg`"]),
        ] {
            assert_eq!(best(body.as_object().unwrap(), &[TEXT]).1, want, "{body}");
        }
    }

    #[test]
    fn the_form_that_fits_best_is_judged() {
        for (body, want) in [
            (json!({"msg_svrid": 13_430_535_177_462_202_152_u64, "to_wxid": "a"}), (0, 0)),
            (json!({"sid": "13430535177462202152"}), (1, 0)),
            (json!({"msg_svrid": "13430535177462202152", "to_wxid": "a"}), (0, 1)),
            (json!({"sid": 5, "to_wxid": "a"}), (1, 1)),
        ] {
            let (at, flaws) = best(body.as_object().unwrap(), &[REVOKE, OLD]);
            assert_eq!((at, flaws.len()), want, "{body}: {flaws:?}");
        }
    }
}
