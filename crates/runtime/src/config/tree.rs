//! Where in the text does each value stand, and what can still be read when the text is not TOML?

use std::collections::BTreeSet;
use std::ops::Range;

use serde_json::{Map, Value, json};
use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue, Error};

use super::diagnostic::{Diagnostic, codes, quote};

/// Tables and lists in each other beyond this are refused: walks over the tree recurse.
const MAX_DEPTH: usize = 64;

/// One value and its place.
#[derive(Debug)]
pub(super) struct Node {
    /// A scalar, list or inline table: all of it. A table with a header: the header. A table from dotted keys: the key.
    pub(super) span: Range<usize>,
    pub(super) shape: Shape,
}

/// What a value is.
#[derive(Debug)]
pub(super) enum Shape {
    Text(String),
    Integer(i64),
    Float(f64),
    Bool(bool),
    Date(String),
    List(Vec<Node>),
    Table(Table),
    /// Reported already; nobody complains about it again.
    Broken,
}

/// Entries in file order.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) entries: Vec<Entry>,
}

/// One key of a table.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) key_span: Range<usize>,
    pub(super) node: Node,
}

impl Table {
    pub(super) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.node)
    }

    pub(super) fn table(&self, key: &str) -> Option<&Self> {
        self.get(key).and_then(Node::as_table)
    }

    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.get(key).and_then(Node::as_text)
    }

    /// The texts of a list with their nodes; what is no text is left out.
    pub(super) fn texts(&self, key: &str) -> Option<Vec<(&str, &Node)>> {
        let list = self.get(key)?.as_list()?;
        Some(list.iter().filter_map(|node| Some((node.as_text()?, node))).collect())
    }
}

impl Node {
    pub(super) fn as_table(&self) -> Option<&Table> {
        if let Shape::Table(table) = &self.shape { Some(table) } else { None }
    }

    pub(super) fn as_text(&self) -> Option<&str> {
        if let Shape::Text(text) = &self.shape { Some(text) } else { None }
    }

    pub(super) fn as_list(&self) -> Option<&[Self]> {
        if let Shape::List(list) = &self.shape { Some(list) } else { None }
    }

    /// The value one step down a JSON pointer.
    pub(super) fn step(&self, segment: &str) -> Option<&Self> {
        match &self.shape {
            Shape::Table(table) => table.get(segment),
            Shape::List(list) => list.get(segment.parse::<usize>().ok()?),
            Shape::Text(_) | Shape::Integer(_) | Shape::Float(_) | Shape::Bool(_) | Shape::Date(_) | Shape::Broken => {
                None
            }
        }
    }

    /// Whether something in here was reported as unreadable.
    pub(super) fn is_broken(&self) -> bool {
        match &self.shape {
            Shape::Broken => true,
            Shape::List(list) => list.iter().any(Self::is_broken),
            Shape::Table(table) => table.entries.iter().any(|entry| entry.node.is_broken()),
            Shape::Text(_) | Shape::Integer(_) | Shape::Float(_) | Shape::Bool(_) | Shape::Date(_) => false,
        }
    }

    pub(super) fn json(&self) -> Value {
        match &self.shape {
            Shape::Text(text) | Shape::Date(text) => json!(text),
            Shape::Integer(number) => json!(number),
            Shape::Float(number) => json!(number),
            Shape::Bool(yes) => json!(yes),
            Shape::List(list) => list.iter().map(Self::json).collect(),
            Shape::Table(table) => Value::Object(table.json()),
            Shape::Broken => Value::Null,
        }
    }
}

impl Table {
    pub(super) fn json(&self) -> Map<String, Value> {
        self.entries.iter().map(|entry| (entry.key.clone(), entry.node.json())).collect()
    }
}

/// The common value with an account's own over it: tables key by key, anything else replaces.
pub(super) fn overlay(common: Option<&Node>, own: Option<&Node>) -> Value {
    match (common, own) {
        (None, None) => Value::Object(Map::new()),
        (Some(node), None) | (None, Some(node)) => node.json(),
        (Some(common), Some(own)) => match (common.as_table(), own.as_table()) {
            (Some(below), Some(above)) => {
                let mut merged = below.json();
                for entry in &above.entries {
                    merged.insert(entry.key.clone(), overlay(below.get(&entry.key), Some(&entry.node)));
                }
                Value::Object(merged)
            }
            (Some(_), None) | (None, Some(_) | None) => own.json(),
        },
    }
}

