//! What is one mapping? A request with places to fill, what its answers mean, and when it is the one to use.

use std::collections::BTreeMap;
use std::time::Duration;

use http::{HeaderName, Method};
use regex::Regex;
use serde_json::Value;

use super::template::{Scope, Template};
use super::value::scalar;

/// The longest text that a `regex` test looks at (security R11).
const LONGEST: usize = 16 * 1024;

/// One way to do one action.
#[derive(Debug, Clone)]
pub(super) struct Mapped {
    /// When it is the one to use.
    pub(super) when: When,
    pub(super) method: Method,
    /// `None` where only the owner can know it.
    pub(super) path: Option<Template>,
    pub(super) encoding: Encoding,
    pub(super) body: Option<Body>,
    pub(super) headers: Vec<(HeaderName, Template)>,
    /// Any of them says yes; empty for the tolerant reading.
    pub(super) success: Vec<Test>,
    /// Any of them says no; looked at first.
    pub(super) fail: Vec<Test>,
    pub(super) result: ResultMap,
    /// Actions to do first.
    pub(super) before: Vec<String>,
    pub(super) timeout: Option<Duration>,
    /// Nothing else of the account meanwhile.
    pub(super) exclusive: bool,
    pub(super) enabled: bool,
    /// What is kept as `account.NAME`, and where the answer has it.
    pub(super) save: BTreeMap<String, String>,
    /// When any of them holds for any answer, this is done again, and what was answered so once more.
    pub(super) refresh_on: Vec<Test>,
}

/// How the body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Json,
    Form,
    Query,
    Multipart,
    Raw,
}

impl Encoding {
    pub(super) const ALL: [(&'static str, Self); 5] = [
        ("json", Self::Json),
        ("form", Self::Form),
        ("query", Self::Query),
        ("multipart", Self::Multipart),
        ("raw", Self::Raw),
    ];
}

/// A body with places to fill: in its texts only.
#[derive(Debug, Clone)]
pub(super) enum Body {
    Fixed(Value),
    Text(Template),
    List(Vec<Self>),
    Table(Vec<(String, Self)>),
}

impl Body {
    /// All templates in it.
    pub(super) fn templates<'a>(&'a self, found: &mut Vec<&'a Template>) {
        match self {
            Self::Fixed(_) => {}
            Self::Text(template) => found.push(template),
            Self::List(list) => list.iter().for_each(|one| one.templates(found)),
            Self::Table(table) => table.iter().for_each(|(_, one)| one.templates(found)),
        }
    }
}

/// When a variant is the one to use. All that is said must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct When {
    pub(super) to_suffix: Option<String>,
    pub(super) to_prefix: Option<String>,
    pub(super) is_room: Option<bool>,
    /// A name that must have a value.
    pub(super) has: Option<String>,
    /// Whether media come as an address.
    pub(super) url: Option<bool>,
}

impl When {
    pub(super) fn holds(&self, scope: &dyn Scope) -> bool {
        use super::value::Datum;
        let text = |name: &str| match scope.find(name) {
            Some(Datum::Json(value)) => scalar(&value).filter(|text| !text.is_empty()),
            Some(Datum::Secret(_) | Datum::Bytes(_) | Datum::File { .. }) | None => None,
        };
        let there = |name: &str| match scope.find(name) {
            Some(Datum::Json(Value::Array(list))) => !list.is_empty(),
            Some(Datum::Json(Value::Null)) | None => false,
            Some(Datum::Json(Value::String(text))) => !text.is_empty(),
            Some(Datum::Json(_) | Datum::Secret(_) | Datum::Bytes(_) | Datum::File { .. }) => true,
        };
        let to = text("to").unwrap_or_default();
        self.to_suffix.as_ref().is_none_or(|end| to.ends_with(end))
            && self.to_prefix.as_ref().is_none_or(|begin| to.starts_with(begin))
            && self.is_room.is_none_or(|want| text("is_room").is_some_and(|is| is == want.to_string()))
            && self.has.as_ref().is_none_or(|name| there(name))
            && self.url.is_none_or(|want| there("url") == want)
    }
}

/// One test of an answer.
#[derive(Debug, Clone)]
pub(super) struct Test {
    pub(super) ptr: String,
    pub(super) want: Want,
}

