//! How is a value changed on its way into a request? The words behind the `|` of a placeholder.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::value::scalar;

/// What may stand in an address as it is; everything else is written as `%XX`.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// One change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Filter {
    Int,
    Str,
    Bool,
    Bool01,
    Csv,
    Json,
    Xml,
    OneLine,
    Hex,
    B64,
    UrlEnc,
    WinPath,
}

/// A value on its way.
#[derive(Clone, PartialEq)]
pub(super) enum Piece {
    Json(Value),
    Bytes(Bytes),
}

impl Filter {
    pub(super) const ALL: [(&'static str, Self); 12] = [
        ("int", Self::Int),
        ("str", Self::Str),
        ("bool", Self::Bool),
        ("bool01", Self::Bool01),
        ("csv", Self::Csv),
        ("json", Self::Json),
        ("xml", Self::Xml),
        ("oneline", Self::OneLine),
        ("hex", Self::Hex),
        ("b64", Self::B64),
        ("urlenc", Self::UrlEnc),
        ("winpath", Self::WinPath),
    ];

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(word, _)| *word == name).map(|(_, filter)| *filter)
    }

    pub(super) fn word(self) -> &'static str {
        Self::ALL.iter().find(|(_, filter)| *filter == self).map_or("?", |(word, _)| word)
    }

    /// The changed value, or why it cannot be changed. Never the value itself: it may be a secret.
    pub(super) fn apply(self, piece: Piece) -> Result<Piece, &'static str> {
        let value = match piece {
            Piece::Bytes(bytes) => {
                return match self {
                    Self::Hex => Ok(text(hex(&bytes))),
                    Self::B64 => Ok(text(BASE64_STANDARD.encode(&bytes))),
                    Self::Int
                    | Self::Str
                    | Self::Bool
                    | Self::Bool01
                    | Self::Csv
                    | Self::Json
                    | Self::Xml
                    | Self::OneLine
                    | Self::UrlEnc
                    | Self::WinPath => Err("bytes can only become `hex` or `b64`"),
                };
            }
            Piece::Json(value) => value,
        };
        let changed = match self {
            Self::Int => int(value)?,
            Self::Bool => truth(&value)?.into(),
            Self::Bool01 => u8::from(truth(&value)?).into(),
            Self::Csv => csv(value)?,
            Self::Json => value.to_string().into(),
            Self::Str => each(value, |one| one)?,
            Self::Xml => each(value, |one| xml(&one))?,
            Self::OneLine => each(value, |one| one_line(&one))?,
            Self::Hex => each(value, |one| hex(one.as_bytes()))?,
            Self::B64 => each(value, |one| BASE64_STANDARD.encode(one))?,
            Self::UrlEnc => each(value, |one| url_encoded(&one))?,
            Self::WinPath => each(value, |one| one.replace('/', "\\"))?,
        };
        Ok(Piece::Json(changed))
    }
}

fn text(text: String) -> Piece {
    Piece::Json(Value::String(text))
}

pub(super) fn url_encoded(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string()
}

/// The change of a scalar's text, or of the text of each element.
fn each(value: Value, change: impl Fn(String) -> String + Copy) -> Result<Value, &'static str> {
    let one = |value: &Value| scalar(value).map(change).map(Value::String).ok_or("it is no text");
    match value.as_array() {
        Some(list) => list.iter().map(one).collect(),
        None => one(&value),
    }
}

/// A number token of 64 bits: ids of the services do not survive a float.
fn int(value: Value) -> Result<Value, &'static str> {
    const NONE: &str = "it is no whole number of 64 bits";
    match value {
        Value::Number(number) if number.is_f64() => Err(NONE),
        Value::Number(number) => Ok(Value::Number(number)),
        Value::Bool(value) => Ok(u8::from(value).into()),
        Value::String(text) => {
            let text = text.trim();
            if let Ok(number) = text.parse::<u64>() {
                return Ok(number.into());
            }
            text.parse::<i64>().map(Value::from).map_err(|_not_quoted| NONE)
        }
        Value::Array(list) => list.into_iter().map(int).collect(),
        Value::Null | Value::Object(_) => Err(NONE),
    }
}

fn truth(value: &Value) -> Result<bool, &'static str> {
    match scalar(value).map(|text| text.trim().to_ascii_lowercase()).as_deref() {
        Some("true" | "1" | "yes") => Ok(true),
        Some("false" | "0" | "no" | "") => Ok(false),
        Some(_) | None => Err("it is neither true nor false"),
    }
}