/// The values of a text, and what is wrong with it as TOML.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) root: Table,
    /// What the parser says.
    pub(super) syntax: Vec<Diagnostic>,
    /// Values that nothing can hold.
    pub(super) limits: Vec<Diagnostic>,
    /// Whether keys may be absent from the tree that stand in the text.
    pub(super) torn: bool,
    /// Lines that are not TOML; what is said about them besides would be noise.
    pub(super) bad_lines: Vec<Range<usize>>,
    /// What stands behind it was perhaps not understood as written.
    pub(super) sure_until: usize,
}

/// Reads a text, as much of it as can be read.
pub(super) fn read(text: &str) -> Reading {
    let (first, mut errors) = DeTable::parse_recoverable(text);
    errors.sort_by_key(|error| error.span().map_or(0, |span| span.start));
    let mut reading = Reading {
        root: Table::default(),
        syntax: Vec::new(),
        limits: Vec::new(),
        torn: !errors.is_empty(),
        bad_lines: Vec::new(),
        sure_until: usize::MAX,
    };
    let mut told = BTreeSet::new();
    for error in &errors {
        let span = error.span().unwrap_or(0..0);
        let lines = lines_around(text, &span);
        // One broken line often breaks several rules of the grammar; the first is the one to tell.
        if !told.insert(lines.start) {
            continue;
        }
        let open = is_header(text, &lines) && error.message().starts_with("missing");
        reading.bad_lines.push(lines);
        reading.syntax.push(syntax(text, error, span, open));
        if open {
            break; // Everything behind it would be an error too.
        }
    }
    let hard: Vec<_> = errors.iter().filter(|error| !is_soft(error)).collect();
    let mut table = first;
    let patched;
    if !hard.is_empty() {
        // The parser gives up on the values behind a broken line. Without that line it reads on.
        patched = without_bad_lines(text, &hard);
        let (second, left) = DeTable::parse_recoverable(&patched);
        if left.iter().all(is_soft) {
            table = second;
        } else {
            let spans = hard.iter().map(|error| lines_around(text, &error.span().unwrap_or(0..0)).start);
            reading.sure_until = spans.min().unwrap_or(0);
        }
    }
    reading.root = convert_table(table.get_ref(), 0, &mut reading.limits);
    reading
}

/// The parser reads on behind these without loss.
fn is_soft(error: &Error) -> bool {
    error.message().starts_with("duplicate key")
}

fn syntax(text: &str, error: &Error, span: Range<usize>, open: bool) -> Diagnostic {
    if is_soft(error) {
        let key = text.get(span.clone()).unwrap_or("");
        return Diagnostic::new(codes::DUPLICATE_KEY, &span, format!("{} is given twice", quote(key)))
            .label("the second time")
            .help("keep one of the two; a list of tables has headers in double brackets, like `[[accounts]]`");
    }
    let span = visible(text, span);
    let message = error.message();
    if open {
        return Diagnostic::new(codes::SYNTAX, &span, "a list or table above this header is not closed")
            .label("still inside it")
            .help("look above for a `[` or `{` without its `]` or `}`");
    }
    let help = match message {
        m if m.starts_with("invalid unquoted key") => Some("put the key in quotes".to_owned()),
        m if m.contains("string") => Some("a text stands in quotes and ends on its line".to_owned()),
        _ => None,
    };
    Diagnostic::new(codes::SYNTAX, &span, format!("this is not TOML: {message}"))
        .label("not understood here")
        .maybe_help(help)
}

/// The parser points between characters where something is absent; people see the rest of the line, or all of it.
fn visible(text: &str, span: Range<usize>) -> Range<usize> {
    if text.get(span.clone()).is_some_and(|part| !part.trim().is_empty()) {
        return span;
    }
    let lines = lines_around(text, &span);
    let rest = span.start.clamp(lines.start, lines.end)..lines.end;
    for range in [rest, lines] {
        let part = text.get(range.clone()).unwrap_or("");
        let start = range.start + part.len() - part.trim_start().len();
        if !part.trim().is_empty() {
            return start..start + part.trim().len();
        }
    }
    span
}

