//! How does a table of `bot.toml` become mappings? Every mistake is told, with its place and a cure.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use http::{HeaderName, Method};
use regex::RegexBuilder;
use serde_json::{Map, Value};

use super::action::{Body, Encoding, ListMap, Mapped, ResultMap, Test, Want, When};
use super::names::{self, suggest};
use super::template::Template;
use super::value::scalar;

/// Deeper bodies are nobody's.
const MAX_DEPTH: usize = 16;
/// Compiled size of a `regex` test (security R11).
const REGEX_SIZE: usize = 1 << 20;

/// A mistake in a mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// JSON pointer below `actions`.
    pub pointer: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: String,
}

/// Headers that go with every request of an account.
#[derive(Debug, Clone, Default)]
pub struct Headers(pub(super) Vec<(HeaderName, Template)>);

impl Headers {
    /// Reads `[accounts.headers]`; pointers of problems are below it.
    ///
    /// # Errors
    /// Every mistake, with its place.
    pub fn read(value: &Value, secrets: &BTreeSet<String>) -> Result<Self, Vec<Problem>> {
        let mut reader = Reader { problems: Vec::new(), secrets };
        let headers = reader.headers("headers", "", value);
        if reader.problems.is_empty() { Ok(Self(headers)) } else { Err(reader.problems) }
    }
}

/// Collects problems while it reads.
pub(super) struct Reader<'a> {
    pub(super) problems: Vec<Problem>,
    pub(super) secrets: &'a BTreeSet<String>,
}

/// A value and its place.
#[derive(Clone, Copy)]
struct At<'a> {
    pointer: &'a str,
    value: &'a Value,
}

const KEYS: [&str; 15] = [
    "when",
    "method",
    "path",
    "encoding",
    "body",
    "headers",
    "success",
    "fail",
    "result",
    "before",
    "timeout",
    "exclusive",
    "enabled",
    "save",
    "refresh_on",
];

