//! What is in a protobuf message of which nobody has the schema? Numbered fields, and a guess at each.

use serde_json::{Map, Value as Json};

use super::hex;

/// Messages in messages.
const MAX_DEPTH: usize = 16;
/// Fields of one body, all levels together.
pub const MAX_FIELDS: usize = 10_000;

/// One field as the wire has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field<'a> {
    /// 1 to 2^29-1.
    pub number: u32,
    /// Its value.
    pub value: Value<'a>,
}

/// What the wire says of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    /// Wire type 0.
    Varint(u64),
    /// Wire type 1.
    Fixed64(u64),
    /// Wire type 5.
    Fixed32(u32),
    /// Wire type 2: a text, bytes, or a message.
    Bytes(&'a [u8]),
}

/// The fields of a message in their order; `None` when the bytes are none, or are more than [`MAX_FIELDS`].
pub fn fields(bytes: &[u8]) -> Option<Vec<Field<'_>>> {
    let mut rest = bytes;
    let mut fields = Vec::new();
    while !rest.is_empty() {
        if fields.len() >= MAX_FIELDS {
            return None;
        }
        let tag = varint(&mut rest)?;
        let number = u32::try_from(tag >> 3).ok().filter(|number| (1..1 << 29).contains(number))?;
        let value = match tag & 7 {
            0 => Value::Varint(varint(&mut rest)?),
            1 => Value::Fixed64(u64::from_le_bytes(take(&mut rest, 8)?.try_into().ok()?)),
            2 => {
                let len = usize::try_from(varint(&mut rest)?).ok()?;
                Value::Bytes(take(&mut rest, len)?)
            }
            5 => Value::Fixed32(u32::from_le_bytes(take(&mut rest, 4)?.try_into().ok()?)),
            // 3 and 4 are groups, long out of use; 6 and 7 are nothing.
            _ => return None,
        };
        fields.push(Field { number, value });
    }
    Some(fields)
}

/// The last field of that number: as protobuf has it, later ones win.
fn last<'a>(fields: &[Field<'a>], number: u32) -> Option<Value<'a>> {
    fields.iter().rev().find(|field| field.number == number).map(|field| field.value)
}

/// A number.
pub fn number(fields: &[Field<'_>], number: u32) -> Option<u64> {
    match last(fields, number)? {
        Value::Varint(value) | Value::Fixed64(value) => Some(value),
        Value::Fixed32(value) => Some(u64::from(value)),
        Value::Bytes(_) => None,
    }
}

/// Bytes.
pub fn bytes<'a>(fields: &[Field<'a>], number: u32) -> Option<&'a [u8]> {
    match last(fields, number)? {
        Value::Bytes(bytes) => Some(bytes),
        Value::Varint(_) | Value::Fixed64(_) | Value::Fixed32(_) => None,
    }
}

/// A text.
pub fn text<'a>(fields: &[Field<'a>], number: u32) -> Option<&'a str> {
    std::str::from_utf8(bytes(fields, number)?).ok()
}

/// A message as JSON: an object from field numbers to values, a list where a number is repeated. Bytes are the text, the
/// message, or the hexadecimal digits (`"hex:…"`) that they most look like. `None` when it is no message.
pub fn pretty(bytes: &[u8]) -> Option<Json> {
    message(bytes, 0, &mut 0)
}

fn message(bytes: &[u8], depth: usize, seen: &mut usize) -> Option<Json> {
    if depth >= MAX_DEPTH {
        return None;
    }
    let fields = fields(bytes)?;
    *seen += fields.len();
    if *seen > MAX_FIELDS {
        return None;
    }
    let mut object = Map::new();
    for field in fields {
        let value = match field.value {
            Value::Varint(value) | Value::Fixed64(value) => whole(value),
            Value::Fixed32(value) => Json::from(value),
            Value::Bytes(bytes) => guessed(bytes, depth, seen),
        };
        match object.get_mut(&field.number.to_string()) {
            None => drop(object.insert(field.number.to_string(), value)),
            Some(Json::Array(values)) => values.push(value),
            Some(first) => *first = Json::Array(vec![first.take(), value]),
        }
    }
    Some(Json::Object(object))
}

/// Whoever reads JSON numbers as floats would round an id, so large ones are texts.
fn whole(value: u64) -> Json {
    if value < 1 << 53 { Json::from(value) } else { Json::from(value.to_string()) }
}

fn guessed(bytes: &[u8], depth: usize, seen: &mut usize) -> Json {
    let text = std::str::from_utf8(bytes).ok();
    let among = |text: &str, blanks: &[char]| !text.chars().any(|c| c.is_control() && !blanks.contains(&c));
    if let Some(text) = text.filter(|text| among(text, &[])) {
        return Json::from(text);
    }
    if let Some(inner) = message(bytes, depth + 1, seen) {
        return inner;
    }
    match text.filter(|text| among(text, &['\n', '\r', '\t'])) {
        Some(text) => Json::from(text),
        None => Json::from(format!("hex:{}", hex::encode(bytes))),
    }
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..70).step_by(7) {
        let (first, behind) = rest.split_first()?;
        *rest = behind;
        let part = u64::from(first & 0x7f);
        if shift == 63 && part > 1 {
            return None;
        }
        value |= part << shift;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn take<'a>(rest: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (taken, behind) = rest.split_at_checked(len)?;
    *rest = behind;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn guesses() {
        for (name, digits, want) in [
            ("nothing", "", Some(json!({}))),
            ("a number and a text", "08ac02120568656c6c6f", Some(json!({"1": 300, "2": "hello"}))),
            ("a message", "0a0208010a020802", Some(json!({"1": [{"1": 1}, {"1": 2}]}))),
            ("a large number", "08ffffffffffffffffff01", Some(json!({"1": "18446744073709551615"}))),
            ("fixed ones", "0d01000000110200000000000000", Some(json!({"1": 1, "2": 2}))),
            ("bytes", "0a02fffe", Some(json!({"1": "hex:fffe"}))),
            ("two lines", "0a03610a62", Some(json!({"1": "a\nb"}))),
            ("cut off", "0a05ff", None),
            ("a wire type that is none", "5f", None),
            ("field 0", "0001", None),
            ("a varint without end", "08ffffffffffffffffffff01", None),
        ] {
            assert_eq!(pretty(&hex::decode(digits).unwrap()), want, "{name}");
        }
    }

    #[test]
    fn limits() {
        let mut deep = vec![0xff];
        for _ in 0..40 {
            let mut outer = vec![0x0a, u8::try_from(deep.len()).unwrap()];
            outer.append(&mut deep);
            deep = outer;
        }
        let shown = pretty(&deep).unwrap().to_string();
        assert!(shown.contains("hex:") && shown.matches('{').count() == MAX_DEPTH, "{shown}");
        let length_of_everything = [0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
        assert_eq!(pretty(&length_of_everything), None);
        assert_eq!(pretty(&[8, 1].repeat(MAX_FIELDS + 1)), None);
        assert!(pretty(&[8, 1].repeat(MAX_FIELDS)).is_some());
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_a_message_or_none(bytes: Vec<u8>) {
            if let Some(json) = pretty(&bytes) {
                proptest::prop_assert!(json.to_string().len() <= 16 * (bytes.len() + 1));
            }
        }
    }
}
