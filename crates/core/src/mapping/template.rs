//! What does a text with `{{…}}` in it become? Each placeholder is filled once; what is filled in is never looked at again.

use super::filter::{Filter, Piece};
use super::value::{Datum, scalar};
use serde_json::Value;

/// A text with places to fill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    Hole(Hole),
}

/// One `{{name?|filter}}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hole {
    /// Whose value it takes.
    pub(super) name: String,
    /// True with `?`: without a value, the whole key is left out.
    pub(super) optional: bool,
    /// From left to right.
    pub(super) filters: Vec<Filter>,
}

/// What is wrong with a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Flaw {
    pub(super) message: String,
    pub(super) help: String,
}

/// Why a template cannot be filled. It names places, never values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unfilled {
    #[error("it needs `{{{{{0}}}}}`, which there is none of here")]
    Missing(String),
    #[error("`{{{{{name}|{filter}}}}}` cannot be filled: {why}")]
    Filter { name: String, filter: &'static str, why: &'static str },
    #[error("`{{{{{0}}}}}` is a list or a table and cannot stand within a text; add `|csv` or `|json`")]
    NotText(String),
}

/// Who knows the values.
pub(super) trait Scope {
    /// What a name stands for.
    fn find(&self, name: &str) -> Option<Datum>;
}

impl Template {
    pub(super) fn parse(text: &str) -> Result<Self, Flaw> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((literal, after)) = rest.split_once("{{") {
            if !literal.is_empty() {
                parts.push(Part::Literal(literal.to_owned()));
            }
            let Some((inside, after)) = after.split_once("}}") else {
                return Err(Flaw {
                    message: "`{{` is never closed".into(),
                    help: "write `{{name}}`, with two brackets at each side".into(),
                });
            };
            parts.push(Part::Hole(Hole::parse(inside)?));
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Literal(rest.to_owned()));
        }
        Ok(Self { parts })
    }

    pub(super) fn holes(&self) -> impl Iterator<Item = &Hole> {
        self.parts.iter().filter_map(|part| match part {
            Part::Literal(_) => None,
            Part::Hole(hole) => Some(hole),
        })
    }

    /// What stands before the first place to fill.
    pub(super) fn beginning(&self) -> &str {
        match self.parts.first() {
            Some(Part::Literal(text)) => text,
            Some(Part::Hole(_)) | None => "",
        }
    }

    /// The filled value; `None` when the key is to be left out. A template that is one placeholder keeps its kind.
    pub(super) fn fill(&self, scope: &dyn Scope) -> Result<Option<Piece>, Unfilled> {
        match self.parts.as_slice() {
            [Part::Hole(hole)] => hole.fill(scope),
            _ => Ok(self.fill_text(scope, |text, _| text)?.map(|text| Piece::Json(Value::String(text)))),
        }
    }

    /// The filled text; `escape` changes what comes out of each placeholder.
    pub(super) fn fill_text(
        &self,
        scope: &dyn Scope,
        escape: impl Fn(String, &Hole) -> String,
    ) -> Result<Option<String>, Unfilled> {
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Literal(text) => out.push_str(text),
                Part::Hole(hole) => match hole.fill(scope)? {
                    None => return Ok(None),
                    Some(Piece::Json(value)) => {
                        let text = scalar(&value).ok_or_else(|| Unfilled::NotText(hole.name.clone()))?;
                        out.push_str(&escape(text, hole));
                    }
                    Some(Piece::Bytes(_)) => return Err(Unfilled::NotText(hole.name.clone())),
                },
            }
        }
        Ok(Some(out))
    }
}

impl Hole {
    fn parse(inside: &str) -> Result<Self, Flaw> {
        let mut words = inside.split('|').map(str::trim);
        let name = words.next().unwrap_or_default();
        let (name, optional) = match name.strip_suffix('?') {
            Some(name) => (name.trim_end(), true),
            None => (name, false),
        };
        if !is_name(name) {
            return Err(Flaw {
                message: format!("`{{{{{inside}}}}}` holds no name"),
                help: "a name is letters, digits and `_`, with dots between its parts: `{{quote.id}}`".into(),
            });
        }
        let filters = words.map(|word| {
            Filter::named(word).ok_or_else(|| Flaw {
                message: format!("there is no filter `{word}`"),
                help: super::names::suggest(word, Filter::ALL.iter().map(|(word, _)| *word), "the filters are"),
            })
        });
        Ok(Self { name: name.to_owned(), optional, filters: filters.collect::<Result<_, _>>()? })
    }

    fn fill(&self, scope: &dyn Scope) -> Result<Option<Piece>, Unfilled> {
        let piece = match scope.find(&self.name) {
            None | Some(Datum::File { .. }) => None,
            Some(Datum::Json(value)) => Some(value).filter(|value| !value.is_null()).map(Piece::Json),
            Some(Datum::Secret(secret)) => Some(Piece::Json(Value::String(secret.expose().clone()))),
            Some(Datum::Bytes(bytes)) => Some(Piece::Bytes(bytes)),
        };
        let Some(mut piece) = piece.filter(|piece| !self.optional || !is_empty(piece)) else {
            return if self.optional { Ok(None) } else { Err(Unfilled::Missing(self.name.clone())) };
        };
        for filter in &self.filters {
            piece = filter.apply(piece).map_err(|why| Unfilled::Filter {
                name: self.name.clone(),
                filter: filter.word(),
                why,
            })?;
        }
        Ok(Some(piece))
    }
}

fn is_name(name: &str) -> bool {
    let part = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    name.len() <= 64 && name.split('.').all(part)
}

fn is_empty(piece: &Piece) -> bool {
    match piece {
        Piece::Json(Value::String(text)) => text.is_empty(),
        Piece::Json(Value::Array(list)) => list.is_empty(),
        Piece::Json(Value::Null) => true,
        Piece::Json(Value::Bool(_) | Value::Number(_) | Value::Object(_)) => false,
        Piece::Bytes(bytes) => bytes.is_empty(),
    }
}

#[cfg(test)]
#[path = "template_tests.rs"]
mod tests;
