//! What does an answer say? By the mapping's own tests, or by the shapes that the services are known to use.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;

use super::action::{ListMap, Mapped};
use super::value::{id, scalar};
use crate::lenient::json;

/// How much of an answer that cannot be read is told.
const SHOWN: usize = 200;
/// Elements of one list: more than any account has contacts.
pub(super) const MAX_ITEMS: usize = 100_000;

/// An answer's body.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Answer {
    /// A text, where it is no JSON.
    pub(super) value: Value,
    pub(super) is_json: bool,
}

/// What it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Yes; with the id of the message, where the shape has one.
    Yes(Option<String>),
    /// No, in its own words.
    No(String),
    /// Neither: taken, as far as anybody can tell.
    Unconfirmed,
}

impl Answer {
    pub(super) fn read(body: &[u8]) -> Self {
        match json::read::<Value>(body) {
            Ok(mut value) => {
                restore_paths(&mut value);
                Self { value, is_json: true }
            }
            Err(_) => Self { value: String::from_utf8_lossy(body).into_owned().into(), is_json: false },
        }
    }

    /// The beginning of it, for people.
    pub(super) fn beginning(&self) -> String {
        let text = match self.value.as_str().filter(|_| !self.is_json) {
            Some(text) => Cow::Borrowed(text),
            None => Cow::Owned(self.value.to_string()),
        };
        let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let mut end = SHOWN.min(text.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let text = text.get(..end).unwrap_or_default().trim();
        if text.is_empty() { "nothing".to_owned() } else { format!("`{text}`") }
    }

    /// The first pointer that yields a scalar which says something.
    pub(super) fn first(&self, pointers: &[String]) -> Option<String> {
        pointers.iter().find_map(|ptr| self.value.pointer(ptr).and_then(id))
    }

    /// What it gives as a reason, in the mapping's places or the usual ones.
    fn reason(&self, mapped: &Mapped) -> String {
        const USUAL: [&str; 9] =
            ["/retmsg", "/errmsg", "/msg", "/message", "/retstr", "/retstatus", "/desc", "/error", "/0/message"];
        let said = self.first(&mapped.result.error);
        let said = said.or_else(|| USUAL.iter().find_map(|ptr| self.value.pointer(ptr).and_then(id)));
        match said {
            Some(text) => text.chars().take(300).collect(),
            None => format!("the service answered {}", self.beginning()),
        }
    }

    /// What it says to this mapping. `said`: the action's name in the service's words, the end of its path.
    pub(super) fn verdict(&self, mapped: &Mapped, said: &str) -> Verdict {
        if mapped.fail.iter().any(|test| test.holds(&self.value)) {
            return Verdict::No(self.reason(mapped));
        }
        if mapped.success.is_empty() {
            return match self.tolerant(mapped, said) {
                Tolerant::Yes(message) => Verdict::Yes(message),
                Tolerant::No => Verdict::No(self.reason(mapped)),
                Tolerant::Silent => Verdict::Unconfirmed,
            };
        }
        if mapped.success.iter().any(|test| test.holds(&self.value)) {
            Verdict::Yes(None)
        } else if self.is_json {
            Verdict::No(self.reason(mapped))
        } else {
            // Whatever stands in the service's place said something else; what the service did, it does not say.
            Verdict::Unconfirmed
        }
    }

    /// The shapes of `pc-hook-actions.md` §4, in their order; but 8 before 4, because both are about the key `RevokeMsg`.
    fn tolerant(&self, mapped: &Mapped, said: &str) -> Tolerant {
        let is = |value: &Value, want: &[&str]| scalar(value).is_some_and(|text| want.contains(&text.trim()));
        // A question whose answer is where it was looked for is answered, whatever else stands beside it; with 2 before 10
        // a list of databases would be taken for a gateway's wrapping.
        let asked = mapped.result.list.as_ref().map(|list| list.ptr.as_slice()).unwrap_or_default();
        let has_list = asked.iter().any(|ptr| self.value.pointer(ptr).is_some_and(Value::is_array));
        let body = match self.value.as_array() {
            Some(list) => list.first().unwrap_or(&Value::Null), // 2
            None => &self.value,
        };
        let server = || body.get("MsgSvrID").and_then(id).filter(|server| server != "0" && server != "1");
        let says = |yes: bool| if yes { Tolerant::Yes(server()) } else { Tolerant::No };
        if let Some(ret) = body.get("ret") {
            return says(is(ret, &["0"])); // 3
        }
        if let Some(revoked) = body.get("RevokeMsg") {
            return says(is(revoked, &["已撤回", "1"])); // 8
        }
        let names = [said, if said == "SendAtMsg" { "SendAtAllMsg" } else { said }];
        if let Some(own) = names.iter().find_map(|name| body.get(name)).filter(|own| scalar(own).is_some()) {
            return says(is(own, &["1"])); // 4
        }
        if let Some(success) = body.get("success") {
            return says(is(success, &["1", "true"])); // 5
        }
        if let Some(code) = body.get("code") {
            let success = body.get("message").is_some_and(|message| is(message, &["success"]));
            return says(is(code, &["0"]) || success); // 6
        }
        if body.get("message").is_some_and(|message| is(message, &["success"])) {
            return Tolerant::Yes(None); // 6
        }
        if body.get("MsgSvrID").is_some() {
            return says(server().is_some()); // 7
        }
        if let Some(words) = body.get("retstr").or_else(|| body.get("retstatus")) {
            return says(is(words, &["Everything is OK"])); // 9
        }
        let has_field =
            mapped.result.fields.values().flatten().any(|ptr| self.value.pointer(ptr).is_some_and(|at| !at.is_null()));
        if has_list || has_field {
            return Tolerant::Yes(None); // 10
        }
        Tolerant::Silent // 11
    }

    /// The named results.
    pub(super) fn fields(&self, mapped: &Mapped) -> BTreeMap<String, String> {
        read_fields(&self.value, &mapped.result.fields)
    }

    /// The elements of the lists.
    pub(super) fn items(&self, list: &ListMap) -> Vec<BTreeMap<String, String>> {
        let lists = list.ptr.iter().filter_map(|ptr| self.value.pointer(ptr)?.as_array());
        lists.flatten().take(MAX_ITEMS).map(|element| read_fields(element, &list.fields)).collect()
    }

    /// What the next page begins with, if there is one.
    pub(super) fn next(&self, list: &ListMap, items: usize) -> Option<String> {
        let next = id(self.value.pointer(list.next.as_ref()?)?)?;
        let more = match &list.more {
            Some(more) => {
                let more = self.value.pointer(more).and_then(scalar);
                more.is_some_and(|more| !matches!(more.as_str(), "" | "0" | "false"))
            }
            None => items > 0,
        };
        more.then_some(next)
    }
}

enum Tolerant {
    Yes(Option<String>),
    No,
    Silent,
}

fn read_fields(value: &Value, fields: &BTreeMap<String, Vec<String>>) -> BTreeMap<String, String> {
    let field = |pointers: &Vec<String>| pointers.iter().find_map(|ptr| value.pointer(ptr).and_then(id));
    fields.iter().filter_map(|(name, pointers)| Some((name.clone(), field(pointers)?))).collect()
}

/// `C:\temp\new` written without doubling reads as tab and line feed: in keys that end in `path`, where no name holds
/// them, they become what they were. Not recursive: the depth is bounded, the work is one visit each.
fn restore_paths(value: &mut Value) {
    let mut left = vec![value];
    while let Some(value) = left.pop() {
        match value {
            Value::Array(list) => left.extend(list.iter_mut()),
            Value::Object(table) => {
                for (key, value) in table.iter_mut() {
                    if let Value::String(text) = value {
                        if key.to_ascii_lowercase().ends_with("path") {
                            *text = restored(text);
                        }
                    } else {
                        left.push(value);
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
}

fn restored(path: &str) -> String {
    let mut out = String::with_capacity(path.len() + 8);
    for c in path.chars() {
        match c {
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
