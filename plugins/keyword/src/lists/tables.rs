//! A list in TOML: `keywords = ["发票", { keyword = "收据", reply = "…" }]`, or `[[keywords]]` again and again.

use std::ops::{ControlFlow, Range};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Draft, Flaw, Sink};

const FORM: &str = "write keywords = [\"发票\", { keyword = \"收据\", reply = \"…\", priority = 1, tag = \"…\" }]";

pub(super) fn read(text: &str, sink: &mut impl Sink) -> ControlFlow<()> {
    let lines = Lines::new(text);
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let line = error.span().map(|span| lines.at(&span));
        sink.flaw(Flaw { line, message: format!("this is no TOML: {}", error.message()), help: FORM })?;
    }
    if !errors.is_empty() {
        return ControlFlow::Continue(());
    }
    for (key, value) in table.get_ref() {
        let flaw = |at: Range<usize>, message| Flaw { line: Some(lines.at(&at)), message, help: FORM };
        if &**key.get_ref() != "keywords" {
            sink.flaw(flaw(key.span(), format!("`{}` means nothing in a list", head(key.get_ref()))))?;
            continue;
        }
        let Some(keywords) = value.get_ref().as_array() else {
            sink.flaw(flaw(value.span(), "`keywords` is no array".to_owned()))?;
            continue;
        };
        for keyword in keywords.iter() {
            match draft(keyword, &lines) {
                Ok(draft) => sink.entry(draft)?,
                Err(flaw) => sink.flaw(flaw)?,
            }
        }
    }
    ControlFlow::Continue(())
}

fn draft(value: &Spanned<DeValue<'_>>, lines: &Lines) -> Result<Draft, Flaw> {
    let line = lines.at(&value.span());
    let mut draft = Draft { line, ..Draft::default() };
    let flaw = |line, message| Flaw { line: Some(line), message, help: FORM };
    if let Some(text) = value.get_ref().as_str() {
        draft.keyword = text.trim().to_owned();
    } else if let Some(table) = value.get_ref().as_table() {
        for (key, value) in table {
            let (line, key, value) = (lines.at(&value.span()), &**key.get_ref(), value.get_ref());
            let wrong = |want: &str| flaw(line, format!("`{}` is {}, it must be {want}", head(key), value.type_str()));
            let text = || value.as_str().map(|text| text.trim().to_owned()).ok_or_else(|| wrong("a string"));
            let yes = || value.as_bool().ok_or_else(|| wrong("true or false"));
            match key {
                "keyword" => draft.keyword = text()?,
                "reply" => draft.reply = Some(text()?).filter(|text| !text.is_empty()),
                "tag" => draft.tag = Some(text()?).filter(|text| !text.is_empty()),
                "word" => draft.word = yes()?,
                "regex" => draft.regex = yes()?,
                "priority" => {
                    let number =
                        value.as_integer().and_then(|number| i32::from_str_radix(number.as_str(), number.radix()).ok());
                    draft.priority = Some(number.ok_or_else(|| wrong("a whole number below 2,147,483,648"))?);
                }
                other => return Err(flaw(line, format!("`{}` means nothing for a keyword", head(other)))),
            }
        }
    } else {
        let message = format!("a keyword is a string or a table, not {}", value.get_ref().type_str());
        return Err(flaw(line, message));
    }
    if draft.keyword.is_empty() {
        return Err(flaw(line, "there is no keyword here".to_owned()));
    }
    Ok(draft)
}

/// As much of a key as a message quotes.
fn head(key: &str) -> &str {
    key.get(..key.floor_char_boundary(60)).unwrap_or(key)
}

/// Where each line begins.
struct Lines(Vec<usize>);

impl Lines {
    fn new(text: &str) -> Self {
        Self(std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect())
    }

    fn at(&self, span: &Range<usize>) -> usize {
        self.0.partition_point(|begin| *begin <= span.start)
    }
}