/// The whole lines that a range touches, without the last line's end.
fn lines_around(text: &str, span: &Range<usize>) -> Range<usize> {
    let start = text.floor_char_boundary(span.start);
    // An error at the end of a line covers the line's end, but not the next line.
    let inner = text.get(start..text.ceil_char_boundary(span.end)).unwrap_or("").trim_end_matches(['\r', '\n']);
    let end = start + inner.len();
    let from = text.get(..start).and_then(|s| s.rfind('\n')).map_or(0, |at| at + 1);
    let to = text.get(end..).and_then(|s| s.find('\n')).map_or(text.len(), |at| end + at);
    from..to
}

fn is_header(text: &str, line: &Range<usize>) -> bool {
    let line = text.get(line.clone()).unwrap_or("");
    line.trim_start_matches('\u{feff}').trim_start().starts_with('[')
}

/// The text with its bad lines blank, all places kept. A bad header takes its whole section along: its keys would land
/// in the table above.
fn without_bad_lines(text: &str, errors: &[&Error]) -> String {
    let mut blank = vec![false; text.len()];
    for error in errors {
        let mut lines = lines_around(text, &error.span().unwrap_or(0..0));
        if is_header(text, &lines) {
            lines.end = text.get(lines.end..).and_then(|s| s.find("\n[")).map_or(text.len(), |at| lines.end + at);
        }
        if let Some(part) = blank.get_mut(lines) {
            part.fill(true);
        }
    }
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        if blank.get(at) == Some(&true) && c != '\n' && c != '\r' {
            out.extend(std::iter::repeat_n(' ', c.len_utf8()));
        } else {
            out.push(c);
        }
    }
    out
}

fn convert_table(table: &DeTable<'_>, depth: usize, problems: &mut Vec<Diagnostic>) -> Table {
    let mut entries: Vec<Entry> = table
        .iter()
        .map(|(key, value)| Entry {
            key: key.get_ref().clone().into_owned(),
            key_span: key.span(),
            node: convert(value, depth + 1, problems),
        })
        .collect();
    entries.sort_by_key(|entry| entry.key_span.start);
    Table { entries }
}

fn convert(value: &Spanned<DeValue<'_>>, depth: usize, problems: &mut Vec<Diagnostic>) -> Node {
    let span = value.span();
    if depth > MAX_DEPTH {
        problems.push(
            Diagnostic::new(codes::TOO_DEEP, &span, "tables and lists sit too deep in each other")
                .label("too deep")
                .help(format!("{MAX_DEPTH} levels are the limit")),
        );
        return Node { span, shape: Shape::Broken };
    }
    let shape = match value.get_ref() {
        DeValue::String(text) => Shape::Text(text.clone().into_owned()),
        DeValue::Integer(number) => integer(number, &span, problems),
        DeValue::Float(number) => match number.as_str().parse::<f64>() {
            Ok(number) if number.is_finite() => Shape::Float(number),
            Ok(_) | Err(_) => {
                problems.push(
                    Diagnostic::new(codes::OUT_OF_RANGE, &span, "this number is not finite")
                        .label("a finite number is expected"),
                );
                Shape::Broken
            }
        },
        DeValue::Boolean(yes) => Shape::Bool(*yes),
        DeValue::Datetime(date) => Shape::Date(date.to_string()),
        DeValue::Array(list) => Shape::List(list.iter().map(|item| convert(item, depth + 1, problems)).collect()),
        DeValue::Table(table) => Shape::Table(convert_table(table, depth, problems)),
    };
    Node { span, shape }
}

fn integer(number: &DeInteger<'_>, span: &Range<usize>, problems: &mut Vec<Diagnostic>) -> Shape {
    if span.is_empty() {
        return Shape::Broken; // the parser's stand-in for a value it could not read
    }
    match i64::from_str_radix(number.as_str(), number.radix()) {
        Ok(number) => Shape::Integer(number),
        Err(_) => {
            problems.push(
                Diagnostic::new(codes::OUT_OF_RANGE, span, "this number is too large")
                    .label("does not fit")
                    .help(format!("whole numbers lie between {} and {}", i64::MIN, i64::MAX)),
            );
            Shape::Broken
        }
    }
}