/// What must be where a [`Test`] points.
#[derive(Debug, Clone)]
pub(super) enum Want {
    Eq(String),
    Ne(String),
    In(Vec<String>),
    Exists(bool),
    Regex(Regex),
    NonEmpty(bool),
}

impl Test {
    pub(super) fn holds(&self, answer: &Value) -> bool {
        let at = answer.pointer(&self.ptr);
        let text = at.and_then(scalar);
        match &self.want {
            Want::Eq(want) => text.as_ref() == Some(want),
            // What is not there is not equal to anything, but no proof of anything either.
            Want::Ne(want) => text.as_ref().is_some_and(|text| text != want),
            Want::In(list) => text.is_some_and(|text| list.contains(&text)),
            Want::Exists(want) => at.is_some() == *want,
            Want::Regex(regex) => text.is_some_and(|text| text.len() <= LONGEST && regex.is_match(&text)),
            Want::NonEmpty(want) => at.is_some_and(|at| !is_empty(at)) == *want,
        }
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(table) => table.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Where an answer has what. Of several pointers the first that yields a non-empty scalar counts.
#[derive(Debug, Clone, Default)]
pub(super) struct ResultMap {
    pub(super) message_id: Vec<String>,
    pub(super) error: Vec<String>,
    pub(super) fields: BTreeMap<String, Vec<String>>,
    pub(super) list: Option<ListMap>,
}

/// Where an answer has a list.
#[derive(Debug, Clone, Default)]
pub(super) struct ListMap {
    /// One or more lists, one after another.
    pub(super) ptr: Vec<String>,
    /// Within each element.
    pub(super) fields: BTreeMap<String, Vec<String>>,
    /// What the first page begins with, where a service wants that said.
    pub(super) first: Option<String>,
    /// What the next page begins with.
    pub(super) next: Option<String>,
    /// Whether there is one; without it, there is while `next` moves and the page is not empty.
    pub(super) more: Option<String>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::mapping::value::Values;

    #[test]
    fn tests_compare_scalars_by_their_text() {
        let answer = json!({"a": 1, "b": "1", "c": "", "d": [], "e": {"f": true}, "g": null});
        let test = |ptr: &str, want| Test { ptr: ptr.into(), want }.holds(&answer);
        let eq = |text: &str| Want::Eq(text.into());
        assert!(test("/a", eq("1")) && test("/b", eq("1")) && test("/e/f", eq("true")));
        assert!(!test("/a", eq("2")) && !test("/nothing", eq("")) && !test("/d", eq("")));
        assert!(test("/a", Want::Ne("2".into())) && !test("/a", Want::Ne("1".into())));
        assert!(!test("/nothing", Want::Ne("1".into())));
        assert!(test("/a", Want::In(vec!["0".into(), "1".into()])) && !test("/a", Want::In(vec!["0".into()])));
        assert!(test("/g", Want::Exists(true)) && test("/x", Want::Exists(false)) && !test("/x", Want::Exists(true)));
        assert!(test("/b", Want::Regex(Regex::new("^[0-9]$").unwrap())));
        assert!(
            test("/b", Want::NonEmpty(true)) && !test("/c", Want::NonEmpty(true)) && test("/d", Want::NonEmpty(false))
        );
        assert!(
            !test("/x", Want::NonEmpty(true)) && !test("/g", Want::NonEmpty(true)) && test("/a", Want::NonEmpty(true))
        );
        assert!(test("", Want::Exists(true)));
    }

    #[test]
    fn when_a_variant_is_the_one() {
        let scope = Values::new().with("to", "1@openim").with("is_room", false).with("url", "").with("path", "a");
        let holds = |when: When| when.holds(&scope);
        assert!(holds(When::default()));
        assert!(holds(When { to_suffix: Some("@openim".into()), ..When::default() }));
        assert!(!holds(When { to_suffix: Some("@chatroom".into()), ..When::default() }));
        assert!(holds(When { to_prefix: Some("1".into()), is_room: Some(false), ..When::default() }));
        assert!(!holds(When { to_prefix: Some("1".into()), is_room: Some(true), ..When::default() }));
        assert!(holds(When { url: Some(false), has: Some("path".into()), ..When::default() }));
        assert!(!holds(When { has: Some("url".into()), ..When::default() }));
        assert!(!holds(When { url: Some(true), ..When::default() }));
    }
}