impl Reader<'_> {
    fn problem(&mut self, pointer: &str, message: impl Into<String>, help: impl Into<String>) {
        self.problems.push(Problem { pointer: pointer.to_owned(), message: message.into(), help: help.into() });
    }

    fn wrong_kind(&mut self, at: At<'_>, want: &str) {
        self.problem(at.pointer, format!("this is {}, not {want}", kind(at.value)), format!("write {want} here"));
    }

    /// All variants of one action. `path_later`: the path may be missing.
    pub(super) fn action(&mut self, name: &str, value: &Value, path_later: bool) -> Vec<Mapped> {
        let pointer = format!("/{}", escaped(name));
        if let Some(table) = value.as_object() {
            return self.variant(name, &pointer, table, path_later).into_iter().collect();
        }
        let Some(list) = value.as_array().filter(|list| !list.is_empty()) else {
            self.wrong_kind(At { pointer: &pointer, value }, "a table, or a list of tables");
            return Vec::new();
        };
        let mut variants = Vec::new();
        for (nth, one) in list.iter().enumerate() {
            let pointer = format!("{pointer}/{nth}");
            let table = self.table(&pointer, one);
            variants.extend(table.and_then(|table| self.variant(name, &pointer, table, path_later)));
            let always = table.is_some_and(|table| !table.contains_key("when"));
            if always && nth + 1 < list.len() {
                self.problem(
                    &pointer,
                    "no variant behind this one is ever used, because it has no `when`",
                    "give it a `when`, or move it to the end",
                );
            }
        }
        variants
    }

    fn variant(&mut self, name: &str, pointer: &str, table: &Map<String, Value>, path_later: bool) -> Option<Mapped> {
        let before = self.problems.len();
        for key in table.keys().filter(|key| !KEYS.contains(&key.as_str())) {
            let help = suggest(key, KEYS.into_iter(), "a mapping has");
            self.problem(&format!("{pointer}/{}", escaped(key)), format!("a mapping has no `{key}`"), help);
        }
        let here = |key: &str| format!("{pointer}/{key}");
        let get = |key: &str| table.get(key);
        let enabled = self.flag(&here("enabled"), get("enabled"), true);
        let mapped = Mapped {
            when: get("when").map(|value| self.when(name, &here("when"), value)).unwrap_or_default(),
            method: self.method(&here("method"), get("method")),
            path: get("path").and_then(|value| self.path(name, &here("path"), value)),
            encoding: self.encoding(&here("encoding"), get("encoding")),
            body: get("body").and_then(|value| self.body(name, &here("body"), value, 0)),
            headers: get("headers").map(|value| self.headers(name, &here("headers"), value)).unwrap_or_default(),
            success: get("success").map(|value| self.tests(&here("success"), value)).unwrap_or_default(),
            fail: get("fail").map(|value| self.tests(&here("fail"), value)).unwrap_or_default(),
            result: get("result").map(|value| self.result(&here("result"), value)).unwrap_or_default(),
            before: get("before").map(|value| self.texts(&here("before"), value)).unwrap_or_default(),
            timeout: get("timeout").and_then(|value| self.duration(&here("timeout"), value)),
            exclusive: self.flag(&here("exclusive"), get("exclusive"), false),
            enabled,
            save: get("save").map(|value| self.save(&here("save"), value)).unwrap_or_default(),
            refresh_on: get("refresh_on").map(|value| self.tests(&here("refresh_on"), value)).unwrap_or_default(),
        };
        if get("path").is_none() && !path_later && enabled {
            self.problem(
                pointer,
                format!("`{name}` has no `path`"),
                "say where the service is asked: `path = \"/…\"`, or switch it off with `enabled = false`",
            );
        }
        match (&mapped.body, mapped.encoding) {
            (
                Some(Body::Text(_) | Body::Fixed(_)),
                Encoding::Json | Encoding::Form | Encoding::Query | Encoding::Multipart,
            ) => {
                self.problem(
                    &here("body"),
                    "a body is a table",
                    "write `body = { key = \"{{name}}\" }`, or `encoding = \"raw\"`",
                );
            }
            (Some(Body::Table(_) | Body::List(_)), Encoding::Raw) => {
                self.problem(&here("body"), "a raw body is one text", "write `body = \"…\"`, or another `encoding`");
            }
            (Some(Body::List(_)), Encoding::Form | Encoding::Query | Encoding::Multipart) => {
                self.problem(&here("body"), "fields have names", "write a table here, or `encoding = \"json\"`");
            }
            _ => {}
        }
        (self.problems.len() == before).then_some(mapped)
    }

    fn flag(&mut self, pointer: &str, value: Option<&Value>, default: bool) -> bool {
        match value {
            None => default,
            Some(Value::Bool(value)) => *value,
            Some(value) => {
                self.wrong_kind(At { pointer, value }, "true or false");
                default
            }
        }
    }

    fn text<'v>(&mut self, pointer: &str, value: &'v Value) -> Option<&'v str> {
        let text = value.as_str();
        if text.is_none() {
            self.wrong_kind(At { pointer, value }, "a text");
        }
        text
    }

    fn texts(&mut self, pointer: &str, value: &Value) -> Vec<String> {
        match (value.as_str(), value.as_array()) {
            (Some(text), _) => vec![text.to_owned()],
            (None, Some(list)) => {
                let one = |(nth, value)| self.text(&format!("{pointer}/{nth}"), value).map(str::to_owned);
                list.iter().enumerate().filter_map(one).collect()
            }
            (None, None) => {
                self.wrong_kind(At { pointer, value }, "a list of texts");
                Vec::new()
            }
        }
    }

    fn table<'v>(&mut self, pointer: &str, value: &'v Value) -> Option<&'v Map<String, Value>> {
        let table = value.as_object();
        if table.is_none() {
            self.wrong_kind(At { pointer, value }, "a table");
        }
        table
    }

    fn method(&mut self, pointer: &str, value: Option<&Value>) -> Method {
        let Some(text) = value.and_then(|value| self.text(pointer, value)) else { return Method::POST };
        match text {
            "GET" => Method::GET,
            "POST" => Method::POST,
            "PUT" => Method::PUT,
            "DELETE" => Method::DELETE,
            "PATCH" => Method::PATCH,
            other => {
                self.problem(pointer, format!("there is no method `{other}`"), "GET, POST, PUT, PATCH or DELETE");
                Method::POST
            }
        }
    }

    fn encoding(&mut self, pointer: &str, value: Option<&Value>) -> Encoding {
        let Some(text) = value.and_then(|value| self.text(pointer, value)) else { return Encoding::Json };
        let known = Encoding::ALL.iter().find(|(word, _)| *word == text);
        if known.is_none() {
            let help = suggest(text, Encoding::ALL.iter().map(|(word, _)| *word), "the encodings are");
            self.problem(pointer, format!("there is no encoding `{text}`"), help);
        }
        known.map_or(Encoding::Json, |(_, encoding)| *encoding)
    }

    fn template(&mut self, action: &str, pointer: &str, text: &str) -> Option<Template> {
        let template = match Template::parse(text) {
            Ok(template) => template,
            Err(flaw) => {
                self.problem(pointer, flaw.message, flaw.help);
                return None;
            }
        };
        for hole in template.holes() {
            self.name(action, pointer, &hole.name);
        }
        Some(template)
    }

    /// Names of steps and saved values are checked when all actions are read.
    fn name(&mut self, action: &str, pointer: &str, name: &str) {
        if let Some(secret) = name.strip_prefix("secret.") {
            if !self.secrets.contains(secret) {
                let help = match self.secrets.is_empty() {
                    true => format!("name it under `secrets` of the account: `{secret} = {{ env = \"…\" }}`"),
                    false => suggest(secret, self.secrets.iter().map(String::as_str), "the account's secrets are"),
                };
                self.problem(pointer, format!("the account has no secret `{secret}`"), help);
            }
            return;
        }
        let step = name.starts_with("account.") || names::step(name).is_some();
        if step || names::is_there(action, name) {
            return;
        }
        let there = names::placeholders(action);
        let (message, help) = if names::is_placeholder(name) {
            (format!("`{action}` never has `{{{{{name}}}}}`"), format!("it has {}", there.join(", ")))
        } else {
            let known = there.iter().copied();
            (format!("there is no `{{{{{name}}}}}`"), suggest(name, known, &format!("`{action}` has")))
        };
        self.problem(pointer, message, help);
    }

    fn path(&mut self, action: &str, pointer: &str, value: &Value) -> Option<Template> {
        let text = self.text(pointer, value)?;
        let template = self.template(action, pointer, text)?;
        let begin = template.beginning();
        let (scheme, rest) = match begin.split_once("://") {
            Some((scheme @ ("http" | "https"), rest)) => (Some(scheme), rest),
            Some(_) | None => (None, begin),
        };
        // A placeholder in the host would let a value choose who is asked (security R16).
        let host_is_fixed = scheme.is_none() || rest.split_once('/').is_some_and(|(host, _)| !host.is_empty());
        if scheme.is_none() && (!begin.starts_with('/') || begin.starts_with("//")) {
            self.problem(pointer, "this is no path", "it begins with one `/`, or is a whole http(s) address");
        } else if !host_is_fixed || rest.split('/').next().is_some_and(|host| host.contains('@')) {
            self.problem(
                pointer,
                "a whole address needs a fixed host, without a user name, and a `/` behind it",
                "write it out; what may change stands behind the host",
            );
        }
        if begin.contains(['#', ' ', '\\']) || text.chars().any(char::is_control) {
            self.problem(pointer, "this cannot stand in an address", "leave out `#`, blanks and backslashes");
        }
        for hole in template.holes().filter(|hole| names::is_written(&hole.name)) {
            self.problem(
                pointer,
                format!("`{{{{{}}}}}` is what people write, and never stands in an address", hole.name),
                "put it into `body`; with `encoding = \"query\"` the body is sent as a query",
            );
        }
        Some(template)
    }

    fn body(&mut self, action: &str, pointer: &str, value: &Value, depth: usize) -> Option<Body> {
        if depth > MAX_DEPTH {
            self.problem(pointer, "this is nested too deep", format!("a body has at most {MAX_DEPTH} levels"));
            return None;
        }
        Some(match value {
            Value::String(text) => Body::Text(self.template(action, pointer, text)?),
            Value::Array(list) => {
                let one = |(nth, one)| self.body(action, &format!("{pointer}/{nth}"), one, depth + 1);
                Body::List(list.iter().enumerate().filter_map(one).collect())
            }
            Value::Object(table) => {
                let mut entries = Vec::new();
                for (key, one) in table {
                    let pointer = format!("{pointer}/{}", escaped(key));
                    if key.contains("{{") {
                        self.problem(&pointer, "a key takes no placeholder", "only values do");
                    }
                    entries.extend(self.body(action, &pointer, one, depth + 1).map(|body| (key.clone(), body)));
                }
                Body::Table(entries)
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => Body::Fixed(value.clone()),
        })
    }

    fn headers(&mut self, action: &str, pointer: &str, value: &Value) -> Vec<(HeaderName, Template)> {
        let Some(table) = self.table(pointer, value) else { return Vec::new() };
        let mut headers = Vec::new();
        for (name, value) in table {
            let pointer = format!("{pointer}/{}", escaped(name));
            let header = match name.parse::<HeaderName>() {
                Ok(header) if !["host", "content-length", "transfer-encoding"].contains(&header.as_str()) => header,
                Ok(header) => {
                    self.problem(&pointer, format!("`{header}` is written by wxbot itself"), "leave it out");
                    continue;
                }
                Err(_not_quoted) => {
                    self.problem(&pointer, "this is no name of a header", "letters, digits and `-`");
                    continue;
                }
            };
            let template = self.text(&pointer, value).and_then(|text| {
                if text.chars().any(char::is_control) {
                    self.problem(&pointer, "a header has no control characters", "write it on one line");
                }
                self.template(action, &pointer, text)
            });
            headers.extend(template.map(|template| (header, template)));
        }
        headers
    }

    fn pointer(&mut self, pointer: &str, value: &Value) -> Option<String> {
        let text = self.text(pointer, value)?;
        let tilde = |part: &str| part.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
        if !(text.is_empty() || text.starts_with('/')) || !tilde(text) {
            self.problem(
                pointer,
                format!("`{text}` is no JSON pointer"),
                format!("it begins with `/`: `/{}`", text.trim_start_matches(['/', '$', '.']).replace('.', "/")),
            );
            return None;
        }
        Some(text.to_owned())
    }

    fn pointers(&mut self, pointer: &str, value: &Value) -> Vec<String> {
        let Some(list) = value.as_array() else { return self.pointer(pointer, value).into_iter().collect() };
        let one = |(nth, value)| self.pointer(&format!("{pointer}/{nth}"), value);
        list.iter().enumerate().filter_map(one).collect()
    }

    fn tests(&mut self, pointer: &str, value: &Value) -> Vec<Test> {
        let Some(list) = value.as_array() else { return self.test(pointer, value).into_iter().collect() };
        let one = |(nth, value)| self.test(&format!("{pointer}/{nth}"), value);
        list.iter().enumerate().filter_map(one).collect()
    }

    fn test(&mut self, pointer: &str, value: &Value) -> Option<Test> {
        const WANTS: [&str; 6] = ["eq", "ne", "in", "exists", "regex", "non_empty"];
        let table = self.table(pointer, value)?;
        for key in table.keys().filter(|key| *key != "ptr" && !WANTS.contains(&key.as_str())) {
            let help = suggest(key, WANTS.into_iter(), "a test has `ptr` and one of");
            self.problem(&format!("{pointer}/{}", escaped(key)), format!("a test has no `{key}`"), help);
        }
        let ptr = match table.get("ptr") {
            Some(value) => self.pointer(&format!("{pointer}/ptr"), value)?,
            None => {
                self.problem(
                    pointer,
                    "a test without `ptr`",
                    "say where to look: `ptr = \"/code\"`, `\"\"` for all of it",
                );
                return None;
            }
        };
        let wants: Vec<_> = WANTS.iter().filter_map(|word| table.get(*word).map(|value| (*word, value))).collect();
        let &[(word, value)] = wants.as_slice() else {
            self.problem(pointer, "a test says exactly one thing", format!("one of {}", WANTS.join(", ")));
            return None;
        };
        let here = format!("{pointer}/{word}");
        let at = At { pointer: &here, value };
        let want = match word {
            "exists" => Want::Exists(self.flag(&here, Some(value), true)),
            "non_empty" => Want::NonEmpty(self.flag(&here, Some(value), true)),
            "in" => {
                let list: Option<Vec<_>> = value.as_array().and_then(|list| list.iter().map(scalar).collect());
                if list.is_none() {
                    self.wrong_kind(at, "a list of texts or numbers");
                }
                Want::In(list?)
            }
            "regex" => {
                let text = self.text(&here, value)?;
                match RegexBuilder::new(text).size_limit(REGEX_SIZE).build() {
                    Ok(regex) => Want::Regex(regex),
                    Err(error) => {
                        self.problem(
                            &here,
                            format!("this is no regular expression: {error}"),
                            "look-around and back-references are not there",
                        );
                        return None;
                    }
                }
            }
            word => {
                let text = scalar(value);
                if text.is_none() {
                    self.wrong_kind(at, "a text, a number, true or false");
                }
                if word == "eq" { Want::Eq(text?) } else { Want::Ne(text?) }
            }
        };
        Some(Test { ptr, want })
    }

    fn when(&mut self, action: &str, pointer: &str, value: &Value) -> When {
        const WHENS: [&str; 5] = ["to_suffix", "to_prefix", "is_room", "has", "url"];
        let mut when = When::default();
        for (key, value) in self.table(pointer, value).into_iter().flatten() {
            let here = format!("{pointer}/{}", escaped(key));
            match key.as_str() {
                "to_suffix" => when.to_suffix = self.text(&here, value).map(str::to_owned),
                "to_prefix" => when.to_prefix = self.text(&here, value).map(str::to_owned),
                "is_room" => when.is_room = Some(self.flag(&here, Some(value), true)),
                "url" => when.url = Some(self.flag(&here, Some(value), true)),
                "has" => {
                    when.has = self.text(&here, value).map(str::to_owned);
                    if let Some(name) = &when.has {
                        self.name(action, &here, name);
                    }
                }
                other => {
                    let help = suggest(other, WHENS.into_iter(), "it is one of");
                    self.problem(&here, format!("there is no `when` by `{other}`"), help);
                }
            }
        }
        when
    }

    fn result(&mut self, pointer: &str, value: &Value) -> ResultMap {
        let mut result = ResultMap::default();
        for (key, value) in self.table(pointer, value).into_iter().flatten() {
            let here = format!("{pointer}/{}", escaped(key));
            match key.as_str() {
                "message_id" => result.message_id = self.pointers(&here, value),
                "error" => result.error = self.pointers(&here, value),
                "list" => result.list = Some(self.list(&here, value)),
                name => drop(result.fields.insert(name.to_owned(), self.pointers(&here, value))),
            }
        }
        result
    }

    fn list(&mut self, pointer: &str, value: &Value) -> ListMap {
        let mut list = ListMap::default();
        let Some(table) = self.table(pointer, value) else { return list };
        if !table.contains_key("ptr") {
            self.problem(pointer, "a list without `ptr`", "say where the list is: `ptr = \"/data\"`");
        }
        for (key, value) in table {
            let here = format!("{pointer}/{}", escaped(key));
            match key.as_str() {
                "ptr" => list.ptr = self.pointers(&here, value),
                "first" => list.first = self.text(&here, value).map(str::to_owned),
                "next" => list.next = self.pointer(&here, value),
                "more" => list.more = self.pointer(&here, value),
                name => drop(list.fields.insert(name.to_owned(), self.pointers(&here, value))),
            }
        }
        list
    }

    fn save(&mut self, pointer: &str, value: &Value) -> BTreeMap<String, String> {
        let mut save = BTreeMap::new();
        for (key, value) in self.table(pointer, value).into_iter().flatten() {
            let here = format!("{pointer}/{}", escaped(key));
            if ["name", "self_id"].contains(&key.as_str()) {
                self.problem(&here, format!("`account.{key}` is the account's own"), "save it under another name");
            }
            save.extend(self.pointer(&here, value).map(|ptr| (key.clone(), ptr)));
        }
        save
    }

    fn duration(&mut self, pointer: &str, value: &Value) -> Option<Duration> {
        let read = |text: &str| {
            let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let (number, unit) = text.split_at_checked(digits)?;
            let number: u64 = number.parse().ok()?;
            match unit {
                "ms" => Some(Duration::from_millis(number)),
                "s" => Some(Duration::from_secs(number)),
                "m" | "min" => number.checked_mul(60).map(Duration::from_secs),
                _ => None,
            }
        };
        let duration = value.as_str().and_then(read);
        let limits = Duration::from_millis(100)..=Duration::from_secs(3600);
        if duration.is_none_or(|duration| !limits.contains(&duration)) {
            self.problem(pointer, "this is no time limit", "write one from \"100ms\" to \"60min\", like \"10s\"");
            return None;
        }
        duration
    }
}

/// A key as part of a JSON pointer.
pub(super) fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a table",
    }
}