fn csv(value: Value) -> Result<Value, &'static str> {
    // A comma within an element would make two of it, so it becomes the one that Chinese texts use.
    let one = |value: &Value| scalar(value).map(|text| text.replace(',', "，")).ok_or("an element is no text");
    match &value {
        Value::Array(list) => Ok(list.iter().map(one).collect::<Result<Vec<_>, _>>()?.join(",").into()),
        Value::Null | Value::Object(_) => Err("it is no list"),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(value),
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// Safe as content and as an attribute; what XML cannot hold is left out.
fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\n' | '\r' | '\t' => out.push(c),
            c if c < ' ' || matches!(c, '\u{fffe}' | '\u{ffff}') => {}
            c => out.push(c),
        }
    }
    out
}

/// Without line ends: nothing is left of them between tags, a space elsewhere.
fn one_line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (nth, line) in text.split(['\r', '\n']).map(str::trim).filter(|line| !line.is_empty()).enumerate() {
        if nth > 0 && !out.ends_with('>') && !line.starts_with('<') {
            out.push(' ');
        }
        out.push_str(line);
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_each_makes() {
        for (name, value, want) in [
            ("int", json!("13430535177462202152"), Some(json!(13_430_535_177_462_202_152_u64))),
            ("int", json!("-7"), Some(json!(-7))),
            ("int", json!(["1", 2]), Some(json!([1, 2]))),
            ("int", json!("1.0"), None),
            ("int", json!("184467440737095516160"), None),
            ("int", json!("wxid_a"), None),
            ("int", json!(true), Some(json!(1))),
            ("str", json!(7), Some(json!("7"))),
            ("str", json!([7, true]), Some(json!(["7", "true"]))),
            ("str", json!({}), None),
            ("bool", json!("1"), Some(json!(true))),
            ("bool", json!("no"), Some(json!(false))),
            ("bool", json!("maybe"), None),
            ("bool01", json!(true), Some(json!(1))),
            ("csv", json!(["a", "b"]), Some(json!("a,b"))),
            ("csv", json!(["a,b", "c"]), Some(json!("a，b,c"))),
            ("csv", json!("a"), Some(json!("a"))),
            ("csv", json!([["a"]]), None),
            ("json", json!({"a": "\""}), Some(json!(r#"{"a":"\""}"#))),
            ("xml", json!("a<b>&\"'\0\n"), Some(json!("a&lt;b&gt;&amp;&quot;&apos;\n"))),
            ("oneline", json!("<a>\r\n  <b>x\ny</b>\n</a>"), Some(json!("<a><b>x y</b></a>"))),
            ("hex", json!("ab你"), Some(json!("6162e4bda0"))),
            ("b64", json!("ab"), Some(json!("YWI="))),
            ("urlenc", json!("a b/&?#你"), Some(json!("a%20b%2F%26%3F%23%E4%BD%A0"))),
            ("winpath", json!("Z:/a/b"), Some(json!(r"Z:\a\b"))),
        ] {
            let filter = Filter::named(name).unwrap();
            let made = filter.apply(Piece::Json(value.clone())).ok().map(|piece| match piece {
                Piece::Json(value) => value,
                Piece::Bytes(_) => panic!("bytes"),
            });
            assert_eq!(made, want, "{name} {value}");
            assert_eq!(filter.word(), name);
        }
        assert!(Filter::named("shell").is_none());
        let bytes = || Piece::Bytes(Bytes::from_static(b"\xff\0"));
        assert!(Filter::Hex.apply(bytes()) == Ok(text("ff00".into())));
        assert!(Filter::B64.apply(bytes()) == Ok(text("/wA=".into())));
        assert!(Filter::Str.apply(bytes()).is_err());
    }

    proptest::proptest! {
        #[test]
        fn a_filter_never_panics_and_never_ends_a_line_or_an_element(text in "\\PC{0,20}[\\r\\n<>,&%\"]{0,6}\\PC{0,20}") {
            for (_, filter) in Filter::ALL {
                drop(filter.apply(Piece::Json(json!(text))));
            }
            proptest::prop_assert!(!one_line(&text).contains(['\r', '\n']));
            proptest::prop_assert!(!xml(&text).contains(['<', '>', '"']));
            let encoded = url_encoded(&text);
            proptest::prop_assert!(encoded.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.~%".contains(&b)));
            let list = csv(json!([text, "b"])).unwrap();
            proptest::prop_assert_eq!(list.as_str().unwrap().split(',').count(), 2);
        }
    }
}
